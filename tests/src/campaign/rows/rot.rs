//! R6, R7: bits flip, on disk and in memory. What is answered is right, or says that it is not.

use std::fs;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use testamur_primitives::receipt::{Receipt, Verdict, verify};
use testamur_primitives::record::Record;
use testamur_primitives::units::UnixTime;

use crate::campaign::{Lane, Random, Row, Run};
use crate::harness::{Network, Pace, Setup, request, wait_for};

pub(super) const ROWS: &[Row] = &[
    Row { id: "R6", name: "bit-flips-in-a-store", lane: Lane::Machine, ci: 260, release: 2_600, attack: in_a_store },
    Row {
        id: "R6",
        name: "bit-flips-in-a-validator",
        lane: Lane::Networks,
        ci: 40,
        release: 400,
        attack: in_a_validator,
    },
    Row { id: "R7", name: "bit-flips-in-memory", lane: Lane::Machine, ci: 200, release: 10_000, attack: in_memory },
];

/// Tries of one process of `testamur-rot`: a crash of it costs no more than these.
const BUNDLE: u64 = 500;
/// Tries at one network of validators: a new disk gets everything that was written since its beginning.
const OF_ONE_NETWORK: u64 = 50;

fn in_a_store(run: &mut Run) {
    outside(run, "rest");
}

fn in_memory(run: &mut Run) {
    outside(run, "memory");
}

/// Runs `testamur-rot`, which stands beside the faulty build.
fn outside(run: &mut Run, what: &str) {
    let tool = super::beside("testamur-rot");
    let mut begun = 0;
    while begun < run.count {
        let count = BUNDLE.min(run.count - begun);
        let folder = scratch();
        let seed = run.seed.wrapping_add(begun);
        let mut command = Command::new(&tool);
        command.args([what, &count.to_string(), &seed.to_string()]).arg(folder.path());
        run.outside(&mut command);
        begun += count;
    }
}

/// A folder in memory where there is one: what is tested is what is read, and not how long a disk takes.
fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let mut builder = tempfile::Builder::new();
    builder.prefix("testamur-rot-");
    let made = if memory.is_dir() { builder.tempdir_in(memory) } else { builder.tempdir() };
    made.expect("a folder")
}

/// Files of a validator, and what its operator does when one of them is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Table, write-ahead log or anything else of the database: a new disk, and the peers have the rest.
    Data,
    /// The double-sign guard.
    Guard,
    /// The engine's log.
    Engine,
    /// A key: from the operator's own copy.
    Kept(&'static str),
}

const PARTS: [Part; 8] = [
    Part::Data,
    Part::Guard,
    Part::Engine,
    Part::Data,
    Part::Kept("keys/consensus.key"),
    Part::Data,
    Part::Kept("keys/peer.key"),
    Part::Engine,
];

fn in_a_validator(run: &mut Run) {
    let (mut counts, mut repaired) = ([0u64; 4], 0u64);
    let mut done = 0;
    while done < run.count && run.bad_so_far() == 0 {
        let end = (done + OF_ONE_NETWORK).min(run.count);
        flips(run, done..end, &mut counts, &mut repaired);
        done = end;
    }
    for (name, count) in ["refused-at-start", "ended-by-itself", "withstood", "answer-refused"].into_iter().zip(counts)
    {
        run.metric(name, count);
    }
    run.metric("repaired-from-peers", repaired);
}

/// Some tries at one network.
fn flips(run: &mut Run, tries: Range<u64>, counts: &mut [u64; 4], repaired: &mut u64) {
    let mut network = Network::start(&Setup::default());
    let load = network.load_at(Pace { writers: 8, per_second: 40 });
    network.wait_receipts(60);
    for attempt in tries {
        let mut random = Random::of(run.seed, attempt);
        let (node, part) = (random.index(4), PARTS[(attempt % PARTS.len() as u64) as usize]);
        // The harness reads guards as well, so theirs are damaged only where the node meets them first.
        let running = part != Part::Guard && random.chance(50);
        let what = format!("{part:?} of node {node}, {}", if running { "running" } else { "stopped" });
        let fate = run.attempt(&what, || one_flip(&mut network, node, part, running, &mut random));
        let Some(fate) = fate else { break };
        counts[fate as usize] += 1;
        *repaired += u64::from(part == Part::Data);
    }
    load.stop();
    run.step("the oracle", || network.check());
}

/// What a node did about its bit; numbers are places in the row's metrics.
#[derive(Debug, Clone, Copy)]
enum Fate {
    RefusedAtStart = 0,
    EndedByItself = 1,
    Withstood = 2,
    AnswerRefused = 3,
}

fn one_flip(network: &mut Network, node: usize, part: Part, running: bool, random: &mut Random) -> Fate {
    let dir = network.nodes[node].dir.clone();
    if !running {
        network.kill(node);
    }
    let Some((file, before)) = flip(&dir, part, random) else { panic!("there is no {part:?} in {}", dir.display()) };
    let mut fate = Fate::Withstood;
    if running {
        if !answers_hold(network, node, random) {
            fate = Fate::AnswerRefused;
        }
        if network.has_ended(node) {
            fate = Fate::EndedByItself;
        }
        network.kill(node);
    }
    let log = dir.join("log");
    let said = fs::metadata(&log).map_or(0, |log| log.len());
    network.start_node(node);
    if !ready_or_ended(network, node) {
        if !matches!(fate, Fate::EndedByItself) {
            fate = Fate::RefusedAtStart;
        }
        // It says why, in words.
        let words = fs::read(&log).expect("a log")[said as usize..].to_vec();
        let words = String::from_utf8_lossy(&words).into_owned();
        assert!(words.lines().any(|line| line.len() > 40), "node {node} ended without a word: {words:?}");
        match part {
            Part::Kept(_) => fs::write(&file, before).expect("the operator's copy"),
            _ => network.wipe(node),
        }
        network.start_node(node);
        network.wait_ready();
    } else if !answers_hold(network, node, random) {
        fate = Fate::AnswerRefused;
    }
    match part {
        // Damage may lie where nobody looked: the disk is replaced whatever came of it, and the peers have all of it.
        Part::Data => {
            network.kill(node);
            network.wipe(node);
            network.start_node(node);
        }
        Part::Kept(_) => fs::write(&file, keep(&file, &dir)).expect("written"),
        Part::Guard | Part::Engine => {}
    }
    network.wait_ready();
    // With a new guard it signs again only when others have decided without it: two such at once would stop all.
    network.wait_votes();
    fate
}

/// A kept file as the operator has it: the copy that was made before its first flip.
fn keep(file: &Path, dir: &Path) -> Vec<u8> {
    let copy = dir.join(format!("kept-{}", file.file_name().expect("a name").to_string_lossy()));
    if !copy.exists() {
        fs::copy(file, &copy).expect("a copy");
    }
    fs::read(copy).expect("a copy")
}

/// Flips one bit of a file of the part; the file and its bytes before.
fn flip(dir: &Path, part: Part, random: &mut Random) -> Option<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    match part {
        Part::Data => list(&dir.join("data"), &mut files),
        Part::Guard => list(&dir.join("guard"), &mut files),
        Part::Engine => list(&dir.join("wal"), &mut files),
        Part::Kept(name) => files.push(dir.join(name)),
    }
    files.retain(|file| {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        // Text for people, and what stands for a lock.
        let telling = !name.starts_with("LOG") && !name.eq_ignore_ascii_case("lock") && !name.contains("damaged");
        telling && fs::metadata(file).is_ok_and(|file| file.len() > 0)
    });
    files.sort();
    let path = files.get(random.index(files.len().max(1)))?.clone();
    let before = match part {
        Part::Kept(_) => keep(&path, dir),
        _ => Vec::new(),
    };
    let file = fs::OpenOptions::new().read(true).write(true).open(&path).expect("it can be opened");
    let bit = random.below(file.metadata().expect("it is there").len() * 8);
    let mut byte = [0];
    file.read_exact_at(&mut byte, bit / 8).ok()?;
    byte[0] ^= 1 << (bit % 8);
    file.write_all_at(&byte, bit / 8).expect("it can be written");
    Some((path, before))
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) {
    // A database removes files while they are listed.
    for entry in fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path()) {
        if entry.is_dir() { list(&entry, files) } else { files.push(entry) }
    }
}

/// Asks a node for receipts that were handed out before. Whether it gave all of them.
///
/// # Panics
/// When one that it gives is not the right one.
fn answers_hold(network: &Network, node: usize, random: &mut Random) -> bool {
    let receipts = network.acknowledged.lock().expect("no thread panics holding it").clone();
    for _ in 0..12 {
        let known = Receipt::decode(random.pick::<Vec<u8>>(&receipts)).expect("a receipt that was handed out");
        let id = Record::parse(known.record.as_bytes()).expect("it holds a record").id();
        // A node may be a block behind the one that handed the receipt out; for longer it may not, and be ready.
        let began = Instant::now();
        let answer = loop {
            let answer = request(network.nodes[node].api, "GET", &format!("/v1/records/{id}/receipt"), &[], &[]);
            let unknown = answer.as_ref().is_ok_and(|answer| answer.status == 404);
            if !unknown || began.elapsed() > Duration::from_secs(10) {
                break answer;
            }
            std::thread::sleep(Duration::from_millis(50));
        };
        match answer {
            Ok(answer) if answer.status == 200 => {
                let again = Receipt::decode(&answer.body).expect("what a node hands out is a receipt");
                let now = UnixTime(network.trust.genesis().time.0 + 3_600);
                let verdict = verify(&again, None, &network.trust, now);
                assert!(matches!(verdict, Verdict::Confirmed(_)), "the receipt of {id}: {verdict:?}");
                assert_eq!(again.record, known.record, "the receipt of another record");
            }
            // It says so, or is gone. That a final record is unknown to it would be a lie, unless it is still catching up.
            Ok(answer) if answer.status == 404 => {
                let ready = request(network.nodes[node].admin, "GET", "/readyz", &[], &[]);
                assert!(!ready.is_ok_and(|ready| ready.status == 200), "a ready node does not know final record {id}");
                return false;
            }
            _ => return false,
        }
    }
    true
}

/// Whether a node is ready, or has ended by itself instead.
fn ready_or_ended(network: &mut Network, node: usize) -> bool {
    wait_for(&format!("node {node} to be ready or to end"), Duration::from_secs(60), || {
        if network.has_ended(node) {
            return Some(false);
        }
        let ready = request(network.nodes[node].admin, "GET", "/readyz", &[], &[]);
        ready.is_ok_and(|ready| ready.status == 200).then_some(true)
    })
}
