//! What the host of the faulty build proposes.

use std::sync::Arc;

use testamur_primitives::units::{Height, Round, UnixTime};

use super::{Host, PartSender};
use crate::application::{Application, Proposed, Undecided};
use crate::error::ConsensusError;
use crate::faults;

impl<A: Application> Host<A> {
    /// Proposes something else, or something else besides.
    pub(super) async fn lie(
        &mut self,
        height: Height,
        round: Round,
        proposed: Proposed<A::Block>,
        network: &PartSender,
    ) -> Result<Proposed<A::Block>, ConsensusError> {
        if faults::on("consensus.lie.double-proposals") {
            let address = self.shared.address;
            let time = UnixTime(proposed.block.header.time.get() + 1);
            let second = self.blocking(move |s| s.app.propose(address, time, &[])).await?.block;
            let seen = Undecided { round, proposer: address, bytes: second.bytes.clone() };
            let stored = Arc::clone(&second);
            self.blocking(move |s| s.app.put_undecided(height, &stored, &seen)).await?;
            self.publish(&second, round, None, address, network).await;
            faults::Lies::of_process().published_second(height, round, second.header.value_id());
        }
        let Proposed { block, rejected } = proposed;
        let block = self.blocking(move |s| faults::instead(&*s.app, block)).await?;
        Ok(Proposed { block, rejected })
    }
}
