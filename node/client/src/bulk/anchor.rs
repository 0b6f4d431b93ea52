//! A sealed container gets its record and its receipt.

use testamur_primitives::limits::RECORD_AHEAD_S_MAX;
use testamur_primitives::receipt::Facts;
use testamur_primitives::record::{Record, Reference};

use crate::author::{AuthorError, now};
use crate::bulk::error::BulkError;
use crate::bulk::writer::{Stage, Writer};
use crate::limits::LOOK_TIMEOUT_MAX;
use crate::nodes::FinaliseError;
use crate::notary::Notary;

/// Why a container has no receipt yet. The container stays as it is: the same call goes on with it.
#[derive(Debug, thiserror::Error)]
pub enum AnchorError {
    /// The container's file.
    #[error("{0}")]
    Bulk(#[from] BulkError),
    /// No record could be signed.
    #[error("{0}")]
    Author(#[from] AuthorError),
    /// The record has no receipt.
    #[error("{0}")]
    Finalise(#[from] FinaliseError),
}

impl AnchorError {
    /// Stable slug.
    pub fn code(&self) -> &str {
        match self {
            Self::Bulk(error) => error.code(),
            Self::Author(_) => "bulk.author",
            Self::Finalise(FinaliseError::Refused { problem, .. } | FinaliseError::Busy { problem, .. }) => {
                &problem.code
            }
            Self::Finalise(error) if error.may_have_taken_effect() => "bulk.pending",
            Self::Finalise(_) => "bulk.nodes",
        }
    }

    /// Whether the record may still become final, or is.
    pub fn may_have_taken_effect(&self) -> bool {
        matches!(self, Self::Finalise(error) if error.may_have_taken_effect())
    }

    /// Whether the process must stop: when the operating system has no random bytes.
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::Bulk(error) => error.is_fatal(),
            Self::Author(AuthorError::Random(error)) => error.is_fatal(),
            Self::Author(_) | Self::Finalise(_) => false,
        }
    }
}

/// Signs a record over a sealed container, writes it down, sends it, and adds the receipt; returns what that states.
///
/// A container whose record is signed already is not signed again while that record may still enter the ledger: the same
/// bytes are sent, so nothing is notarised twice (INV-BULK-2). Only a record that is past its time, and that no node has,
/// gives way to a new one. If we crash behind any step, the next call finds in the file how far this one came.
pub async fn anchor(writer: &mut Writer, notary: &Notary, reference: Option<Reference>) -> Result<Facts, AnchorError> {
    let cut = match writer.stage() {
        Stage::Signed(record) if is_past(record)? => {
            let id = record.id();
            match notary.find(id, LOOK_TIMEOUT_MAX).await {
                Ok(cut) => cut,
                Err(FinaliseError::Unknown { .. }) => sign_and_send(writer, notary, reference).await?,
                Err(error) => return Err(error.into()),
            }
        }
        Stage::Signed(record) => {
            let record = Record::clone(record);
            notary.finalise_record(&record).await?
        }
        _ => sign_and_send(writer, notary, reference).await?,
    };
    writer.ledger(&cut)?;
    Ok(cut.facts().clone())
}

async fn sign_and_send(
    writer: &mut Writer,
    notary: &Notary,
    reference: Option<Reference>,
) -> Result<crate::cut::Cut, AnchorError> {
    let record = notary.author().sign(writer.act(reference)?)?;
    // INV-BULK-1: on disk before it leaves.
    writer.record(&record)?;
    Ok(notary.finalise_record(&record).await?)
}

/// Whether no block can take the record any more, whatever a proposer's clock says.
fn is_past(record: &Record) -> Result<bool, AuthorError> {
    let now = now().ok_or(AuthorError::Clock)?;
    Ok(now.0 > record.payload().exp.0.saturating_add(RECORD_AHEAD_S_MAX))
}
