//! How the validator set changes: who joins, who leaves, whose keys change, and from which height on. Each invariant of
//! `network` is attacked here; INV-NETWORK-1 is checked by every read of a set.

use crate::support::members::{add, address, change, remove, rotate, rotation};
use crate::support::{Ledger, START, did, genesis, key, possession, registration, validator};
use testamur_primitives::did::Did;
use testamur_primitives::genesis::GenesisValidator;
use testamur_primitives::record::{Act, Bytes, Change};
use testamur_primitives::units::{Height, UnixTime};
use testamur_registry::network::{self, SetChangeStatus};
use testamur_registry::{Outcome, governance};

fn ledger() -> Ledger {
    Ledger::new(genesis(1, 1, 1))
}

/// Every change is refused as expected, and leaves no trace.
fn check(ledger: &mut Ledger, cases: Vec<(&str, Change, &'static str)>) {
    for (what, change, expected) in cases {
        let root = ledger.root;
        assert_eq!(ledger.decide(change), Err(expected), "{what}");
        assert_eq!(ledger.root, root, "INV-EXECUTE-1: {what}");
    }
}

fn sorted(numbers: &[u32]) -> Vec<testamur_primitives::hash::Address> {
    let mut addresses: Vec<_> = numbers.iter().map(|n| address(*n)).collect();
    addresses.sort_unstable();
    addresses
}

#[test]
fn four_become_five_and_four_again_and_one_gets_another_key() {
    let mut ledger = ledger();
    assert_eq!(ledger.set_at(Height(0)), (0, sorted(&[0, 1, 2, 3])));
    ledger.decide(add(4)).unwrap();
    assert_eq!(network::scheduled_epoch(&ledger.state, ledger.height), Ok(None), "it waits");
    let waiting = network::pending_set_change(&ledger.state).unwrap().expect("waits");
    assert_eq!(waiting.awaited().map(|new| new.registration.address()).collect::<Vec<_>>(), [address(4)]);
    assert_eq!(network::validator(&ledger.state, address(4)), Ok(None), "registered when it is scheduled");
    let synced = ledger.synced(address(4), 4, ledger.height.0);
    let activation = Height(ledger.height.0 + 3);
    assert_eq!(ledger.now(&synced), Ok(Outcome::Synced { activation: Some(activation) }));
    assert_eq!(ledger.set_at(Height(activation.0 - 1)), (0, sorted(&[0, 1, 2, 3])));
    assert_eq!(ledger.set_at(activation), (1, sorted(&[0, 1, 2, 3, 4])));
    let next = network::scheduled_epoch(&ledger.state, ledger.height).unwrap().expect("scheduled");
    assert_eq!(next.from, Some(activation));
    assert_eq!(network::pending_set_change(&ledger.state), Ok(None));
    ledger.until(activation);
    assert_eq!(network::scheduled_epoch(&ledger.state, activation), Ok(None), "it is in force");

    // The address stays, though its registration changes; the sets before are what they were.
    let before = network::epoch_at(&ledger.state, Height(0)).unwrap();
    ledger.decide(rotate(0, [10, 0, 0])).unwrap();
    let rotated = Height(ledger.height.0 + 2);
    assert_eq!(ledger.set_at(rotated), (2, sorted(&[0, 1, 2, 3, 4])));
    let epoch = network::epoch_at(&ledger.state, rotated).unwrap();
    let set = network::validator_set(&ledger.state, &epoch).unwrap();
    let moved = set.by_address(address(0)).unwrap();
    assert_eq!(moved.consensus_key().as_slice(), key("consensus", 10).public_key().as_bytes());
    assert_eq!(moved.log_key().as_slice(), key("log", 0).public_key().as_bytes(), "a log key may stay");
    assert_eq!(network::validator_set(&ledger.state, &before).unwrap(), ledger.genesis.validator_set());
    ledger.until(rotated);

    ledger.decide(remove(1)).unwrap();
    let left = Height(ledger.height.0 + 2);
    assert_eq!(ledger.set_at(Height(left.0 - 1)), (2, sorted(&[0, 1, 2, 3, 4])));
    assert_eq!(ledger.set_at(left), (3, sorted(&[0, 2, 3, 4])));
    assert_eq!(ledger.set_change().status, SetChangeStatus::Scheduled { activation: left });
    assert_eq!(ledger.version(), 4, "three changes");
}

#[test]
fn the_set_keeps_its_size_and_enough_of_its_members() {
    let mut ledger = ledger();
    let late = GenesisValidator { possession: possession([9; 3], address(8)), registration: registration(8) };
    let mut foreign = validator(8);
    foreign.registration.country = "Belgium".into();
    let twice = change(&[], &[], &[rotation(0, [10; 3]), rotation(0, [11; 3])]);
    let cases = vec![
        ("INV-NETWORK-2: three of four cannot lose one", remove(0), "governance.set-size"),
        ("INV-NETWORK-2: two at once", change(&[validator(4), validator(5)], &[], &[]), "governance.too-many-at-once"),
        (
            "INV-NETWORK-2: one for another is two changes",
            change(&[validator(4)], &[address(0)], &[]),
            "governance.too-many-at-once",
        ),
        ("nothing", change(&[], &[], &[]), "governance.nothing-changes"),
        ("nobody's address", change(&[], &[], &[rotation(7, [10; 3])]), "governance.validator-unknown"),
        ("the same one twice", twice, "governance.named-twice"),
        ("another's possession", change(&[late], &[], &[]), "governance.registration"),
        ("a malformed registration", change(&[foreign], &[], &[]), "governance.registration"),
    ];
    check(&mut ledger, cases);
    for n in 4..8 {
        let height = ledger.join(n).unwrap();
        ledger.until(height);
    }
    assert_eq!(ledger.set_at(ledger.height).1.len(), 8);
    let all = change(&[validator(8)], &[address(0), address(1)], &[]);
    check(&mut ledger, vec![("INV-NETWORK-2: three of eight", all, "governance.too-many-at-once")]);
    assert_eq!(ledger.decide(change(&[], &[address(0), address(1)], &[])), Ok(()), "two of eight");
}

#[test]
fn keys_and_names_are_one_validators_for_ever() {
    let mut ledger = Ledger::new(genesis(1, 1, 1));
    let height = ledger.join(4).unwrap();
    ledger.until(height);
    ledger.decide(rotate(4, [14, 14, 4])).unwrap();
    ledger.until(Height(ledger.height.0 + 2));
    ledger.decide(remove(4)).unwrap();
    ledger.until(Height(ledger.height.0 + 2));

    // What nobody else may register: (name, keys of these roles and numbers).
    let with = |n: u32, roles: [(&str, u32); 3]| {
        let mut registration = registration(8);
        registration.name = format!("validator-{n}.example");
        let public = |(role, number): (&str, u32)| Bytes(key(role, number).public_key().as_bytes().to_vec());
        registration.keys[0].key = public(roles[0]);
        registration.log_key = public(roles[1]);
        registration.peer_key = public(roles[2]);
        let address = registration.address();
        let sign = |kind: &str, (role, number): (&str, u32)| {
            Bytes(key(role, number).sign(&testamur_primitives::genesis::possession_message(kind, address)))
        };
        let possession = testamur_primitives::genesis::Possession {
            consensus: sign("consensus", roles[0]),
            log: sign("log", roles[1]),
            peer: sign("peer", roles[2]),
        };
        change(&[GenesisValidator { registration, possession }], &[], &[])
    };
    let (log, peer) = (("log", 8), ("peer", 8));
    let mut expired = rotation(0, [10; 3]);
    expired.registration.not_after = UnixTime(START);
    let mut renamed = rotation(0, [10; 3]);
    renamed.registration.name = "another.example".into();
    let in_use = "governance.validator-key-in-use";
    let cases = vec![
        ("INV-NETWORK-3: a validator's name", with(0, [("consensus", 8), log, peer]), "governance.name-in-use"),
        ("INV-NETWORK-3: a former one's name", with(4, [("consensus", 8), log, peer]), "governance.name-in-use"),
        ("INV-NETWORK-3: a consensus key", with(8, [("consensus", 0), log, peer]), in_use),
        ("INV-NETWORK-3: a former one's first key", with(8, [("consensus", 4), log, peer]), in_use),
        ("INV-NETWORK-3: a former one's last key", with(8, [("consensus", 14), log, peer]), in_use),
        ("INV-NETWORK-3: its log key, for peers", with(8, [("consensus", 8), log, ("log", 14)]), in_use),
        ("INV-GOVERNANCE-4: an operator's key", with(8, [("operator", 0), log, peer]), in_use),
        ("INV-GOVERNANCE-4: a writer's key", with(8, [("consensus", 8), ("writer", 0), peer]), in_use),
        ("INV-SET-1: one key for two uses", with(8, [("consensus", 8), ("consensus", 8), peer]), "governance.set"),
        ("a rotation with the old key", rotate(0, [0, 10, 10]), "governance.old-key"),
        ("a rotation to another's key", rotate(0, [1, 10, 10]), in_use),
        ("a rotation to another's log key", rotate(0, [10, 1, 0]), in_use),
        ("a rotation with another name", change(&[], &[], &[renamed]), "governance.renamed"),
        ("keys that have ended", change(&[], &[], &[expired]), "governance.not-after"),
        ("the one that left", add(4), "governance.name-in-use"),
    ];
    check(&mut ledger, cases);
    for validator in [address(0), address(4)] {
        assert!(network::validator(&ledger.state, validator).unwrap().is_some(), "what was registered stays");
    }
    // And the other way round: a validator's keys become nobody else's, under either spelling as did:key.
    for (role, n) in [("consensus", 0), ("log", 4), ("peer", 14), ("consensus", 14)] {
        let public = key(role, n).public_key();
        for did in [Did::key(&public), Did::jwk_jcs_key(&public)] {
            let used = network::key_use(&ledger.state, public.as_bytes()).unwrap().is_some();
            let outcome = ledger.decide(Change::GrantWriter { did });
            assert_eq!(outcome, if used { Err("governance.key-in-use") } else { Ok(()) }, "{role} {n}");
            if !used {
                break;
            }
        }
    }
}

#[test]
fn one_change_of_the_set_at_a_time() {
    let mut ledger = Ledger::new(genesis(1, 1, 1));
    check(&mut ledger, vec![("nothing waits", Change::WithdrawSetChange {}, "governance.no-set-change")]);
    ledger.decide(add(4)).unwrap();
    let pending = "governance.set-change-pending";
    check(&mut ledger, vec![("INV-NETWORK-4: waiting", add(5), pending), ("waiting", rotate(0, [10; 3]), pending)]);

    // Keys of the change that waits are taken while it does, for whatever other use.
    for (role, n) in [("consensus", 4), ("log", 4), ("peer", 4)] {
        for did in [Did::key(&key(role, n).public_key()), Did::jwk_jcs_key(&key(role, n).public_key())] {
            let grant = Change::GrantWriter { did: did.clone() };
            check(&mut ledger, vec![("INV-GOVERNANCE-4", grant, "governance.key-in-use")]);
            let mut operator = crate::support::members::operator(1);
            operator.did = did;
            let (add, remove, rotate) = (vec![operator], vec![], vec![]);
            let office = Change::ChangeOperators { add, remove, rotate, approvals_required: None };
            check(&mut ledger, vec![("INV-GOVERNANCE-4", office, "governance.key-in-use")]);
        }
    }
    ledger.decide(Change::WithdrawSetChange {}).unwrap();
    assert_eq!(ledger.set_change().status, SetChangeStatus::Withdrawn {});
    let synced = ledger.synced(address(4), 4, 0);
    assert_eq!(ledger.now(&synced), Err("network.not-awaited"), "withdrawn");
    ledger.decide(Change::GrantWriter { did: did("consensus", 4) }).unwrap();
    check(&mut ledger, vec![("and now the key is a writer's", add(4), "governance.validator-key-in-use")]);

    let activation = ledger.join(5).unwrap();
    check(&mut ledger, vec![("INV-NETWORK-4: scheduled", rotate(0, [10; 3]), pending)]);
    assert_eq!(ledger.height, Height(activation.0 - 1));
    // The block of the activation is decided by the new set: from it on, the next change may be.
    assert_eq!(ledger.decide(rotate(0, [10; 3])), Ok(()));
    let next = network::scheduled_epoch(&ledger.state, ledger.height).unwrap().expect("scheduled");
    assert_eq!(next.from, Some(Height(activation.0 + 2)), "INV-NETWORK-4: an epoch lasts two heights at least");
    check(&mut ledger, vec![("too late to withdraw", Change::WithdrawSetChange {}, "governance.no-set-change")]);
}

#[test]
fn only_the_awaited_key_says_synced_and_once() {
    let mut ledger = Ledger::new(genesis(1, 1, 1));
    let (four, five) = (address(4), address(5));
    for n in 4..7 {
        let height = if n == 4 { ledger.join(6).unwrap() } else { ledger.join(n + 2).unwrap() };
        ledger.until(height);
    }
    let early = ledger.synced(four, 4, 0);
    assert_eq!(ledger.now(&early), Err("network.not-awaited"));
    ledger.decide(change(&[validator(4), validator(5)], &[], &[])).unwrap();
    /// What, for whom, signed by whose key, naming which height (given that of its own block), and the code.
    type Case = (&'static str, testamur_primitives::hash::Address, u32, fn(u64) -> u64, &'static str);
    let cases: [Case; 6] = [
        ("another candidate's key", four, 5, |_| 1, "network.key"),
        ("a validator's key", four, 0, |_| 1, "network.key"),
        ("nobody's address", address(12), 4, |_| 1, "network.not-awaited"),
        ("one that is in the set", address(0), 0, |_| 1, "network.not-awaited"),
        ("this very block", four, 4, |own| own, "network.height"),
        ("the future", four, 4, |own| own + 1_000, "network.height"),
    ];
    for (what, validator, consensus, height, expected) in cases {
        let height = height(ledger.height.0 + 1);
        let record = ledger.synced(validator, consensus, height);
        let root = ledger.root;
        assert_eq!(ledger.now(&record), Err(expected), "{what}");
        assert_eq!(ledger.root, root, "INV-EXECUTE-1: {what}");
    }
    let by_operator = Act::Synced {
        validator: four,
        height: Height(1),
        header: testamur_primitives::hash::HeaderHash::from_bytes([7; 32]),
    };
    let by_operator = ledger.record(&key("operator", 0), "x", ledger.time.0, by_operator);
    assert_eq!(ledger.now(&by_operator), Err("network.key"), "an operator does not say it for a validator");

    let height = ledger.height.0;
    let first = ledger.synced(four, 4, height);
    assert_eq!(ledger.now(&first), Ok(Outcome::Synced { activation: None }));
    assert_eq!(ledger.set_change().synced, [four]);
    let again = ledger.synced(four, 4, height);
    assert_eq!(ledger.now(&again), Err("network.already-synced"));
    assert!(network::pending_set_change(&ledger.state).unwrap().is_some(), "the other is still awaited");
    let second = ledger.synced(five, 5, height);
    let activation = Height(ledger.height.0 + 3);
    assert_eq!(ledger.now(&second), Ok(Outcome::Synced { activation: Some(activation) }));
    let late = ledger.synced(five, 5, height);
    assert_eq!(ledger.now(&late), Err("network.already-synced"), "the change is scheduled");
    assert_eq!(ledger.set_at(activation).1.len(), 9);
    assert_eq!(governance::governance(&ledger.state).unwrap().version, ledger.version());
}

#[test]
fn keys_that_end_while_a_change_waits_do_not_join() {
    let mut ledger = Ledger::new(genesis(1, 1, 0));
    let mut registration = registration(4);
    registration.not_after = UnixTime(START + 10);
    let possession = possession([4; 3], registration.address());
    let validator = registration.address();
    ledger.decide(change(&[GenesisValidator { registration, possession }], &[], &[])).unwrap();
    let synced = ledger.synced(validator, 4, 0);
    assert_eq!(ledger.one(START + 10, &synced), Err("network.not-after"));
    assert_eq!(ledger.one(START + 9, &synced), Ok(Outcome::Synced { activation: Some(Height(5)) }));
}

#[test]
fn a_set_change_begins_when_it_says_and_two_heights_later_at_the_earliest() {
    let from = |height| Change::ChangeValidators {
        add: vec![],
        remove: vec![],
        rotate: vec![rotation(0, [10; 3])],
        from: Height(height),
    };
    for (asked, begins) in [(0, 3), (2, 3), (3, 3), (4, 4), (1_000, 1_000), (1_000_001, 1_000_001)] {
        let mut ledger = Ledger::new(genesis(1, 1, 0));
        ledger.decide(from(asked)).unwrap();
        assert_eq!(ledger.set_change().status, SetChangeStatus::Scheduled { activation: Height(begins) }, "{asked}");
        assert_eq!(ledger.set_at(Height(begins - 1)).0, 0);
        assert_eq!(ledger.set_at(Height(begins)).0, 1);
    }
    let mut ledger = Ledger::new(genesis(1, 1, 0));
    check(&mut ledger, vec![("never", from(1_000_002), "governance.from-too-far")]);
}
