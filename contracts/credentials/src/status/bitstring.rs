//! W3C Bitstring Status List v1.0, as `vc+jwt`.

use serde_json::{Map, Value};
use testamur_primitives::codec::from_base64url;
use testamur_primitives::units::UnixTime;

use super::{Claims, TokenFault, date, has_type, inflate, issuer, member, numeric_date, purpose, text_of};

pub(super) fn read(payload: &Map<String, Value>) -> Result<Claims, TokenFault> {
    let subject = member(payload, "credentialSubject")?;
    if !has_type(payload, "BitstringStatusListCredential") || !has_type(subject, "BitstringStatusList") {
        return Err(TokenFault::malformed("not a Bitstring Status List credential"));
    }
    let url = text_of(payload, "id").ok_or_else(|| TokenFault::malformed("id is missing"))?;
    let issued = date(payload, "validFrom")?.ok_or_else(|| TokenFault::malformed("validFrom is missing"))?;
    let encoded = text_of(subject, "encodedList").and_then(|list| list.strip_prefix('u'));
    let encoded = encoded.and_then(|list| from_base64url(list).ok());
    let encoded = encoded.ok_or_else(|| TokenFault::malformed("encodedList is not u and base64url"))?;
    // `ttl` counts milliseconds from when the list was made.
    let ttl = match subject.get("ttl") {
        None => None,
        Some(ttl) => {
            let ttl_ms = ttl.as_u64().ok_or_else(|| TokenFault::malformed("ttl is no number of milliseconds"))?;
            Some(UnixTime(issued.0.saturating_add(ttl_ms / 1_000)))
        }
    };
    let ends = [date(payload, "validUntil")?, numeric_date(payload, "exp")?, ttl];
    Ok(Claims {
        url: url.to_owned(),
        issuer: issuer(payload),
        issued,
        expires: ends.into_iter().flatten().min(),
        purpose: Some(purpose(subject)?),
        width: 1,
        bytes: inflate::gzip(&encoded)?,
    })
}
