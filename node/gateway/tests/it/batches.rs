//! Goal: a root becomes a receipt that the caller's own openings complete, once for each key, and never another's. Method: trees made
//! here, notarised through the gateway; receipts are completed and verified.

use serde_json::{Value, json};
use testamur_client::batch::Batch;
use testamur_client::digest::digest_reader;
use testamur_primitives::codec;
use testamur_primitives::commitment::DigestAlgorithm;
use testamur_primitives::receipt::Receipt;
use testamur_primitives::record::{Act, Record};

use crate::fake_node::Mood;
use crate::kept::{Kept, until};
use crate::world::World;

const SHA_256: DigestAlgorithm = DigestAlgorithm::Sha2_256;

fn batch(documents: &[&str]) -> Batch {
    let digests = documents.iter().map(|text| digest_reader(SHA_256, text.as_bytes()).unwrap()).collect();
    Batch::salted(digests).unwrap()
}

fn body(batch: &Batch, reference: Option<&str>) -> Value {
    let mut body = json!({ "tree": "rfc6962-sha256", "root": batch.root(), "count": batch.count() });
    if let Some(reference) = reference {
        body["ref"] = json!(reference);
    }
    body
}

/// Puts the openings of a batch into its receipt.
fn confirm(world: &World, receipt: &[u8], batch: &Batch, documents: &[&str]) {
    let receipt = Receipt::decode(receipt).unwrap();
    assert_eq!(receipt.opening, None);
    for (index, document) in documents.iter().enumerate() {
        let receipt = Receipt { opening: batch.opening(index as u64), ..receipt.clone() };
        world.confirm(&receipt.encode(), document.as_bytes(), SHA_256);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_becomes_a_receipt_that_its_openings_complete() {
    let kept = Kept::new();
    for with_archive in [true, false] {
        let world = if with_archive { kept.world().await } else { World::new().await };
        let documents = ["one", "two", "three"];
        let tree = batch(&documents);
        let answer = world.send(world.post("/v1/batches").json(&body(&tree, Some("folder-7")))).await;
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        confirm(&world, &answer.body, &tree, &documents);
        let record = Record::parse(Receipt::decode(&answer.body).unwrap().record.as_bytes()).unwrap();
        let Act::NotariseBatch { root, count, reference, .. } = record.act() else { panic!("{:?}", record.act()) };
        assert_eq!((*root, *count, reference.as_ref().unwrap().as_str()), (tree.root(), 3, "folder-7"));
        if !with_archive {
            continue;
        }
        let href = format!("/v1/documents/{}", answer.headers["testamur-document"].to_str().unwrap());
        let standing = world.send(world.get(&href)).await.json();
        assert_eq!((&standing["documents"], &standing["ref"]), (&json!(3), &json!("folder-7")));
        assert_eq!(world.send(world.get(&format!("{href}/receipt"))).await.body, answer.body);
        assert_eq!(world.send(world.get(&format!("{href}/receipts/1"))).await.status, 404);
        assert_eq!(world.send(world.bare("DELETE", &href).bearer_auth(&world.token)).await.status, 204);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_is_notarised_once_for_each_key_also_from_the_queue() {
    let kept = Kept::new();
    let world = kept.world().await;
    let tree = batch(&["one", "two"]);
    let send = |path: &str, key: &str, body: Value| {
        world.send(world.post(path).header("idempotency-key", key.to_owned()).json(&body))
    };
    let first = send("/v1/batches", "a", body(&tree, None)).await;
    let again = send("/v1/batches", "a", body(&tree, None)).await;
    assert_eq!((first.status, &first.body), (200, &again.body));
    assert_eq!(send("/v1/batches", "a", body(&tree, Some("x"))).await.status, 422);
    // Queued between documents: it has its record alone, and they share theirs.
    world.nodes[0].behave(Mood::Away);
    let document = world.send(world.post("/v1/documents?async=1").body("before")).await.json();
    let queued = send("/v1/batches?async=1", "b", body(&tree, Some("y"))).await;
    assert_eq!(queued.status, 202);
    let later = world.send(world.post("/v1/documents?async=1").body("later")).await.json();
    let world = world.restart(|config| kept.configure(config)).await;
    assert_eq!(world.send(world.get("/v1/status")).await.json()["queued"], 3);
    world.nodes[0].behave(Mood::Well);
    let href = queued.json()["href"].as_str().unwrap().to_owned();
    let standing = until(&world, &href, "final").await;
    confirm(&world, &codec::canonical(&standing["receipt"]), &tree, &["one", "two"]);
    for (standing, document) in [(document, "before"), (later, "later")] {
        let standing = until(&world, standing["href"].as_str().unwrap(), "final").await;
        world.confirm(&codec::canonical(&standing["receipt"]), document.as_bytes(), SHA_256);
    }
    assert_eq!(world.record_count(), 4, "two batches, and a record for those before and one for those after");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_whose_outcome_is_unknown_is_asked_for_again() {
    let world = World::new().await;
    let tree = batch(&["one"]);
    world.nodes[0].behave(Mood::Hangs);
    let answer = world.send(world.post("/v1/batches").json(&body(&tree, None))).await;
    assert_eq!(answer.problem().1, "gateway.outcome-unknown");
    world.nodes[0].behave(Mood::Well);
    let receipt = world.send(world.post("/v1/receipts").json(&answer.json()["pending"])).await;
    assert_eq!(receipt.status, 200, "{}", String::from_utf8_lossy(&receipt.body));
    confirm(&world, &receipt.body, &tree, &["one"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_root_is_refused() {
    let world = World::new().await;
    let root = batch(&["one"]).root();
    for (body, detail) in [
        (json!({}), "missing field"),
        (json!([]), "expected tree"),
        (json!({"tree": "sha1", "root": root, "count": 1}), "unknown variant"),
        (json!({"tree": "rfc6962-sha256", "root": "AA", "count": 1}), "expected tree"),
        (json!({"tree": "rfc6962-sha256", "root": root, "count": 0}), "count is 1 to 4294967296"),
        (json!({"tree": "rfc6962-sha256", "root": root, "count": 4_294_967_297u64}), "count is 1 to 4294967296"),
        (json!({"tree": "rfc6962-sha256", "root": root, "count": 1.5}), "expected tree"),
        (json!({"tree": "rfc6962-sha256", "root": root, "count": 1, "ref": "a b"}), "expected tree"),
        (json!({"tree": "rfc6962-sha256", "root": root, "count": 1, "name": "x"}), "unknown field"),
    ] {
        let (status, code, found) = world.send(world.post("/v1/batches").json(&body)).await.problem();
        assert_eq!((status, code.as_str()), (400, "gateway.batch"), "{body}");
        assert!(found.contains(detail) && found.ends_with("nothing was notarised"), "{body}: {found}");
    }
    let good = json!({"tree": "rfc6962-sha256", "root": root, "count": 1});
    for query in ["?alg=sha2-256", "?public=1", "?ref=x"] {
        let answer = world.send(world.post(&format!("/v1/batches{query}")).json(&good)).await;
        assert_eq!(answer.problem().1, "request.query", "{query}");
    }
    assert_eq!(world.send(world.bare("POST", "/v1/batches").json(&good)).await.problem().1, "gateway.token-missing");
    assert_eq!(world.record_count(), 0);
}
