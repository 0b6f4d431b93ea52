//! RocksDB behind rows of columns: opening, identity of the directory, snapshots, the one synced write.
//!
//! **Settings are decided, not inherited** (`tests/it/settings.rs` reads them from a real database's OPTIONS file):
//!
//! | setting | value | why |
//! | --- | --- | --- |
//! | `sync` of each batch | true | the write-ahead log is fdatasynced before [`Database::write`] returns; power cuts (R4) show it, and catch a build without it |
//! | `wal_recovery_mode` | AbsoluteConsistency | the default (point in time) drops everything behind a damaged place in silence. Damage refuses to open; a torn last write is gone before, see below |
//! | `track_and_verify_wals_in_manifest` | true | the manifest holds the sizes of older logs: one that is missing or short refuses to open |
//! | `recycle_log_file_num` | 0 | in a recycled log an old record can pass for the torn end of a new one |
//! | `best_efforts_recovery` | false | it opens with what it finds, and says nothing of the rest |
//! | `manual_wal_flush`, `unordered_write`, `enable_pipelined_write`, `two_write_queues` | false | one writer, one order: memory is never ahead of the log |
//! | `paranoid_checks`, `force_consistency_checks` | true | damage that is met stops writes; a manifest that contradicts itself is refused |
//! | `verify_checksums` of reads | true | RocksDB's default for every read, iterator and compaction; no read here switches it off |
//! | `checksum` | XXH3 | of each block; what flips in memory before that is for seals, leaf hashes and the state tree |
//! | `index_type`, `partition_filters` | two levels, true | in one piece a filter or index of a large table is larger than a shard of the cache, and is read again, whole, at every lookup: at a million records a block of 100 took 34 ms, and takes 2.7 so |
//! | `verify_sst_unique_id_in_manifest`, `flush_verify_memtable_count`, `compaction_verify_record_count` | true | a table that was swapped, or written with fewer rows than went in, is refused |
//! | `allow_mmap_reads`, `allow_mmap_writes` | false | a failed read is an error, not a signal; and a stray pointer writes no table |
//! | `use_fsync` | false | fdatasync also makes a grown file's size durable |
//! | `max_manifest_file_size` | RocksDB's 1 GiB | a manifest begins anew at every opening; that of ten million records has 141 kB |
//! | `allow_data_in_errors` | false | keys and values stay out of logs |
//!
//! - Only the last write of the newest log may be torn, because a kill or a power cut in the middle of it leaves exactly that, and
//!   such a write was never acknowledged; it is dropped with a warning before RocksDB opens ([`framing`](crate::framing)).
//! - **Backups** are RocksDB checkpoints, whose log may end in a write that was under way. A checkpoint flushes all tables first
//!   (`log_size_for_flush` is 0), so its log holds nothing that its tables lack; what is torn at its end is dropped
//!   at the first opening as above, never more.
//! - Memory is bounded: one block cache (indexes and filters in it), one budget for all memtables.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rocksdb::checkpoint::Checkpoint;
use rocksdb::compaction_filter::Decision;
use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, DB, DBCompressionType,
    DBRecoveryMode, Direction, IteratorMode, LogLevel, ReadOptions, WriteBatch, WriteOptions,
};
use testamur_primitives::hash::{Address, GenesisHash};

use crate::error::StoreError;
use crate::framing::{self, Torn};
use crate::limits::{
    BLOCK_CACHE_BYTES, MEMTABLE_BUSY_BYTES, MEMTABLE_QUIET_BYTES, MEMTABLES_BYTES, OPEN_FILES_MAX, WAL_BYTES_MAX,
};
use crate::schema::{Column, SEAL_BYTES, last_number, place, seal};

const DATABASE: &str = "db";
pub(crate) const IDENTITY: &str = "identity";
const IDENTITY_NEW: &str = "identity.new";
pub(crate) const LOCK: &str = "lock";

/// Whose data directory this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeIdentity {
    /// A validator's.
    Validator(Address),
    /// Of a node that follows without voting.
    Observer,
}

impl NodeIdentity {
    /// Zero stands for an observer: no registration hashes to it.
    pub(crate) fn to_bytes(self) -> [u8; 32] {
        match self {
            Self::Validator(address) => *address.as_bytes(),
            Self::Observer => [0; 32],
        }
    }
}

impl std::fmt::Display for NodeIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Validator(address) => address.fmt(f),
            Self::Observer => f.write_str("observer"),
        }
    }
}

/// An open database and the lock on its directory.
pub(crate) struct Database {
    db: DB,
    path: PathBuf,
    access: Access,
    /// Rows of `references` older than this are dropped by compaction; 0 until the tip is known.
    references_since: Arc<AtomicU64>,
    // Last: the lock is released after the database is closed.
    _lock: File,
}

/// What may be done with an open database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Reads and writes.
    Write,
    /// As `Write`, into a directory that is thrown away when the process ends before [`Database::finish`]: nothing is synced,
    /// and nothing is written ahead.
    Bulk,
    /// Reads only; nothing in the directory changes, so that evidence stays as it is.
    Read,
}

impl Database {
    /// Opens a directory of this network and node, and makes it when there is none.
    pub(crate) fn open(
        directory: &Path,
        network: GenesisHash,
        node: NodeIdentity,
        access: Access,
    ) -> Result<Self, StoreError> {
        let io = |operation, path: &Path| {
            let path = path.to_owned();
            move |source| StoreError::Io { operation, path, source }
        };
        if access != Access::Read {
            fs::create_dir_all(directory).map_err(io("create", directory))?;
        }
        let lock = take_lock(directory)?;
        identify(directory, network, node, access)?;
        let path = directory.join(DATABASE);
        let torn = framing::look(&path)?;
        let mut recovery = DBRecoveryMode::AbsoluteConsistency;
        for write in &torn {
            match (access, write.torn) {
                (Access::Write | Access::Bulk, _) => write.cut_off()?,
                // RocksDB leaves it out by itself.
                (Access::Read, Torn::CutShort) => recovery = DBRecoveryMode::TolerateCorruptedTailRecords,
                (Access::Read, Torn::Zeros) => return Err(StoreError::TornWrite { log: write.place() }),
            }
        }
        let references_since = Arc::new(AtomicU64::new(0));
        let db = open_with(&path, recovery, &references_since, access).map_err(|e| StoreError::database("open", e))?;
        Ok(Self { db, path, access, references_since, _lock: lock })
    }

    /// The directory of the database's files.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn snapshot(&self) -> Snapshot<'_> {
        Snapshot { database: self, inner: self.db.snapshot() }
    }

    pub(crate) fn batch(&self) -> Batch<'_> {
        Batch { database: self, inner: WriteBatch::default() }
    }

    /// Writes a batch whole, and returns when it is on disk.
    ///
    /// INV-STORE-1: a crash before this returns leaves either all of the batch or nothing. INV-STORE-2: an error is
    /// fatal: the caller closes the store and never tries again, for after a failed fsync nobody knows what is on disk.
    pub(crate) fn write(&self, batch: Batch<'_>) -> Result<(), StoreError> {
        #[cfg(feature = "faults")]
        fail::fail_point!("store.write.fail", |_| Err(StoreError::Io {
            operation: "write",
            path: self.path.clone(),
            source: std::io::Error::other("a failpoint"),
        }));
        let mut options = WriteOptions::default();
        options.set_sync(self.access != Access::Bulk);
        // A store that says "on disk" too early: what a power cut must show (R4).
        #[cfg(feature = "faults")]
        if crate::faults::acts("store.write.not-synced").is_some() {
            options.set_sync(false);
        }
        options.disable_wal(self.access == Access::Bulk);
        self.db.write_opt(batch.inner, &options).map_err(|source| StoreError::Database { operation: "write", source })
    }

    /// Ends a bulk load: when this returns, all that was written is on disk. Waits for compactions that are under way, so
    /// that the files keep their names when the directory gets another one.
    pub(crate) fn finish(&self) -> Result<(), StoreError> {
        for column in Column::ALL {
            self.db.flush_cf(self.handle(column)).map_err(|e| StoreError::database("flush", e))?;
        }
        self.db.cancel_all_background_work(true);
        Ok(())
    }

    /// Makes a consistent copy of the database's files in a directory that does not exist: hard links where the file
    /// system has them. Writers go on meanwhile.
    pub(crate) fn checkpoint(&self, to: &Path) -> Result<(), StoreError> {
        let checkpoint = Checkpoint::new(&self.db).map_err(|e| StoreError::database("copy", e))?;
        checkpoint.create_checkpoint(to).map_err(|e| StoreError::database("copy", e))
    }

    /// Lets compaction drop `references` rows of blocks before this time: they can refuse nothing any more.
    pub(crate) fn forget_references_before(&self, time: u64) {
        self.references_since.store(time, Ordering::Relaxed);
    }

    /// An integer property of a column, summed over all columns.
    pub(crate) fn property_sum(&self, name: &str) -> u64 {
        let of = |column| self.db.property_int_value_cf(self.handle(column), name).ok().flatten();
        Column::ALL.into_iter().filter_map(of).sum()
    }

    /// Writes the memtables to table files and merges these. For measurements.
    #[cfg(feature = "testing")]
    pub(crate) fn compact(&self) -> Result<(), StoreError> {
        for column in Column::ALL {
            self.db.flush_cf(self.handle(column)).map_err(|e| StoreError::database("flush", e))?;
            self.db.compact_range_cf(self.handle(column), None::<&[u8]>, None::<&[u8]>);
        }
        Ok(())
    }

    /// The rows of a column as they are on disk. For tests of damage.
    #[cfg(feature = "testing")]
    pub(crate) fn raw_rows(&self, column: Column) -> Vec<(Vec<u8>, Vec<u8>)> {
        let rows = self.db.iterator_cf(self.handle(column), IteratorMode::Start);
        rows.map(|row| row.map(|(key, value)| (key.into_vec(), value.into_vec())).expect("readable")).collect()
    }

    /// Overwrites a row behind the store's back. For tests of damage.
    #[cfg(feature = "testing")]
    pub(crate) fn overwrite(&self, column: Column, key: &[u8], value: Option<&[u8]>) -> Result<(), StoreError> {
        let done = match value {
            Some(value) => self.db.put_cf(self.handle(column), key, value),
            None => self.db.delete_cf(self.handle(column), key),
        };
        done.map_err(|e| StoreError::database("overwrite", e))
    }

    fn handle(&self, column: Column) -> &ColumnFamily {
        self.db.cf_handle(column.name()).expect("every column is opened with the database")
    }
}

/// The state of the database at one moment.
pub(crate) struct Snapshot<'a> {
    database: &'a Database,
    inner: rocksdb::Snapshot<'a>,
}

/// A row: key and value.
pub(crate) type Row = (Box<[u8]>, Vec<u8>);

impl Snapshot<'_> {
    pub(crate) fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let handle = self.database.handle(column);
        let value = self.inner.get_pinned_cf(handle, key).map_err(|e| StoreError::database("read", e))?;
        #[cfg(feature = "faults")]
        let value = value.map(|value| crate::faults::flipped("store.after-read.flip-bit", &value));
        value.map(|value| open_seal(column, key, &value)).transpose()
    }

    /// The last row whose key is not above `key` and starts with `prefix`.
    pub(crate) fn floor(&self, column: Column, prefix: &[u8], key: &[u8]) -> Result<Option<Row>, StoreError> {
        let mut rows = self.inner.raw_iterator_cf(self.database.handle(column));
        rows.seek_for_prev(key);
        rows.status().map_err(|e| StoreError::database("seek", e))?;
        match rows.item() {
            Some((key, value)) if key.starts_with(prefix) => {
                #[cfg(feature = "faults")]
                let value = &crate::faults::flipped("store.after-read.flip-bit", value);
                Ok(Some((key.into(), open_seal(column, key, value)?)))
            }
            _ => Ok(None),
        }
    }

    /// Rows in order of key, from `from` on, while keys start with `prefix`.
    pub(crate) fn scan(&self, column: Column, prefix: &[u8], from: &[u8]) -> Scan<'_> {
        let mut options = ReadOptions::default();
        if let Some(end) = successor(prefix) {
            options.set_iterate_upper_bound(end);
        }
        let mode = IteratorMode::From(from, Direction::Forward);
        Scan { column, rows: self.inner.iterator_cf_opt(self.database.handle(column), options, mode) }
    }
}

/// Rows in order.
pub(crate) struct Scan<'s> {
    column: Column,
    rows: rocksdb::DBIterator<'s>,
}

impl Iterator for Scan<'_> {
    type Item = Result<Row, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.rows.next()?.map_err(|e| StoreError::database("scan", e));
        Some(row.and_then(|(key, value)| {
            #[cfg(feature = "faults")]
            let value = crate::faults::flipped("store.after-read.flip-bit", &value);
            let value = open_seal(self.column, &key, &value)?;
            Ok((key, value))
        }))
    }
}

/// Rows to be written together.
pub(crate) struct Batch<'a> {
    database: &'a Database,
    inner: WriteBatch,
}

impl Batch<'_> {
    /// Puts a row.
    pub(crate) fn put(&mut self, column: Column, key: &[u8], value: &[u8]) {
        self.inner.put_cf(self.database.handle(column), key, written(column, key, value));
    }

    /// Puts a row whose value, as it is written, passes `check`.
    pub(crate) fn put_checked(
        &mut self,
        column: Column,
        key: &[u8],
        value: &[u8],
        check: impl FnOnce(&[u8]) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let row = written(column, key, value);
        check(&row[..value.len()])?;
        self.inner.put_cf(self.database.handle(column), key, row);
        Ok(())
    }

    pub(crate) fn delete(&mut self, column: Column, key: &[u8]) {
        self.inner.delete_cf(self.database.handle(column), key);
    }
}

/// A value as it is written: those of sealed columns get their seal here and nowhere else.
fn written<'v>(column: Column, key: &[u8], value: &'v [u8]) -> Cow<'v, [u8]> {
    #[cfg(feature = "faults")]
    let value = Cow::Owned(crate::faults::before_write(column, value));
    #[cfg(not(feature = "faults"))]
    let value = Cow::Borrowed(value);
    if column.is_sealed() { Cow::Owned([&*value, &seal(column, key, &value)].concat()) } else { value }
}

/// Checks and removes the seal of a value.
fn open_seal(column: Column, key: &[u8], value: &[u8]) -> Result<Vec<u8>, StoreError> {
    if !column.is_sealed() {
        return Ok(value.to_vec());
    }
    let damaged = || StoreError::damaged(place(column, key), "the value does not match its seal");
    let (value, stored) = value.split_last_chunk::<SEAL_BYTES>().ok_or_else(damaged)?;
    if seal(column, key, value) != *stored {
        return Err(damaged());
    }
    Ok(value.to_vec())
}

/// The first key after all that start with `prefix`; `None` when there is no end.
fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|b| *b != 0xff)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

/// One process at a time; the system releases the lock when the process ends, however it ends.
fn take_lock(directory: &Path) -> Result<File, StoreError> {
    let path = directory.join(LOCK);
    let io = |operation| {
        let path = path.clone();
        move |source| StoreError::Io { operation, path, source }
    };
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(io("open"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(StoreError::Locked { path: directory.to_owned() }),
        Err(fs::TryLockError::Error(source)) => Err(io("lock")(source)),
    }
}

/// Checks whose directory this is; an empty one becomes this node's.
fn identify(directory: &Path, network: GenesisHash, node: NodeIdentity, access: Access) -> Result<(), StoreError> {
    let io = |operation, path: &Path| {
        let path = path.to_owned();
        move |source| StoreError::Io { operation, path, source }
    };
    let foreign = |what: String| StoreError::Foreign { path: directory.to_owned(), what };
    match read_identity(directory)? {
        Some((found_network, found_node)) => {
            if found_network != network.to_string() {
                return Err(foreign(format!("it belongs to network {found_network}, this is network {network}")));
            }
            if access != Access::Read && found_node != node.to_string() {
                return Err(foreign(format!("it belongs to node {found_node}, this is node {node}")));
            }
            Ok(())
        }
        None => {
            let mut others = Vec::new();
            for entry in fs::read_dir(directory).map_err(io("list", directory))? {
                let name = entry.map_err(io("list", directory))?.file_name();
                if name != LOCK && name != IDENTITY_NEW {
                    others.push(name);
                }
            }
            if access == Access::Read || !others.is_empty() {
                return Err(foreign("it has no identity file".into()));
            }
            write_identity(directory, network, node)
        }
    }
}

/// Says whose a directory is. A crash before the rename leaves it as it was.
pub(crate) fn write_identity(directory: &Path, network: GenesisHash, node: NodeIdentity) -> Result<(), StoreError> {
    let io = |operation, path: &Path| {
        let path = path.to_owned();
        move |source| StoreError::Io { operation, path, source }
    };
    let (new, path) = (directory.join(IDENTITY_NEW), directory.join(IDENTITY));
    let mut file = File::create(&new).map_err(io("create", &new))?;
    write!(file, "testamur data directory\nnetwork {network}\nnode {node}\n").map_err(io("write", &new))?;
    file.sync_all().map_err(io("sync", &new))?;
    fs::rename(&new, &path).map_err(io("rename", &new))?;
    File::open(directory).and_then(|d| d.sync_all()).map_err(io("sync", directory))
}

/// Network and node of a directory's identity file, as they are spelled there; none without such a file.
pub(crate) fn read_identity(directory: &Path) -> Result<Option<(String, String)>, StoreError> {
    let path = directory.join(IDENTITY);
    match fs::read_to_string(&path) {
        Ok(text) => {
            let line = |name: &str| text.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(' ')).unwrap_or("?");
            Ok(Some((line("network").to_owned(), line("node").to_owned())))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(StoreError::Io { operation: "read", path, source }),
    }
}

fn open_with(
    path: &Path,
    recovery: DBRecoveryMode,
    references_since: &Arc<AtomicU64>,
    access: Access,
) -> Result<DB, rocksdb::Error> {
    let mut options = rocksdb::Options::default();
    options.create_if_missing(access != Access::Read);
    options.create_missing_column_families(access != Access::Read);
    options.set_paranoid_checks(true);
    options.set_track_and_verify_wals_in_manifest(true);
    options.set_wal_recovery_mode(recovery);
    options.set_recycle_log_file_num(0);
    options.set_use_fsync(false); // fdatasync: it also makes a grown file's size durable
    options.set_allow_mmap_reads(false);
    options.set_allow_mmap_writes(false);
    options.set_max_total_wal_size(WAL_BYTES_MAX);
    options.set_db_write_buffer_size(MEMTABLES_BYTES);
    options.set_max_open_files(OPEN_FILES_MAX);
    options.set_max_background_jobs(2);
    options.set_bytes_per_sync(1 << 20);
    options.set_keep_log_file_num(2);
    options.set_max_log_file_size(4 << 20);
    options.set_log_level(LogLevel::Warn);
    options.set_stats_dump_period_sec(0);
    options.set_stats_persist_period_sec(0);
    let cache = Cache::new_lru_cache(BLOCK_CACHE_BYTES);
    let columns = Column::ALL
        .map(|column| ColumnFamilyDescriptor::new(column.name(), column_options(column, &cache, references_since)));
    match access {
        Access::Write | Access::Bulk => DB::open_cf_descriptors(&options, path, columns),
        Access::Read => DB::open_cf_descriptors_read_only(&options, path, columns, false),
    }
}

fn column_options(column: Column, cache: &Cache, references_since: &Arc<AtomicU64>) -> rocksdb::Options {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    table.set_cache_index_and_filter_blocks(true);
    table.set_pin_l0_filter_and_index_blocks_in_cache(true);
    // In pieces that the cache holds: see the table above.
    table.set_index_type(BlockBasedIndexType::TwoLevelIndexSearch);
    table.set_partition_filters(true);
    table.set_metadata_block_size(4 << 10);
    table.set_pin_top_level_index_and_filter(true);
    table.set_checksum_type(rocksdb::ChecksumType::XXH3);
    // Neighbouring headers and certificates share most of their text: larger blocks compress better.
    table.set_block_size(if column.is_hashed() { 4 << 10 } else { 16 << 10 });
    if column.is_hashed() {
        table.set_bloom_filter(10.0, false);
    }
    let mut options = rocksdb::Options::default();
    options.set_block_based_table_factory(&table);
    options.set_write_buffer_size(if column.is_busy() { MEMTABLE_BUSY_BYTES } else { MEMTABLE_QUIET_BYTES });
    options.set_max_write_buffer_number(3);
    options.set_compression_type(if column.is_hashed() { DBCompressionType::None } else { DBCompressionType::Lz4 });
    if column == Column::References {
        let since = Arc::clone(references_since);
        options.set_compaction_filter("replay-window", move |_level, _key, value| {
            // Lookups compare times themselves, so it does not matter when, or whether, a row goes.
            match last_number(value) {
                Some(time) if time < since.load(Ordering::Relaxed) => Decision::Remove,
                _ => Decision::Keep,
            }
        });
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_where_the_next_begins() {
        for (prefix, expected) in [
            (&b"a"[..], Some(&b"b"[..])),
            (b"did:key:z6Mk\0", Some(b"did:key:z6Mk\x01")),
            (b"a\xff\xff", Some(b"b")),
            (b"\xff", None),
            (b"", None),
        ] {
            assert_eq!(successor(prefix).as_deref(), expected, "{prefix:?}");
        }
    }

    #[test]
    fn a_seal_binds_column_key_and_value() {
        let sealed = [&b"value"[..], &seal(Column::Epochs, b"key", b"value")].concat();
        assert_eq!(open_seal(Column::Epochs, b"key", &sealed).unwrap(), b"value");
        let elsewhere = [
            open_seal(Column::Epochs, b"kez", &sealed),
            open_seal(Column::Certificates, b"key", &sealed),
            open_seal(Column::Epochs, b"key", &sealed[1..]),
            open_seal(Column::Epochs, b"key", b"short"),
        ];
        for result in elsewhere {
            assert!(matches!(result, Err(StoreError::Damaged { .. })));
        }
    }
}
