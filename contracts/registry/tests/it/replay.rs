//! 10,000 records, made from fixed seeds, always lead to the same log and state, in every build.
//!
//! The expected roots are in `tests/vectors/replay-10000.json`: run this in a debug and in a release build, and both
//! have computed the same. `BLESS=1` writes the file anew, which approves a change of the rules.

use crate::support::{Ledger, START, did, genesis, key};
use serde::{Deserialize, Serialize};
use testamur_primitives::codec::{self, sha256};
use testamur_primitives::commitment::{DigestAlgorithm, Form};
use testamur_primitives::hash::{GenesisHash, StateRoot, TreeHash};
use testamur_primitives::record::{Act, BatchTree, Bytes, Change, Record, RevocationReason};
use testamur_primitives::units::{Height, LogSize, UnixTime};
use testamur_registry::governance;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/replay-10000.json");
const RECORDS: u64 = 10_000;
const OPERATORS: u32 = 5;
const PEOPLE: u32 = 24;
/// Records offered to a block; some are rejected.
const OFFERED: usize = 60;

/// What the replay came to.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Golden {
    v: u8,
    genesis: GenesisHash,
    /// SHA-256 over one line for every record offered: `ok`, or the rejection's slug.
    outcomes: TreeHash,
    rejected: u64,
    /// The ledger after genesis, after every thousandth record, and at the end.
    points: Vec<Point>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Point {
    height: Height,
    log_size: LogSize,
    log_root: TreeHash,
    state_root: StateRoot,
}

/// SHA-256 in counter mode: the same numbers on every machine.
struct Numbers(u64);

impl Numbers {
    fn bytes(&mut self) -> [u8; 32] {
        self.0 += 1;
        sha256(&[b"replay-10000\n", &self.0.to_be_bytes()])
    }

    fn below(&mut self, bound: u32) -> u32 {
        let [a, b, c, d, ..] = self.bytes();
        u32::from_be_bytes([a, b, c, d]) % bound
    }
}

/// An author's next record: mostly notarisations, some governance, some that must be rejected.
fn offer(
    ledger: &Ledger,
    version: u64,
    numbers: &mut Numbers,
    offered: &[Record],
    open: &mut Vec<Record>,
    now: u64,
) -> Record {
    let jti = format!("r{}", numbers.0);
    let operator = key("operator", numbers.below(OPERATORS));
    // Whose key was compromised never writes again: others come, or at last nobody would be left.
    let generation = (ledger.log.size() / RECORDS) as u32 * PEOPLE;
    let writer = key("writer", generation + numbers.below(PEOPLE));
    match numbers.below(100) {
        0..55 => {
            let (alg, length) = match numbers.below(3) {
                0 => (DigestAlgorithm::Sha2_256, 32),
                1 => (DigestAlgorithm::Sha2_512, 64),
                _ => (DigestAlgorithm::Sha3_256, 32),
            };
            let (form, length) = if numbers.below(2) == 0 { (Form::Digest, length) } else { (Form::Commitment, 32) };
            let entries = (0..=numbers.below(4)).map(|_| {
                let long = [numbers.bytes(), numbers.bytes()].concat();
                Bytes(long[..length].to_vec())
            });
            let entries = entries.collect();
            ledger.record(&writer, &jti, now, Act::Notarise { alg, form, entries, reference: None })
        }
        55..75 => {
            let (root, count) = (TreeHash::from_bytes(numbers.bytes()), u64::from(numbers.below(1_000)) + 1);
            let reference = Some(format!("batch-{count}").parse().expect("a reference"));
            let act = Act::NotariseBatch { tree: BatchTree::Rfc6962Sha256, root, count, reference };
            ledger.record(&writer, &jti, now, act)
        }
        75..80 => {
            let did = did("writer", generation + numbers.below(PEOPLE));
            let change = match numbers.below(60) {
                0 => Change::RevokeWriter { did, reason: RevocationReason::KeyCompromise },
                1..20 => Change::RevokeWriter { did, reason: RevocationReason::CessationOfOperation },
                _ => Change::GrantWriter { did },
            };
            let expires = UnixTime(now + 60 + u64::from(numbers.below(3_000)));
            let act = Act::Propose { change, governance_version: version, expires };
            let proposal = ledger.record(&operator, &jti, now, act);
            open.push(proposal.clone());
            proposal
        }
        80..92 if !open.is_empty() => {
            let newest = open.len().saturating_sub(3);
            let index = newest + numbers.below((open.len() - newest) as u32) as usize;
            let act = Act::Approve { proposal: open[index].id(), governance_version: version };
            ledger.record(&operator, &jti, now, act)
        }
        92..95 if !offered.is_empty() => offered[numbers.below(offered.len() as u32) as usize].clone(),
        95 => ledger.record(&writer, &jti, now + 301, crate::support::notarise(1)),
        96 => ledger.record(&writer, "always-this-one", now, crate::support::notarise(2)),
        _ => ledger.record(&writer, &jti, now, crate::support::notarise(3)),
    }
}

fn point(ledger: &Ledger) -> Point {
    Point {
        height: ledger.height,
        log_size: LogSize(ledger.log.size()),
        log_root: ledger.log_root(),
        state_root: ledger.root,
    }
}

/// What was made, and the blocks that it was made of: each with its time and the bytes of its records.
pub(crate) struct Replayed {
    golden: Golden,
    pub(crate) blocks: Vec<(u64, Vec<Vec<u8>>)>,
    pub(crate) log_root: TreeHash,
    pub(crate) state_root: StateRoot,
}

impl Replayed {
    /// SHA-256 over what became of each record offered.
    pub(crate) fn outcomes(&self) -> TreeHash {
        self.golden.outcomes
    }

    /// Executes the blocks once more, from genesis and from their bytes; the roots.
    #[allow(dead_code, reason = "the example's")]
    pub(crate) fn again(&self) -> (TreeHash, StateRoot) {
        let mut ledger = Ledger::new(genesis(OPERATORS, 3, 16));
        for (time, records) in &self.blocks {
            let records: Vec<_> = records.iter().map(|bytes| Record::parse(bytes).expect("it was parsed")).collect();
            assert!(ledger.block(*time, &records).iter().all(Result::is_ok), "it was admitted");
        }
        (ledger.log_root(), ledger.root)
    }
}

/// Makes so many records and executes them.
pub(crate) fn replay(count: u64) -> Replayed {
    let mut ledger = Ledger::new(genesis(OPERATORS, 3, 16));
    let mut numbers = Numbers(0);
    let (mut outcomes, mut rejected) = (Vec::new(), 0);
    let mut points = vec![point(&ledger)];
    let (mut open, mut last) = (Vec::new(), Vec::new());
    let mut now = START;
    let mut blocks = Vec::new();
    while ledger.log.size() < count {
        // Once, more than a day passes: the replay window forgets.
        now += if ledger.height == Height(100) { 100_000 } else { 7 };
        let left = usize::try_from(count - ledger.log.size()).unwrap_or(usize::MAX);
        let (version, mut records) = (ledger.version(), Vec::new());
        for _ in 0..OFFERED.min(left) {
            records.push(offer(&ledger, version, &mut numbers, &last, &mut open, now));
        }
        let before = ledger.log.size();
        let mut admitted = Vec::new();
        for (record, outcome) in records.iter().zip(ledger.block(now, &records)) {
            if outcome.is_ok() {
                admitted.push(record.as_bytes().to_vec());
            }
            let word = outcome.map_or_else(|rejection| rejection.code().0, |_| "ok");
            rejected += u64::from(word != "ok");
            outcomes.extend_from_slice(word.as_bytes());
            outcomes.push(b'\n');
        }
        blocks.push((now, admitted));
        if ledger.log.size() / 1_000 > before / 1_000 {
            points.push(point(&ledger));
        }
        last = records;
    }
    let text = String::from_utf8(outcomes.clone()).expect("slugs are ASCII");
    for slug in [
        "admission.duplicate",
        "record.too-early",
        "notary.not-a-writer",
        "notary.writer-revoked",
        "governance.already-a-writer",
        "governance.not-a-writer",
        "governance.already-approved",
        "governance.already-executed",
        "governance.proposal-lapsed",
    ] {
        assert!(text.lines().any(|line| line == slug), "the replay is meant to meet {slug}");
    }
    assert!(governance::governance(&ledger.state).expect("sound").version > 20, "and changes are meant to be executed");
    let outcomes = TreeHash::from_bytes(sha256(&[&outcomes]));
    let golden = Golden { v: 1, genesis: ledger.genesis.hash(), outcomes, rejected, points };
    Replayed { golden, blocks, log_root: ledger.log_root(), state_root: ledger.root }
}

#[test]
fn ten_thousand_records_lead_to_the_pinned_roots() {
    let found = replay(RECORDS).golden;
    assert_eq!(found.points.last().map(|p| p.log_size), Some(LogSize(RECORDS)));
    if std::env::var_os("BLESS").is_some() {
        let mut bytes = codec::canonical(&found);
        bytes.push(b'\n');
        std::fs::write(GOLDEN, bytes).expect("the vectors are writable");
    }
    let bytes = std::fs::read(GOLDEN).expect("the vector is in the repository");
    let expected: Golden = codec::from_strict(&bytes).expect("the vector is well-formed");
    assert_eq!(found, expected);
}
