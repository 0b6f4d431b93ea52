//! How the operators change, and m with them. At once: the next record already counts by the new operators.
//!
//! - INV-GOVERNANCE-3: afterwards ⌊n/2⌋ < m ≤ n − 1, so that two majorities always meet and one lost key stops nobody;
//!   or n and m are what they were; or m is 1 and was 1, as in networks for development.
//! - INV-GOVERNANCE-4: a key has one part in the network: operator, writer or validator. One that left office never
//!   comes back.

use std::collections::BTreeSet;

use testamur_primitives::did::Did;
use testamur_primitives::genesis::Operator;
use testamur_primitives::key::PublicKey;
use testamur_primitives::limits::OPERATORS_MAX;
use testamur_primitives::record::{Algorithm, OperatorRotation};

use super::state::{FormerOperatorEntry, OperatorsEntry};
use super::{Governance, keys, rules};
use crate::execute::{ApplyError, BlockContext};
use crate::network;
use crate::rejection::GovernanceRejection;
use crate::state::{Overlay, StateError, StateReader};

/// What a change says of the operators.
#[derive(Debug, Clone, Copy)]
pub(super) struct OperatorChange<'a> {
    pub(super) add: &'a [Operator],
    pub(super) remove: &'a [Did],
    pub(super) rotate: &'a [OperatorRotation],
    pub(super) approvals_required: Option<u32>,
}

impl OperatorChange<'_> {
    /// Those that leave, with what takes their place.
    fn leaving(&self) -> impl Iterator<Item = (&Did, Option<&Did>)> {
        let rotated = self.rotate.iter().map(|rotation| (&rotation.did, Some(&rotation.successor)));
        self.remove.iter().map(|did| (did, None)).chain(rotated)
    }

    /// The keys that take office.
    fn entering(&self) -> impl Iterator<Item = &Did> {
        let rotated = self.rotate.iter().map(|rotation| &rotation.successor);
        self.add.iter().map(|operator| &operator.did).chain(rotated)
    }

    /// The operators afterwards, in order of DID.
    fn applied(&self, governance: &Governance) -> Vec<Operator> {
        let mut operators = governance.operators.clone();
        operators.retain(|operator| !self.remove.contains(&operator.did));
        for operator in &mut operators {
            if let Some(rotation) = self.rotate.iter().find(|rotation| rotation.did == operator.did) {
                operator.did = rotation.successor.clone();
            }
        }
        operators.extend_from_slice(self.add);
        operators.sort_by(|a, b| a.did.cmp(&b.did));
        operators
    }
}

/// What a change of the operators says by itself: keys that can sign, names in form, nobody twice.
pub(super) fn check_form(change: OperatorChange<'_>) -> Result<(), GovernanceRejection> {
    if change.leaving().count() + change.entering().count() == 0 && change.approvals_required.is_none() {
        return Err(GovernanceRejection::NothingChanges);
    }
    let mut left = BTreeSet::new();
    for (did, _) in change.leaving() {
        if !left.insert(did) {
            return Err(GovernanceRejection::NamedTwice(did.to_string()));
        }
    }
    let mut entered = BTreeSet::new();
    for did in change.entering() {
        // A key has two spellings as did:key: it is named once under either.
        let key = did.to_key().map_err(|_| GovernanceRejection::UnusableDid(did.clone()))?;
        if !entered.insert(key) {
            return Err(GovernanceRejection::NamedTwice(did.to_string()));
        }
    }
    match change.add.iter().find(|operator| !operator.is_well_formed()) {
        Some(operator) => Err(GovernanceRejection::OperatorMalformed(operator.did.clone())),
        None => Ok(()),
    }
}

/// Keys in office leave, keys without any part enter, and m fits.
pub(super) fn check<R: StateReader>(
    state: &R,
    governance: &Governance,
    change: OperatorChange<'_>,
) -> Result<(), ApplyError<R::Error>> {
    if let Some((did, _)) = change.leaving().find(|(did, _)| !governance.is_operator(did)) {
        return Err(GovernanceRejection::OperatorUnknown(did.clone()).into());
    }
    let retired: Vec<_> = network::retirements(state)?.iter().map(|retirement| retirement.algorithm).collect();
    for did in change.entering() {
        let key = did.to_key().map_err(|_| GovernanceRejection::UnusableDid(did.clone()))?;
        check_entering(state, governance, did, &key)?;
        let kind = Algorithm::Key(key.kind());
        if retired.contains(&kind) {
            return Err(GovernanceRejection::RetiredKind { did: did.clone(), kind }.into());
        }
    }
    let before = (governance.operators.len(), governance.approvals_required);
    let operators = change.applied(governance);
    if !(1..=OPERATORS_MAX).contains(&operators.len()) {
        return Err(GovernanceRejection::OperatorCount(operators.len()).into());
    }
    let after = (operators.len(), change.approvals_required.unwrap_or(governance.approvals_required));
    if operators == governance.operators && after == before {
        return Err(GovernanceRejection::NothingChanges.into());
    }
    Ok(check_threshold(before, after)?)
}

/// INV-GOVERNANCE-3, of (n, m) before and after.
fn check_threshold(before: (usize, u32), after: (usize, u32)) -> Result<(), GovernanceRejection> {
    let (operators, approvals_required) = after;
    let m = approvals_required as usize;
    let majority = operators / 2 < m && m < operators;
    if after == before || majority || (before.1 == 1 && approvals_required == 1) {
        return Ok(());
    }
    Err(GovernanceRejection::Threshold { approvals_required, operators })
}

/// INV-GOVERNANCE-4, for a key that is to take office.
fn check_entering<R: StateReader>(
    state: &R,
    governance: &Governance,
    did: &Did,
    key: &PublicKey,
) -> Result<(), ApplyError<R::Error>> {
    match rules::role_of(state, governance, key)? {
        None if network::rules::is_validators_key(state, key)? => {
            Err(GovernanceRejection::KeyInUse(did.clone()).into())
        }
        None => Ok(()),
        Some(rules::Role::Operator) => Err(GovernanceRejection::AlreadyAnOperator(did.clone()).into()),
        Some(rules::Role::FormerOperator) => Err(GovernanceRejection::FormerOperator(did.clone()).into()),
        Some(rules::Role::Writer) => Err(GovernanceRejection::KeyInUse(did.clone()).into()),
        Some(rules::Role::Compromised) => Err(GovernanceRejection::KeyCompromised(did.clone()).into()),
    }
}

/// Writes who is in office now, and who is not any more. m is the governance version's, which the caller writes.
pub(super) fn execute<S: StateReader>(
    state: &mut Overlay<'_, S>,
    context: &BlockContext,
    governance: &Governance,
    change: OperatorChange<'_>,
) -> Result<(), StateError<S::Error>> {
    let (height, time) = (context.height, context.time);
    for (did, successor) in change.leaving() {
        let key = did.to_key().expect("an operator in office has a key: genesis and every change check it");
        for spelling in [Did::key(&key), Did::jwk_jcs_key(&key)] {
            let successor = successor.cloned();
            state.append(&keys::former_operator(&spelling), |seq| FormerOperatorEntry {
                v: 1,
                seq,
                height,
                time,
                successor,
            })?;
        }
    }
    let operators = change.applied(governance);
    if operators == governance.operators {
        return Ok(());
    }
    state.append(&keys::operators(), |seq| OperatorsEntry { v: 1, seq, height, time, operators })
}
