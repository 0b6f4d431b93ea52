//! What can go wrong with many documents at once.

use std::path::{Path, PathBuf};

use crate::batch::BatchError;

/// What is wrong with a container's bytes. Closed: a reader says one of these, or gives what was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It does not begin like one.
    #[error("this is no receipt container")]
    NotAContainer,
    /// A version that this program does not read.
    #[error("it is of version {0}, which this program does not read: use a newer one")]
    UnknownVersion(u16),
    /// It ends too early.
    #[error("it is cut off: the part at byte {0} is not all there")]
    Truncated(u64),
    /// A part's checksum is another.
    #[error("it is damaged: the part at byte {0} does not have its checksum")]
    Damaged(u64),
    /// A part whose bytes are not of the format, although its checksum is right.
    #[error("the part at byte {offset} is not of the format: {what}")]
    Malformed {
        /// Where it begins.
        offset: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// The run that makes it has not ended.
    #[error("it is not finished: the run that makes it has to go on first")]
    Unfinished,
    /// Parts that do not belong together: chunks and index, or index and record.
    #[error("its parts do not belong together: {0}")]
    Disagree(&'static str),
}

impl Fault {
    /// Stable slug.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotAContainer => "container.not-a-container",
            Self::UnknownVersion(_) => "container.unknown-version",
            Self::Truncated(_) => "container.truncated",
            Self::Damaged(_) => "container.damaged",
            Self::Malformed { .. } => "container.malformed",
            Self::Unfinished => "container.unfinished",
            Self::Disagree(_) => "container.disagree",
        }
    }
}

/// Why a run over many documents ended, or a container could not be used.
#[derive(Debug, thiserror::Error)]
pub enum BulkError {
    /// The operating system failed.
    #[error("{operation} {path} failed: {source}", path = path.display())]
    Io {
        /// What was done, as in "writing".
        operation: &'static str,
        /// To which file.
        path: PathBuf,
        /// The operating system's words.
        source: std::io::Error,
    },
    /// The container's bytes.
    #[error("{path}: {fault}", path = path.display())]
    Container {
        /// Which one.
        path: PathBuf,
        /// What is wrong with it.
        fault: Fault,
    },
    /// A finished container has that name already.
    #[error("{path} is there already, and nothing is overwritten", path = .0.display())]
    Exists(PathBuf),
    /// Another process writes it.
    #[error("{path} is being written by another process", path = .0.display())]
    Busy(PathBuf),
    /// What is there was begun with other options.
    #[error("{path} was begun with other options (exclusions, links, algorithm, form)", path = .0.display())]
    OtherSettings(PathBuf),
    /// The writer is past this step, or not there yet.
    #[error("the container is {0}")]
    Stage(&'static str),
    /// No document, or no random bytes.
    #[error("{0}")]
    Batch(#[from] BatchError),
    /// More than one record holds.
    #[error("one record holds at most 4,294,967,296 documents")]
    TooMany,
    /// A name longer than a container holds.
    #[error("a name has {0} bytes, at most 4096 are kept")]
    NameLength(usize),
    /// A digest that is not of its algorithm's length.
    #[error("a digest has not its algorithm's length")]
    DigestLength,
    /// A pattern of `--exclude` that is none.
    #[error("{pattern:?} is no pattern for file names: {reason}")]
    Pattern {
        /// As given.
        pattern: String,
        /// What is wrong.
        reason: String,
    },
    /// A container of a list, where one of a folder is needed.
    #[error("{path} is no container of a folder: it was made from a list", path = .0.display())]
    NotAFolder(PathBuf),
    /// A document of a container of plain digests cannot be erased.
    #[error("its documents are plain digests, which hide nothing: to erase one there makes nothing unknown")]
    Plain,
    /// The record in hand is not over what the container holds.
    #[error("the record is not over this container's documents")]
    OtherRecord,
    /// Lines of a list that cannot be read; nothing is notarised.
    #[error("{} of its lines cannot be read, the first one in {}", .0.len(), .0.first().map_or_else(String::new, ToString::to_string))]
    Rows(Vec<RowFault>),
}

/// A line of a list that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("row {row}, column {column}: {reason}")]
pub struct RowFault {
    /// Line of the file, from 1; the heading counts.
    pub row: u64,
    /// Byte of the line, from 1, at which the fault begins.
    pub column: usize,
    /// What is wrong there.
    pub reason: String,
}

impl BulkError {
    /// Stable slug.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "bulk.file",
            Self::Container { fault, .. } => fault.code(),
            Self::Exists(_) => "bulk.exists",
            Self::Busy(_) => "bulk.busy",
            Self::OtherSettings(_) => "bulk.other-settings",
            Self::Stage(_) => "bulk.stage",
            Self::Batch(_) => "bulk.batch",
            Self::TooMany => "bulk.too-many",
            Self::NameLength(_) => "bulk.name-length",
            Self::DigestLength => "bulk.digest-length",
            Self::Pattern { .. } => "bulk.pattern",
            Self::NotAFolder(_) => "bulk.not-a-folder",
            Self::Plain => "bulk.plain",
            Self::OtherRecord => "bulk.other-record",
            Self::Rows(_) => "bulk.rows",
        }
    }

    /// Whether the process must stop: without random bytes no salt is safe. All else ends this run, which can be begun
    /// or gone on with again.
    pub fn is_fatal(&self) -> bool {
        matches!(self, Self::Batch(error) if error.is_fatal())
    }

    pub(crate) fn io(operation: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io { operation, path, source }
    }

    pub(crate) fn container(path: &Path) -> impl Fn(Fault) -> Self + use<> {
        let path = path.to_owned();
        move |fault| Self::Container { path: path.clone(), fault }
    }
}
