//! Step 1: readable and complete, by the rules of its format and by the schema on the ledger.
//!
//! Schemas are JSON Schema 2020-12. Nothing is fetched, and patterns run on an engine whose time grows with the text and not with
//! what the pattern's author had in mind. Of an SD-JWT with undisclosed fields, and of a compact credential, only what is
//! there can be judged, so nothing counts as missing ([`lenient`]).

use std::sync::Arc;

use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::{Map, Value, json};

use super::memory::View;
use super::{Found, Reason, Verifier};
use crate::credential::{Credential, Format};

/// About how much more a schema takes when it is ready than its text does.
const COMPILED_TIMES: usize = 16;

/// A schema made ready; none when it is not one that can be used here.
#[derive(Debug)]
pub(super) struct Compiled(Option<Validator>);

impl Verifier {
    /// The step, and the subject for the report.
    pub(super) fn readable(&self, credential: &Credential, view: Option<&View>) -> (Found, Map<String, Value>) {
        let mut subject = credential.subject.clone();
        let found = |reason, evidence| (reason, Arc::new(evidence));
        if credential.schemas.is_empty() {
            return (found(Reason::ReadableIncomplete, json!({ "missing": "schema" })), subject);
        }
        if credential.types.is_empty() {
            return (found(Reason::ReadableIncomplete, json!({ "missing": "type" })), subject);
        }
        let schemas = match view.map(|view| &view.schemas) {
            // Without any proof the next steps have no answer either, and say so.
            None => return (found(Reason::ReadableOk, json!({ "schema": "not checked" })), subject),
            Some(Err(detail)) => return (found(Reason::ReadableSchemaUnknown, json!({ "detail": detail })), subject),
            Some(Ok(schemas)) => schemas,
        };
        if let Some(id) = &credential.subject_id {
            subject.insert("id".into(), json!(id));
        }
        let mut instance = json!({ "credentialSubject": subject });
        let (mut reason, mut used) = (Reason::ReadableOk, Vec::new());
        for id in &credential.schemas {
            let Some(Some(entry)) = schemas.get(id) else {
                reason = Reason::ReadableSchemaUnknown;
                used.push(json!({ "id": id }));
                continue;
            };
            let compiled =
                self.compiled(&entry.body, credential.undisclosed > 0 || credential.format == Format::Compact);
            used.push(json!({ "id": id, "revision": entry.seq }));
            match &compiled.0 {
                None => reason = Reason::ReadableSchemaUnknown,
                Some(validator) => {
                    if let Err(error) = validator.validate(&instance) {
                        // The place, and never the value: evidence of an unverified credential shows nothing of it.
                        let place = error.instance_path().to_string();
                        let rule = error.schema_path().to_string();
                        let evidence = json!({ "schema": id, "place": place, "rule": rule });
                        return (found(Reason::ReadableSchema, evidence), Map::new());
                    }
                }
            }
        }
        let Some(Value::Object(mut subject)) = instance.get_mut("credentialSubject").map(Value::take) else {
            unreachable!("it was made an object above")
        };
        subject.remove("id");
        (
            found(
                reason,
                json!({ "format": credential.format, "schemas": used, "undisclosed": credential.undisclosed }),
            ),
            subject,
        )
    }

    /// A schema made ready, remembered.
    fn compiled(&self, body: &str, lenient: bool) -> Arc<Compiled> {
        let place = (body.to_owned(), lenient);
        if let Some(found) = self.memory.schemas.get(&place) {
            return found;
        }
        let compiled = Arc::new(Compiled(compile(body, lenient)));
        self.memory.schemas.put(place, Arc::clone(&compiled), COMPILED_TIMES * body.len());
        compiled
    }
}

fn compile(body: &str, undisclosed: bool) -> Option<Validator> {
    let mut schema: Value = serde_json::from_str(body).ok()?;
    if undisclosed {
        lenient(&mut schema);
    }
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .with_pattern_options(PatternOptions::regex())
        .should_validate_formats(true)
        .offline()
        .build(&schema)
        .ok()
}

/// Takes from a schema what undisclosed fields could break: that something must be there, and what turns that around.
fn lenient(schema: &mut Value) {
    let Value::Object(members) = schema else { return };
    for keyword in [
        "required",
        "dependentRequired",
        "minProperties",
        "minItems",
        "contains",
        "minContains",
        "maxContains",
        "not",
        "if",
        "then",
        "else",
        "const",
        "enum",
        "unevaluatedProperties",
        "unevaluatedItems",
    ] {
        // A scalar is disclosed as a whole or not at all; only objects and arrays can have lost parts.
        let kept = match (keyword, members.get(keyword)) {
            ("const", Some(value)) => !value.is_object() && !value.is_array(),
            ("enum", Some(Value::Array(values))) => !values.iter().any(|value| value.is_object() || value.is_array()),
            _ => false,
        };
        if !kept {
            members.remove(keyword);
        }
    }
    // "Exactly one of" tells them apart by what is there.
    if let Some(one_of) = members.remove("oneOf")
        && !members.contains_key("anyOf")
    {
        members.insert("anyOf".into(), one_of);
    }
    for (keyword, value) in members.iter_mut() {
        match (keyword.as_str(), value) {
            (
                "properties" | "patternProperties" | "$defs" | "definitions" | "dependentSchemas",
                Value::Object(named),
            ) => {
                named.values_mut().for_each(lenient);
            }
            ("allOf" | "anyOf" | "prefixItems", Value::Array(all)) => all.iter_mut().for_each(lenient),
            ("items" | "additionalProperties" | "propertyNames" | "additionalItems", value) => lenient(value),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The page's verifier is asked the same (`verifier-web/tests/unit/schema.test.mjs`).
    #[test]
    fn each_keyword_says_what_it_says_on_the_page() {
        let rows: Value = serde_json::from_str(include_str!("../../../../tests/schemas.json")).unwrap();
        for (of, undisclosed) in [("whole", false), ("undisclosed", true)] {
            for row in rows[of].as_array().unwrap() {
                let body = row["schema"].as_str().unwrap();
                let schema = compile(body, undisclosed).expect(body);
                for (values, expected) in [("valid", true), ("invalid", false)] {
                    for text in row[values].as_array().unwrap() {
                        let text = text.as_str().unwrap();
                        let value: Value = serde_json::from_str(text).unwrap();
                        assert_eq!(schema.is_valid(&value), expected, "{of}: {body} of {text}");
                    }
                }
            }
        }
    }
}
