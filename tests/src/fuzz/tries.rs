//! A seeded run of targets, and its line in the campaign.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::parts::kept;
use super::{Target, mutated};
use crate::campaign::Line;

/// Longest time for one KiB of input (R21 of the campaign); what is faster than one scheduling of the machine is not looked at.
const A_KIB: Duration = Duration::from_millis(100);

/// What became of one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// Inputs given.
    pub runs: u64,
    /// Those that broke a promise or took too long, each with what it takes to make it again.
    pub bad: Vec<String>,
    /// How long all took.
    pub took: Duration,
}

/// What a target begins from: its own inputs, which it accepts, and those that a run guided by coverage kept, most of them
/// short and refused. By number they would crowd out what reaches deep: each kind gets half of the changes.
#[derive(Debug)]
pub struct Inputs {
    all: Vec<Vec<u8>>,
    own: usize,
}

impl Inputs {
    /// Both kinds.
    pub fn all(&self) -> &[Vec<u8>] {
        &self.all
    }

    pub(super) fn own(&self) -> &[Vec<u8>] {
        &self.all[..self.own]
    }

    pub(super) fn kept(&self) -> &[Vec<u8>] {
        &self.all[self.own..]
    }
}

impl Target {
    /// What it begins from.
    pub fn inputs(&self) -> Inputs {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
        let mut all = (self.corpus)();
        let own = all.len();
        assert!(own > 0, "{} has inputs to begin from", self.name);
        all.extend(kept(&corpus, self.name));
        Inputs { all, own }
    }

    /// Gives a target its corpus and so many inputs of a seed. Stops at the tenth that breaks a promise.
    pub fn tried(&self, seed: u64, count: u64) -> Tried {
        let inputs = self.inputs();
        let began = Instant::now();
        let mut bad = Vec::new();
        let mut runs = 0;
        let own = inputs.all().iter().cloned().map(|input| ("of the corpus".to_owned(), input));
        let made = (0..count).map(|number| (format!("number {number}"), mutated(&inputs, self.name, seed, number)));
        for (which, input) in own.chain(made) {
            runs += 1;
            if let Some(how) = self.broken(&input) {
                bad.push(format!("{} seed {seed} {which}: {how}: {}", self.name, hex::encode(&input)));
                if bad.len() == 10 {
                    break;
                }
            }
        }
        Tried { runs, bad, took: began.elapsed() }
    }

    /// How an input breaks a promise of this target.
    fn broken(&self, input: &[u8]) -> Option<String> {
        let began = Instant::now();
        let once = || catch_unwind(AssertUnwindSafe(|| (self.run)(input)));
        if once().is_err() {
            return Some("panics".into());
        }
        let most = A_KIB * u32::try_from(input.len().div_ceil(1024).max(1)).unwrap_or(u32::MAX);
        if began.elapsed() <= most {
            return None;
        }
        // A busy machine lets everything wait: what counts is the processor's time.
        let before = processor_time();
        let _ = once();
        let took = processor_time().saturating_sub(before);
        (took > most).then(|| format!("takes {took:?}"))
    }
}

/// How long this thread has run.
fn processor_time() -> Duration {
    let read = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux counts it");
    let nanoseconds = read.split_whitespace().next().and_then(|number| number.parse().ok());
    Duration::from_nanos(nanoseconds.expect("the first number of three"))
}

/// Tries targets, `count` inputs of each, so many targets at a time, and prints a line of row R21 for each as soon as it is
/// done. Says whether all held.
pub fn try_all(targets: &[Target], seed: u64, count: u64, threads: usize) -> bool {
    let next = AtomicUsize::new(0);
    let held = AtomicBool::new(true);
    let work = || {
        while let Some(target) = targets.get(next.fetch_add(1, Ordering::Relaxed)) {
            let held_here = try_one(target, seed, count);
            held.fetch_and(held_here, Ordering::Relaxed);
        }
    };
    thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    held.into_inner()
}

fn try_one(target: &Target, seed: u64, count: u64) -> bool {
    let Tried { runs, bad, took } = target.tried(seed, count);
    bad.iter().for_each(|how| println!("R21 BAD {how}"));
    let a_second = (runs as f64 / took.as_secs_f64().max(0.001)) as u64;
    let metrics = vec![(format!("{}-a-second", target.name), a_second.to_string())];
    let line = Line {
        row: "R21".into(),
        name: target.name.into(),
        runs,
        bad: bad.len() as u64,
        skipped: 0,
        seconds: took.as_secs(),
        metrics,
    };
    println!("{line}");
    line.bad == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// However much was kept, half of what is tried begins from what the target accepts.
    #[test]
    fn what_was_kept_does_not_crowd_out_what_is_accepted() {
        let mut all = vec![vec![b'o'; 1_000]];
        all.extend(std::iter::repeat_n(b"k".to_vec(), 99));
        let inputs = Inputs { all, own: 1 };
        let from_own = |number: &u64| {
            let input = mutated(&inputs, "crowd", 0, *number);
            input.iter().filter(|byte| **byte == b'o').count() > 300
        };
        let deep = (0..1_000).filter(from_own).count();
        assert!((300..=500).contains(&deep), "{deep} of 1,000");
    }
}
