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
use futures::{StreamExt as _, stream};
use reqwest::Body;
use reqwest::multipart::{Form, Part};
use testamur_client::digest::Digester;
use testamur_primitives::codec;
use testamur_primitives::commitment::DigestAlgorithm;
use testamur_primitives::receipt::Receipt;

use crate::world::World;

static PIECE: [u8; 64 * 1024] = [0; 64 * 1024];
const PIECES: u64 = 200 * 1024 * 1024 / (64 * 1024);
/// One test at a time: each measures this process.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
const GROWTH_BYTES_MAX: u64 = 24 * 1024 * 1024;
const STREAM_GROWTH_BYTES_MAX: u64 = 24 * 1024 * 1024;

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
    let _alone = ALONE.lock().await;
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

/// Goal: a stream of hashes takes the same little memory however long it is. Method: 20,000 lines in, 160 MB of receipts out, read as
/// they come.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_stream_of_hashes_is_answered_in_constant_memory() {
    let _alone = ALONE.lock().await;
    let world = World::new().await;
    let line = |number: u32| format!("{{\"digest\":\"{}\"}}\n", hex::encode(codec::sha256(&[&number.to_be_bytes()])));
    let send = async |count: u32| {
        let lines = stream::iter((0..count).map(move |number| Ok::<_, std::io::Error>(Bytes::from(line(number)))));
        let request = world.post("/v1/hashes").header("content-type", "application/x-ndjson");
        let mut answer = request.body(Body::wrap_stream(lines)).send().await.unwrap().bytes_stream();
        let (mut lines, mut bytes) = (0, 0);
        while let Some(piece) = answer.next().await {
            let piece = piece.unwrap();
            bytes += piece.len() as u64;
            lines += piece.iter().filter(|byte| **byte == b'\n').count();
        }
        (lines, bytes)
    };
    assert_eq!(send(4_000).await.0, 4_001);
    let ((lines, bytes), grown) = growth(send(20_000)).await;
    assert_eq!(lines, 20_001, "a receipt a line, and the end");
    assert!(bytes > 4 * STREAM_GROWTH_BYTES_MAX, "{bytes} bytes of receipts");
    assert!(grown < STREAM_GROWTH_BYTES_MAX, "resident memory grew by {grown} bytes");
}
