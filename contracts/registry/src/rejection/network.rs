//! Why a record of a validator that is to join is rejected.

use testamur_primitives::hash::Address;
use testamur_primitives::units::{Height, UnixTime};

/// Why a `synced` record is rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NetworkRejection {
    /// No change of the set waits for this validator.
    #[error("no change of the validator set waits for {0}: operators must first decide that it joins")]
    NotAwaited(Address),
    /// Signed by another key.
    #[error("the record is not signed by the consensus key that {0} is to join with")]
    Key(Address),
    /// It has said so before.
    #[error("{0} has published synced already")]
    AlreadySynced(Address),
    /// A height that is not on the ledger yet.
    #[error("height {given} is not below this block's ({current}): name one that the validator has reached")]
    Height {
        /// In the record.
        given: Height,
        /// The block's.
        current: Height,
    },
    /// The keys ended while the change waited.
    #[error("the keys that {validator} is to join with ended at {not_after}: operators must withdraw the change")]
    NotAfter {
        /// The validator.
        validator: Address,
        /// The end of its keys.
        not_after: UnixTime,
    },
}
