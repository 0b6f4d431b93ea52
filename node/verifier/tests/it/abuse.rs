//! What strangers may send, and what it must not do.

use std::io::Write as _;
use std::time::{Duration, Instant};

use serde_json::Value;
use testamur_verifier::guard::Token;
use testamur_verifier::{Service, VerifierConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::{Running, package, packages, world};

async fn problem(answer: reqwest::Response) -> (u16, String) {
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.unwrap();
    (status, body["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn files_that_are_too_large_are_told_so_and_cost_little() {
    let world = world();
    let running = Running::start(&world, Vec::new()).await;
    let ten = vec![b'a'; 10 * 1024 * 1024];
    assert_eq!(running.verify(ten.clone()).await["reason"], "readable.too-large");
    let form = reqwest::multipart::Form::new()
        .part("file", reqwest::multipart::Part::bytes(ten.clone()))
        .part("file", reqwest::multipart::Part::bytes(package(&world, 7)));
    let answer = running.client.post(running.url("/v1/verify/batch")).multipart(form).send().await.unwrap();
    let lines = crate::lines(&answer.text().await.unwrap());
    assert_eq!(lines[0]["reason"], "readable.too-large");
    assert_eq!(lines.len(), 2, "what follows is still read");
    let line = [b"\"".as_slice(), &ten, &ten, b"\"\n\"b\""].concat();
    let lines = running.batch("application/x-ndjson", line).await;
    assert_eq!(lines[0]["reason"], "readable.too-large");
    assert_eq!(lines[1]["reason"], "readable.unknown-format");
    let answer = running.client.post(running.url("/v1/verify")).body(vec![0; 33 * 1024 * 1024]).send().await.unwrap();
    assert_eq!(problem(answer).await, (413, "request.too-large".into()));
}

#[tokio::test]
async fn a_batch_takes_a_thousand_items_and_no_more() {
    let world = world();
    let running = Running::start(&world, Vec::new()).await;
    let lines = running.batch("application/x-ndjson", "\"x\"\n".repeat(1_000)).await;
    assert_eq!(lines.len(), 1_000);
    assert_eq!(lines[999]["item"], 999);
    for (kind, body) in [
        ("application/x-ndjson", "\"x\"\n".repeat(1_001)),
        ("application/json", format!("[{}]", vec!["\"x\""; 1_001].join(","))),
    ] {
        let request = running.client.post(running.url("/v1/verify/batch")).header("content-type", kind);
        assert_eq!(problem(request.body(body).send().await.unwrap()).await, (413, "verifier.too-many".into()));
    }
}

#[tokio::test]
async fn who_sends_everything_before_reading_is_answered() {
    let world = world();
    let running = Running::start(&world, Vec::new()).await;
    // Far more than the buffers of a connection hold, in both directions.
    let body = packages(&world, 0..150).join(b"\n".as_slice());
    assert!(body.len() > 4 * 1024 * 1024, "{} bytes", body.len());
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let head = format!(
        "POST /v1/verify/batch HTTP/1.1\r\nHost: {}\r\nContent-Type: application/x-ndjson\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        running.address,
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&body).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{}", answer.lines().next().unwrap_or_default());
    assert_eq!(answer.matches("\"item\":").count(), 150);
}

#[tokio::test]
async fn what_is_no_batch_is_refused() {
    let world = world();
    let running = Running::start(&world, Vec::new()).await;
    for (kind, body, expected) in [
        ("application/json", "{}", (400, "verifier.items")),
        ("application/json", "[\"x\"", (400, "verifier.items")),
        ("application/json", "[1] 2", (400, "verifier.items")),
        ("multipart/form-data", "x", (400, "verifier.items")),
        ("multipart/form-data; boundary=b", "--b\r\n", (400, "verifier.items")),
        (
            "multipart/form-data; boundary=b",
            "--b\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\nx\r\n--b--\r\n",
            (400, "verifier.items"),
        ),
        ("application/pdf", "%PDF", (415, "request.content-type")),
        ("text/plain", "x", (415, "request.content-type")),
    ] {
        let request = running.client.post(running.url("/v1/verify/batch")).header("content-type", kind);
        let (status, code) = problem(request.body(body).send().await.unwrap()).await;
        assert_eq!((status, code.as_str()), expected, "{kind}: {body}");
    }
    let answer = running.client.post(running.url("/v1/verify")).send().await.unwrap();
    assert_eq!(problem(answer).await, (400, "verifier.empty".into()));
}

#[tokio::test]
async fn a_slow_body_is_given_up() {
    let world = world();
    let running = Running::start(&world, Vec::new()).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let head = format!("POST /v1/verify HTTP/1.1\r\nHost: {}\r\nContent-Length: 1000\r\n\r\nabc", running.address);
    let began = Instant::now();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&answer));
    assert!(began.elapsed() >= Duration::from_secs(4), "a pause is allowed");
}

#[tokio::test]
async fn foreign_hosts_and_pages_are_refused_before_a_byte_is_read() {
    let world = world();
    let running = Running::start(&world, Vec::new()).await;
    let post = || running.client.post(running.url("/v1/verify")).body(package(&world, 7));
    let ask = async |name: &str, value: &str| problem(post().header(name, value).send().await.unwrap()).await;
    assert_eq!(ask("host", "rebound.example").await, (421, "verifier.foreign-host".into()));
    assert_eq!(ask("host", "127.0.0.1:1").await, (421, "verifier.foreign-host".into()));
    assert_eq!(ask("origin", "https://evil.example").await, (403, "verifier.cross-site".into()));
    assert_eq!(ask("sec-fetch-site", "cross-site").await, (403, "verifier.cross-site".into()));
    let preflight = running.client.request(reqwest::Method::OPTIONS, running.url("/v1/verify"));
    let answer = preflight.header("access-control-request-method", "POST").send().await.unwrap();
    assert_eq!(answer.status(), 405);
    assert!(answer.headers().keys().all(|name| !name.as_str().starts_with("access-control")));
}

#[tokio::test]
async fn other_machines_need_to_be_allowed_and_to_have_the_token() {
    // INV-VERIFIER-1.
    let world = world();
    let listen = "0.0.0.0:0".parse().unwrap();
    let verifiers = || std::sync::Arc::new(testamur_paper::check::Verifiers::new([world.network.trust()]));
    let config = || VerifierConfig::new(listen, testamur_verifier::check::Checker::new(verifiers(), Vec::new()));
    let token = || Token::new("0123456789abcdef0123456789abcdef");
    assert!(Service::bind(config()).await.is_err());
    assert!(Service::bind(VerifierConfig { allow_remote: true, ..config() }).await.is_err());
    assert!(Service::bind(VerifierConfig { token: token(), ..config() }).await.is_err());
    let change = |config: VerifierConfig| VerifierConfig { listen, allow_remote: true, token: token(), ..config };
    let running = Running::start_with(&world, Vec::new(), change).await;
    let url = format!("http://127.0.0.1:{}/v1/verify", running.address.port());
    let answer = running.client.post(&url).body(package(&world, 7)).send().await.unwrap();
    assert!(answer.headers().contains_key("www-authenticate"));
    assert_eq!(problem(answer).await, (401, "verifier.token".into()));
    let request = running.client.post(&url).bearer_auth("0123456789abcdef0123456789abcdef");
    assert_eq!(request.body(package(&world, 7)).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_zip_bomb_is_no_work() {
    let world = world();
    let running = Running::start(&world, Vec::new()).await;
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let zeros = vec![0; 1024 * 1024];
    for number in 0..40 {
        zip.start_file(format!("{number}.jwt"), zip::write::SimpleFileOptions::default()).unwrap();
        (0..10).for_each(|_| zip.write_all(&zeros).unwrap());
    }
    let bomb = zip.finish().unwrap().into_inner();
    assert!(bomb.len() < 1024 * 1024, "{} bytes", bomb.len());
    let began = Instant::now();
    let answer = running.verify(bomb).await;
    assert_eq!(answer["verdict"], "cannot-tell");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[tokio::test]
async fn an_archive_of_diplomas_has_a_report_for_each() {
    let world = world();
    let running = Running::start(&world, Vec::new()).await;
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (number, file) in packages(&world, 0..3).iter().enumerate() {
        zip.start_file(format!("{number}.json"), zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(file).unwrap();
    }
    let answer = running.verify(zip.finish().unwrap().into_inner()).await;
    assert_eq!(answer["verdict"], "valid");
    let names: Vec<_> = answer["reports"].as_array().unwrap().iter().map(|report| report["name"].clone()).collect();
    assert_eq!(names.len(), 3);
    assert!(names[2].as_str().unwrap().contains("2.json"), "{names:?}");
}
