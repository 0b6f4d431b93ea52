//! An independent auditor: it follows several nodes of a network and believes none of them.
//!
//! **Promises.** Of every node, every certificate is verified along the epochs from the trust file, every record is hashed
//! into the log's root, and every header must be the one that was seen first at its height, on whatever node
//! (INV-AUDIT-3). What was seen is kept in a file that is only appended to (INV-AUDIT-1), so a node cannot show less, or
//! something else, than it showed before. Two certified histories leave evidence that stands alone (INV-AUDIT-2). What is
//! new is judged in the poll that sees it; what is old is read again, some heights of each node a poll.
//!
//! **Absences.** No execution of records: who wants state roots derived as well gives the same blocks to a store
//! (`testamur audit --deep`). No judgement which of two certified histories is right: the one seen first is called so. No
//! privacy from the nodes: they see that somebody reads everything.

mod archive;
mod evidence;
mod finding;
mod fork;
mod read;
mod watched;

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use testamur_primitives::codec::sha256;
use testamur_primitives::epoch::EpochLink;
use testamur_primitives::genesis::Parameters;
use testamur_primitives::hash::HeaderHash;
use testamur_primitives::trust::TrustFile;
use testamur_primitives::units::{Epoch, Height, LogSize, UnixTime};
use tokio::task::JoinSet;

use crate::error::ClientError;
use crate::limits::{EVIDENCE_FILES_MAX, NODES_MAX, STALL_MIN_S};
use crate::node::{Connections, Node, NodeReport};
use crate::path::{self, Newest, PathError};
use archive::Archive;
pub use evidence::EvidenceError;
pub use finding::{Finding, Kind};
use watched::Memory;

/// Why an audit cannot go on: all of it is about this machine.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// A file operation on the auditor's own directory.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// A verb.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// The operating system's words.
        source: std::io::Error,
    },
    /// The auditor's own memory is not as it wrote it.
    #[error("{} {what} (line {line})", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Line, from 1.
        line: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// Another process uses the directory.
    #[error("another process audits into {}", .0.display())]
    Locked(PathBuf),
    /// An address that is none.
    #[error("{0}")]
    Address(ClientError),
    /// No random number for what to look at.
    #[error("the operating system gave no random bytes")]
    Random,
}

impl AuditError {
    fn file(action: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::File { action, path: path.to_owned(), source }
    }

    /// Stable slug.
    pub fn code(&self) -> &'static str {
        match self {
            Self::File { .. } => "audit.file",
            Self::Damaged { .. } => "audit.damaged",
            Self::Locked(_) => "audit.locked",
            Self::Address(_) => "audit.address",
            Self::Random => "audit.random",
        }
    }

    /// Whether the process must stop: always, an auditor that cannot remember vouches for nothing.
    pub fn is_fatal(&self) -> bool {
        true
    }
}

/// What ends the look at one node: something found, or this machine.
enum Stop {
    Found(Box<Finding>),
    Own(AuditError),
}

impl From<AuditError> for Stop {
    fn from(error: AuditError) -> Self {
        Self::Own(error)
    }
}

impl From<Finding> for Stop {
    fn from(finding: Finding) -> Self {
        Self::Found(Box::new(finding))
    }
}

/// How an audit is made.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Seconds without a block after which the ledger stalls; none: three heartbeats, 15 s at least.
    pub stall_s: Option<u64>,
    /// Old heights of each node that are read again each poll.
    pub again: usize,
}

/// One poll.
#[derive(Debug, Clone, Serialize)]
pub struct Poll {
    /// When, by the auditor's clock.
    pub time: UnixTime,
    /// The newest height seen certified.
    pub height: Height,
    /// Hash of its header.
    pub header: Option<HeaderHash>,
    /// Records in the log there.
    pub log_size: LogSize,
    /// Its epoch.
    pub epoch: Epoch,
    /// The nodes.
    pub nodes: Vec<NodeSeen>,
    /// What stands.
    pub findings: Vec<Finding>,
    /// Those of them that are new.
    pub opened: Vec<Finding>,
    /// What no longer stands.
    pub cleared: Vec<Finding>,
    /// Blocks read, of all nodes.
    pub blocks: u64,
    /// Records hashed, of all nodes.
    pub records: u64,
}

/// A node as a poll saw it.
#[derive(Debug, Clone, Serialize)]
pub struct NodeSeen {
    /// Its address, as given.
    pub server: String,
    /// Name of its validator, as it says.
    pub name: Option<String>,
    /// The block that it shows; none when it gives no proven one.
    pub height: Option<Height>,
    /// Up to here all of it was read.
    pub read: Height,
}

struct Watched {
    address: String,
    node: Node,
}

/// What a node was asked first.
struct Claim {
    newest: Result<Newest, PathError>,
    report: Option<NodeReport>,
}

/// The auditor.
pub struct Auditor {
    trust: Arc<TrustFile>,
    nodes: Vec<Watched>,
    settings: Settings,
    directory: PathBuf,
    archive: Archive,
    memory: Memory,
    /// Epochs that were proven on the way to what the archive holds: asked for once.
    links: Arc<Vec<EpochLink>>,
    blocks: u64,
    records: u64,
    _lock: File,
}

impl Auditor {
    /// Takes up an audit in a directory of its own, or begins one.
    pub fn open(
        trust: Arc<TrustFile>,
        addresses: &[String],
        directory: &Path,
        settings: Settings,
    ) -> Result<Self, AuditError> {
        let mut nodes: Vec<Watched> = Vec::new();
        if !(1..=NODES_MAX).contains(&addresses.len()) {
            let reason = format!("between 1 and {NODES_MAX} nodes are expected, {} are given", addresses.len());
            return Err(AuditError::Address(ClientError::Address { url: String::new(), reason }));
        }
        for address in addresses {
            let node = Node::new(address, &Connections::default()).map_err(AuditError::Address)?;
            if nodes.iter().all(|known| known.address != *address) {
                nodes.push(Watched { address: address.clone(), node });
            }
        }
        fs::create_dir_all(directory.join("evidence")).map_err(|e| AuditError::file("create", directory, e))?;
        let lock = directory.join("lock");
        let file = File::create(&lock).map_err(|e| AuditError::file("create", &lock, e))?;
        file.try_lock().map_err(|_| AuditError::Locked(directory.to_owned()))?;
        let archive = Archive::open(&directory.join("checkpoints.jsonl"), trust.network())?;
        let mut memory = Memory::read(&directory.join("nodes.json"))?;
        for progress in memory.nodes.values_mut() {
            // The archive is synced before what was read is noted; one that was taken away is read anew, and what a node
            // once showed stays known.
            let fits = archive.at(progress.read)?.is_some_and(|seen| {
                seen.header.log_size.0 == progress.log.size() && seen.header.log_root == progress.log.root()
            });
            if !fits {
                (progress.read, progress.again, progress.log) = Default::default();
            }
        }
        Ok(Self {
            trust,
            nodes,
            settings,
            directory: directory.to_owned(),
            archive,
            memory,
            links: Arc::default(),
            blocks: 0,
            records: 0,
            _lock: file,
        })
    }

    /// Looks at every node once. `besides` is what somebody else found in this round, and stands or falls with the rest.
    /// `told` hears how far a long reading is: the node, its height read, and its newest.
    pub async fn poll(
        &mut self,
        now: UnixTime,
        besides: Vec<Finding>,
        mut told: impl FnMut(&str, Height, Height),
    ) -> Result<Poll, AuditError> {
        (self.blocks, self.records) = (0, 0);
        let before = self.archive.height();
        let claims = self.claims().await;
        let (mut findings, mut seen) = (besides, Vec::new());
        for (place, claim) in claims.iter().enumerate() {
            let address = self.nodes[place].address.clone();
            let mut progress = self.memory.nodes.get(&address).cloned().unwrap_or_default();
            if let Some(report) = &claim.report {
                progress.name = Some(report.name.clone());
            }
            let looked = self.look(place, claim, &mut progress, &mut told).await;
            seen.push(NodeSeen {
                server: address.clone(),
                name: progress.name.clone(),
                height: claim.newest.as_ref().ok().map(|newest| newest.header.height),
                read: progress.read,
            });
            self.memory.nodes.insert(address, progress);
            match looked {
                Ok(()) => {}
                Err(Stop::Found(finding)) => findings.push(*finding),
                Err(Stop::Own(error)) => return Err(error),
            }
        }
        self.remember_growth(self.archive.height() > before, now);
        findings.extend(self.behind(&claims, &findings));
        findings.extend(self.stall(&claims, now).await);
        let (opened, cleared) = self.settle(&mut findings, now)?;
        self.save()?;
        let tip = self.archive.tip();
        Ok(Poll {
            time: now,
            height: self.archive.height(),
            header: tip.map(testamur_primitives::header::Header::hash),
            log_size: tip.map_or(LogSize(0), |tip| tip.log_size),
            epoch: tip.map_or(Epoch(0), |tip| tip.epoch),
            nodes: seen,
            findings,
            opened,
            cleared,
            blocks: self.blocks,
            records: self.records,
        })
    }

    /// Asks every node at once for its newest checkpoint and its state.
    async fn claims(&self) -> Vec<Claim> {
        let mut asked = JoinSet::new();
        for (place, watched) in self.nodes.iter().enumerate() {
            let (node, trust, links) = (watched.node.clone(), Arc::clone(&self.trust), Arc::clone(&self.links));
            asked.spawn(async move {
                let newest = path::newest_from(&node, &trust, &links).await;
                // Only words: a node that does not tell its state is judged by its checkpoint alone.
                let report = if newest.is_ok() { node.report().await.ok() } else { None };
                (place, Claim { newest, report })
            });
        }
        let mut claims: Vec<_> = asked.join_all().await;
        claims.sort_by_key(|(place, _)| *place);
        claims.into_iter().map(|(_, claim)| claim).collect()
    }

    /// Nodes whose newest block is older than the newest known by more than a stall's time: by block times alone.
    fn behind(&self, claims: &[Claim], found: &[Finding]) -> Vec<Finding> {
        let Some(tip) = self.archive.tip() else { return Vec::new() };
        let allowed = self.settings.stall_s.unwrap_or(self.heartbeats(&self.trust.genesis().parameters));
        let mut behind = Vec::new();
        for (claim, watched) in claims.iter().zip(&self.nodes) {
            let Ok(newest) = &claim.newest else { continue };
            let late = tip.time.0.saturating_sub(newest.header.time.0);
            if late > allowed && found.iter().all(|finding| finding.server != watched.address) {
                let height = newest.header.height;
                let what = format!("it is at block {height}, {late} s older than block {} of others", tip.height);
                behind.push(Finding::new(Kind::Behind, &watched.address, Some(height), what));
            }
        }
        behind
    }

    /// When the ledger was last seen to grow. Who looks all the time sees it; after a pause, block time says since when it
    /// stands, and this machine's clock has to be right.
    fn remember_growth(&mut self, grew: bool, now: UnixTime) {
        let allowed = self.settings.stall_s.unwrap_or(self.heartbeats(&self.trust.genesis().parameters));
        let watched = self.memory.polled.is_some_and(|polled| now.0.saturating_sub(polled.0) <= allowed);
        match self.archive.tip() {
            Some(_) if grew && watched => self.memory.grew = Some(now),
            Some(tip) if grew || self.memory.grew.is_none() => self.memory.grew = Some(tip.time.min(now)),
            _ => {}
        }
        self.memory.polled = Some(now);
    }

    fn heartbeats(&self, parameters: &Parameters) -> u64 {
        (3 * u64::from(parameters.heartbeat_s)).max(STALL_MIN_S)
    }

    /// Whether no block was made for too long, and who is missing.
    async fn stall(&self, claims: &[Claim], now: UnixTime) -> Option<Finding> {
        let tip = self.archive.tip()?;
        let newest = claims.iter().filter_map(|claim| claim.newest.as_ref().ok());
        let newest = newest.max_by_key(|newest| newest.header.height)?;
        let allowed = match self.settings.stall_s {
            Some(seconds) => seconds,
            None => self.heartbeats(&self.parameters(claims).await),
        };
        let quiet = now.0.saturating_sub(self.memory.grew.unwrap_or(now).0);
        if quiet <= allowed {
            return None;
        }
        let mut words = vec![format!("no block since {}, for {quiet} s", tip.height)];
        let silent: Vec<_> = claims
            .iter()
            .zip(&self.nodes)
            .filter(|(claim, _)| claim.newest.is_err())
            .map(|(_, watched)| {
                let name = self.memory.nodes.get(&watched.address).and_then(|progress| progress.name.clone());
                name.unwrap_or_else(|| watched.address.clone())
            })
            .collect();
        if !silent.is_empty() {
            words.push(format!("not answering: {}", silent.join(", ")));
        }
        let signed = |name: &str| newest.note.lines().any(|line| line.starts_with(&format!("\u{2014} {name} ")));
        let set = newest.epoch.validators.validators();
        let unsigned: Vec<_> = set.iter().map(|v| v.name.as_str()).filter(|name| !signed(name)).collect();
        if !unsigned.is_empty() {
            words.push(format!("not under the newest certificate: {}", unsigned.join(", ")));
        }
        for (claim, watched) in claims.iter().zip(&self.nodes) {
            for problem in claim.report.iter().flat_map(|report| &report.problems) {
                words.push(format!("{} says {}: {}", watched.address, problem.code, problem.detail));
            }
        }
        Some(Finding::new(Kind::Stall, "", Some(tip.height), words.join("; ")))
    }

    /// The parameters in force: genesis', or what a node says if the newest header names just these.
    async fn parameters(&self, claims: &[Claim]) -> Parameters {
        let genesis = &self.trust.genesis().parameters;
        let Some(tip) = self.archive.tip().filter(|tip| tip.parameters_hash != genesis.hash()) else {
            return genesis.clone();
        };
        for (claim, watched) in claims.iter().zip(&self.nodes) {
            if claim.newest.is_ok()
                && let Ok(parameters) = watched.node.parameters().await
                && parameters.hash() == tip.parameters_hash
            {
                return parameters;
            }
        }
        genesis.clone()
    }

    /// Holds what was found against what stood: what is new, and what no longer stands.
    fn settle(&mut self, findings: &mut [Finding], now: UnixTime) -> Result<(Vec<Finding>, Vec<Finding>), AuditError> {
        let mut opened = Vec::new();
        for finding in findings.iter_mut() {
            match self.memory.findings.iter().find(|known| known.is_same(finding)) {
                Some(known) => finding.since = known.since,
                None => {
                    finding.since = now;
                    opened.push(finding.clone());
                }
            }
        }
        let stands = |known: &Finding| findings.iter().any(|finding| finding.is_same(known));
        let cleared: Vec<_> = self.memory.findings.iter().filter(|known| !stands(known)).cloned().collect();
        self.memory.findings = findings.to_vec();
        if !opened.is_empty() || !cleared.is_empty() {
            self.note(&opened, &cleared, now)?;
        }
        Ok((opened, cleared))
    }

    /// The file of all findings ever: appended to, never read here.
    fn note(&self, opened: &[Finding], cleared: &[Finding], now: UnixTime) -> Result<(), AuditError> {
        let path = self.directory.join("findings.jsonl");
        let mut text = String::new();
        for (event, findings) in [("opened", opened), ("cleared", cleared)] {
            for finding in findings {
                let line = serde_json::json!({ "time": now, "event": event, "finding": finding });
                text.push_str(&format!("{line}\n"));
            }
        }
        let mut file = fs::OpenOptions::new().append(true).create(true).open(&path);
        let written = file.as_mut().map(|file| file.write_all(text.as_bytes()).and_then(|()| file.sync_data()));
        match written {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(AuditError::file("write", &path, error)),
            Err(_) => Err(AuditError::file("open", &path, file.expect_err("it did not open"))),
        }
    }

    /// INV-AUDIT-1: what was seen is on disk before it is noted how far each node was read.
    fn save(&self) -> Result<(), AuditError> {
        self.archive.sync()?;
        self.memory.write(&self.directory.join("nodes.json"))
    }

    /// Keeps what shows a finding; the place of what is kept already, if the same finding stands.
    fn keep(&self, finding: &mut Finding, bytes: &[u8]) -> Result<(), AuditError> {
        let known = self.memory.findings.iter().find(|known| known.is_same(finding) && known.height == finding.height);
        if let Some(evidence) = known.and_then(|known| known.evidence.clone()) {
            finding.evidence = Some(evidence);
            return Ok(());
        }
        let directory = self.directory.join("evidence");
        let height = finding.height.unwrap_or_default();
        let digest: String = sha256(&[bytes])[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        let name = &finding.kind.code()["audit.".len()..];
        let path = directory.join(format!("{name}-{height}-{digest}.json"));
        let kept = fs::read_dir(&directory).map_err(|e| AuditError::file("read", &directory, e))?.count();
        if path.exists() || kept < EVIDENCE_FILES_MAX {
            if !path.exists() {
                write_whole(&path, bytes)?;
            }
            finding.evidence = Some(path.display().to_string());
        }
        Ok(())
    }
}

/// Writes a file in place of another: readers see the old or the new, also after a power cut.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), AuditError> {
    let temporary = path.with_extension("part");
    let written = (|| {
        let mut file = File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
    })();
    written.map_err(|e| AuditError::file("write", path, e))
}
