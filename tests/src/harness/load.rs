//! Authors that write all the time, and keep every answer and every receipt that they are given.
//!
//! Each writer has a node of its own that it prefers, so that a node which hangs takes only its own share of the load
//! with it; when that node refuses, the writer asks the next one.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use testamur_primitives::codec::sha256;
use testamur_primitives::commitment::{DigestAlgorithm, Form};
use testamur_primitives::genesis::Genesis;
use testamur_primitives::hash::RecordId;
use testamur_primitives::key::SigningKey;
use testamur_primitives::record::{Act, Bytes, Record};
use testamur_primitives::trust::TrustFile;

use super::Client;
use crate::chain::record;

/// How hard a load is.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Connections, each with one record under way.
    pub writers: usize,
    /// Records a second of all writers together, while the network keeps up.
    pub per_second: u64,
}

impl Default for Pace {
    /// Above the 200 a second under which the campaign kills validators. A record waits for finality 0.7 s where much else
    /// runs on two cores (measured), so 200 under way still carry 280 a second.
    fn default() -> Self {
        Self { writers: 200, per_second: 260 }
    }
}

/// How long a writer waits for an answer: longer than a node's own limit for finality (20 s).
const PATIENCE: Duration = Duration::from_secs(25);
/// Pause of a writer that was refused: nobody needs to be asked a thousand times a second whether he is back.
const PAUSE: Duration = Duration::from_millis(20);
/// Records that a writer whose own node refused writes elsewhere before it looks whether that node is back.
const ELSEWHERE: usize = 8;

/// Records of all loads so far: no two share a jti.
static COUNT: AtomicU64 = AtomicU64::new(0);

/// One record that was submitted, and what came of it as far as its author knows.
#[derive(Debug, Clone)]
pub struct Written {
    /// Its id.
    pub id: RecordId,
    /// The node that was asked.
    pub node: usize,
    /// When it was sent.
    pub sent: Instant,
    /// When the answer was there.
    pub answered: Instant,
    /// Its place in the log, if the answer was that it is final. Without, nobody knows: it may still become so.
    pub index: Option<u64>,
}

/// What all loads of a network have got.
#[derive(Debug, Clone, Default)]
pub(super) struct Kept {
    /// Every receipt that was handed out.
    pub(super) receipts: Arc<Mutex<Vec<Vec<u8>>>>,
    /// Every record that was sent.
    pub(super) written: Arc<Mutex<Vec<Written>>>,
}

/// A load that runs until it is stopped.
pub struct Load {
    stop: Arc<AtomicBool>,
    writers: Vec<JoinHandle<()>>,
}

struct Writer {
    home: usize,
    nodes: Vec<(usize, SocketAddr)>,
    genesis: Genesis,
    author: SigningKey,
    kept: Kept,
    stop: Arc<AtomicBool>,
    turns: Arc<Mutex<Instant>>,
    every: Duration,
}

impl Load {
    pub(super) fn start(
        nodes: Vec<(usize, SocketAddr)>,
        trust: &TrustFile,
        author: &SigningKey,
        kept: &Kept,
        pace: Pace,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let SigningKey::Ed25519(author) = author else { panic!("the harness writes with Ed25519") };
        let turns = Arc::new(Mutex::new(Instant::now()));
        let every = Duration::from_secs(1) / u32::try_from(pace.per_second.max(1)).unwrap_or(u32::MAX);
        let writers = (0..pace.writers).map(|number| {
            let writer = Writer {
                home: number % nodes.len(),
                nodes: nodes.clone(),
                genesis: trust.genesis().clone(),
                author: SigningKey::Ed25519(author.clone()),
                kept: kept.clone(),
                stop: Arc::clone(&stop),
                turns: Arc::clone(&turns),
                every,
            };
            std::thread::spawn(move || writer.run())
        });
        Self { stop: Arc::clone(&stop), writers: writers.collect() }
    }

    /// Stops, and waits for what is under way.
    ///
    /// # Panics
    /// When a writer did.
    pub fn stop(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for writer in self.writers.drain(..) {
            writer.join().expect("a writer does not panic");
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Writer {
    fn run(self) {
        let mut clients: Vec<_> = self.nodes.iter().map(|(_, api)| Client::with_timeout(*api, PATIENCE)).collect();
        let (mut away, mut elsewhere) = (0, 0);
        while !self.stop.load(Ordering::Relaxed) {
            self.wait_for_turn();
            let place = (self.home + away) % self.nodes.len();
            if self.write(self.nodes[place].0, &mut clients[place]) {
                elsewhere += usize::from(away > 0);
                if elsewhere >= ELSEWHERE {
                    (away, elsewhere) = (0, 0);
                }
            } else {
                away += 1;
                std::thread::sleep(PAUSE);
            }
        }
    }

    /// Turns of all writers are an interval apart. Nobody catches up on turns that were missed: after a stop the load
    /// goes on as before it.
    fn wait_for_turn(&self) {
        let turn = {
            let mut next = self.turns.lock().expect("no thread panics holding it");
            let turn = (*next).max(Instant::now());
            *next = turn + self.every;
            turn
        };
        std::thread::sleep(turn.saturating_duration_since(Instant::now()));
    }

    /// Writes one record and fetches its receipt. Whether the node answered that it is final.
    fn write(&self, node: usize, client: &mut Client) -> bool {
        let record = new_record(&self.genesis, &self.author);
        let headers = [("content-type", "application/jose")];
        let sent = Instant::now();
        let answer = client.request("POST", "/v1/records?wait=final", &headers, record.as_bytes()).ok();
        let index = answer.filter(|answer| answer.status == 201).and_then(|answer| answer.json()["index"].as_u64());
        let (id, answered) = (record.id(), Instant::now());
        self.kept.written.lock().expect("no thread panics holding it").push(Written {
            id,
            node,
            sent,
            answered,
            index,
        });
        if index.is_none() {
            return false;
        }
        let receipt = client.get(&format!("/v1/records/{id}/receipt")).ok().filter(|receipt| receipt.status == 200);
        if let Some(receipt) = receipt {
            self.kept.receipts.lock().expect("no thread panics holding it").push(receipt.body);
        }
        true
    }
}

/// A record of one digest, made now, unlike every other.
pub fn new_record(genesis: &Genesis, author: &SigningKey) -> Record {
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let act = Act::Notarise {
        alg: DigestAlgorithm::Sha2_256,
        form: Form::Digest,
        entries: vec![Bytes(sha256(&[b"load", &number.to_be_bytes()]).to_vec())],
        reference: None,
    };
    let jti = format!("load-{}-{number}", now.as_nanos());
    record(genesis, author, &jti, now.as_secs(), act)
}
