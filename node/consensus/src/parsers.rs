//! What reads bytes that peers send or a disk hands back, as functions of bytes alone: for fuzzing.
//!
//! **Promises.** Each answers any bytes without panicking, and what it accepts it writes again byte for byte.

use std::sync::{Arc, LazyLock, RwLock};

use arc_malachitebft_app_channel::app::consensus::LivenessMsg;
use arc_malachitebft_app_channel::app::streaming::StreamMessage;
use arc_malachitebft_app_channel::app::types::codec::Codec;
use arc_malachitebft_app_channel::app::types::core::{PolkaCertificate, ValidatorProof};
use arc_malachitebft_app_channel::app::types::{PeerId, ProposedValue, SignedConsensusMsg};
use arc_malachitebft_sync as sync;
use bytes::Bytes;
use testamur_primitives::checkpoint::ValueId;
use testamur_primitives::hash::Address;
use testamur_primitives::units::{Height, Round};

use crate::codec::{CodecError, WireCodec};
use crate::context::{EngineKey, Members, Network, Part};
use crate::parts::{Received, Streamed, Streams};
use crate::sets::Sets;
use crate::wake::Wake;
use crate::{gossip, guard};

/// A reader and inputs that it accepts.
#[derive(Debug, Clone, Copy)]
pub struct Parser {
    /// Its name.
    pub name: &'static str,
    /// Reads bytes; panics only where a promise is broken.
    pub run: fn(&[u8]),
    /// Inputs that it accepts.
    pub corpus: fn() -> Vec<Vec<u8>>,
}

/// All of this crate. Length-prefixed lists (`pieces`) stand where a reader takes several messages.
pub const PARSERS: [Parser; 13] = [
    Parser { name: "engine-message", run: again::<SignedConsensusMsg<Network>>, corpus: votes },
    Parser { name: "engine-liveness", run: again::<LivenessMsg<Network>>, corpus: liveness },
    Parser { name: "engine-polka", run: again::<PolkaCertificate<Network>>, corpus: polkas },
    Parser { name: "engine-proof", run: again::<ValidatorProof<Network>>, corpus: proofs },
    Parser { name: "engine-log-proposal", run: again::<ProposedValue<Network>>, corpus: proposals },
    Parser { name: "sync-status", run: status, corpus: statuses },
    Parser { name: "sync-request", run: again::<sync::Request<Network>>, corpus: requests },
    Parser { name: "sync-response", run: again::<sync::Response<Network>>, corpus: responses },
    Parser { name: "proposal-part", run: again::<Part>, corpus: parts },
    Parser { name: "proposal-message", run: again::<StreamMessage<Part>>, corpus: messages },
    Parser { name: "proposal-stream", run: streamed, corpus: streams },
    Parser { name: "gossip-message", run: gossip::parse, corpus: gossips },
    Parser { name: "guard-file", run: guard::parse, corpus: guards },
];

/// With a set of one member, whose key is 32 times 1.
static CODEC: LazyLock<WireCodec> = LazyLock::new(|| {
    let members = Members::from_keys(vec![(Address::ZERO, EngineKey([1; 32]))]);
    let sets = Sets::from_members(Height(1), members, None);
    WireCodec::new(Arc::new(Wake::default()), Arc::new(RwLock::new(sets)))
});

fn again<T>(bytes: &[u8])
where
    WireCodec: Codec<T, Error = CodecError>,
{
    let read: Result<T, _> = CODEC.decode(Bytes::copy_from_slice(bytes));
    if let Ok(message) = read {
        let written = CODEC.encode(&message).expect("what was read can be written");
        assert_eq!(written, bytes, "a message has one form");
    }
}

/// A peer's id has several encodings (its multihash's numbers); what is written again is read as the same.
fn status(bytes: &[u8]) {
    let read: Result<sync::Status<Network>, _> = CODEC.decode(Bytes::copy_from_slice(bytes));
    if let Ok(status) = read {
        let written = CODEC.encode(&status).expect("what was read can be written");
        let again: sync::Status<Network> = CODEC.decode(written).expect("what was written is read");
        assert_eq!((again.peer_id, again.tip_height), (status.peer_id, status.tip_height));
    }
}

/// The pieces of an input: each behind its length, two bytes, big-endian; what is cut off is a piece too.
pub(crate) fn pieces(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = bytes.split_first_chunk::<2>()?;
        let (piece, rest) = rest.split_at(usize::from(u16::from_be_bytes(*length)).min(rest.len()));
        bytes = rest;
        Some(piece)
    })
}

fn joined(pieces: &[Vec<u8>]) -> Vec<u8> {
    let length = |piece: &[u8]| u16::try_from(piece.len()).expect("pieces are short").to_be_bytes();
    pieces.iter().flat_map(|piece| [&length(piece), piece.as_slice()].concat()).collect()
}

/// Proposals put together out of any messages of two peers hash to what they announced.
fn streamed(bytes: &[u8]) {
    let mut streams = Streams::default();
    for (number, piece) in pieces(bytes).enumerate().take(64) {
        let read: Result<StreamMessage<Part>, _> = CODEC.decode(Bytes::copy_from_slice(piece));
        let Ok(message) = read else { continue };
        let wanted = |height: Height, _, _| if height.get() < 1_000 { Ok(()) } else { Err("far") };
        if let Received::Complete(streamed) = streams.receive(peer(u8::from(number % 7 == 0)), message, wanted) {
            assert!(streamed.height.get() < 1_000, "only what is wanted is put together");
        }
        if number % 16 == 15 {
            streams.prune(Height(3));
        }
    }
}

fn peer(number: u8) -> PeerId {
    PeerId::from_bytes(&[&[0x12, 32][..], &[number; 32]].concat()).expect("a multihash")
}

fn proposal() -> Vec<StreamMessage<Part>> {
    let streamed = Streamed {
        height: Height(5),
        round: Round(1),
        valid_round: Some(Round(0)),
        proposer: Address::ZERO,
        value: ValueId::from_bytes(&[3; ValueId::BYTES]),
        bytes: vec![7; 300].into(),
    };
    streamed.to_parts([1; 16])
}

fn encoded<T>(message: &T) -> Vec<u8>
where
    WireCodec: Codec<T, Error = CodecError>,
{
    CODEC.encode(message).expect("it can be written").to_vec()
}

/// A vote in the form of the wire: kind, height, round, value, validator, signature.
fn vote(kind: u8, value: Option<u8>) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend(3u64.to_le_bytes());
    bytes.extend(1u32.to_le_bytes());
    bytes.push(value.is_some().into());
    bytes.extend(value.iter().flat_map(|byte| [*byte; ValueId::BYTES]));
    bytes.extend([2; 32]);
    bytes.extend([8; 64]);
    bytes
}

fn tagged(tag: u8, rest: &[u8]) -> Vec<u8> {
    [&[tag], rest].concat()
}

fn votes() -> Vec<Vec<u8>> {
    let mut proposal = vec![1];
    proposal.extend(3u64.to_le_bytes());
    proposal.extend(1u32.to_le_bytes());
    proposal.extend([5; ValueId::BYTES]);
    proposal.extend([1, 0, 0, 0, 0]);
    proposal.extend([2; 32]);
    proposal.extend([8; 64]);
    vec![tagged(0, &vote(0, None)), tagged(0, &vote(1, Some(4))), proposal]
}

fn polkas() -> Vec<Vec<u8>> {
    let mut polka = 3u64.to_le_bytes().to_vec();
    polka.extend(1u32.to_le_bytes());
    polka.extend([5; ValueId::BYTES]);
    polka.extend(2u32.to_le_bytes());
    polka.extend([9; 2 * 96]);
    vec![polka]
}

fn liveness() -> Vec<Vec<u8>> {
    let mut round = 3u64.to_le_bytes().to_vec();
    round.extend(1u32.to_le_bytes());
    round.push(1);
    round.extend(1u32.to_le_bytes());
    round.extend([0, 0]);
    round.extend([9; 96]);
    vec![tagged(0, &vote(0, Some(4))), tagged(1, &polkas().remove(0)), tagged(2, &round)]
}

fn proofs() -> Vec<Vec<u8>> {
    let mut proof = vec![1; 32];
    proof.extend(38u32.to_le_bytes());
    proof.extend([2; 38 + 64]);
    vec![proof]
}

fn proposals() -> Vec<Vec<u8>> {
    let mut proposed = 3u64.to_le_bytes().to_vec();
    proposed.extend([1, 1, 0, 0, 0, 0]);
    proposed.extend([2; 32]);
    proposed.extend([5; ValueId::BYTES]);
    proposed.push(1);
    vec![proposed]
}

fn statuses() -> Vec<Vec<u8>> {
    let mut status = 34u32.to_le_bytes().to_vec();
    status.extend(peer(7).to_bytes());
    status.extend(9u64.to_le_bytes());
    status.extend(1u64.to_le_bytes());
    vec![status]
}

fn requests() -> Vec<Vec<u8>> {
    vec![[4u64.to_le_bytes(), 7u64.to_le_bytes()].concat()]
}

fn responses() -> Vec<Vec<u8>> {
    let mut response = 4u64.to_le_bytes().to_vec();
    response.extend(1u32.to_le_bytes());
    response.extend(10u32.to_le_bytes());
    response.extend([1; 10]);
    response.extend(&polkas().remove(0));
    vec![response]
}

fn parts() -> Vec<Vec<u8>> {
    proposal().iter().filter_map(|message| message.content.as_data()).map(encoded).collect()
}

fn messages() -> Vec<Vec<u8>> {
    proposal().iter().map(encoded).collect()
}

fn streams() -> Vec<Vec<u8>> {
    let whole = messages();
    let twice = [whole.clone(), whole.iter().rev().cloned().collect()].concat();
    vec![joined(&whole), joined(&twice)]
}

fn gossips() -> Vec<Vec<u8>> {
    let hello = tagged(0, &[7u64.to_be_bytes(), 9u64.to_be_bytes()].concat());
    vec![hello, b"\x01\0\x03abc\0\x02de".to_vec(), b"\x02\0\x02abcde".to_vec(), tagged(3, &[5; 32])]
}

fn guards() -> Vec<Vec<u8>> {
    let mut signed = vec![1];
    signed.extend(3u64.to_be_bytes());
    signed.extend(1u32.to_be_bytes());
    signed.extend([2, 1]);
    signed.extend([5; ValueId::BYTES]);
    signed.extend([1, 0, 0, 0, 0, 1, 0, 0, 0, 0]);
    signed.extend([5; ValueId::BYTES]);
    signed.extend([8; 64]);
    signed.extend(b"message");
    let plain = |kind: u8| tagged(kind, &2u64.to_be_bytes());
    vec![joined(&[plain(2), plain(3), signed, plain(4)])]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parser_takes_what_it_begins_from() {
        for Parser { name, run, corpus } in PARSERS {
            let corpus = corpus();
            assert!(!corpus.is_empty(), "{name}");
            corpus.iter().for_each(|input| run(input));
        }
        let reads = |bytes: &Vec<u8>| Bytes::copy_from_slice(bytes);
        let vote: Vec<Result<SignedConsensusMsg<Network>, _>> =
            votes().iter().map(|bytes| CODEC.decode(reads(bytes))).collect();
        assert!(vote.iter().all(Result::is_ok), "{vote:?}");
        let live: Vec<Result<LivenessMsg<Network>, _>> =
            liveness().iter().map(|bytes| CODEC.decode(reads(bytes))).collect();
        assert!(live.iter().all(Result::is_ok), "{live:?}");
        let proof: Result<ValidatorProof<Network>, _> = CODEC.decode(reads(&proofs()[0]));
        let proposed: Result<ProposedValue<Network>, _> = CODEC.decode(reads(&proposals()[0]));
        let status: Result<sync::Status<Network>, _> = CODEC.decode(reads(&statuses()[0]));
        let response: Result<sync::Response<Network>, _> = CODEC.decode(reads(&responses()[0]));
        assert!(proof.is_ok() && proposed.is_ok() && status.is_ok() && response.is_ok());
    }
}
