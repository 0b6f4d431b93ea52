//! Why bytes are not a record.

use super::RECORD_TYP;
use crate::codec::CodecError;
use crate::did::DidError;
use crate::hash::GenesisHash;
use crate::key::KeyError;
use crate::limits::{RECORD_AHEAD_S_MAX, RECORD_BYTES_MAX, RECORD_LIFE_S_MAX};
use crate::units::UnixTime;

/// Why bytes are not a record, or not one of this network now. Closed: codes are part of the protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Above 65,535 bytes.
    #[error("the record has {0} bytes; at most {RECORD_BYTES_MAX} are allowed: split it, or use a batch")]
    TooLarge(usize),
    /// Not three base64url parts of ASCII.
    #[error("not a compact JWS: expected header.payload.signature in unpadded base64url")]
    NotCompactJws,
    /// Header not strict JSON of the allowed members.
    #[error("the JOSE header is refused: {0}; allowed members are alg, kid, typ, cty, x5c, x5t#S256, iat")]
    Header(CodecError),
    /// An `alg` that is not accepted (`none` among them).
    #[error("the algorithm {0:?} is not accepted: use ES256, ES384, ES256K, EdDSA or Ed25519")]
    Algorithm(String),
    /// A `typ` or `cty` other than the format's.
    #[error("typ must be {RECORD_TYP:?} and cty, if given, \"json\"")]
    Type,
    /// A seal with certificate.
    #[error("x5c, x5t#S256 and header iat belong to seals, which protocol 1 does not accept yet")]
    Seal,
    /// Payload not canonical JSON of the format.
    #[error("the payload is refused: {0}")]
    Payload(CodecError),
    /// A payload version other than 1.
    #[error("payload version {0} is unknown: this network speaks version 1")]
    Version(u8),
    /// `kid` is not a key of the author.
    #[error("kid must be a key id of the payload's iss")]
    KeyNotOfAuthor,
    /// The author's DID or key id cannot be used.
    #[error("the author's key id is refused: {0}")]
    Key(DidError),
    /// Signature or algorithm does not fit the key.
    #[error("{0}")]
    Signature(KeyError),
    /// Number of entries out of range.
    #[error("a record like this holds 1 to {most} entries, this one {found}: use a batch, or more records")]
    EntryCount {
        /// Its entries.
        found: usize,
        /// The most allowed.
        most: usize,
    },
    /// An entry of the wrong length.
    #[error("entry {index} has {found} bytes, expected {expected} for its alg and form")]
    EntryLength {
        /// Which entry.
        index: usize,
        /// Its bytes.
        found: usize,
        /// The bytes that alg and form demand.
        expected: usize,
    },
    /// Batch count out of range.
    #[error("a batch counts 1 to 2^32 documents")]
    BatchCount,
    /// Made for another network.
    #[error("the record is for network {0}, not for this one")]
    WrongNetwork(GenesisHash),
    /// `exp` not within 24 hours after `iat`.
    #[error("exp must be after iat, by at most {RECORD_LIFE_S_MAX} s")]
    Life,
    /// Expired or older than 24 hours.
    #[error("the record is too old: iat {iat}, exp {exp}, block time {time}; sign it anew")]
    TooOld {
        /// When it says it was made.
        iat: UnixTime,
        /// When it expires.
        exp: UnixTime,
        /// Time of the block.
        time: UnixTime,
    },
    /// From the future.
    #[error(
        "the record is too early: iat {iat} is more than {RECORD_AHEAD_S_MAX} s after block time {time}; check the author's clock"
    )]
    TooEarly {
        /// When it says it was made.
        iat: UnixTime,
        /// Time of the block.
        time: UnixTime,
    },
}

impl RecordError {
    /// Stable slug and number.
    pub fn code(&self) -> (&'static str, u16) {
        match self {
            Self::TooLarge(_) => ("record.too-large", 100),
            Self::NotCompactJws => ("record.not-compact-jws", 101),
            Self::Header(_) => ("record.header", 102),
            Self::Algorithm(_) => ("record.algorithm", 103),
            Self::Type => ("record.type", 104),
            Self::Seal => ("record.seal", 105),
            Self::Payload(_) => ("record.payload", 106),
            Self::Version(_) => ("record.version", 107),
            Self::KeyNotOfAuthor => ("record.key-not-of-author", 108),
            Self::Key(_) => ("record.key", 109),
            Self::Signature(_) => ("record.signature", 110),
            Self::EntryCount { .. } => ("record.entry-count", 111),
            Self::EntryLength { .. } => ("record.entry-length", 112),
            Self::BatchCount => ("record.batch-count", 113),
            Self::WrongNetwork(_) => ("record.wrong-network", 114),
            Self::Life => ("record.life", 115),
            Self::TooOld { .. } => ("record.too-old", 116),
            Self::TooEarly { .. } => ("record.too-early", 117),
        }
    }
}
