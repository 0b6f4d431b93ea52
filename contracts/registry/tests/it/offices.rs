//! How operators change, and what else they decide about the network: m, parameters, protocol, algorithms, page.

use crate::support::members::{operator, operators};
use crate::support::{Ledger, START, approve, did, genesis, key, notarise};
use testamur_primitives::commitment::{DigestAlgorithm, Form};
use testamur_primitives::did::Did;
use testamur_primitives::genesis::Parameters;
use testamur_primitives::key::{KeyKind, SigningKey};
use testamur_primitives::record::{Act, Algorithm, Bytes, Change, OperatorRotation, RevocationReason};
use testamur_primitives::units::Height;
use testamur_registry::network;
use testamur_registry::{BlockContext, Execution, Outcome};

fn check(ledger: &mut Ledger, cases: Vec<(&str, Change, &'static str)>) {
    for (what, change, expected) in cases {
        let root = ledger.root;
        assert_eq!(ledger.decide(change), Err(expected), "{what}");
        assert_eq!(ledger.root, root, "INV-EXECUTE-1: {what}");
    }
}

fn office(numbers: &[u32]) -> Vec<Did> {
    let mut dids: Vec<_> = numbers.iter().map(|n| did("operator", *n)).collect();
    dids.sort_unstable();
    dids
}

/// All operators 0…m−1 approve what operator 0 proposes.
fn approved(ledger: &mut Ledger, change: Change, approvers: &[u32]) -> Result<Outcome, &'static str> {
    let jti = format!("p-{}", ledger.height);
    let proposal = ledger.proposal(approvers[0], &jti, change);
    let mut outcome = ledger.now(&proposal);
    for n in &approvers[1..] {
        let approval = ledger.record(&key("operator", *n), &jti, ledger.time.0, approve(&proposal, ledger.version()));
        outcome = ledger.now(&approval);
    }
    outcome
}

#[test]
fn operators_come_and_go_and_m_with_them() {
    let mut ledger = Ledger::new(genesis(3, 2, 0));
    let stale = ledger.proposal(2, "stale", Change::GrantWriter { did: did("writer", 5) });
    ledger.now(&stale).unwrap();
    let change = operators(&[3], &[2], &[(1, 11)], None);
    assert_eq!(approved(&mut ledger, change, &[0, 1]), Ok(Outcome::Approved { executed: Some(2) }));
    assert_eq!(ledger.office(), office(&[0, 3, 11]));

    // A removed operator's approval counts for nothing: neither the one it gave, nor one it gives now.
    let by_new = |ledger: &Ledger, n: u32, version| {
        ledger.record(&key("operator", n), &format!("late-{n}-{version}"), ledger.time.0, approve(&stale, version))
    };
    for former in [1, 2] {
        let late = by_new(&ledger, former, 2);
        assert_eq!(ledger.now(&late), Err("governance.not-an-operator"), "INV-GOVERNANCE-2");
    }
    let lapsed = by_new(&ledger, 0, 2);
    assert_eq!(ledger.now(&lapsed), Err("governance.proposal-lapsed"), "INV-GOVERNANCE-1");
    // The rotated key acts for the same legal person.
    let name = |ledger: &Ledger, n| {
        let governance = testamur_registry::governance::governance(&ledger.state).unwrap();
        governance.operators.into_iter().find(|o| o.did == did("operator", n)).map(|o| o.name)
    };
    assert_eq!(name(&ledger, 11), Some("Operator 1".into()));
    let four = operators(&[4], &[], &[], Some(3));
    assert_eq!(approved(&mut ledger, four, &[11, 3]), Ok(Outcome::Approved { executed: Some(3) }));
    let m = testamur_registry::governance::governance(&ledger.state).unwrap().approvals_required;
    assert_eq!((m, ledger.office().len()), (3, 4));
    let two = approved(&mut ledger, operators(&[], &[0], &[], Some(2)), &[0, 11]);
    assert_eq!(two, Ok(Outcome::Approved { executed: None }), "m is three now");
}

/// n and m before, how many are added and removed, m in the change, and what comes of it.
type Row = (u32, u32, u32, u32, Option<u32>, Result<(), &'static str>);

#[test]
fn m_is_a_majority_that_can_lose_one() {
    let broken = Err("governance.threshold");
    let cases: [Row; 24] = [
        (3, 2, 0, 0, Some(1), broken),
        (3, 2, 0, 0, Some(3), broken),
        (3, 2, 0, 0, Some(0), broken),
        (3, 2, 0, 0, Some(2), Err("governance.nothing-changes")),
        (3, 2, 0, 1, None, broken),
        (3, 2, 1, 0, None, broken),
        (3, 2, 1, 0, Some(3), Ok(())),
        (3, 2, 2, 0, Some(3), Ok(())),
        (3, 2, 2, 0, Some(4), Ok(())),
        (3, 2, 2, 0, Some(5), broken),
        (5, 3, 0, 1, None, Ok(())),
        (5, 3, 0, 2, None, broken),
        (5, 3, 0, 2, Some(2), Ok(())),
        (5, 3, 0, 5, None, Err("governance.operator-count")),
        // As genesis left it: all of all, as long as n and m stay; then the rule holds.
        (3, 3, 1, 1, None, Ok(())),
        (3, 3, 0, 0, Some(2), Ok(())),
        (3, 3, 1, 0, Some(4), broken),
        // Networks for development.
        (1, 1, 1, 0, None, Ok(())),
        (1, 1, 1, 0, Some(2), broken),
        (1, 1, 2, 0, Some(2), Ok(())),
        (2, 1, 0, 1, None, Ok(())),
        (4, 1, 0, 3, None, Ok(())),
        (4, 1, 0, 0, Some(3), Ok(())),
        (4, 2, 0, 0, Some(1), broken),
    ];
    for (n, m, added, removed, required, expected) in cases {
        let mut ledger = Ledger::new(genesis(n, m, 0));
        let add: Vec<_> = (n..n + added).collect();
        let remove: Vec<_> = (0..removed).collect();
        let approvers: Vec<_> = (0..m).collect();
        let outcome = approved(&mut ledger, operators(&add, &remove, &[], required), &approvers);
        // A refused proposal is unknown to who approves it: the first refusal is the one to compare.
        let outcome = match outcome {
            Err("governance.proposal-unknown") => {
                let change = operators(&add, &remove, &[], required);
                let proposal = ledger.proposal(0, "again", change);
                ledger.now(&proposal).map(|_| ())
            }
            other => other.map(|_| ()),
        };
        assert_eq!(outcome, expected, "INV-GOVERNANCE-3: n {n}, m {m}, +{added} −{removed}, m {required:?}");
    }
}

#[test]
fn a_key_has_one_part_and_one_that_left_never_comes_back() {
    let mut ledger = Ledger::new(genesis(4, 1, 2));
    ledger.decide(operators(&[], &[3], &[(2, 12)], None)).unwrap();
    let revoke = |n, reason| Change::RevokeWriter { did: did("writer", n), reason };
    ledger.decide(revoke(1, RevocationReason::KeyCompromise)).unwrap();
    let other = |did: &Did| Did::jwk_jcs_key(&did.to_key().unwrap());
    let (own, spelled) = (|did: &Did| did.clone(), other);
    let spellings: [&dyn Fn(&Did) -> Did; 2] = [&own, &spelled];
    for spelling in spellings {
        for (role, n, expected) in [
            ("operator", 0, "governance.already-an-operator"),
            ("operator", 3, "governance.former-operator"),
            ("operator", 2, "governance.former-operator"),
            ("operator", 12, "governance.already-an-operator"),
            ("writer", 0, "governance.key-in-use"),
            ("writer", 1, "governance.key-compromised"),
            ("consensus", 0, "governance.key-in-use"),
            ("log", 1, "governance.key-in-use"),
            ("peer", 2, "governance.key-in-use"),
        ] {
            let did = spelling(&did(role, n));
            let mut entering = operator(50);
            entering.did = did.clone();
            let (remove, rotate, none) = (vec![], vec![], None);
            let add = Change::ChangeOperators { add: vec![entering], remove, rotate, approvals_required: none };
            let rotation = OperatorRotation { did: crate::support::did("operator", 1), successor: did.clone() };
            let (add_none, remove) = (vec![], vec![]);
            let rotate =
                Change::ChangeOperators { add: add_none, remove, rotate: vec![rotation], approvals_required: none };
            let cases =
                vec![("INV-GOVERNANCE-4: added", add, expected), ("INV-GOVERNANCE-4: rotated", rotate, expected)];
            check(&mut ledger, cases);
            if role == "operator" {
                let grant = Change::GrantWriter { did };
                check(&mut ledger, vec![("INV-GOVERNANCE-4: a writer", grant, "governance.key-in-use")]);
            }
        }
    }
    let mut nameless = operator(60);
    nameless.name = "line\nbreak".into();
    let (remove, rotate) = (vec![], vec![]);
    let nameless = Change::ChangeOperators { add: vec![nameless], remove, rotate, approvals_required: None };
    let cases = vec![
        ("nobody in office", operators(&[], &[3], &[], None), "governance.operator-unknown"),
        ("nobody in office", operators(&[], &[], &[(3, 13)], None), "governance.operator-unknown"),
        ("one twice", operators(&[], &[0], &[(0, 13)], None), "governance.named-twice"),
        ("one key twice", operators(&[13], &[], &[(0, 13)], None), "governance.named-twice"),
        ("nothing", operators(&[], &[], &[], None), "governance.nothing-changes"),
        ("nothing", operators(&[], &[], &[], Some(1)), "governance.nothing-changes"),
        ("no legal name", nameless, "governance.operator-malformed"),
    ];
    check(&mut ledger, cases);
    let former =
        |did: &Did| ledger.state.contains_key(&testamur_registry::governance::keys::former_operator(did).head());
    for did in [did("operator", 2), other(&did("operator", 2)), did("operator", 3), other(&did("operator", 3))] {
        assert!(former(&did), "both spellings are marked");
    }
}

#[test]
fn parameters_hold_from_a_height_on() {
    let mut ledger = Ledger::new(genesis(1, 1, 0));
    let now = ledger.genesis.parameters.clone();
    let other = Parameters { heartbeat_s: 30, ..now.clone() };
    let set =
        |parameters: &Parameters, from| Change::SetParameters { parameters: parameters.clone(), from: Height(from) };
    let bad = |change: fn(&mut Parameters)| {
        let mut parameters = Parameters::default();
        change(&mut parameters);
        set(&parameters, 0)
    };
    let out = "governance.parameters";
    let cases = vec![
        ("the same", set(&now, 0), "governance.nothing-changes"),
        ("no heartbeat", bad(|p| p.heartbeat_s = 0), out),
        ("a heartbeat of a day", bad(|p| p.heartbeat_s = 86_400), out),
        ("small blocks", bad(|p| p.block_bytes_max = 262_143), out),
        ("large blocks", bad(|p| p.block_bytes_max += 1), out),
        ("clocks", bad(|p| p.clock_tolerance_s = 61), out),
        ("no time to propose", bad(|p| p.propose_timeout_ms = 49), out),
        ("no time to vote", bad(|p| p.vote_timeout_ms = 19), out),
        ("rounds", bad(|p| p.round_timeout_ms = 10_001), out),
        ("never", set(&other, 1_000_000_000), "governance.from-too-far"),
    ];
    check(&mut ledger, cases);
    let height = ledger.height.0;
    ledger.decide(set(&other, height + 5)).unwrap();
    check(&mut ledger, vec![("others are to come", set(&Parameters::default(), 0), "governance.parameters-pending")]);
    let at = |ledger: &Ledger, height| network::parameters_at(&ledger.state, Height(height)).unwrap();
    assert_eq!((at(&ledger, 0), at(&ledger, height + 4), at(&ledger, height + 5)), (now.clone(), now.clone(), other));
    ledger.until(Height(height + 4));
    ledger.decide(set(&now, 0)).unwrap();
    assert_eq!(at(&ledger, height + 7), now, "two heights after the block that decided it");
}

#[test]
fn protocols_only_go_up_and_unknown_ones_stop_a_node() {
    let mut ledger = Ledger::new(genesis(1, 1, 0));
    let set = |protocol, from| Change::SetProtocol { protocol, from: Height(from) };
    let cases = vec![
        ("INV-NETWORK-5: the same", set(1, 0), "governance.protocol"),
        ("INV-NETWORK-5: downwards", set(0, 0), "governance.protocol"),
        ("never", set(2, 2_000_000), "governance.from-too-far"),
    ];
    check(&mut ledger, cases);
    let from = ledger.height.0 + 4;
    ledger.decide(set(2, from)).unwrap();
    check(&mut ledger, vec![("another is to come", set(3, 0), "governance.protocol-pending")]);
    assert_eq!(network::protocol_at(&ledger.state, Height(from - 1)), Ok(1));
    assert_eq!(network::protocol_at(&ledger.state, Height(from)), Ok(2));
    ledger.until(Height(from - 1));
    let context = BlockContext { genesis: ledger.genesis.hash(), protocol: 2, height: Height(from), time: ledger.time };
    let window = crate::support::Window::default();
    let error = Execution::new(&ledger.state, &window, context).expect_err("this binary stops");
    assert_eq!(
        error.to_string(),
        format!("height {from} runs protocol 2, this binary knows 1: install a newer release")
    );
}

fn digests(alg: DigestAlgorithm, form: Form) -> Act {
    let bytes = if form == Form::Digest { alg.digest_bytes() } else { 32 };
    Act::Notarise { alg, form, entries: vec![Bytes(vec![1; bytes])], reference: None }
}

#[test]
fn a_retired_algorithm_is_used_no_more() {
    let mut ledger = Ledger::new(genesis(1, 1, 1));
    let p256 = SigningKey::p256(&[7; 32]).unwrap();
    ledger.decide(Change::GrantWriter { did: Did::key(&p256.public_key()) }).unwrap();
    let retire = |name: &str, from| Change::RetireAlgorithm { algorithm: name.parse().unwrap(), from: Height(from) };
    let from = ledger.height.0 + 12;
    ledger.decide(retire("sha2-256", from)).unwrap();
    ledger.decide(retire("P-256", from)).unwrap();
    check(
        &mut ledger,
        vec![
            ("twice", retire("sha2-256", 0), "governance.already-retired"),
            ("twice", retire("P-256", 0), "governance.already-retired"),
            ("INV-NETWORK-6: an operator's kind", retire("Ed25519", 0), "governance.operators-kind"),
            ("never", retire("sha2-384", 2_000_000), "governance.from-too-far"),
            (
                "a role for a retired kind",
                Change::GrantWriter { did: Did::key(&SigningKey::p256(&[9; 32]).unwrap().public_key()) },
                "governance.retired-kind",
            ),
        ],
    );
    let mut entering = operator(70);
    entering.did = Did::key(&SigningKey::p256(&[8; 32]).unwrap().public_key());
    let (remove, rotate) = (vec![], vec![]);
    let office = Change::ChangeOperators { add: vec![entering], remove, rotate, approvals_required: None };
    check(&mut ledger, vec![("INV-NETWORK-6: an office for a retired kind", office, "governance.retired-kind")]);

    ledger.until(Height(from - 2));
    let (writer, time) = (key("writer", 0), ledger.time.0);
    let of = |ledger: &Ledger, jti: &str, act| ledger.record(&writer, jti, time, act);
    let last = of(&ledger, "last", notarise(1));
    assert_eq!(ledger.now(&last), Ok(Outcome::Notarised), "the height before");
    let dossier = Act::OpenDossier { alg: DigestAlgorithm::Sha2_256, entries: vec![Bytes(vec![2; 32])] };
    let cases = [
        (digests(DigestAlgorithm::Sha2_256, Form::Digest), Err("notary.algorithm-retired")),
        (digests(DigestAlgorithm::Sha2_256, Form::Commitment), Err("notary.algorithm-retired")),
        (dossier, Err("notary.algorithm-retired")),
        (digests(DigestAlgorithm::Sha2_384, Form::Digest), Ok(Outcome::Notarised)),
    ];
    for (number, (act, expected)) in cases.into_iter().enumerate() {
        let record = of(&ledger, &format!("r{number}"), act);
        assert_eq!(ledger.now(&record), expected, "INV-EXECUTE-4: {number}");
    }
    let old_key = ledger.record(&p256, "k", time, digests(DigestAlgorithm::Sha2_384, Form::Digest));
    assert_eq!(ledger.now(&old_key), Err("admission.algorithm-retired"), "INV-EXECUTE-4");
    assert_eq!(network::retired(&ledger.state, Height(from - 1)), Ok(vec![]));
    let both = vec![Algorithm::Digest(DigestAlgorithm::Sha2_256), Algorithm::Key(KeyKind::P256)];
    assert_eq!(network::retired(&ledger.state, Height(from)), Ok(both));

    for name in ["sha2-384", "sha2-512", "sha3-256", "sha3-384"] {
        ledger.decide(retire(name, 0)).unwrap();
    }
    let last = retire("sha3-512", 0);
    check(&mut ledger, vec![("INV-NETWORK-6: the last one", last, "governance.last-digest-algorithm")]);
}

/// Authors may do without Ed25519; validators' keys are of that kind by protocol, so `synced` stays possible.
#[test]
fn validators_join_where_authors_use_ed25519_no_more() {
    let mut genesis = genesis(1, 1, 0);
    let key256 = SigningKey::p256(&[7; 32]).unwrap();
    genesis.operators[0].did = Did::key(&key256.public_key());
    let mut ledger = Ledger::new(genesis);
    let decide = |ledger: &mut Ledger, change| {
        let expires = testamur_primitives::units::UnixTime(START + 600);
        let act = Act::Propose { change, governance_version: ledger.version(), expires };
        let record = ledger.record(&key256, &format!("j{}", ledger.height), START, act);
        ledger.now(&record)
    };
    let retire = Change::RetireAlgorithm { algorithm: Algorithm::Key(KeyKind::Ed25519), from: Height(0) };
    decide(&mut ledger, retire).unwrap();
    ledger.until(Height(5));
    decide(&mut ledger, crate::support::members::add(4)).unwrap();
    let synced = ledger.synced(crate::support::members::address(4), 4, 0);
    assert!(matches!(ledger.now(&synced), Ok(Outcome::Synced { activation: Some(_) })));
}

#[test]
fn the_page_has_hosts() {
    let mut ledger = Ledger::new(genesis(1, 1, 0));
    let set = |hosts: &[&str]| Change::SetPageHosts { hosts: hosts.iter().map(|host| (*host).to_owned()).collect() };
    let many: Vec<_> = (0..17).map(|n| format!("h{n}.example")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    let bad = "governance.hosts";
    let mut cases = vec![
        ("none already", set(&[]), "governance.nothing-changes"),
        ("seventeen", set(&many), bad),
        ("twice", set(&["a.example", "a.example"]), bad),
    ];
    for host in [
        "",
        "A.example",
        "a..example",
        "-a.example",
        "a.example:",
        "a.example:0",
        "a.example:65536",
        "a:b:c",
        "https://a.example",
        "a.example/",
        "a.example:+8",
        "a.example:080",
        "ä.example",
        ".",
        "a b",
    ] {
        cases.push((host, set(&[host]), bad));
    }
    check(&mut ledger, cases);
    ledger.decide(set(&many[..16])).unwrap();
    ledger.decide(set(&["verify.example", "localhost:8080"])).unwrap();
    assert_eq!(network::page_hosts(&ledger.state), Ok(vec!["verify.example".into(), "localhost:8080".into()]));
    ledger.decide(set(&[])).unwrap();
    assert_eq!(network::page_hosts(&ledger.state), Ok(vec![]));
}
