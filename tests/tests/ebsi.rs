//! EBSI's own libraries, unmodified, against a development network; and the lies that they believe, told to a ledger.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use testamur_tests::harness::Development;

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
