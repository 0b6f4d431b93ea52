//! A block: a header and the records it appends.
//!
//! | bytes | what |
//! |---|---|
//! | 4 | length of the header's text, big-endian |
//! | … | the header's text |
//! | 2 + … | each record: length big-endian, then its bytes (the form of C2SP entry bundles) |
//!
//! Between nodes a block travels with the attachments of its records beside it ([`encode_value`]). They are no part of
//! the block, of what is voted on, or of the log: the records name them by SHA-256.
//!
//! | bytes | what |
//! |---|---|
//! | 4 | length of the block, big-endian |
//! | … | the block |
//! | 4 + … | each attachment: length big-endian, then its bytes |

use crate::codec::CodecError;
use crate::header::Header;
use crate::limits::{
    BLOCK_ATTACHMENTS_BYTES_MAX, BLOCK_ATTACHMENTS_MAX, BLOCK_BYTES_MAX, BLOCK_RECORDS_MAX, HEADER_BYTES_MAX,
};
use crate::record::{Record, RecordError};

/// A header and its records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The header.
    pub header: Header,
    /// The records, in log order.
    pub records: Vec<Record>,
}

/// Why bytes are not a block.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// Too many bytes or records.
    #[error("the block is larger than allowed")]
    TooLarge,
    /// Lengths do not fit the bytes.
    #[error("the block is cut short or malformed")]
    Malformed,
    /// The header.
    #[error("block header: {0}")]
    Header(CodecError),
    /// A record.
    #[error("record {index} of the block: {error}")]
    Record {
        /// Which record.
        index: usize,
        /// What is wrong.
        error: RecordError,
    },
}

impl Block {
    /// The encoding.
    pub fn encode(&self) -> Vec<u8> {
        let header = self.header.encode();
        let mut bytes = Vec::with_capacity(self.encoded_len_with(header.len()));
        bytes.extend_from_slice(&(header.len() as u32).to_be_bytes());
        bytes.extend_from_slice(&header);
        for record in &self.records {
            push_entry(&mut bytes, record.as_bytes());
        }
        bytes
    }

    /// Bytes of the encoding.
    pub fn encoded_len(&self) -> usize {
        self.encoded_len_with(self.header.encode().len())
    }

    fn encoded_len_with(&self, header_bytes: usize) -> usize {
        4 + header_bytes + self.records.iter().map(|r| 2 + r.as_bytes().len()).sum::<usize>()
    }

    /// Reads a block; the form of header and records is checked, nothing else.
    pub fn decode(bytes: &[u8]) -> Result<Self, BlockError> {
        Self::decode_with(bytes, Record::parse)
    }

    /// Reads a block, taking records from `parse`, so that records that are already known need not be parsed again.
    /// `parse` must return a record with exactly the bytes that it was given.
    pub fn decode_with(
        bytes: &[u8],
        mut parse: impl FnMut(&[u8]) -> Result<Record, RecordError>,
    ) -> Result<Self, BlockError> {
        if bytes.len() > BLOCK_BYTES_MAX {
            return Err(BlockError::TooLarge);
        }
        let (length, rest) = bytes.split_first_chunk::<4>().ok_or(BlockError::Malformed)?;
        let length = u32::from_be_bytes(*length) as usize;
        if length > HEADER_BYTES_MAX || length > rest.len() {
            return Err(BlockError::Malformed);
        }
        let (header, mut rest) = rest.split_at(length);
        let header = Header::decode(header).map_err(BlockError::Header)?;
        let mut records = Vec::new();
        while !rest.is_empty() {
            let (entry, after) = split_entry(rest).ok_or(BlockError::Malformed)?;
            if records.len() == BLOCK_RECORDS_MAX {
                return Err(BlockError::TooLarge);
            }
            let record = parse(entry).map_err(|error| BlockError::Record { index: records.len(), error })?;
            records.push(record);
            rest = after;
        }
        Ok(Self { header, records })
    }
}

/// A block with the attachments beside it, as they travel.
pub fn encode_value(block: &[u8], attachments: &[impl AsRef<[u8]>]) -> Vec<u8> {
    let length =
        |bytes: &[u8]| u32::try_from(bytes.len()).expect("blocks and attachments are far below 4 GiB").to_be_bytes();
    let bytes = 4 + block.len() + attachments.iter().map(|a| 4 + a.as_ref().len()).sum::<usize>();
    let mut value = Vec::with_capacity(bytes);
    value.extend_from_slice(&length(block));
    value.extend_from_slice(block);
    for attachment in attachments {
        value.extend_from_slice(&length(attachment.as_ref()));
        value.extend_from_slice(attachment.as_ref());
    }
    debug_assert_eq!(value.len(), bytes, "as much as was set aside");
    value
}

/// Takes a block and the attachments beside it apart. Nothing is read but the lengths.
pub fn split_value(value: &[u8]) -> Result<(&[u8], Vec<&[u8]>), BlockError> {
    fn split(bytes: &[u8]) -> Result<(&[u8], &[u8]), BlockError> {
        let (length, rest) = bytes.split_first_chunk::<4>().ok_or(BlockError::Malformed)?;
        rest.split_at_checked(u32::from_be_bytes(*length) as usize).ok_or(BlockError::Malformed)
    }
    let (block, mut rest) = split(value)?;
    let (mut attachments, mut bytes) = (Vec::new(), 0);
    while !rest.is_empty() {
        let (attachment, after) = split(rest)?;
        bytes += attachment.len();
        if attachments.len() == BLOCK_ATTACHMENTS_MAX || bytes > BLOCK_ATTACHMENTS_BYTES_MAX {
            return Err(BlockError::TooLarge);
        }
        attachments.push(attachment);
        rest = after;
    }
    if block.len() > BLOCK_BYTES_MAX { Err(BlockError::TooLarge) } else { Ok((block, attachments)) }
}

/// Appends an entry in the form of C2SP entry bundles.
///
/// # Panics
/// When the entry is longer than a record may be.
pub fn push_entry(bundle: &mut Vec<u8>, entry: &[u8]) {
    let length = u16::try_from(entry.len()).expect("a record has at most 65,535 bytes");
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
}

/// Takes the first entry of a bundle.
pub fn split_entry(bundle: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bundle.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_splits_into_what_it_was_made_of() {
        for attachments in [vec![], vec![vec![1; 16_384]], vec![vec![1; 16_384], vec![], vec![2; 262_144]]] {
            let value = encode_value(b"a block", &attachments);
            let (block, found) = split_value(&value).unwrap();
            assert_eq!((block, found), (&b"a block"[..], attachments.iter().map(Vec::as_slice).collect()));
            for end in [0, 3, 10, value.len() - 1] {
                let cut = split_value(&value[..end]);
                assert!(cut.is_err(), "cut at {end}: {cut:?}");
            }
        }
        let too_many = encode_value(b"", &[[0u8; 0]; BLOCK_ATTACHMENTS_MAX + 1]);
        assert_eq!(split_value(&too_many), Err(BlockError::TooLarge));
        let too_long = encode_value(b"", &vec![vec![0; 262_144]; 5]);
        assert_eq!(split_value(&too_long), Err(BlockError::TooLarge));
        assert_eq!(
            split_value(&encode_value(&vec![0; BLOCK_BYTES_MAX + 1], &[[0u8; 0]; 0])),
            Err(BlockError::TooLarge)
        );
    }
}
