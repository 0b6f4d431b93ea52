//! What goes over the wire: bodies of requests, and answers.

use serde::Serialize;
use serde_json::{Map, Value, json};
use testamur_registrar::changes::{Action, ChangeError, ChangeFile};
use testamur_registrar::store::{Award, DiplomaKey};
use testamur_registrar::{Office, OfficeError, format_name};

use super::problem::{of_change, problem};
use super::{Desk, RowsKind};
use crate::limits::ROWS_MAX;
use crate::problem::GatewayProblem;

/// A change as callers write it.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeBody {
    r#do: String,
    reason: Option<String>,
    diplomas: Option<Vec<String>>,
    rows: Option<Value>,
}

impl ChangeBody {
    /// The action that it asks for.
    pub(super) fn action(self, desk: &Desk) -> Result<Action, GatewayProblem> {
        let malformed = |detail: String| problem("change.malformed", format!("{detail}; nothing was proposed"));
        if self.r#do == "correct" {
            let rows = match (self.rows, self.reason, self.diplomas) {
                (Some(rows), None, None) => rows,
                _ => return Err(malformed("a correction has `rows`, and neither `reason` nor `diplomas`".into())),
            };
            let rows = serde_json::to_vec(&rows).expect("a JSON value is JSON");
            let drafts = desk.drafts(RowsKind::Json, &rows)?;
            let (corrections, _) = desk.office.corrections_of(drafts).map_err(|error| of_change(&error))?;
            return Ok(Action::Correct { corrections });
        }
        let (Some(reason), Some(names), None) = (self.reason, self.diplomas, self.rows) else {
            return Err(malformed(
                "`do` is correct (with `rows`), or revoke, suspend or reinstate (with `reason` and `diplomas`)".into(),
            ));
        };
        let diplomas = desk.office.diplomas_named(&names).map_err(|error| of_change(&error))?;
        match self.r#do.as_str() {
            "revoke" => Ok(Action::Revoke { reason: reason.parse().map_err(malformed)?, diplomas }),
            "suspend" => Ok(Action::Suspend { reason: reason.parse().map_err(malformed)?, diplomas }),
            "reinstate" => Ok(Action::Reinstate { reason: reason.parse().map_err(malformed)?, diplomas }),
            _ => Err(malformed("`do` is correct, revoke, suspend or reinstate".into())),
        }
    }
}

impl Desk {
    /// Rows as drafts.
    pub(super) fn drafts(
        &self,
        kind: RowsKind,
        bytes: &[u8],
    ) -> Result<Vec<testamur_registrar::store::Draft>, GatewayProblem> {
        let drafts = (self.read_rows)(kind, bytes)
            .map_err(|faults| problem("diplomas.rows", format!("{faults}; nothing was issued")))?;
        if drafts.is_empty() {
            return Err(problem("diplomas.rows", "there is no row; nothing was issued"));
        }
        if drafts.len() > ROWS_MAX {
            return Err(problem("diplomas.too-many", format!("one request takes {ROWS_MAX} rows; nothing was issued")));
        }
        Ok(drafts)
    }

    /// The award that a path names.
    pub(super) fn award(&self, name: &str) -> Result<Award, GatewayProblem> {
        let mut found = self.office.store().find(name).map_err(|error| of_change(&error.into()))?;
        match (found.pop(), found.is_empty()) {
            (Some(award), true) => Ok(award),
            (Some(_), false) => Err(of_change(&ChangeError::AmbiguousAward("the id".into()))),
            (None, _) => Err(problem("diploma.unknown", "nothing was issued here under this id")),
        }
    }

    /// One line of what was issued.
    pub(super) fn line(&self, diploma: &DiplomaKey) -> Result<Value, GatewayProblem> {
        let award = self.office.store().award(&diploma.award).map_err(|error| of_change(&error.into()))?;
        let award = award.ok_or_else(|| problem("diploma.unknown", "the award is gone"))?;
        Ok(summary(&award))
    }
}

/// How an award's newest diploma stands.
pub(super) fn summary(award: &Award) -> Value {
    let current = award.current();
    json!({
        "id": award.key.to_string(),
        "award": { "registrar": award.id.registrar, "award": award.id.award },
        "edition": current.edition,
        "state": current.state.name(),
        "issued": current.issued,
        "href": format!("/v1/diplomas/{}", award.key),
    })
}

/// An award with all that it is handed out as.
pub(super) fn whole(office: &Office, award: &Award) -> Result<Value, OfficeError> {
    let mut answer = summary(award);
    let current = award.current();
    let key = award.diploma(current.edition);
    let mut credentials = Map::new();
    for format in current.copies.keys() {
        if let Some(text) = office.store().text(&key, *format)? {
            credentials.insert(format_name(*format).to_owned(), Value::from(text));
        }
    }
    answer["credentials"] = Value::Object(credentials);
    answer["print"] = Value::from(current.print);
    answer["editions"] = award
        .diplomas
        .iter()
        .map(|diploma| json!({ "edition": diploma.edition, "state": diploma.state.name(), "issued": diploma.issued }))
        .collect();
    Ok(answer)
}

#[derive(Serialize)]
struct ChangeAnswer {
    id: String,
    href: String,
    r#do: &'static str,
    reason: Option<&'static str>,
    stage: &'static str,
    proposed: u64,
    expires: u64,
    proposer: String,
    approver: Option<String>,
    diplomas: Vec<Value>,
    answers: Vec<Value>,
}

/// A change: of corrections the fields that differ, without what they say.
pub(super) fn change(office: &Office, file: &ChangeFile) -> Result<Value, ChangeError> {
    let previews = office.preview_change(&file.change)?;
    let keys = file.change.action.diplomas();
    let diplomas = keys.iter().zip(previews).map(|(key, preview)| {
        let fields: Vec<_> = preview.differences.into_iter().map(|difference| difference.field).collect();
        json!({
            "id": key.award.to_string(), "award": { "registrar": preview.award.registrar, "award": preview.award.award },
            "edition": preview.edition, "state": preview.state, "fields": fields,
        })
    });
    let answers = file.answers.iter().map(|answer| {
        json!({
            "id": answer.diploma.award.to_string(), "edition": answer.diploma.edition,
            "format": format_name(answer.format), "verdict": answer.verdict, "reason": answer.reason,
        })
    });
    let answer = ChangeAnswer {
        id: file.id.to_string(),
        href: format!("/v1/diplomas/changes/{}", file.id),
        r#do: file.change.action.name(),
        reason: file.change.action.reason(),
        stage: file.stage.name(),
        proposed: file.change.proposed.0,
        expires: file.change.expires.0,
        proposer: file.proposal.person.to_string(),
        approver: file.approval.as_ref().map(|approval| approval.person.to_string()),
        diplomas: diplomas.collect(),
        answers: answers.collect(),
    };
    Ok(serde_json::to_value(answer).expect("strings and numbers serialise"))
}
