//! The table of all public routes. The router is built from it and the OpenAPI document is checked against it, so a
//! route that is not documented does not exist (INV-API-1).

pub(crate) mod blocks;
pub(crate) mod documents;
pub(crate) mod ebsi;
pub(crate) mod equivocations;
pub(crate) mod governance;
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
    /// The path that this one is another name of, with the same handlers.
    pub(crate) alias_of: Option<&'static str>,
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
    Route { path, documented: path, handlers, operations: vec![operation], alias_of: None }
}

/// A read of EBSI's interfaces.
fn ebsi_read(path: &'static str, handlers: MethodRouter<Api>) -> Route {
    read(path, handlers, &[QUERY, NOT_FOUND, NOT_READY])
}

/// The same under EBSI Core's path.
fn core_read(path: &'static str, alias_of: &'static str, handlers: MethodRouter<Api>) -> Route {
    Route { alias_of: Some(alias_of), ..ebsi_read(path, handlers) }
}

/// All public routes.
pub(crate) fn table() -> Vec<Route> {
    [native(), interfaces_of_ebsi()].into_iter().flatten().collect()
}

fn native() -> Vec<Route> {
    let submission = [MEDIA_TYPE, CONTENT_ENCODING, TOO_LARGE, SLOW_BODY, BODY, POOL_FULL, NOT_READY];
    let records = Route {
        path: "/v1/records",
        documented: "/v1/records",
        handlers: get(records::list).merge(post(records::submit)),
        operations: vec![
            Operation { method: "get", problems: vec![NOT_READY] },
            Operation { method: "post", problems: submission.to_vec() },
        ],
        alias_of: None,
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
        read("/v1/blocks/stream", get(blocks::stream), &[NOT_READY]),
        read("/v1/blocks/{height}", get(blocks::one), &[PATH, NOT_FOUND, NOT_READY]),
        read("/v1/checkpoints/latest", get(proofs::latest_checkpoint), &[NOT_FOUND, NOT_ACCEPTABLE, NOT_READY]),
        read("/v1/checkpoints/{height}", get(proofs::checkpoint), &[PATH, NOT_FOUND, NOT_ACCEPTABLE, NOT_READY]),
        read("/v1/consistency", get(proofs::consistency), &[NOT_FOUND, NOT_READY]),
        read("/v1/history", get(proofs::history), &[NOT_FOUND, NOT_READY]),
        read("/v1/epochs", get(network::epochs), &[NOT_READY]),
        read("/v1/equivocations", get(equivocations::list), &[]),
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
        read("/v1/governance", get(governance::now), &[NOT_READY]),
        read("/v1/governance/proposals", get(governance::proposals), &[NOT_READY]),
        read("/v1/governance/proposals/{id}", get(governance::proposal), &[PATH, NOT_FOUND, NOT_READY]),
        read("/v1/governance/set-change", get(governance::set_change), &[NOT_FOUND, NOT_READY]),
        read("/v1/openapi.json", get(documents::openapi), &[]),
        read("/docs", get(documents::docs), &[]),
    ]
}

fn interfaces_of_ebsi() -> Vec<Route> {
    use ebsi::{core, did, issuers, policies, resolver, schemas, timestamp};
    let actions = Route {
        path: "/did-registry/v5/identifiers/{did}/actions",
        documented: "/did-registry/v5/identifiers/{did}/actions",
        handlers: post(did::actions),
        operations: vec![Operation {
            method: "post",
            problems: vec![NOT_FOUND, TOO_LARGE, SLOW_BODY, BODY, NOT_READY],
        }],
        alias_of: None,
    };
    let mut routes = vec![
        ebsi_read("/did-registry/v5/identifiers", get(did::list)),
        ebsi_read("/did-registry/v5/identifiers/{did}", get(did::one)),
        actions,
        ebsi_read("/trusted-issuers-registry/v5/issuers", get(issuers::list)),
        ebsi_read("/trusted-issuers-registry/v5/issuers/{did}", get(issuers::one)),
        ebsi_read("/trusted-issuers-registry/v5/issuers/{did}/attributes", get(issuers::attributes)),
        ebsi_read("/trusted-issuers-registry/v5/issuers/{did}/attributes/{attribute}", get(issuers::attribute)),
        ebsi_read(
            "/trusted-issuers-registry/v5/issuers/{did}/attributes/{attribute}/revisions",
            get(issuers::revisions),
        ),
        ebsi_read(
            "/trusted-issuers-registry/v5/issuers/{did}/attributes/{attribute}/revisions/{revision}",
            get(issuers::revision),
        ),
        ebsi_read("/trusted-issuers-registry/v5/issuers/{did}/proxies", get(issuers::proxies)),
        ebsi_read("/trusted-issuers-registry/v5/issuers/{did}/proxies/{proxy}", get(issuers::proxy)),
        ebsi_read(
            "/trusted-issuers-registry/v5/issuers/{did}/proxies/{proxy}/credentials/status/{list}",
            get(issuers::status_list),
        ),
        ebsi_read("/trusted-schemas-registry/v3/schemas", get(schemas::list)),
        ebsi_read("/trusted-schemas-registry/v3/schemas/{schema}", get(schemas::one)),
        ebsi_read("/trusted-schemas-registry/v3/schemas/{schema}/revisions", get(schemas::revisions)),
        ebsi_read("/trusted-schemas-registry/v3/schemas/{schema}/revisions/{revision}", get(schemas::revision)),
        ebsi_read(
            "/trusted-schemas-registry/v3/schemas/{schema}/revisions/{revision}/metadata",
            get(schemas::metadata),
        ),
        ebsi_read(
            "/trusted-schemas-registry/v3/schemas/{schema}/revisions/{revision}/metadata/{metadata}",
            get(schemas::one_metadata),
        ),
        ebsi_read("/trusted-policies-registry/v3/policies", get(policies::list)),
        ebsi_read("/trusted-policies-registry/v3/policies/{policy}", get(policies::one)),
        ebsi_read("/trusted-policies-registry/v3/users", get(policies::users)),
        ebsi_read("/trusted-policies-registry/v3/users/{address}", get(policies::user)),
        ebsi_read("/timestamp/v4/hash-algorithms", get(timestamp::hash_algorithms)),
        ebsi_read("/timestamp/v4/hash-algorithms/{id}", get(timestamp::hash_algorithm)),
        ebsi_read("/timestamp/v4/timestamps", get(timestamp::timestamps)),
        ebsi_read("/timestamp/v4/timestamps/{id}", get(timestamp::timestamp)),
        ebsi_read("/timestamp/v4/records", get(timestamp::records)),
        ebsi_read("/timestamp/v4/records/{id}", get(timestamp::record)),
        ebsi_read("/timestamp/v4/records/{id}/versions", get(timestamp::versions)),
        ebsi_read("/timestamp/v4/records/{id}/versions/{version}", get(timestamp::version)),
        read("/v1/did-registry/details", get(core::did_registry), &[]),
        read("/v1/issuers-registry/details", get(core::issuers_registry), &[]),
        read("/v1/alive", get(core::alive), &[]),
        read("/1.0/identifiers/{did}", get(resolver::resolve), &[]),
    ];
    routes.extend([
        core_read("/v1/did-registry/identifiers", "/did-registry/v5/identifiers", get(did::list)),
        core_read("/v1/did-registry/identifiers/{did}", "/did-registry/v5/identifiers/{did}", get(did::one)),
        core_read("/v1/issuers-registry/issuers", "/trusted-issuers-registry/v5/issuers", get(issuers::list)),
        core_read(
            "/v1/issuers-registry/issuers/{did}",
            "/trusted-issuers-registry/v5/issuers/{did}",
            get(issuers::one),
        ),
        core_read(
            "/v1/issuers-registry/issuers/{did}/attributes",
            "/trusted-issuers-registry/v5/issuers/{did}/attributes",
            get(issuers::attributes),
        ),
        core_read(
            "/v1/issuers-registry/issuers/{did}/attributes/{attribute}",
            "/trusted-issuers-registry/v5/issuers/{did}/attributes/{attribute}",
            get(issuers::attribute),
        ),
        core_read(
            "/v1/issuers-registry/issuers/{did}/attributes/{attribute}/revisions",
            "/trusted-issuers-registry/v5/issuers/{did}/attributes/{attribute}/revisions",
            get(issuers::revisions),
        ),
        core_read(
            "/v1/issuers-registry/issuers/{did}/attributes/{attribute}/revisions/{revision}",
            "/trusted-issuers-registry/v5/issuers/{did}/attributes/{attribute}/revisions/{revision}",
            get(issuers::revision),
        ),
        core_read(
            "/v1/issuers-registry/issuers/{did}/proxies",
            "/trusted-issuers-registry/v5/issuers/{did}/proxies",
            get(issuers::proxies),
        ),
        core_read(
            "/v1/issuers-registry/issuers/{did}/proxies/{proxy}",
            "/trusted-issuers-registry/v5/issuers/{did}/proxies/{proxy}",
            get(issuers::proxy),
        ),
        core_read(
            "/v1/issuers-registry/issuers/{did}/proxies/{proxy}/credentials/status/{list}",
            "/trusted-issuers-registry/v5/issuers/{did}/proxies/{proxy}/credentials/status/{list}",
            get(issuers::status_list),
        ),
    ]);
    routes
}
