//! Accreditation credentials: EBSI's four kinds, as VC-JWT (W3C VCDM 1.1, EBSI accreditation schema 2024-01).
//!
//! A credential is a compact JWS whose payload may hold more than is read here; what is read is typed and bounded, and a
//! doubled member is refused. Nothing here says that the credential is in force: that needs its issuer's document and
//! its parent ([`super::chain`]).

use std::collections::BTreeSet;

use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::codec;
use crate::did::{Did, DidUrl};
use crate::hash::{AttributeId, SchemaId};
use crate::issuers::IssuerType;
use crate::issuers::memory::VerifiedWith;
use crate::key::{JwsAlgorithm, PublicKey};
use crate::limits::{CREDENTIAL_CHARS_MAX, JURISDICTIONS_MAX, SCOPE_TEXT_CHARS_MAX, SCOPE_TYPES_MAX, SCOPES_MAX};
use crate::units::UnixTime;

/// What an accreditation credential is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CredentialKind {
    /// `VerifiableAuthorisationToOnboard`: lets a legal entity register its DID.
    AuthorisationToOnboard,
    /// `VerifiableAuthorisationForTrustChain`: a Root TAO's own.
    AuthorisationForTrustChain,
    /// `VerifiableAccreditationToAccredit`: a TAO's.
    AccreditationToAccredit,
    /// `VerifiableAccreditationToAttest`: a trusted issuer's.
    AccreditationToAttest,
}

impl CredentialKind {
    const ALL: [Self; 4] = [
        Self::AuthorisationToOnboard,
        Self::AuthorisationForTrustChain,
        Self::AccreditationToAccredit,
        Self::AccreditationToAttest,
    ];

    /// EBSI's type name.
    pub fn type_name(self) -> &'static str {
        match self {
            Self::AuthorisationToOnboard => "VerifiableAuthorisationToOnboard",
            Self::AuthorisationForTrustChain => "VerifiableAuthorisationForTrustChain",
            Self::AccreditationToAccredit => "VerifiableAccreditationToAccredit",
            Self::AccreditationToAttest => "VerifiableAccreditationToAttest",
        }
    }

    /// The kind that makes a subject an issuer of this type.
    pub fn of_issuer(issuer_type: IssuerType) -> Self {
        match issuer_type {
            IssuerType::RootTao => Self::AuthorisationForTrustChain,
            IssuerType::Tao => Self::AccreditationToAccredit,
            IssuerType::Ti => Self::AccreditationToAttest,
        }
    }
}

/// What an issuer may issue or accredit: credentials of some types, of one schema, in some jurisdictions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The schema.
    pub schema: SchemaId,
    /// The types, without those that every credential has.
    pub types: BTreeSet<String>,
    /// The jurisdictions (URIs of the EU's authority list of administrative units); empty for everywhere.
    pub jurisdictions: BTreeSet<String>,
}

/// An accreditation credential, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accreditation {
    /// What it is for.
    pub kind: CredentialKind,
    /// Who issued it.
    pub issuer: Did,
    /// The key it is signed with.
    pub kid: DidUrl,
    /// Whom it is about.
    pub subject: Did,
    /// The place reserved for it; none for an authorisation to onboard.
    pub attribute: Option<AttributeId>,
    /// Thumbprint of the key that may register the subject (`cnf.jkt`); authorisations to onboard have one.
    pub jkt: Option<String>,
    /// What it allows.
    pub scopes: Vec<Scope>,
    /// From this second on.
    pub valid_from: UnixTime,
    /// Before this second; none for no end.
    pub valid_until: Option<UnixTime>,
    /// Id of the accreditation that it rests on (`termsOfUse` of type `IssuanceCertificate`).
    pub terms_of_use: Option<String>,
    alg: JwsAlgorithm,
    signature: Vec<u8>,
    signing_input: String,
    verified: VerifiedWith,
}

/// Why text is not an accreditation credential: one sentence, for a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub String);

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: String,
    #[serde(default)]
    typ: Option<String>,
    #[serde(default)]
    crit: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    b64: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    #[serde(default)]
    sub: Option<String>,
    #[serde(default)]
    nbf: Option<u64>,
    #[serde(default)]
    exp: Option<u64>,
    vc: Credential,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Credential {
    r#type: Vec<String>,
    issuer: OneId,
    #[serde(default)]
    issuance_date: Option<String>,
    #[serde(default)]
    valid_from: Option<String>,
    #[serde(default)]
    expiration_date: Option<String>,
    credential_subject: Subject,
    #[serde(default)]
    terms_of_use: OneOrMany<TermsOfUse>,
}

/// An id as text, or an object that has one.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneId {
    Text(String),
    Object { id: String },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Subject {
    id: String,
    #[serde(default)]
    reserved_attribute_id: Option<String>,
    #[serde(default)]
    accredited_for: Vec<AccreditedFor>,
    #[serde(default)]
    cnf: Option<Confirmation>,
}

#[derive(Deserialize)]
struct Confirmation {
    jkt: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AccreditedFor {
    schema_id: String,
    types: Vec<String>,
    #[serde(default)]
    limit_jurisdiction: OneOrMany<String>,
}

#[derive(Deserialize)]
struct TermsOfUse {
    id: String,
    r#type: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> Default for OneOrMany<T> {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl<T> OneOrMany<T> {
    fn into_vec(self) -> Vec<T> {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        }
    }
}

/// Types that every credential has, or that say nothing of what it attests.
const GENERAL_TYPES: [&str; 3] = ["VerifiableCredential", "VerifiableAttestation", "VerifiableAccreditation"];

impl Accreditation {
    /// Reads a VC-JWT.
    pub fn parse(jwt: &str) -> Result<Self, Malformed> {
        let refuse = |reason: &str| Malformed(reason.to_owned());
        if jwt.len() > CREDENTIAL_CHARS_MAX || !jwt.is_ascii() {
            return Err(refuse("a credential is ASCII of at most 32,768 characters"));
        }
        let (signing_input, signature) = jwt.rsplit_once('.').ok_or_else(|| refuse("not a compact JWS"))?;
        let (header, payload) = signing_input.split_once('.').ok_or_else(|| refuse("not a compact JWS"))?;
        let decode = |part: &str| codec::from_base64url(part).map_err(|_| refuse("not unpadded base64url"));
        let (header, payload, signature) = (decode(header)?, decode(payload)?, decode(signature)?);
        let header: Header = read(&header)?;
        if header.crit.is_some() || header.b64.is_some() {
            return Err(refuse("crit and b64 are not understood"));
        }
        if header.typ.as_deref().is_some_and(|typ| typ != "JWT") {
            return Err(refuse("typ must be JWT"));
        }
        let alg = JwsAlgorithm::from_name(&header.alg).ok_or_else(|| refuse("use ES256, ES384, ES256K or EdDSA"))?;
        let kid: DidUrl = header.kid.parse().map_err(|_| refuse("kid is not a DID URL"))?;
        let claims: Claims = read(&payload)?;
        let vc = claims.vc;
        let kinds: Vec<_> =
            CredentialKind::ALL.into_iter().filter(|k| vc.r#type.iter().any(|t| t == k.type_name())).collect();
        let [kind] = kinds.as_slice() else {
            return Err(refuse("type must hold exactly one of EBSI's authorisation and accreditation types"));
        };
        let issuer = match vc.issuer {
            OneId::Text(id) | OneId::Object { id } => id,
        };
        if claims.iss != issuer || kid.did().as_str() != issuer {
            return Err(refuse("iss, issuer and the kid's DID differ"));
        }
        if claims.sub.is_some_and(|sub| sub != vc.credential_subject.id) {
            return Err(refuse("sub and credentialSubject.id differ"));
        }
        let did = |text: &str| text.parse::<Did>().map_err(|_| refuse("issuer or subject is not a DID"));
        let attribute = vc.credential_subject.reserved_attribute_id.as_deref().map(parse_attribute_id).transpose()?;
        let (valid_from, valid_until) = validity(
            vc.valid_from.as_deref().or(vc.issuance_date.as_deref()),
            vc.expiration_date.as_deref(),
            claims.nbf,
            claims.exp,
        )?;
        let scopes = vc.credential_subject.accredited_for;
        if scopes.len() > SCOPES_MAX {
            return Err(refuse("at most 64 entries in accreditedFor"));
        }
        Ok(Self {
            kind: *kind,
            issuer: did(&issuer)?,
            kid,
            subject: did(&vc.credential_subject.id)?,
            attribute,
            jkt: vc.credential_subject.cnf.map(|cnf| cnf.jkt),
            scopes: scopes.into_iter().map(scope).collect::<Result<_, _>>()?,
            valid_from,
            valid_until,
            terms_of_use: vc
                .terms_of_use
                .into_vec()
                .into_iter()
                .find(|terms| terms.r#type == "IssuanceCertificate")
                .map(|terms| terms.id),
            alg,
            signature,
            signing_input: signing_input.to_owned(),
            verified: VerifiedWith::default(),
        })
    }

    /// Whether the key signed it.
    pub fn verify_signature(&self, key: &PublicKey) -> bool {
        self.verified.check(key, || key.verify(self.alg, self.signing_input.as_bytes(), &self.signature).is_ok())
    }

    /// Whether its dates hold at a time.
    pub fn is_valid_at(&self, time: UnixTime) -> bool {
        self.valid_from <= time && self.valid_until.is_none_or(|end| time < end)
    }

    /// Whether it allows everything: a Root TAO's without scopes.
    pub fn is_unlimited(&self) -> bool {
        self.kind == CredentialKind::AuthorisationForTrustChain && self.scopes.is_empty()
    }

    /// Why a scope is not within this accreditation, if so.
    pub fn covers(&self, scope: &Scope) -> Result<(), OutOfScope> {
        if self.is_unlimited() {
            return Ok(());
        }
        let of_schema: Vec<_> = self.scopes.iter().filter(|own| own.schema == scope.schema).collect();
        if of_schema.is_empty() {
            return Err(OutOfScope::Schema(scope.schema));
        }
        let of_types: Vec<_> = of_schema.iter().filter(|own| scope.types.is_subset(&own.types)).collect();
        if of_types.is_empty() {
            let known: BTreeSet<_> = of_schema.iter().flat_map(|own| &own.types).collect();
            let missing = scope.types.iter().find(|t| !known.contains(t)).or(scope.types.first());
            return Err(OutOfScope::Type(missing.cloned().unwrap_or_default()));
        }
        let within = |own: &&&Scope| {
            own.jurisdictions.is_empty()
                || (!scope.jurisdictions.is_empty()
                    && scope.jurisdictions.iter().all(|j| own.jurisdictions.iter().any(|o| is_part_of(j, o))))
        };
        if of_types.iter().any(within) {
            return Ok(());
        }
        Err(OutOfScope::Jurisdiction(scope.jurisdictions.iter().next().cloned().unwrap_or_else(|| "everywhere".into())))
    }
}

/// What lies outside an accreditation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutOfScope {
    /// The schema.
    #[error("schema {0} is not among those accredited")]
    Schema(SchemaId),
    /// A type, under that schema.
    #[error("type {0} is not accredited for this schema")]
    Type(String),
    /// A jurisdiction, for that schema and types.
    #[error("jurisdiction {0} is not accredited for this schema and these types")]
    Jurisdiction(String),
}

/// Whether a jurisdiction is the other, or a part of it in the EU's authority list, whose codes grow to the right:
/// `…/atu/DEU_BY` lies in `…/atu/DEU`.
fn is_part_of(inner: &str, outer: &str) -> bool {
    inner == outer || inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('_'))
}

/// The types of a credential that say what it attests.
pub fn specific_types<'a>(types: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    types.into_iter().filter(|t| !GENERAL_TYPES.contains(t)).map(str::to_owned).collect()
}

fn read<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, Malformed> {
    codec::check_depth(bytes, 16).map_err(|error| Malformed(error.to_string()))?;
    // serde would also take a struct as an array of its members; no JOSE library does.
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Err(Malformed("expected a JSON object".into()));
    }
    serde_json::from_slice(bytes).map_err(|error| Malformed(format!("not the expected JSON: {error}")))
}

fn scope(given: AccreditedFor) -> Result<Scope, Malformed> {
    let jurisdictions = given.limit_jurisdiction.into_vec();
    if given.types.len() > SCOPE_TYPES_MAX || jurisdictions.len() > JURISDICTIONS_MAX {
        return Err(Malformed("too many types or jurisdictions in accreditedFor".into()));
    }
    if given.types.iter().chain(&jurisdictions).any(|t| t.is_empty() || t.len() > SCOPE_TEXT_CHARS_MAX) {
        return Err(Malformed("a type or jurisdiction has 1 to 256 characters".into()));
    }
    Ok(Scope {
        schema: parse_schema_id(&given.schema_id)
            .ok_or_else(|| Malformed("schemaId must end in a 32-byte id: z… (base58btc) or 0x…".into()))?,
        types: specific_types(given.types.iter().map(String::as_str)),
        jurisdictions: jurisdictions.into_iter().collect(),
    })
}

/// The id at the end of a schema's URL or `ebsi:` URI, or by itself: `z` and base58btc, or hexadecimal.
pub fn parse_schema_id(text: &str) -> Option<SchemaId> {
    if text.len() > SCOPE_TEXT_CHARS_MAX {
        return None;
    }
    let id = text.rsplit('/').next()?;
    if let Some(encoded) = id.strip_prefix('z') {
        return SchemaId::from_slice(&bs58::decode(encoded).into_vec().ok()?);
    }
    id.strip_prefix("0x").unwrap_or(id).parse().ok()
}

/// An attribute id, with or without `0x`.
fn parse_attribute_id(text: &str) -> Result<AttributeId, Malformed> {
    text.strip_prefix("0x")
        .unwrap_or(text)
        .parse()
        .map_err(|_| Malformed("reservedAttributeId must be 64 lower-case hexadecimal digits".into()))
}

/// The narrowest window that the credential's dates and the JWT's claims agree on.
fn validity(
    from: Option<&str>,
    until: Option<&str>,
    nbf: Option<u64>,
    exp: Option<u64>,
) -> Result<(UnixTime, Option<UnixTime>), Malformed> {
    let from = from.map(instant).transpose()?;
    let until = until.map(instant).transpose()?;
    let valid_from = from.into_iter().chain(nbf.map(UnixTime)).max();
    let valid_until = until.into_iter().chain(exp.map(UnixTime)).min();
    let valid_from = valid_from.ok_or_else(|| Malformed("validFrom or issuanceDate is missing".into()))?;
    if valid_until.is_some_and(|end| end <= valid_from) {
        return Err(Malformed("the credential ends before it begins".into()));
    }
    Ok((valid_from, valid_until))
}

/// An RFC 3339 time; what is below a second is cut off.
pub fn instant(text: &str) -> Result<UnixTime, Malformed> {
    OffsetDateTime::parse(text, &Rfc3339)
        .ok()
        .and_then(|time| u64::try_from(time.unix_timestamp()).ok())
        .map(UnixTime)
        .ok_or_else(|| Malformed("a date must be of the form 2026-01-31T12:00:00Z, not before 1970".into()))
}
