//! Status lists: versions that issuers publish of which of their credentials are revoked or suspended.
//!
//! A version's record is in the log and its digest in the state; the bits are an attachment. The block's validity rests
//! on the record alone, so that a node that joins in ten years replays the log without them. Whoever admits a record or
//! votes for a new block with it asks [`check_attachment`] first.
//!
//! - INV-STATUS-2: a list is written by its issuer only, its versions count from 1 without gaps, and its purpose and
//!   size never change: what an index meant when a credential was issued, it means for ever.
//! - INV-STATUS-3: the key that the tokens name is the issuer's, and was good for `assertionMethod` when the version
//!   was published.

pub(crate) mod rules;

use testamur_primitives::did::Did;
use testamur_primitives::hash::RecordId;
use testamur_primitives::key::PublicKey;
use testamur_primitives::record::{Act, Record};
use testamur_primitives::status::formats::{StatusFault, verify_attachment};
use testamur_primitives::status::{StatusEntry, StatusVersion, keys, newest};
use testamur_primitives::units::UnixTime;

use crate::execute::{ApplyError, BlockContext};
use crate::rejection::StatusRejection;
use crate::state::{Overlay, StateReader};

/// Publishes a version of a list.
pub(crate) fn publish<S: StateReader>(
    state: &mut Overlay<'_, S>,
    context: &BlockContext,
    author: &Did,
    record: RecordId,
    status: &StatusVersion,
    prev: Option<RecordId>,
) -> Result<(), ApplyError<S::Error>> {
    let before = newest(state, author, &status.list)?;
    if before.is_none() {
        // Only for a new list: who is accredited no more must still be able to revoke what it issued.
        rules::check_issuer(state, author, context.time)?;
    }
    rules::check_successor(before.as_ref(), status, prev)?;
    rules::key(state, author, &status.kid, context.time)?;
    rules::check_issued(status, context.time)?;
    state.append(&keys::status(author, &status.list), |seq| {
        assert_eq!(status.version, seq, "INV-STATUS-2: versions count from 1 without gaps");
        StatusEntry {
            v: 1,
            seq,
            height: context.height,
            time: context.time,
            record,
            issuer: author.clone(),
            status: status.clone(),
        }
    })?;
    Ok(())
}

/// Checks the bytes given beside a record: the right ones, and the issuer's own signatures over the three tokens that
/// they give. `reader` is the state that the record would be applied to and `time` the time of the block, or now.
pub fn check_attachment<R: StateReader>(
    reader: &R,
    record: &Record,
    public_base: &str,
    bytes: &[u8],
    time: UnixTime,
) -> Result<(), ApplyError<R::Error>> {
    let Act::PublishStatus { status, .. } = record.act() else { return Err(StatusRejection::Attachment.into()) };
    rules::check_version(record.author(), status)?;
    let key: PublicKey = rules::key(reader, record.author(), &status.kid, time)?;
    verify_attachment(status, record.author(), public_base, bytes, &key).map_err(|fault| match fault {
        StatusFault::Size | StatusFault::Digest => StatusRejection::Attachment.into(),
        StatusFault::Date => StatusRejection::Issued.into(),
        StatusFault::Signature(format) => StatusRejection::Signature(format.name()).into(),
    })
}
