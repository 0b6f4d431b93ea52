//! `testamur`: the one binary. Runs nodes, gateways and development networks; notarises and verifies.
//!
//! Built with `--no-default-features` it verifies and nothing else: no database, no network, no HTTP.

#[cfg(feature = "node")]
mod bench;
mod bulk;
mod cli;
mod commands;
#[cfg(feature = "node")]
mod config;
mod document;
#[cfg(feature = "node")]
mod entity;
mod exit;
mod files;
#[cfg(feature = "node")]
mod keystore;
#[cfg(feature = "node")]
mod ledger_codes;
#[cfg(feature = "node")]
mod limits;
mod networks;
#[cfg(feature = "node")]
mod node;
mod output;
#[cfg(feature = "node")]
pub mod parsers;
#[cfg(feature = "node")]
mod profile;
#[cfg(feature = "node")]
mod progress;
#[cfg(feature = "node")]
mod service;
#[cfg(feature = "node")]
mod setup;

use std::process::ExitCode;

use clap::Parser as _;

/// Reads the command line, does what it says, and says how that ended.
pub fn main() -> ExitCode {
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
