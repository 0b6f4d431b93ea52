//! Makes a container: documents, index, record, receipt; each step on disk before the next, and gone on with after a kill.
//!
//! The file is `NAME.partial` until all is in it. It is the run's own journal: whoever opens it again reads each section,
//! takes away what a kill left half written, and goes on at the [`Stage`] that it shows.
//!
//! | killed | found again | then |
//! | --- | --- | --- |
//! | while chunks are written | the chunks that were whole | the rest is hashed |
//! | after the index | `Sealed` | a record is signed |
//! | after the record, sent or not | `Signed` | the same record is sent again (INV-BULK-2) |
//! | after the receipt | `Final` | the file gets its name |

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use testamur_primitives::hash::TreeHash;
use testamur_primitives::limits::BATCH_COUNT_MAX;
use testamur_primitives::merkle::MemoryTree;
use testamur_primitives::receipt::Receipt;
use testamur_primitives::record::{Act, BatchTree, Record, Reference};

use crate::batch::{BatchError, random_bytes};
use crate::bulk::chunk::{Chunk, Sealed};
use crate::bulk::container::Parts;
use crate::bulk::error::{BulkError, Fault};
use crate::bulk::format::{
    self, ContainerId, FRAME_BYTES, HEADER_BYTES, Index, Kind, ReadError, Settings, frame, header, parse_header,
    read_at, read_section, section,
};

use crate::cut::Cut;
use crate::limits::{CHUNK_ENTRIES, SYNC_BYTES};

/// How far a container is.
#[derive(Debug, Clone)]
pub enum Stage {
    /// Documents are added.
    Collecting,
    /// All documents are in; nothing is signed.
    Sealed,
    /// A record is signed over them, and may have been sent.
    Signed(Box<Record>),
    /// The receipt is in.
    Final,
}

impl Stage {
    fn name(&self) -> &'static str {
        match self {
            Self::Collecting => "still taking documents",
            Self::Sealed => "sealed: no more documents go in, and no record is signed yet",
            Self::Signed(_) => "signed: its record waits for its receipt",
            Self::Final => "finished",
        }
    }
}

/// Writes one container; while it lives no other process does.
#[derive(Debug)]
pub struct Writer {
    file: File,
    path: PathBuf,
    partial: PathBuf,
    id: ContainerId,
    settings: Settings,
    at: u64,
    synced: u64,
    count: u64,
    chunks: Vec<(u64, TreeHash)>,
    index: Option<(u64, Index)>,
    last_name: Vec<u8>,
    stage: Stage,
}

impl Writer {
    /// Where a container stands while it is made: `NAME.partial`.
    pub fn partial_path(path: &Path) -> PathBuf {
        let mut name = path.as_os_str().to_owned();
        name.push(".partial");
        PathBuf::from(name)
    }

    /// Begins a container that will be named `path`, or goes on with the one that was begun. Nothing of that name may be
    /// there; one that was begun with other settings is refused.
    pub fn open(path: &Path, settings: &Settings) -> Result<Self, BulkError> {
        if path.exists() {
            return Err(BulkError::Exists(path.to_owned()));
        }
        let partial = Self::partial_path(path);
        // It holds salts: for this user alone, like the documents' receipts.
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&partial)
            .map_err(BulkError::io("opening", &partial))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => return Err(BulkError::Busy(partial)),
            Err(std::fs::TryLockError::Error(error)) => return Err(BulkError::io("locking", &partial)(error)),
        }
        let mut writer = Self {
            file,
            path: path.to_owned(),
            partial,
            id: ContainerId([0; 16]),
            settings: settings.clone(),
            at: 0,
            synced: 0,
            count: 0,
            chunks: Vec::new(),
            index: None,
            last_name: Vec::new(),
            stage: Stage::Collecting,
        };
        if !writer.recover()? {
            writer.begin()?;
        }
        Ok(writer)
    }

    /// Header and settings of a new file. If we crash here, what is there is no container, and is begun again.
    fn begin(&mut self) -> Result<(), BulkError> {
        self.truncate(0)?;
        self.id = ContainerId(random_bytes()?);
        self.write(&header(self.id))?;
        self.append_section(Kind::Settings, &self.settings.encode())?;
        self.sync()?;
        sync_directory_of(&self.partial)
    }

    /// Takes up what is there; `false` when that is not even header and settings.
    fn recover(&mut self) -> Result<bool, BulkError> {
        let partial = self.partial.clone();
        let (fault, io) = (BulkError::container(&partial), |e| BulkError::io("reading", &partial)(e));
        let length = self.file.metadata().map_err(io)?.len();
        let mut bytes = vec![0; length.min(HEADER_BYTES) as usize];
        match read_at(&self.file, &mut bytes, 0) {
            Ok(()) => {}
            Err(ReadError::Io(error)) => return Err(io(error)),
            Err(ReadError::Fault(damage)) => return Err(fault(damage)),
        }
        self.id = match parse_header(&bytes) {
            Ok(id) => id,
            Err(_) if length == 0 => return Ok(false),
            Err(Fault::Truncated(_)) => return Ok(false),
            Err(damage) => return Err(fault(damage)),
        };
        let mut offset = HEADER_BYTES;
        let mut settings = None;
        while offset < length {
            let section = match read_section(&self.file, self.id, offset, length) {
                Ok(section) => section,
                Err(ReadError::Io(error)) => return Err(io(error)),
                Err(ReadError::Fault(damage)) => {
                    self.refuse_unless_torn(damage, offset, length)?;
                    break;
                }
            };
            let next = section.next;
            self.take_up(section, offset, &mut settings).map_err(|what| fault(Fault::Malformed { offset, what }))?;
            offset = next;
        }
        let Some(settings) = settings else { return Ok(false) };
        if settings != self.settings {
            return Err(BulkError::OtherSettings(self.partial.clone()));
        }
        self.truncate(offset)?;
        (self.at, self.synced) = (offset, offset);
        Ok(true)
    }

    /// One whole section of a file that was begun.
    fn take_up(
        &mut self,
        section: format::Section,
        offset: u64,
        settings: &mut Option<Settings>,
    ) -> Result<(), &'static str> {
        match (section.kind, &self.stage) {
            (Kind::Settings, Stage::Collecting) if settings.is_none() => {
                *settings = Some(Settings::decode(&section.body).ok_or("settings that are not of the format")?);
            }
            (Kind::Chunk, Stage::Collecting) if settings.is_some() => {
                let chunk = Chunk::parse(section.body)?;
                if chunk.first() != self.count {
                    return Err("a chunk that does not follow the one before");
                }
                self.count += chunk.count() as u64;
                self.chunks.push((offset, chunk.root()));
                self.last_name = chunk.entry(chunk.count() - 1).name.to_vec();
            }
            (Kind::Index, Stage::Collecting) => {
                let index = Index::decode(&section.body).ok_or("an index that is not of the format")?;
                if index.chunks != self.chunks || index.count != self.count || index.root != tree_root(&self.chunks) {
                    return Err("an index of other chunks");
                }
                self.index = Some((offset, index));
                self.stage = Stage::Sealed;
            }
            (Kind::Record, Stage::Sealed | Stage::Signed(_)) => {
                let record = Record::parse(&section.body).map_err(|_| "a record that is none")?;
                self.stage = Stage::Signed(Box::new(record));
            }
            // The receipt counts once the end says so; without it, it is fetched again and written behind.
            (Kind::Ledger, Stage::Signed(_)) => {}
            (Kind::End, Stage::Signed(_)) => self.stage = Stage::Final,
            _ => return Err("a section that does not belong there"),
        }
        Ok(())
    }

    /// A kill or a power cut tears the end of what was not synced. Anything else is damage: to cut it off could take
    /// away salts of a record that was sent, so it is left as it is for the operator.
    fn refuse_unless_torn(&self, damage: Fault, offset: u64, length: u64) -> Result<(), BulkError> {
        let refuse = || Err(BulkError::container(&self.partial)(damage.clone()));
        if length - offset > 2 * SYNC_BYTES {
            return refuse();
        }
        // Is it whole behind it? Then this section was not the last thing written.
        if let Ok((Some(_), body)) = frame(&self.file, offset, length) {
            let next = offset + body + FRAME_BYTES;
            if next < length && read_section(&self.file, self.id, next, length).is_ok() {
                return refuse();
            }
        }
        Ok(())
    }

    /// How far it is.
    pub fn stage(&self) -> &Stage {
        &self.stage
    }

    /// Documents in it.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// How its documents are gathered.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The file that is written now.
    pub fn partial(&self) -> &Path {
        &self.partial
    }

    /// Name of the last document in it: in a folder, where to go on.
    pub fn last_name(&self) -> &[u8] {
        &self.last_name
    }

    /// Takes all documents out again, to begin anew with the same options: nothing was signed, so nothing is lost.
    pub fn restart(&mut self) -> Result<(), BulkError> {
        let Stage::Collecting = self.stage else { return Err(BulkError::Stage(self.stage.name())) };
        (self.count, self.at, self.synced) = (0, 0, 0);
        self.chunks.clear();
        self.last_name.clear();
        self.begin()
    }

    /// Gives the run up and removes its file: nothing was signed, so nothing is lost.
    pub fn discard(self) -> Result<(), BulkError> {
        let (Stage::Collecting | Stage::Sealed) = self.stage else { return Err(BulkError::Stage(self.stage.name())) };
        std::fs::remove_file(&self.partial).map_err(BulkError::io("removing", &self.partial))
    }

    /// Takes out the last chunk if it is not full: a run that was ended early left it, and more documents follow.
    pub fn reopen_last(&mut self) -> Result<(), BulkError> {
        let Stage::Collecting = self.stage else { return Err(BulkError::Stage(self.stage.name())) };
        if self.count.is_multiple_of(CHUNK_ENTRIES as u64) {
            return Ok(());
        }
        let (offset, _) = self.chunks.pop().expect("documents that fill no chunk are in one");
        self.count -= self.count % CHUNK_ENTRIES as u64;
        self.last_name = match self.chunks.last() {
            None => Vec::new(),
            Some((at, _)) => {
                let section = read_section(&self.file, self.id, *at, offset).map_err(|error| self.unread(error))?;
                let chunk = Chunk::parse(section.body)
                    .map_err(|what| BulkError::container(&self.partial)(Fault::Malformed { offset: *at, what }))?;
                chunk.entry(chunk.count() - 1).name.to_vec()
            }
        };
        self.truncate(offset)?;
        (self.at, self.synced) = (offset, offset);
        Ok(())
    }

    fn unread(&self, error: ReadError) -> BulkError {
        match error {
            ReadError::Fault(fault) => BulkError::container(&self.partial)(fault),
            ReadError::Io(error) => BulkError::io("reading", &self.partial)(error),
        }
    }

    /// Adds a chunk. All but the last one are full.
    pub fn append(&mut self, sealed: &Sealed, last_name: &[u8]) -> Result<(), BulkError> {
        let Stage::Collecting = self.stage else { return Err(BulkError::Stage(self.stage.name())) };
        assert_eq!(sealed.first(), self.count, "chunks follow one another without gaps");
        if self.count + sealed.count() as u64 > BATCH_COUNT_MAX {
            return Err(BulkError::TooMany);
        }
        let offset = self.append_section(Kind::Chunk, sealed.body())?;
        self.count += sealed.count() as u64;
        self.chunks.push((offset, sealed.root()));
        self.last_name.clear();
        self.last_name.extend_from_slice(last_name);
        if self.at - self.synced >= SYNC_BYTES {
            self.sync()?;
        }
        Ok(())
    }

    /// Ends the documents and computes the root over them; on disk when this returns.
    pub fn seal(&mut self) -> Result<(), BulkError> {
        let Stage::Collecting = self.stage else { return Err(BulkError::Stage(self.stage.name())) };
        if self.count == 0 {
            return Err(BatchError::Empty.into());
        }
        let index = Index { count: self.count, root: tree_root(&self.chunks), chunks: self.chunks.clone() };
        let offset = self.append_section(Kind::Index, &index.encode())?;
        self.sync()?;
        self.index = Some((offset, index));
        self.stage = Stage::Sealed;
        Ok(())
    }

    /// Reads all chunks back and computes their roots from what is on disk, on as many threads: what a record is signed over
    /// is what receipts will be cut from (INV-BULK-1). A bit that flipped on the way is found here, when hashing again
    /// still helps, and not by who needs a receipt years later.
    pub fn read_back(&self, threads: usize) -> Result<(), BulkError> {
        let Self { file, partial, id, count, chunks, .. } = self;
        Parts { file, path: partial, length: self.at, id: *id, count: *count, chunks }.check(threads)
    }

    /// The act that the record has to be over.
    pub fn act(&self, reference: Option<Reference>) -> Result<Act, BulkError> {
        let (_, index) = self.index.as_ref().ok_or(BulkError::Stage(self.stage.name()))?;
        Ok(Act::NotariseBatch { tree: BatchTree::Rfc6962Sha256, root: index.root, count: index.count, reference })
    }

    /// Writes the signed record down (INV-BULK-1): only after this returns may it be sent.
    ///
    /// A second record is for a caller who has seen that the first one can no longer enter the ledger (INV-BULK-2).
    pub fn record(&mut self, record: &Record) -> Result<(), BulkError> {
        match self.stage {
            Stage::Sealed | Stage::Signed(_) => {}
            _ => return Err(BulkError::Stage(self.stage.name())),
        }
        self.check_act(record.act())?;
        self.append_section(Kind::Record, record.as_bytes())?;
        self.sync()?;
        self.stage = Stage::Signed(Box::new(record.clone()));
        Ok(())
    }

    fn check_act(&self, act: &Act) -> Result<(), BulkError> {
        let ours = match (act, &self.index) {
            (Act::NotariseBatch { root, count, .. }, Some((_, index))) => *root == index.root && *count == index.count,
            _ => false,
        };
        if ours { Ok(()) } else { Err(BulkError::OtherRecord) }
    }

    /// Adds the receipt, which has verified.
    pub fn ledger(&mut self, cut: &Cut) -> Result<(), BulkError> {
        self.ledger_receipt(cut.ledger())
    }

    fn ledger_receipt(&mut self, receipt: &Receipt) -> Result<(), BulkError> {
        let Stage::Signed(record) = &self.stage else { return Err(BulkError::Stage(self.stage.name())) };
        if receipt.record.as_bytes() != record.as_bytes() || receipt.opening.is_some() {
            return Err(BulkError::OtherRecord);
        }
        let (index, _) = self.index.as_ref().expect("a signed container has its index");
        let (index, body) = (*index, receipt.clone().encode());
        let ledger = self.append_section(Kind::Ledger, &body)?;
        self.append_section(Kind::End, &[index.to_be_bytes(), ledger.to_be_bytes()].concat())?;
        self.sync()?;
        self.stage = Stage::Final;
        Ok(())
    }

    /// Gives the finished file its name, which must be free.
    pub fn finish(self) -> Result<PathBuf, BulkError> {
        let Stage::Final = self.stage else { return Err(BulkError::Stage(self.stage.name())) };
        match std::fs::hard_link(&self.partial, &self.path) {
            Ok(()) => {
                // If we crash here both names stay; the next run says that the finished one is there already.
                std::fs::remove_file(&self.partial).map_err(BulkError::io("removing", &self.partial))?;
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(BulkError::Exists(self.path)),
            // Some file systems have no hard links: then a rename, which would overwrite, so look first.
            Err(_) if self.path.exists() => return Err(BulkError::Exists(self.path)),
            Err(_) => std::fs::rename(&self.partial, &self.path).map_err(BulkError::io("naming", &self.path))?,
        }
        sync_directory_of(&self.path)?;
        Ok(self.path)
    }

    fn append_section(&mut self, kind: Kind, body: &[u8]) -> Result<u64, BulkError> {
        let offset = self.at;
        self.write(&section(self.id, offset, kind, body))?;
        Ok(offset)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), BulkError> {
        // A write that failed half way leaves a torn section; this run ends here, and the next one takes it away.
        self.file.write_all(bytes).map_err(BulkError::io("writing", &self.partial))?;
        self.at += bytes.len() as u64;
        Ok(())
    }

    fn sync(&mut self) -> Result<(), BulkError> {
        // Never tried again: what a failed sync lost is not told, so the run ends and what is on disk is read again.
        self.file.sync_data().map_err(BulkError::io("syncing", &self.partial))?;
        self.synced = self.at;
        Ok(())
    }

    fn truncate(&mut self, length: u64) -> Result<(), BulkError> {
        self.file.set_len(length).map_err(BulkError::io("shortening", &self.partial))
    }
}

/// Root over chunks: each chunk covers an aligned power of two of leaves, so RFC 6962 splits only between them, and the
/// tree over their roots is the upper part of the tree over all documents.
pub(crate) fn tree_root(chunks: &[(u64, TreeHash)]) -> TreeHash {
    let tree = tree_of(chunks);
    tree.root(tree.size()).expect("the tree holds every leaf")
}

pub(crate) fn tree_of(chunks: &[(u64, TreeHash)]) -> MemoryTree {
    let mut tree = MemoryTree::default();
    chunks.iter().for_each(|(_, root)| tree.append(*root));
    tree
}

pub(crate) fn sync_directory_of(path: &Path) -> Result<(), BulkError> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(BulkError::io("syncing", directory))
}
