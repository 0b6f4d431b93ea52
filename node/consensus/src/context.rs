//! The engine's view of a network: heights, validators, votes and proposals over the ledger's own types.
//!
//! `Value` and `Value::Id` are the same 80 bytes ([`ValueId`]); block bytes travel as parts and never through the
//! engine's log. Voting power is always 1. The proposer of (height, round) is validator number
//! `(height + round) mod n` in set order. Vote extensions do not exist: their type has no values.

use core::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_malachitebft_app_channel::app::types::core as malachite;
use arc_malachitebft_app_channel::app::types::core::{NilOrVal, SignedExtension, VoteType};
use bytes::Bytes;
use testamur_primitives::checkpoint::ValueId;
use testamur_primitives::epoch::ValidatorSet;
use testamur_primitives::genesis::Parameters;
use testamur_primitives::hash::Address;
use testamur_primitives::units::{Height, Round};

use crate::limits::TIMEOUT_MAX;

/// A round as the engine writes it: `Nil` stands for "none".
pub use malachite::Round as EngineRound;

/// Marks the engine's type parameters as this network's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network;

/// A height.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct EngineHeight(pub Height);

/// A validator's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EngineAddress(pub Address);

/// What is voted on, as value and as its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EngineValue(pub ValueId);

/// An Ed25519 public key's bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct EngineKey(pub [u8; 32]);

/// An Ed25519 signature's bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct EngineSignature(pub [u8; 64]);

/// Vote extensions do not exist in this network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoExtension {}

/// Ed25519 by the ledger's strict rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ed25519;

/// A validator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    address: EngineAddress,
    key: EngineKey,
}

/// A validator set, in order of address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Members(Arc<Vec<Member>>);

/// A prevote or precommit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vote {
    /// Which of the two.
    pub kind: VoteType,
    /// Height.
    pub height: EngineHeight,
    /// Round.
    pub round: EngineRound,
    /// The value, or nil.
    pub value: NilOrVal<EngineValue>,
    /// Who votes.
    pub validator: EngineAddress,
}

/// A proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// Height.
    pub height: EngineHeight,
    /// Round.
    pub round: EngineRound,
    /// The value.
    pub value: EngineValue,
    /// The round whose prevotes justify proposing it again, or nil.
    pub pol_round: EngineRound,
    /// Who proposes.
    pub validator: EngineAddress,
}

/// A part of a block on its way to the other validators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Says what follows.
    Init {
        /// Height of the proposal.
        height: Height,
        /// Round of the proposal.
        round: Round,
        /// The round that justifies proposing it again.
        valid_round: Option<Round>,
        /// Who proposes.
        proposer: Address,
        /// The value of the block.
        value: ValueId,
        /// Bytes of the block.
        size: u32,
    },
    /// Up to 128 KiB of the block.
    Data(Bytes),
    /// SHA-256 of the whole block; unsigned parts of two proposals must never mix.
    Fin([u8; 32]),
}

/// Timeouts by round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RoundTimeouts(malachite::LinearTimeouts);

impl RoundTimeouts {
    /// From the ledger's parameters.
    pub fn new(parameters: &Parameters) -> Self {
        let ms = |value: u32| Duration::from_millis(value.into());
        let (propose, vote, step) =
            (ms(parameters.propose_timeout_ms), ms(parameters.vote_timeout_ms), ms(parameters.round_timeout_ms));
        Self(malachite::LinearTimeouts {
            propose,
            propose_delta: step,
            prevote: vote,
            prevote_delta: step,
            // After two thirds of precommits this only gives late ones a chance to decide in this round; prevotes have
            // just crossed the same links. A dead proposer costs the propose and this timeout: less than a second.
            precommit: vote / 4,
            precommit_delta: step,
            rebroadcast: propose + vote + vote,
            max_timeout: TIMEOUT_MAX,
        })
    }
}

impl malachite::Timeouts<Network> for RoundTimeouts {
    fn duration_for(&self, timeout: malachite::Timeout) -> Duration {
        self.0.duration_for(timeout)
    }
}

impl Members {
    /// From the ledger's set, which is free of duplicates.
    pub fn new(set: &ValidatorSet) -> Self {
        Self::from_keys(set.validators().iter().map(|v| (v.address, EngineKey(*v.consensus_key()))).collect())
    }

    /// A set of these addresses and keys.
    pub fn from_keys(mut keys: Vec<(Address, EngineKey)>) -> Self {
        keys.sort_by_key(|(address, _)| *address);
        let member = |(address, key)| Member { address: EngineAddress(address), key };
        Self(Arc::new(keys.into_iter().map(member).collect()))
    }

    /// The proposer of a height and round.
    pub fn proposer(&self, height: Height, round: Round) -> &Member {
        let count = self.0.len() as u64;
        let turn = (height.get() % count + u64::from(round.0) % count) % count;
        &self.0[turn as usize]
    }

    /// The member that signs with a key.
    pub fn by_key(&self, key: &[u8]) -> Option<&Member> {
        self.0.iter().find(|m| m.key.0 == key)
    }
}

impl Member {
    /// Its address.
    pub fn ledger_address(&self) -> Address {
        self.address.0
    }
}

/// The engine's round as the ledger's.
pub fn ledger_round(round: EngineRound) -> Option<Round> {
    round.as_u32().map(Round)
}

/// The ledger's round as the engine's.
pub fn engine_round(round: Option<Round>) -> EngineRound {
    round.map_or(EngineRound::Nil, |r| EngineRound::new(r.0))
}

impl malachite::Context for Network {
    type Address = EngineAddress;
    type Height = EngineHeight;
    type ProposalPart = Part;
    type Proposal = Proposal;
    type Validator = Member;
    type ValidatorSet = Members;
    type Timeouts = RoundTimeouts;
    type Value = EngineValue;
    type Vote = Vote;
    type Extension = NoExtension;
    type SigningScheme = Ed25519;

    fn select_proposer<'a>(&self, set: &'a Members, height: EngineHeight, round: EngineRound) -> &'a Member {
        set.proposer(height.0, ledger_round(round).unwrap_or_default())
    }

    fn new_proposal(
        &self,
        height: EngineHeight,
        round: EngineRound,
        value: EngineValue,
        pol_round: EngineRound,
        validator: EngineAddress,
    ) -> Proposal {
        Proposal { height, round, value, pol_round, validator }
    }

    fn new_prevote(
        &self,
        height: EngineHeight,
        round: EngineRound,
        value: NilOrVal<EngineValue>,
        validator: EngineAddress,
    ) -> Vote {
        Vote { kind: VoteType::Prevote, height, round, value, validator }
    }

    fn new_precommit(
        &self,
        height: EngineHeight,
        round: EngineRound,
        value: NilOrVal<EngineValue>,
        validator: EngineAddress,
    ) -> Vote {
        Vote { kind: VoteType::Precommit, height, round, value, validator }
    }
}

impl malachite::Height for EngineHeight {
    const ZERO: Self = Self(Height(0));
    const INITIAL: Self = Self(Height(1));

    fn increment_by(&self, n: u64) -> Self {
        Self(Height(self.0.get().saturating_add(n)))
    }

    fn decrement_by(&self, n: u64) -> Option<Self> {
        self.0.get().checked_sub(n).map(|height| Self(Height(height)))
    }

    fn as_u64(&self) -> u64 {
        self.0.get()
    }
}

impl malachite::Address for EngineAddress {}

impl malachite::Value for EngineValue {
    type Id = Self;

    fn id(&self) -> Self {
        *self
    }
}

impl malachite::Extension for NoExtension {
    fn size_bytes(&self) -> usize {
        match *self {}
    }
}

impl malachite::ProposalPart<Network> for Part {
    fn is_first(&self) -> bool {
        matches!(self, Self::Init { .. })
    }

    fn is_last(&self) -> bool {
        matches!(self, Self::Fin(_))
    }
}

impl malachite::Validator<Network> for Member {
    fn address(&self) -> &EngineAddress {
        &self.address
    }

    fn public_key(&self) -> &EngineKey {
        &self.key
    }

    fn voting_power(&self) -> malachite::VotingPower {
        1
    }
}

impl malachite::ValidatorSet<Network> for Members {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn total_voting_power(&self) -> malachite::VotingPower {
        self.0.len() as u64
    }

    fn get_by_address(&self, address: &EngineAddress) -> Option<&Member> {
        self.0.binary_search_by_key(address, |m| m.address).ok().map(|index| &self.0[index])
    }

    fn get_by_index(&self, index: usize) -> Option<&Member> {
        self.0.get(index)
    }
}

impl malachite::Vote<Network> for Vote {
    fn height(&self) -> EngineHeight {
        self.height
    }

    fn round(&self) -> EngineRound {
        self.round
    }

    fn value(&self) -> &NilOrVal<EngineValue> {
        &self.value
    }

    fn take_value(self) -> NilOrVal<EngineValue> {
        self.value
    }

    fn vote_type(&self) -> VoteType {
        self.kind
    }

    fn validator_address(&self) -> &EngineAddress {
        &self.validator
    }

    fn extension(&self) -> Option<&SignedExtension<Network>> {
        None
    }

    fn take_extension(&mut self) -> Option<SignedExtension<Network>> {
        None
    }

    fn extend(self, extension: SignedExtension<Network>) -> Self {
        match extension.message {}
    }
}

impl malachite::Proposal<Network> for Proposal {
    fn height(&self) -> EngineHeight {
        self.height
    }

    fn round(&self) -> EngineRound {
        self.round
    }

    fn value(&self) -> &EngineValue {
        &self.value
    }

    fn take_value(self) -> EngineValue {
        self.value
    }

    fn pol_round(&self) -> EngineRound {
        self.pol_round
    }

    fn validator_address(&self) -> &EngineAddress {
        &self.validator
    }
}

/// Why bytes are no key or signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the length of an Ed25519 key or signature")]
pub struct LengthError;

impl malachite::SigningScheme for Ed25519 {
    type DecodingError = LengthError;
    type Signature = EngineSignature;
    type PublicKey = EngineKey;
    /// The private key never passes through the engine.
    type PrivateKey = ();

    fn decode_signature(bytes: &[u8]) -> Result<EngineSignature, LengthError> {
        bytes.try_into().map(EngineSignature).map_err(|_| LengthError)
    }

    fn encode_signature(signature: &EngineSignature) -> Vec<u8> {
        signature.0.to_vec()
    }

    fn decode_public_key(bytes: &[u8]) -> Result<EngineKey, LengthError> {
        bytes.try_into().map(EngineKey).map_err(|_| LengthError)
    }

    fn encode_public_key(key: &EngineKey) -> Vec<u8> {
        key.0.to_vec()
    }
}

impl fmt::Display for EngineHeight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for EngineAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for EngineValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.header.fmt(f)
    }
}

impl fmt::Debug for EngineKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Address::from_bytes(self.0), f)
    }
}

impl fmt::Debug for EngineSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in &self.0[..8] {
            write!(f, "{byte:02x}")?;
        }
        f.write_str("…")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proposers_take_turns_over_heights_and_rounds() {
        let key = |number: u8| (Address::from_bytes([number; 32]), EngineKey([number; 32]));
        let members = Members::from_keys((0..4).rev().map(key).collect());
        let turn = |height, round| members.proposer(Height(height), Round(round)).ledger_address().as_bytes()[0];
        assert_eq!([turn(4, 0), turn(5, 0), turn(6, 0), turn(7, 0), turn(8, 0)], [0, 1, 2, 3, 0]);
        assert_eq!([turn(4, 1), turn(4, 2), turn(4, 5)], [1, 2, 1]);
        assert_eq!(turn(u64::MAX, u32::MAX), 2, "no overflow");
    }

    #[test]
    fn a_dead_proposer_costs_less_than_a_second() {
        use malachite::{Timeout, Timeouts as _};
        let timeouts = RoundTimeouts::new(&Parameters::default());
        let first = EngineRound::new(0);
        let cost = timeouts.duration_for(Timeout::propose(first)) + timeouts.duration_for(Timeout::precommit(first));
        assert!(cost <= Duration::from_millis(900), "{cost:?}");
    }
}
