//! Runs the fault campaign: `campaign [--long] [ROW…]`; see `testamur_tests::campaign`.

use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Parser;
use testamur_tests::campaign::{Lane, Line, Recorded, Results, Row, Run, rows};

/// Attacks every promise and counts: rows R1 to R30 of tests/README.md.
#[derive(Parser)]
struct Options {
    /// Rows by number or name; all when none is named
    rows: Vec<String>,
    /// As often as before a release, in place of a CI run's counts
    #[arg(long)]
    long: bool,
    /// How often each row is tried, whatever its own counts
    #[arg(long)]
    runs: Option<u64>,
    /// That share of each row's own count, at least one: a first look takes 10
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    percent: u64,
    /// Where randomness begins (default: the clock)
    #[arg(long)]
    seed: Option<u64>,
    /// One row after the other, so that times are those of a quiet machine
    #[arg(long)]
    one_lane: bool,
    /// Keep the results in tests/campaign.json, with this note about the machine
    #[arg(long, value_name = "MACHINE")]
    record: Option<String>,
    /// List the rows and their counts
    #[arg(long)]
    list: bool,
    /// Print what is kept in tests/campaign.json as a table
    #[arg(long)]
    table: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    if options.table {
        print!("{}", Results::read().table());
        return ExitCode::SUCCESS;
    }
    let chosen = match chosen(&options.rows) {
        Ok(chosen) => chosen,
        Err(unknown) => {
            eprintln!("no row is called {unknown}: `campaign --list` names them");
            return ExitCode::from(2);
        }
    };
    if options.list {
        for row in chosen {
            println!("{:4} {:32} {:>9} in CI {:>12} before a release", row.id, row.name, row.ci, row.release);
        }
        return ExitCode::SUCCESS;
    }
    let seed =
        options.seed.unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_secs()));
    println!("seed {seed}");
    let keeping = Mutex::new(());
    let attack = |row: &Row| {
        let count =
            options.runs.unwrap_or(if options.long { row.release } else { row.ci } * options.percent / 100).max(1);
        let line = Run::of(row, count, seed);
        println!("{line}");
        if let Some(machine) = &options.record {
            // Each as it ends: whoever must stop a long campaign keeps what it found.
            let _one_at_a_time = keeping.lock().expect("nobody panics holding it");
            record(&line, machine);
        }
        line
    };
    let lane = |lane: Lane| chosen.iter().filter(|row| row.lane == lane).map(attack).collect::<Vec<_>>();
    let lines: Vec<Line> = if options.one_lane {
        chosen.iter().map(attack).collect()
    } else {
        thread::scope(|scope| {
            let networks = scope.spawn(|| lane(Lane::Networks));
            let machine = lane(Lane::Machine);
            let mut lines = networks.join().expect("a row's panic is caught");
            lines.extend(machine);
            lines
        })
    };
    println!("\n=== {} rows", lines.len());
    lines.iter().for_each(|line| println!("{line}"));
    let bad: u64 = lines.iter().map(|line| line.bad).sum();
    let skipped: u64 = lines.iter().map(|line| line.skipped).sum();
    let tried: u64 = lines.iter().map(|line| line.runs).sum();
    println!("{} passed, {bad} failed", tried - bad);
    println!("{skipped} tries were not possible here");
    if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The rows that are named, in the order of all; which one nobody knows.
fn chosen(names: &[String]) -> Result<Vec<Row>, String> {
    let all = rows::all();
    let is = |row: &Row, name: &str| row.id.eq_ignore_ascii_case(name) || row.name == name;
    if let Some(unknown) = names.iter().find(|name| !all.iter().any(|row| is(row, name))) {
        return Err(unknown.clone());
    }
    Ok(all.into_iter().filter(|row| names.is_empty() || names.iter().any(|name| is(row, name))).collect())
}

fn record(line: &Line, machine: &str) {
    let says = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output().expect("git and date are there");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    let (date, commit) = (says("date", &["-u", "+%F"]), says("git", &["rev-parse", "--short", "HEAD"]));
    let mut results = Results::read();
    results.put(Recorded { result: line.clone(), date, commit, machine: machine.to_owned() });
    results.write();
}
