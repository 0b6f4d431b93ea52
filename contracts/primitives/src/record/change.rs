//! What operators decide on.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::commitment::DigestAlgorithm;
use crate::did::Did;
use crate::epoch::ValidatorRegistration;
use crate::genesis::{GenesisValidator, Operator, Parameters, Possession};
use crate::hash::{Address, AttributeId};
use crate::issuers::{EndReason, Entity};
use crate::key::KeyKind;
use crate::units::{Height, UnixTime};

/// A change that operators decide on, m of n.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Change {
    /// Lets a did:key write to the ledger, or a DID of the ledger from which that right was taken.
    GrantWriter {
        /// The writer.
        did: Did,
    },
    /// Lets a DID register without an accredited issuer's authorisation.
    AdmitDid {
        /// The DID.
        did: Did,
        /// RFC 7638 thumbprint of the key that will register it.
        jkt: String,
    },
    /// Makes a DID a Root TAO: admits it if it is not registered, and reserves its attribute.
    AccreditRoot {
        /// The DID.
        did: Did,
        /// RFC 7638 thumbprint of the key that will register it.
        jkt: String,
        /// The place of its accreditation.
        attribute: AttributeId,
        /// Who it is.
        entity: Entity,
    },
    /// Ends the accreditation of a Root TAO.
    EndRoot {
        /// Which.
        attribute: AttributeId,
        /// From when on.
        effective: UnixTime,
        /// Why.
        reason: EndReason,
    },
    /// Takes the right to notarise away, from a DID of the ledger too; what was written stays.
    RevokeWriter {
        /// The writer.
        did: Did,
        /// Why, from a closed list.
        reason: RevocationReason,
    },
    /// Validators join, leave, or get other keys, all at one height. Lists may be empty, but not all.
    ChangeValidators {
        /// Who joins. The change waits until each has published `synced`.
        add: Vec<GenesisValidator>,
        /// Who leaves, by address.
        remove: Vec<Address>,
        /// Who gets other keys.
        rotate: Vec<ValidatorRotation>,
        /// First height that the new set decides, at the earliest.
        from: Height,
    },
    /// Ends a set change that still waits for `synced` records.
    WithdrawSetChange {},
    /// Operators take office, leave it, or get another key, and m may change; at once.
    ChangeOperators {
        /// Who takes office.
        add: Vec<Operator>,
        /// Who leaves it.
        remove: Vec<Did>,
        /// Who gets another key, and keeps name and country.
        rotate: Vec<OperatorRotation>,
        /// The new m; the old one stays when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        approvals_required: Option<u32>,
    },
    /// Other timing and sizes.
    SetParameters {
        /// All of them.
        parameters: Parameters,
        /// First height they hold at, at the earliest.
        from: Height,
    },
    /// A later protocol.
    SetProtocol {
        /// Its number.
        protocol: u32,
        /// First height under it, at the earliest.
        from: Height,
    },
    /// New records use an algorithm no more; old ones stay what they are.
    RetireAlgorithm {
        /// Which.
        algorithm: Algorithm,
        /// First height without it, at the earliest.
        from: Height,
    },
    /// The official addresses of the verifier page.
    SetPageHosts {
        /// `host` or `host:port` of each; 0 to 16.
        hosts: Vec<String>,
    },
}

/// Another registration for a validator, which keeps its address and its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidatorRotation {
    /// Its address: the hash of its first registration.
    pub validator: Address,
    /// What is registered now; the consensus key is another one.
    pub registration: ValidatorRegistration,
    /// Proofs of possession of the keys in it, over the address that stays.
    pub possession: Possession,
}

/// Another key for an operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperatorRotation {
    /// The operator in office.
    pub did: Did,
    /// The key it approves with from now on.
    pub successor: Did,
}

/// An algorithm that can be retired: of digests, or of records' signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// Digests of documents.
    Digest(DigestAlgorithm),
    /// Keys that sign records.
    Key(KeyKind),
}

/// A name that is no algorithm's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not an algorithm: sha2-256, sha2-384, sha2-512, sha3-256, sha3-384, sha3-512, Ed25519, P-256, P-384 or secp256k1"
)]
pub struct UnknownAlgorithm;

impl Algorithm {
    /// Its name, as in records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Digest(digest) => digest.name(),
            Self::Key(kind) => kind.name(),
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    fn from_str(name: &str) -> Result<Self, UnknownAlgorithm> {
        let digest = DigestAlgorithm::from_name(name).map(Self::Digest);
        digest.or_else(|| KeyKind::from_name(name).map(Self::Key)).ok_or(UnknownAlgorithm)
    }
}

impl Serialize for Algorithm {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Algorithm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Why a role ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RevocationReason {
    /// The writer asked for it or has ceased to exist.
    CessationOfOperation,
    /// The writer's key is in other hands, or may be.
    KeyCompromise,
    /// The writer broke the network's rules.
    PrivilegeWithdrawn,
    /// Another DID took its place.
    Superseded,
}
