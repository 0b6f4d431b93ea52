//! Dossiers: who may open and change one, every rejection, and any sequence of changes against a naive model.

use std::collections::BTreeMap;

use crate::support::registry::{Chain, World, insert, jkt, ledger_did, method, nowhere, party, window};
use crate::support::{START, did, key};
use proptest::prelude::*;
use testamur_primitives::commitment::DigestAlgorithm::{self, Sha2_256, Sha2_512};
use testamur_primitives::did::Did;
use testamur_primitives::dossiers::{self, DossierChange, DossierEntry, Owner};
use testamur_primitives::hash::RecordId;
use testamur_primitives::identity::Relationship;
use testamur_primitives::record::{Act, Bytes, Change, Record, RevocationReason};
use testamur_primitives::units::UnixTime;
use testamur_registry::Outcome;

const CHANGED: Result<Outcome, &str> = Ok(Outcome::DossierChanged);

fn digests(alg: DigestAlgorithm, count: usize, byte: u8) -> Vec<Bytes> {
    vec![Bytes(vec![byte; alg.digest_bytes()]); count]
}

fn open(count: usize) -> Act {
    Act::OpenDossier { alg: Sha2_256, entries: digests(Sha2_256, count, 1) }
}

fn add_version(alg: DigestAlgorithm, count: usize) -> DossierChange {
    DossierChange::AddVersion { alg, entries: digests(alg, count, 2) }
}

fn append(alg: DigestAlgorithm, count: usize) -> DossierChange {
    DossierChange::AppendDigests { alg, entries: digests(alg, count, 3) }
}

fn add_owner(did: &Did, not_before: u64, not_after: Option<u64>) -> DossierChange {
    let owner = Owner { did: did.clone(), not_before: UnixTime(not_before), not_after: not_after.map(UnixTime) };
    DossierChange::AddOwner { owner }
}

fn revoke_owner(did: &Did) -> DossierChange {
    DossierChange::RevokeOwner { did: did.clone() }
}

fn newest(world: &World, id: RecordId) -> DossierEntry {
    dossiers::newest(&world.ledger.state, id).expect("sound").expect("opened")
}

/// A change of a dossier as it stands.
fn update(world: &World, id: RecordId, change: DossierChange) -> Act {
    Act::UpdateDossier { dossier: id, prev: newest(world, id).record, change }
}

/// A record of a did:key author.
fn record(world: &World, author: &str, jti: &str, time: u64, act: Act) -> Record {
    world.ledger.record(&key(author, 0), jti, time, act)
}

/// A dossier of writer 0, with two digests.
fn opened(world: &mut World) -> RecordId {
    let record = record(world, "writer", "open", START, open(2));
    assert_eq!(world.ledger.one(START, &record), CHANGED);
    record.id()
}

#[test]
fn a_dossier_grows_and_forgets_nothing() {
    let mut world = World::new();
    let id = opened(&mut world);
    let first = newest(&world, id);
    assert_eq!((first.seq, first.version, first.record, first.entries.len()), (1, 1, id, 2));
    assert_eq!(first.owners, [Owner { did: did("writer", 0), not_before: UnixTime(START), not_after: None }]);
    let writer = key("writer", 0);
    for (time, change) in [(1, append(Sha2_256, 62)), (2, add_version(Sha2_512, 1)), (3, append(Sha2_512, 1))] {
        let act = update(&world, id, change);
        assert_eq!(world.by_did_key(&writer, START + time, act), CHANGED);
    }
    let steps: Vec<_> = (1..=4)
        .map(|n| dossiers::step(&world.ledger.state, id, n).expect("sound").expect("there"))
        .map(|entry| (entry.time.0 - START, entry.version, entry.alg, entry.entries.len()))
        .collect();
    assert_eq!(steps, [(0, 1, Sha2_256, 2), (1, 1, Sha2_256, 64), (2, 2, Sha2_512, 1), (3, 2, Sha2_512, 2)]);
    assert_eq!(newest(&world, id).owners, first.owners);
    assert_eq!(dossiers::newest(&world.ledger.state, nowhere()), Ok(None));
}

/// INV-DOSSIER-1: opening and changing need the right to notarise, whatever the author owns.
#[test]
fn whoever_may_notarise_opens_and_nobody_else() {
    let mut world = World::new();
    let (university, stranger) = (party("university"), party("stranger"));
    world.register(&university, START);
    assert_eq!(world.by(&university, START, open(1)), CHANGED, "a registered DID needs no grant");
    assert_eq!(world.by(&stranger, START, open(1)), Err("did.not-registered"));
    assert_eq!(world.by_did_key(&key("writer", 9), START, open(1)), Err("notary.not-a-writer"));
    assert_eq!(world.by_did_key(&key("operator", 0), START, open(1)), Err("notary.not-a-writer"));

    let id = opened(&mut world);
    let mine = world.sign(&university.did, &jkt(&university.key), &university.key, START, open(3));
    assert_eq!(world.ledger.one(START, &mine), CHANGED);
    for did in [did("writer", 0), university.did.clone()] {
        let revocation = Change::RevokeWriter { did, reason: RevocationReason::PrivilegeWithdrawn };
        world.govern(START + 1, revocation).expect("revoked");
    }
    let act = update(&world, id, append(Sha2_256, 1));
    assert_eq!(world.by_did_key(&key("writer", 0), START + 2, act), Err("notary.writer-revoked"));
    let act = update(&world, mine.id(), append(Sha2_256, 1));
    assert_eq!(world.by(&university, START + 2, act), Err("notary.writer-revoked"));
    assert_eq!(newest(&world, id).owners[0].not_after, None, "it owns the dossier all the same");
}

#[test]
fn everyday_keys_change_dossiers() {
    let mut world = World::new();
    let (clerk, reader) = (key("clerk", 0), key("reader", 0));
    let university = party("university");
    let uses = [Relationship::CapabilityInvocation, Relationship::AssertionMethod, Relationship::Authentication];
    let keys = [&university.key, &clerk, &reader];
    let methods = keys.iter().zip(uses).map(|(key, relationship)| method(key, &[window(relationship, START, None)]));
    let act = insert(methods.collect());
    world.register_with(&university, START, act);
    for (key, expected) in keys.iter().zip([CHANGED, CHANGED, Err("did.key-not-granted")]) {
        assert_eq!(world.by_key(&university.did, key, START, open(1)), expected);
    }
}

#[test]
fn changes_that_cannot_be_are_rejected() {
    let mut world = World::new();
    let id = opened(&mut world);
    let (writer, own) = (key("writer", 0), did("writer", 0));
    world.govern(START, Change::GrantWriter { did: did("writer", 1) }).expect("granted");
    let of = |dossier, prev, change| Act::UpdateDossier { dossier, prev, change };
    let guest = ledger_did("guest");
    let cases: Vec<(Act, &str)> = vec![
        (of(nowhere(), id, append(Sha2_256, 1)), "dossier.unknown"),
        (of(id, nowhere(), append(Sha2_256, 1)), "dossier.stale"),
        (of(id, id, append(Sha2_512, 1)), "dossier.content"),
        (of(id, id, append(Sha2_256, 63)), "dossier.content"),
        (of(id, id, add_owner(&own, START, None)), "dossier.owner"),
        (of(id, id, add_owner(&guest, START + 5, Some(START + 5))), "dossier.owner"),
        (of(id, id, add_owner(&guest, START + 5, Some(START + 4))), "dossier.owner"),
        (of(id, id, add_owner(&guest, 0, Some(START))), "dossier.owner"),
        (of(id, id, revoke_owner(&guest)), "dossier.owner"),
        (of(id, id, revoke_owner(&own)), "dossier.owner"),
    ];
    for (act, expected) in cases {
        let (root, text) = (world.ledger.root, format!("{act:?}"));
        assert_eq!(world.by_did_key(&writer, START, act), Err(expected), "{text}");
        assert_eq!(world.ledger.root, root, "INV-EXECUTE-1: a rejected record leaves no trace");
    }
    let act = update(&world, id, append(Sha2_256, 1));
    assert_eq!(world.by_did_key(&key("writer", 1), START, act), Err("dossier.not-an-owner"));
    let payload = |act| world.ledger.payload(&writer, "raw", START, act);
    for (act, expected) in [
        (open(0), "record.entry-count"),
        (open(65), "record.entry-count"),
        (of(id, id, add_version(Sha2_256, 65)), "record.entry-count"),
        (of(id, id, append(Sha2_256, 0)), "record.entry-count"),
        (Act::OpenDossier { alg: Sha2_512, entries: digests(Sha2_256, 1, 1) }, "record.entry-length"),
    ] {
        let error = Record::sign(&payload(act), &own.key_id().unwrap(), &writer).expect_err(expected);
        assert_eq!(error.code().0, expected);
    }
}

/// An owner's right begins and ends when its block says, never before.
#[test]
fn owners_come_and_go() {
    let Chain { mut world, university, ministry, .. } = Chain::new();
    let id = opened(&mut world);
    let (writer, own) = (key("writer", 0), did("writer", 0));
    let step = |world: &mut World, time, change| {
        let act = update(world, id, change);
        world.by_did_key(&writer, START + time, act)
    };
    let may = |world: &mut World, time| {
        let act = update(world, id, append(Sha2_256, 1));
        world.by(&university, START + time, act)
    };
    assert_eq!(step(&mut world, 10, add_owner(&university.did, START + 20, Some(START + 30))), CHANGED);
    assert_eq!(step(&mut world, 10, add_owner(&university.did, START + 40, None)), Err("dossier.owner"), "it is one");
    assert_eq!(may(&mut world, 19), Err("dossier.not-an-owner"));
    assert_eq!(may(&mut world, 20), CHANGED);
    assert_eq!(may(&mut world, 29), CHANGED);
    assert_eq!(may(&mut world, 30), Err("dossier.not-an-owner"));
    assert_eq!(step(&mut world, 30, revoke_owner(&university.did)), Err("dossier.owner"), "it ended by itself");
    assert_eq!(step(&mut world, 31, add_owner(&university.did, 0, None)), CHANGED, "an owner may come back");
    let since: Vec<_> = newest(&world, id).owners.iter().map(|owner| owner.not_before.0 - START).collect();
    assert_eq!(since, [0, 20, 31], "and is none for the time in between");
    let act = update(&world, id, revoke_owner(&own));
    assert_eq!(world.by(&university, START + 32, act), CHANGED, "an owner may take the first one's right");
    assert_eq!(step(&mut world, 32, append(Sha2_256, 1)), Err("dossier.not-an-owner"));
    let act = update(&world, id, revoke_owner(&university.did));
    assert_eq!(world.by(&university, START + 33, act), Err("dossier.owner"), "INV-DOSSIER-3");
    // A right that was taken before it began, and one that begins later, do not count as somebody.
    let act = update(&world, id, add_owner(&ministry.did, START + 50, None));
    assert_eq!(world.by(&university, START + 34, act), CHANGED);
    let act = update(&world, id, revoke_owner(&university.did));
    assert_eq!(world.by(&university, START + 35, act), Err("dossier.owner"), "INV-DOSSIER-3");
    let act = update(&world, id, revoke_owner(&ministry.did));
    assert_eq!(world.by(&university, START + 36, act), CHANGED);
    let taken = newest(&world, id).owners[3].clone();
    assert_eq!((taken.not_before.0 - START, taken.not_after), (50, Some(UnixTime(START + 50))), "it never holds");
    let act = update(&world, id, revoke_owner(&ministry.did));
    assert_eq!(world.by(&university, START + 37, act), Err("dossier.owner"), "it is taken already");
    let act = update(&world, id, add_owner(&ministry.did, START + 38, None));
    assert_eq!(world.by(&university, START + 38, act), CHANGED);
    let act = update(&world, id, revoke_owner(&university.did));
    assert_eq!(world.by(&university, START + 39, act), CHANGED, "an owner may go when another stays");
}

#[test]
fn owners_past_ones_included_are_bounded() {
    let mut world = World::new();
    let id = opened(&mut world);
    let writer = key("writer", 0);
    for number in 1..16u64 {
        let guest = ledger_did(&format!("guest {number}"));
        let until = (number % 2 == 0).then_some(START + number + 1);
        let act = update(&world, id, add_owner(&guest, 0, until));
        assert_eq!(world.by_did_key(&writer, START + number, act), CHANGED, "{number}");
    }
    let act = update(&world, id, add_owner(&ledger_did("one too many"), 0, None));
    assert_eq!(world.by_did_key(&writer, START + 16, act), Err("dossier.owner"));
    assert_eq!(newest(&world, id).owners.len(), 16);
}

#[derive(Debug, Clone)]
struct Step {
    author: usize,
    dossier: usize,
    stale: bool,
    what: What,
    wait: u64,
}

#[derive(Debug, Clone)]
enum What {
    Open(usize),
    Version { long: bool, count: usize },
    Append { long: bool, count: usize },
    Add { who: usize, from: u64, life: Option<u64> },
    Revoke(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let what = prop_oneof![
        2 => (1..40usize).prop_map(What::Open),
        2 => (any::<bool>(), 1..40usize).prop_map(|(long, count)| What::Version { long, count }),
        4 => (any::<bool>(), 1..40usize).prop_map(|(long, count)| What::Append { long, count }),
        4 => (0..4usize, 0..40u64, prop::option::of(0..40u64)).prop_map(|(who, from, life)| What::Add { who, from, life }),
        3 => (0..4usize).prop_map(What::Revoke),
    ];
    (0..4usize, 0..3usize, prop::bool::weighted(0.1), what, 0..5u64)
        .prop_map(|(author, dossier, stale, what, wait)| Step { author, dossier, stale, what, wait })
}

/// A dossier once more, as plainly as possible: versions with their digests, and owners by (who, from, until).
struct Model {
    id: RecordId,
    last: RecordId,
    versions: Vec<(bool, usize)>,
    owners: Vec<(usize, u64, u64)>,
}

const FOR_EVER: u64 = u64::MAX;

impl Model {
    fn owns(&self, who: usize, time: u64) -> bool {
        self.owners.iter().any(|(owner, from, until)| *owner == who && (*from..*until).contains(&time))
    }

    /// The place of somebody's right that is not over and not taken.
    fn open(&self, who: usize, time: u64) -> Option<usize> {
        self.owners.iter().position(|(owner, from, until)| *owner == who && *until > time && until > from)
    }

    fn change(&mut self, what: &What, time: u64) -> Result<(), &'static str> {
        match *what {
            What::Open(_) => unreachable!("opening is not a change"),
            What::Version { long, count } => self.versions.push((long, count)),
            What::Append { long, count } => {
                let (version_long, version_count) = self.versions.last_mut().expect("a version");
                if *version_long != long || *version_count + count > 64 {
                    return Err("dossier.content");
                }
                *version_count += count;
            }
            What::Add { who, from, life } => {
                let until = life.map_or(FOR_EVER, |life| START + from + life);
                let from = (START + from).max(time);
                if until <= from || self.open(who, time).is_some() || self.owners.len() == 16 {
                    return Err("dossier.owner");
                }
                self.owners.push((who, from, until));
            }
            What::Revoke(who) => {
                let place = self.open(who, time).ok_or("dossier.owner")?;
                let mut owners = self.owners.clone();
                owners[place].2 = owners[place].1.max(time);
                if !owners.iter().any(|(_, from, until)| (*from..*until).contains(&time)) {
                    return Err("dossier.owner");
                }
                self.owners = owners;
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn ledger_and_model_agree(steps in proptest::collection::vec(step(), 1..60)) {
        let mut world = World::new();
        for number in 1..3 {
            world.govern(START, Change::GrantWriter { did: did("writer", number) }).expect("granted");
        }
        // The last one may not notarise.
        let authors: Vec<Did> = (0..4).map(|number| did("writer", number)).collect();
        let (mut models, mut time): (Vec<Model>, _) = (Vec::new(), START);
        let alg = |long| if long { Sha2_512 } else { Sha2_256 };
        for (number, step) in steps.into_iter().enumerate() {
            time += step.wait;
            let model = models.get_mut(step.dossier);
            let (id, last) = model.as_ref().map_or((nowhere(), nowhere()), |model| (model.id, model.last));
            let prev = if step.stale { RecordId::from_bytes([0xaa; 32]) } else { last };
            let of = |change| Act::UpdateDossier { dossier: id, prev, change };
            let act = match step.what {
                What::Open(count) => open(count),
                What::Version { long, count } => of(add_version(alg(long), count)),
                What::Append { long, count } => of(append(alg(long), count)),
                What::Add { who, from, life } => {
                    of(add_owner(&authors[who], START + from, life.map(|life| START + from + life)))
                }
                What::Revoke(who) => of(revoke_owner(&authors[who])),
            };
            let record = world.ledger.record(&key("writer", u32::try_from(step.author).unwrap()), &format!("s{number}"), time, act);
            let window_is_empty = matches!(step.what, What::Add { life: Some(0), .. });
            let expected = match (&step.what, model) {
                _ if window_is_empty => Err("dossier.owner"),
                _ if step.author == 3 => Err("notary.not-a-writer"),
                (What::Open(count), _) => {
                    models.push(Model {
                        id: record.id(),
                        last: record.id(),
                        versions: vec![(false, *count)],
                        owners: vec![(step.author, time, FOR_EVER)],
                    });
                    Ok(())
                }
                (_, None) => Err("dossier.unknown"),
                (_, Some(model)) if !model.owns(step.author, time) => Err("dossier.not-an-owner"),
                (_, Some(_)) if step.stale => Err("dossier.stale"),
                (what, Some(model)) => model.change(what, time).map(|()| model.last = record.id()),
            };
            let found = world.ledger.one(time, &record);
            prop_assert_eq!(found, expected.map(|()| Outcome::DossierChanged), "step {} at {}", number, time - START);
        }
        for model in models {
            let entry = newest(&world, model.id);
            let (long, count) = *model.versions.last().expect("a version");
            prop_assert_eq!((entry.version, entry.alg), (model.versions.len() as u64, alg(long)));
            prop_assert_eq!((entry.entries.len(), entry.record), (count, model.last));
            let place: BTreeMap<&Did, usize> = authors.iter().zip(0..).collect();
            let owners: Vec<_> = entry
                .owners
                .iter()
                .map(|o| (place[&o.did], o.not_before.0, o.not_after.map_or(FOR_EVER, |end| end.0)))
                .collect();
            prop_assert_eq!(owners, model.owners);
        }
    }
}
