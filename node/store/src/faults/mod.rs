//! Faults on purpose, in the faulty build alone: where a bit flips in memory, and the tool that flips bits at rest and in
//! memory and says what became of each (`testamur-rot`).
//!
//! ```text
//! testamur-rot rest 250 7 /tmp/rot     R6: bits of a ledger's files, open and closed, of a backup and of an export
//! testamur-rot memory 200 7 /tmp/rot   R7: bits between hash and write, and between read and proof
//! ```
//!
//! Arguments: what, how often, where randomness begins, a folder for ledgers. **The promise**: an answer is the one that
//! was given before the bit flipped, or an error. Any other answer is printed as `BAD` and counted.

mod answers;
mod memory;
mod rest;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use testamur_primitives::hash::StateRoot;
use testamur_registry::tree::TreeUpdate;

use crate::schema::Column;

/// How often a failpoint was passed: says where in a block or an answer the next one may act.
static PASSED: AtomicU64 = AtomicU64::new(0);

/// Columns of the rows that were put into batches, in order, while somebody looks.
static WRITTEN: Mutex<Option<Vec<Column>>> = Mutex::new(None);

/// A row's value on its way into a batch, in which a bit may flip.
pub(crate) fn before_write(column: Column, value: &[u8]) -> Vec<u8> {
    let mut written = WRITTEN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(columns) = written.as_mut().filter(|_| !value.is_empty()) {
        columns.push(column);
    }
    drop(written);
    flipped("store.before-write.flip-bit", value)
}

/// What `look` puts into batches: where each column's rows stand among those that have a value.
fn written_by(look: impl FnOnce()) -> BTreeMap<Column, Vec<u64>> {
    *WRITTEN.lock().unwrap_or_else(PoisonError::into_inner) = Some(Vec::new());
    look();
    let columns = WRITTEN.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default();
    let mut places = BTreeMap::<Column, Vec<u64>>::new();
    (0..).zip(columns).for_each(|(place, column)| places.entry(column).or_default().push(place));
    places
}

/// A copy of some bytes, in which one bit is another when the failpoint acts: `return(N)` names the bit, from the first on and
/// round and round; without a number it is the middle one.
pub(crate) fn flipped(failpoint: &str, bytes: &[u8]) -> Vec<u8> {
    let mut copy = bytes.to_vec();
    if bytes.is_empty() {
        return copy;
    }
    PASSED.fetch_add(1, Ordering::Relaxed);
    if let Some(argument) = acts(failpoint) {
        let bits = bytes.len() as u64 * 8;
        let bit = argument.parse().unwrap_or(bits / 2) % bits;
        copy[(bit / 8) as usize] ^= 1 << (bit % 8);
    }
    copy
}

/// Flips a bit of bytes in place, as [`flipped`] does.
pub(crate) fn flip(failpoint: &str, bytes: &mut Vec<u8>) {
    *bytes = flipped(failpoint, bytes);
}

/// What another compiler, or a bit in memory, might make of the state: another root.
pub(crate) fn other_root(tree: TreeUpdate) -> TreeUpdate {
    let root = flipped("store.state-root.flip-bit", tree.root.as_bytes());
    let root = root.try_into().expect("as many bytes as before");
    TreeUpdate { root: StateRoot::from_bytes(root), ..tree }
}

/// Whether a failpoint acts now, and with which argument.
pub(crate) fn acts(failpoint: &str) -> Option<String> {
    fail::fail_point!(failpoint, |argument: Option<String>| Some(argument.unwrap_or_default()));
    None
}

/// Passes of the failpoints above since the last call.
fn passed() -> u64 {
    PASSED.swap(0, Ordering::Relaxed)
}

/// Chance that can be repeated (SplitMix64).
struct Random(u64);

impl Random {
    /// The chance of one try.
    fn of(seed: u64, attempt: u64) -> Self {
        let mut random = Self(seed ^ attempt.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        random.next();
        random
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }
}

/// What became of one bit.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fate {
    /// Kept the promise; the class, for counting.
    Kept(&'static str),
    /// An answer that is wrong and does not say so.
    Wrong(String),
}

/// Counts of one row.
struct Tally {
    row: &'static str,
    name: &'static str,
    began: Instant,
    runs: u64,
    bad: u64,
    kept: BTreeMap<&'static str, u64>,
}

impl Tally {
    fn new(row: &'static str, name: &'static str, classes: &[&'static str]) -> Self {
        let kept = classes.iter().map(|class| (*class, 0)).collect();
        Self { row, name, began: Instant::now(), runs: 0, bad: 0, kept }
    }

    /// Tries once; a panic breaks the promise as well.
    fn attempt(&mut self, seed: u64, what: &str, flip: impl FnOnce() -> Fate) {
        self.runs += 1;
        let fate = std::panic::catch_unwind(std::panic::AssertUnwindSafe(flip));
        let wrong = match fate {
            Ok(Fate::Kept(class)) => {
                *self.kept.entry(class).or_default() += 1;
                return;
            }
            Ok(Fate::Wrong(how)) => how,
            Err(_) => "a panic, see above".to_owned(),
        };
        self.bad += 1;
        println!("{} {} BAD (seed {seed}, try {}, {what}): {wrong}", self.row, self.name, self.runs);
    }

    fn end(self) -> ExitCode {
        let classes: Vec<_> = self.kept.iter().map(|(class, count)| format!("{class}:{count}")).collect();
        let Self { row, name, runs, bad, began, .. } = self;
        let seconds = began.elapsed().as_secs();
        let metric = classes.join(",");
        println!("{row} {name} runs={runs} bad={bad} skipped=0 seconds={seconds} metric={metric}");
        if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// `testamur-rot`: see the module.
pub fn main(arguments: &[String]) -> ExitCode {
    let [what, runs, seed, folder] = arguments else { return usage() };
    let (Ok(runs), Ok(seed)) = (runs.parse(), seed.parse()) else { return usage() };
    match what.as_str() {
        "rest" => rest::run(runs, seed, Path::new(folder)),
        "memory" => memory::run(runs, seed, Path::new(folder)),
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    eprintln!("testamur-rot rest|memory RUNS SEED FOLDER");
    ExitCode::from(2)
}
