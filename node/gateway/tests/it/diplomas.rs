//! Goal: what holds at the command line holds over HTTP: nothing is issued twice or overwritten, changes take two persons, whatever
//! is begun is completed, and no log tells whose diploma it was. Method: a gateway with a real archive and a ledger in memory.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};
use testamur_credentials::credential::Format;
use testamur_gateway::diplomas::{Desk, RowsKind};
use testamur_gateway::tokens::{Scope, Token};
use testamur_primitives::did::Did;
use testamur_primitives::key::SigningKey;
use testamur_primitives::record::Bytes;
use testamur_primitives::units::UnixTime;
use testamur_registrar::fake::{Break, FakeLedger};
use testamur_registrar::store::{ArchiveKey, AwardId, Draft, Store, StoreError};
use testamur_registrar::{Ledger, Office, Options, Settings};

use crate::world::{Answer, World};

/// A gateway with a desk, and four tokens.
struct Counter {
    world: World,
    ledger: Arc<FakeLedger>,
    directory: tempfile::TempDir,
    anna: String,
    ben: String,
    office: String,
}

fn issuer() -> Did {
    Did::of_ledger("ebsi", &[9; 16])
}

/// Rows of these tests: an award's number and a name.
fn read_rows(kind: RowsKind, bytes: &[u8]) -> Result<Vec<Draft>, String> {
    let rows: Vec<Value> = match kind {
        RowsKind::Json => serde_json::from_slice(bytes).map_err(|_| "not an array of rows")?,
        RowsKind::Csv => {
            let text = std::str::from_utf8(bytes).map_err(|_| "not UTF-8")?;
            let row = |(place, line): (usize, &str)| {
                let (award, name) = line.split_once(',').ok_or_else(|| format!("row {}: no column name", place + 2))?;
                Ok(json!({ "award": award, "name": name }))
            };
            text.lines().skip(1).enumerate().map(row).collect::<Result<_, String>>()?
        }
    };
    rows.iter().map(draft).collect()
}

fn draft(row: &Value) -> Result<Draft, String> {
    let (award, name) = row["award"].as_str().zip(row["name"].as_str()).ok_or("row 1: no column award or name")?;
    let sample: Value = serde_json::from_str(testamur_credentials::content::SAMPLES[0].1).unwrap();
    let Value::Object(mut content) = sample["content"].clone() else { panic!("an object") };
    content.insert("familyName".into(), name.into());
    let level = format!("EqfLevel{}", content["eqfLevel"]);
    let schema =
        testamur_primitives::schemas::body::canonical(include_str!("../../../../genesis/schemas/diploma.json"));
    Ok(Draft {
        award: AwardId::new("M1", award).map_err(|e| e.to_string())?,
        content,
        types: ["UniversityDegree".to_owned(), level].into(),
        schema: testamur_primitives::schemas::id_of(&schema.unwrap()).unwrap(),
        holder: None,
        valid_until: None,
        stem: award.to_owned(),
        page: Default::default(),
    })
}

fn store(directory: &tempfile::TempDir) -> Result<Store, StoreError> {
    Store::open(&directory.path().join("a.redb"), &ArchiveKey::from_bytes(&[3; 32]), &issuer())
}

fn desk(store: Store, ledger: &Arc<FakeLedger>) -> Desk {
    let (key, ledger) = (SigningKey::p256(&[5; 32]).unwrap(), Arc::clone(ledger) as Arc<dyn Ledger>);
    let office = Office::new(issuer(), key, ledger, store, Settings::default());
    Desk::new(office, Box::new(read_rows), Options { formats: [Format::SdJwt].into(), print: false })
}

impl Counter {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let ledger = Arc::new(FakeLedger::new(issuer(), SigningKey::p256(&[5; 32]).unwrap()));
        let desk = desk(store(&directory).unwrap(), &ledger);
        for (name, seed) in [("anna", 1), ("ben", 2)] {
            let key = SigningKey::ed25519(&[seed; 32]).public_key();
            let key = Bytes(key.as_bytes().to_vec());
            desk.office().found_staff(&name.parse().unwrap(), key, UnixTime(1)).unwrap();
        }
        Self::over(directory, ledger, desk).await
    }

    async fn over(directory: tempfile::TempDir, ledger: Arc<FakeLedger>, desk: Desk) -> Self {
        let token = || Token::generate().unwrap();
        let (anna, ben, office) = (token(), token(), token());
        let both = BTreeSet::from([Scope::Diplomas, Scope::Approve]);
        let world = World::with(1, |config| {
            config.desk = Some(desk);
            let mut add = |label: &str, token: &Token, scopes: &BTreeSet<Scope>, person: Option<&str>| {
                let person = person.map(|person| person.parse().unwrap());
                config.tokens.add_for(label.parse().unwrap(), token, UnixTime(0), scopes.clone(), person).unwrap();
            };
            add("desk-1", &anna, &both, Some("anna"));
            add("desk-2", &ben, &both, Some("ben"));
            add("registry", &office, &BTreeSet::from([Scope::Diplomas]), None);
        })
        .await;
        let text = |token: Token| token.as_str().to_owned();
        Self { world, ledger, directory, anna: text(anna), ben: text(ben), office: text(office) }
    }

    /// Stops the gateway and opens the same archive behind another.
    async fn restart(self) -> Self {
        let Self { world, ledger, directory, .. } = self;
        world.stop().await;
        let desk = loop {
            // INV-ARCHIVE-4: the old gateway lets go of the archive when its last thread has ended.
            match store(&directory) {
                Ok(store) => break desk(store, &ledger),
                Err(StoreError::Busy(_)) => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
        };
        Self::over(directory, ledger, desk).await
    }

    async fn call(&self, method: &str, path: &str, token: &str, body: Option<Value>) -> Answer {
        let request = self.world.bare(method, path).bearer_auth(token);
        self.world.send(if let Some(body) = body { request.json(&body) } else { request }).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, &self.office, None).await
    }

    async fn issue(&self, rows: Value) -> Answer {
        self.call("POST", "/v1/diplomas?wait=final", &self.office, Some(rows)).await
    }

    async fn propose(&self, token: &str, body: Value) -> Answer {
        self.call("POST", "/v1/diplomas/changes", token, Some(body)).await
    }

    async fn approve(&self, change: &Value, token: &str) -> Answer {
        let path = format!("/v1/diplomas/changes/{}/approval?wait=final", change["id"].as_str().unwrap());
        self.call("POST", &path, token, None).await
    }

    async fn state(&self, award: &str) -> String {
        self.get(&format!("/v1/diplomas/{award}")).await.json()["state"].as_str().unwrap().to_owned()
    }
}

fn lines(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    assert_eq!(answer.headers["content-type"], "application/x-ndjson");
    String::from_utf8_lossy(&answer.body).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn rows(names: &[(&str, &str)]) -> Value {
    names.iter().map(|(award, name)| json!({ "award": award, "name": name })).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn diplomas_are_issued_once_and_handed_out_again() {
    let counter = Counter::new().await;
    let issued = lines(&counter.issue(rows(&[("A1", "Müller"), ("A2", "Weber")])).await);
    assert_eq!(issued.len(), 2);
    assert!(issued.iter().all(|line| line["state"] == "issued" && line["issued"].is_u64()), "{issued:?}");
    let records = counter.ledger.records().len();
    // Again: the same answer, and nothing on the ledger. With one more, only that one is new. As a table, too.
    assert_eq!(lines(&counter.issue(rows(&[("A1", "Müller"), ("A2", "Weber")])).await), issued);
    assert_eq!(counter.ledger.records().len(), records);
    let csv = counter.world.bare("POST", "/v1/diplomas?wait=final").bearer_auth(&counter.office);
    let csv = csv.header("content-type", "text/csv").body("award,name\nA2,Weber\nA3,Ионеску\n");
    assert_eq!(lines(&counter.world.send(csv).await)[0], issued[1]);
    assert_eq!(counter.ledger.records().len(), records + 1);
    // Other content: refused as a whole.
    let (status, code, detail) = counter.issue(rows(&[("A4", "New"), ("A1", "Meyer")])).await.problem();
    assert_eq!((status, code.as_str()), (409, "diploma.changed"));
    assert!(detail.contains("A1") && !detail.contains("Meyer"), "{detail}");
    assert_eq!(counter.get("/v1/diplomas/A4").await.problem().1, "diploma.unknown");
    // Handed out: by its key, its id, both ids.
    let key = issued[0]["id"].as_str().unwrap();
    let whole = counter.get(&format!("/v1/diplomas/{key}")).await;
    assert_eq!(whole.headers["cache-control"], "no-store");
    assert!(whole.json()["credentials"]["sd-jwt"].as_str().unwrap().contains('~'));
    for name in ["A1", "M1%2FA1"] {
        assert_eq!(counter.get(&format!("/v1/diplomas/{name}")).await.json(), whole.json(), "{name}");
    }
    assert_eq!(counter.get("/v1/diplomas/A1.pdf").await.problem().1, "diplomas.format");
    for part in ["receipt", "package"] {
        let answer = counter.get(&format!("/v1/diplomas/A1/{part}")).await;
        assert_eq!(answer.status, 200, "{part}: {}", String::from_utf8_lossy(&answer.body));
        assert_eq!(counter.get(&format!("/v1/diplomas/A9/{part}")).await.problem().1, "diploma.unknown");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_nobody_waits_for_is_done() {
    let counter = Counter::new().await;
    let answer = counter.call("POST", "/v1/diplomas", &counter.office, Some(rows(&[("A1", "Müller")]))).await;
    assert_eq!(answer.status, 202);
    let href = answer.json()["href"].as_str().unwrap().to_owned();
    assert_eq!(answer.headers["location"], href);
    loop {
        let job = counter.get(&href).await.json();
        if job["stage"] == "done" {
            assert_eq!(job["diplomas"][0]["state"], "issued");
            break;
        }
        tokio::task::yield_now().await;
    }
    for wrong in ["0", "ffffffffffffffffffffffffffffffff", "..%2f"] {
        assert_eq!(counter.get(&format!("/v1/diplomas/jobs/{wrong}")).await.problem().1, "diploma.no-job");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_take_two_persons() {
    let counter = Counter::new().await;
    lines(&counter.issue(rows(&[("A1", "Müller"), ("A2", "Weber")])).await);
    let (anna, ben) = (&counter.anna, &counter.ben);
    let revoke = json!({ "do": "revoke", "reason": "obtained-by-fraud", "diplomas": ["A2"] });
    assert_eq!(counter.propose(&counter.office, revoke.clone()).await.problem().1, "gateway.token-person");
    let proposed = counter.propose(anna, revoke.clone()).await;
    assert_eq!(proposed.status, 201);
    let change = proposed.json();
    assert_eq!(
        (&change["stage"], &change["proposer"], &change["approver"]),
        (&json!("proposed"), &json!("anna"), &Value::Null)
    );
    assert_eq!(counter.propose(ben, revoke).await.problem().1, "change.busy");
    // INV-CHANGE-1 over HTTP.
    assert_eq!(
        counter.approve(&change, anna).await.problem(),
        (403, "change.same-person".into(), "anna proposed it: somebody else approves it".into())
    );
    assert_eq!(counter.approve(&change, &counter.office).await.problem().1, "gateway.token-scope");
    assert_eq!(counter.approve(&change, &counter.world.token).await.problem().1, "gateway.token-scope");
    assert_eq!(counter.state("A2").await, "issued");
    let done = counter.approve(&change, ben).await.json();
    assert_eq!(
        (&done["stage"], &done["approver"], &done["answers"][0]["reason"]),
        (&json!("done"), &json!("ben"), &json!("status.revoked"))
    );
    assert_eq!((counter.state("A2").await.as_str(), counter.state("A1").await.as_str()), ("revoked", "issued"));
    assert_eq!(counter.approve(&change, ben).await.problem().1, "change.approved");
    // A correction: the fields are named, not what they say.
    let correct = json!({ "do": "correct", "rows": rows(&[("A1", "Meyer")]) });
    let change = counter.propose(ben, correct).await.json();
    assert_eq!(change["diplomas"][0]["fields"], json!(["familyName"]));
    assert!(!change.to_string().contains("Meyer"));
    let done = counter.approve(&change, anna).await.json();
    let reasons: BTreeSet<_> =
        done["answers"].as_array().unwrap().iter().map(|a| a["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, BTreeSet::from(["status.replaced", "valid"]));
    assert_eq!(counter.get("/v1/diplomas/A1").await.json()["edition"], 2);
    // Withdrawn, it is gone.
    let suspend = json!({ "do": "suspend", "reason": "under-investigation", "diplomas": ["A1"] });
    let change = counter.propose(anna, suspend).await.json();
    let path = change["href"].as_str().unwrap();
    assert_eq!(counter.call("GET", "/v1/diplomas/changes", ben, None).await.json()["open"][0]["id"], change["id"]);
    assert_eq!(counter.call("DELETE", path, anna, None).await.json()["stage"], "withdrawn");
    assert_eq!(counter.approve(&change, ben).await.problem().1, "change.withdrawn");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_change_is_refused_with_the_reason() {
    let counter = Counter::new().await;
    lines(&counter.issue(rows(&[("A1", "Müller")])).await);
    for (body, code) in [
        (json!({}), "change.malformed"),
        (json!([]), "change.malformed"),
        (json!({ "do": "erase", "reason": "issued-in-error", "diplomas": ["A1"] }), "change.malformed"),
        (json!({ "do": "revoke", "reason": "did not pay", "diplomas": ["A1"] }), "change.malformed"),
        (json!({ "do": "revoke", "diplomas": ["A1"] }), "change.malformed"),
        (json!({ "do": "correct", "reason": "issued-in-error", "rows": [] }), "change.malformed"),
        (json!({ "do": "revoke", "reason": "issued-in-error", "diplomas": [], "note": "x" }), "change.malformed"),
        (json!({ "do": "revoke", "reason": "issued-in-error", "diplomas": [] }), "change.nothing"),
        (json!({ "do": "revoke", "reason": "issued-in-error", "diplomas": ["A1", "M1/A1"] }), "change.twice"),
        (json!({ "do": "revoke", "reason": "issued-in-error", "diplomas": ["A9"] }), "change.not-issued"),
        (json!({ "do": "reinstate", "reason": "investigation-closed", "diplomas": ["A1"] }), "change.state"),
        (json!({ "do": "correct", "rows": rows(&[("A1", "Müller")]) }), "change.nothing"),
        (json!({ "do": "correct", "rows": rows(&[("A9", "Müller")]) }), "change.not-issued"),
        (json!({ "do": "correct", "rows": [{}] }), "diplomas.rows"),
    ] {
        assert_eq!(counter.propose(&counter.anna, body.clone()).await.problem().1, code, "{body}");
    }
    for path in ["/v1/diplomas/changes/1", "/v1/diplomas/changes/../x"] {
        assert_eq!(counter.get(path).await.status, 404, "{path}");
    }
    assert_eq!(counter.issue(json!({})).await.problem().1, "diplomas.rows");
    assert_eq!(counter.issue(json!([])).await.problem().1, "diplomas.rows");
    let query = counter.call("POST", "/v1/diplomas?wait=1", &counter.office, Some(json!([]))).await;
    assert_eq!(query.problem().1, "request.query");
    let form = counter.world.bare("POST", "/v1/diplomas").bearer_auth(&counter.office).body("x");
    assert_eq!(counter.world.send(form).await.problem().1, "request.content-type");
    // A token for notarising does not see diplomas; a gateway without a desk says so.
    let stranger = counter.call("GET", "/v1/diplomas/A1", &counter.world.token, None).await;
    assert_eq!(stranger.problem().1, "gateway.token-scope");
    assert_eq!(
        counter.world.send(counter.world.bare("GET", "/v1/diplomas/A1")).await.problem().1,
        "gateway.token-missing"
    );
    let refused = counter.call("POST", "/v1/hashes", &counter.office, Some(json!(["00"]))).await;
    assert_eq!(refused.problem().1, "gateway.token-scope");
}

/// INV-CHANGE-2 over HTTP: the network goes away in the middle, the gateway is started again.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_begun_is_completed_after_a_restart() {
    let counter = Counter::new().await;
    lines(&counter.issue(rows(&[("A1", "Müller")])).await);
    let change =
        counter.propose(&counter.anna, json!({ "do": "correct", "rows": rows(&[("A1", "Meyer")]) })).await.json();
    // The record that anchors the correction goes out, and its answer is lost with everything after it.
    counter.ledger.break_at(5, Break::After);
    let (status, code, _) = counter.approve(&change, &counter.ben).await.problem();
    assert_eq!((status, code.as_str()), (503, "diplomas.ledger"));
    assert!(counter.ledger.mend());
    let counter = counter.restart().await;
    let path = change["href"].as_str().unwrap();
    loop {
        let change = counter.get(path).await.json();
        if change["stage"] == "done" {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(counter.get("/v1/diplomas/A1").await.json()["edition"], 2);
}

/// INV-GATEWAY-5.
#[tokio::test(flavor = "multi_thread")]
async fn logs_tell_nobody_s_diploma() {
    let log = crate::log::capture();
    let counter = Counter::new().await;
    lines(&counter.issue(rows(&[("Award-77", "Nachname-77")])).await);
    let body = json!({ "do": "revoke", "reason": "decision-of-authority", "diplomas": ["Award-77"] });
    let change = counter.propose(&counter.anna, body).await.json();
    assert_eq!(counter.approve(&change, &counter.ben).await.status, 200);
    assert_eq!(counter.issue(rows(&[("Award-77", "Anders-77")])).await.status, 409);
    let text = log.text();
    assert!(text.contains("diplomas issued") && text.contains("change done") && text.contains("desk-2"), "{text}");
    for secret in ["Nachname-77", "Anders-77", "Award-77", "decision-of-authority", &counter.anna, "person=", "anna"] {
        assert!(!text.contains(secret), "{secret} stands in the log");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_without_a_desk_says_so() {
    let token = Token::generate().unwrap();
    let world = World::with(1, |config| {
        config.tokens.add_for("x".parse().unwrap(), &token, UnixTime(0), [Scope::Diplomas].into(), None).unwrap();
    })
    .await;
    let request = world.bare("GET", "/v1/diplomas/A1").bearer_auth(token.as_str());
    assert_eq!(world.send(request).await.problem().1, "diplomas.absent");
}
