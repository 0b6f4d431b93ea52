//! A job: diplomas that are signed together and anchored by one record.

use std::collections::BTreeSet;

use testamur_credentials::credential::Format;
use testamur_primitives::hash::RecordId;
use testamur_primitives::receipt::Facts;

use crate::office::{Office, OfficeError, OnProgress};
use crate::store::{Draft, Job, JobId, Stage};

/// The kind of documents that jobs are in the archive.
const JOB: &str = "job";

/// How diplomas are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The formats; at least one. The compact credential of the QR code is made besides when there are prints.
    pub formats: BTreeSet<Format>,
    /// Whether prints are made.
    pub print: bool,
}

/// Which edition of a diploma a job makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edition {
    /// The first: refused when the award has one.
    First,
    /// The next: refused when the award has none.
    Next,
}

/// A job that is done.
#[derive(Debug, Clone)]
pub struct Finished {
    /// The job, with its diplomas.
    pub job: Job,
    /// What its anchor's receipt states.
    pub facts: Facts,
}

impl Office {
    /// Makes diplomas as far as that goes without the ledger having them: entries of status lists given out, credentials and
    /// prints signed, and the one record that anchors all of them. All of it is on disk, and nothing was sent.
    pub async fn prepare(
        &self,
        _kind: &str,
        _drafts: Vec<Draft>,
        _options: &Options,
        _edition: Edition,
        _progress: OnProgress<'_>,
    ) -> Result<JobId, OfficeError> {
        Err(OfficeError::Draft("not yet".into()))
    }

    /// Brings a job to its end from wherever it stands: sends its record until it is final, keeps the receipts, verifies every
    /// credential, and puts the diplomas in force.
    pub async fn finish(&self, id: &JobId, _progress: OnProgress<'_>) -> Result<Finished, OfficeError> {
        Err(OfficeError::NoJob(id.clone()))
    }

    /// A job.
    pub fn job(&self, id: &JobId) -> Result<Option<Job>, OfficeError> {
        Ok(self.store.get(JOB, id.as_str())?)
    }

    /// Jobs of a kind that are not done.
    pub fn unfinished(&self, kind: &str) -> Result<Vec<JobId>, OfficeError> {
        let jobs = self.store.all::<Job>(JOB)?.into_iter().map(|(_, job)| job);
        Ok(jobs.filter(|job| job.kind == kind && job.stage != Stage::Done).map(|job| job.id).collect())
    }

    /// The records by which jobs that are not done anchor their diplomas.
    pub(crate) fn records_of_jobs(&self) -> Result<BTreeSet<RecordId>, OfficeError> {
        let jobs = self.store.all::<Job>(JOB)?.into_iter().map(|(_, job)| job.stage);
        Ok(jobs.filter_map(|stage| if let Stage::Anchoring { record } = stage { Some(record) } else { None }).collect())
    }
}
