//! A node's own state: why it is not ready, its counters and metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use testamur_api::health::{Health, NodeRole, NodeStatus, NotReady};
use testamur_consensus::{Role, Stall};
use testamur_primitives::equivocation::Equivocation;
use testamur_primitives::hash::Address;
use testamur_store::Ledger;

use super::clock;
use super::part::{Consensus, Part};
use super::submitter::Measured;
use crate::limits::{FOLLOW_SILENCE_MAX, HEARTBEATS_MISSED_MAX, LACKING_COUNTED_MAX};

/// What the health answers are made of.
pub(crate) struct NodeHealth {
    pub(crate) address: Option<Address>,
    pub(crate) started: Instant,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) part: Arc<Part>,
    pub(crate) measured: Arc<Measured>,
    pub(crate) disk_low: Arc<AtomicBool>,
    pub(crate) free_bytes: Arc<AtomicU64>,
    pub(crate) free_bytes_min: u64,
    pub(crate) stopping: Arc<AtomicBool>,
    /// Records that the background scrub has looked at since the start.
    pub(crate) scrubbed: Arc<AtomicU64>,
}

/// Validators in reach of a consensus, this node included.
fn connected(consensus: &Consensus) -> u32 {
    let peers = consensus.peers().iter().filter(|peer| peer.connected && peer.in_office).count();
    u32::try_from(peers + 1).unwrap_or(u32::MAX)
}

impl NodeHealth {
    fn waiting_for(&self, consensus: Option<&Consensus>, stall: Option<&Stall>) -> String {
        let Some(consensus) = consensus else { return "the nodes that it follows".into() };
        if let Some(stall) = stall.filter(|stall| stall.no_quorum) {
            return stall.silent.join(", ");
        }
        let tip = self.ledger.tip();
        let away: Vec<_> = consensus
            .peers()
            .into_iter()
            .filter(|peer| !peer.connected && peer.in_office)
            .map(|peer| {
                tip.validators.by_address(peer.validator).map_or_else(|| peer.validator.to_string(), |v| v.name.clone())
            })
            .collect();
        if away.is_empty() { "votes; all validators are connected".into() } else { away.join(", ") }
    }

    /// Heights that this node knows to lack.
    fn behind(&self, consensus: Option<&Consensus>) -> u64 {
        let tip = self.ledger.tip().height();
        match consensus {
            Some(consensus) => {
                let highest = consensus.peers().iter().filter_map(|peer| peer.height).max();
                highest.map_or(0, |highest| highest.0.saturating_sub(tip.0))
            }
            None => self.part.progress.behind(tip),
        }
    }

    fn silence_s(&self, consensus: &Option<Consensus>) -> u64 {
        if consensus.is_some() { 0 } else { self.part.progress.silence().as_secs() }
    }

    /// Its validator's name in the newest set, or what it is.
    fn name(&self) -> String {
        let named = self.address.and_then(|address| {
            let tip = self.ledger.tip();
            let genesis = self.ledger.genesis().validator_set();
            [tip.validators.by_address(address), genesis.by_address(address)]
                .into_iter()
                .flatten()
                .next()
                .map(|validator| validator.name.clone())
        });
        named.unwrap_or_else(|| if self.address.is_some() { "candidate" } else { "observer" }.to_owned())
    }
}

impl Health for NodeHealth {
    fn problems(&self) -> Vec<NotReady> {
        let mut problems = Vec::new();
        if let Some(reason) = self.ledger.health().reason() {
            problems.push(NotReady::Damage(reason.to_owned()));
        }
        if self.stopping.load(Ordering::Relaxed) {
            problems.push(NotReady::Stopping);
        }
        if self.disk_low.load(Ordering::Relaxed) {
            let free_bytes = self.free_bytes.load(Ordering::Relaxed);
            problems.push(NotReady::DiskLow { free_bytes, needed_bytes: self.free_bytes_min });
        }
        let tip = self.ledger.tip();
        let consensus = self.part.consensus();
        // One height of difference is what two nodes normally have while a block is spreading.
        let heights = self.behind(consensus.as_ref());
        if heights > 1 {
            problems.push(NotReady::Behind { heights });
        }
        // A failed read has stopped the store, and its reason is told above at the next look.
        let lacking = self.ledger.view().and_then(|view| view.missing_attachments(LACKING_COUNTED_MAX));
        if let Some(missing) = lacking.ok().map(|lacking| lacking.len() as u64).filter(|missing| *missing > 0) {
            problems.push(NotReady::Attachments { missing });
        }
        match &consensus {
            Some(consensus) => {
                let (connected, needed) = (connected(consensus), tip.validators.quorum() as u32);
                if connected < needed {
                    problems.push(NotReady::NoQuorum { connected, needed });
                }
            }
            None => {
                let (nodes, silence) = (self.part.sources.len(), self.part.progress.silence());
                if nodes == 0 || silence > FOLLOW_SILENCE_MAX {
                    problems.push(NotReady::NoSource { seconds: silence.as_secs(), nodes });
                }
            }
        }
        let stall = consensus.as_ref().and_then(Consensus::stall);
        if let Some(stall) = &stall {
            problems.push(NotReady::Stalled { what: stall.to_string() });
        }
        let heartbeat_s = u64::from(tip.schedule.parameters.heartbeat_s);
        let allowed_s = HEARTBEATS_MISSED_MAX * heartbeat_s;
        // A node that has just started gets as long as one that runs.
        let seconds = clock::now().0.saturating_sub(tip.header.time.0).min(self.started.elapsed().as_secs());
        if seconds > allowed_s {
            let waiting_for = self.waiting_for(consensus.as_ref(), stall.as_ref());
            problems.push(NotReady::NoBlock { seconds, waiting_for });
        }
        let stopped = consensus.is_some_and(|consensus| *consensus.role().borrow() == Role::Stopped);
        if stopped && problems.is_empty() {
            problems.push(NotReady::Stopping);
        }
        problems
    }

    fn is_alive(&self) -> bool {
        let stopped = self.part.consensus().is_some_and(|consensus| *consensus.role().borrow() == Role::Stopped);
        self.ledger.health().reason().is_none() && !stopped
    }

    fn status(&self) -> NodeStatus {
        let consensus = self.part.consensus();
        let pool = consensus.as_ref().map(Consensus::pool).unwrap_or_default();
        NodeStatus {
            name: self.name(),
            validator: self.address,
            role: if consensus.is_some() { NodeRole::Validator } else { NodeRole::Observer },
            behind: self.behind(consensus.as_ref()),
            version: env!("CARGO_PKG_VERSION").into(),
            uptime_s: self.started.elapsed().as_secs(),
            validators_connected: consensus.as_ref().map_or(0, connected),
            pool_records: pool.records as u64,
            pool_bytes: pool.bytes as u64,
            time_to_final: self.measured.time_to_final(),
        }
    }

    fn equivocations(&self, start: usize, limit: usize) -> (Vec<Equivocation>, usize) {
        self.part.consensus().map(|consensus| consensus.equivocations(start, limit)).unwrap_or_default()
    }

    fn metrics(&self) -> String {
        let tip = self.ledger.tip();
        let usage = self.ledger.usage();
        let consensus = self.part.consensus();
        let gauges = [
            ("testamur_observing", "Whether this node follows without voting.", u64::from(consensus.is_none())),
            ("testamur_behind_heights", "Heights this node knows to lack.", self.behind(consensus.as_ref())),
            ("testamur_follow_silence_seconds", "Since a followed node last answered.", self.silence_s(&consensus)),
            (
                "testamur_follow_left_out_total",
                "How often a followed node was left out for what it sent.",
                self.part.progress.times_left_out(),
            ),
            ("testamur_height", "Height of the newest final block.", tip.height().0),
            ("testamur_log_records", "Records in the log.", tip.header.log_size.0),
            ("testamur_block_time_seconds", "Time of the newest final block.", tip.header.time.0),
            ("testamur_disk_free_bytes", "Bytes the node may still write.", self.free_bytes.load(Ordering::Relaxed)),
            ("testamur_store_table_bytes", "Bytes of the database's table files.", usage.table_bytes),
            ("testamur_store_memtable_bytes", "Bytes of the database's memory tables.", usage.memtable_bytes),
            (
                "testamur_scrub_heights",
                "Heights the background scrub has checked.",
                self.scrubbed.load(Ordering::Relaxed),
            ),
        ];
        let mut text = String::new();
        for (name, help, value) in gauges {
            text.push_str(&format!("# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}\n"));
        }
        text.push_str(&super::readiness::metric(&self.problems()));
        if let Some(consensus) = consensus {
            text.push_str(&consensus.metrics());
        }
        text
    }
}
