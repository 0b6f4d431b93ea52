//! Goal: a document of any size takes the same little memory. Method: 200 MB of zeros are streamed in, raw and as a
//! form, while this process's resident memory is watched; a test of its own, so that nothing else allocates.

#[path = "it/fake_node.rs"]
#[expect(dead_code, reason = "the other tests use the rest")]
mod fake_node;
#[path = "it/world.rs"]
#[expect(dead_code, reason = "the other tests use the rest")]
mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use futures::stream;
use reqwest::Body;
use reqwest::multipart::{Form, Part};
use testamur_client::digest::Digester;
use testamur_primitives::codec;
use testamur_primitives::commitment::DigestAlgorithm;
use testamur_primitives::receipt::Receipt;

use crate::world::World;

static PIECE: [u8; 64 * 1024] = [0; 64 * 1024];
const PIECES: u64 = 200 * 1024 * 1024 / (64 * 1024);
const GROWTH_BYTES_MAX: u64 = 24 * 1024 * 1024;

fn zeros() -> Body {
    Body::wrap_stream(stream::iter((0..PIECES).map(|_| Ok::<_, std::io::Error>(Bytes::from_static(&PIECE)))))
}

/// Resident memory of this process, from the kernel.
fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

/// Runs a future and reports by how much resident memory grew at most.
async fn growth<T>(run: impl Future<Output = T>) -> (T, u64) {
    let (peak, done) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let start = resident_bytes();
    let watcher = {
        let (peak, done) = (Arc::clone(&peak), Arc::clone(&done));
        std::thread::spawn(move || {
            while !done.load(Ordering::Relaxed) {
                peak.fetch_max(resident_bytes(), Ordering::Relaxed);
                std::thread::yield_now();
            }
        })
    };
    let result = run.await;
    done.store(true, Ordering::Relaxed);
    watcher.join().unwrap();
    (result, peak.load(Ordering::Relaxed).saturating_sub(start))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_document_is_hashed_in_constant_memory() {
    let world = World::new().await;
    // The first requests allocate what every process needs once.
    assert_eq!(world.notarise(b"warm").await.status, 200);
    let mut digester = Digester::new(DigestAlgorithm::Sha2_256);
    (0..PIECES).for_each(|_| digester.update(&PIECE));
    let expected = digester.finalize();

    let raw = world.post("/v1/documents").body(zeros());
    let part = Part::stream(zeros()).file_name("zeros");
    let form = world.post("/v1/documents").multipart(Form::new().part("file", part));
    for (name, request) in [("raw", raw), ("form", form)] {
        let (answer, grown) = growth(world.send(request)).await;
        assert_eq!(answer.status, 200, "{name}");
        let receipt = Receipt::decode(&answer.body).unwrap();
        let opening = receipt.opening.unwrap();
        assert_eq!(opening.digest, expected.as_bytes(), "{name}: {}", codec::base64url(&opening.digest));
        assert!(grown < GROWTH_BYTES_MAX, "{name}: resident memory grew by {grown} bytes");
    }
    assert_eq!(world.record_count(), 2 + 1);
}
