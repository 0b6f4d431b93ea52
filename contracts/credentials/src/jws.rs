//! The compact JWS (RFC 7515) that every format here is signed as.
//!
//! One reading of each: strict unpadded base64url, header and payload JSON objects without doubled members. An unknown header
//! parameter is ignored as RFC 7515 §4 asks; one that brings a key (`jwk`, `jku`, `x5c`, `x5u`) is never used, and `crit` and `b64`
//! are refused. The algorithm is that of the issuer's key on the ledger; the header only has to agree.

use serde_json::{Map, Value};
use testamur_primitives::key::JwsAlgorithm;

/// A compact JWS, taken apart.
#[derive(Debug, Clone)]
pub struct Jws {
    /// Header and payload as they are signed: `base64url . base64url`.
    pub signing_input: String,
    /// The protected header.
    pub header: Map<String, Value>,
    /// The header's `alg`.
    pub alg: JwsAlgorithm,
    /// The payload.
    pub payload: Map<String, Value>,
    /// The signature.
    pub signature: Vec<u8>,
}
