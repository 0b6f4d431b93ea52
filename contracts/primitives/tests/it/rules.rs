//! Small rules by themselves: names, terms, counts, and what a genesis may say.

use serde_json::{Value, json};
use testamur_primitives::codec::{CodecError, canonical, from_strict};
use testamur_primitives::commitment::DigestAlgorithm;
use testamur_primitives::dossiers::Owner;
use testamur_primitives::epoch::{ValidatorRegistration, changes_max, quorum};
use testamur_primitives::genesis::{Genesis, Possession};
use testamur_primitives::identity::{Grant, Relationship};
use testamur_primitives::issuers::{EndReason, IssuerType};
use testamur_primitives::key::{KeyKind, PublicKey, SigningKey};
use testamur_primitives::merkle::{Frontier, leaf_hash};
use testamur_primitives::record::{Algorithm, Bytes};
use testamur_primitives::status::BitList;
use testamur_primitives::units::UnixTime;

use crate::vectors::load;

#[test]
fn names_are_those_of_the_formats() {
    let names = ["sha2-256", "sha2-384", "sha2-512", "sha3-256", "sha3-384", "sha3-512"];
    assert_eq!(DigestAlgorithm::ALL.map(DigestAlgorithm::name), names);
    assert_eq!(names.map(DigestAlgorithm::from_name), DigestAlgorithm::ALL.map(Some));
    assert_eq!(DigestAlgorithm::from_name("sha-256"), None);

    let algorithms = DigestAlgorithm::ALL.map(Algorithm::Digest).into_iter().chain(KeyKind::ALL.map(Algorithm::Key));
    for algorithm in algorithms {
        assert_eq!(algorithm.name().parse(), Ok(algorithm));
    }
    assert!("md5".parse::<Algorithm>().is_err());

    let names = ["Ed25519", "P-256", "P-384", "secp256k1"];
    assert_eq!(KeyKind::ALL.map(KeyKind::name), names);
    assert_eq!(names.map(KeyKind::from_name), KeyKind::ALL.map(Some));
    assert_eq!(KeyKind::from_name("P-521"), None);

    let names = ["authentication", "assertionMethod", "keyAgreement", "capabilityInvocation", "capabilityDelegation"];
    assert_eq!(Relationship::ALL.map(Relationship::name), names);
    assert_eq!(names.map(Relationship::from_name), Relationship::ALL.map(Some));
    assert_eq!(Relationship::from_name("verificationMethod"), None);

    let types = [IssuerType::RootTao, IssuerType::Tao, IssuerType::Ti];
    assert_eq!(types.map(IssuerType::ebsi_name), ["RootTAO", "TAO", "TI"]);
    for reason in [
        EndReason::ObtainedByFraud,
        EndReason::KeyCompromise,
        EndReason::CessationOfOperation,
        EndReason::PrivilegeWithdrawn,
        EndReason::Superseded,
    ] {
        assert_eq!(json!(reason), json!(reason.name()), "as in records");
        let past = matches!(reason, EndReason::ObtainedByFraud | EndReason::KeyCompromise);
        assert_eq!(reason.may_be_past(), past, "{}", reason.name());
    }
}

#[test]
fn who_is_accredited_may_accredit_so() {
    use IssuerType::{RootTao, Tao, Ti};
    for holder in [RootTao, Tao, Ti] {
        for subject in [RootTao, Tao, Ti] {
            let may = holder != Ti && subject != RootTao;
            assert_eq!(holder.may_accredit(subject), may, "{} {}", holder.ebsi_name(), subject.ebsi_name());
        }
    }
}

/// From its first second on, and not in its last.
#[test]
fn a_right_holds_from_its_beginning_until_before_its_end() {
    let holds = |not_before: u64, not_after: Option<u64>, time: u64| {
        let (not_before, not_after) = (UnixTime(not_before), not_after.map(UnixTime));
        let grant = Grant { relationship: Relationship::Authentication, not_before, not_after }.holds(UnixTime(time));
        let did = "did:ebsi:zfEmvX5twhXjQJiCWsukvQA".parse().expect("a DID");
        assert_eq!(Owner { did, not_before, not_after }.holds(UnixTime(time)), grant);
        grant
    };
    assert!(!holds(10, None, 9) && holds(10, None, 10) && holds(10, None, u64::MAX));
    assert!(!holds(10, Some(20), 9) && holds(10, Some(20), 10) && holds(10, Some(20), 19));
    assert!(!holds(10, Some(20), 20) && !holds(10, Some(20), 21) && !holds(10, Some(10), 10));
}

#[test]
fn two_thirds_decide_and_fewer_than_a_third_change_at_once() {
    for n in 4..=64 {
        assert!(3 * quorum(n) > 2 * n && 3 * (quorum(n) - 1) <= 2 * n, "{n}");
        assert!(3 * changes_max(n) < n && 3 * (changes_max(n) + 1) >= n, "{n}");
    }
    assert_eq!(changes_max(0), 0);
}

#[test]
fn brackets_in_a_text_are_no_nesting() {
    let open = "[".repeat(20);
    for text in [format!("\"{open}\""), format!("\"\\\"{open}\""), format!("\"\\\\\\\"{open}\"")] {
        assert!(from_strict::<Value>(text.as_bytes()).is_ok(), "{text}");
    }
    for text in [open.clone(), format!("[\"\\\\\",{open}"), format!("[\"a\",{open}"), "{\"a\":".repeat(9)] {
        assert_eq!(from_strict::<Value>(text.as_bytes()), Err(CodecError::TooDeep), "{text}");
    }
    assert!(from_strict::<Value>(b"[[[[[[[[]]]]]]]]").is_ok(), "eight");
    assert!(from_strict::<Value>(b"[[[[[[[]]]]]],[[[[[[[]]]]]]]]").is_ok(), "eight, twice");
}

/// RFC 8037 §2: an Ed25519 key has no y; RFC 7518 §6.2.1: both coordinates have the curve's length.
#[test]
fn a_jwk_has_the_members_of_its_kind() {
    for key in [
        SigningKey::ed25519(&[7; 32]),
        SigningKey::p256(&[7; 32]).expect("a scalar"),
        SigningKey::p384(&[7; 48]).expect("a scalar"),
        SigningKey::secp256k1(&[7; 32]).expect("a scalar"),
    ] {
        let public = key.public_key();
        let jwk = json!(public.to_jwk());
        let read = |jwk: &Value| PublicKey::from_jwk(&serde_json::from_value(jwk.clone()).expect("a JWK"));
        assert_eq!(read(&jwk), Ok(public));
        let with = |member: &str, value: &Value| {
            let mut changed = jwk.clone();
            changed[member] = value.clone();
            read(&changed)
        };
        assert!(with("y", &jwk["x"]).is_err());
        let x = jwk["x"].as_str().expect("text");
        for x in [&x[4..], &format!("AAAA{x}"), &format!("{x}="), ""] {
            assert!(with("x", &json!(x)).is_err(), "{x}");
        }
        assert!(with("crv", &json!("P-521")).is_err() && with("kty", &json!("RSA")).is_err());
    }
}

/// A log says nothing of a key but the public half.
#[test]
fn what_is_logged_of_a_key_and_of_bytes() {
    let key = SigningKey::ed25519(&[7; 32]);
    assert_eq!(format!("{key:?}"), format!("SigningKey({:?})", key.public_key()));
    assert_eq!(format!("{:?}", Bytes(vec![0xfb, 0xff])), "-_8");
}

/// A credential that was suspended is good again, and its neighbours in the list are what they were.
#[test]
fn an_entry_of_a_list_is_cleared_alone() {
    let mut list = BitList::from_bytes(vec![0xff; 2], 16).expect("16 entries");
    for index in [0, 7, 8, 13] {
        assert!(list.set(index, false));
        let set = list.as_bytes().to_vec();
        assert!(list.set(index, false) && list.as_bytes() == set, "cleared is cleared");
    }
    let cleared: Vec<_> = (0..16).filter(|index| list.get(*index) == Some(false)).collect();
    assert_eq!(cleared, [0, 7, 8, 13]);
    assert!(list.set(7, true) && list.get(7) == Some(true));
    assert_eq!(list.ones(), 13);
}

#[test]
fn a_frontier_knows_its_size() {
    let mut frontier = Frontier::new();
    for size in 0..5 {
        assert_eq!(frontier.size(), size);
        frontier.append(leaf_hash(b"x"), |_, _, _| {});
    }
}

fn genesis() -> Value {
    load::<Value>("genesis.json")["genesis"].take()
}

fn read(genesis: &Value) -> Result<Genesis, String> {
    Genesis::from_json(&canonical(genesis)).map_err(|error| error.to_string())
}

#[test]
fn a_genesis_that_breaks_a_rule_is_refused() {
    let good = genesis();
    let member = |name: &str, value: Value| {
        let mut genesis = good.clone();
        genesis[name] = value;
        read(&genesis)
    };
    let parameter = |name: &str, value: Value| {
        let mut genesis = good.clone();
        genesis["parameters"][name] = value;
        read(&genesis)
    };
    let (long, longer) = ("a".repeat(100), "a".repeat(101));
    let host = |bytes: usize| format!("https://{}", "a".repeat(bytes));
    let operators = good["operators"].as_array().expect("a list").len();
    for (name, fine, refused) in [
        ("v", vec![json!(1)], vec![json!(0), json!(2)]),
        ("protocol", vec![json!(1)], vec![json!(0), json!(2)]),
        (
            "domain",
            vec![json!("a"), json!("0.a-b"), json!(long)],
            vec![json!(""), json!(longer), json!("A"), json!("a b"), json!("a/b"), json!("ä")],
        ),
        ("name", vec![json!("a"), json!("9-."), json!(long)], vec![json!(""), json!(longer), json!("a_b"), json!("B")]),
        ("approvals_required", vec![json!(1), json!(operators)], vec![json!(0), json!(operators + 1)]),
        (
            "did_method",
            vec![json!("a"), json!("ebsi2"), json!("a".repeat(16))],
            vec![json!(""), json!("a".repeat(17)), json!("key"), json!("a-b"), json!("Ebsi")],
        ),
        (
            "public_base",
            vec![
                json!("https://a"),
                json!("http://localhost:8080"),
                json!("https://[::1]:9"),
                json!("https://a-1.example"),
                json!(host(256)),
            ],
            vec![
                json!("https://"),
                json!("http://"),
                json!("ftp://a"),
                json!("a"),
                json!("https://a/"),
                json!("https://A"),
                json!("https://a b"),
                json!(host(257)),
            ],
        ),
        ("status_history_days", vec![json!(0), json!(36_525)], vec![json!(36_526)]),
        ("writers", vec![json!([])], vec![json!([good["writers"][0], good["writers"][0]]), json!(["did:web:a"])]),
        ("operators", vec![], vec![json!([]), json!([good["operators"][0], good["operators"][0]])]),
    ] {
        for value in fine {
            assert!(member(name, value.clone()).is_ok(), "{name} {value}: {:?}", member(name, value.clone()).err());
        }
        for value in refused {
            assert!(member(name, value.clone()).is_err(), "{name} {value}");
        }
    }
    for (name, least, most) in [
        ("heartbeat_s", 1, 3_600),
        ("block_bytes_max", 262_144, 2_097_152),
        ("clock_tolerance_s", 0, 60),
        ("propose_timeout_ms", 50, 10_000),
        ("vote_timeout_ms", 20, 10_000),
        ("round_timeout_ms", 0, 10_000),
    ] {
        assert!(parameter(name, json!(least)).is_ok() && parameter(name, json!(most)).is_ok(), "{name}");
        assert!(parameter(name, json!(least - 1)).is_err() && parameter(name, json!(most + 1)).is_err(), "{name}");
    }
}

#[test]
fn what_a_genesis_leaves_out_has_its_default() {
    let plain = read(&genesis()).expect("a genesis");
    assert_eq!((plain.did_method(), plain.status_history_days()), ("ebsi", 90));
    assert_eq!(plain.public_base(), format!("https://{}", plain.domain));
    let mut own = genesis();
    own["did_method"] = json!("other");
    own["status_history_days"] = json!(7);
    own["public_base"] = json!("http://localhost:1");
    let own = read(&own).expect("a genesis");
    assert_eq!((own.did_method(), own.status_history_days()), ("other", 7));
    assert_eq!(own.public_base(), "http://localhost:1");
}

/// Another's key, another's proof, or none.
#[test]
fn a_validator_of_genesis_shows_that_its_keys_are_its_own() {
    let good = read(&genesis()).expect("a genesis");
    for (n, validator) in good.validators.iter().enumerate() {
        let (registration, possession) = (&validator.registration, &validator.possession);
        let address = registration.address();
        assert_eq!(possession.verify(registration, address), Ok(()));
        let other = &good.validators[(n + 1) % good.validators.len()];
        assert!(possession.verify(&other.registration, other.registration.address()).is_err());
        assert!(possession.verify(registration, other.registration.address()).is_err());
        let proofs: [fn(&mut Possession) -> &mut Bytes; 3] =
            [|proofs| &mut proofs.consensus, |proofs| &mut proofs.log, |proofs| &mut proofs.peer];
        for proof in proofs {
            let mut changed = possession.clone();
            proof(&mut changed).0[63] ^= 1;
            assert!(changed.verify(registration, address).is_err());
            proof(&mut changed).0.clear();
            assert!(changed.verify(registration, address).is_err());
        }
        assert_eq!(registration.check(), Ok(()));
        for change in [
            |registration: &mut Value| registration["v"] = json!(2),
            |registration: &mut Value| registration["name"] = json!("a b"),
            |registration: &mut Value| registration["operator"] = json!(""),
            |registration: &mut Value| registration["country"] = json!("xx"),
            |registration: &mut Value| registration["keys"] = json!([]),
            |registration: &mut Value| registration["log_key"] = json!(""),
        ] {
            let mut changed = json!(registration);
            change(&mut changed);
            let changed: ValidatorRegistration = serde_json::from_value(changed).expect("of the form");
            assert!(changed.check().is_err());
        }
    }
}
