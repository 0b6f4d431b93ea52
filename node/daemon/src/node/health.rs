//! A node's own state: why it is not ready, its counters and metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use testamur_api::health::{Health, NodeStatus, NotReady};
use testamur_consensus::{ConsensusHandle, Role};
use testamur_primitives::hash::Address;
use testamur_store::Ledger;

use super::application::LedgerApplication;
use super::clock;
use super::submitter::Measured;
use crate::limits::{HEARTBEATS_MISSED_MAX, LACKING_COUNTED_MAX};

/// What the health answers are made of.
pub(crate) struct NodeHealth {
    pub(crate) name: String,
    pub(crate) address: Address,
    pub(crate) started: Instant,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) consensus: ConsensusHandle<LedgerApplication>,
    pub(crate) measured: Arc<Measured>,
    pub(crate) disk_low: Arc<AtomicBool>,
    pub(crate) free_bytes: Arc<AtomicU64>,
    pub(crate) free_bytes_min: u64,
    pub(crate) stopping: Arc<AtomicBool>,
    /// Records that the background scrub has looked at since the start.
    pub(crate) scrubbed: Arc<AtomicU64>,
}

impl NodeHealth {
    fn connected(&self) -> u32 {
        let peers = self.consensus.peers().iter().filter(|peer| peer.connected).count();
        u32::try_from(peers + 1).unwrap_or(u32::MAX)
    }

    fn waiting_for(&self) -> String {
        let tip = self.ledger.tip();
        let away: Vec<_> = self
            .consensus
            .peers()
            .into_iter()
            .filter(|peer| !peer.connected)
            .map(|peer| {
                tip.validators.by_address(peer.validator).map_or_else(|| peer.validator.to_string(), |v| v.name.clone())
            })
            .collect();
        if away.is_empty() { "votes; all validators are connected".into() } else { away.join(", ") }
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
        let highest = self.consensus.peers().iter().filter_map(|peer| peer.height).max();
        // One height of difference is what two nodes normally have while a block is spreading.
        if let Some(heights) = highest.and_then(|h| h.0.checked_sub(tip.height().0 + 1)).filter(|behind| *behind > 0) {
            problems.push(NotReady::Behind { heights: heights + 1 });
        }
        // A failed read has stopped the store, and its reason is told above at the next look.
        let lacking = self.ledger.view().and_then(|view| view.missing_attachments(LACKING_COUNTED_MAX));
        if let Some(missing) = lacking.ok().map(|lacking| lacking.len() as u64).filter(|missing| *missing > 0) {
            problems.push(NotReady::Attachments { missing });
        }
        let (connected, needed) = (self.connected(), tip.validators.quorum() as u32);
        if connected < needed {
            problems.push(NotReady::NoQuorum { connected, needed });
        }
        let heartbeat_s = u64::from(tip.schedule.parameters.heartbeat_s);
        let allowed_s = HEARTBEATS_MISSED_MAX * heartbeat_s;
        // A node that has just started gets as long as one that runs.
        let seconds = clock::now().0.saturating_sub(tip.header.time.0).min(self.started.elapsed().as_secs());
        if seconds > allowed_s {
            problems.push(NotReady::NoBlock { seconds, waiting_for: self.waiting_for() });
        }
        if *self.consensus.role().borrow() == Role::Stopped && problems.is_empty() {
            problems.push(NotReady::Stopping);
        }
        problems
    }

    fn is_alive(&self) -> bool {
        self.ledger.health().reason().is_none() && *self.consensus.role().borrow() != Role::Stopped
    }

    fn status(&self) -> NodeStatus {
        let pool = self.consensus.pool();
        NodeStatus {
            name: self.name.clone(),
            validator: Some(self.address),
            version: env!("CARGO_PKG_VERSION").into(),
            uptime_s: self.started.elapsed().as_secs(),
            validators_connected: self.connected(),
            pool_records: pool.records as u64,
            pool_bytes: pool.bytes as u64,
            time_to_final: self.measured.time_to_final(),
        }
    }

    fn metrics(&self) -> String {
        let tip = self.ledger.tip();
        let usage = self.ledger.usage();
        let gauges = [
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
        text.push_str(&self.consensus.metrics());
        text
    }
}
