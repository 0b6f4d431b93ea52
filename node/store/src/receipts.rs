//! Receipts from one snapshot, checked against the header before they are handed out.

use testamur_primitives::hash::RecordId;
use testamur_primitives::receipt::{Algorithms, AuthorKey, Receipt, ReceiptNetwork};
use testamur_primitives::record::Bytes;
use testamur_primitives::units::Epoch;

use crate::error::StoreError;
use crate::reads;
use crate::schema::{Column, Tree, place};
use crate::tree::StoredNodes;
use crate::view::View;

impl View<'_> {
    /// The receipt of a final record, without opening (that is the author's) and without digest
    /// ([`Receipt::encode`] sets it).
    pub fn receipt(&self, id: &RecordId) -> Result<Option<Receipt>, StoreError> {
        let Some(stored) = self.record(id)? else { return Ok(None) };
        self.health.guard(|| {
            let missing = || {
                StoreError::damaged(place(Column::Certificates, &stored.height.0.to_be_bytes()), "the row is missing")
            };
            let checkpoint = self.checkpoint_inner(stored.height)?.ok_or_else(missing)?;
            let header = &checkpoint.header.header;
            let nodes = StoredNodes::new(&self.snapshot, Tree::Log);
            let path = self.inclusion_to(&nodes, stored.index, header.log_size, header.log_root)?;
            let unusable = |error| StoreError::damaged(format!("entries {}", stored.index), format!("{error}"));
            let jwk = stored.record.kid().to_key().map_err(unusable)?.to_jwk();
            let mut epochs = Vec::new();
            for epoch in 0..header.epoch.0 {
                epochs.extend(self.epoch_inner(Epoch(epoch))?.link);
            }
            Ok(Some(Receipt {
                v: 1,
                r#type: "testamur-receipt".into(),
                network: ReceiptNetwork { genesis: header.genesis, origin: self.origin.to_string() },
                record: stored.record.as_str().to_owned(),
                index: stored.index,
                path,
                header: checkpoint.header.text,
                note: checkpoint.note.to_string(),
                validators: (*checkpoint.validators).clone(),
                epochs,
                author: AuthorKey { jwk },
                opening: None,
                anchors: Vec::new(),
                algorithms: Algorithms::default(),
                digest: Bytes(Vec::new()),
            }))
        })
    }

    /// Whether a record is final, by the index alone: for the pool, not for people.
    pub fn contains(&self, id: &RecordId) -> Result<bool, StoreError> {
        self.health.guard(|| Ok(reads::index_of(&self.snapshot, id)?.is_some()))
    }
}
