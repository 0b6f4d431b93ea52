//! `testamur refresh`: brings receipts under a newer checkpoint, whatever file they are in.
//!
//! A file is replaced only after what takes its place was read back and confirmed against the installed trust file
//! (INV-REFRESH-1), whole or not at all. If we crash before that, it is as it was.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde::Serialize;
use testamur_client::bulk::container::Container;
use testamur_client::bulk::format::MAGIC;
use testamur_client::node::Connections;
use testamur_client::nodes::Nodes;
use testamur_client::path::PathError;
use testamur_client::receipt::RECEIPT_SUFFIX;
use testamur_client::refresh::{Outcome, RefreshError, Refresher};
use testamur_credentials::limits::PACKAGE_BYTES_MAX;
use testamur_credentials::package::{self, Package};
use testamur_primitives::hash::GenesisHash;
use testamur_primitives::receipt::{Receipt, ReceiptError};
use testamur_primitives::units::UnixTime;

use crate::exit::{CommandError, Exit};
use crate::networks::{self, Installed};
use crate::output::{Output, Tone, now, utc};
use crate::{bulk, files, service};

/// Directories within one another that `--all` goes into: deeper ones are nobody's archive.
const DEPTH_MAX: usize = 256;

/// Arguments of `refresh`.
#[derive(Debug, Args)]
#[command(after_help = "\
A receipt says who witnessed it, and those keys are in office for a time. Refreshed, it also carries a newer block of \
the same ledger, decided by keys in office now: `testamur verify` then says CONFIRMED again. Nodes are asked only for \
that block and its proof; which receipts they are asked for shows them the blocks, never the documents.

A file is replaced only by one that was confirmed against the installed trust file; one that is not valid is left as it \
is. Run it once a year over all receipts, and after each change of validators.

Exit codes: 0 all are refreshed or fresh, 3 one is not valid, 1 one was not done, 4 one is of a network not installed.")]
pub(crate) struct Refresh {
    /// Receipts, receipt containers of folders, packages of diplomas
    #[arg(required_unless_present = "all", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// All of them in a directory and those below: *.receipt.json, *.receipts, *.package.json
    #[arg(long, value_name = "DIR")]
    all: Option<PathBuf>,
    /// A node of the network; may be given several times [default: those used before]
    #[arg(long, value_name = "URL")]
    node: Vec<String>,
    /// Trust this file in place of the installed networks
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Became {
    Refreshed,
    Fresh,
    NotValid,
    CannotTell,
    NotDone,
}

#[derive(Debug, Serialize)]
struct Done {
    file: String,
    outcome: Became,
    /// The newer block that it is proven under.
    #[serde(skip_serializing_if = "Option::is_none")]
    anchored_at: Option<u64>,
    /// Until when that block's validators are in office.
    #[serde(skip_serializing_if = "Option::is_none")]
    in_office_until: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Said>,
}

#[derive(Debug, Serialize)]
struct Said {
    code: String,
    message: String,
}

#[derive(Debug, Default, Serialize)]
struct Report {
    exit_code: u8,
    refreshed: usize,
    fresh: usize,
    not_valid: usize,
    cannot_tell: usize,
    not_done: usize,
    files: Vec<Done>,
}

/// Why a file is as it was.
enum Left {
    /// For this file.
    File(Became, Said),
    /// For all of its network: nothing more is done.
    All(CommandError),
}

impl From<CommandError> for Left {
    fn from(error: CommandError) -> Self {
        let message = error.hint().map_or_else(|| error.to_string(), |hint| format!("{error}; try: {hint}"));
        Self::File(Became::NotDone, Said { code: error.code().to_owned(), message })
    }
}

/// What a file holds.
enum Held {
    Receipt(Receipt),
    Container(Receipt),
    Package(Box<Package>, Receipt),
}

impl Refresh {
    /// Refreshes.
    pub(crate) fn run(self, output: &Output) -> Result<Exit, CommandError> {
        let given = self.trust.as_deref().map(networks::read).transpose()?;
        let mut desk = Desk { nodes: self.node, given, networks: BTreeMap::new(), now: now()? };
        let mut report = Report::default();
        let mut paths = self.files;
        if let Some(directory) = &self.all {
            gather(directory, &mut paths)?;
        }
        let runtime = service::runtime()?;
        for path in paths {
            let done = match runtime.block_on(desk.refresh(&path)) {
                Ok(done) => done,
                Err(Left::All(error)) => return Err(error),
                Err(Left::File(outcome, error)) => Done {
                    file: path.display().to_string(),
                    outcome,
                    anchored_at: None,
                    in_office_until: None,
                    error: Some(error),
                },
            };
            tell(&done, output);
            report.count(&done);
            if output.is_json() {
                report.files.push(done);
            }
        }
        let exit = report.exit();
        report.exit_code = exit as u8;
        output.result(&report, || report.summary());
        Ok(exit)
    }
}

/// The networks at hand, each with the node that is furthest.
struct Desk {
    nodes: Vec<String>,
    given: Option<Installed>,
    networks: BTreeMap<GenesisHash, Refresher>,
    now: UnixTime,
}

impl Desk {
    async fn refresh(&mut self, path: &Path) -> Result<Done, Left> {
        // A link stays one: what it leads to is replaced.
        let path = &fs::canonicalize(path).map_err(|e| CommandError::file("open", path, e))?;
        let held = read(path)?;
        let (Held::Receipt(receipt) | Held::Container(receipt) | Held::Package(_, receipt)) = &held;
        let now = self.now;
        let refresher = self.network(receipt.network.genesis).await?;
        let outcome = refresher.refresh(receipt, now).await.map_err(refused)?;
        let (outcome, anchored_at) = match outcome {
            Outcome::Fresh(facts) => (Became::Fresh, facts.anchored_at),
            Outcome::Refreshed(receipt, facts) => {
                replace(path, held, *receipt)?;
                (Became::Refreshed, facts.anchored_at)
            }
        };
        Ok(Done {
            file: path.display().to_string(),
            outcome,
            anchored_at: anchored_at.map(|height| height.0),
            in_office_until: Some(refresher.newest().epoch.validators.in_office_until().0),
            error: None,
        })
    }

    /// The nodes of a network, asked once.
    async fn network(&mut self, genesis: GenesisHash) -> Result<&mut Refresher, Left> {
        if !self.networks.contains_key(&genesis) {
            let installed = match &self.given {
                Some(given) => Some(given.clone()).filter(|given| given.trust.network() == genesis),
                None => networks::find(genesis)?,
            };
            let Some(installed) = installed else {
                return Err(cannot_tell(&ReceiptError::UnknownNetwork(genesis)));
            };
            // A receipt must not be made green by a path that a thief of old keys could have made.
            networks::in_office(&installed.trust).map_err(Left::All)?;
            let urls = networks::nodes(&installed, &self.nodes).map_err(Left::All)?;
            let nodes = Nodes::new(&urls, &Connections::default())
                .map_err(|e| Left::All(CommandError::failed(e.code(), &e, "check --node")))?;
            let refresher = Refresher::new(&nodes, Arc::new(installed.trust.clone())).await;
            let refresher = refresher.map_err(|error| Left::All(unreached(&error)))?;
            networks::remember_nodes(&installed, &self.nodes);
            self.networks.insert(genesis, refresher);
        }
        Ok(self.networks.get_mut(&genesis).expect("it was just put there"))
    }
}

/// No node proves a newest block: with the evidence kept if that is because two histories were signed.
fn unreached(error: &RefreshError) -> CommandError {
    if let RefreshError::NoPath(faults) = error
        && let Some(PathError::Contradiction { contradiction, .. }) = faults.first()
    {
        return networks::contradicted(contradiction);
    }
    let hint = match error {
        RefreshError::NoPath(faults) => match faults.first() {
            Some(PathError::OtherNetwork { .. }) => "name nodes of the receipts' network with --node",
            Some(PathError::Behind { .. }) => "wait until the node has caught up, or name another with --node",
            Some(PathError::Client(_)) => "check --node, and whether the nodes run",
            _ => "name another node, and tell this one's operator",
        },
        _ => "check --node, and whether the nodes run",
    };
    CommandError::failed(error.code(), format!("{error}. No receipt was changed"), hint)
}

fn cannot_tell(error: &ReceiptError) -> Left {
    Left::File(Became::CannotTell, Said { code: error.code().into(), message: error.to_string() })
}

fn refused(error: RefreshError) -> Left {
    let became = match &error {
        RefreshError::NotValid(_) | RefreshError::NotInHistory { .. } => Became::NotValid,
        RefreshError::CannotTell(_) => Became::CannotTell,
        _ => Became::NotDone,
    };
    Left::File(became, Said { code: error.code().to_owned(), message: error.to_string() })
}

/// What a file holds, by how it begins.
fn read(path: &Path) -> Result<Held, Left> {
    let mut start = [0; MAGIC.len()];
    let file = fs::File::open(path).map_err(|e| CommandError::file("open", path, e))?;
    let begins = std::os::unix::fs::FileExt::read_exact_at(&file, &mut start, 0).is_ok();
    if begins && start == MAGIC {
        let container = Container::open(path).map_err(|error| match bulk::verdict_of(&error) {
            Some(Exit::NotValid) => not_valid(error.code(), &error),
            _ => bulk::failed(&error).into(),
        })?;
        return Ok(Held::Container(container.ledger().clone()));
    }
    if begins && start.starts_with(b"%PDF-") {
        let hint = "make a package of it with `testamur diploma package`, and refresh that";
        return Err(CommandError::content(path, "what was printed is not changed any more", hint).into());
    }
    let bytes = files::read_at_most(path, PACKAGE_BYTES_MAX)?;
    match Receipt::decode(&bytes) {
        Ok(receipt) => Ok(Held::Receipt(receipt)),
        Err(error) => match package::read(&bytes) {
            Ok(read) => {
                let receipt = read.receipt.ok_or_else(|| {
                    CommandError::content(path, "the package holds no receipt", "it has nothing to refresh")
                })?;
                let receipt = receipt.map_err(|error| not_valid(error.code(), &error))?;
                let package = Package { credential: read.text, receipt: None, proofs: read.proofs };
                Ok(Held::Package(Box::new(package), receipt))
            }
            Err(_) if error.is_cannot_tell() => Err(cannot_tell(&error)),
            Err(_) => Err(not_valid(error.code(), &error)),
        },
    }
}

fn not_valid(code: &str, error: &impl ToString) -> Left {
    Left::File(Became::NotValid, Said { code: code.to_owned(), message: error.to_string() })
}

/// Puts the refreshed receipt in the old one's place. Its readers see one or the other.
fn replace(path: &Path, held: Held, receipt: Receipt) -> Result<(), Left> {
    let bytes = match held {
        Held::Container(_) => {
            let refreshed = Container::open(path).and_then(|container| container.refresh(&receipt));
            return Ok(refreshed.map_err(|error| bulk::failed(&error))?);
        }
        Held::Receipt(_) => receipt.encode(),
        Held::Package(package, _) => Package { receipt: Some(receipt), ..*package }.encode(),
    };
    // It holds a salt, or a person's diploma: whoever could not read the old one cannot read the new one.
    let mode = fs::metadata(path).map_err(|e| CommandError::file("read", path, e))?.permissions().mode() & 0o777;
    Ok(files::replace(path, &bytes, mode)?)
}

/// Receipts, containers and packages in a directory and those below, in order of their names. Links are not followed.
fn gather(directory: &Path, into: &mut Vec<PathBuf>) -> Result<(), CommandError> {
    let mut open = vec![(directory.to_owned(), 0)];
    while let Some((directory, depth)) = open.pop() {
        let read = |e| CommandError::file("read", &directory, e);
        let mut entries: Vec<_> = fs::read_dir(&directory).and_then(Iterator::collect).map_err(read)?;
        entries.sort_by_key(fs::DirEntry::file_name);
        let mut below = Vec::new();
        for entry in entries {
            let kind = entry.file_type().map_err(read)?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let ours = [RECEIPT_SUFFIX, ".receipts", ".package.json"].iter().any(|end| name.ends_with(end));
            if kind.is_dir() && depth < DEPTH_MAX {
                below.push((entry.path(), depth + 1));
            } else if kind.is_file() && ours {
                into.push(entry.path());
            }
        }
        open.extend(below.into_iter().rev());
    }
    Ok(())
}

impl Report {
    fn count(&mut self, done: &Done) {
        *match done.outcome {
            Became::Refreshed => &mut self.refreshed,
            Became::Fresh => &mut self.fresh,
            Became::NotValid => &mut self.not_valid,
            Became::CannotTell => &mut self.cannot_tell,
            Became::NotDone => &mut self.not_done,
        } += 1;
    }

    /// The worst decides: a receipt that is not valid, then what could not be done, then what cannot be said.
    fn exit(&self) -> Exit {
        match self {
            Self { not_valid: 1.., .. } => Exit::NotValid,
            Self { not_done: 1.., .. } => Exit::Operational,
            Self { cannot_tell: 1.., .. } => Exit::CannotTell,
            _ => Exit::Ok,
        }
    }

    fn summary(&self) -> String {
        let kinds = [
            (self.refreshed, "refreshed"),
            (self.fresh, "fresh already"),
            (self.not_valid, "not valid, left as they are"),
            (self.cannot_tell, "of networks not installed here"),
            (self.not_done, "not done"),
        ];
        let parts: Vec<_> =
            kinds.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
        if parts.is_empty() { "No receipt is there.".into() } else { format!("\n{}", parts.join(", ")) }
    }
}

fn tell(done: &Done, output: &Output) {
    let (tone, word) = match done.outcome {
        Became::Refreshed => (Tone::Good, "REFRESHED"),
        Became::Fresh => (Tone::Good, "FRESH"),
        Became::NotValid => (Tone::Bad, "NOT VALID"),
        Became::CannotTell => (Tone::Warning, "CANNOT TELL"),
        Became::NotDone => (Tone::Warning, "NOT DONE"),
    };
    let what = match (&done.error, done.anchored_at, done.in_office_until) {
        (Some(error), _, _) => format!(": {} ({})", error.message, error.code),
        (None, height, Some(until)) => {
            let under = height.map_or_else(String::new, |height| format!("under block {height}, "));
            format!(": {under}witnesses in office until {}", utc(UnixTime(until)))
        }
        (None, _, None) => String::new(),
    };
    output.line(format!(
        "{}  {}{what}",
        output.paint(tone, &format!("{word:<11}")),
        crate::output::harmless(&done.file)
    ));
}
