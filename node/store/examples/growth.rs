//! Measures how what a ledger costs grows with the ledger: at 1,000 records, 10,000 and so on, one JSON object a line.
//! A benchmark, never a test.
//!
//! `cargo run --release -p testamur-store --features testing --example growth -- DIR [RECORDS]`

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use testamur_primitives::hash::RecordId;
use testamur_primitives::state::StateObject;
use testamur_primitives::units::{LogIndex, LogSize, UnixTime};
use testamur_registry::CheckedRecord;
use testamur_store::Ledger;
use testamur_store::testing::{TestNetwork, digest};

/// Records of a block while the ledger is filled.
const RECORDS_A_BLOCK: u64 = 1_000;
/// Blocks of 100 records, and of one, that are timed at each size.
const TIMED_BLOCKS: u64 = 5;
/// Reads of a kind that are timed at each size.
const TIMED_READS: u64 = 1_000;

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["open", directory] => drop(TestNetwork::new().open(Path::new(directory), 0).expect("open")),
        [directory] => grow(Path::new(directory), 100_000),
        [directory, records] => grow(Path::new(directory), records.parse().expect("a number of records")),
        _ => panic!("DIR [RECORDS]"),
    }
}

fn grow(directory: &Path, most: u64) {
    let network = TestNetwork::new();
    let mut size = 1_000;
    while size <= most {
        let ledger = network.open(directory, 0).expect("open");
        let (before, started) = (ledger.tip().header.log_size.0, Instant::now());
        let mut committing = Duration::ZERO;
        while ledger.tip().header.log_size.0 < size {
            let missing = (size - ledger.tip().header.log_size.0).min(RECORDS_A_BLOCK);
            committing += block(&network, &ledger, missing);
        }
        let filled = started.elapsed();
        let added = ledger.tip().header.log_size.0 - before;
        let figures = measure(&network, &ledger, added as f64 / committing.as_secs_f64());
        drop(ledger);
        let started = Instant::now();
        let opened = Command::new(std::env::current_exe().expect("a path")).arg("open").arg(directory).status();
        assert!(opened.is_ok_and(|status| status.success()), "it opens again");
        let restart = started.elapsed().as_secs_f64();
        let per_record = bytes_of(directory) as f64 / size as f64;
        println!(
            "{{\"records\":{size},{figures},\"restart_s\":{restart:.3},\"disk_bytes_a_record\":{per_record:.0},\
             \"fill_s\":{:.1}}}",
            filled.as_secs_f64()
        );
        size *= 10;
    }
}

/// Makes and commits a block of so many records; how long propose, validate and commit took.
fn block(network: &TestNetwork, ledger: &Ledger, records: u64) -> Duration {
    let tip = ledger.tip();
    let (height, time) = (tip.next_height(), UnixTime(tip.header.time.0 + 1));
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let share = records.div_ceil(threads);
    let records: Vec<Arc<CheckedRecord>> = std::thread::scope(|scope| {
        let make = |n: u64| network.notarise(n as usize % 2, &format!("r-{height}-{n}"), time, digest(height, n));
        let workers: Vec<std::thread::ScopedJoinHandle<'_, Vec<_>>> = (0..threads)
            .map(|w| scope.spawn(move || (w * share..((w + 1) * share).min(records)).map(make).collect()))
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("no panic")).collect()
    });
    let started = Instant::now();
    network.commit(ledger, time, &records);
    started.elapsed()
}

fn measure(network: &TestNetwork, ledger: &Ledger, committed_s: f64) -> String {
    let many = median((0..TIMED_BLOCKS).map(|_| block(network, ledger, 100)).collect());
    let single = median((0..TIMED_BLOCKS * 4).map(|_| block(network, ledger, 1)).collect());
    let view = ledger.view().expect("view");
    let size = ledger.tip().header.log_size.0;
    // The same places in every run, spread over the whole log.
    let place = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % size;
    let ids: Vec<RecordId> = (0..TIMED_READS)
        .map(|n| view.record_at(LogIndex(place(n))).expect("read").expect("there").record.id())
        .collect();
    let each = |read: &dyn Fn(u64)| {
        let started = Instant::now();
        (0..TIMED_READS).for_each(read);
        started.elapsed().as_secs_f64() * 1e6 / TIMED_READS as f64
    };
    let receipt = each(&|n| drop(view.receipt(&ids[n as usize]).expect("read").expect("final")));
    let lookup = each(&|n| drop(view.record(&ids[n as usize]).expect("read").expect("final")));
    let inclusion = each(&|n| drop(view.inclusion(LogIndex(place(n)), LogSize(size)).expect("a proof")));
    let key = StateObject::new("governance", "network").head();
    let state = each(&|_| drop(view.prove_state(&key).expect("a proof")));
    format!(
        "\"committed_records_s\":{committed_s:.0},\"block_of_100_ms\":{many:.2},\"block_of_1_ms\":{single:.2},\
         \"receipt_us\":{receipt:.1},\"lookup_us\":{lookup:.1},\"inclusion_us\":{inclusion:.1},\"state_proof_us\":{state:.1},\
         \"memory_mib\":{}",
        resident_mib()
    )
}

/// In milliseconds.
fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1e3
}

fn bytes_of(path: &Path) -> u64 {
    if path.is_dir() {
        fs::read_dir(path).expect("list").map(|entry| bytes_of(&entry.expect("an entry").path())).sum()
    } else {
        fs::metadata(path).expect("there").len()
    }
}

fn resident_mib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    line.and_then(|l| l.trim().split(' ').next()?.parse::<u64>().ok()).unwrap_or(0) >> 10
}
