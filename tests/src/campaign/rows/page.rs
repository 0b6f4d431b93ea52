//! R28: the page never says "valid" of what is not. Its verifier against the Rust one over mutants of the vectors; the whole
//! corpus in a browser is `verifier-web/tests/page`, which CI runs by itself and prints its own line.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::{beside, repository};
use crate::campaign::{Lane, Row, Run};

/// Mutants in CI.
const CI: u64 = 20_000;

pub(super) const ROWS: &[Row] =
    &[Row { id: "R28", name: "the-page", lane: Lane::Machine, ci: CI, release: 100_000, attack: the_page }];

/// The lines of one run over mutants, which serves R21 and R28: they are the same run.
fn mutants(count: u64, seed: u64) -> PathBuf {
    static RUNS: OnceLock<std::sync::Mutex<std::collections::BTreeMap<u64, PathBuf>>> = OnceLock::new();
    let mut runs = RUNS.get_or_init(Default::default).lock().expect("no run panics holding it");
    let path = std::env::temp_dir().join(format!("testamur-mutants-{}-{count}", std::process::id()));
    runs.entry(count)
        .or_insert_with(|| {
            let log = File::create(&path).expect("a log");
            // Other mutants each time, each named by its number.
            let from = (seed % 1_000_000) * 10_000_000;
            let ended = Command::new("node")
                .arg(repository().join("verifier-web/tests/differential.mjs"))
                .args([count.to_string(), from.to_string()])
                .env("TESTAMUR_DIFFERENTIAL", beside("differential"))
                .stdin(Stdio::null())
                .stdout(log)
                .status();
            assert!(ended.is_ok(), "node is there: {ended:?}");
            path
        })
        .clone()
}

/// R21: records, receipts and evidence; two verifiers, one answer.
pub(super) fn two_verifiers(run: &mut Run) {
    let lines = mutants(run.count, run.seed);
    run.outside(Command::new("cat").arg(lines));
}

/// R28: mutated diplomas, and before a release the corpus in a browser.
fn the_page(run: &mut Run) {
    let lines = mutants(run.count, run.seed);
    run.outside(Command::new("cat").arg(lines));
    if run.count > CI {
        let test = repository().join("verifier-web/tests/page/corpus.test.mjs");
        run.outside(Command::new("node").arg("--test").arg(test).env("TESTAMUR_BIN", crate::harness::binary()));
    }
}
