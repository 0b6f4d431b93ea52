//! State for execution: every value proven under the parent's state root, and remembered while that root stands.
//!
//! Walking the tree for each record of a block costs twenty times a plain read, and most records ask for the same few
//! roles. Notarising changes no state, so one root stands for thousands of blocks. What is remembered was proven under
//! this very root in this process; another root forgets it all.

use std::collections::BTreeMap;
use std::sync::Mutex;

use testamur_primitives::hash::StateRoot;
use testamur_registry::tree::{TreeError, TreeState};
use testamur_registry::{StateKey, StateReader};

use crate::db::Snapshot;
use crate::error::StoreError;
use crate::limits::PROVEN_VALUES_MAX;

/// Values proven under one state root.
#[derive(Debug, Default)]
pub(crate) struct ProvenValues(Mutex<Remembered>);

#[derive(Debug, Default)]
struct Remembered {
    root: StateRoot,
    values: BTreeMap<StateKey, Option<Vec<u8>>>,
}

impl ProvenValues {
    fn get(&self, root: StateRoot, key: &StateKey) -> Option<Option<Vec<u8>>> {
        let remembered = self.0.lock().expect("nothing panics under this lock");
        remembered.values.get(key).filter(|_| remembered.root == root).cloned()
    }

    fn put(&self, root: StateRoot, key: &StateKey, value: Option<Vec<u8>>) {
        let mut remembered = self.0.lock().expect("nothing panics under this lock");
        if remembered.root != root || remembered.values.len() >= PROVEN_VALUES_MAX {
            *remembered = Remembered { root, values: BTreeMap::new() };
        }
        remembered.values.insert(key.clone(), value);
    }
}

/// The state under one root, read through what is remembered.
pub(crate) struct ProvenState<'a> {
    pub(crate) tree: TreeState<'a, Snapshot<'a>>,
    pub(crate) root: StateRoot,
    pub(crate) values: &'a ProvenValues,
}

impl StateReader for ProvenState<'_> {
    type Error = TreeError<StoreError>;
    const SEALED: bool = true;

    fn get(&self, key: &StateKey) -> Result<Option<Vec<u8>>, Self::Error> {
        if let Some(value) = self.values.get(self.root, key) {
            return Ok(value);
        }
        let value = self.tree.get(key)?;
        self.values.put(self.root, key, value.clone());
        Ok(value)
    }
}
