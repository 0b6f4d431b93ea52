//! Writes mutants of the golden vectors with this implementation's answers, one JSON object a line, for another implementation to
//! answer too: `differential [HOW MANY] [FROM]`.

use std::io::{BufWriter, Write};
use std::process::ExitCode;

use testamur_tests::differential::Mutants;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u64>());
    let (Ok(count), Ok(from)) = (arguments.next().unwrap_or(Ok(1_000)), arguments.next().unwrap_or(Ok(0))) else {
        eprintln!("usage: differential [HOW MANY] [FROM]");
        return ExitCode::FAILURE;
    };
    let mut mutants = Mutants::default();
    let mut out = BufWriter::with_capacity(1 << 20, std::io::stdout().lock());
    for number in from..from + count {
        let line = serde_json::to_vec(&mutants.make(number)).expect("mutants serialise");
        // A reader that has seen enough closes the pipe.
        if out.write_all(&line).and_then(|()| out.write_all(b"\n")).is_err() {
            return ExitCode::FAILURE;
        }
    }
    if out.flush().is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
