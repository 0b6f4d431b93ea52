//! Checkpoints and the proofs between them.

use axum::extract::State;
use axum::http::HeaderMap;
use serde::Deserialize;
use testamur_primitives::hash::TreeHash;
use testamur_primitives::units::{Height, LogSize};
use utoipa::IntoParams;

use crate::answer::{Answer, Caching, JSON, TEXT, negotiate};
use crate::app::Api;
use crate::ledger::StoredCheckpoint;
use crate::problem::{self, Problem};
use crate::request::{NoParameters, Parameters, Segment};
use crate::views::{CheckpointView, ConsistencyView, HistoryView};

/// The newest checkpoint
///
/// A signed note: checkpoint, cosignatures of more than two thirds of the validators, this node's log signature. JSON
/// with the header by `Accept: application/json`.
#[utoipa::path(
    get, path = "/v1/checkpoints/latest", operation_id = "readLatestCheckpoint", tag = "proofs",
    responses((status = 200, description = "The newest checkpoint", content(
        (String = "text/plain"),
        (CheckpointView = "application/json"),
    )))
)]
pub(crate) async fn latest_checkpoint(
    State(api): State<Api>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
    headers: HeaderMap,
) -> Result<Answer, Problem> {
    let media_type = negotiate(&headers, &["text/plain", JSON])?;
    let stored = api.find(no_checkpoint_yet, |reader| reader.latest_checkpoint()).await?;
    Ok(represent(&stored, media_type, Caching::Revalidate))
}

pub(crate) fn no_checkpoint_yet() -> String {
    "the network has no checkpoint yet: its first block is still to come".into()
}

/// The checkpoint of a height
///
/// The certificate of a height, as this node stored it first. Honest nodes may hold different cosignatures of one
/// body. Genesis has none.
#[utoipa::path(
    get, path = "/v1/checkpoints/{height}", operation_id = "readCheckpoint", tag = "proofs",
    params(("height" = u64, Path, description = "Height, from 1")),
    responses((status = 200, description = "The checkpoint", content(
        (String = "text/plain"),
        (CheckpointView = "application/json"),
    )))
)]
pub(crate) async fn checkpoint(
    State(api): State<Api>,
    height: Segment,
    Parameters(NoParameters {}): Parameters<NoParameters>,
    headers: HeaderMap,
) -> Result<Answer, Problem> {
    let media_type = negotiate(&headers, &["text/plain", JSON])?;
    let height = Height(height.number("a height")?);
    let missing = || match height {
        Height(0) => "genesis has no checkpoint: it is where trust starts".into(),
        height => format!("height {height} is not decided yet"),
    };
    let stored = api.find(missing, move |reader| reader.checkpoint(height)).await?;
    Ok(represent(&stored, media_type, Caching::OnThisNode))
}

fn represent(stored: &StoredCheckpoint, media_type: &str, caching: Caching) -> Answer {
    let answer = match media_type {
        JSON => Answer::json(&CheckpointView::new(stored), caching),
        _ => Answer::new(TEXT, stored.note.to_string(), caching),
    };
    answer.negotiated()
}

/// Between which two.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ConsistencyParameters {
    /// Size of the smaller log.
    from: u64,
    /// Size of the larger log.
    to: u64,
}

/// Between which two.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct HistoryParameters {
    /// Height of the older header.
    from: u64,
    /// Height of the newer header.
    to: u64,
}

/// Proof that the log only grew
///
/// The log of `from` records is a prefix of the log of `to` records (RFC 6962 §2.1.2).
#[utoipa::path(
    get, path = "/v1/consistency", operation_id = "proveConsistency", tag = "proofs", params(ConsistencyParameters),
    responses((status = 200, description = "The proof", body = ConsistencyView))
)]
pub(crate) async fn consistency(
    State(api): State<Api>,
    Parameters(ConsistencyParameters { from, to }): Parameters<ConsistencyParameters>,
) -> Result<Answer, Problem> {
    if from > to {
        return Err(Problem::new(&problem::QUERY, "from: must not be greater than to"));
    }
    let missing = || format!("the log has fewer than {to} records");
    let proof = api.find(missing, move |reader| reader.consistency(LogSize(from), LogSize(to))).await?;
    let view = ConsistencyView {
        from,
        from_root: proof.from_root.to_string(),
        to,
        to_root: proof.to_root.to_string(),
        path: texts(&proof.path),
    };
    Ok(Answer::json(&view, Caching::Immutable))
}

/// Proof that a header precedes another
///
/// The header of height `from` lies under the history root of the header of height `to`: who trusts the newer
/// checkpoint trusts the older header, and the state that it names.
#[utoipa::path(
    get, path = "/v1/history", operation_id = "proveHistory", tag = "proofs", params(HistoryParameters),
    responses((status = 200, description = "The proof", body = HistoryView))
)]
pub(crate) async fn history(
    State(api): State<Api>,
    Parameters(HistoryParameters { from, to }): Parameters<HistoryParameters>,
) -> Result<Answer, Problem> {
    if from >= to {
        return Err(Problem::new(&problem::QUERY, "from: must be less than to"));
    }
    let missing = || format!("height {to} is not decided yet");
    let proof = api.find(missing, move |reader| reader.history(Height(from), Height(to))).await?;
    let view = HistoryView {
        from,
        from_hash: proof.from.hash().to_string(),
        from_text: proof.from.text(),
        to,
        to_hash: proof.to.hash().to_string(),
        to_text: proof.to.text(),
        history_root: proof.to.history_root.to_string(),
        path: texts(&proof.path),
    };
    Ok(Answer::json(&view, Caching::Immutable))
}

fn texts(path: &[TreeHash]) -> Vec<String> {
    path.iter().map(ToString::to_string).collect()
}
