//! Many documents under one record: the tree that is signed, and the opening of each document.
//!
//! Openings are cut one by one, so that a batch of a million documents never stands in memory as a million receipts.

use serde::{Deserialize, Serialize};
use testamur_primitives::commitment::{BatchLeaf, DigestAlgorithm, DocumentDigest, Form, Opening, Salt, SaltText};
use testamur_primitives::hash::TreeHash;
use testamur_primitives::limits::NOTARISE_ENTRIES_MAX;
use testamur_primitives::merkle::MemoryTree;
use testamur_primitives::record::{Act, BatchTree, Bytes, Reference};

/// Why documents cannot be put under one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// No document at all.
    #[error("nothing to notarise: give at least one document")]
    Empty,
    /// More plain digests than one record holds.
    #[error("one record holds at most {NOTARISE_ENTRIES_MAX} plain digests, not {0}")]
    TooMany(usize),
    /// Plain digests of several algorithms.
    #[error("the plain digests of one record share one algorithm: {0} and {1} are given")]
    Mixed(&'static str, &'static str),
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    Random,
}

impl BatchError {
    /// Whether the process must stop: without random bytes no salt is safe.
    pub fn is_fatal(&self) -> bool {
        matches!(self, Self::Random)
    }
}

/// 32 fresh random bytes from the operating system.
pub fn fresh_salt() -> Result<Salt, BatchError> {
    random_bytes().map(Salt::from_bytes)
}

pub(crate) fn random_bytes<const N: usize>() -> Result<[u8; N], BatchError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| BatchError::Random)?;
    Ok(bytes)
}

/// A tree over documents, in the order given; doubles are allowed.
#[derive(Debug, Clone)]
pub struct Batch {
    leaves: Vec<BatchLeaf>,
    tree: MemoryTree,
}

impl Batch {
    /// Commits to each digest under a fresh salt: the default, also for a single document.
    pub fn salted(digests: Vec<DocumentDigest>) -> Result<Self, BatchError> {
        let leaves = digests
            .into_iter()
            .map(|digest| Ok(BatchLeaf { digest, salt: Some(fresh_salt()?) }))
            .collect::<Result<Vec<_>, BatchError>>()?;
        Self::from_leaves(leaves)
    }

    /// Builds the tree over leaves whose salts the caller chose.
    pub fn from_leaves(leaves: Vec<BatchLeaf>) -> Result<Self, BatchError> {
        if leaves.is_empty() {
            return Err(BatchError::Empty);
        }
        let mut tree = MemoryTree::default();
        for leaf in &leaves {
            tree.append(leaf.leaf_hash());
        }
        Ok(Self { leaves, tree })
    }

    /// Documents in the tree.
    pub fn count(&self) -> u64 {
        self.leaves.len() as u64
    }

    /// Root of the tree.
    pub fn root(&self) -> TreeHash {
        self.tree.root(self.count()).expect("the tree holds every leaf")
    }

    /// The act that anchors the batch.
    pub fn act(&self, reference: Option<Reference>) -> Act {
        Act::NotariseBatch { tree: BatchTree::Rfc6962Sha256, root: self.root(), count: self.count(), reference }
    }

    /// The opening of a document; `None` when the index is out of range.
    pub fn opening(&self, index: u64) -> Option<Opening> {
        let leaf = self.leaves.get(usize::try_from(index).ok()?)?;
        let path = self.tree.inclusion_proof(index, self.count()).expect("the index is in range and the tree complete");
        Some(Opening {
            index,
            alg: leaf.digest.algorithm(),
            digest: leaf.digest.as_bytes().to_vec(),
            salt: leaf.salt.clone().map(SaltText),
            path: Some(path),
        })
    }
}

/// Plain digests under one `notarise` record: what everybody can find by hash.
#[derive(Debug, Clone)]
pub struct PlainList {
    algorithm: DigestAlgorithm,
    digests: Vec<DocumentDigest>,
}

impl PlainList {
    /// Takes 1 to 512 digests of one algorithm.
    pub fn new(digests: Vec<DocumentDigest>) -> Result<Self, BatchError> {
        let algorithm = digests.first().ok_or(BatchError::Empty)?.algorithm();
        if digests.len() > NOTARISE_ENTRIES_MAX {
            return Err(BatchError::TooMany(digests.len()));
        }
        if let Some(other) = digests.iter().find(|digest| digest.algorithm() != algorithm) {
            return Err(BatchError::Mixed(algorithm.name(), other.algorithm().name()));
        }
        Ok(Self { algorithm, digests })
    }

    /// Documents in the list.
    pub fn count(&self) -> u64 {
        self.digests.len() as u64
    }

    /// The act that anchors the list.
    pub fn act(&self, reference: Option<Reference>) -> Act {
        let entries = self.digests.iter().map(|digest| Bytes(digest.as_bytes().to_vec())).collect();
        Act::Notarise { alg: self.algorithm, form: Form::Digest, entries, reference }
    }

    /// The opening of a document: which entry it is.
    pub fn opening(&self, index: u64) -> Option<Opening> {
        let digest = self.digests.get(usize::try_from(index).ok()?)?;
        Some(Opening { index, alg: self.algorithm, digest: digest.as_bytes().to_vec(), salt: None, path: None })
    }
}

/// The root of a batch whose openings are somebody else's: of a container of receipts, of another system's tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchRoot {
    /// Tree algorithm.
    pub tree: BatchTree,
    /// Root of the tree.
    pub root: TreeHash,
    /// Documents in the tree.
    pub count: u64,
}

impl BatchRoot {
    /// The act that anchors the batch.
    pub fn act(&self, reference: Option<Reference>) -> Act {
        let Self { tree, root, count } = *self;
        Act::NotariseBatch { tree, root, count, reference }
    }
}

/// What one record anchors.
#[derive(Debug, Clone)]
pub enum Documents {
    /// A root; its openings are not here.
    Root(BatchRoot),
    /// Salted commitments under a tree's root.
    Batch(Batch),
    /// Plain digests, each an entry.
    Plain(PlainList),
}

impl Documents {
    /// Puts digests under one record: plain when they shall be found by hash, else salted.
    pub fn new(digests: Vec<DocumentDigest>, form: Form) -> Result<Self, BatchError> {
        match form {
            Form::Digest => PlainList::new(digests).map(Self::Plain),
            Form::Commitment => Batch::salted(digests).map(Self::Batch),
        }
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        match self {
            Self::Root(root) => root.count,
            Self::Batch(batch) => batch.count(),
            Self::Plain(list) => list.count(),
        }
    }

    /// The act that anchors them.
    pub fn act(&self, reference: Option<Reference>) -> Act {
        match self {
            Self::Root(root) => root.act(reference),
            Self::Batch(batch) => batch.act(reference),
            Self::Plain(list) => list.act(reference),
        }
    }

    /// The opening of one; `None` when the index is out of range, and for a root.
    pub fn opening(&self, index: u64) -> Option<Opening> {
        match self {
            Self::Root(_) => None,
            Self::Batch(batch) => batch.opening(index),
            Self::Plain(list) => list.opening(index),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::digest_reader;

    fn digest(algorithm: DigestAlgorithm, text: &str) -> DocumentDigest {
        digest_reader(algorithm, text.as_bytes()).unwrap()
    }

    #[test]
    fn every_opening_of_every_small_batch_holds_and_no_other() {
        for count in 1..=33u64 {
            let digests: Vec<_> = (0..count)
                .map(|i| digest(DigestAlgorithm::ALL[i as usize % 6], &format!("document {}", i / 2)))
                .collect();
            let batch = Batch::salted(digests).unwrap();
            assert_eq!(batch.count(), count);
            for index in 0..count {
                let opening = batch.opening(index).unwrap();
                opening.verify_batch(batch.root(), count).unwrap();
                let mut moved = opening.clone();
                moved.index = (index + 1) % count;
                assert_eq!(moved.verify_batch(batch.root(), count).is_ok(), count == 1);
                let mut unsalted = opening;
                unsalted.salt = None;
                assert!(unsalted.verify_batch(batch.root(), count).is_err());
            }
            assert!(batch.opening(count).is_none());
        }
    }

    #[test]
    fn the_same_document_twice_gives_two_roots_since_salts_are_fresh() {
        let one = vec![digest(DigestAlgorithm::Sha2_256, "x")];
        assert_ne!(Batch::salted(one.clone()).unwrap().root(), Batch::salted(one).unwrap().root());
    }

    #[test]
    fn lists_of_plain_digests_have_their_bounds() {
        let sha = |i: usize| digest(DigestAlgorithm::Sha2_512, &i.to_string());
        assert_eq!(PlainList::new(vec![]).unwrap_err(), BatchError::Empty);
        assert_eq!(Batch::salted(vec![]).unwrap_err(), BatchError::Empty);
        assert_eq!(PlainList::new((0..513).map(sha).collect()).unwrap_err(), BatchError::TooMany(513));
        let mixed = vec![sha(0), digest(DigestAlgorithm::Sha3_512, "x")];
        assert_eq!(PlainList::new(mixed).unwrap_err(), BatchError::Mixed("sha2-512", "sha3-512"));
        let list = PlainList::new((0..512).map(sha).collect()).unwrap();
        assert_eq!(list.opening(511).unwrap().digest, sha(511).as_bytes());
        assert!(list.opening(512).is_none());
    }
}
