//! Issuers and their accreditations.

use axum::extract::State;
use serde::Deserialize;
use testamur_primitives::hash::AttributeId;
use testamur_primitives::issuers::chain::trust_chain;
use testamur_primitives::issuers::{self, IssuerType};
use testamur_primitives::state::StateReader;
use testamur_primitives::units::UnixTime;
use utoipa::IntoParams;

use super::views::{AccreditationView, IssuerView, ObjectList};
use super::{AtParameters, PageParameters, Pages, list_of, query_did};
use crate::answer::{Answer, Caching};
use crate::app::Api;
use crate::ledger::{ReadError, Registry};
use crate::problem::{self, Problem};
use crate::registry::{Refusal, asked_time, decided_time, prove};
use crate::request::{Parameters, Segment};

/// Issuers
///
/// Every DID that was ever accredited, in order of arrival. Lists are not proven.
#[utoipa::path(
    get, path = "/v1/issuers", operation_id = "listIssuers", tag = "registries", params(PageParameters),
    responses((status = 200, description = "A page of issuers", body = ObjectList))
)]
pub(crate) async fn list(
    State(api): State<Api>,
    Parameters(PageParameters { page, size }): Parameters<PageParameters>,
) -> Result<Answer, Problem> {
    list_of(&api, Pages::new(page, size)?, ("issuer", "all".into()), "/v1/issuers", String::new()).await
}

/// An issuer
///
/// All accreditations that it had at a time, and for each whether the chain to its Root TAO held: every signature on
/// the way is checked for the answer.
#[utoipa::path(
    get, path = "/v1/issuers/{did}", operation_id = "readIssuer", tag = "registries",
    params(("did" = String, Path, description = "The issuer's DID, percent-encoded or not"), AtParameters),
    responses((status = 200, description = "The issuer", body = IssuerView))
)]
pub(crate) async fn one(
    State(api): State<Api>,
    did: Segment,
    Parameters(parameters): Parameters<AtParameters>,
) -> Result<Answer, Problem> {
    let did = did.did()?;
    let asked = asked_time(parameters.at.as_deref())?;
    let proof = parameters.proof.unwrap_or(false);
    let read = move |registry: &dyn Registry| {
        let at = decided_time(asked, registry)?;
        let (accreditations, evidence) = prove(registry, proof, |state| {
            let Some(entry) = issuers::issuer(state, &did)? else { return Ok(None) };
            let views = entry.attributes.into_iter().filter_map(|id| view_at(state, id, at).transpose());
            Ok(Some(views.collect::<Result<Vec<_>, _>>()?))
        })?;
        match accreditations {
            Some(accreditations) => Ok(IssuerView { did: did.to_string(), at: at.0, accreditations, evidence }),
            None => {
                let detail = format!("{did} was never accredited on this ledger");
                Err(Problem::new(&problem::NOT_FOUND, detail).with_evidence(evidence).into())
            }
        }
    };
    Ok(Answer::json(&api.registry(read).await?, Caching::WhileUnchanged))
}

/// Which accreditations to list: by one of the three.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AccreditationParameters {
    /// Those of this DID.
    subject: Option<String>,
    /// Those that this DID gave.
    accreditor: Option<String>,
    /// Those of this kind: `root-tao`, `tao` or `ti`.
    #[param(value_type = Option<String>)]
    r#type: Option<IssuerType>,
    /// Number of the page, from 1.
    #[param(minimum = 1, default = 1)]
    page: Option<u64>,
    /// Items of a page.
    #[param(minimum = 1, maximum = 100, default = 50)]
    size: Option<usize>,
}

/// Accreditations
///
/// By subject, by accreditor (the chain downwards), or by kind (`root-tao` is where all chains begin). Lists are not
/// proven.
#[utoipa::path(
    get, path = "/v1/accreditations", operation_id = "listAccreditations", tag = "registries",
    params(AccreditationParameters),
    responses((status = 200, description = "A page of accreditations", body = ObjectList))
)]
pub(crate) async fn accreditations(
    State(api): State<Api>,
    Parameters(parameters): Parameters<AccreditationParameters>,
) -> Result<Answer, Problem> {
    let AccreditationParameters { subject, accreditor, r#type, page, size } = parameters;
    let pages = Pages::new(page, size)?;
    let (name, value) = match (subject, accreditor, r#type) {
        (Some(subject), None, None) => ("subject", query_did("subject", &subject)?.to_string()),
        (None, Some(accreditor), None) => ("accreditor", query_did("accreditor", &accreditor)?.to_string()),
        (None, None, Some(r#type)) => ("type", type_name(r#type).to_owned()),
        _ => return Err(Problem::new(&problem::QUERY, "give one of subject, accreditor and type")),
    };
    let term = ("attribute", format!("{name}:{value}"));
    list_of(&api, pages, term, "/v1/accreditations", format!("&{name}={value}")).await
}

/// As in records.
pub(crate) fn type_name(issuer_type: IssuerType) -> &'static str {
    match issuer_type {
        IssuerType::RootTao => "root-tao",
        IssuerType::Tao => "tao",
        IssuerType::Ti => "ti",
    }
}

/// An accreditation
///
/// As of any time since its place was made, with the credential and how the chain stood.
#[utoipa::path(
    get, path = "/v1/accreditations/{attribute}", operation_id = "readAccreditation", tag = "registries",
    params(("attribute" = String, Path, description = "Its place: 64 hexadecimal digits"), AtParameters),
    responses((status = 200, description = "The accreditation", body = AccreditationView))
)]
pub(crate) async fn accreditation(
    State(api): State<Api>,
    attribute: Segment,
    Parameters(parameters): Parameters<AtParameters>,
) -> Result<Answer, Problem> {
    let id = attribute.attribute()?;
    let asked = asked_time(parameters.at.as_deref())?;
    let proof = parameters.proof.unwrap_or(false);
    let read = move |registry: &dyn Registry| {
        let at = decided_time(asked, registry)?;
        let (view, evidence) = prove(registry, proof, |state| view_at(state, id, at))?;
        match view {
            Some(view) => Ok(AccreditationView { evidence, ..view }),
            None => {
                let detail = format!("there was no accreditation {id} on this ledger at {at}");
                Err(Problem::new(&problem::NOT_FOUND, detail).with_evidence(evidence).into())
            }
        }
    };
    Ok(Answer::json(&api.registry(read).await?, Caching::WhileUnchanged))
}

/// An accreditation as of a time, by what is known now; none when its place was not made yet.
fn view_at<R: StateReader<Error = ReadError>>(
    state: &R,
    id: AttributeId,
    at: UnixTime,
) -> Result<Option<AccreditationView>, Refusal> {
    let Some(newest) = issuers::attribute(state, id)? else { return Ok(None) };
    let Some(mut entry) = issuers::attribute_at(state, id, at)? else { return Ok(None) };
    entry.ended = newest.ended;
    entry.entity = newest.entity;
    let refusal = trust_chain(state, id, at)?.err();
    Ok(Some(AccreditationView::new(id, &entry, at, refusal.as_ref())))
}
