//! The state of height 0.

use std::collections::BTreeMap;

use testamur_primitives::genesis::Genesis;
use testamur_primitives::units::Height;

use crate::execute::BlockContext;
use crate::notary::{self, WriterStatus};
use crate::state::{Overlay, StateError, WriteSet};
use crate::{governance, network};

/// What a checked genesis writes: protocol, parameters, validators, epoch 0, operators, m, writers.
///
/// # Panics
/// Not for a checked genesis: its keys, names and DIDs are each their own.
pub fn genesis_writes(genesis: &Genesis) -> WriteSet {
    let empty = BTreeMap::new();
    let mut state = Overlay::new(&empty);
    let context =
        BlockContext { genesis: genesis.hash(), protocol: genesis.protocol, height: Height(0), time: genesis.time };
    let written = network::write_genesis(&mut state, genesis, &context)
        .and_then(|()| governance::write_genesis(&mut state, genesis, &context))
        .and_then(|()| {
            genesis
                .writers
                .iter()
                .try_for_each(|did| notary::set_role(&mut state, did, WriterStatus::Granted {}, &context, None))
        });
    match written {
        Ok(()) => {
            state.keep();
            state.into_writes()
        }
        Err(StateError::Store(never)) => match never {},
        Err(StateError::Damaged { key, reason }) => unreachable!("a new state cannot be damaged: {key} {reason}"),
    }
}
