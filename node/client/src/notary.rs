//! Documents in, receipts out: an author, some nodes and a trust file put together.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use testamur_primitives::commitment::Opening;
use testamur_primitives::hash::RecordId;
use testamur_primitives::receipt::Receipt;
use testamur_primitives::record::{Record, Reference};
use testamur_primitives::trust::TrustFile;
use testamur_primitives::units::UnixTime;

use crate::author::{Author, AuthorError, now};
use crate::batch::{BatchError, Documents};
use crate::cut::{Cut, CutError};
use crate::limits::FINAL_TIMEOUT;
use crate::nodes::{FinaliseError, Nodes};

/// Why documents were not notarised, or are not known to be.
#[derive(Debug, thiserror::Error)]
pub enum NotaryError {
    /// Author and trust file are of different networks.
    #[error("the author writes to another network than the one of the trust file")]
    Network,
    /// The documents do not go under one record.
    #[error("{0}")]
    Batch(#[from] BatchError),
    /// The record could not be signed.
    #[error("{0}")]
    Author(#[from] AuthorError),
    /// The record has no receipt.
    #[error("{0}")]
    Finalise(#[from] FinaliseError),
    /// The openings do not belong to the record.
    #[error("{0}")]
    Opening(CutError),
}

impl NotaryError {
    /// Whether the process must stop: when the operating system has no random bytes.
    pub fn is_fatal(&self) -> bool {
        matches!(self, Self::Batch(error) if error.is_fatal())
    }
}

/// What is needed to ask later for receipts whose record was not seen final in time (INV-CLIENT-3).
///
/// It holds the salts: who has it can show the documents' digests, as with a receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pending {
    /// The record that was signed.
    pub record: RecordId,
    /// After this time it can no longer enter the ledger: if it is not there by then, it never will be.
    pub expires: UnixTime,
    /// One opening a document, in the order the documents were given.
    pub openings: Vec<Opening>,
}

impl Pending {
    /// What is needed for one document alone; none when the place is out of range.
    pub fn of(&self, place: usize) -> Option<Self> {
        let opening = self.openings.get(place)?.clone();
        Some(Self { record: self.record, expires: self.expires, openings: vec![opening] })
    }
}

/// Notarises documents as one author.
#[derive(Debug)]
pub struct Notary {
    author: Author,
    nodes: Nodes,
    trust: Arc<TrustFile>,
    within: Duration,
}

/// Documents whose record is signed and not sent yet.
#[derive(Debug)]
pub struct Signed {
    record: Record,
    documents: Documents,
}

impl Signed {
    /// The record's id.
    pub fn id(&self) -> RecordId {
        self.record.id()
    }

    /// The record.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// The documents under the record.
    pub fn documents(&self) -> &Documents {
        &self.documents
    }

    /// What the caller of documents `range` must keep when the outcome is unknown.
    pub fn pending(&self, range: core::ops::Range<u64>) -> Pending {
        let openings = range.filter_map(|index| self.documents.opening(index)).collect();
        Pending { record: self.record.id(), expires: self.record.payload().exp, openings }
    }
}

impl Notary {
    /// An author on the network of a trust file.
    pub fn new(author: Author, nodes: Nodes, trust: Arc<TrustFile>) -> Result<Self, NotaryError> {
        if author.network() != trust.network() {
            return Err(NotaryError::Network);
        }
        Ok(Self { author, nodes, trust, within: FINAL_TIMEOUT })
    }

    /// Waits this long for a record to be final.
    #[must_use]
    pub fn within(self, within: Duration) -> Self {
        Self { within, ..self }
    }

    /// The author.
    pub fn author(&self) -> &Author {
        &self.author
    }

    /// The nodes.
    pub fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    /// The trust file.
    pub fn trust(&self) -> &TrustFile {
        &self.trust
    }

    /// Signs one record over documents. Nothing is sent.
    pub fn sign(&self, documents: Documents, reference: Option<Reference>) -> Result<Signed, NotaryError> {
        let record = self.author.sign(documents.act(reference))?;
        Ok(Signed { record, documents })
    }

    /// Sends a signed record until it is final; the receipt has verified (INV-CLIENT-1).
    pub async fn finalise(&self, signed: &Signed) -> Result<Cut, FinaliseError> {
        self.finalise_record(&signed.record).await
    }

    /// Sends a record that was signed earlier, the same bytes, until it is final; the receipt has verified.
    pub async fn finalise_record(&self, record: &Record) -> Result<Cut, FinaliseError> {
        let id = record.id();
        self.nodes.finalise(record, self.within, |receipt| self.accept(receipt, id)).await
    }

    /// Looks for a record at every node, without sending it; the receipt has verified.
    pub async fn find(&self, record: RecordId, within: Duration) -> Result<Cut, FinaliseError> {
        self.nodes.find(record, within, |receipt| self.accept(receipt, record)).await
    }

    /// Looks for a record that was not seen final before; the receipt has verified and shows every opening.
    pub async fn resume(&self, pending: &Pending, within: Duration) -> Result<Cut, NotaryError> {
        let id = pending.record;
        let cut = self.nodes.find(id, within, |receipt| self.accept(receipt, id)).await?;
        for opening in &pending.openings {
            cut.check(opening).map_err(NotaryError::Opening)?;
        }
        Ok(cut)
    }

    fn accept(&self, receipt: Receipt, id: RecordId) -> Result<Cut, CutError> {
        // A clock before 1970 finds every key in office; such a clock also signs records that no block admits.
        Cut::new(receipt, id, &self.trust, now().unwrap_or_default())
    }
}
