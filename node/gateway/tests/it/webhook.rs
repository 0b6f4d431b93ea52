//! Goal: what settles without anybody waiting is told, signed, until the receiver has it. Method: a receiver that fails first; its
//! signature is computed anew.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::Value;
use testamur_gateway::webhook::{Webhook, fresh_secret};
use testamur_registrar::store::seal::hmac;

use crate::fake_node::Mood;
use crate::kept::Kept;
use crate::world::World;

type Received = Arc<Mutex<Vec<(HeaderMap, Vec<u8>)>>>;

/// A receiver that refuses the first message.
async fn receiver() -> (String, Received) {
    let received = Received::default();
    let take = async |State(received): State<Received>, headers: HeaderMap, body: axum::body::Bytes| {
        let mut received = received.lock().unwrap();
        received.push((headers, body.to_vec()));
        if received.len() == 1 { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::NO_CONTENT }
    };
    let router = Router::new().route("/hook", post(take)).with_state(Arc::clone(&received));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, received)
}

async fn messages(received: &Received, count: usize) -> Vec<(HeaderMap, Vec<u8>)> {
    for _ in 0..400 {
        if received.lock().unwrap().len() >= count {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    // Nothing more comes.
    tokio::time::sleep(Duration::from_millis(300)).await;
    received.lock().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn finality_is_told_signed_until_the_receiver_has_it() {
    let kept = Kept::new();
    let (url, received) = receiver().await;
    let secret = fresh_secret().unwrap();
    let hook = || Some(Webhook::new(&url, &secret).unwrap());
    let world = World::with(1, |config| {
        kept.configure(config);
        config.webhook = hook();
    })
    .await;
    // Who waits for the answer is not told twice.
    assert_eq!(world.notarise(b"waited for").await.status, 200);
    let queued = world.send(world.post("/v1/documents?async=1").body("queued")).await.json();
    let told = messages(&received, 1).await;
    assert_eq!(told.len(), 1);
    // It was refused: a gateway that is started anew sends it again, under the same id.
    let world = world
        .restart(|config| {
            kept.configure(config);
            config.webhook = hook();
        })
        .await;
    let told = messages(&received, 2).await;
    assert_eq!(told.len(), 2);
    for (headers, body) in &told {
        let message: Value = serde_json::from_slice(body).unwrap();
        assert_eq!((message["type"].as_str(), &message["data"]["id"]), (Some("document.final"), &queued["id"]));
        assert!(message["data"]["record"].is_string() && !String::from_utf8_lossy(body).contains("salt"));
        let header = |name: &str| headers[name].to_str().unwrap().to_owned();
        assert_eq!(header("webhook-id"), format!("msg_{}", queued["id"].as_str().unwrap()));
        let key: [u8; 32] = base64(&secret[6..]).try_into().unwrap();
        let signed = format!("{}.{}.", header("webhook-id"), header("webhook-timestamp"));
        let signature = header("webhook-signature");
        assert_eq!(base64(signature.strip_prefix("v1,").unwrap()), *hmac(&key, &[signed.as_bytes(), body]));
    }
    // What the ledger refuses is told too.
    world.nodes[0].behave(Mood::Refuses);
    world.send(world.post("/v1/documents?async=1").body("refused")).await;
    let told = messages(&received, 3).await;
    let message: Value = serde_json::from_slice(&told[2].1).unwrap();
    assert_eq!(message["type"], "document.refused");
    assert_eq!(message["data"]["code"], "gateway.record-refused");
    world.stop().await;
    assert_eq!(Kept::open(&kept.path).deliveries().unwrap(), [], "all is delivered");
}

fn base64(text: &str) -> Vec<u8> {
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bits, mut count, mut bytes) = (0u32, 0, Vec::new());
    for letter in text.chars().filter(|letter| *letter != '=') {
        bits = (bits << 6 | alphabet.find(letter).unwrap() as u32) & 0xff_ffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    bytes
}
