//! A directory under another name until it is whole.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::backup::MANIFEST;
use crate::db::read_identity;
use crate::error::StoreError;

/// `DIRECTORY.partial`: removed when dropped, unless it was given its name.
pub(crate) struct Partial {
    directory: PathBuf,
    partial: PathBuf,
    done: bool,
}

/// Why a directory cannot be made.
pub(crate) enum InTheWay {
    /// The directory has something in it.
    NotEmpty(PathBuf),
    /// What lies under the partial name was not made here.
    Unknown(PathBuf),
    /// The file system failed.
    Store(StoreError),
}

fn io(operation: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { operation, path, source }
}

fn is_empty(directory: &Path) -> Result<bool, StoreError> {
    match fs::read_dir(directory) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(io("list", directory)(error)),
    }
}

impl Partial {
    /// Makes the partial directory of one that does not exist or is empty. What a run that was killed left is removed.
    pub(crate) fn new(directory: &Path) -> Result<Self, InTheWay> {
        if !is_empty(directory).map_err(InTheWay::Store)? {
            return Err(InTheWay::NotEmpty(directory.to_owned()));
        }
        let mut name = directory.file_name().unwrap_or_default().to_owned();
        name.push(".partial");
        let partial = directory.with_file_name(name);
        if partial.exists() {
            let ours = is_empty(&partial).map_err(InTheWay::Store)?
                || read_identity(&partial).map_err(InTheWay::Store)?.is_some()
                || partial.join(MANIFEST).exists();
            if !ours {
                return Err(InTheWay::Unknown(partial));
            }
            fs::remove_dir_all(&partial).map_err(|error| InTheWay::Store(io("remove", &partial)(error)))?;
        }
        fs::create_dir_all(&partial).map_err(|error| InTheWay::Store(io("create", &partial)(error)))?;
        Ok(Self { directory: directory.to_owned(), partial, done: false })
    }

    /// Where to work.
    pub(crate) fn path(&self) -> &Path {
        &self.partial
    }

    /// Gives it its name: from the end of this call on it is there, also after a power cut. All files in it must be synced.
    pub(crate) fn finish(mut self) -> Result<(), StoreError> {
        sync_directories(&self.partial)?;
        // A rename replaces an empty directory; one that is no more empty is an error, and nothing is lost.
        fs::rename(&self.partial, &self.directory).map_err(io("rename", &self.partial))?;
        self.done = true;
        let parent = match self.directory.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        File::open(parent).and_then(|parent| parent.sync_all()).map_err(io("sync", parent))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.done
            && let Err(error) = fs::remove_dir_all(&self.partial)
        {
            tracing::warn!(path = %self.partial.display(), %error, "what was half made could not be removed");
        }
    }
}

/// Makes the entries of a directory, and of those below it, durable.
fn sync_directories(directory: &Path) -> Result<(), StoreError> {
    for entry in fs::read_dir(directory).map_err(io("list", directory))? {
        let path = entry.map_err(io("list", directory))?.path();
        if path.is_dir() {
            sync_directories(&path)?;
        }
    }
    File::open(directory).and_then(|d| d.sync_all()).map_err(io("sync", directory))
}
