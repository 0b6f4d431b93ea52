//! The gateway's errors as RFC 9457 problem details. Codes are stable; what is said never shows a file's name.

use axum::body::Body;
use axum::http::header::{CONTENT_LENGTH, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use testamur_api::problem::{Kind, Problem, ProblemDetails};
use testamur_client::batch::BatchError;
use testamur_client::nodes::FinaliseError;
use testamur_client::notary::{NotaryError, Pending};

use crate::store::{StoreError, SubmissionId};

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $status:ident, $title:literal, $description:literal;)*) => {
        $($(#[$doc])* pub const $name: Kind =
            Kind { code: $code, status: StatusCode::$status, title: $title, description: $description };)*
        /// Every kind of problem of the gateway itself; codes of the HTTP server (`request.*`) stand beside these.
        pub const KINDS: &[Kind] = &[$($name),*];
    };
}

kinds! {
    /// No token.
    TOKEN_MISSING = "gateway.token-missing", UNAUTHORIZED, "token missing", "Send the token as `Authorization: Bearer <token>`.";
    /// An unknown token.
    TOKEN_WRONG = "gateway.token-wrong", UNAUTHORIZED, "token not known", "The token is not one of this gateway's. Ask its operator for one.";
    /// A token that was taken away.
    TOKEN_REVOKED = "gateway.token-revoked", UNAUTHORIZED, "token revoked", "The token was taken away. Ask the gateway's operator for another.";
    /// A token whose time is over.
    TOKEN_EXPIRED = "gateway.token-expired", UNAUTHORIZED, "token expired", "The token's time is over. Ask the gateway's operator for another.";
    /// A token of another scope.
    TOKEN_SCOPE = "gateway.token-scope", FORBIDDEN, "token not good for this", "The token lacks the scope that the route takes: notarise, diplomas, approve or operate. Ask the gateway's operator for another: `testamur gateway token add --scope …`.";
    /// A token of nobody.
    TOKEN_PERSON = "gateway.token-person", FORBIDDEN, "token of no person", "Changes of diplomas are proposed by one person and approved by another. Ask the gateway's operator for a token of your own: `testamur gateway token add --person NAME`.";
    /// A web page of another origin.
    CROSS_SITE = "gateway.cross-site", FORBIDDEN, "cross-site call", "A web page of another origin made the browser call. The gateway answers back offices, not foreign pages.";
    /// A host that is not the gateway's.
    FOREIGN_HOST = "gateway.foreign-host", MISDIRECTED_REQUEST, "foreign host", "The Host header does not name this gateway. Its operator can allow further names.";
    /// A field or part that the gateway does not take.
    MULTIPART = "gateway.multipart", BAD_REQUEST, "malformed multipart body", "The body is not a multipart form with one or more files in fields named `file`.";
    /// Nothing in it.
    EMPTY_DOCUMENT = "gateway.empty-document", BAD_REQUEST, "empty document", "A document of no bytes is nearly always a mistake. Who means it sends its digest to /v1/hashes.";
    /// More files than a request takes.
    TOO_MANY_FILES = "gateway.too-many-files", PAYLOAD_TOO_LARGE, "too many files", "Send fewer files in one request, or digests to /v1/hashes.";
    /// More digests than a request takes.
    TOO_MANY_HASHES = "gateway.too-many-hashes", PAYLOAD_TOO_LARGE, "too many hashes", "Send fewer digests in one request. Requests that come together share a record anyway.";
    /// No digests.
    NO_HASHES = "gateway.no-hashes", BAD_REQUEST, "no hashes", "The array holds no digest.";
    /// A digest that is none.
    HASH = "gateway.hash", BAD_REQUEST, "malformed hash", "An element is not a digest in hexadecimal or base64url of the length of its algorithm.";
    /// Not JSON of the expected shape.
    JSON = "gateway.json", BAD_REQUEST, "malformed JSON", "The body is not the JSON that the route takes.";
    /// Not the root of a batch.
    BATCH = "gateway.batch", BAD_REQUEST, "malformed batch", "The body is not the root of a batch: an object of tree (rfc6962-sha256), root (base64url of 32 bytes), count (1 to 2^32), and ref or none.";
    /// Plain digests that do not fit into one record.
    PUBLIC = "gateway.public", BAD_REQUEST, "plain digests do not fit into one record", "Plain digests of one request go into one record: at most 512, of one algorithm.";
    /// Too much at once.
    BUSY = "gateway.busy", SERVICE_UNAVAILABLE, "gateway busy", "The gateway has as much to do as it takes. Nothing was notarised; try again after Retry-After seconds.";
    /// The gateway ends.
    STOPPING = "gateway.stopping", SERVICE_UNAVAILABLE, "gateway stopping", "The gateway is about to end. Nothing was notarised.";
    /// No node.
    NODE_UNREACHABLE = "gateway.node-unreachable", SERVICE_UNAVAILABLE, "no node can be reached", "No node of the network can be reached. Nothing was notarised; try again later.";
    /// No node takes records.
    NODE_NOT_READY = "gateway.node-not-ready", SERVICE_UNAVAILABLE, "no node takes records", "The nodes in reach take no records now, for instance because there is no quorum. Nothing was notarised.";
    /// The ledger refuses the record.
    RECORD_REFUSED = "gateway.record-refused", BAD_GATEWAY, "the ledger refused the record", "The network's rules refuse this gateway's record, for instance because its author has no writer role. Nothing was notarised; the gateway's operator must act.";
    /// Not known whether it is final.
    OUTCOME_UNKNOWN = "gateway.outcome-unknown", GATEWAY_TIMEOUT, "not final in time", "The record was sent and not seen final in time. It may still become final until `pending.expires`: keep this answer and send it to POST /v1/receipts. Sending the documents again is safe too and makes another record.";
    /// It never will be.
    RECORD_EXPIRED = "gateway.record-expired", GONE, "record expired", "The record was not seen final, and its time to enter the ledger is over. Send the documents again.";
    /// A receipt that does not verify.
    RECEIPT_REFUSED = "gateway.receipt-refused", BAD_GATEWAY, "the node's receipt does not verify", "A node reports the record final, but its receipt does not verify against the trust file. Keep this answer; the gateway's operator must act.";
    /// Openings that are not of the record.
    OPENING = "gateway.opening", BAD_REQUEST, "openings of another record", "The openings sent do not show documents of the record.";
    /// Nothing is kept here.
    STORE_ABSENT = "gateway.store-absent", NOT_IMPLEMENTED, "gateway without archive", "This gateway keeps no receipts: it has no queue, answers no Idempotency-Key and knows no ids. Its operator can give it an archive.";
    /// The archive cannot be written.
    STORE_FAILED = "gateway.store-failed", SERVICE_UNAVAILABLE, "archive cannot be written", "The gateway's disk fails. What was taken before is kept. Repeat the request later, with the same Idempotency-Key if it has one; the gateway's operator must act.";
    /// No place for backups.
    BACKUPS_ABSENT = "gateway.backups-absent", NOT_IMPLEMENTED, "no place for backups", "This gateway was given no directory for backups. Its operator can set one.";
    /// A backup that was not made.
    BACKUP_FAILED = "gateway.backup-failed", INTERNAL_SERVER_ERROR, "backup failed", "The backup could not be written. The archive is as it was; the gateway's operator must look at the directory for backups.";
    /// No room.
    DISK_FULL = "gateway.disk-full", INSUFFICIENT_STORAGE, "disk full", "The gateway's disk has no room for more. Nothing of this request was taken; what was taken before is kept and goes on. The gateway's operator must make room.";
    /// Too much in the queue.
    QUEUE_FULL = "gateway.queue-full", SERVICE_UNAVAILABLE, "queue full", "The queue holds as much as it takes, since the network does not take it. Nothing of this request was taken; what is queued is kept.";
    /// Nothing under this id.
    UNKNOWN_DOCUMENT = "gateway.unknown-document", NOT_FOUND, "unknown id", "Nothing that was sent with this token has this id.";
    /// Not final.
    NOT_FINAL = "gateway.not-final", CONFLICT, "not final yet", "There is no receipt yet. Ask again; GET /v1/documents/{id} says where it stands.";
    /// On its way, and not to be forgotten.
    UNSETTLED = "gateway.unsettled", CONFLICT, "still on its way", "Only what is final or refused can be forgotten.";
    /// The key of another request.
    KEY_REUSED = "gateway.idempotency-key-reused", UNPROCESSABLE_ENTITY, "idempotency key of another request", "The Idempotency-Key was used for something else: other documents, or another query. Nothing was notarised. Take a fresh key for each request that is not a repetition.";
    /// The same request is under way.
    KEY_IN_USE = "gateway.idempotency-key-in-use", CONFLICT, "same request under way", "A request with this Idempotency-Key is under way. Nothing was notarised twice; ask again later.";
    /// No key.
    KEY_MALFORMED = "gateway.idempotency-key", BAD_REQUEST, "malformed idempotency key", "An Idempotency-Key is a string of 1 to 255 visible ASCII characters, in double quotes.";
    /// A line that is none.
    LINE = "gateway.line", BAD_REQUEST, "malformed line", "A line is not a JSON object with `digest`, and `alg` if it is not the query's. The other lines are not affected.";
    /// The gateway failed.
    FAILED = "gateway.failed", INTERNAL_SERVER_ERROR, "internal error", "The gateway failed. Nothing was notarised. Quote the request id when you report it.";
}

/// A problem, and what the caller must keep when the outcome is unknown (INV-GATEWAY-2).
#[derive(Debug, Clone)]
pub struct GatewayProblem {
    problem: Problem,
    pending: Option<Pending>,
    document: Option<SubmissionId>,
}

/// A problem's JSON with the openings of its documents.
#[derive(Serialize)]
struct PendingDetails {
    #[serde(flatten)]
    details: ProblemDetails,
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<SubmissionId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pending: Option<Pending>,
}

impl GatewayProblem {
    /// A problem of a kind.
    pub fn new(kind: &Kind, detail: impl Into<String>) -> Self {
        Problem::new(kind, detail).into()
    }

    /// Adds what the caller must keep.
    #[must_use]
    pub fn with_pending(mut self, pending: Pending) -> Self {
        self.pending = Some(pending);
        self
    }

    /// Adds the id under which the receipts wait once they are there.
    #[must_use]
    pub fn with_document(mut self, id: SubmissionId) -> Self {
        self.document = Some(id);
        self
    }

    /// As a member of a line of JSON.
    pub(crate) fn as_member(&self) -> serde_json::Value {
        let status = self.status().as_u16();
        let mut member = serde_json::json!({ "code": self.code(), "status": status, "detail": self.detail() });
        if let Some(document) = self.document {
            member["document"] = serde_json::json!(document);
        }
        if let Some(pending) = &self.pending {
            member["pending"] = serde_json::json!(pending);
        }
        member
    }

    /// What the caller must keep, if anything.
    pub fn pending(&self) -> Option<&Pending> {
        self.pending.as_ref()
    }

    /// What happened, in words.
    pub fn detail(&self) -> &str {
        self.problem.detail()
    }

    /// Why the archive did not take or give something.
    pub fn of_store(error: &StoreError) -> Self {
        let nothing = "nothing of this request was taken";
        match error {
            StoreError::DiskFull { .. } => Self::new(&DISK_FULL, format!("{error}; {nothing}")),
            StoreError::Damaged | StoreError::Random => Self::new(&FAILED, format!("{error}; {nothing}")),
            StoreError::Exists => Self::new(&KEY_IN_USE, "a request with this Idempotency-Key has just been taken"),
            _ => Self::new(
                &STORE_FAILED,
                "the archive of receipts cannot be used now; repeat the request later, with its Idempotency-Key if it has one",
            ),
        }
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.problem.status()
    }

    /// The stable code.
    pub fn code(&self) -> &str {
        self.problem.code()
    }

    /// Why documents were not notarised. `pending` belongs to the documents of one caller.
    pub fn of_notary(error: &NotaryError, pending: Option<Pending>) -> Self {
        let new = |kind: &Kind, detail: String| Problem::new(kind, detail);
        let (problem, keep) = match error {
            NotaryError::Finalise(error) => match error {
                FinaliseError::Unreachable(_) => (
                    new(&NODE_UNREACHABLE, "no node of the network can be reached; nothing was notarised".into()),
                    false,
                ),
                FinaliseError::Busy { problem, .. } => {
                    let detail = format!("nothing was notarised; a node says: {}", problem.message());
                    (new(&NODE_NOT_READY, detail), false)
                }
                FinaliseError::Refused { problem, .. } => {
                    let detail =
                        format!("nothing was notarised; the ledger says: {} ({})", problem.message(), problem.code);
                    (new(&RECORD_REFUSED, detail), false)
                }
                FinaliseError::Unknown { id, .. } => {
                    let detail = format!(
                        "record {id} was sent and not seen final in time: the network may have no quorum. It may still \
                         become final; keep this answer and send it to POST /v1/receipts"
                    );
                    (new(&OUTCOME_UNKNOWN, detail).with_record(*id), true)
                }
                FinaliseError::Receipt { id, error, .. } => {
                    let detail = format!("record {id} is reported final, but {error}");
                    (new(&RECEIPT_REFUSED, detail).with_record(*id), true)
                }
            },
            NotaryError::Batch(error @ (BatchError::TooMany(_) | BatchError::Mixed(..))) => {
                (new(&PUBLIC, format!("{error}; nothing was notarised")), false)
            }
            NotaryError::Opening(error) => (new(&OPENING, error.to_string()), false),
            NotaryError::Batch(_) | NotaryError::Author(_) | NotaryError::Network => {
                (new(&FAILED, "the gateway could not sign the record; nothing was notarised".into()), false)
            }
        };
        Self { problem, pending: pending.filter(|_| keep), document: None }
    }
}

impl From<Problem> for GatewayProblem {
    fn from(problem: Problem) -> Self {
        Self { problem, pending: None, document: None }
    }
}

impl IntoResponse for GatewayProblem {
    fn into_response(self) -> Response {
        let status = self.problem.status();
        let mut response = self.problem.into_response();
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer realm=\"testamur-gateway\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        if self.pending.is_none() && self.document.is_none() {
            return response;
        }
        let (pending, document) = (self.pending, self.document);
        let Some(details) = response.extensions().get::<ProblemDetails>().cloned() else { return response };
        let body =
            serde_json::to_vec(&PendingDetails { details, document, pending }).expect("strings and numbers serialise");
        response.headers_mut().remove(CONTENT_LENGTH);
        response.map(|_| Body::from(body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_well_formed() {
        let mut codes: Vec<_> = KINDS.iter().map(|kind| kind.code).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), KINDS.len());
        assert!(KINDS.iter().all(|kind| kind.code.starts_with("gateway.")));
    }
}
