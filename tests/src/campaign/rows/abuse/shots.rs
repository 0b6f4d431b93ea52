//! Single requests that no program sends: each has the answers that it may get.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use super::Target;
use crate::campaign::Run;

/// No answer, only an end.
const CLOSED: u16 = 0;

struct Shot {
    name: &'static str,
    bytes: Vec<u8>,
    /// Every status that may be answered first.
    first: &'static [u16],
    /// Answers on the connection at most.
    answers: usize,
}

/// What is malformed, as RFC 9112 has it: refused, and nothing behind it is read.
const MALFORMED: &[u16] = &[400, CLOSED];
/// What is too large.
const TOO_LARGE: &[u16] = &[400, 414, 431, CLOSED];
/// A body that is not taken: its form, its length, its media type, or the route takes none.
const BODY: &[u16] = &[400, 405, 411, 413, 415];

fn head(target: &Target, method: &str, path: &str, more: &str) -> String {
    let Target { address, authorization, .. } = target;
    let authorization =
        if authorization.is_empty() { String::new() } else { format!("authorization: {authorization}\r\n") };
    format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\n{authorization}{more}")
}

fn get(target: &Target, more: &str) -> Vec<u8> {
    (head(target, "GET", target.honest, more) + "\r\n").into_bytes()
}

fn post(target: &Target, more: &str, body: &[u8]) -> Vec<u8> {
    let media_type = target.media_type;
    let length = body.len();
    let more = format!("content-type: {media_type}\r\ncontent-length: {length}\r\n{more}\r\n");
    [head(target, "POST", target.takes, &more).as_bytes(), body].concat()
}

/// As [`post`], with every header about the body given by hand.
fn post_raw(target: &Target, more: &str, body: &[u8]) -> Vec<u8> {
    let more = format!("content-type: {}\r\n{more}\r\n", target.media_type);
    [head(target, "POST", target.takes, &more).as_bytes(), body].concat()
}

/// A gzip stream of ten mebibytes of zeros, stored a thousandfold smaller.
fn bomb() -> Vec<u8> {
    let packed = miniz_oxide::deflate::compress_to_vec(&vec![0; 10 << 20], 9);
    [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255][..], &packed, &[0; 4], &(10u32 << 20).to_le_bytes()].concat()
}

fn shots(target: &Target) -> Vec<Shot> {
    let shot = |name, bytes, first| Shot { name, bytes, first, answers: 1 };
    // What is judged is the file: a verifier reads anything and says what it is not.
    let read: &[u16] = if target.name == "verifier" { &[200] } else { BODY };
    let hidden = head(target, "GET", target.honest, "\r\n");
    let chunked = "transfer-encoding: chunked\r\n";
    let deep = ["[".repeat(100_000), "]".repeat(100_000)].concat();
    let doubled = br#"{"record":"a","record":"b","directory":"/a","directory":"/b"}"#;
    let many: String = (0..10_000).map(|number| format!("x-{number}: y\r\n")).collect();
    let ranges: String = (0..500).map(|number| format!("{number}-{},", number + 1)).collect();
    vec![
        shot("a body of 10 GB announced", post_raw(target, "content-length: 10000000000\r\n", b"x"), &[405, 413]),
        shot("a length above 2^64", post_raw(target, "content-length: 99999999999999999999999\r\n", b"x"), MALFORMED),
        shot("a negative length", post_raw(target, "content-length: -1\r\n", b"x"), MALFORMED),
        shot("a length with a sign", post_raw(target, "content-length: +1\r\n", b"x"), MALFORMED),
        shot("a length as float", post_raw(target, "content-length: 1e3\r\n", b"x"), MALFORMED),
        shot("two lengths", post_raw(target, "content-length: 1\r\ncontent-length: 2\r\n", b"xy"), MALFORMED),
        shot("a header of 1 MB", get(target, &format!("x-long: {}\r\n", "a".repeat(1_000_000))), TOO_LARGE),
        shot("10,000 headers", get(target, &many), TOO_LARGE),
        shot(
            "a path of 1 MB",
            (head(target, "GET", &format!("/{}", "a".repeat(1_000_000)), "") + "\r\n").into_bytes(),
            TOO_LARGE,
        ),
        shot("JSON 100,000 deep", post(target, "", deep.as_bytes()), read),
        shot("doubled members", post(target, "", doubled), read),
        shot("a huge number", post(target, "", b"[1e999999999,-1e999999999]"), read),
        shot("a number of 10,000 digits", post(target, "", "9".repeat(10_000).as_bytes()), read),
        shot("no UTF-8", post(target, "", b"[\"\xff\xfe\xc0\x80\xed\xa0\x80\"]"), read),
        shot("a lone surrogate", post(target, "", br#"["\ud800"]"#), read),
        shot("a NUL", post(target, "", b"[\"\0\"]"), read),
        shot("no UTF-8 in the path", (head(target, "GET", "/v1/%ff%c0%80", "") + "\r\n").into_bytes(), &[400, 404]),
        shot(
            "a query of nonsense",
            (head(target, "GET", "/?%00=%ff&&&=&a", "") + "\r\n").into_bytes(),
            &[200, 400, 404],
        ),
        shot("a compression bomb", post(target, "content-encoding: gzip\r\n", &bomb()), read),
        shot("brotli by name", post(target, "content-encoding: br\r\n", b"x"), read),
        // Whatever the length says: only one of the two may be answered.
        shot(
            "length and chunks (CL.TE)",
            post_raw(target, &format!("content-length: 5\r\n{chunked}"), &[b"0\r\n\r\n", hidden.as_bytes()].concat()),
            &[400, 405, 411, 415, CLOSED, 200],
        ),
        shot(
            "chunks and length (TE.CL)",
            post_raw(target, &format!("{chunked}content-length: 4\r\n"), &[b"0\r\n\r\n", hidden.as_bytes()].concat()),
            &[400, 405, 411, 415, CLOSED, 200],
        ),
        shot(
            "a disguised transfer coding",
            post_raw(target, "transfer-encoding : chunked\r\n", &[b"0\r\n\r\n", hidden.as_bytes()].concat()),
            MALFORMED,
        ),
        shot(
            "an unknown transfer coding",
            post_raw(target, "transfer-encoding: xchunked\r\n", &[b"0\r\n\r\n", hidden.as_bytes()].concat()),
            &[400, 405, 411, 415, 501, CLOSED],
        ),
        shot("a chunk above 2^64", post_raw(target, chunked, b"fffffffffffffffff\r\nx"), &[400, 405, 411, CLOSED]),
        shot("a negative chunk", post_raw(target, chunked, b"-1\r\nx\r\n0\r\n\r\n"), &[400, 405, 411, CLOSED]),
        shot(
            "a chunk with an endless extension",
            post_raw(target, chunked, &[b"1;", "a".repeat(200_000).as_bytes(), b"\r\nx"].concat()),
            &[400, 405, 411, 413, CLOSED],
        ),
        shot("a folded header", get(target, "x-folded: a\r\n b\r\n"), MALFORMED),
        shot("a NUL in a header", get(target, "x-nul: a\0b\r\n"), MALFORMED),
        shot("a header without name", get(target, ": nothing\r\n"), MALFORMED),
        shot("another version", b"GET / HTTP/3.7\r\nhost: x\r\n\r\n".to_vec(), &[400, 505, CLOSED]),
        shot("HTTP/0.9", b"GET /\r\n\r\n".to_vec(), MALFORMED),
        shot("no method", b" / HTTP/1.1\r\nhost: x\r\n\r\n".to_vec(), MALFORMED),
        shot("a method of 100,000 letters", [&[b'A'; 100_000][..], b" / HTTP/1.1\r\n\r\n"].concat(), TOO_LARGE),
        shot("noise", (0..65_536u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect(), TOO_LARGE),
        shot("a TLS hello", tls_hello(), MALFORMED),
        shot("a broken HTTP/2", [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(), &[0xff; 4096]].concat(), MALFORMED),
        shot("500 ranges", get(target, &format!("range: bytes={ranges}0-\r\n")), &[200, 206, 400, 416, 431]),
        Shot { name: "500 requests at once", bytes: get(target, "").repeat(500), first: &[200], answers: 500 },
    ]
}

/// A client hello of TLS 1.2, cut short, and noise behind it.
fn tls_hello() -> Vec<u8> {
    [&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3][..], &[0x5a; 600]].concat()
}

/// Sends all of them at a service.
pub(super) fn all(run: &mut Run, target: &Target) {
    for Shot { name, bytes, first, answers } in shots(target) {
        let answer = answer(target, &bytes);
        // Interim answers say nothing.
        let statuses: Vec<_> = statuses(&answer).into_iter().filter(|status| *status >= 200).collect();
        let status = statuses.first().copied().unwrap_or(CLOSED);
        if first.contains(&status) && statuses.len() <= answers.max(1) {
            run.good(1);
        } else {
            let text = String::from_utf8_lossy(&answer[..answer.len().min(400)]).into_owned();
            run.bad(&format!("{name} at the {}: {statuses:?}, expected {first:?}: {text}", target.name));
        }
    }
}

/// What comes back until the server closes, or says nothing more for a while.
fn answer(target: &Target, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect_timeout(&target.address, Duration::from_secs(5)).expect("it listens");
    // Longer than a server reads on what it has refused (2 s), before it answers.
    stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
    stream.set_write_timeout(Some(Duration::from_secs(5))).expect("a timeout");
    // Who refuses early closes early: what was answered counts.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let mut piece = [0; 65_536];
    loop {
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => return answer,
            Ok(count) => answer.extend_from_slice(&piece[..count]),
        }
        // What follows an answer follows at once, or never.
        stream.set_read_timeout(Some(Duration::from_millis(500))).expect("a timeout");
        if answer.len() > 64 << 20 {
            return answer;
        }
    }
}

/// The status of every answer: no body of ours holds a status line.
fn statuses(answer: &[u8]) -> Vec<u16> {
    let mark = b"HTTP/1.";
    let places = answer.windows(mark.len()).enumerate().filter(|(_, window)| window == mark).map(|(at, _)| at);
    let status = |at: usize| std::str::from_utf8(answer.get(at + 9..at + 12)?).ok()?.parse().ok();
    places.filter_map(status).collect()
}
