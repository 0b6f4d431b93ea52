//! DID documents: who may register one, and how it changes.
//!
//! A DID is registered by a record of its own, signed with one of the keys it brings, and only when somebody vouches for
//! it: governance (an admission) or an accredited issuer (a VerifiableAuthorisationToOnboard), in either case for that
//! very key, so that nobody who reads of a DID can take it. From then on the document changes by `update-did`, signed by
//! a controller. Nothing is taken out of a document; keys end.
//!
//! The controllers of a document are usually the subject alone. A university that names its ministry beside itself can be
//! taken over when it has closed: the ministry adds a key of its own, and acts through the university's DID.
//!
//! - INV-DID-1: an entry changes only by a key that is valid for `capabilityInvocation` in the document of a controller
//!   at the block's time.
//! - INV-DID-2: a change never locks its document out: afterwards some controller can act on it, now or later, unless it
//!   is deactivated.
//! - INV-DID-3: the id of a verification method is the RFC 7638 thumbprint of its key.

mod changes;
pub(crate) mod rules;

use std::collections::BTreeSet;

use testamur_primitives::did::Did;
use testamur_primitives::hash::RecordId;
use testamur_primitives::identity::changes::{EVERYDAY, REGISTRY};
use testamur_primitives::identity::{self, AddressEntry, AdmissionEntry, DidEntry, KeyRefusal, Relationship, keys};
use testamur_primitives::key::PublicKey;
use testamur_primitives::record::{Act, Record};

use crate::execute::{ApplyError, BlockContext};
use crate::rejection::{DidRejection, GovernanceRejection, NetworkRejection};
use crate::state::{Overlay, StateError, StateReader};

/// The relationships by any of which a DID of the ledger may sign an act.
pub fn relationships(act: &Act) -> &'static [Relationship] {
    match act {
        Act::Notarise { .. }
        | Act::NotariseBatch { .. }
        | Act::OpenDossier { .. }
        | Act::UpdateDossier { .. }
        | Act::PublishStatus { .. } => EVERYDAY,
        Act::InsertDid { .. }
        | Act::UpdateDid { .. }
        | Act::ReserveAttribute { .. }
        | Act::FillAttribute { .. }
        | Act::EndAccreditation { .. }
        | Act::PublishSchema { .. }
        | Act::Propose { .. }
        | Act::Approve { .. }
        | Act::Synced { .. } => REGISTRY,
    }
}

/// The key that a record of a DID of the ledger must verify with: that of its `kid`, in the author's newest document,
/// usable for the act at the block's time. A DID that registers itself brings the key along.
pub fn author_key<R: StateReader>(
    reader: &R,
    record: &Record,
    context: &BlockContext,
) -> Result<PublicKey, ApplyError<R::Error>> {
    let (author, fragment) = (record.author(), record.kid().fragment());
    let refuse = |reason| DidRejection::Key { kid: record.kid().to_string(), reason };
    match record.act() {
        Act::Propose { .. } | Act::Approve { .. } => Err(GovernanceRejection::NotAnOperator(author.clone()).into()),
        Act::Synced { validator, .. } => Err(NetworkRejection::Key(*validator).into()),
        Act::InsertDid { methods, .. } => {
            rules::check_registrable(reader, author)?;
            let methods = rules::methods(methods)?;
            let method = methods.iter().find(|m| m.id == fragment).ok_or(refuse(KeyRefusal::Unknown))?;
            method.check(REGISTRY, context.time).map_err(refuse)?;
            Ok(PublicKey::from_jwk(&method.key).map_err(|_| DidRejection::MalformedKey)?)
        }
        act => {
            let document = rules::active(reader, author)?;
            Ok(document.usable_key(fragment, relationships(act), context.time).map_err(refuse)?)
        }
    }
}

/// Registers a DID, or changes its document.
pub(crate) fn apply<S: StateReader>(
    state: &mut Overlay<'_, S>,
    context: &BlockContext,
    record: &Record,
    act: &Act,
) -> Result<(), ApplyError<S::Error>> {
    match act {
        Act::InsertDid { .. } => insert(state, context, record, act),
        Act::UpdateDid { did, prev, changes } => {
            let old = rules::active(state, did)?;
            if !old.controllers.contains(record.author()) {
                return Err(DidRejection::NotAController { author: record.author().clone(), did: did.clone() }.into());
            }
            if old.record != *prev {
                return Err(DidRejection::Stale { current: old.record }.into());
            }
            let mut document = old.clone();
            for (index, change) in changes.iter().enumerate() {
                changes::apply(&mut document, index, change, context.time)?;
            }
            for controller in document.controllers.iter().filter(|c| !old.controllers.contains(c)) {
                rules::check_controller(state, did, controller)?;
            }
            rules::check_not_locked_out(state, did, &document, context.time)?;
            write(state, context, did, record.id(), document)
        }
        _ => unreachable!("the dispatcher sends acts on DIDs only"),
    }
}

fn insert<S: StateReader>(
    state: &mut Overlay<'_, S>,
    context: &BlockContext,
    record: &Record,
    act: &Act,
) -> Result<(), ApplyError<S::Error>> {
    let Act::InsertDid { methods, controllers, services, authorisation } = act else {
        unreachable!("the caller has looked")
    };
    let did = record.author();
    // Once more, though author_key did: a did:key author never came by there.
    rules::check_registrable(state, did)?;
    rules::check_authorised(state, context, did, record.kid().fragment(), authorisation.as_deref())?;
    for controller in controllers {
        rules::check_controller(state, did, controller)?;
    }
    let document = DidEntry {
        v: 1,
        seq: 1,
        height: context.height,
        time: context.time,
        record: record.id(),
        controllers: if controllers.is_empty() { vec![did.clone()] } else { controllers.clone() },
        methods: rules::methods(methods)?,
        services: services.clone(),
        deactivated: false,
    };
    rules::check_not_locked_out(state, did, &document, context.time)?;
    write(state, context, did, record.id(), document)
}

/// Writes a document, and the EBSI addresses of keys that it did not have before.
fn write<S: StateReader>(
    state: &mut Overlay<'_, S>,
    context: &BlockContext,
    did: &Did,
    record: RecordId,
    document: DidEntry,
) -> Result<(), ApplyError<S::Error>> {
    let known: BTreeSet<String> =
        identity::newest(state, did)?.map_or_else(BTreeSet::new, |old| old.methods.into_iter().map(|m| m.id).collect());
    for method in document.methods.iter().filter(|method| !known.contains(&method.id)) {
        let key = PublicKey::from_jwk(&method.key).map_err(|_| DidRejection::MalformedKey)?;
        assert_eq!(method.id, identity::thumbprint(&key), "INV-DID-3");
        if let Some(address) = identity::ebsi_address(&key) {
            let (did, method) = (did.clone(), method.id.clone());
            state.append(&keys::address(&address), |seq| AddressEntry { v: 1, seq, did, method })?;
        }
    }
    let (height, time) = (context.height, context.time);
    state.append(&keys::did(did), |seq| DidEntry { v: 1, seq, height, time, record, ..document })?;
    Ok(())
}

/// Lets a DID register with a key; the caller has checked that it is not registered.
pub(crate) fn admit<S: StateReader>(
    state: &mut Overlay<'_, S>,
    context: &BlockContext,
    did: &Did,
    jkt: &str,
    proposal: RecordId,
) -> Result<(), StateError<S::Error>> {
    let (height, time) = (context.height, context.time);
    state.append(&keys::admission(did), |seq| AdmissionEntry { v: 1, seq, height, time, jkt: jkt.to_owned(), proposal })
}
