//! What binds a printed diploma to its credential.
//!
//! The PDF that a university hands out is a *print* (the page with its QR code, complete in itself) and, after it, an incremental
//! update that attaches the files. The credential's content holds the SHA-256 and the length of the print:
//!
//! ```text
//! "print": { "bytes": N, "sha256": "<64 hexadecimal digits>" }
//! ```
//! So a page that somebody else laid around a genuine attachment is told: its first N bytes are not the print. What follows them
//! must be exactly the update that the issuer's files make, so that nothing can be drawn over the page by a later update.
//!
//! - INV-PRINT-1: a PDF counts as the issuer's only when it is, byte for byte, the print that the credential names and the one
//!   update that its attachments make.

use serde::{Deserialize, Serialize};

/// The print that a credential names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrintDigest {
    /// How many bytes the print has.
    pub bytes: u64,
    /// Their SHA-256, 64 hexadecimal digits.
    pub sha256: String,
}

/// What was found out about the PDF that a credential came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Print {
    /// It came in no PDF.
    None,
    /// It came in a PDF of these first bytes' digests: the print's length as the file's structure gives it, and whether the rest
    /// is exactly the update that attaches the files.
    Pdf {
        /// SHA-256 and length of what stands before the update.
        digest: PrintDigest,
        /// Whether all that follows is that update.
        whole: bool,
    },
}
