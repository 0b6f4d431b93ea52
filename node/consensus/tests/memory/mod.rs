//! A ledger in memory, and validators over it on loopback: what the consensus tests run against.
#![allow(dead_code, unused_imports, reason = "each file of tests uses its part")]

mod network;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use testamur_consensus::application::{
    AppError, Application, Attachments, Decided, Known, PoolRecord, Prepared, Proposed, Refusal, TipView, Undecided,
};
use testamur_primitives::block::{encode_value, push_entry, split_entry, split_value};
use testamur_primitives::checkpoint::Checkpoint;
use testamur_primitives::codec::sha256;
use testamur_primitives::epoch::ValidatorSet;
use testamur_primitives::genesis::{Genesis, Parameters};
use testamur_primitives::hash::{Address, AttachmentHash, HeaderHash, RecordId, StateRoot, TreeHash};
use testamur_primitives::header::{Header, HeaderRef};
use testamur_primitives::merkle::leaf_hash;
use testamur_primitives::note::Note;
use testamur_primitives::units::{Height, LogSize, UnixTime};

pub(crate) use network::{How, Network, Node, consensus_key, set_of, set_record};

/// A "record": any bytes that do not start with `bad`. One that starts with `attach ` names an attachment: the SHA-256
/// in hexadecimal that follows. One that starts with `set ` schedules a validator set: the first height that it decides
/// at the earliest, then its members as [`network::Member`] writes them.
#[derive(Debug, Clone)]
pub(crate) struct TestRecord(Arc<(RecordId, TreeHash, Vec<u8>)>, Option<Bytes>);

impl TestRecord {
    fn new(bytes: &[u8], attachment: Option<Bytes>) -> Self {
        Self(Arc::new((RecordId::from_bytes(sha256(&[bytes])), leaf_hash(bytes), bytes.to_vec())), attachment)
    }

    /// What it must be accompanied by.
    fn named(&self) -> Option<AttachmentHash> {
        std::str::from_utf8(self.as_bytes()).ok()?.strip_prefix("attach ")?.get(..64)?.parse().ok()
    }

    /// The set that it schedules, when it is in the block of this height.
    fn schedules(&self, height: Height) -> Option<(Height, Arc<ValidatorSet>)> {
        let text = std::str::from_utf8(self.as_bytes()).ok()?.strip_prefix("set ")?;
        let (from, members) = text.split_once(' ')?;
        let from = Height(from.parse().ok()?).max(height.next().next());
        Some((from, Arc::new(set_of(members.split(' ').map(|member| member.parse().expect("a member"))))))
    }
}

/// A record that names an attachment.
pub(crate) fn attached(attachment: &[u8], number: u32) -> Bytes {
    format!("attach {} {number}", hash_of(attachment)).into()
}

pub(crate) fn hash_of(attachment: &[u8]) -> AttachmentHash {
    AttachmentHash::from_bytes(sha256(&[attachment]))
}

/// What a node does with the attachments of its own proposals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manners {
    Honest,
    Withholds,
    Changes,
}

impl PoolRecord for TestRecord {
    fn id(&self) -> RecordId {
        self.0.0
    }
    fn leaf_hash(&self) -> TreeHash {
        self.0.1
    }
    fn author(&self) -> &str {
        "did:key:test"
    }
    fn as_bytes(&self) -> &[u8] {
        &self.0.2
    }
    fn attachment(&self) -> Option<&Bytes> {
        self.1.as_ref()
    }
    fn expires(&self) -> UnixTime {
        UnixTime(u64::MAX)
    }
}

/// What survives a restart of its node, as a disk would.
pub(crate) struct MemoryLedger {
    parameters: Parameters,
    manners: Mutex<Manners>,
    state: Mutex<State>,
}

struct State {
    tip: Header,
    /// The sets so far, each with its first height; the last may lie ahead.
    epochs: Vec<(Height, Arc<ValidatorSet>)>,
    blocks: BTreeMap<Height, (Bytes, Note)>,
    undecided: Vec<(Height, Undecided)>,
    ids: HashSet<RecordId>,
    attachments: BTreeMap<AttachmentHash, Bytes>,
    missing: BTreeSet<AttachmentHash>,
    checked: u64,
}

impl MemoryLedger {
    pub(crate) fn new(genesis: &Genesis) -> Arc<Self> {
        let state = State {
            tip: genesis.header(StateRoot::ZERO),
            epochs: vec![(Height(0), Arc::new(genesis.validator_set()))],
            blocks: BTreeMap::new(),
            undecided: Vec::new(),
            ids: HashSet::new(),
            attachments: BTreeMap::new(),
            missing: BTreeSet::new(),
            checked: 0,
        };
        Arc::new(Self {
            parameters: genesis.parameters.clone(),
            manners: Mutex::new(Manners::Honest),
            state: Mutex::new(state),
        })
    }

    /// A copy as a backup would be.
    pub(crate) fn backup(&self) -> Arc<Self> {
        let state = self.state.lock().unwrap();
        let copy = State {
            tip: state.tip.clone(),
            epochs: state.epochs.clone(),
            blocks: state.blocks.clone(),
            undecided: state.undecided.clone(),
            ids: state.ids.clone(),
            attachments: state.attachments.clone(),
            missing: state.missing.clone(),
            checked: 0,
        };
        Arc::new(Self {
            parameters: self.parameters.clone(),
            manners: Mutex::new(Manners::Honest),
            state: Mutex::new(copy),
        })
    }

    pub(crate) fn behaves(&self, manners: Manners) {
        *self.manners.lock().unwrap() = manners;
    }

    pub(crate) fn holds_attachment(&self, attachment: &[u8]) -> bool {
        let held = self.state.lock().unwrap().attachments.get(&hash_of(attachment)).cloned();
        held.as_deref() == Some(attachment)
    }

    /// Forgets an attachment, as if it had never come.
    pub(crate) fn forget_attachment(&self, attachment: &[u8]) {
        self.state.lock().unwrap().attachments.remove(&hash_of(attachment));
    }

    /// Has attachments again.
    pub(crate) fn restore_attachments(&self, attachments: &[Bytes]) {
        self.state.lock().unwrap().attachments.extend(attachments.iter().map(|a| (hash_of(a), a.clone())));
    }

    pub(crate) fn lacks(&self) -> usize {
        self.state.lock().unwrap().missing.len()
    }

    /// The round in which a height was decided, as its certificate says.
    pub(crate) fn round(&self, height: Height) -> u32 {
        Checkpoint::parse(&self.certificate(height).unwrap().text).unwrap().round.0
    }

    pub(crate) fn tip_height(&self) -> u64 {
        self.state.lock().unwrap().tip.height.get()
    }

    pub(crate) fn header_hash(&self, height: Height) -> Option<HeaderHash> {
        let state = self.state.lock().unwrap();
        state.blocks.get(&height).map(|(bytes, _)| decode(bytes).expect("own block").header.hash())
    }

    pub(crate) fn holds(&self, id: &RecordId) -> bool {
        self.state.lock().unwrap().ids.contains(id)
    }

    pub(crate) fn certificate(&self, height: Height) -> Option<Note> {
        self.state.lock().unwrap().blocks.get(&height).map(|(_, note)| note.clone())
    }

    /// The set of a height, as far as it is known.
    pub(crate) fn set_at(&self, height: Height) -> Arc<ValidatorSet> {
        self.state.lock().unwrap().set_at(height)
    }

    /// The sets so far, each with its first height.
    pub(crate) fn epochs(&self) -> Vec<(Height, Arc<ValidatorSet>)> {
        self.state.lock().unwrap().epochs.clone()
    }

    /// The header of a height.
    pub(crate) fn header(&self, height: Height) -> Option<Header> {
        let state = self.state.lock().unwrap();
        state.blocks.get(&height).map(|(bytes, _)| decode(bytes).expect("own block").header)
    }

    /// Signatures "verified" so far.
    pub(crate) fn checked(&self) -> u64 {
        self.state.lock().unwrap().checked
    }

    fn build(
        &self,
        state: &State,
        proposer: Address,
        time: UnixTime,
        records: &[TestRecord],
        attachments: &[Bytes],
        value: Option<&Bytes>,
    ) -> Arc<Prepared<()>> {
        let parent = &state.tip;
        let mut root = *parent.log_root.as_bytes();
        let mut entries = Vec::new();
        for record in records {
            root = sha256(&[&root, record.leaf_hash().as_bytes()]);
            push_entry(&mut entries, record.as_bytes());
        }
        let begins = parent.next_validators_hash != parent.validators_hash;
        let height = parent.height.next();
        let header = Header {
            height,
            epoch: if begins { parent.epoch.next() } else { parent.epoch },
            validators_hash: parent.next_validators_hash,
            next_validators_hash: state.set_at(height.next()).hash(),
            epoch_header: if begins || parent.height == Height(0) {
                HeaderRef { height: parent.height, hash: parent.hash() }
            } else {
                parent.epoch_header
            },
            time,
            previous: parent.hash(),
            log_size: LogSize(parent.log_size.get() + records.len() as u64),
            log_root: TreeHash::from_bytes(root),
            proposer,
            ..parent.clone()
        };
        let text = header.encode();
        let mut bytes = (text.len() as u32).to_be_bytes().to_vec();
        bytes.extend(text);
        bytes.extend(entries);
        let named: Vec<_> = records.iter().filter_map(TestRecord::named).collect();
        let beside: Vec<_> = attachments.iter().map(|a| hash_of(a)).collect();
        Arc::new(Prepared {
            header,
            bytes: value.cloned().unwrap_or_else(|| encode_value(&bytes, attachments).into()),
            attached: named.iter().all(|name| beside.contains(name)),
            records: records.iter().map(PoolRecord::id).collect(),
            inner: (),
        })
    }
}

impl State {
    fn set_at(&self, height: Height) -> Arc<ValidatorSet> {
        Arc::clone(&self.epochs.iter().rfind(|(from, _)| *from <= height).expect("from height 0 on").1)
    }
}

struct Decoded<'a> {
    header: Header,
    entries: Vec<&'a [u8]>,
    attachments: Vec<Bytes>,
}

fn decode(value: &Bytes) -> Option<Decoded<'_>> {
    let (bytes, attachments) = split_value(value).ok()?;
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (header, mut rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    let mut entries = Vec::new();
    while let Some((entry, after)) = split_entry(rest) {
        entries.push(entry);
        rest = after;
    }
    let attachments = attachments.into_iter().map(|attachment| value.slice_ref(attachment)).collect();
    Some(Decoded { header: Header::decode(header).ok()?, entries, attachments })
}

impl Application for MemoryLedger {
    type Record = TestRecord;
    type Block = ();

    fn tip(&self) -> TipView {
        let state = self.state.lock().unwrap();
        let next = state.tip.height.next();
        TipView {
            height: state.tip.height,
            header: state.tip.hash(),
            time: state.tip.time,
            validators: state.set_at(next),
            scheduled: state.epochs.last().filter(|(from, _)| *from > next).cloned(),
            parameters: self.parameters.clone(),
        }
    }

    fn check(&self, bytes: &[u8], attachment: Option<&Bytes>) -> Result<Result<TestRecord, Refusal>, AppError> {
        let mut state = self.state.lock().unwrap();
        state.checked += 1;
        let record = TestRecord::new(bytes, attachment.cloned());
        let refusal = |slug, message: &str| Refusal { slug, number: 100, message: message.into() };
        if bytes.starts_with(b"bad") {
            return Ok(Err(refusal("record.bad", "bad")));
        }
        if state.ids.contains(&record.id()) {
            return Ok(Err(refusal("admission.duplicate", "committed already")));
        }
        if record.named() != attachment.map(|a| hash_of(a)) {
            return Ok(Err(refusal("status.attachment", "not the attachment")));
        }
        Ok(Ok(record))
    }

    fn propose(&self, proposer: Address, now: UnixTime, candidates: &[TestRecord]) -> Result<Proposed<()>, AppError> {
        let state = self.state.lock().unwrap();
        let (fresh, old): (Vec<_>, Vec<_>) = candidates.iter().cloned().partition(|r| !state.ids.contains(&r.id()));
        let refusal = Refusal { slug: "admission.duplicate", number: 150, message: String::new() };
        let rejected = old.iter().map(|r| (r.id(), refusal.clone())).collect();
        let attachments: Vec<_> = fresh.iter().filter_map(|r| r.attachment().cloned()).collect();
        let beside = match *self.manners.lock().unwrap() {
            Manners::Honest => attachments,
            Manners::Withholds => Vec::new(),
            Manners::Changes => attachments.iter().map(|a| vec![9; a.len()].into()).collect(),
        };
        Ok(Proposed { block: self.build(&state, proposer, now.max(state.tip.time), &fresh, &beside, None), rejected })
    }

    fn validate(
        &self,
        bytes: &Bytes,
        known: Known<'_, TestRecord>,
        _: Attachments,
    ) -> Result<Result<Arc<Prepared<()>>, String>, AppError> {
        let Some(decoded) = decode(bytes) else { return Ok(Err("malformed".into())) };
        let Decoded { header, entries, attachments } = decoded;
        let mut records = Vec::new();
        for entry in entries {
            match known(&leaf_hash(entry)) {
                Some(record) => records.push(record),
                None => {
                    self.state.lock().unwrap().checked += 1;
                    records.push(TestRecord::new(entry, None));
                }
            }
        }
        let state = self.state.lock().unwrap();
        let built = self.build(&state, header.proposer, header.time, &records, &attachments, Some(bytes));
        if header.time < state.tip.time || built.header != header {
            return Ok(Err("another header".into()));
        }
        Ok(Ok(built))
    }

    fn put_undecided(&self, height: Height, _: &Prepared<()>, seen: &Undecided) -> Result<(), AppError> {
        self.state.lock().unwrap().undecided.push((height, seen.clone()));
        Ok(())
    }

    fn undecided(&self, height: Height) -> Result<Vec<Undecided>, AppError> {
        let state = self.state.lock().unwrap();
        Ok(state.undecided.iter().filter(|(h, _)| *h == height).map(|(_, u)| u.clone()).collect())
    }

    fn commit(&self, block: &Prepared<()>, certificate: &Note) -> Result<(), AppError> {
        let mut state = self.state.lock().unwrap();
        assert_eq!(block.header.previous, state.tip.hash(), "a block on another tip");
        state.ids.extend(&block.records);
        let Decoded { entries, attachments, .. } = decode(&block.bytes).expect("it was decoded before");
        let records: Vec<_> = entries.into_iter().map(|entry| TestRecord::new(entry, None)).collect();
        let (height, pending) =
            (block.header.height, state.epochs.last().is_some_and(|(f, _)| *f > block.header.height));
        state.epochs.extend(records.iter().find_map(|record| record.schedules(height)).filter(|_| !pending));
        for name in records.iter().filter_map(TestRecord::named) {
            match attachments.iter().find(|a| hash_of(a) == name) {
                Some(attachment) => drop(state.attachments.insert(name, attachment.clone())),
                None => drop(state.missing.insert(name)),
            }
        }
        state.blocks.insert(block.header.height, (block.bytes.clone(), certificate.clone()));
        state.undecided.clear();
        state.tip = block.header.clone();
        Ok(())
    }

    fn decided(&self, height: Height) -> Result<Option<Decided>, AppError> {
        let state = self.state.lock().unwrap();
        Ok(state.blocks.get(&height).map(|(value, certificate)| {
            let (block, attachments) = split_value(value).expect("own block");
            let held: Vec<_> =
                attachments.into_iter().filter(|a| state.attachments.contains_key(&hash_of(a))).collect();
            Decided {
                bytes: encode_value(block, &held).into(),
                certificate: certificate.clone(),
                validators: state.set_at(height),
            }
        }))
    }

    fn missing_attachments(&self, limit: usize) -> Result<Vec<AttachmentHash>, AppError> {
        Ok(self.state.lock().unwrap().missing.iter().take(limit).copied().collect())
    }

    fn attachment(&self, attachment: &AttachmentHash) -> Result<Option<Bytes>, AppError> {
        Ok(self.state.lock().unwrap().attachments.get(attachment).cloned())
    }

    fn put_attachment(&self, bytes: &Bytes) -> Result<bool, AppError> {
        let (mut state, name) = (self.state.lock().unwrap(), hash_of(bytes));
        let missing = state.missing.remove(&name);
        if missing {
            state.attachments.insert(name, bytes.clone());
        }
        Ok(missing)
    }
}
