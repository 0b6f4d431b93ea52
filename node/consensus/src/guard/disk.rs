//! Where a guard keeps its file: a directory, or the disk of a simulation.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::GuardError;

/// The few things that a guard does with a disk. Names are of files in one directory. What an operation promises, it
/// promises when it returns; none is ever tried again after it failed.
pub trait GuardDisk: fmt::Debug + Send {
    /// What a file holds; `None` when there is none.
    fn read(&mut self, name: &str) -> io::Result<Option<Vec<u8>>>;

    /// Makes an empty file, in the place of one that is there unless it must be `new`.
    fn create(&mut self, name: &str, new: bool) -> io::Result<()>;

    /// Writes at a file's end.
    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()>;

    /// What was written to a file is durable when this returns.
    fn sync(&mut self, name: &str) -> io::Result<()>;

    /// Puts a file in the place of another; what is appended to the new name goes on behind what it holds.
    fn rename(&mut self, from: &str, to: &str) -> io::Result<()>;

    /// Names are durable when this returns.
    fn sync_directory(&mut self) -> io::Result<()>;

    /// Where a file is, for words.
    fn path(&self, name: &str) -> PathBuf;
}

/// A directory of the file system.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    /// Files that were created through it, by their present names.
    files: BTreeMap<String, File>,
}

impl Directory {
    /// A directory, which is made if it is not there.
    pub fn open(path: &Path) -> Result<Self, GuardError> {
        let failed = |source| GuardError::Io { what: "create", path: path.to_owned(), source };
        std::fs::create_dir_all(path).map_err(failed)?;
        Ok(Self { path: path.to_owned(), files: BTreeMap::new() })
    }

    fn file(&mut self, name: &str) -> io::Result<&mut File> {
        self.files.get_mut(name).ok_or_else(|| io::Error::other("not created by this guard"))
    }
}

impl GuardDisk for Directory {
    fn read(&mut self, name: &str) -> io::Result<Option<Vec<u8>>> {
        match std::fs::read(self.path(name)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn create(&mut self, name: &str, new: bool) -> io::Result<()> {
        let file = if new {
            OpenOptions::new().write(true).create_new(true).open(self.path(name))?
        } else {
            File::create(self.path(name))?
        };
        self.files.insert(name.to_owned(), file);
        Ok(())
    }

    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.file(name)?.write_all(bytes)
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        self.file(name)?.sync_data()
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        std::fs::rename(self.path(from), self.path(to))?;
        self.files.remove(to);
        if let Some(file) = self.files.remove(from) {
            self.files.insert(to.to_owned(), file);
        }
        Ok(())
    }

    fn sync_directory(&mut self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}
