//! The state tree against its own definition, its proofs against forgers, its store against damage.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::{Ledger, MemoryTree, START, did, genesis, key, propose};
use proptest::prelude::*;
use testamur_primitives::codec::sha256;
use testamur_primitives::hash::{StateRoot, TreeHash};
use testamur_primitives::record::{Change, RevocationReason};
use testamur_primitives::units::Height;
use testamur_registry::notary::keys::writer;
use testamur_registry::tree::{self, EMPTY_ROOT, StateProofError, TreeError};
use testamur_registry::{StateKey, WriteSet, genesis_writes};

/// The definition in `tree::proof`, word for word.
fn naive_root(leaves: &[([u8; 32], [u8; 32])], depth: usize) -> [u8; 32] {
    match leaves {
        [] => *b"SPARSE_MERKLE_PLACEHOLDER_HASH__",
        [(path, value)] => sha256(&[b"JMT::LeafNode", path, value]),
        _ => {
            let ones = leaves.partition_point(|(path, _)| path[depth / 8] >> (7 - depth % 8) & 1 == 0);
            let (left, right) = (naive_root(&leaves[..ones], depth + 1), naive_root(&leaves[ones..], depth + 1));
            sha256(&[b"JMT::IntrnalNode", &left, &right])
        }
    }
}

fn naive_root_of(state: &BTreeMap<StateKey, Vec<u8>>) -> StateRoot {
    let leaves: BTreeMap<_, _> = state.iter().map(|(key, value)| (key.hash(), sha256(&[value]))).collect();
    StateRoot::from_bytes(naive_root(&leaves.into_iter().collect::<Vec<_>>(), 0))
}

fn absent(n: u32) -> StateKey {
    writer(&did("nobody", n)).head()
}

/// What a height came to.
struct Snapshot {
    root: StateRoot,
    state: BTreeMap<StateKey, Vec<u8>>,
}

impl Snapshot {
    fn of(ledger: &Ledger) -> Self {
        Self { root: ledger.root, state: ledger.state.clone() }
    }
}

/// A ledger after some grants and revocations, and what each height came to.
fn history() -> (Ledger, Vec<Snapshot>) {
    let mut ledger = Ledger::new(genesis(1, 1, 3));
    let mut states = vec![Snapshot::of(&ledger)];
    for version in 1..=12u32 {
        let change = match version % 3 {
            0 => Change::RevokeWriter { did: did("writer", 8 + version), reason: RevocationReason::Superseded },
            _ => Change::GrantWriter { did: did("writer", 10 + version) },
        };
        let act = propose(change, u64::from(version));
        let record = ledger.record(&key("operator", 0), &format!("p{version}"), START, act);
        ledger.one(START, &record).unwrap();
        states.push(Snapshot::of(&ledger));
        if version % 4 == 0 {
            ledger.block(START, &[]);
            states.push(Snapshot::of(&ledger));
        }
    }
    (ledger, states)
}

#[test]
fn roots_are_those_of_the_definition_and_every_height_has_one() {
    let (ledger, states) = history();
    for (height, Snapshot { root, state }) in (0..).zip(&states) {
        assert_eq!(naive_root_of(state), *root, "height {height}");
        assert_eq!(tree::root_at(&ledger.tree, Height(height)), Ok(Some(*root)));
    }
    assert_eq!(states[5].root, states[4].root, "a height that writes nothing carries its root over");
    assert_eq!(tree::root_at(&ledger.tree, Height(states.len() as u64)), Ok(None));
}

#[test]
fn a_stored_node_says_where_it_stands() {
    let (ledger, _) = history();
    for (key, bytes) in &ledger.tree.nodes {
        let row = tree::node_row(key, bytes).expect("a node");
        assert_eq!(tree::row_key(row.version, &row.path), *key);
    }
}

#[test]
fn every_key_is_proven_present_or_absent_at_every_height() {
    let (ledger, states) = history();
    let all: BTreeSet<_> = states.iter().flat_map(|s| s.state.keys().cloned()).chain((0..20).map(absent)).collect();
    for (height, Snapshot { root, state }) in (0..).zip(&states) {
        for key in &all {
            let proven = tree::prove(&ledger.tree, Height(height), *root, key).unwrap();
            assert_eq!(proven.value.as_ref(), state.get(key), "{key} at {height}");
            let bytes = proven.proof.encode();
            let proof = tree::StateProof::decode(&bytes).unwrap();
            assert_eq!(proof.verify(*root, key, proven.value.as_deref()), Ok(()));
            assert!(bytes.len() < 2_000, "{} bytes", bytes.len());
        }
    }
}

#[test]
fn a_proof_shows_one_thing_only() {
    let (ledger, states) = history();
    let Snapshot { root, state } = states.last().unwrap();
    let height = Height(states.len() as u64 - 1);
    let keys: Vec<_> = state.keys().cloned().chain((0..40).map(absent)).collect();
    let other = StateRoot::from_bytes([1; 32]);
    for (i, key) in keys.iter().enumerate() {
        let proven = tree::prove(&ledger.tree, height, *root, key).unwrap();
        let (proof, value) = (&proven.proof, proven.value.as_deref());
        assert_eq!(proof.verify(other, key, value), Err(StateProofError::Root));
        assert!(proof.verify(*root, key, Some(b"another")).is_err());
        if value.is_some() {
            assert_eq!(proof.verify(*root, key, None), Err(StateProofError::NotAbsent));
        }
        // A proof serves no other key that is there: not as present, and not as absent.
        let neighbour = &keys[(i + 1) % state.len()];
        if neighbour != key {
            assert!(proof.verify(*root, neighbour, None).is_err(), "{neighbour} is there");
            assert!(proof.verify(*root, neighbour, value).is_err());
        }
        for level in 0..proof.siblings.len() {
            let mut bad = proof.clone();
            let mut hash = *bad.siblings[level].as_bytes();
            hash[level % 32] ^= 1;
            bad.siblings[level] = TreeHash::from_bytes(hash);
            assert_eq!(bad.verify(*root, key, value), Err(StateProofError::Root));
            bad.siblings.remove(level);
            assert!(bad.verify(*root, key, value).is_err());
        }
        let mut bad = proof.clone();
        bad.siblings.resize(257, TreeHash::ZERO);
        assert_eq!(bad.verify(*root, key, value), Err(StateProofError::Form));
        bad = proof.clone();
        bad.v = 2;
        assert_eq!(bad.verify(*root, key, value), Err(StateProofError::Form));
    }
    let empty = tree::StateProof { v: 1, leaf: None, siblings: vec![] };
    assert_eq!(empty.verify(EMPTY_ROOT, &absent(0), None), Ok(()));
    assert_eq!(empty.verify(*root, &absent(0), None), Err(StateProofError::Root));
}

#[test]
fn paths_are_as_short_as_the_definition_makes_them() {
    let (ledger, states) = history();
    let Snapshot { root, state } = states.last().unwrap();
    let height = Height(states.len() as u64 - 1);
    let paths: Vec<[u8; 32]> = state.keys().map(StateKey::hash).collect();
    for key in state.keys().cloned().chain((0..40).map(absent)) {
        let proven = tree::prove(&ledger.tree, height, *root, &key).unwrap();
        let path = key.hash();
        let common = |other: &[u8; 32]| {
            let bits = |i: usize| (path[i / 8] ^ other[i / 8]) >> (7 - i % 8) & 1;
            (0..256).take_while(|i| bits(*i) == 0).count()
        };
        let mut shared: Vec<_> = paths.iter().filter(|p| **p != path).map(common).collect();
        shared.sort_unstable_by(|a, b| b.cmp(a));
        // Present: one below the nearest neighbour's fork. Absent: where at most one other leaf is left.
        let expected = if state.contains_key(&key) {
            shared[0] + 1
        } else {
            (0..=256).find(|depth| shared.iter().filter(|s| **s >= *depth).count() <= 1).unwrap()
        };
        assert_eq!(proven.proof.siblings.len(), expected, "{key}");
    }
}

#[test]
fn old_versions_can_be_pruned_and_nothing_is_left_behind() {
    let (mut ledger, states) = history();
    let newest = states.len() as u64 - 1;
    assert!(ledger.tree.stale.iter().all(|(since, _)| *since <= newest));
    ledger.tree.prune(newest);
    let Snapshot { root, state } = states.last().unwrap();
    for (key, value) in state {
        let proven = tree::prove(&ledger.tree, Height(newest), *root, key).unwrap();
        assert_eq!(proven.value.as_ref(), Some(value));
    }
    for height in 0..newest {
        assert_eq!(tree::root_at(&ledger.tree, Height(height)), Ok(None), "INV-TREE-2: height {height}");
    }
    let gone = tree::prove(&ledger.tree, Height(0), states[0].root, &absent(0));
    assert_eq!(gone, Err(TreeError::NoRoot(Height(0))));
    // What is left is one version: as many leaves as keys, one root.
    let mut rebuilt = MemoryTree::default();
    for (key, value) in &ledger.tree.nodes {
        rebuilt.nodes.insert(key.clone(), value.clone());
    }
    assert_eq!(rebuilt.nodes.keys().filter(|key| key[8] == 0).count(), 1, "one root");
}

#[test]
fn a_changed_node_or_value_is_found_and_never_used() {
    let (ledger, states) = history();
    let Snapshot { root, state } = states.last().unwrap();
    let height = Height(states.len() as u64 - 1);
    let writes = genesis_writes(&genesis(1, 1, 8));
    let clean = tree::update(&ledger.tree, height.next(), *root, &writes).unwrap();
    let (mut found, mut harmless) = (0, 0);
    for node_key in ledger.tree.nodes.keys() {
        for byte in [0, 3, 20, 40, 60] {
            let mut damaged = ledger.tree.clone();
            let node = damaged.nodes.get_mut(node_key).unwrap();
            let byte = byte % node.len();
            node[byte] ^= 0x10;
            match tree::update(&damaged, height.next(), *root, &writes) {
                // Not read, or a count of leaves that nothing is computed from.
                Ok(update) => {
                    assert_eq!(update.root, clean.root, "INV-TREE-1");
                    harmless += 1;
                }
                Err(error) => {
                    assert!(error.is_fatal(), "{error}");
                    found += 1;
                }
            }
            for key in state.keys().take(8) {
                if let Ok(proven) = tree::prove(&damaged, height, *root, key) {
                    assert_eq!(proven.value.as_ref(), state.get(key), "INV-TREE-1");
                }
            }
        }
    }
    assert!(found > 50 && harmless > 50, "found {found}, harmless {harmless}");
    for (place, value) in &ledger.tree.values {
        let mut damaged = ledger.tree.clone();
        let mut changed = value.clone();
        changed[0] ^= 1;
        damaged.values.insert(*place, changed);
        for key in state.keys().filter(|key| key.hash() == place.0) {
            let result = tree::prove(&damaged, height, *root, key);
            assert!(matches!(&result, Err(TreeError::Damaged(_))) || result.unwrap().value.as_ref() == state.get(key));
        }
    }
    let mut lost = ledger.tree.clone();
    lost.nodes.retain(|key, _| !(key[8] == 0 && key[..8] == height.0.to_be_bytes()));
    let error = tree::update(&lost, height.next(), *root, &writes).unwrap_err();
    assert_eq!(error, TreeError::NoRoot(height), "a lost root is not an empty tree");
    let error = tree::update(&ledger.tree, height.next(), EMPTY_ROOT, &writes).unwrap_err();
    assert!(matches!(error, TreeError::Damaged(_)), "the header's root decides: {error}");
}

#[test]
fn the_empty_root_is_a_literal() {
    let empty = MemoryTree::default();
    let mut store = MemoryTree::default();
    let update = tree::update(&empty, Height(0), EMPTY_ROOT, &WriteSet::default()).unwrap();
    assert_eq!(update.root.to_string(), "5350415253455f4d45524b4c455f504c414345484f4c4445525f484153485f5f");
    store.apply(&update);
    let second = tree::update(&store, Height(1), EMPTY_ROOT, &WriteSet::default()).unwrap();
    assert_eq!(second.root, EMPTY_ROOT);
    assert_eq!(second.stale.len(), 1, "INV-TREE-2");
    store.apply(&second);
    let proven = tree::prove(&store, Height(1), EMPTY_ROOT, &absent(1)).unwrap();
    assert_eq!((proven.value, proven.proof.siblings.len()), (None, 0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Any grouping of any writes into heights gives the root of the definition, and proofs for all keys.
    #[test]
    fn any_writes_in_any_grouping_give_the_defined_root(
        writers in proptest::collection::vec(0u32..64, 1..40),
        chunk in 1usize..9,
    ) {
        let mut ledger = Ledger::new(genesis(1, 1, 0));
        let mut granted = BTreeSet::new();
        let mut version = 1;
        for (block, numbers) in writers.chunks(chunk).enumerate() {
            let mut records = Vec::new();
            for (place, number) in numbers.iter().enumerate() {
                let did = did("writer", *number);
                let change = if granted.remove(number) {
                    Change::RevokeWriter { did, reason: RevocationReason::Superseded }
                } else {
                    granted.insert(*number);
                    Change::GrantWriter { did }
                };
                let jti = format!("{block}-{place}");
                records.push(ledger.record(&key("operator", 0), &jti, START, propose(change, version)));
                version += 1;
            }
            let outcomes = ledger.block(START, &records);
            prop_assert!(outcomes.iter().all(Result::is_ok));
            prop_assert_eq!(naive_root_of(&ledger.state), ledger.root);
        }
        for key in ledger.state.keys() {
            let proven = tree::prove(&ledger.tree, ledger.height, ledger.root, key).unwrap();
            prop_assert_eq!(proven.value.as_ref(), ledger.state.get(key));
        }
    }
}
