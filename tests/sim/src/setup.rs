//! Validators, keys and records: the same in every run.

use std::sync::OnceLock;

use bytes::Bytes;
use testamur_primitives::codec::{self, sha256};
use testamur_primitives::commitment::{DigestAlgorithm, Form};
use testamur_primitives::did::Did;
use testamur_primitives::epoch::{TypedKey, ValidatorKeyAlgorithm, ValidatorRegistration};
use testamur_primitives::genesis::{Genesis, GenesisValidator, Operator, Parameters, Possession, possession_message};
use testamur_primitives::hash::Address;
use testamur_primitives::key::SigningKey;
use testamur_primitives::record::{Act, Bytes as KeyBytes, Payload, Record};
use testamur_primitives::units::UnixTime;

use crate::ledger::Beginning;

/// When every world begins, in seconds since 1970.
pub const START: u64 = 1_800_000_000;
const VALIDATORS_MAX: u32 = 7;
const WRITERS: u32 = 3;

fn seed(role: &str, number: u32) -> [u8; 32] {
    sha256(&[b"testamur simulation\n", role.as_bytes(), b"\n", &number.to_be_bytes()])
}

fn key(role: &str, number: u32) -> SigningKey {
    SigningKey::ed25519(&seed(role, number))
}

fn public(role: &str, number: u32) -> KeyBytes {
    KeyBytes(key(role, number).public_key().as_bytes().to_vec())
}

/// A validator's consensus key.
pub fn consensus_key(number: u32) -> SigningKey {
    key("consensus", number)
}

/// A validator's public peer key.
pub fn peer_key(number: u32) -> [u8; 32] {
    public("peer", number).0.try_into().expect("an Ed25519 key has 32 bytes")
}

fn registration(number: u32) -> ValidatorRegistration {
    ValidatorRegistration {
        v: 1,
        name: format!("validator-{number}.example"),
        operator: format!("Authority {number}"),
        country: "BE".into(),
        did: Did::key(&key("legal", number).public_key()),
        keys: vec![TypedKey { alg: ValidatorKeyAlgorithm::Ed25519, key: public("consensus", number) }],
        log_key: public("log", number),
        peer_key: public("peer", number),
        not_after: UnixTime(START + 100_000_000),
    }
}

/// A validator's address.
pub fn address(number: u32) -> Address {
    static ADDRESSES: OnceLock<Vec<Address>> = OnceLock::new();
    let all = ADDRESSES.get_or_init(|| (0..VALIDATORS_MAX).map(|number| registration(number).address()).collect());
    all[number as usize]
}

/// The number of the validator at an address.
pub fn number_of(wanted: Address, validators: usize) -> u32 {
    (0..validators as u32).find(|number| address(*number) == wanted).expect("a validator of this network")
}

/// Validators in the order of the set: their numbers.
pub fn numbers(genesis: &Genesis, validators: usize) -> Vec<usize> {
    let set = genesis.validator_set();
    set.validators().iter().map(|v| number_of(v.address, validators) as usize).collect()
}

fn genesis(validators: usize, heartbeat_s: u32) -> Genesis {
    let validator = |number| {
        let registration = registration(number);
        let address = registration.address();
        let sign = |role: &str| KeyBytes(key(role, number).sign(&possession_message(role, address)));
        let possession = Possession { consensus: sign("consensus"), log: sign("log"), peer: sign("peer") };
        GenesisValidator { registration, possession }
    };
    let genesis = Genesis {
        v: 1,
        domain: "simulation.example".into(),
        name: format!("of-{validators}"),
        time: UnixTime(START),
        protocol: 1,
        parameters: Parameters { heartbeat_s, ..Parameters::default() },
        validators: (0..validators as u32).map(validator).collect(),
        operators: vec![Operator {
            did: Did::key(&key("operator", 0).public_key()),
            name: "Operator 0".into(),
            country: "BE".into(),
        }],
        approvals_required: 1,
        writers: (0..WRITERS).map(|number| Did::key(&key("writer", number).public_key())).collect(),
        did_method: None,
        public_base: None,
        status_history_days: None,
        predecessor: None,
    };
    Genesis::from_json(&codec::canonical(&genesis)).expect("the genesis of simulations is valid")
}

/// What a network of so many validators begins with; made once a process for each.
pub fn beginning(validators: usize, heartbeat_s: u32) -> Beginning {
    type Made = std::sync::Mutex<std::collections::BTreeMap<(usize, u32), Beginning>>;
    static MADE: OnceLock<Made> = OnceLock::new();
    let mut made = MADE.get_or_init(Made::default).lock().expect("no panic while held");
    made.entry((validators, heartbeat_s)).or_insert_with(|| Beginning::new(genesis(validators, heartbeat_s))).clone()
}

/// A client's record.
pub fn record(genesis: &Genesis, number: u64, now: u64) -> Bytes {
    let author = key("writer", (number % u64::from(WRITERS)) as u32);
    let did = Did::key(&author.public_key());
    let act = Act::Notarise {
        alg: DigestAlgorithm::Sha2_256,
        form: Form::Digest,
        entries: vec![KeyBytes(sha256(&[&number.to_be_bytes()]).to_vec())],
        reference: None,
    };
    let payload = Payload {
        v: 1,
        net: genesis.hash(),
        iss: did.clone(),
        jti: format!("record-{number}").parse().expect("a reference"),
        iat: UnixTime(now.saturating_sub(60)),
        exp: UnixTime(now + 3_600),
        act,
    };
    let record = Record::sign(&payload, &did.key_id().expect("a did:key"), &author).expect("a valid record");
    Bytes::copy_from_slice(record.as_bytes())
}
