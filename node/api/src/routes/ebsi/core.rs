//! EBSI Core v1: other paths of the DID and issuers registries, served by the same handlers, and what stands beside them.

use axum::extract::State;
use serde::Serialize;
use testamur_primitives::codec::sha256;
use utoipa::ToSchema;

use super::{Lane, checksummed};
use crate::answer::{Answer, Caching};
use crate::app::Api;
use crate::problem::Problem;

/// What a registry is known by.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RegistryDetails {
    /// An address that names this registry of this network. No contract of another ledger stands behind it.
    contract_address: String,
    /// Where the registry begins.
    href: String,
}

async fn details(api: &Api, lane: &Lane, name: &str) -> Answer {
    let network = api.node().reader.genesis().hash();
    let hash = sha256(&[b"testamur/registry-address/v1\n", network.as_bytes(), name.as_bytes()]);
    let address = hash[..20].try_into().expect("20 of 32 bytes");
    let details = RegistryDetails { contract_address: checksummed(&address), href: lane.url("") };
    Answer::json(&details, Caching::WhileUnchanged)
}

/// The DID registry
///
/// The address that names it.
#[utoipa::path(
    get, path = "/v1/did-registry/details", operation_id = "coreReadDidRegistry", tag = "ebsi-core",
    responses((status = 200, description = "What it is known by", body = RegistryDetails))
)]
pub(crate) async fn did_registry(State(api): State<Api>, lane: Lane) -> Result<Answer, Problem> {
    Ok(details(&api, &lane, "did-registry").await)
}

/// The issuers registry
///
/// The address that names it.
#[utoipa::path(
    get, path = "/v1/issuers-registry/details", operation_id = "coreReadIssuersRegistry", tag = "ebsi-core",
    responses((status = 200, description = "What it is known by", body = RegistryDetails))
)]
pub(crate) async fn issuers_registry(State(api): State<Api>, lane: Lane) -> Result<Answer, Problem> {
    Ok(details(&api, &lane, "issuers-registry").await)
}

/// Whether a node is well.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Alive {
    /// 1 when it is ready, 0 when it is not.
    health_global: u8,
}

/// Whether this node is well
///
/// In EBSI Core's words. `/v1/status` says why it is not.
#[utoipa::path(
    get, path = "/v1/alive", operation_id = "coreReadAlive", tag = "ebsi-core",
    responses((status = 200, description = "1 or 0", body = Alive))
)]
pub(crate) async fn alive(State(api): State<Api>) -> Result<Answer, Problem> {
    let health_global = u8::from(api.node().health.problems().is_empty());
    Ok(Answer::json(&Alive { health_global }, Caching::Revalidate))
}
