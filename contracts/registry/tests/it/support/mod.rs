//! A ledger in memory for the contract tests: genesis with deterministic keys, blocks, replay window, state tree, log.

// Each test binary uses its own part of this.
#![allow(dead_code, unreachable_pub)]

pub mod members;
pub mod registry;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::convert::Infallible;
use std::sync::Mutex;

use serde_json::{Value, json};
use testamur_primitives::codec::sha256;
use testamur_primitives::commitment::{DigestAlgorithm, Form};
use testamur_primitives::did::Did;
use testamur_primitives::epoch::{TypedKey, ValidatorKeyAlgorithm, ValidatorRegistration};
use testamur_primitives::genesis::{Genesis, GenesisValidator, Operator, Parameters, Possession, possession_message};
use testamur_primitives::hash::{Address, GenesisHash, RecordId, StateRoot, TreeHash};
use testamur_primitives::key::SigningKey;
use testamur_primitives::limits::REPLAY_WINDOW_S;
use testamur_primitives::merkle::Frontier;
use testamur_primitives::record::{Act, Bytes, Change, Payload, Record, Reference};
use testamur_primitives::state::StateObject;
use testamur_primitives::units::{Height, UnixTime};
use testamur_registry::tree::{self, EMPTY_ROOT, TreeState, TreeStore, TreeUpdate};
use testamur_registry::{
    ApplyError, BlockContext, Execution, Outcome, Rejection, ReplayWindow, StateKey, WriteSet, check_stateless,
    genesis_writes, index,
};

/// Time of height 0 in these tests.
pub const START: u64 = 1_800_000_000;

/// The Ed25519 key of a role and number.
pub fn key(role: &str, number: u32) -> SigningKey {
    SigningKey::ed25519(&sha256(&[b"contract tests\n", role.as_bytes(), &number.to_be_bytes()]))
}

/// The DID of such a key.
pub fn did(role: &str, number: u32) -> Did {
    Did::key(&key(role, number).public_key())
}

pub fn public(role: &str, number: u32) -> Vec<u8> {
    key(role, number).public_key().as_bytes().to_vec()
}

/// What validator n registers with: its name, and keys n.
pub fn registration(n: u32) -> ValidatorRegistration {
    ValidatorRegistration {
        v: 1,
        name: format!("validator-{n}.example"),
        operator: format!("Ministry {n}"),
        country: "BE".into(),
        did: did("legal", n),
        keys: vec![TypedKey { alg: ValidatorKeyAlgorithm::Ed25519, key: Bytes(public("consensus", n)) }],
        log_key: Bytes(public("log", n)),
        peer_key: Bytes(public("peer", n)),
        not_after: UnixTime(START + 100_000_000),
    }
}

/// Validator n with the proof that its keys, numbered n, are its own.
pub fn validator(n: u32) -> GenesisValidator {
    let registration = registration(n);
    let possession = possession([n; 3], registration.address());
    GenesisValidator { registration, possession }
}

/// Proofs by the consensus, log and peer key of these numbers, for an address.
pub fn possession([consensus, log, peer]: [u32; 3], address: Address) -> Possession {
    let sign = |role: &str, n| Bytes(key(role, n).sign(&possession_message(role, address)));
    Possession { consensus: sign("consensus", consensus), log: sign("log", log), peer: sign("peer", peer) }
}

/// A genesis of four validators, operators 0…, m, and writers 0….
pub fn genesis(operators: u32, approvals_required: u32, writers: u32) -> Genesis {
    // Its keys and signatures take longer than a short test's records: each is made once.
    static MADE: Mutex<BTreeMap<(u32, u32, u32), Genesis>> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().expect("making one does not panic");
    let wanted = (operators, approvals_required, writers);
    made.entry(wanted).or_insert_with(|| new_genesis(operators, approvals_required, writers)).clone()
}

fn new_genesis(operators: u32, approvals_required: u32, writers: u32) -> Genesis {
    let validators = (0..4).map(validator);
    let genesis = Genesis {
        v: 1,
        domain: "ledger.example".into(),
        name: "tests".into(),
        time: UnixTime(START),
        protocol: 1,
        parameters: Parameters::default(),
        validators: validators.collect(),
        operators: (0..operators)
            .map(|n| Operator { did: did("operator", n), name: format!("Operator {n}"), country: "BE".into() })
            .collect(),
        approvals_required,
        writers: (0..writers).map(|n| did("writer", n)).collect(),
        did_method: None,
        public_base: None,
        status_history_days: None,
        predecessor: None,
    };
    Genesis::from_json(&testamur_primitives::codec::canonical(&genesis)).expect("the test genesis is valid")
}

/// A tree store in memory.
#[derive(Default, Clone)]
pub struct MemoryTree {
    pub nodes: BTreeMap<Vec<u8>, Vec<u8>>,
    pub values: BTreeMap<([u8; 32], u64), Vec<u8>>,
    pub stale: BTreeSet<(u64, Vec<u8>)>,
}

impl MemoryTree {
    pub fn apply(&mut self, update: &TreeUpdate) {
        self.nodes.extend(update.nodes.iter().cloned());
        self.values.extend(update.values.iter().map(|(key, version, value)| ((*key, *version), value.clone())));
        self.stale.extend(update.stale.iter().cloned());
    }

    /// Forgets what no version from `version` on needs.
    pub fn prune(&mut self, version: u64) {
        let (gone, kept): (BTreeSet<_>, _) = self.stale.iter().cloned().partition(|(since, _)| *since <= version);
        for (_, key) in gone {
            assert!(self.nodes.remove(&key).is_some(), "a node is stale once, and was stored");
        }
        self.stale = kept;
    }
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

/// The records of the replay window.
#[derive(Default)]
pub struct Window {
    ids: BTreeSet<RecordId>,
    jtis: BTreeSet<(Did, Reference)>,
    /// In the order of their blocks, so that forgetting looks at no more than it forgets.
    order: VecDeque<(UnixTime, RecordId, (Did, Reference))>,
}

impl Window {
    fn forget(&mut self, now: UnixTime) {
        while let Some((_, id, jti)) = self.order.pop_front_if(|(time, ..)| time.0 + REPLAY_WINDOW_S < now.0) {
            assert!(self.ids.remove(&id) && self.jtis.remove(&jti), "a record is admitted once");
        }
    }

    fn remember(&mut self, record: &Record, time: UnixTime) {
        let jti = (record.author().clone(), record.payload().jti.clone());
        self.ids.insert(record.id());
        self.jtis.insert(jti.clone());
        self.order.push_back((time, record.id(), jti));
    }
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

/// A ledger in memory.
pub struct Ledger {
    pub genesis: Genesis,
    pub height: Height,
    pub time: UnixTime,
    pub root: StateRoot,
    pub tree: MemoryTree,
    pub state: BTreeMap<StateKey, Vec<u8>>,
    pub log: Frontier,
    /// The genesis' hash: it is not computed again for each record.
    net: GenesisHash,
    window: Window,
}

impl Ledger {
    pub fn new(genesis: Genesis) -> Self {
        let writes = genesis_writes(&genesis);
        let mut ledger = Self {
            height: Height(0),
            time: genesis.time,
            net: genesis.hash(),
            genesis,
            root: EMPTY_ROOT,
            tree: MemoryTree::default(),
            state: BTreeMap::new(),
            log: Frontier::new(),
            window: Window::default(),
        };
        ledger.write(&writes);
        ledger
    }

    /// Makes a block of those records that apply; says what became of each.
    pub fn block(&mut self, time: u64, records: &[Record]) -> Vec<Result<Outcome, Rejection>> {
        let parent = self.height;
        let height = parent.next();
        let protocol = testamur_registry::network::protocol_at(&self.state, height).expect("the state is sound");
        let context = BlockContext { genesis: self.net, protocol, height, time: UnixTime(time) };
        self.window.forget(context.time);
        let state = TreeState::new(&self.tree, parent, self.root);
        let mut execution = Execution::new(&state, &self.window, context).expect("protocol 1 is known");
        let mut admitted = Vec::new();
        let mut outcomes = Vec::new();
        for record in records {
            let outcome = check_stateless(record.clone()).and_then(|checked| match execution.apply(&checked) {
                Ok(outcome) => Ok(outcome),
                Err(ApplyError::Rejected(rejection)) => Err(rejection),
                Err(ApplyError::State(error)) => panic!("the state in memory is sound: {error}"),
            });
            if outcome.is_ok() {
                admitted.push(record);
            }
            outcomes.push(outcome);
        }
        assert_eq!(execution.applied(), admitted.len());
        let writes = execution.finish();
        // Not in examples/determinism, which shares this and counts its records a second.
        if cfg!(test) {
            let ids: Vec<_> = admitted.iter().map(|record| json!(record.id())).collect();
            writes.iter().for_each(|(key, value)| self.check_origin(key, value, &context, &ids));
        }
        for record in admitted {
            self.window.remember(record, context.time);
            self.log.append(record.leaf_hash(), |_, _, _| ());
        }
        self.height = context.height;
        self.time = context.time;
        self.write(&writes);
        outcomes
    }

    /// One record in a block of its own; the slug of its rejection.
    pub fn one(&mut self, time: u64, record: &Record) -> Result<Outcome, &'static str> {
        let outcome = self.block(time, core::slice::from_ref(record)).pop().expect("one record, one outcome");
        outcome.map_err(|rejection| rejection.code().0)
    }

    /// The governance version in force.
    pub fn version(&self) -> u64 {
        testamur_registry::governance::governance(&self.state).expect("the state in memory is sound").version
    }

    /// Signs a record of this network.
    pub fn record(&self, author: &SigningKey, jti: &str, iat: u64, act: Act) -> Record {
        let payload = self.payload(author, jti, iat, act);
        Record::sign(&payload, &payload.iss.key_id().expect("did:key"), author).expect("a well-formed record")
    }

    /// The payload of such a record.
    pub fn payload(&self, author: &SigningKey, jti: &str, iat: u64, act: Act) -> Payload {
        Payload {
            v: 1,
            net: self.net,
            iss: Did::key(&author.public_key()),
            jti: jti.parse().expect("a reference"),
            iat: UnixTime(iat),
            exp: UnixTime(iat + 3_600),
            act,
        }
    }

    pub fn log_root(&self) -> TreeHash {
        self.log.root()
    }

    /// What is written says by whom: height and time are the block's, `record` is one of its records or the proposal that one of
    /// them carries out, `seq` is the key's number.
    fn check_origin(&self, key: &StateKey, value_bytes: &[u8], context: &BlockContext, records: &[Value]) {
        let (object, number) = key.as_str().rsplit_once('/').expect("an object and a number, or head");
        let value: Value = serde_json::from_slice(value_bytes).expect("JSON");
        let is = |member: &str, expected: &dyn Fn(&Value) -> bool| {
            assert!(value.get(member).is_none_or(expected), "{key}: {member} of {value}");
        };
        let is_proposal = |record: &Value| {
            let proposal = StateObject::new("proposal", record.as_str().expect("text"));
            self.state.contains_key(&proposal.head())
        };
        is("seq", &|seq| number == "head" || seq.as_u64() == number.parse().ok());
        is("record", &|record| records.contains(record) || is_proposal(record));
        // Of what never changes, the first entry alone is listed.
        let listed = !index::terms(key, value_bytes).expect("what the rules write").is_empty();
        match object.split_once('/').expect("kind and id").0 {
            "issuer" | "attribute" | "schema" | "status" | "address" => assert_eq!(listed, number == "1", "{key}"),
            "did" | "dossier" => assert_eq!(listed, number != "head", "{key}"),
            _ => assert!(!listed, "{key}"),
        }
        // These say when something else was: an epoch's beginning, a proposal.
        if !object.starts_with("epoch/") && !object.starts_with("proposal/") {
            is("height", &|height| *height == json!(context.height));
            is("time", &|time| *time == json!(context.time));
        }
    }

    fn write(&mut self, writes: &WriteSet) {
        let update = tree::update(&self.tree, self.height, self.root, writes).expect("the tree in memory is sound");
        self.tree.apply(&update);
        self.root = update.root;
        writes.apply_to(&mut self.state);
    }
}

/// A notarisation of one digest.
pub fn notarise(digest: u8) -> Act {
    Act::Notarise {
        alg: DigestAlgorithm::Sha2_256,
        form: Form::Digest,
        entries: vec![Bytes(vec![digest; 32])],
        reference: None,
    }
}

/// A proposal for the version given, open for a day from `START` on.
pub fn propose(change: Change, governance_version: u64) -> Act {
    Act::Propose { change, governance_version, expires: UnixTime(START + 86_400) }
}

/// An approval for the version given.
pub fn approve(proposal: &Record, governance_version: u64) -> Act {
    Act::Approve { proposal: proposal.id(), governance_version }
}
