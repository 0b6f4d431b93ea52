//! Trusted policies registry v3: the little of it that verifiers read. Nobody edits it here: who may accredit follows
//! from the accreditations themselves.

use std::collections::BTreeSet;

use axum::extract::State;
use serde::Serialize;
use testamur_primitives::did::Did;
use testamur_primitives::hash::AttributeId;
use testamur_primitives::identity::{self, Relationship, ebsi_address};
use testamur_primitives::issuers::chain::trust_chain;
use testamur_primitives::issuers::{self, IssuerType};
use testamur_primitives::key::PublicKey;
use testamur_primitives::units::UnixTime;
use utoipa::ToSchema;

use super::paging::{EbsiPage, Paging, PagingParameters};
use super::problem::{invalid, not_found};
use super::{Asked, Lane, checksummed, controls, dids_of, now, parse_address};
use crate::answer::{Answer, Caching};
use crate::app::Api;
use crate::ledger::{ReadError, Registry};
use crate::problem::Problem;
use crate::registry::{Refusal, Snapshot, filtered};
use crate::request::Segment;

/// What an address of a Root TAO may do, in EBSI's names, and what that means.
const POLICIES: [(&str, &str); 3] = [
    ("TIR:insertIssuer", "To make issuers: a Root TAO reserves the places of accreditations."),
    ("TIR:updateIssuer", "To change issuers: a Root TAO renews and ends the accreditations that it gave."),
    ("TIR:setAttributeMetadata", "To say who is accredited as what, and when that ends."),
];

/// A policy and where more is found.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PolicyLink {
    /// Its name.
    policy_name: String,
    /// Where more is found.
    href: String,
}

/// A policy.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PolicyObject {
    /// Its number.
    policy_id: String,
    /// Its name.
    policy_name: String,
    /// What it means.
    description: String,
    /// Empty: nothing is computed.
    operation_type: String,
    /// Whether it is in force: always.
    status: bool,
    /// None.
    policy_conditions: Vec<String>,
}

/// A user and where more is found.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct UserLink {
    /// Its address.
    user: String,
    /// Where more is found.
    href: String,
}

/// A user.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UserObject {
    /// Its address.
    #[schema(example = "0x4E3086174CBDffc2EfF71241b6e9008030515C1B")]
    user: String,
    /// What it may do.
    attributes: Vec<&'static str>,
}

/// Policies
///
/// The three that a Root TAO meets.
#[utoipa::path(
    get, path = "/trusted-policies-registry/v3/policies", operation_id = "ebsiListPolicies", tag = "ebsi",
    params(PagingParameters),
    responses((status = 200, description = "A page of policies", body = EbsiPage<PolicyLink>))
)]
pub(crate) async fn list(lane: Lane, asked: Asked) -> Result<Answer, Problem> {
    let link = |(name, _): (&str, _)| PolicyLink {
        policy_name: name.to_owned(),
        href: lane.href(&format!("/policies/{name}")),
    };
    let links: Vec<_> = POLICIES.into_iter().map(link).collect();
    Ok(Answer::json(&Paging::new(&asked)?.of(&lane, "/policies", &links), Caching::WhileUnchanged))
}

/// A policy
///
/// By its name or number.
#[utoipa::path(
    get, path = "/trusted-policies-registry/v3/policies/{policy}", operation_id = "ebsiReadPolicy", tag = "ebsi",
    params(("policy" = String, Path, description = "Its name or number")),
    responses((status = 200, description = "The policy", body = PolicyObject))
)]
pub(crate) async fn one(policy: Segment) -> Result<Answer, Problem> {
    let wanted: String = policy.0.chars().take(80).collect();
    let found = (1..).zip(POLICIES).find(|(number, (name, _))| *name == wanted || number.to_string() == wanted);
    let missing = || not_found("Policy Not Found", format!("Policy {wanted} not found"));
    let (number, (name, description)) = found.ok_or_else(missing)?;
    let object = PolicyObject {
        policy_id: number.to_string(),
        policy_name: name.into(),
        description: description.into(),
        operation_type: String::new(),
        status: true,
        policy_conditions: Vec::new(),
    };
    Ok(Answer::json(&object, Caching::WhileUnchanged))
}

/// Whether an accreditation makes a Root TAO of its subject now.
fn root_in_force(state: &Snapshot<'_>, id: AttributeId, now: UnixTime) -> Result<Option<Did>, Refusal> {
    let Some(entry) = issuers::attribute(state, id)?.filter(|entry| entry.issuer_type == IssuerType::RootTao) else {
        return Ok(None);
    };
    Ok(trust_chain(state, id, now)?.is_ok().then_some(entry.subject))
}

/// Users
///
/// The addresses of the Root TAOs: of each secp256k1 key with which one may change registries now.
#[utoipa::path(
    get, path = "/trusted-policies-registry/v3/users", operation_id = "ebsiListUsers", tag = "ebsi",
    params(PagingParameters),
    responses((status = 200, description = "A page of users", body = EbsiPage<UserLink>))
)]
pub(crate) async fn users(State(api): State<Api>, lane: Lane, asked: Asked) -> Result<Answer, Problem> {
    let paging = Paging::new(&asked)?;
    let read = move |registry: &dyn Registry| {
        let (state, now) = (Snapshot(registry), now(registry));
        let mut addresses = BTreeSet::new();
        filtered(registry, "attribute", "type:root-tao", |id| {
            let id = id.parse().map_err(|_| ReadError::Fatal(format!("the index names {id:?}, no attribute")))?;
            let Some(root) = root_in_force(&state, id, now)? else { return Ok(false) };
            let Some(document) = identity::newest(&state, &root)?.filter(|d| !d.deactivated) else { return Ok(false) };
            for method in &document.methods {
                let usable = method.check(&[Relationship::CapabilityInvocation], now).is_ok();
                let key = PublicKey::from_jwk(&method.key).ok().filter(|_| usable);
                addresses.extend(key.as_ref().and_then(ebsi_address));
            }
            Ok(true)
        })?;
        let link = |address: &[u8; 20]| {
            let user = checksummed(address);
            UserLink { href: lane.href(&format!("/users/{user}")), user }
        };
        let links: Vec<_> = addresses.iter().map(link).collect();
        Ok(paging.of(&lane, "/users", &links))
    };
    Ok(Answer::json(&api.registry(read).await?, Caching::WhileUnchanged))
}

/// A user
///
/// What an address may do: everything that a Root TAO may, if it is of a key with which one may change registries now.
#[utoipa::path(
    get, path = "/trusted-policies-registry/v3/users/{address}", operation_id = "ebsiReadUser", tag = "ebsi",
    params(("address" = String, Path, description = "`0x` and 40 hexadecimal digits")),
    responses((status = 200, description = "The user", body = UserObject))
)]
pub(crate) async fn user(State(api): State<Api>, address: Segment) -> Result<Answer, Problem> {
    let malformed = || invalid(&["address must be an Ethereum address".into()]);
    let address = parse_address(&address.0).ok_or_else(malformed)?;
    let read = move |registry: &dyn Registry| {
        let (state, now) = (Snapshot(registry), now(registry));
        let user = checksummed(&address);
        for claim in dids_of(&state, &address)?.into_iter().rev() {
            let document = identity::newest(&state, &claim.did)?;
            if !document.is_some_and(|document| controls(&document, &address, now)) {
                continue;
            }
            let Some(issuer) = issuers::issuer(&state, &claim.did)? else { continue };
            for id in issuer.attributes {
                if root_in_force(&state, id, now)?.is_some() {
                    return Ok(UserObject { user, attributes: POLICIES.map(|(name, _)| name).to_vec() });
                }
            }
        }
        Err(not_found("User Not Found", format!("User {user} not found")).into())
    };
    Ok(Answer::json(&api.registry(read).await?, Caching::WhileUnchanged))
}
