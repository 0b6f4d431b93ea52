//! The author's side of a record: one key, one DID, fresh ids.

use testamur_primitives::codec;
use testamur_primitives::did::{Did, DidUrl};
use testamur_primitives::hash::GenesisHash;
use testamur_primitives::identity;
use testamur_primitives::key::{PublicKey, SigningKey};
use testamur_primitives::record::{Act, Payload, Record, RecordError, Reference};
use testamur_primitives::units::UnixTime;

use crate::batch::{BatchError, random_bytes};
use crate::limits::RECORD_LIFE_S;

/// A key that signs for an author, wherever it lives: in memory, read from an encrypted file, or in a security module that never
/// gives it away. A signature may take a while: it is asked for on threads that may block.
pub trait AuthorKey: Send + Sync {
    /// Its public half, which never changes as long as the author lives.
    fn public_key(&self) -> PublicKey;

    /// Signs a message with the algorithm of the public key, as JWS has it: 64 bytes for Ed25519, `r ‖ s` for ECDSA.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError>;
}

/// Why a key gave no signature: its device's words, which hold no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the key gives no signature: {0}")]
pub struct SignError(pub String);

/// A key in memory, as the keystore reads it from its file.
impl AuthorKey for SigningKey {
    fn public_key(&self) -> PublicKey {
        Self::public_key(self)
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        Ok(Self::sign(self, message))
    }
}

impl<K: AuthorKey + ?Sized> AuthorKey for Box<K> {
    fn public_key(&self) -> PublicKey {
        (**self).public_key()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        (**self).sign(message)
    }
}

/// Why no record was made.
#[derive(Debug, thiserror::Error)]
pub enum AuthorError {
    /// No random bytes for the record's id.
    #[error("{0}")]
    Random(BatchError),
    /// The record would be refused everywhere.
    #[error("the record cannot be signed: {0}")]
    Record(RecordError),
    /// The key gave no signature.
    #[error("{0}")]
    Key(#[from] SignError),
    /// The key gave a signature that its public half does not confirm.
    #[error("the key's signature does not verify under its public key: the record is not sent")]
    Signature,
    /// The clock stands before 1970.
    #[error("this machine's clock stands before 1970: set it")]
    Clock,
}

impl AuthorError {
    /// Whether the process must stop: never, the next record may be fine.
    pub fn is_fatal(&self) -> bool {
        false
    }
}

/// Who signs records: the only holder of its key. `Debug` shows the DID alone.
pub struct Author {
    key: Box<dyn AuthorKey>,
    public: PublicKey,
    did: Did,
    key_id: DidUrl,
    network: GenesisHash,
}

impl core::fmt::Debug for Author {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Author({})", self.did)
    }
}

impl Author {
    /// An author whose DID is the did:key of its key, for one network.
    pub fn new(key: impl AuthorKey + 'static, network: GenesisHash) -> Self {
        let public = key.public_key();
        let did = Did::key(&public);
        let key_id = did.key_id().expect("the DID is a did:key");
        Self { key: Box::new(key), public, did, key_id, network }
    }

    /// An author that is registered on the ledger: `key` is one of its document's.
    pub fn of_ledger(did: Did, key: impl AuthorKey + 'static, network: GenesisHash) -> Self {
        let public = key.public_key();
        let key_id = identity::key_id(&did, &public);
        Self { key: Box::new(key), public, did, key_id, network }
    }

    /// Its DID: what operators grant the writer role to.
    pub fn did(&self) -> &Did {
        &self.did
    }

    /// The network it writes to.
    pub fn network(&self) -> GenesisHash {
        self.network
    }

    /// Signs an act: a fresh random `jti`, `iat` now, `exp` an hour later.
    pub fn sign(&self, act: Act) -> Result<Record, AuthorError> {
        let now = now().ok_or(AuthorError::Clock)?;
        let jti: [u8; 16] = random_bytes().map_err(AuthorError::Random)?;
        self.sign_at(act, now, reference(&jti))
    }

    /// Signs an act with a given time and id.
    pub fn sign_at(&self, act: Act, iat: UnixTime, jti: Reference) -> Result<Record, AuthorError> {
        let exp = UnixTime(iat.0.saturating_add(RECORD_LIFE_S));
        let payload = Payload { v: 1, net: self.network, iss: self.did.clone(), jti, iat, exp, act };
        let input = Record::signing_input(&payload, &self.key_id, self.public.algorithm());
        let signature = self.key.sign(input.as_bytes())?;
        // A device that signs with another key, or wrongly, is found out here and not by the network's refusal.
        self.public
            .verify(self.public.algorithm(), input.as_bytes(), &signature)
            .map_err(|_| AuthorError::Signature)?;
        Record::of_signature(&input, &signature).map_err(AuthorError::Record)
    }
}

/// This machine's clock; `None` before 1970.
pub fn now() -> Option<UnixTime> {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).ok().map(|since| UnixTime(since.as_secs()))
}

fn reference(bytes: &[u8; 16]) -> Reference {
    codec::base64url(bytes).parse().expect("base64url is within a reference's characters")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{Batch, PlainList};
    use crate::digest::digest_reader;
    use testamur_primitives::commitment::DigestAlgorithm;

    #[test]
    fn records_of_every_key_type_verify_and_never_share_an_id() {
        let network = GenesisHash::from_bytes([7; 32]);
        let digest = digest_reader(DigestAlgorithm::Sha2_256, &b"x"[..]).unwrap();
        let act = Batch::salted(vec![digest]).unwrap().act(None);
        let keys = [
            SigningKey::ed25519(&[1; 32]),
            SigningKey::p256(&[1; 32]).unwrap(),
            SigningKey::p384(&[1; 48]).unwrap(),
            SigningKey::secp256k1(&[1; 32]).unwrap(),
        ];
        for key in keys {
            let author = Author::new(key, network);
            let (one, two) = (author.sign(act.clone()).unwrap(), author.sign(act.clone()).unwrap());
            assert_ne!(one.id(), two.id());
            assert_ne!(one.payload().jti, two.payload().jti);
            one.verify_did_key().unwrap();
            one.check_admission(network, now().unwrap()).unwrap();
            assert_eq!(one.author(), author.did());
        }
    }

    /// A device that is pulled out, and one that signs with another key than it says.
    #[test]
    fn a_key_elsewhere_signs_or_says_why_not() {
        struct Device {
            says: SigningKey,
            signs: Option<SigningKey>,
        }
        impl AuthorKey for Device {
            fn public_key(&self) -> PublicKey {
                self.says.public_key()
            }

            fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
                let key = self.signs.as_ref().ok_or_else(|| SignError("CKR_DEVICE_REMOVED".into()))?;
                Ok(key.sign(message))
            }
        }
        let key = |byte| SigningKey::p256(&[byte; 32]).unwrap();
        let digest = digest_reader(DigestAlgorithm::Sha2_256, &b"x"[..]).unwrap();
        let act = Batch::salted(vec![digest]).unwrap().act(None);
        let sign = |signs| Author::new(Device { says: key(1), signs }, GenesisHash::ZERO).sign(act.clone());
        sign(Some(key(1))).unwrap().verify_did_key().unwrap();
        assert!(matches!(sign(Some(key(2))), Err(AuthorError::Signature)));
        let error = sign(None).unwrap_err();
        assert_eq!(error.to_string(), "the key gives no signature: CKR_DEVICE_REMOVED");
    }

    #[test]
    fn a_full_list_of_the_longest_digests_fits_in_a_record() {
        let digests =
            (0..512u32).map(|i| digest_reader(DigestAlgorithm::Sha2_512, &i.to_be_bytes()[..]).unwrap()).collect();
        let act = PlainList::new(digests).unwrap().act(Some("r".repeat(64).parse().unwrap()));
        let author = Author::new(SigningKey::p384(&[1; 48]).unwrap(), GenesisHash::ZERO);
        let record = author.sign(act).unwrap();
        assert!(record.as_bytes().len() <= 65_535, "{}", record.as_bytes().len());
    }
}
