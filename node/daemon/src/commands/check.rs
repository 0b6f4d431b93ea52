//! `testamur check`: derives a node's whole ledger from genesis again, and says what is wrong, and where.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;
use testamur_primitives::genesis::Genesis;
use testamur_primitives::limits::TRUST_BYTES_MAX;
use testamur_store::{CheckReport, Progress, StoreError, check};

use crate::config::NodeConfig;
use crate::exit::{CommandError, Exit};
use crate::files;
use crate::output::{Output, Tone};

/// Findings that are shown to a person.
const LINES_MAX: usize = 20;

/// Arguments of `check`.
#[derive(Debug, Args)]
#[command(after_help = "\
The node must be stopped. Nothing is repaired: keep a damaged directory as evidence and start the node with an empty \
one; it fetches everything from its peers.

Exit codes: 0 all is well, 3 something is wrong, 1 the directory cannot be opened.")]
pub(crate) struct Check {
    /// The node's directory (with config.toml), or its config.toml
    #[arg(long, value_name = "DIR", conflicts_with_all = ["data", "genesis"], required_unless_present = "data")]
    dir: Option<PathBuf>,
    /// A directory of data by itself
    #[arg(long, value_name = "DIR", requires = "genesis")]
    data: Option<PathBuf>,
    /// Its network's genesis
    #[arg(long, value_name = "FILE", requires = "data")]
    genesis: Option<PathBuf>,
}

#[derive(Serialize)]
struct Report<'a> {
    clean: bool,
    height: u64,
    header: String,
    log_size: u64,
    findings_count: u64,
    findings: Vec<FindingReport<'a>>,
}

#[derive(Serialize)]
struct FindingReport<'a> {
    place: &'a str,
    what: &'a str,
}

impl Check {
    /// Checks the ledger.
    pub(crate) fn run(self, output: &Output) -> Result<Exit, CommandError> {
        let (data, genesis) = match (self.dir, self.data, self.genesis) {
            (_, Some(data), Some(genesis)) => (data, genesis),
            (Some(dir), _, _) => {
                let config = NodeConfig::read(&if dir.is_dir() { dir.join("config.toml") } else { dir })?;
                (config.storage.data, config.genesis)
            }
            _ => unreachable!("clap requires --dir or --data with --genesis"),
        };
        let genesis = Genesis::from_json(&files::read_at_most(&genesis, TRUST_BYTES_MAX)?)
            .map_err(|e| CommandError::content(&genesis, e, "get the genesis again from the network's operators"))?;
        let mut shown = Instant::now();
        let show = !output.is_json() && std::io::stderr().is_terminal();
        let report = check(&data, &genesis, |progress| {
            if show && shown.elapsed() > Duration::from_millis(200) {
                shown = Instant::now();
                show_progress(progress);
            }
        });
        if show {
            eprint!("\r\x1b[K");
        }
        let report = report.map_err(|e| refused(&e, &data))?;
        output.result(&json(&report), || describe(&report, &data, output));
        Ok(if report.is_clean() { Exit::Ok } else { Exit::NotValid })
    }
}

fn show_progress(progress: Progress) {
    let Progress { height, tip, records } = progress;
    eprint!("\r\x1b[Kheight {height} of {tip}, {records} records");
}

fn refused(error: &StoreError, data: &Path) -> CommandError {
    let hint = match error {
        StoreError::Locked { .. } => "stop the node first; while it runs it checks itself, slowly".to_owned(),
        StoreError::Foreign { .. } => "name the right --dir, or the right --genesis".to_owned(),
        StoreError::TornWrite { .. } => "start the node, stop it, and check again".to_owned(),
        _ => format!("keep {} as evidence; start the node with an empty directory", data.display()),
    };
    CommandError::failed("check.refused", error, hint)
}

fn json(report: &CheckReport) -> Report<'_> {
    Report {
        clean: report.is_clean(),
        height: report.tip.0,
        header: report.hash.to_string(),
        log_size: report.log_size.0,
        findings_count: report.findings_count,
        findings: report.findings.iter().map(|f| FindingReport { place: &f.place, what: &f.what }).collect(),
    }
}

fn describe(report: &CheckReport, data: &Path, output: &Output) -> String {
    let ledger = format!("height {}, {} records, header {}", report.tip, report.log_size, report.hash);
    if report.is_clean() {
        let all = output.paint(Tone::Good, "ALL IS WELL");
        return format!("{all}: everything in {} was derived from genesis again.\n  {ledger}", data.display());
    }
    let bad = output.paint(Tone::Bad, "DAMAGED");
    let mut text = format!("{bad}: {} findings in {}.\n  {ledger}\n", report.findings_count, data.display());
    // One damaged block of the database shows in every row that is read from it.
    let mut lines: Vec<(String, u64)> = Vec::new();
    for finding in &report.findings {
        let line = finding.to_string();
        match lines.iter_mut().find(|(known, _)| *known == line) {
            Some((_, times)) => *times += 1,
            None => lines.push((line, 1)),
        }
    }
    for (line, times) in lines.iter().take(LINES_MAX) {
        let times = if *times == 1 { String::new() } else { format!(" ({times} times)") };
        text += &format!("  {line}{times}\n");
    }
    if lines.len() > LINES_MAX {
        text += &format!("  … and {} more kinds (--json lists up to 1,000)\n", lines.len() - LINES_MAX);
    }
    text + "Keep this directory as evidence and start the node with an empty one: it fetches everything from its peers."
}
