//! A sealed container gets its record and its receipt.

use testamur_primitives::codec;
use testamur_primitives::limits::RECORD_AHEAD_S_MAX;
use testamur_primitives::receipt::{Facts, ReceiptError};
use testamur_primitives::record::{Act, Record, Reference};
use testamur_primitives::trust::TrustFile;

use crate::author::{AuthorError, now};
use crate::batch::BatchRoot;
use crate::bulk::error::BulkError;
use crate::bulk::writer::{Stage, Writer};
use crate::cut::{Cut, CutError};
use crate::gateway::{Gateway, GatewayError};
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
    /// The gateway gave no receipt.
    #[error("{0}")]
    Gateway(#[from] GatewayError),
    /// What the gateway gave is no receipt of this container.
    #[error("the gateway's receipt is not accepted: {0}")]
    Receipt(#[from] CutError),
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
            Self::Gateway(GatewayError::Pending { .. }) => "bulk.pending",
            Self::Gateway(GatewayError::Client(error)) => error.code(),
            Self::Receipt(error) => error.code(),
        }
    }

    /// Whether the record may still become final, or is.
    pub fn may_have_taken_effect(&self) -> bool {
        match self {
            Self::Finalise(error) => error.may_have_taken_effect(),
            Self::Gateway(GatewayError::Pending { .. }) => true,
            Self::Gateway(GatewayError::Client(error)) => error.may_have_taken_effect(),
            _ => false,
        }
    }

    /// Whether the process must stop: when the operating system has no random bytes.
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::Bulk(error) => error.is_fatal(),
            Self::Author(AuthorError::Random(error)) => error.is_fatal(),
            Self::Author(_) | Self::Finalise(_) | Self::Gateway(_) | Self::Receipt(_) => false,
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

/// As [`anchor`], under a record that a gateway signs; its key stays there.
///
/// The root is the request's key: whatever happens to this process or to its line, the same call gets the receipt of the same record.
/// A salted root is this container's alone.
pub async fn anchor_with_gateway(
    writer: &mut Writer,
    gateway: &Gateway,
    trust: &TrustFile,
    reference: Option<Reference>,
) -> Result<Facts, AnchorError> {
    let Act::NotariseBatch { tree, root, count, .. } = writer.act(None)? else {
        unreachable!("a container is anchored as a batch")
    };
    let root = BatchRoot { tree, root, count };
    let key = codec::base64url(root.root.as_bytes());
    let receipt = gateway.notarise_batch(&root, reference.as_ref(), &key).await?;
    let record =
        Record::parse(receipt.record.as_bytes()).map_err(|error| CutError::NotValid(ReceiptError::Record(error)))?;
    let cut = Cut::new(receipt, record.id(), trust, now().ok_or(AuthorError::Clock)?)?;
    // Refused when it is over another root. If we crash between the two, the next call asks for the same receipt again.
    writer.record(&record)?;
    writer.ledger(&cut)?;
    Ok(cut.facts().clone())
}

async fn sign_and_send(writer: &mut Writer, notary: &Notary, reference: Option<Reference>) -> Result<Cut, AnchorError> {
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
