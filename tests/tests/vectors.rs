//! That the golden vectors are what the code makes, published vectors, and what the Python verifier says of both. What Rust says of
//! the golden ones is tested where it is decided: `contracts/primitives/tests/it/vectors.rs`.

use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;
use serde_json::Value;
use testamur_primitives::hash::TreeHash;
use testamur_primitives::key::{JwsAlgorithm, PublicKey, verify_ed25519};
use testamur_primitives::merkle::{empty_root, leaf_hash, verify_consistency, verify_inclusion};
use testamur_primitives::trust::TrustFile;
use testamur_tests::vectors::{self, ReceiptCase, judge_receipt};

fn read(name: &str) -> Vec<u8> {
    std::fs::read(vectors::folder().join(name)).unwrap_or_else(|e| panic!("tests/vectors/{name}: {e}"))
}

fn load<T: DeserializeOwned>(name: &str) -> T {
    serde_json::from_slice(&read(name)).unwrap_or_else(|e| panic!("tests/vectors/{name}: {e}"))
}

/// Vectors of others, beside the checkout and never committed. What is not there is printed as skipped.
fn shared(name: &str) -> Option<PathBuf> {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the checkout");
    let folder = std::env::var_os("TESTAMUR_SHARED").map_or_else(|| checkout.join("../shared"), |s| checkout.join(s));
    let found = folder.join("vectors").join(name);
    if !found.is_dir() {
        println!("skipped: {} is not there", found.display());
        return None;
    }
    Some(found)
}

fn trust(name: &str) -> TrustFile {
    TrustFile::from_json(&read(name)).expect("a trust file of the vectors")
}

#[test]
fn golden_vectors_are_what_the_code_makes() {
    let files = vectors::all();
    for (name, bytes) in &files {
        assert!(read(name) == *bytes, "{name} differs: a format changed. If that is meant, run the vectors binary");
    }
    let mut found = Vec::new();
    let mut folders = vec![vectors::folder()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(vectors::folder()).expect("below").to_str().expect("UTF-8").to_owned();
                found.push(name);
            }
        }
    }
    // Made and compared by contracts/registry/tests.
    let of_the_registry = ["replay-10000.json", "state.json"];
    // The sample that `scripts/up` checks comes from a run, not from a generator.
    let sample = |name: &str| name.starts_with("sample/");
    // Made and compared by node/client/tests/bulk and node/store/tests/it/transfer.
    let container = |name: &str| name.starts_with("containers/") || name.starts_with("ledger/");
    found.retain(|name| {
        !files.contains_key(name) && !of_the_registry.contains(&name.as_str()) && !sample(name) && !container(name)
    });
    assert!(found.is_empty(), "files that no generator makes: {found:?}");
}

#[test]
fn every_receipt_error_has_a_vector() {
    let cases: Vec<ReceiptCase> = load("receipts.json");
    for code in [
        "receipt.malformed",
        "receipt.unknown-format",
        "receipt.changed",
        "receipt.unknown-network",
        "receipt.origin",
        "receipt.header",
        "receipt.epoch",
        "receipt.no-quorum",
        "receipt.certificate",
        "receipt.validators",
        "receipt.contradiction",
        "receipt.inclusion",
        "receipt.record",
        "receipt.author-key",
        "receipt.opening",
        "receipt.document-differs",
        "receipt.not-a-notarisation",
        "receipt.opening-missing",
    ] {
        assert!(cases.iter().any(|case| case.code == code), "{code}");
    }
    // Too large a file is not committed.
    let large = vec![b' '; 4 * 1024 * 1024 + 1];
    assert_eq!(judge_receipt(&large, None, &trust("trust.json"), 0), (3, "receipt.too-large".into()));
}

/// C2SP CCTV's 914 vectors, where `CCTV_ED25519` names the file: its licence is not ours to pass on.
#[test]
fn cctv_ed25519_vectors_follow_the_strict_rule() {
    let Some(file) = std::env::var_os("CCTV_ED25519") else {
        println!("skipped: CCTV_ED25519 names no file");
        return;
    };
    let cases: Vec<Value> = serde_json::from_slice(&std::fs::read(file).expect("the file")).expect("JSON");
    let mut accepted = 0;
    for case in &cases {
        let bytes = |name: &str| hex::decode(case[name].as_str().expect("text")).expect("hex");
        let flags = case["flags"].as_array().map_or(&[][..], Vec::as_slice);
        let expected =
            flags.iter().all(|f| matches!(f.as_str(), Some("low_order_component_A" | "low_order_component_R")));
        let key = bytes("key").try_into().expect("32 bytes");
        let signature = bytes("sig").try_into().expect("64 bytes");
        let message = case["msg"].as_str().expect("text").as_bytes();
        assert_eq!(verify_ed25519(&key, message, &signature).is_ok(), expected, "{}: {flags:?}", case["number"]);
        accepted += usize::from(expected);
    }
    println!("{} CCTV vectors, {accepted} accepted", cases.len());
}

fn tree_hash(text: &Value) -> Option<TreeHash> {
    TreeHash::from_slice(&STANDARD.decode(text.as_str()?).ok()?)
}

fn path(proof: &Value) -> Option<Vec<TreeHash>> {
    proof.as_array().map_or(Some(Vec::new()), |items| items.iter().map(tree_hash).collect())
}

fn json_files(folder: &Path) -> Vec<Value> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(serde_json::from_slice(&std::fs::read(path).expect("a file")).expect("JSON"));
            }
        }
    }
    files
}

#[test]
fn published_merkle_vectors_pass() {
    let Some(folder) = shared("merkle") else { return };
    let mut count = 0;
    for case in json_files(&folder.join("testdata/inclusion")) {
        let number = |name: &str| case[name].as_u64().expect("a number");
        // Hashes that are not 32 bytes long cannot even be written in our types.
        let found = (|| {
            let (leaf, root) = (tree_hash(&case["leafHash"])?, tree_hash(&case["root"])?);
            verify_inclusion(leaf, number("leafIdx"), number("treeSize"), &path(&case["proof"])?, root).ok()
        })();
        assert_eq!(found.is_none(), case["wantErr"].as_bool().expect("a boolean"), "{}", case["desc"]);
        count += 1;
    }
    for case in json_files(&folder.join("testdata/consistency")) {
        let number = |name: &str| case[name].as_u64().expect("a number");
        let (from, to) = (number("size1"), number("size2"));
        // Some cases have a text for a root ("don't care"): what counts is which of them are equal.
        let root = |name| tree_hash(&case[name]).unwrap_or_else(|| leaf_hash(case[name].to_string().as_bytes()));
        let found = path(&case["proof"])
            .is_some_and(|path| verify_consistency(from, root("root1"), to, root("root2"), &path).is_ok());
        // The one difference, and meant: they call a proof from the empty tree useless; here it holds, and has no hashes.
        let from_empty =
            from == 0 && root("root1") == empty_root() && path(&case["proof"]).is_some_and(|p| p.is_empty());
        let refused = case["wantErr"].as_bool().expect("a boolean");
        assert_eq!(found, !refused || (from_empty && to > 0), "{}", case["desc"]);
        count += 1;
    }
    println!("{count} Merkle vectors");
    assert!(count > 150, "the folder holds both kinds");
}

#[test]
fn wycheproof_decides_for_ecdsa_and_ed25519() {
    let Some(folder) = shared("wycheproof") else { return };
    let file = |name: &str| -> Value {
        serde_json::from_slice(&std::fs::read(folder.join("testvectors_v1").join(name)).expect("a file")).expect("JSON")
    };
    let bytes = |value: &Value| hex::decode(value.as_str().expect("text")).expect("hex");
    let mut count = 0;
    let suites = [
        ("ed25519_test.json", "pk", JwsAlgorithm::EdDSA),
        ("ecdsa_secp256r1_sha256_p1363_test.json", "uncompressed", JwsAlgorithm::ES256),
        ("ecdsa_secp256k1_sha256_p1363_test.json", "uncompressed", JwsAlgorithm::ES256K),
    ];
    for (name, member, algorithm) in suites {
        for group in file(name)["testGroups"].as_array().expect("groups") {
            let public = bytes(&group["publicKey"][member]);
            let key = match algorithm {
                JwsAlgorithm::ES256 => PublicKey::p256(&public),
                JwsAlgorithm::ES256K => PublicKey::secp256k1(&public),
                _ => PublicKey::ed25519(public.try_into().expect("32 bytes")),
            };
            let key = key.expect("Wycheproof's keys are valid");
            for case in group["tests"].as_array().expect("tests") {
                let found = key.verify(algorithm, &bytes(&case["msg"]), &bytes(&case["sig"])).is_ok();
                assert_eq!(found, case["result"] == "valid", "{name} {}: {}", case["tcId"], case["comment"]);
                count += 1;
            }
        }
    }
    println!("{count} Wycheproof vectors");
    assert!(count > 500, "three suites");
}

#[test]
fn the_python_verifier_says_the_same() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new("python3");
    command.arg(tests.join("verifier/check_vectors.py"));
    if let Some(folder) = shared("merkle") {
        command.arg(folder.parent().expect("vectors"));
    }
    let output = command.output().expect("python3 is there: scripts/test installs it");
    print!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
