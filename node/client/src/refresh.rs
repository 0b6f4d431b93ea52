//! Brings receipts under a newer checkpoint, so that they outlive the office of the keys that witnessed them.
//!
//! A receipt whose witnesses are out of office still verifies, but whoever got hold of their keys since could have made
//! it. What tells the two apart is a later block, decided by keys in office, under whose history root the receipt's own
//! header lies: the anchor of kind `checkpoint` (FORMATS.md §7). It is asked of nodes, proven along the epoch chain
//! ([`crate::path`]), and put into the receipt only after the whole has verified again (INV-REFRESH-1): a receipt that
//! was not valid is never made to look better, and one that a thief of old keys made is not in the network's history.
//!
//! The new anchor takes the place of older ones of its kind: each of those leads from genesis to a header under the new
//! one, so whoever could rely on them can rely on it. Anchors of other kinds are kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use testamur_primitives::hash::TreeHash;
use testamur_primitives::header::Header;
use testamur_primitives::limits::RECEIPT_ANCHORS_MAX;
use testamur_primitives::receipt::{self, CheckpointAnchor, Facts, Receipt, ReceiptError, Verdict};
use testamur_primitives::trust::TrustFile;
use testamur_primitives::units::{Epoch, Height, UnixTime};

use crate::error::ClientError;
use crate::limits::HISTORIES_MAX;
use crate::node::Node;
use crate::nodes::Nodes;
use crate::path::{self, Newest, PathError, proves_header};

/// Why a receipt was not refreshed. It is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// It is not valid, and no newer checkpoint makes it so.
    #[error("the receipt is not valid: {0}")]
    NotValid(ReceiptError),
    /// What is needed to judge it is not there.
    #[error("{0}")]
    CannotTell(ReceiptError),
    /// The network's history has another header at its height.
    #[error(
        "the network's block {height} is another than the receipt's: the receipt is forged, made with keys that were in office then"
    )]
    NotInHistory {
        /// The receipt's height.
        height: Height,
    },
    /// No node has a newer block than the receipt's.
    #[error("{server} is at block {newest}, and the receipt is of block {height}: it has to catch up first")]
    Behind {
        /// The node that is furthest.
        server: String,
        /// Its newest block.
        newest: Height,
        /// The receipt's.
        height: Height,
    },
    /// Even the newest validators' keys are out of office.
    #[error(
        "the newest validators' keys are out of office themselves, since {until}: the network has to name others first"
    )]
    NobodyInOffice {
        /// POSIX seconds.
        until: UnixTime,
    },
    /// It has as many anchors as a receipt may have, of kinds that are not known here.
    #[error("the receipt has {RECEIPT_ANCHORS_MAX} anchors of other kinds, and holds no more")]
    AnchorsFull,
    /// It would be longer than verifiers read.
    #[error("the refreshed receipt would not verify: {0}")]
    Unusable(ReceiptError),
    /// No node proves a newest checkpoint: each with what it answered.
    #[error("no node proves its newest block: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    NoPath(Vec<PathError>),
    /// The node that is furthest stopped answering.
    #[error("{0}")]
    Client(ClientError),
    /// A proof that the node gave does not hold.
    #[error("{server} gave a proof between two headers that does not hold")]
    Proof {
        /// Which node.
        server: String,
    },
}

impl RefreshError {
    /// Stable slug.
    pub fn code(&self) -> &str {
        match self {
            Self::NotValid(error) | Self::CannotTell(error) => error.code(),
            Self::NotInHistory { .. } => "refresh.not-in-history",
            Self::Behind { .. } => "refresh.node-behind",
            Self::NobodyInOffice { .. } => "refresh.nobody-in-office",
            Self::AnchorsFull => "refresh.anchors-full",
            Self::Unusable(_) => "refresh.unusable",
            Self::NoPath(errors) => errors.first().map_or("refresh.no-node", PathError::code),
            Self::Client(error) => error.code(),
            Self::Proof { .. } => "refresh.proof",
        }
    }

    /// Whether the process must stop: never.
    pub fn is_fatal(&self) -> bool {
        false
    }
}

/// What became of a receipt.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// It is under a newer checkpoint now; what to keep, and what it states.
    Refreshed(Box<Receipt>, Box<Facts>),
    /// It rests on the newest validators already: nothing is gained.
    Fresh(Box<Facts>),
}

/// A node's newest checkpoint, under which receipts are brought.
#[derive(Debug)]
pub struct Refresher {
    node: Node,
    trust: Arc<TrustFile>,
    newest: Newest,
    /// Proofs of headers under the newest one, by height: receipts of a day are of few blocks.
    histories: BTreeMap<Height, (Header, Vec<TreeHash>)>,
    passed_over: Vec<PathError>,
}

impl Refresher {
    /// Asks every node for its newest checkpoint and goes on with the one that is furthest. A well-signed history that
    /// contradicts the pinned one ends it, whichever node has it.
    pub async fn new(nodes: &Nodes, trust: Arc<TrustFile>) -> Result<Self, RefreshError> {
        let (newest, node, passed_over) = furthest(nodes, &trust).await.map_err(RefreshError::NoPath)?;
        Ok(Self { node, trust, newest, histories: BTreeMap::new(), passed_over })
    }

    /// The checkpoint.
    pub fn newest(&self) -> &Newest {
        &self.newest
    }

    /// Nodes that prove nothing, and why not.
    pub fn passed_over(&self) -> &[PathError] {
        &self.passed_over
    }

    /// Brings a receipt under the newest checkpoint, if that gains anything.
    pub async fn refresh(&mut self, receipt: &Receipt, now: UnixTime) -> Result<Outcome, RefreshError> {
        let facts = match receipt::verify(receipt, None, &self.trust, now) {
            Verdict::Confirmed(facts) if rests_on(receipt) >= self.newest.header.epoch => {
                return Ok(Outcome::Fresh(Box::new(facts)));
            }
            Verdict::Confirmed(facts) | Verdict::OutOfOffice(facts) => facts,
            Verdict::NotValid(error) => return Err(RefreshError::NotValid(error)),
            Verdict::CannotTell(error) => return Err(RefreshError::CannotTell(error)),
        };
        let until = self.newest.epoch.validators.in_office_until();
        if until < now {
            return Err(RefreshError::NobodyInOffice { until });
        }
        let history = self.history(receipt, facts.height).await?;
        let refreshed = self.anchored(receipt, history)?;
        // INV-REFRESH-1: what is handed over reads back, and is confirmed.
        let bytes = refreshed.encode();
        let refreshed = Receipt::decode(&bytes).map_err(RefreshError::Unusable)?;
        match receipt::verify(&refreshed, None, &self.trust, now) {
            Verdict::Confirmed(facts) => Ok(Outcome::Refreshed(Box::new(refreshed), Box::new(facts))),
            Verdict::OutOfOffice(_) => Err(RefreshError::NobodyInOffice { until }),
            Verdict::NotValid(error) | Verdict::CannotTell(error) => Err(RefreshError::Unusable(error)),
        }
    }

    /// Path of the receipt's header under the newest history root.
    async fn history(&mut self, receipt: &Receipt, height: Height) -> Result<Vec<TreeHash>, RefreshError> {
        let (newest, server) = (self.newest.header.height, self.newest.server.clone());
        if newest <= height {
            return Err(RefreshError::Behind { server, newest, height });
        }
        if !self.histories.contains_key(&height) {
            let answer = self.node.history(height, newest).await.map_err(RefreshError::Client)?;
            let proof = || RefreshError::Proof { server: server.clone() };
            let answer = answer.ok_or_else(proof)?;
            let there = Header::decode(answer.from_text.as_bytes()).map_err(|_| proof())?;
            if !proves_header(&answer.path, &there.hash(), height, &self.newest.header) {
                return Err(proof());
            }
            if self.histories.len() >= HISTORIES_MAX {
                self.histories.clear();
            }
            self.histories.insert(height, (there, answer.path));
        }
        let (there, path) = &self.histories[&height];
        if there.text() != receipt.header {
            return Err(RefreshError::NotInHistory { height });
        }
        Ok(path.clone())
    }

    /// The receipt with the new anchor in place of older ones of its kind.
    fn anchored(&self, receipt: &Receipt, history: Vec<TreeHash>) -> Result<Receipt, RefreshError> {
        let anchor = CheckpointAnchor {
            kind: "checkpoint".into(),
            header: self.newest.header.text(),
            note: self.newest.note.clone(),
            epochs: self.newest.links.clone(),
            history,
        };
        let mut refreshed = receipt.clone();
        refreshed.anchors.retain(|anchor| !is_checkpoint(anchor));
        if refreshed.anchors.len() >= RECEIPT_ANCHORS_MAX {
            return Err(RefreshError::AnchorsFull);
        }
        refreshed.anchors.push(serde_json::to_value(anchor).expect("an anchor is JSON"));
        Ok(refreshed)
    }
}

/// The node that proves the newest checkpoint, and why others do not. Fails when none does, or when one contradicts what
/// is pinned: then that is the only error.
pub async fn furthest(nodes: &Nodes, trust: &TrustFile) -> Result<(Newest, Node, Vec<PathError>), Vec<PathError>> {
    let mut best: Option<(Newest, Node)> = None;
    let mut passed_over = Vec::new();
    for node in nodes.nodes() {
        match path::newest(node, trust).await {
            Ok(newest) if best.as_ref().is_none_or(|(best, _)| best.header.height < newest.header.height) => {
                best = Some((newest, node.clone()));
            }
            Ok(_) => {}
            Err(error @ PathError::Contradiction { .. }) => return Err(vec![error]),
            Err(error) => passed_over.push(error),
        }
    }
    match best {
        Some((newest, node)) => Ok((newest, node, passed_over)),
        None => Err(passed_over),
    }
}

fn is_checkpoint(anchor: &serde_json::Value) -> bool {
    anchor.get("kind").and_then(|kind| kind.as_str()) == Some("checkpoint")
}

/// The newest epoch that a receipt, which has verified, rests on: its own, or an anchor's.
fn rests_on(receipt: &Receipt) -> Epoch {
    let of = |text: &str| Header::decode(text.as_bytes()).map_or(Epoch(0), |header| header.epoch);
    let anchors = receipt.anchors.iter().filter(|anchor| is_checkpoint(anchor));
    let anchors = anchors.filter_map(|anchor| anchor.get("header").and_then(|text| text.as_str())).map(of);
    anchors.fold(of(&receipt.header), Epoch::max)
}
