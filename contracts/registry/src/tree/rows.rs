//! Stored nodes taken apart, for who copies a whole tree: what a row says, and whether it is what it should be.

use borsh::BorshDeserialize as _;
use jmt::storage::Node;

use super::{hash_of, node_key, proof_leaf};
use crate::limits::PATH_NIBBLES_MAX;

/// A stored node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeRow {
    /// The height that wrote it.
    pub version: u64,
    /// Its place: the nibbles from the root to it.
    pub path: Vec<u8>,
    /// Its hash, as its parent names it; a root's is the state root.
    pub hash: [u8; 32],
    /// What it is.
    pub kind: NodeKind,
}

/// What a stored node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeKind {
    /// The root of an empty tree.
    Empty,
    /// A key.
    Leaf {
        /// SHA-256 of the key's text.
        key_hash: [u8; 32],
        /// SHA-256 of its value.
        value_hash: [u8; 32],
    },
    /// Up to sixteen children.
    Inner(Vec<Child>),
}

/// A child of a stored node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Child {
    /// Its place under its parent.
    pub nibble: u8,
    /// The height that wrote it.
    pub version: u64,
    /// Its hash.
    pub hash: [u8; 32],
}

/// Reads a row; `None` when key or node are not in the one form in which nodes are stored.
pub fn node_row(key: &[u8], bytes: &[u8]) -> Option<NodeRow> {
    let (version, rest) = key.split_first_chunk::<8>()?;
    let (nibbles, packed) = rest.split_first()?;
    let (version, nibbles) = (u64::from_be_bytes(*version), usize::from(*nibbles));
    if nibbles > PATH_NIBBLES_MAX || packed.len() != nibbles.div_ceil(2) {
        return None;
    }
    let path: Vec<u8> = packed.iter().flat_map(|byte| [byte >> 4, byte & 0x0f]).take(nibbles).collect();
    let node = Node::try_from_slice(bytes).ok()?;
    if node_key(version, &path) != key || borsh::to_vec(&node).ok()? != bytes {
        return None;
    }
    let kind = match &node {
        Node::Null => NodeKind::Empty,
        Node::Leaf(leaf) => {
            let leaf = proof_leaf::<std::convert::Infallible>(leaf).ok()?;
            NodeKind::Leaf { key_hash: *leaf.path.as_bytes(), value_hash: *leaf.value.as_bytes() }
        }
        Node::Internal(inner) => NodeKind::Inner(
            inner
                .children_sorted()
                .map(|(nibble, child)| Child { nibble: nibble.into(), version: child.version, hash: child.hash })
                .collect(),
        ),
    };
    Some(NodeRow { version, path, hash: hash_of(&node), kind })
}

/// The key under which a node is stored.
pub fn row_key(version: u64, path: &[u8]) -> Vec<u8> {
    node_key(version, path)
}

/// Root of a tree of these leaves: SHA-256 of key and of value, in order of the former, none twice.
pub fn root_of(leaves: &[([u8; 32], [u8; 32])]) -> [u8; 32] {
    subtree(leaves, 0)
}

fn subtree(leaves: &[([u8; 32], [u8; 32])], depth: usize) -> [u8; 32] {
    match leaves {
        [] => *super::EMPTY_ROOT.as_bytes(),
        [(path, value)] => super::proof::leaf_hash(path, value),
        _ => {
            let bit = |path: &[u8; 32]| path[depth / 8] & (0x80 >> (depth % 8)) != 0;
            let (left, right) = leaves.split_at(leaves.partition_point(|(path, _)| !bit(path)));
            super::proof::inner_hash(&subtree(left, depth + 1), &subtree(right, depth + 1))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{EMPTY_ROOT, TreeStore, update};
    use crate::{StateKey, WriteSet};
    use testamur_primitives::units::Height;

    struct Nothing;

    impl TreeStore for Nothing {
        type Error = std::convert::Infallible;
        fn node(&self, _: &[u8]) -> Result<Option<Vec<u8>>, Self::Error> {
            Ok(None)
        }
        fn value(&self, _: &[u8; 32], _: u64) -> Result<Option<Vec<u8>>, Self::Error> {
            Ok(None)
        }
    }

    #[test]
    fn rows_of_a_height_lead_from_its_root_to_its_values() {
        let keys: Vec<StateKey> = (1..=200).map(|n| format!("writer/did:key:z{n}/1").parse().unwrap()).collect();
        let writes: WriteSet = keys.iter().map(|key| (key.clone(), key.as_str().as_bytes().to_vec())).collect();
        let made = update(&Nothing, Height(0), EMPTY_ROOT, &writes).unwrap();
        let mut leaves: Vec<_> =
            writes.iter().map(|(key, value)| (key.hash(), testamur_primitives::codec::sha256(&[value]))).collect();
        leaves.sort_unstable();
        assert_eq!(root_of(&leaves), *made.root.as_bytes());
        let rows: Vec<_> = made.nodes.iter().map(|(key, node)| node_row(key, node).expect("its own form")).collect();
        let root = rows.iter().find(|row| row.path.is_empty()).unwrap();
        assert_eq!((root.hash, root.version), (*made.root.as_bytes(), 0));
        let found = rows.iter().filter(|row| matches!(row.kind, NodeKind::Leaf { .. })).count();
        assert_eq!(found, keys.len());
        let (key, node) = &made.nodes[0];
        assert_eq!(node_row(&key[..8], node), None);
        assert_eq!(node_row(key, &node[1..]), None);
        assert_eq!(node_row(key, &[node.as_slice(), &[0]].concat()), None);
    }
}
