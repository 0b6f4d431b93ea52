//! The part that this node has in its network now: it votes, or it follows. Submissions, health and the API look here,
//! so that none of them has to know how it changes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, RwLock};
use std::time::{Duration, Instant};

use testamur_consensus::{Committed, ConsensusHandle};
use testamur_primitives::hash::RecordId;
use tokio::sync::broadcast;

use super::application::LedgerApplication;
use super::follow::{Progress, Source};
use crate::limits::MEASURED_MAX;

/// Committed blocks that a slow listener may lag behind before it misses some.
const EVENTS_MAX: usize = 256;
/// How long a record that was passed on counts as under way: longer than any client waits for it.
const UNDER_WAY: Duration = Duration::from_secs(600);

/// The engine's handle, over this daemon's ledger.
pub(crate) type Consensus = ConsensusHandle<LedgerApplication>;

/// What a node does now.
pub(crate) struct Part {
    consensus: RwLock<Option<Consensus>>,
    /// Nodes that are followed, and that records are passed on to.
    pub(crate) sources: Vec<Arc<dyn Source>>,
    /// How far following is.
    pub(crate) progress: Arc<Progress>,
    /// Committed blocks, whichever way they came.
    pub(crate) events: broadcast::Sender<Arc<Committed>>,
    passed_on: Mutex<HashMap<RecordId, Instant>>,
}

impl Part {
    /// Nothing yet.
    pub(crate) fn new(sources: Vec<Arc<dyn Source>>) -> Self {
        let progress = Progress::new(sources.iter().map(|source| source.name().to_owned()).collect());
        let (events, _) = broadcast::channel(EVENTS_MAX);
        Self {
            consensus: RwLock::new(None),
            sources,
            progress: Arc::new(progress),
            events,
            passed_on: Mutex::default(),
        }
    }

    /// Consensus, while this node takes part in it.
    pub(crate) fn consensus(&self) -> Option<Consensus> {
        self.consensus.read().expect("nothing panics under this lock").clone()
    }

    pub(super) fn set_consensus(&self, consensus: Option<Consensus>) {
        *self.consensus.write().expect("nothing panics under this lock") = consensus;
    }

    /// Remembers a record that another node took on this node's behalf.
    pub(super) fn passed_on(&self, id: RecordId) {
        let mut passed_on = self.passed_on.lock().expect("nothing panics under this lock");
        if passed_on.len() >= MEASURED_MAX {
            passed_on.retain(|_, at| at.elapsed() < UNDER_WAY);
        }
        // Full of fresh ones: this one is then looked for by its id alone.
        if passed_on.len() < MEASURED_MAX {
            passed_on.insert(id, Instant::now());
        }
    }

    /// Forgets records that are final.
    pub(super) fn committed(&self, block: &Committed) {
        let mut passed_on = self.passed_on.lock().expect("nothing panics under this lock");
        if !passed_on.is_empty() {
            passed_on.retain(|id, _| !block.records.contains(id));
        }
    }

    /// Whether a record is under way: in this node's pool, or passed on not long ago.
    pub(crate) fn is_under_way(&self, id: &RecordId) -> bool {
        if self.consensus().is_some_and(|consensus| consensus.is_pooled(id)) {
            return true;
        }
        let passed_on = self.passed_on.lock().expect("nothing panics under this lock");
        passed_on.get(id).is_some_and(|at| at.elapsed() < UNDER_WAY)
    }
}
