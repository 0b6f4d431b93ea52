//! Rules of DID documents: who registers one, who changes it, which key may sign, and what can never happen.

use crate::support::registry::*;
use crate::support::{START, did, genesis, key, notarise};
use testamur_primitives::did::Did;
use testamur_primitives::identity::changes::{DidChange, NewMethod};
use testamur_primitives::identity::{self, KeyRefusal, Relationship, Service};
use testamur_primitives::issuers::accreditation::CredentialKind;
use testamur_primitives::key::SigningKey;
use testamur_primitives::limits::{DID_CONTROLLERS_MAX, DID_GRANTS_MAX, DID_METHODS_MAX};
use testamur_primitives::record::{Act, Change, RevocationReason};
use testamur_primitives::units::UnixTime;
use testamur_registry::{Outcome, network};

const DONE: Result<Outcome, &str> = Ok(Outcome::DidChanged);
const YEAR: u64 = 31_536_000;

fn service(id: &str) -> Service {
    Service { id: id.into(), r#type: "Website".into(), endpoint: "https://university.example".into() }
}

fn roll(old: &SigningKey, new: &SigningKey, at: u64, old_until: u64) -> DidChange {
    DidChange::RollMethod {
        old: jkt(old),
        key: new.public_key().to_jwk(),
        not_before: UnixTime(at),
        not_after: None,
        old_not_after: UnixTime(old_until),
    }
}

#[test]
fn a_did_registers_with_the_key_that_governance_admitted() {
    let mut world = World::new();
    let university = party("university");
    let act = || insert(vec![usual(&university.key)]);
    assert_eq!(world.by(&university, START, act()), Err("did.not-authorised"));
    assert_eq!(world.by(&university, START, notarise(1)), Err("did.not-registered"));
    let admit = |key: &SigningKey| Change::AdmitDid { did: party("university").did, jkt: jkt(key) };
    world.govern(START, admit(&key("typo", 0))).unwrap();
    assert_eq!(world.by(&university, START, act()), Err("did.other-key"), "a DID that others read of is not theirs");
    world.govern(START, admit(&university.key)).unwrap();
    assert_eq!(world.govern(START, admit(&university.key)), Err("governance.already-admitted"));
    let thief = key("thief", 0);
    let stolen = world.by_key(&university.did, &thief, START, insert(vec![usual(&thief)]));
    assert_eq!(stolen, Err("did.other-key"));
    assert_eq!(world.by(&university, START, act()), DONE);
    assert_eq!(world.by(&university, START + 1, act()), Err("did.already-registered"));
    assert_eq!(world.govern(START, admit(&university.key)), Err("did.already-registered"));
    let document = world.document(&university.did);
    assert_eq!(document.controllers, std::slice::from_ref(&university.did));
    assert_eq!(document.methods[0].id, identity::thumbprint(&university.key.public_key()), "INV-DID-3");
    assert_eq!(world.by(&university, START, notarise(1)), Ok(Outcome::Notarised), "no grant is needed");
}

#[test]
fn an_accredited_issuer_authorises_too() {
    let mut chain = Chain::new();
    let newcomer = party("college");
    let jkt_of = |key: &SigningKey| jkt(key);
    let good = Credential::onboarding(&chain.agency.did, &newcomer.did, jkt_of(&newcomer.key));
    let act = |authorisation: String| Act::InsertDid {
        methods: vec![usual(&party("college").key)],
        controllers: Vec::new(),
        services: Vec::new(),
        authorisation: Some(authorisation),
    };
    let with = |change: &dyn Fn(&mut Credential)| {
        let mut credential = good.clone();
        change(&mut credential);
        credential
    };
    let agency = key("agency", 0);
    let stranger = party("stranger");
    chain.world.register(&stranger, START);
    let refused = [
        ("garbage".to_owned(), "did.authorisation"),
        (with(&|c| c.subject = ledger_did("other")).sign(&agency), "did.authorisation"),
        (with(&|c| c.jkt = None).sign(&agency), "did.authorisation"),
        (with(&|c| c.jkt = Some(jkt_of(&key("other", 0)))).sign(&agency), "did.other-key"),
        (with(&|c| c.from = START + 9).sign(&agency), "did.authorisation"),
        (with(&|c| (c.from, c.until) = (START - 9, Some(START))).sign(&agency), "did.authorisation"),
        (with(&|c| c.issuer = stranger.did.clone()).sign(&stranger.key), "did.authorisation"),
        (with(&|c| c.issuer = ledger_did("nobody")).sign(&agency), "did.authorisation"),
        (good.sign(&key("forger", 0)), "did.authorisation"),
        (good.sign_as(&key("forger", 0), &jkt(&agency)), "did.authorisation"),
        (with(&|c| c.kind = CredentialKind::AccreditationToAttest).sign(&agency), "did.authorisation"),
        ("x".repeat(32_769), "did.limit"),
    ];
    for (number, (authorisation, expected)) in refused.into_iter().enumerate() {
        let root = chain.world.ledger.root;
        assert_eq!(chain.world.by(&newcomer, START, act(authorisation)), Err(expected), "case {number}");
        assert_eq!(chain.world.ledger.root, root, "INV-EXECUTE-1");
    }
    assert_eq!(chain.world.by(&newcomer, START, act(good.sign(&agency))), DONE);
    // Any accredited issuer may: the university onboards its college.
    let second = party("second college");
    let by_university = Credential::onboarding(&chain.university.did, &second.did, jkt(&second.key));
    let act = Act::InsertDid {
        methods: vec![usual(&second.key)],
        controllers: Vec::new(),
        services: Vec::new(),
        authorisation: Some(by_university.sign(&chain.university.key)),
    };
    assert_eq!(chain.world.by(&second, START, act), DONE);
}

#[test]
fn what_cannot_be_registered_is_refused_by_name() {
    let mut world = World::new();
    let university = party("university");
    let own = &university.key;
    world.govern(START, Change::AdmitDid { did: university.did.clone(), jkt: jkt(own) }).unwrap();
    let off_curve = {
        let mut jwk = SigningKey::p256(&[9; 32]).unwrap().public_key().to_jwk();
        jwk.y = Some(jwk.x.clone());
        NewMethod { key: jwk, grants: vec![grant(Relationship::AssertionMethod)] }
    };
    let full = |act: Act, controllers: Vec<Did>, services: Vec<Service>| match act {
        Act::InsertDid { methods, authorisation, .. } => {
            Act::InsertDid { methods, controllers, services, authorisation }
        }
        other => other,
    };
    let plain = || insert(vec![usual(&party("university").key)]);
    let bad_service = |change: &dyn Fn(&mut Service)| {
        let mut service = service("web");
        change(&mut service);
        full(plain(), Vec::new(), vec![service])
    };
    let cases = [
        // The key that signs is none of the act's own, or not good for registering now.
        (insert(vec![usual(&key("other", 1))]), "did.unknown-key"),
        (insert(vec![method(own, &[grant(Relationship::AssertionMethod)])]), "did.key-not-granted"),
        (insert(vec![method(own, &[window(USES[0], START + 1, None)])]), "did.key-not-yet-valid"),
        (insert(vec![method(own, &[window(USES[0], START - 9, Some(START))])]), "did.key-expired"),
        // What the document must not hold.
        (insert(Vec::new()), "did.document"),
        (insert(vec![method(own, &[])]), "did.document"),
        (insert(vec![usual(own), usual(own)]), "did.document"),
        (insert(vec![usual(own), off_curve]), "did.malformed-key"),
        (insert(vec![method(own, &[window(USES[0], START, Some(START))])]), "did.window"),
        (insert(vec![method(own, &vec![grant(USES[0]); 21])]), "did.limit"),
        (insert((0..65).map(|n| usual(&key("university", n))).collect()), "did.limit"),
        (full(plain(), vec![did("writer", 0)], Vec::new()), "did.not-registered"),
        (full(plain(), vec![ledger_did("nobody")], Vec::new()), "did.not-registered"),
        (full(plain(), vec![university.did.clone(); 2], Vec::new()), "did.document"),
        (full(plain(), (0..9).map(|n| ledger_did(&format!("c{n}"))).collect(), Vec::new()), "did.limit"),
        (full(plain(), Vec::new(), (0..9).map(|n| service(&format!("s{n}"))).collect()), "did.limit"),
        (full(plain(), Vec::new(), vec![service("web"), service("web")]), "did.document"),
        (bad_service(&|s| s.endpoint = "http://university.example".into()), "did.document"),
        (bad_service(&|s| s.endpoint = "https://".into()), "did.document"),
        (bad_service(&|s| s.endpoint = "https://a b".into()), "did.document"),
        (bad_service(&|s| s.endpoint = format!("https://{}", "a".repeat(256))), "did.document"),
        (bad_service(&|s| s.id = "a/b".into()), "did.document"),
        (bad_service(&|s| s.id = String::new()), "did.document"),
        (bad_service(&|s| s.r#type = "Ünï".into()), "did.document"),
    ];
    for (number, (act, expected)) in cases.into_iter().enumerate() {
        let root = world.ledger.root;
        let text = format!("case {number}: {act:?}");
        assert_eq!(world.by(&university, START, act), Err(expected), "{text}");
        assert_eq!(world.ledger.root, root, "INV-EXECUTE-1");
    }
    // Signed by another key under the right key id.
    let forged = world.sign(&university.did, &jkt(own), &key("forger", 0), START, plain());
    assert_eq!(world.ledger.one(START, &forged), Err("record.signature"));
    // A DID of another form, or of another ledger.
    let web: Did = "did:web:university.example".parse().unwrap();
    assert_eq!(world.by_key(&web, own, START, plain()), Err("did.form"));
    let elsewhere = Did::of_ledger("other", &[7; 16]);
    assert_eq!(world.by_key(&elsewhere, own, START, plain()), Err("did.form"));
    assert_eq!(world.by_did_key(&key("stranger", 0), START, plain()), Err("did.form"), "a did:key registers nothing");
    // A controller that can act no more is none (INV-DID-2).
    let ministry = party("ministry");
    let short = window(USES[0], START, Some(START + 5));
    world.register_with(&ministry, START, insert(vec![method(&ministry.key, &[short])]));
    let left_alone = full(plain(), vec![ministry.did.clone()], Vec::new());
    assert_eq!(world.by(&university, START + 5, left_alone), Err("did.locked-out"), "INV-DID-2");
    assert_eq!(world.by(&university, START + 5, plain()), DONE, "after all that, the good one goes through");
}

#[test]
fn keys_sign_what_they_are_for_while_they_are_valid() {
    let mut world = World::new();
    let university = party("university");
    let keys: Vec<_> = (1..=8).map(|n| key("university", n)).collect();
    let [assert_only, auth_only, early, late, revoked, old, new, stolen] = keys.as_slice() else { unreachable!() };
    let both = |from, until| USES.map(|r| window(r, from, until));
    let methods = vec![
        usual(&university.key),
        method(assert_only, &[grant(Relationship::AssertionMethod)]),
        method(auth_only, &[grant(Relationship::Authentication)]),
        method(early, &both(START + 1_000, None)),
        method(late, &both(START, Some(START + 10))),
        usual(revoked),
        usual(old),
        usual(stolen),
    ];
    world.register_with(&university, START, insert(methods));
    let changes = vec![
        DidChange::RevokeMethod { method: jkt(revoked) },
        roll(old, new, START + 5, START + 20),
        DidChange::DeclareCompromised { method: jkt(stolen), from: UnixTime(START) },
    ];
    let update = world.update(&university.did, changes);
    assert_eq!(world.by(&university, START + 5, update), DONE);
    let cases = [
        (&university.key, START + 5, Ok(()), Ok(())),
        (assert_only, START + 5, Ok(()), Err("did.key-not-granted")),
        (auth_only, START + 5, Err("did.key-not-granted"), Err("did.key-not-granted")),
        (early, START + 999, Err("did.key-not-yet-valid"), Err("did.key-not-yet-valid")),
        (early, START + 1_000, Ok(()), Ok(())),
        (late, START + 9, Ok(()), Ok(())),
        (late, START + 10, Err("did.key-expired"), Err("did.key-expired")),
        (revoked, START + 5, Err("did.key-revoked"), Err("did.key-revoked")),
        (old, START + 19, Ok(()), Ok(())),
        (old, START + 20, Err("did.key-revoked"), Err("did.key-revoked")),
        (new, START + 5, Ok(()), Ok(())),
        (stolen, START + 5, Err("did.key-compromised"), Err("did.key-compromised")),
        (&key("nobody", 0), START + 5, Err("did.unknown-key"), Err("did.unknown-key")),
    ];
    // Block time never goes back.
    let mut cases = cases.to_vec();
    cases.sort_by_key(|case| case.1);
    for (signer, time, everyday, registry) in cases {
        let outcome = world.by_key(&university.did, signer, time, notarise(1));
        assert_eq!(outcome.map(|_| ()), everyday, "notarise with {} at {time}", jkt(signer));
        let update = world.update(&university.did, vec![DidChange::SetServices { services: vec![service("web")] }]);
        let outcome = world.by_key(&university.did, signer, time, update);
        assert_eq!(outcome.map(|_| ()), registry, "update with {} at {time}", jkt(signer));
    }
}

#[test]
fn every_curve_signs() {
    let keys = [
        SigningKey::ed25519(&[5; 32]),
        SigningKey::p256(&[5; 32]).unwrap(),
        SigningKey::p384(&[5; 48]).unwrap(),
        SigningKey::secp256k1(&[5; 32]).unwrap(),
    ];
    let mut world = World::new();
    for (number, signer) in keys.into_iter().enumerate() {
        let name: &'static str = ["ed", "p2", "p3", "k1"][number];
        let someone = Party { name, did: ledger_did(name), key: signer };
        world.register(&someone, START);
        assert_eq!(world.by(&someone, START, notarise(1)), Ok(Outcome::Notarised), "{name}");
        let address = identity::ebsi_address(&someone.key.public_key());
        assert_eq!(address.is_some(), name == "k1");
        if let Some(address) = address {
            let entry = identity::by_address(&world.ledger.state, &address).unwrap().unwrap();
            assert_eq!((entry.did, entry.method), (someone.did, jkt(&someone.key)));
        }
    }
}

#[test]
fn changes_that_cannot_apply_leave_no_trace() {
    let mut world = World::new();
    let (university, ministry) = (party("university"), party("ministry"));
    let (revoked, second, new) = (key("university", 1), key("university", 2), key("university", 3));
    world.register(&ministry, START);
    let methods = vec![
        usual(&university.key),
        usual(&revoked),
        method(&second, &[window(Relationship::AssertionMethod, START, Some(START + 50))]),
    ];
    world.register_with(&university, START, insert(methods));
    let update = world.update(&university.did, vec![DidChange::RevokeMethod { method: jkt(&revoked) }]);
    assert_eq!(world.by(&university, START + 9, update), DONE);
    let now = START + 100;
    let g = |r| grant(r);
    let rel = |method: &SigningKey, grant| DidChange::AddRelationship { method: jkt(method), grant };
    let compromised = |from| DidChange::DeclareCompromised { method: jkt(&key("university", 0)), from: UnixTime(from) };
    let expire = |of: &SigningKey, at| DidChange::ExpireMethod { method: jkt(of), not_after: UnixTime(at) };
    let cases: Vec<(Vec<DidChange>, &str)> = vec![
        (vec![], "did.document"),
        (vec![DidChange::SetServices { services: vec![] }; 17], "did.limit"),
        (vec![DidChange::SetServices { services: vec![service("a b")] }], "did.document"),
        (vec![DidChange::AddController { did: university.did.clone() }], "did.change"),
        (vec![DidChange::AddController { did: ledger_did("nobody") }], "did.not-registered"),
        (vec![DidChange::AddController { did: did("writer", 0) }], "did.not-registered"),
        (vec![DidChange::RevokeController { did: ministry.did.clone() }], "did.change"),
        (vec![DidChange::RevokeController { did: university.did.clone() }], "did.locked-out"),
        (vec![DidChange::AddMethod { method: usual(&university.key) }], "did.change"),
        (vec![DidChange::AddMethod { method: usual(&revoked) }], "did.change"),
        (vec![DidChange::AddMethod { method: method(&new, &[window(USES[0], 9, Some(9))]) }], "did.window"),
        (vec![rel(&new, g(USES[0]))], "did.change"),
        (vec![rel(&revoked, g(USES[0]))], "did.change"),
        (vec![rel(&second, window(USES[0], 9, Some(8)))], "did.window"),
        ((0..16).map(|_| rel(&second, g(USES[1]))).chain([rel(&second, g(USES[1]))]).collect(), "did.limit"),
        (vec![DidChange::RevokeMethod { method: jkt(&new) }], "did.change"),
        (vec![DidChange::RevokeMethod { method: jkt(&revoked) }], "did.change"),
        (vec![DidChange::RevokeMethod { method: jkt(&university.key) }], "did.locked-out"),
        (vec![expire(&university.key, now)], "did.change"),
        (vec![expire(&second, now + 1)], "did.change"),
        (vec![expire(&revoked, now + 1)], "did.change"),
        (vec![roll(&revoked, &new, now, now)], "did.change"),
        (vec![roll(&second, &new, now, now)], "did.change"),
        (vec![roll(&university.key, &new, now, now - 1)], "did.change"),
        (vec![roll(&university.key, &second, now, now)], "did.change"),
        (vec![compromised(now + 1)], "did.change"),
        (vec![compromised(now)], "did.locked-out"),
        (vec![DidChange::Deactivate {}, DidChange::SetServices { services: vec![] }], "did.change"),
        // All or nothing: the first of these would be fine.
        (
            vec![DidChange::AddMethod { method: usual(&new) }, DidChange::RevokeMethod { method: "x".into() }],
            "did.change",
        ),
    ];
    for (number, (changes, expected)) in cases.into_iter().enumerate() {
        let root = world.ledger.root;
        let text = format!("case {number}: {changes:?}");
        let update = world.update(&university.did, changes);
        assert_eq!(world.by(&university, now, update), Err(expected), "{text}");
        assert_eq!(world.ledger.root, root, "INV-EXECUTE-1");
    }
    let stale =
        Act::UpdateDid { did: university.did.clone(), prev: nowhere(), changes: vec![DidChange::Deactivate {}] };
    assert_eq!(world.by(&university, now, stale), Err("did.stale"));
    let foreign = world.update(&university.did, vec![DidChange::Deactivate {}]);
    assert_eq!(world.by(&ministry, now, foreign.clone()), Err("did.not-a-controller"), "INV-DID-1");
    let absent = Act::UpdateDid { did: ledger_did("nobody"), prev: nowhere(), changes: vec![DidChange::Deactivate {}] };
    assert_eq!(world.by(&university, now, absent), Err("did.not-registered"));
    assert_eq!(world.by_did_key(&key("writer", 0), now, foreign), Err("did.not-registered"));
}

/// By changes, one at a time, to what it may hold, and no further.
#[test]
fn a_document_grows_to_its_limits() {
    let mut world = World::new();
    let university = party("university");
    world.register(&university, START);
    let mut change = |change: DidChange| {
        let update = world.update(&university.did, vec![change]);
        world.by(&university, START, update)
    };
    for number in 1..=DID_METHODS_MAX as u32 {
        let added = change(DidChange::AddMethod { method: usual(&key("more", number)) });
        let expected = if number < DID_METHODS_MAX as u32 { DONE } else { Err("did.limit") };
        assert_eq!(added, expected, "key {number} besides the first");
    }
    let (method, uses) = (jkt(&key("more", 1)), usual(&key("more", 1)).grants.len());
    for number in uses + 1..=DID_GRANTS_MAX + 1 {
        let grant = grant(Relationship::KeyAgreement);
        let added = change(DidChange::AddRelationship { method: method.clone(), grant });
        assert_eq!(added, if number <= DID_GRANTS_MAX { DONE } else { Err("did.limit") }, "use {number}");
    }
    for (number, name) in ["c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8"].into_iter().enumerate() {
        let controller = party(name);
        world.register(&controller, START);
        let update = world.update(&university.did, vec![DidChange::AddController { did: controller.did }]);
        let expected = if number + 2 <= DID_CONTROLLERS_MAX { DONE } else { Err("did.limit") };
        assert_eq!(world.by(&university, START, update), expected, "{name} besides itself");
    }
}

#[test]
fn a_use_that_ends_before_it_begins_saves_nobody_from_being_locked_out() {
    let mut world = World::new();
    let university = party("university");
    let later = key("university", 1);
    let methods = vec![usual(&university.key), method(&later, &[window(USES[0], START + 1_000, None)])];
    world.register_with(&university, START, insert(methods));
    let expire = DidChange::ExpireMethod { method: jkt(&later), not_after: UnixTime(START + 500) };
    let revoke = DidChange::RevokeMethod { method: jkt(&university.key) };
    let both = world.update(&university.did, vec![expire, revoke.clone()]);
    assert_eq!(world.by(&university, START + 1, both), Err("did.locked-out"), "INV-DID-2");
    let update = world.update(&university.did, vec![revoke]);
    assert_eq!(world.by(&university, START + 1, update), DONE, "the later key will do");
}

#[test]
fn a_roll_hands_every_use_over_and_a_compromise_only_moves_back() {
    let mut world = World::new();
    let university = party("university");
    let new = key("university", 1);
    world.register(&university, START);
    let update = world.update(&university.did, vec![roll(&university.key, &new, START + 50, START + 100)]);
    assert_eq!(world.by(&university, START + 10, update), DONE);
    let document = world.document(&university.did);
    let check = |signer: &SigningKey, time: u64| document.method(&jkt(signer)).unwrap().check(&USES, UnixTime(time));
    assert_eq!(check(&university.key, START + 99), Ok(()));
    assert_eq!(check(&university.key, START + 100), Err(KeyRefusal::Revoked));
    assert_eq!(check(&new, START + 49), Err(KeyRefusal::NotYetValid));
    assert_eq!(check(&new, START + 50), Ok(()));
    // The grace of the old key can be cut short, and its compromise dated; only ever to an earlier time.
    let declare = |from| DidChange::DeclareCompromised { method: jkt(&party("university").key), from: UnixTime(from) };
    let update = world.update(&university.did, vec![DidChange::RevokeMethod { method: jkt(&university.key) }]);
    assert_eq!(world.by_key(&university.did, &new, START + 60, update), DONE);
    for (from, expected) in
        [(START + 40, DONE), (START + 40, Err("did.change")), (START + 41, Err("did.change")), (START + 5, DONE)]
    {
        let update = world.update(&university.did, vec![declare(from)]);
        assert_eq!(world.by_key(&university.did, &new, START + 70, update), expected, "{from}");
    }
    // As of a time before anybody knew: compromised all the same.
    let as_of = |time| identity::as_of(&world.ledger.state, &university.did, UnixTime(time)).unwrap();
    let then = as_of(START + 20).unwrap();
    assert_eq!(then.seq, 2);
    let old = |document: &identity::DidEntry, time| {
        document.usable_key(&jkt(&university.key), &USES, UnixTime(time)).map(|_| ())
    };
    assert_eq!(old(&then, START + 4), Ok(()));
    assert_eq!(old(&then, START + 5), Err(KeyRefusal::Compromised));
    assert_eq!(as_of(START - 1), None);
    let history = world.document(&university.did);
    assert_eq!((history.seq, history.methods.len()), (5, 2), "nothing leaves a document");
}

#[test]
fn a_deactivated_did_does_nothing_any_more() {
    let mut world = World::new();
    let (university, ministry) = (party("university"), party("ministry"));
    world.register(&ministry, START);
    world.register(&university, START);
    let update = world.update(&university.did, vec![DidChange::AddController { did: ministry.did.clone() }]);
    assert_eq!(world.by(&university, START, update), DONE);
    let update = world.update(&university.did, vec![DidChange::Deactivate {}]);
    assert_eq!(world.by(&university, START + 1, update), DONE);
    assert_eq!(world.by(&university, START + 2, notarise(1)), Err("did.deactivated"));
    let update = world.update(&university.did, vec![DidChange::SetServices { services: vec![] }]);
    assert_eq!(world.by(&university, START + 2, update.clone()), Err("did.deactivated"));
    assert_eq!(world.by(&ministry, START + 2, update), Err("did.deactivated"), "nor does a controller revive it");
    let again = insert(vec![usual(&university.key)]);
    assert_eq!(world.by(&university, START + 2, again), Err("did.already-registered"));
    let control = world.update(&ministry.did, vec![DidChange::AddController { did: university.did.clone() }]);
    assert_eq!(world.by(&ministry, START + 2, control), Err("did.deactivated"));
    let document = world.document(&university.did);
    let refusal = document.usable_key(&jkt(&university.key), &USES, UnixTime(START + 1));
    assert_eq!(refusal, Err(KeyRefusal::Revoked), "its keys ended with it");
    let before = identity::as_of(&world.ledger.state, &university.did, UnixTime(START)).unwrap().unwrap();
    assert!(before.usable_key(&jkt(&university.key), &USES, UnixTime(START)).is_ok(), "what was signed before stays");
}

#[test]
fn controllers_take_over_a_closed_university() {
    let mut chain = Chain::new();
    let (university, ministry) = (party("university"), party("ministry"));
    let world = &mut chain.world;
    let update = world.update(&university.did, vec![DidChange::AddController { did: ministry.did.clone() }]);
    assert_eq!(world.by(&university, START + 10, update), DONE);
    // The university closes; its keys are lost. The ministry puts a key of its own in, and ends the old one.
    let later = START + 3 * YEAR;
    let heir = key("heir", 0);
    let foreign = world.update(&university.did, vec![DidChange::AddMethod { method: usual(&heir) }]);
    assert_eq!(world.by(&party("agency"), later, foreign.clone()), Err("did.not-a-controller"), "INV-DID-1");
    assert_eq!(world.by_key(&university.did, &heir, later, notarise(1)), Err("did.unknown-key"));
    assert_eq!(world.by(&ministry, later, foreign), DONE);
    let end = world.update(
        &university.did,
        vec![
            DidChange::RevokeMethod { method: jkt(&university.key) },
            DidChange::RevokeController { did: university.did.clone() },
        ],
    );
    assert_eq!(world.by(&ministry, later, end), DONE, "the ministry alone controls it: INV-DID-2 holds through it");
    assert_eq!(world.by(&university, later, notarise(1)), Err("did.key-revoked"));
    assert_eq!(world.by_key(&university.did, &heir, later, notarise(1)), Ok(Outcome::Notarised));
    // The heir acts through the university's DID, and is not its controller.
    let update = world.update(&university.did, vec![DidChange::SetServices { services: vec![service("archive")] }]);
    assert_eq!(world.by_key(&university.did, &heir, later, update), Err("did.not-a-controller"));
    let give_up = world.update(&university.did, vec![DidChange::RevokeController { did: ministry.did.clone() }]);
    assert_eq!(world.by(&ministry, later, give_up), Err("did.locked-out"), "INV-DID-2");
}

#[test]
fn governance_takes_the_right_to_notarise_and_gives_it_back() {
    let mut world = World::new();
    let city = party("city");
    let revoke = |reason| Change::RevokeWriter { did: party("city").did, reason };
    let grant = || Change::GrantWriter { did: party("city").did };
    assert_eq!(world.govern(START, revoke(RevocationReason::PrivilegeWithdrawn)), Err("governance.not-a-writer"));
    assert_eq!(world.govern(START, grant()), Err("did.not-registered"));
    world.register(&city, START);
    assert_eq!(world.govern(START, grant()), Err("governance.already-a-writer"));
    for reason in [RevocationReason::PrivilegeWithdrawn, RevocationReason::KeyCompromise] {
        assert!(world.govern(START, revoke(reason)).is_ok());
        assert_eq!(
            world.govern(START, revoke(reason)),
            Err("governance.not-a-writer"),
            "there is nothing left to take"
        );
        assert_eq!(world.by(&city, START, notarise(1)), Err("notary.writer-revoked"));
        let update = world.update(&city.did, vec![DidChange::SetServices { services: vec![] }]);
        assert_eq!(world.by(&city, START, update), DONE, "its document is its own all the same");
        assert!(world.govern(START, grant()).is_ok(), "its keys may be other ones by now");
        assert_eq!(world.by(&city, START, notarise(1)), Ok(Outcome::Notarised));
    }
    let update = world.update(&city.did, vec![DidChange::Deactivate {}]);
    assert_eq!(world.by(&city, START, update), DONE);
    // The role was granted again, so it is there to be taken; it is of no use.
    assert!(world.govern(START, revoke(RevocationReason::CessationOfOperation)).is_ok());
    assert_eq!(world.govern(START, grant()), Err("did.deactivated"));
}

#[test]
fn a_ledger_has_its_own_method_name() {
    let mut genesis = genesis(1, 1, 0);
    let plain = testamur_registry::genesis_writes(&genesis);
    genesis.did_method = Some("example1".into());
    let named = testamur_registry::genesis_writes(&genesis);
    assert_eq!(named.len(), plain.len() + 2, "entry and head, where genesis names one");
    let ledger = crate::support::Ledger::new(genesis);
    assert_eq!(network::did_method(&ledger.state).unwrap(), "example1");
    let mut world = World::of(ledger);
    let own = key("own", 0);
    let ebsi = party("university");
    let admit = |did: &Did| Change::AdmitDid { did: did.clone(), jkt: jkt(&key("own", 0)) };
    assert_eq!(world.govern(START, admit(&ebsi.did)), Err("did.form"));
    let named = Did::of_ledger("example1", &[3; 16]);
    assert!(world.govern(START, admit(&named)).is_ok());
    assert_eq!(world.by_key(&named, &own, START, insert(vec![usual(&own)])), DONE);
}

#[test]
fn governance_admits_what_can_be_registered_only() {
    let mut world = World::new();
    let university = party("university");
    let good = jkt(&university.key);
    for bad in ["", "x", &good[1..], &format!("{good}A"), "did:key:z6Mk", &"=".repeat(43)] {
        let admit = Change::AdmitDid { did: university.did.clone(), jkt: bad.to_owned() };
        assert_eq!(world.govern(START, admit), Err("governance.thumbprint"), "{bad:?}");
    }
    for bad in [did("writer", 0), "did:web:example.org".parse().unwrap(), Did::of_ledger("other", &[1; 16])] {
        assert_eq!(world.govern(START, Change::AdmitDid { did: bad, jkt: good.clone() }), Err("did.form"));
    }
    let record = world.sign(
        &university.did,
        &good,
        &university.key,
        START,
        crate::support::propose(Change::AdmitDid { did: university.did.clone(), jkt: good.clone() }, 1),
    );
    assert_eq!(world.ledger.one(START, &record), Err("governance.not-an-operator"));
}
