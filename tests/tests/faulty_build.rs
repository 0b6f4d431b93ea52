//! The faulty build is another program: every failpoint is in it, and none is in the product.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use testamur_tests::harness::{binary, faulty_binary};

/// Text of every Rust file below a folder.
fn sources(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder of the checkout") {
        let path: PathBuf = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(fs::read_to_string(&path).expect("a source is text"));
        }
    }
}

/// Names of all failpoints: the first literal after `fail_point!(`, and after a call of a crate's module `faults`.
fn failpoints() -> BTreeSet<String> {
    let nodes = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the checkout").join("node");
    let mut texts = Vec::new();
    sources(&nodes, &mut texts);
    let mut names = BTreeSet::new();
    for text in &texts {
        for begin in ["fail_point!(", "faults::"] {
            for after in text.split(begin).skip(1) {
                let call: String = after.chars().take_while(|c| *c != ';').collect();
                let Some(literal) = call.split('"').nth(1) else { continue };
                if literal.contains('.') && literal.bytes().all(|b| b.is_ascii_lowercase() || b".-".contains(&b)) {
                    names.insert(literal.to_owned());
                }
            }
        }
    }
    names
}

#[test]
fn the_product_knows_no_failpoint_and_the_faulty_build_all() {
    let names = failpoints();
    assert!(names.contains("consensus.after-guard-sync.abort"), "the sources are read: {names:?}");
    let (product, faulty) = (fs::read(binary()).expect("a file"), fs::read(faulty_binary()).expect("a file"));
    let has = |bytes: &[u8], name: &str| bytes.windows(name.len()).any(|window| window == name.as_bytes());
    for name in &names {
        assert!(!has(&product, name), "the product contains {name}");
        assert!(has(&faulty, name), "the faulty build lacks {name}: run scripts/faults-build");
    }
    println!("{} failpoints", names.len());
}
