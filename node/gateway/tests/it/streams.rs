//! Goal: a stream of hashes of any length is answered line by line, in bounded memory, and one bad line harms no other. Method: streams
//! sent over real connections, in pieces cut anywhere; every receipt is verified.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use serde_json::Value;
use testamur_primitives::codec;
use testamur_primitives::commitment::DigestAlgorithm;

use crate::fake_node::Mood;
use crate::kept::{Kept, until};
use crate::world::{Answer, World};

const SHA_256: DigestAlgorithm = DigestAlgorithm::Sha2_256;

fn line(document: &[u8]) -> String {
    format!("{{\"digest\":\"{}\"}}\n", hex::encode(codec::sha256(&[document])))
}

fn post(world: &World, query: &str) -> reqwest::RequestBuilder {
    world.post(&format!("/v1/hashes{query}")).header("content-type", "application/x-ndjson")
}

/// The lines of an answer.
fn lines(answer: &Answer) -> Vec<Value> {
    assert_eq!((answer.status, &answer.headers["content-type"]), (200, &"application/x-ndjson".parse().unwrap()));
    let text = std::str::from_utf8(&answer.body).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_line_is_told_by_its_number_and_the_rest_goes_on() {
    let world = World::new().await;
    let good = |document: &[u8]| line(document);
    let long = format!("{{\"digest\":\"{}\"}}\n", "0".repeat(5_000));
    let body = [
        good(b"one"),
        "\n".into(),
        "{\"digest\":\"zz\"}\n".into(),
        "{\"digest\": Anna Muster\n".into(),
        long,
        "{\"alg\":\"md5\",\"digest\":\"00\"}\n".into(),
        "\r\n".into(),
        good(b"eight").trim_end().into(),
    ]
    .concat();
    // Cut into pieces of every size: lines do not depend on how they arrive.
    for size in [1, 7, 64, body.len()] {
        let pieces: Vec<_> =
            body.as_bytes().chunks(size).map(|piece| Ok::<_, std::io::Error>(Bytes::copy_from_slice(piece))).collect();
        let answer = world.send(post(&world, "").body(reqwest::Body::wrap_stream(stream::iter(pieces)))).await;
        let mut found = lines(&answer);
        let end = found.pop().unwrap();
        assert_eq!(end, serde_json::json!({"end": {"lines": 8, "receipts": 2, "problems": 4}}), "{size}");
        let found: BTreeMap<_, _> = found.into_iter().map(|line| (line["line"].as_u64().unwrap(), line)).collect();
        for (number, document) in [(1, b"one".as_slice()), (8, b"eight")] {
            world.confirm(&codec::canonical(&found[&number]["receipt"]), document, SHA_256);
        }
        for (number, detail) in [
            (3, "line 3, neither hexadecimal nor unpadded base64url"),
            (4, "line 4, column 12: not a JSON object"),
            (5, "line 5, column 1024: longer than 1024 bytes"),
            (6, "line 6, expected a string, or an object of alg"),
        ] {
            let problem = &found[&number]["problem"];
            assert_eq!(problem["code"], "gateway.line");
            assert!(problem["detail"].as_str().unwrap().starts_with(detail), "{problem}");
        }
        assert!(!String::from_utf8_lossy(&answer.body).contains("Muster"), "what a bad line holds is not repeated");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_comes_while_the_caller_goes_on_sending() {
    let world = World::new().await;
    let (sender, receiver) = tokio::sync::mpsc::channel::<Bytes>(1);
    let body = stream::unfold(receiver, async |mut receiver| {
        receiver.recv().await.map(|piece| (Ok::<_, std::io::Error>(piece), receiver))
    });
    let request = post(&world, "").body(reqwest::Body::wrap_stream(body));
    sender.send(Bytes::from(line(b"first"))).await.unwrap();
    let response = request.send().await.unwrap();
    let mut answer = response.bytes_stream();
    let first = answer.next().await.unwrap().unwrap();
    let first: Value = serde_json::from_slice(&first).unwrap();
    world.confirm(&codec::canonical(&first["receipt"]), b"first", SHA_256);
    // Only now the second line is sent.
    sender.send(Bytes::from(line(b"second"))).await.unwrap();
    let second: Value = serde_json::from_slice(&answer.next().await.unwrap().unwrap()).unwrap();
    assert_eq!(second["line"], 2);
    drop(sender);
    let end: Value = serde_json::from_slice(&answer.next().await.unwrap().unwrap()).unwrap();
    assert_eq!(end["end"]["receipts"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_lines_share_few_records() {
    let world = World::new().await;
    let documents: Vec<_> = (0..3_500u32).map(|number| number.to_be_bytes()).collect();
    for (query, records_max) in [("", 8), ("?public=1", 14)] {
        let before = world.record_count();
        let body: String = documents.iter().map(|document| line(document)).collect();
        let mut found = lines(&world.send(post(&world, query).body(body)).await);
        assert_eq!(found.pop().unwrap()["end"]["receipts"], 3_500);
        found.sort_by_key(|line| line["line"].as_u64());
        for place in [0, 999, 1_000, 3_499] {
            assert_eq!(found[place]["line"], place + 1);
            world.confirm(&codec::canonical(&found[place]["receipt"]), &documents[place], SHA_256);
        }
        assert!(world.record_count() - before <= records_max, "{}", world.record_count() - before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_into_the_queue_is_answered_with_ids() {
    let kept = Kept::new();
    let world = kept.world().await;
    world.nodes[0].behave(Mood::Away);
    let body = [line(b"one"), line(b"two")].concat();
    let mut found = lines(&world.send(post(&world, "?async=1").body(body)).await);
    assert_eq!(found.pop().unwrap()["end"]["problems"], 0);
    world.nodes[0].behave(Mood::Well);
    for (line, document) in found.iter().zip([b"one", b"two"]) {
        assert_eq!(line["state"], "queued");
        let href = format!("/v1/documents/{}", line["id"].as_str().unwrap());
        until(&world, &href, "final").await;
        let receipt = world.send(world.get(&format!("{href}/receipts/{}", line["place"]))).await;
        world.confirm(&receipt.body, document, SHA_256);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_breaks_off_says_where() {
    let kept = Kept::new();
    let world = kept.world().await;
    let body = line(b"one");
    let head = format!(
        "POST /v1/hashes HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Type: application/x-ndjson\r\n\
         Content-Length: {}\r\n\r\n{body}{{\"dig",
        world.address,
        world.token,
        body.len() + 100
    );
    let answer = world.raw(head.as_bytes()).await;
    assert!(answer.contains("\"line\":1,\"id\":\""), "{answer}");
    assert!(answer.contains("\"line\":2") && answer.contains("request.body"), "{answer}");
    assert!(!answer.contains("\"end\""), "{answer}");
    // An outcome that is not known is told line by line, with what to keep.
    world.nodes[0].behave(Mood::Hangs);
    let found = lines(&world.send(post(&world, "").body([line(b"a"), line(b"b")].concat())).await);
    for line in &found[..2] {
        let problem = &line["problem"];
        assert_eq!(problem["code"], "gateway.outcome-unknown");
        assert_eq!(problem["pending"]["openings"].as_array().unwrap().len(), 1);
    }
    world.nodes[0].behave(Mood::Well);
    tokio::time::sleep(Duration::from_millis(10)).await;
    let pending = &found[1]["problem"]["pending"];
    let answer = world.send(world.post("/v1/receipts").json(pending)).await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    world.confirm(&codec::canonical(&answer.json()[0]), b"b", SHA_256);
}
