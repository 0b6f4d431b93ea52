//! One validator's disk without a network: proposes, signs through the guard and commits, in the order and by the code
//! of a node, and writes down what it promised. Faults of the disk are tried on it (`tests/src/campaign/rows/syscalls.rs`,
//! `power.rs`): it starts in milliseconds, and does at the disk what a validator does.
//!
//! - `testamur-faults commits prepare DIR`: the network's genesis (`DIR/genesis.json`) and a new guard, as `testamur init` makes them.
//! - `commits run DIR PROMISES UNTIL [MERGE]`: opens `DIR` and commits until a height; every `MERGE` blocks all tables are
//!   flushed and merged.
//! - `commits verify DIR PROMISES`: whether each promise holds.
//!
//! **Promises** are lines of a file that lies elsewhere, each in one `writev`, a call that no fault is made at:
//!
//! | line | promised when |
//! | --- | --- |
//! | `stored HEIGHT VALUE` | `put_undecided` returned: the block may be voted on |
//! | `signed HEIGHT STEP VALUE` | the guard returned a signature: it may leave |
//! | `final HEIGHT RECORD HEADER` | `commit` returned: whoever waits is told |
//!
//! Exit codes: 0 done, 1 a fatal error of store or guard (as a node ends), 3 a promise was broken.

use std::fs::{self, File, OpenOptions};
use std::io::{IoSlice, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use bytes::Bytes;
use testamur_consensus::guard::{Guard, GuardError, Request, Slot, Standing, Step};
use testamur_primitives::block::{Block, encode_value, split_value};
use testamur_primitives::checkpoint::{Checkpoint, ValueId, cosignature_message};
use testamur_primitives::codec::canonical;
use testamur_primitives::hash::RecordId;
use testamur_primitives::receipt::{Verdict, verify};
use testamur_primitives::units::{Height, Round, UnixTime};
use testamur_primitives::votes::prevote_message;
use testamur_registry::check_stateless;
use testamur_store::testing::{TestNetwork, digest};
use testamur_store::{Ledger, PreparedBlock, StoreError, Undecided};

/// Records of a block.
const RECORDS: u64 = 3;
/// Which of the network's validators this is.
const OWN: usize = 0;

/// How a run ends early.
#[derive(Debug)]
enum End {
    /// The disk or what is on it: a node ends here, and starts anew.
    Fatal(String),
    /// What was promised is not so. Never may be.
    Broken(String),
}

impl From<StoreError> for End {
    fn from(error: StoreError) -> Self {
        Self::Fatal(error.to_string())
    }
}

impl From<GuardError> for End {
    fn from(error: GuardError) -> Self {
        Self::Fatal(error.to_string())
    }
}

fn broken(what: impl Into<String>) -> End {
    End::Broken(what.into())
}

/// `testamur-faults commits …`.
pub(crate) fn main(arguments: &[String]) -> ExitCode {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |text: &str| text.parse::<u64>().expect("a number");
    let done = match words.as_slice() {
        ["prepare", dir] => prepare(Path::new(dir)),
        ["run", dir, promises, until] => run(Path::new(dir), Path::new(promises), number(until), u64::MAX),
        ["run", dir, promises, until, merge] => run(Path::new(dir), Path::new(promises), number(until), number(merge)),
        ["verify", dir, promises] => verify_promises(Path::new(dir), Path::new(promises)),
        _ => panic!("commits prepare DIR | run DIR PROMISES UNTIL [MERGE] | verify DIR PROMISES"),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(End::Fatal(why)) => {
            eprintln!("fatal: {why}");
            ExitCode::from(1)
        }
        Err(End::Broken(why)) => {
            eprintln!("broken promise: {why}");
            ExitCode::from(3)
        }
    }
}

fn data(dir: &Path) -> PathBuf {
    dir.join("data")
}

fn prepare(dir: &Path) -> Result<(), End> {
    let network = TestNetwork::new();
    fs::create_dir_all(dir).map_err(|e| End::Fatal(e.to_string()))?;
    fs::write(dir.join("genesis.json"), canonical(&*network.genesis)).map_err(|e| End::Fatal(e.to_string()))?;
    Ok(Guard::create(&dir.join("guard"), network.validators[OWN].address)?)
}

fn run(dir: &Path, promises: &Path, until: u64, merge: u64) -> Result<(), End> {
    let network = TestNetwork::new();
    let mut promises = Promises::open(promises);
    let ledger = network.open(&data(dir), OWN)?;
    let guard = open_guard(&network, dir, &ledger)?;
    while ledger.tip().height().0 < until {
        let height = ledger.tip().next_height();
        let block = block(&network, &ledger, &mut promises)?;
        let value = block.value_id();
        for step in [Step::Prevote, Step::Precommit] {
            sign(&network, &guard, height, step, value)?;
            promises.add(&format!("signed {height} {} {}", step as u8, hex(&value.to_bytes())));
        }
        let certificate = network.certificate(&block);
        let log_signature = network.log_signature(&certificate, OWN);
        // The order of `node/consensus/src/host.rs`.
        guard.mark(height)?;
        ledger.commit(&block, &certificate, Some(&log_signature), &[])?;
        guard.prune(height)?;
        for record in block.records() {
            let id = record.record().id();
            promises.add(&format!("final {height} {id} {}", block.header().hash()));
        }
        if height.0.is_multiple_of(merge) {
            ledger.compact()?;
        }
    }
    Ok(())
}

fn open_guard(network: &TestNetwork, dir: &Path, ledger: &Ledger) -> Result<Guard, End> {
    let address = network.validators[OWN].address;
    let (guard, standing) = Guard::open(&dir.join("guard"), address, ledger.tip().height())?;
    match standing {
        Standing::Complete => Ok(guard),
        // It was there before the first fault, and no crash may lose it (INV-GUARD-1).
        other => {
            let kept = fs::read(dir.join("guard/guard.damaged")).unwrap_or_default();
            let zeros = kept.iter().rev().take_while(|byte| **byte == 0).count();
            let end = hex(&kept[kept.len().saturating_sub(512)..]);
            Err(broken(format!(
                "the guard is {other:?}; its file had {} bytes, the last {zeros} are zeros, and it ends {end}",
                kept.len()
            )))
        }
    }
}

/// The next block: the one that was stored before, as a validator that starts again must take it up, or a new one.
fn block(network: &TestNetwork, ledger: &Ledger, promises: &mut Promises) -> Result<Arc<PreparedBlock>, End> {
    let tip = ledger.tip();
    let height = tip.next_height();
    if let Some(stored) = ledger.undecided(height)?.pop() {
        let (bytes, _) = split_value(&stored.bytes).map_err(|e| broken(format!("a stored block: {e}")))?;
        let block = Block::decode(bytes).map_err(|e| broken(format!("a stored block: {e}")))?;
        let records = block.records.into_iter().map(check_stateless).collect::<Result<Vec<_>, _>>();
        let records = records.map_err(|e| broken(format!("a stored block's record: {e}")))?;
        let judged = ledger.validate(&block.header, records.into_iter().map(Arc::new).collect())?;
        return judged.map_err(|e| broken(format!("a stored block: {e}")));
    }
    let time = UnixTime(tip.header.time.0 + 10);
    // Another process' block of this height is another block: its signature would be a second one.
    let process = std::process::id();
    let records: Vec<_> = (0..RECORDS)
        .map(|n| network.notarise(n as usize % 2, &format!("r-{height}-{n}-{process}"), time, digest(height, n)))
        .collect();
    let proposer = network.validators[OWN].address;
    let proposed = ledger.propose(proposer, time, &records)?;
    let block = proposed.block;
    let none: [Bytes; 0] = [];
    let bytes = encode_value(block.bytes(), &none).into();
    ledger.put_undecided(height, &Undecided { round: Round(0), proposer, value_id: block.value_id(), bytes })?;
    promises.add(&format!("stored {height} {}", hex(&block.value_id().to_bytes())));
    Ok(block)
}

fn sign(network: &TestNetwork, guard: &Guard, height: Height, step: Step, value: ValueId) -> Result<(), End> {
    let (own, origin) = (&network.validators[OWN], network.genesis.origin());
    let message = |value: Option<&ValueId>, _: Option<Round>| match (step, value) {
        (Step::Precommit, Some(value)) => {
            cosignature_message(value.time, &Checkpoint::new(&origin, value, height, Round(0)).body())
        }
        _ => prevote_message(&origin, own.address, height, Round(0), value),
    };
    let slot = Slot { height, round: Round(0), step };
    let request = Request { slot, value: Some(value), justified_by: None };
    let signature = |message: &[u8]| own.consensus.sign(message).try_into().expect("Ed25519 signatures have 64 bytes");
    let signed = guard.sign(request, message, signature)?;
    if signed.value != Some(value) {
        // The block of a signature is on disk before the guard is asked: this one should have been taken up again.
        return Err(broken(format!("height {height}: signed for a block that is not stored")));
    }
    Ok(())
}

/// What was promised, in the order in which it was.
struct Promises(File);

impl Promises {
    fn open(path: &Path) -> Self {
        Self(OpenOptions::new().append(true).create(true).open(path).expect("promises lie on a sound disk"))
    }

    fn add(&mut self, line: &str) {
        let whole = format!("{line}\n");
        let written = self.0.write_vectored(&[IoSlice::new(whole.as_bytes())]).expect("promises lie on a sound disk");
        assert_eq!(written, whole.len(), "a line goes in one piece");
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn verify_promises(dir: &Path, promises: &Path) -> Result<(), End> {
    let network = TestNetwork::new();
    let trust = network.trust();
    let ledger = network.open(&data(dir), OWN)?;
    let guard = open_guard(&network, dir, &ledger)?;
    let (tip, view) = (ledger.tip().height(), ledger.view()?);
    let text = fs::read_to_string(promises).unwrap_or_default();
    let mut finals = 0;
    for line in text.lines() {
        let words: Vec<_> = line.split(' ').collect();
        let height = Height(words[1].parse().expect("a height"));
        match words.as_slice() {
            ["final", _, id, header] => {
                finals += 1;
                let id: RecordId = id.parse().expect("a record's id");
                let receipt = view.receipt(&id)?.ok_or_else(|| broken(format!("{line}: the record is lost")))?;
                match verify(&receipt, None, &trust, UnixTime(view.tip().header.time.0 + 60)) {
                    Verdict::Confirmed(facts) if facts.height == height => {}
                    other => return Err(broken(format!("{line}: {other:?}"))),
                }
                let stored = view.header(height)?.map(|stored| stored.hash.to_string());
                if stored.as_deref() != Some(*header) {
                    return Err(broken(format!("{line}: now the header is {stored:?}")));
                }
            }
            ["stored", _, value] if height > tip => {
                let held = ledger.undecided(height)?;
                if !held.iter().any(|held| hex(&held.value_id.to_bytes()) == *value) {
                    return Err(broken(format!("{line}: the block is lost")));
                }
            }
            ["signed", _, step, value] if height > guard.floor() && height > tip => {
                let step = if *step == "1" { Step::Prevote } else { Step::Precommit };
                let slot = Slot { height, round: Round(0), step };
                // INV-GUARD-2: whatever is asked, what was signed is the answer.
                let request = Request { slot, value: None, justified_by: None };
                let signed = guard.sign(request, |_, _| Vec::new(), |_| [0; 64])?;
                if signed.value.map(|v| hex(&v.to_bytes())).as_deref() != Some(*value) {
                    return Err(broken(format!("{line}: the guard does not know")));
                }
            }
            ["stored" | "signed", ..] => {}
            _ => panic!("{line:?} is no promise"),
        }
    }
    println!("height {tip}, {finals} records that were promised final are there");
    Ok(())
}
