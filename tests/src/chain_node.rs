//! A node reduced to what clients prove paths with and what an auditor reads: the newest checkpoint, the epochs, proofs
//! between headers and logs, blocks, receipts; of a [`Chain`], and with the ways in which it can lie.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};
use testamur_primitives::block::push_entry;
use testamur_primitives::codec::canonical;
use testamur_primitives::hash::StateRoot;
use testamur_primitives::header::Header;
use testamur_primitives::merkle::consistency_proof;
use testamur_primitives::note::Note;
use testamur_primitives::record::Record;
use testamur_primitives::stream::{StreamedBlock, write_blocks};
use testamur_primitives::units::Height;

use crate::chain::{Chain, START, key, record, set_of};

/// A running node; it serves until the test's process ends.
pub struct ChainNode {
    address: SocketAddr,
    told: Arc<Mutex<Told>>,
}

struct Told {
    chain: Arc<Chain>,
    tip: Height,
    lie: Option<Lie>,
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
    /// It says that it has no block.
    Nothing,
    /// It closes every connection.
    Away,
    /// It gives no certificates but the newest.
    NoCheckpoints,
    /// In this block stands another record, signed by its author.
    OtherRecord(Height),
    /// This block has another state root.
    OtherBlock(Height),
    /// It gives no blocks from this one on.
    NoBlocks(Height),
    /// Its proofs that the log grew are of another log.
    OtherLog,
    /// Each receipt is another record's.
    OtherReceipt,
}

impl ChainNode {
    /// Serves a chain up to a height.
    pub fn start(chain: impl Into<Arc<Chain>>, tip: Height) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound port");
        let told = Arc::new(Mutex::new(Told { chain: chain.into(), tip, lie: None }));
        let node = Self { address, told: Arc::clone(&told) };
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let told = told.lock().expect("nobody panics holding it");
                let now = Told { chain: Arc::clone(&told.chain), ..*told };
                drop(told);
                serve(stream, &now);
            }
        });
        node
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().expect("nobody panics holding it")
    }

    /// Lies from now on, or no more.
    pub fn lie(&self, lie: Option<Lie>) {
        self.told().lie = lie;
    }

    /// Serves this chain up to this height from now on.
    pub fn show(&self, chain: impl Into<Arc<Chain>>, tip: Height) {
        let mut told = self.told();
        (told.chain, told.tip) = (chain.into(), tip);
    }
}

enum Body {
    Json(Value),
    Bytes(Vec<u8>),
}

fn serve(mut stream: TcpStream, told: &Told) {
    let mut head = Vec::new();
    while !head.windows(4).any(|w| w == b"\r\n\r\n") {
        let mut piece = [0; 4_096];
        match stream.read(&mut piece) {
            Ok(count) if count > 0 => head.extend_from_slice(&piece[..count]),
            _ => return,
        }
    }
    if told.lie == Some(Lie::Away) {
        return;
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    let target = text.split(' ').nth(1).unwrap_or_default();
    let (status, body) = match told.answer(target) {
        Some(Body::Json(body)) => ("200 OK", body.to_string().into_bytes()),
        Some(Body::Bytes(body)) => ("200 OK", body),
        None => {
            let problem = json!({"title": "not found", "code": "not-found", "status": 404});
            ("404 Not Found", problem.to_string().into_bytes())
        }
    };
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    // The client may have gone: nobody is there to tell.
    let _ = stream.write_all(&[head.as_bytes(), &body].concat());
}

impl Told {
    fn answer(&self, target: &str) -> Option<Body> {
        let (chain, tip, lie) = (&self.chain, self.tip, self.lie);
        let header = &chain.headers[tip.0 as usize];
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let number = |name: &str| {
            query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')?.parse::<u64>().ok())
        };
        let json = match path {
            "/v1/network" => {
                let (genesis, origin) = (chain.genesis.hash(), chain.origin());
                json!({"genesis": genesis, "origin": origin.as_str(), "parameters": chain.genesis.parameters})
            }
            "/v1/status" => json!({"name": "a node of a chain", "problems": []}),
            "/v1/checkpoints/latest" => self.latest(header)?,
            "/v1/epochs" => epochs(chain, header, number("start")?, lie),
            "/v1/history" => {
                let (from, to) = (number("from")?, number("to")?);
                if from >= to || to > tip.0 {
                    return None;
                }
                let of = if lie == Some(Lie::OtherHistory) { from.saturating_sub(1) } else { from };
                let path = chain.history().inclusion_proof(from, to).ok()?;
                let text = |height: u64| chain.headers[height as usize].text();
                json!({"from": from, "to": to, "from_text": text(of), "to_text": text(to), "path": path})
            }
            "/v1/consistency" => {
                let (from, to) = (number("from")?, number("to")?);
                let mut path = consistency_proof(chain.log(), from, to).ok()?;
                if lie == Some(Lie::OtherLog) {
                    path.push(header.log_root);
                }
                let root = |size| chain.log().root(size).ok();
                json!({"from": from, "from_root": root(from)?, "to": to, "to_root": root(to)?, "path": path})
            }
            "/v1/blocks/stream" => return self.blocks(number("from")?, number("limit")?).map(Body::Bytes),
            _ => return self.one(path).map(Body::Bytes),
        };
        Some(Body::Json(json))
    }

    fn latest(&self, header: &Header) -> Option<Value> {
        if self.lie == Some(Lie::Nothing) {
            return None;
        }
        let mut note = self.chain.certificate(header);
        if self.lie == Some(Lie::FewSignatures) {
            let lines: Vec<_> = note.lines().collect();
            note = lines[..lines.len() - 3].join("\n") + "\n";
        }
        let (height, epoch) = (header.height.0, header.epoch.0);
        Some(json!({"height": height, "epoch": epoch, "header_text": header.text(), "note": note}))
    }

    /// A certificate by its height, a receipt by its record.
    fn one(&self, path: &str) -> Option<Vec<u8>> {
        if let Some(height) = path.strip_prefix("/v1/checkpoints/") {
            let height: usize = height.parse().ok()?;
            let held = (1..=self.tip.0 as usize).contains(&height) && self.lie != Some(Lie::NoCheckpoints);
            return held.then(|| self.chain.certificate(&self.chain.headers[height]).into_bytes());
        }
        let id = path.strip_prefix("/v1/records/")?.strip_suffix("/receipt")?;
        let all = 0..self.chain.headers[self.tip.0 as usize].log_size.0;
        let is_it = |index: &u64| Record::parse(self.chain.leaf(*index)).is_ok_and(|r| r.id().to_string() == id);
        let index = all.clone().find(is_it)?;
        let index = if self.lie == Some(Lie::OtherReceipt) { (index + 1) % all.end } else { index };
        Some(self.chain.receipt(index, None).encode())
    }

    fn blocks(&self, from: u64, limit: u64) -> Option<Vec<u8>> {
        let end = match self.lie {
            Some(Lie::NoBlocks(first)) => first.0,
            _ => self.tip.0 + 1,
        };
        let heights = from..end.min(from.saturating_add(limit));
        let blocks: Vec<_> = heights.map(|height| self.block(Height(height))).collect();
        Some(write_blocks(&canonical(&self.chain.genesis), Height(from), &blocks))
    }

    fn block(&self, height: Height) -> StreamedBlock {
        let chain = &self.chain;
        let mut header = chain.headers[height.0 as usize].clone();
        let note = chain.certificate(&header);
        if self.lie == Some(Lie::OtherBlock(height)) {
            header.state_root = StateRoot::from_bytes([7; 32]);
        }
        let text = header.encode();
        let mut block = (text.len() as u32).to_be_bytes().to_vec();
        block.extend_from_slice(&text);
        for (place, index) in chain.leaves_of(height).enumerate() {
            if place == 0 && self.lie == Some(Lie::OtherRecord(height)) {
                let act = Record::parse(chain.leaf(index)).expect("a record").payload().act.clone();
                let other = record(&chain.genesis, &key("author", 0), "rewritten", START, act);
                push_entry(&mut block, other.as_bytes());
            } else {
                push_entry(&mut block, chain.leaf(index));
            }
        }
        StreamedBlock { block, certificate: Note::parse(note.as_bytes()).expect("a note"), attachments: Vec::new() }
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
