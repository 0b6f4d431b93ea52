//! Credentials that accreditors and issuers sign, as EBSI's own library reads them: VC-JWT, VCDM 1.1.
//!
//! The claims of the JWT repeat the credential's members, and both must say the same: `jti` = `id`, `sub` = the
//! subject, `iat` = `issued`, `nbf` = `validFrom` = `issuanceDate`, `exp` = `expirationDate`.

use serde_json::{Map, Value, json};
use testamur_primitives::codec::{self, base64url};
use testamur_primitives::did::Did;
use testamur_primitives::hash::AttributeId;
use testamur_primitives::identity;
use testamur_primitives::issuers::IssuerType;
use testamur_primitives::issuers::accreditation::{CredentialKind, Scope};
use testamur_primitives::key::SigningKey;
use testamur_primitives::schemas::multibase;
use testamur_primitives::units::UnixTime;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::batch::{BatchError, random_bytes};

/// EBSI's schema of attestations, 2024-01.
pub const ATTESTATION_SCHEMA: &str = "zDpWGUBenmqXzurskry9Nsk6vq2R8thh9VSeoRqguoyMD";
/// EBSI's schema of accreditations, 2024-01.
pub const ACCREDITATION_SCHEMA: &str = "zG6xY9DG2CWyhsSc544hEezbQRmkQCfvgXGdCqt69v8TA";
/// What a jurisdiction's URI begins with: the EU's authority list of administrative territorial units.
pub const JURISDICTIONS: &str = "https://publications.europa.eu/resource/authority/atu/";
/// What is at the front of every credential's context.
const CONTEXT: &str = "https://www.w3.org/2018/credentials/v1";

/// Where the registries of a network are found: the paths of EBSI's API behind its `public_base`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses(String);

impl Addresses {
    /// Behind a base such as `https://ledger.example`.
    pub fn new(public_base: &str) -> Self {
        Self(public_base.trim_end_matches('/').to_owned())
    }

    /// Of an accreditation.
    pub fn attribute(&self, subject: &Did, id: AttributeId) -> String {
        format!("{}/trusted-issuers-registry/v5/issuers/{subject}/attributes/{id}", self.0)
    }

    /// Of a schema by its published spelling.
    pub fn schema(&self, id: &str) -> String {
        format!("{}/trusted-schemas-registry/v3/schemas/{id}", self.0)
    }
}

/// From when to when a credential holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// From this second on; also when it says it was issued.
    pub from: UnixTime,
    /// Before this second; none for no end.
    pub until: Option<UnixTime>,
}

/// Who signs, and where the registries are.
#[derive(Debug, Clone, Copy)]
pub struct Signer<'a> {
    /// The issuer.
    pub did: &'a Did,
    /// A key of its document, for `assertionMethod`.
    pub key: &'a SigningKey,
    /// The registries' addresses.
    pub addresses: &'a Addresses,
}

/// The place of an accreditation: whose, and which.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The subject.
    pub did: &'a Did,
    /// The attribute.
    pub attribute: AttributeId,
}

impl Signer<'_> {
    /// A Root TAO's own: it accredits itself in the place that governance reserved. Without scopes it may do all.
    pub fn root(&self, attribute: AttributeId, scopes: &[Scope], validity: Validity) -> Result<String, BatchError> {
        let place = Place { did: self.did, attribute };
        self.accreditation_of_kind(CredentialKind::AuthorisationForTrustChain, place, place, scopes, validity)
    }

    /// Accredits a subject as TAO or trusted issuer, by an accreditation of one's own.
    pub fn accreditation(
        &self,
        issuer_type: IssuerType,
        own: AttributeId,
        place: Place<'_>,
        scopes: &[Scope],
        validity: Validity,
    ) -> Result<String, BatchError> {
        let parent = Place { did: self.did, attribute: own };
        self.accreditation_of_kind(CredentialKind::of_issuer(issuer_type), parent, place, scopes, validity)
    }

    fn accreditation_of_kind(
        &self,
        kind: CredentialKind,
        parent: Place<'_>,
        place: Place<'_>,
        scopes: &[Scope],
        validity: Validity,
    ) -> Result<String, BatchError> {
        let accredited_for: Vec<_> = scopes.iter().map(|scope| self.accredited_for(scope)).collect();
        let mut subject = Map::new();
        subject.insert("id".into(), json!(place.did));
        subject.insert("reservedAttributeId".into(), json!(place.attribute));
        subject.insert("accreditedFor".into(), json!(accredited_for));
        let mut types = vec!["VerifiableCredential", "VerifiableAttestation"];
        let schema = match kind {
            CredentialKind::AuthorisationForTrustChain | CredentialKind::AuthorisationToOnboard => ATTESTATION_SCHEMA,
            CredentialKind::AccreditationToAccredit | CredentialKind::AccreditationToAttest => {
                types.push("VerifiableAccreditation");
                ACCREDITATION_SCHEMA
            }
        };
        types.push(kind.type_name());
        let own = self.addresses.attribute(place.did, place.attribute);
        let more = json!({
            "termsOfUse": self.terms_of_use(parent),
            "credentialStatus": { "id": own, "type": "EbsiAccreditationEntry" },
        });
        self.sign(&types, &self.addresses.schema(schema), subject, more, validity)
    }

    /// Lets a subject register its DID with the key of a thumbprint, and no other.
    pub fn authorisation_to_onboard(
        &self,
        own: AttributeId,
        subject: &Did,
        jkt: &str,
        validity: Validity,
    ) -> Result<String, BatchError> {
        let types =
            ["VerifiableCredential", "VerifiableAttestation", CredentialKind::AuthorisationToOnboard.type_name()];
        let mut about = Map::new();
        about.insert("id".into(), json!(subject));
        about.insert("cnf".into(), json!({ "jkt": jkt }));
        let more = json!({ "termsOfUse": self.terms_of_use(Place { did: self.did, attribute: own }) });
        self.sign(&types, &self.addresses.schema(ATTESTATION_SCHEMA), about, more, validity)
    }

    /// A credential of one's own types: a diploma, say. `status` are its entries in status lists, if it has any.
    pub fn credential(
        &self,
        own: AttributeId,
        types: &[&str],
        schema: &str,
        subject: Map<String, Value>,
        status: Option<Value>,
        validity: Validity,
    ) -> Result<String, BatchError> {
        let mut all = vec!["VerifiableCredential", "VerifiableAttestation"];
        all.extend(types);
        let mut more = json!({ "termsOfUse": self.terms_of_use(Place { did: self.did, attribute: own }) });
        if let Some(status) = status {
            more["credentialStatus"] = status;
        }
        self.sign(&all, schema, subject, more, validity)
    }

    fn terms_of_use(&self, place: Place<'_>) -> Value {
        json!({ "id": self.addresses.attribute(place.did, place.attribute), "type": "IssuanceCertificate" })
    }

    fn accredited_for(&self, scope: &Scope) -> Value {
        let mut types = vec!["VerifiableCredential", "VerifiableAttestation"];
        types.extend(scope.types.iter().map(String::as_str));
        // EBSI's schema wants one URI or a list of them, which may be empty.
        let jurisdictions: Vec<_> = scope.jurisdictions.iter().collect();
        let limit = if let [one] = jurisdictions.as_slice() { json!(one) } else { json!(jurisdictions) };
        json!({
            "schemaId": self.addresses.schema(&multibase(scope.schema)),
            "types": types,
            "limitJurisdiction": limit,
        })
    }

    fn sign(
        &self,
        types: &[&str],
        schema: &str,
        subject: Map<String, Value>,
        more: Value,
        validity: Validity,
    ) -> Result<String, BatchError> {
        let id = fresh_urn()?;
        let (from, until) = (rfc3339(validity.from), validity.until.map(rfc3339));
        let mut vc = json!({
            "@context": [CONTEXT],
            "id": id,
            "type": types,
            "issuer": self.did,
            "issuanceDate": from,
            "issued": from,
            "validFrom": from,
            "credentialSchema": { "id": schema, "type": "FullJsonSchemaValidator2021" },
        });
        let mut claims = json!({
            "jti": id, "iss": self.did, "sub": subject["id"], "nbf": validity.from.0, "iat": validity.from.0,
        });
        if let (Some(text), Some(end)) = (until, validity.until) {
            vc["expirationDate"] = json!(text);
            claims["exp"] = json!(end.0);
        }
        vc["credentialSubject"] = Value::Object(subject);
        if let Value::Object(more) = more {
            for (name, value) in more {
                vc[name.as_str()] = value;
            }
        }
        claims["vc"] = vc;
        Ok(sign_jwt(self.did, self.key, &claims))
    }
}

/// A JWT by a key of an issuer's document.
pub fn sign_jwt(issuer: &Did, key: &SigningKey, claims: &Value) -> String {
    let public = key.public_key();
    let header = json!({
        "alg": format!("{:?}", public.algorithm()),
        "kid": identity::key_id(issuer, &public),
        "typ": "JWT",
    });
    let input = format!("{}.{}", base64url(&codec::canonical(&header)), base64url(&codec::canonical(claims)));
    let signature = key.sign(input.as_bytes());
    format!("{input}.{}", base64url(&signature))
}

/// Whole seconds in UTC: the form that all dates of a credential have.
pub fn rfc3339(time: UnixTime) -> String {
    let time = i64::try_from(time.0).ok().and_then(|t| OffsetDateTime::from_unix_timestamp(t).ok());
    let last = || OffsetDateTime::new_utc(time::Date::MAX, time::Time::MIDNIGHT);
    time.unwrap_or_else(last).format(&Rfc3339).expect("years 1970 to 9999 have a form in RFC 3339")
}

/// A random UUID as a URN (RFC 9562, version 4).
fn fresh_urn() -> Result<String, BatchError> {
    let mut bytes: [u8; 16] = random_bytes()?;
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("urn:uuid:{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use testamur_primitives::hash::SchemaId;
    use testamur_primitives::issuers::accreditation::{Accreditation, parse_schema_id, specific_types};

    fn scope(schema: SchemaId, types: &[&str], jurisdictions: &[&str]) -> Scope {
        Scope {
            schema,
            types: specific_types(types.iter().copied()),
            jurisdictions: jurisdictions.iter().map(|j| format!("{JURISDICTIONS}{j}")).collect(),
        }
    }

    #[test]
    fn what_is_built_here_is_read_by_the_ledger() {
        let key = SigningKey::p256(&[7; 32]).unwrap();
        let did = Did::of_ledger("ebsi", &[1; 16]);
        let subject = Did::of_ledger("ebsi", &[2; 16]);
        let addresses = Addresses::new("http://127.0.0.1:8080");
        let signer = Signer { did: &did, key: &key, addresses: &addresses };
        let (own, attribute) = (AttributeId::from_bytes([3; 32]), AttributeId::from_bytes([4; 32]));
        let validity = Validity { from: UnixTime(1_768_471_200), until: Some(UnixTime(1_926_237_600)) };
        let schema = SchemaId::from_bytes([9; 32]);
        assert_eq!(parse_schema_id(&addresses.schema(&multibase(schema))), Some(schema));
        for jurisdictions in [&[][..], &["LUX"], &["LUX", "BEL"]] {
            let scopes = [scope(schema, &["UniversityDegree"], jurisdictions)];
            let place = Place { did: &subject, attribute };
            let jwt = signer.accreditation(IssuerType::Ti, own, place, &scopes, validity).unwrap();
            let read = Accreditation::parse(&jwt).unwrap();
            assert!(read.verify_signature(&key.public_key()));
            assert_eq!(read.kind, CredentialKind::AccreditationToAttest);
            assert_eq!((read.issuer, read.subject, read.attribute), (did.clone(), subject.clone(), Some(attribute)));
            assert_eq!(read.scopes, scopes);
            assert_eq!((read.valid_from, read.valid_until), (validity.from, validity.until));
            assert_eq!(read.terms_of_use, Some(addresses.attribute(&did, own)));
        }
        let root = Accreditation::parse(&signer.root(own, &[], validity).unwrap()).unwrap();
        assert!(root.is_unlimited() && root.subject == did);
        let onboard = signer.authorisation_to_onboard(own, &subject, "jkt", validity).unwrap();
        let onboard = Accreditation::parse(&onboard).unwrap();
        assert_eq!((onboard.kind, onboard.jkt.as_deref()), (CredentialKind::AuthorisationToOnboard, Some("jkt")));
    }

    #[test]
    fn dates_have_whole_seconds() {
        assert_eq!(rfc3339(UnixTime(1_768_471_200)), "2026-01-15T10:00:00Z");
        let urn = fresh_urn().unwrap();
        assert_eq!((urn.len(), &urn[23..24]), (45, "4"), "{urn}");
    }
}
