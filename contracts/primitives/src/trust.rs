//! The trust file: what a verifier pins. Genesis and, normally, a newer checkpoint. It comes from an installed network
//! or a given file, never from the receipt or the node that is asked.

use serde::{Deserialize, Serialize};

use crate::codec::{self, CodecError, sha256};
use crate::epoch::{EpochError, TrustedEpoch, ValidatorSet};
use crate::genesis::{Genesis, GenesisError, Origin};
use crate::hash::GenesisHash;
use crate::header::Header;
use crate::limits::TRUST_BYTES_MAX;
use crate::units::Epoch;

/// Why a trust file is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// Too long.
    #[error("a trust file has at most {TRUST_BYTES_MAX} bytes")]
    TooLarge,
    /// Not the JSON of a trust file.
    #[error("trust file: {0}")]
    Json(#[from] CodecError),
    /// Genesis malformed.
    #[error("trust file: {0}")]
    Genesis(#[from] GenesisError),
    /// The pinned checkpoint does not hold.
    #[error("trust file: pinned checkpoint: {0}")]
    Checkpoint(EpochError),
    /// Wrong version or type.
    #[error("trust file: expected \"type\":\"testamur-trust\" and \"v\":1")]
    Kind,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TrustDocument {
    v: u8,
    r#type: String,
    genesis: Genesis,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    checkpoint: Option<PinnedCheckpoint>,
}

/// A checkpoint that the trust file's author has checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinnedCheckpoint {
    /// Text of its header.
    pub header: String,
    /// The checkpoint with its cosignatures.
    pub note: String,
    /// The set of its epoch.
    pub validators: ValidatorSet,
}

/// What a verifier trusts about one network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustFile {
    genesis: Genesis,
    hash: GenesisHash,
    origin: Origin,
    checkpoint: Option<PinnedCheckpoint>,
    pinned: Option<(Header, TrustedEpoch)>,
}

impl TrustFile {
    /// Trusts a genesis alone.
    pub fn from_genesis(genesis: Genesis) -> Self {
        let (hash, origin) = (genesis.hash(), genesis.origin());
        Self { genesis, hash, origin, checkpoint: None, pinned: None }
    }

    /// Trusts a genesis and a newer checkpoint.
    pub fn with_checkpoint(genesis: Genesis, checkpoint: PinnedCheckpoint) -> Result<Self, TrustError> {
        let origin = genesis.origin();
        let header = Header::decode(checkpoint.header.as_bytes())?;
        let epoch = TrustedEpoch { epoch: header.epoch, validators: checkpoint.validators.clone() };
        epoch.certify(&origin, &header, &checkpoint.note).map_err(TrustError::Checkpoint)?;
        if header.genesis != genesis.hash() {
            return Err(TrustError::Genesis(GenesisError::Rule("the pinned header is of another network")));
        }
        Ok(Self { checkpoint: Some(checkpoint), pinned: Some((header, epoch)), ..Self::from_genesis(genesis) })
    }

    /// Reads a trust file.
    pub fn from_json(bytes: &[u8]) -> Result<Self, TrustError> {
        if bytes.len() > TRUST_BYTES_MAX {
            return Err(TrustError::TooLarge);
        }
        let document: TrustDocument = codec::from_any_spacing(bytes)?;
        if document.v != 1 || document.r#type != "testamur-trust" {
            return Err(TrustError::Kind);
        }
        // The genesis goes through its own door, so that every rule of it holds.
        let genesis = Genesis::from_json(&codec::canonical(&document.genesis))?;
        match document.checkpoint {
            None => Ok(Self::from_genesis(genesis)),
            Some(checkpoint) => Self::with_checkpoint(genesis, checkpoint),
        }
    }

    /// The canonical text of this trust file.
    pub fn to_json(&self) -> String {
        let document = TrustDocument {
            v: 1,
            r#type: "testamur-trust".into(),
            genesis: self.genesis.clone(),
            checkpoint: self.checkpoint.clone(),
        };
        String::from_utf8(codec::canonical(&document)).expect("JSON is UTF-8")
    }

    /// SHA-256 of the canonical text: what people compare by telephone.
    pub fn fingerprint(&self) -> String {
        hex::encode(sha256(&[self.to_json().as_bytes()]))
    }

    /// The genesis.
    pub fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// The network.
    pub fn network(&self) -> GenesisHash {
        self.hash
    }

    /// The origin.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The pinned header and its epoch, if there is one.
    pub fn pinned(&self) -> Option<(&Header, &TrustedEpoch)> {
        self.pinned.as_ref().map(|(header, epoch)| (header, epoch))
    }

    /// The pinned checkpoint as it stands in the file, if there is one.
    pub fn checkpoint(&self) -> Option<&PinnedCheckpoint> {
        self.checkpoint.as_ref()
    }

    /// Where epoch chains start: genesis' set, epoch 0.
    pub fn genesis_epoch(&self) -> TrustedEpoch {
        TrustedEpoch { epoch: Epoch(0), validators: self.genesis.validator_set() }
    }
}
