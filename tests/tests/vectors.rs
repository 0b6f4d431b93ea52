//! Golden vectors and published vectors, through Rust and through the Python verifier: both must say the same.

use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;
use serde_json::Value;
use testamur_primitives::codec::sha256;
use testamur_primitives::commitment::{DigestAlgorithm, DocumentDigest};
use testamur_primitives::did::DidUrl;
use testamur_primitives::epoch::ValidatorSet;
use testamur_primitives::equivocation::Equivocation;
use testamur_primitives::genesis::Genesis;
use testamur_primitives::hash::TreeHash;
use testamur_primitives::key::{JwsAlgorithm, PublicKey, verify_ed25519};
use testamur_primitives::merkle::{empty_root, leaf_hash, verify_consistency, verify_inclusion};
use testamur_primitives::receipt::{Receipt, Verdict, verify};
use testamur_primitives::record::Record;
use testamur_primitives::status::BitList;
use testamur_primitives::status::formats::verify_attachment;
use testamur_primitives::trust::TrustFile;
use testamur_primitives::units::UnixTime;
use testamur_tests::vectors::{self, EvidenceCase, ReceiptCase, RecordsFile, SignatureCase, TokensFile};

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

/// Exit code and slug, as `testamur verify` and verify.py give them.
fn judge(bytes: &[u8], document: Option<&[u8]>, trust: &TrustFile, at: u64) -> (i32, String) {
    let receipt = match Receipt::decode(bytes) {
        Ok(receipt) => receipt,
        Err(error) => return (if error.is_cannot_tell() { 4 } else { 3 }, error.code().to_owned()),
    };
    let digest = document.map(|document| {
        assert!(matches!(receipt.digest_algorithm(), None | Some(DigestAlgorithm::Sha2_256)), "vectors use SHA-256");
        let digest = DocumentDigest::new(DigestAlgorithm::Sha2_256, sha256(&[document]).to_vec());
        digest.expect("32 bytes")
    });
    match verify(&receipt, digest.as_ref(), trust, UnixTime(at)) {
        Verdict::Confirmed(_) => (0, "confirmed".into()),
        Verdict::OutOfOffice(_) => (5, "out-of-office".into()),
        Verdict::NotValid(error) => (3, error.code().into()),
        Verdict::CannotTell(error) => (4, error.code().into()),
    }
}

fn trust(name: &str) -> TrustFile {
    TrustFile::from_json(&read(name)).expect("a trust file of the vectors")
}

fn document(case: &ReceiptCase) -> Option<Vec<u8>> {
    case.document.as_ref().map(|d| STANDARD.decode(d).expect("base64"))
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
fn evidence_gets_its_answers_and_mutants_never_another() {
    let cases: Vec<EvidenceCase> = load("evidence.json");
    for case in &cases {
        let (bytes, trust) = (read(&case.evidence), trust(&case.trust));
        assert_eq!(vectors::judge_evidence(&bytes, &trust, case), (case.exit, case.code.clone()), "{}", case.name);
        if case.exit != 0 {
            continue;
        }
        for seed in 0..60u32 {
            let choice = sha256(&[case.name.as_bytes(), &seed.to_be_bytes()]);
            let mut mutant = bytes.clone();
            let at = u32::from_be_bytes(choice[..4].try_into().expect("4 bytes")) as usize % mutant.len();
            mutant[at] ^= choice[4].max(1);
            let found = vectors::judge_evidence(&mutant, &trust, case);
            let same = found == (case.exit, case.code.clone());
            assert!(same || found.0 == 3 || found.0 == 4, "{} with byte {at} changed: {found:?}", case.name);
        }
    }
}

#[test]
fn status_tokens_are_derived_from_the_bits() {
    let file: TokensFile = load("status-tokens.json");
    let mut bits = BitList::zeros(file.status.size).expect("a size in range");
    assert!(file.set.iter().all(|index| bits.set(*index, true)));
    let key = PublicKey::from_jwk(&file.jwk).expect("a key");
    verify_attachment(&file.status, &file.issuer, &file.public_base, bits.as_bytes(), &key).expect("the issuer's");
    assert!(bits.set(1, true));
    verify_attachment(&file.status, &file.issuer, &file.public_base, bits.as_bytes(), &key)
        .expect_err("INV-STATUS-1: other bits, other tokens");
}

#[test]
fn receipts_get_their_verdicts() {
    let cases: Vec<ReceiptCase> = load("receipts.json");
    for case in &cases {
        let found = judge(&read(&case.receipt), document(case).as_deref(), &trust(&case.trust), case.at);
        assert_eq!(found, (case.exit, case.code.clone()), "{}", case.name);
    }
    println!("{} receipts", cases.len());
}

/// What `scripts/up` shows first. It stays valid for as long as its validators' keys are in office.
#[test]
fn the_sample_receipt_is_confirmed() {
    let (receipt, document) = (read("sample/contract.pdf.receipt.json"), read("sample/contract.pdf"));
    let trust = trust("sample/trust.json");
    let at = trust.genesis().time.0 + 3_600;
    assert_eq!(judge(&receipt, Some(&document), &trust, at), (0, "confirmed".into()));
    let other = [document.as_slice(), b" "].concat();
    assert_eq!(judge(&receipt, Some(&other), &trust, at), (3, "receipt.document-differs".into()));
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
    assert_eq!(judge(&large, None, &trust("trust.json"), 0), (3, "receipt.too-large".into()));
}

#[test]
fn a_changed_byte_anywhere_is_refused() {
    let cases: Vec<ReceiptCase> = load("receipts.json");
    let good: Vec<_> = cases.iter().filter(|case| case.code == "confirmed").collect();
    let mut state = 1u64;
    let mut next = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for _ in 0..1_000 {
        let case = good[next(good.len())];
        let mut bytes = read(&case.receipt);
        let at = next(bytes.len());
        bytes[at] ^= 1 + next(255) as u8;
        let (exit, code) = judge(&bytes, None, &trust(&case.trust), case.at);
        assert!(matches!(exit, 3 | 4), "{} byte {at}: {code}", case.name);
    }
}

#[test]
fn records_are_admitted_or_refused_with_their_codes() {
    let file: RecordsFile = load("records.json");
    for case in &file.good {
        assert_eq!(vectors::judge_record(case.record.as_bytes(), file.network, file.time), None, "{}", case.what);
        let record = Record::parse(case.record.as_bytes()).expect("judged above");
        assert_eq!(record.id(), case.id, "{}", case.what);
        assert_eq!(record.leaf_hash(), case.leaf_hash, "{}", case.what);
        assert_eq!(record.verify_did_key().expect("judged above").to_jwk(), case.jwk, "{}", case.what);
    }
    for case in &file.bad {
        let bytes = STANDARD.decode(&case.bytes).expect("base64");
        let found = vectors::judge_record(&bytes, file.network, file.time);
        assert_eq!(found.as_ref(), Some(&case.code), "{}", case.what);
    }
}

#[test]
fn equivocations_prove_what_they_say_or_are_refused() {
    let file: Value = load("equivocations.json");
    let set: ValidatorSet = serde_json::from_value(file["set"].clone()).expect("a set");
    let genesis: Genesis = serde_json::from_value(load::<Value>("genesis.json")["genesis"].take()).expect("a genesis");
    let origin = genesis.origin();
    assert_eq!(file["origin"], origin.as_str());
    let cases = file["cases"].as_array().expect("a list");
    for case in cases {
        let proof: Equivocation = serde_json::from_value(case["equivocation"].clone()).expect("of the format");
        assert_eq!(vectors::judge_equivocation(&proof, &origin, &set), case["refused"].as_str(), "{}", case["what"]);
    }
    // By hand: what the first six and the last fifteen must be, whatever the code that wrote the file thought.
    let refused: Vec<_> = cases.iter().map(|case| case["refused"].is_string()).collect();
    assert!(refused[..6].iter().all(|refused| !refused) && refused[6..].iter().all(|refused| *refused), "{refused:?}");
}

#[test]
fn did_keys_are_read_in_one_spelling() {
    let file: Value = load("did-key.json");
    for case in file["good"].as_array().expect("a list") {
        let kid: DidUrl = case["kid"].as_str().expect("text").parse().expect("a key id");
        let jwk = serde_json::to_value(kid.to_key().expect("a key").to_jwk()).expect("JSON");
        assert_eq!(jwk, case["jwk"], "{kid}");
    }
    for case in file["bad"].as_array().expect("a list") {
        let key = case["kid"].as_str().expect("text").parse::<DidUrl>().and_then(|kid| kid.to_key());
        assert!(key.is_err(), "{}", case["what"]);
    }
}

#[test]
fn ed25519_edge_cases_follow_the_strict_rule() {
    let cases: Vec<SignatureCase> = load("ed25519.json");
    for case in &cases {
        let bytes = |text: &str| hex::decode(text).expect("hex");
        let key = bytes(&case.key).try_into().expect("32 bytes");
        let signature = bytes(&case.signature).try_into().expect("64 bytes");
        let found = verify_ed25519(&key, &bytes(&case.message), &signature).is_ok();
        assert_eq!(found, case.valid, "{}", case.what);
    }
    assert!(cases.iter().filter(|c| c.valid).count() > 40, "mixed order that cancels out is accepted");
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
