//! What this crate takes from the machine without being handed it: the clocks, and threads that may wait for a disk.
//!
//! A simulation brings clocks of its own and no threads: everything then happens on the caller's, in the order in which it
//! is asked for, so that a run can be repeated exactly. A node on a machine and one in a simulation run the same code.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use testamur_primitives::units::UnixTime;

use crate::error::ConsensusError;

/// The clocks of a simulated node.
pub trait Clocks: fmt::Debug + Send + Sync {
    /// A clock that only goes forward.
    fn instant(&self) -> Instant;
    /// The node's idea of the time since 1970.
    fn since_1970(&self) -> Duration;
}

/// Where a node runs.
#[derive(Debug, Clone, Default)]
pub enum Surroundings {
    /// On a machine: its clocks, its threads.
    #[default]
    Machine,
    /// In a simulation, on one thread.
    Simulated(Arc<dyn Clocks>),
}

impl Surroundings {
    /// A clock that only goes forward.
    pub(crate) fn instant(&self) -> Instant {
        match self {
            Self::Machine => Instant::now(),
            Self::Simulated(clocks) => clocks.instant(),
        }
    }

    /// This node's idea of the time since 1970; a clock before that counts as 1970.
    pub(crate) fn since_1970(&self) -> Duration {
        match self {
            Self::Machine => SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default(),
            Self::Simulated(clocks) => clocks.since_1970(),
        }
    }

    /// The same in seconds. A node whose clock stands before 1970 gives no verdicts, and its own proposals take the
    /// parent's time.
    pub(crate) fn time(&self) -> UnixTime {
        UnixTime(self.since_1970().as_secs())
    }

    /// Makes a call that may wait for a disk.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        what: &'static str,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ConsensusError> {
        match self {
            Self::Machine => tokio::task::spawn_blocking(call).await.map_err(|_| ConsensusError::Panicked(what)),
            Self::Simulated(_) => Ok(call()),
        }
    }

    /// Waits for something, not longer than a while; a simulation, which stands still meanwhile, does not wait.
    pub(crate) async fn wait_for(&self, something: impl Future<Output = ()>, at_most: Duration) {
        if let Self::Machine = self {
            // Whether it came or not is seen by who waited.
            let _ = tokio::time::timeout(at_most, something).await;
        }
    }
}
