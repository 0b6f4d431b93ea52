//! Attachments: the bits of status lists, held beside the log.
//!
//! The newest version of every list is held for ever, older ones until the version after them is older than genesis
//! says (`status_history_days`), so that past suspensions are not kept, and not shown, for ever. A *use* is a version of
//! a list that names an attachment; two lists of zeros share one attachment, and it goes when its last use ends.
//!
//! A node that catches up may lack attachments: they are no part of a block's validity. What it should hold and does
//! not is written down in `attachments-missing` in the block's own batch, until its peers have sent it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use testamur_primitives::codec::{from_canonical, sha256};
use testamur_primitives::genesis::Genesis;
use testamur_primitives::hash::{AttachmentHash, RecordId};
use testamur_primitives::header::Header;
use testamur_primitives::record::{Act, Record};
use testamur_primitives::status::{Attachment, StatusEntry, keys};
use testamur_primitives::units::{Height, UnixTime};
use testamur_registry::index::object_id;
use testamur_registry::{ApplyError, Rejection, StateKey, status};

use crate::block::PreparedBlock;
use crate::db::{Batch, Snapshot};
use crate::error::StoreError;
use crate::ledger::Ledger;
use crate::limits::ATTACHMENTS_PRUNED_MAX;
use crate::schema::{Column, attachment_end_key, attachment_use_key, number, place};
use crate::view::View;

/// A version of a list that a record publishes.
pub(crate) struct Published {
    pub(crate) attachment: Attachment,
    /// Key of its use.
    pub(crate) usage: Vec<u8>,
    /// Key of the use that it puts an end to.
    pub(crate) superseded: Option<Vec<u8>>,
}

/// What the state says that an older version of a list named.
pub(crate) fn named_in_state(
    key: &StateKey,
    state: impl Fn(&StateKey) -> Result<Option<Vec<u8>>, StoreError>,
) -> Result<AttachmentHash, StoreError> {
    let value = state(key)?.ok_or_else(|| StoreError::damaged(format!("state {key}"), "it is missing"))?;
    let entry: StatusEntry =
        from_canonical(&value).map_err(|error| StoreError::damaged(format!("state {key}"), error.to_string()))?;
    Ok(entry.status.sha256)
}

/// What the records of a block publish, in their order; `before` as for [`published`].
pub(crate) fn published_by<'r>(
    records: impl Iterator<Item = &'r Record>,
    mut before: impl FnMut(&StateKey) -> Result<AttachmentHash, StoreError>,
) -> Result<Vec<Published>, StoreError> {
    records.filter_map(|record| published(record, &mut before).transpose()).collect()
}

/// What a record publishes. `before` says what a version of a list named, by the state key of that version.
pub(crate) fn published(
    record: &Record,
    mut before: impl FnMut(&StateKey) -> Result<AttachmentHash, StoreError>,
) -> Result<Option<Published>, StoreError> {
    let (Act::PublishStatus { status, .. }, Some(attachment)) = (record.act(), record.attachment()) else {
        return Ok(None);
    };
    let list = keys::status(record.author(), &status.list);
    let head = list.head();
    let id = object_id(&head);
    let superseded = match status.version.checked_sub(1).filter(|version| *version > 0) {
        None => None,
        Some(version) => Some(attachment_use_key(&before(&list.entry(version))?, id, version)),
    };
    let usage = attachment_use_key(&attachment.sha256, id, status.version);
    Ok(Some(Published { attachment, usage, superseded }))
}

/// Uses whose successors are not older than this are kept.
pub(crate) fn kept_since(genesis: &Genesis, time: UnixTime) -> UnixTime {
    UnixTime(time.0.saturating_sub(u64::from(genesis.status_history_days()) * 86_400))
}

/// Value of a use: `height 8`, and `time of the version after it 8` when there is one.
pub(crate) fn use_value(height: Height, superseded: Option<UnixTime>) -> Vec<u8> {
    let mut value = height.0.to_be_bytes().to_vec();
    value.extend(superseded.into_iter().flat_map(|time| time.0.to_be_bytes()));
    value
}

/// Whether a use is of a list's newest version.
pub(crate) fn is_newest(value: &[u8]) -> bool {
    value.len() == 8
}

/// `height 8 ‖ key of the use`.
pub(crate) fn block_key(height: &[u8], usage: &[u8]) -> Vec<u8> {
    [height, usage].concat()
}

/// The attachment that a use is of.
pub(crate) fn attachment_of(usage: &[u8]) -> Option<AttachmentHash> {
    usage.get(..32).and_then(AttachmentHash::from_slice)
}

/// What a block changes in the uses, before it is written.
struct Uses<'s> {
    snapshot: &'s Snapshot<'s>,
    changed: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
}

impl Uses<'_> {
    fn height_of(&self, usage: &[u8]) -> Result<[u8; 8], StoreError> {
        let value = match self.changed.get(usage) {
            Some(changed) => changed.clone(),
            None => self.snapshot.get(Column::AttachmentUses, usage)?,
        };
        let height = value.and_then(|value| value.first_chunk().copied());
        height.ok_or_else(|| StoreError::damaged(place(Column::AttachmentUses, usage), "missing or malformed row"))
    }

    /// Whether an attachment is used at all, and whether by a newest version.
    fn of(&self, attachment: &AttachmentHash) -> Result<(bool, bool), StoreError> {
        let prefix = attachment.as_bytes();
        let mut values: BTreeMap<Vec<u8>, Option<Vec<u8>>> = BTreeMap::new();
        for row in self.snapshot.scan(Column::AttachmentUses, prefix, prefix) {
            let (key, value) = row?;
            values.insert(key.into_vec(), Some(value));
        }
        let changed = self.changed.range(prefix.to_vec()..).take_while(|(key, _)| key.starts_with(prefix));
        values.extend(changed.map(|(key, value)| (key.clone(), value.clone())));
        let left: Vec<_> = values.into_values().flatten().collect();
        Ok((!left.is_empty(), left.iter().any(|value| is_newest(value))))
    }
}

/// Adds what a block's records publish to its batch, and the attachments that are given and named; lets old ones go.
/// Everything but what is given follows from the log, so all nodes let the same go at the same height.
pub(crate) fn put(
    snapshot: &Snapshot<'_>,
    genesis: &Genesis,
    header: &Header,
    published: Vec<Published>,
    given: &[Bytes],
    batch: &mut Batch<'_>,
) -> Result<(), StoreError> {
    let mut uses = Uses { snapshot, changed: BTreeMap::new() };
    let mut named: BTreeMap<AttachmentHash, usize> = BTreeMap::new();
    for Published { attachment, usage, superseded } in published {
        if let Some(before) = superseded {
            let height = Height(u64::from_be_bytes(uses.height_of(&before)?));
            batch.put(Column::AttachmentEnds, &attachment_end_key(header.time, &before), &[]);
            uses.changed.insert(before, Some(use_value(height, Some(header.time))));
        }
        batch.put(Column::AttachmentBlocks, &block_key(&header.height.0.to_be_bytes(), &usage), &[]);
        uses.changed.insert(usage, Some(use_value(header.height, None)));
        named.insert(attachment.sha256, attachment.bytes);
    }
    let kept_since = kept_since(genesis, header.time);
    for row in snapshot.scan(Column::AttachmentEnds, &[], &[]).take(ATTACHMENTS_PRUNED_MAX) {
        let (key, _) = row?;
        let malformed = || StoreError::damaged(place(Column::AttachmentEnds, &key), "malformed key");
        let (time, usage) = key.split_first_chunk::<8>().ok_or_else(malformed)?;
        if u64::from_be_bytes(*time) >= kept_since.0 {
            break;
        }
        batch.delete(Column::AttachmentEnds, &key);
        batch.delete(Column::AttachmentBlocks, &block_key(&uses.height_of(usage)?, usage));
        uses.changed.insert(usage.to_vec(), None);
    }
    let touched: BTreeSet<_> = uses.changed.keys().filter_map(|usage| attachment_of(usage)).collect();
    for attachment in touched {
        put_bytes(&uses, &attachment, named.get(&attachment).copied(), given, batch)?;
    }
    for (usage, value) in uses.changed {
        match value {
            Some(value) => batch.put(Column::AttachmentUses, &usage, &value),
            None => batch.delete(Column::AttachmentUses, &usage),
        }
    }
    Ok(())
}

/// Keeps, takes, misses or lets go of one attachment. `bytes` is its length, where the block names it.
fn put_bytes(
    uses: &Uses<'_>,
    attachment: &AttachmentHash,
    bytes: Option<usize>,
    given: &[Bytes],
    batch: &mut Batch<'_>,
) -> Result<(), StoreError> {
    let key = attachment.as_bytes();
    let (used, newest) = uses.of(attachment)?;
    if !used {
        batch.delete(Column::Attachments, key);
        batch.delete(Column::AttachmentsMissing, key);
        return Ok(());
    }
    if uses.snapshot.get(Column::Attachments, key)?.is_some() {
        return Ok(());
    }
    let given = given.iter().find(|given| Some(given.len()) == bytes && sha256(&[given]) == *key);
    match (given, bytes) {
        (Some(given), _) => {
            batch.put(Column::Attachments, key, given);
            batch.delete(Column::AttachmentsMissing, key);
        }
        (None, Some(bytes)) if newest => batch.put(Column::AttachmentsMissing, key, &(bytes as u64).to_be_bytes()),
        (None, _) if !newest => batch.delete(Column::AttachmentsMissing, key),
        (None, _) => {}
    }
    Ok(())
}

/// An attachment that is held, hashed again.
pub(crate) fn held(snapshot: &Snapshot<'_>, attachment: &AttachmentHash) -> Result<Option<Vec<u8>>, StoreError> {
    let Some(bytes) = snapshot.get(Column::Attachments, attachment.as_bytes())? else { return Ok(None) };
    if sha256(&[&bytes]) != *attachment.as_bytes() {
        let place = place(Column::Attachments, attachment.as_bytes());
        return Err(StoreError::damaged(place, "the bytes have another hash"));
    }
    Ok(Some(bytes))
}

impl View<'_> {
    /// The bytes of an attachment, if this node holds them.
    pub fn attachment(&self, attachment: &AttachmentHash) -> Result<Option<Vec<u8>>, StoreError> {
        self.health.guard(|| held(&self.snapshot, attachment))
    }

    /// Attachments that this node should hold and does not, at most `limit`.
    pub fn missing_attachments(&self, limit: usize) -> Result<Vec<Attachment>, StoreError> {
        self.health.guard(|| {
            let rows = self.snapshot.scan(Column::AttachmentsMissing, &[], &[]).take(limit);
            let missing = rows.map(|row| {
                let (key, value) = row?;
                match (AttachmentHash::from_slice(&key), number(&value)) {
                    (Some(sha256), Some(bytes)) => Ok(Attachment { sha256, bytes: bytes as usize }),
                    _ => Err(StoreError::damaged(place(Column::AttachmentsMissing, &key), "malformed row")),
                }
            });
            missing.collect()
        })
    }

    /// The attachments that a block's records name and this node holds.
    pub(crate) fn attachments_of(&self, height: Height) -> Result<Vec<Vec<u8>>, StoreError> {
        let prefix = height.0.to_be_bytes();
        let mut names = BTreeSet::new();
        for row in self.snapshot.scan(Column::AttachmentBlocks, &prefix, &prefix) {
            names.extend(attachment_of(&row?.0[prefix.len()..]));
        }
        let found = names.iter().map(|name| held(&self.snapshot, name).transpose());
        found.flatten().collect()
    }
}

impl Ledger {
    /// Whether these are the bytes that a record's attachment must be: the digest, and the issuer's signatures over what
    /// is derived from them, on the newest state and for a block of this time. The outer error is this node's own.
    pub fn check_attachment(
        &self,
        record: &Record,
        bytes: &[u8],
        time: UnixTime,
    ) -> Result<Result<(), Rejection>, StoreError> {
        let view = self.view()?;
        self.health().guard(|| {
            let public_base = self.genesis().public_base();
            match status::check_attachment(&view.snapshot, record, &public_base, bytes, time) {
                Ok(()) => Ok(Ok(())),
                Err(ApplyError::Rejected(rejection)) => Ok(Err(rejection)),
                Err(ApplyError::State(error)) => Err(error.into()),
            }
        })
    }

    /// Whether every attachment that a block's records name is beside it, and right (INV-ATTACH-1). `checked` are those
    /// that were checked with their records before, by the records' ids: a key id names its key for ever, so what its
    /// signatures said of these bytes holds for ever.
    pub fn is_attached(
        &self,
        block: &PreparedBlock,
        beside: &[Bytes],
        checked: &HashMap<RecordId, Bytes>,
    ) -> Result<bool, StoreError> {
        let beside: HashMap<_, _> = beside.iter().map(|bytes| (sha256(&[bytes]), bytes)).collect();
        for record in block.records.iter().map(|record| record.record()) {
            let Some(named) = record.attachment() else { continue };
            let Some(bytes) = beside.get(named.sha256.as_bytes()) else { return Ok(false) };
            if checked.get(&record.id()) == Some(*bytes) {
                continue;
            }
            if let Err(rejection) = self.check_attachment(record, bytes, block.header.time)? {
                tracing::warn!(record = %record.id(), %rejection, "an attachment of a proposal");
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Takes an attachment that was missing; `false` when it was not.
    pub fn put_attachment(&self, bytes: &[u8]) -> Result<bool, StoreError> {
        let _writer = self.lock_writer()?;
        let view = self.view()?;
        self.health().guard(|| {
            let key = sha256(&[bytes]);
            let missing = view.snapshot.get(Column::AttachmentsMissing, &key)?;
            if missing.as_deref().and_then(number) != Some(bytes.len() as u64) {
                return Ok(false);
            }
            let mut batch = self.batch();
            batch.put(Column::Attachments, &key, bytes);
            batch.delete(Column::AttachmentsMissing, &key);
            self.write(batch)?;
            Ok(true)
        })
    }
}
