//! Proofs that a state key has a value, or none, under a state root.
//!
//! The state tree is a sparse Merkle tree over 256-bit paths in which a subtree with one leaf *is* that leaf:
//!
//! ```text
//! path(key)    = SHA-256(key text), most significant bit first
//! leaf         = SHA-256("JMT::LeafNode" ‖ path(key) ‖ SHA-256(value))
//! inner        = SHA-256("JMT::IntrnalNode" ‖ left ‖ right)
//! empty        = the 32 bytes "SPARSE_MERKLE_PLACEHOLDER_HASH__"
//! root(S, d)   = empty if S is empty; leaf of its only key if S has one; else
//!                inner(root(keys of S with bit d = 0, d+1), root(keys of S with bit d = 1, d+1))
//! state root   = root(all keys, 0)
//! ```
//! (The spelling of `IntrnalNode` is the algorithm's own.)
//!
//! A proof holds the siblings on the way up, the deepest first, and what stands at the deepest place: a leaf (path and
//! hash of its value) or nothing. Present: the leaf is the key's, with the value's hash. Absent: there is no leaf, or
//! that of another key whose first n bits are the same, n being the number of siblings.

use crate::codec::{self, CodecError, sha256};
use crate::hash::{StateRoot, TreeHash};
use serde::{Deserialize, Serialize};

use crate::limits::PROOF_SIBLINGS_MAX;
use crate::state::StateKey;

/// Root of a tree without keys.
pub const EMPTY_ROOT: StateRoot = StateRoot::from_bytes(*b"SPARSE_MERKLE_PLACEHOLDER_HASH__");

/// A proof of presence or absence. Its bytes are its RFC 8785 form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateProof {
    /// Format version: 1.
    pub v: u8,
    /// What stands at the deepest place on the key's path; none when nothing does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaf: Option<ProofLeaf>,
    /// The siblings on the way up, the deepest first.
    pub siblings: Vec<TreeHash>,
}

/// A leaf of the state tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProofLeaf {
    /// Its path: SHA-256 of its key.
    pub path: TreeHash,
    /// SHA-256 of its value.
    pub value: TreeHash,
}

/// Why a state proof is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StateProofError {
    /// Unknown version, or more than 256 siblings.
    #[error("not a state proof of a known form")]
    Form,
    /// The proof is about another key, or another value.
    #[error("the state proof does not show that the key has this value")]
    NotPresent,
    /// The proof shows the key to be present, or says nothing of it.
    #[error("the state proof does not show that the key is absent")]
    NotAbsent,
    /// It leads to another root.
    #[error("the state proof leads to another root")]
    Root,
}

impl StateProof {
    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        codec::canonical(self)
    }

    /// Reads canonical bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        codec::from_canonical(bytes)
    }

    /// Checks that under `root` the key has this value, or, with `None`, that it is absent.
    pub fn verify(&self, root: StateRoot, key: &StateKey, value: Option<&[u8]>) -> Result<(), StateProofError> {
        if self.v != 1 || self.siblings.len() > PROOF_SIBLINGS_MAX {
            return Err(StateProofError::Form);
        }
        let path = key.hash();
        match (value, &self.leaf) {
            (Some(value), Some(leaf))
                if *leaf.path.as_bytes() == path && *leaf.value.as_bytes() == sha256(&[value]) => {}
            (Some(_), _) => return Err(StateProofError::NotPresent),
            (None, None) => {}
            // Another leaf alone in the subtree where the key would be: its path must lead there too.
            (None, Some(leaf))
                if *leaf.path.as_bytes() != path
                    && (0..self.siblings.len()).all(|depth| bit(leaf.path.as_bytes(), depth) == bit(&path, depth)) => {}
            (None, Some(_)) => return Err(StateProofError::NotAbsent),
        }
        let mut hash =
            self.leaf.map_or(*EMPTY_ROOT.as_bytes(), |leaf| leaf_hash(leaf.path.as_bytes(), leaf.value.as_bytes()));
        for (sibling, depth) in self.siblings.iter().zip((0..self.siblings.len()).rev()) {
            hash = if bit(&path, depth) {
                inner_hash(sibling.as_bytes(), &hash)
            } else {
                inner_hash(&hash, sibling.as_bytes())
            };
        }
        if hash == *root.as_bytes() { Ok(()) } else { Err(StateProofError::Root) }
    }
}

/// Hash of a leaf.
pub fn leaf_hash(path: &[u8; 32], value_hash: &[u8; 32]) -> [u8; 32] {
    sha256(&[b"JMT::LeafNode", path, value_hash])
}

/// Hash of an inner node.
pub fn inner_hash(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    sha256(&[b"JMT::IntrnalNode", left, right])
}

/// A bit of a path, the most significant first.
fn bit(path: &[u8; 32], depth: usize) -> bool {
    path[depth / 8] & (0x80 >> (depth % 8)) != 0
}
