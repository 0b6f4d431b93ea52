//! Goal: whatever was answered with 202 becomes final once, also when the process is killed at any moment. Method: this test's binary runs
//! itself as a gateway in a process of its own, which is killed with SIGKILL while requests come; then another one is started on what it
//! left on disk.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use testamur_gateway::tokens::{Token, Tokens};
use testamur_gateway::{Gateway, GatewayConfig};
use testamur_primitives::codec;
use testamur_primitives::commitment::DigestAlgorithm;
use testamur_primitives::key::SigningKey;
use testamur_primitives::record::Act;
use testamur_primitives::trust::TrustFile;

use crate::fake_node::Network;
use crate::kept::{Kept, until};
use crate::world::World;

/// Where the process finds its archive, tokens and node: `ARCHIVE,TOKENS,NODE`.
const PLACE: &str = "TESTAMUR_TEST_GATEWAY";
/// How often the process is killed.
const KILLS: u64 = 6;

/// The gateway that is killed. When the tests are run, and not this process by the test below, there is nothing to do.
#[tokio::test(flavor = "multi_thread")]
async fn process() {
    let Ok(place) = std::env::var(PLACE) else { return };
    let [archive, tokens, node] = place.split(',').collect::<Vec<_>>().try_into().unwrap();
    let trust: TrustFile = Network::new(0).trust();
    let tokens = Tokens::load(tokens.as_ref()).unwrap();
    let listen = "127.0.0.1:0".parse().unwrap();
    let mut config = GatewayConfig::new(listen, vec![node.into()], SigningKey::ed25519(&[77; 32]), tokens, trust);
    config.store = Some(Kept::open(archive.as_ref()));
    let gateway = Gateway::bind(config).await.unwrap();
    println!("\nlistens {}", gateway.local_address());
    gateway.serve(std::future::pending()).await;
}

/// Starts the process and returns where it listens.
fn start(place: &str) -> (Child, String) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "killed::process", "--nocapture"]).env(PLACE, place);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address = lines.map_while(Result::ok).find_map(|line| line.strip_prefix("listens ").map(str::to_owned));
    (child, format!("http://{}", address.expect("the process listens")))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_outlives_every_kill() {
    let kept = Kept::new();
    // Its ledger and its last gateway; the processes come first.
    let world = World::new().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens.json");
    let token = Token::generate().unwrap();
    let mut tokens = Tokens::new();
    tokens.add("office".parse().unwrap(), &token, testamur_primitives::units::UnixTime(0)).unwrap();
    tokens.save(&path).unwrap();
    let place = format!("{},{},{}", kept.path.display(), path.display(), world.nodes[0].url());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut accepted = BTreeMap::new();
    for kill in 0..KILLS {
        let (mut child, url) = start(&place);
        let killer = tokio::task::spawn_blocking(move || {
            // From before the first window closes to well after the first record is final.
            std::thread::sleep(Duration::from_millis(15 + 45 * kill));
            child.kill().unwrap();
            child.wait().unwrap();
        });
        for number in 0u64.. {
            let document = format!("document {number} before kill {kill}");
            let request = client.post(format!("{url}/v1/documents?async=1")).bearer_auth(token.as_str());
            let Ok(answer) = request.body(document.clone()).send().await else { break };
            let status = answer.status();
            let Ok(answer) = answer.json::<serde_json::Value>().await else { break };
            assert_eq!(status, 202, "{answer}");
            accepted.insert(answer["href"].as_str().unwrap().to_owned(), document);
        }
        killer.await.unwrap();
    }
    assert!(accepted.len() > 20, "{} were accepted", accepted.len());
    let world = world
        .restart(|config| {
            config.tokens = tokens.clone();
            config.store = Some(Kept::open(&kept.path));
        })
        .await
        .with_token(token.as_str());
    let mut records = std::collections::BTreeSet::new();
    for (href, document) in &accepted {
        let standing = until(&world, href, "final").await;
        let facts =
            world.confirm(&codec::canonical(&standing["receipt"]), document.as_bytes(), DigestAlgorithm::Sha2_256);
        records.insert(facts.record);
    }
    // No document is under two records: what is on the ledger is what was accepted, and at most one request a kill whose answer was lost.
    let count = |act: &Act| if let Act::NotariseBatch { count, .. } = act { *count } else { panic!("{act:?}") };
    let on_ledger: u64 = world.ledger.lock().unwrap().records().iter().map(|record| count(record.act())).sum();
    assert!((accepted.len() as u64..=accepted.len() as u64 + KILLS).contains(&on_ledger), "{on_ledger}");
    assert!(records.len() > 1);
}
