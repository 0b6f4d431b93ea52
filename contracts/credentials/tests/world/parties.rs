//! Who is on the ledger: a ministry (Root TAO), an agency (TAO), a university (trusted issuer) and what it publishes.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use testamur_credentials::credential::{Credential, Format, Holder};
use testamur_credentials::format::{self, Draft, StatusPlace};
use testamur_credentials::print::Print;
use testamur_credentials::proofs::{Lists, Proofs};
use testamur_credentials::verify::{Policy, Presented, Report, Verifier};
use testamur_primitives::codec::{base64url, canonical, sha256};
use testamur_primitives::did::Did;
use testamur_primitives::hash::{AttributeId, RecordId, SchemaId};
use testamur_primitives::identity::{self, DidEntry, Grant, Relationship, VerificationMethod};
use testamur_primitives::issuers::accreditation::CredentialKind;
use testamur_primitives::issuers::{
    self, AttributeEntry, EndReason, Ended, Entity, IssuerEntry, IssuerType, LegalName,
};
use testamur_primitives::key::{JwsAlgorithm, SigningKey};
use testamur_primitives::receipt::Receipt;
use testamur_primitives::record::Reference;
use testamur_primitives::schemas::{self, SchemaEntry, multibase};
use testamur_primitives::status::formats::{TokenSource, sign_version};
use testamur_primitives::status::{self, BitList, StatusEntry, StatusPurpose};
use testamur_primitives::units::{Height, UnixTime};

use super::{BASE, DAY, Network, START, State};

/// When the university issues.
pub const ISSUED: u64 = START + 100 * DAY;
/// When diplomas are looked at.
pub const NOW: u64 = START + 200 * DAY;
/// Entries of a list.
pub const ENTRIES: u64 = 131_072;
/// The first member of every URI of a jurisdiction.
pub const ATU: &str = "https://publications.europa.eu/resource/authority/atu/";
/// The schema of diplomas.
pub const DIPLOMA: &str = include_str!("../../../../genesis/schemas/diploma.json");

/// An institution and its key.
pub struct Party {
    pub did: Did,
    pub key: SigningKey,
    pub attribute: AttributeId,
}

impl Party {
    /// One whose DID and place follow from its name.
    pub fn new(name: &str, key: SigningKey) -> Self {
        let hash = sha256(&[name.as_bytes()]);
        let did = Did::of_ledger("ebsi", &hash[..16].try_into().unwrap());
        Self { did, key, attribute: AttributeId::from_bytes(sha256(&[b"place of ", name.as_bytes()])) }
    }
}

/// A grant without end.
pub fn grant(relationship: Relationship) -> Grant {
    Grant { relationship, not_before: UnixTime(START), not_after: None }
}

/// A method of a key with these grants.
pub fn method(key: &SigningKey, grants: Vec<Grant>) -> VerificationMethod {
    let public = key.public_key();
    VerificationMethod {
        id: identity::thumbprint(&public),
        key: public.to_jwk(),
        grants,
        revoked: None,
        compromised_from: None,
    }
}

/// The ledger, and whom tests know on it.
pub struct World {
    pub network: Network,
    pub state: State,
    pub lists: Lists,
    pub ministry: Party,
    pub agency: Party,
    pub university: Party,
    pub schema: SchemaId,
}

impl World {
    /// Everything in place since `START`; the university's key is this one.
    pub fn new(key: SigningKey) -> Self {
        let mut world = Self {
            network: Network::new(0),
            state: State::default(),
            lists: Lists::default(),
            ministry: Party::new("ministry", SigningKey::ed25519(&[21; 32])),
            agency: Party::new("agency", SigningKey::p256(&[22; 32]).unwrap()),
            university: Party::new("university", key),
            schema: schemas::id_of(DIPLOMA).unwrap(),
        };
        for party in ["ministry", "agency", "university"] {
            world.register(party, START, |methods| methods);
        }
        let degrees = ["UniversityDegree", "MicroCredential", "EqfLevel6", "EqfLevel7"];
        let scope = world.scope(&degrees, &["LUX"]);
        world.accredit("ministry", START, &[]);
        world.accredit("agency", START, &[world.scope(&degrees, &["LUX", "BEL"])]);
        world.accredit("university", START, &[scope]);
        world.publish_schema(START, DIPLOMA);
        for ending in ["", "-suspended", "-replaced"] {
            world.list(&format!("diplomas-1{ending}"), START, &[]);
        }
        world
    }

    /// The same ledger again, for a test of its own; `key` is the one that this was made with.
    pub fn copy(&self, key: SigningKey) -> Self {
        Self {
            network: self.network.clone(),
            state: self.state.clone(),
            lists: self.lists.clone(),
            ministry: Party::new("ministry", SigningKey::ed25519(&[21; 32])),
            agency: Party::new("agency", SigningKey::p256(&[22; 32]).unwrap()),
            university: Party::new("university", key),
            schema: self.schema,
        }
    }

    /// A party by its name.
    pub fn party(&self, name: &str) -> &Party {
        match name {
            "ministry" => &self.ministry,
            "agency" => &self.agency,
            _ => &self.university,
        }
    }

    /// A scope of an accreditation for diplomas.
    pub fn scope(&self, types: &[&str], jurisdictions: &[&str]) -> Value {
        self.scope_of(self.schema, types, jurisdictions)
    }

    /// A scope of an accreditation.
    pub fn scope_of(&self, schema: SchemaId, types: &[&str], jurisdictions: &[&str]) -> Value {
        let types: Vec<_> = ["VerifiableCredential", "VerifiableAttestation"].iter().chain(types).collect();
        let jurisdictions: Vec<_> = jurisdictions.iter().map(|code| format!("{ATU}{code}")).collect();
        json!({ "schemaId": multibase(schema), "types": types, "limitJurisdiction": jurisdictions })
    }

    /// A new entry of a party's document: its methods as the closure leaves them.
    pub fn register(
        &mut self,
        name: &str,
        time: u64,
        change: impl FnOnce(Vec<VerificationMethod>) -> Vec<VerificationMethod>,
    ) {
        let party = self.party(name);
        let (did, before) = (party.did.clone(), identity::newest(&self.state.0, &party.did).unwrap());
        let usual = || {
            vec![method(
                &party.key,
                vec![grant(Relationship::AssertionMethod), grant(Relationship::CapabilityInvocation)],
            )]
        };
        let methods = before.as_ref().map_or_else(usual, |entry| entry.methods.clone());
        let entry = DidEntry {
            v: 1,
            seq: before.map_or(1, |entry| entry.seq + 1),
            height: Height(time - START),
            time: UnixTime(time),
            record: RecordId::from_bytes([1; 32]),
            controllers: vec![did.clone()],
            methods: change(methods),
            services: vec![],
            deactivated: false,
        };
        self.state.append(&identity::keys::did(&did), &entry);
    }

    /// Fills, or fills anew, the place of a party with an accreditation by the one above it.
    pub fn accredit(&mut self, name: &str, time: u64, scopes: &[Value]) {
        self.accredit_at(name, self.party(name).attribute, time, scopes, START, None);
    }

    /// The same in any place, with dates.
    pub fn accredit_at(
        &mut self,
        name: &str,
        id: AttributeId,
        time: u64,
        scopes: &[Value],
        from: u64,
        until: Option<u64>,
    ) {
        let (issuer_type, by) = match name {
            "ministry" => (IssuerType::RootTao, "ministry"),
            "agency" => (IssuerType::Tao, "ministry"),
            _ => (IssuerType::Ti, "agency"),
        };
        let (subject, by) = (self.party(name), self.party(by));
        let kind = CredentialKind::of_issuer(issuer_type);
        let mut claims = json!({
            "iss": by.did, "sub": subject.did, "nbf": from,
            "vc": {
                "type": ["VerifiableCredential", "VerifiableAttestation", kind.type_name()],
                "issuer": by.did,
                "credentialSubject": { "id": subject.did, "reservedAttributeId": id, "accreditedFor": scopes },
            },
        });
        if scopes.is_empty() {
            claims["vc"]["credentialSubject"].as_object_mut().unwrap().remove("accreditedFor");
        }
        if let Some(until) = until {
            claims["exp"] = json!(until);
        }
        let before = issuers::attribute(&self.state.0, id).unwrap();
        let parent = if name == "ministry" { AttributeId::ZERO } else { by.attribute };
        let entry = AttributeEntry {
            v: 1,
            seq: before.as_ref().map_or(1, |entry| entry.seq + 1),
            height: Height(time - START),
            time: UnixTime(time),
            record: RecordId::from_bytes([2; 32]),
            subject: subject.did.clone(),
            accreditor: by.did.clone(),
            root: self.ministry.did.clone(),
            parent,
            issuer_type,
            entity: Entity {
                names: vec![LegalName { lang: "en".into(), name: format!("The {name}") }],
                country: "LU".into(),
                identifiers: vec![],
            },
            credential: Some(jwt(&by.did, &by.key, &claims)),
            filled: Some(UnixTime(time)),
            ended: None,
        };
        let did = subject.did.clone();
        self.state.append(&issuers::keys::attribute(id), &entry);
        let known = issuers::issuer(&self.state.0, &did).unwrap();
        if known.as_ref().is_none_or(|known| !known.attributes.contains(&id)) {
            let mut attributes = known.as_ref().map_or_else(Vec::new, |known| known.attributes.clone());
            attributes.push(id);
            let entry = IssuerEntry {
                v: 1,
                seq: known.map_or(1, |known| known.seq + 1),
                height: Height(time - START),
                time: UnixTime(time),
                attributes,
            };
            self.state.append(&issuers::keys::issuer(&did), &entry);
        }
    }

    /// Ends an accreditation.
    pub fn end(&mut self, name: &str, time: u64, effective: u64, reason: EndReason) {
        let id = self.party(name).attribute;
        let before = issuers::attribute(&self.state.0, id).unwrap().unwrap();
        let ended = Some(Ended { effective: UnixTime(effective), reason });
        let entry = AttributeEntry { seq: before.seq + 1, time: UnixTime(time), ended, ..before };
        self.state.append(&issuers::keys::attribute(id), &entry);
    }

    /// Publishes a schema, or its next revision, under the diplomas' id.
    pub fn publish_schema(&mut self, time: u64, body: &str) {
        let before = schemas::schema(&self.state.0, self.schema).unwrap();
        let entry = SchemaEntry {
            v: 1,
            seq: before.map_or(1, |entry| entry.seq + 1),
            height: Height(time - START),
            time: UnixTime(time),
            record: RecordId::from_bytes([3; 32]),
            owner: self.ministry.did.clone(),
            body: schemas::body::canonical(body).unwrap(),
        };
        self.state.append(&schemas::key(self.schema), &entry);
    }

    /// Publishes a version of a list of the university in which these entries are set.
    pub fn list(&mut self, name: &str, time: u64, set: &[u64]) {
        let purpose = if name.ends_with("-suspended") { StatusPurpose::Suspension } else { StatusPurpose::Revocation };
        self.list_of(name, time, ENTRIES, purpose, set);
    }

    /// The same of any size and purpose.
    pub fn list_of(&mut self, name: &str, time: u64, size: u64, purpose: StatusPurpose, set: &[u64]) {
        let list: Reference = name.parse().unwrap();
        let party = &self.university;
        let before = status::newest(&self.state.0, &party.did, &list).unwrap();
        let version = before.map_or(1, |entry| entry.seq + 1);
        let mut bits = BitList::zeros(size).unwrap();
        set.iter().for_each(|index| assert!(bits.set(*index, true)));
        let kid = identity::key_id(&party.did, &party.key.public_key());
        let source = TokenSource {
            issuer: &party.did,
            list: &list,
            purpose,
            issued: UnixTime(time),
            kid: &kid,
            alg: JwsAlgorithm::EdDSA,
            public_base: BASE,
        };
        let entry = StatusEntry {
            v: 1,
            seq: version,
            height: Height(time - START),
            time: UnixTime(time),
            record: RecordId::from_bytes([4; 32]),
            issuer: party.did.clone(),
            status: sign_version(&source, version, &bits, &party.key).unwrap(),
        };
        self.state.append(&status::keys::status(&party.did, &list), &entry);
        self.lists.add(bits.into_bytes());
    }

    /// A master's degree by the university, with its entry number 7 in its list.
    pub fn draft(&self) -> Draft {
        let public = self.university.key.public_key();
        Draft {
            id: "urn:uuid:11111111-2222-4333-8444-555555555555".into(),
            kid: identity::key_id(&self.university.did, &public),
            issuer: self.university.did.clone(),
            alg: public.algorithm(),
            types: vec!["UniversityDegree".into(), "EqfLevel7".into()],
            schema: self.schema,
            public_base: BASE.into(),
            subject: object(json!({
                "givenName": "Ξένια", "familyName": "Παπαδοπούλου", "dateOfBirth": "2001-04-22",
                "title": [{ "language": "en", "text": "Master of Laws" }, { "language": "fr", "text": "Master en droit" }],
                "eqfLevel": 7, "iscedF": "0421", "ects": "120", "awardingDate": "2027-06-26",
                "jurisdiction": format!("{ATU}LUX"),
            })),
            holder: Holder::Unbound,
            discarded: Some(Did::jwk_jcs_key(&SigningKey::p256(&[8; 32]).unwrap().public_key())),
            valid_from: UnixTime(ISSUED),
            valid_until: None,
            status: Some(StatusPlace { list: "diplomas-1".parse().unwrap(), index: 7 }),
            accreditation: Some(self.university.attribute),
        }
    }

    /// A draft, signed by the university's key.
    pub fn sign(&self, format: Format, draft: &Draft) -> Credential {
        sign(format, draft, &self.university.key)
    }

    /// A master's degree by the university.
    pub fn diploma(&self, format: Format) -> Credential {
        self.sign(format, &self.draft())
    }

    /// The university's receipt of one credential.
    pub fn anchor(&self, credential: &Credential, time: u64) -> Receipt {
        let Party { did, key, .. } = &self.university;
        self.network.batch(&self.state, did, key, time, &[credential.digest(), [9; 32]]).swap_remove(0)
    }

    /// The proofs of a credential at a time.
    pub fn proofs(&self, credential: &Credential, issued: Option<u64>, time: u64) -> Proofs {
        self.network.proofs(&self.state, &self.lists, credential, issued, time, None)
    }

    /// A verifier of this network.
    pub fn verifier(&self) -> Verifier {
        Verifier::new(self.network.trust())
    }

    /// What a fresh verifier says with fresh proofs, of an anchored or unanchored credential.
    pub fn verify(&self, credential: &Credential, receipt: Option<&Receipt>) -> Report {
        self.verify_at(credential, receipt, None)
    }

    /// The same, asked about a time.
    pub fn verify_at(&self, credential: &Credential, receipt: Option<&Receipt>, at: Option<u64>) -> Report {
        let issued = receipt.map(|_| ISSUED);
        let proofs = self.network.proofs(&self.state, &self.lists, credential, issued, NOW, at);
        let policy = Policy { at: at.map(UnixTime), ..policy() };
        self.verifier().verify(&Presented { receipt: receipt.map(Ok), ..shown(credential, &proofs) }, &policy)
    }
}

/// Asks about now.
pub fn policy() -> Policy {
    Policy::now(UnixTime(NOW))
}

/// A credential by itself.
pub fn shown<'a>(credential: &'a Credential, proofs: &'a Proofs) -> Presented<'a> {
    Presented {
        credential: Ok(credential),
        text: None,
        receipt: None,
        proofs,
        evidence_error: None,
        print: &Print::None,
    }
}

/// A draft, signed by any key.
pub fn sign(format: Format, draft: &Draft, key: &SigningKey) -> Credential {
    format::parse(&sign_text(format, draft, key)).unwrap()
}

/// The text of a draft, signed by any key.
pub fn sign_text(format: Format, draft: &Draft, key: &SigningKey) -> String {
    let mut salt = 0;
    let mut salts = || {
        salt += 1;
        [salt; 16]
    };
    format::build(format, draft, &mut salts).unwrap().sign(key)
}

/// A VC-JWT.
fn jwt(issuer: &Did, key: &SigningKey, claims: &Value) -> String {
    let public = key.public_key();
    let alg = format!("{:?}", public.algorithm());
    let header = json!({ "alg": alg, "kid": identity::key_id(issuer, &public), "typ": "JWT" });
    let input = format!("{}.{}", base64url(&canonical(&header)), base64url(&canonical(claims)));
    format!("{input}.{}", base64url(&key.sign(input.as_bytes())))
}

/// The members of an object.
pub fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

/// Proofs with tokens of elsewhere.
pub fn with_tokens(proofs: Proofs, tokens: &[(&str, String)]) -> Proofs {
    let tokens: BTreeMap<_, _> =
        tokens.iter().map(|(url, text)| ((*url).to_owned(), Arc::from(text.as_str()))).collect();
    Proofs { tokens, ..proofs }
}
