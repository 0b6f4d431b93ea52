//! Status lists: what the ledger says of them, their bits, and the tokens that verifiers read.

use axum::extract::State;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use serde::Deserialize;
use testamur_primitives::did::Did;
use testamur_primitives::identity;
use testamur_primitives::key::PublicKey;
use testamur_primitives::record::Reference;
use testamur_primitives::state::entry;
use testamur_primitives::status::formats::{TokenFormat, TokenSource};
use testamur_primitives::status::{self, BitList, StatusEntry};
use utoipa::IntoParams;

use super::views::{ObjectList, StatusListView};
use super::{AtParameters, Pages, query_did};
use crate::answer::{Answer, Caching, OCTETS};
use crate::app::Api;
use crate::ledger::{ReadError, Registry};
use crate::problem::{self, Problem};
use crate::registry::{Refusal, Snapshot, asked_time, decided_time, prove};
use crate::request::{NoParameters, Parameters, Segment};

/// An issuer's list: two segments of a path.
#[derive(Debug, Clone)]
pub(crate) struct ListPath {
    issuer: Did,
    list: Reference,
}

impl<S: Send + Sync> FromRequestParts<S> for ListPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::<(String, String)>::from_request_parts(parts, state).await {
            Ok(Path((did, list))) => Ok(Self { issuer: Segment(did).did()?, list: Segment(list).list()? }),
            Err(_) => Err(Problem::new(&problem::PATH, "the path is not UTF-8")),
        }
    }
}

impl ListPath {
    fn absent(&self) -> Problem {
        let Self { issuer, list } = self;
        Problem::new(&problem::NOT_FOUND, format!("{issuer} has published no status list {list} on this ledger"))
    }
}

/// Whose lists.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParameters {
    /// The issuer's DID.
    issuer: String,
    /// Number of the page, from 1.
    #[param(minimum = 1, default = 1)]
    page: Option<u64>,
    /// Items of a page.
    #[param(minimum = 1, maximum = 100, default = 50)]
    size: Option<usize>,
}

/// Status lists of an issuer
///
/// By their names after the issuer's DID and a slash, in order of arrival. Lists are not proven.
#[utoipa::path(
    get, path = "/v1/status-lists", operation_id = "listStatusLists", tag = "registries", params(ListParameters),
    responses((status = 200, description = "A page of lists", body = ObjectList))
)]
pub(crate) async fn list(
    State(api): State<Api>,
    Parameters(ListParameters { issuer, page, size }): Parameters<ListParameters>,
) -> Result<Answer, Problem> {
    let pages = Pages::new(page, size)?;
    let issuer = query_did("issuer", &issuer)?;
    let (term, filters) = (format!("issuer:{issuer}"), format!("&issuer={issuer}"));
    let read = move |registry: &dyn Registry| {
        let mut objects = registry.objects("status", &term, pages.page, pages.size)?;
        for id in &mut objects.ids {
            // A list's name holds no colon, so the last one divides.
            let Some((issuer, list)) = id.rsplit_once(':') else {
                return Err(ReadError::Fatal(format!("the index names {id:?}, which is no status list")).into());
            };
            *id = format!("{issuer}/{list}");
        }
        Ok(objects)
    };
    let objects = api.registry(read).await?;
    let list = pages.list(objects, "/v1/status-lists", &filters, |id| format!("/v1/status-lists/{id}"));
    Ok(Answer::json(&list, Caching::WhileUnchanged))
}

/// A status list
///
/// The version that was the newest at a time: its number, purpose, size, digest, and where its bits and tokens are. Ask
/// for lists whole, never for one entry: then nobody learns which diploma is being checked.
#[utoipa::path(
    get, path = "/v1/status-lists/{did}/{list}", operation_id = "readStatusList", tag = "registries",
    params(
        ("did" = String, Path, description = "The issuer's DID, percent-encoded or not"),
        ("list" = String, Path, description = "The list's name"),
        AtParameters,
    ),
    responses((status = 200, description = "The list", body = StatusListView))
)]
pub(crate) async fn one(
    State(api): State<Api>,
    path: ListPath,
    Parameters(parameters): Parameters<AtParameters>,
) -> Result<Answer, Problem> {
    let asked = asked_time(parameters.at.as_deref())?;
    let proof = parameters.proof.unwrap_or(false);
    let read = move |registry: &dyn Registry| {
        let at = decided_time(asked, registry)?;
        let (entry, evidence) = prove(registry, proof, |state| {
            Ok(match asked {
                None => status::newest(state, &path.issuer, &path.list)?,
                Some(_) => status::as_of(state, &path.issuer, &path.list, at)?,
            })
        })?;
        match entry {
            Some(entry) => Ok(StatusListView { evidence, ..StatusListView::new(&entry) }),
            None => Err(path.absent().with_evidence(evidence).into()),
        }
    };
    Ok(Answer::json(&api.registry(read).await?, Caching::WhileUnchanged))
}

/// Which version.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct VersionParameters {
    /// Number of the version, from 1; the newest, when left out. Older ones are kept for a time only.
    version: Option<u64>,
}

/// The bits of a status list
///
/// As they are: entry i is bit i, the most significant bit of byte 0 first. Their SHA-256 is in the proven entry.
#[utoipa::path(
    get, path = "/v1/status-lists/{did}/{list}/bits", operation_id = "readStatusBits", tag = "registries",
    params(
        ("did" = String, Path, description = "The issuer's DID, percent-encoded or not"),
        ("list" = String, Path, description = "The list's name"),
        VersionParameters,
    ),
    responses((status = 200, description = "The bits", body = [u8], content_type = "application/octet-stream"))
)]
pub(crate) async fn bits(
    State(api): State<Api>,
    path: ListPath,
    Parameters(VersionParameters { version }): Parameters<VersionParameters>,
) -> Result<Answer, Problem> {
    if version == Some(0) {
        return Err(Problem::new(&problem::QUERY, "version: counts from 1"));
    }
    let read = move |registry: &dyn Registry| {
        let state = Snapshot(registry);
        let newest = status::newest(&state, &path.issuer, &path.list)?.ok_or_else(|| path.absent())?;
        match version {
            Some(version) if version != newest.seq => {
                let object = status::keys::status(&path.issuer, &path.list);
                let older: Option<StatusEntry> = entry(&state, &object, version)?;
                let older = older.ok_or_else(|| path.absent())?;
                let gone = "the bits of this version are kept no longer: only the newest are kept for ever";
                let bytes = registry.attachment(&older.status.sha256)?;
                Ok(bytes.ok_or_else(|| Problem::new(&problem::NOT_FOUND, gone))?)
            }
            _ => held_bits(registry, &newest),
        }
    };
    Ok(Answer::new(OCTETS, api.registry(read).await?, Caching::WhileUnchanged))
}

/// The bits of the newest version of a list. A node that has just caught up may still be fetching them.
fn held_bits(registry: &dyn Registry, entry: &StatusEntry) -> Result<Vec<u8>, Refusal> {
    let missing = || {
        let detail = "this node is still fetching the bits of this list from its peers: ask another node, or later";
        Problem::new(&problem::NOT_READY, detail)
    };
    Ok(registry.attachment(&entry.status.sha256)?.ok_or_else(missing)?)
}

/// The newest version of a list as a token, signed by its issuer; none when there is no such list.
pub(crate) fn token_of(
    registry: &dyn Registry,
    issuer: &Did,
    list: &Reference,
    format: TokenFormat,
    public_base: &str,
) -> Result<Option<String>, Refusal> {
    let state = Snapshot(registry);
    let Some(entry) = status::newest(&state, issuer, list)? else { return Ok(None) };
    let status = &entry.status;
    let damaged = |what: &str| ReadError::Fatal(format!("status list {list} of {issuer}: {what}"));
    // Of the key only its kind matters here, and a key is never forgotten by its document.
    let document = identity::newest(&state, issuer)?.ok_or_else(|| damaged("its issuer has no document"))?;
    let method = document.method(status.kid.fragment()).ok_or_else(|| damaged("its key is in no document"))?;
    let key = PublicKey::from_jwk(&method.key).map_err(|_| damaged("its key is none"))?;
    let bits = held_bits(registry, &entry)?;
    let bits = BitList::from_bytes(bits, status.size).ok_or_else(|| damaged("its bits have another length"))?;
    let source = TokenSource::new(status, issuer, &key, public_base);
    let token = source.compact(format, &bits, &status.signatures);
    Ok(Some(token.map_err(|error| damaged(&error.to_string()))?))
}

async fn token(api: &Api, path: ListPath, format: TokenFormat, media_type: &'static str) -> Result<Answer, Problem> {
    let public_base = api.node().reader.genesis().public_base();
    let read = move |registry: &dyn Registry| {
        let token = token_of(registry, &path.issuer, &path.list, format, &public_base)?;
        Ok(token.ok_or_else(|| path.absent())?)
    };
    Ok(Answer::new(media_type, api.registry(read).await?, Caching::WhileUnchanged))
}

/// A status list as StatusList2021 credential
///
/// What EBSI's libraries read: W3C VCDM 1.1 as JWT, signed by the issuer. Derived from the bits.
#[utoipa::path(
    get, path = "/v1/status-lists/{did}/{list}/status-list-2021", operation_id = "readStatusList2021",
    tag = "registries",
    params(
        ("did" = String, Path, description = "The issuer's DID, percent-encoded or not"),
        ("list" = String, Path, description = "The list's name"),
    ),
    responses((status = 200, description = "The credential", body = String, content_type = "application/jwt"))
)]
pub(crate) async fn status_list_2021(
    State(api): State<Api>,
    path: ListPath,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Result<Answer, Problem> {
    token(&api, path, TokenFormat::StatusList2021, "application/jwt").await
}

/// A status list as Bitstring Status List credential
///
/// W3C Bitstring Status List v1.0 in VCDM 2.0 as `vc+jwt`, signed by the issuer. Derived from the bits.
#[utoipa::path(
    get, path = "/v1/status-lists/{did}/{list}/bitstring", operation_id = "readBitstringStatusList",
    tag = "registries",
    params(
        ("did" = String, Path, description = "The issuer's DID, percent-encoded or not"),
        ("list" = String, Path, description = "The list's name"),
    ),
    responses((status = 200, description = "The credential", body = String, content_type = "application/vc+jwt"))
)]
pub(crate) async fn bitstring(
    State(api): State<Api>,
    path: ListPath,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Result<Answer, Problem> {
    token(&api, path, TokenFormat::Bitstring, "application/vc+jwt").await
}

/// A status list as Token Status List
///
/// The IETF's, as `statuslist+jwt`, signed by the issuer. Derived from the bits.
#[utoipa::path(
    get, path = "/v1/status-lists/{did}/{list}/token", operation_id = "readTokenStatusList", tag = "registries",
    params(
        ("did" = String, Path, description = "The issuer's DID, percent-encoded or not"),
        ("list" = String, Path, description = "The list's name"),
    ),
    responses((status = 200, description = "The token", body = String, content_type = "application/statuslist+jwt"))
)]
pub(crate) async fn token_status_list(
    State(api): State<Api>,
    path: ListPath,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Result<Answer, Problem> {
    token(&api, path, TokenFormat::TokenStatusList, "application/statuslist+jwt").await
}
