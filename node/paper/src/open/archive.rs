//! ZIPs: credentials, receipts and PDFs of many graduates in one file.

use std::io::{Cursor, Read};

use zip::ZipArchive;

use super::{Content, Opened, paired, pdf, pdf_items};
use crate::OpenError;
use crate::limits::{ZIP_BYTES_MAX, ZIP_ENTRIES_MAX, ZIP_NAME_CHARS_MAX, ZIP_RATIO_MAX};

/// Signature of an entry in the central directory.
const CENTRAL: &[u8] = b"PK\x01\x02";

/// Whether it begins like a ZIP: with an entry, or empty.
pub(super) fn is(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06")
}

/// Opens what is inside, entry by entry: one that cannot be opened does not keep the others from being verified. What breaks the
/// bounds of the whole breaks the whole.
pub(super) fn open(bytes: &[u8]) -> Result<Opened, OpenError> {
    // Before the directory is read: the reader takes memory for every entry that the directory claims.
    if bytes.windows(CENTRAL.len()).filter(|window| *window == CENTRAL).count() > ZIP_ENTRIES_MAX {
        return Err(container(format!("more than {ZIP_ENTRIES_MAX} entries")));
    }
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| container(error.to_string()))?;
    if archive.len() > ZIP_ENTRIES_MAX {
        return Err(container(format!("more than {ZIP_ENTRIES_MAX} entries")));
    }
    let mut left = ZIP_BYTES_MAX;
    let mut opened = Opened { items: Vec::new(), refused: Vec::new() };
    let mut files = Vec::new();
    for index in 0..archive.len() {
        let mut entry = match archive.by_index(index) {
            Ok(entry) => entry,
            Err(error) => {
                opened.refused.push((format!("entry {}", index + 1), container(error.to_string())));
                continue;
            }
        };
        let name = match entry.name() {
            Ok(name) => {
                name.chars().take(ZIP_NAME_CHARS_MAX).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
            }
            Err(_) => format!("entry {}", index + 1),
        };
        let last = name.rsplit('/').next().unwrap_or_default();
        // Folders, and what file managers add.
        if last.is_empty() || last.starts_with('.') || name.starts_with("__MACOSX/") {
            continue;
        }
        // What the entry says of its size is not believed: what comes out is counted.
        let most = entry.compressed_size().saturating_mul(ZIP_RATIO_MAX).max(SMALL).min(left);
        let mut content = Vec::new();
        let read = (&mut entry).take(most + 1).read_to_end(&mut content);
        if content.len() as u64 > most {
            return Err(container(format!("{name} inflates beyond the bounds")));
        }
        left -= content.len() as u64;
        if let Err(error) = read {
            opened.refused.push((name, container(error.to_string())));
        } else if pdf::is(&content) {
            match pdf_items(&name, &content) {
                Ok(items) => opened.items.extend(items),
                Err(error) => opened.refused.push((name, error)),
            }
        } else if is(&content) {
            opened.refused.push((name, container("a ZIP within a ZIP is not opened".to_owned())));
        } else if Content::of(&content) == Content::Other {
            opened.refused.push((name, OpenError::NoCredential));
        } else {
            files.push((name, content));
        }
    }
    opened.items.extend(paired(files));
    if opened.items.is_empty() && opened.refused.iter().all(|(_, error)| *error == OpenError::NoCredential) {
        return Err(OpenError::NoCredential);
    }
    Ok(opened)
}

/// Bytes that any entry may inflate to, however small it is packed.
const SMALL: u64 = 64 * 1024;

fn container(why: String) -> OpenError {
    OpenError::Container(why)
}
