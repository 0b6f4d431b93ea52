//! EBSI's own libraries, unmodified, against a development network; and the lies that they believe, told to a ledger.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use testamur_tests::harness::{Development, testamur};

/// Runs a script of `tests/ebsi`; its lines of JSON, and whether it was content.
fn script(name: &str, arguments: &[&str]) -> (bool, Vec<Value>, String) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("ebsi");
    assert!(folder.join("node_modules").is_dir(), "EBSI's libraries are missing: (cd tests/ebsi && npm ci)");
    let output = Command::new("node").arg(folder.join(name)).args(arguments).output().expect("node is there");
    let said = String::from_utf8(output.stdout).expect("text");
    let lines = said.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect();
    (output.status.success(), lines, String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn ebsis_libraries_verify_diplomas_and_change_their_mind_with_the_ledger() {
    let network = Development::start();
    let accreditor = network.root().join("world/agency");
    let (content, lines, problem) = script("acceptance.mjs", &[&network.base(), accreditor.to_str().expect("UTF-8")]);
    let failed: Vec<_> = lines.iter().filter(|line| line["ok"] != Value::Bool(true)).collect();
    assert!(content && failed.is_empty(), "{failed:#?}\n{problem}\n{}", network.words());
    assert!(lines.len() >= 60, "every check ran: {}", lines.len());
    println!("{} checks with EBSI's libraries", lines.len());
}

/// Runs the university's command line; what it says as JSON.
fn university(network: &Development, words: &[&str]) -> Value {
    let home = network.root().join("world/university");
    let output = testamur(network.folder())
        .args(["--json", "diploma"])
        .args(words)
        .arg("--home")
        .arg(&home)
        .current_dir(network.folder())
        .output()
        .expect("the binary runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{words:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{words:?}: {error}: {said}"))
}

/// What the registrar's command line issues and withdraws, EBSI's own library judges, each time in a process of its own.
#[test]
fn ebsis_library_verifies_what_the_command_line_issues_until_it_revokes_it() {
    let network = Development::start();
    let books = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the checkout").join("genesis/graduation");
    let table = fs::read_to_string(books.join("graduates.csv")).expect("the sample graduation");
    // The world has issued these already: the same person gets another award.
    let mut rows = table.lines();
    let (names, row) = (rows.next().expect("names"), rows.next().expect("a row"));
    let row = row.replacen(row.split(',').next().expect("an award"), "2026-EBSI", 1);
    fs::write(network.folder().join("one.csv"), format!("{names}\n{row}\n")).expect("written");
    let map = books.join("map.toml");
    let map = map.to_str().expect("UTF-8");
    let issue = ["issue", "--from", "one.csv", "--map", map, "--format", "ebsi", "--no-pdf", "--out", "out"];
    let done = university(&network, &issue);
    assert_eq!(done["issued"], 1, "{done}");
    let files = fs::read_dir(network.folder().join("out")).expect("the diplomas' folder");
    let mut paths = files.map(|entry| entry.expect("an entry").path());
    let diploma = paths.find(|path| path.extension().is_some_and(|end| end == "jwt")).expect("a JWT");
    let diploma = diploma.to_str().expect("UTF-8");

    let base = network.base();
    let (content, lines, problem) = script("check.mjs", &[&base, "verify", diploma]);
    assert!(content, "{lines:?}\n{problem}");
    let types = lines[0]["types"].as_array().expect("types");
    assert!(types.iter().any(|name| name == "EqfLevel6"), "{lines:?}");

    for name in ["anna.muster", "ben.muster"] {
        university(&network, &["staff", "add", name]);
    }
    let revoke = ["revoke", "2026-EBSI", "--reason", "issued-in-error", "--by", "anna.muster"];
    let proposed = university(&network, &revoke);
    let change = proposed["change"].as_str().expect("a change").to_owned();
    let (content, lines, problem) = script("check.mjs", &[&base, "verify", diploma]);
    assert!(content, "one person alone withdraws nothing: {lines:?}\n{problem}");
    university(&network, &["approve", &change, "--by", "ben.muster"]);
    let (content, lines, problem) = script("check.mjs", &[&base, "verify", diploma]);
    let said = lines[0]["error"].as_str().unwrap_or_default().to_owned();
    assert!(!content && said.contains("The credential is revoked"), "{said}\n{problem}");
}
