//! W3C StatusList2021 in a VCDM 1.1 JWT, as EBSI has it.

use serde_json::{Map, Value};
use testamur_primitives::codec::{from_base64_standard, from_base64url};

use super::{Claims, TokenFault, date, has_type, inflate, issuer, member, numeric_date, purpose, text_of};

pub(super) fn read(payload: &Map<String, Value>) -> Result<Claims, TokenFault> {
    let vc = member(payload, "vc")?;
    let subject = member(vc, "credentialSubject")?;
    if !has_type(vc, "StatusList2021Credential") || !has_type(subject, "StatusList2021") {
        return Err(TokenFault::malformed("not a StatusList2021 credential"));
    }
    let url = text_of(vc, "id").ok_or_else(|| TokenFault::malformed("id is missing"))?;
    if text_of(payload, "jti").is_some_and(|jti| jti != url) || issuer(vc).as_deref() != text_of(payload, "iss") {
        return Err(TokenFault::malformed("the claims of the JWT and the credential differ"));
    }
    // The JWT's and the credential's dates say the same of one that is made by the rules; the narrowest holds otherwise.
    let begins = [numeric_date(payload, "nbf")?, numeric_date(payload, "iat")?, date(vc, "validFrom")?];
    let begins = begins.into_iter().chain([date(vc, "issuanceDate")?]).flatten().max();
    let ends = [numeric_date(payload, "exp")?, date(vc, "expirationDate")?, date(vc, "validUntil")?];
    let encoded = text_of(subject, "encodedList");
    let encoded = encoded.and_then(|list| from_base64_standard(list).or_else(|_| from_base64url(list)).ok());
    let encoded = encoded.ok_or_else(|| TokenFault::malformed("encodedList is not base64"))?;
    Ok(Claims {
        url: url.to_owned(),
        issuer: issuer(vc),
        issued: begins.ok_or_else(|| TokenFault::malformed("it does not say when it was issued"))?,
        expires: ends.into_iter().flatten().min(),
        purpose: Some(purpose(subject)?),
        width: 1,
        bytes: inflate::gzip(&encoded)?,
    })
}
