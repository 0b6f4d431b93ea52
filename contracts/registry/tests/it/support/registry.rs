//! A ledger with legal persons on it: their DIDs, accreditations and credentials.

use serde_json::{Value, json};
use testamur_primitives::codec::{self, base64url, sha256};
use testamur_primitives::did::{Did, DidUrl};
use testamur_primitives::hash::{AttributeId, RecordId};
use testamur_primitives::identity::changes::{DidChange, NewMethod};
use testamur_primitives::identity::{self, DidEntry, Grant, Relationship};
use testamur_primitives::issuers::accreditation::CredentialKind;
use testamur_primitives::issuers::{self, AttributeEntry, EndReason, Entity, IssuerType, LegalName};
use testamur_primitives::key::SigningKey;
use testamur_primitives::record::{Act, Change, Payload, Record};
use testamur_primitives::units::UnixTime;
use testamur_registry::{Outcome, governance};

use super::{Ledger, START, genesis, key};

/// What a key of a legal person is usually for.
pub const USES: [Relationship; 2] = [Relationship::CapabilityInvocation, Relationship::AssertionMethod];

/// A legal person and its key number 0.
pub struct Party {
    pub name: &'static str,
    pub did: Did,
    pub key: SigningKey,
}

/// A party by its name: DID and key follow from it.
pub fn party(name: &'static str) -> Party {
    Party { name, did: ledger_did(name), key: key(name, 0) }
}

/// The DID of a name, of the ledger's form.
pub fn ledger_did(name: &str) -> Did {
    let hash = sha256(&[b"a legal person\n", name.as_bytes()]);
    Did::of_ledger("ebsi", &hash[..16].try_into().expect("16 bytes"))
}

/// The attribute id of a name.
pub fn attribute_id(name: &str) -> AttributeId {
    AttributeId::from_bytes(sha256(&[b"an attribute\n", name.as_bytes()]))
}

/// The thumbprint of a key.
pub fn jkt(key: &SigningKey) -> String {
    identity::thumbprint(&key.public_key())
}

/// A grant without end, from `START` on.
pub fn grant(relationship: Relationship) -> Grant {
    Grant { relationship, not_before: UnixTime(START), not_after: None }
}

/// A grant for a window.
pub fn window(relationship: Relationship, not_before: u64, not_after: Option<u64>) -> Grant {
    Grant { relationship, not_before: UnixTime(not_before), not_after: not_after.map(UnixTime) }
}

/// A key with uses.
pub fn method(key: &SigningKey, grants: &[Grant]) -> NewMethod {
    NewMethod { key: key.public_key().to_jwk(), grants: grants.to_vec() }
}

/// A key for the usual uses.
pub fn usual(key: &SigningKey) -> NewMethod {
    method(key, &USES.map(grant))
}

/// An `insert-did` without anything but keys.
pub fn insert(methods: Vec<NewMethod>) -> Act {
    Act::InsertDid { methods, controllers: Vec::new(), services: Vec::new(), authorisation: None }
}

/// Who somebody is.
pub fn entity(name: &str) -> Entity {
    Entity {
        names: vec![LegalName { lang: "en".into(), name: name.into() }],
        country: "BE".into(),
        identifiers: Vec::new(),
    }
}

/// The schema id of a name, as it stands in credentials.
pub fn schema_url(name: &str) -> String {
    format!("https://ledger.example/trusted-schemas-registry/v3/schemas/0x{}", hex::encode(sha256(&[name.as_bytes()])))
}

/// An entry of `accreditedFor`: schemas and types by name; jurisdictions by their code, none for everywhere.
pub fn accredited_for(schema: &str, types: &[&str], jurisdictions: &[&str]) -> Value {
    let types: Vec<_> = ["VerifiableCredential", "VerifiableAttestation"].iter().chain(types).collect();
    let mut scope = json!({ "schemaId": schema_url(schema), "types": types });
    if !jurisdictions.is_empty() {
        let urls: Vec<_> = jurisdictions.iter().map(|code| jurisdiction(code)).collect();
        scope["limitJurisdiction"] = json!(urls);
    }
    scope
}

/// The URI of a jurisdiction.
pub fn jurisdiction(code: &str) -> String {
    format!("https://publications.europa.eu/resource/authority/atu/{code}")
}

/// An accreditation credential to be signed.
#[derive(Clone)]
pub struct Credential {
    pub kind: CredentialKind,
    pub issuer: Did,
    pub subject: Did,
    pub attribute: Option<AttributeId>,
    pub parent: Option<String>,
    pub scopes: Vec<Value>,
    pub from: u64,
    pub until: Option<u64>,
    pub jkt: Option<String>,
}

impl Credential {
    /// One for a place, of the kind that belongs there, for degrees in Belgium.
    pub fn of(place: &AttributeEntry, attribute: AttributeId) -> Self {
        Self {
            kind: CredentialKind::of_issuer(place.issuer_type),
            issuer: place.accreditor.clone(),
            subject: place.subject.clone(),
            attribute: Some(attribute),
            parent: (place.issuer_type != IssuerType::RootTao).then(|| format!("https://x.example/{}", place.parent)),
            scopes: match place.issuer_type {
                IssuerType::RootTao => Vec::new(),
                IssuerType::Tao | IssuerType::Ti => vec![accredited_for("degree", &["Degree", "Diploma"], &["BEL"])],
            },
            from: START,
            until: None,
            jkt: None,
        }
    }

    /// A VerifiableAuthorisationToOnboard.
    pub fn onboarding(issuer: &Did, subject: &Did, jkt: String) -> Self {
        Self {
            kind: CredentialKind::AuthorisationToOnboard,
            issuer: issuer.clone(),
            subject: subject.clone(),
            attribute: None,
            parent: None,
            scopes: Vec::new(),
            from: START,
            until: None,
            jkt: Some(jkt),
        }
    }

    /// The claims of its VC-JWT.
    pub fn claims(&self) -> Value {
        let mut subject = json!({ "id": self.subject.as_str() });
        if let Some(attribute) = self.attribute {
            subject["reservedAttributeId"] = json!(attribute.to_string());
        }
        if !self.scopes.is_empty() {
            subject["accreditedFor"] = json!(self.scopes);
        }
        if let Some(jkt) = &self.jkt {
            subject["cnf"] = json!({ "jkt": jkt });
        }
        let mut claims = json!({
            "iss": self.issuer.as_str(),
            "sub": self.subject.as_str(),
            "nbf": self.from,
            "vc": {
                "type": ["VerifiableCredential", "VerifiableAttestation", self.kind.type_name()],
                "issuer": self.issuer.as_str(),
                "credentialSubject": subject,
            },
        });
        if let Some(until) = self.until {
            claims["exp"] = json!(until);
        }
        if let Some(parent) = &self.parent {
            claims["vc"]["termsOfUse"] = json!({ "id": parent, "type": "IssuanceCertificate" });
        }
        claims
    }

    /// The VC-JWT, signed with a key of the issuer.
    pub fn sign(&self, key: &SigningKey) -> String {
        self.sign_as(key, &jkt(key))
    }

    /// The VC-JWT under a key id that the key need not have.
    pub fn sign_as(&self, key: &SigningKey, fragment: &str) -> String {
        let alg = format!("{:?}", key.public_key().algorithm());
        let header = json!({ "alg": alg, "kid": format!("{}#{fragment}", self.issuer), "typ": "JWT" });
        let part = |value: &Value| base64url(&codec::canonical(value));
        let signing_input = format!("{}.{}", part(&header), part(&self.claims()));
        format!("{signing_input}.{}", base64url(&key.sign(signing_input.as_bytes())))
    }
}

/// A ledger whose records get their `jti` by number, one a block.
pub struct World {
    pub ledger: Ledger,
    records: u32,
}

impl World {
    /// A ledger of one operator, and one writer.
    pub fn new() -> Self {
        Self::of(Ledger::new(genesis(1, 1, 1)))
    }

    /// Any ledger of one operator.
    pub fn of(ledger: Ledger) -> Self {
        Self { ledger, records: 0 }
    }

    /// A record of a DID, signed with any key under any of its key ids.
    pub fn sign(&mut self, did: &Did, fragment: &str, key: &SigningKey, iat: u64, act: Act) -> Record {
        self.records += 1;
        let payload = Payload {
            v: 1,
            net: self.ledger.genesis.hash(),
            iss: did.clone(),
            jti: format!("w{}", self.records).parse().expect("a reference"),
            iat: UnixTime(iat),
            exp: UnixTime(iat + 3_600),
            act,
        };
        let kid: DidUrl = format!("{did}#{fragment}").parse().expect("a key id");
        Record::sign(&payload, &kid, key).expect("a well-formed record")
    }

    /// What becomes of a record by a DID of the ledger, in a block of its own.
    pub fn by_key(&mut self, did: &Did, key: &SigningKey, time: u64, act: Act) -> Result<Outcome, &'static str> {
        let record = self.sign(did, &jkt(key), key, time, act);
        self.ledger.one(time, &record)
    }

    /// What becomes of an act of a party with its key number 0.
    pub fn by(&mut self, party: &Party, time: u64, act: Act) -> Result<Outcome, &'static str> {
        self.by_key(&party.did, &party.key, time, act)
    }

    /// What becomes of an act of a did:key author.
    pub fn by_did_key(&mut self, key: &SigningKey, time: u64, act: Act) -> Result<Outcome, &'static str> {
        self.records += 1;
        let record = self.ledger.record(key, &format!("w{}", self.records), time, act);
        self.ledger.one(time, &record)
    }

    /// What becomes of a proposal of operator 0, approved by as many others as it needs.
    pub fn govern(&mut self, time: u64, change: Change) -> Result<Outcome, &'static str> {
        let now = governance::governance(&self.ledger.state).expect("sound");
        let act = Act::Propose { change, governance_version: now.version, expires: UnixTime(time + 86_400) };
        self.records += 1;
        let proposal = self.ledger.record(&key("operator", 0), &format!("w{}", self.records), time, act);
        let mut outcome = self.ledger.one(time, &proposal)?;
        for number in 1..now.approvals_required {
            outcome = self.by_did_key(&key("operator", number), time, super::approve(&proposal, now.version))?;
        }
        Ok(outcome)
    }

    /// A document now.
    pub fn document(&self, did: &Did) -> DidEntry {
        identity::newest(&self.ledger.state, did).expect("sound").expect("registered")
    }

    /// An attribute now.
    pub fn attribute(&self, id: AttributeId) -> AttributeEntry {
        issuers::attribute(&self.ledger.state, id).expect("sound").expect("reserved")
    }

    /// Registers a party by governance, with these keys.
    pub fn register_with(&mut self, party: &Party, time: u64, act: Act) {
        let admit = Change::AdmitDid { did: party.did.clone(), jkt: jkt(&party.key) };
        self.govern(time, admit).expect("admitted");
        self.by(party, time, act).expect("registered");
    }

    /// Registers a party by governance, with its key.
    pub fn register(&mut self, party: &Party, time: u64) {
        self.register_with(party, time, insert(vec![usual(&party.key)]));
    }

    /// An update of a document as it stands.
    pub fn update(&self, did: &Did, changes: Vec<DidChange>) -> Act {
        Act::UpdateDid { did: did.clone(), prev: self.document(did).record, changes }
    }

    /// A reservation as it stands.
    pub fn reserve(&self, name: &str, subject: &Did, issuer_type: IssuerType, parent: AttributeId) -> Act {
        Act::ReserveAttribute {
            attribute: attribute_id(name),
            subject: subject.clone(),
            issuer_type,
            parent,
            entity: entity(name),
            prev: None,
        }
    }

    /// Filling a place as it stands.
    pub fn fill(&self, attribute: AttributeId, credential: String) -> Act {
        Act::FillAttribute { attribute, prev: self.attribute(attribute).record, credential }
    }

    /// Ending an accreditation as it stands.
    pub fn end(&self, attribute: AttributeId, effective: u64, reason: EndReason) -> Act {
        let prev = self.attribute(attribute).record;
        Act::EndAccreditation { attribute, prev, effective: UnixTime(effective), reason }
    }

    /// Makes a registered or unregistered party a Root TAO, with its attribute filled.
    pub fn root(&mut self, party: &Party, time: u64) -> AttributeId {
        let attribute = attribute_id(party.name);
        let (did, entity) = (party.did.clone(), entity(party.name));
        self.govern(time, Change::AccreditRoot { did, jkt: jkt(&party.key), attribute, entity }).expect("a root");
        if identity::newest(&self.ledger.state, &party.did).expect("sound").is_none() {
            self.by(party, time, insert(vec![usual(&party.key)])).expect("registered");
        }
        let credential = Credential::of(&self.attribute(attribute), attribute).sign(&party.key);
        let fill = self.fill(attribute, credential);
        self.by(party, time, fill).expect("filled");
        attribute
    }

    /// Accredits a registered party, with its attribute filled.
    pub fn accredit(
        &mut self,
        accreditor: &Party,
        parent: AttributeId,
        subject: &Party,
        issuer_type: IssuerType,
        time: u64,
    ) -> AttributeId {
        let attribute = attribute_id(subject.name);
        let reserve = self.reserve(subject.name, &subject.did, issuer_type, parent);
        self.by(accreditor, time, reserve).expect("reserved");
        let credential = Credential::of(&self.attribute(attribute), attribute).sign(&accreditor.key);
        let fill = self.fill(attribute, credential);
        self.by(subject, time, fill).expect("filled");
        attribute
    }
}

/// A ministry (Root TAO), an agency (TAO) and a university (trusted issuer), all in place at `START`.
pub struct Chain {
    pub world: World,
    pub ministry: Party,
    pub agency: Party,
    pub university: Party,
    pub root: AttributeId,
    pub tao: AttributeId,
    pub ti: AttributeId,
}

impl Chain {
    pub fn new() -> Self {
        let (ministry, agency, university) = (party("ministry"), party("agency"), party("university"));
        let mut world = World::new();
        let root = world.root(&ministry, START);
        world.register(&agency, START);
        world.register(&university, START);
        let tao = world.accredit(&ministry, root, &agency, IssuerType::Tao, START);
        let ti = world.accredit(&agency, tao, &university, IssuerType::Ti, START);
        Self { world, ministry, agency, university, root, tao, ti }
    }
}

/// The record that an outcome cannot name: any id that is on no ledger.
pub fn nowhere() -> RecordId {
    RecordId::from_bytes([0xee; 32])
}
