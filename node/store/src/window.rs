//! The replay window: which records stand in the blocks of the last 24 h + 300 s before a block's time.
//!
//! It is read from rows that each block writes, so it needs no rebuilding after a restart, and none of the memory that a
//! day of records would take. A hit is believed only after the record itself was read.

use testamur_primitives::did::Did;
use testamur_primitives::hash::RecordId;
use testamur_primitives::limits::REPLAY_WINDOW_S;
use testamur_primitives::record::Reference;
use testamur_primitives::units::{LogIndex, UnixTime};
use testamur_registry::ReplayWindow;

use crate::db::Snapshot;
use crate::error::StoreError;
use crate::reads;
use crate::schema::{Column, last_number, number, place, reference_key};

/// The window before a block of this time.
pub(crate) struct Window<'s> {
    pub(crate) snapshot: &'s Snapshot<'s>,
    pub(crate) time: UnixTime,
}

/// Whether a block of time `then` is in the window of a block of time `now`. Both ends belong to it: a record made
/// 300 s ahead of its block may be admitted for exactly 24 h after.
pub(crate) fn in_window(then: UnixTime, now: UnixTime) -> bool {
    then.0.saturating_add(REPLAY_WINDOW_S) >= now.0
}

impl ReplayWindow for Window<'_> {
    type Error = StoreError;

    fn contains_id(&self, id: &RecordId) -> Result<bool, StoreError> {
        let Some(index) = reads::index_of(self.snapshot, id)? else { return Ok(false) };
        let stored = reads::record_at(self.snapshot, index)?;
        if stored.record.id() != *id {
            return Err(StoreError::damaged(place(Column::Ids, id.as_bytes()), "it names another record"));
        }
        Ok(in_window(stored.time, self.time))
    }

    fn contains_jti(&self, author: &Did, jti: &Reference) -> Result<bool, StoreError> {
        let key = reference_key(author, jti);
        let Some(row) = self.snapshot.get(Column::References, &key)? else { return Ok(false) };
        let damaged = |what: &str| StoreError::damaged(place(Column::References, &key), what);
        let (Some(index), Some(time), 16) = (number(&row), last_number(&row), row.len()) else {
            return Err(damaged("malformed row"));
        };
        if !in_window(UnixTime(time), self.time) {
            return Ok(false);
        }
        let stored = reads::record_at(self.snapshot, LogIndex(index))?;
        if reference_key(stored.record.author(), &stored.record.payload().jti) != key || stored.time.0 != time {
            return Err(damaged("it names another record"));
        }
        Ok(true)
    }
}
