//! What can go wrong in consensus, as seen by the node that runs it.

use std::path::PathBuf;

use crate::application::{AppError, Refusal};
use crate::guard::GuardError;
use crate::pool::PoolFull;

/// Why consensus did not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum ConsensusError {
    /// The configuration does not fit the ledger.
    #[error("consensus configuration: {0}")]
    Config(String),
    /// A listening address is taken or unusable.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Which address.
        address: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The guard failed: nothing is signed any more.
    #[error(transparent)]
    Guard(#[from] GuardError),
    /// The ledger failed.
    #[error(transparent)]
    App(#[from] AppError),
    /// The engine did not start.
    #[error("the consensus engine did not start: {0}")]
    EngineStart(String),
    /// The engine stopped by itself.
    #[error("the consensus engine stopped: {0}")]
    EngineStopped(String),
    /// The file of kept proofs of equivocation could not be read or mended.
    #[error("proofs of equivocation in {path}: {source}", path = path.display())]
    Equivocations {
        /// In which directory.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The engine's log could not be moved aside.
    #[error("cannot move the engine's log {path} aside: {source}", path = path.display())]
    Log {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The network decided what this node does not have or does not accept: it must not go on.
    #[error("height {height} was decided, but {reason}")]
    Decision {
        /// Which height.
        height: u64,
        /// What is missing or wrong.
        reason: String,
    },
    /// Record gossip stopped.
    #[error("record gossip stopped: {0}")]
    Gossip(String),
    /// A task of ours panicked.
    #[error("internal failure in {0}")]
    Panicked(&'static str),
}

impl ConsensusError {
    /// Whether the process should stop: every failure after the start is, since what is on disk is then unknown.
    pub fn is_fatal(&self) -> bool {
        true
    }
}

/// Why a record was not taken.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The record is wrong, or not admitted.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// There is no room; try again later.
    #[error(transparent)]
    Full(#[from] PoolFull),
    /// This node has stopped taking records.
    #[error("the node is stopping")]
    Stopped,
}
