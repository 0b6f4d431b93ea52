//! R8, R9: disks that are gone, copies from the past, and copies that run beside the original.

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::campaign::{Lane, Random, Row, Run};
use crate::harness::{Client, Network, Pace, Setup, new_record, request, signed_slots, wait_for};

pub(super) const ROWS: &[Row] = &[
    Row { id: "R8", name: "one-disk-of-four", lane: Lane::Networks, ci: 1, release: 10, attack: one_disk },
    Row { id: "R8", name: "two-disks-of-four", lane: Lane::Networks, ci: 1, release: 20, attack: two_disks },
    Row { id: "R9", name: "old-backups", lane: Lane::Networks, ci: 20, release: 200, attack: old_backups },
    Row { id: "R9", name: "one-key-twice", lane: Lane::Networks, ci: 2, release: 20, attack: one_key_twice },
];

/// Records in the ledger that a new disk has to catch up with, and how long they may take to be written here: a busy
/// machine catches up with what it has got, and says how much.
const RECORDS: u64 = 100_000;
const FILL_MAX: Duration = Duration::from_secs(75);
/// How long anything may take.
const MOST: Duration = Duration::from_secs(120);

/// R8: a validator's disk is new. It is back in time, and has signed nothing before it had caught up.
fn one_disk(run: &mut Run) {
    let mut rejoin = Vec::new();
    let mut records = 0;
    for number in 0..run.count {
        run.attempt(&format!("try {}", number + 1), || {
            let mut random = Random::of(run_seed(number), 8);
            let mut network = Network::start(&Setup::default());
            fill(&network);
            records = size(&network, 0);
            let node = random.index(network.nodes.len());
            network.kill(node);
            network.wipe(node);
            let highest = highest(&network);
            let began = Instant::now();
            network.start_node(node);
            wait_for("the new disk to catch up", MOST, || network.height(node).filter(|height| *height >= highest));
            network.wait_ready();
            rejoin.push(began.elapsed());
            network.wait_votes();
            let first = signed_slots(&network.nodes[node].dir.join("guard/guard.log")).into_keys().next();
            let (height, _, _) = first.expect("it votes");
            assert!(height > highest, "it signed at {height}, and the network stood at {highest} when it came back");
            network.check();
        });
    }
    run.metric("records", records);
    run.times("rejoin", &mut rejoin);
}

/// R8: with two of four disks gone nobody may sign for the lost guards, so the network stops, says so, and resumes by the
/// procedure of genesis/README.md ("When too many guards are lost").
fn two_disks(run: &mut Run) {
    let mut resumed = Vec::new();
    for number in 0..run.count {
        run.attempt(&format!("try {}", number + 1), || {
            let mut random = Random::of(run_seed(number), 88);
            let mut network = Network::start(&Setup::default());
            let load = network.load();
            network.wait_receipts(300);
            let mut order: Vec<_> = (0..4).collect();
            random.shuffle(&mut order);
            let (lost, whole) = order.split_at(2);
            for node in lost {
                network.kill(*node);
                network.wipe(*node);
            }
            lost.iter().for_each(|node| network.start_node(*node));
            // It stops, and says why: every node is red, and names what is missing.
            wait_for("every node to say that there is no block", MOST, || {
                order
                    .iter()
                    .all(|node| not_ready(&network, *node).iter().any(|code| code == "no-block" || code == "stalled"))
                    .then_some(())
            });
            let stopped = highest(&network);
            std::thread::sleep(Duration::from_secs(3));
            assert_eq!(highest(&network), stopped, "two of four decided a block");
            load.stop();

            // The procedure: all at the survivors' height; then just as many of the lost ones as a quorum needs *beside all
            // survivors* sign again on their operator's word. The other one settles by itself.
            network.wait_height(stopped);
            network.stop(lost[0]);
            network.forget_signatures(lost[0]);
            network.double_signatures_expected = true;
            let began = Instant::now();
            network.start_node_with(lost[0], |command| {
                command.arg("--trust-lost-guard");
            });
            wait_for("blocks again", MOST, || (highest(&network) > stopped).then_some(()));
            resumed.push(began.elapsed());
            // Nobody vouches for the second one.
            network.wait_votes();
            network.kill(whole[0]);
            network.wait_progress(2);
            network.start_node(whole[0]);
            network.check();
        });
    }
    run.times("resumed", &mut resumed);
}

/// R9: a validator is put back to a copy of its machine from the past: all of it, its guard alone, or its ledger alone.
fn old_backups(run: &mut Run) {
    let Some(mut network) = run.step("a network", || Network::start(&Setup::default())) else { return };
    let load = network.load();
    let (seed, count) = (run.seed, run.count);
    let mut back = Vec::new();
    for number in 0..count {
        let done = run.attempt(&format!("try {}", number + 1), || {
            let mut random = Random::of(seed, number);
            let node = random.index(4);
            network.stop(node);
            let backup = network.back_up(node);
            network.start_node(node);
            // It signs a good while after the backup was made; who restores it does not know what.
            network.wait_votes();
            network.wait_progress(1 + random.below(4));
            network.kill(node);
            let parts: &[&str] = match random.below(4) {
                0 => &["guard"],
                1 => &["data"],
                2 => &["guard", "wal"],
                _ => &["data", "guard", "wal"],
            };
            network.restore_parts(node, &backup, parts);
            let began = Instant::now();
            network.start_node(node);
            network.wait_ready();
            network.wait_votes();
            back.push(began.elapsed());
            // What it has signed since is compared with all that it signed before, slot by slot, when it is stopped next
            // (`remember_signatures`).
        });
        if done.is_none() {
            break;
        }
    }
    load.stop();
    run.step("the oracle", || network.check());
    run.times("votes-again", &mut back);
}

/// R9: a copy of a validator runs beside it. Each has its own guard and knows nothing of the other; the others name it.
fn one_key_twice(run: &mut Run) {
    let (mut found, mut heights) = (Vec::new(), 0);
    for number in 0..run.count {
        run.attempt(&format!("try {}", number + 1), || {
            // Heartbeats as in a real network that is idle: two heights are twenty seconds.
            let mut network = Network::start(&Setup { heartbeat_s: 10, ..Setup::default() });
            let twin = twin_of(&mut network, 3);
            network.dishonest.extend([3, twin]);
            let before = network.height(0).expect("an answer");
            let began = Instant::now();
            network.start_node(twin);
            let named = wait_for("the others to name the key that is used twice", MOST, || {
                (0..3).find(|node| metric(&network, *node, "testamur_consensus_duplicate_keys_total") > 0.0)
            });
            found.push(began.elapsed());
            heights = heights.max(network.height(0).expect("an answer") - before);
            let words = fs::read_to_string(network.nodes[named].dir.join("log")).expect("a log");
            assert!(words.contains("TWO processes run with this validator's keys"), "node {named} tells its operator");
            network.kill(twin);
            network.kill(3);
            network.check();
        });
    }
    run.metric("heights-until-named", heights);
    run.times("named", &mut found);
    if heights > 2 {
        run.bad("a key that is used twice was named after more than two heights");
    }
}

/// The same tries for the same number, whatever the run's seed: these have few tries.
fn run_seed(number: u64) -> u64 {
    0x7e57 + number
}

fn highest(network: &Network) -> u64 {
    (0..network.nodes.len()).filter_map(|node| network.height(node)).max().expect("a node answers")
}

fn size(network: &Network, node: usize) -> u64 {
    network.get(node, "/v1/status").and_then(|status| status.json()["log_size"].as_u64()).expect("an answer")
}

/// Codes of `/readyz`.
pub(super) fn not_ready(network: &Network, node: usize) -> Vec<String> {
    let Ok(answer) = request(network.nodes[node].admin, "GET", "/readyz", &[], &[]) else { return Vec::new() };
    let reasons = answer.json()["reasons"].as_array().cloned().unwrap_or_default();
    reasons.iter().filter_map(|reason| Some(reason["code"].as_str()?.to_owned())).collect()
}

fn metric(network: &Network, node: usize, name: &str) -> f64 {
    let Ok(answer) = request(network.nodes[node].admin, "GET", "/metrics", &[], &[]) else { return 0.0 };
    let text = answer.text();
    let values: BTreeMap<_, _> = text.lines().filter_map(|line| line.rsplit_once(' ')).collect();
    values.get(name).and_then(|value| value.parse().ok()).unwrap_or(0.0)
}

/// Writes records as fast as the network takes them, without waiting for each to be final.
fn fill(network: &Network) {
    let stop = AtomicBool::new(false);
    let sent = AtomicU64::new(0);
    let load = network.load_at(Pace { writers: 16, per_second: 100 });
    let began = Instant::now();
    std::thread::scope(|scope| {
        for node in &network.nodes {
            for _ in 0..3 {
                let (stop, sent, trust, api) = (&stop, &sent, &network.trust, node.api);
                let testamur_primitives::key::SigningKey::Ed25519(key) = &network.author else {
                    panic!("the harness writes with Ed25519")
                };
                scope.spawn(move || {
                    let author = testamur_primitives::key::SigningKey::Ed25519(key.clone());
                    let mut client = Client::new(api);
                    while !stop.load(Ordering::Relaxed) {
                        let record = new_record(trust.genesis(), &author);
                        let headers = [("content-type", "application/jose")];
                        let answer = client.request("POST", "/v1/records", &headers, record.as_bytes());
                        match answer {
                            Ok(answer) if answer.status == 202 => drop(sent.fetch_add(1, Ordering::Relaxed)),
                            // The pool is full: the network is at its limit.
                            _ => std::thread::sleep(Duration::from_millis(50)),
                        }
                    }
                });
            }
        }
        while sent.load(Ordering::Relaxed) < RECORDS && began.elapsed() < FILL_MAX {
            std::thread::sleep(Duration::from_millis(50));
        }
        stop.store(true, Ordering::Relaxed);
    });
    load.stop();
    // All that was queued is written before anything is measured.
    wait_for("the pools to be empty", MOST, || {
        let left = |node: usize| network.get(node, "/v1/status").and_then(|s| s.json()["pool_records"].as_u64());
        (0..network.nodes.len()).all(|node| left(node) == Some(0)).then_some(())
    });
}

/// A copy of a stopped and started validator's whole machine, on ports of its own; its number.
fn twin_of(network: &mut Network, node: usize) -> usize {
    network.stop(node);
    let place = network.root().join(format!("node-{}", network.nodes.len()));
    fs::rename(network.back_up(node), &place).expect("one file system");
    network.start_node(node);
    let twin = network.nodes.len();
    let path = place.join("config.toml");
    let mut text = fs::read_to_string(&path).expect("a configuration");
    for (old, new) in network.ports(node).into_iter().zip(network.ports(twin)) {
        let (old, new) = (format!("listen = \"{old}\""), format!("listen = \"{new}\""));
        assert!(text.contains(&old), "{old} in {}", path.display());
        text = text.replace(&old, &new);
    }
    fs::write(&path, text).expect("written");
    assert_eq!(network.adopt(place), twin);
    network.wait_ready();
    twin
}
