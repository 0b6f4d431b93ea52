//! A short run of every fuzzing target over seeded inputs: the same on every machine. The long one is `tests/fuzz/run`.

use testamur_tests::fuzz::{TARGETS, mutated};

#[test]
fn no_parser_of_untrusted_bytes_breaks_its_promises() {
    let runs: u64 = std::env::var("FUZZ_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(20_000);
    std::thread::scope(|scope| {
        for target in TARGETS {
            scope.spawn(move || {
                let corpus = (target.corpus)();
                assert!(!corpus.is_empty(), "{} has inputs to begin from", target.name);
                corpus.iter().for_each(|input| (target.run)(input));
                for number in 0..runs {
                    let input = mutated(&corpus, target.name, number);
                    let result = std::panic::catch_unwind(|| (target.run)(&input));
                    assert!(result.is_ok(), "{} {number}: {}", target.name, hex::encode(&input));
                }
                println!("{}: {runs} inputs from {}", target.name, corpus.len());
            });
        }
    });
}
