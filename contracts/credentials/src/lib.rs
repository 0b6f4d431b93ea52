//! Diplomas and other credentials: built, signed, read and verified.
//!
//! **Promises.** [`verify::Verifier`] says *valid* only of a credential that nobody altered, whose issuer was accredited for it
//! when the ledger witnessed it, and that was not withdrawn as of a state proven to be fresh: each of that from proofs under the
//! trust file, none from the credential or from whoever delivered it. What could not be known is *cannot tell*, never *valid*.
//!
//! **Absences.** No I/O, clock, randomness, async, floats, threads or hash-ordered collections: "now" and random ids are
//! arguments. It fetches nothing: proofs are handed in ([`proofs::Proofs`]), and [`ledger::read`] says which keys they must hold.
//!
//! ```text
//! content ──▶ format::* (build) ──▶ signature ──▶ Credential text ──▶ anchor: SHA-256 of its signing input, salted, on the ledger
//! file ──▶ presentation::read ──▶ Credential + receipt + proofs ──▶ verify::Verifier(trust file, now) ──▶ Report: 8 steps, a verdict
//! ```

pub mod content;
pub mod credential;
pub mod format;
pub mod json;
pub mod jws;
pub mod ledger;
pub mod limits;
pub mod link;
pub mod package;
pub mod presentation;
pub mod print;
pub mod proofs;
pub mod refusal;
pub mod status;
pub mod verify;
