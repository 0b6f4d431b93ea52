//! The faulty build: the same program with failpoints, which `FAILPOINTS=name=action;…` switches on (syntax of the crate
//! `fail`). Tests start nodes by it; nobody else should.

use std::process::ExitCode;

fn main() -> ExitCode {
    // A name or action that the crate does not understand ends the process here: no test runs without its fault.
    let _scenario = fail::FailScenario::setup();
    testamur::main()
}
