//! Status lists on the ledger: which of an issuer's credentials are revoked or suspended.
//!
//! The state says of every list its version, size and digest; the bits themselves are a *block attachment*: bytes that
//! travel beside a record and are no part of the log, so that past suspensions need not be published for ever. All
//! nodes keep the newest version of every list.
//!
//! ```text
//! attachment = size / 8 bytes; entry i is bit i of the list, the most significant bit of byte 0 first
//! ```
//! There is one bit store for an issuer, list and purpose. The three formats in which verifiers read it are derived
//! from it byte by byte ([`formats`]); the record carries the issuer's signatures over the derived tokens. So they
//! cannot disagree, and no list expires: how fresh it is, the state proof says.

mod bits;
pub mod formats;
pub mod keys;
mod stored;

pub use bits::BitList;

use serde::{Deserialize, Serialize};

use crate::did::{Did, DidUrl};
use crate::entries;
use crate::hash::{AttachmentHash, RecordId};
use crate::record::{Bytes, Reference};
use crate::state::{StateError, StateReader, TimedEntry, entry_at, head};
use crate::units::{Height, UnixTime};

/// What a set bit means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StatusPurpose {
    /// Withdrawn for good.
    Revocation,
    /// Not to be relied upon for now.
    Suspension,
}

impl StatusPurpose {
    /// Its name in status lists.
    pub fn name(self) -> &'static str {
        match self {
            Self::Revocation => "revocation",
            Self::Suspension => "suspension",
        }
    }
}

/// The issuer's signatures over the derived tokens, by the key of `kid`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusSignatures {
    /// Over the W3C StatusList2021 credential (VCDM 1.1 JWT; what EBSI's libraries read).
    pub status_list_2021: Bytes,
    /// Over the W3C Bitstring Status List v1.0 credential (`vc+jwt`).
    pub bitstring: Bytes,
    /// Over the IETF Token Status List (`statuslist+jwt`).
    pub token: Bytes,
}

/// A version of a list, as its issuer publishes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusVersion {
    /// The issuer's name for the list.
    pub list: Reference,
    /// 1 for the first, then one more each time.
    #[serde(deserialize_with = "crate::units::json_integer")]
    pub version: u64,
    /// What a set bit means; never changes.
    pub purpose: StatusPurpose,
    /// Entries: a multiple of 8, at least 131,072, at most 2^21; never changes.
    #[serde(deserialize_with = "crate::units::json_integer")]
    pub size: u64,
    /// SHA-256 of the attachment.
    pub sha256: AttachmentHash,
    /// When the derived tokens say they were issued.
    pub issued: UnixTime,
    /// The key that signed them, for `assertionMethod`.
    pub kid: DidUrl,
    /// The signatures.
    pub signatures: StatusSignatures,
}

/// A list from a block on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusEntry {
    /// Format version: 1.
    pub v: u8,
    /// Number of this entry: the list's version.
    pub seq: u64,
    /// Height that wrote this.
    pub height: Height,
    /// Time of that height.
    pub time: UnixTime,
    /// The record that did.
    pub record: RecordId,
    /// Whose list.
    pub issuer: Did,
    /// What was published.
    pub status: StatusVersion,
}

entries!(StatusEntry);

impl TimedEntry for StatusEntry {
    fn time(&self) -> UnixTime {
        self.time
    }
}

/// Bytes that must be held beside a record before a block with it is voted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attachment {
    /// SHA-256 of the bytes.
    pub sha256: AttachmentHash,
    /// How many bytes.
    pub bytes: usize,
}

/// The newest version of a list.
pub fn newest<R: StateReader>(
    reader: &R,
    issuer: &Did,
    list: &Reference,
) -> Result<Option<StatusEntry>, StateError<R::Error>> {
    head(reader, &keys::status(issuer, list))
}

/// The version of a list that was the newest at a time.
pub fn as_of<R: StateReader>(
    reader: &R,
    issuer: &Did,
    list: &Reference,
    time: UnixTime,
) -> Result<Option<StatusEntry>, StateError<R::Error>> {
    entry_at(reader, &keys::status(issuer, list), time)
}
