//! R1, R12: validators die and come back.

use std::time::{Duration, Instant};

use crate::campaign::{Lane, Row, Run};
use crate::harness::{Network, Setup};

pub(super) const ROWS: &[Row] = &[
    Row { id: "R1", name: "kill-one-under-load", lane: Lane::Networks, ci: 50, release: 1_000, attack: kill_one },
    Row { id: "R12", name: "kill-all-at-once", lane: Lane::Networks, ci: 20, release: 100, attack: kill_all },
];

fn kill_one(run: &mut Run) {
    let mut network = Network::start(&Setup::default());
    let load = network.load();
    let mut back = Vec::new();
    for cycle in 0..run.count {
        let node = ((run.seed + cycle) % 4) as usize;
        let before = network.receipts();
        network.kill(node);
        network.wait_receipts(before + 20);
        let began = Instant::now();
        network.start_node(node);
        network.wait_ready();
        back.push(began.elapsed());
        run.good(1);
    }
    load.stop();
    network.check();
    run.metric("receipts", network.receipts());
    run.metric("lost", 0);
    run.metric("double-signed", 0);
    run.times("ready", &mut back);
}

fn kill_all(run: &mut Run) {
    let mut network = Network::start(&Setup::default());
    let load = network.load();
    let mut back: Vec<Duration> = Vec::new();
    for _ in 0..run.count {
        let before = network.receipts();
        network.kill_all();
        let began = Instant::now();
        network.start_all();
        network.wait_receipts(before + 10);
        back.push(began.elapsed());
        run.good(1);
    }
    load.stop();
    network.check();
    run.metric("receipts", network.receipts());
    run.metric("lost", 0);
    run.times("final-again", &mut back);
}
