//! Rehearses an act by the ledger's own rules over proven state, shows what it does, asks, signs, sends.

use core::marker::PhantomData;
use std::io::{BufRead as _, IsTerminal as _, Write as _};

use serde::Serialize;
use testamur_client::author::Author;
use testamur_client::limits::FINAL_TIMEOUT;
use testamur_client::nodes::FinaliseError;
use testamur_primitives::did::Did;
use testamur_primitives::hash::RecordId;
use testamur_primitives::record::{Act, Change, Record, Reference};
use testamur_primitives::units::UnixTime;
use testamur_registry::governance::ProposalStatus;
use testamur_registry::limits::PROTOCOL;
use testamur_registry::state::{StateError, StateReader};
use testamur_registry::{ApplyError, BlockContext, Execution, Outcome, Rejection, ReplayWindow, check_stateless};

use super::preview::Preview;
use super::show::{status_name, unknown};
use super::standing::{Desk, Standing};
use super::{Life, OperatorOptions};
use crate::exit::{CommandError, Exit};
use crate::keystore::{Access, Key, KeyKind};
use crate::output::{Output, Tone, harmless, now, utc};

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    record: String,
    proposal: String,
    height: u64,
    time: u64,
    status: &'static str,
    approvals_required: u32,
    approvals_needed: usize,
    preview: Preview,
}

/// An act before it is sent.
struct Signed {
    record: Record,
    proposal: RecordId,
    preview: Preview,
}

/// Proposes a change.
pub(super) async fn propose(
    desk: &Desk,
    what: &dyn super::changes::Typed,
    life: &Life,
    operator: &OperatorOptions,
    output: &Output,
) -> Result<Exit, CommandError> {
    let author = author(desk, operator)?;
    let standing = desk.standing().await?;
    let change = what.change(&standing)?;
    check_known(&change)?;
    let preview = Preview::new(&change, &standing).approvals(&standing, None, Some(author.did()));
    let expires = UnixTime(now()?.0 + u64::from(life.days) * 24 * 3_600);
    let governance_version = operator.governance_version.unwrap_or(standing.governance.version);
    let record = sign(&author, Act::Propose { change, governance_version, expires })?;
    let signed = Signed { proposal: record.id(), record, preview };
    send(desk, &standing, signed, operator, output).await
}

/// Approves a proposal, after its preview.
pub(super) async fn approve(
    desk: &Desk,
    id: RecordId,
    operator: &OperatorOptions,
    output: &Output,
) -> Result<Exit, CommandError> {
    let author = author(desk, operator)?;
    let standing = desk.standing().await?;
    let proposal = desk.proposal(id).await?.ok_or_else(|| unknown(id))?;
    check_known(&proposal.entry.change)?;
    let preview =
        Preview::new(&proposal.entry.change, &standing).approvals(&standing, Some(&proposal), Some(author.did()));
    let governance_version = operator.governance_version.unwrap_or(standing.governance.version);
    let record = sign(&author, Act::Approve { proposal: id, governance_version })?;
    send(desk, &standing, Signed { record, proposal: id, preview }, operator, output).await
}

/// Nobody signs for a protocol that his own release does not know: the network stops at its first height, and an act that
/// could take it back could not be decided any more.
fn check_known(change: &Change) -> Result<(), CommandError> {
    match change {
        Change::SetProtocol { protocol, .. } if *protocol > PROTOCOL => Err(CommandError::failed(
            "governance.protocol-unknown",
            format!("this release knows protocol {PROTOCOL}, not {protocol}. Nothing was sent"),
            "install a release that knows it, on every node first: one that does not stops there",
        )),
        _ => Ok(()),
    }
}

fn author(desk: &Desk, operator: &OperatorOptions) -> Result<Author, CommandError> {
    let access = Access { passphrase: operator.passphrase.read()?, insecure_dev: operator.insecure_dev };
    let key = Key::read(&operator.key, KeyKind::Operator, &access)?;
    Ok(Author::new(key.into_signing(), desk.installed.trust.network()))
}

fn sign(author: &Author, act: Act) -> Result<Record, CommandError> {
    author.sign(act).map_err(|e| CommandError::failed("governance.sign", e, ""))
}

async fn send(
    desk: &Desk,
    standing: &Standing,
    signed: Signed,
    operator: &OperatorOptions,
    output: &Output,
) -> Result<Exit, CommandError> {
    let Signed { record, proposal, preview } = signed;
    let verb = match record.act() {
        Act::Approve { .. } => "Approve",
        _ => "Propose",
    };
    let (clock, genesis) = (now()?, desk.installed.trust.network());
    let rehearsed = desk
        .read(
            |state, height, time| {
                let context =
                    BlockContext { genesis, protocol: standing.protocol, height: height.next(), time: clock.max(time) };
                rehearse(&state, context, &record)
            },
            None,
        )
        .await?;
    if let Err(rejection) = rehearsed {
        return Err(rejected(&rejection, standing, record.author()));
    }
    output.line(format!(
        "{}\n{}",
        output.paint(Tone::Strong, &format!("{verb}: {}", preview.what)),
        harmless(&preview.text())
    ));
    if !operator.yes && !agreed(verb, output)? {
        return Err(CommandError::failed("governance.not-agreed", "nothing was signed into the ledger", ""));
    }
    let cut = desk.registry.submit(&record, None, FINAL_TIMEOUT).await.map_err(|e| refused(&e))?;
    let facts = cut.facts();
    // What became of it may differ from what was expected: others approve meanwhile.
    let (after, found) = (desk.standing().await?, desk.proposal(proposal).await?.ok_or_else(|| unknown(proposal))?);
    let status = found.status(&after.governance, after.time);
    let approvals = found.approvals.iter().filter(|approval| after.governance.is_operator(&approval.operator)).count();
    let report = Report {
        record: record.id().to_string(),
        proposal: proposal.to_string(),
        height: facts.height.0,
        time: facts.time.0,
        status: status_name(status),
        approvals_required: after.governance.approvals_required,
        approvals_needed: match status {
            ProposalStatus::Executed => 0,
            _ => (after.governance.approvals_required as usize).saturating_sub(approvals),
        },
        preview,
    };
    output.result(&report, || describe(&report, verb, desk, output));
    Ok(Exit::Ok)
}

fn describe(report: &Report, verb: &str, desk: &Desk, output: &Output) -> String {
    let needed = report.approvals_needed;
    let (done, next) = match (report.status, verb) {
        ("executed", "Propose") => ("Proposed and, one approval being enough, executed".to_owned(), String::new()),
        ("executed", _) => (format!("Approved and executed: proposal {}", report.proposal), String::new()),
        ("open", _) => {
            let done = match verb {
                "Propose" => format!("Proposed; {} approvals in all are needed", report.approvals_required),
                _ => format!("Approved proposal {}; {needed} more to approve", report.proposal),
            };
            (done, format!("\n\nOther operators approve with: testamur governance approve {}", report.proposal))
        }
        (status, _) => (format!("{verb}d, and the proposal is {status}"), String::new()),
    };
    format!(
        "{}\n  record   {}\n  block    {} of {}\n  network  {}{next}",
        output.paint(Tone::Good, &done),
        report.record,
        report.height,
        utc(UnixTime(report.time)),
        desk.installed.trust.origin(),
    )
}

/// Asks a person at a terminal. Programs are not asked: they say what they do by what they call.
fn agreed(verb: &str, output: &Output) -> Result<bool, CommandError> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() || output.is_json() || output.is_quiet() {
        return Ok(true);
    }
    let failed =
        |e: std::io::Error| CommandError::failed("cli.terminal", format!("no answer can be read: {e}"), "say --yes");
    let mut stderr = std::io::stderr().lock();
    write!(stderr, "{verb} this, with your signature? [y/N] ").and_then(|()| stderr.flush()).map_err(failed)?;
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer).map_err(failed)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// What the rules say of a record, over a state. What the log alone knows (ids of the last day) is left out: the record was
/// just made.
fn rehearse<R: StateReader>(
    state: &R,
    context: BlockContext,
    record: &Record,
) -> Result<Result<Outcome, Rejection>, StateError<R::Error>> {
    let checked = match check_stateless(record.clone()) {
        Ok(checked) => checked,
        Err(rejection) => return Ok(Err(rejection)),
    };
    let window = EmptyWindow(PhantomData);
    // A protocol that this binary does not know: the node says what is wrong, by its own rules.
    let Ok(mut execution) = Execution::new(state, &window, context) else {
        return Ok(Ok(Outcome::Proposed { executed: None }));
    };
    match execution.apply(&checked) {
        Ok(outcome) => Ok(Ok(outcome)),
        Err(ApplyError::Rejected(rejection)) => Ok(Err(rejection)),
        Err(ApplyError::State(error)) => Err(error),
    }
}

/// Nothing was admitted lately.
struct EmptyWindow<E>(PhantomData<E>);

impl<E> ReplayWindow for EmptyWindow<E> {
    type Error = E;

    fn contains_id(&self, _: &RecordId) -> Result<bool, E> {
        Ok(false)
    }

    fn contains_jti(&self, _: &Did, _: &Reference) -> Result<bool, E> {
        Ok(false)
    }
}

/// What the rules would answer, before anything is sent.
fn rejected(rejection: &Rejection, standing: &Standing, author: &Did) -> CommandError {
    let (code, _) = rejection.code();
    let what = format!("the ledger would refuse this: {rejection}. Nothing was sent");
    CommandError::failed(code, what, hint(code, Some((standing, author))))
}

fn refused(error: &FinaliseError) -> CommandError {
    let (code, hint) = match error {
        FinaliseError::Unreachable(_) => ("governance.submit", "check --node, and whether the nodes run".into()),
        FinaliseError::Busy { problem, .. } => (problem.code.as_str(), "try again in a moment".into()),
        FinaliseError::Refused { problem, .. } => (problem.code.as_str(), hint(&problem.code, None)),
        FinaliseError::Unknown { .. } | FinaliseError::Receipt { .. } => {
            ("governance.submit", "look at `testamur governance history` before you sign anew".into())
        }
    };
    CommandError::failed(code, error, hint)
}

/// What to do about a rejection.
fn hint(code: &str, standing: Option<(&Standing, &Did)>) -> String {
    match code {
        "governance.not-an-operator" => match standing {
            Some((standing, author)) => {
                let operators: Vec<_> = standing.governance.operators.iter().map(|o| o.name.as_str()).collect();
                format!("{author} is not in office (any more): operators are {}", operators.join(", "))
            }
            None => "`testamur governance show` lists the operators in office".into(),
        },
        "governance.version-mismatch" => {
            "another change was executed meanwhile: look at it with `testamur governance show`, then decide anew".into()
        }
        "governance.proposal-lapsed" => {
            "another change was executed after it was made: it has to be proposed anew".into()
        }
        "governance.proposal-expired" => "it has to be proposed anew".into(),
        "governance.already-approved" => "`testamur governance show PROPOSAL` says who still has to approve".into(),
        "governance.already-executed" => "`testamur governance show` says how things stand".into(),
        "governance.set-size" => {
            "let others join first, or in the same change: `governance propose change-validators`".into()
        }
        "governance.set-change-pending" => {
            "wait for it, or end it with `governance propose withdraw-set-change`".into()
        }
        "governance.threshold" => "say how many must approve from then on with --approvals".into(),
        _ => String::new(),
    }
}
