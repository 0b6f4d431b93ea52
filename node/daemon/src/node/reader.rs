//! The ledger as the API sees it: [`Reader`] over the store's views.

use std::sync::Arc;

use testamur_api::ledger::{
    ConsistencyProof, EntryPosition, HistoryProof, Notarisation, Page, ReadError, ReadResult, Reader, RecordQuery,
    StoredBlock, StoredCheckpoint, StoredEpoch, StoredRecord, Tip,
};
use testamur_primitives::commitment::DocumentDigest;
use testamur_primitives::genesis::Genesis;
use testamur_primitives::hash::RecordId;
use testamur_primitives::header::Header;
use testamur_primitives::receipt::Receipt;
use testamur_primitives::units::{Epoch, Height, LogIndex, LogSize};
use testamur_store::{Ledger, StoreError};

/// Reads a node's ledger.
pub(crate) struct LedgerReader(pub(crate) Arc<Ledger>);

fn failed(error: StoreError) -> ReadError {
    // A closed store follows a fatal error: the process is about to end.
    if error.is_fatal() { ReadError::Fatal(error.to_string()) } else { ReadError::Unavailable(error.to_string()) }
}

fn record(stored: testamur_store::StoredRecord) -> StoredRecord {
    StoredRecord { record: stored.record, index: stored.index, height: stored.height, time: stored.time }
}

fn checkpoint(stored: testamur_store::StoredCheckpoint) -> StoredCheckpoint {
    StoredCheckpoint { header: stored.header.header, note: stored.note, validators: stored.validators }
}

impl Reader for LedgerReader {
    fn genesis(&self) -> Arc<Genesis> {
        Arc::clone(self.0.genesis())
    }

    fn tip(&self) -> Tip {
        let tip = self.0.tip();
        Tip { header: Arc::clone(&tip.header), hash: tip.hash }
    }

    fn record(&self, id: RecordId) -> ReadResult<Option<StoredRecord>> {
        let view = self.0.view().map_err(failed)?;
        Ok(view.record(&id).map_err(failed)?.map(record))
    }

    fn receipt(&self, id: RecordId) -> ReadResult<Option<Receipt>> {
        self.0.view().map_err(failed)?.receipt(&id).map_err(failed)
    }

    fn records(&self, query: &RecordQuery) -> ReadResult<Page<StoredRecord, LogIndex>> {
        let query = testamur_store::RecordQuery {
            author: query.author.clone(),
            time_from: query.time_from,
            time_before: query.time_before,
            from: query.from,
            limit: query.limit,
        };
        let page = self.0.view().map_err(failed)?.records(&query).map_err(failed)?;
        Ok(Page { items: page.items.into_iter().map(record).collect(), next: page.next })
    }

    fn notarisations(
        &self,
        digest: &DocumentDigest,
        from: EntryPosition,
        limit: usize,
    ) -> ReadResult<Page<Notarisation, EntryPosition>> {
        // An entry beyond a record's last is the next record's first.
        let from = match u16::try_from(from.entry) {
            Ok(entry) => testamur_store::EntryPosition { index: from.index, entry },
            Err(_) => testamur_store::EntryPosition { index: from.index.next(), entry: 0 },
        };
        let page = self.0.view().map_err(failed)?.notarisations(digest, from, limit).map_err(failed)?;
        let position = |p: testamur_store::EntryPosition| EntryPosition { index: p.index, entry: u32::from(p.entry) };
        let items = page.items.into_iter().map(|found| Notarisation {
            position: position(found.position),
            record: found.record.record.id(),
            author: found.record.record.author().clone(),
            height: found.record.height,
            time: found.record.time,
        });
        Ok(Page { items: items.collect(), next: page.next.map(position) })
    }

    fn block(&self, height: Height) -> ReadResult<Option<StoredBlock>> {
        let found = self.0.view().map_err(failed)?.block_ids(height).map_err(failed)?;
        Ok(found.map(|(header, records)| StoredBlock { header: header.header, records }))
    }

    fn headers(&self, newest: Height, limit: usize) -> ReadResult<Vec<Header>> {
        let headers = self.0.view().map_err(failed)?.headers(newest, limit).map_err(failed)?;
        Ok(headers.into_iter().map(|stored| stored.header).collect())
    }

    fn checkpoint(&self, height: Height) -> ReadResult<Option<StoredCheckpoint>> {
        Ok(self.0.view().map_err(failed)?.checkpoint(height).map_err(failed)?.map(checkpoint))
    }

    fn latest_checkpoint(&self) -> ReadResult<Option<StoredCheckpoint>> {
        Ok(self.0.view().map_err(failed)?.latest_checkpoint().map_err(failed)?.map(checkpoint))
    }

    fn consistency(&self, from: LogSize, to: LogSize) -> ReadResult<Option<ConsistencyProof>> {
        let proof = self.0.view().map_err(failed)?.consistency(from, to).map_err(failed)?;
        Ok(proof.map(|p| ConsistencyProof { from_root: p.from_root, to_root: p.to_root, path: p.path }))
    }

    fn history(&self, from: Height, to: Height) -> ReadResult<Option<HistoryProof>> {
        let proof = self.0.view().map_err(failed)?.history(from, to).map_err(failed)?;
        Ok(proof.map(|p| HistoryProof { from: p.from.header, to: p.to.header, path: p.path }))
    }

    fn epochs(&self, from: Epoch, limit: usize) -> ReadResult<Vec<StoredEpoch>> {
        let epochs = self.0.view().map_err(failed)?.epochs(from, limit).map_err(failed)?;
        let epoch = |e: testamur_store::StoredEpoch| StoredEpoch {
            epoch: e.epoch,
            first_height: e.first_height,
            last_height: e.last_height,
            validators: e.validators,
            link: e.link,
        };
        Ok(epochs.into_iter().map(epoch).collect())
    }

    fn tile(&self, level: u8, index: u64, width: u16) -> ReadResult<Option<Vec<u8>>> {
        self.0.view().map_err(failed)?.tile(level, index, width).map_err(failed)
    }

    fn entries(&self, index: u64, width: u16) -> ReadResult<Option<Vec<u8>>> {
        self.0.view().map_err(failed)?.entry_bundle(index, width).map_err(failed)
    }
}
