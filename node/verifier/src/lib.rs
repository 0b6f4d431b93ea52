//! A local HTTP service that verifies diplomas for programs: those of an admissions office, or of who hires.
//!
//! **Promises.** It listens on this machine alone unless told otherwise, and then with a token that every caller must send
//! (INV-VERIFIER-1). It keeps nothing: no file, no name, no verdict outlives its request, and the log says how many and how long,
//! never what or whose. What nodes answer is proven under the trust file; which diploma is looked at they do not learn. Memory is
//! bounded by [`limits`] whatever is sent, and a batch is answered in its order (INV-BATCH-1 in `batch`).
//!
//! **Absences.** No database, no disk, no cookies, no CORS, no web page of another origin. A diploma that does not hold is no
//! error: it is an answer.
//!
//! A life of a request: [`guard`] (host, origin, token) → `body` or `items` (bytes become files) → [`check`] (opened, read,
//! the ledger asked, verified) → [`answer`].

pub mod answer;
mod batch;
mod body;
pub mod check;
pub mod config;
pub mod guard;
mod items;
mod ledger;
pub mod limits;
mod openapi;
pub mod pool;
pub mod problem;
mod routes;
mod samples;
pub mod service;
mod split;

pub use config::{ConfigError, VerifierConfig};
pub use service::{Service, VerifierError};
