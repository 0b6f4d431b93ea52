//! Requests that come together share a record.
//!
//! The first request opens a window; those that come before it closes join it. It closes after its time, or at the first pause when few
//! records are on their way. Then, for the window:
//! - all salted documents go under one `notarise-batch` record, also when there is only one: one way for all, and the
//!   record of a single document does not even show its digest's algorithm;
//! - plain digests go into `notarise` records, one for each algorithm and 512 entries, because only entries of such
//!   records are found by hash.
//!
//! INV-GATEWAY-1: a request lies under one record as a whole, so its documents become final together or not at all.
//!
//! A caller that goes away before its window closes is left out. One that goes away later has its record made without
//! a receipt being handed out: a salted commitment that nobody can open, which states nothing.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use testamur_client::batch::{Documents, PlainList};
use testamur_client::cut::{Cut, CutError};
use testamur_client::notary::{NotaryError, Signed};
use testamur_primitives::commitment::{DigestAlgorithm, DocumentDigest, Form};
use testamur_primitives::hash::RecordId;
use testamur_primitives::limits::NOTARISE_ENTRIES_MAX;
use testamur_primitives::record::Reference;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use crate::limits::{
    BATCH_DOCUMENTS_MAX, CALM_WINDOWS_IN_FLIGHT, DOCUMENTS_IN_FLIGHT_MAX, UPLOADS_MAX, WINDOW_PAUSE_MIN, WINDOW_PAUSES,
    WINDOWS_IN_FLIGHT_MAX,
};
use crate::problem::{BUSY, GatewayProblem, STOPPING};
use crate::records::{Asked, Content, Keep, Part, Records};
use crate::routes::Options;
use crate::store::SubmissionId;

/// One request's documents under a final record.
#[derive(Debug)]
pub struct Notarised {
    cut: Arc<Cut>,
    signed: Arc<Signed>,
    range: Range<u64>,
    id: Option<SubmissionId>,
    _room: Option<OwnedSemaphorePermit>,
}

impl Notarised {
    /// The record.
    pub fn record(&self) -> RecordId {
        self.signed.id()
    }

    /// The id that the receipts are kept under, if they are.
    pub fn id(&self) -> Option<SubmissionId> {
        self.id
    }

    /// How many receipts.
    pub fn count(&self) -> u64 {
        if self.is_root() { 1 } else { self.range.end - self.range.start }
    }

    /// Whether it is a batch's root, whose receipt has no opening.
    fn is_root(&self) -> bool {
        matches!(self.signed.documents(), Documents::Root(_))
    }

    /// The receipt of one of this request's documents.
    pub fn receipt(&self, place: u64) -> Result<Vec<u8>, CutError> {
        assert!(place < self.count(), "a request asks for receipts of its own documents only");
        if self.is_root() {
            return Ok(self.cut.stencil().cut(None));
        }
        let opening = self.signed.documents().opening(self.range.start + place).expect("the range lies in the record");
        self.cut.receipt(opening)
    }
}

type Reply = oneshot::Sender<Result<Notarised, GatewayProblem>>;

/// A request's documents, waiting for their window to close.
struct Submission {
    digests: Vec<DocumentDigest>,
    form: Form,
    asked: Option<Asked>,
    room: OwnedSemaphorePermit,
    reply: Reply,
}

/// Takes documents; a task behind it makes records of them.
#[derive(Debug, Clone)]
pub struct Batcher {
    records: Arc<Records>,
    queue: mpsc::Sender<Submission>,
    room: Arc<Semaphore>,
    /// Roots on their way.
    roots: Arc<Semaphore>,
}

impl Batcher {
    /// Starts the task. It ends when every `Batcher` is dropped and the last record has its outcome.
    pub fn start(records: Arc<Records>, window: Duration) -> (Self, tokio::task::JoinHandle<()>) {
        let (queue, submissions) = mpsc::channel(UPLOADS_MAX);
        let room = Arc::new(Semaphore::new(DOCUMENTS_IN_FLIGHT_MAX));
        let roots = Arc::new(Semaphore::new(WINDOWS_IN_FLIGHT_MAX));
        let task = tokio::spawn(run(submissions, Arc::clone(&records), window));
        (Self { records, queue, room, roots }, task)
    }

    /// Notarises what one request brought under one record, and waits until that is final. `asked` says how it is kept.
    pub(crate) async fn notarise(
        &self,
        content: Content,
        options: &Options,
        asked: Option<Asked>,
    ) -> Result<Notarised, GatewayProblem> {
        let form = options.form;
        let digests = match content {
            Content::Digests(digests) => digests,
            Content::Root(_) => return self.notarise_root(content, options.reference.clone(), asked).await,
        };
        check(&digests, form)?;
        let count = u32::try_from(digests.len()).unwrap_or(u32::MAX);
        let busy = || GatewayProblem::new(&BUSY, "too many documents are under way; nothing was notarised");
        let room = Arc::clone(&self.room).try_acquire_many_owned(count).map_err(|_| busy())?;
        let (reply, answer) = oneshot::channel();
        let stopping = || GatewayProblem::new(&STOPPING, "the gateway is about to end; nothing was notarised");
        self.queue.try_send(Submission { digests, form, asked, room, reply }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => busy(),
            mpsc::error::TrySendError::Closed(_) => stopping(),
        })?;
        answer.await.map_err(|_| stopping())?
    }

    /// A root shares its record with nobody and waits for nobody.
    async fn notarise_root(
        &self,
        content: Content,
        reference: Option<Reference>,
        asked: Option<Asked>,
    ) -> Result<Notarised, GatewayProblem> {
        let busy = |_| GatewayProblem::new(&BUSY, "too many batches are under way; nothing was notarised");
        let _turn = self.roots.try_acquire().map_err(busy)?;
        let id = asked.as_ref().map(|asked| asked.id);
        let part = Part { content, keep: asked.map_or(Keep::Nothing, Keep::Asked) };
        let (reply, answer) = oneshot::channel();
        let caller = Waiting { id, room: None, reply };
        send(&self.records, Form::Commitment, reference, vec![part], vec![caller]).await;
        let stopping = |_| GatewayProblem::new(&STOPPING, "the gateway is about to end; nothing was notarised");
        answer.await.map_err(stopping)?
    }
}

/// Whether documents can go under one record: refused before they meet others, so that one request's mistake is not another's.
pub(crate) fn check(digests: &[DocumentDigest], form: Form) -> Result<(), GatewayProblem> {
    if form == Form::Digest {
        PlainList::new(digests.to_vec()).map_err(|error| GatewayProblem::of_notary(&error.into(), None))?;
    }
    Ok(())
}

/// Submissions that will share records.
#[derive(Default)]
struct Window {
    documents: usize,
    salted: Vec<Submission>,
    plain: BTreeMap<DigestAlgorithm, Vec<Vec<Submission>>>,
}

impl Window {
    fn has_room_for(&self, submission: &Submission) -> bool {
        self.documents + submission.digests.len() <= BATCH_DOCUMENTS_MAX
    }

    fn push(&mut self, submission: Submission) {
        self.documents += submission.digests.len();
        if submission.form == Form::Commitment {
            self.salted.push(submission);
            return;
        }
        let algorithm = submission.digests[0].algorithm();
        let groups = self.plain.entry(algorithm).or_default();
        let entries = |group: &[Submission]| group.iter().map(|other| other.digests.len()).sum::<usize>();
        match groups.last_mut().filter(|group| entries(group) + submission.digests.len() <= NOTARISE_ENTRIES_MAX) {
            Some(group) => group.push(submission),
            None => groups.push(vec![submission]),
        }
    }

    fn into_groups(self) -> impl Iterator<Item = Vec<Submission>> {
        let plain = self.plain.into_values().flatten();
        Some(self.salted).filter(|salted| !salted.is_empty()).into_iter().chain(plain)
    }
}

/// Fills one window after the other; each is sent by tasks of its own.
async fn run(mut submissions: mpsc::Receiver<Submission>, records: Arc<Records>, length: Duration) {
    let in_flight = Arc::new(Semaphore::new(WINDOWS_IN_FLIGHT_MAX));
    let mut tasks = tokio::task::JoinSet::new();
    let mut left_over = None;
    loop {
        // While the network is slow no window closes, and the next one takes all that has come in the meantime.
        let permit = Arc::clone(&in_flight).acquire_owned().await.expect("the semaphore is never closed");
        let first = match left_over.take() {
            Some(submission) => submission,
            None => match submissions.recv().await {
                Some(submission) => submission,
                None => break,
            },
        };
        let mut window = Window::default();
        window.push(first);
        let closes = Instant::now() + length;
        // With little on its way nobody gains by waiting for those who do not come: a pause closes the window early.
        let is_calm = in_flight.available_permits() + CALM_WINDOWS_IN_FLIGHT >= WINDOWS_IN_FLIGHT_MAX;
        let pause = if is_calm { (length / WINDOW_PAUSES).max(WINDOW_PAUSE_MIN) } else { length };
        let next_closes = || closes.min(Instant::now() + pause);
        while let Ok(Some(submission)) = timeout_at(next_closes(), submissions.recv()).await {
            if !window.has_room_for(&submission) {
                left_over = Some(submission);
                break;
            }
            window.push(submission);
        }
        let permit = Arc::new(permit);
        for group in window.into_groups() {
            let (records, permit) = (Arc::clone(&records), Arc::clone(&permit));
            tasks.spawn(async move {
                notarise_group(&records, group).await;
                drop(permit);
            });
        }
        while tasks.try_join_next().is_some() {}
    }
    while tasks.join_next().await.is_some() {}
}

/// One record for a group, and each request's part of it.
async fn notarise_group(records: &Arc<Records>, group: Vec<Submission>) {
    let group: Vec<_> = group.into_iter().filter(|submission| !submission.reply.is_closed()).collect();
    let Some(form) = group.first().map(|submission| submission.form) else { return };
    let (mut parts, mut callers) = (Vec::new(), Vec::new());
    for Submission { digests, asked, room, reply, .. } in group {
        callers.push(Waiting { id: asked.as_ref().map(|asked| asked.id), room: Some(room), reply });
        parts.push(Part { content: Content::Digests(digests), keep: asked.map_or(Keep::Nothing, Keep::Asked) });
    }
    send(records, form, None, parts, callers).await;
}

/// A request that waits for its record.
struct Waiting {
    id: Option<SubmissionId>,
    room: Option<OwnedSemaphorePermit>,
    reply: Reply,
}

/// Signs one record over all parts, sends it, and tells each caller what came of it.
async fn send(
    records: &Arc<Records>,
    form: Form,
    reference: Option<Reference>,
    parts: Vec<Part>,
    callers: Vec<Waiting>,
) {
    let began = Instant::now();
    let group = match records.sign(form, parts, reference).await {
        Ok(group) => group,
        Err(problem) => {
            for Waiting { reply, .. } in callers {
                let _ = reply.send(Err(problem.clone()));
            }
            return;
        }
    };
    let (record, requests, documents) = (group.signed.id(), callers.len(), group.signed.documents().count());
    match records.finalise(&group, true).await {
        Ok(cut) => {
            let (height, ms) = (cut.facts().height.0, began.elapsed().as_millis() as u64);
            tracing::info!(%record, documents, requests, height, ms, "record final");
            let cut = Arc::new(cut);
            for (Waiting { id, room, reply }, range) in callers.into_iter().zip(group.ranges) {
                let signed = Arc::clone(&group.signed);
                let notarised = Notarised { cut: Arc::clone(&cut), signed, range, id, _room: room };
                // A caller that is gone by now finds its receipts under its id, if the gateway keeps them.
                let _ = reply.send(Ok(notarised));
            }
        }
        Err(error) => {
            let uncertain = error.may_have_taken_effect();
            tracing::warn!(%record, documents, requests, uncertain, %error, "record not final");
            let error = NotaryError::Finalise(error);
            for (Waiting { id, reply, .. }, range) in callers.into_iter().zip(group.ranges) {
                let pending = uncertain.then(|| group.signed.pending(range));
                let mut problem = GatewayProblem::of_notary(&error, pending);
                if let Some(id) = id.filter(|_| uncertain) {
                    problem = problem.with_document(id);
                }
                let _ = reply.send(Err(problem));
            }
        }
    }
}
