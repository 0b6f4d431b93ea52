//! An HTTP/1.1 client of a few lines that sends exactly the bytes it is told to.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Status code.
    pub(crate) status: u16,
    head: String,
    /// The body's bytes.
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Checks that this is a problem of a status and code, and returns its message.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, code: &str) -> String {
        let problem = self.json();
        assert_eq!((self.status, problem["code"].as_str()), (status, Some(code)), "{problem}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        assert_eq!(problem["status"], status);
        assert_eq!(problem["type"], format!("/docs#problem-{code}"));
        assert_eq!(problem["request_id"].as_str(), self.header("x-request-id"), "the id is in body and header");
        assert!(problem["title"].as_str().is_some_and(|t| !t.is_empty()));
        problem["detail"].as_str().expect("detail").to_owned()
    }
}

/// Opens a connection on which nothing waits longer than the tests may.
pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the server listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout above zero");
    stream
}

/// Sends bytes on a new connection and reads one answer.
pub(crate) fn send(address: SocketAddr, bytes: &[u8]) -> Answer {
    let mut stream = connect(address);
    // The server may answer and close before it has read everything: that is what many tests are about.
    let _ = stream.write_all(bytes);
    read_answer(&mut stream).expect("an answer")
}

/// Sends a request with headers (each ending in a line break) and a body.
pub(crate) fn request(address: SocketAddr, method: &str, target: &str, headers: &str, body: &[u8]) -> Answer {
    let length =
        if body.is_empty() && method == "GET" { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    let head = format!("{method} {target} HTTP/1.1\r\nHost: any.example\r\nConnection: close\r\n{length}{headers}\r\n");
    send(address, &[head.as_bytes(), body].concat())
}

/// A plain GET.
pub(crate) fn get(address: SocketAddr, target: &str) -> Answer {
    request(address, "GET", target, "", b"")
}

/// A GET with an Accept header.
pub(crate) fn get_as(address: SocketAddr, target: &str, accept: &str) -> Answer {
    request(address, "GET", target, &format!("Accept: {accept}\r\n"), b"")
}

/// Reads one answer with Content-Length or until the end; none when the connection ends without one.
pub(crate) fn read_answer(stream: &mut impl Read) -> Option<Answer> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(0) => return None,
            Ok(_) => bytes.push(byte[0]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
            Err(error) => panic!("reading an answer: {error}"),
        }
    }
    let head = String::from_utf8(bytes).expect("headers are ASCII");
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).expect("a status line");
    let mut answer = Answer { status, head, body: Vec::new() };
    match answer.header("content-length").map(|l| l.parse::<usize>().expect("a number")) {
        Some(length) => {
            answer.body.resize(length, 0);
            if status != 304 {
                stream.read_exact(&mut answer.body).expect("the whole body");
            }
        }
        None if status == 304 || status == 204 => {}
        None => {
            stream.read_to_end(&mut answer.body).expect("the body");
        }
    }
    Some(answer)
}
