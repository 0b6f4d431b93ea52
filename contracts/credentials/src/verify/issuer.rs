//! Steps 3 and 4: who issued it, and whether it was allowed to.

use std::sync::Arc;

use serde_json::{Value, json};
use testamur_primitives::identity::{KeyRefusal, Relationship};
use testamur_primitives::issuers::chain::TrustChain;
use testamur_primitives::receipt::ReceiptError;
use testamur_primitives::state::evidence::EvidenceError;

use super::memory::View;
use super::{Found, Reason, State, no_proof};
use crate::credential::Credential;
use crate::ledger::{LEVEL, NoChain, Why, is_level};

/// What there is of the ledger, for one credential.
pub(super) struct Ledger<'a> {
    pub(super) state: &'a State,
    pub(super) view: Option<&'a View>,
    /// Whether the issuer's DID is of the kind that this ledger registers.
    pub(super) own: bool,
}

impl Ledger<'_> {
    /// Step 3.
    pub(super) fn issuer(&self, credential: &Credential) -> Found {
        let view = match (self.state, self.view) {
            _ if !self.own => {
                return (Reason::IssuerForeignDid, Arc::new(json!({ "did": credential.issuer })));
            }
            (State::Refused(error), _) => {
                let reason = match error.as_ref() {
                    EvidenceError::Certificate(ReceiptError::UnknownNetwork(_)) => Reason::IssuerOtherNetwork,
                    _ => Reason::IssuerEvidence,
                };
                return (reason, Arc::new(json!({ "error": error.code(), "detail": error.to_string() })));
            }
            (_, Some(view)) => view,
            (State::Missing | State::Proven(_), None) => return (Reason::IssuerNoProof, no_proof(None)),
        };
        match View::part(&view.documents) {
            Err(evidence) => (Reason::IssuerNoProof, evidence),
            Ok(documents) if documents.newest.is_none() => {
                (Reason::IssuerNotRegistered, Arc::new(json!({ "did": credential.issuer })))
            }
            // Step 2 has found the key.
            Ok(_) => match view.key(credential.kid.fragment()) {
                Some(key) => (key.reason, Arc::clone(&key.evidence)),
                None => (Reason::IssuerNoProof, no_proof(None)),
            },
        }
    }

    /// Step 4.
    pub(super) fn accreditation(&self, credential: &Credential) -> Found {
        let Some(view) = self.view else { return (Reason::AccreditationNoProof, no_proof(None)) };
        if credential.types.is_empty() {
            return (Reason::AccreditationType, Arc::new(json!({ "detail": "it names no type" })));
        }
        let (reason, evidence) = match &view.accreditation {
            Ok(found) => found.clone(),
            Err(detail) => return (Reason::AccreditationNoProof, no_proof(Some(detail))),
        };
        if reason == Reason::AccreditationOk && !level_agrees(credential) {
            let levels: Vec<_> = credential.types.iter().filter(|name| is_level(name)).collect();
            let said = credential.subject.get("eqfLevel");
            return (Reason::AccreditationLevel, Arc::new(json!({ "types": levels, "eqfLevel": said })));
        }
        (reason, evidence)
    }
}

/// Whether the level that the content says is the one whose type the accreditation allowed. A level that is only in the content
/// is one that nobody allowed.
fn level_agrees(credential: &Credential) -> bool {
    let levels: Vec<_> = credential.types.iter().filter(|name| is_level(name)).collect();
    match (credential.subject.get("eqfLevel"), levels.as_slice()) {
        (None, []) => true,
        (Some(Value::Number(level)), [one]) => one.strip_prefix(LEVEL) == Some(level.to_string().as_str()),
        _ => false,
    }
}

/// What is known of a key at the moments that count.
pub(super) fn key(view: &View, fragment: &str) -> Option<Found> {
    let documents = view.documents.as_ref().ok()?;
    let method = documents.newest.as_ref()?.method(fragment)?;
    let anchored = view.question.issued.is_some();
    let moments = view.question.moments();
    let mut reason = Reason::IssuerOk;
    for (then, at) in documents.then.iter().zip(&moments) {
        let refusal = match then.as_ref().and_then(|document| document.method(fragment)) {
            // The document, or the key in it, came later.
            None => Err(KeyRefusal::NotYetValid),
            Some(method) => method.check(&[Relationship::AssertionMethod], *at),
        };
        reason = match refusal {
            Ok(()) => continue,
            Err(KeyRefusal::Compromised) => Reason::IssuerKeyCompromised,
            Err(KeyRefusal::NotGranted | KeyRefusal::Unknown) => Reason::IssuerKeyPurpose,
            Err(KeyRefusal::NotYetValid) => Reason::IssuerKeyNotYetValid,
            Err(KeyRefusal::Expired | KeyRefusal::Revoked) if anchored => Reason::IssuerKeyEnded,
            Err(KeyRefusal::Expired | KeyRefusal::Revoked) => Reason::IssuerKeyEndedUnanchored,
        };
        break;
    }
    // The name is the one that the accreditor gives, and stands for nothing without an accreditation that holds.
    let chain = view.standing.as_ref().ok().and_then(|standing| standing.iter().find_map(|chain| chain.as_ref().ok()));
    let entity = chain.map(|chain| &chain.issuer().entity);
    let evidence = json!({
        "did": view.question.issuer,
        "names": entity.map(|entity| &entity.names),
        "country": entity.map(|entity| &entity.country),
        "identifiers": entity.map(|entity| &entity.identifiers),
        "key": fragment,
        "judged_at": moments,
        "anchored": anchored,
        "revoked": method.revoked,
        "compromised_from": method.compromised_from,
    });
    Some((reason, Arc::new(evidence)))
}

/// What was found of the accreditation at the moments that count.
pub(super) fn accreditation(view: &View) -> Result<Found, String> {
    let standing = view.standing.as_ref().map_err(Clone::clone)?;
    let anchored = view.question.issued.is_some();
    if let Some((no_chain, at)) =
        standing.iter().zip(view.question.moments()).find_map(|(found, at)| Some((found.as_ref().err()?, at)))
    {
        let evidence = json!({
            "judged_at": at,
            "anchored": anchored,
            "refusal": no_chain.refusal.as_ref().map(|refusal| refusal.code()),
            "detail": no_chain.refusal.as_ref().map(|refusal| refusal.to_string()),
        });
        return Ok((refused(no_chain, anchored), Arc::new(evidence)));
    }
    let Some(Ok(chain)) = standing.first() else { return Err("no moment was asked about".into()) };
    let evidence = json!({ "judged_at": view.question.moments(), "anchored": anchored, "links": links(chain) });
    Ok((Reason::AccreditationOk, Arc::new(evidence)))
}

fn refused(found: &NoChain, anchored: bool) -> Reason {
    if found.over && !anchored {
        return Reason::AccreditationEndedUnanchored;
    }
    match found.why {
        Why::Never => Reason::AccreditationNotAccredited,
        Why::Schema => Reason::AccreditationSchema,
        Why::Type => Reason::AccreditationType,
        Why::Level => Reason::AccreditationLevel,
        Why::Jurisdiction => Reason::AccreditationJurisdiction,
        Why::NotInPlace => Reason::AccreditationNotInPlace,
        Why::Dates => Reason::AccreditationDates,
        Why::Ended => Reason::AccreditationEnded,
        Why::Chain => Reason::AccreditationChain,
    }
}

fn links(chain: &TrustChain) -> Value {
    let link = |link: &testamur_primitives::issuers::chain::Link| {
        json!({
            "attribute": link.attribute,
            "subject": link.subject,
            "names": link.entity.names,
            "country": link.entity.country,
            "identifiers": link.entity.identifiers,
            "as": link.issuer_type,
            "accreditor": link.accreditation.issuer,
            "filled": link.filled,
            "ended": link.ended,
        })
    };
    chain.links.iter().map(link).collect()
}
