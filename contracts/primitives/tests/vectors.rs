//! Golden vectors through the contracts. They stand here, and not beside the node, so that a change of the contracts meets them first.

#[expect(unreachable_pub, reason = "it is public where it lives, in the library of the tests")]
#[path = "../../../tests/src/vectors/judge.rs"]
mod judge;

use std::collections::BTreeMap;
use std::path::Path;

use judge::{
    EvidenceCase, ReceiptCase, RecordsFile, SignatureCase, TokensFile, judge_equivocation, judge_evidence,
    judge_receipt, judge_record,
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use testamur_primitives::block::Block;
use testamur_primitives::codec::{from_base64_standard, sha256};
use testamur_primitives::did::DidUrl;
use testamur_primitives::epoch::ValidatorSet;
use testamur_primitives::equivocation::Equivocation;
use testamur_primitives::genesis::Genesis;
use testamur_primitives::key::{PublicKey, verify_ed25519};
use testamur_primitives::record::Record;
use testamur_primitives::status::BitList;
use testamur_primitives::status::formats::verify_attachment;
use testamur_primitives::trust::TrustFile;
use testamur_primitives::units::{Height, Round};
use testamur_primitives::votes;

fn read(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors").join(name);
    std::fs::read(path).unwrap_or_else(|e| panic!("tests/vectors/{name}: {e}"))
}

fn load<T: DeserializeOwned>(name: &str) -> T {
    serde_json::from_slice(&read(name)).unwrap_or_else(|e| panic!("tests/vectors/{name}: {e}"))
}

fn trust(name: &str) -> TrustFile {
    TrustFile::from_json(&read(name)).expect("a trust file of the vectors")
}

fn document(case: &ReceiptCase) -> Option<Vec<u8>> {
    case.document.as_ref().map(|text| from_base64_standard(text).expect("base64"))
}

#[test]
fn evidence_gets_its_answers_and_mutants_never_another() {
    let cases: Vec<EvidenceCase> = load("evidence.json");
    for case in &cases {
        let (bytes, trust) = (read(&case.evidence), trust(&case.trust));
        assert_eq!(judge_evidence(&bytes, &trust, case), (case.exit, case.code.clone()), "{}", case.name);
        if case.exit != 0 {
            continue;
        }
        for seed in 0..60u32 {
            let choice = sha256(&[case.name.as_bytes(), &seed.to_be_bytes()]);
            let mut mutant = bytes.clone();
            let at = u32::from_be_bytes(choice[..4].try_into().expect("4 bytes")) as usize % mutant.len();
            mutant[at] ^= choice[4].max(1);
            let found = judge_evidence(&mutant, &trust, case);
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
        let found = judge_receipt(&read(&case.receipt), document(case).as_deref(), &trust(&case.trust), case.at);
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
    assert_eq!(judge_receipt(&receipt, Some(&document), &trust, at), (0, "confirmed".into()));
    let other = [document.as_slice(), b" "].concat();
    assert_eq!(judge_receipt(&receipt, Some(&other), &trust, at), (3, "receipt.document-differs".into()));
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
        let (exit, code) = judge_receipt(&bytes, None, &trust(&case.trust), case.at);
        assert!(matches!(exit, 3 | 4), "{} byte {at}: {code}", case.name);
    }
}

#[test]
fn records_are_admitted_or_refused_with_their_codes() {
    let file: RecordsFile = load("records.json");
    for case in &file.good {
        assert_eq!(judge_record(case.record.as_bytes(), file.network, file.time), None, "{}", case.what);
        let record = Record::parse(case.record.as_bytes()).expect("judged above");
        assert_eq!(record.id(), case.id, "{}", case.what);
        assert_eq!(record.leaf_hash(), case.leaf_hash, "{}", case.what);
        assert_eq!(record.verify_did_key().expect("judged above").to_jwk(), case.jwk, "{}", case.what);
    }
    for case in &file.bad {
        let bytes = from_base64_standard(&case.bytes).expect("base64");
        let found = judge_record(&bytes, file.network, file.time);
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
        assert_eq!(judge_equivocation(&proof, &origin, &set), case["refused"].as_str(), "{}", case["what"]);
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

#[test]
fn what_a_validator_signs_has_these_bytes() {
    let genesis: Genesis = serde_json::from_value(load::<Value>("genesis.json")["genesis"].take()).expect("a genesis");
    let (origin, address) = (genesis.origin(), genesis.validator_set().validators()[0].address);
    let value = Block::decode(&read("block.bin")).expect("a block of the vectors").header.value_id();
    let (height, round) = (Height(2), Round(3));
    let texts: BTreeMap<String, String> = load("votes.json");
    let messages = [
        ("prevote", votes::prevote_message(&origin, address, height, round, Some(&value))),
        ("prevote_nil", votes::prevote_message(&origin, address, height, round, None)),
        ("precommit_nil", votes::precommit_nil_message(&origin, address, height, round)),
        ("proposal", votes::proposal_message(&origin, address, height, round, &value, None)),
        ("proposal_again", votes::proposal_message(&origin, address, height, round, &value, Some(Round(1)))),
        ("proof_of_validator", votes::proof_of_validator_message(&origin, address, &[0, 36, 8, 1, 18, 32])),
    ];
    assert_eq!(messages.len(), texts.len());
    for (name, message) in messages {
        assert_eq!(texts[name].as_bytes(), message, "{name}");
    }
}
