//! `determinism N`: makes N records, executes them, executes them once more from genesis and their bytes, and prints the
//! roots. Built and run in several ways (debug, release, other hash seeds in other processes), it must always say the same:
//! row R16 of the campaign.

// What the tests' support offers beyond this is theirs.
#![allow(dead_code, unused_imports, unreachable_pub)]

use std::process::ExitCode;

#[path = "../tests/it/replay.rs"]
mod replay;
#[path = "../tests/it/support/mod.rs"]
mod support;

fn main() -> ExitCode {
    let count = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(10_000);
    let made = replay::replay(count);
    let (log_root, state_root) = made.again();
    if (log_root, state_root) != (made.log_root, made.state_root) {
        println!("replayed: log {log_root} state {state_root}; made: log {} state {}", made.log_root, made.state_root);
        return ExitCode::FAILURE;
    }
    println!("records {count} outcomes {} log {log_root} state {state_root}", made.outcomes());
    ExitCode::SUCCESS
}
