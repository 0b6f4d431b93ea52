//! Rules of accreditations: who reserves, fills and ends, with which credential, and what governance does for Root TAOs.

use crate::support::registry::*;
use crate::support::{START, key};
use testamur_primitives::did::Did;
use testamur_primitives::hash::AttributeId;
use testamur_primitives::identity::changes::DidChange;
use testamur_primitives::issuers::accreditation::CredentialKind;
use testamur_primitives::issuers::{self, EndReason, Entity, Identifier, IdentifierScheme, IssuerType, LegalName};
use testamur_primitives::limits::ISSUER_ATTRIBUTES_MAX;
use testamur_primitives::record::{Act, Change};
use testamur_primitives::units::UnixTime;
use testamur_registry::Outcome;

const DONE: Result<Outcome, &str> = Ok(Outcome::AccreditationChanged);
const NOW: u64 = START + 1_000;

/// A chain, and a college that the agency is about to accredit under the name `college`.
fn with_college() -> (Chain, Party) {
    let mut chain = Chain::new();
    let college = party("college");
    chain.world.register(&college, START);
    (chain, college)
}

/// The same, reserved already.
fn with_place() -> (Chain, Party, AttributeId) {
    let (mut chain, college) = with_college();
    let reserve = chain.world.reserve("college", &college.did, IssuerType::Ti, chain.tao);
    assert_eq!(chain.world.by(&chain.agency, START, reserve), DONE);
    (chain, college, attribute_id("college"))
}

#[test]
fn a_chain_grows_from_governance_to_the_university() {
    let chain = Chain::new();
    let world = &chain.world;
    let (root, tao, ti) = (world.attribute(chain.root), world.attribute(chain.tao), world.attribute(chain.ti));
    assert_eq!(root.parent, AttributeId::ZERO);
    assert_eq!((root.accreditor.clone(), root.root.clone()), (root.subject.clone(), root.subject.clone()));
    assert_eq!((tao.parent, ti.parent), (chain.root, chain.tao));
    assert_eq!((&tao.root, &ti.root), (&chain.ministry.did, &chain.ministry.did));
    assert_eq!((ti.seq, ti.filled), (2, Some(UnixTime(START))));
    let listed = issuers::issuer(&world.ledger.state, &chain.university.did).unwrap().unwrap();
    assert_eq!(listed.attributes, [chain.ti]);
    assert_eq!(issuers::issuer(&world.ledger.state, &ledger_did("nobody")).unwrap(), None);
}

#[test]
fn only_an_accreditor_reserves_within_its_right() {
    let (mut chain, college) = with_college();
    let (root, tao, ti) = (chain.root, chain.tao, chain.ti);
    let reserve = |name: &str, subject: &Did, issuer_type, parent| Act::ReserveAttribute {
        attribute: attribute_id(name),
        subject: subject.clone(),
        issuer_type,
        parent,
        entity: entity(name),
        prev: None,
    };
    let own = |parent| reserve("college", &party("college").did, IssuerType::Ti, parent);
    let stranger = party("stranger");
    chain.world.register(&stranger, START);
    let zero = match own(tao) {
        Act::ReserveAttribute { subject, issuer_type, parent, entity, prev, .. } => {
            Act::ReserveAttribute { attribute: AttributeId::ZERO, subject, issuer_type, parent, entity, prev }
        }
        other => other,
    };
    let cases = [
        (&chain.university, own(ti), "issuer.type"),
        (&chain.university, own(tao), "issuer.not-the-accreditor"),
        (&chain.ministry, own(tao), "issuer.not-the-accreditor"),
        (&stranger, own(tao), "issuer.not-the-accreditor"),
        (&stranger, own(attribute_id("nothing")), "issuer.parent"),
        (&chain.agency, own(AttributeId::ZERO), "issuer.parent"),
        (&chain.agency, reserve("agency", &college.did, IssuerType::Ti, tao), "issuer.attribute-taken"),
        (&chain.agency, zero, "issuer.attribute-taken"),
        (&chain.agency, reserve("self", &chain.agency.did, IssuerType::Ti, tao), "issuer.self-accreditation"),
        (&chain.agency, reserve("circle", &chain.ministry.did, IssuerType::Tao, tao), "issuer.circle"),
        (&chain.agency, reserve("root", &college.did, IssuerType::RootTao, tao), "issuer.type"),
        (&chain.ministry, reserve("root", &college.did, IssuerType::RootTao, root), "issuer.type"),
        (&chain.agency, reserve("key", &crate::support::did("writer", 0), IssuerType::Ti, tao), "did.form"),
        (&chain.agency, reserve("other", &Did::of_ledger("other", &[1; 16]), IssuerType::Ti, tao), "did.form"),
    ];
    for (number, (author, act, expected)) in cases.into_iter().enumerate() {
        let before = chain.world.ledger.root;
        let text = format!("case {number}: {} {act:?}", author.name);
        assert_eq!(chain.world.by(author, NOW, act), Err(expected), "{text}");
        assert_eq!(chain.world.ledger.root, before, "INV-EXECUTE-1");
    }
    // The subject need not be registered yet.
    let later = chain.world.reserve("later", &ledger_did("later"), IssuerType::Ti, tao);
    assert_eq!(chain.world.by(&chain.agency, NOW, later), DONE);
    // A closed one is not accredited any more.
    let update = chain.world.update(&stranger.did, vec![DidChange::Deactivate {}]);
    chain.world.by(&stranger, NOW, update).unwrap();
    let closed = chain.world.reserve("closed", &stranger.did, IssuerType::Ti, tao);
    assert_eq!(chain.world.by(&chain.agency, NOW, closed), Err("did.deactivated"));
}

#[test]
fn a_reservation_changes_who_the_subject_is_and_nothing_else() {
    let (mut chain, college, place) = with_place();
    let prev = chain.world.attribute(place).record;
    let rename = |subject: &Did, issuer_type, parent, prev| Act::ReserveAttribute {
        attribute: attribute_id("college"),
        subject: subject.clone(),
        issuer_type,
        parent,
        entity: entity("College of Europe"),
        prev: Some(prev),
    };
    let good = |prev| rename(&party("college").did, IssuerType::Ti, attribute_id("agency"), prev);
    let cases = [
        (&chain.agency, rename(&chain.university.did, IssuerType::Ti, chain.tao, prev), "issuer.attribute-taken"),
        (&chain.agency, rename(&college.did, IssuerType::Tao, chain.tao, prev), "issuer.attribute-taken"),
        (&chain.agency, rename(&college.did, IssuerType::Ti, chain.root, prev), "issuer.attribute-taken"),
        (&chain.agency, good(nowhere()), "issuer.stale"),
        (&chain.ministry, good(prev), "issuer.not-the-accreditor"),
        (&college, good(prev), "issuer.not-the-accreditor"),
        (
            &chain.agency,
            chain.world.reserve("college", &college.did, IssuerType::Ti, chain.tao),
            "issuer.attribute-taken",
        ),
    ];
    for (number, (author, act, expected)) in cases.into_iter().enumerate() {
        assert_eq!(chain.world.by(author, NOW, act), Err(expected), "case {number}");
    }
    let unknown = match good(prev) {
        Act::ReserveAttribute { subject, issuer_type, parent, entity, prev, .. } => {
            Act::ReserveAttribute { attribute: attribute_id("no"), subject, issuer_type, parent, entity, prev }
        }
        other => other,
    };
    assert_eq!(chain.world.by(&chain.agency, NOW, unknown), Err("issuer.unknown-attribute"));
    let credential = Credential::of(&chain.world.attribute(place), place).sign(&chain.agency.key);
    let fill = chain.world.fill(place, credential);
    assert_eq!(chain.world.by(&college, NOW, fill), DONE);
    let prev = chain.world.attribute(place).record;
    assert_eq!(chain.world.by(&chain.agency, NOW, good(prev)), DONE);
    let entry = chain.world.attribute(place);
    assert_eq!((entry.seq, entry.entity.names[0].name.as_str()), (3, "College of Europe"));
    assert!(entry.credential.is_some(), "the credential stays");
    assert_eq!(entry.filled, Some(UnixTime(NOW)));
}

#[test]
fn an_entity_is_who_it_says_in_good_form() {
    let (mut chain, college) = with_college();
    let name = |lang: &str, name: &str| LegalName { lang: lang.into(), name: name.into() };
    let eter = |value: &str| Identifier { scheme: IdentifierScheme::Eter, value: value.into() };
    let with = |change: &dyn Fn(&mut Entity)| {
        let mut entity = entity("College");
        change(&mut entity);
        entity
    };
    let bad = [
        with(&|e| e.names = vec![]),
        with(&|e| e.names = (0..33).map(|n| name(&format!("en-x{n:03}"), "x")).collect()),
        with(&|e| e.names = vec![name("en", "")]),
        with(&|e| e.names = vec![name("en", &"é".repeat(101))]),
        with(&|e| e.names = vec![name("en", "two\nlines")]),
        with(&|e| e.names = vec![name("en", "a"), name("en", "b")]),
        with(&|e| e.names = vec![name("sr-Latn", "a"), name("sr-latn", "b")]),
        with(&|e| e.names = vec![name("e", "a")]),
        with(&|e| e.names = vec![name("engl", "a")]),
        with(&|e| e.names = vec![name("EN", "a")]),
        with(&|e| e.names = vec![name("en-", "a")]),
        with(&|e| e.names = vec![name("en-a", "a")]),
        with(&|e| e.names = vec![name("en-ninechars", "a")]),
        with(&|e| e.names = vec![name("en_GB", "a")]),
        with(&|e| e.country = "be".into()),
        with(&|e| e.country = "BEL".into()),
        with(&|e| e.country = "Б".into()),
        with(&|e| e.identifiers = vec![eter("BE0001"), eter("BE0001")]),
        with(&|e| e.identifiers = vec![eter("")]),
        with(&|e| e.identifiers = vec![eter("a b")]),
        with(&|e| e.identifiers = vec![eter(&"1".repeat(65))]),
        with(&|e| e.identifiers = (0..9).map(|n| eter(&format!("BE{n}"))).collect()),
    ];
    let act = |entity: Entity| Act::ReserveAttribute {
        attribute: attribute_id("college"),
        subject: party("college").did,
        issuer_type: IssuerType::Ti,
        parent: attribute_id("agency"),
        entity,
        prev: None,
    };
    for entity in bad {
        let text = format!("{entity:?}");
        assert_eq!(chain.world.by(&chain.agency, NOW, act(entity.clone())), Err("issuer.entity"), "{text}");
        let did = college.did.clone();
        let root = Change::AccreditRoot { did, jkt: jkt(&college.key), attribute: attribute_id("r"), entity };
        assert_eq!(chain.world.govern(NOW, root), Err("issuer.entity"), "governance: {text}");
    }
    let good = with(&|e| {
        e.names = vec![name("el", "Πανεπιστήμιο"), name("sr-Latn-RS", "Univerzitet"), name("gsw", &"é".repeat(100))];
        e.identifiers = vec![eter("BE0001"), Identifier { scheme: IdentifierScheme::Vat, value: "BE0001".into() }];
    });
    assert_eq!(chain.world.by(&chain.agency, NOW, act(good)), DONE);
}

#[test]
fn the_credential_is_checked_before_it_enters_the_ledger() {
    let (mut chain, college, place) = with_place();
    let good = Credential::of(&chain.world.attribute(place), place);
    let with = |change: &dyn Fn(&mut Credential)| {
        let mut credential = good.clone();
        change(&mut credential);
        credential
    };
    let agency = key("agency", 0);
    let degree = |types: &[&str], places: &[&str]| vec![accredited_for("degree", types, places)];
    let cases = [
        // Form, and what it is about.
        ("no jws".to_owned(), "issuer.credential"),
        (with(&|c| c.kind = CredentialKind::AccreditationToAccredit).sign(&agency), "issuer.credential"),
        (with(&|c| c.kind = CredentialKind::AuthorisationForTrustChain).sign(&agency), "issuer.credential"),
        (with(&|c| c.subject = ledger_did("other")).sign(&agency), "issuer.credential"),
        (with(&|c| c.attribute = None).sign(&agency), "issuer.credential"),
        (with(&|c| c.attribute = Some(attribute_id("other"))).sign(&agency), "issuer.credential"),
        (with(&|c| c.issuer = ledger_did("ministry")).sign(&key("ministry", 0)), "issuer.credential"),
        (with(&|c| c.issuer = ledger_did("college")).sign(&key("college", 0)), "issuer.credential"),
        (with(&|c| c.parent = None).sign(&agency), "issuer.credential"),
        (
            with(&|c| c.parent = Some(format!("https://x/{}", attribute_id("ministry")))).sign(&agency),
            "issuer.credential",
        ),
        (with(&|c| c.scopes = vec![]).sign(&agency), "issuer.credential"),
        // Key and signature.
        (good.sign(&key("forger", 0)), "issuer.credential-key"),
        (good.sign_as(&key("forger", 0), &jkt(&agency)), "issuer.signature"),
        // Scopes.
        (
            with(&|c| c.scopes = vec![accredited_for("license", &["Degree"], &["BEL"])]).sign(&agency),
            "issuer.scope-schema",
        ),
        (with(&|c| c.scopes = degree(&["Degree", "Passport"], &["BEL"])).sign(&agency), "issuer.scope-type"),
        (with(&|c| c.scopes = degree(&["Degree"], &["BEL", "LUX"])).sign(&agency), "issuer.scope-jurisdiction"),
        (with(&|c| c.scopes = degree(&["Degree"], &[])).sign(&agency), "issuer.scope-jurisdiction"),
        (with(&|c| c.scopes = degree(&["Degree"], &["BELX"])).sign(&agency), "issuer.scope-jurisdiction"),
        (
            with(&|c| c.scopes.push(accredited_for("license", &["Degree"], &["BEL"]))).sign(&agency),
            "issuer.scope-schema",
        ),
        // Dates.
        (with(&|c| c.from = NOW + 1).sign(&agency), "issuer.dates"),
        (with(&|c| c.until = Some(NOW)).sign(&agency), "issuer.dates"),
    ];
    for (number, (credential, expected)) in cases.into_iter().enumerate() {
        let before = chain.world.ledger.root;
        let fill = chain.world.fill(place, credential);
        assert_eq!(chain.world.by(&college, NOW, fill), Err(expected), "case {number}: INV-ISSUER-1");
        assert_eq!(chain.world.ledger.root, before, "INV-EXECUTE-1");
    }
    // Not by anybody else, not over what the author has not seen, and not where there is no place.
    let fill = chain.world.fill(place, good.sign(&agency));
    for author in [&chain.agency, &chain.university, &chain.ministry] {
        assert_eq!(chain.world.by(author, NOW, fill.clone()), Err("issuer.not-the-subject"));
    }
    let fill_as = |attribute, prev| Act::FillAttribute { attribute, prev, credential: good.sign(&key("agency", 0)) };
    assert_eq!(chain.world.by(&college, NOW, fill_as(place, nowhere())), Err("issuer.stale"));
    let nothing = fill_as(attribute_id("nothing"), nowhere());
    assert_eq!(chain.world.by(&college, NOW, nothing), Err("issuer.unknown-attribute"));
    // Narrower is fine: a part of the jurisdiction, one of the types; and the parent with 0x.
    let narrow = with(&|c| {
        c.scopes = degree(&["Diploma"], &["BEL_VLG"]);
        c.parent = Some(format!("https://x/0x{}", attribute_id("agency")));
    });
    let fill = chain.world.fill(place, narrow.sign(&agency));
    assert_eq!(chain.world.by(&college, NOW, fill), DONE);
    // And again, when it is renewed; the old one stays in its entry.
    let fill = chain.world.fill(place, with(&|c| c.until = Some(NOW + 9_000)).sign(&agency));
    assert_eq!(chain.world.by(&college, NOW + 5, fill), DONE);
    let old = issuers::attribute_at(&chain.world.ledger.state, place, UnixTime(NOW + 4)).unwrap().unwrap();
    assert_eq!((old.seq, old.filled), (2, Some(UnixTime(NOW))));
    assert_eq!(chain.world.attribute(place).filled, Some(UnixTime(NOW + 5)));
}

#[test]
fn a_subject_does_not_go_back_to_a_credential_that_was_wider() {
    let mut chain = Chain::new();
    let wide = Credential::of(&chain.world.attribute(chain.tao), chain.tao);
    let narrow =
        Credential { from: NOW, scopes: vec![accredited_for("degree", &["Degree"], &["BEL"])], ..wide.clone() };
    let ministry = key("ministry", 0);
    for (credential, expected) in [(&narrow, DONE), (&wide, Err("issuer.dates")), (&narrow, DONE)] {
        let fill = chain.world.fill(chain.tao, credential.sign(&ministry));
        assert_eq!(chain.world.by(&chain.agency, NOW, fill), expected);
    }
}

#[test]
fn the_key_behind_a_credential_must_be_good_when_the_ledger_takes_it() {
    let (mut chain, college, place) = with_place();
    let [old, new, other] = [0, 1, 2].map(|n| key("agency", n));
    let credential = Credential::of(&chain.world.attribute(place), place);
    let invoke_only = method(&other, &[grant(USES[0])]);
    let update = chain.world.update(&chain.agency.did, vec![DidChange::AddMethod { method: invoke_only }]);
    chain.world.by(&chain.agency, NOW, update).unwrap();
    let fill = chain.world.fill(place, credential.sign(&other));
    assert_eq!(chain.world.by(&college, NOW, fill), Err("issuer.credential-key"), "not for assertions");
    let roll = DidChange::RollMethod {
        old: jkt(&old),
        key: new.public_key().to_jwk(),
        not_before: UnixTime(NOW),
        not_after: None,
        old_not_after: UnixTime(NOW + 10),
    };
    let update = chain.world.update(&chain.agency.did, vec![roll]);
    chain.world.by(&chain.agency, NOW, update).unwrap();
    let fill = chain.world.fill(place, credential.sign(&old));
    assert_eq!(chain.world.by(&college, NOW + 10, fill), Err("issuer.credential-key"), "rolled");
    // The agency's own accreditation was signed by the ministry: it holds whatever the agency's keys do.
    let fill = chain.world.fill(place, credential.sign(&new));
    assert_eq!(chain.world.by(&college, NOW + 10, fill), DONE);
    let update = chain.world.update(&chain.agency.did, vec![DidChange::Deactivate {}]);
    assert_eq!(chain.world.by_key(&chain.agency.did, &new, NOW + 20, update), Ok(Outcome::DidChanged));
    let fill = chain.world.fill(place, credential.sign(&new));
    assert_eq!(chain.world.by(&college, NOW + 20, fill), Err("did.deactivated"));
}

#[test]
fn a_child_ends_with_its_parent_and_does_not_outlive_it() {
    let mut chain = Chain::new();
    let (agency, college) = (party("second agency"), party("college"));
    chain.world.register(&agency, START);
    chain.world.register(&college, START);
    let reserve = chain.world.reserve("second agency", &agency.did, IssuerType::Tao, chain.root);
    chain.world.by(&chain.ministry, START, reserve).unwrap();
    let tao = attribute_id("second agency");
    let credential = Credential { until: Some(NOW), ..Credential::of(&chain.world.attribute(tao), tao) };
    let fill = chain.world.fill(tao, credential.sign(&chain.ministry.key));
    chain.world.by(&agency, START, fill).unwrap();
    let reserve = chain.world.reserve("college", &college.did, IssuerType::Ti, tao);
    chain.world.by(&agency, START, reserve).unwrap();
    let place = attribute_id("college");
    let until = |until| Credential { until, ..Credential::of(&chain.world.attribute(place), place) }.sign(&agency.key);
    let [endless, longer, same] = [None, Some(NOW + 1), Some(NOW)].map(until);
    for (credential, expected) in [(endless, Err("issuer.dates")), (longer, Err("issuer.dates")), (same.clone(), DONE)]
    {
        let fill = chain.world.fill(place, credential);
        assert_eq!(chain.world.by(&college, START + 1, fill), expected);
    }
    // When the parent has expired, nothing is filled and nothing reserved under it.
    let fill = chain.world.fill(place, same);
    assert_eq!(chain.world.by(&college, NOW, fill), Err("issuer.dates"), "its own dates come first");
    let early = Credential { until: Some(NOW + 9), ..Credential::of(&chain.world.attribute(place), place) };
    let fill = chain.world.fill(place, early.sign(&agency.key));
    assert_eq!(chain.world.by(&college, NOW, fill), Err("issuer.parent"));
    let reserve = chain.world.reserve("more", &chain.university.did, IssuerType::Ti, tao);
    assert_eq!(chain.world.by(&agency, NOW, reserve), Err("issuer.parent"));
    // The same when a link further up ends.
    let end = chain.world.end(chain.tao, NOW, EndReason::PrivilegeWithdrawn);
    assert_eq!(chain.world.by(&chain.ministry, NOW, end), DONE);
    let fill =
        chain.world.fill(chain.ti, Credential::of(&chain.world.attribute(chain.ti), chain.ti).sign(&chain.agency.key));
    assert_eq!(chain.world.by(&chain.university, NOW, fill), Err("issuer.parent"), "renewed under an ended parent");
    let reserve = chain.world.reserve("more", &college.did, IssuerType::Ti, chain.tao);
    assert_eq!(chain.world.by(&chain.agency, NOW, reserve), Err("issuer.parent"));
}

#[test]
fn chains_have_at_most_five_links() {
    let mut chain = Chain::new();
    let names = ["tao 2", "tao 3", "tao 4"];
    let (mut above, mut parent) = (party("agency"), chain.tao);
    for name in names {
        let next = party(name);
        chain.world.register(&next, START);
        let reserve = chain.world.reserve(name, &next.did, IssuerType::Tao, parent);
        assert_eq!(chain.world.by(&above, START, reserve), DONE);
        let attribute = attribute_id(name);
        let credential = Credential::of(&chain.world.attribute(attribute), attribute).sign(&above.key);
        let fill = chain.world.fill(attribute, credential);
        assert_eq!(chain.world.by(&next, START, fill), DONE, "{name}");
        (above, parent) = (next, attribute);
    }
    let sixth = chain.world.reserve("sixth", &ledger_did("sixth"), IssuerType::Ti, parent);
    assert_eq!(chain.world.by(&above, START, sixth), Err("issuer.too-deep"), "INV-ISSUER-2");
    // Nobody above is accredited from below, at any distance.
    for (number, name) in ["ministry", "agency", "tao 2", "tao 3"].into_iter().enumerate() {
        let circle = chain.world.reserve(&format!("c{number}"), &ledger_did(name), IssuerType::Tao, parent);
        assert_eq!(chain.world.by(&above, START, circle), Err("issuer.circle"), "INV-ISSUER-2: {name}");
    }
}

#[test]
fn an_issuer_has_so_many_accreditations() {
    let mut chain = Chain::new();
    let subject = ledger_did("collector");
    for number in 0..ISSUER_ATTRIBUTES_MAX {
        let reserve = chain.world.reserve(&format!("a{number}"), &subject, IssuerType::Ti, chain.tao);
        assert_eq!(chain.world.by(&chain.agency, START, reserve), DONE);
    }
    let reserve = chain.world.reserve("one more", &subject, IssuerType::Ti, chain.tao);
    assert_eq!(chain.world.by(&chain.agency, START, reserve), Err("issuer.limit"));
    let (jkt, attribute) = (jkt(&key("collector", 0)), attribute_id("one more"));
    let root = Change::AccreditRoot { did: subject, jkt, attribute, entity: entity("x") };
    assert_eq!(chain.world.govern(START, root), Err("issuer.limit"));
}

#[test]
fn an_accreditation_ends_by_its_accreditor_at_a_date_for_a_reason() {
    let (mut chain, college, place) = with_place();
    let credential = Credential::of(&chain.world.attribute(place), place).sign(&chain.agency.key);
    let fill = chain.world.fill(place, credential.clone());
    chain.world.by(&college, START + 500, fill).unwrap();
    let world = &chain.world;
    let cases = [
        (&college, world.end(place, NOW, EndReason::Superseded), "issuer.not-the-accreditor"),
        (&chain.ministry, world.end(place, NOW, EndReason::Superseded), "issuer.not-the-accreditor"),
        (&chain.ministry, world.end(chain.root, NOW, EndReason::Superseded), "issuer.type"),
        (&chain.agency, world.end(place, NOW - 1, EndReason::Superseded), "issuer.end-date"),
        (&chain.agency, world.end(place, NOW - 1, EndReason::CessationOfOperation), "issuer.end-date"),
        (&chain.agency, world.end(place, NOW - 1, EndReason::PrivilegeWithdrawn), "issuer.end-date"),
        (&chain.agency, world.end(place, START - 1, EndReason::ObtainedByFraud), "issuer.end-date"),
        (
            &chain.agency,
            Act::EndAccreditation {
                attribute: place,
                prev: nowhere(),
                effective: UnixTime(NOW),
                reason: EndReason::Superseded,
            },
            "issuer.stale",
        ),
        (
            &chain.agency,
            Act::EndAccreditation {
                attribute: attribute_id("nothing"),
                prev: nowhere(),
                effective: UnixTime(NOW),
                reason: EndReason::Superseded,
            },
            "issuer.unknown-attribute",
        ),
    ];
    for (number, (author, act, expected)) in cases.into_iter().enumerate() {
        assert_eq!(chain.world.by(author, NOW, act), Err(expected), "case {number}");
    }
    // An end ahead can be brought forward, also into the past for fraud, and never put off.
    let steps = [
        (NOW + 100, EndReason::CessationOfOperation, DONE),
        (NOW + 100, EndReason::Superseded, Err("issuer.ended")),
        (NOW + 101, EndReason::Superseded, Err("issuer.ended")),
        (NOW + 99, EndReason::Superseded, DONE),
        (START + 400, EndReason::KeyCompromise, DONE),
        (START + 300, EndReason::ObtainedByFraud, Err("issuer.ended")),
    ];
    for (number, (effective, reason, expected)) in steps.into_iter().enumerate() {
        let end = chain.world.end(place, effective, reason);
        assert_eq!(chain.world.by(&chain.agency, NOW, end), expected, "step {number}");
        // It is open no more, from the first end on.
        let fill = chain.world.fill(place, credential.clone());
        assert_eq!(chain.world.by(&college, NOW, fill), Err("issuer.ended"));
        let prev = chain.world.attribute(place).record;
        let rename = Act::ReserveAttribute {
            attribute: place,
            subject: college.did.clone(),
            issuer_type: IssuerType::Ti,
            parent: chain.tao,
            entity: entity("x"),
            prev: Some(prev),
        };
        assert_eq!(chain.world.by(&chain.agency, NOW, rename), Err("issuer.ended"));
    }
    let entry = chain.world.attribute(place);
    assert_eq!(entry.ended.map(|e| (e.effective.0, e.reason)), Some((START + 400, EndReason::KeyCompromise)));
    assert!(entry.credential.is_some(), "what was held stays explainable");
    // An accreditor that is none itself any more still ends what it began.
    let end = chain.world.end(chain.tao, NOW, EndReason::PrivilegeWithdrawn);
    assert_eq!(chain.world.by(&chain.ministry, NOW, end), DONE);
    let end = chain.world.end(chain.ti, NOW, EndReason::Superseded);
    assert_eq!(chain.world.by(&chain.agency, NOW, end), DONE);
}

#[test]
fn root_taos_are_governances() {
    let mut chain = Chain::new();
    let second = party("second ministry");
    let accredit = |attribute: &str, thumbprint: String| Change::AccreditRoot {
        did: party("second ministry").did,
        jkt: thumbprint,
        attribute: attribute_id(attribute),
        entity: entity("second ministry"),
    };
    let good = jkt(&second.key);
    assert_eq!(chain.world.govern(START, accredit("x", "x".into())), Err("governance.thumbprint"));
    assert_eq!(chain.world.govern(START, accredit("agency", good.clone())), Err("issuer.attribute-taken"));
    let elsewhere = Change::AccreditRoot {
        did: Did::of_ledger("other", &[1; 16]),
        jkt: good.clone(),
        attribute: attribute_id("x"),
        entity: entity("x"),
    };
    assert_eq!(chain.world.govern(START, elsewhere), Err("did.form"));
    let by_the_ministry = chain.world.sign(
        &chain.ministry.did,
        &jkt(&chain.ministry.key),
        &chain.ministry.key,
        START,
        crate::support::propose(accredit("x", good.clone()), 1),
    );
    assert_eq!(chain.world.ledger.one(START, &by_the_ministry), Err("governance.not-an-operator"), "INV-ISSUER-3");
    assert!(chain.world.govern(START, accredit("second", good.clone())).is_ok());
    assert_eq!(chain.world.by(&second, START, insert(vec![usual(&second.key)])), Ok(Outcome::DidChanged));
    let place = attribute_id("second");
    // Its credential is its own, of the kind for roots; scopes are optional, termsOfUse too.
    let own = Credential::of(&chain.world.attribute(place), place);
    let tao = Credential { kind: CredentialKind::AccreditationToAccredit, ..own.clone() };
    let foreign = Credential { issuer: chain.ministry.did.clone(), ..own.clone() };
    for (credential, expected) in [
        (tao.sign(&second.key), Err("issuer.credential")),
        (foreign.sign(&chain.ministry.key), Err("issuer.credential")),
        (own.sign_as(&key("forger", 0), &good), Err("issuer.signature")),
        (own.sign(&second.key), DONE),
    ] {
        let fill = chain.world.fill(place, credential);
        assert_eq!(chain.world.by(&second, START, fill), expected);
    }
    // One that is registered needs no admission, and gets none.
    assert!(chain.world.govern(START, accredit("third", good)).is_ok());
    assert_eq!(chain.world.attribute(attribute_id("third")).issuer_type, IssuerType::RootTao);
    // Governance ends it, by the same rules of dates; accreditors' business is not governance's.
    let end = |attribute, effective, reason| Change::EndRoot { attribute, effective: UnixTime(effective), reason };
    for (change, expected) in [
        (end(attribute_id("nothing"), NOW, EndReason::Superseded), Err("issuer.unknown-attribute")),
        (end(chain.tao, NOW, EndReason::Superseded), Err("issuer.type")),
        (end(place, NOW - 1, EndReason::Superseded), Err("issuer.end-date")),
        (end(place, NOW + 5, EndReason::Superseded), Ok(())),
        (end(place, NOW + 5, EndReason::Superseded), Err("issuer.ended")),
        (end(place, NOW, EndReason::ObtainedByFraud), Ok(())),
    ] {
        let text = format!("{change:?}");
        assert_eq!(chain.world.govern(NOW, change).map(|_| ()), expected, "{text}");
    }
    let reserve = chain.world.reserve("under", &ledger_did("under"), IssuerType::Ti, place);
    assert_eq!(chain.world.by(&second, NOW, reserve), Err("issuer.parent"), "nothing grows under an ended root");
}

#[test]
fn a_bound_proposal_is_checked_again_when_it_is_carried_out() {
    let mut world = World::of(crate::support::Ledger::new(crate::support::genesis(2, 2, 0)));
    let ministry = party("ministry");
    let root = |name: &str| Change::AccreditRoot {
        did: party("ministry").did,
        jkt: jkt(&party("ministry").key),
        attribute: attribute_id(name),
        entity: entity("ministry"),
    };
    let both = |world: &mut World, change: Change, time: u64, approved: u64| {
        let version = world.ledger.version();
        let act = Act::Propose { change, governance_version: version, expires: UnixTime(time + 86_400) };
        let proposal = world.ledger.record(&key("operator", 0), &format!("p{version}-{time}"), time, act);
        assert_eq!(world.ledger.one(time, &proposal), Ok(Outcome::Proposed { executed: None }));
        world.by_did_key(&key("operator", 1), approved, crate::support::approve(&proposal, version))
    };
    assert_eq!(both(&mut world, root("ministry"), START, START), Ok(Outcome::Approved { executed: Some(2) }));
    world.by(&ministry, START, insert(vec![usual(&ministry.key)])).unwrap();
    let end = Change::EndRoot {
        attribute: attribute_id("ministry"),
        effective: UnixTime(START + 100),
        reason: EndReason::CessationOfOperation,
    };
    // The approval comes after the date that was proposed: nothing ends in the past for this reason.
    assert_eq!(both(&mut world, end.clone(), START + 50, START + 101), Err("issuer.end-date"));
    assert_eq!(world.attribute(attribute_id("ministry")).ended, None);
    let late = Change::EndRoot {
        attribute: attribute_id("ministry"),
        effective: UnixTime(START + 300),
        reason: EndReason::CessationOfOperation,
    };
    assert_eq!(both(&mut world, late, START + 200, START + 300), Ok(Outcome::Approved { executed: Some(3) }));
    assert_eq!(world.attribute(attribute_id("ministry")).ended.map(|e| e.effective.0), Some(START + 300));
}

#[test]
fn a_credential_of_another_shape_is_refused_without_state() {
    let (mut chain, college, place) = with_place();
    let act =
        |credential: &str| Act::FillAttribute { attribute: place, prev: nowhere(), credential: credential.into() };
    for bad in ["", "a.b", "a.b.c", "e30.e30.", &"x".repeat(32_769)] {
        assert_eq!(chain.world.by(&college, NOW, act(bad)), Err("issuer.credential"), "{:.20}", bad);
    }
}
