//! `testamur`: the one binary. Runs nodes, gateways and development networks; notarises and verifies.
//!
//! Built with `--no-default-features` it verifies and nothing else: no database, no network, no HTTP.

mod cli;
mod commands;
mod document;
mod exit;
mod files;
mod networks;
mod output;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let output = output::Output::new(cli.global.json, cli.global.quiet);
    match cli.command.run(&output) {
        Ok(exit) => exit.into(),
        Err(error) => {
            output.error(&error);
            error.exit().into()
        }
    }
}
