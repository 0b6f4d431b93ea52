//! What the formats read alike: dates, types, schemas, status entries, ids.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use testamur_primitives::codec::from_decimal;
use testamur_primitives::did::{Did, DidUrl};
use testamur_primitives::hash::SchemaId;
use testamur_primitives::issuers::accreditation::{instant, parse_schema_id};
use testamur_primitives::limits::JSON_INTEGER_MAX;
use testamur_primitives::status::StatusPurpose;
use testamur_primitives::status::formats::TokenFormat;
use testamur_primitives::units::UnixTime;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::BuildError;
use crate::credential::{Holder, StatusPointer};
use crate::refusal::Refusal;

/// Types that every credential has.
const GENERAL_TYPES: [&str; 2] = ["VerifiableCredential", "VerifiableAttestation"];
/// Types, schemas, status entries: more than any credential has.
const ENTRIES_MAX: usize = 32;
/// Characters of a text that an error repeats.
const CHARS_SHOWN: usize = 80;

/// Whether a type says nothing of what is attested.
pub(super) fn is_general(name: &str) -> bool {
    GENERAL_TYPES.contains(&name)
}

/// Takes a member that must be text, if it is there.
pub(super) fn text<'a>(claims: &'a Map<String, Value>, name: &'static str) -> Result<Option<&'a str>, Refusal> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Refusal::Malformed(format!("{name} is not text"))),
    }
}

/// Takes a time in seconds, if it is there. A fraction is cut off, as RFC 7519 allows one.
pub(super) fn seconds(claims: &Map<String, Value>, name: &'static str) -> Result<Option<UnixTime>, Refusal> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let whole = value.as_u64().or_else(|| {
        let number = value.as_number()?.to_string();
        let (whole, fraction) = number.split_once('.')?;
        fraction.bytes().all(|byte| byte.is_ascii_digit()).then(|| from_decimal(whole).ok())?
    });
    let time = whole.filter(|seconds| *seconds <= JSON_INTEGER_MAX).map(UnixTime);
    time.map(Some).ok_or_else(|| Refusal::Malformed(format!("{name} is not a time in seconds since 1970")))
}

/// Takes a date of RFC 3339, if it is there.
pub(super) fn date(credential: &Map<String, Value>, name: &'static str) -> Result<Option<UnixTime>, Refusal> {
    let Some(text) = text(credential, name)? else { return Ok(None) };
    instant(text).map(Some).map_err(|_| Refusal::Malformed(format!("{name} is not a date and time of RFC 3339")))
}

/// A date as all formats write it: whole seconds in UTC.
pub(super) fn rfc3339(time: UnixTime) -> Result<String, BuildError> {
    let time = i64::try_from(time.0).ok().and_then(|time| OffsetDateTime::from_unix_timestamp(time).ok());
    time.and_then(|time| time.format(&Rfc3339).ok()).ok_or(BuildError::Dates)
}

/// Two spellings of one thing, where both are there.
pub(super) fn agree<T: PartialEq>(one: &Option<T>, other: &Option<T>, names: &str) -> Result<(), Refusal> {
    match (one, other) {
        (Some(one), Some(other)) if one != other => Err(Refusal::Malformed(format!("{names} differ"))),
        _ => Ok(()),
    }
}

/// One thing or a list of them. Order means nothing.
pub(super) fn one_or_many<'a>(claims: &'a Map<String, Value>, name: &'static str) -> Result<Vec<&'a Value>, Refusal> {
    let entries = match claims.get(name) {
        None => Vec::new(),
        Some(Value::Array(entries)) => entries.iter().collect(),
        Some(entry) => vec![entry],
    };
    if entries.len() > ENTRIES_MAX {
        return Err(Refusal::Malformed(format!("{name} has more than {ENTRIES_MAX} entries")));
    }
    Ok(entries)
}

/// The issuer. Whoever is no DID, no ledger of this kind knows.
pub(super) fn issuer(text: &str) -> Result<Did, Refusal> {
    text.parse().map_err(|_| Refusal::ForeignIssuer(shown(text)))
}

/// The key: a DID URL, or a fragment of the issuer's document.
pub(super) fn kid(header: &Map<String, Value>, issuer: &Did) -> Result<DidUrl, Refusal> {
    let kid = text(header, "kid")?.ok_or(Refusal::Incomplete("kid"))?;
    let absolute = if kid.starts_with('#') { format!("{issuer}{kid}") } else { kid.to_owned() };
    absolute.parse().map_err(|_| Refusal::KeyUnknown(shown(kid)))
}

/// The types that say what is attested; all must be text.
pub(super) fn types(entries: &[&Value]) -> Result<BTreeSet<String>, Refusal> {
    let mut types = BTreeSet::new();
    for entry in entries {
        let name = entry.as_str().ok_or_else(|| Refusal::malformed("a type is not text"))?;
        if !is_general(name) {
            types.insert(name.to_owned());
        }
    }
    Ok(types)
}

/// The schemas, by their ids. All of them must be of this kind of ledger when the issuer is.
pub(super) fn schemas(claims: &Map<String, Value>, issuer: &Did) -> Result<Vec<SchemaId>, Refusal> {
    let mut schemas = Vec::new();
    for entry in one_or_many(claims, "credentialSchema")? {
        let id = entry.get("id").and_then(Value::as_str).ok_or(Refusal::Incomplete("credentialSchema.id"))?;
        let known = matches!(
            entry.get("type").and_then(Value::as_str),
            Some("FullJsonSchemaValidator2021" | "JsonSchema" | "JsonSchemaValidator2018")
        );
        match parse_schema_id(id).filter(|_| known) {
            Some(schema) => schemas.push(schema),
            None if issuer.is_of_ledger() => return Err(Refusal::SchemaUnknown(shown(id))),
            None => {}
        }
    }
    complete(!schemas.is_empty(), issuer, "credentialSchema")?;
    Ok(schemas)
}

/// What every credential of a ledger must have. Others end at their issuer anyway, and are not said to be wrong.
pub(super) fn complete(is_there: bool, issuer: &Did, name: &'static str) -> Result<(), Refusal> {
    if is_there || !issuer.is_of_ledger() { Ok(()) } else { Err(Refusal::Incomplete(name)) }
}

/// The status entries of a W3C credential.
pub(super) fn status(credential: &Map<String, Value>) -> Result<Vec<StatusPointer>, Refusal> {
    one_or_many(credential, "credentialStatus")?.into_iter().map(status_entry).collect()
}

fn status_entry(entry: &Value) -> Result<StatusPointer, Refusal> {
    let entry = entry.as_object().ok_or_else(|| Refusal::malformed("credentialStatus is not an object"))?;
    let name = text(entry, "type")?.ok_or(Refusal::Incomplete("credentialStatus.type"))?;
    let format = [TokenFormat::StatusList2021, TokenFormat::Bitstring]
        .into_iter()
        .find(|format| status_type(*format) == name)
        .ok_or_else(|| Refusal::StatusUnknown(shown(name)))?;
    let url = text(entry, "statusListCredential")?.ok_or(Refusal::Incomplete("statusListCredential"))?;
    let purpose = match text(entry, "statusPurpose")?.ok_or(Refusal::Incomplete("statusPurpose"))? {
        "revocation" => StatusPurpose::Revocation,
        "suspension" => StatusPurpose::Suspension,
        other => return Err(Refusal::StatusUnknown(shown(other))),
    };
    let index = match entry.get("statusListIndex").ok_or(Refusal::Incomplete("statusListIndex"))? {
        Value::String(index) => from_decimal(index).ok(),
        index => index.as_u64(),
    };
    let index = index.ok_or_else(|| Refusal::malformed("statusListIndex is not a number"))?;
    Ok(StatusPointer { format, url: url.to_owned(), index, purpose: Some(purpose) })
}

/// The name of an entry in a list of a format.
pub(super) fn status_type(format: TokenFormat) -> &'static str {
    match format {
        TokenFormat::StatusList2021 => "StatusList2021Entry",
        TokenFormat::Bitstring => "BitstringStatusListEntry",
        TokenFormat::TokenStatusList => "TokenStatusListEntry",
    }
}

/// Takes the subject apart: its id, and what is attested of it.
pub(super) fn subject(credential: &Map<String, Value>) -> Result<(Option<String>, Map<String, Value>), Refusal> {
    let mut subject = match credential.get("credentialSubject") {
        None => return Err(Refusal::Incomplete("credentialSubject")),
        Some(Value::Object(subject)) => subject.clone(),
        Some(Value::Array(subjects)) => match subjects.as_slice() {
            [Value::Object(subject)] => subject.clone(),
            _ => return Err(Refusal::UnknownFormat("a credential of several subjects")),
        },
        Some(_) => return Err(Refusal::malformed("credentialSubject is not an object")),
    };
    match subject.remove("id") {
        None => Ok((None, subject)),
        Some(Value::String(id)) => Ok((Some(id), subject)),
        Some(_) => Err(Refusal::malformed("the subject's id is not text")),
    }
}

/// Whose key the subject's id is, if it is a DID and not said to be nobody's.
pub(super) fn holder(id: Option<&str>, subject: &Map<String, Value>) -> Holder {
    if subject.get("holderBinding").and_then(Value::as_str) == Some("none") {
        return Holder::Unbound;
    }
    id.and_then(|id| id.parse().ok()).map_or(Holder::Unbound, Holder::Did)
}

/// The beginning of a text that somebody else wrote.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(CHARS_SHOWN).collect()
}
