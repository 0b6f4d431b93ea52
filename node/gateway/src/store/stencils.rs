//! What receipts of one record share, kept in memory: documents of one record are asked for one after the other.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use testamur_primitives::hash::RecordId;
use testamur_primitives::receipt::ReceiptStencil;

use crate::limits::STENCILS_BYTES_MAX;

/// Stencils of records, those that came last.
#[derive(Default)]
pub(super) struct Stencils(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    by_record: BTreeMap<RecordId, Arc<ReceiptStencil>>,
    /// Oldest first.
    order: VecDeque<RecordId>,
    bytes: usize,
}

impl Stencils {
    /// A record's, if it is here.
    pub(super) fn of(&self, record: RecordId) -> Option<Arc<ReceiptStencil>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).by_record.get(&record).cloned()
    }

    /// Keeps one, and lets the oldest go when there is no room.
    pub(super) fn put(&self, record: RecordId, stencil: Arc<ReceiptStencil>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let size = stencil.size();
        if size > STENCILS_BYTES_MAX {
            return;
        }
        match kept.by_record.insert(record, stencil) {
            // Kept again, of another node's certificate: these bytes are what is on disk now.
            Some(before) => kept.bytes -= before.size(),
            None => kept.order.push_back(record),
        }
        kept.bytes += size;
        while kept.bytes > STENCILS_BYTES_MAX {
            let oldest = kept.order.pop_front().expect("bytes are those of what is in order");
            let stencil = kept.by_record.remove(&oldest).expect("what is in order is here");
            kept.bytes -= stencil.size();
        }
    }
}
