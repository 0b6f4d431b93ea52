//! The ledger as the API sees it: [`Reader`] over the store's views.

use std::sync::Arc;

use testamur_api::ledger::{
    ConsistencyProof, EntryPosition, HistoryProof, Notarisation, ObjectPage, Page, ReadError, ReadResult, Reader,
    RecordQuery, Registry, StoredBlock, StoredCheckpoint, StoredEpoch, StoredRecord, Timestamp, TimestampPage, Tip,
};
use testamur_primitives::commitment::DocumentDigest;
use testamur_primitives::genesis::Genesis;
use testamur_primitives::hash::{AttachmentHash, RecordId};
use testamur_primitives::header::Header;
use testamur_primitives::receipt::Receipt;
use testamur_primitives::state::evidence::Evidence;
use testamur_primitives::state::{StateKey, StateReader as _};
use testamur_primitives::stream::StreamedBlock;
use testamur_primitives::units::{Epoch, Height, LogIndex, LogSize};
use testamur_store::{Ledger, StoreError, View};

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
        Tip { header: Arc::clone(&tip.header), hash: tip.hash, parameters: Arc::clone(&tip.schedule.parameters) }
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

    fn blocks_from(&self, from: Height, limit: usize, bytes_max: usize) -> ReadResult<Vec<StreamedBlock>> {
        self.0.view().map_err(failed)?.blocks_from(from, limit, bytes_max).map_err(failed)
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

    fn registry(&self) -> ReadResult<Option<Box<dyn Registry + '_>>> {
        let view = self.0.view().map_err(failed)?;
        if view.tip().height() == Height(0) {
            return Ok(None);
        }
        Ok(Some(Box::new(RegistryView(view))))
    }
}

/// The registries of one view.
struct RegistryView<'v>(View<'v>);

impl Registry for RegistryView<'_> {
    fn header(&self) -> &Header {
        &self.0.tip().header
    }

    fn get(&self, key: &StateKey) -> ReadResult<Option<Vec<u8>>> {
        self.0.state().get(key).map_err(failed)
    }

    fn evidence(&self, keys: &[StateKey]) -> ReadResult<Evidence> {
        let evidence = self.0.evidence(keys).map_err(failed)?;
        evidence.ok_or_else(|| ReadError::Fatal("a decided height has no certificate".into()))
    }

    fn objects(&self, kind: &str, term: &str, page: u64, size: usize) -> ReadResult<ObjectPage> {
        let found = self.0.objects(kind, term, page, size).map_err(failed)?;
        Ok(ObjectPage { ids: found.ids, total: found.total })
    }

    fn attachment(&self, sha256: &AttachmentHash) -> ReadResult<Option<Vec<u8>>> {
        self.0.attachment(sha256).map_err(failed)
    }

    fn timestamp(&self, sha256: &[u8; 32]) -> ReadResult<Option<Timestamp>> {
        let found = self.0.timestamp(sha256).map_err(failed)?;
        Ok(found.map(|found| Timestamp {
            entry: u32::from(found.notarisation.position.entry),
            record: record(found.notarisation.record),
        }))
    }

    fn timestamps(&self, page: u64, size: usize) -> ReadResult<TimestampPage> {
        let found = self.0.timestamps(page, size).map_err(failed)?;
        Ok(TimestampPage { ids: found.ids, total: found.total })
    }
}
