//! The contracts against naive models and a table of rights, as often as is asked: `models KIND [COUNT] [SEED]`, with one
//! of governance, members and rights. Prints a line of the campaign. The models are those of `contracts/registry/tests/it`.

#[path = "../../../contracts/registry/tests/it/matrix.rs"]
mod matrix;
#[path = "../../../contracts/registry/tests/it/members_model.rs"]
mod members_model;
#[path = "../../../contracts/registry/tests/it/model.rs"]
mod model;
#[path = "../../../contracts/registry/tests/it/support/mod.rs"]
mod support;

use std::process::ExitCode;
use std::time::Instant;

use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use testamur_primitives::codec::sha256;
use testamur_tests::campaign::Line;

/// Sequences of one stream of chance: a failure is found again by the stream's number.
const STREAM: u64 = 500;
/// Steps of a sequence: many short ones find what few long ones do, and sooner.
const LONGEST: usize = 12;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let kind = arguments.next().unwrap_or_default();
    let mut number = |default| arguments.next().map_or(Some(default), |text| text.parse::<u64>().ok());
    let (Some(count), Some(seed)) = (number(10_000), number(0)) else { return usage() };
    let line = match kind.as_str() {
        "governance" => sequences("governance-sequences", count, seed, model::sequences),
        "members" => sequences("members-sequences", count, seed, members_model::sequences),
        "rights" => rights(),
        _ => return usage(),
    };
    println!("{line}");
    if line.bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn usage() -> ExitCode {
    eprintln!("usage: models governance|members|rights [COUNT] [SEED]");
    ExitCode::from(2)
}

fn line(row: &str, name: &str, runs: u64, bad: u64, began: Instant, metrics: Vec<(String, String)>) -> Line {
    Line { row: row.into(), name: name.into(), runs, bad, skipped: 0, seconds: began.elapsed().as_secs(), metrics }
}

type Sequences = fn(&mut TestRunner, usize) -> Result<(), String>;

/// Sequences on ledger and model: every answer and what stands in the end must be the same.
fn sequences(name: &str, count: u64, seed: u64, run: Sequences) -> Line {
    let began = Instant::now();
    let (mut runs, mut bad) = (0, 0);
    for stream in 0..count.div_ceil(STREAM) {
        let cases = STREAM.min(count - runs);
        let cases_now = u32::try_from(cases).expect("a stream is short");
        let config = Config { failure_persistence: None, ..Config::with_cases(cases_now) };
        let start = sha256(&[name.as_bytes(), &seed.to_be_bytes(), &stream.to_be_bytes()]);
        let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &start));
        if let Err(how) = run(&mut runner, LONGEST) {
            bad += 1;
            println!("R25 BAD {name} seed {seed} stream {stream}: {how}");
        }
        runs += cases;
    }
    line(
        "R25",
        name,
        runs,
        bad,
        began,
        vec![(name.into(), runs.to_string()), ("wrong-transitions".into(), bad.to_string())],
    )
}

/// Every role's every act with every key, against the table.
fn rights() -> Line {
    let began = Instant::now();
    let found = matrix::cells();
    found.wrong_allows.iter().chain(&found.wrong_codes).for_each(|cell| println!("R23 BAD contracts: {cell}"));
    let (allows, codes) = (found.wrong_allows.len() as u64, found.wrong_codes.len() as u64);
    let metrics =
        vec![("contract-cells".into(), found.tried.to_string()), ("contract-wrong-allows".into(), allows.to_string())];
    line("R23", "contracts", found.tried as u64, allows + codes, began, metrics)
}
