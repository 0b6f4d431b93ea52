//! What operators may propose and approve.

use testamur_primitives::did::Did;
use testamur_primitives::identity;
use testamur_primitives::issuers::IssuerType;
use testamur_primitives::key::PublicKey;
use testamur_primitives::limits::PROPOSAL_LIFE_S_MAX;
use testamur_primitives::record::{Algorithm, Change, RevocationReason};
use testamur_primitives::units::UnixTime;

use super::operators::{self, OperatorChange};
use super::{ApprovalEntry, FormerOperatorEntry, Governance, ProposalEntry, keys};
use crate::execute::{ApplyError, BlockContext};
use crate::network::members::SetChange;
use crate::notary::{self, WriterStatus};
use crate::rejection::{GovernanceRejection, IssuerRejection, Rejection};
use crate::state::{self as values, StateError, StateReader};
use crate::{did, issuers, network};

/// Checks a proposal without state: its life, that a writer's DID names a key or is of the ledger's kind, and what a
/// change says by itself.
pub(crate) fn check_proposal(change: &Change, iat: UnixTime, expires: UnixTime) -> Result<(), Rejection> {
    if expires <= iat || expires.0 - iat.0 > PROPOSAL_LIFE_S_MAX {
        return Err(GovernanceRejection::ProposalLife.into());
    }
    match change {
        Change::GrantWriter { did } if did.to_key().is_err() && !did.is_of_ledger() => {
            Err(GovernanceRejection::UnusableDid(did.clone()).into())
        }
        Change::AdmitDid { jkt, .. } | Change::AccreditRoot { jkt, .. } if !did::rules::is_thumbprint(jkt) => {
            Err(GovernanceRejection::Thumbprint.into())
        }
        Change::AccreditRoot { entity, .. } => Ok(issuers::rules::check_entity(entity)?),
        Change::ChangeOperators { add, remove, rotate, approvals_required } => {
            let approvals_required = *approvals_required;
            Ok(operators::check_form(OperatorChange { add, remove, rotate, approvals_required })?)
        }
        Change::ChangeValidators { .. } | Change::SetParameters { .. } | Change::SetPageHosts { .. } => {
            Ok(network::rules::check_form(change)?)
        }
        Change::GrantWriter { .. }
        | Change::RevokeWriter { .. }
        | Change::AdmitDid { .. }
        | Change::EndRoot { .. }
        | Change::WithdrawSetChange {}
        | Change::SetProtocol { .. }
        | Change::RetireAlgorithm { .. } => Ok(()),
    }
}

/// The author must be an operator in office who knows the version in force.
pub(super) fn check_operator(governance: &Governance, author: &Did, version: u64) -> Result<(), GovernanceRejection> {
    if !governance.is_operator(author) {
        return Err(GovernanceRejection::NotAnOperator(author.clone()));
    }
    if version != governance.version {
        return Err(GovernanceRejection::VersionMismatch { given: version, current: governance.version });
    }
    Ok(())
}

/// A proposal counts until its last second.
pub(super) fn check_not_expired(expires: UnixTime, time: UnixTime) -> Result<(), GovernanceRejection> {
    if time >= expires { Err(GovernanceRejection::ProposalExpired { expires, time }) } else { Ok(()) }
}

/// The proposal must be open, and not yet approved by this author.
pub(super) fn check_approval(
    governance: &Governance,
    proposal: &ProposalEntry,
    approvals: &[ApprovalEntry],
    author: &Did,
    time: UnixTime,
) -> Result<(), GovernanceRejection> {
    if proposal.executed {
        return Err(GovernanceRejection::AlreadyExecuted(proposal.time));
    }
    check_not_expired(proposal.expires, time)?;
    // INV-GOVERNANCE-1: an approval counts for the governance version that its proposal is bound to, and no other.
    if proposal.governance_version != governance.version {
        let (bound, current) = (proposal.governance_version, governance.version);
        return Err(GovernanceRejection::ProposalLapsed { bound, current });
    }
    if approvals.iter().any(|a| a.operator == *author) {
        return Err(GovernanceRejection::AlreadyApproved(author.clone()));
    }
    Ok(())
}

/// The change must change something, and give the role to no key that must not have it. Checked when proposed, so
/// that nobody is asked to approve what cannot be, and again when executed.
pub(super) fn check_change<R: StateReader>(
    state: &R,
    context: &BlockContext,
    governance: &Governance,
    change: &Change,
) -> Result<(), ApplyError<R::Error>> {
    match change {
        Change::GrantWriter { did } if did.is_of_ledger() => check_grant_again(state, did),
        Change::GrantWriter { did } => check_grant(state, governance, did),
        Change::RevokeWriter { did, .. } => match notary::writer_role(state, did)? {
            Some(role) if role.is_granted() => Ok(()),
            None if identity::newest(state, did)?.is_some_and(|document| !document.deactivated) => Ok(()),
            _ => Err(GovernanceRejection::NotAWriter(did.clone()).into()),
        },
        Change::AdmitDid { did, jkt } => {
            did::rules::check_registrable(state, did)?;
            match identity::admission(state, did)? {
                Some(admission) if admission.jkt == *jkt => {
                    Err(GovernanceRejection::AlreadyAdmitted(did.clone()).into())
                }
                _ => Ok(()),
            }
        }
        Change::AccreditRoot { did, attribute, .. } => issuers::rules::check_new(state, *attribute, did),
        Change::EndRoot { attribute, effective, reason } => {
            let entry = issuers::rules::existing(state, *attribute)?;
            if entry.issuer_type != IssuerType::RootTao {
                return Err(IssuerRejection::Type("it is not a Root TAO's: its accreditor ends it").into());
            }
            issuers::rules::check_end(state, context, *attribute, &entry, *effective, *reason)
        }
        Change::ChangeOperators { add, remove, rotate, approvals_required } => {
            let approvals_required = *approvals_required;
            operators::check(state, governance, OperatorChange { add, remove, rotate, approvals_required })
        }
        Change::ChangeValidators { add, remove, rotate, from } => {
            let change = SetChange { add, remove, rotate, from: *from };
            network::rules::check_set_change(state, context, governance, change)
        }
        Change::WithdrawSetChange {} => match network::pending_set_change(state)? {
            Some(_) => Ok(()),
            None => Err(GovernanceRejection::NoSetChange.into()),
        },
        Change::SetParameters { parameters, from } => {
            network::rules::check_parameters(state, context, parameters, *from)
        }
        Change::SetProtocol { protocol, from } => network::rules::check_protocol(state, context, *protocol, *from),
        Change::RetireAlgorithm { algorithm, from } => {
            network::rules::check_retirement(state, context, governance, *algorithm, *from)
        }
        Change::SetPageHosts { hosts } => network::rules::check_page_hosts(state, hosts),
    }
}

/// A did:key gets the role when its key has no other part in the network.
fn check_grant<R: StateReader>(state: &R, governance: &Governance, did: &Did) -> Result<(), ApplyError<R::Error>> {
    let Ok(key) = did.to_key() else { return Err(GovernanceRejection::UnusableDid(did.clone()).into()) };
    if notary::writer_role(state, did)?.is_some_and(|role| role.is_granted()) {
        return Err(GovernanceRejection::AlreadyAWriter(did.clone()).into());
    }
    match role_of(state, governance, &key)? {
        Some(Role::Compromised) => return Err(GovernanceRejection::KeyCompromised(did.clone()).into()),
        Some(_) => return Err(GovernanceRejection::KeyInUse(did.clone()).into()),
        None if network::rules::is_validators_key(state, &key)? => {
            return Err(GovernanceRejection::KeyInUse(did.clone()).into());
        }
        None => {}
    }
    let kind = Algorithm::Key(key.kind());
    if network::retirements(state)?.iter().any(|retirement| retirement.algorithm == kind) {
        return Err(GovernanceRejection::RetiredKind { did: did.clone(), kind }.into());
    }
    Ok(())
}

/// The part that a key has or had, validators' keys aside: those are the network's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// In office.
    Operator,
    /// Was in office.
    FormerOperator,
    /// Holds the writer role.
    Writer,
    /// The writer role was revoked because the key was compromised.
    Compromised,
}

/// INV-GOVERNANCE-4: a key has one part in the network. It has two spellings as did:key, and what was compromised stays
/// compromised.
pub(crate) fn role_of<R: StateReader>(
    state: &R,
    governance: &Governance,
    key: &PublicKey,
) -> Result<Option<Role>, StateError<R::Error>> {
    for spelling in [Did::key(key), Did::jwk_jcs_key(key)] {
        match notary::writer_role(state, &spelling)?.map(|role| role.status) {
            Some(WriterStatus::Granted {}) => return Ok(Some(Role::Writer)),
            Some(WriterStatus::Revoked { reason: RevocationReason::KeyCompromise }) => {
                return Ok(Some(Role::Compromised));
            }
            Some(WriterStatus::Revoked { .. }) | None => {}
        }
    }
    if governance.operators.iter().any(|operator| operator.did.to_key().is_ok_and(|k| k == *key)) {
        return Ok(Some(Role::Operator));
    }
    let former: Option<FormerOperatorEntry> = values::head(state, &keys::former_operator(&Did::key(key)))?;
    Ok(former.map(|_| Role::FormerOperator))
}

/// A DID of the ledger may notarise by being registered, so the role is granted only after it was revoked; its keys may
/// have changed since.
fn check_grant_again<R: StateReader>(state: &R, did: &Did) -> Result<(), ApplyError<R::Error>> {
    did::rules::active(state, did)?;
    match notary::writer_role(state, did)? {
        Some(role) if !role.is_granted() => Ok(()),
        _ => Err(GovernanceRejection::AlreadyAWriter(did.clone()).into()),
    }
}
