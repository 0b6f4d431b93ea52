//! Blocks of the next height: judged, kept, found again.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use arc_malachitebft_app_channel::app::engine::host::SyncedValueOutcome;
use arc_malachitebft_app_channel::app::types::ProposedValue;
use arc_malachitebft_app_channel::app::types::core::Validity;
use bytes::Bytes;
use testamur_primitives::checkpoint::ValueId;
use testamur_primitives::hash::Address;
use testamur_primitives::units::{Height, Round};

use super::{Host, Judged};
use crate::application::{Application, Attachments, Prepared, Undecided};
use crate::context::{EngineAddress, EngineHeight, EngineRound, EngineValue, Network, engine_round, ledger_round};
use crate::error::ConsensusError;
use crate::limits::PREPARED_MAX;
use crate::metrics::Counters;
use crate::parts::Streamed;

impl<A: Application> Host<A> {
    /// A verdict on a complete proposal for the next height: valid, or none.
    pub(super) async fn judge(&mut self, streamed: Streamed) -> Result<Option<ProposedValue<Network>>, ConsensusError> {
        let Streamed { height, round, valid_round, proposer, value, .. } = streamed;
        let expected =
            self.shared.sets.read().expect("no panic while held").members().proposer(height, round).ledger_address();
        if expected != proposer {
            return Ok(None); // it was held for a later height, before its proposer was known
        }
        let (now, tolerance) = (self.shared.surroundings.time().get(), self.tip.parameters.clock_tolerance_s.into());
        // The parent's time is never ahead, whatever this clock says: nothing earlier can be proposed.
        if value.time > self.tip.time && value.time.get() > now.saturating_add(tolerance) {
            Counters::add(&self.shared.counters.ahead_of_clock, 1);
            // INV-TIME-1: of a quorum more than a third are honest, and have taken it by their own clocks; who of them is
            // locked on it votes for nothing else.
            if !self.shared.heard.has_polka(height, &value, &self.tip.validators) {
                tracing::warn!(%height, %round, %proposer, "proposal is ahead of this node's clock: no verdict yet");
                self.hold(streamed);
                return Ok(None);
            }
            tracing::warn!(
                %height, %round, %proposer,
                "proposal is ahead of this node's clock, and a quorum has prevoted for it: set this machine's clock"
            );
        }
        if self.prepared.get(&value).is_some_and(|block| block.attached) {
            return Ok(Some(valid(height, round, valid_round, proposer, value)));
        }
        let seen = Undecided { round, proposer, bytes: streamed.bytes.clone() };
        let block = self.validate(streamed.bytes, Attachments::Checked, Some((value, seen))).await?;
        let Some(block) = block else { return Ok(None) };
        self.keep(value, block);
        Ok(Some(valid(height, round, valid_round, proposer, value)))
    }

    /// Executes a block for the next height; with `store`, also checks its value and makes it durable.
    pub(super) async fn validate(
        &self,
        bytes: Bytes,
        attachments: Attachments,
        store: Option<(ValueId, Undecided)>,
    ) -> Result<Judged<A::Block>, ConsensusError> {
        let height = self.tip.height.next();
        self.blocking(move |s| {
            let block = match s.app.validate(&bytes, &|leaf| s.pool.known(leaf), attachments)? {
                Ok(block) => block,
                Err(reason) => {
                    Counters::add(&s.counters.invalid, 1);
                    tracing::warn!(%height, reason, "invalid block");
                    return Ok(None);
                }
            };
            if let Some((value, seen)) = store {
                if block.header.value_id() != value {
                    Counters::add(&s.counters.parts_refused, 1);
                    return Ok(None);
                }
                // INV-ATTACH-1: nothing is voted for whose attachments this node does not hold, so that a quorum
                // holds what is decided. Like changed parts, it speaks against these bytes and not against the value.
                if !block.attached {
                    Counters::add(&s.counters.unattached, 1);
                    tracing::warn!(%height, "a proposal without its records' attachments: no verdict");
                    return Ok(None);
                }
                s.app.put_undecided(height, &block, &seen)?; // INV-HOST-1
            }
            Ok(Some(block))
        })
        .await
    }

    pub(super) fn keep(&mut self, value: ValueId, block: Arc<Prepared<A::Block>>) {
        if self.prepared.len() >= PREPARED_MAX && !self.prepared.contains_key(&value) {
            // All of them are in the store: any may go, and is executed again if it is the one.
            let some = self.prepared.keys().next().copied();
            some.and_then(|value| self.prepared.remove(&value));
        }
        self.prepared.insert(value, block);
    }

    /// An executed block of the next height, from memory or from the store.
    pub(super) async fn find(&mut self, height: Height, value: ValueId) -> Result<Judged<A::Block>, ConsensusError> {
        if let Some(block) = self.prepared.get(&value) {
            return Ok(Some(Arc::clone(block)));
        }
        if height != self.tip.height.next() {
            return Ok(None);
        }
        for undecided in self.blocking(move |s| s.app.undecided(height)).await? {
            match self.validate(undecided.bytes, Attachments::AsTheyCome, None).await? {
                Some(block) if block.header.value_id() == value => return Ok(Some(block)),
                _ => {}
            }
        }
        Ok(None)
    }

    pub(super) async fn receive_synced(
        &mut self,
        height: EngineHeight,
        round: EngineRound,
        proposer: EngineAddress,
        bytes: Bytes,
    ) -> Result<SyncedValueOutcome<Network>, ConsensusError> {
        if height.0 != self.tip.height.next() {
            return Ok(SyncedValueOutcome::LocalTransientError);
        }
        if let Some(following) = &mut self.following {
            following.synced(height.0);
        }
        let Some(block) = self.validate(bytes.clone(), Attachments::AsTheyCome, None).await? else {
            // Perhaps only this peer's copy is bad: the certificate does not cover the records directly.
            return Ok(SyncedValueOutcome::PeerFault);
        };
        let value = block.header.value_id();
        let seen = Undecided { round: ledger_round(round).unwrap_or_default(), proposer: proposer.0, bytes };
        let stored = Arc::clone(&block);
        self.blocking(move |s| s.app.put_undecided(height.0, &stored, &seen)).await?; // INV-HOST-1
        self.keep(value, block);
        self.shared.counters.synced.fetch_add(1, Ordering::Relaxed);
        self.synced = Some(height.0);
        Ok(SyncedValueOutcome::Verdict(ProposedValue {
            height,
            round,
            valid_round: EngineRound::Nil,
            proposer,
            value: EngineValue(value),
            validity: Validity::Valid,
        }))
    }
}

/// A verdict for the engine.
pub(super) fn valid(
    height: Height,
    round: Round,
    valid_round: Option<Round>,
    proposer: Address,
    value: ValueId,
) -> ProposedValue<Network> {
    ProposedValue {
        height: EngineHeight(height),
        round: engine_round(Some(round)),
        valid_round: engine_round(valid_round),
        proposer: EngineAddress(proposer),
        value: EngineValue(value),
        validity: Validity::Valid,
    }
}
