//! When a node that does not know what its key has signed may vote again.
//!
//! Rule (INV-FOLLOW-1): others must have decided a height that *began after this node started*. A height is known to
//! have been decided after the start when its votes came live, not by catching up, and the node had then been up for
//! longer than gossip remembers old messages; the height after that one began after the start. So: one such height,
//! then the next one, decided by whatever way.

use std::time::Instant;

use testamur_primitives::units::Height;

use crate::limits::STALE_GOSSIP;

/// Follows the network until the rule is met.
#[derive(Debug)]
pub(crate) struct Following {
    since: Instant,
    /// The current height, and whether it began (here) late enough for its votes to be new.
    current: Option<(Height, bool)>,
    synced: Option<Height>,
    /// The first height known to have been decided after the start.
    decided_live: Option<Height>,
    may_vote: bool,
}

impl Following {
    pub(crate) fn new(since: Instant) -> Self {
        Self { since, current: None, synced: None, decided_live: None, may_vote: false }
    }

    /// A height began on this node.
    pub(crate) fn began(&mut self, height: Height, at: Instant) {
        self.current = Some((height, at.duration_since(self.since) >= STALE_GOSSIP));
    }

    /// A height's block came by catching up.
    pub(crate) fn synced(&mut self, height: Height) {
        self.synced = Some(height);
    }

    /// A height was decided.
    pub(crate) fn decided(&mut self, height: Height) {
        if self.decided_live.is_some_and(|live| live < height) {
            self.may_vote = true;
        } else if self.current == Some((height, true)) && self.synced != Some(height) {
            self.decided_live = Some(height);
        }
    }

    pub(crate) fn may_vote(&self) -> bool {
        self.may_vote
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_height_after_a_live_and_late_one_counts() {
        let start = Instant::now();
        let late = start + STALE_GOSSIP;
        let mut following = Following::new(start);
        let decide = |following: &mut Following, height, at, synced: bool| {
            following.began(Height(height), at);
            if synced {
                following.synced(Height(height));
            }
            following.decided(Height(height));
            following.may_vote()
        };
        // Votes that may be older than the start.
        assert!(!decide(&mut following, 5, start, false));
        assert!(!decide(&mut following, 6, start, false));
        // Blocks that were decided nobody knows when.
        assert!(!decide(&mut following, 7, late, true));
        assert!(!decide(&mut following, 8, late, true));
        // Decided after the start, but perhaps begun before it.
        assert!(!decide(&mut following, 9, late, false));
        // Begun after the start.
        assert!(decide(&mut following, 10, late, true));
    }
}
