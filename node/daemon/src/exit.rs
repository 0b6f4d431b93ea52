//! How a command ends: the exit codes, and errors that say what to do next.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The exit codes of `testamur`; part of its interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done; for `verify`: confirmed.
    Ok = 0,
    /// Something could not be done: a file, a network, a node.
    Operational = 1,
    /// Wrong arguments (also clap's own code).
    #[cfg(feature = "node")]
    Usage = 2,
    /// The receipt or document is not valid.
    NotValid = 3,
    /// Nothing is known to be wrong, but something needed is missing: an unknown network, a missing opening.
    CannotTell = 4,
    /// It verifies, but the witnesses' keys are no longer in office.
    OutOfOffice = 5,
}

/// Shown at the end of `--help`.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0  done; for `verify`: confirmed
  1  something failed: a file, a network, a node
  2  wrong arguments
  3  not valid: the receipt, or the document, is not what it claims to be
  4  cannot tell: unknown network, or the receipt lacks what is needed
  5  witnessed by keys that are no longer in office: refresh the receipt

Environment:
  TESTAMUR_HOME             installed networks (default: $XDG_DATA_HOME/testamur, else ~/.local/share/testamur)
  TESTAMUR_PASSPHRASE_FILE  file whose first line is the passphrase of encrypted keys
  NO_COLOR                  no colour";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command failed. The message says what happened; [`CommandError::hint`] what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    /// A file operation.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// A verb.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// The operating system's words.
        source: std::io::Error,
    },
    /// A file whose content is refused.
    #[error("{}: {reason}", path.display())]
    Content {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
        /// What to do.
        hint: String,
    },
    /// Arguments that do not fit together.
    #[cfg(feature = "node")]
    #[error("{0}")]
    Usage(String),
    /// A network whose trust file is not installed.
    #[cfg(feature = "node")]
    #[error("network {0} is not installed here: nothing that it says can be verified")]
    UnknownNetwork(testamur_primitives::hash::GenesisHash),
    /// Anything else that keeps the command from its work.
    #[error("{what}")]
    Failed {
        /// Stable slug.
        code: String,
        /// What happened.
        what: String,
        /// What to do.
        hint: String,
    },
}

impl CommandError {
    /// A failed file operation.
    pub(crate) fn file(action: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::File { action, path: path.to_owned(), source }
    }

    /// A file whose content is refused.
    pub(crate) fn content(path: &Path, reason: impl ToString, hint: impl Into<String>) -> Self {
        Self::Content { path: path.to_owned(), reason: reason.to_string(), hint: hint.into() }
    }

    /// Any other failure.
    pub(crate) fn failed(code: impl Into<String>, what: impl ToString, hint: impl Into<String>) -> Self {
        Self::Failed { code: code.into(), what: what.to_string(), hint: hint.into() }
    }

    /// Stable slug, for `--json`.
    pub(crate) fn code(&self) -> &str {
        match self {
            Self::File { .. } => "cli.file",
            Self::Content { .. } => "cli.content",
            #[cfg(feature = "node")]
            Self::Usage(_) => "cli.usage",
            #[cfg(feature = "node")]
            Self::UnknownNetwork(_) => "receipt.unknown-network",
            Self::Failed { code, .. } => code,
        }
    }

    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::File { source, .. } => match source.kind() {
                std::io::ErrorKind::NotFound => "check the path",
                std::io::ErrorKind::PermissionDenied => "run it as the user that owns the file",
                std::io::ErrorKind::StorageFull => "free some disk space",
                std::io::ErrorKind::IsADirectory => "name a file, not a directory",
                _ => "",
            },
            Self::Content { hint, .. } | Self::Failed { hint, .. } => hint,
            #[cfg(feature = "node")]
            Self::UnknownNetwork(_) => {
                "get its trust file from the network's operators, then run `testamur network add FILE`"
            }
            #[cfg(feature = "node")]
            Self::Usage(_) => "see `testamur help`",
        };
        (!hint.is_empty()).then(|| hint.to_owned())
    }

    /// The exit code it leads to.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            #[cfg(feature = "node")]
            Self::Usage(_) => Exit::Usage,
            #[cfg(feature = "node")]
            Self::UnknownNetwork(_) => Exit::CannotTell,
            _ => Exit::Operational,
        }
    }
}
