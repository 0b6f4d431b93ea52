//! `testamur diploma verify`: any file that holds diplomas, and what is to be thought of them.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use testamur_credentials::verify::{Policy, Reason, Verdict};
use testamur_paper::check::{Answer, Verifiers, find, worst};
use testamur_primitives::limits::RECEIPT_BYTES_MAX;
use testamur_primitives::units::UnixTime;

use super::render;
use super::source::{TrustOptions, read, shown};
use crate::exit::{CommandError, Exit};
use crate::files;
use crate::output::{Output, now, parse_time};

/// Arguments of `diploma verify`.
#[derive(Debug, Args)]
#[command(after_help = "\
A PDF, a diploma package, a credential, a share link in a file, or a zip archive of these. Whom to believe are the \
installed networks (`testamur network list`) or the file given with --trust. What the ledger says is asked of a node, \
and proven; no node learns which diploma is looked at. Without a node the proofs that came with the file are used, and \
the answer says how old they are.

Exit codes: 0 valid, 3 not valid, 4 cannot tell, 1 a file cannot be read. Of several files the worst counts.")]
pub(crate) struct Verify {
    /// The files, or share links; `-` reads one from standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The receipt of the file, where it is not inside [default: FILE.receipt.json if that is there]
    #[arg(long, value_name = "FILE")]
    receipt: Option<PathBuf>,
    /// Judge as of this time: 2027-01-31T12:00:00Z, a date, or seconds since 1970 [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<UnixTime>,
    #[command(flatten)]
    trust: TrustOptions,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    verdict: Verdict,
    reason: Reason,
    exit_code: u8,
    files: &'a [FileReport],
}

/// What is said of one file.
#[derive(Debug, Serialize)]
pub(crate) struct FileReport {
    file: String,
    #[serde(flatten)]
    answer: Answer,
    /// Nodes that were asked and passed over, and why.
    #[cfg(feature = "node")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    nodes: Vec<testamur_verifier::check::NodeFault>,
}

/// A file to verify.
struct Given {
    file: String,
    bytes: Vec<u8>,
    receipt: Option<Vec<u8>>,
}

impl Verify {
    /// Verifies, prints, and turns the worst verdict into an exit code.
    pub(crate) fn run(self, output: &Output) -> Result<Exit, CommandError> {
        if self.receipt.is_some() && self.files.len() > 1 {
            return Err(CommandError::failed(
                "cli.usage",
                "--receipt belongs to one file, and several are given",
                "verify them one by one, or put each beside its FILE.receipt.json",
            ));
        }
        let policy = Policy { at: self.at, ..Policy::now(now()?) };
        let verifiers = self.trust.verifiers()?;
        let judge = Judge::new(&self.trust, verifiers, policy, output)?;
        let mut reports = Vec::with_capacity(self.files.len());
        let mut unread = None;
        for path in &self.files {
            let report = match self.given(path).and_then(|given| judge.file(given)) {
                Ok(report) => report,
                // Of many files one that cannot be read keeps nobody from the verdicts on the others.
                Err(error) if self.files.len() > 1 => {
                    output.error(&error);
                    unread = Some(Exit::Operational);
                    continue;
                }
                Err(error) => return Err(error),
            };
            if self.files.len() > 1 {
                report.print_line(output);
            }
            reports.push(report);
        }
        let all = reports.iter().map(|report| (report.answer.verdict, report.answer.reason));
        let Some((verdict, reason)) = worst(all) else { return Ok(Exit::Operational) };
        let exit = unread.unwrap_or(exit_of(verdict));
        let report = Report { verdict, reason, exit_code: exit as u8, files: &reports };
        output.result(&report, || match reports.as_slice() {
            [one] if self.files.len() == 1 => one.text(output),
            many => summary(many),
        });
        Ok(exit)
    }

    fn given(&self, path: &Path) -> Result<Given, CommandError> {
        let beside = crate::commands::verify::receipt_path_of(path);
        let receipt = match &self.receipt {
            Some(receipt) => Some(receipt.as_path()),
            None => (path != Path::new("-") && beside.is_file()).then_some(beside.as_path()),
        };
        let receipt = receipt.map(|receipt| files::read_at_most(receipt, RECEIPT_BYTES_MAX)).transpose()?;
        Ok(Given { file: shown(path), bytes: read(path)?, receipt })
    }
}

/// The exit code of a verdict.
pub(crate) fn exit_of(verdict: Verdict) -> Exit {
    match verdict {
        Verdict::Valid => Exit::Ok,
        Verdict::NotValid => Exit::NotValid,
        Verdict::CannotTell => Exit::CannotTell,
    }
}

/// What judges: with the ledger where a node is known, else with what came along.
struct Judge {
    policy: Policy,
    #[cfg(feature = "node")]
    online: Option<(tokio::runtime::Runtime, testamur_verifier::check::Checker)>,
    verifiers: std::sync::Arc<Verifiers>,
}

impl Judge {
    #[cfg(feature = "node")]
    fn new(
        trust: &TrustOptions,
        verifiers: std::sync::Arc<Verifiers>,
        policy: Policy,
        output: &Output,
    ) -> Result<Self, CommandError> {
        let online = match super::source::registry(trust, &verifiers)? {
            Some(registry) => {
                let checker = testamur_verifier::check::Checker::new(std::sync::Arc::clone(&verifiers), vec![registry]);
                Some((crate::service::runtime()?, checker))
            }
            None => {
                if !trust.offline {
                    output.note(
                        "no node is known: judged by the proofs that came with the file (--node URL asks the ledger)",
                    );
                }
                None
            }
        };
        Ok(Self { policy, online, verifiers })
    }

    #[cfg(not(feature = "node"))]
    fn new(
        _trust: &TrustOptions,
        verifiers: std::sync::Arc<Verifiers>,
        policy: Policy,
        _output: &Output,
    ) -> Result<Self, CommandError> {
        Ok(Self { policy, verifiers })
    }

    fn file(&self, given: Given) -> Result<FileReport, CommandError> {
        let Given { file, bytes, receipt } = given;
        #[cfg(feature = "node")]
        if let Some((runtime, checker)) = &self.online {
            let checked = runtime
                .block_on(checker.check(testamur_verifier::check::File { bytes, receipt, at: self.policy.at }))
                .map_err(|failed| CommandError::failed("diploma.failed", failed, "report it with the file's format"))?;
            return Ok(FileReport { file, answer: checked.answer, nodes: checked.nodes });
        }
        let found = find(&bytes, receipt.as_deref());
        let answer = Answer::new(found.iter().map(|found| self.verifiers.judge(found, &self.policy)).collect());
        Ok(FileReport {
            file,
            answer,
            #[cfg(feature = "node")]
            nodes: Vec::new(),
        })
    }
}

impl FileReport {
    /// What each credential of the file is called.
    fn named(&self) -> impl Iterator<Item = (String, &testamur_credentials::verify::Report)> {
        self.answer.reports.iter().map(|named| match &named.name {
            Some(name) => (format!("{}: {name}", self.file), &named.report),
            None => (self.file.clone(), &named.report),
        })
    }

    fn print_line(&self, output: &Output) {
        for (name, report) in self.named() {
            output.line(render::line(report, &name, output));
        }
    }

    /// Everything about one file; of an archive with several a line each.
    fn text(&self, output: &Output) -> String {
        let text = match self.answer.reports.as_slice() {
            [one] => render::report(&one.report, &self.file, output),
            _ => {
                let lines: Vec<_> = self.named().map(|(name, report)| render::line(report, &name, output)).collect();
                format!("{}\n\n{}", lines.join("\n"), summary(core::slice::from_ref(self)))
            }
        };
        format!("{}\n{}", text.trim_end(), self.faults())
    }

    /// What was wrong with the nodes that were asked.
    #[cfg(feature = "node")]
    fn faults(&self) -> String {
        let line = |fault: &testamur_verifier::check::NodeFault| {
            let what = if fault.suspect { "a node's answer does not hold" } else { "a node gave no answer" };
            format!("  {what}: {} ({})\n", crate::output::harmless(&fault.message), fault.code)
        };
        self.nodes.iter().map(line).collect()
    }

    #[cfg(not(feature = "node"))]
    fn faults(&self) -> String {
        String::new()
    }
}

/// How many of each.
fn summary(reports: &[FileReport]) -> String {
    let verdicts: Vec<_> =
        reports.iter().flat_map(|report| &report.answer.reports).map(|named| named.report.verdict).collect();
    let count = |verdict| verdicts.iter().filter(|found| **found == verdict).count();
    format!(
        "{} credentials: {} valid, {} not valid, {} cannot tell",
        verdicts.len(),
        count(Verdict::Valid),
        count(Verdict::NotValid),
        count(Verdict::CannotTell)
    )
}
