//! Limits are rules: a node with another one would refuse what others accept. So they stand here a second time, as plain numbers
//! (how much is remembered is no rule, and does not), and readers of bytes are tried at their bound and one above it.

use serde_json::{Value, json};
use testamur_primitives::block::{Block, BlockError};
use testamur_primitives::did::{Did, DidUrl};
use testamur_primitives::header::Header;
use testamur_primitives::issuers::accreditation::Accreditation;
use testamur_primitives::limits::*;
use testamur_primitives::note::{Note, NoteError};
use testamur_primitives::receipt::{Receipt, ReceiptError};
use testamur_primitives::record::{Record, RecordError};

use crate::vectors::{load, read};

#[test]
fn limits_have_these_numbers_for_ever() {
    macro_rules! pinned {
        ($($name:ident = $number:literal,)*) => { $(assert_eq!($name, $number, stringify!($name));)* };
    }
    pinned! {
        RECORD_BYTES_MAX = 65_535,
        NOTARISE_ENTRIES_MAX = 512,
        BATCH_COUNT_MAX = 4_294_967_296,
        JSON_INTEGER_MAX = 9_007_199_254_740_991,
        JSON_DEPTH_MAX = 8,
        JOSE_HEADER_BYTES_MAX = 24_576,
        DID_CHARS_MAX = 400,
        BLOCK_BYTES_MAX = 2_097_152,
        BLOCK_RECORDS_MAX = 4_608,
        HEADER_BYTES_MAX = 4_096,
        NOTE_BYTES_MAX = 65_536,
        NOTE_SIGNATURES_MAX = 256,
        ORIGIN_BYTES_MAX = 255,
        VALIDATORS_MIN = 4,
        VALIDATORS_MAX = 64,
        OPERATORS_MAX = 256,
        GENESIS_WRITERS_MAX = 4_096,
        RECEIPT_BYTES_MAX = 4_194_304,
        RECEIPT_DEPTH_MAX = 16,
        RECEIPT_ANCHORS_MAX = 100,
        EPOCH_LINKS_MAX = 1_040,
        TRUST_BYTES_MAX = 4_194_304,
        RECORD_AGE_S_MAX = 86_400,
        RECORD_AHEAD_S_MAX = 300,
        RECORD_LIFE_S_MAX = 86_400,
        REPLAY_WINDOW_S = 86_700,
        PROPOSAL_LIFE_S_MAX = 7_776_000,
        LEGAL_NAME_BYTES_MAX = 200,
        PROOF_SIBLINGS_MAX = 256,
        EVIDENCE_KEYS_MAX = 256,
        EVIDENCE_BYTES_MAX = 4_194_304,
        DID_METHODS_MAX = 64,
        DID_GRANTS_MAX = 20,
        DID_CONTROLLERS_MAX = 8,
        DID_SERVICES_MAX = 8,
        DID_CHANGES_MAX = 16,
        ENDPOINT_CHARS_MAX = 256,
        CREDENTIAL_CHARS_MAX = 32_768,
        SCOPES_MAX = 64,
        SCOPE_TYPES_MAX = 32,
        JURISDICTIONS_MAX = 64,
        SCOPE_TEXT_CHARS_MAX = 256,
        CHAIN_LINKS_MAX = 5,
        ISSUER_ATTRIBUTES_MAX = 256,
        ENTITY_NAMES_MAX = 32,
        ENTITY_IDENTIFIERS_MAX = 8,
        SCHEMA_CHARS_MAX = 32_768,
        SCHEMA_DEPTH_MAX = 32,
        STATUS_ENTRIES_MIN = 131_072,
        ATTACHMENT_BYTES_MAX = 262_144,
        BLOCK_ATTACHMENTS_BYTES_MAX = 1_048_576,
        BLOCK_ATTACHMENTS_MAX = 64,
        VALUE_BYTES_MAX = 3_145_988,
        DOSSIER_OWNERS_MAX = 16,
        DOSSIER_HASHES_MAX = 64,
        STATUS_HISTORY_DAYS = 90,
        STATUS_HISTORY_DAYS_MAX = 36_525,
        STREAM_STATE_BYTES_MAX = 1_048_576,
        STREAM_TREE_BYTES_MAX = 1_114_112,
        BLOCK_STREAM_BYTES_MAX = 8_388_608,
        BLOCK_STREAM_BLOCKS_MAX = 512,
    }
}

#[test]
fn a_block_has_so_many_bytes_and_so_many_of_them_are_its_header() {
    let block = |header_bytes: usize, bytes: usize| {
        let mut block = vec![b'x'; bytes];
        block[..4].copy_from_slice(&(header_bytes as u32).to_be_bytes());
        Block::decode(&block).expect_err("no header")
    };
    assert!(matches!(block(HEADER_BYTES_MAX, BLOCK_BYTES_MAX), BlockError::Header(_)));
    assert_eq!(block(HEADER_BYTES_MAX + 1, BLOCK_BYTES_MAX), BlockError::Malformed);
    assert_eq!(block(HEADER_BYTES_MAX, BLOCK_BYTES_MAX + 1), BlockError::TooLarge);
    assert!(matches!(block(96, 100), BlockError::Header(_)), "all of it");
    assert_eq!(block(97, 100), BlockError::Malformed, "more than there is");
}

#[test]
fn a_header_has_so_many_bytes() {
    let error = |bytes: usize| Header::decode(&vec![b' '; bytes]).expect_err("no header").to_string();
    assert!(!error(HEADER_BYTES_MAX).contains("too long"));
    assert!(error(HEADER_BYTES_MAX + 1).contains("too long"));
}

#[test]
fn a_note_has_so_many_bytes_and_lines() {
    let note = Note::parse(&read("certificate.note")).expect("a note of the vectors");
    let long = |bytes: usize| {
        let rest = note.to_string();
        Note::parse(format!("{}\n{rest}", "x".repeat(bytes - rest.len() - 1)).as_bytes())
    };
    assert!(long(NOTE_BYTES_MAX).is_ok());
    assert_eq!(long(NOTE_BYTES_MAX + 1), Err(NoteError::Text));
    let signed = |lines: usize| {
        let signatures = note.signatures.iter().cycle().take(lines).cloned().collect();
        Note::parse(Note { text: note.text.clone(), signatures }.to_string().as_bytes())
    };
    assert_eq!(signed(NOTE_SIGNATURES_MAX).expect("so many lines").signatures.len(), NOTE_SIGNATURES_MAX);
    assert_eq!(signed(NOTE_SIGNATURES_MAX + 1), Err(NoteError::Line));
}

#[test]
fn a_did_and_a_key_id_have_so_many_letters() {
    let did = |letters: usize| format!("did:x:{}", "a".repeat(letters - "did:x:".len()));
    assert!(did(DID_CHARS_MAX).parse::<Did>().is_ok());
    assert!(did(DID_CHARS_MAX + 1).parse::<Did>().is_err());
    let url = |letters: usize| {
        let did = did(DID_CHARS_MAX);
        format!("{did}#{}", "f".repeat(letters - DID_CHARS_MAX - 1))
    };
    assert!(url(2 * DID_CHARS_MAX).parse::<DidUrl>().is_ok());
    for letters in [2 * DID_CHARS_MAX + 1, 2 * DID_CHARS_MAX + 2] {
        assert!(url(letters).parse::<DidUrl>().is_err(), "{letters}");
    }
}

#[test]
fn a_records_jose_header_has_so_many_bytes() {
    let record = load::<Value>("records.json")["good"][0]["record"].as_str().expect("a record").to_owned();
    let (header, rest) = record.split_once('.').expect("a compact JWS");
    let header = testamur_primitives::codec::from_base64url(header).expect("base64url");
    let parse = |bytes: usize| {
        let mut padded = header.clone();
        padded.resize(bytes, b' ');
        Record::parse(format!("{}.{rest}", testamur_primitives::codec::base64url(&padded)).as_bytes())
    };
    assert!(parse(JOSE_HEADER_BYTES_MAX).is_ok());
    for bytes in [JOSE_HEADER_BYTES_MAX + 1, JOSE_HEADER_BYTES_MAX + 2] {
        assert!(matches!(parse(bytes), Err(RecordError::Header(_))), "{bytes}");
    }
    assert_eq!(Record::parse(&vec![b'x'; RECORD_BYTES_MAX]), Err(RecordError::NotCompactJws));
    assert_eq!(Record::parse(&vec![b'x'; RECORD_BYTES_MAX + 1]), Err(RecordError::TooLarge(RECORD_BYTES_MAX + 1)));
}

#[test]
fn an_accreditation_has_so_many_letters() {
    let error = |letters: usize| Accreditation::parse(&"a".repeat(letters)).expect_err("no credential").0;
    assert!(!error(CREDENTIAL_CHARS_MAX).contains("32,768") && error(CREDENTIAL_CHARS_MAX + 1).contains("32,768"));
}

#[test]
fn a_receipt_has_so_many_bytes_epochs_and_anchors() {
    let receipt = crate::vectors::receipts_that_are_confirmed()
        .into_iter()
        .find(|receipt| !receipt.epochs.is_empty())
        .expect("one with epochs");
    let with = |epochs: usize, anchors: usize| {
        let epochs = receipt.epochs.iter().cycle().take(epochs).cloned().collect();
        let anchors = vec![json!({"type": "later"}); anchors];
        Receipt::decode(&Receipt { epochs, anchors, ..receipt.clone() }.encode())
    };
    assert!(with(EPOCH_LINKS_MAX, RECEIPT_ANCHORS_MAX).is_ok());
    assert!(matches!(with(EPOCH_LINKS_MAX + 1, 0), Err(ReceiptError::TooLarge(_))));
    assert!(matches!(with(0, RECEIPT_ANCHORS_MAX + 1), Err(ReceiptError::TooLarge(_))));
    let blanks = |bytes: usize| Receipt::decode(&vec![b' '; bytes]).expect_err("no receipt");
    assert!(matches!(blanks(RECEIPT_BYTES_MAX), ReceiptError::Malformed(_)));
    assert_eq!(blanks(RECEIPT_BYTES_MAX + 1), ReceiptError::TooLarge(RECEIPT_BYTES_MAX + 1));
}
