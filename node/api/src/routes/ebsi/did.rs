//! DID registry v5.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use testamur_primitives::did::{Did, DidUrl};
use testamur_primitives::identity::resolution::document;
use testamur_primitives::identity::{self, Relationship};
use testamur_primitives::units::UnixTime;
use time::{Date, macros::format_description};
use utoipa::{IntoParams, ToSchema};

use super::paging::{EbsiPage, Paging, PagingParameters};
use super::problem::{bad_request, invalid, not_found};
use super::{Asked, Lane, controls, now, parse_address};
use crate::answer::{Answer, Caching, JSON, negotiate};
use crate::app::Api;
use crate::ledger::Registry;
use crate::problem::Problem;
use crate::registry::{Snapshot, filtered, indexed_did, parse_time};
use crate::request::{Segment, read_body};

/// `application/did+ld+json` (DID Core 1.0 §6.3.1).
pub(super) const DID_LD_JSON: &str = "application/did+ld+json";
/// `application/did+json` (DID Core 1.0 §6.2.1).
pub(super) const DID_JSON: &str = "application/did+json";
/// How much later than this node's clock a time may be and still be taken for now: clocks differ.
const NOW_TOLERANCE_S: u64 = 300;

/// A DID and where its document is.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct DidLink {
    /// The DID.
    pub(super) did: String,
    /// Its document.
    pub(super) href: String,
}

/// For the documentation: which DIDs to list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "it describes, nothing more: the names are no fields of Rust")]
pub(crate) struct FilterParameters {
    /// Only DIDs that this DID controls.
    controller: Option<String>,
    /// Only DIDs with this key; needs `verification-relationship`.
    #[param(rename = "verification-method-id")]
    method: Option<String>,
    /// What that key may be used for now; needs `verification-method-id`.
    #[param(rename = "verification-relationship")]
    relationship: Option<String>,
}

/// A DID of this ledger's form, as a path has it.
pub(super) fn ledger_did(api: &Api, text: &str) -> Result<Did, Problem> {
    let method = api.node().reader.genesis().did_method().to_owned();
    let malformed = || bad_request(format!("did must be of the form did:{method}:z…: z and base58btc of 17 bytes"));
    text.parse().ok().filter(|did: &Did| did.method() == method && did.is_of_ledger()).ok_or_else(malformed)
}

/// Identifiers
///
/// The DIDs of this ledger, in EBSI's shape.
#[utoipa::path(
    get, path = "/did-registry/v5/identifiers", operation_id = "ebsiListIdentifiers", tag = "ebsi",
    params(FilterParameters, PagingParameters),
    responses((status = 200, description = "A page of DIDs", body = EbsiPage<DidLink>))
)]
pub(crate) async fn list(State(api): State<Api>, lane: Lane, asked: Asked) -> Result<Answer, Problem> {
    let mut paging = Paging::new(&asked)?;
    let controller = match asked.get("controller") {
        Some(text) => Some(text.parse::<Did>().map_err(|_| invalid(&["controller must be a DID".into()]))?),
        None => None,
    };
    let key = match (asked.get("verification-method-id"), asked.get("verification-relationship")) {
        (None, None) => None,
        (Some(method), Some(name)) => {
            let fragment = method.parse::<DidUrl>().map_or_else(|_| method.to_owned(), |kid| kid.fragment().to_owned());
            if fragment.is_empty()
                || !fragment.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
            {
                return Err(invalid(&["verification-method-id must be the id of a verification method".into()]));
            }
            let relationship = Relationship::from_name(name).ok_or_else(|| {
                invalid(&["verification-relationship must be one of DID Core's five, such as assertionMethod".into()])
            })?;
            Some((fragment, relationship))
        }
        _ => {
            return Err(bad_request("verification-method-id and verification-relationship filter together: give both"));
        }
    };
    if let Some(controller) = &controller {
        paging = paging.with_filter("controller", controller.as_str());
    }
    if let Some((fragment, relationship)) = &key {
        paging = paging.with_filter("verification-method-id", fragment);
        paging = paging.with_filter("verification-relationship", relationship.name());
    }
    let term = match (&key, &controller) {
        (Some((fragment, _)), _) => Some(format!("method:{fragment}")),
        (None, Some(controller)) => Some(format!("controller:{controller}")),
        (None, None) => None,
    };
    let read = move |registry: &dyn Registry| {
        let link = |did: &String| DidLink { did: did.clone(), href: lane.href(&format!("/identifiers/{did}")) };
        let Some(term) = term else {
            let objects = registry.objects("did", "all", paging.page, paging.size)?;
            let items = objects.ids.iter().map(link).collect();
            return Ok(paging.page(&lane, "/identifiers", items, objects.total));
        };
        let (state, now) = (Snapshot(registry), now(registry));
        let dids = filtered(registry, "did", &term, |id| {
            let Some(entry) = identity::newest(&state, &indexed_did(id)?)? else { return Ok(false) };
            let controlled = controller.as_ref().is_none_or(|controller| entry.controllers.contains(controller));
            let usable = key.as_ref().is_none_or(|(fragment, relationship)| {
                !entry.deactivated
                    && entry.method(fragment).is_some_and(|method| method.check(&[*relationship], now).is_ok())
            });
            Ok(controlled && usable)
        })?;
        let links: Vec<_> = dids.iter().map(link).collect();
        Ok(paging.of(&lane, "/identifiers", &links))
    };
    Ok(Answer::json(&api.registry(read).await?, Caching::WhileUnchanged))
}

/// For the documentation: the document of when.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "it describes, nothing more: the name is no field of Rust")]
pub(crate) struct ValidAtParameters {
    /// The document as it was at this time (ISO 8601); now, when left out.
    #[param(rename = "valid-at", example = "2026-01-31T12:00:00Z")]
    valid_at: Option<String>,
}

/// A time as EBSI's services take it.
fn valid_at(text: &str) -> Option<UnixTime> {
    let date = Date::parse(text, format_description!("[year]-[month]-[day]")).ok();
    match date {
        Some(date) => u64::try_from(date.midnight().assume_utc().unix_timestamp()).ok().map(UnixTime),
        // POSIX seconds are no ISO 8601, but a year would be taken for some.
        None => Some(text).filter(|text| text.contains('T')).and_then(parse_time),
    }
}

/// A DID document
///
/// As EBSI's resolver reads it. Any Accept header is good: what is asked for and cannot be had is answered as
/// `application/did+ld+json`.
#[utoipa::path(
    get, path = "/did-registry/v5/identifiers/{did}", operation_id = "ebsiReadIdentifier", tag = "ebsi",
    params(("did" = String, Path, description = "The DID, percent-encoded or not"), ValidAtParameters),
    responses((status = 200, description = "The DID document", content(
        (Object = "application/did+ld+json"),
        (Object = "application/did+json"),
        (Object = "application/json"),
    )))
)]
pub(crate) async fn one(
    State(api): State<Api>,
    did: Segment,
    asked: Asked,
    headers: HeaderMap,
) -> Result<Answer, Problem> {
    let did = ledger_did(&api, &did.0)?;
    let time = match asked.get("valid-at") {
        Some(text) => Some(valid_at(text).ok_or_else(|| {
            invalid(&["valid-at must be a valid ISO 8601 date string, not before 1970-01-01".into()])
        })?),
        None => None,
    };
    let read = move |registry: &dyn Registry| {
        let newest = now(registry);
        let time = time.unwrap_or(newest);
        if time.0 > newest.0.saturating_add(NOW_TOLERANCE_S) {
            return Err(invalid(
                &["valid-at must not be in the future: what will hold then is not decided yet".into()],
            )
            .into());
        }
        let entry = identity::as_of(&Snapshot(registry), &did, time)?;
        let entry = entry.ok_or_else(|| not_found("Identifier Not Found", format!("DID {did} not found")))?;
        Ok(document(&did, &entry, time))
    };
    let document = api.registry(read).await?;
    let media_type = negotiate(&headers, &[DID_LD_JSON, DID_JSON, JSON]).unwrap_or(DID_LD_JSON);
    let body = serde_json::to_vec(&document).expect("a document is JSON");
    Ok(Answer::new(media_type, body, Caching::WhileUnchanged).negotiated())
}

/// A question in JSON-RPC 2.0.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct RpcRequest {
    /// `2.0`.
    jsonrpc: String,
    /// `checkController`.
    method: String,
    /// One address.
    #[schema(value_type = Vec<String>)]
    params: Vec<Value>,
    /// Repeated in the answer.
    #[serde(default)]
    #[schema(value_type = Object)]
    id: Value,
}

/// An answer in JSON-RPC 2.0.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RpcAnswer {
    jsonrpc: &'static str,
    #[schema(value_type = Object)]
    id: Value,
    /// The answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<bool>,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<RpcError>,
}

/// An error in JSON-RPC 2.0.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RpcError {
    code: i32,
    message: String,
}

/// Bytes of a question: an address and what stands around it.
const RPC_BYTES_MAX: usize = 4_096;

/// Whether an address controls a DID
///
/// JSON-RPC `checkController` with one address: whether a controller of the DID has a secp256k1 key of this address
/// that may change registries now.
#[utoipa::path(
    post, path = "/did-registry/v5/identifiers/{did}/actions", operation_id = "ebsiCheckController", tag = "ebsi",
    params(("did" = String, Path, description = "The DID, percent-encoded or not")),
    request_body(content = RpcRequest, content_type = "application/json"),
    responses(
        (status = 200, description = "The answer", body = RpcAnswer),
        (status = 400, description = "No such method, or no address", body = RpcAnswer),
    )
)]
pub(crate) async fn actions(State(api): State<Api>, did: Segment, body: Body) -> Result<Response, Problem> {
    let did = ledger_did(&api, &did.0)?;
    let body = read_body(body, RPC_BYTES_MAX, api.body_budget()).await?;
    let refuse = |id: Value, message: &str| {
        let error = Some(RpcError { code: -32_600, message: message.to_owned() });
        let answer = RpcAnswer { jsonrpc: "2.0", id, result: None, error };
        (StatusCode::BAD_REQUEST, Answer::json(&answer, Caching::Revalidate)).into_response()
    };
    let Ok(RpcRequest { jsonrpc, method, params, id }) = serde_json::from_slice(&body) else {
        return Ok(refuse(Value::Null, "the body is no JSON-RPC 2.0 request"));
    };
    if jsonrpc != "2.0" || method != "checkController" {
        return Ok(refuse(id, "this route knows JSON-RPC 2.0 with the method checkController"));
    }
    let address = match params.as_slice() {
        [Value::String(address)] => parse_address(address),
        _ => None,
    };
    let Some(address) = address else { return Ok(refuse(id, "params: one address, 0x and 40 hexadecimal digits")) };
    let read = move |registry: &dyn Registry| {
        let (state, now) = (Snapshot(registry), now(registry));
        let entry = identity::newest(&state, &did)?;
        let entry = entry.ok_or_else(|| not_found("Identifier Not Found", format!("DID {did} not found")))?;
        for controller in &entry.controllers {
            if identity::newest(&state, controller)?.is_some_and(|c| !entry.deactivated && controls(&c, &address, now))
            {
                return Ok(true);
            }
        }
        Ok(false)
    };
    let result = Some(api.registry(read).await?);
    let answer = RpcAnswer { jsonrpc: "2.0", id, result, error: None };
    Ok(Answer::json(&answer, Caching::Revalidate).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_iso_8601() {
        for (text, expected) in [
            ("1970-01-01", Some(0)),
            ("1970-01-01T00:00:05Z", Some(5)),
            ("1970-01-01T00:00:05.750Z", Some(5)),
            ("1800000000", None),
            ("1969-12-31", None),
            ("2026-13-01", None),
            ("tomorrow", None),
            ("Today", None),
            ("", None),
        ] {
            assert_eq!(valid_at(text), expected.map(UnixTime), "{text}");
        }
    }
}
