//! Work by many threads, results in the order of the work, and never more of it in memory than a window.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::Scope;

/// Work on its way to a thread, and where its result is waited for.
struct Job<W, R> {
    work: W,
    done: SyncSender<R>,
}

/// Hands work to threads.
pub(crate) struct Feed<W, R> {
    jobs: SyncSender<Job<W, R>>,
    order: SyncSender<Receiver<R>>,
}

impl<W, R> Feed<W, R> {
    /// Hands on a piece of work; waits while the window is full. `false` when nobody takes results any more.
    pub(crate) fn push(&self, work: W) -> bool {
        let (done, result) = sync_channel(1);
        self.order.send(result).is_ok() && self.jobs.send(Job { work, done }).is_ok()
    }

    /// Puts a result into the order that needs no work.
    pub(crate) fn push_done(&self, result: R) -> bool {
        let (done, waited) = sync_channel(1);
        done.send(result).is_ok() && self.order.send(waited).is_ok()
    }
}

/// Results, in the order of the work.
pub(crate) struct Results<R>(Receiver<Receiver<R>>);

impl<R> Iterator for Results<R> {
    type Item = R;

    /// `None` at the end of the work, and when a thread of the pool is gone; that thread's panic is the scope's.
    fn next(&mut self) -> Option<R> {
        self.0.recv().ok()?.recv().ok()
    }
}

/// Starts `threads` threads that do `work`; `window` pieces at most are in memory, done or not.
pub(crate) fn start<'scope, 'env, W, R, F>(
    scope: &'scope Scope<'scope, 'env>,
    threads: usize,
    window: usize,
    work: F,
) -> (Feed<W, R>, Results<R>)
where
    W: Send + 'scope,
    R: Send + 'scope,
    F: Fn(W) -> R + Clone + Send + 'scope,
{
    let (jobs, queue) = sync_channel::<Job<W, R>>(window);
    let (order, results) = sync_channel(window);
    let queue = std::sync::Arc::new(Mutex::new(queue));
    for _ in 0..threads.max(1) {
        let (queue, work) = (std::sync::Arc::clone(&queue), work.clone());
        scope.spawn(move || {
            loop {
                // A poisoned lock means that another thread ended between two pieces; there is nothing half done in it.
                let next = queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner).recv();
                let Ok(job) = next else { break };
                // Nobody waits when the run was ended; then the queue is closed soon.
                let _ = job.done.send(work(job.work));
            }
        });
    }
    (Feed { jobs, order }, Results(results))
}

/// Threads that hash, unless the caller says otherwise: as many as the machine runs at once.
pub fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
