//! The rows of a block. All of them go into one batch.
//!
//! INV-STORE-3: what is written is derived from the written bytes once more. Leaf hashes are computed from the rows of
//! entries, the log root from these and from the stored tiles they extend, ids from the entries; the certificate's
//! signatures are verified, and the state's values compared with what the block wrote, as they are written: a bit that
//! flipped in memory since the block was executed stops the node before it stores what it did not vote for.

use std::sync::Arc;

use bytes::Bytes;
use testamur_primitives::block::push_entry;
use testamur_primitives::checkpoint::verify_certificate;
use testamur_primitives::codec::canonical;
use testamur_primitives::commitment::Form;
use testamur_primitives::genesis::Genesis;
use testamur_primitives::hash::TreeHash;
use testamur_primitives::header::Header;
use testamur_primitives::merkle::{self, Frontier};
use testamur_primitives::note::Note;
use testamur_primitives::record::{Act, Record};
use testamur_primitives::units::{Epoch, Height, LogIndex};
use testamur_registry::tree::{EMPTY_ROOT, TreeUpdate, update};
use testamur_registry::{StateKey, StateReader, WriteSet, genesis_writes};

use crate::attachments;
use crate::block::PreparedBlock;
use crate::db::{Batch, NodeIdentity, Snapshot};
use crate::error::StoreError;
use crate::index::{self, TimestampAppender};
use crate::limits::ENTRIES_ROW_BYTES;
use crate::reads;
use crate::schedule::{Schedule, WithWrites, first_height, scheduled_by};
use crate::schema::{Column, LAYOUT, Meta, Tree, author_key, digest_key, reference_key, reference_value, time_key};
use crate::state;
use crate::tip::Tip;
use crate::tree::TreeAppender;
use crate::view::{View, author_rows};

/// Adds a block to a batch, and returns the tip that it makes.
pub(crate) fn put_block(
    view: &View<'_>,
    block: &PreparedBlock,
    certificate: &Note,
    given: &[Bytes],
    batch: &mut Batch<'_>,
) -> Result<Tip, StoreError> {
    let tip = &*view.tip;
    let header = &block.header;
    let in_memory = |what: &str| StoreError::damaged(format!("block {} in memory", header.height), what);

    let records = block.records.iter().map(|record| record.record());
    let log = put_records(&view.snapshot, header, tip.log.clone(), records, batch)?;
    if log.size() != header.log_size.0 || log.root() != header.log_root {
        return Err(in_memory("its records do not lead to the log root that was voted on"));
    }
    if block.tree.root != header.state_root {
        return Err(in_memory("its state root is not the header's"));
    }
    state::put(batch, header.height, &block.writes, &block.tree)?;
    index::put_objects(&view.snapshot, block.writes.iter(), batch)?;
    let state = |key: &StateKey| match block.writes.get(key) {
        Some(value) => Ok(Some(value.to_vec())),
        None => StateReader::get(&view.snapshot, key),
    };
    let named = attachments::published_by(block.records.iter().map(|record| record.record()), |key| {
        attachments::named_in_state(key, state)
    })?;
    attachments::put(&view.snapshot, view.genesis, header, named, given, batch)?;
    let hash = header.hash();
    if hash != block.hash {
        return Err(in_memory("its header has another hash than was voted on"));
    }
    let history = put_header(&view.snapshot, header, tip.history.clone(), batch)?;
    let (key, text) = (header.height.0.to_be_bytes(), certificate.to_string());
    batch.put_checked(Column::Certificates, &key, text.as_bytes(), |written| {
        let same = Note::parse(written)
            .is_ok_and(|note| verify_certificate(view.origin, header, &note, &tip.validators).is_ok());
        if same { Ok(()) } else { Err(in_memory("its certificate has changed since it was verified")) }
    })?;

    // Only the height after the tip ever has undecided blocks (`Ledger::put_undecided`).
    let prefix = header.height.0.to_be_bytes();
    for row in view.snapshot.scan(Column::Undecided, &prefix, &prefix) {
        batch.delete(Column::Undecided, &row?.0);
    }
    let state = WithWrites { base: &view.snapshot, writes: &block.writes };
    if let Some((entry, set)) = scheduled_by(&block.writes, &state)? {
        put_epoch(batch, entry.epoch, first_height(&entry), &canonical(&set));
    }
    let before = (&tip.validators, &tip.schedule);
    let (validators, schedule) = Schedule::after(before, header.height.next(), &block.writes, &state)?;
    // INV-STORE-6: the set that decides the next height is the one that this header names.
    if validators.hash() != header.next_validators_hash {
        return Err(in_memory("its state names another set for the next height than its header"));
    }
    Ok(Tip { header: Arc::new(header.clone()), hash, validators, schedule, log, history })
}

/// Adds what an empty database of a network and node begins with: who it is, and height 0.
pub(crate) fn put_beginning(
    snapshot: &Snapshot<'_>,
    genesis: &Genesis,
    node: NodeIdentity,
    batch: &mut Batch<'_>,
) -> Result<(), StoreError> {
    batch.put(Column::Meta, Meta::LAYOUT, &LAYOUT.to_be_bytes());
    batch.put(Column::Meta, Meta::NETWORK, genesis.hash().as_bytes());
    batch.put(Column::Meta, Meta::NODE, &node.to_bytes());
    put_genesis(snapshot, genesis, batch)
}

/// Adds height 0 to a batch.
fn put_genesis(snapshot: &Snapshot<'_>, genesis: &Genesis, batch: &mut Batch<'_>) -> Result<(), StoreError> {
    let (header, writes, tree) = genesis_block(snapshot, genesis)?;
    state::put(batch, Height(0), &writes, &tree)?;
    index::put_objects(snapshot, writes.iter(), batch)?;
    put_epoch(batch, Epoch(0), Height(0), &canonical(&genesis.validator_set()));
    put_header(snapshot, &header, Frontier::new(), batch)?;
    Ok(())
}

/// Height 0: its header and state.
pub(crate) fn genesis_block(
    snapshot: &Snapshot<'_>,
    genesis: &Genesis,
) -> Result<(Header, WriteSet, TreeUpdate), StoreError> {
    let writes = genesis_writes(genesis);
    let tree = update(snapshot, Height(0), EMPTY_ROOT, &writes)?;
    Ok((genesis.header(tree.root), writes, tree))
}

pub(crate) fn put_epoch(batch: &mut Batch<'_>, epoch: Epoch, first: Height, validators: &[u8]) {
    batch.put(Column::Epochs, &epoch.0.to_be_bytes(), &[&first.0.to_be_bytes(), validators].concat());
}

/// The header's own rows, the history tree and the tip.
pub(crate) fn put_header(
    snapshot: &Snapshot<'_>,
    header: &Header,
    history: Frontier,
    batch: &mut Batch<'_>,
) -> Result<Frontier, StoreError> {
    let (height, hash) = (header.height.0.to_be_bytes(), header.hash());
    let mut history = TreeAppender::new(snapshot, Tree::History, history);
    history.append(merkle::leaf_hash(hash.as_bytes()))?;
    batch.put(Column::Headers, &height, &[hash.as_bytes().as_slice(), &header.encode()].concat());
    batch.put(Column::Times, &time_key(header.time, header.height), &[]);
    batch.put(Column::Meta, Meta::TIP, &[height.as_slice(), hash.as_bytes()].concat());
    history.write(batch)
}

/// Adds a block's records to the log `before` it, with the rows by which they are found.
pub(crate) fn put_records<'r>(
    snapshot: &Snapshot<'_>,
    header: &Header,
    before: Frontier,
    records: impl Iterator<Item = &'r Record> + Clone,
    batch: &mut Batch<'_>,
) -> Result<Frontier, StoreError> {
    let (height, first) = (header.height, LogIndex(before.size()));
    let mut log = TreeAppender::new(snapshot, Tree::Log, before);
    let mut timestamps = TimestampAppender::new(snapshot);
    let mut rows = EntryRows::new(height, first);
    for (offset, record) in records.clone().enumerate() {
        let index = LogIndex(first.0 + offset as u64);
        let (leaf, entry) = rows.push(record.as_bytes(), batch);
        let id = reads::id_of(entry).filter(|id| *id == record.id());
        let id = id.ok_or_else(|| StoreError::damaged(format!("record {index} in memory"), "its id has changed"))?;
        log.append(leaf)?;
        batch.put(Column::Ids, id.as_bytes(), &index.0.to_be_bytes());
        put_record_indexes(record, index, header.time.0, batch);
        timestamps.add(record, index, batch)?;
    }
    rows.flush(batch);
    for (author, (index, offsets)) in author_rows(first, records.map(Record::author)) {
        batch.put(Column::Authors, &author_key(author, index), &offsets);
    }
    log.write(batch)
}

fn put_record_indexes(record: &Record, index: LogIndex, time: u64, batch: &mut Batch<'_>) {
    for_each_index_row(record, index, time, |column, key, value| batch.put(column, key, value));
}

/// The rows by which a record is found, apart from `ids` and `authors`.
pub(crate) fn for_each_index_row(
    record: &Record,
    index: LogIndex,
    time: u64,
    mut each: impl FnMut(Column, &[u8], &[u8]),
) {
    let reference = reference_key(record.author(), &record.payload().jti);
    each(Column::References, &reference, &reference_value(index, testamur_primitives::units::UnixTime(time)));
    if let Act::Notarise { alg, form: Form::Digest, entries, .. } = record.act() {
        for (position, entry) in entries.iter().enumerate() {
            let position = u16::try_from(position).expect("a record holds at most 512 entries");
            each(Column::Digests, &digest_key(*alg as u8, &entry.0, index, position), &[]);
        }
    }
}

/// Collects entries into rows of about 16 KiB; a row never holds entries of two blocks.
struct EntryRows {
    height: Height,
    first: LogIndex,
    next: LogIndex,
    row: Vec<u8>,
}

impl EntryRows {
    fn new(height: Height, first: LogIndex) -> Self {
        Self { height, first, next: first, row: Vec::new() }
    }

    /// Adds an entry, and returns the hash and bytes of what now stands in the row.
    fn push(&mut self, entry: &[u8], batch: &mut Batch<'_>) -> (TreeHash, &[u8]) {
        if self.row.len() > 8 && self.row.len() + 2 + entry.len() > ENTRIES_ROW_BYTES {
            self.flush(batch);
        }
        if self.row.is_empty() {
            self.row.extend_from_slice(&self.height.0.to_be_bytes());
        }
        push_entry(&mut self.row, entry);
        #[cfg(feature = "faults")]
        crate::faults::flip("store.block-in-memory.flip-bit", &mut self.row);
        self.next = self.next.next();
        let stored = &self.row[self.row.len() - entry.len()..];
        (merkle::leaf_hash(stored), stored)
    }

    fn flush(&mut self, batch: &mut Batch<'_>) {
        if !self.row.is_empty() {
            #[cfg(feature = "faults")]
            crate::faults::flip("store.entries-before-write.flip-bit", &mut self.row);
            batch.put(Column::Entries, &self.first.0.to_be_bytes(), &self.row);
            self.row.clear();
            self.first = self.next;
        }
    }
}
