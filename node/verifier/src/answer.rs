//! What is said of a file, and of the nodes that were asked about it.

use serde::Serialize;
use testamur_client::registry::Fault;
use testamur_paper::check::Answer;

/// The answer to one file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Checked {
    /// Verdict and reports.
    #[serde(flatten)]
    pub answer: Answer,
    /// Nodes that were asked and passed over, and why: one that lies is told from one that is away.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<NodeFault>,
}

/// Why a node's answer was not used.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct NodeFault {
    /// Stable slug.
    pub code: String,
    /// Whether it answered, and what it answered cannot be honest and up to date; otherwise it gave no answer.
    pub suspect: bool,
    /// In words.
    pub message: String,
}

impl From<&Fault> for NodeFault {
    fn from(fault: &Fault) -> Self {
        Self { code: fault.code().to_owned(), suspect: fault.is_suspect(), message: fault.to_string() }
    }
}
