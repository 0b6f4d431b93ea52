//! Verifying once a world what every node would verify, and signers that are broken on purpose.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex};

use arc_malachitebft_app_channel::app::types::core::{
    NilOrVal, SignedMessage, ValidatorProof, VoteExtensionScope, VoteType,
};
use arc_malachitebft_signing::{Error, Signer, VerificationResult, Verifier};
use async_trait::async_trait;
use testamur_consensus::context::{EngineKey, EngineSignature, Network, NoExtension, Proposal, Vote, ledger_round};
use testamur_consensus::signer::{StrictVerifier, vote_message};
use testamur_primitives::checkpoint::ValueId;
use testamur_primitives::genesis::Origin;
use testamur_primitives::hash::Address;
use testamur_primitives::key::SigningKey;
use testamur_primitives::units::{Height, Round};
use testamur_primitives::votes;

type Seen = (Vec<u8>, [u8; 64], [u8; 32]);

/// Votes that some node of this world found valid. Which are is a matter of their bytes alone.
#[derive(Debug, Clone, Default)]
pub struct ValidVotes(Arc<Mutex<HashSet<Seen>>>);

/// The node's verifier, which remembers valid votes for the whole world.
pub struct SharedVerifier {
    verifier: StrictVerifier,
    valid: ValidVotes,
}

impl SharedVerifier {
    /// Around a node's own.
    pub fn new(verifier: StrictVerifier, valid: ValidVotes) -> Self {
        Self { verifier, valid }
    }
}

fn bytes_of(vote: &Vote) -> Vec<u8> {
    let mut bytes = vec![u8::from(vote.kind == VoteType::Precommit)];
    bytes.extend(vote.height.0.get().to_be_bytes());
    bytes.extend(vote.round.as_i64().to_be_bytes());
    bytes.extend_from_slice(vote.validator.0.as_bytes());
    if let NilOrVal::Val(value) = &vote.value {
        bytes.extend(value.0.to_bytes());
    }
    bytes
}

#[async_trait]
impl Verifier<Network> for SharedVerifier {
    async fn verify_signed_vote(
        &self,
        vote: &Vote,
        signature: &EngineSignature,
        key: &EngineKey,
    ) -> Result<VerificationResult, Error> {
        let seen = (bytes_of(vote), signature.0, key.0);
        if self.valid.0.lock().expect("no panic while held").contains(&seen) {
            self.verifier.hear(vote);
            return Ok(VerificationResult::Valid);
        }
        let result = self.verifier.verify_signed_vote(vote, signature, key).await?;
        if result.is_valid() {
            self.valid.0.lock().expect("no panic while held").insert(seen);
        }
        Ok(result)
    }

    async fn verify_signed_proposal(
        &self,
        proposal: &Proposal,
        signature: &EngineSignature,
        key: &EngineKey,
    ) -> Result<VerificationResult, Error> {
        self.verifier.verify_signed_proposal(proposal, signature, key).await
    }

    async fn verify_signed_vote_extension(
        &self,
        _: &VoteExtensionScope<Network>,
        extension: &NoExtension,
        _: &EngineSignature,
        _: &EngineKey,
    ) -> Result<VerificationResult, Error> {
        match *extension {}
    }

    async fn verify_validator_proof(&self, proof: &ValidatorProof<Network>) -> Result<VerificationResult, Error> {
        self.verifier.verify_validator_proof(proof).await
    }
}

/// Height, round and step.
type Slot = (u64, u32, u8);

/// A signer without the guard: what it would be like. With `slots` it never signs twice in one slot, and knows no locks.
pub struct LooseSigner {
    /// The network.
    pub origin: Origin,
    /// The validator.
    pub address: Address,
    /// Its key.
    pub key: Arc<SigningKey>,
    /// What was signed where, if that is remembered; it outlives restarts.
    pub slots: Option<Slots>,
}

/// What a loose signer remembers.
pub type Slots = Arc<Mutex<BTreeMap<Slot, (Option<ValueId>, Option<Round>, [u8; 64])>>>;

/// Signs a vote whatever was signed before: what a Byzantine validator does.
pub fn sign_vote(origin: &Origin, key: &SigningKey, vote: Vote) -> SignedMessage<Network, Vote> {
    let round = ledger_round(vote.round).unwrap_or_default();
    let value = match &vote.value {
        NilOrVal::Nil => None,
        NilOrVal::Val(value) => Some(&value.0),
    };
    let message = vote_message(origin, vote.kind, vote.validator.0, vote.height.0, round, value);
    SignedMessage::new(vote, signature(key, &message))
}

fn signature(key: &SigningKey, message: &[u8]) -> EngineSignature {
    EngineSignature(key.sign(message).try_into().expect("an Ed25519 signature has 64 bytes"))
}

impl LooseSigner {
    fn slot(
        &self,
        slot: (Height, Round, u8),
        value: Option<ValueId>,
        pol: Option<Round>,
        sign: impl FnOnce() -> EngineSignature,
    ) -> (Option<ValueId>, Option<Round>, EngineSignature) {
        let Some(slots) = &self.slots else { return (value, pol, sign()) };
        let slot = (slot.0.get(), slot.1.0, slot.2);
        let mut slots = slots.lock().expect("no panic while held");
        let (value, pol, bytes) = *slots.entry(slot).or_insert_with(|| (value, pol, sign().0));
        (value, pol, EngineSignature(bytes))
    }
}

#[async_trait]
impl Signer<Network> for LooseSigner {
    async fn sign_vote(&self, vote: Vote) -> Result<SignedMessage<Network, Vote>, Error> {
        let round = ledger_round(vote.round).unwrap_or_default();
        let (step, value) = (
            1 + u8::from(vote.kind == VoteType::Precommit),
            match &vote.value {
                NilOrVal::Nil => None,
                NilOrVal::Val(value) => Some(value.0),
            },
        );
        let sign = || sign_vote(&self.origin, &self.key, vote.clone()).signature;
        let (value, _, signature) = self.slot((vote.height.0, round, step), value, None, sign);
        let value = value.map_or(NilOrVal::Nil, |value| NilOrVal::Val(testamur_consensus::context::EngineValue(value)));
        Ok(SignedMessage::new(Vote { value, ..vote }, signature))
    }

    async fn sign_proposal(&self, proposal: Proposal) -> Result<SignedMessage<Network, Proposal>, Error> {
        let (height, round) = (proposal.height.0, ledger_round(proposal.round).unwrap_or_default());
        let (value, pol) = (proposal.value.0, ledger_round(proposal.pol_round));
        let sign = || {
            let message = votes::proposal_message(&self.origin, self.address, height, round, &value, pol);
            signature(&self.key, &message)
        };
        let (value, pol, signature) = self.slot((height, round, 0), Some(value), pol, sign);
        let value = testamur_consensus::context::EngineValue(value.expect("a proposal has a value"));
        let pol_round = testamur_consensus::context::engine_round(pol);
        Ok(SignedMessage::new(Proposal { value, pol_round, ..proposal }, signature))
    }

    async fn sign_vote_extension(
        &self,
        _: VoteExtensionScope<Network>,
        extension: NoExtension,
    ) -> Result<SignedMessage<Network, NoExtension>, Error> {
        match extension {}
    }

    async fn sign_validator_proof(&self, _: Vec<u8>, _: Vec<u8>) -> Result<ValidatorProof<Network>, Error> {
        Err(Error::from_source("not asked for in a simulation"))
    }
}
