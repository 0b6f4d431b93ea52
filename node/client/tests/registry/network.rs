//! Four validators' keys, and states with their proofs, made from the formats alone.

use std::collections::BTreeMap;

use serde::Serialize;
use testamur_primitives::checkpoint::{Checkpoint, cosignature_message};
use testamur_primitives::codec::{canonical, sha256};
use testamur_primitives::did::Did;
use testamur_primitives::epoch::{TypedKey, ValidatorKeyAlgorithm, ValidatorRegistration};
use testamur_primitives::genesis::{Genesis, GenesisValidator, Operator, Parameters, Possession, possession_message};
use testamur_primitives::hash::{StateRoot, TreeHash};
use testamur_primitives::header::{Header, HeaderRef};
use testamur_primitives::key::SigningKey;
use testamur_primitives::note::{Note, SignatureLine};
use testamur_primitives::receipt::ReceiptNetwork;
use testamur_primitives::record::Bytes;
use testamur_primitives::state::evidence::{Evidence, ProvenKey};
use testamur_primitives::state::proof::{EMPTY_ROOT, ProofLeaf, StateProof, inner_hash, leaf_hash};
use testamur_primitives::state::{Entry, StateKey, StateObject};
use testamur_primitives::trust::TrustFile;
use testamur_primitives::units::{Height, Round, UnixTime};

/// A network.
#[derive(Clone)]
pub(crate) struct Network {
    genesis: Genesis,
    /// Consensus keys, in set order.
    keys: Vec<[u8; 32]>,
}

impl Network {
    /// A network whose keys follow from `seed`.
    pub(crate) fn new(seed: u8) -> Self {
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
                not_after: UnixTime(4_000_000_000),
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
            time: UnixTime(1_700_000_000),
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
    pub(crate) fn trust(&self) -> TrustFile {
        TrustFile::from_genesis(self.genesis.clone())
    }

    /// Evidence about keys under a header of this height and time.
    pub(crate) fn evidence(
        &self,
        state: &State,
        height: u64,
        time: UnixTime,
        signatures: usize,
        keys: &[StateKey],
    ) -> Evidence {
        let first = self.genesis.header(StateRoot::from_bytes([1; 32]));
        let header = Header {
            height: Height(height),
            time,
            state_root: state.root(),
            epoch_header: HeaderRef { height: Height(0), hash: first.hash() },
            proposer: self.genesis.validator_set().validators()[0].address,
            ..first
        };
        let origin = self.genesis.origin();
        let body = Checkpoint::new(&origin, &header.value_id(), header.height, Round(0)).body();
        let message = cosignature_message(header.time, &body);
        let set = self.genesis.validator_set();
        let lines = set.validators().iter().zip(&self.keys).take(signatures).map(|(validator, key)| {
            let signature: [u8; 64] = SigningKey::ed25519(key).sign(&message).try_into().unwrap();
            SignatureLine::cosignature(&validator.name, validator.consensus_key(), header.time.0, &signature)
        });
        let note = Note { text: body, signatures: lines.collect() }.to_string();
        let mut keys = keys.to_vec();
        keys.sort();
        let prove = |key: &StateKey| ProvenKey {
            key: key.to_string(),
            value: state.0.get(key).map(|value| String::from_utf8(value.clone()).unwrap()),
            proof: state.proof(key),
        };
        Evidence {
            v: 1,
            r#type: "testamur-evidence".into(),
            network: ReceiptNetwork { genesis: header.genesis, origin: origin.to_string() },
            header: header.text(),
            note,
            validators: set,
            epochs: vec![],
            state: keys.iter().map(prove).collect(),
        }
    }
}

/// A state, with the tree of its format.
#[derive(Clone, Default)]
pub(crate) struct State(BTreeMap<StateKey, Vec<u8>>);

impl State {
    /// Writes the next entry of an object.
    pub(crate) fn append<T: Entry + Serialize>(&mut self, object: &StateObject, entry: &T) {
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
