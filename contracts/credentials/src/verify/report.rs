//! What a verification says.

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
    /// It does not apply to this credential, or an earlier failure ended the verification.
    NotChecked,
}

/// A step of a report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepReport {
    /// Which.
    pub step: StepName,
    /// How it ended.
    pub outcome: Outcome,
    /// Why; also says what was good, where there are several ways.
    pub reason: Reason,
    /// What it rests on: plain JSON, for people and machines.
    pub evidence: Value,
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
    /// What it attests. Empty after a failure of step 1 or 2: nothing of an altered credential is shown.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub subject: Map<String, Value>,
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}
