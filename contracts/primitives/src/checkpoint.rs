//! Checkpoints (C2SP tlog-checkpoint) and the rule by which a cosigned checkpoint *is* the commit certificate.
//!
//! The body has exactly six lines:
//! ```text
//! <origin>
//! <log size>
//! <base64 log root>
//! height <N>
//! round <N>
//! header <base64 header hash>
//! ```
//! A validator's non-nil precommit signs exactly the `cosignature/v1` message over this body with the block's time.
//!
//! **Certificate = decision** (INV-CERT-1) iff: the body's size, root, height and header hash are the header's; every
//! counted time is the header's; the header's validators hash is the trusted set's; more than two thirds of the set's
//! *keys* (never lines) signed; and no line of a known key is bad. The round line is what makes this a Tendermint
//! decision: all counted signatures are over one body, so over one round. Without it, precommits of lost rounds could
//! be added up to a quorum that never was (INV-CERT-2, vectors `receipts/precommits-of-two-rounds*.json`).
//!
//! A single validator's cosignature states nothing: precommits of lost rounds exist. It never leaves the mesh.

use serde::{Deserialize, Serialize};

use crate::codec::{self, base64_standard, from_base64_standard, from_decimal};
use crate::epoch::ValidatorSet;
use crate::genesis::Origin;
use crate::hash::{Address, HeaderHash, TreeHash};
use crate::header::Header;
use crate::key::verify_ed25519;
use crate::note::{KeyId, Note, NoteError, TYPE_COSIGNATURE_V1, TYPE_ED25519};
use crate::units::{Height, LogSize, Round, UnixTime};

/// What validators vote on: 80 bytes, big-endian, in this order. In JSON (equivocations), an object of the four.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValueId {
    /// Log size after the block.
    pub log_size: LogSize,
    /// Log root after the block.
    pub log_root: TreeHash,
    /// Block time.
    pub time: UnixTime,
    /// Hash of the block's header.
    pub header: HeaderHash,
}

impl ValueId {
    /// Bytes of the encoding.
    pub const BYTES: usize = 80;

    /// `size (8) ‖ root (32) ‖ time (8) ‖ header hash (32)`.
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..8].copy_from_slice(&self.log_size.0.to_be_bytes());
        bytes[8..40].copy_from_slice(self.log_root.as_bytes());
        bytes[40..48].copy_from_slice(&self.time.0.to_be_bytes());
        bytes[48..].copy_from_slice(self.header.as_bytes());
        bytes
    }

    /// Reads the encoding.
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        let number = |at: usize| u64::from_be_bytes(bytes[at..at + 8].try_into().expect("8 bytes"));
        let hash = |at: usize| bytes[at..at + 32].try_into().expect("32 bytes");
        Self {
            log_size: LogSize(number(0)),
            log_root: TreeHash::from_bytes(hash(8)),
            time: UnixTime(number(40)),
            header: HeaderHash::from_bytes(hash(48)),
        }
    }
}

/// Why a checkpoint's text is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a checkpoint of this kind of network: six lines, canonical decimals and base64")]
pub struct CheckpointError;

/// A checkpoint body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The network's origin.
    pub origin: String,
    /// Log size.
    pub log_size: LogSize,
    /// Log root.
    pub log_root: TreeHash,
    /// Height of the block.
    pub height: Height,
    /// Round of the decision.
    pub round: Round,
    /// The block's header.
    pub header: HeaderHash,
}

impl Checkpoint {
    /// The checkpoint of a value at a height and round.
    pub fn new(origin: &Origin, value: &ValueId, height: Height, round: Round) -> Self {
        Self {
            origin: origin.as_str().to_owned(),
            log_size: value.log_size,
            log_root: value.log_root,
            height,
            round,
            header: value.header,
        }
    }

    /// The six lines, each ending in a newline.
    pub fn body(&self) -> String {
        format!(
            "{}\n{}\n{}\nheight {}\nround {}\nheader {}\n",
            self.origin,
            self.log_size,
            base64_standard(self.log_root.as_bytes()),
            self.height,
            self.round,
            base64_standard(self.header.as_bytes()),
        )
    }

    /// Reads six lines; any other line, any other spelling is refused.
    pub fn parse(body: &str) -> Result<Self, CheckpointError> {
        let mut lines = body.strip_suffix('\n').ok_or(CheckpointError)?.split('\n');
        let mut line = || lines.next().ok_or(CheckpointError);
        let (origin, size, root, height, round, header) = (line()?, line()?, line()?, line()?, line()?, line()?);
        if lines.next().is_some() || origin.is_empty() {
            return Err(CheckpointError);
        }
        let number = |text: &str| from_decimal(text).map_err(|_| CheckpointError);
        let named = |text: &'static str, line: &str| line.strip_prefix(text).map(str::to_owned).ok_or(CheckpointError);
        let hash = |text: &str| -> Result<[u8; 32], CheckpointError> {
            from_base64_standard(text).ok().and_then(|b| b.try_into().ok()).ok_or(CheckpointError)
        };
        Ok(Self {
            origin: origin.to_owned(),
            log_size: LogSize(number(size)?),
            log_root: TreeHash::from_bytes(hash(root)?),
            height: Height(number(&named("height ", height)?)?),
            round: Round(u32::try_from(number(&named("round ", round)?)?).map_err(|_| CheckpointError)?),
            header: HeaderHash::from_bytes(hash(&named("header ", header)?)?),
        })
    }
}

/// The bytes that a cosigner signs: `cosignature/v1`, a time line, the body.
pub fn cosignature_message(time: UnixTime, body: &str) -> Vec<u8> {
    format!("cosignature/v1\ntime {time}\n{body}").into_bytes()
}

/// Why a note is not a commit certificate of a header.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Not a signed note.
    #[error("{0}")]
    Note(NoteError),
    /// The text is no checkpoint.
    #[error("{0}")]
    Checkpoint(CheckpointError),
    /// Another network's checkpoint.
    #[error("the checkpoint's origin is not this network's")]
    Origin,
    /// Body and header differ.
    #[error("the checkpoint does not belong to the header: {0} differs")]
    Header(&'static str),
    /// The header is not of the trusted set.
    #[error("the header names another validator set than the trusted one")]
    ValidatorSet,
    /// A known key's line is malformed, at another time, or does not verify.
    #[error("the cosignature of {0} is bad")]
    BadSignature(String),
    /// Not enough keys.
    #[error("{found} validators cosigned, {needed} are needed")]
    NoQuorum {
        /// Distinct keys that signed.
        found: usize,
        /// More than two thirds of the set.
        needed: usize,
    },
}

/// A decision: the checkpoint, and who witnessed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certified {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// Addresses of the validators that cosigned, in set order.
    pub witnesses: Vec<Address>,
    /// Addresses of the validators whose log keys signed besides.
    pub log_signers: Vec<Address>,
}

/// Checks that `note` is the decision of `set` on `header` (INV-CERT-1).
pub fn verify_certificate(
    origin: &Origin,
    header: &Header,
    note: &Note,
    set: &ValidatorSet,
) -> Result<Certified, CertificateError> {
    let checkpoint = Checkpoint::parse(&note.text).map_err(CertificateError::Checkpoint)?;
    if checkpoint.origin != origin.as_str() {
        return Err(CertificateError::Origin);
    }
    let same = [
        (checkpoint.log_size == header.log_size, "log size"),
        (checkpoint.log_root == header.log_root, "log root"),
        (checkpoint.height == header.height, "height"),
        (checkpoint.header == header.hash(), "header hash"),
    ];
    if let Some((_, what)) = same.into_iter().find(|(same, _)| !same) {
        return Err(CertificateError::Header(what));
    }
    if header.validators_hash != set.hash() {
        return Err(CertificateError::ValidatorSet);
    }
    let message = cosignature_message(header.time, &note.text);
    let (mut witnesses, mut log_signers) = (Vec::new(), Vec::new());
    for validator in set.validators() {
        let bad = || CertificateError::BadSignature(validator.name.clone());
        let cosigner = KeyId::compute(&validator.name, TYPE_COSIGNATURE_V1, validator.consensus_key());
        let log = KeyId::compute(origin.as_str(), TYPE_ED25519, validator.log_key());
        for line in &note.signatures {
            if line.name == validator.name && line.id == cosigner {
                let (time, signature) = line.signature.split_first_chunk::<8>().ok_or_else(bad)?;
                let signature: &[u8; 64] = signature.try_into().map_err(|_| bad())?;
                // A cosignature of another time is a good signature of something else: refused, not skipped.
                if u64::from_be_bytes(*time) != header.time.0 {
                    return Err(bad());
                }
                verify_ed25519(validator.consensus_key(), &message, signature).map_err(|_| bad())?;
                if witnesses.last() != Some(&validator.address) {
                    witnesses.push(validator.address);
                }
            } else if line.name == origin.as_str() && line.id == log {
                let signature: &[u8; 64] = line.signature.as_slice().try_into().map_err(|_| bad())?;
                verify_ed25519(validator.log_key(), note.text.as_bytes(), signature).map_err(|_| bad())?;
                if log_signers.last() != Some(&validator.address) {
                    log_signers.push(validator.address);
                }
            }
        }
    }
    if witnesses.len() < set.quorum() {
        return Err(CertificateError::NoQuorum { found: witnesses.len(), needed: set.quorum() });
    }
    Ok(Certified { checkpoint, witnesses, log_signers })
}

/// Lower-level: whether one precommit's signature is over this body and time. For the engine's adapter.
pub fn verify_cosignature(
    key: &[u8; 32],
    time: UnixTime,
    body: &str,
    signature: &[u8; 64],
) -> Result<(), crate::key::KeyError> {
    verify_ed25519(key, &cosignature_message(time, body), signature)
}

/// The base64 of a value id, as it stands in prevotes and proposals.
pub(crate) fn value_text(value: Option<&ValueId>) -> String {
    value.map_or_else(|| "nil".to_owned(), |v| codec::base64_standard(&v.to_bytes()))
}
