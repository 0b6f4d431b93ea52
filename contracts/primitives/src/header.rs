//! A block's header: everything that a decision binds, in RFC 8785 form.
//!
//! ```text
//! header hash = SHA-256("testamur/header/v1\n" ‖ text)
//! ```
//! Never the round, never a certificate: those differ between honest nodes. `history_root` is the RFC 6962 root over
//! the hashes of all earlier headers (leaf data = 32 bytes of header hash; leaf index = height), so one later trusted
//! checkpoint proves every older header and state.

use serde::{Deserialize, Serialize};

use crate::checkpoint::ValueId;
use crate::codec::{self, CodecError, sha256};
use crate::hash::{Address, GenesisHash, HeaderHash, ParametersHash, StateRoot, TreeHash, ValidatorsHash};
use crate::limits::HEADER_BYTES_MAX;
use crate::units::{Epoch, Height, LogSize, UnixTime};

/// A header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Format version: 1.
    pub v: u8,
    /// The network.
    pub genesis: GenesisHash,
    /// Protocol version whose rules hold at this height.
    pub protocol: u32,
    /// Height; genesis is 0.
    pub height: Height,
    /// Block time: not before the parent's; the one clock of the ledger.
    pub time: UnixTime,
    /// Hash of the header before.
    pub previous: HeaderHash,
    /// RFC 6962 root over the hashes of the headers 0 … height−1.
    pub history_root: TreeHash,
    /// Records in the log after this block.
    pub log_size: LogSize,
    /// Root of the log after this block.
    pub log_root: TreeHash,
    /// Root of the state after this block.
    pub state_root: StateRoot,
    /// Epoch: set changes so far.
    pub epoch: Epoch,
    /// The set that decides this height.
    pub validators_hash: ValidatorsHash,
    /// The set that decides the next height.
    pub next_validators_hash: ValidatorsHash,
    /// The parameters in force.
    pub parameters_hash: ParametersHash,
    /// Last header of the epoch before this one; for epoch 0, genesis (whose own entry is zero).
    pub epoch_header: HeaderRef,
    /// Address of the validator that first proposed this block.
    pub proposer: Address,
}

/// A header by height and hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeaderRef {
    /// Its height.
    pub height: Height,
    /// Its hash.
    pub hash: HeaderHash,
}

impl Header {
    /// The canonical text.
    pub fn encode(&self) -> Vec<u8> {
        codec::canonical(self)
    }

    /// The canonical text as a string.
    pub fn text(&self) -> String {
        String::from_utf8(self.encode()).expect("JSON is UTF-8")
    }

    /// Reads a canonical header.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        if bytes.len() > HEADER_BYTES_MAX {
            return Err(CodecError::Json("header too long".into()));
        }
        let header: Self = codec::from_canonical(bytes)?;
        if header.v != 1 {
            return Err(CodecError::Json(format!("header version {} is unknown", header.v)));
        }
        Ok(header)
    }

    /// Its hash.
    pub fn hash(&self) -> HeaderHash {
        HeaderHash::from_bytes(sha256(&[b"testamur/header/v1\n", &self.encode()]))
    }

    /// What validators vote on: derived from the header, never taken from the wire.
    pub fn value_id(&self) -> ValueId {
        ValueId { log_size: self.log_size, log_root: self.log_root, time: self.time, header: self.hash() }
    }
}
