//! Reads a container: any single receipt, and all documents in order, in bounded memory.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use testamur_primitives::commitment::{DocumentDigest, Opening, SaltText};
use testamur_primitives::hash::TreeHash;
use testamur_primitives::merkle::MemoryTree;
use testamur_primitives::receipt::{self, Receipt};
use testamur_primitives::record::{Act, Record};

use crate::bulk::chunk::{Chunk, Entry};
use crate::bulk::error::{BulkError, Fault};
use crate::bulk::format::{
    ContainerId, END_BYTES, HEADER_BYTES, Index, Kind, MAGIC, Order, ReadError, Settings, name_order, parse_header,
    read_at, read_section,
};
use crate::bulk::threads;
use crate::bulk::writer::tree_of;
use crate::limits::CHUNK_ENTRIES;

/// A finished container.
#[derive(Debug)]
pub struct Container {
    file: File,
    path: PathBuf,
    length: u64,
    id: ContainerId,
    settings: Settings,
    index: Index,
    upper: MemoryTree,
    ledger: Receipt,
    act: Act,
}

/// Whether a file begins like a container.
pub fn is_container(path: &Path) -> bool {
    let mut bytes = [0; MAGIC.len()];
    File::open(path).is_ok_and(|mut file| file.read_exact(&mut bytes).is_ok() && bytes == MAGIC)
}

impl Container {
    /// Opens a finished container: header, settings, index and receipt are read and agree. Whether the receipt is to be
    /// trusted is for `receipt::verify` over [`Container::ledger`]; chunks are checked when they are read (INV-BULK-5).
    pub fn open(path: &Path) -> Result<Self, BulkError> {
        let io = |operation| BulkError::io(operation, path);
        let file = File::open(path).map_err(io("opening"))?;
        let length = file.metadata().map_err(io("reading"))?.len();
        Self::read(file, path, length).map_err(|error| match error {
            ReadError::Io(error) => BulkError::io("reading", path)(error),
            ReadError::Fault(fault) => BulkError::container(path)(fault),
        })
    }

    fn read(file: File, path: &Path, length: u64) -> Result<Self, ReadError> {
        let mut bytes = vec![0; length.min(HEADER_BYTES) as usize];
        read_at(&file, &mut bytes, 0)?;
        let id = parse_header(&bytes)?;
        let malformed = |offset, what| ReadError::Fault(Fault::Malformed { offset, what });
        let settings = read_section(&file, id, HEADER_BYTES, length)?;
        let settings = match settings.kind {
            Kind::Settings => Settings::decode(&settings.body),
            _ => None,
        };
        let settings = settings.ok_or(malformed(HEADER_BYTES, "settings that are not of the format"))?;
        let end_at = length.checked_sub(END_BYTES).ok_or(Fault::Unfinished)?;
        // A file that is still written, or cut off, ends in anything but an end.
        let end = match read_section(&file, id, end_at, length) {
            Ok(end) if end.kind == Kind::End => end.body,
            Ok(_) | Err(ReadError::Fault(_)) => return Err(Self::endless(&file, id, length).into()),
            Err(error) => return Err(error),
        };
        let (index_at, ledger_at) = end.split_at_checked(8).ok_or(malformed(end_at, "an end of another length"))?;
        let offset = |bytes: &[u8]| bytes.try_into().map(u64::from_be_bytes).ok();
        let places = offset(index_at).zip(offset(ledger_at)).filter(|(i, l)| i < l && *l < end_at);
        let (index_at, ledger_at) = places.ok_or(malformed(end_at, "an end that leads nowhere"))?;
        let section = read_section(&file, id, index_at, length)?;
        let index = if section.kind == Kind::Index { Index::decode(&section.body) } else { None };
        let index = index.ok_or(malformed(index_at, "an index that is not of the format"))?;
        let section = read_section(&file, id, ledger_at, length)?;
        let ledger = if section.kind == Kind::Ledger { Receipt::decode(&section.body).ok() } else { None };
        let ledger = ledger
            .filter(|ledger| ledger.opening.is_none())
            .ok_or(malformed(ledger_at, "a receipt that is not of the format"))?;
        let upper = tree_of(&index.chunks);
        if upper.root(upper.size()).ok() != Some(index.root) {
            return Err(Fault::Disagree("the index's root is not that of its chunks").into());
        }
        let act = Record::parse(ledger.record.as_bytes())
            .map_err(|_| malformed(ledger_at, "a record that is none"))?
            .act()
            .clone();
        match &act {
            Act::NotariseBatch { root, count, .. } if *root == index.root && *count == index.count => {}
            _ => return Err(Fault::Disagree("the record is over other documents").into()),
        }
        Ok(Self { file, path: path.to_owned(), length, id, settings, index, upper, ledger, act })
    }

    /// Why there is no end: found by walking the sections, whose frames are small.
    fn endless(file: &File, id: ContainerId, length: u64) -> Fault {
        let mut at = HEADER_BYTES;
        loop {
            match read_section(file, id, at, length) {
                Ok(section) if section.next == length => return Fault::Unfinished,
                Ok(section) => at = section.next,
                Err(ReadError::Fault(fault)) => return fault,
                Err(ReadError::Io(_)) => return Fault::Truncated(at),
            }
        }
    }

    /// Where it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Documents in it, erased ones too.
    pub fn count(&self) -> u64 {
        self.index.count
    }

    /// Root over all of them.
    pub fn root(&self) -> TreeHash {
        self.index.root
    }

    /// How they were gathered.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The ledger's part, which all its receipts share; unverified.
    pub fn ledger(&self) -> &Receipt {
        &self.ledger
    }

    /// Chunks in it.
    pub fn chunks(&self) -> usize {
        self.index.chunks.len()
    }

    /// A chunk below [`Container::chunks`]; its checksum, place and root agree with the index.
    pub fn chunk(&self, number: usize) -> Result<Chunk, BulkError> {
        self.parts().chunk(number)
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    pub(crate) fn id(&self) -> ContainerId {
        self.id
    }

    pub(crate) fn chunk_root(&self, number: usize) -> TreeHash {
        self.index.chunks[number].1
    }

    /// A chunk's body that was made here, read as one.
    pub(crate) fn parsed(&self, number: usize, body: Vec<u8>) -> Result<Chunk, BulkError> {
        let offset = self.index.chunks[number].0;
        Chunk::parse(body).map_err(|what| BulkError::container(&self.path)(Fault::Malformed { offset, what }))
    }

    pub(crate) fn disagrees(&self, what: &'static str) -> BulkError {
        BulkError::container(&self.path)(Fault::Disagree(what))
    }

    fn parts(&self) -> Parts<'_> {
        let Self { file, path, length, id, index, .. } = self;
        Parts { file, path, length: *length, id: *id, count: index.count, chunks: &index.chunks }
    }

    /// The receipt of a document, as its own file: the same bytes as if it had been notarised by itself under this record.
    /// `None` when there is no such document, or it was erased.
    pub fn receipt(&self, index: u64) -> Result<Option<Vec<u8>>, BulkError> {
        let Some(opening) = self.opening(index)? else { return Ok(None) };
        let disagree = |_| BulkError::container(&self.path)(Fault::Disagree("a document is not under the root"));
        receipt::check_opening(Some(&opening), &self.act, None).map_err(disagree)?;
        let mut receipt = self.ledger.clone();
        receipt.opening = Some(opening);
        Ok(Some(receipt.encode()))
    }

    /// The opening of a document; `None` when there is no such document, or it was erased.
    pub fn opening(&self, index: u64) -> Result<Option<Opening>, BulkError> {
        if index >= self.index.count {
            return Ok(None);
        }
        let (number, place) = (index / CHUNK_ENTRIES as u64, (index % CHUNK_ENTRIES as u64) as usize);
        let chunk = self.chunk(usize::try_from(number).expect("at most 2^22 chunks"))?;
        let Some((alg, digest)) = chunk.entry(place).digest else { return Ok(None) };
        let (mut path, root) = chunk.path(place);
        if root != chunk.root() {
            return Err(BulkError::container(&self.path)(Fault::Disagree(
                "a chunk's root is not that of its documents",
            )));
        }
        let above = self.upper.inclusion_proof(number, self.upper.size()).expect("the chunk is below the count");
        path.extend(above);
        let salt = chunk.salt(place).map(SaltText);
        Ok(Some(Opening { index, alg, digest: digest.to_vec(), salt, path: Some(path) }))
    }

    /// Whether the document at a place has this digest.
    pub fn is_at(&self, index: u64, digest: &DocumentDigest) -> Result<bool, BulkError> {
        Ok(self.entry_at(index, |entry| entry.is(digest))?.unwrap_or(false))
    }

    /// Name of the document at a place; empty when it has none, was erased, or there is no such document.
    pub fn name(&self, index: u64) -> Result<Vec<u8>, BulkError> {
        Ok(self.entry_at(index, |entry| entry.name.to_vec())?.unwrap_or_default())
    }

    fn entry_at<T>(&self, index: u64, read: impl FnOnce(Entry<'_>) -> T) -> Result<Option<T>, BulkError> {
        if index >= self.index.count {
            return Ok(None);
        }
        let (number, place) = (index / CHUNK_ENTRIES as u64, (index % CHUNK_ENTRIES as u64) as usize);
        let chunk = self.chunk(usize::try_from(number).expect("at most 2^22 chunks"))?;
        Ok(Some(read(chunk.entry(place))))
    }

    /// Calls `each` with every document, in order, until it says `false`.
    pub fn for_each(&self, mut each: impl FnMut(Entry<'_>) -> bool) -> Result<(), BulkError> {
        for number in 0..self.chunks() {
            if !self.chunk(number)?.entries().all(&mut each) {
                break;
            }
        }
        Ok(())
    }

    /// Indexes of the first `most` documents of that name: by halving in a folder's container, else by reading all.
    pub fn find_name(&self, name: &[u8], most: usize) -> Result<Vec<u64>, BulkError> {
        if self.settings.order == Order::Names {
            return Ok(self.find_ordered(name)?.into_iter().collect());
        }
        self.find(|entry| entry.digest.is_some() && entry.name == name, most)
    }

    /// Indexes of the first `most` documents with that digest, by reading all.
    pub fn find_digest(&self, digest: &DocumentDigest, most: usize) -> Result<Vec<u64>, BulkError> {
        self.find(|entry| entry.is(digest), most)
    }

    /// As [`Container::find_digest`], whatever the algorithm.
    pub fn find_digest_bytes(&self, bytes: &[u8], most: usize) -> Result<Vec<u64>, BulkError> {
        self.find(|entry| entry.digest.is_some_and(|(_, digest)| digest == bytes), most)
    }

    /// Whether a document was erased.
    pub fn has_erased(&self) -> Result<bool, BulkError> {
        Ok(!self.find(|entry| entry.digest.is_none(), 1)?.is_empty())
    }

    /// Reads all chunks, on all threads of the machine, until enough is found. An index of digests would cost a third of
    /// the container again, for what takes a second in 25 million documents.
    fn find(&self, wanted: impl Fn(&Entry<'_>) -> bool + Sync, most: usize) -> Result<Vec<u64>, BulkError> {
        let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        let work = || {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= self.chunks() {
                    return Ok(());
                }
                let chunk = match self.chunk(number) {
                    Ok(chunk) => chunk,
                    Err(error) => {
                        next.store(self.chunks(), Ordering::Relaxed);
                        return Err(error);
                    }
                };
                let here: Vec<_> = chunk.entries().filter(&wanted).map(|entry| entry.index).collect();
                if here.is_empty() {
                    continue;
                }
                let mut found = found.lock().expect("nobody panics holding it");
                found.extend(here);
                if found.len() >= most {
                    // Chunks before this one are finished by whoever has them, so the first ones are all found.
                    next.store(self.chunks(), Ordering::Relaxed);
                }
            }
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..threads()).map(|_| scope.spawn(work)).collect();
            threads.into_iter().try_for_each(|thread| thread.join().expect("a search does not panic"))
        })?;
        let mut found = found.into_inner().expect("nobody panics holding it");
        found.sort_unstable();
        found.truncate(most);
        Ok(found)
    }

    fn find_ordered(&self, name: &[u8]) -> Result<Option<u64>, BulkError> {
        // The last chunk whose first kept name is not behind the one looked for. An erased document has no name, so the
        // first name of a chunk that is there stands for it; a chunk without any is stepped over by reading the next.
        let (mut low, mut high) = (0, self.chunks());
        while low < high {
            let middle = low + (high - low) / 2;
            let mut after = None;
            for number in middle..high {
                let chunk = self.chunk(number)?;
                if let Some(entry) = chunk.entries().find(|entry| entry.digest.is_some()) {
                    after = Some((number, name_order(entry.name, name).is_gt()));
                    break;
                }
            }
            match after {
                Some((number, false)) => low = number + 1,
                _ => high = middle,
            }
        }
        let Some(number) = low.checked_sub(1) else { return Ok(None) };
        let chunk = self.chunk(number)?;
        let found = chunk.entries().find(|entry| entry.digest.is_some() && entry.name == name).map(|entry| entry.index);
        Ok(found)
    }

    /// Computes the root of every chunk from its documents: all that the container says is under the record's root.
    pub fn check(&self, threads: usize) -> Result<(), BulkError> {
        self.parts().check(threads)
    }
}

/// Chunks in a file, and what they have to be.
#[derive(Clone, Copy)]
pub(crate) struct Parts<'a> {
    pub(crate) file: &'a File,
    pub(crate) path: &'a Path,
    pub(crate) length: u64,
    pub(crate) id: ContainerId,
    pub(crate) count: u64,
    pub(crate) chunks: &'a [(u64, TreeHash)],
}

impl Parts<'_> {
    fn chunk(&self, number: usize) -> Result<Chunk, BulkError> {
        let (offset, root) = self.chunks[number];
        let fault = BulkError::container(self.path);
        let malformed = |what| fault(Fault::Malformed { offset, what });
        let section = read_section(self.file, self.id, offset, self.length).map_err(|error| match error {
            ReadError::Fault(damage) => fault(damage),
            ReadError::Io(error) => BulkError::io("reading", self.path)(error),
        })?;
        if section.kind != Kind::Chunk {
            return Err(malformed("another section where a chunk should be"));
        }
        let chunk = Chunk::parse(section.body).map_err(malformed)?;
        let first = (number * CHUNK_ENTRIES) as u64;
        let count = (self.count - first).min(CHUNK_ENTRIES as u64);
        if chunk.first() != first || chunk.count() as u64 != count || chunk.root() != root {
            return Err(fault(Fault::Disagree("a chunk is not the one of the index")));
        }
        Ok(chunk)
    }

    /// Reads all chunks and computes their roots, on as many threads; the first error ends it.
    pub(crate) fn check(&self, threads: usize) -> Result<(), BulkError> {
        let next = AtomicUsize::new(0);
        let work = || {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= self.chunks.len() {
                    return Ok(());
                }
                let checked = self.chunk(number).and_then(|chunk| {
                    let fault = Fault::Disagree("a chunk's root is not that of its documents");
                    let holds = chunk.computed_root() == chunk.root();
                    if holds { Ok(()) } else { Err(BulkError::container(self.path)(fault)) }
                });
                if checked.is_err() {
                    // The others stop after the chunk that they have.
                    next.store(self.chunks.len(), Ordering::Relaxed);
                    return checked;
                }
            }
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
            threads.into_iter().try_for_each(|thread| thread.join().expect("a check does not panic"))
        })
    }
}
