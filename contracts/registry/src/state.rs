//! What a block writes: the overlay that collects it. Keys, values and how they are read are the primitives' `state`.

use core::cell::RefCell;
use std::collections::BTreeMap;

use testamur_primitives::codec;
pub use testamur_primitives::state::{
    Entry, MalformedKey, StateError, StateKey, StateObject, StateReader, TimedEntry, damaged, entry, entry_at,
    entry_before_head, genesis_head, head,
};

/// What a block writes: heads and new entries, in order of key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WriteSet(BTreeMap<StateKey, Vec<u8>>);

impl FromIterator<(StateKey, Vec<u8>)> for WriteSet {
    /// Of a key that comes twice the last value counts.
    fn from_iter<I: IntoIterator<Item = (StateKey, Vec<u8>)>>(writes: I) -> Self {
        Self(writes.into_iter().collect())
    }
}

impl WriteSet {
    /// The writes in order of key.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&StateKey, &[u8])> + Clone {
        self.0.iter().map(|(key, value)| (key, value.as_slice()))
    }

    /// The value written for a key.
    pub fn get(&self, key: &StateKey) -> Option<&[u8]> {
        self.0.get(key).map(Vec::as_slice)
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing is written.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Applies the writes to a state in memory.
    pub fn apply_to(&self, state: &mut BTreeMap<StateKey, Vec<u8>>) {
        state.extend(self.0.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
}

/// A state with the writes of a block over it. Reads are remembered for the block's life: thousands of records ask
/// for the roles of a few authors.
pub(crate) struct Overlay<'a, S: StateReader> {
    base: &'a S,
    block: WriteSet,
    record: BTreeMap<StateKey, Vec<u8>>,
    read: RefCell<BTreeMap<StateKey, Option<Vec<u8>>>>,
}

impl<S: StateReader> StateReader for Overlay<'_, S> {
    type Error = S::Error;
    const SEALED: bool = S::SEALED;

    fn get(&self, key: &StateKey) -> Result<Option<Vec<u8>>, S::Error> {
        if let Some(value) = self.record.get(key).or_else(|| self.block.0.get(key)) {
            return Ok(Some(value.clone()));
        }
        if let Some(value) = self.read.borrow().get(key) {
            return Ok(value.clone());
        }
        let value = self.base.get(key)?;
        self.read.borrow_mut().insert(key.clone(), value.clone());
        Ok(value)
    }
}

impl<'a, S: StateReader> Overlay<'a, S> {
    pub(crate) fn new(base: &'a S) -> Self {
        Self { base, block: WriteSet::default(), record: BTreeMap::new(), read: RefCell::default() }
    }

    /// Adds an entry to an object and replaces its head.
    pub(crate) fn append<T: Entry>(
        &mut self,
        object: &StateObject,
        make: impl FnOnce(u64) -> T,
    ) -> Result<(), StateError<S::Error>> {
        let seq = head::<T, _>(self, object)?.map_or(1, |newest| newest.seq() + 1);
        let key = object.entry(seq);
        // INV-STATE-1: an entry is never overwritten.
        if self.get(&key).map_err(StateError::Store)?.is_some() {
            return Err(damaged(key, "exists, though the head is older"));
        }
        let value = make(seq);
        assert_eq!(value.seq(), seq, "INV-STATE-2: entries are numbered without gaps");
        let bytes = codec::canonical(&value);
        self.record.insert(key, bytes.clone());
        self.record.insert(object.head(), bytes);
        Ok(())
    }

    /// Keeps what the current record wrote.
    pub(crate) fn keep(&mut self) {
        self.block.0.append(&mut self.record);
    }

    /// Forgets what the current record wrote.
    pub(crate) fn undo(&mut self) {
        self.record.clear();
    }

    /// The writes of the block.
    pub(crate) fn into_writes(self) -> WriteSet {
        assert!(self.record.is_empty(), "every record is kept or undone");
        self.block
    }
}
