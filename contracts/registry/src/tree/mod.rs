//! The authenticated state tree: a root for every height, and proofs under it.
//!
//! The tree is `jmt`'s (SHA-256), behind [`TreeStore`]: a store keeps nodes and values as opaque bytes and gives them
//! back. [`proof`] says how roots are computed; nothing of that depends on `jmt`.
//!
//! | stored | bytes |
//! |---|---|
//! | node key | 8 version (height that wrote it, big-endian), 1 nibbles in the path, then the path, two nibbles a byte, the first in the high half, the last half byte zero if odd |
//! | node | borsh encoding of `jmt`'s node: opaque, private to a node's disk |
//! | value | as written, under (SHA-256 of the key, version) |
//!
//! Every height writes a version, also when nothing changes: then the root node is written again under the new height.
//!
//! - INV-TREE-1: a node read from the store has the hash that its parent, or the header, names. What a disk has
//!   changed is found before a root is computed from it.
//! - INV-TREE-2: each version's root node is stale since the next height, so pruning reclaims it.

mod rows;

use core::cell::RefCell;
use std::collections::BTreeMap;

use borsh::BorshDeserialize as _;
use jmt::storage::{LeafNode, Node, NodeKey, TreeReader};
use jmt::{JellyfishMerkleTree, KeyHash, OwnedValue, SimpleHasher, Version};
use sha2::{Digest as _, Sha256};
use testamur_primitives::hash::{StateRoot, TreeHash};
use testamur_primitives::units::Height;

use testamur_primitives::state::proof;
pub use testamur_primitives::state::proof::{EMPTY_ROOT, ProofLeaf, StateProof, StateProofError};

pub use rows::{Child, NodeKind, NodeRow, node_row, root_of, row_key};

use crate::limits::PATH_NIBBLES_MAX;
use crate::state::{StateKey, StateReader, WriteSet};

/// Where nodes and values of the tree come from: one snapshot.
pub trait TreeStore {
    /// Error of the source.
    type Error;

    /// A node by its key.
    fn node(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Self::Error>;

    /// The newest value of a key (by its hash) whose version is at most `max_version`.
    fn value(&self, key_hash: &[u8; 32], max_version: u64) -> Result<Option<Vec<u8>>, Self::Error>;
}

/// What a height adds to the tree: all of it is stored, or nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeUpdate {
    /// Root after the height.
    pub root: StateRoot,
    /// New nodes, by key.
    pub nodes: Vec<(Vec<u8>, Vec<u8>)>,
    /// New values: (key hash, version, value).
    pub values: Vec<([u8; 32], u64, Vec<u8>)>,
    /// Nodes that no version from the first number on refers to: (stale since, node key).
    pub stale: Vec<(u64, Vec<u8>)>,
}

/// A value with its proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// The value, if the key is present.
    pub value: Option<Vec<u8>>,
    /// The proof of that.
    pub proof: StateProof,
}

/// The tree could not be read, or is damaged. Always local and fatal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TreeError<E> {
    /// The store failed.
    #[error("cannot read the state tree: {0}")]
    Store(#[from] E),
    /// The root of a height is not there: not yet written, or pruned.
    #[error("the state tree has no root for height {0}")]
    NoRoot(Height),
    /// What is stored is not what was written.
    #[error("the state tree is damaged: {0}")]
    Damaged(String),
}

impl<E> TreeError<E> {
    /// Whether the node must stop: unless a pruned or future height was asked for.
    pub fn is_fatal(&self) -> bool {
        !matches!(self, Self::NoRoot(_))
    }
}

/// Computes what a height's writes add. `parent` is the state root of the height before, as its header has it;
/// [`EMPTY_ROOT`] for height 0.
pub fn update<S: TreeStore>(
    store: &S,
    height: Height,
    parent: StateRoot,
    writes: &WriteSet,
) -> Result<TreeUpdate, TreeError<S::Error>> {
    let previous = match height.0.checked_sub(1) {
        Some(previous) => {
            let reader = Reader::new(store, previous, parent);
            // jmt takes a missing root for an empty tree, and would begin a new state without a word.
            if reader.node(previous, &[])?.is_none() {
                return Err(TreeError::NoRoot(Height(previous)));
            }
            Some((previous, reader))
        }
        None if parent == EMPTY_ROOT => None,
        None => return Err(TreeError::Damaged("height 0 follows the empty tree".into())),
    };
    let fresh = Reader::new(store, u64::MAX, EMPTY_ROOT);
    let reader = previous.as_ref().map_or(&fresh, |(_, reader)| reader);
    let changes = writes.iter().map(|(key, value)| (KeyHash(key.hash()), Some(value.to_vec())));
    let tree = JellyfishMerkleTree::<_, StateHasher>::new(reader);
    let (root, batch) = tree.put_value_set(changes, height.0).map_err(|error| reader.take_error(&error))?;

    let encode = |(key, node): (&NodeKey, &Node)| {
        (node_key_of(key), borsh::to_vec(node).expect("writing to memory does not fail"))
    };
    let nodes: Vec<_> = batch.node_batch.nodes().iter().map(encode).collect();
    let values = batch
        .node_batch
        .values()
        .iter()
        .map(|((version, key), value)| (key.0, *version, value.clone().expect("nothing is deleted")))
        .collect();
    let mut stale: Vec<_> = batch
        .stale_node_index_batch
        .iter()
        .map(|index| (index.stale_since_version, node_key_of(&index.node_key)))
        .collect();
    if let Some((previous, _)) = previous {
        // INV-TREE-2: jmt does not say so for a height that changes nothing.
        let root_before = (height.0, node_key(previous, &[]));
        if !stale.contains(&root_before) {
            stale.push(root_before);
        }
    }
    stale.sort();
    Ok(TreeUpdate { root: StateRoot::from_bytes(root.0), nodes, values, stale })
}

/// The root after a height, as the store has it; none if it was pruned or not yet written.
pub fn root_at<S: TreeStore>(store: &S, height: Height) -> Result<Option<StateRoot>, TreeError<S::Error>> {
    let Some(bytes) = store.node(&node_key(height.0, &[])).map_err(TreeError::Store)? else { return Ok(None) };
    Ok(Some(StateRoot::from_bytes(hash_of(&decode(&bytes)?))))
}

/// Proves a key present or absent under the root of a height. `root` is the state root in that height's header.
pub fn prove<S: TreeStore>(
    store: &S,
    height: Height,
    root: StateRoot,
    key: &StateKey,
) -> Result<Proven, TreeError<S::Error>> {
    let reader = Reader::new(store, height.0, root);
    let target = key.hash();
    let mut siblings = Vec::new();
    let (mut version, mut path) = (height.0, Vec::new());
    let leaf = loop {
        let node = match reader.node(version, &path)? {
            Some(node) => node,
            None if path.is_empty() => return Err(TreeError::NoRoot(height)),
            None => return Err(missing(version, &path)),
        };
        match node {
            Node::Null => break None,
            Node::Leaf(leaf) => break Some(proof_leaf(&leaf)?),
            Node::Internal(node) => {
                if path.len() == PATH_NIBBLES_MAX {
                    return Err(TreeError::Damaged("a path longer than a key's".into()));
                }
                let slots = Slots::of(node.children_sorted().map(|(nibble, child)| {
                    (u8::from(nibble), Slot { hash: child.hash, version: child.version, is_leaf: child.is_leaf() })
                }));
                match slots.descend(nibble(&target, path.len()), &mut siblings) {
                    None => break None,
                    Some((index, child)) => {
                        path.push(index);
                        version = child.version;
                    }
                }
            }
        }
    };
    siblings.reverse();
    let value = match &leaf {
        Some(leaf) if *leaf.path.as_bytes() == target => {
            let value = store.value(&target, height.0).map_err(TreeError::Store)?;
            Some(value.ok_or_else(|| TreeError::Damaged(format!("the value of {key} is missing")))?)
        }
        _ => None,
    };
    let proof = StateProof { v: 1, leaf, siblings };
    // What is handed out was checked as its reader will check it; this also finds a changed value (INV-TREE-1).
    proof
        .verify(root, key, value.as_deref())
        .map_err(|error| TreeError::Damaged(format!("the proof of {key} fails: {error}")))?;
    Ok(Proven { value, proof })
}

/// The state at a height, read through the tree: every value is checked against the root before it is used, so that
/// nothing is executed on what a disk has changed (INV-TREE-1).
#[derive(Debug, Clone, Copy)]
pub struct TreeState<'a, S> {
    store: &'a S,
    height: Height,
    root: StateRoot,
}

impl<'a, S: TreeStore> TreeState<'a, S> {
    /// The state at a height whose header has this state root.
    pub fn new(store: &'a S, height: Height, root: StateRoot) -> Self {
        Self { store, height, root }
    }
}

impl<S: TreeStore> StateReader for TreeState<'_, S> {
    type Error = TreeError<S::Error>;

    fn get(&self, key: &StateKey) -> Result<Option<Vec<u8>>, Self::Error> {
        prove(self.store, self.height, self.root, key).map(|proven| proven.value)
    }
}

/// A child of a stored node, which covers four levels of the binary tree.
#[derive(Clone, Copy)]
struct Slot {
    hash: [u8; 32],
    version: u64,
    is_leaf: bool,
}

/// The 16 places of a stored node.
struct Slots([Option<Slot>; 16]);

impl Slots {
    fn of(children: impl Iterator<Item = (u8, Slot)>) -> Self {
        let mut slots = [None; 16];
        for (nibble, slot) in children {
            slots[usize::from(nibble)] = Some(slot);
        }
        Self(slots)
    }

    /// Goes down from the node's root towards place `nibble` until a single child is left, pushing the sibling at each
    /// level. The child may stand at another place, when it is a leaf alone in its half.
    fn descend(&self, nibble: u8, siblings: &mut Vec<TreeHash>) -> Option<(u8, Slot)> {
        let (mut begin, mut width) = (0usize, 16usize);
        while width > 1 {
            width /= 2;
            let (near, far) =
                if usize::from(nibble) & width == 0 { (begin, begin + width) } else { (begin + width, begin) };
            siblings.push(TreeHash::from_bytes(self.subtree(far, width)));
            begin = near;
            match self.only_child(begin, width) {
                Only::Nothing => return None,
                Only::Child(index, slot) => return Some((index, slot)),
                Only::More => {}
            }
        }
        unreachable!("one place holds nothing or a single child")
    }

    fn subtree(&self, begin: usize, width: usize) -> [u8; 32] {
        match self.only_child(begin, width) {
            Only::Nothing => *EMPTY_ROOT.as_bytes(),
            Only::Child(_, slot) => slot.hash,
            Only::More => {
                let half = width / 2;
                proof::inner_hash(&self.subtree(begin, half), &self.subtree(begin + half, half))
            }
        }
    }

    /// What a range of places comes to: a leaf alone rises, an inner node stays at its place.
    fn only_child(&self, begin: usize, width: usize) -> Only {
        let mut found = Only::Nothing;
        for index in begin..begin + width {
            if let Some(slot) = self.0[index] {
                match found {
                    Only::Nothing if slot.is_leaf || width == 1 => found = Only::Child(index as u8, slot),
                    _ => return Only::More,
                }
            }
        }
        found
    }
}

enum Only {
    Nothing,
    Child(u8, Slot),
    More,
}

/// SHA-256, for `jmt`.
struct StateHasher(Sha256);

impl SimpleHasher for StateHasher {
    fn new() -> Self {
        Self(Sha256::new())
    }

    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    fn finalize(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

/// A store that checks what it reads against the hashes that lead to it (INV-TREE-1).
struct Reader<'a, S: TreeStore> {
    store: &'a S,
    expected: RefCell<BTreeMap<Vec<u8>, [u8; 32]>>,
    error: RefCell<Option<TreeError<S::Error>>>,
}

impl<'a, S: TreeStore> Reader<'a, S> {
    fn new(store: &'a S, version: u64, root: StateRoot) -> Self {
        let expected = BTreeMap::from([(node_key(version, &[]), *root.as_bytes())]);
        Self { store, expected: RefCell::new(expected), error: RefCell::new(None) }
    }

    fn node(&self, version: u64, path: &[u8]) -> Result<Option<Node>, TreeError<S::Error>> {
        let key = node_key(version, path);
        let Some(bytes) = self.store.node(&key).map_err(TreeError::Store)? else { return Ok(None) };
        let node = decode(&bytes)?;
        let expected = self.expected.borrow().get(&key).copied();
        if expected != Some(hash_of(&node)) {
            return Err(TreeError::Damaged(format!(
                "the node of height {version} at {path:x?} has another hash than its parent says"
            )));
        }
        if let Node::Internal(inner) = &node {
            let mut child_path = path.to_vec();
            for (nibble, child) in inner.children_sorted() {
                child_path.push(nibble.into());
                self.expected.borrow_mut().insert(node_key(child.version, &child_path), child.hash);
                child_path.pop();
            }
        }
        Ok(Some(node))
    }

    /// The error behind one that went through `jmt`.
    fn take_error(&self, error: &anyhow::Error) -> TreeError<S::Error> {
        self.error.borrow_mut().take().unwrap_or_else(|| TreeError::Damaged(format!("{error:#}")))
    }
}

impl<S: TreeStore> TreeReader for Reader<'_, S> {
    fn get_node_option(&self, node_key: &NodeKey) -> anyhow::Result<Option<Node>> {
        let path = nibbles_of(node_key);
        let result = match self.node(node_key.version(), &path) {
            Ok(None) if !path.is_empty() => Err(missing(node_key.version(), &path)),
            result => result,
        };
        result.map_err(|error| {
            *self.error.borrow_mut() = Some(error);
            anyhow::anyhow!("the state tree could not be read")
        })
    }

    fn get_value_option(&self, _: Version, _: KeyHash) -> anyhow::Result<Option<OwnedValue>> {
        anyhow::bail!("updating a tree reads no values")
    }

    fn get_rightmost_leaf(&self) -> anyhow::Result<Option<(NodeKey, LeafNode)>> {
        anyhow::bail!("trees are not restored through this reader")
    }
}

fn missing<E>(version: u64, path: &[u8]) -> TreeError<E> {
    TreeError::Damaged(format!("the node of height {version} at {path:x?} is missing"))
}

fn decode<E>(bytes: &[u8]) -> Result<Node, TreeError<E>> {
    Node::try_from_slice(bytes).map_err(|error| TreeError::Damaged(format!("a node cannot be decoded: {error}")))
}

fn hash_of(node: &Node) -> [u8; 32] {
    match node {
        Node::Null => *EMPTY_ROOT.as_bytes(),
        Node::Internal(node) => node.hash::<StateHasher>(),
        Node::Leaf(node) => node.hash::<StateHasher>(),
    }
}

/// A leaf's path and value hash: `jmt` keeps the latter to itself, its borsh form does not.
fn proof_leaf<E>(leaf: &LeafNode) -> Result<ProofLeaf, TreeError<E>> {
    let bytes = borsh::to_vec(leaf).expect("writing to memory does not fail");
    match (TreeHash::from_slice(&bytes[..32]), TreeHash::from_slice(&bytes[32..])) {
        (Some(path), Some(value)) => Ok(ProofLeaf { path, value }),
        _ => Err(TreeError::Damaged("a leaf of odd length".into())),
    }
}

fn nibble(path: &[u8; 32], index: usize) -> u8 {
    let byte = path[index / 2];
    if index.is_multiple_of(2) { byte >> 4 } else { byte & 0x0f }
}

fn nibbles_of(key: &NodeKey) -> Vec<u8> {
    key.nibble_path().nibbles().map(u8::from).collect()
}

fn node_key_of(key: &NodeKey) -> Vec<u8> {
    node_key(key.version(), &nibbles_of(key))
}

/// The bytes under which a node is stored.
fn node_key(version: u64, path: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(9 + path.len().div_ceil(2));
    key.extend_from_slice(&version.to_be_bytes());
    key.push(u8::try_from(path.len()).expect("a path has at most 64 nibbles"));
    key.extend(path.chunks(2).map(|pair| pair[0] << 4 | pair.get(1).copied().unwrap_or(0)));
    key
}
