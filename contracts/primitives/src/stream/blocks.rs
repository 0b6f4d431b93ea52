//! Blocks in a row: the part of a stream that nodes hand to who follows them.

use super::{Encoder, FRAME_HEAD_BYTES, Frame, MAGIC, StreamError, StreamFault, decode};
use crate::codec::sha256;
use crate::hash::GenesisHash;
use crate::note::Note;
use crate::units::Height;

/// Some blocks in a row, as a node hands them to who follows it. Nothing of them is verified but their form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockStream {
    /// Hash of the genesis that they claim.
    pub genesis: GenesisHash,
    /// Height of the first one.
    pub first: Height,
    /// The blocks.
    pub blocks: Vec<StreamedBlock>,
}

/// A block with what shows that it was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamedBlock {
    /// The block's encoding (`crate::block`).
    pub block: Vec<u8>,
    /// Its certificate as the sender froze it.
    pub certificate: Note,
    /// Those attachments of its records that the sender holds.
    pub attachments: Vec<Vec<u8>>,
}

impl StreamedBlock {
    /// Bytes of its frames.
    pub fn encoded_len(&self) -> usize {
        let attachments = self.attachments.iter().map(|attachment| FRAME_HEAD_BYTES + attachment.len()).sum::<usize>();
        2 * FRAME_HEAD_BYTES + self.block.len() + self.certificate.to_string().len() + attachments
    }
}

/// Writes blocks as [`read_blocks`] reads them. `genesis` is its JCS.
pub fn write_blocks(genesis: &[u8], first: Height, blocks: &[StreamedBlock]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = Encoder::begin(&mut out);
    encoder.frame(&Frame::Genesis(genesis), &mut out);
    encoder.frame(&Frame::First(first), &mut out);
    for block in blocks {
        encoder.frame(&Frame::Block(&block.block), &mut out);
        encoder.frame(&Frame::Certificate(block.certificate.to_string().as_bytes()), &mut out);
        for attachment in &block.attachments {
            encoder.frame(&Frame::Attachment(attachment), &mut out);
        }
    }
    encoder.end(&mut out);
    out
}

/// Reads an answer with blocks. Whether they follow one another, and were decided, is for the caller to verify.
pub fn read_blocks(bytes: &[u8]) -> Result<BlockStream, StreamError> {
    let frames = decode(bytes)?;
    let at = |number: usize, fault| {
        let before = frames[..number].iter().map(|frame| FRAME_HEAD_BYTES + payload_bytes(frame)).sum::<usize>();
        StreamError { number: number as u64, offset: (MAGIC.len() + before) as u64, fault }
    };
    let mut stream = BlockStream { genesis: GenesisHash::ZERO, first: Height(1), blocks: Vec::new() };
    for (number, frame) in frames.iter().enumerate() {
        let malformed = || at(number, StreamFault::Malformed(frame.kind()));
        match *frame {
            Frame::Genesis(text) => {
                stream.genesis = GenesisHash::from_bytes(sha256(&[b"testamur/genesis/v1\n", text]));
            }
            Frame::First(height) => stream.first = height,
            Frame::Block(block) => stream.blocks.push(StreamedBlock {
                block: block.to_vec(),
                certificate: Note { text: String::new(), signatures: Vec::new() },
                attachments: Vec::new(),
            }),
            Frame::Certificate(text) => {
                let block = stream.blocks.last_mut().expect("a certificate follows a block");
                block.certificate = Note::parse(text).map_err(|_| malformed())?;
            }
            Frame::Attachment(bytes) => {
                stream.blocks.last_mut().expect("an attachment follows a block").attachments.push(bytes.to_vec());
            }
            Frame::State { .. } | Frame::Tree { .. } => {
                return Err(at(number, StreamFault::NotABlockStream(frame.kind())));
            }
            Frame::End(_) => {}
        }
    }
    Ok(stream)
}

fn payload_bytes(frame: &Frame<'_>) -> usize {
    match frame {
        Frame::Genesis(bytes) | Frame::Block(bytes) | Frame::Certificate(bytes) | Frame::Attachment(bytes) => {
            bytes.len()
        }
        Frame::First(_) => 8,
        Frame::State { key, value } => 2 + key.len() + value.len(),
        Frame::Tree { key, node, value } => 1 + key.len() + 4 + node.len() + value.len(),
        Frame::End(_) => 32,
    }
}
