//! Values of the network itself.

use serde::{Deserialize, Serialize};
use testamur_primitives::epoch::ValidatorRegistration;
use testamur_primitives::genesis::{GenesisValidator, Parameters};
use testamur_primitives::hash::{Address, RecordId, ValidatorsHash};
use testamur_primitives::record::{Algorithm, ValidatorRotation};
use testamur_primitives::units::{Epoch, Height, UnixTime};

use testamur_primitives::entries;

/// The protocol version from a height on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProtocolEntry {
    /// Format version: 1.
    pub v: u8,
    /// Number of this entry.
    pub seq: u64,
    /// Height that wrote this.
    pub height: Height,
    /// Time of that height.
    pub time: UnixTime,
    /// First height under it; absent in genesis, whose protocol holds from the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Height>,
    /// The protocol version.
    pub protocol: u32,
}

/// Timing and sizes from a height on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParametersEntry {
    /// Format version: 1.
    pub v: u8,
    /// Number of this entry.
    pub seq: u64,
    /// Height that wrote this.
    pub height: Height,
    /// Time of that height.
    pub time: UnixTime,
    /// First height they hold at; absent in genesis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Height>,
    /// The parameters.
    pub parameters: Parameters,
}

/// What the ledger's own DIDs are called from a height on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamingEntry {
    /// Format version: 1.
    pub v: u8,
    /// Number of this entry.
    pub seq: u64,
    /// Height that wrote this.
    pub height: Height,
    /// Time of that height.
    pub time: UnixTime,
    /// Their DID method.
    pub did_method: String,
}

/// A registered validator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidatorEntry {
    /// Format version: 1.
    pub v: u8,
    /// Number of this entry.
    pub seq: u64,
    /// Height that wrote this.
    pub height: Height,
    /// Time of that height.
    pub time: UnixTime,
    /// Its registration; the hash of the first one is its address.
    pub registration: ValidatorRegistration,
}

/// What a key was registered for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyUse {
    /// Votes and cosignatures.
    Consensus,
    /// Checkpoints, as the log.
    Log,
    /// The libp2p identity.
    Peer,
}

/// A key that is taken for ever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyUseEntry {
    /// Format version: 1.
    pub v: u8,
    /// Number of this entry: 1.
    pub seq: u64,
    /// Whose.
    pub address: Address,
    /// For what.
    pub r#use: KeyUse,
}

/// A key name that is taken for ever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NameUseEntry {
    /// Format version: 1.
    pub v: u8,
    /// Number of this entry: 1.
    pub seq: u64,
    /// Whose.
    pub address: Address,
}

/// An epoch's validators.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochEntry {
    /// Format version: 1.
    pub v: u8,
    /// Number of this entry: epoch + 1.
    pub seq: u64,
    /// Height that wrote this.
    pub height: Height,
    /// Time of that height.
    pub time: UnixTime,
    /// First height that this set decides; absent in genesis. The entry is written when the change is scheduled, before
    /// that height.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Height>,
    /// The epoch.
    pub epoch: Epoch,
    /// Hash of the set, as in headers.
    pub validators_hash: ValidatorsHash,
    /// Addresses in set order.
    pub validators: Vec<Address>,
}

/// A change of the validator set: an entry when it is executed, at each `synced` record, and when it is withdrawn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetChangeEntry {
    /// Format version: 1.
    pub v: u8,
    /// Number of this entry.
    pub seq: u64,
    /// Height that wrote this.
    pub height: Height,
    /// Time of that height.
    pub time: UnixTime,
    /// The executed proposal.
    pub proposal: RecordId,
    /// First height that the new set decides, at the earliest.
    pub from: Height,
    /// Who joins.
    pub add: Vec<GenesisValidator>,
    /// Who leaves.
    pub remove: Vec<Address>,
    /// Who gets other keys.
    pub rotate: Vec<ValidatorRotation>,
    /// Who of `add` has published `synced`, in order of their records.
    pub synced: Vec<Address>,
    /// What became of it.
    pub status: SetChangeStatus,
}

/// What became of a change of the set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum SetChangeStatus {
    /// Not all that join have published `synced`.
    Waiting {},
    /// The set is fixed.
    Scheduled {
        /// First height that it decides.
        activation: Height,
    },
    /// Operators ended it while it waited.
    Withdrawn {},
}

impl SetChangeEntry {
    /// Whether the change waits for `synced` records.
    pub fn is_waiting(&self) -> bool {
        self.status == SetChangeStatus::Waiting {}
    }

    /// Of those that join, who has not yet published `synced`, while the change waits.
    pub fn awaited(&self) -> impl Iterator<Item = &GenesisValidator> {
        let all = if self.is_waiting() { self.add.as_slice() } else { &[] };
        all.iter().filter(|validator| !self.synced.contains(&validator.registration.address()))
    }
}

/// The algorithms that new records use no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlgorithmsEntry {
    /// Format version: 1.
    pub v: u8,
    /// Number of this entry.
    pub seq: u64,
    /// Height that wrote this.
    pub height: Height,
    /// Time of that height.
    pub time: UnixTime,
    /// All retired ones, in order of their retirement's record.
    pub retired: Vec<Retirement>,
}

/// The end of an algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retirement {
    /// Which.
    pub algorithm: Algorithm,
    /// First height without it.
    pub from: Height,
}

/// The official addresses of the verifier page from a height on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageEntry {
    /// Format version: 1.
    pub v: u8,
    /// Number of this entry.
    pub seq: u64,
    /// Height that wrote this.
    pub height: Height,
    /// Time of that height.
    pub time: UnixTime,
    /// `host` or `host:port` of each.
    pub hosts: Vec<String>,
}

entries!(
    ProtocolEntry,
    NamingEntry,
    ParametersEntry,
    ValidatorEntry,
    KeyUseEntry,
    NameUseEntry,
    EpochEntry,
    SetChangeEntry,
    AlgorithmsEntry,
    PageEntry
);
