//! Several nodes of one network: a record goes to the next when one is away, always the same signed bytes.
//!
//! INV-CLIENT-2: a record is signed once and submitted as often as it takes. Its id is unique over the ledger, so a
//! node that has it already says so, and the receipt is fetched instead. Nothing is notarised twice.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use testamur_primitives::hash::RecordId;
use testamur_primitives::receipt::Receipt;
use testamur_primitives::record::Record;
use tokio::time::{Instant, sleep_until, timeout};

use crate::cut::CutError;
use crate::error::{ClientError, Problem};
use crate::limits::{ATTEMPT_TIMEOUT, LOOK_TIMEOUT_MAX, LOOK_TIMEOUT_MIN, NODES_MAX, POLL_PAUSE_MAX, POLL_PAUSE_MIN};
use crate::node::{Connections, Network, Node, Submitted};

/// Why a record has no receipt.
#[derive(Debug, thiserror::Error)]
pub enum FinaliseError {
    /// No node could be reached: nothing was sent.
    #[error("no node can be reached: {}", .0.join("; "))]
    Unreachable(Vec<String>),
    /// Every node that could be reached said "not now": nothing was taken.
    #[error("{server} takes no records now: {problem}")]
    Busy {
        /// Which node.
        server: String,
        /// Its words.
        problem: Problem,
    },
    /// The ledger's rules refuse the record.
    #[error("{server} refused the record: {problem}")]
    Refused {
        /// Which node.
        server: String,
        /// Its words.
        problem: Problem,
    },
    /// A node took the record, or may have, and no receipt came in time: it may still become final.
    #[error("record {id} may have been taken but was not seen final in time: {reason}")]
    Unknown {
        /// The record.
        id: RecordId,
        /// What was seen last.
        reason: String,
    },
    /// The record is final by a node's word, but every receipt given for it fails verification.
    #[error("record {id}: {server} gave a receipt that is not accepted: {error}")]
    Receipt {
        /// The record.
        id: RecordId,
        /// Which node.
        server: String,
        /// What is wrong with it.
        error: CutError,
    },
}

impl FinaliseError {
    /// Whether the record may still become final, or is.
    pub fn may_have_taken_effect(&self) -> bool {
        matches!(self, Self::Unknown { .. } | Self::Receipt { .. })
    }

    /// Whether the process must stop: never.
    pub fn is_fatal(&self) -> bool {
        false
    }
}

/// The nodes of one network that a client may ask, in order of preference.
#[derive(Debug)]
pub struct Nodes {
    nodes: Vec<Node>,
    /// Which node answered last: the first to be asked next time, so that a dead node costs its timeout once.
    preferred: AtomicUsize,
}

/// What a search for a receipt ended in.
enum Found<T> {
    Accepted(T),
    Rejected(String, CutError),
    Nothing,
}

impl Nodes {
    /// 1 to 64 nodes by their addresses.
    pub fn new<A: AsRef<str>>(addresses: &[A], connections: &Connections) -> Result<Self, ClientError> {
        if !(1..=NODES_MAX).contains(&addresses.len()) {
            let reason = format!("between 1 and {NODES_MAX} nodes are expected, {} are given", addresses.len());
            return Err(ClientError::Address { url: String::new(), reason });
        }
        let nodes =
            addresses.iter().map(|address| Node::new(address.as_ref(), connections)).collect::<Result<_, _>>()?;
        Ok(Self { nodes, preferred: AtomicUsize::new(0) })
    }

    /// The nodes, as given.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// What the first node that answers says of its network.
    pub async fn network(&self) -> Result<Network, ClientError> {
        let mut last = None;
        for (place, node) in self.in_order() {
            match node.network().await {
                Ok(network) => {
                    self.prefer(place);
                    return Ok(network);
                }
                Err(error) => last = Some(error),
            }
        }
        Err(last.expect("there is at least one node"))
    }

    /// Submits a record until it is final, and returns what `accept` makes of its receipt.
    ///
    /// `accept` verifies: a node whose receipt it refuses is passed over. The future may be dropped at any point; the
    /// record may then become final without anybody having its receipt, which `GET /v1/records/{id}/receipt` gives.
    pub async fn finalise<T>(
        &self,
        record: &Record,
        within: Duration,
        accept: impl Fn(Receipt) -> Result<T, CutError>,
    ) -> Result<T, FinaliseError> {
        self.finalise_with(record, None, within, accept).await
    }

    /// As [`Nodes::finalise`], with the bytes that the record must be accompanied by.
    pub async fn finalise_with<T>(
        &self,
        record: &Record,
        attachment: Option<&[u8]>,
        within: Duration,
        accept: impl Fn(Receipt) -> Result<T, CutError>,
    ) -> Result<T, FinaliseError> {
        let deadline = Instant::now() + within;
        // Why the outcome is not known; none as long as no node can have taken the record.
        let mut uncertain: Option<String> = None;
        let mut unreachable = Vec::new();
        let mut busy = None;
        for (tried, (place, node)) in self.in_order().enumerate() {
            let left = u32::try_from(self.nodes.len() - tried).unwrap_or(u32::MAX);
            let patience = ATTEMPT_TIMEOUT.min(deadline.saturating_duration_since(Instant::now()) / left);
            if patience.is_zero() {
                break;
            }
            match node.submit_with(record, attachment, patience).await {
                Ok(submitted) => {
                    self.prefer(place);
                    uncertain = Some(match submitted {
                        Submitted::Final => format!("{} reports it final but gave no receipt", node.name()),
                        Submitted::Queued => format!("{} has it queued: there may be no quorum", node.name()),
                        Submitted::Known => format!("{} has it already", node.name()),
                    });
                    // A node that only queued it is asked again below; the others get the record by gossip.
                    break;
                }
                Err(error) if error.may_have_taken_effect() => uncertain = Some(error.to_string()),
                Err(ClientError::Refused { server, problem }) if problem.is_retryable() => {
                    busy = Some((server, problem));
                }
                Err(ClientError::Refused { server, problem }) => {
                    if uncertain.is_none() {
                        return Err(FinaliseError::Refused { server, problem });
                    }
                    uncertain = Some(format!("{server} refused it after another node may have taken it: {problem}"));
                }
                Err(error) => unreachable.push(error.to_string()),
            }
        }
        let id = record.id();
        let Some(mut reason) = uncertain else {
            return Err(match busy {
                Some((server, problem)) => FinaliseError::Busy { server, problem },
                None => FinaliseError::Unreachable(unreachable),
            });
        };
        match self.search(id, deadline, &accept, &mut reason).await {
            Found::Accepted(accepted) => Ok(accepted),
            Found::Rejected(server, error) => Err(FinaliseError::Receipt { id, server, error }),
            Found::Nothing => Err(FinaliseError::Unknown { id, reason }),
        }
    }

    /// Looks for the receipt of a record that was submitted earlier, until `within` is over.
    pub async fn find<T>(
        &self,
        id: RecordId,
        within: Duration,
        accept: impl Fn(Receipt) -> Result<T, CutError>,
    ) -> Result<T, FinaliseError> {
        let mut reason = "no node has it as final".to_owned();
        match self.search(id, Instant::now() + within, &accept, &mut reason).await {
            Found::Accepted(accepted) => Ok(accepted),
            Found::Rejected(server, error) => Err(FinaliseError::Receipt { id, server, error }),
            Found::Nothing => Err(FinaliseError::Unknown { id, reason }),
        }
    }

    /// Asks node after node for a receipt, the one that answered last first, until one is accepted or the time is over.
    async fn search<T>(
        &self,
        id: RecordId,
        deadline: Instant,
        accept: &impl Fn(Receipt) -> Result<T, CutError>,
        reason: &mut String,
    ) -> Found<T> {
        let mut pause = POLL_PAUSE_MIN;
        loop {
            let mut rejections = Vec::new();
            for (place, node) in self.in_order() {
                let left = deadline.saturating_duration_since(Instant::now());
                match timeout(left.clamp(LOOK_TIMEOUT_MIN, LOOK_TIMEOUT_MAX), node.receipt(id)).await {
                    Ok(Ok(Some(receipt))) => match accept(receipt) {
                        Ok(accepted) => {
                            self.prefer(place);
                            return Found::Accepted(accepted);
                        }
                        Err(error) => rejections.push((node.name().to_owned(), error)),
                    },
                    Ok(Ok(None)) => {}
                    Ok(Err(error)) => *reason = error.to_string(),
                    Err(_) => *reason = format!("{} gave no answer in time", node.name()),
                }
                if Instant::now() >= deadline {
                    break;
                }
            }
            let next = Instant::now() + pause;
            // A final record's receipt does not change: when every node's is refused, asking again is of no use.
            let hopeless = rejections.len() == self.nodes.len();
            if hopeless || next >= deadline {
                return rejections.pop().map_or(Found::Nothing, |(server, error)| Found::Rejected(server, error));
            }
            sleep_until(next).await;
            pause = (pause * 3 / 2).min(POLL_PAUSE_MAX);
        }
    }

    pub(crate) fn in_order(&self) -> impl Iterator<Item = (usize, &Node)> {
        let first = self.preferred.load(Ordering::Relaxed);
        let count = self.nodes.len();
        (0..count).map(move |step| (first + step) % count).map(|place| (place, &self.nodes[place]))
    }

    pub(crate) fn prefer(&self, place: usize) {
        self.preferred.store(place, Ordering::Relaxed);
    }
}
