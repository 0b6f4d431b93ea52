//! A node: store, consensus, and what the API sees of them, wired together.
//!
//! A fatal error (damage, a failed write or fsync, a dead engine, a failed guard) is reported once through
//! [`RunningNode::fatal`]; the process must then end. Nothing here retries it.

mod application;
mod clock;
mod health;
mod reader;
mod submitter;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use testamur_api::Node;
use testamur_consensus::{ConsensusConfig, ConsensusHandle, ConsensusKeys};
use testamur_primitives::genesis::Genesis;
use testamur_primitives::key::SigningKey;
use testamur_store::{Ledger, NodeIdentity, Options, StoreError};
use tokio::sync::mpsc;

pub(crate) use application::LedgerApplication;
use application::LogKey;

use crate::exit::CommandError;
use crate::limits::FREE_BYTES_INTERVAL;

/// All that a node is started from.
pub(crate) struct NodeParts {
    /// The network.
    pub(crate) genesis: Arc<Genesis>,
    /// Directory of the store.
    pub(crate) data: PathBuf,
    /// Name of the validator, for people.
    pub(crate) name: String,
    /// Consensus and gossip.
    pub(crate) consensus: ConsensusConfig,
    /// Secret keys of consensus.
    pub(crate) keys: ConsensusKeys,
    /// Secret key that signs checkpoints as the log.
    pub(crate) log_key: SigningKey,
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
    consensus: ConsensusHandle<LedgerApplication>,
    stopping: Arc<AtomicBool>,
}

/// Opens the store and starts consensus over it.
pub(crate) async fn start(parts: NodeParts) -> Result<RunningNode, CommandError> {
    let started = Instant::now();
    let (report, fatal) = mpsc::unbounded_channel();
    let store_report = report.clone();
    let health = testamur_store::Health::new(move |reason| {
        // Nobody is left to stop.
        let _ = store_report.send(format!("the store stopped: {reason}"));
    });
    let options = Options { node: NodeIdentity::Validator(parts.consensus.address), health };
    let (data, genesis) = (parts.data.clone(), Arc::clone(&parts.genesis));
    let ledger = tokio::task::spawn_blocking(move || Ledger::open(&data, genesis, options))
        .await
        .map_err(|e| CommandError::failed("node.store", e, "see the log above"))?
        .map_err(|e| store_refused(&e))?;
    let ledger = Arc::new(ledger);

    let testamur_primitives::key::PublicKey::Ed25519(public) = parts.log_key.public_key() else {
        return Err(CommandError::failed(
            "node.key",
            "the log key is not an Ed25519 key",
            "check the configuration's [keys]",
        ));
    };
    let address = parts.consensus.address;
    let log_key = Some(LogKey { key: parts.log_key, public });
    let application = Arc::new(LedgerApplication::new(Arc::clone(&ledger), log_key));
    let consensus = testamur_consensus::start(parts.consensus, parts.keys, application)
        .await
        .map_err(|e| CommandError::failed("node.consensus", e, "see the configuration's [consensus]"))?;

    let disk_low = Arc::new(AtomicBool::new(false));
    let free_bytes = Arc::new(AtomicU64::new(u64::MAX));
    let measured = Arc::new(submitter::Measured::default());
    let stopping = Arc::new(AtomicBool::new(false));
    let scrubbed = Arc::new(AtomicU64::new(0));
    watch_disk(&ledger, parts.free_bytes_min, &disk_low, &free_bytes, &report)?;
    watch_commits(&consensus, &measured);
    watch_fatal(&consensus, report);

    let health = health::NodeHealth {
        name: parts.name,
        address,
        started,
        ledger: Arc::clone(&ledger),
        consensus: consensus.clone(),
        measured: Arc::clone(&measured),
        disk_low: Arc::clone(&disk_low),
        free_bytes,
        free_bytes_min: parts.free_bytes_min,
        stopping: Arc::clone(&stopping),
        scrubbed: Arc::clone(&scrubbed),
    };
    let submitter =
        submitter::NodeSubmitter { ledger: Arc::clone(&ledger), consensus: consensus.clone(), disk_low, measured };
    let api = Node {
        reader: Arc::new(reader::LedgerReader(Arc::clone(&ledger))),
        submitter: Arc::new(submitter),
        health: Arc::new(health),
    };
    Ok(RunningNode { api, ledger, scrubbed, fatal, consensus, stopping })
}

impl RunningNode {
    /// Tells everybody that the node is about to stop; `/readyz` turns red.
    pub(crate) fn announce_stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Stops consensus and gossip; returns when they are gone. The store closes with the last reference to it.
    pub(crate) async fn shutdown(self) {
        self.announce_stop();
        self.consensus.shutdown().await;
    }
}

/// What to do about a store that does not open.
fn store_refused(error: &StoreError) -> CommandError {
    let hint = match error {
        StoreError::Foreign { .. } => "point storage.data at this node's own directory, or at an empty one",
        StoreError::Locked { .. } => "stop the other process, or give this node its own storage.data",
        StoreError::Damaged { .. } => {
            "keep the directory as evidence, start with an empty one: the node syncs from its peers"
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

fn watch_commits(consensus: &ConsensusHandle<LedgerApplication>, measured: &Arc<submitter::Measured>) {
    let mut events = consensus.events();
    let measured = Arc::clone(measured);
    tokio::spawn(async move {
        loop {
            match events.recv().await {
                Ok(block) => measured.committed(&block),
                Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
                Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
            }
        }
    });
}

fn watch_fatal(consensus: &ConsensusHandle<LedgerApplication>, report: mpsc::UnboundedSender<String>) {
    let mut fatal = consensus.fatal();
    tokio::spawn(async move {
        if let Ok(reason) = fatal.wait_for(Option::is_some).await {
            let reason = reason.as_ref().map_or_else(String::new, ToString::to_string);
            // Nobody is left to stop.
            let _ = report.send(format!("consensus stopped: {reason}"));
        }
    });
}
