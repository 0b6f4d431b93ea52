//! What the network runs on: protocol, parameters, validator registrations and epochs.
//!
//! Genesis writes all of it; the acts that change it come with later protocol versions, and find the keys as they
//! stay: every registered key and key name is marked used for the ledger's whole life.

pub mod keys;
mod state;

use testamur_primitives::did::LEDGER_METHOD;
use testamur_primitives::genesis::Genesis;
use testamur_primitives::hash::Address;
use testamur_primitives::units::Epoch;

pub use state::{
    EpochEntry, KeyUse, KeyUseEntry, NameUseEntry, NamingEntry, ParametersEntry, ProtocolEntry, ValidatorEntry,
};

use crate::execute::BlockContext;
use crate::state::{self as values, Overlay, StateError, StateReader};

/// Writes what genesis says of the network.
pub(crate) fn write_genesis<S: StateReader>(
    state: &mut Overlay<'_, S>,
    genesis: &Genesis,
    context: &BlockContext,
) -> Result<(), StateError<S::Error>> {
    let (height, time) = (context.height, context.time);
    let protocol = genesis.protocol;
    state.append(&keys::protocol(), |seq| ProtocolEntry { v: 1, seq, height, time, protocol })?;
    let parameters = genesis.parameters.clone();
    state.append(&keys::parameters(), |seq| ParametersEntry { v: 1, seq, height, time, parameters })?;
    if let Some(did_method) = genesis.did_method.clone() {
        state.append(&keys::naming(), |seq| NamingEntry { v: 1, seq, height, time, did_method })?;
    }
    for validator in &genesis.validators {
        let registration = &validator.registration;
        let address = registration.address();
        state.append(&keys::validator(address), |seq| ValidatorEntry {
            v: 1,
            seq,
            height,
            time,
            registration: registration.clone(),
        })?;
        state.append(&keys::name(&registration.name), |seq| NameUseEntry { v: 1, seq, address })?;
        let used = [
            (registration.consensus_key(), KeyUse::Consensus),
            (&registration.log_key.0, KeyUse::Log),
            (&registration.peer_key.0, KeyUse::Peer),
        ];
        for (key, r#use) in used {
            state.append(&keys::key(key), |seq| KeyUseEntry { v: 1, seq, address, r#use })?;
        }
    }
    let set = genesis.validator_set();
    let validators_hash = set.hash();
    let validators = set.validators().iter().map(|v| v.address).collect();
    state.append(&keys::epoch(), |seq| EpochEntry {
        v: 1,
        seq,
        height,
        time,
        epoch: Epoch(0),
        validators_hash,
        validators,
    })
}

/// The protocol version in force.
pub fn protocol<R: StateReader>(reader: &R) -> Result<ProtocolEntry, StateError<R::Error>> {
    values::genesis_head(reader, &keys::protocol())
}

/// The parameters in force.
pub fn parameters<R: StateReader>(reader: &R) -> Result<ParametersEntry, StateError<R::Error>> {
    values::genesis_head(reader, &keys::parameters())
}

/// Method name of the ledger's own DIDs. Genesis writes it only where it names one.
pub fn did_method<R: StateReader>(reader: &R) -> Result<String, StateError<R::Error>> {
    let naming = values::head::<NamingEntry, _>(reader, &keys::naming())?;
    Ok(naming.map_or_else(|| LEDGER_METHOD.to_owned(), |naming| naming.did_method))
}

/// The validators in office, by address.
pub fn epoch<R: StateReader>(reader: &R) -> Result<EpochEntry, StateError<R::Error>> {
    values::genesis_head(reader, &keys::epoch())
}

/// A validator's registration.
pub fn validator<R: StateReader>(reader: &R, address: Address) -> Result<Option<ValidatorEntry>, StateError<R::Error>> {
    values::head(reader, &keys::validator(address))
}

/// What an Ed25519 key is or was registered for.
pub fn key_use<R: StateReader>(reader: &R, key: &[u8]) -> Result<Option<KeyUseEntry>, StateError<R::Error>> {
    values::head(reader, &keys::key(key))
}
