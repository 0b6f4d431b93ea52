//! Credential schemas on the ledger (EBSI's trusted schemas registry): JSON Schema 2020-12, by 32-byte id, with revisions.

pub mod body;

pub use body::{id_of, multibase};

use serde::{Deserialize, Serialize};

use crate::did::Did;
use crate::entries;
use crate::hash::{RecordId, SchemaId};
use crate::state::{StateError, StateObject, StateReader, TimedEntry, entry, head};
use crate::units::{Height, UnixTime};

/// A schema from a block on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SchemaEntry {
    /// Format version: 1.
    pub v: u8,
    /// Number of this entry: the revision.
    pub seq: u64,
    /// Height that wrote this.
    pub height: Height,
    /// Time of that height.
    pub time: UnixTime,
    /// The record that did.
    pub record: RecordId,
    /// Who published it first, and alone may revise it.
    pub owner: Did,
    /// The schema's text, as RFC 8785 JSON.
    pub body: String,
}

entries!(SchemaEntry);

impl TimedEntry for SchemaEntry {
    fn time(&self) -> UnixTime {
        self.time
    }
}

/// `schema/<64 hexadecimal digits>`: a schema; each revision is an entry.
pub fn key(id: SchemaId) -> StateObject {
    StateObject::new("schema", &id.to_string())
}

/// The newest revision.
pub fn schema<R: StateReader>(reader: &R, id: SchemaId) -> Result<Option<SchemaEntry>, StateError<R::Error>> {
    head(reader, &key(id))
}

/// A revision by its number, from 1.
pub fn revision<R: StateReader>(
    reader: &R,
    id: SchemaId,
    number: u64,
) -> Result<Option<SchemaEntry>, StateError<R::Error>> {
    entry(reader, &key(id), number)
}
