//! The faulty build: the same program with failpoints, which `FAILPOINTS=name=action;…` switches on (syntax of the crate
//! `fail`). Tests start nodes by it; nobody else should. `testamur-faults commits` is a validator's disk by itself.

mod commits;

use std::process::ExitCode;

fn main() -> ExitCode {
    // A name or action that the crate does not understand ends the process here: no test runs without its fault.
    let _scenario = fail::FailScenario::setup();
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some("commits") {
        return commits::main(&arguments.collect::<Vec<_>>());
    }
    testamur::main()
}
