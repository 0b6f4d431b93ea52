//! A verifier that asks nodes: honest ones, liars, and such as are away.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde_json::json;
use testamur_client::node::Connections;
use testamur_client::nodes::Nodes;
use testamur_client::registry::Registry;
use testamur_primitives::state::StateKey;

use crate::world::parties::{NOW, World};
use crate::{Running, package, packages, text, world};

/// What a node does with the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Honest,
    /// It alters what it proves.
    Lies,
    /// It leaves out what it is asked for.
    Omits,
}

struct Node {
    world: Mutex<World>,
    manner: Manner,
    asked: AtomicUsize,
    /// Everything that it was asked for.
    seen: Mutex<Vec<String>>,
}

impl Node {
    async fn start(world: World, manner: Manner) -> (Arc<Self>, SocketAddr) {
        let node =
            Arc::new(Self { world: Mutex::new(world), manner, asked: AtomicUsize::new(0), seen: Mutex::default() });
        let router = Router::new()
            .route("/v1/state", get(state))
            .route("/v1/attachments/{digest}", get(attachment))
            .with_state(Arc::clone(&node));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        (node, address)
    }
}

async fn state(State(node): State<Arc<Node>>, RawQuery(query): RawQuery) -> Response {
    node.asked.fetch_add(1, Ordering::Relaxed);
    let query = query.unwrap_or_default();
    node.seen.lock().unwrap().push(query.clone());
    let keys = query.split('&').filter_map(|pair| pair.strip_prefix("key=")).map(|key| key.replace("%3A", ":"));
    let mut keys: BTreeSet<StateKey> = keys.map(|key| key.parse().unwrap()).collect();
    if node.manner == Manner::Omits {
        keys.retain(|key| !key.to_string().starts_with("status/"));
    }
    let world = node.world.lock().unwrap();
    let mut evidence = world.network.evidence(&world.state, NOW, &keys);
    if node.manner == Manner::Lies
        && let Some(value) = evidence.state.iter_mut().find_map(|proven| proven.value.as_mut())
    {
        *value = value.replacen('1', "2", 1);
    }
    axum::Json(evidence).into_response()
}

async fn attachment(State(node): State<Arc<Node>>, Path(digest): Path<String>) -> Response {
    node.seen.lock().unwrap().push(digest.clone());
    match node.world.lock().unwrap().lists.get(&digest.parse().unwrap()) {
        Some(bits) => bits.to_vec().into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn registry(world: &World, nodes: &[SocketAddr]) -> Vec<Registry> {
    let addresses: Vec<_> = nodes.iter().map(|node| format!("http://{node}")).collect();
    vec![Registry::new(Nodes::new(&addresses, &Connections::default()).unwrap(), world.network.trust())]
}

/// An address that nobody listens on.
async fn nobody() -> SocketAddr {
    tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn the_ledger_is_asked_for_what_did_not_come_along() {
    let (_, honest) = Node::start(world(), Manner::Honest).await;
    let running = Running::start(&world(), registry(&world(), &[honest])).await;
    let answer = running.verify(text(&world(), 7).into_bytes()).await;
    assert_eq!(answer["verdict"], "valid", "{answer}");
    assert_eq!(answer["reports"][0]["steps"][2]["evidence"]["did"], json!(world().university.did));
}

#[tokio::test]
async fn what_was_revoked_a_moment_ago_is_not_valid_whatever_the_package_says() {
    let older = package(&world(), 7);
    let mut newer = world();
    newer.list("diplomas-1", NOW - 1, &[7]);
    let (_, honest) = Node::start(newer, Manner::Honest).await;
    let running = Running::start(&world(), registry(&world(), &[honest])).await;
    assert_eq!(running.verify(older.clone()).await["reason"], "status.revoked");
    let offline = Running::start(&world(), Vec::new()).await;
    assert_eq!(offline.verify(older).await["verdict"], "valid", "nobody told it");
}

#[tokio::test]
async fn a_liar_is_told_from_one_who_is_away() {
    let file = package(&world(), 7);
    for manner in [Manner::Lies, Manner::Omits] {
        let (_, liar) = Node::start(world(), manner).await;
        let running = Running::start(&world(), registry(&world(), &[liar])).await;
        let answer = running.verify(file.clone()).await;
        assert_eq!(answer["verdict"], "valid", "what came along still counts: {answer}");
        assert_eq!(answer["nodes"][0]["suspect"], true, "{manner:?}: {answer}");
        let bare = running.verify(text(&world(), 7).into_bytes()).await;
        assert_eq!(bare["verdict"], "cannot-tell", "a lie proves nothing");
    }
    let running = Running::start(&world(), registry(&world(), &[nobody().await])).await;
    let answer = running.verify(file).await;
    assert_eq!((&answer["verdict"], &answer["nodes"][0]["suspect"]), (&json!("valid"), &json!(false)));
}

#[tokio::test]
async fn the_next_node_is_asked_and_the_liar_is_named() {
    let (_, liar) = Node::start(world(), Manner::Lies).await;
    let (_, honest) = Node::start(world(), Manner::Honest).await;
    let running = Running::start(&world(), registry(&world(), &[liar, nobody().await, honest])).await;
    let answer = running.verify(text(&world(), 7).into_bytes()).await;
    assert_eq!(answer["verdict"], "valid", "{answer}");
    let suspects = answer["nodes"].as_array().unwrap().iter().filter(|node| node["suspect"] == true).count();
    assert_eq!((answer["nodes"].as_array().unwrap().len(), suspects), (2, 1));
}

#[tokio::test]
async fn many_diplomas_of_one_issuer_cost_one_look_and_no_node_learns_which() {
    let (node, honest) = Node::start(world(), Manner::Honest).await;
    let running = Running::start(&world(), registry(&world(), &[honest])).await;
    let files = packages(&world(), 0..40);
    assert_eq!(running.verify(files[0].clone()).await["verdict"], "valid");
    let (asked, seen) = (node.asked.load(Ordering::Relaxed), node.seen.lock().unwrap().len());
    let lines = running.batch("application/x-ndjson", files.join(b"\n".as_slice())).await;
    assert!(lines.iter().all(|line| line["verdict"] == "valid"));
    assert_eq!(node.asked.load(Ordering::Relaxed), asked, "kept proofs were used");
    assert_eq!(node.seen.lock().unwrap().len(), seen);
    // INV-KEPT-1: who claims another moment asks anew, and harms nobody.
    let bare = running.verify(text(&world(), 50).into_bytes()).await;
    assert_eq!(bare["verdict"], "valid");
    assert!(node.asked.load(Ordering::Relaxed) > asked);
    let seen = node.seen.lock().unwrap().join("\n");
    assert!(!seen.contains("urn") && !seen.contains("index"), "{seen}");
}
