//! Why an export or an import ended.

use std::path::PathBuf;

use testamur_primitives::hash::GenesisHash;
use testamur_primitives::stream::StreamError;
use testamur_primitives::units::Height;

use crate::error::StoreError;

/// Why an export failed. What was written so far is of no use: it has no end.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// This node's store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The destination did not take it.
    #[error("the export cannot be written: {0}")]
    Write(#[from] std::io::Error),
}

impl ExportError {
    /// Whether the node must stop: a destination that is full or gone is no reason.
    pub fn is_fatal(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_fatal())
    }
}

/// Why an import failed. Nothing is left of it.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file is cut, changed or no ledger stream.
    #[error("the ledger file cannot be used: {0}; get it again")]
    Stream(#[from] StreamError),
    /// The file cannot be read.
    #[error("the ledger file cannot be read: {0}")]
    Read(std::io::Error),
    /// It is of another network than the trust file.
    #[error("the ledger file is of network {found}, the trust file of {expected}: one of the two is not the right one")]
    OtherNetwork {
        /// In the file.
        found: GenesisHash,
        /// In the trust file.
        expected: GenesisHash,
    },
    /// It begins at a later height.
    #[error("the ledger file begins at height {0}: an import needs all blocks from height 1 on")]
    NotFromTheStart(Height),
    /// A frame is not what the ledger makes.
    #[error("frame {frame} of the ledger file, height {height}: {what}; do not use this file, and tell who made it")]
    Frame {
        /// Number of the frame.
        frame: u64,
        /// The height that it is of, or the last one.
        height: Height,
        /// What is wrong.
        what: String,
    },
    /// A certificate is not its height's.
    #[error("height {height}: {what}; do not use this file, and tell who made it")]
    Certificate {
        /// The height.
        height: Height,
        /// What is wrong.
        what: String,
    },
    /// The trust file pins another header.
    #[error(
        "height {0} of the ledger file is not the one that the trust file pins: the file is forged, or the trust file is; \
         ask the network's operators"
    )]
    Contradiction(Height),
    /// The file ends before the pinned height.
    #[error("the ledger file ends at height {tip}, before height {pinned} that the trust file pins: get a newer one")]
    TooOld {
        /// Its last height.
        tip: Height,
        /// The pinned one.
        pinned: Height,
    },
    /// A snapshot was asked for and the file holds blocks only.
    #[error("the ledger file holds blocks and no state: import it from the log alone")]
    NoState,
    /// The directory has something in it.
    #[error("{} is not empty: an import makes a new directory", .0.display())]
    NotEmpty(PathBuf),
    /// Something else lies where the import works.
    #[error("{} lies where the import works and was not made by one: move it away", .0.display())]
    InTheWay(PathBuf),
    /// The disk is full.
    #[error("the disk under {} is full; what was imported so far is deleted", .0.display())]
    DiskFull(PathBuf),
    /// The new store failed.
    #[error(transparent)]
    Store(StoreError),
}

impl ImportError {
    /// Whether a node must stop: never, an import is no running node's.
    pub fn is_fatal(&self) -> bool {
        false
    }

    pub(crate) fn frame(frame: u64, height: Height, what: impl Into<String>) -> Self {
        Self::Frame { frame, height, what: what.into() }
    }
}

impl From<StoreError> for ImportError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
