//! The bytes that a validator signs and verifies, and the two that do it: [`GuardedSigner`] and [`StrictVerifier`].
//!
//! A precommit for a value signs exactly the C2SP `cosignature/v1` message over the checkpoint of that value, height
//! and round; everything else the messages of [`testamur_primitives::votes`]. So a commit certificate *is* a cosigned
//! checkpoint, and the engine verifies a synced one with the same rule as any light client.
//!
//! The engine hands over the key that a vote or proposal must verify with: the one that the set of its height names; what
//! arrives for later heights it keeps unread until their set is known. The signer chooses its own key by the same rule
//! ([`crate::sets`]). A node that may not sign is run as one that only follows, so it is never asked; should it be, it
//! gives an empty signature, which its own engine drops like everybody else's, and never an error, which would end it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, RwLock};

use arc_malachitebft_app_channel::app::types::core::{
    NilOrVal, SignedMessage, ValidatorProof, VoteExtensionScope, VoteType,
};
use arc_malachitebft_signing::{Error as EngineError, Signer, VerificationResult, Verifier};
use async_trait::async_trait;
use testamur_primitives::checkpoint::{Checkpoint, ValueId, cosignature_message};
use testamur_primitives::genesis::Origin;
use testamur_primitives::hash::Address;
use testamur_primitives::key::verify_ed25519;
use testamur_primitives::units::{Height, Round};
use testamur_primitives::votes;

use crate::context::{
    EngineKey, EngineSignature, EngineValue, Network, NoExtension, Proposal, Vote, engine_round, ledger_round,
};
use crate::guard::{Guard, GuardError, Request, Signed, Slot, Step};
use crate::heard::Heard;
use crate::sets::{Keyring, Sets};
use crate::surroundings::Surroundings;
use crate::watch::{Watch, of_proposal, of_vote};

/// The bytes signed by a vote.
pub fn vote_message(
    origin: &Origin,
    kind: VoteType,
    validator: Address,
    height: Height,
    round: Round,
    value: Option<&ValueId>,
) -> Vec<u8> {
    match (kind, value) {
        (VoteType::Prevote, value) => votes::prevote_message(origin, validator, height, round, value),
        (VoteType::Precommit, None) => votes::precommit_nil_message(origin, validator, height, round),
        (VoteType::Precommit, Some(value)) => {
            cosignature_message(value.time, &Checkpoint::new(origin, value, height, round).body())
        }
    }
}

/// Which proposals this node has seen, so that the guard can tell whether a prevote off the lock is justified.
///
/// A prevote counts as justified only if *every* verified proposal of that value in that round named a justifying
/// round: the engine checks the prevotes of the one it answers, and which one that is it does not say.
#[derive(Debug, Default)]
pub struct SeenProposals {
    by_value: Mutex<BTreeMap<(Height, Round, ValueId), Option<Round>>>,
    heard: Arc<Heard>,
}

impl SeenProposals {
    /// None yet; what is signed and verified is also told to `heard`.
    pub(crate) fn telling(heard: Arc<Heard>) -> Self {
        Self { by_value: Mutex::default(), heard }
    }

    fn insert(&self, height: Height, round: Round, value: ValueId, pol_round: Option<Round>) {
        #[cfg(feature = "faults")]
        crate::faults::saw_proposal(height, round, value);
        self.heard.proposal(height, round);
        let mut seen = self.by_value.lock().expect("no panic while held");
        // Only the newest height matters to the guard; a round has at most the proposals that the engine admits.
        if seen.len() >= 256 {
            seen.clear();
        }
        seen.retain(|(h, _, _), _| *h >= height);
        let entry = seen.entry((height, round, value)).or_insert(pol_round);
        *entry = (*entry).min(pol_round); // `None` is least
    }

    fn justified_by(&self, height: Height, round: Round, value: &ValueId) -> Option<Round> {
        self.by_value.lock().expect("no panic while held").get(&(height, round, *value)).copied().flatten()
    }
}

/// Makes durable what the engine has written to its log.
pub type SyncLog = Arc<dyn Fn() -> Result<(), GuardError> + Send + Sync>;

/// Signs through the double-sign guard.
pub struct GuardedSigner {
    origin: Origin,
    address: Address,
    keys: Arc<Keyring>,
    guard: Arc<Guard>,
    seen: Arc<SeenProposals>,
    surroundings: Surroundings,
    /// Makes durable what the engine has written to its log.
    log: Option<SyncLog>,
    /// Hears what is signed, to compare it with what others send in this validator's name.
    watch: Option<Arc<Watch>>,
    /// Called once, when the guard fails: the engine would only hang.
    on_failure: Arc<dyn Fn(GuardError) + Send + Sync>,
}

/// Verifies by the strict rule.
pub struct StrictVerifier {
    origin: Origin,
    sets: Arc<RwLock<Sets>>,
    seen: Arc<SeenProposals>,
}

/// No strict verifier takes it: its point is of small order.
const EMPTY: EngineSignature = EngineSignature([0; 64]);

impl GuardedSigner {
    /// A signer for the validator at `address`.
    pub fn new(
        origin: Origin,
        address: Address,
        keys: Arc<Keyring>,
        guard: Arc<Guard>,
        seen: Arc<SeenProposals>,
        on_failure: Arc<dyn Fn(GuardError) + Send + Sync>,
    ) -> Self {
        Self {
            origin,
            address,
            keys,
            guard,
            seen,
            surroundings: Surroundings::Machine,
            log: None,
            watch: None,
            on_failure,
        }
    }

    /// The same elsewhere.
    pub fn in_surroundings(self, surroundings: Surroundings) -> Self {
        Self { surroundings, ..self }
    }

    /// The same with the engine's log, which is made durable before a lock is (INV-GUARD-7).
    #[must_use]
    pub fn with_log(self, sync: SyncLog) -> Self {
        Self { log: Some(sync), ..self }
    }

    /// The same signer, which shows `watch` what it signs.
    #[must_use]
    pub fn watched(self, watch: Arc<Watch>) -> Self {
        Self { watch: Some(watch), ..self }
    }

    /// Runs the guard where blocking is allowed: it waits for the disk. `None` when no held key may sign there.
    async fn guarded(
        &self,
        request: Request,
        message: impl Fn(Option<&ValueId>, Option<Round>) -> Vec<u8> + Send + 'static,
    ) -> Result<Option<Signed>, EngineError> {
        let Some(key) = self.keys.at(request.slot.height) else {
            tracing::error!(slot = ?request.slot, "asked to sign without the key of this height: nothing is signed");
            return Ok(None); // INV-ROTATE-1
        };
        let guard = Arc::clone(&self.guard);
        // Crash between the two: the engine knows its lock again from its log, or neither of them knows one.
        let locks = request.slot.step == Step::Precommit && request.value.is_some();
        let log = self.log.clone().filter(|_| locks);
        let sign = move || {
            log.map_or(Ok(()), |sync| sync())?; // INV-GUARD-7
            guard.sign(request, message, |bytes| key.sign(bytes).try_into().expect("an Ed25519 signature has 64 bytes"))
        };
        let signed = self.surroundings.blocking("the signer", sign).await;
        match signed {
            Ok(Ok(signed)) => Ok(Some(signed)),
            Ok(Err(error)) => {
                let text = error.to_string();
                (self.on_failure)(error);
                Err(EngineError::from_source(text))
            }
            Err(stopped) => Err(EngineError::from_source(stopped)),
        }
    }
}

fn undefined_round() -> EngineError {
    EngineError::from_source("a vote or proposal without a round")
}

#[async_trait]
impl Signer<Network> for GuardedSigner {
    async fn sign_vote(&self, vote: Vote) -> Result<SignedMessage<Network, Vote>, EngineError> {
        let (height, kind) = (vote.height.0, vote.kind);
        let round = ledger_round(vote.round).ok_or_else(undefined_round)?;
        #[cfg(feature = "faults")]
        fail::fail_point!("consensus.vote.withhold", |_| Ok(SignedMessage::new(vote.clone(), EMPTY)));
        let value = match vote.value {
            NilOrVal::Nil => None,
            NilOrVal::Val(EngineValue(value)) => Some(value),
        };
        let (step, justified_by) = match kind {
            VoteType::Prevote => (Step::Prevote, value.and_then(|v| self.seen.justified_by(height, round, &v))),
            VoteType::Precommit => (Step::Precommit, None),
        };
        let request = Request { slot: Slot { height, round, step }, value, justified_by };
        let (origin, address) = (self.origin.clone(), self.address);
        let message = move |value: Option<&ValueId>, _| vote_message(&origin, kind, address, height, round, value);
        let Some(signed) = self.guarded(request, message).await? else {
            return Ok(SignedMessage::new(vote, EMPTY));
        };
        self.seen.heard.vote(kind, address, height, round, signed.value);
        #[cfg(feature = "faults")]
        if kind == VoteType::Precommit && signed.value.is_some() {
            // It has prevoted, others may be locked, and its precommit never leaves.
            fail::fail_point!("consensus.precommit.abort", |_| std::process::abort());
        }
        let value = signed.value.map_or(NilOrVal::Nil, |v| NilOrVal::Val(EngineValue(v)));
        let vote = Vote { value, ..vote };
        if let (Some(watch), Some((place, said))) = (&self.watch, of_vote(&vote)) {
            watch.signed(place, said, signed.signature);
        }
        Ok(SignedMessage::new(vote, EngineSignature(signed.signature)))
    }

    async fn sign_proposal(&self, proposal: Proposal) -> Result<SignedMessage<Network, Proposal>, EngineError> {
        let height = proposal.height.0;
        let round = ledger_round(proposal.round).ok_or_else(undefined_round)?;
        let slot = Slot { height, round, step: Step::Proposal };
        let request = Request { slot, value: Some(proposal.value.0), justified_by: ledger_round(proposal.pol_round) };
        let (origin, address) = (self.origin.clone(), self.address);
        let message = move |value: Option<&ValueId>, pol| {
            let value = value.expect("the guard turns only prevotes into nil");
            votes::proposal_message(&origin, address, height, round, value, pol)
        };
        let Some(signed) = self.guarded(request, message).await? else {
            return Ok(SignedMessage::new(proposal, EMPTY));
        };
        let value = signed.value.expect("the guard turns only prevotes into nil");
        self.seen.insert(height, round, value, signed.justified_by);
        let proposal = Proposal { value: EngineValue(value), pol_round: engine_round(signed.justified_by), ..proposal };
        if let (Some(watch), Some((place, said))) = (&self.watch, of_proposal(&proposal)) {
            watch.signed(place, said, signed.signature);
        }
        Ok(SignedMessage::new(proposal, EngineSignature(signed.signature)))
    }

    async fn sign_vote_extension(
        &self,
        _scope: VoteExtensionScope<Network>,
        extension: NoExtension,
    ) -> Result<SignedMessage<Network, NoExtension>, EngineError> {
        match extension {}
    }

    async fn sign_validator_proof(
        &self,
        public_key: Vec<u8>,
        peer_id: Vec<u8>,
    ) -> Result<ValidatorProof<Network>, EngineError> {
        // Not guarded: it binds no height, and two of them never contradict each other.
        let message = votes::proof_of_validator_message(&self.origin, self.address, &peer_id);
        let key = self.keys.by_public(&public_key).ok_or_else(|| EngineError::from_source("a key that is not held"))?;
        let signature = key.sign(&message).try_into().expect("an Ed25519 signature has 64 bytes");
        Ok(ValidatorProof::new(public_key, peer_id, EngineSignature(signature)))
    }
}

impl StrictVerifier {
    /// A verifier; `sets` is for proofs of validator: with votes and proposals comes the key of their height's set.
    pub fn new(origin: Origin, sets: Arc<RwLock<Sets>>, seen: Arc<SeenProposals>) -> Self {
        Self { origin, sets, seen }
    }

    /// Notes a vote that is known to verify, as verifying it does.
    pub fn hear(&self, vote: &Vote) {
        let Some(round) = ledger_round(vote.round) else { return };
        let value = match &vote.value {
            NilOrVal::Nil => None,
            NilOrVal::Val(EngineValue(value)) => Some(*value),
        };
        self.seen.heard.vote(vote.kind, vote.validator.0, vote.height.0, round, value);
    }
}

fn verify(key: &EngineKey, message: &[u8], signature: &EngineSignature) -> VerificationResult {
    VerificationResult::from_bool(verify_ed25519(&key.0, message, &signature.0).is_ok())
}

#[async_trait]
impl Verifier<Network> for StrictVerifier {
    async fn verify_signed_vote(
        &self,
        vote: &Vote,
        signature: &EngineSignature,
        key: &EngineKey,
    ) -> Result<VerificationResult, EngineError> {
        let Some(round) = ledger_round(vote.round) else { return Ok(VerificationResult::Invalid) };
        let value = match &vote.value {
            NilOrVal::Nil => None,
            NilOrVal::Val(EngineValue(value)) => Some(value),
        };
        let message = vote_message(&self.origin, vote.kind, vote.validator.0, vote.height.0, round, value);
        let result = verify(key, &message, signature);
        if result.is_valid() {
            self.hear(vote);
        }
        Ok(result)
    }

    async fn verify_signed_proposal(
        &self,
        proposal: &Proposal,
        signature: &EngineSignature,
        key: &EngineKey,
    ) -> Result<VerificationResult, EngineError> {
        let Some(round) = ledger_round(proposal.round) else { return Ok(VerificationResult::Invalid) };
        let (height, pol_round) = (proposal.height.0, ledger_round(proposal.pol_round));
        let message =
            votes::proposal_message(&self.origin, proposal.validator.0, height, round, &proposal.value.0, pol_round);
        let result = verify(key, &message, signature);
        if result.is_valid() {
            self.seen.insert(height, round, proposal.value.0, pol_round);
        }
        Ok(result)
    }

    async fn verify_signed_vote_extension(
        &self,
        _scope: &VoteExtensionScope<Network>,
        extension: &NoExtension,
        _signature: &EngineSignature,
        _key: &EngineKey,
    ) -> Result<VerificationResult, EngineError> {
        match *extension {}
    }

    async fn verify_validator_proof(&self, proof: &ValidatorProof<Network>) -> Result<VerificationResult, EngineError> {
        let member = self.sets.read().expect("no panic while held").by_key(&proof.public_key).cloned();
        let (Some(member), Ok(key)) = (member, proof.public_key.as_slice().try_into()) else {
            return Ok(VerificationResult::Invalid);
        };
        let message = votes::proof_of_validator_message(&self.origin, member.ledger_address(), &proof.peer_id);
        Ok(verify(&EngineKey(key), &message, &proof.signature))
    }
}

#[cfg(test)]
mod tests {
    use testamur_primitives::checkpoint::verify_cosignature;

    use testamur_primitives::units::UnixTime;

    use super::*;
    use crate::context::{EngineAddress, EngineHeight, EngineRound, Members};
    use crate::fixtures::{origin, value};
    use testamur_primitives::key::SigningKey;

    const ADDRESS: Address = Address::from_bytes([3; 32]);

    struct Parts {
        _directory: tempfile::TempDir,
        signer: GuardedSigner,
        verifier: StrictVerifier,
        key: EngineKey,
    }

    fn parts() -> Parts {
        let directory = tempfile::tempdir().unwrap();
        Guard::create(directory.path(), ADDRESS).unwrap();
        let (guard, _) = Guard::open(directory.path(), ADDRESS, Height(0)).unwrap();
        let seen = Arc::new(SeenProposals::default());
        let sets = sets(9, 5, None);
        let signer = signer(&[5], &sets, Arc::new(guard), &seen);
        Parts { signer, verifier: StrictVerifier::new(origin(), sets, seen), key: public(5), _directory: directory }
    }

    fn public(seed: u8) -> EngineKey {
        EngineKey(SigningKey::ed25519(&[seed; 32]).public_key().as_bytes().try_into().unwrap())
    }

    /// Sets before height `next`, which name these keys for the one validator.
    fn sets(next: u64, now: u8, later: Option<u8>) -> Arc<RwLock<Sets>> {
        let members = |seed| Members::from_keys(vec![(ADDRESS, public(seed))]);
        let scheduled = later.map(|seed| (Height(next + 1), members(seed)));
        Arc::new(RwLock::new(Sets::from_members(Height(next), members(now), scheduled)))
    }

    fn signer(held: &[u8], sets: &Arc<RwLock<Sets>>, guard: Arc<Guard>, seen: &Arc<SeenProposals>) -> GuardedSigner {
        let keys = held.iter().map(|seed| SigningKey::ed25519(&[*seed; 32])).collect();
        let keys = Arc::new(Keyring::new(ADDRESS, keys, Arc::clone(sets)));
        GuardedSigner::new(origin(), ADDRESS, keys, guard, Arc::clone(seen), Arc::new(|e| panic!("{e}")))
    }

    /// INV-GUARD-6, INV-ROTATE-1. One guard, one address, two keys: each height is signed by the key that its set names,
    /// whoever restarts with whichever keys; no slot gets two signatures, and without the key there is none.
    #[tokio::test]
    async fn a_rotation_opens_no_slot_twice_and_signs_with_the_key_of_the_height() {
        let directory = tempfile::tempdir().unwrap();
        Guard::create(directory.path(), ADDRESS).unwrap();
        let (old, new, before, after) = (5, 6, sets(9, 5, Some(6)), sets(10, 6, None));
        let on = |height, number| {
            let vote = vote(VoteType::Precommit, 0, NilOrVal::Val(EngineValue(value(number))));
            Vote { height: EngineHeight(Height(height)), ..vote }
        };
        let mut signatures: std::collections::BTreeMap<u64, Vec<EngineSignature>> = Default::default();
        // Restarts in every order, at both heights, each time asked for another value.
        let mut number = 0;
        for _ in 0..2 {
            for (height, sets) in [(9, &before), (10, &after)] {
                for held in [&[old][..], &[new], &[old, new], &[new, old], &[7]] {
                    let (guard, _) = Guard::open(directory.path(), ADDRESS, Height(0)).unwrap();
                    let seen = Arc::new(SeenProposals::default());
                    let signer = signer(held, sets, Arc::new(guard), &seen);
                    let verifier = StrictVerifier::new(origin(), Arc::clone(sets), seen);
                    number += 1;
                    let signed = signer.sign_vote(on(height, number)).await.expect("never an error");
                    let named = if height == 9 { old } else { new };
                    for key in [old, new, 7] {
                        let valid = verifier.verify_signed_vote(&signed.message, &signed.signature, &public(key)).await;
                        let expected = key == named && held.contains(&named);
                        assert_eq!(valid.unwrap().is_valid(), expected, "{held:?} at {height} against {key}");
                    }
                    if held.contains(&named) {
                        signatures.entry(height).or_default().push(signed.signature);
                    } else {
                        assert_eq!(signed.signature, EMPTY, "INV-ROTATE-1");
                    }
                }
            }
        }
        for (height, all) in signatures {
            assert!(all.len() == 6 && all.iter().all(|one| *one == all[0]), "INV-GUARD-6: two signatures at {height}");
        }
    }

    fn vote(kind: VoteType, round: u32, value: NilOrVal<EngineValue>) -> Vote {
        let (height, round) = (EngineHeight(Height(9)), EngineRound::new(round));
        Vote { kind, height, round, value, validator: EngineAddress(ADDRESS) }
    }

    #[test]
    fn a_precommit_is_a_cosigned_checkpoint_and_nothing_else_is() {
        let (origin, value) = (origin(), value(1));
        let message = vote_message(&origin, VoteType::Precommit, ADDRESS, Height(9), Round(2), Some(&value));
        let root = testamur_primitives::codec::base64_standard(&[1; 32]);
        let expected =
            format!("cosignature/v1\ntime 1700000000\n{origin}\n7\n{root}\nheight 9\nround 2\nheader {root}\n");
        assert_eq!(String::from_utf8(message.clone()).unwrap(), expected);
        let others = [
            vote_message(&origin, VoteType::Precommit, ADDRESS, Height(9), Round(2), None),
            vote_message(&origin, VoteType::Prevote, ADDRESS, Height(9), Round(2), Some(&value)),
            vote_message(&origin, VoteType::Prevote, ADDRESS, Height(9), Round(2), None),
            votes::proposal_message(&origin, ADDRESS, Height(9), Round(2), &value, None),
            votes::proof_of_validator_message(&origin, ADDRESS, b"peer"),
        ];
        for (at, other) in others.iter().enumerate() {
            assert!(other.starts_with(b"testamur/"), "INV-VOTE-1");
            assert!(!others[at + 1..].contains(other));
        }
    }

    #[tokio::test]
    async fn what_is_signed_verifies_and_as_a_cosignature_too() {
        let Parts { signer, verifier, key, _directory } = parts();
        let signed =
            signer.sign_vote(vote(VoteType::Precommit, 2, NilOrVal::Val(EngineValue(value(1))))).await.unwrap();
        let checked = verifier.verify_signed_vote(&signed.message, &signed.signature, &key).await.unwrap();
        assert!(checked.is_valid());
        let body = Checkpoint::new(&origin(), &value(1), Height(9), Round(2)).body();
        verify_cosignature(&key.0, UnixTime(1_700_000_000), &body, &signed.signature.0).unwrap();
        // The same signature for another round, kind or value is none.
        for other in [
            vote(VoteType::Precommit, 3, NilOrVal::Val(EngineValue(value(1)))),
            vote(VoteType::Precommit, 2, NilOrVal::Val(EngineValue(value(2)))),
            vote(VoteType::Prevote, 2, NilOrVal::Val(EngineValue(value(1)))),
            vote(VoteType::Precommit, 2, NilOrVal::Nil),
        ] {
            assert!(verifier.verify_signed_vote(&other, &signed.signature, &key).await.unwrap().is_invalid());
        }
        let proof = signer.sign_validator_proof(key.0.to_vec(), b"peer".to_vec()).await.unwrap();
        assert!(verifier.verify_validator_proof(&proof).await.unwrap().is_valid());
        let stolen = ValidatorProof { peer_id: b"thief".to_vec(), ..proof };
        assert!(verifier.verify_validator_proof(&stolen).await.unwrap().is_invalid());
    }

    #[tokio::test]
    async fn an_engine_that_forgot_its_lock_votes_nil_and_one_with_reasons_does_not() {
        let Parts { signer, verifier, key, _directory } = parts();
        let on = |number| NilOrVal::Val(EngineValue(value(number)));
        signer.sign_vote(vote(VoteType::Precommit, 0, on(1))).await.unwrap();
        let proposal = |number, round, pol| Proposal {
            height: EngineHeight(Height(9)),
            round: EngineRound::new(round),
            value: EngineValue(value(number)),
            pol_round: pol,
            validator: EngineAddress(ADDRESS),
        };
        // A proposal without justification was seen: the prevote becomes nil (INV-GUARD-3).
        let fresh = signer.sign_proposal(proposal(2, 1, EngineRound::Nil)).await.unwrap();
        assert!(verifier.verify_signed_proposal(&fresh.message, &fresh.signature, &key).await.unwrap().is_valid());
        assert_eq!(signer.sign_vote(vote(VoteType::Prevote, 1, on(2))).await.unwrap().message.value, NilOrVal::Nil);
        // One justified by prevotes of round 1, after the lock: the engine checks those, the guard lets it vote.
        signer.sign_proposal(proposal(2, 2, EngineRound::new(1))).await.unwrap();
        assert_eq!(signer.sign_vote(vote(VoteType::Prevote, 2, on(2))).await.unwrap().message.value, on(2));
        // Asked to propose something else in the same round: the first proposal again.
        let again = signer.sign_proposal(proposal(3, 2, EngineRound::Nil)).await.unwrap();
        assert_eq!(again.message, proposal(2, 2, EngineRound::new(1)));
    }
}
