//! R13: clocks that are wrong, jump, or run too fast, and validators that are locked on a block whose time another's clock
//! does not accept.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::campaign::{Lane, Random, Row, Run};
use crate::harness::{FakeClock, Network, Pace, Setup, faulty_binary, request, signed_slots, wait_for};

pub(super) const ROWS: &[Row] = &[
    Row { id: "R13", name: "clocks", lane: Lane::Networks, ci: 10, release: 180, attack: clocks },
    Row { id: "R13", name: "locked-on-a-late-block", lane: Lane::Networks, ci: 2, release: 20, attack: locked },
];

/// Enough that every block has records.
const PACE: Pace = Pace { writers: 8, per_second: 20 };
/// How long a wrong clock is watched at least.
const LASTS: Duration = Duration::from_secs(4);
/// How far ahead of a right clock a block may be: the network's tolerance, and a second of rounding.
const AHEAD_S: u64 = 5 + 1;
/// How often a lock is tried for: it takes a moment that a busy machine often misses.
const ATTEMPTS: u32 = 24;
/// How far behind: proposals of a clock that is behind repeat their parent's time, and rounds without a quorum take a while.
const BEHIND_S: u64 = 30;

/// What is wrong with whose clock.
struct Shape {
    what: &'static str,
    /// Errors at the start: of how many validators, in libfaketime's words.
    from_start: &'static [&'static str],
    /// The error that the first of them gets while it runs.
    jump: Option<&'static str>,
    /// Whether the first is so far ahead that its proposals must be refused.
    refused: bool,
    /// Whether block time must follow real time: a quorum has right clocks.
    follows: bool,
}

const SHAPES: [Shape; 10] = [
    Shape { what: "an-hour-ahead", from_start: &["+3600s"], jump: None, refused: true, follows: true },
    Shape { what: "an-hour-behind", from_start: &["-3600s"], jump: None, refused: false, follows: true },
    Shape { what: "a-day-back", from_start: &["-1d"], jump: None, refused: false, follows: true },
    Shape { what: "three-times-too-fast", from_start: &["+0 x3"], jump: None, refused: false, follows: true },
    Shape { what: "too-slow", from_start: &["+0 x0.3"], jump: None, refused: false, follows: true },
    Shape { what: "jumps-ahead", from_start: &["+0"], jump: Some("+3600s"), refused: true, follows: true },
    Shape { what: "jumps-a-day-back", from_start: &["+0"], jump: Some("-1d"), refused: false, follows: true },
    Shape { what: "a-second-twice", from_start: &["+0"], jump: Some("-1s"), refused: false, follows: true },
    Shape {
        what: "one-ahead-one-behind",
        from_start: &["+3600s", "-3600s"],
        jump: None,
        refused: true,
        follows: false,
    },
    Shape { what: "two-behind", from_start: &["-3600s", "-7200s"], jump: None, refused: false, follows: false },
];

fn clocks(run: &mut Run) {
    let mut network = Network::make(&Setup::default());
    let Some(clocks) = fake_clocks(run, &network) else { return };
    network.start_all();
    network.wait_ready();
    let load = network.load_at(PACE);
    let mut blocks = 0;
    for round in 0..run.count {
        let shape = &SHAPES[round as usize % SHAPES.len()];
        let mut order = [0, 1, 2, 3];
        Random::of(run.seed, round).shuffle(&mut order);
        let wrong = &order[..shape.from_start.len()];
        let told = format!("round {round}, {} at {wrong:?}", shape.what);
        let seen = run.attempt(&told, || {
            let seen = skew(&mut network, &clocks, shape, wrong);
            println!("{told}: {seen} blocks");
            seen
        });
        blocks += seen.unwrap_or(0);
        for node in wrong {
            clocks[*node].set("+0");
            network.kill(*node);
            network.start_node(*node);
        }
        run_bad_on_panic(run, "all clocks right again", || network.wait_progress(2));
    }
    load.stop();
    run_bad_on_panic(run, "the oracle", || {
        network.check();
    });
    run.metric("blocks", blocks);
    run.metric("receipts", network.receipts());
}

/// Runs one shape; how many blocks were looked at.
fn skew(network: &mut Network, clocks: &[FakeClock], shape: &Shape, wrong: &[usize]) -> u64 {
    let right: Vec<_> = (0..4).filter(|node| !wrong.contains(node)).collect();
    for (node, error) in wrong.iter().zip(shape.from_start) {
        clocks[*node].set(error);
        network.kill(*node);
        network.start_node_with(*node, |command| clocks[*node].give(command));
    }
    network.wait_progress(2);
    let refused = || right.iter().map(|node| counter(network, *node, "proposals_ahead_of_clock")).sum::<u64>();
    let refused_at_first = refused();
    if let Some(error) = shape.jump {
        clocks[wrong[0]].set(error);
        // libfaketime looks at its file once a second.
        std::thread::sleep(Duration::from_millis(1_500));
    }
    let (began, first) = (now(), height(network, right[0]) + 1);
    let refused_since = |before: u64| {
        wait_for("a proposal that is ahead to be refused", Duration::from_secs(30), || {
            (refused() > before).then_some(())
        });
    };
    // A clock that jumps may still be right until one was, and a block of its own with it. No block's time is ahead even then.
    let mut wrong_from = first;
    if shape.refused && shape.jump.is_some() {
        refused_since(refused_at_first);
        wrong_from = height(network, right[0]) + 1;
    }
    let refused_before = refused();
    let until = Instant::now() + LASTS;
    // Four heights and more: each validator's turn comes.
    network.wait_progress(5);
    std::thread::sleep(until.saturating_duration_since(Instant::now()));
    if shape.refused {
        refused_since(refused_before);
    }
    let (ended, last) = (now(), height(network, right[0]));
    let skewed = address(network, wrong[0]);
    let mut parent = 0;
    for height in first..=last {
        let block = network.get(right[0], &format!("/v1/blocks/{height}")).expect("an answer").json();
        let time = block["header"]["time"].as_u64().expect("a time");
        assert!(time >= parent, "block {height} is before its parent");
        assert!(time <= ended + AHEAD_S, "block {height} is {} s ahead", time - ended);
        let behind = began.saturating_sub(time);
        assert!(!shape.follows || behind <= BEHIND_S, "block {height} is {behind} s behind");
        let proposer = block["header"]["proposer"].as_str().expect("an address");
        let may_be_right = !shape.refused || height < wrong_from;
        assert!(may_be_right || proposer != skewed, "block {height} is by a clock that is ahead");
        parent = time;
    }
    last + 1 - first
}

/// The case above all. Two validators are locked on a value; a third's clock says that it lies an hour ahead, and the fourth,
/// whose prevote made the lock, is dead: without the third nothing can be decided, ever. And: everybody's clock is set back
/// by a day while two are locked, and the third, which was away, hears of the value only then.
fn locked(run: &mut Run) {
    let mut network = Network::make(&Setup::default());
    let Some(clocks) = fake_clocks(run, &network) else { return };
    for (node, clock) in clocks.iter().enumerate() {
        network.start_node_with(node, |command| clock.give(command));
    }
    network.wait_ready();
    let load = network.load_at(PACE);
    let (mut locks, mut times) = (0, Vec::new());
    for round in 0..run.count {
        let mut random = Random::of(run.seed, round);
        let mut order = [0, 1, 2, 3];
        random.shuffle(&mut order);
        let all_back = round % 2 == 1;
        let told = format!("round {round}, {order:?}, all set back: {all_back}");
        let took = run.attempt(&told, || lock(&mut network, &clocks, order, all_back, &mut random));
        if let Some(took) = took {
            locks += 1;
            println!("{told}: decided after {:.1} s", took.as_secs_f64());
            times.push(took);
        }
        for (node, clock) in clocks.iter().enumerate() {
            clock.set("+0");
            network.kill(node);
            network.start_node_with(node, |command| clock.give(command));
        }
        run_bad_on_panic(run, "all clocks right again", || network.wait_progress(2));
    }
    load.stop();
    run_bad_on_panic(run, "the oracle", || {
        network.check();
    });
    run.metric("locks", locks);
    run.times("decided", &mut times);
}

/// Tries until two are locked on a value that the third does not know; how long they then took to decide.
fn lock(
    network: &mut Network,
    clocks: &[FakeClock],
    order: [usize; 4],
    all_back: bool,
    random: &mut Random,
) -> Duration {
    let [a, b, third, dies] = order;
    for attempt in 0..ATTEMPTS {
        network.kill(dies);
        network.kill(third);
        if !all_back {
            clocks[third].set("-3600s");
            network.start_node_with(third, |command| clocks[third].give(command));
        }
        // It signs some precommits, and dies with one that it has signed and not sent.
        let after = random.within(1..6);
        let points = format!("consensus.precommit.abort={after}*off->return");
        network.start_node_as(dies, &faulty_binary(), |command| {
            clocks[dies].give(command);
            command.env("FAILPOINTS", points);
        });
        wait_for("a validator to die with its precommit", Duration::from_secs(60), || {
            network.has_ended(dies).then_some(())
        });
        std::thread::sleep(Duration::from_millis(300));
        let Some(height) = locked_at(network, a, b, third) else {
            println!("attempt {attempt}: decided without a lock");
            network.start_node_with(dies, |command| clocks[dies].give(command));
            network.wait_progress(1);
            continue;
        };
        let began = Instant::now();
        if all_back {
            [a, b, third].iter().for_each(|node| clocks[*node].set("-1d"));
            std::thread::sleep(Duration::from_millis(1_500));
            network.start_node_with(third, |command| clocks[third].give(command));
        }
        // The height itself, and then others: with one dead and one clock wrong, by the third's turns.
        network.wait_height(height + 2);
        return began.elapsed();
    }
    panic!("{ATTEMPTS} attempts made no lock");
}

/// The height at which two validators are locked on a value that the third did not vote for.
fn locked_at(network: &Network, a: usize, b: usize, third: usize) -> Option<u64> {
    let undecided = height(network, a).max(height(network, b)) + 1;
    let slots = |node: usize| signed_slots(&network.nodes[node].dir.join("guard/guard.log"));
    let locks = |node: usize| {
        let slots = slots(node).into_iter().filter(|((height, _, step), _)| *height == undecided && *step == 2);
        let of_values = slots.filter(|(_, message)| message.starts_with(b"cosignature/v1\n"));
        of_values.map(|((_, round, _), _)| round).collect::<Vec<_>>()
    };
    let (of_a, of_b) = (locks(a), locks(b));
    let round = of_a.into_iter().find(|round| of_b.contains(round))?;
    let nil = |message: &[u8]| message.ends_with(b"value nil\n");
    let voted = slots(third).get(&(undecided, round, 1)).is_some_and(|message| !nil(message));
    (!voted).then_some(undecided)
}

fn fake_clocks(run: &mut Run, network: &Network) -> Option<Vec<FakeClock>> {
    let clocks: Option<Vec<_>> =
        (0..4).map(|node| FakeClock::new(&network.folder().join(format!("clock-{node}")))).collect();
    if clocks.is_none() {
        run.skip(run.count, "libfaketime is not installed");
    }
    clocks
}

/// What belongs to no one try, and is bad all the same.
fn run_bad_on_panic(run: &mut Run, what: &str, attack: impl FnOnce()) {
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(attack));
    if let Err(panic) = caught {
        let words = panic.downcast_ref::<String>().cloned().unwrap_or_default();
        run.bad(&format!("{what}: {words}"));
    }
}

fn counter(network: &Network, node: usize, name: &str) -> u64 {
    let metrics = request(network.nodes[node].admin, "GET", "/metrics", &[], &[]).expect("an answer").text();
    let name = format!("testamur_consensus_{name}_total ");
    metrics.lines().find_map(|line| line.strip_prefix(&name)?.parse().ok()).expect("the counter is there")
}

/// A validator's address, by the name that `testamur init` gives it.
fn address(network: &Network, node: usize) -> String {
    let name = format!("validator-{node}.dev.testamur.example");
    let set = network.trust.genesis().validator_set();
    let named = set.validators().iter().find(|validator| validator.name == name);
    named.expect("it is in genesis").address.to_string()
}

fn height(network: &Network, node: usize) -> u64 {
    wait_for("a validator to answer", Duration::from_secs(30), || network.height(node))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}
