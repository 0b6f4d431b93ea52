//! State keys, values and write sets.
//!
//! The state is a map from text to RFC 8785 JSON. History is in the keys: an object `kind/id` has numbered entries
//! `kind/id/1`, `kind/id/2`, … and `kind/id/head`, which holds the same bytes as the newest entry. Entries are written
//! once and heads replaced; nothing is deleted. So "as of T" is proven against the newest root, by the entry that was
//! in force and either its successor or the head.
//!
//! - INV-STATE-1: an entry is never overwritten.
//! - INV-STATE-2: the head's bytes are those of the newest entry, and entries are numbered without gaps from 1.

pub mod evidence;
pub mod proof;

use core::convert::Infallible;
use core::fmt;
use core::str::FromStr;
use std::collections::BTreeMap;

use crate::codec::{self, sha256};
use crate::units::UnixTime;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A key of the state: `kind/id/seq` or `kind/id/head`. Spelled only by the `keys` module of each contract.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StateKey(String);

impl StateKey {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// SHA-256 of the text: the key's place in the state tree.
    pub fn hash(&self) -> [u8; 32] {
        sha256(&[self.0.as_bytes()])
    }
}

impl fmt::Display for StateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for StateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that is not a state key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a state key is kind/id/head or kind/id/<number from 1>")]
pub struct MalformedKey;

impl FromStr for StateKey {
    type Err = MalformedKey;

    fn from_str(text: &str) -> Result<Self, MalformedKey> {
        let parts: Vec<_> = text.split('/').collect();
        let [kind, id, place] = parts.as_slice() else { return Err(MalformedKey) };
        let kind_ok = !kind.is_empty() && kind.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
        let id_ok = !id.is_empty() && id.bytes().all(|b| b.is_ascii_graphic());
        let place_ok = *place == "head" || codec::from_decimal(place).is_ok_and(|seq| seq > 0);
        if kind_ok && id_ok && place_ok { Ok(Self(text.to_owned())) } else { Err(MalformedKey) }
    }
}

/// An object of the state, `kind/id`: a head and numbered entries.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StateObject(String);

impl StateObject {
    /// Names an object. `id` holds no slash: it is a DID, a hexadecimal hash, a key name or the word `network`.
    ///
    /// # Panics
    /// When the id is empty or holds a slash.
    pub fn new(kind: &'static str, id: &str) -> Self {
        assert!(!id.is_empty() && !id.contains('/'), "an id would change the shape of a state key");
        Self(format!("{kind}/{id}"))
    }

    /// Key of the newest entry's copy.
    pub fn head(&self) -> StateKey {
        StateKey(format!("{}/head", self.0))
    }

    /// Key of an entry; entries count from 1.
    pub fn entry(&self, seq: u64) -> StateKey {
        StateKey(format!("{}/{seq}", self.0))
    }
}

/// Where the state is read from: one snapshot, unchanged while it is used.
pub trait StateReader {
    /// Error of the source.
    type Error;

    /// Whether every value was written by the rules and has been sealed since, as in a node's own store: reading it then does
    /// not ask again whether it is in its one form, which costs more than all else of a read. Never for what others sent.
    const SEALED: bool = false;

    /// The value of a key.
    fn get(&self, key: &StateKey) -> Result<Option<Vec<u8>>, Self::Error>;
}

impl StateReader for BTreeMap<StateKey, Vec<u8>> {
    type Error = Infallible;

    fn get(&self, key: &StateKey) -> Result<Option<Vec<u8>>, Infallible> {
        Ok(BTreeMap::get(self, key).cloned())
    }
}

/// The state could not be read, or is not what this crate wrote. Always local and fatal: never a verdict on a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError<E> {
    /// The source failed.
    #[error("cannot read the state: {0}")]
    Store(E),
    /// A value is not one that the rules can have written.
    #[error("the state is damaged at {key}: {reason}")]
    Damaged {
        /// Where.
        key: StateKey,
        /// What is wrong.
        reason: String,
    },
}

impl<E> StateError<E> {
    /// Whether the node must stop: always. Going on would sign what nobody else sees.
    pub fn is_fatal(&self) -> bool {
        true
    }
}

/// A typed value with history. Members `v` and `seq` come first in every value.
pub trait Entry: Serialize + DeserializeOwned {
    /// Format version of the value.
    fn v(&self) -> u8;
    /// Its number.
    fn seq(&self) -> u64;
}

/// Implements [`state::Entry`](crate::state::Entry) for types with members `v` and `seq`.
#[macro_export]
macro_rules! entries {
    ($($name:ident),*) => {$(
        impl $crate::state::Entry for $name {
            fn v(&self) -> u8 {
                self.v
            }
            fn seq(&self) -> u64 {
                self.seq
            }
        }
    )*};
}

/// Reads the newest entry of an object.
pub fn head<T: Entry, R: StateReader>(reader: &R, object: &StateObject) -> Result<Option<T>, StateError<R::Error>> {
    read(reader, object.head())
}

/// Reads one entry of an object. What `seq` says is checked against the key (INV-STATE-2).
pub fn entry<T: Entry, R: StateReader>(
    reader: &R,
    object: &StateObject,
    seq: u64,
) -> Result<Option<T>, StateError<R::Error>> {
    let key = object.entry(seq);
    let found: Option<T> = read(reader, key.clone())?;
    match found {
        Some(value) if value.seq() != seq => {
            Err(StateError::Damaged { key, reason: format!("holds entry {}", value.seq()) })
        }
        found => Ok(found),
    }
}

/// Reads an entry that must exist because a later one does.
pub fn entry_before_head<T: Entry, R: StateReader>(
    reader: &R,
    object: &StateObject,
    seq: u64,
) -> Result<T, StateError<R::Error>> {
    entry(reader, object, seq)?.ok_or_else(|| damaged(object.entry(seq), "is missing, though a later entry exists"))
}

/// Reads the newest entry of an object that genesis wrote.
pub fn genesis_head<T: Entry, R: StateReader>(reader: &R, object: &StateObject) -> Result<T, StateError<R::Error>> {
    head(reader, object)?.ok_or_else(|| damaged(object.head(), "is missing, though genesis wrote it"))
}

/// The error for a value that the rules cannot have written.
pub fn damaged<E>(key: StateKey, reason: &str) -> StateError<E> {
    StateError::Damaged { key, reason: reason.to_owned() }
}

fn read<T: Entry, R: StateReader>(reader: &R, key: StateKey) -> Result<Option<T>, StateError<R::Error>> {
    let Some(bytes) = reader.get(&key).map_err(StateError::Store)? else { return Ok(None) };
    let read = if R::SEALED { codec::from_strict(&bytes) } else { codec::from_canonical(&bytes) };
    let value: T = match read {
        Ok(value) => value,
        Err(error) => return Err(StateError::Damaged { key, reason: error.to_string() }),
    };
    if value.v() != 1 || value.seq() == 0 {
        return Err(StateError::Damaged { key, reason: "unknown version or entry number".into() });
    }
    Ok(Some(value))
}

/// An entry that says when it was written, so that the one in force at a time can be found.
pub trait TimedEntry: Entry {
    /// Time of the block that wrote it.
    fn time(&self) -> UnixTime;
}

/// Reads the entry that was in force at a time: the newest whose block is not later. The search reads the head first,
/// so the usual question, about now, costs one key.
pub fn entry_at<T: TimedEntry, R: StateReader>(
    reader: &R,
    object: &StateObject,
    time: UnixTime,
) -> Result<Option<T>, StateError<R::Error>> {
    let Some(newest) = head::<T, _>(reader, object)? else { return Ok(None) };
    if newest.time() <= time {
        return Ok(Some(newest));
    }
    // Entries 1 … seq-1, in order of time; `found` is the newest known not to be later.
    let (mut low, mut high, mut found) = (1, newest.seq() - 1, None);
    while low <= high {
        let middle = low + (high - low) / 2;
        let entry: T = entry_before_head(reader, object, middle)?;
        if entry.time() <= time {
            low = middle + 1;
            found = Some(entry);
        } else {
            high = middle - 1;
        }
    }
    Ok(found)
}
