//! A folder of diplomas to be handed out: each file is whole or not there, and none takes another's place.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::files::{self, Delivery};
use crate::office::{Office, OfficeError, OnProgress, Progress};
use crate::store::{Award, AwardKey, StoreError};
use crate::work::each_in_parallel;

/// What was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// Files that were made.
    pub made: usize,
    /// Files that were there already, with these very bytes.
    pub there: usize,
}

impl Office {
    /// Writes all files of the diplomas that are in force, or were the last to be, for these awards. `each` gets every award.
    ///
    /// If we crash, some files are there and whole, perhaps one that ends in `.partial`, and doing it again writes the others.
    pub fn write_files(
        &self,
        awards: &[AwardKey],
        folder: &Path,
        progress: OnProgress<'_>,
        mut each: impl FnMut(&Award, &[String]),
    ) -> Result<Written, OfficeError> {
        fs::create_dir_all(folder).map_err(|error| io("make", folder, &error))?;
        let delivery = Delivery::new(self);
        let (mut written, mut done) = (Written::default(), 0);
        let work = |key: &AwardKey| {
            let award = self.store.award(key)?.ok_or(StoreError::Damaged)?;
            let edition = Self::issued_edition(&award).ok_or_else(|| OfficeError::Unknown(award.id.to_string()))?;
            let mut counts = Written::default();
            let mut names = Vec::new();
            for file in delivery.files(&award, edition)? {
                match write(folder, &file)? {
                    true => counts.made += 1,
                    false => counts.there += 1,
                }
                names.push(file.name);
            }
            Ok::<_, OfficeError>((award, names, counts))
        };
        each_in_parallel(self.settings.threads, awards, work, |_, result| {
            let (award, names, counts) = result?;
            written.made += counts.made;
            written.there += counts.there;
            done += 1;
            each(&award, &names);
            if done % 64 == 0 || done == awards.len() {
                progress(Progress { doing: "writing", done, of: awards.len() });
            }
            Ok::<_, OfficeError>(())
        })?;
        // Once for all files: thousands of single ones would take minutes.
        let synced = File::open(folder).and_then(|folder| rustix::fs::syncfs(&folder).map_err(Into::into));
        synced.map_err(|error| io("sync", folder, &error))?;
        Ok(written)
    }
}

/// Writes a file; whether it was made. A file of another content is not touched.
fn write(folder: &Path, file: &files::File) -> Result<bool, OfficeError> {
    let path = folder.join(&file.name);
    match fs::read(&path) {
        Ok(there) if there == file.bytes => return Ok(false),
        // A power cut can leave the beginning of a file: that is no other content.
        Ok(there) if !file.bytes.starts_with(&there) => {
            return Err(OfficeError::Other {
                code: "diploma.file-exists",
                what: format!("{} is there with other content, and nothing is overwritten", path.display()),
                hint: "name another folder with --out, or move the file away",
            });
        }
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(io("read", &path, &error)),
    }
    let temporary: PathBuf = folder.join(format!(".{}.partial", file.name));
    let mut options = OpenOptions::new();
    // For the owner alone: these are people's diplomas.
    let written = options.write(true).create(true).truncate(true).mode(0o600).open(&temporary);
    let written = written.and_then(|mut out| out.write_all(&file.bytes)).and_then(|()| fs::rename(&temporary, &path));
    written.map_err(|error| io("write", &path, &error))?;
    Ok(true)
}

fn io(action: &str, path: &Path, error: &std::io::Error) -> OfficeError {
    OfficeError::Other {
        code: "cli.file",
        what: format!("cannot {action} {}: {error}", path.display()),
        hint: "look at the disk: space, permissions; then run it again",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_once_and_never_over_another() {
        let folder = tempfile::tempdir().unwrap();
        let file = files::File { name: "a.pdf".into(), bytes: b"diploma".to_vec() };
        assert!(write(folder.path(), &file).unwrap());
        assert!(!write(folder.path(), &file).unwrap());
        let other = files::File { bytes: b"another".to_vec(), ..file.clone() };
        assert_eq!(write(folder.path(), &other).unwrap_err().code(), "diploma.file-exists");
        for torn in [&b""[..], b"dip"] {
            fs::write(folder.path().join("a.pdf"), torn).unwrap();
            assert!(write(folder.path(), &file).unwrap());
            assert_eq!(fs::read(folder.path().join("a.pdf")).unwrap(), b"diploma");
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
    }
}
