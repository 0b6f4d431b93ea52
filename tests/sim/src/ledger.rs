//! A ledger over a simulated disk: the contracts of `testamur-registry`, real headers, logs and state roots, and a journal
//! in the place of the database. It keeps the store's promises in the store's order (undecided blocks and commits are
//! synced before they are answered) and refuses what the store refuses.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use testamur_consensus::application::{
    AppError, Application, Attachments, Decided, Known, PoolRecord, Prepared, Proposed, Refusal, TipView, Undecided,
};
use testamur_consensus::guard::GuardDisk as _;
use testamur_primitives::block::{Block, encode_value, split_value};
use testamur_primitives::codec::sha256;
use testamur_primitives::did::Did;
use testamur_primitives::epoch::ValidatorSet;
use testamur_primitives::genesis::Genesis;
use testamur_primitives::hash::{Address, AttachmentHash, HeaderHash, RecordId, TreeHash};
use testamur_primitives::header::{Header, HeaderRef};
use testamur_primitives::merkle::{self, Frontier};
use testamur_primitives::note::Note;
use testamur_primitives::record::{Record, RecordError, Reference};
use testamur_primitives::units::{Height, LogSize, Round, UnixTime};
use testamur_registry::tree::{self, EMPTY_ROOT, TreeStore, TreeUpdate};
use testamur_registry::{
    ApplyError, BlockContext, CheckedRecord, Execution, Rejection, ReplayWindow, StateKey, WriteSet, check_stateless,
    genesis_writes,
};

use crate::disk::Disk;

/// The journal's name on the disk.
pub const JOURNAL: &str = "ledger";

/// A record whose signature was verified.
#[derive(Debug, Clone)]
pub struct Pooled(Arc<(CheckedRecord, TreeHash)>);

impl Pooled {
    fn record(&self) -> &Record {
        self.0.0.record()
    }
}

impl PoolRecord for Pooled {
    fn id(&self) -> RecordId {
        self.record().id()
    }
    fn leaf_hash(&self) -> TreeHash {
        self.0.1
    }
    fn author(&self) -> &str {
        self.record().author().as_str()
    }
    fn as_bytes(&self) -> &[u8] {
        self.record().as_bytes()
    }
    fn attachment(&self) -> Option<&Bytes> {
        None
    }
    fn expires(&self) -> UnixTime {
        self.record().payload().exp
    }
}

/// Records that some node of this world verified: a signature is verified once a world and not once a node. What comes of
/// it is the same, since it depends on the bytes alone.
#[derive(Debug, Clone, Default)]
pub struct Verified(Arc<Mutex<HashMap<TreeHash, Pooled>>>);

impl Verified {
    fn parse(&self, bytes: &[u8]) -> Result<Pooled, Rejection> {
        let leaf = merkle::leaf_hash(bytes);
        let mut known = self.0.lock().expect("no panic while held");
        if let Some(record) = known.get(&leaf) {
            return Ok(record.clone());
        }
        let record = check_stateless(Record::parse(bytes).map_err(Rejection::from)?)?;
        let record = Pooled(Arc::new((record, leaf)));
        known.insert(leaf, record.clone());
        Ok(record)
    }
}

/// What a Byzantine validator's blocks are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Manners {
    /// As they should be.
    #[default]
    Honest,
    /// Their state root is another one.
    BadStateRoot,
    /// Their time lies hours ahead.
    FutureTime,
    /// Their time lies before the parent's.
    PastTime,
    /// They hold a record that is there already.
    Repeats,
    /// They are none.
    Garbage,
}

/// Nodes and values of the state tree.
#[derive(Debug, Default, Clone)]
struct MemoryTree {
    nodes: BTreeMap<Vec<u8>, Vec<u8>>,
    values: BTreeMap<([u8; 32], u64), Vec<u8>>,
}

impl TreeStore for MemoryTree {
    type Error = Infallible;

    fn node(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Infallible> {
        Ok(self.nodes.get(key).cloned())
    }

    fn value(&self, key_hash: &[u8; 32], max_version: u64) -> Result<Option<Vec<u8>>, Infallible> {
        Ok(self.values.range((*key_hash, 0)..=(*key_hash, max_version)).next_back().map(|(_, value)| value.clone()))
    }
}

impl MemoryTree {
    fn apply(&mut self, update: &TreeUpdate) {
        self.nodes.extend(update.nodes.iter().cloned());
        self.values.extend(update.values.iter().map(|(key, version, value)| ((*key, *version), value.clone())));
        for (_, key) in &update.stale {
            self.nodes.remove(key);
        }
    }
}

/// What was ever admitted: a window that remembers longer gives the same verdicts.
#[derive(Debug, Default, Clone)]
struct Window {
    ids: BTreeSet<RecordId>,
    jtis: BTreeSet<(Did, Reference)>,
}

impl ReplayWindow for Window {
    type Error = Infallible;

    fn contains_id(&self, id: &RecordId) -> Result<bool, Infallible> {
        Ok(self.ids.contains(id))
    }

    fn contains_jti(&self, author: &Did, jti: &Reference) -> Result<bool, Infallible> {
        Ok(self.jtis.contains(&(author.clone(), jti.clone())))
    }
}

/// What a prepared block carries to its commit.
#[derive(Debug)]
pub struct Executed {
    records: Vec<Pooled>,
    writes: WriteSet,
    tree: TreeUpdate,
}

/// A committed block.
#[derive(Debug, Clone)]
pub struct Committed {
    /// Its header.
    pub header: Header,
    /// Its header's hash.
    pub hash: HeaderHash,
    /// The value's bytes.
    pub bytes: Bytes,
    /// Its certificate.
    pub certificate: Note,
    /// Its records.
    pub records: Vec<RecordId>,
}

/// The state that a network begins with, made once a world.
#[derive(Debug, Clone)]
pub struct Beginning {
    genesis: Arc<Genesis>,
    validators: Arc<ValidatorSet>,
    header: Header,
    values: BTreeMap<StateKey, Vec<u8>>,
    tree: MemoryTree,
}

impl Beginning {
    /// Of a genesis.
    pub fn new(genesis: Genesis) -> Self {
        let writes = genesis_writes(&genesis);
        let (mut tree, mut values) = (MemoryTree::default(), BTreeMap::new());
        let update = tree::update(&tree, Height(0), EMPTY_ROOT, &writes).expect("an empty tree in memory is sound");
        tree.apply(&update);
        writes.apply_to(&mut values);
        let (header, validators) = (genesis.header(update.root), Arc::new(genesis.validator_set()));
        Self { genesis: Arc::new(genesis), validators, header, values, tree }
    }

    /// The genesis.
    pub fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// The validators.
    pub fn validators(&self) -> &Arc<ValidatorSet> {
        &self.validators
    }
}

/// The ledger of one node.
#[derive(Debug)]
pub struct Ledger {
    beginning: Beginning,
    verified: Verified,
    manners: Mutex<Manners>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    disk: Disk,
    tip: Header,
    hash: HeaderHash,
    log: Frontier,
    history: Frontier,
    values: BTreeMap<StateKey, Vec<u8>>,
    tree: MemoryTree,
    window: Window,
    blocks: Vec<Committed>,
    undecided: Vec<(Height, Undecided)>,
    /// A write failed: what is on the disk is unknown, and nothing is written behind it (INV-STORE-2 of the store).
    closed: bool,
}

/// The journal holds what this ledger never wrote: it is refused, as a damaged database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damaged(pub String);

fn failed(error: std::io::Error) -> AppError {
    AppError::new(error)
}

impl Ledger {
    /// Opens the ledger on a disk, or makes it. A journal's end that was cut short was never answered for, and is cut off.
    pub fn open(mut disk: Disk, beginning: Beginning, verified: Verified) -> Result<Result<Self, Damaged>, AppError> {
        let state = State {
            disk: disk.clone(),
            hash: beginning.header.hash(),
            tip: beginning.header.clone(),
            log: Frontier::new(),
            history: Frontier::new(),
            values: beginning.values.clone(),
            tree: beginning.tree.clone(),
            window: Window::default(),
            blocks: Vec::new(),
            undecided: Vec::new(),
            closed: false,
        };
        let ledger = Self { beginning, verified, manners: Mutex::default(), state: Mutex::new(state) };
        let Some(bytes) = disk.read_file(JOURNAL).map_err(failed)? else {
            disk.create(JOURNAL, true).map_err(failed)?;
            disk.sync(JOURNAL).map_err(failed)?;
            disk.sync_directory().map_err(failed)?;
            return Ok(Ok(ledger));
        };
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let Some((lengths, after)) = rest.split_first_chunk::<8>() else { break };
            let lengths = u64::from_be_bytes(*lengths);
            let length = (lengths >> 32) as usize;
            if lengths as u32 != !(length as u32) {
                return Ok(Err(Damaged("a length".into())));
            }
            let Some((checksum, after)) = after.split_first_chunk::<8>() else { break };
            let Some((body, after)) = after.split_at_checked(length) else { break };
            if sha256(&[body])[..8] != *checksum {
                return Ok(Err(Damaged("a checksum".into())));
            }
            if let Err(what) = ledger.replay(body) {
                return Ok(Err(Damaged(what)));
            }
            rest = after;
        }
        if !rest.is_empty() {
            disk.truncate(JOURNAL, bytes.len() - rest.len()).map_err(failed)?;
        }
        // What was read may not have been synced yet: nothing is answered for before it is.
        disk.sync(JOURNAL).map_err(failed)?;
        Ok(Ok(ledger))
    }

    /// From now on this validator's blocks are like that.
    pub fn behave(&self, manners: Manners) {
        *self.manners.lock().expect("no panic while held") = manners;
    }

    /// The committed blocks, height 1 first.
    pub fn blocks(&self) -> Vec<Committed> {
        self.lock().blocks.clone()
    }

    /// The committed block of a height.
    pub fn block(&self, height: Height) -> Option<Committed> {
        self.lock().blocks.get(height.get().checked_sub(1)? as usize).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while a ledger is held")
    }

    fn replay(&self, body: &[u8]) -> Result<(), String> {
        let parts = split_parts(body).ok_or("an entry")?;
        match parts.as_slice() {
            [b"undecided", height, round, proposer, value] => {
                let number = |bytes: &[u8]| bytes.try_into().ok().map(u64::from_be_bytes).ok_or("a number");
                let seen = Undecided {
                    round: Round(number(round)? as u32),
                    proposer: Address::from_bytes((*proposer).try_into().map_err(|_| "an address")?),
                    bytes: Bytes::copy_from_slice(value),
                };
                self.lock().undecided.push((Height(number(height)?), seen));
            }
            [b"commit", value, note] => {
                let value = Bytes::copy_from_slice(value);
                let block = self.execute(&value, &|_| None)?;
                let note = Note::parse(note).map_err(|_| "a note")?;
                self.lock().commit(&block, &note);
            }
            _ => return Err("an entry of no kind".into()),
        }
        Ok(())
    }

    /// Executes a value for the next height.
    fn execute(&self, value: &Bytes, known: Known<'_, Pooled>) -> Result<Arc<Prepared<Executed>>, String> {
        let (block, _) = split_value(value).map_err(|e| e.to_string())?;
        let (mut records, mut refused) = (Vec::new(), None);
        let block = Block::decode_with(block, |entry| {
            let record = match known(&merkle::leaf_hash(entry)).map_or_else(|| self.verified.parse(entry), Ok) {
                Ok(record) => record,
                Err(rejection) => {
                    refused = Some(rejection.to_string());
                    return Err(RecordError::NotCompactJws);
                }
            };
            records.push(record.clone());
            Ok(record.record().clone())
        });
        let block = block.map_err(|error| refused.unwrap_or_else(|| error.to_string()))?;
        let state = self.lock();
        let given = block.header;
        if given.height != state.tip.height.next() {
            return Err("not the next height".into());
        }
        if given.time < state.tip.time {
            return Err("its time is before its parent's".into());
        }
        if self.beginning.validators.by_address(given.proposer).is_none() {
            return Err("its proposer is no validator".into());
        }
        let (taken, made) = self.make(&state, given.proposer, given.time, &records)?;
        if let Some((_, rejection)) = taken.1.first() {
            return Err(rejection.to_string());
        }
        if made.header != given {
            return Err("another header".into());
        }
        let inner = Executed { records: taken.0, ..made.inner };
        Ok(Arc::new(Prepared { bytes: value.clone(), attached: true, inner, ..made }))
    }

    /// Makes the next block of those records that apply.
    #[allow(clippy::type_complexity, reason = "records taken and refused, and the block")]
    fn make(
        &self,
        state: &State,
        proposer: Address,
        time: UnixTime,
        candidates: &[Pooled],
    ) -> Result<((Vec<Pooled>, Vec<(RecordId, Rejection)>), Prepared<Executed>), String> {
        let parent = &state.tip;
        let height = parent.height.next();
        let context = BlockContext { genesis: parent.genesis, protocol: self.beginning.genesis.protocol, height, time };
        let mut execution =
            Execution::new(&state.values, &state.window, context).map_err(|unknown| unknown.to_string())?;
        let (mut taken, mut refused) = (Vec::new(), Vec::new());
        for candidate in candidates {
            match execution.apply(&candidate.0.0) {
                Ok(_) => taken.push(candidate.clone()),
                Err(ApplyError::Rejected(rejection)) => refused.push((candidate.id(), rejection)),
                Err(ApplyError::State(error)) => panic!("the state in memory is sound: {error}"),
            }
        }
        let writes = execution.finish();
        let tree = tree::update(&state.tree, height, parent.state_root, &writes).expect("the tree in memory is sound");
        let mut log = state.log.clone();
        for record in &taken {
            log.append(record.leaf_hash(), |_, _, _| ());
        }
        let mut history = state.history.clone();
        history.append(merkle::leaf_hash(state.hash.as_bytes()), |_, _, _| ());
        let epoch_header = if parent.height == Height(0) {
            HeaderRef { height: parent.height, hash: state.hash }
        } else {
            parent.epoch_header
        };
        let header = Header {
            height,
            time,
            previous: state.hash,
            history_root: history.root(),
            log_size: LogSize(log.size()),
            log_root: log.root(),
            state_root: tree.root,
            epoch_header,
            proposer,
            ..parent.clone()
        };
        let block = Block { header, records: taken.iter().map(|record| record.record().clone()).collect() };
        let bytes = encode_value(&block.encode(), &[[0u8; 0]; 0]).into();
        let records = taken.iter().map(PoolRecord::id).collect();
        let inner = Executed { records: taken.clone(), writes, tree };
        let prepared = Prepared { header: block.header, bytes, attached: true, records, inner };
        Ok(((taken, refused), prepared))
    }
}

impl State {
    fn write(&mut self, parts: &[&[u8]]) -> Result<(), AppError> {
        if self.closed {
            return Err(failed(std::io::Error::other("the ledger is closed after an earlier failure")));
        }
        let body = join_parts(parts);
        let length = body.len() as u32;
        let mut entry = [length.to_be_bytes(), (!length).to_be_bytes()].concat();
        entry.extend(&sha256(&[&body])[..8]);
        entry.extend(&body);
        let written = self.disk.append(JOURNAL, &entry).and_then(|()| self.disk.sync(JOURNAL));
        self.closed = written.is_err();
        written.map_err(failed)
    }

    fn commit(&mut self, block: &Prepared<Executed>, certificate: &Note) {
        assert_eq!(block.header.previous, self.hash, "a block on another tip");
        self.history.append(merkle::leaf_hash(self.hash.as_bytes()), |_, _, _| ());
        for record in &block.inner.records {
            self.log.append(record.leaf_hash(), |_, _, _| ());
            self.window.ids.insert(record.id());
            let payload = record.record().payload();
            self.window.jtis.insert((record.record().author().clone(), payload.jti.clone()));
        }
        block.inner.writes.apply_to(&mut self.values);
        self.tree.apply(&block.inner.tree);
        self.tip = block.header.clone();
        self.hash = self.tip.hash();
        let height = self.tip.height;
        self.undecided.retain(|(h, _)| *h > height);
        self.blocks.push(Committed {
            header: self.tip.clone(),
            hash: self.hash,
            bytes: block.bytes.clone(),
            certificate: certificate.clone(),
            records: block.records.clone(),
        });
    }
}

impl Application for Ledger {
    type Record = Pooled;
    type Block = Executed;

    fn tip(&self) -> TipView {
        let state = self.lock();
        TipView {
            height: state.tip.height,
            header: state.hash,
            time: state.tip.time,
            validators: Arc::clone(&self.beginning.validators),
            scheduled: None,
            parameters: self.beginning.genesis.parameters.clone(),
        }
    }

    fn check(&self, bytes: &[u8], _: Option<&Bytes>) -> Result<Result<Pooled, Refusal>, AppError> {
        let refusal = |rejection: &Rejection| {
            let (slug, number) = rejection.code();
            Refusal { slug, number, message: rejection.to_string() }
        };
        let record = match self.verified.parse(bytes) {
            Ok(record) => record,
            Err(rejection) => return Ok(Err(refusal(&rejection))),
        };
        if self.lock().window.ids.contains(&record.id()) {
            return Ok(Err(refusal(&testamur_registry::AdmissionRejection::DuplicateRecord.into())));
        }
        Ok(Ok(record))
    }

    fn propose(&self, proposer: Address, now: UnixTime, candidates: &[Pooled]) -> Result<Proposed<Executed>, AppError> {
        let state = self.lock();
        let manners = *self.manners.lock().expect("no panic while held");
        let time = match manners {
            Manners::FutureTime => UnixTime(now.get() + 7_200),
            Manners::PastTime => UnixTime(state.tip.time.get().saturating_sub(100)),
            _ => now.max(state.tip.time),
        };
        let ((mut taken, refused), mut block) =
            self.make(&state, proposer, time, candidates).map_err(|reason| AppError::new(reason.as_str()))?;
        match manners {
            Manners::BadStateRoot => block.header.state_root = EMPTY_ROOT,
            Manners::Repeats => taken.extend(taken.first().cloned()),
            _ => {}
        }
        if manners != Manners::Honest {
            let lie =
                Block { header: block.header.clone(), records: taken.iter().map(|r| r.record().clone()).collect() };
            let mut bytes = encode_value(&lie.encode(), &[[0u8; 0]; 0]);
            if manners == Manners::Garbage {
                bytes.truncate(bytes.len() / 2);
            }
            block.bytes = bytes.into();
        }
        let rejected = refused.iter().map(|(id, rejection)| {
            let (slug, number) = rejection.code();
            (*id, Refusal { slug, number, message: rejection.to_string() })
        });
        Ok(Proposed { rejected: rejected.collect(), block: Arc::new(block) })
    }

    fn validate(
        &self,
        bytes: &Bytes,
        known: Known<'_, Pooled>,
        _: Attachments,
    ) -> Result<Result<Arc<Prepared<Executed>>, String>, AppError> {
        Ok(self.execute(bytes, known))
    }

    fn put_undecided(&self, height: Height, _: &Prepared<Executed>, seen: &Undecided) -> Result<(), AppError> {
        let mut state = self.lock();
        let (at, round) = (height.get().to_be_bytes(), u64::from(seen.round.0).to_be_bytes());
        state.write(&[b"undecided", &at, &round, seen.proposer.as_bytes(), &seen.bytes])?;
        state.undecided.push((height, seen.clone()));
        Ok(())
    }

    fn undecided(&self, height: Height) -> Result<Vec<Undecided>, AppError> {
        Ok(self.lock().undecided.iter().filter(|(h, _)| *h == height).map(|(_, seen)| seen.clone()).collect())
    }

    fn commit(&self, block: &Prepared<Executed>, certificate: &Note) -> Result<(), AppError> {
        let mut state = self.lock();
        state.write(&[b"commit", &block.bytes, certificate.to_string().as_bytes()])?;
        state.commit(block, certificate);
        Ok(())
    }

    fn decided(&self, height: Height) -> Result<Option<Decided>, AppError> {
        Ok(self.block(height).map(|block| Decided {
            bytes: block.bytes,
            certificate: block.certificate,
            validators: Arc::clone(&self.beginning.validators),
        }))
    }

    fn missing_attachments(&self, _: usize) -> Result<Vec<AttachmentHash>, AppError> {
        Ok(Vec::new())
    }

    fn attachment(&self, _: &AttachmentHash) -> Result<Option<Bytes>, AppError> {
        Ok(None)
    }

    fn put_attachment(&self, _: &Bytes) -> Result<bool, AppError> {
        Ok(false)
    }
}

fn join_parts(parts: &[&[u8]]) -> Vec<u8> {
    let mut body = Vec::new();
    for part in parts {
        body.extend((part.len() as u32).to_be_bytes());
        body.extend_from_slice(part);
    }
    body
}

fn split_parts(mut body: &[u8]) -> Option<Vec<&[u8]>> {
    let mut parts = Vec::new();
    while !body.is_empty() {
        let (length, rest) = body.split_first_chunk::<4>()?;
        let (part, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        parts.push(part);
        body = rest;
    }
    Some(parts)
}
