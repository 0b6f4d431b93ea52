//! Errors as RFC 9457 problem details: stable codes, the request's id, no internals.
//!
//! ```
//! use testamur_api::problem::{self, Problem};
//! let problem = Problem::new(&problem::QUERY, "limit must be between 1 and 100");
//! assert_eq!(problem.status().as_u16(), 400);
//! assert_eq!(problem.code(), "request.query");
//! ```

use std::borrow::Cow;

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use testamur_primitives::hash::RecordId;
use testamur_primitives::state::evidence::Evidence;

use crate::ledger::{ReadError, SubmitError};
use crate::limits::RETRY_AFTER_S;
use crate::server::{BodyError, RequestId};

/// Media type of problem details.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// A kind of problem: what its code means and which status it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// Stable slug.
    pub code: &'static str,
    /// HTTP status.
    pub status: StatusCode,
    /// The same words for each occurrence.
    pub title: &'static str,
    /// What it means and what to do, for the documentation.
    pub description: &'static str,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $status:ident, $title:literal, $description:literal;)*) => {
        $($(#[$doc])* pub const $name: Kind =
            Kind { code: $code, status: StatusCode::$status, title: $title, description: $description };)*
        /// Every kind of problem of the API itself; codes of the ledger's rules stand beside these.
        pub const KINDS: &[Kind] = &[$($name),*];
    };
}

kinds! {
    /// No such route.
    UNKNOWN_ROUTE = "request.unknown-route", NOT_FOUND, "unknown route", "No route has this path. /docs lists all of them.";
    /// The route has other methods.
    METHOD = "request.method", METHOD_NOT_ALLOWED, "wrong method", "The route exists; the Allow header says which methods it has.";
    /// A path segment is malformed.
    PATH = "request.path", BAD_REQUEST, "malformed path", "An id, height or tile in the path is not in its one accepted form.";
    /// The query is malformed.
    QUERY = "request.query", BAD_REQUEST, "malformed query", "A query parameter is missing, unknown, doubled, malformed or out of range.";
    /// The query string is too long.
    QUERY_TOO_LONG = "request.query-too-long", URI_TOO_LONG, "query too long", "The query string is longer than any valid one.";
    /// Nothing there.
    NOT_FOUND = "request.not-found", NOT_FOUND, "not found", "The ledger holds nothing final under this id, height or position.";
    /// Known, but not final yet.
    NOT_FINAL = "request.not-final", NOT_FOUND, "not final yet", "The record waits in this node's pool; ask again after Retry-After seconds.";
    /// No representation that the client accepts.
    NOT_ACCEPTABLE = "request.not-acceptable", NOT_ACCEPTABLE, "not acceptable", "The resource has none of the media types in Accept.";
    /// Wrong media type of a body.
    MEDIA_TYPE = "request.content-type", UNSUPPORTED_MEDIA_TYPE, "wrong content type", "The body has another media type than the route takes.";
    /// Compressed body.
    CONTENT_ENCODING = "request.content-encoding", UNSUPPORTED_MEDIA_TYPE, "compressed body", "Bodies are taken uncompressed only, so that none grows after it was measured.";
    /// No Content-Length.
    LENGTH_REQUIRED = "request.length-required", LENGTH_REQUIRED, "length required", "The request carries Transfer-Encoding; this server takes bodies with Content-Length only.";
    /// Body too large.
    TOO_LARGE = "request.too-large", PAYLOAD_TOO_LARGE, "body too large", "The body has more bytes than the route takes.";
    /// The body came too slowly.
    SLOW_BODY = "request.slow-body", REQUEST_TIMEOUT, "body too slow", "The body did not arrive in time. Nothing was done.";
    /// The body broke off.
    BODY = "request.body", BAD_REQUEST, "broken body", "The body ended before its announced length, or could not be read. Nothing was done.";
    /// A web page of another origin asks the operator's listener for something.
    FOREIGN = "request.foreign-page", FORBIDDEN, "call by a web page", "The operator's listener is not for web pages. Nothing was done.";
    /// Too much at once.
    OVERLOAD = "request.overload", SERVICE_UNAVAILABLE, "overloaded", "The server has as much to do as it takes; try again after Retry-After seconds.";
    /// The request took too long.
    TIMEOUT = "request.timeout", SERVICE_UNAVAILABLE, "took too long", "The request was given up; a record that it carried may still become final: ask for it by its id.";
    /// The server failed.
    FAILED = "request.failed", INTERNAL_SERVER_ERROR, "internal error", "The server failed. Quote the request id when you report it.";
    /// The node cannot answer now.
    NOT_READY = "node.not-ready", SERVICE_UNAVAILABLE, "node not ready", "The node starts, stops, catches up, sees no quorum or is short of disk; try another node or later.";
    /// The pool is full.
    POOL_FULL = "node.pool-full", SERVICE_UNAVAILABLE, "record pool full", "The node's pool, or the author's share of it, is full; try again after Retry-After seconds.";
}

/// A problem, ready to be answered.
#[derive(Debug, Clone)]
pub struct Problem(Box<Content>);

#[derive(Debug, Clone)]
struct Content {
    status: StatusCode,
    code: Cow<'static, str>,
    title: Cow<'static, str>,
    detail: String,
    number: Option<u16>,
    record: Option<RecordId>,
    evidence: Option<Evidence>,
    location: Option<String>,
    retry_after_s: Option<u32>,
    close: bool,
}

/// The JSON of a problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ProblemDetails {
    /// Where the code is explained.
    #[schema(example = "/docs#problem-request.query")]
    pub r#type: String,
    /// The same words for each occurrence of the code.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What is wrong with this request.
    pub detail: String,
    /// Stable code: switch on this.
    #[schema(example = "request.query")]
    pub code: String,
    /// Stable number of a ledger rule's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u16>,
    /// Id of the record that the request carried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
    /// Id of the request, as in the X-Request-Id header and the server's log.
    pub request_id: String,
    /// What proves that there is nothing, when a proof was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<crate::schemas::EvidenceSchema>)]
    pub evidence: Option<Evidence>,
}

impl Problem {
    /// A problem of a kind.
    pub fn new(kind: &Kind, detail: impl Into<String>) -> Self {
        let wait = kind.status == StatusCode::SERVICE_UNAVAILABLE || kind.code == NOT_FINAL.code;
        Self(Box::new(Content {
            status: kind.status,
            code: Cow::Borrowed(kind.code),
            title: Cow::Borrowed(kind.title),
            detail: detail.into(),
            number: None,
            record: None,
            evidence: None,
            location: None,
            retry_after_s: wait.then_some(RETRY_AFTER_S),
            // What is left of an unread body must not be taken for the next request.
            close: matches!(kind.status.as_u16(), 408 | 411 | 413) || kind.code == BODY.code,
        }))
    }

    /// A refusal by the ledger's rules, by its stable slug and number.
    pub fn rejection(code: impl Into<Cow<'static, str>>, number: u16, message: impl Into<String>) -> Self {
        let code = code.into();
        let mut problem = Self::new(&FAILED, message);
        problem.0.status = rejection_status(&code, number);
        problem.0.title = Cow::Borrowed("the ledger's rules refuse the record");
        problem.0.code = code;
        problem.0.number = Some(number);
        problem
    }

    /// Names the record that the problem is about.
    #[must_use]
    pub fn with_record(mut self, id: RecordId) -> Self {
        self.0.record = Some(id);
        self
    }

    /// Says it in the words of an interface that has its own.
    #[must_use]
    pub fn with_title(mut self, title: &'static str) -> Self {
        self.0.title = Cow::Borrowed(title);
        self
    }

    /// Adds what proves that there is nothing.
    #[must_use]
    pub fn with_evidence(mut self, evidence: Option<Evidence>) -> Self {
        self.0.evidence = evidence;
        self
    }

    /// Adds a `Location` header.
    #[must_use]
    pub fn with_location(mut self, location: String) -> Self {
        self.0.location = Some(location);
        self
    }

    /// Sets the `Retry-After` header.
    #[must_use]
    pub fn with_retry_after_s(mut self, seconds: u32) -> Self {
        self.0.retry_after_s = Some(seconds);
        self
    }

    /// Closes an HTTP/1 connection after the answer.
    #[must_use]
    pub fn closing(mut self) -> Self {
        self.0.close = true;
        self
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The stable code.
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// What is wrong.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// The problem of a body that could not be read, wherever in the chain of errors its cause stands.
    pub fn from_body_error(error: &(dyn std::error::Error + 'static)) -> Self {
        match BodyError::find(error) {
            Some(BodyError::TooLarge { max }) => Self::new(&TOO_LARGE, format!("the body has more than {max} bytes")),
            Some(error @ BodyError::Slow) => Self::new(&SLOW_BODY, error.to_string()),
            Some(BodyError::Broken) => Self::new(&BODY, "the body ended before its announced length"),
            Some(BodyError::Transport(_)) | None => Self::new(&BODY, "the body could not be read"),
        }
    }
}

/// 400: not a record at all. 409: a record that is there already. 413: too large. 422: refused by a rule.
fn rejection_status(code: &str, number: u16) -> StatusCode {
    match number {
        100 => StatusCode::PAYLOAD_TOO_LARGE,
        101..=113 => StatusCode::BAD_REQUEST,
        _ if code.starts_with("admission.duplicate") => StatusCode::CONFLICT,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match &error {
            ReadError::Fatal(_) => {
                tracing::error!(request_id = %RequestId::current(), %error, "read failed");
                Self::new(&FAILED, "the node could not read its ledger and stops; ask another node")
            }
            ReadError::Unavailable(_) => {
                tracing::warn!(request_id = %RequestId::current(), %error, "read unavailable");
                Self::new(&NOT_READY, "the node cannot read its ledger now")
            }
        }
    }
}

impl From<SubmitError> for Problem {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Rejected { code, number, message, id } => {
                let mut problem = Self::rejection(code, number, message);
                problem.0.record = id;
                problem
            }
            SubmitError::Busy { reason, retry_after_s } => {
                Self::new(&POOL_FULL, reason).with_retry_after_s(retry_after_s)
            }
            SubmitError::NotReady { reason } => Self::new(&NOT_READY, reason),
            SubmitError::Internal(error) => {
                tracing::error!(request_id = %RequestId::current(), error, "submission failed");
                Self::new(&FAILED, "the node failed")
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let content = *self.0;
        let details = ProblemDetails {
            r#type: format!("/docs#problem-{}", content.code),
            title: content.title.into_owned(),
            status: content.status.as_u16(),
            detail: content.detail,
            code: content.code.into_owned(),
            number: content.number,
            record: content.record.map(|id| id.to_string()),
            request_id: RequestId::current().to_string(),
            evidence: content.evidence,
        };
        let body = serde_json::to_vec(&details).expect("strings and numbers serialise");
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = content.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = content.retry_after_s {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(location) = content.location.and_then(|l| HeaderValue::try_from(l).ok()) {
            headers.insert(LOCATION, location);
        }
        if content.close {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        // The layers above see which problem it was, for counting.
        response.extensions_mut().insert(details);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_well_formed() {
        let mut codes: Vec<_> = KINDS.iter().map(|k| k.code).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), KINDS.len());
        for kind in KINDS {
            let (area, name) = kind.code.split_once('.').expect("area.name");
            assert!(matches!(area, "request" | "node") && !name.is_empty(), "{}", kind.code);
            assert!(kind.status.is_client_error() || kind.status.is_server_error(), "{}", kind.code);
        }
    }

    #[test]
    fn rejections_have_the_status_of_their_kind() {
        let cases = [
            ("record.too-large", 100, 413),
            ("record.not-compact-jws", 101, 400),
            ("record.wrong-network", 114, 422),
            ("record.too-old", 116, 422),
            ("admission.duplicate", 150, 409),
            ("notary.not-a-writer", 200, 422),
        ];
        for (code, number, status) in cases {
            assert_eq!(Problem::rejection(code, number, "x").status().as_u16(), status, "{code}");
        }
    }
}
