//! Parsers of the ledger's own formats: what nodes, auditors and light clients read of one another.

use std::sync::LazyLock;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use testamur_primitives::block::{Block, encode_value, split_value};
use testamur_primitives::checkpoint::Checkpoint;
use testamur_primitives::codec::{canonical, from_base64url, from_canonical};
use testamur_primitives::did::{Did, DidUrl};
use testamur_primitives::dossiers::DossierEntry;
use testamur_primitives::epoch::ValidatorSet;
use testamur_primitives::genesis::Genesis;
use testamur_primitives::hash::{StateRoot, TreeHash};
use testamur_primitives::header::Header;
use testamur_primitives::identity::{self, AddressEntry, AdmissionEntry, DidEntry, resolution};
use testamur_primitives::key::{Jwk, PublicKey};
use testamur_primitives::merkle::{self, MemoryTree};
use testamur_primitives::note::{Note, VerifierKey};
use testamur_primitives::receipt::ReceiptStencil;
use testamur_primitives::record::Record;
use testamur_primitives::state::StateObject;
use testamur_primitives::state::evidence::Evidence;
use testamur_primitives::state::proof::StateProof;
use testamur_primitives::trust::TrustFile;
use testamur_primitives::units::UnixTime;

use super::{CUT, Target, evidence_file, jws};
use crate::vectors::folder;

pub(super) const TARGETS: [Target; 17] = [
    Target { name: "record", run: record, corpus: records },
    Target { name: "record-inside", run: |bytes| record(&jws(bytes)), corpus: record_insides },
    Target { name: "block", run: block, corpus: blocks },
    Target { name: "block-with-attachments", run: value, corpus: values },
    Target { name: "header", run: header, corpus: headers },
    Target { name: "checkpoint", run: checkpoint, corpus: checkpoints },
    Target { name: "note", run: note, corpus: notes },
    Target { name: "verifier-key", run: verifier_key, corpus: verifier_keys },
    Target { name: "state-proof", run: state_proof, corpus: state_proofs },
    Target { name: "inclusion", run: inclusion, corpus: inclusions },
    Target { name: "consistency", run: consistency, corpus: consistencies },
    Target { name: "did", run: did, corpus: dids },
    Target { name: "state-value", run: state_value, corpus: state_values },
    Target { name: "key", run: key, corpus: keys },
    Target { name: "genesis", run: genesis, corpus: geneses },
    Target { name: "trust-file", run: trust, corpus: trusts },
    Target { name: "receipt-stencil", run: stencil, corpus: stencils },
];

fn vector(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).expect("a file of the vectors")
}

fn table(name: &str) -> Value {
    serde_json::from_slice(&vector(name)).expect("the vectors are JSON")
}

fn record(bytes: &[u8]) {
    if let Ok(record) = Record::parse(bytes) {
        assert_eq!(record.as_bytes(), bytes, "a record is its bytes");
        let again = Record::parse(record.as_bytes()).expect("what was read is read again");
        assert_eq!((again.id(), again.act()), (record.id(), record.act()));
    }
}

fn block(bytes: &[u8]) {
    if let Ok(block) = Block::decode(bytes) {
        assert_eq!(block.encode(), bytes, "a block has one form");
        assert_eq!(block.encoded_len(), bytes.len());
    }
}

fn value(bytes: &[u8]) {
    if let Ok((block, attachments)) = split_value(bytes) {
        assert_eq!(encode_value(block, &attachments), bytes, "a value has one form");
    }
}

fn header(bytes: &[u8]) {
    if let Ok(header) = Header::decode(bytes) {
        assert_eq!(header.encode(), bytes, "a header has one form");
    }
}

fn checkpoint(bytes: &[u8]) {
    if let Ok(text) = core::str::from_utf8(bytes)
        && let Ok(checkpoint) = Checkpoint::parse(text)
    {
        assert_eq!(checkpoint.body(), text, "a checkpoint has one form");
    }
}

fn note(bytes: &[u8]) {
    if let Ok(note) = Note::parse(bytes) {
        assert_eq!(note.to_string().as_bytes(), bytes, "a note has one form");
    }
}

fn verifier_key(bytes: &[u8]) {
    if let Ok(text) = core::str::from_utf8(bytes)
        && let Ok(key) = text.parse::<VerifierKey>()
    {
        assert_eq!(key.to_string(), text, "a verifier key has one form");
    }
}

/// Under the root of a real state no mutation shows a value that the key has not.
fn state_proof(bytes: &[u8]) {
    static ROOT: LazyLock<StateRoot> = LazyLock::new(|| {
        let evidence = Evidence::decode(&evidence_file()).expect("evidence of the vectors");
        Header::decode(evidence.header.as_bytes()).expect("its header").state_root
    });
    let Ok(proof) = StateProof::decode(bytes) else { return };
    assert_eq!(proof.encode(), bytes, "a state proof has one form");
    let key = StateObject::new("did", "did:ebsi:unknown").head();
    assert!(proof.verify(*ROOT, &key, Some(b"{}")).is_err(), "nobody has that value");
}

/// Leaves of the tree that proofs are tried against.
const LEAVES: u64 = 37;

fn leaf(number: u64) -> TreeHash {
    merkle::leaf_hash(&number.to_be_bytes())
}

static TREE: LazyLock<MemoryTree> =
    LazyLock::new(|| MemoryTree::from_leaf_hashes(&(0..LEAVES).map(leaf).collect::<Vec<_>>()));

/// Two numbers, a byte, and hashes behind it.
fn numbers(bytes: &[u8]) -> Option<(u64, u64, u8, Vec<TreeHash>)> {
    let (first, rest) = bytes.split_first_chunk::<8>()?;
    let (second, rest) = rest.split_first_chunk::<8>()?;
    let (third, rest) = rest.split_first()?;
    let hashes = rest.chunks_exact(32).map(|hash| TreeHash::from_slice(hash).expect("32 bytes")).collect();
    Some((u64::from_be_bytes(*first), u64::from_be_bytes(*second), *third, hashes))
}

/// Only a leaf that is in the tree is ever shown to be in it, only at its own place. Its size is the checkpoint's: a path says
/// nothing of it.
fn inclusion(bytes: &[u8]) {
    let Some((index, size, number, path)) = numbers(bytes) else { return };
    let root = TREE.root(LEAVES).expect("the tree holds them");
    let shown = merkle::verify_inclusion(leaf(number.into()), index, size, &path, root).is_ok();
    assert!(!shown || size != LEAVES || u64::from(number) == index, "leaf {number} is not at {index}");
    let other = merkle::leaf_hash(b"another");
    assert!(merkle::verify_inclusion(other, index, LEAVES, &path, root).is_err(), "nobody has that leaf");
}

/// Only a smaller tree of the same leaves is ever shown to be a beginning of the tree.
fn consistency(bytes: &[u8]) {
    let Some((from, to, size, path)) = numbers(bytes) else { return };
    let root = |size| TREE.root(size).expect("the tree holds them");
    let _ = merkle::verify_consistency(from, root(u64::from(size).min(LEAVES)), to, root(LEAVES), &path);
    let other = merkle::leaf_hash(b"another");
    let shown = merkle::verify_consistency(from, other, LEAVES, root(LEAVES), &path).is_ok();
    assert!(!shown || from == 0, "a tree of other leaves is no beginning");
}

fn did(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else { return };
    if let Ok(did) = text.parse::<Did>() {
        assert_eq!(did.as_str(), text, "a DID has one form");
        if let Ok(key) = did.to_key() {
            assert!([Did::key(&key), Did::jwk_jcs_key(&key)].contains(&did), "one key has one name of each method");
        }
    }
    if let Ok(url) = text.parse::<DidUrl>() {
        assert_eq!(url.as_str(), text, "a DID URL has one form");
        if let Ok(key) = url.to_key() {
            assert_eq!(url.did().to_key().expect("its DID names the key"), key);
        }
    }
}

fn one_form<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let value: T = from_canonical(bytes).ok()?;
    assert_eq!(canonical(&value), bytes, "a value of the state has one form");
    Some(value)
}

fn state_value(bytes: &[u8]) {
    if let Some(entry) = one_form::<DidEntry>(bytes) {
        let did = Did::of_ledger("ebsi", &[7; 16]);
        for time in [0, 1_800_000_000, u64::MAX] {
            let document = resolution::document(&did, &entry, UnixTime(time));
            serde_json::to_vec(&document).expect("a document is JSON");
        }
    }
    let _ = one_form::<AdmissionEntry>(bytes);
    let _ = one_form::<AddressEntry>(bytes);
    let _ = one_form::<DossierEntry>(bytes);
    let _ = one_form::<ValidatorSet>(bytes);
}

fn key(bytes: &[u8]) {
    let Ok(jwk) = serde_json::from_slice::<Jwk>(bytes) else { return };
    if let Ok(key) = PublicKey::from_jwk(&jwk) {
        let again = PublicKey::from_jwk(&key.to_jwk()).expect("what was read is read again");
        assert_eq!((again.kind(), again.as_bytes()), (key.kind(), key.as_bytes()));
        let _ = identity::thumbprint(&key);
    }
}

fn genesis(bytes: &[u8]) {
    if let Ok(genesis) = Genesis::from_json(bytes) {
        let again = Genesis::from_json(&canonical(&genesis)).expect("what was read is read again");
        assert_eq!((again.hash(), again.origin()), (genesis.hash(), genesis.origin()));
        assert!(!genesis.validator_set().validators().is_empty());
    }
}

fn trust(bytes: &[u8]) {
    if let Ok(trust) = TrustFile::from_json(bytes) {
        let again = TrustFile::from_json(trust.to_json().as_bytes()).expect("what was read is read again");
        assert_eq!(again.fingerprint(), trust.fingerprint());
    }
}

fn stencil(bytes: &[u8]) {
    if let Ok(stencil) = ReceiptStencil::from_bytes(bytes) {
        assert_eq!(stencil.to_bytes(), bytes, "a stencil has one form");
        let _ = stencil.cut(None);
    }
}

fn records() -> Vec<Vec<u8>> {
    let good = table("records.json")["good"].as_array().expect("records").clone();
    good.iter().map(|case| case["record"].as_str().expect("a record").as_bytes().to_vec()).collect()
}

fn record_insides() -> Vec<Vec<u8>> {
    let inside = |text: Vec<u8>| {
        let text = String::from_utf8(text).ok()?;
        let mut parts = text.split('.').map(|part| from_base64url(part).ok());
        let (header, payload) = (parts.next()??, parts.next()??);
        Some([header.as_slice(), &[CUT], &payload].concat())
    };
    records().into_iter().filter_map(inside).collect()
}

fn blocks() -> Vec<Vec<u8>> {
    vec![vector("block.bin")]
}

fn values() -> Vec<Vec<u8>> {
    vec![encode_value(&vector("block.bin"), &[b"bits".to_vec(), Vec::new(), vec![7; 100]])]
}

pub(super) fn texts(name: &str, member: &str) -> Vec<Vec<u8>> {
    let table = table(name);
    let cases = table.as_array().cloned().unwrap_or_else(|| vec![table]);
    cases.iter().map(|case| case[member].as_str().expect("a text").as_bytes().to_vec()).collect()
}

fn headers() -> Vec<Vec<u8>> {
    texts("headers.json", "text")
}

fn checkpoints() -> Vec<Vec<u8>> {
    texts("checkpoint.json", "body")
}

fn notes() -> Vec<Vec<u8>> {
    vec![vector("certificate.note")]
}

/// Every text of a table that the filter takes.
fn strings(value: &Value, wanted: &dyn Fn(&str) -> bool, found: &mut Vec<Vec<u8>>) {
    match value {
        Value::String(text) if wanted(text) => found.push(text.as_bytes().to_vec()),
        Value::Array(items) => items.iter().for_each(|item| strings(item, wanted, found)),
        Value::Object(members) => members.values().for_each(|item| strings(item, wanted, found)),
        _ => {}
    }
}

fn verifier_keys() -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    strings(&table("verifier-keys.json"), &|text| text.matches('+').count() >= 2, &mut found);
    found
}

fn state_proofs() -> Vec<Vec<u8>> {
    let proofs = table("state.json")["proofs"].as_array().expect("proofs").clone();
    proofs.iter().take(12).map(|case| canonical(&case["proof"])).collect()
}

fn proof(first: u64, second: u64, third: u8, path: &[TreeHash]) -> Vec<u8> {
    let hashes: Vec<u8> = path.iter().flat_map(|hash| *hash.as_bytes()).collect();
    [&first.to_be_bytes()[..], &second.to_be_bytes(), &[third], &hashes].concat()
}

fn inclusions() -> Vec<Vec<u8>> {
    let path = |index| TREE.inclusion_proof(index, LEAVES).expect("it is in the tree");
    (0..LEAVES).step_by(4).map(|index| proof(index, LEAVES, index as u8, &path(index))).collect()
}

fn consistencies() -> Vec<Vec<u8>> {
    let path = |from| merkle::consistency_proof(&*TREE, from, LEAVES).expect("both are in the tree");
    (1..LEAVES).step_by(4).map(|from| proof(from, LEAVES, from as u8, &path(from))).collect()
}

fn dids() -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    strings(&table("did-key.json"), &|text| text.starts_with("did:"), &mut found);
    found.push(b"did:ebsi:zfEmvX5twhXjQJiCWsukvQA".to_vec());
    found
}

/// Values of each kind that `state_value` reads.
fn state_values() -> Vec<Vec<u8>> {
    let evidence = Evidence::decode(&evidence_file()).expect("evidence of the vectors");
    let state = serde_json::to_value(&evidence.state).expect("JSON");
    let mut found = vec![vector("validator-set.json")];
    strings(&state, &|text| text.starts_with('{'), &mut found);
    found.retain(|text| text.len() < 10_000);
    found
}

fn keys() -> Vec<Vec<u8>> {
    let readable = |text: Vec<u8>| {
        let text = String::from_utf8(text).ok()?;
        text.split('#').next()?.parse::<Did>().ok()?.to_key().ok()
    };
    dids().into_iter().filter_map(readable).map(|key| canonical(&key.to_jwk())).collect()
}

fn geneses() -> Vec<Vec<u8>> {
    vec![super::sample_genesis()]
}

fn trusts() -> Vec<Vec<u8>> {
    ["trust.json", "trust-pinned.json", "trust-pinned-epoch-0.json"].map(vector).to_vec()
}

fn stencils() -> Vec<Vec<u8>> {
    let receipts = super::receipts();
    let read = receipts.iter().filter_map(|bytes| testamur_primitives::receipt::Receipt::decode(bytes).ok());
    read.take(3).map(|receipt| ReceiptStencil::new(&receipt).to_bytes()).collect()
}
