//! Containers written anew: documents erased, a newer receipt taken.

use std::fs;
use std::path::Path;

use testamur_client::bulk::container::Container;
use testamur_client::bulk::error::BulkError;
use testamur_client::bulk::format::Order;
use testamur_client::bulk::writer::Writer;
use testamur_client::limits::CHUNK_ENTRIES;
use testamur_primitives::commitment::Form;

use crate::{Ledger, columns, document, settings};

const COUNT: u64 = 2 * CHUNK_ENTRIES as u64 + 10;

fn receipts(container: &Container) -> Vec<Option<Vec<u8>>> {
    (0..COUNT).map(|index| container.receipt(index).unwrap()).collect()
}

fn holds(path: &Path, bytes: &[u8]) -> bool {
    fs::read(path).unwrap().windows(bytes.len()).any(|window| window == bytes)
}

#[test]
fn what_is_erased_is_in_no_byte_of_the_file_and_all_else_is_as_before() {
    let (directory, ledger) = (tempfile::tempdir().unwrap(), Ledger::new());
    let path = directory.path().join("x.receipts");
    let before = receipts(&ledger.container(&path, COUNT, Order::Given));
    let erased = [1, 5, 1_030, COUNT - 1];
    let gone: Vec<_> = erased
        .iter()
        .flat_map(|index| {
            let opening = Container::open(&path).unwrap().opening(*index).unwrap().unwrap();
            let (digest, name) = document(*index);
            let salt = opening.salt.expect("a commitment").0.as_bytes().to_vec();
            [(true, digest.as_bytes().to_vec()), (true, name), (false, salt)]
        })
        .filter(|(_, bytes)| !bytes.is_empty())
        .collect();
    for (written, bytes) in &gone {
        assert_eq!(holds(&path, bytes), *written, "salts are derived until one of their chunk is erased");
    }

    // In two goes, one of them twice: places behind the end, and what is erased already, are nothing to do.
    assert_eq!(Container::open(&path).unwrap().erase(&[5, COUNT, 1_030, 5, COUNT + 7]).unwrap(), 2);
    assert_eq!(Container::open(&path).unwrap().erase(&[COUNT - 1, 5, 1]).unwrap(), 2);
    let written = fs::read(&path).unwrap();
    assert_eq!(Container::open(&path).unwrap().erase(&[5]).unwrap(), 0);
    assert_eq!(fs::read(&path).unwrap(), written, "nothing to do writes nothing");

    let container = Container::open(&path).unwrap();
    container.check(2).unwrap();
    for (index, (before, after)) in before.iter().zip(receipts(&container)).enumerate() {
        let expected = if erased.contains(&(index as u64)) { None } else { before.clone() };
        assert_eq!(after, expected, "document {index}");
    }
    for (_, bytes) in &gone {
        assert!(!holds(&path, bytes), "what was erased is still there");
    }
    assert_eq!(container.find_digest(&document(5).0, 1).unwrap(), [0u64; 0]);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn plain_digests_damage_and_a_second_writer_are_refused_and_nothing_changes() {
    let (directory, ledger) = (tempfile::tempdir().unwrap(), Ledger::new());
    let plain = directory.path().join("plain.receipts");
    let mut options = settings(Order::Given);
    options.form = Form::Digest;
    let mut writer = Writer::open(&plain, &options).unwrap();
    writer.append(&columns(0..10).seal(0, Form::Digest).unwrap(), b"").unwrap();
    assert!(matches!(ledger.complete(writer).erase(&[3]), Err(BulkError::Plain)));

    let path = directory.path().join("x.receipts");
    let first = ledger.container(&path, COUNT, Order::Given);
    let second = Container::open(&path).unwrap();
    first.erase(&[3]).unwrap();
    assert!(matches!(second.erase(&[4]), Err(BulkError::Busy(_))), "it has the file that was replaced");
    assert!(Container::open(&path).unwrap().receipt(4).unwrap().is_some());

    let mut bytes = fs::read(&path).unwrap();
    bytes[60_000] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let error = Container::open(&path).unwrap().erase(&[4]).unwrap_err();
    assert_eq!(error.code(), "container.damaged", "{error}");
    assert_eq!(fs::read(&path).unwrap(), bytes);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2, "nothing is left beside them");
}

#[test]
fn a_newer_receipt_of_the_same_record_is_taken_and_no_other() {
    let (directory, ledger) = (tempfile::tempdir().unwrap(), Ledger::new());
    let path = directory.path().join("x.receipts");
    let container = ledger.container(&path, COUNT, Order::Given);
    let (before, newer) = (receipts(&container), container.ledger().clone());
    container.refresh(&newer).unwrap();
    let container = Container::open(&path).unwrap();
    assert_eq!(receipts(&container), before);
    let other = ledger.container(&directory.path().join("y.receipts"), COUNT, Order::Given).ledger().clone();
    assert!(matches!(container.refresh(&other), Err(BulkError::OtherRecord)));
    assert_eq!(receipts(&Container::open(&path).unwrap()), before);
}
