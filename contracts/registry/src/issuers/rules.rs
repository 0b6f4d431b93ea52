//! Who may accredit whom as what, with which credential, and until when.

use std::collections::BTreeSet;

use testamur_primitives::did::Did;
use testamur_primitives::hash::{AttributeId, RecordId};
use testamur_primitives::identity::Relationship;
use testamur_primitives::issuers::accreditation::CredentialKind;
use testamur_primitives::issuers::chain::{TrustChain, trust_chain};
use testamur_primitives::issuers::{self, AttributeEntry, EndReason, Entity, IssuerType, keys, memory};
use testamur_primitives::limits::{
    CHAIN_LINKS_MAX, ENTITY_IDENTIFIERS_MAX, ENTITY_NAMES_MAX, ISSUER_ATTRIBUTES_MAX, LEGAL_NAME_BYTES_MAX,
};
use testamur_primitives::record::Act;
use testamur_primitives::units::UnixTime;

use crate::did;
use crate::execute::{ApplyError, BlockContext};
use crate::rejection::{DidRejection, IssuerRejection};
use crate::state::{self as values, StateReader};

/// Everything about an act on accreditations that needs no state.
pub(crate) fn check_act(act: &Act) -> Result<(), IssuerRejection> {
    match act {
        Act::ReserveAttribute { issuer_type: IssuerType::RootTao, .. } => {
            Err(IssuerRejection::Type("Root TAOs are made by governance"))
        }
        Act::ReserveAttribute { entity, .. } => check_entity(entity),
        Act::FillAttribute { credential, .. } => {
            memory::read(credential).map(|_| ()).map_err(|error| IssuerRejection::Credential(error.0))
        }
        _ => Ok(()),
    }
}

/// Who a subject is: names in languages, a country, identifiers; nothing twice, no free text.
pub(crate) fn check_entity(entity: &Entity) -> Result<(), IssuerRejection> {
    let rule = |ok: bool, reason| if ok { Ok(()) } else { Err(IssuerRejection::Entity(reason)) };
    let Entity { names, country, identifiers } = entity;
    rule((1..=ENTITY_NAMES_MAX).contains(&names.len()), "it has 1 to 32 names")?;
    rule(
        names.iter().all(|n| (1..=LEGAL_NAME_BYTES_MAX).contains(&n.name.len())),
        "a name has 1 to 200 bytes of UTF-8",
    )?;
    rule(!names.iter().any(|n| n.name.chars().any(char::is_control)), "a name holds a control character")?;
    rule(names.iter().all(|n| is_language(&n.lang)), "lang is a BCP 47 tag such as el or sr-Latn")?;
    let languages: BTreeSet<_> = names.iter().map(|n| n.lang.to_ascii_lowercase()).collect();
    rule(languages.len() == names.len(), "a language is there twice")?;
    rule(
        country.len() == 2 && country.bytes().all(|b| b.is_ascii_uppercase()),
        "country is two capital letters (ISO 3166-1)",
    )?;
    rule(identifiers.len() <= ENTITY_IDENTIFIERS_MAX, "it has at most 8 identifiers")?;
    let value_ok = |text: &str| {
        (1..=64).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
    };
    rule(identifiers.iter().all(|i| value_ok(&i.value)), "an identifier is 1 to 64 of A-Z a-z 0-9 . _ -")?;
    let distinct: BTreeSet<_> = identifiers.iter().map(|i| (i.scheme, &i.value)).collect();
    rule(distinct.len() == identifiers.len(), "an identifier is there twice")
}

/// BCP 47 in form: a language of two or three small letters, then subtags of 2 to 8 letters and digits.
fn is_language(text: &str) -> bool {
    let mut parts = text.split('-');
    let language = parts.next().unwrap_or_default();
    (2..=3).contains(&language.len())
        && language.bytes().all(|b| b.is_ascii_lowercase())
        && parts.all(|part| (2..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// An attribute that was reserved.
pub(crate) fn existing<R: StateReader>(
    reader: &R,
    attribute: AttributeId,
) -> Result<AttributeEntry, ApplyError<R::Error>> {
    Ok(issuers::attribute(reader, attribute)?.ok_or(IssuerRejection::Unknown(attribute))?)
}

/// An attribute that was reserved and for which no end was set.
pub(super) fn open<R: StateReader>(reader: &R, attribute: AttributeId) -> Result<AttributeEntry, ApplyError<R::Error>> {
    let entry = existing(reader, attribute)?;
    if entry.ended.is_some() { Err(IssuerRejection::Ended.into()) } else { Ok(entry) }
}

/// The author must have seen the newest entry.
pub(super) fn check_newest(entry: &AttributeEntry, prev: RecordId) -> Result<(), IssuerRejection> {
    if entry.record == prev { Ok(()) } else { Err(IssuerRejection::Stale { current: entry.record }) }
}

/// The attribute must be new, and the subject one that can be accredited: a DID of this ledger, to be registered perhaps,
/// that is not closed and has room.
pub(crate) fn check_new<R: StateReader>(
    reader: &R,
    attribute: AttributeId,
    subject: &Did,
) -> Result<(), ApplyError<R::Error>> {
    // Zero stands for "no parent".
    if attribute == AttributeId::ZERO || issuers::attribute(reader, attribute)?.is_some() {
        return Err(IssuerRejection::Taken(attribute).into());
    }
    did::rules::check_form(reader, subject)?;
    if testamur_primitives::identity::newest(reader, subject)?.is_some_and(|document| document.deactivated) {
        return Err(DidRejection::Deactivated(subject.clone()).into());
    }
    if issuers::issuer(reader, subject)?.is_some_and(|issuer| issuer.attributes.len() >= ISSUER_ATTRIBUTES_MAX) {
        return Err(IssuerRejection::Limit.into());
    }
    Ok(())
}

/// INV-ISSUER-2: the chain of the accreditor's own accreditation holds now, its type may accredit such a one, the subject
/// is not in it, and one more link fits.
pub(super) fn check_parent<R: StateReader>(
    reader: &R,
    context: &BlockContext,
    parent: AttributeId,
    subject: &Did,
    issuer_type: IssuerType,
) -> Result<TrustChain, ApplyError<R::Error>> {
    let chain = trust_chain(reader, parent, context.time)?.map_err(IssuerRejection::Parent)?;
    if !chain.issuer().issuer_type.may_accredit(issuer_type) {
        return Err(
            IssuerRejection::Type("a trusted issuer accredits nobody, and a Root TAO is made by governance").into()
        );
    }
    if chain.links.iter().any(|link| link.subject == *subject) {
        return Err(IssuerRejection::Circle(subject.clone()).into());
    }
    if chain.links.len() + 1 > CHAIN_LINKS_MAX {
        return Err(IssuerRejection::TooDeep.into());
    }
    Ok(chain)
}

/// INV-ISSUER-1: the credential is the one that belongs in this place, and its accreditor signed it with a key that is
/// good now, within its own scopes and dates, under an accreditation in force.
pub(super) fn check_credential<R: StateReader>(
    reader: &R,
    context: &BlockContext,
    attribute: AttributeId,
    entry: &AttributeEntry,
    jwt: &str,
) -> Result<(), ApplyError<R::Error>> {
    let refuse = |reason: &str| Err(IssuerRejection::Credential(reason.to_owned()).into());
    let credential = memory::read(jwt).map_err(|error| IssuerRejection::Credential(error.0))?;
    let kind = CredentialKind::of_issuer(entry.issuer_type);
    if credential.kind != kind {
        return refuse(&format!("its type must be {}", kind.type_name()));
    }
    if credential.subject != entry.subject {
        return refuse("it is about another subject");
    }
    if credential.attribute != Some(attribute) {
        return refuse("reservedAttributeId must be this attribute");
    }
    if credential.issuer != entry.accreditor {
        return refuse("it is by another issuer than the accreditor");
    }
    let accreditor = did::rules::active(reader, &entry.accreditor)?;
    let key = accreditor
        .usable_key(credential.kid.fragment(), &[Relationship::AssertionMethod], context.time)
        .map_err(IssuerRejection::CredentialKey)?;
    if !credential.verify_signature(&key) {
        return Err(IssuerRejection::Signature.into());
    }
    if !credential.is_valid_at(context.time) {
        return Err(IssuerRejection::Dates("it is not valid at the block's time").into());
    }
    // Else a subject whose accreditor has narrowed its scopes could go back to the credential that was wider.
    let current = entry.credential.as_deref().map(memory::read).transpose();
    if current.is_ok_and(|current| current.is_some_and(|current| credential.valid_from < current.valid_from)) {
        return Err(IssuerRejection::Dates("it must not begin before the one in place").into());
    }
    if entry.issuer_type == IssuerType::RootTao {
        return Ok(());
    }
    let chain = check_parent(reader, context, entry.parent, &entry.subject, entry.issuer_type)?;
    let parent = &chain.issuer().accreditation;
    if parent.valid_until.is_some_and(|end| credential.valid_until.is_none_or(|own| own > end)) {
        return Err(IssuerRejection::Dates("it must not outlive the accreditor's own").into());
    }
    if credential.scopes.is_empty() {
        return refuse("accreditedFor must name what it allows");
    }
    for scope in &credential.scopes {
        parent.covers(scope).map_err(IssuerRejection::Scope)?;
    }
    let names_parent = |terms: &str| {
        let id = terms.rsplit('/').next().unwrap_or_default();
        id.strip_prefix("0x").unwrap_or(id).parse() == Ok(entry.parent)
    };
    if !credential.terms_of_use.as_deref().is_some_and(names_parent) {
        return refuse("termsOfUse (IssuanceCertificate) must end in the id of the accreditor's own attribute");
    }
    Ok(())
}

/// The end of an accreditation: now or later; or earlier, for reasons that void what was done. An end stays, but one that
/// lies ahead may be brought forward.
pub(crate) fn check_end<R: StateReader>(
    reader: &R,
    context: &BlockContext,
    attribute: AttributeId,
    entry: &AttributeEntry,
    effective: UnixTime,
    reason: EndReason,
) -> Result<(), ApplyError<R::Error>> {
    if entry.ended.is_some_and(|ended| ended.effective <= context.time || ended.effective <= effective) {
        return Err(IssuerRejection::Ended.into());
    }
    if effective >= context.time {
        return Ok(());
    }
    if !reason.may_be_past() {
        let reason = "only fraud and a compromised key end it before the block's time";
        return Err(IssuerRejection::EndDate(reason).into());
    }
    let first: AttributeEntry = values::entry_before_head(reader, &keys::attribute(attribute), 1)?;
    if effective < first.time {
        return Err(IssuerRejection::EndDate("it did not exist before it was reserved").into());
    }
    Ok(())
}
