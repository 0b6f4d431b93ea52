//! The university's desk behind the gateway: diplomas issued, handed out again, corrected and withdrawn over HTTP.
//!
//! The same [`Office`] as at the command line, on the same archive, so that whatever is true there is true here: nothing is issued
//! twice, a change takes two persons, and what was begun is completed after a restart. In place of a signature of their own, callers
//! have tokens: the gateway vouches that the token of that person was used (INV-GATEWAY-3).
//!
//! - INV-GATEWAY-4: the desk does one thing at a time. Two requests can neither issue the same award nor change the same diploma
//!   past each other.
//! - INV-GATEWAY-5: no name, row, reason or award's id is logged: logs tell jobs, changes, counts and codes.
//!
//! The desk's work is disk and cryptography: it runs on threads for blocking work, never on those that serve connections. Who goes
//! away in the middle loses the answer and nothing else.

pub mod problem;
pub(crate) mod routes;
mod wire;

use std::sync::Arc;

use testamur_registrar::changes::ChangeFile;
use testamur_registrar::issue::ISSUE;
use testamur_registrar::store::{Draft, JobId};
use testamur_registrar::{Edition, Office, Options, Progress};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, Semaphore};

use crate::limits::DESK_WAITING_MAX;
use crate::problem::GatewayProblem;
use problem::{of_change, of_office, problem};

/// In what form rows come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowsKind {
    /// A table, as the university's software exports it.
    Csv,
    /// A JSON array of objects.
    Json,
}

/// How rows become drafts: by the university's map. An error names row and column, and no value.
pub type RowReader = Box<dyn Fn(RowsKind, &[u8]) -> Result<Vec<Draft>, String> + Send + Sync>;

/// A desk behind a gateway.
pub struct Desk {
    office: Office,
    read_rows: RowReader,
    options: Options,
    /// INV-GATEWAY-4.
    at_work: Arc<Mutex<()>>,
    waiting: Semaphore,
}

impl core::fmt::Debug for Desk {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Desk({:?})", self.office)
    }
}

fn quiet(_: Progress) {}

impl Desk {
    /// A desk that issues so.
    pub fn new(office: Office, read_rows: RowReader, options: Options) -> Self {
        Self { office, read_rows, options, at_work: Arc::default(), waiting: Semaphore::new(DESK_WAITING_MAX) }
    }

    /// Whose desk it is.
    pub fn office(&self) -> &Office {
        &self.office
    }

    /// Looks something up.
    async fn look<T: Send + 'static>(
        self: &Arc<Self>,
        look: impl FnOnce(&Self) -> Result<T, GatewayProblem> + Send + 'static,
    ) -> Result<T, GatewayProblem> {
        let desk = Arc::clone(self);
        tokio::task::spawn_blocking(move || look(&desk)).await.unwrap_or_else(|_| Err(ended()))
    }

    /// Does something, when nothing else is being done. It is done to its end, also when nobody waits for it any more.
    async fn work<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl AsyncFnOnce(&Self) -> Result<T, GatewayProblem> + Send + 'static,
    ) -> Result<T, GatewayProblem> {
        let busy = |_| problem("diplomas.busy", "too many requests wait for the desk; nothing was done");
        let place = self.waiting.try_acquire().map_err(busy)?;
        let turn = Arc::clone(&self.at_work).lock_owned().await;
        drop(place);
        let (desk, handle) = (Arc::clone(self), Handle::current());
        let done = tokio::task::spawn_blocking(move || {
            let result = handle.block_on(work(&desk));
            drop(turn);
            result
        });
        done.await.unwrap_or_else(|_| Err(ended()))
    }

    /// Goes on with what was broken off: records on their way, jobs, changes.
    pub async fn resume(self: Arc<Self>) {
        let resumed = self.work(async |desk: &Self| {
            let office = &desk.office;
            let settled = office.settle_all().await.map_err(|error| of_office(&error))?;
            let jobs = office.unfinished(ISSUE).map_err(|error| of_office(&error))?;
            for job in &jobs {
                if let Err(error) = office.finish(job, &quiet).await {
                    tracing::warn!(
                        job = job.as_str(),
                        code = error.code(),
                        "a job of diplomas could not be gone on with"
                    );
                }
            }
            let changes = office.resume_changes(&quiet).await.map_err(|error| of_change(&error))?;
            for (change, result) in &changes {
                if let Err(error) = result {
                    tracing::warn!(%change, code = error.code(), "a change of diplomas could not be gone on with");
                }
            }
            tracing::info!(records = settled.len(), jobs = jobs.len(), changes = changes.len(), "the desk is open");
            Ok(())
        });
        if let Err(error) = resumed.await {
            tracing::warn!(code = error.code(), "the desk could not go on with what was broken off");
        }
    }

    /// Begins to issue those rows that are new: signed and on disk, nothing sent. Refuses all when one was issued with another
    /// content. None when every row was issued before.
    async fn begin_issue(&self, drafts: Vec<Draft>) -> Result<Option<JobId>, GatewayProblem> {
        let drafts = drafts.into_iter().enumerate().collect();
        let sorted = self.office.sort(drafts).map_err(|error| of_office(&error))?;
        if let Some((_, award)) = sorted.changed.first() {
            let detail = format!("award {award} was issued with other content; nothing was issued");
            return Err(problem("diploma.changed", detail));
        }
        let fresh: Vec<_> = sorted.new.into_iter().map(|(_, draft)| draft).collect();
        if fresh.is_empty() {
            return Ok(None);
        }
        let job = self.office.prepare(ISSUE, fresh, &self.options, Edition::First, &quiet).await;
        job.map(Some).map_err(|error| of_office(&error))
    }

    async fn finish_issue(&self, job: &JobId) -> Result<(), GatewayProblem> {
        let finished = self.office.finish(job, &quiet).await.map_err(|error| {
            tracing::warn!(job = job.as_str(), code = error.code(), "diplomas not issued yet");
            of_office(&error)
        })?;
        let (diplomas, height) = (finished.job.diplomas.len(), finished.height.0);
        tracing::info!(job = job.as_str(), diplomas, height, "diplomas issued");
        Ok(())
    }

    async fn finish_change(&self, file: &ChangeFile) -> Result<ChangeFile, GatewayProblem> {
        let done = self.office.carry_out(file.id, &quiet).await.map_err(|error| {
            tracing::warn!(change = %file.id, code = error.code(), "change not carried out yet");
            of_change(&error)
        })?;
        tracing::info!(change = %done.id, action = done.change.action.name(), diplomas = done.answers.len(), "change done");
        Ok(done)
    }
}

fn ended() -> GatewayProblem {
    problem("diplomas.failed", "the desk broke off; what was signed is kept and goes on at the next start")
}
