//! `testamur diploma`: verified, packed, shared.

mod disclose;
#[cfg(feature = "node")]
mod package;
pub(crate) mod render;
mod share;
pub(crate) mod source;
pub(crate) mod verify;

use clap::Subcommand;

use crate::exit::{CommandError, Exit};
use crate::output::Output;

/// Subcommands of `diploma`.
#[derive(Debug, Subcommand)]
pub(crate) enum Diploma {
    /// Verify diplomas in files of any supported kind: PDF, package, credential, link, zip
    Verify(verify::Verify),
    /// Make a package that verifies without any network: credential, receipt, proofs
    #[cfg(feature = "node")]
    Package(package::Package),
    /// Make a link that carries the compact credential
    Share(share::Share),
    /// Choose which fields of a diploma to show
    Disclose(disclose::Disclose),
}

impl Diploma {
    /// Runs the subcommand.
    pub(crate) fn run(self, output: &Output) -> Result<Exit, CommandError> {
        match self {
            Self::Verify(command) => command.run(output),
            #[cfg(feature = "node")]
            Self::Package(command) => command.run(output),
            Self::Share(command) => command.run(output),
            Self::Disclose(command) => command.run(output),
        }
    }
}
