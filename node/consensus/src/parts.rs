//! Blocks on their way: cut into parts by a proposer, put together again by the others.
//!
//! Attachments travel behind the block in the same parts. Parts are unsigned. What binds them to a proposal is the value in `Init`: a block counts only if it is valid and
//! its header gives exactly that value, and the engine accepts a value only under a signed proposal. So a wrong part
//! can waste memory, never change a decision, and memory is bounded: per publisher (an allow-listed validator peer),
//! in streams and in bytes.

use std::collections::{BTreeMap, HashMap};

use arc_malachitebft_app_channel::app::streaming::{StreamContent, StreamId, StreamMessage};
use arc_malachitebft_app_channel::app::types::PeerId;
use bytes::{Bytes, BytesMut};
use testamur_primitives::checkpoint::ValueId;
use testamur_primitives::codec::sha256;
use testamur_primitives::hash::Address;
use testamur_primitives::limits::VALUE_BYTES_MAX;
use testamur_primitives::units::{Height, Round};

use crate::context::Part;
use crate::limits::{PART_BYTES, STREAMS_PER_PUBLISHER_MAX};

/// A proposal whose parts are complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Streamed {
    /// Height.
    pub height: Height,
    /// Round.
    pub round: Round,
    /// The round that justifies proposing it again.
    pub valid_round: Option<Round>,
    /// Who proposes.
    pub proposer: Address,
    /// The value that the block must have.
    pub value: ValueId,
    /// The value's bytes: the block, and its attachments beside it.
    pub bytes: Bytes,
}

impl Streamed {
    /// The parts of this proposal, as a stream of its own.
    pub fn to_parts(&self, stream: [u8; 16]) -> Vec<StreamMessage<Part>> {
        let init = Part::Init {
            height: self.height,
            round: self.round,
            valid_round: self.valid_round,
            proposer: self.proposer,
            value: self.value,
            size: u32::try_from(self.bytes.len()).expect("a value has at most 3 MiB and its lengths"),
        };
        let chunks = (0..self.bytes.len()).step_by(PART_BYTES);
        let data = chunks.map(|at| Part::Data(self.bytes.slice(at..self.bytes.len().min(at + PART_BYTES))));
        let fin = Part::Fin(sha256(&[&self.bytes]));
        let id = StreamId::new(Bytes::copy_from_slice(&stream));
        let mut messages: Vec<_> = std::iter::once(init)
            .chain(data)
            .chain([fin])
            .zip(0..)
            .map(|(part, sequence)| StreamMessage::new(id.clone(), sequence, StreamContent::Data(part)))
            .collect();
        messages.push(StreamMessage::new(id, messages.len() as u64, StreamContent::Fin));
        messages
    }
}

/// What became of a part.
#[derive(Debug, PartialEq, Eq)]
pub enum Received {
    /// More are needed.
    Incomplete,
    /// The whole proposal is here.
    Complete(Streamed),
    /// The part, and with it its stream, is refused.
    Refused(&'static str),
}

/// Streams being put together.
#[derive(Debug, Default)]
pub struct Streams {
    open: HashMap<(PeerId, [u8; 16]), Stream>,
}

#[derive(Debug, Default)]
struct Stream {
    /// Order of arrival among a publisher's streams.
    number: u64,
    parts: BTreeMap<u64, Part>,
    bytes: usize,
}

impl Streams {
    /// Takes a part. `wanted` says whether a proposal of this height, round and proposer is wanted at all.
    pub fn receive(
        &mut self,
        publisher: PeerId,
        message: StreamMessage<Part>,
        wanted: impl FnOnce(Height, Round, Address) -> Result<(), &'static str>,
    ) -> Received {
        let Ok(id) = <[u8; 16]>::try_from(message.stream_id.to_bytes().as_ref()) else {
            return Received::Refused("a stream id has 16 bytes");
        };
        let key = (publisher, id);
        let StreamContent::Data(part) = message.content else {
            return Received::Incomplete; // `Fin` of the stream: the part `Fin` before it says the same
        };
        let refuse = |streams: &mut Self, reason| {
            streams.open.remove(&key);
            Received::Refused(reason)
        };
        if let Part::Init { height, round, proposer, size, .. } = &part {
            if *size as usize > VALUE_BYTES_MAX {
                return refuse(self, "the block and its attachments are larger than allowed");
            }
            if let Err(reason) = wanted(*height, *round, *proposer) {
                return refuse(self, reason);
            }
        }
        // Init, data, fin: nothing has a higher sequence than the parts of the largest value.
        if message.sequence > (VALUE_BYTES_MAX.div_ceil(PART_BYTES) + 1) as u64 {
            return refuse(self, "more parts than a block can have");
        }
        if !self.open.contains_key(&key) {
            self.make_room(publisher);
            let number = self.open.values().map(|s| s.number + 1).max().unwrap_or(0);
            self.open.insert(key, Stream { number, ..Stream::default() });
        }
        let stream = self.open.get_mut(&key).expect("inserted above");
        if let Part::Data(bytes) = &part {
            stream.bytes += bytes.len();
        }
        if stream.bytes > VALUE_BYTES_MAX || stream.parts.insert(message.sequence, part).is_some() {
            return refuse(self, "a part twice, or more bytes than allowed");
        }
        match stream.assemble() {
            Ok(None) => Received::Incomplete,
            Ok(Some(streamed)) => {
                self.open.remove(&key);
                Received::Complete(streamed)
            }
            Err(reason) => refuse(self, reason),
        }
    }

    /// Forgets streams for heights at or below the tip, and those that have not said what they are.
    pub fn prune(&mut self, tip: Height) {
        self.open.retain(|_, stream| matches!(stream.parts.get(&0), Some(Part::Init { height, .. }) if *height > tip));
    }

    /// Drops the publisher's oldest stream when it has as many as it may.
    fn make_room(&mut self, publisher: PeerId) {
        let own = self.open.iter().filter(|((peer, _), _)| *peer == publisher);
        if own.clone().count() >= STREAMS_PER_PUBLISHER_MAX {
            let oldest = own.min_by_key(|(_, stream)| stream.number).map(|(key, _)| *key);
            oldest.and_then(|key| self.open.remove(&key));
        }
    }
}

impl Stream {
    fn assemble(&self) -> Result<Option<Streamed>, &'static str> {
        let (Some((_, first)), Some((last_at, last))) = (self.parts.first_key_value(), self.parts.last_key_value())
        else {
            return Ok(None);
        };
        let Part::Fin(hash) = last else { return Ok(None) };
        if *last_at + 1 != self.parts.len() as u64 {
            return Ok(None); // some are on their way
        }
        let Part::Init { height, round, valid_round, proposer, value, size } = first else {
            return Err("the first part does not say what follows");
        };
        if *size as usize != self.bytes {
            return Err("the parts have another size than announced");
        }
        let mut bytes = BytesMut::with_capacity(self.bytes);
        for part in self.parts.values().skip(1).take(self.parts.len() - 2) {
            let Part::Data(data) = part else { return Err("parts are out of order") };
            bytes.extend_from_slice(data);
        }
        if sha256(&[&bytes]) != *hash {
            return Err("the parts have another hash than announced");
        }
        Ok(Some(Streamed {
            height: *height,
            round: *round,
            valid_round: *valid_round,
            proposer: *proposer,
            value: *value,
            bytes: bytes.freeze(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use testamur_primitives::hash::{HeaderHash, TreeHash};
    use testamur_primitives::units::{LogSize, UnixTime};

    use super::*;

    fn streamed(size: usize) -> Streamed {
        let value =
            ValueId { log_size: LogSize(1), log_root: TreeHash::ZERO, time: UnixTime(7), header: HeaderHash::ZERO };
        let bytes: Vec<u8> = (0..size).map(|i| (i % 251) as u8).collect();
        Streamed {
            height: Height(5),
            round: Round(1),
            valid_round: Some(Round(0)),
            proposer: Address::ZERO,
            value,
            bytes: bytes.into(),
        }
    }

    fn peer(number: u8) -> PeerId {
        let mut multihash = vec![0x12, 32];
        multihash.extend([number; 32]);
        PeerId::from_bytes(&multihash).expect("a multihash")
    }

    #[test]
    fn any_order_of_parts_gives_the_block() {
        for size in [0, 1, PART_BYTES, PART_BYTES + 1, VALUE_BYTES_MAX] {
            let sent = streamed(size);
            let mut messages = sent.to_parts([1; 16]);
            messages.reverse();
            messages.rotate_left(1);
            let mut streams = Streams::default();
            let complete: Vec<_> = messages
                .into_iter()
                .map(|m| streams.receive(peer(1), m, |_, _, _| Ok(())))
                .filter(|r| *r != Received::Incomplete)
                .collect();
            assert_eq!(complete, [Received::Complete(sent)], "{size} bytes");
            assert!(streams.open.is_empty());
        }
    }

    #[test]
    fn a_changed_or_foreign_part_refuses_the_stream() {
        let sent = streamed(3 * PART_BYTES);
        let mut streams = Streams::default();
        let mut refused = None;
        for (at, mut message) in sent.to_parts([1; 16]).into_iter().enumerate() {
            if at == 2 {
                let other = Bytes::from(vec![9; PART_BYTES]);
                message.content = StreamContent::Data(Part::Data(other));
            }
            if let Received::Refused(reason) = streams.receive(peer(1), message, |_, _, _| Ok(())) {
                refused = Some(reason);
            }
        }
        assert_eq!(refused, Some("the parts have another hash than announced"));
        let init = sent.to_parts([2; 16]).remove(0);
        assert_eq!(
            streams.receive(peer(1), init, |_, _, _| Err("not the proposer of this round")),
            Received::Refused("not the proposer of this round")
        );
    }

    #[test]
    fn one_publisher_fills_only_its_own_share() {
        let sent = streamed(2 * PART_BYTES);
        let mut streams = Streams::default();
        let victim = sent.to_parts([0; 16]);
        streams.receive(peer(2), victim[0].clone(), |_, _, _| Ok(()));
        for number in 0..100 {
            streams.receive(peer(1), sent.to_parts([number; 16]).remove(1), |_, _, _| Ok(()));
        }
        assert_eq!(streams.open.len(), STREAMS_PER_PUBLISHER_MAX + 1);
        for message in &victim[1..3] {
            assert_eq!(streams.receive(peer(2), message.clone(), |_, _, _| Ok(())), Received::Incomplete);
        }
        let last = streams.receive(peer(2), victim[3].clone(), |_, _, _| Ok(()));
        assert_eq!(last, Received::Complete(sent));
        streams.prune(Height(5));
        assert!(streams.open.is_empty());
    }
}
