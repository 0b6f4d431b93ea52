//! What operators decide on: what is in force, what is to come, and every proposal with its approvals.
//!
//! The values are the state's own (FORMATS.md §8), word for word: their rules belong to the contracts, which the API
//! does not know. Each answer but a list carries its proof when that is asked for, and then a client comes to the same one
//! by reading the same keys.

mod views;

use axum::extract::State;
use serde_json::Value;
use testamur_primitives::hash::RecordId;
use testamur_primitives::state::{StateKey, StateObject, StateReader};
use testamur_primitives::units::Height;

use crate::answer::{Answer, Caching};
use crate::app::Api;
use crate::ledger::{ReadError, Registry};
use crate::limits::OPEN_PROPOSALS_MAX;
use crate::problem::{self, Problem};
use crate::registry::{Refusal, prove};
use crate::request::{Parameters, Segment};
use crate::routes::registry::{PageParameters, ProofParameters};
pub(crate) use views::{
    Candidate, GovernanceView, Held, ProposalItem, ProposalList, ProposalStatus, ProposalView, SetChangeView,
};

/// A read of the state.
trait Reader: StateReader<Error = ReadError> {}
impl<R: StateReader<Error = ReadError>> Reader for R {}

fn network(kind: &'static str) -> StateObject {
    StateObject::new(kind, "network")
}

/// A value of the state as JSON.
fn value(state: &impl Reader, key: &StateKey) -> Result<Option<Value>, Refusal> {
    let bytes = state.get(key)?;
    let parse = |bytes: Vec<u8>| {
        serde_json::from_slice(&bytes).map_err(|_| Refusal::Read(ReadError::Fatal(format!("{key} is not JSON"))))
    };
    bytes.map(parse).transpose()
}

/// A value that must be there: genesis wrote it, or a later one needs it.
fn there(state: &impl Reader, key: &StateKey) -> Result<Value, Refusal> {
    value(state, key)?.ok_or_else(|| Refusal::Read(ReadError::Fatal(format!("{key} is missing"))))
}

fn number(value: &Value, name: &str) -> u64 {
    value[name].as_u64().unwrap_or_default()
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

fn texts(value: &Value, name: &str) -> Vec<String> {
    value[name].as_array().into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect()
}

/// What holds at the next height, and what holds from a later one on: entries say so by `from`.
fn held(state: &impl Reader, object: &StateObject, next: Height, member: &str) -> Result<Held, Refusal> {
    let newest = there(state, &object.head())?;
    let mut in_force = newest.clone();
    while number(&in_force, "from") > next.0 && number(&in_force, "seq") > 1 {
        in_force = there(state, &object.entry(number(&in_force, "seq") - 1))?;
    }
    let ahead = number(&newest, "from") > next.0;
    Ok(Held {
        in_force: in_force[member].clone(),
        scheduled: ahead.then(|| newest[member].clone()),
        from: ahead.then(|| number(&newest, "from")),
    })
}

/// What is in force
///
/// Who decides and how, the validators' epoch, parameters, protocol, retired algorithms, the page's official hosts: as they
/// hold for the next block, and beside each what is to come and from which block on. With `proof=true` the answer
/// carries its evidence.
#[utoipa::path(
    get, path = "/v1/governance", operation_id = "readGovernance", tag = "governance", params(ProofParameters),
    responses((status = 200, description = "What is in force", body = GovernanceView))
)]
pub(crate) async fn now(
    State(api): State<Api>,
    Parameters(parameters): Parameters<ProofParameters>,
) -> Result<Answer, Problem> {
    let proof = parameters.is_wanted();
    let read = move |registry: &dyn Registry| {
        let (view, evidence) = prove(registry, proof, |state| governance(state, registry))?;
        Ok(GovernanceView { evidence, ..view })
    };
    Ok(Answer::json(&api.registry(read).await?, Caching::WhileUnchanged))
}

fn governance(state: &impl Reader, registry: &dyn Registry) -> Result<GovernanceView, Refusal> {
    let header = registry.header();
    let next = header.height.next();
    let version = there(state, &network("governance").head())?;
    let epoch = there(state, &network("epoch").head())?;
    // The set in force, and the one to come, are made of these; so they belong to the proof.
    for address in texts(&epoch, "validators") {
        there(state, &StateObject::new("validator", &address).head())?;
    }
    let epochs = held(state, &network("epoch"), next, "epoch")?;
    let retired = value(state, &network("algorithms").head())?;
    let page = value(state, &network("page").head())?;
    let listed = value(state, &network("proposals").head())?.map_or(0, |listing| number(&listing, "seq"));
    let mut open = Vec::new();
    for seq in (1..=listed).rev().take(OPEN_PROPOSALS_MAX) {
        let item = item(state, registry, seq, number(&version, "seq"))?;
        // All before one that was made under an earlier version lapsed with that version.
        if item.governance_version != number(&version, "seq") {
            break;
        }
        if item.status == ProposalStatus::Open {
            open.push(item);
        }
    }
    open.reverse();
    Ok(GovernanceView {
        height: header.height.0,
        time: header.time.0,
        version: number(&version, "seq"),
        approvals_required: number(&version, "approvals_required"),
        operators: there(state, &network("operators").head())?["operators"].clone(),
        epoch: epochs,
        parameters: held(state, &network("parameters"), next, "parameters")?,
        protocol: held(state, &network("protocol"), next, "protocol")?,
        retired: retired.map_or_else(|| Value::Array(Vec::new()), |entry| entry["retired"].clone()),
        page_hosts: page.map_or_else(Vec::new, |entry| texts(&entry, "hosts")),
        set_change: value(state, &network("set-change").head())?.map(set_change_view),
        open,
        proposals: listed,
        evidence: None,
    })
}

/// Proposals
///
/// All that were ever made, in log order, each with what became of it and who has approved it. Lists are not proven.
#[utoipa::path(
    get, path = "/v1/governance/proposals", operation_id = "listProposals", tag = "governance", params(PageParameters),
    responses((status = 200, description = "A page of proposals", body = ProposalList))
)]
pub(crate) async fn proposals(
    State(api): State<Api>,
    Parameters(parameters): Parameters<PageParameters>,
) -> Result<Answer, Problem> {
    let pages = parameters.pages()?;
    let read = move |registry: &dyn Registry| {
        let state = crate::registry::Snapshot(registry);
        let version = number(&there(&state, &network("governance").head())?, "seq");
        let total = value(&state, &network("proposals").head())?.map_or(0, |listing| number(&listing, "seq"));
        let items = pages.numbers(total).map(|seq| item(&state, registry, seq, version));
        let items = items.collect::<Result<_, _>>()?;
        Ok(ProposalList { items, total, next: pages.next(total, "/v1/governance/proposals", "") })
    };
    Ok(Answer::json(&api.registry(read).await?, Caching::WhileUnchanged))
}

/// A proposal of the list of all, by its number.
fn item(state: &impl Reader, registry: &dyn Registry, seq: u64, version: u64) -> Result<ProposalItem, Refusal> {
    let listing = there(state, &network("proposals").entry(seq))?;
    let id = text(&listing, "proposal");
    let entry = there(state, &StateObject::new("proposal", &id).head())?;
    let approvals = approvals(state, &id)?;
    Ok(ProposalItem {
        href: format!("/v1/governance/proposals/{id}"),
        id,
        change: text(&entry["change"], "type"),
        proposer: text(&entry, "proposer"),
        status: status(&entry, version, registry),
        governance_version: number(&entry, "governance_version"),
        expires: number(&entry, "expires"),
        approved_by: approvals.iter().map(|approval| text(approval, "operator")).collect(),
    })
}

fn approvals(state: &impl Reader, id: &str) -> Result<Vec<Value>, Refusal> {
    let object = StateObject::new("approval", id);
    let newest = value(state, &object.head())?.map_or(0, |approval| number(&approval, "seq"));
    (1..=newest).map(|seq| there(state, &object.entry(seq))).collect()
}

/// What became of a proposal, as of the newest block.
fn status(entry: &Value, version: u64, registry: &dyn Registry) -> ProposalStatus {
    if entry["executed"] == Value::Bool(true) {
        ProposalStatus::Executed
    } else if number(entry, "governance_version") != version {
        ProposalStatus::Lapsed
    } else if number(entry, "expires") <= registry.header().time.0 {
        ProposalStatus::Expired
    } else {
        ProposalStatus::Open
    }
}

/// A proposal
///
/// What it changes, what became of it, who has approved it and who of the operators in office has not. With `proof=true`
/// the answer carries its evidence, and so does a 404.
#[utoipa::path(
    get, path = "/v1/governance/proposals/{id}", operation_id = "readProposal", tag = "governance",
    params(("id" = String, Path, description = "Id of the record that proposed it"), ProofParameters),
    responses((status = 200, description = "The proposal", body = ProposalView))
)]
pub(crate) async fn proposal(
    State(api): State<Api>,
    id: Segment,
    Parameters(parameters): Parameters<ProofParameters>,
) -> Result<Answer, Problem> {
    let id = id.record_id()?;
    let proof = parameters.is_wanted();
    let read = move |registry: &dyn Registry| {
        let (view, evidence) = prove(registry, proof, |state| one(state, registry, id))?;
        match view {
            Some(view) => Ok(ProposalView { evidence, ..view }),
            None => {
                let missing = Problem::new(&problem::NOT_FOUND, "no record of this id has proposed anything");
                Err(missing.with_evidence(evidence).into())
            }
        }
    };
    Ok(Answer::json(&api.registry(read).await?, Caching::WhileUnchanged))
}

fn one(state: &impl Reader, registry: &dyn Registry, id: RecordId) -> Result<Option<ProposalView>, Refusal> {
    let id = id.to_string();
    let object = StateObject::new("proposal", &id);
    let Some(entry) = value(state, &object.head())? else { return Ok(None) };
    let version = there(state, &network("governance").head())?;
    let operators = there(state, &network("operators").head())?["operators"].clone();
    let approvals = approvals(state, &id)?;
    let approved = |operator: &Value| approvals.iter().any(|approval| approval["operator"] == operator["did"]);
    let missing = operators.as_array().into_iter().flatten().filter(|operator| !approved(operator)).cloned().collect();
    let proposed = there(state, &object.entry(1))?;
    Ok(Some(ProposalView {
        height: number(&proposed, "height"),
        time: number(&proposed, "time"),
        executed_at: (entry["executed"] == Value::Bool(true)).then(|| number(&entry, "height")),
        proposer: text(&entry, "proposer"),
        status: status(&entry, number(&version, "seq"), registry),
        change: entry["change"].clone(),
        governance_version: number(&entry, "governance_version"),
        expires: number(&entry, "expires"),
        approvals_required: number(&version, "approvals_required"),
        approvals: Value::Array(approvals),
        missing,
        id,
        evidence: None,
    }))
}

/// The newest change of the validator set
///
/// Who joins, leaves or gets another key, and what became of it: it waits until everybody who joins has published
/// `synced`, then it has the block from which the new set decides. With `proof=true` the answer carries its evidence.
#[utoipa::path(
    get, path = "/v1/governance/set-change", operation_id = "readSetChange", tag = "governance",
    params(ProofParameters), responses((status = 200, description = "The change", body = SetChangeView))
)]
pub(crate) async fn set_change(
    State(api): State<Api>,
    Parameters(parameters): Parameters<ProofParameters>,
) -> Result<Answer, Problem> {
    let proof = parameters.is_wanted();
    let read = move |registry: &dyn Registry| {
        let (entry, evidence) = prove(registry, proof, |state| value(state, &network("set-change").head()))?;
        match entry {
            Some(entry) => Ok(SetChangeView { evidence, ..set_change_view(entry) }),
            None => {
                let missing = Problem::new(&problem::NOT_FOUND, "the validators are those of genesis");
                Err(missing.with_evidence(evidence).into())
            }
        }
    };
    Ok(Answer::json(&api.registry(read).await?, Caching::WhileUnchanged))
}

fn set_change_view(entry: Value) -> SetChangeView {
    let synced = texts(&entry, "synced");
    let candidates = entry["add"].as_array().into_iter().flatten().map(|added| {
        let registration = &added["registration"];
        let address = serde_json::from_value::<testamur_primitives::epoch::ValidatorRegistration>(registration.clone())
            .map(|registration| registration.address().to_string())
            .unwrap_or_default();
        Candidate {
            name: text(registration, "name"),
            operator: text(registration, "operator"),
            country: text(registration, "country"),
            synced: synced.contains(&address),
            address,
        }
    });
    SetChangeView {
        proposal: text(&entry, "proposal"),
        height: number(&entry, "height"),
        time: number(&entry, "time"),
        status: text(&entry["status"], "type"),
        from: number(&entry, "from"),
        activation: entry["status"]["activation"].as_u64(),
        candidates: candidates.collect(),
        remove: texts(&entry, "remove"),
        rotate: entry["rotate"].as_array().into_iter().flatten().map(|rotated| text(rotated, "validator")).collect(),
        evidence: None,
    }
}
