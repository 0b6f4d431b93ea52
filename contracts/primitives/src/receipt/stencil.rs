//! Many receipts of one record: the bytes that they share are written once, and each is cut by putting its opening between them.
//!
//! Members of a receipt stand in the order of their names (RFC 8785), so that every receipt of a record is
//!
//! ```text
//! {"algorithms":…,"anchors":…,"author":…,  "digest":"…",  "epochs":…,…,"note":…,  "opening":{…},  "path":…,…,"validators":…}
//! └────────────── before ───────────────┘                └──────── middle ──────┘                 └───────── after ────────┘
//! ```
//!
//! What is digested begins with `before` and `middle` for all of them: SHA-256 goes on from there for each.

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::Receipt;
use crate::codec;
use crate::commitment::Opening;
use crate::record::Bytes;

/// What all receipts of a record share, as bytes.
#[derive(Clone)]
pub struct ReceiptStencil {
    /// The whole receipt without digest and opening.
    bare: Vec<u8>,
    /// Where the digest goes.
    digest_at: usize,
    /// Where the opening goes.
    opening_at: usize,
    /// SHA-256 over what comes before the opening.
    begun: Sha256,
}

impl core::fmt::Debug for ReceiptStencil {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "ReceiptStencil({} bytes)", self.bare.len())
    }
}

/// Bytes and places that are not those of a receipt without digest and opening.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the shared part of receipts")]
pub struct StencilError;

impl ReceiptStencil {
    /// Of the ledger's part of a receipt; an opening in it is left out.
    pub fn new(ledger: &Receipt) -> Self {
        let member = |name: &str, value: Vec<u8>| [b"\"", name.as_bytes(), b"\":", &value].concat();
        // Named one by one: a member that is added to receipts must find its place here.
        #[rustfmt::skip]
        let Receipt {
            v, r#type, network, record, index, path, header, note, validators, epochs, author, anchors, algorithms,
            opening: _, digest: _,
        } = ledger;
        let mut bare = vec![b'{'];
        let mut add = |name: &str, value: Vec<u8>| {
            if bare.len() > 1 {
                bare.push(b',');
            }
            bare.extend(member(name, value));
            bare.len() + 1
        };
        fn json<T: Serialize>(value: &T) -> Vec<u8> {
            codec::canonical(value)
        }
        add("algorithms", json(algorithms));
        add("anchors", json(anchors));
        // Each place is behind the comma that follows.
        let digest_at = add("author", json(author));
        add("epochs", json(epochs));
        add("header", json(header));
        add("index", json(index));
        add("network", json(network));
        let opening_at = add("note", json(note));
        add("path", json(path));
        add("record", json(record));
        add("type", json(r#type));
        add("v", json(v));
        add("validators", json(validators));
        bare.push(b'}');
        Self::from_parts(bare, digest_at, opening_at).expect("both places are behind a comma")
    }

    /// As [`ReceiptStencil::to_bytes`] wrote it. What is not looked at here is what a receipt's verification looks at.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StencilError> {
        let (places, bare) = bytes.split_first_chunk::<8>().ok_or(StencilError)?;
        let place = |bytes: &[u8]| bytes.try_into().map(u32::from_be_bytes).map(|place| place as usize);
        let (Ok(digest_at), Ok(opening_at)) = (place(&places[..4]), place(&places[4..])) else {
            return Err(StencilError);
        };
        Self::from_parts(bare.to_vec(), digest_at, opening_at)
    }

    fn from_parts(bare: Vec<u8>, digest_at: usize, opening_at: usize) -> Result<Self, StencilError> {
        let is_place = |at: usize| at > 0 && bare.get(at - 1) == Some(&b',') && bare.get(at) == Some(&b'"');
        if !is_place(digest_at) || !is_place(opening_at) || digest_at >= opening_at {
            return Err(StencilError);
        }
        let begun = Sha256::new_with_prefix(b"testamur/receipt/v1\n").chain_update(&bare[..opening_at]);
        Ok(Self { bare, digest_at, opening_at, begun })
    }

    /// To be kept: both places (4 bytes each, big-endian), then the bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let place = |at: usize| u32::try_from(at).expect("a receipt has its bound").to_be_bytes();
        [&place(self.digest_at)[..], &place(self.opening_at), &self.bare].concat()
    }

    /// Bytes that it holds.
    pub fn size(&self) -> usize {
        self.bare.len()
    }

    /// One receipt's file. The opening is not checked here.
    pub fn cut(&self, opening: Option<&Opening>) -> Vec<u8> {
        self.cut_canonical(opening.map(codec::canonical).as_deref())
    }

    /// One receipt's file, of an opening in its canonical form.
    pub fn cut_canonical(&self, opening: Option<&[u8]>) -> Vec<u8> {
        let opening: [&[u8]; 3] = match opening {
            Some(opening) => [b"\"opening\":", opening, b","],
            None => [b"", b"", b""],
        };
        let after = &self.bare[self.opening_at..];
        let mut digest = self.begun.clone();
        opening.iter().for_each(|piece| digest.update(piece));
        let digest = codec::canonical(&Bytes(digest.chain_update(after).finalize().to_vec()));
        let (before, middle) = self.bare[..self.opening_at].split_at(self.digest_at);
        [before, b"\"digest\":", &digest, b",", middle, opening[0], opening[1], opening[2], after].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: a cut receipt is, byte for byte, the one that is encoded whole. Method: every receipt among the vectors that can be read.
    #[test]
    fn receipts_are_cut_as_they_are_encoded() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/receipts");
        let mut openings = [0, 0];
        for entry in std::fs::read_dir(folder).unwrap() {
            let file = std::fs::read(entry.unwrap().path()).unwrap();
            let Ok(receipt) = Receipt::decode(&file) else { continue };
            let stencil = ReceiptStencil::new(&receipt);
            assert!(stencil.cut(receipt.opening.as_ref()) == file);
            openings[usize::from(receipt.opening.is_some())] += 1;
            let kept = ReceiptStencil::from_bytes(&stencil.to_bytes()).unwrap();
            assert!(kept.cut(receipt.opening.as_ref()) == file);
            assert!(kept.cut(None) == Receipt { opening: None, ..receipt }.encode());
        }
        assert!(openings.iter().all(|count| *count > 2), "{openings:?}");
    }

    #[test]
    fn what_is_no_stencil_is_refused() {
        let places = |digest: u32, opening: u32, bytes: &[u8]| {
            ReceiptStencil::from_bytes(&[&digest.to_be_bytes()[..], &opening.to_be_bytes(), bytes].concat()).is_ok()
        };
        let bytes = br#"{"a":1,"e":2,"p":3}"#;
        assert!(places(7, 13, bytes));
        for (digest, opening) in
            [(0, 13), (13, 7), (7, 7), (8, 13), (7, 19), (7, u32::MAX), (7, 14), (6, 13), (7, 1), (1, 13)]
        {
            assert!(!places(digest, opening, bytes), "{digest}, {opening}");
        }
        assert!(ReceiptStencil::from_bytes(b"1234567").is_err());
    }
}
