//! A validator's keys and registration, with the proofs that it holds the keys.

use std::path::Path;

use testamur_consensus::guard::Guard;
use testamur_primitives::did::Did;
use testamur_primitives::epoch::{TypedKey, ValidatorKeyAlgorithm, ValidatorRegistration};
use testamur_primitives::genesis::{GenesisValidator, Possession, possession_message};
use testamur_primitives::hash::Address;
use testamur_primitives::record::Bytes;
use testamur_primitives::units::UnixTime;

use super::{LegalPerson, write_key};
use crate::exit::CommandError;
use crate::keystore::{Key, KeyKind, Protection};

/// What a validator is registered with, apart from its keys.
#[derive(Debug, Clone)]
pub(crate) struct Registration {
    /// Name of its consensus key.
    pub(crate) name: String,
    /// Who runs it.
    pub(crate) operator: LegalPerson,
    /// The DID of who runs it; its own peer key's where there is none.
    pub(crate) did: Option<Did>,
    /// After this its cosignatures count no more.
    pub(crate) not_after: UnixTime,
}

impl Registration {
    /// Makes the three keys of a validator in a directory, the registration that names them, and the double-sign
    /// guard, empty because the key has never signed.
    pub(crate) fn write_keys(
        &self,
        directory: &Path,
        guard: &Path,
        protection: &Protection,
    ) -> Result<GenesisValidator, CommandError> {
        let consensus = write_key(directory, KeyKind::Consensus, protection)?;
        let log = write_key(directory, KeyKind::Log, protection)?;
        let peer = write_key(directory, KeyKind::Peer, protection)?;
        let made = self.register(&consensus, &log, &peer, None);
        // Made with the keys and never again: a guard that is missing later says that something was lost.
        Guard::create(guard, made.registration.address())
            .map_err(|e| CommandError::failed("key.guard", e, "choose an empty directory"))?;
        Ok(made)
    }

    /// The registration of these keys, with the proofs that all of them are held: over `address`, when the validator has
    /// one already, else over that of the registration itself.
    pub(crate) fn register(
        &self,
        consensus: &Key,
        log: &Key,
        peer: &Key,
        address: Option<Address>,
    ) -> GenesisValidator {
        let public = |key: &Key| Bytes(key.public().as_bytes().to_vec());
        let registration = ValidatorRegistration {
            v: 1,
            name: self.name.clone(),
            operator: self.operator.name.clone(),
            country: self.operator.country.clone(),
            did: self.did.clone().unwrap_or_else(|| peer.did()),
            keys: vec![TypedKey { alg: ValidatorKeyAlgorithm::Ed25519, key: public(consensus) }],
            log_key: public(log),
            peer_key: public(peer),
            not_after: self.not_after,
        };
        let address = address.unwrap_or_else(|| registration.address());
        let prove = |kind: &str, key: &Key| Bytes(key.signing().sign(&possession_message(kind, address)));
        let possession =
            Possession { consensus: prove("consensus", consensus), log: prove("log", log), peer: prove("peer", peer) };
        GenesisValidator { registration, possession }
    }
}
