//! The one thread that writes: steps that come together share one synchronisation with the disk.
//!
//! A commit takes a disk some milliseconds, whatever is in it. While one is made, the steps of other requests gather here and are
//! made durable by the next.

use std::sync::{Arc, PoisonError, mpsc};
use std::thread::JoinHandle;

use redb::{ReadableTable as _, Table};
use tokio::sync::oneshot;

use super::step::Sealed;
use super::{Shared, StoreError, TABLE, io};
use crate::limits::{STEPS_PER_COMMIT_MAX, STEPS_WAITING_MAX};

/// A step, and where to say that it is durable.
struct Job {
    step: Sealed,
    done: oneshot::Sender<Result<(), StoreError>>,
}

/// Hands steps to the thread. When it is dropped, the thread ends after the last step.
pub(super) struct Writer {
    jobs: Option<mpsc::SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(shared: Arc<Shared>) -> Result<Self, StoreError> {
        let (jobs, waiting) = mpsc::sync_channel(STEPS_WAITING_MAX);
        let thread = std::thread::Builder::new().name("receipts".into()).spawn(move || run(&shared, &waiting));
        Ok(Self { jobs: Some(jobs), thread: Some(thread.map_err(io("opened"))?) })
    }

    pub(super) async fn write(&self, step: Sealed) -> Result<(), StoreError> {
        let ended = || io("written")("its thread has ended");
        let (done, answer) = oneshot::channel();
        let job = Job { step, done };
        let jobs = self.jobs.as_ref().ok_or_else(ended)?;
        match jobs.try_send(job) {
            Ok(()) => {}
            Err(mpsc::TrySendError::Full(_)) => return Err(io("written")("too many steps wait for the disk")),
            Err(mpsc::TrySendError::Disconnected(_)) => return Err(ended()),
        }
        answer.await.unwrap_or_else(|_| Err(ended()))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // The file is closed when this returns: whoever opens it next finds it free.
            let _ = thread.join();
        }
    }
}

fn run(shared: &Shared, waiting: &mpsc::Receiver<Job>) {
    while let Ok(first) = waiting.recv() {
        let mut jobs = vec![first];
        while jobs.len() < STEPS_PER_COMMIT_MAX
            && let Ok(next) = waiting.try_recv()
        {
            jobs.push(next);
        }
        let made =
            commit(shared, |table| jobs.iter().map(|job| apply(table, &job.step)).collect::<Result<Vec<_>, _>>());
        match made {
            Ok(results) => {
                for (job, result) in jobs.into_iter().zip(results) {
                    let _ = job.done.send(result);
                }
            }
            Err(error) => {
                tracing::error!(%error, steps = jobs.len(), "the archive of receipts cannot be written");
                for job in jobs {
                    // A commit whose last synchronisation failed may be on disk nevertheless: the disk says what is true.
                    let made = is_made(shared, &job.step).unwrap_or(false);
                    let _ = job.done.send(if made { Ok(()) } else { Err(error.clone()) });
                }
            }
        }
    }
}

/// A step in the transaction. The inner error concerns this step alone, which then leaves no trace.
fn apply(
    table: &mut Table<'_, &'static [u8], &'static [u8]>,
    step: &Sealed,
) -> Result<Result<(), StoreError>, StoreError> {
    for place in &step.new {
        if table.get(place.as_slice()).map_err(io("read"))?.is_some() {
            return Ok(Err(StoreError::Exists));
        }
    }
    for (place, value) in &step.puts {
        table.insert(place.as_slice(), value.as_slice()).map_err(io("written"))?;
    }
    for place in &step.drops {
        table.remove(place.as_slice()).map_err(io("written"))?;
    }
    Ok(Ok(()))
}

/// Whether a step is on disk. Sealed values never repeat, so that they cannot be those of another step.
fn is_made(shared: &Shared, step: &Sealed) -> Result<bool, StoreError> {
    for (place, value) in &step.puts {
        if shared.sealed(place)?.as_ref() != Some(value) {
            return Ok(false);
        }
    }
    for place in &step.drops {
        if shared.sealed(place)?.is_some() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Makes one transaction durable. After an error the database is closed and opened again, now or with the next transaction: what it
/// held in memory may differ from the disk (INV-KEPT-5).
pub(super) fn commit<T>(
    shared: &Shared,
    fill: impl FnOnce(&mut Table<'_, &'static [u8], &'static [u8]>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    reopen(shared)?;
    let made = {
        let database = shared.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = database.as_ref().ok_or_else(|| io("opened")("it is closed"))?;
        transact(database, fill)
    };
    if made.is_err() {
        *shared.database.write().unwrap_or_else(PoisonError::into_inner) = None;
        // When this fails too, the next transaction tries again.
        let _ = reopen(shared);
    }
    made
}

fn transact<T>(
    database: &redb::Database,
    fill: impl FnOnce(&mut Table<'_, &'static [u8], &'static [u8]>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let transaction = database.begin_write().map_err(io("written"))?;
    let value = {
        let mut table = transaction.open_table(TABLE).map_err(io("written"))?;
        fill(&mut table)?
    };
    // If we crash before this returns, the transaction is there as a whole or not at all.
    transaction.commit().map_err(io("written"))?;
    Ok(value)
}

fn reopen(shared: &Shared) -> Result<(), StoreError> {
    let mut database = shared.database.write().unwrap_or_else(PoisonError::into_inner);
    if database.is_none() {
        *database = Some((shared.opener)()?);
    }
    Ok(())
}
