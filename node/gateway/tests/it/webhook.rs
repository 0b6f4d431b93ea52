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

/// Stops the example when the test ends.
struct Example(std::process::Child);

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `examples/webhook.py`, as it is printed.
#[tokio::test(flavor = "multi_thread")]
async fn the_example_takes_what_is_genuine_and_nothing_else() {
    use std::io::{BufRead as _, BufReader};
    let kept = Kept::new();
    let secret = fresh_secret().unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/webhook.py");
    let mut example = std::process::Command::new("python3");
    let example = example.args([script, &port.to_string()]).env("SECRET", &secret).stdout(std::process::Stdio::piped());
    let mut example = Example(example.stderr(std::process::Stdio::null()).spawn().unwrap());
    let mut said = BufReader::new(example.0.stdout.take().unwrap()).lines();
    let url = format!("http://127.0.0.1:{port}/hook");
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for _ in 0..200 {
        if client.get(&url).send().await.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let key: [u8; 32] = base64(&secret[6..]).try_into().unwrap();
    let now = testamur_client::author::now().unwrap().0;
    let send = async |id: &str, sent: u64, key: &[u8; 32], body: &'static str| {
        let signed = format!("{id}.{sent}.");
        let mac = hmac(key, &[signed.as_bytes(), body.as_bytes()]);
        // Standard base64 of 32 bytes, from the alphabet of the URL's.
        let text = testamur_primitives::codec::base64url(&*mac).replace('-', "+").replace('_', "/") + "=";
        let request = client.post(&url).header("webhook-id", id).header("webhook-timestamp", sent);
        request.header("webhook-signature", format!("v1,{text}")).body(body).send().await.unwrap().status().as_u16()
    };
    const BODY: &str = r#"{"type":"document.final","data":{"id":"forged","state":"final"}}"#;
    assert_eq!(send("msg_1", now, &[0; 32], BODY).await, 400, "another secret");
    assert_eq!(send("msg_1", now - 3_600, &key, BODY).await, 400, "an old message");
    let world = World::with(1, |config| {
        kept.configure(config);
        config.webhook = Some(Webhook::new(&url, &secret).unwrap());
    })
    .await;
    let queued = world.send(world.post("/v1/documents?async=1").body("queued")).await.json();
    let line = tokio::task::spawn_blocking(move || said.next().unwrap().unwrap()).await.unwrap();
    assert_eq!(line, format!("final {}", queued["id"].as_str().unwrap()), "the first line is the genuine one's");
    world.stop().await;
}
