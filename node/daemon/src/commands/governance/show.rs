//! `testamur governance show` and `history`: how things stand, and what was decided; all of it proven.

use serde::Serialize;
use testamur_primitives::hash::RecordId;
use testamur_primitives::units::UnixTime;
use testamur_registry::governance::{Proposal, ProposalStatus};
use testamur_registry::network::SetChangeStatus;

use super::preview::{Preview, when};
use super::standing::{Desk, Standing};
use crate::exit::{CommandError, Exit};
use crate::output::{Output, Tone, harmless, utc};

/// What `governance show` prints.
#[derive(Serialize)]
struct Shown {
    network: String,
    height: u64,
    time: u64,
    governance_version: u64,
    approvals_required: u32,
    operators: Vec<testamur_primitives::genesis::Operator>,
    epoch: u64,
    validators: Vec<String>,
    quorum: usize,
    protocol: u32,
    parameters: testamur_primitives::genesis::Parameters,
    retired: Vec<testamur_registry::network::Retirement>,
    page_hosts: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    set_change: Option<testamur_registry::network::SetChangeEntry>,
    open: Vec<Told>,
}

/// A proposal.
#[derive(Serialize)]
struct Told {
    proposal: RecordId,
    status: &'static str,
    proposer: String,
    height: u64,
    time: u64,
    expires: u64,
    governance_version: u64,
    preview: Preview,
    change: testamur_primitives::record::Change,
}

/// What became of a proposal, in a word.
pub(super) fn status_name(status: ProposalStatus) -> &'static str {
    match status {
        ProposalStatus::Open => "open",
        ProposalStatus::Executed => "executed",
        ProposalStatus::Expired => "expired",
        ProposalStatus::Lapsed => "lapsed",
    }
}

impl Told {
    fn new(proposal: &Proposal, standing: &Standing) -> Self {
        let entry = &proposal.entry;
        Self {
            proposal: proposal.id,
            status: status_name(proposal.status(&standing.governance, standing.time)),
            proposer: standing.operator(&entry.proposer),
            height: entry.height.0,
            time: entry.time.0,
            expires: entry.expires.0,
            governance_version: entry.governance_version,
            preview: Preview::new(&entry.change, standing).approvals(standing, Some(proposal), None),
            change: entry.change.clone(),
        }
    }

    fn line(&self) -> String {
        let about = match self.status {
            "open" => format!("{} more to approve, until {}", self.preview.needed(), utc(UnixTime(self.expires))),
            "executed" => format!("in block {}, {}", self.height, utc(UnixTime(self.time))),
            "lapsed" => "another change was executed after it was proposed".into(),
            _ => format!("on {}", utc(UnixTime(self.expires))),
        };
        format!("{}  {:<8}  {}: {about}", self.proposal, self.status, self.preview.what)
    }
}

/// How things stand, or one proposal.
pub(super) async fn show(desk: &Desk, proposal: Option<RecordId>, output: &Output) -> Result<Exit, CommandError> {
    let standing = desk.standing().await?;
    let Some(id) = proposal else {
        let shown = shown(desk, &standing);
        output.result(&shown, || describe(&shown, &standing, output));
        return Ok(Exit::Ok);
    };
    let found = desk.proposal(id).await?.ok_or_else(|| unknown(id))?;
    let told = Told::new(&found, &standing);
    output.result(&told, || {
        let mut text = format!("{} {id}: {}\n", output.paint(Tone::Strong, told.status), told.preview.what);
        let open = told.status == "open";
        text += &format!(
            "  {:<18}{}, under governance version {}\n",
            "proposed by", told.proposer, told.governance_version
        );
        if open {
            text += &harmless(&told.preview.text());
            text += &format!(
                "  {:<18}{}\n\nApprove it with: testamur governance approve {id}\n",
                "lapses",
                utc(found.entry.expires)
            );
        } else {
            text += &format!("  {}\n", told.line());
        }
        text
    });
    Ok(Exit::Ok)
}

/// A proposal that is not there.
pub(super) fn unknown(id: RecordId) -> CommandError {
    CommandError::failed(
        "governance.proposal-unknown",
        format!("the ledger has no proposal {id}: that is proven"),
        "`testamur governance history` lists them",
    )
}

/// The newest proposals, whatever became of them.
pub(super) async fn history(desk: &Desk, last: u64, output: &Output) -> Result<Exit, CommandError> {
    let standing = desk.standing().await?;
    let first = standing.proposals.saturating_sub(last);
    let (mut told, mut after) = (Vec::new(), first);
    while after < standing.proposals {
        // A few at a time: each rests on some state keys, and one proof holds a bounded number.
        let some = desk.proposals(after, PER_READ).await?;
        let Some((newest, _)) = some.last() else { break };
        after = *newest;
        told.extend(some.iter().map(|(_, proposal)| Told::new(proposal, &standing)));
    }
    output.result(&told, || {
        if told.is_empty() {
            return "Nothing was ever proposed.".into();
        }
        let mut text = String::new();
        if first > 0 {
            text += &format!("{first} older ones: --last {}\n", standing.proposals);
        }
        told.iter().for_each(|told| text += &format!("{}\n", harmless(&told.line())));
        text
    });
    Ok(Exit::Ok)
}

/// Proposals that are read at once.
const PER_READ: usize = 10;

fn shown(desk: &Desk, standing: &Standing) -> Shown {
    let validators = standing.validators.validators().iter();
    Shown {
        network: desk.installed.trust.origin().to_string(),
        height: standing.height.0,
        time: standing.time.0,
        governance_version: standing.governance.version,
        approvals_required: standing.governance.approvals_required,
        operators: standing.governance.operators.clone(),
        epoch: standing.epoch.epoch.0,
        validators: validators
            .map(|v| format!("{}: {} ({}), until {}", v.name, v.operator, v.country, utc(v.not_after)))
            .collect(),
        quorum: standing.validators.quorum(),
        protocol: standing.protocol,
        parameters: standing.parameters.clone(),
        retired: standing.retired.clone(),
        page_hosts: standing.page_hosts.clone(),
        set_change: standing.set_change.clone(),
        open: standing.open.iter().map(|proposal| Told::new(proposal, standing)).collect(),
    }
}

fn describe(shown: &Shown, standing: &Standing, output: &Output) -> String {
    let mut text = format!("{}\n", output.paint(Tone::Strong, &shown.network));
    let mut row = |label: &str, value: String| text += &format!("  {label:<16}{}\n", harmless(&value));
    row("proven under", format!("block {} of {}", shown.height, utc(standing.time)));
    row(
        "governance",
        format!(
            "version {}, {} of {} operators must approve",
            shown.governance_version,
            shown.approvals_required,
            shown.operators.len()
        ),
    );
    for operator in &shown.operators {
        row("", format!("{} ({})", operator.name, operator.country));
        row("", format!("  {}", operator.did));
    }
    row("epoch", format!("{}, {} of {} validators make a block", shown.epoch, shown.quorum, shown.validators.len()));
    shown.validators.iter().for_each(|validator| row("", validator.clone()));
    if let Some((epoch, set)) = &standing.scheduled {
        let from = epoch.from.unwrap_or_default();
        row(
            "next epoch",
            format!("{} from block {from} on, {} of {}", epoch.epoch, set.quorum(), set.validators().len()),
        );
        set.validators().iter().for_each(|v| row("", format!("{}: {} ({})", v.name, v.operator, v.country)));
    }
    if let Some(change) = &shown.set_change
        && change.status == (SetChangeStatus::Waiting {})
    {
        let names: Vec<_> = change.awaited().map(|new| new.registration.name.clone()).collect();
        row(
            "waiting for",
            format!("{}, to follow the ledger and say so; {}", names.join(", "), when(change.from, standing)),
        );
    }
    row("protocol", held(standing.protocol, standing.newest_protocol.protocol, standing.newest_protocol.from));
    row("heartbeat", format!("{} s", standing.parameters.heartbeat_s));
    if standing.parameters != standing.newest_parameters.parameters {
        row("", format!("other parameters from block {} on", standing.newest_parameters.from.unwrap_or_default()));
    }
    for retired in &shown.retired {
        row("retired", format!("{} from block {} on", retired.algorithm, retired.from));
    }
    if !shown.page_hosts.is_empty() {
        row("official pages", shown.page_hosts.join(", "));
    }
    if !shown.open.is_empty() {
        text += "\nWaiting for approvals:\n";
        shown.open.iter().for_each(|told| text += &format!("  {}\n", harmless(&told.line())));
    }
    text
}

fn held(now: u32, newest: u32, from: Option<testamur_primitives::units::Height>) -> String {
    if now == newest {
        now.to_string()
    } else {
        format!("{now}, and {newest} from block {} on", from.unwrap_or_default())
    }
}
