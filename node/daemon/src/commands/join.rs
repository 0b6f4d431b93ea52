//! `testamur join`: the ledger of a network on this machine, from a snapshot or from the log alone, nothing believed.

use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use serde::Serialize;
use testamur_client::node::{Connections, Node};
use testamur_primitives::trust::TrustFile;
use testamur_store::{Contents, Health, Ledger, NodeIdentity, Options};

use crate::exit::{CommandError, Exit};
use crate::files;
use crate::networks;
use crate::node::{self, CatchUpError};
use crate::output::{Output, Tone};
use crate::progress::Progress;
use crate::service;
use crate::setup::layout::{Listeners, joined_config};

/// Arguments of `join`.
#[derive(Debug, Args)]
#[command(after_help = "\
From a snapshot (`testamur export --snapshot`): every header, every certificate along the epochs, the log and the state \
are verified under the trust file before anything is kept. From the log alone (--log, or --node without a file): every \
block is executed again as well. Where the snapshot or the nodes come from does not matter.

Nothing is left half-done: the directory appears when all of it is right.

With --config, a configuration for an observer is written beside the data; run it with `testamur run --config FILE`.")]
pub(crate) struct Join {
    /// The network: its trust file, or the name of an installed one
    #[arg(long, value_name = "FILE|NAME")]
    trust: String,
    /// An export of the ledger: a file, or - for standard input
    #[arg(long, value_name = "FILE|-", required_unless_present = "nodes")]
    snapshot: Option<PathBuf>,
    /// Execute every block of the file again, and take nothing from its state
    #[arg(long, requires = "snapshot")]
    log: bool,
    /// APIs of nodes to fetch the log from; after a snapshot, what came later
    #[arg(long = "node", value_name = "URL")]
    nodes: Vec<String>,
    /// The directory of data to make; it must not be there, or be empty
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Write an observer's configuration here as well, and the genesis beside it; needs --node
    #[arg(long, value_name = "FILE", requires = "nodes")]
    config: Option<PathBuf>,
    #[command(flatten)]
    listeners: Listeners,
}

#[derive(Serialize)]
struct Report {
    origin: String,
    data: String,
    from: &'static str,
    height: u64,
    header: String,
    log_size: u64,
    took_ms: u64,
    config: Option<String>,
}

impl Join {
    /// Joins.
    pub(crate) fn run(self, output: &Output) -> Result<Exit, CommandError> {
        let began = Instant::now();
        let trust = networks::given(&self.trust)?.trust;
        let nodes = self.nodes.iter().map(|node| Node::new(node, &Connections::default()));
        let nodes: Vec<_> = nodes.collect::<Result<_, _>>().map_err(|e| CommandError::Usage(e.to_string()))?;
        check_vacant(&self.data)?;
        if let Some(config) = self.config.as_ref().filter(|config| config.exists()) {
            return Err(CommandError::content(config, "exists already, and nothing is overwritten", "choose another"));
        }
        let mut progress = Progress::new(output);
        let from = match &self.snapshot {
            Some(file) if self.log => {
                import(file, &self.data, &trust, Contents::Log, &mut progress)?;
                "log"
            }
            Some(file) => {
                import(file, &self.data, &trust, Contents::Snapshot, &mut progress)?;
                "snapshot"
            }
            None => "log",
        };
        // Without a snapshot the log is fetched beside the final place; a run that was broken off goes on there.
        let place = if self.snapshot.is_some() { self.data.clone() } else { partial(&self.data) };
        let (height, header, log_size) = {
            let ledger = open(&place, &trust)?;
            if !nodes.is_empty() {
                fetch(&ledger, nodes, &mut progress)?;
            }
            check_pinned(&ledger, &trust, &place)?;
            let tip = ledger.tip();
            (tip.height(), tip.hash.to_string(), tip.header.log_size.0)
        };
        if place != self.data {
            // An empty directory may be there already; a rename takes its place.
            fs::rename(&place, &self.data).map_err(|e| CommandError::file("create", &self.data, e))?;
        }
        progress.clear();
        if let Some(config) = &self.config {
            write_config(config, &self.data, &trust, &self.listeners, &self.nodes)?;
        }
        let report = Report {
            origin: trust.origin().to_string(),
            data: self.data.display().to_string(),
            from,
            height: height.0,
            header,
            log_size,
            took_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            config: self.config.as_ref().map(|config| config.display().to_string()),
        };
        output.result(&report, || describe(&report, &trust, output));
        Ok(Exit::Ok)
    }
}

/// Where an unfinished directory lies.
fn partial(data: &Path) -> PathBuf {
    let mut name = data.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    data.with_file_name(name)
}

/// Refuses a directory with something in it.
pub(super) fn check_vacant(directory: &Path) -> Result<(), CommandError> {
    match fs::read_dir(directory).map(|mut entries| entries.next().is_none()) {
        Ok(true) => Ok(()),
        Ok(false) => Err(CommandError::content(
            directory,
            "is there already and not empty, and nothing is overwritten",
            "choose another directory; move a damaged one away, as evidence",
        )),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(CommandError::file("read", directory, error)),
    }
}

fn import(
    snapshot: &Path,
    data: &Path,
    trust: &TrustFile,
    contents: Contents,
    progress: &mut Progress,
) -> Result<(), CommandError> {
    let reader: Box<dyn Read + Send> = if snapshot == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(File::open(snapshot).map_err(|e| CommandError::file("open", snapshot, e))?)
    };
    super::export::import_from(BufReader::new(reader), data, trust, contents, progress).map(drop)
}

fn open(place: &Path, trust: &TrustFile) -> Result<Arc<Ledger>, CommandError> {
    let options = Options { node: NodeIdentity::Observer, health: Health::new(|_| ()) };
    let genesis = Arc::new(trust.genesis().clone());
    Ledger::open(place, genesis, options).map(Arc::new).map_err(|e| super::export::store_failed(&e))
}

fn fetch(ledger: &Arc<Ledger>, nodes: Vec<Node>, progress: &mut Progress) -> Result<(), CommandError> {
    let progress = std::sync::Mutex::new(progress);
    let told = |height: u64, of: u64| {
        let mut progress = progress.lock().expect("nothing panics under this lock");
        progress.show(|| format!("height {height} of {of}"));
    };
    let done = service::runtime()?.block_on(async {
        // On a worker of the runtime, where blocking is allowed.
        node::catch_up(ledger, nodes, told).await
    });
    done.map_err(|error| match &error {
        CatchUpError::Silence(_) => CommandError::failed(
            "join.no-node",
            error,
            "check the addresses; what was fetched is kept, and the same command goes on from there",
        ),
        CatchUpError::Lies(_) => CommandError::failed(
            "join.refused",
            error,
            "check that --trust is this network's; name nodes of other operators, and report the ones above",
        ),
        CatchUpError::Own(_) => CommandError::failed("join.failed", error, "check the disk and its free space"),
    })
}

/// A history that its own epochs vouch for may still be another than the one that the trust file pins: one made with
/// stolen keys of the past.
fn check_pinned(ledger: &Ledger, trust: &TrustFile, place: &Path) -> Result<(), CommandError> {
    let Some((pinned, _)) = trust.pinned() else { return Ok(()) };
    let view = ledger.view().map_err(|e| super::export::store_failed(&e))?;
    let found = view.header(pinned.height).map_err(|e| super::export::store_failed(&e))?;
    match found {
        Some(found) if found.hash == pinned.hash() => Ok(()),
        Some(_) => Err(CommandError::failed(
            "join.other-history",
            format!("at height {} stands another header than the trust file pins", pinned.height),
            format!("believe neither until you know why, and report it; remove {}", place.display()),
        )),
        None => Err(CommandError::failed(
            "join.too-short",
            format!("the ledger ends at {}, before the trust file's checkpoint {}", view.tip().height(), pinned.height),
            "fetch the rest: name nodes with --node, or take a newer snapshot",
        )),
    }
}

/// An observer's configuration, and the genesis beside it.
pub(super) fn write_config(
    path: &Path,
    data: &Path,
    trust: &TrustFile,
    listeners: &Listeners,
    nodes: &[String],
) -> Result<(), CommandError> {
    let data = std::path::absolute(data).map_err(|e| CommandError::file("find", data, e))?;
    let mut genesis = serde_json::to_vec_pretty(trust.genesis()).expect("a genesis is JSON");
    genesis.push(b'\n');
    let beside = path.with_file_name("genesis.json");
    if let Some(directory) = path.parent().filter(|d| !d.as_os_str().is_empty()) {
        files::create_private_directory(directory)?;
    }
    if !beside.exists() {
        files::create(&beside, &genesis, 0o644)?;
    }
    let text = joined_config(listeners, &data.display().to_string(), nodes, "");
    files::create(path, text.as_bytes(), 0o600)
}

fn describe(report: &Report, trust: &TrustFile, output: &Output) -> String {
    let pinned = match trust.pinned() {
        Some((header, _)) => format!("proven to contain the trust file's checkpoint, height {}", header.height),
        None => "proven from genesis; the trust file pins no newer checkpoint".to_owned(),
    };
    let mut text = format!(
        "{} {}\n  height   {}, header {}\n  records  {}\n  trust    {pinned}\n  data     {}",
        output.paint(Tone::Good, "Joined"),
        report.origin,
        report.height,
        report.header,
        report.log_size,
        report.data,
    );
    match &report.config {
        Some(config) => text += &format!("\n\nRun it: testamur run --config {config}"),
        None => text += "\n\nName it as storage.data in a node's config.toml, and run that node",
    }
    text
}
