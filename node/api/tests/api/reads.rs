//! Reading: every route's good answer, checked against the formats, and the message of each refusal.

use std::io::{Read as _, Write as _};

use testamur_primitives::block::Block;
use testamur_primitives::checkpoint::verify_certificate;
use testamur_primitives::codec::{base64url, sha256};
use testamur_primitives::commitment::Form;
use testamur_primitives::genesis::Genesis;
use testamur_primitives::hash::{HeaderHash, TreeHash};
use testamur_primitives::header::Header;
use testamur_primitives::merkle;
use testamur_primitives::note::Note;
use testamur_primitives::receipt::{self, Receipt, Verdict};
use testamur_primitives::record::{Bytes, Record};
use testamur_primitives::stream;
use testamur_primitives::trust::TrustFile;
use testamur_primitives::units::{Height, LogSize, UnixTime};

use crate::client::{connect, get, get_as, request};
use crate::ledger::GENESIS_TIME;
use crate::node::TestNode;

/// A node with blocks 1 to 3: records a, b; none; c.
fn filled() -> (TestNode, [Record; 3]) {
    let node = TestNode::start();
    let ledger = &node.ledger;
    let records = [
        ledger.public_record("a", [7; 32]),
        ledger.record("b", Form::Commitment, vec![Bytes(vec![7; 32])]),
        ledger.record("c", Form::Digest, vec![Bytes(vec![9; 32]), Bytes(vec![7; 32])]),
    ];
    ledger.commit(records[..2].to_vec());
    ledger.commit(Vec::new());
    ledger.commit(records[2..].to_vec());
    (node, records)
}

fn hash(value: &serde_json::Value) -> TreeHash {
    value.as_str().and_then(|s| s.parse().ok()).unwrap_or_else(|| panic!("a hash: {value}"))
}

#[test]
fn a_record_comes_as_json_or_as_itself() {
    let (node, [a, ..]) = filled();
    let target = format!("/v1/records/{}", a.id());
    let json = get(node.address, &target);
    assert_eq!((json.status, json.header("content-type")), (200, Some("application/json")));
    assert_eq!(json.header("cache-control"), Some("public, max-age=31536000, immutable"));
    assert_eq!(json.header("vary"), Some("accept"));
    let view = json.json();
    assert_eq!(view["payload"]["act"]["type"], "notarise");
    assert_eq!(
        (view["index"].as_u64(), view["height"].as_u64(), view["alg"].as_str()),
        (Some(0), Some(1), Some("EdDSA"))
    );
    let jose = get_as(node.address, &target, "application/jose");
    assert_eq!((jose.header("content-type"), jose.body.as_slice()), (Some("application/jose"), a.as_bytes()));
    assert_ne!(jose.header("etag"), json.header("etag"));
    let html = get_as(node.address, &target, "text/html");
    assert!(html.problem(406, "request.not-acceptable").contains("application/json or application/jose"));

    let etag = json.header("etag").unwrap();
    let known = request(node.address, "GET", &target, &format!("If-None-Match: \"x\", W/{etag}\r\n"), b"");
    assert_eq!((known.status, known.body.len(), known.header("etag")), (304, 0, Some(etag)));
}

#[test]
fn a_receipt_verifies_and_its_proof_is_the_c2sp_form() {
    let (node, [_, b, _]) = filled();
    let target = format!("/v1/records/{}/receipt", b.id());
    let answer = get(node.address, &target);
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    let receipt = Receipt::decode(&answer.body).expect("exactly the canonical bytes");
    let genesis = Genesis::from_json(&get(node.address, "/v1/genesis").body).unwrap();
    let trust = TrustFile::from_genesis(genesis);
    let verdict = receipt::verify(&receipt, None, &trust, UnixTime(GENESIS_TIME + 100));
    assert!(matches!(verdict, Verdict::Confirmed(_)), "{verdict:?}");
    let proof = get_as(node.address, &target, "text/plain");
    assert_eq!(proof.header("content-type"), Some("text/plain; charset=utf-8"));
    assert!(proof.text().starts_with("c2sp.org/tlog-proof@v1\nindex 1\n"), "{}", proof.text());
}

#[test]
fn records_are_listed_in_pages() {
    let (node, records) = filled();
    let author = records[0].author().as_str();
    let mut next = Some(format!("/v1/records?limit=2&author={author}&from={}", GENESIS_TIME + 1));
    let mut found = Vec::new();
    let mut pages = 0;
    while let Some(target) = next {
        let page = get(node.address, &target).json();
        found.extend(page["records"].as_array().unwrap().iter().map(|r| r["id"].as_str().unwrap().to_owned()));
        next = page["next"].as_str().map(str::to_owned);
        pages += 1;
    }
    assert_eq!((pages, found), (2, records.iter().map(|r| r.id().to_string()).collect()));
    let late = get(node.address, &format!("/v1/records?from={}", GENESIS_TIME + 3)).json();
    assert_eq!(late["records"].as_array().unwrap().len(), 1);
    let early = get(node.address, &format!("/v1/records?to={}", GENESIS_TIME + 3)).json();
    assert_eq!(early["records"].as_array().unwrap().len(), 2);
    let nobody = get(node.address, "/v1/records?author=did:key:zOther").json();
    assert_eq!((nobody["records"].as_array().unwrap().len(), nobody["next"].is_null()), (0, true));
}

#[test]
fn a_document_is_found_by_its_hash_in_both_spellings() {
    let (node, [a, _, c]) = filled();
    let hex = "07".repeat(32);
    for spelling in [hex.clone(), base64url(&[7; 32])] {
        let page = get(node.address, &format!("/v1/notarisations?hash={spelling}&alg=sha2-256")).json();
        let found: Vec<_> =
            page["notarisations"].as_array().unwrap().iter().map(|n| (&n["record"], &n["entry"])).collect();
        assert_eq!(found, [(&a.id().to_string().into(), &0.into()), (&c.id().to_string().into(), &1.into())]);
        assert_eq!((page["hash"].as_str(), page["note"].is_null()), (Some(hex.as_str()), true));
    }
    let first = get(node.address, &format!("/v1/notarisations?hash={hex}&limit=1")).json();
    let second = get(node.address, first["next"].as_str().unwrap()).json();
    assert_eq!(second["notarisations"][0]["record"], c.id().to_string());
    assert!(second["next"].is_null());
    let none = get(node.address, &format!("/v1/notarisations?hash={}", "08".repeat(32)));
    assert_eq!(
        (none.status, none.json()["note"].as_str().map(str::to_owned)),
        (200, Some("no public entry; a receipt may exist".into()))
    );
}

#[test]
fn blocks_bind_their_headers() {
    let (node, records) = filled();
    let page = get(node.address, "/v1/blocks?limit=3").json();
    let heights: Vec<_> = page["blocks"].as_array().unwrap().iter().map(|b| b["height"].as_u64().unwrap()).collect();
    assert_eq!(heights, [3, 2, 1]);
    let rest = get(node.address, page["next"].as_str().unwrap()).json();
    assert_eq!((rest["blocks"].as_array().unwrap().len(), rest["next"].is_null()), (1, true));
    let block = get(node.address, "/v1/blocks/1").json();
    let header = Header::decode(block["header_text"].as_str().unwrap().as_bytes()).unwrap();
    assert_eq!(block["hash"], header.hash().to_string());
    assert_eq!(serde_json::to_value(&header).unwrap(), block["header"]);
    assert_eq!(block["records"], serde_json::json!([records[0].id().to_string(), records[1].id().to_string()]));
    assert_eq!(get(node.address, "/v1/blocks/3").json()["first_index"], 2);
    assert_eq!(get(node.address, "/v1/blocks/0").json()["records"], serde_json::json!([]));
    assert_eq!(get(node.address, "/v1/blocks?before=0").json()["blocks"], serde_json::json!([]));
}

#[test]
fn blocks_are_followed_by_their_stream() {
    let (node, [a, _, c]) = filled();
    let answer = get(node.address, "/v1/blocks/stream?from=1");
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/vnd.testamur.ledger")));
    let followed = stream::read_blocks(&answer.body).unwrap();
    let genesis = Genesis::from_json(&get(node.address, "/v1/genesis").body).unwrap();
    assert_eq!((followed.genesis, followed.first, followed.blocks.len()), (genesis.hash(), Height(1), 3));
    let mut records = Vec::new();
    let mut previous = None;
    for streamed in &followed.blocks {
        let Block { header, records: more } = Block::decode(&streamed.block).unwrap();
        verify_certificate(&genesis.origin(), &header, &streamed.certificate, &genesis.validator_set()).unwrap();
        assert!(previous.is_none_or(|previous| header.previous == previous));
        previous = Some(header.hash());
        records.extend(more.iter().map(Record::id));
    }
    assert_eq!((records.len(), records[0], records[2]), (3, a.id(), c.id()));

    let some = stream::read_blocks(&get(node.address, "/v1/blocks/stream?from=2&limit=1").body).unwrap();
    assert_eq!((some.first, &some.blocks[..]), (Height(2), &followed.blocks[1..2]));
    let none = stream::read_blocks(&get(node.address, "/v1/blocks/stream?from=4").body).unwrap();
    assert_eq!((none.first, none.blocks.len()), (Height(4), 0));
    for bad in ["", "?from=0", "?from=1&limit=0", "?from=1&limit=513", "?from=9007199254740992", "?from=1&to=2"] {
        get(node.address, &format!("/v1/blocks/stream{bad}")).problem(400, "request.query");
    }
}

#[test]
fn checkpoints_are_certificates() {
    let (node, _) = filled();
    let genesis = Genesis::from_json(&get(node.address, "/v1/genesis").body).unwrap();
    for target in ["/v1/checkpoints/1", "/v1/checkpoints/latest"] {
        let note = get(node.address, target);
        assert_eq!(note.header("content-type"), Some("text/plain; charset=utf-8"));
        let json = get_as(node.address, target, "application/json").json();
        assert_eq!(json["note"], note.text());
        let header = Header::decode(json["header_text"].as_str().unwrap().as_bytes()).unwrap();
        let note = Note::parse(&note.body).unwrap();
        let certified = verify_certificate(&genesis.origin(), &header, &note, node.ledger.set()).unwrap();
        let witnesses: Vec<_> = json["witnesses"].as_array().unwrap().iter().map(|w| w["address"].clone()).collect();
        let expected: Vec<_> = certified.witnesses.iter().map(|a| serde_json::json!(a.to_string())).collect();
        assert_eq!(witnesses, expected, "{target}");
    }
    assert_eq!(get(node.address, "/v1/checkpoints/latest").header("cache-control"), Some("no-cache"));
}

#[test]
fn the_log_only_grew_and_headers_precede() {
    let (node, _) = filled();
    let proof = get(node.address, "/v1/consistency?from=2&to=3").json();
    let path: Vec<_> = proof["path"].as_array().unwrap().iter().map(hash).collect();
    merkle::verify_consistency(2, hash(&proof["from_root"]), 3, hash(&proof["to_root"]), &path).unwrap();
    assert_eq!(get(node.address, "/v1/consistency?from=0&to=0").json()["path"], serde_json::json!([]));

    let proof = get(node.address, "/v1/history?from=1&to=3").json();
    let path: Vec<_> = proof["path"].as_array().unwrap().iter().map(hash).collect();
    let header = |name: &str| Header::decode(proof[name].as_str().unwrap().as_bytes()).unwrap();
    let (from, to) = (header("from_text"), header("to_text"));
    assert_eq!(
        (proof["from_hash"].as_str(), proof["to_hash"].as_str()),
        (Some(from.hash().to_string().as_str()), Some(to.hash().to_string().as_str()))
    );
    let leaf = merkle::leaf_hash(from.hash().as_bytes());
    merkle::verify_inclusion(leaf, 1, 3, &path, to.history_root).unwrap();
    assert_eq!(hash(&proof["history_root"]), to.history_root);
}

#[test]
fn the_network_describes_itself() {
    let (node, _) = filled();
    let genesis_bytes = get(node.address, "/v1/genesis").body;
    let network = get(node.address, "/v1/network").json();
    let hash = sha256(&[b"testamur/genesis/v1\n", &genesis_bytes]);
    assert_eq!(network["genesis"], HeaderHash::from_bytes(hash).to_string());
    assert_eq!(network["origin"], node.ledger.origin());
    assert_eq!((network["quorum"].as_u64(), network["tolerated_faults"].as_u64()), (Some(3), Some(1)));
    assert_eq!(network["time_to_final"], serde_json::json!({"blocks": 3, "records": 5, "p50_ms": 60, "p99_ms": 140}));
    assert_eq!(network["validators"].as_array().unwrap().len(), 4);
    assert!(network["trust_file"].is_null() && network["limits"]["record_bytes_max"] == 65_535);
    let epochs = get(node.address, "/v1/epochs").json();
    assert_eq!((epochs["epochs"].as_array().unwrap().len(), epochs["next"].is_null()), (1, true));
    assert_eq!(epochs["epochs"][0]["policy"], "/log/policy/0");
    let first = get(node.address, "/v1/equivocations?limit=2").json();
    assert_eq!((first["equivocations"].as_array().unwrap().len(), first["total"].as_u64()), (2, Some(3)));
    let last = get(node.address, first["next"].as_str().unwrap()).json();
    assert_eq!((last["equivocations"][0]["height"].as_u64(), last["next"].is_null()), (Some(3), true));
    let status = get(node.address, "/v1/status").json();
    assert_eq!(
        (status["ready"].as_bool(), status["height"].as_u64(), status["log_size"].as_u64()),
        (Some(true), Some(3), Some(3))
    );
    assert_eq!(LogSize(3).get(), 3);
}

#[test]
fn bad_requests_get_their_message() {
    let (node, records) = filled();
    let id = records[0].id().to_string();
    let upper = id.to_uppercase();
    let absent = "0".repeat(64);
    let long = "a".repeat(2_049);
    let cases: Vec<(String, u16, &str, &str)> = vec![
        ("/".into(), 404, "request.unknown-route", "/docs lists all"),
        ("/v2/records".into(), 404, "request.unknown-route", "no such route"),
        ("/v1/records/".into(), 404, "request.unknown-route", "no such route"),
        ("/v1/Records".into(), 404, "request.unknown-route", "no such route"),
        (format!("/v1/records/{absent}"), 404, "request.not-found", "no final record"),
        (format!("/v1/records/{absent}/receipt"), 404, "request.not-found", "no final record"),
        (format!("/v1/records/{upper}"), 400, "request.path", "64 lower-case hexadecimal digits"),
        ("/v1/records/abc".into(), 400, "request.path", "64 lower-case hexadecimal digits"),
        ("/v1/records/%ff".into(), 400, "request.path", "UTF-8"),
        (format!("/v1/records/{id}?x=1"), 400, "request.query", "unknown field `x`"),
        ("/v1/records?limit=0".into(), 400, "request.query", "limit: must be between 1 and 100"),
        ("/v1/records?limit=101".into(), 400, "request.query", "limit: must be between 1 and 100"),
        ("/v1/records?limit=-1".into(), 400, "request.query", "limit: invalid digit"),
        ("/v1/records?limit=99999999999999999999".into(), 400, "request.query", "limit: number too large"),
        ("/v1/records?limt=5".into(), 400, "request.query", "unknown field `limt`, expected one of"),
        ("/v1/records?limit=5&limit=6".into(), 400, "request.query", "duplicate field"),
        ("/v1/records?author=nobody".into(), 400, "request.query", "author:"),
        ("/v1/records?from=2&to=1".into(), 400, "request.query", "from: must not be after to"),
        (format!("/v1/records?author={long}"), 414, "request.query-too-long", "longer than 2048 bytes"),
        ("/v1/notarisations".into(), 400, "request.query", "missing field `hash`"),
        ("/v1/notarisations?hash=xyz".into(), 400, "request.query", "64 hexadecimal digits or 43 characters"),
        (format!("/v1/notarisations?hash={id}&alg=md5"), 400, "request.query", "alg: must be one of sha2-256"),
        (
            format!("/v1/notarisations?hash={id}&alg=sha2-512"),
            400,
            "request.query",
            "a sha2-512 digest is 128 hexadecimal",
        ),
        (format!("/v1/notarisations?hash={id}&start=x"), 400, "request.query", "start: take it from next"),
        ("/v1/blocks/4".into(), 404, "request.not-found", "height 4 is not decided yet"),
        ("/v1/blocks/01".into(), 400, "request.path", "without sign or leading zero"),
        ("/v1/blocks/-1".into(), 400, "request.path", "without sign or leading zero"),
        ("/v1/blocks/18446744073709551616".into(), 400, "request.path", "a height is a decimal"),
        ("/v1/checkpoints/0".into(), 404, "request.not-found", "genesis has no checkpoint"),
        ("/v1/checkpoints/9".into(), 404, "request.not-found", "not decided yet"),
        ("/v1/checkpoints/newest".into(), 400, "request.path", "a height is a decimal"),
        ("/v1/consistency?from=3&to=2".into(), 400, "request.query", "from: must not be greater than to"),
        ("/v1/consistency?from=3".into(), 400, "request.query", "missing field `to`"),
        ("/v1/consistency?from=1&to=4".into(), 404, "request.not-found", "fewer than 4 records"),
        ("/v1/history?from=2&to=2".into(), 400, "request.query", "from: must be less than to"),
        ("/v1/history?from=2&to=4".into(), 404, "request.not-found", "height 4 is not decided yet"),
        ("/v1/equivocations?start=-1".into(), 400, "request.query", "start:"),
        ("/v1/epochs?limit=21".into(), 400, "request.query", "between 1 and 20"),
        ("/log/policy/1".into(), 404, "request.not-found", "epoch 1 has not begun"),
        ("/log/tile/0/0".into(), 400, "request.path", "not a tile"),
        ("/log/tile/64/000".into(), 400, "request.path", "not a tile"),
    ];
    for (target, status, code, message) in cases {
        let detail = get(node.address, &target).problem(status, code);
        assert!(detail.contains(message), "{target}: {detail}");
    }
    for (method, target, allow) in [
        ("DELETE", "/v1/records", "GET,HEAD,POST"),
        ("POST", "/v1/blocks", "GET,HEAD"),
        ("PUT", "/docs", "GET,HEAD"),
        ("OPTIONS", "/log/checkpoint", "GET,HEAD"),
    ] {
        let answer = request(node.address, method, target, "", b"");
        assert!(answer.problem(405, "request.method").contains(method), "{method} {target}");
        assert_eq!(answer.header("allow"), Some(allow), "{method} {target}");
    }
}

#[test]
fn an_empty_network_says_so() {
    let node = TestNode::start();
    for target in ["/v1/checkpoints/latest", "/log/checkpoint"] {
        let detail = get(node.address, target).problem(404, "request.not-found");
        assert!(detail.contains("no checkpoint yet"), "{target}: {detail}");
    }
    assert_eq!(get(node.address, "/v1/records").json()["records"], serde_json::json!([]));
}

#[test]
fn damage_is_never_served_and_never_shown() {
    let (node, [a, ..]) = filled();
    node.ledger.damage();
    for target in [format!("/v1/records/{}", a.id()), "/v1/blocks/1".into(), "/log/tile/0/000.p/1".into()] {
        let answer = get(node.address, &target);
        assert!(answer.problem(500, "request.failed").contains("ask another node"), "{target}");
        assert!(!answer.text().contains("secret"), "{}", answer.text());
    }
}

#[test]
fn every_answer_is_safe_in_a_browser() {
    let (node, _) = filled();
    for target in ["/v1/status", "/docs", "/nothing", "/log/checkpoint"] {
        let answer = get(node.address, target);
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{target}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{target}");
        assert!(answer.header("content-security-policy").unwrap().starts_with("default-src 'none'"), "{target}");
        assert!(answer.header("x-request-id").is_some(), "{target}");
        assert_eq!(answer.header("strict-transport-security"), None, "not without TLS");
    }
    let docs = get(node.address, "/docs");
    assert_eq!(docs.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(docs.header("content-security-policy").unwrap().contains("style-src 'sha256-"));
    let document = get(node.address, "/v1/openapi.json").json();
    assert_eq!(document["openapi"], "3.1.0");
    let own = get(node.address, "/v1/status");
    let forged = request(node.address, "GET", "/v1/status", "X-Request-Id: mine\r\n", b"");
    assert_ne!(forged.header("x-request-id"), Some("mine"));
    assert_ne!(forged.header("x-request-id"), own.header("x-request-id"));
    let mut head = crate::client::connect(node.address);
    std::io::Write::write_all(&mut head, b"HEAD /v1/status HTTP/1.0\r\n\r\n").unwrap();
    let head = std::io::read_to_string(head).unwrap();
    assert!(head.starts_with("HTTP/1.0 200 OK\r\n") && head.ends_with("\r\n\r\n"), "headers only: {head}");
}

#[test]
fn any_page_may_read_and_none_may_write() {
    let (node, [a, ..]) = filled();
    let origin = "Origin: https://verify.example\r\n";
    let record = format!("/v1/records/{}", a.id());
    for target in
        [record.as_str(), "/v1/status", "/v1/network", "/v1/state", "/v1/records/abc", "/none", "/log/checkpoint"]
    {
        for method in ["GET", "HEAD"] {
            let head = format!("{method} {target} HTTP/1.1\r\nHost: any.example\r\nConnection: close\r\n{origin}\r\n");
            let mut stream = connect(node.address);
            stream.write_all(head.as_bytes()).expect("sent");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).expect("an answer");
            let headers = answer.split("\r\n\r\n").next().unwrap_or_default();
            for expected in [
                "access-control-allow-origin: *",
                "access-control-expose-headers: etag, location, retry-after, x-request-id",
                "cross-origin-resource-policy: cross-origin",
            ] {
                assert!(headers.contains(expected), "{method} {target}: {expected} in\n{headers}");
            }
            assert!(!headers.contains("access-control-allow-credentials"), "{headers}");
        }
        let wanted = |method: &str| format!("{origin}Access-Control-Request-Method: {method}\r\n");
        let asked = request(node.address, "OPTIONS", target, &wanted("GET"), b"");
        if target == "/none" {
            assert_eq!(asked.status, 404);
            continue;
        }
        assert_eq!((asked.status, asked.header("access-control-allow-origin")), (204, Some("*")), "{target}");
        assert_eq!(asked.header("access-control-allow-methods"), Some("GET, HEAD"));
        assert_eq!(asked.header("access-control-allow-headers"), Some("accept, if-none-match, cache-control"));
        assert_eq!(asked.header("access-control-allow-credentials"), None);
        for method in ["POST", "PUT", "get"] {
            let refused = request(node.address, "OPTIONS", target, &wanted(method), b"");
            refused.problem(405, "request.method");
            assert_eq!(refused.header("access-control-allow-origin"), None, "{target} {method}");
        }
    }
    let write = request(
        node.address,
        "OPTIONS",
        "/v1/records",
        &format!("{origin}Access-Control-Request-Method: POST\r\n"),
        b"",
    );
    assert_eq!((write.status, write.header("access-control-allow-origin")), (405, None));
    // The operator's listener is for nobody's page.
    for target in ["/livez", "/metrics"] {
        let answer = request(node.admin, "GET", target, origin, b"");
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, None), "{target}");
        let asked = format!("{origin}Access-Control-Request-Method: GET\r\n");
        assert_eq!(request(node.admin, "OPTIONS", target, &asked, b"").header("access-control-allow-origin"), None);
    }
}
