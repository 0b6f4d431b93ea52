//! A ledger in memory, and four validators over it on loopback: what the consensus tests run against.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use libp2p::Multiaddr;
use testamur_consensus::application::{
    AppError, Application, Attachments, Decided, Known, PoolRecord, Prepared, Proposed, Refusal, TipView, Undecided,
};
use testamur_consensus::guard::Guard;
use testamur_consensus::{ConsensusConfig, ConsensusHandle, ConsensusKeys, PeerAddress, start};
use testamur_primitives::block::{encode_value, push_entry, split_entry, split_value};
use testamur_primitives::checkpoint::Checkpoint;
use testamur_primitives::codec::sha256;
use testamur_primitives::did::Did;
use testamur_primitives::epoch::{TypedKey, ValidatorKeyAlgorithm, ValidatorRegistration, ValidatorSet};
use testamur_primitives::genesis::{Genesis, GenesisValidator, Parameters, Possession};
use testamur_primitives::hash::{Address, AttachmentHash, HeaderHash, RecordId, StateRoot, TreeHash};
use testamur_primitives::header::Header;
use testamur_primitives::key::SigningKey;
use testamur_primitives::merkle::leaf_hash;
use testamur_primitives::note::Note;
use testamur_primitives::record::Bytes as KeyBytes;
use testamur_primitives::units::{Height, LogSize, UnixTime};

/// A "record": any bytes that do not start with `bad`. One that starts with `attach ` names an attachment: the SHA-256
/// in hexadecimal that follows.
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
    set: Arc<ValidatorSet>,
    parameters: Parameters,
    manners: Mutex<Manners>,
    state: Mutex<State>,
}

struct State {
    tip: Header,
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
            blocks: BTreeMap::new(),
            undecided: Vec::new(),
            ids: HashSet::new(),
            attachments: BTreeMap::new(),
            missing: BTreeSet::new(),
            checked: 0,
        };
        Arc::new(Self {
            set: Arc::new(genesis.validator_set()),
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
            blocks: state.blocks.clone(),
            undecided: state.undecided.clone(),
            ids: state.ids.clone(),
            attachments: state.attachments.clone(),
            missing: state.missing.clone(),
            checked: 0,
        };
        Arc::new(Self {
            set: Arc::clone(&self.set),
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
        let header = Header {
            height: parent.height.next(),
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
        TipView {
            height: state.tip.height,
            header: state.tip.hash(),
            time: state.tip.time,
            validators: Arc::clone(&self.set),
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
        for name in entries.into_iter().filter_map(|entry| TestRecord::new(entry, None).named()) {
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
                validators: Arc::clone(&self.set),
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

/// Four validators with keys, ports and directories.
pub(crate) struct Network {
    pub(crate) genesis: Genesis,
    pub(crate) directory: tempfile::TempDir,
    seeds: Vec<u8>,
    ports: Vec<(u16, u16)>,
}

/// A running node.
pub(crate) struct Node {
    pub(crate) ledger: Arc<MemoryLedger>,
    pub(crate) handle: ConsensusHandle<MemoryLedger>,
}

fn key(seed: u8, kind: u8) -> SigningKey {
    SigningKey::ed25519(&peer_seed(seed, kind))
}

fn peer_seed(seed: u8, kind: u8) -> [u8; 32] {
    sha256(&[&[seed, kind]])
}

/// A port that is free, given to nobody else in this process, and below those that outgoing connections take (32,768 and up): a
/// node that is stopped finds its port free when it starts again.
fn free_port() -> u16 {
    use std::sync::atomic::{AtomicU32, Ordering};
    const FIRST: u32 = 12_000;
    const COUNT: u32 = 20_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Two processes of tests begin at different places.
    let offset = std::process::id().wrapping_mul(97);
    for _ in 0..COUNT {
        let place = offset.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT;
        let port = u16::try_from(FIRST + place).expect("below 32,000");
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port is free")
}

impl Network {
    pub(crate) fn new(parameters: Parameters) -> Self {
        let validator = |seed: u8| {
            let public = |kind| KeyBytes(key(seed, kind).public_key().as_bytes().to_vec());
            let registration = ValidatorRegistration {
                v: 1,
                name: format!("validator-{seed}.example"),
                operator: format!("Authority {seed}"),
                country: "EU".into(),
                did: Did::key(&key(seed, 9).public_key()),
                keys: vec![TypedKey { alg: ValidatorKeyAlgorithm::Ed25519, key: public(0) }],
                log_key: public(1),
                peer_key: public(2),
                not_after: UnixTime(4_000_000_000),
            };
            let possession = Possession { consensus: KeyBytes(vec![]), log: KeyBytes(vec![]), peer: KeyBytes(vec![]) };
            GenesisValidator { registration, possession }
        };
        let genesis = Genesis {
            v: 1,
            domain: "test.example".into(),
            name: "memory".into(),
            time: UnixTime(1_700_000_000),
            protocol: 1,
            parameters,
            validators: (0..4).map(validator).collect(),
            operators: vec![],
            approvals_required: 1,
            writers: vec![],
            did_method: None,
            public_base: None,
            status_history_days: None,
            predecessor: None,
        };
        let network = Self {
            genesis,
            directory: tempfile::tempdir().unwrap(),
            seeds: (0..4).collect(),
            ports: (0..4).map(|_| (free_port(), free_port())).collect(),
        };
        for number in 0..4 {
            Guard::create(&network.guard_directory(number), network.address(number)).unwrap();
        }
        network
    }

    pub(crate) fn address(&self, number: usize) -> Address {
        self.genesis.validators[number].registration.address()
    }

    pub(crate) fn guard_directory(&self, number: usize) -> std::path::PathBuf {
        self.directory.path().join(format!("guard-{number}"))
    }

    pub(crate) fn log_directory(&self, number: usize) -> std::path::PathBuf {
        self.directory.path().join(format!("log-{number}"))
    }

    pub(crate) async fn start(&self, number: usize, ledger: &Arc<MemoryLedger>) -> Node {
        let multiaddr = |port: u16| -> Multiaddr { format!("/ip4/127.0.0.1/tcp/{port}").parse().unwrap() };
        let others = (0..4).filter(|other| *other != number);
        let config = ConsensusConfig {
            origin: self.genesis.origin(),
            address: self.address(number),
            moniker: format!("node-{number}"),
            listen: multiaddr(self.ports[number].0),
            gossip_listen: multiaddr(self.ports[number].1),
            peers: others
                .map(|other| PeerAddress {
                    validator: self.address(other),
                    consensus: multiaddr(self.ports[other].0),
                    gossip: multiaddr(self.ports[other].1),
                })
                .collect(),
            guard_directory: self.guard_directory(number),
            log_directory: self.log_directory(number),
            trust_lost_guard: false,
            failpoints: false,
        };
        let seed = self.seeds[number];
        let keys = ConsensusKeys { consensus: key(seed, 0), peer_seed: peer_seed(seed, 2) };
        let handle = start(config, keys, Arc::clone(ledger)).await.expect("the node starts");
        Node { ledger: Arc::clone(ledger), handle }
    }

    pub(crate) async fn start_all(&self) -> Vec<Node> {
        let ledgers: Vec<_> = (0..4).map(|_| MemoryLedger::new(&self.genesis)).collect();
        futures::future::join_all((0..4).map(|number| self.start(number, &ledgers[number]))).await
    }
}

impl Node {
    /// Waits until this node's ledger stands at a height.
    pub(crate) async fn reaches(&self, height: u64) {
        let mut events = self.handle.events();
        let mut fatal = self.handle.fatal();
        while self.ledger.tip().height.get() < height {
            tokio::select! {
                _ = events.recv() => {}
                Ok(stopped) = fatal.wait_for(Option::is_some) => panic!("consensus stopped: {:?}", *stopped),
                () = tokio::time::sleep(std::time::Duration::from_secs(60)) =>
                    panic!("stuck at {} on the way to {height}", self.ledger.tip().height),
            }
        }
    }

    /// Waits until this node's ledger holds a record.
    pub(crate) async fn holds(&self, id: &RecordId) {
        let mut events = self.handle.events();
        while !self.ledger.holds(id) {
            let next = tokio::time::timeout(std::time::Duration::from_secs(60), events.recv()).await;
            assert!(next.is_ok(), "a record is not final after a minute");
        }
    }

    /// Waits until nothing waits in this node's pool: a block is in the ledger a moment before its records leave the pool.
    pub(crate) async fn pool_is_empty(&self) {
        let emptied = async {
            while self.handle.pool().records > 0 {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        let in_time = tokio::time::timeout(std::time::Duration::from_secs(60), emptied).await;
        assert!(in_time.is_ok(), "records wait that are final");
    }
}
