//! The ledger that the diplomas' cases stand on: who was accredited when, whose keys changed, what was withdrawn.
//!
//! ```text
//! day  1  all register; all but academy and consulate are accredited; lists are published
//! day 10  first graduation: everybody anchors
//! day 12  evidence "early"
//! day 18  college anchors once more, with a key that it will call compromised from day 15 on
//! day 20  academy accredited; institute's accreditation, board's and abbey's DID end; conservatory's key rolls; college's
//!         and council's keys are declared compromised
//! day 25  second graduation: conservatory (new key), institute, guild, lodge, academy, seminar (accredited until day 22)
//! day 26  the university revokes, suspends twice, replaces; at noon it lifts one suspension
//! day 27  evidence "main"
//! day 30  other validators take office; evidence "late", and a trust file that pins it
//! ```

use std::collections::BTreeMap;

use serde_json::json;
use testamur_primitives::codec::{base64url, canonical};
use testamur_primitives::commitment::{BatchLeaf, DigestAlgorithm, DocumentDigest, Opening, Salt, SaltText};
use testamur_primitives::did::{Did, DidUrl};
use testamur_primitives::hash::{AttributeId, RecordId, SchemaId};
use testamur_primitives::identity::changes::{DidChange, NewMethod};
use testamur_primitives::identity::{self, Grant, Relationship, key_id, thumbprint};
use testamur_primitives::issuers::{self, EndReason, IssuerType};
use testamur_primitives::key::{JwsAlgorithm, SigningKey};
use testamur_primitives::merkle::MemoryTree;
use testamur_primitives::receipt::Receipt;
use testamur_primitives::record::{Act, BatchTree, Change};
use testamur_primitives::schemas;
use testamur_primitives::state::StateKey;
use testamur_primitives::status::formats::{TokenSource, sign_version};
use testamur_primitives::status::{BitList, StatusPurpose};
use testamur_primitives::units::UnixTime;

use crate::chain::{START, seed};
use crate::story::{Party, World, credential, entity};

/// Seconds of a day.
pub(super) const DAY: u64 = 86_400;
/// Entries of every list.
pub(super) const ENTRIES: u64 = 131_072;
/// Entry of a credential that is revoked on day 26.
pub(super) const REVOKED: u64 = 1_001;
/// Entry of one that is suspended then.
pub(super) const SUSPENDED: u64 = 1_002;
/// Entry of one that is replaced then.
pub(super) const REPLACED: u64 = 1_003;
/// Entry of one that is suspended then, and reinstated at noon.
pub(super) const REINSTATED: u64 = 1_004;

/// A time on a day of the story.
pub(super) const fn day(number: u64) -> UnixTime {
    UnixTime(START + number * DAY)
}

/// A jurisdiction by its code in the EU's list.
pub(super) fn jurisdiction(code: &str) -> String {
    format!("https://publications.europa.eu/resource/authority/atu/{code}")
}

/// An institution, with all the keys that it signs credentials with.
pub(super) struct Institution {
    pub(super) name: &'static str,
    pub(super) party: Party,
    others: Vec<SigningKey>,
}

impl Institution {
    fn new(name: &'static str, others: Vec<SigningKey>) -> Self {
        Self { name, party: Party::new(name), others }
    }

    pub(super) fn did(&self) -> &Did {
        &self.party.did
    }

    /// Its key of an algorithm; ES256 is the one of everyday.
    pub(super) fn key(&self, alg: JwsAlgorithm) -> &SigningKey {
        if alg == JwsAlgorithm::ES256 {
            return &self.party.assertion;
        }
        self.others.iter().find(|key| key.public_key().algorithm() == alg).expect("a key of that algorithm")
    }

    /// All keys that it signs credentials with.
    pub(super) fn keys(&self) -> impl Iterator<Item = &SigningKey> {
        core::iter::once(&self.party.assertion).chain(&self.others)
    }

    pub(super) fn kid(&self, key: &SigningKey) -> DidUrl {
        key_id(self.did(), &key.public_key())
    }

    fn insert(&self, authorisation: Option<String>) -> Act {
        let mut methods = self.party.methods();
        methods.extend(self.others.iter().map(|key| asserting(key, UnixTime(START))));
        Act::InsertDid { methods, controllers: Vec::new(), services: Vec::new(), authorisation }
    }
}

fn asserting(key: &SigningKey, not_before: UnixTime) -> NewMethod {
    let grant = Grant { relationship: Relationship::AssertionMethod, not_before, not_after: None };
    NewMethod { key: key.public_key().to_jwk(), grants: vec![grant] }
}

/// Everybody.
pub(super) struct Cast {
    pub(super) ministry: Institution,
    pub(super) agency: Institution,
    /// A TAO whose accreditation ends.
    pub(super) board: Institution,
    /// A TAO whose key was in other hands when it accredited.
    pub(super) council: Institution,
    /// Has a key of each kind.
    pub(super) university: Institution,
    /// Short courses only.
    pub(super) polytechnic: Institution,
    /// Dangerous goods.
    pub(super) authority: Institution,
    /// Its accreditation ends.
    pub(super) institute: Institution,
    /// Its key is compromised from day 15 on.
    pub(super) college: Institution,
    /// Its key is rolled.
    pub(super) conservatory: Institution,
    /// Accredited on day 20.
    pub(super) academy: Institution,
    /// Its DID is closed.
    pub(super) abbey: Institution,
    /// Accredited by the board.
    pub(super) guild: Institution,
    /// Accredited by the council.
    pub(super) lodge: Institution,
    /// Accredited until day 22.
    pub(super) seminar: Institution,
    /// Registered, never accredited.
    pub(super) consulate: Institution,
    /// Registered nowhere.
    pub(super) nobody: Institution,
}

impl Cast {
    pub(super) fn new() -> Self {
        let plain = |name| Institution::new(name, Vec::new());
        let all_kinds = vec![
            SigningKey::ed25519(&seed("university", 3)),
            SigningKey::p384(&[seed("university", 4).as_slice(), &[7; 16]].concat()).expect("a scalar"),
            SigningKey::secp256k1(&seed("university", 5)).expect("a scalar"),
        ];
        Self {
            ministry: plain("ministry"),
            agency: plain("agency"),
            board: plain("board"),
            council: plain("council"),
            university: Institution::new("university", all_kinds),
            polytechnic: plain("polytechnic"),
            authority: plain("authority"),
            institute: plain("institute"),
            college: plain("college"),
            conservatory: plain("conservatory"),
            academy: plain("academy"),
            abbey: plain("abbey"),
            guild: plain("guild"),
            lodge: plain("lodge"),
            seminar: plain("seminar"),
            consulate: plain("consulate"),
            nobody: plain("nobody"),
        }
    }

    /// All that are registered.
    pub(super) fn registered(&self) -> [&Institution; 16] {
        let Self { ministry, agency, board, council, university, polytechnic, authority, institute, .. } = self;
        let Self { college, conservatory, academy, abbey, guild, lodge, seminar, consulate, .. } = self;
        [
            ministry,
            agency,
            board,
            council,
            university,
            polytechnic,
            authority,
            institute,
            college,
            conservatory,
            academy,
            abbey,
            guild,
            lodge,
            seminar,
            consulate,
        ]
    }
}

/// The university's key that is only valid later: registered with a grant from day 200 on.
pub(super) fn key_of_tomorrow() -> SigningKey {
    SigningKey::p256(&seed("university", 6)).expect("a scalar")
}

/// The schema of diplomas, as published.
pub(super) fn diploma_schema() -> String {
    schemas::body::canonical(include_str!("../../../../genesis/schemas/diploma.json")).expect("a schema")
}

/// The schema of dangerous-goods driver certificates, as published.
pub(super) fn certificate_schema() -> String {
    schemas::body::canonical(include_str!("../../../../genesis/schemas/dangerous-goods.json")).expect("a schema")
}

/// Id of a schema of this ledger.
pub(super) fn schema_id(body: &str) -> SchemaId {
    schemas::id_of(body).expect("a schema")
}

const ALL_TYPES: [&str; 10] = [
    "UniversityDegree",
    "MicroCredential",
    "EqfLevel1",
    "EqfLevel2",
    "EqfLevel3",
    "EqfLevel4",
    "EqfLevel5",
    "EqfLevel6",
    "EqfLevel7",
    "EqfLevel8",
];
const DEGREES: [&str; 5] = ["UniversityDegree", "MicroCredential", "EqfLevel6", "EqfLevel7", "EqfLevel8"];
const SHORT_COURSES: [&str; 3] = ["MicroCredential", "EqfLevel4", "EqfLevel5"];
const CERTIFICATES: [&str; 1] = ["DangerousGoodsDriverCertificate"];

/// The newest version of a list, and its record.
struct List {
    version: u64,
    prev: Option<RecordId>,
}

/// The ledger as it grows.
pub(super) struct Ledger {
    pub(super) world: World,
    lists: BTreeMap<(String, String), List>,
    /// Bits that were published, each version's.
    pub(super) attachments: Vec<BitList>,
    batches: u32,
}

impl Ledger {
    /// Day 1: everything is in place.
    pub(super) fn founded() -> Self {
        let mut ledger =
            Self { world: World::new("diplomas"), lists: BTreeMap::new(), attachments: Vec::new(), batches: 0 };
        ledger.world.wait(day(1));
        ledger.root();
        let cast = Cast::new();
        let Cast { ministry, agency, board, council, university, polytechnic, authority, .. } = &cast;
        let both = scopes(&ALL_TYPES, &CERTIFICATES);
        for tao in [agency, board, council] {
            ledger.onboard(tao, ministry);
            ledger.accredit(tao, ministry, IssuerType::Tao, &both, None);
        }
        let degrees = scopes(&DEGREES, &[]);
        for (issuer, by) in [
            (university, agency),
            (&cast.institute, agency),
            (&cast.college, agency),
            (&cast.conservatory, agency),
            (&cast.abbey, agency),
            (&cast.guild, board),
            (&cast.lodge, council),
        ] {
            ledger.onboard(issuer, by);
            ledger.accredit(issuer, by, IssuerType::Ti, &degrees, None);
        }
        ledger.onboard(&cast.seminar, agency);
        ledger.accredit(&cast.seminar, agency, IssuerType::Ti, &degrees, Some(day(22)));
        ledger.onboard(polytechnic, agency);
        ledger.accredit(polytechnic, agency, IssuerType::Ti, &scopes(&SHORT_COURSES, &[]), None);
        ledger.onboard(authority, agency);
        ledger.accredit(authority, agency, IssuerType::Ti, &scopes(&[], &CERTIFICATES), None);
        ledger.onboard(&cast.academy, agency);
        ledger.onboard(&cast.consulate, agency);
        let later = DidChange::AddMethod { method: asserting(&key_of_tomorrow(), day(200)) };
        ledger.change_did(university, vec![later]);
        for body in [diploma_schema(), certificate_schema()] {
            let publish = Act::PublishSchema { schema: schema_id(&body), body, prev: None };
            let record = ledger.world.by(&ministry.party, publish);
            ledger.world.one(&record);
        }
        for (list, purpose) in [
            ("diplomas-1", StatusPurpose::Revocation),
            ("diplomas-1-suspended", StatusPurpose::Suspension),
            ("diplomas-1-replaced", StatusPurpose::Revocation),
        ] {
            ledger.publish(university, list, purpose, &[]);
        }
        ledger.publish(authority, "certificates-1", StatusPurpose::Revocation, &[]);
        ledger.publish(authority, "certificates-1-suspended", StatusPurpose::Suspension, &[]);
        ledger
    }

    fn root(&mut self) {
        let cast = Cast::new();
        let party = &cast.ministry.party;
        let change = Change::AccreditRoot {
            did: party.did.clone(),
            jkt: party.jkt(),
            attribute: party.attribute(),
            entity: entity(
                &[("fr", "Ministère de l’Enseignement supérieur"), ("en", "Ministry of Higher Education")],
                "LU",
            ),
        };
        let expires = UnixTime(self.world.time().0 + DAY);
        let record = self.world.operator(Act::Propose { change, governance_version: 1, expires });
        let accredited = self.world.one(&record);
        let record = self.world.by(party, cast.ministry.insert(None));
        self.world.one(&record);
        let own = json!({"id": party.did.as_str(), "reservedAttributeId": party.attribute().to_string()});
        let own = credential(party, "VerifiableAuthorisationForTrustChain", own, None);
        let fill = Act::FillAttribute { attribute: party.attribute(), prev: accredited, credential: own };
        let record = self.world.by(party, fill);
        self.world.one(&record);
    }

    fn onboard(&mut self, one: &Institution, by: &Institution) {
        let subject = json!({"id": one.did().as_str(), "cnf": {"jkt": one.party.jkt()}});
        let parent = Some((by.did(), by.party.attribute()));
        let authorisation = credential(&by.party, "VerifiableAuthorisationToOnboard", subject, parent);
        let record = self.world.by(&one.party, one.insert(Some(authorisation)));
        self.world.one(&record);
    }

    fn accredit(
        &mut self,
        one: &Institution,
        by: &Institution,
        issuer_type: IssuerType,
        scopes: &serde_json::Value,
        until: Option<UnixTime>,
    ) {
        let attribute = one.party.attribute();
        let reserve = Act::ReserveAttribute {
            attribute,
            subject: one.did().clone(),
            issuer_type,
            parent: by.party.attribute(),
            entity: entity(&names(one.name), "LU"),
            prev: None,
        };
        let record = self.world.by(&by.party, reserve);
        let prev = self.world.one(&record);
        let kind = match issuer_type {
            IssuerType::Tao => "VerifiableAccreditationToAccredit",
            _ => "VerifiableAccreditationToAttest",
        };
        let subject = json!({
            "id": one.did().as_str(), "reservedAttributeId": attribute.to_string(), "accreditedFor": scopes,
        });
        let credential = accreditation(by, kind, subject, until);
        let record = self.world.by(&one.party, Act::FillAttribute { attribute, prev, credential });
        self.world.one(&record);
    }

    fn change_did(&mut self, one: &Institution, changes: Vec<DidChange>) {
        let newest = identity::newest(&self.world.state, one.did()).expect("in memory").expect("registered");
        let act = Act::UpdateDid { did: one.did().clone(), prev: newest.record, changes };
        let record = self.world.by(&one.party, act);
        self.world.one(&record);
    }

    /// Publishes a version of a list with just these entries set.
    fn publish(&mut self, by: &Institution, name: &str, purpose: StatusPurpose, set: &[u64]) {
        let mut bits = BitList::zeros(ENTRIES).expect("the smallest size");
        assert!(set.iter().all(|index| bits.set(*index, true)));
        let key = (by.name.to_owned(), name.to_owned());
        let before = self.lists.get(&key);
        let (version, prev) = before.map_or((1, None), |list| (list.version + 1, list.prev));
        let (list, kid) = (name.parse().expect("a reference"), by.party.assertion_kid());
        let public_base = self.world.genesis().public_base();
        let source = TokenSource {
            issuer: by.did(),
            list: &list,
            purpose,
            issued: self.world.time(),
            kid: &kid,
            alg: JwsAlgorithm::ES256,
            public_base: &public_base,
        };
        let status = sign_version(&source, version, &bits, &by.party.assertion).expect("a date in this century");
        let record = self.world.everyday(&by.party, Act::PublishStatus { status, prev });
        let prev = Some(self.world.one(&record));
        if !self.attachments.contains(&bits) {
            self.attachments.push(bits);
        }
        self.lists.insert(key, List { version, prev });
    }

    /// Anchors digests in one batch, by a key of the issuer's; a receipt for each.
    pub(super) fn anchor(&mut self, by: &Institution, key: &SigningKey, digests: &[[u8; 32]]) -> Vec<Receipt> {
        self.batches += 1;
        let leaves: Vec<_> = (0..)
            .zip(digests)
            .map(|(n, digest)| BatchLeaf {
                digest: DocumentDigest::new(DigestAlgorithm::Sha2_256, digest.to_vec()).expect("32 bytes"),
                salt: Some(Salt::from_bytes(seed("salt", self.batches * 1_000 + n))),
            })
            .collect();
        let tree = MemoryTree::from_leaf_hashes(&leaves.iter().map(BatchLeaf::leaf_hash).collect::<Vec<_>>());
        let count = leaves.len() as u64;
        let root = tree.root(count).expect("the whole tree");
        let act = Act::NotariseBatch { tree: BatchTree::Rfc6962Sha256, root, count, reference: None };
        let record = self.world.record(by.did(), key, act);
        self.world.one(&record);
        let receipt = self.world.receipt(self.world.chain.log().size() - 1);
        let of = |(index, leaf): (u64, &BatchLeaf)| {
            let opening = Opening {
                index,
                alg: DigestAlgorithm::Sha2_256,
                digest: leaf.digest.as_bytes().to_vec(),
                salt: leaf.salt.clone().map(SaltText),
                path: Some(tree.inclusion_proof(index, count).expect("a leaf of it")),
            };
            Receipt { opening: Some(opening), ..receipt.clone() }
        };
        (0..).zip(&leaves).map(of).collect()
    }

    /// Day 20.
    pub(super) fn changes(&mut self) {
        self.world.wait(day(20));
        let cast = Cast::new();
        let Cast { agency, college, conservatory, institute, board, council, abbey, academy, .. } = &cast;
        self.accredit(academy, agency, IssuerType::Ti, &scopes(&DEGREES, &[]), None);
        for (one, by) in [(institute, agency), (board, &cast.ministry)] {
            let attribute = one.party.attribute();
            let prev = self.attribute(attribute);
            let effective = UnixTime(self.world.time().0 + 60);
            let act = Act::EndAccreditation { attribute, prev, effective, reason: EndReason::PrivilegeWithdrawn };
            let record = self.world.by(&by.party, act);
            self.world.one(&record);
        }
        let now = self.world.time();
        let old = &conservatory.party.assertion;
        let roll = DidChange::RollMethod {
            old: thumbprint(&old.public_key()),
            key: rolled().public_key().to_jwk(),
            not_before: now,
            not_after: None,
            old_not_after: UnixTime(now.0 + 60),
        };
        self.change_did(conservatory, vec![roll]);
        for (one, from) in [(college, day(15)), (council, day(1))] {
            let method = thumbprint(&one.party.assertion.public_key());
            self.change_did(one, vec![DidChange::DeclareCompromised { method, from }]);
        }
        self.change_did(abbey, vec![DidChange::Deactivate {}]);
    }

    fn attribute(&self, id: AttributeId) -> RecordId {
        issuers::attribute(&self.world.state, id).expect("in memory").expect("reserved").record
    }

    /// Day 26.
    pub(super) fn withdrawals(&mut self) {
        let cast = Cast::new();
        let university = &cast.university;
        self.world.wait(day(26));
        self.publish(university, "diplomas-1", StatusPurpose::Revocation, &[REVOKED, REPLACED]);
        self.publish(university, "diplomas-1-replaced", StatusPurpose::Revocation, &[REPLACED]);
        self.publish(university, "diplomas-1-suspended", StatusPurpose::Suspension, &[SUSPENDED, REINSTATED]);
        self.publish(&cast.authority, "certificates-1", StatusPurpose::Revocation, &[REVOKED]);
        self.world.wait(UnixTime(day(26).0 + DAY / 2));
        self.publish(university, "diplomas-1-suspended", StatusPurpose::Suspension, &[SUSPENDED]);
    }

    /// Evidence of some keys under the last header.
    pub(super) fn evidence(&self, keys: &[StateKey]) -> testamur_primitives::state::evidence::Evidence {
        self.world.evidence_of(keys)
    }
}

/// The conservatory's key from day 20 on.
pub(super) fn rolled() -> SigningKey {
    SigningKey::p256(&seed("conservatory", 7)).expect("a scalar")
}

fn names(name: &str) -> Vec<(&'static str, &'static str)> {
    match name {
        "agency" => vec![("en", "Accreditation Agency"), ("el", "Αρχή Διαπίστευσης")],
        "board" => vec![("en", "Board of Accreditation")],
        "council" => vec![("en", "Council of Accreditation")],
        "university" => vec![
            ("fr", "Université des Vecteurs"),
            ("lb", "Universitéit vun de Vecteuren"),
            ("bg", "Университет на векторите"),
        ],
        "polytechnic" => vec![("en", "Polytechnic of Short Courses")],
        "authority" => vec![("en", "Transport Authority")],
        "institute" => vec![("en", "Institute That Ended")],
        "college" => vec![("en", "College That Lost a Key")],
        "conservatory" => vec![("en", "Conservatory of Two Keys")],
        "academy" => vec![("en", "Academy That Came Later")],
        "abbey" => vec![("en", "Abbey That Closed")],
        "guild" => vec![("en", "Guild under the Board")],
        "lodge" => vec![("en", "Lodge under the Council")],
        _ => vec![("en", "Seminar of Three Weeks")],
    }
}

fn scopes(diplomas: &[&str], certificates: &[&str]) -> serde_json::Value {
    let scope = |schema: &str, types: &[&str]| {
        let types: Vec<_> = ["VerifiableCredential", "VerifiableAttestation"].iter().chain(types).collect();
        json!({
            "schemaId": format!("https://ledger.example/trusted-schemas-registry/v3/schemas/0x{}", schema_id(schema)),
            "types": types,
            "limitJurisdiction": jurisdiction("LUX"),
        })
    };
    let scopes = [(diploma_schema(), diplomas), (certificate_schema(), certificates)];
    scopes.iter().filter(|(_, types)| !types.is_empty()).map(|(schema, types)| scope(schema, types)).collect()
}

/// An accreditation, signed, that may end by its own date.
fn accreditation(by: &Institution, kind: &str, subject: serde_json::Value, until: Option<UnixTime>) -> String {
    let whole = credential(&by.party, kind, subject, Some((by.did(), by.party.attribute())));
    let Some(until) = until else { return whole };
    let (input, _) = whole.rsplit_once('.').expect("a JWS");
    let (header, payload) = input.split_once('.').expect("a JWS");
    let payload = testamur_primitives::codec::from_base64url(payload).expect("our own");
    let mut payload: serde_json::Value = serde_json::from_slice(&payload).expect("our own");
    payload["vc"]["expirationDate"] = json!(super::documents::date(until));
    let input = format!("{header}.{}", base64url(&canonical(&payload)));
    format!("{input}.{}", base64url(&by.party.assertion.sign(input.as_bytes())))
}
