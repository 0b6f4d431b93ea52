//! Containers that were cut off, damaged or swapped, and runs that were killed at any byte.

use std::path::{Path, PathBuf};

use testamur_client::bulk::container::Container;
use testamur_client::bulk::error::BulkError;
use testamur_client::bulk::format::{Order, VERSION};
use testamur_client::bulk::writer::{Stage, Writer};
use testamur_client::limits::CHUNK_ENTRIES;
use testamur_primitives::record::Record;

use crate::{Ledger, fill, settings};

const CHUNK: u64 = CHUNK_ENTRIES as u64;

/// All that a container gives, or the code of the first error.
fn everything(path: &Path) -> Result<Vec<Option<Vec<u8>>>, String> {
    let read = || -> Result<Vec<Option<Vec<u8>>>, BulkError> {
        let container = Container::open(path)?;
        container.check(2)?;
        (0..container.count()).map(|index| container.receipt(index)).collect()
    };
    read().map_err(|error| error.code().to_owned())
}

fn small(directory: &Path, ledger: &Ledger) -> (PathBuf, Vec<u8>) {
    let path = directory.join("small.receipts");
    ledger.container(&path, 3, Order::Given);
    let bytes = std::fs::read(&path).unwrap();
    (path, bytes)
}

#[test]
fn a_flipped_bit_anywhere_gives_an_error_or_nothing_else_than_before() {
    let (directory, ledger) = (tempfile::tempdir().unwrap(), Ledger::new());
    let (path, bytes) = small(directory.path(), &ledger);
    let before = everything(&path).unwrap();
    let mut harmless = 0;
    // The receipt's text is most of the file; every byte elsewhere, some of it there.
    for at in (0..bytes.len()).filter(|at| *at < 1_500 || at % 5 == 0 || bytes.len() - at < 60) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        std::fs::write(&path, &damaged).unwrap();
        match everything(&path) {
            Ok(given) => {
                // The record's own section is for a run that goes on: the receipt holds the record, too.
                assert_eq!(given, before, "byte {at}");
                harmless += 1;
            }
            Err(code) => assert!(code.starts_with("container."), "byte {at}: {code}"),
        }
    }
    assert!(harmless < 1_000, "{harmless} flips were not seen");
}

#[test]
fn a_container_cut_off_at_any_byte_says_so() {
    let (directory, ledger) = (tempfile::tempdir().unwrap(), Ledger::new());
    let (path, bytes) = small(directory.path(), &ledger);
    for length in (0..bytes.len()).step_by(3) {
        std::fs::write(&path, &bytes[..length]).unwrap();
        let code = everything(&path).unwrap_err();
        let expected: &[&str] = match length {
            0 => &["container.not-a-container"],
            _ => &["container.truncated", "container.unfinished"],
        };
        assert!(expected.contains(&code.as_str()), "{length}: {code}");
    }
    std::fs::write(&path, [&bytes[..], b"x"].concat()).unwrap();
    assert_eq!(everything(&path).unwrap_err(), "container.truncated", "a byte too many is the beginning of a section");
}

#[test]
fn other_files_and_other_versions_are_told() {
    let (directory, ledger) = (tempfile::tempdir().unwrap(), Ledger::new());
    let (path, bytes) = small(directory.path(), &ledger);
    for other in [&b"{}"[..], b"%PDF-1.7", &[0; 4_096], b"\x89PNG\r\n\x1a\n", b"\x89testamur-rcs\n\x1a\0\x01"] {
        std::fs::write(&path, other).unwrap();
        assert_eq!(everything(&path).unwrap_err(), "container.not-a-container");
        // A run never takes over a file that is no container.
        let partial = Writer::partial_path(&directory.path().join("other"));
        std::fs::write(&partial, other).unwrap();
        assert!(Writer::open(&directory.path().join("other"), &settings(Order::Given)).is_err());
        assert_eq!(std::fs::read(&partial).unwrap(), other);
    }
    let mut newer = bytes;
    newer[17] = VERSION as u8 + 1;
    std::fs::write(&path, newer).unwrap();
    let error = Container::open(&path).unwrap_err();
    assert_eq!((error.code(), error.to_string().contains("version 2")), ("container.unknown-version", true));
}

#[test]
fn no_part_of_another_container_passes_for_a_part_of_this_one() {
    let (directory, ledger) = (tempfile::tempdir().unwrap(), Ledger::new());
    let (path, bytes) = small(directory.path(), &ledger);
    let twin = directory.path().join("twin.receipts");
    ledger.container(&twin, 3, Order::Given);
    let other = std::fs::read(&twin).unwrap();
    assert_eq!(other.len(), bytes.len(), "the same documents, other salts");
    for middle in (34..bytes.len()).step_by(211) {
        std::fs::write(&path, [&bytes[..middle], &other[middle..]].concat()).unwrap();
        assert!(everything(&path).is_err(), "spliced at {middle}");
    }
}

/// A run killed at any byte goes on, and ends with a container in which every document has its receipt.
#[test]
fn a_run_killed_at_any_byte_goes_on() {
    let (directory, ledger) = (tempfile::tempdir().unwrap(), Ledger::new());
    let given = settings(Order::Given);
    let count = 2 * CHUNK + 7;
    let path = directory.path().join("whole.receipts");
    let mut writer = Writer::open(&path, &given).unwrap();
    let partial = Writer::partial_path(&path);
    let mut ends = vec![std::fs::metadata(&partial).unwrap().len()];
    while writer.count() < count {
        let next = count.min(writer.count() + CHUNK);
        fill(&mut writer, next);
        ends.push(std::fs::metadata(&partial).unwrap().len());
    }
    writer.seal().unwrap();
    ends.push(std::fs::metadata(&partial).unwrap().len());
    let receipt = ledger.receipt(writer.act(None).unwrap());
    let record = Record::parse(receipt.record.as_bytes()).unwrap();
    writer.record(&record).unwrap();
    ends.push(std::fs::metadata(&partial).unwrap().len());
    writer.ledger(&ledger.cut(&receipt)).unwrap();
    let bytes = std::fs::read(&partial).unwrap();
    ends.push(bytes.len() as u64);
    drop(writer);

    let near = ends.iter().flat_map(|end| (end.saturating_sub(38)..end + 40).step_by(37).chain([*end]));
    let lengths: std::collections::BTreeSet<_> = near.chain([0, 1, 17, 33, 34, 60]).collect();
    for cut in lengths.into_iter().filter(|length| *length <= bytes.len() as u64) {
        let next = &bytes[cut as usize..bytes.len().min(cut as usize + 1)];
        for tail in [&[][..], next, &[0; 100], &[255; 3]] {
            let path = directory.path().join(format!("{cut}-{}.receipts", tail.len()));
            let partial = Writer::partial_path(&path);
            let file = [&bytes[..cut as usize], tail].concat();
            std::fs::write(&partial, &file).unwrap();
            // What stands behind the cut may be what was to stand there: a last byte of zero, once in 256 sections.
            let length = file.iter().zip(&bytes).take_while(|(is, was)| is == was).count() as u64;
            let whole = length == bytes.len() as u64;
            if length < 34 && !tail.is_empty() {
                continue; // not the beginning of a container: refused, as other files are
            }
            let mut writer = Writer::open(&path, &given).unwrap_or_else(|e| panic!("{cut}+{}: {e}", tail.len()));
            let chunks = ends[1..4].iter().filter(|end| **end <= length).count() as u64;
            assert_eq!(writer.count(), (chunks * CHUNK).min(count), "{cut}+{}: whole chunks are kept", tail.len());
            match writer.stage() {
                Stage::Collecting => {
                    assert!(length < ends[4]);
                    fill(&mut writer, count);
                    assert_eq!(ledger.complete(writer).count(), count);
                }
                Stage::Sealed => {
                    assert!((ends[4]..ends[5]).contains(&length));
                    let receipt = ledger.receipt(writer.act(None).unwrap());
                    writer.record(&Record::parse(receipt.record.as_bytes()).unwrap()).unwrap();
                    writer.ledger(&ledger.cut(&receipt)).unwrap();
                    writer.finish().unwrap();
                }
                Stage::Signed(signed) => {
                    assert!((ends[5]..ends[6]).contains(&length));
                    assert_eq!(signed.as_bytes(), record.as_bytes(), "INV-BULK-2: the same record is sent again");
                    writer.ledger(&ledger.cut(&receipt)).unwrap();
                    writer.finish().unwrap();
                }
                Stage::Final => {
                    assert!(whole);
                    writer.finish().unwrap();
                }
            }
            let container = Container::open(&path).unwrap();
            container.check(2).unwrap();
            for index in [0, CHUNK - 1, CHUNK, count - 1] {
                assert!(container.receipt(index).unwrap().is_some());
            }
            std::fs::remove_file(&path).unwrap();
        }
    }
}

/// Damage before the end is no torn end: nothing is cut off, since salts of a record that was sent could go with it.
#[test]
fn damage_in_the_middle_of_a_run_is_left_for_the_operator() {
    let (directory, ledger) = (tempfile::tempdir().unwrap(), Ledger::new());
    let given = settings(Order::Given);
    let path = directory.path().join("x.receipts");
    let mut writer = Writer::open(&path, &given).unwrap();
    fill(&mut writer, 2 * CHUNK);
    writer.seal().unwrap();
    let receipt = ledger.receipt(writer.act(None).unwrap());
    writer.record(&Record::parse(receipt.record.as_bytes()).unwrap()).unwrap();
    drop(writer);
    let partial = Writer::partial_path(&path);
    let bytes = std::fs::read(&partial).unwrap();
    for at in [40, 300, 5_000, bytes.len() - 2_000] {
        let mut damaged = bytes.clone();
        damaged[at] ^= 4;
        std::fs::write(&partial, &damaged).unwrap();
        let error = Writer::open(&path, &given).unwrap_err();
        assert_eq!(error.code(), "container.damaged", "byte {at}: {error}");
        assert_eq!(std::fs::read(&partial).unwrap(), damaged);
    }
    std::fs::write(&partial, &bytes).unwrap();
    assert!(matches!(Writer::open(&path, &given).unwrap().stage(), Stage::Signed(_)));
}

/// INV-BULK-1: what is on disk is read again before anything is signed over it.
#[test]
fn a_bit_that_flips_on_its_way_to_the_disk_is_found_before_signing() {
    use std::os::unix::fs::FileExt as _;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.receipts");
    let mut writer = Writer::open(&path, &settings(Order::Given)).unwrap();
    fill(&mut writer, 3 * CHUNK);
    writer.seal().unwrap();
    writer.read_back(2).unwrap();
    let file = std::fs::OpenOptions::new().read(true).write(true).open(Writer::partial_path(&path)).unwrap();
    for at in [200, 100_000, 150_000] {
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ 1], at).unwrap();
        assert_eq!(writer.read_back(2).unwrap_err().code(), "container.damaged");
        file.write_all_at(&byte, at).unwrap();
    }
    writer.read_back(1).unwrap();
}
