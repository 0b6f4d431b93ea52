//! The printed diploma: writes tagged PDF/A-3 with a QR code, and opens the files that people send.
//!
//! **Promises.** [`render`] makes the same bytes of the same job: no clock, no randomness, no fonts but its own (another version of
//! the libraries may draw the same page with other bytes: what was handed out is kept, not drawn again). What cannot be printed as it is (a letter that the fonts lack, a text too long) is an error that names the
//! field, never a box or a cut text. [`attach`] leaves the print as it is and appends one update (INV-PRINT-1, in
//! [`testamur_credentials::print`]). [`open`] reads PDFs of any program, ZIPs and plain files within the bounds of [`limits`]:
//! it answers any bytes with items or an error.
//!
//! [`check`] goes on from there: what was opened is read and verified, with the proofs that came along.
//!
//! **Absences.** No network, file system or clock; nothing of what is opened is believed: that is the verifier's work.

pub mod check;
mod code;
mod error;
mod flow;
mod job;
pub mod limits;
mod logo;
mod open;
mod render;
mod sheet;
mod type_setting;
mod words;

pub use error::{OpenError, PaperError};
pub use job::{Issuer, PrintJob};
pub use open::{COMPACT_NAME, Item, Opened, compact_of, open};
pub use render::render;
pub use testamur_credentials::content::Text;
pub use testamur_credentials::print::{Attachment, Print, PrintDigest, PrintError, Relationship, split};

/// The print with the files attached: the whole PDF.
pub fn attach(print: &[u8], files: &[Attachment]) -> Result<Vec<u8>, PrintError> {
    let update = testamur_credentials::print::update(print, files)?;
    Ok([print, &update].concat())
}
