//! The background scrub: a running node re-reads its whole ledger, a small step at a time, and stops at the first damage.
//!
//! It checks all that needs no replay: headers and their chain, certificates, records against leaves, ids and indexes,
//! tiles up to the tip's root, the newest state against the tip's state root. What only a replay can find (a state
//! that was never right) is for `testamur check`.

use testamur_primitives::checkpoint::verify_certificate;
use testamur_primitives::codec::{CodecError, from_canonical};
use testamur_primitives::hash::HeaderHash;
use testamur_primitives::merkle;
use testamur_primitives::status::StatusEntry;
use testamur_primitives::units::{Height, LogIndex};
use testamur_registry::index::{object_id, terms};
use testamur_registry::{StateKey, StateReader};

use crate::attachments::held;
use crate::commit::for_each_index_row;
use crate::error::StoreError;
use crate::index::{ObjectRow, public_digests, timestamp};
use crate::ledger::Ledger;
use crate::limits::{LOG_TILE_LEVELS, SCRUB_STEP_BLOCKS, SCRUB_STEP_RECORDS, SCRUB_STEP_STATE_ROWS};
use crate::reads::{self, StoredHeader};
use crate::schema::{
    Column, Tree, author_key, author_prefix, last_number, number, place, term_prefix, time_key, timestamp_key,
};
use crate::tree::StoredNodes;
use crate::view::View;

/// Where the scrub is. Start with the default; feed each step's answer to the next.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScrubPosition {
    /// The next height to read.
    pub height: Height,
    /// The record of it to read first.
    pub index: LogIndex,
    /// The state key read last.
    pub state: Option<String>,
    /// Times that the ledger was read to its end.
    pub rounds: u64,
}

impl Ledger {
    /// Re-reads a little and returns where to go on: some 10 ms of work. Damage closes the store.
    pub fn scrub_step(&self, from: &ScrubPosition) -> Result<ScrubPosition, StoreError> {
        let view = self.view()?;
        self.health().guard(|| {
            let mut next = from.clone();
            scrub_state(&view, &mut next)?;
            scrub_blocks(&view, &mut next)?;
            Ok(next)
        })
    }
}

fn scrub_blocks(view: &View<'_>, position: &mut ScrubPosition) -> Result<(), StoreError> {
    let mut records_left = SCRUB_STEP_RECORDS;
    for _ in 0..SCRUB_STEP_BLOCKS {
        if position.height > view.tip.height() {
            *position =
                ScrubPosition { state: position.state.take(), rounds: position.rounds + 1, ..Default::default() };
            return Ok(());
        }
        let header = reads::known_header(&view.snapshot, position.height)?;
        let first = reads::first_index(&view.snapshot, position.height)?;
        if position.index <= first {
            position.index = first;
            scrub_header(view, &header)?;
        }
        let end = header.header.log_size.0.min(position.index.0.saturating_add(records_left));
        scrub_records(view, &header, position.index, LogIndex(end))?;
        records_left -= end - position.index.0;
        position.index = LogIndex(end);
        if end < header.header.log_size.0 {
            return Ok(());
        }
        position.height = position.height.next();
    }
    Ok(())
}

fn scrub_header(view: &View<'_>, stored: &StoredHeader) -> Result<(), StoreError> {
    let StoredHeader { header, hash, .. } = stored;
    let height = header.height;
    let damaged = |what: &str| StoreError::damaged(place(Column::Headers, &height.0.to_be_bytes()), what);
    let previous = match height.0.checked_sub(1) {
        None => HeaderHash::ZERO,
        Some(before) => reads::known_header(&view.snapshot, Height(before))?.hash,
    };
    if header.previous != previous {
        return Err(damaged("it does not follow the header before"));
    }
    if height < view.tip.height() {
        let nodes = StoredNodes::new(&view.snapshot, Tree::History);
        let path = merkle::inclusion_proof(&nodes, height.0, view.tip.height().0)?;
        let leaf = merkle::leaf_hash(hash.as_bytes());
        merkle::verify_inclusion(leaf, height.0, view.tip.height().0, &path, view.tip.header.history_root)?;
    }
    if view.snapshot.get(Column::Times, &time_key(header.time, height))?.is_none() {
        return Err(StoreError::damaged(place(Column::Times, &time_key(header.time, height)), "the row is missing"));
    }
    if let Some(checkpoint) = view.checkpoint_inner(height)? {
        verify_certificate(view.origin, header, &checkpoint.note, &checkpoint.validators).map_err(|error| {
            StoreError::damaged(place(Column::Certificates, &height.0.to_be_bytes()), error.to_string())
        })?;
    }
    Ok(())
}

fn scrub_records(view: &View<'_>, header: &StoredHeader, from: LogIndex, to: LogIndex) -> Result<(), StoreError> {
    reads::entries(&view.snapshot, from, to, |index, height, bytes| {
        if height != header.header.height {
            return Err(StoreError::damaged(format!("entries {index}"), "the row names another block"));
        }
        let record = reads::parse(index, bytes)?;
        if reads::index_of(&view.snapshot, &record.id())? != Some(index) {
            return Err(StoreError::damaged(place(Column::Ids, record.id().as_bytes()), "it does not name its record"));
        }
        let mut missing = None;
        for_each_index_row(&record, index, header.header.time.0, |column, key, _| {
            // References are replaced and dropped: their reader checks them.
            if column == Column::Digests && missing.is_none() {
                missing = match view.snapshot.get(column, key) {
                    Ok(Some(_)) => None,
                    Ok(None) => Some(StoreError::damaged(place(column, key), "the row is missing")),
                    Err(error) => Some(error),
                };
            }
        });
        missing.map_or(Ok(()), Err)?;
        for (_, digest) in public_digests(&record) {
            let key = timestamp_key(digest);
            if timestamp(&view.snapshot, &key)?.is_none() {
                return Err(StoreError::damaged(place(Column::Timestamps, &key), "the row is missing"));
            }
        }
        let author = record.author();
        let row = view.snapshot.floor(Column::Authors, &author_prefix(author), &author_key(author, index))?;
        let listed = row.is_some_and(|(key, offsets)| {
            let first = last_number(&key).unwrap_or(u64::MAX);
            offsets.chunks_exact(2).any(|o| first.checked_add(u16::from_be_bytes([o[0], o[1]]).into()) == Some(index.0))
        });
        if !listed {
            return Err(StoreError::damaged(
                place(Column::Authors, &author_key(author, index)),
                "the record is not listed",
            ));
        }
        Ok(())
    })?;
    if from < to {
        scrub_tiles(view, from.0 >> LOG_TILE_LEVELS, (to.0 - 1) >> LOG_TILE_LEVELS)?;
    }
    Ok(())
}

/// Checks leaf tiles, and each tile above that the last of them completes, against the node above it.
fn scrub_tiles(view: &View<'_>, first: u64, last: u64) -> Result<(), StoreError> {
    let full = 1u64 << LOG_TILE_LEVELS;
    for leaf_tile in first..=last {
        let (mut level, mut tile) = (0u8, leaf_tile);
        loop {
            let nodes = view.tip.header.log_size.0 >> (u32::from(level) * u32::from(LOG_TILE_LEVELS));
            let width = nodes.saturating_sub(tile * full).min(full);
            if width > 0 {
                // At most 256, so it fits.
                view.checked_tile(level, tile, width as u16)?;
            }
            if width < full || tile % full != full - 1 {
                break;
            }
            (level, tile) = (level + 1, tile / full);
        }
    }
    Ok(())
}

/// Proves some of the newest values under the tip's state root, in order of key, round and round.
fn scrub_state(view: &View<'_>, position: &mut ScrubPosition) -> Result<(), StoreError> {
    let last = position.state.take().unwrap_or_default();
    let (mut read, mut reached) = (0, None);
    for row in view.snapshot.scan(Column::StateKeys, &[], last.as_bytes()) {
        let (key, version) = row?;
        if *key == *last.as_bytes() {
            continue;
        }
        if read == SCRUB_STEP_STATE_ROWS {
            position.state = reached;
            return Ok(());
        }
        read += 1;
        let damaged = |what: String| StoreError::damaged(place(Column::StateKeys, &key), what);
        let text = std::str::from_utf8(&key).map_err(|_| damaged("malformed key".into()))?;
        let state_key: StateKey = text.parse().map_err(|error| damaged(format!("{error}")))?;
        let Some(value) = view.prove_state(&state_key)?.value else {
            return Err(damaged("the state root commits to no such key".into()));
        };
        if StateReader::get(&view.snapshot, &state_key)?.as_ref() != Some(&value) {
            let height = number(&version).unwrap_or_default();
            return Err(damaged(format!("height {height}, which it names, did not write the newest value")));
        }
        scrub_lists(view, &state_key, &value)?;
        scrub_attachment(view, &state_key, &value)?;
        reached = Some(text.to_owned());
    }
    Ok(())
}

/// The newest bits of a list are held, whole, or known to be missing.
fn scrub_attachment(view: &View<'_>, key: &StateKey, value: &[u8]) -> Result<(), StoreError> {
    if !key.as_str().starts_with("status/") || !key.as_str().ends_with("/head") {
        return Ok(());
    }
    let malformed = |error: CodecError| StoreError::damaged(format!("state {key}"), error.to_string());
    let entry: StatusEntry = from_canonical(value).map_err(malformed)?;
    let attachment = entry.status.sha256;
    let missing = || view.snapshot.get(Column::AttachmentsMissing, attachment.as_bytes());
    if held(&view.snapshot, &attachment)?.is_none() && missing()?.is_none() {
        return Err(StoreError::damaged(place(Column::Attachments, attachment.as_bytes()), "the row is missing"));
    }
    Ok(())
}

/// A value's object stands in every list that it should stand in.
fn scrub_lists(view: &View<'_>, key: &StateKey, value: &[u8]) -> Result<(), StoreError> {
    let malformed = |error| StoreError::damaged(format!("state {key}"), format!("the value cannot be listed: {error}"));
    for term in terms(key, value).map_err(malformed)? {
        let prefix = term_prefix(term.kind, &term.term);
        let mut row = ObjectRow { prefix, id: object_id(key).to_owned(), ordinal: 0 };
        let ordinal = view.snapshot.get(Column::ObjectIds, &row.id_key())?.as_deref().and_then(number);
        let damaged = |column, key: &[u8]| StoreError::damaged(place(column, key), "the object is not listed");
        row.ordinal = ordinal.ok_or_else(|| damaged(Column::ObjectIds, &row.id_key()))?;
        if view.snapshot.get(Column::Objects, &row.key())?.as_deref() != Some(row.id.as_bytes()) {
            return Err(damaged(Column::Objects, &row.key()));
        }
    }
    Ok(())
}
