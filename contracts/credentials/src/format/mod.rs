//! One module a format: build the bytes that are signed, read the text that was.
//!
//! | | header `typ` | module |
//! | --- | --- | --- |
//! | [`Format::SdJwt`] | `dc+sd-jwt` (`vc+sd-jwt` is read, too) | [`sdjwt`] |
//! | [`Format::Vcdm2`] | `vc+jwt` (`vc+ld+jwt` is read, too) | [`vcdm2`] |
//! | [`Format::Ebsi`] | `JWT`, and a claim `vc` | [`ebsi`] |
//! | [`Format::Compact`] | `dc+sd-jwt`, and the `vct` of [`compact::VCT`] | [`compact`] |
//!
//! A draft says the same in every format; what differs is only where it stands. What is built here is read back as it was
//! drafted (INV-FORMAT-1), and a format is told by its header and its claims, never by whoever hands it in.

mod claims;
pub mod compact;
mod disclosures;
pub mod ebsi;
pub mod sdjwt;
pub mod vcdm2;

use serde_json::{Map, Value, json};
use testamur_primitives::codec::{base64url, sha256};
use testamur_primitives::did::{Did, DidUrl};
use testamur_primitives::hash::{AttributeId, SchemaId};
use testamur_primitives::key::{JwsAlgorithm, SigningKey};
use testamur_primitives::record::Reference;
use testamur_primitives::schemas::multibase;
use testamur_primitives::status::StatusPurpose;
use testamur_primitives::status::formats::TokenFormat;
use testamur_primitives::units::UnixTime;

use crate::credential::{Credential, Format, Holder};
use crate::jws::{self, Jws};
use crate::limits::{CREDENTIAL_BYTES_MAX, DISCLOSURES_MAX};
use crate::refusal::Refusal;

/// Members that formats write themselves: no content may be named like one.
const RESERVED: [&str; 22] = [
    "_sd",
    "_sd_alg",
    "...",
    "@context",
    "aud",
    "cnf",
    "credentialSchema",
    "credentialStatus",
    "exp",
    "iat",
    "id",
    "iss",
    "jti",
    "nbf",
    "nonce",
    "status",
    "sub",
    "termsOfUse",
    "types",
    "vc",
    "vct",
    "vct#integrity",
];

/// Members of the content that an SD-JWT never hides: accreditations and printed pages are checked against them, and that a
/// credential is bound to nobody must be seen.
const ALWAYS_DISCLOSED: [&str; 4] = ["jurisdiction", "eqfLevel", "print", "holderBinding"];

/// A place in an issuer's list of revocations. Its companions have the same places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusPlace {
    /// The list of revocations.
    pub list: Reference,
    /// The entry.
    pub index: u64,
}

impl StatusPlace {
    /// The name of the companion list of suspensions; none when it would be too long.
    pub fn suspended(list: &Reference) -> Option<Reference> {
        format!("{list}-suspended").parse().ok()
    }

    /// The name of the companion list of replacements; none when it would be too long.
    pub fn replaced(list: &Reference) -> Option<Reference> {
        format!("{list}-replaced").parse().ok()
    }
}

/// What is to be attested, by whom, to whom: the same for every format.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// Its own id: a URI, best a random `urn:uuid:`.
    pub id: String,
    /// The issuer.
    pub issuer: Did,
    /// The issuer's key.
    pub kid: DidUrl,
    /// That key's algorithm.
    pub alg: JwsAlgorithm,
    /// The types that say what it attests: those of every credential are added by the format.
    pub types: Vec<String>,
    /// The schema that the subject follows.
    pub schema: SchemaId,
    /// `public_base` of the network's genesis.
    pub public_base: String,
    /// What is attested.
    pub subject: Map<String, Value>,
    /// To whom.
    pub holder: Holder,
    /// A did:key whose private key nobody has: what EBSI's format needs for a credential that is bound to nobody. Other
    /// formats do without.
    pub discarded: Option<Did>,
    /// From this second on.
    pub valid_from: UnixTime,
    /// Before this second.
    pub valid_until: Option<UnixTime>,
    /// Its place in the issuer's lists.
    pub status: Option<StatusPlace>,
    /// The accreditation it rests on: EBSI's `termsOfUse`.
    pub accreditation: Option<AttributeId>,
}

/// Why a draft cannot be written in a format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// A member of the subject that the format needs for itself.
    #[error("the subject must not have the member {0:?}")]
    Reserved(String),
    /// No type that says what it attests.
    #[error("a credential has a type")]
    Types,
    /// A key that is not the issuer's.
    #[error("kid is not a key of the issuer's")]
    Kid,
    /// A date that RFC 3339 cannot write, or an end that is not after the beginning.
    #[error("the dates must lie before the year 10000, the end after the beginning")]
    Dates,
    /// A list whose companions could not be named.
    #[error("the name of the status list is too long")]
    List,
    /// EBSI's format without a holder's DID and without one that stands for nobody.
    #[error("EBSI's format needs the holder's DID, or a did:key whose private key nobody has")]
    Subject,
    /// A holder's key that is none.
    #[error("the holder's key is not a public key of a known kind")]
    HolderKey,
    /// More than is read anywhere.
    #[error("the credential has {bytes} bytes, more than the {most} that are read")]
    TooLarge {
        /// What it has.
        bytes: usize,
        /// What is read.
        most: usize,
    },
    /// More fields than an SD-JWT is read with.
    #[error("the content has {0} members; an SD-JWT shows at most {DISCLOSURES_MAX}")]
    Fields(usize),
    /// A compact credential in which not even the names fit.
    #[error("the names are too long for a QR code: {bytes} bytes, and {most} fit")]
    Names {
        /// What it would have.
        bytes: usize,
        /// What fits.
        most: usize,
    },
}

/// A credential that wants its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsigned {
    /// What is signed.
    pub signing_input: String,
    /// The disclosures of an SD-JWT, in the order in which they follow it. None for the other formats.
    pub disclosures: Option<Vec<String>>,
}

impl Unsigned {
    fn new(header: &Map<String, Value>, payload: &Map<String, Value>, disclosures: Option<Vec<String>>) -> Self {
        Self { signing_input: jws::signing_input(header, payload), disclosures }
    }

    /// The credential's text, signed by the key of its `kid`.
    pub fn sign(&self, key: &SigningKey) -> String {
        self.with_signature(&key.sign(self.signing_input.as_bytes()))
    }

    /// The credential's text with a signature that was made elsewhere.
    pub fn with_signature(&self, signature: &[u8]) -> String {
        let mut text = format!("{}.{}", self.signing_input, base64url(signature));
        if let Some(disclosures) = &self.disclosures {
            text.push('~');
            for disclosure in disclosures {
                text.push_str(disclosure);
                text.push('~');
            }
        }
        text
    }

    /// How the credential is named, and what the issuer's commitment is to: [`Credential::digest`].
    pub fn digest(&self) -> [u8; 32] {
        sha256(&[self.signing_input.as_bytes()])
    }
}

/// Writes a draft in a format. `salts` gives 16 random bytes at a call: one for each field of an SD-JWT, none elsewhere.
pub fn build(format: Format, draft: &Draft, salts: &mut dyn FnMut() -> [u8; 16]) -> Result<Unsigned, BuildError> {
    check(draft)?;
    let unsigned = match format {
        Format::SdJwt => sdjwt::build(draft, salts),
        Format::Vcdm2 => vcdm2::build(draft),
        Format::Ebsi => ebsi::build(draft),
        Format::Compact => compact::build(draft),
    }?;
    let disclosed: usize = unsigned.disclosures.iter().flatten().map(|disclosure| disclosure.len() + 1).sum();
    // A signature has at most 128 characters (ES384), with its dots and tilde.
    let bytes = unsigned.signing_input.len() + 130 + disclosed;
    if bytes > CREDENTIAL_BYTES_MAX {
        return Err(BuildError::TooLarge { bytes, most: CREDENTIAL_BYTES_MAX });
    }
    let fields = unsigned.disclosures.as_ref().map_or(0, Vec::len);
    if fields > DISCLOSURES_MAX {
        return Err(BuildError::Fields(fields));
    }
    Ok(unsigned)
}

/// What holds for a draft in every format.
fn check(draft: &Draft) -> Result<(), BuildError> {
    if let Some(name) = draft.subject.keys().find(|name| RESERVED.contains(&name.as_str())) {
        return Err(BuildError::Reserved(name.clone()));
    }
    if draft.types.iter().all(|name| claims::is_general(name)) {
        return Err(BuildError::Types);
    }
    if draft.kid.did() != draft.issuer {
        return Err(BuildError::Kid);
    }
    if draft.valid_until.is_some_and(|end| end <= draft.valid_from) {
        return Err(BuildError::Dates);
    }
    if draft.status.as_ref().is_some_and(|place| StatusPlace::suspended(&place.list).is_none()) {
        return Err(BuildError::List);
    }
    Ok(())
}

/// Reads a credential of any format from its text. Nothing of it is verified yet.
pub fn parse(text: &str) -> Result<Credential, Refusal> {
    if text.len() > CREDENTIAL_BYTES_MAX {
        return Err(Refusal::TooLarge { bytes: text.len(), most: CREDENTIAL_BYTES_MAX });
    }
    let (issued, disclosures) = text.split_once('~').map_or((text, None), |(issued, rest)| (issued, Some(rest)));
    let jws = Jws::parse(issued)?;
    match (jws.typ(), disclosures) {
        (Some("dc+sd-jwt" | "vc+sd-jwt"), disclosures) => match (jws.payload.get("vct"), disclosures) {
            (Some(vct), disclosures) if vct == compact::VCT => compact::read(jws, disclosures),
            (Some(_), Some(disclosures)) => sdjwt::read(jws, disclosures),
            (Some(_), None) => Err(Refusal::malformed("an SD-JWT ends in ~")),
            // The W3C's VCDM 2.0 as SD-JWT, which had the same header for a while.
            (None, _) => Err(Refusal::UnknownFormat("an SD-JWT without vct")),
        },
        (_, Some(_)) => Err(Refusal::UnknownFormat("disclosures without an SD-JWT")),
        (Some("vc+jwt" | "vc+ld+jwt"), None) => vcdm2::read(jws),
        (Some("JWT") | None, None) if jws.payload.contains_key("vc") => ebsi::read(jws),
        _ => Err(Refusal::UnknownFormat("the header's typ is none of a credential")),
    }
}

impl Draft {
    fn header(&self, typ: &str) -> Map<String, Value> {
        members(json!({ "alg": format!("{:?}", self.alg), "kid": self.kid, "typ": typ }))
    }

    fn schema_url(&self) -> String {
        format!("{}/trusted-schemas-registry/v3/schemas/{}", self.base(), multibase(self.schema))
    }

    fn status_url(&self, format: TokenFormat, list: &Reference) -> String {
        format!("{}{}", self.base(), format.path(&self.issuer, list))
    }

    fn base(&self) -> &str {
        self.public_base.trim_end_matches('/')
    }

    /// The two entries of a W3C format: in the list of revocations, and in its companion of suspensions.
    fn status_entries(&self, format: TokenFormat) -> Option<Value> {
        let place = self.status.as_ref()?;
        let suspended = StatusPlace::suspended(&place.list)?;
        let entry = |list, purpose: StatusPurpose| {
            let url = self.status_url(format, list);
            json!({
                "id": format!("{url}#{}", place.index),
                "type": claims::status_type(format),
                "statusPurpose": purpose.name(),
                "statusListIndex": place.index.to_string(),
                "statusListCredential": url,
            })
        };
        Some(json!([entry(&place.list, StatusPurpose::Revocation), entry(&suspended, StatusPurpose::Suspension)]))
    }

    /// The holder's DID: of its own, or the did:key of its key.
    fn holder_did(&self) -> Result<Option<Did>, BuildError> {
        Ok(match &self.holder {
            Holder::Unbound => None,
            Holder::Did(did) => Some(did.clone()),
            Holder::Key(jwk) => {
                let key = testamur_primitives::key::PublicKey::from_jwk(jwk).map_err(|_| BuildError::HolderKey)?;
                Some(Did::key(&key))
            }
        })
    }
}

/// The members of an object that was just written.
fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
