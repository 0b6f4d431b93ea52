//! How the validator set changes.
//!
//! A change is executed by governance. Without anybody who joins it is scheduled there and then; with somebody, it waits
//! until each that joins has published `synced`, so that the set never counts on a node that has yet to catch up.
//! Scheduling writes the registrations, marks keys and names as taken, and writes the next epoch, which begins two
//! heights later or more: the header between names the next set, and so vouches for it, before it decides.
//!
//! - INV-NETWORK-2: every epoch has 4 to 64 validators, and differs from the one before by at most ⌊(n−1)/3⌋ of its n.
//! - INV-NETWORK-3: a consensus, log or peer key, and a name, is one validator's for ever.
//! - INV-NETWORK-4: one change of the set is under way at most, and an epoch lasts at least two heights.

use testamur_primitives::did::Did;
use testamur_primitives::epoch::{ValidatorRegistration, ValidatorSet};
use testamur_primitives::genesis::GenesisValidator;
use testamur_primitives::hash::{Address, RecordId};
use testamur_primitives::key::PublicKey;
use testamur_primitives::record::ValidatorRotation;
use testamur_primitives::units::Height;

use super::state::{EpochEntry, KeyUse, KeyUseEntry, NameUseEntry, SetChangeEntry, SetChangeStatus, ValidatorEntry};
use super::{keys, reads};
use crate::execute::{ApplyError, BlockContext};
use crate::limits::ACTIVATION_HEIGHTS_MIN;
use crate::rejection::{GovernanceRejection, NetworkRejection};
use crate::state::{self as values, Overlay, StateError, StateReader};

/// What a change says of the set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SetChange<'a> {
    pub(crate) add: &'a [GenesisValidator],
    pub(crate) remove: &'a [Address],
    pub(crate) rotate: &'a [ValidatorRotation],
    pub(crate) from: Height,
}

/// The first height at which what a block decides can hold, no earlier than asked for.
pub(crate) fn activation(context: &BlockContext, from: Height) -> Height {
    from.max(Height(context.height.0 + ACTIVATION_HEIGHTS_MIN))
}

/// Consensus, log and peer key of a registration.
pub(super) fn keys_of(registration: &ValidatorRegistration) -> [(&[u8], KeyUse); 3] {
    [
        (registration.consensus_key(), KeyUse::Consensus),
        (&registration.log_key.0, KeyUse::Log),
        (&registration.peer_key.0, KeyUse::Peer),
    ]
}

/// Writes a validator's registration; its name and keys, where they are new, are taken from then on.
pub(super) fn register<S: StateReader>(
    state: &mut Overlay<'_, S>,
    context: &BlockContext,
    address: Address,
    registration: &ValidatorRegistration,
) -> Result<(), StateError<S::Error>> {
    let first = values::head::<ValidatorEntry, _>(state, &keys::validator(address))?.is_none();
    state.append(&keys::validator(address), |seq| ValidatorEntry {
        v: 1,
        seq,
        height: context.height,
        time: context.time,
        registration: registration.clone(),
    })?;
    if first {
        state.append(&keys::name(&registration.name), |seq| NameUseEntry { v: 1, seq, address })?;
    }
    for (key, r#use) in keys_of(registration) {
        match super::key_use(state, key)? {
            None => state.append(&keys::key(key), |seq| KeyUseEntry { v: 1, seq, address, r#use })?,
            Some(taken) => {
                assert!(taken.address == address && taken.r#use == r#use, "INV-NETWORK-3: a key has one owner and use");
            }
        }
    }
    Ok(())
}

/// Carries out a change of the set that was checked: schedules it, or lets it wait for who joins.
pub(crate) fn change<S: StateReader>(
    state: &mut Overlay<'_, S>,
    context: &BlockContext,
    proposal: RecordId,
    change: SetChange<'_>,
) -> Result<(), ApplyError<S::Error>> {
    let mut entry = SetChangeEntry {
        v: 1,
        seq: 0,
        height: context.height,
        time: context.time,
        proposal,
        from: change.from,
        add: change.add.to_vec(),
        remove: change.remove.to_vec(),
        rotate: change.rotate.to_vec(),
        synced: Vec::new(),
        status: SetChangeStatus::Waiting {},
    };
    if entry.add.is_empty() {
        entry.status = SetChangeStatus::Scheduled { activation: schedule(state, context, change)? };
    }
    Ok(state.append(&keys::set_change(), |seq| SetChangeEntry { seq, ..entry })?)
}

/// Ends the change that waits.
pub(crate) fn withdraw<S: StateReader>(
    state: &mut Overlay<'_, S>,
    context: &BlockContext,
) -> Result<(), ApplyError<S::Error>> {
    let waiting = reads::pending_set_change(state)?.ok_or(GovernanceRejection::NoSetChange)?;
    let (height, time, status) = (context.height, context.time, SetChangeStatus::Withdrawn {});
    Ok(state.append(&keys::set_change(), |seq| SetChangeEntry { seq, height, time, status, ..waiting })?)
}

/// Takes note that a validator that is to join follows the ledger. The last one schedules the change; returns the first
/// height that the new set decides.
pub(crate) fn synced<S: StateReader>(
    state: &mut Overlay<'_, S>,
    context: &BlockContext,
    author: &Did,
    validator: Address,
    reached: Height,
) -> Result<Option<Height>, ApplyError<S::Error>> {
    let change = reads::set_change(state)?
        .filter(|change| change.status != SetChangeStatus::Withdrawn {})
        .ok_or(NetworkRejection::NotAwaited(validator))?;
    let joining = change.add.iter().find(|new| new.registration.address() == validator);
    let registration = &joining.ok_or(NetworkRejection::NotAwaited(validator))?.registration;
    match author.to_key() {
        Ok(PublicKey::Ed25519(key)) if key.as_slice() == registration.consensus_key() => {}
        _ => return Err(NetworkRejection::Key(validator).into()),
    }
    if change.synced.contains(&validator) {
        return Err(NetworkRejection::AlreadySynced(validator).into());
    }
    if reached >= context.height {
        return Err(NetworkRejection::Height { given: reached, current: context.height }.into());
    }
    let not_after = registration.not_after;
    if not_after <= context.time {
        return Err(NetworkRejection::NotAfter { validator, not_after }.into());
    }
    let mut entry = SetChangeEntry { height: context.height, time: context.time, ..change };
    entry.synced.push(validator);
    let mut activation = None;
    if entry.synced.len() == entry.add.len() {
        let SetChangeEntry { add, remove, rotate, from, .. } = &entry;
        let height = schedule(state, context, SetChange { add, remove, rotate, from: *from })?;
        entry.status = SetChangeStatus::Scheduled { activation: height };
        activation = Some(height);
    }
    state.append(&keys::set_change(), |seq| SetChangeEntry { seq, ..entry })?;
    Ok(activation)
}

/// Fixes the next epoch. Returns the first height that it decides.
fn schedule<S: StateReader>(
    state: &mut Overlay<'_, S>,
    context: &BlockContext,
    change: SetChange<'_>,
) -> Result<Height, ApplyError<S::Error>> {
    let newest = reads::epoch(state)?;
    let set = changed_set(state, &newest, change)?;
    assert!(newest.from.unwrap_or(Height(0)) <= context.height, "INV-NETWORK-4: one change of the set at a time");
    for new in change.add {
        register(state, context, new.registration.address(), &new.registration)?;
    }
    for rotation in change.rotate {
        register(state, context, rotation.validator, &rotation.registration)?;
    }
    let from = activation(context, change.from);
    let epoch = newest.epoch.next();
    state.append(&keys::epoch(), |seq| EpochEntry {
        v: 1,
        seq,
        height: context.height,
        time: context.time,
        from: Some(from),
        epoch,
        validators_hash: set.hash(),
        validators: set.validators().iter().map(|validator| validator.address).collect(),
    })?;
    Ok(from)
}

/// The set that a change makes of the newest epoch's.
pub(super) fn changed_set<R: StateReader>(
    reader: &R,
    newest: &EpochEntry,
    change: SetChange<'_>,
) -> Result<ValidatorSet, ApplyError<R::Error>> {
    let mut validators = reads::validator_set(reader, newest)?.validators().to_vec();
    validators.retain(|validator| !change.remove.contains(&validator.address));
    for validator in &mut validators {
        if let Some(rotation) = change.rotate.iter().find(|rotation| rotation.validator == validator.address) {
            *validator = rotation.registration.to_validator_at(rotation.validator);
        }
    }
    validators.extend(change.add.iter().map(|new| new.registration.to_validator()));
    // INV-NETWORK-2, the size: a set says it of itself.
    Ok(ValidatorSet::new(validators).map_err(GovernanceRejection::Set)?)
}
