//! Governance: operators decide on changes, m of n.
//!
//! An operator proposes a change; proposing is approving. When approvals by m distinct operators *in office at that
//! moment* are together, the change takes effect in the same block, at that record, and the governance version goes up
//! by one. Proposals and approvals are bound to the version that their signers saw, so every open proposal lapses with
//! the execution of another: nobody's signature counts for a ledger that he has not seen (a late approval cannot give
//! a role back that was revoked meanwhile). Proposals expire, at most 90 days after they were signed.
//!
//! - INV-GOVERNANCE-1: an approval counts for the governance version that its proposal is bound to, and no other.
//! - INV-GOVERNANCE-2: a change takes effect iff m distinct operators in office have approved it.

pub mod keys;
mod operators;
pub(crate) mod rules;
mod state;

use testamur_primitives::did::Did;
use testamur_primitives::genesis::{Genesis, Operator};
use testamur_primitives::hash::RecordId;
use testamur_primitives::identity;
use testamur_primitives::record::Change;
use testamur_primitives::units::UnixTime;

pub use state::{ApprovalEntry, FormerOperatorEntry, GovernanceEntry, OperatorsEntry, ProposalEntry, ProposalListing};

use operators::OperatorChange;

use crate::execute::{ApplyError, BlockContext};
use crate::limits::PAGE_ENTRIES_MAX;
use crate::network::members::SetChange;
use crate::notary::{self, WriterStatus};
use crate::rejection::GovernanceRejection;
use crate::state::{self as values, Overlay, StateError, StateReader};
use crate::{did, issuers, network};

/// Who decides, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Governance {
    /// Version that proposals and approvals must name; 1 in genesis, one more with every executed change.
    pub version: u64,
    /// Operators that must approve a change (m).
    pub approvals_required: u32,
    /// The operators in office, in order of DID.
    pub operators: Vec<Operator>,
}

impl Governance {
    /// Whether a DID is that of an operator in office.
    pub fn is_operator(&self, did: &Did) -> bool {
        self.operators.iter().any(|operator| operator.did == *did)
    }
}

/// A proposal as clients see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// Its id: that of its record.
    pub id: RecordId,
    /// What was proposed, by whom, until when.
    pub entry: ProposalEntry,
    /// The approvals so far, the proposer's first.
    pub approvals: Vec<ApprovalEntry>,
}

/// What became of a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProposalStatus {
    /// It can be approved.
    Open,
    /// It took effect.
    Executed,
    /// Its time is over.
    Expired,
    /// Another change came first.
    Lapsed,
}

impl Proposal {
    /// What became of it, at a time and governance version.
    pub fn status(&self, governance: &Governance, time: UnixTime) -> ProposalStatus {
        match &self.entry {
            entry if entry.executed => ProposalStatus::Executed,
            entry if entry.governance_version != governance.version => ProposalStatus::Lapsed,
            entry if time >= entry.expires => ProposalStatus::Expired,
            _ => ProposalStatus::Open,
        }
    }
}

/// Writes operators and threshold of genesis.
pub(crate) fn write_genesis<S: StateReader>(
    state: &mut Overlay<'_, S>,
    genesis: &Genesis,
    context: &BlockContext,
) -> Result<(), StateError<S::Error>> {
    let (height, time) = (context.height, context.time);
    let approvals_required = genesis.approvals_required;
    state.append(&keys::governance(), |seq| GovernanceEntry {
        v: 1,
        seq,
        height,
        time,
        approvals_required,
        proposal: None,
    })?;
    let mut operators = genesis.operators.clone();
    operators.sort_by(|a, b| a.did.cmp(&b.did));
    state.append(&keys::operators(), |seq| OperatorsEntry { v: 1, seq, height, time, operators })
}

/// Makes a proposal, and executes it when one approval suffices. Returns the new governance version if executed.
pub(crate) fn propose<S: StateReader>(
    state: &mut Overlay<'_, S>,
    context: &BlockContext,
    author: &Did,
    id: RecordId,
    change: &Change,
    version: u64,
    expires: UnixTime,
) -> Result<Option<u64>, ApplyError<S::Error>> {
    let governance = governance(state)?;
    rules::check_operator(&governance, author, version)?;
    rules::check_not_expired(expires, context.time)?;
    rules::check_change(state, context, &governance, change)?;
    state.append(&keys::proposals(), |seq| ProposalListing { v: 1, seq, proposal: id })?;
    state.append(&keys::proposal(id), |seq| ProposalEntry {
        v: 1,
        seq,
        height: context.height,
        time: context.time,
        proposer: author.clone(),
        change: change.clone(),
        governance_version: version,
        expires,
        executed: false,
    })?;
    record_approval(state, context, author, id, id)?;
    execute_if_approved(state, context, &governance, id)
}

/// Approves a proposal, and executes it when that was the last approval needed.
pub(crate) fn approve<S: StateReader>(
    state: &mut Overlay<'_, S>,
    context: &BlockContext,
    author: &Did,
    record: RecordId,
    proposal: RecordId,
    version: u64,
) -> Result<Option<u64>, ApplyError<S::Error>> {
    let governance = governance(state)?;
    if !governance.is_operator(author) {
        return Err(GovernanceRejection::NotAnOperator(author.clone()).into());
    }
    let found = self::proposal(state, proposal)?.ok_or(GovernanceRejection::ProposalUnknown(proposal))?;
    if !found.entry.executed {
        // An executed proposal has raised the version itself: say that, not that the version is another.
        rules::check_operator(&governance, author, version)?;
    }
    rules::check_approval(&governance, &found.entry, &found.approvals, author, context.time)?;
    record_approval(state, context, author, record, proposal)?;
    execute_if_approved(state, context, &governance, proposal)
}

fn record_approval<S: StateReader>(
    state: &mut Overlay<'_, S>,
    context: &BlockContext,
    author: &Did,
    record: RecordId,
    proposal: RecordId,
) -> Result<(), StateError<S::Error>> {
    state.append(&keys::approval(proposal), |seq| ApprovalEntry {
        v: 1,
        seq,
        height: context.height,
        time: context.time,
        operator: author.clone(),
        record,
    })
}

fn execute_if_approved<S: StateReader>(
    state: &mut Overlay<'_, S>,
    context: &BlockContext,
    governance: &Governance,
    id: RecordId,
) -> Result<Option<u64>, ApplyError<S::Error>> {
    let approvals = approvals(state, id)?;
    // INV-GOVERNANCE-2: distinct operators in office now. Going through the operators counts none twice.
    let in_favour = governance.operators.iter().filter(|o| approvals.iter().any(|a| a.operator == o.did)).count();
    if in_favour < governance.approvals_required as usize {
        return Ok(None);
    }
    let head = keys::proposal(id).head();
    let proposal: ProposalEntry = values::head(state, &keys::proposal(id))?
        .ok_or_else(|| values::damaged(head, "is missing, though it is being executed"))?;
    rules::check_change(state, context, governance, &proposal.change)?;
    execute(state, context, governance, id, &proposal.change)?;
    let approvals_required = match &proposal.change {
        Change::ChangeOperators { approvals_required: Some(changed), .. } => *changed,
        _ => governance.approvals_required,
    };
    let (height, time) = (context.height, context.time);
    state.append(&keys::proposal(id), |seq| ProposalEntry { seq, height, time, executed: true, ..proposal })?;
    state.append(&keys::governance(), |seq| GovernanceEntry {
        v: 1,
        seq,
        height,
        time,
        approvals_required,
        proposal: Some(id),
    })?;
    Ok(Some(governance.version + 1))
}

/// Writes what a change says; it was checked just now.
fn execute<S: StateReader>(
    state: &mut Overlay<'_, S>,
    context: &BlockContext,
    governance: &Governance,
    id: RecordId,
    change: &Change,
) -> Result<(), ApplyError<S::Error>> {
    match change {
        Change::GrantWriter { did } => {
            notary::set_role(state, did, WriterStatus::Granted {}, context, Some(id))?;
        }
        Change::RevokeWriter { did, reason } => {
            notary::set_role(state, did, WriterStatus::Revoked { reason: *reason }, context, Some(id))?;
        }
        Change::AdmitDid { did, jkt } => did::admit(state, context, did, jkt, id)?,
        Change::AccreditRoot { did, jkt, attribute, entity } => {
            if identity::newest(state, did)?.is_none() {
                did::admit(state, context, did, jkt, id)?;
            }
            issuers::reserve_root(state, context, did, *attribute, entity, id)?;
        }
        Change::EndRoot { attribute, effective, reason } => {
            let entry = issuers::rules::existing(state, *attribute)?;
            issuers::end(state, context, *attribute, id, entry, *effective, *reason)?;
        }
        Change::ChangeOperators { add, remove, rotate, approvals_required } => {
            let approvals_required = *approvals_required;
            let change = OperatorChange { add, remove, rotate, approvals_required };
            operators::execute(state, context, governance, change)?;
        }
        Change::ChangeValidators { add, remove, rotate, from } => {
            network::members::change(state, context, id, SetChange { add, remove, rotate, from: *from })?;
        }
        Change::WithdrawSetChange {} => network::members::withdraw(state, context)?,
        Change::SetParameters { parameters, from } => network::set_parameters(state, context, parameters, *from)?,
        Change::SetProtocol { protocol, from } => network::set_protocol(state, context, *protocol, *from)?,
        Change::RetireAlgorithm { algorithm, from } => network::retire(state, context, *algorithm, *from)?,
        Change::SetPageHosts { hosts } => network::set_page_hosts(state, context, hosts)?,
    }
    Ok(())
}

/// Who decides now, and how.
pub fn governance<R: StateReader>(reader: &R) -> Result<Governance, StateError<R::Error>> {
    let entry: GovernanceEntry = values::genesis_head(reader, &keys::governance())?;
    let operators: OperatorsEntry = values::genesis_head(reader, &keys::operators())?;
    Ok(Governance { version: entry.seq, approvals_required: entry.approvals_required, operators: operators.operators })
}

/// A proposal with its approvals.
pub fn proposal<R: StateReader>(reader: &R, id: RecordId) -> Result<Option<Proposal>, StateError<R::Error>> {
    let Some(entry) = values::head(reader, &keys::proposal(id))? else { return Ok(None) };
    Ok(Some(Proposal { id, entry, approvals: approvals(reader, id)? }))
}

/// Proposals by number after `after` (0 for the first), at most `limit` and a page: each with its number.
pub fn proposals<R: StateReader>(
    reader: &R,
    after: u64,
    limit: usize,
) -> Result<Vec<(u64, Proposal)>, StateError<R::Error>> {
    let object = keys::proposals();
    let newest = values::head::<ProposalListing, _>(reader, &object)?.map_or(0, |listing| listing.seq);
    let first = after.saturating_add(1);
    (first..=newest)
        .take(limit.min(PAGE_ENTRIES_MAX))
        .map(|seq| {
            let listing: ProposalListing = values::entry_before_head(reader, &object, seq)?;
            let head = keys::proposal(listing.proposal).head();
            let proposal = proposal(reader, listing.proposal)?
                .ok_or_else(|| values::damaged(head, "is missing, though the proposal is listed"))?;
            Ok((seq, proposal))
        })
        .collect()
}

fn approvals<R: StateReader>(reader: &R, proposal: RecordId) -> Result<Vec<ApprovalEntry>, StateError<R::Error>> {
    let object = keys::approval(proposal);
    let newest = values::head::<ApprovalEntry, _>(reader, &object)?.map_or(0, |approval| approval.seq);
    (1..=newest).map(|seq| values::entry_before_head(reader, &object, seq)).collect()
}
