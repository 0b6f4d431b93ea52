//! Work that keeps a processor busy, beside the tasks that wait for the network: as many at once as there are cores.

use std::sync::Arc;

use tokio::sync::Semaphore;

/// A bounded pool. Who finds it taken waits in line, so that a large batch keeps no single file out.
#[derive(Debug, Clone)]
pub struct Pool {
    places: Arc<Semaphore>,
    size: usize,
}

/// The work panicked; what it was about is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the verification failed inside")]
pub struct Failed;

impl Default for Pool {
    fn default() -> Self {
        Self::new(std::thread::available_parallelism().map_or(1, usize::from))
    }
}

impl Pool {
    /// A pool of this many places.
    pub fn new(size: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(size)), size }
    }

    /// How many it works on at once.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Does some work when a place is free. Once begun it is done, even if nobody waits for it any more.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failed> {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| Failed)?;
        let done = tokio::task::spawn_blocking(move || {
            let _place = place;
            work()
        });
        done.await.map_err(|_| {
            tracing::error!("a verification panicked");
            Failed
        })
    }
}
