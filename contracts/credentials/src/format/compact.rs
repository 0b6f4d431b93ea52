//! The compact credential of a QR code and a share link: an SD-JWT VC without disclosures, in short members, of at most
//! [`COMPACT_BYTES_MAX`] bytes whatever the diploma.
//!
//! | member | stands for | | member | stands for |
//! | --- | --- | --- | --- | --- |
//! | `sc` | `credentialSchema`: base64url of the schema's id | | `ti` | `title`: an object of language → text |
//! | `ty` | `types`, without the `EqfLevelN` that `eq` gives | | `aw` | `awardingDate` |
//! | `st` | status: `[list, index]`, a list of the issuer's on its ledger | | `cn` | `certificateNumber` |
//! | `gn` | `givenName` | | `xd` | `expiryDate` |
//! | `fn` | `familyName` | | `cl` | `classes` |
//! | `bd` | `dateOfBirth` | | `ec` | `ects` |
//! | `eq` | `eqfLevel`, and the type `EqfLevelN` | | `is` | `iscedF` |
//! | `ju` | `jurisdiction`, without [`JURISDICTIONS`] before it | | `pl` | `place` |
//!
//! The left half is always there (of the names and the dates, what the diploma has), with `vct`, `nbf` and `exp`. The right
//! half and `iss` (the issuer is that of `kid`) come as long as they fit, in the order of [`OPTIONAL`]; of the titles the
//! first alone before all of them. Reading gives the long members back.

use serde_json::{Map, Value, json};
use testamur_primitives::codec::{base64url, from_base64url};
use testamur_primitives::did::{Did, DidUrl};
use testamur_primitives::hash::SchemaId;
use testamur_primitives::key::JwsAlgorithm;
use testamur_primitives::record::Reference;
use testamur_primitives::status::formats::TokenFormat;

use super::{BuildError, Draft, Unsigned, claims, members};
use crate::credential::{Credential, Format, Holder, StatusPointer};
use crate::jws::Jws;
use crate::limits::COMPACT_BYTES_MAX;
use crate::refusal::Refusal;

/// The `vct` by which it is told.
pub const VCT: &str = "urn:testamur:compact:1";
/// What a jurisdiction's URI begins with: the EU's authority list of administrative territorial units.
pub const JURISDICTIONS: &str = "https://publications.europa.eu/resource/authority/atu/";
/// The type that a level of the European Qualifications Framework is.
pub const EQF_TYPE: &str = "EqfLevel";

/// Short and long names of members that are taken as they are and always there if the diploma has them.
const NAMES: [(&str, &str); 3] = [("gn", "givenName"), ("fn", "familyName"), ("bd", "dateOfBirth")];
/// Short and long names of members that come as long as they fit, the most wanted first.
pub const OPTIONAL: [(&str, &str); 7] = [
    ("aw", "awardingDate"),
    ("cn", "certificateNumber"),
    ("xd", "expiryDate"),
    ("cl", "classes"),
    ("ec", "ects"),
    ("is", "iscedF"),
    ("pl", "place"),
];

/// Writes a draft.
pub(super) fn build(draft: &Draft) -> Result<Unsigned, BuildError> {
    let header = draft.header("dc+sd-jwt");
    let mut payload = always(draft)?;
    let bytes = |payload: &Map<String, Value>| {
        let signature = if draft.alg == JwsAlgorithm::ES384 { 96 } else { 64 };
        let disclosures = Some(Vec::new());
        Unsigned::new(&header, payload, disclosures).with_signature(&[0; 96][..signature]).len()
    };
    if bytes(&payload) > COMPACT_BYTES_MAX {
        return Err(BuildError::Names { bytes: bytes(&payload), most: COMPACT_BYTES_MAX });
    }
    let titles = titles(&draft.subject);
    let mut wanted: Vec<(&str, Value)> = Vec::new();
    if let Some((language, text)) = titles.first() {
        wanted.push(("ti", json!({ *language: text })));
    }
    for (short, long) in OPTIONAL {
        wanted.extend(draft.subject.get(long).map(|value| (short, value.clone())));
    }
    if titles.len() > 1 {
        wanted.push(("ti", titles.iter().map(|(language, text)| (String::from(*language), json!(text))).collect()));
    }
    wanted.push(("iss", json!(draft.issuer)));
    for (name, value) in wanted {
        let before = payload.insert(name.into(), value);
        if bytes(&payload) > COMPACT_BYTES_MAX {
            match before {
                Some(before) => payload.insert(name.into(), before),
                None => payload.remove(name),
            };
        }
    }
    Ok(Unsigned::new(&header, &payload, Some(Vec::new())))
}

/// What is never left out.
fn always(draft: &Draft) -> Result<Map<String, Value>, BuildError> {
    claims::rfc3339(draft.valid_from)?;
    let subject = &draft.subject;
    let level = subject.get("eqfLevel").filter(|level| level.is_u64());
    let level_type = level.map(|level| format!("{EQF_TYPE}{level}"));
    let has_level_type = level_type.as_ref().is_some_and(|name| draft.types.contains(name));
    let others = draft.types.iter().filter(|name| !has_level_type || Some(*name) != level_type.as_ref());
    let mut payload = members(json!({
        "vct": VCT,
        "nbf": draft.valid_from.0,
        "sc": base64url(draft.schema.as_bytes()),
        "ty": others.collect::<Vec<_>>(),
    }));
    if let Some(end) = draft.valid_until {
        claims::rfc3339(end)?;
        payload.insert("exp".into(), json!(end.0));
    }
    if let Some(place) = &draft.status {
        payload.insert("st".into(), json!([place.list, place.index]));
    }
    for (short, long) in NAMES {
        if let Some(value) = subject.get(long) {
            payload.insert(short.into(), value.clone());
        }
    }
    match (level, has_level_type) {
        (Some(level), true) => payload.insert("eq".into(), level.clone()),
        // A level that no type stands for is shown as what it is: claimed.
        (Some(level), false) => payload.insert("eqfLevel".into(), level.clone()),
        (None, _) => None,
    };
    if let Some(uri) = subject.get("jurisdiction").and_then(Value::as_str) {
        payload.insert("ju".into(), json!(uri.strip_prefix(JURISDICTIONS).unwrap_or(uri)));
    }
    Ok(payload)
}

/// The titles, by language.
fn titles(subject: &Map<String, Value>) -> Vec<(&str, &str)> {
    let mut titles = Vec::new();
    for title in subject.get("title").and_then(Value::as_array).into_iter().flatten() {
        let text = |name| title.get(name).and_then(Value::as_str);
        if let (Some(language), Some(text)) = (text("language"), text("text")) {
            titles.push((language, text));
        }
    }
    titles
}

/// Reads one: the signed part, and what follows it, which may only be a `~`: the last character of a link is easily lost.
pub(super) fn read(jws: Jws, rest: Option<&str>) -> Result<Credential, Refusal> {
    if rest.is_some_and(|rest| !rest.is_empty()) {
        return Err(Refusal::Disclosure("a compact credential has no disclosures"));
    }
    let payload = &jws.payload;
    if payload.contains_key("_sd") {
        return Err(Refusal::Disclosure("a compact credential has no disclosures"));
    }
    let kid = claims::text(&jws.header, "kid")?.ok_or(Refusal::Incomplete("kid"))?;
    let kid: DidUrl = kid.parse().map_err(|_| Refusal::KeyUnknown(claims::shown(kid)))?;
    let issuer = match claims::text(payload, "iss")? {
        Some(issuer) => claims::issuer(issuer)?,
        None => kid.did(),
    };
    let id = claims::text(payload, "sc")?.ok_or(Refusal::Incomplete("sc"))?;
    let schema = from_base64url(id).ok().and_then(|id| SchemaId::from_slice(&id));
    let schema = schema.ok_or_else(|| Refusal::SchemaUnknown(claims::shown(id)))?;
    let mut types = claims::types(&claims::one_or_many(payload, "ty")?)?;
    let mut subject = Map::new();
    for (short, long) in NAMES.iter().chain(&OPTIONAL) {
        if let Some(value) = payload.get(*short) {
            subject.insert((*long).into(), value.clone());
        }
    }
    match (payload.get("eq"), payload.get("eqfLevel")) {
        (Some(_), Some(_)) => return Err(Refusal::malformed("eq and eqfLevel stand beside each other")),
        (Some(level), None) => {
            let number = level.as_u64().ok_or_else(|| Refusal::malformed("eq is not a number"))?;
            types.insert(format!("{EQF_TYPE}{number}"));
            subject.insert("eqfLevel".into(), level.clone());
        }
        (None, Some(level)) => {
            subject.insert("eqfLevel".into(), level.clone());
        }
        (None, None) => {}
    }
    if types.is_empty() {
        return Err(Refusal::Incomplete("ty"));
    }
    if let Some(code) = claims::text(payload, "ju")? {
        let uri = if code.contains(':') { code.to_owned() } else { format!("{JURISDICTIONS}{code}") };
        subject.insert("jurisdiction".into(), json!(uri));
    }
    if let Some(title) = payload.get("ti") {
        let title = title.as_object().ok_or_else(|| Refusal::malformed("ti is not an object"))?;
        let text = |(language, text): (&String, &Value)| json!({ "language": language, "text": text });
        subject.insert("title".into(), title.iter().map(text).collect());
    }
    Ok(Credential {
        format: Format::Compact,
        id: None,
        status: status(payload, &issuer)?,
        issuer,
        kid,
        types,
        schemas: vec![schema],
        subject_id: None,
        subject,
        undisclosed: 0,
        holder: Holder::Unbound,
        valid_from: claims::seconds(payload, "nbf")?,
        valid_until: claims::seconds(payload, "exp")?,
        jws,
    })
}

/// The entry in a list of the issuer's on its ledger. The URL is its path alone: the network says what stands before it.
fn status(payload: &Map<String, Value>, issuer: &Did) -> Result<Vec<StatusPointer>, Refusal> {
    let Some(status) = payload.get("st") else { return Ok(Vec::new()) };
    let entry = status.as_array().map(Vec::as_slice);
    let Some([Value::String(list), index]) = entry else {
        return Err(Refusal::malformed("st is not a list and an index"));
    };
    let list: Reference = list.parse().map_err(|_| Refusal::malformed("st names no list"))?;
    let index = index.as_u64().ok_or_else(|| Refusal::malformed("st has no index"))?;
    let format = TokenFormat::TokenStatusList;
    Ok(vec![StatusPointer { format, url: format.path(issuer, &list), index, purpose: None }])
}
