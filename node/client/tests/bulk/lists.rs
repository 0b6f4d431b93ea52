//! Lists of digests: every spelling, every fault with its row and column, and order kept across threads.

use std::path::Path;

use testamur_client::bulk::container::Container;
use testamur_client::bulk::error::{BulkError, RowFault};
use testamur_client::bulk::folder::Progress;
use testamur_client::bulk::format::Order;
use testamur_client::bulk::list::List;
use testamur_client::bulk::writer::Writer;
use testamur_client::limits::{LINE_BYTES_MAX, ROW_FAULTS_MAX};
use testamur_primitives::commitment::DigestAlgorithm;

use crate::{Ledger, settings};

fn read(directory: &Path, text: impl AsRef<[u8]>) -> Result<Container, BulkError> {
    let list = directory.join("list");
    std::fs::write(&list, text).unwrap();
    let path = directory.join("x.receipts");
    let _ = std::fs::remove_file(&path);
    let mut writer = Writer::open(&path, &settings(Order::Given)).unwrap();
    List { path: list, threads: 3 }.add_to(&mut writer, &Progress::default())?;
    writer.seal()?;
    writer.discard()?;
    // Twice over: what a killed run left is read anew.
    let mut writer = Writer::open(&path, &settings(Order::Given)).unwrap();
    for _ in 0..2 {
        List { path: directory.join("list"), threads: 2 }.add_to(&mut writer, &Progress::default())?;
    }
    Ok(Ledger::new().complete(writer))
}

fn hex(i: u64) -> String {
    format!("{i:064x}")
}

/// Algorithm, last byte of the digest, name.
fn entries(container: &Container) -> Vec<(DigestAlgorithm, u8, String)> {
    let mut all = Vec::new();
    container
        .for_each(|entry| {
            let (algorithm, digest) = entry.digest.unwrap();
            all.push((algorithm, *digest.last().unwrap(), String::from_utf8(entry.name.to_vec()).unwrap()));
            true
        })
        .unwrap();
    all
}

#[test]
fn every_spelling_of_a_list_is_the_same_list() {
    let directory = tempfile::tempdir().unwrap();
    let (a, b, c) = (hex(1), hex(0xAB).to_uppercase(), format!("{:0128x}", 3));
    let sha = DigestAlgorithm::Sha2_256;
    let long = DigestAlgorithm::Sha3_512;
    let expected = [(sha, 1, "one".to_owned()), (sha, 0xAB, "t\"w,o".into()), (long, 3, "thrée".into())];
    for text in [
        format!("digest,name,alg\n{a},one,\n{b},\"t\"\"w,o\",sha2-256\n{c},thrée,sha3-512\n"),
        format!("\u{feff}Name;Hash;size;alg\r\none;{a};7;\r\n\"t\"\"w,o\";{b};;\r\nthrée;{c};9;sha3-512\r\n"),
        format!("alg\tdigest\tname\nsha2-256\t{a}\tone\n\t {b} \t\"t\"\"w,o\"\nsha3-512\t{c}\tthrée"),
        format!(
            "{{\"digest\":\"{a}\",\"name\":\"one\"}}\n{{\"name\":\"t\\\"w,o\",\"hash\":\"{b}\",\"x\":1}}\n{{\"alg\":\"sha3-512\",\"digest\":\"{c}\",\"name\":\"thr\\u00e9e\"}}"
        ),
    ] {
        assert_eq!(entries(&read(directory.path(), &text).unwrap()), expected, "{text}");
    }
    for text in [format!("{a},one\n{b},two\n"), format!("{a};one\n{b};two")] {
        assert_eq!(
            entries(&read(directory.path(), &text).unwrap()),
            [(sha, 1, "one".into()), (sha, 0xAB, "two".into())]
        );
    }
    assert_eq!(entries(&read(directory.path(), &a).unwrap()), [(sha, 1, String::new())]);
}

#[test]
fn order_and_doubles_are_kept_across_blocks_and_threads() {
    let directory = tempfile::tempdir().unwrap();
    for count in [1_023u64, 1_024, 1_025, 30_000] {
        let name = |i: u64| "x".repeat((i % 150) as usize) + &i.to_string();
        let text: String = (0..count).map(|i| format!("{},{}\n", hex(i / 2), name(i))).collect();
        let all = entries(&read(directory.path(), format!("digest,name\n{text}")).unwrap());
        assert_eq!(all.len() as u64, count);
        for (i, (_, last, found)) in all.iter().enumerate() {
            assert_eq!((*last, found), ((i as u64 / 2) as u8, &name(i as u64)));
        }
    }
}

#[test]
fn a_malformed_line_is_told_by_row_and_column_and_nothing_is_notarised() {
    let directory = tempfile::tempdir().unwrap();
    let good = hex(7);
    let filler = format!("{good},x\n").repeat(5_000);
    let check = |text: String, row: u64, column: usize, words: &str| match read(directory.path(), &text) {
        Err(BulkError::Rows(faults)) => {
            let RowFault { row: r, column: c, reason } = &faults[0];
            assert_eq!((*r, *c), (row, column), "{reason}");
            assert!(reason.contains(words), "{reason}");
        }
        other => panic!("{words}: {other:?}"),
    };
    check(format!("digest,name\n{good},x\n{},x\n", &good[1..]), 3, 1, "64 hexadecimal digits, not 63");
    check(format!("name,digest\nx,{good}\nxy,{}g{}\n", &good[..9], &good[10..]), 3, 13, "no hexadecimal digit");
    check(format!("digest,name\n{filler}{good},\"x\n"), 5_002, 66, "does not end");
    check(format!("digest,name\n{good},\"x\"y\n"), 2, 69, "behind a quoted field");
    check(format!("digest,alg\n{good},md5\n"), 2, 66, "no digest algorithm");
    check(format!("digest,alg\n{good},sha3-512\n"), 2, 1, "128 hexadecimal digits, not 64");
    check(format!("name,digest\n{good}\n"), 2, 65, "column is missing");
    check(format!("{good},x,y\n"), 1, 68, "no heading");
    check(format!("{filler}\n{filler}"), 5_001, 1, "empty");
    check(format!("{good}\n\n"), 2, 1, "empty");
    check(format!("digest,name\n{good},{}\n", "n".repeat(4_097)), 2, 66, "4096 bytes");
    check(format!("{filler}{good},{}", "n".repeat(LINE_BYTES_MAX)), 5_001, LINE_BYTES_MAX, "more than");
    check(format!("{{\"digest\":\"{good}\"}}\n{{\"digest\":\"{good}\",}}\n"), 2, 78, "JSON");
    check(format!("{{\"digest\":\"{good}\"}}\n{{\"name\":\"x\"}}\n"), 2, 12, "missing field `digest`");
    check(format!("{{\"name\":\"x\",\"digest\":\"{}z\"}}\n", &good[1..]), 1, 86, "no hexadecimal digit");
    let many = format!("digest\n{}", "x\n".repeat(5_000));
    match read(directory.path(), &many) {
        Err(BulkError::Rows(faults)) => {
            assert_eq!(faults.len(), ROW_FAULTS_MAX);
            assert!(faults.iter().zip(2..).all(|(fault, row)| fault.row == row), "in order");
        }
        other => panic!("{other:?}"),
    }
    for empty in ["", "digest,name\n"] {
        assert!(matches!(read(directory.path(), empty), Err(BulkError::Batch(_))), "nothing to notarise");
    }
}
