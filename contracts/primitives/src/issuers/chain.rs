//! The chain of accreditations behind an issuer, at a time, with every signature checked.
//!
//! This runs on a node over its state and on a reader over proven state, alike: nothing is taken from whoever answers.
//! For each link, from the issuer's to the Root TAO's:
//!
//! 1. the attribute was filled at that time, with a credential of the right kind, for its subject and place;
//! 2. the credential's dates hold at that time, and the accreditation had not ended;
//! 3. the accreditor signed it, with a key that was good for `assertionMethod` when the ledger took the credential, and
//!    that nobody has declared compromised since for that time;
//! 4. its scopes lie within the parent's;
//!
//! and the last link is a Root TAO's, made by governance, at most `CHAIN_LINKS_MAX` links away.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::accreditation::{Accreditation, CredentialKind, OutOfScope, Scope};
use super::{AttributeEntry, Ended, Entity, IssuerType, attribute, attribute_at, issuer, memory};
use crate::did::Did;
use crate::hash::AttributeId;
use crate::identity::{self, KeyRefusal, Relationship};
use crate::limits::CHAIN_LINKS_MAX;
use crate::state::{StateError, StateReader};
use crate::units::UnixTime;

/// One accreditation of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its place.
    pub attribute: AttributeId,
    /// Who is accredited.
    pub subject: Did,
    /// Who it is, as its accreditor says.
    pub entity: Entity,
    /// As what.
    pub issuer_type: IssuerType,
    /// Since when the ledger holds the credential.
    pub filled: UnixTime,
    /// Its end, when one was set (after the time asked for).
    pub ended: Option<Ended>,
    /// The credential.
    pub accreditation: Arc<Accreditation>,
}

/// A chain that holds, the issuer's link first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustChain {
    /// The links; at least one.
    pub links: Vec<Link>,
    /// The time it holds at.
    pub at: UnixTime,
}

/// Why a chain does not hold: names are stable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainRefusal {
    /// No accreditation was ever reserved for the issuer.
    #[error("{0} was never accredited on this ledger")]
    NotAccredited(Did),
    /// No such attribute.
    #[error("there is no accreditation {0} on this ledger")]
    UnknownAttribute(AttributeId),
    /// Reserved later, or never filled before that time.
    #[error("accreditation {0} was not in place at that time")]
    NotInPlace(AttributeId),
    /// Not yet valid, or expired.
    #[error("accreditation {0} was outside its dates at that time")]
    Dates(AttributeId),
    /// Ended by its accreditor.
    #[error("accreditation {attribute} ended ({reason})", reason = .ended.reason.name())]
    Ended {
        /// Which.
        attribute: AttributeId,
        /// When and why.
        ended: Ended,
    },
    /// The credential cannot be read, or is about something else.
    #[error("the credential of accreditation {attribute} is refused: {reason}")]
    Credential {
        /// Which.
        attribute: AttributeId,
        /// Why.
        reason: String,
    },
    /// The accreditor's key was no good.
    #[error("the key behind accreditation {attribute} is refused: {reason}")]
    Key {
        /// Which.
        attribute: AttributeId,
        /// Why.
        reason: KeyRefusal,
    },
    /// The accreditor's DID is not on the ledger.
    #[error("{0}, who signed an accreditation, is not registered on this ledger")]
    AccreditorUnknown(Did),
    /// The signature does not verify.
    #[error("the signature of accreditation {0} does not verify: it was not made by the accreditor")]
    Signature(AttributeId),
    /// More than the parent allows.
    #[error("accreditation {attribute} goes beyond its accreditor's own: {reason}")]
    Scope {
        /// Which.
        attribute: AttributeId,
        /// What lies outside.
        reason: OutOfScope,
    },
    /// A circle, too many links, or a holder that may not accredit.
    #[error("the accreditations do not lead to a Root TAO within {CHAIN_LINKS_MAX} links")]
    NoRoot,
    /// The chain holds, and does not allow what was asked.
    #[error("the issuer is accredited, but not for this: {0}")]
    NotPermitted(OutOfScope),
}

impl ChainRefusal {
    /// Stable slug.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotAccredited(_) => "chain.not-accredited",
            Self::UnknownAttribute(_) => "chain.unknown-attribute",
            Self::NotInPlace(_) => "chain.not-in-place",
            Self::Dates(_) => "chain.dates",
            Self::Ended { .. } => "chain.ended",
            Self::Credential { .. } => "chain.credential",
            Self::Key { reason: KeyRefusal::Compromised, .. } => "chain.key-compromised",
            Self::Key { .. } => "chain.key",
            Self::AccreditorUnknown(_) => "chain.accreditor-unknown",
            Self::Signature(_) => "chain.signature",
            Self::Scope { reason: OutOfScope::Schema(_), .. } => "chain.scope-schema",
            Self::Scope { reason: OutOfScope::Type(_), .. } => "chain.scope-type",
            Self::Scope { reason: OutOfScope::Jurisdiction(_), .. } => "chain.scope-jurisdiction",
            Self::NoRoot => "chain.no-root",
            Self::NotPermitted(OutOfScope::Schema(_)) => "chain.schema-not-permitted",
            Self::NotPermitted(OutOfScope::Type(_)) => "chain.type-not-permitted",
            Self::NotPermitted(OutOfScope::Jurisdiction(_)) => "chain.jurisdiction-not-permitted",
        }
    }
}

impl TrustChain {
    /// The issuer's own link.
    pub fn issuer(&self) -> &Link {
        &self.links[0]
    }

    /// The Root TAO's link.
    pub fn root(&self) -> &Link {
        &self.links[self.links.len() - 1]
    }

    /// Whether the issuer may issue credentials of these types, of one of their schemas, for these jurisdictions.
    pub fn permits(&self, scope: &Scope) -> Result<(), ChainRefusal> {
        self.issuer().accreditation.covers(scope).map_err(ChainRefusal::NotPermitted)
    }
}

/// What a walk yields: the outer error is the reader's own failure, the inner one an answer.
pub type Walk<T, E> = Result<Result<T, ChainRefusal>, StateError<E>>;

/// Walks from an attribute to its Root TAO, as things stood at a time, by what is known now.
pub fn trust_chain<R: StateReader>(reader: &R, leaf: AttributeId, at: UnixTime) -> Walk<TrustChain, R::Error> {
    let (mut links, mut subjects, mut id): (Vec<Link>, BTreeSet<Did>, _) = (Vec::new(), BTreeSet::new(), leaf);
    loop {
        let entry = match in_force(reader, id, at)? {
            Ok(entry) => entry,
            Err(refusal) => return Ok(Err(refusal)),
        };
        // INV-ISSUER-2: at most CHAIN_LINKS_MAX links, no subject twice, each parent one that may accredit.
        let child = links.last().map(|link: &Link| link.issuer_type);
        if links.len() == CHAIN_LINKS_MAX
            || !subjects.insert(entry.subject.clone())
            || child.is_some_and(|child| !entry.issuer_type.may_accredit(child))
        {
            return Ok(Err(ChainRefusal::NoRoot));
        }
        let link = match check_link(reader, id, entry.clone(), at)? {
            Ok(link) => link,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if let Some(child) = links.last() {
            if entry.subject != child.accreditation.issuer {
                return Ok(Err(ChainRefusal::NoRoot));
            }
            if let Some(reason) = child.accreditation.scopes.iter().find_map(|s| link.accreditation.covers(s).err()) {
                return Ok(Err(ChainRefusal::Scope { attribute: child.attribute, reason }));
            }
        }
        links.push(link);
        if entry.issuer_type == IssuerType::RootTao {
            return Ok(Ok(TrustChain { links, at }));
        }
        id = entry.parent;
    }
}

/// Finds a chain by which an issuer may issue within a scope at a time; without scope, any chain that holds. When none
/// does, the refusal is that of the newest accreditation.
pub fn accredited<R: StateReader>(
    reader: &R,
    did: &Did,
    scope: Option<&Scope>,
    at: UnixTime,
) -> Walk<TrustChain, R::Error> {
    let mut refusal = ChainRefusal::NotAccredited(did.clone());
    let Some(issuer) = issuer(reader, did)? else { return Ok(Err(refusal)) };
    for id in issuer.attributes {
        let result = trust_chain(reader, id, at)?;
        match result.and_then(|chain| scope.map_or(Ok(()), |s| chain.permits(s)).map(|()| chain)) {
            Ok(chain) => return Ok(Ok(chain)),
            Err(found) => refusal = found,
        }
    }
    Ok(Err(refusal))
}

/// The entry of an attribute at a time, unless the accreditation has ended for that time by what is known now.
fn in_force<R: StateReader>(reader: &R, id: AttributeId, at: UnixTime) -> Walk<AttributeEntry, R::Error> {
    let Some(newest) = attribute(reader, id)? else { return Ok(Err(ChainRefusal::UnknownAttribute(id))) };
    if let Some(ended) = newest.ended.filter(|ended| ended.effective <= at) {
        return Ok(Err(ChainRefusal::Ended { attribute: id, ended }));
    }
    let Some(mut entry) = attribute_at(reader, id, at)? else { return Ok(Err(ChainRefusal::NotInPlace(id))) };
    entry.ended = newest.ended;
    // Who the subject is, is what its accreditor says now: a corrected name corrects what is shown of old diplomas.
    entry.entity = newest.entity;
    Ok(Ok(entry))
}

/// Steps 1 to 3 for one link.
fn check_link<R: StateReader>(
    reader: &R,
    id: AttributeId,
    entry: AttributeEntry,
    at: UnixTime,
) -> Walk<Link, R::Error> {
    let (Some(jwt), Some(filled)) = (&entry.credential, entry.filled) else {
        return Ok(Err(ChainRefusal::NotInPlace(id)));
    };
    let refuse = |reason: &str| Ok(Err(ChainRefusal::Credential { attribute: id, reason: reason.to_owned() }));
    let accreditation = match memory::read(jwt) {
        Ok(accreditation) => accreditation,
        Err(error) => return refuse(&error.0),
    };
    if accreditation.kind != CredentialKind::of_issuer(entry.issuer_type) {
        return refuse("it is of another kind");
    }
    if accreditation.subject != entry.subject || accreditation.attribute != Some(id) {
        return refuse("it is about another subject or place");
    }
    if accreditation.issuer != entry.accreditor {
        return refuse("it is by another issuer");
    }
    if !accreditation.is_valid_at(at) {
        return Ok(Err(ChainRefusal::Dates(id)));
    }
    let Some(document) = identity::as_of(reader, &entry.accreditor, filled)? else {
        return Ok(Err(ChainRefusal::AccreditorUnknown(entry.accreditor)));
    };
    let fragment = accreditation.kid.fragment();
    let key = match document.usable_key(fragment, &[Relationship::AssertionMethod], filled) {
        Ok(key) => key,
        Err(reason) => return Ok(Err(ChainRefusal::Key { attribute: id, reason })),
    };
    if !accreditation.verify_signature(&key) {
        return Ok(Err(ChainRefusal::Signature(id)));
    }
    let AttributeEntry { subject, entity, issuer_type, ended, .. } = entry;
    Ok(Ok(Link { attribute: id, subject, entity, issuer_type, filled, ended, accreditation }))
}
