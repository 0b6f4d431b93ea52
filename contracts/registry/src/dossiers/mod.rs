//! Dossiers: versioned sets of document digests with owners.
//!
//! Whoever may notarise opens a dossier and is its first owner, without end. Owners add versions, digests and owners.
//! A right begins in the block that gives it at the earliest and ends in the block that takes it at the earliest: who
//! owned a dossier at a time cannot be said anew later.
//!
//! - INV-DOSSIER-1: every change is by an owner whose right holds at the block's time, and who may notarise then.
//! - INV-DOSSIER-2: digests are never taken out; a version that is not the newest never changes.
//! - INV-DOSSIER-3: taking a right away leaves somebody whose right holds.

pub(crate) mod rules;

use testamur_primitives::did::Did;
use testamur_primitives::dossiers::{DossierChange, DossierEntry, Owner, key, newest};
use testamur_primitives::hash::RecordId;
use testamur_primitives::record::Act;
use testamur_primitives::units::UnixTime;

use crate::execute::{ApplyError, BlockContext};
use crate::notary;
use crate::rejection::DossierRejection;
use crate::state::{Overlay, StateReader};

/// Opens a dossier, or changes it.
///
/// # Panics
/// When the act is about something else: execution hands on acts by their kind.
pub(crate) fn apply<S: StateReader>(
    state: &mut Overlay<'_, S>,
    context: &BlockContext,
    author: &Did,
    record: RecordId,
    act: &Act,
) -> Result<(), ApplyError<S::Error>> {
    notary::notarise(state, author)?;
    let (height, time) = (context.height, context.time);
    let (id, entry) = match act {
        Act::OpenDossier { alg, entries } => {
            let owners = vec![Owner { did: author.clone(), not_before: time, not_after: None }];
            let (alg, entries) = (*alg, entries.clone());
            (record, DossierEntry { v: 1, seq: 1, height, time, record, version: 1, alg, entries, owners })
        }
        Act::UpdateDossier { dossier, prev, change } => {
            let newest = newest(state, *dossier)?.ok_or(DossierRejection::Unknown(*dossier))?;
            rules::check_owner(&newest, author, time)?;
            rules::check_prev(&newest, *prev)?;
            let next = DossierEntry { seq: newest.seq + 1, height, time, record, ..newest };
            (*dossier, changed(next, change, time)?)
        }
        _ => unreachable!("execution hands acts on dossiers only to this contract"),
    };
    state.append(&key(id), |seq| {
        assert_eq!(entry.seq, seq, "INV-STATE-2: a dossier is opened once, by the record that it is named after");
        entry
    })?;
    Ok(())
}

/// A dossier after a change.
fn changed(mut entry: DossierEntry, change: &DossierChange, time: UnixTime) -> Result<DossierEntry, DossierRejection> {
    match change {
        DossierChange::AddVersion { alg, entries } => {
            entry.version += 1;
            entry.alg = *alg;
            entry.entries.clone_from(entries);
        }
        DossierChange::AppendDigests { alg, entries } => {
            rules::check_append(&entry, *alg, entries.len())?;
            entry.entries.extend(entries.iter().cloned());
        }
        DossierChange::AddOwner { owner } => {
            let owner = Owner { not_before: owner.not_before.max(time), ..owner.clone() };
            rules::check_new_owner(&entry, &owner, time)?;
            entry.owners.push(owner);
        }
        DossierChange::RevokeOwner { did } => {
            let owner = rules::current(&mut entry.owners, did, time).ok_or(DossierRejection::Owner {
                did: did.clone(),
                reason: "is no owner of this dossier, or no longer",
            })?;
            owner.not_after = Some(owner.not_before.max(time));
            rules::check_somebody_stays(&entry, did, time)?;
        }
    }
    Ok(entry)
}
