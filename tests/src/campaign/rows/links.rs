//! R15: the network between validators is cut, one-sided, slow, narrow, lossy, and comes back.

use std::time::{Duration, Instant};

use crate::campaign::{Lane, Random, Row, Run};
use crate::harness::{Flow, Links, Loss, Network, Pace, Setup, Shape, wait_for};

pub(super) const ROWS: &[Row] =
    &[Row { id: "R15", name: "partitions", lane: Lane::Networks, ci: 26, release: 520, attack: partitions }];

/// How long a disturbance lasts at least.
const LASTS: Duration = Duration::from_secs(3);
/// How long what was under way when a link was cut may take to be committed: busy machines.
const SETTLED: Duration = Duration::from_millis(1_500);
/// How long who can decide may take to do so while others are cut off: some rounds of dead proposers.
const DECIDES: Duration = Duration::from_secs(40);

/// Enough that every block has records, and little beside what the links cost.
const PACE: Pace = Pace { writers: 12, per_second: 40 };

/// What one round does to the links of four validators. `order` is a shuffled 0 to 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Disturbance {
    /// Three and one.
    Minority(Flow),
    /// Two and two: nobody may decide.
    Half(Flow),
    /// One hears the others and is not heard.
    Mute,
    /// One is heard and hears nobody.
    Deaf,
    /// One and two that reach one another only over a fourth.
    Bridge,
    /// Each reaches its two neighbours.
    Ring,
    /// Two and two, whole again, each second.
    Flapping,
    /// Every fifth packet is lost.
    Loss,
    /// 300 ms one way, 100 ms more or less.
    Slow,
    /// 1 Mbit/s on each connection.
    Narrow,
    /// One's connections seem to stand and carry nothing; afterwards they are reset.
    HalfOpen,
}

use Disturbance::{Bridge, Deaf, Flapping, Half, HalfOpen, Minority, Mute, Narrow, Ring, Slow};

const ALL: [Disturbance; 13] = [
    Minority(Flow::Held),
    Half(Flow::Held),
    Mute,
    Bridge,
    Ring,
    Flapping,
    Disturbance::Loss,
    Slow,
    Narrow,
    HalfOpen,
    Deaf,
    Minority(Flow::Refused),
    Half(Flow::Refused),
];

fn partitions(run: &mut Run) {
    let mut network = Network::make(&Setup::default());
    let links = Links::between(&network, run.seed);
    network.start_all();
    network.wait_ready();
    let load = network.load_at(PACE);
    let mut healed = Vec::new();
    let mut minority_commits = 0;
    let mut dropped = 0;
    for round in 0..run.count {
        let disturbance = ALL[round as usize % ALL.len()];
        let mut random = Random::of(run.seed, round);
        let mut order = [0, 1, 2, 3];
        random.shuffle(&mut order);
        if disturbance == Disturbance::Loss && Loss::begin(&network, 1).is_none() {
            run.skip(1, "nft is missing, or the right to use it: no packet is lost");
            continue;
        }
        let told = format!("round {round}, {disturbance:?} of {order:?}");
        let took = run.attempt(&told, || {
            let (committed, lost) = disturb(&network, &links, disturbance, order);
            minority_commits += committed;
            dropped += lost;
            links.heal();
            let began = Instant::now();
            network.wait_progress(2);
            let took = began.elapsed();
            println!("{told}: {committed} commits of a minority, on again after {:.1} s", took.as_secs_f64());
            assert!(committed == 0, "a minority has committed {committed} blocks");
            took
        });
        links.heal();
        healed.extend(took);
    }
    load.stop();
    run.attempt("the oracle", || network.check());
    run.metric("receipts", network.receipts());
    run.metric("minority-commits", minority_commits);
    run.metric("packets-dropped", dropped);
    run.times("healed", &mut healed);
}

/// Commits of validators that cannot have a quorum, and packets that were dropped.
fn disturb(network: &Network, links: &Links, disturbance: Disturbance, order: [usize; 4]) -> (u64, u64) {
    let [a, b, c, d] = order;
    let held = Shape::of(Flow::Held);
    let began = Instant::now();
    let last = || std::thread::sleep(LASTS.saturating_sub(began.elapsed()));
    match disturbance {
        Minority(flow) => {
            links.divide(&[&[a, b, c], &[d]], flow);
            let quiet = Quiet::begin(network, &[d]);
            decide(network, &[a, b, c]);
            last();
            return (quiet.commits(network), 0);
        }
        Half(flow) => {
            links.divide(&[&[a, b], &[c, d]], flow);
            let quiet = Quiet::begin(network, &order);
            last();
            return (quiet.commits(network), 0);
        }
        Mute | Deaf => {
            for other in [b, c, d] {
                let (from, to) = if disturbance == Mute { (a, other) } else { (other, a) };
                links.set(from, to, held);
            }
            decide(network, &[b, c, d]);
        }
        Bridge => {
            links.divide(&[&[a], &[b, c]], Flow::Held);
            decide(network, &[b, c, d]);
        }
        Ring => {
            links.set_both(a, c, held);
            links.set_both(b, d, held);
            decide(network, &order);
        }
        Flapping => {
            for _ in 0..3 {
                links.divide(&[&[a, b], &[c, d]], Flow::Held);
                std::thread::sleep(Duration::from_secs(1));
                links.heal();
                std::thread::sleep(Duration::from_secs(1));
            }
        }
        Disturbance::Loss => {
            let loss = Loss::begin(network, 20).expect("it was possible a moment ago");
            decide(network, &order);
            last();
            let dropped = loss.dropped();
            assert!(dropped > 0, "the filter saw no packet of these validators");
            return (0, dropped);
        }
        Slow => {
            let (delay, jitter) = (Duration::from_millis(200), Duration::from_millis(200));
            links.set_all(Shape { delay, jitter, ..Shape::default() });
            decide(network, &order);
        }
        Narrow => {
            links.set_all(Shape { bytes_per_s: Some(125_000), ..Shape::default() });
            decide(network, &order);
        }
        HalfOpen => {
            links.divide(&[&[a, b, c], &[d]], Flow::Swallowed);
            let quiet = Quiet::begin(network, &[d]);
            decide(network, &[a, b, c]);
            last();
            return (quiet.commits(network), 0);
        }
    }
    last();
    (0, 0)
}

/// Waits until each of these has two blocks more than the highest of them has now.
fn decide(network: &Network, nodes: &[usize]) {
    let heights = || nodes.iter().map(|node| network.height(*node).unwrap_or(0));
    let aim = heights().max().unwrap_or(0) + 2;
    let began = Instant::now();
    while heights().any(|height| height < aim) {
        let told = || heights().collect::<Vec<_>>();
        assert!(began.elapsed() < DECIDES, "{nodes:?} can decide and stand at {:?}, not {aim}", told());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Validators that cannot decide, and where they stood when that began.
struct Quiet(Vec<(usize, u64)>);

impl Quiet {
    fn begin(network: &Network, nodes: &[usize]) -> Self {
        std::thread::sleep(SETTLED);
        let stands = |node: &usize| {
            let height = wait_for("a validator that is cut off to answer", DECIDES, || network.height(*node));
            (*node, height)
        };
        Self(nodes.iter().map(stands).collect())
    }

    fn commits(&self, network: &Network) -> u64 {
        let commits = self.0.iter().map(|(node, before)| {
            let now = wait_for("a validator that is cut off to answer", DECIDES, || network.height(*node));
            now - before
        });
        commits.sum()
    }
}
