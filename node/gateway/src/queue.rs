//! The durable queue: what came with `?async=1` and waits for a record.
//!
//! A request is answered when its digests are on disk; documents are hashed before that and never stored. Records are signed when
//! they are sent, not when they are queued: a record signed today could not enter the ledger tomorrow. As long as no node of the network
//! answers nothing is signed, and everything waits in its order.

use std::sync::Arc;
use std::time::Duration;

use testamur_primitives::commitment::{DocumentDigest, Form};
use testamur_primitives::limits::NOTARISE_ENTRIES_MAX;
use testamur_primitives::record::Reference;
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::batcher;
use crate::limits::{
    BATCH_DOCUMENTS_MAX, QUEUE_DOCUMENTS_MAX, RETRY_PAUSE_MAX, RETRY_PAUSE_MIN, STATUS_TIMEOUT, WINDOWS_IN_FLIGHT_MAX,
};
use crate::problem::{GatewayProblem, QUEUE_FULL};
use crate::records::{Asked, Content, Keep, Part, Records};
use crate::store::{State, Store, StoreError, Submission};

/// Takes what nobody waits for.
#[derive(Debug)]
pub struct Queue {
    records: Arc<Records>,
    store: Arc<Store>,
    /// One request at a time is counted and put into the queue, so that together they stay below the bound.
    entering: Mutex<()>,
    documents_max: u64,
}

impl Queue {
    /// The queue in an archive.
    pub fn new(records: Arc<Records>, store: Arc<Store>) -> Self {
        Self { records, store, entering: Mutex::default(), documents_max: QUEUE_DOCUMENTS_MAX }
    }

    /// Bounds the queue below its limit.
    #[must_use]
    pub fn at_most(self, documents: u64) -> Self {
        Self { documents_max: documents.min(QUEUE_DOCUMENTS_MAX), ..self }
    }

    /// Puts the documents of one request into the queue. When this returns they are on disk; after an error nothing of them is.
    pub(crate) async fn enqueue(
        &self,
        content: &Content,
        form: Form,
        asked: &Asked,
    ) -> Result<Submission, GatewayProblem> {
        if let Content::Digests(digests) = content {
            batcher::check(digests, form)?;
        }
        let submission = asked.begin(content, form, true, State::Queued { number: self.store.next_number() });
        let mut step = self.store.step();
        step.begin(&submission, asked.fingerprint());
        step.enqueue(&submission, content.digests());
        self.store.check_room().map_err(|error| GatewayProblem::of_store(&error))?;
        {
            let _turn = self.entering.lock().await;
            let waiting = self.store.waiting();
            if waiting + u64::from(submission.count) > self.documents_max {
                let (count, max) = (submission.count, self.documents_max);
                let detail = format!(
                    "{waiting} documents wait, {max} is the bound, and these are {count} more; nothing of this request was taken"
                );
                return Err(GatewayProblem::new(&QUEUE_FULL, detail));
            }
            self.store.write(step).await.map_err(|error| GatewayProblem::of_store(&error))?;
        }
        self.records.queued.notify_one();
        Ok(submission)
    }

    /// Sends what is queued, in its order, until it is dropped. What is under way then is on disk.
    pub async fn run(self: Arc<Self>, window: Duration) {
        let in_flight = Arc::new(Semaphore::new(WINDOWS_IN_FLIGHT_MAX));
        let mut tasks = JoinSet::new();
        let mut pause = RETRY_PAUSE_MIN;
        loop {
            let permit = Arc::clone(&in_flight).acquire_owned().await.expect("the semaphore is never closed");
            match self.send_next().await {
                Ok(Some(group)) => {
                    pause = RETRY_PAUSE_MIN;
                    let records = Arc::clone(&self.records);
                    tasks.spawn(async move {
                        let record = group.signed.id();
                        match records.finalise(&group, false).await {
                            Ok(cut) => {
                                let documents = group.signed.documents().count();
                                tracing::info!(%record, documents, height = cut.facts().height.0, "queued record final");
                            }
                            Err(error) => tracing::warn!(%record, %error, "queued record not final"),
                        }
                        drop(permit);
                    });
                }
                Ok(None) => {
                    drop(permit);
                    self.records.queued.notified().await;
                    // Those that come together share a record.
                    sleep(window).await;
                }
                Err(reason) => {
                    drop(permit);
                    tracing::warn!(documents = self.store.waiting(), reason, "the queue waits");
                    sleep(pause).await;
                    pause = (pause * 2).min(RETRY_PAUSE_MAX);
                }
            }
            while tasks.try_join_next().is_some() {}
        }
    }

    /// Signs and keeps a record over what is first in the queue. None when it is empty; an error when it must wait.
    async fn send_next(&self) -> Result<Option<crate::records::Group>, String> {
        if self.store.waiting() == 0 {
            return Ok(None);
        }
        let (form, parts, reference) = self.first().map_err(|error| error.to_string())?;
        if parts.is_empty() {
            return Ok(None);
        }
        match timeout(STATUS_TIMEOUT, self.records.notary().nodes().network()).await {
            Ok(Ok(network)) if network.genesis == self.records.notary().trust().network() => {}
            Ok(Ok(_)) => return Err("the node is of another network than the trust file".into()),
            Ok(Err(_)) => return Err("no node of the network can be reached".into()),
            Err(_) => return Err("no node answers in time".into()),
        }
        // If we crash from here on, these are still in the queue, or on disk under a record that is pursued.
        let group = self.records.sign(form, parts, reference).await.map_err(|problem| problem.detail().to_owned())?;
        Ok(Some(group))
    }

    /// What goes under the next record: of one form, plain digests of one algorithm, as many as one record takes; or one root, and its
    /// reference.
    fn first(&self) -> Result<(Form, Vec<Part>, Option<Reference>), StoreError> {
        let (mut documents, mut form) = (0, Form::Commitment);
        let mut is_over = false;
        let mut submissions = self.store.queued(|submission| {
            if is_over || documents > 0 && submission.batch.is_some() {
                return false;
            }
            is_over = submission.batch.is_some();
            if documents == 0 {
                form = submission.form;
            }
            let max = if form == Form::Digest { NOTARISE_ENTRIES_MAX } else { BATCH_DOCUMENTS_MAX };
            documents += submission.count as usize;
            submission.form == form && documents <= max
        })?;
        let mut parts = Vec::with_capacity(submissions.len());
        let mut algorithm = None;
        if let [submission] = submissions.as_slice()
            && let Some(root) = submission.batch
        {
            let part = Part { content: Content::Root(root), keep: Keep::Queued(submission.clone()) };
            return Ok((form, vec![part], submission.reference.clone()));
        }
        for submission in submissions.drain(..) {
            let digests = self.store.digests(submission.id)?;
            let first = digests.first().map(DocumentDigest::algorithm);
            if form == Form::Digest && algorithm.replace(first).is_some_and(|earlier| earlier != first) {
                break;
            }
            parts.push(Part { content: Content::Digests(digests), keep: Keep::Queued(submission) });
        }
        Ok((form, parts, None))
    }
}
