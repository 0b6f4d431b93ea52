//! What a container gives is what the batch in memory gives, byte for byte.

use proptest::prelude::*;
use testamur_client::batch::Batch;
use testamur_client::bulk::chunk::{Chunk, Columns};
use testamur_client::bulk::container::Container;
use testamur_client::bulk::error::BulkError;
use testamur_client::bulk::format::{Order, display_name, name_order, parse_name};
use testamur_client::bulk::writer::{Stage, Writer};
use testamur_client::limits::CHUNK_ENTRIES;
use testamur_primitives::commitment::{DigestAlgorithm, DocumentDigest, Form};
use testamur_primitives::hash::TreeHash;
use testamur_primitives::merkle::MemoryTree;
use testamur_primitives::receipt::{Receipt, Verdict, verify};
use testamur_primitives::record::Record;
use testamur_primitives::units::UnixTime;

use crate::{Ledger, TIME, columns, document, fill, leaves, settings};

const CHUNK: u64 = CHUNK_ENTRIES as u64;

#[test]
fn every_receipt_is_the_one_that_the_batch_in_memory_gives_and_is_confirmed() {
    let (directory, ledger) = (tempfile::tempdir().unwrap(), Ledger::new());
    let trust = ledger.network.trust();
    for count in [1, 2, 3, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 5] {
        let container = ledger.container(&directory.path().join(format!("{count}.receipts")), count, Order::Given);
        assert_eq!(container.count(), count);
        container.check(2).unwrap();
        let all: Vec<_> = (0..container.chunks()).flat_map(|c| leaves(&container.chunk(c).unwrap())).collect();
        let batch = Batch::from_leaves(all).unwrap();
        assert_eq!(container.root(), batch.root());
        let cut = ledger.cut(container.ledger());
        for index in [0, 1, 2, count / 2, CHUNK - 1, CHUNK, 2 * CHUNK, count - 1] {
            let given = container.receipt(index).unwrap();
            let expected = batch.opening(index).map(|opening| cut.receipt(opening).unwrap());
            assert_eq!(given, expected, "document {index} of {count}");
            let Some(bytes) = given else { continue };
            let verdict =
                verify(&Receipt::decode(&bytes).unwrap(), Some(&document(index).0), &trust, UnixTime(TIME + 60));
            assert!(matches!(verdict, Verdict::Confirmed(_)), "{verdict:?}");
        }
        assert_eq!(container.receipt(count).unwrap(), None);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The tree over chunks' roots is the upper part of the tree over all leaves, at any size.
    #[test]
    fn roots_of_chunks_make_the_root_of_all(count in 1u64..6_000, index: u64) {
        let leaves: Vec<_> = (0..count).map(|i| testamur_primitives::merkle::leaf_hash(&i.to_be_bytes())).collect();
        let whole = MemoryTree::from_leaf_hashes(&leaves);
        let parts: Vec<_> = leaves.chunks(CHUNK_ENTRIES).map(MemoryTree::from_leaf_hashes).collect();
        let roots: Vec<TreeHash> = parts.iter().map(|part| part.root(part.size()).unwrap()).collect();
        let upper = MemoryTree::from_leaf_hashes(&roots);
        prop_assert_eq!(upper.root(upper.size()).unwrap(), whole.root(count).unwrap());
        let index = index % count;
        let part = &parts[(index / CHUNK) as usize];
        let mut path = part.inclusion_proof(index % CHUNK, part.size()).unwrap();
        path.extend(upper.inclusion_proof(index / CHUNK, upper.size()).unwrap());
        prop_assert_eq!(path, whole.inclusion_proof(index, count).unwrap());
    }

    /// What a chunk writes it reads; each salt is its own, and no two chunks share one.
    #[test]
    fn a_chunk_reads_what_it_wrote(
        documents in proptest::collection::vec((0usize..6, any::<[u8; 64]>(), proptest::collection::vec(any::<u8>(), 0..40)), 1..40),
        number in 0u64..1_000,
        plain: bool,
    ) {
        let mut columns = Columns::default();
        for (algorithm, bytes, name) in &documents {
            let algorithm = DigestAlgorithm::ALL[*algorithm];
            columns.push(algorithm, &bytes[..algorithm.digest_bytes()], name).unwrap();
        }
        let form = if plain { Form::Digest } else { Form::Commitment };
        let sealed = columns.seal(number * CHUNK, form).unwrap();
        let chunk = Chunk::parse(sealed.body().to_vec()).unwrap();
        prop_assert_eq!(chunk.root(), sealed.root());
        prop_assert_eq!(chunk.computed_root(), Batch::from_leaves(leaves(&chunk)).unwrap().root());
        prop_assert_eq!(chunk.computed_root(), sealed.root());
        for ((algorithm, bytes, name), entry) in documents.iter().zip(chunk.entries()) {
            let algorithm = DigestAlgorithm::ALL[*algorithm];
            prop_assert_eq!(entry.digest, Some((algorithm, &bytes[..algorithm.digest_bytes()])));
            prop_assert_eq!(entry.name, &name[..]);
        }
        let salts: std::collections::BTreeSet<_> =
            (0..chunk.count()).filter_map(|place| chunk.salt(place)).map(|salt| *salt.as_bytes()).collect();
        prop_assert_eq!(salts.len(), if plain { 0 } else { chunk.count() });
        if !plain {
            let again = Chunk::parse(columns.seal(number * CHUNK, form).unwrap().body().to_vec()).unwrap();
            prop_assert!((0..chunk.count()).all(|place| !salts.contains(again.salt(place).unwrap().as_bytes())));
        }
    }
}

#[test]
fn an_erased_document_leaves_its_leaf_and_nothing_else() {
    let sealed = columns(0..50).seal(0, Form::Commitment).unwrap();
    let chunk = Chunk::parse(sealed.body().to_vec()).unwrap();
    let (digest, name) = document(16);
    let erased = Chunk::parse(chunk.without(16).unwrap()).unwrap();
    let again = erased.without(17).unwrap();
    assert_eq!(erased.computed_root(), sealed.root());
    assert_eq!(Chunk::parse(again.clone()).unwrap().computed_root(), sealed.root());
    for gone in [digest.as_bytes(), &name, chunk.salt(16).unwrap().as_bytes(), &sealed.body()[43..75]] {
        assert!(sealed.body().windows(gone.len()).any(|w| w == gone) || gone == chunk.salt(16).unwrap().as_bytes());
        assert!(!again.windows(gone.len()).any(|w| w == gone), "what was erased is still there");
    }
    for place in (0..50).filter(|place| *place != 16) {
        assert_eq!(erased.entry(place), chunk.entry(place));
        assert_eq!(erased.salt(place), chunk.salt(place));
        assert_eq!(erased.path(place), chunk.path(place));
    }
    assert_eq!(erased.entry(16).digest, None);
    let plain = Chunk::parse(columns(0..3).seal(0, Form::Digest).unwrap().body().to_vec()).unwrap();
    assert_eq!(plain.without(1), None);
}

#[test]
fn salts_follow_from_secret_and_index_alone() {
    // HMAC-SHA-256(01…01, "testamur/salt/v1\0" ‖ 2048 as 8 bytes), computed with Python's hmac.
    let sealed = columns(2_048..2_050).seal_with(2_048, Some(&[1; 32]));
    let salt = Chunk::parse(sealed.body().to_vec()).unwrap().salt(0).unwrap();
    let hex: String = salt.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, "a2f6881e9b9ea219b9e7dc2465e8023952582b44da8ed91a9debe1b9fe28346c");
}

#[test]
fn documents_are_found_by_name_and_by_digest() {
    let (directory, ledger) = (tempfile::tempdir().unwrap(), Ledger::new());
    for order in [Order::Given, Order::Names] {
        let path = directory.path().join(format!("{order:?}.receipts"));
        let mut writer = Writer::open(&path, &settings(order)).unwrap();
        // Names ascending, with gaps to look into.
        for first in [0, CHUNK, 2 * CHUNK] {
            let mut columns = Columns::default();
            for i in first..first + if first == 2 * CHUNK { 10 } else { CHUNK } {
                columns.push(DigestAlgorithm::Sha2_256, &[i as u8; 32], format!("{:08}", 2 * i).as_bytes()).unwrap();
            }
            writer.append(&columns.seal(first, Form::Commitment).unwrap(), b"").unwrap();
        }
        let container = ledger.complete(writer);
        for i in (0..2 * CHUNK + 10).step_by(61).chain([CHUNK - 1, CHUNK, 2 * CHUNK + 9]) {
            assert_eq!(container.find_name(format!("{:08}", 2 * i).as_bytes(), 9).unwrap(), [i]);
            assert_eq!(container.find_name(format!("{:08}", 2 * i + 1).as_bytes(), 9).unwrap(), [0u64; 0]);
        }
        for name in ["", "0", "zzz"] {
            assert_eq!(container.find_name(name.as_bytes(), 9).unwrap(), [0u64; 0]);
        }
        let digest = |byte| DocumentDigest::new(DigestAlgorithm::Sha2_256, vec![byte; 32]).unwrap();
        let found = container.find_digest(&digest(200), 3).unwrap();
        assert_eq!(found, [200, 456, 712], "doubles are all found, up to the number asked for");
        assert_eq!(container.find_digest_bytes(&[200; 32], 2).unwrap(), [200, 456]);
        let other = DocumentDigest::new(DigestAlgorithm::Sha3_256, vec![200; 32]).unwrap();
        assert_eq!(container.find_digest(&other, 3).unwrap(), [0u64; 0]);
    }
}

#[test]
fn steps_are_taken_in_order_and_by_one_process() {
    let (directory, ledger) = (tempfile::tempdir().unwrap(), Ledger::new());
    let path = directory.path().join("x.receipts");
    let given = settings(Order::Given);
    let mut writer = Writer::open(&path, &given).unwrap();
    assert!(matches!(Writer::open(&path, &given).unwrap_err(), BulkError::Busy(_)));
    assert!(matches!(writer.seal().unwrap_err(), BulkError::Batch(_)), "nothing to notarise");
    assert!(matches!(writer.act(None).unwrap_err(), BulkError::Stage(_)));
    fill(&mut writer, 5);
    writer.seal().unwrap();
    let other = ledger.receipt(Batch::salted(vec![document(0).0]).unwrap().act(None));
    let record = |receipt: &Receipt| Record::parse(receipt.record.as_bytes()).unwrap();
    assert!(matches!(writer.record(&record(&other)).unwrap_err(), BulkError::OtherRecord));
    let receipt = ledger.receipt(writer.act(Some("archive-7".parse().unwrap())).unwrap());
    assert!(matches!(writer.ledger(&ledger.cut(&receipt)).unwrap_err(), BulkError::Stage(_)));
    writer.record(&record(&receipt)).unwrap();
    assert!(matches!(writer.ledger(&ledger.cut(&other)).unwrap_err(), BulkError::OtherRecord));
    assert!(matches!(writer.restart().unwrap_err(), BulkError::Stage(_)), "what may have been sent is kept");
    drop(writer);
    let changed = settings(Order::Names);
    assert!(matches!(Writer::open(&path, &changed).unwrap_err(), BulkError::OtherSettings(_)));
    assert!(Container::open(&Writer::partial_path(&path)).unwrap_err().to_string().contains("not finished"));
    let mut writer = Writer::open(&path, &given).unwrap();
    assert!(matches!(writer.stage(), Stage::Signed(signed) if signed.id() == record(&receipt).id()), "INV-BULK-2");
    writer.ledger(&ledger.cut(&receipt)).unwrap();
    writer.finish().unwrap();
    assert!(matches!(Writer::open(&path, &given).unwrap_err(), BulkError::Exists(_)));
    assert!(!Writer::partial_path(&path).exists());
}

#[test]
fn names_are_ordered_by_directory_and_shown_without_loss() {
    let mut names = [&b"a.txt"[..], b"a", b"a/z", b"a-b/c", b"a/b/c", b"a/b.c", b"A", "ä".as_bytes()];
    names.sort_by(|a, b| name_order(a, b));
    assert_eq!(names, [&b"A"[..], b"a", b"a/b/c", b"a/b.c", b"a/z", b"a-b/c", b"a.txt", "ä".as_bytes()]);
    assert_eq!(display_name("für.txt".as_bytes()), "für.txt");
    assert_eq!(display_name(b"f\xfcr.txt"), "f\\xfcr.txt");
    assert_ne!(display_name(b"f\\xfcr.txt"), display_name(b"f\xfcr.txt"));
    for name in [&b"f\xfcr.txt"[..], b"f\\xfcr.txt", b"\\\xff\\x\\\\x5c", "ä\\".as_bytes(), b""] {
        assert_eq!(parse_name(&display_name(name)).as_deref(), Some(name), "{}", display_name(name));
    }
    for text in ["\\x", "\\x5", "\\xg0", "\\x+5", "\\xä"] {
        assert_eq!(parse_name(text), None, "{text}");
    }
}
