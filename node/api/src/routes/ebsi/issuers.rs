//! Trusted issuers registry v5: what the ledger says of accreditations, in EBSI's shape.

use axum::extract::State;
use serde::Serialize;
use testamur_primitives::codec::sha256;
use testamur_primitives::did::Did;
use testamur_primitives::hash::AttributeId;
use testamur_primitives::issuers::{self, AttributeEntry, IssuerEntry};
use testamur_primitives::record::Reference;
use testamur_primitives::state::entry_before_head;
use testamur_primitives::status::formats::{TokenFormat, proxy_id};
use testamur_primitives::units::UnixTime;
use utoipa::{IntoParams, ToSchema};

use super::did::DidLink;
use super::paging::{EbsiPage, Paging, PagingParameters};
use super::problem::{bad_request, not_found};
use super::{Asked, Lane, Segments, now};
use crate::answer::{Answer, Caching, TEXT};
use crate::app::Api;
use crate::ledger::{ReadError, Registry};
use crate::problem::Problem;
use crate::registry::{Refusal, Snapshot};
use crate::request::Segment;
use crate::routes::registry::hex;
use crate::routes::registry::status::token_of;

/// An issuer.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IssuerObject {
    /// Its DID.
    did: String,
    /// Where its attributes are.
    attributes: String,
    /// Whether it has any.
    has_attributes: bool,
}

/// An issuer as version 4 of the interface had it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeprecatedIssuerObject {
    /// Its DID.
    did: String,
    /// Its attributes.
    attributes: Vec<AttributeObject>,
}

/// A name and where more is found.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct IdLink {
    /// The name: 64 hexadecimal digits without `0x`.
    id: String,
    /// Where more is found.
    href: String,
}

/// An accreditation.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AttributeObject {
    /// SHA-256 of the body; the attribute's id, while the body is empty.
    hash: String,
    /// The accreditation, a VC-JWT; empty while its place is only reserved.
    body: String,
    /// `RootTAO`, `TAO`, `TI`, or `Revoked` once it has ended.
    issuer_type: String,
    /// Who accredited.
    tao: String,
    /// Where the chain begins.
    root_tao: String,
    /// The accreditor's own attribute (EBSI Core only).
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_attribute_id: Option<String>,
}

/// An accreditation and whose it is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AttributeDetails {
    /// Who is accredited.
    did: String,
    /// The accreditation.
    attribute: AttributeObject,
}

impl AttributeObject {
    /// `entry` has the body; what `newest` knows of the end holds for every revision.
    fn new(lane: &Lane, id: AttributeId, entry: &AttributeEntry, newest: &AttributeEntry, now: UnixTime) -> Self {
        let ended = newest.ended.is_some_and(|ended| ended.effective <= now);
        let body = entry.credential.clone().unwrap_or_default();
        Self {
            hash: revision_id(id, entry),
            body,
            issuer_type: if ended { "Revoked".into() } else { entry.issuer_type.ebsi_name().into() },
            tao: entry.accreditor.to_string(),
            root_tao: entry.root.to_string(),
            parent_attribute_id: lane.core.then(|| entry.parent.to_string()),
        }
    }
}

/// A revision's name: the hash of its body.
fn revision_id(id: AttributeId, entry: &AttributeEntry) -> String {
    match &entry.credential {
        Some(body) => hex(&sha256(&[body.as_bytes()])),
        None => id.to_string(),
    }
}

fn parse_did(text: &str) -> Result<Did, Problem> {
    text.parse().map_err(|_| bad_request("did must be a DID: did:<method>:<id>"))
}

/// A hash with or without `0x`, in lower case.
fn parse_hash(text: &str) -> Option<String> {
    let digits = text.strip_prefix("0x").unwrap_or(text).to_ascii_lowercase();
    (digits.len() == 64 && digits.bytes().all(|b| b.is_ascii_hexdigit())).then_some(digits)
}

fn issuer_of(state: &Snapshot<'_>, did: &Did) -> Result<IssuerEntry, Refusal> {
    let missing = || not_found("Issuer Not Found", format!("Issuer {did} not found"));
    Ok(issuers::issuer(state, did)?.ok_or_else(missing)?)
}

fn attribute_of(state: &Snapshot<'_>, id: AttributeId) -> Result<AttributeEntry, Refusal> {
    let missing = || ReadError::Fatal(format!("an issuer has attribute {id}, which is not there"));
    Ok(issuers::attribute(state, id)?.ok_or_else(missing)?)
}

/// The revisions of an attribute, oldest first: each body once.
fn revisions_of(
    state: &Snapshot<'_>,
    id: AttributeId,
    newest: &AttributeEntry,
) -> Result<Vec<AttributeEntry>, Refusal> {
    let mut revisions: Vec<AttributeEntry> = Vec::new();
    for seq in 1..=newest.seq {
        let entry: AttributeEntry = entry_before_head(state, &issuers::keys::attribute(id), seq)?;
        match revisions.last_mut() {
            Some(last) if last.credential == entry.credential => *last = entry,
            _ => revisions.push(entry),
        }
    }
    Ok(revisions)
}

/// Issuers
///
/// Every DID that was ever accredited.
#[utoipa::path(
    get, path = "/trusted-issuers-registry/v5/issuers", operation_id = "ebsiListIssuers", tag = "ebsi",
    params(PagingParameters),
    responses((status = 200, description = "A page of issuers", body = EbsiPage<DidLink>))
)]
pub(crate) async fn list(State(api): State<Api>, lane: Lane, asked: Asked) -> Result<Answer, Problem> {
    let paging = Paging::new(&asked)?;
    let read = move |registry: &dyn Registry| {
        let objects = registry.objects("issuer", "all", paging.page, paging.size)?;
        let link = |did: String| DidLink { href: lane.href(&format!("/issuers/{did}")), did };
        let items = objects.ids.into_iter().map(link).collect();
        Ok(paging.page(&lane, "/issuers", items, objects.total))
    };
    Ok(Answer::json(&api.registry(read).await?, Caching::WhileUnchanged))
}

/// For the documentation: in which shape.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "it describes, nothing more: other parameters are passed over")]
pub(crate) struct VersionParameters {
    /// `deprecated` or `v4`: with the attributes themselves.
    version: Option<String>,
}

/// An issuer
///
/// Whether a DID was ever accredited. Of whether it still is, its attributes tell.
#[utoipa::path(
    get, path = "/trusted-issuers-registry/v5/issuers/{did}", operation_id = "ebsiReadIssuer", tag = "ebsi",
    params(("did" = String, Path, description = "The issuer's DID, percent-encoded or not"), VersionParameters),
    responses((status = 200, description = "The issuer", body = IssuerObject))
)]
pub(crate) async fn one(State(api): State<Api>, lane: Lane, did: Segment, asked: Asked) -> Result<Answer, Problem> {
    let did = parse_did(&did.0)?;
    let deprecated = matches!(asked.get("version"), Some("deprecated" | "v4"));
    let read = move |registry: &dyn Registry| {
        let (state, now) = (Snapshot(registry), now(registry));
        let issuer = issuer_of(&state, &did)?;
        if deprecated {
            let object = |id: AttributeId| {
                let entry = attribute_of(&state, id)?;
                Ok(AttributeObject::new(&lane, id, &entry, &entry, now))
            };
            let attributes = issuer.attributes.into_iter().map(object).collect::<Result<_, Refusal>>()?;
            let object = DeprecatedIssuerObject { did: did.to_string(), attributes };
            return Ok(Answer::json(&object, Caching::WhileUnchanged));
        }
        let object = IssuerObject {
            attributes: lane.href(&format!("/issuers/{did}/attributes")),
            has_attributes: !issuer.attributes.is_empty(),
            did: did.to_string(),
        };
        Ok(Answer::json(&object, Caching::WhileUnchanged))
    };
    api.registry(read).await
}

/// The attributes of an issuer
///
/// The places of all its accreditations, ended ones included.
#[utoipa::path(
    get, path = "/trusted-issuers-registry/v5/issuers/{did}/attributes", operation_id = "ebsiListAttributes",
    tag = "ebsi",
    params(("did" = String, Path, description = "The issuer's DID, percent-encoded or not"), PagingParameters),
    responses((status = 200, description = "A page of attributes", body = EbsiPage<IdLink>))
)]
pub(crate) async fn attributes(
    State(api): State<Api>,
    lane: Lane,
    did: Segment,
    asked: Asked,
) -> Result<Answer, Problem> {
    let (did, paging) = (parse_did(&did.0)?, Paging::new(&asked)?);
    let read = move |registry: &dyn Registry| {
        let path = format!("/issuers/{did}/attributes");
        let issuer = issuer_of(&Snapshot(registry), &did)?;
        let link = |id: &AttributeId| IdLink { id: id.to_string(), href: lane.href(&format!("{path}/{id}")) };
        let links: Vec<_> = issuer.attributes.iter().map(link).collect();
        Ok(paging.of(&lane, &path, &links))
    };
    Ok(Answer::json(&api.registry(read).await?, Caching::WhileUnchanged))
}

/// The newest entry of an issuer's attribute, by its id.
fn known_attribute(state: &Snapshot<'_>, did: &Did, hash: &str) -> Result<(AttributeId, AttributeEntry), Refusal> {
    let issuer = issuer_of(state, did)?;
    let missing = || not_found("Attribute Not Found", format!("Attribute 0x{hash} not found"));
    let id = hash.parse().ok().filter(|id| issuer.attributes.contains(id)).ok_or_else(missing)?;
    Ok((id, attribute_of(state, id)?))
}

fn attribute_hash(text: &str) -> Result<String, Problem> {
    parse_hash(text).ok_or_else(|| bad_request("an attribute id is 64 hexadecimal digits, with or without 0x"))
}

/// An attribute
///
/// An accreditation, by the id of its place or by the hash of one of its revisions.
#[utoipa::path(
    get, path = "/trusted-issuers-registry/v5/issuers/{did}/attributes/{attribute}",
    operation_id = "ebsiReadAttribute", tag = "ebsi",
    params(
        ("did" = String, Path, description = "The issuer's DID, percent-encoded or not"),
        ("attribute" = String, Path, description = "64 hexadecimal digits, with or without `0x`"),
    ),
    responses((status = 200, description = "The accreditation", body = AttributeDetails))
)]
pub(crate) async fn attribute(State(api): State<Api>, lane: Lane, path: Segments) -> Result<Answer, Problem> {
    let [did, hash] = path.all()?;
    let (did, hash) = (parse_did(did)?, attribute_hash(hash)?);
    let read = move |registry: &dyn Registry| {
        let (state, now) = (Snapshot(registry), now(registry));
        let issuer = issuer_of(&state, &did)?;
        let details = |attribute| AttributeDetails { did: did.to_string(), attribute };
        if let Some(id) = hash.parse().ok().filter(|id| issuer.attributes.contains(id)) {
            let newest = attribute_of(&state, id)?;
            return Ok(details(AttributeObject::new(&lane, id, &newest, &newest, now)));
        }
        for id in issuer.attributes {
            let newest = attribute_of(&state, id)?;
            let revisions = revisions_of(&state, id, &newest)?;
            if let Some(revision) = revisions.iter().find(|entry| revision_id(id, entry) == hash) {
                return Ok(details(AttributeObject::new(&lane, id, revision, &newest, now)));
            }
        }
        Err(not_found("Attribute Not Found", format!("Attribute 0x{hash} not found")).into())
    };
    Ok(Answer::json(&api.registry(read).await?, Caching::WhileUnchanged))
}

/// The revisions of an attribute
///
/// Each accreditation that stood in its place, oldest first.
#[utoipa::path(
    get, path = "/trusted-issuers-registry/v5/issuers/{did}/attributes/{attribute}/revisions",
    operation_id = "ebsiListRevisions", tag = "ebsi",
    params(
        ("did" = String, Path, description = "The issuer's DID, percent-encoded or not"),
        ("attribute" = String, Path, description = "64 hexadecimal digits, with or without `0x`"),
        PagingParameters,
    ),
    responses((status = 200, description = "A page of revisions", body = EbsiPage<AttributeObject>))
)]
pub(crate) async fn revisions(
    State(api): State<Api>,
    lane: Lane,
    path: Segments,
    asked: Asked,
) -> Result<Answer, Problem> {
    let [did, hash] = path.all()?;
    let (did, hash, paging) = (parse_did(did)?, attribute_hash(hash)?, Paging::new(&asked)?);
    let read = move |registry: &dyn Registry| {
        let (state, now) = (Snapshot(registry), now(registry));
        let (id, newest) = known_attribute(&state, &did, &hash)?;
        let revisions = revisions_of(&state, id, &newest)?;
        let objects: Vec<_> =
            revisions.iter().map(|entry| AttributeObject::new(&lane, id, entry, &newest, now)).collect();
        Ok(paging.of(&lane, &format!("/issuers/{did}/attributes/{id}/revisions"), &objects))
    };
    Ok(Answer::json(&api.registry(read).await?, Caching::WhileUnchanged))
}

/// A revision of an attribute
///
/// By the SHA-256 of its body.
#[utoipa::path(
    get, path = "/trusted-issuers-registry/v5/issuers/{did}/attributes/{attribute}/revisions/{revision}",
    operation_id = "ebsiReadRevision", tag = "ebsi",
    params(
        ("did" = String, Path, description = "The issuer's DID, percent-encoded or not"),
        ("attribute" = String, Path, description = "64 hexadecimal digits, with or without `0x`"),
        ("revision" = String, Path, description = "64 hexadecimal digits, with or without `0x`"),
    ),
    responses((status = 200, description = "The revision", body = AttributeDetails))
)]
pub(crate) async fn revision(State(api): State<Api>, lane: Lane, path: Segments) -> Result<Answer, Problem> {
    let [did, hash, wanted] = path.all()?;
    let (did, hash, wanted) = (parse_did(did)?, attribute_hash(hash)?, attribute_hash(wanted)?);
    let read = move |registry: &dyn Registry| {
        let (state, now) = (Snapshot(registry), now(registry));
        let (id, newest) = known_attribute(&state, &did, &hash)?;
        let revisions = revisions_of(&state, id, &newest)?;
        let missing = || not_found("Revision Not Found", format!("Revision 0x{wanted} not found"));
        let entry = revisions.iter().find(|entry| revision_id(id, entry) == wanted).ok_or_else(missing)?;
        let attribute = AttributeObject::new(&lane, id, entry, &newest, now);
        Ok(AttributeDetails { did: did.to_string(), attribute })
    };
    Ok(Answer::json(&api.registry(read).await?, Caching::WhileUnchanged))
}

/// The proxies of an issuer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProxyList {
    /// The one that every issuer has.
    items: Vec<ProxyLink>,
    /// One.
    total: u64,
}

/// A proxy and where more is found.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProxyLink {
    /// Its id.
    proxy_id: String,
    /// Where more is found.
    href: String,
}

/// What EBSI would fetch status lists with. Here they are on the ledger, and nothing is fetched.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProxyObject {
    /// Where the issuer's lists begin.
    prefix: String,
    /// None.
    #[schema(value_type = Object)]
    headers: serde_json::Map<String, serde_json::Value>,
    /// The path of one of the issuer's lists, when it has any.
    test_suffix: String,
}

/// The proxies of an issuer
///
/// One: its status lists, answered from the ledger.
#[utoipa::path(
    get, path = "/trusted-issuers-registry/v5/issuers/{did}/proxies", operation_id = "ebsiListProxies", tag = "ebsi",
    params(("did" = String, Path, description = "The issuer's DID, percent-encoded or not")),
    responses((status = 200, description = "The proxy", body = ProxyList))
)]
pub(crate) async fn proxies(State(api): State<Api>, lane: Lane, did: Segment) -> Result<Answer, Problem> {
    let did = parse_did(&did.0)?;
    let read = move |registry: &dyn Registry| {
        issuer_of(&Snapshot(registry), &did)?;
        let proxy_id = proxy_id(&did);
        let href = lane.href(&format!("/issuers/{did}/proxies/{proxy_id}"));
        Ok(ProxyList { items: vec![ProxyLink { proxy_id, href }], total: 1 })
    };
    Ok(Answer::json(&api.registry(read).await?, Caching::WhileUnchanged))
}

fn known_proxy(state: &Snapshot<'_>, did: &Did, wanted: &str) -> Result<String, Refusal> {
    issuer_of(state, did)?;
    let id = proxy_id(did);
    let missing = || not_found("Proxy Not Found", format!("Proxy {wanted} of issuer {did} can't be found"));
    if id.eq_ignore_ascii_case(wanted) { Ok(id) } else { Err(missing().into()) }
}

/// A proxy
///
/// Where the issuer's status lists are.
#[utoipa::path(
    get, path = "/trusted-issuers-registry/v5/issuers/{did}/proxies/{proxy}", operation_id = "ebsiReadProxy",
    tag = "ebsi",
    params(
        ("did" = String, Path, description = "The issuer's DID, percent-encoded or not"),
        ("proxy" = String, Path, description = "The proxy's id"),
    ),
    responses((status = 200, description = "The proxy", body = ProxyObject))
)]
pub(crate) async fn proxy(State(api): State<Api>, lane: Lane, path: Segments) -> Result<Answer, Problem> {
    let [did, wanted] = path.all()?;
    let (did, wanted) = (parse_did(did)?, bounded(wanted));
    let read = move |registry: &dyn Registry| {
        let id = known_proxy(&Snapshot(registry), &did, &wanted)?;
        let lists = registry.objects("status", &format!("issuer:{did}"), 1, 1)?;
        let first = lists.ids.first().and_then(|id| id.rsplit_once(':'));
        Ok(ProxyObject {
            prefix: lane.url(&format!("/issuers/{did}/proxies/{id}")),
            headers: serde_json::Map::new(),
            test_suffix: first.map_or_else(String::new, |(_, list)| format!("/credentials/status/{list}")),
        })
    };
    Ok(Answer::json(&api.registry(read).await?, Caching::WhileUnchanged))
}

/// A segment that an answer repeats.
fn bounded(segment: &str) -> String {
    segment.chars().take(80).collect()
}

/// A status list
///
/// The newest version of an issuer's list as StatusList2021 credential: a bare JWT.
#[utoipa::path(
    get, path = "/trusted-issuers-registry/v5/issuers/{did}/proxies/{proxy}/credentials/status/{list}",
    operation_id = "ebsiReadStatusList", tag = "ebsi",
    params(
        ("did" = String, Path, description = "The issuer's DID, percent-encoded or not"),
        ("proxy" = String, Path, description = "The proxy's id"),
        ("list" = String, Path, description = "The list's name"),
    ),
    responses((status = 200, description = "The credential", body = String, content_type = "text/plain"))
)]
pub(crate) async fn status_list(State(api): State<Api>, path: Segments) -> Result<Answer, Problem> {
    let [did, wanted, list] = path.all()?;
    let (did, wanted, list_text) = (parse_did(did)?, bounded(wanted), bounded(list));
    let list = list.parse::<Reference>().ok();
    let public_base = api.node().reader.genesis().public_base();
    let read = move |registry: &dyn Registry| {
        known_proxy(&Snapshot(registry), &did, &wanted)?;
        let missing = || not_found("Status List Not Found", format!("Status list {list_text} of {did} not found"));
        let list = list.as_ref().ok_or_else(missing)?;
        let token = token_of(registry, &did, list, TokenFormat::StatusList2021, &public_base)?;
        Ok(token.ok_or_else(missing)?)
    };
    Ok(Answer::new(TEXT, api.registry(read).await?, Caching::WhileUnchanged))
}
