//! Who may change a dossier, and what may be changed.

use testamur_primitives::commitment::DigestAlgorithm;
use testamur_primitives::did::Did;
use testamur_primitives::dossiers::{DossierChange, DossierEntry, Owner};
use testamur_primitives::hash::RecordId;
use testamur_primitives::limits::{DOSSIER_HASHES_MAX, DOSSIER_OWNERS_MAX};
use testamur_primitives::record::Act;
use testamur_primitives::units::UnixTime;

use crate::rejection::DossierRejection;

/// What needs no state: the window of a new owner. Digests are checked when a record is parsed.
pub(crate) fn check_act(act: &Act) -> Result<(), DossierRejection> {
    match act {
        Act::UpdateDossier { change: DossierChange::AddOwner { owner }, .. } => check_window(owner),
        _ => Ok(()),
    }
}

fn check_window(owner: &Owner) -> Result<(), DossierRejection> {
    match owner.not_after {
        Some(end) if end <= owner.not_before => Err(DossierRejection::Owner {
            did: owner.did.clone(),
            reason: "would cease to be an owner before it is one",
        }),
        _ => Ok(()),
    }
}

/// The author's right must hold (INV-DOSSIER-1).
pub(super) fn check_owner(dossier: &DossierEntry, author: &Did, time: UnixTime) -> Result<(), DossierRejection> {
    let holds = dossier.owners.iter().any(|owner| owner.did == *author && owner.holds(time));
    if holds { Ok(()) } else { Err(DossierRejection::NotAnOwner(author.clone())) }
}

/// The author must have seen the newest change.
pub(super) fn check_prev(dossier: &DossierEntry, prev: RecordId) -> Result<(), DossierRejection> {
    if prev == dossier.record { Ok(()) } else { Err(DossierRejection::Stale { current: dossier.record }) }
}

/// Digests appended must be of the version's algorithm, and fit.
pub(super) fn check_append(dossier: &DossierEntry, alg: DigestAlgorithm, count: usize) -> Result<(), DossierRejection> {
    if alg != dossier.alg {
        return Err(DossierRejection::Content("the version's digests are of another algorithm: add a version"));
    }
    if dossier.entries.len() + count > DOSSIER_HASHES_MAX {
        return Err(DossierRejection::Content("a version holds at most 64 digests: add a version"));
    }
    Ok(())
}

/// An owner's right that has not ended, also one that has not begun.
pub(super) fn current<'a>(owners: &'a mut [Owner], did: &Did, time: UnixTime) -> Option<&'a mut Owner> {
    owners.iter_mut().find(|owner| owner.did == *did && is_open(owner, time))
}

fn is_open(owner: &Owner, time: UnixTime) -> bool {
    // A right that was taken before it began ends where it would have begun.
    owner.not_after.is_none_or(|end| time < end && owner.not_before < end)
}

/// A new owner must be none yet, have a right that will hold, and there must be room.
pub(super) fn check_new_owner(dossier: &DossierEntry, owner: &Owner, time: UnixTime) -> Result<(), DossierRejection> {
    let refuse = |reason| Err(DossierRejection::Owner { did: owner.did.clone(), reason });
    check_window(owner)?;
    if dossier.owners.iter().any(|other| other.did == owner.did && is_open(other, time)) {
        return refuse("is an owner of this dossier already");
    }
    if dossier.owners.len() >= DOSSIER_OWNERS_MAX {
        return refuse("is one owner too many: a dossier has at most 16, past ones included");
    }
    Ok(())
}

/// Somebody's right must hold after one was taken away (INV-DOSSIER-3).
pub(super) fn check_somebody_stays(dossier: &DossierEntry, did: &Did, time: UnixTime) -> Result<(), DossierRejection> {
    if dossier.owners.iter().any(|owner| owner.holds(time)) {
        return Ok(());
    }
    Err(DossierRejection::Owner { did: did.clone(), reason: "is the last owner: name another first" })
}
