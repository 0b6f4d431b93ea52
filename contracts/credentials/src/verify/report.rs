//! What a verification says.

use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use testamur_primitives::units::UnixTime;

use super::Reason;
use crate::credential::Format;

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Every step passed, or did not apply.
    Valid,
    /// A step failed.
    NotValid,
    /// No step failed, and one could not be decided.
    CannotTell,
}

/// The steps, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepName {
    /// 1: readable and complete.
    Readable,
    /// 2: not altered.
    Signature,
    /// 3: who issued it.
    Issuer,
    /// 4: allowed to award this.
    Accreditation,
    /// 5: not withdrawn.
    Status,
    /// 6: anchored on the ledger.
    Anchor,
    /// 7: dates.
    Dates,
    /// 8: who holds it.
    Holder,
}

impl StepName {
    /// All, in order.
    pub const ALL: [Self; 8] = [
        Self::Readable,
        Self::Signature,
        Self::Issuer,
        Self::Accreditation,
        Self::Status,
        Self::Anchor,
        Self::Dates,
        Self::Holder,
    ];

    /// Its number, from 1.
    pub fn number(self) -> usize {
        self as usize + 1
    }
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Looked at, and good.
    Passed,
    /// Looked at, and wrong.
    Failed,
    /// What is needed to decide it is missing.
    Unknown,
    /// An earlier failure ended the verification.
    NotChecked,
}

/// A step of a report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepReport {
    /// Which.
    pub step: StepName,
    /// How it ended.
    pub outcome: Outcome,
    /// Why; also says what was good, where there are several ways. Of a step that was not looked at: the reason that ended the
    /// verification.
    pub reason: Reason,
    /// What it rests on: plain JSON, for people and machines. Thousands of reports may share it.
    #[serde(serialize_with = "shared")]
    pub evidence: Arc<Value>,
}

/// What a verification says of a credential.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Format version: 1.
    pub v: u8,
    /// The answer.
    pub verdict: Verdict,
    /// The reason that decides it: of the first step that failed, else of the first that could not be decided, else `valid`.
    pub reason: Reason,
    /// The time the answer is about.
    pub at: UnixTime,
    /// As of when the ledger's state is proven; none without proof.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<UnixTime>,
    /// The credential's format, if it could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// All eight steps, in order.
    pub steps: Vec<StepReport>,
    /// What it attests. Empty unless the signature was checked and is good: nothing is shown of what anybody may have written.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub subject: Map<String, Value>,
}

impl Report {
    /// The report of eight steps that were looked at. `about`: the time that the answer is about, `as_of`: that of the state.
    pub(super) fn conclude(steps: Vec<StepReport>, about: UnixTime, as_of: Option<UnixTime>) -> Self {
        let (verdict, reason) = verdict(&steps);
        Self { v: 1, verdict, reason, at: about, as_of, format: None, steps, subject: Map::new() }
    }

    /// A step of it.
    pub fn step(&self, name: StepName) -> &StepReport {
        &self.steps[name.number() - 1]
    }
}

/// The answer that eight steps make, and the reason that decides it.
///
/// # Panics
/// When the steps are not the eight, in order.
pub fn verdict(steps: &[StepReport]) -> (Verdict, Reason) {
    assert!(steps.iter().map(|step| step.step).eq(StepName::ALL), "a report has all eight steps, in order");
    let first = |outcome| steps.iter().find(|step| step.outcome == outcome);
    if let Some(failed) = first(Outcome::Failed) {
        return (Verdict::NotValid, failed.reason);
    }
    if let Some(unknown) = first(Outcome::Unknown).or(first(Outcome::NotChecked)) {
        // Without the issuer's key nothing can be said of the signature: why there is none is the issuer's step to say.
        let issuer = &steps[StepName::Issuer.number() - 1];
        let says_why = unknown.reason == Reason::SignatureNoProof && issuer.outcome == Outcome::Unknown;
        return (Verdict::CannotTell, if says_why { issuer.reason } else { unknown.reason });
    }
    // INV-VERIFY-1: valid only if every step was looked at and passed.
    assert!(steps.iter().all(|step| step.outcome == Outcome::Passed), "INV-VERIFY-1");
    (Verdict::Valid, Reason::Valid)
}

fn shared<S: Serializer>(value: &Arc<Value>, serializer: S) -> Result<S::Ok, S::Error> {
    value.as_ref().serialize(serializer)
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}
