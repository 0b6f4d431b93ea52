//! What the state after a block says of the heights after it: the sets, parameters and protocol that were decided ahead.
//!
//! Headers are derived from it, so it is read from the state, never from genesis or a configuration:
//!
//! | of height H | from the state after H − 1 |
//! |---|---|
//! | `validators_hash` | what the header before calls next; the epoch in force at H is that set's |
//! | `next_validators_hash` | the scheduled epoch's, if it begins at H + 1; else `validators_hash` |
//! | `parameters_hash`, `protocol` | those in force at H |
//!
//! A set is scheduled at least two heights ahead, so the header before its first height names it, and is certified by
//! the set before: that is the link of the epoch chain.

use std::sync::Arc;

use testamur_primitives::epoch::ValidatorSet;
use testamur_primitives::genesis::{Genesis, Parameters};
use testamur_primitives::units::Height;
use testamur_registry::network::{self, EpochEntry, keys};
use testamur_registry::state::StateError;
use testamur_registry::{StateKey, StateReader, WriteSet};

/// What is decided for the heights after a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// The set that comes after that of the next height, and the first height that it decides (after the next height).
    pub set: Option<(Height, Arc<ValidatorSet>)>,
    /// The parameters of the next height.
    pub parameters: Arc<Parameters>,
    /// The parameters that come, and the first height that they hold at.
    pub parameters_ahead: Option<(Height, Arc<Parameters>)>,
    /// The protocol version of the next height. Whether this binary knows its rules is asked before it executes.
    pub protocol: u32,
    /// The protocol version that comes, and its first height.
    pub protocol_ahead: Option<(Height, u32)>,
}

/// The set of the next height, and what comes.
pub(crate) type InForce = (Arc<ValidatorSet>, Schedule);

impl Schedule {
    /// Of height 1: genesis decides it.
    pub(crate) fn of_genesis(genesis: &Genesis) -> InForce {
        let schedule = Self {
            set: None,
            parameters: Arc::new(genesis.parameters.clone()),
            parameters_ahead: None,
            protocol: genesis.protocol,
            protocol_ahead: None,
        };
        (Arc::new(genesis.validator_set()), schedule)
    }

    /// Reads the state after a block; `next` is the height after it.
    pub(crate) fn read<R: StateReader>(reader: &R, next: Height) -> Result<InForce, StateError<R::Error>> {
        let set = |entry: &EpochEntry| network::validator_set(reader, entry).map(Arc::new);
        let validators = set(&network::epoch_at(reader, next)?)?;
        let scheduled = network::scheduled_epoch(reader, next)?;
        let scheduled = scheduled.map(|entry| set(&entry).map(|set| (first_height(&entry), set))).transpose()?;
        let parameters = network::parameters(reader)?;
        let ahead = parameters.from.filter(|from| *from > next);
        let protocol = network::protocol(reader)?;
        let schedule = Self {
            set: scheduled,
            parameters: Arc::new(network::parameters_at(reader, next)?),
            parameters_ahead: ahead.map(|from| (from, Arc::new(parameters.parameters))),
            protocol: network::protocol_at(reader, next)?,
            protocol_ahead: protocol.from.filter(|from| *from > next).map(|from| (from, protocol.protocol)),
        };
        Ok((validators, schedule))
    }

    /// After a block, from what held before it: `reader` is the state with the block's writes, and is read only when they
    /// change something, or when something that was decided ahead begins at `next`.
    pub(crate) fn after<R: StateReader>(
        before: (&Arc<ValidatorSet>, &Self),
        next: Height,
        writes: &WriteSet,
        reader: &R,
    ) -> Result<InForce, StateError<R::Error>> {
        let (validators, schedule) = before;
        let heads = [keys::epoch(), keys::parameters(), keys::protocol()];
        let begins = [
            schedule.set.as_ref().map(|(from, _)| *from),
            schedule.parameters_ahead.as_ref().map(|(from, _)| *from),
            schedule.protocol_ahead.map(|(from, _)| from),
        ];
        let changed = heads.iter().any(|object| writes.get(&object.head()).is_some());
        if !changed && begins.into_iter().flatten().all(|from| from > next) {
            return Ok((Arc::clone(validators), schedule.clone()));
        }
        Self::read(reader, next)
    }

    /// The set that decides the height after the next one, if another than decides the next one.
    pub(crate) fn set_after_next(&self, next: Height) -> Option<&Arc<ValidatorSet>> {
        self.set.as_ref().filter(|(from, _)| *from == next.next()).map(|(_, set)| set)
    }
}

/// The first height that an epoch's set decides.
pub(crate) fn first_height(entry: &EpochEntry) -> Height {
    entry.from.unwrap_or(Height(0))
}

/// The epoch that a block's writes schedule, with its set.
pub(crate) fn scheduled_by<R: StateReader>(
    writes: &WriteSet,
    reader: &R,
) -> Result<Option<(EpochEntry, ValidatorSet)>, StateError<R::Error>> {
    if writes.get(&keys::epoch().head()).is_none() {
        return Ok(None);
    }
    let entry = network::epoch(reader)?;
    let set = network::validator_set(reader, &entry)?;
    Ok(Some((entry, set)))
}

/// A state with a block's writes over it.
pub(crate) struct WithWrites<'a, R> {
    pub(crate) base: &'a R,
    pub(crate) writes: &'a WriteSet,
}

impl<R: StateReader> StateReader for WithWrites<'_, R> {
    type Error = R::Error;
    const SEALED: bool = R::SEALED;

    fn get(&self, key: &StateKey) -> Result<Option<Vec<u8>>, R::Error> {
        match self.writes.get(key) {
            Some(value) => Ok(Some(value.to_vec())),
            None => self.base.get(key),
        }
    }
}
