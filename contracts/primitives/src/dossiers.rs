//! Dossiers: versioned sets of document digests with owners (the *records* of EBSI's timestamp API, version 4).
//!
//! A dossier is opened by a record, whose id is the dossier's, and holds versions 1, 2, …, each a list of plain digests.
//! Its owners at a time may add versions, digests to a version, and owners.

use serde::{Deserialize, Serialize};

use crate::commitment::DigestAlgorithm;
use crate::did::Did;
use crate::entries;
use crate::hash::RecordId;
use crate::record::Bytes;
use crate::state::{StateError, StateObject, StateReader, TimedEntry, entry, head};
use crate::units::{Height, UnixTime};

/// Who may add to a dossier, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Owner {
    /// The owner.
    pub did: Did,
    /// From this second on.
    pub not_before: UnixTime,
    /// Before this second; none for no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<UnixTime>,
}

impl Owner {
    /// Whether the right holds at a time.
    pub fn holds(&self, time: UnixTime) -> bool {
        self.not_before <= time && self.not_after.is_none_or(|end| time < end)
    }
}

/// What is done to a dossier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum DossierChange {
    /// Begins the next version.
    AddVersion {
        /// Algorithm of the digests.
        alg: DigestAlgorithm,
        /// The digests.
        entries: Vec<Bytes>,
    },
    /// Adds digests to the newest version.
    AppendDigests {
        /// Algorithm of the digests: that of the version.
        alg: DigestAlgorithm,
        /// The digests.
        entries: Vec<Bytes>,
    },
    /// Adds an owner.
    AddOwner {
        /// The owner.
        owner: Owner,
    },
    /// Ends an owner's right at the block's time; the last one stays.
    RevokeOwner {
        /// The owner.
        did: Did,
    },
}

/// A dossier from a block on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DossierEntry {
    /// Format version: 1.
    pub v: u8,
    /// Number of this entry.
    pub seq: u64,
    /// Height that wrote this.
    pub height: Height,
    /// Time of that height.
    pub time: UnixTime,
    /// The record that did.
    pub record: RecordId,
    /// The newest version's number.
    pub version: u64,
    /// Algorithm of its digests.
    pub alg: DigestAlgorithm,
    /// Its digests so far.
    pub entries: Vec<Bytes>,
    /// Its owners, past ones included.
    pub owners: Vec<Owner>,
}

entries!(DossierEntry);

impl TimedEntry for DossierEntry {
    fn time(&self) -> UnixTime {
        self.time
    }
}

/// `dossier/<record id>`: a dossier; each record about it is an entry.
pub fn key(id: RecordId) -> StateObject {
    StateObject::new("dossier", &id.to_string())
}

/// The newest entry of a dossier.
pub fn newest<R: StateReader>(reader: &R, id: RecordId) -> Result<Option<DossierEntry>, StateError<R::Error>> {
    head(reader, &key(id))
}

/// An entry by its number.
pub fn step<R: StateReader>(
    reader: &R,
    id: RecordId,
    number: u64,
) -> Result<Option<DossierEntry>, StateError<R::Error>> {
    entry(reader, &key(id), number)
}
