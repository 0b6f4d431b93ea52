//! `testamur audit`: follows several nodes of a network, believes none, and says when they contradict one another or
//! themselves.
//!
//! INV-AUDIT-4: exit code 0 means that in the last poll every node that was named was read to its newest block, and all of
//! it was certified, hashed, and the same.

mod report;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use testamur_client::audit::{AuditError, Auditor, Finding, Kind, Poll, Settings};
use testamur_client::node::{Connections, Node};
use testamur_client::path::Contradiction;
use testamur_primitives::trust::TrustFile;
use testamur_store::{Health, Ledger, NodeIdentity, Options};
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

use crate::exit::{CommandError, Exit};
use crate::files;
use crate::limits::{AUDIT_AGAIN, AUDIT_EVIDENCE_BYTES_MAX, AUDIT_HOOK_TIMEOUT, AUDIT_INTERVAL_S};
use crate::networks::{self, Installed};
use crate::node::{self, CatchUpError};
use crate::output::{self, Output};
use crate::progress::Progress;
use crate::service::{self, StopSignals};

/// Arguments of `audit`.
#[derive(Debug, Args)]
#[command(after_help = "\
Every node is read whole: certificates along the epochs from the trust file, every record hashed into the log's root, and \
what was seen is kept in --state, so that a node can neither show less nor something else later. Name nodes of different \
operators, and no load balancer. The first poll reads everything from genesis; later ones what is new, and some old blocks.

Findings, worst first: fork, rewrite, shrink, unsigned, unlawful, other-network (alarms); stall, behind, unavailable. What \
shows a fork stands alone in --state/evidence: `testamur audit --evidence FILE` verifies it, and names who signed twice.

Exit code: 3 for an alarm, 1 for another finding, 0 for none.")]
pub(crate) struct Audit {
    /// APIs of nodes, of different operators
    #[arg(long, value_name = "URL", num_args = 1.., required_unless_present = "evidence")]
    nodes: Vec<String>,
    /// The network: its trust file, or the name of an installed one [default: the only one that is installed]
    #[arg(long, value_name = "FILE|NAME")]
    trust: Option<String>,
    /// Directory of what was seen, findings and evidence [default: audit/ORIGIN beside the installed networks]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Look once and end; else until a signal
    #[arg(long, conflicts_with = "interval")]
    once: bool,
    /// Seconds between two polls
    #[arg(long, value_name = "S", default_value_t = AUDIT_INTERVAL_S, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    interval: u64,
    /// Seconds without a block after which the ledger stalls [default: three heartbeats, at least 15]
    #[arg(long, value_name = "S")]
    stall: Option<u64>,
    /// Old blocks of each node that are read again each poll
    #[arg(long, value_name = "N", default_value_t = AUDIT_AGAIN, value_parser = clap::value_parser!(u16).range(..=256))]
    again: u16,
    /// Execute every block as well, and derive every state root: keeps a ledger of its own in --state
    #[arg(long)]
    deep: bool,
    /// Command for each new finding: gets it as JSON on standard input, its kind in TESTAMUR_FINDING
    #[arg(long, value_name = "CMD")]
    on_finding: Option<String>,
    /// Write metrics here after each poll, for a collector of text files
    #[arg(long, value_name = "FILE")]
    metrics: Option<PathBuf>,
    /// Verify evidence of a fork, offline, and say who signed both
    #[arg(long, value_name = "FILE", conflicts_with_all = ["nodes", "state", "deep", "on_finding", "metrics"])]
    evidence: Option<PathBuf>,
    /// Begin although the keys of the trust file are out of office
    #[arg(long)]
    anyway: bool,
}

impl Audit {
    /// Audits.
    pub(crate) fn run(self, output: &Output) -> Result<Exit, CommandError> {
        let installed = self.network()?;
        if let Some(evidence) = &self.evidence {
            return judge(evidence, &installed.trust, output);
        }
        if !self.anyway {
            networks::in_office(&installed.trust)?;
        }
        let directory = match &self.state {
            Some(directory) => directory.clone(),
            None => networks::home()?.join("audit").join(installed.trust.origin().as_str().replace('/', "_")),
        };
        let settings = Settings { stall_s: self.stall, again: self.again.into() };
        let trust = Arc::new(installed.trust);
        files::create_private_directory(&directory)?;
        let auditor = Auditor::open(Arc::clone(&trust), &self.nodes, &directory, settings)
            .map_err(|e| refused(&e, &directory))?;
        let deep = self.deep.then(|| open_ledger(&directory.join("ledger"), &trust)).transpose()?;
        service::runtime()?.block_on(self.watch(auditor, deep, &directory, output))
    }

    fn network(&self) -> Result<Installed, CommandError> {
        if let Some(trust) = &self.trust {
            return networks::given(trust);
        }
        let mut installed = networks::list()?;
        match installed.len() {
            1 => Ok(installed.remove(0)),
            count => Err(CommandError::failed(
                "audit.network",
                format!("{count} networks are installed"),
                "say which with --trust FILE or NAME",
            )),
        }
    }

    async fn watch(
        &self,
        mut auditor: Auditor,
        deep: Option<Arc<Ledger>>,
        directory: &Path,
        output: &Output,
    ) -> Result<Exit, CommandError> {
        let mut signals = StopSignals::listen()?;
        let mut polls = 0u64;
        loop {
            let mut progress = Progress::new(output);
            let besides = match &deep {
                Some(ledger) => execute(ledger, &self.nodes, &mut progress).await?,
                None => Vec::new(),
            };
            let now = output::now()?;
            let told =
                |server: &str, read: testamur_primitives::units::Height, of: testamur_primitives::units::Height| {
                    progress.show(|| format!("{server}: height {read} of {of}"));
                };
            let poll = auditor.poll(now, besides, told).await.map_err(|e| refused(&e, directory))?;
            progress.clear();
            polls += 1;
            if let Some(path) = &self.metrics {
                files::replace(path, report::metrics(&poll, polls).as_bytes(), 0o644)?;
            }
            report::tell(&poll, self.once, polls == 1, output);
            for finding in &poll.opened {
                self.hook(finding, output).await;
            }
            if self.once {
                return Ok(exit_of(&poll));
            }
            tokio::select! {
                signal = signals.recv() => {
                    output.line(format_args!("stopped by {signal}"));
                    return Ok(exit_of(&poll));
                }
                () = tokio::time::sleep(Duration::from_secs(self.interval)) => {}
            }
        }
    }

    /// Tells the operator's own command. What it does is not the audit's business; that it cannot be run is told.
    async fn hook(&self, finding: &Finding, output: &Output) {
        let Some(command) = &self.on_finding else { return };
        let run = async {
            let mut child = tokio::process::Command::new("sh")
                .args(["-c", command])
                .env("TESTAMUR_FINDING", &finding.kind.code()["audit.".len()..])
                .env("TESTAMUR_FINDING_SERVER", &finding.server)
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .kill_on_drop(true)
                .spawn()?;
            if let Some(mut input) = child.stdin.take() {
                let json = serde_json::to_vec(finding).expect("a finding is JSON");
                // A command that does not read it is fine.
                let _ = input.write_all(&json).await;
            }
            child.wait().await
        };
        match timeout(AUDIT_HOOK_TIMEOUT, run).await {
            Ok(Ok(status)) if status.success() => {}
            Ok(Ok(status)) => output.note(format_args!("--on-finding ended with {status}")),
            Ok(Err(error)) => output.note(format_args!("--on-finding: {error}")),
            Err(_) => output.note(format_args!("--on-finding took more than {} s", AUDIT_HOOK_TIMEOUT.as_secs())),
        }
    }
}

/// INV-AUDIT-4.
fn exit_of(poll: &Poll) -> Exit {
    match poll.findings.iter().any(|finding| finding.kind.is_alarm()) {
        true => Exit::NotValid,
        false if poll.findings.is_empty() => Exit::Ok,
        false => Exit::Operational,
    }
}

fn refused(error: &AuditError, directory: &Path) -> CommandError {
    let hint = match error {
        AuditError::Address(_) => "check --nodes".to_owned(),
        AuditError::Locked(_) => "end the other one, or give this one its own --state".to_owned(),
        AuditError::Damaged { .. } => {
            format!("keep {} as evidence, and begin again with an empty --state", directory.display())
        }
        _ => "check the disk, its free space, and who owns the directory".to_owned(),
    };
    CommandError::failed(error.code(), error, hint)
}

/// The ledger of `--deep`.
fn open_ledger(place: &Path, trust: &TrustFile) -> Result<Arc<Ledger>, CommandError> {
    let options = Options { node: NodeIdentity::Observer, health: Health::new(|_| ()) };
    let ledger = Ledger::open(place, Arc::new(trust.genesis().clone()), options);
    ledger.map(Arc::new).map_err(|e| super::export::store_failed(&e))
}

/// Executes what is new. What nodes give that does not come out as certified is found; who is away is found elsewhere.
async fn execute(
    ledger: &Arc<Ledger>,
    addresses: &[String],
    progress: &mut Progress,
) -> Result<Vec<Finding>, CommandError> {
    let nodes = addresses.iter().map(|address| Node::new(address, &Connections::default()));
    let nodes: Vec<_> = nodes.collect::<Result<_, _>>().map_err(|e| CommandError::Usage(e.to_string()))?;
    let progress = std::sync::Mutex::new(progress);
    let told = |height: u64, of: u64| {
        let mut progress = progress.lock().expect("nothing panics under this lock");
        progress.show(|| format!("executing: height {height} of {of}"));
    };
    let ledger = Arc::clone(ledger);
    let tip = ledger.tip().next_height();
    match node::catch_up(&ledger, nodes, told).await {
        Ok(()) | Err(CatchUpError::Silence(_)) => Ok(Vec::new()),
        Err(CatchUpError::Lies(what)) => {
            let what = format!("no node gives a block that comes out as it is certified: {what}");
            Ok(vec![Finding::new(Kind::Unlawful, "", Some(tip), what)])
        }
        Err(CatchUpError::Own(what)) => {
            Err(CommandError::failed("audit.deep", what, "check the disk and its free space"))
        }
    }
}

/// Verifies evidence of a fork.
fn judge(path: &Path, trust: &TrustFile, output: &Output) -> Result<Exit, CommandError> {
    let bytes = files::read_at_most(path, AUDIT_EVIDENCE_BYTES_MAX)?;
    let evidence: Contradiction = testamur_primitives::codec::from_strict(&bytes)
        .map_err(|e| CommandError::content(path, e, "this is no evidence of a fork"))?;
    match evidence.verify(trust) {
        Ok(both) => {
            report::evidence(&evidence, &both, output);
            Ok(Exit::Ok)
        }
        Err(error) => {
            output.error(&CommandError::failed(error.code(), format!("it shows no fork: {error}"), ""));
            Ok(Exit::NotValid)
        }
    }
}
