//! What is in force at a height, and what is to come.
//!
//! Values that hold from a height on are written before it: their newest entry may lie ahead.

use testamur_primitives::epoch::{Validator, ValidatorSet};
use testamur_primitives::genesis::Parameters;
use testamur_primitives::hash::Address;
use testamur_primitives::record::Algorithm;
use testamur_primitives::units::Height;

use super::keys;
use super::state::{
    AlgorithmsEntry, EpochEntry, PageEntry, ParametersEntry, ProtocolEntry, Retirement, SetChangeEntry, ValidatorEntry,
};
use crate::state::{self as values, Entry, StateError, StateObject, StateReader};

/// An entry that holds from a height on.
pub(super) trait HoldsFrom: Entry {
    /// The first height it holds at; 0 for what genesis wrote.
    fn first_height(&self) -> Height;
}

macro_rules! holds_from {
    ($($name:ident),*) => {$(
        impl HoldsFrom for $name {
            fn first_height(&self) -> Height {
                self.from.unwrap_or(Height(0))
            }
        }
    )*};
}
holds_from!(EpochEntry, ParametersEntry, ProtocolEntry);

/// The entry in force at a height: the newest whose first height is not later. Entries are in order of that height, and
/// the usual question, about now, costs one or two keys.
fn in_force<T: HoldsFrom, R: StateReader>(
    reader: &R,
    object: &StateObject,
    height: Height,
) -> Result<T, StateError<R::Error>> {
    let mut entry: T = values::genesis_head(reader, object)?;
    while entry.first_height() > height && entry.seq() > 1 {
        entry = values::entry_before_head(reader, object, entry.seq() - 1)?;
    }
    Ok(entry)
}

/// The newest entry, when it holds only after a height.
pub(super) fn ahead<T: HoldsFrom, R: StateReader>(
    reader: &R,
    object: &StateObject,
    height: Height,
) -> Result<Option<T>, StateError<R::Error>> {
    let newest: T = values::genesis_head(reader, object)?;
    Ok(if newest.first_height() > height { Some(newest) } else { None })
}

/// The newest protocol entry: what is or will be in force.
pub fn protocol<R: StateReader>(reader: &R) -> Result<ProtocolEntry, StateError<R::Error>> {
    values::genesis_head(reader, &keys::protocol())
}

/// The protocol version of a height: that of its header, and of the rules for its records.
pub fn protocol_at<R: StateReader>(reader: &R, height: Height) -> Result<u32, StateError<R::Error>> {
    Ok(in_force::<ProtocolEntry, _>(reader, &keys::protocol(), height)?.protocol)
}

/// The newest parameters: what is or will be in force.
pub fn parameters<R: StateReader>(reader: &R) -> Result<ParametersEntry, StateError<R::Error>> {
    values::genesis_head(reader, &keys::parameters())
}

/// The parameters of a height: those that its header's `parameters_hash` names.
pub fn parameters_at<R: StateReader>(reader: &R, height: Height) -> Result<Parameters, StateError<R::Error>> {
    Ok(in_force::<ParametersEntry, _>(reader, &keys::parameters(), height)?.parameters)
}

/// The newest epoch: the validators in office, or to come.
pub fn epoch<R: StateReader>(reader: &R) -> Result<EpochEntry, StateError<R::Error>> {
    values::genesis_head(reader, &keys::epoch())
}

/// The epoch whose set decides a height.
pub fn epoch_at<R: StateReader>(reader: &R, height: Height) -> Result<EpochEntry, StateError<R::Error>> {
    in_force(reader, &keys::epoch(), height)
}

/// The epoch that begins after a height, if one is scheduled.
pub fn scheduled_epoch<R: StateReader>(reader: &R, height: Height) -> Result<Option<EpochEntry>, StateError<R::Error>> {
    ahead(reader, &keys::epoch(), height)
}

/// The validators of an epoch, as in headers and receipts: with the registrations that were the newest when the epoch
/// was scheduled.
pub fn validator_set<R: StateReader>(reader: &R, epoch: &EpochEntry) -> Result<ValidatorSet, StateError<R::Error>> {
    let damaged = |reason: &str| values::damaged(keys::epoch().entry(epoch.seq), reason);
    let validators =
        epoch.validators.iter().map(|address| validator_in(reader, epoch, *address)).collect::<Result<_, _>>()?;
    let set = ValidatorSet::new(validators).map_err(damaged)?;
    // INV-NETWORK-1: an epoch's hash is that of the set that its addresses' registrations make.
    if set.hash() != epoch.validators_hash {
        return Err(damaged("names validators whose set has another hash"));
    }
    Ok(set)
}

fn validator_in<R: StateReader>(
    reader: &R,
    epoch: &EpochEntry,
    address: Address,
) -> Result<Validator, StateError<R::Error>> {
    let object = keys::validator(address);
    // A registration is written in the block that schedules its epoch: later ones belong to later epochs.
    let mut entry: ValidatorEntry = values::head(reader, &object)?
        .ok_or_else(|| values::damaged(object.head(), "is missing, though an epoch names the validator"))?;
    while entry.height > epoch.height && entry.seq > 1 {
        entry = values::entry_before_head(reader, &object, entry.seq - 1)?;
    }
    Ok(entry.registration.to_validator_at(address))
}

/// The newest change of the validator set, whatever became of it; none if there never was one.
pub fn set_change<R: StateReader>(reader: &R) -> Result<Option<SetChangeEntry>, StateError<R::Error>> {
    values::head(reader, &keys::set_change())
}

/// The change of the validator set that waits for `synced` records. One that is scheduled is [`scheduled_epoch`]'s.
pub fn pending_set_change<R: StateReader>(reader: &R) -> Result<Option<SetChangeEntry>, StateError<R::Error>> {
    Ok(set_change(reader)?.filter(SetChangeEntry::is_waiting))
}

/// Every retirement of an algorithm, those to come included.
pub fn retirements<R: StateReader>(reader: &R) -> Result<Vec<Retirement>, StateError<R::Error>> {
    Ok(values::head::<AlgorithmsEntry, _>(reader, &keys::algorithms())?.map_or_else(Vec::new, |entry| entry.retired))
}

/// The algorithms that records of a height use no more.
pub fn retired<R: StateReader>(reader: &R, height: Height) -> Result<Vec<Algorithm>, StateError<R::Error>> {
    let all = retirements(reader)?;
    Ok(all.into_iter().filter(|retirement| retirement.from <= height).map(|retirement| retirement.algorithm).collect())
}

/// The official addresses of the verifier page; empty until operators name some.
pub fn page_hosts<R: StateReader>(reader: &R) -> Result<Vec<String>, StateError<R::Error>> {
    Ok(values::head::<PageEntry, _>(reader, &keys::page())?.map_or_else(Vec::new, |entry| entry.hosts))
}
