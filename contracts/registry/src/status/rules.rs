//! Who may publish a version of a status list, and which.

use testamur_primitives::did::{Did, DidUrl};
use testamur_primitives::hash::RecordId;
use testamur_primitives::identity::{self, KeyRefusal, Relationship};
use testamur_primitives::issuers::chain;
use testamur_primitives::key::PublicKey;
use testamur_primitives::limits::{ATTACHMENT_BYTES_MAX, RECORD_AGE_S_MAX, RECORD_AHEAD_S_MAX, STATUS_ENTRIES_MIN};
use testamur_primitives::status::{StatusEntry, StatusVersion};
use testamur_primitives::units::UnixTime;

use crate::execute::ApplyError;
use crate::rejection::StatusRejection;
use crate::state::StateReader;

/// What needs no state: the size, the name, and whose key it is.
pub(crate) fn check_version(author: &Did, status: &StatusVersion) -> Result<(), StatusRejection> {
    let entries = STATUS_ENTRIES_MIN..=ATTACHMENT_BYTES_MAX as u64 * 8;
    if !entries.contains(&status.size) || !status.size.is_multiple_of(8) {
        return Err(StatusRejection::Size);
    }
    // The name is a segment of the tokens' URLs: as `.` or `..` it would lead elsewhere.
    if !status.list.as_str().starts_with(|first: char| first.is_ascii_alphanumeric()) {
        return Err(StatusRejection::Name);
    }
    if status.kid.did() != *author {
        return Err(StatusRejection::OtherIssuer);
    }
    Ok(())
}

/// The author must be an issuer with a chain of accreditations in force. For what it is accredited does not matter: its
/// list may be of credentials that it was accredited for once.
pub(super) fn check_issuer<R: StateReader>(
    state: &R,
    author: &Did,
    time: UnixTime,
) -> Result<(), ApplyError<R::Error>> {
    match chain::accredited(state, author, None, time)? {
        Ok(_) => Ok(()),
        Err(refusal) => Err(StatusRejection::NotAccredited { did: author.clone(), refusal }.into()),
    }
}

/// The version must follow from the newest one (INV-STATUS-2).
pub(super) fn check_successor(
    newest: Option<&StatusEntry>,
    status: &StatusVersion,
    prev: Option<RecordId>,
) -> Result<(), StatusRejection> {
    let expected = match newest {
        None if prev.is_some() => return Err(StatusRejection::Unknown),
        None => 1,
        Some(newest) if prev != Some(newest.record) => return Err(StatusRejection::Stale { current: newest.record }),
        Some(newest) => newest.seq + 1,
    };
    if status.version != expected {
        return Err(StatusRejection::Version { expected });
    }
    match newest {
        Some(newest) if (newest.status.purpose, newest.status.size) != (status.purpose, status.size) => {
            Err(StatusRejection::Changed)
        }
        _ => Ok(()),
    }
}

/// The key that signs the tokens: of the issuer's newest document, usable for `assertionMethod` (INV-STATUS-3).
pub(super) fn key<R: StateReader>(
    state: &R,
    issuer: &Did,
    kid: &DidUrl,
    time: UnixTime,
) -> Result<PublicKey, ApplyError<R::Error>> {
    let key = match identity::newest(state, issuer)? {
        None => Err(KeyRefusal::Unknown),
        Some(document) => document.usable_key(kid.fragment(), &[Relationship::AssertionMethod], time),
    };
    Ok(key.map_err(StatusRejection::Key)?)
}

/// The tokens' own date must be about that of the block, as a record's is.
pub(super) fn check_issued(status: &StatusVersion, time: UnixTime) -> Result<(), StatusRejection> {
    let oldest = time.0.saturating_sub(RECORD_AGE_S_MAX);
    let newest = time.0.saturating_add(RECORD_AHEAD_S_MAX);
    if (oldest..=newest).contains(&status.issued.0) { Ok(()) } else { Err(StatusRejection::Issued) }
}
