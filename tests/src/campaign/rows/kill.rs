//! R1, R12: validators die at any moment, one, some or all, and come back without anybody's help.
//!
//! "Lost" is decided by the oracle at the end of each network: an answer that a record is final, or a receipt, that is not
//! on every node. A record that was sent and never answered may have become final or not.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::campaign::{Lane, Random, Row, Run};
use crate::harness::{Load, Network, Setup, faulty_binary, wait_for};

pub(super) const ROWS: &[Row] = &[
    Row { id: "R1", name: "kill-one-under-load", lane: Lane::Networks, ci: 50, release: 1_000, attack: kill_one },
    Row { id: "R12", name: "kill-all-or-many", lane: Lane::Networks, ci: 20, release: 100, attack: kill_many },
];

/// Cycles of one network: what it acknowledges meanwhile must fit into memory for the oracle.
const CYCLES: u64 = 50;
/// Who comes back must be ready in this time (R1), and the network must go on in this (R12).
const READY: Duration = Duration::from_secs(60);

/// A network under load for at most [`CYCLES`] tries, and what all of them got.
struct Under {
    network: Network,
    load: Option<Load>,
    began: Instant,
}

/// What all networks of a row have seen.
#[derive(Default)]
struct Sum {
    finals: usize,
    checkpoints: usize,
    proofs: usize,
    loaded: Duration,
}

impl Under {
    fn start() -> Self {
        let network = Network::start(&Setup::default());
        let load = Some(network.load());
        Self { network, load, began: Instant::now() }
    }

    /// Ends the load and asks the oracle.
    fn end(mut self, run: &mut Run, sum: &mut Sum) {
        sum.loaded += self.began.elapsed();
        if let Some(load) = self.load.take() {
            load.stop();
        }
        if let Some(found) = run.step("the oracle", || self.network.check()) {
            sum.finals += found.finals;
            sum.checkpoints += found.checkpoints;
            sum.proofs += found.proofs;
        }
    }
}

impl Sum {
    fn tell(&self, run: &mut Run) {
        run.metric("final-records", self.finals);
        run.metric("records-per-s", (self.finals as f64 / self.loaded.as_secs_f64().max(1.0)).round());
        run.metric("checkpoints", self.checkpoints);
        run.metric("proofs", self.proofs);
    }
}

/// One network for every [`CYCLES`] tries; a try that panics ends its network.
fn over_networks(run: &mut Run, mut attempt: impl FnMut(&mut Network, &mut Random, u64) -> Duration) -> Vec<Duration> {
    let mut times = Vec::new();
    let mut sum = Sum::default();
    let mut done = 0;
    while done < run.count {
        let Some(mut under) = run.step("a network", Under::start) else { return times };
        let end = (done + CYCLES).min(run.count);
        while done < end {
            let mut random = Random::of(run.seed, done);
            done += 1;
            match run.attempt(&format!("try {done}"), || attempt(&mut under.network, &mut random, done)) {
                Some(time) => times.push(time),
                None => break,
            }
        }
        under.end(run, &mut sum);
    }
    sum.tell(run);
    times
}

/// R1: kill -9 of one; the others go on; it is back and ready by itself.
fn kill_one(run: &mut Run) {
    let mut ready = over_networks(run, |network, random, _| {
        let node = random.index(network.nodes.len());
        // At any moment of the blocks that are being made.
        std::thread::sleep(random.time(Duration::ZERO..Duration::from_millis(400)));
        network.kill(node);
        network.wait_receipts(network.receipts() + 100);
        let began = Instant::now();
        network.start_node(node);
        network.wait_ready();
        let ready = began.elapsed();
        assert!(ready < READY, "it took {ready:?}");
        // Not only ready: it votes again, so that the next may die.
        network.wait_votes();
        ready
    });
    run.times("ready", &mut ready);
}

/// R12: all or several at once, in turn, in the middle of a signature; how long until records are final again.
fn kill_many(run: &mut Run) {
    let faulty = faulty_binary();
    let mut again = over_networks(run, |network, random, number| {
        network.wait_receipts(network.receipts() + 50);
        std::thread::sleep(random.time(Duration::ZERO..Duration::from_millis(400)));
        let before = network.receipts();
        let began = match number % 6 {
            0 => all_at_once(network),
            1 => all_in_turn(network, random),
            2 => two_or_three(network, random),
            3 => all_at_their_signatures(network, random, &faulty),
            4 => one_at_its_signature(network, random, &faulty),
            _ => one_after_the_other(network, random),
        };
        network.wait_receipts(before + 50);
        let again = began.elapsed();
        network.wait_ready();
        network.wait_votes();
        again
    });
    run.times("final-again", &mut again);
}

/// Sovrin 2018: everybody is gone, and nobody remembers the round.
fn all_at_once(network: &mut Network) -> Instant {
    network.kill_all();
    let began = Instant::now();
    network.start_all();
    began
}

/// Each dies while those before it are still starting: for a while there is no quorum, of changing members.
fn all_in_turn(network: &mut Network, random: &mut Random) -> Instant {
    let mut order: Vec<_> = (0..network.nodes.len()).collect();
    random.shuffle(&mut order);
    let began = Instant::now();
    for node in order {
        network.kill(node);
        std::thread::sleep(random.time(Duration::ZERO..Duration::from_millis(250)));
        network.start_node(node);
    }
    began
}

/// No quorum, and those that stay keep their round's votes in memory; they come back one by one.
fn two_or_three(network: &mut Network, random: &mut Random) -> Instant {
    let mut order: Vec<_> = (0..network.nodes.len()).collect();
    random.shuffle(&mut order);
    order.truncate(2 + random.index(2));
    order.iter().for_each(|node| network.kill(*node));
    std::thread::sleep(random.time(Duration::ZERO..Duration::from_millis(1_500)));
    let began = Instant::now();
    for node in order {
        network.start_node(node);
        std::thread::sleep(random.time(Duration::ZERO..Duration::from_millis(500)));
    }
    began
}

/// Malachite #850, #864: every validator dies right after its guard is on disk, before the signature leaves and before the
/// engine writes its own log.
fn all_at_their_signatures(network: &mut Network, random: &mut Random, faulty: &Path) -> Instant {
    network.kill_all();
    for node in 0..network.nodes.len() {
        let signatures = 2 + random.below(5);
        network.start_node_as(node, faulty, |command| {
            command.env("FAILPOINTS", format!("consensus.after-guard-sync.abort={signatures}*off->return"));
        });
    }
    // Who is left when two are gone has nobody to decide with, and may never sign again: it is killed.
    wait_for("two validators to die at their signatures", READY, || {
        let ended = (0..network.nodes.len()).filter(|node| network.has_ended(*node) || network.height(*node).is_none());
        (ended.count() >= 2).then_some(())
    });
    all_at_once(network)
}

/// As all at their signatures, of one: it comes back into a round that went on without it.
fn one_at_its_signature(network: &mut Network, random: &mut Random, faulty: &Path) -> Instant {
    let node = random.index(network.nodes.len());
    let signatures = random.below(8);
    network.kill(node);
    network.start_node_as(node, faulty, |command| {
        command.env("FAILPOINTS", format!("consensus.after-guard-sync.abort={signatures}*off->return"));
    });
    wait_for("the validator to die at its signature", READY, || network.has_ended(node).then_some(()));
    let began = Instant::now();
    network.start_node(node);
    began
}

/// A rolling restart of an operator who does not look: asked to stop, started, the next.
fn one_after_the_other(network: &mut Network, random: &mut Random) -> Instant {
    let mut order: Vec<_> = (0..network.nodes.len()).collect();
    random.shuffle(&mut order);
    let began = Instant::now();
    for node in order {
        network.stop(node);
        network.start_node(node);
    }
    began
}
