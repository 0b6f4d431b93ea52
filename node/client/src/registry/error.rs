//! Why a read of a registry has no answer that holds.

use core::fmt;
use std::sync::Arc;

use testamur_primitives::state::StateKey;
use testamur_primitives::state::evidence::EvidenceError;
use testamur_primitives::units::Height;

use crate::error::ClientError;

/// Why one node's answer was passed over.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// No answer, a refusal, or something that is none.
    #[error("{0}")]
    Client(ClientError),
    /// Its proof does not hold, is of another network, or of too old a state.
    #[error("{server}: {error}")]
    Evidence {
        /// Which node.
        server: String,
        /// What is wrong.
        error: EvidenceError,
    },
    /// It left out what it was asked for.
    #[error("{server} was asked about {key} and proves nothing about it")]
    Omitted {
        /// Which node.
        server: String,
        /// What it left out.
        key: StateKey,
    },
    /// It answers with a state from before one that this client has seen proven.
    #[error(
        "{server} answers with the state of block {height}, though block {seen} is known: it is behind, or hides what came since"
    )]
    Behind {
        /// Which node.
        server: String,
        /// The block of its answer.
        height: Height,
        /// What is known.
        seen: Height,
    },
    /// A proven value is not one that this version can read.
    #[error("{server}: {reason}: is this program older than the network's rules?")]
    Unreadable {
        /// Which node.
        server: String,
        /// Where and what.
        reason: String,
    },
    /// The ledger moved on each time while the read's keys were gathered.
    #[error("{server}: the ledger moved on while it was read; try again")]
    Moving {
        /// Which node.
        server: String,
    },
    /// The read needs more keys than an evidence holds.
    #[error("{server}: the answer rests on more than {most} state keys")]
    TooMany {
        /// Which node.
        server: String,
        /// What is accepted.
        most: usize,
    },
    /// The bytes it gave for a status list have another digest than the ledger names.
    #[error("{server} gave other bytes for the status list than the ledger names")]
    Attachment {
        /// Which node.
        server: String,
    },
    /// It does not hold the status list's bytes.
    #[error("{server} does not hold the status list's bytes")]
    NoAttachment {
        /// Which node.
        server: String,
    },
}

impl Fault {
    /// Stable slug.
    pub fn code(&self) -> &str {
        match self {
            Self::Client(error) => error.code(),
            Self::Evidence { error, .. } => error.code(),
            Self::Omitted { .. } => "registry.omitted",
            Self::Behind { .. } => "registry.behind",
            Self::Unreadable { .. } => "registry.unreadable",
            Self::Moving { .. } => "registry.moving",
            Self::TooMany { .. } => "registry.too-many-keys",
            Self::Attachment { .. } => "registry.attachment",
            Self::NoAttachment { .. } => "registry.no-attachment",
        }
    }

    /// Whether the node answered, and what it answered cannot be honest and up to date.
    pub fn is_suspect(&self) -> bool {
        matches!(self, Self::Evidence { .. } | Self::Omitted { .. } | Self::Behind { .. } | Self::Attachment { .. })
    }
}

/// No node gave an answer that holds: why not, node by node.
#[derive(Debug, Clone)]
pub struct RegistryError(pub Vec<Arc<Fault>>);

impl RegistryError {
    /// Stable slug: that of the worst fault.
    pub fn code(&self) -> &str {
        self.worst().map_or("registry.no-node", Fault::code)
    }

    /// The fault that says most: a dishonest answer before none at all.
    pub fn worst(&self) -> Option<&Fault> {
        self.0.iter().find(|fault| fault.is_suspect()).or(self.0.first()).map(Arc::as_ref)
    }

    /// Whether the process must stop: never, a client holds no state that a failure could spoil.
    pub fn is_fatal(&self) -> bool {
        false
    }
}

impl fmt::Display for RegistryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<_> = self.0.iter().map(|fault| fault.to_string()).collect();
        write!(f, "no node gave an answer that holds: {}", texts.join("; "))
    }
}

impl core::error::Error for RegistryError {}
