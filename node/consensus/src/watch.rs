//! Notices validators that sign two things where they may sign one.
//!
//! Everything that arrives is compared, also what the engine no longer looks at: votes for a height that is decided, more
//! messages than it takes, votes of a height that this node has not reached. Signatures are checked only where two messages
//! contradict each other, so comparing costs a look-up. What is found is kept as [`Equivocation`] (INV-EQUIVOCATION-1: nothing is
//! kept, counted or logged that the validator's own key did not sign twice). The engine's own findings are taken as well.
//!
//! This node's own signatures are compared with what arrives in its name: so it notices a second process that signs with
//! its key, which no guard can prevent.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use arc_malachitebft_app_channel::app::types::core::{NilOrVal, SignedProposal, SignedVote, VoteType};
use testamur_primitives::epoch::ValidatorSet;
use testamur_primitives::equivocation::{Equivocation, Place, Said, Statement, VoteStep};
use testamur_primitives::genesis::Origin;
use testamur_primitives::hash::Address;
use testamur_primitives::key::verify_ed25519;
use testamur_primitives::units::Height;

use crate::application::TipView;
use crate::context::{EngineValue, Network, Proposal, Vote, ledger_round};
use crate::equivocations::Equivocations;
use crate::limits::{
    EQUIVOCATION_HEIGHTS_ABOVE, EQUIVOCATION_HEIGHTS_BELOW, EQUIVOCATION_MESSAGES_MAX, EQUIVOCATION_STEPS_MAX,
};
use crate::metrics::Counters;

/// What one validator said in one step, as far as it was heard.
#[derive(Debug, Default)]
struct Heard {
    messages: Vec<Message>,
    /// It was found out here; more is not looked at.
    done: bool,
}

#[derive(Debug, Clone, Copy)]
struct Message {
    said: Said,
    signature: [u8; 64],
    verified: bool,
}

/// Where one validator said something at one height: round and step.
type Steps = BTreeMap<(u32, VoteStep), Heard>;

#[derive(Debug, Default)]
struct State {
    next: Height,
    /// The sets of the newest heights, the next one included.
    sets: BTreeMap<Height, Arc<ValidatorSet>>,
    heard: BTreeMap<(Height, Address), Steps>,
}

/// Compares what validators sign.
#[derive(Debug)]
pub struct Watch {
    origin: Origin,
    own: Address,
    kept: Arc<Equivocations>,
    counters: Arc<Counters>,
    state: Mutex<State>,
}

/// What a vote says, and where.
pub fn of_vote(vote: &Vote) -> Option<(Place, Said)> {
    let value = match vote.value {
        NilOrVal::Nil => None,
        NilOrVal::Val(EngineValue(value)) => Some(value),
    };
    let step = match vote.kind {
        VoteType::Prevote => VoteStep::Prevote,
        VoteType::Precommit => VoteStep::Precommit,
    };
    let (height, round, validator) = (vote.height.0, ledger_round(vote.round)?, vote.validator.0);
    Some((Place { height, round, step, validator }, Said { value, pol_round: None }))
}

/// What a proposal says, and where.
pub fn of_proposal(proposal: &Proposal) -> Option<(Place, Said)> {
    let (height, round, validator) = (proposal.height.0, ledger_round(proposal.round)?, proposal.validator.0);
    let said = Said { value: Some(proposal.value.0), pol_round: ledger_round(proposal.pol_round) };
    Some((Place { height, round, step: VoteStep::Proposal, validator }, said))
}

impl Watch {
    /// A watch of the validator at `own`, over a ledger that stands at `tip`.
    pub fn new(origin: Origin, own: Address, kept: Arc<Equivocations>, counters: Arc<Counters>, tip: &TipView) -> Self {
        let watch = Self { origin, own, kept, counters, state: Mutex::default() };
        watch.reached(tip);
        watch
    }

    /// The kept proofs.
    pub fn kept(&self) -> &Equivocations {
        &self.kept
    }

    /// The ledger stands at `tip`: the set of the height after it is known, and heights long below it are forgotten.
    pub fn reached(&self, tip: &TipView) {
        let mut state = self.state.lock().expect("no panic while held");
        let next = tip.height.next();
        state.next = next;
        state.sets.insert(next, Arc::clone(&tip.validators));
        let lowest = Height(next.get().saturating_sub(EQUIVOCATION_HEIGHTS_BELOW));
        state.sets = state.sets.split_off(&lowest);
        state.heard = state.heard.split_off(&(lowest, Address::ZERO));
        // What contradicted itself before its set was known.
        let State { heard, .. } = &mut *state;
        let first = (next, Address::ZERO);
        let last = (next, Address::from_bytes([u8::MAX; 32]));
        for ((height, validator), steps) in heard.range_mut(first..=last) {
            for ((round, step), heard) in steps.iter_mut() {
                let (height, validator, step) = (*height, *validator, *step);
                let round = testamur_primitives::units::Round(*round);
                self.judge(Place { height, round, step, validator }, heard, &tip.validators);
            }
        }
    }

    /// A message has arrived; nothing about it is checked yet.
    pub fn heard(&self, place: Place, said: Said, signature: [u8; 64]) {
        self.note(place, Message { said, signature, verified: false });
    }

    /// This node has signed.
    pub fn signed(&self, place: Place, said: Said, signature: [u8; 64]) {
        self.note(place, Message { said, signature, verified: true });
    }

    /// The engine has found two votes.
    pub fn found_votes(&self, pair: &(SignedVote<Network>, SignedVote<Network>)) {
        for vote in [&pair.0, &pair.1] {
            if let Some((place, said)) = of_vote(&vote.message) {
                self.heard(place, said, vote.signature.0);
            }
        }
    }

    /// The engine has found two proposals.
    pub fn found_proposals(&self, pair: &(SignedProposal<Network>, SignedProposal<Network>)) {
        for proposal in [&pair.0, &pair.1] {
            if let Some((place, said)) = of_proposal(&proposal.message) {
                self.heard(place, said, proposal.signature.0);
            }
        }
    }

    fn note(&self, place: Place, message: Message) {
        let Place { height, round, step, validator } = place;
        let mut state = self.state.lock().expect("no panic while held");
        let State { next, sets, heard } = &mut *state;
        let lowest = next.get().saturating_sub(EQUIVOCATION_HEIGHTS_BELOW);
        if !(lowest..=next.get().saturating_add(EQUIVOCATION_HEIGHTS_ABOVE)).contains(&height.get()) {
            return;
        }
        let set = sets.get(&height);
        // Of heights whose set is not known yet, whoever is in the newest one: a new validator's first heights are not
        // worth a place that anybody can take.
        let known = set.or_else(|| sets.last_key_value().map(|(_, set)| set));
        if known.is_none_or(|set| set.by_address(validator).is_none()) {
            return;
        }
        let steps = heard.entry((height, validator)).or_default();
        if steps.len() >= EQUIVOCATION_STEPS_MAX && !steps.contains_key(&(round.0, step)) {
            match steps.first_key_value() {
                Some((oldest, _)) if *oldest < (round.0, step) => steps.pop_first(),
                _ => return,
            };
        }
        let heard = steps.entry((round.0, step)).or_default();
        if heard.done
            || heard
                .messages
                .iter()
                .any(|old| old.said == message.said && (old.verified || old.signature == message.signature))
        {
            return;
        }
        if heard.messages.len() < EQUIVOCATION_MESSAGES_MAX {
            heard.messages.push(message);
        } else if message.verified {
            // What this node signed itself is never pushed out by what is not checked.
            heard.messages[0] = message;
        }
        if let Some(set) = set {
            self.judge(place, heard, set);
        }
    }

    /// Where two messages differ, drops those that the validator did not sign; keeps the proof where two are left.
    fn judge(&self, place: Place, heard: &mut Heard, set: &ValidatorSet) {
        let differ = |messages: &[Message]| messages.iter().any(|message| message.said != messages[0].said);
        if heard.done || heard.messages.len() < 2 {
            return;
        }
        let Some(validator) = set.by_address(place.validator) else { return };
        let key = validator.consensus_key();
        heard.messages.retain_mut(|message| {
            let signed = |bytes: Vec<u8>| verify_ed25519(key, &bytes, &message.signature).is_ok();
            message.verified = message.verified || place.message(&self.origin, &message.said).is_some_and(signed);
            message.verified // INV-EQUIVOCATION-1
        });
        if !differ(&heard.messages) {
            heard.messages.truncate(1);
            return;
        }
        heard.done = true;
        let first = heard.messages[0];
        let second = *heard.messages.iter().find(|message| message.said != first.said).expect("two differ");
        heard.messages = Vec::new();
        let counter = match place.step {
            VoteStep::Proposal => &self.counters.double_proposals,
            VoteStep::Prevote | VoteStep::Precommit => &self.counters.double_votes,
        };
        Counters::add(counter, 1);
        let statement = |message: Message| Statement::new(&message.said, &message.signature);
        let proof = Equivocation::new(&self.origin, &place, key, statement(first), statement(second));
        // Known from before a restart, or so much is known of it that the counter must do.
        let Some(count) = self.kept.keep(proof) else { return };
        if !count.is_power_of_two() {
            return; // the log says it the 1st, 2nd, 4th, … time: a liar does not fill it
        }
        let (name, Place { height, round, step, validator }) = (&validator.name, place);
        if validator == self.own {
            tracing::error!(
                %name, %height, %round, ?step,
                "ANOTHER PROCESS SIGNS WITH THIS VALIDATOR'S KEY: stop one of the two now, then rotate the key; the proof \
                 is kept (GET /v1/equivocations)"
            );
        } else {
            tracing::error!(
                %name, %validator, %height, %round, ?step,
                "a validator signed two different messages where it may sign one: it lies, or its key is in two hands. Ask \
                 its operator, or remove it; the proof is kept (GET /v1/equivocations)"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;
    use std::time::{Duration, Instant};

    use testamur_primitives::units::Round;

    use super::*;
    use crate::fixtures::{address, origin, place, said, sign, tip};

    struct Setup {
        watch: Watch,
        _directory: tempfile::TempDir,
    }

    impl Setup {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let kept = Arc::new(Equivocations::open(directory.path(), &origin()).unwrap());
            let watch = Watch::new(origin(), address(1), kept, Arc::default(), &tip(8));
            Self { watch, _directory: directory }
        }

        fn hears(&self, place: Place, number: u8, signer: u8) {
            self.watch.heard(place, said(number), sign(&place, &said(number), signer));
        }

        fn found(&self) -> u64 {
            let counters = &self.watch.counters;
            counters.double_votes.load(Ordering::Relaxed) + counters.double_proposals.load(Ordering::Relaxed)
        }
    }

    #[test]
    fn two_different_messages_are_found_in_every_step_and_kept_once() {
        let setup = Setup::new();
        for (count, step) in [VoteStep::Proposal, VoteStep::Prevote, VoteStep::Precommit].into_iter().enumerate() {
            let place = place(9, step, 2);
            for number in [1, 1, 2, 3, 2] {
                setup.hears(place, number, 2);
            }
            assert_eq!(setup.found(), count as u64 + 1, "{step:?}");
        }
        let began = Instant::now();
        while setup.watch.kept().counts() != (3, 1) {
            assert!(began.elapsed() < Duration::from_secs(20));
            std::thread::yield_now();
        }
        for proof in setup.watch.kept().list(0, 9).0 {
            proof.verify(&origin(), &tip(8).validators).unwrap();
        }
    }

    #[test]
    fn nobody_is_accused_by_what_he_did_not_sign() {
        let setup = Setup::new();
        let place = place(9, VoteStep::Precommit, 2);
        // A lie first, the truth, the lie again under another signature, then the truth again.
        for (number, signer) in [(1, 3), (2, 2), (1, 4), (2, 2), (3, 3)] {
            setup.hears(place, number, signer);
        }
        assert_eq!(setup.found(), 0);
        // And what was said before hides nothing: the validator's own second message is found.
        setup.hears(place, 0, 2);
        assert_eq!(setup.found(), 1);
    }

    #[test]
    fn what_comes_late_or_early_is_found_and_what_is_far_away_is_forgotten() {
        let setup = Setup::new();
        setup.watch.reached(&tip(9));
        setup.watch.reached(&tip(10));
        for height in [9, 12, 300] {
            for number in [1, 2] {
                setup.hears(place(height, VoteStep::Prevote, 3), number, 3);
            }
        }
        assert_eq!(setup.found(), 1, "the late one");
        setup.watch.reached(&tip(11));
        assert_eq!(setup.found(), 2, "the early one, once its set is known");
        for height in 12..200 {
            setup.watch.reached(&tip(height));
        }
        assert_eq!(setup.found(), 2);
        let state = setup.watch.state.lock().unwrap();
        assert!(state.heard.is_empty() && state.sets.len() as u64 <= EQUIVOCATION_HEIGHTS_BELOW + 1);
    }

    #[test]
    fn a_second_process_with_the_own_key_is_noticed() {
        let setup = Setup::new();
        let place = place(9, VoteStep::Prevote, 1);
        setup.hears(place, 2, 3);
        setup.hears(place, 3, 4);
        setup.hears(place, 4, 4);
        setup.watch.signed(place, said(1), sign(&place, &said(1), 1));
        assert_eq!(setup.found(), 0);
        setup.hears(place, 2, 1);
        assert_eq!(setup.found(), 1);
    }

    #[test]
    fn memory_is_bounded() {
        let setup = Setup::new();
        for round in 0..1_000 {
            let place = Place { round: Round(round), ..place(9, VoteStep::Prevote, 2) };
            for number in 0..6 {
                setup.watch.heard(place, said(number), [number; 64]);
            }
        }
        setup.hears(Place { validator: Address::ZERO, ..place(9, VoteStep::Prevote, 2) }, 1, 2);
        let state = setup.watch.state.lock().unwrap();
        assert_eq!(state.heard.len(), 1);
        let steps = state.heard.values().next().unwrap();
        assert_eq!(steps.len(), EQUIVOCATION_STEPS_MAX);
        assert_eq!(steps.last_key_value().unwrap().0.0, 999);
        assert!(steps.values().all(|heard| heard.messages.len() <= EQUIVOCATION_MESSAGES_MAX));
    }
}
