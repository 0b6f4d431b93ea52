//! What is built is read back as it was drafted, in every format and with every kind of key (INV-FORMAT-1).

use serde_json::{Map, Value, json};
use testamur_credentials::credential::{Credential, Format, Holder};
use testamur_credentials::format::{self, Draft, StatusPlace};
use testamur_primitives::did::Did;
use testamur_primitives::hash::{AttributeId, SchemaId};
use testamur_primitives::identity::key_id;
use testamur_primitives::key::SigningKey;
use testamur_primitives::units::UnixTime;

const FORMATS: [Format; 4] = [Format::SdJwt, Format::Vcdm2, Format::Ebsi, Format::Compact];

fn keys() -> [SigningKey; 4] {
    [
        SigningKey::ed25519(&[1; 32]),
        SigningKey::p256(&[2; 32]).unwrap(),
        SigningKey::p384(&[3; 48]).unwrap(),
        SigningKey::secp256k1(&[4; 32]).unwrap(),
    ]
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn draft(key: &SigningKey) -> Draft {
    let issuer = Did::of_ledger("ebsi", &[7; 16]);
    let public = key.public_key();
    Draft {
        id: "urn:uuid:11111111-2222-4333-8444-555555555555".into(),
        kid: key_id(&issuer, &public),
        issuer,
        alg: public.algorithm(),
        types: vec!["UniversityDegree".into(), "EqfLevel7".into()],
        schema: SchemaId::from_bytes([9; 32]),
        public_base: "https://ledger.example".into(),
        subject: object(json!({
            "givenName": "Ξένια", "familyName": "Παπαδοπούλου", "dateOfBirth": "2001-04-22",
            "title": [{ "language": "en", "text": "Master of Laws" }, { "language": "fr", "text": "Master en droit" }],
            "eqfLevel": 7, "iscedF": "0421", "ects": "120", "awardingDate": "2026-06-26",
            "jurisdiction": "https://publications.europa.eu/resource/authority/atu/LUX",
        })),
        holder: Holder::Unbound,
        discarded: Some(Did::key(&SigningKey::p256(&[8; 32]).unwrap().public_key())),
        valid_from: UnixTime(1_782_460_800),
        valid_until: None,
        status: Some(StatusPlace { list: "diplomas-1".parse().unwrap(), index: 131_071 }),
        accreditation: Some(AttributeId::from_bytes([5; 32])),
    }
}

fn issue(format: Format, draft: &Draft, key: &SigningKey) -> (String, Credential) {
    let mut salt = 0;
    let mut salts = || {
        salt += 1;
        [salt; 16]
    };
    let unsigned = format::build(format, draft, &mut salts).unwrap();
    let text = unsigned.sign(key);
    let credential = format::parse(&text).unwrap();
    assert_eq!(credential.digest(), unsigned.digest());
    (text, credential)
}

#[test]
fn every_format_says_what_was_drafted() {
    for key in &keys() {
        for format in FORMATS {
            let draft = draft(key);
            let (text, credential) = issue(format, &draft, key);
            assert_eq!(credential.format, format);
            assert_eq!(credential.issuer, draft.issuer);
            assert_eq!(credential.kid, draft.kid);
            assert_eq!(credential.types, draft.types.iter().cloned().collect());
            assert_eq!(credential.schemas, [draft.schema]);
            assert_eq!(credential.holder, Holder::Unbound);
            assert_eq!((credential.valid_from, credential.valid_until), (Some(draft.valid_from), None));
            assert_eq!(credential.jws.verify_signature(&key.public_key()), Ok(()));
            let mut subject = credential.subject.clone();
            assert_eq!(subject.remove("holderBinding").is_some(), format == Format::Ebsi);
            assert_eq!(subject, draft.subject, "{format:?}");
            assert!(credential.status.iter().all(|pointer| pointer.index == 131_071));
            assert!(format != Format::Compact || text.len() <= 900, "{}", text.len());
            if format == Format::Compact {
                // The level's type follows from the level.
                let payload = Value::Object(credential.jws.payload.clone()).to_string();
                assert_eq!(draft.types.iter().filter(|name| payload.contains(name.as_str())).count(), 1, "{payload}");
            }
        }
    }
}
