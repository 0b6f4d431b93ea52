//! The registries of the ledger in memory: the real contracts over a map, and proofs from a state tree written down as
//! its definition reads.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use testamur_api::ledger::{ObjectPage, ReadResult, Registry, StoredRecord, Timestamp, TimestampPage};
use testamur_primitives::codec::sha256;
use testamur_primitives::commitment::Form;
use testamur_primitives::did::Did;
use testamur_primitives::epoch::ValidatorSet;
use testamur_primitives::hash::{AttachmentHash, GenesisHash, RecordId, StateRoot, TreeHash};
use testamur_primitives::header::Header;
use testamur_primitives::note::Note;
use testamur_primitives::receipt::ReceiptNetwork;
use testamur_primitives::record::{Act, Record, Reference};
use testamur_primitives::state::StateKey;
use testamur_primitives::state::evidence::{Evidence, ProvenKey};
use testamur_primitives::state::proof::{EMPTY_ROOT, ProofLeaf, StateProof, inner_hash, leaf_hash};
use testamur_primitives::units::{Height, UnixTime};
use testamur_registry::{BlockContext, Execution, ReplayWindow, WriteSet, check_stateless, index};

/// The state, and what is derived from it.
#[derive(Default, Clone)]
pub(crate) struct Registries {
    pub(crate) state: BTreeMap<StateKey, Vec<u8>>,
    listed: Vec<(&'static str, String, String)>,
    attachments: BTreeMap<AttachmentHash, Vec<u8>>,
    seen: Seen,
}

#[derive(Default, Clone)]
struct Seen {
    ids: BTreeSet<RecordId>,
    jtis: BTreeSet<(Did, Reference)>,
}

impl ReplayWindow for Seen {
    type Error = Infallible;

    fn contains_id(&self, id: &RecordId) -> Result<bool, Infallible> {
        Ok(self.ids.contains(id))
    }

    fn contains_jti(&self, author: &Did, jti: &Reference) -> Result<bool, Infallible> {
        Ok(self.jtis.contains(&(author.clone(), jti.clone())))
    }
}

impl Registries {
    /// Applies the records of a block; all must be good.
    pub(crate) fn execute(
        &mut self,
        genesis: GenesisHash,
        height: Height,
        time: UnixTime,
        records: &[Record],
    ) -> StateRoot {
        let context = BlockContext { genesis, protocol: 1, height, time };
        let mut execution = Execution::new(&self.state, &self.seen, context).expect("a known protocol");
        for record in records {
            let checked = check_stateless(record.clone()).unwrap_or_else(|error| panic!("{error}: {record:?}"));
            execution.apply(&checked).unwrap_or_else(|error| panic!("{error}: {record:?}"));
        }
        let writes = execution.finish();
        for record in records {
            self.seen.ids.insert(record.id());
            self.seen.jtis.insert((record.author().clone(), record.payload().jti.clone()));
        }
        self.write(&writes);
        self.root()
    }

    pub(crate) fn write(&mut self, writes: &WriteSet) {
        writes.apply_to(&mut self.state);
        for (key, value) in writes.iter() {
            for term in index::terms(key, value).expect("values of the contracts") {
                let row = (term.kind, term.term, index::object_id(key).to_owned());
                if !self.listed.contains(&row) {
                    self.listed.push(row);
                }
            }
        }
    }

    pub(crate) fn attach(&mut self, bytes: &[u8]) {
        self.attachments.insert(AttachmentHash::from_bytes(sha256(&[bytes])), bytes.to_vec());
    }

    pub(crate) fn lose_attachments(&mut self) {
        self.attachments.clear();
    }

    fn leaves(&self) -> Vec<ProofLeaf> {
        let leaf = |(key, value): (&StateKey, &Vec<u8>)| ProofLeaf {
            path: TreeHash::from_bytes(key.hash()),
            value: TreeHash::from_bytes(sha256(&[value])),
        };
        let mut leaves: Vec<_> = self.state.iter().map(leaf).collect();
        leaves.sort_by_key(|leaf| leaf.path);
        leaves
    }

    pub(crate) fn root(&self) -> StateRoot {
        StateRoot::from_bytes(root(&self.leaves(), 0))
    }
}

fn bit(path: &[u8; 32], depth: usize) -> bool {
    path[depth / 8] & (0x80 >> (depth % 8)) != 0
}

fn split(leaves: &[ProofLeaf], depth: usize) -> (&[ProofLeaf], &[ProofLeaf]) {
    leaves.split_at(leaves.partition_point(|leaf| !bit(leaf.path.as_bytes(), depth)))
}

fn root(leaves: &[ProofLeaf], depth: usize) -> [u8; 32] {
    match leaves {
        [] => *EMPTY_ROOT.as_bytes(),
        [leaf] => leaf_hash(leaf.path.as_bytes(), leaf.value.as_bytes()),
        _ => {
            let (left, right) = split(leaves, depth);
            inner_hash(&root(left, depth + 1), &root(right, depth + 1))
        }
    }
}

fn prove(leaves: &[ProofLeaf], depth: usize, path: &[u8; 32], siblings: &mut Vec<TreeHash>) -> Option<ProofLeaf> {
    if leaves.len() < 2 {
        return leaves.first().copied();
    }
    let (left, right) = split(leaves, depth);
    let (near, far) = if bit(path, depth) { (right, left) } else { (left, right) };
    let leaf = prove(near, depth + 1, path, siblings);
    siblings.push(TreeHash::from_bytes(root(far, depth + 1)));
    leaf
}

/// The registries at the newest height.
pub(crate) struct Snapshot {
    pub(crate) registries: Registries,
    pub(crate) network: ReceiptNetwork,
    pub(crate) header: Header,
    pub(crate) note: Note,
    pub(crate) validators: ValidatorSet,
    pub(crate) records: Vec<StoredRecord>,
}

impl Snapshot {
    /// Public entries, each digest at its first place.
    fn public(&self) -> Vec<([u8; 32], Timestamp)> {
        let mut found: Vec<([u8; 32], Timestamp)> = Vec::new();
        for record in &self.records {
            let Act::Notarise { form: Form::Digest, entries, .. } = record.record.act() else { continue };
            for (entry, digest) in (0..).zip(entries) {
                let id = sha256(&[&digest.0]);
                if !found.iter().any(|(known, _)| *known == id) {
                    found.push((id, Timestamp { record: record.clone(), entry }));
                }
            }
        }
        found
    }
}

fn page<T: Clone>(items: &[T], page: u64, size: usize) -> Vec<T> {
    assert!(page > 0 && (1..=100).contains(&size), "what a store accepts");
    items.iter().skip((page as usize - 1).saturating_mul(size)).take(size).cloned().collect()
}

impl Registry for Snapshot {
    fn header(&self) -> &Header {
        &self.header
    }

    fn get(&self, key: &StateKey) -> ReadResult<Option<Vec<u8>>> {
        Ok(self.registries.state.get(key).cloned())
    }

    fn evidence(&self, keys: &[StateKey]) -> ReadResult<Evidence> {
        let leaves = self.registries.leaves();
        let proven = |key: &StateKey| {
            let mut siblings = Vec::new();
            let leaf = prove(&leaves, 0, &key.hash(), &mut siblings);
            let value = self.registries.state.get(key).map(|v| String::from_utf8(v.clone()).expect("JSON"));
            ProvenKey { key: key.to_string(), value, proof: StateProof { v: 1, leaf, siblings } }
        };
        Ok(Evidence {
            v: 1,
            r#type: "testamur-evidence".into(),
            network: self.network.clone(),
            header: self.header.text(),
            note: self.note.to_string(),
            validators: self.validators.clone(),
            epochs: Vec::new(),
            state: keys.iter().map(proven).collect(),
        })
    }

    fn objects(&self, kind: &str, term: &str, number: u64, size: usize) -> ReadResult<ObjectPage> {
        let rows = self.registries.listed.iter().filter(|(k, t, _)| *k == kind && t == term);
        let ids: Vec<_> = rows.map(|(_, _, id)| id.clone()).collect();
        Ok(ObjectPage { ids: page(&ids, number, size), total: ids.len() as u64 })
    }

    fn attachment(&self, sha256: &AttachmentHash) -> ReadResult<Option<Vec<u8>>> {
        Ok(self.registries.attachments.get(sha256).cloned())
    }

    fn timestamp(&self, sha256: &[u8; 32]) -> ReadResult<Option<Timestamp>> {
        Ok(self.public().into_iter().find(|(id, _)| id == sha256).map(|(_, found)| found))
    }

    fn timestamps(&self, number: u64, size: usize) -> ReadResult<TimestampPage> {
        let ids: Vec<_> = self.public().into_iter().map(|(id, _)| id).collect();
        Ok(TimestampPage { ids: page(&ids, number, size), total: ids.len() as u64 })
    }
}
