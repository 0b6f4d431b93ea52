//! Every parser of bytes that others write, as targets for fuzzing: those of `testamur_tests::fuzz`, and those of the node's
//! crates, which that crate does not link.
//!
//! **Promises.** A target answers any bytes without panicking, in less than 100 ms a KiB, and what it accepts is what was
//! written: read and written again it is the same.
//!
//! **Absences.** Configuration and key files are read by the daemon, which links a database: `tests/fuzz` goes without.

#[cfg(feature = "daemon")]
mod daemon;
mod node;

use testamur_tests::fuzz;

pub use testamur_tests::fuzz::Target;

/// All targets.
pub fn targets() -> Vec<Target> {
    let all = [fuzz::targets(), node::targets()].concat();
    #[cfg(feature = "daemon")]
    let all = [all, daemon::TARGETS.to_vec()].concat();
    all
}
