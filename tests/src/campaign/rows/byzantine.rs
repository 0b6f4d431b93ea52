//! R14: validators that lie.
//!
//! They run the faulty build and change their lies while they run (`node/consensus/src/faults.rs` says what each does). The
//! honest ones run the product. A run is a height that the honest ones decided meanwhile. In the end: one ledger on all
//! honest nodes (the oracle), and of everything that was signed twice a proof on disk at the honest nodes, which verifies
//! offline, accuses nobody else and is there after a restart.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use testamur_primitives::equivocation::{Equivocation, VoteStep};

use crate::campaign::{Lane, Random, Row, Run};
use crate::harness::{Network, Pace, Setup, faulty_binary, request, wait_for};

pub(super) const ROWS: &[Row] = &[
    Row { id: "R14", name: "one-liar-of-four", lane: Lane::Networks, ci: 150, release: 15_000, attack: one_of_four },
    Row { id: "R14", name: "two-liars-of-seven", lane: Lane::Networks, ci: 50, release: 5_000, attack: two_of_seven },
    Row { id: "R14", name: "crash-after-vote", lane: Lane::Networks, ci: 6, release: 100, attack: crash_after_vote },
];

/// Ways to lie. What is signed twice comes first, so that evidence is old when it is looked for.
const LIES: &[&[&str]] = &[
    &["double-votes"],
    &["double-proposals"],
    &["double-votes", "double-proposals"],
    &["amnesia", "double-proposals"],
    &["silence"],
    &["silence 40%"],
    &["nil-precommits"],
    &["withhold-parts"],
    &["bad-state-root"],
    &["oversize"],
    &["future-time"],
    &["replay"],
    &["amnesia", "withhold-parts", "nil-precommits 50%"],
];

/// A load that keeps blocks coming.
const PACE: Pace = Pace { writers: 12, per_second: 40 };
/// Heights for which the liars of one network lie in all: of one validator so many proofs are kept (`limits.rs`), and a height
/// has at most a few.
const HEIGHTS_OF_ONE_NETWORK: u64 = 80;
/// How long a proof may take until it is shown: it is found when the second message comes, and written soon after.
const FOUND_WITHIN: Duration = Duration::from_secs(20);

fn one_of_four(run: &mut Run) {
    lie(run, 4, 1);
}

fn two_of_seven(run: &mut Run) {
    lie(run, 7, 2);
}

/// What was counted over all networks of a row.
#[derive(Default)]
struct Counted {
    told: usize,
    kept: usize,
    expected: usize,
    receipts: usize,
    waits: Vec<Duration>,
}

fn lie(run: &mut Run, validators: usize, liars: usize) {
    let mut counted = Counted::default();
    let (mut left, mut round) = (run.count, 0);
    while left > 0 {
        let heights = left.min(if run.count > 500 { HEIGHTS_OF_ONE_NETWORK } else { run.count });
        let seed = run.seed.wrapping_add(round);
        let mut random = Random::new(seed);
        if run
            .attempt(&format!("seed {seed}"), || one_network(validators, liars, heights, &mut random, &mut counted))
            .is_some()
        {
            run.good(heights - 1);
        }
        left -= heights;
        round += 1;
    }
    run.metric("signed-twice", counted.told);
    let percent = |part: usize, whole: usize| if whole == 0 { 100.0 } else { 100.0 * part as f64 / whole as f64 };
    run.metric("proofs-on-all-honest-percent", format!("{:.1}", percent(counted.kept, counted.expected)));
    run.metric("receipts", counted.receipts);
    run.times("height", &mut counted.waits);
}

/// A network with liars in it.
struct Liars {
    network: Network,
    numbers: Vec<usize>,
}

impl Liars {
    fn start(validators: usize, liars: usize) -> Self {
        let mut network = Network::make(&Setup { validators, ..Setup::default() });
        let numbers: Vec<_> = (validators - liars..validators).collect();
        network.dishonest.extend(numbers.iter().copied());
        let mut liars = Self { network, numbers };
        for number in liars.numbers.clone() {
            liars.say(number, &[]);
            let file = liars.file(number);
            liars.network.start_node_as(number, &faulty_binary(), |command| {
                command.env("TESTAMUR_LIES", file);
            });
        }
        liars.network.start_all();
        liars.network.wait_ready();
        // They take part before they lie.
        for number in &liars.numbers {
            wait_for("a liar to vote", Duration::from_secs(60), || {
                let metrics = request(liars.network.nodes[*number].admin, "GET", "/metrics", &[], &[]).ok()?;
                metrics.text().contains("testamur_consensus_voting 1").then_some(())
            });
        }
        liars
    }

    fn file(&self, number: usize) -> PathBuf {
        self.network.nodes[number].dir.join("lies")
    }

    /// Tells a liar what to do from now on.
    fn say(&self, number: usize, lies: &[&str]) {
        let line = |lie: &&str| {
            let (name, share) = lie.split_once(' ').unwrap_or((lie, ""));
            format!("consensus.lie.{name}={share}return\n")
        };
        // In one step, so that it is never read half.
        let new = self.file(number).with_extension("new");
        fs::write(&new, lies.iter().map(line).collect::<String>()).expect("a file of the test's own");
        fs::rename(&new, self.file(number)).expect("in the same folder");
    }

    /// What a liar has signed twice: step, height, round.
    fn told(&self, number: usize) -> BTreeSet<(String, u64, u32)> {
        let text = fs::read_to_string(self.file(number).with_extension("told")).unwrap_or_default();
        let line = |line: &str| {
            let mut words = line.split(' ');
            let mut word = || words.next().expect("three words");
            (word().to_owned(), word().parse().expect("a height"), word().parse().expect("a round"))
        };
        text.lines().map(line).collect()
    }

    fn address(&self, number: usize) -> testamur_primitives::hash::Address {
        let status = self.network.get(number, "/v1/status").expect("it answers");
        status.json()["validator"].as_str().expect("a validator").parse().expect("an address")
    }

    fn honest(&self) -> impl Iterator<Item = usize> {
        0..self.network.nodes.len() - self.numbers.len()
    }

    /// The proofs that a node shows.
    fn proofs(&self, number: usize) -> Vec<Equivocation> {
        let mut next = Some("/v1/equivocations?limit=100".to_owned());
        let mut proofs = Vec::new();
        while let Some(target) = next {
            let page = self.network.get(number, &target).expect("an honest node answers").json();
            let list = page["equivocations"].clone();
            proofs.extend(serde_json::from_value::<Vec<Equivocation>>(list).expect("proofs are of their form"));
            next = page["next"].as_str().map(str::to_owned);
        }
        proofs
    }

    /// Everything that was signed twice is known to the honest, and nothing else; the part that all of them know.
    fn check_evidence(&mut self, counted: &mut Counted) {
        let liars: Vec<_> = self.numbers.iter().map(|number| (self.address(*number), self.told(*number))).collect();
        let set = self.network.trust.genesis().validator_set();
        let origin = self.network.trust.genesis().origin();
        let all: usize = liars.iter().map(|(_, told)| told.len()).sum();
        let honest: Vec<_> = self.honest().collect();
        let place = |proof: &Equivocation| {
            let step = match proof.step {
                VoteStep::Proposal => "proposal",
                VoteStep::Prevote => "prevote",
                VoteStep::Precommit => "precommit",
            };
            (proof.validator, (step.to_owned(), proof.height.0, proof.round))
        };
        let known = |number: &usize| -> BTreeSet<_> { self.proofs(*number).iter().map(place).collect() };
        let expected: BTreeSet<_> =
            liars.iter().flat_map(|(address, told)| told.iter().map(|told| (*address, told.clone()))).collect();
        let began = Instant::now();
        let mut found: Vec<_> = honest.iter().map(known).collect();
        while !found.iter().all(|found| expected.is_subset(found)) && began.elapsed() < FOUND_WITHIN {
            std::thread::sleep(Duration::from_millis(200));
            found = honest.iter().map(known).collect();
        }
        let by_any: BTreeSet<_> = found.iter().flatten().cloned().collect();
        let lost: Vec<_> = expected.difference(&by_any).collect();
        assert!(lost.is_empty(), "{} of {all} double signatures are known to no honest node: {lost:?}", lost.len());
        counted.told += all;
        counted.expected += expected.len() * honest.len();
        counted.kept += found.iter().map(|found| expected.intersection(found).count()).sum::<usize>();
        for number in &honest {
            for proof in self.proofs(*number) {
                proof.verify(&origin, &set).unwrap_or_else(|e| panic!("node {number} shows what proves nothing: {e}"));
                assert!(liars.iter().any(|(liar, _)| *liar == proof.validator), "node {number} accuses an honest one");
            }
        }
        if all == 0 {
            return;
        }
        // Durable, told once in the log with the liar's name, and counted.
        let (one, before) = (honest[0], self.proofs(honest[0]));
        let log = fs::read_to_string(self.network.nodes[one].dir.join("log")).expect("a log");
        let name = set.by_address(liars[0].0).expect("a validator").name.clone();
        let line = log.lines().find(|line| line.contains("signed two different messages") && line.contains(&name));
        assert!(line.is_some(), "no line of node {one}'s log names {name}");
        let metrics = request(self.network.nodes[one].admin, "GET", "/metrics", &[], &[]).expect("metrics").text();
        let kept = format!("testamur_consensus_equivocations_kept {}", before.len());
        assert!(metrics.contains(&kept), "{kept} is not among the metrics");
        self.network.kill(one);
        self.network.start_node(one);
        self.network.wait_ready();
        assert_eq!(self.proofs(one)[..before.len()], before, "proofs after a restart");
    }
}

fn one_network(validators: usize, liars: usize, heights: u64, random: &mut Random, counted: &mut Counted) {
    let mut liars = Liars::start(validators, liars);
    let load = liars.network.load_at(PACE);
    let mut ways: Vec<_> = LIES.to_vec();
    // Whatever is left out in one network is tried in the next.
    random.shuffle(&mut ways[4..]);
    let each = heights.div_ceil(ways.len() as u64).max(4);
    let mut left = heights;
    for way in ways {
        let now = each.min(left);
        left -= now;
        if now == 0 {
            break;
        }
        for number in &liars.numbers {
            liars.say(*number, way);
        }
        for _ in 0..now {
            let began = Instant::now();
            let height = liars.honest().filter_map(|number| liars.network.height(number)).max().unwrap_or(0);
            wait_for(&format!("a height above {height} while {way:?}"), Duration::from_secs(60), || {
                liars.honest().all(|n| liars.network.height(n).is_some_and(|h| h > height)).then_some(())
            });
            counted.waits.push(began.elapsed());
        }
    }
    for number in &liars.numbers {
        liars.say(*number, &[]);
    }
    liars.network.wait_progress(2);
    load.stop();
    liars.check_evidence(counted);
    liars.network.check();
    counted.receipts += liars.network.receipts();
}

/// A validator that dies right after its vote has left, beside a proposer that proposes twice: what the engine's own tests
/// leave out. Whatever the restart replays, its key signs nothing else there, and the network goes on.
fn crash_after_vote(run: &mut Run) {
    let mut liars = Liars::start(4, 1);
    liars.say(3, &["double-proposals", "double-votes 50%"]);
    let load = liars.network.load_at(PACE);
    let mut back = Vec::new();
    for attempt in 0..run.count {
        let mut random = Random::of(run.seed, attempt);
        // Each height has two votes or more, so this is a prevote as often as a precommit, of a first or later round.
        let votes = random.within(1..14);
        let failpoint = format!("consensus.after-vote.abort={votes}*off->return");
        run.attempt(&format!("{votes} votes"), || {
            let network = &mut liars.network;
            network.kill(1);
            network.start_node_as(1, &faulty_binary(), |command| {
                command.env("FAILPOINTS", &failpoint);
            });
            let began = Instant::now();
            while !network.has_ended(1) {
                assert!(began.elapsed() < Duration::from_secs(90), "node 1 votes no more: {}", network.last_words(1));
                std::thread::sleep(Duration::from_millis(25));
            }
            let words = network.last_words(1);
            assert!(!words.contains("fatal: "), "it did not die of the failpoint: {words}");
            let began = Instant::now();
            network.start_node(1);
            network.wait_ready();
            network.wait_votes();
            back.push(began.elapsed());
        });
    }
    liars.say(3, &[]);
    load.stop();
    let mut counted = Counted::default();
    run.attempt("the end", || {
        liars.network.wait_progress(2);
        liars.check_evidence(&mut counted);
        liars.network.check();
    });
    run.metric("signed-twice-by-the-liar", counted.told);
    run.times("votes-again", &mut back);
}
