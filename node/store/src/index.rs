//! Lists beside the proven state: the objects of the registries by term, and public digests by their SHA-256.
//!
//! Nothing here is proven, and nothing rests on it: an object that a list names is read and proven by its own key. The
//! rows are derived from what a block writes, in its own batch, and by `check` once more.

use std::collections::{BTreeMap, BTreeSet};

use testamur_primitives::codec::CodecError;
use testamur_primitives::commitment::{DigestAlgorithm, Form};
use testamur_primitives::record::{Act, Record};
use testamur_primitives::units::LogIndex;
use testamur_registry::StateKey;
use testamur_registry::index::{object_id, terms};

use crate::db::{Batch, Snapshot};
use crate::error::StoreError;
use crate::limits::PAGE_ITEMS_MAX;
use crate::reads;
use crate::schema::{Column, last_number, number, place, term_prefix, timestamp_key, timestamp_value};
use crate::view::{EntryPosition, Notarisation, View};

/// A page of a list of objects.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ObjectPage {
    /// Ids of the objects, in order of arrival.
    pub ids: Vec<String>,
    /// How many the whole list has.
    pub total: u64,
}

/// A page of the list of public digests.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TimestampPage {
    /// SHA-256 of each digest, in order of arrival.
    pub ids: Vec<[u8; 32]>,
    /// How many there are.
    pub total: u64,
}

/// A public digest and where it stands first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timestamp {
    /// Its first place.
    pub notarisation: Notarisation,
    /// Algorithm of the digest.
    pub algorithm: DigestAlgorithm,
    /// The digest.
    pub digest: Vec<u8>,
}

/// A row of a list: what it is a list of, who stands there, at which place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ObjectRow {
    pub(crate) prefix: Vec<u8>,
    pub(crate) id: String,
    pub(crate) ordinal: u64,
}

impl ObjectRow {
    /// Key in `objects`.
    pub(crate) fn key(&self) -> Vec<u8> {
        [self.prefix.as_slice(), &self.ordinal.to_be_bytes()].concat()
    }

    /// Key in `object-ids`.
    pub(crate) fn id_key(&self) -> Vec<u8> {
        [self.prefix.as_slice(), self.id.as_bytes()].concat()
    }
}

/// What the lists held before a block.
pub(crate) trait Lists {
    /// Whether a key of `object-ids` is there.
    fn holds(&self, id_key: &[u8]) -> Result<bool, StoreError>;
    /// How many rows a list has.
    fn total(&self, prefix: &[u8]) -> Result<u64, StoreError>;
}

impl Lists for Snapshot<'_> {
    fn holds(&self, id_key: &[u8]) -> Result<bool, StoreError> {
        Ok(self.get(Column::ObjectIds, id_key)?.is_some())
    }

    fn total(&self, prefix: &[u8]) -> Result<u64, StoreError> {
        let last = self.floor(Column::Objects, prefix, &[prefix, &[0xff; 8]].concat())?;
        let Some((key, _)) = last else { return Ok(0) };
        let ordinal = last_number(&key).filter(|_| key.len() == prefix.len() + 8);
        let ordinal = ordinal.ok_or_else(|| StoreError::damaged(place(Column::Objects, &key), "malformed key"))?;
        Ok(ordinal + 1)
    }
}

/// The rows that a block's writes add, in order of state key: an id stands once in a list.
pub(crate) fn object_rows<'w>(
    lists: &impl Lists,
    writes: impl Iterator<Item = (&'w StateKey, &'w [u8])>,
) -> Result<Vec<ObjectRow>, StoreError> {
    let mut totals: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
    let mut added: BTreeSet<Vec<u8>> = BTreeSet::new();
    let mut rows = Vec::new();
    for (key, value) in writes {
        for term in terms(key, value).map_err(|error| unlisted(key, &error))? {
            let prefix = term_prefix(term.kind, &term.term);
            let mut row = ObjectRow { id: object_id(key).to_owned(), prefix, ordinal: 0 };
            let id_key = row.id_key();
            if lists.holds(&id_key)? || !added.insert(id_key) {
                continue;
            }
            let total = match totals.get_mut(&row.prefix) {
                Some(total) => total,
                None => totals.entry(row.prefix.clone()).or_insert(lists.total(&row.prefix)?),
            };
            row.ordinal = *total;
            *total += 1;
            rows.push(row);
        }
    }
    Ok(rows)
}

fn unlisted(key: &StateKey, error: &CodecError) -> StoreError {
    StoreError::damaged(format!("state {key}"), format!("the value cannot be listed: {error}"))
}

/// Adds the rows of a height's writes to a batch. They are derived a second time and compared as they are written
/// (INV-STORE-3): nothing in the log or under the state root would show a list that names somebody else.
pub(crate) fn put_objects<'w>(
    snapshot: &Snapshot<'_>,
    writes: impl Iterator<Item = (&'w StateKey, &'w [u8])> + Clone,
    batch: &mut Batch<'_>,
) -> Result<(), StoreError> {
    let rows = object_rows(snapshot, writes.clone())?;
    let again = object_rows(snapshot, writes)?;
    let changed = || StoreError::damaged("the lists of objects in memory", "a row has changed since it was derived");
    if rows != again {
        return Err(changed());
    }
    for (row, again) in rows.iter().zip(&again) {
        let same = |written: &[u8], expected: &[u8]| if written == expected { Ok(()) } else { Err(changed()) };
        let (ordinal, expected) = (row.ordinal.to_be_bytes(), again.ordinal.to_be_bytes());
        batch.put_checked(Column::Objects, &row.key(), row.id.as_bytes(), |id| same(id, again.id.as_bytes()))?;
        batch.put_checked(Column::ObjectIds, &row.id_key(), &ordinal, |ordinal| same(ordinal, &expected))?;
    }
    Ok(())
}

/// The public digests of a record, each with its place there.
pub(crate) fn public_digests(record: &Record) -> impl Iterator<Item = (u16, &[u8])> {
    let entries = match record.act() {
        Act::Notarise { form: Form::Digest, entries, .. } => entries.as_slice(),
        _ => &[],
    };
    (0..).zip(entries.iter().map(|entry| entry.0.as_slice()))
}

/// Adds the rows of public digests that were not there before.
pub(crate) struct TimestampAppender<'s> {
    snapshot: &'s Snapshot<'s>,
    added: BTreeSet<[u8; 32]>,
    total: Option<u64>,
}

impl<'s> TimestampAppender<'s> {
    pub(crate) fn new(snapshot: &'s Snapshot<'s>) -> Self {
        Self { snapshot, added: BTreeSet::new(), total: None }
    }

    pub(crate) fn add(&mut self, record: &Record, index: LogIndex, batch: &mut Batch<'_>) -> Result<(), StoreError> {
        for (entry, digest) in public_digests(record) {
            let key = timestamp_key(digest);
            if self.added.contains(&key) || self.snapshot.get(Column::Timestamps, &key)?.is_some() {
                continue;
            }
            let ordinal = match self.total {
                Some(total) => total,
                None => timestamps_total(self.snapshot)?,
            };
            batch.put(Column::Timestamps, &key, &timestamp_value(index, entry));
            batch.put(Column::TimestampOrder, &ordinal.to_be_bytes(), &key);
            self.total = Some(ordinal + 1);
            self.added.insert(key);
        }
        Ok(())
    }
}

fn timestamps_total(snapshot: &Snapshot<'_>) -> Result<u64, StoreError> {
    let Some((key, _)) = snapshot.floor(Column::TimestampOrder, &[], &[0xff; 8])? else { return Ok(0) };
    let last = number(&key).filter(|_| key.len() == 8);
    Ok(last.ok_or_else(|| StoreError::damaged(place(Column::TimestampOrder, &key), "malformed key"))? + 1)
}

/// The first place of a public digest, by the SHA-256 of the digest.
pub(crate) fn timestamp(snapshot: &Snapshot<'_>, key: &[u8; 32]) -> Result<Option<Timestamp>, StoreError> {
    let Some(row) = snapshot.get(Column::Timestamps, key)? else { return Ok(None) };
    let damaged = |what: &str| StoreError::damaged(place(Column::Timestamps, key), what);
    let position = match row[..] {
        [a, b, c, d, e, f, g, h, x, y] => EntryPosition {
            index: LogIndex(u64::from_be_bytes([a, b, c, d, e, f, g, h])),
            entry: u16::from_be_bytes([x, y]),
        },
        _ => return Err(damaged("malformed row")),
    };
    let record = reads::record_at(snapshot, position.index)?;
    let found = public_digests(&record.record).nth(position.entry.into()).map(|(_, digest)| digest.to_vec());
    match (record.record.act(), found) {
        (Act::Notarise { alg, .. }, Some(digest)) if timestamp_key(&digest) == *key => {
            let algorithm = *alg;
            Ok(Some(Timestamp { notarisation: Notarisation { position, record }, algorithm, digest }))
        }
        _ => Err(damaged("the record does not hold this digest")),
    }
}

/// The first number of a page and how many rows it has; pages count from 1.
fn page_of(page: u64, size: usize, total: u64) -> (u64, usize) {
    let size = size.min(PAGE_ITEMS_MAX);
    let first = page.saturating_sub(1).saturating_mul(size as u64).min(total);
    (first, size.min(usize::try_from(total - first).unwrap_or(usize::MAX)))
}

impl View<'_> {
    /// A page of the objects that stand under a term (`testamur_registry::index`), in order of arrival. Pages count
    /// from 1; one holds at most 100.
    pub fn objects(&self, kind: &str, term: &str, page: u64, size: usize) -> Result<ObjectPage, StoreError> {
        // A zero byte ends a term: with one inside, the rows of another list would look like this one's.
        if kind.contains('\0') || term.contains('\0') {
            return Ok(ObjectPage::default());
        }
        self.health.guard(|| {
            let prefix = term_prefix(kind, term);
            let total = self.snapshot.total(&prefix)?;
            let (first, size) = page_of(page, size, total);
            let mut ids = Vec::with_capacity(size);
            let start = [prefix.as_slice(), &first.to_be_bytes()].concat();
            for (row, expected) in self.snapshot.scan(Column::Objects, &prefix, &start).take(size).zip(first..) {
                let (key, id) = row?;
                let damaged = |what| StoreError::damaged(place(Column::Objects, &key), what);
                if key[prefix.len()..] != expected.to_be_bytes() {
                    return Err(damaged("a row before this one is missing"));
                }
                ids.push(String::from_utf8(id).map_err(|_| damaged("not text"))?);
            }
            if ids.len() != size {
                return Err(StoreError::damaged(place(Column::Objects, &start), "the row is missing"));
            }
            Ok(ObjectPage { ids, total })
        })
    }

    /// A public digest, by the SHA-256 of the digest: where it stands first.
    pub fn timestamp(&self, id: &[u8; 32]) -> Result<Option<Timestamp>, StoreError> {
        self.health.guard(|| timestamp(&self.snapshot, id))
    }

    /// A page of the public digests, by the SHA-256 of each, in order of arrival. Pages count from 1; one holds at most
    /// 100.
    pub fn timestamps(&self, page: u64, size: usize) -> Result<TimestampPage, StoreError> {
        self.health.guard(|| {
            let total = timestamps_total(&self.snapshot)?;
            let (first, size) = page_of(page, size, total);
            let ids = (first..first + size as u64).map(|ordinal| {
                let key = ordinal.to_be_bytes();
                let row = self.snapshot.get(Column::TimestampOrder, &key)?;
                let id = row.and_then(|row| <[u8; 32]>::try_from(row).ok());
                let damaged = || StoreError::damaged(place(Column::TimestampOrder, &key), "missing or malformed row");
                let id = id.ok_or_else(damaged)?;
                if self.snapshot.get(Column::Timestamps, &id)?.is_none() {
                    return Err(StoreError::damaged(place(Column::TimestampOrder, &key), "it names no digest"));
                }
                Ok(id)
            });
            Ok(TimestampPage { ids: ids.collect::<Result<_, _>>()?, total })
        })
    }
}
