//! Goal: whatever nodes do, a request ends in a receipt that verifies, or in an answer that says what is known. Method:
//! nodes that are away, refuse, hang, lose answers or lie; the ledger shows what was really notarised.

use std::time::Duration;

use testamur_client::author::Author;
use testamur_client::batch::Documents;
use testamur_client::digest::digest_reader;
use testamur_client::node::Connections;
use testamur_client::nodes::{FinaliseError, Nodes};
use testamur_client::notary::Notary;
use testamur_primitives::commitment::{DigestAlgorithm, Form};
use testamur_primitives::key::SigningKey;

use crate::fake_node::{FakeNode, Mood, Network};
use crate::world::World;

const SHA_256: DigestAlgorithm = DigestAlgorithm::Sha2_256;

#[tokio::test(flavor = "multi_thread")]
async fn without_a_node_nothing_is_notarised_and_the_answer_says_so() {
    let mut world = World::new().await;
    world.nodes.pop().unwrap().stop().await;
    let answer = world.notarise(b"x").await;
    let (status, code, detail) = answer.problem();
    assert_eq!((status, code.as_str()), (503, "gateway.node-unreachable"));
    assert_eq!(detail, "no node of the network can be reached; nothing was notarised");
    assert!(answer.headers.contains_key("retry-after"));
    assert!(answer.json().get("pending").is_none());
    let status = world.send(world.bare("GET", "/v1/status").bearer_auth(&world.token)).await;
    assert_eq!(status.json()["ready"], false);
    assert_eq!(status.json()["reason"], "no node of the network can be reached");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_quorum_nothing_is_notarised_and_the_answer_says_so() {
    let world = World::with(2, |_| {}).await;
    world.nodes.iter().for_each(|node| node.behave(Mood::NotReady));
    let (status, code, detail) = world.notarise(b"x").await.problem();
    assert_eq!((status, code.as_str()), (503, "gateway.node-not-ready"));
    assert!(detail.contains("nothing was notarised"), "{detail}");
    assert!(detail.contains("3 are needed for a quorum"), "{detail}");
    assert_eq!(world.nodes.iter().map(FakeNode::submissions).sum::<usize>(), 2, "each was asked once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_record_is_reported_in_the_ledgers_words() {
    let world = World::with(2, |_| {}).await;
    world.nodes.iter().for_each(|node| node.behave(Mood::Refuses));
    let (status, code, detail) = world.notarise(b"x").await.problem();
    assert_eq!((status, code.as_str()), (502, "gateway.record-refused"));
    assert!(detail.contains("the author has no writer role (notary.not-a-writer)"), "{detail}");
    assert_eq!(world.nodes.iter().map(FakeNode::submissions).sum::<usize>(), 1, "a rule is the same everywhere");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_node_takes_over() {
    for mood in [Mood::NotReady, Mood::Hangs] {
        let world = World::with(2, |config| config.final_timeout = Duration::from_secs(3)).await;
        world.nodes[0].behave(mood);
        let answer = world.notarise(b"x").await;
        assert_eq!(answer.status, 200, "{mood:?}: {}", String::from_utf8_lossy(&answer.body));
        world.confirm(&answer.body, b"x", SHA_256);
        // The node that answered is asked first from now on.
        let before = world.nodes[0].submissions();
        assert_eq!(world.notarise(b"y").await.status, 200);
        assert_eq!(world.nodes[0].submissions(), before, "{mood:?}");
    }
    let mut world = World::with(2, |_| {}).await;
    world.nodes.remove(0).stop().await;
    world.confirm(&world.notarise(b"x").await.body, b"x", SHA_256);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_never_notarises_twice() {
    let world = World::with(2, |_| {}).await;
    world.nodes[0].behave(Mood::LosesAnswers);
    let answer = world.notarise(b"x").await;
    assert_eq!(answer.status, 200);
    world.confirm(&answer.body, b"x", SHA_256);
    assert_eq!(world.record_count(), 1, "INV-CLIENT-2");
    assert_eq!(world.nodes[1].submissions(), 1, "the second node was asked, and had it already");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_that_does_not_verify_is_not_handed_over() {
    let world = World::with(2, |_| {}).await;
    world.nodes[0].behave(Mood::Lies);
    world.confirm(&world.notarise(b"x").await.body, b"x", SHA_256);
    world.nodes[1].behave(Mood::Lies);
    let answer = world.notarise(b"y").await;
    let (status, code, detail) = answer.problem();
    assert_eq!((status, code.as_str()), (502, "gateway.receipt-refused"));
    assert!(detail.contains("2 validators cosigned, 3 are needed"), "INV-CLIENT-1: {detail}");
    // Once a node speaks the truth, the same answer leads to the receipt.
    world.nodes[1].behave(Mood::Well);
    let again = world.send(world.post("/v1/receipts").json(&answer.json()["pending"])).await;
    assert_eq!(again.status, 200);
    let receipt = testamur_primitives::codec::canonical(&again.json()[0]);
    world.confirm(&receipt, b"y", SHA_256);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_outcome_is_said_and_can_be_asked_for_again() {
    let world = World::with(1, |config| config.final_timeout = Duration::from_millis(800)).await;
    world.nodes[0].behave(Mood::Hangs);
    let (one, two) = tokio::join!(world.notarise(b"one"), world.notarise(b"two"));
    for answer in [&one, &two] {
        let (status, code, detail) = answer.problem();
        assert_eq!((status, code.as_str()), (504, "gateway.outcome-unknown"));
        assert!(detail.contains("was sent and not seen final in time"), "{detail}");
        assert_eq!(answer.json()["record"], answer.json()["pending"]["record"]);
        assert_eq!(answer.json()["pending"]["openings"].as_array().unwrap().len(), 1, "each caller's own");
    }
    // Not final yet: the same is said again.
    let again = world.send(world.post("/v1/receipts").json(&one.json())).await;
    assert_eq!(again.problem().1, "gateway.outcome-unknown");
    assert_eq!(again.json()["pending"], one.json()["pending"]);
    // The network recovers. The whole answer or its member will do, at another gateway as well (INV-GATEWAY-2, INV-CLIENT-3).
    world.nodes[0].behave(Mood::Well);
    for (answer, document) in [(&one, b"one"), (&two, b"two")] {
        for body in [answer.json(), answer.json()["pending"].clone()] {
            let found = world.send(world.post("/v1/receipts").json(&body)).await;
            assert_eq!(found.status, 200);
            world.confirm(&testamur_primitives::codec::canonical(&found.json()[0]), document, SHA_256);
        }
    }
    // Openings of something else are refused.
    let mut stolen = one.json()["pending"].clone();
    stolen["openings"][0]["digest"] = serde_json::json!(testamur_primitives::codec::base64url(&[7; 32]));
    let (status, code, _) = world.send(world.post("/v1/receipts").json(&stolen)).await.problem();
    assert_eq!((status, code.as_str()), (400, "gateway.opening"));
    // A record whose time is over is given up.
    world.nodes[0].behave(Mood::Hangs);
    let mut expired = two.json()["pending"].clone();
    expired["expires"] = serde_json::json!(1);
    expired["record"] = serde_json::json!("11".repeat(32));
    let (status, code, detail) = world.send(world.post("/v1/receipts").json(&expired)).await.problem();
    assert_eq!((status, code.as_str()), (410, "gateway.record-expired"));
    assert!(detail.contains("send the documents again"), "{detail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_another_network_is_noticed() {
    let world = World::with(1, |config| {
        config.trust = Network::new(0x80).trust().into();
        config.final_timeout = Duration::from_millis(500);
    })
    .await;
    let status = world.send(world.bare("GET", "/v1/status").bearer_auth(&world.token)).await;
    assert_eq!(status.json()["ready"], false);
    assert_eq!(status.json()["reason"], "the node is of another network than the trust file");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_author_notarises_without_a_gateway() {
    let world = World::with(2, |_| {}).await;
    world.nodes[0].behave(Mood::LosesAnswers);
    let addresses: Vec<_> = world.nodes.iter().map(FakeNode::url).collect();
    let nodes = Nodes::new(&addresses, &Connections::default()).unwrap();
    let author = Author::new(SigningKey::p256(&[5; 32]).unwrap(), world.trust.network());
    let notary = Notary::new(author, nodes, world.trust.clone().into()).unwrap();
    for form in [Form::Commitment, Form::Digest] {
        let digests = [b"one", b"two"].map(|text| digest_reader(SHA_256, &text[..]).unwrap()).to_vec();
        let signed = notary.sign(Documents::new(digests, form).unwrap(), Some("folder-7".parse().unwrap())).unwrap();
        let cut = notary.finalise(&signed).await.unwrap();
        assert_eq!(cut.facts().reference.as_deref(), Some("folder-7"));
        for (place, text) in [b"one", b"two"].into_iter().enumerate() {
            let receipt = cut.receipt(signed.documents().opening(place as u64).unwrap()).unwrap();
            world.confirm(&receipt, text, SHA_256);
        }
        // Sent again, the same record is found, not doubled.
        let before = world.record_count();
        assert_eq!(notary.finalise(&signed).await.unwrap().facts().record, signed.id());
        assert_eq!(world.record_count(), before);
    }
    let other = Author::new(SigningKey::ed25519(&[5; 32]), Network::new(0x80).genesis.hash());
    let nodes = Nodes::new(&addresses, &Connections::default()).unwrap();
    assert!(Notary::new(other, nodes, world.trust.clone().into()).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_that_nobody_listens_on_are_unreachable_and_certainly_so() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let nodes = Nodes::new(&[&address], &Connections::default()).unwrap();
    let trust = Network::new(0).trust();
    let author = Author::new(SigningKey::ed25519(&[5; 32]), trust.network());
    let notary = Notary::new(author, nodes, trust.into()).unwrap();
    let digest = digest_reader(SHA_256, &b"x"[..]).unwrap();
    let signed = notary.sign(Documents::new(vec![digest], Form::Commitment).unwrap(), None).unwrap();
    let error = notary.finalise(&signed).await.unwrap_err();
    assert!(matches!(error, FinaliseError::Unreachable(_)), "{error}");
    assert!(!error.may_have_taken_effect());
    assert!(error.to_string().contains(&address), "{error}");
}
