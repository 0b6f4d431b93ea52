//! `POST /v1/batches`: the root of a tree whose documents the caller keeps, for folders of millions and archives of its own.
//!
//! The gateway sees a root and a count, signs them as they are, and hands over the receipt of the record without an opening: openings,
//! salts and digests stay where the tree was made (FORMATS.md, "Commitments and batches"). A batch has its record alone, so that its
//! reference stands on the ledger.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use serde::Deserialize;
use testamur_api::problem::{self as http, Problem};
use testamur_client::batch::BatchRoot;
use testamur_primitives::codec;
use testamur_primitives::hash::TreeHash;
use testamur_primitives::limits::BATCH_COUNT_MAX;
use testamur_primitives::record::{BatchTree, Reference};

use crate::guard::Caller;
use crate::limits::BATCH_BYTES_MAX;
use crate::problem::{BATCH, GatewayProblem};
use crate::records::Content;
use crate::routes::{Answer, App, Begun, read_json};

/// Name of a batch's receipt, as a file.
const RECEIPT_NAME: &str = "batch.receipt.json";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    tree: BatchTree,
    root: TreeHash,
    count: u64,
    #[serde(rename = "ref", default)]
    reference: Option<Reference>,
}

/// Notarises a root.
pub(crate) async fn notarise(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Answer {
    let mut begun = Begun::of(&app, &caller, &request)?;
    if begun.options.is_for_documents() {
        let detail = "the query of a batch takes async, nothing else; its reference is in the body";
        return Err(Problem::new(&http::QUERY, detail).into());
    }
    let body = read_json(&app, request, BATCH_BYTES_MAX).await?;
    let body: Body = codec::from_strict(&body).map_err(|error| {
        let detail =
            format!("expected tree (rfc6962-sha256), root, count, and ref or none: {error}; nothing was notarised");
        GatewayProblem::new(&BATCH, detail)
    })?;
    let Body { tree, root, count, reference } = body;
    if !(1..=BATCH_COUNT_MAX).contains(&count) {
        let detail = format!("count is 1 to {BATCH_COUNT_MAX}; nothing was notarised");
        return Err(GatewayProblem::new(&BATCH, detail));
    }
    begun.options.reference = reference;
    begun.finish(&app, caller, Content::Root(BatchRoot { tree, root, count }), None, Some(RECEIPT_NAME)).await
}
