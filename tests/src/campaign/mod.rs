//! The fault campaign: every promise of the README gets an attacker, a count and a result.
//!
//! A [`Row`] is one kind of fault, R1 to R30, with how often it is tried in every CI run and before a release. `campaign`
//! (`src/bin/campaign.rs`) runs rows and prints one line for each:
//!
//! ```text
//! R1 kill-one runs=50 bad=0 skipped=0 seconds=212 metric=lost:0,double-signed:0,ready-p99-s:2.1
//! ```
//!
//! **Promises.** A run that panics is bad, and says which and with which seed. What could not be tried here (no root, no
//! tool) is counted as skipped and says why. No row is silent: a row that tried nothing and skipped nothing is bad.
//!
//! **Absences.** Limits of time are figures, not failures, unless the row says "bad" itself: machines are noisy.

mod disk;
mod line;
mod random;
mod record;
pub mod rows;
mod run;

pub use line::Line;
pub use random::Random;
pub use record::{Recorded, Results};
pub use run::Run;

/// What else a row's runs share the machine with: one row of each lane runs at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Networks of real validators, that mostly wait for one another.
    Networks,
    /// What fills one processor, or works with one process and its disk.
    Machine,
}

/// One kind of fault.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// `R1` to `R30`.
    pub id: &'static str,
    /// A name in words, with `-` between them.
    pub name: &'static str,
    /// What it shares the machine with.
    pub lane: Lane,
    /// Runs in each CI run.
    pub ci: u64,
    /// Runs before a release.
    pub release: u64,
    /// Tries it [`Run::count`] times.
    pub attack: fn(&mut Run),
}
