//! A look at the database's logs before RocksDB reads them.
//!
//! RocksDB's reader of logs (the write-ahead logs and the manifest) meets a record of a *recycled* log in one that is not
//! recycled, calls it bad, and does not step over it: it reads it again, for ever. One flipped bit in a record's type is
//! enough, and the node would hang at its start without a word (found by R6). No log here is recycled
//! (`recycle_log_file_num` is 0), so such a record is damage, and is refused before RocksDB sees it. All else is RocksDB's to
//! judge: checksums above all.

use std::fs;
use std::io;
use std::path::Path;

use crate::StoreError;

/// Logs are written in blocks of this size; no record lies in two.
const BLOCK_BYTES: usize = 32 * 1024;
/// A record begins with its checksum (4 bytes), its length (2, little-endian) and its type.
const HEADER_BYTES: usize = 7;
/// Types of records in recycled logs (RocksDB, `db/log_format.h`).
const RECYCLED: [u8; 6] = [5, 6, 7, 8, 11, 131];

/// Refuses a database with a log that RocksDB would never have done with.
pub(crate) fn check(database: &Path) -> Result<(), StoreError> {
    let failed = |source: io::Error| StoreError::Io { operation: "read", path: database.to_owned(), source };
    let listed = match fs::read_dir(database) {
        Ok(listed) => listed,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    for entry in listed {
        let path = entry.map_err(failed)?.path();
        let is_log = path.extension().is_some_and(|ending| ending == "log")
            || path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"MANIFEST-"));
        if is_log && has_recycled_record(&fs::read(&path).map_err(failed)?) {
            let place = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            return Err(StoreError::damaged(place, "a record's type is none that is written here"));
        }
    }
    Ok(())
}

fn has_recycled_record(log: &[u8]) -> bool {
    log.chunks(BLOCK_BYTES).any(|block| {
        let mut rest = block;
        while let Some((&[_, _, _, _, low, high, kind], after)) = rest.split_first_chunk::<HEADER_BYTES>() {
            if RECYCLED.contains(&kind) {
                return true;
            }
            // Zeros or a length beyond the block: RocksDB drops the rest of the block as well.
            match after.split_at_checked(usize::from(u16::from_le_bytes([low, high]))) {
                Some((payload, next)) if kind != 0 || !payload.is_empty() => rest = next,
                _ => return false,
            }
        }
        false
    })
}
