//! The API as clients meet it: a real server on a loopback port, raw bytes in, status, headers and message read back.
//!
//! Behind it stands a ledger in memory made of real primitives: four validators, signed records, certified blocks.

mod abuse;
mod admin;
mod client;
mod document;
mod ebsi;
mod governance;
mod http2;
mod ledger;
mod log;
mod node;
mod reads;
mod registries;
mod registry;
mod resolver;
mod submit;
mod timestamp;
mod tls;
mod world;
