//! The command line: one subcommand a file under `commands/`.

use clap::{Args, Parser, Subcommand};

use crate::commands;
use crate::exit::{CommandError, EXIT_CODES, Exit};
use crate::output::Output;

/// A network of public administrations that bear witness to documents.
#[derive(Debug, Parser)]
#[command(name = "testamur", version, after_help = EXIT_CODES, propagate_version = true, max_term_width = 120)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every subcommand.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Print results and errors as JSON.
    #[arg(long, global = true, display_order = 900)]
    pub(crate) json: bool,
    /// Print errors only; the exit code tells.
    #[arg(long, short, global = true, display_order = 901)]
    pub(crate) quiet: bool,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check a document and its receipt, offline, against an installed trust file
    Verify(commands::verify::Verify),
    /// Diplomas: verify, pack, share
    #[command(subcommand)]
    Diploma(commands::diploma::Diploma),
    /// Install, list and remove networks (their trust files)
    #[command(subcommand)]
    Network(commands::network::Network),
    /// Look into a receipt
    #[command(subcommand)]
    Receipt(commands::receipt::ReceiptCommand),
    /// Bring receipts under a newer checkpoint, so that they outlive their witnesses' keys
    #[cfg(feature = "node")]
    Refresh(commands::refresh::Refresh),
    /// Notarise documents: a verified receipt beside each
    #[cfg(feature = "node")]
    Notarise(commands::notarise::Notarise),
    /// Get a university, an agency or a ministry on board: DID, accreditation, status list
    #[cfg(feature = "node")]
    Onboard(commands::onboard::Onboard),
    /// Make, show and change a DID document
    #[cfg(feature = "node")]
    #[command(subcommand)]
    Did(commands::did::DidCommand),
    /// Show who accredits whom, check a credential, accredit
    #[cfg(feature = "node")]
    #[command(subcommand)]
    Trust(commands::trust::Trust),
    /// Publish and show credential schemas
    #[cfg(feature = "node")]
    #[command(subcommand)]
    Schema(commands::schema::Schema),
    /// Keep status lists: give out entries, revoke, suspend, reinstate
    #[cfg(feature = "node")]
    #[command(subcommand)]
    Status(commands::status::Status),
    /// Run a development network on this machine
    #[cfg(feature = "node")]
    Dev(commands::dev::Dev),
    /// Run one node
    #[cfg(feature = "node")]
    Run(commands::run::Run),
    /// Get a network's ledger onto this machine, from a snapshot or from the log alone
    #[cfg(feature = "node")]
    Join(commands::join::Join),
    /// Write the whole ledger with its proofs into one file
    #[cfg(feature = "node")]
    Export(commands::export::Export),
    /// Copy a node's ledger while it runs
    #[cfg(feature = "node")]
    Backup(commands::backup::Backup),
    /// Make a node's directory of a backup, on this machine or another
    #[cfg(feature = "node")]
    Restore(commands::restore::Restore),
    /// Run an author's gateway, or make tokens for its callers
    #[cfg(feature = "node")]
    Gateway(commands::gateway::Gateway),
    /// Verify diplomas for the programs of an office, by HTTP on this machine
    #[cfg(feature = "node")]
    Verifier(commands::verifier::Verifier),
    /// Serve or export the page on which anybody checks a diploma, in the browser
    #[cfg(feature = "node")]
    Page(commands::page::Page),
    /// Derive a stopped node's ledger from genesis again, and say what is wrong
    #[cfg(feature = "node")]
    Check(commands::check::Check),
    /// Follow several nodes and say when they contradict one another, or themselves
    #[cfg(feature = "node")]
    Audit(commands::audit::Audit),
    /// Propose and approve changes, as an operator
    #[cfg(feature = "node")]
    #[command(subcommand)]
    Governance(commands::governance::Governance),
    /// Make the keys of a validator that joins a network, or a new key for one in office
    #[cfg(feature = "node")]
    #[command(subcommand)]
    Validator(commands::validator::ValidatorCommand),
    /// Make the keys, genesis and configuration of a whole network on this machine
    #[cfg(feature = "node")]
    Init(commands::init::Init),
    /// Make a network together: each operator its own keys
    #[cfg(feature = "node")]
    #[command(subcommand)]
    Genesis(commands::genesis::GenesisCommand),
    /// Make and show keys
    #[cfg(feature = "node")]
    #[command(subcommand)]
    Key(commands::key::KeyCommand),
    /// Measure four validators on this machine, beside the machine's own limits
    #[cfg(feature = "node")]
    Bench(crate::bench::Bench),
    /// Print the completion script of a shell
    Completions(commands::completions::Completions),
}

impl Command {
    /// Runs the subcommand.
    pub(crate) fn run(self, output: &Output) -> Result<Exit, CommandError> {
        match self {
            Self::Verify(command) => command.run(output),
            Self::Diploma(command) => command.run(output),
            Self::Network(command) => command.run(output),
            Self::Receipt(command) => command.run(output),
            #[cfg(feature = "node")]
            Self::Refresh(command) => command.run(output),
            #[cfg(feature = "node")]
            Self::Notarise(command) => command.run(output),
            #[cfg(feature = "node")]
            Self::Onboard(command) => command.run(output),
            #[cfg(feature = "node")]
            Self::Did(command) => command.run(output),
            #[cfg(feature = "node")]
            Self::Trust(command) => command.run(output),
            #[cfg(feature = "node")]
            Self::Schema(command) => command.run(output),
            #[cfg(feature = "node")]
            Self::Status(command) => command.run(output),
            #[cfg(feature = "node")]
            Self::Dev(command) => command.run(output),
            #[cfg(feature = "node")]
            Self::Run(command) => command.run(),
            #[cfg(feature = "node")]
            Self::Join(command) => command.run(output),
            #[cfg(feature = "node")]
            Self::Export(command) => command.run(output),
            #[cfg(feature = "node")]
            Self::Backup(command) => command.run(output),
            #[cfg(feature = "node")]
            Self::Restore(command) => command.run(output),
            #[cfg(feature = "node")]
            Self::Gateway(command) => command.run(output),
            #[cfg(feature = "node")]
            Self::Verifier(command) => command.run(output),
            #[cfg(feature = "node")]
            Self::Page(command) => command.run(output),
            #[cfg(feature = "node")]
            Self::Check(command) => command.run(output),
            #[cfg(feature = "node")]
            Self::Audit(command) => command.run(output),
            #[cfg(feature = "node")]
            Self::Governance(command) => command.run(output),
            #[cfg(feature = "node")]
            Self::Validator(command) => command.run(output),
            #[cfg(feature = "node")]
            Self::Init(command) => command.run(output),
            #[cfg(feature = "node")]
            Self::Genesis(command) => command.run(output),
            #[cfg(feature = "node")]
            Self::Key(command) => command.run(output),
            #[cfg(feature = "node")]
            Self::Bench(command) => command.run(output),
            Self::Completions(command) => command.run(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
