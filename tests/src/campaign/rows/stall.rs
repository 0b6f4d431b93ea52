//! R26: a network that stands still says so, and whom it waits for, in `readyz`, the metrics and one line of the log.

use std::fs;
use std::time::{Duration, Instant};

use crate::campaign::{Lane, Random, Row, Run};
use crate::harness::{Flow, Links, Network, Pace, Setup, faulty_binary, request};

pub(super) const ROWS: &[Row] =
    &[Row { id: "R26", name: "a-stall-is-named", lane: Lane::Networks, ci: 5, release: 100, attack: stalls }];

/// Within this a stall is named.
const NAMED_WITHIN: Duration = Duration::from_secs(10);
/// How long is waited for it, so that "late" is told from "never".
const PATIENCE: Duration = Duration::from_secs(40);
/// Writers that fill the pool while nothing is decided.
const PACE: Pace = Pace { writers: 12, per_second: 40 };

/// Why nothing is decided.
#[derive(Debug, Clone, Copy)]
enum Cause {
    /// Two of four are killed.
    Dead,
    /// Two of four stand still with all their connections.
    Stopped,
    /// Two of four are cut off, and their connections seem to stand.
    CutOff,
    /// Nobody proposes anything, with records waiting.
    NoProposals,
    /// Two of four are there and do not vote.
    Silent,
}

const ALL: [Cause; 5] = [Cause::Dead, Cause::NoProposals, Cause::CutOff, Cause::Silent, Cause::Stopped];

fn stalls(run: &mut Run) {
    let mut network = Network::make(&Setup::default());
    let links = Links::between(&network, run.seed);
    network.start_all();
    network.wait_ready();
    let load = network.load_at(PACE);
    let (mut named, mut over, mut late) = (Vec::new(), Vec::new(), 0);
    for round in 0..run.count {
        let cause = ALL[round as usize % ALL.len()];
        let mut order = [0, 1, 2, 3];
        Random::of(run.seed, round).shuffle(&mut order);
        let told = format!("round {round}, {cause:?} of {order:?}");
        let took = run.attempt(&told, || {
            let named = stall(&mut network, &links, cause, order);
            let began = Instant::now();
            end(&mut network, &links, cause, order);
            quiet_again(&network, order[0]);
            println!("{told}: named after {:.1} s", named.as_secs_f64());
            (named, began.elapsed())
        });
        if took.is_none() {
            end(&mut network, &links, cause, order);
        }
        if let Some((took, healed)) = took {
            late += u64::from(took > NAMED_WITHIN);
            named.push(took);
            over.push(healed);
        }
    }
    load.stop();
    run.attempt("the oracle", || {
        network.check();
    });
    run.metric("later-than-10-s", late);
    run.times("named", &mut named);
    run.times("over", &mut over);
}

/// Stalls the network; how long until a validator that is well says so everywhere, with the right names.
fn stall(network: &mut Network, links: &Links, cause: Cause, order: [usize; 4]) -> Duration {
    let [witness, other, first, second] = order;
    let log_begins = log_length(network, witness);
    let (mut missing, mut word) = (vec![first, second], "votes are missing of");
    let began = match cause {
        Cause::Dead => {
            network.kill(first);
            network.kill(second);
            Instant::now()
        }
        Cause::Stopped => {
            [first, second].iter().for_each(|node| network.signal(*node, "STOP"));
            Instant::now()
        }
        Cause::CutOff => {
            links.divide(&[&[witness, other], &[first, second]], Flow::Held);
            Instant::now()
        }
        Cause::NoProposals => {
            network.kill_all();
            let points = "consensus.propose.nothing=return";
            order.iter().for_each(|node| faulty(network, *node, points));
            (missing, word) = (order.to_vec(), "no proposal came of");
            await_reader(network, witness)
        }
        Cause::Silent => {
            for node in [first, second] {
                network.kill(node);
                faulty(network, node, "consensus.vote.withhold=return");
            }
            await_reader(network, witness)
        }
    };
    let names: Vec<_> = missing.iter().map(|node| format!("validator-{node}.dev.testamur.example")).collect();
    // Whose turn to propose it was, rounds tell one after the other.
    let enough = if matches!(cause, Cause::NoProposals) { 2 } else { names.len() };
    let all_named = |text: &str| names.iter().filter(|name| text.contains(name.as_str())).count() >= enough;
    let mut seen = [None; 3];
    while seen.iter().any(Option::is_none) {
        let ready = request(network.nodes[witness].admin, "GET", "/readyz", &[], &[]);
        let ready = ready.map(|r| (r.status, r.text())).unwrap_or_default();
        let metrics = request(network.nodes[witness].admin, "GET", "/metrics", &[], &[]);
        let metrics = metrics.map(|r| r.text()).unwrap_or_default();
        let log = log_after(network, witness, log_begins);
        let metric = if word.starts_with("votes") { "silent" } else { "without_proposal" };
        let metric = format!("testamur_consensus_{metric}{{");
        let labelled: String = metrics.lines().filter(|line| line.starts_with(&metric)).collect();
        let told = [
            ready.0 == 503 && ready.1.contains("stalled") && ready.1.contains(word) && all_named(&ready.1),
            all_named(&labelled),
            log.lines().any(|line| line.contains("stalled: ") && line.contains(word) && all_named(line)),
        ];
        for (seen, told) in seen.iter_mut().zip(told) {
            if told && seen.is_none() {
                *seen = Some(began.elapsed());
            }
        }
        assert!(
            began.elapsed() < PATIENCE,
            "{cause:?}: readyz, metric, log: {seen:?}\n{}\n{labelled}\n{}",
            ready.1,
            network.last_words(witness)
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    seen.into_iter().flatten().max().expect("three")
}

/// Ends what [`stall`] began.
fn end(network: &mut Network, links: &Links, cause: Cause, order: [usize; 4]) {
    let [_, _, first, second] = order;
    links.heal();
    match cause {
        Cause::Dead | Cause::CutOff => {}
        Cause::Stopped => [first, second].iter().for_each(|node| network.signal(*node, "CONT")),
        Cause::NoProposals => network.kill_all(),
        Cause::Silent => [first, second].iter().for_each(|node| network.kill(*node)),
    }
    network.start_all();
}

/// All move on, and who said that there is a stall takes it back.
fn quiet_again(network: &Network, witness: usize) {
    network.wait_progress(2);
    network.wait_ready();
    let metrics = request(network.nodes[witness].admin, "GET", "/metrics", &[], &[]).expect("an answer").text();
    assert!(metrics.contains("\ntestamur_consensus_stalled_seconds 0\n"), "the stall is over");
    assert!(!metrics.contains("testamur_consensus_silent{"), "nobody is missed any more");
}

fn faulty(network: &mut Network, node: usize, points: &str) {
    network.start_node_as(node, &faulty_binary(), |command| {
        command.env("FAILPOINTS", points);
    });
}

/// From when on a validator that is starting can say anything: the stall counts from there.
fn await_reader(network: &Network, node: usize) -> Instant {
    crate::harness::wait_for("the witness to answer", PATIENCE, || network.height(node));
    Instant::now()
}

fn log_length(network: &Network, node: usize) -> usize {
    fs::read(network.nodes[node].dir.join("log")).map_or(0, |log| log.len())
}

fn log_after(network: &Network, node: usize, length: usize) -> String {
    let log = fs::read(network.nodes[node].dir.join("log")).unwrap_or_default();
    String::from_utf8_lossy(log.get(length..).unwrap_or_default()).into_owned()
}
