//! The native registry routes: answers, their proofs checked as a client checks them, and the message of each refusal.

use serde_json::Value;
use testamur_primitives::codec::sha256;
use testamur_primitives::identity;
use testamur_primitives::identity::changes::DidChange;
use testamur_primitives::issuers::chain::{ChainRefusal, accredited, trust_chain};
use testamur_primitives::key::SigningKey;
use testamur_primitives::state::evidence::{Evidence, ProvenState};
use testamur_primitives::status::BitList;
use testamur_primitives::units::UnixTime;
use testamur_primitives::{dossiers, issuers, schemas, status};

use crate::client::{get, request};
use crate::ledger::GENESIS_TIME;
use crate::node::TestNode;
use crate::world::{World, thumbprint};

/// The evidence of an answer, verified against genesis alone.
#[track_caller]
fn proven(world: &World, answer: &Value) -> ProvenState {
    let evidence: Evidence = serde_json::from_value(answer["evidence"].clone()).expect("evidence");
    let state = evidence.verify(&world.trust()).expect("it proves what it holds");
    assert_eq!(state.header().time.0, world.now(), "under the newest header");
    state
}

#[test]
fn a_document_is_read_as_of_any_time_and_again_from_its_proof() {
    let world = World::new();
    let party = &world.university;
    let registered = world.json(&format!("/v1/dids/{}", party.did));
    let before = world.now();
    let next = SigningKey::p256(&[9; 32]).unwrap();
    let roll = DidChange::RollMethod {
        old: thumbprint(&party.credential_key),
        key: next.public_key().to_jwk(),
        not_before: UnixTime(before + 1),
        not_after: None,
        old_not_after: UnixTime(before + 1),
    };
    world.update(party, party, vec![roll]);
    let now = world.now();
    for (at, usable) in [(before, party.kid(&party.credential_key)), (now, party.kid(&next))] {
        let target = format!("/v1/dids/{}?at={at}&proof=true", party.did);
        let view = world.json(&target);
        let found: Vec<_> = view["methods"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|m| m["usable_for"].as_array().unwrap().contains(&"assertionMethod".into()))
            .map(|m| m["kid"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(found, [usable.as_str()], "{target}");
        assert_eq!(view["document"]["assertionMethod"], serde_json::json!([usable]));
        let state = proven(&world, &view);
        let entry = identity::as_of(&state, &party.did, UnixTime(at)).unwrap().expect("registered");
        let document = identity::resolution::document(&party.did, &entry, UnixTime(at));
        assert_eq!(serde_json::to_value(document).unwrap(), view["document"], "the client's own answer");
        assert_eq!((view["version"].as_u64(), view["at"].as_u64()), (Some(entry.seq), Some(at)));
    }
    assert_eq!(registered["record"], world.json(&format!("/v1/dids/{}?at={before}", party.did))["record"]);
    let history = world.json(&format!("/v1/dids/{}/history?size=1", party.did));
    assert_eq!((history["total"].as_u64(), history["versions"][0]["version"].as_u64()), (Some(2), Some(1)));
    let rest = world.json(history["next"].as_str().unwrap());
    assert_eq!(rest["versions"][0]["methods"].as_array().unwrap().len(), 3);
    assert!(rest["next"].is_null());
    assert!(registered.get("evidence").is_none(), "nobody asked for a proof");
}

#[test]
fn absence_is_proven_and_offline() {
    let world = World::new();
    let stranger = "did:ebsi:zvHWX359A3CvfJnCYaAiAde";
    let did = stranger.parse().unwrap();
    let answer = get(world.node.address, &format!("/v1/dids/{stranger}?proof=true"));
    answer.problem(404, "request.not-found");
    let state = proven(&world, &answer.json());
    assert_eq!(identity::newest(&state, &did), Ok(None));
    // The ministry was not registered yet in the first second.
    let early = format!("/v1/dids/{}?proof=true&at={GENESIS_TIME}", world.ministry.did);
    let answer = get(world.node.address, &early);
    answer.problem(404, "request.not-found");
    let state = proven(&world, &answer.json());
    assert_eq!(identity::as_of(&state, &world.ministry.did, UnixTime(GENESIS_TIME)), Ok(None));

    let answer = get(world.node.address, &format!("/v1/issuers/{stranger}?proof=true"));
    assert!(answer.problem(404, "request.not-found").contains("never accredited"));
    assert_eq!(issuers::issuer(&proven(&world, &answer.json()), &did), Ok(None));

    let refused = world.json(&format!("/v1/trust-chains?issuer={}", world.city.did));
    assert_eq!(
        (refused["holds"].as_bool(), refused["refusal"]["code"].as_str()),
        (Some(false), Some("chain.not-accredited"))
    );
    let state = proven(&world, &refused);
    let walk = accredited(&state, &world.city.did, None, UnixTime(world.now())).unwrap();
    assert_eq!(walk, Err(ChainRefusal::NotAccredited(world.city.did.clone())));
    // What the evidence says nothing about is an error, never "absent".
    assert!(identity::newest(&state, &world.ministry.did).is_err());
}

#[test]
fn a_bundle_is_walked_again_by_its_reader() {
    let world = World::new();
    let bits = world.publish_list(&[7]);
    let (university, attribute) = (&world.university, world.university.attribute());
    let target = format!("/v1/trust-chains/{attribute}?list=revocation-1,other");
    let bundle = world.json(&target);
    assert_eq!((bundle["holds"].as_bool(), bundle["links"].as_array().unwrap().len()), (Some(true), 3));
    let types: Vec<_> = bundle["links"].as_array().unwrap().iter().map(|l| l["issuer_type"].clone()).collect();
    assert_eq!(types, ["ti", "tao", "root-tao"]);
    assert_eq!(bundle["links"][2]["entity"]["names"][0]["name"], "Ministry of Education");
    assert_eq!(bundle["issuer"]["did"], university.did.as_str());
    assert_eq!(
        (bundle["lists"].as_array().unwrap().len(), &bundle["lists"][0]["sha256"]),
        (1, &bits.sha256().to_string().into())
    );
    let at = UnixTime(world.now());
    let state = proven(&world, &bundle);
    let chain = trust_chain(&state, attribute, at).unwrap().expect("it holds");
    assert_eq!(chain.root().subject, world.ministry.did);
    assert!(identity::as_of(&state, &university.did, at).unwrap().is_some());
    let list = status::newest(&state, &university.did, &"revocation-1".parse().unwrap()).unwrap().unwrap();
    assert_eq!(list.status.sha256, bits.sha256());
    assert_eq!(status::newest(&state, &university.did, &"other".parse().unwrap()), Ok(None), "absence, proven");

    let search = |query: &str| world.json(&format!("/v1/trust-chains?issuer={}{query}", university.did));
    let lux = "https://publications.europa.eu/resource/authority/atu/LUX";
    let (schema, z) = (world.schema, schemas::multibase(world.schema));
    for query in [
        String::new(),
        format!("&schema=0x{schema}&type=Degree&jurisdiction={lux}"),
        format!(
            "&schema=https://ledger.example/trusted-schemas-registry/v3/schemas/{z}&type=VerifiableCredential,Degree&jurisdiction={lux}"
        ),
    ] {
        assert_eq!(search(&query)["holds"], true, "{query}");
    }
    for (query, code) in [
        (format!("&schema={z}&type=Doctorate&jurisdiction={lux}"), "chain.type-not-permitted"),
        (format!("&schema={z}&type=Degree&jurisdiction={lux}2"), "chain.jurisdiction-not-permitted"),
        (format!("&schema={z}&type=Degree"), "chain.jurisdiction-not-permitted"),
        (format!("&schema=0x{}&type=Degree", "0".repeat(64)), "chain.schema-not-permitted"),
    ] {
        let refused = search(&query);
        assert_eq!(
            (refused["holds"].as_bool(), refused["refusal"]["code"].as_str()),
            (Some(false), Some(code)),
            "{query}"
        );
        proven(&world, &refused);
    }
}

#[test]
fn an_end_is_seen_at_once_and_what_was_before_stays_explained() {
    let world = World::new();
    let (agency, university) = (&world.agency, &world.university);
    let before = world.now();
    let target = format!("/v1/accreditations/{}", university.attribute());
    let held = world.json(&target);
    assert_eq!((held["state"].as_str(), held["refusal"].is_null()), (Some("in-force"), true));
    assert_eq!(held["terms"]["kind"], "VerifiableAccreditationToAttest");
    let etag = get(world.node.address, &target).header("etag").expect("an etag").to_owned();
    world.end(&world.ministry, agency);
    let known = request(world.node.address, "GET", &target, &format!("If-None-Match: {etag}\r\n"), b"");
    assert_eq!(known.status, 200, "the answer has changed");
    let now = world.json(&format!("{target}?proof=true"));
    assert_eq!((now["state"].as_str(), now["refusal"]["code"].as_str()), (Some("not-in-force"), Some("chain.ended")));
    let walk = trust_chain(&proven(&world, &now), university.attribute(), UnixTime(world.now())).unwrap();
    assert!(matches!(walk, Err(ChainRefusal::Ended { attribute, .. }) if attribute == agency.attribute()));
    let then = world.json(&format!("{target}?at={before}"));
    assert_eq!(then["state"], "in-force");
    let issuer = world.json(&format!("/v1/issuers/{}?proof=true", agency.did));
    assert_eq!(issuer["accreditations"][0]["ended"]["reason"], "privilege-withdrawn");
    proven(&world, &issuer);
    let early = format!("{target}?at={GENESIS_TIME}&proof=true");
    let answer = get(world.node.address, &early);
    answer.problem(404, "request.not-found");
    let state = proven(&world, &answer.json());
    assert_eq!(issuers::attribute_at(&state, university.attribute(), UnixTime(GENESIS_TIME)), Ok(None));
}

#[test]
fn lists_of_the_registries_come_in_pages() {
    let world = World::new();
    let ids = |target: &str| -> Vec<String> {
        let list = world.json(target);
        let items = list["items"].as_array().unwrap();
        assert_eq!(list["total"].as_u64(), Some(items.len() as u64), "{target}");
        items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
    };
    let dids = [&world.ministry, &world.agency, &world.university, &world.city].map(|party| party.did.to_string());
    assert_eq!(ids("/v1/dids"), dids);
    let page = world.json("/v1/dids?size=3");
    assert_eq!((page["total"].as_u64(), page["items"].as_array().unwrap().len()), (Some(4), 3));
    let rest = world.json(page["next"].as_str().unwrap());
    assert_eq!((rest["items"][0]["id"].as_str(), rest["next"].is_null()), (Some(dids[3].as_str()), true));
    assert_eq!(world.json("/v1/dids?page=9")["items"], serde_json::json!([]));
    assert_eq!(get(world.node.address, rest["items"][0]["href"].as_str().unwrap()).status, 200);
    let kid = world.city.kid(&world.city.ledger_key);
    for method in [thumbprint(&world.city.ledger_key), kid.replace('#', "%23")] {
        assert_eq!(ids(&format!("/v1/dids?method={method}")), [dids[3].as_str()]);
    }
    // A controller is listed while it is one.
    let controlled = format!("/v1/dids?controller={}", dids[0]);
    assert_eq!(ids(&controlled), [dids[0].as_str()]);
    world.update(&world.city, &world.city, vec![DidChange::AddController { did: world.ministry.did.clone() }]);
    assert_eq!(ids(&controlled), [dids[0].as_str(), dids[3].as_str()]);
    world.update(&world.ministry, &world.city, vec![DidChange::RevokeController { did: world.ministry.did.clone() }]);
    assert_eq!(ids(&controlled), [dids[0].as_str()]);

    assert_eq!(ids("/v1/issuers"), dids[..3]);
    let attribute = |party: &crate::world::Party| party.attribute().to_string();
    assert_eq!(ids("/v1/accreditations?type=root-tao"), [attribute(&world.ministry)]);
    assert_eq!(ids(&format!("/v1/accreditations?accreditor={}", dids[1])), [attribute(&world.university)]);
    assert_eq!(ids(&format!("/v1/accreditations?subject={}", dids[1])), [attribute(&world.agency)]);
    assert_eq!(ids("/v1/schemas"), [world.schema.to_string()]);
    world.publish_list(&[]);
    assert_eq!(ids(&format!("/v1/status-lists?issuer={}", dids[2])), [format!("{}/revocation-1", dids[2])]);
    let dossier = world.open_dossier(&[[1; 32]]).to_string();
    assert_eq!(ids("/v1/dossiers"), [dossier.as_str()]);
    assert_eq!(ids(&format!("/v1/dossiers?owner={}", dids[3])), [dossier.as_str()]);
    assert!(ids(&format!("/v1/dossiers?owner={}", dids[0])).is_empty());
}

#[test]
fn a_schema_and_a_dossier_are_proven() {
    let world = World::new();
    let z = schemas::multibase(world.schema);
    for id in [world.schema.to_string(), format!("0x{}", world.schema), z.clone()] {
        let view = world.json(&format!("/v1/schemas/{id}?proof=true"));
        assert_eq!((view["id"].as_str(), view["revision"].as_u64()), (Some(z.as_str()), Some(1)));
        let entry = schemas::schema(&proven(&world, &view), world.schema).unwrap().unwrap();
        assert_eq!(view["body_text"], entry.body);
    }
    let answer = get(world.node.address, &format!("/v1/schemas/{z}?revision=2&proof=true"));
    answer.problem(404, "request.not-found");
    assert_eq!(schemas::revision(&proven(&world, &answer.json()), world.schema, 2), Ok(None));
    let id = world.open_dossier(&[[1; 32], [2; 32]]);
    let view = world.json(&format!("/v1/dossiers/{id}?proof=true"));
    assert_eq!(view["entries"][1], "02".repeat(32));
    assert_eq!(view["owners"][0]["did"], world.city.did.as_str());
    assert!(dossiers::newest(&proven(&world, &view), id).unwrap().is_some());
}

#[test]
fn a_status_list_is_one_store_in_four_forms() {
    let world = World::new();
    let first = world.publish_list(&[3]);
    let second = world.publish_list(&[3, 131_071]);
    let place = format!("/v1/status-lists/{}/revocation-1", world.university.did);
    let view = world.json(&format!("{place}?proof=true"));
    assert_eq!((view["version"].as_u64(), view["purpose"].as_str()), (Some(2), Some("revocation")));
    let entry = status::newest(&proven(&world, &view), &world.university.did, &"revocation-1".parse().unwrap());
    let sha256_proven = entry.unwrap().unwrap().status.sha256;
    let bits = get(world.node.address, view["links"]["bits"].as_str().unwrap());
    assert_eq!(bits.header("content-type"), Some("application/octet-stream"));
    assert_eq!(sha256(&[&bits.body]), *sha256_proven.as_bytes());
    let bits = BitList::from_bytes(bits.body, 131_072).unwrap();
    assert_eq!((bits.get(3), bits.get(4), bits.get(131_071)), (Some(true), Some(false), Some(true)));
    assert_eq!(bits.as_bytes(), second.as_bytes());
    assert_eq!(get(world.node.address, &format!("{place}/bits?version=1")).body, first.as_bytes());
    assert_eq!(get(world.node.address, &format!("/v1/attachments/{sha256_proven}")).body, second.as_bytes());
    let key = world.university.credential_key.public_key();
    for (form, media_type) in [
        ("status_list_2021", "application/jwt"),
        ("bitstring", "application/vc+jwt"),
        ("token", "application/statuslist+jwt"),
    ] {
        let token = get(world.node.address, view["links"][form].as_str().unwrap());
        assert_eq!(token.header("content-type"), Some(media_type));
        assert!(token.header("etag").is_some());
        let token = token.text();
        let (message, signature) = token.rsplit_once('.').unwrap();
        let signature = testamur_primitives::codec::from_base64url(signature).unwrap();
        key.verify(key.algorithm(), message.as_bytes(), &signature).expect(form);
    }
    world.node.ledger.lose_attachments();
    let detail = get(world.node.address, &format!("{place}/bits")).problem(503, "node.not-ready");
    assert!(detail.contains("still fetching"), "{detail}");
    let detail = get(world.node.address, &format!("{place}/bits?version=1")).problem(404, "request.not-found");
    assert!(detail.contains("kept no longer"), "{detail}");
    get(world.node.address, &format!("/v1/attachments/{sha256_proven}")).problem(404, "request.not-found");
}

#[test]
fn named_keys_are_proven_and_nothing_can_be_changed_or_left_out() {
    let world = World::new();
    let present = format!("did/{}/head", world.city.did);
    let absent = format!("did/{}/2", world.city.did);
    let target = format!("/v1/state?key={present}&key={}&key={present}", absent.replace('/', "%2F"));
    let answer = world.json(&target);
    let evidence: Evidence = serde_json::from_value(answer).unwrap();
    assert_eq!(evidence.state.iter().map(|key| key.value.is_some()).collect::<Vec<_>>(), [false, true]);
    let trust = world.trust();
    let state = evidence.verify(&trust).expect("it holds");
    state.fresh(UnixTime(world.now() + 300), 300).expect("fresh");
    assert_eq!(state.fresh(UnixTime(world.now() + 301), 300).unwrap_err().code(), "evidence.stale");

    type Tamper = fn(&mut Evidence);
    let tampered: [(&str, Tamper); 6] = [
        ("a value changed", |e| {
            let value = e.state[1].value.as_mut().unwrap();
            *value = value.replace("\"deactivated\":false", "\"deactivated\":true");
        }),
        ("a value taken away", |e| e.state[1].value = None),
        ("absence made presence", |e| e.state[0].value = e.state[1].value.clone()),
        ("another key's proof", |e| e.state[0].proof = e.state[1].proof.clone()),
        ("a sibling changed", |e| e.state[1].proof.siblings[0] = testamur_primitives::hash::TreeHash::ZERO),
        ("a header changed", |e| e.header = e.header.replacen("1800", "1900", 1)),
    ];
    for (what, tamper) in tampered {
        let mut bad = evidence.clone();
        tamper(&mut bad);
        assert_ne!(bad, evidence, "{what}");
        assert!(bad.verify(&trust).is_err(), "{what}");
    }
    let mut less = evidence.clone();
    less.state.remove(1);
    let less = less.verify(&trust).expect("what it holds is true");
    assert!(identity::newest(&less, &world.city.did).is_err(), "left out is not absent");
}

#[test]
fn bad_questions_get_their_message() {
    let world = World::new();
    let did = world.city.did.to_string();
    let encoded = did.replace(':', "%3A");
    assert_eq!(world.json(&format!("/v1/dids/{encoded}"))["did"], did);
    assert_eq!(world.json(&format!("/v1/dids/{did}?at=2027-01-15T09:00:10+01:00"))["at"], GENESIS_TIME + 10);
    let long = format!("did:ebsi:z{}", "1".repeat(400));
    let future = world.now() + 1;
    let keys = format!("?key=did/{did}/head") + &"&key=protocol/network/head".repeat(32);
    let zero = "0".repeat(64);
    let cases: Vec<(String, u16, &str, &str)> = vec![
        ("/v1/dids/nobody".into(), 400, "request.path", "expected did:<method>:<id>"),
        (format!("/v1/dids/{long}"), 400, "request.path", "at most 400 characters"),
        (format!("/v1/dids/{did}%2Fx"), 400, "request.path", "not a DID"),
        ("/v1/dids/did:ebsi:%ff".into(), 400, "request.path", "UTF-8"),
        ("/v1/dids/did:key:z6Mkabc".into(), 404, "request.not-found", "its key is in its name"),
        (format!("/v1/dids/{did}?at={future}"), 400, "request.query", "after the newest block"),
        (format!("/v1/dids/{did}?at=3000-01-01T00:00:00Z"), 400, "request.query", "not decided yet"),
        (format!("/v1/dids/{did}?at=yesterday"), 400, "request.query", "at: write a time as"),
        (format!("/v1/dids/{did}?at="), 400, "request.query", "at: write a time as"),
        (format!("/v1/dids/{did}?at=2026-02-30T00:00:00Z"), 400, "request.query", "at: write a time as"),
        (format!("/v1/dids/{did}?valid-at=5"), 400, "request.query", "unknown field `valid-at`"),
        (format!("/v1/dids/{did}?proof=yes"), 400, "request.query", "proof"),
        ("/v1/dids?page=0".into(), 400, "request.query", "page: counts from 1"),
        ("/v1/dids?size=101".into(), 400, "request.query", "size: must be between 1 and 100"),
        ("/v1/dids?method=x".into(), 400, "request.query", "43 characters"),
        ("/v1/dids?controller=x".into(), 400, "request.query", "controller: not a DID"),
        (format!("/v1/dids?controller={did}&method={}", "a".repeat(43)), 400, "request.query", "two lists"),
        ("/v1/accreditations".into(), 400, "request.query", "one of subject, accreditor and type"),
        ("/v1/accreditations?type=king".into(), 400, "request.query", "unknown variant `king`"),
        ("/v1/accreditations/abc".into(), 400, "request.path", "64 lower-case hexadecimal digits"),
        (format!("/v1/accreditations/{zero}"), 404, "request.not-found", "no accreditation"),
        ("/v1/trust-chains".into(), 400, "request.query", "missing field `issuer`"),
        (format!("/v1/trust-chains?issuer={did}&type=Degree"), 400, "request.query", "give schema as well"),
        (format!("/v1/trust-chains?issuer={did}&schema=x"), 400, "request.query", "schema:"),
        (format!("/v1/trust-chains?issuer={did}&list=a,b,c,d,e"), 400, "request.query", "at most 4 lists"),
        (format!("/v1/trust-chains?issuer={did}&list=a%20b"), 400, "request.query", "list: a name"),
        (format!("/v1/trust-chains?issuer={did}&list=,"), 400, "request.query", "list: one or more"),
        ("/v1/schemas/x".into(), 400, "request.path", "a schema id is"),
        (format!("/v1/schemas/a%2F{zero}"), 400, "request.path", "a schema id is"),
        (format!("/v1/schemas/{zero}"), 404, "request.not-found", "no such schema"),
        (format!("/v1/schemas/{zero}?revision=0"), 400, "request.query", "counts from 1"),
        (format!("/v1/status-lists/{did}/x"), 404, "request.not-found", "no status list x"),
        (format!("/v1/status-lists/{did}/x%20y"), 400, "request.path", "a list's name"),
        (format!("/v1/status-lists/{did}/x/bits"), 404, "request.not-found", "no status list x"),
        (format!("/v1/status-lists/{did}/x/token"), 404, "request.not-found", "no status list x"),
        ("/v1/status-lists".into(), 400, "request.query", "missing field `issuer`"),
        (format!("/v1/dossiers/{zero}"), 404, "request.not-found", "opened a dossier"),
        ("/v1/dossiers/x".into(), 400, "request.path", "64 lower-case hexadecimal digits"),
        ("/v1/state".into(), 400, "request.query", "give 1 to 32"),
        (format!("/v1/state{keys}"), 400, "request.query", "give 1 to 32"),
        ("/v1/state?key=did/x".into(), 400, "request.query", "key: a state key is"),
        ("/v1/state?keys=did/x/head".into(), 400, "request.query", "key=… only"),
        ("/v1/attachments/x".into(), 400, "request.path", "64 lower-case hexadecimal digits"),
    ];
    for (target, status, code, message) in cases {
        let detail = get(world.node.address, &target).problem(status, code);
        assert!(detail.contains(message), "{target}: {detail}");
    }
    let empty = TestNode::start();
    let detail = get(empty.address, "/v1/dids").problem(503, "node.not-ready");
    assert!(detail.contains("first block is still to come"), "{detail}");
    world.node.ledger.damage();
    get(world.node.address, &format!("/v1/dids/{did}")).problem(500, "request.failed");
}
