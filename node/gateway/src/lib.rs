//! The author's side of a network: an HTTP service that turns documents into receipts, so that a back office needs no
//! cryptography.
//!
//! **Promises.** A token always. Documents are hashed as streams and never stored; their names appear in no log and on
//! no ledger. A request is notarised as a whole, under one record, or not at all (INV-GATEWAY-1): a body that breaks
//! off, a hash of the wrong length, one file too many, and nothing was sent. Every receipt has verified against the
//! trust file before it is handed over. When a record's outcome is unknown, the caller is told so and given what is
//! needed to ask again, salts included (INV-GATEWAY-2). Memory is bounded by [`limits`], whatever the size of a document.
//!
//! A gateway with a university's desk behind it ([`diplomas`]) also issues diplomas and changes them, on the desk's archive.
//!
//! **Absences.** For documents it keeps nothing between requests: no queue on disk, no webhooks, no database. It trusts no node.
//! It answers no web page of another origin.
//!
//! A life of a request: [`guard`] (host, origin, token) → [`upload`] or [`hashes`] (bytes become digests) →
//! [`batcher`] (digests of a short window become one record, signed, sent, seen final, verified) → [`answer`]
//! (each document's receipt is cut).

pub mod answer;
pub mod batcher;
pub mod config;
pub mod diplomas;
pub mod guard;
pub mod hashes;
pub mod idempotency;
pub mod kept;
pub mod limits;
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

pub use config::{ConfigError, GatewayConfig};
pub use service::{Gateway, GatewayError};
