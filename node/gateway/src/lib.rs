//! The author's side of a network: an HTTP service that turns documents into receipts, so that a back office needs no
//! cryptography.
//!
//! **Promises.** A token always. Documents are hashed as streams and never stored; their names appear in no log and on
//! no ledger. A request is notarised as a whole, under one record, or not at all (INV-GATEWAY-1): a body that breaks
//! off, a hash of the wrong length, one file too many, and nothing was sent. Every receipt has verified against the
//! trust file before it is handed over. When a record's outcome is unknown, the caller is told so and given what is
//! needed to ask again, salts included (INV-GATEWAY-2). Memory is bounded by [`limits`], whatever the size of a document.
//!
//! With an archive ([`store`]) what was taken is never lost: no record is sent before it is on disk with its openings (INV-GATEWAY-6), so
//! that receipts wait under their id for callers that are gone; [`queue`] takes what nobody waits for, also when the network is away;
//! the same request under the same [`idempotency`] key is notarised once; [`webhook`] tells what became final.
//!
//! A gateway with a university's desk behind it ([`diplomas`]) also issues diplomas and changes them, on the desk's archive.
//!
//! **Absences.** No document is ever on its disk, no name of one. Without an archive it keeps nothing between requests. It trusts no
//! node. It answers no web page of another origin.
//!
//! A life of a request: [`guard`] (host, origin, token) → [`upload`] or [`hashes`] (bytes become digests) →
//! [`batcher`] or [`queue`] (digests of a short window become one record) → [`records`] (signed, kept, sent, seen final, verified) →
//! [`answer`] (each document's receipt is cut), or [`kept`] (later, by id).

pub mod answer;
pub mod batcher;
mod batches;
pub mod config;
pub mod diplomas;
pub mod guard;
pub mod hashes;
pub mod idempotency;
pub mod kept;
pub mod limits;
mod listing;
mod ndjson;
mod openapi;
pub mod problem;
pub mod queue;
pub mod records;
pub(crate) mod routes;
pub mod service;
pub mod store;
pub mod tokens;
pub mod upload;
pub mod webhook;

pub use config::{Backups, ConfigError, GatewayConfig};
pub use service::{Gateway, GatewayError};
