//! Proof that a validator signed two things where it may sign one: two signed messages of one height, round and step that
//! differ. It stands alone: whoever knows the validator's key checks it offline, and no honest validator can be accused,
//! because its double-sign guard never makes the second signature (INV-GUARD-2).
//!
//! What is signed is not in it: the bytes follow from its members (`votes.rs`, and for precommits of a value the
//! checkpoint's cosignature), so that nothing beside the signatures has to be believed.

use serde::{Deserialize, Serialize};

use crate::checkpoint::{Checkpoint, ValueId, cosignature_message};
use crate::epoch::ValidatorSet;
use crate::genesis::Origin;
use crate::hash::Address;
use crate::key::verify_ed25519;
use crate::record::Bytes;
use crate::units::{Height, Round};
use crate::votes;

/// In which step of a round something is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VoteStep {
    /// The proposer names a value.
    Proposal,
    /// A validator takes it, or nothing.
    Prevote,
    /// A validator commits to it, or to nothing.
    Precommit,
}

/// What a validator says in one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Said {
    /// The value; none is nil, which no proposal can name.
    pub value: Option<ValueId>,
    /// A proposal's proof-of-lock round; none for votes.
    pub pol_round: Option<Round>,
}

/// Who says it, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Height.
    pub height: Height,
    /// Round.
    pub round: Round,
    /// Step.
    pub step: VoteStep,
    /// The validator.
    pub validator: Address,
}

impl Place {
    /// The bytes that the validator signs to say this here; none for a proposal of nothing.
    pub fn message(&self, origin: &Origin, said: &Said) -> Option<Vec<u8>> {
        let Self { height, round, step, validator } = *self;
        Some(match (step, said.value) {
            (VoteStep::Proposal, value) => {
                votes::proposal_message(origin, validator, height, round, &value?, said.pol_round)
            }
            (VoteStep::Prevote, value) => votes::prevote_message(origin, validator, height, round, value.as_ref()),
            (VoteStep::Precommit, None) => votes::precommit_nil_message(origin, validator, height, round),
            (VoteStep::Precommit, Some(value)) => {
                cosignature_message(value.time, &Checkpoint::new(origin, &value, height, round).body())
            }
        })
    }
}

/// One of the two messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// The value; absent for nil.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<ValueId>,
    /// A proposal's proof-of-lock round; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pol_round: Option<u32>,
    /// The Ed25519 signature over the message.
    pub signature: Bytes,
}

/// Two signed messages of one validator, height, round and step that differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Equivocation {
    /// Format version: 1.
    pub v: u8,
    /// Origin of the network.
    pub network: String,
    /// The validator.
    pub validator: Address,
    /// Its consensus key at that height.
    pub key: Bytes,
    /// Height.
    pub height: Height,
    /// Round.
    pub round: u32,
    /// Step.
    pub step: VoteStep,
    /// What it signed.
    pub first: Statement,
    /// What else it signed.
    pub second: Statement,
}

/// Why something proves no equivocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EquivocationError {
    /// Another format or malformed.
    #[error("not an equivocation of this format: {0}")]
    Form(&'static str),
    /// Another network's.
    #[error("of another network")]
    Network,
    /// The set does not have that validator, or has it under another key.
    #[error("the validator set does not name this validator with this key")]
    Key,
    /// Both say the same.
    #[error("both messages say the same")]
    Same,
    /// A signature does not verify.
    #[error("the {0} signature does not verify")]
    Signature(&'static str),
}

impl Statement {
    /// A statement and its signature.
    pub fn new(said: &Said, signature: &[u8; 64]) -> Self {
        Self { value: said.value, pol_round: said.pol_round.map(|round| round.0), signature: Bytes(signature.to_vec()) }
    }

    /// What it says.
    pub fn said(&self) -> Said {
        Said { value: self.value, pol_round: self.pol_round.map(Round) }
    }
}

impl Equivocation {
    /// Puts two statements together; [`Equivocation::verify`] says whether they prove anything.
    pub fn new(origin: &Origin, place: &Place, key: &[u8; 32], first: Statement, second: Statement) -> Self {
        Self {
            v: 1,
            network: origin.as_str().to_owned(),
            validator: place.validator,
            key: Bytes(key.to_vec()),
            height: place.height,
            round: place.round.0,
            step: place.step,
            first,
            second,
        }
    }

    /// Where it happened.
    pub fn place(&self) -> Place {
        let Self { validator, height, round, step, .. } = *self;
        Place { height, round: Round(round), step, validator }
    }

    /// Checks the two signatures against the key that it names. Whether that key was the validator's at that height is
    /// for [`Equivocation::verify`], or for whoever knows the epochs.
    pub fn verify_signatures(&self, origin: &Origin) -> Result<(), EquivocationError> {
        if self.v != 1 {
            return Err(EquivocationError::Form("v must be 1"));
        }
        if self.network != origin.as_str() {
            return Err(EquivocationError::Network);
        }
        let key: &[u8; 32] =
            self.key.0.as_slice().try_into().map_err(|_| EquivocationError::Form("a key has 32 bytes"))?;
        let (first, second) = (self.first.said(), self.second.said());
        if first == second {
            return Err(EquivocationError::Same);
        }
        if self.step != VoteStep::Proposal && [first, second].iter().any(|said| said.pol_round.is_some()) {
            return Err(EquivocationError::Form("only a proposal has a pol_round"));
        }
        for (name, said, statement) in [("first", first, &self.first), ("second", second, &self.second)] {
            let message =
                self.place().message(origin, &said).ok_or(EquivocationError::Form("a proposal without a value"))?;
            let signature: &[u8; 64] = statement
                .signature
                .0
                .as_slice()
                .try_into()
                .map_err(|_| EquivocationError::Form("a signature has 64 bytes"))?;
            verify_ed25519(key, &message, signature).map_err(|_| EquivocationError::Signature(name))?;
        }
        Ok(())
    }

    /// Checks that a validator of `set`, the set of that height, signed both.
    pub fn verify(&self, origin: &Origin, set: &ValidatorSet) -> Result<(), EquivocationError> {
        let named = set.by_address(self.validator).ok_or(EquivocationError::Key)?;
        if named.consensus_key().as_slice() != self.key.0 {
            return Err(EquivocationError::Key);
        }
        self.verify_signatures(origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::genesis::{Genesis, Parameters};
    use crate::hash::{HeaderHash, TreeHash};
    use crate::key::SigningKey;
    use crate::units::{LogSize, UnixTime};

    fn origin(name: &str) -> Origin {
        let genesis = Genesis {
            v: 1,
            domain: "test.example".into(),
            name: name.into(),
            time: UnixTime(1),
            protocol: 1,
            parameters: Parameters::default(),
            validators: vec![],
            operators: vec![],
            approvals_required: 1,
            writers: vec![],
            did_method: None,
            public_base: None,
            status_history_days: None,
            predecessor: None,
        };
        genesis.origin()
    }

    fn said(number: Option<u8>, pol_round: Option<u32>) -> Said {
        let value = number.map(|number| ValueId {
            log_size: LogSize(7),
            log_root: TreeHash::from_bytes([number; 32]),
            time: UnixTime(1_700_000_000),
            header: HeaderHash::from_bytes([number; 32]),
        });
        Said { value, pol_round: pol_round.map(Round) }
    }

    fn made(step: VoteStep, first: Said, second: Said) -> Option<Equivocation> {
        let key = SigningKey::ed25519(&[7; 32]);
        let public: [u8; 32] = key.public_key().as_bytes().try_into().unwrap();
        let place = Place { height: Height(9), round: Round(1), step, validator: Address::from_bytes([3; 32]) };
        let sign = |said: &Said| -> Option<Statement> {
            let message = place.message(&origin("one"), said)?;
            Some(Statement::new(said, &key.sign(&message).try_into().unwrap()))
        };
        Some(Equivocation::new(&origin("one"), &place, &public, sign(&first)?, sign(&second)?))
    }

    #[test]
    fn two_messages_of_one_step_prove_it_and_survive_json() {
        for (step, first, second) in [
            (VoteStep::Prevote, said(Some(1), None), said(None, None)),
            (VoteStep::Prevote, said(Some(1), None), said(Some(2), None)),
            (VoteStep::Precommit, said(None, None), said(Some(2), None)),
            (VoteStep::Precommit, said(Some(1), None), said(Some(2), None)),
            (VoteStep::Proposal, said(Some(1), None), said(Some(2), None)),
            (VoteStep::Proposal, said(Some(1), None), said(Some(1), Some(0))),
        ] {
            let proof = made(step, first, second).unwrap();
            assert_eq!(proof.verify_signatures(&origin("one")), Ok(()));
            let json = serde_json::to_vec(&proof).unwrap();
            assert_eq!(crate::codec::from_strict::<Equivocation>(&json).unwrap(), proof);
        }
    }

    #[test]
    fn nothing_else_proves_it() {
        let good = made(VoteStep::Prevote, said(Some(1), None), said(None, None)).unwrap();
        let check = |change: fn(&mut Equivocation)| {
            let mut changed = good.clone();
            change(&mut changed);
            changed.verify_signatures(&origin("one")).unwrap_err()
        };
        assert_eq!(good.verify_signatures(&origin("two")), Err(EquivocationError::Network));
        assert_eq!(check(|e| e.second = e.first.clone()), EquivocationError::Same);
        assert_eq!(check(|e| e.height = Height(10)), EquivocationError::Signature("first"));
        assert_eq!(check(|e| e.round = 0), EquivocationError::Signature("first"));
        assert_eq!(check(|e| e.step = VoteStep::Precommit), EquivocationError::Signature("first"));
        assert_eq!(check(|e| e.validator = Address::ZERO), EquivocationError::Signature("first"));
        assert_eq!(check(|e| e.second.signature.0[5] ^= 1), EquivocationError::Signature("second"));
        assert!(matches!(check(|e| e.key.0.truncate(31)), EquivocationError::Form(_)));
        assert!(matches!(check(|e| e.v = 2), EquivocationError::Form(_)));
        // A round that votes do not sign must not make two of one vote.
        assert!(matches!(
            check(|e| {
                e.second = e.first.clone();
                e.second.pol_round = Some(0);
            }),
            EquivocationError::Form(_)
        ));
        assert!(made(VoteStep::Proposal, said(Some(1), None), said(None, None)).is_none());
    }
}
