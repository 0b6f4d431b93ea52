//! Status list tokens of other servers: read, bounded, in the three formats.
//!
//! The lists of this ledger need none of this: their bits are proven by the state ([`crate::verify`]). A token from elsewhere is
//! worth what its issuer's signature is, and no fresher than it says itself.
//!
//! | | header `typ` | entries | most significant bit |
//! | --- | --- | --- | --- |
//! | `statuslist2021` | `JWT` | base64 of gzip, 1 bit each | first |
//! | `bitstring` | `vc+jwt` | `u` and base64url of gzip, 1 bit each | first |
//! | `token` | `statuslist+jwt` | base64url of zlib, 1, 2, 4 or 8 bits each | last |
//!
//! - INV-TOKEN-1: nothing unpacks to more than `LIST_BYTES_MAX`, whatever the token says.

mod bitstring;
mod inflate;
mod statuslist2021;
pub mod token;

use serde_json::{Map, Value};
use testamur_primitives::codec::from_base64url;
use testamur_primitives::key::JwsAlgorithm;
use testamur_primitives::status::StatusPurpose;
use testamur_primitives::status::formats::TokenFormat;
use testamur_primitives::units::UnixTime;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::json;
use crate::limits::TOKEN_BYTES_MAX;

/// Why a token is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    /// Not a token of that format.
    #[error("{0}")]
    Malformed(String),
    /// It unpacks to more than is read.
    #[error("the list is larger than anything that is read here")]
    TooLarge,
}

impl TokenFault {
    fn malformed(what: &str) -> Self {
        Self::Malformed(what.to_owned())
    }
}

/// How entries lie in their bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    MostSignificantFirst,
    LeastSignificantFirst,
}

/// A status list token, read. Its signature is not verified yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    /// Its format.
    pub format: TokenFormat,
    /// The URL that it says to be found at.
    pub url: String,
    /// Who says to have issued it; a Token Status List need not say.
    pub issuer: Option<String>,
    /// The key it says to be signed with.
    pub kid: Option<String>,
    /// When it was issued.
    pub issued: UnixTime,
    /// Before this second.
    pub expires: Option<UnixTime>,
    /// What a set bit means; a Token Status List says it in each entry.
    pub purpose: Option<StatusPurpose>,
    /// Bits of an entry: 1, 2, 4 or 8.
    pub width: u8,
    order: Order,
    bytes: Vec<u8>,
    alg: JwsAlgorithm,
    signing_input: String,
    signature: Vec<u8>,
}

/// What a format's module finds in a payload.
struct Claims {
    url: String,
    issuer: Option<String>,
    issued: UnixTime,
    expires: Option<UnixTime>,
    purpose: Option<StatusPurpose>,
    width: u8,
    bytes: Vec<u8>,
}

impl Token {
    /// Reads a token of a format.
    pub fn parse(format: TokenFormat, text: &str) -> Result<Self, TokenFault> {
        if text.len() > TOKEN_BYTES_MAX {
            return Err(TokenFault::TooLarge);
        }
        let not_jws = || TokenFault::malformed("not a compact JWS");
        let (signing_input, signature) = text.trim_ascii().rsplit_once('.').ok_or_else(not_jws)?;
        let (header, payload) = signing_input.split_once('.').ok_or_else(not_jws)?;
        let object = |part: &str| {
            let bytes = from_base64url(part).map_err(|_| not_jws())?;
            json::object(&bytes).map_err(|refusal| TokenFault::Malformed(refusal.to_string()))
        };
        let (header, payload) = (object(header)?, object(payload)?);
        if header.contains_key("crit") || header.contains_key("b64") {
            return Err(TokenFault::malformed("crit and b64 are not understood"));
        }
        let alg = header.get("alg").and_then(Value::as_str).and_then(JwsAlgorithm::from_name);
        let alg = alg.ok_or_else(|| TokenFault::malformed("use ES256, ES384, ES256K or EdDSA"))?;
        if header.get("typ").and_then(Value::as_str) != Some(format.typ()) {
            return Err(TokenFault::Malformed(format!("typ is not {}", format.typ())));
        }
        let (claims, order) = match format {
            TokenFormat::StatusList2021 => (statuslist2021::read(&payload)?, Order::MostSignificantFirst),
            TokenFormat::Bitstring => (bitstring::read(&payload)?, Order::MostSignificantFirst),
            TokenFormat::TokenStatusList => (token::read(&payload)?, Order::LeastSignificantFirst),
        };
        let Claims { url, issuer, issued, expires, purpose, width, bytes } = claims;
        Ok(Self {
            format,
            url,
            issuer,
            kid: text_of(&header, "kid").map(str::to_owned),
            issued,
            expires,
            purpose,
            width,
            order,
            bytes,
            alg,
            signing_input: signing_input.to_owned(),
            signature: from_base64url(signature).map_err(|_| not_jws())?,
        })
    }

    /// Number of entries.
    pub fn size(&self) -> u64 {
        self.bytes.len() as u64 * 8 / u64::from(self.width)
    }

    /// The value of an entry; none beyond the end.
    pub fn get(&self, index: u64) -> Option<u8> {
        if index >= self.size() {
            return None;
        }
        let bit = index * u64::from(self.width);
        let byte = self.bytes.get(usize::try_from(bit / 8).ok()?)?;
        let offset = match self.order {
            Order::LeastSignificantFirst => bit % 8,
            Order::MostSignificantFirst => 8 - u64::from(self.width) - bit % 8,
        };
        let mask = u8::MAX >> (8 - self.width);
        Some((byte >> offset) & mask)
    }

    /// Whether a key has signed it.
    pub fn verify_signature(&self, key: &testamur_primitives::key::ReadyKey) -> bool {
        key.verify(self.alg, self.signing_input.as_bytes(), &self.signature).is_ok()
    }
}

fn text_of<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Value::as_str)
}

/// A NumericDate (RFC 7519 §2): seconds, here whole ones.
fn numeric_date(object: &Map<String, Value>, name: &str) -> Result<Option<UnixTime>, TokenFault> {
    let whole = |value: &Value| value.as_u64().map(UnixTime);
    match object.get(name) {
        None => Ok(None),
        Some(value) => match whole(value) {
            Some(time) => Ok(Some(time)),
            None => Err(TokenFault::Malformed(format!("{name} is no date"))),
        },
    }
}

/// An RFC 3339 date.
fn date(object: &Map<String, Value>, name: &str) -> Result<Option<UnixTime>, TokenFault> {
    let Some(value) = object.get(name) else { return Ok(None) };
    let parsed = value.as_str().and_then(|text| OffsetDateTime::parse(text, &Rfc3339).ok());
    let time = parsed.and_then(|time| u64::try_from(time.unix_timestamp()).ok()).map(UnixTime);
    time.map(Some).ok_or_else(|| TokenFault::Malformed(format!("{name} is no date")))
}

/// The one purpose of a W3C list.
fn purpose(subject: &Map<String, Value>) -> Result<StatusPurpose, TokenFault> {
    let name = match subject.get("statusPurpose") {
        Some(Value::Array(one)) if one.len() == 1 => one[0].as_str(),
        other => other.and_then(Value::as_str),
    };
    [StatusPurpose::Revocation, StatusPurpose::Suspension]
        .into_iter()
        .find(|purpose| Some(purpose.name()) == name)
        .ok_or_else(|| TokenFault::malformed("statusPurpose is neither revocation nor suspension"))
}

/// An issuer as text, or as an object with an id.
fn issuer(object: &Map<String, Value>) -> Option<String> {
    let issuer = object.get("issuer")?;
    issuer.as_str().or_else(|| issuer.get("id")?.as_str()).map(str::to_owned)
}

fn member<'a>(object: &'a Map<String, Value>, name: &str) -> Result<&'a Map<String, Value>, TokenFault> {
    let found = object.get(name).and_then(Value::as_object);
    found.ok_or_else(|| TokenFault::Malformed(format!("{name} is no object")))
}

fn has_type(object: &Map<String, Value>, wanted: &str) -> bool {
    match object.get("type") {
        Some(Value::Array(types)) => types.iter().any(|name| name == wanted),
        Some(name) => name == wanted,
        None => false,
    }
}
