//! The gateway over real HTTP on loopback, in front of nodes that are small but whose receipts are real.

mod bad_input;
mod clients;
mod diplomas;
mod fake_node;
mod kept;
mod killed;
mod log;
mod nodes;
mod notarise;
mod streams;
mod tokens;
mod webhook;
mod world;
