//! Step 5: not withdrawn, as of a state that is fresh.
//!
//! The lists of this ledger are looked at by the state: it says which version of the issuer's list, and of its two companions, is
//! in force, or that there is none, and by which digest its bits are found. Tokens of other servers are worth what their
//! signature is.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use testamur_primitives::did::{Did, DidUrl};
use testamur_primitives::identity::Relationship;
use testamur_primitives::limits::STATUS_ENTRIES_MIN;
use testamur_primitives::record::Reference;
use testamur_primitives::status::StatusPurpose;
use testamur_primitives::status::formats::TokenFormat;
use testamur_primitives::units::UnixTime;

use super::memory::View;
use super::{Found, Reason, Verifier, no_proof};
use crate::credential::{Credential, StatusPointer};
use crate::ledger::pointer::{self, Place};
use crate::ledger::{ListView, Listed};
use crate::limits::{CLOCK_SKEW_S, STATUS_POINTERS_MAX};
use crate::proofs::{Lists, Proofs};
use crate::status::{Token, TokenFault, token};

/// How fresh an answer must be.
pub(super) struct Freshness {
    /// The time that the answer is about.
    pub(super) about: UnixTime,
    /// The clock, or the state's time where that is later.
    pub(super) clock: UnixTime,
    pub(super) at: Option<UnixTime>,
    pub(super) accepted_s: u64,
}

impl Freshness {
    /// Whether what was known at a time says something of the time that is asked about.
    fn reaches(&self, known: UnixTime) -> bool {
        // Nobody knows what will be withdrawn later.
        let to_come = self.at.is_some_and(|at| at > self.clock);
        !to_come && self.about.0.saturating_sub(known.0) <= self.accepted_s
    }
}

/// A list of the ledger as a credential names it.
struct Named {
    list: Reference,
    purpose: Option<StatusPurpose>,
}

/// What one entry says.
struct Entry {
    reason: Reason,
    evidence: Value,
}

impl Verifier {
    pub(super) fn status(
        &self,
        credential: &Credential,
        view: Option<&View>,
        state_time: Option<UnixTime>,
        proofs: &Proofs,
        fresh: &Freshness,
    ) -> Found {
        if credential.status.len() > STATUS_POINTERS_MAX {
            return (
                Reason::StatusUnknownList,
                Arc::new(json!({ "detail": "it names more lists than are looked at" })),
            );
        }
        let mut entries = Vec::new();
        // Pointers into a list and into its companions are one question.
        let mut asked: BTreeMap<(Reference, u64), Vec<Named>> = BTreeMap::new();
        for pointer in &credential.status {
            match pointer::place(pointer, &self.public_base) {
                Place::Nowhere => entries.push(entry(Reason::StatusUnknownList, pointer)),
                Place::Ledger { issuer, .. } if issuer != credential.issuer => {
                    entries.push(entry(Reason::StatusOtherIssuer, pointer));
                }
                Place::Ledger { list, .. } => {
                    let named = asked.entry((pointer::base(&list), pointer.index)).or_default();
                    named.push(Named { list, purpose: pointer.purpose });
                }
                Place::Elsewhere => entries.push(self.elsewhere(credential, pointer, view, proofs, fresh)),
            }
        }
        for ((base, index), named) in &asked {
            on_ledger(base, *index, named, view, &proofs.lists, &mut entries);
        }
        if let Some(time) = state_time.filter(|time| !fresh.reaches(*time)) {
            entries.push(Entry { reason: Reason::StatusStale, evidence: json!({ "known_until": time }) });
        }
        let evidence = |reason: Reason| {
            let entries: Vec<_> = entries.iter().map(|entry| &entry.evidence).collect();
            (reason, Arc::new(json!({ "known_until": state_time, "entries": entries })))
        };
        // A withdrawal decides, whatever else is unknown; then what is unknown.
        let worst = entries.iter().map(|entry| entry.reason).max_by_key(|reason| weight(*reason));
        match worst {
            _ if view.is_none() && entries.is_empty() => (Reason::StatusNoProof, no_proof(None)),
            Some(reason) => evidence(reason),
            None => evidence(Reason::StatusNone),
        }
    }

    /// A token of another server.
    fn elsewhere(
        &self,
        credential: &Credential,
        pointer: &StatusPointer,
        view: Option<&View>,
        proofs: &Proofs,
        fresh: &Freshness,
    ) -> Entry {
        let Some(text) = proofs.tokens.get(&pointer.url) else { return entry(Reason::StatusNoProof, pointer) };
        let token = match self.token(pointer.format, text) {
            Ok(token) => token,
            Err(fault) => {
                let reason = match fault {
                    TokenFault::Malformed(_) => Reason::StatusListMalformed,
                    TokenFault::TooLarge => Reason::StatusListTooLarge,
                };
                return Entry { reason, evidence: json!({ "list": pointer.url, "detail": fault.to_string() }) };
            }
        };
        let reason = judge(&token, credential, pointer, view, fresh);
        Entry { reason, evidence: json!({ "list": pointer.url, "index": pointer.index, "issued": token.issued }) }
    }

    /// As [`Token::parse`], remembered.
    fn token(&self, format: TokenFormat, text: &Arc<str>) -> Result<Arc<Token>, TokenFault> {
        if let Some(found) = self.memory.tokens.get(text).filter(|token| token.format == format) {
            return Ok(found);
        }
        let token = Arc::new(Token::parse(format, text)?);
        // As text, what of it was signed, and the list unpacked.
        let weight = 2 * text.len() + usize::try_from(token.size()).unwrap_or(usize::MAX / 4);
        self.memory.tokens.put(Arc::clone(text), Arc::clone(&token), weight);
        Ok(token)
    }
}

/// What a token says, from what makes it worthless to what it is asked for.
fn judge(
    token: &Token,
    credential: &Credential,
    pointer: &StatusPointer,
    view: Option<&View>,
    fresh: &Freshness,
) -> Reason {
    let foreign = |did: &str| did != credential.issuer.as_str();
    let kid = token.kid.as_deref().and_then(|kid| kid.parse::<DidUrl>().ok());
    if token.issuer.as_deref().is_some_and(foreign) || kid.as_ref().is_some_and(|kid| foreign(kid.did().as_str())) {
        return Reason::StatusOtherIssuer;
    }
    match signed(token, kid.as_ref(), &credential.issuer, view) {
        None => return Reason::StatusNoProof,
        Some(false) => return Reason::StatusListSignature,
        Some(true) => {}
    }
    if token.url != pointer.url || token.purpose.is_some_and(|own| pointer.purpose.is_some_and(|named| named != own)) {
        return Reason::StatusListOther;
    }
    if token.size() < STATUS_ENTRIES_MIN {
        return Reason::StatusListTooShort;
    }
    let Some(value) = token.get(pointer.index) else { return Reason::StatusIndex };
    // A withdrawal is one, however old the list is that says so; a suspension may have been lifted since.
    let withdrawn = match (token.purpose, value) {
        (_, 0) => None,
        (Some(StatusPurpose::Suspension), _) | (None, token::SUSPENDED) => Some(Reason::StatusSuspended),
        (Some(StatusPurpose::Revocation), _) | (None, _) => Some(Reason::StatusRevoked),
    };
    if token.issued.0 > fresh.clock.0.saturating_add(CLOCK_SKEW_S) {
        return Reason::StatusListNotYetValid;
    }
    if let Some(reason) = withdrawn {
        return reason;
    }
    if token.expires.is_some_and(|end| end <= fresh.about) {
        return Reason::StatusListExpired;
    }
    if fresh.reaches(token.issued) { Reason::StatusOk } else { Reason::StatusStale }
}

/// Whether a key of the issuer's that was good for it has signed a token; none when the issuer's keys are not known.
fn signed(token: &Token, kid: Option<&DidUrl>, issuer: &Did, view: Option<&View>) -> Option<bool> {
    let view = view?;
    let document = view.documents.as_ref().ok()?.newest.as_ref()?;
    let Some(kid) = kid.filter(|kid| kid.did() == *issuer) else { return Some(false) };
    let good = document
        .method(kid.fragment())
        .is_some_and(|method| method.check(&[Relationship::AssertionMethod], token.issued).is_ok());
    Some(good && view.key(kid.fragment()).is_some_and(|key| token.verify_signature(&key.ready)))
}

/// The entries of a list of the ledger and of its companions.
fn on_ledger(
    base: &Reference,
    index: u64,
    named: &[Named],
    view: Option<&View>,
    lists: &Lists,
    entries: &mut Vec<Entry>,
) {
    let mut whole = |reason, detail: Option<&str>| {
        entries.push(Entry { reason, evidence: json!({ "list": base, "index": index, "detail": detail }) });
    };
    let Some(view) = view else { return whole(Reason::StatusNoProof, None) };
    let found = match &view.lists {
        Err(detail) => return whole(Reason::StatusNoProof, Some(detail)),
        Ok(found) => found,
    };
    let Some(ListView { own, suspended, replaced }) = found.get(base) else {
        return whole(Reason::StatusNoProof, None);
    };
    let all = [
        (own, "", Reason::StatusRevoked),
        (suspended, pointer::SUSPENDED, Reason::StatusSuspended),
        (replaced, pointer::REPLACED, Reason::StatusReplaced),
    ];
    for (listed, ending, withdrawn) in all {
        let name = format!("{base}{ending}");
        let named = named.iter().find(|named| named.list.as_str() == name);
        let entry = match listed {
            Listed::Version(entry) => entry,
            // A list that the credential names must exist; a companion need not.
            Listed::Absent | Listed::Later if named.is_some() => {
                let evidence = json!({ "list": name, "index": index });
                entries.push(Entry { reason: Reason::StatusUnknownList, evidence });
                continue;
            }
            Listed::Absent | Listed::Later => continue,
        };
        let version = &entry.status;
        let other_purpose = named.and_then(|named| named.purpose).is_some_and(|purpose| purpose != version.purpose);
        let reason = match lists.get(&version.sha256).map(|bits| bit(bits, index)) {
            // Older bits are kept for a while only, and whoever gathered the proofs may have left them out.
            None => Reason::StatusNoProof,
            // INV-LISTS-1: these are the bytes of the proven digest.
            Some(None) if named.is_some() => Reason::StatusIndex,
            Some(None) => Reason::StatusListMalformed,
            Some(Some(false)) if other_purpose => Reason::StatusListOther,
            Some(Some(false)) => Reason::StatusOk,
            // A list of suspensions suspends, whatever it is called.
            Some(Some(true)) if version.purpose == StatusPurpose::Suspension => Reason::StatusSuspended,
            Some(Some(true)) if withdrawn == Reason::StatusSuspended => Reason::StatusRevoked,
            Some(Some(true)) => withdrawn,
        };
        let evidence = json!({ "list": name, "index": index, "version": version.version, "published": entry.time });
        entries.push(Entry { reason, evidence });
    }
}

/// An entry of a ledger's list: the most significant bit of byte 0 first.
fn bit(bits: &[u8], index: u64) -> Option<bool> {
    let byte = bits.get(usize::try_from(index / 8).ok()?)?;
    Some(byte & (0x80 >> (index % 8)) != 0)
}

fn entry(reason: Reason, pointer: &StatusPointer) -> Entry {
    Entry { reason, evidence: json!({ "list": pointer.url, "index": pointer.index }) }
}

/// Which of several reasons decides.
fn weight(reason: Reason) -> u8 {
    match reason {
        Reason::StatusReplaced => 20,
        Reason::StatusRevoked => 19,
        Reason::StatusSuspended => 18,
        Reason::StatusOtherIssuer => 17,
        Reason::StatusIndex => 16,
        Reason::StatusOk => 0,
        Reason::StatusStale => 1,
        _ => 10,
    }
}
