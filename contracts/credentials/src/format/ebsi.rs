//! EBSI's verifiable credential: W3C VCDM 1.1 as JWT.
//!
//! The JWT's claims repeat the credential's members, and both must say the same: `iss` = `issuer`, `jti` = `id`, `sub` =
//! `credentialSubject.id`, `nbf` = `validFrom` = `issuanceDate`, `exp` = `expirationDate`, to the second. The order of
//! `type` means nothing.
//!
//! EBSI's readers demand a subject with a DID. A credential that is bound to nobody gets a did:key whose private key
//! nobody has, and says so: `"holderBinding": "none"`.

use serde_json::{Map, Value, json};
use testamur_primitives::did::Did;
use testamur_primitives::status::formats::TokenFormat;

use super::{BuildError, Draft, Unsigned, claims, members};
use crate::credential::{Credential, Format};
use crate::jws::Jws;
use crate::refusal::Refusal;

/// The first context of every credential.
const CONTEXT: &str = "https://www.w3.org/2018/credentials/v1";

/// Writes a draft.
pub(super) fn build(draft: &Draft) -> Result<Unsigned, BuildError> {
    let mut about = draft.subject.clone();
    let subject = match (draft.holder_did()?, &draft.discarded) {
        // EBSI's libraries know one codec of did:key, that of a JWK; the key is the same.
        (Some(did), _) if did.is_key() => Did::jwk_jcs_key(&did.to_key().map_err(|_| BuildError::HolderKey)?),
        (Some(did), _) => did,
        (None, Some(discarded)) => {
            about.insert("holderBinding".into(), json!("none"));
            Did::jwk_jcs_key(&discarded.to_key().map_err(|_| BuildError::HolderKey)?)
        }
        (None, None) => return Err(BuildError::Subject),
    };
    about.insert("id".into(), json!(subject));
    let from = claims::rfc3339(draft.valid_from)?;
    let mut types = vec!["VerifiableCredential", "VerifiableAttestation"];
    types.extend(draft.types.iter().map(String::as_str));
    let mut vc = members(json!({
        "@context": [CONTEXT],
        "id": draft.id,
        "type": types,
        "issuer": draft.issuer,
        "issuanceDate": from,
        "issued": from,
        "validFrom": from,
        "credentialSubject": about,
        "credentialSchema": { "id": draft.schema_url(), "type": "FullJsonSchemaValidator2021" },
    }));
    let mut payload = members(json!({
        "jti": draft.id,
        "sub": subject,
        "iss": draft.issuer,
        "nbf": draft.valid_from.0,
        "iat": draft.valid_from.0,
    }));
    if let Some(end) = draft.valid_until {
        vc.insert("expirationDate".into(), json!(claims::rfc3339(end)?));
        payload.insert("exp".into(), json!(end.0));
    }
    if let Some(attribute) = draft.accreditation {
        let registry = format!("{}/trusted-issuers-registry/v5/issuers/{}", draft.base(), draft.issuer);
        let id = format!("{registry}/attributes/{attribute}");
        vc.insert("termsOfUse".into(), json!({ "id": id, "type": "IssuanceCertificate" }));
    }
    if let Some(status) = draft.status_entries(TokenFormat::StatusList2021) {
        vc.insert("credentialStatus".into(), status);
    }
    payload.insert("vc".into(), Value::Object(vc));
    Ok(Unsigned::new(&draft.header("JWT"), &payload, None))
}

/// Reads one.
pub(super) fn read(jws: Jws) -> Result<Credential, Refusal> {
    let payload = &jws.payload;
    let vc = payload.get("vc").and_then(Value::as_object).ok_or_else(|| Refusal::malformed("vc is not an object"))?;
    if claims::one_or_many(vc, "@context")?.first().and_then(|context| context.as_str()) != Some(CONTEXT) {
        return Err(Refusal::UnknownFormat("vc is no credential of the W3C's data model 1.1"));
    }
    let issuer_text = issuer_id(vc)?.ok_or(Refusal::Incomplete("issuer"))?;
    claims::agree(&claims::text(payload, "iss")?, &Some(issuer_text), "iss and issuer")?;
    let issuer = claims::issuer(issuer_text)?;
    claims::complete(payload.contains_key("iss"), &issuer, "iss")?;
    let kid = claims::kid(&jws.header, &issuer)?;
    let id = claims::text(vc, "id")?;
    claims::agree(&claims::text(payload, "jti")?, &id, "jti and id")?;
    let (subject_id, subject) = claims::subject(vc)?;
    claims::agree(&claims::text(payload, "sub")?, &subject_id.as_deref(), "sub and the subject's id")?;

    let (from, issued) = (claims::date(vc, "validFrom")?, claims::date(vc, "issuanceDate")?);
    claims::agree(&from, &issued, "validFrom and issuanceDate")?;
    let (from, nbf) = (from.or(issued), claims::seconds(payload, "nbf")?);
    claims::agree(&from, &nbf, "nbf and validFrom")?;
    claims::agree(&claims::date(vc, "issued")?, &claims::seconds(payload, "iat")?, "iat and issued")?;
    let (until, exp) = (claims::date(vc, "expirationDate")?, claims::seconds(payload, "exp")?);
    claims::agree(&until, &exp, "exp and expirationDate")?;

    let names = claims::one_or_many(vc, "type")?;
    if !names.iter().any(|name| *name == "VerifiableCredential") {
        return Err(Refusal::Incomplete("the type VerifiableCredential"));
    }
    let types = claims::types(&names)?;
    claims::complete(!types.is_empty(), &issuer, "type")?;
    claims::complete(from.or(nbf).is_some(), &issuer, "validFrom")?;
    Ok(Credential {
        format: Format::Ebsi,
        id: id.map(str::to_owned),
        schemas: claims::schemas(vc, &issuer)?,
        holder: claims::holder(subject_id.as_deref(), &subject),
        status: claims::status(vc)?,
        issuer,
        kid,
        types,
        subject_id,
        subject,
        undisclosed: 0,
        valid_from: from.or(nbf),
        valid_until: until.or(exp),
        jws,
    })
}

/// The issuer: an id, or an object that has one.
pub(super) fn issuer_id(credential: &Map<String, Value>) -> Result<Option<&str>, Refusal> {
    match credential.get("issuer") {
        Some(Value::Object(issuer)) => claims::text(issuer, "id"),
        _ => claims::text(credential, "issuer"),
    }
}
