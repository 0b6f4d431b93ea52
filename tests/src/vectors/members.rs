//! A network that changes its members: every change in a record that applies, and what it leaves; a receipt of each epoch
//! on the way from four validators to five and back to four, with one key rotated between; records of these acts that are
//! malformed.

use serde::Serialize;
use serde_json::{Value, json};
use testamur_primitives::codec::{base64_standard, canonical};
use testamur_primitives::commitment::{DigestAlgorithm, Form};
use testamur_primitives::did::Did;
use testamur_primitives::epoch::ValidatorSet;
use testamur_primitives::genesis::{Operator, Parameters};
use testamur_primitives::hash::{HeaderHash, RecordId, StateRoot};
use testamur_primitives::key::SigningKey;
use testamur_primitives::note::Note;
use testamur_primitives::receipt::Receipt;
use testamur_primitives::record::{
    Act, Algorithm, Bytes, Change, OperatorRotation, RECORD_TYP, Record, ValidatorRotation,
};
use testamur_primitives::state::StateReader;
use testamur_primitives::units::{Height, UnixTime};
use testamur_registry::{governance, network};

use super::records::compact;
use super::terms::Case;
use crate::chain::{Member, START, key};
use crate::story::World;
use crate::vectors::{BadRecord, Files, json as file, judge_record};

/// A record and what it left.
#[derive(Debug, Clone, Serialize)]
struct Step {
    what: String,
    record: String,
    id: RecordId,
    height: Height,
    time: u64,
    /// State root after its block, which holds nothing else.
    state_root: StateRoot,
}

/// What a height is under, by the state after its parent.
#[derive(Debug, Clone, Serialize)]
struct Under {
    height: Height,
    epoch: u64,
    validators: ValidatorSet,
    header: String,
}

struct Story {
    world: World,
    steps: Vec<Step>,
    /// Index in the log of the records that have a receipt, with their names.
    noted: Vec<(&'static str, u64)>,
}

const TRUST: &str = "trust-members";
const NEWEST: &str = "trust-members-pinned";

fn did(role: &str, number: u32) -> Did {
    Did::key(&key(role, number).public_key())
}

fn operator(number: u32) -> Operator {
    Operator { did: did("operator", number), name: format!("Operátor {number}"), country: "CZ".into() }
}

impl Story {
    fn tell(&mut self, what: &str, author: &SigningKey, act: Act) -> RecordId {
        let record = self.world.record(&Did::key(&author.public_key()), author, act);
        let id = self.world.one(&record);
        let tip = self.world.chain.tip();
        self.steps.push(Step {
            what: what.to_owned(),
            record: record.as_str().to_owned(),
            id,
            height: tip.height,
            time: tip.time.0,
            state_root: tip.state_root,
        });
        id
    }

    fn version(&self) -> u64 {
        governance::governance(&self.world.state).expect("sound").version
    }

    /// Operator 0 proposes, and whoever else is needed approves.
    fn decide(&mut self, what: &str, change: Change, approvers: &[u32]) {
        let (version, expires) = (self.version(), UnixTime(self.world.time().0 + 86_400));
        let proposal =
            self.tell(what, &key("operator", 0), Act::Propose { change, governance_version: version, expires });
        for n in approvers {
            let act = Act::Approve { proposal, governance_version: version };
            self.tell(&format!("operator {n} approves"), &key("operator", *n), act);
        }
        assert_eq!(self.version(), version + 1, "{what}");
    }

    fn notarise(&mut self, name: &'static str) {
        let entries = vec![Bytes(vec![self.noted.len() as u8; 32])];
        let act = Act::Notarise { alg: DigestAlgorithm::Sha2_256, form: Form::Digest, entries, reference: None };
        self.tell(&format!("a notarisation, {name}"), &key("author", 0), act);
        self.noted.push((name, self.world.chain.tip().log_size.0 - 1));
    }

    /// Empty blocks until the set that is scheduled decides the next height.
    fn until_in_office(&mut self) {
        while network::scheduled_epoch(&self.world.state, self.world.chain.tip().height.next())
            .expect("sound")
            .is_some()
        {
            self.world.block(&[]).expect("an empty block applies");
        }
    }

    fn synced(&mut self, number: u32) {
        let tip = self.world.chain.tip();
        let (height, header) = (tip.height, tip.hash());
        let act = Act::Synced { validator: Member::new(number).address, height, header };
        self.tell(&format!("validator {number} follows"), &key("consensus", number), act);
    }
}

fn add(number: u32, from: u64) -> Change {
    let add = vec![Member::new(number).to_genesis()];
    Change::ChangeValidators { add, remove: vec![], rotate: vec![], from: Height(from) }
}

fn rotate(number: u32, keys: [u32; 3]) -> Change {
    let member = Member::rotated(number, keys);
    let (registration, possession) = (member.registration.clone(), member.possession());
    let rotate = vec![ValidatorRotation { validator: member.address, registration, possession }];
    Change::ChangeValidators { add: vec![], remove: vec![], rotate, from: Height(0) }
}

fn retire(name: &str) -> Change {
    let algorithm: Algorithm = name.parse().expect("an algorithm");
    Change::RetireAlgorithm { algorithm, from: Height(0) }
}

fn story() -> Story {
    let world = World::new("members");
    let mut story = Story { world, steps: Vec::new(), noted: Vec::new() };
    story.notarise("of four");
    story.decide("a fifth validator is to join", add(4, 0), &[]);
    story.synced(4);
    story.notarise("while it is scheduled");
    story.until_in_office();
    story.notarise("of five");
    story.decide("a validator gets other keys, and keeps its peer key", rotate(0, [10, 10, 0]), &[]);
    story.until_in_office();
    story.notarise("of a rotated key");
    let remove = vec![Member::new(1).address];
    let leave = Change::ChangeValidators { add: vec![], remove, rotate: vec![], from: Height(20) };
    story.decide("a validator is to leave, at a height of its own", leave, &[]);
    story.until_in_office();
    story.notarise("of four again");
    story.decide("a validator is to join that never will", add(5, 1_000), &[]);
    story.decide("and is given up", Change::WithdrawSetChange {}, &[]);
    let change = Change::ChangeOperators {
        add: vec![operator(1), operator(2)],
        remove: vec![],
        rotate: vec![],
        approvals_required: Some(2),
    };
    story.decide("three operators, two of whom decide", change, &[]);
    let rotation = OperatorRotation { did: did("operator", 2), successor: did("operator", 12) };
    let change =
        Change::ChangeOperators { add: vec![], remove: vec![], rotate: vec![rotation], approvals_required: None };
    story.decide("an operator gets another key", change, &[1]);
    let change = Change::ChangeOperators {
        add: vec![operator(3)],
        remove: vec![did("operator", 1)],
        rotate: vec![],
        approvals_required: None,
    };
    story.decide("one operator for another", change, &[12]);
    let parameters = Parameters { heartbeat_s: 30, ..Parameters::default() };
    story.decide("a shorter heartbeat", Change::SetParameters { parameters, from: Height(0) }, &[3]);
    story.decide("SHA3-256 is retired", retire("sha3-256"), &[3]);
    story.decide("P-384 is retired", retire("P-384"), &[12]);
    let hosts = vec!["verify.example".to_owned(), "localhost:8080".to_owned()];
    story.decide("the page's addresses", Change::SetPageHosts { hosts }, &[12]);
    let protocol = Change::SetProtocol { protocol: 2, from: Height(900_000) };
    story.decide("a later protocol, in years", protocol, &[3]);
    story.notarise("at the end");
    story.world.block(&[]).expect("an empty block applies");
    story
}

pub(super) fn write(files: &mut Files) {
    let story = story();
    let world = &story.world;
    let under = world.chain.headers.iter().skip(1).map(|header| {
        let epoch = network::epoch_at(&world.state, header.height).expect("sound");
        let validators = network::validator_set(&world.state, &epoch).expect("sound");
        assert_eq!(epoch.epoch, header.epoch, "INV-NETWORK-1: headers and state tell the same epochs");
        assert_eq!(validators.hash(), header.validators_hash);
        Under { height: header.height, epoch: epoch.epoch.0, validators, header: header.text() }
    });
    let mut last: Option<u64> = None;
    let epochs: Vec<_> = under.filter(|under| last.replace(under.epoch) != Some(under.epoch)).collect();
    assert_eq!(epochs.iter().map(|under| under.validators.validators().len()).collect::<Vec<_>>(), [4, 5, 5, 4]);
    let bad = bad(world);
    for case in &bad {
        let bytes = testamur_primitives::codec::from_base64_standard(&case.bytes).expect("our own base64");
        assert_eq!(judge_record(&bytes, world.network(), START).as_ref(), Some(&case.code), "{}", case.what);
    }
    // The values that the story leaves, by their keys.
    let shown = [
        network::keys::epoch(),
        network::keys::set_change(),
        network::keys::parameters(),
        network::keys::protocol(),
        network::keys::algorithms(),
        network::keys::page(),
        network::keys::validator(Member::new(0).address),
        network::keys::key(key("consensus", 10).public_key().as_bytes()),
        network::keys::name("validator-4.example"),
        governance::keys::governance(),
        governance::keys::operators(),
        governance::keys::former_operator(&did("operator", 1)),
        governance::keys::former_operator(&Did::jwk_jcs_key(&key("operator", 2).public_key())),
    ];
    let state = shown.into_iter().map(|object| {
        let value = StateReader::get(&world.state, &object.head()).expect("in memory").expect("the story wrote it");
        (object.head().to_string(), Value::from(String::from_utf8(value).expect("values are JSON")))
    });
    let contents = json!({
        "network": world.network(), "time": START, "steps": story.steps, "epochs": epochs,
        "state": state.collect::<serde_json::Map<_, _>>(), "bad": bad,
    });
    files.insert("members.json".into(), file(&contents));
}

/// The trust files by name: genesis, and the newest checkpoint.
pub(super) fn trust_files() -> [(&'static str, Vec<u8>); 2] {
    let chain = story().world.chain;
    let (genesis, tip) = (chain.trust(), chain.pinned(chain.tip().height));
    [(TRUST, genesis.to_json().into_bytes()), (NEWEST, tip.to_json().into_bytes())]
}

/// A receipt of each epoch under genesis alone, under the newest checkpoint, and refreshed.
pub(super) fn receipts() -> Vec<Case> {
    let story = story();
    let chain = &story.world.chain;
    let tip = chain.tip();
    let mut cases = Vec::new();
    let mut case = |name: String, receipt: Receipt, trust, exit, code| {
        cases.push(Case { name: format!("members-{name}"), bytes: receipt.encode(), trust, exit, code });
    };
    for (name, index) in &story.noted {
        let (name, receipt) = (name.replace(' ', "-"), chain.receipt(*index, None));
        let header = testamur_primitives::header::Header::decode(receipt.header.as_bytes()).expect("our own header");
        let (exit, code) = if header.epoch == tip.epoch { (0, "confirmed") } else { (5, "out-of-office") };
        case(name.clone(), receipt.clone(), TRUST, 0, "confirmed");
        case(format!("{name}-newest"), receipt.clone(), NEWEST, exit, code);
        let mut refreshed = receipt;
        refreshed.anchors = vec![serde_json::to_value(chain.anchor(header.height, tip.height)).expect("an anchor")];
        case(format!("{name}-refreshed-newest"), refreshed, NEWEST, 0, "confirmed");
    }
    // Three of five and the key that the fourth had before: the network of that epoch needs four.
    let rotated = story.noted.iter().find(|(name, _)| *name == "of a rotated key").expect("noted").1;
    let receipt = chain.receipt(rotated, None);
    let with = |keys: [u32; 3]| {
        let mut note = Note::parse(receipt.note.as_bytes()).expect("our own note");
        let (body, time) = (note.text.clone(), testamur_primitives::header::Header::decode(receipt.header.as_bytes()));
        let time = time.expect("our own header").time.0;
        note.signatures.clear();
        note.signatures.extend([2, 3, 4].map(|number| Member::new(number).cosign(time, &body)));
        note.signatures.push(Member::rotated(0, keys).cosign(time, &body));
        Receipt { note: note.to_string(), ..receipt.clone() }
    };
    case("signed-by-the-new-key".into(), with([10, 10, 0]), TRUST, 0, "confirmed");
    case("signed-by-the-key-before".into(), with([0, 0, 0]), TRUST, 3, "receipt.no-quorum");
    cases
}

/// Records of these acts that have another form.
fn bad(world: &World) -> Vec<BadRecord> {
    let operator = key("operator", 0);
    let iss = Did::key(&operator.public_key());
    let kid = iss.key_id().expect("a did:key");
    let header = format!(r#"{{"alg":"EdDSA","kid":"{kid}","typ":"{RECORD_TYP}"}}"#);
    let payload = |act: Act| {
        let record = crate::chain::record(world.genesis(), &operator, "bad", START, act);
        String::from_utf8(canonical(Record::payload(&record))).expect("JSON")
    };
    let of = |change: Change| payload(Act::Propose { change, governance_version: 1, expires: UnixTime(START + 600) });
    let synced = payload(Act::Synced {
        validator: Member::new(4).address,
        height: Height(1),
        header: HeaderHash::from_bytes([7; 32]),
    });
    let joins = of(add(4, 7));
    let rotates = of(rotate(0, [10, 10, 0]));
    let operators = of(Change::ChangeOperators {
        add: vec![self::operator(1)],
        remove: vec![],
        rotate: vec![OperatorRotation { did: did("operator", 0), successor: did("operator", 2) }],
        approvals_required: Some(1),
    });
    let parameters = of(Change::SetParameters { parameters: Parameters::default(), from: Height(3) });
    let protocol = of(Change::SetProtocol { protocol: 2, from: Height(3) });
    let retires = of(retire("P-256"));
    let hosts = of(Change::SetPageHosts { hosts: vec!["a.example".into()] });
    let withdraws = of(Change::WithdrawSetChange {});
    let named = format!("\"header\":\"{}\",", "07".repeat(32));
    let cases: Vec<(&str, &str, &str, &str)> = vec![
        ("synced without header", &synced, &named, ""),
        ("synced with another member", &synced, "\"type\":\"synced\"", "\"type\":\"synced\",\"up\":1"),
        ("synced at a height in quotes", &synced, "\"height\":1", "\"height\":\"1\""),
        ("a set change without a list", &joins, ",\"remove\":[]", ""),
        ("a set change with null for a list", &joins, "\"remove\":[]", "\"remove\":null"),
        ("a set change at no height", &joins, "\"from\":7,", ""),
        ("a set change at a height above 2^53-1", &joins, "\"from\":7", "\"from\":9007199254740993"),
        ("an address in capitals", &rotates, "\"validator\":\"", "\"validator\":\"A"),
        ("a registration with another member", &joins, "\"country\":\"BE\"", "\"country\":\"BE\",\"cuntry\":1"),
        ("a key of another kind", &joins, "\"alg\":\"ed25519\"", "\"alg\":\"ed448\""),
        ("a possession without the peer's", &rotates, "\"peer\":\"", "\"pear\":\""),
        ("an operator without country", &operators, "\"country\":\"CZ\",", ""),
        ("a successor that is no DID", &operators, "\"successor\":\"did:", "\"successor\":\"did "),
        ("null for m", &operators, "\"approvals_required\":1", "\"approvals_required\":null"),
        ("an m above 2^32-1", &operators, "\"approvals_required\":1", "\"approvals_required\":4294967296"),
        ("parameters without one", &parameters, "\"heartbeat_s\":60,", ""),
        ("a parameter above 2^32-1", &parameters, "\"heartbeat_s\":60", "\"heartbeat_s\":4294967296"),
        ("a protocol above 2^32-1", &protocol, "\"protocol\":2", "\"protocol\":4294967296"),
        ("an algorithm that nobody knows", &retires, "\"P-256\"", "\"P-521\""),
        ("an algorithm by its JWS name", &retires, "\"P-256\"", "\"ES256\""),
        ("a host that is no text", &hosts, "\"a.example\"", "1"),
        ("a withdrawal with a member", &withdraws, "\"type\":\"withdraw", "\"from\":1,\"type\":\"withdraw"),
        ("an unknown change", &withdraws, "withdraw-set-change", "withdraw-set-changes"),
    ];
    let cases = cases.into_iter().map(|(what, good, from, to)| {
        assert!(good.contains(from), "{what}: {good}");
        let record = compact(&operator, header.as_bytes(), good.replacen(from, to, 1).as_bytes());
        BadRecord { what: what.into(), bytes: base64_standard(record.as_bytes()), code: "record.payload".into() }
    });
    cases.collect()
}
