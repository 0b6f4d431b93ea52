//! Goal: every way of handing in documents yields receipts that confirm exactly these documents, and requests that come
//! together share records. Method: real uploads; each receipt is verified against the trust file alone.

use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::multipart::{Form, Part};
use testamur_client::gateway::{DocumentOptions, Gateway as GatewayClient};
use testamur_client::node::Connections;
use testamur_client::receipt::{receipt_path, write_receipt};
use testamur_primitives::codec;
use testamur_primitives::commitment::{self, DigestAlgorithm};
use testamur_primitives::receipt::{self, Receipt, Verdict};
use testamur_primitives::record::Act;
use testamur_primitives::units::UnixTime;

use crate::fake_node::Mood;
use crate::world::World;

const SHA_256: DigestAlgorithm = DigestAlgorithm::Sha2_256;

fn file(name: &str, bytes: &[u8]) -> Part {
    Part::bytes(bytes.to_vec()).file_name(name.to_owned())
}

/// The elements of an array of receipts, each as the bytes of its file.
fn elements(array: &serde_json::Value) -> Vec<Vec<u8>> {
    array.as_array().unwrap().iter().map(codec::canonical).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_file_gets_its_receipt_under_its_name() {
    let world = World::new().await;
    let form = Form::new().part("file", file("contract.pdf", b"a contract"));
    let answer = world.send(world.post("/v1/documents").multipart(form)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["content-type"], "application/json");
    assert_eq!(answer.headers["content-disposition"], "attachment; filename=\"contract.pdf.receipt.json\"");
    assert_eq!(answer.headers["cache-control"], "no-store");
    let facts = world.confirm(&answer.body, b"a contract", SHA_256);
    assert_eq!(answer.headers["testamur-record"], facts.record.to_string());
    assert_eq!(facts.witnesses.len(), 3);
    let ledger = world.ledger.lock().unwrap();
    assert!(matches!(ledger.records()[0].act(), Act::NotariseBatch { count: 1, .. }), "salted, also when alone");
    assert!(!ledger.records()[0].as_str().contains("contract"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_file_name_is_made_harmless() {
    let world = World::new().await;
    let form = Form::new().part("file", file("../../a\"b; filename=c\u{202e}.pdf", b"x"));
    let answer = world.send(world.post("/v1/documents").multipart(form)).await;
    assert_eq!(answer.status, 200);
    let disposition = answer.headers["content-disposition"].to_str().unwrap();
    let name = disposition.strip_prefix("attachment; filename=\"").unwrap().strip_suffix('"').unwrap();
    assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-')), "{name}");
    assert!(!name.starts_with('.') && name.ends_with(".receipt.json"), "{name}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_algorithm_and_both_forms() {
    let world = World::new().await;
    for algorithm in DigestAlgorithm::ALL {
        for public in ["0", "1"] {
            let path = format!("/v1/documents?alg={}&public={public}", algorithm.name());
            let answer = world.send(world.post(&path).body("a document")).await;
            assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
            world.confirm(&answer.body, b"a document", algorithm);
            let ledger = world.ledger.lock().unwrap();
            match ledger.records().last().unwrap().act() {
                Act::Notarise { alg, form: commitment::Form::Digest, entries, .. } => {
                    assert!(public == "1" && *alg == algorithm && entries.len() == 1);
                }
                Act::NotariseBatch { count: 1, .. } => assert_eq!(public, "0"),
                other => panic!("{other:?}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_files_get_receipts_in_their_order_under_one_record() {
    let world = World::new().await;
    let documents: Vec<Vec<u8>> = (0..20u32).map(|i| vec![i as u8; 1 + 5_000 * i as usize]).collect();
    for path in ["/v1/documents", "/v1/documents?public=1"] {
        let mut form = Form::new();
        for document in &documents {
            form = form.part("file", file("same name.pdf", document));
        }
        let before = world.record_count();
        let answer = world.send(world.post(path).multipart(form)).await;
        assert_eq!(answer.status, 200);
        let receipts = elements(&answer.json());
        assert_eq!(receipts.len(), documents.len());
        for (receipt, document) in receipts.iter().zip(&documents) {
            world.confirm(receipt, document, SHA_256);
        }
        assert_eq!(world.record_count(), before + 1, "INV-GATEWAY-1: one request, one record");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hashes_get_receipts_in_their_order() {
    let world = World::new().await;
    let documents = [b"one".as_slice(), b"two", b"three", b"one"];
    let hash = |document: &[u8]| hex::encode(codec::sha256(&[document]));
    let body = serde_json::json!([
        hash(documents[0]),
        {"alg": "sha2-256", "digest": codec::base64url(&codec::sha256(&[documents[1]]))},
        {"digest": hash(documents[2]).to_uppercase()},
        hash(documents[3]),
    ]);
    for path in ["/v1/hashes", "/v1/hashes?public=1"] {
        let answer = world.send(world.post(path).json(&body)).await;
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        let receipts = elements(&answer.json());
        for (receipt, document) in receipts.iter().zip(documents) {
            world.confirm(receipt, document, SHA_256);
        }
        assert_eq!(receipts.len(), 4);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_hashes_fit_into_one_request() {
    let world = World::new().await;
    let documents: Vec<String> = (0..10_000).map(|i| format!("document {i}")).collect();
    let hashes: Vec<_> = documents.iter().map(|d| hex::encode(codec::sha256(&[d.as_bytes()]))).collect();
    let answer = world.send(world.post("/v1/hashes").json(&hashes)).await;
    assert_eq!(answer.status, 200);
    let receipts = elements(&answer.json());
    assert_eq!(receipts.len(), documents.len());
    for place in (0..documents.len()).step_by(997) {
        world.confirm(&receipts[place], documents[place].as_bytes(), SHA_256);
    }
    assert_eq!(world.record_count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_come_together_share_few_records() {
    let world = World::with(1, |config| config.batch_window = Duration::from_millis(100)).await;
    let documents: Vec<Vec<u8>> = (0..50u8).map(|i| vec![i; 1_000]).collect();
    let answers = futures::future::join_all(documents.iter().map(|document| world.notarise(document))).await;
    let mut records = BTreeSet::new();
    for (answer, document) in answers.iter().zip(&documents) {
        assert_eq!(answer.status, 200);
        records.insert(world.confirm(&answer.body, document, SHA_256).record);
    }
    assert_eq!(world.record_count(), records.len());
    assert!(records.len() <= 10, "50 requests took {} records", records.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn public_and_salted_requests_of_one_window_never_mix() {
    let world = World::with(1, |config| config.batch_window = Duration::from_millis(300)).await;
    let world = &world;
    let request = |query: &'static str| async move {
        let answer = world.send(world.post(&format!("/v1/documents{query}")).body("x")).await;
        assert_eq!(answer.status, 200);
        answer
    };
    let answers = tokio::join!(
        request(""),
        request("?public=1"),
        request("?public=1&alg=sha3-512"),
        request("?alg=sha3-512"),
        request("?public=1"),
    );
    world.confirm(&answers.0.body, b"x", SHA_256);
    world.confirm(&answers.1.body, b"x", SHA_256);
    world.confirm(&answers.2.body, b"x", DigestAlgorithm::Sha3_512);
    world.confirm(&answers.3.body, b"x", DigestAlgorithm::Sha3_512);
    world.confirm(&answers.4.body, b"x", SHA_256);
    let ledger = world.ledger.lock().unwrap();
    for record in ledger.records() {
        if let Act::Notarise { form, entries, .. } = record.act() {
            assert_eq!(*form, commitment::Form::Digest);
            assert!(entries.len() <= 2);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_typed_client_notarises_files_and_hashes() {
    let world = World::new().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("other.pdf");
    let document: Vec<u8> = (0..1_000_000u32).map(|i| (i / 7) as u8).collect();
    std::fs::write(&path, &document).unwrap();
    let gateway = GatewayClient::new(&world.url(""), &world.token, &Connections::default()).unwrap();
    let receipt = gateway.notarise_file(&path, DocumentOptions::default()).await.unwrap();
    write_receipt(&receipt_path(&path), &receipt).unwrap();
    world.confirm(&std::fs::read(directory.path().join("other.pdf.receipt.json")).unwrap(), &document, SHA_256);

    let digests: Vec<_> = DigestAlgorithm::ALL
        .iter()
        .map(|algorithm| testamur_client::digest::digest_reader(*algorithm, &b"x"[..]).unwrap())
        .collect();
    let receipts = gateway.notarise_hashes(&digests, commitment::Form::Commitment).await.unwrap();
    for (receipt, algorithm) in receipts.iter().zip(DigestAlgorithm::ALL) {
        world.confirm(receipt, b"x", algorithm);
    }
    let status = gateway.status().await.unwrap();
    assert!(status.ready);
    assert_eq!(status.network, world.trust.network().to_string());
    assert_eq!(status.author, world.ledger.lock().unwrap().records()[0].author().to_string());

    let stranger = GatewayClient::new(&world.url(""), "wrong", &Connections::default()).unwrap();
    let error = stranger.notarise_file(&path, DocumentOptions::default()).await.unwrap_err();
    assert!(error.to_string().contains("gateway.token-wrong"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_description_names_every_route_and_code() {
    let world = World::new().await;
    let answer = world.send(world.bare("GET", "/v1/openapi.json")).await;
    let document = answer.json();
    assert_eq!(document["openapi"], "3.1.0");
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let answer = world.send(world.bare(&method.to_uppercase(), path)).await;
            let expected = if operation["security"].as_array().unwrap().is_empty() { 200 } else { 401 };
            assert_eq!(answer.status, expected, "{method} {path}");
            // What Chromium sends when a script of another page calls, with the caller's own token: refused before anything is read.
            let request = world.bare(&method.to_uppercase(), path).bearer_auth(&world.token);
            let request = request
                .header("origin", "https://evil.example")
                .header("referer", "https://evil.example/")
                .header("sec-fetch-dest", "empty")
                .header("sec-fetch-mode", "cors")
                .header("sec-fetch-site", "cross-site")
                .header(
                    "user-agent",
                    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36",
                );
            let answer = world.send(request).await;
            let expected = if path == "/livez" { 200 } else { 403 };
            assert_eq!(answer.status, expected, "{method} {path}");
            assert!(!answer.headers.contains_key("access-control-allow-origin"), "{method} {path}");
        }
    }
    let page = world.send(world.bare("GET", "/docs")).await;
    let page = String::from_utf8(page.body).unwrap();
    for kind in testamur_gateway::problem::KINDS.iter().chain(testamur_gateway::diplomas::problem::DIPLOMA_KINDS) {
        assert!(page.contains(&format!("id=\"problem-{}\"", kind.code)), "{}", kind.code);
    }
    assert!(!page.contains("<script") && !page.contains("http"), "nothing of third parties");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_stops_still_hands_over_what_is_under_way() {
    let world = World::with(1, |config| config.final_timeout = Duration::from_secs(1)).await;
    world.nodes[0].behave(Mood::Hangs);
    let request = tokio::spawn(world.post("/v1/documents").body("x").send());
    while world.nodes[0].submissions() == 0 {
        tokio::task::yield_now().await;
    }
    let (trust, ledger) = (world.trust.clone(), world.ledger.clone());
    world.nodes[0].behave(Mood::Well);
    world.stop().await;
    let answer = request.await.unwrap().unwrap();
    assert_eq!(answer.status(), 200);
    let receipt = Receipt::decode(&answer.bytes().await.unwrap()).unwrap();
    assert!(matches!(receipt::verify(&receipt, None, &trust, UnixTime(0)), Verdict::Confirmed(_)));
    assert_eq!(ledger.lock().unwrap().records().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_hold_no_name_no_digest_and_no_token() {
    let log = crate::log::capture();
    let world = World::new().await;
    let form = Form::new().part("file", file("Anna-Muster-Zeugnis.pdf", b"personal"));
    let answer = world.send(world.post("/v1/documents").multipart(form)).await;
    assert_eq!(answer.status, 200);
    let digest = codec::sha256(&[b"personal"]);
    let hash = hex::encode(digest);
    assert_eq!(world.send(world.post("/v1/hashes").json(&[&hash])).await.status, 200);
    assert_eq!(world.send(world.post("/v1/hashes").json(&[&hash[1..]])).await.status, 400);
    let cut = Form::new().part("file", file("Anna-Muster-leer.pdf", b""));
    assert_eq!(world.send(world.post("/v1/documents").multipart(cut)).await.status, 400);
    let text = log.text();
    assert!(text.contains("documents notarised") && text.contains("office"), "{text}");
    for secret in ["Muster", &hash, &codec::base64url(&digest), &world.token] {
        assert!(!text.contains(secret), "{secret} stands in the log");
    }
}
