//! The JSON of the governance routes.

use serde::Serialize;
use serde_json::Value;
use testamur_primitives::state::evidence::Evidence;
use utoipa::ToSchema;

use crate::schemas::EvidenceSchema;

/// What is in force for the next block, and what is to come.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct GovernanceView {
    /// The newest block.
    pub(crate) height: u64,
    /// Its time.
    pub(crate) time: u64,
    /// The governance version: 1 in genesis, one more with every executed change.
    pub(crate) version: u64,
    /// How many operators must approve a change.
    pub(crate) approvals_required: u64,
    /// The operators in office: `did`, `name`, `country` of each.
    #[schema(value_type = Vec<Object>)]
    pub(crate) operators: Value,
    /// The epoch of the validators; `/v1/epochs` has their sets.
    pub(crate) epoch: Held,
    /// Timing and sizes.
    pub(crate) parameters: Held,
    /// The protocol version.
    pub(crate) protocol: Held,
    /// Algorithms that new records use no more: `algorithm`, and `from`, the first block without it.
    #[schema(value_type = Vec<Object>)]
    pub(crate) retired: Value,
    /// The official addresses of the verifier page.
    pub(crate) page_hosts: Vec<String>,
    /// The newest change of the validator set, if there ever was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) set_change: Option<SetChangeView>,
    /// The newest proposals that wait for approvals, in log order; at most 10.
    pub(crate) open: Vec<ProposalItem>,
    /// How many proposals there ever were.
    pub(crate) proposals: u64,
    /// What proves this, when a proof was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<EvidenceSchema>)]
    pub(crate) evidence: Option<Evidence>,
}

/// A value that may change at a height.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Held {
    /// What holds for the next block.
    #[schema(value_type = Object)]
    pub(crate) in_force: Value,
    /// What holds later.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub(crate) scheduled: Option<Value>,
    /// From which block on that holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<u64>,
}

/// A page of proposals.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProposalList {
    /// The proposals, in log order.
    pub(crate) items: Vec<ProposalItem>,
    /// How many there are on all pages.
    pub(crate) total: u64,
    /// The next page, when there is one.
    pub(crate) next: Option<String>,
}

/// A proposal in a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProposalItem {
    /// Id of the record that proposed it.
    pub(crate) id: String,
    /// Where more is found.
    pub(crate) href: String,
    /// What it changes: the `type` of the change.
    pub(crate) change: String,
    /// Who proposed it.
    pub(crate) proposer: String,
    /// What became of it.
    pub(crate) status: ProposalStatus,
    /// The governance version that it is bound to.
    pub(crate) governance_version: u64,
    /// When it lapses.
    pub(crate) expires: u64,
    /// Who has approved it, in log order.
    pub(crate) approved_by: Vec<String>,
}

/// What became of a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ProposalStatus {
    /// It waits for approvals.
    Open,
    /// It has taken effect.
    Executed,
    /// Another change was executed after it was made.
    Lapsed,
    /// Its time is over.
    Expired,
}

/// A proposal with its approvals.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProposalView {
    /// Id of the record that proposed it.
    pub(crate) id: String,
    /// The block that it was proposed in.
    pub(crate) height: u64,
    /// That block's time.
    pub(crate) time: u64,
    /// The block that it took effect in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) executed_at: Option<u64>,
    /// Who proposed it.
    pub(crate) proposer: String,
    /// What became of it.
    pub(crate) status: ProposalStatus,
    /// What it changes, as in the record.
    #[schema(value_type = Object)]
    pub(crate) change: Value,
    /// The governance version that it is bound to.
    pub(crate) governance_version: u64,
    /// When it lapses.
    pub(crate) expires: u64,
    /// How many operators must approve a change now.
    pub(crate) approvals_required: u64,
    /// The approvals, in log order; the first one is the proposer's.
    #[schema(value_type = Vec<Object>)]
    pub(crate) approvals: Value,
    /// The operators in office that have not approved it.
    #[schema(value_type = Vec<Object>)]
    pub(crate) missing: Vec<Value>,
    /// What proves this, when a proof was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<EvidenceSchema>)]
    pub(crate) evidence: Option<Evidence>,
}

/// A change of the validator set.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SetChangeView {
    /// The proposal that decided it.
    pub(crate) proposal: String,
    /// The block that wrote this.
    pub(crate) height: u64,
    /// That block's time.
    pub(crate) time: u64,
    /// `waiting` for those that join, `scheduled`, or `withdrawn`.
    pub(crate) status: String,
    /// First block of the new set, at the earliest.
    pub(crate) from: u64,
    /// First block of the new set, once it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) activation: Option<u64>,
    /// Who joins, and whether it follows the ledger already.
    pub(crate) candidates: Vec<Candidate>,
    /// Addresses of those that leave.
    pub(crate) remove: Vec<String>,
    /// Addresses of those that get other keys.
    pub(crate) rotate: Vec<String>,
    /// What proves this, when a proof was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<EvidenceSchema>)]
    pub(crate) evidence: Option<Evidence>,
}

/// A validator that is to join.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Candidate {
    /// Its address.
    pub(crate) address: String,
    /// Name of its key.
    pub(crate) name: String,
    /// Who runs it.
    pub(crate) operator: String,
    /// ISO 3166-1 alpha-2.
    pub(crate) country: String,
    /// Whether it has published `synced`.
    pub(crate) synced: bool,
}
