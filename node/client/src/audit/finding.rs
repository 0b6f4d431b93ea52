//! What an audit finds, and how bad it is.

use serde::{Deserialize, Serialize};
use testamur_primitives::units::{Height, UnixTime};

use crate::limits::FINDING_BYTES_MAX;

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Two certified histories: more than a third of a validator set signed both.
    Fork,
    /// A node serves something else than what was certified, or hides it: the past was changed on that node.
    Rewrite,
    /// A node shows less than it showed before.
    Shrink,
    /// A node serves a checkpoint that the validators did not sign.
    Unsigned,
    /// A certified header that does not follow the one before it by the rules: a quorum signed what it must not.
    Unlawful,
    /// A node is of another network.
    OtherNetwork,
    /// The ledger makes no blocks.
    Stall,
    /// A node is far behind the others, or is held back from them.
    Behind,
    /// A node gives no usable answer.
    Unavailable,
}

impl Kind {
    /// All of them, worst first.
    pub const ALL: [Self; 9] = [
        Self::Fork,
        Self::Rewrite,
        Self::Shrink,
        Self::Unsigned,
        Self::Unlawful,
        Self::OtherNetwork,
        Self::Stall,
        Self::Behind,
        Self::Unavailable,
    ];

    /// Stable slug.
    pub fn code(self) -> &'static str {
        match self {
            Self::Fork => "audit.fork",
            Self::Rewrite => "audit.rewrite",
            Self::Shrink => "audit.shrink",
            Self::Unsigned => "audit.unsigned",
            Self::Unlawful => "audit.unlawful",
            Self::OtherNetwork => "audit.other-network",
            Self::Stall => "audit.stall",
            Self::Behind => "audit.behind",
            Self::Unavailable => "audit.unavailable",
        }
    }

    /// Whether somebody broke the ledger's promise, or a node lies; the others are about service.
    pub fn is_alarm(self) -> bool {
        matches!(self, Self::Fork | Self::Rewrite | Self::Shrink | Self::Unsigned | Self::Unlawful | Self::OtherNetwork)
    }

    /// What to do about it.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Fork => {
                "believe no receipt of this height or later; show the evidence to every operator and to whoever relies on \
                 the ledger: it names who signed twice"
            }
            Self::Rewrite => {
                "do not rely on this node; its operator runs `testamur check` on it, and keeps the directory as evidence"
            }
            Self::Shrink => {
                "ask its operator whether the node lost its disk or was restored from a backup; if not, it hides blocks"
            }
            Self::Unsigned => "do not rely on this node, and tell its operator: what it serves was never decided",
            Self::Unlawful => "show the evidence to every operator: the validators run a release that breaks the rules",
            Self::OtherNetwork => "check --nodes and --trust",
            Self::Stall => "call the operators of the validators named; nothing is lost, and nothing new becomes final",
            Self::Behind => "its operator looks at /readyz and its log; ask another node meanwhile",
            Self::Unavailable => "check the address, the line, and with its operator whether the node runs",
        }
    }
}

/// One finding. It stands for as long as polls find it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// What.
    pub kind: Kind,
    /// At which node; empty where it is about the whole network.
    pub server: String,
    /// Where in the ledger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<Height>,
    /// What was seen, for people; bounded, since nodes' words are in it.
    pub what: String,
    /// File with what shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    /// When it was found first, by the auditor's clock.
    pub since: UnixTime,
}

impl Finding {
    /// A finding of now; its words are cut to their bound.
    pub fn new(kind: Kind, server: &str, height: Option<Height>, what: impl Into<String>) -> Self {
        let mut what = what.into();
        if what.len() > FINDING_BYTES_MAX {
            let end = (0..=FINDING_BYTES_MAX).rev().find(|at| what.is_char_boundary(*at)).unwrap_or(0);
            what.truncate(end);
        }
        Self { kind, server: server.to_owned(), height, what, evidence: None, since: UnixTime(0) }
    }

    /// Whether two are one and the same that goes on.
    pub fn is_same(&self, other: &Self) -> bool {
        self.kind == other.kind && self.server == other.server
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_the_names_and_words_are_bounded() {
        for kind in Kind::ALL {
            let name = serde_json::to_value(kind).expect("JSON");
            assert_eq!(format!("audit.{}", name.as_str().expect("a name")), kind.code());
            assert!(!kind.remedy().is_empty());
        }
        let long = Finding::new(Kind::Fork, "x", None, "é".repeat(FINDING_BYTES_MAX));
        assert!(long.what.len() <= FINDING_BYTES_MAX && long.what.len() > FINDING_BYTES_MAX - 2);
    }
}
