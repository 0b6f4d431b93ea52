//! Trust chain bundles: everything that says whether an issuer might issue something at a time, in one answer.

use axum::extract::State;
use serde::Deserialize;
use testamur_primitives::did::Did;
use testamur_primitives::hash::AttributeId;
use testamur_primitives::issuers::accreditation::{Scope, parse_schema_id, specific_types};
use testamur_primitives::issuers::attribute;
use testamur_primitives::issuers::chain::{accredited, trust_chain};
use testamur_primitives::limits::SCOPE_TEXT_CHARS_MAX;
use testamur_primitives::record::Reference;
use testamur_primitives::status;
use testamur_primitives::units::UnixTime;
use utoipa::IntoParams;

use super::views::{ChainView, LinkView, RefusalView, StatusListView};
use super::{dids, query_did};
use crate::answer::{Answer, Caching};
use crate::app::Api;
use crate::ledger::Registry;
use crate::limits::CHAIN_LISTS_MAX;
use crate::problem::{self, Problem};
use crate::registry::{Refusal, asked_time, decided_time, prove};
use crate::request::{Parameters, Segment};

/// Of when, and with which status lists.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct BundleParameters {
    /// As of this time: RFC 3339 or POSIX seconds, not after the newest block; now, when left out.
    at: Option<String>,
    /// Names of status lists of the issuer whose newest versions are wanted too, separated by commas; at most 4.
    list: Option<String>,
}

/// Which chain is sought.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SearchParameters {
    /// The issuer's DID.
    issuer: String,
    /// Id of the credential's schema, or its URL.
    schema: Option<String>,
    /// The credential's types, separated by commas. Needs `schema`.
    r#type: Option<String>,
    /// The jurisdictions that the credential is for, separated by commas. Needs `schema`.
    jurisdiction: Option<String>,
    /// As of this time: RFC 3339 or POSIX seconds, not after the newest block; now, when left out.
    at: Option<String>,
    /// Names of status lists of the issuer whose newest versions are wanted too, separated by commas; at most 4.
    list: Option<String>,
}

/// Which chain a bundle is about.
enum Wanted {
    /// That of an accreditation.
    Of(AttributeId),
    /// Any by which an issuer may issue within a scope.
    By(Did, Option<Scope>),
}

/// The trust chain of an accreditation
///
/// A bundle: the links from the issuer to its Root TAO as of a time, the issuer's DID document of then, the newest
/// versions of the status lists asked for, and always the evidence by which a reader checks everything again. A chain
/// that did not hold is an answer too: `holds` is false, `refusal` says why, and the evidence proves it.
#[utoipa::path(
    get, path = "/v1/trust-chains/{attribute}", operation_id = "readTrustChain", tag = "registries",
    params(("attribute" = String, Path, description = "The issuer's accreditation: 64 hexadecimal digits"), BundleParameters),
    responses((status = 200, description = "The bundle", body = ChainView))
)]
pub(crate) async fn of_accreditation(
    State(api): State<Api>,
    attribute: Segment,
    Parameters(parameters): Parameters<BundleParameters>,
) -> Result<Answer, Problem> {
    let wanted = Wanted::Of(attribute.attribute()?);
    bundle(&api, wanted, asked_time(parameters.at.as_deref())?, lists(parameters.list.as_deref())?).await
}

/// The trust chain of an issuer
///
/// Finds an accreditation by which the issuer might issue a credential of that schema and those types in those
/// jurisdictions at that time; without a schema, any that held. The bundle is as for one accreditation.
#[utoipa::path(
    get, path = "/v1/trust-chains", operation_id = "findTrustChain", tag = "registries", params(SearchParameters),
    responses((status = 200, description = "The bundle", body = ChainView))
)]
pub(crate) async fn of_issuer(
    State(api): State<Api>,
    Parameters(parameters): Parameters<SearchParameters>,
) -> Result<Answer, Problem> {
    let issuer = query_did("issuer", &parameters.issuer)?;
    let scope = match &parameters.schema {
        None if parameters.r#type.is_some() || parameters.jurisdiction.is_some() => {
            let detail = "type and jurisdiction: a credential is accredited by its schema, so give schema as well";
            return Err(Problem::new(&problem::QUERY, detail));
        }
        None => None,
        Some(schema) => Some(Scope {
            schema: parse_schema_id(schema).ok_or_else(|| {
                Problem::new(&problem::QUERY, "schema: ends in z and base58btc of 32 bytes, or 64 hexadecimal digits")
            })?,
            types: specific_types(parts("type", parameters.r#type.as_deref())?),
            jurisdictions: parts("jurisdiction", parameters.jurisdiction.as_deref())?.map(str::to_owned).collect(),
        }),
    };
    let asked = asked_time(parameters.at.as_deref())?;
    bundle(&api, Wanted::By(issuer, scope), asked, lists(parameters.list.as_deref())?).await
}

/// The parts of a list separated by commas.
fn parts<'t>(name: &str, text: Option<&'t str>) -> Result<impl Iterator<Item = &'t str>, Problem> {
    let parts = text.map(|text| text.split(','));
    if parts.clone().into_iter().flatten().any(|part| part.is_empty() || part.len() > SCOPE_TEXT_CHARS_MAX) {
        let detail = format!("{name}: one or more of 1 to {SCOPE_TEXT_CHARS_MAX} characters, separated by commas");
        return Err(Problem::new(&problem::QUERY, detail));
    }
    Ok(parts.into_iter().flatten())
}

fn lists(text: Option<&str>) -> Result<Vec<Reference>, Problem> {
    let malformed = || Problem::new(&problem::QUERY, "list: a name has 1 to 64 of A-Z a-z 0-9 . _ -");
    let names: Vec<Reference> =
        parts("list", text)?.map(|name| name.parse().map_err(|_| malformed())).collect::<Result<_, _>>()?;
    if names.len() > CHAIN_LISTS_MAX {
        return Err(Problem::new(&problem::QUERY, format!("list: at most {CHAIN_LISTS_MAX} lists in one bundle")));
    }
    Ok(names)
}

async fn bundle(api: &Api, wanted: Wanted, asked: Option<UnixTime>, lists: Vec<Reference>) -> Result<Answer, Problem> {
    let read = move |registry: &dyn Registry| {
        let at = decided_time(asked, registry)?;
        let (found, evidence) = prove(registry, true, |state| {
            let (walk, issuer) = match &wanted {
                Wanted::Of(id) => (trust_chain(state, *id, at)?, attribute(state, *id)?.map(|entry| entry.subject)),
                Wanted::By(did, scope) => (accredited(state, did, scope.as_ref(), at)?, Some(did.clone())),
            };
            let Some(issuer) = issuer else { return Ok((walk, None, Vec::new())) };
            let document = dids::view_at(state, &issuer, at)?;
            let found = lists.iter().filter_map(|list| status::newest(state, &issuer, list).transpose());
            let lists = found.map(|entry| Ok(StatusListView::new(&entry?))).collect::<Result<Vec<_>, Refusal>>()?;
            Ok((walk, document, lists))
        })?;
        let (walk, issuer, lists) = found;
        let evidence = evidence.expect("a bundle is always proven");
        let (links, refusal) = match &walk {
            Ok(chain) => (chain.links.iter().map(LinkView::new).collect(), None),
            Err(refusal) => (Vec::new(), Some(RefusalView::new(refusal))),
        };
        Ok(ChainView { at: at.0, holds: walk.is_ok(), refusal, links, issuer, lists, evidence })
    };
    Ok(Answer::json(&api.registry(read).await?, Caching::WhileUnchanged))
}
