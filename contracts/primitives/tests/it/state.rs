//! Entries of the state by time, its proofs, and evidence made of them.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use testamur_primitives::codec::{canonical, sha256};
use testamur_primitives::commitment::DigestAlgorithm;
use testamur_primitives::did::Did;
use testamur_primitives::dossiers::{self, DossierEntry};
use testamur_primitives::hash::{RecordId, SchemaId, TreeHash};
use testamur_primitives::issuers::{self, IssuerEntry};
use testamur_primitives::limits::{EPOCH_LINKS_MAX, EVIDENCE_BYTES_MAX, EVIDENCE_KEYS_MAX, PROOF_SIBLINGS_MAX};
use testamur_primitives::schemas::{self, SchemaEntry};
use testamur_primitives::state::evidence::{Evidence, EvidenceError, Recorder};
use testamur_primitives::state::proof::{StateProof, StateProofError};
use testamur_primitives::state::{StateError, StateKey, StateObject, StateReader, entry, entry_at};
use testamur_primitives::status::{StatusEntry, StatusVersion};
use testamur_primitives::units::{Height, UnixTime};

use crate::judge::EvidenceCase;
use crate::vectors::{load, read, trust};

/// Entries 1, 2, 3 at 10, 20, 30.
#[test]
fn the_entry_in_force_at_a_time_is_found() {
    let mut state = BTreeMap::new();
    let mut write = |object: &StateObject, seq: u64, value: Value| {
        let value = canonical(&value);
        state.insert(object.head(), value.clone());
        state.insert(object.entry(seq), value);
    };
    let id = RecordId::from_bytes([1; 32]);
    let did = "did:ebsi:zfEmvX5twhXjQJiCWsukvQA".parse().expect("a DID");
    let (dossier, issuer) = (dossiers::key(id), issuers::keys::issuer(&did));
    for seq in 1..=3 {
        let (height, time) = (Height(seq), UnixTime(10 * seq));
        let entry = DossierEntry {
            v: 1,
            seq,
            height,
            time,
            record: id,
            version: 1,
            alg: DigestAlgorithm::Sha2_256,
            entries: Vec::new(),
            owners: Vec::new(),
        };
        write(&dossier, seq, json!(entry));
        write(&issuer, seq, json!(IssuerEntry { v: 1, seq, height, time, attributes: Vec::new() }));
    }
    for (time, expected) in [(9, None), (10, Some(1)), (19, Some(1)), (20, Some(2)), (30, Some(3)), (31, Some(3))] {
        let time = UnixTime(time);
        let found: Option<DossierEntry> = entry_at(&state, &dossier, time).expect("the state");
        assert_eq!(found.map(|entry| entry.seq), expected);
        let found: Option<IssuerEntry> = entry_at(&state, &issuer, time).expect("the state");
        assert_eq!(found.map(|entry| entry.seq), expected);
    }
    assert_eq!(dossiers::newest(&state, id).expect("the state").map(|entry| entry.seq), Some(3));
    for number in 1..=4 {
        let found = dossiers::step(&state, id, number).expect("the state").map(|entry| entry.seq);
        assert_eq!(found, (number <= 3).then_some(number));
    }
}

#[test]
fn the_same_holds_of_lists_and_schemas() {
    let status: StatusVersion =
        serde_json::from_value(load::<Value>("status-tokens.json")["status"].take()).expect("one");
    let did: Did = "did:ebsi:zfEmvX5twhXjQJiCWsukvQA".parse().expect("a DID");
    let (record, schema) = (RecordId::from_bytes([1; 32]), SchemaId::from_bytes([2; 32]));
    let list = StateObject::new("status", "a");
    let mut state = BTreeMap::new();
    for seq in 1..=2 {
        let (height, time) = (Height(seq), UnixTime(10 * seq));
        let entry = StatusEntry { v: 1, seq, height, time, record, issuer: did.clone(), status: status.clone() };
        let revision =
            SchemaEntry { v: 1, seq, height, time, record, owner: did.clone(), body: format!("{{\"a\":{seq}}}") };
        for (object, value) in [(&list, canonical(&entry)), (&schemas::key(schema), canonical(&revision))] {
            state.insert(object.head(), value.clone());
            state.insert(object.entry(seq), value);
        }
    }
    for (time, expected) in [(9, None), (10, Some(1)), (19, Some(1)), (20, Some(2))] {
        let found: Option<StatusEntry> = entry_at(&state, &list, UnixTime(time)).expect("the state");
        assert_eq!(found.map(|entry| entry.seq), expected);
        let found: Option<SchemaEntry> = entry_at(&state, &schemas::key(schema), UnixTime(time)).expect("the state");
        assert_eq!(found.map(|entry| entry.seq), expected);
    }
    assert_eq!(schemas::schema(&state, schema).expect("the state").map(|entry| entry.seq), Some(2));
    for number in 1..=3 {
        let found = schemas::revision(&state, schema, number).expect("the state").map(|entry| entry.seq);
        assert_eq!(found, (number <= 2).then_some(number));
    }
    // INV-STATE-2: an entry under another's key.
    let second = state[&list.entry(2)].clone();
    state.insert(list.entry(1), second);
    let found = entry::<StatusEntry, _>(&state, &list, 1);
    assert!(matches!(&found, Err(StateError::Damaged { key, .. }) if *key == list.entry(1)), "{found:?}");
}

#[test]
fn a_key_is_its_text() {
    let object = StateObject::new("writer", "did:key:z6Mk");
    for (key, text) in [(object.head(), "writer/did:key:z6Mk/head"), (object.entry(12), "writer/did:key:z6Mk/12")] {
        assert_eq!((key.as_str(), key.to_string().as_str()), (text, text));
        assert_eq!(text.parse(), Ok(key.clone()));
        assert_eq!(key.hash(), sha256(&[text.as_bytes()]));
    }
    for text in
        ["", "a", "a/b", "/b/1", "a//1", "A/b/1", "a1/b/1", "a/b c/1", "a/b/0", "a/b/01", "a/b/x", "a/b/", "a/b/1/2"]
    {
        assert!(text.parse::<StateKey>().is_err(), "{text}");
    }
    assert!("set-change/b/1".parse::<StateKey>().is_ok());
}

#[test]
fn a_recorder_gives_what_is_there_and_remembers_what_was_asked() {
    let object = StateObject::new("writer", "a");
    let state: BTreeMap<StateKey, Vec<u8>> = [(object.head(), b"{}".to_vec())].into();
    let recorder = Recorder::new(&state);
    assert_eq!(recorder.get(&object.head()), Ok(Some(b"{}".to_vec())));
    assert_eq!(recorder.get(&object.entry(7)), Ok(None));
    let mut asked = [object.head(), object.entry(7)];
    asked.sort();
    assert_eq!(recorder.into_keys(), asked);
}

fn evidence() -> (Evidence, EvidenceCase) {
    let cases: Vec<EvidenceCase> = load("evidence.json");
    let held = cases.into_iter().filter(|case| case.exit == 0);
    let mut read = held.map(|case| (Evidence::decode(&read(&case.evidence)).expect("evidence of the vectors"), case));
    read.find(|(evidence, _)| evidence.state.iter().any(|proven| proven.value.is_some())).expect("one with a value")
}

#[test]
fn evidence_is_written_as_it_is_read_and_so_old() {
    let (evidence, case) = evidence();
    assert_eq!(evidence.encode(), read(&case.evidence));
    let proven = evidence.verify(&trust(&case.trust)).expect("it holds");
    let time = proven.header().time.0;
    assert_eq!(proven.fresh(UnixTime(time + 600), 600), Ok(()));
    assert_eq!(proven.fresh(UnixTime(0), 0), Ok(()), "from a clock that is ahead");
    let stale = proven.fresh(UnixTime(time + 601), 600);
    assert_eq!(stale, Err(EvidenceError::Stale { age_s: 601, accepted_s: 600 }));
}

#[test]
fn evidence_has_so_many_bytes_keys_and_epochs() {
    let (evidence, case) = evidence();
    let trust = trust(&case.trust);
    let link = || {
        let (header, note, validators) = (evidence.header.clone(), evidence.note.clone(), evidence.validators.clone());
        testamur_primitives::epoch::EpochLink { header, note, validators }
    };
    let refused = |keys: usize, epochs: usize| {
        let state = evidence.state.iter().cycle().take(keys).cloned().collect();
        let epochs = (0..epochs).map(|_| link()).collect();
        let error = Evidence { state, epochs, ..evidence.clone() }.verify(&trust).expect_err("keys twice, or epochs");
        error.to_string().contains("too many")
    };
    assert!(!refused(EVIDENCE_KEYS_MAX, 0) && refused(EVIDENCE_KEYS_MAX + 1, 0));
    assert!(!refused(1, EPOCH_LINKS_MAX) && refused(1, EPOCH_LINKS_MAX + 1));
    let blanks = |bytes: usize| Evidence::decode(&vec![b' '; bytes]).expect_err("blank").to_string();
    assert!(!blanks(EVIDENCE_BYTES_MAX).contains("too many") && blanks(EVIDENCE_BYTES_MAX + 1).contains("too many"));
}

#[test]
fn a_state_proof_of_another_version_or_length_shows_nothing() {
    let file: Value = load("state.json");
    let root = serde_json::from_value(file["root"].clone()).expect("a root");
    let mut shown = 0;
    for case in file["proofs"].as_array().expect("a list") {
        let key = case["key"].as_str().expect("text").parse().expect("a key");
        let proof: StateProof = serde_json::from_value(case["proof"].clone()).expect("a proof");
        let value = case["value"].as_str().map(str::as_bytes);
        let verify = |proof: &StateProof| proof.verify(root, &key, value);
        assert_eq!(verify(&proof), Ok(()));
        shown += 1;
        for v in [0, 2] {
            assert_eq!(verify(&StateProof { v, ..proof.clone() }), Err(StateProofError::Form));
        }
        let of =
            |siblings: usize| StateProof { siblings: vec![TreeHash::from_bytes([7; 32]); siblings], ..proof.clone() };
        assert_ne!(verify(&of(PROOF_SIBLINGS_MAX)), Err(StateProofError::Form));
        assert_eq!(verify(&of(PROOF_SIBLINGS_MAX + 1)), Err(StateProofError::Form));
        assert_eq!(StateProof::decode(&proof.encode()), Ok(proof));
    }
    assert!(shown > 3);
}
