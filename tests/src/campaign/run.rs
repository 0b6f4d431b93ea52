//! One row while it is tried.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{Line, Row};

/// What a row's attack is given, and what it reports to.
pub struct Run {
    row: Row,
    /// How often to try.
    pub count: u64,
    /// Where randomness begins: the same seed tries the same things, as far as real processes allow.
    pub seed: u64,
    began: Instant,
    runs: u64,
    bad: u64,
    skipped: u64,
    metrics: Vec<(String, String)>,
}

impl Run {
    /// Tries a row and says what came of it.
    pub fn of(row: &Row, count: u64, seed: u64) -> Line {
        let mut run =
            Self { row: *row, count, seed, began: Instant::now(), runs: 0, bad: 0, skipped: 0, metrics: Vec::new() };
        let attack = row.attack;
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| attack(&mut run))) {
            run.bad(&words(&*panic));
        }
        if run.runs == 0 && run.skipped == 0 && run.bad == 0 {
            run.bad("nothing was tried, and nothing was said to be skipped");
        }
        run.line()
    }

    fn line(self) -> Line {
        Line {
            row: self.row.id.into(),
            name: self.row.name.into(),
            runs: self.runs,
            bad: self.bad,
            skipped: self.skipped,
            seconds: self.began.elapsed().as_secs(),
            metrics: self.metrics,
        }
    }

    /// Counts tries that kept the promise.
    pub fn good(&mut self, tries: u64) {
        self.runs += tries;
    }

    /// Counts a try that broke it, and says how on standard output.
    pub fn bad(&mut self, how: &str) {
        self.runs += 1;
        self.bad += 1;
        println!("{} {} BAD (seed {}, try {}): {how}", self.row.id, self.row.name, self.seed, self.runs);
    }

    /// Counts tries that are not possible here, and says why.
    pub fn skip(&mut self, tries: u64, why: &str) {
        self.skipped += tries;
        println!("skipped: {} {}: {why}", self.row.id, self.row.name);
    }

    /// One try: a panic in it is a broken promise, and the row goes on with what `attack` left behind dropped.
    pub fn attempt<T>(&mut self, what: &str, attack: impl FnOnce() -> T) -> Option<T> {
        match catch_unwind(AssertUnwindSafe(attack)) {
            Ok(value) => {
                self.good(1);
                Some(value)
            }
            Err(panic) => {
                self.bad(&format!("{what}: {}", words(&*panic)));
                None
            }
        }
    }

    /// What is needed for tries and is none itself, such as a network or the oracle: counted only if it fails.
    pub fn step<T>(&mut self, what: &str, step: impl FnOnce() -> T) -> Option<T> {
        let tried = self.runs;
        let value = self.attempt(what, step);
        if value.is_some() {
            self.runs = tried;
        }
        value
    }

    /// How many promises were broken so far.
    pub fn bad_so_far(&self) -> u64 {
        self.bad
    }

    /// How many were tried so far.
    pub fn tried(&self) -> u64 {
        self.runs
    }

    /// A figure of the row's line.
    pub fn metric(&mut self, name: &str, value: impl std::fmt::Display) {
        let value = value.to_string();
        assert!(!value.contains([',', ':', ' ', '=']), "{name}: {value} does not fit into a line");
        self.metrics.push((name.into(), value));
    }

    /// Adds to a figure of that name, if there is one and both are whole numbers.
    fn add(&mut self, name: &str, value: &str) {
        let known = self.metrics.iter_mut().find(|(known, _)| known == name);
        match known.and_then(|(_, known)| sum(known, value).map(|sum| *known = sum)) {
            Some(()) => {}
            None => self.metrics.push((name.into(), value.into())),
        }
    }

    /// Median, 99th percentile and maximum of some times, in seconds.
    pub fn times(&mut self, name: &str, times: &mut [Duration]) {
        times.sort_unstable();
        let Some(last) = times.len().checked_sub(1) else { return };
        let at = |percent: usize| format!("{:.2}", times[last * percent / 100].as_secs_f64());
        let (p50, p99, max) = (at(50), at(99), at(100));
        self.metric(&format!("{name}-p50-s"), p50);
        self.metric(&format!("{name}-p99-s"), p99);
        self.metric(&format!("{name}-max-s"), max);
    }

    /// Runs another program that prints this row's line (a test beside the code it attacks), and takes its counts.
    /// Several lines are added up, whole numbers of one name too. A program that fails, or prints no line of this row, is bad.
    pub fn outside(&mut self, command: &mut Command) {
        let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
        let output = match output {
            Ok(output) => output,
            Err(error) => return self.bad(&format!("{command:?}: {error}")),
        };
        let text = String::from_utf8_lossy(&output.stdout);
        let told = |line: &&str| line.contains("BAD") || line.starts_with("skipped:");
        text.lines().filter(told).for_each(|line| println!("{line}"));
        let lines: Vec<_> = text.lines().filter_map(Line::parse).filter(|line| line.row == self.row.id).collect();
        for line in &lines {
            self.runs += line.runs;
            self.bad += line.bad;
            self.skipped += line.skipped;
            line.metrics.iter().for_each(|(name, value)| self.add(name, value));
        }
        let failed = !output.status.success() && lines.iter().all(|line| line.bad == 0);
        if failed || lines.is_empty() {
            let end: Vec<_> = text.lines().rev().take(30).collect();
            let end: Vec<_> = end.into_iter().rev().collect();
            self.bad(&format!("{command:?} ended with {} and says:\n{}", output.status, end.join("\n")));
        }
    }
}

/// The sum of two whole numbers.
fn sum(one: &str, other: &str) -> Option<String> {
    Some((one.parse::<u64>().ok()? + other.parse::<u64>().ok()?).to_string())
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without words").to_owned()
}
