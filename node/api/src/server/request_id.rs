//! The id of a request: made here, never taken from the client, so that nothing of the client's enters a log.

use core::fmt;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

tokio::task_local! {
    static CURRENT: RequestId;
}

/// Names one request in the answer and in the log. Unique, not secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestId {
    process: u32,
    count: u64,
}

impl RequestId {
    /// A new id.
    pub(super) fn next() -> Self {
        // Differs from one start of the process to the next, so that ids in old logs stay unique.
        static PROCESS: LazyLock<u32> = LazyLock::new(|| RandomState::new().build_hasher().finish() as u32);
        static COUNT: AtomicU64 = AtomicU64::new(1);
        Self { process: *PROCESS, count: COUNT.fetch_add(1, Ordering::Relaxed) }
    }

    /// The id of the request that the current task serves; zero outside of one.
    pub fn current() -> Self {
        CURRENT.try_with(|id| *id).unwrap_or(Self { process: 0, count: 0 })
    }

    /// Runs a future as part of this request.
    pub(super) async fn scope<F: Future>(self, future: F) -> F::Output {
        CURRENT.scope(self, future).await
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}-{:08x}", self.process, self.count)
    }
}
