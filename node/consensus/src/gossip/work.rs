//! What messages between nodes ask for.

use bytes::Bytes;
use testamur_primitives::block::split_entry;
use testamur_primitives::hash::AttachmentHash;
use testamur_primitives::limits::ATTACHMENT_BYTES_MAX;

use super::GossipNode;
use crate::metrics::Counters;

/// What a message asks of this node.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Work {
    Bundle(Bytes),
    Attached(Bytes, Bytes),
    Wanted(AttachmentHash),
}

impl Work {
    pub(super) fn read(message: &Bytes) -> Option<Self> {
        let (kind, rest) = message.split_first()?;
        match kind {
            1 => Some(Self::Bundle(message.slice(1..))),
            2 => {
                let (record, attachment) = split_entry(rest)?;
                let within = attachment.len() <= ATTACHMENT_BYTES_MAX;
                within.then(|| Self::Attached(message.slice_ref(record), message.slice_ref(attachment)))
            }
            3 => AttachmentHash::from_slice(rest).map(Self::Wanted),
            _ => None,
        }
    }

    /// Does it; the answer, unless a hello will do.
    pub(super) fn done(self, node: &dyn GossipNode, counters: &Counters) -> Option<Bytes> {
        match self {
            Self::Bundle(bundle) => {
                let records = records(&bundle);
                Counters::add(&counters.gossip_records, records.len() as u64);
                node.receive(&records);
                None
            }
            Self::Attached(record, attachment) => {
                Counters::add(&counters.gossip_records, 1);
                node.receive_attached(&record, attachment);
                None
            }
            Self::Wanted(attachment) => {
                let bytes = node.attachment(&attachment)?;
                Some([&[4], &bytes[..]].concat().into())
            }
        }
    }
}

/// The records of a bundle; what is cut off at its end is left out.
pub(super) fn records(bundle: &[u8]) -> Vec<&[u8]> {
    let (mut records, mut rest) = (Vec::new(), bundle);
    while let Some((record, after)) = split_entry(rest) {
        records.push(record);
        rest = after;
    }
    records
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::GOSSIP_MESSAGE_BYTES_MAX;

    #[test]
    fn messages_are_read_or_refused() {
        let read = |message: &[u8]| Work::read(&Bytes::copy_from_slice(message));
        assert_eq!(read(&[1, 0, 1, 7]), Some(Work::Bundle(Bytes::from_static(&[0, 1, 7]))));
        let attached = Work::Attached(Bytes::from_static(b"ab"), Bytes::from_static(b"cde"));
        assert_eq!(read(b"\x02\0\x02abcde"), Some(attached));
        assert_eq!(read(&[&[3][..], &[5; 32]].concat()), Some(Work::Wanted(AttachmentHash::from_bytes([5; 32]))));
        let long = [&[2, 0, 1, 7][..], &vec![0; ATTACHMENT_BYTES_MAX + 1]].concat();
        for bad in [&[][..], &[3; 32], &[3; 34], &[2, 0], &[2, 0, 9, 1], &[4, 1], &[9], &long] {
            assert_eq!(read(bad), None, "{:02x?}", &bad[..bad.len().min(40)]);
        }
        let largest = [&[2, 0xff, 0xff][..], &vec![0; 65_535 + ATTACHMENT_BYTES_MAX]].concat();
        assert!(largest.len() == GOSSIP_MESSAGE_BYTES_MAX && read(&largest).is_some());
    }
}
