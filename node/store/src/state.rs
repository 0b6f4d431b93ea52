//! The registry's state: the nodes and values of the tree that proves it.
//!
//! Blocks are executed on values proven under the parent's state root (`TreeState`), so that what a disk or memory has
//! changed is never executed on. Other reads take the newest value and believe its seal: twenty times cheaper.

use std::collections::BTreeMap;

use testamur_primitives::units::Height;
use testamur_registry::tree::{TreeError, TreeStore, TreeUpdate};
use testamur_registry::{StateError, StateKey, StateReader, WriteSet};

use crate::db::{Batch, Snapshot};
use crate::error::StoreError;
use crate::schema::{Column, number, place, state_stale_key, state_value_key};

impl StateReader for Snapshot<'_> {
    type Error = StoreError;
    const SEALED: bool = true;

    /// The newest value, by two point reads: `state-keys` says which height wrote it.
    fn get(&self, key: &StateKey) -> Result<Option<Vec<u8>>, StoreError> {
        let text = key.as_str().as_bytes();
        let Some(row) = Snapshot::get(self, Column::StateKeys, text)? else { return Ok(None) };
        let damaged = |what| StoreError::damaged(place(Column::StateKeys, text), what);
        let version = number(&row).filter(|_| row.len() == 8).ok_or_else(|| damaged("malformed row"))?;
        let value = Snapshot::get(self, Column::StateValues, &state_value_key(&key.hash(), version))?;
        value.map(Some).ok_or_else(|| damaged("the value that it names is missing"))
    }
}

impl TreeStore for Snapshot<'_> {
    type Error = StoreError;

    fn node(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Snapshot::get(self, Column::StateNodes, key)
    }

    fn value(&self, key_hash: &[u8; 32], max_version: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let newest = state_value_key(key_hash, max_version);
        Ok(self.floor(Column::StateValues, key_hash, &newest)?.map(|(_, value)| value))
    }
}

/// Adds a height's writes to a batch. What is read by its seal alone is compared with them as it is written (INV-STORE-3).
pub(crate) fn put(
    batch: &mut Batch<'_>,
    height: Height,
    writes: &WriteSet,
    tree: &TreeUpdate,
) -> Result<(), StoreError> {
    let changed =
        || StoreError::damaged(format!("state of height {height} in memory"), "it has changed since its root");
    let same = |one: &[u8], other: &[u8]| if one == other { Ok(()) } else { Err(changed()) };
    let mut values = BTreeMap::new();
    for (key, value) in writes.iter() {
        let (name, version) = (key.as_str().as_bytes(), height.0.to_be_bytes());
        batch.put_checked(Column::StateKeys, name, &version, |version| same(version, &height.0.to_be_bytes()))?;
        values.insert(key.hash(), value);
    }
    for (key, node) in &tree.nodes {
        batch.put(Column::StateNodes, key, node);
    }
    for (key_hash, version, value) in &tree.values {
        let expected = values.get(key_hash).filter(|_| *version == height.0).ok_or_else(changed)?;
        let key = state_value_key(key_hash, *version);
        batch.put_checked(Column::StateValues, &key, value, |value| same(value, expected))?;
    }
    if values.len() != tree.values.len() {
        return Err(changed());
    }
    for (since, key) in &tree.stale {
        batch.put(Column::StateStale, &state_stale_key(*since, key), &[]);
    }
    Ok(())
}

impl From<StateError<StoreError>> for StoreError {
    fn from(error: StateError<StoreError>) -> Self {
        match error {
            StateError::Store(error) => error,
            StateError::Damaged { key, reason } => Self::damaged(format!("state {key}"), reason),
        }
    }
}

impl From<StateError<TreeError<StoreError>>> for StoreError {
    fn from(error: StateError<TreeError<StoreError>>) -> Self {
        match error {
            StateError::Store(error) => error.into(),
            StateError::Damaged { key, reason } => Self::damaged(format!("state {key}"), reason),
        }
    }
}

impl From<TreeError<StoreError>> for StoreError {
    fn from(error: TreeError<StoreError>) -> Self {
        match error {
            TreeError::Store(error) => error,
            TreeError::NoRoot(height) => Self::damaged(format!("state tree, height {height}"), "its root is missing"),
            TreeError::Damaged(reason) => Self::damaged("state tree", reason),
        }
    }
}
