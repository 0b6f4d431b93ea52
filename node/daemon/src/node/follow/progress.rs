//! How far a follower is, for health, metrics and log lines.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use testamur_primitives::units::Height;

/// What the follower tells of itself; read from any thread.
#[derive(Debug)]
pub(crate) struct Progress {
    /// Nodes that are followed.
    pub(crate) nodes: Vec<String>,
    highest: AtomicU64,
    answered: Mutex<Instant>,
    ever_answered: AtomicBool,
    left_out: AtomicU64,
    faults: Mutex<VecDeque<String>>,
}

/// Faults that are kept for whoever asks: the newest of each node, in the worst case.
const FAULTS_MAX: usize = 16;

impl Progress {
    /// Of these nodes; silence is counted from now on.
    pub(crate) fn new(nodes: Vec<String>) -> Self {
        Self {
            nodes,
            highest: AtomicU64::new(0),
            answered: Mutex::new(Instant::now()),
            ever_answered: AtomicBool::new(false),
            left_out: AtomicU64::new(0),
            faults: Mutex::default(),
        }
    }

    /// A node answered, and said that it stands at a height.
    pub(crate) fn answered(&self, height: Option<Height>) {
        *self.answered.lock().expect("nothing panics under this lock") = Instant::now();
        self.ever_answered.store(true, Ordering::Relaxed);
        if let Some(height) = height {
            self.highest.fetch_max(height.0, Ordering::Relaxed);
        }
    }

    /// What the nodes claim now that are not left out.
    pub(crate) fn set_highest(&self, height: Height) {
        self.highest.store(height.0, Ordering::Relaxed);
    }

    /// A node was left out.
    pub(crate) fn count_left_out(&self) {
        self.left_out.fetch_add(1, Ordering::Relaxed);
    }

    /// Heights that this node lacks, as far as it knows.
    pub(crate) fn behind(&self, tip: Height) -> u64 {
        self.highest.load(Ordering::Relaxed).saturating_sub(tip.0)
    }

    /// How long no node has answered.
    pub(crate) fn silence(&self) -> Duration {
        self.answered.lock().expect("nothing panics under this lock").elapsed()
    }

    /// Whether any node has answered since the start.
    pub(crate) fn has_answered(&self) -> bool {
        self.ever_answered.load(Ordering::Relaxed)
    }

    /// A node did something that people should hear of.
    pub(crate) fn fault(&self, node: &str, what: &str) {
        let mut faults = self.faults.lock().expect("nothing panics under this lock");
        if faults.len() == FAULTS_MAX {
            faults.pop_front();
        }
        faults.push_back(format!("{node}: {what}"));
    }

    /// What nodes did, the newest last.
    pub(crate) fn faults(&self) -> Vec<String> {
        self.faults.lock().expect("nothing panics under this lock").iter().cloned().collect()
    }

    /// How often a node was left out for what it sent.
    pub(crate) fn times_left_out(&self) -> u64 {
        self.left_out.load(Ordering::Relaxed)
    }
}
