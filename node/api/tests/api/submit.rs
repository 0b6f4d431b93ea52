//! Submitting records: what is queued, what is final, and the message of each refusal.

use testamur_primitives::codec::base64url;
use testamur_primitives::commitment::Form;
use testamur_primitives::did::Did;
use testamur_primitives::hash::GenesisHash;
use testamur_primitives::key::SigningKey;
use testamur_primitives::record::{Bytes, Record};
use testamur_primitives::units::UnixTime;

use crate::client::{Answer, get, request, send};
use crate::ledger::{GENESIS_TIME, Mode};
use crate::node::TestNode;

fn post(node: &TestNode, target: &str, record: &[u8]) -> Answer {
    request(node.address, "POST", target, "Content-Type: application/jose\r\n", record)
}

#[test]
fn a_record_is_queued_then_final_then_found() {
    let node = TestNode::start();
    let record = node.ledger.public_record("a", [7; 32]);
    let id = record.id().to_string();
    node.ledger.set_mode(Mode::Hold);
    let queued = post(&node, "/v1/records", record.as_bytes());
    assert_eq!(queued.status, 202);
    assert_eq!(queued.header("location"), Some(format!("/v1/records/{id}").as_str()));
    assert_eq!(queued.header("retry-after"), Some("1"));
    assert_eq!((queued.json()["state"].as_str(), queued.json()["id"].as_str()), (Some("queued"), Some(id.as_str())));
    let waiting = get(node.address, &format!("/v1/records/{id}"));
    assert!(waiting.problem(404, "request.not-final").contains("not final yet"));
    assert_eq!(waiting.header("retry-after"), Some("1"));
    let waiting = get(node.address, &format!("/v1/records/{id}/receipt"));
    assert!(waiting.problem(404, "request.not-final").contains("pool"));

    node.ledger.commit(vec![record.clone()]);
    let found = get(node.address, &format!("/v1/records/{id}"));
    assert_eq!(found.status, 200);
    assert_eq!(found.json()["jws"], record.as_str());
    let again = post(&node, "/v1/records", record.as_bytes());
    assert!(again.problem(409, "admission.duplicate").contains("on the ledger already"));
    assert_eq!(again.header("location"), Some(format!("/v1/records/{id}").as_str()));
    assert_eq!((again.json()["number"].as_u64(), again.json()["record"].as_str()), (Some(150), Some(id.as_str())));
}

#[test]
fn waiting_for_finality_ends_with_it_or_with_202() {
    let node = TestNode::start();
    let record = node.ledger.public_record("a", [7; 32]);
    let done = post(&node, "/v1/records?wait=final", record.as_bytes());
    assert_eq!(done.status, 201, "{}", done.text());
    let json = done.json();
    assert_eq!(
        (json["state"].as_str(), json["height"].as_u64(), json["index"].as_u64()),
        (Some("final"), Some(1), Some(0))
    );
    assert_eq!(json["time"].as_u64(), Some(GENESIS_TIME + 1));
    let receipt = get(node.address, json["receipt"].as_str().unwrap());
    assert_eq!(receipt.status, 200);

    node.ledger.set_mode(Mode::Hold);
    let slow = post(&node, "/v1/records?wait=final", node.ledger.public_record("b", [8; 32]).as_bytes());
    assert_eq!((slow.status, slow.json()["state"].as_str().map(str::to_owned)), (202, Some("queued".into())));
    assert!(slow.header("location").is_some());

    node.ledger.set_mode(Mode::Drop);
    let dropped = post(&node, "/v1/records?wait=final", node.ledger.public_record("c", [9; 32]).as_bytes());
    assert!(dropped.problem(422, "notary.writer-revoked").contains("revoked"));
}

#[test]
fn a_node_that_cannot_says_why() {
    let node = TestNode::start();
    let record = node.ledger.public_record("a", [7; 32]);
    let cases = [
        (Mode::Busy, 503, "node.pool-full", "share of the pool", Some("7")),
        (Mode::NotReady, 503, "node.not-ready", "12 heights behind", Some("2")),
        (Mode::Fail, 500, "request.failed", "failed", None),
        (Mode::Panic, 500, "request.failed", "failed", None),
    ];
    for (mode, status, code, message, retry_after) in cases {
        node.ledger.set_mode(mode);
        let answer = post(&node, "/v1/records", record.as_bytes());
        assert!(answer.problem(status, code).contains(message), "{mode:?}");
        assert_eq!(answer.header("retry-after"), retry_after, "{mode:?}");
        assert!(!answer.text().contains("secret"), "internals must not leave: {}", answer.text());
    }
    node.ledger.set_mode(Mode::Commit);
    assert_eq!(post(&node, "/v1/records", record.as_bytes()).status, 202, "the server goes on after a panic");
}

#[test]
fn a_bad_record_gets_its_own_code() {
    let node = TestNode::start();
    let good = node.ledger.public_record("a", [7; 32]);
    let payload = good.payload().clone();
    let kid = payload.iss.key_id().unwrap();
    let sign = |payload: &testamur_primitives::record::Payload| {
        Record::sign(payload, &kid, &node.ledger.author).unwrap().as_bytes().to_vec()
    };
    let compact = |header: &str, payload: &str| {
        format!("{}.{}.{}", base64url(header.as_bytes()), base64url(payload.as_bytes()), base64url(&[0; 64]))
            .into_bytes()
    };
    let text = String::from_utf8(testamur_primitives::codec::canonical(&payload)).unwrap();
    let header = |alg: &str| format!(r#"{{"alg":"{alg}","kid":"{kid}","typ":"testamur-record-v1+jws"}}"#);
    let mut forged = good.as_bytes().to_vec();
    let last = forged.len() - 2;
    forged[last] = if forged[last] == b'A' { b'Q' } else { b'A' };
    let stranger = SigningKey::ed25519(&[99; 32]);
    let late = UnixTime(GENESIS_TIME + 400);
    let early = testamur_primitives::record::Payload { iat: late, exp: UnixTime(late.0 + 60), ..payload.clone() };
    let old = UnixTime(GENESIS_TIME - 90_000);
    let old = testamur_primitives::record::Payload { iat: old, exp: UnixTime(old.0 + 3_600), ..payload.clone() };
    let foreign = testamur_primitives::record::Payload { net: GenesisHash::ZERO, ..payload.clone() };
    let many = vec![Bytes(vec![1; 32]); 512];
    let cases: Vec<(Vec<u8>, u16, &str, &str)> = vec![
        (Vec::new(), 400, "record.not-compact-jws", "compact JWS"),
        (b"hello".to_vec(), 400, "record.not-compact-jws", "header.payload.signature"),
        (b"\xff\xfe.\x00.\x80".to_vec(), 400, "record.not-compact-jws", "compact JWS"),
        (vec![b'a'; 65_536], 413, "record.too-large", "65536 bytes; at most 65535"),
        (compact(&header("none"), &text), 400, "record.algorithm", "\"none\" is not accepted"),
        (compact(&header("HS256"), &text), 400, "record.algorithm", "\"HS256\" is not accepted"),
        (compact(&header("EdDSA"), &text.replace("\":", "\": ")), 400, "record.payload", "canonical form"),
        (
            compact(&header("EdDSA"), &("[".repeat(20_000) + &"]".repeat(20_000))),
            400,
            "record.payload",
            "nested deeper",
        ),
        (compact(&header("EdDSA"), &text.replace("\"v\":1", "\"v\":1,\"v\":1")), 400, "record.payload", "duplicate"),
        (compact(&header("EdDSA"), &text.replace("1800000000", "1e400")), 400, "record.payload", "JSON"),
        (
            compact(&format!(r#"{{"crit":["b64"],{}"#, &header("EdDSA")[1..]), &text),
            400,
            "record.header",
            "unknown field",
        ),
        (forged, 400, "record.signature", "does not verify"),
        (sign(&foreign), 422, "record.wrong-network", "not for this one"),
        (sign(&early), 422, "record.too-early", "check the author's clock"),
        (sign(&old), 422, "record.too-old", "sign it anew"),
    ];
    for (record, status, code, message) in cases {
        let detail = post(&node, "/v1/records", &record).problem(status, code);
        assert!(detail.contains(message), "{code}: {detail}");
    }
    let largest = node.ledger.record("many", Form::Commitment, many);
    assert_eq!(post(&node, "/v1/records", largest.as_bytes()).status, 202);
    assert!(Did::key(&stranger.public_key()) != payload.iss);
}

#[test]
fn only_the_right_media_type_is_taken() {
    let node = TestNode::start();
    let record = node.ledger.public_record("a", [7; 32]);
    let cases = [
        ("Content-Type: text/plain\r\n", "request.content-type", "takes application/jose or application/json only"),
        ("Content-Type: application/jose+json\r\n", "request.content-type", "takes application/jose or"),
        ("", "request.content-type", "Content-Type is missing"),
        ("Content-Type: application/jose\r\nContent-Encoding: gzip\r\n", "request.content-encoding", "uncompressed"),
    ];
    for (headers, code, message) in cases {
        let answer = request(node.address, "POST", "/v1/records", headers, record.as_bytes());
        assert!(answer.problem(415, code).contains(message), "{headers}");
    }
    let spelling = "Content-Type: Application/JOSE; charset=utf-8\r\nContent-Encoding: identity\r\n";
    assert_eq!(request(node.address, "POST", "/v1/records", spelling, record.as_bytes()).status, 202);
}

#[test]
fn a_record_comes_as_json_with_what_it_names() {
    let node = TestNode::start();
    let post = |body: &str| {
        request(node.address, "POST", "/v1/records", "Content-Type: application/json\r\n", body.as_bytes())
    };
    let record = |jti| node.ledger.public_record(jti, [7; 32]).as_str().to_owned();
    assert_eq!(post(&format!(r#"{{"record":"{}"}}"#, record("a"))).status, 202);
    assert_eq!(post(&format!(r#" {{ "record" : "{}" }} "#, record("b"))).status, 202);
    let c = record("c");
    let long = "A".repeat(65_536);
    let cases = [
        (c.clone(), 400, "request.body", "not a record with an attachment"),
        ("{}".into(), 400, "request.body", "missing field `record`"),
        (format!(r#"{{"record":"{c}","x":1}}"#), 400, "request.body", "unknown field `x`"),
        (format!(r#"{{"record":"{c}","record":"{c}"}}"#), 400, "request.body", "record"),
        (format!(r#"{{"record":"{c}","attachment":"AA=="}}"#), 400, "request.body", "base64url without padding"),
        (format!(r#"{{"record":"{c}","attachment":"AA"}}"#), 422, "status.attachment", "missing or differ"),
        (format!(r#"{{"record":"{long}"}}"#), 413, "record.too-large", "65536 bytes; at most 65535"),
        (format!(r#"{{"record":"{}"}}"#, "A".repeat(420_000)), 413, "request.too-large", "the body has more than"),
    ];
    for (body, status, code, message) in cases {
        let detail = post(&body).problem(status, code);
        assert!(detail.contains(message), "{detail}");
    }
    assert!(get(node.address, &format!("/v1/records/{}", node.ledger.public_record("c", [7; 32]).id())).status == 404);
}

#[test]
fn writes_are_not_for_pages_of_others() {
    let node = TestNode::start();
    let record = node.ledger.public_record("a", [7; 32]);
    let answer = request(
        node.address,
        "POST",
        "/v1/records",
        "Content-Type: application/jose\r\nOrigin: https://evil.example\r\n",
        record.as_bytes(),
    );
    assert_eq!(answer.header("access-control-allow-origin"), None);
    let preflight = "Origin: https://evil.example\r\nAccess-Control-Request-Method: POST\r\n";
    let answer = request(node.address, "OPTIONS", "/v1/records", preflight, b"");
    answer.problem(405, "request.method");
    assert_eq!(answer.header("access-control-allow-origin"), None);
    assert_eq!(get(node.address, "/v1/status").header("access-control-allow-origin"), Some("*"));
}

#[test]
fn a_body_that_breaks_off_changes_nothing() {
    let node = TestNode::start();
    let record = node.ledger.public_record("a", [7; 32]);
    let head = "POST /v1/records HTTP/1.1\r\nHost: x\r\nContent-Type: application/jose\r\nContent-Length: 5000\r\n\r\n";
    let mut stream = crate::client::connect(node.address);
    std::io::Write::write_all(&mut stream, &[head.as_bytes(), &record.as_bytes()[..100]].concat()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    if let Some(answer) = crate::client::read_answer(&mut stream) {
        assert!(answer.problem(400, "request.body").contains("before its announced length"));
    }
    let record = post(&node, "/v1/records?wait=final", record.as_bytes());
    assert_eq!((record.status, record.json()["index"].as_u64()), (201, Some(0)), "nothing was queued before");
    let unknown = send(node.address, b"POST /v1/records?wait=ever HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    assert!(unknown.problem(400, "request.query").contains("wait: unknown variant `ever`, expected `final`"));
}

/// A node is nobody's desk: diplomas are no business of the ledger's, and none is ever sent there by mistake unnoticed.
#[test]
fn nodes_do_not_take_diplomas() {
    let node = TestNode::start();
    let diploma = br#"[{"award":"A1","name":"nobody"}]"#;
    for path in ["/v1/diplomas", "/v1/diplomas/changes", "/v1/diplomas/A1", "/v1/verify", "/v1/verify/batch"] {
        let headers = "content-type: application/json\r\n";
        request(node.address, "POST", path, headers, diploma).problem(404, "request.unknown-route");
        get(node.address, path).problem(404, "request.unknown-route");
    }
}
