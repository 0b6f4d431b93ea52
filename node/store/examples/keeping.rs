//! Measures what keeping a ledger costs: bytes on disk a record, a restart, export, import both ways, backup and restore, each
//! in a process of its own so that its memory can be told. A benchmark, never a test.
//!
//! `cargo run --release -p testamur-store --features testing --example keeping -- DIR [RECORDS] [IDLE BLOCKS]`

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use testamur_primitives::units::UnixTime;
use testamur_registry::CheckedRecord;
use testamur_store::testing::{TestNetwork, digest};
use testamur_store::{Contents, Health, Ledger, NodeIdentity, Options, import, restore};

const RECORDS_A_BLOCK: u64 = 1_000;

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["make", directory, records, idle] => make(Path::new(directory), number(records), number(idle)),
        ["open", directory] => drop(open(&TestNetwork::new(), Path::new(directory))),
        ["export", directory, file, contents] => export(Path::new(directory), Path::new(file), which(contents)),
        ["import", file, directory, contents] => {
            let network = TestNetwork::new();
            let file = File::open(file).expect("open");
            let (directory, node) = (Path::new(directory), NodeIdentity::Observer);
            import(directory, &network.trust(), node, which(contents), file, |_| ()).expect("import");
        }
        ["backup", directory, to] => {
            drop(open(&TestNetwork::new(), Path::new(directory)).backup(Path::new(to), |_| ()).expect("backup"));
        }
        ["restore", from, to] => {
            let network = TestNetwork::new();
            let (from, to) = (Path::new(from), Path::new(to));
            drop(restore(from, to, &network.genesis, NodeIdentity::Observer, |_| ()).expect("restore"));
        }
        [directory] => all(directory, 100_000, 0),
        [directory, records] => all(directory, number(records), 0),
        [directory, records, idle] => all(directory, number(records), number(idle)),
        _ => panic!("DIR [RECORDS] [IDLE BLOCKS]"),
    }
    if words.len() > 1 && words[0].chars().all(char::is_alphabetic) {
        print!("{} {:.2}", peak_mib(), processor_s());
    }
}

fn all(directory: &str, records: u64, idle: u64) {
    let place = |name: &str| format!("{directory}/{name}");
    fs::create_dir_all(directory).expect("a directory");
    println!("{records} records in blocks of {RECORDS_A_BLOCK}, then {idle} empty blocks; load {}", load());
    let (node, snapshot, log) = (place("node"), place("ledger"), place("log"));
    let (records_text, idle_text) = (records.to_string(), idle.to_string());
    step("make", records, &["make", &node, &records_text, &idle_text]);
    step("restart", records, &["open", &node]);
    let on_disk = bytes_of(Path::new(&node));
    step("export with state", records, &["export", &node, &snapshot, "snapshot"]);
    step("export of the log", records, &["export", &node, &log, "log"]);
    let (exported, alone) = (bytes_of(Path::new(&snapshot)), bytes_of(Path::new(&log)));
    println!("  on disk {} MB, exports {} and {} MB", on_disk / 1_000_000, exported / 1_000_000, alone / 1_000_000);
    if records > 0 && idle == 0 {
        let (disk, record) = (on_disk as f64 / records as f64, alone as f64 / records as f64);
        println!("  {disk:.0} bytes on disk a record of {record:.0} bytes in the log: {:.2} times", disk / record);
    }
    step("import from the state", records, &["import", &snapshot, &place("by-state"), "snapshot"]);
    step("import from the log", records, &["import", &log, &place("by-log"), "log"]);
    println!("  imported directory {} MB", bytes_of(Path::new(&place("by-state"))) / 1_000_000);
    step("restart of the import", records, &["open", &place("by-state")]);
    step("backup", records, &["backup", &node, &place("backup")]);
    step("restore", records, &["restore", &place("backup"), &place("restored")]);
    println!("load {}", load());
}

fn step(name: &str, records: u64, arguments: &[&str]) {
    let started = Instant::now();
    let done = Command::new(std::env::current_exe().expect("a path")).args(arguments).output().expect("it runs");
    assert!(done.status.success(), "{name}: {}", String::from_utf8_lossy(&done.stderr));
    let spent = started.elapsed().as_secs_f64();
    let told = String::from_utf8_lossy(&done.stdout).into_owned();
    let (peak, busy) = told.split_once(' ').expect("two figures");
    let rate = records as f64 / spent;
    println!("  {name:22} {spent:8.2} s, processors {busy:>7} s {rate:9.0} records/s, at most {peak:>4} MiB in memory");
}

fn make(directory: &Path, records: u64, idle: u64) {
    let network = TestNetwork::new();
    let ledger = open_as(&network, directory, NodeIdentity::Observer);
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    for _ in 0..records.div_ceil(RECORDS_A_BLOCK) {
        let tip = ledger.tip();
        let (height, time) = (tip.next_height(), UnixTime(tip.header.time.0 + 1));
        let share = RECORDS_A_BLOCK.div_ceil(threads);
        let block: Vec<Arc<CheckedRecord>> = std::thread::scope(|scope| {
            let make = |n: u64| network.notarise(n as usize % 2, &format!("r-{height}-{n}"), time, digest(height, n));
            let workers: Vec<std::thread::ScopedJoinHandle<'_, Vec<_>>> = (0..threads)
                .map(|w| scope.spawn(move || (w * share..((w + 1) * share).min(RECORDS_A_BLOCK)).map(make).collect()))
                .collect();
            workers.into_iter().flat_map(|worker| worker.join().expect("no panic")).collect()
        });
        network.commit(&ledger, time, &block);
    }
    network.grow(&ledger, idle, 0);
}

fn open(network: &TestNetwork, directory: &Path) -> Ledger {
    open_as(network, directory, NodeIdentity::Observer)
}

fn open_as(network: &TestNetwork, directory: &Path, node: NodeIdentity) -> Ledger {
    let options = Options { node, health: Health::default() };
    Ledger::open(directory, Arc::clone(&network.genesis), options).expect("open")
}

fn export(directory: &Path, file: &Path, contents: Contents) {
    let ledger = open(&TestNetwork::new(), directory);
    let mut file = File::create(file).expect("create");
    ledger.export(&mut file, contents, |_| ()).expect("export");
    file.sync_all().expect("sync");
}

fn which(contents: &str) -> Contents {
    if contents == "log" { Contents::Log } else { Contents::Snapshot }
}

fn number(text: &str) -> u64 {
    text.parse().expect("a number")
}

fn bytes_of(path: &Path) -> u64 {
    if path.is_dir() {
        fs::read_dir(path).expect("list").map(|entry| bytes_of(&entry.expect("an entry").path())).sum()
    } else {
        fs::metadata(path).expect("there").len()
    }
}

fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}

/// Of all threads, also those that have ended.
fn processor_s() -> f64 {
    let text = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = text.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

fn peak_mib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    line.and_then(|l| l.trim().split(' ').next()?.parse::<u64>().ok()).unwrap_or(0) >> 10
}
