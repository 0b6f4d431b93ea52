//! Single reads from a snapshot, each checked: what does not hash to what it should is damage, and is never returned.

use std::sync::Arc;

use testamur_primitives::block::{push_entry, split_entry};
use testamur_primitives::checkpoint::Checkpoint;
use testamur_primitives::codec::{self, sha256};
use testamur_primitives::epoch::ValidatorSet;
use testamur_primitives::hash::{HeaderHash, RecordId};
use testamur_primitives::header::Header;
use testamur_primitives::merkle;
use testamur_primitives::note::Note;
use testamur_primitives::record::Record;
use testamur_primitives::units::{Epoch, Height, LogIndex, LogSize, UnixTime};

use crate::db::Snapshot;
use crate::error::StoreError;
use crate::limits::LOG_TILE_LEVELS;
use crate::schema::{Column, Tree, number, place};
use crate::tree::StoredNodes;

/// A header as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredHeader {
    /// The header.
    pub header: Header,
    /// Its hash.
    pub hash: HeaderHash,
    /// Its canonical text.
    pub text: String,
}

/// A final record and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRecord {
    /// The record.
    pub record: Record,
    /// Its place in the log.
    pub index: LogIndex,
    /// Its block.
    pub height: Height,
    /// That block's time.
    pub time: UnixTime,
}

/// An epoch's first height and validators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EpochRow {
    pub(crate) first_height: Height,
    pub(crate) validators: Arc<ValidatorSet>,
}

/// The bytes of a leaf and the block they are in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) height: Height,
    pub(crate) bytes: Vec<u8>,
}

pub(crate) fn header(snapshot: &Snapshot<'_>, height: Height) -> Result<Option<StoredHeader>, StoreError> {
    let key = height.0.to_be_bytes();
    let Some(row) = snapshot.get(Column::Headers, &key)? else { return Ok(None) };
    decode_header(height, row).map(Some)
}

pub(crate) fn decode_header(height: Height, row: Vec<u8>) -> Result<StoredHeader, StoreError> {
    let damaged = |what: &str| StoreError::damaged(place(Column::Headers, &height.0.to_be_bytes()), what);
    let (hash, text) = row.split_first_chunk::<32>().ok_or_else(|| damaged("row too short"))?;
    let header = Header::decode(text).map_err(|error| damaged(&error.to_string()))?;
    // The text is canonical, so the hash of what was decoded is the hash of these bytes.
    let hash = HeaderHash::from_bytes(*hash);
    if header.hash() != hash {
        return Err(damaged("the text does not match its hash"));
    }
    if header.height != height {
        return Err(damaged("the header is of another height"));
    }
    let text = String::from_utf8(text.to_vec()).map_err(|_| damaged("not UTF-8"))?;
    Ok(StoredHeader { header, hash, text })
}

/// A header that must be there because the tip is not below it.
pub(crate) fn known_header(snapshot: &Snapshot<'_>, height: Height) -> Result<StoredHeader, StoreError> {
    header(snapshot, height)?
        .ok_or_else(|| StoreError::damaged(place(Column::Headers, &height.0.to_be_bytes()), "the row is missing"))
}

/// Where the block of a header begins in the log.
pub(crate) fn first_index(snapshot: &Snapshot<'_>, height: Height) -> Result<LogIndex, StoreError> {
    match height.0.checked_sub(1) {
        None => Ok(LogIndex(0)),
        Some(before) => Ok(LogIndex(known_header(snapshot, Height(before))?.header.log_size.0)),
    }
}

pub(crate) fn certificate(snapshot: &Snapshot<'_>, header: &StoredHeader) -> Result<Option<Note>, StoreError> {
    let key = header.header.height.0.to_be_bytes();
    let Some(row) = snapshot.get(Column::Certificates, &key)? else { return Ok(None) };
    let damaged = |what: String| StoreError::damaged(place(Column::Certificates, &key), what);
    let note = Note::parse(&row).map_err(|error| damaged(error.to_string()))?;
    let checkpoint = Checkpoint::parse(&note.text).map_err(|error| damaged(error.to_string()))?;
    if checkpoint.header != header.hash {
        return Err(damaged("it is of another header".into()));
    }
    Ok(Some(note))
}

pub(crate) fn epoch(snapshot: &Snapshot<'_>, epoch: Epoch) -> Result<Option<EpochRow>, StoreError> {
    let key = epoch.0.to_be_bytes();
    let Some(row) = snapshot.get(Column::Epochs, &key)? else { return Ok(None) };
    let damaged = |what: String| StoreError::damaged(place(Column::Epochs, &key), what);
    let (first, validators) = row.split_first_chunk::<8>().ok_or_else(|| damaged("row too short".into()))?;
    let validators = codec::from_canonical(validators).map_err(|error| damaged(error.to_string()))?;
    Ok(Some(EpochRow { first_height: Height(u64::from_be_bytes(*first)), validators: Arc::new(validators) }))
}

/// Calls `each` with the entries of `[from, to)` in order, each checked against its stored leaf hash.
pub(crate) fn entries(
    snapshot: &Snapshot<'_>,
    from: LogIndex,
    to: LogIndex,
    mut each: impl FnMut(LogIndex, Height, &[u8]) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    if from >= to {
        return Ok(());
    }
    let missing = |index: u64| StoreError::damaged(format!("entries {index}"), "the entry is missing");
    let Some((start, _)) = snapshot.floor(Column::Entries, &[], &from.0.to_be_bytes())? else {
        return Err(missing(from.0));
    };
    let nodes = StoredNodes::new(snapshot, Tree::Log);
    let mut expected = from.0;
    for row in snapshot.scan(Column::Entries, &[], &start) {
        let (key, value) = row?;
        let damaged = |what: &str| StoreError::damaged(place(Column::Entries, &key), what);
        let mut index = number(&key).ok_or_else(|| damaged("malformed key"))?;
        if index > expected {
            return Err(missing(expected));
        }
        let (height, mut rest) = value.split_first_chunk::<8>().ok_or_else(|| damaged("row too short"))?;
        let height = Height(u64::from_be_bytes(*height));
        while !rest.is_empty() {
            let (entry, after) = split_entry(rest).ok_or_else(|| damaged("lengths do not fit"))?;
            if index == expected {
                let leaves = nodes.tile(0, index >> LOG_TILE_LEVELS)?;
                let leaf = leaves.get((index & ((1 << LOG_TILE_LEVELS) - 1)) as usize);
                if leaf != Some(&merkle::leaf_hash(entry)) {
                    return Err(damaged(&format!("entry {index} does not match its leaf hash")));
                }
                each(LogIndex(index), height, entry)?;
                expected += 1;
                if expected == to.0 {
                    return Ok(());
                }
            }
            index += 1;
            rest = after;
        }
        // A row that ends before what it should hold leaves the next row's key ahead of `expected`: found above.
    }
    Err(missing(expected))
}

pub(crate) fn entry(snapshot: &Snapshot<'_>, index: LogIndex) -> Result<Entry, StoreError> {
    let mut found = None;
    entries(snapshot, index, index.next(), |_, height, bytes| {
        found = Some(Entry { height, bytes: bytes.to_vec() });
        Ok(())
    })?;
    Ok(found.expect("one entry was asked for and none is an error"))
}

/// Which records a block holds, and its time: read once for neighbouring records.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BlockSpan {
    height: Height,
    first: LogIndex,
    end: LogSize,
    time: UnixTime,
}

/// The record at a place, with its block's time.
pub(crate) fn record_at(snapshot: &Snapshot<'_>, index: LogIndex) -> Result<StoredRecord, StoreError> {
    record_near(snapshot, index, &mut None)
}

/// The record at a place; the block of the record read before is remembered in `span`.
pub(crate) fn record_near(
    snapshot: &Snapshot<'_>,
    index: LogIndex,
    span: &mut Option<BlockSpan>,
) -> Result<StoredRecord, StoreError> {
    let Entry { height, bytes } = entry(snapshot, index)?;
    let record = parse(index, &bytes)?;
    let block = match *span {
        Some(block) if block.height == height => block,
        _ => {
            let Header { log_size: end, time, .. } = known_header(snapshot, height)?.header;
            BlockSpan { height, first: first_index(snapshot, height)?, end, time }
        }
    };
    if index.0 >= block.end.0 || index < block.first {
        return Err(StoreError::damaged(format!("entries {index}"), "the row names another block"));
    }
    *span = Some(block);
    Ok(StoredRecord { record, index, height, time: block.time })
}

pub(crate) fn parse(index: LogIndex, bytes: &[u8]) -> Result<Record, StoreError> {
    Record::parse(bytes).map_err(|error| StoreError::damaged(format!("entries {index}"), error.to_string()))
}

/// The place of a record, as the index says; the caller checks that the record is there.
pub(crate) fn index_of(snapshot: &Snapshot<'_>, id: &RecordId) -> Result<Option<LogIndex>, StoreError> {
    let Some(row) = snapshot.get(Column::Ids, id.as_bytes())? else { return Ok(None) };
    let index = number(&row).filter(|_| row.len() == 8);
    index.map(LogIndex).map(Some).ok_or_else(|| StoreError::damaged(place(Column::Ids, id.as_bytes()), "malformed row"))
}

/// The id of a record's bytes, without parsing the rest.
pub(crate) fn id_of(bytes: &[u8]) -> Option<RecordId> {
    let end = bytes.iter().rposition(|b| *b == b'.')?;
    Some(RecordId::from_bytes(sha256(&[&bytes[..end]])))
}

/// The records of a block in the form of C2SP entry bundles, as they stand in the block's encoding.
pub(crate) fn block_bytes(snapshot: &Snapshot<'_>, header: &StoredHeader) -> Result<Vec<u8>, StoreError> {
    let mut bytes = (header.text.len() as u32).to_be_bytes().to_vec();
    bytes.extend_from_slice(header.text.as_bytes());
    let height = header.header.height;
    let (from, LogSize(to)) = (first_index(snapshot, height)?, header.header.log_size);
    entries(snapshot, from, LogIndex(to), |_, _, entry| {
        push_entry(&mut bytes, entry);
        Ok(())
    })?;
    Ok(bytes)
}
