//! A ledger in memory, of real primitives: what is read from it verifies.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use testamur_api::ledger::{
    ConsistencyProof, EntryPosition, Finality, HistoryProof, Notarisation, Page, ReadError, ReadResult, Reader,
    RecordQuery, Registry, StoredBlock, StoredCheckpoint, StoredEpoch, StoredRecord, SubmitError, Submitter, Tip,
};
use testamur_primitives::block::Block;
use testamur_primitives::checkpoint::{Checkpoint, cosignature_message};
use testamur_primitives::codec::sha256;
use testamur_primitives::commitment::{DigestAlgorithm, DocumentDigest, Form};
use testamur_primitives::did::Did;
use testamur_primitives::epoch::{TypedKey, ValidatorKeyAlgorithm, ValidatorRegistration, ValidatorSet};
use testamur_primitives::genesis::{Genesis, GenesisValidator, Operator, Parameters, Possession, possession_message};
use testamur_primitives::hash::{GenesisHash, RecordId, TreeHash};
use testamur_primitives::header::{Header, HeaderRef};
use testamur_primitives::key::SigningKey;
use testamur_primitives::merkle::{self, MemoryTree, Nodes as _};
use testamur_primitives::note::{Note, SignatureLine};
use testamur_primitives::receipt::{Algorithms, AuthorKey, Receipt, ReceiptNetwork};
use testamur_primitives::record::{Act, Bytes as RecordBytes, Payload, Record};
use testamur_primitives::stream::StreamedBlock;
use testamur_primitives::units::{Epoch, Height, LogIndex, LogSize, Round, UnixTime};
use testamur_registry::genesis_writes;
use tokio::sync::Notify;

use crate::registries::{Registries, Snapshot};

/// Time of genesis; each block is a second later.
pub(crate) const GENESIS_TIME: u64 = 1_800_000_000;

/// What absolute URLs begin with.
pub(crate) const PUBLIC_BASE: &str = "https://ledger.example";

/// What the submitter does with a good record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It becomes final at once.
    Commit,
    /// It waits for ever.
    Hold,
    /// The pool is full.
    Busy,
    /// The node is not ready.
    NotReady,
    /// The node fails.
    Fail,
    /// It is dropped while its client waits.
    Drop,
    /// The handler panics.
    Panic,
}

/// The ledger.
pub(crate) struct MemoryLedger {
    genesis: Arc<Genesis>,
    set: Arc<ValidatorSet>,
    validators: Vec<ValidatorKeys>,
    pub(crate) author: SigningKey,
    state: Mutex<State>,
    committed: Notify,
}

struct State {
    registries: Registries,
    headers: Vec<Header>,
    notes: Vec<Note>,
    records: Vec<StoredRecord>,
    by_id: BTreeMap<RecordId, usize>,
    queued: BTreeMap<RecordId, Record>,
    log: MemoryTree,
    history: MemoryTree,
    mode: Mode,
    damaged: bool,
}

struct ValidatorKeys {
    name: String,
    consensus: SigningKey,
    log: SigningKey,
}

fn public(key: &SigningKey) -> [u8; 32] {
    key.public_key().as_bytes().try_into().expect("Ed25519")
}

fn signature(key: &SigningKey, message: &[u8]) -> [u8; 64] {
    key.sign(message).try_into().expect("Ed25519")
}

impl MemoryLedger {
    /// A network of four validators with nothing but genesis.
    pub(crate) fn new() -> Arc<Self> {
        let author = SigningKey::ed25519(&[1; 32]);
        let did = Did::key(&author.public_key());
        let mut validators = Vec::new();
        let mut registered = Vec::new();
        for i in 0..4u8 {
            let [consensus, log, peer] = [10, 20, 30].map(|kind| SigningKey::ed25519(&[kind + i; 32]));
            let registration = ValidatorRegistration {
                v: 1,
                name: format!("validator-{i}.example"),
                operator: format!("Ministry {i}"),
                country: "XX".into(),
                did: did.clone(),
                keys: vec![TypedKey {
                    alg: ValidatorKeyAlgorithm::Ed25519,
                    key: RecordBytes(public(&consensus).to_vec()),
                }],
                log_key: RecordBytes(public(&log).to_vec()),
                peer_key: RecordBytes(public(&peer).to_vec()),
                not_after: UnixTime(GENESIS_TIME + 100_000_000),
            };
            let address = registration.address();
            let prove = |kind, key: &SigningKey| RecordBytes(key.sign(&possession_message(kind, address)));
            let possession = Possession {
                consensus: prove("consensus", &consensus),
                log: prove("log", &log),
                peer: prove("peer", &peer),
            };
            validators.push(ValidatorKeys { name: registration.name.clone(), consensus, log });
            registered.push(GenesisValidator { registration, possession });
        }
        let genesis = Genesis {
            v: 1,
            domain: "testamur.example".into(),
            name: "api-test".into(),
            time: UnixTime(GENESIS_TIME),
            protocol: 1,
            parameters: Parameters::default(),
            validators: registered,
            operators: vec![Operator { did: did.clone(), name: "Operator".into(), country: "XX".into() }],
            approvals_required: 1,
            writers: vec![did],
            did_method: None,
            public_base: Some(PUBLIC_BASE.into()),
            status_history_days: None,
            predecessor: None,
        };
        let bytes = testamur_primitives::codec::canonical(&genesis);
        let genesis = Genesis::from_json(&bytes).expect("a good genesis");
        let mut registries = Registries::default();
        registries.write(&genesis_writes(&genesis));
        let header = genesis.header(registries.root());
        let mut history = MemoryTree::default();
        history.append(merkle::leaf_hash(header.hash().as_bytes()));
        let state = State {
            registries,
            headers: vec![header],
            notes: Vec::new(),
            records: Vec::new(),
            by_id: BTreeMap::new(),
            queued: BTreeMap::new(),
            log: MemoryTree::default(),
            history,
            mode: Mode::Commit,
            damaged: false,
        };
        let set = Arc::new(genesis.validator_set());
        Arc::new(Self {
            genesis: Arc::new(genesis),
            set,
            validators,
            author,
            state: Mutex::new(state),
            committed: Notify::new(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics inside")
    }

    pub(crate) fn set_mode(&self, mode: Mode) {
        self.state().mode = mode;
    }

    pub(crate) fn damage(&self) {
        self.state().damaged = true;
    }

    pub(crate) fn origin(&self) -> String {
        self.genesis.origin().to_string()
    }

    /// The set of epoch 0.
    pub(crate) fn set(&self) -> &ValidatorSet {
        &self.set
    }

    /// A record of one plain SHA-256 digest.
    pub(crate) fn public_record(&self, jti: &str, digest: [u8; 32]) -> Record {
        self.record(jti, Form::Digest, vec![RecordBytes(digest.to_vec())])
    }

    /// A record with any entries.
    pub(crate) fn record(&self, jti: &str, form: Form, entries: Vec<RecordBytes>) -> Record {
        let iss = Did::key(&self.author.public_key());
        let kid = iss.key_id().expect("a did:key");
        let act = Act::Notarise { alg: DigestAlgorithm::Sha2_256, form, entries, reference: None };
        let (iat, exp) = (UnixTime(GENESIS_TIME), UnixTime(GENESIS_TIME + 3_600));
        let payload =
            Payload { v: 1, net: self.genesis.hash(), iss, jti: jti.parse().expect("a reference"), iat, exp, act };
        Record::sign(&payload, &kid, &self.author).expect("a good record")
    }

    /// The network.
    pub(crate) fn network(&self) -> GenesisHash {
        self.genesis.hash()
    }

    /// Keeps bytes that a record names.
    pub(crate) fn attach(&self, bytes: &[u8]) {
        self.state().registries.attach(bytes);
    }

    /// Loses all of them.
    pub(crate) fn lose_attachments(&self) {
        self.state().registries.lose_attachments();
    }

    /// Looks at the state of the registries.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Registries) -> T) -> T {
        look(&self.state().registries)
    }

    /// Appends a certified block, a second after the one before. The contracts must take its records.
    pub(crate) fn commit(&self, records: Vec<Record>) -> Height {
        self.commit_after(1, records)
    }

    /// Appends a certified block some seconds after the one before.
    pub(crate) fn commit_after(&self, seconds: u64, records: Vec<Record>) -> Height {
        let mut state = self.state();
        let parent = state.headers.last().expect("genesis").clone();
        let (height, time) = (parent.height.next(), UnixTime(parent.time.0 + seconds));
        let state_root = state.registries.execute(self.genesis.hash(), height, time, &records);
        for record in records {
            let index = LogIndex(state.records.len() as u64);
            state.log.append(record.leaf_hash());
            state.queued.remove(&record.id());
            state.by_id.insert(record.id(), index.0 as usize);
            state.records.push(StoredRecord { record, index, height, time });
        }
        let log_size = LogSize(state.log.size());
        let header = Header {
            height,
            time,
            previous: parent.hash(),
            history_root: state.history.root(height.0).expect("all earlier headers"),
            log_size,
            log_root: state.log.root(log_size.0).expect("all records"),
            state_root,
            epoch_header: HeaderRef { height: Height(0), hash: state.headers[0].hash() },
            proposer: self.set.validators()[0].address,
            ..parent
        };
        state.history.append(merkle::leaf_hash(header.hash().as_bytes()));
        let note = self.certify(&header);
        state.headers.push(header);
        state.notes.push(note);
        drop(state);
        self.committed.notify_waiters();
        height
    }

    fn certify(&self, header: &Header) -> Note {
        let origin = self.genesis.origin();
        let text = Checkpoint::new(&origin, &header.value_id(), header.height, Round(0)).body();
        let message = cosignature_message(header.time, &text);
        let mut signatures: Vec<_> = self
            .validators
            .iter()
            .take(3)
            .map(|v| {
                let signature = signature(&v.consensus, &message);
                SignatureLine::cosignature(&v.name, &public(&v.consensus), header.time.0, &signature)
            })
            .collect();
        let log = &self.validators[0].log;
        signatures.push(SignatureLine::log(origin.as_str(), &public(log), &signature(log, text.as_bytes())));
        Note { text, signatures }
    }

    fn readable(&self) -> ReadResult<MutexGuard<'_, State>> {
        let state = self.state();
        if state.damaged {
            return Err(ReadError::Fatal("leaf 7 of /secret/path does not hash to what is stored".into()));
        }
        Ok(state)
    }

    fn finality(&self, id: RecordId) -> Option<Finality> {
        let state = self.state();
        let StoredRecord { height, time, index, .. } = state.records[*state.by_id.get(&id)?];
        Some(Finality { height, time, index })
    }
}

impl State {
    fn checkpoint(&self, height: Height, set: &Arc<ValidatorSet>) -> Option<StoredCheckpoint> {
        let place = usize::try_from(height.0).ok()?;
        let note = self.notes.get(place.checked_sub(1)?)?.clone();
        Some(StoredCheckpoint { header: self.headers[place].clone(), note, validators: Arc::clone(set) })
    }
}

impl Reader for MemoryLedger {
    fn genesis(&self) -> Arc<Genesis> {
        Arc::clone(&self.genesis)
    }

    fn tip(&self) -> Tip {
        let header = self.state().headers.last().expect("genesis").clone();
        let parameters = Arc::new(self.genesis.parameters.clone());
        Tip { hash: header.hash(), header: Arc::new(header), parameters }
    }

    fn record(&self, id: RecordId) -> ReadResult<Option<StoredRecord>> {
        let state = self.readable()?;
        Ok(state.by_id.get(&id).map(|place| state.records[*place].clone()))
    }

    fn receipt(&self, id: RecordId) -> ReadResult<Option<Receipt>> {
        let state = self.readable()?;
        let Some(place) = state.by_id.get(&id) else { return Ok(None) };
        let StoredRecord { record, index, height, .. } = &state.records[*place];
        let header = &state.headers[height.0 as usize];
        let path = state.log.inclusion_proof(index.0, header.log_size.0).expect("the log is that large");
        Ok(Some(Receipt {
            v: 1,
            r#type: "testamur-receipt".into(),
            network: ReceiptNetwork { genesis: self.genesis.hash(), origin: self.origin() },
            record: record.as_str().to_owned(),
            index: *index,
            path,
            header: header.text(),
            note: state.notes[height.0 as usize - 1].to_string(),
            validators: self.set.as_ref().clone(),
            epochs: Vec::new(),
            author: AuthorKey { jwk: self.author.public_key().to_jwk(), state: None },
            opening: None,
            anchors: Vec::new(),
            algorithms: Algorithms::default(),
            digest: RecordBytes(Vec::new()),
        }))
    }

    fn records(&self, query: &RecordQuery) -> ReadResult<Page<StoredRecord, LogIndex>> {
        let state = self.readable()?;
        let wanted = |r: &&StoredRecord| {
            query.author.as_ref().is_none_or(|a| r.record.author() == a)
                && query.time_from.is_none_or(|t| r.time >= t)
                && query.time_before.is_none_or(|t| r.time < t)
                && r.index >= query.from
        };
        let mut items: Vec<_> = state.records.iter().filter(wanted).take(query.limit + 1).cloned().collect();
        let next = (items.len() > query.limit).then(|| items[query.limit].index);
        items.truncate(query.limit);
        Ok(Page { items, next })
    }

    fn notarisations(
        &self,
        digest: &DocumentDigest,
        from: EntryPosition,
        limit: usize,
    ) -> ReadResult<Page<Notarisation, EntryPosition>> {
        let state = self.readable()?;
        let mut items = Vec::new();
        for stored in &state.records {
            let Act::Notarise { alg, form: Form::Digest, entries, .. } = stored.record.act() else { continue };
            for (entry, bytes) in entries.iter().enumerate() {
                let position = EntryPosition { index: stored.index, entry: entry as u32 };
                if *alg == digest.algorithm() && bytes.0 == digest.as_bytes() && position >= from {
                    items.push(Notarisation {
                        position,
                        record: stored.record.id(),
                        author: stored.record.author().clone(),
                        height: stored.height,
                        time: stored.time,
                    });
                }
            }
        }
        let next = items.get(limit).map(|n| n.position);
        items.truncate(limit);
        Ok(Page { items, next })
    }

    fn block(&self, height: Height) -> ReadResult<Option<StoredBlock>> {
        let state = self.readable()?;
        let header = usize::try_from(height.0).ok().and_then(|h| state.headers.get(h)).cloned();
        let records = state.records.iter().filter(|r| r.height == height).map(|r| r.record.id()).collect();
        Ok(header.map(|header| StoredBlock { header, records }))
    }

    fn blocks_from(&self, from: Height, limit: usize, bytes_max: usize) -> ReadResult<Vec<StreamedBlock>> {
        let state = self.readable()?;
        let mut blocks: Vec<StreamedBlock> = Vec::new();
        for header in state.headers.iter().filter(|h| h.height >= from && h.height > Height(0)).take(limit) {
            let records =
                state.records.iter().filter(|r| r.height == header.height).map(|r| r.record.clone()).collect();
            let block = Block { header: header.clone(), records }.encode();
            let certificate = state.checkpoint(header.height, &self.set).expect("certified").note;
            let block = StreamedBlock { block, certificate, attachments: Vec::new() };
            let bytes = blocks.iter().map(StreamedBlock::encoded_len).sum::<usize>();
            if !blocks.is_empty() && bytes + block.encoded_len() > bytes_max {
                break;
            }
            blocks.push(block);
        }
        Ok(blocks)
    }

    fn headers(&self, newest: Height, limit: usize) -> ReadResult<Vec<Header>> {
        let state = self.readable()?;
        Ok(state.headers.iter().rev().filter(|h| h.height <= newest).take(limit).cloned().collect())
    }

    fn checkpoint(&self, height: Height) -> ReadResult<Option<StoredCheckpoint>> {
        Ok(self.readable()?.checkpoint(height, &self.set))
    }

    fn latest_checkpoint(&self) -> ReadResult<Option<StoredCheckpoint>> {
        let state = self.readable()?;
        Ok(state.checkpoint(Height(state.headers.len() as u64 - 1), &self.set))
    }

    fn consistency(&self, from: LogSize, to: LogSize) -> ReadResult<Option<ConsistencyProof>> {
        let state = self.readable()?;
        if from > to || to.0 > state.log.size() {
            return Ok(None);
        }
        let root = |size: LogSize| state.log.root(size.0).expect("the log is that large");
        let path = merkle::consistency_proof(&state.log, from.0, to.0).expect("the log is that large");
        Ok(Some(ConsistencyProof { from_root: root(from), to_root: root(to), path }))
    }

    fn history(&self, from: Height, to: Height) -> ReadResult<Option<HistoryProof>> {
        let state = self.readable()?;
        if from >= to || to.0 >= state.headers.len() as u64 {
            return Ok(None);
        }
        let path = state.history.inclusion_proof(from.0, to.0).expect("all headers are there");
        let header = |height: Height| state.headers[height.0 as usize].clone();
        Ok(Some(HistoryProof { from: header(from), to: header(to), path }))
    }

    fn epochs(&self, from: Epoch, limit: usize) -> ReadResult<Vec<StoredEpoch>> {
        drop(self.readable()?);
        let epoch = StoredEpoch {
            epoch: Epoch(0),
            first_height: Height(0),
            last_height: None,
            validators: Arc::clone(&self.set),
            link: None,
        };
        Ok([epoch].into_iter().filter(|e| e.epoch >= from).take(limit).collect())
    }

    fn tile(&self, level: u8, index: u64, width: u16) -> ReadResult<Option<Vec<u8>>> {
        let state = self.readable()?;
        let node_level = 8 * u32::from(level);
        let first = index.checked_mul(256);
        let nodes = state.log.size().checked_shr(node_level).unwrap_or(0);
        let Some(first) = first.filter(|f| f + u64::from(width) <= nodes) else { return Ok(None) };
        let hash = |i: u64| -> TreeHash { state.log.node(node_level as u8, first + i).expect("a full node") };
        Ok(Some((0..u64::from(width)).flat_map(|i| *hash(i).as_bytes()).collect()))
    }

    fn entries(&self, index: u64, width: u16) -> ReadResult<Option<Vec<u8>>> {
        let state = self.readable()?;
        let first = index.checked_mul(256).and_then(|f| usize::try_from(f).ok());
        let records = first.and_then(|f| state.records.get(f..f + usize::from(width)));
        Ok(records.map(|records| {
            let mut bundle = Vec::new();
            for stored in records {
                testamur_primitives::block::push_entry(&mut bundle, stored.record.as_bytes());
            }
            bundle
        }))
    }

    fn registry(&self) -> ReadResult<Option<Box<dyn Registry + '_>>> {
        let state = self.readable()?;
        let height = Height(state.headers.len() as u64 - 1);
        let Some(checkpoint) = state.checkpoint(height, &self.set) else { return Ok(None) };
        Ok(Some(Box::new(Snapshot {
            registries: state.registries.clone(),
            network: ReceiptNetwork { genesis: self.genesis.hash(), origin: self.origin() },
            header: checkpoint.header,
            note: checkpoint.note,
            validators: self.set.as_ref().clone(),
            records: state.records.clone(),
        })))
    }
}

#[async_trait::async_trait]
impl Submitter for MemoryLedger {
    async fn submit(&self, record: Bytes, attachment: Option<Bytes>) -> Result<RecordId, SubmitError> {
        let mode = self.state().mode;
        match mode {
            Mode::Busy => {
                return Err(SubmitError::Busy {
                    reason: "the author's share of the pool is full".into(),
                    retry_after_s: 7,
                });
            }
            Mode::NotReady => return Err(SubmitError::NotReady { reason: "the node is 12 heights behind".into() }),
            Mode::Fail => return Err(SubmitError::Internal("disk /secret/path".into())),
            Mode::Panic => panic!("a defect in /secret/path"),
            Mode::Commit | Mode::Hold | Mode::Drop => {}
        }
        let rejected = |error: testamur_primitives::record::RecordError, id| {
            let (code, number) = error.code();
            SubmitError::Rejected { code, number, message: error.to_string(), id }
        };
        let record = Record::parse(&record).map_err(|e| rejected(e, None))?;
        let id = record.id();
        // What the ledger does for status lists, on what is submitted with any record here.
        if attachment.is_some_and(|bytes| record.attachment().is_none_or(|a| sha256(&[&bytes]) != *a.sha256.as_bytes()))
        {
            let message = "the list's bytes are missing or differ".into();
            return Err(SubmitError::Rejected { code: "status.attachment", number: 459, message, id: Some(id) });
        }
        record.verify_did_key().map_err(|e| rejected(e, Some(id)))?;
        let time = self.tip().header.time;
        record.check_admission(self.genesis.hash(), time).map_err(|e| rejected(e, Some(id)))?;
        if self.finality(id).is_some() {
            let message = "the record is on the ledger already".into();
            return Err(SubmitError::Rejected { code: "admission.duplicate", number: 150, message, id: Some(id) });
        }
        match mode {
            Mode::Commit => {
                self.commit(vec![record]);
            }
            _ => {
                self.state().queued.insert(id, record);
            }
        }
        Ok(id)
    }

    async fn wait_final(&self, id: RecordId) -> Result<Finality, SubmitError> {
        if self.state().mode == Mode::Drop {
            let message = "the writer's role was revoked".into();
            return Err(SubmitError::Rejected { code: "notary.writer-revoked", number: 201, message, id: Some(id) });
        }
        loop {
            let committed = self.committed.notified();
            if let Some(finality) = self.finality(id) {
                return Ok(finality);
            }
            committed.await;
        }
    }

    fn is_queued(&self, id: RecordId) -> bool {
        self.state().queued.contains_key(&id)
    }
}
