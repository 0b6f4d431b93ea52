//! Evidence: what a registry read rests on, so that the reader need not believe the node that answered.
//!
//! One header, its certificate, and any number of state keys with their values, or their absence, each proven under
//! that header's state root. A reader repeats the read over [`ProvenState`]: the same functions run on a node and on
//! its client, and a key that the node left out is an error, never "absent" (INV-EVIDENCE-1).
//!
//! The node finds out which keys a read needs by doing it over a [`Recorder`].

use core::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::codec::{self, CodecError};
use crate::epoch::{EpochLink, ValidatorSet};
use crate::header::Header;
use crate::limits::{EPOCH_LINKS_MAX, EVIDENCE_BYTES_MAX, EVIDENCE_KEYS_MAX, RECEIPT_DEPTH_MAX};
use crate::receipt::{ReceiptError, ReceiptNetwork};
use crate::state::proof::{StateProof, StateProofError};
use crate::state::{StateKey, StateReader};
use crate::trust::TrustFile;
use crate::units::UnixTime;

/// The keys that a read asked for, with what proves them. A file of it is exactly its own RFC 8785 form; inside an
/// HTTP answer any spacing will do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// Format version: 1.
    pub v: u8,
    /// `testamur-evidence`.
    pub r#type: String,
    /// The network it claims.
    pub network: ReceiptNetwork,
    /// Text of the header whose state root the proofs lead to.
    pub header: String,
    /// That header's certificate.
    pub note: String,
    /// The validators of the header's epoch.
    pub validators: ValidatorSet,
    /// The epochs from genesis to the header's.
    pub epochs: Vec<EpochLink>,
    /// The keys, in order, none twice.
    pub state: Vec<ProvenKey>,
}

/// A key and its value, or none, with the proof of that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProvenKey {
    /// Text of the state key.
    pub key: String,
    /// The value's text (RFC 8785 JSON); none when the key is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The proof.
    pub proof: StateProof,
}

/// Why evidence is refused. Codes are stable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// Too long, too many keys, or not the JSON of an evidence.
    #[error("not an evidence: {0}")]
    Malformed(CodecError),
    /// Version or type unknown.
    #[error("this evidence is of a format that this version does not know")]
    UnknownFormat,
    /// Header, certificate, epochs or network do not hold.
    #[error("{0}")]
    Certificate(ReceiptError),
    /// A proof does not hold.
    #[error("{key}: {error}")]
    Proof {
        /// The key's text.
        key: String,
        /// What is wrong.
        error: StateProofError,
    },
    /// The header is older than the reader accepts.
    #[error("the node answered with a state of {age_s} s ago, more than the {accepted_s} s accepted: ask another node")]
    Stale {
        /// Age of the header.
        age_s: u64,
        /// What the reader accepts.
        accepted_s: u64,
    },
}

impl EvidenceError {
    /// Stable slug.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "evidence.malformed",
            Self::UnknownFormat => "evidence.unknown-format",
            Self::Certificate(error) => error.code(),
            Self::Proof { .. } => "evidence.proof",
            Self::Stale { .. } => "evidence.stale",
        }
    }
}

impl Evidence {
    /// Reads an evidence file: exactly its own canonical bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, EvidenceError> {
        if bytes.len() > EVIDENCE_BYTES_MAX {
            return Err(EvidenceError::Malformed(CodecError::Json(format!("{} bytes are too many", bytes.len()))));
        }
        codec::from_canonical_within(bytes, RECEIPT_DEPTH_MAX).map_err(EvidenceError::Malformed)
    }

    /// The file's bytes.
    pub fn encode(&self) -> Vec<u8> {
        codec::canonical(self)
    }

    /// Checks everything against what is trusted. How old the header may be is the caller's: [`ProvenState::fresh`].
    pub fn verify(&self, trust: &TrustFile) -> Result<ProvenState, EvidenceError> {
        if self.v != 1 || self.r#type != "testamur-evidence" {
            return Err(EvidenceError::UnknownFormat);
        }
        let malformed = |reason: &str| EvidenceError::Malformed(CodecError::Json(reason.into()));
        if self.state.len() > EVIDENCE_KEYS_MAX || self.epochs.len() > EPOCH_LINKS_MAX {
            return Err(malformed("too many keys or epochs"));
        }
        if self.network.genesis != trust.network() {
            return Err(EvidenceError::Certificate(ReceiptError::UnknownNetwork(self.network.genesis)));
        }
        if self.network.origin != trust.origin().as_str() {
            return Err(EvidenceError::Certificate(ReceiptError::Origin));
        }
        let header = Header::decode(self.header.as_bytes())
            .ok()
            .filter(|header| header.genesis == trust.network())
            .ok_or(EvidenceError::Certificate(ReceiptError::Header))?;
        crate::receipt::certify_header(trust, &header, &self.note, &self.validators, &self.epochs)
            .map_err(EvidenceError::Certificate)?;
        let mut values = BTreeMap::new();
        for ProvenKey { key, value, proof } in &self.state {
            let parsed: StateKey = key.parse().map_err(|_| malformed("a state key is malformed"))?;
            proof
                .verify(header.state_root, &parsed, value.as_ref().map(String::as_bytes))
                .map_err(|error| EvidenceError::Proof { key: key.clone(), error })?;
            if values.last_key_value().is_some_and(|(last, _)| *last >= parsed) {
                return Err(malformed("keys are in order, none twice"));
            }
            values.insert(parsed, value.as_ref().map(|text| text.clone().into_bytes()));
        }
        Ok(ProvenState { header, values })
    }
}

/// A part of the state at one height, proven. A read over it gives what every honest node would have given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenState {
    header: Header,
    values: BTreeMap<StateKey, Option<Vec<u8>>>,
}

/// The evidence says nothing of a key that the read needs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the node's answer proves nothing about {0}: ask another node")]
pub struct NotProven(pub StateKey);

impl ProvenState {
    /// The header that the state belongs to.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Refuses a header older than `accepted_s` before `now`: a node that serves an old root hides what came since.
    pub fn fresh(&self, now: UnixTime, accepted_s: u64) -> Result<(), EvidenceError> {
        let age_s = now.0.saturating_sub(self.header.time.0);
        if age_s > accepted_s { Err(EvidenceError::Stale { age_s, accepted_s }) } else { Ok(()) }
    }
}

impl StateReader for ProvenState {
    type Error = NotProven;

    fn get(&self, key: &StateKey) -> Result<Option<Vec<u8>>, NotProven> {
        // INV-EVIDENCE-1: a key that was left out is an error, never "absent".
        self.values.get(key).cloned().ok_or_else(|| NotProven(key.clone()))
    }
}

/// Remembers which keys a read asks for.
#[derive(Debug)]
pub struct Recorder<'a, R> {
    inner: &'a R,
    keys: RefCell<BTreeSet<StateKey>>,
}

impl<'a, R: StateReader> Recorder<'a, R> {
    /// Begins a read.
    pub fn new(inner: &'a R) -> Self {
        Self { inner, keys: RefCell::default() }
    }

    /// The keys asked for, in order.
    pub fn into_keys(self) -> Vec<StateKey> {
        self.keys.into_inner().into_iter().collect()
    }
}

impl<R: StateReader> StateReader for Recorder<'_, R> {
    type Error = R::Error;
    const SEALED: bool = R::SEALED;

    fn get(&self, key: &StateKey) -> Result<Option<Vec<u8>>, R::Error> {
        self.keys.borrow_mut().insert(key.clone());
        self.inner.get(key)
    }
}
