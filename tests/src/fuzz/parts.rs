//! What targets are made of. Read with [`super::ledger`] by the tests of `contracts/primitives` as well.

use std::path::Path;

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
}

/// What a run guided by coverage found worth keeping of a target, if there was one (`tests/fuzz/corpus`, written by
/// `tests/fuzz/run`: each input behind its length, 4 bytes, big-endian).
pub(super) fn kept(corpus: &Path, name: &str) -> Vec<Vec<u8>> {
    let bytes = std::fs::read(corpus.join(name)).unwrap_or_default();
    let (mut rest, mut inputs) = (bytes.as_slice(), Vec::new());
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let (input, after) = after.split_at_checked(u32::from_be_bytes(*length) as usize).expect("it is whole");
        inputs.push(input.to_vec());
        rest = after;
    }
    inputs
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
