//! What tests of several modules begin with: a network's origin, four validators, a tip, values, signatures.

use std::sync::Arc;

use testamur_primitives::checkpoint::ValueId;
use testamur_primitives::epoch::{TypedKey, ValidatorKeyAlgorithm, ValidatorRegistration, ValidatorSet};
use testamur_primitives::equivocation::{Equivocation, Place, Said, Statement, VoteStep};
use testamur_primitives::genesis::{Genesis, Origin, Parameters};
use testamur_primitives::hash::{Address, HeaderHash, TreeHash};
use testamur_primitives::key::SigningKey;
use testamur_primitives::record::Bytes;
use testamur_primitives::units::{Height, LogSize, Round, UnixTime};

use crate::application::TipView;

pub(crate) fn origin() -> Origin {
    let genesis = Genesis {
        v: 1,
        domain: "test.example".into(),
        name: "fixtures".into(),
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

pub(crate) fn key(number: u8, use_: u8) -> SigningKey {
    SigningKey::ed25519(&[number * 8 + use_; 32])
}

pub(crate) fn registration(number: u8) -> ValidatorRegistration {
    let public = |use_| Bytes(key(number, use_).public_key().as_bytes().to_vec());
    ValidatorRegistration {
        v: 1,
        name: format!("v{number}.example"),
        operator: "An authority".into(),
        country: "EU".into(),
        did: "did:web:example.eu".parse().unwrap(),
        keys: vec![TypedKey { alg: ValidatorKeyAlgorithm::Ed25519, key: public(0) }],
        log_key: public(1),
        peer_key: public(2),
        not_after: UnixTime(9_000_000_000),
    }
}

pub(crate) fn address(number: u8) -> Address {
    registration(number).address()
}

pub(crate) fn tip(height: u64) -> TipView {
    let set = ValidatorSet::new((1..=4).map(|number| registration(number).to_validator()).collect()).unwrap();
    TipView {
        height: Height(height),
        header: HeaderHash::from_bytes([0; 32]),
        time: UnixTime(1),
        validators: Arc::new(set),
        scheduled: None,
        parameters: Parameters::default(),
    }
}

pub(crate) fn value(number: u8) -> ValueId {
    ValueId {
        log_size: LogSize(7),
        log_root: TreeHash::from_bytes([number; 32]),
        time: UnixTime(1_700_000_000),
        header: HeaderHash::from_bytes([number; 32]),
    }
}

/// Nil for 0.
pub(crate) fn said(number: u8) -> Said {
    Said { value: (number > 0).then(|| value(number)), pol_round: None }
}

pub(crate) fn place(height: u64, step: VoteStep, validator: u8) -> Place {
    Place { height: Height(height), round: Round(0), step, validator: address(validator) }
}

pub(crate) fn sign(place: &Place, said: &Said, with: u8) -> [u8; 64] {
    key(with, 0).sign(&place.message(&origin(), said).unwrap()).try_into().unwrap()
}

/// Two prevotes of a validator.
pub(crate) fn equivocation(height: u64, validator: u8) -> Equivocation {
    let place = place(height, VoteStep::Prevote, validator);
    let statement = |number| Statement::new(&said(number), &sign(&place, &said(number), validator));
    let public: [u8; 32] = key(validator, 0).public_key().as_bytes().try_into().unwrap();
    Equivocation::new(&origin(), &place, &public, statement(1), statement(2))
}
