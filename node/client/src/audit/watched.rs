//! One node that is watched: how far its ledger was read, and what it showed.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use testamur_primitives::hash::TreeHash;
use testamur_primitives::merkle::{Frontier, MerkleError, Nodes};
use testamur_primitives::units::{Height, UnixTime};

use super::finding::Finding;
use super::{AuditError, write_whole};
use crate::limits::AUDIT_STATE_BYTES_MAX;

/// The right edge of a node's log as it was read: it can be written down and taken up again.
#[derive(Debug, Clone, Default)]
pub(super) struct LogEdge {
    frontier: Frontier,
    /// The last full tree node of each level.
    last: Vec<TreeHash>,
}

/// The full nodes that a tree of a size is the sum of, by level.
struct Peaks<'a>(u64, &'a [TreeHash]);

impl Nodes for Peaks<'_> {
    type Error = MerkleError;

    fn node(&self, level: u8, index: u64) -> Result<TreeHash, MerkleError> {
        let Self(size, last) = self;
        let found = last.get(usize::from(level)).filter(|_| index + 1 == size >> level);
        found.copied().ok_or(MerkleError::Missing { level, index })
    }
}

impl LogEdge {
    pub(super) fn append(&mut self, leaf: TreeHash) {
        let last = &mut self.last;
        self.frontier.append(leaf, |level, _, hash| {
            let level = usize::from(level);
            if last.len() == level {
                last.push(hash);
            } else {
                last[level] = hash;
            }
        });
    }

    pub(super) fn size(&self) -> u64 {
        self.frontier.size()
    }

    pub(super) fn root(&self) -> TreeHash {
        self.frontier.root()
    }

    fn load(size: u64, last: Vec<TreeHash>) -> Option<Self> {
        let frontier = Frontier::load(&Peaks(size, &last), size).ok()?;
        Some(Self { frontier, last })
    }
}

/// What is remembered of a node from one poll, and one process, to the next.
#[derive(Debug, Clone, Default)]
pub(super) struct Progress {
    /// The highest block that it showed.
    pub(super) seen: Height,
    /// Up to here every block of it was read and every record hashed.
    pub(super) read: Height,
    /// Its log up to there.
    pub(super) log: LogEdge,
    /// Up to here it was read again.
    pub(super) again: Height,
    /// Name of its validator, as it says.
    pub(super) name: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    v: u8,
    nodes: BTreeMap<String, SavedNode>,
    findings: Vec<Finding>,
    grew: Option<UnixTime>,
    polled: Option<UnixTime>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedNode {
    seen: Height,
    read: Height,
    again: Height,
    log_size: u64,
    log_edge: Vec<TreeHash>,
    name: Option<String>,
}

/// What is remembered of all nodes, by their addresses, and which findings stand.
#[derive(Debug, Default)]
pub(super) struct Memory {
    pub(super) nodes: BTreeMap<String, Progress>,
    pub(super) findings: Vec<Finding>,
    /// When the ledger was last seen to grow, by the auditor's clock.
    pub(super) grew: Option<UnixTime>,
    /// When the last poll began.
    pub(super) polled: Option<UnixTime>,
}

impl Memory {
    /// Reads it; empty where there is none yet.
    pub(super) fn read(path: &Path) -> Result<Self, AuditError> {
        let bytes = match std::fs::metadata(path) {
            Ok(found) if found.len() > AUDIT_STATE_BYTES_MAX => {
                return Err(AuditError::Damaged { path: path.to_owned(), line: 1, what: "is too large" });
            }
            Ok(_) => std::fs::read(path).map_err(|e| AuditError::file("read", path, e))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(AuditError::file("read", path, error)),
        };
        let damaged = || AuditError::Damaged { path: path.to_owned(), line: 1, what: "is not what an auditor wrote" };
        let saved: Saved = serde_json::from_slice(&bytes).map_err(|_| damaged())?;
        let mut memory =
            Self { nodes: BTreeMap::new(), findings: saved.findings, grew: saved.grew, polled: saved.polled };
        for (address, node) in saved.nodes {
            let log = LogEdge::load(node.log_size, node.log_edge).ok_or_else(damaged)?;
            let SavedNode { seen, read, again, name, .. } = node;
            memory.nodes.insert(address, Progress { seen, read, log, again, name });
        }
        Ok(memory)
    }

    /// Writes it in place of what was there.
    pub(super) fn write(&self, path: &Path) -> Result<(), AuditError> {
        let node = |progress: &Progress| SavedNode {
            seen: progress.seen,
            read: progress.read,
            again: progress.again,
            log_size: progress.log.size(),
            log_edge: progress.log.last.clone(),
            name: progress.name.clone(),
        };
        let saved = Saved {
            v: 1,
            nodes: self.nodes.iter().map(|(address, progress)| (address.clone(), node(progress))).collect(),
            findings: self.findings.clone(),
            grew: self.grew,
            polled: self.polled,
        };
        write_whole(path, &serde_json::to_vec_pretty(&saved).expect("strings and numbers are JSON"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use testamur_primitives::merkle::leaf_hash;

    #[test]
    fn an_edge_is_taken_up_where_it_was_left() {
        let mut edge = LogEdge::default();
        for number in 0..70u64 {
            let again = LogEdge::load(edge.size(), edge.last.clone()).expect("an edge");
            assert_eq!((again.size(), again.root()), (edge.size(), edge.root()), "{number}");
            edge.append(leaf_hash(&number.to_be_bytes()));
        }
        assert!(LogEdge::load(71, edge.last.clone()).is_none() || LogEdge::load(71, Vec::new()).is_none());
    }
}
