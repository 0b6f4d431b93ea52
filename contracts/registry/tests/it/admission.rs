//! What may enter a block at its time, and that nothing enters twice.

use crate::support::{Ledger, START, genesis, key, notarise, propose};
use testamur_primitives::codec;
use testamur_primitives::did::Did;
use testamur_primitives::hash::GenesisHash;
use testamur_primitives::key::SigningKey;
use testamur_primitives::record::{Change, Record};
use testamur_registry::{Outcome, check_stateless};

const DAY: u64 = 86_400;

/// The order of P-256 (SEC 2, secp256r1).
const P256_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7,
    0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// The same record under the other valid ECDSA signature, (r, n − s), which anybody can compute.
fn with_other_signature(record: &Record) -> Record {
    let (input, signature) = record.as_str().rsplit_once('.').expect("three parts");
    let mut signature = codec::from_base64url(signature).expect("base64url");
    let mut borrow = 0;
    for i in (0..32).rev() {
        let difference = i16::from(P256_ORDER[i]) - i16::from(signature[32 + i]) - borrow;
        borrow = i16::from(difference < 0);
        signature[32 + i] = u8::try_from(difference & 0xff).expect("masked");
    }
    Record::parse(format!("{input}.{}", codec::base64url(&signature)).as_bytes()).expect("well-formed")
}

#[test]
fn the_same_record_enters_once_also_with_another_signature() {
    let mut ledger = Ledger::new(genesis(1, 1, 0));
    let writer = SigningKey::p256(&[7; 32]).unwrap();
    let grant = Change::GrantWriter { did: Did::key(&writer.public_key()) };
    let grant = ledger.record(&key("operator", 0), "grant", START, propose(grant, 1));
    assert_eq!(ledger.one(START, &grant), Ok(Outcome::Proposed { executed: Some(2) }));

    let record = ledger.record(&writer, "a", START, notarise(1));
    let malleated = with_other_signature(&record);
    assert_ne!(malleated.as_bytes(), record.as_bytes());
    assert_eq!(malleated.id(), record.id(), "INV-RECORD-1");
    assert!(check_stateless(malleated.clone()).is_ok(), "a high S is legal in records");

    let outcomes = ledger.block(START, &[record.clone(), record.clone(), malleated.clone()]);
    let codes: Vec<_> = outcomes.iter().map(|o| o.as_ref().map_err(|r| r.code().0)).collect();
    let duplicate = "admission.duplicate";
    assert_eq!(codes, [Ok(&Outcome::Notarised), Err(duplicate), Err(duplicate)], "INV-EXECUTE-2: in one block");
    assert_eq!(ledger.one(START + 10, &malleated), Err(duplicate), "INV-EXECUTE-2: in a later block");
    assert_eq!(ledger.log.size(), 2);
}

#[test]
fn a_jti_is_used_once_by_its_author() {
    let mut ledger = Ledger::new(genesis(1, 1, 2));
    let first = ledger.record(&key("writer", 0), "a", START, notarise(1));
    let other_content = ledger.record(&key("writer", 0), "a", START, notarise(2));
    let other_author = ledger.record(&key("writer", 1), "a", START, notarise(2));
    assert_eq!(ledger.one(START, &first), Ok(Outcome::Notarised));
    assert_eq!(ledger.one(START, &other_content), Err("admission.duplicate"));
    assert_eq!(ledger.one(START, &other_author), Ok(Outcome::Notarised));
    let outcomes = ledger.block(
        START,
        &[
            ledger.record(&key("writer", 0), "b", START, notarise(1)),
            ledger.record(&key("writer", 0), "b", START, notarise(2)),
        ],
    );
    assert_eq!(outcomes[1].as_ref().map_err(|r| r.code()), Err(("admission.duplicate", 150)));
    let message = outcomes[1].as_ref().unwrap_err().to_string();
    assert_eq!(message, "the author has already used this jti: give every record its own");
}

#[test]
fn a_rejected_record_uses_up_nothing() {
    let mut ledger = Ledger::new(genesis(1, 1, 0));
    let writer = key("writer", 3);
    let record = ledger.record(&writer, "a", START, notarise(1));
    assert_eq!(ledger.one(START, &record), Err("notary.not-a-writer"));
    let grant = Change::GrantWriter { did: Did::key(&writer.public_key()) };
    let grant = ledger.record(&key("operator", 0), "grant", START, propose(grant, 1));
    let outcomes = ledger.block(START, &[record.clone(), grant, record.clone()]);
    assert!(outcomes[0].is_err());
    assert_eq!(outcomes[2], Ok(Outcome::Notarised), "INV-EXECUTE-1: neither id nor jti was used up");
}

#[test]
fn times_bound_admission_so_that_the_window_is_enough() {
    let mut ledger = Ledger::new(genesis(1, 1, 1));
    let author = key("writer", 0);
    // Made 300 s ahead of the block, with the longest life: admissible for the longest time.
    let mut payload = ledger.payload(&author, "long", START + 300, notarise(1));
    payload.exp.0 = payload.iat.0 + DAY;
    let long = Record::sign(&payload, &payload.iss.key_id().unwrap(), &author).unwrap();
    assert_eq!(ledger.one(START, &long), Ok(Outcome::Notarised));
    // At its last admissible second the window still knows it; a second later it is too old for ever.
    assert_eq!(ledger.one(START + DAY + 299, &long), Err("admission.duplicate"));
    assert_eq!(ledger.one(START + DAY + 300, &long), Err("record.too-old"));
    assert_eq!(ledger.one(START + 30 * DAY, &long), Err("record.too-old"));
    // Its jti is free again after the window, as promised.
    let reuse = ledger.record(&author, "long", START + 30 * DAY, notarise(2));
    assert_eq!(ledger.one(START + 30 * DAY, &reuse), Ok(Outcome::Notarised));

    let now = START + 30 * DAY;
    let early = ledger.record(&author, "early", now + 301, notarise(1));
    assert_eq!(ledger.one(now, &early), Err("record.too-early"));
    assert_eq!(ledger.one(now + 1, &early), Ok(Outcome::Notarised));
}

#[test]
fn records_of_other_networks_and_broken_signatures_stay_out() {
    let mut ledger = Ledger::new(genesis(1, 1, 1));
    let author = key("writer", 0);
    let mut payload = ledger.payload(&author, "a", START, notarise(1));
    let kid = payload.iss.key_id().unwrap();
    let good = Record::sign(&payload, &kid, &author).unwrap();
    payload.net = GenesisHash::from_bytes([9; 32]);
    let foreign = Record::sign(&payload, &kid, &author).unwrap();
    assert_eq!(ledger.one(START, &foreign), Err("record.wrong-network"));
    let (input, _) = good.as_str().rsplit_once('.').unwrap();
    let unsigned = Record::parse(format!("{input}.{}", codec::base64url(&[0; 64])).as_bytes()).unwrap();
    assert_eq!(ledger.one(START, &unsigned), Err("record.signature"));
    assert_eq!(ledger.one(START, &good), Ok(Outcome::Notarised));
}
