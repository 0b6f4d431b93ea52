//! Simulated time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use testamur_consensus::surroundings::Clocks;

/// Microseconds since the world began.
pub type Micros = u64;

/// A second.
pub const SECOND: Micros = 1_000_000;

/// The world's time; clones share it.
#[derive(Debug, Clone)]
pub struct Time {
    /// What instants count from. Only differences are ever looked at.
    base: Instant,
    now: Arc<AtomicU64>,
}

impl Default for Time {
    fn default() -> Self {
        Self { base: Instant::now(), now: Arc::default() }
    }
}

impl Time {
    /// Now.
    pub fn now(&self) -> Micros {
        self.now.load(Ordering::Relaxed)
    }

    /// Goes forward.
    pub fn advance(&self, to: Micros) {
        assert!(to >= self.now(), "time goes forward");
        self.now.store(to, Ordering::Relaxed);
    }

    /// An instant in the world's time.
    pub fn micros(&self, instant: Instant) -> Micros {
        instant.saturating_duration_since(self.base).as_micros() as Micros
    }
}

/// A node's clocks: the steady one is the world's, the other is off by some seconds, which may change.
#[derive(Debug)]
pub struct NodeClocks {
    time: Time,
    /// Seconds since 1970 when the world began.
    start: u64,
    /// Microseconds by which the node's clock is ahead.
    ahead: AtomicI64,
    /// What it was ahead at most.
    furthest: AtomicI64,
}

impl NodeClocks {
    /// A clock that is right.
    pub fn new(time: Time, start: u64) -> Self {
        Self { time, start, ahead: AtomicI64::new(0), furthest: AtomicI64::new(0) }
    }

    /// Sets how far it is ahead.
    pub fn set_ahead(&self, micros: i64) {
        self.ahead.store(micros, Ordering::Relaxed);
        self.furthest.fetch_max(micros, Ordering::Relaxed);
    }

    /// How far it was ahead at most since the world began.
    pub fn furthest(&self) -> i64 {
        self.furthest.load(Ordering::Relaxed)
    }

    /// How far it is ahead.
    pub fn ahead(&self) -> i64 {
        self.ahead.load(Ordering::Relaxed)
    }
}

impl Clocks for NodeClocks {
    fn instant(&self) -> Instant {
        self.time.base + Duration::from_micros(self.time.now())
    }

    fn since_1970(&self) -> Duration {
        let right = self.start * SECOND + self.time.now();
        Duration::from_micros(right.saturating_add_signed(self.ahead()))
    }
}
