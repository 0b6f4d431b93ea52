//! Writes mutants of the golden vectors with this implementation's answers, one JSON object a line, for another implementation to
//! answer too: `differential [HOW MANY] [FROM]`; `differential files`: the golden cases themselves, each as one file.

use std::io::{BufWriter, Write};
use std::process::ExitCode;

use testamur_tests::differential::{Mutant, Mutants};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).peekable();
    let mut mutants = Mutants::default();
    if arguments.peek().is_some_and(|word| word == "files") {
        return written(mutants.as_files());
    }
    let mut number = |default| arguments.next().map_or(Some(default), |text| text.parse::<u64>().ok());
    let (Some(count), Some(from)) = (number(1_000), number(0)) else {
        eprintln!("usage: differential [HOW MANY] [FROM] | files");
        return ExitCode::FAILURE;
    };
    written((from..from + count).map(|number| mutants.make(number)))
}

/// Success when all are written: a reader that has seen enough closes the pipe.
fn written(all: impl IntoIterator<Item = Mutant>) -> ExitCode {
    let mut out = BufWriter::with_capacity(1 << 20, std::io::stdout().lock());
    let line = |mutant| {
        serde_json::to_writer(&mut out, &mutant)?;
        out.write_all(b"\n")
    };
    let all = all.into_iter().try_for_each(line).and_then(|()| out.flush());
    if all.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
