//! Measures what the store costs: execution, validation and commit of blocks of 1,000 records with one plain digest
//! each, beside this disk's fdatasync rate, and the bytes that an idle ledger takes. A benchmark, never a test.
//!
//! `cargo run --release -p testamur-store --features testing --example store_throughput -- [DIR] [BLOCKS] [EMPTY]`

use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use testamur_primitives::units::{LogIndex, Round, UnixTime};
use testamur_store::testing::{TestNetwork, digest};
use testamur_store::{RecordQuery, ScrubPosition, Undecided, check};

const RECORDS: u64 = 1_000;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let base = arguments.next().map_or_else(std::env::temp_dir, Into::into);
    let blocks: u64 = arguments.next().map_or(30, |n| n.parse().expect("number of blocks"));
    let empty: u64 = arguments.next().map_or(2_000, |n| n.parse().expect("number of empty blocks"));
    let directory = tempfile::tempdir_in(&base).expect("a directory");
    println!("fdatasync of a 4 KiB append: {:.0}/s", fdatasync_rate(directory.path()));
    busy(directory.path(), blocks);
    println!("fdatasync of a 4 KiB append: {:.0}/s", fdatasync_rate(directory.path()));
    idle(tempfile::tempdir_in(&base).expect("a directory").path(), empty);
}

fn busy(directory: &Path, blocks: u64) {
    let network = TestNetwork::new();
    let data = directory.join("data");
    let ledger = network.open(&data, 0).expect("open");
    let proposer = network.validators[0].address;
    let mut propose = Spent::default();
    let mut validate = Spent::default();
    let mut undecided = Spent::default();
    let mut commit = Spent::default();
    for _ in 0..blocks {
        let tip = ledger.tip();
        let (height, time) = (tip.next_height(), UnixTime(tip.header.time.0 + 1));
        let records: Vec<_> = (0..RECORDS)
            .map(|n| network.notarise(n as usize % 2, &format!("r-{height}-{n}"), time, digest(height, n)))
            .collect();
        let proposed = timed(&mut propose, || ledger.propose(proposer, time, &records).expect("propose"));
        assert_eq!(proposed.block.records().len() as u64, RECORDS);
        let block = timed(&mut validate, || {
            ledger.validate(proposed.block.header(), records).expect("validate").expect("valid")
        });
        let (value_id, bytes) = (block.value_id(), block.bytes().clone());
        let bytes = testamur_primitives::block::encode_value(&bytes, &[[0u8; 0]; 0]).into();
        let stored = Undecided { round: Round(0), proposer, value_id, bytes };
        timed(&mut undecided, || ledger.put_undecided(height, &stored).expect("put"));
        let certificate = network.certificate(&block);
        let log_signature = network.log_signature(&certificate, 0);
        timed(&mut commit, || ledger.commit(&block, &certificate, Some(&log_signature), &[]).expect("commit"));
    }
    let records = blocks * RECORDS;
    println!("{blocks} blocks of {RECORDS} records:");
    println!("                  ms a block   of it processor   slowest   records a processor second");
    for (name, spent) in
        [("propose", propose), ("validate", validate), ("put_undecided", undecided), ("commit", commit)]
    {
        let ms = |spent: Duration| spent.as_secs_f64() * 1e3;
        let (wall, busy) = (ms(spent.wall) / blocks as f64, ms(spent.processor) / blocks as f64);
        let rate = records as f64 / spent.processor.as_secs_f64();
        println!("  {name:14} {wall:12.2} {busy:17.2} {:9.1} {rate:28.0}", ms(spent.slowest));
    }
    let usage = ledger.usage();
    println!("  memtables {} KiB, resident {} KiB", usage.memtable_bytes >> 10, resident_kib());

    let view = ledger.view().expect("view");
    let started = Instant::now();
    let ids: Vec<_> = (0..1_000)
        .map(|n| view.record_at(LogIndex(n * (records / 1_000))).expect("read").expect("there").record.id())
        .collect();
    println!("  record by place: {:.0} µs", started.elapsed().as_secs_f64() * 1e3);
    let started = Instant::now();
    for id in &ids {
        view.receipt(id).expect("read").expect("final");
    }
    println!("  receipt: {:.0} µs", started.elapsed().as_secs_f64() * 1e3);
    let started = Instant::now();
    let page = view.records(&RecordQuery { limit: 100, ..Default::default() }).expect("read");
    println!("  page of {}: {:.0} µs", page.items.len(), started.elapsed().as_secs_f64() * 1e6);
    drop(view);

    let started = Instant::now();
    let mut position = ScrubPosition::default();
    let mut steps = 0u32;
    while position.rounds == 0 {
        position = ledger.scrub_step(&position).expect("scrub");
        steps += 1;
    }
    let spent = started.elapsed();
    println!("  scrub: {steps} steps of {:.1} ms", spent.as_secs_f64() * 1e3 / f64::from(steps));
    ledger.compact().expect("compact");
    println!("  {} bytes a record on disk", ledger.usage().table_bytes / records);
    drop(ledger);
    let started = Instant::now();
    let ledger = network.open(&data, 0).expect("open");
    println!("  open: {:.0} ms", started.elapsed().as_secs_f64() * 1e3);
    drop(ledger);
    let started = Instant::now();
    assert!(check(&data, &network.genesis, |_| ()).expect("check").is_clean());
    println!("  check: {:.0} records/s", records as f64 / started.elapsed().as_secs_f64());
}

fn idle(directory: &Path, blocks: u64) {
    let network = TestNetwork::new();
    let ledger = network.open(directory, 0).expect("open");
    let started = Instant::now();
    network.grow(&ledger, blocks, 0);
    println!("{blocks} empty blocks: {:.2} ms each", started.elapsed().as_secs_f64() * 1e3 / blocks as f64);
    ledger.compact().expect("compact");
    let bytes = ledger.usage().table_bytes as f64 / blocks as f64;
    println!("  {bytes:.0} bytes a block; a year of heartbeats (60 s) is {:.0} MB", bytes * 525_960.0 / 1e6);
}

/// Time spent in one kind of call: on the clock, and by this thread on a processor.
#[derive(Default)]
struct Spent {
    wall: Duration,
    processor: Duration,
    slowest: Duration,
}

fn timed<T>(spent: &mut Spent, work: impl FnOnce() -> T) -> T {
    let (started, processor) = (Instant::now(), thread_processor_time());
    let result = work();
    let wall = started.elapsed();
    spent.wall += wall;
    spent.slowest = spent.slowest.max(wall);
    spent.processor += thread_processor_time() - processor;
    result
}

/// Linux counts it to the nanosecond; elsewhere it is reported as zero.
fn thread_processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or(0))
}

fn fdatasync_rate(directory: &Path) -> f64 {
    let mut file = std::fs::File::create(directory.join("probe")).expect("create");
    let started = Instant::now();
    let mut count = 0;
    while started.elapsed() < Duration::from_secs(1) {
        file.write_all(&[7; 4096]).expect("write");
        file.sync_data().expect("fdatasync");
        count += 1;
    }
    f64::from(count) / started.elapsed().as_secs_f64()
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    line.and_then(|l| l.trim().split(' ').next()?.parse().ok()).unwrap_or(0)
}
