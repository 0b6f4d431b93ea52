//! The governance routes: what is in force, proposals and their approvals, pages, proofs.

use serde_json::{Value, json};
use testamur_primitives::did::Did;
use testamur_primitives::genesis::Operator;
use testamur_primitives::key::SigningKey;
use testamur_primitives::record::{Act, Change};
use testamur_primitives::state::evidence::{Evidence, ProvenState};
use testamur_primitives::units::{Height, UnixTime};
use testamur_registry::governance::{self, ProposalStatus};
use testamur_registry::network;

use crate::client::get;
use crate::node::TestNode;
use crate::world::World;

/// The evidence of an answer, verified against genesis alone.
#[track_caller]
fn proven(world: &World, answer: &Value) -> ProvenState {
    let evidence: Evidence = serde_json::from_value(answer["evidence"].clone()).expect("evidence");
    evidence.verify(&world.trust()).expect("it proves what it holds")
}

fn operator(number: u8) -> Operator {
    let did = Did::key(&SigningKey::ed25519(&[100 + number; 32]).public_key());
    Operator { did, name: format!("Ministry {number}"), country: "LU".into() }
}

#[test]
fn what_is_in_force_is_answered_and_read_again_from_its_proof() {
    let world = World::new();
    let add = vec![operator(1), operator(2)];
    world.govern(Change::ChangeOperators { add, remove: vec![], rotate: vec![], approvals_required: Some(2) });
    let answer = world.json("/v1/governance?proof=true");
    let state = proven(&world, &answer);
    let read = governance::governance(&state).expect("proven");
    assert_eq!(answer["version"], json!(read.version));
    assert_eq!((answer["approvals_required"].as_u64(), read.operators.len()), (Some(2), 3));
    assert_eq!(answer["operators"], serde_json::to_value(&read.operators).unwrap());
    let next = Height(answer["height"].as_u64().unwrap() + 1);
    let epoch = network::epoch_at(&state, next).expect("proven");
    assert_eq!(answer["epoch"]["in_force"], json!(epoch.epoch.0));
    assert_eq!(network::validator_set(&state, &epoch).expect("proven").validators().len(), 4);
    let parameters = network::parameters_at(&state, next).expect("proven");
    assert_eq!(answer["parameters"]["in_force"], serde_json::to_value(parameters).unwrap());
    assert_eq!(answer["protocol"]["in_force"], json!(network::protocol_at(&state, next).expect("proven")));
    assert_eq!(network::set_change(&state), Ok(None));
    assert_eq!(network::retirements(&state), Ok(Vec::new()));
    assert_eq!(network::page_hosts(&state), Ok(Vec::new()));
    assert!(answer["set_change"].is_null() && answer["open"] == json!([]));
    // Three operators, two of whom must approve: what one proposes waits.
    let hosts = vec!["verify.example".to_owned()];
    let (version, expires) = (read.version, UnixTime(world.now() + 1_000));
    let change = Change::SetPageHosts { hosts };
    let id = world.by_author(Act::Propose { change: change.clone(), governance_version: version, expires }).to_string();
    let answer = world.json("/v1/governance");
    assert_eq!(answer["open"][0]["id"], json!(id));
    let answer = world.json(&format!("/v1/governance/proposals/{id}?proof=true"));
    assert_eq!((&answer["status"], &answer["change"]), (&json!("open"), &serde_json::to_value(&change).unwrap()));
    assert_eq!(answer["approvals"].as_array().map(Vec::len), Some(1));
    assert_eq!(answer["missing"].as_array().map(Vec::len), Some(2));
    let state = proven(&world, &answer);
    let found = governance::proposal(&state, id.parse().unwrap()).expect("proven").expect("proposed");
    let governance = governance::governance(&state).expect("proven");
    assert_eq!(found.status(&governance, state.header().time), ProposalStatus::Open);
    assert!(world.json("/v1/governance")["page_hosts"] == json!([]), "one approval is not enough");
}

#[test]
fn proposals_come_in_pages_and_say_what_became_of_them() {
    let world = World::new();
    let all = world.json("/v1/governance/proposals");
    let total = all["total"].as_u64().unwrap();
    assert!(total >= 4 && all["next"].is_null());
    assert!(all["items"].as_array().unwrap().iter().all(|item| item["status"] == "executed"));
    let (mut target, mut ids) = ("/v1/governance/proposals?page=1&size=3".to_owned(), Vec::new());
    loop {
        let page = world.json(&target);
        for item in page["items"].as_array().unwrap() {
            let one = world.json(item["href"].as_str().unwrap());
            assert_eq!((&one["id"], &one["change"]["type"]), (&item["id"], &item["change"]));
            assert!(one["executed_at"].is_u64() && one["approvals"][0]["operator"] == one["proposer"]);
            ids.push(item["id"].clone());
        }
        match page["next"].as_str() {
            Some(next) => target = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(ids.len() as u64, total);
    assert_eq!(ids, all["items"].as_array().unwrap().iter().map(|item| item["id"].clone()).collect::<Vec<_>>());
}

#[test]
fn what_is_not_there_is_proven_not_to_be() {
    let world = World::new();
    let address = world.node.address;
    let id = "ab".repeat(32);
    let missing = get(address, &format!("/v1/governance/proposals/{id}?proof=true"));
    assert_eq!(missing.problem(404, "request.not-found"), "no record of this id has proposed anything");
    let state = proven(&world, &missing.json());
    assert_eq!(governance::proposal(&state, id.parse().unwrap()), Ok(None));
    let missing = get(address, "/v1/governance/set-change?proof=true");
    assert_eq!(missing.problem(404, "request.not-found"), "the validators are those of genesis");
    assert_eq!(network::set_change(&proven(&world, &missing.json())), Ok(None));
    assert!(get(address, "/v1/governance/proposals/x").problem(400, "request.path").contains("64"));
    assert!(get(address, "/v1/governance/proposals?page=0").problem(400, "request.query").contains("counts from 1"));
    assert!(
        get(address, "/v1/governance/proposals?size=101").problem(400, "request.query").contains("between 1 and 100")
    );
    assert!(get(address, "/v1/governance?at=1").problem(400, "request.query").contains("at"));
    let empty = TestNode::start();
    let detail = get(empty.address, "/v1/governance").problem(503, "node.not-ready");
    assert!(detail.contains("first block is still to come"), "{detail}");
}
