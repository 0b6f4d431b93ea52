//! Counters of consensus, and their text form for Prometheus.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counters; each only grows.
#[derive(Debug, Default)]
pub struct Counters {
    /// Blocks committed by this process.
    pub blocks: AtomicU64,
    /// Records in them.
    pub records: AtomicU64,
    /// Blocks that came by catching up.
    pub synced: AtomicU64,
    /// Blocks this node made for a proposal.
    pub proposals: AtomicU64,
    /// Rounds begun after the first of a height.
    pub later_rounds: AtomicU64,
    /// Proposals whose time was ahead of this node's clock.
    pub ahead_of_clock: AtomicU64,
    /// Proposals that this node found invalid.
    pub invalid: AtomicU64,
    /// Proposals without the attachments that their records name.
    pub unattached: AtomicU64,
    /// Attachments fetched from peers.
    pub attachments_fetched: AtomicU64,
    /// Streams of parts refused.
    pub parts_refused: AtomicU64,
    /// Pairs of contradicting proposals seen.
    pub double_proposals: AtomicU64,
    /// Pairs of contradicting votes seen.
    pub double_votes: AtomicU64,
    /// How often a validator was heard with two processes at once.
    pub duplicate_keys: AtomicU64,
    /// Records that came by gossip.
    pub gossip_records: AtomicU64,
    /// Bundles sent to peers.
    pub gossip_bundles: AtomicU64,
    /// Records not passed on because a peer was too slow.
    pub gossip_dropped: AtomicU64,
    /// Records refused at submission or from gossip.
    pub refused: AtomicU64,
    /// Heights that were not decided for too long.
    pub stalls: AtomicU64,
}

impl Counters {
    /// Adds to a counter.
    pub fn add(counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn write(&self, text: &mut String) {
        let counters = [
            ("blocks_committed", "Blocks committed by this process.", &self.blocks),
            ("records_committed", "Records in committed blocks.", &self.records),
            ("blocks_synced", "Blocks that came by catching up.", &self.synced),
            ("proposals_made", "Blocks made for a proposal.", &self.proposals),
            ("later_rounds", "Rounds begun after the first of a height.", &self.later_rounds),
            ("proposals_ahead_of_clock", "Proposals timed ahead of this node's clock.", &self.ahead_of_clock),
            ("proposals_invalid", "Proposals found invalid.", &self.invalid),
            ("proposals_unattached", "Proposals without their records' attachments.", &self.unattached),
            ("attachments_fetched", "Attachments fetched from peers.", &self.attachments_fetched),
            ("parts_refused", "Streams of parts refused.", &self.parts_refused),
            ("double_proposals", "Contradicting pairs of proposals.", &self.double_proposals),
            ("double_votes", "Contradicting pairs of votes.", &self.double_votes),
            ("duplicate_keys", "Times a validator was heard with two processes at once.", &self.duplicate_keys),
            ("gossip_records", "Records that came by gossip.", &self.gossip_records),
            ("gossip_bundles", "Bundles sent to peers.", &self.gossip_bundles),
            ("gossip_records_dropped", "Records not passed on to a slow peer.", &self.gossip_dropped),
            ("records_refused", "Records refused.", &self.refused),
            ("stalls", "Heights that were not decided for too long.", &self.stalls),
        ];
        for (name, help, counter) in counters {
            let value = counter.load(Ordering::Relaxed);
            let name = format!("testamur_consensus_{name}");
            writeln!(text, "# HELP {name} {help}\n# TYPE {name} counter\n{name}_total {value}").expect("into a string");
        }
    }
}

/// Writes one gauge.
pub(crate) fn write_gauge(text: &mut String, name: &str, help: &str, value: u64) {
    let name = format!("testamur_consensus_{name}");
    writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}").expect("into a string");
}

/// Writes a gauge that is 1 for each of these values of a label.
pub(crate) fn write_labelled(text: &mut String, name: &str, help: &str, label: &str, values: &[String]) {
    let name = format!("testamur_consensus_{name}");
    writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge").expect("into a string");
    for value in values {
        // Validators' names are host names: nothing in them needs an escape.
        writeln!(text, "{name}{{{label}=\"{value}\"}} 1").expect("into a string");
    }
}
