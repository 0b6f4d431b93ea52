//! `testamur governance`: an operator proposes and approves changes.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use testamur_client::author::Author;
use testamur_client::cut::Cut;
use testamur_client::limits::FINAL_TIMEOUT;
use testamur_client::node::Connections;
use testamur_client::nodes::{FinaliseError, Nodes};
use testamur_primitives::did::Did;
use testamur_primitives::hash::{AttributeId, RecordId};
use testamur_primitives::record::{Act, Change, RevocationReason};
use testamur_primitives::trust::TrustFile;
use testamur_primitives::units::UnixTime;

use crate::commands::trust::Reason as EndReason;
use crate::exit::{CommandError, Exit};
use crate::keystore::{Access, Key, KeyKind, PassphraseOptions};
use crate::networks;
use crate::output::{Output, Tone, now, parse_time, utc};
use crate::service;

/// Days that a proposal stays open unless somebody says otherwise.
const PROPOSAL_DAYS: u32 = 30;

/// Subcommands of `governance`.
#[derive(Debug, Subcommand)]
pub(crate) enum Governance {
    /// Propose a change; proposing counts as approving
    #[command(subcommand)]
    Propose(Propose),
    /// Approve a proposal
    Approve {
        /// The proposal: id of its record
        proposal: RecordId,
        #[command(flatten)]
        operator: OperatorOptions,
    },
}

/// Subcommands of `governance propose`.
#[derive(Debug, Subcommand)]
pub(crate) enum Propose {
    /// Let a DID write to the ledger
    GrantWriter {
        /// The writer
        did: Did,
        #[command(flatten)]
        life: Life,
        #[command(flatten)]
        operator: OperatorOptions,
    },
    /// Take that right away; what was written stays
    RevokeWriter {
        /// The writer
        did: Did,
        /// Why
        #[arg(long, value_enum)]
        reason: Reason,
        #[command(flatten)]
        life: Life,
        #[command(flatten)]
        operator: OperatorOptions,
    },
    /// Let a DID register that no accredited organisation vouches for: an author such as a city
    AdmitDid {
        /// The DID
        did: Did,
        /// RFC 7638 thumbprint of the key that will register it: `testamur did new` prints it
        #[arg(long, value_name = "THUMBPRINT")]
        jkt: String,
        #[command(flatten)]
        life: Life,
        #[command(flatten)]
        operator: OperatorOptions,
    },
    /// End the accreditation of a Root TAO; `testamur trust root` makes one
    EndRoot {
        /// Its id: `testamur trust show` prints it
        attribute: AttributeId,
        /// Why
        #[arg(long, value_enum)]
        reason: EndReason,
        /// From when on
        #[arg(long, value_name = "TIME", value_parser = parse_time)]
        from: UnixTime,
        #[command(flatten)]
        life: Life,
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

/// Who acts, and where.
#[derive(Debug, Args)]
pub(crate) struct OperatorOptions {
    /// The operator's key
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// A node of the network; may be given several times
    #[arg(long, value_name = "URL", required = true)]
    node: Vec<String>,
    /// Version of the governance that the change was considered under; genesis is 1, each executed change adds 1
    #[arg(long, value_name = "N", default_value_t = 1)]
    governance_version: u64,
    /// Accept an unencrypted key: for development networks
    #[arg(long)]
    insecure_dev: bool,
    #[command(flatten)]
    passphrase: PassphraseOptions,
}

/// Why a role ends; the closed list of the records' format.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Reason {
    /// The writer asked for it or has ceased to exist
    CessationOfOperation,
    /// The writer's key is in other hands, or may be
    KeyCompromise,
    /// The writer broke the network's rules
    PrivilegeWithdrawn,
    /// Another DID took its place
    Superseded,
}

impl From<Reason> for RevocationReason {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::CessationOfOperation => Self::CessationOfOperation,
            Reason::KeyCompromise => Self::KeyCompromise,
            Reason::PrivilegeWithdrawn => Self::PrivilegeWithdrawn,
            Reason::Superseded => Self::Superseded,
        }
    }
}

#[derive(Serialize)]
struct Report {
    record: String,
    height: u64,
    time: u64,
    approvals_required: u32,
}

impl Governance {
    /// Signs the act, submits it, and waits until it is final.
    pub(crate) fn run(self, output: &Output) -> Result<Exit, CommandError> {
        let expires = |life: &Life| Ok::<_, CommandError>(UnixTime(now()?.0 + u64::from(life.days) * 24 * 3600));
        let (act, operator) = match self {
            Self::Propose(Propose::GrantWriter { did, life, operator }) => {
                let (change, governance_version) = (Change::GrantWriter { did }, operator.governance_version);
                (Act::Propose { change, governance_version, expires: expires(&life)? }, operator)
            }
            Self::Propose(Propose::RevokeWriter { did, reason, life, operator }) => {
                let change = Change::RevokeWriter { did, reason: reason.into() };
                let governance_version = operator.governance_version;
                (Act::Propose { change, governance_version, expires: expires(&life)? }, operator)
            }
            Self::Propose(Propose::AdmitDid { did, jkt, life, operator }) => {
                let (change, governance_version) = (Change::AdmitDid { did, jkt }, operator.governance_version);
                (Act::Propose { change, governance_version, expires: expires(&life)? }, operator)
            }
            Self::Propose(Propose::EndRoot { attribute, reason, from, life, operator }) => {
                let change = Change::EndRoot { attribute, effective: from, reason: reason.into() };
                let governance_version = operator.governance_version;
                (Act::Propose { change, governance_version, expires: expires(&life)? }, operator)
            }
            Self::Approve { proposal, operator } => {
                (Act::Approve { proposal, governance_version: operator.governance_version }, operator)
            }
        };
        service::runtime()?.block_on(submit(act, &operator, output))
    }
}

async fn submit(act: Act, operator: &OperatorOptions, output: &Output) -> Result<Exit, CommandError> {
    let access = Access { passphrase: operator.passphrase.read()?, insecure_dev: operator.insecure_dev };
    let key = Key::read(&operator.key, KeyKind::Operator, &access)?;
    let unreachable = |e| CommandError::failed("governance.node", e, "check --node");
    let nodes = Nodes::new(&operator.node, &Connections::default()).map_err(unreachable)?;
    let network = nodes.network().await.map_err(unreachable)?;
    let trust = networks::require(network.genesis)?.trust;
    let author = Author::new(key.into_signing(), trust.network());
    let record = author.sign(act.clone()).map_err(|e| CommandError::failed("governance.sign", e, ""))?;
    let clock = now()?;
    let decided = nodes
        .finalise(&record, FINAL_TIMEOUT, |receipt| Cut::new(receipt, record.id(), &trust, clock))
        .await
        .map_err(|e| refused(&e))?;
    let facts = decided.facts();
    let report = Report {
        record: record.id().to_string(),
        height: facts.height.0,
        time: facts.time.0,
        approvals_required: trust.genesis().approvals_required,
    };
    output.result(&report, || describe(&report, &act, &trust, output));
    Ok(Exit::Ok)
}

fn refused(error: &FinaliseError) -> CommandError {
    let hint = match error {
        FinaliseError::Unreachable(_) => "check --node, and whether the nodes run",
        FinaliseError::Busy { .. } => "try again in a moment",
        FinaliseError::Refused { problem, .. } if problem.code == "governance.version-mismatch" => {
            "look at what was changed meanwhile, then give the ledger's version as --governance-version"
        }
        FinaliseError::Refused { .. } => "",
        FinaliseError::Unknown { .. } | FinaliseError::Receipt { .. } => {
            "look for the record on a node before you sign anew"
        }
    };
    let code = match error {
        FinaliseError::Refused { problem, .. } | FinaliseError::Busy { problem, .. } => problem.code.clone(),
        _ => "governance.submit".into(),
    };
    CommandError::failed(code, error, hint)
}

fn describe(report: &Report, act: &Act, trust: &TrustFile, output: &Output) -> String {
    let done = match act {
        Act::Approve { proposal, .. } => format!("Approved proposal {proposal}"),
        _ if report.approvals_required <= 1 => "Proposed and, one approval being enough, executed".to_owned(),
        _ => format!("Proposed; {} approvals in all are needed", report.approvals_required),
    };
    let next = match act {
        Act::Approve { .. } => String::new(),
        _ if report.approvals_required <= 1 => String::new(),
        _ => format!("\n\nOther operators approve with: testamur governance approve {}", report.record),
    };
    format!(
        "{}\n  record   {}\n  block    {} of {}\n  network  {}{next}",
        output.paint(Tone::Good, &done),
        report.record,
        report.height,
        utc(UnixTime(report.time)),
        trust.origin(),
    )
}
