//! Every bound of this crate, each with its reason.

/// Memory of all block caches together. A validator's whole process should stay at or below 300 MB; hot tiles, state
/// and index blocks of a busy ledger fit in this.
pub const BLOCK_CACHE_BYTES: usize = 48 * 1024 * 1024;
/// Memory of all memtables together; reaching it flushes the largest.
pub const MEMTABLES_BYTES: usize = 48 * 1024 * 1024;
/// A memtable of a column that grows with every record.
pub const MEMTABLE_BUSY_BYTES: usize = 12 * 1024 * 1024;
/// A memtable of a column that grows with blocks or state changes only.
pub const MEMTABLE_QUIET_BYTES: usize = 2 * 1024 * 1024;
/// Write-ahead log before the oldest memtables are flushed: bounds what a restart replays, about a second's work.
pub const WAL_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Open table files; a node has other descriptors to spend (default `ulimit -n` is 1,024).
pub const OPEN_FILES_MAX: i32 = 256;
/// Bytes of entries in one row: large enough that a row's own cost vanishes, small enough for a point read.
pub const ENTRIES_ROW_BYTES: usize = 16 * 1024;
/// Items of a page of a list; the API's own bound is the same.
pub const PAGE_ITEMS_MAX: usize = 100;
/// Blocks that one undecided height may hold: four validators × the engine's look-ahead of ten rounds.
pub const UNDECIDED_BLOCKS_MAX: usize = 64;
/// Levels of the log that one stored tile spans: C2SP tlog-tiles fixes 8 (256 hashes).
pub const LOG_TILE_LEVELS: u8 = 8;
/// Levels of the history tree that one stored tile spans: nobody fetches these, and a tile is rewritten with each block,
/// so 16 hashes (512 bytes at most) instead of 8 KiB.
pub const HISTORY_TILE_LEVELS: u8 = 4;
/// Records that one step of the background scrub re-reads: some 10 ms of work.
pub const SCRUB_STEP_RECORDS: u64 = 512;
/// Empty blocks that one step of the background scrub re-reads: their certificates cost most.
pub const SCRUB_STEP_BLOCKS: u64 = 32;
/// Ended uses of attachments that one block lets go of: more wait for the next block.
pub const ATTACHMENTS_PRUNED_MAX: usize = 64;
/// State rows that one step of the background scrub proves against the tip.
pub const SCRUB_STEP_STATE_ROWS: usize = 64;
/// Files of a backup: a database of 10 million records has some hundred.
pub const BACKUP_FILES_MAX: usize = 100_000;
/// Bytes of a backup's manifest: about 140 for each file.
pub const MANIFEST_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// Findings that a check reports one by one; beyond, it counts them.
pub const FINDINGS_MAX: usize = 1_000;
/// Blocks that are read ahead of the one that is written, in an import: a few of the largest, and their memory is 3 MiB each.
pub(crate) const IMPORT_BLOCKS_AHEAD: usize = 8;
/// Bytes of tree rows that are written together, in an import.
pub(crate) const IMPORT_BATCH_BYTES: usize = 4 * 1024 * 1024;
/// State values remembered as proven: the roles of every author of a large network, about 300 bytes each.
pub(crate) const PROVEN_VALUES_MAX: usize = 16_384;
