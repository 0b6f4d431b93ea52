//! Hygiene that protects correctness: who depends on whom, what contracts never touch, what no file may say.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the checkout").to_owned()
}

/// Text files that git would track, by path relative to the checkout.
fn files() -> Vec<(String, String)> {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(checkout())
        .output()
        .expect("git is there");
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let listed = String::from_utf8(listed.stdout).expect("paths are UTF-8");
    // What is deleted but still in the index, and what is not text, is left out.
    let read = |path: &str| Some((path.to_owned(), std::fs::read_to_string(checkout().join(path)).ok()?));
    listed.lines().filter_map(read).collect()
}

#[test]
fn crates_depend_only_along_the_arrows() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(checkout())
        .output()
        .expect("cargo is there");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("testamur-primitives", &[][..]),
        ("testamur-registry", &["testamur-primitives"]),
        ("testamur-credentials", &["testamur-primitives"]),
        ("testamur-store", &["testamur-registry", "testamur-primitives"]),
        ("testamur-consensus", &["testamur-primitives"]),
        ("testamur-api", &["testamur-primitives"]),
        ("testamur-client", &["testamur-primitives", "testamur-credentials"]),
        ("testamur-paper", &["testamur-primitives", "testamur-credentials"]),
        ("testamur-registrar", &["testamur-primitives", "testamur-credentials", "testamur-client", "testamur-paper"]),
        (
            "testamur-verifier",
            &["testamur-primitives", "testamur-credentials", "testamur-client", "testamur-paper", "testamur-api"],
        ),
        ("testamur-page", &["testamur-primitives", "testamur-api"]),
        (
            "testamur-gateway",
            &["testamur-primitives", "testamur-credentials", "testamur-client", "testamur-api", "testamur-registrar"],
        ),
        (
            "testamur",
            &[
                "testamur-primitives",
                "testamur-registry",
                "testamur-credentials",
                "testamur-store",
                "testamur-consensus",
                "testamur-api",
                "testamur-client",
                "testamur-gateway",
                "testamur-paper",
                "testamur-registrar",
                "testamur-verifier",
                "testamur-page",
            ],
        ),
        ("testamur-sim", &["testamur-consensus", "testamur-registry", "testamur-primitives"]),
        ("testamur-tests", &["testamur-registry", "testamur-credentials", "testamur-paper", "testamur-primitives"]),
        (
            "testamur-parsers",
            &[
                "testamur",
                "testamur-tests",
                "testamur-client",
                "testamur-consensus",
                "testamur-gateway",
                "testamur-primitives",
                "testamur-registrar",
            ],
        ),
    ]);
    // Below the arrows: what must not even be linked, whatever needs it.
    let banned: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("testamur-primitives", &["tokio", "rand", "getrandom", "rocksdb", "libp2p", "reqwest", "axum"][..]),
        ("testamur-registry", &["tokio", "rand", "getrandom", "rocksdb", "libp2p", "reqwest", "axum"]),
        ("testamur-credentials", &["tokio", "rand", "getrandom", "rocksdb", "libp2p", "reqwest", "axum"]),
        ("testamur-paper", &["tokio", "rand", "getrandom", "rocksdb", "libp2p", "reqwest", "axum"]),
        ("testamur-api", &["rocksdb", "libp2p", "arc-malachitebft-app-channel"]),
        ("testamur-gateway", &["rocksdb", "libp2p", "arc-malachitebft-app-channel"]),
        ("testamur-page", &["rocksdb", "libp2p", "reqwest", "arc-malachitebft-app-channel"]),
        ("testamur-client", &["rocksdb", "libp2p", "axum", "arc-malachitebft-app-channel"]),
        ("testamur-consensus", &["rocksdb", "axum"]),
        ("testamur-store", &["libp2p", "axum", "tokio"]),
    ]);
    let mut seen = 0;
    for package in metadata["packages"].as_array().expect("packages") {
        let name = package["name"].as_str().expect("a name");
        let arrows = allowed.get(name).unwrap_or_else(|| panic!("{name} has no place in the arrows: add it here"));
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            // Tests may look further than what is linked.
            if dependency["kind"] == "dev" {
                continue;
            }
            let on = dependency["name"].as_str().expect("a name");
            let ours = on == "testamur" || on.starts_with("testamur-");
            assert!(!ours || arrows.contains(&on), "{name} must not depend on {on}");
            assert!(!banned.get(name).is_some_and(|b| b.contains(&on)), "{name} must not link {on}");
        }
        seen += 1;
    }
    assert_eq!(seen, allowed.len(), "a crate of the arrows is gone");
}

#[test]
fn contracts_are_deterministic() {
    let banned = [
        "std::time",
        "HashMap",
        "HashSet",
        "f32",
        "f64",
        "std::fs",
        "std::net",
        "std::env",
        "std::process",
        "rand::",
        "tokio",
        "std::thread",
        "SystemTime",
        "Instant",
        "unsafe ",
        "async fn",
    ];
    let mut read = 0;
    for (path, text) in files() {
        let contract = path.starts_with("contracts/") && path.contains("/src/") && path.ends_with(".rs");
        if !contract {
            continue;
        }
        read += 1;
        // Unit tests stand at the bottom of their file and may do as they like.
        let code = text.split("#[cfg(test)]").next().expect("a first part");
        for (number, line) in code.lines().enumerate() {
            let line = line.split("//").next().expect("a first part");
            for word in banned {
                let hit = line.match_indices(word).any(|(at, _)| {
                    let before = line[..at].chars().next_back();
                    let after = line[at + word.len()..].chars().next();
                    let in_name = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
                    !in_name(before) && (!in_name(after) || !word.ends_with(char::is_alphanumeric))
                });
                assert!(!hit, "{path}:{}: {word} has no place in a contract", number + 1);
            }
        }
    }
    assert!(read > 20, "the contracts were found");
}

#[test]
fn no_file_names_a_place_on_one_machine() {
    // Spelled in parts, so that this file passes itself.
    let places = [["/wo", "rk/"], ["/ho", "me/"], ["/ro", "ot/"], ["/Us", "ers/"]].map(|p| p.concat());
    for (path, text) in files() {
        for (number, line) in text.lines().enumerate() {
            for place in &places {
                let absolute = line.match_indices(place.as_str()).any(|(at, _)| {
                    let before = line[..at].chars().next_back();
                    !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '.' | '}' | '_' | '-' | '~' | '/' | '$'))
                });
                assert!(!absolute, "{path}:{}: names {place}", number + 1);
            }
        }
    }
}

#[test]
fn the_python_verifier_is_short_and_needs_one_library() {
    let mut standard = BTreeSet::from([
        "argparse",
        "base64",
        "calendar",
        "functools",
        "hashlib",
        "json",
        "re",
        "sys",
        "time",
        "unicodedata",
        "zlib",
    ]);
    // Tables of FORMATS.md as data, the verifier of receipts over them, the readers of registries and of ledgers over that one.
    for (name, lines_max) in [("shapes", 100), ("verify", 300), ("registries", 300), ("ledger", 300)] {
        let path = checkout().join(format!("tests/verifier/{name}.py"));
        let text = std::fs::read_to_string(path).expect("the verifier");
        assert!(text.lines().count() <= lines_max, "{name}.py: at most {lines_max} lines");
        for line in text.lines() {
            if let Some(names) = line.strip_prefix("import ") {
                assert!(names.split(", ").all(|name| standard.contains(name)), "{name}.py: {line}");
            } else if let Some(from) = line.strip_prefix("from ") {
                let module = from.split([' ', '.']).next().expect("a first word");
                assert!(module == "cryptography" || standard.contains(module), "{name}.py: {line}");
            }
        }
        standard.insert(name);
    }
}

#[test]
fn no_test_is_ignored_and_no_note_to_self_is_left() {
    // Spelled in parts, so that this file passes itself.
    let words =
        [["#[ign", "ore"], ["TO", "DO"], ["FIX", "ME"], ["todo", "!("], ["unimplem", "ented!("]].map(|p| p.concat());
    for (path, text) in files() {
        if !path.ends_with(".rs") && !path.ends_with(".py") && !path.ends_with(".mjs") {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            for word in &words {
                assert!(!line.contains(word.as_str()), "{path}:{}: {word}", number + 1);
            }
        }
    }
}

#[test]
fn keys_are_never_committed() {
    for (path, text) in files() {
        let code = [".rs", ".md", ".py"].iter().any(|end| path.ends_with(end));
        assert!(code || !text.contains("testamur-key"), "{path} looks like a key file");
        assert!(
            !path.ends_with(".key") && !path.ends_with(".pem") || path.contains("testdata"),
            "{path} looks like a key"
        );
    }
}
