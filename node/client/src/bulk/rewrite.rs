//! A finished container written anew: without some of its documents, or with a newer receipt of its record.
//!
//! What is new is written beside the old file, as `NAME.new`, synced, and takes the name only when it is whole: if we crash
//! at any step the old container is still there, and what lies beside it is overwritten by the next run.
//!
//! **What erasing does.** A document's digest, name and salt are in no byte of the new file, nor can they be computed from
//! it: the secret that gave the salt goes with it. What stays is the hash of its leaf, a salted commitment under the
//! ledger's root, which nobody can tell from random bytes. **What it does not do.** Receipts that were cut before, copies and
//! backups of the container are other files; the blocks that the old file had are the file system's to reuse.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use testamur_primitives::receipt::Receipt;

use crate::bulk::container::Container;
use crate::bulk::error::BulkError;
use crate::bulk::format::{Index, Kind, header, section};
use crate::bulk::writer::sync_directory_of;
use crate::limits::CHUNK_ENTRIES;

impl Container {
    /// Erases documents: their receipts can no longer be cut from the file; all others stay the same, byte for byte.
    /// Returns how many were erased that were not before. Places behind the end are none.
    ///
    /// A container of plain digests is refused: its leaves hide nothing that is erased.
    pub fn erase(self, places: &[u64]) -> Result<u64, BulkError> {
        let mut places: Vec<_> = places.iter().copied().filter(|place| *place < self.count()).collect();
        places.sort_unstable();
        places.dedup();
        let mut erased = 0;
        let mut rewrite = Rewrite::begin(&self)?;
        let mut rest = places.as_slice();
        for number in 0..self.chunks() {
            let mut chunk = self.chunk(number)?;
            let next = (number as u64 + 1) * CHUNK_ENTRIES as u64;
            let (here, later) = rest.split_at(rest.partition_point(|place| *place < next));
            rest = later;
            for index in here {
                let place = (index % CHUNK_ENTRIES as u64) as usize;
                if chunk.entry(place).digest.is_none() {
                    continue;
                }
                let body = chunk.without(place).ok_or(BulkError::Plain)?;
                chunk = self.parsed(number, body)?;
                erased += 1;
            }
            // What goes into the new file gets a new checksum: it must be what the root says, or damage would be sealed in.
            if !here.is_empty() && chunk.computed_root() != chunk.root() {
                return Err(self.disagrees("a chunk's root is not that of its documents"));
            }
            rewrite.chunk(&chunk.into_body())?;
        }
        if erased > 0 {
            rewrite.finish(self.ledger())?;
        }
        Ok(erased)
    }

    /// Takes a newer receipt of the same record in place of the one that is there: one under a later checkpoint. Whether it
    /// is to be trusted is for the caller, who has verified it.
    pub fn refresh(self, ledger: &Receipt) -> Result<(), BulkError> {
        if ledger.record != self.ledger().record || ledger.opening.is_some() {
            return Err(BulkError::OtherRecord);
        }
        let mut rewrite = Rewrite::begin(&self)?;
        for number in 0..self.chunks() {
            rewrite.chunk(&self.chunk(number)?.into_body())?;
        }
        rewrite.finish(ledger)
    }
}

/// A container on its way into a new file.
struct Rewrite<'a> {
    old: &'a Container,
    path: PathBuf,
    file: BufWriter<File>,
    at: u64,
    index: Index,
}

impl<'a> Rewrite<'a> {
    /// Locks the old file and begins the new one. Two at once would lose what one of them does.
    fn begin(old: &'a Container) -> Result<Self, BulkError> {
        let io = |operation| BulkError::io(operation, old.path());
        match old.file().try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => return Err(BulkError::Busy(old.path().to_owned())),
            Err(std::fs::TryLockError::Error(error)) => return Err(io("locking")(error)),
        }
        // Another one may have ended between opening and locking: then this is a file without a name.
        let (ours, named) = (old.file().metadata(), std::fs::metadata(old.path()));
        let (ours, named) = (ours.map_err(io("reading"))?, named.map_err(io("reading"))?);
        if (ours.dev(), ours.ino()) != (named.dev(), named.ino()) {
            return Err(BulkError::Busy(old.path().to_owned()));
        }
        let path = new_path(old.path());
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(named.mode() & 0o777)
            .open(&path)
            .map_err(BulkError::io("opening", &path))?;
        let index = Index { count: old.count(), root: old.root(), chunks: Vec::with_capacity(old.chunks()) };
        let mut rewrite = Self { old, path, file: BufWriter::new(file), at: 0, index };
        rewrite.write(&header(old.id()))?;
        rewrite.section(Kind::Settings, &old.settings().encode())?;
        Ok(rewrite)
    }

    fn chunk(&mut self, body: &[u8]) -> Result<(), BulkError> {
        let root = self.old.chunk_root(self.index.chunks.len());
        let offset = self.section(Kind::Chunk, body)?;
        self.index.chunks.push((offset, root));
        Ok(())
    }

    /// Index, record, receipt, end; then the name.
    fn finish(mut self, ledger: &Receipt) -> Result<(), BulkError> {
        let index = self.section(Kind::Index, &self.index.encode())?;
        self.section(Kind::Record, ledger.record.as_bytes())?;
        let counts = self.section(Kind::Ledger, &ledger.clone().encode())?;
        self.section(Kind::End, &[index.to_be_bytes(), counts.to_be_bytes()].concat())?;
        self.file
            .flush()
            .and_then(|()| self.file.get_ref().sync_all())
            .map_err(BulkError::io("syncing", &self.path))?;
        // What was written is read before it takes the place of what was there.
        Container::open(&self.path)?;
        std::fs::rename(&self.path, self.old.path()).map_err(BulkError::io("naming", self.old.path()))?;
        // Nothing of that name is ours any more.
        self.path = PathBuf::new();
        sync_directory_of(self.old.path())
    }

    fn section(&mut self, kind: Kind, body: &[u8]) -> Result<u64, BulkError> {
        let offset = self.at;
        self.write(&section(self.old.id(), offset, kind, body))?;
        Ok(offset)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), BulkError> {
        self.file.write_all(bytes).map_err(BulkError::io("writing", &self.path))?;
        self.at += bytes.len() as u64;
        Ok(())
    }
}

impl Drop for Rewrite<'_> {
    fn drop(&mut self) {
        // What cannot be removed holds no more than the container, for the same user alone.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn new_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}
