//! Notarises documents over a node's or a gateway's HTTP API, and hands over only receipts that have verified.
//!
//! **Promises.** A document is read as a stream and never kept: what leaves this crate is a digest or a salted
//! commitment. A receipt is handed over only after [`testamur_primitives::receipt::verify`] confirmed it against the
//! given trust file (INV-CLIENT-1). A signed record is sent to as many nodes as it takes, always the same bytes, so a
//! lost answer never notarises twice (INV-CLIENT-2). When the outcome is unknown, the caller gets what it needs to ask
//! again later: the record's id and the openings with their salts ([`notary::Pending`], INV-CLIENT-3). What the
//! registries hold is handed over only with its proof, checked here ([`registry::Registry`], INV-CLIENT-4). Several nodes
//! are held against each other, and against what they showed before, by an auditor ([`audit::Auditor`]).
//!
//! Built without the feature `online` there is no network code: digests, batches, receipt containers ([`bulk`]).
//!
//! **Absences.** No node, store or consensus code; no trust in what a node says; no retry of a record under a new
//! signature; no telemetry.
//!
//! ```
//! use testamur_client::batch::Batch;
//! use testamur_client::digest::digest_reader;
//! use testamur_primitives::commitment::DigestAlgorithm;
//!
//! let digest = digest_reader(DigestAlgorithm::Sha2_256, &b"a document"[..]).unwrap();
//! let batch = Batch::salted(vec![digest]).unwrap();
//! batch.opening(0).unwrap().verify_batch(batch.root(), batch.count()).unwrap();
//! ```

#[cfg(feature = "online")]
pub mod admin;
#[cfg(feature = "online")]
pub mod audit;
pub mod author;
pub mod batch;
pub mod bulk;
pub mod credentials;
pub mod cut;
pub mod digest;
#[cfg(feature = "online")]
pub mod diplomas;
pub mod error;
#[cfg(feature = "online")]
pub mod gateway;
pub mod limits;
#[cfg(feature = "online")]
pub mod node;
#[cfg(feature = "online")]
pub mod nodes;
#[cfg(feature = "online")]
pub mod notary;
#[cfg(feature = "online")]
pub mod path;
pub mod receipt;
#[cfg(feature = "online")]
pub mod refresh;
#[cfg(feature = "online")]
pub mod registry;
#[cfg(feature = "online")]
mod transport;
