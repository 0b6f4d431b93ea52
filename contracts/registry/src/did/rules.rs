//! What a DID document may hold, and who may register one.

use std::collections::BTreeSet;

use testamur_primitives::codec;
use testamur_primitives::did::Did;
use testamur_primitives::identity::changes::{DidChange, NewMethod};
use testamur_primitives::identity::{self, DidEntry, Grant, Relationship, Service, VerificationMethod};
use testamur_primitives::issuers::accreditation::CredentialKind;
use testamur_primitives::issuers::{chain, memory};
use testamur_primitives::key::PublicKey;
use testamur_primitives::limits::{
    CREDENTIAL_CHARS_MAX, DID_CHANGES_MAX, DID_CONTROLLERS_MAX, DID_GRANTS_MAX, DID_METHODS_MAX, DID_SERVICES_MAX,
    ENDPOINT_CHARS_MAX,
};
use testamur_primitives::record::{Act, Record};
use testamur_primitives::units::UnixTime;

use crate::execute::{ApplyError, BlockContext};
use crate::network;
use crate::rejection::DidRejection;
use crate::state::StateReader;

/// Registries are changed by DIDs of the ledger only. That a did:key is not of the form to register is
/// [`check_registrable`]'s to say, who knows the form.
pub(crate) fn check_author(record: &Record) -> Result<(), DidRejection> {
    let registry = matches!(
        record.act(),
        Act::UpdateDid { .. }
            | Act::ReserveAttribute { .. }
            | Act::FillAttribute { .. }
            | Act::EndAccreditation { .. }
            | Act::PublishSchema { .. }
    );
    if registry && record.author().is_key() {
        return Err(DidRejection::NotRegistered(record.author().clone()));
    }
    Ok(())
}

/// Everything about an act on a DID that needs no state: numbers, keys on their curves, windows, services.
pub(crate) fn check_act(act: &Act) -> Result<(), DidRejection> {
    match act {
        Act::InsertDid { methods, controllers, services, authorisation } => {
            check_methods(methods)?;
            check_limit("controllers", controllers.len(), DID_CONTROLLERS_MAX)?;
            if controllers.iter().collect::<BTreeSet<_>>().len() != controllers.len() {
                return Err(DidRejection::Document("a controller is named twice"));
            }
            check_services(services)?;
            let chars = authorisation.as_ref().map_or(0, String::len);
            check_limit("characters of the authorisation", chars, CREDENTIAL_CHARS_MAX)
        }
        Act::UpdateDid { changes, .. } => {
            if changes.is_empty() {
                return Err(DidRejection::Document("an update holds at least one change"));
            }
            check_limit("changes", changes.len(), DID_CHANGES_MAX)?;
            changes.iter().try_for_each(check_change)
        }
        _ => Ok(()),
    }
}

fn check_change(change: &DidChange) -> Result<(), DidRejection> {
    match change {
        DidChange::SetServices { services } => check_services(services),
        DidChange::AddMethod { method } => check_method(method).map(|_| ()),
        DidChange::AddRelationship { grant, .. } => check_window(grant.not_before, grant.not_after),
        DidChange::RollMethod { key, not_before, not_after, .. } => {
            PublicKey::from_jwk(key).map_err(|_| DidRejection::MalformedKey)?;
            check_window(*not_before, *not_after)
        }
        DidChange::AddController { .. }
        | DidChange::RevokeController { .. }
        | DidChange::RevokeMethod { .. }
        | DidChange::ExpireMethod { .. }
        | DidChange::DeclareCompromised { .. }
        | DidChange::Deactivate {} => Ok(()),
    }
}

/// Refuses more of something than its limit.
pub(super) fn check_limit(what: &'static str, count: usize, most: usize) -> Result<(), DidRejection> {
    if count > most { Err(DidRejection::Limit { what, most }) } else { Ok(()) }
}

fn check_methods(methods: &[NewMethod]) -> Result<(), DidRejection> {
    if methods.is_empty() {
        return Err(DidRejection::Document("a document begins with at least one key"));
    }
    check_limit("keys", methods.len(), DID_METHODS_MAX)?;
    let keys: BTreeSet<_> = methods.iter().map(check_method).collect::<Result<_, _>>()?;
    if keys.len() != methods.len() {
        return Err(DidRejection::Document("a key is there twice"));
    }
    Ok(())
}

fn check_method(method: &NewMethod) -> Result<PublicKey, DidRejection> {
    if method.grants.is_empty() {
        return Err(DidRejection::Document("a key comes with at least one use"));
    }
    check_limit("uses of a key", method.grants.len(), DID_GRANTS_MAX)?;
    method.grants.iter().try_for_each(|grant| check_window(grant.not_before, grant.not_after))?;
    PublicKey::from_jwk(&method.key).map_err(|_| DidRejection::MalformedKey)
}

fn check_window(not_before: UnixTime, not_after: Option<UnixTime>) -> Result<(), DidRejection> {
    match not_after {
        Some(end) if end <= not_before => Err(DidRejection::Window("a use must begin before it ends")),
        _ => Ok(()),
    }
}

fn check_services(services: &[Service]) -> Result<(), DidRejection> {
    check_limit("services", services.len(), DID_SERVICES_MAX)?;
    let name_ok = |text: &str| {
        (1..=64).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
    };
    if services.iter().any(|service| !name_ok(&service.id) || !name_ok(&service.r#type)) {
        return Err(DidRejection::Document("id and type of a service are 1 to 64 of A-Z a-z 0-9 . _ -"));
    }
    let endpoint_ok = |text: &str| {
        text.len() <= ENDPOINT_CHARS_MAX
            && text.strip_prefix("https://").is_some_and(|rest| !rest.is_empty())
            && text.bytes().all(|b| b.is_ascii_graphic())
    };
    if services.iter().any(|service| !endpoint_ok(&service.endpoint)) {
        return Err(DidRejection::Document("an endpoint is an https URL of at most 256 visible ASCII characters"));
    }
    if services.iter().map(|service| &service.id).collect::<BTreeSet<_>>().len() != services.len() {
        return Err(DidRejection::Document("a service id is there twice"));
    }
    Ok(())
}

/// Whether text is an RFC 7638 SHA-256 thumbprint in form.
pub(crate) fn is_thumbprint(text: &str) -> bool {
    codec::from_base64url(text).is_ok_and(|bytes| bytes.len() == 32)
}

/// The verification methods that new keys make (INV-DID-3).
pub(super) fn methods(new: &[NewMethod]) -> Result<Vec<VerificationMethod>, DidRejection> {
    new.iter().map(method).collect()
}

/// The verification method that a new key makes (INV-DID-3).
pub(super) fn method(new: &NewMethod) -> Result<VerificationMethod, DidRejection> {
    let key = PublicKey::from_jwk(&new.key).map_err(|_| DidRejection::MalformedKey)?;
    Ok(VerificationMethod {
        id: identity::thumbprint(&key),
        key: key.to_jwk(),
        grants: new.grants.clone(),
        revoked: None,
        compromised_from: None,
    })
}

/// The DID must have the form of this ledger's.
pub(crate) fn check_form<R: StateReader>(reader: &R, did: &Did) -> Result<(), ApplyError<R::Error>> {
    let method = network::did_method(reader)?;
    if !did.is_of_ledger() || did.method() != method {
        return Err(DidRejection::Form { did: did.clone(), method }.into());
    }
    Ok(())
}

/// The DID must be one that could be registered now.
pub(crate) fn check_registrable<R: StateReader>(reader: &R, did: &Did) -> Result<(), ApplyError<R::Error>> {
    check_form(reader, did)?;
    if identity::newest(reader, did)?.is_some() {
        return Err(DidRejection::AlreadyRegistered(did.clone()).into());
    }
    Ok(())
}

/// The newest document of a DID that is registered and not deactivated.
pub(crate) fn active<R: StateReader>(reader: &R, did: &Did) -> Result<DidEntry, ApplyError<R::Error>> {
    match identity::newest(reader, did)? {
        None => Err(DidRejection::NotRegistered(did.clone()).into()),
        Some(document) if document.deactivated => Err(DidRejection::Deactivated(did.clone()).into()),
        Some(document) => Ok(document),
    }
}

/// A controller is the document's own DID, or another that can act.
pub(super) fn check_controller<R: StateReader>(
    reader: &R,
    did: &Did,
    controller: &Did,
) -> Result<(), ApplyError<R::Error>> {
    if controller != did {
        active(reader, controller)?;
    }
    Ok(())
}

/// Somebody must have said that this DID may register with this key: governance, or an accredited issuer.
pub(super) fn check_authorised<R: StateReader>(
    reader: &R,
    context: &BlockContext,
    did: &Did,
    jkt: &str,
    authorisation: Option<&str>,
) -> Result<(), ApplyError<R::Error>> {
    let admission = identity::admission(reader, did)?;
    if admission.as_ref().is_some_and(|admission| admission.jkt == jkt) {
        return Ok(());
    }
    let Some(jwt) = authorisation else {
        return Err(match admission {
            Some(admission) => DidRejection::OtherKey(admission.jkt).into(),
            None => DidRejection::NotAuthorised(did.clone()).into(),
        });
    };
    let refuse = |reason: &str| Err(DidRejection::Authorisation(reason.to_owned()).into());
    let authorisation = match memory::read(jwt) {
        Ok(authorisation) => authorisation,
        Err(error) => return refuse(&error.0),
    };
    if authorisation.kind != CredentialKind::AuthorisationToOnboard {
        return refuse("it is not a VerifiableAuthorisationToOnboard");
    }
    if authorisation.subject != *did {
        return refuse("it is for another DID");
    }
    match authorisation.jkt.as_deref() {
        None => {
            return refuse("credentialSubject.cnf.jkt is missing: the thumbprint of the key that registers the DID");
        }
        Some(named) if named != jkt => return Err(DidRejection::OtherKey(named.to_owned()).into()),
        Some(_) => {}
    }
    if !authorisation.is_valid_at(context.time) {
        return refuse("it is outside its dates");
    }
    if let Err(refusal) = chain::accredited(reader, &authorisation.issuer, None, context.time)? {
        return refuse(&format!("its issuer is not accredited: {refusal}"));
    }
    let issuer = match identity::newest(reader, &authorisation.issuer)? {
        Some(document) if !document.deactivated => document,
        _ => return refuse("its issuer has no active DID document"),
    };
    match issuer.usable_key(authorisation.kid.fragment(), &[Relationship::AssertionMethod], context.time) {
        Err(reason) => refuse(&format!("its signing key is no good: {reason}")),
        Ok(key) if !authorisation.verify_signature(&key) => refuse("its signature does not verify"),
        Ok(_) => Ok(()),
    }
}

/// INV-DID-2: a change never locks its document out: afterwards some controller can act on it, now or later, unless it
/// is deactivated.
pub(super) fn check_not_locked_out<R: StateReader>(
    reader: &R,
    did: &Did,
    document: &DidEntry,
    time: UnixTime,
) -> Result<(), ApplyError<R::Error>> {
    if document.deactivated {
        return Ok(());
    }
    for controller in &document.controllers {
        let acts = if controller == did {
            can_act(document, time)
        } else {
            identity::newest(reader, controller)?.is_some_and(|other| can_act(&other, time))
        };
        if acts {
            return Ok(());
        }
    }
    Err(DidRejection::LockedOut.into())
}

/// Whether some key of a document, neither revoked nor compromised, can sign registry records now or later.
fn can_act(document: &DidEntry, time: UnixTime) -> bool {
    let lasts = |grant: &Grant| {
        grant.relationship == Relationship::CapabilityInvocation
            && grant.not_after.is_none_or(|end| end > time && end > grant.not_before)
    };
    !document.deactivated
        && document
            .methods
            .iter()
            .any(|m| m.revoked.is_none() && m.compromised_from.is_none() && m.grants.iter().any(lasts))
}
