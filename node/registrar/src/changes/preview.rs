//! What a correction changes, field by field: for the eyes of those who propose and approve it, never for a log.

use serde::Serialize;
use serde_json::{Map, Value};

use super::{Action, Change, ChangeError, Correction};
use crate::office::Office;
use crate::store::{AwardId, DiplomaKey, Draft};

/// A field that changes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// Which: members of members with a point between.
    pub field: String,
    /// What it says now; nothing when it is new.
    pub before: Option<Value>,
    /// What it will say; nothing when it goes.
    pub after: Option<Value>,
}

/// A diploma that changes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Preview {
    /// The award, in the university's books.
    pub award: AwardId,
    /// Which of its diplomas.
    pub edition: u32,
    /// How it stands now.
    pub state: &'static str,
    /// What changes; empty for withdrawals, which change no field.
    pub differences: Vec<Difference>,
}

impl Office {
    /// What a change would do, diploma by diploma, in order.
    pub fn preview_change(&self, change: &Change) -> Result<Vec<Preview>, ChangeError> {
        let one = |diploma: &DiplomaKey, draft: Option<&Draft>| {
            let award = self.award_of(diploma)?;
            let edition = award.edition(diploma.edition).ok_or_else(|| ChangeError::NotIssued(award.id.to_string()))?;
            let before = self.store.content(diploma)?;
            let differences = draft.map_or_else(Vec::new, |after| differences(before.as_ref(), after));
            Ok(Preview { edition: edition.edition, state: edition.state.name(), award: award.id, differences })
        };
        match &change.action {
            Action::Correct { corrections } => {
                corrections.iter().map(|Correction { diploma, draft }| one(diploma, Some(draft))).collect()
            }
            action => action.diplomas().iter().map(|diploma| one(diploma, None)).collect(),
        }
    }
}

/// The fields in which two drafts differ, in the order of their names.
pub fn differences(before: Option<&Draft>, after: &Draft) -> Vec<Difference> {
    let mut found = Vec::new();
    let empty = Map::new();
    compare("", before.map_or(&empty, |draft| &draft.content), &after.content, &mut found);
    let mut other = |field: &str, before: Option<Value>, after: Option<Value>| {
        if before != after {
            found.push(Difference { field: field.to_owned(), before, after });
        }
    };
    let types = |draft: &Draft| Value::from(draft.types.iter().cloned().collect::<Vec<_>>());
    other("(types)", before.map(types), Some(types(after)));
    let schema = |draft: &Draft| Value::from(draft.schema.to_string());
    other("(schema)", before.map(schema), Some(schema(after)));
    let holder = |draft: &Draft| draft.holder.as_ref().map(|did| Value::from(did.to_string()));
    other("(holder)", before.and_then(holder), holder(after));
    let until = |draft: &Draft| draft.valid_until.map(|time| Value::from(time.0));
    other("(valid until)", before.and_then(until), until(after));
    let page = |draft: &Draft| serde_json::to_value(&draft.page).ok();
    other("(page)", before.and_then(page), page(after));
    found
}

fn compare(path: &str, before: &Map<String, Value>, after: &Map<String, Value>, found: &mut Vec<Difference>) {
    let names: std::collections::BTreeSet<_> = before.keys().chain(after.keys()).collect();
    for name in names {
        let field = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match (before.get(name), after.get(name)) {
            (Some(before), Some(after)) if before == after => {}
            (Some(Value::Object(before)), Some(Value::Object(after))) => compare(&field, before, after, found),
            (before, after) => found.push(Difference { field, before: before.cloned(), after: after.cloned() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn draft(content: Value) -> Draft {
        let Value::Object(content) = content else { panic!("an object") };
        Draft {
            award: AwardId::new("M1", "A1").unwrap(),
            content,
            types: ["UniversityDegree".to_owned()].into(),
            schema: testamur_primitives::hash::SchemaId::ZERO,
            holder: None,
            valid_until: None,
            stem: "M1-A1".into(),
            page: Default::default(),
        }
    }

    #[test]
    fn every_changed_field_is_told_and_no_other() {
        let before =
            draft(json!({"familyName": "Müller", "ects": "180", "grade": {"value": "1.3", "scale": []}, "a": [1]}));
        let mut after =
            draft(json!({"familyName": "Meyer", "grade": {"value": "1.0", "scale": []}, "a": [1], "new": "x"}));
        after.types.insert("EqfLevel6".into());
        let found = differences(Some(&before), &after);
        let told: Vec<_> = found.iter().map(|d| (d.field.as_str(), d.before.is_some(), d.after.is_some())).collect();
        assert_eq!(
            told,
            [
                ("ects", true, false),
                ("familyName", true, true),
                ("grade.value", true, true),
                ("new", false, true),
                ("(types)", true, true),
            ]
        );
        assert_eq!(found[1].after, Some(json!("Meyer")));
        assert!(differences(Some(&before), &before).is_empty());
    }
}
