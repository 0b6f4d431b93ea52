//! Following other nodes over HTTP: what an observer does, a candidate until it is in office, and a validator that no
//! longer is.
//!
//! - INV-FOLLOW-2: a block is committed only with a certificate that verifies under this node's own epoch chain, after
//!   this node executed it: [`LedgerApplication::validate`] and commit are the ones that a validator uses. The nodes
//!   that are followed are believed in nothing.
//! - A node that sends what does not hold is named in the log and left out for a while; the others go on.
//! - No clock is asked: what was decided is not judged by time.

mod progress;
mod source;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use testamur_consensus::Committed;
use testamur_consensus::application::{Application as _, Attachments};
use testamur_primitives::block::encode_value;
use testamur_primitives::checkpoint::verify_certificate;
use testamur_primitives::stream::StreamedBlock;
use testamur_primitives::units::Height;
use testamur_store::Ledger;
use tokio::sync::broadcast;
use tokio::task::JoinHandle;

use super::application::LedgerApplication;
use crate::limits::{
    FOLLOW_ATTACHMENTS_MAX, FOLLOW_BLOCKS_MAX, FOLLOW_HEIGHTS_INTERVAL, FOLLOW_LEFT_OUT, FOLLOW_PAUSE_MAX,
    FOLLOW_PAUSE_MIN,
};
pub(crate) use progress::Progress;
pub(crate) use source::{HttpSource, Source, SourceError};

/// Follows nodes for as long as it is asked to.
pub(crate) struct Follower {
    nodes: Vec<Followed>,
    /// Place of the node that is asked first: the one that gave the last block.
    preferred: usize,
    ledger: Arc<Ledger>,
    application: Arc<LedgerApplication>,
    progress: Arc<Progress>,
    events: broadcast::Sender<Arc<Committed>>,
    /// The answer that is on its way while the one before is committed.
    ahead: Option<Ahead>,
    heights_asked: Option<Instant>,
    pause: Duration,
    stopping: Arc<AtomicBool>,
}

struct Followed {
    source: Arc<dyn Source>,
    left_out_until: Option<Instant>,
    /// Whether its last answer was an error, so that each change is logged once.
    away: bool,
    /// The height that it says it stands at.
    claimed: Height,
    /// How often in a row it gave no block although it claims to have it.
    withheld: u32,
}

/// Claims without a block after which a node is left out: more than a node that is just starting makes.
const WITHHELD_MAX: u32 = 20;

struct Ahead {
    node: usize,
    from: Height,
    answer: JoinHandle<Result<Vec<StreamedBlock>, SourceError>>,
}

/// What became of blocks that a node gave.
enum Applied {
    /// All were committed.
    All,
    /// One of them is not what the network decided.
    Lie(Height, String),
}

impl Follower {
    /// Follows these nodes.
    pub(crate) fn new(
        sources: Vec<Arc<dyn Source>>,
        ledger: Arc<Ledger>,
        application: Arc<LedgerApplication>,
        progress: Arc<Progress>,
        events: broadcast::Sender<Arc<Committed>>,
        stopping: Arc<AtomicBool>,
    ) -> Self {
        let followed = |source| Followed { source, left_out_until: None, away: false, claimed: Height(0), withheld: 0 };
        Self {
            nodes: sources.into_iter().map(followed).collect(),
            preferred: 0,
            ledger,
            application,
            progress,
            events,
            ahead: None,
            heights_asked: None,
            pause: FOLLOW_PAUSE_MIN,
            stopping,
        }
    }

    /// One step: asks for the next blocks and commits them, or waits a little when there are none. An error is this
    /// node's own, and fatal. Dropping the future loses no block: a commit that began ends on its own thread.
    pub(crate) async fn step(&mut self) -> Result<(), String> {
        self.ask_heights().await;
        let tip = self.ledger.tip().height();
        for node in self.in_order() {
            let given = match self.ask(node, tip.next()).await {
                Ok(given) => given,
                Err(SourceError::Away(error)) => {
                    self.mark_away(node, &error.to_string());
                    continue;
                }
                Err(SourceError::Malformed(reason)) => {
                    self.leave_out(node, tip.next(), &reason);
                    continue;
                }
            };
            self.mark_back(node);
            if given.is_empty() {
                // One that is as far as this node; another may be further.
                self.count_withheld(node, tip.next());
                continue;
            }
            self.nodes[node].withheld = 0;
            self.progress.answered(Some(Height(tip.0 + given.len() as u64)));
            self.prefetch(node, Height(tip.0 + given.len() as u64 + 1), given.len());
            self.preferred = node;
            self.pause = FOLLOW_PAUSE_MIN;
            if let Applied::Lie(height, reason) = self.apply(given).await? {
                self.leave_out(node, height, &reason);
            }
            return Ok(());
        }
        self.fetch_attachments().await?;
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(FOLLOW_PAUSE_MAX);
        Ok(())
    }

    /// Asks all nodes how far they are.
    pub(crate) async fn look_around(&mut self) {
        self.heights_asked = None;
        self.ask_heights().await;
    }

    /// Looks again at once: something is known to be on its way.
    pub(crate) fn hurry(&mut self) {
        self.pause = FOLLOW_PAUSE_MIN;
    }

    /// Whether every node is left out for what it sent.
    pub(crate) fn all_left_out(&self) -> bool {
        self.in_order().is_empty()
    }

    fn in_order(&self) -> Vec<usize> {
        let now = Instant::now();
        let all = (0..self.nodes.len()).map(|step| (self.preferred + step) % self.nodes.len());
        all.filter(|node| self.nodes[*node].left_out_until.is_none_or(|until| until <= now)).collect()
    }

    async fn ask(&mut self, node: usize, from: Height) -> Result<Vec<StreamedBlock>, SourceError> {
        if let Some(ahead) = self.ahead.take() {
            if ahead.node == node && ahead.from == from {
                // A panic in the task is an answer that cannot be used.
                return ahead.answer.await.unwrap_or_else(|e| Err(SourceError::Malformed(e.to_string())));
            }
            ahead.answer.abort();
        }
        self.nodes[node].source.blocks(from, FOLLOW_BLOCKS_MAX).await
    }

    /// While this node is far behind, the next blocks travel while these are executed.
    fn prefetch(&mut self, node: usize, from: Height, given: usize) {
        if given > 1 {
            let source = Arc::clone(&self.nodes[node].source);
            let answer = tokio::spawn(async move { source.blocks(from, FOLLOW_BLOCKS_MAX).await });
            self.ahead = Some(Ahead { node, from, answer });
        }
    }

    async fn apply(&self, given: Vec<StreamedBlock>) -> Result<Applied, String> {
        let (ledger, application, events) =
            (Arc::clone(&self.ledger), Arc::clone(&self.application), self.events.clone());
        let stopping = Arc::clone(&self.stopping);
        let apply = move || -> Result<Applied, String> {
            for block in given {
                // Nobody waits for the rest when the node stops.
                if stopping.load(Ordering::Relaxed) {
                    break;
                }
                if let Applied::Lie(height, reason) = commit(&ledger, &application, &events, &block)? {
                    return Ok(Applied::Lie(height, reason));
                }
            }
            Ok(Applied::All)
        };
        tokio::task::spawn_blocking(apply).await.map_err(|e| e.to_string())?
    }

    /// Asks all nodes now and then how far they are: one that stands still must not hold this node back unseen.
    async fn ask_heights(&mut self) {
        if self.heights_asked.is_some_and(|at| at.elapsed() < FOLLOW_HEIGHTS_INTERVAL) {
            return;
        }
        self.heights_asked = Some(Instant::now());
        for node in self.in_order() {
            match self.nodes[node].source.height().await {
                Ok(height) => {
                    self.nodes[node].claimed = height;
                    self.progress.answered(None);
                }
                Err(error) => {
                    self.nodes[node].claimed = Height(0);
                    self.mark_away(node, &error.to_string());
                }
            }
        }
        self.sum_up_claims();
    }

    fn sum_up_claims(&self) {
        let claims = self.in_order().into_iter().map(|node| self.nodes[node].claimed);
        self.progress.set_highest(claims.max().unwrap_or_default());
    }

    fn count_withheld(&mut self, node: usize, height: Height) {
        let followed = &mut self.nodes[node];
        followed.withheld = if followed.claimed >= height { followed.withheld + 1 } else { 0 };
        if followed.withheld > WITHHELD_MAX {
            let reason = format!("it says that it stands at height {}, and does not give this one", followed.claimed);
            followed.withheld = 0;
            self.leave_out(node, height, &reason);
        }
    }

    async fn fetch_attachments(&self) -> Result<(), String> {
        let application = Arc::clone(&self.application);
        let missing = tokio::task::block_in_place(|| application.missing_attachments(FOLLOW_ATTACHMENTS_MAX));
        for digest in missing.map_err(|e| e.to_string())? {
            for node in self.in_order() {
                let Ok(Some(bytes)) = self.nodes[node].source.attachment(digest).await else { continue };
                // What a node made up is no harm: only what is missing is kept, by its hash.
                let bytes = Bytes::from(bytes);
                let kept = tokio::task::block_in_place(|| self.application.put_attachment(&bytes));
                if kept.map_err(|e| e.to_string())? {
                    break;
                }
            }
        }
        Ok(())
    }

    fn mark_away(&mut self, node: usize, error: &str) {
        if !std::mem::replace(&mut self.nodes[node].away, true) {
            self.progress.fault(self.nodes[node].source.name(), error);
            tracing::warn!(node = self.nodes[node].source.name(), error, "a followed node gives no blocks");
        }
    }

    fn mark_back(&mut self, node: usize) {
        self.progress.answered(None);
        if std::mem::replace(&mut self.nodes[node].away, false) {
            tracing::info!(node = self.nodes[node].source.name(), "a followed node answers again");
        }
    }

    fn leave_out(&mut self, node: usize, height: Height, reason: &str) {
        self.ahead = None;
        let followed = &mut self.nodes[node];
        followed.left_out_until = Some(Instant::now() + FOLLOW_LEFT_OUT);
        self.progress.fault(followed.source.name(), &format!("height {height}: {reason}"));
        tracing::error!(
            node = followed.source.name(), %height, reason, left_out_s = FOLLOW_LEFT_OUT.as_secs(),
            "a followed node sent what the network did not decide: it is left out for a while"
        );
        self.progress.count_left_out();
        self.sum_up_claims();
        if self.all_left_out() {
            tracing::error!(
                %height,
                "every followed node is left out: when they are run by different people, suspect this machine or an old \
                 release, and run `testamur check`"
            );
        }
    }
}

/// Verifies, executes and commits one block (INV-FOLLOW-2).
fn commit(
    ledger: &Ledger,
    application: &LedgerApplication,
    events: &broadcast::Sender<Arc<Committed>>,
    given: &StreamedBlock,
) -> Result<Applied, String> {
    let tip = ledger.tip();
    let value = Bytes::from(encode_value(&given.block, &given.attachments));
    let judged = application.validate(&value, &|_| None, Attachments::AsTheyCome).map_err(|e| e.to_string())?;
    let block = match judged {
        Ok(block) => block,
        Err(reason) => return Ok(Applied::Lie(tip.next_height(), reason)),
    };
    if let Err(error) = verify_certificate(ledger.origin(), &block.header, &given.certificate, &tip.validators) {
        return Ok(Applied::Lie(tip.next_height(), format!("its certificate: {error}")));
    }
    application.commit(&block, &given.certificate).map_err(|e| e.to_string())?;
    let committed = Committed { height: block.header.height, time: block.header.time, records: block.records.clone() };
    // Nobody listens: fine.
    let _ = events.send(Arc::new(committed));
    Ok(Applied::All)
}
