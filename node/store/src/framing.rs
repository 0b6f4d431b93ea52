//! A look at the database's logs before RocksDB reads them: the write-ahead logs, and the manifest in use.
//!
//! Of each log everything must be sound, record by record, but for the last write of the newest one: whoever asked for that
//! write was never told that it is on disk, when the process was killed or the power cut before it was synced. Two things can
//! be seen of such a write ([`Torn`]):
//!
//! - it is **cut short** at the log's end;
//! - **zeros** stand in all of it that lies in some page. A file system may keep a file's new size over a power cut and not its
//!   bytes, or not those of one page (seen on ext4 where somebody else syncs at the same time; found by R4).
//!
//! It is dropped before RocksDB opens, which then opens with absolute consistency. All else is damage and is refused here
//! rather than by RocksDB, because in three cases its own reader does something else:
//!
//! - a flipped bit that makes a record one of a *recycled* log: it reads that record again, for ever (found by R6; no log here
//!   is recycled, as `recycle_log_file_num` is 0);
//! - zeros from the beginning of a record to the end of a page: it steps over the rest of the block without a word, whatever
//!   acknowledged writes lie there;
//! - a flipped bit in the length of a record in the log's last block: it takes that, and all that was written after it,
//!   for cut short.
//!
//! What cannot be told apart: an acknowledged last write whose page a disk later lost. It is dropped as well, and the node gets its
//! block from its peers again; the double-sign guard has a file of its own.
//!
//! Format: RocksDB, `db/log_format.h` and `db/log_writer.cc`.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::StoreError;

/// Logs are written in blocks of this size; no record lies in two.
const BLOCK_BYTES: usize = 32 * 1024;
/// A record begins with its checksum (4 bytes), its length (2, little-endian) and its type.
const HEADER_BYTES: usize = 7;
/// A write that fits into the rest of a block is one `FULL` record, any other a `FIRST`, `MIDDLE`s and a `LAST`.
const FULL: u8 = 1;
const FIRST: u8 = 2;
const MIDDLE: u8 = 3;
const LAST: u8 = 4;
/// Types of records in recycled logs.
const RECYCLED: [u8; 6] = [5, 6, 7, 8, 11, 131];
/// What a file system writes, or loses, at once.
const PAGE_BYTES: usize = 4096;
/// Fewer zeros than these at the edge of a page may be a write's own.
const ZEROS_MIN: usize = 4;

/// The last write of a log, which never was on disk whole.
#[derive(Debug)]
pub(crate) struct TornWrite {
    log: PathBuf,
    begins: usize,
    bytes: usize,
    /// How that can be seen.
    pub(crate) torn: Torn,
}

/// How it can be seen that a write is not on disk whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Torn {
    CutShort,
    Zeros,
}

impl TornWrite {
    /// Cuts it off. After a crash in here it is there as before, or gone.
    pub(crate) fn cut_off(&self) -> Result<(), StoreError> {
        let cut = || {
            let file = File::options().write(true).open(&self.log)?;
            file.set_len(self.begins as u64)?;
            file.sync_all()
        };
        cut().map_err(|source| StoreError::Io { operation: "cut", path: self.log.clone(), source })?;
        let (log, bytes, torn) = (self.place(), self.bytes, self.torn);
        tracing::warn!(log, bytes, ?torn, "a write that was cut off, and never acknowledged, was dropped");
        Ok(())
    }

    /// The log's name.
    pub(crate) fn place(&self) -> String {
        self.log.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// The torn writes at the ends of a database's logs; an error where anything else of them is not as it was written.
pub(crate) fn look(database: &Path) -> Result<Vec<TornWrite>, StoreError> {
    let failed = |source: io::Error| StoreError::Io { operation: "read", path: database.to_owned(), source };
    let listed = match fs::read_dir(database) {
        Ok(listed) => listed,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut logs = Vec::new();
    for entry in listed {
        let path = entry.map_err(failed)?.path();
        let number = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse::<u64>().ok());
        if let (Some(number), Some("log")) = (number, path.extension().and_then(|ending| ending.to_str())) {
            logs.push((number, path));
        }
    }
    logs.sort_unstable();
    let mut torn = Vec::new();
    for (place, (_, log)) in logs.iter().enumerate() {
        torn.extend(torn_write(log, place + 1 == logs.len())?);
    }
    // Others are left from a start that did not get as far as to use them.
    if let Ok(current) = fs::read_to_string(database.join("CURRENT")) {
        let manifest = database.join(current.trim_end());
        if manifest.exists() {
            // Its first write was synced before CURRENT named it.
            let (place, last) = (current.trim_end(), torn_write(&manifest, true)?);
            if last.as_ref().is_some_and(|last| last.begins == 0) {
                return Err(StoreError::damaged(place, "its first write is torn"));
            }
            torn.extend(last);
        }
    }
    Ok(torn)
}

/// The torn write at the end of a log. Older logs were synced whole before the newest was begun.
fn torn_write(log: &Path, newest: bool) -> Result<Option<TornWrite>, StoreError> {
    let bytes = fs::read(log).map_err(|source| StoreError::Io { operation: "read", path: log.to_owned(), source })?;
    let found = |end| match end {
        Some((begins, torn)) if newest => {
            Ok(Some(TornWrite { log: log.to_owned(), begins, bytes: bytes.len() - begins, torn }))
        }
        Some(_) => Err("its end is missing"),
        None => Ok(None),
    };
    walk(&bytes).and_then(found).map_err(|what| {
        let place = log.file_name().unwrap_or_default().to_string_lossy().into_owned();
        StoreError::damaged(place, what)
    })
}

/// Where and how the log's last write is torn, or what else is wrong with the log.
fn walk(log: &[u8]) -> Result<Option<(usize, Torn)>, &'static str> {
    // Where the write began of which not all records were met yet.
    let mut open = None;
    for (number, block) in log.chunks(BLOCK_BYTES).enumerate() {
        let mut rest = block;
        // What is too short for a header at the end of a block is filled up.
        while !rest.is_empty() && (rest.len() >= HEADER_BYTES || block.len() < BLOCK_BYTES) {
            let at = number * BLOCK_BYTES + block.len() - rest.len();
            let Some((kind, record, behind)) = record(rest) else {
                return judge(log, open.unwrap_or(at), at).map(Some);
            };
            if RECYCLED.contains(&kind) {
                return Err("a record's type is none that is written here");
            }
            if !is_sound(record) {
                return judge(log, open.unwrap_or(at), at).map(Some);
            }
            open = match (kind, open) {
                (FIRST, None) => Some(at),
                (FULL, None) | (LAST, Some(_)) => None,
                (MIDDLE, Some(begins)) => Some(begins),
                (FULL | FIRST, Some(_)) => return Err("the end of a write is missing"),
                (MIDDLE | LAST, None) => return Err("the beginning of a write is missing"),
                // RocksDB's own notes.
                (_, open) => open,
            };
            rest = behind;
        }
    }
    Ok(open.map(|begins| (begins, Torn::CutShort)))
}

/// The type of the record that begins here, the record, and what follows it in its block; none where it does not fit in.
fn record(rest: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (header, _) = rest.split_first_chunk::<HEADER_BYTES>()?;
    let [_, _, _, _, low, high, kind] = *header;
    let (record, behind) = rest.split_at_checked(HEADER_BYTES + usize::from(u16::from_le_bytes([low, high])))?;
    Some((kind, record, behind))
}

/// Whether a record matches its checksum, which is of its type and what follows, and masked.
fn is_sound(record: &[u8]) -> bool {
    let Some((checksum, rest)) = record.split_first_chunk::<4>() else { return false };
    let sum = crc32c::crc32c(rest.get(2..).unwrap_or_default());
    u32::from_le_bytes(*checksum) == sum.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// The log is not sound at `at`, in a write that begins at `begins`: whether that is the last write, and torn.
fn judge(log: &[u8], begins: usize, at: usize) -> Result<(usize, Torn), &'static str> {
    let rest = &log[at..];
    if has_sound_write(log, at + 1) {
        return Err("a record is not as it was written, and sound ones follow");
    }
    if has_lost_page(log, begins) {
        return Ok((begins, Torn::Zeros));
    }
    // It does not fit into the log's last block. Either not all of it was written, or its length is wrong: then it is sound
    // with the right one.
    let in_last_block = at / BLOCK_BYTES == log.len() / BLOCK_BYTES;
    if in_last_block && record(rest).is_none() && !is_sound(rest) {
        return Ok((begins, Torn::CutShort));
    }
    Err("a record is not as it was written")
}

/// Whether a write begins at or behind `from` that is as it was written: its record, or its first one.
fn has_sound_write(log: &[u8], from: usize) -> bool {
    (from..log.len()).any(|at| {
        let block_ends = log.len().min((at / BLOCK_BYTES + 1) * BLOCK_BYTES);
        matches!(record(&log[at..block_ends]), Some((FULL | FIRST, record, _)) if is_sound(record))
    })
}

/// Whether zeros stand in all of some page that lies behind `begins`.
fn has_lost_page(log: &[u8], begins: usize) -> bool {
    let (first, others) = log[begins..].split_at((PAGE_BYTES - begins % PAGE_BYTES).min(log.len() - begins));
    let lost = |page: &[u8]| page.len() >= ZEROS_MIN && page.iter().all(|byte| *byte == 0);
    lost(first) || others.chunks(PAGE_BYTES).any(lost)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log of these writes, as RocksDB frames them, and where each begins.
    fn log(writes: &[Vec<u8>]) -> (Vec<u8>, Vec<usize>) {
        let (mut log, mut begins) = (Vec::new(), Vec::new());
        for write in writes {
            let mut rest = &write[..];
            let mut first = true;
            loop {
                let room = BLOCK_BYTES - log.len() % BLOCK_BYTES;
                if room < HEADER_BYTES {
                    log.resize(log.len() + room, 0);
                    continue;
                }
                if first {
                    begins.push(log.len());
                }
                let (piece, behind) = rest.split_at(rest.len().min(room - HEADER_BYTES));
                let kind = match (first, behind.is_empty()) {
                    (true, true) => FULL,
                    (true, false) => FIRST,
                    (false, false) => MIDDLE,
                    (false, true) => LAST,
                };
                let sum = crc32c::crc32c(&[&[kind], piece].concat());
                log.extend(sum.rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes());
                log.extend(u16::try_from(piece.len()).unwrap().to_le_bytes());
                log.push(kind);
                log.extend(piece);
                (rest, first) = (behind, false);
                if rest.is_empty() {
                    break;
                }
            }
        }
        (log, begins)
    }

    /// Bytes without four zeros in a row, none of them alike.
    fn payload(number: u8, length: usize) -> Vec<u8> {
        (0..length).map(|at| u8::try_from(at % 251).unwrap() ^ number | 1).collect()
    }

    fn logs() -> Vec<(Vec<u8>, Vec<usize>)> {
        [
            vec![300, 2_000, 70],
            vec![300, 9_000, 5_000],
            vec![30_000, 40_000],
            vec![10_000, 100_000],
            vec![40_000, 200, 25_000],
            // Ends with a block, and begins with the last seven bytes of one.
            vec![BLOCK_BYTES - 2 * HEADER_BYTES - 100, 100],
            vec![BLOCK_BYTES - 2 * HEADER_BYTES, 5_000],
            vec![BLOCK_BYTES - HEADER_BYTES - 3, 5_000],
        ]
        .iter()
        .map(|lengths| {
            let writes =
                lengths.iter().enumerate().map(|(number, length)| payload(u8::try_from(number).unwrap(), *length));
            log(&writes.collect::<Vec<_>>())
        })
        .collect()
    }

    #[test]
    fn what_was_written_whole_stays() {
        assert_eq!(walk(&[]), Ok(None));
        for (log, begins) in logs() {
            assert_eq!(walk(&log), Ok(None), "{begins:?}");
        }
    }

    /// Wherever the last write is cut short, it is dropped, and nothing before it.
    #[test]
    fn a_last_write_that_is_cut_short_is_dropped_and_no_other() {
        for (log, begins) in logs() {
            let near = |length: &usize| begins.iter().any(|begins| length.abs_diff(*begins) < 2 * HEADER_BYTES);
            for length in (1..log.len()).filter(|length| length % 23 == 0 || near(length)) {
                let last = begins.iter().rfind(|begins| **begins < length).unwrap();
                let next = begins.iter().find(|begins| **begins >= length).copied().unwrap_or(log.len());
                // Between two writes is nothing, or what fills up a block.
                let between = next - length < HEADER_BYTES && (next == length || next % BLOCK_BYTES == 0);
                match walk(&log[..length]) {
                    Ok(None) => assert!(between, "{length} of {begins:?}"),
                    Ok(Some((at, torn))) => {
                        assert_eq!(torn, Torn::CutShort);
                        assert!(at == *last || between && length - at < HEADER_BYTES, "{length}: {at} of {begins:?}");
                    }
                    Err(what) => panic!("{length}: {what}"),
                }
            }
        }
    }

    /// Pages of the last write that were lost drop it; of any other they are damage.
    #[test]
    fn zeros_for_pages_drop_the_last_write_alone() {
        let (mut dropped, mut refused) = (0, 0);
        for (log, begins) in logs() {
            let last = *begins.last().unwrap();
            for page in 0..log.len().div_ceil(PAGE_BYTES) {
                for pages in 1..=3 {
                    for from in [page * PAGE_BYTES, last] {
                        let to = ((page + pages) * PAGE_BYTES).min(log.len());
                        if from + ZEROS_MIN > to {
                            continue;
                        }
                        let mut zeros = log.clone();
                        zeros[from..to].fill(0);
                        match walk(&zeros) {
                            Ok(Some((at, Torn::Zeros))) if at == last => dropped += 1,
                            Err(_) => refused += 1,
                            // No header of the last write is left: who could tell that there were two?
                            Ok(Some((at, Torn::Zeros))) if from < last && to > last => assert!(begins.contains(&at)),
                            other => panic!("{from}..{to} of {} ({begins:?}): {other:?}", log.len()),
                        }
                        assert!(from >= last || walk(&zeros) != Ok(Some((last, Torn::Zeros))), "{from}..{to}");
                    }
                }
            }
        }
        assert!(dropped > 100 && refused > 50, "{dropped} dropped, {refused} refused");
    }

    /// One flipped bit never drops anything: not even in the last write, or in a length.
    #[test]
    fn a_flipped_bit_is_refused() {
        for (log, begins) in logs() {
            let places = (0..log.len()).step_by(997).chain(begins.iter().flat_map(|at| *at..at + HEADER_BYTES));
            for place in places {
                for bit in 0..8 {
                    let mut flipped = log.clone();
                    flipped[place] ^= 1 << bit;
                    // What fills a block up is nobody's.
                    let filler = log[place] == 0 && BLOCK_BYTES - place % BLOCK_BYTES < HEADER_BYTES;
                    assert!(
                        walk(&flipped).is_err() || filler,
                        "byte {place}, bit {bit} of {begins:?}: {:?}",
                        walk(&flipped)
                    );
                }
            }
        }
    }
}
