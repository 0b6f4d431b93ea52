//! What the tests of a whole ledger share: a chain with fixed keys, golden vectors, and a harness over the real binary.
//!
//! **Promises.** [`chain::Chain`] and [`vectors::all`] give the same bytes on every machine and in every build;
//! [`harness`] ends each run with the oracle: `testamur check` on every node, and every acknowledged receipt verified.
//!
//! **Absences.** Nothing here is linked into the product, and no key here may ever hold anything.

pub mod campaign;
pub mod chain;
pub mod chain_node;
pub mod differential;
pub mod fuzz;
pub mod harness;
pub mod notes;
pub mod story;
pub mod tiles;
pub mod vectors;
