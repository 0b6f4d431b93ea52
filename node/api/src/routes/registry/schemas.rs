//! Credential schemas.

use axum::extract::State;
use serde::Deserialize;
use testamur_primitives::schemas;
use utoipa::IntoParams;

use super::views::{ObjectList, SchemaView};
use super::{PageParameters, Pages, list_of};
use crate::answer::{Answer, Caching};
use crate::app::Api;
use crate::ledger::Registry;
use crate::problem::{self, Problem};
use crate::registry::prove;
use crate::request::{Parameters, Segment};

/// Schemas
///
/// By their ids in hexadecimal, in order of arrival. Lists are not proven.
#[utoipa::path(
    get, path = "/v1/schemas", operation_id = "listSchemas", tag = "registries", params(PageParameters),
    responses((status = 200, description = "A page of schemas", body = ObjectList))
)]
pub(crate) async fn list(
    State(api): State<Api>,
    Parameters(PageParameters { page, size }): Parameters<PageParameters>,
) -> Result<Answer, Problem> {
    list_of(&api, Pages::new(page, size)?, ("schema", "all".into()), "/v1/schemas", String::new()).await
}

/// Which revision, and whether it is to be proven.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SchemaParameters {
    /// Number of the revision, from 1; the newest, when left out.
    revision: Option<u64>,
    /// `true`: with the evidence that proves the answer, absence included.
    proof: Option<bool>,
}

/// A schema
///
/// The newest revision, or one by its number.
#[utoipa::path(
    get, path = "/v1/schemas/{schema}", operation_id = "readSchema", tag = "registries",
    params(
        ("schema" = String, Path, description = "Its id: `z` and base58btc of 32 bytes, or 64 hexadecimal digits"),
        SchemaParameters,
    ),
    responses((status = 200, description = "The schema", body = SchemaView))
)]
pub(crate) async fn one(
    State(api): State<Api>,
    schema: Segment,
    Parameters(SchemaParameters { revision, proof }): Parameters<SchemaParameters>,
) -> Result<Answer, Problem> {
    let id = schema.schema()?;
    if revision == Some(0) {
        return Err(Problem::new(&problem::QUERY, "revision: counts from 1"));
    }
    let read = move |registry: &dyn Registry| {
        let (entry, evidence) = prove(registry, proof.unwrap_or(false), |state| {
            Ok(match revision {
                None => schemas::schema(state, id)?,
                Some(number) => schemas::revision(state, id, number)?,
            })
        })?;
        match entry {
            Some(entry) => Ok(SchemaView { evidence, ..SchemaView::new(id, entry) }),
            None => {
                let detail = format!("there is no such schema or revision of {id} on this ledger");
                Err(Problem::new(&problem::NOT_FOUND, detail).with_evidence(evidence).into())
            }
        }
    };
    Ok(Answer::json(&api.registry(read).await?, Caching::WhileUnchanged))
}
