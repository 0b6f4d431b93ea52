//! Wire and log form of what the engine sends and stores: borsh of the structs below, each with a size limit that is
//! checked before anything is read. No form has room for a vote extension; bytes after a message are refused.

use std::io;
use std::sync::{Arc, RwLock};

use arc_malachitebft_app_channel::app::consensus::LivenessMsg;
use arc_malachitebft_app_channel::app::streaming::{StreamContent, StreamId, StreamMessage};
use arc_malachitebft_app_channel::app::types::codec::{Codec, HasEncodedLen};
use arc_malachitebft_app_channel::app::types::core::{
    ExtendedCommitCertificate, ExtendedCommitSignature, NilOrVal, PolkaCertificate, PolkaSignature, RoundCertificate,
    RoundCertificateType, RoundSignature, SignedMessage, ValidatorProof, Validity, VoteType,
};
use arc_malachitebft_app_channel::app::types::{PeerId, ProposedValue, SignedConsensusMsg};
use arc_malachitebft_sync as sync;
use borsh::{BorshDeserialize, BorshSerialize};
use bytes::Bytes;
use testamur_primitives::checkpoint::ValueId;
use testamur_primitives::hash::Address;
use testamur_primitives::units::{Height, Round};

use crate::context::{
    EngineAddress, EngineHeight, EngineRound, EngineSignature, EngineValue, Network, Part, Proposal, Vote,
    engine_round, ledger_round,
};
use crate::limits::{
    LIVENESS_BYTES_MAX, PART_BYTES, PART_MESSAGE_BYTES_MAX, SYNC_REQUEST_BYTES_MAX, SYNC_RESPONSE_BYTES_MAX,
    VOTE_MESSAGE_BYTES_MAX,
};
use crate::sets::Sets;
use crate::wake::Wake;
use crate::watch::{Watch, of_proposal, of_vote};

/// Why bytes are not a message.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// Longer than any message of its kind.
    #[error("message of {0} bytes, at most {1} are allowed")]
    TooLong(usize, usize),
    /// Not in form.
    #[error("malformed message: {0}")]
    Malformed(#[from] io::Error),
    /// A proof of validator by a key of no set that this node knows: no fault of the peer, one of the two may be behind.
    #[error("a proof by a key of no known set")]
    UnknownKey,
}

/// The codec of network, log and sync. It notes the heights that it decodes, to wake an idle node, shows votes and
/// proposals to the watch, and leaves proofs of validator unread whose key is in no set that this node knows.
#[derive(Debug, Clone)]
pub struct WireCodec {
    wake: Arc<Wake>,
    sets: Arc<RwLock<Sets>>,
    watch: Option<Arc<Watch>>,
}

impl WireCodec {
    /// A codec that reports to `wake` and looks up keys in `sets`.
    pub fn new(wake: Arc<Wake>, sets: Arc<RwLock<Sets>>) -> Self {
        Self { wake, sets, watch: None }
    }

    /// The same codec, which shows `watch` what it decodes.
    #[must_use]
    pub fn watched(self, watch: Arc<Watch>) -> Self {
        Self { watch: Some(watch), ..self }
    }

    fn saw_vote(&self, vote: &Vote, signature: &EngineSignature) {
        if let (Some(watch), Some((place, said))) = (&self.watch, of_vote(vote)) {
            watch.heard(place, said, signature.0);
        }
    }
}

type Value = [u8; ValueId::BYTES];
type Signature = [u8; 64];

#[derive(BorshSerialize, BorshDeserialize)]
enum WireConsensus {
    Vote(WireVote),
    Proposal(WireProposal),
}

#[derive(BorshSerialize, BorshDeserialize)]
struct WireVote {
    kind: WireKind,
    height: u64,
    round: u32,
    value: Option<Value>,
    validator: [u8; 32],
    signature: Signature,
}

#[derive(BorshSerialize, BorshDeserialize)]
enum WireKind {
    Prevote,
    Precommit,
}

#[derive(BorshSerialize, BorshDeserialize)]
struct WireProposal {
    height: u64,
    round: u32,
    value: Value,
    pol_round: Option<u32>,
    validator: [u8; 32],
    signature: Signature,
}

#[derive(BorshSerialize, BorshDeserialize)]
struct WirePolka {
    height: u64,
    round: u32,
    value: Value,
    signatures: Vec<([u8; 32], Signature)>,
}

#[derive(BorshSerialize, BorshDeserialize)]
struct WireRound {
    height: u64,
    round: u32,
    skip: bool,
    signatures: Vec<(WireKind, Option<Value>, [u8; 32], Signature)>,
}

#[derive(BorshSerialize, BorshDeserialize)]
enum WireLiveness {
    Vote(WireVote),
    Polka(WirePolka),
    Round(WireRound),
}

#[derive(BorshSerialize, BorshDeserialize)]
enum WirePart {
    Init { height: u64, round: u32, valid_round: Option<u32>, proposer: [u8; 32], value: Value, size: u32 },
    Data(Vec<u8>),
    Fin([u8; 32]),
}

#[derive(BorshSerialize, BorshDeserialize)]
struct WireStream {
    stream: [u8; 16],
    sequence: u64,
    part: Option<WirePart>,
}

#[derive(BorshSerialize, BorshDeserialize)]
struct WireProof {
    public_key: [u8; 32],
    peer_id: Vec<u8>,
    signature: Signature,
}

#[derive(BorshSerialize, BorshDeserialize)]
struct WireProposed {
    height: u64,
    round: Option<u32>,
    valid_round: Option<u32>,
    proposer: [u8; 32],
    value: Value,
    valid: bool,
}

#[derive(BorshSerialize, BorshDeserialize)]
struct WireStatus {
    peer_id: Vec<u8>,
    tip: u64,
    lowest: u64,
}

#[derive(BorshSerialize, BorshDeserialize)]
struct WireRequest {
    from: u64,
    to: u64,
}

#[derive(BorshSerialize, BorshDeserialize)]
struct WireResponse {
    start: u64,
    values: Vec<WireDecided>,
}

#[derive(BorshSerialize, BorshDeserialize)]
struct WireDecided {
    block: Vec<u8>,
    height: u64,
    round: u32,
    value: Value,
    signatures: Vec<([u8; 32], Signature)>,
}

fn malformed(what: &'static str) -> CodecError {
    CodecError::Malformed(io::Error::new(io::ErrorKind::InvalidData, what))
}

fn read<T: BorshDeserialize>(bytes: &[u8], bytes_max: usize) -> Result<T, CodecError> {
    if bytes.len() > bytes_max {
        return Err(CodecError::TooLong(bytes.len(), bytes_max));
    }
    Ok(borsh::from_slice(bytes)?)
}

fn write<T: BorshSerialize>(message: &T) -> Result<Bytes, CodecError> {
    Ok(Bytes::from(borsh::to_vec(message)?))
}

fn round(round: EngineRound) -> Result<u32, CodecError> {
    round.as_u32().ok_or_else(|| malformed("a message without a round"))
}

fn value(bytes: &Value) -> EngineValue {
    EngineValue(ValueId::from_bytes(bytes))
}

fn height(height: u64) -> EngineHeight {
    EngineHeight(Height(height))
}

fn address(bytes: [u8; 32]) -> EngineAddress {
    EngineAddress(Address::from_bytes(bytes))
}

fn to_optional(value: &NilOrVal<EngineValue>) -> Option<Value> {
    match value {
        NilOrVal::Nil => None,
        NilOrVal::Val(value) => Some(value.0.to_bytes()),
    }
}

fn from_optional(bytes: Option<Value>) -> NilOrVal<EngineValue> {
    bytes.map_or(NilOrVal::Nil, |bytes| NilOrVal::Val(value(&bytes)))
}

impl From<VoteType> for WireKind {
    fn from(kind: VoteType) -> Self {
        match kind {
            VoteType::Prevote => Self::Prevote,
            VoteType::Precommit => Self::Precommit,
        }
    }
}

impl From<WireKind> for VoteType {
    fn from(kind: WireKind) -> Self {
        match kind {
            WireKind::Prevote => Self::Prevote,
            WireKind::Precommit => Self::Precommit,
        }
    }
}

fn to_wire_vote(signed: &SignedMessage<Network, Vote>) -> Result<WireVote, CodecError> {
    let vote = &signed.message;
    Ok(WireVote {
        kind: vote.kind.into(),
        height: vote.height.0.get(),
        round: round(vote.round)?,
        value: to_optional(&vote.value),
        validator: *vote.validator.0.as_bytes(),
        signature: signed.signature.0,
    })
}

fn from_wire_vote(wire: WireVote) -> SignedMessage<Network, Vote> {
    let vote = Vote {
        kind: wire.kind.into(),
        height: height(wire.height),
        round: EngineRound::new(wire.round),
        value: from_optional(wire.value),
        validator: address(wire.validator),
    };
    SignedMessage::new(vote, EngineSignature(wire.signature))
}

fn to_wire_polka(polka: &PolkaCertificate<Network>) -> Result<WirePolka, CodecError> {
    Ok(WirePolka {
        height: polka.height.0.get(),
        round: round(polka.round)?,
        value: polka.value_id.0.to_bytes(),
        signatures: polka.polka_signatures.iter().map(|s| (*s.address.0.as_bytes(), s.signature.0)).collect(),
    })
}

fn from_wire_polka(wire: WirePolka) -> PolkaCertificate<Network> {
    let signature = |(a, s): ([u8; 32], Signature)| PolkaSignature::new(address(a), EngineSignature(s));
    PolkaCertificate {
        height: height(wire.height),
        round: EngineRound::new(wire.round),
        value_id: value(&wire.value),
        polka_signatures: wire.signatures.into_iter().map(signature).collect(),
    }
}

impl Codec<SignedConsensusMsg<Network>> for WireCodec {
    type Error = CodecError;

    fn decode(&self, bytes: Bytes) -> Result<SignedConsensusMsg<Network>, CodecError> {
        Ok(match read(&bytes, VOTE_MESSAGE_BYTES_MAX)? {
            WireConsensus::Vote(wire) => {
                self.wake.saw_height(Height(wire.height));
                let vote = from_wire_vote(wire);
                self.saw_vote(&vote.message, &vote.signature);
                SignedConsensusMsg::Vote(vote)
            }
            WireConsensus::Proposal(wire) => {
                self.wake.saw_height(Height(wire.height));
                let proposal = Proposal {
                    height: height(wire.height),
                    round: EngineRound::new(wire.round),
                    value: value(&wire.value),
                    pol_round: engine_round(wire.pol_round.map(Round)),
                    validator: address(wire.validator),
                };
                if let (Some(watch), Some((place, said))) = (&self.watch, of_proposal(&proposal)) {
                    watch.heard(place, said, wire.signature);
                }
                SignedConsensusMsg::Proposal(SignedMessage::new(proposal, EngineSignature(wire.signature)))
            }
        })
    }

    fn encode(&self, message: &SignedConsensusMsg<Network>) -> Result<Bytes, CodecError> {
        write(&match message {
            SignedConsensusMsg::Vote(vote) => WireConsensus::Vote(to_wire_vote(vote)?),
            SignedConsensusMsg::Proposal(signed) => WireConsensus::Proposal(WireProposal {
                height: signed.message.height.0.get(),
                round: round(signed.message.round)?,
                value: signed.message.value.0.to_bytes(),
                pol_round: signed.message.pol_round.as_u32(),
                validator: *signed.message.validator.0.as_bytes(),
                signature: signed.signature.0,
            }),
        })
    }
}

impl Codec<LivenessMsg<Network>> for WireCodec {
    type Error = CodecError;

    fn decode(&self, bytes: Bytes) -> Result<LivenessMsg<Network>, CodecError> {
        Ok(match read(&bytes, LIVENESS_BYTES_MAX)? {
            WireLiveness::Vote(wire) => {
                self.wake.saw_height(Height(wire.height));
                let vote = from_wire_vote(wire);
                self.saw_vote(&vote.message, &vote.signature);
                LivenessMsg::Vote(vote)
            }
            WireLiveness::Polka(wire) => LivenessMsg::PolkaCertificate(from_wire_polka(wire)),
            WireLiveness::Round(wire) => LivenessMsg::SkipRoundCertificate(RoundCertificate {
                height: height(wire.height),
                round: EngineRound::new(wire.round),
                cert_type: if wire.skip { RoundCertificateType::Skip } else { RoundCertificateType::Precommit },
                round_signatures: wire
                    .signatures
                    .into_iter()
                    .map(|(kind, value, validator, signature)| {
                        let signature = EngineSignature(signature);
                        RoundSignature::new(kind.into(), from_optional(value), address(validator), signature)
                    })
                    .collect(),
            }),
        })
    }

    fn encode(&self, message: &LivenessMsg<Network>) -> Result<Bytes, CodecError> {
        write(&match message {
            LivenessMsg::Vote(vote) => WireLiveness::Vote(to_wire_vote(vote)?),
            LivenessMsg::PolkaCertificate(polka) => WireLiveness::Polka(to_wire_polka(polka)?),
            LivenessMsg::SkipRoundCertificate(certificate) => WireLiveness::Round(WireRound {
                height: certificate.height.0.get(),
                round: round(certificate.round)?,
                skip: certificate.cert_type == RoundCertificateType::Skip,
                signatures: certificate
                    .round_signatures
                    .iter()
                    .map(|s| (s.vote_type.into(), to_optional(&s.value_id), *s.address.0.as_bytes(), s.signature.0))
                    .collect(),
            }),
        })
    }
}

fn to_wire_part(part: &Part) -> WirePart {
    match part {
        Part::Init { height, round, valid_round, proposer, value, size } => WirePart::Init {
            height: height.get(),
            round: round.0,
            valid_round: valid_round.map(|r| r.0),
            proposer: *proposer.as_bytes(),
            value: value.to_bytes(),
            size: *size,
        },
        Part::Data(bytes) => WirePart::Data(bytes.to_vec()),
        Part::Fin(hash) => WirePart::Fin(*hash),
    }
}

fn from_wire_part(wire: WirePart) -> Result<Part, CodecError> {
    Ok(match wire {
        WirePart::Init { height, round, valid_round, proposer, value, size } => Part::Init {
            height: Height(height),
            round: Round(round),
            valid_round: valid_round.map(Round),
            proposer: Address::from_bytes(proposer),
            value: ValueId::from_bytes(&value),
            size,
        },
        WirePart::Data(bytes) if bytes.len() <= PART_BYTES => Part::Data(bytes.into()),
        WirePart::Data(_) => return Err(malformed("a part is longer than allowed")),
        WirePart::Fin(hash) => Part::Fin(hash),
    })
}

impl Codec<Part> for WireCodec {
    type Error = CodecError;

    fn decode(&self, bytes: Bytes) -> Result<Part, CodecError> {
        from_wire_part(read(&bytes, PART_MESSAGE_BYTES_MAX)?)
    }

    fn encode(&self, part: &Part) -> Result<Bytes, CodecError> {
        write(&to_wire_part(part))
    }
}

impl Codec<StreamMessage<Part>> for WireCodec {
    type Error = CodecError;

    fn decode(&self, bytes: Bytes) -> Result<StreamMessage<Part>, CodecError> {
        let wire: WireStream = read(&bytes, PART_MESSAGE_BYTES_MAX)?;
        if let Some(WirePart::Init { height, .. }) = &wire.part {
            self.wake.saw_height(Height(*height));
        }
        let content = match wire.part {
            Some(part) => StreamContent::Data(from_wire_part(part)?),
            None => StreamContent::Fin,
        };
        Ok(StreamMessage::new(StreamId::new(Bytes::copy_from_slice(&wire.stream)), wire.sequence, content))
    }

    fn encode(&self, message: &StreamMessage<Part>) -> Result<Bytes, CodecError> {
        let stream: [u8; 16] =
            message.stream_id.to_bytes().as_ref().try_into().map_err(|_| malformed("a stream id has 16 bytes"))?;
        let part = message.content.as_data().map(to_wire_part);
        write(&WireStream { stream, sequence: message.sequence, part })
    }
}

impl Codec<ValidatorProof<Network>> for WireCodec {
    type Error = CodecError;

    fn decode(&self, bytes: Bytes) -> Result<ValidatorProof<Network>, CodecError> {
        let wire: WireProof = read(&bytes, VOTE_MESSAGE_BYTES_MAX)?;
        // Unread rather than invalid: the engine disconnects whose proof is invalid, and a node that is behind would lose
        // the very peers that it must catch up from, once they have changed their keys (INV-ROTATE-2). A proof is a label;
        // nothing is decided by it.
        if self.sets.read().expect("no panic while held").by_key(&wire.public_key).is_none() {
            return Err(CodecError::UnknownKey);
        }
        Ok(ValidatorProof::new(wire.public_key.to_vec(), wire.peer_id, EngineSignature(wire.signature)))
    }

    fn encode(&self, proof: &ValidatorProof<Network>) -> Result<Bytes, CodecError> {
        let public_key = proof.public_key.as_slice().try_into().map_err(|_| malformed("a key has 32 bytes"))?;
        write(&WireProof { public_key, peer_id: proof.peer_id.clone(), signature: proof.signature.0 })
    }
}

impl Codec<ProposedValue<Network>> for WireCodec {
    type Error = CodecError;

    fn decode(&self, bytes: Bytes) -> Result<ProposedValue<Network>, CodecError> {
        let wire: WireProposed = read(&bytes, VOTE_MESSAGE_BYTES_MAX)?;
        Ok(ProposedValue {
            height: height(wire.height),
            round: engine_round(wire.round.map(Round)),
            valid_round: engine_round(wire.valid_round.map(Round)),
            proposer: address(wire.proposer),
            value: value(&wire.value),
            validity: Validity::from_bool(wire.valid),
        })
    }

    fn encode(&self, proposed: &ProposedValue<Network>) -> Result<Bytes, CodecError> {
        write(&WireProposed {
            height: proposed.height.0.get(),
            round: ledger_round(proposed.round).map(|r| r.0),
            valid_round: ledger_round(proposed.valid_round).map(|r| r.0),
            proposer: *proposed.proposer.0.as_bytes(),
            value: proposed.value.0.to_bytes(),
            valid: proposed.validity.is_valid(),
        })
    }
}

impl Codec<PolkaCertificate<Network>> for WireCodec {
    type Error = CodecError;

    fn decode(&self, bytes: Bytes) -> Result<PolkaCertificate<Network>, CodecError> {
        Ok(from_wire_polka(read(&bytes, LIVENESS_BYTES_MAX)?))
    }

    fn encode(&self, polka: &PolkaCertificate<Network>) -> Result<Bytes, CodecError> {
        write(&to_wire_polka(polka)?)
    }
}

impl Codec<sync::Status<Network>> for WireCodec {
    type Error = CodecError;

    fn decode(&self, bytes: Bytes) -> Result<sync::Status<Network>, CodecError> {
        let wire: WireStatus = read(&bytes, SYNC_REQUEST_BYTES_MAX)?;
        self.wake.saw_height(Height(wire.tip));
        let peer_id = PeerId::from_bytes(&wire.peer_id).map_err(|_| malformed("a peer id"))?;
        Ok(sync::Status { peer_id, tip_height: height(wire.tip), history_min_height: height(wire.lowest) })
    }

    fn encode(&self, status: &sync::Status<Network>) -> Result<Bytes, CodecError> {
        write(&WireStatus {
            peer_id: status.peer_id.to_bytes(),
            tip: status.tip_height.0.get(),
            lowest: status.history_min_height.0.get(),
        })
    }
}

impl Codec<sync::Request<Network>> for WireCodec {
    type Error = CodecError;

    fn decode(&self, bytes: Bytes) -> Result<sync::Request<Network>, CodecError> {
        let wire: WireRequest = read(&bytes, SYNC_REQUEST_BYTES_MAX)?;
        Ok(sync::Request::ValueRequest(sync::ValueRequest::new(height(wire.from)..=height(wire.to))))
    }

    fn encode(&self, request: &sync::Request<Network>) -> Result<Bytes, CodecError> {
        let sync::Request::ValueRequest(request) = request;
        write(&WireRequest { from: request.range.start().0.get(), to: request.range.end().0.get() })
    }
}

fn to_wire_response(response: &sync::Response<Network>) -> Result<WireResponse, CodecError> {
    let sync::Response::ValueResponse(response) = response;
    let decided = |value: &sync::RawDecidedValue<Network>| {
        let certificate = &value.certificate;
        Ok(WireDecided {
            block: value.value_bytes.to_vec(),
            height: certificate.height.0.get(),
            round: round(certificate.round)?,
            value: certificate.value_id.0.to_bytes(),
            signatures: certificate
                .commit_signatures
                .iter()
                .map(|s| (*s.address.0.as_bytes(), s.signature.0))
                .collect(),
        })
    };
    let values = response.values.iter().map(decided).collect::<Result<_, CodecError>>()?;
    Ok(WireResponse { start: response.start_height.0.get(), values })
}

impl Codec<sync::Response<Network>> for WireCodec {
    type Error = CodecError;

    fn decode(&self, bytes: Bytes) -> Result<sync::Response<Network>, CodecError> {
        let wire: WireResponse = read(&bytes, SYNC_RESPONSE_BYTES_MAX)?;
        let decided = |decided: WireDecided| {
            let signature =
                |(a, s): ([u8; 32], Signature)| ExtendedCommitSignature::new(address(a), EngineSignature(s), None);
            let certificate = ExtendedCommitCertificate {
                height: height(decided.height),
                round: EngineRound::new(decided.round),
                value_id: value(&decided.value),
                commit_signatures: decided.signatures.into_iter().map(signature).collect(),
            };
            sync::RawDecidedValue::new(decided.block.into(), certificate)
        };
        let values = wire.values.into_iter().map(decided).collect();
        Ok(sync::Response::ValueResponse(sync::ValueResponse::new(height(wire.start), values)))
    }

    fn encode(&self, response: &sync::Response<Network>) -> Result<Bytes, CodecError> {
        write(&to_wire_response(response)?)
    }
}

impl HasEncodedLen<sync::Response<Network>> for WireCodec {
    fn encoded_len(&self, response: &sync::Response<Network>) -> Result<usize, CodecError> {
        let sync::Response::ValueResponse(response) = response;
        // Lengths of the struct above: counted, so that blocks are not copied only to be measured.
        let one = |v: &sync::RawDecidedValue<Network>| {
            4 + v.value_bytes.len() + 8 + 4 + ValueId::BYTES + 4 + v.certificate.commit_signatures.len() * 96
        };
        Ok(8 + 4 + response.values.iter().map(one).sum::<usize>())
    }
}

#[cfg(test)]
mod tests;
