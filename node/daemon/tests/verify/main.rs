//! `testamur verify` and `testamur network` as their user meets them: the real binary, its messages, its exit codes.

mod folders;
mod ledger;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ledger::{BLOCK_TIME, DOCUMENT, Ledger, NOT_AFTER, ledger};
use serde_json::Value;

/// A user with a home of their own, a document, a receipt and a trust file.
struct User {
    directory: tempfile::TempDir,
}

struct Ran {
    exit: i32,
    out: String,
    err: String,
}

impl User {
    fn new(ledger: &Ledger) -> Self {
        let user = Self { directory: tempfile::tempdir().expect("a temporary directory") };
        user.write("contract.pdf", DOCUMENT);
        user.write("contract.pdf.receipt.json", &ledger.receipt.clone().encode());
        user.write("trust.json", ledger.trust.to_json().as_bytes());
        user
    }

    fn with_network(ledger: &Ledger) -> Self {
        let user = Self::new(ledger);
        assert_eq!(user.run(&["network", "add", "trust.json"]).exit, 0);
        user
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).expect("a writable directory");
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let output = Command::new(env!("CARGO_BIN_EXE_testamur"))
            .args(arguments)
            .current_dir(self.directory.path())
            .env("TESTAMUR_HOME", self.path("home"))
            .output()
            .expect("the binary starts");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        Ran { exit: output.status.code().expect("an exit code"), out: text(output.stdout), err: text(output.stderr) }
    }
}

fn at(time: u64) -> String {
    format!("--at={time}")
}

#[test]
fn a_good_receipt_is_confirmed_with_who_when_where_and_under_which_trust_file() {
    let ledger = ledger("one", 3);
    let user = User::with_network(&ledger);
    let ran = user.run(&["verify", "contract.pdf", "contract.pdf.receipt.json", &at(BLOCK_TIME + 9)]);
    assert_eq!(ran.exit, 0, "{}", ran.err);
    let first = ran.out.lines().next().expect("a verdict");
    assert_eq!(first, "CONFIRMED: contract.pdf was notarised on 2027-01-15 08:00:00 UTC.");
    for part in [
        "City of Ghent (BE)",
        "block        1, log index 0 of 1 records",
        "3 of 4 validators, 3 are needed",
        "Ministry",
        ledger.trust.fingerprint().as_str(),
        "home/networks/test.example_one_",
    ] {
        assert!(ran.out.contains(part), "{part:?} is missing in:\n{}", ran.out);
    }
    // The receipt is found beside the document, and a trust file can be given.
    let ran = user.run(&["verify", "contract.pdf", "--trust", "trust.json", &at(BLOCK_TIME)]);
    assert_eq!(ran.exit, 0, "{}", ran.err);
    let ran = user.run(&["verify", "--receipt-only", "contract.pdf.receipt.json", &at(BLOCK_TIME)]);
    assert_eq!(ran.exit, 0);
    assert!(ran.out.starts_with("CONFIRMED: the record entered the ledger on 2027-01-15"), "{}", ran.out);
    let ran = user.run(&["verify", "contract.pdf", "--quiet", &at(BLOCK_TIME)]);
    assert_eq!((ran.exit, ran.out.as_str(), ran.err.as_str()), (0, "", ""));
    let ran = user.run(&["--json", "verify", "contract.pdf", &at(BLOCK_TIME)]);
    let report: Value = serde_json::from_str(&ran.out).expect("one JSON document");
    assert_eq!(report["verdict"], "confirmed");
    assert_eq!(report["facts"]["height"], 1);
    assert_eq!(report["facts"]["document_checked"], true);
    assert_eq!(report["trust"]["fingerprint"], ledger.trust.fingerprint());
}

#[test]
fn every_verdict_has_its_own_exit_code_and_says_why() {
    let good = ledger("one", 3);
    let user = User::with_network(&good);
    user.write("other.pdf", &[DOCUMENT, b" "].concat());
    let mut receipt = good.receipt.clone();
    receipt.opening = None;
    user.write("no-opening.json", &receipt.encode());
    user.write("two-cosigners.json", &ledger("one", 2).receipt.encode());
    user.write("other-network.json", &ledger("two", 4).receipt.encode());
    let mut changed = good.receipt.clone().encode();
    let place = changed.len() / 2;
    changed[place] ^= 1;
    user.write("changed.json", &changed);
    let spaced = [good.receipt.clone().encode(), b"\n".to_vec()].concat();
    user.write("spaced.json", &spaced);
    let r = "contract.pdf.receipt.json";
    let cases: &[(&str, &str, u64, i32, &str)] = &[
        (
            "other.pdf",
            r,
            BLOCK_TIME,
            3,
            "NOT VALID: the document is not the one that was notarised: its sha2-256 differs",
        ),
        ("contract.pdf", "changed.json", BLOCK_TIME, 3, "NOT VALID: "),
        ("contract.pdf", "spaced.json", BLOCK_TIME, 3, "NOT VALID: not a receipt: the JSON is not in canonical form"),
        ("contract.pdf", "two-cosigners.json", BLOCK_TIME, 3, "NOT VALID: 2 validators cosigned, 3 are needed"),
        ("contract.pdf", "contract.pdf", BLOCK_TIME, 3, "NOT VALID: not a receipt: "),
        ("contract.pdf", "other-network.json", BLOCK_TIME, 4, "is not installed here: get its trust file"),
        ("contract.pdf", "no-opening.json", BLOCK_TIME, 4, "CANNOT TELL: the record holds salted commitments"),
        ("contract.pdf", r, NOT_AFTER + 1, 5, "WITNESSED BY KEYS NO LONGER IN OFFICE: refresh this receipt"),
    ];
    for (file, receipt, time, exit, message) in cases {
        let ran = user.run(&["verify", file, receipt, &at(*time)]);
        assert_eq!(ran.exit, *exit, "{file} {receipt}: {}{}", ran.out, ran.err);
        assert!(ran.out.contains(message), "{file} {receipt}: {message:?} is missing in:\n{}", ran.out);
        let ran = user.run(&["verify", file, receipt, &at(*time), "--json"]);
        let report: Value = serde_json::from_str(&ran.out).expect("JSON for every verdict");
        assert_eq!(report["exit_code"], *exit);
    }
    let ran = user.run(&["verify", r, "contract.pdf", &at(BLOCK_TIME)]);
    assert_eq!(ran.exit, 3);
    assert!(ran.out.contains("The two files look swapped"), "{}", ran.out);
    user.write(
        "problem.json",
        br#"{"type":"about:blank","title":"not final in time","status":504,"detail":"no quorum"}"#,
    );
    let ran = user.run(&["verify", "contract.pdf", "problem.json", &at(BLOCK_TIME)]);
    assert_eq!(ran.exit, 3);
    assert!(ran.out.contains("the error that a server answered: not final in time: no quorum"), "{}", ran.out);
}

#[test]
fn what_cannot_be_read_is_an_operational_error_that_says_what_to_do() {
    let user = User::with_network(&ledger("one", 3));
    let cases: &[(&[&str], i32, &str)] = &[
        (&["verify", "absent.pdf", "contract.pdf.receipt.json"], 1, "cannot open absent.pdf"),
        (&["verify", "contract.pdf", "absent.json"], 1, "cannot open absent.json"),
        (&["verify", "contract.pdf", "--trust", "contract.pdf"], 1, "trust file: not the expected JSON"),
        (&["verify", "contract.pdf", "--at", "yesterday"], 2, "expected a time such as"),
        (&["verify"], 2, "required"),
        (&["verify", "a", "b", "--receipt-only", "c"], 2, "cannot be used with"),
        (&["network", "show", "nowhere"], 1, "no installed network is called"),
        (&["network", "add", "contract.pdf"], 1, "get the trust file again"),
        (&["frobnicate"], 2, "unrecognized subcommand"),
    ];
    for (arguments, exit, message) in cases {
        let ran = user.run(arguments);
        assert_eq!(ran.exit, *exit, "{arguments:?}: {}{}", ran.out, ran.err);
        assert!(ran.err.contains(message), "{arguments:?}: {message:?} is missing in:\n{}", ran.err);
    }
    let ran = user.run(&["--json", "verify", "absent.pdf"]);
    let error: Value = serde_json::from_str(&ran.err).expect("errors are JSON too");
    assert_eq!(error["error"]["code"], "cli.file");
}

#[test]
fn networks_are_added_listed_shown_and_removed() {
    let ledger = ledger("one", 3);
    let user = User::new(&ledger);
    assert!(user.run(&["network", "list"]).out.contains("No network is installed"));
    let ran = user.run(&["network", "add", "trust.json"]);
    assert!(
        ran.out.contains(&ledger.trust.fingerprint()) && ran.out.contains("Compare the fingerprint"),
        "{}",
        ran.out
    );
    assert!(user.run(&["network", "add", "trust.json"]).out.starts_with("Already installed"));
    assert!(user.run(&["network", "list"]).out.contains("test.example/one/"));
    let shown = user.run(&["network", "show", "one"]);
    assert!(shown.out.contains("3 of 4 validators") && shown.out.contains("City of Ghent"), "{}", shown.out);
    assert!(user.run(&["network", "policy", "one"]).out.contains("group validators 3"));
    let shown = user.run(&["network", "show", "one", "--json"]);
    let document: Value = serde_json::from_str(&shown.out).expect("the trust file");
    assert_eq!(document["type"], "testamur-trust");
    assert_eq!(user.run(&["network", "remove", "one"]).exit, 0);
    assert_eq!(user.run(&["verify", "contract.pdf"]).exit, 4);
}

#[test]
fn a_receipt_is_shown_and_exported_for_transparency_log_tools() {
    let ledger = ledger("one", 3);
    let user = User::new(&ledger);
    let shown = user.run(&["receipt", "show", "contract.pdf.receipt.json"]);
    assert!(shown.out.contains("salted commitment to sha2-256"), "{}", shown.out);
    let proof = user.run(&["receipt", "tlog-proof", "contract.pdf.receipt.json"]);
    assert_eq!(proof.out, ledger.receipt.tlog_proof());
    let record = user.run(&["receipt", "tlog-proof", "--record", "contract.pdf.receipt.json"]);
    assert_eq!(record.out, ledger.receipt.record);
    assert_eq!(user.run(&["receipt", "show", "contract.pdf"]).exit, 3);
    assert!(Path::new(&user.path("home")).metadata().is_err(), "looking needs no home");
}
