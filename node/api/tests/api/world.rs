//! A living world on the ledger in memory: a ministry (Root TAO), an agency (TAO), a university (trusted issuer) with a
//! schema and a status list, and a city without any accreditation. Every record of it has passed the real contracts.

use std::cell::Cell;

use serde_json::{Value, json};
use testamur_primitives::codec::{self, base64url, sha256};
use testamur_primitives::commitment::DigestAlgorithm;
use testamur_primitives::did::{Did, DidUrl};
use testamur_primitives::hash::{AttributeId, RecordId, SchemaId};
use testamur_primitives::identity::changes::{DidChange, NewMethod};
use testamur_primitives::identity::{self, Grant, Relationship};
use testamur_primitives::issuers::accreditation::CredentialKind;
use testamur_primitives::issuers::{self, EndReason, Entity, IssuerType, LegalName};
use testamur_primitives::key::SigningKey;
use testamur_primitives::record::{Act, Bytes, Change, Payload, Record};
use testamur_primitives::schemas;
use testamur_primitives::status::formats::{TokenSource, sign_version};
use testamur_primitives::status::{self, BitList, StatusPurpose};
use testamur_primitives::trust::TrustFile;
use testamur_primitives::units::UnixTime;
use testamur_registry::governance;

use crate::client::get;
use crate::ledger::{GENESIS_TIME, PUBLIC_BASE};
use crate::node::TestNode;

/// A legal person with EBSI's two keys.
pub(crate) struct Party {
    pub(crate) did: Did,
    /// secp256k1: authentication and capabilityInvocation.
    pub(crate) ledger_key: SigningKey,
    /// P-256: authentication and assertionMethod.
    pub(crate) credential_key: SigningKey,
    attribute: AttributeId,
    name: &'static str,
}

impl Party {
    fn new(name: &'static str) -> Self {
        let seed = |what: &str| sha256(&[what.as_bytes(), b"\n", name.as_bytes()]);
        Self {
            did: Did::of_ledger("ebsi", &seed("did")[..16].try_into().expect("16 bytes")),
            ledger_key: SigningKey::secp256k1(&seed("ledger key")).expect("a scalar"),
            credential_key: SigningKey::p256(&seed("credential key")).expect("a scalar"),
            attribute: AttributeId::from_bytes(seed("attribute")),
            name,
        }
    }

    pub(crate) fn attribute(&self) -> AttributeId {
        self.attribute
    }

    pub(crate) fn kid(&self, key: &SigningKey) -> String {
        format!("{}#{}", self.did, thumbprint(key))
    }

    fn entity(&self) -> Entity {
        Entity {
            names: vec![LegalName { lang: "en".into(), name: self.name.into() }],
            country: "LU".into(),
            identifiers: Vec::new(),
        }
    }

    fn insert(&self) -> Act {
        let grant = |relationship| Grant { relationship, not_before: UnixTime(GENESIS_TIME), not_after: None };
        let method = |key: &SigningKey, uses: [Relationship; 2]| NewMethod {
            key: key.public_key().to_jwk(),
            grants: uses.map(grant).to_vec(),
        };
        let methods = vec![
            method(&self.ledger_key, [Relationship::Authentication, Relationship::CapabilityInvocation]),
            method(&self.credential_key, [Relationship::Authentication, Relationship::AssertionMethod]),
        ];
        Act::InsertDid { methods, controllers: Vec::new(), services: Vec::new(), authorisation: None }
    }
}

pub(crate) fn thumbprint(key: &SigningKey) -> String {
    identity::thumbprint(&key.public_key())
}

/// The schema of a degree.
pub(crate) const SCHEMA: &str = r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object"}"#;

/// A node with the world on its ledger.
pub(crate) struct World {
    pub(crate) node: TestNode,
    pub(crate) ministry: Party,
    pub(crate) agency: Party,
    pub(crate) university: Party,
    pub(crate) city: Party,
    pub(crate) schema: SchemaId,
    records: Cell<u32>,
}

impl World {
    /// Each step is a block, a second after the one before.
    pub(crate) fn new() -> Self {
        let [ministry, agency, university, city] =
            ["Ministry of Education", "Agency", "University", "City"].map(Party::new);
        let schema = schemas::id_of(SCHEMA).expect("a schema");
        let world = Self { node: TestNode::start(), ministry, agency, university, city, schema, records: Cell::new(0) };
        let Self { ministry, agency, university, city, .. } = &world;
        world.govern(Change::AccreditRoot {
            did: ministry.did.clone(),
            jkt: thumbprint(&ministry.ledger_key),
            attribute: ministry.attribute,
            entity: ministry.entity(),
        });
        world.by(ministry, ministry.insert());
        world.fill(ministry, ministry);
        for party in [agency, university, city] {
            world.govern(Change::AdmitDid { did: party.did.clone(), jkt: thumbprint(&party.ledger_key) });
            world.by(party, party.insert());
        }
        world.reserve(ministry, agency, IssuerType::Tao);
        world.fill(agency, ministry);
        world.reserve(agency, university, IssuerType::Ti);
        world.fill(university, agency);
        let publish = Act::PublishSchema { schema, body: SCHEMA.into(), prev: None };
        world.by(university, publish);
        world
    }

    /// Time of the newest block.
    pub(crate) fn now(&self) -> u64 {
        self.state(|state| state.1)
    }

    fn state<T>(
        &self,
        look: impl FnOnce((&std::collections::BTreeMap<testamur_primitives::state::StateKey, Vec<u8>>, u64)) -> T,
    ) -> T {
        use testamur_api::Reader as _;
        let time = self.node.ledger.tip().header.time.0;
        self.node.ledger.look(|registries| look((&registries.state, time)))
    }

    fn sign(&self, iss: &Did, kid: &str, key: &SigningKey, act: Act) -> Record {
        let number = self.records.get() + 1;
        self.records.set(number);
        let iat = self.now();
        let payload = Payload {
            v: 1,
            net: self.node.ledger.network(),
            iss: iss.clone(),
            jti: format!("world-{number}").parse().expect("a reference"),
            iat: UnixTime(iat),
            exp: UnixTime(iat + 3_600),
            act,
        };
        let kid: DidUrl = kid.parse().expect("a key id");
        Record::sign(&payload, &kid, key).expect("a well-formed record")
    }

    /// An act of a party, in a block of its own.
    pub(crate) fn by(&self, party: &Party, act: Act) -> RecordId {
        let record = self.sign(&party.did, &party.kid(&party.ledger_key), &party.ledger_key, act);
        self.node.ledger.commit(vec![record.clone()]);
        record.id()
    }

    /// An act of the did:key author.
    pub(crate) fn by_author(&self, act: Act) -> RecordId {
        let did = Did::key(&self.node.ledger.author.public_key());
        let kid = did.key_id().expect("a did:key").to_string();
        let record = self.sign(&did, &kid, &self.node.ledger.author, act);
        self.node.ledger.commit(vec![record.clone()]);
        record.id()
    }

    pub(crate) fn govern(&self, change: Change) {
        let (governance_version, time) =
            self.state(|(state, time)| (governance::governance(state).expect("sound").version, time));
        self.by_author(Act::Propose { change, governance_version, expires: UnixTime(time + 86_400) });
    }

    fn attribute_record(&self, id: AttributeId) -> RecordId {
        self.state(|(state, _)| issuers::attribute(state, id).expect("sound").expect("reserved").record)
    }

    fn reserve(&self, accreditor: &Party, subject: &Party, issuer_type: IssuerType) {
        let reserve = Act::ReserveAttribute {
            attribute: subject.attribute,
            subject: subject.did.clone(),
            issuer_type,
            parent: accreditor.attribute,
            entity: subject.entity(),
            prev: None,
        };
        self.by(accreditor, reserve);
    }

    /// Fills a party's place with a credential by its accreditor.
    fn fill(&self, subject: &Party, accreditor: &Party) {
        let prev = self.attribute_record(subject.attribute);
        let credential = self.accreditation(subject, accreditor);
        self.by(subject, Act::FillAttribute { attribute: subject.attribute, prev, credential });
    }

    /// An accreditation credential.
    pub(crate) fn accreditation(&self, subject: &Party, accreditor: &Party) -> String {
        let place =
            self.state(|(state, _)| issuers::attribute(state, subject.attribute).expect("sound").expect("reserved"));
        let kind = CredentialKind::of_issuer(place.issuer_type).type_name();
        let mut claims = json!({
            "iss": accreditor.did.as_str(),
            "sub": subject.did.as_str(),
            "nbf": GENESIS_TIME,
            "vc": {
                "type": ["VerifiableCredential", "VerifiableAttestation", kind],
                "issuer": accreditor.did.as_str(),
                "credentialSubject": {
                    "id": subject.did.as_str(),
                    "reservedAttributeId": subject.attribute.to_string(),
                },
            },
        });
        if place.issuer_type != IssuerType::RootTao {
            claims["vc"]["credentialSubject"]["accreditedFor"] = json!([{
                "schemaId": format!("{PUBLIC_BASE}/trusted-schemas-registry/v3/schemas/0x{}", self.schema),
                "types": ["VerifiableCredential", "VerifiableAttestation", "Degree"],
                "limitJurisdiction": "https://publications.europa.eu/resource/authority/atu/LUX",
            }]);
            claims["vc"]["termsOfUse"] = json!({
                "id": format!("{PUBLIC_BASE}/trusted-issuers-registry/v5/issuers/{}/attributes/{}", accreditor.did, accreditor.attribute),
                "type": "IssuanceCertificate",
            });
        }
        let key = &accreditor.credential_key;
        let header = json!({ "alg": "ES256", "kid": accreditor.kid(key), "typ": "JWT" });
        let part = |value: &Value| base64url(&codec::canonical(value));
        let signing_input = format!("{}.{}", part(&header), part(&claims));
        format!("{signing_input}.{}", base64url(&key.sign(signing_input.as_bytes())))
    }

    /// Ends a party's accreditation now.
    pub(crate) fn end(&self, accreditor: &Party, subject: &Party) {
        let prev = self.attribute_record(subject.attribute);
        let effective = UnixTime(self.now() + 1);
        let reason = EndReason::PrivilegeWithdrawn;
        self.by(accreditor, Act::EndAccreditation { attribute: subject.attribute, prev, effective, reason });
    }

    /// Changes a party's document, by one of its controllers.
    pub(crate) fn update(&self, controller: &Party, party: &Party, changes: Vec<DidChange>) {
        let prev = self.state(|(state, _)| identity::newest(state, &party.did).expect("sound").expect("there").record);
        self.by(controller, Act::UpdateDid { did: party.did.clone(), prev, changes });
    }

    /// Publishes the university's next revocation list, with some entries set.
    pub(crate) fn publish_list(&self, revoked: &[u64]) -> BitList {
        let (party, list) = (&self.university, "revocation-1".parse().expect("a name"));
        let before = self.state(|(state, _)| status::newest(state, &party.did, &list).expect("sound"));
        let mut bits = BitList::zeros(131_072).expect("a good size");
        for index in revoked {
            assert!(bits.set(*index, true));
        }
        let kid: DidUrl = party.kid(&party.credential_key).parse().expect("a key id");
        let source = TokenSource {
            issuer: &party.did,
            list: &list,
            purpose: StatusPurpose::Revocation,
            issued: UnixTime(self.now()),
            kid: &kid,
            alg: party.credential_key.public_key().algorithm(),
            public_base: PUBLIC_BASE,
        };
        let version = before.as_ref().map_or(1, |entry| entry.seq + 1);
        let status = sign_version(&source, version, &bits, &party.credential_key).expect("a version");
        self.node.ledger.attach(bits.as_bytes());
        self.by(party, Act::PublishStatus { status, prev: before.map(|entry| entry.record) });
        bits
    }

    /// Opens a dossier of the city.
    pub(crate) fn open_dossier(&self, digests: &[[u8; 32]]) -> RecordId {
        let entries = digests.iter().map(|digest| Bytes(digest.to_vec())).collect();
        self.by(&self.city, Act::OpenDossier { alg: DigestAlgorithm::Sha2_256, entries })
    }

    /// What this world trusts.
    pub(crate) fn trust(&self) -> TrustFile {
        use testamur_api::Reader as _;
        TrustFile::from_genesis(self.node.ledger.genesis().as_ref().clone())
    }

    /// The JSON of a good answer.
    #[track_caller]
    pub(crate) fn json(&self, target: &str) -> Value {
        let answer = get(self.node.address, target);
        assert_eq!(answer.status, 200, "{target}: {}", answer.text());
        answer.json()
    }
}
