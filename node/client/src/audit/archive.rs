//! Everything that was ever seen certified, in one file that is only ever appended to: a line of JSON for each height from
//! 1 on, with header, certificate and a digest of the records' hashes.
//!
//! - INV-AUDIT-1: each line's header names the one before it, and its history root is that of all lines before it. A file
//!   in which this does not hold is not opened: an auditor whose own memory was changed must not vouch for anything.
//!
//! If we crash while a line is written, the line has no end: opening cuts it off, and the block is read again.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use testamur_primitives::codec::sha256;
use testamur_primitives::hash::{GenesisHash, TreeHash};
use testamur_primitives::header::Header;
use testamur_primitives::merkle::{Frontier, leaf_hash};
use testamur_primitives::units::Height;

use super::AuditError;
use crate::limits::ARCHIVE_LINE_BYTES_MAX;

/// A height, as it was certified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    /// Its header.
    pub(super) header: Header,
    /// Its certificate.
    pub(super) note: String,
    /// SHA-256 over the leaf hashes of its records, in order.
    pub(super) records: [u8; 32],
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    header: String,
    note: String,
    records: String,
}

/// The file.
#[derive(Debug)]
pub(super) struct Archive {
    path: PathBuf,
    file: File,
    /// Where each line begins; height 1 is the first.
    starts: Vec<u64>,
    end: u64,
    /// Over the header hashes of heights 0 to the tip.
    history: Frontier,
    tip: Option<Header>,
}

/// SHA-256 over leaf hashes: what a block's records are remembered by.
pub(super) fn digest_of(leaves: &[TreeHash]) -> [u8; 32] {
    let parts: Vec<&[u8]> = leaves.iter().map(|leaf| leaf.as_bytes().as_slice()).collect();
    sha256(&parts)
}

impl Archive {
    /// Opens or makes it.
    pub(super) fn open(path: &Path, network: GenesisHash) -> Result<Self, AuditError> {
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)
            .map_err(|e| AuditError::file("open", path, e))?;
        let mut archive =
            Self { path: path.to_owned(), file, starts: Vec::new(), end: 0, history: Frontier::new(), tip: None };
        archive.read(network)?;
        Ok(archive)
    }

    fn read(&mut self, network: GenesisHash) -> Result<(), AuditError> {
        let failed = |e| AuditError::file("read", &self.path, e);
        let length = self.file.metadata().map_err(failed)?.len();
        let mut reader = BufReader::new(File::open(&self.path).map_err(failed)?);
        let mut text = Vec::new();
        loop {
            text.clear();
            let bytes = reader.read_until(b'\n', &mut text).map_err(|e| AuditError::file("read", &self.path, e))?;
            if bytes == 0 || text.last() != Some(&b'\n') {
                break;
            }
            let seen = parse(&text).filter(|seen| seen.header.genesis == network);
            let seen = seen.ok_or_else(|| self.damaged("is no line of this network's"))?;
            if !self.follows(&seen.header) {
                return Err(self.damaged("does not follow the line before it"));
            }
            self.remember(seen.header, bytes as u64);
        }
        if length > self.end {
            // A crash while a line was written.
            self.file.set_len(self.end).map_err(|e| AuditError::file("cut", &self.path, e))?;
        }
        Ok(())
    }

    fn damaged(&self, what: &'static str) -> AuditError {
        AuditError::Damaged { path: self.path.clone(), line: self.starts.len() as u64 + 1, what }
    }

    /// INV-AUDIT-1.
    pub(super) fn follows(&self, header: &Header) -> bool {
        let Some(tip) = &self.tip else {
            let mut genesis = Frontier::new();
            genesis.append(leaf_hash(header.previous.as_bytes()), |_, _, _| ());
            return header.height == Height(1) && header.history_root == genesis.root();
        };
        header.height == tip.height.next()
            && header.previous == tip.hash()
            && header.history_root == self.history.root()
    }

    fn remember(&mut self, header: Header, bytes: u64) {
        if self.tip.is_none() {
            self.history.append(leaf_hash(header.previous.as_bytes()), |_, _, _| ());
        }
        self.history.append(leaf_hash(header.hash().as_bytes()), |_, _, _| ());
        self.starts.push(self.end);
        self.end += bytes;
        self.tip = Some(header);
    }

    /// The newest header seen.
    pub(super) fn tip(&self) -> Option<&Header> {
        self.tip.as_ref()
    }

    /// Its height; 0 before the first.
    pub(super) fn height(&self) -> Height {
        self.tip.as_ref().map_or(Height(0), |tip| tip.height)
    }

    /// Appends a height. Not on disk before [`Archive::sync`].
    pub(super) fn append(&mut self, seen: &Seen) -> Result<(), AuditError> {
        assert!(self.follows(&seen.header), "INV-AUDIT-1: a height was appended that does not follow");
        let line = Line { header: seen.header.text(), note: seen.note.clone(), records: hex_of(&seen.records) };
        let mut text = serde_json::to_vec(&line).expect("strings are JSON");
        text.push(b'\n');
        if let Err(error) = self.file.write_all(&text) {
            // Half a line must not be in the way of the next one.
            let _ = self.file.set_len(self.end);
            return Err(AuditError::file("write", &self.path, error));
        }
        self.remember(seen.header.clone(), text.len() as u64);
        Ok(())
    }

    /// Everything appended is on disk.
    pub(super) fn sync(&self) -> Result<(), AuditError> {
        self.file.sync_data().map_err(|e| AuditError::file("sync", &self.path, e))
    }

    /// What was seen at a height; none for genesis and beyond the tip.
    pub(super) fn at(&self, height: Height) -> Result<Option<Seen>, AuditError> {
        let Some(place) = height.0.checked_sub(1).and_then(|n| usize::try_from(n).ok()) else { return Ok(None) };
        let Some(start) = self.starts.get(place).copied() else { return Ok(None) };
        let end = self.starts.get(place + 1).copied().unwrap_or(self.end);
        let length = usize::try_from(end - start).unwrap_or(usize::MAX).min(ARCHIVE_LINE_BYTES_MAX);
        let mut text = vec![0; length];
        self.file.read_exact_at(&mut text, start).map_err(|e| AuditError::file("read", &self.path, e))?;
        let seen = parse(&text).filter(|seen| seen.header.height == height);
        let damaged = || AuditError::Damaged { path: self.path.clone(), line: height.0, what: "was changed" };
        seen.map(Some).ok_or_else(damaged)
    }
}

fn hex_of(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn parse(text: &[u8]) -> Option<Seen> {
    let line: Line = serde_json::from_slice(text).ok()?;
    let header = Header::decode(line.header.as_bytes()).ok()?;
    let digits = line.records.as_bytes();
    let mut records = [0; 32];
    if digits.len() != 64 || !digits.is_ascii() {
        return None;
    }
    for (byte, pair) in records.iter_mut().zip(digits.chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(Seen { header, note: line.note, records })
}
