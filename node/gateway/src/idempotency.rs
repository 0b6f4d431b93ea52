//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): who sends the same request again gets the same answer, and nothing
//! is notarised twice.
//!
//! A key belongs to a caller. With what it was used for is kept: path, query and the documents' digests. The same again gets the
//! answer that the first got or would have got; something else under the same key is refused with 422, a request whose like is under
//! way with 409. A key is kept as long as its receipts, and forgotten with a request that was told that nothing was notarised.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::HeaderMap;
use testamur_primitives::codec;
use testamur_primitives::record::Reference;

use crate::guard::Caller;
use crate::limits::IDEMPOTENCY_KEY_CHARS_MAX;
use crate::problem::{GatewayProblem, KEY_IN_USE, KEY_MALFORMED, KEY_REUSED};
use crate::records::Content;
use crate::store::{Store, SubmissionId};

/// The header.
pub const HEADER: &str = "idempotency-key";

/// The key of a request: a structured string, `"…"`. The quotes may be missing, as many clients leave them out.
pub fn key_of(headers: &HeaderMap) -> Result<Option<String>, GatewayProblem> {
    let malformed = |why: &str| {
        let detail = format!("the Idempotency-Key {why}; nothing was notarised");
        GatewayProblem::new(&KEY_MALFORMED, detail)
    };
    let mut values = headers.get_all(HEADER).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(malformed("is given twice"));
    }
    let text = value.to_str().map_err(|_| malformed("holds other than visible ASCII characters"))?.trim();
    let key = match text.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"').ok_or_else(|| malformed("has one double quote"))?,
        None => text,
    };
    if key.is_empty() || key.len() > IDEMPOTENCY_KEY_CHARS_MAX {
        return Err(malformed(&format!("has not 1 to {IDEMPOTENCY_KEY_CHARS_MAX} characters")));
    }
    if !key.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\') {
        return Err(malformed("holds other than visible ASCII characters, or quotes within"));
    }
    Ok(Some(key.to_owned()))
}

/// What was asked for, as a hash.
pub(crate) fn fingerprint(path_and_query: &str, content: &Content, reference: Option<&Reference>) -> String {
    let mut input = b"testamur/request/v1\n".to_vec();
    input.extend((path_and_query.len() as u64).to_be_bytes());
    input.extend(path_and_query.as_bytes());
    if let Content::Root(root) = content {
        // A batch's reference is in its body, and on the ledger.
        input.extend(codec::canonical(&root.act(reference.cloned())));
    }
    for digest in content.digests() {
        input.push(digest.algorithm() as u8);
        input.extend(digest.as_bytes());
    }
    hex::encode(codec::sha256(&[&input]))
}

/// Keys of requests that are under way.
#[derive(Debug, Default, Clone)]
pub struct UnderWay(Arc<Mutex<BTreeSet<[u8; 32]>>>);

/// A request's turn: as long as it lives, no other with its key begins.
#[derive(Debug)]
pub struct Turn {
    under_way: UnderWay,
    place: [u8; 32],
}

impl UnderWay {
    /// Begins a request with a key; refused while another with the same is under way.
    pub fn begin(&self, store: &Store, caller: &Caller, key: &str) -> Result<Turn, GatewayProblem> {
        let place = store.repeat_place(&caller.label, key);
        if !self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(place) {
            return Err(GatewayProblem::new(&KEY_IN_USE, "a request with this Idempotency-Key is under way"));
        }
        Ok(Turn { under_way: self.clone(), place })
    }
}

impl Turn {
    /// Where the key is kept.
    pub fn place(&self) -> [u8; 32] {
        self.place
    }

    /// The submission that the key was used for, if it was; refused when that was something else.
    pub fn earlier(&self, store: &Store, fingerprint: &str) -> Result<Option<SubmissionId>, GatewayProblem> {
        let Some(used) = store.used(&self.place).map_err(|error| GatewayProblem::of_store(&error))? else {
            return Ok(None);
        };
        if used.fingerprint != fingerprint {
            let detail = "the Idempotency-Key was used for other documents or another query; nothing was notarised";
            return Err(GatewayProblem::new(&KEY_REUSED, detail));
        }
        Ok(Some(used.id))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.under_way.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use testamur_client::batch::BatchRoot;
    use testamur_primitives::commitment::DocumentDigest;
    use testamur_primitives::hash::TreeHash;
    use testamur_primitives::record::BatchTree;

    #[test]
    fn a_key_is_one_short_visible_string() {
        let key = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(HEADER, HeaderValue::from_bytes(text.as_bytes()).unwrap());
            key_of(&headers).map_err(|problem| problem.code().to_owned())
        };
        assert_eq!(key_of(&HeaderMap::new()).unwrap(), None);
        for (text, expected) in
            [("\"8e03978e-40d5\"", "8e03978e-40d5"), ("8e03978e-40d5", "8e03978e-40d5"), (" a ", "a")]
        {
            assert_eq!(key(text), Ok(Some(expected.to_owned())), "{text}");
        }
        let long = "x".repeat(256);
        for wrong in ["", "\"\"", "\"a", "a\"", "a b", "\"a\"b\"", "a\\b", "é", &long] {
            assert_eq!(key(wrong), Err("gateway.idempotency-key".to_owned()), "{wrong}");
        }
        let mut twice = HeaderMap::new();
        twice.append(HEADER, HeaderValue::from_static("a"));
        twice.append(HEADER, HeaderValue::from_static("a"));
        assert!(key_of(&twice).is_err());
    }

    #[test]
    fn fingerprints_tell_requests_apart() {
        use testamur_primitives::commitment::DigestAlgorithm::{Sha2_256, Sha3_256};
        let digest = |algorithm, byte| DocumentDigest::new(algorithm, vec![byte; 32]).unwrap();
        let of = |path: &str, digests: &[_]| fingerprint(path, &Content::Digests(digests.to_vec()), None);
        let one = of("/v1/hashes", &[digest(Sha2_256, 1), digest(Sha2_256, 2)]);
        for other in [
            of("/v1/hashes?public=1", &[digest(Sha2_256, 1), digest(Sha2_256, 2)]),
            of("/v1/hashes", &[digest(Sha2_256, 2), digest(Sha2_256, 1)]),
            of("/v1/hashes", &[digest(Sha2_256, 1)]),
            of("/v1/hashes", &[digest(Sha3_256, 1), digest(Sha2_256, 2)]),
        ] {
            assert_ne!(one, other);
        }
        assert_eq!(one, of("/v1/hashes", &[digest(Sha2_256, 1), digest(Sha2_256, 2)]));
        let root = |count, reference: Option<&str>| {
            let root = BatchRoot { tree: BatchTree::Rfc6962Sha256, root: TreeHash::ZERO, count };
            fingerprint("/v1/batches", &Content::Root(root), reference.map(|text| text.parse().unwrap()).as_ref())
        };
        assert_ne!(root(1, None), root(2, None));
        assert_ne!(root(1, None), root(1, Some("a")));
        assert_eq!(root(1, Some("a")), root(1, Some("a")));
    }
}
