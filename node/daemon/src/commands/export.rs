//! `testamur export`: the whole ledger with its proofs in one file, for auditors, archives and new nodes.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use serde::Serialize;
use testamur_primitives::genesis::Genesis;
use testamur_primitives::limits::TRUST_BYTES_MAX;
use testamur_primitives::trust::TrustFile;
use testamur_store::{
    Contents, ExportError, Health, ImportError, Ledger, NodeIdentity, Options, StoreError, StreamProgress, Transferred,
    import, node_of,
};

use crate::config::NodeConfig;
use crate::exit::{CommandError, Exit};
use crate::files;
use crate::networks;
use crate::output::{Output, Tone};
use crate::progress::Progress;

/// Bytes written at once.
const BUFFER_BYTES: usize = 1024 * 1024;

/// Arguments of `export`.
#[derive(Debug, Args)]
#[command(after_help = "\
The directory must not be in use: stop the node, or export from a restored backup (`testamur backup`, `testamur restore`), \
which is made while it runs.

The file holds genesis and every block with its certificate and the status lists that are kept; with --snapshot also the \
state, so that `testamur join --snapshot` need not execute the blocks again. Its format is FORMATS.md, section 14; \
whoever gets it verifies all of it under a trust file, and needs to trust neither this node nor the way.")]
pub(crate) struct Export {
    /// The file to write; it must not be there. - for standard output
    #[arg(value_name = "FILE|-")]
    to: PathBuf,
    /// The node's directory (with config.toml), or its config.toml
    #[arg(long, value_name = "DIR", conflicts_with_all = ["data", "trust"], required_unless_present = "data")]
    dir: Option<PathBuf>,
    /// A directory of data by itself, such as a restored backup
    #[arg(long, value_name = "DIR", requires = "trust")]
    data: Option<PathBuf>,
    /// Its network: the trust file, or the name of an installed one
    #[arg(long, value_name = "FILE|NAME", requires = "data")]
    trust: Option<String>,
    /// With the state: a snapshot
    #[arg(long)]
    snapshot: bool,
}

#[derive(Serialize)]
struct Report {
    file: String,
    snapshot: bool,
    height: u64,
    header: String,
    log_size: u64,
    bytes: u64,
    took_ms: u64,
}

impl Export {
    /// Writes the file.
    pub(crate) fn run(self, output: &Output) -> Result<Exit, CommandError> {
        let began = Instant::now();
        let (data, genesis) = self.source()?;
        let ledger = open(&data, genesis)?;
        let contents = if self.snapshot { Contents::Snapshot } else { Contents::Log };
        let mut progress = Progress::new(output);
        let told = |at: StreamProgress| progress.show(|| told(at));
        let to_output = self.to == Path::new("-");
        let written = if to_output {
            let mut out = BufWriter::with_capacity(BUFFER_BYTES, std::io::stdout().lock());
            ledger.export(&mut out, contents, told).map_err(|e| export_failed(&e, &self.to))?
        } else {
            self.write(&ledger, contents, told)?
        };
        progress.clear();
        if to_output {
            return Ok(Exit::Ok);
        }
        let report = Report {
            file: self.to.display().to_string(),
            snapshot: self.snapshot,
            height: written.height.0,
            header: written.header.to_string(),
            log_size: written.records.0,
            bytes: written.bytes,
            took_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        };
        output.result(&report, || {
            format!(
                "{} {}\n  height   {}, header {}\n  records  {}\n  size     {} bytes\n  holds    {}",
                output.paint(Tone::Good, "Exported to"),
                report.file,
                report.height,
                report.header,
                report.log_size,
                report.bytes,
                if report.snapshot { "blocks, certificates and the state" } else { "blocks and certificates" },
            )
        });
        Ok(Exit::Ok)
    }

    fn source(&self) -> Result<(PathBuf, Genesis), CommandError> {
        match (&self.dir, &self.data, &self.trust) {
            (_, Some(data), Some(trust)) => Ok((data.clone(), networks::given(trust)?.trust.genesis().clone())),
            (Some(dir), ..) => {
                let config = NodeConfig::read(&if dir.is_dir() { dir.join("config.toml") } else { dir.clone() })?;
                let path = &config.genesis;
                let genesis = Genesis::from_json(&files::read_at_most(path, TRUST_BYTES_MAX)?).map_err(|e| {
                    CommandError::content(path, e, "get the genesis again from the network's operators")
                })?;
                Ok((config.storage.data, genesis))
            }
            _ => unreachable!("clap requires --dir or --data with --trust"),
        }
    }

    /// A file of this name is whole: it gets the name when all of it is on disk.
    fn write(
        &self,
        ledger: &Ledger,
        contents: Contents,
        told: impl FnMut(StreamProgress),
    ) -> Result<Transferred, CommandError> {
        let path = &self.to;
        if path.exists() {
            return Err(CommandError::content(
                path,
                "exists already, and nothing is overwritten",
                "choose another name",
            ));
        }
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".partial");
        let partial = path.with_file_name(name);
        let write = || -> Result<Transferred, ExportError> {
            let mut out = BufWriter::with_capacity(BUFFER_BYTES, File::create(&partial)?);
            let written = ledger.export(&mut out, contents, told)?;
            out.flush()?;
            out.get_ref().sync_all()?;
            fs::rename(&partial, path)?;
            Ok(written)
        };
        write().map_err(|error| {
            // What is there of it has no end, and nobody could use it.
            let _ = fs::remove_file(&partial);
            export_failed(&error, path)
        })
    }
}

fn told(at: StreamProgress) -> String {
    let mib = at.bytes / (1024 * 1024);
    match at.tip {
        Some(tip) => format!("height {} of {tip}, {} records, {mib} MiB", at.height, at.records),
        None => format!("height {}, {} records, {mib} MiB", at.height, at.records),
    }
}

/// Opens a directory that no process uses, whosever it is.
pub(super) fn open(data: &Path, genesis: Genesis) -> Result<Ledger, CommandError> {
    let options = Options { node: identity(data)?, health: Health::new(|_| ()) };
    Ledger::open(data, Arc::new(genesis), options).map_err(|e| store_failed(&e))
}

/// Whose directory it says it is.
fn identity(data: &Path) -> Result<NodeIdentity, CommandError> {
    let no_data = |reason: &str| {
        CommandError::content(
            data,
            reason,
            "name a directory of data: storage.data of a stopped node, or a restored one",
        )
    };
    if data.join("manifest.json").exists() {
        return Err(CommandError::content(
            data,
            "this is a backup, not a directory of data",
            "make one of it first: testamur restore BACKUP --trust NETWORK --data DIR",
        ));
    }
    let (_, node) = node_of(data).map_err(|e| store_failed(&e))?.ok_or_else(|| no_data("is no directory of data"))?;
    match node.as_str() {
        "observer" => Ok(NodeIdentity::Observer),
        address => address.parse().map(NodeIdentity::Validator).map_err(|_| no_data("names no node")),
    }
}

/// Makes a directory of an export, verified under a trust file.
pub(super) fn import_from(
    reader: impl std::io::Read + Send,
    data: &Path,
    trust: &TrustFile,
    contents: Contents,
    progress: &mut Progress,
) -> Result<Transferred, CommandError> {
    let told = |at: StreamProgress| progress.show(|| told(at));
    import(data, trust, NodeIdentity::Observer, contents, reader, told).map_err(|error| {
        let (code, hint) = match &error {
            ImportError::OtherNetwork { .. } => {
                ("join.other-network", "give the file of the network that --trust is of")
            }
            ImportError::Stream(_) | ImportError::Read(_) => {
                ("join.damaged", "get the file again, and compare its hash")
            }
            ImportError::NotEmpty(_) | ImportError::InTheWay(_) => {
                ("join.not-empty", "choose another directory; move a damaged one away, as evidence")
            }
            ImportError::DiskFull(_) => ("join.disk-full", "free some disk space: three times the file is enough"),
            ImportError::TooOld { .. } => ("join.too-short", "take a newer export, or name nodes with --node"),
            ImportError::NoState => ("join.no-state", "say --log: the blocks are then executed again"),
            ImportError::Store(_) => ("join.failed", "check the disk and its free space"),
            _ => ("join.refused", "do not use this file, and tell the network's operators where it came from"),
        };
        CommandError::failed(code, error, hint)
    })
}

fn export_failed(error: &ExportError, to: &Path) -> CommandError {
    let hint = match error {
        ExportError::Write(source) if source.kind() == std::io::ErrorKind::StorageFull => {
            format!(
                "the disk of {} is full: free some space, or name another disk; nothing is left of it",
                to.display()
            )
        }
        ExportError::Write(_) => "check the directory and its permissions".to_owned(),
        ExportError::Store(_) => "run `testamur check` on the directory".to_owned(),
    };
    CommandError::failed("export.failed", error, hint)
}

/// What to do about a directory that does not open or cannot be read.
pub(super) fn store_failed(error: &StoreError) -> CommandError {
    let hint = match error {
        StoreError::Locked { .. } => {
            "stop the node that uses it, or restore a backup elsewhere: `testamur backup` makes one meanwhile"
        }
        StoreError::Foreign { .. } => "name the directory of this network, or the right --trust",
        StoreError::TornWrite { .. } => "start the node once, or use another node's",
        StoreError::Damaged { .. } => "run `testamur check`; keep it as evidence and use another node's",
        _ => "check the disk and the permissions",
    };
    CommandError::failed("ledger.refused", error, hint)
}
