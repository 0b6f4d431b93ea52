//! Validator sets that change while everything runs: real engines, real TCP on loopback, real guards, over ledgers in
//! memory. Members are written as `number.consensus key.peer key`.

mod memory;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use memory::{How, MemoryLedger, Network, Node, consensus_key, set_record};
use testamur_consensus::Role;
use testamur_primitives::checkpoint::verify_certificate;
use testamur_primitives::epoch::ValidatorSet;
use testamur_primitives::genesis::Parameters;
use testamur_primitives::units::Height;
use tokio::task::JoinHandle;

/// Longest time without a block that counts as "no stall": a turn of a proposer that is away costs a second, several
/// such turns may meet, and two cores run up to seven nodes here, twice.
const GAP_MAX: Duration = Duration::from_secs(10);

/// Logs when asked to: `RUST_LOG=testamur_consensus=debug`.
fn logs() {
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_test_writer().try_init();
}

/// Records without end to some nodes, and the longest wait between two blocks on the first of them.
struct Load {
    stop: Arc<AtomicBool>,
    submitter: JoinHandle<usize>,
    observer: JoinHandle<Duration>,
}

impl Load {
    fn on(nodes: &[&Node]) -> Self {
        let handles: Vec<_> = nodes.iter().map(|node| node.handle.clone()).collect();
        let mut events = handles[0].events();
        let stop = Arc::new(AtomicBool::new(false));
        let (one, other) = (Arc::clone(&stop), Arc::clone(&stop));
        let submitter = tokio::spawn(async move {
            let mut number = 0;
            while !one.load(Ordering::Relaxed) {
                let handle = &handles[number % handles.len()];
                // A node that is stopped meanwhile takes none.
                let _ = handle.submit(Bytes::from(format!("load {number:0400}")), None).await;
                number += 1;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            number
        });
        let observer = tokio::spawn(async move {
            let (mut last, mut longest) = (Instant::now(), Duration::ZERO);
            while !other.load(Ordering::Relaxed) {
                let wait = tokio::time::timeout(Duration::from_millis(100), events.recv()).await;
                longest = longest.max(last.elapsed());
                if wait.is_ok() {
                    last = Instant::now();
                }
            }
            longest
        });
        Self { stop, submitter, observer }
    }

    /// Prints and checks the longest wait.
    async fn end(self, what: &str) {
        self.stop.store(true, Ordering::Relaxed);
        let (records, longest) = (self.submitter.await.unwrap(), self.observer.await.unwrap());
        println!("{what}: {records} records, longest wait between two blocks {longest:?}");
        assert!(longest < GAP_MAX, "{what}: no block for {longest:?}");
    }
}

/// Schedules a set through a node; the first height that it decides.
async fn schedule(node: &Node, from: u64, members: &str) -> u64 {
    let id = node.handle.submit(set_record(from, members), None).await.unwrap();
    node.holds(&id).await;
    let (from, wanted) = (node.ledger.epochs().last().unwrap().0, members.split(' ').count());
    assert_eq!(node.ledger.set_at(from).validators().len(), wanted, "another change was pending");
    from.get()
}

fn tip(node: &Node) -> u64 {
    node.ledger.tip_height()
}

/// Whether a validator's line is in a height's certificate.
fn signed(node: &Node, number: usize, height: u64) -> bool {
    let name = format!("validator-{number}.example");
    node.ledger.certificate(Height(height)).unwrap().signatures.iter().any(|line| line.name == name)
}

/// No fork, one set a height, and every certificate verifies with the set of its height and with no other.
fn check_chain(network: &Network, nodes: &[&Node]) {
    let origin = network.genesis.origin();
    let longest = nodes.iter().max_by_key(|node| tip(node)).unwrap();
    let epochs = longest.ledger.epochs();
    let set_at = |height| &epochs.iter().rfind(|(from, _)| from.get() <= height).unwrap().1;
    for node in nodes {
        for height in 1..=tip(node) {
            let header = node.ledger.header(Height(height)).unwrap();
            assert_eq!(node.ledger.header_hash(Height(height)), longest.ledger.header_hash(Height(height)), "a fork");
            let note = node.ledger.certificate(Height(height)).unwrap();
            let set: &Arc<ValidatorSet> = set_at(height);
            verify_certificate(&origin, &header, &note, set).unwrap();
            for (_, other) in epochs.iter().filter(|(_, other)| other != set) {
                assert!(verify_certificate(&origin, &header, &note, other).is_err());
            }
        }
    }
}

/// Nobody saw anybody sign twice.
fn nobody_signed_twice(nodes: &[&Node]) {
    for node in nodes {
        let text = node.handle.metrics();
        for what in ["double_votes", "double_proposals"] {
            assert!(text.contains(&format!("testamur_consensus_{what}_total 0\n")), "{what} seen by {}", node.number);
        }
    }
}

async fn stop(nodes: Vec<Node>) {
    for node in nodes {
        node.handle.shutdown().await;
    }
}

fn idle() -> Network {
    logs();
    Network::new(Parameters { heartbeat_s: 1, ..Parameters::default() })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn four_five_four_and_a_rotation_under_load_without_a_stall() {
    let network = idle();
    let ledgers: Vec<_> = (0..4).map(|_| MemoryLedger::new(&network.genesis)).collect();
    // Validator 1 holds its next key from the start.
    let how = |number| How { keys: if number == 1 { vec![0, 1] } else { vec![0] }, ..How::default() };
    let start = |number: usize| network.start_so(number, &ledgers[number], how(number));
    let mut nodes = futures::future::try_join_all((0..4).map(start)).await.unwrap();
    nodes[0].reaches(5).await;
    let load = Load::on(&[&nodes[0], &nodes[1], &nodes[3]]);

    // Four become five. Before it is scheduled, the fifth is nobody.
    let early = network.start_so(4, &nodes[0].ledger.backup(), How { keys: vec![0], ..How::default() }).await;
    assert!(early.is_err_and(|e| e.to_string().contains("none that is scheduled")));
    let five = schedule(&nodes[0], tip(&nodes[0]) + 60, "0 1 2 3 4").await;
    nodes.push(network.start(4, &nodes[0].ledger.backup()).await);
    nodes[4].becomes(Role::Scheduled).await;
    nodes[4].becomes(Role::Voting).await;
    assert!(tip(&nodes[4]) + 1 >= five, "voting before its office");
    nodes[4].reaches(five + 30).await;
    assert!((five..five + 30).any(|height| signed(&nodes[0], 4, height)), "the fifth votes");

    // One changes its key; nothing is restarted.
    let rotated = schedule(&nodes[2], tip(&nodes[2]) + 10, "0 1.1 2 3 4").await;
    nodes[0].reaches(rotated + 30).await;
    assert!((rotated..rotated + 30).any(|height| signed(&nodes[0], 1, height)), "votes with its new key");
    assert_eq!(*nodes[1].handle.role().borrow(), Role::Voting);

    // One of the first four leaves.
    let four = schedule(&nodes[3], tip(&nodes[3]) + 10, "0 1.1 3 4").await;
    tokio::time::timeout(Duration::from_secs(60), nodes[2].handle.left()).await.expect("it learns that it has left");
    assert!(tip(&nodes[2]) >= four, "INV-LEAVE-1");
    assert!(nodes[2].handle.fatal().borrow().is_none());
    nodes[0].reaches(four + 30).await;
    assert!((four..four + 30).all(|height| !signed(&nodes[0], 2, height)));

    // It stays connected for a while, then it is alone.
    let cut = async {
        while nodes[2].handle.peers().iter().any(|peer| peer.connected) || tip(&nodes[2]) + 20 > tip(&nodes[0]) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(90), cut).await.expect("a validator that has left is disconnected");
    assert!(tip(&nodes[2]) > four + 10, "it had the last blocks");
    load.end("4 to 5 to 4 and a rotation").await;
    let all: Vec<_> = nodes.iter().collect();
    nobody_signed_twice(&all);
    check_chain(&network, &all);
    stop(nodes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_that_was_down_over_two_set_changes_catches_up_and_is_needed() {
    let network = idle();
    let mut nodes = network.start_all().await;
    nodes[0].reaches(3).await;
    let away = nodes.pop().unwrap();
    away.handle.shutdown().await;
    // Meanwhile a fifth enters, and one changes both its keys by a restart.
    let five = schedule(&nodes[0], tip(&nodes[0]) + 6, "0 1 2 3 4").await;
    nodes.push(network.start(4, &nodes[0].ledger.backup()).await);
    nodes[0].reaches(five + 2).await;
    let rotated = schedule(&nodes[0], tip(&nodes[0]) + 6, "0 1.1.1 2 3 4").await;
    nodes[0].reaches(rotated - 1).await;
    nodes[1].becomes(Role::KeyMissing).await;
    // Of five, three vote now: the next height waits for the new keys.
    nodes[1].handle.shutdown().await;
    let how = How { keys: vec![1], peer: 1, ..How::default() };
    nodes[1] = network.start_so(1, &nodes[1].ledger, how).await.unwrap();
    let height = tip(&nodes[0]);
    nodes[0].reaches(height + 5).await;

    // The one that was away knows neither the fifth nor the new keys.
    let back = network.start(3, &away.ledger).await;
    assert!(tip(&back) < five);
    back.becomes(Role::Voting).await;
    back.reaches(tip(&nodes[0])).await;
    let gone = nodes.remove(2);
    gone.handle.shutdown().await;
    let height = tip(&nodes[0]);
    nodes[0].reaches(height + 8).await;
    assert!((height + 1..height + 8).any(|height| signed(&nodes[0], 3, height)), "it is needed, and votes");
    nodes.push(back);
    let all: Vec<_> = nodes.iter().collect();
    nobody_signed_twice(&all);
    check_chain(&network, &all);
    stop(nodes).await;
}

/// INV-ROTATE-1: without the key that the set names nothing is signed, whether the set changes under a running node or the
/// node starts with its old key; with the key it votes at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_validator_without_its_new_key_signs_nothing_says_so_and_votes_once_it_has_it() {
    let network = idle();
    let mut nodes = network.start_all().await;
    nodes[0].reaches(3).await;
    let rotated = schedule(&nodes[0], tip(&nodes[0]) + 3, "0 1.1 2 3").await;
    nodes[1].becomes(Role::KeyMissing).await;
    assert!(nodes[1].handle.metrics().contains("testamur_consensus_voting 0\n"));
    nodes[1].reaches(rotated + 6).await;
    nodes[1].handle.shutdown().await;
    // With its old key only.
    nodes[1] = network.start(1, &nodes[1].ledger).await;
    nodes[1].becomes(Role::KeyMissing).await;
    let height = tip(&nodes[0]);
    nodes[1].reaches(height + 6).await;
    assert!((rotated..height + 6).all(|height| !signed(&nodes[0], 1, height)), "INV-ROTATE-1");
    // The key is brought while it runs.
    let before = tip(&nodes[1]);
    nodes[1].handle.hold_key(consensus_key(1, 1));
    nodes[1].becomes(Role::Voting).await;
    nodes.remove(2).handle.shutdown().await;
    nodes[0].reaches(tip(&nodes[0]) + 6).await;
    assert!((before..tip(&nodes[0])).any(|height| signed(&nodes[0], 1, height)), "now it is needed, and votes");
    let all: Vec<_> = nodes.iter().collect();
    nobody_signed_twice(&all);
    check_chain(&network, &all);
    stop(nodes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_changes_as_soon_as_they_may() {
    let network = idle();
    let mut nodes = network.start_all().await;
    nodes[0].reaches(3).await;
    let load = Load::on(&nodes.iter().collect::<Vec<_>>());
    for (joins, members) in [(4, "0 1 2 3 4"), (5, "0 1 2 3 4 5")] {
        // Two heights ahead: the newcomer is not even connected when its office begins.
        let from = schedule(&nodes[0], 0, members).await;
        nodes[0].reaches(from).await;
        nodes.push(network.start(joins, &nodes[0].ledger.backup()).await);
        nodes[joins].becomes(Role::Voting).await;
        nodes[joins].reaches(tip(&nodes[0])).await;
    }
    // And one that takes one out, changes a key and is followed by the next at once.
    nodes[3].handle.hold_key(consensus_key(3, 1));
    let first = schedule(&nodes[1], 0, "0 1 2 3.1 4 5").await;
    nodes[1].reaches(first).await;
    let second = schedule(&nodes[1], 0, "1 2 3.1 4 5").await;
    tokio::time::timeout(Duration::from_secs(60), nodes[0].handle.left()).await.expect("left");
    load.end("two by two").await;
    nodes[1].reaches(second + 10).await;
    let all: Vec<_> = nodes.iter().collect();
    nobody_signed_twice(&all);
    check_chain(&network, &all);
    stop(nodes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_fifth_joins_while_one_of_four_is_dead() {
    let network = idle();
    let mut nodes = network.start_all().await;
    nodes[0].reaches(3).await;
    let dead = nodes.pop().unwrap();
    dead.handle.shutdown().await;
    let load = Load::on(&nodes.iter().collect::<Vec<_>>());
    let from = schedule(&nodes[0], tip(&nodes[0]) + 40, "0 1 2 3 4").await;
    nodes.push(network.start(4, &nodes[0].ledger.backup()).await);
    // From there on all four that live are needed.
    for node in &nodes {
        node.reaches(from + 12).await;
    }
    assert!((from..from + 12).all(|height| signed(&nodes[0], 4, height)));
    load.end("the fifth joins while one of four is dead").await;
    let all: Vec<_> = nodes.iter().collect();
    nobody_signed_twice(&all);
    check_chain(&network, &all);
    stop(nodes).await;
}

/// The set with the fifth holds two heights after it is scheduled, one of four is dead, and the fifth starts when the others
/// already stand still for want of its vote: it must not wait for a height that others decide without it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_newcomer_that_is_late_and_needed_votes_at_once() {
    let network = idle();
    let mut nodes = network.start_all().await;
    nodes[0].reaches(3).await;
    nodes.pop().unwrap().handle.shutdown().await;
    let from = schedule(&nodes[0], 0, "0 1 2 3 4").await;
    for node in &nodes {
        node.reaches(from - 1).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(nodes.iter().all(|node| tip(node) == from - 1), "three of five decide nothing");
    let started = Instant::now();
    nodes.push(network.start(4, &nodes[0].ledger.backup()).await);
    nodes[0].reaches(from + 3).await;
    println!("four heights after {:?}", started.elapsed());
    assert!((from..from + 3).all(|height| signed(&nodes[0], 4, height)));
    let all: Vec<_> = nodes.iter().collect();
    nobody_signed_twice(&all);
    check_chain(&network, &all);
    stop(nodes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn addresses_are_brought_while_everything_runs() {
    let network = idle();
    let mut nodes = network.start_all().await;
    nodes[0].reaches(3).await;
    let from = schedule(&nodes[0], tip(&nodes[0]) + 3, "0 1 2 3 4").await;
    // The others' book names everybody; they are told to forget the fifth, which knows nobody.
    for node in &nodes {
        node.handle.set_peers(network.addresses((0..4).filter(|other| *other != node.number)));
    }
    let how = How { keys: vec![0], strangers: (0..7).collect(), ..How::default() };
    nodes.push(network.start_so(4, &nodes[0].ledger.backup(), how).await.unwrap());
    let connected = |node: &Node| node.handle.peers().iter().filter(|peer| peer.connected).count();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!((connected(&nodes[4]), nodes[0].handle.peers().len()), (0, 4));
    // One that knows its address is enough to connect the two, whoever dials.
    nodes[4].handle.set_peers(network.addresses(0..2));
    nodes[2].handle.set_peers(network.addresses([0, 1, 3, 4]));
    nodes[3].handle.set_peers(network.addresses([0, 1, 2, 4]));
    let all_connected = async {
        while nodes.iter().any(|node| connected(node) < 4) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), all_connected).await.expect("everybody is connected");
    nodes[4].reaches(from + 5).await;
    nodes[4].becomes(Role::Voting).await;
    let all: Vec<_> = nodes.iter().collect();
    check_chain(&network, &all);
    stop(nodes).await;
}
