//! What hides an archive: names of values are keyed hashes, values are sealed. The gateway's archive of receipts is hidden the same way.

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::StoreError;

/// Bytes of a nonce of XChaCha20: long enough to be drawn at random for every value.
const NONCE_BYTES: usize = 24;

/// The secret of an archive: 32 random bytes, kept sealed in the home's keystore. Without it nothing of the archive is known.
#[derive(Clone)]
pub struct ArchiveKey(Zeroizing<[u8; 32]>);

impl ArchiveKey {
    /// Takes random bytes; the caller answers for their randomness.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(Zeroizing::new(*bytes))
    }
}

impl core::fmt::Debug for ArchiveKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("ArchiveKey(…)")
    }
}

/// The two keys made of it: one names, one seals. Neither says anything of the other.
pub struct Keys {
    naming: Zeroizing<[u8; 32]>,
    cipher: XChaCha20Poly1305,
}

impl core::fmt::Debug for Keys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Keys(…)")
    }
}

impl Keys {
    /// For the archive of one owner, an issuer's DID or what cannot be taken for one: the same secret elsewhere opens nothing.
    pub fn new(key: &ArchiveKey, owner: &str) -> Self {
        let naming = hmac(&key.0, &[b"testamur/archive/names/v1\n", owner.as_bytes()]);
        let sealing = hmac(&key.0, &[b"testamur/archive/seal/v1\n", owner.as_bytes()]);
        Self { naming, cipher: XChaCha20Poly1305::new_from_slice(&*sealing).expect("the key has 32 bytes") }
    }

    /// The name of something, by its kind and its parts: whoever lacks the key can neither read nor guess it.
    pub fn name(&self, kind: &str, parts: &[&str]) -> [u8; 32] {
        let mut input = Vec::new();
        for part in core::iter::once(&kind).chain(parts) {
            input.extend((part.len() as u64).to_be_bytes());
            input.extend(part.as_bytes());
        }
        *hmac(&self.naming, &[&input])
    }

    /// Seals a value for its place: moved elsewhere it does not open. [`StoreError::Random`] without random bytes.
    pub fn seal(&self, place: &[u8], value: &[u8]) -> Result<Vec<u8>, StoreError> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|_| StoreError::Random)?;
        let payload = Payload { msg: value, aad: place };
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), payload).map_err(|_| StoreError::Damaged)?;
        Ok([&nonce[..], &sealed].concat())
    }

    /// Opens a value of a place. [`StoreError::Damaged`] when it was sealed for another, by another key, or was changed.
    pub fn open(&self, place: &[u8], sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(StoreError::Damaged)?;
        let payload = Payload { msg: sealed, aad: place };
        self.cipher.decrypt(&XNonce::from(*nonce), payload).map_err(|_| StoreError::Damaged)
    }
}

/// HMAC-SHA-256 (RFC 2104) with a key of 32 bytes.
pub fn hmac(key: &[u8; 32], parts: &[&[u8]]) -> Zeroizing<[u8; 32]> {
    let pad = |byte: u8| {
        let mut block = Zeroizing::new([byte; 64]);
        block.iter_mut().zip(key).for_each(|(b, k)| *b ^= k);
        block
    };
    let mut inner = Sha256::new_with_prefix(*pad(0x36));
    parts.iter().for_each(|part| inner.update(part));
    Zeroizing::new(Sha256::new_with_prefix(*pad(0x5c)).chain_update(inner.finalize()).finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keyed_hash_is_that_of_rfc_2104() {
        // Made with `openssl dgst -sha256 -mac HMAC -macopt hexkey:0707…07` over "Hi There".
        let expected = hex::encode(*hmac(&[7; 32], &[b"Hi ", b"There"]));
        assert_eq!(expected, "db4691259ca0714059cf917fffab03d172c9c1850cb13bb69f799e23ede09160");
    }

    #[test]
    fn a_value_opens_in_its_place_with_its_key_and_nowhere_else() {
        let keys = Keys::new(&ArchiveKey::from_bytes(&[1; 32]), "did:ebsi:a");
        let sealed = keys.seal(b"here", b"Name").unwrap();
        assert_eq!(keys.open(b"here", &sealed).unwrap(), b"Name");
        assert!(keys.open(b"there", &sealed).is_err());
        assert!(Keys::new(&ArchiveKey::from_bytes(&[2; 32]), "did:ebsi:a").open(b"here", &sealed).is_err());
        assert!(Keys::new(&ArchiveKey::from_bytes(&[1; 32]), "did:ebsi:b").open(b"here", &sealed).is_err());
        for place in 0..sealed.len() {
            let mut bent = sealed.clone();
            bent[place] ^= 1;
            assert!(keys.open(b"here", &bent).is_err(), "byte {place}");
            assert!(keys.open(b"here", &sealed[..place]).is_err(), "cut at {place}");
        }
        assert_ne!(keys.seal(b"here", b"Name").unwrap(), sealed, "a nonce serves once");
    }

    #[test]
    fn names_keep_their_parts_apart() {
        let keys = Keys::new(&ArchiveKey::from_bytes(&[1; 32]), "did:ebsi:a");
        assert_ne!(keys.name("award", &["ab", "c"]), keys.name("award", &["a", "bc"]));
        assert_ne!(keys.name("award", &["ab"]), keys.name("awarda", &["b"]));
        assert_eq!(keys.name("award", &["ab", "c"]), keys.name("award", &["ab", "c"]));
    }
}
