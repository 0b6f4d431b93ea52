//! The state of a snapshot: its values make the last header's state root, and every row of its tree, of all heights, has the
//! hash that a header or its parent row names.
//!
//! Rows come ascending by key, which is by height: the rows of a height are those that its block wrote, so a row's children
//! are among them or were live before. Memory: for each key about 200 bytes, for each row of the newest tree about 120.

use std::collections::{BTreeMap, HashMap};

use testamur_primitives::codec::{canonical, from_canonical, sha256};
use testamur_primitives::epoch::ValidatorSet;
use testamur_primitives::header::Header;
use testamur_primitives::trust::TrustFile;
use testamur_primitives::units::Height;
use testamur_registry::network::{self, EpochEntry, keys};
use testamur_registry::tree::{NodeKind, NodeRow, node_row, root_of, row_key};
use testamur_registry::{StateKey, StateReader};

use super::ImportError;
use crate::commit::put_epoch;
use crate::db::{Batch, Database, Snapshot};
use crate::error::StoreError;
use crate::index::put_objects;
use crate::ledger::freeze;
use crate::limits::IMPORT_BATCH_BYTES;
use crate::reads;
use crate::schedule::first_height;
use crate::schema::{Column, state_stale_key, state_value_key};

/// The state as it is read.
#[derive(Default)]
pub(super) struct StateImport {
    keys: Vec<Key>,
    last: Option<StateKey>,
    /// Whether the keys are in order of their paths, and their root is the header's.
    is_closed: bool,
    tree: Tree,
}

/// A key of the newest state.
struct Key {
    path: [u8; 32],
    value_hash: [u8; 32],
    key: StateKey,
    /// Height and hash of the newest value among the rows so far.
    newest: Option<(u64, [u8; 32])>,
}

/// The tree as its rows are read.
#[derive(Default)]
struct Tree {
    /// The rows that the height read last has left in force: height and hash, by path.
    live: HashMap<Vec<u8>, (u64, [u8; 32])>,
    /// The rows of the height that is read, by path.
    group: BTreeMap<Vec<u8>, Row>,
    /// Heights that are done.
    heights: u64,
    /// Bytes of rows that wait to be written.
    waiting: Vec<(Column, Vec<u8>, Vec<u8>)>,
    waiting_bytes: usize,
}

struct Row {
    row: NodeRow,
    node: Vec<u8>,
    value: Vec<u8>,
}

impl StateImport {
    /// A value of the newest state.
    pub(super) fn value(&mut self, frame: u64, height: Height, key: &[u8], value: &[u8]) -> Result<(), ImportError> {
        let wrong = |what: &str| ImportError::frame(frame, height, what);
        let text = std::str::from_utf8(key).map_err(|_| wrong("a state key is malformed"))?;
        let key: StateKey = text.parse().map_err(|_| wrong("a state key is malformed"))?;
        if self.last.as_ref().is_some_and(|last| *last >= key) {
            return Err(wrong("state keys are not in order"));
        }
        self.last = Some(key.clone());
        self.keys.push(Key { path: key.hash(), value_hash: sha256(&[value]), key, newest: None });
        Ok(())
    }

    /// A row of the tree.
    pub(super) fn row(
        &mut self,
        database: &Database,
        tip: &Header,
        frame: u64,
        key: &[u8],
        node: Vec<u8>,
        value: Vec<u8>,
    ) -> Result<(), ImportError> {
        let wrong = |what: &str| ImportError::frame(frame, tip.height, what);
        self.close(tip, frame)?;
        let row = node_row(key, &node).ok_or_else(|| wrong("a row of the state's tree is malformed"))?;
        if row.version != self.tree.heights {
            if row.version != self.tree.heights + 1 || row.version > tip.height.0 {
                return Err(wrong("rows of the state's tree are missing or out of order"));
            }
            self.end_height(database, tip, frame)?;
        }
        match self.tree.group.insert(row.path.clone(), Row { row, node, value }) {
            None => Ok(()),
            Some(_) => Err(wrong("a row of the state's tree is there twice")),
        }
    }

    /// The values are all there: they make the state root.
    fn close(&mut self, tip: &Header, frame: u64) -> Result<(), ImportError> {
        if self.is_closed {
            return Ok(());
        }
        self.keys.sort_unstable_by_key(|key| key.path);
        let leaves: Vec<_> = self.keys.iter().map(|key| (key.path, key.value_hash)).collect();
        if root_of(&leaves) != *tip.state_root.as_bytes() {
            return Err(ImportError::frame(
                frame,
                tip.height,
                "the state before it does not make the header's state root",
            ));
        }
        self.is_closed = true;
        Ok(())
    }

    /// Checks the rows of a height from its header's root down, and keeps them to be written.
    fn end_height(&mut self, database: &Database, tip: &Header, frame: u64) -> Result<(), ImportError> {
        let height = self.tree.heights;
        let wrong =
            |what: &str| ImportError::frame(frame, tip.height, format!("the state's tree of height {height}: {what}"));
        let mut group = std::mem::take(&mut self.tree.group);
        let root = reads::known_header(&database.snapshot(), Height(height))?.header.state_root;
        let mut writes: BTreeMap<StateKey, Vec<u8>> = BTreeMap::new();
        let mut open = vec![(Vec::new(), *root.as_bytes())];
        while let Some((path, hash)) = open.pop() {
            let Row { row, node, value } = group.remove(&path).ok_or_else(|| wrong("a row is missing"))?;
            if row.hash != hash {
                return Err(wrong("a row has another hash than is named for it"));
            }
            match &row.kind {
                NodeKind::Empty => {}
                NodeKind::Leaf { key_hash, value_hash } => {
                    self.leaf(height, key_hash, value_hash, value, &mut writes).map_err(wrong)?;
                }
                NodeKind::Inner(children) => {
                    for child in children {
                        let path = [path.as_slice(), &[child.nibble]].concat();
                        if child.version == height {
                            open.push((path, child.hash));
                        } else if self.tree.live.get(&path) != Some(&(child.version, child.hash)) {
                            return Err(wrong("it names a row that is not in force"));
                        }
                    }
                }
            }
            let key = row_key(height, &path);
            if let Some((before, _)) = self.tree.live.insert(path.clone(), (height, row.hash)) {
                self.tree.wait(Column::StateStale, state_stale_key(height, &row_key(before, &path)), Vec::new());
            }
            self.tree.wait(Column::StateNodes, key, node);
        }
        if !group.is_empty() {
            return Err(wrong("it has rows that nothing names"));
        }
        self.tree.heights += 1;
        if !writes.is_empty() || self.tree.waiting_bytes >= IMPORT_BATCH_BYTES {
            let mut batch = self.tree.batch(database);
            put_objects(&database.snapshot(), writes.iter().map(|(key, value)| (key, value.as_slice())), &mut batch)?;
            database.write(batch)?;
        }
        Ok(())
    }

    /// A leaf that a height wrote: with its value, or moved down by a neighbour and with the value that it had.
    fn leaf(
        &mut self,
        height: u64,
        key_hash: &[u8; 32],
        value_hash: &[u8; 32],
        value: Vec<u8>,
        writes: &mut BTreeMap<StateKey, Vec<u8>>,
    ) -> Result<(), &'static str> {
        let place =
            self.keys.binary_search_by_key(key_hash, |key| key.path).map_err(|_| "it has a key without a value")?;
        let key = &mut self.keys[place];
        if value.is_empty() {
            return match key.newest {
                Some((_, hash)) if hash == *value_hash => Ok(()),
                _ => Err("a value is missing"),
            };
        }
        if sha256(&[&value]) != *value_hash {
            return Err("a value has another hash than its row says");
        }
        key.newest = Some((height, *value_hash));
        self.tree.wait(Column::StateValues, state_value_key(key_hash, height).to_vec(), value.clone());
        writes.insert(self.keys[place].key.clone(), value);
        Ok(())
    }

    /// All is read: the last height, the list of keys, the epochs and the certificates that need them.
    pub(super) fn finish(
        mut self,
        database: &Database,
        trust: &TrustFile,
        tip: &Header,
        frame: u64,
    ) -> Result<(), ImportError> {
        if self.keys.is_empty() {
            return Err(ImportError::NoState);
        }
        self.close(tip, frame)?;
        if self.tree.heights != tip.height.0 || self.tree.group.is_empty() {
            return Err(ImportError::frame(frame, tip.height, "rows of the state's tree are missing before it"));
        }
        self.end_height(database, tip, frame)?;
        let mut batch = self.tree.batch(database);
        for key in &self.keys {
            // The newest tree's leaves are the state's: its root is the one that the values made.
            let (height, _) = key.newest.filter(|(_, hash)| *hash == key.value_hash).ok_or_else(|| {
                ImportError::frame(frame, tip.height, format!("the state's tree has no value of {}", key.key))
            })?;
            batch.put(Column::StateKeys, key.key.as_str().as_bytes(), &height.to_be_bytes());
        }
        database.write(batch)?;
        drop(std::mem::take(&mut self.tree));
        let sets = put_epochs(database)?;
        certify(database, trust, tip, &sets)
    }
}

impl Tree {
    fn wait(&mut self, column: Column, key: Vec<u8>, value: Vec<u8>) {
        self.waiting_bytes += key.len() + value.len();
        self.waiting.push((column, key, value));
    }

    /// What waits, to be written.
    fn batch<'d>(&mut self, database: &'d Database) -> Batch<'d> {
        let mut batch = database.batch();
        for (column, key, value) in self.waiting.drain(..) {
            batch.put(column, &key, &value);
        }
        self.waiting_bytes = 0;
        batch
    }
}

/// Writes the rows of all epochs, as the state names them; returns their first heights and sets.
fn put_epochs(database: &Database) -> Result<Vec<(Height, ValidatorSet)>, StoreError> {
    let (snapshot, mut batch, mut sets) = (database.snapshot(), database.batch(), Vec::new());
    let newest = network::epoch(&snapshot)?;
    for seq in 1..=newest.seq {
        let key = keys::epoch().entry(seq);
        let damaged = |what: &str| StoreError::damaged(format!("state {key}"), what);
        let value = StateReader::get(&snapshot, &key)?.ok_or_else(|| damaged("it is missing"))?;
        let entry: EpochEntry = from_canonical(&value).map_err(|error| damaged(&error.to_string()))?;
        let set = network::validator_set(&snapshot, &entry)?;
        put_epoch(&mut batch, entry.epoch, first_height(&entry), &canonical(&set));
        sets.push((first_height(&entry), set));
    }
    database.write(batch)?;
    Ok(sets)
}

/// Verifies the certificates of all epochs but the first, whose were verified as they were read: each by the set that a
/// header before it names, which is certified itself. On all processors.
fn certify(
    database: &Database,
    trust: &TrustFile,
    tip: &Header,
    sets: &[(Height, ValidatorSet)],
) -> Result<(), ImportError> {
    let Some(first) = sets.get(1).map(|(first, _)| first.0).filter(|first| *first <= tip.height.0) else {
        return Ok(());
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let share = (tip.height.0 - first + 1).div_ceil(threads);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|worker| {
                let from = first + worker * share;
                let heights = from..(from + share).min(tip.height.0 + 1);
                scope.spawn(move || {
                    let snapshot = database.snapshot();
                    for height in heights {
                        certify_one(database, &snapshot, trust, sets, Height(height))?;
                    }
                    Ok(())
                })
            })
            .collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("verification does not panic"))
    })
}

fn certify_one(
    database: &Database,
    snapshot: &Snapshot<'_>,
    trust: &TrustFile,
    sets: &[(Height, ValidatorSet)],
    height: Height,
) -> Result<(), ImportError> {
    let wrong = |what: String| ImportError::Certificate { height, what };
    let header = reads::known_header(snapshot, height)?;
    let epoch = usize::try_from(header.header.epoch.0).unwrap_or(usize::MAX);
    let set = sets.get(epoch).filter(|(first, _)| *first <= height).map(|(_, set)| set);
    let set = set.ok_or_else(|| wrong("the state knows no such epoch".into()))?;
    if set.hash() != header.header.validators_hash {
        return Err(wrong("the state names another set than the header".into()));
    }
    let note = reads::certificate(snapshot, &header).map_err(|error| wrong(error.to_string()))?;
    let note = note.ok_or_else(|| wrong("it has no certificate".into()))?;
    let frozen = freeze(trust.origin(), &header.header, &note, None, set).map_err(|error| wrong(error.to_string()))?;
    if frozen != note {
        let mut batch = database.batch();
        batch.put(Column::Certificates, &height.0.to_be_bytes(), frozen.to_string().as_bytes());
        database.write(batch)?;
    }
    Ok(())
}
