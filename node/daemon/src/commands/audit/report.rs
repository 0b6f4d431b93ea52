//! What an audit tells: lines for people, one JSON document a poll, and metrics.

use std::fmt::Write as _;

use serde::Serialize;
use testamur_client::audit::{Finding, Kind, Poll};
use testamur_client::path::Contradiction;
use testamur_primitives::epoch::Validator;

use crate::output::{Output, Tone, harmless, utc};

#[derive(Serialize)]
struct Told<'a> {
    clean: bool,
    #[serde(flatten)]
    poll: &'a Poll,
}

/// One poll: whole when it is the only one or the first, else what changed.
pub(super) fn tell(poll: &Poll, only: bool, first: bool, output: &Output) {
    let told = Told { clean: poll.findings.is_empty(), poll };
    if output.is_json() {
        if only {
            output.result(&told, String::new)
        } else {
            output.json_line(&told)
        }
        return;
    }
    if only || first {
        output.line(overview(poll, output));
    }
    // What stood before is told again by one look alone; a watch tells each finding once.
    let findings = if only { &poll.findings } else { &poll.opened };
    for finding in findings {
        output.line(describe(finding, output));
    }
    for finding in &poll.cleared {
        let server = if finding.server.is_empty() { "the ledger" } else { &finding.server };
        let name = &finding.kind.code()["audit.".len()..];
        output.line(format_args!("{} {name}: {}", output.paint(Tone::Good, "over:"), harmless(server)));
    }
}

fn overview(poll: &Poll, output: &Output) -> String {
    let head = match poll.findings.is_empty() {
        true => output.paint(Tone::Good, "All the same and certified:"),
        false => output.paint(Tone::Warning, "Findings:"),
    };
    let mut text = format!("{head} block {}, {} records, epoch {}", poll.height, poll.log_size, poll.epoch);
    for node in &poll.nodes {
        let name = node.name.as_deref().unwrap_or("-");
        let height = node.height.map_or_else(|| "no answer".to_owned(), |height| format!("block {height}"));
        let _ = write!(text, "\n  {}  {}  {height}, read to {}", node.server, harmless(name), node.read);
    }
    text
}

fn describe(finding: &Finding, output: &Output) -> String {
    let tone = if finding.kind.is_alarm() { Tone::Bad } else { Tone::Warning };
    let name = &finding.kind.code()["audit.".len()..];
    let server = if finding.server.is_empty() { "the ledger" } else { &finding.server };
    let height = finding.height.map_or_else(String::new, |height| format!(", block {height}"));
    let mut text = format!(
        "{} {server}{height}: {}\n  since    {}\n  try      {}",
        output.paint(tone, &name.to_uppercase()),
        harmless(&finding.what),
        utc(finding.since),
        finding.kind.remedy(),
    );
    if let Some(evidence) = &finding.evidence {
        let _ = write!(text, "\n  evidence {evidence}");
    }
    text
}

/// Metrics in the Prometheus text format.
pub(super) fn metrics(poll: &Poll, polls: u64) -> String {
    let mut text = String::new();
    let mut gauge = |name: &str, help: &str, rows: Vec<(String, u64)>| {
        let _ = writeln!(text, "# HELP testamur_audit_{name} {help}\n# TYPE testamur_audit_{name} gauge");
        for (labels, value) in rows {
            let _ = writeln!(text, "testamur_audit_{name}{labels} {value}");
        }
    };
    let one = |value: u64| vec![(String::new(), value)];
    gauge("height", "Newest height seen certified.", one(poll.height.0));
    gauge("log_records", "Records in the log there.", one(poll.log_size.0));
    gauge("poll_time_seconds", "When the last poll began.", one(poll.time.0));
    gauge("polls", "Polls since the start.", one(polls));
    let server = |server: &str| format!("{{server=\"{}\"}}", server.replace('\\', "\\\\").replace('"', "\\\""));
    let heights = poll.nodes.iter().map(|node| (server(&node.server), node.height.map_or(0, |height| height.0)));
    gauge("node_height", "Newest block that a node shows; 0 without a proven one.", heights.collect());
    let read = poll.nodes.iter().map(|node| (server(&node.server), node.read.0));
    gauge("node_read_height", "Up to here all of a node was read.", read.collect());
    let count = |kind: Kind| poll.findings.iter().filter(|finding| finding.kind == kind).count() as u64;
    let kinds = Kind::ALL.map(|kind| (format!("{{kind=\"{}\"}}", &kind.code()["audit.".len()..]), count(kind)));
    gauge("findings", "Findings that stand, by kind.", kinds.to_vec());
    text
}

#[derive(Serialize)]
struct Judged<'a> {
    height: u64,
    shown: bool,
    signed_both: Vec<&'a str>,
    operators: Vec<&'a str>,
}

/// What evidence shows.
pub(super) fn evidence(evidence: &Contradiction, both: &[Validator], output: &Output) {
    let judged = Judged {
        height: evidence.height.0,
        shown: true,
        signed_both: both.iter().map(|validator| validator.name.as_str()).collect(),
        operators: both.iter().map(|validator| validator.operator.as_str()).collect(),
    };
    output.result(&judged, || {
        let head = output.paint(Tone::Bad, "Two certified histories");
        let mut text = format!("{head} of {}: they differ in block {}", evidence.network.origin, evidence.height);
        for validator in both {
            let _ = write!(text, "\n  signed both: {} ({})", validator.name, harmless(&validator.operator));
        }
        text
    });
}
