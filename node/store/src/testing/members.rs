//! Validators that come, go and get other keys.

use testamur_primitives::checkpoint::{Checkpoint, cosignature_message};
use testamur_primitives::did::Did;
use testamur_primitives::epoch::{TypedKey, ValidatorKeyAlgorithm, ValidatorRegistration, ValidatorSet};
use testamur_primitives::genesis::{GenesisValidator, Possession, possession_message};
use testamur_primitives::hash::Address;
use testamur_primitives::note::{Note, SignatureLine};
use testamur_primitives::record::{Act, Bytes, Change, ValidatorRotation};
use testamur_primitives::units::{Height, Round, UnixTime};
use testamur_registry::governance;

use super::{GENESIS_TIME, TestNetwork, TestValidator, bytes, key, signature};
use crate::{Ledger, PreparedBlock};

/// A registration with its secret keys.
#[derive(Debug)]
pub struct TestMember {
    /// What is registered, with proofs of possession.
    pub entry: GenesisValidator,
    /// The keys.
    pub keys: TestValidator,
}

impl TestMember {
    /// The validator of a number; `name` is its key name. `address` is that of a validator that gets these keys; without
    /// it this is the validator's first registration.
    pub fn new(number: usize, name: &str, address: Option<Address>) -> Self {
        let (consensus, log, peer) = (key(1, number), key(2, number), key(3, number));
        let registration = ValidatorRegistration {
            v: 1,
            name: name.into(),
            operator: format!("Ministry {number}"),
            country: "AT".into(),
            did: Did::key(&key(6, number).public_key()),
            keys: vec![TypedKey { alg: ValidatorKeyAlgorithm::Ed25519, key: Bytes(bytes(&consensus).to_vec()) }],
            log_key: Bytes(bytes(&log).to_vec()),
            peer_key: Bytes(bytes(&peer).to_vec()),
            not_after: UnixTime(GENESIS_TIME.0 + 10 * 365 * 86_400),
        };
        let address = address.unwrap_or_else(|| registration.address());
        let prove =
            |key: &testamur_primitives::key::SigningKey, kind| Bytes(key.sign(&possession_message(kind, address)));
        let possession = Possession {
            consensus: prove(&consensus, "consensus"),
            log: prove(&log, "log"),
            peer: prove(&peer, "peer"),
        };
        let keys = TestValidator { address, name: registration.name.clone(), consensus, log, peer };
        Self { entry: GenesisValidator { registration, possession }, keys }
    }

    /// The validator of a number under its own name.
    pub fn numbered(number: usize) -> Self {
        Self::new(number, &format!("validator-{number}.example"), None)
    }

    /// Other keys for a validator.
    pub fn rotation(&self) -> ValidatorRotation {
        let GenesisValidator { registration, possession } = self.entry.clone();
        ValidatorRotation { validator: self.keys.address, registration, possession }
    }
}

impl TestNetwork {
    /// Remembers keys that may sign from some height on.
    pub fn remember(&mut self, keys: TestValidator) {
        self.others.push(keys);
    }

    /// A quorum's certificate by a set, decided in round 0.
    ///
    /// # Panics
    /// When the keys of too many are not known here.
    pub fn certificate_by(&self, set: &ValidatorSet, block: &PreparedBlock) -> Note {
        let header = block.header();
        let text = Checkpoint::new(&self.genesis.origin(), &block.value_id(), header.height, Round(0)).body();
        let message = cosignature_message(header.time, &text);
        let mut signatures = Vec::new();
        for keys in self.keys_of(set).take(set.quorum()) {
            let made = signature(&keys.consensus, &message);
            signatures.push(SignatureLine::cosignature(&keys.name, &bytes(&keys.consensus), header.time.0, &made));
        }
        assert_eq!(signatures.len(), set.quorum(), "the keys of a quorum are known");
        Note { text, signatures }
    }

    /// The keys of a set's validators, those that are known.
    pub fn keys_of<'a>(&'a self, set: &'a ValidatorSet) -> impl Iterator<Item = &'a TestValidator> {
        let known = || self.validators.iter().chain(&self.others);
        set.validators().iter().filter_map(move |v| known().find(|keys| bytes(&keys.consensus) == *v.consensus_key()))
    }

    /// Decides a change in a block of its own, ten seconds after the tip; returns the block's height.
    ///
    /// # Panics
    /// When the change is refused.
    pub fn govern(&self, ledger: &Ledger, change: Change) -> Height {
        let tip = ledger.tip();
        let time = UnixTime(tip.header.time.0 + 10);
        let version = governance::governance(&ledger.view().expect("a view").state()).expect("sound").version;
        let act = Act::Propose { change, governance_version: version, expires: UnixTime(time.0 + 60) };
        let record = self.record(&self.operator, &format!("govern-{}", tip.next_height()), time, act);
        self.commit(ledger, time, &[record]).height()
    }

    /// Publishes that a candidate follows the ledger, in a block of its own.
    ///
    /// # Panics
    /// When it is refused.
    pub fn synced(&self, ledger: &Ledger, candidate: &TestMember) -> Height {
        let tip = ledger.tip();
        let time = UnixTime(tip.header.time.0 + 10);
        let act = Act::Synced { validator: candidate.keys.address, height: tip.height(), header: tip.hash };
        let record = self.record(&candidate.keys.consensus, &format!("synced-{}", tip.next_height()), time, act);
        self.commit(ledger, time, &[record]).height()
    }
}
