//! Golden vectors through the contracts. They stand here, and not beside the node, so that a change of the contracts meets them first.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::judge::{
    EvidenceCase, ReceiptCase, RecordsFile, SignatureCase, TokensFile, judge_equivocation, judge_evidence,
    judge_receipt, judge_record,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use testamur_primitives::block::Block;
use testamur_primitives::checkpoint::{
    CertificateError, Checkpoint, ValueId, cosignature_message, verify_certificate, verify_cosignature,
};
use testamur_primitives::codec::{base64_standard, canonical, from_base64_standard, from_base64url, sha256};
use testamur_primitives::commitment::{DigestAlgorithm, Opening};
use testamur_primitives::did::{Did, DidUrl};
use testamur_primitives::epoch::{ValidatorSet, quorum};
use testamur_primitives::equivocation::Equivocation;
use testamur_primitives::genesis::{Genesis, possession_message};
use testamur_primitives::hash::TreeHash;
use testamur_primitives::header::Header;
use testamur_primitives::key::{PublicKey, SigningKey, verify_ed25519};
use testamur_primitives::note::{Note, SignatureLine, TYPE_COSIGNATURE_V1, TYPE_ED25519, VerifierKey};
use testamur_primitives::policy::tlog_policy;
use testamur_primitives::receipt::{Receipt, Verdict, verify};
use testamur_primitives::record::{Act, Bytes, Payload, Record, Reference};
use testamur_primitives::status::formats::verify_attachment;
use testamur_primitives::status::{Attachment, BitList};
use testamur_primitives::trust::{TrustError, TrustFile};
use testamur_primitives::units::{Height, Round, UnixTime};
use testamur_primitives::votes;

pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors")
}

pub(crate) fn read(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).unwrap_or_else(|e| panic!("tests/vectors/{name}: {e}"))
}

pub(crate) fn load<T: DeserializeOwned>(name: &str) -> T {
    serde_json::from_slice(&read(name)).unwrap_or_else(|e| panic!("tests/vectors/{name}: {e}"))
}

pub(crate) fn trust(name: &str) -> TrustFile {
    TrustFile::from_json(&read(name)).expect("a trust file of the vectors")
}

pub(crate) fn receipts_that_are_confirmed() -> Vec<Receipt> {
    let cases: Vec<ReceiptCase> = load("receipts.json");
    let good = cases.iter().filter(|case| case.code == "confirmed");
    good.map(|case| Receipt::decode(&read(&case.receipt)).expect("a receipt of the vectors")).collect()
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
fn a_published_list_needs_its_bits_beside_the_record() {
    let TokensFile { status, .. } = load("status-tokens.json");
    let expected = Attachment { sha256: status.sha256, bytes: status.size as usize / 8 };
    let key = SigningKey::ed25519(&[7; 32]);
    let iss = Did::key(&key.public_key());
    let sign = |act: Act| {
        let (jti, iat, exp) = ("a".parse().expect("a reference"), UnixTime(1), UnixTime(2));
        let payload = Payload { v: 1, net: genesis().hash(), iss: iss.clone(), jti, iat, exp, act };
        Record::sign(&payload, &iss.key_id().expect("a did:key"), &key).expect("a record")
    };
    assert_eq!(sign(Act::PublishStatus { status, prev: None }).attachment(), Some(expected));
    let (alg, entries) = (DigestAlgorithm::Sha2_256, vec![Bytes(vec![7; 32])]);
    assert_eq!(sign(Act::OpenDossier { alg, entries }).attachment(), None);
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
    let genesis = genesis();
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
    let genesis = genesis();
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

fn genesis() -> Genesis {
    serde_json::from_value(load::<Value>("genesis.json")["genesis"].take()).expect("a genesis")
}

#[test]
fn a_genesis_and_its_set_have_these_hashes() {
    let (file, genesis) = (load::<Value>("genesis.json"), genesis());
    let text = file["canonical"].as_str().expect("text");
    assert_eq!(canonical(&genesis), text.as_bytes());
    assert_eq!(Genesis::from_json(text.as_bytes()).as_ref(), Ok(&genesis));
    assert_eq!(json!(genesis.hash()), file["hash"]);
    assert_eq!(genesis.origin().as_str(), file["origin"]);
    assert_eq!(json!(genesis.parameters.hash()), file["parameters_hash"]);
    assert_eq!(json!(genesis.validator_set().hash()), file["validators_hash"]);
    for (validator, file) in genesis.validators.iter().zip(file["validators"].as_array().expect("a list")) {
        let address = validator.registration.address();
        assert_eq!(json!(address), file["address"]);
        assert_eq!(
            possession_message("consensus", address),
            file["possession_message"].as_str().expect("text").as_bytes()
        );
    }
    let file: Value = load("validator-set.json");
    let set: ValidatorSet = serde_json::from_value(file["set"].clone()).expect("a set");
    assert_eq!((json!(set.hash()), json!(set.in_office_until())), (file["hash"].clone(), file["until"].clone()));
    for validator in set.validators() {
        assert_eq!(set.by_address(validator.address), Some(validator));
        assert_eq!(validator.consensus_key().as_slice(), validator.keys[0].key.0);
        assert_eq!(validator.log_key().as_slice(), validator.log_key.0);
        assert_eq!(validator.peer_key().as_slice(), validator.peer_key.0);
    }
    let quorums: Vec<(usize, usize)> = load("quorums.json");
    assert!(quorums.len() == 61 && quorums.iter().all(|(n, needed)| quorum(*n) == *needed));
}

#[test]
fn headers_have_these_hashes_and_values() {
    let read = |file: &Value| Header::decode(file["text"].as_str().expect("text").as_bytes()).expect("a header");
    let files: Vec<Value> = load("headers.json");
    for file in &files {
        let header = read(file);
        assert_eq!(json!(header.hash()), file["hash"]);
        let value = header.value_id();
        assert_eq!(hex::encode(value.to_bytes()), file["value_id"]);
        assert_eq!(ValueId::from_bytes(&value.to_bytes()), value);
    }
    let first = read(&files[0]);
    assert_eq!(genesis().header(first.state_root), first);
}

/// INV-CERT-1, a line at a time.
#[test]
fn a_certificate_is_the_decision_of_its_set() {
    let (file, genesis) = (load::<Value>("checkpoint.json"), genesis());
    let (origin, set) = (genesis.origin(), genesis.validator_set());
    let header = Header::decode(file["header"].as_str().expect("text").as_bytes()).expect("a header");
    let body = file["body"].as_str().expect("text");
    let checkpoint = Checkpoint::new(&origin, &header.value_id(), header.height, Round(3));
    assert_eq!((checkpoint.body().as_str(), Checkpoint::parse(body)), (body, Ok(checkpoint.clone())));
    let message = file["cosignature_message"].as_str().expect("text");
    assert_eq!(cosignature_message(header.time, body), message.as_bytes());

    let note = Note::parse(&read("certificate.note")).expect("a note");
    let addresses: Vec<_> = set.validators().iter().map(|validator| validator.address).collect();
    let certified = verify_certificate(&origin, &header, &note, &set).expect("a certificate");
    let round = certified.checkpoint.round;
    assert_eq!(certified.checkpoint, Checkpoint::new(&origin, &header.value_id(), header.height, round));
    assert!(certified.witnesses.len() >= set.quorum());
    // Each line again: nobody counts twice.
    let mut doubled = note.clone();
    doubled.signatures.extend(note.signatures.iter().cloned());
    assert_eq!(verify_certificate(&origin, &header, &doubled, &set).as_ref(), Ok(&certified));
    doubled.signatures = note.signatures.iter().flat_map(|line| [line.clone(), line.clone()]).collect();
    assert_eq!(verify_certificate(&origin, &header, &doubled, &set).as_ref(), Ok(&certified));
    for who in [&certified.witnesses, &certified.log_signers] {
        let inside: Vec<_> = addresses.iter().filter(|address| who.contains(address)).copied().collect();
        assert_eq!(&inside, who, "in set order");
    }
    let cosigned = |line: &SignatureLine| set.validators().iter().find(|validator| validator.name == line.name);
    for (n, line) in note.signatures.iter().enumerate() {
        let without =
            Note { text: note.text.clone(), signatures: [&note.signatures[..n], &note.signatures[n + 1..]].concat() };
        let found = verify_certificate(&origin, &header, &without, &set);
        let mut bad = note.clone();
        bad.signatures[n].signature[20] ^= 1;
        let refused = verify_certificate(&origin, &header, &bad, &set);
        assert!(matches!(refused, Err(CertificateError::BadSignature(_))), "{refused:?}");
        let Some(validator) = cosigned(line) else {
            assert_eq!(line.name, origin.as_str());
            assert_eq!(found.expect("no cosignature").log_signers.len(), certified.log_signers.len() - 1);
            continue;
        };
        let enough = certified.witnesses.len() > set.quorum();
        assert_eq!(found.is_ok(), enough, "{found:?}");
        let signature: [u8; 64] = line.signature[8..].try_into().expect("64 bytes");
        let judge = |time: u64, body: &str, signature: &[u8; 64]| {
            verify_cosignature(validator.consensus_key(), UnixTime(time), body, signature).is_ok()
        };
        let (time, body) = (header.time.0, note.text.as_str());
        assert!(judge(time, body, &signature) && !judge(time + 1, body, &signature));
        assert!(!judge(time, &body.replace("height", "Height"), &signature) && !judge(time, body, &[7; 64]));
    }
}

#[test]
fn verifier_keys_and_the_policy_name_every_validator() {
    let (genesis, files) = (genesis(), load::<Vec<Value>>("verifier-keys.json"));
    let (origin, set) = (genesis.origin(), genesis.validator_set());
    assert_eq!(files.len(), set.validators().len());
    for (validator, file) in set.validators().iter().zip(files) {
        for (member, name, signature_type, key) in [
            ("cosigner", validator.name.as_str(), TYPE_COSIGNATURE_V1, validator.consensus_key()),
            ("log", origin.as_str(), TYPE_ED25519, validator.log_key()),
        ] {
            let key = VerifierKey { name: name.into(), signature_type, key: *key };
            assert_eq!(key.to_string(), file[member]);
            assert_eq!(file[member].as_str().expect("text").parse(), Ok(key));
        }
    }
    assert_eq!(tlog_policy(&origin, &set).as_bytes(), read("policy.txt"));
}

#[test]
fn commitments_have_these_bytes() {
    let file: Value = load("commitments.json");
    let bytes = |value: &Value| from_base64url(value.as_str().expect("text")).expect("base64url");
    let (count, root) = (file["count"].as_u64().expect("a number"), file["root"].clone());
    let root: TreeHash = serde_json::from_value(root).expect("a hash");
    for (index, (case, path)) in
        file["leaves"].as_array().expect("a list").iter().zip(file["paths"].as_array().expect("a list")).enumerate()
    {
        let mut opening = json!({"index": index, "alg": case["alg"], "digest": case["digest"], "path": path});
        if case["salt"].is_string() {
            opening["salt"] = case["salt"].clone();
        }
        let opening: Opening = serde_json::from_value(opening).expect("an opening");
        let leaf = opening.leaf().expect("a digest of the right length");
        assert_eq!(leaf.entry(), bytes(&case["entry"]));
        assert_eq!(hex::encode(leaf.leaf_data()), case["leaf_data"]);
        assert_eq!(json!(leaf.leaf_hash()), case["leaf_hash"]);
        assert_eq!(leaf.digest.algorithm().name(), case["alg"]);
        assert_eq!(opening.verify_batch(root, count), Ok(()));
        let elsewhere = Opening { index: (opening.index + 1) % count, ..opening.clone() };
        assert!(elsewhere.verify_batch(root, count).is_err());
    }
}

#[test]
fn a_trust_file_gives_what_it_pins() {
    for (name, pins) in [("trust.json", false), ("trust-pinned.json", true)] {
        let trust = trust(name);
        assert_eq!((trust.checkpoint().is_some(), trust.pinned().is_some()), (pins, pins), "{name}");
        assert_eq!(trust.genesis_epoch().validators, trust.genesis().validator_set());
    }
    let file: Value = load("trust.json");
    for (member, value) in [("v", json!(2)), ("type", json!("testamur-receipt"))] {
        let mut changed = file.clone();
        changed[member] = value;
        assert!(matches!(TrustFile::from_json(&canonical(&changed)), Err(TrustError::Kind)), "{member}");
    }
}

/// C2SP tlog-proof, and what a person reads of a receipt.
#[test]
fn a_receipt_says_what_its_record_and_note_say() {
    let (receipt, trust) = (read("sample/contract.pdf.receipt.json"), trust("sample/trust.json"));
    let sample = Receipt::decode(&receipt).expect("a receipt");
    let Verdict::Confirmed(facts) = verify(&sample, None, &trust, UnixTime(trust.genesis().time.0 + 3_600)) else {
        panic!("confirmed")
    };
    let record = Record::parse(sample.record.as_bytes()).expect("a record");
    assert_eq!((record.as_str(), record.id()), (sample.record.as_str(), facts.record));
    let (Act::Notarise { reference, .. } | Act::NotariseBatch { reference, .. }) = record.act() else {
        panic!("a notarisation")
    };
    assert_eq!(facts.reference.as_deref(), reference.as_ref().map(Reference::as_str));
    assert_eq!(facts.author, *record.author());
    let mut algorithms = BTreeMap::new();
    for receipt in receipts_that_are_confirmed().iter().chain([&sample]) {
        *algorithms.entry(receipt.digest_algorithm()).or_insert(0) += 1;
        let proof = receipt.tlog_proof();
        let (head, note) = proof.split_once("\n\n").expect("an empty line before the note");
        assert_eq!(note, receipt.note);
        let path: String = receipt.path.iter().map(|hash| format!("\n{}", base64_standard(hash.as_bytes()))).collect();
        assert_eq!(head, format!("c2sp.org/tlog-proof@v1\nindex {}{path}", receipt.index));
    }
    let known = |algorithm: &Option<DigestAlgorithm>| algorithms.get(algorithm).copied().unwrap_or_default();
    assert!(known(&Some(DigestAlgorithm::Sha2_256)) > 3 && known(&None) > 0, "{algorithms:?}");
}
