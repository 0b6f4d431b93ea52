//! `testamur governance`: operators look at how things stand, propose and approve.
//!
//! What is shown is read from a node and proven against the installed trust file; what is signed is shown first, and
//! was rehearsed by the ledger's own rules over that proven state (INV-GOVERN-1): nobody signs on a node's word.

mod changes;
mod preview;
mod send;
mod show;
mod standing;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use testamur_primitives::hash::RecordId;

use crate::exit::{CommandError, Exit};
use crate::keystore::PassphraseOptions;
use crate::output::Output;
use crate::service;
use standing::Desk;

/// Days that a proposal stays open unless somebody says otherwise.
const PROPOSAL_DAYS: u32 = 30;
/// Proposals that `history` prints unless somebody says otherwise.
const HISTORY_LAST: u64 = 20;

/// Subcommands of `governance`.
#[derive(Debug, Subcommand)]
pub(crate) enum Governance {
    /// Show who decides, what is in force, what is to come, and what waits for approvals
    Show {
        /// One proposal in place of all that: id of its record
        proposal: Option<RecordId>,
        #[command(flatten)]
        nodes: NodeOptions,
    },
    /// List what was proposed, and what became of it
    History {
        /// Only so many of the newest
        #[arg(long, value_name = "N", default_value_t = HISTORY_LAST)]
        last: u64,
        #[command(flatten)]
        nodes: NodeOptions,
    },
    /// Propose a change; proposing counts as approving
    #[command(subcommand)]
    Propose(changes::Propose),
    /// Approve a proposal, after a look at what it changes
    Approve {
        /// The proposal: id of its record
        proposal: RecordId,
        #[command(flatten)]
        operator: OperatorOptions,
    },
}

/// How long a proposal stays open.
#[derive(Debug, Args)]
pub(crate) struct Life {
    /// Days that the proposal stays open
    #[arg(long, default_value_t = PROPOSAL_DAYS, value_parser = clap::value_parser!(u32).range(1..=90))]
    days: u32,
}

/// Whom to ask.
#[derive(Debug, Args)]
pub(crate) struct NodeOptions {
    /// A node of the network; may be given several times [default: those used before]
    #[arg(long, value_name = "URL")]
    node: Vec<String>,
    /// The installed network: its origin, or a part of it [default: the nodes', or the only one]
    #[arg(long, value_name = "NETWORK")]
    network: Option<String>,
}

/// Who acts, and where.
#[derive(Debug, Args)]
pub(crate) struct OperatorOptions {
    /// The operator's key
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    #[command(flatten)]
    nodes: NodeOptions,
    /// Version of the governance that the change was considered under [default: the one that is shown]
    #[arg(long, value_name = "N")]
    governance_version: Option<u64>,
    /// Do not ask before it is sent
    #[arg(long)]
    yes: bool,
    /// Accept an unencrypted key: for development networks
    #[arg(long)]
    insecure_dev: bool,
    #[command(flatten)]
    passphrase: PassphraseOptions,
}

impl Governance {
    /// Runs the subcommand.
    pub(crate) fn run(self, output: &Output) -> Result<Exit, CommandError> {
        service::runtime()?.block_on(async {
            let open = async |nodes: &NodeOptions| Desk::open(&nodes.node, nodes.network.as_deref()).await;
            match &self {
                Self::Show { proposal, nodes } => show::show(&open(nodes).await?, *proposal, output).await,
                Self::History { last, nodes } => show::history(&open(nodes).await?, *last, output).await,
                Self::Propose(propose) => {
                    let (what, life, operator) = propose.parts();
                    send::propose(&open(&operator.nodes).await?, what, life, operator, output).await
                }
                Self::Approve { proposal, operator } => {
                    send::approve(&open(&operator.nodes).await?, *proposal, operator, output).await
                }
            }
        })
    }
}
