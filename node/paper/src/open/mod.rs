//! The files that people send, opened: a PDF's attached files, a ZIP's entries, anything else as it is.
//!
//! Who sends them: anybody, to an employer, who drops them on a verifier. So every size is bounded before memory is taken
//! ([`crate::limits`]), a container within a container is opened only once (a PDF in a ZIP), and what is found is handed on
//! unread: whether it is a credential is for `testamur_credentials::presentation` to say.

mod archive;
mod pdf;

use serde::Deserialize;
use testamur_credentials::limits::FILE_BYTES_MAX;
use testamur_credentials::print::{Attachment, Print, PrintDigest, Relationship, split};

use crate::OpenError;

/// Name under which a diploma's PDF has the compact credential attached.
pub const COMPACT_NAME: &str = "compact.txt";

/// Something that may be a credential, a package or a link, and what came with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Where in the container it was: `graduates.zip/weber.pdf/credential.sd-jwt` without the first part; empty for a plain file.
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
    /// Entries of a ZIP that hold nothing to verify or cannot be opened, by name.
    pub refused: Vec<(String, OpenError)>,
}

/// Opens a PDF, a ZIP, or anything else as it is.
pub fn open(bytes: &[u8]) -> Result<Opened, OpenError> {
    if bytes.len() > FILE_BYTES_MAX {
        return Err(OpenError::TooLarge(bytes.len()));
    }
    if archive::is(bytes) {
        return archive::open(bytes);
    }
    let items = if pdf::is(bytes) {
        pdf_items("", bytes)?
    } else {
        vec![Item { name: String::new(), bytes: bytes.to_vec(), receipt: None, print: Print::None }]
    };
    Ok(Opened { items, refused: Vec::new() })
}

/// What a PDF has attached.
fn pdf_items(name: &str, bytes: &[u8]) -> Result<Vec<Item>, OpenError> {
    let (files, print) = pdf_files(bytes)?;
    // One document, one answer: its other forms (the compact credential, other formats) are left out if one is named the source.
    let sources = files.iter().any(|file| file.source && Content::of(&file.bytes) == Content::Candidate);
    let wanted = |file: &File| file.source || !sources || Content::of(&file.bytes) == Content::Receipt;
    let mut items = paired(files.into_iter().filter(wanted).map(|file| (file.name, file.bytes)).collect());
    for item in &mut items {
        item.print = print.clone();
        item.name = if name.is_empty() { std::mem::take(&mut item.name) } else { format!("{name}/{}", item.name) };
    }
    if items.is_empty() { Err(OpenError::NoCredential) } else { Ok(items) }
}

/// The compact credential that a PDF has attached ([`COMPACT_NAME`]), for links and codes.
pub fn compact_of(pdf: &[u8]) -> Option<String> {
    if pdf.len() > FILE_BYTES_MAX || !pdf::is(pdf) {
        return None;
    }
    let (files, _) = pdf_files(pdf).ok()?;
    let file = files.into_iter().find(|file| file.name == COMPACT_NAME)?;
    String::from_utf8(file.bytes).ok()
}

/// An attached file.
struct File {
    name: String,
    bytes: Vec<u8>,
    /// Whether the PDF names it as what the page was made from.
    source: bool,
}

fn pdf_files(bytes: &[u8]) -> Result<(Vec<File>, Print), OpenError> {
    // INV-PRINT-1: an update that is ours is re-made and compared; only what is not goes through the lenient reader.
    Ok(match split(bytes) {
        Some((end, files)) => {
            let file = |file: Attachment| File {
                source: file.relationship == Relationship::Source,
                name: file.name,
                bytes: file.bytes,
            };
            (files.into_iter().map(file).collect(), Print::Pdf { digest: PrintDigest::of(&bytes[..end]), whole: true })
        }
        None => (pdf::attached(bytes)?, Print::Pdf { digest: PrintDigest::of(bytes), whole: false }),
    })
}

/// Credentials and packages among files, each with the receipt that belongs to it.
fn paired(files: Vec<(String, Vec<u8>)>) -> Vec<Item> {
    let mut receipts = Vec::new();
    let mut items = Vec::new();
    for (name, bytes) in files {
        match Content::of(&bytes) {
            Content::Receipt => receipts.push((name, bytes)),
            Content::Candidate => items.push(Item { name, bytes, receipt: None, print: Print::None }),
            Content::Other => {}
        }
    }
    let single = items.len() == 1 && receipts.len() == 1;
    for item in &mut items {
        let nearest = receipts
            .iter()
            .filter_map(|(name, bytes)| Some((kinship(&item.name, name)?, bytes)))
            .min_by_key(|(kin, _)| *kin);
        let receipt = nearest.map(|(_, bytes)| bytes).or_else(|| single.then(|| &receipts[0].1));
        item.receipt = receipt.cloned();
    }
    items
}

/// How near a receipt's name is to a credential's; `weber.jwt` has `weber.jwt.receipt.json` before `weber.receipt.json`.
fn kinship(credential: &str, receipt: &str) -> Option<u8> {
    let stem = receipt.strip_suffix(".json").unwrap_or(receipt);
    let stem = stem.strip_suffix(".receipt").or_else(|| stem.strip_suffix("-receipt")).unwrap_or(stem);
    let without =
        |name: &'_ str| name.rfind('.').filter(|dot| !name[*dot..].contains('/')).map_or(name.len(), |dot| dot);
    match stem {
        stem if stem == credential => Some(0),
        stem if stem == &credential[..without(credential)] => Some(1),
        _ => None,
    }
}

/// What a file looks like from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    /// JSON that says to be a receipt.
    Receipt,
    /// Text that begins like a credential (`ey…`), JSON, or a link.
    Candidate,
    /// Pictures, letters, anything else.
    Other,
}

impl Content {
    fn of(bytes: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Peek {
            r#type: Option<String>,
        }
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii();
        if text.starts_with(b"{") {
            let peek = serde_json::from_slice::<Peek>(text).ok().and_then(|peek| peek.r#type);
            return if peek.as_deref() == Some("testamur-receipt") { Self::Receipt } else { Self::Candidate };
        }
        let begins = |start: &[u8]| text.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start));
        if text.starts_with(b"ey") || text.starts_with(b"\"ey") || begins(b"https://") || begins(b"http://") {
            Self::Candidate
        } else {
            Self::Other
        }
    }
}
