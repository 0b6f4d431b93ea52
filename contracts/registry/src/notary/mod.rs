//! The notary: writers anchor digests and commitments.
//!
//! A notarisation writes nothing into the state: its record in the log is the whole effect. The state holds who may
//! notarise, since when, and since when no more. Roles are given and taken by governance; a DID registered on the ledger
//! may notarise without one, unless it was taken away.

pub mod keys;
mod rules;
mod state;

use testamur_primitives::did::Did;
use testamur_primitives::hash::RecordId;
use testamur_primitives::units::UnixTime;

pub use state::{WriterListing, WriterRole, WriterStatus};

use crate::execute::{ApplyError, BlockContext};
use crate::limits::PAGE_ENTRIES_MAX;
use crate::state::{self as values, Overlay, StateError, StateReader};

/// Admits a notarisation.
pub(crate) fn notarise<R: StateReader>(state: &R, author: &Did) -> Result<(), ApplyError<R::Error>> {
    rules::check_author(state, author)
}

/// Sets the writer role of a DID; the caller has checked that it changes.
pub(crate) fn set_role<S: StateReader>(
    state: &mut Overlay<'_, S>,
    did: &Did,
    status: WriterStatus,
    context: &BlockContext,
    proposal: Option<RecordId>,
) -> Result<(), StateError<S::Error>> {
    if writer_role(state, did)?.is_none() {
        state.append(&keys::writers(), |seq| WriterListing { v: 1, seq, did: did.clone() })?;
    }
    state.append(&keys::writer(did), |seq| WriterRole {
        v: 1,
        seq,
        status,
        height: context.height,
        time: context.time,
        proposal,
    })
}

/// The writer role of a DID now; none if it never had one.
pub fn writer_role<R: StateReader>(reader: &R, did: &Did) -> Result<Option<WriterRole>, StateError<R::Error>> {
    values::head(reader, &keys::writer(did))
}

/// The writer role of a DID at a time; none if it had none yet. The newest entry of that second counts.
pub fn writer_role_at<R: StateReader>(
    reader: &R,
    did: &Did,
    time: UnixTime,
) -> Result<Option<WriterRole>, StateError<R::Error>> {
    let object = keys::writer(did);
    let Some(mut role) = values::head::<WriterRole, _>(reader, &object)? else { return Ok(None) };
    while role.time > time {
        if role.seq == 1 {
            return Ok(None);
        }
        role = values::entry_before_head(reader, &object, role.seq - 1)?;
    }
    Ok(Some(role))
}

/// All entries of a DID's writer role, oldest first.
pub fn writer_history<R: StateReader>(reader: &R, did: &Did) -> Result<Vec<WriterRole>, StateError<R::Error>> {
    let object = keys::writer(did);
    let newest = values::head::<WriterRole, _>(reader, &object)?.map_or(0, |role| role.seq);
    (1..=newest).map(|seq| values::entry_before_head(reader, &object, seq)).collect()
}

/// DIDs that hold or held the role with their role now, by number after `after`, at most `limit` and a page.
pub fn writers<R: StateReader>(
    reader: &R,
    after: u64,
    limit: usize,
) -> Result<Vec<(WriterListing, WriterRole)>, StateError<R::Error>> {
    let object = keys::writers();
    let newest = values::head::<WriterListing, _>(reader, &object)?.map_or(0, |listing| listing.seq);
    let first = after.saturating_add(1);
    (first..=newest)
        .take(limit.min(PAGE_ENTRIES_MAX))
        .map(|seq| {
            let listing: WriterListing = values::entry_before_head(reader, &object, seq)?;
            let head = keys::writer(&listing.did).head();
            let role = writer_role(reader, &listing.did)?
                .ok_or_else(|| values::damaged(head, "is missing, though the DID is listed"))?;
            Ok((listing, role))
        })
        .collect()
}
