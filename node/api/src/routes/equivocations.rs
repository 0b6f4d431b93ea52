//! Proofs that a validator signed two things where it may sign one.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use testamur_primitives::equivocation::Equivocation;
use utoipa::{IntoParams, ToSchema};

use crate::answer::{Answer, Caching};
use crate::app::Api;
use crate::problem::Problem;
use crate::request::{Parameters, usual_page_items};
use crate::schemas::EquivocationSchema;

/// Which proofs.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct EquivocationParameters {
    /// Place of the first one, from 0: what `next` sets.
    start: Option<usize>,
    /// At most this many.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<usize>,
}

/// A page of proofs of equivocation, in the order in which this node found them.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EquivocationPage {
    /// The proofs.
    #[schema(value_type = Vec<EquivocationSchema>)]
    pub(crate) equivocations: Vec<Equivocation>,
    /// How many this node keeps.
    pub(crate) total: usize,
    /// The next page, when there is one.
    pub(crate) next: Option<String>,
}

/// Equivocations
///
/// Proofs that this node keeps of validators that signed two different messages for one height, round and step: they lie, or
/// their key is in two hands. Each proof stands alone: the two messages follow from its members (`FORMATS.md`, "Votes"), and
/// both signatures verify with the validator's consensus key of that height (`/v1/epochs`). Other nodes may have found
/// others. A node that does not vote finds none.
#[utoipa::path(
    get, path = "/v1/equivocations", operation_id = "listEquivocations", tag = "network", params(EquivocationParameters),
    responses((status = 200, description = "A page of proofs", body = EquivocationPage))
)]
pub(crate) async fn list(
    State(api): State<Api>,
    Parameters(parameters): Parameters<EquivocationParameters>,
) -> Result<Answer, Problem> {
    let limit = usual_page_items(parameters.limit)?;
    let start = parameters.start.unwrap_or(0);
    let (equivocations, total) = api.node().health.equivocations(start, limit);
    let after = start.saturating_add(equivocations.len());
    let next = (after < total).then(|| format!("/v1/equivocations?start={after}&limit={limit}"));
    Ok(Answer::json(&EquivocationPage { equivocations, total, next }, Caching::Revalidate))
}
