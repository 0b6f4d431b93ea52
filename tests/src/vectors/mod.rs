//! Golden vectors: every format's bytes, made with fixed keys. `cargo run -p testamur-tests --bin vectors -- --write`
//! regenerates them, which is an approval of a format change; a test compares the files with this byte for byte.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

mod credentials;
pub mod diplomas;
mod ed25519;
mod equivocations;
mod formats;
mod judge;
mod members;
mod receipts;
mod records;
mod registries;
mod terms;

pub use judge::{
    BadRecord, EvidenceCase, GoodRecord, ReceiptCase, RecordsFile, SignatureCase, TokensFile, judge_equivocation,
    judge_evidence, judge_receipt, judge_record,
};
pub use records::{refused as refused_records, with_other_signature};
pub use registries::Step;

/// Files by path below `tests/vectors`.
pub type Files = BTreeMap<String, Vec<u8>>;

/// All vectors.
pub fn all() -> Files {
    let mut files = Files::new();
    formats::write(&mut files);
    equivocations::write(&mut files);
    records::write(&mut files);
    receipts::write(&mut files);
    ed25519::write(&mut files);
    members::write(&mut files);
    registries::write(&mut files);
    credentials::write(&mut files);
    diplomas::write(&mut files);
    files
}

/// Where the vectors are committed.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

/// A file of pretty JSON.
fn json(value: &impl Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(value).expect("vectors serialise");
    text.push(b'\n');
    text
}
