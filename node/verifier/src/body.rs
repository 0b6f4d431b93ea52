//! Bodies under watch: they must keep a pace, and a multipart reader may not hold back much of them.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use testamur_api::problem::{BODY, Problem, SLOW_BODY, TOO_LARGE};
use testamur_api::server::BodyError;
use tokio::time::Instant;

use crate::limits::{BODY_BYTES_PER_S_MIN, BODY_GRACE, MULTIPART_BUFFER_BYTES_MAX};
use crate::problem::{EMPTY, ITEMS, VerifierProblem};

/// The media type of a body without parameters, in lower case; empty when none is given.
pub(crate) fn content_type(headers: &HeaderMap) -> String {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The announced length of a body.
pub(crate) fn content_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Reads a body of bounded length whole.
pub(crate) async fn read_whole(body: Body, bytes_max: usize) -> Result<Vec<u8>, VerifierProblem> {
    let mut pieces = WatchedBody::new(body, None);
    let mut whole = Vec::new();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| broken(&error))?;
        if whole.len() + piece.len() > bytes_max {
            return Err(Problem::new(&TOO_LARGE, format!("the file has more than {bytes_max} bytes")).into());
        }
        whole.extend_from_slice(&piece);
    }
    if whole.is_empty() {
        return Err(VerifierProblem::new(&EMPTY, "the body is empty: send the file as it is"));
    }
    Ok(whole)
}

/// A body that must keep a pace, and of which a multipart reader may not hold back much.
pub(crate) struct WatchedBody {
    inner: BodyDataStream,
    /// How long was waited for pieces, and since when for the next; what the service itself takes is no fault of the caller's.
    waited: Duration,
    waiting: Option<Instant>,
    read: u64,
    /// Bytes that the multipart reader has given on; what lies between is in its buffer.
    taken: Option<Arc<AtomicU64>>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum WatchError {
    #[error("the body came too slowly")]
    Slow,
    #[error("a part's headers are too long")]
    HeldBack,
    #[error("the body could not be read")]
    Body(#[source] axum::Error),
}

impl WatchedBody {
    pub(crate) fn new(body: Body, taken: Option<Arc<AtomicU64>>) -> Self {
        Self { inner: body.into_data_stream(), waited: Duration::ZERO, waiting: None, read: 0, taken }
    }

    fn watch(&mut self, piece: Bytes) -> Result<Bytes, WatchError> {
        self.read += piece.len() as u64;
        let late = self.waited.saturating_sub(BODY_GRACE);
        if self.read < late.as_secs().saturating_mul(BODY_BYTES_PER_S_MIN) {
            return Err(WatchError::Slow);
        }
        let taken = self.taken.as_ref().map_or(self.read, |taken| taken.load(Ordering::Relaxed));
        if self.read.saturating_sub(taken) > MULTIPART_BUFFER_BYTES_MAX {
            return Err(WatchError::HeldBack);
        }
        Ok(piece)
    }
}

impl Stream for WatchedBody {
    type Item = Result<Bytes, WatchError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let since = *self.waiting.get_or_insert_with(Instant::now);
        let piece = ready!(self.inner.poll_next_unpin(cx));
        self.waiting = None;
        self.waited += since.elapsed();
        Poll::Ready(piece.map(|piece| piece.map_err(WatchError::Body).and_then(|piece| self.watch(piece))))
    }
}

/// The problem of a body that broke off, wherever in the chain of errors its cause stands.
pub(crate) fn broken(error: &(dyn std::error::Error + 'static)) -> VerifierProblem {
    let mut next = Some(error);
    while let Some(cause) = next {
        match cause.downcast_ref() {
            Some(WatchError::Slow) => return Problem::new(&SLOW_BODY, "the body came too slowly").into(),
            Some(WatchError::HeldBack) => return VerifierProblem::new(&ITEMS, "a part's headers are too long"),
            Some(WatchError::Body(_)) | None => next = cause.source(),
        }
    }
    match BodyError::find(error) {
        Some(_) => Problem::from_body_error(error).into(),
        None => Problem::new(&BODY, "the body could not be read").into(),
    }
}

/// Whether an error of a multipart reader stems from the body, not from the form.
pub(crate) fn is_of_body(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(cause) = next {
        if cause.is::<WatchError>() || cause.is::<BodyError>() {
            return true;
        }
        next = cause.source();
    }
    false
}
