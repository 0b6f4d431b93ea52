//! Reads from one snapshot: a proof, its root and its size always belong together (INV-READ-1).

use std::collections::BTreeMap;
use std::sync::Arc;

use testamur_primitives::block::push_entry;
use testamur_primitives::commitment::{DocumentDigest, Form};
use testamur_primitives::did::Did;
use testamur_primitives::epoch::{EpochLink, ValidatorSet};
use testamur_primitives::genesis::{Genesis, Origin};
use testamur_primitives::hash::{RecordId, TreeHash};
use testamur_primitives::merkle;
use testamur_primitives::note::Note;
use testamur_primitives::record::Act;
use testamur_primitives::stream::StreamedBlock;
use testamur_primitives::units::{Epoch, Height, LogIndex, LogSize, UnixTime};
use testamur_registry::tree::{Proven, prove};
use testamur_registry::{StateKey, StateReader};

use crate::db::Snapshot;
use crate::error::StoreError;
use crate::evidence::Frames;
use crate::health::Health;
use crate::limits::{LOG_TILE_LEVELS, PAGE_ITEMS_MAX};
use crate::proven::ProvenValues;
use crate::reads::{self, StoredHeader, StoredRecord};
use crate::schema::{Column, Tree, author_key, author_prefix, digest_key, digest_prefix, last_number, place, time_key};
use crate::tip::Tip;
use crate::tree::{StoredNodes, subtree_root};

/// Some items and where the next page starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T, P> {
    /// The items.
    pub items: Vec<T>,
    /// Position of the first item of the next page; none when this was the last.
    pub next: Option<P>,
}

/// Which records are asked for. All conditions hold together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecordQuery {
    /// Only records of this author.
    pub author: Option<Did>,
    /// Only records of blocks not before this time.
    pub time_from: Option<UnixTime>,
    /// Only records of blocks before this time.
    pub time_before: Option<UnixTime>,
    /// Only records at this index or later.
    pub from: LogIndex,
    /// At most this many; a page never holds more than 100.
    pub limit: usize,
}

/// Place of a public entry: the record's index in the log, then the entry's in the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct EntryPosition {
    /// Place of the record in the log.
    pub index: LogIndex,
    /// Place of the entry in the record.
    pub entry: u16,
}

/// A public entry of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notarisation {
    /// Where it stands.
    pub position: EntryPosition,
    /// The record.
    pub record: StoredRecord,
}

/// A decided header, its certificate as this node froze it, and the validators that decided it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCheckpoint {
    /// The header.
    pub header: StoredHeader,
    /// The certificate.
    pub note: Note,
    /// The validators of the header's epoch.
    pub validators: Arc<ValidatorSet>,
}

/// A decided block with what shows that it was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecidedBlock {
    /// The block's encoding.
    pub bytes: Vec<u8>,
    /// Those attachments of its records that this node holds.
    pub attachments: Vec<Vec<u8>>,
    /// Its certificate as this node froze it.
    pub certificate: Note,
    /// The set that decided it.
    pub validators: Arc<ValidatorSet>,
}

/// A consistency proof with the roots it leads between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsistencyProof {
    /// Root of the smaller log.
    pub from_root: TreeHash,
    /// Root of the larger log.
    pub to_root: TreeHash,
    /// The path.
    pub path: Vec<TreeHash>,
}

/// A proof that an older header lies under a newer one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryProof {
    /// The older header.
    pub from: StoredHeader,
    /// The newer header.
    pub to: StoredHeader,
    /// Path of the older header's hash under the newer one's history root.
    pub path: Vec<TreeHash>,
}

/// An epoch: one set of validators, and how the set before vouched for the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEpoch {
    /// Its number.
    pub epoch: Epoch,
    /// Its first height.
    pub first_height: Height,
    /// Its last height, when it is over.
    pub last_height: Option<Height>,
    /// Its validators.
    pub validators: Arc<ValidatorSet>,
    /// The link from this epoch to the next, when it is over.
    pub link: Option<EpochLink>,
}

/// The ledger at one moment. Cheap to take; holds back RocksDB's clean-up while it lives, so do not keep it.
pub struct View<'a> {
    pub(crate) snapshot: Snapshot<'a>,
    pub(crate) health: &'a Health,
    pub(crate) genesis: &'a Genesis,
    pub(crate) origin: &'a Origin,
    pub(crate) tip: Arc<Tip>,
    pub(crate) proven: &'a ProvenValues,
    pub(crate) frames: &'a Frames,
}

impl std::fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("View").field("tip", &self.tip).finish_non_exhaustive()
    }
}

/// The newest state of a view.
pub struct StateView<'v> {
    snapshot: &'v Snapshot<'v>,
    health: &'v Health,
}

impl StateReader for StateView<'_> {
    type Error = StoreError;
    const SEALED: bool = true;

    fn get(&self, key: &StateKey) -> Result<Option<Vec<u8>>, StoreError> {
        self.health.guard(|| StateReader::get(self.snapshot, key))
    }
}

impl View<'_> {
    /// The newest block of this view.
    pub fn tip(&self) -> &Arc<Tip> {
        &self.tip
    }

    /// A final record.
    pub fn record(&self, id: &RecordId) -> Result<Option<StoredRecord>, StoreError> {
        self.health.guard(|| {
            let Some(index) = reads::index_of(&self.snapshot, id)? else { return Ok(None) };
            let stored = reads::record_at(&self.snapshot, index)?;
            if stored.record.id() != *id {
                return Err(StoreError::damaged(place(Column::Ids, id.as_bytes()), "it names another record"));
            }
            Ok(Some(stored))
        })
    }

    /// The record at a place in the log.
    pub fn record_at(&self, index: LogIndex) -> Result<Option<StoredRecord>, StoreError> {
        self.health.guard(|| {
            if index.0 >= self.tip.header.log_size.0 {
                return Ok(None);
            }
            reads::record_at(&self.snapshot, index).map(Some)
        })
    }

    /// A decided header, genesis included.
    pub fn header(&self, height: Height) -> Result<Option<StoredHeader>, StoreError> {
        self.health.guard(|| self.header_inner(height))
    }

    /// At most `limit` headers from height `newest` (or the tip, if that is lower) downwards.
    pub fn headers(&self, newest: Height, limit: usize) -> Result<Vec<StoredHeader>, StoreError> {
        self.health.guard(|| {
            let newest = newest.min(self.tip.height()).0;
            let heights = (0..=newest).rev().take(limit.min(PAGE_ITEMS_MAX));
            heights.map(|height| reads::known_header(&self.snapshot, Height(height))).collect()
        })
    }

    /// A decided block in its encoding, genesis included.
    pub fn block_bytes(&self, height: Height) -> Result<Option<Vec<u8>>, StoreError> {
        self.health.guard(|| {
            let Some(header) = self.header_inner(height)? else { return Ok(None) };
            reads::block_bytes(&self.snapshot, &header).map(Some)
        })
    }

    /// A decided header and the ids of its records in log order, genesis included.
    pub fn block_ids(&self, height: Height) -> Result<Option<(StoredHeader, Vec<RecordId>)>, StoreError> {
        self.health.guard(|| {
            let Some(header) = self.header_inner(height)? else { return Ok(None) };
            let from = reads::first_index(&self.snapshot, height)?;
            let mut ids = Vec::new();
            reads::entries(&self.snapshot, from, LogIndex(header.header.log_size.0), |index, _, bytes| {
                let damaged = || StoreError::damaged(format!("entries {index}"), "not a record");
                ids.push(reads::id_of(bytes).ok_or_else(damaged)?);
                Ok(())
            })?;
            Ok(Some((header, ids)))
        })
    }

    /// A decided block, for a peer that catches up; none for genesis.
    pub fn decided(&self, height: Height) -> Result<Option<DecidedBlock>, StoreError> {
        self.health.guard(|| {
            let Some(StoredCheckpoint { header, note, validators }) = self.checkpoint_inner(height)? else {
                return Ok(None);
            };
            let bytes = reads::block_bytes(&self.snapshot, &header)?;
            let attachments = self.attachments_of(height)?;
            Ok(Some(DecidedBlock { bytes, attachments, certificate: note, validators }))
        })
    }

    /// Decided blocks from a height on, at least 1, at most `limit` of them, of which the frames together
    /// (`testamur_primitives::stream`) have at most `bytes_max` bytes; one block always, if there is one.
    /// Empty from the height after the tip on.
    pub fn blocks_from(&self, from: Height, limit: usize, bytes_max: usize) -> Result<Vec<StreamedBlock>, StoreError> {
        self.health.guard(|| {
            let mut blocks: Vec<StreamedBlock> = Vec::new();
            let mut left = bytes_max;
            for height in from.0.max(1)..=self.tip.height().0 {
                if blocks.len() == limit {
                    break;
                }
                let Some(StoredCheckpoint { header, note, .. }) = self.checkpoint_inner(Height(height))? else { break };
                let block = reads::block_bytes(&self.snapshot, &header)?;
                let attachments = self.attachments_of(Height(height))?;
                let block = StreamedBlock { block, certificate: note, attachments };
                let bytes = block.encoded_len();
                if bytes > left && !blocks.is_empty() {
                    break;
                }
                left = left.saturating_sub(bytes);
                blocks.push(block);
            }
            Ok(blocks)
        })
    }

    /// The header and certificate of a height; none for genesis.
    pub fn checkpoint(&self, height: Height) -> Result<Option<StoredCheckpoint>, StoreError> {
        self.health.guard(|| self.checkpoint_inner(height))
    }

    /// The newest header and certificate; none when only genesis is there.
    pub fn latest_checkpoint(&self) -> Result<Option<StoredCheckpoint>, StoreError> {
        self.checkpoint(self.tip.height())
    }

    /// Final records in log order.
    pub fn records(&self, query: &RecordQuery) -> Result<Page<StoredRecord, LogIndex>, StoreError> {
        self.health.guard(|| {
            let begin = query.time_from.map_or(Ok(0), |time| self.first_index_at(time))?.max(query.from.0);
            let end = query.time_before.map_or(Ok(self.tip.header.log_size.0), |time| self.first_index_at(time))?;
            let limit = query.limit.min(PAGE_ITEMS_MAX);
            let mut indexes = match &query.author {
                None => (begin..end).take(limit + 1).map(LogIndex).collect(),
                Some(author) => self.indexes_of(author, begin, end, limit + 1)?,
            };
            let next = if indexes.len() > limit { indexes.pop() } else { None };
            let mut span = None;
            let items = indexes.into_iter().map(|index| {
                let stored = reads::record_near(&self.snapshot, index, &mut span)?;
                match &query.author {
                    Some(author) if stored.record.author() != author => {
                        Err(StoreError::damaged(format!("authors {author}"), format!("{index} is another's record")))
                    }
                    _ => Ok(stored),
                }
            });
            Ok(Page { items: items.collect::<Result<_, _>>()?, next })
        })
    }

    /// Public entries (plain digests in `notarise` records) of a document, in log order.
    pub fn notarisations(
        &self,
        digest: &DocumentDigest,
        from: EntryPosition,
        limit: usize,
    ) -> Result<Page<Notarisation, EntryPosition>, StoreError> {
        self.health.guard(|| {
            let prefix = digest_prefix(digest);
            let start = digest_key(digest.algorithm() as u8, digest.as_bytes(), from.index, from.entry);
            let limit = limit.min(PAGE_ITEMS_MAX);
            let mut items: Vec<Notarisation> = Vec::new();
            for row in self.snapshot.scan(Column::Digests, &prefix, &start) {
                let (key, _) = row?;
                let damaged = |what: &str| StoreError::damaged(place(Column::Digests, &key), what);
                let position = match key[prefix.len()..] {
                    [a, b, c, d, e, f, g, h, x, y] => EntryPosition {
                        index: LogIndex(u64::from_be_bytes([a, b, c, d, e, f, g, h])),
                        entry: u16::from_be_bytes([x, y]),
                    },
                    _ => return Err(damaged("malformed key")),
                };
                if items.len() == limit {
                    return Ok(Page { items, next: Some(position) });
                }
                let record = match items.last() {
                    Some(last) if last.position.index == position.index => last.record.clone(),
                    _ => reads::record_at(&self.snapshot, position.index)?,
                };
                let holds = matches!(record.record.act(), Act::Notarise { alg, form: Form::Digest, entries, .. }
                    if *alg == digest.algorithm()
                        && entries.get(usize::from(position.entry)).is_some_and(|e| e.0 == digest.as_bytes()));
                if !holds {
                    return Err(damaged("the record does not hold this digest"));
                }
                items.push(Notarisation { position, record });
            }
            Ok(Page { items, next: None })
        })
    }

    /// Path of a record to the root of the log of `size` records.
    pub fn inclusion(&self, index: LogIndex, size: LogSize) -> Result<Vec<TreeHash>, StoreError> {
        self.health.guard(|| {
            if index.0 >= size.0 || size > self.tip.header.log_size {
                return Err(StoreError::OutOfRange);
            }
            let nodes = StoredNodes::new(&self.snapshot, Tree::Log);
            let root = self.checked_log_root(&nodes, size)?;
            self.inclusion_to(&nodes, index, size, root)
        })
    }

    /// Proof that the log of `from` records is a prefix of the log of `to`; none when `from` > `to` or `to` is not there.
    pub fn consistency(&self, from: LogSize, to: LogSize) -> Result<Option<ConsistencyProof>, StoreError> {
        self.health.guard(|| {
            if from > to || to > self.tip.header.log_size {
                return Ok(None);
            }
            let nodes = StoredNodes::new(&self.snapshot, Tree::Log);
            let to_root = self.checked_log_root(&nodes, to)?;
            let from_root = merkle::root(&nodes, from.0)?;
            let path = merkle::consistency_proof(&nodes, from.0, to.0)?;
            merkle::verify_consistency(from.0, from_root, to.0, to_root, &path)?;
            Ok(Some(ConsistencyProof { from_root, to_root, path }))
        })
    }

    /// Proof that header `from` lies under the history root of header `to`; none unless `from` < `to` ≤ tip.
    pub fn history(&self, from: Height, to: Height) -> Result<Option<HistoryProof>, StoreError> {
        self.health.guard(|| {
            if from >= to || to > self.tip.height() {
                return Ok(None);
            }
            let (older, newer) = (reads::known_header(&self.snapshot, from)?, reads::known_header(&self.snapshot, to)?);
            let nodes = StoredNodes::new(&self.snapshot, Tree::History);
            let path = merkle::inclusion_proof(&nodes, from.0, to.0)?;
            let leaf = merkle::leaf_hash(older.hash.as_bytes());
            merkle::verify_inclusion(leaf, from.0, to.0, &path, newer.header.history_root)?;
            Ok(Some(HistoryProof { from: older, to: newer, path }))
        })
    }

    /// At most `limit` epochs from `from` on, oldest first.
    pub fn epochs(&self, from: Epoch, limit: usize) -> Result<Vec<StoredEpoch>, StoreError> {
        self.health.guard(|| {
            let last = self.tip.next_epoch().0;
            let numbers = (from.0..=last).take(limit.min(PAGE_ITEMS_MAX));
            numbers.map(|number| self.epoch_inner(Epoch(number))).collect()
        })
    }

    /// A hash tile of the log: the first `width` (1 to 256) hashes of tile `index` at tile level `level`, 32 bytes each.
    /// None beyond the log's size.
    pub fn tile(&self, level: u8, index: u64, width: u16) -> Result<Option<Vec<u8>>, StoreError> {
        self.health.guard(|| {
            let Some(hashes) = self.checked_tile(level, index, width)? else { return Ok(None) };
            Ok(Some(hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()))
        })
    }

    /// An entry bundle: the first `width` (1 to 256) records from 256 × `index` on, each after its 16-bit length.
    /// None beyond the log's size.
    pub fn entry_bundle(&self, index: u64, width: u16) -> Result<Option<Vec<u8>>, StoreError> {
        self.health.guard(|| {
            if self.checked_tile(0, index, width)?.is_none() {
                return Ok(None);
            }
            let first = index << LOG_TILE_LEVELS;
            let mut bundle = Vec::new();
            reads::entries(&self.snapshot, LogIndex(first), LogIndex(first + u64::from(width)), |_, _, entry| {
                push_entry(&mut bundle, entry);
                Ok(())
            })?;
            Ok(Some(bundle))
        })
    }

    /// The newest value of a state key, or its absence, proven under the tip's state root.
    pub fn prove_state(&self, key: &StateKey) -> Result<Proven, StoreError> {
        self.health.guard(|| Ok(prove(&self.snapshot, self.tip.height(), self.tip.header.state_root, key)?))
    }

    /// The newest state, for the contracts' own reads.
    pub fn state(&self) -> StateView<'_> {
        StateView { snapshot: &self.snapshot, health: self.health }
    }

    pub(crate) fn header_inner(&self, height: Height) -> Result<Option<StoredHeader>, StoreError> {
        if height > self.tip.height() {
            return Ok(None);
        }
        reads::known_header(&self.snapshot, height).map(Some)
    }

    pub(crate) fn checkpoint_inner(&self, height: Height) -> Result<Option<StoredCheckpoint>, StoreError> {
        if height == Height(0) || height > self.tip.height() {
            return Ok(None);
        }
        let header = reads::known_header(&self.snapshot, height)?;
        let missing = |column| StoreError::damaged(place(column, &height.0.to_be_bytes()), "the row is missing");
        let note = reads::certificate(&self.snapshot, &header)?.ok_or_else(|| missing(Column::Certificates))?;
        let epoch = reads::epoch(&self.snapshot, header.header.epoch)?.ok_or_else(|| missing(Column::Epochs))?;
        if epoch.validators.hash() != header.header.validators_hash {
            return Err(StoreError::damaged(
                format!("epochs {}", header.header.epoch),
                "its validators are not the header's",
            ));
        }
        Ok(Some(StoredCheckpoint { header, note, validators: epoch.validators }))
    }

    pub(crate) fn epoch_inner(&self, epoch: Epoch) -> Result<StoredEpoch, StoreError> {
        let row = |epoch: Epoch| {
            reads::epoch(&self.snapshot, epoch)?
                .ok_or_else(|| StoreError::damaged(place(Column::Epochs, &epoch.0.to_be_bytes()), "the row is missing"))
        };
        let this = row(epoch)?;
        if epoch >= self.tip.next_epoch() {
            let (first_height, validators) = (this.first_height, this.validators);
            return Ok(StoredEpoch { epoch, first_height, last_height: None, validators, link: None });
        }
        let next = row(epoch.next())?;
        let last = Height(next.first_height.0.checked_sub(1).ok_or(StoreError::OutOfRange)?);
        let closing = self.checkpoint_inner(last)?.ok_or(StoreError::OutOfRange)?;
        let link = EpochLink {
            header: closing.header.text,
            note: closing.note.to_string(),
            validators: ValidatorSet::clone(&next.validators),
        };
        let (first_height, validators) = (this.first_height, this.validators);
        Ok(StoredEpoch { epoch, first_height, last_height: Some(last), validators, link: Some(link) })
    }

    /// The path of a record to a root that is known already.
    pub(crate) fn inclusion_to(
        &self,
        nodes: &StoredNodes<'_>,
        index: LogIndex,
        size: LogSize,
        root: TreeHash,
    ) -> Result<Vec<TreeHash>, StoreError> {
        let path = merkle::inclusion_proof(nodes, index.0, size.0)?;
        let leaf = merkle::Nodes::node(nodes, 0, index.0)?;
        merkle::verify_inclusion(leaf, index.0, size.0, &path, root)?;
        Ok(path)
    }

    /// The root of the first `size` records, shown to be a prefix of the log that the tip's header commits to.
    fn checked_log_root(&self, nodes: &StoredNodes<'_>, size: LogSize) -> Result<TreeHash, StoreError> {
        let (tip_size, tip_root) = (self.tip.header.log_size.0, self.tip.header.log_root);
        let root = merkle::root(nodes, size.0)?;
        let path = merkle::consistency_proof(nodes, size.0, tip_size)?;
        merkle::verify_consistency(size.0, root, tip_size, tip_root, &path)?;
        Ok(root)
    }

    /// A tile's first hashes. A full tile is checked against the node above it, the right edge against the tip's root.
    pub(crate) fn checked_tile(&self, level: u8, index: u64, width: u16) -> Result<Option<Vec<TreeHash>>, StoreError> {
        let width = usize::from(width);
        let full = 1usize << LOG_TILE_LEVELS;
        let bits = u32::from(level) * u32::from(LOG_TILE_LEVELS);
        let available = self.tip.header.log_size.0.checked_shr(bits).unwrap_or(0);
        let wanted = index.checked_mul(full as u64).and_then(|first| first.checked_add(width as u64));
        if width == 0 || width > full || wanted.is_none_or(|wanted| wanted > available) {
            return Ok(None);
        }
        let nodes = StoredNodes::new(&self.snapshot, Tree::Log);
        let row = nodes.tile(level, index)?;
        let damaged = |what: &str| StoreError::damaged(format!("tile {level}/{index}"), what);
        if row.len() == full {
            if merkle::Nodes::node(&nodes, (level + 1) * LOG_TILE_LEVELS, index)? != subtree_root(&row) {
                return Err(damaged("it does not lead to the node above it"));
            }
        } else if merkle::root(&nodes, self.tip.header.log_size.0)? != self.tip.header.log_root {
            return Err(damaged("it does not lead to the log root"));
        }
        row.get(..width).map(|hashes| Some(hashes.to_vec())).ok_or_else(|| damaged("hashes are missing"))
    }

    /// Index of the first record of the first block not before a time.
    fn first_index_at(&self, time: UnixTime) -> Result<u64, StoreError> {
        let mut rows = self.snapshot.scan(Column::Times, &[], &time_key(time, Height(0)));
        let Some(row) = rows.next() else { return Ok(self.tip.header.log_size.0) };
        let (key, _) = row?;
        let damaged = |what: &str| StoreError::damaged(place(Column::Times, &key), what);
        let height = Height(last_number(&key).ok_or_else(|| damaged("malformed key"))?);
        let header = reads::known_header(&self.snapshot, height)?.header;
        if key[..] != time_key(header.time, height) {
            return Err(damaged("the block has another time"));
        }
        Ok(reads::first_index(&self.snapshot, height)?.0)
    }

    /// Places of an author's records within `[begin, end)`.
    fn indexes_of(&self, author: &Did, begin: u64, end: u64, limit: usize) -> Result<Vec<LogIndex>, StoreError> {
        let prefix = author_prefix(author);
        // The row that covers `begin` may start before it.
        let floor = self.snapshot.floor(Column::Authors, &prefix, &author_key(author, LogIndex(begin)))?;
        let start = floor.map_or_else(|| author_key(author, LogIndex(begin)), |(key, _)| key.into_vec());
        let mut indexes = Vec::new();
        for row in self.snapshot.scan(Column::Authors, &prefix, &start) {
            let (key, offsets) = row?;
            let damaged = || StoreError::damaged(place(Column::Authors, &key), "malformed row");
            let first = last_number(&key).filter(|_| key.len() == prefix.len() + 8).ok_or_else(damaged)?;
            if !offsets.len().is_multiple_of(2) || offsets.is_empty() {
                return Err(damaged());
            }
            for offset in offsets.chunks_exact(2) {
                let index = first + u64::from(u16::from_be_bytes([offset[0], offset[1]]));
                if index >= end || indexes.len() == limit {
                    return Ok(indexes);
                }
                if index >= begin {
                    indexes.push(LogIndex(index));
                }
            }
        }
        Ok(indexes)
    }
}

/// The rows of `authors` that a block writes: author, first index, offsets from it.
pub(crate) fn author_rows<'r>(
    first: LogIndex,
    authors: impl Iterator<Item = &'r Did>,
) -> BTreeMap<&'r Did, (LogIndex, Vec<u8>)> {
    let mut rows: BTreeMap<&Did, (LogIndex, Vec<u8>)> = BTreeMap::new();
    for (offset, author) in authors.enumerate() {
        let index = LogIndex(first.0 + offset as u64);
        let (base, offsets) = rows.entry(author).or_insert_with(|| (index, Vec::new()));
        // A block holds at most 4,608 records, so offsets fit 16 bits.
        let offset = u16::try_from(index.0 - base.0).expect("a block's records fit 16-bit offsets");
        offsets.extend_from_slice(&offset.to_be_bytes());
    }
    rows
}
