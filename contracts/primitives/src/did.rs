//! Decentralised identifiers (W3C DID Core 1.0 §3.1) and the `did:key` method.
//!
//! The codecs of `did:key` (multicodec, unsigned varint before the key bytes): `ed25519-pub` 0xed, `secp256k1-pub`
//! 0xe7, `p256-pub` 0x1200, `p384-pub` 0x1201, and EBSI's `jwk_jcs-pub` 0xeb51 whose body is the public JWK in
//! RFC 8785 form. A key id is `did:key:z…#z…`.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::codec;
use crate::key::{Jwk, PublicKey};
use crate::limits::DID_CHARS_MAX;

/// Method name of a ledger's own DIDs, unless its genesis says otherwise.
pub const LEDGER_METHOD: &str = "ebsi";

/// Why a DID or key id was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DidError {
    /// Not `did:method:id` in the allowed characters, or too long.
    #[error("not a DID: expected did:<method>:<id> of at most {DID_CHARS_MAX} characters")]
    Syntax,
    /// A method that this protocol version does not know.
    #[error("unknown DID method: this network knows did:key")]
    UnknownMethod,
    /// A did:key whose multibase, codec or key is wrong.
    #[error("not a valid did:key: expected z + base58btc of a known key type")]
    BadKey,
    /// A key id whose fragment does not name the key of its did:key.
    #[error("the key id's fragment must be the identifier of its did:key")]
    Fragment,
}

/// A DID of a syntax that is safe to print, to store and to put in a URL path.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Did(String);

impl Did {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is a did:key, whose key is in its name.
    pub fn is_key(&self) -> bool {
        self.0.starts_with("did:key:")
    }

    /// A DID of a ledger, in the form of EBSI's legal entities: `did:<method>:z` + base58btc(0x01 ‖ 16 bytes).
    ///
    /// # Panics
    /// When the method is not 1 to 16 lower-case letters and digits: genesis checks it.
    pub fn of_ledger(method: &str, random: &[u8; 16]) -> Self {
        let id = bs58::encode([&[1], random.as_slice()].concat()).into_string();
        format!("did:{method}:z{id}").parse().expect("a method name and base58 make a DID")
    }

    /// The method's name.
    pub fn method(&self) -> &str {
        self.0.split(':').nth(1).expect("checked when parsed")
    }

    /// Whether it has the form of [`Did::of_ledger`], for any method.
    pub fn is_of_ledger(&self) -> bool {
        let id = self.0.splitn(3, ':').nth(2).and_then(|id| id.strip_prefix('z'));
        !self.is_key()
            && id
                .and_then(|id| bs58::decode(id).into_vec().ok())
                .is_some_and(|bytes| bytes.len() == 17 && bytes[0] == 1)
    }

    /// The did:key of a key, with its own codec (not `jwk_jcs-pub`).
    pub fn key(key: &PublicKey) -> Self {
        let codec: &[u8] = match key {
            PublicKey::Ed25519(_) => &[0xed, 0x01],
            PublicKey::Secp256k1(_) => &[0xe7, 0x01],
            PublicKey::P256(_) => &[0x80, 0x24],
            PublicKey::P384(_) => &[0x81, 0x24],
        };
        Self::from_multikey(codec, key.as_bytes())
    }

    /// EBSI's form of did:key for natural persons: `jwk_jcs-pub`.
    pub fn jwk_jcs_key(key: &PublicKey) -> Self {
        Self::from_multikey(&[0xd1, 0xd6, 0x03], &codec::canonical(&key.to_jwk()))
    }

    fn from_multikey(codec: &[u8], body: &[u8]) -> Self {
        Self(format!("did:key:z{}", bs58::encode([codec, body].concat()).into_string()))
    }

    /// The key that a did:key names.
    pub fn to_key(&self) -> Result<PublicKey, DidError> {
        let id = self.0.strip_prefix("did:key:").ok_or(DidError::UnknownMethod)?;
        let encoded = id.strip_prefix('z').ok_or(DidError::BadKey)?;
        let bytes = bs58::decode(encoded).into_vec().map_err(|_| DidError::BadKey)?;
        let key = match bytes.as_slice() {
            [0xed, 0x01, body @ ..] => body.try_into().ok().and_then(|b| PublicKey::ed25519(b).ok()),
            // Compressed points only (RFC 5480 §2.2, tags 2 and 3): one spelling a key.
            [0xe7, 0x01, 2 | 3, ..] if bytes.len() == 35 => PublicKey::secp256k1(&bytes[2..]).ok(),
            [0x80, 0x24, 2 | 3, ..] if bytes.len() == 35 => PublicKey::p256(&bytes[2..]).ok(),
            [0x81, 0x24, 2 | 3, ..] if bytes.len() == 51 => PublicKey::p384(&bytes[2..]).ok(),
            [0xd1, 0xd6, 0x03, body @ ..] => {
                codec::from_canonical::<Jwk>(body).ok().and_then(|jwk| PublicKey::from_jwk(&jwk).ok())
            }
            _ => None,
        };
        key.ok_or(DidError::BadKey)
    }

    /// The key id (`kid`) of a did:key.
    pub fn key_id(&self) -> Option<DidUrl> {
        let id = self.0.strip_prefix("did:key:")?;
        Some(DidUrl(format!("{}#{id}", self.0)))
    }
}

impl FromStr for Did {
    type Err = DidError;
    fn from_str(text: &str) -> Result<Self, DidError> {
        let rest = text.strip_prefix("did:").ok_or(DidError::Syntax)?;
        let (method, id) = rest.split_once(':').ok_or(DidError::Syntax)?;
        let method_ok = !method.is_empty() && method.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let id_ok = !id.is_empty()
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':'))
            && !id.ends_with(':');
        if text.len() > DID_CHARS_MAX || !method_ok || !id_ok {
            return Err(DidError::Syntax);
        }
        Ok(Self(text.to_owned()))
    }
}

/// A key id: a DID and a fragment.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DidUrl(String);

impl DidUrl {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The DID before the `#`.
    pub fn did(&self) -> Did {
        Did(self.0.split('#').next().expect("split yields at least one part").to_owned())
    }

    /// The part after the `#`.
    pub fn fragment(&self) -> &str {
        self.0.split_once('#').expect("checked when parsed").1
    }

    /// The key that this key id of a did:key names.
    pub fn to_key(&self) -> Result<PublicKey, DidError> {
        let did = self.did();
        let key = did.to_key()?;
        if did.as_str().strip_prefix("did:key:") != Some(self.fragment()) {
            return Err(DidError::Fragment);
        }
        Ok(key)
    }
}

impl FromStr for DidUrl {
    type Err = DidError;
    fn from_str(text: &str) -> Result<Self, DidError> {
        let (did, fragment) = text.split_once('#').ok_or(DidError::Syntax)?;
        did.parse::<Did>()?;
        let fragment_ok = !fragment.is_empty()
            && fragment.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
        if !fragment_ok || text.len() > 2 * DID_CHARS_MAX {
            return Err(DidError::Syntax);
        }
        Ok(Self(text.to_owned()))
    }
}

macro_rules! text_type {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

text_type!(Did);
text_type!(DidUrl);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::SigningKey;

    #[test]
    fn every_codec_round_trips_with_its_known_prefix() {
        let keys = [
            (SigningKey::ed25519(&[7; 32]), "did:key:z6Mk"),
            (SigningKey::secp256k1(&[7; 32]).unwrap(), "did:key:zQ3s"),
            (SigningKey::p256(&[7; 32]).unwrap(), "did:key:zDna"),
            (SigningKey::p384(&[7; 48]).unwrap(), "did:key:z82L"),
        ];
        for (key, prefix) in keys {
            let public = key.public_key();
            let did = Did::key(&public);
            assert!(did.as_str().starts_with(prefix), "{did}");
            assert_eq!(did.to_key(), Ok(public.clone()));
            assert_eq!(did.key_id().unwrap().to_key(), Ok(public.clone()));
            let jwk = Did::jwk_jcs_key(&public);
            if matches!(public, PublicKey::P256(_)) {
                // The prefix depends on the length of the JWK; EBSI's wallets make P-256 keys.
                assert!(jwk.as_str().starts_with("did:key:z2dmz"), "{jwk}");
            }
            assert_eq!(jwk.to_key(), Ok(public.clone()));
            assert_eq!(PublicKey::from_jwk(&public.to_jwk()), Ok(public.clone()));
            let signature = key.sign(b"message");
            assert_eq!(public.verify(public.algorithm(), b"message", &signature), Ok(()));
            assert!(public.verify(public.algorithm(), b"other", &signature).is_err());
        }
    }

    #[test]
    fn malformed_dids_are_refused_and_nothing_panics() {
        for bad in [
            "",
            "did",
            "did:",
            "did:key",
            "did:key:",
            "did:Key:z6",
            "did:key:z6 x",
            "did:key:a/b",
            "did:key:z%41",
            "did:key:é",
        ] {
            assert_eq!(bad.parse::<Did>(), Err(DidError::Syntax), "{bad:?}");
        }
        for bad in ["did:key:z", "did:key:z6Mk", "did:key:m6Mk", "did:key:zQ3s0OIl"] {
            assert_eq!(bad.parse::<Did>().unwrap().to_key(), Err(DidError::BadKey), "{bad:?}");
        }
        assert_eq!("did:web:example.org".parse::<Did>().unwrap().to_key(), Err(DidError::UnknownMethod));
        for (codec, key) in [
            ([0xed, 0x01], SigningKey::ed25519(&[7; 32])),
            ([0xe7, 0x01], SigningKey::secp256k1(&[7; 32]).unwrap()),
            ([0x80, 0x24], SigningKey::p256(&[7; 32]).unwrap()),
            ([0x81, 0x24], SigningKey::p384(&[7; 48]).unwrap()),
        ] {
            let public = key.public_key();
            let bytes = public.as_bytes();
            for body in [&bytes[..bytes.len() - 1], &[bytes, &[0]].concat(), &[bytes, bytes].concat()] {
                assert_eq!(Did::from_multikey(&codec, body).to_key(), Err(DidError::BadKey), "{} bytes", body.len());
            }
        }
        let did = Did::key(&SigningKey::ed25519(&[1; 32]).public_key());
        assert_eq!(format!("{did}#other").parse::<DidUrl>().unwrap().to_key(), Err(DidError::Fragment));
    }
}
