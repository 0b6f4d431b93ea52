//! Folders: every file once, in order, whatever is in the way; and what changed since.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use testamur_client::bulk::chunk::Columns;
use testamur_client::bulk::compare::{Compared, Difference, compare};
use testamur_client::bulk::container::Container;
use testamur_client::bulk::error::BulkError;
use testamur_client::bulk::folder::{Ended, Folder, Progress};
use testamur_client::bulk::format::{Links, Order, Settings, display_name};
use testamur_client::bulk::walk::{Exclusions, Omission};
use testamur_client::bulk::writer::Writer;
use testamur_client::digest::digest_reader;
use testamur_primitives::commitment::{DigestAlgorithm, Form};

use crate::{Ledger, settings};

fn write(root: &Path, name: impl AsRef<Path>, content: impl AsRef<[u8]>) {
    let path = root.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

/// Names with the codes of why they were left out.
type Omitted = BTreeMap<String, &'static str>;

fn notarise(root: &Path, path: &Path, settings: &Settings) -> (Container, Omitted) {
    let mut writer = Writer::open(path, settings).unwrap();
    let mut omitted = BTreeMap::new();
    let folder = Folder { root: root.to_owned(), threads: 4 };
    let tell = |omission: Omission| {
        omitted.insert(display_name(&omission.name), omission.why.code());
    };
    assert_eq!(folder.add_to(&mut writer, &Progress::default(), tell).unwrap(), Ended::Whole);
    (Ledger::new().complete(writer), omitted)
}

fn names(container: &Container) -> Vec<String> {
    let mut names = Vec::new();
    container
        .for_each(|entry| {
            names.push(display_name(entry.name));
            true
        })
        .unwrap();
    names
}

fn changes(container: &Container, root: &Path) -> (Compared, Vec<String>) {
    let mut told = Vec::new();
    let compared = compare(container, root, 3, &Progress::default(), |difference| {
        told.push(match difference {
            Difference::Changed(name) => format!("changed {}", display_name(&name)),
            Difference::Missing(name) => format!("missing {}", display_name(&name)),
            Difference::Added(name) => format!("added {}", display_name(&name)),
            Difference::Uncompared(omission) => format!("uncompared {}", display_name(&omission.name)),
        });
    });
    (compared.unwrap(), told)
}

#[test]
fn every_file_is_taken_and_what_is_in_the_way_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("archive");
    for name in ["a.txt", "a/z", "a/b/c", "a-b", "empty", "tmp/x.tmp", "keep/x.tmp", "keep/y.log", "keep/deep/y.log"] {
        write(&root, name, name);
    }
    write(&root, "empty", "");
    write(&root, std::ffi::OsStr::from_bytes(b"na\xefve"), "latin");
    std::fs::create_dir(root.join("hollow")).unwrap();
    symlink("a.txt", root.join("link")).unwrap();
    symlink("..", root.join("a/up")).unwrap();
    symlink("round", root.join("round")).unwrap();
    symlink("nowhere", root.join("dangling")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();

    // Within the folder, and yet no part of it.
    let path = root.join("own.receipts");
    let exclude = vec!["*.tmp".to_owned(), "keep/*.log".to_owned()];
    let skip = Settings { exclude, ..settings(Order::Names) };
    let (container, omitted) = notarise(&root, &path, &skip);
    let files = ["a/b/c", "a/z", "a-b", "a.txt", "empty", "keep/deep/y.log", "na\\xefve"];
    assert_eq!(names(&container), files);
    let expected = [("a/up", "link"), ("dangling", "link"), ("link", "link"), ("round", "link"), ("socket", "special")];
    assert_eq!(omitted, expected.map(|(name, why)| (name.to_owned(), why)).into());
    for (place, name) in files.iter().enumerate().take(5) {
        let found = container.find_name(name.as_bytes(), 2).unwrap();
        assert_eq!(found, [place as u64]);
        let opening = container.opening(place as u64).unwrap().unwrap();
        let expected = digest_reader(DigestAlgorithm::Sha2_256, if *name == "empty" { b"" } else { name.as_bytes() });
        assert_eq!(opening.digest, expected.unwrap().as_bytes());
    }
    let (compared, told) = changes(&container, &root);
    assert_eq!((compared.same, told), (7, vec![]), "the same folder has not changed");

    let follow = Settings { links: Links::Follow, ..settings(Order::Names) };
    let (container, omitted) = notarise(&root, &directory.path().join("follow.receipts"), &follow);
    let all = names(&container);
    assert!(all.contains(&"link".to_owned()) && all.contains(&"tmp/x.tmp".to_owned()), "{all:?}");
    assert_eq!(omitted["a/up"], "circle");
    assert_eq!((omitted["round"], omitted["dangling"]), ("unreadable", "unreadable"));
    assert_eq!(omitted.len(), 4, "{omitted:?}");
}

#[test]
fn a_file_that_changes_while_it_is_read_is_named_and_the_rest_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("archive");
    write(&root, "before", "x");
    write(&root, "busy", vec![7; 32 << 20]);
    write(&root, "later", "y");
    let (done, begun) = (AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            use std::os::unix::fs::FileExt as _;
            let file = std::fs::OpenOptions::new().write(true).open(root.join("busy")).unwrap();
            let mut at = 0;
            while !done.load(Ordering::Relaxed) {
                file.write_all_at(b"new", at % (32 << 20)).unwrap();
                at += 4_099;
                begun.store(true, Ordering::Relaxed);
            }
        });
        while !begun.load(Ordering::Relaxed) {
            std::thread::yield_now();
        }
        let path = directory.path().join("x.receipts");
        let (container, omitted) = notarise(&root, &path, &settings(Order::Names));
        done.store(true, Ordering::Relaxed);
        assert_eq!(names(&container), ["before", "later"]);
        assert_eq!(omitted, [("busy".to_owned(), "changing")].into());
    });
}

#[test]
fn changed_missing_and_added_are_found_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("archive");
    for i in 0..3_000 {
        write(&root, format!("{}/{i}.txt", i % 7), format!("document {i}"));
    }
    let (container, _) = notarise(&root, &directory.path().join("x.receipts"), &settings(Order::Names));
    assert_eq!(changes(&container, &root), (Compared { same: 3_000, ..Compared::default() }, vec![]));
    write(&root, "3/1725.txt", "document 1726");
    std::fs::remove_file(root.join("0/7.txt")).unwrap();
    write(&root, "6/100000.txt", "document 100000");
    std::fs::remove_file(root.join("5/5.txt")).unwrap();
    write(&root, "5/5.txt/within", "a directory now");
    write(&root, "!first", "");
    write(&root, "last", "");
    let (compared, told) = changes(&container, &root);
    assert_eq!(compared, Compared { same: 2_997, changed: 1, missing: 2, added: 4, ..Compared::default() });
    let mut sorted = told;
    sorted.sort();
    let expected = ["added !first", "added 5/5.txt/within", "added 6/100000.txt", "added last", "changed 3/1725.txt"];
    assert_eq!(sorted, [&expected[..], &["missing 0/7.txt", "missing 5/5.txt"]].concat());
    std::fs::remove_dir_all(&root).unwrap();
    std::fs::create_dir(&root).unwrap();
    let (compared, _) = changes(&container, &root);
    assert_eq!(compared, Compared { missing: 3_000, ..Compared::default() });
    let error = compare(&container, &root.join("absent"), 1, &Progress::default(), |_| {}).unwrap_err();
    assert!(matches!(error, BulkError::Io { .. }), "a folder that is not there is no folder of missing files: {error}");
}

#[test]
fn neither_a_pipe_in_a_documents_place_nor_a_strangers_container_leads_astray() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("archive");
    write(&root, "a", "a");
    write(&root, "b", "b");
    let (container, _) = notarise(&root, &directory.path().join("x.receipts"), &settings(Order::Names));
    std::fs::remove_file(root.join("b")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(root.join("b")).status().unwrap().success());
    let (compared, told) = changes(&container, &root);
    assert_eq!((compared.same, told), (1, vec!["uncompared b".to_owned()]));

    for (i, name) in ["../archive/a", "/etc/passwd", "a/../a", "", "a//b", "./a", "a\0"].iter().enumerate() {
        let path = directory.path().join(format!("{i}.receipts"));
        let mut writer = Writer::open(&path, &settings(Order::Names)).unwrap();
        let mut columns = Columns::default();
        columns.push(DigestAlgorithm::Sha2_256, &[1; 32], name.as_bytes()).unwrap();
        writer.append(&columns.seal(0, Form::Commitment).unwrap(), b"").unwrap();
        let container = Ledger::new().complete(writer);
        let error = compare(&container, &root, 1, &Progress::default(), |_| {}).unwrap_err();
        assert_eq!(error.code(), "container.disagree", "{name}");
    }
}

#[test]
fn a_run_that_was_stopped_goes_on_behind_what_it_has() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("archive");
    for i in 0..5_000 {
        // Directories and files whose names begin alike, which is where order goes wrong.
        write(&root, format!("{0}/{1}{2}", i % 3, ["a", "a/", "a.", "a-/"][i % 4], i), i.to_string());
    }
    let path = directory.path().join("x.receipts");
    let (whole, _) = notarise(&root, &directory.path().join("whole.receipts"), &settings(Order::Names));
    let folder = Folder { root: root.clone(), threads: 2 };
    for stop in [0u64, 1, 700, 1_500, 3_000, 4_999] {
        let mut writer = Writer::open(&path, &settings(Order::Names)).unwrap();
        let progress = Progress::default();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while progress.documents.load(Ordering::Relaxed) < stop {
                    std::thread::yield_now();
                }
                progress.stop.store(true, Ordering::Relaxed);
            });
            folder.add_to(&mut writer, &progress, |_| {}).unwrap();
        });
    }
    let (container, _) = notarise(&root, &path, &settings(Order::Names));
    assert_eq!(names(&container), names(&whole));
    assert_eq!(container.count(), 5_000);
    assert_eq!(changes(&container, &root).0.same, 5_000);
}

#[test]
fn patterns_are_those_that_people_know() {
    let check = |pattern: &str, matching: &[&str], others: &[&str]| {
        let exclusions = Exclusions::new(&[pattern.to_owned()]).unwrap();
        matching.iter().for_each(|name| assert!(exclusions.matches(name.as_bytes()), "{pattern} {name}"));
        others.iter().for_each(|name| assert!(!exclusions.matches(name.as_bytes()), "{pattern} {name}"));
    };
    check("*.tmp", &["a.tmp", "x/y/a.tmp"], &["a.tmp.pdf", "tmp"]);
    check("cache/", &["cache", "x/cache"], &["cached"]);
    check("/cache", &["cache"], &["x/cache"]);
    check("logs/*.log", &["logs/a.log"], &["x/logs/a.log", "logs/x/a.log"]);
    check("logs/**/a", &["logs/a", "logs/x/y/a"], &["a"]);
    let error = Exclusions::new(&["a[".to_owned()]).unwrap_err();
    assert!(matches!(error, BulkError::Pattern { ref pattern, .. } if pattern == "a["), "{error}");
}
