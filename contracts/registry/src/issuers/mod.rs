//! Accreditations: an accreditor reserves a place, the subject fills it with its credential, the accreditor ends it.
//!
//! What EBSI leaves to the honesty of whoever writes is checked here, before anything enters the ledger: that the
//! accreditor signed the credential, with a key that is good now; that types, schemas and jurisdictions lie within the
//! accreditor's own; that it does not outlive the accreditor's; that the chain above holds, is not too long and does not
//! run in a circle. Readers check the same again ([`testamur_primitives::issuers::chain`]).
//!
//! - INV-ISSUER-1: a filled attribute holds a credential that its accreditor signed, for its subject, within the
//!   accreditor's own scopes and dates, under an accreditation that was in force.
//! - INV-ISSUER-2: following parents from any attribute ends at a Root TAO's, within `CHAIN_LINKS_MAX` links, and meets
//!   no subject twice.
//! - INV-ISSUER-3: a Root TAO's attribute was made by an executed governance proposal, and by nothing else.

pub(crate) mod rules;

use testamur_primitives::did::Did;
use testamur_primitives::hash::{AttributeId, RecordId};
use testamur_primitives::issuers::chain::TrustChain;
use testamur_primitives::issuers::{self, AttributeEntry, EndReason, Ended, Entity, IssuerEntry, IssuerType, keys};
use testamur_primitives::record::Act;
use testamur_primitives::units::UnixTime;

use crate::execute::{ApplyError, BlockContext};
use crate::rejection::IssuerRejection;
use crate::state::{Overlay, StateError, StateReader};

/// Reserves, fills or ends an accreditation.
pub(crate) fn apply<S: StateReader>(
    state: &mut Overlay<'_, S>,
    context: &BlockContext,
    author: &Did,
    id: RecordId,
    act: &Act,
) -> Result<(), ApplyError<S::Error>> {
    match act {
        Act::ReserveAttribute { attribute, subject, issuer_type, parent, entity, prev } => {
            let place = Place { attribute: *attribute, subject, issuer_type: *issuer_type, parent: *parent };
            match prev {
                None => reserve(state, context, author, id, &place, entity),
                Some(prev) => rename(state, context, author, id, *prev, &place, entity),
            }
        }
        Act::FillAttribute { attribute, prev, credential } => {
            let entry = rules::open(state, *attribute)?;
            if entry.subject != *author {
                return Err(IssuerRejection::NotTheSubject(author.clone()).into());
            }
            rules::check_newest(&entry, *prev)?;
            rules::check_credential(state, context, *attribute, &entry, credential)?;
            let filled = AttributeEntry { credential: Some(credential.clone()), filled: Some(context.time), ..entry };
            Ok(write(state, context, *attribute, id, filled)?)
        }
        Act::EndAccreditation { attribute, prev, effective, reason } => {
            let entry = rules::existing(state, *attribute)?;
            if entry.issuer_type == IssuerType::RootTao {
                return Err(IssuerRejection::Type("a Root TAO's is ended by governance").into());
            }
            if entry.accreditor != *author {
                return Err(IssuerRejection::NotTheAccreditor(author.clone()).into());
            }
            rules::check_newest(&entry, *prev)?;
            rules::check_end(state, context, *attribute, &entry, *effective, *reason)?;
            end(state, context, *attribute, id, entry, *effective, *reason)
        }
        _ => unreachable!("the dispatcher sends acts on accreditations only"),
    }
}

/// What an attribute is of, once and for all.
struct Place<'a> {
    attribute: AttributeId,
    subject: &'a Did,
    issuer_type: IssuerType,
    parent: AttributeId,
}

fn reserve<S: StateReader>(
    state: &mut Overlay<'_, S>,
    context: &BlockContext,
    author: &Did,
    record: RecordId,
    place: &Place<'_>,
    entity: &Entity,
) -> Result<(), ApplyError<S::Error>> {
    rules::check_new(state, place.attribute, place.subject)?;
    let chain = check_above(state, context, author, place)?;
    let root = chain.root().subject.clone();
    let &Place { attribute, subject, issuer_type, parent } = place;
    let entry = AttributeEntry {
        v: 1,
        seq: 1,
        height: context.height,
        time: context.time,
        record,
        subject: subject.clone(),
        accreditor: author.clone(),
        root,
        parent,
        issuer_type,
        entity: entity.clone(),
        credential: None,
        filled: None,
        ended: None,
    };
    Ok(place_new(state, context, attribute, record, entry)?)
}

/// Says anew who the subject of an accreditation is; nothing else of a reservation may change.
fn rename<S: StateReader>(
    state: &mut Overlay<'_, S>,
    context: &BlockContext,
    author: &Did,
    record: RecordId,
    prev: RecordId,
    place: &Place<'_>,
    entity: &Entity,
) -> Result<(), ApplyError<S::Error>> {
    let entry = rules::open(state, place.attribute)?;
    if entry.accreditor != *author {
        return Err(IssuerRejection::NotTheAccreditor(author.clone()).into());
    }
    rules::check_newest(&entry, prev)?;
    if (&entry.subject, entry.issuer_type, entry.parent) != (place.subject, place.issuer_type, place.parent) {
        return Err(IssuerRejection::Taken(place.attribute).into());
    }
    check_above(state, context, author, place)?;
    Ok(write(state, context, place.attribute, record, AttributeEntry { entity: entity.clone(), ..entry })?)
}

/// The author may accredit this subject as that, by its own accreditation; the chain behind that.
fn check_above<R: StateReader>(
    state: &R,
    context: &BlockContext,
    author: &Did,
    place: &Place<'_>,
) -> Result<TrustChain, ApplyError<R::Error>> {
    if place.subject == author {
        return Err(IssuerRejection::SelfAccreditation.into());
    }
    if issuers::attribute(state, place.parent)?.is_some_and(|parent| parent.subject != *author) {
        return Err(IssuerRejection::NotTheAccreditor(author.clone()).into());
    }
    rules::check_parent(state, context, place.parent, place.subject, place.issuer_type)
}

/// Reserves the attribute of a Root TAO: only governance calls this (INV-ISSUER-3).
pub(crate) fn reserve_root<S: StateReader>(
    state: &mut Overlay<'_, S>,
    context: &BlockContext,
    did: &Did,
    attribute: AttributeId,
    entity: &Entity,
    proposal: RecordId,
) -> Result<(), StateError<S::Error>> {
    let entry = AttributeEntry {
        v: 1,
        seq: 1,
        height: context.height,
        time: context.time,
        record: proposal,
        subject: did.clone(),
        accreditor: did.clone(),
        root: did.clone(),
        parent: AttributeId::ZERO,
        issuer_type: IssuerType::RootTao,
        entity: entity.clone(),
        credential: None,
        filled: None,
        ended: None,
    };
    place_new(state, context, attribute, proposal, entry)
}

/// Ends an accreditation; the caller has checked that it may.
pub(crate) fn end<S: StateReader>(
    state: &mut Overlay<'_, S>,
    context: &BlockContext,
    attribute: AttributeId,
    record: RecordId,
    entry: AttributeEntry,
    effective: UnixTime,
    reason: EndReason,
) -> Result<(), ApplyError<S::Error>> {
    let ended = Some(Ended { effective, reason });
    Ok(write(state, context, attribute, record, AttributeEntry { ended, ..entry })?)
}

/// Writes the first entry of an attribute, and lists it at its subject's.
fn place_new<S: StateReader>(
    state: &mut Overlay<'_, S>,
    context: &BlockContext,
    attribute: AttributeId,
    record: RecordId,
    entry: AttributeEntry,
) -> Result<(), StateError<S::Error>> {
    let mut attributes = issuers::issuer(state, &entry.subject)?.map_or_else(Vec::new, |issuer| issuer.attributes);
    attributes.push(attribute);
    let (height, time) = (context.height, context.time);
    state.append(&keys::issuer(&entry.subject), |seq| IssuerEntry { v: 1, seq, height, time, attributes })?;
    write(state, context, attribute, record, entry)
}

fn write<S: StateReader>(
    state: &mut Overlay<'_, S>,
    context: &BlockContext,
    attribute: AttributeId,
    record: RecordId,
    entry: AttributeEntry,
) -> Result<(), StateError<S::Error>> {
    let (height, time) = (context.height, context.time);
    state.append(&keys::attribute(attribute), |seq| AttributeEntry { v: 1, seq, height, time, record, ..entry })
}
