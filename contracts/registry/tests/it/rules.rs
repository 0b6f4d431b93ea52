//! Who may notarise and how operators decide: every rejection has a case here, and reads its message's code.

use crate::support::{Ledger, START, approve, did, genesis, key, notarise, propose};
use testamur_primitives::did::Did;
use testamur_primitives::record::{Act, Change, RevocationReason};
use testamur_primitives::units::{Height, UnixTime};
use testamur_registry::governance::{self, ProposalStatus};
use testamur_registry::notary::{self, WriterStatus};
use testamur_registry::{BlockContext, Execution, Outcome, network};

const OUTSIDER: u32 = 99;

fn grant(number: u32) -> Change {
    Change::GrantWriter { did: did("writer", number) }
}

fn revoke(number: u32, reason: RevocationReason) -> Change {
    Change::RevokeWriter { did: did("writer", number), reason }
}

#[test]
fn writers_of_genesis_notarise_and_others_do_not() {
    let mut ledger = Ledger::new(genesis(1, 1, 1));
    let before = ledger.root;
    let good = ledger.record(&key("writer", 0), "a", START, notarise(1));
    assert_eq!(ledger.one(START, &good), Ok(Outcome::Notarised));
    assert_eq!(ledger.root, before, "document hashes are not in the state");
    let bad = ledger.record(&key("writer", OUTSIDER), "a", START, notarise(1));
    assert_eq!(ledger.one(START, &bad), Err("notary.not-a-writer"));
    let operator = ledger.record(&key("operator", 0), "b", START, notarise(1));
    assert_eq!(ledger.one(START, &operator), Err("notary.not-a-writer"), "an operator decides and does not write");
}

#[test]
fn one_operator_of_one_decides_at_once() {
    let mut ledger = Ledger::new(genesis(1, 1, 0));
    let (operator, writer) = (key("operator", 0), key("writer", 5));
    let early = ledger.record(&writer, "early", START, notarise(1));
    let proposal = ledger.record(&operator, "p", START, propose(grant(5), 1));
    let late = ledger.record(&writer, "late", START, notarise(1));
    let outcomes = ledger.block(START + 10, &[early, proposal.clone(), late]);
    assert_eq!(outcomes[0].as_ref().map_err(|r| r.code().0), Err("notary.not-a-writer"));
    assert_eq!(outcomes[1], Ok(Outcome::Proposed { executed: Some(2) }));
    assert_eq!(outcomes[2], Ok(Outcome::Notarised), "a grant holds from its own record on");

    let role = notary::writer_role(&ledger.state, &did("writer", 5)).unwrap().unwrap();
    assert_eq!((role.status, role.height, role.time), (WriterStatus::Granted {}, Height(1), UnixTime(START + 10)));
    assert_eq!(role.proposal, Some(proposal.id()));
    let found = governance::proposal(&ledger.state, proposal.id()).unwrap().unwrap();
    let now = governance::governance(&ledger.state).unwrap();
    assert_eq!(found.status(&now, ledger.time), ProposalStatus::Executed);
    assert_eq!(found.approvals.len(), 1);
}

#[test]
fn a_role_has_a_history() {
    let mut ledger = Ledger::new(genesis(1, 1, 1));
    let (operator, writer) = (key("operator", 0), key("writer", 0));
    let steps = [
        (100, revoke(0, RevocationReason::Superseded)),
        (200, grant(0)),
        (300, revoke(0, RevocationReason::CessationOfOperation)),
    ];
    for (version, (after, change)) in (1..).zip(steps) {
        let act = propose(change, version);
        let record = ledger.record(&operator, &format!("p{after}"), START + after, act);
        assert_eq!(ledger.one(START + after, &record), Ok(Outcome::Proposed { executed: Some(version + 1) }));
    }
    let late = ledger.record(&writer, "late", START + 300, notarise(1));
    assert_eq!(ledger.one(START + 300, &late), Err("notary.writer-revoked"));
    let may = |time: u64| {
        let role = notary::writer_role_at(&ledger.state, &did("writer", 0), UnixTime(time)).unwrap();
        role.map(|role| role.is_granted())
    };
    let expected = [(START - 1, None), (START, Some(true)), (START + 99, Some(true)), (START + 100, Some(false))];
    for (time, held) in expected.into_iter().chain([(START + 299, Some(true)), (START + 300, Some(false))]) {
        assert_eq!(may(time), held, "at {time}");
    }
    let history = notary::writer_history(&ledger.state, &did("writer", 0)).unwrap();
    assert_eq!(history.iter().map(|role| role.seq).collect::<Vec<_>>(), [1, 2, 3, 4], "INV-STATE-2");
    let listed = notary::writers(&ledger.state, 0, 10).unwrap();
    assert_eq!(listed.len(), 1, "a DID is listed once, whatever became of its role");
    assert!(!listed[0].1.is_granted());
}

#[test]
fn m_of_n_operators_decide() {
    let mut ledger = Ledger::new(genesis(5, 3, 0));
    let operator = |n| key("operator", n);
    let proposal = ledger.record(&operator(0), "p", START, propose(grant(1), 1));
    let approval = |ledger: &Ledger, n, jti: &str| ledger.record(&operator(n), jti, START, approve(&proposal, 1));

    let unknown = approval(&ledger, 1, "too-soon");
    assert_eq!(ledger.one(START, &unknown), Err("governance.proposal-unknown"));
    assert_eq!(ledger.one(START, &proposal), Ok(Outcome::Proposed { executed: None }));
    let again = approval(&ledger, 0, "again");
    assert_eq!(ledger.one(START, &again), Err("governance.already-approved"), "proposing is approving");
    let stranger = ledger.record(&key("writer", 1), "x", START, approve(&proposal, 1));
    assert_eq!(ledger.one(START, &stranger), Err("governance.not-an-operator"));
    let wrong = ledger.record(&operator(1), "wrong", START, approve(&proposal, 2));
    assert_eq!(ledger.one(START, &wrong), Err("governance.version-mismatch"));
    let second = approval(&ledger, 1, "second");
    assert_eq!(ledger.one(START, &second), Ok(Outcome::Approved { executed: None }));
    let twice = approval(&ledger, 1, "twice");
    assert_eq!(ledger.one(START, &twice), Err("governance.already-approved"));
    assert_eq!(notary::writer_role(&ledger.state, &did("writer", 1)).unwrap(), None, "INV-GOVERNANCE-2");
    let third = approval(&ledger, 4, "third");
    assert_eq!(ledger.one(START, &third), Ok(Outcome::Approved { executed: Some(2) }));
    let fourth = approval(&ledger, 3, "fourth");
    assert_eq!(ledger.one(START, &fourth), Err("governance.already-executed"));
    assert!(notary::writer_role(&ledger.state, &did("writer", 1)).unwrap().unwrap().is_granted());
}

#[test]
fn open_proposals_lapse_when_another_is_executed() {
    let mut ledger = Ledger::new(genesis(2, 2, 1));
    let operator = |n| key("operator", n);
    let stale = ledger.record(&operator(0), "stale", START, propose(grant(7), 1));
    let other = ledger.record(&operator(0), "other", START, propose(revoke(0, RevocationReason::KeyCompromise), 1));
    let done = ledger.record(&operator(1), "done", START, approve(&other, 1));
    let outcomes = ledger.block(START, &[stale.clone(), other, done]);
    assert_eq!(outcomes[2], Ok(Outcome::Approved { executed: Some(2) }));
    let old = ledger.record(&operator(1), "old", START, approve(&stale, 1));
    assert_eq!(ledger.one(START, &old), Err("governance.version-mismatch"), "INV-GOVERNANCE-1");
    let new = ledger.record(&operator(1), "new", START, approve(&stale, 2));
    assert_eq!(ledger.one(START, &new), Err("governance.proposal-lapsed"), "INV-GOVERNANCE-1");
    let now = governance::governance(&ledger.state).unwrap();
    let listed = governance::proposals(&ledger.state, 0, 10).unwrap();
    let statuses: Vec<_> = listed.iter().map(|(number, p)| (*number, p.status(&now, ledger.time))).collect();
    assert_eq!(statuses, [(1, ProposalStatus::Lapsed), (2, ProposalStatus::Executed)]);
    assert_eq!(governance::proposals(&ledger.state, 1, 10).unwrap().len(), 1, "pages go on after a number");
}

#[test]
fn proposals_expire() {
    let mut ledger = Ledger::new(genesis(2, 2, 0));
    let act = |expires| Act::Propose { change: grant(1), governance_version: 1, expires: UnixTime(expires) };
    let proposal = ledger.record(&key("operator", 0), "p", START, act(START + 600));
    assert_eq!(ledger.one(START + 599, &proposal), Ok(Outcome::Proposed { executed: None }));
    let late = ledger.record(&key("operator", 1), "late", START, approve(&proposal, 1));
    assert_eq!(ledger.one(START + 600, &late), Err("governance.proposal-expired"));
    let dead = ledger.record(&key("operator", 0), "dead", START, act(START + 600));
    assert_eq!(ledger.one(START + 600, &dead), Err("governance.proposal-expired"));
    let now = governance::governance(&ledger.state).unwrap();
    let found = governance::proposal(&ledger.state, proposal.id()).unwrap().unwrap();
    assert_eq!(found.status(&now, ledger.time), ProposalStatus::Expired);
    let quarter = 90 * 86_400;
    for (expires, expected) in [
        (START, Err("governance.proposal-life")),
        (START + quarter + 1, Err("governance.proposal-life")),
        (START + quarter, Err("governance.proposal-expired")),
    ] {
        let record = ledger.record(&key("operator", 0), &format!("e{expires}"), START, act(expires));
        if expected == Err("governance.proposal-expired") {
            assert_eq!(ledger.one(START + 600, &record), Ok(Outcome::Proposed { executed: None }));
        } else {
            assert_eq!(ledger.one(START + 600, &record), expected);
        }
    }
}

#[test]
fn changes_that_cannot_be_are_not_proposed() {
    let mut ledger = Ledger::new(genesis(1, 1, 2));
    let writer_key = key("writer", 0).public_key();
    let compromise = revoke(1, RevocationReason::KeyCompromise);
    let version = ledger.version();
    let record = ledger.record(&key("operator", 0), "compromise", START, propose(compromise, version));
    assert_eq!(ledger.one(START, &record), Ok(Outcome::Proposed { executed: Some(2) }));
    let web: Did = "did:web:example.org".parse().unwrap();
    let cases = [
        (grant(0), "governance.already-a-writer"),
        (revoke(1, RevocationReason::Superseded), "governance.not-a-writer"),
        (revoke(50, RevocationReason::Superseded), "governance.not-a-writer"),
        (Change::GrantWriter { did: web }, "governance.unusable-did"),
        (Change::GrantWriter { did: did("operator", 0) }, "governance.key-in-use"),
        (Change::GrantWriter { did: did("consensus", 3) }, "governance.key-in-use"),
        (Change::GrantWriter { did: did("log", 0) }, "governance.key-in-use"),
        (Change::GrantWriter { did: did("peer", 1) }, "governance.key-in-use"),
        (Change::GrantWriter { did: Did::jwk_jcs_key(&writer_key) }, "governance.key-in-use"),
        (grant(1), "governance.key-compromised"),
        (Change::GrantWriter { did: Did::jwk_jcs_key(&key("writer", 1).public_key()) }, "governance.key-compromised"),
    ];
    for (number, (change, expected)) in cases.into_iter().enumerate() {
        let (root, text) = (ledger.root, format!("{change:?}"));
        let record = ledger.record(&key("operator", 0), &format!("c{number}"), START, propose(change, 2));
        assert_eq!(ledger.one(START, &record), Err(expected), "{text}");
        assert_eq!(ledger.root, root, "INV-EXECUTE-1: a rejected record leaves no trace");
    }
    let outsider = ledger.record(&key("operator", OUTSIDER), "x", START, propose(grant(3), 2));
    assert_eq!(ledger.one(START, &outsider), Err("governance.not-an-operator"));
    let old = ledger.record(&key("operator", 0), "old", START, propose(grant(3), 1));
    assert_eq!(ledger.one(START, &old), Err("governance.version-mismatch"));
}

#[test]
fn genesis_writes_what_the_network_runs_on() {
    let genesis = genesis(3, 2, 2);
    let ledger = Ledger::new(genesis.clone());
    let governance = governance::governance(&ledger.state).unwrap();
    assert_eq!((governance.version, governance.approvals_required), (1, 2));
    assert!(governance.operators.is_sorted_by(|a, b| a.did < b.did));
    assert_eq!(governance.operators.len(), 3);
    assert_eq!(network::protocol(&ledger.state).unwrap().protocol, 1);
    assert_eq!(network::parameters(&ledger.state).unwrap().parameters.hash(), genesis.parameters.hash());
    let epoch = network::epoch(&ledger.state).unwrap();
    assert_eq!(epoch.validators_hash, genesis.validator_set().hash());
    for (address, validator) in epoch.validators.iter().zip(genesis.validator_set().validators()) {
        let entry = network::validator(&ledger.state, *address).unwrap().unwrap();
        assert_eq!(entry.registration.address(), *address);
        let used = network::key_use(&ledger.state, validator.peer_key()).unwrap().unwrap();
        assert_eq!((used.address, used.r#use), (*address, network::KeyUse::Peer));
    }
    assert_eq!(notary::writers(&ledger.state, 0, 10).unwrap().len(), 2);
    assert_eq!(Ledger::new(genesis.clone()).root, ledger.root);
    assert_ne!(Ledger::new(crate::support::genesis(3, 3, 2)).root, ledger.root);
}

#[test]
fn an_unknown_protocol_is_not_executed() {
    let ledger = Ledger::new(genesis(1, 1, 0));
    let window = crate::support::Window::default();
    let context =
        BlockContext { genesis: ledger.genesis.hash(), protocol: 2, height: Height(1), time: UnixTime(START) };
    let error = Execution::new(&ledger.state, &window, context).expect_err("protocol 2 is of the future");
    assert_eq!(error.to_string(), "height 1 runs protocol 2, this binary knows 1: install a newer release");
}

#[test]
fn damage_stops_and_is_never_a_verdict() {
    let mut ledger = Ledger::new(genesis(1, 1, 1));
    let head = notary::keys::writer(&did("writer", 0)).head();
    let record = ledger.record(&key("writer", 0), "a", START, notarise(1));
    let context =
        BlockContext { genesis: ledger.genesis.hash(), protocol: 1, height: Height(1), time: UnixTime(START) };
    let checked = testamur_registry::check_stateless(record).unwrap();
    for bytes in [b"{}".as_slice(), b"", br#"{"v":2}"#] {
        ledger.state.insert(head.clone(), bytes.to_vec());
        let window = crate::support::Window::default();
        let mut execution = Execution::new(&ledger.state, &window, context).unwrap();
        let error = execution.apply(&checked).expect_err("damaged");
        assert!(error.is_fatal(), "{error}");
        assert!(error.to_string().starts_with("the state is damaged at writer/did:key:"), "{error}");
    }
}
