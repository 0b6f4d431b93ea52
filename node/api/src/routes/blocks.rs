//! Blocks: their headers and which records they appended.

use axum::extract::State;
use serde::Deserialize;
use testamur_primitives::units::Height;
use utoipa::IntoParams;

use crate::answer::{Answer, Caching};
use crate::app::Api;
use crate::problem::Problem;
use crate::request::{NoParameters, Parameters, Segment, usual_page_items};
use crate::views::{BlockPage, BlockSummary, BlockView};

/// Which blocks.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParameters {
    /// Only blocks below this height: what `next` sets.
    before: Option<u64>,
    /// At most this many.
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: Option<usize>,
}

/// Blocks
///
/// Newest first, a page at a time.
#[utoipa::path(
    get, path = "/v1/blocks", operation_id = "listBlocks", tag = "blocks", params(ListParameters),
    responses((status = 200, description = "A page of blocks", body = BlockPage))
)]
pub(crate) async fn list(
    State(api): State<Api>,
    Parameters(parameters): Parameters<ListParameters>,
) -> Result<Answer, Problem> {
    let limit = usual_page_items(parameters.limit)?;
    let headers = match parameters.before {
        Some(0) => Vec::new(),
        before => {
            let newest = Height(before.map_or(u64::MAX, |b| b - 1));
            api.read(move |reader| reader.headers(newest, limit)).await?
        }
    };
    let last = headers.last().map_or(0, |h| h.height.0);
    let next = (last > 0).then(|| format!("/v1/blocks?before={last}&limit={limit}"));
    let blocks = headers.iter().map(BlockSummary::new).collect();
    Ok(Answer::json(&BlockPage { blocks, next }, Caching::Revalidate))
}

/// One block
///
/// Header and record ids. Its certificate is the checkpoint of the same height: certificates differ between nodes,
/// blocks do not.
#[utoipa::path(
    get, path = "/v1/blocks/{height}", operation_id = "readBlock", tag = "blocks",
    params(("height" = u64, Path, description = "Height; genesis is 0")),
    responses((status = 200, description = "The block", body = BlockView))
)]
pub(crate) async fn one(
    State(api): State<Api>,
    height: Segment,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Result<Answer, Problem> {
    let height = Height(height.number("a height")?);
    let missing = || format!("height {height} is not decided yet");
    let block = api.find(missing, move |reader| reader.block(height)).await?;
    Ok(Answer::json(&BlockView::new(block), Caching::Immutable))
}
