//! R4: the power is cut.
//!
//! A validator's disk is a file system in a file; a reflink copy of that file is what the platter held at one instant
//! (`campaign/disk/platter.rs`). Whatever was promised before that instant must hold on the copy:
//! - `power-cut`: one validator's store and guard (`testamur-faults commits`) write as fast as they can, on ext4 and xfs in turn.
//! - `power-cut-beside-a-neighbour`: the same, with another program on the disk that syncs a file of its own all the time.
//! - `power-cut-of-all`: four real validators under load on one disk, all cut at once. They are stopped first, so that
//!   nothing is acknowledged after the instant; nobody is left to repair from, and the oracle wants every receipt.
//! - `power-cut-liar`: the same as the first, by a build that acknowledges before it syncs. It must be caught.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::campaign::disk::{Commits, FileSystem, Platter, platter_available};
use crate::campaign::{Lane, Random, Row, Run};
use crate::harness::{Network, Setup, wait_for};

pub(super) const ROWS: &[Row] = &[
    Row { id: "R4", name: "power-cut", lane: Lane::Machine, ci: 200, release: 1_000, attack: one_validator },
    Row {
        id: "R4",
        name: "power-cut-beside-a-neighbour",
        lane: Lane::Machine,
        ci: 60,
        release: 1_000,
        attack: beside_a_neighbour,
    },
    Row { id: "R4", name: "power-cut-liar", lane: Lane::Machine, ci: 10, release: 40, attack: liar },
    Row { id: "R4", name: "power-cut-of-all", lane: Lane::Networks, ci: 10, release: 60, attack: all_validators },
];

/// Cuts of one directory before a new one: `check` derives everything from genesis after each.
const CUTS_OF_ONE: u64 = 20;
/// Tables are written and merged every so many blocks, so that a cut meets that as well.
const MERGE: u64 = 40;
/// Blocks that must follow a cut.
const AFTER: u64 = 3;
/// What a working writer needs at most for the next line.
const MOST: Duration = Duration::from_secs(60);

/// A process that commits until it is dropped.
struct Writer(Child);

impl Writer {
    fn start(commits: &Commits, lies: bool) -> Self {
        let mut command = commits.until(u64::MAX, MERGE);
        if lies {
            command.env("FAILPOINTS", "store.write.not-synced=return");
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().expect("the binary runs"))
    }

    /// Sends it a signal by its name, `STOP` or `CONT`.
    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.0.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "kill is there");
    }

    fn runs(&mut self) -> bool {
        self.0.try_wait().expect("it can be waited for").is_none()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn one_validator(run: &mut Run) {
    cuts(run, false);
}

fn beside_a_neighbour(run: &mut Run) {
    cuts(run, true);
}

fn cuts(run: &mut Run, neighbour: bool) {
    if let Err(why) = platter_available() {
        return run.skip(run.count, why);
    }
    let (mut promises, mut blocks) = (0, 0);
    let mut round = 0;
    while run.tried() < run.count {
        let system = if round % 2 == 0 { FileSystem::Ext4 } else { FileSystem::Xfs };
        let cuts = CUTS_OF_ONE.min(run.count - run.tried());
        let seed = Random::of(run.seed, round).number();
        let mut writes = Writing::start(system, false);
        if neighbour {
            writes.neighbour = Some(Neighbour::start(&writes.platter.path()));
        }
        for cut in 0..cuts {
            let done = run.attempt(&format!("cut {cut} of round {round} on {system:?}"), || {
                writes.cut(seed, cut).unwrap_or_else(|why| panic!("{why}"))
            });
            let Some((promised, height)) = done else { break };
            promises += promised;
            blocks = blocks.max(height);
        }
        round += 1;
    }
    run.metric("promises-looked-at", promises);
    run.metric("blocks-at-most", blocks);
}

fn liar(run: &mut Run) {
    if let Err(why) = platter_available() {
        return run.skip(run.count, why);
    }
    let mut writes = Writing::start(FileSystem::Ext4, true);
    let (mut caught, run_seed) = (0, run.seed);
    for cut in 0..run.count {
        let looked = run.attempt(&format!("cut {cut}"), || writes.cut(run_seed, cut));
        let Some(looked) = looked else { break };
        caught += u64::from(looked.is_err());
    }
    run.metric("caught", caught);
    if caught == 0 {
        run.bad("a store that acknowledges before it syncs was never caught: the other cuts show nothing");
    }
}

/// Somebody else who syncs a file on the same disk all the time. Each sync writes the file system's journal, with the sizes
/// of files whose bytes are still on their way.
struct Neighbour {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Neighbour {
    fn start(disk: &Path) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (path, stopped) = (disk.join("neighbour"), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            let mut file = fs::File::create(path).expect("a file");
            while !stopped.load(Ordering::Relaxed) {
                file.write_all(b"a line\n").and_then(|()| file.sync_all()).expect("the disk works until the cut");
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // Its panic is told by itself.
            let _ = thread.join();
        }
    }
}

/// A writer on a disk.
struct Writing {
    // Dropped in this order: nothing holds the disk when it is unmounted.
    neighbour: Option<Neighbour>,
    writer: Writer,
    commits: Commits,
    platter: Platter,
}

impl Writing {
    fn start(system: FileSystem, lies: bool) -> Self {
        let platter = Platter::new(system);
        let beside = platter.beside().join("writer");
        let prepared = Commits::prepare(&beside);
        let commits = Commits { dir: platter.path().join("validator"), ..prepared.clone() };
        // Made and synced long before, as keys and guard of a validator are.
        let copied = Command::new("cp").arg("-r").args([&prepared.dir, &commits.dir]).status();
        assert!(copied.is_ok_and(|status| status.success()), "cp is there");
        let synced = Command::new("sync").arg("-f").arg(&commits.dir).status();
        assert!(synced.is_ok_and(|status| status.success()), "sync is there");
        Self { neighbour: None, writer: Writer::start(&commits, lies), commits, platter }
    }

    /// Cuts the power at some moment of the next blocks, and looks at what is left: how many promises were kept, and the
    /// height; or what is wrong.
    fn cut(&mut self, seed: u64, cut: u64) -> Result<(u64, u64), String> {
        let mut random = Random::of(seed, cut);
        // A block's promises are about 1 KB; the instant lies anywhere in it.
        let at = self.commits.promised() + random.within(1..6_000);
        let writer = &mut self.writer;
        let commits = &self.commits;
        wait_for("more promises", MOST, || {
            assert!(writer.runs(), "the writer ended by itself");
            (commits.promised() >= at).then_some(())
        });
        std::thread::sleep(random.time(Duration::ZERO..Duration::from_millis(8)));
        // What was promised before the instant: read first.
        let promised = fs::read(&self.commits.promises).expect("promises can be read");
        self.platter.cut();
        // It goes on when this cut is judged: meanwhile it would write a hundred times what lies between two cuts, and all
        // of that is derived anew after each.
        self.writer.signal("STOP");

        let beside = self.platter.beside().to_owned();
        let (promises, words) = (beside.join("left"), beside.join("said"));
        let left = Commits { dir: self.platter.crashed().join("validator"), promises, words };
        let whole = promised.iter().rposition(|b| *b == b'\n').map_or(0, |end| end + 1);
        fs::write(&left.promises, &promised[..whole]).expect("written");
        let judged = left.judged();
        if let Ok(height) = judged {
            left.recover(height + AFTER);
        }
        self.platter.forget();
        self.writer.signal("CONT");
        judged.map(|height| (promised[..whole].iter().filter(|b| **b == b'\n').count() as u64, height))
    }
}

fn all_validators(run: &mut Run) {
    if let Err(why) = platter_available() {
        return run.skip(run.count, why);
    }
    let mut back = Vec::new();
    let mut receipts = 0;
    for (half, system) in [FileSystem::Ext4, FileSystem::Xfs].into_iter().enumerate() {
        let cuts = if half == 0 { run.count.div_ceil(2) } else { run.count / 2 };
        if cuts == 0 {
            continue;
        }
        let mut platter = Platter::new(system);
        let mut network = Network::make(&Setup::default());
        for node in &network.nodes {
            // The disk is smaller than the space that a node wants to be free.
            let (file, rule) = (node.dir.join("config.toml"), "free_bytes_min = ");
            let config = fs::read_to_string(&file).expect("a configuration");
            let lines =
                config.lines().map(|line| if line.starts_with(rule) { "free_bytes_min = 1048576" } else { line });
            fs::write(&file, lines.collect::<Vec<_>>().join("\n")).expect("written");
        }
        network.move_to(&platter.path().join("network"));
        let synced = Command::new("sync").arg("-f").arg(platter.path()).status();
        assert!(synced.is_ok_and(|status| status.success()), "sync is there");
        network.start_all();
        network.wait_ready();
        for cut in 0..cuts {
            let mut random = Random::of(run.seed, half as u64 * 1_000_000 + cut);
            let name = format!("cut {cut} of four validators on {system:?}");
            let again = run.attempt(&name, || {
                let load = network.load();
                network.wait_receipts(network.receipts() + random.within(20..200) as usize);
                network.cut_power(|| platter.cut());
                load.stop();
                platter.come_back();
                let began = Instant::now();
                network.start_all();
                network.wait_ready();
                network.wait_progress(2);
                began.elapsed()
            });
            match again {
                Some(again) => back.push(again),
                None => {
                    (0..4).for_each(|n| println!("--- log of node {n}\n{}", network.last_words(n)));
                    break;
                }
            }
        }
        run.attempt(&format!("the oracle after all cuts on {system:?}"), || network.check());
        receipts += network.receipts();
        drop(network);
    }
    run.metric("receipts", receipts);
    run.times("final-again", &mut back);
}
