//! Changes of validators and operators, and blocks that decide them.

use testamur_primitives::did::Did;
use testamur_primitives::genesis::{GenesisValidator, Operator};
use testamur_primitives::hash::{Address, HeaderHash};
use testamur_primitives::record::{Act, Bytes, Change, OperatorRotation, Record, ValidatorRotation};
use testamur_primitives::units::{Height, UnixTime};
use testamur_registry::network::{self, SetChangeEntry};
use testamur_registry::{Outcome, governance};

use super::{Ledger, did, key, possession, public, registration, validator};

/// Address of validator n of the support's registrations.
pub fn address(n: u32) -> Address {
    registration(n).address()
}

/// A change of the validator set from now on.
pub fn change(add: &[GenesisValidator], remove: &[Address], rotate: &[ValidatorRotation]) -> Change {
    Change::ChangeValidators { add: add.to_vec(), remove: remove.to_vec(), rotate: rotate.to_vec(), from: Height(0) }
}

pub fn add(n: u32) -> Change {
    change(&[validator(n)], &[], &[])
}

pub fn remove(n: u32) -> Change {
    change(&[], &[address(n)], &[])
}

/// Validator n gets consensus, log and peer key of these numbers.
pub fn rotation(n: u32, keys: [u32; 3]) -> ValidatorRotation {
    let mut registration = registration(n);
    registration.keys[0].key = Bytes(public("consensus", keys[0]));
    registration.log_key = Bytes(public("log", keys[1]));
    registration.peer_key = Bytes(public("peer", keys[2]));
    ValidatorRotation { validator: address(n), registration, possession: possession(keys, address(n)) }
}

pub fn rotate(n: u32, keys: [u32; 3]) -> Change {
    change(&[], &[], &[rotation(n, keys)])
}

/// Operator n as genesis and changes name it.
pub fn operator(n: u32) -> Operator {
    Operator { did: did("operator", n), name: format!("Operator {n}"), country: "BE".into() }
}

/// A change of operators by their numbers, and m.
pub fn operators(add: &[u32], remove: &[u32], rotate: &[(u32, u32)], m: Option<u32>) -> Change {
    let successor = |&(old, new)| OperatorRotation { did: did("operator", old), successor: did("operator", new) };
    Change::ChangeOperators {
        add: add.iter().map(|n| operator(*n)).collect(),
        remove: remove.iter().map(|n| did("operator", *n)).collect(),
        rotate: rotate.iter().map(successor).collect(),
        approvals_required: m,
    }
}

impl Ledger {
    /// A proposal of operator n for the version in force.
    pub fn proposal(&self, operator: u32, jti: &str, change: Change) -> Record {
        let expires = UnixTime(self.time.0 + 86_400);
        let act = Act::Propose { change, governance_version: self.version(), expires };
        self.record(&key("operator", operator), jti, self.time.0, act)
    }

    /// One block, one record; its time is the last block's.
    pub fn now(&mut self, record: &Record) -> Result<Outcome, &'static str> {
        self.one(self.time.0, record)
    }

    /// Operator 0 of a network with m = 1 decides a change; the slug of its rejection.
    pub fn decide(&mut self, change: Change) -> Result<(), &'static str> {
        let jti = format!("decide-{}", self.height);
        let proposal = self.proposal(0, &jti, change);
        let outcome = self.now(&proposal)?;
        assert!(matches!(outcome, Outcome::Proposed { executed: Some(_) }), "{outcome:?}");
        Ok(())
    }

    /// The validator's record that it follows, signed by a consensus key.
    pub fn synced(&self, validator: Address, consensus: u32, height: u64) -> Record {
        let act = Act::Synced { validator, height: Height(height), header: HeaderHash::from_bytes([7; 32]) };
        self.record(&key("consensus", consensus), &format!("synced-{}", self.height), self.time.0, act)
    }

    /// A validator is added, and says that it follows.
    pub fn join(&mut self, n: u32) -> Result<Height, &'static str> {
        self.decide(add(n))?;
        let synced = self.synced(address(n), n, self.height.0);
        match self.now(&synced)? {
            Outcome::Synced { activation: Some(height) } => Ok(height),
            other => panic!("the last one schedules the change: {other:?}"),
        }
    }

    /// Empty blocks up to a height.
    pub fn until(&mut self, height: Height) {
        while self.height < height {
            assert!(self.block(self.time.0, &[]).is_empty());
        }
    }

    /// The newest change of the set.
    pub fn set_change(&self) -> SetChangeEntry {
        network::set_change(&self.state).expect("sound").expect("a change of the set")
    }

    /// Addresses of the set that decides a height, and the epoch.
    pub fn set_at(&self, height: Height) -> (u64, Vec<Address>) {
        let epoch = network::epoch_at(&self.state, height).expect("sound");
        network::validator_set(&self.state, &epoch).expect("INV-NETWORK-1: every epoch's set can be made again");
        (epoch.epoch.0, epoch.validators)
    }

    /// The operators in office, in order of DID.
    pub fn office(&self) -> Vec<Did> {
        let governance = governance::governance(&self.state).expect("sound");
        governance.operators.into_iter().map(|operator| operator.did).collect()
    }
}
