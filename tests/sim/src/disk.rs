//! A disk that keeps what it must and no more.
//!
//! What is written is in the machine's memory until it is synced, and may reach the disk before that in any order of
//! files, in the order of writes within one. When the power goes, each file keeps what was synced and a part of what was
//! written after it, the last write perhaps torn; names that were not synced with their directory may be the old ones.
//! When only the process dies, nothing is lost. An operation may fail; after a failed sync the machine may have forgotten
//! what it could not write (so has Linux), and only who never tries again is safe.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use arc_malachitebft_app_channel::app::wal::Storage;
use testamur_consensus::guard::GuardDisk;

use crate::random::Random;

/// One node's disk; clones share it.
#[derive(Debug, Clone)]
pub struct Disk(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    random: Random,
    files: Vec<Content>,
    /// Names as the machine sees them, and as they are on the disk, with what happened in between.
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    name_changes: Vec<NameChange>,
    operations: u64,
    /// The machine stops in this operation.
    stop_at: Option<u64>,
    stopped: bool,
    /// Operations that fail, in 10,000.
    failing: u64,
    failures: u64,
    /// Whether syncs only say that they happened.
    lying: bool,
}

#[derive(Debug, Default)]
struct Content {
    seen: Vec<u8>,
    durable: Vec<u8>,
    writes: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Truncate(usize),
}

#[derive(Debug, Clone)]
enum NameChange {
    Create(String, usize),
    Rename(String, String),
}

impl Change {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Self::Write(at, bytes) => {
                let end = at + bytes.len();
                if to.len() < end {
                    to.resize(end, 0);
                }
                to[*at..end].copy_from_slice(bytes);
            }
            Self::Truncate(length) => to.resize(*length, 0),
        }
    }
}

impl NameChange {
    fn apply(&self, to: &mut BTreeMap<String, usize>) {
        match self {
            Self::Create(name, file) => {
                to.insert(name.clone(), *file);
            }
            Self::Rename(from, new) => {
                if let Some(file) = to.remove(from) {
                    to.insert(new.clone(), file);
                }
            }
        }
    }
}

impl Inner {
    /// Counts an operation that changes something, and says whether it fails.
    fn operate(&mut self, what: &str) -> io::Result<()> {
        if self.stopped {
            return Err(io::Error::other("the machine is off"));
        }
        self.operations += 1;
        if self.stop_at.is_some_and(|at| self.operations >= at) {
            self.stopped = true;
            return Err(io::Error::other("the power went"));
        }
        if self.failing > 0 && self.random.chance(self.failing) {
            self.failures += 1;
            return Err(io::Error::other(format!("{what}: input/output error")));
        }
        Ok(())
    }

    fn file(&self, name: &str) -> io::Result<usize> {
        self.names.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn change(&mut self, file: usize, change: Change) -> io::Result<()> {
        let failed = self.operate("write").err();
        let change = match (&failed, change) {
            (None, change) => change,
            // A part of it was written.
            (Some(_), Change::Write(at, mut bytes)) => {
                bytes.truncate(self.random.below(bytes.len() as u64 + 1) as usize);
                Change::Write(at, bytes)
            }
            (Some(_), _) => return failed.map_or(Ok(()), Err),
        };
        let content = &mut self.files[file];
        change.apply(&mut content.seen);
        content.writes.push(change);
        failed.map_or(Ok(()), Err)
    }

    fn sync(&mut self, file: usize) -> io::Result<()> {
        let failed = self.operate("sync").err();
        let content = &mut self.files[file];
        if failed.is_some() {
            if !self.stopped && self.random.chance(5_000) {
                // Pages that could not be written are given up.
                content.seen.clone_from(&content.durable);
                content.writes.clear();
            }
            return failed.map_or(Ok(()), Err);
        }
        if !self.lying {
            for change in content.writes.drain(..) {
                change.apply(&mut content.durable);
            }
        }
        Ok(())
    }

    fn lose_power(&mut self) {
        for content in &mut self.files {
            let kept = self.random.below(content.writes.len() as u64 + 1) as usize;
            for (number, change) in content.writes.drain(..).enumerate() {
                match change {
                    change if number < kept => change.apply(&mut content.durable),
                    Change::Write(at, mut bytes) if number == kept && self.random.chance(5_000) => {
                        bytes.truncate(self.random.below(bytes.len() as u64) as usize);
                        Change::Write(at, bytes).apply(&mut content.durable);
                    }
                    _ => {}
                }
            }
            content.seen.clone_from(&content.durable);
        }
        let kept = self.random.below(self.name_changes.len() as u64 + 1) as usize;
        for change in self.name_changes.drain(..).take(kept) {
            change.apply(&mut self.durable_names);
        }
        self.names = self.durable_names.clone();
    }
}

impl Disk {
    /// An empty disk.
    pub fn new(random: Random) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            random,
            files: Vec::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            name_changes: Vec::new(),
            operations: 0,
            stop_at: None,
            stopped: false,
            failing: 0,
            failures: 0,
            lying: false,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().expect("no panic while a disk is held")
    }

    /// The machine will stop in the so-manieth operation from now.
    pub fn stop_in(&self, operations: u64) {
        let mut inner = self.lock();
        inner.stop_at = Some(inner.operations + operations.max(1));
    }

    /// Whether the machine stopped.
    pub fn stopped(&self) -> bool {
        self.lock().stopped
    }

    /// The power goes and comes back, or (`power` is false) the process ends and is started again.
    pub fn restart(&self, power: bool) {
        let mut inner = self.lock();
        if power || inner.stopped {
            inner.lose_power();
        }
        inner.stop_at = None;
        inner.stopped = false;
    }

    /// From now on so many operations fail, in 10,000.
    pub fn fail(&self, in_10_000: u64) {
        self.lock().failing = in_10_000;
    }

    /// Operations that failed.
    pub fn failures(&self) -> u64 {
        self.lock().failures
    }

    /// From now on syncs do nothing and say that they did.
    pub fn lie(&self) {
        self.lock().lying = true;
    }

    /// Takes a file away, as an operator or a broken tool would.
    pub fn remove(&self, name: &str) {
        let mut inner = self.lock();
        inner.names.remove(name);
        inner.durable_names.remove(name);
        inner.name_changes.retain(|change| !matches!(change, NameChange::Create(n, _) if n == name));
    }

    /// Changes a bit of a file on the disk; whether it has one.
    pub fn flip(&self, name: &str, number: u64) -> bool {
        let mut inner = self.lock();
        let Ok(file) = inner.file(name) else { return false };
        let content = &mut inner.files[file];
        if content.durable.is_empty() {
            return false;
        }
        let at = (number / 8) as usize % content.durable.len();
        content.durable[at] ^= 1 << (number % 8);
        content.seen.clone_from(&content.durable);
        content.writes.clear();
        true
    }

    /// Whether a file is there.
    pub fn has(&self, name: &str) -> bool {
        self.lock().names.contains_key(name)
    }

    /// What a file holds.
    pub fn read_file(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        let inner = self.lock();
        if inner.stopped {
            return Err(io::Error::other("the machine is off"));
        }
        Ok(inner.names.get(name).map(|file| inner.files[*file].seen.clone()))
    }

    /// Cuts a file to a length.
    pub fn truncate(&self, name: &str, length: usize) -> io::Result<()> {
        let mut inner = self.lock();
        let file = inner.file(name)?;
        inner.change(file, Change::Truncate(length))
    }
}

impl GuardDisk for Disk {
    fn read(&mut self, name: &str) -> io::Result<Option<Vec<u8>>> {
        self.read_file(name)
    }

    fn create(&mut self, name: &str, new: bool) -> io::Result<()> {
        let mut inner = self.lock();
        if new && inner.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        inner.operate("create")?;
        let file = inner.files.len();
        inner.files.push(Content::default());
        let change = NameChange::Create(name.to_owned(), file);
        change.apply(&mut inner.names);
        inner.name_changes.push(change);
        Ok(())
    }

    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut inner = self.lock();
        let file = inner.file(name)?;
        let end = inner.files[file].seen.len();
        inner.change(file, Change::Write(end, bytes.to_vec()))
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        let mut inner = self.lock();
        let file = inner.file(name)?;
        inner.sync(file)
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let mut inner = self.lock();
        inner.file(from)?;
        inner.operate("rename")?;
        let change = NameChange::Rename(from.to_owned(), to.to_owned());
        change.apply(&mut inner.names);
        inner.name_changes.push(change);
        Ok(())
    }

    fn sync_directory(&mut self) -> io::Result<()> {
        let mut inner = self.lock();
        inner.operate("sync")?;
        if !inner.lying {
            inner.durable_names = inner.names.clone();
            inner.name_changes.clear();
        }
        Ok(())
    }

    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from(name)
    }
}

/// The engine's log on such a disk.
#[derive(Debug)]
pub struct LogFile {
    disk: Disk,
    file: usize,
    position: u64,
}

impl LogFile {
    fn length(&self) -> u64 {
        self.disk.lock().files[self.file].seen.len() as u64
    }
}

impl Storage for LogFile {
    type OpenOptions = Disk;

    fn open_with(path: impl AsRef<Path>, mut disk: Disk) -> io::Result<Self> {
        let name = path.as_ref().to_string_lossy().into_owned();
        if !disk.has(&name) {
            disk.create(&name, true)?;
        }
        let file = disk.lock().file(&name)?;
        Ok(Self { disk, file, position: 0 })
    }

    fn size_bytes(&self) -> io::Result<u64> {
        Ok(self.length())
    }

    fn truncate_to(&mut self, size: u64) -> io::Result<()> {
        self.disk.lock().change(self.file, Change::Truncate(size as usize))
    }

    fn sync_all(&mut self) -> io::Result<()> {
        self.disk.lock().sync(self.file)
    }
}

impl Read for LogFile {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let inner = self.disk.lock();
        let seen = &inner.files[self.file].seen;
        let from = (self.position as usize).min(seen.len());
        let length = into.len().min(seen.len() - from);
        into[..length].copy_from_slice(&seen[from..from + length]);
        drop(inner);
        self.position += length as u64;
        Ok(length)
    }
}

impl Write for LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let at = self.position as usize;
        self.disk.lock().change(self.file, Change::Write(at, bytes.to_vec()))?;
        self.position += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for LogFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.length().checked_add_signed(by),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}
