//! Changes of validators and operators against a naive model: any sequence of them, each answered with the same code by
//! both; the same sets at every height; and the invariants of `network` and `governance` over all that came of it.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::members::{address, operators, rotation};
use crate::support::{Ledger, approve, did, genesis, key, validator};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use testamur_primitives::record::{Change, Record};
use testamur_primitives::units::Height;
use testamur_registry::{Outcome, Rejection, governance, network};

/// Validators 0 … 3 are of genesis; keys and names have the same numbers.
const PEOPLE: u32 = 12;
const OPERATORS: u32 = 8;

#[derive(Debug, Clone)]
enum Step {
    Set { add: Vec<u32>, remove: Vec<u32>, rotate: Vec<(u32, u32)>, ahead: u64 },
    Withdraw,
    Synced { validator: u32, by: u32 },
    Offices { add: Vec<u32>, remove: Vec<u32>, rotate: Vec<(u32, u32)>, m: Option<u32> },
    Blocks(u64),
}

fn some<V: Clone + core::fmt::Debug>(one: impl Strategy<Value = V>, most: usize) -> impl Strategy<Value = Vec<V>> {
    prop_oneof![2 => prop::collection::vec(one, 0..=most), 3 => Just(Vec::new())]
}

fn step() -> impl Strategy<Value = Step> {
    let set = (some(4..PEOPLE, 2), some(0..PEOPLE, 2), some((0..PEOPLE, 0..30u32), 2), 0..6u64)
        .prop_map(|(add, remove, rotate, ahead)| Step::Set { add, remove, rotate, ahead });
    // Most changes name one validator; only those have a chance in a small network.
    let one = prop_oneof![
        (4..PEOPLE).prop_map(|n| (vec![n], vec![], vec![])),
        (0..PEOPLE).prop_map(|n| (vec![], vec![n], vec![])),
        (0..PEOPLE, 12..30u32).prop_map(|n| (vec![], vec![], vec![n])),
    ]
    .prop_map(|(add, remove, rotate)| Step::Set { add, remove, rotate, ahead: 0 });
    let m = prop_oneof![2 => Just(None), 1 => (0..OPERATORS).prop_map(Some)];
    let offices = (some(0..OPERATORS, 2), some(0..OPERATORS, 2), some((0..OPERATORS, 0..OPERATORS), 1), m)
        .prop_map(|(add, remove, rotate, m)| Step::Offices { add, remove, rotate, m });
    prop_oneof![
        2 => set,
        6 => one,
        1 => Just(Step::Withdraw),
        6 => (4..PEOPLE, prop::bool::weighted(0.9)).prop_map(|(n, own)| Step::Synced { validator: n, by: if own { n } else { 0 } }),
        4 => offices,
        3 => (1..4u64).prop_map(Step::Blocks),
    ]
}

#[derive(Debug, Clone, PartialEq)]
enum Status {
    Waiting,
    Scheduled,
    Withdrawn,
}

#[derive(Debug, Clone)]
struct Pending {
    add: Vec<u32>,
    remove: Vec<u32>,
    rotate: Vec<(u32, u32)>,
    from: u64,
    synced: Vec<u32>,
    status: Status,
}

/// The rules once more, on numbers: a validator is its name, its keys are one number.
struct Model {
    height: u64,
    epochs: Vec<(u64, BTreeMap<u32, u32>)>,
    keys: BTreeSet<u32>,
    names: BTreeSet<u32>,
    change: Option<Pending>,
    office: BTreeSet<u32>,
    former: BTreeSet<u32>,
    m: u32,
}

type Verdict = Result<(), &'static str>;

fn twice<T: Ord>(all: impl IntoIterator<Item = T>) -> bool {
    let mut seen = BTreeSet::new();
    all.into_iter().any(|one| !seen.insert(one))
}

impl Model {
    fn set(&mut self, change: Pending) -> Verdict {
        let Pending { add, remove, rotate, .. } = &change;
        let named = add.len() + remove.len() + rotate.len();
        if named == 0 {
            return Err("governance.nothing-changes");
        }
        if twice(add.iter().chain(remove).chain(rotate.iter().map(|(n, _)| n))) {
            return Err("governance.named-twice");
        }
        let waiting = self.change.as_ref().is_some_and(|change| change.status == Status::Waiting);
        let (from, newest) = self.epochs.last().expect("genesis");
        if waiting || *from > self.height {
            return Err("governance.set-change-pending");
        }
        if named > (newest.len() - 1) / 3 {
            return Err("governance.too-many-at-once");
        }
        if newest.len() + add.len() < 4 + remove.len() {
            return Err("governance.set-size");
        }
        if remove.iter().any(|n| !newest.contains_key(n)) {
            return Err("governance.validator-unknown");
        }
        for (n, keys) in rotate {
            match newest.get(n) {
                None => return Err("governance.validator-unknown"),
                Some(current) if current == keys => return Err("governance.old-key"),
                Some(_) if self.keys.contains(keys) => return Err("governance.validator-key-in-use"),
                Some(_) => {}
            }
        }
        for n in add {
            if self.names.contains(n) {
                return Err("governance.name-in-use");
            }
            if self.keys.contains(n) {
                return Err("governance.validator-key-in-use");
            }
        }
        if twice(Self::changed(newest, &change).values()) {
            return Err("governance.set");
        }
        let at_once = add.is_empty();
        self.change = Some(change);
        if at_once {
            self.schedule();
        }
        Ok(())
    }

    fn changed(newest: &BTreeMap<u32, u32>, change: &Pending) -> BTreeMap<u32, u32> {
        let mut set = newest.clone();
        set.retain(|n, _| !change.remove.contains(n));
        set.extend(change.rotate.iter().copied());
        set.extend(change.add.iter().map(|n| (*n, *n)));
        set
    }

    fn schedule(&mut self) {
        let change = self.change.as_mut().expect("just decided");
        change.status = Status::Scheduled;
        let set = Self::changed(&self.epochs.last().expect("genesis").1, change);
        self.keys.extend(set.values());
        self.names.extend(set.keys());
        self.epochs.push((change.from.max(self.height + 2), set));
    }

    fn withdraw(&mut self) -> Verdict {
        match &mut self.change {
            Some(change) if change.status == Status::Waiting => {
                change.status = Status::Withdrawn;
                Ok(())
            }
            _ => Err("governance.no-set-change"),
        }
    }

    fn synced(&mut self, validator: u32, by: u32) -> Verdict {
        let Some(change) = &mut self.change else { return Err("network.not-awaited") };
        if change.status == Status::Withdrawn || !change.add.contains(&validator) {
            return Err("network.not-awaited");
        }
        if by != validator {
            return Err("network.key");
        }
        if change.synced.contains(&validator) {
            return Err("network.already-synced");
        }
        change.synced.push(validator);
        if change.synced.len() == change.add.len() {
            self.schedule();
        }
        Ok(())
    }

    fn offices(&mut self, add: &[u32], remove: &[u32], rotate: &[(u32, u32)], m: Option<u32>) -> Verdict {
        let leaving: Vec<u32> = remove.iter().copied().chain(rotate.iter().map(|(old, _)| *old)).collect();
        let entering: Vec<u32> = add.iter().copied().chain(rotate.iter().map(|(_, new)| *new)).collect();
        if leaving.is_empty() && entering.is_empty() && m.is_none() {
            return Err("governance.nothing-changes");
        }
        if twice(&leaving) || twice(&entering) {
            return Err("governance.named-twice");
        }
        if leaving.iter().any(|n| !self.office.contains(n)) {
            return Err("governance.operator-unknown");
        }
        for n in &entering {
            if self.office.contains(n) {
                return Err("governance.already-an-operator");
            }
            if self.former.contains(n) {
                return Err("governance.former-operator");
            }
        }
        let mut after = self.office.clone();
        after.retain(|n| !leaving.contains(n));
        after.extend(&entering);
        let (n, m) = (after.len() as u32, m.unwrap_or(self.m));
        if n == 0 {
            return Err("governance.operator-count");
        }
        if after == self.office && m == self.m {
            return Err("governance.nothing-changes");
        }
        let same = n == self.office.len() as u32 && m == self.m;
        if !(same || (m == 1 && self.m == 1) || (2 * m > n && m < n)) {
            return Err("governance.threshold");
        }
        (self.office, self.m) = (after, m);
        self.former.extend(leaving);
        Ok(())
    }
}

/// The operators in office decide a change in one block, as many as it takes.
fn decide(ledger: &mut Ledger, model: &Model, jti: &str, change: Change) -> Verdict {
    let mut by = model.office.iter();
    let proposal = ledger.proposal(*by.next().expect("somebody"), jti, change);
    let version = ledger.version();
    let approvals = by
        .take(model.m as usize - 1)
        .map(|n| ledger.record(&key("operator", *n), jti, ledger.time.0, approve(&proposal, version)));
    let records: Vec<Record> = core::iter::once(proposal.clone()).chain(approvals).collect();
    let outcomes: Vec<Result<Outcome, Rejection>> = ledger.block(ledger.time.0, &records);
    if let Err(rejection) = &outcomes[0] {
        return Err(rejection.code().0);
    }
    match outcomes.last().expect("at least one") {
        Ok(Outcome::Proposed { executed } | Outcome::Approved { executed }) => {
            assert_eq!(*executed, Some(version + 1), "INV-GOVERNANCE-2");
            Ok(())
        }
        other => panic!("m approvals decide: {other:?}"),
    }
}

fn run(office: u32, m: u32, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let mut ledger = Ledger::new(genesis(office, m, 0));
    let first: BTreeMap<u32, u32> = (0..4).map(|n| (n, n)).collect();
    let mut model = Model {
        height: 0,
        epochs: vec![(0, first)],
        keys: (0..4).collect(),
        names: (0..4).collect(),
        change: None,
        office: (0..office).collect(),
        former: BTreeSet::new(),
        m,
    };
    for (number, step) in steps.into_iter().enumerate() {
        let (jti, text) = (format!("s{number}"), format!("step {number}: {step:?}"));
        model.height = ledger.height.0 + 1;
        let (found, expected) = match step {
            Step::Blocks(count) => {
                ledger.until(Height(ledger.height.0 + count));
                continue;
            }
            Step::Set { add, remove, rotate, ahead } => {
                let from = model.height + ahead;
                let change = Change::ChangeValidators {
                    add: add.iter().map(|n| validator(*n)).collect(),
                    remove: remove.iter().map(|n| address(*n)).collect(),
                    rotate: rotate.iter().map(|(n, keys)| rotation(*n, [*keys; 3])).collect(),
                    from: Height(from),
                };
                let found = decide(&mut ledger, &model, &jti, change);
                let (synced, status) = (Vec::new(), Status::Waiting);
                (found, model.set(Pending { add, remove, rotate, from, synced, status }))
            }
            Step::Withdraw => (decide(&mut ledger, &model, &jti, Change::WithdrawSetChange {}), model.withdraw()),
            Step::Synced { validator, by } => {
                let record = ledger.synced(address(validator), by, 0);
                (ledger.now(&record).map(|_| ()), model.synced(validator, by))
            }
            Step::Offices { add, remove, rotate, m } => {
                let change = operators(&add, &remove, &rotate, m);
                (decide(&mut ledger, &model, &jti, change), model.offices(&add, &remove, &rotate, m))
            }
        };
        prop_assert_eq!(found, expected, "{}", text);
        check(&ledger, &model)?;
    }
    Ok(())
}

/// What must hold whatever was decided.
fn check(ledger: &Ledger, model: &Model) -> Result<(), TestCaseError> {
    let governance = governance::governance(&ledger.state).expect("sound");
    let office: BTreeSet<_> = model.office.iter().map(|n| did("operator", *n)).collect();
    prop_assert_eq!(governance.operators.iter().map(|o| o.did.clone()).collect::<BTreeSet<_>>(), office);
    prop_assert_eq!(governance.approvals_required, model.m);
    let mut before: Option<(u64, BTreeMap<u32, u32>)> = None;
    for (from, set) in &model.epochs {
        for height in [*from, from + 1] {
            let epoch = network::epoch_at(&ledger.state, Height(height)).expect("sound");
            let found = network::validator_set(&ledger.state, &epoch).expect("INV-NETWORK-1");
            let consensus = |keys: &u32| key("consensus", *keys).public_key().as_bytes().to_vec();
            let expected: BTreeMap<_, _> = set.iter().map(|(n, keys)| (address(*n), consensus(keys))).collect();
            let found = found.validators().iter().map(|v| (v.address, v.consensus_key().to_vec())).collect();
            prop_assert_eq!(expected, found, "the set of height {}", height);
        }
        prop_assert!((4..=64).contains(&set.len()), "INV-NETWORK-2");
        prop_assert!(!twice(set.values()), "INV-NETWORK-3");
        if let Some((earlier, old)) = before.replace((*from, set.clone())) {
            let changed = old.iter().filter(|entry| set.get(entry.0) != Some(entry.1)).count();
            let joined = set.keys().filter(|n| !old.contains_key(n)).count();
            prop_assert!(changed + joined <= (old.len() - 1) / 3, "INV-NETWORK-2: a third vouches for the next");
            prop_assert!(*from >= earlier + 2, "INV-NETWORK-4");
        }
    }
    let (n, m) = (model.office.len() as u32, model.m);
    prop_assert!(m <= n && m >= 1, "INV-GOVERNANCE-3: somebody can decide");
    prop_assert!(model.former.is_disjoint(&model.office), "INV-GOVERNANCE-4");
    Ok(())
}

/// Runs a runner's sequences of up to `longest` steps on both.
pub(crate) fn sequences(runner: &mut TestRunner, longest: usize) -> Result<(), String> {
    let office = (1..=5u32).prop_flat_map(|n| (Just(n), 1..=n));
    let sequences = (office, prop::collection::vec(step(), 1..longest));
    let agree = |((office, m), steps): ((u32, u32), Vec<Step>)| run(office, m, steps);
    runner.run(&sequences, agree).map_err(|error| error.to_string())
}

#[test]
fn ledger_and_model_agree() {
    sequences(&mut TestRunner::new(ProptestConfig::with_cases(48)), 40).expect("both say the same");
}
