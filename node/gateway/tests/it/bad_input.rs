//! Goal: bad input gets a clear error, and nothing is notarised. Method: each case is sent over HTTP, and its status,
//! code and message are read; at the end the ledger is empty.

use reqwest::multipart::{Form, Part};
use testamur_primitives::codec;

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn callers_without_right_are_refused() {
    let world = World::new().await;
    let post = || world.bare("POST", "/v1/documents").body("x");
    let good = || post().bearer_auth(&world.token);
    let cases = [
        (post(), 401, "gateway.token-missing", "send a token: Authorization: Bearer <token>"),
        (post().header("authorization", "Bearer"), 401, "gateway.token-missing", "send a token"),
        (post().header("authorization", "Basic eDp5"), 401, "gateway.token-missing", "send a token"),
        (post().bearer_auth("wrong"), 401, "gateway.token-wrong", "the token is not one of this gateway's"),
        (post().bearer_auth("x".repeat(10_000)), 401, "gateway.token-missing", "send a token"),
        (post().bearer_auth(world.token.to_uppercase()), 401, "gateway.token-wrong", "not one of this gateway's"),
        (
            good().header("origin", "https://evil.example"),
            403,
            "gateway.cross-site",
            "Origin shows a call from a web page of another origin",
        ),
        (good().header("origin", "null"), 403, "gateway.cross-site", "Origin shows"),
        (
            good().header("sec-fetch-site", "cross-site"),
            403,
            "gateway.cross-site",
            "Sec-Fetch-Site shows a call from a web page of another origin",
        ),
        (good().header("sec-fetch-site", "same-site"), 403, "gateway.cross-site", "Sec-Fetch-Site shows"),
        (
            good().header("host", "evil.example"),
            421,
            "gateway.foreign-host",
            "the Host header does not name this gateway",
        ),
        // A page's preflight is told no as well: nothing here answers with CORS headers.
        (
            world.bare("OPTIONS", "/v1/documents").header("origin", "https://evil.example"),
            403,
            "gateway.cross-site",
            "Origin shows",
        ),
    ];
    for (request, status, code, message) in cases {
        let answer = world.send(request).await;
        let (found_status, found_code, detail) = answer.problem();
        assert_eq!((found_status, found_code.as_str()), (status, code), "{detail}");
        assert!(detail.contains(message), "{detail:?} has no {message:?}");
        assert_eq!(answer.headers.contains_key("www-authenticate"), status == 401, "{code}");
        assert!(!answer.headers.contains_key("access-control-allow-origin"));
    }
    assert_eq!(world.record_count(), 0);
    // The same call from an allowed page or name is answered.
    for request in [
        good().header("sec-fetch-site", "same-origin"),
        good().header("origin", "https://gateway.example").header("host", "gateway.example"),
    ] {
        assert_eq!(world.send(request).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_route_tells_anything_without_a_token() {
    let world = World::new().await;
    for (method, path) in
        [("POST", "/v1/documents"), ("POST", "/v1/hashes"), ("POST", "/v1/receipts"), ("GET", "/v1/status")]
    {
        assert_eq!(world.send(world.bare(method, path)).await.problem().1, "gateway.token-missing", "{path}");
    }
    let alive = world.send(world.bare("GET", "/livez").header("host", "10.0.0.1")).await;
    assert_eq!((alive.status, alive.body.as_slice()), (200, b"alive\n".as_slice()));
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_requests_are_refused_as_a_whole() {
    let world = World::new().await;
    let sha = "00".repeat(32);
    let documents = |query: &str| world.post(&format!("/v1/documents{query}"));
    let hashes = |body: String| world.post("/v1/hashes").header("content-type", "application/json").body(body);
    let form = |form: Form| documents("").multipart(form);
    let part = || Part::bytes(b"x".to_vec()).file_name("x");
    let multipart = |boundary: &str, body: String| {
        documents("").header("content-type", format!("multipart/form-data{boundary}")).body(body)
    };
    let head = "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n";
    let many = (0..1_001).fold(Form::new(), |form, _| form.part("file", part()));
    let plain: Vec<_> = (0..513u32).map(|i| hex::encode(codec::sha256(&[&i.to_be_bytes()]))).collect();
    let too_many = format!("[{}]", vec![format!("\"{sha}\""); 10_001].join(","));
    let cases = [
        // Documents.
        (documents(""), 400, "gateway.empty-document", "the body has no bytes"),
        (
            documents("").form(&[("file", "x")]),
            415,
            "request.content-type",
            "form-encoded bodies are not documents; send `-F file=@FILE`",
        ),
        (
            documents("").header("content-type", "multipart/mixed; boundary=B").body("x"),
            415,
            "request.content-type",
            "only multipart/form-data is taken",
        ),
        (documents("?alg=md5").body("x"), 400, "request.query", "alg is one of sha2-256, sha2-384"),
        (documents("?public=yes").body("x"), 400, "request.query", "public is 1 or 0"),
        (documents("?public=1&public=1").body("x"), 400, "request.query", "a parameter is given twice"),
        (documents("?pubic=1").body("x"), 400, "request.query", "takes alg, public, ref and async, nothing else"),
        // Forms.
        (form(Form::new()), 400, "gateway.multipart", ""),
        (form(Form::new().part("document", part())), 400, "gateway.multipart", "only fields named `file` are taken"),
        (
            form(Form::new().part("file", part()).text("comment", "x")),
            400,
            "gateway.multipart",
            "only fields named `file`",
        ),
        (
            form(Form::new().part("file", Part::bytes(vec![]).file_name("x"))),
            400,
            "gateway.empty-document",
            "a file has no bytes",
        ),
        (form(many), 413, "gateway.too-many-files", "one request takes 1000 files"),
        (multipart("", "x".into()), 400, "gateway.multipart", "the multipart boundary is missing"),
        (multipart("; boundary=B", "x".into()), 400, "gateway.multipart", "ends before its last boundary"),
        (
            multipart("; boundary=B", format!("{head}\r\nhalf a file")),
            400,
            "gateway.multipart",
            "ends before its last boundary",
        ),
        (
            multipart("; boundary=B", format!("{head}X: {}\r\n\r\nx\r\n--B--\r\n", "x".repeat(3_000_000))),
            400,
            "gateway.multipart",
            "a part's headers are too long",
        ),
        // Hashes.
        (world.post("/v1/hashes").body("[]"), 415, "request.content-type", "expected Content-Type: application/json"),
        (hashes("{}".into()), 400, "gateway.json", "expected an array of digests"),
        (hashes("[".repeat(1_000)), 400, "gateway.json", "nested deeper than"),
        (hashes("[]".into()), 400, "gateway.no-hashes", "the array holds no digest"),
        (hashes(format!("[\"{sha}\",\"{}\"]", &sha[2..])), 400, "gateway.hash", "element 1: 31 bytes"),
        (
            hashes(format!("[{{\"alg\":\"sha2-512\",\"digest\":\"{sha}\"}}]")),
            400,
            "gateway.hash",
            "element 0: 32 bytes, but a sha2-512 digest has 64",
        ),
        (hashes("[\"!\"]".into()), 400, "gateway.hash", "element 0: neither hexadecimal nor unpadded base64url"),
        (hashes(too_many), 413, "gateway.too-many-hashes", "10001 hashes; one request takes 10000"),
        (hashes(" ".repeat(4 * 1024 * 1024 + 1)), 413, "request.too-large", "more than 4194304 bytes"),
        (
            world.post("/v1/hashes?public=1").json(&plain),
            400,
            "gateway.public",
            "one record holds at most 512 plain digests, not 513",
        ),
        (
            world.post("/v1/hashes?public=1").json(&serde_json::json!([sha, {"alg": "sha3-256", "digest": sha}])),
            400,
            "gateway.public",
            "share one algorithm: sha2-256 and sha3-256",
        ),
        // Receipts.
        (
            world.post("/v1/receipts").json(&serde_json::json!({"record": sha})),
            400,
            "gateway.json",
            "expected the answer to an unknown outcome",
        ),
        (
            // Without openings it is a batch's root that is asked for: of a record that nobody has.
            world.post("/v1/receipts").json(&serde_json::json!({"record": sha, "expires": 1, "openings": []})),
            410,
            "gateway.record-expired",
            "is not final on any node in reach",
        ),
        // A caller in the middle of sending still reads why.
        (world.bare("POST", "/v1/documents").body(vec![0; 8_000_000]), 401, "gateway.token-missing", "send a token"),
        // Routes.
        (world.post("/v1/document").body("x"), 404, "request.unknown-route", "no route has this path"),
        (world.bare("PUT", "/v1/documents"), 405, "request.method", "the route has other methods"),
    ];
    for (request, status, code, message) in cases {
        let answer = world.send(request).await;
        let (found_status, found_code, detail) = answer.problem();
        assert_eq!((found_status, found_code.as_str()), (status, code), "{detail}");
        assert!(detail.contains(message), "{detail:?} has no {message:?}");
        assert!(!detail.contains("file name"), "{detail}");
    }
    assert_eq!(world.record_count(), 0, "INV-GATEWAY-1: nothing was notarised");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_cut_in_the_middle_is_not_notarised() {
    let world = World::new().await;
    let head = |rest: &str| {
        format!(
            "POST /v1/documents HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n{rest}\r\n",
            world.address, world.token
        )
    };
    let part = "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n\r\nhalf a file";
    let whole = format!("{part}\r\n--B--\r\n");
    let form = format!("Content-Type: multipart/form-data; boundary=B\r\nContent-Length: {}\r\n", whole.len());
    let cases = [
        format!("{}half a document", head("Content-Length: 1000\r\n")),
        format!("{}f\r\nhalf a document\r\n", head("Transfer-Encoding: chunked\r\n")),
        format!("{}f\r\nhalf a do", head("Transfer-Encoding: chunked\r\n")),
        format!("{}{part}", head(&form)),
        // All but the hyphens that end the form.
        format!("{}{}", head(&form), &whole[..whole.len() - 4]),
    ];
    for case in cases {
        let answer = world.raw(case.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{case:?}: {answer:?}");
        assert!(answer.contains("\"code\":\"request.body\""), "{case:?}: {answer:?}");
        assert!(answer.contains("the body ended before its announced length"), "{case:?}: {answer:?}");
        assert_eq!(world.record_count(), 0, "{case:?}");
        assert_eq!(world.nodes[0].submissions(), 0, "{case:?}");
    }
    // The same form, whole.
    let request = world.post("/v1/documents").header("content-type", "multipart/form-data; boundary=B").body(whole);
    assert_eq!(world.send(request).await.status, 200);
    assert_eq!(world.record_count(), 1);
}
