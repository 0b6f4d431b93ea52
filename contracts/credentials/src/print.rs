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
//! **The update** is a function of the print and of the files, without compression or escapes, so that any language makes the same
//! bytes: FORMATS.md, "Print", has them. [`split`] reads it back by making it again.

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
        let last = before.iter().rposition(|b| !matches!(b, 0 | b'\t' | b'\n' | 0x0c | b'\r' | b' '));
        if last.is_some_and(|last| last + 1 < before.len() && before[last].is_ascii_digit()) {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A print as the renderer ends them: catalog last, a plain table, a trailer with two ids.
    fn print(pages: &str) -> Vec<u8> {
        let mut out = b"%PDF-1.7\n%\x80\x80\x80\x80\n".to_vec();
        let mut offsets = Vec::new();
        for object in [
            format!("1 0 obj\n<</Type/Pages/Kids[]/Count 0{pages}>>\nendobj\n\n"),
            "2 0 obj\n<</Title(x)>>\nendobj\n\n".to_owned(),
            "3 0 obj\n<</Type/Catalog/Pages 1 0 R/Lang(en)>>\nendobj\n\n".to_owned(),
        ] {
            offsets.push(out.len());
            out.extend_from_slice(object.as_bytes());
        }
        let table = out.len();
        out.extend_from_slice(b"xref\n0 4\n0000000000 65535 f\r\n");
        for offset in offsets {
            out.extend_from_slice(format!("{offset:010} 00000 n\r\n").as_bytes());
        }
        out.extend_from_slice(
            format!("trailer\n<</Size 4/Root 3 0 R/Info 2 0 R/ID[(abc=)(def=)]>>\nstartxref\n{table}\n%%EOF")
                .as_bytes(),
        );
        out
    }

    fn file(name: &str, bytes: &[u8]) -> Attachment {
        Attachment {
            name: name.to_owned(),
            media_type: "application/dc+sd-jwt".to_owned(),
            description: "Credential, signed: EQF 6".to_owned(),
            relationship: Relationship::Source,
            modified: UnixTime(1_783_728_000),
            bytes: bytes.to_vec(),
        }
    }

    fn whole(print: &[u8], files: &[Attachment]) -> Vec<u8> {
        [print, &update(print, files).expect("these can be attached")].concat()
    }

    #[test]
    fn what_is_attached_is_found_again() {
        let print = print("");
        let receipt = Attachment {
            relationship: Relationship::Data,
            media_type: "application/json".to_owned(),
            ..file("receipt.json", b"{\"a\": [1, 2]}")
        };
        let files = vec![file("credential.sd-jwt", b"eyJ.eyJ.sig~"), receipt];
        assert_eq!(split(&whole(&print, &files)), Some((print.len(), files)));
        assert_eq!(split(&print), None, "a print alone has no update");
        assert_eq!(PrintDigest::of(b"").sha256, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    /// Made by another program from FORMATS.md.
    #[test]
    fn the_updates_bytes_are_a_format() {
        let expected = concat!(
            "\n",
            "4 0 obj\n",
            "<</Type/EmbeddedFile/Subtype/application#2Fdc+sd-jwt/Length 3/Params<</Size 3/ModDate(D:20260711000000Z)>>>>\n",
            "stream\n",
            "eyJ\n",
            "endstream\n",
            "endobj\n",
            "5 0 obj\n",
            "<</Type/Filespec/F(c.sd-jwt)/UF(c.sd-jwt)/EF<</F 4 0 R/UF 4 0 R>>/AFRelationship/Source/Desc(Credential, signed: EQF 6)>>\n",
            "endobj\n",
            "3 0 obj\n",
            "<</Type/Catalog/Pages 1 0 R/Lang(en)/Names<</EmbeddedFiles<</Names[(c.sd-jwt) 5 0 R]>>>>/AF[5 0 R]>>\n",
            "endobj\n",
            "xref\n",
            "3 3\n",
            "0000000597 00000 n\r\n",
            "0000000315 00000 n\r\n",
            "0000000460 00000 n\r\n",
            "trailer\n",
            "<</Size 6/Root 3 0 R/Info 2 0 R/ID[(abc=) <010b81e8899ea34417d353bfe9d51422>]/Prev 147>>\n",
            "startxref\n",
            "713\n",
            "%%EOF",
        );
        let update = update(&print(""), &[file("c.sd-jwt", b"eyJ")]).expect("attached");
        assert_eq!(String::from_utf8(update).expect("ASCII"), expected);
    }

    /// INV-PRINT-1, attacked: no other byte anywhere after the print, nothing added, left out or put in between.
    #[test]
    fn an_update_that_differs_in_a_byte_is_not_ours() {
        let print = print("");
        let pdf = whole(&print, &[file("credential.jwt", b"eyJ.eyJ.sig"), file("receipt.json", b"{}")]);
        for at in print.len()..pdf.len() {
            for change in [1, 0x20, 0x80] {
                let mut other = pdf.clone();
                other[at] ^= change;
                // Also a change in a file's own bytes: the second document id is a digest of them.
                assert_eq!(split(&other), None, "byte {at}");
            }
        }
        for end in print.len()..pdf.len() {
            assert_eq!(split(&pdf[..end]), None, "cut at {end}");
        }
        for more in [&b"\n"[..], b" ", b"%", b"\n%%EOF", b"\n1 0 obj\n<<>>\nendobj\n"] {
            assert_eq!(split(&[&pdf, more].concat()), None);
            assert_eq!(split(&[more, &pdf].concat()).map(|found| found.0), None);
            assert_eq!(split(&[&pdf[..print.len()], more, &pdf[print.len()..]].concat()).map(|found| found.0), None);
        }
    }

    #[test]
    fn an_update_of_another_print_is_not_ours() {
        let (one, other) = (print(""), print("/X 1"));
        let files = [file("credential.jwt", b"eyJ")];
        let update = update(&one, &files).expect("attached");
        assert_eq!(split(&[&other[..], &update].concat()), None);
        // A second update, by whomever, also by this very function.
        let twice = whole(&one, &files);
        assert_eq!(super::update(&twice, &files), Err(PrintError::NotAPrint));
    }

    /// A document that somebody has already updated, or whose catalog is elsewhere or has files of its own, is no print.
    #[test]
    fn only_a_plain_end_is_a_prints() {
        let changed = |from: &str, to: &str| {
            let print = print("");
            let at = rsplit(&print, from.as_bytes()).expect("it is there").0.len();
            let mut other = [&print[..at], to.as_bytes(), &print[at + from.len()..]].concat();
            // The table stands where it stood: what is made longer lies behind it, or keeps its length.
            let table = find(&other, b"xref\n0 4").expect("a table");
            let end = rsplit(&other, b"startxref\n").expect("an end").0.len();
            other.truncate(end);
            other.extend_from_slice(format!("startxref\n{table}\n%%EOF").as_bytes());
            update(&other, &[file("a", b"eyJ")]).map(|_| ())
        };
        for (from, to) in [("/Info 2 0 R", "/Info 2 0 R"), ("/Info 2 0 R", ""), ("/Lang(en)", "/Lang(de)")] {
            assert_eq!(changed(from, to), Ok(()), "{to}");
        }
        for (from, to) in [
            ("/Info 2 0 R", "/Info 2 0 R/Prev 9"),
            ("/Root 3 0 R", "/Root 1 0 R"),
            ("/Root 3 0 R", ""),
            ("/Lang(en)", "/Names 1 0 R"),
            ("/Lang(en)", "/AF[1 0 R]"),
            ("/Type/Catalog", "/Type/Pages"),
            ("/Lang(en)", "/A\nendobj\n/B"),
        ] {
            assert_eq!(changed(from, to), Err(PrintError::NotAPrint), "{from}: {to}");
        }
    }

    #[test]
    fn what_a_lenient_reader_could_take_for_an_object_is_refused() {
        let print = print("");
        for bytes in [&b"1 0 obj"[..], b"x 12\nobj<<>>", b"0\t obj", b"endstream", b"..obj 3 0  obj", b"1 0\0obj"] {
            assert_eq!(
                update(&print, &[file("a", bytes)]),
                Err(PrintError::Object),
                "{}",
                String::from_utf8_lossy(bytes)
            );
        }
        for bytes in [&b"obj"[..], b"object 1", b"1obj", b"an obj", b"ey1obj", b""] {
            assert!(update(&print, &[file("a", bytes)]).is_ok(), "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn only_plain_texts_are_attached() {
        let print = print("");
        let refused = |change: fn(&mut Attachment)| {
            let mut file = file("a", b"eyJ");
            change(&mut file);
            update(&print, &[file])
        };
        let changes: [fn(&mut Attachment); 12] = [
            |f| f.name = String::new(),
            |f| f.name = "a/b".to_owned(),
            |f| f.name = "a)b".to_owned(),
            |f| f.name = "ä".to_owned(),
            |f| f.name = "a".repeat(65),
            |f| f.media_type = "text".to_owned(),
            |f| f.media_type = "text/Plain".to_owned(),
            |f| f.media_type = "text/plain;a=b".to_owned(),
            |f| f.media_type = "text/#20".to_owned(),
            |f| f.description = "(".to_owned(),
            |f| f.description = "\\".to_owned(),
            |f| f.modified = UnixTime(u64::MAX),
        ];
        for (index, change) in changes.into_iter().enumerate() {
            assert_eq!(refused(change), Err(PrintError::Text), "{index}");
        }
        assert_eq!(update(&print, &[]), Err(PrintError::Bounds));
        assert_eq!(update(&print, &[file("b", b""), file("a", b"")]), Err(PrintError::Order));
        assert_eq!(update(&print, &[file("a", b""), file("a", b"")]), Err(PrintError::Order));
        let many: Vec<_> = (10..=10 + ATTACHMENTS_MAX).map(|n| file(&format!("a{n}"), b"")).collect();
        assert_eq!(update(&print, &many[1..]).map(drop), Ok(()));
        assert_eq!(update(&print, &many), Err(PrintError::Bounds));
        let long = |bytes: usize| update(&print, &[file("a", &vec![b'a'; bytes])]).map(drop);
        assert_eq!(long(ATTACHMENT_BYTES_MAX), Ok(()));
        assert_eq!(long(ATTACHMENT_BYTES_MAX + 1), Err(PrintError::Bounds));
        assert_eq!(update(b"%PDF-1.7\n%%EOF", &[file("a", b"")]), Err(PrintError::NotAPrint));
    }

    #[test]
    fn dates_are_read_back() {
        for at in [0, 1, 951_782_399, 951_782_400, 4_102_444_799] {
            let date = pdf_date(UnixTime(at)).expect("a date");
            assert_eq!(unix_time(date.as_bytes()), Some(UnixTime(at)), "{date}");
        }
        assert_eq!(pdf_date(UnixTime(1_783_728_000)).as_deref(), Some("D:20260711000000Z"));
        assert_eq!(unix_time(b"D:20260231000000Z"), None);
        assert_eq!(unix_time(b"D:20260101240000Z"), None);
    }

    proptest! {
        #[test]
        fn any_files_are_found_again(files in proptest::collection::btree_map("[A-Za-z0-9._-]{1,64}", ("[a-z0-9]{1,8}/[a-z0-9.+-]{1,20}", "[A-Za-z0-9 .,:-]{1,100}", 0usize..3, 0u64..4_000_000_000, proptest::collection::vec(any::<u8>(), 0..200)), 1..8)) {
            let print = print("");
            let files: Vec<_> = files.into_iter().map(|(name, (media_type, description, relationship, modified, bytes))| Attachment {
                name, media_type, description, relationship: Relationship::ALL[relationship], modified: UnixTime(modified), bytes,
            }).collect();
            if let Ok(update) = update(&print, &files) {
                prop_assert_eq!(split(&[&print[..], &update].concat()), Some((print.len(), files)));
            }
        }

        #[test]
        fn any_bytes_are_looked_at_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 0usize..2000, cut in 0usize..50) {
            let mut pdf = whole(&print(""), &[file("a", b"eyJ"), file("b", b"{}")]);
            let at = at.min(pdf.len() - cut);
            pdf.splice(at..at + cut, bytes);
            let _ = split(&pdf);
        }
    }
}
