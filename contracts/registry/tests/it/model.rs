//! Governance and notary against a naive model: any sequence of acts by operators, writers and strangers, each
//! answered with the same code by both, and the same roles at the end.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::{Ledger, START, did, genesis, key, notarise};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use testamur_primitives::record::{Act, Change, Record, RevocationReason};
use testamur_primitives::units::UnixTime;
use testamur_registry::{Outcome, governance, notary};

/// Numbers from here on are of nobody in office.
const OPERATORS: u32 = 5;
const PEOPLE: u32 = 6;

#[derive(Debug, Clone)]
enum Step {
    Notarise { author: u32 },
    Propose { operator: u32, grant: bool, subject: u32, compromise: bool, version_off: bool, life: u64 },
    Approve { operator: u32, proposal: usize, version: Quoted },
    Wait { seconds: u64 },
}

/// The governance version that an approval quotes.
#[derive(Debug, Clone, Copy)]
enum Quoted {
    OfProposal,
    Current,
    Next,
}

fn step() -> impl Strategy<Value = Step> {
    let quoted = prop_oneof![3 => Just(Quoted::OfProposal), 2 => Just(Quoted::Current), 1 => Just(Quoted::Next)];
    prop_oneof![
        2 => (0..PEOPLE).prop_map(|author| Step::Notarise { author }),
        4 => (0..=OPERATORS, any::<bool>(), 0..PEOPLE, any::<bool>(), prop::bool::weighted(0.1), 1..3_000u64).prop_map(
            |(operator, grant, subject, compromise, version_off, life)| {
                Step::Propose { operator, grant, subject, compromise, version_off, life }
            }
        ),
        8 => (0..=OPERATORS, 0..12usize, quoted)
            .prop_map(|(operator, proposal, version)| Step::Approve { operator, proposal, version }),
        1 => (0..1_500u64).prop_map(|seconds| Step::Wait { seconds }),
    ]
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Role {
    Granted,
    Revoked,
    Compromised,
}

struct ModelProposal {
    grant: bool,
    subject: u32,
    compromise: bool,
    version: u64,
    expires: u64,
    approvers: BTreeSet<u32>,
    executed: bool,
}

/// The rules once more, as plainly as possible.
struct Model {
    operators: u32,
    required: usize,
    version: u64,
    roles: BTreeMap<u32, Role>,
    proposals: Vec<ModelProposal>,
}

impl Model {
    fn notarise(&self, author: u32) -> Result<(), &'static str> {
        match self.roles.get(&author) {
            Some(Role::Granted) => Ok(()),
            Some(_) => Err("notary.writer-revoked"),
            None => Err("notary.not-a-writer"),
        }
    }

    fn propose(&mut self, operator: u32, proposal: ModelProposal, now: u64) -> Result<(), &'static str> {
        self.in_office(operator, proposal.version)?;
        if now >= proposal.expires {
            return Err("governance.proposal-expired");
        }
        match (proposal.grant, self.roles.get(&proposal.subject)) {
            (true, Some(Role::Granted)) => return Err("governance.already-a-writer"),
            (true, Some(Role::Compromised)) => return Err("governance.key-compromised"),
            (false, role) if role != Some(&Role::Granted) => return Err("governance.not-a-writer"),
            _ => {}
        }
        self.proposals.push(proposal);
        self.count(self.proposals.len() - 1, operator);
        Ok(())
    }

    fn approve(&mut self, operator: u32, index: usize, version: u64, now: u64) -> Result<(), &'static str> {
        if operator >= self.operators {
            return Err("governance.not-an-operator");
        }
        let Some(proposal) = self.proposals.get(index) else { return Err("governance.proposal-unknown") };
        if proposal.executed {
            return Err("governance.already-executed");
        }
        self.in_office(operator, version)?;
        if now >= proposal.expires {
            return Err("governance.proposal-expired");
        }
        if proposal.version != self.version {
            return Err("governance.proposal-lapsed");
        }
        if proposal.approvers.contains(&operator) {
            return Err("governance.already-approved");
        }
        self.count(index, operator);
        Ok(())
    }

    fn in_office(&self, operator: u32, version: u64) -> Result<(), &'static str> {
        match operator < self.operators {
            false => Err("governance.not-an-operator"),
            true if version != self.version => Err("governance.version-mismatch"),
            true => Ok(()),
        }
    }

    fn count(&mut self, index: usize, operator: u32) {
        let proposal = &mut self.proposals[index];
        proposal.approvers.insert(operator);
        if proposal.approvers.len() >= self.required {
            proposal.executed = true;
            self.version += 1;
            let role = match (proposal.grant, proposal.compromise) {
                (true, _) => Role::Granted,
                (false, true) => Role::Compromised,
                (false, false) => Role::Revoked,
            };
            self.roles.insert(proposal.subject, role);
        }
    }
}

fn run(operators: u32, required: u32, steps: &[Step]) -> Result<(), TestCaseError> {
    let mut ledger = Ledger::new(genesis(operators, required, 2));
    let roles = (0..2).map(|n| (n, Role::Granted)).collect();
    let mut model = Model { operators, required: required as usize, version: 1, roles, proposals: Vec::new() };
    let mut proposed: Vec<Record> = Vec::new();
    let mut now = START;
    for (number, step) in steps.iter().enumerate() {
        let jti = format!("s{number}");
        let (record, expected) = match *step {
            Step::Wait { seconds } => {
                now += seconds;
                continue;
            }
            Step::Notarise { author } => {
                (ledger.record(&key("writer", author), &jti, now, notarise(1)), model.notarise(author))
            }
            Step::Propose { operator, grant, subject, compromise, version_off, life } => {
                let version = model.version + u64::from(version_off);
                let reason = if compromise { RevocationReason::KeyCompromise } else { RevocationReason::Superseded };
                let did = did("writer", subject);
                let change = if grant { Change::GrantWriter { did } } else { Change::RevokeWriter { did, reason } };
                let expires = now + life;
                let act = Act::Propose { change, governance_version: version, expires: UnixTime(expires) };
                let (approvers, executed) = (BTreeSet::new(), false);
                let proposal = ModelProposal { grant, subject, compromise, version, expires, approvers, executed };
                let record = ledger.record(&key("operator", operator), &jti, now, act);
                let expected = model.propose(operator, proposal, now);
                if expected.is_ok() {
                    proposed.push(record.clone());
                }
                (record, expected)
            }
            Step::Approve { operator, proposal, version } => {
                let id = proposed.get(proposal).map_or_else(|| key_id(proposal), Record::id);
                let version = match version {
                    Quoted::OfProposal => model.proposals.get(proposal).map_or(1, |p| p.version),
                    Quoted::Current => model.version,
                    Quoted::Next => model.version + 1,
                };
                let act = Act::Approve { proposal: id, governance_version: version };
                let record = ledger.record(&key("operator", operator), &jti, now, act);
                (record, model.approve(operator, proposal, version, now))
            }
        };
        let version_before = governance::governance(&ledger.state).unwrap().version;
        let outcome = ledger.one(now, &record);
        prop_assert_eq!(outcome.map(|_| ()), expected, "step {}: {:?}", number, step);
        let executed = match outcome {
            Ok(Outcome::Proposed { executed } | Outcome::Approved { executed }) => executed,
            _ => None,
        };
        prop_assert_eq!(executed.unwrap_or(version_before), model.version, "INV-GOVERNANCE-2");
        prop_assert_eq!(governance::governance(&ledger.state).unwrap().version, model.version);
    }
    for subject in 0..PEOPLE {
        let found = notary::writer_role(&ledger.state, &did("writer", subject)).unwrap();
        prop_assert_eq!(found.map(|role| role.is_granted()), model.roles.get(&subject).map(|r| *r == Role::Granted));
    }
    Ok(())
}

fn key_id(number: usize) -> testamur_primitives::hash::RecordId {
    testamur_primitives::hash::RecordId::from_bytes([number as u8; 32])
}

/// Runs a runner's sequences of up to `longest` steps on both.
pub(crate) fn sequences(runner: &mut TestRunner, longest: usize) -> Result<(), String> {
    let office = (1..=OPERATORS).prop_flat_map(|n| (Just(n), 1..=n));
    let sequences = (office, proptest::collection::vec(step(), 1..longest));
    let agree = |((operators, required), steps): ((u32, u32), Vec<Step>)| run(operators, required, &steps);
    runner.run(&sequences, agree).map_err(|error| error.to_string())
}

#[test]
fn ledger_and_model_agree() {
    sequences(&mut TestRunner::new(ProptestConfig::with_cases(64)), 60).expect("both say the same");
}
