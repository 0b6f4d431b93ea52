//! The oracle: what must hold at the end of every run, whatever was done to the network.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::PoisonError;

use serde_json::Value;
use testamur_primitives::checkpoint::{Checkpoint, verify_certificate};
use testamur_primitives::codec::sha256;
use testamur_primitives::epoch::{EpochLink, TrustedEpoch};
use testamur_primitives::hash::{RecordId, TreeHash};
use testamur_primitives::header::Header;
use testamur_primitives::merkle::{MemoryTree, leaf_hash, verify_consistency, verify_inclusion};
use testamur_primitives::note::Note;
use testamur_primitives::receipt::{Facts, Receipt, Verdict, verify};
use testamur_primitives::record::Record;
use testamur_primitives::trust::TrustFile;
use testamur_primitives::units::UnixTime;

use super::history::{self, Append, Read};
use super::{Client, Network};
use crate::campaign::Random;

/// Receipts that are cut out anew from each node, drawn from all: one request each, where the log itself is compared whole.
const CUT_ANEW: usize = 200;
/// Pairs of checkpoints between which nodes must prove consistency, drawn from all that were ever served.
const PAIRS: usize = 200;
/// Entries of a full bundle.
const BUNDLE: u64 = 256;

/// What the oracle looked at.
#[derive(Debug, Clone, Copy, Default)]
pub struct Found {
    /// The height at which all nodes were compared.
    pub height: u64,
    /// Records in the log there.
    pub records: u64,
    /// Receipts that were handed out.
    pub receipts: usize,
    /// Answers that a record is final.
    pub finals: usize,
    /// Different checkpoints that were ever served.
    pub checkpoints: usize,
    /// Reads of checkpoints in the history.
    pub reads: usize,
    /// Proofs that nodes gave and that hold.
    pub proofs: usize,
}

/// One node's ledger as its API shows it.
struct Shown {
    /// Hashes of its headers, height 1 first.
    hashes: Vec<String>,
    /// Leaf hashes of its log.
    leaves: Vec<TreeHash>,
    /// Ids of its records.
    ids: Vec<RecordId>,
    /// Author and jti of its records, hashed.
    names: Vec<[u8; 32]>,
}

impl Network {
    /// The oracle; see the module's documentation. Starts what does not run, and stops all in the end.
    ///
    /// # Panics
    /// When anything is not as promised: says what.
    pub fn check(&mut self) -> Found {
        let honest: Vec<_> =
            self.nodes.iter().map(|node| node.number).filter(|number| !self.dishonest.contains(number)).collect();
        for number in &honest {
            assert!(!self.has_ended(*number), "node {number} ended by itself:\n{}", self.last_words(*number));
            self.start_node(*number);
        }
        self.wait_ready();
        let (notes, seen) = {
            let memory = self.watch.memory();
            assert!(memory.nonsense.is_empty(), "a node served no checkpoint at all: {:?}", memory.nonsense);
            (memory.notes.clone(), memory.seen.clone())
        };
        let seen: Vec<_> = seen.into_iter().filter(|seen| honest.contains(&seen.node)).collect();
        let heights = self.heights().into_iter().flatten().chain(seen.iter().map(|seen| seen.checkpoint.height.0));
        let highest = heights.max().expect("a node answers");
        self.wait_height(highest);

        let mut clients: Vec<_> = self.nodes.iter().map(|node| Client::new(node.api)).collect();
        let mut found = Found { height: highest, ..Found::default() };
        if self.dishonest.is_empty() && !self.double_signatures_expected {
            self.nobody_saw_a_double_signature();
        }
        let shown = one_ledger(&mut clients, &honest, highest);
        found.records = shown.leaves.len() as u64;
        let tree = MemoryTree::from_leaf_hashes(&shown.leaves);
        let served: Vec<_> = notes.iter().filter(|(_, by)| by.iter().any(|node| honest.contains(node))).collect();
        let checkpoints = checkpoints_of(&self.trust, &mut clients[honest[0]], &served, &shown, &tree);
        found.checkpoints = served.len();
        found.proofs = proofs(&mut clients, &honest, &checkpoints, &shown);

        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (id, index) in written.iter().filter_map(|w| Some((w.id, w.index?))) {
            found.finals += 1;
            let there = usize::try_from(index).ok().and_then(|index| shown.ids.get(index));
            assert_eq!(there, Some(&id), "record {id} was answered as final at place {index}");
        }
        let facts = {
            // Held and not copied: a long run has hundreds of megabytes of them.
            let receipts = self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
            found.receipts = receipts.len();
            receipts_hold(&receipts, &self.trust, &shown)
        };
        found.proofs += self.cut_anew(&mut clients, &honest, &facts);

        let places: HashMap<_, _> = shown.ids.iter().zip(0u64..).map(|(id, place)| (*id, place)).collect();
        let appends: Vec<_> = written
            .iter()
            .map(|w| Append {
                node: w.node,
                sent: w.sent,
                answered: w.index.map(|_| w.answered),
                place: places.get(&w.id).copied(),
            })
            .collect();
        let reads: Vec<_> = seen
            .iter()
            .map(|seen| Read {
                node: seen.node + self.nodes.len() * seen.life as usize,
                sent: seen.asked,
                answered: seen.answered,
                size: seen.checkpoint.log_size.0,
            })
            .collect();
        found.reads = reads.len();
        if let Err(what) = history::check(&appends, &reads) {
            panic!("no single log can have shown this: {what}");
        }

        drop(clients);
        for number in 0..self.nodes.len() {
            self.stop(number);
        }
        let reports = self.every_ledger_is_clean(&honest);
        println!("oracle: {found:?}, heights {reports:?}");
        found
    }

    fn nobody_saw_a_double_signature(&self) {
        for node in &self.nodes {
            let metrics = Client::new(node.admin).get("/metrics").expect("an answer").text();
            let of_interest = |l: &&str| (l.contains("double_") || l.contains("duplicate_keys")) && !l.starts_with('#');
            for line in metrics.lines().filter(of_interest) {
                let count: f64 = line.rsplit(' ').next().and_then(|n| n.parse().ok()).expect("a number");
                assert!(count == 0.0, "node {} saw a key used twice: {line}", node.number);
            }
        }
    }

    /// Some receipts, from every node: how many.
    fn cut_anew(&self, clients: &mut [Client], honest: &[usize], facts: &[Facts]) -> usize {
        let mut random = Random::of(facts.len() as u64, 1);
        let mut cut = 0;
        for number in honest {
            for _ in 0..CUT_ANEW.min(facts.len()) {
                let known = random.pick(facts);
                let client = &mut clients[*number];
                let answer = client.get(&format!("/v1/records/{}/receipt", known.record)).expect("an answer");
                assert_eq!(answer.status, 200, "node {number} has no receipt of {}", known.record);
                let receipt = Receipt::decode(&answer.body).expect("a receipt");
                let anew = believed(&receipt, &self.trust);
                let same = |f: &Facts| (f.record, f.index, f.height, f.time, f.author.clone(), f.network);
                assert_eq!(same(&anew), same(known), "node {number} cuts out something else");
                cut += 1;
            }
        }
        cut
    }

    /// `testamur check` of every node, all at once; height and size of each.
    fn every_ledger_is_clean(&self, honest: &[usize]) -> Vec<(u64, u64)> {
        let running: Vec<_> = honest
            .iter()
            .map(|number| {
                let mut command = self.testamur();
                command.args(["check", "--json", "--dir"]).arg(&self.nodes[*number].dir);
                (number, std::thread::spawn(move || command.output().expect("the binary runs")))
            })
            .collect();
        let reports = running.into_iter().map(|(number, check)| {
            let output = check.join().expect("no panic");
            let report: Value = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
            assert!(
                output.status.success() && report["clean"] == true,
                "testamur check of node {number}: {report} {}",
                String::from_utf8_lossy(&output.stderr)
            );
            (report["height"].as_u64().expect("a height"), report["log_size"].as_u64().expect("a size"))
        });
        reports.collect()
    }
}

/// What all nodes show, which must be the same at every height and place.
fn one_ledger(clients: &mut [Client], honest: &[usize], highest: u64) -> Shown {
    let mut first: Option<(usize, Shown)> = None;
    for number in honest {
        let shown = read(&mut clients[*number], *number, highest);
        let Some((other, known)) = &first else {
            first = Some((*number, shown));
            continue;
        };
        let fork = shown.hashes.iter().zip(&known.hashes).position(|(one, two)| one != two);
        assert_eq!(fork.map(|place| place + 1), None, "nodes {other} and {number} differ from this height on: a fork");
        assert_eq!((shown.hashes.len(), shown.leaves.len()), (known.hashes.len(), known.leaves.len()));
        let differs = shown.leaves.iter().zip(&known.leaves).position(|(one, two)| one != two);
        assert_eq!(differs, None, "nodes {other} and {number} hold different records at this place");
    }
    let (_, shown) = first.expect("a node is honest");
    let mut once = HashSet::new();
    let twice = shown.ids.iter().find(|id| !once.insert(**id));
    assert_eq!(twice, None, "a record is in the log twice");
    let mut once = HashSet::new();
    let twice = shown.names.iter().position(|name| !once.insert(*name));
    assert_eq!(twice, None, "the author of the record at this place has used its jti before");
    shown
}

fn read(client: &mut Client, number: usize, highest: u64) -> Shown {
    let mut shown = Shown { hashes: Vec::new(), leaves: Vec::new(), ids: Vec::new(), names: Vec::new() };
    let (mut before, mut size) = (highest + 1, 0);
    while before > 1 {
        let page = client.get(&format!("/v1/blocks?before={before}&limit=100")).expect("an answer");
        assert_eq!(page.status, 200, "node {number}: {}", page.text());
        let page = page.json();
        let blocks = page["blocks"].as_array().expect("a list");
        assert!(!blocks.is_empty(), "node {number} has no blocks below {before}");
        for block in blocks {
            let height = block["height"].as_u64().expect("a height");
            if height == 0 {
                before = 0;
                break;
            }
            assert_eq!(height, before - 1, "node {number} leaves a block out");
            if height == highest {
                size = block["log_size"].as_u64().expect("a size");
            }
            shown.hashes.push(block["hash"].as_str().expect("a hash").to_owned());
            before = height;
        }
    }
    shown.hashes.reverse();
    assert_eq!(shown.hashes.len() as u64, highest, "node {number} has every block");
    while (shown.leaves.len() as u64) < size {
        let place = shown.leaves.len() as u64 / BUNDLE;
        let width = (size - place * BUNDLE).min(BUNDLE);
        let partial = if width < BUNDLE { format!(".p/{width}") } else { String::new() };
        let answer = client.get(&format!("/log/tile/entries/{}{partial}", tile_index(place))).expect("an answer");
        assert_eq!(answer.status, 200, "node {number}: entries {place}{partial}: {}", answer.text());
        let mut rest = answer.body.as_slice();
        for _ in 0..width {
            let (length, after) = rest.split_first_chunk::<2>().expect("a length");
            let (entry, after) = after.split_at(usize::from(u16::from_be_bytes(*length)));
            shown.leaves.push(leaf_hash(entry));
            let signed = entry.iter().rposition(|byte| *byte == b'.').expect("a compact JWS");
            shown.ids.push(RecordId::from_bytes(sha256(&[&entry[..signed]])));
            let record = Record::parse(entry).expect("a record");
            let (author, jti) = (record.author().as_str(), record.payload().jti.as_str());
            shown.names.push(sha256(&[author.as_bytes(), b"\n", jti.as_bytes()]));
            rest = after;
        }
        assert!(rest.is_empty(), "node {number}: more than {width} entries");
    }
    shown
}

/// `x001/x234/067`.
fn tile_index(mut index: u64) -> String {
    let mut text = format!("{:03}", index % 1_000);
    while index >= 1_000 {
        index /= 1_000;
        text = format!("x{:03}/{text}", index % 1_000);
    }
    text
}

/// Every note that was ever served is a decision of the epoch's validators on *the* header of its height, and its log is
/// a prefix of *the* log. Headers by height.
fn checkpoints_of(
    trust: &TrustFile,
    client: &mut Client,
    served: &[(&String, &Vec<usize>)],
    shown: &Shown,
    tree: &MemoryTree,
) -> BTreeMap<u64, Header> {
    let mut epochs = vec![trust.genesis_epoch()];
    loop {
        let start = epochs.len() - 1;
        let page = client.get(&format!("/v1/epochs?start={start}&limit=1")).expect("an answer").json();
        let link = page["epochs"][0]["link"].clone();
        if link.is_null() {
            break;
        }
        let link: EpochLink = serde_json::from_value(link).expect("a link");
        let next: TrustedEpoch = epochs[start].follow(trust.origin(), &link).expect("the old set vouches for the new");
        epochs.push(next);
    }
    let mut headers = BTreeMap::new();
    for (text, nodes) in served {
        let note = Note::parse(text.as_bytes()).expect("it was parsed when it was seen");
        let checkpoint = Checkpoint::parse(&note.text).expect("it was parsed when it was seen");
        let height = checkpoint.height.0;
        let header = headers.entry(height).or_insert_with(|| {
            let block = client.get(&format!("/v1/blocks/{height}")).expect("an answer").json();
            let header: Header = serde_json::from_value(block["header"].clone()).expect("a header");
            assert_eq!(header.hash().to_string(), shown.hashes[height as usize - 1], "height {height}");
            let root = tree.root(header.log_size.0).expect("the log is that long");
            assert_eq!(root, header.log_root, "the log's root at height {height}");
            header
        });
        let set = &epochs[header.epoch.0 as usize].validators;
        if let Err(error) = verify_certificate(trust.origin(), header, &note, set) {
            panic!("nodes {nodes:?} served a checkpoint of height {height} that is not the ledger's: {error}\n{text}");
        }
    }
    headers
}

/// Nodes prove to each other that what they showed was one log and one history: between pairs of all that was served. How
/// many proofs there were.
fn proofs(clients: &mut [Client], honest: &[usize], headers: &BTreeMap<u64, Header>, shown: &Shown) -> usize {
    let headers: Vec<_> = headers.values().collect();
    if headers.len() < 2 {
        return 0;
    }
    let mut random = Random::of(shown.leaves.len() as u64, 2);
    let mut held = 0;
    for _ in 0..PAIRS {
        let (one, two) = (random.index(headers.len()), random.index(headers.len()));
        let (older, newer) = (headers[one.min(two)], headers[one.max(two)]);
        let client = &mut clients[*random.pick(honest)];
        let path = |answer: Value| -> Vec<TreeHash> { serde_json::from_value(answer["path"].clone()).expect("a path") };
        let (from, to) = (older.log_size.0, newer.log_size.0);
        let answer = client.get(&format!("/v1/consistency?from={from}&to={to}")).expect("an answer").json();
        verify_consistency(from, older.log_root, to, newer.log_root, &path(answer)).expect("the log only grew");
        held += 1;
        if older.height < newer.height {
            let (from, to) = (older.height.0, newer.height.0);
            let answer = client.get(&format!("/v1/history?from={from}&to={to}")).expect("an answer").json();
            let leaf = leaf_hash(older.hash().as_bytes());
            verify_inclusion(leaf, from, to, &path(answer), newer.history_root).expect("the older header precedes");
            held += 1;
        }
    }
    held
}

/// Every receipt that was handed out verifies offline, and its record stands in the log where it says.
fn receipts_hold(receipts: &[Vec<u8>], trust: &TrustFile, shown: &Shown) -> Vec<Facts> {
    let verify_all = |part: &[Vec<u8>]| {
        let facts = part.iter().map(|bytes| {
            let receipt = Receipt::decode(bytes).expect("a receipt");
            let facts = believed(&receipt, trust);
            let leaf = usize::try_from(facts.index.0).ok().and_then(|index| shown.leaves.get(index));
            assert_eq!(
                leaf,
                Some(&leaf_hash(receipt.record.as_bytes())),
                "record {} is not at its place",
                facts.record
            );
            facts
        });
        facts.collect::<Vec<_>>()
    };
    // Two threads for two cores: this is the oracle's longest step.
    let (one, two) = receipts.split_at(receipts.len() / 2);
    std::thread::scope(|scope| {
        let one = scope.spawn(|| verify_all(one));
        let two = verify_all(two);
        let mut facts = one.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        facts.extend(two);
        facts
    })
}

fn believed(receipt: &Receipt, trust: &TrustFile) -> Facts {
    let now = UnixTime(trust.genesis().time.0 + 3_600);
    match verify(receipt, None, trust, now) {
        Verdict::Confirmed(facts) => facts,
        // Where validators came and went, older receipts want a newer checkpoint: the tests look at that.
        Verdict::OutOfOffice(facts) if trust.pinned().is_some() => facts,
        _ => panic!("an acknowledged receipt does not verify: {}", receipt.record),
    }
}
