//! `testamur verify FOLDER CONTAINER`: what changed, is missing, was added since the folder was notarised; offline.

use std::path::Path;

use serde::Serialize;
use testamur_client::bulk::compare::{Compared, Difference, compare};
use testamur_client::bulk::container::Container;
use testamur_client::bulk::folder::Progress;
use testamur_client::bulk::format::display_name;
use testamur_client::bulk::threads;
use testamur_primitives::receipt::{self, Facts, ReceiptError, Verdict};
use testamur_primitives::units::UnixTime;

use crate::bulk;
use crate::exit::{CommandError, Exit};
use crate::networks;
use crate::output::{Output, Tone, harmless, utc};

/// Names that `--json` lists of each kind: more are counted only, since one JSON document has to be in memory.
const LISTED_MAX: usize = 1_000_000;

/// What `--json` prints.
#[derive(Debug, Default, Serialize)]
struct Report {
    verdict: &'static str,
    exit_code: u8,
    folder: String,
    container: String,
    same: u64,
    changed: Vec<String>,
    missing: Vec<String>,
    added: Vec<String>,
    uncompared: Vec<String>,
    counts: Counts,
    #[serde(skip_serializing_if = "Option::is_none")]
    facts: Option<Facts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Debug, Default, Serialize)]
struct Counts {
    changed: u64,
    missing: u64,
    added: u64,
    uncompared: u64,
    left_out: u64,
    erased: u64,
}

/// Verifies a folder against its container, as of a time.
pub(crate) fn verify(
    folder: &Path,
    container_path: &Path,
    trust: Option<&Path>,
    at: UnixTime,
    output: &Output,
) -> Result<Exit, CommandError> {
    let refuse = |error: &_| match bulk::verdict_of(error) {
        Some(exit) => {
            output.error(&bulk::failed(error));
            Ok(exit)
        }
        None => Err(bulk::failed(error)),
    };
    let container = match Container::open(container_path) {
        Ok(container) => container,
        Err(error) => return refuse(&error),
    };
    let ledger = container.ledger();
    let trust = match trust.map(networks::read).transpose()? {
        Some(given) => Some(given),
        None => networks::find(ledger.network.genesis)?,
    };
    let verdict = match &trust {
        None => Verdict::CannotTell(ReceiptError::UnknownNetwork(ledger.network.genesis)),
        Some(installed) => receipt::verify(ledger, None, &installed.trust, at),
    };
    let mut report = Report {
        folder: folder.display().to_string(),
        container: container_path.display().to_string(),
        ..Report::default()
    };
    let compared = match &verdict {
        // A receipt that says nothing says nothing of the folder either.
        Verdict::NotValid(_) | Verdict::CannotTell(_) => Compared::default(),
        Verdict::Confirmed(_) | Verdict::OutOfOffice(_) => {
            let progress = Progress::default();
            let compared = bulk::shown(output, "compared", &progress, || {
                compare(&container, folder, threads(), &progress, |difference| tell(difference, &mut report, output))
            });
            match compared {
                Ok(compared) => compared,
                Err(error) => return refuse(&error),
            }
        }
    };
    let (name, exit) = judge(&verdict, &compared);
    let Compared { same, changed, missing, added, uncompared, omitted, erased } = compared;
    report.counts = Counts { changed, missing, added, uncompared, left_out: omitted, erased };
    (report.verdict, report.exit_code, report.same) = (name, exit as u8, same);
    match &verdict {
        Verdict::Confirmed(facts) | Verdict::OutOfOffice(facts) => report.facts = Some(facts.clone()),
        Verdict::NotValid(error) | Verdict::CannotTell(error) => report.error = Some(error.to_string()),
    }
    output.result(&report, || describe(&report, &verdict, exit, output));
    Ok(exit)
}

/// The worst decides: what is not as it was, then keys out of office, then what cannot be said.
fn judge(verdict: &Verdict, compared: &Compared) -> (&'static str, Exit) {
    match verdict {
        Verdict::NotValid(_) => ("not-valid", Exit::NotValid),
        Verdict::CannotTell(_) => ("cannot-tell", Exit::CannotTell),
        _ if compared.changed + compared.missing > 0 => ("changed", Exit::NotValid),
        Verdict::OutOfOffice(_) => ("out-of-office", Exit::OutOfOffice),
        _ if compared.uncompared > 0 => ("cannot-tell", Exit::CannotTell),
        _ if compared.added > 0 => ("added", Exit::CannotTell),
        Verdict::Confirmed(_) => ("confirmed", Exit::Ok),
    }
}

/// Prints a difference as it is found; keeps it for `--json`.
fn tell(difference: Difference, report: &mut Report, output: &Output) {
    let (tone, word, name, list) = match difference {
        Difference::Changed(name) => (Tone::Bad, "changed", display_name(&name), &mut report.changed),
        Difference::Missing(name) => (Tone::Bad, "missing", display_name(&name), &mut report.missing),
        Difference::Added(name) => (Tone::Warning, "added", display_name(&name), &mut report.added),
        Difference::Uncompared(omission) => {
            (Tone::Warning, "not compared", omission.to_string(), &mut report.uncompared)
        }
    };
    output.line(format!("{}  {}", output.paint(tone, &format!("{word:<12}")), harmless(&name)));
    if output.is_json() && list.len() < LISTED_MAX {
        list.push(name);
    }
}

fn describe(report: &Report, verdict: &Verdict, exit: Exit, output: &Output) -> String {
    let counts = &report.counts;
    let (facts, head) = match verdict {
        Verdict::NotValid(error) => {
            let head = output.paint(Tone::Bad, "NOT VALID");
            return format!("{head}: the container's receipt: {error} ({}).", error.code());
        }
        Verdict::CannotTell(error) => {
            let head = output.paint(Tone::Warning, "CANNOT TELL");
            return format!("{head}: the container's receipt: {error} ({}).", error.code());
        }
        Verdict::Confirmed(facts) | Verdict::OutOfOffice(facts) => (
            facts,
            match exit {
                Exit::Ok => output.paint(Tone::Good, "CONFIRMED"),
                Exit::NotValid => output.paint(Tone::Bad, "NOT AS IT WAS"),
                Exit::OutOfOffice => output.paint(Tone::Warning, "WITNESSED BY KEYS NO LONGER IN OFFICE"),
                _ => output.paint(Tone::Warning, "NOT ALL OF IT"),
            },
        ),
    };
    let mut parts = vec![format!("{} as they were on {}", report.same, utc(facts.time))];
    let kinds = [
        (counts.changed, "changed"),
        (counts.missing, "missing"),
        (counts.added, "added since, or left out then"),
        (counts.uncompared, "not compared"),
        (counts.erased, "erased from the container"),
        (counts.left_out, "left out: links, and what cannot be read"),
    ];
    parts.extend(kinds.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")));
    let mut text = format!("{head}: {}\n\n", parts.join(", "));
    let mut row = |label: &str, value: String| text += &format!("  {label:<13}{}\n", harmless(&value));
    row("folder", report.folder.clone());
    row("author", facts.author.to_string());
    row("when", format!("{} (block time)", utc(facts.time)));
    row("block", format!("{}, log index {} of {} records", facts.height, facts.index, facts.log_size));
    row("record", facts.record.to_string());
    row("witnesses", format!("{} of {} validators", facts.witnesses.len(), facts.validators));
    row("in office", format!("until {}", utc(facts.in_office_until)));
    row("network", facts.origin.clone());
    if exit == Exit::OutOfOffice {
        text += &format!("\nRefresh it before you rely on it: testamur refresh {}\n", harmless(&report.container));
    }
    text
}
