//! A ledger made from the formats alone: four validators' keys, a state that tests write as they like, evidence and receipts.
//!
//! No rule of the registry stands behind it, so tests can also write what no honest ledger would ever hold.

// Each test binary uses its own part of this.
#![allow(dead_code, unreachable_pub)]

pub mod parties;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;
use testamur_credentials::credential::Credential;
use testamur_credentials::ledger::{self, Listed, Question};
use testamur_credentials::proofs::{Lists, Proofs};
use testamur_primitives::checkpoint::{Checkpoint, cosignature_message};
use testamur_primitives::codec::{canonical, sha256};
use testamur_primitives::commitment::{BatchLeaf, DigestAlgorithm, DocumentDigest, Opening, Salt, SaltText};
use testamur_primitives::did::Did;
use testamur_primitives::epoch::{TypedKey, ValidatorKeyAlgorithm, ValidatorRegistration};
use testamur_primitives::genesis::{Genesis, GenesisValidator, Operator, Parameters, Possession, possession_message};
use testamur_primitives::hash::{AttachmentHash, StateRoot, TreeHash};
use testamur_primitives::header::{Header, HeaderRef};
use testamur_primitives::identity;
use testamur_primitives::key::SigningKey;
use testamur_primitives::merkle::{self, MemoryTree};
use testamur_primitives::note::{Note, SignatureLine};
use testamur_primitives::receipt::{Algorithms, AuthorKey, AuthorState, Receipt, ReceiptNetwork};
use testamur_primitives::record::{Act, BatchTree, Bytes, Payload, Record};
use testamur_primitives::state::evidence::{Evidence, ProvenKey, Recorder};
use testamur_primitives::state::proof::{EMPTY_ROOT, ProofLeaf, StateProof, inner_hash, leaf_hash};
use testamur_primitives::state::{Entry, StateKey, StateObject};
use testamur_primitives::trust::TrustFile;
use testamur_primitives::units::{Height, LogIndex, LogSize, Round, UnixTime};

/// When the ledger began.
pub const START: u64 = 1_800_000_000;
/// A day.
pub const DAY: u64 = 86_400;
/// `public_base` of its genesis.
pub const BASE: &str = "https://ledger.example";

/// A network.
#[derive(Clone)]
pub struct Network {
    genesis: Genesis,
    /// Consensus keys, in set order.
    keys: Vec<[u8; 32]>,
}

impl Network {
    /// A network whose keys follow from `seed`.
    pub fn new(seed: u8) -> Self {
        let secret = |kind: u8, number: u8| [seed ^ (16 * kind + number); 32];
        let key = |kind, number| SigningKey::ed25519(&secret(kind, number));
        let mut entries = Vec::new();
        for number in 1..=4u8 {
            let (consensus, log, peer) = (key(1, number), key(2, number), key(3, number));
            let bytes = |key: &SigningKey| Bytes(key.public_key().as_bytes().to_vec());
            let registration = ValidatorRegistration {
                v: 1,
                name: format!("validator-{number}.example"),
                operator: format!("Ministry {number}"),
                country: "EE".into(),
                did: Did::key(&consensus.public_key()),
                keys: vec![TypedKey { alg: ValidatorKeyAlgorithm::Ed25519, key: bytes(&consensus) }],
                log_key: bytes(&log),
                peer_key: bytes(&peer),
                not_after: UnixTime(START + 3_650 * DAY),
            };
            let prove = |kind, key: &SigningKey| Bytes(key.sign(&possession_message(kind, registration.address())));
            let possession = Possession {
                consensus: prove("consensus", &consensus),
                log: prove("log", &log),
                peer: prove("peer", &peer),
            };
            entries.push((GenesisValidator { registration, possession }, secret(1, number)));
        }
        let operator =
            Operator { did: Did::key(&key(4, 1).public_key()), name: "Operator".into(), country: "EE".into() };
        let genesis = Genesis {
            v: 1,
            domain: "ledger.example".into(),
            name: "test".into(),
            time: UnixTime(START),
            protocol: 1,
            parameters: Parameters::default(),
            validators: entries.iter().map(|(validator, _)| validator.clone()).collect(),
            operators: vec![operator],
            approvals_required: 1,
            writers: vec![],
            did_method: None,
            public_base: None,
            status_history_days: None,
            predecessor: None,
        };
        let genesis = Genesis::from_json(&canonical(&genesis)).unwrap();
        entries.sort_by_key(|(validator, _)| validator.registration.address());
        Self { genesis, keys: entries.into_iter().map(|(_, key)| key).collect() }
    }

    /// What a verifier of this network pins.
    pub fn trust(&self) -> Arc<TrustFile> {
        Arc::new(TrustFile::from_genesis(self.genesis.clone()))
    }

    /// A header over a state and a log of one record, with its certificate.
    fn certified(&self, state: &State, log_root: TreeHash, time: u64) -> (Header, String) {
        let first = self.genesis.header(StateRoot::from_bytes([1; 32]));
        let header = Header {
            height: Height(1 + time - START),
            time: UnixTime(time),
            state_root: state.root(),
            log_size: LogSize(1),
            log_root,
            epoch_header: HeaderRef { height: Height(0), hash: first.hash() },
            proposer: self.genesis.validator_set().validators()[0].address,
            ..first
        };
        let origin = self.genesis.origin();
        let body = Checkpoint::new(&origin, &header.value_id(), header.height, Round(0)).body();
        let message = cosignature_message(header.time, &body);
        let set = self.genesis.validator_set();
        let lines = set.validators().iter().zip(&self.keys).take(3).map(|(validator, key)| {
            let signature: [u8; 64] = SigningKey::ed25519(key).sign(&message).try_into().unwrap();
            SignatureLine::cosignature(&validator.name, validator.consensus_key(), header.time.0, &signature)
        });
        let note = Note { text: body, signatures: lines.collect() }.to_string();
        (header, note)
    }

    fn claimed(&self) -> ReceiptNetwork {
        ReceiptNetwork { genesis: self.genesis.hash(), origin: self.genesis.origin().to_string() }
    }

    /// Evidence about keys, under a header of a time.
    pub fn evidence(&self, state: &State, time: u64, keys: &BTreeSet<StateKey>) -> Evidence {
        let (header, note) = self.certified(state, merkle::empty_root(), time);
        let prove = |key: &StateKey| ProvenKey {
            key: key.to_string(),
            value: state.0.get(key).map(|value| String::from_utf8(value.clone()).unwrap()),
            proof: state.proof(key),
        };
        Evidence {
            v: 1,
            r#type: "testamur-evidence".into(),
            network: self.claimed(),
            header: header.text(),
            note,
            validators: self.genesis.validator_set(),
            epochs: vec![],
            state: keys.iter().map(prove).collect(),
        }
    }

    /// Receipts of a batch over these digests, in their order, recorded by an author at a time.
    pub fn batch(
        &self,
        state: &State,
        author: &Did,
        key: &SigningKey,
        time: u64,
        digests: &[[u8; 32]],
    ) -> Vec<Receipt> {
        let leaf = |digest: &[u8; 32]| BatchLeaf {
            digest: DocumentDigest::new(DigestAlgorithm::Sha2_256, digest.to_vec()).unwrap(),
            salt: Some(Salt::from_bytes(sha256(&[b"salt", digest]))),
        };
        let leaves: Vec<_> = digests.iter().map(leaf).collect();
        let tree = MemoryTree::from_leaf_hashes(&leaves.iter().map(BatchLeaf::leaf_hash).collect::<Vec<_>>());
        let count = leaves.len() as u64;
        let act = Act::NotariseBatch {
            tree: BatchTree::Rfc6962Sha256,
            root: tree.root(count).unwrap(),
            count,
            reference: Some("graduation".parse().unwrap()),
        };
        let receipt = self.receipt(state, author, key, time, act);
        let opened = leaves.iter().zip(0..).map(|(leaf, index)| Receipt {
            opening: Some(Opening {
                index,
                alg: DigestAlgorithm::Sha2_256,
                digest: leaf.digest.as_bytes().to_vec(),
                salt: leaf.salt.clone().map(SaltText),
                path: Some(tree.inclusion_proof(index, count).unwrap()),
            }),
            ..receipt.clone()
        });
        opened.map(|receipt| Receipt::decode(&receipt.encode()).unwrap()).collect()
    }

    /// A receipt of any act, without opening.
    pub fn receipt(&self, state: &State, author: &Did, key: &SigningKey, time: u64, act: Act) -> Receipt {
        let payload = Payload {
            v: 1,
            net: self.genesis.hash(),
            iss: author.clone(),
            jti: format!("at-{time}").parse().unwrap(),
            iat: UnixTime(time),
            exp: UnixTime(time + 3_600),
            act,
        };
        let public = key.public_key();
        let kid = author.key_id().unwrap_or_else(|| identity::key_id(author, &public));
        let record = Record::sign(&payload, &kid, key).unwrap();
        let (header, note) = self.certified(state, record.leaf_hash(), time);
        let head = identity::keys::did(author).head();
        let author_state = state.0.get(&head).map(|document| AuthorState {
            document: String::from_utf8(document.clone()).unwrap(),
            proof: state.proof(&head),
        });
        Receipt {
            v: 1,
            r#type: "testamur-receipt".into(),
            network: self.claimed(),
            record: record.as_str().to_owned(),
            index: LogIndex(0),
            path: vec![],
            header: header.text(),
            note,
            validators: self.genesis.validator_set(),
            epochs: vec![],
            author: AuthorKey { jwk: public.to_jwk(), state: author_state },
            opening: None,
            anchors: vec![],
            algorithms: Algorithms::default(),
            digest: Bytes(vec![]),
        }
    }

    /// The keys that a verification of a credential asks for: as anchored at a time, and as if it were not.
    pub fn keys(
        &self,
        state: &State,
        credential: &Credential,
        issued: Option<u64>,
        time: u64,
        at: Option<u64>,
    ) -> BTreeSet<StateKey> {
        let mut keys = BTreeSet::new();
        for issued in [issued, None] {
            let recorder = Recorder::new(&state.0);
            let (issued, at) = (issued.map(UnixTime), at.map(UnixTime));
            let question = Question::new(credential, issued, UnixTime(time), at, BASE);
            ledger::read(&recorder, &question).unwrap();
            keys.extend(recorder.into_keys());
        }
        keys
    }

    /// Proofs of a credential under a header of a time.
    pub fn proofs(
        &self,
        state: &State,
        lists: &Lists,
        credential: &Credential,
        issued: Option<u64>,
        time: u64,
        at: Option<u64>,
    ) -> Proofs {
        let keys = self.keys(state, credential, issued, time, at);
        let question = Question::new(credential, None, UnixTime(time), at.map(UnixTime), BASE);
        let view = ledger::lists(&state.0, &question).unwrap();
        let named = view.values().flat_map(|list| [&list.own, &list.suspended, &list.replaced]);
        let digests = named.filter_map(|listed| match listed {
            Listed::Version(entry) => Some(entry.status.sha256),
            Listed::Absent | Listed::Later => None,
        });
        let bits = |digest: AttachmentHash| lists.get(&digest).cloned();
        Proofs {
            evidence: Some(Arc::new(self.evidence(state, time, &keys))),
            lists: digests.filter_map(bits).collect(),
            tokens: BTreeMap::new(),
        }
    }
}

/// A state, with the tree of its format.
#[derive(Clone, Default)]
pub struct State(pub BTreeMap<StateKey, Vec<u8>>);

impl State {
    /// Writes the next entry of an object.
    pub fn append<T: Entry + Serialize>(&mut self, object: &StateObject, entry: &T) {
        let bytes = canonical(entry);
        self.0.insert(object.entry(entry.seq()), bytes.clone());
        self.0.insert(object.head(), bytes);
    }

    fn leaves(&self) -> Vec<ProofLeaf> {
        let leaf = |(key, value): (&StateKey, &Vec<u8>)| ProofLeaf {
            path: TreeHash::from_bytes(key.hash()),
            value: TreeHash::from_bytes(sha256(&[value])),
        };
        self.0.iter().map(leaf).collect()
    }

    fn root(&self) -> StateRoot {
        StateRoot::from_bytes(root(&self.leaves(), 0))
    }

    fn proof(&self, key: &StateKey) -> StateProof {
        let (path, mut leaves, mut siblings) = (key.hash(), self.leaves(), Vec::new());
        while leaves.len() > 1 {
            let depth = siblings.len();
            let side = |leaf: &ProofLeaf| bit(leaf.path.as_bytes(), depth) == bit(&path, depth);
            let (same, other): (Vec<_>, Vec<_>) = leaves.into_iter().partition(side);
            siblings.push(TreeHash::from_bytes(root(&other, depth + 1)));
            leaves = same;
        }
        siblings.reverse();
        StateProof { v: 1, leaf: leaves.first().copied(), siblings }
    }
}

fn root(leaves: &[ProofLeaf], depth: usize) -> [u8; 32] {
    match leaves {
        [] => *EMPTY_ROOT.as_bytes(),
        [one] => leaf_hash(one.path.as_bytes(), one.value.as_bytes()),
        many => {
            let (right, left): (Vec<_>, Vec<_>) = many.iter().copied().partition(|l| bit(l.path.as_bytes(), depth));
            inner_hash(&root(&left, depth + 1), &root(&right, depth + 1))
        }
    }
}

fn bit(path: &[u8; 32], depth: usize) -> bool {
    path[depth / 8] & (0x80 >> (depth % 8)) != 0
}
