//! What text is a schema of this ledger, and what its id is.
//!
//! A body is the RFC 8785 form of a JSON Schema 2020-12 that stands on its own: nobody who validates a diploma in thirty
//! years should need another server's file. So nothing in it refers outside, and nothing turns the meaning of an inner
//! reference: every `$ref`, `$dynamicRef` and `$recursiveRef` begins with `#`, no inner `$id` is absolute, no inner
//! `$schema` names another draft. That holds for every object of the text, data of `const` and `default` too, since a
//! JSON pointer can make a schema of any of them.
//!
//! Numbers are integers or decimals of at most 15 digits, at most 6 of them after the point, without exponent: those
//! have one shortest form, which every reader of JSON keeps, whatever it makes of numbers inside.
//!
//! The id follows EBSI's rule: SHA-256 of the RFC 8785 form without annotations. A keyword is an annotation only where
//! a schema stands, not as the name of a property, nor inside the data of `const` and `enum`.

use serde_json::Value;

use crate::codec::{self, CodecError, sha256};
use crate::hash::SchemaId;
use crate::limits::{SCHEMA_CHARS_MAX, SCHEMA_DEPTH_MAX};

/// The only draft.
pub const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Keywords that say nothing of what is valid.
const ANNOTATIONS: [&str; 8] =
    ["$comment", "title", "description", "default", "deprecated", "readOnly", "writeOnly", "examples"];
/// Keywords whose value maps names to schemas.
const NAMED_SCHEMAS: [&str; 6] =
    ["properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies"];
/// Keywords whose value holds no schema.
const DATA: [&str; 4] = ["const", "enum", "dependentRequired", "$vocabulary"];
/// Keywords whose value, if it is text, is a reference.
const REFERENCES: [&str; 3] = ["$ref", "$dynamicRef", "$recursiveRef"];

/// Most digits of a number: what a double keeps, whichever way it is read.
const DIGITS_MAX: usize = 15;
/// Most digits after the point: RFC 8785 writes smaller numbers with an exponent.
const DECIMALS_MAX: usize = 6;

/// Why text is not a schema of this ledger.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaFault {
    /// Too long.
    #[error("it has {0} characters; at most {SCHEMA_CHARS_MAX} are allowed")]
    TooLarge(usize),
    /// Not JSON, nested too deep, or not in its RFC 8785 form.
    #[error("{0}")]
    Json(#[from] CodecError),
    /// Not an object.
    #[error("a schema is a JSON object")]
    NotAnObject,
    /// A number that not every reader keeps.
    #[error("a number has at most {DIGITS_MAX} digits, {DECIMALS_MAX} of them after the point, and no exponent")]
    Number,
    /// Another draft.
    #[error("$schema must be {DRAFT}")]
    Draft,
    /// A reference to something outside.
    #[error("it refers to {0:?}: only references within it are allowed")]
    RemoteReference(String),
}

/// The canonical text of a schema given in any spacing and order: for its publisher. What [`check`] refuses is refused.
pub fn canonical(text: &str) -> Result<String, SchemaFault> {
    let canonical = codec::canonical(&read(text)?);
    let canonical = String::from_utf8(canonical).expect("canonical JSON is UTF-8");
    check(&canonical)?;
    Ok(canonical)
}

/// Checks a body: its length, its form, its draft, its references.
pub fn check(body: &str) -> Result<(), SchemaFault> {
    let schema = read(body)?;
    if codec::canonical(&schema) != body.as_bytes() {
        return Err(CodecError::NotCanonical.into());
    }
    let Value::Object(members) = &schema else { return Err(SchemaFault::NotAnObject) };
    if members.get("$schema").and_then(Value::as_str) != Some(DRAFT) {
        return Err(SchemaFault::Draft);
    }
    check_references(&schema, true)
}

/// The id of a schema by EBSI's rule.
pub fn id_of(body: &str) -> Result<SchemaId, SchemaFault> {
    let mut schema = read(body)?;
    drop_annotations(&mut schema);
    Ok(SchemaId::from_bytes(sha256(&[&codec::canonical(&schema)])))
}

/// The text form of an id in EBSI's registry: `z` and base58btc.
pub fn multibase(id: SchemaId) -> String {
    format!("z{}", bs58::encode(id.as_bytes()).into_string())
}

/// Reads JSON of bounded length and depth whose numbers every reader keeps.
fn read(text: &str) -> Result<Value, SchemaFault> {
    // No text of that many characters has more bytes: long input is not counted through.
    let characters = if text.len() > 4 * SCHEMA_CHARS_MAX { text.len() } else { text.chars().count() };
    if characters > SCHEMA_CHARS_MAX {
        return Err(SchemaFault::TooLarge(characters));
    }
    codec::check_depth(text.as_bytes(), SCHEMA_DEPTH_MAX)?;
    let value = serde_json::from_str(text).map_err(|error| CodecError::Json(error.to_string()))?;
    check_numbers(text)?;
    Ok(value)
}

/// Looks at the numbers in the text of valid JSON.
fn check_numbers(json: &str) -> Result<(), SchemaFault> {
    let (mut in_string, mut escaped) = (false, false);
    let outside = json.split(|c: char| {
        match c {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => in_string = !in_string,
            _ => {}
        }
        in_string || !(c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E'))
    });
    // What is left outside strings are numbers, and the letter e of `true` and `false`.
    for number in outside.filter(|part| part.contains(|c: char| c.is_ascii_digit())) {
        let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
        let whole = whole.trim_start_matches('-');
        let plain = |digits: &str| digits.bytes().all(|b| b.is_ascii_digit());
        if !plain(whole)
            || !plain(decimals)
            || whole.len() + decimals.len() > DIGITS_MAX
            || decimals.len() > DECIMALS_MAX
        {
            return Err(SchemaFault::Number);
        }
    }
    Ok(())
}

fn check_references(value: &Value, is_root: bool) -> Result<(), SchemaFault> {
    match value {
        Value::Object(members) => members.iter().try_for_each(|(name, value)| {
            let Value::String(text) = value else { return check_references(value, false) };
            let is_remote = match name.as_str() {
                name if REFERENCES.contains(&name) => !text.starts_with('#'),
                "$id" => !is_root && (text.contains(':') || text.starts_with("//")),
                "$schema" if text != DRAFT => return Err(SchemaFault::Draft),
                _ => false,
            };
            // A message need not repeat a long text.
            if is_remote { Err(SchemaFault::RemoteReference(text.chars().take(200).collect())) } else { Ok(()) }
        }),
        Value::Array(values) => values.iter().try_for_each(|value| check_references(value, false)),
        _ => Ok(()),
    }
}

fn drop_annotations(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            members.retain(|name, _| !ANNOTATIONS.contains(&name.as_str()));
            for (name, value) in members {
                match value {
                    Value::Object(named) if NAMED_SCHEMAS.contains(&name.as_str()) => {
                        named.values_mut().for_each(drop_annotations);
                    }
                    _ if DATA.contains(&name.as_str()) => {}
                    value => drop_annotations(value),
                }
            }
        }
        Value::Array(schemas) => schemas.iter_mut().for_each(drop_annotations),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(members: &str) -> String {
        canonical_of(&format!(r#"{{"$schema":"{DRAFT}"{members}}}"#))
    }

    /// Sorted, as [`canonical`] would, but without its checks.
    fn canonical_of(text: &str) -> String {
        let value: Value = serde_json::from_str(text).unwrap();
        String::from_utf8(codec::canonical(&value)).unwrap()
    }

    #[test]
    fn annotations_go_where_a_schema_stands_and_nowhere_else() {
        let kept = |text: &str| {
            let mut value: Value = serde_json::from_str(text).unwrap();
            drop_annotations(&mut value);
            String::from_utf8(codec::canonical(&value)).unwrap()
        };
        let cases = [
            (r#"{"title":"T","type":"object"}"#, r#"{"type":"object"}"#),
            (
                r#"{"$comment":"","default":{},"deprecated":true,"description":"","examples":[],"readOnly":true,"title":"","writeOnly":true}"#,
                "{}",
            ),
            (
                r#"{"properties":{"title":{"title":"T","type":"string"},"default":{"description":"d"}}}"#,
                r#"{"properties":{"default":{},"title":{"type":"string"}}}"#,
            ),
            (
                r#"{"$defs":{"examples":{"examples":[1]}},"definitions":{"title":true}}"#,
                r#"{"$defs":{"examples":{}},"definitions":{"title":true}}"#,
            ),
            (
                r#"{"patternProperties":{"description":{"description":"d"}},"dependentSchemas":{"title":{"title":"t"}}}"#,
                r#"{"dependentSchemas":{"title":{}},"patternProperties":{"description":{}}}"#,
            ),
            (
                r#"{"const":{"title":"kept"},"enum":[{"description":"kept"}]}"#,
                r#"{"const":{"title":"kept"},"enum":[{"description":"kept"}]}"#,
            ),
            (
                r#"{"dependentRequired":{"title":["description"]},"required":["title"]}"#,
                r#"{"dependentRequired":{"title":["description"]},"required":["title"]}"#,
            ),
            (
                r#"{"properties":{"properties":{"title":"x","properties":{"title":{"title":"y"}}}}}"#,
                r#"{"properties":{"properties":{"properties":{"title":{}}}}}"#,
            ),
            (
                r#"{"allOf":[{"title":"t"},{"if":{"title":"t","const":{"default":1}}}],"items":{"title":"t"}}"#,
                r#"{"allOf":[{},{"if":{"const":{"default":1}}}],"items":{}}"#,
            ),
            (r#"{"properties":{"const":{"title":"t"}}}"#, r#"{"properties":{"const":{}}}"#),
        ];
        for (text, expected) in cases {
            assert_eq!(kept(text), expected, "{text}");
        }
    }

    #[test]
    fn an_id_is_the_hash_of_what_is_left() {
        let body = with(r#","properties":{"title":{"type":"string"}},"title":"A diploma""#);
        let left = format!(r#"{{"$schema":"{DRAFT}","properties":{{"title":{{"type":"string"}}}}}}"#);
        let id = id_of(&body).unwrap();
        assert_eq!(id, SchemaId::from_bytes(sha256(&[left.as_bytes()])));
        assert_eq!(id_of(&left), Ok(id), "annotations may change, the id does not");
        let zero = SchemaId::from_bytes([0; 32]);
        assert_eq!(multibase(zero), "z11111111111111111111111111111111");
        let published: SchemaId = "be77a21356835dc09d3d8149ea832ae0a4bae0ae9c869d18219ef8f4a74b4644".parse().unwrap();
        assert_eq!(multibase(published), "zDpWGUBenmqXzurskry9Nsk6vq2R8thh9VSeoRqguoyMD");
        for id in [zero, published, id] {
            assert_eq!(crate::issuers::accreditation::parse_schema_id(&multibase(id)), Some(id));
        }
    }

    #[test]
    fn what_stands_on_its_own_passes() {
        for members in [
            "",
            r##","$defs":{"a":{"$ref":"#/$defs/b"},"b":true},"$ref":"#/$defs/a""##,
            r##","$dynamicRef":"#node","$dynamicAnchor":"node""##,
            r#","$id":"https://schemas.example/diploma""#,
            r##","$defs":{"a":{"$id":"a","$ref":"#/x","$schema":"https://json-schema.org/draft/2020-12/schema"}}"##,
            r#","properties":{"$ref":{"type":"string"},"$id":{},"$schema":{"const":1}}"#,
            r#","maximum":0.000001,"minimum":-123456789.123456,"multipleOf":0.5"#,
            r#","maximum":999999999999999,"minimum":0"#,
            r#","const":"1e400 -- 12345678901234567890 \" 1E5","title":"\\\"1e9""#,
        ] {
            let body = with(members);
            assert_eq!(check(&body), Ok(()), "{body}");
            assert_eq!(canonical(&body.replace('{', "{\n  ")), Ok(body));
        }
    }

    #[test]
    fn references_outside_are_found_wherever_they_hide() {
        for (members, reference) in [
            (r#","$ref":"https://evil.example/s""#, "https://evil.example/s"),
            (r#","$ref":"other.json""#, "other.json"),
            (r#","$ref":"""#, ""),
            (r#","$dynamicRef":"//evil.example#a""#, "//evil.example#a"),
            (r#","$recursiveRef":"x""#, "x"),
            (r#","properties":{"a":{"items":[{"$ref":"zDpW"}]}}"#, "zDpW"),
            (r##","$ref":"#/default","default":{"$ref":"http://evil.example"}"##, "http://evil.example"),
            (r#","const":[{"$ref":"urn:x"}]"#, "urn:x"),
            (r#","$defs":{"a":{"$id":"https://evil.example/"}}"#, "https://evil.example/"),
            (r#","$defs":{"a":{"$id":"//evil.example/"}}"#, "//evil.example/"),
        ] {
            assert_eq!(check(&with(members)), Err(SchemaFault::RemoteReference(reference.into())), "{members}");
        }
        let long = format!(r#","$ref":"{}""#, "x".repeat(5_000));
        let Err(SchemaFault::RemoteReference(shown)) = check(&with(&long)) else { panic!("a remote reference") };
        assert_eq!(shown.len(), 200);
    }

    #[test]
    fn bad_text_gets_its_own_fault() {
        let json = |error: CodecError| Err(SchemaFault::Json(error));
        assert_eq!(check("[]"), Err(SchemaFault::NotAnObject));
        assert_eq!(check("true"), Err(SchemaFault::NotAnObject));
        assert_eq!(check("{}"), Err(SchemaFault::Draft));
        assert_eq!(check(r#"{"$schema":"http://json-schema.org/draft-07/schema#"}"#), Err(SchemaFault::Draft));
        assert_eq!(check(r#"{"$schema":["https://json-schema.org/draft/2020-12/schema"]}"#), Err(SchemaFault::Draft));
        let inner = r#","$defs":{"a":{"$schema":"http://json-schema.org/draft-04/schema#"}}"#;
        assert_eq!(check(&with(inner)), Err(SchemaFault::Draft));
        let good = with(r#","type":"object""#);
        assert_eq!(check(&good.replace(':', ": ")), json(CodecError::NotCanonical));
        assert_eq!(check(&good.replace("}", r#","type":"object"}"#)), json(CodecError::NotCanonical));
        assert_eq!(check(&good.replace("object", "\\u006fbject")), json(CodecError::NotCanonical));
        for text in ["", "{", "nul", "{}{}", r#"{"a":"\ud800"}"#, "{\"a\":01}", "\u{feff}{}"] {
            assert!(matches!(check(text), Err(SchemaFault::Json(CodecError::Json(_)))), "{text:?}");
        }
        for number in
            ["1e5", "1E-7", "0.0000001", "1234567890123456", "12345678901234.56", "-1e400", "9007199254740993"]
        {
            let fault = check(&format!(r#"{{"$schema":"{DRAFT}","maximum":{number}}}"#));
            assert!(matches!(fault, Err(SchemaFault::Number | SchemaFault::Json(CodecError::Json(_)))), "{number}");
        }
        for number in ["1.0", "-0", "0.50"] {
            let fault = check(&format!(r#"{{"$schema":"{DRAFT}","maximum":{number}}}"#));
            assert_eq!(fault, json(CodecError::NotCanonical), "{number}");
        }
    }

    #[test]
    fn length_and_depth_are_bounded_before_anything_is_read() {
        let padded = |length: usize| with(&format!(r#","title":"{}""#, "x".repeat(length)));
        let frame = padded(0).len();
        assert_eq!(check(&padded(SCHEMA_CHARS_MAX - frame)), Ok(()));
        let long = padded(SCHEMA_CHARS_MAX - frame + 1);
        assert_eq!(check(&long), Err(SchemaFault::TooLarge(SCHEMA_CHARS_MAX + 1)));
        let wide = with(&format!(r#","title":"{}""#, "é".repeat(SCHEMA_CHARS_MAX - frame)));
        assert_eq!(check(&wide), Ok(()), "characters are counted, not bytes");
        let huge = padded(10_000_000);
        assert_eq!(check(&huge), Err(SchemaFault::TooLarge(huge.len())));
        assert_eq!(id_of(&huge), Err(SchemaFault::TooLarge(huge.len())));
        let nested = |depth: usize| with(&format!(r#","not":{}1{}"#, r#"{"not":"#.repeat(depth), "}".repeat(depth)));
        assert_eq!(check(&nested(SCHEMA_DEPTH_MAX - 1)), Ok(()));
        assert_eq!(check(&nested(SCHEMA_DEPTH_MAX - 1).replace('1', "[]")), Err(CodecError::TooDeep.into()));
        let bomb = "[".repeat(SCHEMA_CHARS_MAX);
        assert_eq!(check(&bomb), Err(CodecError::TooDeep.into()));
        assert_eq!(id_of(&bomb), Err(CodecError::TooDeep.into()));
    }
}
