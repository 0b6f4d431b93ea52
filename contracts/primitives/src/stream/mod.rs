//! The ledger as a stream of frames: exports, snapshots, and the blocks that nodes hand to who follows them.
//!
//! ```text
//! stream = "testamur-ledger/v1\n" ‖ frame…
//! frame  = kind 1 ‖ length 4 (big-endian) ‖ payload
//! ```
//! | kind | payload | at most |
//! |---|---|---|
//! | `G` | genesis, JCS | 4 MiB |
//! | `F` | the first height 8; absent: 1 | 8 |
//! | `B` | a block | 2 MiB |
//! | `N` | its certificate, a note | 64 KiB |
//! | `A` | an attachment of it that the sender holds | 256 KiB |
//! | `S` | a state value: length of the key 2 ‖ key ‖ value | 1 MiB |
//! | `T` | a row of the state's tree: length of its key 1 ‖ key ‖ length of the node 4 ‖ node ‖ value | 2 MiB |
//! | `Z` | SHA-256 over everything before this frame | 32 |
//!
//! Order: `G`, perhaps `F`, for each height `B N A*`, in a snapshot `S+ T*` after the last block, `Z`, nothing more.
//!
//! - INV-STREAM-1: what is decoded encodes to the same bytes: frames have one order and lengths one spelling.
//!
//! This module checks form, order, lengths and the hash at the end. Whether the blocks are the ledger's is for who reads
//! them: the hash finds damage, the certificates find lies. No I/O: callers hand in bytes.

mod blocks;

use core::fmt;

pub use blocks::{BlockStream, StreamedBlock, read_blocks, write_blocks};
use sha2::{Digest as _, Sha256};

use crate::limits::{
    ATTACHMENT_BYTES_MAX, BLOCK_ATTACHMENTS_MAX, BLOCK_BYTES_MAX, JSON_INTEGER_MAX, NOTE_BYTES_MAX,
    STREAM_STATE_BYTES_MAX, STREAM_TREE_BYTES_MAX, TRUST_BYTES_MAX,
};
use crate::units::Height;

/// How every stream begins.
pub const MAGIC: &[u8; 19] = b"testamur-ledger/v1\n";
/// Bytes before a frame's payload.
pub const FRAME_HEAD_BYTES: usize = 5;
/// Media type of a stream.
pub const MEDIA_TYPE: &str = "application/vnd.testamur.ledger";

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `G`
    Genesis,
    /// `F`
    First,
    /// `B`
    Block,
    /// `N`
    Certificate,
    /// `A`
    Attachment,
    /// `S`
    State,
    /// `T`
    Tree,
    /// `Z`
    End,
}

impl Kind {
    /// The byte that stands for it.
    pub const fn byte(self) -> u8 {
        match self {
            Self::Genesis => b'G',
            Self::First => b'F',
            Self::Block => b'B',
            Self::Certificate => b'N',
            Self::Attachment => b'A',
            Self::State => b'S',
            Self::Tree => b'T',
            Self::End => b'Z',
        }
    }

    const fn of(byte: u8) -> Option<Self> {
        Some(match byte {
            b'G' => Self::Genesis,
            b'F' => Self::First,
            b'B' => Self::Block,
            b'N' => Self::Certificate,
            b'A' => Self::Attachment,
            b'S' => Self::State,
            b'T' => Self::Tree,
            b'Z' => Self::End,
            _ => return None,
        })
    }

    /// Bytes of a payload at most.
    pub const fn bytes_max(self) -> usize {
        match self {
            Self::Genesis => TRUST_BYTES_MAX,
            Self::First => 8,
            Self::Block => BLOCK_BYTES_MAX,
            Self::Certificate => NOTE_BYTES_MAX,
            Self::Attachment => ATTACHMENT_BYTES_MAX,
            Self::State => STREAM_STATE_BYTES_MAX,
            Self::Tree => STREAM_TREE_BYTES_MAX,
            Self::End => 32,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", char::from(self.byte()))
    }
}

/// A frame, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame<'a> {
    /// The genesis' text.
    Genesis(&'a [u8]),
    /// The height of the first block that follows.
    First(Height),
    /// A block's encoding (`crate::block`).
    Block(&'a [u8]),
    /// The text of the certificate of the block before it.
    Certificate(&'a [u8]),
    /// An attachment of that block.
    Attachment(&'a [u8]),
    /// A value of the newest state.
    State {
        /// Its key's text.
        key: &'a [u8],
        /// The value.
        value: &'a [u8],
    },
    /// A row of the state's tree as nodes store it.
    Tree {
        /// The node's key.
        key: &'a [u8],
        /// The node.
        node: &'a [u8],
        /// The value that the node's own height wrote, if it is a leaf and wrote one; else empty.
        value: &'a [u8],
    },
    /// The hash over all that came before.
    End([u8; 32]),
}

impl Frame<'_> {
    /// What it holds.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Genesis(_) => Kind::Genesis,
            Self::First(_) => Kind::First,
            Self::Block(_) => Kind::Block,
            Self::Certificate(_) => Kind::Certificate,
            Self::Attachment(_) => Kind::Attachment,
            Self::State { .. } => Kind::State,
            Self::Tree { .. } => Kind::Tree,
            Self::End(_) => Kind::End,
        }
    }
}

/// What is wrong with a frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StreamFault {
    /// It does not begin as a stream does.
    #[error("this is not a ledger stream of version 1: it does not begin with \"testamur-ledger/v1\"")]
    NotAStream,
    /// The bytes end before the frame, or before the end frame.
    #[error("the stream is cut off here")]
    Cut,
    /// An unknown kind.
    #[error("byte {0:#04x} stands for no kind of frame")]
    Kind(u8),
    /// A kind where it may not stand.
    #[error("frame {found} may not follow {after}")]
    Order {
        /// What was found.
        found: Kind,
        /// What came before, `the beginning` at first.
        after: Before,
    },
    /// Longer or shorter than the kind allows.
    #[error("frame {kind} has {bytes} bytes; it may have at most {bytes_max}")]
    Length {
        /// The kind.
        kind: Kind,
        /// Bytes of its payload.
        bytes: usize,
        /// Bytes that it may have.
        bytes_max: usize,
    },
    /// The payload is not of its kind's form.
    #[error("frame {0} is malformed")]
    Malformed(Kind),
    /// More attachments than a block may have.
    #[error("a block has at most {BLOCK_ATTACHMENTS_MAX} attachments")]
    TooManyAttachments,
    /// The hash at the end is another one.
    #[error("the hash at the end does not match: the stream was changed or damaged on its way")]
    Hash,
    /// Bytes after the end.
    #[error("bytes follow the end")]
    Trailing,
    /// In an answer with blocks: a frame that only files have.
    #[error("frame {0} has no place in an answer with blocks")]
    NotABlockStream(Kind),
}

/// What came before a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// Nothing.
    Beginning,
    /// A frame.
    Frame(Kind),
}

impl fmt::Display for Before {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Beginning => f.write_str("the beginning"),
            Self::Frame(kind) => write!(f, "frame {kind}"),
        }
    }
}

/// Why bytes are no stream, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("frame {number}, at byte {offset}: {fault}")]
pub struct StreamError {
    /// Number of the frame, from 0.
    pub number: u64,
    /// Where it begins, in bytes from the stream's beginning.
    pub offset: u64,
    /// What is wrong.
    pub fault: StreamFault,
}

/// Writes frames. What it returns goes out in this order.
#[derive(Debug, Clone)]
pub struct Encoder {
    hash: Sha256,
}

impl Encoder {
    /// Begins a stream: `out` gets its first bytes.
    pub fn begin(out: &mut Vec<u8>) -> Self {
        out.extend_from_slice(MAGIC);
        Self { hash: Sha256::new_with_prefix(MAGIC) }
    }

    /// Appends a frame to `out`. Order and lengths are the caller's.
    ///
    /// # Panics
    /// When a payload is longer than its kind may be: a reader would refuse it.
    pub fn frame(&mut self, frame: &Frame<'_>, out: &mut Vec<u8>) {
        let (kind, start) = (frame.kind(), out.len());
        out.extend_from_slice(&[kind.byte(), 0, 0, 0, 0]);
        match frame {
            Frame::Genesis(bytes) | Frame::Block(bytes) | Frame::Certificate(bytes) | Frame::Attachment(bytes) => {
                out.extend_from_slice(bytes);
            }
            Frame::First(height) => out.extend_from_slice(&height.0.to_be_bytes()),
            Frame::State { key, value } => {
                let length = u16::try_from(key.len()).expect("a state key is far shorter than 64 KiB");
                out.extend_from_slice(&length.to_be_bytes());
                out.extend_from_slice(key);
                out.extend_from_slice(value);
            }
            Frame::Tree { key, node, value } => {
                out.push(u8::try_from(key.len()).expect("a node key has at most 41 bytes"));
                out.extend_from_slice(key);
                out.extend_from_slice(&u32::try_from(node.len()).expect("a node is small").to_be_bytes());
                out.extend_from_slice(node);
                out.extend_from_slice(value);
            }
            Frame::End(hash) => out.extend_from_slice(hash),
        }
        let bytes = out.len() - start - FRAME_HEAD_BYTES;
        assert!(bytes <= kind.bytes_max(), "INV-STREAM-1: frame {kind} of {bytes} bytes is longer than a reader takes");
        out[start + 1..start + FRAME_HEAD_BYTES].copy_from_slice(&(bytes as u32).to_be_bytes());
        self.hash.update(&out[start..]);
    }

    /// Appends the end.
    pub fn end(mut self, out: &mut Vec<u8>) {
        let hash = self.hash.clone().finalize().into();
        self.frame(&Frame::End(hash), out);
    }
}

/// Reads frames: heads first, so that a caller knows how much to read next.
#[derive(Debug, Clone)]
pub struct Decoder {
    hash: Sha256,
    before: Before,
    attachments: usize,
    number: u64,
    offset: u64,
}

impl Decoder {
    /// Begins with a stream's first 19 bytes.
    pub fn begin(bytes: &[u8]) -> Result<Self, StreamError> {
        if bytes != MAGIC {
            return Err(StreamError { number: 0, offset: 0, fault: StreamFault::NotAStream });
        }
        let hash = Sha256::new_with_prefix(MAGIC);
        Ok(Self { hash, before: Before::Beginning, attachments: 0, number: 0, offset: MAGIC.len() as u64 })
    }

    /// Whether the end was read.
    pub fn is_complete(&self) -> bool {
        self.before == Before::Frame(Kind::End)
    }

    /// An error at the frame that is read now.
    pub fn error(&self, fault: StreamFault) -> StreamError {
        StreamError { number: self.number, offset: self.offset, fault }
    }

    /// Number of the frame that is read now, from 0.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Where the frame that is read now begins.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Kind and bytes of the payload of the next frame. A length beyond the kind's bound is refused before anything of
    /// the payload is read.
    pub fn head(&self, head: &[u8; FRAME_HEAD_BYTES]) -> Result<(Kind, usize), StreamError> {
        if self.is_complete() {
            return Err(self.error(StreamFault::Trailing));
        }
        let [byte, length @ ..] = *head;
        let kind = Kind::of(byte).ok_or_else(|| self.error(StreamFault::Kind(byte)))?;
        if !may_follow(kind, self.before) {
            return Err(self.error(StreamFault::Order { found: kind, after: self.before }));
        }
        if kind == Kind::Attachment && self.attachments == BLOCK_ATTACHMENTS_MAX {
            return Err(self.error(StreamFault::TooManyAttachments));
        }
        let (bytes, bytes_max) = (u32::from_be_bytes(length) as usize, kind.bytes_max());
        if bytes > bytes_max {
            return Err(self.error(StreamFault::Length { kind, bytes, bytes_max }));
        }
        Ok((kind, bytes))
    }

    /// Takes a frame apart. `payload` has the length that its head says.
    pub fn frame<'a>(&mut self, head: &[u8; FRAME_HEAD_BYTES], payload: &'a [u8]) -> Result<Frame<'a>, StreamError> {
        let (kind, bytes) = self.head(head)?;
        if payload.len() != bytes {
            return Err(self.error(StreamFault::Cut));
        }
        let frame = take_apart(kind, payload).ok_or_else(|| self.error(StreamFault::Malformed(kind)))?;
        if let Frame::End(hash) = frame
            && self.hash.clone().finalize()[..] != hash
        {
            return Err(self.error(StreamFault::Hash));
        }
        self.hash.update(head);
        self.hash.update(payload);
        self.attachments = if kind == Kind::Attachment { self.attachments + 1 } else { 0 };
        self.before = Before::Frame(kind);
        self.number += 1;
        self.offset += (FRAME_HEAD_BYTES + bytes) as u64;
        Ok(frame)
    }
}

/// The order of frames.
const fn may_follow(kind: Kind, before: Before) -> bool {
    let Before::Frame(before) = before else { return matches!(kind, Kind::Genesis) };
    match kind {
        Kind::Genesis => false,
        Kind::First => matches!(before, Kind::Genesis),
        Kind::Block => matches!(before, Kind::Genesis | Kind::First | Kind::Certificate | Kind::Attachment),
        Kind::Certificate => matches!(before, Kind::Block),
        Kind::Attachment => matches!(before, Kind::Certificate | Kind::Attachment),
        Kind::State => matches!(before, Kind::Certificate | Kind::Attachment | Kind::State),
        Kind::Tree => matches!(before, Kind::State | Kind::Tree),
        Kind::End => !matches!(before, Kind::Block | Kind::End),
    }
}

fn take_apart(kind: Kind, payload: &[u8]) -> Option<Frame<'_>> {
    Some(match kind {
        Kind::Genesis => Frame::Genesis(payload),
        Kind::First => {
            let height = u64::from_be_bytes(payload.try_into().ok()?);
            Frame::First(Height(height).in_range()?)
        }
        Kind::Block => Frame::Block(payload),
        Kind::Certificate => Frame::Certificate(payload),
        Kind::Attachment => Frame::Attachment(payload),
        Kind::State => {
            let (length, rest) = payload.split_first_chunk::<2>()?;
            let (key, value) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
            Frame::State { key, value }
        }
        Kind::Tree => {
            let (length, rest) = payload.split_first()?;
            let (key, rest) = rest.split_at_checked(usize::from(*length))?;
            let (length, rest) = rest.split_first_chunk::<4>()?;
            let (node, value) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
            Frame::Tree { key, node, value }
        }
        Kind::End => Frame::End(payload.try_into().ok()?),
    })
}

impl Height {
    /// Height 0 is genesis, which is no block; and no height is beyond what JSON integers hold.
    fn in_range(self) -> Option<Self> {
        (1..=JSON_INTEGER_MAX).contains(&self.0).then_some(self)
    }
}

/// Takes a whole stream apart.
pub fn decode(bytes: &[u8]) -> Result<Vec<Frame<'_>>, StreamError> {
    let not_a_stream = || StreamError { number: 0, offset: 0, fault: StreamFault::NotAStream };
    let (magic, mut rest) = bytes.split_at_checked(MAGIC.len()).ok_or_else(not_a_stream)?;
    let mut decoder = Decoder::begin(magic)?;
    let mut frames = Vec::new();
    while !decoder.is_complete() {
        let (head, after) = rest.split_first_chunk().ok_or_else(|| decoder.error(StreamFault::Cut))?;
        let (_, length) = decoder.head(head)?;
        let (payload, after) = after.split_at_checked(length).ok_or_else(|| decoder.error(StreamFault::Cut))?;
        frames.push(decoder.frame(head, payload)?);
        rest = after;
    }
    if rest.is_empty() { Ok(frames) } else { Err(decoder.error(StreamFault::Trailing)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::sha256;
    use crate::hash::GenesisHash;

    fn all_kinds() -> Vec<u8> {
        let mut out = Vec::new();
        let mut encoder = Encoder::begin(&mut out);
        for frame in [
            Frame::Genesis(b"{}"),
            Frame::First(Height(7)),
            Frame::Block(b"block 7"),
            Frame::Certificate(b"note 7"),
            Frame::Block(b"block 8"),
            Frame::Certificate(b"note 8"),
            Frame::Attachment(b"one"),
            Frame::Attachment(b""),
            Frame::State { key: b"writer/a/1", value: b"{}" },
            Frame::State { key: b"writer/a/head", value: b"{}" },
            Frame::Tree { key: b"key", node: b"node", value: b"" },
            Frame::Tree { key: b"key", node: b"node", value: b"value" },
        ] {
            encoder.frame(&frame, &mut out);
        }
        encoder.end(&mut out);
        out
    }

    /// INV-STREAM-1: what decodes encodes to the same bytes.
    #[test]
    fn what_is_written_is_read_again() {
        let bytes = all_kinds();
        let frames = decode(&bytes).unwrap();
        assert_eq!(frames.len(), 13);
        assert_eq!(frames[1], Frame::First(Height(7)));
        assert_eq!(frames[11], Frame::Tree { key: b"key", node: b"node", value: b"value" });
        let mut again = Vec::new();
        let mut encoder = Encoder::begin(&mut again);
        frames[..12].iter().for_each(|frame| encoder.frame(frame, &mut again));
        encoder.end(&mut again);
        assert_eq!(again, bytes);
    }

    /// Goal: no damage passes. Method: every single bit flipped, every length cut, a byte too many.
    #[test]
    fn every_flipped_bit_and_every_cut_is_refused() {
        let bytes = all_kinds();
        for position in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[position] ^= 1 << bit;
                assert!(decode(&flipped).is_err(), "bit {bit} of byte {position}");
            }
            assert!(decode(&bytes[..position]).is_err(), "cut at {position}");
        }
        let error = decode(&bytes[..bytes.len() - 1]).unwrap_err();
        assert_eq!((error.number, error.fault), (12, StreamFault::Cut));
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(decode(&longer).unwrap_err().fault, StreamFault::Trailing);
    }

    #[test]
    fn frames_out_of_order_or_too_long_are_refused_with_their_place() {
        let head = |kind: u8, length: u32| {
            let mut head = [kind, 0, 0, 0, 0];
            head[1..].copy_from_slice(&length.to_be_bytes());
            head
        };
        let mut decoder = Decoder::begin(MAGIC).unwrap();
        let fault = |decoder: &Decoder, kind, length| decoder.head(&head(kind, length)).unwrap_err().fault;
        assert_eq!(fault(&decoder, b'B', 1), StreamFault::Order { found: Kind::Block, after: Before::Beginning });
        assert_eq!(fault(&decoder, b'X', 1), StreamFault::Kind(b'X'));
        decoder.frame(&head(b'G', 2), b"{}").unwrap();
        let (bytes, bytes_max) = (u32::MAX as usize, BLOCK_BYTES_MAX);
        assert_eq!(fault(&decoder, b'B', u32::MAX), StreamFault::Length { kind: Kind::Block, bytes, bytes_max });
        assert_eq!(
            fault(&decoder, b'S', 1),
            StreamFault::Order { found: Kind::State, after: Before::Frame(Kind::Genesis) }
        );
        decoder.frame(&head(b'B', 0), b"").unwrap();
        let error = decoder.head(&head(b'Z', 32)).unwrap_err();
        assert_eq!((error.number, error.offset), (2, 19 + 7 + 5));
        assert_eq!(error.to_string(), "frame 2, at byte 31: frame Z may not follow frame B");
        decoder.frame(&head(b'N', 0), b"").unwrap();
        for _ in 0..BLOCK_ATTACHMENTS_MAX {
            decoder.frame(&head(b'A', 0), b"").unwrap();
        }
        assert_eq!(fault(&decoder, b'A', 0), StreamFault::TooManyAttachments);
        assert_eq!(decode(b"testamur-ledger/v2\n").unwrap_err().fault, StreamFault::NotAStream);
        let mut zero = Decoder::begin(MAGIC).unwrap();
        zero.frame(&head(b'G', 0), b"").unwrap();
        assert_eq!(zero.frame(&head(b'F', 8), &[0; 8]).unwrap_err().fault, StreamFault::Malformed(Kind::First));
    }

    #[test]
    fn an_answer_holds_blocks_only() {
        let error = read_blocks(&all_kinds()).unwrap_err();
        assert_eq!(error.fault, StreamFault::Malformed(Kind::Certificate));
        let empty = write_blocks(b"{}", Height(9), &[]);
        let read = read_blocks(&empty).unwrap();
        assert_eq!((read.first, read.blocks.len()), (Height(9), 0));
        assert_eq!(read.genesis, GenesisHash::from_bytes(sha256(&[b"testamur/genesis/v1\n", b"{}"])));
    }
}
