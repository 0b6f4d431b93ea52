//! Values of governance.

use serde::{Deserialize, Serialize};
use testamur_primitives::did::Did;
use testamur_primitives::genesis::Operator;
use testamur_primitives::hash::RecordId;
use testamur_primitives::record::Change;
use testamur_primitives::units::{Height, UnixTime};

use testamur_primitives::entries;

/// The governance version and its threshold. The version is the number of this entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GovernanceEntry {
    /// Format version: 1.
    pub v: u8,
    /// Number of this entry: the governance version.
    pub seq: u64,
    /// Height that wrote this.
    pub height: Height,
    /// Time of that height.
    pub time: UnixTime,
    /// Operators that must approve a change (m).
    pub approvals_required: u32,
    /// The executed proposal that made this version; none in genesis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposal: Option<RecordId>,
}

/// The operators in office from a height on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperatorsEntry {
    /// Format version: 1.
    pub v: u8,
    /// Number of this entry.
    pub seq: u64,
    /// Height that wrote this.
    pub height: Height,
    /// Time of that height.
    pub time: UnixTime,
    /// The operators, in order of DID.
    pub operators: Vec<Operator>,
}

/// A proposal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProposalEntry {
    /// Format version: 1.
    pub v: u8,
    /// Number of this entry: 1 when made, 2 when executed.
    pub seq: u64,
    /// Height that wrote this.
    pub height: Height,
    /// Time of that height.
    pub time: UnixTime,
    /// Who proposed it.
    pub proposer: Did,
    /// What is to change.
    pub change: Change,
    /// The governance version it is bound to.
    pub governance_version: u64,
    /// When it lapses.
    pub expires: UnixTime,
    /// Whether it has been carried out.
    pub executed: bool,
}

/// An operator's approval of a proposal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalEntry {
    /// Format version: 1.
    pub v: u8,
    /// Number of this entry.
    pub seq: u64,
    /// Height that wrote this.
    pub height: Height,
    /// Time of that height.
    pub time: UnixTime,
    /// Who approved.
    pub operator: Did,
    /// The record that says so; the proposal itself for the proposer.
    pub record: RecordId,
}

/// A proposal in the list of all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProposalListing {
    /// Format version: 1.
    pub v: u8,
    /// Number of this entry.
    pub seq: u64,
    /// Its id.
    pub proposal: RecordId,
}

/// A key that left office. It never comes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormerOperatorEntry {
    /// Format version: 1.
    pub v: u8,
    /// Number of this entry: 1.
    pub seq: u64,
    /// Height that wrote this.
    pub height: Height,
    /// Time of that height.
    pub time: UnixTime,
    /// The key that took its place; none when the operator left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub successor: Option<Did>,
}

entries!(GovernanceEntry, OperatorsEntry, ProposalEntry, ApprovalEntry, ProposalListing, FormerOperatorEntry);
