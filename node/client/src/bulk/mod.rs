//! Folders and lists of millions under one record, and their receipts in one file.
//!
//! **A life.** Documents are hashed ([`folder`]) or their hashes read ([`list`]), in one order; every 1,024 of them make a
//! [`chunk`]: digests, names, one secret from which each document's salt comes, and the root of their subtree. Chunks go
//! to a [`writer::Writer`], one after the other, checksummed. The roots of all chunks make the batch's root; *one* record
//! is signed over it, written down, and only then sent; its receipt, verified, is added once. The file is a
//! [`container::Container`]: it gives any single receipt, and [`compare`] says what changed in a folder since.
//!
//! **Promises.** What a record was signed over is on disk before the record is sent (INV-BULK-1). A run that was killed
//! goes on where it was, and never signs a second record while the first may still enter the ledger (INV-BULK-2).
//! Memory does not grow with the number of documents, but for 40 bytes a chunk and the names of one directory
//! (INV-BULK-3). A file that cannot be notarised is named, and the others go on (INV-BULK-4). What a container gives is
//! what its checksum and the record's root say, or an error (INV-BULK-5).
//!
//! **Absences.** No documents, no network: what signs and sends is the caller's.
//!
//! ```
//! use testamur_client::bulk::chunk::Columns;
//! use testamur_client::digest::digest_reader;
//! use testamur_primitives::commitment::{DigestAlgorithm, Form};
//!
//! let digest = digest_reader(DigestAlgorithm::Sha2_256, &b"a document"[..]).unwrap();
//! let mut columns = Columns::default();
//! columns.push(digest.algorithm(), digest.as_bytes(), b"letters/1.pdf").unwrap();
//! let sealed = columns.seal(0, Form::Commitment).unwrap();
//! assert_eq!(sealed.count(), 1);
//! ```

#[cfg(feature = "online")]
pub mod anchor;
pub mod chunk;
pub mod compare;
pub mod container;
pub mod error;
pub mod folder;
pub mod format;
pub mod list;
mod pool;
pub mod rewrite;
pub mod walk;
pub mod writer;

pub use pool::threads;
