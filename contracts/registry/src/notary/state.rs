//! Values of the notary.

use serde::{Deserialize, Serialize};
use testamur_primitives::did::Did;
use testamur_primitives::hash::RecordId;
use testamur_primitives::record::RevocationReason;
use testamur_primitives::units::{Height, UnixTime};

use testamur_primitives::entries;

/// A DID's writer role from a block on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WriterRole {
    /// Format version: 1.
    pub v: u8,
    /// Number of this entry.
    pub seq: u64,
    /// Granted or revoked.
    pub status: WriterStatus,
    /// Height since which this holds.
    pub height: Height,
    /// Time of that height.
    pub time: UnixTime,
    /// The executed proposal; none in genesis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposal: Option<RecordId>,
}

/// Whether the role is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum WriterStatus {
    /// May write.
    Granted {},
    /// May write no more; what was written stays.
    Revoked {
        /// Why.
        reason: RevocationReason,
    },
}

/// A DID in the list of all that ever were writers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WriterListing {
    /// Format version: 1.
    pub v: u8,
    /// Number of this entry.
    pub seq: u64,
    /// The DID.
    pub did: Did,
}

impl WriterRole {
    /// Whether the role is held.
    pub fn is_granted(&self) -> bool {
        self.status == WriterStatus::Granted {}
    }
}

entries!(WriterRole, WriterListing);
