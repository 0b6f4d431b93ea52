//! What this node has heard of the height that is being decided: whose votes, and for what.
//!
//! Two things stand on it. **Time** (INV-TIME-1): a value that is ahead of this node's clock is voted for only when two
//! thirds and one of the set have prevoted for it in one round: then others vouch for its time, and may be locked on it.
//! **Stalls**: when a height is not decided for a while, the node says so, and whose votes or proposals are missing.
//!
//! Everything here was verified with the sender's key. It is not kept over a restart: a node that forgets waits for its own
//! clock, as it did before it heard anything.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use arc_malachitebft_app_channel::app::types::core::VoteType;
use testamur_primitives::checkpoint::ValueId;
use testamur_primitives::epoch::ValidatorSet;
use testamur_primitives::genesis::Parameters;
use testamur_primitives::hash::Address;
use testamur_primitives::units::{Height, Round};

use crate::application::TipView;
use crate::limits::{HEARD_PREVOTES_MAX, HEARD_ROUNDS_MAX, STALL_AFTER};

/// A height that is not decided though it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stall {
    /// The height.
    pub height: Height,
    /// For how long it has been under way.
    pub lasts: Duration,
    /// The latest round that a vote was heard of.
    pub round: Round,
    /// Names of the validators whose votes are missing at the latest step that others have voted in, in set order.
    pub silent: Vec<String>,
    /// Whether so many are silent that nothing can be decided without them.
    pub no_quorum: bool,
    /// Names of the validators of whom no proposal came in a round that was theirs, in set order.
    pub without_proposal: Vec<String>,
}

impl Stall {
    /// Whether it is still the same that is wrong.
    pub(crate) fn names_same(&self, other: &Self) -> bool {
        (self.height, self.no_quorum) == (other.height, other.no_quorum)
            && (&self.silent, &self.without_proposal) == (&other.silent, &other.without_proposal)
    }
}

impl std::fmt::Display for Stall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { height, lasts, round, silent, no_quorum, without_proposal } = self;
        write!(f, "height {height} is not decided for {} s, in round {round}: ", lasts.as_secs())?;
        if *no_quorum {
            write!(f, "votes are missing of {}", silent.join(", "))
        } else if without_proposal.is_empty() {
            f.write_str("no proposal is accepted")
        } else {
            write!(f, "no proposal came of {}", without_proposal.join(", "))
        }
    }
}

/// The step of a round: later is greater.
type Place = (Round, u8);

#[derive(Debug, Default)]
struct Voter {
    /// The latest step that it has voted in.
    latest: Option<Place>,
    /// Its newest prevotes for values.
    prevotes: VecDeque<(Round, ValueId)>,
}

#[derive(Debug, Default)]
struct State {
    height: Height,
    /// When this height began, or should have.
    since: Option<Instant>,
    voters: BTreeMap<Address, Voter>,
    proposals: BTreeSet<Round>,
}

/// What was heard of one height.
#[derive(Debug, Default)]
pub(crate) struct Heard(Mutex<State>);

impl Heard {
    /// The height that everything from now on is of; what was heard of it before stays.
    fn at(state: &mut State, height: Height) -> bool {
        if height > state.height {
            *state = State { height, ..State::default() };
        }
        height == state.height
    }

    /// This height begins, or should begin, then.
    pub(crate) fn expected(&self, height: Height, when: Instant) {
        let mut state = self.0.lock().expect("no panic while held");
        if Self::at(&mut state, height) {
            state.since = Some(state.since.map_or(when, |since| since.min(when)));
        }
    }

    /// A vote that verifies, or this node's own.
    pub(crate) fn vote(
        &self,
        kind: VoteType,
        validator: Address,
        height: Height,
        round: Round,
        value: Option<ValueId>,
    ) {
        let mut state = self.0.lock().expect("no panic while held");
        if !Self::at(&mut state, height) {
            return;
        }
        let voter = state.voters.entry(validator).or_default();
        let place = (round, u8::from(kind == VoteType::Precommit));
        voter.latest = voter.latest.max(Some(place));
        if let (VoteType::Prevote, Some(value)) = (kind, value)
            && !voter.prevotes.contains(&(round, value))
        {
            // A validator pushes out its own prevotes alone.
            if voter.prevotes.len() >= HEARD_PREVOTES_MAX {
                voter.prevotes.pop_front();
            }
            voter.prevotes.push_back((round, value));
        }
    }

    /// A proposal that verifies, or this node's own.
    pub(crate) fn proposal(&self, height: Height, round: Round) {
        let mut state = self.0.lock().expect("no panic while held");
        if Self::at(&mut state, height) && state.proposals.len() < HEARD_ROUNDS_MAX {
            state.proposals.insert(round);
        }
    }

    /// Whether so many of these validators have prevoted for a value in one round.
    pub(crate) fn has_polka(&self, height: Height, value: &ValueId, members: &ValidatorSet) -> bool {
        let state = self.0.lock().expect("no panic while held");
        if height != state.height {
            return false;
        }
        let mut rounds: BTreeMap<Round, usize> = BTreeMap::new();
        for validator in members.validators() {
            let Some(voter) = state.voters.get(&validator.address) else { continue };
            let of_value = voter.prevotes.iter().filter(|(_, prevoted)| prevoted == value);
            for round in of_value.map(|(round, _)| *round).collect::<BTreeSet<_>>() {
                *rounds.entry(round).or_default() += 1;
            }
        }
        rounds.into_values().any(|count| count >= members.quorum())
    }

    /// Whether the next height of a ledger that stands there is under way for too long.
    pub(crate) fn stall(&self, tip: &TipView, now: Instant) -> Option<Stall> {
        let state = self.0.lock().expect("no panic while held");
        let lasts = now.saturating_duration_since(state.since?);
        if state.height != tip.height.next() || lasts < stall_after(&tip.parameters) {
            return None;
        }
        let latest = state.voters.values().filter_map(|voter| voter.latest).max();
        let validators = tip.validators.validators();
        let votes_at = |address| state.voters.get(address).and_then(|voter| voter.latest);
        let is_silent = |address| votes_at(address).is_none_or(|place| Some(place) < latest);
        let silent: Vec<_> = validators.iter().filter(|v| is_silent(&v.address)).map(|v| v.name.clone()).collect();
        let no_quorum = validators.len() - silent.len() < tip.validators.quorum();
        let round = latest.map_or(Round(0), |(round, _)| round);
        // In set order, as `Members::proposer` counts; older rounds than these tell nothing new.
        let count = validators.len() as u64;
        let rounds = round.0.saturating_sub(validators.len() as u32 - 1)..=round.0;
        let turn = |round: u32| ((state.height.get() % count + u64::from(round) % count) % count) as usize;
        let missed: BTreeSet<_> = rounds.filter(|r| !state.proposals.contains(&Round(*r))).map(turn).collect();
        let without_proposal = missed.into_iter().map(|turn| validators[turn].name.clone()).collect();
        Some(Stall { height: state.height, lasts, round, silent, no_quorum, without_proposal })
    }
}

/// How long a height may take before it counts as a stall: two rounds of dead proposers take less.
fn stall_after(parameters: &Parameters) -> Duration {
    let Parameters { propose_timeout_ms, vote_timeout_ms, .. } = parameters;
    let round = Duration::from_millis(u64::from(*propose_timeout_ms) + 2 * u64::from(*vote_timeout_ms));
    STALL_AFTER.max(3 * round)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use testamur_primitives::epoch::{Validator, ValidatorSet};

    use super::*;
    use crate::fixtures::{self, registration, value};

    /// Addresses in the order of the names.
    fn tip(height: u64) -> TipView {
        let validator =
            |number| Validator { address: Address::from_bytes([number; 32]), ..registration(number).to_validator() };
        let set = ValidatorSet::new((1..=4).map(validator).collect()).unwrap();
        TipView { validators: Arc::new(set), ..fixtures::tip(height) }
    }

    fn voted(heard: &Heard, kind: VoteType, who: u8, height: u64, round: u32, of: Option<ValueId>) {
        heard.vote(kind, Address::from_bytes([who; 32]), Height(height), Round(round), of);
    }

    #[test]
    fn only_a_quorum_in_one_round_of_this_height_vouches_for_a_time() {
        let (heard, tip) = (Heard::default(), tip(8));
        let polka = |heard: &Heard, number| heard.has_polka(Height(9), &value(number), &tip.validators);
        voted(&heard, VoteType::Prevote, 1, 9, 0, Some(value(1)));
        voted(&heard, VoteType::Prevote, 1, 9, 0, Some(value(1)));
        voted(&heard, VoteType::Prevote, 2, 9, 0, Some(value(1)));
        // Of another round, for another value, for none, of a stranger, and a precommit.
        voted(&heard, VoteType::Prevote, 3, 9, 1, Some(value(1)));
        voted(&heard, VoteType::Prevote, 3, 9, 0, Some(value(2)));
        voted(&heard, VoteType::Prevote, 4, 9, 0, None);
        voted(&heard, VoteType::Prevote, 9, 9, 0, Some(value(1)));
        voted(&heard, VoteType::Precommit, 4, 9, 0, Some(value(1)));
        assert!(!polka(&heard, 1) && !polka(&heard, 2));
        voted(&heard, VoteType::Prevote, 4, 9, 0, Some(value(1)));
        assert!(polka(&heard, 1) && !polka(&heard, 2));
        // One that prevotes for a thousand values pushes out its own prevotes and nobody else's.
        for round in 2..1_000 {
            voted(&heard, VoteType::Prevote, 2, 9, round, Some(value(3)));
        }
        assert!(!polka(&heard, 1), "the second's prevote is gone");
        voted(&heard, VoteType::Prevote, 3, 9, 0, Some(value(1)));
        assert!(polka(&heard, 1));
        // What was said of an earlier height, or says so, counts for nothing at this one.
        heard.expected(Height(10), Instant::now());
        voted(&heard, VoteType::Prevote, 3, 9, 0, Some(value(1)));
        assert!(!polka(&heard, 1) && !heard.has_polka(Height(10), &value(1), &tip.validators));
    }

    #[test]
    fn a_stall_names_who_is_silent_or_proposes_nothing() {
        let (heard, tip, began) = (Heard::default(), tip(8), Instant::now());
        heard.expected(Height(9), began);
        let late = began + stall_after(&tip.parameters);
        assert_eq!(heard.stall(&tip, late - Duration::from_millis(1)), None);
        let nobody = heard.stall(&tip, late).unwrap();
        assert_eq!((nobody.silent.len(), nobody.no_quorum), (4, true));
        for who in [1, 2, 4] {
            voted(&heard, VoteType::Prevote, who, 9, 0, None);
        }
        voted(&heard, VoteType::Precommit, 1, 9, 0, None);
        voted(&heard, VoteType::Precommit, 4, 9, 0, None);
        let two = heard.stall(&tip, late).unwrap();
        assert!(two.no_quorum && two.silent == ["v2.example", "v3.example"], "{two:?}");
        assert_eq!(
            two.to_string(),
            format!(
                "height 9 is not decided for {} s, in round 0: votes are missing of v2.example, v3.example",
                two.lasts.as_secs()
            )
        );
        // All vote, round after round, and no proposal comes: number (9 + round) mod 4 is to propose.
        for who in 1..=4 {
            voted(&heard, VoteType::Precommit, who, 9, 3, None);
        }
        heard.proposal(Height(9), Round(1));
        heard.proposal(Height(9), Round(2));
        let mute = heard.stall(&tip, late).unwrap();
        assert!(!mute.no_quorum && mute.silent.is_empty());
        assert_eq!(mute.without_proposal, ["v1.example", "v2.example"], "rounds 3 and 0");
        // A later height has a time of its own, and the earliest reason to expect it counts.
        heard.expected(Height(10), late);
        assert_eq!(heard.stall(&tip, late + Duration::from_secs(60)), None, "the ledger does not stand below it yet");
    }
}
