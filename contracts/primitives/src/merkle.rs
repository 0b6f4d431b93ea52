//! The SHA-256 Merkle tree of RFC 6962 §2.1 (RFC 9162 §2.1): roots, inclusion and consistency proofs.
//!
//! A node at (level, index) covers the leaves `[index·2^level, (index+1)·2^level)`; only *full* nodes are stored,
//! they never change, and everything else is computed from at most 64 of them.

use crate::codec::sha256;
use crate::hash::TreeHash;

/// Why a proof was refused or could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MerkleError {
    /// Index not below the size, or sizes in the wrong order.
    #[error("index or size out of range")]
    OutOfRange,
    /// The path does not have the length that index and size demand.
    #[error("the proof has the wrong length for this index and size")]
    Length,
    /// The path leads to another root.
    #[error("the proof leads to another root")]
    Root,
    /// A stored node is absent.
    #[error("a tree node is missing (level {level}, index {index})")]
    Missing {
        /// Level of the node, leaves are 0.
        level: u8,
        /// Index within the level.
        index: u64,
    },
}

/// Root of the empty tree: SHA-256 of nothing.
pub fn empty_root() -> TreeHash {
    TreeHash::from_bytes(sha256(&[]))
}

/// Hash of a leaf: SHA-256(0x00 ‖ data).
pub fn leaf_hash(data: &[u8]) -> TreeHash {
    TreeHash::from_bytes(sha256(&[&[0], data]))
}

/// Hash of an inner node: SHA-256(0x01 ‖ left ‖ right).
pub fn node_hash(left: TreeHash, right: TreeHash) -> TreeHash {
    TreeHash::from_bytes(sha256(&[&[1], left.as_bytes(), right.as_bytes()]))
}

/// Where full nodes come from: memory, tiles, a database snapshot.
pub trait Nodes {
    /// Error of the source.
    type Error: From<MerkleError>;
    /// The full node at (level, index).
    fn node(&self, level: u8, index: u64) -> Result<TreeHash, Self::Error>;
}

/// Root of the first `size` leaves.
pub fn root<N: Nodes + ?Sized>(nodes: &N, size: u64) -> Result<TreeHash, N::Error> {
    if size == 0 {
        return Ok(empty_root());
    }
    subtree(nodes, 0, size)
}

/// Path from leaf `index` to the root of the first `size` leaves, sibling of the leaf first.
pub fn inclusion_proof<N: Nodes + ?Sized>(nodes: &N, index: u64, size: u64) -> Result<Vec<TreeHash>, N::Error> {
    if index >= size {
        return Err(MerkleError::OutOfRange.into());
    }
    let (mut begin, mut end) = (0, size);
    let mut path = Vec::new();
    while end - begin > 1 {
        let middle = begin + split(end - begin);
        if index < middle {
            path.push(subtree(nodes, middle, end)?);
            end = middle;
        } else {
            path.push(subtree(nodes, begin, middle)?);
            begin = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// Proof that the tree of `from` leaves is a prefix of the tree of `to` leaves. Empty when equal or `from` is 0.
pub fn consistency_proof<N: Nodes + ?Sized>(nodes: &N, from: u64, to: u64) -> Result<Vec<TreeHash>, N::Error> {
    if from > to {
        return Err(MerkleError::OutOfRange.into());
    }
    if from == 0 || from == to {
        return Ok(Vec::new());
    }
    let (mut begin, mut end, mut whole) = (0, to, true);
    let mut path = Vec::new();
    while from < end {
        let middle = begin + split(end - begin);
        if from <= middle {
            path.push(subtree(nodes, middle, end)?);
            end = middle;
        } else {
            path.push(subtree(nodes, begin, middle)?);
            begin = middle;
            whole = false;
        }
    }
    if !whole {
        path.push(subtree(nodes, begin, end)?);
    }
    path.reverse();
    Ok(path)
}

/// The number of hashes in the path of leaf `index` in a tree of `size` leaves.
pub fn inclusion_proof_length(index: u64, size: u64) -> usize {
    debug_assert!(index < size);
    let inner = 64 - (index ^ (size - 1)).leading_zeros();
    let border = index.checked_shr(inner).unwrap_or(0).count_ones();
    (inner + border) as usize
}

/// Checks that `leaf` is at `index` of the tree with `size` leaves and this root (RFC 9162 §2.1.3.2).
pub fn verify_inclusion(
    leaf: TreeHash,
    index: u64,
    size: u64,
    path: &[TreeHash],
    expected: TreeHash,
) -> Result<(), MerkleError> {
    if index >= size {
        return Err(MerkleError::OutOfRange);
    }
    if path.len() != inclusion_proof_length(index, size) {
        return Err(MerkleError::Length);
    }
    let (mut place, mut last, mut hash) = (index, size - 1, leaf);
    for sibling in path {
        // Who is the last of a level is the last of all above, so the levels on which it has no sibling need not be counted: the
        // path's length says how many they are.
        hash = if place & 1 == 1 || place == last { node_hash(*sibling, hash) } else { node_hash(hash, *sibling) };
        place >>= 1;
        last >>= 1;
    }
    if hash == expected { Ok(()) } else { Err(MerkleError::Root) }
}

/// Checks that the tree (`from`, `from_root`) is a prefix of the tree (`to`, `to_root`) (RFC 9162 §2.1.4.2).
pub fn verify_consistency(
    from: u64,
    from_root: TreeHash,
    to: u64,
    to_root: TreeHash,
    path: &[TreeHash],
) -> Result<(), MerkleError> {
    if from > to {
        return Err(MerkleError::OutOfRange);
    }
    if from == to || from == 0 {
        if !path.is_empty() {
            return Err(MerkleError::Length);
        }
        let same = if from == 0 {
            from_root == empty_root() && (to > 0 || to_root == from_root)
        } else {
            from_root == to_root
        };
        return if same { Ok(()) } else { Err(MerkleError::Root) };
    }
    let (mut place, mut last) = (from - 1, to - 1);
    while place & 1 == 1 {
        place >>= 1;
        last >>= 1;
    }
    let mut rest = path.iter();
    let start = if from.is_power_of_two() { from_root } else { *rest.next().ok_or(MerkleError::Length)? };
    let (mut old, mut new) = (start, start);
    for sibling in rest {
        if last == 0 {
            return Err(MerkleError::Length);
        }
        if place & 1 == 1 || place == last {
            old = node_hash(*sibling, old);
            new = node_hash(*sibling, new);
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            new = node_hash(new, *sibling);
        }
        place >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(MerkleError::Length);
    }
    if old == from_root && new == to_root { Ok(()) } else { Err(MerkleError::Root) }
}

/// Largest power of two below `count` (`count` > 1): where RFC 6962 splits.
fn split(count: u64) -> u64 {
    1 << (63 - (count - 1).leading_zeros())
}

/// Hash of the leaves `[begin, end)`; `begin` is a multiple of the power of two that covers the range.
fn subtree<N: Nodes + ?Sized>(nodes: &N, begin: u64, end: u64) -> Result<TreeHash, N::Error> {
    let count = end - begin;
    if count.is_power_of_two() {
        let level = count.trailing_zeros();
        return nodes.node(level as u8, begin >> level);
    }
    let middle = begin + split(count);
    let left = subtree(nodes, begin, middle)?;
    let right = subtree(nodes, middle, end)?;
    Ok(node_hash(left, right))
}

/// The right edge of a tree: what appending needs, at most 64 hashes. `hashes[i]` belongs to the i-th set bit of
/// `size`, from the most significant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    hashes: Vec<TreeHash>,
}

impl Frontier {
    /// The empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Rebuilds the frontier of a stored tree.
    pub fn load<N: Nodes + ?Sized>(nodes: &N, size: u64) -> Result<Self, N::Error> {
        let mut hashes = Vec::new();
        let mut begin = 0u64;
        for level in (0..64u8).rev() {
            if size & (1 << level) != 0 {
                hashes.push(nodes.node(level, begin >> level)?);
                begin += 1 << level;
            }
        }
        Ok(Self { size, hashes })
    }

    /// Leaves so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf and reports each node that became full: (level, index, hash), the leaf first.
    pub fn append(&mut self, leaf: TreeHash, mut full: impl FnMut(u8, u64, TreeHash)) {
        let mut hash = leaf;
        let (mut level, mut index) = (0u8, self.size);
        full(level, index, hash);
        while index & 1 == 1 {
            let left = self.hashes.pop().expect("a set bit of size has its hash");
            hash = node_hash(left, hash);
            level += 1;
            index >>= 1;
            full(level, index, hash);
        }
        self.hashes.push(hash);
        self.size += 1;
    }

    /// Root of the tree.
    pub fn root(&self) -> TreeHash {
        let mut from_right = self.hashes.iter().rev();
        match from_right.next() {
            None => empty_root(),
            Some(last) => from_right.fold(*last, |right, left| node_hash(*left, right)),
        }
    }
}

/// A whole tree in memory: batches, tests, small logs.
#[derive(Debug, Clone, Default)]
pub struct MemoryTree {
    levels: Vec<Vec<TreeHash>>,
    frontier: Frontier,
}

impl MemoryTree {
    /// Builds the tree over leaf hashes.
    pub fn from_leaf_hashes(leaves: &[TreeHash]) -> Self {
        let mut tree = Self::default();
        for leaf in leaves {
            tree.append(*leaf);
        }
        tree
    }

    /// Appends a leaf hash.
    pub fn append(&mut self, leaf: TreeHash) {
        let levels = &mut self.levels;
        self.frontier.append(leaf, |level, _, hash| {
            let level = usize::from(level);
            if levels.len() == level {
                levels.push(Vec::new());
            }
            levels[level].push(hash);
        });
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// Root of the first `size` leaves.
    pub fn root(&self, size: u64) -> Result<TreeHash, MerkleError> {
        root(self, size)
    }

    /// Path of a leaf in the tree of the first `size` leaves.
    pub fn inclusion_proof(&self, index: u64, size: u64) -> Result<Vec<TreeHash>, MerkleError> {
        inclusion_proof(self, index, size)
    }
}

impl Nodes for MemoryTree {
    type Error = MerkleError;
    fn node(&self, level: u8, index: u64) -> Result<TreeHash, MerkleError> {
        usize::try_from(index)
            .ok()
            .and_then(|i| self.levels.get(usize::from(level))?.get(i))
            .copied()
            .ok_or(MerkleError::Missing { level, index })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn leaves(count: u64) -> Vec<TreeHash> {
        (0..count).map(|i| leaf_hash(&i.to_be_bytes())).collect()
    }

    /// The definition of RFC 6962 §2.1, word for word: the model the fast code is held to.
    fn model_root(leaves: &[TreeHash]) -> TreeHash {
        match leaves.len() {
            0 => empty_root(),
            1 => leaves[0],
            n => {
                let k = n.next_power_of_two() / 2;
                node_hash(model_root(&leaves[..k]), model_root(&leaves[k..]))
            }
        }
    }

    #[test]
    fn every_proof_of_every_small_tree() {
        let all = leaves(40);
        let tree = MemoryTree::from_leaf_hashes(&all);
        for size in 0..=40u64 {
            let root = tree.root(size).unwrap();
            assert_eq!(root, model_root(&all[..size as usize]));
            assert_eq!(Frontier::load(&tree, size).unwrap().root(), root);
            for index in 0..size {
                let path = tree.inclusion_proof(index, size).unwrap();
                assert_eq!(path.len(), inclusion_proof_length(index, size));
                verify_inclusion(all[index as usize], index, size, &path, root).unwrap();
                assert!(verify_inclusion(all[(index as usize + 1) % 40], index, size, &path, root).is_err());
            }
            for from in 0..=size {
                let path = consistency_proof(&tree, from, size).unwrap();
                let from_root = tree.root(from).unwrap();
                verify_consistency(from, from_root, size, root, &path).unwrap();
                if from > 0 {
                    assert!(verify_consistency(from, leaf_hash(b"x"), size, root, &path).is_err());
                }
                let mut longer = path.clone();
                longer.push(root);
                assert!(verify_consistency(from, from_root, size, root, &longer).is_err());
            }
        }
    }

    proptest! {
        #[test]
        fn lengths_at_any_size(size in 1u64..u64::MAX, seed: u64) {
            let index = seed % size;
            // Walk the definition instead of the closed form.
            let (mut begin, mut end, mut steps) = (0u64, size, 0usize);
            while end - begin > 1 {
                let middle = begin + split(end - begin);
                if index < middle { end = middle } else { begin = middle }
                steps += 1;
            }
            prop_assert_eq!(steps, inclusion_proof_length(index, size));
        }
    }
}
