//! Lets a caller whose request is refused read the answer.
//!
//! Most clients send their whole body before they read. A connection that is closed before that shows them "connection
//! reset" in place of the reason, so a bounded rest of the body is read first. Who sent `Expect: 100-continue` waits for
//! the answer and has sent nothing.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::body::{Body, BodyDataStream, HttpBody as _};
use axum::extract::Request;
use axum::http::header::EXPECT;
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use tokio::time::timeout;

use crate::limits::{REFUSED_BYTES_MAX, REFUSED_TIMEOUT};

/// A layer around every route: reads the rest of a refused request's body, within [`REFUSED_BYTES_MAX`] and
/// [`REFUSED_TIMEOUT`].
pub async fn drain_refused(request: Request, next: Next) -> Response {
    if request.headers().contains_key(EXPECT) || request.body().is_end_stream() {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let body = Arc::new(Mutex::new(body.into_data_stream()));
    let lent = Body::from_stream(LentBody(Arc::clone(&body)));
    let response = next.run(Request::from_parts(parts, lent)).await;
    if response.status().is_client_error() || response.status().is_server_error() {
        let mut rest = LentBody(body);
        let mut bytes = 0;
        let drain = async {
            while let Some(Ok(piece)) = rest.next().await {
                bytes += piece.len();
                if bytes > REFUSED_BYTES_MAX {
                    break;
                }
            }
        };
        // Best effort: the answer is the same when the caller is too slow for it.
        let _ = timeout(REFUSED_TIMEOUT, drain).await;
    }
    response
}

/// A body that the handler reads and that is taken back afterwards.
struct LentBody(Arc<Mutex<BodyDataStream>>);

impl Stream for LentBody {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        // Nobody panics while holding the lock; were it so, the stream is valid between any two polls.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).poll_next_unpin(cx)
    }
}
