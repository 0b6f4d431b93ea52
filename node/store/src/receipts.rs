//! Receipts from one snapshot, checked against the header before they are handed out.

use testamur_primitives::codec;
use testamur_primitives::hash::RecordId;
use testamur_primitives::header::Header;
use testamur_primitives::identity::{self, DidEntry};
use testamur_primitives::receipt::{Algorithms, AuthorKey, AuthorState, Receipt};
use testamur_primitives::record::{Bytes, Record};
use testamur_registry::tree::prove;

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
            #[cfg(feature = "faults")]
            let path = if crate::faults::acts("store.receipt.another-size").is_some() {
                self.inclusion_to(&nodes, stored.index, self.tip.header.log_size, self.tip.header.log_root)?
            } else {
                path
            };
            let author = self.author_key(&stored.record, header)?;
            let epochs = self.links_to(header.epoch)?;
            Ok(Some(Receipt {
                v: 1,
                r#type: "testamur-receipt".into(),
                network: self.claimed_network(),
                record: stored.record.as_str().to_owned(),
                index: stored.index,
                path,
                header: checkpoint.header.text,
                note: checkpoint.note.to_string(),
                validators: (*checkpoint.validators).clone(),
                epochs,
                author,
                opening: None,
                anchors: Vec::new(),
                algorithms: Algorithms::default(),
                digest: Bytes(Vec::new()),
            }))
        })
    }

    /// The key that a record was signed with: in its key id, or in the author's document as it stood after its block,
    /// which still holds every key that it ever held.
    fn author_key(&self, record: &Record, header: &Header) -> Result<AuthorKey, StoreError> {
        let unusable = |error: &dyn std::fmt::Display| {
            StoreError::damaged(format!("record {}", record.id()), format!("its author's key: {error}"))
        };
        if record.author().is_key() {
            let jwk = record.kid().to_key().map_err(|e| unusable(&e))?.to_jwk();
            return Ok(AuthorKey { jwk, state: None });
        }
        let head = identity::keys::did(record.author()).head();
        let proven = prove(&self.snapshot, header.height, header.state_root, &head)?;
        let document = proven.value.ok_or_else(|| unusable(&"the author was not registered"))?;
        let entry: DidEntry = codec::from_canonical(&document).map_err(|e| unusable(&e))?;
        let method = entry.method(record.kid().fragment()).ok_or_else(|| unusable(&"it is not in the document"))?;
        let document = String::from_utf8(document).map_err(|e| unusable(&e))?;
        Ok(AuthorKey { jwk: method.key.clone(), state: Some(AuthorState { document, proof: proven.proof }) })
    }

    /// Whether a record is final, by the index alone: for the pool, not for people.
    pub fn contains(&self, id: &RecordId) -> Result<bool, StoreError> {
        self.health.guard(|| Ok(reads::index_of(&self.snapshot, id)?.is_some()))
    }
}
