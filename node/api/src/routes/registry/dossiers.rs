//! Dossiers: versioned digests with owners.

use axum::extract::State;
use serde::Deserialize;
use testamur_primitives::dossiers;
use utoipa::IntoParams;

use super::views::{DossierView, ObjectList};
use super::{Pages, ProofParameters, list_of, query_did};
use crate::answer::{Answer, Caching};
use crate::app::Api;
use crate::ledger::Registry;
use crate::problem::{self, Problem};
use crate::registry::prove;
use crate::request::{Parameters, Segment};

/// Which dossiers to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParameters {
    /// Only those that this DID owns or owned.
    owner: Option<String>,
    /// Number of the page, from 1.
    #[param(minimum = 1, default = 1)]
    page: Option<u64>,
    /// Items of a page.
    #[param(minimum = 1, maximum = 100, default = 50)]
    size: Option<usize>,
}

/// Dossiers
///
/// By the ids of the records that opened them, in order of arrival. Lists are not proven.
#[utoipa::path(
    get, path = "/v1/dossiers", operation_id = "listDossiers", tag = "registries", params(ListParameters),
    responses((status = 200, description = "A page of dossiers", body = ObjectList))
)]
pub(crate) async fn list(
    State(api): State<Api>,
    Parameters(ListParameters { owner, page, size }): Parameters<ListParameters>,
) -> Result<Answer, Problem> {
    let pages = Pages::new(page, size)?;
    let owner = owner.as_deref().map(|owner| query_did("owner", owner)).transpose()?;
    let (term, filters) = match owner {
        Some(owner) => (format!("owner:{owner}"), format!("&owner={owner}")),
        None => ("all".to_owned(), String::new()),
    };
    list_of(&api, pages, ("dossier", term), "/v1/dossiers", filters).await
}

/// A dossier
///
/// Its newest version and its owners.
#[utoipa::path(
    get, path = "/v1/dossiers/{id}", operation_id = "readDossier", tag = "registries",
    params(("id" = String, Path, description = "Id of the record that opened it"), ProofParameters),
    responses((status = 200, description = "The dossier", body = DossierView))
)]
pub(crate) async fn one(
    State(api): State<Api>,
    id: Segment,
    Parameters(ProofParameters { proof }): Parameters<ProofParameters>,
) -> Result<Answer, Problem> {
    let id = id.record_id()?;
    let read = move |registry: &dyn Registry| {
        let (entry, evidence) = prove(registry, proof.unwrap_or(false), |state| Ok(dossiers::newest(state, id)?))?;
        match entry {
            Some(entry) => Ok(DossierView { evidence, ..DossierView::new(id, &entry) }),
            None => {
                let detail = "no record of this id has opened a dossier";
                Err(Problem::new(&problem::NOT_FOUND, detail).with_evidence(evidence).into())
            }
        }
    };
    Ok(Answer::json(&api.registry(read).await?, Caching::WhileUnchanged))
}
