//! Status lists: who may publish which version, what beside the record is demanded before a vote, every rejection, and
//! any sequence of versions against a naive model.

use std::collections::BTreeMap;

use crate::support::registry::{Chain, World, jkt, method, nowhere, party, window};
use crate::support::{START, did, key, notarise};
use proptest::prelude::*;
use testamur_primitives::did::{Did, DidUrl};
use testamur_primitives::hash::{AttachmentHash, RecordId};
use testamur_primitives::identity::Relationship::{AssertionMethod, Authentication, CapabilityInvocation};
use testamur_primitives::identity::changes::DidChange;
use testamur_primitives::identity::{Grant, Relationship};
use testamur_primitives::issuers::{EndReason, IssuerType};
use testamur_primitives::key::SigningKey;
use testamur_primitives::record::{Act, Bytes, Record, Reference};
use testamur_primitives::status::formats::{TokenFormat, TokenSource, sign_version};
use testamur_primitives::status::{self, BitList, StatusPurpose, StatusSignatures, StatusVersion};
use testamur_primitives::units::UnixTime;
use testamur_registry::{ApplyError, Outcome};

const DAY: u64 = 86_400;
const SIZE: u64 = 131_072;
const BASE: &str = "https://ledger.example";

fn name(text: &str) -> Reference {
    text.parse().expect("a reference")
}

fn bits(set: &[u64]) -> BitList {
    let mut bits = BitList::zeros(SIZE).expect("a size");
    set.iter().for_each(|index| assert!(bits.set(*index, true)));
    bits
}

/// A version signed as it should be.
fn signed(issuer: &Did, key: &SigningKey, list: &str, version: u64, bits: &BitList, issued: u64) -> StatusVersion {
    let kid: DidUrl = format!("{issuer}#{}", jkt(key)).parse().expect("a key id");
    let source = TokenSource {
        issuer,
        list: &name(list),
        purpose: StatusPurpose::Revocation,
        issued: UnixTime(issued),
        kid: &kid,
        alg: key.public_key().algorithm(),
        public_base: BASE,
    };
    sign_version(&source, version, bits, key).expect("a date that can be written")
}

/// A version whose tokens nobody has signed: execution does not look at them.
fn unsigned(issuer: &Did, fragment: &str, list: &str, version: u64, issued: u64) -> StatusVersion {
    let none = Bytes::default;
    StatusVersion {
        list: name(list),
        version,
        purpose: StatusPurpose::Revocation,
        size: SIZE,
        sha256: AttachmentHash::ZERO,
        issued: UnixTime(issued),
        kid: format!("{issuer}#{fragment}").parse().expect("a key id"),
        signatures: StatusSignatures { status_list_2021: none(), bitstring: none(), token: none() },
    }
}

fn publish(status: StatusVersion, prev: Option<RecordId>) -> Act {
    Act::PublishStatus { status, prev }
}

fn newest(world: &World, issuer: &Did, list: &str) -> Option<status::StatusEntry> {
    status::newest(&world.ledger.state, issuer, &name(list)).expect("sound")
}

#[test]
fn an_accredited_issuer_publishes_versions() {
    let Chain { mut world, university, .. } = Chain::new();
    let (did, empty, revoked) = (&university.did, bits(&[]), bits(&[7]));
    let first = signed(did, &university.key, "degrees", 1, &empty, START);
    assert_eq!(world.by(&university, START + 10, publish(first.clone(), None)), Ok(Outcome::StatusPublished));
    let entry = newest(&world, did, "degrees").unwrap();
    assert_eq!((entry.seq, entry.time, &entry.issuer, &entry.status), (1, UnixTime(START + 10), did, &first));
    let second = signed(did, &university.key, "degrees", 2, &revoked, START + 20);
    let act = publish(second.clone(), Some(entry.record));
    assert_eq!(world.by(&university, START + 20, act), Ok(Outcome::StatusPublished));
    let at = |time| {
        let entry = status::as_of(&world.ledger.state, did, &name("degrees"), UnixTime(time)).expect("sound");
        entry.map(|entry| entry.status.version)
    };
    assert_eq!([at(START + 9), at(START + 10), at(START + 19), at(START + 20)], [None, Some(1), Some(1), Some(2)]);
    assert_eq!(newest(&world, did, "other"), None);
    let other = signed(did, &university.key, "other", 1, &empty, START + 20);
    assert_eq!(world.by(&university, START + 20, publish(other, None)), Ok(Outcome::StatusPublished));
}

#[test]
fn a_version_that_does_not_follow_is_rejected() {
    let Chain { mut world, university, .. } = Chain::new();
    let (did, fragment) = (university.did.clone(), jkt(&university.key));
    let version = |list: &str, version| unsigned(&did, &fragment, list, version, START);
    world.by(&university, START, publish(version("l", 1), None)).expect("published");
    let prev = newest(&world, &did, "l").map(|entry| entry.record);
    let with = |change: fn(&mut StatusVersion), list: &str, number| {
        let mut status = version(list, number);
        change(&mut status);
        status
    };
    let cases: Vec<(StatusVersion, Option<RecordId>, &str)> = vec![
        (version("n", 2), None, "status.version"),
        (version("n", 0), None, "status.version"),
        (version("n", 1), Some(nowhere()), "status.unknown"),
        (version("l", 2), None, "status.stale"),
        (version("l", 2), Some(nowhere()), "status.stale"),
        (version("l", 1), None, "status.stale"),
        (version("l", 1), prev, "status.version"),
        (version("l", 3), prev, "status.version"),
        (version("l", (1 << 53) - 1), prev, "status.version"),
        (with(|s| s.purpose = StatusPurpose::Suspension, "l", 2), prev, "status.changed"),
        (with(|s| s.size = SIZE * 2, "l", 2), prev, "status.changed"),
        (with(|s| s.size = 0, "n", 1), None, "status.size"),
        (with(|s| s.size = SIZE - 8, "n", 1), None, "status.size"),
        (with(|s| s.size = SIZE + 1, "n", 1), None, "status.size"),
        (with(|s| s.size = (1 << 21) + 8, "n", 1), None, "status.size"),
        (with(|s| s.size = (1 << 53) - 8, "n", 1), None, "status.size"),
        (version(".", 1), None, "status.name"),
        (version("..", 1), None, "status.name"),
        (version("-n", 1), None, "status.name"),
        (with(|s| s.issued = UnixTime(START - DAY - 1), "n", 1), None, "status.issued"),
        (with(|s| s.issued = UnixTime(START + 301), "n", 1), None, "status.issued"),
        (with(|s| s.issued = UnixTime(0), "n", 1), None, "status.issued"),
        (with(|s| s.issued = UnixTime((1 << 53) - 1), "n", 1), None, "status.issued"),
    ];
    for (status, prev, expected) in cases {
        let (root, text) = (world.ledger.root, format!("{status:?}"));
        assert_eq!(world.by(&university, START, publish(status, prev)), Err(expected), "{text}");
        assert_eq!(world.ledger.root, root, "INV-EXECUTE-1: a rejected record leaves no trace");
    }
    for (status, list) in [
        (with(|s| s.issued = UnixTime(START - DAY), "early", 1), "early"),
        (with(|s| s.issued = UnixTime(START + 300), "late", 1), "late"),
        (with(|s| s.size = 1 << 21, "0-large_.x", 1), "0-large_.x"),
    ] {
        assert_eq!(world.by(&university, START, publish(status, None)), Ok(Outcome::StatusPublished), "{list}");
        assert!(newest(&world, &did, list).is_some());
    }
    assert_eq!(world.by(&university, START, publish(version("l", 2), prev)), Ok(Outcome::StatusPublished));
}

#[test]
fn only_an_issuer_with_a_chain_in_force_begins_a_list() {
    let Chain { mut world, ministry, agency, university, ti, tao, .. } = Chain::new();
    let city = party("city");
    world.register(&city, START);
    let act = |party: &crate::support::registry::Party, list: &str, time| {
        publish(unsigned(&party.did, &jkt(&party.key), list, 1, time), None)
    };
    assert_eq!(world.by(&city, START, act(&city, "l", START)), Err("status.not-accredited"));
    let writer = key("writer", 0);
    let own = unsigned(&did("writer", 0), "x", "l", 1, START);
    assert_eq!(world.by_did_key(&writer, START, publish(own, None)), Err("status.not-accredited"));
    for issuer in [&ministry, &agency, &university] {
        assert_eq!(world.by(issuer, START, act(issuer, "l", START)), Ok(Outcome::StatusPublished), "{}", issuer.name);
    }
    let end = world.end(tao, START + 100, EndReason::PrivilegeWithdrawn);
    world.by(&ministry, START + 1, end).expect("ended");
    assert_eq!(world.by(&university, START + 99, act(&university, "m", START + 99)), Ok(Outcome::StatusPublished));
    let late = act(&university, "n", START + 100);
    assert_eq!(world.by(&university, START + 100, late), Err("status.not-accredited"), "a TAO above has ended");
    assert_eq!(world.attribute(ti).ended, None, "its own accreditation has not");
    let list = newest(&world, &university.did, "m").expect("published above");
    let revoke = publish(unsigned(&university.did, &jkt(&university.key), "m", 2, START + 100), Some(list.record));
    assert_eq!(world.by(&university, START + 100, revoke), Ok(Outcome::StatusPublished), "it can still revoke");
}

#[test]
fn a_list_is_its_own_issuers() {
    let Chain { mut world, ministry, university, .. } = Chain::new();
    let theirs = unsigned(&university.did, &jkt(&university.key), "l", 1, START);
    assert_eq!(world.by(&ministry, START, publish(theirs, None)), Err("status.other-issuer"));
    for party in [&ministry, &university] {
        let own = unsigned(&party.did, &jkt(&party.key), "l", 1, START);
        assert_eq!(world.by(party, START, publish(own, None)), Ok(Outcome::StatusPublished), "lists of one name");
    }
    let record = newest(&world, &ministry.did, "l").unwrap().record;
    let next = unsigned(&university.did, &jkt(&university.key), "l", 2, START);
    assert_eq!(world.by(&university, START, publish(next, Some(record))), Err("status.stale"));
}

/// INV-STATUS-3, with every state that a key can be in, both for the record and for the tokens.
#[test]
fn the_tokens_key_is_good_when_they_are_published() {
    let Chain { mut world, university, .. } = Chain::new();
    let now = START + 1_000;
    let grants: Vec<(&str, Vec<Grant>)> = vec![
        ("good", vec![window(AssertionMethod, START, None)]),
        ("until then", vec![window(AssertionMethod, START, Some(now + 1))]),
        ("expired", vec![window(AssertionMethod, START, Some(now))]),
        ("not yet", vec![window(AssertionMethod, now + 1, None)]),
        ("revoked", vec![window(AssertionMethod, START, None)]),
        ("compromised", vec![window(AssertionMethod, START, None)]),
        ("other use", vec![window(CapabilityInvocation, START, None), window(Authentication, START, None)]),
    ];
    let keys: BTreeMap<&str, SigningKey> =
        grants.iter().enumerate().map(|(n, (state, _))| (*state, key("token", u32::try_from(n).unwrap()))).collect();
    let mut changes: Vec<_> =
        grants.iter().map(|(state, uses)| DidChange::AddMethod { method: method(&keys[state], uses) }).collect();
    changes.push(DidChange::RevokeMethod { method: jkt(&keys["revoked"]) });
    let from = UnixTime(START + 1);
    changes.push(DidChange::DeclareCompromised { method: jkt(&keys["compromised"]), from });
    let update = world.update(&university.did, changes);
    world.by(&university, START + 1, update).expect("changed");

    let stranger = key("stranger", 0);
    let cells = keys.iter().map(|(state, key)| (*state, key)).chain([("unknown", &stranger)]);
    for (number, (state, token_key)) in cells.enumerate() {
        let status = signed(&university.did, token_key, &format!("l{number}"), 1, &bits(&[]), now);
        let record = world.sign(&university.did, &jkt(&university.key), &university.key, now, publish(status, None));
        let attached = testamur_registry::status::check_attachment(
            &world.ledger.state,
            &record,
            BASE,
            bits(&[]).as_bytes(),
            UnixTime(now),
        );
        let expected = if matches!(state, "good" | "until then") { Ok(()) } else { Err("status.key") };
        assert_eq!(slug(attached), expected, "{state}");
        assert_eq!(world.ledger.one(now, &record).map(|_| ()), expected, "{state}");
    }
    // The record itself is everyday work: a key for assertionMethod alone signs it, one for signing in alone does not.
    let status = unsigned(&university.did, &jkt(&keys["good"]), "everyday", 1, now);
    let everyday = world.by_key(&university.did, &keys["good"], now, publish(status, None));
    assert_eq!(everyday, Ok(Outcome::StatusPublished));
    let update = world.update(
        &university.did,
        vec![DidChange::AddMethod { method: method(&stranger, &[window(Authentication, START, None)]) }],
    );
    world.by(&university, now, update).expect("changed");
    let status = unsigned(&university.did, &jkt(&keys["good"]), "more", 1, now);
    let refused = world.by_key(&university.did, &stranger, now, publish(status, None));
    assert_eq!(refused, Err("did.key-not-granted"));
    let all: &[Relationship] = &[AssertionMethod, CapabilityInvocation];
    assert!(all.iter().all(|r| testamur_primitives::identity::changes::EVERYDAY.contains(r)));
}

fn slug<E: std::fmt::Debug>(result: Result<(), ApplyError<E>>) -> Result<(), &'static str> {
    result.map_err(|error| match error {
        ApplyError::Rejected(rejection) => rejection.code().0,
        ApplyError::State(error) => panic!("the state in memory is sound: {error:?}"),
    })
}

#[test]
fn an_attachment_is_checked_with_its_tokens() {
    let Chain { mut world, ministry, university, .. } = Chain::new();
    let (list, time) = (bits(&[3, 131_071]), UnixTime(START));
    let good = signed(&university.did, &university.key, "l", 1, &list, START);
    let mut record = |status: StatusVersion| {
        world.sign(&university.did, &jkt(&university.key), &university.key, START, publish(status, None))
    };
    let (honest, forged) = (record(good.clone()), {
        let theirs = signed(&university.did, &ministry.key, "l", 1, &list, START);
        record(StatusVersion { kid: good.kid.clone(), ..theirs })
    });
    let (elsewhere, oversized) = (record(good.clone()), record(StatusVersion { size: (1 << 53) - 8, ..good.clone() }));
    let mut with_bad_signature = Vec::new();
    for format in TokenFormat::ALL {
        let mut bad = good.clone();
        let signatures = &mut bad.signatures;
        let signature = match format {
            TokenFormat::StatusList2021 => &mut signatures.status_list_2021,
            TokenFormat::Bitstring => &mut signatures.bitstring,
            TokenFormat::TokenStatusList => &mut signatures.token,
        };
        signature.0.truncate(63);
        with_bad_signature.push(record(bad));
    }
    let not_a_list = world.sign(&university.did, &jkt(&university.key), &university.key, START, notarise(1));
    let check = |record: &Record, base: &str, bytes: &[u8], time| {
        slug(testamur_registry::status::check_attachment(&world.ledger.state, record, base, bytes, time))
    };
    let bytes = list.as_bytes();
    assert_eq!(check(&honest, BASE, bytes, time), Ok(()));
    assert_eq!(check(&honest, BASE, &[], time), Err("status.attachment"), "withheld");
    assert_eq!(check(&honest, BASE, &bytes[1..], time), Err("status.attachment"));
    assert_eq!(check(&honest, BASE, bits(&[3]).as_bytes(), time), Err("status.attachment"), "other bits");
    assert_eq!(check(&honest, BASE, &vec![0; 10_000_000], time), Err("status.attachment"));
    assert_eq!(check(&oversized, BASE, bytes, time), Err("status.size"), "nothing is made of a bomb");
    assert_eq!(check(&elsewhere, "https://other.example", bytes, time), Err("status.signature"));
    assert_eq!(check(&forged, BASE, bytes, time), Err("status.signature"));
    assert_eq!(check(&honest, BASE, bytes, UnixTime(START - 1)), Err("status.key"), "before the key's time");
    for record in &with_bad_signature {
        assert_eq!(check(record, BASE, bytes, time), Err("status.signature"));
    }
    assert_eq!(check(&not_a_list, BASE, bytes, time), Err("status.attachment"), "a record that has none");
    // Execution looks at none of this: a node that replays the log has no attachments of old versions.
    assert_eq!(world.ledger.one(START, &forged), Ok(Outcome::StatusPublished));
    let close = world.update(&university.did, vec![DidChange::Deactivate {}]);
    world.by(&university, START + 1, close).expect("closed");
    let state = &world.ledger.state;
    let after = testamur_registry::status::check_attachment(state, &honest, BASE, bytes, UnixTime(START + 1));
    assert_eq!(slug(after), Err("status.key"), "a DID that was closed signs no list");
}

#[derive(Debug, Clone)]
struct Step {
    author: usize,
    list: usize,
    version: Quoted,
    prev: Option<Quoted>,
    suspension: bool,
    large: bool,
    age: u64,
}

/// What the model keeps of a version: whether it is for suspension, whether it is large, and its record.
type Kept = (bool, bool, RecordId);

/// What a step says, from what is so.
#[derive(Debug, Clone, Copy)]
enum Quoted {
    Right,
    OneBefore,
    Wrong,
}

fn step() -> impl Strategy<Value = Step> {
    let quoted = || prop_oneof![6 => Just(Quoted::Right), 1 => Just(Quoted::OneBefore), 1 => Just(Quoted::Wrong)];
    let prev = prop::option::weighted(0.8, quoted());
    let rare = || prop::bool::weighted(0.1);
    (0..4usize, 0..2usize, quoted(), prev, rare(), rare(), 0..2 * DAY).prop_map(
        |(author, list, version, prev, suspension, large, age)| {
            // Mostly of the hour.
            let age = if age % 8 == 0 { age } else { age % 3_600 };
            Step { author, list, version, prev, suspension, large, age }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn ledger_and_model_agree(steps in proptest::collection::vec(step(), 1..40)) {
        let Chain { mut world, ministry, agency, university, tao, .. } = Chain::new();
        let city = party("city");
        world.register(&city, START);
        let end = world.end(tao, START + 20, EndReason::CessationOfOperation);
        world.by(&ministry, START, end).expect("ended");
        assert_eq!(world.attribute(tao).issuer_type, IssuerType::Tao);
        let authors = [&ministry, &agency, &university, &city];
        // The model: the versions of each list, by author and list.
        let mut lists: BTreeMap<(usize, usize), Vec<Kept>> = BTreeMap::new();
        for (second, step) in (0..).zip(steps) {
            let (author, time) = (authors[step.author], START + second);
            let versions = lists.entry((step.author, step.list)).or_default();
            let before = |back: usize| versions.iter().rev().nth(back).map(|(.., record)| *record);
            let prev = step.prev.and_then(|prev| match prev {
                Quoted::Right => before(0),
                Quoted::OneBefore => before(1),
                Quoted::Wrong => Some(nowhere()),
            });
            let next = versions.len() as u64 + 1;
            let version = match step.version {
                Quoted::Right => next,
                Quoted::OneBefore => next - 1,
                Quoted::Wrong => next + 1,
            };
            let (mut suspension, mut large) = (step.suspension, step.large);
            if let Some((first_suspension, first_large, _)) = versions.first() {
                suspension ^= first_suspension;
                large ^= first_large;
            }
            let accredited = match step.author {
                0 => true,
                1 | 2 => second < 20,
                _ => false,
            };
            let expected = if !accredited && versions.is_empty() {
                Err("status.not-accredited")
            } else if versions.is_empty() && prev.is_some() {
                Err("status.unknown")
            } else if prev != before(0) {
                Err("status.stale")
            } else if version != next {
                Err("status.version")
            } else if versions.first().is_some_and(|(s, l, _)| (*s, *l) != (suspension, large)) {
                Err("status.changed")
            } else if step.age > DAY {
                Err("status.issued")
            } else {
                Ok(Outcome::StatusPublished)
            };
            let mut status = unsigned(&author.did, &jkt(&author.key), ["a", "b"][step.list], version, time - step.age);
            status.purpose = if suspension { StatusPurpose::Suspension } else { StatusPurpose::Revocation };
            status.size = if large { SIZE + 8 } else { SIZE };
            let record = world.sign(&author.did, &jkt(&author.key), &author.key, time, publish(status, prev));
            prop_assert_eq!(world.ledger.one(time, &record), expected, "step {}", second);
            if expected.is_ok() {
                versions.push((suspension, large, record.id()));
            }
        }
        for ((author, list), versions) in lists {
            let head = newest(&world, &authors[author].did, ["a", "b"][list]);
            prop_assert_eq!(head.as_ref().map_or(0, |entry| entry.seq), versions.len() as u64);
            prop_assert_eq!(head.map(|entry| entry.record), versions.last().map(|(.., record)| *record));
        }
    }
}
