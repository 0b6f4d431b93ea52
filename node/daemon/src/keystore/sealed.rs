//! A secret under a passphrase: Argon2id (RFC 9106) and XChaCha20-Poly1305.

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use serde::{Deserialize, Serialize};
use testamur_primitives::record::Bytes;
use zeroize::Zeroizing;

use super::Passphrase;

/// Memory of new keys: RFC 9106's second recommended option, 64 MiB …
const MEMORY_KIB: u32 = 64 * 1024;
/// … three passes …
const PASSES: u32 = 3;
/// … four lanes.
const LANES: u32 = 4;
/// What a file may ask for at most: a file from elsewhere must not take the machine's memory or hours.
const MEMORY_KIB_MAX: u32 = 1024 * 1024;
const PASSES_MAX: u32 = 16;
const LANES_MAX: u32 = 16;

/// A sealed secret as it stands in a key file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sealed {
    kdf: String,
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    salt: Bytes,
    cipher: String,
    nonce: Bytes,
    text: Bytes,
}

/// Why a secret does not open.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum SealedError {
    /// Another passphrase, or changed bytes: they look the same.
    WrongPassphrase,
    /// Not of this format.
    Malformed(&'static str),
}

impl Sealed {
    /// Seals a secret; `binding` must be given again to open it.
    pub(super) fn seal(secret: &[u8; 32], passphrase: &Passphrase, binding: &[u8]) -> Result<Self, getrandom::Error> {
        let (mut salt, mut nonce) = ([0; 16], [0; 24]);
        getrandom::fill(&mut salt)?;
        getrandom::fill(&mut nonce)?;
        let mut sealed = Self {
            kdf: "argon2id".into(),
            memory_kib: MEMORY_KIB,
            passes: PASSES,
            lanes: LANES,
            salt: Bytes(salt.to_vec()),
            cipher: "xchacha20-poly1305".into(),
            nonce: Bytes(nonce.to_vec()),
            text: Bytes(Vec::new()),
        };
        let key = sealed.key(passphrase).expect("the parameters above are within their bounds");
        let aad = sealed.associated_data(binding);
        let text = XChaCha20Poly1305::new((&*key).into())
            .encrypt(&XNonce::from(nonce), Payload { msg: secret, aad: &aad })
            .expect("32 bytes are within the cipher's limit");
        sealed.text = Bytes(text);
        Ok(sealed)
    }

    /// Opens the secret.
    pub(super) fn open(&self, passphrase: &Passphrase, binding: &[u8]) -> Result<Zeroizing<[u8; 32]>, SealedError> {
        if self.kdf != "argon2id" || self.cipher != "xchacha20-poly1305" {
            return Err(SealedError::Malformed("its kdf or cipher is unknown"));
        }
        let nonce: [u8; 24] =
            self.nonce.0.as_slice().try_into().map_err(|_| SealedError::Malformed("a nonce has 24 bytes"))?;
        let key = self.key(passphrase)?;
        let aad = self.associated_data(binding);
        let secret = XChaCha20Poly1305::new((&*key).into())
            .decrypt(&XNonce::from(nonce), Payload { msg: &self.text.0, aad: &aad })
            .map(Zeroizing::new)
            .map_err(|_| SealedError::WrongPassphrase)?;
        let secret: [u8; 32] =
            secret.as_slice().try_into().map_err(|_| SealedError::Malformed("a secret has 32 bytes"))?;
        Ok(Zeroizing::new(secret))
    }

    fn key(&self, passphrase: &Passphrase) -> Result<Zeroizing<[u8; 32]>, SealedError> {
        let malformed = |_| SealedError::Malformed("its kdf parameters are out of range");
        if self.memory_kib > MEMORY_KIB_MAX || self.passes > PASSES_MAX || self.lanes > LANES_MAX {
            return Err(SealedError::Malformed("its kdf parameters are out of range"));
        }
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(32)).map_err(malformed)?;
        let mut key = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.as_bytes(), &self.salt.0, key.as_mut())
            .map_err(malformed)?;
        Ok(key)
    }

    /// Everything that decides how the text is read, so that nothing of it can be exchanged.
    fn associated_data(&self, binding: &[u8]) -> Vec<u8> {
        let Self { kdf, memory_kib, passes, lanes, cipher, .. } = self;
        [binding, format!("{kdf}\n{memory_kib}\n{passes}\n{lanes}\n{cipher}\n").as_bytes()].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_passphrase_binding_and_parameters_open_it() {
        let passphrase = Passphrase::new("correct horse battery");
        let mut sealed = Sealed::seal(&[7; 32], &passphrase, b"binding").unwrap();
        assert_eq!(*sealed.open(&passphrase, b"binding").unwrap(), [7; 32]);
        assert_eq!(sealed.open(&passphrase, b"other"), Err(SealedError::WrongPassphrase));
        assert_eq!(sealed.open(&Passphrase::new("another one"), b"binding"), Err(SealedError::WrongPassphrase));
        sealed.passes += 1;
        assert_eq!(sealed.open(&passphrase, b"binding"), Err(SealedError::WrongPassphrase));
        sealed.memory_kib = u32::MAX;
        assert!(matches!(sealed.open(&passphrase, b"binding"), Err(SealedError::Malformed(_))));
    }
}
