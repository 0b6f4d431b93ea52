//! What binds a printed diploma to its credential.
//!
//! The PDF that a university hands out is a *print* (the pages with their QR code, complete in themselves) and, after it, one
//! incremental update that attaches the files. The credential's content holds the SHA-256 and the length of the print:
//!
//! ```text
//! "print": { "bytes": N, "sha256": "<64 hexadecimal digits>" }
//! ```
//! So a page that somebody else laid around a genuine attachment is told: its first N bytes are not the print. What follows them
//! must be exactly the update that the issuer's files make, so that nothing can be drawn over the page by a later update.
//!
//! - INV-PRINT-1: a PDF counts as the issuer's only when it is, byte for byte, the print that the credential names and the one
//!   update that its attachments make.
//!
//! **The update** is a function of the print and of the files, without compression, so that any language makes the same bytes.
//! [`split`] reads it back by making it again. With S the print's `/Size`, C = S − 1 its catalog, P the offset of its
//! cross-reference table, and for the file i (from 0, ordered by name) of n bytes:
//!
//! ```text
//! \n
//! S+2i 0 obj\n<</Type/EmbeddedFile/Subtype/application#2Fjson/Length n/Params<</Size n/ModDate(D:YYYYMMDDhhmmssZ)>>>>\n
//!     stream\n …n bytes… \nendstream\nendobj\n
//! S+2i+1 0 obj\n<</Type/Filespec/F(name)/UF(name)/EF<</F S+2i 0 R/UF S+2i 0 R>>/AFRelationship/Data/Desc(text)>>\nendobj\n
//! C 0 obj\n<<…the print's catalog…/Names<</EmbeddedFiles<</Names[(name) S+2i+1 0 R …]>>>>/AF[S+2i+1 0 R …]>>\nendobj\n
//! xref\nC 1+2k\n …one entry of 20 bytes an object… trailer\n
//! <<…the print's trailer, its /Size and the second /ID replaced…/Prev P>>\nstartxref\n…offset…\n%%EOF
//! ```

use serde::{Deserialize, Serialize};
use testamur_primitives::codec::sha256;
use testamur_primitives::units::UnixTime;
use thiserror::Error;

use crate::limits::{ATTACHMENT_BYTES_MAX, ATTACHMENTS_MAX, FILE_BYTES_MAX};

/// The print that a credential names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrintDigest {
    /// How many bytes the print has.
    pub bytes: u64,
    /// Their SHA-256, 64 hexadecimal digits.
    pub sha256: String,
}

impl PrintDigest {
    /// Of a print.
    pub fn of(print: &[u8]) -> Self {
        Self { bytes: print.len() as u64, sha256: hex(&sha256(&[print])) }
    }
}

/// What was found out about the PDF that a credential came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Print {
    /// It came in no PDF.
    None,
    /// It came in a PDF of these first bytes' digests: the print's length as the file's structure gives it, and whether the rest
    /// is exactly the update that attaches the files.
    Pdf {
        /// SHA-256 and length of what stands before the update; of the whole file when there is no such update.
        digest: PrintDigest,
        /// Whether all that follows is that update.
        whole: bool,
    },
}

/// How an attached file stands to the page (ISO 32000-2, table 43).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relationship {
    /// The page was made from it: the credential.
    Source,
    /// It belongs to what the page shows: the receipt.
    Data,
    /// The same in another form: the credential in another format.
    Alternative,
}

impl Relationship {
    const ALL: [Self; 3] = [Self::Source, Self::Data, Self::Alternative];

    fn as_str(self) -> &'static str {
        match self {
            Self::Source => "Source",
            Self::Data => "Data",
            Self::Alternative => "Alternative",
        }
    }
}

/// A file to attach. Its texts are held so plain that the PDF needs no escapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// File name: 1 to 64 of `A-Z a-z 0-9 . _ -`.
    pub name: String,
    /// Media type without parameters, in lower case: `application/json`.
    pub media_type: String,
    /// What it is, for people: 1 to 100 of letters, digits, space and `. , : -`.
    pub description: String,
    /// How it stands to the page.
    pub relationship: Relationship,
    /// When it was made.
    pub modified: UnixTime,
    /// The file.
    pub bytes: Vec<u8>,
}

/// Why files cannot be attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PrintError {
    /// The PDF was not made by this crate's renderer, or has an update already.
    #[error("this PDF is not a print: its cross-reference table, catalog and trailer are not as prints have them")]
    NotAPrint,
    /// None, too many, or too large.
    #[error("between 1 and {ATTACHMENTS_MAX} files of at most {ATTACHMENT_BYTES_MAX} bytes can be attached")]
    Bounds,
    /// Not in the order of their names, or a name twice.
    #[error("attached files stand in the order of their names, each name once")]
    Order,
    /// A name, media type, description or date that needs escapes.
    #[error("an attached file's name, media type, description or date is not of the plain form that is allowed")]
    Text,
    /// Bytes that a lenient PDF reader could take for objects.
    #[error("an attached file holds what looks like a PDF object")]
    Object,
}

/// The update that attaches `files` to `print`: what is to be appended to it.
pub fn update(print: &[u8], files: &[Attachment]) -> Result<Vec<u8>, PrintError> {
    let tail = Tail::of(print).ok_or(PrintError::NotAPrint)?;
    check(files)?;
    let mut out = Vec::with_capacity(files.iter().map(|f| f.bytes.len() + 512).sum::<usize>() + 2048);
    let mut offsets = Vec::with_capacity(1 + 2 * files.len());
    let (mut names, mut associated) = (String::new(), String::new());
    out.push(b'\n');
    for (file, stream) in files.iter().zip((tail.size..).step_by(2)) {
        let (length, spec) = (file.bytes.len(), stream + 1);
        let media_type = file.media_type.replace('/', "#2F");
        let modified = pdf_date(file.modified).ok_or(PrintError::Text)?;
        offsets.push(print.len() + out.len());
        put(
            &mut out,
            &[
                &format!(
                    "{stream} 0 obj\n<</Type/EmbeddedFile/Subtype/{media_type}/Length {length}/Params<</Size {length}"
                ),
                &format!("/ModDate({modified})>>>>\nstream\n"),
            ],
        );
        out.extend_from_slice(&file.bytes);
        put(&mut out, &["\nendstream\nendobj\n"]);
        let Attachment { name, description, relationship, .. } = file;
        offsets.push(print.len() + out.len());
        put(
            &mut out,
            &[
                &format!("{spec} 0 obj\n<</Type/Filespec/F({name})/UF({name})/EF<</F {stream} 0 R/UF {stream} 0 R>>"),
                &format!("/AFRelationship/{}/Desc({description})>>\nendobj\n", relationship.as_str()),
            ],
        );
        let space = if names.is_empty() { "" } else { " " };
        names.push_str(&format!("{space}({name}) {spec} 0 R"));
        associated.push_str(&format!("{space}{spec} 0 R"));
    }
    let catalog = print.len() + out.len();
    put(&mut out, &[&format!("{} 0 obj\n<<", tail.catalog)]);
    out.extend_from_slice(tail.catalog_members);
    put(&mut out, &[&format!("/Names<</EmbeddedFiles<</Names[{names}]>>>>/AF[{associated}]>>\nendobj\n")]);
    let table = print.len() + out.len();
    put(&mut out, &[&format!("xref\n{} {}\n", tail.catalog, 1 + offsets.len())]);
    for offset in std::iter::once(catalog).chain(offsets.iter().copied()) {
        put(&mut out, &[&format!("{offset:010} 00000 n\r\n")]);
    }
    // A reader that keeps documents by their id must see that this is another version of the print.
    let id = hex(&sha256(&[print, &out])[..16]);
    put(&mut out, &[&format!("trailer\n<</Size {}", tail.size + offsets.len() as u32)]);
    out.extend_from_slice(tail.trailer_members);
    put(&mut out, &[&format!("/ID[{} <{id}>]/Prev {}>>\nstartxref\n{table}\n%%EOF", tail.first_id, tail.table)]);
    if print.len() + out.len() > FILE_BYTES_MAX {
        return Err(PrintError::Bounds);
    }
    Ok(out)
}

/// The print's length and the attached files, if `pdf` is exactly a print and its one update (INV-PRINT-1). Whether the print is
/// the issuer's is for the credential to say.
pub fn split(pdf: &[u8]) -> Option<(usize, Vec<Attachment>)> {
    if pdf.len() > FILE_BYTES_MAX {
        return None;
    }
    // From the end: the update's trailer names the print's table, whose end is the print's end.
    let (_, trailer) = rsplit(pdf, b"\ntrailer\n<<")?;
    let previous: usize = number(between(trailer, b"/Prev ", b">>\nstartxref\n")?)?;
    let end = previous.checked_add(find(pdf.get(previous..)?, b"\n%%EOF\n")?)?.checked_add(b"\n%%EOF".len())?;
    let print = pdf.get(..end)?;
    let files = read(pdf.get(end..)?, Tail::of(print)?.size)?;
    // INV-PRINT-1: not "does it look like our update" but "is it what we would have written".
    (update(print, &files).ok()?.as_slice() == pdf.get(end..)?).then_some((end, files))
}

/// The files of an update, without a look at anything else of it.
fn read(update: &[u8], size: u32) -> Option<Vec<Attachment>> {
    let mut rest = update.strip_prefix(b"\n")?;
    let mut files = Vec::new();
    for stream in (size..).step_by(2) {
        let head = format!("{stream} 0 obj\n<</Type/EmbeddedFile/Subtype/");
        let Some(after) = rest.strip_prefix(head.as_bytes()) else { break };
        if files.len() == ATTACHMENTS_MAX {
            return None;
        }
        let (dictionary, after) = split_once(after, b">>>>\nstream\n")?;
        let (media_type, dictionary) = split_once(dictionary, b"/Length ")?;
        let (length, dictionary) = split_once(dictionary, b"/Params<<")?;
        let modified = between(dictionary, b"/ModDate(", b")")?;
        let length: usize = number(length)?;
        let bytes = after.get(..length)?;
        let (_, after) = split_once(after.get(length..)?, b"/F(")?;
        let (name, after) = split_once(after, b")")?;
        let (_, after) = split_once(after, b"/AFRelationship/")?;
        let (relationship, after) = split_once(after, b"/Desc(")?;
        let (description, after) = split_once(after, b")>>\nendobj\n")?;
        rest = after;
        files.push(Attachment {
            name: text(name)?,
            media_type: text(media_type)?.replace("#2F", "/"),
            description: text(description)?,
            relationship: Relationship::ALL.into_iter().find(|r| r.as_str().as_bytes() == relationship)?,
            modified: unix_time(modified)?,
            bytes: bytes.to_vec(),
        });
    }
    Some(files)
}

/// What the update needs of a print: its last lines.
struct Tail<'a> {
    /// Number of its objects, the free one included: the first free number.
    size: u32,
    /// The catalog's number, its last object.
    catalog: u32,
    /// The catalog's members.
    catalog_members: &'a [u8],
    /// Where its cross-reference table stands.
    table: usize,
    /// The trailer's members between `/Size` and `/ID`.
    trailer_members: &'a [u8],
    /// The first of the two document ids, as it stands there.
    first_id: &'a str,
}

impl<'a> Tail<'a> {
    fn of(print: &'a [u8]) -> Option<Self> {
        let (head, offset) = rsplit(print.strip_suffix(b"\n%%EOF")?, b"\nstartxref\n")?;
        let table: usize = number(offset)?;
        let section = head.get(table..)?.strip_prefix(b"xref\n0 ")?;
        let (size, section) = split_once(section, b"\n")?;
        let size: u32 = number(size)?;
        let entries = usize::try_from(size).ok()?.checked_mul(20)?;
        let trailer = section.get(entries..)?.strip_prefix(b"trailer\n<</Size ")?.strip_suffix(b">>")?;
        let trailer = trailer.strip_prefix(size.to_string().as_bytes())?;
        let (trailer_members, ids) = split_once(trailer, b"/ID[")?;
        let first_id = std::str::from_utf8(ids.get(..=ids.iter().position(|b| *b == b')' || *b == b'>')?)?).ok()?;
        let catalog = size.checked_sub(1)?;
        let root = format!("/Root {catalog} 0 R");
        let entry = section.get(entries.checked_sub(20)?..entries)?;
        let at: usize = number_padded(entry.get(..10)?)?;
        let object = print.get(at..table)?.strip_prefix(format!("{catalog} 0 obj\n<<").as_bytes())?;
        let catalog_members = object.trim_ascii_end().strip_suffix(b">>\nendobj")?;
        let plain = find(trailer, b"/Prev").is_none() && find(trailer, root.as_bytes()).is_some();
        let bare = find(catalog_members, b"/Names").is_none() && find(catalog_members, b"/AF").is_none();
        let type_first =
            find(catalog_members, b"/Type/Catalog").is_some() && find(catalog_members, b"endobj").is_none();
        (plain && bare && type_first).then_some(Self {
            size,
            catalog,
            catalog_members,
            table,
            trailer_members,
            first_id,
        })
    }
}

/// Bounds and plainness of the files.
fn check(files: &[Attachment]) -> Result<(), PrintError> {
    if files.is_empty() || files.len() > ATTACHMENTS_MAX || files.iter().any(|f| f.bytes.len() > ATTACHMENT_BYTES_MAX) {
        return Err(PrintError::Bounds);
    }
    if files.windows(2).any(|pair| pair[0].name >= pair[1].name) {
        return Err(PrintError::Order);
    }
    let of = |text: &str, most: usize, more: &[u8]| {
        (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || more.contains(&b))
    };
    for file in files {
        let (kind, subtype) = file.media_type.split_once('/').ok_or(PrintError::Text)?;
        let media_type =
            of(kind, 32, b"") && of(subtype, 64, b".+-") && !file.media_type.bytes().any(|b| b.is_ascii_uppercase());
        if !media_type || !of(&file.name, 64, b"._-") || !of(&file.description, 100, b" .,:-") {
            return Err(PrintError::Text);
        }
        if looks_like_object(&file.bytes) {
            return Err(PrintError::Object);
        }
    }
    Ok(())
}

/// Whether a reader that scans damaged files for objects could find one in these bytes: `<number> obj`, `endstream`. Without this,
/// an attachment could carry another page for such readers.
fn looks_like_object(bytes: &[u8]) -> bool {
    let mut at = 0;
    while let Some(next) = find(&bytes[at..], b"obj") {
        let before = &bytes[..at + next];
        let gap = before.trim_ascii_end();
        if gap.len() < before.len() && gap.last().is_some_and(u8::is_ascii_digit) {
            return true;
        }
        at += next + 3;
    }
    find(bytes, b"endstream").is_some()
}

fn put(out: &mut Vec<u8>, parts: &[&str]) {
    for part in parts {
        out.extend_from_slice(part.as_bytes());
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn split_once<'a>(bytes: &'a [u8], at: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let position = find(bytes, at)?;
    Some((&bytes[..position], &bytes[position + at.len()..]))
}

fn rsplit<'a>(bytes: &'a [u8], at: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let position = bytes.windows(at.len()).rposition(|window| window == at)?;
    Some((&bytes[..position], &bytes[position + at.len()..]))
}

fn between<'a>(bytes: &'a [u8], from: &[u8], to: &[u8]) -> Option<&'a [u8]> {
    Some(split_once(split_once(bytes, from)?.1, to)?.0)
}

fn text(bytes: &[u8]) -> Option<String> {
    Some(std::str::from_utf8(bytes).ok()?.to_owned())
}

/// A decimal number without sign or leading zeros.
fn number<T: std::str::FromStr + ToString>(bytes: &[u8]) -> Option<T> {
    let digits = std::str::from_utf8(bytes).ok()?;
    let value: T = digits.parse().ok()?;
    (value.to_string() == digits).then_some(value)
}

fn number_padded(bytes: &[u8]) -> Option<usize> {
    bytes.iter().all(u8::is_ascii_digit).then(|| std::str::from_utf8(bytes).ok()?.parse().ok()).flatten()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// `D:YYYYMMDDhhmmssZ`.
fn pdf_date(at: UnixTime) -> Option<String> {
    let at = time::OffsetDateTime::from_unix_timestamp(i64::try_from(at.0).ok()?).ok()?;
    let (year, month, day) = at.to_calendar_date();
    let (hour, minute, second) = at.to_hms();
    Some(format!("D:{year:04}{:02}{day:02}{hour:02}{minute:02}{second:02}Z", u8::from(month)))
}

fn unix_time(date: &[u8]) -> Option<UnixTime> {
    let digits = date.strip_prefix(b"D:")?.strip_suffix(b"Z")?;
    if digits.len() != 14 {
        return None;
    }
    let part = |from: usize, to: usize| number_padded(&digits[from..to]);
    let month = time::Month::try_from(u8::try_from(part(4, 6)?).ok()?).ok()?;
    let day = u8::try_from(part(6, 8)?).ok()?;
    let date = time::Date::from_calendar_date(i32::try_from(part(0, 4)?).ok()?, month, day).ok()?;
    let [hour, minute, second] = [part(8, 10)?, part(10, 12)?, part(12, 14)?].map(|n| n as u8);
    let at = date.with_hms(hour, minute, second).ok()?.assume_utc().unix_timestamp();
    Some(UnixTime(u64::try_from(at).ok()?))
}
