//! SD-JWT VC (`dc+sd-jwt`): the holder shows which fields he likes, and the rest stays hidden.
//!
//! ```text
//! header.payload.signature ~ disclosure ~ disclosure ~ … ~ [key-binding JWT]
//! disclosure = base64url([salt, name, value]);   payload._sd = their SHA-256, sorted
//! ```
//! The content's members are claims of the payload. A few stand in the open, since an accreditation is checked against them
//! (`jurisdiction`, `eqfLevel`) or a page (`print`); every other member is one disclosure. `types` and `credentialSchema`
//! are claims of ours: SD-JWT VC has one `vct`, which says only that a credential is of this kind.
//!
//! A key-binding JWT is kept and not required: a diploma is shown by people, to people.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use testamur_primitives::did::Did;
use testamur_primitives::key::{Jwk, PublicKey};
use testamur_primitives::status::formats::TokenFormat;

use super::{ALWAYS_DISCLOSED, BuildError, Draft, RESERVED, Unsigned, claims, disclosures, members};
use crate::credential::{Credential, Format, Holder, StatusPointer};
use crate::jws::Jws;
use crate::refusal::Refusal;

/// The `vct` of what is built here.
pub const VCT: &str = "urn:testamur:credential:1";

/// Writes a draft. Each member that is not always disclosed takes a salt.
pub(super) fn build(draft: &Draft, salts: &mut dyn FnMut() -> [u8; 16]) -> Result<Unsigned, BuildError> {
    claims::rfc3339(draft.valid_from)?;
    let mut payload = members(json!({
        "vct": VCT,
        "iss": draft.issuer,
        "jti": draft.id,
        "iat": draft.valid_from.0,
        "nbf": draft.valid_from.0,
        "types": draft.types,
        "credentialSchema": { "id": draft.schema_url(), "type": "JsonSchema" },
    }));
    if let Some(end) = draft.valid_until {
        claims::rfc3339(end)?;
        payload.insert("exp".into(), json!(end.0));
    }
    if let Some(place) = &draft.status {
        let url = draft.status_url(TokenFormat::TokenStatusList, &place.list);
        payload.insert("status".into(), json!({ "status_list": { "idx": place.index, "uri": url } }));
    }
    let holder_key = match &draft.holder {
        Holder::Unbound => None,
        Holder::Did(did) => {
            payload.insert("sub".into(), json!(did));
            did.to_key().ok()
        }
        Holder::Key(jwk) => Some(PublicKey::from_jwk(jwk).map_err(|_| BuildError::HolderKey)?),
    };
    if let Some(key) = holder_key {
        payload.insert("cnf".into(), json!({ "jwk": key.to_jwk() }));
    }
    let mut hidden = Vec::new();
    for (name, value) in &draft.subject {
        if ALWAYS_DISCLOSED.contains(&name.as_str()) {
            payload.insert(name.clone(), value.clone());
        } else {
            hidden.push(disclosures::disclosure(salts(), name, value));
        }
    }
    if !hidden.is_empty() {
        // Sorted, so that their order says nothing of what they stand for.
        let digests: BTreeSet<_> = hidden.iter().map(|disclosure| disclosures::digest(disclosure)).collect();
        payload.insert("_sd".into(), json!(digests));
        payload.insert("_sd_alg".into(), json!(disclosures::DIGEST_ALGORITHM));
    }
    Ok(Unsigned::new(&draft.header("dc+sd-jwt"), &payload, Some(hidden)))
}

/// Reads one: the signed part, and what follows its first `~`.
pub(super) fn read(jws: Jws, rest: &str) -> Result<Credential, Refusal> {
    let (given, _) = split(rest);
    let disclosed = disclosures::apply(&jws.payload, &given)?;
    let all = &disclosed.claims;
    let vct = claims::text(all, "vct")?.ok_or(Refusal::Incomplete("vct"))?;
    let issuer = match claims::text(all, "iss")? {
        Some(issuer) => claims::issuer(issuer)?,
        // Whoever signs under a certificate need not name himself otherwise; no ledger knows him.
        None if jws.header.contains_key("x5c") => return Err(Refusal::ForeignIssuer("the subject of x5c".into())),
        None => return Err(Refusal::Incomplete("iss")),
    };
    let kid = claims::kid(&jws.header, &issuer)?;
    let types = match all.get("types") {
        None => BTreeSet::from([vct.to_owned()]),
        Some(_) => claims::types(&claims::one_or_many(all, "types")?)?,
    };
    claims::complete(!types.is_empty(), &issuer, "types")?;
    let from = [claims::seconds(all, "nbf")?, claims::seconds(all, "iat")?];
    let subject_id = claims::text(all, "sub")?.map(str::to_owned);
    let subject = all.iter().filter(|(name, _)| !RESERVED.contains(&name.as_str()));
    Ok(Credential {
        format: Format::SdJwt,
        id: claims::text(all, "jti")?.map(str::to_owned),
        schemas: claims::schemas(all, &issuer)?,
        holder: holder(subject_id.as_deref(), all.get("cnf"))?,
        status: status(all)?,
        issuer,
        kid,
        types,
        subject_id,
        subject: subject.map(|(name, value)| (name.clone(), value.clone())).collect(),
        undisclosed: disclosed.undisclosed,
        valid_from: from.into_iter().flatten().next(),
        valid_until: claims::seconds(all, "exp")?,
        jws,
    })
}

/// The disclosures, and the key-binding JWT if there is one.
fn split(rest: &str) -> (Vec<&str>, Option<&str>) {
    let mut parts: Vec<_> = rest.split('~').collect();
    let last = parts.pop().filter(|last| !last.is_empty());
    (parts, last)
}

/// The key-binding JWT of a presentation, not looked at.
pub fn key_binding(text: &str) -> Option<&str> {
    text.split_once('~').and_then(|(_, rest)| split(rest).1)
}

pub(super) fn status(claims: &Map<String, Value>) -> Result<Vec<StatusPointer>, Refusal> {
    let Some(status) = claims.get("status") else { return Ok(Vec::new()) };
    let malformed = || Refusal::malformed("status is not an object");
    let status = status.as_object().ok_or_else(malformed)?;
    if let Some(other) = status.keys().find(|name| *name != "status_list") {
        return Err(Refusal::StatusUnknown(claims::shown(other)));
    }
    let entry = status.get("status_list").ok_or(Refusal::Incomplete("status_list"))?.as_object();
    let entry = entry.ok_or_else(malformed)?;
    let index = entry.get("idx").ok_or(Refusal::Incomplete("idx"))?.as_u64();
    Ok(vec![StatusPointer {
        format: TokenFormat::TokenStatusList,
        url: claims::text(entry, "uri")?.ok_or(Refusal::Incomplete("uri"))?.to_owned(),
        index: index.ok_or_else(|| Refusal::malformed("idx is not a number"))?,
        purpose: None,
    }])
}

/// The holder: a DID, or the key of `cnf`. Where both are there, the key is what a wallet proves; a did:key names the same key.
fn holder(sub: Option<&str>, cnf: Option<&Value>) -> Result<Holder, Refusal> {
    let did = |text: &str| text.split('#').next().and_then(|did| did.parse::<Did>().ok());
    let subject = sub.and_then(did);
    let Some(jwk) = cnf.and_then(|cnf| cnf.get("jwk")) else {
        let of_kid = || cnf.and_then(|cnf| cnf.get("kid")).and_then(Value::as_str).and_then(did);
        return Ok(subject.or_else(of_kid).map_or(Holder::Unbound, Holder::Did));
    };
    // A key of a wallet may say more of itself (`kid`, `use`); what names it is these.
    let member = |name| jwk.get(name).and_then(Value::as_str).map(str::to_owned);
    let jwk = (|| Some(Jwk { crv: member("crv")?, kty: member("kty")?, x: member("x")?, y: member("y") }))();
    let bad = || Refusal::malformed("cnf.jwk is no key of a known kind");
    let jwk = jwk.ok_or_else(bad)?;
    let key = PublicKey::from_jwk(&jwk).map_err(|_| bad())?;
    match subject.filter(Did::is_key) {
        None => Ok(Holder::Key(jwk)),
        Some(did) if did.to_key().is_ok_and(|named| named == key) => Ok(Holder::Did(did)),
        Some(_) => Err(Refusal::malformed("sub and cnf name two keys")),
    }
}

/// Why fields cannot be chosen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DiscloseError {
    /// The text is no SD-JWT that can be read.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// A credential that shows all or nothing.
    #[error("only an SD-JWT lets its holder choose what to disclose; this credential is {0:?}")]
    Format(Format),
    /// A field that is not there to be disclosed.
    #[error("there is no field {0:?} to disclose")]
    Unknown(String),
}

/// The fields that a holder of this text can show or keep back.
pub fn disclosable(text: &str) -> Result<Vec<String>, DiscloseError> {
    let (_, _, parts_of) = parts(text)?;
    let names: BTreeSet<_> = parts_of.into_iter().collect();
    Ok(names.into_iter().collect())
}

/// The credential with these fields shown and all others kept back. What a key-binding JWT covers has changed then, so it
/// is left out.
pub fn disclose(text: &str, names: &[&str]) -> Result<String, DiscloseError> {
    let (issued, given, parts_of) = parts(text)?;
    if let Some(unknown) = names.iter().find(|name| !parts_of.iter().any(|part| part == *name)) {
        return Err(DiscloseError::Unknown((*unknown).to_owned()));
    }
    let mut shown = format!("{issued}~");
    for (disclosure, part_of) in given.iter().zip(&parts_of) {
        if names.contains(&part_of.as_str()) {
            shown.push_str(disclosure);
            shown.push('~');
        }
    }
    Ok(shown)
}

/// The signed part, the disclosures, and of each the claim that it is part of.
fn parts(text: &str) -> Result<(&str, Vec<&str>, Vec<String>), DiscloseError> {
    let credential = super::parse(text)?;
    if credential.format != Format::SdJwt {
        return Err(DiscloseError::Format(credential.format));
    }
    let (issued, rest) = text.split_once('~').unwrap_or((text, ""));
    let (given, _) = split(rest);
    let parts_of = disclosures::apply(&credential.jws.payload, &given)?.parts_of;
    Ok((issued, given, parts_of))
}
