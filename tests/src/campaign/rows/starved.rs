//! R11: a machine that has too little: descriptors, memory, processor, or no time at all for a while.
//!
//! In every try one of four validators is starved under load; the others go on, nothing is lost, and it is back by itself
//! (or, where the system kills it, after its start).

use std::fs;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use super::lost::not_ready;
use crate::campaign::{Lane, Random, Row, Run};
use crate::harness::{Network, Setup, wait_for};

pub(super) const ROWS: &[Row] = &[
    Row { id: "R11", name: "no-descriptors", lane: Lane::Networks, ci: 10, release: 200, attack: no_descriptors },
    Row { id: "R11", name: "memory-kill", lane: Lane::Networks, ci: 10, release: 200, attack: memory_kill },
    Row { id: "R11", name: "paused", lane: Lane::Networks, ci: 10, release: 200, attack: paused },
    Row { id: "R11", name: "no-processor", lane: Lane::Networks, ci: 10, release: 200, attack: no_processor },
];

const MOST: Duration = Duration::from_secs(60);
/// Receipts that the others hand out while one is starved.
const MEANWHILE: usize = 40;
/// Pauses longer than this must be seen in the first answer after it: three heartbeats of a second without a block.
const MARKED: Duration = Duration::from_secs(5);

/// One network for all tries of a line.
fn tries(run: &mut Run, mut attempt: impl FnMut(&mut Network, usize, &mut Random)) {
    let Some(mut network) = run.step("a network", || Network::start(&Setup::default())) else { return };
    let load = network.load();
    let (seed, count) = (run.seed, run.count);
    let mut back = Vec::new();
    for number in 0..count {
        let done = run.attempt(&format!("try {}", number + 1), || {
            let mut random = Random::of(seed, number);
            let node = random.index(network.nodes.len());
            network.wait_receipts(network.receipts() + MEANWHILE);
            attempt(&mut network, node, &mut random);
            let began = Instant::now();
            network.wait_ready();
            network.wait_votes();
            back.push(began.elapsed());
        });
        if done.is_none() {
            break;
        }
    }
    load.stop();
    run.step("the oracle", || network.check());
    run.times("back", &mut back);
}

/// The limit falls to what is open now, and strangers open connections: the node cannot even accept. It refuses, or ends
/// and says why; when there are descriptors again it is as before.
fn no_descriptors(run: &mut Run) {
    let mut ended = 0;
    tries(run, |network, node, _| {
        let pid = network.pid(node).expect("it runs");
        let open = fs::read_dir(format!("/proc/{pid}/fd")).expect("our own process").count();
        let before = soft_limit(pid);
        limit(pid, &open.to_string());
        let strangers: Vec<_> = (0..64).filter_map(|_| TcpStream::connect(network.nodes[node].api).ok()).collect();
        network.wait_receipts(network.receipts() + MEANWHILE);
        // A failed write is fatal, and the process ends when its requests have: it is waited for.
        let dies = network.last_words(node).contains("fatal: this node stops now");
        if dies {
            wait_for("the node to end", MOST, || network.has_ended(node).then_some(()));
        }
        if dies || network.has_ended(node) {
            // No descriptor for the ledger is as fatal as a failed read; it must have said so.
            let words = network.last_words(node);
            assert!(words.contains("Too many open files") || words.contains("os error 24"), "it ended with:\n{words}");
            ended += 1;
            drop(strangers);
            network.start_node(node);
        } else {
            limit(pid, &before);
            drop(strangers);
        }
    });
    run.metric("ended", ended);
}

/// How many descriptors the process may have open now.
fn soft_limit(pid: u32) -> String {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).expect("our own process");
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).expect("every process has one");
    line.split_whitespace().next().expect("soft, then hard").to_owned()
}

/// Changes the soft limit only: that needs no right.
fn limit(pid: u32, limit: &str) {
    let set = Command::new("prlimit").args(["--pid", &pid.to_string(), &format!("--nofile={limit}:")]).status();
    assert!(set.is_ok_and(|status| status.success()), "prlimit is there");
}

/// The kernel's out-of-memory killer, within a control group of the node's own.
fn memory_kill(run: &mut Run) {
    let Some(_) = Group::make("memory", "probe") else {
        return run.skip(run.count, "no right to make a control group for memory");
    };
    tries(run, |network, node, random| {
        let group = Group::make("memory", &format!("oom-{}", network.base_port())).expect("it could be made before");
        let pid = network.pid(node).expect("it runs");
        // What it has is not counted, what it takes from now on is.
        group.set("memory.limit_in_bytes", &(1 + random.below(4)).saturating_mul(1 << 20).to_string());
        group.enter(pid);
        wait_for("the kernel to kill it", MOST, || network.has_ended(node).then_some(()));
        network.wait_receipts(network.receipts() + MEANWHILE);
        network.start_node(node);
    });
}

/// The process stops for a while and goes on (a virtual machine that is moved). What it answers then is from before the
/// pause: `/readyz` must say so, or it must have caught up.
fn paused(run: &mut Run) {
    let long = run.count > 50;
    let mut stale = 0;
    tries(run, |network, node, random| {
        let most = if long && random.chance(10) { 60 } else { 8 };
        let pause = random.time(Duration::from_secs(1)..Duration::from_secs(most));
        network.signal(node, "STOP");
        std::thread::sleep(pause);
        let others = (0..network.nodes.len()).filter(|other| *other != node);
        let highest = others.filter_map(|other| network.height(other)).max().expect("the others answer");
        network.signal(node, "CONT");
        if pause > MARKED {
            let reasons = wait_for("an answer after the pause", MOST, || {
                crate::harness::request(network.nodes[node].admin, "GET", "/readyz", &[], &[]).ok()
            });
            // Asked after readiness: it can only be greater.
            let height = wait_for("its height", MOST, || network.height(node));
            assert!(
                reasons.status == 503 || height + 1 >= highest,
                "after {pause:?} node {node} is ready at {height}, the others were at {highest} before it woke"
            );
            stale += u64::from(reasons.status == 503);
        }
    });
    run.metric("marked-stale", stale);
}

/// A hundredth of a processor.
fn no_processor(run: &mut Run) {
    let Some(_) = Group::make("cpu", "probe") else {
        return run.skip(run.count, "no right to make a control group for the processor");
    };
    let mut red = 0;
    tries(run, |network, node, random| {
        let group = Group::make("cpu", &format!("cpu-{}", network.base_port())).expect("it could be made before");
        group.set("cpu.cfs_period_us", "100000");
        group.set("cpu.cfs_quota_us", "1000");
        group.enter(network.pid(node).expect("it runs"));
        let until = Instant::now() + random.time(Duration::from_secs(1)..Duration::from_secs(5));
        network.wait_receipts(network.receipts() + MEANWHILE);
        while Instant::now() < until {
            red += u64::from(!not_ready(network, node).is_empty());
            std::thread::sleep(Duration::from_millis(200));
        }
        drop(group);
    });
    run.metric("seen-red", red);
}

/// A control group (version 1); who is in it when it is dropped goes back to the root's.
struct Group {
    path: PathBuf,
    root: PathBuf,
}

impl Group {
    fn make(controller: &str, name: &str) -> Option<Self> {
        let root = PathBuf::from("/sys/fs/cgroup").join(controller);
        let path = root.join(format!("testamur-{name}-{}", std::process::id()));
        fs::create_dir(&path).ok()?;
        let group = Self { path, root };
        // A place that is no control group has no such file.
        group.path.join("cgroup.procs").exists().then_some(group)
    }

    fn set(&self, file: &str, value: &str) {
        fs::write(self.path.join(file), value).unwrap_or_else(|error| panic!("{file}: {error}"));
    }

    fn enter(&self, pid: u32) {
        self.set("cgroup.procs", &pid.to_string());
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for pid in fs::read_to_string(self.path.join("cgroup.procs")).unwrap_or_default().lines() {
            // It may just have ended.
            let _ = fs::write(self.root.join("cgroup.procs"), pid);
        }
        let _ = fs::remove_dir(&self.path);
    }
}
