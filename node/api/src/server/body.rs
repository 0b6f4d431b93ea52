//! Request bodies under guard: bounded in bytes, in total time, and in time without progress.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep, sleep};

/// Why a body could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// More bytes than allowed.
    #[error("the body has more than {max} bytes")]
    TooLarge {
        /// The bytes that are allowed.
        max: u64,
    },
    /// Too slow, in whole or between two pieces.
    #[error("the body did not arrive in time")]
    Slow,
    /// It ended before its announced length.
    #[error("the body ended before its announced length")]
    Broken,
    /// The connection failed.
    #[error("the body could not be read: {0}")]
    Transport(String),
}

impl BodyError {
    /// Finds the body's error in a chain of errors, such as a multipart reader's.
    pub fn find<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(found) = error.downcast_ref() {
                return Some(found);
            }
            next = error.source();
        }
        None
    }
}

/// Whether the client went away in the middle of a body.
fn broke_off(error: &hyper::Error) -> bool {
    use std::error::Error as _;
    let cause = error.source().and_then(|cause| cause.downcast_ref::<std::io::Error>());
    error.is_incomplete_message() || cause.is_some_and(|cause| cause.kind() == std::io::ErrorKind::UnexpectedEof)
}

/// A request body that keeps the limits.
pub(super) struct GuardedBody {
    inner: Incoming,
    left: u64,
    max: u64,
    total: Option<Pin<Box<Sleep>>>,
    idle: Option<(Duration, Pin<Box<Sleep>>)>,
}

impl GuardedBody {
    pub(super) fn new(inner: Incoming, max: u64, total: Option<Duration>, idle: Option<Duration>) -> Self {
        // Most requests have no body: they get no timers.
        let has_body = !inner.is_end_stream();
        Self {
            inner,
            left: max,
            max,
            total: total.filter(|_| has_body).map(|t| Box::pin(sleep(t))),
            idle: idle.filter(|_| has_body).map(|t| (t, Box::pin(sleep(t)))),
        }
    }
}

impl Body for GuardedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let timed_out = |timer: &mut Pin<Box<Sleep>>, cx: &mut Context<'_>| timer.as_mut().poll(cx).is_ready();
        if this.total.as_mut().is_some_and(|t| timed_out(t, cx)) {
            return Poll::Ready(Some(Err(BodyError::Slow)));
        }
        let frame = match Pin::new(&mut this.inner).poll_frame(cx) {
            Poll::Ready(frame) => frame,
            Poll::Pending if this.idle.as_mut().is_some_and(|(_, timer)| timed_out(timer, cx)) => {
                return Poll::Ready(Some(Err(BodyError::Slow)));
            }
            Poll::Pending => return Poll::Pending,
        };
        if let Some((timeout, timer)) = this.idle.as_mut() {
            timer.as_mut().reset(Instant::now() + *timeout);
        }
        Poll::Ready(match frame {
            None => None,
            Some(Err(error)) if broke_off(&error) => Some(Err(BodyError::Broken)),
            Some(Err(error)) => Some(Err(BodyError::Transport(error.to_string()))),
            Some(Ok(frame)) => {
                let bytes = frame.data_ref().map_or(0, |d| d.len() as u64);
                match this.left.checked_sub(bytes) {
                    None => Some(Err(BodyError::TooLarge { max: this.max })),
                    Some(left) => {
                        this.left = left;
                        Some(Ok(frame))
                    }
                }
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
