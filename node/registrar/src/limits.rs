//! Bounds of what is read and done here, each with its reason.

use std::time::Duration;

/// Characters of an id in a university's books: ids are short, sentences are not ids.
pub const ID_CHARS_MAX: usize = 100;
/// Bytes of a table of graduates: 100,000 rows of 2 KB are more than any university's year.
pub const TABLE_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Rows of a table.
pub const ROWS_MAX: usize = 100_000;
/// Columns of a table.
pub const COLUMNS_MAX: usize = 512;
/// Bytes of a map.
pub const MAP_BYTES_MAX: usize = 256 * 1024;
/// Bytes of a cell: an abstract of a thesis, not the thesis.
pub const CELL_BYTES_MAX: usize = 16 * 1024;
/// Faults of a table that are reported one by one; the rest is counted.
pub const FAULTS_SHOWN_MAX: usize = 200;
/// Bytes that the archive's database keeps in memory.
pub const STORE_CACHE_BYTES: usize = 32 * 1024 * 1024;
/// Diplomas that are made between two commits to the archive: what a crash costs at most.
pub const CHUNK: usize = 512;
/// Bytes of credentials and prints that are made between two commits: what stands in memory at once.
pub const CHUNK_BYTES: usize = 12 * 1024 * 1024;
/// Diplomas that are verified at once: each about 100 KB in memory, with its receipts and reports.
pub const CHECKED_AT_ONCE: usize = 256;
/// Age of an issuer's proofs at which a job asks for new ones: a fifth of what a verifier takes, and most jobs ask once.
pub const PROOFS_AGE_MAX: Duration = Duration::from_secs(60);
/// Entries of a status list of diplomas: the least that hides anybody, and a package with it stays below 96 KiB.
pub const LIST_ENTRIES: u64 = 131_072;
/// A list is used until this part of it (in per cent) was given out: what is drawn at random stays random.
pub const LIST_FULL_PERCENT: u64 = 50;
/// Families of lists that one issuer may have: more than a century of 65,000 diplomas a year.
pub const FAMILIES_MAX: u32 = 1_000;
