//! One record for the documents of several requests: signed, kept, sent, and what comes of it kept as well.
//!
//! ```text
//!            sign                finalise                          settle
//! digests ───────▶ kept, sent ───────────▶ receipt, verified ───────────▶ final
//!    ▲                 │  │ nothing was taken, and somebody waits ─▶ forgotten: the caller is told
//!    │                 │  │ the rules refuse it ─────────────────▶ refused
//!    └─────────────────┘  │ not known ───────────────────────────▶ pursued: the same bytes, until final or expired
//!      expired, was queued
//! ```
//!
//! INV-GATEWAY-6: with an archive, no record is sent before it is on disk with all its openings (INV-KEPT-2): whatever happens to the
//! caller or to this process, the receipt waits under its id.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use testamur_client::author::now;
use testamur_client::batch::{BatchRoot, Documents};
use testamur_client::cut::Cut;
use testamur_client::nodes::FinaliseError;
use testamur_client::notary::{Notary, NotaryError, Signed};
use testamur_primitives::commitment::{DocumentDigest, Form, Opening};
use testamur_primitives::hash::RecordId;
use testamur_primitives::record::{Record, Reference};
use testamur_primitives::units::UnixTime;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::limits::{EXPIRY_MARGIN_S, FIND_TIMEOUT, RETRY_PAUSE_MAX, RETRY_PAUSE_MIN};
use crate::problem::{FAILED, GatewayProblem, RECORD_EXPIRED, RECORD_REFUSED};
use crate::store::{Delivery, InFlight, State, Step, Store, StoreError, Submission, SubmissionId};

/// A request that is kept.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The id that its receipts wait under.
    pub id: SubmissionId,
    /// The label of its token.
    pub caller: Reference,
    /// The caller's own name for it.
    pub reference: Option<Reference>,
    /// The place of its idempotency key, and what was asked for with it.
    pub repeatable: Option<([u8; 32], String)>,
}

impl Asked {
    /// The submission that it begins.
    pub(crate) fn begin(&self, content: &Content, form: Form, queued: bool, state: State) -> Submission {
        let time = clock();
        Submission {
            id: self.id,
            caller: self.caller.clone(),
            form,
            count: content.count(),
            batch: content.root(),
            reference: self.reference.clone(),
            queued,
            created: time,
            since: time,
            repeatable: self.repeatable.as_ref().map(|(place, _)| *place),
            state,
        }
    }

    /// What was asked for, as a hash.
    pub(crate) fn fingerprint(&self) -> Option<&str> {
        self.repeatable.as_ref().map(|(_, fingerprint)| fingerprint.as_str())
    }
}

/// What becomes of a request besides its answer.
#[derive(Debug, Clone)]
pub(crate) enum Keep {
    /// Nothing: the gateway has no archive.
    Nothing,
    /// It is kept from the moment that its record is signed.
    Asked(Asked),
    /// It is in the queue.
    Queued(Submission),
}

/// What a request brought.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// Digests of documents.
    Digests(Vec<DocumentDigest>),
    /// A root whose openings the caller keeps: it goes under a record of its own.
    Root(BatchRoot),
}

impl Content {
    /// How many receipts come of it.
    pub(crate) fn count(&self) -> u32 {
        match self {
            Self::Digests(digests) => u32::try_from(digests.len()).unwrap_or(u32::MAX),
            Self::Root(_) => 1,
        }
    }

    /// The root, if it is one.
    pub(crate) fn root(&self) -> Option<BatchRoot> {
        match self {
            Self::Digests(_) => None,
            Self::Root(root) => Some(*root),
        }
    }

    /// The digests; none of a root.
    pub(crate) fn digests(&self) -> &[DocumentDigest] {
        match self {
            Self::Digests(digests) => digests,
            Self::Root(_) => &[],
        }
    }
}

/// What one request brought, on its way under a record.
pub(crate) struct Part {
    pub(crate) content: Content,
    pub(crate) keep: Keep,
}

/// A signed record, on disk if there is one, and where each part lies in it: a root nowhere.
pub(crate) struct Group {
    pub(crate) signed: Arc<Signed>,
    pub(crate) ranges: Vec<Range<u64>>,
    parts: Vec<SubmissionId>,
}

/// Signs, keeps, sends.
#[derive(Debug)]
pub struct Records {
    notary: Arc<Notary>,
    store: Option<Arc<Store>>,
    /// Whether somebody wants to know what settles without anybody waiting.
    notifies: bool,
    /// Something settled that somebody wants to know of.
    pub(crate) settled: Notify,
    /// Something is in the queue.
    pub(crate) queued: Notify,
    pursuits: Mutex<JoinSet<()>>,
}

impl Records {
    /// Records of one author, kept in an archive if there is one.
    pub fn new(notary: Arc<Notary>, store: Option<Arc<Store>>, notifies: bool) -> Self {
        let (settled, queued) = (Notify::new(), Notify::new());
        Self { notary, store, notifies, settled, queued, pursuits: Mutex::default() }
    }

    /// The author, the nodes, the trust file.
    pub fn notary(&self) -> &Arc<Notary> {
        &self.notary
    }

    /// The archive.
    pub fn store(&self) -> Option<&Arc<Store>> {
        self.store.as_ref()
    }

    /// Signs one record over all parts and keeps it. Nothing is sent; after an error nothing was kept.
    ///
    /// `reference` goes into the record: of a root alone, since others share theirs.
    pub(crate) async fn sign(
        &self,
        form: Form,
        parts: Vec<Part>,
        reference: Option<Reference>,
    ) -> Result<Group, GatewayProblem> {
        let count: usize = parts.iter().map(|part| part.content.digests().len()).sum();
        let (notary, store) = (Arc::clone(&self.notary), self.store.clone());
        let sign = move || {
            let mut digests = Vec::with_capacity(count);
            let mut ranges = Vec::with_capacity(parts.len());
            let mut keeps = Vec::with_capacity(parts.len());
            let mut root = None;
            for part in parts {
                let start = digests.len() as u64;
                root = root.or(part.content.root());
                if let Content::Digests(mut more) = part.content {
                    digests.append(&mut more);
                }
                ranges.push(start..digests.len() as u64);
                keeps.push((part.keep, root));
            }
            assert!(root.is_none() || ranges.len() == 1, "a root has its record alone");
            let documents = match root {
                Some(root) => Documents::Root(root),
                None => Documents::new(digests, form)?,
            };
            let signed = Arc::new(notary.sign(documents, reference)?);
            let mut group = Group { signed, ranges, parts: Vec::new() };
            let step = store.map(|store| {
                let mut step = store.step();
                keep(&mut step, form, &keeps, &mut group);
                step
            });
            Ok((group, step))
        };
        // A tree of 10,000 documents and their openings take some ten milliseconds: not on the threads that serve connections.
        let signed = tokio::task::spawn_blocking(sign).await.expect("signing does not panic");
        let (group, step) = signed.map_err(|error: NotaryError| {
            tracing::error!(%error, documents = count, "record could not be signed");
            GatewayProblem::of_notary(&error, None)
        })?;
        let (Some(store), Some(step)) = (&self.store, step) else { return Ok(group) };
        if group.parts.is_empty() {
            return Ok(group);
        }
        // If we crash before this returns, what was queued still is, and nothing was sent.
        store.write(step).await.map_err(|error| {
            tracing::error!(%error, documents = count, "record could not be kept, and is not sent");
            GatewayProblem::of_store(&error)
        })?;
        Ok(group)
    }

    /// Sends a record until it is final, and keeps what comes of it. `awaited` says that callers wait for the answer.
    pub(crate) async fn finalise(self: &Arc<Self>, group: &Group, awaited: bool) -> Result<Cut, FinaliseError> {
        let record = group.signed.id();
        let result = self.notary.finalise(&group.signed).await;
        let Some(store) = self.store.as_ref().filter(|_| !group.parts.is_empty()) else { return result };
        let kept = match &result {
            Ok(cut) => self.settle(store, record, &group.parts, cut, !awaited).await,
            Err(error) if awaited && !error.may_have_taken_effect() => {
                // The callers are told that nothing was notarised; then nothing of it stays.
                self.forget(store, record, &group.parts).await
            }
            Err(FinaliseError::Refused { problem, .. }) => {
                let detail = format!("the ledger says: {} ({})", problem.message(), problem.code);
                self.refuse(store, record, &group.parts, RECORD_REFUSED.code, &detail).await
            }
            Err(_) => {
                self.pursue(record);
                Ok(())
            }
        };
        if let Err(error) = kept {
            // What came of it is asked for again: the record is still on disk as one on its way.
            tracing::error!(%record, %error, "the outcome of a record could not be kept");
            self.pursue(record);
        }
        result
    }

    /// Goes on with every record that was on its way when the gateway ended.
    pub(crate) fn resume(self: &Arc<Self>) -> Result<usize, StoreError> {
        let Some(store) = &self.store else { return Ok(0) };
        let all = store.all_in_flight()?;
        for in_flight in &all {
            let record = Record::parse(in_flight.record.as_bytes()).map_err(|_| StoreError::Damaged)?;
            self.pursue(record.id());
        }
        Ok(all.len())
    }

    /// Ends what is being pursued; it is gone on with at the next start.
    pub(crate) async fn stop(&self) {
        let mut pursuits = std::mem::take(&mut *self.pursuits.lock().unwrap_or_else(PoisonError::into_inner));
        pursuits.shutdown().await;
    }

    fn pursue(self: &Arc<Self>, record: RecordId) {
        let records = Arc::clone(self);
        let mut pursuits = self.pursuits.lock().unwrap_or_else(PoisonError::into_inner);
        while pursuits.try_join_next().is_some() {}
        pursuits.spawn(async move {
            let mut pause = RETRY_PAUSE_MIN;
            loop {
                match records.once_more(record).await {
                    Ok(true) => return,
                    Ok(false) => {}
                    Err(error) => tracing::error!(%record, %error, "a record cannot be pursued now"),
                }
                sleep(pause).await;
                pause = (pause * 2).min(RETRY_PAUSE_MAX);
            }
        });
    }

    /// Sends a record that is on its way once more. True when it is not on its way any more.
    async fn once_more(&self, id: RecordId) -> Result<bool, StoreError> {
        let Some(store) = &self.store else { return Ok(true) };
        let Some(InFlight { record, expires, parts }) = store.in_flight(id)? else { return Ok(true) };
        let record = Record::parse(record.as_bytes()).map_err(|_| StoreError::Damaged)?;
        let time = now().unwrap_or_default();
        if time <= expires {
            match self.notary.finalise_record(&record).await {
                Ok(cut) => self.settle(store, id, &parts, &cut, true).await?,
                // Near its end a node may call it expired while another has taken it: then it is looked for below.
                Err(FinaliseError::Refused { problem, .. }) if now().is_some_and(|now| now < expires) => {
                    let detail = format!("the ledger says: {} ({})", problem.message(), problem.code);
                    self.refuse(store, id, &parts, RECORD_REFUSED.code, &detail).await?;
                }
                Err(error) => {
                    tracing::warn!(record = %id, %error, "record not final yet");
                    return Ok(false);
                }
            }
            return Ok(true);
        }
        match self.notary.find(id, FIND_TIMEOUT).await {
            Ok(cut) => self.settle(store, id, &parts, &cut, true).await?,
            Err(error) => {
                let over = time.0 > expires.0.saturating_add(EXPIRY_MARGIN_S);
                // A network that is away says nothing about the record.
                let hopeless = over && matches!(error, FinaliseError::Unknown { .. });
                if !hopeless || self.notary.nodes().network().await.is_err() {
                    return Ok(false);
                }
                self.give_up(store, id, &parts).await?;
            }
        }
        Ok(true)
    }

    /// Keeps the ledger's part of the receipts: from here on they can be handed out.
    async fn settle(
        &self,
        store: &Store,
        record: RecordId,
        parts: &[SubmissionId],
        cut: &Cut,
        late: bool,
    ) -> Result<(), StoreError> {
        let facts = cut.facts();
        let state = State::Final { record, height: facts.height.0, time: facts.time };
        let mut step = store.step();
        step.put_ledger_part(record, cut.stencil());
        self.end(store, &mut step, record, parts, &state, late)?;
        // If we crash before this returns, the record is pursued after the restart and found final.
        store.write(step).await?;
        self.settled.notify_one();
        Ok(())
    }

    async fn refuse(
        &self,
        store: &Store,
        record: RecordId,
        parts: &[SubmissionId],
        code: &str,
        detail: &str,
    ) -> Result<(), StoreError> {
        let state = State::Refused { code: code.to_owned(), detail: detail.to_owned() };
        let mut step = store.step();
        self.end(store, &mut step, record, parts, &state, true)?;
        store.write(step).await?;
        self.settled.notify_one();
        Ok(())
    }

    /// All parts stand where nothing changes them any more.
    fn end(
        &self,
        store: &Store,
        step: &mut Step,
        record: RecordId,
        parts: &[SubmissionId],
        state: &State,
        late: bool,
    ) -> Result<(), StoreError> {
        let time = now().unwrap_or_default();
        step.drop_in_flight(record);
        for id in parts {
            // Nobody forgets a submission that is on its way; one that is gone has nobody to tell.
            let Some(submission) = store.submission(*id)? else { continue };
            step.put(&Submission { state: state.clone(), since: time, ..submission });
            if self.notifies && late {
                step.put_delivery(&Delivery { id: *id, settled: time, attempts: 0, due: time });
            }
        }
        Ok(())
    }

    async fn forget(&self, store: &Store, record: RecordId, parts: &[SubmissionId]) -> Result<(), StoreError> {
        let mut step = store.step();
        step.drop_in_flight(record);
        for id in parts {
            if let Some(submission) = store.submission(*id)? {
                step.forget(&submission);
            }
        }
        store.write(step).await
    }

    /// The record never came to the ledger: what was queued is queued again, ahead of nothing; who waited was told to ask again,
    /// and is told now that it was of no use.
    async fn give_up(&self, store: &Store, record: RecordId, parts: &[SubmissionId]) -> Result<(), StoreError> {
        tracing::warn!(%record, requests = parts.len(), "record expired without entering the ledger");
        let time = now().unwrap_or_default();
        let mut step = store.step();
        step.drop_in_flight(record);
        for id in parts {
            let Some(mut submission) = store.submission(*id)? else { continue };
            submission.since = time;
            if submission.queued {
                let content = content_of(store, &submission)?;
                submission.state = State::Queued { number: store.next_number() };
                step.drop_openings(&submission);
                step.put(&submission);
                step.enqueue(&submission, content.digests());
            } else {
                let detail = format!(
                    "record {record} is not on the ledger and can no longer enter it: send the documents again"
                );
                submission.state = State::Refused { code: RECORD_EXPIRED.code.to_owned(), detail };
                step.put(&submission);
                if self.notifies {
                    step.put_delivery(&Delivery { id: *id, settled: time, attempts: 0, due: time });
                }
            }
        }
        store.write(step).await?;
        self.queued.notify_one();
        self.settled.notify_one();
        Ok(())
    }
}

/// What was signed for, and for whom.
fn keep(step: &mut Step, form: Form, keeps: &[(Keep, Option<BatchRoot>)], group: &mut Group) {
    let (record, time) = (group.signed.record(), now().unwrap_or_default());
    let (id, expires) = (record.id(), record.payload().exp);
    for ((keep, root), range) in keeps.iter().zip(&group.ranges) {
        let state = State::Sent { record: id, expires };
        let submission = match keep {
            Keep::Nothing => continue,
            Keep::Asked(asked) => {
                let count = root.map_or(range.end - range.start, |_| 1);
                let submission = Submission {
                    count: u32::try_from(count).unwrap_or(u32::MAX),
                    ..asked.begin(&root.map_or(Content::Digests(Vec::new()), Content::Root), form, false, state)
                };
                step.begin(&submission, asked.fingerprint());
                submission
            }
            Keep::Queued(queued) => {
                if let State::Queued { number } = queued.state {
                    step.dequeue(queued, number);
                }
                let submission = Submission { since: time, state, ..queued.clone() };
                step.put(&submission);
                submission
            }
        };
        for (place, index) in range.clone().enumerate() {
            let opening = group.signed.documents().opening(index).expect("the range lies in the record");
            step.put_opening(submission.id, u32::try_from(place).unwrap_or(u32::MAX), &opening);
        }
        group.parts.push(submission.id);
    }
    if !group.parts.is_empty() {
        let in_flight = InFlight { record: record.as_str().to_owned(), expires, parts: group.parts.clone() };
        step.put_in_flight(id, &in_flight);
    }
}

fn content_of(store: &Store, submission: &Submission) -> Result<Content, StoreError> {
    if let Some(root) = submission.batch {
        return Ok(Content::Root(root));
    }
    let digest = |place| {
        let Opening { alg, digest, .. } = store.opening(submission.id, place)?.ok_or(StoreError::Damaged)?;
        DocumentDigest::new(alg, digest).ok_or(StoreError::Damaged)
    };
    (0..submission.count).map(digest).collect::<Result<_, _>>().map(Content::Digests)
}

/// A receipt from the archive: exactly the bytes that were handed over the first time. None as long as the record is not final.
pub(crate) fn receipt(store: &Store, submission: &Submission, place: u32) -> Result<Option<Vec<u8>>, StoreError> {
    let State::Final { record, .. } = submission.state else { return Ok(None) };
    let stencil = store.ledger_part(record)?.ok_or(StoreError::Damaged)?;
    if submission.batch.is_some() {
        return Ok((place == 0).then(|| stencil.cut(None)));
    }
    // Both were verified before they were kept, and neither opens when a bit of it changed.
    let opening = store.opening_bytes(submission.id, place)?;
    Ok(opening.map(|opening| stencil.cut_canonical(Some(&opening))))
}

/// The problem of a submission that was refused.
pub(crate) fn refused(code: &str, detail: &str) -> GatewayProblem {
    let kind = [&RECORD_REFUSED, &RECORD_EXPIRED].into_iter().find(|kind| kind.code == code).unwrap_or(&FAILED);
    GatewayProblem::new(kind, detail)
}

/// This machine's time, for what is kept.
pub(crate) fn clock() -> UnixTime {
    now().unwrap_or_default()
}
