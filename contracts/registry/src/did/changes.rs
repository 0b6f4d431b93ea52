//! What each change makes of a document. Pure: state and lock-out are the rules' business.

use std::collections::BTreeSet;

use testamur_primitives::identity::changes::{DidChange, NewMethod};
use testamur_primitives::identity::{DidEntry, Grant, Relationship, VerificationMethod};
use testamur_primitives::limits::{DID_CONTROLLERS_MAX, DID_GRANTS_MAX, DID_METHODS_MAX};
use testamur_primitives::units::UnixTime;

use super::rules::{check_limit, method};
use crate::rejection::DidRejection;

/// Applies one change at the block's time. On a rejection the document is of no use any more: a record changes a
/// document in whole or not at all.
pub(super) fn apply(
    document: &mut DidEntry,
    index: usize,
    change: &DidChange,
    time: UnixTime,
) -> Result<(), DidRejection> {
    let refuse = |reason| DidRejection::Change { index, reason };
    if document.deactivated {
        return Err(refuse("nothing can follow a deactivation"));
    }
    match change {
        DidChange::SetServices { services } => document.services = services.clone(),
        DidChange::AddController { did } => {
            if document.controllers.contains(did) {
                return Err(refuse("the DID is a controller already"));
            }
            check_limit("controllers", document.controllers.len() + 1, DID_CONTROLLERS_MAX)?;
            document.controllers.push(did.clone());
        }
        DidChange::RevokeController { did } => {
            let place = document.controllers.iter().position(|c| c == did);
            document.controllers.remove(place.ok_or(refuse("the DID is no controller"))?);
        }
        DidChange::AddMethod { method } => add(document, index, method)?,
        DidChange::AddRelationship { method, grant } => {
            let method = open(document, index, method)?;
            check_limit("uses of a key", method.grants.len() + 1, DID_GRANTS_MAX)?;
            method.grants.push(*grant);
        }
        DidChange::RevokeMethod { method } => {
            let method = find(document, index, method)?;
            if method.revoked.is_some_and(|revoked| revoked <= time) {
                return Err(refuse("the key was revoked before"));
            }
            revoke(method, time);
        }
        DidChange::ExpireMethod { method, not_after } => {
            if *not_after <= time {
                return Err(refuse("the end must lie after the block's time: to end a key now, revoke it"));
            }
            let method = open(document, index, method)?;
            if method.grants.iter().all(|grant| grant.not_after.is_some_and(|end| end <= *not_after)) {
                return Err(refuse("every use of the key ends by then already"));
            }
            end_grants(method, *not_after);
        }
        DidChange::RollMethod { old, key, not_before, not_after, old_not_after } => {
            if *old_not_after < time {
                return Err(refuse("the old key must not end before the block's time"));
            }
            let old = open(document, index, old)?;
            let uses: BTreeSet<Relationship> = old
                .grants
                .iter()
                .filter(|grant| grant.not_after.is_none_or(|end| end > time))
                .map(|grant| grant.relationship)
                .collect();
            if uses.is_empty() {
                return Err(refuse("the old key has no use left to hand over"));
            }
            // From then on it is "revoked", and not merely expired: it gets no use any more.
            revoke(old, *old_not_after);
            let grant = |relationship| Grant { relationship, not_before: *not_before, not_after: *not_after };
            add(document, index, &NewMethod { key: key.clone(), grants: uses.into_iter().map(grant).collect() })?;
        }
        DidChange::DeclareCompromised { method, from } => {
            if *from > time {
                return Err(refuse("a compromise is dated at the block's time or before"));
            }
            let method = find(document, index, method)?;
            if method.compromised_from.is_some_and(|declared| declared <= *from) {
                return Err(refuse("the key was declared compromised from that time or an earlier one"));
            }
            method.compromised_from = Some(*from);
            revoke_if_open(method, time);
        }
        DidChange::Deactivate {} => {
            document.deactivated = true;
            // The keys end too, so that no reader who overlooks the flag takes them for good.
            document.methods.iter_mut().for_each(|method| revoke_if_open(method, time));
        }
    }
    Ok(())
}

fn add(document: &mut DidEntry, index: usize, new: &NewMethod) -> Result<(), DidRejection> {
    let method = method(new)?;
    if document.method(&method.id).is_some() {
        return Err(DidRejection::Change { index, reason: "the key is in the document already, perhaps ended" });
    }
    check_limit("keys, ended ones included", document.methods.len() + 1, DID_METHODS_MAX)?;
    document.methods.push(method);
    Ok(())
}

fn find<'a>(document: &'a mut DidEntry, index: usize, id: &str) -> Result<&'a mut VerificationMethod, DidRejection> {
    let found = document.methods.iter_mut().find(|method| method.id == id);
    found.ok_or(DidRejection::Change { index, reason: "the document has no such key" })
}

/// A key that was neither revoked nor declared compromised, and that no other takes the place of.
fn open<'a>(document: &'a mut DidEntry, index: usize, id: &str) -> Result<&'a mut VerificationMethod, DidRejection> {
    let method = find(document, index, id)?;
    if method.revoked.is_some() || method.compromised_from.is_some() {
        return Err(DidRejection::Change { index, reason: "the key was revoked, rolled or declared compromised" });
    }
    Ok(method)
}

fn revoke(method: &mut VerificationMethod, time: UnixTime) {
    end_grants(method, time);
    method.revoked = Some(time);
}

fn revoke_if_open(method: &mut VerificationMethod, time: UnixTime) {
    if method.revoked.is_none_or(|revoked| revoked > time) {
        revoke(method, time);
    }
}

/// Ends what would go on after a time. A use that had not begun then becomes empty: it ends where it would begin.
fn end_grants(method: &mut VerificationMethod, time: UnixTime) {
    for grant in &mut method.grants {
        let end = grant.not_after.map_or(time, |end| end.min(time));
        grant.not_after = Some(end.max(grant.not_before));
    }
}
