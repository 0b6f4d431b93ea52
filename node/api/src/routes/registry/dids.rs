//! DID documents.

use axum::extract::State;
use serde::Deserialize;
use testamur_primitives::did::{Did, DidUrl};
use testamur_primitives::identity::{self, DidEntry};
use testamur_primitives::state::{StateReader, entry_before_head};
use testamur_primitives::units::UnixTime;
use utoipa::IntoParams;

use super::views::{DidHistory, DidVersion, DidView, ObjectList};
use super::{AtParameters, PageParameters, Pages, list_of, query_did};
use crate::answer::{Answer, Caching};
use crate::app::Api;
use crate::ledger::ReadError;
use crate::problem::{self, Problem};
use crate::registry::{Refusal, Snapshot, asked_time, decided_time, filtered, indexed_did, prove};
use crate::request::{Parameters, Segment};

/// Which DIDs to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParameters {
    /// Only DIDs that this DID controls now.
    controller: Option<String>,
    /// Only DIDs with this key: its RFC 7638 thumbprint, or a key id that ends in it.
    method: Option<String>,
    /// Number of the page, from 1.
    #[param(minimum = 1, default = 1)]
    page: Option<u64>,
    /// Items of a page.
    #[param(minimum = 1, maximum = 100, default = 50)]
    size: Option<usize>,
}

/// DIDs
///
/// The DIDs registered on the ledger, in order of arrival. Lists are not proven: a node may leave out what it likes.
#[utoipa::path(
    get, path = "/v1/dids", operation_id = "listDids", tag = "registries", params(ListParameters),
    responses((status = 200, description = "A page of DIDs", body = ObjectList))
)]
pub(crate) async fn list(
    State(api): State<Api>,
    Parameters(parameters): Parameters<ListParameters>,
) -> Result<Answer, Problem> {
    let ListParameters { controller, method, page, size } = parameters;
    let pages = Pages::new(page, size)?;
    match (controller, method) {
        (None, None) => list_of(&api, pages, ("did", "all".into()), "/v1/dids", String::new()).await,
        (None, Some(method)) => {
            let thumbprint = thumbprint(&method)?;
            let filters = format!("&method={thumbprint}");
            list_of(&api, pages, ("did", format!("method:{thumbprint}")), "/v1/dids", filters).await
        }
        (Some(controller), None) => {
            let controller = query_did("controller", &controller)?;
            let filters = format!("&controller={controller}");
            let read = move |registry: &dyn crate::ledger::Registry| {
                let state = Snapshot(registry);
                filtered(registry, "did", &format!("controller:{controller}"), |id| {
                    let entry = identity::newest(&state, &indexed_did(id)?)?;
                    Ok(entry.is_some_and(|entry| entry.controllers.contains(&controller)))
                })
            };
            let ids = api.registry(read).await?;
            let list = pages.list(pages.of(&ids), "/v1/dids", &filters, |did| format!("/v1/dids/{did}"));
            Ok(Answer::json(&list, Caching::WhileUnchanged))
        }
        (Some(_), Some(_)) => {
            Err(Problem::new(&problem::QUERY, "controller and method are two lists: ask for one of them"))
        }
    }
}

/// The thumbprint of a key, or that at the end of a key id.
fn thumbprint(text: &str) -> Result<String, Problem> {
    let fragment = match text.parse::<DidUrl>() {
        Ok(kid) => kid.fragment().to_owned(),
        Err(_) => text.to_owned(),
    };
    let ok = fragment.len() == 43 && fragment.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    let malformed = || Problem::new(&problem::QUERY, "method: a thumbprint has 43 characters of A-Z a-z 0-9 - _");
    if ok { Ok(fragment) } else { Err(malformed()) }
}

/// A DID document
///
/// As of any time since it was registered: who asks about a signature of three years ago gets the keys of then, and
/// what was learnt of them since. With `proof=true` the answer carries its evidence, and so does a 404.
#[utoipa::path(
    get, path = "/v1/dids/{did}", operation_id = "readDid", tag = "registries",
    params(("did" = String, Path, description = "The DID, percent-encoded or not"), AtParameters),
    responses((status = 200, description = "The document", body = DidView))
)]
pub(crate) async fn one(
    State(api): State<Api>,
    did: Segment,
    Parameters(parameters): Parameters<AtParameters>,
) -> Result<Answer, Problem> {
    let did = did.did()?;
    let asked = asked_time(parameters.at.as_deref())?;
    let proof = parameters.proof.unwrap_or(false);
    let read = move |registry: &dyn crate::ledger::Registry| {
        let at = decided_time(asked, registry)?;
        let (view, evidence) = prove(registry, proof, |state| view_at(state, &did, at))?;
        match view {
            Some(view) => Ok(DidView { evidence, ..view }),
            None => Err(absent(&did, at).with_evidence(evidence).into()),
        }
    };
    Ok(Answer::json(&api.registry(read).await?, Caching::WhileUnchanged))
}

/// A document as of a time.
pub(super) fn view_at<R: StateReader<Error = ReadError>>(
    state: &R,
    did: &Did,
    at: UnixTime,
) -> Result<Option<DidView>, Refusal> {
    Ok(identity::as_of(state, did, at)?.map(|entry| DidView::new(did, &entry, at)))
}

fn absent(did: &Did, at: UnixTime) -> Problem {
    let detail = match did.is_key() {
        true => "a did:key is not registered: its key is in its name".to_owned(),
        false => format!("{did} was not registered on this ledger at {at}"),
    };
    Problem::new(&problem::NOT_FOUND, detail)
}

/// The versions of a DID document
///
/// Each version with the record that made it, oldest first.
#[utoipa::path(
    get, path = "/v1/dids/{did}/history", operation_id = "listDidVersions", tag = "registries",
    params(("did" = String, Path, description = "The DID, percent-encoded or not"), PageParameters),
    responses((status = 200, description = "A page of versions", body = DidHistory))
)]
pub(crate) async fn history(
    State(api): State<Api>,
    did: Segment,
    Parameters(PageParameters { page, size }): Parameters<PageParameters>,
) -> Result<Answer, Problem> {
    let did = did.did()?;
    let pages = Pages::new(page, size)?;
    let read = move |registry: &dyn crate::ledger::Registry| {
        let state = Snapshot(registry);
        let Some(newest) = identity::newest(&state, &did)? else {
            return Err(absent(&did, registry.header().time).into());
        };
        let object = identity::keys::did(&did);
        let first = (pages.page - 1).saturating_mul(pages.size as u64).saturating_add(1);
        let versions = (first..=newest.seq)
            .take(pages.size)
            .map(|seq| Ok(DidVersion::new(&entry_before_head::<DidEntry, _>(&state, &object, seq)?)))
            .collect::<Result<_, Refusal>>()?;
        let next = pages.next(newest.seq, &format!("/v1/dids/{did}/history"), "");
        Ok(DidHistory { did: did.to_string(), versions, total: newest.seq, next })
    };
    Ok(Answer::json(&api.registry(read).await?, Caching::WhileUnchanged))
}
