//! Bad input gets a clear error, and nothing is lost: over HTTP at a node and at the gateway, on the command line, and
//! at start. Each case reads status or exit code, the stable code, and the message.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Output;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use testamur_primitives::codec::{from_base64url, sha256};
use testamur_primitives::commitment::{DigestAlgorithm, Form};
use testamur_primitives::did::Did;
use testamur_primitives::key::SigningKey;
use testamur_primitives::record::{Act, Bytes, Change, Record, RevocationReason};
use testamur_primitives::units::UnixTime;
use testamur_tests::chain::{key, record, seed};
use testamur_tests::harness::{Network, Response, Setup, new_record, request, send_raw, testamur, wait_for};
use testamur_tests::vectors;

const JOSE: (&str, &str) = ("content-type", "application/jose");

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

fn post(node: SocketAddr, bytes: &[u8]) -> Response {
    request(node, "POST", "/v1/records?wait=final", &[JOSE], bytes).expect("an answer")
}

/// Reads a problem: its status, its code, and that it says something to a person.
fn problem(what: &str, answer: &Response, status: u16, code: &str) {
    let body = answer.json();
    let told = format!("{what}: {} {}", answer.status, answer.text());
    assert_eq!((answer.status, body["code"].as_str()), (status, Some(code)), "{told}");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{told}");
    assert!(body["detail"].as_str().is_some_and(|detail| detail.len() > 10), "{told}");
    assert!(body["title"].as_str().is_some_and(|title| !title.is_empty()), "{told}");
    assert_eq!(body["status"], status, "{told}");
}

#[test]
fn a_node_refuses_bad_records_with_their_codes() {
    let mut network = Network::start(&Setup::default());
    let (node, genesis) = (network.nodes[0].api, network.trust.genesis().clone());
    for case in vectors::refused_records(&genesis, &network.author, now()) {
        // The clock goes on while this test runs: these two sit on the second.
        if matches!(case.what.as_str(), "expired this second" | "301 s ahead") {
            continue;
        }
        let number = case.code.as_str();
        let status = match number {
            "record.too-large" => 413,
            "record.wrong-network" | "record.life" | "record.too-old" | "record.too-early" => 422,
            _ => 400,
        };
        let answer = post(node, &STANDARD.decode(&case.bytes).expect("base64"));
        problem(&case.what, &answer, status, number);
    }
    let ahead = record(&genesis, &network.author, "ahead", now() + 900, digests(1));
    problem("15 minutes ahead", &post(node, ahead.as_bytes()), 422, "record.too-early");
    let old = record(&genesis, &network.author, "old", now() - 2 * 86_400, digests(1));
    problem("two days old", &post(node, old.as_bytes()), 422, "record.too-old");

    // A good record goes in once; again, and with the same jti, it is a duplicate.
    let good = new_record(&genesis, &network.author);
    let answer = post(node, good.as_bytes());
    assert_eq!(answer.status, 201, "{}", answer.text());
    problem("the same record again", &post(node, good.as_bytes()), 409, "admission.duplicate");
    // Another node may be a moment behind, and would then answer the same as the first did: wait until it has the block.
    network.wait_height(answer.json()["height"].as_u64().expect("final"));
    let elsewhere = post(network.nodes[2].api, good.as_bytes());
    problem("the same record at another node", &elsewhere, 409, "admission.duplicate");
    let jti = good.payload().jti.as_str();
    let same_jti = record(&genesis, &network.author, jti, now(), digests(3));
    problem("the same jti", &post(node, same_jti.as_bytes()), 409, "admission.duplicate");
    problem(
        "an unknown author",
        &post(node, new_record(&genesis, &key("stranger", 0)).as_bytes()),
        422,
        "notary.not-a-writer",
    );

    // An author on P-256 is granted the role, writes, replays with another signature, and loses the role.
    let operator = read_key(&network.root().join("operator-0/operator.key"));
    let author = SigningKey::p256(&seed("bad input", 0)).expect("a scalar");
    let did = Did::key(&author.public_key());
    problem(
        "not an operator",
        &post(node, proposal(&network, &author, &did, false, 1).as_bytes()),
        422,
        "governance.not-an-operator",
    );
    let answer = post(node, proposal(&network, &operator, &did, true, 1).as_bytes());
    assert_eq!(answer.status, 201, "{}", answer.text());
    let written = new_record(&genesis, &author);
    let answer = post(node, written.as_bytes());
    assert_eq!(answer.status, 201, "{}", answer.text());
    let other = vectors::with_other_signature(&written);
    assert_ne!(other.as_bytes(), written.as_bytes());
    problem("another ECDSA signature", &post(node, other.as_bytes()), 409, "admission.duplicate");
    let answer = post(node, proposal(&network, &operator, &did, false, 2).as_bytes());
    assert_eq!(answer.status, 201, "{}", answer.text());
    problem("a revoked author", &post(node, new_record(&genesis, &author).as_bytes()), 422, "notary.writer-revoked");

    requests(node);
    network.check();
}

fn digests(count: usize) -> Act {
    let entries = (0..count).map(|n| Bytes(sha256(&[b"bad input", &n.to_be_bytes()]).to_vec())).collect();
    Act::Notarise { alg: DigestAlgorithm::Sha2_256, form: Form::Digest, entries, reference: None }
}

fn read_key(path: &Path) -> SigningKey {
    let file: Value = serde_json::from_slice(&fs::read(path).expect("a key")).expect("JSON");
    let seed = from_base64url(file["secret"]["insecure_dev"].as_str().expect("not encrypted")).expect("base64url");
    SigningKey::ed25519(&seed.try_into().expect("32 bytes"))
}

fn proposal(network: &Network, by: &SigningKey, did: &Did, grant: bool, version: u64) -> Record {
    let did = did.clone();
    let change = if grant {
        Change::GrantWriter { did }
    } else {
        Change::RevokeWriter { did, reason: RevocationReason::CessationOfOperation }
    };
    let act = Act::Propose { change, governance_version: version, expires: UnixTime(now() + 3_600) };
    record(network.trust.genesis(), by, &format!("proposal-{grant}-{version}"), now(), act)
}

/// Requests that never become records.
fn requests(node: SocketAddr) {
    let ask = |method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]| {
        request(node, method, target, headers, body).expect("an answer")
    };
    let json = ("content-type", "application/json");
    let id = "0".repeat(64);
    let text = ("content-type", "text/plain");
    problem("wrong content type", &ask("POST", "/v1/records", &[text], b"a.b.c"), 415, "request.content-type");
    problem("JSON without a record", &ask("POST", "/v1/records", &[json], b"{}"), 400, "request.body");
    let alone = br#"{"record":"a.b.c","attachment":"AA"}"#;
    problem("an attachment to no record", &ask("POST", "/v1/records", &[json], alone), 400, "record.not-compact-jws");
    problem("no content type", &ask("POST", "/v1/records", &[], b"a.b.c"), 415, "request.content-type");
    let gzip = ("content-encoding", "gzip");
    problem("compressed", &ask("POST", "/v1/records", &[JOSE, gzip], b"a.b.c"), 415, "request.content-encoding");
    problem("unknown query", &ask("POST", "/v1/records?wait=soon", &[JOSE], b"a.b.c"), 400, "request.query");
    problem("unknown route", &ask("GET", "/v1/nothing", &[], b""), 404, "request.unknown-route");
    problem("unknown method", &ask("DELETE", "/v1/records", &[], b""), 405, "request.method");
    problem("unknown record", &ask("GET", &format!("/v1/records/{id}"), &[], b""), 404, "request.not-found");
    problem("malformed id", &ask("GET", "/v1/records/XYZ", &[], b""), 400, "request.path");
    problem("a height that is not there", &ask("GET", "/v1/blocks/99999999", &[], b""), 404, "request.not-found");
    problem("a height with a leading zero", &ask("GET", "/v1/blocks/01", &[], b""), 400, "request.path");
    problem("consistency backwards", &ask("GET", "/v1/consistency?from=3&to=2", &[], b""), 400, "request.query");
    problem(
        "a receipt nobody can read",
        &ask("GET", &format!("/v1/records/{id}/receipt"), &[("accept", "image/png")], b""),
        406,
        "request.not-acceptable",
    );
    let chunked = b"POST /v1/records HTTP/1.1\r\nhost: x\r\ncontent-type: application/jose\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
    problem("chunked", &send_raw(node, chunked).expect("an answer"), 411, "request.length-required");
    let announced =
        b"POST /v1/records HTTP/1.1\r\nhost: x\r\ncontent-type: application/jose\r\ncontent-length: 65536\r\n\r\na";
    problem("65,536 bytes announced", &send_raw(node, announced).expect("an answer"), 413, "record.too-large");
    let answer = ask("GET", &format!("/v1/notarisations?hash={id}"), &[], b"");
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.text().contains("no public entry"), "{}", answer.text());
}

#[test]
fn the_gateway_refuses_bad_requests_and_does_nothing_by_halves() {
    let mut network = Network::start(&Setup::default());
    let (gateway, token) = network.start_gateway();
    let bearer = format!("Bearer {token}");
    let auth = ("authorization", bearer.as_str());
    let pdf = ("content-type", "application/pdf");
    let ask = |headers: &[(&str, &str)], target: &str, body: &[u8]| {
        request(gateway, "POST", target, headers, body).expect("an answer")
    };
    let documents = "/v1/documents";
    let before = size(&network);
    problem("no token", &ask(&[pdf], documents, b"x"), 401, "gateway.token-missing");
    problem(
        "a wrong token",
        &ask(&[("authorization", "Bearer wrong"), pdf], documents, b"x"),
        401,
        "gateway.token-wrong",
    );
    problem(
        "another scheme",
        &ask(&[("authorization", "Basic eDp5"), pdf], documents, b"x"),
        401,
        "gateway.token-missing",
    );
    let foreign = ("origin", "https://evil.example");
    problem("another origin", &ask(&[auth, pdf, foreign], documents, b"x"), 403, "gateway.cross-site");
    let site = ("sec-fetch-site", "cross-site");
    problem("a cross-site fetch", &ask(&[auth, pdf, site], documents, b"x"), 403, "gateway.cross-site");
    let host = ("host", "evil.example");
    problem("a foreign host", &ask(&[auth, pdf, host], documents, b"x"), 421, "gateway.foreign-host");
    problem("an empty document", &ask(&[auth, pdf], documents, b""), 400, "gateway.empty-document");
    let multipart = ("content-type", "multipart/form-data; boundary=b");
    problem("no multipart at all", &ask(&[auth, multipart], documents, b"hello"), 400, "gateway.multipart");
    let json = ("content-type", "application/json");
    let hashes = "/v1/hashes";
    problem("no JSON", &ask(&[auth, json], hashes, b"{"), 400, "gateway.json");
    problem("deep JSON", &ask(&[auth, json], hashes, "[".repeat(50_000).as_bytes()), 400, "gateway.json");
    problem("no hashes", &ask(&[auth, json], hashes, b"[]"), 400, "gateway.no-hashes");
    problem("a hash of the wrong length", &ask(&[auth, json], hashes, br#"["abcd"]"#), 400, "gateway.hash");
    let cut = b"--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.pdf\"\r\n\r\nhalf of it";
    let mut head = format!(
        "POST /v1/documents HTTP/1.1\r\nhost: {gateway}\r\nauthorization: {bearer}\r\n\
         content-type: multipart/form-data; boundary=b\r\ncontent-length: 5000\r\n\r\n"
    )
    .into_bytes();
    head.extend_from_slice(cut);
    half_sent(gateway, &head);
    assert_eq!(size(&network), before, "nothing of all this became a record");

    // The nodes away: a clear error, and the same request works once they are back.
    for node in 1..4 {
        network.kill(node);
    }
    network.kill(0);
    problem("no node", &ask(&[auth, pdf], documents, b"a document"), 503, "gateway.node-unreachable");
    network.start_all();
    network.wait_ready();
    let answer = ask(&[auth, pdf], documents, b"a document");
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(size(&network), before + 1);
    network.check();
}

/// Records in the log.
fn size(network: &Network) -> u64 {
    network.get(0, "/v1/status").expect("an answer").json()["log_size"].as_u64().expect("a size")
}

/// Sends a part of a request and goes away: an answer, if there is one, says that nothing was done.
fn half_sent(gateway: SocketAddr, bytes: &[u8]) {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(gateway).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time-out can be set");
    stream.write_all(bytes).expect("sent");
    stream.shutdown(std::net::Shutdown::Write).expect("closed on our side");
    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer);
    assert!(read.is_ok(), "the gateway ends the connection");
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
}

fn run(home: &Path, arguments: &[&str]) -> Output {
    testamur(home).args(arguments).output().expect("the binary runs")
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Every receipt of the vectors through the command line: exit code and code.
#[test]
fn testamur_verify_judges_every_vector() {
    let home = tempfile::tempdir().expect("a directory");
    let cases: Vec<vectors::ReceiptCase> =
        serde_json::from_slice(&fs::read(vectors::folder().join("receipts.json")).expect("vectors")).expect("JSON");
    let document = home.path().join("document.pdf");
    for case in &cases {
        let receipt = vectors::folder().join(&case.receipt).display().to_string();
        let trust = vectors::folder().join(&case.trust).display().to_string();
        let at = case.at.to_string();
        let name = document.display().to_string();
        let mut arguments = vec!["verify", "--json", "--trust", &trust, "--at", &at];
        match &case.document {
            Some(bytes) => {
                fs::write(&document, STANDARD.decode(bytes).expect("base64")).expect("written");
                arguments.extend([name.as_str(), receipt.as_str()]);
            }
            None => arguments.extend(["--receipt-only", receipt.as_str()]),
        }
        let output = run(home.path(), &arguments);
        assert_eq!(output.status.code(), Some(case.exit), "{}: {}", case.name, said(&output));
        let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        if case.exit == 3 || case.exit == 4 {
            assert_eq!(report["error"]["code"], *case.code, "{}: {report}", case.name);
            assert!(report["error"]["message"].as_str().is_some_and(|m| m.len() > 10), "{}: {report}", case.name);
        }
    }
}

/// What keeps the page from being served or exported: nothing of what is given reaches a policy, and nothing is overwritten.
#[test]
fn a_page_that_cannot_be_hosted_says_why() {
    let home = tempfile::tempdir().expect("a directory");
    let at = |name: &str| home.path().join(name).display().to_string();
    fs::create_dir(at("dist")).expect("made");
    fs::write(at("dist/index.html"), "<!doctype html><html><head></head></html>").expect("written");
    fs::create_dir(at("empty")).expect("made");
    let (trust, dist, empty, site) =
        (vectors::folder().join("diplomas/trust.json").display().to_string(), at("dist"), at("empty"), at("site"));
    let refused = |arguments: &[&str], code: &str, words: &str| {
        let output = run(home.path(), &[arguments, &["--json", "--quiet"]].concat());
        let told: Value = serde_json::from_slice(&output.stderr).unwrap_or_else(|_| panic!("{}", said(&output)));
        assert_eq!((output.status.code(), told["error"]["code"].as_str()), (Some(1), Some(code)), "{told}");
        assert!(told["error"]["message"].as_str().is_some_and(|message| message.contains(words)), "{words}: {told}");
        assert!(told["error"]["hint"].as_str().is_some_and(|hint| hint.len() > 5), "{told}");
    };
    let given = ["page", "export", &site, "--network", &trust, "--bundle", &dist];
    let with = |more: &[&'static str]| [&given[..], more].concat();
    refused(&with(&["--node", "https://a.example; script-src *"]), "page.node", "its host is no name");
    refused(&with(&["--node", "javascript:alert(1)"]), "page.node", "must begin with");
    refused(&with(&["--node", "http://[::1]:8080"]), "page.node", "IPv6");
    refused(&with(&["--name", " "]), "page.network", "name");
    refused(&["page", "hash", &empty], "page.bundle", "no index.html");
    refused(&["page", "--bundle", &empty, "--network", &trust], "page.bundle", "no index.html");
    refused(&["page", "--bundle", &dist], "network.none", "a page is for one");
    refused(&["page", "--bundle", &dist, "--network", "nowhere"], "network.unknown", "nowhere");
    assert!(!Path::new(&site).exists(), "nothing was written");
    let held = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = held.local_addr().expect("an address").to_string();
    let listen = ["page", "--bundle", &dist, "--network", &trust, "--listen", &address];
    refused(&listen, "page.start", "in use");
    let done = run(home.path(), &with(&["--node", "https://node-1.example"]));
    assert!(done.status.success(), "{}", said(&done));
    refused(&with(&[]), "page.export", "is not empty");
}

/// What keeps a node from starting is told in one message, and nothing is touched.
#[test]
fn a_node_that_cannot_start_says_why() {
    let mut network = Network::make(&Setup::default());
    let mut other = Network::make(&Setup::default());
    let refused = |network: &Network, node: usize, change: &dyn Fn(&mut std::process::Command), words: &[&str]| {
        let mut command = testamur(network.folder());
        command.args(["run", "--config"]).arg(network.nodes[node].dir.join("config.toml"));
        change(&mut command);
        let output = command.output().expect("the binary runs");
        let told = said(&output);
        assert_eq!(output.status.code(), Some(1), "{told}");
        for word in words {
            assert!(told.contains(word), "{word:?} is missing in: {told}");
        }
    };
    let plain = |_: &mut std::process::Command| {};

    // A port in use.
    let held = TcpListener::bind(network.nodes[0].api).expect("free until now");
    refused(&network, 0, &plain, &[&network.nodes[0].api.port().to_string(), "in use"]);
    drop(held);

    // Keys that others may read; a key of another kind; no key.
    let consensus = network.nodes[0].dir.join("keys/consensus.key");
    fs::set_permissions(&consensus, fs::Permissions::from_mode(0o644)).expect("our own file");
    refused(&network, 0, &plain, &["may be read by others"]);
    fs::set_permissions(&consensus, fs::Permissions::from_mode(0o600)).expect("our own file");
    let kept = fs::read(&consensus).expect("a key");
    fs::copy(network.nodes[0].dir.join("keys/log.key"), &consensus).expect("copied");
    refused(&network, 0, &plain, &["log", "expected consensus"]);
    fs::remove_file(&consensus).expect("removed");
    refused(&network, 0, &plain, &["consensus.key"]);
    fs::write(&consensus, kept).expect("written");
    fs::set_permissions(&consensus, fs::Permissions::from_mode(0o600)).expect("our own file");

    // A directory of another node, of another network; two processes on one directory.
    network.start_all();
    network.wait_ready();
    network.stop(1);
    network.stop(0);
    fs::rename(network.nodes[0].dir.join("data"), network.folder().join("data-0")).expect("moved");
    fs::rename(network.nodes[1].dir.join("data"), network.nodes[0].dir.join("data")).expect("moved");
    refused(&network, 0, &plain, &["belongs to", "this is"]);
    other.start_all();
    other.wait_ready();
    other.stop(0);
    fs::remove_dir_all(network.nodes[0].dir.join("data")).expect("removed");
    fs::rename(other.nodes[0].dir.join("data"), network.nodes[0].dir.join("data")).expect("moved");
    refused(&network, 0, &plain, &["belongs to", "this is"]);
    fs::remove_dir_all(network.nodes[0].dir.join("data")).expect("removed");
    fs::rename(network.folder().join("data-0"), network.nodes[0].dir.join("data")).expect("moved");
    network.start_node(0);
    network.wait_ready();

    // Disk short: the node says so, takes no records, and the network goes on.
    network.stop(0);
    let config = network.nodes[0].dir.join("config.toml");
    let text = fs::read_to_string(&config).expect("a configuration");
    let line = text.lines().find(|l| l.starts_with("free_bytes_min")).expect("it is there");
    fs::write(&config, text.replace(line, "free_bytes_min = 9000000000000000")).expect("written");
    network.start_node(0);
    let api = network.nodes[0].api;
    wait_for("the node to see its disk", Duration::from_secs(60), || {
        let ready = request(network.nodes[0].admin, "GET", "/readyz", &[], &[]).ok()?;
        (ready.status == 503 && ready.text().contains("disk-low")).then_some(())
    });
    let genesis = network.trust.genesis().clone();
    problem("disk low", &post(api, new_record(&genesis, &network.author).as_bytes()), 503, "node.not-ready");
    let answer = post(network.nodes[2].api, new_record(&genesis, &network.author).as_bytes());
    assert!(matches!(answer.status, 201 | 202), "{}", answer.text());
}

/// Encrypted keys: a missing and a wrong passphrase are told apart.
#[test]
fn passphrases_missing_or_wrong_are_told() {
    let home = tempfile::tempdir().expect("a directory");
    let passphrase = home.path().join("passphrase");
    fs::write(&passphrase, "correct horse battery staple\n").expect("written");
    fs::set_permissions(&passphrase, fs::Permissions::from_mode(0o600)).expect("our own file");
    let wrong = home.path().join("wrong");
    fs::write(&wrong, "incorrect horse battery staple\n").expect("written");
    fs::set_permissions(&wrong, fs::Permissions::from_mode(0o600)).expect("our own file");
    let (root, right) = (home.path().join("network").display().to_string(), passphrase.display().to_string());
    let made = run(home.path(), &["init", "--dir", &root, "--passphrase-file", &right]);
    assert!(made.status.success(), "{}", said(&made));
    let config = format!("{root}/node-0/config.toml");
    let none = run(home.path(), &["run", "--config", &config]);
    assert_eq!(none.status.code(), Some(1), "{}", said(&none));
    assert!(said(&none).contains("no passphrase was given"), "{}", said(&none));
    let other = run(home.path(), &["run", "--config", &config, "--passphrase-file", &wrong.display().to_string()]);
    assert_eq!(other.status.code(), Some(1), "{}", said(&other));
    assert!(said(&other).contains("the passphrase does not open"), "{}", said(&other));
    for file in ["node-0/keys/consensus.key", "gateway/author.key", "operator-0/operator.key"] {
        let text = fs::read_to_string(Path::new(&root).join(file)).expect("a key");
        assert!(!text.contains("insecure_dev") && text.contains("argon2id"), "{file} is encrypted");
    }
}
