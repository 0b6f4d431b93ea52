//! What was found out about accreditation credentials lately: how they read, and with which key they verify.
//!
//! A chain's upper links are the same for thousands of reads and records, and reading and verifying a credential costs
//! more than everything else about it. Both depend on its bytes and the key alone, so remembering changes how long an
//! answer takes and never what it is: nothing here is state.
//!
//! - INV-MEMORY-1: a credential is found again by the SHA-256 of all its bytes, and counts as verified with the one key
//!   that it verified with.

use std::sync::{Arc, OnceLock};

use super::accreditation::{Accreditation, Malformed};
use crate::codec::sha256;
use crate::generations::Generations;
use crate::key::PublicKey;
use crate::limits::CREDENTIALS_REMEMBERED_MAX;

static CREDENTIALS: Generations<[u8; 32], Arc<Accreditation>> = Generations::new(CREDENTIALS_REMEMBERED_MAX);

/// As [`Accreditation::parse`], remembered.
pub fn read(jwt: &str) -> Result<Arc<Accreditation>, Malformed> {
    let digest = sha256(&[jwt.as_bytes()]);
    if let Some(found) = CREDENTIALS.get(&digest) {
        return Ok(found);
    }
    // Not under the lock: others read on meanwhile, and what two find out is the same.
    let read = Arc::new(Accreditation::parse(jwt)?);
    CREDENTIALS.put(digest, Arc::clone(&read), 1);
    Ok(read)
}

/// The key that a credential is known to verify with. No part of what the credential is: it compares equal to any other.
#[derive(Debug, Clone, Default)]
pub(super) struct VerifiedWith(OnceLock<PublicKey>);

impl VerifiedWith {
    /// Whether `verify` says so, or said so of this key before.
    pub(super) fn check(&self, key: &PublicKey, verify: impl FnOnce() -> bool) -> bool {
        // INV-MEMORY-1: the one key that it verified with; another is verified anew, each time.
        if self.0.get() == Some(key) {
            return true;
        }
        let verifies = verify();
        if verifies {
            // Another thread may have been first; then that key stays.
            let _ = self.0.set(key.clone());
        }
        verifies
    }
}

impl PartialEq for VerifiedWith {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for VerifiedWith {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::SigningKey;

    #[test]
    fn a_key_is_remembered_and_no_other_is_taken_for_it() {
        let [key, other] = [1, 2].map(|n| SigningKey::ed25519(&[n; 32]).public_key());
        let memory = VerifiedWith::default();
        assert!(!memory.check(&key, || false), "a failure is not remembered as a success");
        assert!(memory.check(&key, || true));
        assert!(memory.check(&key, || unreachable!("remembered")));
        assert!(!memory.check(&other, || false), "INV-MEMORY-1: another key is verified anew");
        assert!(memory.check(&key, || unreachable!("still remembered")));
    }

    #[test]
    fn what_is_malformed_stays_so() {
        assert!(read("a.b.c").is_err());
        assert!(read("a.b.c").is_err());
    }
}
