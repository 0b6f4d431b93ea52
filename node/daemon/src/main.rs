//! The product: see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    testamur::main()
}
