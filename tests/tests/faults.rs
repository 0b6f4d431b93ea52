//! Validators die, all at once too, in the middle of a signature, lose their disks, come back from old backups, live
//! an hour off. Each test ends with the harness' oracle: no acknowledged receipt lost, no fork, no double signature,
//! no halt, and `testamur check` on every node.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use testamur_tests::harness::{Network, Setup, faulty_binary, request, wait_for};

/// What one round does to a running network under load.
#[derive(Debug, Clone, Copy)]
enum Fault {
    /// kill -9 one validator; it comes back while the others go on.
    KillOne(usize),
    /// kill -9 two: no quorum until one is back.
    KillTwo(usize, usize),
    /// kill -9 all at the same moment.
    KillAll,
    /// One dies right after its guard is on disk and before the signature leaves or the engine writes its log.
    DieBetweenGuardAndLog(usize, u64),
    /// All die there, each at its own signature.
    AllDieBetweenGuardAndLog,
    /// One is killed and comes back with an empty disk.
    EmptyDisk(usize),
    /// One is asked to stop, and starts again.
    Restart(usize),
}

const ROUNDS: [Fault; 20] = [
    Fault::KillOne(0),
    Fault::KillOne(1),
    Fault::KillOne(2),
    Fault::KillOne(3),
    Fault::KillAll,
    Fault::DieBetweenGuardAndLog(0, 4),
    Fault::DieBetweenGuardAndLog(1, 5),
    Fault::DieBetweenGuardAndLog(2, 6),
    Fault::DieBetweenGuardAndLog(3, 7),
    Fault::AllDieBetweenGuardAndLog,
    Fault::EmptyDisk(0),
    Fault::KillAll,
    Fault::EmptyDisk(3),
    Fault::KillTwo(0, 2),
    Fault::AllDieBetweenGuardAndLog,
    Fault::EmptyDisk(1),
    Fault::KillTwo(1, 3),
    Fault::Restart(2),
    Fault::KillAll,
    Fault::EmptyDisk(2),
];

#[test]
fn twenty_rounds_of_faults_lose_nothing() {
    let mut network = Network::make(&Setup::default());
    network.start_all();
    network.wait_ready();
    let load = network.load();
    for (round, fault) in ROUNDS.into_iter().enumerate() {
        let before = network.receipts();
        wait_receipts(&network, before + 20);
        println!("round {round}: {fault:?}, {} receipts so far", network.receipts());
        apply(&mut network, fault);
        // No halt: with everybody back, all move on, and all take part.
        network.wait_progress(2);
        network.wait_votes();
    }
    load.stop();
    network.check();
    assert!(network.receipts() >= 400, "there was load in every round");
}

fn apply(network: &mut Network, fault: Fault) {
    match fault {
        Fault::KillOne(node) => {
            network.kill(node);
            // One of four missing: final all the same.
            wait_receipts(network, network.receipts() + 20);
            network.start_node(node);
        }
        Fault::KillTwo(one, other) => {
            network.kill(one);
            network.kill(other);
            network.start_node(one);
            network.wait_progress(1);
            network.start_node(other);
        }
        Fault::KillAll => {
            network.kill_all();
            network.start_all();
        }
        Fault::DieBetweenGuardAndLog(node, signature) => {
            network.kill(node);
            network.start_node_as(node, &faulty_binary(), |command| die_at_signature(command, signature));
            wait_ended(network, &[node]);
            network.start_node(node);
        }
        Fault::AllDieBetweenGuardAndLog => {
            let all: Vec<_> = (0..network.nodes.len()).collect();
            network.kill_all();
            for node in &all {
                network.start_node_as(*node, &faulty_binary(), |command| die_at_signature(command, 3 + *node as u64));
            }
            // Who is left when two are gone has nobody to decide with, and may never sign again: it is killed.
            wait_for("two validators to die at their failpoints", Duration::from_secs(60), || {
                let ended = all.iter().filter(|node| network.has_ended(**node) || network.height(**node).is_none());
                (ended.count() >= 2).then_some(())
            });
            network.kill_all();
            network.start_all();
        }
        Fault::EmptyDisk(node) => {
            network.kill(node);
            network.wipe(node);
            network.start_node(node);
        }
        Fault::Restart(node) => {
            network.stop(node);
            network.start_node(node);
        }
    }
}

/// A validator restored from a copy of the whole machine, guard included, that is older than what it has signed since.
#[test]
fn a_validator_from_an_older_backup_signs_nothing_twice_and_votes_again() {
    let mut network = Network::start(&Setup::default());
    let load = network.load();
    wait_receipts(&network, 20);
    network.stop(1);
    let backup = network.back_up(1);
    network.start_node(1);
    // It signs a good while after the backup was made; whoever restores the backup does not know what.
    network.wait_progress(10);
    network.kill(1);
    let signed_before = network.signed(1);
    network.restore(1, &backup);
    network.start_node(1);
    network.wait_progress(5);
    network.wait_votes();
    load.stop();

    // It votes again: with another validator gone, its vote is needed for every block.
    network.kill(0);
    let load = network.load();
    wait_receipts(&network, network.receipts() + 20);
    load.stop();
    network.start_node(0);
    network.wait_ready();
    network.kill(1);
    let signed_since = network.signed(1);
    assert!(signed_since.len() > signed_before.len(), "it has signed again");
    // Slots that are in both files hold the same message: the harness compares at each look (`remember_signatures`).
    network.check();
}

/// libfaketime moves the wall clock of one validator's process by an hour, either way.
#[test]
fn a_clock_an_hour_off_neither_halts_the_chain_nor_skews_its_time() {
    let Some(library) = libfaketime() else {
        println!("skipped: libfaketime is not installed");
        return;
    };
    for offset in ["+3600s", "-3600s"] {
        let mut network = Network::make(&Setup::default());
        for node in 0..3 {
            network.start_node(node);
        }
        network.start_node_with(3, |command| {
            command.env("LD_PRELOAD", &library).env("FAKETIME", offset).env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        });
        let load = network.load();
        wait_receipts(&network, 60);
        network.wait_progress(12);
        load.stop();
        let tip = network.height(0).expect("node 0 answers");
        let mut last = 0;
        for height in 1..=tip {
            let block = network.get(0, &format!("/v1/blocks/{height}")).expect("an answer").json();
            let time = block["header"]["time"].as_u64().expect("a time");
            assert!(time >= last, "time never goes back");
            let skew = now().abs_diff(time);
            assert!(skew < 300, "{offset}: block {height} is {skew} s off");
            last = time;
        }
        network.kill(3);
        network.check();
    }
}

/// One validator's disk fills up to the last byte under load: it stops taking records or ends, the others go on, and
/// with space again it comes back and has lost nothing.
#[test]
fn a_full_disk_costs_one_validator_and_nothing_else() {
    let mut network = Network::make(&Setup::default());
    let data = network.nodes[3].dir.join("data");
    let Some(_disk) = SmallDisk::mount(&data) else {
        println!("skipped: no right to mount a file system");
        return;
    };
    let config = network.nodes[3].dir.join("config.toml");
    let text = std::fs::read_to_string(&config).expect("a configuration");
    let line = text.lines().find(|line| line.starts_with("free_bytes_min")).expect("it is there");
    std::fs::write(&config, text.replace(line, "free_bytes_min = 16777216")).expect("written");
    network.start_all();
    network.wait_ready();
    let load = network.load();
    wait_receipts(&network, 40);

    let filler = data.join("somebody-elses-file");
    fill(&filler);
    wait_for("node 3 to notice", Duration::from_secs(60), || {
        let told = request(network.nodes[3].admin, "GET", "/readyz", &[], &[]);
        let told = told.is_ok_and(|ready| ready.status == 503 && ready.text().contains("disk-low"));
        (told || network.has_ended(3)).then_some(())
    });
    // Final all the same, with three.
    wait_receipts(&network, network.receipts() + 100);
    std::fs::remove_file(&filler).expect("space again");
    if network.has_ended(3) || network.height(3).is_none() {
        network.kill(3);
    }
    network.start_node(3);
    network.wait_ready();
    network.wait_votes();
    load.stop();
    network.check();
}

/// A file system of 128 MiB in memory.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(place: &Path) -> Option<Self> {
        std::fs::create_dir_all(place).expect("a directory can be made");
        std::fs::set_permissions(place, std::fs::Permissions::from_mode(0o700)).expect("our own directory");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=128m,mode=0700", "tmpfs"])
            .arg(place)
            .stderr(Stdio::null())
            .status();
        mounted.is_ok_and(|status| status.success()).then(|| Self(place.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the network may still be on it when a test fails.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Writes a file until nothing fits any more.
fn fill(path: &Path) {
    let mut file = std::fs::File::create(path).expect("a file");
    let mut step = vec![0x5a; 1 << 20];
    while !step.is_empty() {
        if file.write(&step).map_or(true, |written| written < step.len()) {
            step.truncate(step.len() / 2);
        }
    }
}

/// The faulty build aborts after its Nth entry of the guard is on disk.
fn die_at_signature(command: &mut Command, number: u64) {
    command.env("FAILPOINTS", format!("consensus.after-guard-sync.abort={}*off->return", number - 1));
}

fn wait_receipts(network: &Network, count: usize) {
    wait_for(&format!("{count} receipts"), Duration::from_secs(60), || (network.receipts() >= count).then_some(()));
}

fn wait_ended(network: &mut Network, nodes: &[usize]) {
    for node in nodes {
        wait_for(&format!("node {node} to die at its failpoint"), Duration::from_secs(60), || {
            network.has_ended(*node).then_some(())
        });
    }
}

fn libfaketime() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").ok()?;
    folders.filter_map(Result::ok).map(|f| f.path().join("faketime/libfaketime.so.1")).find(|path| path.exists())
}

fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.expect("after 1970").as_secs()
}
