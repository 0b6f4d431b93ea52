//! Authors that write all the time, to whichever validator answers, and keep every receipt they are given.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use testamur_primitives::codec::sha256;
use testamur_primitives::commitment::{DigestAlgorithm, Form};
use testamur_primitives::genesis::Genesis;
use testamur_primitives::key::SigningKey;
use testamur_primitives::record::{Act, Bytes, Record};
use testamur_primitives::trust::TrustFile;

use super::request;
use crate::chain::record;

/// Writers at once, each with one record under way.
const WRITERS: usize = 4;

/// Records of all loads so far: no two share a jti.
static COUNT: AtomicU64 = AtomicU64::new(0);

/// A load that runs until it is stopped.
pub struct Load {
    stop: Arc<AtomicBool>,
    writers: Vec<JoinHandle<()>>,
}

impl Load {
    pub(super) fn start(
        nodes: Vec<SocketAddr>,
        trust: &TrustFile,
        author: &SigningKey,
        acknowledged: Arc<Mutex<Vec<Vec<u8>>>>,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let SigningKey::Ed25519(author) = author else { panic!("the harness writes with Ed25519") };
        let writers = (0..WRITERS).map(|writer| {
            let (stop, nodes, genesis) = (Arc::clone(&stop), nodes.clone(), trust.genesis().clone());
            let (author, acknowledged) = (SigningKey::Ed25519(author.clone()), Arc::clone(&acknowledged));
            std::thread::spawn(move || {
                let mut turn = writer;
                while !stop.load(Ordering::Relaxed) {
                    turn += 1;
                    let node = nodes[turn % nodes.len()];
                    match write(node, &genesis, &author) {
                        Some(receipt) => acknowledged.lock().expect("no thread panics holding it").push(receipt),
                        // A validator that is down refuses at once: no need to ask it a thousand times a second.
                        None => std::thread::sleep(Duration::from_millis(20)),
                    }
                }
            })
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

/// Writes one record and waits for its receipt. Whatever else is answered, it was not acknowledged.
fn write(node: SocketAddr, genesis: &Genesis, author: &SigningKey) -> Option<Vec<u8>> {
    let record = new_record(genesis, author);
    let headers = [("content-type", "application/jose")];
    let answer = request(node, "POST", "/v1/records?wait=final", &headers, record.as_bytes()).ok()?;
    if answer.status != 201 {
        return None;
    }
    let receipt = request(node, "GET", &format!("/v1/records/{}/receipt", record.id()), &[], &[]).ok()?;
    (receipt.status == 200).then_some(receipt.body)
}
