//! Records in: [`Submitter`] over consensus or the nodes that are followed, with the disk reserve and the measured time
//! to final.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;
use testamur_api::RECORD_CODES;
use testamur_api::health::TimeToFinal;
use testamur_api::ledger::{Finality, SubmitError, Submitter};
use testamur_client::error::ClientError;
use testamur_consensus::Committed;
use testamur_primitives::hash::RecordId;
use testamur_primitives::record::Record;
use testamur_store::{Ledger, StoreError};
use tokio::sync::broadcast::error::RecvError;

use super::part::Part;
use crate::ledger_codes::LEDGER_CODES;
use crate::limits::{MEASURED_MAX, MEASUREMENTS_KEPT};

/// Seconds after which a client may find room in the pool again: many blocks are made in one.
const RETRY_AFTER_S: u32 = 1;

/// Hands records to consensus, or to the nodes that this one follows, and waits for them on this node's disk.
pub(crate) struct NodeSubmitter {
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) part: Arc<Part>,
    pub(crate) disk_low: Arc<AtomicBool>,
    pub(crate) measured: Arc<Measured>,
}

fn internal(error: &StoreError) -> SubmitError {
    SubmitError::Internal(error.to_string())
}

fn not_ready(reason: impl Into<String>) -> SubmitError {
    SubmitError::NotReady { reason: reason.into() }
}

impl NodeSubmitter {
    fn finality(&self, id: RecordId) -> Result<Option<Finality>, SubmitError> {
        let view = self.ledger.view().map_err(|e| internal(&e))?;
        let found = view.record(&id).map_err(|e| internal(&e))?;
        Ok(found.map(|stored| Finality { height: stored.height, time: stored.time, index: stored.index }))
    }

    /// Passes a record on to the first followed node that answers, and its answer back.
    async fn pass_on(&self, record: &[u8], attachment: Option<&[u8]>) -> Result<RecordId, SubmitError> {
        if self.part.sources.is_empty() {
            return Err(not_ready("this node does not vote, and follows no node that it could pass records on to"));
        }
        let id = match Record::parse(record) {
            Ok(record) => record.id(),
            Err(error) => {
                let (code, number) = error.code();
                return Err(SubmitError::Rejected { code, number, message: error.to_string(), id: None });
            }
        };
        // What is final here needs no other node's word; one that is behind would queue it again.
        if tokio::task::block_in_place(|| self.finality(id))?.is_some() {
            let (code, message) = ("admission.duplicate", "the record is on the ledger already".to_owned());
            return Err(SubmitError::Rejected { code, number: 150, message, id: Some(id) });
        }
        let mut said = Vec::new();
        for source in &self.part.sources {
            match source.pass_on(record, attachment).await {
                Ok(_) => {
                    self.part.passed_on(id);
                    return Ok(id);
                }
                Err(error) => match refusal(&error, id) {
                    Some(refusal) => return Err(refusal),
                    // Also where it may have been taken: the next node says so, or takes the same record.
                    None => said.push(error.to_string()),
                },
            }
        }
        Err(not_ready(format!(
            "this node passes records on, and none of its nodes takes them now: {}",
            said.join("; ")
        )))
    }
}

/// What the rules refuse, in their own words; none when another node may say otherwise.
fn refusal(error: &ClientError, id: RecordId) -> Option<SubmitError> {
    let ClientError::Refused { problem, .. } = error else { return None };
    let known = RECORD_CODES.iter().chain(LEDGER_CODES).find(|known| known.code == problem.code)?;
    let message = if problem.detail.is_empty() { problem.title.clone() } else { problem.detail.clone() };
    Some(SubmitError::Rejected { code: known.code, number: known.number, message, id: Some(id) })
}

#[async_trait]
impl Submitter for NodeSubmitter {
    async fn submit(&self, record: Bytes, attachment: Option<Bytes>) -> Result<RecordId, SubmitError> {
        if self.disk_low.load(Ordering::Relaxed) {
            return Err(not_ready("this node is short of disk space and takes no records: ask another node"));
        }
        let accepted = Instant::now();
        let Some(consensus) = self.part.consensus() else {
            let id = self.pass_on(&record, attachment.as_deref()).await?;
            self.measured.accepted(id, accepted);
            return Ok(id);
        };
        let id = consensus.submit(record, attachment).await.map_err(|error| match error {
            testamur_consensus::SubmitError::Refused(refusal) => {
                SubmitError::Rejected { code: refusal.slug, number: refusal.number, message: refusal.message, id: None }
            }
            testamur_consensus::SubmitError::Full(full) => {
                SubmitError::Busy { reason: full.to_string(), retry_after_s: RETRY_AFTER_S }
            }
            testamur_consensus::SubmitError::Stopped => not_ready("the node is stopping"),
        })?;
        self.measured.accepted(id, accepted);
        Ok(id)
    }

    async fn wait_final(&self, id: RecordId) -> Result<Finality, SubmitError> {
        // Subscribed before the first look, so that a commit in between is not missed.
        let mut events = self.part.events.subscribe();
        loop {
            if let Some(finality) = tokio::task::block_in_place(|| self.finality(id))? {
                return Ok(finality);
            }
            if !self.part.is_under_way(&id) {
                // Between two looks it may just have been committed.
                return match tokio::task::block_in_place(|| self.finality(id))? {
                    Some(finality) => Ok(finality),
                    None => Err(not_ready(
                        "the record was dropped before a block took it: it expired, or the ledger changed",
                    )),
                };
            }
            loop {
                match events.recv().await {
                    Ok(committed) if committed.records.contains(&id) => break,
                    // The pool is asked again now and then: a record may also leave it.
                    Ok(committed) if committed.records.is_empty() => break,
                    Ok(_) => {
                        if !self.part.is_under_way(&id) {
                            break;
                        }
                    }
                    Err(RecvError::Lagged(_)) => break,
                    Err(RecvError::Closed) => return Err(not_ready("the node is stopping")),
                }
            }
        }
    }

    fn is_queued(&self, id: RecordId) -> bool {
        self.part.is_under_way(&id)
    }
}

/// Time from acceptance to finality on this node.
#[derive(Debug, Default)]
pub(crate) struct Measured(Mutex<Samples>);

#[derive(Debug, Default)]
struct Samples {
    waiting: HashMap<RecordId, Instant>,
    /// A ring of the latest times, in milliseconds.
    times_ms: Vec<u32>,
    next: usize,
    records: u64,
    /// For each of the latest blocks with measured records, how many it had.
    blocks: u32,
}

impl Measured {
    fn accepted(&self, id: RecordId, at: Instant) {
        let mut samples = self.0.lock().expect("nothing panics under this lock");
        if samples.waiting.len() < MEASURED_MAX {
            samples.waiting.entry(id).or_insert(at);
        }
    }

    /// Notes a block's records.
    pub(crate) fn committed(&self, block: &Committed) {
        let mut samples = self.0.lock().expect("nothing panics under this lock");
        let now = Instant::now();
        let before = samples.records;
        for id in &block.records {
            let Some(accepted) = samples.waiting.remove(id) else { continue };
            let took_ms = u32::try_from(now.duration_since(accepted).as_millis()).unwrap_or(u32::MAX);
            samples.records += 1;
            if samples.times_ms.len() < MEASUREMENTS_KEPT {
                samples.times_ms.push(took_ms);
            } else {
                let at = samples.next;
                samples.times_ms[at] = took_ms;
            }
            samples.next = (samples.next + 1) % MEASUREMENTS_KEPT;
        }
        if samples.records > before {
            samples.blocks = samples.blocks.saturating_add(1);
        }
        // What was accepted and never committed (expired, dropped) would stay for ever: forget when half full.
        if samples.waiting.len() > MEASURED_MAX / 2 {
            samples.waiting.retain(|_, at| now.duration_since(*at).as_secs() < 600);
        }
    }

    /// Percentiles over the latest records.
    pub(crate) fn time_to_final(&self) -> Option<TimeToFinal> {
        let samples = self.0.lock().expect("nothing panics under this lock");
        let mut times = samples.times_ms.clone();
        let (records, blocks) = (samples.records, samples.blocks);
        drop(samples);
        times.sort_unstable();
        let at = |share: usize| times.get((times.len() * share / 100).min(times.len().saturating_sub(1))).copied();
        Some(TimeToFinal { blocks, records, p50_ms: at(50)?, p99_ms: at(99)? })
    }
}
