//! From what is trusted to the newest checkpoint of a node, by nothing but proofs.
//!
//! A node says which blocks ended the epochs and which is its newest. Here each of those is held against the set that is
//! trusted by then, from genesis on: so the sets that are named on the way, and the newest header, are the network's, or
//! this is an error (INV-PATH-1). Where the trust file pins a checkpoint, the path must go through it: through its
//! set, and, if it is older than the newest header, through its very header by the newest history root (INV-PATH-2). A
//! path that is well signed and does not is a [`Contradiction`]: more than a third of some set signed two histories, and
//! what shows that is kept.

use serde::{Deserialize, Serialize};
use testamur_primitives::codec;
use testamur_primitives::epoch::{EpochError, EpochLink, TrustedEpoch, ValidatorSet};
use testamur_primitives::hash::{GenesisHash, HeaderHash, TreeHash};
use testamur_primitives::header::Header;
use testamur_primitives::limits::EPOCH_LINKS_MAX;
use testamur_primitives::merkle;
use testamur_primitives::receipt::ReceiptNetwork;
use testamur_primitives::trust::{PinnedCheckpoint, TrustFile};
use testamur_primitives::units::{Epoch, Height};

use crate::error::ClientError;
use crate::node::{Epochs, Node};

/// Why a node's newest checkpoint is not proven.
#[derive(Debug, thiserror::Error)]
pub enum PathError {
    /// No answer, a refusal, or something that is none.
    #[error("{0}")]
    Client(ClientError),
    /// It is of another network.
    #[error("{server} is of network {found}, not of {expected}")]
    OtherNetwork {
        /// Which node.
        server: String,
        /// What it says.
        found: GenesisHash,
        /// What is wanted.
        expected: GenesisHash,
    },
    /// It has only genesis.
    #[error("{server} has no block yet")]
    NoBlock {
        /// Which node.
        server: String,
    },
    /// Its newest block is older than what is known.
    #[error("{server} is at block {height}, behind block {known}: it has to catch up, or hides what came since")]
    Behind {
        /// Which node.
        server: String,
        /// Its newest block.
        height: Height,
        /// What is known.
        known: Height,
    },
    /// A link, or the newest checkpoint, is not signed by the set that is trusted by then.
    #[error("{server}: the path breaks in epoch {epoch}: {error}")]
    Broken {
        /// Which node.
        server: String,
        /// The last epoch that is proven.
        epoch: Epoch,
        /// What is wrong.
        error: EpochError,
    },
    /// The epochs that it names do not lead to its newest block.
    #[error("{server}: the path ends in epoch {reached}, and its newest block is of epoch {wanted}")]
    Short {
        /// Which node.
        server: String,
        /// The last epoch that is proven.
        reached: Epoch,
        /// Epoch of the newest block.
        wanted: Epoch,
    },
    /// A header's text, or a proof between headers, is not what it has to be.
    #[error("{server}: {what}")]
    Malformed {
        /// Which node.
        server: String,
        /// What is wrong.
        what: &'static str,
    },
    /// A well-signed path that contradicts the pinned checkpoint.
    #[error(
        "{server} proves a history of {} in which the pinned block {} is another: the network's validators signed two histories",
        .contradiction.network.origin, .contradiction.height
    )]
    Contradiction {
        /// Which node.
        server: String,
        /// What shows it.
        contradiction: Box<Contradiction>,
    },
}

impl PathError {
    /// Stable slug.
    pub fn code(&self) -> &str {
        match self {
            Self::Client(error) => error.code(),
            Self::OtherNetwork { .. } => "path.other-network",
            Self::NoBlock { .. } => "path.no-block",
            Self::Behind { .. } => "path.behind",
            Self::Broken { .. } => "path.broken",
            Self::Short { .. } => "path.short",
            Self::Malformed { .. } => "path.malformed",
            Self::Contradiction { .. } => "path.contradiction",
        }
    }

    /// Whether the process must stop: never, another node may answer better.
    pub fn is_fatal(&self) -> bool {
        false
    }
}

/// Two well-signed histories of one network: what its operators, and whoever relied on it, have to see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contradiction {
    /// Format version: 1.
    pub v: u8,
    /// `testamur-contradiction`.
    pub r#type: String,
    /// The network.
    pub network: ReceiptNetwork,
    /// The pinned height, of which the two say different things.
    pub height: Height,
    /// What was pinned.
    pub pinned: PinnedCheckpoint,
    /// What the node has: its newest checkpoint.
    pub other: PinnedCheckpoint,
    /// The epochs from genesis to it.
    pub epochs: Vec<EpochLink>,
    /// Text of its header at the pinned height, where the two part there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_pinned: Option<String>,
    /// Path of that header to the newest one's history root.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<TreeHash>,
}

impl Contradiction {
    /// The file's bytes.
    pub fn encode(&self) -> Vec<u8> {
        codec::canonical(self)
    }
}

/// A set that came into office on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The last header of the epoch before.
    pub last: Header,
    /// The epoch that follows.
    pub epoch: TrustedEpoch,
}

/// The newest checkpoint of a node, proven from a trust file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Newest {
    /// Its header.
    pub header: Header,
    /// Its certificate.
    pub note: String,
    /// Its epoch.
    pub epoch: TrustedEpoch,
    /// The epochs from genesis to it.
    pub links: Vec<EpochLink>,
    /// The same, read: one a link.
    pub steps: Vec<Step>,
    /// The node.
    pub server: String,
}

impl Newest {
    /// What a trust file pins of it.
    pub fn pin(&self) -> PinnedCheckpoint {
        PinnedCheckpoint {
            header: self.header.text(),
            note: self.note.clone(),
            validators: self.epoch.validators.clone(),
        }
    }
}

/// What a node says, to be proven.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Which node.
    pub server: String,
    /// Text of its newest header.
    pub header: String,
    /// Its certificate.
    pub note: String,
    /// The epochs from genesis; those after the header's are left out.
    pub links: Vec<EpochLink>,
    /// The header at the pinned height, and its path to the newest one's history root; none where nothing is pinned below.
    pub pinned: Option<(String, Vec<TreeHash>)>,
}

/// Asks a node for its newest checkpoint and proves it.
pub async fn newest(node: &Node, trust: &TrustFile) -> Result<Newest, PathError> {
    newest_from(node, trust, &[]).await
}

/// As [`newest`], with epochs that are known already and need not be asked for. Where they do not lead to the node's newest
/// checkpoint, its own are asked for: they may be others.
pub async fn newest_from(node: &Node, trust: &TrustFile, known: &[EpochLink]) -> Result<Newest, PathError> {
    match ask(node, trust, known).await {
        Err(PathError::Broken { .. } | PathError::Short { .. }) if !known.is_empty() => ask(node, trust, &[]).await,
        asked => asked,
    }
}

async fn ask(node: &Node, trust: &TrustFile, known: &[EpochLink]) -> Result<Newest, PathError> {
    let server = || node.name().to_owned();
    let network = node.network().await.map_err(PathError::Client)?;
    if network.genesis != trust.network() {
        return Err(PathError::OtherNetwork { server: server(), found: network.genesis, expected: trust.network() });
    }
    let Some(latest) = node.latest_header().await.map_err(PathError::Client)? else {
        return Err(PathError::NoBlock { server: server() });
    };
    let mut links = known.to_vec();
    while links.len() as u64 <= latest.epoch && links.len() <= EPOCH_LINKS_MAX {
        let Epochs { links: more, next } = node.epochs(links.len() as u64).await.map_err(PathError::Client)?;
        let none = more.is_empty();
        links.extend(more);
        if none || !next {
            break;
        }
    }
    let pinned = match trust.pinned() {
        Some((pinned, _)) if pinned.height.0 < latest.height => {
            let history = node.history(pinned.height, Height(latest.height)).await.map_err(PathError::Client)?;
            history.map(|history| (history.from_text, history.path))
        }
        _ => None,
    };
    prove(Claim { server: server(), header: latest.header_text, note: latest.note, links, pinned }, trust)
}

/// Proves what a node says (INV-PATH-1, INV-PATH-2).
pub fn prove(claim: Claim, trust: &TrustFile) -> Result<Newest, PathError> {
    let Claim { server, header: text, note, mut links, pinned: at_pinned } = claim;
    let malformed = |what| PathError::Malformed { server: server.clone(), what };
    let header = Header::decode(text.as_bytes()).map_err(|_| malformed("its newest header is none"))?;
    if header.genesis != trust.network() {
        return Err(malformed("its newest header is of another network"));
    }
    let mut epoch = trust.genesis_epoch();
    let mut steps = Vec::new();
    // The links after the newest header's epoch were made while it answered.
    links.truncate(usize::try_from(header.epoch.0).unwrap_or(usize::MAX));
    for link in &links {
        let broken = |error| PathError::Broken { server: server.clone(), epoch: epoch.epoch, error };
        let next = epoch.follow(trust.origin(), link).map_err(broken)?;
        let last = Header::decode(link.header.as_bytes()).expect("a link that was followed has a header");
        if last.genesis != trust.network() {
            return Err(malformed("a link of its epochs is of another network"));
        }
        steps.push(Step { last, epoch: next.clone() });
        epoch = next;
    }
    if epoch.epoch != header.epoch {
        return Err(PathError::Short { server, reached: epoch.epoch, wanted: header.epoch });
    }
    let broken = |error| PathError::Broken { server: server.clone(), epoch: epoch.epoch, error };
    epoch.certify(trust.origin(), &header, &note).map_err(broken)?;
    let newest = Newest { header, note, epoch, links, steps, server };
    through_pinned(&newest, trust, at_pinned)?;
    Ok(newest)
}

/// INV-PATH-2: a well-signed path leads through what is pinned, or two histories were signed.
fn through_pinned(
    newest: &Newest,
    trust: &TrustFile,
    at_pinned: Option<(String, Vec<TreeHash>)>,
) -> Result<(), PathError> {
    let Some((pinned, pinned_epoch)) = trust.pinned() else { return Ok(()) };
    let server = || newest.server.clone();
    let contradiction = |other_pinned, history| PathError::Contradiction {
        server: server(),
        contradiction: Box::new(Contradiction {
            v: 1,
            r#type: "testamur-contradiction".into(),
            network: ReceiptNetwork { genesis: trust.network(), origin: trust.origin().to_string() },
            height: pinned.height,
            pinned: trust.checkpoint().expect("a pinned header has its checkpoint").clone(),
            other: newest.pin(),
            epochs: newest.links.clone(),
            other_pinned,
            history,
        }),
    };
    let header = &newest.header;
    if header.height == pinned.height && header != pinned {
        return Err(contradiction(None, Vec::new()));
    }
    // Also of a node that is behind: its set of the pinned epoch, if it has got there, is the pinned one.
    if let Some(set) = set_of(newest, trust, pinned_epoch.epoch)
        && set != pinned_epoch.validators
    {
        return Err(contradiction(None, Vec::new()));
    }
    if header.height < pinned.height {
        return Err(PathError::Behind { server: server(), height: header.height, known: pinned.height });
    }
    if header.height == pinned.height {
        return Ok(());
    }
    let malformed = |what| PathError::Malformed { server: server(), what };
    let (text, path) = at_pinned.ok_or(malformed("it does not prove that its newest block follows the pinned one"))?;
    let there = Header::decode(text.as_bytes()).map_err(|_| malformed("a header that it names is none"))?;
    if !proves_header(&path, &there.hash(), pinned.height, header) {
        return Err(malformed("its proof between two headers does not hold"));
    }
    if there != *pinned {
        return Err(contradiction(Some(text), path));
    }
    Ok(())
}

/// The set of an epoch on the way; none where the way ends before it.
fn set_of(newest: &Newest, trust: &TrustFile, epoch: Epoch) -> Option<ValidatorSet> {
    if epoch == Epoch(0) {
        return Some(trust.genesis_epoch().validators);
    }
    newest.steps.iter().find(|step| step.epoch.epoch == epoch).map(|step| step.epoch.validators.clone())
}

/// Whether a header hash stands at a height under the history root of a later header.
pub(crate) fn proves_header(path: &[TreeHash], hash: &HeaderHash, at: Height, later: &Header) -> bool {
    let leaf = merkle::leaf_hash(hash.as_bytes());
    merkle::verify_inclusion(leaf, at.0, later.height.0, path, later.history_root).is_ok()
}

/// What became of a validator between two sets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum Change {
    /// It came into office.
    Added {
        /// Name of its key.
        name: String,
        /// Who runs it.
        operator: String,
    },
    /// It left.
    Removed {
        /// Name of its key.
        name: String,
        /// Who ran it.
        operator: String,
    },
    /// Its consensus key is another.
    Rotated {
        /// Name of its key.
        name: String,
        /// Who runs it.
        operator: String,
    },
    /// Its other keys, its term, or who runs it changed.
    Altered {
        /// Name of its key.
        name: String,
        /// Who runs it.
        operator: String,
    },
}

/// What changed between two sets, in order of address.
pub fn changes(before: &ValidatorSet, after: &ValidatorSet) -> Vec<Change> {
    let mut changes = Vec::new();
    for old in before.validators() {
        let (name, operator) = (old.name.clone(), old.operator.clone());
        match after.by_address(old.address) {
            None => changes.push(Change::Removed { name, operator }),
            Some(new) if new.keys != old.keys => {
                changes.push(Change::Rotated { name: new.name.clone(), operator: new.operator.clone() });
            }
            Some(new) if new != old => {
                changes.push(Change::Altered { name: new.name.clone(), operator: new.operator.clone() });
            }
            Some(_) => {}
        }
    }
    for new in after.validators().iter().filter(|new| before.by_address(new.address).is_none()) {
        changes.push(Change::Added { name: new.name.clone(), operator: new.operator.clone() });
    }
    changes
}
