//! Reading a ledger into a new directory. Two threads: one reads, takes apart and verifies what a block shows by itself, the
//! other links the blocks and writes rows.

use std::collections::{BTreeSet, HashMap};
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use bytes::Bytes;
use testamur_primitives::block::Block;
use testamur_primitives::codec::sha256;
use testamur_primitives::epoch::ValidatorSet;
use testamur_primitives::genesis::Origin;
use testamur_primitives::hash::{AttachmentHash, GenesisHash, HeaderHash};
use testamur_primitives::header::Header;
use testamur_primitives::note::Note;
use testamur_primitives::record::{Act, Record};
use testamur_primitives::status::keys;
use testamur_primitives::stream::Frame;
use testamur_primitives::trust::TrustFile;
use testamur_primitives::units::{Epoch, Height, LogSize};
use testamur_registry::{CheckedRecord, StateKey, check_stateless};

use super::frames::FrameReader;
use super::state::StateImport;
use super::{Contents, ImportError, InTheWay, Partial, StreamProgress, Transferred};
use crate::block::difference;
use crate::commit::{put_beginning, put_header, put_records};
use crate::db::{Access, Database, NodeIdentity};
use crate::error::StoreError;
use crate::ledger::{Ledger, Options, freeze};
use crate::limits::IMPORT_BLOCKS_AHEAD;
use crate::schema::Column;
use crate::tip::{Tip, epoch_header, next_epoch};
use crate::{Health, attachments};

/// A block as it was read.
struct ReadBlock {
    /// Number of its frame.
    frame: u64,
    header: Header,
    records: Records,
    note: Note,
    /// Whether the note is genesis' set's certificate of this header, in the form in which it is stored.
    is_certified: bool,
    attachments: Vec<Bytes>,
    /// Bytes of the stream up to its end.
    bytes: u64,
}

/// Records as each mode needs them.
enum Records {
    Parsed(Vec<Record>),
    Checked(Vec<Arc<CheckedRecord>>),
}

/// What the reading thread hands over, in the order of the stream.
enum Item {
    Block(Box<ReadBlock>),
    State { frame: u64, key: Vec<u8>, value: Vec<u8> },
    Tree { frame: u64, key: Vec<u8>, node: Vec<u8>, value: Vec<u8> },
    End { frame: u64, bytes: u64 },
}

/// Makes a new directory of a ledger stream. `directory` does not exist or is empty; it gets its name when all of it was
/// verified and is on disk, and belongs to `node`. Open it with [`Ledger::open`].
///
/// With [`Contents::Snapshot`] nothing is executed: headers, records, log, history and certificates are verified along the
/// epochs of `trust`, the state by the last header's root. With [`Contents::Log`] every block is executed, and what the stream holds
/// of the state is passed over.
pub fn import(
    directory: &Path,
    trust: &TrustFile,
    node: NodeIdentity,
    contents: Contents,
    input: impl Read + Send,
    progress: impl FnMut(StreamProgress),
) -> Result<Transferred, ImportError> {
    // Before anything is made: the common mistakes are another file and another network's.
    let mut frames = FrameReader::new(input)?;
    if let Some(Frame::Genesis(text)) = frames.next()? {
        let found = GenesisHash::from_bytes(sha256(&[b"testamur/genesis/v1\n", text]));
        if found != trust.network() {
            return Err(ImportError::OtherNetwork { found, expected: trust.network() });
        }
    }
    let partial = Partial::new(directory).map_err(|error| match error {
        InTheWay::NotEmpty(path) => ImportError::NotEmpty(path),
        InTheWay::Unknown(path) => ImportError::InTheWay(path),
        InTheWay::Store(error) => ImportError::Store(error),
    })?;
    // A crash before the end leaves the partial directory, which the next import removes.
    let imported = std::thread::scope(|scope| {
        let (items, receiver) = sync_channel(IMPORT_BLOCKS_AHEAD);
        let (origin, set) = (trust.origin().clone(), trust.genesis().validator_set());
        let reading = Reading { origin, set, contents, items, pending: None };
        scope.spawn(move || reading.run(frames));
        match contents {
            Contents::Snapshot => from_snapshot(partial.path(), trust, node, receiver, progress),
            Contents::Log => from_log(partial.path(), trust, node, receiver, progress),
        }
    });
    let imported = imported.map_err(|error| match error {
        ImportError::Store(error) if error.is_disk_full() => ImportError::DiskFull(partial.path().to_owned()),
        error => error,
    })?;
    partial.finish()?;
    Ok(imported)
}

/// The reading thread.
struct Reading {
    origin: Origin,
    set: ValidatorSet,
    contents: Contents,
    items: SyncSender<Result<Item, ImportError>>,
    pending: Option<Box<ReadBlock>>,
}

impl Reading {
    fn run<R: Read>(mut self, mut frames: FrameReader<R>) {
        loop {
            match self.step(&mut frames) {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    // What came before the error is looked at first: an earlier fault is the one to name. Nobody listens any
                    // more when that had one.
                    // A block whose certificate was not read is not whole.
                    let whole = self.pending.take().filter(|block| block.bytes > 0);
                    let _ = whole.map(|block| self.items.send(Ok(Item::Block(block))));
                    let _ = self.items.send(Err(error));
                    return;
                }
            }
        }
    }

    /// Reads a frame; false after the last one, or when nobody listens any more.
    fn step<R: Read>(&mut self, frames: &mut FrameReader<R>) -> Result<bool, ImportError> {
        let (number, contents) = (frames.number(), self.contents);
        let Some(frame) = frames.next()? else { return Ok(false) };
        let item = match frame {
            Frame::Genesis(_) => return Ok(true),
            Frame::First(Height(1)) => return Ok(true),
            Frame::First(height) => return Err(ImportError::NotFromTheStart(height)),
            Frame::Block(bytes) => {
                let block = read_block(number, bytes, contents)?;
                if let Some(before) = self.pending.replace(Box::new(block)) {
                    return Ok(self.items.send(Ok(Item::Block(before))).is_ok());
                }
                return Ok(true);
            }
            Frame::Certificate(text) => {
                let block = self.pending.as_mut().expect("a certificate follows its block");
                let malformed = |error: &dyn std::fmt::Display| {
                    ImportError::frame(number, block.header.height, format!("its certificate: {error}"))
                };
                block.note = Note::parse(text).map_err(|error| malformed(&error))?;
                if contents == Contents::Snapshot && block.header.epoch == Epoch(0) {
                    block.note = freeze(&self.origin, &block.header, &block.note, None, &self.set)
                        .map_err(|error| malformed(&error))?;
                    block.is_certified = true;
                }
                block.bytes = frames.bytes();
                return Ok(true);
            }
            Frame::Attachment(bytes) => {
                let bytes = Bytes::copy_from_slice(bytes);
                let block = self.pending.as_mut().expect("an attachment follows its block");
                block.attachments.push(bytes);
                block.bytes = frames.bytes();
                return Ok(true);
            }
            Frame::State { key, value } => Item::State { frame: number, key: key.to_vec(), value: value.to_vec() },
            Frame::Tree { key, node, value } => {
                Item::Tree { frame: number, key: key.to_vec(), node: node.to_vec(), value: value.to_vec() }
            }
            Frame::End(_) => {
                let bytes = frames.bytes();
                // The end is the end only when nothing follows it.
                frames.next()?;
                Item::End { frame: number, bytes }
            }
        };
        let before = self.pending.take().is_none_or(|block| self.items.send(Ok(Item::Block(block))).is_ok());
        let is_end = matches!(item, Item::End { .. });
        Ok(before && self.items.send(Ok(item)).is_ok() && !is_end)
    }
}

fn read_block(frame: u64, bytes: &[u8], contents: Contents) -> Result<ReadBlock, ImportError> {
    let block = Block::decode(bytes).map_err(|error| ImportError::Frame {
        frame,
        height: Height(0),
        what: error.to_string(),
    })?;
    let records = match contents {
        Contents::Snapshot => Records::Parsed(block.records),
        Contents::Log => {
            let checked = block.records.into_iter().map(|record| check_stateless(record).map(Arc::new));
            let checked = checked.collect::<Result<_, _>>();
            Records::Checked(
                checked.map_err(|error| ImportError::frame(frame, block.header.height, error.to_string()))?,
            )
        }
    };
    let note = Note { text: String::new(), signatures: Vec::new() };
    let (header, attachments) = (block.header, Vec::new());
    Ok(ReadBlock { frame, header, records, note, is_certified: false, attachments, bytes: 0 })
}

/// Whether the chain holds what the trust file pins.
struct Pinned(Option<(Height, HeaderHash)>);

impl Pinned {
    fn of(trust: &TrustFile) -> Self {
        Self(trust.pinned().map(|(header, _)| (header.height, header.hash())))
    }

    fn look(&self, height: Height, hash: HeaderHash) -> Result<(), ImportError> {
        match self.0 {
            Some((pinned, expected)) if pinned == height && expected != hash => Err(ImportError::Contradiction(height)),
            _ => Ok(()),
        }
    }

    fn end(&self, tip: Height) -> Result<(), ImportError> {
        match self.0 {
            Some((pinned, _)) if pinned > tip => Err(ImportError::TooOld { tip, pinned }),
            _ => Ok(()),
        }
    }
}

/// What was missing at the end of the channel: the reading thread ended without a word, which it never does.
fn unfinished() -> ImportError {
    ImportError::Read(std::io::Error::other("reading ended before the end of the stream"))
}

fn from_log(
    directory: &Path,
    trust: &TrustFile,
    node: NodeIdentity,
    items: Receiver<Result<Item, ImportError>>,
    mut progress: impl FnMut(StreamProgress),
) -> Result<Transferred, ImportError> {
    let options = Options { node, health: Health::default() };
    let ledger = Ledger::open_for(directory, Arc::new(trust.genesis().clone()), options, Access::Bulk)?;
    let pinned = Pinned::of(trust);
    for item in items {
        match item? {
            Item::Block(block) => {
                let ReadBlock { frame, header, records, note, attachments, bytes, .. } = *block;
                let height = header.height;
                let Records::Checked(records) = records else { unreachable!("the log is read with checked records") };
                let prepared = ledger.validate(&header, records)?;
                let prepared = prepared.map_err(|error| ImportError::frame(frame, height, error.to_string()))?;
                pinned.look(height, prepared.hash())?;
                let tip = ledger.commit(&prepared, &note, None, &attachments).map_err(|error| match error {
                    StoreError::Certificate(error) => ImportError::Certificate { height, what: error.to_string() },
                    error => error.into(),
                })?;
                progress(StreamProgress { height, tip: None, records: tip.header.log_size, bytes });
            }
            Item::State { .. } | Item::Tree { .. } => {}
            Item::End { bytes, .. } => {
                let tip = ledger.tip();
                pinned.end(tip.height())?;
                ledger.database().finish()?;
                return Ok(Transferred { height: tip.height(), header: tip.hash, records: tip.header.log_size, bytes });
            }
        }
    }
    Err(unfinished())
}

fn from_snapshot(
    directory: &Path,
    trust: &TrustFile,
    node: NodeIdentity,
    items: Receiver<Result<Item, ImportError>>,
    mut progress: impl FnMut(StreamProgress),
) -> Result<Transferred, ImportError> {
    let genesis = trust.genesis();
    let database = Database::open(directory, trust.network(), node, Access::Bulk)?;
    let mut batch = database.batch();
    put_beginning(&database.snapshot(), genesis, node, &mut batch)?;
    database.write(batch)?;
    let missing = || StoreError::damaged("tip", "the row is missing");
    let tip = Tip::load(&database.snapshot())?.ok_or_else(missing)?;
    let mut chain = Chain { database: &database, trust, pinned: Pinned::of(trust), lists: HashMap::new(), tip };
    let mut state = StateImport::default();
    for item in items {
        match item? {
            Item::Block(block) => {
                let bytes = block.bytes;
                chain.append(*block)?;
                let header = &chain.tip.header;
                progress(StreamProgress { height: header.height, tip: None, records: header.log_size, bytes });
            }
            Item::State { frame, key, value } => state.value(frame, chain.tip.height(), &key, &value)?,
            Item::Tree { frame, key, node, value } => {
                state.row(&database, &chain.tip.header, frame, &key, node, value)?;
            }
            Item::End { frame, bytes } => {
                let header = Arc::clone(&chain.tip.header);
                chain.pinned.end(header.height)?;
                if header.height > Height(0) {
                    state.finish(&database, trust, &header, frame)?;
                }
                // All that a start would check: roots, sets, schedule.
                let tip = Tip::load(&database.snapshot())?.ok_or_else(missing)?;
                database.finish()?;
                return Ok(Transferred { height: header.height, header: tip.hash, records: header.log_size, bytes });
            }
        }
    }
    Err(unfinished())
}

/// The blocks so far. What the tip says of sets and parameters is genesis': headers are followed by what they say
/// themselves, and certificates decide.
struct Chain<'a> {
    database: &'a Database,
    trust: &'a TrustFile,
    pinned: Pinned,
    tip: Tip,
    /// What the newest version of each status list named, by the version's state key.
    lists: HashMap<StateKey, AttachmentHash>,
}

impl Chain<'_> {
    fn append(&mut self, block: ReadBlock) -> Result<(), ImportError> {
        let ReadBlock { frame, header, records, note, is_certified, attachments, .. } = block;
        let Records::Parsed(records) = records else { unreachable!("a snapshot is read with parsed records") };
        let snapshot = self.database.snapshot();
        let (height, hash, parent) = (header.height, header.hash(), &*self.tip.header);
        let wrong = |what: String| ImportError::frame(frame, height, what);
        let mut batch = self.database.batch();
        // Two records of one id would be two leaves with one index row: no node decides that.
        if records.iter().map(Record::id).collect::<BTreeSet<_>>().len() != records.len() {
            return Err(wrong("a record is there twice".into()));
        }
        let log = put_records(&snapshot, &header, self.tip.log.clone(), records.iter(), &mut batch)?;
        let epoch = next_epoch(parent);
        let expected = Header {
            v: 1,
            genesis: self.trust.network(),
            height: parent.height.next(),
            previous: self.tip.hash,
            history_root: self.tip.history.root(),
            log_size: LogSize(log.size()),
            log_root: log.root(),
            epoch,
            validators_hash: parent.next_validators_hash,
            epoch_header: epoch_header(parent, self.tip.hash),
            ..header.clone()
        };
        if let Some(name) = difference(&expected, &header) {
            return Err(wrong(format!("the header's {name} is not what the blocks up to here make")));
        }
        if header.time < parent.time {
            return Err(wrong("its time is before its parent's".into()));
        }
        if epoch == Epoch(0) && !is_certified {
            return Err(wrong("the header names another epoch than its place".into()));
        }
        self.pinned.look(height, hash)?;
        let mut published = Vec::new();
        for record in &records {
            let lists = &mut self.lists;
            let missing = |key: &StateKey| StoreError::damaged(format!("state {key}"), "no record published it");
            let found = attachments::published(record, |key| lists.remove(key).ok_or_else(|| missing(key)));
            let Some(found) = found.map_err(|error| wrong(error.to_string()))? else { continue };
            if let Act::PublishStatus { status, .. } = record.act() {
                lists
                    .insert(keys::status(record.author(), &status.list).entry(status.version), found.attachment.sha256);
            }
            published.push(found);
        }
        attachments::put(&snapshot, self.trust.genesis(), &header, published, &attachments, &mut batch)?;
        let history = put_header(&snapshot, &header, self.tip.history.clone(), &mut batch)?;
        batch.put(Column::Certificates, &height.0.to_be_bytes(), note.to_string().as_bytes());
        self.database.write(batch)?;
        (self.tip.header, self.tip.hash, self.tip.log, self.tip.history) = (Arc::new(header), hash, log, history);
        Ok(())
    }
}
