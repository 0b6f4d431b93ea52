//! Ids, records, Merkle proofs, headers, checkpoints, receipts and the light client of a Testamur network.
//!
//! **Promises.** Every type here has one byte form (see `FORMATS.md` at the top of the repository);
//! what decodes re-encodes to the same bytes; [`receipt::verify`] says *confirmed* only for a record that a
//! quorum of the validators named by the given [`trust::TrustFile`] committed.
//!
//! **Absences.** No I/O, clock, randomness, async, floats, threads or hash-ordered collections: "now" and
//! random salts are arguments. The crate knows nothing of databases, networks or the consensus engine.
//! What outlives a call is remembered in [`generations`]: credentials that were read and verified, validators' keys that were
//! found good, authors' keys with their points decoded. That changes how long an answer takes and never what it is.
//!
//! ```
//! use testamur_primitives::merkle;
//! let leaves: Vec<_> = [b"one".as_slice(), b"two", b"three"].iter().map(|l| merkle::leaf_hash(l)).collect();
//! let tree = merkle::MemoryTree::from_leaf_hashes(&leaves);
//! let path = tree.inclusion_proof(1, 3).unwrap();
//! merkle::verify_inclusion(leaves[1], 1, 3, &path, tree.root(3).unwrap()).unwrap();
//! ```

pub mod block;
pub mod checkpoint;
pub mod codec;
pub mod commitment;
pub mod did;
pub mod dossiers;
pub mod epoch;
pub mod equivocation;
pub mod generations;
pub mod genesis;
pub mod hash;
pub mod header;
pub mod identity;
pub mod issuers;
pub mod key;
pub mod limits;
pub mod merkle;
pub mod note;
pub mod policy;
pub mod receipt;
pub mod record;
pub mod schemas;
pub mod state;
pub mod status;
pub mod stream;
pub mod trust;
pub mod units;
pub mod votes;
