//! The cases of `tests/vectors/diplomas` through the real pipeline, from the bytes of a file to the verdict. They stand here, at the
//! lowest crate that has all of it, so that a change of the contracts meets them without the node and its tests being built.

#[expect(unreachable_pub, reason = "it is public where it lives, in the library of the tests")]
#[path = "../../../tests/src/vectors/diplomas/runner.rs"]
mod runner;

use std::path::Path;

use runner::{DiplomaCase, FOLDER, Runner, TABLES, name_of, steps};

fn load(path: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors").join(FOLDER).join(path);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_case_gets_its_answer() {
    let mut runner = Runner::default();
    let mut count = 0;
    for table in TABLES {
        let cases = serde_json::from_slice(&load(&format!("{table}.json")));
        let cases: Vec<DiplomaCase> = cases.unwrap_or_else(|error| panic!("{table}.json: {error}"));
        for case in cases {
            let report = runner.judge(&case, &load);
            let found = (name_of(report.verdict), report.reason.code(), steps(&report));
            assert_eq!(found, (case.verdict.as_str(), case.reason.as_str(), case.steps.clone()), "{}", case.name);
            count += 1;
        }
    }
    assert!(count >= 250, "{count} cases");
}
