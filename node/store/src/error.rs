//! What can go wrong, in two classes: fatal (what is on disk is unknown or wrong: stop) and not.

use std::path::PathBuf;

use testamur_primitives::checkpoint::CertificateError;
use testamur_primitives::hash::{HeaderHash, RecordId};
use testamur_primitives::merkle::MerkleError;
use testamur_primitives::units::Height;
use testamur_registry::{Rejection, UnknownProtocol};

/// Why an operation of the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// RocksDB refused or failed.
    #[error("database: {operation}: {source}")]
    Database {
        /// What was being done.
        operation: &'static str,
        /// What RocksDB says.
        source: rocksdb::Error,
    },
    /// The file system failed.
    #[error("{operation} {}: {source}", path.display())]
    Io {
        /// What was being done.
        operation: &'static str,
        /// To which file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Stored bytes are not what was written.
    #[error("damage in {place}: {what}")]
    Damaged {
        /// Column and key.
        place: String,
        /// What is wrong there.
        what: String,
    },
    /// A fatal error came before.
    #[error("the store is closed after an earlier failure: {reason}")]
    Closed {
        /// The earlier failure.
        reason: String,
    },
    /// Another block is final at this height: this must never be.
    #[error(
        "height {height} is final as {stored} and a certificate names {given}: a fork, keep all data and tell the network's operators"
    )]
    Fork {
        /// The height.
        height: Height,
        /// The header that is stored.
        stored: HeaderHash,
        /// The header that the certificate names.
        given: HeaderHash,
    },
    /// A power cut left zeros in a last write that was never acknowledged, and the directory may only be read.
    #[error("the last write of {log} was cut off before it was on disk: start the node once, which drops it")]
    TornWrite {
        /// The log.
        log: String,
    },
    /// Another process uses the directory.
    #[error("{} is in use by another process", path.display())]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// The directory belongs to another network or node, or to no node at all.
    #[error("{} is not this node's data directory: {what}", path.display())]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// What does not match.
        what: String,
    },
    /// The next height runs rules that this binary does not hold.
    #[error("{0}")]
    UnknownProtocol(#[from] UnknownProtocol),
    /// The block does not follow the tip.
    #[error("the block is of height {found}, the next is {expected}")]
    NotNext {
        /// The height after the tip.
        expected: Height,
        /// The block's height.
        found: Height,
    },
    /// The block was prepared on another parent than the tip.
    #[error("the block was prepared on another parent than the tip")]
    OtherParent,
    /// The certificate does not certify the block.
    #[error("the certificate is refused: {0}")]
    Certificate(CertificateError),
    /// The log signature is not this network's or does not verify.
    #[error("the log signature is refused")]
    LogSignature,
    /// More undecided blocks for one height than allowed.
    #[error("height {0} already has as many undecided blocks as one height may have")]
    TooManyUndecided(Height),
    /// A size, index or height beyond what is stored.
    #[error("an index, size or height is out of range")]
    OutOfRange,
}

impl StoreError {
    /// Whether the node must stop: after this nothing of the store can be relied on.
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::Database { .. }
            | Self::Io { .. }
            | Self::Damaged { .. }
            | Self::Closed { .. }
            | Self::Fork { .. }
            | Self::UnknownProtocol(_) => true,
            Self::Locked { .. }
            | Self::TornWrite { .. }
            | Self::Foreign { .. }
            | Self::NotNext { .. }
            | Self::OtherParent
            | Self::Certificate(_)
            | Self::LogSignature
            | Self::TooManyUndecided(_)
            | Self::OutOfRange => false,
        }
    }

    /// Whether the disk has no more room.
    pub fn is_disk_full(&self) -> bool {
        match self {
            Self::Io { source, .. } => source.kind() == std::io::ErrorKind::StorageFull,
            // RocksDB passes the system's words on.
            Self::Database { source, .. } => source.to_string().contains("No space left on device"),
            _ => false,
        }
    }

    pub(crate) fn damaged(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self::Damaged { place: place.into(), what: what.into() }
    }

    /// RocksDB's own word for damage becomes ours; the rest is a failure of the database.
    pub(crate) fn database(operation: &'static str, source: rocksdb::Error) -> Self {
        if source.kind() == rocksdb::ErrorKind::Corruption {
            return Self::damaged(operation, source.to_string());
        }
        Self::Database { operation, source }
    }
}

impl From<MerkleError> for StoreError {
    fn from(error: MerkleError) -> Self {
        match error {
            MerkleError::OutOfRange => Self::OutOfRange,
            MerkleError::Missing { .. } | MerkleError::Length | MerkleError::Root => {
                Self::damaged("tree nodes", error.to_string())
            }
        }
    }
}

/// Why a block is not the next one. Every honest node says the same of the same block on the same tip: no clock, no
/// disk and no configuration decides here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBlock {
    /// Not the next height.
    #[error("the block is of height {found}, the next is {expected}")]
    NotNext {
        /// The height after the tip.
        expected: Height,
        /// The block's height.
        found: Height,
    },
    /// A member of the header differs from what the block's records and the tip make.
    #[error("the header's {0} is not what this block makes")]
    Header(&'static str),
    /// Larger than the network's parameters allow.
    #[error("the block has {bytes} bytes, at most {bytes_max} are allowed")]
    TooLarge {
        /// Bytes of its encoding.
        bytes: usize,
        /// The network's limit.
        bytes_max: usize,
    },
    /// A record may not enter the ledger here.
    #[error("record {index} of the block ({id}): {rejection}")]
    Record {
        /// Place in the block.
        index: usize,
        /// The record.
        id: RecordId,
        /// Why not.
        rejection: Box<Rejection>,
    },
}
