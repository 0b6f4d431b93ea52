//! Role × act × state of the key: who may do what with which key. Every cell is run against one ledger, and what comes
//! out is compared with a table that knows nothing of the rules' code. No cell may be allowed that the table refuses.

use std::collections::BTreeMap;

use crate::support::registry::*;
use crate::support::{Ledger, START, Window, approve, did, genesis, key, notarise, propose};
use testamur_primitives::commitment::DigestAlgorithm;
use testamur_primitives::did::Did;
use testamur_primitives::dossiers::DossierChange;
use testamur_primitives::hash::{AttachmentHash, HeaderHash, RecordId, TreeHash};
use testamur_primitives::identity::changes::DidChange;
use testamur_primitives::identity::{Grant, Relationship, Service};
use testamur_primitives::issuers::{EndReason, IssuerType};
use testamur_primitives::key::SigningKey;
use testamur_primitives::record::{Act, BatchTree, Bytes, Change, Payload, Record, RevocationReason};
use testamur_primitives::schemas;
use testamur_primitives::status::{StatusPurpose, StatusSignatures, StatusVersion};
use testamur_primitives::units::{Height, UnixTime};
use testamur_registry::{ApplyError, BlockContext, Execution, check_stateless};

/// Who; the columns of the table.
const ROLES: [&str; 15] = [
    "operator",
    "writer",
    "former-writer",
    "stranger",
    "root",
    "tao",
    "ti",
    "ended-ti",
    "registered",
    "barred",
    "deactivated",
    "guardian",
    "accreditor",
    "newcomer",
    "unadmitted",
];

/// What becomes of an act signed with a key that is good for it; the columns are the roles in their order. `.` stands
/// for what is decided before the act is looked at: the author's DID is not registered, or deactivated.
const TABLE: &str = "
    act               op wr fw st  ro ta ti en re ba de gu ac  ne un
    notarise          W  +  X  W   +  +  +  +  +  X  .  +  +   .  .
    notarise-batch    W  +  X  W   +  +  +  +  +  X  .  +  +   .  .
    open-dossier      W  +  X  W   +  +  +  +  +  X  .  +  +   .  .
    update-dossier    W  +  X  W   o  o  o  o  o  X  .  o  o   .  .
    insert            F  F  F  F   A  A  A  A  A  A  A  A  A   +  U
    update-own        N  N  N  N   +  +  +  +  +  +  .  +  +   .  .
    update-ward       N  N  N  N   C  C  C  C  C  C  .  +  C   .  .
    update-another    N  N  N  N   C  C  C  C  +  C  .  C  C   .  .
    reserve           N  N  N  N   +  +  T  P  a  a  .  a  +   .  .
    reserve-by-tao    N  N  N  N   a  +  a  a  a  a  .  a  a   .  .
    rename-ti         N  N  N  N   a  +  a  a  a  a  .  a  a   .  .
    fill-for-ti       N  N  N  N   s  s  +  s  s  s  .  s  s   .  .
    end-ti            N  N  N  N   a  +  a  a  a  a  .  a  a   .  .
    end-root          N  N  N  N   T  T  T  T  T  T  .  T  T   .  .
    publish-schema    N  N  N  N   +  +  +  c  c  c  .  c  +   .  .
    publish-status    S  S  S  S   +  +  +  S  S  S  .  S  +   .  .
    propose           +  O  O  O   O  O  O  O  O  O  O  O  O   O  O
    approve           +  O  O  O   O  O  O  O  O  O  O  O  O   O  O
    synced            Z  Z  Z  Z   K  K  K  K  K  K  K  K  K   K  K
";

/// What the letters of the table say.
const LEGEND: [(&str, &str); 19] = [
    ("W", "notary.not-a-writer"),
    ("X", "notary.writer-revoked"),
    ("o", "dossier.not-an-owner"),
    ("F", "did.form"),
    ("A", "did.already-registered"),
    ("U", "did.not-authorised"),
    ("N", "did.not-registered"),
    ("C", "did.not-a-controller"),
    ("T", "issuer.type"),
    ("P", "issuer.parent"),
    ("a", "issuer.not-the-accreditor"),
    ("s", "issuer.not-the-subject"),
    ("c", "schema.not-accredited"),
    ("S", "status.not-accredited"),
    ("O", "governance.not-an-operator"),
    ("Z", "network.not-awaited"),
    ("K", "network.key"),
    ("+", "allowed"),
    (".", "decided before"),
];

/// Acts that a key for assertions may sign too.
const EVERYDAY: [&str; 5] = ["notarise", "notarise-batch", "open-dossier", "update-dossier", "publish-status"];

/// How a key stands; the number is that of the role's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeyState {
    Active = 0,
    NotYetValid = 1,
    Expired = 2,
    Revoked = 3,
    RotatedAway = 4,
    RotatedIn = 5,
    Compromised = 6,
    ForSigningInOnly = 7,
    ForAssertionsOnly = 8,
    ForInvocationsOnly = 9,
    NotInTheDocument = 10,
    /// The active key's id over another key's signature.
    Forged = 11,
}

const STATES: [KeyState; 12] = [
    KeyState::Active,
    KeyState::NotYetValid,
    KeyState::Expired,
    KeyState::Revoked,
    KeyState::RotatedAway,
    KeyState::RotatedIn,
    KeyState::Compromised,
    KeyState::ForSigningInOnly,
    KeyState::ForAssertionsOnly,
    KeyState::ForInvocationsOnly,
    KeyState::NotInTheDocument,
    KeyState::Forged,
];

const NOW: u64 = START + 1_000;

/// The oracle: what a cell must come to.
fn expected(role: &str, act: &str, state: KeyState, table: &BTreeMap<(String, String), &'static str>) -> &'static str {
    let cell = table[&(act.to_owned(), role.to_owned())];
    let did_key = ROLES[..4].contains(&role);
    match (role, act) {
        // The state of a did:key is that of the key that it names; only its signature can be wrong.
        _ if did_key => return if state == KeyState::Forged { "record.signature" } else { cell },
        (_, "propose" | "approve" | "synced") => return cell,
        ("newcomer" | "unadmitted", "insert") => {}
        (_, "insert") => return cell,
        ("newcomer" | "unadmitted", _) => return "did.not-registered",
        ("deactivated", _) => return "did.deactivated",
        _ => {}
    }
    let new = act == "insert";
    match state {
        KeyState::Active | KeyState::RotatedIn if !new => cell,
        KeyState::Active => cell,
        KeyState::NotYetValid => "did.key-not-yet-valid",
        KeyState::Expired => "did.key-expired",
        // A document that is not there yet has no past.
        KeyState::Revoked | KeyState::RotatedAway | KeyState::RotatedIn | KeyState::Compromised if new => {
            "did.unknown-key"
        }
        KeyState::Revoked | KeyState::RotatedAway => "did.key-revoked",
        KeyState::RotatedIn => unreachable!("decided above"),
        KeyState::Compromised => "did.key-compromised",
        KeyState::ForSigningInOnly => "did.key-not-granted",
        KeyState::ForAssertionsOnly if EVERYDAY.contains(&act) => cell,
        KeyState::ForAssertionsOnly => "did.key-not-granted",
        // It could register, but governance admitted the other one.
        KeyState::ForInvocationsOnly if new && role == "newcomer" => "did.other-key",
        KeyState::ForInvocationsOnly => cell,
        KeyState::NotInTheDocument => "did.unknown-key",
        KeyState::Forged => "record.signature",
    }
}

fn table() -> BTreeMap<(String, String), &'static str> {
    let mut cells = BTreeMap::new();
    for row in TABLE.lines().skip(2).filter(|row| !row.trim().is_empty()) {
        let mut columns = row.split_whitespace();
        let act = columns.next().expect("an act").to_owned();
        let letters: Vec<_> = columns.collect();
        assert_eq!(letters.len(), ROLES.len(), "{act}");
        for (role, letter) in ROLES.into_iter().zip(letters) {
            let (_, meaning) = LEGEND.into_iter().find(|(l, _)| *l == letter).expect("a letter of the legend");
            cells.insert((act.clone(), role.to_owned()), meaning);
        }
    }
    cells
}

/// The grants that a role's key is registered with.
fn grants(state: KeyState) -> Vec<Grant> {
    let [invoke, assert] = USES;
    match state {
        KeyState::NotYetValid => USES.map(|r| window(r, NOW + 1, None)).to_vec(),
        KeyState::Expired => USES.map(|r| window(r, START, Some(NOW))).to_vec(),
        KeyState::ForSigningInOnly => vec![grant(Relationship::Authentication)],
        KeyState::ForAssertionsOnly => vec![grant(assert)],
        KeyState::ForInvocationsOnly => vec![grant(invoke)],
        _ => USES.map(grant).to_vec(),
    }
}

fn key_of(role: &str, state: KeyState) -> SigningKey {
    key(role, state as u32)
}

/// A document with a key in every state that a new one can have.
fn new_document(role: &str) -> Act {
    let states = [
        KeyState::Active,
        KeyState::NotYetValid,
        KeyState::Expired,
        KeyState::ForSigningInOnly,
        KeyState::ForAssertionsOnly,
        KeyState::ForInvocationsOnly,
    ];
    insert(states.map(|state| method(&key_of(role, state), &grants(state))).to_vec())
}

/// The ledger that all cells are run against.
struct Stage {
    world: World,
    dossier: RecordId,
    proposal: Record,
}

fn stage() -> Stage {
    let mut world = World::of(Ledger::new(genesis(2, 2, 1)));
    let open = Act::OpenDossier { alg: DigestAlgorithm::Sha2_256, entries: vec![Bytes(vec![1; 32])] };
    let open = world.ledger.record(&key("writer", 0), "dossier", START, open);
    world.ledger.one(START, &open).expect("opened");
    let former = did("former-writer", 0);
    world.govern(START, Change::GrantWriter { did: former.clone() }).expect("granted");
    let reason = RevocationReason::PrivilegeWithdrawn;
    world.govern(START, Change::RevokeWriter { did: former, reason }).expect("revoked");
    for role in &ROLES[4..13] {
        register(&mut world, role);
    }
    register(&mut world, "client");
    let [root, tao, ti, ended, accreditor, client] =
        ["root", "tao", "ti", "ended-ti", "accreditor", "client"].map(party);
    let top = world.root(&root, START);
    let below = world.accredit(&root, top, &tao, IssuerType::Tao, START);
    world.accredit(&tao, below, &ti, IssuerType::Ti, START);
    let place = world.accredit(&tao, below, &ended, IssuerType::Ti, START);
    let end = world.end(place, START, EndReason::PrivilegeWithdrawn);
    world.by(&tao, START, end).expect("ended");
    let second = world.accredit(&root, top, &accreditor, IssuerType::Tao, START);
    world.accredit(&accreditor, second, &client, IssuerType::Ti, START);
    let pending = world.reserve("pending", &ti.did, IssuerType::Ti, below);
    world.by(&tao, START, pending).expect("reserved");
    let barred = Change::RevokeWriter { did: ledger_did("barred"), reason };
    world.govern(START, barred).expect("barred");
    let ward = party("ward");
    let insert = Act::InsertDid {
        methods: vec![usual(&ward.key)],
        controllers: vec![ledger_did("guardian")],
        services: Vec::new(),
        authorisation: None,
    };
    world.register_with(&ward, START, insert);
    let close = world.update(&ledger_did("deactivated"), vec![DidChange::Deactivate {}]);
    world.by(&party("deactivated"), START, close).expect("closed");
    let newcomer = party("newcomer");
    world.govern(START, Change::AdmitDid { did: newcomer.did, jkt: jkt(&newcomer.key) }).expect("admitted");
    let change = Change::GrantWriter { did: did("writer", 5) };
    let open_proposal = propose(change, world.ledger.version());
    let proposal = world.ledger.record(&key("operator", 1), "open", START, open_proposal);
    world.ledger.one(START, &proposal).expect("proposed");
    Stage { world, dossier: open.id(), proposal }
}

/// Registers a role, and brings its keys into their states.
fn register(world: &mut World, role: &'static str) {
    let party = party(role);
    world.register_with(&party, START, new_document(role));
    let added = [KeyState::Revoked, KeyState::RotatedAway, KeyState::Compromised];
    let mut changes: Vec<_> =
        added.map(|s| DidChange::AddMethod { method: method(&key_of(role, s), &grants(s)) }).to_vec();
    changes.extend([
        DidChange::RevokeMethod { method: jkt(&key_of(role, KeyState::Revoked)) },
        DidChange::RollMethod {
            old: jkt(&key_of(role, KeyState::RotatedAway)),
            key: key_of(role, KeyState::RotatedIn).public_key().to_jwk(),
            not_before: UnixTime(START),
            not_after: None,
            old_not_after: UnixTime(NOW),
        },
        DidChange::DeclareCompromised {
            method: jkt(&key_of(role, KeyState::Compromised)),
            from: UnixTime(START - 100),
        },
    ]);
    let update = world.update(&party.did, changes);
    world.by(&party, START, update).expect("the keys are in their states");
}

impl Stage {
    /// The author of a role.
    fn author(&self, role: &'static str) -> Did {
        if ROLES[..4].contains(&role) { did(role, 0) } else { ledger_did(role) }
    }

    /// The act, as this role would sign it if it might.
    fn act(&self, role: &'static str, act: &str) -> Act {
        let (world, own) = (&self.world, self.author(role));
        let harmless = || vec![DidChange::SetServices { services: vec![website()] }];
        let registered = testamur_primitives::identity::newest(&world.ledger.state, &own).expect("sound").is_some();
        match act {
            "notarise" => notarise(1),
            "notarise-batch" => Act::NotariseBatch {
                tree: BatchTree::Rfc6962Sha256,
                root: TreeHash::from_bytes([1; 32]),
                count: 2,
                reference: None,
            },
            "open-dossier" => Act::OpenDossier { alg: DigestAlgorithm::Sha2_256, entries: vec![Bytes(vec![2; 32])] },
            "update-dossier" => Act::UpdateDossier {
                dossier: self.dossier,
                prev: self.dossier,
                change: DossierChange::AppendDigests {
                    alg: DigestAlgorithm::Sha2_256,
                    entries: vec![Bytes(vec![3; 32])],
                },
            },
            "insert" => new_document(role),
            "update-own" if registered => world.update(&own, harmless()),
            "update-own" | "update-another" => world.update(&ledger_did("registered"), harmless()),
            "update-ward" => world.update(&ledger_did("ward"), harmless()),
            "reserve" => {
                let accredited = ["root", "tao", "ti", "ended-ti", "accreditor"].contains(&role);
                let parent = attribute_id(if accredited { role } else { "tao" });
                world.reserve("new", &ledger_did("anybody"), IssuerType::Ti, parent)
            }
            "reserve-by-tao" => world.reserve("new", &ledger_did("anybody"), IssuerType::Ti, attribute_id("tao")),
            "rename-ti" => Act::ReserveAttribute {
                attribute: attribute_id("ti"),
                subject: ledger_did("ti"),
                issuer_type: IssuerType::Ti,
                parent: attribute_id("tao"),
                entity: entity("another name"),
                prev: Some(world.attribute(attribute_id("ti")).record),
            },
            "fill-for-ti" => {
                let place = attribute_id("pending");
                let credential = Credential::of(&world.attribute(place), place);
                world.fill(place, credential.sign(&key("tao", 0)))
            }
            "end-ti" => world.end(attribute_id("ti"), NOW, EndReason::PrivilegeWithdrawn),
            "end-root" => world.end(attribute_id("root"), NOW, EndReason::PrivilegeWithdrawn),
            "publish-schema" => {
                let body = r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object"}"#;
                let schema = schemas::id_of(body).expect("a schema");
                Act::PublishSchema { schema, body: body.into(), prev: None }
            }
            "publish-status" => Act::PublishStatus { status: self.status(role), prev: None },
            "propose" => propose(Change::GrantWriter { did: did("writer", 6) }, world.ledger.version()),
            "approve" => approve(&self.proposal, world.ledger.version()),
            "synced" => Act::Synced {
                validator: crate::support::members::address(9),
                height: Height(0),
                header: HeaderHash::from_bytes([7; 32]),
            },
            other => panic!("no act {other}"),
        }
    }

    /// A first version of a list, its tokens signed by a good key, whatever signs the record.
    fn status(&self, role: &'static str) -> StatusVersion {
        let own = self.author(role);
        let kid = own
            .key_id()
            .unwrap_or_else(|| format!("{own}#{}", jkt(&key_of(role, KeyState::Active))).parse().expect("a key id"));
        let signature = || Bytes(vec![0; 64]);
        StatusVersion {
            list: "list-1".parse().expect("a reference"),
            version: 1,
            purpose: StatusPurpose::Revocation,
            size: 131_072,
            sha256: AttachmentHash::from_bytes([5; 32]),
            issued: UnixTime(NOW),
            kid,
            signatures: StatusSignatures { status_list_2021: signature(), bitstring: signature(), token: signature() },
        }
    }

    /// Signs the act as the role, with its key in that state.
    fn record(&self, role: &'static str, act: &str, state: KeyState) -> Record {
        let payload = Payload {
            v: 1,
            net: self.world.ledger.genesis.hash(),
            iss: self.author(role),
            jti: "cell".parse().expect("a reference"),
            iat: UnixTime(NOW),
            exp: UnixTime(NOW + 3_600),
            act: self.act(role, act),
        };
        let (named, signer) = match (&ROLES[..4].contains(&role), state) {
            (_, KeyState::Forged) => (key_of(role, KeyState::Active), key_of(role, KeyState::Forged)),
            (true, _) => (key_of(role, KeyState::Active), key_of(role, KeyState::Active)),
            (false, state) => (key_of(role, state), key_of(role, state)),
        };
        let kid = payload
            .iss
            .key_id()
            .unwrap_or_else(|| format!("{}#{}", payload.iss, jkt(&named)).parse().expect("a key id"));
        Record::sign(&payload, &kid, &signer).expect("a well-formed record")
    }

    /// What becomes of a record in the next block, which is not made.
    fn run(&self, record: Record) -> &'static str {
        let ledger = &self.world.ledger;
        let context = BlockContext {
            genesis: ledger.genesis.hash(),
            protocol: 1,
            height: Height(ledger.height.0 + 1),
            time: UnixTime(NOW),
        };
        let window = Window::default();
        let mut execution = Execution::new(&ledger.state, &window, context).expect("protocol 1 is known");
        let outcome = check_stateless(record).and_then(|checked| match execution.apply(&checked) {
            Ok(outcome) => Ok(outcome),
            Err(ApplyError::Rejected(rejection)) => Err(rejection),
            Err(ApplyError::State(error)) => panic!("the state in memory is sound: {error}"),
        });
        let wrote = execution.applied() != 0 || !execution.finish().is_empty();
        match outcome {
            Ok(_) => "allowed",
            Err(rejection) => {
                assert!(!wrote, "INV-EXECUTE-1: a rejected record leaves no trace");
                rejection.code().0
            }
        }
    }
}

fn website() -> Service {
    Service { id: "web".into(), r#type: "Website".into(), endpoint: "https://somebody.example".into() }
}

/// What became of all cells.
#[derive(Default)]
pub(crate) struct Cells {
    pub(crate) tried: usize,
    pub(crate) allowed: usize,
    pub(crate) wrong_allows: Vec<String>,
    pub(crate) wrong_codes: Vec<String>,
}

fn acts() -> Vec<&'static str> {
    TABLE.lines().skip(2).filter_map(|row| row.split_whitespace().next()).collect()
}

/// Runs every role's every act with every key.
pub(crate) fn cells() -> Cells {
    let (stage, table, acts) = (stage(), table(), acts());
    let mut cells = Cells::default();
    for role in ROLES {
        for act in &acts {
            for state in STATES {
                let found = stage.run(stage.record(role, act, state));
                let expected = expected(role, act, state, &table);
                cells.tried += 1;
                cells.allowed += usize::from(found == "allowed");
                let cell = format!("{role}, {act}, {state:?}: {found}, expected {expected}");
                if found != expected {
                    let wrong = if found == "allowed" { &mut cells.wrong_allows } else { &mut cells.wrong_codes };
                    wrong.push(cell);
                }
            }
        }
    }
    cells
}

#[test]
fn no_role_may_more_than_the_table_says() {
    let Cells { tried: cells, allowed, wrong_allows, wrong_codes } = cells();
    println!(
        "{cells} cells: {allowed} allowed, {} wrong allows, {} wrong codes",
        wrong_allows.len(),
        wrong_codes.len()
    );
    assert_eq!(wrong_allows, [""; 0], "wrong allows");
    assert_eq!(wrong_codes, [""; 0], "wrong codes");
    assert_eq!(cells, ROLES.len() * acts().len() * STATES.len(), "every cell is run");
    assert!(allowed > 0 && allowed < cells / 4, "{allowed} of {cells} allowed: the table tells roles apart");
}
