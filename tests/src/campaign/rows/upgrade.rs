//! R22: validators get another release one after the other, under load, and one of them comes too late.

use std::fs;
use std::time::Duration;

use crate::campaign::{Lane, Random, Row, Run};
use crate::harness::{Network, Pace, Pulse, Setup, faulty_binary, wait_for};

pub(super) const ROWS: &[Row] =
    &[Row { id: "R22", name: "rolling-upgrade", lane: Lane::Networks, ci: 3, release: 20, attack: upgrades }];

/// Two that decide.
const OPERATORS: [&str; 8] = [
    "--operator",
    "Ministry one,EE",
    "--operator",
    "Ministry two,FI",
    "--operator",
    "Ministry three,LV",
    "--approvals",
    "2",
];
/// Enough that every block has records.
const PACE: Pace = Pace { writers: 12, per_second: 40 };
/// Heights until the later protocol holds: time to decide on it, at one block a second.
const AHEAD: u64 = 12;

fn upgrades(run: &mut Run) {
    let (mut gaps, mut receipts) = (Vec::new(), 0);
    for round in 0..run.count {
        let mut order = [0, 1, 2, 3];
        Random::of(run.seed, round).shuffle(&mut order);
        let told = format!("round {round}, straggler {}", order[3]);
        let seen = run.attempt(&told, || upgrade(order));
        if let Some((gap, handed_out)) = seen {
            println!("{told}: at most {:.1} s between two blocks", gap.as_secs_f64());
            gaps.push(gap);
            receipts += handed_out;
        }
    }
    run.metric("receipts", receipts);
    run.times("halted", &mut gaps);
}

/// All but the straggler get a release that knows protocol 2, by way of one that goes back for a while; operators decide on
/// it; the straggler stops with a clear message while the others go on, and comes back with the newer release. The longest
/// time between two blocks, and receipts.
fn upgrade(order: [usize; 4]) -> (Duration, usize) {
    let newer = faulty_binary();
    let mut network = Network::make_with(&Setup::default(), &OPERATORS);
    network.start_all();
    network.wait_ready();
    let load = network.load_at(PACE);
    let pulse = Pulse::watch(network.nodes.iter().map(|node| node.api).collect());
    let [first, .., straggler] = order;
    let mut replace = |node: usize, release: Option<&std::path::Path>| {
        network.stop(node);
        match release {
            Some(release) => network.start_node_as(node, release, |_| {}),
            None => network.start_node(node),
        }
        network.wait_ready();
        network.wait_progress(2);
    };
    // Up, down and up again: protocol 1 is the same in both.
    replace(first, Some(&newer));
    replace(first, None);
    for node in &order[..3] {
        replace(*node, Some(&newer));
    }
    network.wait_votes();

    let from = network.height(first).expect("it runs") + AHEAD;
    network.release = Some(newer);
    let trust = network.root().join("trust.json").display().to_string();
    network.told(&["network", "add", &trust]);
    network.decide(&["set-protocol", "2", "--from-block", &from.to_string()]);
    wait_for("the straggler to stop", Duration::from_secs(90), || network.has_ended(straggler).then_some(()));
    let words = fs::read_to_string(network.nodes[straggler].dir.join("log")).expect("a log");
    // Where the approval came late, it is two blocks after that.
    let says = |line: &str| {
        let before = line.split_once(" runs protocol 2, this binary knows 1: install a newer release")?.0;
        before.rsplit_once("height ")?.1.parse::<u64>().ok()
    };
    let stopped = words.lines().find_map(says).filter(|height| *height >= from);
    let Some(from) = stopped else {
        panic!("the straggler says why it stops, and where:\n{}", network.last_words(straggler))
    };
    network.wait_height(from + 3);
    let gap = pulse.largest_gap();

    // The older release again: it stops again, and signs nothing of what it does not know.
    network.release = None;
    network.start_node(straggler);
    wait_for("the straggler to stop again", Duration::from_secs(60), || network.has_ended(straggler).then_some(()));
    let nil = |message: &[u8]| message.ends_with(b"value nil\n") || message.starts_with(b"testamur/precommit-nil/");
    let above = network.signed(straggler).into_iter().find(|((height, ..), signed)| *height >= from && !nil(signed));
    assert_eq!(above, None, "the straggler signed at a height whose protocol it does not know");
    network.release = Some(faulty_binary());
    network.start_node(straggler);
    network.wait_ready();
    network.wait_votes();
    load.stop();
    let receipts = network.receipts();
    network.check();
    (gap, receipts)
}
