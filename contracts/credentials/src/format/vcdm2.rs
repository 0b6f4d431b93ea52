//! W3C Verifiable Credentials Data Model 2.0, secured as `vc+jwt` (VC-JOSE-COSE): the payload is the credential itself.
//!
//! Claims of a JWT beside the credential's own members are not needed; where they are, they must say the same, and of two
//! windows of time the narrower counts, since VC-JOSE-COSE gives `exp` to the signature and `validUntil` to the content.

use serde_json::{Value, json};
use testamur_primitives::status::formats::TokenFormat;

use super::{BuildError, Draft, Unsigned, claims, ebsi, members};
use crate::credential::{Credential, Format};
use crate::jws::Jws;
use crate::refusal::Refusal;

/// The first context of every credential.
const CONTEXT: &str = "https://www.w3.org/ns/credentials/v2";
/// The W3C's context for terms that no context defines: ours are defined by the JSON Schema.
const UNDEFINED_TERMS: &str = "https://www.w3.org/ns/credentials/undefined-terms/v2";

/// Writes a draft.
pub(super) fn build(draft: &Draft) -> Result<Unsigned, BuildError> {
    let mut about = draft.subject.clone();
    if let Some(did) = draft.holder_did()? {
        about.insert("id".into(), json!(did));
    }
    let mut types = vec!["VerifiableCredential"];
    types.extend(draft.types.iter().map(String::as_str));
    let mut payload = members(json!({
        "@context": [CONTEXT, UNDEFINED_TERMS],
        "id": draft.id,
        "type": types,
        "issuer": draft.issuer,
        "validFrom": claims::rfc3339(draft.valid_from)?,
        "credentialSubject": about,
        "credentialSchema": { "id": draft.schema_url(), "type": "JsonSchema" },
    }));
    if let Some(end) = draft.valid_until {
        payload.insert("validUntil".into(), json!(claims::rfc3339(end)?));
    }
    if let Some(status) = draft.status_entries(TokenFormat::Bitstring) {
        payload.insert("credentialStatus".into(), status);
    }
    let mut header = draft.header("vc+jwt");
    header.insert("cty".into(), json!("vc"));
    Ok(Unsigned::new(&header, &payload, None))
}

/// Reads one.
pub(super) fn read(jws: Jws) -> Result<Credential, Refusal> {
    let payload = &jws.payload;
    let is_context = |context: &&Value| context.as_str() == Some(CONTEXT);
    if payload.contains_key("vc") || !claims::one_or_many(payload, "@context")?.first().is_some_and(is_context) {
        return Err(Refusal::malformed("not a credential of the W3C's data model 2.0"));
    }
    let issuer_text = ebsi::issuer_id(payload)?.ok_or(Refusal::Incomplete("issuer"))?;
    claims::agree(&claims::text(payload, "iss")?, &Some(issuer_text), "iss and issuer")?;
    let issuer = claims::issuer(issuer_text)?;
    let kid = claims::kid(&jws.header, &issuer)?;
    let id = claims::text(payload, "id")?;
    claims::agree(&claims::text(payload, "jti")?, &id, "jti and id")?;
    let (subject_id, subject) = claims::subject(payload)?;
    claims::agree(&claims::text(payload, "sub")?, &subject_id.as_deref(), "sub and the subject's id")?;
    let from = [claims::date(payload, "validFrom")?, claims::seconds(payload, "nbf")?];
    let until = [claims::date(payload, "validUntil")?, claims::seconds(payload, "exp")?];
    let names = claims::one_or_many(payload, "type")?;
    if !names.iter().any(|name| *name == "VerifiableCredential") {
        return Err(Refusal::Incomplete("the type VerifiableCredential"));
    }
    let types = claims::types(&names)?;
    claims::complete(!types.is_empty(), &issuer, "type")?;
    Ok(Credential {
        format: Format::Vcdm2,
        id: id.map(str::to_owned),
        schemas: claims::schemas(payload, &issuer)?,
        holder: claims::holder(subject_id.as_deref(), &subject),
        status: claims::status(payload)?,
        issuer,
        kid,
        types,
        subject_id,
        subject,
        undisclosed: 0,
        valid_from: from.into_iter().flatten().max(),
        valid_until: until.into_iter().flatten().min(),
        jws,
    })
}
