//! `POST /v1/hashes` as a stream: one JSON object a line in, one a line out, of any length, in bounded memory.
//!
//! In: `{"digest":"…","alg":"sha2-256"}`; `alg` may be missing. Out, as each becomes final, not always in order:
//! ```json
//! {"line":1,"id":"0192…","place":0,"receipt":{…}}
//! {"line":2,"problem":{"code":"gateway.line","status":400,"title":"…","detail":"line 2, column 11: …"}}
//! {"end":{"lines":2,"receipts":1,"problems":1}}
//! ```
//! Lines count from 1; empty ones are passed over. A malformed line is answered with what is wrong in it, and the others go on. With
//! `async=1` a line is answered when it is in the queue, with `"state":"queued"` in place of the receipt. An answer without its last
//! line broke off; what was taken until then waits under its ids.
//!
//! Lines that come together go under one record. Only so many are read ahead as there are receipts on their way: a caller that does not
//! read its answers is not read either.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::{Body, BodyDataStream};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use axum::response::Response;
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};
use testamur_api::problem::Problem;
use testamur_primitives::commitment::{DigestAlgorithm, DocumentDigest, Form};
use testamur_primitives::limits::NOTARISE_ENTRIES_MAX;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;

use crate::guard::Caller;
use crate::hashes;
use crate::limits::{
    NDJSON_ANSWERS_WAITING, NDJSON_CHUNK, NDJSON_CHUNK_PAUSE, NDJSON_CHUNKS_IN_FLIGHT, NDJSON_LINE_BYTES_MAX,
};
use crate::problem::{FAILED, GatewayProblem, LINE};
use crate::records::{Asked, Content};
use crate::routes::{App, Options};
use crate::store::SubmissionId;

/// The media type.
pub(crate) const NDJSON: &str = "application/x-ndjson";

/// What came of the lines so far.
#[derive(Debug, Default)]
struct Counts {
    receipts: AtomicU64,
    problems: AtomicU64,
}

/// Answers a stream with a stream. `place` is held until the last line.
pub(crate) fn answer(
    app: Arc<App>,
    caller: Caller,
    options: Options,
    body: Body,
    place: OwnedSemaphorePermit,
) -> Response {
    let (out, answers) = mpsc::channel(NDJSON_ANSWERS_WAITING);
    tokio::spawn(async move {
        Stream { app, caller, options, out, counts: Arc::default() }.run(body).await;
        drop(place);
    });
    let lines = stream::unfold(answers, async |mut answers| answers.recv().await.map(|line| (line, answers)));
    let mut response = Response::new(Body::from_stream(lines.map(Ok::<Bytes, std::io::Error>)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(NDJSON));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// One caller's stream.
struct Stream {
    app: Arc<App>,
    caller: Caller,
    options: Options,
    out: mpsc::Sender<Bytes>,
    counts: Arc<Counts>,
}

/// Lines that go under one record.
#[derive(Default)]
struct Chunk {
    lines: Vec<u64>,
    digests: Vec<DocumentDigest>,
}

impl Stream {
    async fn run(self, body: Body) {
        let mut lines = Lines::new(body);
        let in_flight = Arc::new(Semaphore::new(NDJSON_CHUNKS_IN_FLIGHT));
        let mut chunk = Chunk::default();
        let broken = loop {
            // A caller that is gone is not read any more; what it sent is brought to its end.
            if self.out.is_closed() {
                break None;
            }
            let next = match chunk.lines.is_empty() {
                true => Some(lines.next().await),
                // What is read ahead is kept by `lines`, so that nothing is lost when the time is over.
                false => timeout(NDJSON_CHUNK_PAUSE, lines.next()).await.ok(),
            };
            let Some(next) = next else {
                self.send(mem::take(&mut chunk), &in_flight).await;
                continue;
            };
            match next {
                Ok(None) => break None,
                Err(problem) => break Some(problem),
                Ok(Some(Line { number, text })) => {
                    let digest = text.and_then(|text| parse(&text, self.options.algorithm));
                    match digest {
                        Ok(digest) => {
                            if self.is_full(&chunk, &digest) {
                                self.send(mem::take(&mut chunk), &in_flight).await;
                            }
                            chunk.lines.push(number);
                            chunk.digests.push(digest);
                        }
                        Err(reason) => {
                            let problem = GatewayProblem::new(&LINE, format!("line {number}, {reason}"));
                            self.tell(number, &problem).await;
                        }
                    }
                }
            }
        };
        self.send(chunk, &in_flight).await;
        let all = u32::try_from(NDJSON_CHUNKS_IN_FLIGHT).unwrap_or(u32::MAX);
        let _ = in_flight.acquire_many(all).await;
        if let Some(problem) = broken {
            self.tell(lines.number + 1, &problem).await;
            return;
        }
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let end = json!({ "end": {
            "lines": lines.number, "receipts": count(&self.counts.receipts), "problems": count(&self.counts.problems),
        } });
        tracing::info!(caller = %self.caller.label, lines = lines.number, "stream of hashes ended");
        let _ = self.out.send(line_of(&end)).await;
    }

    fn is_full(&self, chunk: &Chunk, next: &DocumentDigest) -> bool {
        match self.options.form {
            Form::Commitment => chunk.digests.len() == NDJSON_CHUNK,
            // Plain digests of one record share their algorithm.
            Form::Digest => {
                chunk.digests.len() == NOTARISE_ENTRIES_MAX
                    || chunk.digests.first().is_some_and(|first| first.algorithm() != next.algorithm())
            }
        }
    }

    /// Sends a chunk on its way when there is room for it.
    async fn send(&self, chunk: Chunk, in_flight: &Arc<Semaphore>) {
        if chunk.lines.is_empty() {
            return;
        }
        let permit = Arc::clone(in_flight).acquire_owned().await.expect("the semaphore is never closed");
        let stream = Self {
            app: Arc::clone(&self.app),
            caller: self.caller.clone(),
            options: self.options.clone(),
            out: self.out.clone(),
            counts: Arc::clone(&self.counts),
        };
        tokio::spawn(async move {
            stream.finish(chunk).await;
            drop(permit);
        });
    }

    async fn finish(&self, chunk: Chunk) {
        let Chunk { lines, digests } = chunk;
        if let Err(problem) = self.notarise(&lines, digests).await {
            for (place, line) in lines.iter().enumerate() {
                // What the caller must keep when the outcome is unknown: of each line its own opening.
                let problem = match problem.pending().and_then(|pending| pending.of(place)) {
                    Some(pending) => problem.clone().with_pending(pending),
                    None => problem.clone(),
                };
                self.tell(*line, &problem).await;
            }
        }
    }

    async fn notarise(&self, lines: &[u64], digests: Vec<DocumentDigest>) -> Result<(), GatewayProblem> {
        let asked = match self.app.records.store() {
            None => None,
            Some(store) => {
                // The stream may be longer than the disk had room when it began.
                store.check_room().map_err(|error| GatewayProblem::of_store(&error))?;
                let id = SubmissionId::fresh().map_err(|error| GatewayProblem::of_store(&error))?;
                Some(Asked {
                    id,
                    caller: self.caller.label.clone(),
                    reference: self.options.reference.clone(),
                    repeatable: None,
                })
            }
        };
        if let (true, Some(queue), Some(asked)) = (self.options.queued, &self.app.queue, &asked) {
            let submission = queue.enqueue(&Content::Digests(digests), self.options.form, asked).await?;
            for (place, line) in lines.iter().enumerate() {
                self.put(&json!({ "line": line, "id": submission.id, "place": place, "state": "queued" })).await;
            }
            return Ok(());
        }
        let notarised = self.app.batcher.notarise(Content::Digests(digests), &self.options, asked).await?;
        for (place, line) in lines.iter().enumerate() {
            let receipt = match notarised.receipt(place as u64) {
                Ok(receipt) => receipt,
                Err(error) => {
                    tracing::error!(record = %notarised.record(), %error, "receipt could not be cut");
                    return Err(GatewayProblem::new(&FAILED, "the record is final, but a receipt could not be cut"));
                }
            };
            // The receipt's own bytes, not written anew.
            let mut text = format!("{{\"line\":{line}");
            if let Some(id) = notarised.id() {
                text.push_str(&format!(",\"id\":\"{id}\",\"place\":{place}"));
            }
            let mut text = (text + ",\"receipt\":").into_bytes();
            text.extend(receipt);
            text.extend(b"}\n");
            self.counts.receipts.fetch_add(1, Ordering::Relaxed);
            let _ = self.out.send(Bytes::from(text)).await;
        }
        Ok(())
    }

    async fn tell(&self, line: u64, problem: &GatewayProblem) {
        self.counts.problems.fetch_add(1, Ordering::Relaxed);
        self.put(&json!({ "line": line, "problem": problem.as_member() })).await;
    }

    async fn put(&self, line: &Value) {
        // When the caller is gone nobody reads it; what came of the line is kept.
        let _ = self.out.send(line_of(line)).await;
    }
}

fn line_of(value: &Value) -> Bytes {
    Bytes::from(format!("{value}\n"))
}

fn parse(text: &[u8], default: DigestAlgorithm) -> Result<DocumentDigest, String> {
    let item: Value = serde_json::from_slice(text).map_err(|error| {
        // A line of a document that is no JSON is not repeated: it may hold a name.
        format!("column {}: not a JSON object", error.column().max(1))
    })?;
    hashes::digest(item, default)
}

/// A line of a body: its text, or why there is none.
struct Line {
    number: u64,
    text: Result<Vec<u8>, String>,
}

/// A body cut into lines, none of which is held longer than its bound.
struct Lines {
    body: BodyDataStream,
    piece: Bytes,
    line: Vec<u8>,
    too_long: bool,
    ended: bool,
    /// Lines so far.
    number: u64,
}

impl Lines {
    fn new(body: Body) -> Self {
        let (piece, line) = (Bytes::new(), Vec::new());
        Self { body: body.into_data_stream(), piece, line, too_long: false, ended: false, number: 0 }
    }

    /// The next line that is not empty; none at the end. May be dropped at any time: nothing that was read is lost.
    async fn next(&mut self) -> Result<Option<Line>, GatewayProblem> {
        loop {
            match self.piece.iter().position(|byte| *byte == b'\n') {
                Some(end) => {
                    let rest = self.piece.split_to(end + 1);
                    self.take(&rest[..end]);
                    if let Some(line) = self.finish() {
                        return Ok(Some(line));
                    }
                }
                None => {
                    let piece = mem::take(&mut self.piece);
                    self.take(&piece);
                    if self.ended {
                        return Ok(None);
                    }
                    match self.body.next().await {
                        Some(Ok(piece)) => self.piece = piece,
                        Some(Err(error)) => {
                            self.ended = true;
                            return Err(Problem::from_body_error(&error).into());
                        }
                        None => {
                            self.ended = true;
                            // A last line may lack its end.
                            if !self.line.is_empty() || self.too_long {
                                return Ok(self.finish());
                            }
                        }
                    }
                }
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        if self.line.len() + bytes.len() > NDJSON_LINE_BYTES_MAX {
            self.too_long = true;
            self.line.clear();
        } else if !self.too_long {
            self.line.extend_from_slice(bytes);
        }
    }

    fn finish(&mut self) -> Option<Line> {
        self.number += 1;
        let (line, too_long) = (mem::take(&mut self.line), mem::take(&mut self.too_long));
        if too_long {
            let reason = format!("column {NDJSON_LINE_BYTES_MAX}: longer than {NDJSON_LINE_BYTES_MAX} bytes");
            return Some(Line { number: self.number, text: Err(reason) });
        }
        let line = line.trim_ascii();
        (!line.is_empty()).then(|| Line { number: self.number, text: Ok(line.to_vec()) })
    }
}
