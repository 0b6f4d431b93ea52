//! Public and signing keys of authors and validators, and the one rule for each kind of signature.
//!
//! **Ed25519**: canonical A and R, neither of small order, S < L, and the bytes of `[S]B − [k]A` equal R. Batch and
//! cofactored verification accept more; a certificate must mean the same to every verifier. C2SP CCTV's vectors decide.
//! **ECDSA**: fixed-length `r ‖ s`; a high S is legal (half of what OpenSSL makes has one), so records are compared
//! by id, never by bytes. Wycheproof's vectors decide.

use ed25519_dalek::Signer as _;
use k256::ecdsa::signature::Verifier as _;
use p256::elliptic_curve::sec1::ToSec1Point as _;
use serde::{Deserialize, Serialize};

use crate::codec::{base64url, from_base64url};
use crate::generations::Generations;
use crate::limits::VALIDATOR_KEYS_REMEMBERED_MAX;

/// JWS algorithm of a record (RFC 7518 §3.1, RFC 8037, RFC 8812, RFC 9864).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum JwsAlgorithm {
    /// ECDSA P-256 with SHA-256.
    ES256,
    /// ECDSA P-384 with SHA-384.
    ES384,
    /// ECDSA secp256k1 with SHA-256.
    ES256K,
    /// Ed25519 under its older, polymorphic name.
    EdDSA,
    /// Ed25519 under its fully specified name (RFC 9864).
    Ed25519,
}

impl JwsAlgorithm {
    /// The algorithm of an `alg` value; `none` and everything unknown have none.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "ES256" => Self::ES256,
            "ES384" => Self::ES384,
            "ES256K" => Self::ES256K,
            "EdDSA" => Self::EdDSA,
            "Ed25519" => Self::Ed25519,
            _ => return None,
        })
    }
}

/// Kinds of keys that sign records, by the name of their curve in a JWK.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyKind {
    /// Ed25519.
    Ed25519,
    /// P-256.
    P256,
    /// P-384.
    P384,
    /// secp256k1.
    Secp256k1,
}

impl KeyKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Ed25519, Self::P256, Self::P384, Self::Secp256k1];

    /// Its name: the `crv` of its JWK.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "Ed25519",
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::Secp256k1 => "secp256k1",
        }
    }

    /// The kind of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Why a key or signature was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Bytes that are no point of the curve, or not in their one encoding.
    #[error("not a valid public key of its curve in canonical form")]
    BadPublicKey,
    /// The header's `alg` does not belong to the key.
    #[error("the signature algorithm does not belong to this kind of key")]
    WrongAlgorithm,
    /// The signature does not verify.
    #[error("the signature does not verify")]
    BadSignature,
}

/// A public key, known to lie on its curve.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PublicKey {
    /// Ed25519, 32 bytes, canonical and not of small order.
    Ed25519([u8; 32]),
    /// P-256, SEC1 compressed, 33 bytes.
    P256([u8; 33]),
    /// P-384, SEC1 compressed, 49 bytes.
    P384(Box<[u8; 49]>),
    /// secp256k1, SEC1 compressed, 33 bytes.
    Secp256k1([u8; 33]),
}

/// A public JWK with its required members only (RFC 7517; RFC 7638 §3.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jwk {
    /// Curve.
    pub crv: String,
    /// Key type: `EC` or `OKP`.
    pub kty: String,
    /// x coordinate, or the whole key for OKP.
    pub x: String,
    /// y coordinate; absent for OKP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub y: Option<String>,
}

impl PublicKey {
    /// An Ed25519 key; refuses non-canonical encodings and small order.
    pub fn ed25519(bytes: [u8; 32]) -> Result<Self, KeyError> {
        ed25519_point(&bytes)?;
        Ok(Self::Ed25519(bytes))
    }

    /// A P-256 key from SEC1 bytes (compressed or not).
    pub fn p256(sec1: &[u8]) -> Result<Self, KeyError> {
        let key = p256::PublicKey::from_sec1_bytes(sec1).map_err(|_| KeyError::BadPublicKey)?;
        let bytes = key.to_sec1_point(true);
        Ok(Self::P256(bytes.as_bytes().try_into().map_err(|_| KeyError::BadPublicKey)?))
    }

    /// A P-384 key from SEC1 bytes (compressed or not).
    pub fn p384(sec1: &[u8]) -> Result<Self, KeyError> {
        let key = p384::PublicKey::from_sec1_bytes(sec1).map_err(|_| KeyError::BadPublicKey)?;
        let bytes = key.to_sec1_point(true);
        let bytes: [u8; 49] = bytes.as_bytes().try_into().map_err(|_| KeyError::BadPublicKey)?;
        Ok(Self::P384(Box::new(bytes)))
    }

    /// A secp256k1 key from SEC1 bytes (compressed or not).
    pub fn secp256k1(sec1: &[u8]) -> Result<Self, KeyError> {
        let key = k256::PublicKey::from_sec1_bytes(sec1).map_err(|_| KeyError::BadPublicKey)?;
        let bytes = key.to_sec1_point(true);
        Ok(Self::Secp256k1(bytes.as_bytes().try_into().map_err(|_| KeyError::BadPublicKey)?))
    }

    /// The key's bytes: Ed25519 as it is, elliptic curves SEC1 compressed.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Ed25519(bytes) => bytes,
            Self::P256(bytes) | Self::Secp256k1(bytes) => bytes,
            Self::P384(bytes) => bytes.as_slice(),
        }
    }

    /// Its kind.
    pub fn kind(&self) -> KeyKind {
        match self {
            Self::Ed25519(_) => KeyKind::Ed25519,
            Self::P256(_) => KeyKind::P256,
            Self::P384(_) => KeyKind::P384,
            Self::Secp256k1(_) => KeyKind::Secp256k1,
        }
    }

    /// The algorithm that new signatures of this key use.
    pub fn algorithm(&self) -> JwsAlgorithm {
        match self {
            Self::Ed25519(_) => JwsAlgorithm::EdDSA,
            Self::P256(_) => JwsAlgorithm::ES256,
            Self::P384(_) => JwsAlgorithm::ES384,
            Self::Secp256k1(_) => JwsAlgorithm::ES256K,
        }
    }

    /// Verifies a JWS signature; `alg` is fixed by the key's type and curve.
    pub fn verify(&self, alg: JwsAlgorithm, message: &[u8], signature: &[u8]) -> Result<(), KeyError> {
        self.ready()?.verify(alg, message, signature)
    }

    /// The key with its point decoded, for whoever verifies many signatures with it.
    pub fn ready(&self) -> Result<ReadyKey, KeyError> {
        Ok(ReadyKey(match self {
            Self::Ed25519(key) => Ready::Ed25519(ed25519_point(key)?),
            Self::P256(key) => {
                let point = p256::PublicKey::from_sec1_bytes(key).map_err(|_| KeyError::BadPublicKey)?;
                Ready::P256(point.to_sec1_point(false).as_bytes().into())
            }
            Self::P384(key) => {
                let point = p384::PublicKey::from_sec1_bytes(key.as_slice()).map_err(|_| KeyError::BadPublicKey)?;
                Ready::P384(point.to_sec1_point(false).as_bytes().into())
            }
            Self::Secp256k1(key) => {
                Ready::Secp256k1(k256::ecdsa::VerifyingKey::from_sec1_bytes(key).map_err(|_| KeyError::BadPublicKey)?)
            }
        }))
    }

    /// The key as a JWK.
    pub fn to_jwk(&self) -> Jwk {
        let ec = |crv: &str, point: &[u8]| {
            let half = (point.len() - 1) / 2;
            Jwk {
                crv: crv.into(),
                kty: "EC".into(),
                x: base64url(&point[1..=half]),
                y: Some(base64url(&point[half + 1..])),
            }
        };
        let valid = "the constructor checked the point";
        match self {
            Self::Ed25519(key) => Jwk { crv: "Ed25519".into(), kty: "OKP".into(), x: base64url(key), y: None },
            Self::P256(key) => {
                ec("P-256", p256::PublicKey::from_sec1_bytes(key).expect(valid).to_sec1_point(false).as_bytes())
            }
            Self::P384(key) => ec(
                "P-384",
                p384::PublicKey::from_sec1_bytes(key.as_slice()).expect(valid).to_sec1_point(false).as_bytes(),
            ),
            Self::Secp256k1(key) => {
                ec("secp256k1", k256::PublicKey::from_sec1_bytes(key).expect(valid).to_sec1_point(false).as_bytes())
            }
        }
    }

    /// Reads a JWK; coordinates must have the curve's full length.
    pub fn from_jwk(jwk: &Jwk) -> Result<Self, KeyError> {
        let coordinate = |text: &str, bytes: usize| {
            from_base64url(text).ok().filter(|c| c.len() == bytes).ok_or(KeyError::BadPublicKey)
        };
        let point = |bytes: usize| -> Result<Vec<u8>, KeyError> {
            let y = jwk.y.as_deref().ok_or(KeyError::BadPublicKey)?;
            Ok([vec![4], coordinate(&jwk.x, bytes)?, coordinate(y, bytes)?].concat())
        };
        match (jwk.kty.as_str(), jwk.crv.as_str()) {
            ("OKP", "Ed25519") if jwk.y.is_none() => {
                let x: [u8; 32] = coordinate(&jwk.x, 32)?.try_into().map_err(|_| KeyError::BadPublicKey)?;
                Self::ed25519(x)
            }
            ("EC", "P-256") => Self::p256(&point(32)?),
            ("EC", "P-384") => Self::p384(&point(48)?),
            ("EC", "secp256k1") => Self::secp256k1(&point(32)?),
            _ => Err(KeyError::BadPublicKey),
        }
    }
}

/// A public key with its point decoded: decoding costs a good part of what verifying does.
#[derive(Debug, Clone)]
pub struct ReadyKey(Ready);

#[derive(Debug, Clone)]
enum Ready {
    Ed25519(ed25519_dalek::VerifyingKey),
    /// SEC1, not compressed, as ring wants it.
    P256(Box<[u8]>),
    /// Likewise.
    P384(Box<[u8]>),
    Secp256k1(k256::ecdsa::VerifyingKey),
}

impl ReadyKey {
    /// As [`PublicKey::verify`].
    pub fn verify(&self, alg: JwsAlgorithm, message: &[u8], signature: &[u8]) -> Result<(), KeyError> {
        match (&self.0, alg) {
            (Ready::Ed25519(key), JwsAlgorithm::EdDSA | JwsAlgorithm::Ed25519) => {
                let signature: &[u8; 64] = signature.try_into().map_err(|_| KeyError::BadSignature)?;
                let signature = ed25519_dalek::Signature::from_bytes(signature);
                key.verify_strict(message, &signature).map_err(|_| KeyError::BadSignature)
            }
            (Ready::P256(point), JwsAlgorithm::ES256) => {
                verify_ring(&ring::signature::ECDSA_P256_SHA256_FIXED, point, message, signature)
            }
            (Ready::P384(point), JwsAlgorithm::ES384) => {
                verify_ring(&ring::signature::ECDSA_P384_SHA384_FIXED, point, message, signature)
            }
            (Ready::Secp256k1(key), JwsAlgorithm::ES256K) => {
                let signature = k256::ecdsa::Signature::from_slice(signature).map_err(|_| KeyError::BadSignature)?;
                key.verify(message, &signature.normalize_s()).map_err(|_| KeyError::BadSignature)
            }
            _ => Err(KeyError::WrongAlgorithm),
        }
    }
}

/// Verifies an Ed25519 signature by the strict rule of this module.
pub fn verify_ed25519(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> Result<(), KeyError> {
    let key = ed25519_point(key)?;
    let signature = ed25519_dalek::Signature::from_bytes(signature);
    key.verify_strict(message, &signature).map_err(|_| KeyError::BadSignature)
}

/// Keys that were found to lie in the prime-order subgroup.
static TORSION_FREE: Generations<[u8; 32], ()> = Generations::new(VALIDATOR_KEYS_REMEMBERED_MAX);

/// Whether an Ed25519 key lies in the prime-order subgroup, as validators' keys must.
///
/// A network's keys stand in every receipt and every evidence, and finding this out costs as much as verifying a signature;
/// so the keys that do are remembered. The answer is a property of the bytes: remembering changes only how long it takes.
pub fn is_torsion_free(key: &[u8; 32]) -> bool {
    if TORSION_FREE.get(key).is_some() {
        return true;
    }
    // Not under the lock: others read on meanwhile, and what two find out is the same.
    let is_free = ed25519_point(key).is_ok_and(|key| key.to_edwards().is_torsion_free());
    if is_free {
        TORSION_FREE.put(*key, (), 1);
    }
    is_free
}

/// Decodes a canonical point that is not of small order.
fn ed25519_point(bytes: &[u8; 32]) -> Result<ed25519_dalek::VerifyingKey, KeyError> {
    // The encoding of y must be below p = 2^255 − 19; x = 0 with the sign bit set has small order and falls below.
    let mut y = *bytes;
    y[31] &= 0x7f;
    let below_p = y[31] != 0x7f || y[1..31].iter().any(|b| *b != 0xff) || y[0] < 0xed;
    let key = ed25519_dalek::VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::BadPublicKey)?;
    if !below_p || key.is_weak() {
        return Err(KeyError::BadPublicKey);
    }
    Ok(key)
}

fn verify_ring(
    algorithm: &'static ring::signature::EcdsaVerificationAlgorithm,
    point: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<(), KeyError> {
    ring::signature::UnparsedPublicKey::new(algorithm, point)
        .verify(message, signature)
        .map_err(|_| KeyError::BadSignature)
}

/// A signing key. Secret bytes are wiped when dropped; `Debug` shows none.
pub enum SigningKey {
    /// Ed25519.
    Ed25519(ed25519_dalek::SigningKey),
    /// P-256.
    P256(p256::ecdsa::SigningKey),
    /// P-384.
    P384(Box<p384::ecdsa::SigningKey>),
    /// secp256k1.
    Secp256k1(k256::ecdsa::SigningKey),
}

impl core::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "SigningKey({:?})", self.public_key())
    }
}

impl SigningKey {
    /// An Ed25519 key from its 32-byte seed.
    pub fn ed25519(seed: &[u8; 32]) -> Self {
        Self::Ed25519(ed25519_dalek::SigningKey::from_bytes(seed))
    }

    /// A P-256 key from its 32-byte scalar.
    pub fn p256(scalar: &[u8]) -> Result<Self, KeyError> {
        p256::ecdsa::SigningKey::from_slice(scalar).map(Self::P256).map_err(|_| KeyError::BadPublicKey)
    }

    /// A P-384 key from its 48-byte scalar.
    pub fn p384(scalar: &[u8]) -> Result<Self, KeyError> {
        p384::ecdsa::SigningKey::from_slice(scalar).map(|k| Self::P384(Box::new(k))).map_err(|_| KeyError::BadPublicKey)
    }

    /// A secp256k1 key from its 32-byte scalar.
    pub fn secp256k1(scalar: &[u8]) -> Result<Self, KeyError> {
        k256::ecdsa::SigningKey::from_slice(scalar).map(Self::Secp256k1).map_err(|_| KeyError::BadPublicKey)
    }

    /// The public half.
    pub fn public_key(&self) -> PublicKey {
        let valid = "a signing key has a valid public key";
        match self {
            Self::Ed25519(key) => PublicKey::Ed25519(key.verifying_key().to_bytes()),
            Self::P256(key) => PublicKey::p256(key.verifying_key().to_sec1_point(true).as_bytes()).expect(valid),
            Self::P384(key) => PublicKey::p384(key.verifying_key().to_sec1_point(true).as_bytes()).expect(valid),
            Self::Secp256k1(key) => {
                PublicKey::secp256k1(key.verifying_key().to_sec1_point(true).as_bytes()).expect(valid)
            }
        }
    }

    /// Signs; deterministic (RFC 8032, RFC 6979).
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Ed25519(key) => key.sign(message).to_bytes().to_vec(),
            Self::P256(key) => {
                let signature: p256::ecdsa::Signature = key.sign(message);
                signature.to_bytes().to_vec()
            }
            Self::P384(key) => {
                let signature: p384::ecdsa::Signature = key.sign(message);
                signature.to_bytes().to_vec()
            }
            Self::Secp256k1(key) => {
                let signature: k256::ecdsa::Signature = key.sign(message);
                signature.to_bytes().to_vec()
            }
        }
    }
}
