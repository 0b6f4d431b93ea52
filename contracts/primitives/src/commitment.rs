//! What stands for a document on the ledger: a digest, or a salted commitment to one; and batch trees over them.
//!
//! ```text
//! commitment = SHA-256("testamur/commit/v1\0" ‖ alg ‖ salt ‖ digest)                  alg 1 byte, salt 32 bytes
//! leaf data  = "testamur/leaf/v1\0" ‖ form ‖ alg ‖ (commitment or digest)             form 1 byte: 0 digest, 1 commitment
//! batch root = RFC 6962 over the leaf data in the order given
//! ```
//! Salted by default: a guessable hash of personal data is personal data, and a path's siblings are other
//! people's documents. Deleting the salt is the erasure.

use serde::{Deserialize, Serialize};

use crate::codec::{self, sha256};
use crate::hash::TreeHash;
use crate::merkle::{self, MerkleError};

/// Algorithm of a document's digest. The number is the byte in leaves and commitments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum DigestAlgorithm {
    /// SHA-256 (FIPS 180-4).
    #[serde(rename = "sha2-256")]
    Sha2_256 = 1,
    /// SHA-384 (FIPS 180-4).
    #[serde(rename = "sha2-384")]
    Sha2_384 = 2,
    /// SHA-512 (FIPS 180-4).
    #[serde(rename = "sha2-512")]
    Sha2_512 = 3,
    /// SHA3-256 (FIPS 202).
    #[serde(rename = "sha3-256")]
    Sha3_256 = 4,
    /// SHA3-384 (FIPS 202).
    #[serde(rename = "sha3-384")]
    Sha3_384 = 5,
    /// SHA3-512 (FIPS 202).
    #[serde(rename = "sha3-512")]
    Sha3_512 = 6,
}

impl DigestAlgorithm {
    /// All algorithms, in order of their numbers.
    pub const ALL: [Self; 6] =
        [Self::Sha2_256, Self::Sha2_384, Self::Sha2_512, Self::Sha3_256, Self::Sha3_384, Self::Sha3_512];

    /// Bytes of a digest.
    pub const fn digest_bytes(self) -> usize {
        match self {
            Self::Sha2_256 | Self::Sha3_256 => 32,
            Self::Sha2_384 | Self::Sha3_384 => 48,
            Self::Sha2_512 | Self::Sha3_512 => 64,
        }
    }

    /// Name as in records (multicodec's names).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha2_256 => "sha2-256",
            Self::Sha2_384 => "sha2-384",
            Self::Sha2_512 => "sha2-512",
            Self::Sha3_256 => "sha3-256",
            Self::Sha3_384 => "sha3-384",
            Self::Sha3_512 => "sha3-512",
        }
    }

    /// The algorithm of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|a| a.name() == name)
    }
}

/// How an entry stands for its document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// The plain digest: found by hash, guessable.
    Digest = 0,
    /// A salted commitment: only who holds the receipt can show it.
    Commitment = 1,
}

/// A document's digest of the length its algorithm has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentDigest {
    algorithm: DigestAlgorithm,
    bytes: Vec<u8>,
}

impl DocumentDigest {
    /// Takes digest bytes; `None` when the length is not the algorithm's.
    pub fn new(algorithm: DigestAlgorithm, bytes: Vec<u8>) -> Option<Self> {
        (bytes.len() == algorithm.digest_bytes()).then_some(Self { algorithm, bytes })
    }

    /// Its algorithm.
    pub fn algorithm(&self) -> DigestAlgorithm {
        self.algorithm
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Commits to this digest under a salt.
    pub fn commit(&self, salt: &Salt) -> [u8; 32] {
        sha256(&[b"testamur/commit/v1\0", &[self.algorithm as u8], &salt.0, &self.bytes])
    }
}

/// 32 random bytes that make a commitment unguessable. It lives in the receipt alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Salt([u8; 32]);

impl Salt {
    /// Takes random bytes; the caller answers for their randomness.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl core::fmt::Debug for Salt {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Salt(…)")
    }
}

/// One leaf of a batch: what stands for a document, and the opening that shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchLeaf {
    /// The document's digest.
    pub digest: DocumentDigest,
    /// The salt, for a commitment.
    pub salt: Option<Salt>,
}

impl BatchLeaf {
    /// The form of the leaf.
    pub fn form(&self) -> Form {
        if self.salt.is_some() { Form::Commitment } else { Form::Digest }
    }

    /// The value in a `notarise` entry: commitment or digest.
    pub fn entry(&self) -> Vec<u8> {
        match &self.salt {
            Some(salt) => self.digest.commit(salt).to_vec(),
            None => self.digest.bytes.clone(),
        }
    }

    /// The leaf data of a batch tree.
    pub fn leaf_data(&self) -> Vec<u8> {
        let mut data = b"testamur/leaf/v1\0".to_vec();
        data.push(self.form() as u8);
        data.push(self.digest.algorithm as u8);
        data.extend_from_slice(&self.entry());
        data
    }

    /// The RFC 6962 hash of the leaf.
    pub fn leaf_hash(&self) -> TreeHash {
        merkle::leaf_hash(&self.leaf_data())
    }
}

/// The opening of one document of a record: goes into the receipt, never onto the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    /// Zero-based place in the record's entries or in the batch: the author's claim.
    #[serde(deserialize_with = "crate::units::json_integer")]
    pub index: u64,
    /// Algorithm of the digest.
    pub alg: DigestAlgorithm,
    /// The document's digest.
    #[serde(with = "codec::serde_base64url")]
    pub digest: Vec<u8>,
    /// Salt of the commitment; absent for a plain digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<SaltText>,
    /// Path in the batch tree; absent for a `notarise` record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<Vec<TreeHash>>,
}

impl Opening {
    /// The leaf this opening claims; `None` when the digest has the wrong length.
    pub fn leaf(&self) -> Option<BatchLeaf> {
        let digest = DocumentDigest::new(self.alg, self.digest.clone())?;
        Some(BatchLeaf { digest, salt: self.salt.as_ref().map(|s| s.0.clone()) })
    }

    /// Checks this opening against a batch's root and count.
    pub fn verify_batch(&self, root: TreeHash, count: u64) -> Result<(), MerkleError> {
        let leaf = self.leaf().ok_or(MerkleError::Length)?;
        let path = self.path.as_deref().ok_or(MerkleError::Length)?;
        merkle::verify_inclusion(leaf.leaf_hash(), self.index, count, path, root)
    }
}

/// A salt as it stands in a receipt: base64url.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaltText(pub Salt);

impl Serialize for SaltText {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&codec::base64url(self.0.as_bytes()))
    }
}

impl<'de> Deserialize<'de> for SaltText {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = codec::serde_base64url::deserialize(deserializer)?;
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| serde::de::Error::custom("a salt has 32 bytes"))?;
        Ok(Self(Salt::from_bytes(bytes)))
    }
}
