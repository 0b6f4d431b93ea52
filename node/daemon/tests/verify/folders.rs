//! A folder against its container, and single receipts out of it: offline, by the real binary.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use serde_json::Value;
use testamur_client::bulk::folder::{Folder, Progress};
use testamur_client::bulk::format::{Links, Order, Settings};
use testamur_client::bulk::writer::Writer;
use testamur_client::cut::Cut;
use testamur_primitives::commitment::{DigestAlgorithm, Form};
use testamur_primitives::record::Record;
use testamur_primitives::units::UnixTime;

use crate::ledger::{BLOCK_TIME, Ledger, NOT_AFTER, ledger, ledger_over};
use crate::{User, at};

/// Notarises `folder` into `container`, on a ledger of its own.
fn notarise(folder: &Path, container: &Path) -> Ledger {
    let (alg, form, links) = (DigestAlgorithm::Sha2_256, Form::Commitment, Links::Skip);
    let settings = Settings { alg, exclude: vec!["*.tmp".into()], form, links, order: Order::Names, v: 1 };
    let mut writer = Writer::open(container, &settings).expect("a writable directory");
    let source = Folder { root: folder.to_owned(), threads: 2 };
    source.add_to(&mut writer, &Progress::default(), |omission| panic!("{omission}")).expect("a readable folder");
    writer.seal().expect("documents");
    let mut made = ledger_over("folders", 4, writer.act(None).expect("sealed"), None);
    made.receipt = testamur_primitives::receipt::Receipt::decode(&made.receipt.encode()).expect("its own bytes");
    let record = Record::parse(made.receipt.record.as_bytes()).expect("a record");
    writer.record(&record).expect("a writable disk");
    let cut = Cut::new(made.receipt.clone(), record.id(), &made.trust, UnixTime(BLOCK_TIME)).expect("a good receipt");
    writer.ledger(&cut).expect("the record's receipt");
    writer.finish().expect("a free name");
    made
}

#[test]
fn changed_missing_and_added_are_named_and_each_has_its_exit_code() {
    let user = User::new(&ledger("test", 4));
    let archive = user.path("archive");
    for i in 0..1_500 {
        let directory = archive.join(format!("{}", i % 9));
        fs::create_dir_all(&directory).expect("a writable directory");
        fs::write(directory.join(format!("{i}.txt")), format!("document {i}")).expect("a writable directory");
    }
    let made = notarise(&archive, &user.path("archive.receipts"));
    user.write("folders.json", made.trust.to_json().as_bytes());
    let now = at(BLOCK_TIME + 60);
    let verify = |rest: &[&str]| user.run(&[&["verify", "archive", "--trust", "folders.json"], rest].concat());

    let ran = verify(&[&now]);
    assert_eq!(ran.exit, 0, "{}", ran.err);
    assert!(ran.out.starts_with("CONFIRMED: 1500 as they were on "), "{}", ran.out);
    assert_eq!(verify(&[&at(NOT_AFTER + 1)]).exit, 5, "keys out of office");
    let ran = user.run(&["verify", "archive", "archive.receipts", &now]);
    assert_eq!((ran.exit, ran.out.contains("receipt.unknown-network")), (4, true), "{}", ran.out);

    fs::write(archive.join("3/3.tmp"), "left out then and now").expect("a writable directory");
    fs::write(archive.join("new\u{1b}[31m.txt"), "").expect("a writable directory");
    let ran = verify(&[&now]);
    assert_eq!((ran.exit, ran.out.contains("added         new\u{fffd}[31m.txt\n")), (4, true), "{}", ran.out);
    fs::write(archive.join("3/12.txt"), "document 13").expect("a writable directory");
    fs::remove_file(archive.join("8/17.txt")).expect("it was there");
    let ran = verify(&[&now, "--json"]);
    let report: Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!((ran.exit, report["exit_code"].as_u64(), report["verdict"].as_str()), (3, Some(3), Some("changed")));
    assert_eq!(report["changed"], serde_json::json!(["3/12.txt"]));
    assert_eq!(report["missing"], serde_json::json!(["8/17.txt"]));
    assert_eq!((report["same"].as_u64(), report["counts"]["added"].as_u64()), (Some(1_498), Some(1)));

    // One receipt out of it is a receipt like any other.
    let ran = user.run(&["receipt", "cut", "archive.receipts", "7/1005.txt"]);
    assert_eq!((ran.exit, ran.err.contains("holds no document of that name or digest")), (1, true), "{}", ran.err);
    let ran = user.run(&["receipt", "cut", "archive.receipts", "6/1005.txt", "--out", "one.receipt.json"]);
    assert_eq!(ran.exit, 0, "{}", ran.err);
    let ran = user.run(&["verify", "archive/6/1005.txt", "one.receipt.json", "--trust", "folders.json", &now]);
    assert_eq!(ran.exit, 0, "{}", ran.out);
    let ran = user.run(&["verify", "archive/6/6.txt", "one.receipt.json", "--trust", "folders.json", &now]);
    assert_eq!(ran.exit, 3, "another document");
    let digest = hex::encode(testamur_primitives::codec::sha256(&[b"document 1005"]));
    let printed = user.run(&["receipt", "cut", "archive.receipts", &digest]);
    assert_eq!(printed.out.as_bytes(), fs::read(user.path("one.receipt.json")).expect("it was written"));

    // A damaged container is no verdict over the folder.
    let mut bytes = fs::read(user.path("archive.receipts")).expect("it was written");
    bytes[20_000] ^= 1;
    user.write("archive.receipts", &bytes);
    let ran = verify(&[&now]);
    assert_eq!((ran.exit, ran.err.contains("it is damaged")), (3, true), "{}", ran.err);
    user.write("archive.receipts", &bytes[..bytes.len() / 2]);
    let ran = verify(&[&now]);
    assert_eq!((ran.exit, ran.err.contains("cut off")), (3, true), "{}", ran.err);
}

#[test]
fn a_document_is_held_against_a_container_and_erased_from_it() {
    let user = User::new(&ledger("test", 4));
    let archive = user.path("archive");
    for i in 0..1_200 {
        let directory = archive.join(format!("{}", i % 3));
        fs::create_dir_all(&directory).expect("a writable directory");
        fs::write(directory.join(format!("{i}.txt")), format!("document {i}")).expect("a writable directory");
    }
    fs::write(archive.join(std::ffi::OsStr::from_bytes(b"b\xe4d.txt")), "not UTF-8").expect("a writable directory");
    let made = notarise(&archive, &user.path("archive.receipts"));
    user.write("folders.json", made.trust.to_json().as_bytes());
    let now = at(BLOCK_TIME + 60);
    let verify = |file: &str| user.run(&["verify", file, "archive.receipts", "--trust", "folders.json", &now]);

    // By its name, by its content wherever it lies now, and whole.
    let ran = verify("archive/1/1000.txt");
    assert_eq!((ran.exit, ran.out.contains("1/1000.txt (document ")), (0, true), "{}", ran.out);
    user.write("elsewhere", b"document 7");
    let ran = verify("elsewhere");
    assert_eq!((ran.exit, ran.out.contains("1/7.txt (document ")), (0, true), "{}", ran.out);
    let whole = ["verify", "--receipt-only", "archive.receipts", "--trust", "folders.json", &now];
    assert_eq!(user.run(&whole).exit, 0);
    user.write("elsewhere", b"document 1200");
    let ran = verify("elsewhere");
    assert_eq!((ran.exit, ran.out.contains("No document of the container has this content")), (3, true), "{}", ran.out);
    fs::write(archive.join("2/5.txt"), "another").expect("a writable directory");
    let ran = verify("archive/2/5.txt");
    assert_eq!((ran.exit, ran.out.contains("The container has 2/5.txt with other content")), (3, true), "{}", ran.out);

    // What it holds.
    let ran = user.run(&["receipt", "show", "archive.receipts"]);
    assert!(ran.out.contains("documents    1201\n") && ran.out.contains("*.tmp"), "{}", ran.out);
    let ran = user.run(&["receipt", "list", "archive.receipts", "--json"]);
    let lines: Vec<Value> = ran.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!((lines.len(), lines[1_200]["name"].as_str()), (1_201, Some("b\\xe4d.txt")));
    let ran = user.run(&["receipt", "cut", "archive.receipts", "b\\xe4d.txt"]);
    assert_eq!(ran.exit, 0, "a name as it is shown: {}", ran.err);

    // Erased: nobody can tell any more, all others stay, and a misspelt name erases nothing.
    let before = fs::read(user.path("archive.receipts")).expect("it was written");
    let ran = user.run(&["receipt", "erase", "archive.receipts", "1/7.txt", "1/8.txt"]);
    assert_eq!((ran.exit, ran.err.contains("nothing was erased")), (1, true), "{}", ran.err);
    assert_eq!(fs::read(user.path("archive.receipts")).expect("it is there"), before);
    let ran = user.run(&["receipt", "erase", "archive.receipts", "1/7.txt", "b\\xe4d.txt"]);
    assert_eq!((ran.exit, ran.out.contains("ERASED 2 of")), (0, true), "{}", ran.err);
    let ran = verify("archive/1/7.txt");
    assert_eq!((ran.exit, ran.out.contains("may have been one of them")), (4, true), "{}", ran.out);
    assert_eq!(verify("archive/1/1000.txt").exit, 0);
    assert_eq!(user.run(&whole).exit, 0);
    assert_eq!(user.run(&["receipt", "cut", "archive.receipts", "1/7.txt"]).exit, 1);
    let erased = user.run(&["receipt", "list", "archive.receipts"]);
    assert_eq!(erased.out.lines().filter(|line| line.contains("\terased:\t")).count(), 2, "{}", erased.out);
}
