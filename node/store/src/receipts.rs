//! Receipts from one snapshot, checked against the header before they are handed out.

use testamur_primitives::hash::RecordId;
use testamur_primitives::receipt::{Algorithms, AuthorKey, Receipt, ReceiptNetwork};
use testamur_primitives::record::Bytes;
use testamur_primitives::units::Epoch;

use crate::error::StoreError;
use crate::reads;
use crate::schema::{Column, place};
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
            // The root that the path was checked against is a prefix of the tip's log; it must be the header's, too.
            let (path, root) = self.inclusion_inner(stored.index, header.log_size)?;
            if root != header.log_root {
                return Err(StoreError::damaged(
                    "tree nodes",
                    format!("they do not lead to the root of height {}", header.height),
                ));
            }
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
