//! Bits that flip at rest and in memory, counted: see `testamur_store::faults`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    testamur_store::faults::main(&arguments)
}
