//! Validators, their sets, and the chain of epochs by which one trusted set vouches for the next.
//!
//! ```text
//! address         = SHA-256("testamur/validator/v1\n" ‖ JCS(registration))
//! validators hash = SHA-256("testamur/validators/v1\n" ‖ JCS(list of entries, by address))
//! ```
//! Voting power is always 1. Keys, key names and (name, key id) are unique over a set.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::checkpoint::{self, CertificateError, Certified};
use crate::codec::{self, sha256};
use crate::did::Did;
use crate::genesis::{Origin, is_country, is_legal_name, is_name_part};
use crate::hash::{Address, ValidatorsHash};
use crate::header::Header;
use crate::key::is_torsion_free;
use crate::limits::{VALIDATORS_MAX, VALIDATORS_MIN};
use crate::note::Note;
use crate::record::Bytes;
use crate::units::{Epoch, UnixTime};

/// A key with its kind; a list of these leaves room for post-quantum keys beside Ed25519.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypedKey {
    /// `ed25519`.
    pub alg: ValidatorKeyAlgorithm,
    /// The public key.
    pub key: Bytes,
}

/// Kinds of validator keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ValidatorKeyAlgorithm {
    /// Ed25519, strict and torsion-free.
    Ed25519,
}

/// What a validator is registered with. The hash of its first registration is the validator's address for ever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidatorRegistration {
    /// Format version: 1.
    pub v: u8,
    /// Name of its consensus key in signed notes (a schema-less URL, such as `validator-1.example`).
    pub name: String,
    /// Legal name of who runs it.
    pub operator: String,
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// DID of who runs it.
    pub did: Did,
    /// Consensus keys: exactly one Ed25519 key in this version.
    pub keys: Vec<TypedKey>,
    /// Ed25519 key that signs checkpoints as the log, after commit.
    pub log_key: Bytes,
    /// Ed25519 key of its libp2p identity.
    pub peer_key: Bytes,
    /// After this its cosignatures count no more.
    pub not_after: UnixTime,
}

impl ValidatorRegistration {
    /// The validator's address.
    pub fn address(&self) -> Address {
        Address::from_bytes(sha256(&[b"testamur/validator/v1\n", &codec::canonical(self)]))
    }

    /// Its Ed25519 consensus key's bytes (empty when there is none: `check` refuses that).
    pub fn consensus_key(&self) -> &[u8] {
        self.keys.first().map_or(&[], |k| &k.key.0)
    }

    /// The entry in a validator set, while this is the validator's first registration.
    pub fn to_validator(&self) -> Validator {
        self.to_validator_at(self.address())
    }

    /// The entry in a validator set, under the address of the validator's first registration.
    pub fn to_validator_at(&self, address: Address) -> Validator {
        Validator {
            address,
            name: self.name.clone(),
            operator: self.operator.clone(),
            country: self.country.clone(),
            did: self.did.clone(),
            keys: self.keys.clone(),
            log_key: self.log_key.clone(),
            peer_key: self.peer_key.clone(),
            not_after: self.not_after,
        }
    }

    /// Whether its members are of their form; else what is wrong.
    pub fn check(&self) -> Result<(), &'static str> {
        if self.v != 1 {
            return Err("v must be 1");
        }
        self.to_validator().check()
    }
}

/// A validator in a set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Validator {
    /// Hash of its first registration.
    pub address: Address,
    /// Name of its consensus key in signed notes.
    pub name: String,
    /// Legal name of who runs it.
    pub operator: String,
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// DID of who runs it.
    pub did: Did,
    /// Consensus keys.
    pub keys: Vec<TypedKey>,
    /// Key that signs checkpoints as the log.
    pub log_key: Bytes,
    /// Key of its libp2p identity.
    pub peer_key: Bytes,
    /// After this its cosignatures count no more.
    pub not_after: UnixTime,
}

impl Validator {
    /// Its Ed25519 consensus key.
    ///
    /// # Panics
    /// Not for a member of a [`ValidatorSet`].
    pub fn consensus_key(&self) -> &[u8; 32] {
        self.keys[0].key.0.as_slice().try_into().expect("checked when the set was made")
    }

    /// Its Ed25519 log key.
    ///
    /// # Panics
    /// Not for a member of a [`ValidatorSet`].
    pub fn log_key(&self) -> &[u8; 32] {
        self.log_key.0.as_slice().try_into().expect("checked when the set was made")
    }

    /// Its libp2p key.
    ///
    /// # Panics
    /// Not for a member of a [`ValidatorSet`].
    pub fn peer_key(&self) -> &[u8; 32] {
        self.peer_key.0.as_slice().try_into().expect("checked when the set was made")
    }

    fn check(&self) -> Result<(), &'static str> {
        if !is_name_part(&self.name) {
            return Err("name must be 1 to 100 of a-z 0-9 . -");
        }
        if !is_legal_name(&self.operator) || !is_country(&self.country) {
            return Err("operator or country is malformed");
        }
        if self.keys.len() != 1 {
            return Err("exactly one consensus key in this version");
        }
        for key in [&self.keys[0].key, &self.log_key, &self.peer_key] {
            if !key.0.as_slice().try_into().is_ok_and(is_torsion_free) {
                return Err("a key must be 32 bytes, canonical, and in the prime-order subgroup");
            }
        }
        Ok(())
    }
}

/// The validators of an epoch, in order of address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ValidatorSet(Vec<Validator>);

impl ValidatorSet {
    /// Sorts and checks a set: 4 to 64, every key and name its own.
    pub fn new(mut validators: Vec<Validator>) -> Result<Self, &'static str> {
        if !(VALIDATORS_MIN..=VALIDATORS_MAX).contains(&validators.len()) {
            return Err("between 4 and 64 validators");
        }
        let mut keys = BTreeSet::new();
        let mut names = BTreeSet::new();
        let mut addresses = BTreeSet::new();
        for v in &validators {
            v.check()?;
            // INV-SET-1: one key under two names once counted twice; a consensus, log and peer key are never the same.
            if ![&v.keys[0].key, &v.log_key, &v.peer_key].into_iter().all(|k| keys.insert(k.clone())) {
                return Err("a key appears twice");
            }
            if !names.insert(v.name.clone()) || !addresses.insert(v.address) {
                return Err("a name or address appears twice");
            }
        }
        validators.sort_by_key(|v| v.address);
        Ok(Self(validators))
    }

    /// Hash that headers bind.
    pub fn hash(&self) -> ValidatorsHash {
        ValidatorsHash::from_bytes(sha256(&[b"testamur/validators/v1\n", &codec::canonical(&self.0)]))
    }

    /// The validators in set order.
    pub fn validators(&self) -> &[Validator] {
        &self.0
    }

    /// The validator at an address.
    pub fn by_address(&self, address: Address) -> Option<&Validator> {
        self.0.iter().find(|v| v.address == address)
    }

    /// How many are needed: more than two thirds, ⌊2n/3⌋ + 1.
    pub fn quorum(&self) -> usize {
        quorum(self.0.len())
    }

    /// Until when a quorum of these keys is in office: the latest time at which more than two thirds of them are
    /// within their `not_after`.
    pub fn in_office_until(&self) -> UnixTime {
        let mut ends: Vec<_> = self.0.iter().map(|v| v.not_after).collect();
        ends.sort_unstable();
        ends[self.0.len() - self.quorum()]
    }
}

impl<'de> Deserialize<'de> for ValidatorSet {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let validators = Vec::<Validator>::deserialize(deserializer)?;
        let given = validators.clone();
        let set = Self::new(validators).map_err(serde::de::Error::custom)?;
        if set.0 != given {
            return Err(serde::de::Error::custom("validators must be in order of address"));
        }
        Ok(set)
    }
}

/// More than two thirds of `count`.
pub const fn quorum(count: usize) -> usize {
    2 * count / 3 + 1
}

/// How many of `count` validators may be added, removed or rotated at once: ⌊(n−1)/3⌋, fewer than a third, so that the
/// honest ones of the old set are still enough in the new one.
pub const fn changes_max(count: usize) -> usize {
    count.saturating_sub(1) / 3
}

/// One step of an epoch chain: the last block of an epoch, certified by that epoch's set, names the next set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochLink {
    /// Text of the epoch's last header.
    pub header: String,
    /// Its certificate.
    pub note: String,
    /// The next epoch's set.
    pub validators: ValidatorSet,
}

/// Why an epoch chain does not lead on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EpochError {
    /// Header text malformed.
    #[error("epoch chain: header: {0}")]
    Header(codec::CodecError),
    /// The header is of another epoch than the trusted set.
    #[error("epoch chain: a link is of epoch {found}, expected {expected}")]
    Order {
        /// Epoch of the trusted set.
        expected: Epoch,
        /// Epoch in the header.
        found: Epoch,
    },
    /// The certificate fails.
    #[error("epoch chain: {0}")]
    Certificate(CertificateError),
    /// The next set is not the one that the header names.
    #[error("epoch chain: the next set is not the one the header names")]
    NextSet,
}

/// An epoch whose set is trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedEpoch {
    /// Its number.
    pub epoch: Epoch,
    /// Its validators.
    pub validators: ValidatorSet,
}

impl TrustedEpoch {
    /// Follows one link to the next epoch.
    pub fn follow(&self, origin: &Origin, link: &EpochLink) -> Result<Self, EpochError> {
        let header = Header::decode(link.header.as_bytes()).map_err(EpochError::Header)?;
        self.certify(origin, &header, &link.note)?;
        if link.validators.hash() != header.next_validators_hash
            || header.next_validators_hash == header.validators_hash
        {
            return Err(EpochError::NextSet);
        }
        Ok(Self { epoch: self.epoch.next(), validators: link.validators.clone() })
    }

    /// Checks that this epoch's validators decided a header.
    pub fn certify(&self, origin: &Origin, header: &Header, note: &str) -> Result<Certified, EpochError> {
        if header.epoch != self.epoch {
            return Err(EpochError::Order { expected: self.epoch, found: header.epoch });
        }
        let note = Note::parse(note.as_bytes()).map_err(|e| EpochError::Certificate(CertificateError::Note(e)))?;
        checkpoint::verify_certificate(origin, header, &note, &self.validators).map_err(EpochError::Certificate)
    }
}
