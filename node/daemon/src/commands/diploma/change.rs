//! `testamur diploma correct|revoke|suspend|reinstate`, `approve`, `changes`: one person proposes, another approves.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;
use testamur_registrar::changes::{
    Action, ChangeFile, Consent, ReinstateReason, RevokeReason, Role, Stage, SuspendReason,
};
use testamur_registrar::files::format_name;
use testamur_registrar::import::Import;
use testamur_registrar::store::AwardKey;
use testamur_registrar::{Office, Progress};

use super::issue::{Bar, Graduates, refused};
use super::staff::PersonOptions;
use crate::entity::office;
use crate::entity::options::{HomeOptions, LedgerOptions};
use crate::exit::{CommandError, Exit};
use crate::output::{Output, Tone, harmless, now, utc};
use crate::{files, service};

/// Bytes of a file of ids.
const IDS_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Diplomas that a preview shows one by one.
const SHOWN: usize = 200;

/// Arguments of `diploma correct`.
#[derive(Debug, Args)]
#[command(after_help = "\
Rows that say what was issued are left out; every other is a correction. Another person approves it with \
`testamur diploma approve`: then the corrected diplomas are issued and the old ones withdrawn, and the old ones answer \
\"replaced\". Nothing in a corrected diploma names the one it replaces.")]
pub(crate) struct Correct {
    #[command(flatten)]
    rows: Graduates,
    /// Show what would change, field by field; propose nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    person: PersonOptions,
    #[command(flatten)]
    home: HomeOptions,
    #[command(flatten)]
    ledger: LedgerOptions,
}

/// Which diplomas.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The award's id, or REGISTRAR/AWARD; may be given several times
    #[arg(value_name = "ID", required_unless_present = "from", conflicts_with = "from")]
    id: Vec<String>,
    /// A file with one id a line, or a table whose first two columns are registrar and award
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    #[command(flatten)]
    person: PersonOptions,
    #[command(flatten)]
    home: HomeOptions,
    #[command(flatten)]
    ledger: LedgerOptions,
}

/// Arguments of `diploma revoke`.
#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// Why: issued-in-error, obtained-by-fraud, decision-of-authority, at-holders-request. Kept in the archive only
    #[arg(long, value_name = "CODE")]
    reason: RevokeReason,
    #[command(flatten)]
    which: Which,
}

/// Arguments of `diploma suspend`.
#[derive(Debug, Args)]
pub(crate) struct Suspend {
    /// Why: under-investigation, decision-of-authority, at-holders-request. Kept in the archive only
    #[arg(long, value_name = "CODE")]
    reason: SuspendReason,
    #[command(flatten)]
    which: Which,
}

/// Arguments of `diploma reinstate`.
#[derive(Debug, Args)]
pub(crate) struct Reinstate {
    /// Why: investigation-closed, decision-of-authority, at-holders-request, suspended-in-error. Kept in the archive only
    #[arg(long, value_name = "CODE")]
    reason: ReinstateReason,
    #[command(flatten)]
    which: Which,
}

/// Arguments of `diploma approve`.
#[derive(Debug, Args)]
pub(crate) struct Approve {
    /// The change: the first digits of its id, at least eight
    change: String,
    /// The folder that corrected diplomas are written to
    #[arg(long, short, value_name = "DIR", default_value = "diplomas")]
    out: PathBuf,
    #[command(flatten)]
    person: PersonOptions,
    #[command(flatten)]
    home: HomeOptions,
    #[command(flatten)]
    ledger: LedgerOptions,
}

/// Subcommands of `diploma changes`.
#[derive(Debug, Subcommand)]
pub(crate) enum Changes {
    /// List changes, the open ones first
    List(Look),
    /// Show a change: what it does, who agreed, how far it is
    Show(One),
    /// Give a proposal up
    Withdraw(Withdraw),
    /// Go on with whatever was approved and is not done
    Resume(Look),
}

/// Arguments of `diploma changes list` and `resume`.
#[derive(Debug, Args)]
pub(crate) struct Look {
    #[command(flatten)]
    home: HomeOptions,
    #[command(flatten)]
    ledger: LedgerOptions,
}

/// Arguments of `diploma changes show`.
#[derive(Debug, Args)]
pub(crate) struct One {
    /// The first digits of its id, at least eight
    change: String,
    #[command(flatten)]
    home: HomeOptions,
    #[command(flatten)]
    ledger: LedgerOptions,
}

/// Arguments of `diploma changes withdraw`.
#[derive(Debug, Args)]
pub(crate) struct Withdraw {
    /// The first digits of its id, at least eight
    change: String,
    #[command(flatten)]
    person: PersonOptions,
    #[command(flatten)]
    home: HomeOptions,
    #[command(flatten)]
    ledger: LedgerOptions,
}

impl Correct {
    /// Runs it.
    pub(crate) fn run(self, output: &Output) -> Result<Exit, CommandError> {
        service::runtime()?.block_on(async {
            let (Import { drafts, faults, rows, .. }, _) = self.rows.read()?;
            if !faults.is_empty() {
                return Err(refused(&faults, rows));
            }
            let office = office::open(&self.home, &self.ledger, output).await?;
            let drafts = drafts.into_iter().map(|(_, draft)| draft).collect();
            let (corrections, unchanged) = office.corrections_of(drafts)?;
            let change = office.draw_up(Action::Correct { corrections }, now()?).await?;
            output.note(format!("{unchanged} rows say what was issued: they are left out"));
            if self.dry_run {
                let previews = office.preview_change(&change)?;
                output.result(&previews, || {
                    format!(
                        "{}\n{}",
                        output.paint(Tone::Strong, "DRY RUN: nothing was proposed"),
                        lines(&previews, output)
                    )
                });
                return Ok(Exit::Ok);
            }
            show_proposed(&office, &self.person.propose(&office, &self.home, change)?, output)
        })
    }
}

impl Which {
    fn propose(
        self,
        output: &Output,
        action: impl FnOnce(Vec<testamur_registrar::store::DiplomaKey>) -> Action,
    ) -> Result<Exit, CommandError> {
        service::runtime()?.block_on(async {
            let names = match &self.from {
                None => self.id.clone(),
                Some(path) => {
                    let text = String::from_utf8(files::read_at_most(path, IDS_BYTES_MAX)?)
                        .map_err(|_| CommandError::content(path, "is no UTF-8", "save it as UTF-8, one id a line"))?;
                    ids_of(&text)
                }
            };
            let office = office::open(&self.home, &self.ledger, output).await?;
            let diplomas = office.diplomas_named(&names)?;
            let change = office.draw_up(action(diplomas), now()?).await?;
            show_proposed(&office, &self.person.propose(&office, &self.home, change)?, output)
        })
    }
}

/// The ids of a file: one a line, or the first two cells of a table.
fn ids_of(text: &str) -> Vec<String> {
    let cell = |cell: &str| cell.trim().trim_matches('"').trim().to_owned();
    let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim).filter(|line| !line.is_empty());
    let ids = lines.map(|line| {
        let cells: Vec<_> = line.split([',', ';', '\t']).map(cell).collect();
        match cells.as_slice() {
            [registrar, award, ..] if !award.is_empty() => format!("{registrar}/{award}"),
            [id, ..] => id.clone(),
            [] => String::new(),
        }
    });
    let is_header =
        |id: &String| matches!(id.to_ascii_lowercase().as_str(), "id" | "award" | "registrar/award" | "student/award");
    let mut ids: Vec<_> = ids.collect();
    if ids.first().is_some_and(is_header) {
        ids.remove(0);
    }
    ids
}

impl Revoke {
    /// Runs it.
    pub(crate) fn run(self, output: &Output) -> Result<Exit, CommandError> {
        let reason = self.reason;
        self.which.propose(output, |diplomas| Action::Revoke { reason, diplomas })
    }
}

impl Suspend {
    /// Runs it.
    pub(crate) fn run(self, output: &Output) -> Result<Exit, CommandError> {
        let reason = self.reason;
        self.which.propose(output, |diplomas| Action::Suspend { reason, diplomas })
    }
}

impl Reinstate {
    /// Runs it.
    pub(crate) fn run(self, output: &Output) -> Result<Exit, CommandError> {
        let reason = self.reason;
        self.which.propose(output, |diplomas| Action::Reinstate { reason, diplomas })
    }
}

impl Approve {
    /// Runs it.
    pub(crate) fn run(self, output: &Output) -> Result<Exit, CommandError> {
        service::runtime()?.block_on(async {
            let office = office::open(&self.home, &self.ledger, output).await?;
            let file = office.find_change(&self.change)?;
            if file.stage == Stage::Proposed {
                let text = lines(&office.preview_change(&file.change)?, output);
                output.line(format!("{} proposed by {}:\n{text}", describe(&file), file.proposal.person));
            }
            let time = now()?;
            let consent =
                Consent::sign(&file.change, Role::Approver, &self.person.by, time, &self.person.key(&self.home)?);
            office.approve(file.id, consent, time)?;
            let bar = Bar::new(output);
            let done = office.carry_out(file.id, &|progress: Progress| bar.show(progress)).await;
            bar.clear();
            let done = done?;
            let written = write_corrected(&office, &done, &self.out)?;
            show_done(&done, written, output);
            Ok(Exit::Ok)
        })
    }
}

/// Writes the files of corrected diplomas.
fn write_corrected(office: &Office, done: &ChangeFile, out: &std::path::Path) -> Result<usize, CommandError> {
    let Action::Correct { .. } = &done.change.action else { return Ok(0) };
    let keys: Vec<AwardKey> = done.change.action.diplomas().iter().map(|diploma| diploma.award).collect();
    Ok(office.write_files(&keys, out, &|_| {}, |_, _| {})?.made)
}

impl Changes {
    /// Runs the subcommand.
    pub(crate) fn run(self, output: &Output) -> Result<Exit, CommandError> {
        service::runtime()?.block_on(async {
            match self {
                Self::List(Look { home, ledger }) => {
                    let mut all = office::open(&home, &ledger, output).await?.changes()?;
                    all.sort_by_key(|file| (file.stage.is_closed(), file.change.proposed));
                    let told: Vec<_> = all.iter().map(Told::of).collect();
                    output.result(&told, || {
                        if all.is_empty() {
                            return "No change was ever proposed.".into();
                        }
                        all.iter().map(|file| format!("{}\n", describe(file))).collect()
                    });
                }
                Self::Show(One { change, home, ledger }) => {
                    let office = office::open(&home, &ledger, output).await?;
                    let file = office.find_change(&change)?;
                    let previews = office.preview_change(&file.change)?;
                    output.result(&Told::of(&file), || {
                        let approved = file.approval.as_ref().map_or_else(
                            || format!("not approved yet; can be until {}", utc(file.change.expires)),
                            |approval| format!("approved by {} {}", approval.person, utc(approval.time)),
                        );
                        let (person, time) = (&file.proposal.person, utc(file.change.proposed));
                        format!(
                            "{}\n  proposed by {person} {time}\n  {approved}\n{}",
                            describe(&file),
                            lines(&previews, output)
                        )
                    });
                }
                Self::Withdraw(Withdraw { change, person, home, ledger }) => {
                    // Whoever cannot open the person's key is not that person.
                    person.key(&home)?;
                    let office = office::open(&home, &ledger, output).await?;
                    let file = office.find_change(&change)?;
                    let file = office.withdraw(file.id, &person.by, now()?)?;
                    output.result(&Told::of(&file), || format!("{}: nothing was changed", describe(&file)));
                }
                Self::Resume(Look { home, ledger }) => {
                    let office = office::open(&home, &ledger, output).await?;
                    let bar = Bar::new(output);
                    let told = office.resume_changes(&|progress: Progress| bar.show(progress)).await;
                    bar.clear();
                    let mut failed = None;
                    for (id, result) in told? {
                        match result {
                            Ok(()) => show_done(&office.change(id)?, 0, output),
                            Err(error) => failed = Some(error),
                        }
                    }
                    if let Some(error) = failed {
                        return Err(error.into());
                    }
                }
            }
            Ok(Exit::Ok)
        })
    }
}

/// A change for programs.
#[derive(Serialize)]
struct Told {
    change: String,
    r#do: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    stage: &'static str,
    diplomas: usize,
    proposer: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    approver: Option<String>,
    expires: u64,
    answers: std::collections::BTreeMap<String, usize>,
}

impl Told {
    fn of(file: &ChangeFile) -> Self {
        let mut answers = std::collections::BTreeMap::new();
        for answer in &file.answers {
            *answers.entry(answer.reason.clone()).or_insert(0) += 1;
        }
        Self {
            change: file.id.to_string(),
            r#do: file.change.action.name(),
            reason: file.change.action.reason(),
            stage: file.stage.name(),
            diplomas: file.change.action.diplomas().len(),
            proposer: file.proposal.person.to_string(),
            approver: file.approval.as_ref().map(|approval| approval.person.to_string()),
            expires: file.change.expires.0,
            answers,
        }
    }
}

fn describe(file: &ChangeFile) -> String {
    let action = &file.change.action;
    let what = match action {
        Action::Join { name, .. } | Action::Leave { name } => name.to_string(),
        _ => match action.diplomas().len() {
            1 => "1 diploma".to_owned(),
            count => format!("{count} diplomas"),
        },
    };
    let reason = action.reason().map_or_else(String::new, |reason| format!(" ({reason})"));
    format!("{}  {} {what}{reason}: {}", &file.id.to_string()[..12], action.name(), file.stage.name())
}

/// Says what was proposed, and what comes next.
pub(crate) fn show_proposed(office: &Office, file: &ChangeFile, output: &Output) -> Result<Exit, CommandError> {
    let previews = office.preview_change(&file.change)?;
    output.result(&Told::of(file), || {
        format!(
            "{}\n{}\nNothing has changed yet: another person of the desk runs\n  testamur diploma approve {} --by NAME",
            describe(file),
            lines(&previews, output),
            &file.id.to_string()[..12],
        )
    });
    Ok(Exit::Ok)
}

fn show_done(file: &ChangeFile, written: usize, output: &Output) {
    output.result(&Told::of(file), || {
        let mut text = format!("{} {}\n", output.paint(Tone::Good, "DONE:"), describe(file));
        let mut counts = std::collections::BTreeMap::new();
        for answer in &file.answers {
            *counts.entry((format_name(answer.format), &answer.verdict, &answer.reason)).or_insert(0usize) += 1;
        }
        for ((format, verdict, reason), count) in counts {
            text.push_str(&format!("  {count:>6}  {format}: {verdict} ({reason})\n"));
        }
        if !file.answers.is_empty() {
            text.push_str("  Each was verified again, from the ledger.\n");
        }
        if written > 0 {
            text.push_str(&format!("  {written} files of corrected diplomas written\n"));
        }
        text
    });
}

/// What changes, diploma by diploma: for the terminal of who proposes and who approves.
fn lines(previews: &[testamur_registrar::changes::preview::Preview], output: &Output) -> String {
    let value = |value: &Option<serde_json::Value>| match value {
        None => "–".to_owned(),
        Some(serde_json::Value::String(text)) => harmless(text),
        Some(other) => harmless(&other.to_string()),
    };
    let mut text = String::new();
    for preview in previews.iter().take(SHOWN) {
        let id = output.paint(Tone::Strong, &preview.award.to_string());
        text.push_str(&format!("  {id} ({})\n", preview.state));
        for difference in &preview.differences {
            let (field, before, after) = (&difference.field, value(&difference.before), value(&difference.after));
            text.push_str(&format!("    {field}: {before} → {after}\n"));
        }
    }
    if previews.len() > SHOWN {
        text.push_str(&format!("  … and {} more\n", previews.len() - SHOWN));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_stand_one_a_line_or_in_two_columns() {
        assert_eq!(ids_of("id\nA1\r\n\n A2 \n"), ["A1", "A2"]);
        assert_eq!(ids_of("\u{feff}registrar;award;name\n\"M1\";\"A1\";x\nM2;A2;y\n"), ["M1/A1", "M2/A2"]);
        assert_eq!(ids_of("M1/A1\nA2,\n"), ["M1/A1", "A2"]);
        assert!(ids_of("\n\n").is_empty());
    }
}
