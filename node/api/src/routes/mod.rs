//! The table of all public routes. The router is built from it and the OpenAPI document is checked against it, so a
//! route that is not documented does not exist (INV-API-1).

pub(crate) mod blocks;
pub(crate) mod documents;
pub(crate) mod log;
pub(crate) mod network;
pub(crate) mod notarisations;
pub(crate) mod proofs;
pub(crate) mod records;
pub(crate) mod registry;

use axum::routing::{MethodRouter, get, post};

use crate::app::Api;
use crate::problem::{
    BODY, CONTENT_ENCODING, FAILED, Kind, LENGTH_REQUIRED, MEDIA_TYPE, NOT_ACCEPTABLE, NOT_FINAL, NOT_FOUND, NOT_READY,
    OVERLOAD, PATH, POOL_FULL, QUERY, QUERY_TOO_LONG, SLOW_BODY, TIMEOUT, TOO_LARGE,
};

/// A route: where it is, what handles it, and which problems it answers beside those that every route has.
pub(crate) struct Route {
    /// The router's pattern.
    pub(crate) path: &'static str,
    /// The path in the OpenAPI document, where it differs.
    pub(crate) documented: &'static str,
    /// The methods and their handlers.
    pub(crate) handlers: MethodRouter<Api>,
    /// The methods with the kinds of problems of each.
    pub(crate) operations: Vec<Operation>,
}

/// A method of a route.
pub(crate) struct Operation {
    /// Lower-case name, as in OpenAPI.
    pub(crate) method: &'static str,
    /// Kinds of problems it answers.
    pub(crate) problems: Vec<Kind>,
}

/// Problems that every route can answer.
pub(crate) const EVERYWHERE: [Kind; 6] = [QUERY, QUERY_TOO_LONG, LENGTH_REQUIRED, OVERLOAD, TIMEOUT, FAILED];

fn read(path: &'static str, handlers: MethodRouter<Api>, problems: &[Kind]) -> Route {
    let operation = Operation { method: "get", problems: problems.to_vec() };
    Route { path, documented: path, handlers, operations: vec![operation] }
}

/// All public routes.
pub(crate) fn table() -> Vec<Route> {
    let submission = [MEDIA_TYPE, CONTENT_ENCODING, TOO_LARGE, SLOW_BODY, BODY, POOL_FULL, NOT_READY];
    let records = Route {
        path: "/v1/records",
        documented: "/v1/records",
        handlers: get(records::list).merge(post(records::submit)),
        operations: vec![
            Operation { method: "get", problems: vec![NOT_READY] },
            Operation { method: "post", problems: submission.to_vec() },
        ],
    };
    let tile = read("/log/tile/{*tile}", get(log::tile), &[PATH, NOT_FOUND, NOT_READY]);
    vec![
        records,
        read("/v1/records/{id}", get(records::one), &[PATH, NOT_FOUND, NOT_FINAL, NOT_ACCEPTABLE, NOT_READY]),
        read(
            "/v1/records/{id}/receipt",
            get(records::receipt),
            &[PATH, NOT_FOUND, NOT_FINAL, NOT_ACCEPTABLE, NOT_READY],
        ),
        read("/v1/notarisations", get(notarisations::list), &[NOT_READY]),
        read("/v1/blocks", get(blocks::list), &[NOT_READY]),
        read("/v1/blocks/{height}", get(blocks::one), &[PATH, NOT_FOUND, NOT_READY]),
        read("/v1/checkpoints/latest", get(proofs::latest_checkpoint), &[NOT_FOUND, NOT_ACCEPTABLE, NOT_READY]),
        read("/v1/checkpoints/{height}", get(proofs::checkpoint), &[PATH, NOT_FOUND, NOT_ACCEPTABLE, NOT_READY]),
        read("/v1/consistency", get(proofs::consistency), &[NOT_FOUND, NOT_READY]),
        read("/v1/history", get(proofs::history), &[NOT_FOUND, NOT_READY]),
        read("/v1/epochs", get(network::epochs), &[NOT_READY]),
        read("/v1/network", get(network::network), &[NOT_READY]),
        read("/v1/genesis", get(network::genesis), &[]),
        read("/v1/status", get(network::status), &[]),
        read("/log/checkpoint", get(log::checkpoint), &[NOT_FOUND, NOT_READY]),
        Route { documented: "/log/tile/{tile}", ..tile },
        read("/log/policy/{epoch}", get(log::policy), &[PATH, NOT_FOUND, NOT_READY]),
        read("/v1/dids", get(registry::dids::list), &[NOT_READY]),
        read("/v1/dids/{did}", get(registry::dids::one), &[PATH, NOT_FOUND, NOT_READY]),
        read("/v1/dids/{did}/history", get(registry::dids::history), &[PATH, NOT_FOUND, NOT_READY]),
        read("/v1/issuers", get(registry::issuers::list), &[NOT_READY]),
        read("/v1/issuers/{did}", get(registry::issuers::one), &[PATH, NOT_FOUND, NOT_READY]),
        read("/v1/accreditations", get(registry::issuers::accreditations), &[NOT_READY]),
        read("/v1/accreditations/{attribute}", get(registry::issuers::accreditation), &[PATH, NOT_FOUND, NOT_READY]),
        read("/v1/trust-chains", get(registry::chains::of_issuer), &[NOT_READY]),
        read("/v1/trust-chains/{attribute}", get(registry::chains::of_accreditation), &[PATH, NOT_READY]),
        read("/v1/schemas", get(registry::schemas::list), &[NOT_READY]),
        read("/v1/schemas/{schema}", get(registry::schemas::one), &[PATH, NOT_FOUND, NOT_READY]),
        read("/v1/status-lists", get(registry::status::list), &[NOT_READY]),
        read("/v1/status-lists/{did}/{list}", get(registry::status::one), &[PATH, NOT_FOUND, NOT_READY]),
        read("/v1/status-lists/{did}/{list}/bits", get(registry::status::bits), &[PATH, NOT_FOUND, NOT_READY]),
        read(
            "/v1/status-lists/{did}/{list}/status-list-2021",
            get(registry::status::status_list_2021),
            &[PATH, NOT_FOUND, NOT_READY],
        ),
        read(
            "/v1/status-lists/{did}/{list}/bitstring",
            get(registry::status::bitstring),
            &[PATH, NOT_FOUND, NOT_READY],
        ),
        read(
            "/v1/status-lists/{did}/{list}/token",
            get(registry::status::token_status_list),
            &[PATH, NOT_FOUND, NOT_READY],
        ),
        read("/v1/dossiers", get(registry::dossiers::list), &[NOT_READY]),
        read("/v1/dossiers/{id}", get(registry::dossiers::one), &[PATH, NOT_FOUND, NOT_READY]),
        read("/v1/state", get(registry::state::evidence), &[NOT_READY]),
        read("/v1/attachments/{sha256}", get(registry::state::attachment), &[PATH, NOT_FOUND, NOT_READY]),
        read("/v1/openapi.json", get(documents::openapi), &[]),
        read("/docs", get(documents::docs), &[]),
    ]
}
