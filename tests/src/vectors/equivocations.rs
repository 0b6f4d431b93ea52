//! Proofs that a validator signed twice, and what is none: why, or `null`.

use serde_json::{Value, json};
use testamur_primitives::checkpoint::ValueId;
use testamur_primitives::equivocation::{Equivocation, Place, Said, Statement, VoteStep};
use testamur_primitives::hash::Address;
use testamur_primitives::units::{Height, Round, UnixTime};

use crate::chain::{Chain, Member, START, set_of};
use crate::vectors::{Files, json as file, judge_equivocation};

fn made(chain: &Chain, member: &Member, step: VoteStep, said: [Said; 2]) -> Equivocation {
    let place = Place { height: Height(2), round: Round(3), step, validator: member.address };
    let origin = chain.origin();
    let [first, second] = said.map(|said| {
        let message = place.message(&origin, &said).expect("something is said");
        Statement::new(&said, &member.sign_vote(&message))
    });
    let key = member.registration.consensus_key().try_into().expect("an Ed25519 key");
    Equivocation::new(&origin, &place, key, first, second)
}

pub(super) fn write(files: &mut Files) {
    let mut chain = Chain::new("formats");
    let value = chain.append(START + 10, &["a"]).value_id();
    let set = set_of(chain.members());
    let member = Member::of(&set.validators()[1]);
    let later = ValueId { time: UnixTime(value.time.0 + 1), ..value };
    let nil = Said { value: None, pol_round: None };
    let [one, other] = [value, later].map(|value| Said { value: Some(value), pol_round: None });
    let again = Said { pol_round: Some(Round(1)), ..one };
    let mut cases: Vec<Value> = Vec::new();
    let mut case = |what: &str, proof: &Equivocation| {
        let refused = judge_equivocation(proof, &chain.origin(), &set);
        cases.push(json!({"what": what, "equivocation": proof, "refused": refused}));
    };
    for (what, step, said) in [
        ("two prevotes", VoteStep::Prevote, [one, other]),
        ("a prevote and nil", VoteStep::Prevote, [one, nil]),
        ("two precommits", VoteStep::Precommit, [one, other]),
        ("nil and a precommit", VoteStep::Precommit, [nil, one]),
        ("two proposals", VoteStep::Proposal, [one, other]),
        ("a value proposed anew, with and without a round of proof of lock", VoteStep::Proposal, [one, again]),
        ("one prevote, twice", VoteStep::Prevote, [one, one]),
        ("nil, twice", VoteStep::Precommit, [nil, nil]),
    ] {
        case(what, &made(&chain, &member, step, said));
    }
    let good = made(&chain, &member, VoteStep::Prevote, [one, other]);
    let mut changed = |what: &str, change: &dyn Fn(&mut Equivocation)| {
        let mut proof = good.clone();
        change(&mut proof);
        case(what, &proof);
    };
    changed("another version", &|proof| proof.v = 2);
    changed("another network's", &|proof| proof.network.push('x'));
    changed("of nobody in the set", &|proof| proof.validator = Address::ZERO);
    changed("another member's address", &|proof| proof.validator = set.validators()[0].address);
    changed("another key", &|proof| proof.key.0[0] ^= 1);
    changed("another height", &|proof| proof.height = Height(3));
    changed("another round", &|proof| proof.round = 4);
    changed("another step", &|proof| proof.step = VoteStep::Precommit);
    changed("the first signature changed", &|proof| proof.first.signature.0[0] ^= 1);
    changed("the second signature changed", &|proof| proof.second.signature.0[63] ^= 1);
    changed("a signature cut short", &|proof| proof.second.signature.0.truncate(63));
    changed("a prevote with a round of proof of lock", &|proof| {
        proof.second = proof.first.clone();
        proof.second.pol_round = Some(1);
    });
    changed("a proposal of nothing", &|proof| {
        proof.step = VoteStep::Proposal;
        proof.second.value = None;
    });
    files.insert(
        "equivocations.json".into(),
        file(&json!({"origin": chain.origin().as_str(), "set": set, "cases": cases})),
    );
}
