//! What a verification rests on beside the credential and its receipt: handed in, never fetched.

use std::collections::BTreeMap;
use std::sync::Arc;

use testamur_primitives::codec::sha256;
use testamur_primitives::hash::AttachmentHash;
use testamur_primitives::state::evidence::Evidence;

/// Proofs for one or many credentials. A copy costs next to nothing.
#[derive(Debug, Clone, Default)]
pub struct Proofs {
    /// State of the ledger under one header: the keys that [`crate::ledger::read`] asks for.
    pub evidence: Option<Arc<Evidence>>,
    /// Bits of status lists of the ledger.
    pub lists: Lists,
    /// Status list tokens from elsewhere, by the URL that credentials point to.
    pub tokens: BTreeMap<String, Arc<str>>,
}

impl Proofs {
    /// None at all.
    pub const NONE: Self = Self { evidence: None, lists: Lists(BTreeMap::new()), tokens: BTreeMap::new() };
}

/// Bits of status lists, by SHA-256.
///
/// - INV-LISTS-1: what is found under a digest has that digest. It is computed here, once, and never given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lists(BTreeMap<AttachmentHash, Arc<[u8]>>);

impl Lists {
    /// Takes a list's bits, as they are attached to its record, and says under which digest they are found.
    pub fn add(&mut self, bits: impl Into<Arc<[u8]>>) -> AttachmentHash {
        let bits = bits.into();
        let digest = AttachmentHash::from_bytes(sha256(&[&bits]));
        self.0.insert(digest, bits);
        digest
    }

    /// The bits of a digest.
    pub fn get(&self, digest: &AttachmentHash) -> Option<&Arc<[u8]>> {
        self.0.get(digest)
    }

    /// All, in the order of their digests.
    pub fn iter(&self) -> impl Iterator<Item = (&AttachmentHash, &Arc<[u8]>)> {
        self.0.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T: Into<Arc<[u8]>>> FromIterator<T> for Lists {
    fn from_iter<I: IntoIterator<Item = T>>(all: I) -> Self {
        let mut lists = Self::default();
        all.into_iter().for_each(|bits| {
            lists.add(bits);
        });
        lists
    }
}

impl<T: Into<Arc<[u8]>>> Extend<T> for Lists {
    fn extend<I: IntoIterator<Item = T>>(&mut self, all: I) {
        all.into_iter().for_each(|bits| {
            self.add(bits);
        });
    }
}
