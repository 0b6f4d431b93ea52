//! Keys of DID documents: their ids, their windows, and the document that others read.

use testamur_primitives::did::{Did, DidUrl};
use testamur_primitives::hash::RecordId;
use testamur_primitives::identity::resolution::{CONTEXTS, document};
use testamur_primitives::identity::{
    DidEntry, Grant, KeyRefusal, Relationship, Service, VerificationMethod, ebsi_address, key_id, thumbprint,
};
use testamur_primitives::key::{Jwk, PublicKey, SigningKey};
use testamur_primitives::units::{Height, UnixTime};

fn grant(relationship: Relationship, not_before: u64, not_after: Option<u64>) -> Grant {
    Grant { relationship, not_before: UnixTime(not_before), not_after: not_after.map(UnixTime) }
}

fn method(seed: u8, grants: &[Grant]) -> VerificationMethod {
    let key = SigningKey::ed25519(&[seed; 32]).public_key();
    VerificationMethod {
        id: thumbprint(&key),
        key: key.to_jwk(),
        grants: grants.to_vec(),
        revoked: None,
        compromised_from: None,
    }
}

fn entry(methods: Vec<VerificationMethod>) -> DidEntry {
    DidEntry {
        v: 1,
        seq: 1,
        height: Height(1),
        time: UnixTime(100),
        record: RecordId::from_bytes([1; 32]),
        controllers: vec![Did::of_ledger("ebsi", &[1; 16])],
        methods,
        services: vec![Service { id: "web".into(), r#type: "Website".into(), endpoint: "https://a.example".into() }],
        deactivated: false,
    }
}

#[test]
fn thumbprints_and_addresses_are_those_of_the_standards() {
    // RFC 8037, appendix A.3.
    let jwk = Jwk {
        crv: "Ed25519".into(),
        kty: "OKP".into(),
        x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo".into(),
        y: None,
    };
    let key = PublicKey::from_jwk(&jwk).unwrap();
    assert_eq!(thumbprint(&key), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    assert_eq!(ebsi_address(&key), None, "only secp256k1 keys have one");
    let did = Did::of_ledger("ebsi", &[1; 16]);
    assert_eq!(key_id(&did, &key).as_str(), format!("{did}#kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"));
    // The address of the secret key 1, known to everybody.
    let one = SigningKey::secp256k1(&[&[0; 31][..], &[1]].concat()).unwrap().public_key();
    assert_eq!(hex::encode(ebsi_address(&one).unwrap()), "7e5f4552091a69125d5dfcb7b8c2659029395bdf");
}

#[test]
fn a_key_holds_within_its_windows_until_it_ends() {
    use Relationship::{AssertionMethod as A, Authentication, CapabilityInvocation as I};
    let key = method(1, &[grant(A, 100, Some(200)), grant(A, 300, None), grant(I, 100, Some(150))]);
    let check = |key: &VerificationMethod, uses: &[Relationship], time| key.check(uses, UnixTime(time));
    for (uses, time, expected) in [
        (&[A][..], 99, Err(KeyRefusal::NotYetValid)),
        (&[A], 100, Ok(())),
        (&[A], 199, Ok(())),
        (&[A], 200, Err(KeyRefusal::NotYetValid)),
        (&[A], 300, Ok(())),
        (&[I], 149, Ok(())),
        (&[I], 150, Err(KeyRefusal::Expired)),
        (&[A, I], 149, Ok(())),
        (&[Authentication], 120, Err(KeyRefusal::NotGranted)),
        (&[], 120, Err(KeyRefusal::NotGranted)),
    ] {
        assert_eq!(check(&key, uses, time), expected, "{uses:?} at {time}");
    }
    // Revoking ends grants; what was signed before stays.
    let mut revoked = method(1, &[grant(A, 100, Some(200))]);
    revoked.revoked = Some(UnixTime(200));
    assert_eq!(check(&revoked, &[A], 199), Ok(()));
    assert_eq!(check(&revoked, &[A], 200), Err(KeyRefusal::Revoked));
    assert_eq!(check(&revoked, &[I], 200), Err(KeyRefusal::Revoked), "the reason that lasts longest");
    let mut stolen = key.clone();
    stolen.compromised_from = Some(UnixTime(120));
    assert_eq!(check(&stolen, &[A], 119), Ok(()));
    assert_eq!(check(&stolen, &[A], 120), Err(KeyRefusal::Compromised));
    assert_eq!(check(&stolen, &[Authentication], 400), Err(KeyRefusal::Compromised));
    let document = entry(vec![key]);
    assert_eq!(document.usable_key("nothing", &[A], UnixTime(100)), Err(KeyRefusal::Unknown));
}

#[test]
fn the_document_lists_what_is_valid_at_the_time() {
    use Relationship::{AssertionMethod, CapabilityInvocation};
    let did = Did::of_ledger("ebsi", &[1; 16]);
    let early = method(1, &[grant(AssertionMethod, 100, Some(200))]);
    let late = method(2, &[grant(AssertionMethod, 200, None), grant(CapabilityInvocation, 100, None)]);
    let (early_id, late_id) = (format!("{did}#{}", early.id), format!("{did}#{}", late.id));
    let mut entry = entry(vec![early, late]);
    let at = |entry: &DidEntry, time| document(&did, entry, UnixTime(time));
    let first = at(&entry, 100);
    assert_eq!(first.context, CONTEXTS);
    assert_eq!((first.id.as_str(), first.controller.as_slice()), (did.as_str(), [did.to_string()].as_slice()));
    assert_eq!(first.assertion_method, std::slice::from_ref(&early_id));
    assert_eq!(first.capability_invocation, std::slice::from_ref(&late_id));
    assert!(first.authentication.is_empty() && first.key_agreement.is_empty());
    let ids: Vec<_> = first.verification_method.iter().map(|m| m.id.clone()).collect();
    assert_eq!(ids, [early_id, late_id.clone()]);
    assert!(first.verification_method.iter().all(|m| m.r#type == "JsonWebKey2020" && m.controller == did.as_str()));
    assert_eq!(first.service[0].id, format!("{did}#web"));
    let second = at(&entry, 200);
    assert_eq!(second.assertion_method, [late_id]);
    assert_eq!(second.verification_method.len(), 1, "a key that ended is not shown");
    entry.deactivated = true;
    let closed = at(&entry, 200);
    assert!(closed.verification_method.is_empty() && closed.assertion_method.is_empty());
    let text = serde_json::to_value(&closed).unwrap();
    assert!(text.get("assertionMethod").is_none(), "empty lists are left out");
    assert!(text["@context"].is_array() && text["verificationMethod"].is_array());
}

#[test]
fn dids_of_a_ledger_have_one_form() {
    let did = Did::of_ledger("ebsi", &[0xaa; 16]);
    assert!(did.is_of_ledger() && !did.is_key());
    assert_eq!(did.method(), "ebsi");
    assert!(did.to_key().is_err());
    assert_eq!(did.key_id(), None);
    let cut = &did.as_str()[..did.as_str().len() - 1];
    for bad in [cut, "did:ebsi:z", "did:ebsi:abc", "did:ebsi:z0OIl", "did:web:example.org", "did:ebsi:m1234"] {
        assert!(!bad.parse::<Did>().unwrap().is_of_ledger(), "{bad}");
    }
    // Another version byte.
    let two = bs58::encode([&[2], [0xaa; 16].as_slice()].concat()).into_string();
    assert!(!format!("did:ebsi:z{two}").parse::<Did>().unwrap().is_of_ledger());
    let key = Did::key(&SigningKey::ed25519(&[1; 32]).public_key());
    assert!(!key.is_of_ledger());
    assert_eq!("did:ebsi:zA#b".parse::<DidUrl>().unwrap().fragment(), "b");
}
