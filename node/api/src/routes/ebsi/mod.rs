//! EBSI's read interfaces, path for path and shape for shape, so that its published libraries work on this ledger: DID
//! registry v5, trusted issuers registry v5, trusted schemas registry v3, trusted policies registry v3, timestamp v4, and
//! the two registries of EBSI Core v1. Beside them the resolver interface of the Decentralized Identity Foundation.
//!
//! Nothing of it is proven, as EBSI proves nothing; the native routes are. Absolute URLs begin with genesis'
//! `public_base`; any node serves the paths behind it.

pub(crate) mod core;
pub(crate) mod did;
pub(crate) mod issuers;
pub(crate) mod paging;
pub(crate) mod policies;
pub(crate) mod problem;
pub(crate) mod resolver;
pub(crate) mod schemas;
pub(crate) mod timestamp;

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use sha3::{Digest as _, Keccak256};
use testamur_primitives::codec::sha256;
use testamur_primitives::did::Did;
use testamur_primitives::identity::keys::address;
use testamur_primitives::identity::{self, AddressEntry, DidEntry, Relationship, ebsi_address};
use testamur_primitives::key::PublicKey;
use testamur_primitives::state::{entry_before_head, head};
use testamur_primitives::units::UnixTime;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use crate::app::Api;
use crate::ledger::Registry;
use crate::problem::Problem;
use crate::registry::{Refusal, Snapshot};
use crate::routes::registry::hex;

/// Where each interface begins. Core's paths are other names of the first two.
pub(crate) const PLACES: [&str; 7] = [
    "/did-registry/v5",
    "/trusted-issuers-registry/v5",
    "/trusted-schemas-registry/v3",
    "/trusted-policies-registry/v3",
    "/timestamp/v4",
    "/v1/did-registry",
    "/v1/issuers-registry",
];

/// By which of its names an interface was asked: links in the answer keep to it.
#[derive(Debug, Clone)]
pub(crate) struct Lane {
    base: String,
    /// Whether it is EBSI Core's, whose attributes say a little more.
    core: bool,
    /// The registry instance that the query names; links repeat it.
    contract: Option<String>,
}

impl FromRequestParts<Api> for Lane {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let path = parts.uri.path();
        let place = PLACES.into_iter().find(|place| path.starts_with(place)).expect("only routed paths come here");
        let Asked(mut query) = Asked::from_request_parts(parts, api).await?;
        let contract = query.remove("contractAddress").filter(|address| parse_address(address).is_some());
        let base = format!("{}{place}", api.node().reader.genesis().public_base());
        Ok(Self { base, core: place.starts_with("/v1/"), contract })
    }
}

impl Lane {
    /// The absolute URL of a path of this interface, without query.
    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// A link to one thing.
    fn href(&self, path: &str) -> String {
        match &self.contract {
            Some(contract) => format!("{}{path}?contractAddress={contract}", self.base),
            None => self.url(path),
        }
    }
}

/// A query as EBSI's services take it: what they do not know, they pass over.
#[derive(Debug, Clone)]
pub(crate) struct Asked(pub(crate) BTreeMap<String, String>);

impl<S: Sync> FromRequestParts<S> for Asked {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match Query::<Vec<(String, String)>>::try_from_uri(&parts.uri) {
            Ok(Query(pairs)) => Ok(Self(pairs.into_iter().collect())),
            Err(_) => Err(problem::bad_request("the query is malformed")),
        }
    }
}

impl Asked {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

/// The variable parts of a path.
#[derive(Debug, Clone)]
pub(crate) struct Segments(Vec<String>);

impl<S: Send + Sync> FromRequestParts<S> for Segments {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(segments)) => Ok(Self(segments)),
            Err(_) => Err(problem::bad_request("the path is not UTF-8")),
        }
    }
}

impl Segments {
    /// The first of them.
    fn first<const N: usize>(&self) -> Result<[&str; N], Problem> {
        let texts: Vec<_> = self.0.iter().take(N).map(String::as_str).collect();
        texts.try_into().map_err(|_| problem::bad_request("the path is malformed"))
    }

    /// All of them.
    fn all<const N: usize>(&self) -> Result<[&str; N], Problem> {
        debug_assert_eq!(self.0.len(), N, "as the route says");
        self.first()
    }
}

/// An address: `0x` and 40 hexadecimal digits, in any case.
fn parse_address(text: &str) -> Option<[u8; 20]> {
    let digits = text.strip_prefix("0x").filter(|digits| digits.len() == 40 && digits.is_ascii())?;
    let mut bytes = [0; 20];
    for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    // `from_str_radix` takes a sign.
    digits.bytes().all(|b| b.is_ascii_hexdigit()).then_some(bytes)
}

/// An address as EBSI writes it: with the check in the case of its letters (ERC-55).
fn checksummed(address: &[u8; 20]) -> String {
    let digits = hex(address);
    let check = hex(&Keccak256::digest(digits.as_bytes()));
    let cased =
        digits.chars().zip(check.bytes()).map(|(c, check)| if check >= b'8' { c.to_ascii_uppercase() } else { c });
    format!("0x{}", cased.collect::<String>())
}

/// What stands for a DID where EBSI has an address and no secp256k1 key gives one: the first 20 bytes of its SHA-256.
fn stand_in(did: &Did) -> [u8; 20] {
    sha256(&[did.as_str().as_bytes()])[..20].try_into().expect("20 of 32 bytes")
}

/// The DIDs whose documents ever held a key of this address. Anybody with a DID can put another's public key into its
/// own document, so the newest is not always the one: the callers look at each.
fn dids_of(state: &Snapshot<'_>, of: &[u8; 20]) -> Result<Vec<AddressEntry>, Refusal> {
    /// As many as one address is looked at for.
    const CLAIMS_MAX: u64 = 64;
    let object = address(of);
    let Some(newest) = head::<AddressEntry, _>(state, &object)? else { return Ok(Vec::new()) };
    let first = newest.seq.saturating_sub(CLAIMS_MAX - 1).max(1);
    Ok((first..=newest.seq).map(|seq| entry_before_head(state, &object, seq)).collect::<Result<_, _>>()?)
}

/// Whether a document has a key of this address that may change registries at a time.
fn controls(entry: &DidEntry, of: &[u8; 20], time: UnixTime) -> bool {
    !entry.deactivated
        && entry.methods.iter().any(|method| {
            method.check(&[Relationship::CapabilityInvocation], time).is_ok()
                && PublicKey::from_jwk(&method.key).ok().as_ref().and_then(ebsi_address).as_ref() == Some(of)
        })
}

/// The address of a DID: of its did:key, of the newest secp256k1 key of its document, or its stand-in.
fn address_of(state: &Snapshot<'_>, did: &Did) -> Result<[u8; 20], Refusal> {
    let key = match did.is_key() {
        true => did.to_key().ok().as_ref().and_then(ebsi_address),
        false => identity::newest(state, did)?.and_then(|entry| {
            let addresses = entry.methods.iter().rev();
            addresses.filter_map(|m| PublicKey::from_jwk(&m.key).ok().as_ref().and_then(ebsi_address)).next()
        }),
    };
    Ok(key.unwrap_or_else(|| stand_in(did)))
}

/// Now: this node's clock, and never before the newest block. An idle ledger makes a block a minute, and what has ended by
/// its date in the meantime is not answered as in force, because these answers carry no time of their own.
fn now(registry: &dyn Registry) -> UnixTime {
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |past| past.as_secs());
    registry.header().time.max(UnixTime(clock))
}

/// A time as DIDs' metadata have it.
fn rfc3339(time: UnixTime) -> String {
    const SECONDS: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
    formatted(time, SECONDS)
}

/// A time as EBSI's services write it.
fn milliseconds(time: UnixTime) -> String {
    const MILLISECONDS: &[BorrowedFormatItem<'_>] =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].000Z");
    formatted(time, MILLISECONDS)
}

fn formatted(time: UnixTime, format: &[BorrowedFormatItem<'_>]) -> String {
    // Block times are near the present; what a credential could claim beyond the year 9999 is cut off there.
    let seconds = i64::try_from(time.0).unwrap_or(i64::MAX).min(253_402_300_799);
    let time = OffsetDateTime::from_unix_timestamp(seconds).expect("before the year 10000");
    time.format(format).expect("the format has only what every time has")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_carry_their_check() {
        // The examples of ERC-55.
        for address in [
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
            "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
            "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
            "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
        ] {
            let bytes = parse_address(address).expect("an address");
            assert_eq!(checksummed(&bytes), address);
            assert_eq!(parse_address(&address.to_lowercase()), Some(bytes));
        }
        for bad in
            ["", "0x", "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0x+1Aeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xé"]
        {
            assert_eq!(parse_address(bad), None, "{bad}");
        }
    }

    #[test]
    fn times_have_two_spellings() {
        assert_eq!(rfc3339(UnixTime(1_800_000_000)), "2027-01-15T08:00:00Z");
        assert_eq!(milliseconds(UnixTime(0)), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(UnixTime(u64::MAX)), "9999-12-31T23:59:59Z");
    }
}
