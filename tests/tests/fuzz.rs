//! A short run of every fuzzing target over seeded inputs: the same on every machine. Row R21 of the campaign has the longer
//! one, and the targets of the node's crates; `tests/fuzz/run` is the one guided by coverage.

use testamur_tests::fuzz::targets;

#[test]
fn no_parser_of_untrusted_bytes_breaks_its_promises() {
    let runs: u64 = std::env::var("FUZZ_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(2_000);
    std::thread::scope(|scope| {
        for target in targets() {
            scope.spawn(move || {
                let tried = target.tried(0, runs);
                assert_eq!(tried.bad, Vec::<String>::new());
                println!("{}: {} inputs", target.name, tried.runs);
            });
        }
    });
}
