//! Why something cannot be printed or opened.

use testamur_credentials::verify::Reason;
use thiserror::Error;

/// Why a job cannot be printed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PaperError {
    /// A member that the page needs is missing.
    #[error("{field} is missing")]
    Missing {
        /// The member.
        field: String,
    },
    /// A member is not of the form that the model gives it.
    #[error("{field} is not as the diploma model has it: {expected}")]
    Form {
        /// The member.
        field: String,
        /// What it should be.
        expected: &'static str,
    },
    /// A text is longer, or a list has more entries, than a page takes.
    #[error("{field} is too long: at most {most} {unit}")]
    TooLong {
        /// The member.
        field: String,
        /// The bound.
        most: usize,
        /// What is counted.
        unit: &'static str,
    },
    /// The fonts have no form for a character.
    #[error("{field} has the character {character:?} (U+{:04X}), which cannot be printed: Latin, Greek and Cyrillic can", *character as u32)]
    Glyph {
        /// The member.
        field: String,
        /// The character.
        character: char,
    },
    /// The logo is no PNG of the size that is allowed.
    #[error("the logo cannot be used: {0}")]
    Logo(String),
    /// The compact credential does not fit a QR code that can be scanned from paper.
    #[error("the compact credential has {bytes} bytes, a QR code on paper takes {most}")]
    Code {
        /// Its length.
        bytes: usize,
        /// The bound.
        most: usize,
    },
    /// The PDF writer refused: a fault of this crate.
    #[error("the PDF could not be written: {0}")]
    Writer(String),
}

/// Why a file cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OpenError {
    /// Larger than anything that is looked at.
    #[error("the file has {0} bytes")]
    TooLarge(usize),
    /// A PDF or ZIP that holds nothing that could be a credential.
    #[error("no credential is inside")]
    NoCredential,
    /// A PDF or ZIP that is damaged, encrypted or out of bounds.
    #[error("the container cannot be read: {0}")]
    Container(String),
}

impl OpenError {
    /// What a report says.
    pub fn reason(&self) -> Reason {
        match self {
            Self::TooLarge(_) => Reason::ReadableTooLarge,
            Self::NoCredential => Reason::ReadableNoCredential,
            Self::Container(_) => Reason::ReadableArchive,
        }
    }
}
