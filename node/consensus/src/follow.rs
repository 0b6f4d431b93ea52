//! When a node that follows may vote.
//!
//! A node whose peers stand higher than itself follows until it has caught up: what was decided needs no votes, and a
//! copy of a machine from the past signs nothing where it may have signed before.
//!
//! A node that does not know at all what its key has signed follows by a stricter rule (INV-FOLLOW-1): others must have decided a height that *began after this node started*. A height is known to
//! have been decided after the start when its votes came live, not by catching up, and the node had then been up for
//! longer than gossip remembers old messages; the height after that one began after the start. So: one such height,
//! then the next one, decided by whatever way.

use std::time::Instant;

use testamur_primitives::units::Height;

use crate::limits::{CATCH_UP_PATIENCE, STALE_GOSSIP};

/// Why a node follows, and what it waits for.
#[derive(Debug)]
pub(crate) enum Following {
    /// Until the store stands at a height.
    CatchingUp(CatchingUp),
    /// Until others have decided a height that began after the start.
    Unsettled(Unsettled),
}

/// On the way to a height.
#[derive(Debug)]
pub(crate) struct CatchingUp {
    /// What peers said they have.
    pub(crate) claimed: Height,
    /// What the guard says this node had: no claim, so no patience ends it.
    pub(crate) had: Height,
    /// When the last step was made.
    progress: Instant,
}

/// On the way to a height that began after the start.
#[derive(Debug)]
pub(crate) struct Unsettled {
    since: Instant,
    /// The current height, and whether it began (here) late enough for its votes to be new.
    current: Option<(Height, bool)>,
    synced: Option<Height>,
    /// The first height known to have been decided after the start.
    decided_live: Option<Height>,
    met: bool,
}

impl CatchingUp {
    pub(crate) fn new(claimed: Height, had: Height, now: Instant) -> Self {
        Self { claimed, had, progress: now }
    }

    /// When a claim that nobody keeps is given up.
    pub(crate) fn patience_ends(&self) -> Instant {
        self.progress + CATCH_UP_PATIENCE
    }
}

impl Unsettled {
    pub(crate) fn new(since: Instant) -> Self {
        Self { since, current: None, synced: None, decided_live: None, met: false }
    }

    fn decided(&mut self, height: Height) {
        if self.decided_live.is_some_and(|live| live < height) {
            self.met = true;
        } else if self.current == Some((height, true)) && self.synced != Some(height) {
            self.decided_live = Some(height);
        }
    }
}

impl Following {
    /// A height began on this node.
    pub(crate) fn began(&mut self, height: Height, at: Instant) {
        if let Self::Unsettled(unsettled) = self {
            unsettled.current = Some((height, at.duration_since(unsettled.since) >= STALE_GOSSIP));
        }
    }

    /// A height's block came by catching up.
    pub(crate) fn synced(&mut self, height: Height) {
        if let Self::Unsettled(unsettled) = self {
            unsettled.synced = Some(height);
        }
    }

    /// A height was decided.
    pub(crate) fn decided(&mut self, height: Height, at: Instant) {
        match self {
            Self::CatchingUp(catching_up) => catching_up.progress = at,
            Self::Unsettled(unsettled) => unsettled.decided(height),
        }
    }

    /// Whether a node that stands at `tip` may now vote.
    pub(crate) fn may_vote(&self, tip: Height, now: Instant) -> bool {
        match self {
            Self::CatchingUp(c) => tip >= c.had && (tip >= c.claimed || now >= c.patience_ends()),
            Self::Unsettled(unsettled) => unsettled.met,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_a_height_after_a_live_and_late_one_counts() {
        let start = Instant::now();
        let late = start + STALE_GOSSIP;
        let mut following = Following::Unsettled(Unsettled::new(start));
        let decide = |following: &mut Following, height, at, synced: bool| {
            following.began(Height(height), at);
            if synced {
                following.synced(Height(height));
            }
            following.decided(Height(height), at);
            following.may_vote(Height(height), at)
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

    #[test]
    fn a_claim_that_nobody_keeps_is_given_up_but_the_guards_own_knowledge_is_not() {
        let start = Instant::now();
        let mut following = Following::CatchingUp(CatchingUp::new(Height(1_000_000), Height(7), start));
        let later = start + CATCH_UP_PATIENCE;
        assert!(!following.may_vote(Height(6), later));
        assert!(!following.may_vote(Height(7), start));
        assert!(following.may_vote(Height(7), later));
        following.decided(Height(8), later);
        assert!(!following.may_vote(Height(8), later));
        assert!(following.may_vote(Height(8), later + CATCH_UP_PATIENCE));
        assert!(following.may_vote(Height(1_000_000), later + Duration::ZERO));
    }
}
