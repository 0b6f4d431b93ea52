//! What a verification rests on beside the credential and its receipt: handed in, never fetched.

use std::collections::BTreeMap;

use testamur_primitives::hash::AttachmentHash;
use testamur_primitives::state::evidence::Evidence;

/// Proofs for one or many credentials.
#[derive(Debug, Clone, Default)]
pub struct Proofs {
    /// State of the ledger under one header: the keys that [`crate::ledger::read`] asks for.
    pub evidence: Option<Evidence>,
    /// Bits of status lists of the ledger, by SHA-256.
    pub lists: BTreeMap<AttachmentHash, Vec<u8>>,
    /// Status list tokens from elsewhere, by the URL that credentials point to.
    pub tokens: BTreeMap<String, String>,
}
