//! `testamur restore`: a node's directory out of a backup, on this machine or another.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use serde::Serialize;
use testamur_store::{BackupError, BackupProgress, NodeIdentity, restore};

use crate::commands::join::{check_vacant, write_config};
use crate::exit::{CommandError, Exit};
use crate::networks;
use crate::output::{Output, Tone};
use crate::progress::Progress;
use crate::setup::layout::Listeners;

/// Arguments of `restore`.
#[derive(Debug, Args)]
#[command(after_help = "\
Every file is compared with the backup's manifest and copied; the directory appears when all of it is right. The node \
that runs on it serves the same proofs as before, and fetches what came later from its peers or the nodes it follows.

A validator's keys are restored from their own backup, and its double-sign guard never: without it, the node signs \
nothing until it knows what others have decided meanwhile.

With --config, a configuration for an observer is written beside the data: no keys are needed to serve proofs.")]
pub(crate) struct Restore {
    /// The backup
    backup: PathBuf,
    /// The network: its trust file, or the name of an installed one
    #[arg(long, value_name = "FILE|NAME")]
    trust: String,
    /// The directory of data to make; it must not be there, or be empty
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Write an observer's configuration here as well, and the genesis beside it; needs --node
    #[arg(long, value_name = "FILE", requires = "nodes")]
    config: Option<PathBuf>,
    /// APIs of nodes that the observer follows
    #[arg(long = "node", value_name = "URL", requires = "config")]
    nodes: Vec<String>,
    #[command(flatten)]
    listeners: Listeners,
}

#[derive(Serialize)]
struct Report {
    origin: String,
    data: String,
    height: u64,
    header: String,
    log_size: u64,
    files: usize,
    bytes: u64,
    took_ms: u64,
    config: Option<String>,
}

impl Restore {
    /// Restores.
    pub(crate) fn run(self, output: &Output) -> Result<Exit, CommandError> {
        let began = Instant::now();
        let trust = networks::given(&self.trust)?.trust;
        check_vacant(&self.data)?;
        if let Some(config) = self.config.as_ref().filter(|config| config.exists()) {
            return Err(CommandError::content(config, "exists already, and nothing is overwritten", "choose another"));
        }
        let mut progress = Progress::new(output);
        let told = |BackupProgress { bytes, bytes_total }| {
            progress.show(|| format!("{} of {} MiB", bytes >> 20, bytes_total >> 20));
        };
        let node = NodeIdentity::Observer;
        let manifest = restore(&self.backup, &self.data, trust.genesis(), node, told).map_err(|e| refused(&e))?;
        progress.clear();
        if let Some(config) = &self.config {
            write_config(config, &self.data, &trust, &self.listeners, &self.nodes)?;
        }
        let report = Report {
            origin: trust.origin().to_string(),
            data: self.data.display().to_string(),
            height: manifest.height.0,
            header: manifest.header.to_string(),
            log_size: manifest.records.0,
            files: manifest.files.len(),
            bytes: manifest.bytes(),
            took_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            config: self.config.as_ref().map(|config| config.display().to_string()),
        };
        output.result(&report, || {
            let next = match &report.config {
                Some(config) => format!("Run it: testamur run --config {config}"),
                None => "Name it as storage.data in a node's config.toml, and run that node".to_owned(),
            };
            format!(
                "{} {}\n  height   {}, header {}\n  records  {}\n  size     {} files, {} bytes\n  data     {}\n\n{next}",
                output.paint(Tone::Good, "Restored"),
                report.origin,
                report.height,
                report.header,
                report.log_size,
                report.files,
                report.bytes,
                report.data,
            )
        });
        Ok(Exit::Ok)
    }
}

fn refused(error: &BackupError) -> CommandError {
    let (code, hint) = match error {
        BackupError::NotEmpty(_) | BackupError::InTheWay(_) => ("restore.not-empty", "choose another directory"),
        BackupError::DiskFull(_) => ("restore.disk-full", "free some disk space, or name another disk"),
        BackupError::OtherNetwork { .. } => {
            ("restore.other-network", "give the backup of the network that --trust is of")
        }
        _ => ("restore.failed", "use another backup, or `testamur join` from the network itself"),
    };
    CommandError::failed(code, error, hint)
}
