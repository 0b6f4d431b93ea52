//! Nodes of the log and of the history tree as they are stored: rows of neighbouring hashes ("tiles").
//!
//! A tile of span *s* at tile level *L* holds up to 2^s neighbouring nodes of tree level *L·s*; the levels between are
//! computed. The log has span 8 and its rows are C2SP hash tiles as they are; the history tree has span 4.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use testamur_primitives::hash::TreeHash;
use testamur_primitives::merkle::{self, Frontier, MerkleError, Nodes};

use crate::db::{Batch, Snapshot};
use crate::error::StoreError;
use crate::limits::{HISTORY_TILE_LEVELS, LOG_TILE_LEVELS};
use crate::schema::{Column, Tree, place, tile_key};

impl Tree {
    /// Tree levels that one tile spans.
    pub(crate) fn span(self) -> u8 {
        match self {
            Self::Log => LOG_TILE_LEVELS,
            Self::History => HISTORY_TILE_LEVELS,
        }
    }
}

/// Level and number of a tile.
type TileId = (u8, u64);

/// The nodes of one tree, read through a snapshot; rows are kept for the life of this value.
pub(crate) struct StoredNodes<'s> {
    snapshot: &'s Snapshot<'s>,
    tree: Tree,
    rows: RefCell<BTreeMap<TileId, Rc<Vec<TreeHash>>>>,
}

impl<'s> StoredNodes<'s> {
    pub(crate) fn new(snapshot: &'s Snapshot<'s>, tree: Tree) -> Self {
        Self { snapshot, tree, rows: RefCell::default() }
    }

    /// The hashes of a tile, as many as are stored.
    pub(crate) fn tile(&self, level: u8, tile: u64) -> Result<Rc<Vec<TreeHash>>, StoreError> {
        if let Some(row) = self.rows.borrow().get(&(level, tile)) {
            return Ok(Rc::clone(row));
        }
        let key = tile_key(self.tree, level, tile);
        let bytes = self.snapshot.get(Column::Tiles, &key)?.unwrap_or_default();
        let hashes: Vec<_> = bytes.chunks_exact(32).filter_map(TreeHash::from_slice).collect();
        if hashes.len() * 32 != bytes.len() || hashes.len() > 1 << self.tree.span() {
            return Err(StoreError::damaged(place(Column::Tiles, &key), "not a row of hashes"));
        }
        let row = Rc::new(hashes);
        self.rows.borrow_mut().insert((level, tile), Rc::clone(&row));
        Ok(row)
    }

    /// Where a node's descendants of the stored level lie: tile, place in it, and how many they are.
    fn locate(&self, level: u8, index: u64) -> Option<(TileId, usize, usize)> {
        let span = self.tree.span();
        let within = level % span;
        let first = index.checked_shl(within.into()).filter(|first| first >> within == index)?;
        let offset = first & ((1 << span) - 1);
        Some(((level / span, first >> span), offset as usize, 1 << within))
    }
}

impl Nodes for StoredNodes<'_> {
    type Error = StoreError;

    fn node(&self, level: u8, index: u64) -> Result<TreeHash, StoreError> {
        let missing = MerkleError::Missing { level, index };
        let ((tile_level, tile), offset, count) = self.locate(level, index).ok_or(missing)?;
        let row = self.tile(tile_level, tile)?;
        let hashes = row.get(offset..offset + count).ok_or(missing)?;
        Ok(subtree_root(hashes))
    }
}

/// Root of a full subtree: `hashes` are a power of two.
pub(crate) fn subtree_root(hashes: &[TreeHash]) -> TreeHash {
    let mut level = hashes.to_vec();
    while level.len() > 1 {
        level = level.chunks_exact(2).map(|pair| merkle::node_hash(pair[0], pair[1])).collect();
    }
    level[0]
}

/// Appends leaves to a stored tree and keeps the changed rows until they are written.
pub(crate) struct TreeAppender<'s> {
    nodes: StoredNodes<'s>,
    frontier: Frontier,
    changed: BTreeSet<TileId>,
}

impl<'s> TreeAppender<'s> {
    /// Starts at the right edge of the stored tree.
    pub(crate) fn new(snapshot: &'s Snapshot<'s>, tree: Tree, frontier: Frontier) -> Self {
        Self { nodes: StoredNodes::new(snapshot, tree), frontier, changed: BTreeSet::new() }
    }

    pub(crate) fn append(&mut self, leaf: TreeHash) -> Result<(), StoreError> {
        let span = self.nodes.tree.span();
        let mut stored = Vec::new();
        self.frontier.append(leaf, |level, index, hash| {
            if level % span == 0 {
                stored.push((level / span, index, hash));
            }
        });
        for (level, index, hash) in stored {
            let (tile, offset) = (index >> span, (index & ((1 << span) - 1)) as usize);
            let mut row = if offset == 0 { Rc::default() } else { self.nodes.tile(level, tile)? };
            if row.len() != offset {
                let place = place(Column::Tiles, &tile_key(self.nodes.tree, level, tile));
                return Err(StoreError::damaged(place, format!("holds {} hashes, expected {offset}", row.len())));
            }
            // The cache's own reference is taken out first, so that the row is extended in place.
            self.nodes.rows.borrow_mut().remove(&(level, tile));
            Rc::make_mut(&mut row).push(hash);
            self.nodes.rows.borrow_mut().insert((level, tile), row);
            self.changed.insert((level, tile));
        }
        Ok(())
    }

    /// Writes the changed rows, after deriving the root from exactly these rows once more: what goes to disk is what
    /// the header commits to (INV-STORE-3).
    pub(crate) fn write(self, batch: &mut Batch<'_>) -> Result<Frontier, StoreError> {
        let derived = merkle::root(&self.nodes, self.frontier.size())?;
        if derived != self.frontier.root() {
            return Err(StoreError::damaged("tree nodes about to be written", "they do not lead to the root"));
        }
        for (level, tile) in &self.changed {
            let row = self.nodes.tile(*level, *tile)?;
            let bytes: Vec<u8> = row.iter().flat_map(|hash| *hash.as_bytes()).collect();
            batch.put(Column::Tiles, &tile_key(self.nodes.tree, *level, *tile), &bytes);
        }
        Ok(self.frontier)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{Access, Database, NodeIdentity};
    use testamur_primitives::hash::GenesisHash;

    /// Stored tiles of both spans, grown in uneven steps, give the nodes and proofs of a tree in memory.
    #[test]
    fn stored_tiles_are_a_tree() {
        let directory = tempfile::tempdir().unwrap();
        let database =
            Database::open(directory.path(), GenesisHash::ZERO, NodeIdentity::Observer, Access::Write).unwrap();
        for tree in [Tree::Log, Tree::History] {
            let mut model = merkle::MemoryTree::default();
            let mut frontier = Frontier::new();
            for step in [0u64, 1, 2, 13, 240, 1, 255, 300, 16] {
                let snapshot = database.snapshot();
                let mut appender = TreeAppender::new(&snapshot, tree, frontier);
                for _ in 0..step {
                    let leaf = merkle::leaf_hash(&model.size().to_be_bytes());
                    model.append(leaf);
                    appender.append(leaf).unwrap();
                }
                let mut batch = database.batch();
                frontier = appender.write(&mut batch).unwrap();
                database.write(batch).unwrap();
                let snapshot = database.snapshot();
                let nodes = StoredNodes::new(&snapshot, tree);
                let size = model.size();
                assert_eq!(merkle::root(&nodes, size).unwrap(), model.root(size).unwrap());
                assert_eq!(Frontier::load(&nodes, size).unwrap(), frontier);
                for index in (0..size).step_by(7) {
                    let path = merkle::inclusion_proof(&nodes, index, size).unwrap();
                    assert_eq!(path, model.inclusion_proof(index, size).unwrap());
                }
                let beyond = nodes.node(0, size);
                assert!(matches!(beyond, Err(StoreError::Damaged { .. })), "{beyond:?}");
                assert!(nodes.node(3, u64::MAX).is_err());
            }
        }
    }

    /// INV-STORE-3: a right edge that is not what the frontier knows is found before anything is written.
    #[test]
    fn a_changed_right_edge_is_never_built_on() {
        let directory = tempfile::tempdir().unwrap();
        let database =
            Database::open(directory.path(), GenesisHash::ZERO, NodeIdentity::Observer, Access::Write).unwrap();
        let grow = |frontier: Frontier, count: u64| -> Result<Frontier, StoreError> {
            let snapshot = database.snapshot();
            let mut appender = TreeAppender::new(&snapshot, Tree::Log, frontier);
            for number in 0..count {
                appender.append(merkle::leaf_hash(&number.to_be_bytes()))?;
            }
            let mut batch = database.batch();
            let frontier = appender.write(&mut batch)?;
            database.write(batch)?;
            Ok(frontier)
        };
        let frontier = grow(Frontier::new(), 100).unwrap();
        let key = tile_key(Tree::Log, 0, 0);
        let row = database.snapshot().get(Column::Tiles, &key).unwrap().unwrap();
        let mut flipped = row.clone();
        flipped[40] ^= 1;
        for bad in [&flipped[..], &row[..32 * 99], &row[..33]] {
            database.overwrite(Column::Tiles, &key, Some(bad)).unwrap();
            assert!(matches!(grow(frontier.clone(), 3), Err(StoreError::Damaged { .. })));
        }
        database.overwrite(Column::Tiles, &key, Some(&row)).unwrap();
        grow(frontier, 3).unwrap();
    }
}
