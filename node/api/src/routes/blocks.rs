//! Blocks: their headers and which records they appended.

use axum::extract::State;
use serde::Deserialize;
use testamur_primitives::codec::canonical;
use testamur_primitives::limits::{BLOCK_STREAM_BLOCKS_MAX, BLOCK_STREAM_BYTES_MAX, JSON_INTEGER_MAX};
use testamur_primitives::stream::{FRAME_HEAD_BYTES, MAGIC, write_blocks};
use testamur_primitives::units::Height;
use utoipa::IntoParams;

use crate::answer::{Answer, Caching, LEDGER};
use crate::app::Api;
use crate::limits::STREAM_BLOCKS_DEFAULT;
use crate::problem::{self, Problem};
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

/// From where on.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct StreamParameters {
    /// Height of the first block; genesis is no block.
    #[param(minimum = 1)]
    from: u64,
    /// At most this many blocks.
    #[param(minimum = 1, maximum = 512, default = 100)]
    limit: Option<usize>,
}

/// Blocks to follow the ledger by
///
/// Whole blocks with their certificates, and the attachments that this node holds, oldest first, in the frames of
/// FORMATS.md §14: `G`, `F`, for each height `B N A*`, `Z`. An answer has at most 8 MiB, but one block always; ask again
/// from the height after its last one. Without a block when `from` is not decided yet. Nothing here needs to be believed:
/// every certificate verifies along the epochs from genesis.
#[utoipa::path(
    get, path = "/v1/blocks/stream", operation_id = "streamBlocks", tag = "blocks", params(StreamParameters),
    responses((status = 200, description = "Some blocks in a row", content_type = "application/vnd.testamur.ledger",
        body = Vec<u8>))
)]
pub(crate) async fn stream(
    State(api): State<Api>,
    Parameters(parameters): Parameters<StreamParameters>,
) -> Result<Answer, Problem> {
    let limit = parameters.limit.unwrap_or(STREAM_BLOCKS_DEFAULT);
    if !(1..=BLOCK_STREAM_BLOCKS_MAX).contains(&limit) {
        let detail = format!("limit: must be between 1 and {BLOCK_STREAM_BLOCKS_MAX}");
        return Err(Problem::new(&problem::QUERY, detail));
    }
    if !(1..=JSON_INTEGER_MAX).contains(&parameters.from) {
        return Err(Problem::new(&problem::QUERY, "from: must be a height from 1 on"));
    }
    let from = Height(parameters.from);
    let body = api
        .read(move |reader| {
            let genesis = canonical(&*reader.genesis());
            // Magic, genesis, first height, end: what is left is for blocks.
            let besides = MAGIC.len() + 3 * FRAME_HEAD_BYTES + genesis.len() + 8 + 32;
            let blocks = reader.blocks_from(from, limit, BLOCK_STREAM_BYTES_MAX.saturating_sub(besides))?;
            Ok(write_blocks(&genesis, from, &blocks))
        })
        .await?;
    Ok(Answer::new(LEDGER, body, Caching::Revalidate))
}
