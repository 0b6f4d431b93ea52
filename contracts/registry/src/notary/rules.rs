//! Who may notarise: did:keys that hold the writer role at the block, and DIDs of the ledger from which it was not taken.

use testamur_primitives::did::Did;

use super::{WriterStatus, writer_role};
use crate::execute::ApplyError;
use crate::rejection::NotaryRejection;
use crate::state::StateReader;

/// Refuses an author without the role. Needs state only: the form of entries is checked when a record is parsed. That a
/// DID of the ledger is registered and not closed was checked with its key.
pub(super) fn check_author<R: StateReader>(state: &R, author: &Did) -> Result<(), ApplyError<R::Error>> {
    match writer_role(state, author)? {
        None if author.is_of_ledger() => Ok(()),
        None => Err(NotaryRejection::NotAWriter(author.clone()).into()),
        Some(role) => match role.status {
            WriterStatus::Granted {} => Ok(()),
            WriterStatus::Revoked { reason } => {
                Err(NotaryRejection::WriterRevoked { did: author.clone(), reason, time: role.time }.into())
            }
        },
    }
}
