//! Schemas: who may publish which text under which id, every rejection, and any sequence of revisions against a naive
//! model.

use std::collections::BTreeMap;

use crate::support::START;
use crate::support::registry::{Chain, Party, World, nowhere, party};
use proptest::prelude::*;
use testamur_primitives::hash::{RecordId, SchemaId};
use testamur_primitives::issuers::{EndReason, IssuerType};
use testamur_primitives::record::{Act, RecordError};
use testamur_primitives::schemas::{self, SchemaEntry, id_of};
use testamur_primitives::units::UnixTime;
use testamur_registry::Outcome;

/// A schema of one's own, with an annotation.
fn body(property: &str, title: &str) -> String {
    format!(
        r##"{{"$schema":"https://json-schema.org/draft/2020-12/schema","properties":{{"{property}":{{"$ref":"#/$defs/x"}}}},"title":"{title}"}}"##
    )
}

fn chosen(byte: u8) -> SchemaId {
    SchemaId::from_bytes([byte; 32])
}

fn publish(schema: SchemaId, body: &str, prev: Option<RecordId>) -> Act {
    Act::PublishSchema { schema, body: body.to_owned(), prev }
}

/// Publishing under the id that the text has.
fn first(text: &str) -> Act {
    publish(id_of(text).expect("a schema"), text, None)
}

fn newest(world: &World, id: SchemaId) -> Option<SchemaEntry> {
    schemas::schema(&world.ledger.state, id).expect("sound")
}

#[test]
fn a_schema_has_revisions() {
    let Chain { mut world, university, .. } = Chain::new();
    let (old, new) = (body("ects", "Diploma"), body("ects", "Degree"));
    let id = id_of(&old).unwrap();
    assert_eq!(id_of(&new), Ok(id), "an annotation is not in the id");
    assert_eq!(world.by(&university, START + 1, first(&old)), Ok(Outcome::SchemaPublished));
    let entry = newest(&world, id).unwrap();
    assert_eq!((entry.seq, entry.time, &entry.owner, &entry.body), (1, UnixTime(START + 1), &university.did, &old));
    assert_eq!(world.by(&university, START + 2, publish(id, &new, Some(entry.record))), Ok(Outcome::SchemaPublished));
    let entry = newest(&world, id).unwrap();
    assert_eq!((entry.seq, &entry.body), (2, &new));
    let other = body("hours", "Degree");
    assert_ne!(id_of(&other), Ok(id), "a revision may say something else; its id stays");
    assert_eq!(world.by(&university, START + 3, publish(id, &other, Some(entry.record))), Ok(Outcome::SchemaPublished));
    let bodies: Vec<_> = (1..=4)
        .map(|number| schemas::revision(&world.ledger.state, id, number).expect("sound").map(|entry| entry.body))
        .collect();
    assert_eq!(bodies, [Some(old), Some(new), Some(other), None]);
}

#[test]
fn a_text_that_does_not_stand_on_its_own_is_rejected() {
    let Chain { mut world, university, .. } = Chain::new();
    let good = body("a", "t");
    let cases = [
        (good.replace("2020-12", "2019-09"), "schema.draft"),
        (good.replace("\"$schema\"", "\"$schemb\""), "schema.draft"),
        (good.replace("#/$defs/x", "https://evil.example/x"), "schema.remote-reference"),
        (good.replace("#/$defs/x", "other.json#/x"), "schema.remote-reference"),
        (good.replace("$ref", "$dynamicRef").replace('#', "//h#"), "schema.remote-reference"),
        (good.replace(":", ": "), "schema.malformed"),
        (good.replace("\"t\"", "1e3"), "schema.malformed"),
        ("[]".to_owned(), "schema.malformed"),
        ("not JSON".to_owned(), "schema.malformed"),
        (String::new(), "schema.malformed"),
        ("[".repeat(5_000), "schema.malformed"),
        (body("a", &"x".repeat(32_768)), "schema.too-large"),
    ];
    for (text, expected) in cases {
        let root = world.ledger.root;
        let outcome = world.by(&university, START, publish(chosen(1), &text, None));
        assert_eq!(outcome, Err(expected), "{}", text.chars().take(120).collect::<String>());
        assert_eq!(world.ledger.root, root, "INV-EXECUTE-1: a rejected record leaves no trace");
    }
}

/// A record holds 64 KiB: ten megabytes do not even become one.
#[test]
fn a_huge_text_is_no_record() {
    let Chain { mut world, university, .. } = Chain::new();
    let huge = body("a", &"x".repeat(10_000_000));
    let small = world.sign(&university.did, "x", &university.key, START, first(&body("a", "t")));
    let mut payload = small.payload().clone();
    payload.act = publish(chosen(1), &huge, None);
    let error = testamur_primitives::record::Record::sign(&payload, small.kid(), &university.key).unwrap_err();
    assert!(matches!(error, RecordError::TooLarge(_)), "{error}");
    let largest = body("a", &"x".repeat(32_768 - body("a", "").len()));
    assert_eq!(largest.len(), 32_768);
    assert_eq!(world.by(&university, START, first(&largest)), Ok(Outcome::SchemaPublished), "the largest fits");
}

#[test]
fn an_id_follows_from_the_text_unless_a_root_chooses_it() {
    let Chain { mut world, ministry, agency, university, root, .. } = Chain::new();
    let text = body("a", "t");
    for (party, expected) in
        [(&agency, Err("schema.id")), (&university, Err("schema.id")), (&ministry, Ok(Outcome::SchemaPublished))]
    {
        assert_eq!(world.by(party, START, publish(chosen(1), &text, None)), expected, "INV-SCHEMA-1: {}", party.name);
    }
    assert_eq!(world.by(&university, START, first(&text)), Ok(Outcome::SchemaPublished), "the same text by its own id");
    // Somebody who is a Root TAO besides being accredited by another.
    let second = party("second ministry");
    world.root(&second, START);
    let place =
        world.reserve("the other", &ministry.did, IssuerType::Tao, crate::support::registry::attribute_id(second.name));
    world.by(&second, START, place).expect("reserved");
    let attribute = crate::support::registry::attribute_id("the other");
    let credential = crate::support::registry::Credential::of(&world.attribute(attribute), attribute).sign(&second.key);
    let fill = world.fill(attribute, credential);
    world.by(&ministry, START, fill).expect("filled");
    assert_eq!(world.by(&ministry, START, publish(chosen(2), &text, None)), Ok(Outcome::SchemaPublished));
    // No longer a Root TAO, and still accredited: the id must be the text's again.
    let end = testamur_primitives::record::Change::EndRoot {
        attribute: root,
        effective: UnixTime(START + 1),
        reason: EndReason::CessationOfOperation,
    };
    world.govern(START + 1, end).expect("ended");
    assert_eq!(world.by(&ministry, START + 1, publish(chosen(3), &text, None)), Err("schema.id"));
    assert_eq!(world.by(&ministry, START + 1, first(&body("b", "t"))), Ok(Outcome::SchemaPublished));
}

#[test]
fn only_accredited_issuers_publish_and_only_the_first_publisher_revises() {
    let Chain { mut world, ministry, agency, university, tao, .. } = Chain::new();
    let city = party("city");
    world.register(&city, START);
    let (text, new) = (body("a", "t"), body("a", "u"));
    let id = id_of(&text).unwrap();
    assert_eq!(world.by(&city, START, first(&text)), Err("schema.not-accredited"));
    let writer = crate::support::key("writer", 0);
    assert_eq!(world.by_did_key(&writer, START, first(&text)), Err("did.not-registered"));
    assert_eq!(world.by(&university, START, publish(id, &text, Some(nowhere()))), Err("schema.unknown"));
    assert_eq!(world.by(&university, START, first(&text)), Ok(Outcome::SchemaPublished));
    let prev = newest(&world, id).map(|entry| entry.record);
    for other in [&ministry, &agency] {
        assert_eq!(world.by(other, START, publish(id, &new, prev)), Err("schema.not-the-owner"), "{}", other.name);
        assert_eq!(world.by(other, START, publish(id, &new, None)), Err("schema.not-the-owner"), "{}", other.name);
    }
    assert_eq!(world.by(&university, START, publish(id, &new, None)), Err("schema.stale"));
    assert_eq!(world.by(&university, START, publish(id, &new, Some(nowhere()))), Err("schema.stale"));
    assert_eq!(world.by(&university, START, publish(id, &text, prev)), Err("schema.unchanged"));
    let end = world.end(tao, START + 10, EndReason::PrivilegeWithdrawn);
    world.by(&ministry, START + 10, end).expect("ended");
    assert_eq!(world.by(&university, START + 10, publish(id, &new, prev)), Err("schema.not-accredited"));
    let everyday = crate::support::key("everyday", 0);
    let uses = [crate::support::registry::grant(testamur_primitives::identity::Relationship::AssertionMethod)];
    let change = testamur_primitives::identity::changes::DidChange::AddMethod {
        method: crate::support::registry::method(&everyday, &uses),
    };
    let update = world.update(&ministry.did, vec![change]);
    world.by(&ministry, START + 10, update).expect("changed");
    let refused = world.by_key(&ministry.did, &everyday, START + 10, first(&body("c", "t")));
    assert_eq!(refused, Err("did.key-not-granted"), "a schema is no everyday work");
}

#[derive(Debug, Clone)]
struct Step {
    author: usize,
    property: usize,
    title: usize,
    /// Under the id of this text, or under one of one's own choice.
    id: Option<usize>,
    prev: Prev,
}

#[derive(Debug, Clone, Copy)]
enum Prev {
    None,
    Right,
    Wrong,
}

/// What the model keeps of a schema: its publisher, and the property, title and record of each revision.
type Kept = (usize, Vec<(usize, usize, RecordId)>);

const PROPERTIES: [&str; 3] = ["title", "default", "ects"];

fn step() -> impl Strategy<Value = Step> {
    let prev = prop_oneof![2 => Just(Prev::None), 5 => Just(Prev::Right), 1 => Just(Prev::Wrong)];
    (0..4usize, 0..3usize, 0..2usize, prop::option::weighted(0.8, 0..3usize), prev)
        .prop_map(|(author, property, title, id, prev)| Step { author, property, title, id, prev })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn ledger_and_model_agree(steps in proptest::collection::vec(step(), 1..40)) {
        let Chain { mut world, ministry, agency, university, tao, .. } = Chain::new();
        let city = party("city");
        world.register(&city, START);
        let end = world.end(tao, START + 25, EndReason::CessationOfOperation);
        world.by(&ministry, START, end).expect("ended");
        let authors: [&Party; 4] = [&ministry, &agency, &university, &city];
        let mut model: BTreeMap<SchemaId, Kept> = BTreeMap::new();
        let id_of_property: Vec<_> = PROPERTIES.iter().map(|p| id_of(&body(p, "")).unwrap()).collect();
        for (second, step) in (0..).zip(steps) {
            let (author, time) = (authors[step.author], START + second);
            let id = step.id.map_or(chosen(5), |n| id_of_property[n]);
            let found = model.get(&id);
            let right = found.map(|(_, revisions)| revisions[revisions.len() - 1].2);
            let prev = match step.prev {
                Prev::None => None,
                Prev::Right => right,
                Prev::Wrong => Some(nowhere()),
            };
            let accredited = step.author == 0 || step.author < 3 && second < 25;
            let last = found.map(|(_, revisions)| &revisions[revisions.len() - 1]);
            let expected = match found {
                _ if !accredited => Err("schema.not-accredited"),
                None if prev.is_some() => Err("schema.unknown"),
                None if step.id != Some(step.property) && step.author != 0 => Err("schema.id"),
                None => Ok(Outcome::SchemaPublished),
                Some((owner, _)) if *owner != step.author => Err("schema.not-the-owner"),
                Some(_) if prev != right => Err("schema.stale"),
                Some(_) if last.is_some_and(|(p, t, _)| (*p, *t) == (step.property, step.title)) => {
                    Err("schema.unchanged")
                }
                Some(_) => Ok(Outcome::SchemaPublished),
            };
            let text = body(PROPERTIES[step.property], ["old", "new"][step.title]);
            let fragment = crate::support::registry::jkt(&author.key);
            let record = world.sign(&author.did, &fragment, &author.key, time, publish(id, &text, prev));
            prop_assert_eq!(world.ledger.one(time, &record), expected, "step {}", second);
            if expected.is_ok() {
                let (_, revisions) = model.entry(id).or_insert((step.author, Vec::new()));
                revisions.push((step.property, step.title, record.id()));
            }
        }
        for (id, (owner, revisions)) in model {
            let entry = newest(&world, id).expect("published");
            prop_assert_eq!((&entry.owner, entry.seq), (&authors[owner].did, revisions.len() as u64));
            for (number, (property, title, record)) in (1..).zip(revisions) {
                let entry = schemas::revision(&world.ledger.state, id, number).expect("sound").expect("published");
                prop_assert_eq!(entry.record, record);
                prop_assert_eq!(entry.body, body(PROPERTIES[property], ["old", "new"][title]));
            }
        }
    }
}
