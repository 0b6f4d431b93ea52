//! The HTTP API of a node: records in, proofs out, and the log as C2SP tiles.
//!
//! **Promises.** Every answer that matters carries its proof or can be checked against one. Errors are RFC 9457
//! problem details with stable codes and never show internals. No client, slow, idle, oversized or malformed, takes
//! more than its share: connections, headers, bodies, times and concurrent reads are bounded (see [`limits`]).
//! Every route stands in the OpenAPI document (INV-API-1).
//!
//! **Absences.** It knows nothing of the database or the consensus engine: it sees [`Reader`], [`Submitter`] and
//! [`Health`]. It holds no key and never signs. It logs neither addresses nor query strings nor bodies.
//!
//! The accept loop in [`server`], the errors in [`problem`], [`hosts`] and [`refused`] serve the gateway and the verifier as
//! well.

mod admin;
mod answer;
mod app;
pub mod health;
pub mod hosts;
pub mod keeper;
pub mod ledger;
pub mod limits;
mod metrics;
mod openapi;
mod page;
pub mod problem;
pub mod refused;
mod registry;
mod rejections;
mod request;
mod routes;
mod schemas;
pub mod server;
pub mod views;

pub use app::{Api, ApiConfig, Node};
pub use health::Health;
pub use keeper::{BackedUp, BackupError, Keeper};
pub use ledger::{ReadError, Reader, SubmitError, Submitter};
pub use rejections::{RECORD_CODES, RejectionCode};
