//! The bytes of a receipt container (FORMATS.md §13): header, and sections, each with its checksum.
//!
//! ```text
//! container = header ‖ settings ‖ chunk × n ‖ index ‖ record × (1 or more) ‖ (ledger ‖ end) × (1 or more)
//! header    = 89 "testamur-rcs" 0d 0a 1a (16) ‖ version (2) ‖ id (16, random)
//! section   = kind (1) ‖ length of body (4) ‖ body ‖ check (32)
//! check     = SHA-256("testamur/container/v1\0" ‖ id ‖ offset of the section in the file (8) ‖ kind ‖ length ‖ body)
//! ```
//! Integers are big-endian. The id and the offset are in each checksum, so that no part of another container, and no part
//! of this one at another place, passes for a part. The digest finds damage; lies are found by the record's root.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt as _;

use serde::{Deserialize, Serialize};
use testamur_primitives::codec;
use testamur_primitives::commitment::{DigestAlgorithm, Form};
use testamur_primitives::hash::TreeHash;
use testamur_primitives::limits::{BATCH_COUNT_MAX, RECEIPT_BYTES_MAX, RECORD_BYTES_MAX};

use crate::bulk::error::Fault;
use crate::limits::{CHUNK_ENTRIES, NAME_BYTES_MAX, SETTINGS_BYTES_MAX};

/// How a container begins. The first byte is not ASCII and line ends of both kinds follow: what treats the file as text
/// damages it here, where it is noticed.
pub const MAGIC: [u8; 16] = *b"\x89testamur-rcs\r\n\x1a";
/// The version written here.
pub const VERSION: u16 = 1;
/// Bytes before the first section.
pub const HEADER_BYTES: u64 = 34;
/// Bytes of a section besides its body.
pub const FRAME_BYTES: u64 = 37;
/// Bytes of the whole `end` section: what a reader reads first.
pub const END_BYTES: u64 = FRAME_BYTES + 16;
/// Bytes of an index besides its chunks.
const INDEX_FIXED: usize = 44;
/// Bytes of an index for each chunk.
const INDEX_EACH: usize = 40;

/// What a section is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// How the documents were gathered ([`Settings`]).
    Settings = 1,
    /// Up to 1,024 documents ([`super::chunk`]).
    Chunk = 2,
    /// Where the chunks are, and their roots ([`Index`]).
    Index = 3,
    /// The signed record over the index's root; the last one counts.
    Record = 4,
    /// The record's receipt, without any opening; the one that the last `end` names counts.
    Ledger = 5,
    /// Where the index and the ledger's part are.
    End = 6,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Self> {
        [Self::Settings, Self::Chunk, Self::Index, Self::Record, Self::Ledger, Self::End]
            .into_iter()
            .find(|kind| *kind as u8 == byte)
    }

    /// Bytes of a body of this kind at most; what is longer is not read.
    fn body_bytes_max(self) -> u64 {
        let bytes = match self {
            Self::Settings => SETTINGS_BYTES_MAX,
            Self::Chunk => 75 + CHUNK_ENTRIES * (1 + 64 + 32 + 2 + NAME_BYTES_MAX),
            Self::Index => INDEX_FIXED + INDEX_EACH * (BATCH_COUNT_MAX as usize / CHUNK_ENTRIES),
            Self::Record => RECORD_BYTES_MAX,
            Self::Ledger => RECEIPT_BYTES_MAX,
            Self::End => 16,
        };
        bytes as u64
    }
}

/// What tells one container from another: 16 random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContainerId(pub [u8; 16]);

/// The header's bytes.
pub fn header(id: ContainerId) -> [u8; HEADER_BYTES as usize] {
    let mut bytes = [0; HEADER_BYTES as usize];
    bytes[..16].copy_from_slice(&MAGIC);
    bytes[16..18].copy_from_slice(&VERSION.to_be_bytes());
    bytes[18..].copy_from_slice(&id.0);
    bytes
}

/// Reads a header.
pub fn parse_header(bytes: &[u8]) -> Result<ContainerId, Fault> {
    let known = bytes.len().min(16);
    if bytes[..known] != MAGIC[..known] || known == 0 {
        return Err(Fault::NotAContainer);
    }
    let version = bytes.get(16..18).ok_or(Fault::Truncated(0))?;
    match u16::from_be_bytes([version[0], version[1]]) {
        VERSION => {}
        other => return Err(Fault::UnknownVersion(other)),
    }
    let id = bytes.get(18..HEADER_BYTES as usize).ok_or(Fault::Truncated(0))?;
    Ok(ContainerId(id.try_into().expect("16 bytes were taken")))
}

/// A whole section: frame and body, as it stands in the file at `offset`.
pub fn section(id: ContainerId, offset: u64, kind: Kind, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("bodies are bounded far below 4 GiB");
    let mut bytes = Vec::with_capacity(body.len() + FRAME_BYTES as usize);
    bytes.push(kind as u8);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(body);
    bytes.extend_from_slice(&check(id, offset, &bytes));
    bytes
}

fn check(id: ContainerId, offset: u64, framed: &[u8]) -> [u8; 32] {
    codec::sha256(&[b"testamur/container/v1\0", &id.0, &offset.to_be_bytes(), framed])
}

/// A section that was read and has its checksum.
#[derive(Debug)]
pub struct Section {
    /// What it is.
    pub kind: Kind,
    /// Its bytes.
    pub body: Vec<u8>,
    /// Where the next one begins.
    pub next: u64,
}

/// Why a section was not read.
#[derive(Debug)]
pub enum ReadError {
    /// Its bytes.
    Fault(Fault),
    /// The operating system.
    Io(std::io::Error),
}

impl From<Fault> for ReadError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Reads the section at `offset` of a file of `length` bytes, and holds it against its checksum (INV-BULK-5).
pub fn read_section(file: &File, id: ContainerId, offset: u64, length: u64) -> Result<Section, ReadError> {
    let body_bytes = match frame(file, offset, length)? {
        (Some(kind), body_bytes) if body_bytes <= kind.body_bytes_max() => body_bytes,
        // A kind or length that nobody writes: one of the two is damaged, and where the check stands is not known.
        _ => return Err(Fault::Damaged(offset).into()),
    };
    let framed = usize::try_from(5 + body_bytes).map_err(|_| Fault::Damaged(offset))?;
    let next = offset + body_bytes + FRAME_BYTES;
    if next > length {
        return Err(Fault::Truncated(offset).into());
    }
    let mut bytes = vec![0; framed + 32];
    read_at(file, &mut bytes, offset)?;
    if check(id, offset, &bytes[..framed]) != bytes[framed..] {
        return Err(Fault::Damaged(offset).into());
    }
    let kind = Kind::from_byte(bytes[0]).ok_or(Fault::Damaged(offset))?;
    bytes.truncate(framed);
    bytes.drain(..5);
    Ok(Section { kind, body: bytes, next })
}

/// Kind and length of the section at `offset`, unchecked.
pub(crate) fn frame(file: &File, offset: u64, length: u64) -> Result<(Option<Kind>, u64), ReadError> {
    if offset.checked_add(FRAME_BYTES).is_none_or(|end| end > length) {
        return Err(Fault::Truncated(offset).into());
    }
    let mut frame = [0; 5];
    read_at(file, &mut frame, offset)?;
    let body_bytes = u32::from_be_bytes([frame[1], frame[2], frame[3], frame[4]]);
    Ok((Kind::from_byte(frame[0]), u64::from(body_bytes)))
}

/// As `read_exact_at`; a file that became shorter meanwhile is cut off.
pub(crate) fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> Result<(), ReadError> {
    file.read_exact_at(bytes, offset).map_err(|error| match error.kind() {
        ErrorKind::UnexpectedEof => ReadError::Fault(Fault::Truncated(offset)),
        _ => ReadError::Io(error),
    })
}

/// How documents follow one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// As in the list they came from.
    Given,
    /// By name, ascending ([`name_order`]), none twice: a folder.
    Names,
}

/// What is done with symbolic links.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Links {
    /// They are named and left out.
    Skip,
    /// What they lead to is taken; circles are named and left out.
    Follow,
}

/// How a container's documents were gathered: what a later comparison must do in the same way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Algorithm for documents hashed here; a list may name another for each.
    pub alg: DigestAlgorithm,
    /// Patterns of names that were left out.
    pub exclude: Vec<String>,
    /// Salted commitments, or plain digests.
    pub form: Form,
    /// Symbolic links.
    pub links: Links,
    /// Order.
    pub order: Order,
    /// 1.
    pub v: u8,
}

impl Settings {
    /// The body of the section.
    pub fn encode(&self) -> Vec<u8> {
        codec::canonical(self)
    }

    /// Reads the body.
    pub fn decode(body: &[u8]) -> Option<Self> {
        codec::from_canonical(body).ok().filter(|settings: &Self| settings.v == 1)
    }
}

/// Where chunks are, and their roots: what a single receipt needs besides its own chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// Documents in all.
    pub count: u64,
    /// Root over all.
    pub root: TreeHash,
    /// Offset and subtree root of each chunk, in order.
    pub chunks: Vec<(u64, TreeHash)>,
}

impl Index {
    /// The body: `count (8) ‖ chunks (4) ‖ root (32) ‖ (offset (8) ‖ root (32)) × chunks`.
    pub fn encode(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(INDEX_FIXED + INDEX_EACH * self.chunks.len());
        body.extend_from_slice(&self.count.to_be_bytes());
        body.extend_from_slice(&u32::try_from(self.chunks.len()).expect("at most 2^22 chunks").to_be_bytes());
        body.extend_from_slice(self.root.as_bytes());
        for (offset, root) in &self.chunks {
            body.extend_from_slice(&offset.to_be_bytes());
            body.extend_from_slice(root.as_bytes());
        }
        body
    }

    /// Reads the body; the counts must agree. That the root is the chunks' is for the caller to see.
    pub fn decode(body: &[u8]) -> Option<Self> {
        let (count, rest) = body.split_first_chunk()?;
        let (chunks, rest) = rest.split_first_chunk()?;
        let (root, rest) = rest.split_first_chunk()?;
        let (count, chunks) = (u64::from_be_bytes(*count), u64::from(u32::from_be_bytes(*chunks)));
        let counted = count.div_ceil(CHUNK_ENTRIES as u64) == chunks && (1..=BATCH_COUNT_MAX).contains(&count);
        if !counted || rest.len() as u64 != chunks * INDEX_EACH as u64 {
            return None;
        }
        let chunks = rest
            .chunks_exact(INDEX_EACH)
            .map(|each| {
                let (offset, root) = each.split_first_chunk()?;
                Some((u64::from_be_bytes(*offset), TreeHash::from_slice(root)?))
            })
            .collect::<Option<Vec<_>>>()?;
        Some(Self { count, root: TreeHash::from_bytes(*root), chunks })
    }
}

/// Order of names of a folder: by bytes, but `/` before all others, so that a directory's files stay together.
pub fn name_order(a: &[u8], b: &[u8]) -> core::cmp::Ordering {
    // Names hold no zero byte.
    let key = |byte: &u8| if *byte == b'/' { 0 } else { *byte };
    a.iter().map(key).cmp(b.iter().map(key))
}

/// The name that [`display_name`] shows so; `None` when an escape is none.
pub fn parse_name(text: &str) -> Option<Vec<u8>> {
    let mut name = Vec::with_capacity(text.len());
    let mut parts = text.split("\\x");
    name.extend_from_slice(parts.next().unwrap_or_default().as_bytes());
    for part in parts {
        let byte = part.get(..2).filter(|hex| hex.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
        name.push(u8::from_str_radix(byte, 16).ok()?);
        name.extend_from_slice(&part.as_bytes()[2..]);
    }
    Some(name)
}

/// A name for people: what is not UTF-8 as `\xNN`, and so is a backslash before an `x`.
pub fn display_name(name: &[u8]) -> String {
    let mut text = String::new();
    for piece in name.utf8_chunks() {
        text += &piece.valid().replace("\\x", "\\x5cx");
        for byte in piece.invalid() {
            text += &format!("\\x{byte:02x}");
        }
    }
    text
}
