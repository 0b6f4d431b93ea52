//! The whole ledger out of a node and into another: FORMATS §14.
//!
//! [`Ledger::export`](crate::Ledger::export) writes all that this node holds at one height while it goes on working.
//! [`import`] verifies such a file against a trust file and makes a new directory of it, either from the state that the file
//! holds ([`Contents::Snapshot`]) or from the records alone, executing every block ([`Contents::Log`]).
//!
//! - INV-IMPORT-1: a directory that an import made holds what its certificates decided: every header, record, certificate,
//!   state value and tree row was verified before the directory got its name.
//! - INV-IMPORT-2: until then there is only `DIRECTORY.partial`; an import that failed leaves nothing.
//! - INV-IMPORT-3: it holds what a node would hold that had executed every block, but for certificates, which each node
//!   freezes for itself: `testamur check` finds nothing.

mod error;
mod export;
mod frames;
mod import;
mod partial;
mod state;

use testamur_primitives::hash::HeaderHash;
use testamur_primitives::units::{Height, LogSize};

pub use error::{ExportError, ImportError};
pub use import::import;
pub(crate) use partial::{InTheWay, Partial};

/// What an export holds, or which of it an import uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contents {
    /// The blocks, the newest state and its tree.
    Snapshot,
    /// The blocks alone.
    Log,
}

/// How far an export or import is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamProgress {
    /// The last height that was written or read.
    pub height: Height,
    /// The height where it ends; none while that is not known, as in an import.
    pub tip: Option<Height>,
    /// Records so far.
    pub records: LogSize,
    /// Bytes of the stream so far.
    pub bytes: u64,
}

/// What was exported or imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transferred {
    /// Height of the last block.
    pub height: Height,
    /// Hash of its header.
    pub header: HeaderHash,
    /// Records.
    pub records: LogSize,
    /// Bytes of the stream.
    pub bytes: u64,
}
