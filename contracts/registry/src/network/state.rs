//! Values of the network itself.

use serde::{Deserialize, Serialize};
use testamur_primitives::epoch::ValidatorRegistration;
use testamur_primitives::genesis::Parameters;
use testamur_primitives::hash::{Address, ValidatorsHash};
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
    /// The epoch.
    pub epoch: Epoch,
    /// Hash of the set, as in headers.
    pub validators_hash: ValidatorsHash,
    /// Addresses in set order.
    pub validators: Vec<Address>,
}

entries!(ProtocolEntry, NamingEntry, ParametersEntry, ValidatorEntry, KeyUseEntry, NameUseEntry, EpochEntry);
