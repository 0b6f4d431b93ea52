//! The gateway over real HTTP on loopback, in front of nodes that are small but whose receipts are real.

mod bad_input;
mod batches;
mod clients;
mod diplomas;
mod disk;
mod expiry;
mod fake_node;
mod kept;
mod killed;
mod listing;
mod log;
mod nodes;
mod notarise;
mod streams;
mod tokens;
mod webhook;
mod world;
