//! Tries every parser with seeded inputs and prints a line of row R21 for each: `parsers [--inputs N] [--seed S] [TARGET…]`.

use std::process::ExitCode;

use clap::Parser;
use testamur_parsers::targets;
use testamur_tests::fuzz::try_all;

/// Tries every parser of bytes that others write.
#[derive(Parser)]
struct Options {
    /// Targets by name; all when none is named
    targets: Vec<String>,
    /// Inputs for each
    #[arg(long, default_value_t = 1_000_000)]
    inputs: u64,
    /// Where chance begins
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Targets that are tried at a time
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    threads: u16,
    /// List the targets
    #[arg(long)]
    list: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let mut chosen = targets();
    if let Some(unknown) = options.targets.iter().find(|name| chosen.iter().all(|target| target.name != **name)) {
        eprintln!("no target is called {unknown}: `parsers --list` names them");
        return ExitCode::from(2);
    }
    chosen.retain(|target| options.targets.is_empty() || options.targets.iter().any(|name| name == target.name));
    if options.list {
        chosen.iter().for_each(|target| println!("{}", target.name));
        return ExitCode::SUCCESS;
    }
    if try_all(&chosen, options.seed, options.inputs, options.threads.into()) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
