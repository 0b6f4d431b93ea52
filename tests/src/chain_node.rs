//! A node reduced to what clients prove paths with: the newest checkpoint, the epochs, proofs between headers; of a
//! [`Chain`], and with the ways in which it can lie.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use testamur_primitives::header::Header;
use testamur_primitives::units::Height;

use crate::chain::{Chain, set_of};

/// A running node; it serves until the test's process ends.
pub struct ChainNode {
    address: SocketAddr,
    lie: Arc<Mutex<Option<Lie>>>,
}

/// How it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// The link of the first epoch names another set.
    OtherSet,
    /// It leaves out its epochs.
    NoEpochs,
    /// Its proofs between headers are of other headers.
    OtherHistory,
    /// The certificate of its newest block has too few lines.
    FewSignatures,
}

impl ChainNode {
    /// Serves a chain up to a height.
    pub fn start(chain: Chain, tip: Height) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound port");
        let lie = Arc::new(Mutex::new(None));
        let (chain, told) = (Arc::new(chain), Arc::clone(&lie));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let lie = *told.lock().expect("nobody panics holding it");
                serve(stream, &chain, tip, lie);
            }
        });
        Self { address, lie }
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Lies from now on, or no more.
    pub fn lie(&self, lie: Option<Lie>) {
        *self.lie.lock().expect("nobody panics holding it") = lie;
    }
}

fn serve(mut stream: TcpStream, chain: &Chain, tip: Height, lie: Option<Lie>) {
    let mut head = Vec::new();
    while !head.windows(4).any(|w| w == b"\r\n\r\n") {
        let mut piece = [0; 4_096];
        match stream.read(&mut piece) {
            Ok(count) if count > 0 => head.extend_from_slice(&piece[..count]),
            _ => return,
        }
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    let target = text.split(' ').nth(1).unwrap_or_default();
    let (status, body) = match answer(target, chain, tip, lie) {
        Some(body) => ("200 OK", body.to_string()),
        None => ("404 Not Found", json!({"title": "not found", "code": "not-found", "status": 404}).to_string()),
    };
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    // The client may have gone: nobody is there to tell.
    let _ = stream.write_all(&[head.as_bytes(), body.as_bytes()].concat());
}

fn answer(target: &str, chain: &Chain, tip: Height, lie: Option<Lie>) -> Option<Value> {
    let header = &chain.headers[tip.0 as usize];
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let number =
        |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')?.parse::<u64>().ok());
    match path {
        "/v1/network" => Some(json!({"genesis": chain.genesis.hash(), "origin": chain.origin().as_str()})),
        "/v1/checkpoints/latest" => {
            let mut note = chain.certificate(header);
            if lie == Some(Lie::FewSignatures) {
                let lines: Vec<_> = note.lines().collect();
                note = lines[..lines.len() - 3].join("\n") + "\n";
            }
            let (height, epoch) = (header.height.0, header.epoch.0);
            Some(json!({"height": height, "epoch": epoch, "header_text": header.text(), "note": note}))
        }
        "/v1/epochs" => Some(epochs(chain, header, number("start")?, lie)),
        "/v1/history" => {
            let (from, to) = (number("from")?, number("to")?);
            if from >= to || to > tip.0 {
                return None;
            }
            let of = if lie == Some(Lie::OtherHistory) { from.saturating_sub(1) } else { from };
            let path = chain.history().inclusion_proof(from, to).ok()?;
            let text = |height: u64| chain.headers[height as usize].text();
            Some(json!({"from": from, "to": to, "from_text": text(of), "to_text": text(to), "path": path}))
        }
        _ => None,
    }
}

fn epochs(chain: &Chain, tip: &Header, start: u64, lie: Option<Lie>) -> Value {
    if lie == Some(Lie::NoEpochs) {
        return json!({"epochs": [], "next": null});
    }
    let mut epochs = Vec::new();
    for number in start..=tip.epoch.0 {
        let mut link = if number < tip.epoch.0 { chain.links.get(number as usize).cloned() } else { None };
        if let (0, Some(link), Some(Lie::OtherSet)) = (number, &mut link, lie) {
            link.validators = set_of(&chain.epochs[0]);
        }
        epochs.push(json!({"epoch": number, "link": link}));
    }
    json!({"epochs": epochs, "next": null})
}
