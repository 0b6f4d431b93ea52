//! Networks of validators in simulated time.
//!
//! **Promises.** One seed, one run: on one thread, with simulated clocks, disks and links, so that a failing seed fails
//! again, to the same trace. What runs is the product's: the engine's pure core, the node's host, double-sign guard,
//! signer, codec, pool and rules of a start ([`testamur_consensus::seat`]), the contracts. Faults of a run are chosen by
//! its seed, not all of them in each ("swarm"): power cuts in the middle of any operation of a disk, lost and torn writes,
//! I/O errors, kills, partitions, loss, delays, doubled and overtaking messages, clocks that are wrong and jump, Byzantine
//! validators, at most f of them. Checkers stand beside the run and know nothing of how nodes work.
//!
//! **Absences.** No libp2p, no actors, no RocksDB: what those do to a node is tested with real processes. The ledger's
//! journal takes the store's place, value sync is written anew in its simplest form, attachments and changes of the
//! validator set do not occur.

pub mod check;
pub mod disk;
pub mod ledger;
pub mod node;
pub mod plan;
pub mod random;
pub mod setup;
pub mod signing;
pub mod time;
pub mod trace;
pub mod world;

pub use plan::Plan;
pub use world::{Outcome, Variant, World};
