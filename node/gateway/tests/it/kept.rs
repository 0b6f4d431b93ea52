//! Goal: what a gateway with an archive has taken is never lost, never notarised twice, and its receipts are there again under its id.
//! Method: nodes that are away, refuse, hang and lose answers; gateways that are ended in the middle and started on the same archive.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use testamur_client::author::{AuthorKey, SignError};
use testamur_gateway::store::{ArchiveKey, Store, restore};
use testamur_gateway::tokens::{Scope, Token, Tokens};
use testamur_gateway::{Backups, GatewayConfig};
use testamur_primitives::codec;
use testamur_primitives::commitment::DigestAlgorithm;
use testamur_primitives::key::{PublicKey, SigningKey};
use testamur_primitives::units::UnixTime;

use crate::fake_node::Mood;
use crate::world::{Answer, World};

const SHA_256: DigestAlgorithm = DigestAlgorithm::Sha2_256;

/// An archive on a disk, and the token of another caller.
pub(crate) struct Kept {
    _directory: tempfile::TempDir,
    pub(crate) path: PathBuf,
    pub(crate) other: Token,
}

impl Kept {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("receipts.redb");
        Self { _directory: directory, path, other: Token::generate().unwrap() }
    }

    pub(crate) fn open(path: &Path) -> Store {
        Store::open(path, &ArchiveKey::from_bytes(&[5; 32])).unwrap()
    }

    pub(crate) fn configure(&self, config: &mut GatewayConfig) {
        config.store = Some(Self::open(&self.path));
        config.final_timeout = Duration::from_secs(2);
        let mut tokens: Tokens = config.tokens.clone();
        tokens.add("other-office".parse().unwrap(), &self.other, UnixTime(0)).unwrap();
        config.tokens = tokens;
    }

    pub(crate) async fn world(&self) -> World {
        World::with(1, |config| self.configure(config)).await
    }
}

fn hash(document: &[u8]) -> String {
    hex::encode(codec::sha256(&[document]))
}

/// Asks for an id until it stands where it should.
pub(crate) async fn until(world: &World, href: &str, state: &str) -> Value {
    for _ in 0..400 {
        let answer = world.send(world.get(href)).await.json();
        if answer["state"] == state {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{href} is not {state}: {}", world.send(world.get(href)).await.json());
}

fn id_of(answer: &Answer) -> String {
    answer.headers["testamur-document"].to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_are_served_again_by_id_to_their_owner_alone() {
    let kept = Kept::new();
    let world = kept.world().await;
    let first = world.notarise(b"a document").await;
    assert_eq!(first.status, 200, "{}", String::from_utf8_lossy(&first.body));
    let href = format!("/v1/documents/{}", id_of(&first));
    let standing = world.send(world.get(&href)).await.json();
    assert_eq!((&standing["state"], &standing["documents"]), (&json!("final"), &json!(1)));
    assert_eq!(codec::canonical(&standing["receipt"]), first.body, "the receipt is in it");
    for path in [format!("{href}/receipt"), format!("{href}/receipts/0")] {
        let again = world.send(world.get(&path)).await;
        assert_eq!((again.status, &again.body), (200, &first.body), "{path}");
        assert_eq!(again.headers["cache-control"], "no-store");
    }
    let several = world.send(world.post("/v1/hashes").json(&json!([hash(b"one"), hash(b"two")]))).await;
    let path = format!("/v1/documents/{}", id_of(&several));
    assert_eq!(world.send(world.get(&format!("{path}/receipt"))).await.body, several.body);
    let second = world.send(world.get(&format!("{path}/receipts/1"))).await;
    world.confirm(&second.body, b"two", SHA_256);
    for wrong in
        [format!("{path}/receipts/2"), format!("{path}/receipts/x"), "/v1/documents/1".into(), path.to_uppercase()]
    {
        assert_eq!(world.send(world.get(&wrong)).await.status, 404, "{wrong}");
    }
    // Somebody else's token: as if it did not exist.
    for request in [
        world.bare("GET", &href).bearer_auth(kept.other.as_str()),
        world.bare("GET", &format!("{href}/receipt")).bearer_auth(kept.other.as_str()),
        world.bare("DELETE", &href).bearer_auth(kept.other.as_str()),
    ] {
        assert_eq!(world.send(request).await.problem().1, "gateway.unknown-document");
    }
    assert_eq!(world.send(world.bare("GET", &href)).await.problem().1, "gateway.token-missing");
    // Erased: with its salt.
    assert_eq!(world.send(world.bare("DELETE", &href).bearer_auth(&world.token)).await.status, 204);
    assert_eq!(world.send(world.get(&href)).await.problem().1, "gateway.unknown-document");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_queued_outlives_the_network_and_the_gateway() {
    let kept = Kept::new();
    let world = kept.world().await;
    world.nodes[0].behave(Mood::Away);
    let document = world.send(world.post("/v1/documents?async=1").body("a document")).await;
    let hashes = world.send(world.post("/v1/hashes?async=1&public=1").json(&json!([hash(b"one"), hash(b"two")]))).await;
    for answer in [&document, &hashes] {
        assert_eq!(answer.status, 202);
        assert_eq!(answer.headers["location"], format!("/v1/documents/{}", id_of(answer)));
        assert_eq!(answer.json()["state"], "queued");
    }
    let (document, hashes) =
        (format!("/v1/documents/{}", id_of(&document)), format!("/v1/documents/{}", id_of(&hashes)));
    tokio::time::sleep(Duration::from_millis(200)).await;
    let standing = world.send(world.get(&document)).await.json();
    assert_eq!(standing["state"], "queued");
    assert!(standing["since"].as_u64().unwrap() > 1_700_000_000, "it says since when it waits");
    assert_eq!(world.send(world.get(&format!("{document}/receipt"))).await.problem().1, "gateway.not-final");
    assert_eq!(
        world.send(world.bare("DELETE", &document).bearer_auth(&world.token)).await.problem().1,
        "gateway.unsettled"
    );
    let status = world.send(world.get("/v1/status")).await.json();
    assert_eq!((&status["queued"], &status["queued_since"]), (&json!(3), &standing["since"]));
    assert_eq!(world.nodes[0].submissions(), 0, "nothing is signed or sent while no node answers");

    let world = world.restart(|config| kept.configure(config)).await;
    assert_eq!(world.send(world.get(&document)).await.json()["state"], "queued");
    world.nodes[0].behave(Mood::Well);
    let standing = until(&world, &document, "final").await;
    let facts = world.confirm(&codec::canonical(&standing["receipt"]), b"a document", SHA_256);
    assert_eq!(standing["record"], facts.record.to_string());
    until(&world, &hashes, "final").await;
    let receipts = world.send(world.get(&format!("{hashes}/receipt"))).await.json();
    for (receipt, document) in receipts.as_array().unwrap().iter().zip([b"one", b"two"]) {
        world.confirm(&codec::canonical(receipt), document, SHA_256);
    }
    let status = world.send(world.get("/v1/status")).await.json();
    assert_eq!((&status["queued"], &status["queued_since"]), (&json!(0), &Value::Null));
    assert_eq!(world.record_count(), 2, "one for the salted, one for the plain");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_on_its_way_is_gone_on_with_after_a_restart() {
    let kept = Kept::new();
    let world = kept.world().await;
    world.nodes[0].behave(Mood::Hangs);
    let queued = world.send(world.post("/v1/documents?async=1").body("queued")).await;
    let queued = format!("/v1/documents/{}", id_of(&queued));
    until(&world, &queued, "sent").await;
    // A caller that waits is told what to ask for.
    let waited = world.notarise(b"waited for").await;
    let (status, code, _) = waited.problem();
    assert_eq!((status, code.as_str()), (504, "gateway.outcome-unknown"));
    let waited = format!("/v1/documents/{}", waited.json()["document"].as_str().unwrap());
    let world = world.restart(|config| kept.configure(config)).await;
    assert_eq!(world.send(world.get(&waited)).await.json()["state"], "sent");
    world.nodes[0].behave(Mood::Well);
    for (href, document) in [(&queued, b"queued".as_slice()), (&waited, b"waited for")] {
        let standing = until(&world, href, "final").await;
        world.confirm(&codec::canonical(&standing["receipt"]), document, SHA_256);
    }
    assert_eq!(world.record_count(), 2, "the same records as before the restart");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_ledger_refuses_is_refused_in_its_words() {
    let kept = Kept::new();
    let world = kept.world().await;
    world.nodes[0].behave(Mood::Refuses);
    let queued = world.send(world.post("/v1/documents?async=1").body("queued")).await;
    let href = format!("/v1/documents/{}", id_of(&queued));
    let standing = until(&world, &href, "refused").await;
    assert_eq!(standing["code"], "gateway.record-refused");
    assert!(standing["detail"].as_str().unwrap().contains("the author has no writer role"), "{standing}");
    assert_eq!(world.send(world.get(&format!("{href}/receipt"))).await.problem().1, "gateway.record-refused");
    // Who waits is told that nothing was notarised, and then nothing of it is kept: the same key works later.
    let key = |request: reqwest::RequestBuilder| request.header("idempotency-key", "\"k\"");
    let refused = world.send(key(world.post("/v1/documents").body("x"))).await;
    assert_eq!(refused.problem().1, "gateway.record-refused");
    world.nodes[0].behave(Mood::Well);
    assert_eq!(world.send(key(world.post("/v1/documents").body("x"))).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_gets_the_same_answer() {
    let kept = Kept::new();
    let world = kept.world().await;
    let send = |path: &str, key: &str, body: &str| {
        let request = world.post(path).header("idempotency-key", key).body(body.to_owned());
        world.send(request)
    };
    let first = send("/v1/documents", "\"one\"", "a document").await;
    assert_eq!(first.status, 200);
    let again = send("/v1/documents", "one", "a document").await;
    assert_eq!((again.status, &again.body, id_of(&again)), (200, &first.body, id_of(&first)));
    assert_eq!(world.record_count(), 1);
    for (path, body) in [("/v1/documents", "another document"), ("/v1/documents?public=1", "a document")] {
        assert_eq!(send(path, "one", body).await.problem().1, "gateway.idempotency-key-reused", "{path}");
        assert_eq!(send(path, "one", body).await.status, 422);
    }
    for wrong in ["\"", "\"\"", "a b", &"x".repeat(256)] {
        assert_eq!(send("/v1/documents", wrong, "x").await.problem().1, "gateway.idempotency-key", "{wrong}");
    }
    // The same key of another caller is another key.
    let other = world.bare("POST", "/v1/documents").bearer_auth(kept.other.as_str()).header("idempotency-key", "one");
    let other = world.send(other.body("another document")).await;
    assert_eq!(other.status, 200);
    let queued = send("/v1/documents?async=1", "two", "x").await;
    let again = send("/v1/documents?async=1", "two", "x").await;
    assert_eq!((queued.status, again.status, id_of(&queued)), (202, 202, id_of(&again)));
    until(&world, &format!("/v1/documents/{}", id_of(&queued)), "final").await;
    assert_eq!(world.record_count(), 3);
    // It holds across a restart.
    let world = world.restart(|config| kept.configure(config)).await;
    let request = world.post("/v1/documents").header("idempotency-key", "one").body("a document");
    assert_eq!(world.send(request).await.body, first.body);
    assert_eq!(world.record_count(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_is_gone_finds_its_receipt_under_its_key() {
    let kept = Kept::new();
    let world = kept.world().await;
    world.nodes[0].behave(Mood::Hangs);
    let request = || world.post("/v1/documents").header("idempotency-key", "case-1").body("a document");
    // The caller gives up while the record is on its way.
    assert!(request().timeout(Duration::from_millis(300)).send().await.is_err());
    assert_eq!(world.send(request()).await.problem().1, "gateway.idempotency-key-in-use");
    tokio::time::sleep(Duration::from_secs(2)).await;
    world.nodes[0].behave(Mood::Well);
    let answer = world.send(request()).await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    world.confirm(&answer.body, b"a document", SHA_256);
    assert_eq!(world.record_count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_refuses_and_keeps_what_it_has() {
    let kept = Kept::new();
    let world = World::with(1, |config| {
        kept.configure(config);
        config.queue_documents_max = 5;
    })
    .await;
    world.nodes[0].behave(Mood::Away);
    let hashes = |count: u32| {
        let hashes: Vec<_> = (0..count).map(|number| hash(&number.to_be_bytes())).collect();
        world.post("/v1/hashes?async=1").json(&hashes)
    };
    let first = world.send(hashes(4)).await;
    assert_eq!(first.status, 202);
    let (status, code, detail) = world.send(hashes(2)).await.problem();
    assert_eq!((status, code.as_str()), (503, "gateway.queue-full"));
    assert!(detail.contains("4 documents wait, 5 is the bound, and these are 2 more; nothing"), "{detail}");
    assert_eq!(world.send(hashes(1)).await.status, 202);
    world.nodes[0].behave(Mood::Well);
    until(&world, &format!("/v1/documents/{}", id_of(&first)), "final").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_without_an_archive_says_so() {
    let world = World::new().await;
    let id = "01a202fd-0aac-74eb-9dfb-8d893fe821a8";
    for request in [
        world.post("/v1/documents?async=1").body("x"),
        world.post("/v1/documents").header("idempotency-key", "k").body("x"),
        world.get(&format!("/v1/documents/{id}")),
    ] {
        assert_eq!(world.send(request).await.problem().1, "gateway.store-absent");
    }
    assert_eq!(world.record_count(), 0);
}

/// A security module that is pulled out and put in again.
struct Device {
    key: SigningKey,
    is_in: Arc<AtomicBool>,
}

impl AuthorKey for Device {
    fn public_key(&self) -> PublicKey {
        self.key.public_key()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        if !self.is_in.load(Ordering::Relaxed) {
            return Err(SignError("the token is not present".into()));
        }
        Ok(self.key.sign(message))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_waits_for_its_key() {
    let kept = Kept::new();
    let is_in = Arc::new(AtomicBool::new(false));
    let world = World::with(1, |config| {
        kept.configure(config);
        config.author = Box::new(Device { key: SigningKey::ed25519(&[77; 32]), is_in: Arc::clone(&is_in) });
    })
    .await;
    let queued = world.send(world.post("/v1/documents?async=1").body("queued")).await;
    let href = format!("/v1/documents/{}", id_of(&queued));
    // Who waits is told at once.
    let waited = world.notarise(b"waited for").await;
    assert_eq!(waited.problem().1, "gateway.failed");
    assert_eq!(world.send(world.get(&href)).await.json()["state"], "queued");
    is_in.store(true, Ordering::Relaxed);
    until(&world, &href, "final").await;
    assert_eq!(world.record_count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_made_under_load_serves_the_same_receipts_elsewhere() {
    let kept = Kept::new();
    let directory = tempfile::tempdir().unwrap();
    let key_file = directory.path().join("the.key");
    std::fs::write(&key_file, "sealed").unwrap();
    let operator = Token::generate().unwrap();
    let world = World::with(1, |config| {
        kept.configure(config);
        let scopes = [Scope::Operate].into();
        config.tokens.add_for("operator".parse().unwrap(), &operator, UnixTime(0), scopes, None).unwrap();
        config.backups = Some(Backups { directory: directory.path().to_owned(), key_file: Some(key_file) });
    })
    .await;
    let before = world.notarise(b"before").await;
    // Its scope is needed, and good for nothing else.
    assert_eq!(world.send(world.post("/v1/backups")).await.problem().1, "gateway.token-scope");
    let other = world.bare("POST", "/v1/documents").bearer_auth(operator.as_str()).body("x");
    assert_eq!(world.send(other).await.problem().1, "gateway.token-scope");
    let load = async {
        for number in 0..20 {
            assert_eq!(world.notarise(format!("during {number}").as_bytes()).await.status, 200);
        }
    };
    let backup = world.send(world.bare("POST", "/v1/backups").bearer_auth(operator.as_str()));
    let (answer, ()) = tokio::join!(backup, load);
    assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
    let copy = directory.path().join(answer.json()["name"].as_str().unwrap());
    assert_eq!(std::fs::read(copy.with_extension("redb.key")).unwrap(), b"sealed");
    // The gateway's own archive is lost; another machine has the copy.
    let elsewhere = directory.path().join("elsewhere.redb");
    restore(&copy, &elsewhere, &ArchiveKey::from_bytes(&[5; 32])).unwrap();
    let world = world.restart(|config| config.store = Some(Kept::open(&elsewhere))).await;
    let again = world.send(world.get(&format!("/v1/documents/{}/receipt", id_of(&before)))).await;
    assert_eq!((again.status, again.body), (200, before.body));
    assert_eq!(world.notarise(b"after").await.status, 200);
}
