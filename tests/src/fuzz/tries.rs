//! A seeded run of targets, and its line in the campaign.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

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

impl Target {
    /// What it begins from: its own inputs, and those that a run guided by coverage found worth keeping
    /// (`tests/fuzz/corpus`, written by `tests/fuzz/run`: each behind its length, 4 bytes, big-endian).
    pub fn inputs(&self) -> Vec<Vec<u8>> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(self.name);
        let kept = std::fs::read(path).unwrap_or_default();
        let mut rest = kept.as_slice();
        let mut inputs = (self.corpus)();
        while let Some((length, after)) = rest.split_first_chunk::<4>() {
            let (input, after) = after.split_at_checked(u32::from_be_bytes(*length) as usize).expect("it is whole");
            inputs.push(input.to_vec());
            rest = after;
        }
        inputs
    }

    /// Gives a target its corpus and so many inputs of a seed. Stops at the tenth that breaks a promise.
    pub fn tried(&self, seed: u64, count: u64) -> Tried {
        let corpus = self.inputs();
        assert!(!corpus.is_empty(), "{} has inputs to begin from", self.name);
        let began = Instant::now();
        let mut bad = Vec::new();
        let mut runs = 0;
        let own = corpus.iter().cloned().map(|input| ("of the corpus".to_owned(), input));
        let made = (0..count).map(|number| (format!("number {number}"), mutated(&corpus, self.name, seed, number)));
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
        // A busy machine is slow once: what is slow is slow three times.
        let slow = || {
            let began = Instant::now();
            let _ = once();
            began.elapsed() > most
        };
        (began.elapsed() > most && slow() && slow()).then(|| format!("takes {:?}", began.elapsed()))
    }
}

/// Tries targets one after the other, `count` of each or its own number for CI, and prints a line of row R21 for each.
/// Says whether all held.
pub fn try_all(targets: &[Target], seed: u64, count: Option<u64>) -> bool {
    let mut held = true;
    for target in targets {
        let Tried { runs, bad, took } = target.tried(seed, count.unwrap_or(target.ci));
        bad.iter().for_each(|how| println!("R21 BAD {how}"));
        held &= bad.is_empty();
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
    }
    held
}
