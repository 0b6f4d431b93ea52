//! A node: store, the part it has in its network, and what the API sees of them, wired together.
//!
//! The same process votes or follows, and changes between the two while it runs ([`office`]). A fatal error (damage, a
//! failed write or fsync, a dead engine, a failed guard) is reported once through [`RunningNode::fatal`]; the process
//! must then end. Nothing here retries it.

mod application;
mod clock;
mod follow;
mod health;
mod membership;
pub(crate) mod office;
mod part;
mod reader;
pub(crate) mod readiness;
mod submitter;
mod synced;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use testamur_api::{BackedUp, BackupError, Keeper, Node};
use testamur_primitives::genesis::Genesis;
use testamur_primitives::key::SigningKey;
use testamur_store::{Ledger, NodeIdentity, Options, StoreError};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

pub(crate) use application::LedgerApplication;
use application::LogKey;
use follow::{Follower, HttpSource, Source};
pub(crate) use membership::tcp;
use office::{Member, Office, OfficeParts};
use part::Part;

use crate::exit::CommandError;
use crate::limits::{FOLLOW_SILENCE_MAX, FREE_BYTES_INTERVAL};

/// All that a node is started from.
pub(crate) struct NodeParts {
    /// The network.
    pub(crate) genesis: Arc<Genesis>,
    /// Directory of the store.
    pub(crate) data: PathBuf,
    /// A validator's means; none for an observer.
    pub(crate) member: Option<Member>,
    /// Secret key that signs checkpoints as the log; validators alone have one.
    pub(crate) log_key: Option<SigningKey>,
    /// Nodes to follow and to pass records on to.
    pub(crate) follow: Vec<testamur_client::node::Node>,
    /// Free disk below which no more records are taken.
    pub(crate) free_bytes_min: u64,
}

/// A node that runs.
pub(crate) struct RunningNode {
    /// What the API serves.
    pub(crate) api: Node,
    /// The ledger, for the background scrub.
    pub(crate) ledger: Arc<Ledger>,
    /// Counts what the scrub has checked.
    pub(crate) scrubbed: Arc<AtomicU64>,
    /// Yields the reason when the process must end.
    pub(crate) fatal: mpsc::UnboundedReceiver<String>,
    office: JoinHandle<()>,
    stop: watch::Sender<bool>,
    stopping: Arc<AtomicBool>,
}

/// Opens the store and begins to vote or to follow.
pub(crate) async fn start(parts: NodeParts) -> Result<RunningNode, CommandError> {
    let started = Instant::now();
    let (report, fatal) = mpsc::unbounded_channel();
    let store_report = report.clone();
    let health = testamur_store::Health::new(move |reason| {
        // Nobody is left to stop.
        let _ = store_report.send(format!("the store stopped: {reason}"));
    });
    let address = parts.member.as_ref().map(|member| member.address);
    let node = address.map_or(NodeIdentity::Observer, NodeIdentity::Validator);
    let options = Options { node, health };
    let (data, genesis) = (parts.data.clone(), Arc::clone(&parts.genesis));
    let open = move || {
        if let NodeIdentity::Validator(_) = node {
            adopt(&data, &genesis, node)?;
        }
        Ledger::open(&data, genesis, options)
    };
    let ledger = tokio::task::spawn_blocking(open)
        .await
        .map_err(|e| CommandError::failed("node.store", e, "see the log above"))?
        .map_err(|e| store_refused(&e))?;
    let ledger = Arc::new(ledger);

    let log_key = parts.log_key.map(log_key).transpose()?;
    let application = Arc::new(LedgerApplication::new(Arc::clone(&ledger), log_key));
    let sources = sources(parts.follow, &ledger);
    let part = Arc::new(Part::new(sources.clone()));
    let disk_low = Arc::new(AtomicBool::new(false));
    let free_bytes = Arc::new(AtomicU64::new(u64::MAX));
    let measured = Arc::new(submitter::Measured::default());
    let stopping = Arc::new(AtomicBool::new(false));
    let scrubbed = Arc::new(AtomicU64::new(0));
    watch_disk(&ledger, parts.free_bytes_min, &disk_low, &free_bytes, &report)?;
    watch_commits(&part, &measured);

    let (stop, stopped) = watch::channel(false);
    let follower = Follower::new(
        sources,
        Arc::clone(&ledger),
        Arc::clone(&application),
        Arc::clone(&part.progress),
        part.events.clone(),
        Arc::clone(&stopping),
    );
    let office = OfficeParts {
        ledger: Arc::clone(&ledger),
        application,
        part: Arc::clone(&part),
        follower,
        member: parts.member,
        report,
        stop: stopped,
    };
    let office = Office::open(office).await.map_err(|e| {
        CommandError::failed(
            "node.consensus",
            e,
            "see the disk of storage.guard and storage.wal, and the configuration's [consensus]",
        )
    })?;
    let office = tokio::spawn(office.run());

    let health = health::NodeHealth {
        address,
        started,
        ledger: Arc::clone(&ledger),
        part: Arc::clone(&part),
        measured: Arc::clone(&measured),
        disk_low: Arc::clone(&disk_low),
        free_bytes,
        free_bytes_min: parts.free_bytes_min,
        stopping: Arc::clone(&stopping),
        scrubbed: Arc::clone(&scrubbed),
    };
    let submitter = submitter::NodeSubmitter { ledger: Arc::clone(&ledger), part, disk_low, measured };
    let api = Node {
        reader: Arc::new(reader::LedgerReader(Arc::clone(&ledger))),
        submitter: Arc::new(submitter),
        health: Arc::new(health),
    };
    Ok(RunningNode { api, ledger, scrubbed, fatal, office, stop, stopping })
}

impl RunningNode {
    /// Tells everybody that the node is about to stop; `/readyz` turns red.
    pub(crate) fn announce_stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Stops consensus and gossip, or following; returns when they are gone. The store closes with the last reference
    /// to it.
    pub(crate) async fn shutdown(self) {
        self.announce_stop();
        self.stop.send_replace(true);
        // It has reported why, if it did not end as it was told.
        let _ = self.office.await;
    }
}

/// What was joined or restored as an observer's directory becomes a validator's when a validator opens it.
fn adopt(data: &Path, genesis: &Genesis, node: NodeIdentity) -> Result<(), StoreError> {
    let observer = NodeIdentity::Observer;
    let is_observers = testamur_store::node_of(data)?.is_some_and(|(_, found)| found == observer.to_string());
    if is_observers { testamur_store::change_node(data, genesis.hash(), observer, node) } else { Ok(()) }
}

/// Makes backups of the ledger that this node has open.
pub(crate) struct LedgerKeeper(pub(crate) Arc<Ledger>);

impl Keeper for LedgerKeeper {
    fn back_up(&self, directory: &Path) -> Result<BackedUp, BackupError> {
        let written = self.0.backup(directory, |_| ()).map_err(|error| BackupError { what: error.to_string() })?;
        Ok(BackedUp {
            height: written.height.0,
            header: written.header.to_string(),
            log_size: written.records.0,
            files: written.files.len() as u64,
            bytes: written.bytes(),
        })
    }
}

fn sources(nodes: Vec<testamur_client::node::Node>, ledger: &Ledger) -> Vec<Arc<dyn Source>> {
    let source = |node| Arc::new(HttpSource(node, ledger.network())) as Arc<dyn Source>;
    nodes.into_iter().map(source).collect()
}

/// Why a ledger could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CatchUpError {
    /// Nobody answers.
    #[error("none of the nodes answers: {0}")]
    Silence(String),
    /// Whoever answers sends what does not hold.
    #[error("what the nodes send is not this network's ledger: {0}")]
    Lies(String),
    /// This machine's own.
    #[error("{0}")]
    Own(String),
}

/// Follows nodes until this ledger stands where they stand. `told` hears its height and theirs.
pub(crate) async fn catch_up(
    ledger: &Arc<Ledger>,
    nodes: Vec<testamur_client::node::Node>,
    told: impl Fn(u64, u64),
) -> Result<(), CatchUpError> {
    let sources = sources(nodes, ledger);
    let part = Part::new(sources.clone());
    let application = Arc::new(LedgerApplication::new(Arc::clone(ledger), None));
    let progress = Arc::clone(&part.progress);
    let stopping = Arc::default();
    let mut follower =
        Follower::new(sources, Arc::clone(ledger), application, Arc::clone(&progress), part.events, stopping);
    loop {
        follower.step().await.map_err(CatchUpError::Own)?;
        let tip = ledger.tip().height();
        let behind = progress.behind(tip);
        told(tip.0, tip.0 + behind);
        if follower.all_left_out() {
            return Err(CatchUpError::Lies(progress.faults().join("; ")));
        }
        if progress.has_answered() && behind == 0 {
            return Ok(());
        }
        if progress.silence() > FOLLOW_SILENCE_MAX {
            return Err(CatchUpError::Silence(progress.faults().join("; ")));
        }
    }
}

fn log_key(key: SigningKey) -> Result<LogKey, CommandError> {
    let testamur_primitives::key::PublicKey::Ed25519(public) = key.public_key() else {
        return Err(CommandError::failed(
            "node.key",
            "the log key is not an Ed25519 key",
            "check the configuration's [keys]",
        ));
    };
    Ok(LogKey { key, public })
}

/// What to do about a store that does not open.
fn store_refused(error: &StoreError) -> CommandError {
    let hint = match error {
        StoreError::Foreign { .. } => "point storage.data at this node's own directory, or at an empty one",
        StoreError::Locked { .. } => "stop the other process, or give this node its own storage.data",
        StoreError::Damaged { .. } => {
            "keep the directory as evidence, start with an empty one: the node syncs from its peers or what it follows"
        }
        _ => "check the disk and the permissions of storage.data",
    };
    CommandError::failed("node.store", error, hint)
}

/// Looks at the free disk now and then: records are refused early, so that what was accepted can still be written.
fn watch_disk(
    ledger: &Arc<Ledger>,
    free_bytes_min: u64,
    disk_low: &Arc<AtomicBool>,
    free_bytes: &Arc<AtomicU64>,
    report: &mpsc::UnboundedSender<String>,
) -> Result<(), CommandError> {
    let look = {
        let (ledger, disk_low, free_bytes) = (Arc::clone(ledger), Arc::clone(disk_low), Arc::clone(free_bytes));
        move || -> Result<(), StoreError> {
            let free = ledger.free_bytes()?;
            free_bytes.store(free, Ordering::Relaxed);
            let low = free < free_bytes_min;
            #[cfg(feature = "faults")]
            fail::fail_point!("node.disk-low.ignore", |_| Ok(()));
            if disk_low.swap(low, Ordering::Relaxed) != low {
                if low {
                    tracing::error!(free, needed = free_bytes_min, "disk low: no more records are taken");
                } else {
                    tracing::info!(free, "enough disk again: records are taken");
                }
            }
            Ok(())
        }
    };
    look().map_err(|e| store_refused(&e))?;
    let report = report.clone();
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(FREE_BYTES_INTERVAL);
        loop {
            ticks.tick().await;
            if let Err(error) = tokio::task::block_in_place(&look) {
                // Nobody is left to stop.
                let _ = report.send(format!("the free disk cannot be read: {error}"));
                return;
            }
        }
    });
    Ok(())
}

fn watch_commits(part: &Arc<Part>, measured: &Arc<submitter::Measured>) {
    let mut events = part.events.subscribe();
    let (part, measured) = (Arc::downgrade(part), Arc::clone(measured));
    tokio::spawn(async move {
        loop {
            match events.recv().await {
                Ok(block) => {
                    measured.committed(&block);
                    // Gone: the node has ended.
                    let Some(part) = part.upgrade() else { return };
                    part.committed(&block);
                }
                Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
                Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
            }
        }
    });
}
