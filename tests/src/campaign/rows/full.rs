//! R10: a disk fills up. Records are refused in time, what is there is still read, and nothing is lost.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::campaign::{Lane, Row, Run};
use crate::harness::{Network, Pace, Setup, faulty_binary, new_record, request, testamur, wait_for};

pub(super) const ROWS: &[Row] =
    &[Row { id: "R10", name: "disk-full", lane: Lane::Networks, ci: 5, release: 100, attack: disk_full }];

/// The disk that fills, in MiB: a database keeps some of it for logs of its own.
const DISK_MIB: u64 = 192;
/// `storage.free_bytes_min` of its node: what is accepted is written long before this is used up.
const RESERVE: u64 = 16 << 20;
/// Longest time to anything that the other three do meanwhile.
const MOST: Duration = Duration::from_secs(60);

fn disk_full(run: &mut Run) {
    let mut network = Network::make(&Setup::default());
    let Some(_disk) = SmallDisk::mount(&network.nodes[3].dir.join("data"), DISK_MIB) else {
        return run.skip(run.count, "no right to mount a file system");
    };
    reserve(&network, 3);
    network.start_all();
    network.wait_ready();
    let load = network.load_at(Pace { writers: 16, per_second: 80 });
    network.wait_receipts(60);
    let (mut refusals, mut resumed) = (Vec::new(), Vec::new());
    for cycle in 0..run.count {
        run.attempt(&format!("cycle {cycle}: less than the reserve left"), || {
            let (refused, back) = low(&mut network);
            refusals.push(refused);
            resumed.push(back);
        });
        if cycle % 5 == 0 {
            run.attempt(&format!("cycle {cycle}: no byte left"), || to_the_last_byte(&mut network));
        }
        if cycle % 5 == 1 {
            run.attempt(&format!("cycle {cycle}: no file may grow"), || no_file_may_grow(&mut network));
        }
    }
    run.attempt("join, backup and restore", || others(&network));
    load.stop();
    network.check();
    run.times("refused", &mut refusals);
    run.times("resumed", &mut resumed);
}

/// Gives a node a smaller reserve than a real disk's.
pub(super) fn reserve(network: &Network, node: usize) {
    let config = network.nodes[node].dir.join("config.toml");
    let text = fs::read_to_string(&config).expect("a configuration");
    let line = text.lines().find(|line| line.starts_with("free_bytes_min")).expect("it is there");
    fs::write(&config, text.replace(line, &format!("free_bytes_min = {RESERVE}"))).expect("written");
}

/// What a node answers to a new record, without waiting for finality.
fn submit(network: &Network, node: usize) -> Option<u16> {
    let record = new_record(network.trust.genesis(), &network.author);
    let headers = [("content-type", "application/jose")];
    let answer = request(network.nodes[node].api, "POST", "/v1/records", &headers, record.as_bytes());
    answer.ok().map(|answer| answer.status)
}

/// Fills the disk of node 3 up to its reserve, and returns how long records were still taken. `None`: for ten seconds.
pub(super) fn fill_to_the_reserve(network: &Network) -> (PathBuf, Option<Duration>) {
    let data = network.nodes[3].dir.join("data");
    let filler = data.join("somebody-elses-file");
    fill(&filler, &data, RESERVE - (1 << 20));
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(10) {
        match submit(network, 3) {
            Some(503 | 507) => return (filler, Some(began.elapsed())),
            Some(200..=299) => std::thread::sleep(Duration::from_millis(20)),
            other => panic!("a record is answered with {other:?}"),
        }
    }
    (filler, None)
}

/// Less than the reserve is left: refused within a second, read as before, and taken again when there is room; the process
/// stays the same. How long until each.
fn low(network: &mut Network) -> (Duration, Duration) {
    let (filler, refused) = fill_to_the_reserve(network);
    let refused = refused.expect("records are refused");
    let told = request(network.nodes[3].admin, "GET", "/readyz", &[], &[]).expect("an answer");
    assert!(told.status == 503 && told.text().contains("disk-low"), "readyz says why: {}", told.text());
    let asked = Instant::now();
    assert!(matches!(submit(network, 3), Some(503 | 507)), "and refused again");
    assert!(asked.elapsed() < Duration::from_secs(1), "a refusal takes {:?}", asked.elapsed());
    for target in ["/v1/status", "/v1/blocks/1", "/log/checkpoint"] {
        let read = network.get(3, target).unwrap_or_else(|| panic!("{target} is not answered"));
        assert_eq!(read.status, 200, "{target} is still served");
    }
    // It goes on with the others: what they decide is still written.
    network.wait_receipts(network.receipts() + 20);
    network.wait_progress(1);
    let began = Instant::now();
    fs::remove_file(filler).expect("room again");
    wait_for("node 3 to take records again", MOST, || matches!(submit(network, 3), Some(200..=299)).then_some(()));
    let back = began.elapsed();
    assert!(!network.has_ended(3), "without a restart");
    network.wait_ready();
    (refused, back)
}

/// Somebody else fills the disk up to the last byte: the node refuses or ends, the others go on, and it comes back.
fn to_the_last_byte(network: &mut Network) {
    let data = network.nodes[3].dir.join("data");
    let filler = data.join("somebody-elses-file");
    fill(&filler, &data, 0);
    wait_for("node 3 to notice", MOST, || {
        let refuses = matches!(submit(network, 3), Some(503 | 507));
        (refuses || network.has_ended(3)).then_some(())
    });
    network.wait_receipts(network.receipts() + 60);
    fs::remove_file(&filler).expect("room again");
    back_again(network);
}

/// A limit on the size of files: writing ends the process or fails, and neither loses anything.
fn no_file_may_grow(network: &mut Network) {
    let config = network.nodes[3].dir.join("config.toml");
    let processes = fs::read_dir("/proc").expect("/proc").filter_map(Result::ok).map(|entry| entry.path());
    let line = config.as_os_str().as_encoded_bytes();
    let of_node = |path: &PathBuf| {
        fs::read(path.join("cmdline")).is_ok_and(|words| words.split(|byte| *byte == 0).any(|word| word == line))
    };
    let process = processes.into_iter().find(of_node).expect("node 3 runs");
    let id = process.file_name().expect("a number").to_string_lossy().into_owned();
    let limited = Command::new("prlimit").args(["--fsize=4096:4096", "--pid", &id]).status();
    assert!(limited.is_ok_and(|status| status.success()), "prlimit is there");
    wait_for("node 3 to end", MOST, || network.has_ended(3).then_some(()));
    network.wait_receipts(network.receipts() + 60);
    back_again(network);
}

/// Node 3 is ready and votes, restarted if it had ended.
fn back_again(network: &mut Network) {
    std::thread::sleep(Duration::from_millis(200));
    if network.has_ended(3) || network.height(3).is_none() {
        network.kill(3);
    }
    network.start_node(3);
    network.wait_ready();
    network.wait_votes();
}

/// Join, backup and restore onto a full disk say so and leave nothing that looks like a ledger.
fn others(network: &Network) {
    let place = network.folder().join("small");
    let Some(_disk) = SmallDisk::mount(&place, 1) else { panic!("it could be mounted before") };
    let text = |path: PathBuf| path.display().to_string();
    let trust = text(network.root().join("trust.json"));
    let backup = text(network.folder().join("backup"));
    let config = text(network.nodes[0].dir.join("config.toml"));
    network.told(&["backup", &backup, "--config", &config]);
    let (url, full) = (network.url(0), |name: &str| text(place.join(name)));
    let (joined, backed_up, restored) = (full("joined"), full("backup"), full("restored"));
    let commands: [&[&str]; 3] = [
        &["join", "--trust", &trust, "--node", &url, "--data", &joined],
        &["backup", &backed_up, "--config", &config],
        &["restore", &backup, "--trust", &trust, "--data", &restored],
    ];
    for (command, made) in commands.into_iter().zip([&joined, &backed_up, &restored]) {
        let output = testamur(network.folder()).args(command).output().expect("the binary runs");
        let said = String::from_utf8_lossy(&output.stderr).to_lowercase();
        assert!(!output.status.success(), "{command:?} has room");
        let why = ["space", "disk", "storage"].iter().any(|word| said.contains(word));
        assert!(why, "{command:?} does not say that the disk is full: {said}");
        assert!(!Path::new(made).exists(), "{command:?} leaves {made}");
    }
}

/// A file system in memory, of some MiB.
pub(super) struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Whether there is the right to mount one.
    pub(super) fn may_be_mounted() -> bool {
        let folder = tempfile::tempdir().expect("a directory");
        Self::mount(folder.path(), 1).is_some()
    }

    /// Mounts one at `place`; none without the right to.
    pub(super) fn mount(place: &Path, mib: u64) -> Option<Self> {
        fs::create_dir_all(place).expect("a directory can be made");
        fs::set_permissions(place, fs::Permissions::from_mode(0o700)).expect("our own directory");
        let size = format!("size={mib}m,mode=0700");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(place).stderr(Stdio::null()).status();
        mounted.is_ok_and(|status| status.success()).then(|| Self(place.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the network may still be on it when a try fails.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Writes a file until no more than `left` bytes are free.
fn fill(path: &Path, disk: &Path, left: u64) {
    let mut file = File::create(path).expect("a file");
    let mut step = vec![0x5a; 1 << 20];
    while !step.is_empty() && (left == 0 || free(disk) > left) {
        if file.write(&step).map_or(true, |written| written < step.len()) {
            step.truncate(step.len() / 2);
        }
    }
}

/// Free bytes of the file system at a place.
fn free(place: &Path) -> u64 {
    let told = Command::new("df").args(["--output=avail", "-B1"]).arg(place).output().expect("df is there");
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    told.lines().nth(1).and_then(|line| line.trim().parse().ok()).expect("a number of bytes")
}

/// Starts node 3 by the faulty build, which never says that its disk runs low. For the row of incidents.
pub(super) fn start_without_reserve(network: &mut Network) {
    network.start_node_as(3, &faulty_binary(), |command| {
        command.env("FAILPOINTS", "node.disk-low.ignore=return");
    });
}
