//! A job: diplomas that are signed together and anchored by one record.
//!
//! ```text
//! prepare                                             finish
//! rows and entries kept ─▶ credentials, prints ─▶ record signed ─▶ final ─▶ each verified ─▶ done
//!        signing                                     anchoring    anchored
//! ```
//! Each arrow is a durable step of the archive, so a job that was broken off anywhere goes on where it stood:
//! - before *anchoring*, what was signed and not kept is signed again: nobody has seen it, and nothing of it is on the ledger;
//! - from *anchoring* on, the credentials and the record stay what they are (INV-JOB-1): the same bytes are sent until their
//!   fate is known. Only a record that can have no effect any more, by a proven block's time, gets a successor;
//! - an award has its one entry from the first step on (INV-JOB-2), so no other job makes another diploma for it.
//!
//! The work is done on the calling thread and its helpers: whoever serves others meanwhile calls it from a thread of its own.

use std::collections::BTreeSet;

use testamur_credentials::credential::Format;
use testamur_primitives::commitment::{BatchLeaf, DigestAlgorithm, DocumentDigest, Salt};
use testamur_primitives::hash::{RecordId, TreeHash};
use testamur_primitives::merkle::MemoryTree;
use testamur_primitives::record::{Act, BatchTree, Reference};
use testamur_primitives::units::{Height, UnixTime};

use crate::office::{Office, OfficeError, OnProgress};
use crate::store::{Award, Diploma, DiplomaKey, Draft, Edition, Job, JobId, Stage, State, StoreError};

/// The kind of documents that jobs are in the archive.
pub(crate) const JOB: &str = "job";

/// How diplomas are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The formats; at least one. A compact credential is always made besides: for the QR code, and for links.
    pub formats: BTreeSet<Format>,
    /// Whether prints are made.
    pub print: bool,
}

/// A job that is done.
#[derive(Debug, Clone)]
pub struct Finished {
    /// The job, with its diplomas.
    pub job: Job,
    /// The record that anchors them.
    pub record: RecordId,
    /// The time of its block: when they were issued.
    pub time: UnixTime,
    /// Its block.
    pub height: Height,
}

impl Office {
    /// Makes diplomas as far as that goes without the ledger having them: entries of status lists given out, credentials and
    /// prints signed, and the one record that anchors all of them. All of it is on disk, and nothing was sent.
    ///
    /// Drafts that cannot be issued leave nothing behind: the error names each.
    pub async fn prepare(
        &self,
        kind: &str,
        drafts: Vec<Draft>,
        options: &Options,
        edition: Edition,
        progress: OnProgress<'_>,
    ) -> Result<JobId, OfficeError> {
        if drafts.is_empty() || options.formats.iter().all(|format| *format == Format::Compact) {
            return Err(OfficeError::Draft("there is nothing to issue: at least one diploma, in one format".into()));
        }
        let bench = self.bench(drafts.iter().map(Draft::scope)).await?;
        let places = self.families_for(drafts.len()).await?;
        let mut job = self.reserve(kind, drafts, options, edition, &places)?;
        self.sign_job(&job, &bench, progress)?;
        self.sign_record(&mut job, None)?;
        Ok(job.id)
    }

    /// Brings a job to its end from wherever it stands: sends its record until it is final, keeps the receipts, verifies every
    /// credential, and puts the diplomas in force.
    pub async fn finish(&self, id: &JobId, progress: OnProgress<'_>) -> Result<Finished, OfficeError> {
        let mut job = self.job(id)?.ok_or_else(|| OfficeError::NoJob(id.clone()))?;
        loop {
            match job.stage {
                Stage::Signing => {
                    if job.kid != self.key_id().as_str() {
                        self.start_again(&mut job, None)?;
                    }
                    let mut scopes = Vec::new();
                    for diploma in &job.diplomas {
                        scopes.push(self.store.content(diploma)?.ok_or(StoreError::Damaged)?.scope());
                    }
                    let bench = self.bench(scopes.into_iter()).await?;
                    self.sign_job(&job, &bench, progress)?;
                    self.sign_record(&mut job, None)?;
                }
                Stage::Anchoring { record } => {
                    progress(crate::office::Progress { doing: "anchoring", done: 0, of: job.diplomas.len() });
                    match self.settle(record).await {
                        Ok(done) => {
                            let (time, height) = (done.facts.time, done.facts.height);
                            job.stage = Stage::Anchored { record, time, height };
                            self.store.write(|change| {
                                change.put_ledger_part(record, &done.receipt)?;
                                change.put(JOB, job.id.as_str(), &job)
                            })?;
                        }
                        // INV-JOB-1: it can have no effect any more, so another takes its place.
                        Err(OfficeError::Expired(_)) if job.kid == self.key_id().as_str() => {
                            self.sign_record(&mut job, Some(record))?;
                        }
                        Err(OfficeError::Expired(_)) => self.start_again(&mut job, Some(record))?,
                        Err(error) => return Err(error),
                    }
                }
                Stage::Anchored { record, time, .. } => {
                    self.confirm(&job, record, time, progress).await?;
                    self.advance(&mut job)?;
                }
                Stage::Done { record, time, height } => return Ok(Finished { job, record, time, height }),
            }
        }
    }

    /// A job.
    pub fn job(&self, id: &JobId) -> Result<Option<Job>, OfficeError> {
        Ok(self.store.get(JOB, id.as_str())?)
    }

    /// Jobs of a kind that are not done.
    pub fn unfinished(&self, kind: &str) -> Result<Vec<JobId>, OfficeError> {
        let jobs = self.store.all::<Job>(JOB)?.into_iter().map(|(_, job)| job);
        Ok(jobs.filter(|job| job.kind == kind && !matches!(job.stage, Stage::Done { .. })).map(|job| job.id).collect())
    }

    /// The records by which jobs that are not done anchor their diplomas.
    pub(crate) fn records_of_jobs(&self) -> Result<BTreeSet<RecordId>, OfficeError> {
        let jobs = self.store.all::<Job>(JOB)?.into_iter().map(|(_, job)| job.stage);
        Ok(jobs.filter_map(|stage| if let Stage::Anchoring { record } = stage { Some(record) } else { None }).collect())
    }

    /// Keeps what is asked for, and gives out entries of status lists: in one step, so that a job is there as a whole.
    fn reserve(
        &self,
        kind: &str,
        drafts: Vec<Draft>,
        options: &Options,
        edition: Edition,
        places: &[(Reference, usize)],
    ) -> Result<Job, OfficeError> {
        let mut formats = options.formats.clone();
        formats.insert(Format::Compact);
        let mut job = Job {
            id: JobId::fresh()?,
            kind: kind.to_owned(),
            begun: self.now()?,
            kid: self.key_id().as_str().to_owned(),
            formats,
            print: options.print,
            edition,
            stage: Stage::Signing,
            diplomas: Vec::with_capacity(drafts.len()),
        };
        self.store.write(|change| {
            let mut drafts = drafts.into_iter();
            for (list, count) in places {
                for (draft, index) in drafts.by_ref().take(*count).zip(change.give(list, *count)?) {
                    let key = self.store.key_of(&draft.award);
                    let known = change.award(&key)?;
                    // INV-JOB-2.
                    let mut award = match (edition, known) {
                        (Edition::First, None) => Award { id: draft.award.clone(), key, diplomas: Vec::new() },
                        (Edition::Next, Some(award)) => award,
                        (Edition::First, Some(_)) => return Err(OfficeError::Store(StoreError::Exists(draft.award))),
                        (Edition::Next, None) => return Err(OfficeError::Unknown(draft.award.to_string())),
                    };
                    let replaces = award.diplomas.last().map(|diploma| diploma.edition);
                    let number = replaces.unwrap_or(0) + 1;
                    award.diplomas.push(Diploma {
                        edition: number,
                        state: State::Prepared,
                        list: list.clone(),
                        index,
                        row: draft.row(),
                        job: job.id.clone(),
                        issued: None,
                        anchor: None,
                        copies: Default::default(),
                        print: options.print,
                        stem: draft.stem.clone(),
                        replaces,
                        replaced_by: None,
                    });
                    let diploma = DiplomaKey { award: key, edition: number };
                    change.put_award(&award)?;
                    change.put_content(&diploma, &draft)?;
                    job.diplomas.push(diploma);
                }
            }
            Ok::<_, OfficeError>(change.put(JOB, job.id.as_str(), &job)?)
        })?;
        Ok(job)
    }

    /// Signs the record that anchors a job, and keeps it: nothing was sent. `instead_of` is one that came to nothing.
    fn sign_record(&self, job: &mut Job, instead_of: Option<RecordId>) -> Result<(), OfficeError> {
        let (mut leaves, mut tree) = (Vec::new(), MemoryTree::default());
        for diploma in &job.diplomas {
            let award = self.store.award(&diploma.award)?.ok_or(StoreError::Damaged)?;
            for copy in award.edition(diploma.edition).ok_or(StoreError::Damaged)?.copies.values() {
                assert_eq!(copy.leaf, leaves.len() as u64, "INV-JOB-1: leaves stand in the order of their diplomas");
                let leaf = leaf(copy.digest, copy.salt).leaf_hash();
                tree.append(leaf);
                leaves.push(leaf);
            }
        }
        let count = leaves.len() as u64;
        let root = tree.root(count).map_err(|_| StoreError::Damaged)?;
        let record = self.sign(Act::NotariseBatch { tree: BatchTree::Rfc6962Sha256, root, count, reference: None })?;
        job.stage = Stage::Anchoring { record: record.id() };
        let what = format!("anchor {} diplomas", job.diplomas.len());
        self.store.write(|change| {
            if let Some(old) = instead_of {
                change.drop_pending(old)?;
                change.drop_leaves(old)?;
            }
            change.put_pending(&what, &record, None)?;
            change.put_leaves(record.id(), &leaves)?;
            change.put(JOB, job.id.as_str(), job)
        })?;
        Ok(())
    }

    /// The issuer has another key than the one that signed: all of the job is signed again, since none of it is on the ledger.
    fn start_again(&self, job: &mut Job, record: Option<RecordId>) -> Result<(), OfficeError> {
        job.kid = self.key_id().as_str().to_owned();
        job.stage = Stage::Signing;
        self.store.write(|change| {
            for diploma in &job.diplomas {
                let mut award = change.award(&diploma.award)?.ok_or(StoreError::Damaged)?;
                award.edition_mut(diploma.edition).ok_or(StoreError::Damaged)?.copies.clear();
                change.put_award(&award)?;
            }
            if let Some(record) = record {
                change.drop_pending(record)?;
                change.drop_leaves(record)?;
            }
            change.put(JOB, job.id.as_str(), job)
        })?;
        Ok(())
    }

    /// Lets go of a job of which nothing can be on the ledger.
    pub(crate) fn abandon(&self, job: &Job) -> Result<(), OfficeError> {
        assert_eq!(job.stage, Stage::Signing, "INV-JOB-1: what is anchored, or may be, is never let go of");
        self.store.write(|change| {
            for diploma in &job.diplomas {
                change.drop_edition(diploma)?;
            }
            change.remove(JOB, job.id.as_str())
        })?;
        Ok(())
    }

    fn advance(&self, job: &mut Job) -> Result<(), OfficeError> {
        if let Stage::Anchored { record, time, height } = job.stage {
            job.stage = Stage::Done { record, time, height };
        }
        Ok(self.store.write(|change| change.put(JOB, job.id.as_str(), job))?)
    }
}

/// What stands for a credential in its batch.
pub(crate) fn leaf(digest: [u8; 32], salt: [u8; 32]) -> BatchLeaf {
    BatchLeaf { digest: document(digest), salt: Some(Salt::from_bytes(salt)) }
}

fn document(digest: [u8; 32]) -> DocumentDigest {
    DocumentDigest::new(DigestAlgorithm::Sha2_256, digest.to_vec()).expect("SHA-256 has 32 bytes")
}

/// The tree over a batch's leaves.
pub(crate) fn tree(leaves: &[TreeHash]) -> MemoryTree {
    MemoryTree::from_leaf_hashes(leaves)
}

#[cfg(test)]
mod tests;
