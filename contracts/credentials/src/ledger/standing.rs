//! Whether an issuer was accredited for what it issued.
//!
//! An issuer may have several accreditations. The first by which the credential could be issued decides; when there is none,
//! the one that came closest says why.

use testamur_primitives::hash::AttributeId;
use testamur_primitives::issuers::accreditation::{Accreditation, OutOfScope, Scope};
use testamur_primitives::issuers::chain::{ChainRefusal, TrustChain, trust_chain};
use testamur_primitives::issuers::{AttributeEntry, attribute, issuer, keys, memory};
use testamur_primitives::state::{StateError, StateReader, entry};
use testamur_primitives::units::UnixTime;

use super::Question;
use crate::limits::ACCREDITATION_ENTRIES_MAX;

/// What the type that stands for a level of the European Qualifications Framework begins with: `EqfLevel7`.
pub const LEVEL: &str = "EqfLevel";

/// Whether a type stands for a level of qualification.
pub fn is_level(name: &str) -> bool {
    name.strip_prefix(LEVEL).is_some_and(|level| level.bytes().all(|b| b.is_ascii_digit()))
}

/// Why no accreditation allowed a credential, by the one that came closest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoChain {
    /// In one word.
    pub why: Why,
    /// What the walk of the chain said; none when there was nothing to walk.
    pub refusal: Option<ChainRefusal>,
    /// Whether it did allow the credential once, and has ended or changed since.
    pub over: bool,
}

/// What was wrong. In order of how close it is to an accreditation that allows the credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// Nothing was ever reserved for the issuer.
    Never,
    /// It does not allow the schema.
    Schema,
    /// It does not allow the types.
    Type,
    /// It allows the types, and not the level of qualification.
    Level,
    /// It allows the types, and not in that jurisdiction.
    Jurisdiction,
    /// It was not in place yet.
    NotInPlace,
    /// It was outside its dates.
    Dates,
    /// It had ended.
    Ended,
    /// One above it did not hold, or it was not made by the rules.
    Chain,
}

/// Finds a chain by which the credential could be issued at a moment.
pub fn standing<R: StateReader>(
    reader: &R,
    question: &Question,
    at: UnixTime,
) -> Result<Result<TrustChain, NoChain>, StateError<R::Error>> {
    let mut closest = NoChain { why: Why::Never, refusal: None, over: false };
    let Some(issuer) = issuer(reader, &question.issuer)? else { return Ok(Err(closest)) };
    for id in issuer.attributes {
        let found = match trust_chain(reader, id, at)? {
            Ok(chain) => match outside(&chain.issuer().accreditation, &question.scopes) {
                None => return Ok(Ok(chain)),
                Some(outside) => not_permitted(outside),
            },
            Err(refusal) => refused(reader, question, id, refusal, at)?,
        };
        let over = found.over || (found.why < Why::NotInPlace && allowed_once(reader, question, id)?);
        // Of two that are as close, the later accreditation says more about now.
        if (over, found.why) >= (closest.over, closest.why) {
            closest = NoChain { over, ..found };
        }
    }
    Ok(Err(closest))
}

/// What lies outside an accreditation, if none of the scopes lies within.
fn outside(accreditation: &Accreditation, scopes: &[Scope]) -> Option<(Why, OutOfScope)> {
    let mut closest = None;
    for scope in scopes {
        let Err(reason) = accreditation.covers(scope) else { return None };
        let why = match &reason {
            OutOfScope::Schema(_) => Why::Schema,
            OutOfScope::Jurisdiction(_) => Why::Jurisdiction,
            OutOfScope::Type(_) => {
                let types = scope.types.iter().filter(|name| !is_level(name)).cloned().collect();
                let without_level = Scope { types, ..scope.clone() };
                match accreditation.covers(&without_level) {
                    Err(OutOfScope::Schema(_) | OutOfScope::Type(_)) => Why::Type,
                    Ok(()) | Err(OutOfScope::Jurisdiction(_)) => Why::Level,
                }
            }
        };
        if closest.as_ref().is_none_or(|(so_far, _)| why > *so_far) {
            closest = Some((why, reason));
        }
    }
    // A credential that names no schema is within nobody's accreditation.
    Some(closest.unwrap_or((Why::Schema, OutOfScope::Schema(Default::default()))))
}

fn not_permitted((why, reason): (Why, OutOfScope)) -> NoChain {
    NoChain { why, refusal: Some(ChainRefusal::NotPermitted(reason)), over: false }
}

/// What a refused chain means for this credential.
fn refused<R: StateReader>(
    reader: &R,
    question: &Question,
    id: AttributeId,
    refusal: ChainRefusal,
    at: UnixTime,
) -> Result<NoChain, StateError<R::Error>> {
    let newest = attribute(reader, id)?;
    let accreditation = newest.as_ref().and_then(credential_of);
    // One that would not have allowed the credential anyway has ended for other credentials than this.
    if let Some(found) = accreditation.as_ref().and_then(|a| outside(a, &question.scopes)) {
        return Ok(not_permitted(found));
    }
    let expired = accreditation.is_some_and(|a| a.valid_until.is_some_and(|end| end <= at));
    let (why, over) = match &refusal {
        ChainRefusal::NotInPlace(of) if *of == id => (Why::NotInPlace, false),
        ChainRefusal::Dates(of) if *of == id => (Why::Dates, expired),
        ChainRefusal::Ended { attribute, .. } if *attribute == id => (Why::Ended, true),
        ChainRefusal::Ended { .. } | ChainRefusal::Dates(_) => (Why::Chain, true),
        _ => (Why::Chain, false),
    };
    Ok(NoChain { why, refusal: Some(refusal), over })
}

/// Whether an earlier form of an accreditation allowed the credential: one that was renewed for less. Only asked where
/// nothing shows when the credential was issued.
fn allowed_once<R: StateReader>(
    reader: &R,
    question: &Question,
    id: AttributeId,
) -> Result<bool, StateError<R::Error>> {
    if question.issued.is_some() {
        return Ok(false);
    }
    let last = attribute(reader, id)?.map_or(0, |newest| newest.seq);
    for seq in (last.saturating_sub(ACCREDITATION_ENTRIES_MAX)..last).filter(|seq| *seq > 0) {
        let earlier: Option<AttributeEntry> = entry(reader, &keys::attribute(id), seq)?;
        if earlier.as_ref().and_then(credential_of).is_some_and(|a| outside(&a, &question.scopes).is_none()) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn credential_of(entry: &AttributeEntry) -> Option<std::sync::Arc<Accreditation>> {
    entry.credential.as_deref().and_then(|jwt| memory::read(jwt).ok())
}
