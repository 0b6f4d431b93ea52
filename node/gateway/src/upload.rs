//! Bodies of any size become digests, piece by piece; nothing is stored.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use axum::body::{Body, BodyDataStream};
use axum::extract::multipart::{Multipart, MultipartError};
use axum::extract::{DefaultBodyLimit, FromRequest as _, Request};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use testamur_api::problem::{MEDIA_TYPE, Problem, SLOW_BODY, TOO_LARGE};
use testamur_api::server::BodyError;
use testamur_client::digest::Digester;
use testamur_client::receipt::receipt_name;
use testamur_primitives::commitment::{DigestAlgorithm, DocumentDigest};
use tokio::time::Instant;

use crate::limits::{
    BODY_BYTES_PER_S_MIN, BODY_GRACE, FILES_MAX, MULTIPART_BUFFER_BYTES_MAX, MULTIPART_PART_BYTES as PART_HEADER_BYTES,
};
use crate::problem::{EMPTY_DOCUMENT, GatewayProblem, MULTIPART, TOO_MANY_FILES};

/// What a request carried.
#[derive(Debug)]
pub struct Upload {
    /// Digests in the order of the files.
    pub digests: Vec<DocumentDigest>,
    /// Name of the receipt's file when there is one document; made harmless, and nowhere else but in the answer.
    pub receipt_name: Option<String>,
    /// Bytes of all documents.
    pub bytes: u64,
}

/// Digests a request's documents: the files of a multipart form, or the body as it is.
pub async fn digest_request(request: Request, algorithm: DigestAlgorithm) -> Result<Upload, GatewayProblem> {
    match content_type(request.headers()).as_str() {
        "multipart/form-data" => digest_multipart(request, algorithm).await,
        // What `curl --data` sends: line ends are gone by then, and the digest would not be the file's.
        "application/x-www-form-urlencoded" => {
            let detail = "form-encoded bodies are not documents; send `-F file=@FILE`, or `--data-binary @FILE` with \
                          `-H 'Content-Type: application/octet-stream'`; nothing was notarised";
            Err(Problem::new(&MEDIA_TYPE, detail).into())
        }
        other if other.starts_with("multipart/") => {
            let detail = "of multipart bodies only multipart/form-data is taken; nothing was notarised";
            Err(Problem::new(&MEDIA_TYPE, detail).into())
        }
        _ => digest_body(request.into_body(), algorithm).await,
    }
}

/// The media type of a body without parameters, in lower case; empty when none is given.
pub fn content_type(headers: &HeaderMap) -> String {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The announced length of a body.
pub fn content_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// That a body has more bytes than are taken.
pub(crate) fn too_large(bytes_max: usize) -> GatewayProblem {
    let detail = format!("the body has more than {bytes_max} bytes; nothing was notarised");
    Problem::new(&TOO_LARGE, detail).into()
}

/// Reads a body of bounded length whole.
pub async fn read_whole(body: Body, bytes_max: usize) -> Result<Vec<u8>, GatewayProblem> {
    let mut pieces = WatchedBody::new(body, None);
    let mut whole = Vec::new();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| broken(&error))?;
        if whole.len() + piece.len() > bytes_max {
            return Err(too_large(bytes_max));
        }
        whole.extend_from_slice(&piece);
    }
    Ok(whole)
}

async fn digest_body(body: Body, algorithm: DigestAlgorithm) -> Result<Upload, GatewayProblem> {
    let mut pieces = WatchedBody::new(body, None);
    let mut digester = Digester::new(algorithm);
    while let Some(piece) = pieces.next().await {
        // A piece is some 16 KiB, 10 µs to 50 µs of hashing: no need for another thread.
        digester.update(&piece.map_err(|error| broken(&error))?);
    }
    let bytes = digester.bytes();
    if bytes == 0 {
        return Err(empty("the body"));
    }
    Ok(Upload { digests: vec![digester.finalize()], receipt_name: None, bytes })
}

async fn digest_multipart(request: Request, algorithm: DigestAlgorithm) -> Result<Upload, GatewayProblem> {
    let taken = Arc::new(AtomicU64::new(0));
    let mut request = request.map(|body| Body::from_stream(WatchedBody::new(body, Some(Arc::clone(&taken)))));
    // Streamed, so the framework's bound on whole bodies does not apply; `WatchedBody` bounds what is held back.
    DefaultBodyLimit::disable().apply(&mut request);
    let mut form = Multipart::from_request(request, &()).await.map_err(|_| {
        GatewayProblem::new(&MULTIPART, "the multipart boundary is missing or malformed; nothing was notarised")
    })?;
    let mut upload = Upload { digests: Vec::new(), receipt_name: None, bytes: 0 };
    let mut names = Vec::new();
    while let Some(mut field) = form.next_field().await.map_err(|error| malformed(&error))? {
        if field.name() != Some("file") {
            return Err(GatewayProblem::new(&MULTIPART, "only fields named `file` are taken; nothing was notarised"));
        }
        if upload.digests.len() == FILES_MAX {
            let detail = format!("one request takes {FILES_MAX} files; nothing was notarised");
            return Err(GatewayProblem::new(&TOO_MANY_FILES, detail));
        }
        taken.fetch_add(PART_HEADER_BYTES, Ordering::Relaxed);
        names.push(field.file_name().map(receipt_name));
        let mut digester = Digester::new(algorithm);
        while let Some(piece) = field.chunk().await.map_err(|error| malformed(&error))? {
            taken.fetch_add(piece.len() as u64, Ordering::Relaxed);
            digester.update(&piece);
        }
        if digester.bytes() == 0 {
            return Err(empty("a file"));
        }
        upload.bytes += digester.bytes();
        upload.digests.push(digester.finalize());
    }
    if upload.digests.is_empty() {
        return Err(GatewayProblem::new(&MULTIPART, "the form has no field named `file`; nothing was notarised"));
    }
    if let [name] = names.as_mut_slice() {
        upload.receipt_name = name.take();
    }
    Ok(upload)
}

/// A body that must keep a pace, and of which a multipart reader may not hold back much.
struct WatchedBody {
    inner: BodyDataStream,
    began: Instant,
    read: u64,
    /// Bytes that the multipart reader has given on; what lies between is in its buffer.
    taken: Option<Arc<AtomicU64>>,
}

#[derive(Debug, thiserror::Error)]
enum WatchError {
    #[error("the body came too slowly")]
    Slow,
    #[error("a part's headers are too long")]
    HeldBack,
    #[error("the body could not be read")]
    Body(#[source] axum::Error),
}

impl WatchedBody {
    fn new(body: Body, taken: Option<Arc<AtomicU64>>) -> Self {
        Self { inner: body.into_data_stream(), began: Instant::now(), read: 0, taken }
    }

    fn watch(&mut self, piece: Bytes) -> Result<Bytes, WatchError> {
        self.read += piece.len() as u64;
        let late = self.began.elapsed().saturating_sub(BODY_GRACE);
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
        self.inner
            .poll_next_unpin(cx)
            .map(|piece| piece.map(|piece| piece.map_err(WatchError::Body).and_then(|piece| self.watch(piece))))
    }
}

/// The problem of a body that broke off: nothing was notarised, because documents are counted when they are whole.
fn broken(error: &(dyn std::error::Error + 'static)) -> GatewayProblem {
    let mut next = Some(error);
    while let Some(cause) = next {
        match cause.downcast_ref() {
            Some(WatchError::Slow) => {
                return Problem::new(&SLOW_BODY, "the body came too slowly; nothing was notarised").into();
            }
            Some(WatchError::HeldBack) => {
                return GatewayProblem::new(&MULTIPART, "a part's headers are too long; nothing was notarised");
            }
            Some(WatchError::Body(_)) | None => next = cause.source(),
        }
    }
    Problem::from_body_error(error).into()
}

/// The problem of a form that cannot be read further: cut, or malformed.
fn malformed(error: &MultipartError) -> GatewayProblem {
    let is_from_body = {
        let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
        core::iter::from_fn(|| {
            let cause = next?;
            next = cause.source();
            Some(cause)
        })
        .any(|cause| cause.is::<WatchError>())
    };
    if is_from_body || BodyError::find(error).is_some() {
        return broken(error);
    }
    // The form ended without its last boundary although the body is whole: the sender made it so.
    GatewayProblem::new(&MULTIPART, "the form is malformed or ends before its last boundary; nothing was notarised")
}

fn empty(what: &str) -> GatewayProblem {
    let detail = format!("{what} has no bytes; nothing was notarised");
    GatewayProblem::new(&EMPTY_DOCUMENT, detail)
}
