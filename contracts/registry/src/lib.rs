//! The state machine: who may notarise, how operators decide, whose keys and accreditations hold, and the tree that proves
//! the state.
//!
//! **Promises.** The same records under the same block contexts on the same state give the same writes, in any build,
//! on any machine. A record that is rejected leaves no trace. Every height has a state root, and every key can be
//! proven present with its value, or absent, under it.
//!
//! **Absences.** No I/O, clock, randomness, async, threads, floats or hash-ordered collections: state is read through
//! [`state::StateReader`] and [`tree::TreeStore`], time comes from the block. Document hashes are not in the state:
//! they are in the log. Nothing here knows blocks, headers' hashes, certificates or networks.
//!
//! Each contract is a folder of one shape: `state` (its values), `keys` (the only place where their keys are
//! spelled), `rules` (what is allowed: first without, then with state), `mod` (the writes, and reads for clients). What
//! clients verify for themselves has its values, keys and reads in the primitives: DID documents (`identity`),
//! accreditations (`issuers`), schemas, status lists, dossiers.
//!
//! ```
//! use std::collections::BTreeMap;
//! use testamur_registry::{governance, state::WriteSet};
//! # fn show(genesis: &testamur_primitives::genesis::Genesis) {
//! let mut state = BTreeMap::new();
//! testamur_registry::genesis_writes(genesis).apply_to(&mut state);
//! assert_eq!(governance::governance(&state).unwrap().version, 1);
//! # }
//! ```

pub mod did;
pub mod dossiers;
pub mod execute;
mod genesis;
pub mod governance;
pub mod index;
pub mod issuers;
pub mod limits;
pub mod network;
pub mod notary;
pub mod rejection;
pub mod schemas;
pub mod state;
pub mod status;
pub mod tree;

pub use execute::{
    ApplyError, BlockContext, CheckedRecord, Execution, Outcome, ReplayWindow, UnknownProtocol, check_stateless,
};
pub use genesis::genesis_writes;
pub use rejection::{
    AdmissionRejection, DidRejection, DossierRejection, GovernanceRejection, IssuerRejection, NetworkRejection,
    NotaryRejection, Rejection, SchemaRejection, StatusRejection,
};
pub use state::{StateError, StateKey, StateReader, WriteSet};
