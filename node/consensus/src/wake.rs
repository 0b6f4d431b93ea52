//! What wakes an idle node: a record in the pool, or any sign that others have begun the next height.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use testamur_primitives::units::Height;
use tokio::sync::Notify;

/// Collects reasons to begin the next height. Signs of other nodes are not verified and count once: a false one
/// costs at most an empty block.
#[derive(Debug, Default)]
pub struct Wake {
    tip: AtomicU64,
    /// The highest height that was seen of others since the last one that was decided by votes.
    highest: AtomicU64,
    others_began: AtomicBool,
    began: AtomicBool,
    notify: Notify,
}

impl Wake {
    /// The ledger's tip is now at this height. Decided by votes, what was seen before is settled. Fetched from others
    /// (`synced`), what was seen ahead of it still is: the next height begins at once, and not at the next sign, of which a
    /// node that is a thousand heights behind gets a few a second. Whoever claims heights that are not there can make such
    /// a node begin once too often, at the end.
    pub fn reached(&self, tip: Height, synced: bool) {
        self.tip.store(tip.get(), Ordering::Release);
        if !synced {
            self.highest.store(0, Ordering::Release);
        }
        self.others_began.store(self.highest.load(Ordering::Acquire) > tip.get(), Ordering::Release);
    }

    /// A message of this height (or a peer that stands at it) was seen.
    pub fn saw_height(&self, height: Height) {
        self.highest.fetch_max(height.get(), Ordering::AcqRel);
        let later = height.get() > self.tip.load(Ordering::Acquire);
        if later && !self.others_began.swap(true, Ordering::AcqRel) {
            self.notify.notify_one();
        }
    }

    /// An engine starts above this tip; until it begins a height it serves no blocks to peers. Reasons to begin that
    /// were seen before stay.
    pub fn start(&self, tip: Height) {
        self.tip.store(tip.get(), Ordering::Release);
        self.began.store(false, Ordering::Release);
    }

    /// The engine has begun a height.
    pub fn began(&self) {
        self.began.store(true, Ordering::Release);
    }

    /// A peer that has just connected stands lower than this node: it needs blocks from an engine that runs.
    pub fn saw_lower_peer(&self) {
        if !self.began.load(Ordering::Acquire) && !self.others_began.swap(true, Ordering::AcqRel) {
            self.notify.notify_one();
        }
    }

    /// The pool is no longer empty.
    pub fn saw_record(&self) {
        self.notify.notify_one();
    }

    /// Whether others were seen beyond the tip.
    pub fn others_began(&self) -> bool {
        self.others_began.load(Ordering::Acquire)
    }

    /// Waits for the next reason; a reason given while nobody waited is not lost.
    pub async fn wait(&self) {
        self.notify.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lower_peer_wakes_only_an_engine_that_has_not_begun() {
        let wake = Wake::default();
        wake.began();
        wake.saw_lower_peer();
        assert!(!wake.others_began());
        wake.start(Height(3));
        wake.saw_lower_peer();
        wake.start(Height(3));
        assert!(wake.others_began(), "a reason from before the start stays");
        wake.reached(Height(4), false);
        wake.saw_height(Height(4));
        assert!(!wake.others_began(), "not beyond the tip");
        wake.saw_height(Height(5));
        assert!(wake.others_began());
    }

    #[test]
    fn who_fetches_heights_does_not_wait_for_a_sign_of_each() {
        let wake = Wake::default();
        wake.saw_height(Height(9));
        for synced in 1..9 {
            wake.reached(Height(synced), true);
            assert!(wake.others_began(), "they stood at 9");
        }
        wake.reached(Height(9), true);
        assert!(!wake.others_began(), "as far as they were");
        wake.saw_height(Height(u64::MAX));
        wake.reached(Height(10), false);
        assert!(!wake.others_began(), "a claim counts once where heights are decided by votes");
        wake.reached(Height(11), true);
        assert!(!wake.others_began(), "and is forgotten");
    }
}
