//! Genesis: all that a network starts from, and what its origin and identity are derived from.
//!
//! ```text
//! genesis hash = SHA-256("testamur/genesis/v1\n" ‖ JCS(genesis))
//! origin       = <domain>/<name>/<hex of the first 16 bytes of the genesis hash>     ≤ 255 bytes, no space, no '+'
//! ```

use core::fmt;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::codec::{self, sha256};
use crate::did::{Did, LEDGER_METHOD};
use crate::epoch::{Validator, ValidatorRegistration, ValidatorSet};
use crate::hash::{Address, GenesisHash, HeaderHash, ParametersHash, StateRoot, TreeHash};
use crate::header::{Header, HeaderRef};
use crate::key::verify_ed25519;
use crate::limits::{
    BLOCK_BYTES_MAX, ENDPOINT_CHARS_MAX, GENESIS_WRITERS_MAX, LEGAL_NAME_BYTES_MAX, OPERATORS_MAX, ORIGIN_BYTES_MAX,
    STATUS_HISTORY_DAYS, STATUS_HISTORY_DAYS_MAX, VALIDATORS_MAX, VALIDATORS_MIN,
};
use crate::merkle;
use crate::record::Bytes;
use crate::units::{Epoch, Height, LogSize, UnixTime};

/// Why a genesis is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GenesisError {
    /// Not the JSON of a genesis.
    #[error("genesis: {0}")]
    Json(#[from] codec::CodecError),
    /// A rule on its content.
    #[error("genesis: {0}")]
    Rule(&'static str),
    /// A validator's entry.
    #[error("genesis: validator {name}: {reason}")]
    Validator {
        /// Its key name.
        name: String,
        /// What is wrong.
        reason: &'static str,
    },
}

/// All that a network starts from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    /// Format version: 1.
    pub v: u8,
    /// First part of the origin: a domain that the network's operators hold.
    pub domain: String,
    /// Second part of the origin.
    pub name: String,
    /// Time of height 0.
    pub time: UnixTime,
    /// Protocol version from height 1 on.
    pub protocol: u32,
    /// Timing and sizes.
    pub parameters: Parameters,
    /// The first validators.
    pub validators: Vec<GenesisValidator>,
    /// Who may propose and approve changes.
    pub operators: Vec<Operator>,
    /// How many operators must approve a change (m).
    pub approvals_required: u32,
    /// Who may write from the start.
    pub writers: Vec<Did>,
    /// Method name of the ledger's own DIDs; `ebsi` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub did_method: Option<String>,
    /// What absolute URLs in registries and status lists begin with, such as `https://ledger.example`: no slash at the
    /// end. Any node serves the paths behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_base: Option<String>,
    /// Days for which every node keeps the older versions of status lists; 90 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_history_days: Option<u32>,
    /// The network that this one continues, after losing more than a third of its validators.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predecessor: Option<Predecessor>,
}

/// Timing and sizes, hashed into every header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// An idle network still makes a block this often.
    pub heartbeat_s: u32,
    /// Largest encoding of a block.
    pub block_bytes_max: u32,
    /// How far a proposal's time may lie ahead of a validator's clock before it gives no verdict.
    pub clock_tolerance_s: u32,
    /// How long validators wait for a proposal in round 0: what a dead proposer costs.
    pub propose_timeout_ms: u32,
    /// How long they wait for more prevotes or precommits after two thirds.
    pub vote_timeout_ms: u32,
    /// By how much each further round waits longer.
    pub round_timeout_ms: u32,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            heartbeat_s: 60,
            block_bytes_max: BLOCK_BYTES_MAX as u32,
            clock_tolerance_s: 5,
            propose_timeout_ms: 800,
            vote_timeout_ms: 400,
            round_timeout_ms: 400,
        }
    }
}

impl Parameters {
    /// SHA-256("testamur/parameters/v1\n" ‖ JCS).
    pub fn hash(&self) -> ParametersHash {
        ParametersHash::from_bytes(sha256(&[b"testamur/parameters/v1\n", &codec::canonical(self)]))
    }

    /// Whether all are within their bounds; else what is wrong. The same for genesis and for later changes.
    pub fn check(&self) -> Result<(), &'static str> {
        let rule = |ok: bool, text: &'static str| if ok { Ok(()) } else { Err(text) };
        rule((1..=3_600).contains(&self.heartbeat_s), "heartbeat_s between 1 and 3600")?;
        let block_bytes = 262_144..=BLOCK_BYTES_MAX as u32;
        rule(block_bytes.contains(&self.block_bytes_max), "block_bytes_max between 256 KiB and 2 MiB")?;
        rule(self.clock_tolerance_s <= 60, "clock_tolerance_s at most 60")?;
        rule(
            (50..=10_000).contains(&self.propose_timeout_ms)
                && (20..=10_000).contains(&self.vote_timeout_ms)
                && self.round_timeout_ms <= 10_000,
            "timeouts out of range",
        )
    }
}

/// A validator of genesis: its registration and the proof that its keys are its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenesisValidator {
    /// What is registered.
    pub registration: ValidatorRegistration,
    /// Proofs of possession.
    pub possession: Possession,
}

/// Ed25519 signatures, each by one key over `"testamur/possession/v1\n" kind "\n" address "\n"`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Possession {
    /// By the consensus key.
    pub consensus: Bytes,
    /// By the log key.
    pub log: Bytes,
    /// By the peer key.
    pub peer: Bytes,
}

impl Possession {
    /// Verifies that the keys of a registration are held by who registers them, for the validator's address: the hash of its
    /// first registration.
    pub fn verify(&self, registration: &ValidatorRegistration, address: Address) -> Result<(), &'static str> {
        let proofs = [
            ("consensus", registration.consensus_key(), &self.consensus),
            ("log", registration.log_key.0.as_slice(), &self.log),
            ("peer", registration.peer_key.0.as_slice(), &self.peer),
        ];
        for (kind, key, proof) in proofs {
            let (Ok(key), Ok(signature)) = (key.try_into(), proof.0.as_slice().try_into()) else {
                return Err("a key has 32 bytes and a proof of possession 64");
            };
            verify_ed25519(key, &possession_message(kind, address), signature)
                .map_err(|_| "a proof of possession does not verify")?;
        }
        Ok(())
    }
}

/// The bytes a key signs to show that it is held: `kind` is `consensus`, `log` or `peer`.
pub fn possession_message(kind: &str, address: Address) -> Vec<u8> {
    format!("testamur/possession/v1\n{kind}\n{address}\n").into_bytes()
}

/// An operator: a legal person with a vote on changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operator {
    /// The key it approves with.
    pub did: Did,
    /// Its legal name.
    pub name: String,
    /// ISO 3166-1 alpha-2.
    pub country: String,
}

impl Operator {
    /// Whether name and country are of their form.
    pub fn is_well_formed(&self) -> bool {
        is_legal_name(&self.name) && is_country(&self.country)
    }
}

/// The end of an earlier network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Predecessor {
    /// Its genesis hash.
    pub network: GenesisHash,
    /// Its last height.
    pub height: Height,
    /// That height's header.
    pub header: HeaderHash,
    /// Its log's size.
    pub log_size: LogSize,
    /// Its log's root.
    pub log_root: TreeHash,
}

/// The name of a network's log: first line of its checkpoints, key name of its log signatures.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(String);

impl Origin {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Genesis {
    /// Reads a genesis (any spacing) and checks it.
    pub fn from_json(bytes: &[u8]) -> Result<Self, GenesisError> {
        let genesis: Self = codec::from_any_spacing(bytes)?;
        genesis.check()?;
        Ok(genesis)
    }

    /// The network's identity.
    pub fn hash(&self) -> GenesisHash {
        GenesisHash::from_bytes(sha256(&[b"testamur/genesis/v1\n", &codec::canonical(self)]))
    }

    /// The network's origin.
    pub fn origin(&self) -> Origin {
        Origin(format!("{}/{}/{}", self.domain, self.name, hex::encode(&self.hash().as_bytes()[..16])))
    }

    /// Method name of the ledger's own DIDs.
    pub fn did_method(&self) -> &str {
        self.did_method.as_deref().unwrap_or(LEDGER_METHOD)
    }

    /// What absolute URLs begin with.
    pub fn public_base(&self) -> String {
        self.public_base.clone().unwrap_or_else(|| format!("https://{}", self.domain))
    }

    /// Days for which older versions of status lists are kept.
    pub fn status_history_days(&self) -> u32 {
        self.status_history_days.unwrap_or(STATUS_HISTORY_DAYS)
    }

    /// The validators of epoch 0, in set order.
    ///
    /// # Panics
    /// Not for a checked genesis.
    pub fn validator_set(&self) -> ValidatorSet {
        let validators = self.validators.iter().map(|v| v.registration.to_validator()).collect();
        ValidatorSet::new(validators).expect("a checked genesis has a valid set")
    }

    /// The header of height 0, given the root of the state that the registry makes of this genesis.
    pub fn header(&self, state_root: StateRoot) -> Header {
        let validators_hash = self.validator_set().hash();
        Header {
            v: 1,
            genesis: self.hash(),
            protocol: self.protocol,
            height: Height(0),
            time: self.time,
            previous: HeaderHash::ZERO,
            history_root: merkle::empty_root(),
            log_size: LogSize(0),
            log_root: merkle::empty_root(),
            state_root,
            epoch: Epoch(0),
            validators_hash,
            next_validators_hash: validators_hash,
            parameters_hash: self.parameters.hash(),
            epoch_header: HeaderRef { height: Height(0), hash: HeaderHash::ZERO },
            proposer: Address::ZERO,
        }
    }

    fn check(&self) -> Result<(), GenesisError> {
        let rule = |ok: bool, text: &'static str| if ok { Ok(()) } else { Err(GenesisError::Rule(text)) };
        rule(self.v == 1, "v must be 1")?;
        rule(self.protocol == 1, "this binary knows protocol 1 only")?;
        rule(is_name_part(&self.domain) && is_name_part(&self.name), "domain and name are 1 to 100 of a-z 0-9 . -")?;
        rule(self.origin().as_str().len() <= ORIGIN_BYTES_MAX, "the origin is too long")?;
        let count = self.validators.len();
        rule((VALIDATORS_MIN..=VALIDATORS_MAX).contains(&count), "between 4 and 64 validators")?;
        let operators = self.operators.len();
        rule((1..=OPERATORS_MAX).contains(&operators), "between 1 and 256 operators")?;
        let dids: BTreeSet<_> = self.operators.iter().map(|o| &o.did).collect();
        rule(dids.len() == operators, "an operator's DID appears twice")?;
        rule(self.operators.iter().all(Operator::is_well_formed), "an operator's name or country is malformed")?;
        let m = self.approvals_required as usize;
        rule(m >= 1 && m <= operators, "approvals_required must be between 1 and the number of operators")?;
        rule(self.writers.len() <= GENESIS_WRITERS_MAX, "too many writers")?;
        let writers: BTreeSet<_> = self.writers.iter().collect();
        rule(writers.len() == self.writers.len(), "a writer appears twice")?;
        // A role of a DID without a usable key could never be used, and would look as if it could.
        let usable = self.operators.iter().map(|o| &o.did).chain(&self.writers).all(|did| did.to_key().is_ok());
        rule(usable, "operators and writers must be did:key with a key this protocol knows")?;
        self.parameters.check().map_err(GenesisError::Rule)?;
        rule(is_did_method(self.did_method()), "did_method is 1 to 16 of a-z 0-9, and not key")?;
        rule(
            self.public_base.as_deref().is_none_or(is_public_base),
            "public_base is an http or https URL of scheme and host, without a slash at the end",
        )?;
        rule(self.status_history_days() <= STATUS_HISTORY_DAYS_MAX, "status_history_days at most 36525")?;
        for GenesisValidator { registration, possession } in &self.validators {
            let fail = |reason| GenesisError::Validator { name: registration.name.clone(), reason };
            registration.check().map_err(fail)?;
            possession.verify(registration, registration.address()).map_err(fail)?;
        }
        let validators: Vec<Validator> = self.validators.iter().map(|v| v.registration.to_validator()).collect();
        ValidatorSet::new(validators).map_err(GenesisError::Rule)?;
        Ok(())
    }
}

/// A part of a name: lower-case letters, digits, dot and hyphen.
pub(crate) fn is_name_part(text: &str) -> bool {
    (1..=100).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-'))
}

/// A DID method name that is not taken by a method that needs no ledger.
fn is_did_method(text: &str) -> bool {
    (1..=16).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        && text != "key"
}

/// The beginning of a URL: scheme, host, perhaps a port.
fn is_public_base(text: &str) -> bool {
    let Some(host) = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) else { return false };
    (1..=ENDPOINT_CHARS_MAX).contains(&host.len())
        && host
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b':' | b'[' | b']'))
}

/// A legal name: UTF-8 without control characters.
pub(crate) fn is_legal_name(text: &str) -> bool {
    (1..=LEGAL_NAME_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// ISO 3166-1 alpha-2 in form.
pub(crate) fn is_country(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|b| b.is_ascii_uppercase())
}
