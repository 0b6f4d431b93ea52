//! The story of a small world: every act of the registries in a record that applies, the state root after each block,
//! the tokens of a status list, and evidence that holds or does not, with what every verifier must say of it.

use serde::{Deserialize, Serialize};
use serde_json::json;
use testamur_primitives::commitment::{DigestAlgorithm, Form};
use testamur_primitives::dossiers::{DossierChange, Owner};
use testamur_primitives::hash::{RecordId, SchemaId, StateRoot};
use testamur_primitives::identity::changes::{DidChange, NewMethod};
use testamur_primitives::identity::{self, Grant, Relationship, Service, thumbprint};
use testamur_primitives::issuers::chain::{accredited, trust_chain};
use testamur_primitives::issuers::{EndReason, IssuerType};
use testamur_primitives::key::SigningKey;
use testamur_primitives::receipt::{AuthorKey, AuthorState};
use testamur_primitives::record::{Act, Bytes, Change};
use testamur_primitives::schemas;
use testamur_primitives::state::evidence::Evidence;
use testamur_primitives::status::formats::{TokenFormat, TokenSource, sign_version};
use testamur_primitives::status::{BitList, StatusPurpose};
use testamur_primitives::units::UnixTime;

use crate::chain::{Chain, START, seed};
use crate::story::{Party, World, credential, entity};
use crate::vectors::{EvidenceCase, Files, TokensFile, json as file};

/// A record of the story and what it left.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Step {
    /// What it does.
    pub what: String,
    /// The record.
    pub record: String,
    /// Its id.
    pub id: RecordId,
    /// Time of its block.
    pub time: u64,
    /// State root after its block, which holds nothing else.
    pub state_root: StateRoot,
}

/// The schema of the story's diplomas.
const SCHEMA: &str = concat!(
    r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","properties":{"credentialSubject":"#,
    r#"{"properties":{"title":{"description":"the degree","type":"string"}},"type":"object"}},"title":"Diploma","type":"object"}"#
);

struct Story {
    world: World,
    steps: Vec<Step>,
}

impl Story {
    fn tell(&mut self, what: &str, record: testamur_primitives::record::Record) -> RecordId {
        let id = self.world.one(&record);
        let tip = self.world.chain.tip();
        self.steps.push(Step {
            what: what.to_owned(),
            record: record.as_str().to_owned(),
            id,
            time: tip.time.0,
            state_root: tip.state_root,
        });
        id
    }

    fn by(&mut self, what: &str, party: &Party, act: Act) -> RecordId {
        let record = self.world.by(party, act);
        self.tell(what, record)
    }

    fn everyday(&mut self, what: &str, party: &Party, act: Act) -> RecordId {
        let record = self.world.everyday(party, act);
        self.tell(what, record)
    }

    fn govern(&mut self, what: &str, change: Change, version: u64) -> RecordId {
        let expires = UnixTime(self.world.time().0 + 86_400);
        let record = self.world.operator(Act::Propose { change, governance_version: version, expires });
        self.tell(what, record)
    }

    fn onboard(&mut self, what: &str, party: &Party, by: &Party) {
        let subject = json!({"id": party.did.as_str(), "cnf": {"jkt": party.jkt()}});
        let parent = Some((&by.did, by.attribute()));
        let authorisation = credential(by, "VerifiableAuthorisationToOnboard", subject, parent);
        self.by(what, party, party.insert(Some(authorisation)));
    }

    fn accredit(&mut self, party: &Party, by: &Party, issuer_type: IssuerType, types: &[&str], names: &[(&str, &str)]) {
        let reserve = Act::ReserveAttribute {
            attribute: party.attribute(),
            subject: party.did.clone(),
            issuer_type,
            parent: by.attribute(),
            entity: entity(names, "LU"),
            prev: None,
        };
        let prev = self.by("an accreditor reserves an attribute", by, reserve);
        let kind = match issuer_type {
            IssuerType::Tao => "VerifiableAccreditationToAccredit",
            _ => "VerifiableAccreditationToAttest",
        };
        let types: Vec<_> = ["VerifiableCredential", "VerifiableAttestation"].iter().chain(types).collect();
        let subject = json!({
            "id": party.did.as_str(),
            "reservedAttributeId": party.attribute().to_string(),
            "accreditedFor": [{
                "schemaId": format!("https://ledger.example/trusted-schemas-registry/v3/schemas/0x{}", schema_id()),
                "types": types,
                "limitJurisdiction": "https://publications.europa.eu/resource/authority/atu/LUX",
            }],
        });
        let credential = credential(by, kind, subject, Some((&by.did, by.attribute())));
        let fill = Act::FillAttribute { attribute: party.attribute(), prev, credential };
        self.by("the subject fills it with its accreditation", party, fill);
    }
}

fn schema_id() -> SchemaId {
    schemas::id_of(SCHEMA).expect("the schema of the story is JSON")
}

struct Cast {
    ministry: Party,
    agency: Party,
    university: Party,
    college: Party,
    city: Party,
}

fn told() -> (Story, Cast, TokensFile) {
    let mut story = Story { world: World::new("registries"), steps: Vec::new() };
    let cast = Cast {
        ministry: Party::new("ministry"),
        agency: Party::new("agency"),
        university: Party::new("university"),
        college: Party::new("college"),
        city: Party::new("city"),
    };
    let Cast { ministry, agency, university, college, city } = &cast;
    let root = Change::AccreditRoot {
        did: ministry.did.clone(),
        jkt: ministry.jkt(),
        attribute: ministry.attribute(),
        entity: entity(&[("fr", "Ministère de l'Enseignement supérieur"), ("de", "Hochschulministerium")], "LU"),
    };
    let accredited = story.govern("governance makes a Root TAO", root, 1);
    story.by("the Root TAO registers", ministry, ministry.insert(None));
    let own = json!({"id": ministry.did.as_str(), "reservedAttributeId": ministry.attribute().to_string()});
    let own = credential(ministry, "VerifiableAuthorisationForTrustChain", own, None);
    let fill = Act::FillAttribute { attribute: ministry.attribute(), prev: accredited, credential: own };
    story.by("the Root TAO fills its attribute", ministry, fill);
    let admit = Change::AdmitDid { did: city.did.clone(), jkt: city.jkt() };
    story.govern("governance admits a city", admit, 2);
    story.by("the city registers", city, city.insert(None));
    story.onboard("the agency registers", agency, ministry);
    let names = [("en", "Accreditation Agency"), ("el", "Αρχή Διαπίστευσης")];
    story.accredit(agency, ministry, IssuerType::Tao, &["UniversityDegree", "MicroCredential"], &names);
    story.onboard("a university registers", university, agency);
    let names = [("en", "University of the Vectors"), ("bg", "Университет на векторите")];
    story.accredit(university, agency, IssuerType::Ti, &["UniversityDegree"], &names);
    story.onboard("a college registers", college, agency);
    story.accredit(college, agency, IssuerType::Ti, &["MicroCredential"], &[("en", "College of Short Courses")]);
    let publish = Act::PublishSchema { schema: schema_id(), body: SCHEMA.to_owned(), prev: None };
    story.by("the ministry publishes a schema", ministry, publish);
    let tokens = publish_status(&mut story, university);
    dossier(&mut story, city, university);
    changes(&mut story, city, university);
    (story, cast, tokens)
}

fn publish_status(story: &mut Story, university: &Party) -> TokensFile {
    let (public_base, kid) = (story.world.genesis().public_base(), university.assertion_kid());
    let list = "revocation-1".parse().expect("a reference");
    let source = TokenSource {
        issuer: &university.did,
        list: &list,
        purpose: StatusPurpose::Revocation,
        issued: story.world.time(),
        kid: &kid,
        alg: university.assertion.public_key().algorithm(),
        public_base: &public_base,
    };
    let set = vec![0, 9, 131_071];
    let mut bits = BitList::zeros(131_072).expect("the smallest size");
    for index in &set {
        assert!(bits.set(*index, true));
    }
    let status = sign_version(&source, 1, &bits, &university.assertion).expect("a date in this century");
    let tokens = TokenFormat::ALL.map(|format| {
        let token = source.compact(format, &bits, &status.signatures).expect("signed above");
        (hex::encode(testamur_primitives::codec::sha256(&[token.as_bytes()])), token.len())
    });
    let file = TokensFile {
        public_base: public_base.clone(),
        issuer: university.did.clone(),
        status: status.clone(),
        set,
        jwk: university.assertion.public_key().to_jwk(),
        tokens: tokens.to_vec(),
    };
    story.everyday("the university publishes a status list", university, Act::PublishStatus { status, prev: None });
    file
}

fn dossier(story: &mut Story, city: &Party, other: &Party) {
    let alg = DigestAlgorithm::Sha2_256;
    let digests = |n: u32| vec![Bytes(seed("digest", n).to_vec())];
    let act = Act::Notarise { alg, form: Form::Digest, entries: digests(0), reference: None };
    story.everyday("the city notarises a document", city, act);
    let id = story.everyday("the city opens a dossier", city, Act::OpenDossier { alg, entries: digests(1) });
    let owner = Owner { did: other.did.clone(), not_before: UnixTime(START), not_after: None };
    let changes = [
        ("adds a version to it", DossierChange::AddVersion { alg, entries: digests(2) }),
        ("adds a digest to that version", DossierChange::AppendDigests { alg, entries: digests(3) }),
        ("adds an owner", DossierChange::AddOwner { owner }),
        ("ends the owner's right", DossierChange::RevokeOwner { did: other.did.clone() }),
    ];
    let mut prev = id;
    for (what, change) in changes {
        prev = story.everyday(&format!("the city {what}"), city, Act::UpdateDossier { dossier: id, prev, change });
    }
}

fn changes(story: &mut Story, city: &Party, controller: &Party) {
    let third = SigningKey::ed25519(&seed("city", 3)).public_key();
    let fourth = SigningKey::p384(&[7; 48]).expect("a scalar").public_key();
    let fifth = SigningKey::ed25519(&seed("city", 5)).public_key();
    let (third_id, fourth_id) = (thumbprint(&third), thumbprint(&fourth));
    let now = story.world.time();
    let grant = |relationship| Grant { relationship, not_before: now, not_after: Some(UnixTime(now.0 + 86_400)) };
    let service = Service {
        id: "archive".into(),
        r#type: "LinkedDomains".into(),
        endpoint: "https://city.example/archive".into(),
    };
    let method = |key: &testamur_primitives::key::PublicKey, relationship| NewMethod {
        key: key.to_jwk(),
        grants: vec![grant(relationship)],
    };
    let changes = vec![
        DidChange::SetServices { services: vec![service] },
        DidChange::AddController { did: controller.did.clone() },
        DidChange::RevokeController { did: controller.did.clone() },
        DidChange::AddMethod { method: method(&third, Relationship::KeyAgreement) },
        DidChange::AddRelationship { method: third_id.clone(), grant: grant(Relationship::CapabilityDelegation) },
        DidChange::ExpireMethod { method: third_id.clone(), not_after: UnixTime(now.0 + 3_600) },
        DidChange::AddMethod { method: method(&fourth, Relationship::AssertionMethod) },
        DidChange::RollMethod {
            old: fourth_id.clone(),
            key: fifth.to_jwk(),
            not_before: now,
            not_after: None,
            old_not_after: UnixTime(now.0 + 600),
        },
        DidChange::DeclareCompromised { method: fourth_id, from: now },
        DidChange::RevokeMethod { method: third_id },
    ];
    let newest = identity::newest(&story.world.state, &city.did).expect("in memory").expect("registered");
    let act = Act::UpdateDid { did: city.did.clone(), prev: newest.record, changes };
    story.by("the city changes its document in every way", city, act);
}

struct Cases<'a> {
    files: &'a mut Files,
    cases: Vec<EvidenceCase>,
}

impl Cases<'_> {
    fn add(&mut self, name: &str, evidence: &Evidence, question: Option<(&str, &str)>, at: u64, code: &str) {
        let path = format!("evidence/{name}.json");
        let exit = match code {
            "holds" | "registered" | "absent" => 0,
            "evidence.not-proven" | "evidence.unknown-format" | "receipt.unknown-network" => 4,
            _ => 3,
        };
        self.files.insert(path.clone(), evidence.encode());
        self.cases.push(EvidenceCase {
            name: name.into(),
            evidence: path,
            trust: "trust-registries.json".into(),
            question: question.map(|(question, _)| question.into()),
            subject: question.map(|(_, subject)| subject.into()),
            at,
            exit,
            code: code.into(),
        });
    }
}

/// Receipts of a record whose author has a document on the ledger: name, bytes, code.
pub(super) fn receipts() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let (story, cast, _) = told();
    let of = |what: &str| story.steps.iter().position(|step| step.what == what).expect("told") as u64;
    let good = story.world.receipt(of("the city notarises a document"));
    let insert = story.world.receipt(of("the city registers"));
    let jwk = cast.university.assertion.public_key().to_jwk();
    let with = |change: &dyn Fn(&mut AuthorKey)| {
        let mut receipt = good.clone();
        change(&mut receipt.author);
        receipt.encode()
    };
    let state = |author: &mut AuthorKey, change: &dyn Fn(&mut AuthorState)| {
        change(author.state.as_mut().expect("a document"));
    };
    vec![
        ("author-with-a-document", good.clone().encode(), "confirmed"),
        ("author-registers", insert.encode(), "confirmed"),
        ("author-without-the-document", with(&|author| author.state = None), "receipt.record"),
        ("author-with-another-key", with(&|author| author.jwk = jwk.clone()), "receipt.author-key"),
        (
            "author-with-a-key-put-into-the-document",
            with(&|author| {
                let from = serde_json::to_string(&author.jwk).expect("a key");
                let to = serde_json::to_string(&jwk).expect("a key");
                author.jwk = jwk.clone();
                state(author, &|state| state.document = state.document.replace(&from, &to));
            }),
            "receipt.author-key",
        ),
        (
            "author-with-a-proof-of-another-key",
            with(&|author| state(author, &|state| state.proof.siblings.reverse())),
            "receipt.author-key",
        ),
        (
            "author-with-a-document-in-another-form",
            with(&|author| state(author, &|state| state.document.insert(1, ' '))),
            "receipt.author-key",
        ),
    ]
}

pub(super) fn write(files: &mut Files) {
    let (mut story, cast, tokens) = told();
    files.insert("trust-registries.json".into(), story.world.chain.trust().to_json().into_bytes());
    files.insert("status-tokens.json".into(), file(&tokens));
    let mut cases = Cases { files, cases: Vec::new() };
    evidence(&mut cases, &story, &cast);
    later(&mut cases, &mut story, &cast);
    let cases = cases.cases;
    files.insert("evidence.json".into(), file(&cases));
    files.insert("registries.json".into(), file(&story.steps));
}

/// What holds while all is well, and what is made of it by a node that lies.
fn evidence(cases: &mut Cases<'_>, story: &Story, cast: &Cast) {
    let (world, now) = (&story.world, story.world.time());
    let Cast { university, city, .. } = cast;
    let (of, attribute) = (university.did.as_str(), university.attribute().to_string());
    let issuer = world.evidence(|r| accredited(r, &university.did, None, now));
    cases.add("issuer-holds", &issuer, Some(("issuer", of)), now.0, "holds");
    let chain = world.evidence(|r| trust_chain(r, university.attribute(), now));
    cases.add("chain-holds", &chain, Some(("chain", &attribute)), now.0, "holds");
    cases.add(
        "chain-before-it-was-filled",
        &{ world.evidence(|r| trust_chain(r, university.attribute(), UnixTime(START + 20))) },
        Some(("chain", &attribute)),
        START + 20,
        "chain.not-in-place",
    );
    let far = UnixTime(START + 5 * 366 * 86_400);
    let expired = world.evidence(|r| trust_chain(r, university.attribute(), far));
    cases.add("chain-expired", &expired, Some(("chain", &attribute)), far.0, "chain.dates");
    let not = world.evidence(|r| accredited(r, &city.did, None, now));
    cases.add("issuer-not-accredited", &not, Some(("issuer", city.did.as_str())), now.0, "chain.not-accredited");
    let registered = world.evidence(|r| identity::as_of(r, &city.did, now));
    cases.add("did-registered", &registered, Some(("did", city.did.as_str())), now.0, "registered");
    let early = UnixTime(START + 10);
    let before = world.evidence(|r| identity::as_of(r, &city.did, early));
    cases.add("did-before-it-registered", &before, Some(("did", city.did.as_str())), early.0, "absent");
    let nobody = Party::new("nobody").did;
    let absent = world.evidence(|r| identity::as_of(r, &nobody, now));
    cases.add("did-absent", &absent, Some(("did", nobody.as_str())), now.0, "absent");

    let mut lie = |name: &str, code: &str, change: &dyn Fn(&mut Evidence)| {
        let mut evidence = issuer.clone();
        change(&mut evidence);
        cases.add(name, &evidence, Some(("issuer", of)), now.0, code);
    };
    let value = |evidence: &mut Evidence, change: &dyn Fn(&str) -> Option<String>| {
        let entry = evidence.state.iter_mut().find(|e| e.key.starts_with("attribute/")).expect("attributes are there");
        entry.value = entry.value.as_deref().and_then(change);
    };
    lie("a-value-changed", "evidence.proof", &|e| value(e, &|v| Some(v.replace("\"LU\"", "\"LV\""))));
    lie("a-key-said-to-be-absent", "evidence.proof", &|e| value(e, &|_| None));
    lie("a-key-left-out", "evidence.not-proven", &|e| {
        e.state.retain(|entry| !entry.key.starts_with("issuer/"));
    });
    lie("keys-out-of-order", "evidence.malformed", &|e| e.state.reverse());
    lie("a-key-twice", "evidence.malformed", &|e| e.state.insert(0, e.state[0].clone()));
    lie("another-type", "evidence.unknown-format", &|e| e.r#type = "testamur-receipt".into());
    lie("another-network", "receipt.unknown-network", &|e| {
        e.network.genesis = Chain::new("other").genesis.hash();
    });
    lie("another-origin", "receipt.origin", &|e| e.network.origin.push('x'));
    lie("another-header", "receipt.certificate", &|e| {
        let earlier = &world.chain.headers[3];
        e.header = earlier.text();
    });
    lie("an-old-root", "evidence.proof", &|e| {
        let earlier = &world.chain.headers[3];
        (e.header, e.note) = (earlier.text(), world.chain.certificate(earlier));
    });
    lie("too-few-cosignatures", "receipt.no-quorum", &|e| {
        let (body, lines) = e.note.split_once("\n\n").expect("a note");
        let lines: Vec<_> = lines.lines().filter(|line| !line.contains("validator-")).collect();
        let all: Vec<_> = e.note.lines().filter(|line| line.contains("\u{2014} validator-")).take(2).collect();
        e.note = format!("{body}\n\n{}\n", all.into_iter().chain(lines).collect::<Vec<_>>().join("\n"));
    });
    lie("other-validators", "receipt.validators", &|e| {
        e.validators = crate::chain::set_of(&crate::chain::members(&[1, 2, 3, 4]));
    });
}

/// What is so after the agency has ended one accreditation and lost a key.
fn later(cases: &mut Cases<'_>, story: &mut Story, cast: &Cast) {
    let Cast { agency, university, college, .. } = cast;
    let before = story.world.time();
    let filled = |world: &World, party: &Party| {
        testamur_primitives::issuers::attribute(&world.state, party.attribute()).expect("in memory").expect("reserved")
    };
    let end = Act::EndAccreditation {
        attribute: college.attribute(),
        prev: filled(&story.world, college).record,
        effective: UnixTime(before.0 + 60),
        reason: EndReason::PrivilegeWithdrawn,
    };
    story.by("the agency ends an accreditation", agency, end);
    let (world, attribute) = (&story.world, college.attribute().to_string());
    let (eve, after) = (before.0 + 59, before.0 + 60);
    for (name, at, code) in [("ended-the-second-before", eve, "holds"), ("ended", after, "chain.ended")] {
        let evidence = world.evidence(|r| trust_chain(r, college.attribute(), UnixTime(at)));
        cases.add(name, &evidence, Some(("chain", &attribute)), at, code);
    }
    let newest = identity::newest(&story.world.state, &agency.did).expect("in memory").expect("registered");
    let compromised = filled(&story.world, university).filled.expect("filled");
    let changes =
        vec![DidChange::DeclareCompromised { method: thumbprint(&agency.assertion.public_key()), from: compromised }];
    let act = Act::UpdateDid { did: agency.did.clone(), prev: newest.record, changes };
    story.by("the agency declares its key compromised", agency, act);
    let (world, now) = (&story.world, story.world.time());
    let attribute = university.attribute().to_string();
    let evidence = world.evidence(|r| trust_chain(r, university.attribute(), now));
    cases.add("accreditor-compromised", &evidence, Some(("chain", &attribute)), now.0, "chain.key-compromised");
    let root = Change::EndRoot {
        attribute: cast.ministry.attribute(),
        effective: UnixTime(now.0 + 10),
        reason: EndReason::CessationOfOperation,
    };
    story.govern("governance ends the Root TAO's accreditation", root, 3);
    let world = &story.world;
    let attribute = agency.attribute().to_string();
    let at = world.time();
    let evidence = world.evidence(|r| trust_chain(r, agency.attribute(), at));
    cases.add("the-root-ended", &evidence, Some(("chain", &attribute)), at.0, "chain.ended");
    let newest = identity::newest(&story.world.state, &cast.city.did).expect("in memory").expect("registered");
    let changes = vec![DidChange::Deactivate {}];
    let act = Act::UpdateDid { did: cast.city.did.clone(), prev: newest.record, changes };
    story.by("the city closes its DID", &cast.city, act);
}
