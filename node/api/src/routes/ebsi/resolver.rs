//! The resolver interface of the Decentralized Identity Foundation (W3C DID Resolution, HTTP binding).

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use testamur_primitives::codec::from_decimal;
use testamur_primitives::did::Did;
use testamur_primitives::identity::resolution::{DidDocument, document};
use testamur_primitives::identity::{self, DidEntry};
use testamur_primitives::state::{entry, entry_before_head};
use utoipa::{IntoParams, ToSchema};

use super::did::{DID_JSON, DID_LD_JSON};
use super::{Asked, now, rfc3339};
use crate::answer::{Answer, Caching, negotiate};
use crate::app::Api;
use crate::ledger::Registry;
use crate::problem::{self, Problem};
use crate::registry::{Snapshot, parse_time};
use crate::request::Segment;

/// The media type of a resolution result.
const RESULT: &str = "application/ld+json;profile=\"https://w3id.org/did-resolution\"";

/// A DID resolution result (W3C DID Resolution §10).
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ResolutionResult {
    /// JSON-LD context.
    #[serde(rename = "@context")]
    context: &'static str,
    /// The document; null when there is none.
    #[schema(value_type = Option<Object>)]
    did_document: Option<DidDocument>,
    /// How the resolution went.
    did_resolution_metadata: ResolutionMetadata,
    /// What is known of the document.
    did_document_metadata: DocumentMetadata,
}

/// How a resolution went.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ResolutionMetadata {
    /// Media type of the document.
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<&'static str>,
    /// `invalidDid`, `notFound`, `methodNotSupported`, `invalidOptions` or `internalError`.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    /// The same in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<String>,
}

/// What is known of a document.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DocumentMetadata {
    /// When the DID was registered.
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<String>,
    /// When this version came into force.
    #[serde(skip_serializing_if = "Option::is_none")]
    updated: Option<String>,
    /// When the next version did, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_update: Option<String>,
    /// Number of this version.
    #[serde(skip_serializing_if = "Option::is_none")]
    version_id: Option<String>,
    /// Number of the next version, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_version_id: Option<String>,
    /// Whether the DID is closed for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    deactivated: Option<bool>,
}

/// Why there is no document.
struct Unresolved(StatusCode, &'static str, String);

impl From<Problem> for Unresolved {
    fn from(problem: Problem) -> Self {
        Self(problem.status(), "internalError", problem.detail().to_owned())
    }
}

impl IntoResponse for Unresolved {
    fn into_response(self) -> Response {
        let Self(status, error, message) = self;
        let metadata =
            ResolutionMetadata { error: Some(error), error_message: Some(message), ..ResolutionMetadata::default() };
        let mut response = (status, result(None, metadata, DocumentMetadata::default())).into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            let seconds = HeaderValue::from(crate::limits::RETRY_AFTER_S);
            response.headers_mut().insert(axum::http::header::RETRY_AFTER, seconds);
        }
        response
    }
}

fn result(
    did_document: Option<DidDocument>,
    did_resolution_metadata: ResolutionMetadata,
    did_document_metadata: DocumentMetadata,
) -> Response {
    let context = "https://w3id.org/did-resolution/v1";
    let result = ResolutionResult { context, did_document, did_resolution_metadata, did_document_metadata };
    let mut response = Answer::json(&result, Caching::WhileUnchanged).negotiated().into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(RESULT));
    response
}

/// For the documentation: which version.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "it describes, nothing more: the names are no fields of Rust")]
pub(crate) struct ResolutionParameters {
    /// The document as of this time (RFC 3339), not in the future.
    #[param(rename = "versionTime")]
    version_time: Option<String>,
    /// This version of the document, as it was when it came into force.
    #[param(rename = "versionId")]
    version_id: Option<String>,
}

/// Resolve a DID
///
/// A W3C DID resolution result; the bare document by `Accept: application/did+ld+json` or `application/did+json`. Of a
/// DID that is closed for ever the answer is 410 with a document without keys. A `/v1/dids` route proves all of it.
#[utoipa::path(
    get, path = "/1.0/identifiers/{did}", operation_id = "resolveDid", tag = "resolver",
    params(("did" = String, Path, description = "The DID, percent-encoded or not"), ResolutionParameters),
    responses(
        (status = 200, description = "The result", content(
            (ResolutionResult = "application/ld+json"),
            (Object = "application/did+ld+json"),
            (Object = "application/did+json"),
        )),
        (status = 400, description = "`invalidDid` or `invalidOptions`", body = ResolutionResult, content_type = "application/ld+json"),
        (status = 404, description = "`notFound`", body = ResolutionResult, content_type = "application/ld+json"),
        (status = 410, description = "Closed for ever", body = ResolutionResult, content_type = "application/ld+json"),
        (status = 501, description = "`methodNotSupported`", body = ResolutionResult, content_type = "application/ld+json"),
    )
)]
pub(crate) async fn resolve(State(api): State<Api>, did: Segment, asked: Asked, headers: HeaderMap) -> Response {
    match resolved(&api, &did.0, &asked).await {
        Ok((document, metadata)) => answer(&headers, document, metadata),
        Err(unresolved) => unresolved.into_response(),
    }
}

fn answer(headers: &HeaderMap, document: DidDocument, metadata: DocumentMetadata) -> Response {
    let status = if metadata.deactivated == Some(true) { StatusCode::GONE } else { StatusCode::OK };
    let offered = ["application/ld+json", "application/json", DID_LD_JSON, DID_JSON];
    match negotiate(headers, &offered) {
        Ok(media_type @ (DID_LD_JSON | DID_JSON)) => {
            let body = serde_json::to_vec(&document).expect("a document is JSON");
            (status, Answer::new(media_type, body, Caching::WhileUnchanged).negotiated()).into_response()
        }
        _ => {
            let resolution = ResolutionMetadata { content_type: Some(DID_LD_JSON), ..ResolutionMetadata::default() };
            let mut response = result(Some(document), resolution, metadata);
            *response.status_mut() = status;
            response
        }
    }
}

async fn resolved(api: &Api, text: &str, asked: &Asked) -> Result<(DidDocument, DocumentMetadata), Unresolved> {
    let invalid_did = |message: String| Unresolved(StatusCode::BAD_REQUEST, "invalidDid", message);
    let invalid_options = |message: &str| Unresolved(StatusCode::BAD_REQUEST, "invalidOptions", message.to_owned());
    let did: Did = text.parse().map_err(|error| invalid_did(format!("{error}")))?;
    let method = api.node().reader.genesis().did_method().to_owned();
    if did.method() != method {
        let message = format!("this ledger resolves did:{method}");
        return Err(Unresolved(StatusCode::NOT_IMPLEMENTED, "methodNotSupported", message));
    }
    if !did.is_of_ledger() {
        return Err(invalid_did(format!("expected did:{method}:z…: z and base58btc of 17 bytes")));
    }
    let time = match asked.get("versionTime") {
        Some(text) => {
            Some(parse_time(text).ok_or_else(|| invalid_options("versionTime: write it as 2026-01-31T12:00:00Z"))?)
        }
        None => None,
    };
    let version = match asked.get("versionId") {
        Some(text) => {
            let number = from_decimal(text).ok().filter(|number| *number > 0);
            Some(number.ok_or_else(|| invalid_options("versionId: a number from 1 on"))?)
        }
        None => None,
    };
    if time.is_some() && version.is_some() {
        return Err(invalid_options("versionTime and versionId: give one of them"));
    }
    let read = move |registry: &dyn Registry| {
        let (state, now) = (Snapshot(registry), now(registry));
        let absent = || Problem::new(&problem::NOT_FOUND, format!("{did} is not registered, or was not then"));
        if time.is_some_and(|time| time > now) {
            let detail = "versionTime: what will hold in the future is not decided yet";
            return Err(Problem::new(&problem::QUERY, detail).into());
        }
        let newest = identity::newest(&state, &did)?.ok_or_else(absent)?;
        let object = identity::keys::did(&did);
        let (found, at) = match (time, version) {
            (_, Some(version)) => {
                let found: DidEntry = entry(&state, &object, version)?.ok_or_else(absent)?;
                let at = found.time;
                (identity::as_of(&state, &did, at)?.filter(|e| e.seq == found.seq).unwrap_or(found), at)
            }
            (time, None) => {
                let at = time.unwrap_or(now);
                (identity::as_of(&state, &did, at)?.ok_or_else(absent)?, at)
            }
        };
        let first: DidEntry = entry_before_head(&state, &object, 1)?;
        let next: Option<DidEntry> =
            if found.seq < newest.seq { Some(entry_before_head(&state, &object, found.seq + 1)?) } else { None };
        let metadata = DocumentMetadata {
            created: Some(rfc3339(first.time)),
            updated: Some(rfc3339(found.time)),
            next_update: next.as_ref().map(|next| rfc3339(next.time)),
            version_id: Some(found.seq.to_string()),
            next_version_id: next.map(|next| next.seq.to_string()),
            deactivated: Some(found.deactivated),
        };
        Ok((document(&did, &found, at), metadata))
    };
    api.registry(read).await.map_err(|problem| match problem.status() {
        StatusCode::NOT_FOUND => Unresolved(StatusCode::NOT_FOUND, "notFound", problem.detail().to_owned()),
        StatusCode::BAD_REQUEST => invalid_options(problem.detail()),
        _ => problem.into(),
    })
}
