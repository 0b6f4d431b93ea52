//! The files that people send, opened.

use testamur_credentials::limits::FILE_BYTES_MAX;
use testamur_credentials::print::{Print, PrintDigest, split};

use crate::OpenError;

/// Something that may be a credential, a package or a link, and what came with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Where in the container it was: `graduates.zip/weber.pdf/credential.sd-jwt`; empty for a plain file.
    pub name: String,
    /// The credential or package.
    pub bytes: Vec<u8>,
    /// The receipt that lay beside it.
    pub receipt: Option<Vec<u8>>,
    /// What is known of the PDF it came in.
    pub print: Print,
}

/// What was inside a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// What can be verified, in the order of the container.
    pub items: Vec<Item>,
    /// Entries of a ZIP that could not be opened, with the reason.
    pub refused: Vec<(String, OpenError)>,
}

/// Opens a PDF, a ZIP, or anything else as it is.
pub fn open(bytes: &[u8]) -> Result<Opened, OpenError> {
    if bytes.len() > FILE_BYTES_MAX {
        return Err(OpenError::TooLarge(bytes.len()));
    }
    let print = |bytes: &[u8]| match split(bytes) {
        Some((end, _)) => Print::Pdf { digest: PrintDigest::of(&bytes[..end]), whole: true },
        None => Print::Pdf { digest: PrintDigest::of(bytes), whole: false },
    };
    if !bytes.starts_with(b"%PDF-") {
        let item = Item { name: String::new(), bytes: bytes.to_vec(), receipt: None, print: Print::None };
        return Ok(Opened { items: vec![item], refused: Vec::new() });
    }
    let Some((_, files)) = split(bytes) else { return Err(OpenError::NoCredential) };
    let receipt = files.iter().find(|f| f.name.contains("receipt")).map(|f| f.bytes.clone());
    let items = files.iter().filter(|f| !f.name.contains("receipt")).map(|file| Item {
        name: file.name.clone(),
        bytes: file.bytes.clone(),
        receipt: receipt.clone(),
        print: print(bytes),
    });
    Ok(Opened { items: items.collect(), refused: Vec::new() })
}
