//! R18: 64 readers ask for proofs while the log grows, from whichever node, and verify each against what was served with
//! it; they take checkpoints of one node to another and have it prove that both are one log.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;
use testamur_primitives::checkpoint::Checkpoint;
use testamur_primitives::hash::TreeHash;
use testamur_primitives::header::Header;
use testamur_primitives::merkle::{leaf_hash, verify_consistency, verify_inclusion};
use testamur_primitives::note::Note;
use testamur_primitives::receipt::{Receipt, Verdict, verify};
use testamur_primitives::units::UnixTime;

use super::Shared;
use crate::campaign::Random;
use crate::harness::Client;
use crate::harness::history::Read;

/// Readers at once.
const READERS: u64 = 64;
/// A reader's longest wait: a node may be paused.
const PATIENCE: Duration = Duration::from_secs(4);
/// Pause between two questions of one reader, so that 64 of them leave the writers some of two cores.
const PAUSE: Duration = Duration::from_millis(100);

/// A checkpoint that a node served just now.
struct Tip {
    checkpoint: Checkpoint,
    header: Header,
}

/// Starts them.
pub(super) fn start(shared: &Arc<Shared>) -> Vec<JoinHandle<()>> {
    let reader = |number| {
        let shared = Arc::clone(shared);
        std::thread::spawn(move || read(&shared, number))
    };
    (0..READERS).map(reader).collect()
}

fn read(shared: &Shared, number: u64) {
    let mut random = Random::of(shared.seed, 1_000 + number);
    let mut clients: Vec<_> = shared.nodes.iter().map(|node| Client::with_timeout(*node, PATIENCE)).collect();
    let mut known: Option<Tip> = None;
    while shared.goes_on() {
        let node = random.index(clients.len());
        let outcome = match random.below(10) {
            0..5 => receipt(shared, &mut clients[node], &mut random),
            5..7 => tip(shared, node, &mut clients[node]).and_then(|tip| {
                let older = known.replace(tip);
                let newer = known.as_ref()?;
                older.map(|older| between(&mut clients[random.index(shared.nodes.len())], &older, newer))
            }),
            _ => known.as_ref().and_then(|tip| inclusion(shared, &mut clients[node], tip, &mut random)),
        };
        let mut tally = shared.proofs.lock().expect("no thread panics holding it");
        match outcome {
            Some(Ok(proofs)) => tally.good += proofs,
            Some(Err(what)) => tally.bad.push(format!("reader {number} at node {node}: {what}")),
            // The node is down, paused, or not there yet: nothing was proven, and nothing was wrong.
            None => {}
        }
        drop(tally);
        std::thread::sleep(PAUSE);
    }
}

type Outcome = Option<Result<u64, String>>;

/// A receipt, cut out now: the whole chain of proofs from the record to the validators' signatures.
fn receipt(shared: &Shared, client: &mut Client, random: &mut Random) -> Outcome {
    let known = Receipt::decode(&shared.any_receipt(random)?).expect("the load keeps receipts");
    let id = testamur_primitives::record::Record::parse(known.record.as_bytes()).expect("a record").id();
    let answer = client.get(&format!("/v1/records/{id}/receipt")).ok()?;
    if answer.status == 404 || answer.status == 503 {
        return None; // a node that has just come back is behind
    }
    let verified = || {
        if answer.status != 200 {
            return Err(format!("status {} for a receipt: {}", answer.status, answer.text()));
        }
        let receipt = Receipt::decode(&answer.body).map_err(|error| error.to_string())?;
        let now = UnixTime(shared.trust.genesis().time.0 + 3_600);
        match verify(&receipt, None, &shared.trust, now) {
            Verdict::Confirmed(facts) if facts.record == id && facts.index == known.index => Ok(1),
            Verdict::Confirmed(_) => Err(format!("a receipt of another record than {id}")),
            Verdict::NotValid(error) | Verdict::CannotTell(error) => Err(error.to_string()),
            Verdict::OutOfOffice(_) => Err("out of office".into()),
        }
    };
    Some(verified())
}

/// The newest checkpoint, with its header; noted as a read of the history (R19).
fn tip(shared: &Shared, node: usize, client: &mut Client) -> Option<Tip> {
    let sent = Instant::now();
    let answer = client.request("GET", "/v1/checkpoints/latest", &[("accept", "application/json")], &[]).ok()?;
    let answered = Instant::now();
    let view = answer.json();
    let checkpoint = Checkpoint::parse(&Note::parse(view["note"].as_str()?.as_bytes()).ok()?.text).ok()?;
    let header = Header::decode(view["header_text"].as_str()?.as_bytes()).ok()?;
    let read = Read { node, sent, answered, size: checkpoint.log_size.0 };
    shared.reads.lock().expect("no thread panics holding it").push(read);
    Some(Tip { checkpoint, header })
}

/// Two checkpoints of any two nodes: a third one proves that the log and the history of one begin with the other's.
fn between(client: &mut Client, one: &Tip, two: &Tip) -> Result<u64, String> {
    let (older, newer) = if one.checkpoint.height <= two.checkpoint.height { (one, two) } else { (two, one) };
    let mut proven = 0;
    for tip in [older, newer] {
        // Rekor #956: size of one moment, root of another.
        let Tip { checkpoint, header } = tip;
        let same = (checkpoint.log_size, checkpoint.log_root, checkpoint.height, checkpoint.header);
        if same != (header.log_size, header.log_root, header.height, header.hash()) {
            return Err(format!("a checkpoint of height {} beside another's header", checkpoint.height));
        }
    }
    let (from, to) = (older.checkpoint.log_size.0, newer.checkpoint.log_size.0);
    if let Some(path) = path(client, &format!("/v1/consistency?from={from}&to={to}"))? {
        verify_consistency(from, older.checkpoint.log_root, to, newer.checkpoint.log_root, &path)
            .map_err(|error| format!("from {from} to {to}: {error}"))?;
        proven += 1;
    }
    let (from, to) = (older.header.height.0, newer.header.height.0);
    if from == to {
        let same = older.header.hash() == newer.header.hash();
        return if same { Ok(proven) } else { Err(format!("two headers of height {to}: a fork")) };
    }
    if let Some(path) = path(client, &format!("/v1/history?from={from}&to={to}"))? {
        let leaf = leaf_hash(older.header.hash().as_bytes());
        verify_inclusion(leaf, from, to, &path, newer.header.history_root)
            .map_err(|error| format!("header {from} before {to}: {error}"))?;
        proven += 1;
    }
    Ok(proven)
}

/// A record's tiles-side proof: its receipt's root is that of some height, and this node proves that height's log to lie
/// under the tip that another node has shown.
fn inclusion(shared: &Shared, client: &mut Client, tip: &Tip, random: &mut Random) -> Outcome {
    let known = Receipt::decode(&shared.any_receipt(random)?).expect("the load keeps receipts");
    let header = Header::decode(known.header.as_bytes()).expect("a header");
    let (from, to) = (header.log_size.0, tip.checkpoint.log_size.0);
    if from > to {
        return None;
    }
    match path(client, &format!("/v1/consistency?from={from}&to={to}")) {
        Ok(Some(path)) => {
            let held = verify_consistency(from, header.log_root, to, tip.checkpoint.log_root, &path);
            Some(held.map(|()| 1).map_err(|error| format!("a receipt's root of {from} under {to}: {error}")))
        }
        Ok(None) => None,
        Err(what) => Some(Err(what)),
    }
}

/// The path of an answer; none when the node is away or has not got that far.
fn path(client: &mut Client, target: &str) -> Result<Option<Vec<TreeHash>>, String> {
    let Ok(answer) = client.get(target) else { return Ok(None) };
    match answer.status {
        200 => {
            let body: Value = answer.json();
            serde_json::from_value(body["path"].clone()).map(Some).map_err(|error| format!("{target}: {error}"))
        }
        404 | 503 => Ok(None),
        status => Err(format!("{target}: status {status}: {}", answer.text())),
    }
}
