//! DID documents on the ledger: what is stored, which key may do what when, and the document as of any time.
//!
//! A document is a state object `did/<did>`; each change writes its next entry, whole. Verification methods are never
//! taken out: they end. So an old signature can always be judged with the key that made it.
//!
//! ```text
//! valid(method, relationship, t)  =  some grant of the relationship has not_before ≤ t < not_after (or no end)
//!                                    and not (compromised_from ≤ t)
//! ```
//! - INV-DID-1: an entry changes only by a key that is valid for `capabilityInvocation` in the document of a controller
//!   at the block's time.
//! - INV-DID-2: a change never locks a document out: afterwards some controller can act on it, now or later, unless it
//!   is deactivated.
//! - INV-DID-3: the id of a verification method is the RFC 7638 thumbprint of its key.

pub mod changes;
pub mod keys;
pub mod resolution;

use k256::elliptic_curve::sec1::ToSec1Point as _;
use serde::{Deserialize, Serialize};
use sha3::{Digest as _, Keccak256};

use crate::codec::{self, base64url, sha256};
use crate::did::{Did, DidUrl};
use crate::entries;
use crate::hash::RecordId;
use crate::key::{Jwk, PublicKey};
use crate::state::{StateError, StateReader, TimedEntry, entry_at, head};
use crate::units::{Height, UnixTime};

/// What a key may be used for (DID Core 1.0 §5.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Relationship {
    /// Signing in.
    Authentication,
    /// Signing credentials, and everyday records (notarisations, status lists).
    AssertionMethod,
    /// Encrypting to the subject.
    KeyAgreement,
    /// Signing records that change the ledger's registries.
    CapabilityInvocation,
    /// Passing rights on.
    CapabilityDelegation,
}

impl Relationship {
    /// All, in the order of a document.
    pub const ALL: [Self; 5] = [
        Self::Authentication,
        Self::AssertionMethod,
        Self::KeyAgreement,
        Self::CapabilityInvocation,
        Self::CapabilityDelegation,
    ];

    /// Its name in a DID document.
    pub fn name(self) -> &'static str {
        match self {
            Self::Authentication => "authentication",
            Self::AssertionMethod => "assertionMethod",
            Self::KeyAgreement => "keyAgreement",
            Self::CapabilityInvocation => "capabilityInvocation",
            Self::CapabilityDelegation => "capabilityDelegation",
        }
    }

    /// The relationship of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|r| r.name() == name)
    }
}

/// The right to use a key for something, from a time on and perhaps until another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// For what.
    pub relationship: Relationship,
    /// From this second on.
    pub not_before: UnixTime,
    /// Before this second; none for no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<UnixTime>,
}

impl Grant {
    /// Whether it holds at a time.
    pub fn holds(&self, time: UnixTime) -> bool {
        self.not_before <= time && self.not_after.is_none_or(|end| time < end)
    }
}

/// A verification method of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerificationMethod {
    /// The part after `#`: the RFC 7638 thumbprint of the key (INV-DID-3).
    pub id: String,
    /// The public key.
    pub key: Jwk,
    /// What it may be used for, and when.
    pub grants: Vec<Grant>,
    /// When it was revoked, if it was; or when it ends because another took its place, which may be in the future.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<UnixTime>,
    /// Since when it may be in other hands, if that was declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compromised_from: Option<UnixTime>,
}

/// Where something about the subject is found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// The part after `#`.
    pub id: String,
    /// Its type.
    pub r#type: String,
    /// An https URL.
    pub endpoint: String,
}

/// A DID document from a block on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DidEntry {
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
    /// Who may change the document; the subject itself, usually.
    pub controllers: Vec<Did>,
    /// Its keys, those that ended included, in order of arrival.
    pub methods: Vec<VerificationMethod>,
    /// Its services.
    pub services: Vec<Service>,
    /// Whether it is closed for ever.
    pub deactivated: bool,
}

/// That governance lets a DID register, and with which key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdmissionEntry {
    /// Format version: 1.
    pub v: u8,
    /// Number of this entry.
    pub seq: u64,
    /// Height that wrote this.
    pub height: Height,
    /// Time of that height.
    pub time: UnixTime,
    /// RFC 7638 thumbprint of the key that must register it: a DID alone could be taken by anybody who reads of it.
    pub jkt: String,
    /// The executed proposal.
    pub proposal: RecordId,
}

/// A DID whose key has an EBSI address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddressEntry {
    /// Format version: 1.
    pub v: u8,
    /// Number of this entry.
    pub seq: u64,
    /// The DID.
    pub did: Did,
    /// The verification method.
    pub method: String,
}

entries!(DidEntry, AdmissionEntry, AddressEntry);

impl TimedEntry for DidEntry {
    fn time(&self) -> UnixTime {
        self.time
    }
}

/// Why a key may not be used. Codes are part of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefusal {
    /// Not in the document.
    #[error("the DID document has no such key: the kid is <did>#<RFC 7638 thumbprint>")]
    Unknown,
    /// Never granted for this.
    #[error("the key is not granted for this use")]
    NotGranted,
    /// Granted from a later time on.
    #[error("the key is not valid yet")]
    NotYetValid,
    /// Its time is over.
    #[error("the key has expired")]
    Expired,
    /// It was revoked, or another took its place.
    #[error("the key was revoked")]
    Revoked,
    /// It was declared compromised from then or earlier.
    #[error("the key was declared compromised")]
    Compromised,
}

impl VerificationMethod {
    /// Why the key may not be used for any of these relationships at a time, if so. The reason that lasts longest comes first.
    pub fn check(&self, relationships: &[Relationship], time: UnixTime) -> Result<(), KeyRefusal> {
        if self.compromised_from.is_some_and(|from| from <= time) {
            return Err(KeyRefusal::Compromised);
        }
        let grants: Vec<_> = self.grants.iter().filter(|g| relationships.contains(&g.relationship)).collect();
        if grants.iter().any(|grant| grant.holds(time)) {
            return Ok(());
        }
        if self.revoked.is_some_and(|revoked| revoked <= time) {
            return Err(KeyRefusal::Revoked);
        }
        if grants.is_empty() {
            return Err(KeyRefusal::NotGranted);
        }
        if grants.iter().any(|grant| grant.not_before > time) {
            return Err(KeyRefusal::NotYetValid);
        }
        Err(KeyRefusal::Expired)
    }
}

impl DidEntry {
    /// A verification method by its fragment.
    pub fn method(&self, id: &str) -> Option<&VerificationMethod> {
        self.methods.iter().find(|method| method.id == id)
    }

    /// The key of a key id, if it may be used for any of these relationships at a time.
    pub fn usable_key(
        &self,
        fragment: &str,
        relationships: &[Relationship],
        time: UnixTime,
    ) -> Result<PublicKey, KeyRefusal> {
        let method = self.method(fragment).ok_or(KeyRefusal::Unknown)?;
        method.check(relationships, time)?;
        PublicKey::from_jwk(&method.key).map_err(|_| KeyRefusal::Unknown)
    }
}

/// The RFC 7638 thumbprint of a key: base64url of SHA-256 of the JCS of its required members.
pub fn thumbprint(key: &PublicKey) -> String {
    base64url(&sha256(&[&codec::canonical(&key.to_jwk())]))
}

/// The key id of a key in a document.
pub fn key_id(did: &Did, key: &PublicKey) -> DidUrl {
    format!("{did}#{}", thumbprint(key)).parse().expect("a thumbprint is a fragment")
}

/// The EBSI address of a secp256k1 key: the last 20 bytes of Keccak-256 of its uncompressed point.
pub fn ebsi_address(key: &PublicKey) -> Option<[u8; 20]> {
    let PublicKey::Secp256k1(point) = key else { return None };
    let point = k256::PublicKey::from_sec1_bytes(point).ok()?.to_sec1_point(false);
    let digest = Keccak256::digest(&point.as_bytes()[1..]);
    digest[12..].try_into().ok()
}

/// The newest entry of a document.
pub fn newest<R: StateReader>(reader: &R, did: &Did) -> Result<Option<DidEntry>, StateError<R::Error>> {
    head(reader, &keys::did(did))
}

/// The document as of a time: the entry in force then, with every compromise declared since, because a key that was
/// in other hands then was no better for nobody knowing it. None when the DID was not registered yet.
pub fn as_of<R: StateReader>(reader: &R, did: &Did, time: UnixTime) -> Result<Option<DidEntry>, StateError<R::Error>> {
    let Some(newest) = newest(reader, did)? else { return Ok(None) };
    let Some(mut entry) = entry_at::<DidEntry, _>(reader, &keys::did(did), time)? else { return Ok(None) };
    for method in &mut entry.methods {
        method.compromised_from = newest.method(&method.id).and_then(|m| m.compromised_from);
    }
    Ok(Some(entry))
}

/// What governance said of a DID that is to register.
pub fn admission<R: StateReader>(reader: &R, did: &Did) -> Result<Option<AdmissionEntry>, StateError<R::Error>> {
    head(reader, &keys::admission(did))
}

/// The DID of an EBSI address.
pub fn by_address<R: StateReader>(
    reader: &R,
    address: &[u8; 20],
) -> Result<Option<AddressEntry>, StateError<R::Error>> {
    head(reader, &keys::address(address))
}
