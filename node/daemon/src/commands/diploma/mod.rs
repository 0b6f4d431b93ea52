//! `testamur diploma`: issued, corrected, withdrawn, verified, packed, shared.

#[cfg(feature = "node")]
pub(crate) mod archive;
#[cfg(feature = "node")]
mod change;
mod disclose;
#[cfg(feature = "node")]
pub(crate) mod issue;
#[cfg(feature = "node")]
mod package;
pub(crate) mod render;
mod share;
pub(crate) mod source;
#[cfg(feature = "node")]
mod staff;
pub(crate) mod verify;

use clap::Subcommand;

use crate::exit::{CommandError, Exit};
use crate::output::Output;

/// Subcommands of `diploma`.
#[derive(Debug, Subcommand)]
pub(crate) enum Diploma {
    /// Issue a whole graduation: diplomas signed, anchored, printed, verified
    #[cfg(feature = "node")]
    Issue(issue::Issue),
    /// Write the files of issued diplomas again: the same bytes
    #[cfg(feature = "node")]
    Export(archive::Export),
    /// List what was issued
    #[cfg(feature = "node")]
    List(archive::List),
    /// Show one diploma's standing
    #[cfg(feature = "node")]
    Show(archive::Show),
    /// Propose corrections: rows that differ from what was issued
    #[cfg(feature = "node")]
    Correct(change::Correct),
    /// Propose to withdraw diplomas for good
    #[cfg(feature = "node")]
    Revoke(change::Revoke),
    /// Propose to suspend diplomas
    #[cfg(feature = "node")]
    Suspend(change::Suspend),
    /// Propose to lift suspensions
    #[cfg(feature = "node")]
    Reinstate(change::Reinstate),
    /// Approve what another person proposed, and carry it out
    #[cfg(feature = "node")]
    Approve(change::Approve),
    /// List, show, withdraw changes, or go on with them
    #[cfg(feature = "node")]
    #[command(subcommand)]
    Changes(change::Changes),
    /// The persons of the desk, of whom a change takes two
    #[cfg(feature = "node")]
    #[command(subcommand)]
    Staff(staff::Staff),
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
            #[cfg(feature = "node")]
            Self::Issue(command) => command.run(output),
            #[cfg(feature = "node")]
            Self::Export(command) => command.run(output),
            #[cfg(feature = "node")]
            Self::List(command) => command.run(output),
            #[cfg(feature = "node")]
            Self::Show(command) => command.run(output),
            #[cfg(feature = "node")]
            Self::Correct(command) => command.run(output),
            #[cfg(feature = "node")]
            Self::Revoke(command) => command.run(output),
            #[cfg(feature = "node")]
            Self::Suspend(command) => command.run(output),
            #[cfg(feature = "node")]
            Self::Reinstate(command) => command.run(output),
            #[cfg(feature = "node")]
            Self::Approve(command) => command.run(output),
            #[cfg(feature = "node")]
            Self::Changes(command) => command.run(output),
            #[cfg(feature = "node")]
            Self::Staff(command) => command.run(output),
            Self::Verify(command) => command.run(output),
            #[cfg(feature = "node")]
            Self::Package(command) => command.run(output),
            Self::Share(command) => command.run(output),
            Self::Disclose(command) => command.run(output),
        }
    }
}
