//! The author's side of a record: one key, one DID, fresh ids.

use testamur_primitives::codec;
use testamur_primitives::did::{Did, DidUrl};
use testamur_primitives::hash::GenesisHash;
use testamur_primitives::identity;
use testamur_primitives::key::SigningKey;
use testamur_primitives::record::{Act, Payload, Record, RecordError, Reference};
use testamur_primitives::units::UnixTime;

use crate::batch::{BatchError, random_bytes};
use crate::limits::RECORD_LIFE_S;

/// Why no record was made.
#[derive(Debug, thiserror::Error)]
pub enum AuthorError {
    /// No random bytes for the record's id.
    #[error("{0}")]
    Random(BatchError),
    /// The record would be refused everywhere.
    #[error("the record cannot be signed: {0}")]
    Record(RecordError),
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
    key: SigningKey,
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
    pub fn new(key: SigningKey, network: GenesisHash) -> Self {
        let did = Did::key(&key.public_key());
        let key_id = did.key_id().expect("the DID is a did:key");
        Self { key, did, key_id, network }
    }

    /// An author that is registered on the ledger: `key` is one of its document's.
    pub fn of_ledger(did: Did, key: SigningKey, network: GenesisHash) -> Self {
        let key_id = identity::key_id(&did, &key.public_key());
        Self { key, did, key_id, network }
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
        Record::sign(&payload, &self.key_id, &self.key).map_err(AuthorError::Record)
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
