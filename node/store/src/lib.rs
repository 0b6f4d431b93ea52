//! The ledger on disk: blocks, log, state, indexes and certificates in RocksDB, one atomic synced write a block.
//!
//! **Promises.**
//! - INV-STORE-1: a block is on disk whole, or not at all; [`Ledger::commit`] returns only when it is.
//! - INV-STORE-2: the first failed write, failed read or damage closes the store for good; nothing is retried.
//! - INV-STORE-3: what is written is derived from the written bytes once more, against what was voted on.
//! - INV-STORE-4: the first certificate stored for a height stays.
//! - INV-STORE-5: what is read is checked before it is handed out: records against their leaf hashes, headers against
//!   their hashes, proofs against the tip's header, index rows against what they point to.
//! - INV-STORE-6: the set that decides a height is the one that the header before names, and that the state schedules.
//! - INV-READ-1: a [`View`] is one snapshot: a proof, its root and its size always belong together.
//!
//! **Absences.** No clock, no network, no keys: it signs nothing. It knows no consensus: rounds are only a label of
//! undecided blocks. It never repairs: a damaged directory is kept as evidence, and the node starts anew from its peers.
//!
//! ```no_run
//! use std::{path::Path, sync::Arc};
//! use testamur_store::{Health, Ledger, NodeIdentity, Options};
//! # fn show(genesis: testamur_primitives::genesis::Genesis) -> Result<(), testamur_store::StoreError> {
//! let options = Options { node: NodeIdentity::Observer, health: Health::new(|reason| eprintln!("{reason}")) };
//! let ledger = Ledger::open(Path::new("data"), Arc::new(genesis), options)?;
//! println!("height {}, {} records", ledger.tip().height(), ledger.tip().header.log_size);
//! # Ok(())
//! # }
//! ```

mod admit;
mod attachments;
mod backup;
mod block;
mod check;
mod commit;
mod db;
mod error;
mod evidence;
#[cfg(feature = "faults")]
pub mod faults;
mod framing;
mod freespace;
mod health;
mod index;
mod ledger;
pub mod limits;
mod proven;
mod reads;
mod receipts;
mod schedule;
mod schema;
mod scrub;
mod state;
#[cfg(feature = "testing")]
pub mod testing;
mod tip;
mod transfer;
mod tree;
mod view;
mod window;

pub use backup::{BackupError, BackupFile, BackupProgress, Manifest, change_node, manifest, node_of, restore};
pub use block::{PreparedBlock, Proposed};
pub use check::{CheckReport, Finding, Progress, check};
pub use db::NodeIdentity;
pub use error::{InvalidBlock, StoreError};
pub use freespace::free_bytes;
pub use health::Health;
pub use index::{ObjectPage, Timestamp, TimestampPage};
pub use ledger::{Ledger, Options, Undecided, Usage};
pub use reads::{StoredHeader, StoredRecord};
pub use schedule::Schedule;
pub use scrub::ScrubPosition;
pub use tip::Tip;
pub use transfer::{Contents, ExportError, ImportError, StreamProgress, Transferred, import};
pub use view::{
    ConsistencyProof, DecidedBlock, EntryPosition, HistoryProof, Notarisation, Page, RecordQuery, StateView,
    StoredCheckpoint, StoredEpoch, View,
};
