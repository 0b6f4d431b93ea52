//! A chunk: up to 1,024 documents, column by column, with the root of their subtree.
//!
//! ```text
//! body = first index (8) ‖ count (2) ‖ salts (1) ‖ root (32)
//!      ‖ secret (32)                       if salts = 1
//!      ‖ alg (1) × count                   0: erased
//!      ‖ digest × count                    each of its algorithm's length; erased: the leaf hash (32)
//!      ‖ salt (32) × count                 if salts = 2; erased: zeros
//!      ‖ length of name (2) × count ‖ names
//! salts: 0 none, the leaves are plain digests · 1 derived · 2 listed
//! salt of index i = HMAC-SHA-256(secret, "testamur/salt/v1\0" ‖ i (8))
//! ```
//! **Why salts are derived.** 25 million salts are 800 MB; a secret a chunk is 0.8 MB. HMAC is a pseudo-random function: a
//! salt that was shown tells nothing of another's. **Why a secret a chunk, and salts = 2.** To erase a document its salt
//! must go, and while a secret is there that gives it, it has not gone. So its chunk is written again with the other
//! 1,023 salts listed, the secret and the document's digest and name left out; its leaf's hash stays, for the others' paths.
//! **Why chunks of 1,024.** One path costs the hashes of one chunk, half a millisecond; the roots of 25 million documents'
//! chunks are 1 MB.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use testamur_primitives::commitment::{DigestAlgorithm, DocumentDigest, Form, Salt};
use testamur_primitives::hash::TreeHash;
use testamur_primitives::merkle::{Frontier, MemoryTree};

use crate::batch::random_bytes;
use crate::bulk::error::BulkError;
use crate::limits::{CHUNK_ENTRIES, NAME_BYTES_MAX};

/// Bytes before the secret.
const FIXED: usize = 43;

/// Documents on their way into a chunk.
#[derive(Debug, Default, Clone)]
pub struct Columns {
    algorithms: Vec<u8>,
    digests: Vec<u8>,
    name_lengths: Vec<u8>,
    names: Vec<u8>,
}

/// A chunk that is ready to be written.
#[derive(Debug, Clone)]
pub struct Sealed {
    first: u64,
    count: usize,
    root: TreeHash,
    body: Vec<u8>,
}

impl Sealed {
    /// Index of its first document.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// Documents in it.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Root of its subtree.
    pub fn root(&self) -> TreeHash {
        self.root
    }

    /// The section's body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }
}

impl Columns {
    /// Documents so far.
    pub fn len(&self) -> usize {
        self.algorithms.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.algorithms.is_empty()
    }

    /// Whether no more go in.
    pub fn is_full(&self) -> bool {
        self.len() == CHUNK_ENTRIES
    }

    /// Adds a document; the name may be empty.
    ///
    /// # Panics
    /// When the chunk is full.
    pub fn push(&mut self, algorithm: DigestAlgorithm, digest: &[u8], name: &[u8]) -> Result<(), BulkError> {
        assert!(!self.is_full(), "a chunk holds {CHUNK_ENTRIES} documents");
        if digest.len() != algorithm.digest_bytes() {
            return Err(BulkError::DigestLength);
        }
        if name.len() > NAME_BYTES_MAX {
            return Err(BulkError::NameLength(name.len()));
        }
        self.algorithms.push(algorithm as u8);
        self.digests.extend_from_slice(digest);
        self.name_lengths.extend_from_slice(&(name.len() as u16).to_be_bytes());
        self.names.extend_from_slice(name);
        Ok(())
    }

    /// Draws a secret, computes the subtree's root, and makes the chunk's body. `first` is a multiple of 1,024.
    pub fn seal(&self, first: u64, form: Form) -> Result<Sealed, BulkError> {
        let secret = match form {
            Form::Commitment => Some(random_bytes()?),
            Form::Digest => None,
        };
        Ok(self.seal_with(first, secret.as_ref()))
    }

    /// As [`Columns::seal`], under a given secret; the caller answers for its randomness.
    pub fn seal_with(&self, first: u64, secret: Option<&[u8; 32]>) -> Sealed {
        debug_assert!(first.is_multiple_of(CHUNK_ENTRIES as u64) && !self.is_empty());
        let salter = secret.map(Salter::new);
        let mut frontier = Frontier::new();
        let mut digests = self.digests.as_slice();
        for (place, byte) in self.algorithms.iter().enumerate() {
            let algorithm = algorithm(*byte).expect("only algorithms are pushed");
            let digest;
            (digest, digests) = digests.split_at(algorithm.digest_bytes());
            let salt = salter.as_ref().map(|salter| salter.salt(first + place as u64));
            frontier.append(leaf_hash(algorithm, digest, salt.as_ref()), |_, _, _| {});
        }
        let root = frontier.root();
        let names = self.name_lengths.len() + self.names.len();
        let mut body = Vec::with_capacity(FIXED + 32 + self.len() + self.digests.len() + names);
        body.extend_from_slice(&first.to_be_bytes());
        body.extend_from_slice(&(self.len() as u16).to_be_bytes());
        body.push(u8::from(secret.is_some()));
        body.extend_from_slice(root.as_bytes());
        body.extend_from_slice(secret.map_or(&[][..], |secret| secret));
        body.extend_from_slice(&self.algorithms);
        body.extend_from_slice(&self.digests);
        body.extend_from_slice(&self.name_lengths);
        body.extend_from_slice(&self.names);
        Sealed { first, count: self.len(), root, body }
    }
}

fn algorithm(byte: u8) -> Option<DigestAlgorithm> {
    DigestAlgorithm::ALL.into_iter().find(|algorithm| *algorithm as u8 == byte)
}

/// Derives the salts of one chunk.
struct Salter(Hmac<Sha256>);

impl Salter {
    fn new(secret: &[u8; 32]) -> Self {
        let mut mac = Hmac::new_from_slice(secret).expect("HMAC takes keys of any length");
        mac.update(b"testamur/salt/v1\0");
        Self(mac)
    }

    fn salt(&self, index: u64) -> [u8; 32] {
        let mut mac = self.0.clone();
        mac.update(&index.to_be_bytes());
        mac.finalize().into_bytes().into()
    }
}

/// As `BatchLeaf::leaf_hash`, without an allocation: this is what bulk notarisation spends its time on.
fn leaf_hash(algorithm: DigestAlgorithm, digest: &[u8], salt: Option<&[u8; 32]>) -> TreeHash {
    let leaf = Sha256::new().chain_update(b"\0testamur/leaf/v1\0");
    let hash = match salt {
        None => leaf.chain_update([Form::Digest as u8, algorithm as u8]).chain_update(digest).finalize(),
        Some(salt) => {
            let commitment = Sha256::new()
                .chain_update(b"testamur/commit/v1\0")
                .chain_update([algorithm as u8])
                .chain_update(salt)
                .chain_update(digest)
                .finalize();
            leaf.chain_update([Form::Commitment as u8, algorithm as u8]).chain_update(commitment).finalize()
        }
    };
    TreeHash::from_bytes(hash.into())
}

/// Where the salts of a chunk come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Salts {
    None,
    Derived,
    Listed,
}

/// A chunk that was read.
#[derive(Debug, Clone)]
pub struct Chunk {
    body: Vec<u8>,
    first: u64,
    count: usize,
    salts: Salts,
    algorithms: usize,
    /// Where each digest begins, and where the last one ends.
    digests: Vec<u32>,
    listed: usize,
    /// Where each name begins, and where the last one ends.
    names: Vec<u32>,
}

/// One document of a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Place in the batch.
    pub index: u64,
    /// Algorithm and bytes; `None` when the entry was erased.
    pub digest: Option<(DigestAlgorithm, &'a [u8])>,
    /// Its name; empty when it has none.
    pub name: &'a [u8],
}

impl Entry<'_> {
    /// Whether this is the document with that digest.
    pub fn is(&self, digest: &DocumentDigest) -> bool {
        self.digest == Some((digest.algorithm(), digest.as_bytes()))
    }
}

impl Chunk {
    /// Reads a body; the error says what is wrong. That the root is the documents' is seen by [`Chunk::computed_root`].
    pub fn parse(body: Vec<u8>) -> Result<Self, &'static str> {
        let fixed = body.get(..FIXED).ok_or("too short")?;
        let first = u64::from_be_bytes(fixed[..8].try_into().expect("8 bytes"));
        let count = usize::from(u16::from_be_bytes([fixed[8], fixed[9]]));
        if !(1..=CHUNK_ENTRIES).contains(&count) || !first.is_multiple_of(CHUNK_ENTRIES as u64) {
            return Err("a count or first index that no chunk has");
        }
        let salts = match fixed[10] {
            0 => Salts::None,
            1 => Salts::Derived,
            2 => Salts::Listed,
            _ => return Err("salts of an unknown kind"),
        };
        let algorithms = FIXED + if salts == Salts::Derived { 32 } else { 0 };
        let mut at = algorithms + count;
        let mut digests = Vec::with_capacity(count + 1);
        for byte in body.get(algorithms..at).ok_or("too short")? {
            digests.push(at as u32);
            at += match (algorithm(*byte), byte) {
                (Some(algorithm), _) => algorithm.digest_bytes(),
                (None, 0) if salts == Salts::Listed => 32,
                _ => return Err("an unknown digest algorithm"),
            };
        }
        digests.push(at as u32);
        let listed = at;
        at += if salts == Salts::Listed { 32 * count } else { 0 };
        let lengths = body.get(at..at + 2 * count).ok_or("too short")?;
        at += 2 * count;
        let mut names = Vec::with_capacity(count + 1);
        for length in lengths.chunks_exact(2) {
            names.push(at as u32);
            let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
            if length > NAME_BYTES_MAX {
                return Err("a name that is too long");
            }
            at += length;
        }
        names.push(at as u32);
        if at != body.len() {
            return Err("names that do not end with the chunk");
        }
        Ok(Self { body, first, count, salts, algorithms, digests, listed, names })
    }

    /// The bytes that it was read from.
    pub fn into_body(self) -> Vec<u8> {
        self.body
    }

    /// Index of its first document.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// Documents in it.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Root that it claims.
    pub fn root(&self) -> TreeHash {
        TreeHash::from_slice(&self.body[11..FIXED]).expect("32 bytes")
    }

    /// The document at a place below [`Chunk::count`].
    pub fn entry(&self, place: usize) -> Entry<'_> {
        let digest = algorithm(self.body[self.algorithms + place]).map(|algorithm| (algorithm, self.digest(place)));
        let name = &self.body[self.names[place] as usize..self.names[place + 1] as usize];
        Entry { index: self.first + place as u64, digest, name }
    }

    /// All its documents.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        (0..self.count).map(|place| self.entry(place))
    }

    fn digest(&self, place: usize) -> &[u8] {
        &self.body[self.digests[place] as usize..self.digests[place + 1] as usize]
    }

    fn salter(&self) -> Option<Salter> {
        let secret = || self.body[FIXED..FIXED + 32].try_into().expect("32 bytes");
        (self.salts == Salts::Derived).then(|| Salter::new(&secret()))
    }

    fn salt_bytes(&self, place: usize, salter: Option<&Salter>) -> Option<[u8; 32]> {
        match self.salts {
            Salts::None => None,
            Salts::Derived => salter.map(|salter| salter.salt(self.first + place as u64)),
            Salts::Listed => {
                let at = self.listed + 32 * place;
                Some(self.body[at..at + 32].try_into().expect("32 bytes"))
            }
        }
    }

    /// The salt of a document; `None` for plain digests.
    pub fn salt(&self, place: usize) -> Option<Salt> {
        self.salt_bytes(place, self.salter().as_ref()).map(Salt::from_bytes)
    }

    /// The tree over its documents, computed from them.
    fn tree(&self) -> MemoryTree {
        let salter = self.salter();
        let mut tree = MemoryTree::default();
        for (place, entry) in self.entries().enumerate() {
            tree.append(match entry.digest {
                Some((algorithm, digest)) => {
                    leaf_hash(algorithm, digest, self.salt_bytes(place, salter.as_ref()).as_ref())
                }
                None => TreeHash::from_slice(self.digest(place)).expect("an erased entry keeps 32 bytes"),
            });
        }
        tree
    }

    /// Root of its subtree, computed from its documents.
    pub fn computed_root(&self) -> TreeHash {
        self.tree().root(self.count as u64).expect("the tree holds every leaf")
    }

    /// Path of a document within the chunk, and the subtree's root, both computed from its documents.
    pub fn path(&self, place: usize) -> (Vec<TreeHash>, TreeHash) {
        let (tree, count) = (self.tree(), self.count as u64);
        let path = tree.inclusion_proof(place as u64, count).expect("the place is below the count");
        (path, tree.root(count).expect("the tree holds every leaf"))
    }

    /// The same chunk without a document: its digest, name and salt are gone, its leaf's hash stays. `None` for chunks of
    /// plain digests, which hide nothing.
    pub fn without(&self, place: usize) -> Option<Vec<u8>> {
        if self.salts == Salts::None || place >= self.count {
            return None;
        }
        let salter = self.salter();
        let salts: Vec<_> = (0..self.count).map(|i| self.salt_bytes(i, salter.as_ref())).collect::<Option<_>>()?;
        let mut body = self.body[..FIXED].to_vec();
        body[10] = 2;
        let algorithms = &self.body[self.algorithms..self.algorithms + self.count];
        body.extend(algorithms.iter().enumerate().map(|(i, byte)| if i == place { 0 } else { *byte }));
        for (i, salt) in salts.iter().enumerate() {
            match self.entry(i).digest {
                Some((algorithm, digest)) if i == place => {
                    body.extend_from_slice(leaf_hash(algorithm, digest, Some(salt)).as_bytes());
                }
                _ => body.extend_from_slice(self.digest(i)),
            }
        }
        for (i, salt) in salts.iter().enumerate() {
            body.extend_from_slice(if i == place { &[0; 32] } else { salt });
        }
        let names: Vec<_> = (0..self.count).map(|i| if i == place { &[][..] } else { self.entry(i).name }).collect();
        for name in &names {
            body.extend_from_slice(&(name.len() as u16).to_be_bytes());
        }
        names.iter().for_each(|name| body.extend_from_slice(name));
        Some(body)
    }
}
