//! The entries and the tiles of the trees, walked once from the start.

use std::collections::BTreeMap;
use std::rc::Rc;

use testamur_primitives::block::split_entry;
use testamur_primitives::hash::TreeHash;
use testamur_primitives::merkle::{self, Frontier, Nodes as _};
use testamur_primitives::units::{Height, LogIndex};

use crate::check::CheckReport;
use crate::check::columns::Counts;
use crate::db::{Scan, Snapshot};
use crate::error::StoreError;
use crate::reads;
use crate::schema::{Column, Meta, Tree, number, place, tile_key};
use crate::tree::{StoredNodes, subtree_root};

/// The rows of `entries` in order, taken apart without belief in their leaf hashes.
pub(crate) struct EntryWalk<'s> {
    rows: Scan<'s>,
    row: Option<Row>,
    read: u64,
}

struct Row {
    first: u64,
    height: u64,
    rest: Vec<u8>,
    /// Place of the first entry of `rest`.
    next: u64,
    at: String,
}

impl<'s> EntryWalk<'s> {
    pub(crate) fn new(snapshot: &'s Snapshot<'s>) -> Self {
        Self { rows: snapshot.scan(Column::Entries, &[], &[]), row: None, read: 0 }
    }

    /// The bytes at a place; none, with a finding, when they are not there.
    pub(crate) fn next(
        &mut self,
        index: LogIndex,
        height: Height,
        report: &mut CheckReport,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        loop {
            let Some(row) = &mut self.row else {
                if !self.advance(report)? {
                    report.add(format!("entries {index}"), "the entry is missing");
                    return Ok(None);
                }
                continue;
            };
            if row.next > index.0 {
                report.add(format!("entries {index}"), "the entry is missing");
                return Ok(None);
            }
            if row.rest.is_empty() {
                self.row = None;
                continue;
            }
            let Some((entry, after)) = split_entry(&row.rest) else {
                report.add(row.at.clone(), "lengths do not fit");
                self.row = None;
                continue;
            };
            let (entry, after, at) = (entry.to_vec(), after.to_vec(), row.next);
            if row.first == at && row.height != height.0 && at == index.0 {
                report.add(row.at.clone(), format!("it names height {}, expected {height}", row.height));
            }
            (row.rest, row.next) = (after, at + 1);
            if at == index.0 {
                return Ok(Some(entry));
            }
            report.add(format!("entries {at}"), "the entry is there twice");
        }
    }

    /// Reports what lies beyond the log, and returns how many rows were read.
    pub(crate) fn finish(&self, report: &mut CheckReport) -> u64 {
        if self.row.as_ref().is_some_and(|row| !row.rest.is_empty()) {
            report.add("entries", "entries beyond the log's size");
        }
        self.read
    }

    fn advance(&mut self, report: &mut CheckReport) -> Result<bool, StoreError> {
        let Some(row) = self.rows.next() else { return Ok(false) };
        self.read += 1;
        let Some((key, value)) = report.note(row)? else { return Ok(false) };
        let at = place(Column::Entries, &key);
        match (number(&key), value.split_first_chunk::<8>()) {
            (Some(first), Some((height, rest))) if key.len() == 8 => {
                let height = u64::from_be_bytes(*height);
                self.row = Some(Row { first, height, rest: rest.to_vec(), next: first, at });
            }
            _ => report.add(at, "malformed row"),
        }
        Ok(true)
    }
}

/// Derives a tree leaf by leaf and compares its tiles with the stored ones.
pub(crate) struct TileCheck<'s> {
    snapshot: &'s Snapshot<'s>,
    tree: Tree,
    frontier: Frontier,
    /// The tile at the right edge of each tile level.
    edge: BTreeMap<u8, Vec<TreeHash>>,
    /// The stored leaf tile read last.
    stored: Option<(u64, Rc<Vec<TreeHash>>)>,
    rows: u64,
    lost: bool,
}

impl<'s> TileCheck<'s> {
    pub(crate) fn new(snapshot: &'s Snapshot<'s>, tree: Tree) -> Self {
        Self { snapshot, tree, frontier: Frontier::new(), edge: BTreeMap::new(), stored: None, rows: 0, lost: false }
    }

    pub(crate) fn size(&self) -> u64 {
        self.frontier.size()
    }

    pub(crate) fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    /// A leaf is missing: from here on the tree is not known.
    pub(crate) fn lose(&mut self) {
        self.lost = true;
    }

    /// Appends a leaf derived from bytes, or the stored one where there are no bytes. Where both are there and
    /// differ, the tile decides: if it leads to the node above it, the bytes are wrong, and `false` is returned.
    pub(crate) fn append_or_stored(
        &mut self,
        derived: Option<TreeHash>,
        report: &mut CheckReport,
    ) -> Result<bool, StoreError> {
        let span = self.tree.span();
        let (tile, offset) = (self.size() >> span, (self.size() & ((1 << span) - 1)) as usize);
        let nodes = StoredNodes::new(self.snapshot, self.tree);
        if self.stored.as_ref().is_none_or(|(last, _)| *last != tile) {
            let row = report.note(nodes.tile(0, tile))?.unwrap_or_default();
            self.stored = Some((tile, row));
        }
        let stored = self.stored.as_ref().and_then(|(_, row)| row.get(offset).copied());
        let (leaf, agrees) = match (derived, stored) {
            (Some(derived), Some(stored)) if derived != stored && self.is_sound(&nodes, tile)? => (stored, false),
            // If the two differ, the tile is wrong; it is reported when it is compared as a whole.
            (Some(derived), _) => (derived, true),
            (None, Some(stored)) => (stored, true),
            (None, None) => {
                self.lose();
                (TreeHash::ZERO, true)
            }
        };
        self.append(leaf, report)?;
        Ok(agrees)
    }

    pub(crate) fn append(&mut self, leaf: TreeHash, report: &mut CheckReport) -> Result<(), StoreError> {
        let span = self.tree.span();
        let mut full = Vec::new();
        self.frontier.append(leaf, |level, index, hash| {
            if level % span == 0 {
                full.push((level / span, index, hash));
            }
        });
        for (level, index, hash) in full {
            let row = self.edge.entry(level).or_default();
            row.push(hash);
            if row.len() == 1 << span {
                let row = std::mem::take(row);
                self.compare(level, index >> span, &row, report)?;
            }
        }
        Ok(())
    }

    /// Compares the right edge.
    pub(crate) fn finish(&mut self, counts: &mut Counts, report: &mut CheckReport) -> Result<(), StoreError> {
        for (level, row) in std::mem::take(&mut self.edge) {
            if !row.is_empty() {
                let span = self.tree.span();
                let nodes = self.size() >> (level * span);
                self.compare(level, (nodes - 1) >> span, &row, report)?;
            }
        }
        counts.add(Column::Tiles, self.rows);
        if self.lost {
            counts.lose(Column::Tiles);
        }
        Ok(())
    }

    fn compare(&mut self, level: u8, tile: u64, row: &[TreeHash], report: &mut CheckReport) -> Result<(), StoreError> {
        self.rows += 1;
        if self.lost {
            return Ok(());
        }
        let stored = StoredNodes::new(self.snapshot, self.tree).tile(level, tile);
        if let Some(stored) = report.note(stored)?
            && stored[..] != *row
        {
            let at = place(Column::Tiles, &tile_key(self.tree, level, tile));
            let what = match stored.iter().zip(row).position(|(a, b)| a != b) {
                Some(position) => format!("hash {position} of the tile is not what the leaves make"),
                None => format!("the tile holds {} hashes, expected {}", stored.len(), row.len()),
            };
            report.add(at, what);
        }
        Ok(())
    }

    /// Whether a stored leaf tile leads to the node above it, or at the right edge to the newest header's root.
    fn is_sound(&self, nodes: &StoredNodes<'_>, tile: u64) -> Result<bool, StoreError> {
        let span = self.tree.span();
        let row = nodes.tile(0, tile)?;
        let sound = if row.len() == 1 << span {
            nodes.node(span, tile).map(|above| above == subtree_root(&row))
        } else {
            newest_log(self.snapshot).and_then(|(size, root)| Ok(merkle::root(nodes, size)? == root))
        };
        match sound {
            Err(StoreError::Damaged { .. }) => Ok(false),
            sound => sound,
        }
    }
}

/// Size and root of the log as the newest header has them.
fn newest_log(snapshot: &Snapshot<'_>) -> Result<(u64, TreeHash), StoreError> {
    let row = snapshot.get(Column::Meta, Meta::TIP)?.unwrap_or_default();
    let height = number(&row).ok_or_else(|| StoreError::damaged("tip", "malformed row"))?;
    let header = reads::known_header(snapshot, Height(height))?.header;
    Ok((header.log_size.0, header.log_root))
}
