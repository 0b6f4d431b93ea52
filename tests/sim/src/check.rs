//! The checkers: what may never happen, whatever a run does to its nodes. They hear what honest nodes let out and say is
//! final, and know nothing of how that came about.
//!
//! - INV-SIM-1 (safety): no two honest nodes hold different blocks at one height.
//! - INV-SIM-2 (one signature): no honest validator's key signs two different things for one height, round and step.
//! - INV-SIM-3 (locks): an honest validator that precommitted a value prevotes another one later at that height only if a
//!   quorum prevoted that other one in between.
//! - INV-SIM-4 (durability): what a node said is final it still has after any restart, unless its disk was taken from it.
//! - INV-SIM-5 (append-only): what a node has after a restart is what it had, and nothing else at any of its heights.
//! - INV-SIM-6 (time): blocks' times never go back, and none lies further ahead than an honest clock and the tolerance allow.
//! - INV-SIM-7 (liveness): when faults end, every honest node goes on and has every record that was said to be final.

use std::collections::{BTreeMap, BTreeSet};

use arc_malachitebft_app_channel::app::types::SignedConsensusMsg;
use arc_malachitebft_app_channel::app::types::core::{NilOrVal, VoteType};
use testamur_consensus::context::{Network, ledger_round};
use testamur_primitives::checkpoint::ValueId;
use testamur_primitives::hash::{HeaderHash, RecordId};
use testamur_primitives::units::{Height, Round};

use crate::ledger::Committed;

/// What broke, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Which invariant: its number.
    pub invariant: u8,
    /// What happened.
    pub how: String,
}

fn broken(invariant: u8, how: String) -> Broken {
    Broken { invariant, how: format!("INV-SIM-{invariant}: {how}") }
}

/// Height, round and step (0 proposal, 1 prevote, 2 precommit).
type Slot = (Height, Round, u8);

/// Everything seen so far.
#[derive(Debug, Default)]
pub struct Checker {
    quorum: usize,
    decided: BTreeMap<Height, (HeaderHash, u64)>,
    signed: BTreeMap<(usize, Slot), (Option<ValueId>, Option<Round>)>,
    locks: BTreeMap<(usize, Height), (Round, ValueId)>,
    prevotes: BTreeMap<(Height, ValueId), BTreeMap<Round, BTreeSet<usize>>>,
    told: BTreeMap<usize, Vec<HeaderHash>>,
    final_records: BTreeMap<RecordId, Height>,
    /// What broke first.
    pub found: Option<Broken>,
}

impl Checker {
    /// For a network of so many validators.
    pub fn new(validators: usize) -> Self {
        Self { quorum: validators * 2 / 3 + 1, ..Self::default() }
    }

    /// Notes what broke; the first counts.
    pub fn report(&mut self, invariant: u8, how: String) {
        self.found.get_or_insert(broken(invariant, how));
    }

    /// Blocks decided.
    pub fn heights(&self) -> u64 {
        self.decided.len() as u64
    }

    /// Records that some node said are final.
    pub fn final_records(&self) -> &BTreeMap<RecordId, Height> {
        &self.final_records
    }

    /// A vote or proposal of a validator was let out.
    pub fn published(&mut self, validator: usize, honest: bool, message: &SignedConsensusMsg<Network>) {
        let (slot, value, pol) = match message {
            SignedConsensusMsg::Vote(vote) => {
                if vote.signature.0 == [0; 64] {
                    return; // no signature at all: from a node without the key of this height
                }
                let vote = &vote.message;
                let step = if vote.kind == VoteType::Prevote { 1 } else { 2 };
                let value = match &vote.value {
                    NilOrVal::Nil => None,
                    NilOrVal::Val(value) => Some(value.0),
                };
                ((vote.height.0, ledger_round(vote.round).unwrap_or_default(), step), value, None)
            }
            SignedConsensusMsg::Proposal(proposal) => {
                let proposal = &proposal.message;
                let round = ledger_round(proposal.round).unwrap_or_default();
                ((proposal.height.0, round, 0), Some(proposal.value.0), ledger_round(proposal.pol_round))
            }
        };
        let (height, round, step) = slot;
        if let (1, Some(value)) = (step, value) {
            self.prevotes.entry((height, value)).or_default().entry(round).or_default().insert(validator);
        }
        if !honest {
            return;
        }
        match self.signed.get(&(validator, slot)) {
            Some(before) if *before != (value, pol) => {
                let how = format!("validator {validator} signed twice at {slot:?}: {before:?} and {:?}", (value, pol));
                self.report(2, how);
            }
            Some(_) => return,
            None => {
                self.signed.insert((validator, slot), (value, pol));
            }
        }
        match (step, value, self.locks.get(&(validator, height)).copied()) {
            (1, Some(value), Some((locked_in, locked))) if value != locked && round > locked_in => {
                let rounds = self.prevotes.get(&(height, value));
                let justified = rounds.is_some_and(|rounds| {
                    rounds.range(locked_in..round).any(|(_, validators)| validators.len() >= self.quorum)
                });
                if !justified {
                    let how = format!(
                        "validator {validator} precommitted {} in round {locked_in} of height {height} and prevoted {} in \
                         round {round}",
                        locked.header, value.header
                    );
                    self.report(3, how);
                }
            }
            (2, Some(value), lock) if lock.is_none_or(|(locked_in, _)| round > locked_in) => {
                self.locks.insert((validator, height), (round, value));
            }
            _ => {}
        }
    }

    /// A node said that a block is final. `latest` is the time of the honest clock that is furthest ahead, with the
    /// tolerance.
    pub fn committed(&mut self, node: usize, block: &Committed, latest: u64) {
        let (height, time) = (block.header.height, block.header.time.get());
        match self.decided.get(&height) {
            Some((hash, _)) if *hash != block.hash => {
                let how = format!("node {node} has {} at height {height}, another node has {hash}", block.hash);
                self.report(1, how);
            }
            Some(_) => {}
            None => {
                let before = self.decided.range(..height).next_back().map_or(0, |(_, (_, time))| *time);
                let after = self.decided.range(height..).next().map_or(u64::MAX, |(_, (_, time))| *time);
                if time < before || time > after {
                    self.report(6, format!("height {height} has time {time}, heights around it {before} and {after}"));
                }
                if time > latest {
                    self.report(6, format!("height {height} has time {time}, the latest honest clock allows {latest}"));
                }
                self.decided.insert(height, (block.hash, time));
            }
        }
        self.final_records.extend(block.records.iter().map(|id| (*id, height)));
        let told = self.told.entry(node).or_default();
        if told.len() as u64 + 1 != height.get() {
            let how = format!("node {node} commits height {height} after {}", told.len());
            self.report(5, how);
        }
        self.told.entry(node).or_default().push(block.hash);
    }

    /// A node was started over these blocks. `taken` says that its disk was taken from it.
    pub fn reopened(&mut self, node: usize, blocks: &[Committed], taken: bool) {
        let now: Vec<_> = blocks.iter().map(|block| block.hash).collect();
        let told = self.told.entry(node).or_default();
        let common = told.len().min(now.len());
        let (lost, changed) = (now.len() < told.len(), told[..common] != now[..common]);
        let (had, has) = (told.len(), now.len());
        *told = now;
        if changed {
            self.report(5, format!("node {node} has other blocks after a restart"));
        }
        if lost && !taken {
            self.report(4, format!("node {node} said that height {had} is final and has {has} after a restart"));
        }
        for block in blocks {
            let height = block.header.height;
            if self.decided.get(&height).is_some_and(|(hash, _)| *hash != block.hash) {
                self.report(1, format!("node {node} has another block at height {height} after a restart"));
            }
            // It was committed in the last moment before the power went, and told to nobody.
            self.decided.entry(height).or_insert((block.hash, block.header.time.get()));
        }
    }

    /// What a node has in the end.
    pub fn in_the_end(&mut self, node: usize, blocks: &[Committed]) {
        let ids: BTreeSet<_> = blocks.iter().flat_map(|block| &block.records).copied().collect();
        if ids.len() != blocks.iter().map(|block| block.records.len()).sum::<usize>() {
            self.report(5, format!("node {node} has a record twice"));
        }
        let tip = Height(blocks.len() as u64);
        let lost = self.final_records.iter().find(|(id, height)| **height <= tip && !ids.contains(*id));
        if let Some((lost, height)) = lost {
            let how = format!("node {node} does not have record {lost}, which was said to be final at height {height}");
            self.report(7, how);
        }
    }
}
