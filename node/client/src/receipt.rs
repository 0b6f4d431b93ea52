//! Receipt files: their names, and writing them so that there is never half a file and never one overwritten.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use testamur_primitives::codec;

use crate::batch::random_bytes;

/// What a receipt's file name ends in.
pub const RECEIPT_SUFFIX: &str = ".receipt.json";

/// Characters that a name from outside keeps at most: file systems take 255 bytes, the suffix and a prefix need some.
const NAME_CHARS_MAX: usize = 100;

/// Why a receipt was not written.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptFileError {
    /// Another receipt is there already.
    #[error("{0} holds another receipt already: move it away, or name another file")]
    Exists(PathBuf),
    /// The operating system failed.
    #[error("{operation} {path} failed: {source}")]
    Io {
        /// What was done.
        operation: &'static str,
        /// To which file.
        path: PathBuf,
        /// The operating system's words.
        source: std::io::Error,
    },
}

impl ReceiptFileError {
    /// Whether the process must stop: never. The receipt is still at hand, and the file system said so.
    pub fn is_fatal(&self) -> bool {
        false
    }
}

/// Whether a file was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It was made, and is on disk.
    Created,
    /// It was there with the same bytes.
    AlreadyThere,
}

/// Where the receipt of a document goes: beside it, `<name>.receipt.json`.
pub fn receipt_path(document: &Path) -> PathBuf {
    let mut name = document.file_name().unwrap_or_default().to_owned();
    name.push(RECEIPT_SUFFIX);
    document.with_file_name(name)
}

/// The receipt's name for a document's name that came from outside: no path, no control or shell characters, ASCII.
pub fn receipt_name(document: &str) -> String {
    let last = document.rsplit(['/', '\\']).next().unwrap_or_default();
    let kept: String = last
        .chars()
        .take(NAME_CHARS_MAX)
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '_' })
        .collect();
    // A leading dot hides the file, a leading hyphen is an option to many tools.
    let kept = kept.trim_start_matches(['.', '-']);
    format!("{}{RECEIPT_SUFFIX}", if kept.is_empty() { "document" } else { kept })
}

/// Writes a receipt under a name that is free, or that holds these very bytes already.
///
/// The bytes go to a temporary file beside it, are synced, and get their name in one step that fails when the name is
/// taken. If we crash before that step, only a `.….partial` file remains; after it, the receipt is whole.
pub fn write_receipt(path: &Path, bytes: &[u8]) -> Result<Written, ReceiptFileError> {
    let fail = |operation, path: &Path| {
        let path = path.to_owned();
        move |source| ReceiptFileError::Io { operation, path, source }
    };
    if path.exists() {
        return compare(path, bytes);
    }
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let unique: [u8; 9] = random_bytes()
        .map_err(|error| fail("naming a temporary file beside", path)(std::io::Error::other(error.to_string())))?;
    let temporary = directory.join(format!(".{}.partial", codec::base64url(&unique)));
    let result = write_synced(&temporary, bytes)
        .map_err(fail("writing", &temporary))
        .and_then(|()| claim(&temporary, path, bytes));
    // The temporary name is of no use in either case; a failure to remove it loses nothing.
    let _ = std::fs::remove_file(&temporary);
    let written = result?;
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(fail("syncing the directory of", path))?;
    Ok(written)
}

fn write_synced(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Gives the whole, synced file its name, unless the name is taken.
fn claim(temporary: &Path, path: &Path, bytes: &[u8]) -> Result<Written, ReceiptFileError> {
    match std::fs::hard_link(temporary, path) {
        Ok(()) => Ok(Written::Created),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => compare(path, bytes),
        // Some file systems have no hard links: then a rename, which would overwrite, so look first.
        Err(_) if path.exists() => compare(path, bytes),
        Err(_) => std::fs::rename(temporary, path).map(|()| Written::Created).map_err(|source| ReceiptFileError::Io {
            operation: "naming",
            path: path.to_owned(),
            source,
        }),
    }
}

fn compare(path: &Path, bytes: &[u8]) -> Result<Written, ReceiptFileError> {
    let there = std::fs::read(path).map_err(|source| ReceiptFileError::Io {
        operation: "reading",
        path: path.to_owned(),
        source,
    })?;
    if there == bytes { Ok(Written::AlreadyThere) } else { Err(ReceiptFileError::Exists(path.to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_is_written_whole_once_and_never_over_another() {
        let directory = tempfile::tempdir().unwrap();
        let document = directory.path().join("contract.pdf");
        let path = receipt_path(&document);
        assert_eq!(path, directory.path().join("contract.pdf.receipt.json"));
        assert_eq!(write_receipt(&path, b"one").unwrap(), Written::Created);
        assert_eq!(write_receipt(&path, b"one").unwrap(), Written::AlreadyThere);
        let error = write_receipt(&path, b"two").unwrap_err();
        assert!(error.to_string().contains("holds another receipt already"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
        let names: Vec<_> = std::fs::read_dir(directory.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["contract.pdf.receipt.json"], "no temporary file is left");
        let error = write_receipt(&directory.path().join("absent/x.receipt.json"), b"one").unwrap_err();
        assert!(matches!(error, ReceiptFileError::Io { operation: "writing", .. }), "{error}");
    }

    #[test]
    fn of_many_writers_of_one_name_exactly_one_wins() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.receipt.json");
        let results: Vec<_> = std::thread::scope(|scope| {
            let handles: Vec<_> = (0..8u8)
                .map(|i| {
                    let path = &path;
                    scope.spawn(move || write_receipt(path, &[i; 1000]))
                })
                .collect();
            handles.into_iter().map(|handle| handle.join().unwrap()).collect()
        });
        assert_eq!(results.iter().filter(|r| matches!(r, Ok(Written::Created))).count(), 1);
        let there = std::fs::read(&path).unwrap();
        assert_eq!(there, vec![there[0]; 1000]);
    }

    #[test]
    fn names_from_outside_are_made_harmless() {
        for (given, expected) in [
            ("contract.pdf", "contract.pdf.receipt.json"),
            ("../../etc/passwd", "passwd.receipt.json"),
            ("C:\\Users\\me\\Zeugnis.pdf", "Zeugnis.pdf.receipt.json"),
            ("a\"; rm -rf \r\n.pdf", "a___rm_-rf___.pdf.receipt.json"),
            ("..", "document.receipt.json"),
            ("-rf", "rf.receipt.json"),
            ("", "document.receipt.json"),
            ("été.pdf", "_t_.pdf.receipt.json"),
        ] {
            assert_eq!(receipt_name(given), expected);
        }
        assert!(receipt_name(&"x".repeat(10_000)).len() < 255);
    }
}
