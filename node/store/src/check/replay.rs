//! The state machine once more, on a state in memory.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::convert::Infallible;

use testamur_primitives::did::Did;
use testamur_primitives::genesis::Genesis;
use testamur_primitives::hash::{RecordId, StateRoot};
use testamur_primitives::header::Header;
use testamur_primitives::record::Reference;
use testamur_primitives::units::{Height, UnixTime};
use testamur_registry::tree::{EMPTY_ROOT, TreeStore, update};
use testamur_registry::{ApplyError, BlockContext, CheckedRecord, Execution, ReplayWindow, StateKey, WriteSet};

use crate::check::CheckReport;
use crate::check::columns::Counts;
use crate::check::uses::Uses;
use crate::db::Snapshot;
use crate::error::StoreError;
use crate::index::{Lists, object_rows};
use crate::schema::{Column, place, reference_key, state_stale_key, state_value_key};
use crate::window::in_window;

/// State, newest tree and replay window after the last block.
#[derive(Default)]
pub(crate) struct Replay {
    state: BTreeMap<StateKey, Vec<u8>>,
    /// The height that wrote each key's newest value.
    heights: BTreeMap<StateKey, Height>,
    lists: MemoryLists,
    uses: Uses,
    nodes: Nodes,
    root: Option<StateRoot>,
    window: MemoryWindow,
}

#[derive(Default)]
struct Nodes(BTreeMap<Vec<u8>, Vec<u8>>);

impl TreeStore for Nodes {
    type Error = Infallible;

    fn node(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Infallible> {
        Ok(self.0.get(key).cloned())
    }

    /// Updating a tree reads no values.
    fn value(&self, _: &[u8; 32], _: u64) -> Result<Option<Vec<u8>>, Infallible> {
        Ok(None)
    }
}

/// The lists of objects so far.
#[derive(Default)]
struct MemoryLists {
    ids: BTreeSet<Vec<u8>>,
    totals: BTreeMap<Vec<u8>, u64>,
}

impl Lists for MemoryLists {
    fn holds(&self, id_key: &[u8]) -> Result<bool, StoreError> {
        Ok(self.ids.contains(id_key))
    }

    fn total(&self, prefix: &[u8]) -> Result<u64, StoreError> {
        Ok(self.totals.get(prefix).copied().unwrap_or(0))
    }
}

impl Replay {
    /// The state after the last block.
    pub(crate) fn state(&self) -> &BTreeMap<StateKey, Vec<u8>> {
        &self.state
    }

    /// What a block's records write; the inner error says which record must not be there.
    pub(crate) fn execute(
        &mut self,
        parent: &Header,
        header: &Header,
        protocol: u32,
        records: &[&CheckedRecord],
    ) -> Result<Result<WriteSet, String>, StoreError> {
        let (height, time) = (header.height, header.time);
        let context = BlockContext { genesis: parent.genesis, protocol, height, time };
        self.window.now = time;
        let mut execution = Execution::new(&self.state, &self.window, context)?;
        for (index, record) in records.iter().enumerate() {
            match execution.apply(record) {
                Ok(_) => {}
                Err(ApplyError::Rejected(rejection)) => {
                    let id = record.record().id();
                    return Ok(Err(format!(
                        "record {index} of the block ({id}) should have been refused: {rejection}"
                    )));
                }
                Err(ApplyError::State(error)) => return Ok(Err(error.to_string())),
            }
        }
        let writes = execution.finish();
        for record in records {
            self.window.insert(record);
        }
        Ok(Ok(writes))
    }

    /// Applies a height's writes, compares the rows they make, and returns the state root.
    pub(crate) fn apply(
        &mut self,
        height: Height,
        writes: &WriteSet,
        snapshot: &Snapshot<'_>,
        counts: &mut Counts,
        report: &mut CheckReport,
    ) -> Result<StateRoot, StoreError> {
        let parent = self.root.unwrap_or(EMPTY_ROOT);
        let tree = update(&self.nodes, height, parent, writes).map_err(|error| {
            StoreError::damaged(format!("state tree of height {height} in memory"), error.to_string())
        })?;
        let mut expect = |column: Column, key: &[u8], value: &[u8]| -> Result<(), StoreError> {
            counts.add(column, 1);
            let row = snapshot.get(column, key);
            match report.note(row)? {
                Some(None) => report.add(place(column, key), "the row is missing"),
                Some(Some(row)) if row != value => report.add(place(column, key), "the row has another value"),
                _ => {}
            }
            Ok(())
        };
        for (key, node) in &tree.nodes {
            expect(Column::StateNodes, key, node)?;
        }
        for (key_hash, version, value) in &tree.values {
            expect(Column::StateValues, &state_value_key(key_hash, *version), value)?;
        }
        for (since, key) in &tree.stale {
            expect(Column::StateStale, &state_stale_key(*since, key), &[])?;
        }
        for row in object_rows(&self.lists, writes.iter())? {
            expect(Column::Objects, &row.key(), row.id.as_bytes())?;
            expect(Column::ObjectIds, &row.id_key(), &row.ordinal.to_be_bytes())?;
            self.lists.ids.insert(row.id_key());
            self.lists.totals.insert(row.prefix, row.ordinal + 1);
        }
        self.heights.extend(writes.iter().map(|(key, _)| (key.clone(), height)));
        self.nodes.0.extend(tree.nodes);
        for (_, key) in &tree.stale {
            self.nodes.0.remove(key);
        }
        writes.apply_to(&mut self.state);
        self.root = Some(tree.root);
        Ok(tree.root)
    }

    /// What a block, whose writes were applied, changes in the uses of attachments.
    pub(crate) fn use_attachments(
        &mut self,
        genesis: &Genesis,
        header: &Header,
        records: &[&CheckedRecord],
    ) -> Result<(), StoreError> {
        self.uses.apply(genesis, header, records, &self.state)
    }

    /// Compares the list of keys, and the attachments.
    pub(crate) fn finish(
        self,
        snapshot: &Snapshot<'_>,
        counts: &mut Counts,
        report: &mut CheckReport,
    ) -> Result<(), StoreError> {
        for (key, height) in &self.heights {
            counts.add(Column::StateKeys, 1);
            let row = snapshot.get(Column::StateKeys, key.as_str().as_bytes());
            let what = match report.note(row)? {
                Some(None) => "the row is missing",
                Some(Some(row)) if row != height.0.to_be_bytes() => "it names another height than the newest value's",
                _ => continue,
            };
            report.add(place(Column::StateKeys, key.as_str().as_bytes()), what);
        }
        self.uses.finish(snapshot, counts, report)
    }
}

/// The records of one replay window, by the first 16 bytes of their hashes.
#[derive(Default)]
struct MemoryWindow {
    now: UnixTime,
    times: HashMap<[u8; 16], UnixTime>,
    order: VecDeque<(UnixTime, [u8; 16])>,
}

impl MemoryWindow {
    fn insert(&mut self, record: &CheckedRecord) {
        let record = record.record();
        for key in [short(&record.id()), reference_key(record.author(), &record.payload().jti)] {
            self.times.insert(key, self.now);
            self.order.push_back((self.now, key));
        }
        while let Some((time, key)) = self.order.front().copied() {
            if in_window(time, self.now) {
                break;
            }
            self.order.pop_front();
            if self.times.get(&key) == Some(&time) {
                self.times.remove(&key);
            }
        }
    }

    fn contains(&self, key: &[u8; 16]) -> bool {
        self.times.get(key).is_some_and(|time| in_window(*time, self.now))
    }
}

impl ReplayWindow for MemoryWindow {
    type Error = Infallible;

    fn contains_id(&self, id: &RecordId) -> Result<bool, Infallible> {
        Ok(self.contains(&short(id)))
    }

    fn contains_jti(&self, author: &Did, jti: &Reference) -> Result<bool, Infallible> {
        Ok(self.contains(&reference_key(author, jti)))
    }
}

fn short(id: &RecordId) -> [u8; 16] {
    id.as_bytes()[..16].try_into().expect("16 of 32 bytes")
}
