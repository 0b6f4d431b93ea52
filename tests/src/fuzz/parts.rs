//! What targets are made of. Read with [`super::ledger`] by the tests of `contracts/primitives` as well.

use testamur_primitives::codec::base64url;

/// A parser, and what it is tried with.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name.
    pub name: &'static str,
    /// Reads bytes; panics only where a promise is broken.
    pub run: fn(&[u8]),
    /// Inputs to begin from.
    pub corpus: fn() -> Vec<Vec<u8>>,
    /// Inputs in every CI run: a million where that takes seconds.
    pub ci: u64,
}

/// Bytes between the parts of an input that is put together here: no text has one.
pub(super) const CUT: u8 = 0;

/// A JWS whose parts are given in the clear: a mutation of base64url hardly ever is base64url.
pub(super) fn jws(bytes: &[u8]) -> Vec<u8> {
    let mut parts = bytes.splitn(3, |byte| *byte == CUT);
    let mut next = || parts.next().unwrap_or_default();
    let (header, payload, tail) = (next(), next(), next());
    let text = format!("{}.{}.c2ln", base64url(header), base64url(payload));
    [text.as_bytes(), tail].concat()
}
