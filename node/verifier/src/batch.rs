//! A batch: items are verified while they arrive, a few at once; answers leave in the order of the items.
//!
//! Many callers send all of a request before they read any of its answer. Would the answer begin earlier and fill the line,
//! such a caller and this service would wait for each other. So answers are held until the body has come whole, or until
//! [`ANSWER_BYTES_MAX`] of them wait, and only then the answer begins. Until then whatever is wrong with the request is a problem with
//! its status; after that, a last line.
//!
//! - INV-BATCH-1: of a batch no more is held than its waiting answers, the files that are worked on, and one that arrives.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{BoxStream, FuturesOrdered, unfold};
use futures::{FutureExt as _, StreamExt as _};
use serde::Serialize;
use testamur_primitives::units::UnixTime;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::answer::Checked;
use crate::check::{Checker, File};
use crate::items::{Content, Item, Items};
use crate::limits::{ANSWER_BYTES_MAX, FILES_KIB_MAX, ITEM_BYTES_MAX, ITEMS_PER_CORE};
use crate::problem::{ITEM, VerifierProblem};

/// Kibibytes of files that may be under way at once, of all callers.
#[derive(Debug, Clone)]
pub(crate) struct Room(Arc<Semaphore>);

impl Default for Room {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(FILES_KIB_MAX)))
    }
}

impl Room {
    /// Room for a file, when there is some. In the order of arrival, so that a large one gets its turn too.
    pub(crate) async fn take(&self, bytes: usize) -> OwnedSemaphorePermit {
        let kib = u32::try_from(bytes.div_ceil(1024).clamp(1, FILES_KIB_MAX)).expect("clamped");
        Arc::clone(&self.0).acquire_many_owned(kib).await.expect("never closed")
    }
}

/// A line of the answer.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(flatten)]
    answer: Option<&'a Checked>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Told<'a>>,
}

/// A problem within a line.
#[derive(Serialize)]
struct Told<'a> {
    code: &'a str,
    detail: &'a str,
}

fn line(line: &Line<'_>) -> Bytes {
    let mut bytes = serde_json::to_vec(line).expect("reports have string keys and no floats");
    bytes.push(b'\n');
    Bytes::from(bytes)
}

type Arriving = BoxStream<'static, Result<(Item, OwnedSemaphorePermit), VerifierProblem>>;

/// A batch under way.
pub(crate) struct Batch {
    checker: Arc<Checker>,
    at: Option<UnixTime>,
    /// What is still to come; none once all has come.
    arriving: Option<Arriving>,
    count: usize,
    working: FuturesOrdered<BoxFuture<'static, Bytes>>,
    at_once: usize,
    waiting: VecDeque<Bytes>,
    waiting_bytes: usize,
}

impl Batch {
    pub(crate) fn new(checker: Arc<Checker>, room: Room, at: Option<UnixTime>, items: Items) -> Self {
        // An item waits for room within the stream: dropping a poll loses nothing, and no further item is read meanwhile.
        let arriving = items.then(move |item| {
            let room = room.clone();
            async move {
                let item = item?;
                let place = room.take(item.content.len()).await;
                Ok((item, place))
            }
        });
        Self {
            at_once: checker.pool().size() * ITEMS_PER_CORE,
            checker,
            at,
            arriving: Some(arriving.boxed()),
            count: 0,
            working: FuturesOrdered::new(),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
        }
    }

    /// Works until the answer may begin.
    pub(crate) async fn begin(mut self) -> Result<Self, VerifierProblem> {
        while self.arriving.is_some() && self.waiting_bytes < ANSWER_BYTES_MAX {
            self.step().await?;
        }
        Ok(self)
    }

    /// How many items have come.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// The answer. Nothing is read or begun while the caller takes none of it; work that was begun is finished.
    pub(crate) fn into_body(self, place: OwnedSemaphorePermit) -> Body {
        let lines = unfold((self, place), |(mut batch, place)| async move {
            let line = batch.next_line().await?;
            Some((Ok::<_, Infallible>(line), (batch, place)))
        });
        Body::from_stream(lines)
    }

    async fn next_line(&mut self) -> Option<Bytes> {
        loop {
            if let Some(line) = self.waiting.pop_front() {
                self.waiting_bytes -= line.len();
                return Some(line);
            }
            match self.step().await {
                Ok(true) => {}
                Ok(false) => return None,
                Err(problem) => {
                    let told = Told { code: problem.0.code(), detail: problem.0.detail() };
                    self.wait(line(&Line { item: None, id: None, answer: None, problem: Some(told) }));
                }
            }
        }
    }

    /// Takes one item, or one answer; false when there is neither.
    async fn step(&mut self) -> Result<bool, VerifierProblem> {
        let reads = self.arriving.is_some() && self.working.len() < self.at_once;
        let arriving = &mut self.arriving;
        let next = async move {
            match arriving {
                Some(arriving) => arriving.next().await,
                None => None,
            }
        };
        tokio::select! {
            Some(answer) = self.working.next(), if !self.working.is_empty() => {
                self.wait(answer);
                Ok(true)
            }
            item = next, if reads => {
                match item {
                    Some(Ok((item, place))) => self.start(item, place),
                    Some(Err(problem)) => {
                        // What came before is still answered; nothing that follows can be found.
                        self.arriving = None;
                        return Err(problem);
                    }
                    None => self.arriving = None,
                }
                Ok(true)
            }
            else => Ok(false),
        }
    }

    fn wait(&mut self, answer: Bytes) {
        self.waiting_bytes += answer.len();
        self.waiting.push_back(answer);
    }

    fn start(&mut self, item: Item, place: OwnedSemaphorePermit) {
        let (checker, at, number) = (Arc::clone(&self.checker), self.at, self.count);
        self.count += 1;
        let work = async move {
            let _place = place;
            let Item { id, content } = item;
            let told = |code: &'static str, detail: String| (None, Some((code, detail)));
            let (answer, problem) = match content {
                Content::Malformed(what) => told(ITEM.code, what),
                Content::TooLarge => (Some(checker.unread(ITEM_BYTES_MAX + 1, at)), None),
                Content::File { bytes, receipt } => match checker.check(File { bytes, receipt, at }).await {
                    Ok(answer) => (Some(answer), None),
                    Err(failed) => told(testamur_api::problem::FAILED.code, failed.to_string()),
                },
            };
            let problem = problem.as_ref().map(|(code, detail)| Told { code, detail });
            line(&Line { item: Some(number), id: id.as_deref(), answer: answer.as_ref(), problem })
        };
        self.working.push_back(work.boxed());
    }
}
