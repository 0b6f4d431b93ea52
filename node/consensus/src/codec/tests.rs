use std::fmt::Debug;

use testamur_primitives::hash::{HeaderHash, TreeHash};
use testamur_primitives::units::{LogSize, UnixTime};

use super::*;
use crate::context::{EngineKey, Members};

/// With a set of one member, whose key is 32 times 1.
fn codec() -> WireCodec {
    let members = Members::from_keys(vec![(Address::ZERO, EngineKey([1; 32]))]);
    let sets = Sets::from_members(Height(1), members, None);
    WireCodec::new(Arc::new(Wake::default()), Arc::new(RwLock::new(sets)))
}

#[test]
fn a_proof_by_a_key_of_no_known_set_is_left_unread() {
    let proof = |key| ValidatorProof::<Network>::new(vec![key; 32], vec![2; 38], SIGNATURE);
    let read = |key| -> Result<ValidatorProof<Network>, _> { codec().decode(codec().encode(&proof(key)).unwrap()) };
    assert_eq!(read(1).unwrap(), proof(1));
    assert!(matches!(read(3), Err(CodecError::UnknownKey)), "INV-ROTATE-2");
}

fn engine_value(number: u8) -> EngineValue {
    EngineValue(ValueId {
        log_size: LogSize(1),
        log_root: TreeHash::from_bytes([number; 32]),
        time: UnixTime(5),
        header: HeaderHash::from_bytes([number; 32]),
    })
}

fn who(number: u8) -> EngineAddress {
    address([number; 32])
}

const SIGNATURE: EngineSignature = EngineSignature([8; 64]);

fn vote(kind: VoteType, value: NilOrVal<EngineValue>) -> SignedMessage<Network, Vote> {
    let (height, round) = (height(3), EngineRound::new(1));
    SignedMessage::new(Vote { kind, height, round, value, validator: who(1) }, SIGNATURE)
}

/// What is written reads back the same; every shorter or longer message, and one too long, is refused.
fn check<T: Debug + PartialEq>(message: T) -> Bytes
where
    WireCodec: Codec<T, Error = CodecError>,
{
    let codec = codec();
    let bytes = codec.encode(&message).unwrap();
    assert_eq!(codec.decode(bytes.clone()).unwrap(), message);
    for cut in 0..bytes.len() {
        assert!(Codec::<T>::decode(&codec, bytes.slice(..cut)).is_err(), "cut at {cut} of {message:?}");
    }
    let longer = Bytes::from([&bytes[..], &[0]].concat());
    assert!(Codec::<T>::decode(&codec, longer).is_err(), "a byte after {message:?}");
    bytes
}

#[test]
fn every_message_reads_back_and_nothing_else_does() {
    for value in [NilOrVal::Nil, NilOrVal::Val(engine_value(2))] {
        for kind in [VoteType::Prevote, VoteType::Precommit] {
            check(SignedConsensusMsg::Vote(vote(kind, value)));
            check(LivenessMsg::Vote(vote(kind, value)));
        }
    }
    for pol_round in [EngineRound::Nil, EngineRound::new(2)] {
        let proposal = Proposal {
            height: height(3),
            round: EngineRound::new(3),
            value: engine_value(2),
            pol_round,
            validator: who(1),
        };
        check(SignedConsensusMsg::Proposal(SignedMessage::new(proposal, SIGNATURE)));
    }
    let polka = PolkaCertificate {
        height: height(3),
        round: EngineRound::new(1),
        value_id: engine_value(2),
        polka_signatures: vec![PolkaSignature::new(who(1), SIGNATURE), PolkaSignature::new(who(2), SIGNATURE)],
    };
    check(polka.clone());
    check(LivenessMsg::PolkaCertificate(polka));
    for cert_type in [RoundCertificateType::Skip, RoundCertificateType::Precommit] {
        let signature = |value| RoundSignature::new(VoteType::Precommit, value, who(1), SIGNATURE);
        let round_signatures = vec![signature(NilOrVal::Nil), signature(NilOrVal::Val(engine_value(1)))];
        let certificate =
            RoundCertificate { height: height(3), round: EngineRound::new(1), cert_type, round_signatures };
        check(LivenessMsg::SkipRoundCertificate(certificate));
    }
    check(ProposedValue::<Network> {
        height: height(3),
        round: EngineRound::new(0),
        valid_round: EngineRound::Nil,
        proposer: who(4),
        value: engine_value(1),
        validity: Validity::Valid,
    });
    check(ValidatorProof::<Network>::new(vec![1; 32], vec![2; 38], SIGNATURE));
    let peer_id = PeerId::from_bytes(&[&[0x12, 32][..], &[7; 32]].concat()).unwrap();
    check(sync::Status::<Network> { peer_id, tip_height: height(9), history_min_height: height(1) });
    check(sync::Request::<Network>::ValueRequest(sync::ValueRequest::new(height(4)..=height(7))));
}

#[test]
fn parts_and_blocks_read_back_within_their_bounds() {
    let init = Part::Init {
        height: Height(3),
        round: Round(1),
        valid_round: Some(Round(0)),
        proposer: Address::ZERO,
        value: engine_value(1).0,
        size: 77,
    };
    for part in [init, Part::Data(vec![1; 1000].into()), Part::Fin([9; 32])] {
        check(part.clone());
        let stream = StreamId::new(Bytes::copy_from_slice(&[4; 16]));
        check(StreamMessage::new(stream, 5, StreamContent::Data(part)));
    }
    check(StreamMessage::<Part>::new(StreamId::new(Bytes::copy_from_slice(&[4; 16])), 5, StreamContent::Fin));
    let long = borsh::to_vec(&WirePart::Data(vec![0; PART_BYTES + 1])).unwrap();
    assert!(Codec::<Part>::decode(&codec(), long.into()).is_err());
    let decided = |bytes: usize| sync::RawDecidedValue::<Network> {
        value_bytes: vec![1; bytes].into(),
        certificate: ExtendedCommitCertificate {
            height: height(4),
            round: EngineRound::new(0),
            value_id: engine_value(1),
            commit_signatures: vec![ExtendedCommitSignature::new(who(1), SIGNATURE, None)],
        },
    };
    let response = sync::Response::ValueResponse(sync::ValueResponse::new(height(4), vec![decided(10), decided(20)]));
    let bytes = check(response.clone());
    assert_eq!(codec().encoded_len(&response).unwrap(), bytes.len());
}

#[test]
fn a_vote_with_an_extension_is_refused() {
    let message = SignedConsensusMsg::Vote(vote(VoteType::Precommit, NilOrVal::Val(engine_value(1))));
    let bytes = codec().encode(&message).unwrap();
    // As another codec would append it: a flag, a length, bytes, a signature.
    let extended = [&bytes[..], &[1], &3u32.to_le_bytes(), b"ext", &[8; 64]].concat();
    assert!(Codec::<SignedConsensusMsg<Network>>::decode(&codec(), extended.into()).is_err());
}

#[test]
fn limits_come_before_reading() {
    let long = Bytes::from(vec![0; LIVENESS_BYTES_MAX + 1]);
    let refused = Codec::<LivenessMsg<Network>>::decode(&codec(), long);
    assert!(matches!(refused, Err(CodecError::TooLong(_, LIVENESS_BYTES_MAX))));
    // A length that promises more than there is.
    let mut lying = vec![1];
    lying.extend(3u64.to_le_bytes());
    lying.extend(1u32.to_le_bytes());
    lying.extend([0; 80]);
    lying.extend(u32::MAX.to_le_bytes());
    assert!(Codec::<LivenessMsg<Network>>::decode(&codec(), lying.into()).is_err());
}

#[test]
fn a_message_of_a_later_height_wakes_an_idle_node() {
    let wake = Arc::new(Wake::default());
    wake.reached(Height(3), false);
    let codec = WireCodec { wake: Arc::clone(&wake), ..codec() };
    let bytes = codec.encode(&SignedConsensusMsg::Vote(vote(VoteType::Prevote, NilOrVal::Nil))).unwrap();
    Codec::<SignedConsensusMsg<Network>>::decode(&codec, bytes.clone()).unwrap();
    assert!(!wake.others_began());
    wake.reached(Height(2), false);
    Codec::<SignedConsensusMsg<Network>>::decode(&codec, bytes).unwrap();
    assert!(wake.others_began());
}
