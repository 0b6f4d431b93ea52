//! What the network runs on: protocol, parameters, validator registrations and epochs.
//!
//! Genesis writes all of it, and operators change it (`members` for the validators). What they decide holds from a height
//! on: parameters, protocol and epochs are written before it. Every registered key and key name is marked used for the
//! ledger's whole life.
//!
//! - INV-NETWORK-5: protocols only go up.
//! - INV-NETWORK-6: some digest algorithm, and the kind of every operator's key, is never retired.

pub mod keys;
pub(crate) mod members;
mod reads;
pub(crate) mod rules;
mod state;

use testamur_primitives::did::LEDGER_METHOD;
use testamur_primitives::genesis::{Genesis, Parameters};
use testamur_primitives::hash::Address;
use testamur_primitives::record::Algorithm;
use testamur_primitives::units::{Epoch, Height};

pub use reads::{
    epoch, epoch_at, page_hosts, parameters, parameters_at, pending_set_change, protocol, protocol_at, retired,
    retirements, scheduled_epoch, set_change, validator_set,
};
pub use state::{
    AlgorithmsEntry, EpochEntry, KeyUse, KeyUseEntry, NameUseEntry, NamingEntry, PageEntry, ParametersEntry,
    ProtocolEntry, Retirement, SetChangeEntry, SetChangeStatus, ValidatorEntry,
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
    state.append(&keys::protocol(), |seq| ProtocolEntry { v: 1, seq, height, time, from: None, protocol })?;
    let parameters = genesis.parameters.clone();
    state.append(&keys::parameters(), |seq| ParametersEntry { v: 1, seq, height, time, from: None, parameters })?;
    if let Some(did_method) = genesis.did_method.clone() {
        state.append(&keys::naming(), |seq| NamingEntry { v: 1, seq, height, time, did_method })?;
    }
    for validator in &genesis.validators {
        let registration = &validator.registration;
        let address = registration.address();
        members::register(state, context, address, registration)?;
    }
    let set = genesis.validator_set();
    let validators_hash = set.hash();
    let validators = set.validators().iter().map(|v| v.address).collect();
    state.append(&keys::epoch(), |seq| EpochEntry {
        v: 1,
        seq,
        height,
        time,
        from: None,
        epoch: Epoch(0),
        validators_hash,
        validators,
    })
}

/// Method name of the ledger's own DIDs. Genesis writes it only where it names one.
pub fn did_method<R: StateReader>(reader: &R) -> Result<String, StateError<R::Error>> {
    let naming = values::head::<NamingEntry, _>(reader, &keys::naming())?;
    Ok(naming.map_or_else(|| LEDGER_METHOD.to_owned(), |naming| naming.did_method))
}

/// A validator's registration.
pub fn validator<R: StateReader>(reader: &R, address: Address) -> Result<Option<ValidatorEntry>, StateError<R::Error>> {
    values::head(reader, &keys::validator(address))
}

/// What an Ed25519 key is or was registered for.
pub fn key_use<R: StateReader>(reader: &R, key: &[u8]) -> Result<Option<KeyUseEntry>, StateError<R::Error>> {
    values::head(reader, &keys::key(key))
}

/// Whose a key name is or was.
pub fn name_use<R: StateReader>(reader: &R, name: &str) -> Result<Option<NameUseEntry>, StateError<R::Error>> {
    values::head(reader, &keys::name(name))
}

/// Sets parameters from a height on; the caller has checked them.
pub(crate) fn set_parameters<S: StateReader>(
    state: &mut Overlay<'_, S>,
    context: &BlockContext,
    parameters: &Parameters,
    from: Height,
) -> Result<(), StateError<S::Error>> {
    let (height, time, from) = (context.height, context.time, Some(members::activation(context, from)));
    let parameters = parameters.clone();
    state.append(&keys::parameters(), |seq| ParametersEntry { v: 1, seq, height, time, from, parameters })
}

/// Sets the protocol from a height on; the caller has checked it.
pub(crate) fn set_protocol<S: StateReader>(
    state: &mut Overlay<'_, S>,
    context: &BlockContext,
    protocol: u32,
    from: Height,
) -> Result<(), StateError<S::Error>> {
    let (height, time, from) = (context.height, context.time, Some(members::activation(context, from)));
    state.append(&keys::protocol(), |seq| ProtocolEntry { v: 1, seq, height, time, from, protocol })
}

/// Retires an algorithm from a height on; the caller has checked that it can be.
pub(crate) fn retire<S: StateReader>(
    state: &mut Overlay<'_, S>,
    context: &BlockContext,
    algorithm: Algorithm,
    from: Height,
) -> Result<(), StateError<S::Error>> {
    let mut retired = retirements(state)?;
    retired.push(Retirement { algorithm, from: members::activation(context, from) });
    let (height, time) = (context.height, context.time);
    state.append(&keys::algorithms(), |seq| AlgorithmsEntry { v: 1, seq, height, time, retired })
}

/// Names the official addresses of the verifier page.
pub(crate) fn set_page_hosts<S: StateReader>(
    state: &mut Overlay<'_, S>,
    context: &BlockContext,
    hosts: &[String],
) -> Result<(), StateError<S::Error>> {
    let (height, time, hosts) = (context.height, context.time, hosts.to_vec());
    state.append(&keys::page(), |seq| PageEntry { v: 1, seq, height, time, hosts })
}
