//! R30: do the tests bite? What stopped, halted or discredited other ledgers is made to happen to ours, by a failpoint of the
//! faulty build, and is *caught*: by the node itself, by its peers, or by a look that other rows take as well.
//!
//! And code that is changed in small ways: does some test of its crate fail? (`scripts/mutants`)
//!
//! What other rows re-create whole is not repeated: acknowledging before a sync (R4), a wiped quorum (R8), one key in two
//! processes (R9), rolling upgrades (R22), clients that flood (R20).

use std::fs;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use testamur_primitives::receipt::{Receipt, Verdict, verify};
use testamur_primitives::record::Record;
use testamur_primitives::units::UnixTime;

use super::full::{SmallDisk, fill_to_the_reserve, reserve, start_without_reserve};
use super::repository;
use crate::campaign::{Lane, Row, Run};
use crate::harness::{Network, Pace, Setup, faulty_binary, request, testamur, wait_for};

pub(super) const ROWS: &[Row] = &[
    Row {
        id: "R30",
        name: "incidents-made-again",
        lane: Lane::Networks,
        ci: INCIDENTS.len() as u64,
        release: INCIDENTS.len() as u64,
        attack: incidents,
    },
    Row {
        id: "R30",
        name: "small-changes",
        lane: Lane::Machine,
        ci: CHANGED,
        release: 4_000, // all of them
        attack: small_changes,
    },
];

/// How many small changes of what has changed CI tries: five seconds each.
const CHANGED: u64 = 60;

/// CI tries what has changed since the run that is kept, a longer run everything, each an even share of about its count.
fn small_changes(run: &mut Run) {
    let mut mutants = Command::new(repository().join("scripts/mutants"));
    mutants.env("TESTAMUR_AT_MOST", run.count.to_string()).env("TESTAMUR_SEED", run.seed.to_string());
    if run.count <= CHANGED {
        mutants.arg("changed");
    }
    run.outside(&mut mutants);
}

/// An incident of others: who had it, and how it is made again.
struct Incident {
    name: &'static str,
    again: fn(&mut Network),
    /// Whether it takes the right to mount a file system.
    mounts: bool,
}

impl Incident {
    const fn new(name: &'static str, again: fn(&mut Network)) -> Self {
        Self { name, again, mounts: false }
    }
}

/// All but the first are node 3's, which gets a new disk after each.
const INCIDENTS: &[Incident] = &[
    Incident::new("Yeti 2022: a bit between leaf and hash", a_bit_between_leaf_and_hash),
    Incident::new("Raio 2025: going on after a failure", going_on_after_a_failed_write),
    Incident::new("Rekor 956: the proof for another size", a_proof_for_another_size),
    Incident::new("Sovrin 2018, Malachite 850, 864: votes in memory alone", votes_in_memory_alone),
    Incident::new("Mammoth 2025: a time that is not the others'", a_time_that_is_not_the_others),
    Incident::new("Persistence: another state from another compiler", another_state),
    Incident::new("DigiCert 2020: a signing key is stolen", a_stolen_key),
    Incident::new("Besu 7642: no block, and no word", no_block_and_no_word),
    Incident { mounts: true, ..Incident::new("Mammoth 2024: a disk fills and nobody stops", a_disk_that_fills) },
];

/// How long anything may take until it is noticed here, with other work on the same two cores.
const MOST: Duration = Duration::from_secs(60);

fn incidents(run: &mut Run) {
    let mut network = Network::start(&Setup::default());
    let load = network.load_at(Pace { writers: 8, per_second: 40 });
    network.wait_receipts(60);
    let mut caught = 0;
    let may_mount = SmallDisk::may_be_mounted();
    for Incident { name, again, mounts } in INCIDENTS {
        if *mounts && !may_mount {
            run.skip(1, "no right to mount a file system");
            continue;
        }
        if run.attempt(name, || again(&mut network)).is_some() {
            caught += 1;
        }
        // The product again, on a new disk: none of it may stay.
        let sound = run.attempt("the network afterwards", || {
            // Whatever came of it, nobody misbehaves any more.
            for node in [2, 3] {
                network.kill(node);
                network.start_node(node);
            }
            network.wait_ready();
            network.wait_votes();
        });
        if sound.is_none() {
            break;
        }
    }
    load.stop();
    network.check();
    run.metric("incidents", INCIDENTS.len());
    run.metric("caught", caught);
}

/// Starts node 3 anew, by the faulty build with these failpoints.
fn break_node_3(network: &mut Network, failpoints: &str) {
    network.kill(3);
    network.start_node_as(3, &faulty_binary(), |command| {
        command.env("FAILPOINTS", failpoints);
    });
}

/// Ends what runs as node 3, and gives it a new disk.
fn new_disk(network: &mut Network) {
    network.kill(3);
    network.wipe(3);
}

/// What node 3 has said since its log had `from` bytes.
fn words(network: &Network, from: u64) -> String {
    let bytes = fs::read(network.nodes[3].dir.join("log")).unwrap_or_default();
    String::from_utf8_lossy(bytes.get(from as usize..).unwrap_or_default()).into_owned()
}

fn length_of_log(network: &Network) -> u64 {
    fs::metadata(network.nodes[3].dir.join("log")).map_or(0, |log| log.len())
}

fn unready(network: &Network, node: usize) -> Option<String> {
    let told = request(network.nodes[node].admin, "GET", "/readyz", &[], &[]).ok()?;
    (told.status == 503).then(|| told.text())
}

/// The stored record differs from the leaf that was voted on. The node notices by itself, or `check` does.
fn a_bit_between_leaf_and_hash(network: &mut Network) {
    break_node_3(network, "store.entries-before-write.flip-bit=5*off->1*return(1003)->off");
    let (receipts, height) = (network.receipts() + 100, network.height(0).map(|height| height + 10));
    let mut ended = false;
    // It may meet that record at once, when somebody asks for it.
    wait_for("node 3 to notice, or to go on", MOST, || {
        ended = network.has_ended(3);
        (ended || (network.height(3) >= height && network.receipts() >= receipts)).then_some(())
    });
    network.kill(3);
    let check = testamur(network.folder()).args(["check", "--json", "--dir"]).arg(&network.nodes[3].dir).output();
    let check = check.expect("the binary runs");
    let report = String::from_utf8_lossy(&check.stdout);
    let found = !check.status.success() && report.contains("entries");
    assert!(ended || found, "nobody noticed: {report}");
    new_disk(network);
}

/// A write fails, and the part that should stop everything does not. The process ends all the same.
fn going_on_after_a_failed_write(network: &mut Network) {
    let before = length_of_log(network);
    break_node_3(network, "store.health.go-on=return;store.write.fail=20*off->1*return->off");
    wait_for("node 3 to end after a failed write", MOST, || network.has_ended(3).then_some(()));
    let said = words(network, before);
    assert!(said.contains("a failpoint"), "it says which failure it was: {said}");
    new_disk(network);
}

/// Size and proof of two different moments. Whoever verifies a receipt finds it.
fn a_proof_for_another_size(network: &mut Network) {
    break_node_3(network, "store.receipt.another-size=return");
    wait_for("node 3 to be there", MOST, || network.height(3));
    let handed_out = network.acknowledged.lock().expect("no thread panics holding it").first().cloned();
    let known = Receipt::decode(&handed_out.expect("a receipt")).expect("a receipt that was handed out");
    let id = Record::parse(known.record.as_bytes()).expect("it holds a record").id();
    let answer = wait_for("node 3 to answer", MOST, || {
        let answer = network.get(3, &format!("/v1/records/{id}/receipt"))?;
        (answer.status == 200).then_some(answer)
    });
    let receipt = Receipt::decode(&answer.body).expect("it looks like a receipt");
    let now = UnixTime(network.trust.genesis().time.0 + 3_600);
    let verdict = verify(&receipt, None, &network.trust, now);
    assert!(matches!(verdict, Verdict::NotValid(_)), "it is believed: {verdict:?}");
    // What it handed out to the load is no receipt either: those are not counted as handed out by an honest node.
    let mut all = network.acknowledged.lock().expect("no thread panics holding it");
    all.retain(|bytes| {
        let receipt = Receipt::decode(bytes).expect("a receipt");
        matches!(verify(&receipt, None, &network.trust, now), Verdict::Confirmed(_))
    });
    drop(all);
    new_disk(network);
}

/// A validator signs and does not write down what. The guard's file, which the oracle compares at each look, lacks it.
fn votes_in_memory_alone(network: &mut Network) {
    let name = name_of_node_3(network);
    break_node_3(network, "consensus.guard.forget=return");
    network.wait_progress(6);
    // A block that node 3 cosigned since.
    let from = network.height(0).expect("node 0 answers");
    let signed = wait_for("node 3 to cosign", MOST, || {
        let height = network.height(0)?;
        let signed_at = |height: &u64| {
            let note = network.get(0, &format!("/v1/checkpoints/{height}"))?;
            note.text().contains(&name).then_some(())
        };
        (from..=height).find(|height| signed_at(height).is_some())
    });
    network.kill(3);
    let known = network.signed(3);
    assert!(
        !known.keys().any(|(height, _, _)| *height == signed),
        "its guard holds height {signed}, although it forgets everything"
    );
    new_disk(network);
}

/// The name of node 3's validator: the one that node 3 does not name among its peers, and the others do.
fn name_of_node_3(network: &Network) -> String {
    let status = network.get(3, "/v1/status").expect("node 3 answers").json();
    status["name"].as_str().expect("a name").to_owned()
}

/// A proposer whose clock is an hour ahead. The others refuse its blocks, and block time stays theirs.
fn a_time_that_is_not_the_others(network: &mut Network) {
    let before = network.height(0).expect("node 0 answers");
    break_node_3(network, "consensus.lie.future-time=return");
    network.wait_height(before + 12);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let mut last = 0;
    for height in before..before + 12 {
        let block = network.get(0, &format!("/v1/blocks/{height}")).expect("an answer").json();
        let time = block["header"]["time"].as_u64().expect("a time");
        assert!(time >= last, "block time goes back at {height}");
        assert!(time <= now + 60, "block {height} is {} s ahead", time - now);
        last = time;
    }
    new_disk(network);
}

/// A node that computes another state root. It takes no part in what the others decide, and says so.
fn another_state(network: &mut Network) {
    let before = length_of_log(network);
    break_node_3(network, "store.state-root.flip-bit=return");
    network.wait_receipts(network.receipts() + 100);
    wait_for("node 3 to stop or to fall behind", MOST, || {
        let others = network.height(0)?;
        let ended = network.has_ended(3);
        let behind = network.height(3).is_none_or(|height| height + 2 < others);
        (ended || behind).then_some(())
    });
    let said = words(network, before);
    assert!(said.contains("state"), "it says what differs: {said}");
    new_disk(network);
}

/// Whoever has one validator's key can sign a checkpoint. That convinces nobody.
fn a_stolen_key(network: &mut Network) {
    let handed_out = network.acknowledged.lock().expect("no thread panics holding it").first().cloned();
    let mut receipt = Receipt::decode(&handed_out.expect("a receipt")).expect("a receipt that was handed out");
    // Body and the one signature that the thief can make; the others are missing.
    let (body, signatures) = receipt.note.split_once("\n\n").expect("a note has signatures");
    let first = signatures.lines().next().expect("a signature");
    receipt.note = format!("{body}\n\n{first}\n");
    let now = UnixTime(network.trust.genesis().time.0 + 3_600);
    // Its digest is over what is in it: the thief makes a new one.
    let forged = Receipt::decode(&receipt.encode()).expect("a receipt");
    let verdict = verify(&forged, None, &network.trust, now);
    assert!(matches!(verdict, Verdict::NotValid(_)), "one signature convinces: {verdict:?}");
}

/// Two of four fall silent while all are connected: nothing is decided, and the others say so.
fn no_block_and_no_word(network: &mut Network) {
    for node in [2, 3] {
        network.kill(node);
        network.start_node_as(node, &faulty_binary(), |command| {
            command.env("FAILPOINTS", "consensus.lie.silence=return");
        });
    }
    // All are connected again soon: it is not for want of peers.
    wait_for("node 0 to say that nothing is decided, and whose votes are missing", MOST, || {
        unready(network, 0).filter(|why| why.contains("\"stalled\"") && !why.contains("\"no-quorum\""))
    });
}

/// A node that does not notice how its disk fills. The row of full disks does: no record is refused in time.
fn a_disk_that_fills(other: &mut Network) {
    let mut network = Network::make(&Setup::default());
    let _disk = SmallDisk::mount(&network.nodes[3].dir.join("data"), 192).expect("one could be mounted before");
    reserve(&network, 3);
    for node in 0..3 {
        network.start_node(node);
    }
    start_without_reserve(&mut network);
    network.wait_ready();
    let (filler, refused) = fill_to_the_reserve(&network);
    fs::remove_file(filler).expect("room again");
    assert!(refused.is_none(), "records are refused although nobody looks at the disk");
    drop(network);
    other.wait_progress(1);
}
