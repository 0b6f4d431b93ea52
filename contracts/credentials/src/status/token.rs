//! IETF Token Status List, as JWT.

use serde_json::{Map, Value};
use testamur_primitives::codec::from_base64url;
use testamur_primitives::units::UnixTime;

use super::{Claims, TokenFault, inflate, member, numeric_date, text_of};

/// An entry that says "withdrawn for good".
pub const INVALID: u8 = 1;
/// An entry that says "not to be relied upon for now".
pub const SUSPENDED: u8 = 2;

pub(super) fn read(payload: &Map<String, Value>) -> Result<Claims, TokenFault> {
    let url = text_of(payload, "sub").ok_or_else(|| TokenFault::malformed("sub is missing"))?;
    let issued = numeric_date(payload, "iat")?.ok_or_else(|| TokenFault::malformed("iat is missing"))?;
    let ttl = match payload.get("ttl") {
        None => None,
        Some(ttl) => {
            let ttl_s = ttl.as_u64().filter(|ttl| *ttl > 0);
            let ttl_s = ttl_s.ok_or_else(|| TokenFault::malformed("ttl is no positive number of seconds"))?;
            Some(UnixTime(issued.0.saturating_add(ttl_s)))
        }
    };
    let list = member(payload, "status_list")?;
    let width = list.get("bits").and_then(Value::as_u64).and_then(|bits| u8::try_from(bits).ok());
    let width = width.filter(|bits| matches!(bits, 1 | 2 | 4 | 8));
    let encoded = text_of(list, "lst").and_then(|list| from_base64url(list).ok());
    Ok(Claims {
        url: url.to_owned(),
        issuer: text_of(payload, "iss").map(str::to_owned),
        issued,
        expires: numeric_date(payload, "exp")?.into_iter().chain(ttl).min(),
        purpose: None,
        width: width.ok_or_else(|| TokenFault::malformed("bits is not 1, 2, 4 or 8"))?,
        bytes: inflate::zlib(&encoded.ok_or_else(|| TokenFault::malformed("lst is not base64url"))?)?,
    })
}
