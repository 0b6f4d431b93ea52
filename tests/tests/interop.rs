//! Others' tools read what this network makes: `signed_note` and `tlog_tiles` for notes, checkpoints and proofs, a
//! stock JOSE library for records. Nothing of our own verification is used on the checking side.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use signed_note::Note;
use testamur_credentials::jws::Jws;
use testamur_primitives::block::push_entry;
use testamur_primitives::hash::TreeHash;
use testamur_primitives::identity::DidEntry;
use testamur_primitives::policy::tlog_policy;
use testamur_primitives::state::evidence::Evidence;
use testamur_tests::chain::{Chain, START, set_of};
use testamur_tests::notes::verifiers;
use testamur_tests::tiles::MemoryTiles;
use testamur_tests::vectors::diplomas::{DiplomaCase, Part};
use testamur_tests::vectors::{self, RecordsFile};
use tlog_tiles::{Checkpoint, Hash, TileHashReader, check_record, check_tree, prove_record, prove_tree, record_hash};

fn chain() -> Chain {
    let mut chain = Chain::new("interop");
    // Past one full tile of 256, so that proofs need two levels.
    for block in 0..6u64 {
        let entries: Vec<_> = (0..=block * 20).map(|n| format!("entry {block}.{n}")).collect();
        chain.append(START + block, &entries);
    }
    chain
}

fn hash(hash: TreeHash) -> Hash {
    Hash(*hash.as_bytes())
}

#[test]
fn checkpoints_and_cosignatures_verify_with_signed_note() {
    let chain = chain();
    for header in &chain.headers[1..] {
        let set = set_of(chain.members());
        let (verifiers, threshold) = verifiers(&tlog_policy(&chain.origin(), &set));
        let note = Note::from_bytes(chain.certificate(header).as_bytes()).expect("a signed note");
        let (verified, unverified) = note.verify(&verifiers).expect("every known line verifies");
        let witnesses = verified.iter().filter(|s| s.name() != chain.origin().as_str()).count();
        let logs = verified.len() - witnesses;
        assert_eq!((witnesses, logs, unverified.len(), threshold), (4, 1, 0, 3));
        let checkpoint = Checkpoint::from_bytes(note.text()).expect("a C2SP checkpoint");
        assert_eq!(checkpoint.origin(), chain.origin().as_str());
        assert_eq!(checkpoint.size(), header.log_size.0);
        assert_eq!(*checkpoint.hash(), hash(header.log_root));
        assert_eq!(checkpoint.extension().lines().count(), 3, "height, round, header");
        assert_eq!(checkpoint.to_bytes(), note.text(), "it writes what we wrote");
        // One flipped bit, and their tool refuses the note as a whole.
        let mut bad = chain.certificate(header).into_bytes();
        let at = bad.len() - 20;
        bad[at] = if bad[at] == b'A' { b'B' } else { b'A' };
        assert!(Note::from_bytes(&bad).is_ok_and(|note| note.verify(&verifiers).is_err()));
    }
}

#[test]
fn inclusion_and_consistency_verify_with_tlog_tiles() {
    let chain = chain();
    let header = chain.tip();
    let (size, root) = (header.log_size.0, hash(header.log_root));
    let tiles = MemoryTiles::new(chain.log(), size);
    let reader = TileHashReader::new(size, root, &tiles);
    for index in 0..size {
        let leaf = record_hash(chain.leaf(index));
        let ours: Vec<_> = chain.path(index, header).into_iter().map(hash).collect();
        check_record(&ours, size, root, index, leaf).expect("our proof, their check");
        let theirs = prove_record(size, index, &reader).expect("their proof from our tiles");
        assert_eq!(theirs, ours, "leaf {index}");
        assert!(check_record(&ours, size, root, (index + 1) % size, leaf).is_err());
    }
    for earlier in &chain.headers[1..] {
        let from = earlier.log_size.0;
        let ours = testamur_primitives::merkle::consistency_proof(chain.log(), from, size).expect("in range");
        let ours: Vec<_> = ours.into_iter().map(hash).collect();
        check_tree(&ours, size, root, from, hash(earlier.log_root)).expect("our proof, their check");
        let theirs = prove_tree(size, from, &reader).expect("their proof from our tiles");
        // From equal sizes their library returns no proof either.
        assert_eq!(theirs, ours, "from {from}");
    }
}

#[test]
fn records_verify_with_a_stock_jose_library() {
    let file: RecordsFile =
        serde_json::from_slice(&std::fs::read(vectors::folder().join("records.json")).expect("vectors")).expect("JSON");
    let mut bundle = Vec::new();
    for case in &file.good {
        push_entry(&mut bundle, case.record.as_bytes());
    }
    let path = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(path.path(), bundle).expect("written");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("jose/verify.mjs");
    let output = Command::new("node").arg(script).arg(path.path()).output().expect("node is there");
    assert!(output.status.success(), "npm ci in tests/jose? {}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one line of JSON");
    // The library has no ES256K: Web Cryptography lacks the curve. Python checks those two.
    assert_eq!(report["skipped"], 2);
    assert_eq!(report["verified"], file.good.len() - 2);
}

/// Credentials of every format and key, and status tokens of every format, as the pipeline finds them valid.
#[test]
fn credentials_and_status_tokens_verify_with_a_stock_jose_library() {
    let read = |name: &str| std::fs::read(vectors::folder().join("diplomas").join(name)).expect("vectors");
    let evidence: Evidence = serde_json::from_slice(&read("evidence-main.json")).expect("JSON");
    let mut keys = BTreeMap::new();
    for entry in evidence.state.iter().filter(|entry| entry.key.starts_with("did/")) {
        let document: Option<DidEntry> = entry.value.as_deref().and_then(|value| serde_json::from_str(value).ok());
        let methods = document.into_iter().flat_map(|document| document.methods);
        keys.extend(methods.map(|method| (method.id, method.key)));
    }
    let cases: Vec<DiplomaCase> = serde_json::from_slice(&read("valid.json")).expect("JSON");
    let (mut lines, mut formats) = (String::new(), BTreeMap::<String, usize>::new());
    for case in &cases {
        let texts = std::iter::once(&case.input).chain(case.tokens.values());
        for parts in texts {
            let [Part::Text(text)] = parts.as_slice() else { continue };
            let jws = text.split('~').next().expect("a first part");
            let Ok(parsed) = Jws::parse(jws) else { continue };
            let fragment = parsed.header["kid"].as_str().and_then(|kid| kid.split('#').nth(1)).expect("a key id");
            let line = serde_json::json!({ "name": case.name, "jws": jws, "jwk": keys[fragment] });
            lines.push_str(&format!("{line}\n"));
            *formats.entry(format!("{:?} {}", parsed.alg, parsed.typ().expect("a typ"))).or_default() += 1;
        }
    }
    for typ in ["JWT", "vc+jwt", "dc+sd-jwt"] {
        for alg in ["ES256", "ES384", "ES256K", "EdDSA"] {
            assert!(formats.contains_key(&format!("{alg} {typ}")), "no {typ} under {alg}: {formats:?}");
        }
    }
    let path = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(path.path(), lines).expect("written");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("jose/credentials.mjs");
    let output = Command::new("node").arg(script).arg(path.path()).output().expect("node is there");
    assert!(output.status.success(), "npm ci in tests/jose? {}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one line of JSON");
    let of = |wanted: bool| {
        formats.iter().filter(|(name, _)| name.starts_with("ES256K ") == wanted).map(|(_, n)| *n).sum::<usize>()
    };
    assert_eq!(report["skipped"], of(true));
    let verified = report["verified"].as_object().expect("an object");
    let count: u64 = verified.values().filter_map(serde_json::Value::as_u64).sum();
    assert_eq!(count, of(false) as u64, "{report}");
    assert!(verified.contains_key("statuslist+jwt"), "status tokens, too: {report}");
    println!("{report}");
}
