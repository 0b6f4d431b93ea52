//! Clients that mean harm or know no better: each is refused or cut off, and an honest client is served meanwhile.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use testamur_api::server::{BindError, Server, ServerLimits};

use crate::client::{connect, get, read_answer, send};
use crate::ledger::Mode;
use crate::node::TestNode;

/// Waits until a condition holds; tests never wait for a time to pass.
#[track_caller]
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(15);
    while !holds() {
        assert!(Instant::now() < end, "never: {what}");
        std::thread::yield_now();
    }
}

/// Reads until the server ends the connection, and says how long that took.
fn until_closed(stream: &mut TcpStream) -> (Vec<u8>, Duration) {
    let started = Instant::now();
    let mut bytes = Vec::new();
    // A reset is an end as well.
    let _ = stream.read_to_end(&mut bytes);
    (bytes, started.elapsed())
}

#[test]
fn slow_headers_end_the_connection() {
    let node = TestNode::start_with(TestNode::impatient(), None);
    let whole_preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let with_settings = format!("{whole_preface}\0\0\0\u{4}\0\0\0\0\0");
    for start in [
        "",
        "P",
        "PRI",
        "G",
        "GET /v1/status HTTP/1.1\r\nHost: x\r\n",
        "PRI * HTTP/2.0\r\n",
        whole_preface,
        &with_settings,
    ] {
        let mut stream = connect(node.address);
        stream.write_all(start.as_bytes()).unwrap();
        let (_, took) = until_closed(&mut stream);
        assert!(took < Duration::from_secs(10), "{start:?} held the connection for {took:?}");
        assert_eq!(get(node.address, "/v1/status").status, 200);
    }
}

#[test]
fn an_idle_kept_connection_ends() {
    let node = TestNode::start_with(TestNode::impatient(), None);
    let mut stream = connect(node.address);
    stream.write_all(b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert_eq!(read_answer(&mut stream).unwrap().status, 200);
    let (rest, took) = until_closed(&mut stream);
    assert!(rest.is_empty() && took < Duration::from_secs(10), "kept for {took:?}");
}

#[test]
fn headers_that_drip_end_the_connection() {
    let node = TestNode::start_with(TestNode::impatient(), None);
    let mut stream = connect(node.address);
    stream.write_all(b"GET /v1/status HTTP/1.1\r\n").unwrap();
    let started = Instant::now();
    // Each byte comes soon after the one before; the sum counts.
    stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let ended = (0..2_000).any(|_| {
        let mut byte = [0];
        stream.write_all(b"x").is_err() || matches!(stream.read(&mut byte), Ok(0)) || reset(&mut stream)
    });
    assert!(ended && started.elapsed() < Duration::from_secs(10), "dripped for {:?}", started.elapsed());
}

fn reset(stream: &mut TcpStream) -> bool {
    let mut byte = [0];
    matches!(stream.peek(&mut byte), Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset)
}

#[test]
fn a_slow_body_gets_408() {
    let node = TestNode::start_with(TestNode::impatient(), None);
    let head =
        "POST /v1/records HTTP/1.1\r\nHost: x\r\nContent-Type: application/jose\r\nContent-Length: 100\r\n\r\nabc";
    let answer = send(node.address, head.as_bytes());
    assert!(answer.problem(408, "request.slow-body").contains("did not arrive in time"));
    assert_eq!(answer.header("connection"), Some("close"));

    let mut stream = connect(node.address);
    stream.write_all(head.as_bytes()).unwrap();
    let mut writer = stream.try_clone().unwrap();
    // A byte within each idle timeout: the total one ends it.
    let dripping = std::thread::spawn(move || {
        let mut sent = 0;
        while sent < 90 && writer.write_all(b"a").is_ok() {
            sent += 1;
            std::thread::park_timeout(Duration::from_millis(50));
        }
        sent
    });
    let answer = read_answer(&mut stream).expect("an answer");
    answer.problem(408, "request.slow-body");
    drop(stream);
    assert!(dripping.join().unwrap() < 90, "the body was cut off before its end");
}

#[test]
fn sizes_are_bounded() {
    let node = TestNode::start();
    let announced =
        "POST /v1/records HTTP/1.1\r\nHost: x\r\nContent-Type: application/jose\r\nContent-Length: 9999999999\r\n\r\n";
    let answer = send(node.address, announced.as_bytes());
    assert!(answer.problem(413, "record.too-large").contains("9999999999 bytes; at most 65535"));
    assert_eq!(answer.header("connection"), Some("close"));

    let header = format!("GET /v1/status HTTP/1.1\r\nHost: x\r\nX-Long: {}\r\n\r\n", "a".repeat(20_000));
    assert_eq!(send(node.address, header.as_bytes()).status, 431);
    let headers = format!("GET /v1/status HTTP/1.1\r\nHost: x\r\n{}\r\n", "X-Many: 1\r\n".repeat(100));
    assert_eq!(send(node.address, headers.as_bytes()).status, 431);
    let query = format!("GET /v1/status?{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(100_000));
    assert!(matches!(send(node.address, query.as_bytes()).status, 414 | 431));
    assert_eq!(get(node.address, "/v1/status").status, 200);
}

#[test]
fn smuggling_is_refused() {
    let node = TestNode::start();
    node.ledger.set_mode(Mode::Hold);
    let inner = "GET /v1/smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
    let post = "POST /v1/records HTTP/1.1\r\nHost: x\r\nContent-Type: application/jose\r\n";
    let cases = [
        format!("{post}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{inner}"),
        format!("{post}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n{inner}"),
        format!("{post}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{inner}"),
        format!("{post}Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n{inner}"),
        format!("{post}Transfer-Encoding: xchunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n{inner}"),
        format!("{post}Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcd{inner}"),
        format!("{post}Content-Length: +4\r\n\r\nabcd{inner}"),
        format!("{post}Content-Length: 4 \r\n Transfer-Encoding: chunked\r\n\r\nabcd{inner}"),
        format!("{post}Transfer-Encoding : chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n{inner}"),
        "GET /v1/status HTTP/1.1\r\nHost: x\r\n: y\r\n\r\n".to_owned(),
        "GET  /v1/status HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "GET /v1/status HTTP/9.9\r\nHost: x\r\n\r\n".to_owned(),
        "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}junk as of TLS".to_owned(),
    ];
    for case in cases {
        let mut stream = connect(node.address);
        stream.write_all(case.as_bytes()).unwrap();
        let (bytes, _) = until_closed(&mut stream);
        let text = String::from_utf8_lossy(&bytes);
        let answers = text.matches("HTTP/1.1 ").count();
        assert!(answers <= 1 && !text.contains("unknown-route"), "{case:?} got {answers} answers: {text}");
        let status: u16 = text.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(400);
        assert!((400..500).contains(&status), "{case:?}: {text}");
    }
    let chunked = format!("{post}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    assert!(send(node.address, chunked.as_bytes()).problem(411, "request.length-required").contains("Content-Length"));
}

#[test]
fn idle_connections_keep_nobody_out() {
    let limits = ServerLimits { connections_max: 20, ..ServerLimits::default() };
    let node = TestNode::start_with(limits, None);
    let mut idle = Vec::new();
    for _ in 0..200 {
        let mut stream = connect(node.address);
        stream.write_all(b"GET /v1/status HTTP/1.1\r\n").unwrap();
        idle.push(stream);
    }
    for _ in 0..50 {
        assert_eq!(get(node.address, "/v1/status").status, 200);
    }
    let counts = node.counters.read();
    assert!(counts.connections <= 20 && counts.replaced >= 180 && counts.refused == 0, "{counts:?}");
}

#[test]
fn busy_connections_keep_their_place() {
    let limits = ServerLimits { connections_max: 2, ..ServerLimits::default() };
    let node = TestNode::start_with(limits, None);
    let upload =
        "POST /v1/records HTTP/1.1\r\nHost: x\r\nContent-Type: application/jose\r\nContent-Length: 100\r\n\r\n";
    let mut busy: Vec<_> = (0..2).map(|_| connect(node.address)).collect();
    for stream in &mut busy {
        stream.write_all(upload.as_bytes()).unwrap();
    }
    eventually("both uploads are being served", || {
        get(node.admin, "/metrics").text().contains("testamur_api_requests_under_way 2\n")
    });
    let mut newcomer = connect(node.address);
    // The server may have closed it before this is written.
    let _ = newcomer.write_all(b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(until_closed(&mut newcomer).0, b"");
    assert_eq!(node.counters.read().refused, 1);
    for mut stream in busy {
        stream.write_all(&[b'a'; 100]).unwrap();
        read_answer(&mut stream).unwrap().problem(400, "record.not-compact-jws");
    }
}

#[test]
fn too_many_requests_get_503() {
    let limits = ServerLimits { requests_max: 1, ..ServerLimits::default() };
    let node = TestNode::start_with(limits, None);
    let mut upload = connect(node.address);
    let head = "POST /v1/records HTTP/1.1\r\nHost: x\r\nContent-Type: application/jose\r\nContent-Length: 3\r\n\r\n";
    upload.write_all(head.as_bytes()).unwrap();
    // Not asked of the same door: a question that is there before the upload would take the place, and the upload be refused.
    eventually("the upload takes the one place", || {
        get(node.admin, "/metrics").text().contains("testamur_api_requests_under_way 1\n")
    });
    let refused = get(node.address, "/v1/status");
    assert!(refused.problem(503, "request.overload").contains("too many requests"));
    assert_eq!(refused.header("retry-after"), Some("2"));
    upload.write_all(b"abc").unwrap();
    read_answer(&mut upload).unwrap().problem(400, "record.not-compact-jws");
    eventually("the place is free again", || get(node.address, "/v1/status").status == 200);
}

#[test]
fn a_slow_handler_is_given_up() {
    let limits = ServerLimits { request_timeout: Some(Duration::from_millis(100)), ..ServerLimits::default() };
    let node = TestNode::start_with(limits, None);
    node.ledger.set_mode(Mode::Hold);
    let record = node.ledger.public_record("a", [7; 32]);
    let head = format!(
        "POST /v1/records?wait=final HTTP/1.1\r\nHost: x\r\nContent-Type: application/jose\r\nContent-Length: {}\r\n\r\n",
        record.as_bytes().len()
    );
    let answer = send(node.address, &[head.as_bytes(), record.as_bytes()].concat());
    assert!(answer.problem(503, "request.timeout").contains("longer than 0.1 s"));
}

#[test]
fn connections_are_kept_and_do_not_live_for_ever() {
    let limits = ServerLimits { connection_lifetime: Duration::from_millis(600), ..ServerLimits::default() };
    let node = TestNode::start_with(limits, None);
    let mut stream = connect(node.address);
    for _ in 0..3 {
        stream.write_all(b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        assert_eq!(read_answer(&mut stream).unwrap().status, 200);
    }
    let (rest, took) = until_closed(&mut stream);
    assert!(rest.is_empty() && took < Duration::from_secs(8), "{took:?}");
}

#[test]
fn stopping_lets_a_running_request_end() {
    let mut node = TestNode::start();
    let mut upload = connect(node.address);
    let record = node.ledger.public_record("a", [7; 32]);
    let head = format!(
        "POST /v1/records HTTP/1.1\r\nHost: x\r\nContent-Type: application/jose\r\nContent-Length: {}\r\n\
         Expect: 100-continue\r\n\r\n",
        record.as_bytes().len()
    );
    upload.write_all(head.as_bytes()).unwrap();
    // Only when the server says so does it hold the request: a connection that has asked nothing yet is closed.
    let mut asked = [0; 25];
    upload.read_exact(&mut asked).unwrap();
    assert_eq!(&asked, b"HTTP/1.1 100 Continue\r\n\r\n");
    upload.write_all(&record.as_bytes()[..10]).unwrap();
    let mut idle = connect(node.address);
    idle.write_all(b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert_eq!(read_answer(&mut idle).unwrap().status, 200);
    node.begin_stop();
    let (_, took) = until_closed(&mut idle);
    assert!(took < Duration::from_secs(5), "an idle connection ends at once");
    upload.write_all(&record.as_bytes()[10..]).unwrap();
    assert_eq!(read_answer(&mut upload).unwrap().status, 202);
    drop(upload);
    let address = node.address;
    node.stop();
    assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
}

#[test]
fn a_port_in_use_is_named() {
    let node = TestNode::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let error = runtime.block_on(Server::bind(node.address, ServerLimits::default(), None)).unwrap_err();
    assert!(matches!(error, BindError::InUse(_)));
    let message = error.to_string();
    assert!(message.contains(&format!("port {} on 127.0.0.1 is in use", node.address.port())), "{message}");
    assert!(message.contains("choose another port"), "{message}");
    let error =
        runtime.block_on(Server::bind("192.0.2.1:0".parse().unwrap(), ServerLimits::default(), None)).unwrap_err();
    assert!(error.to_string().contains("this machine has no address 192.0.2.1"), "{error}");
}
