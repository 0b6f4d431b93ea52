//! Reading accreditation credentials: EBSI's four kinds as they are issued, and every shape that is not one of them.

use serde_json::{Value, json};
use testamur_primitives::codec::base64url;
use testamur_primitives::did::Did;
use testamur_primitives::hash::AttributeId;
use testamur_primitives::issuers::IssuerType;
use testamur_primitives::issuers::accreditation::{
    Accreditation, CredentialKind, OutOfScope, Scope, parse_schema_id, specific_types,
};
use testamur_primitives::key::SigningKey;
use testamur_primitives::limits::{JURISDICTIONS_MAX, SCOPE_TEXT_CHARS_MAX, SCOPE_TYPES_MAX, SCOPES_MAX};
use testamur_primitives::units::UnixTime;

const SCHEMA_ID: &str = "zDpWGUBenmqXzurskry9Nsk6vq2R8thh9VSeoRqguoyMD";
const BEL: &str = "https://publications.europa.eu/resource/authority/atu/BEL";
const LUX: &str = "https://publications.europa.eu/resource/authority/atu/LUX";
/// 2026-01-15T10:00:00Z and 2031-01-15T10:00:00Z.
const FROM: u64 = 1_768_471_200;
const UNTIL: u64 = 1_926_237_600;

fn did(n: u8) -> Did {
    Did::of_ledger("ebsi", &[n; 16])
}

fn signer() -> SigningKey {
    SigningKey::p256(&[7; 32]).expect("a scalar")
}

fn attribute() -> String {
    "ab".repeat(32)
}

fn schema() -> String {
    format!("https://ledger.example/trusted-schemas-registry/v3/schemas/{SCHEMA_ID}")
}

/// A TAO's accreditation of a trusted issuer, in EBSI's shape.
fn claims() -> Value {
    let terms = format!("https://ledger.example/attributes/{}", attribute());
    json!({
        "jti": "urn:uuid:425e02ff-9890-4d2f-affe-1e95a75e5771",
        "sub": did(2).as_str(),
        "iss": did(1).as_str(),
        "nbf": FROM,
        "exp": UNTIL,
        "iat": FROM,
        "vc": {
            "@context": ["https://www.w3.org/2018/credentials/v1"],
            "id": "urn:uuid:425e02ff-9890-4d2f-affe-1e95a75e5771",
            "type": ["VerifiableCredential", "VerifiableAttestation", "VerifiableAccreditation",
                "VerifiableAccreditationToAttest"],
            "issuer": did(1).as_str(),
            "issuanceDate": "2026-01-15T10:00:00Z",
            "issued": "2026-01-15T10:00:00Z",
            "validFrom": "2026-01-15T10:00:00Z",
            "expirationDate": "2031-01-15T10:00:00Z",
            "credentialSubject": {
                "id": did(2).as_str(),
                "reservedAttributeId": attribute(),
                "accreditedFor": [{
                    "schemaId": schema(),
                    "types": ["VerifiableCredential", "VerifiableAttestation", "UniversityDegree"],
                    "limitJurisdiction": BEL,
                }],
            },
            "credentialSchema": { "id": schema(), "type": "FullJsonSchemaValidator2021" },
            "termsOfUse": { "id": terms, "type": "IssuanceCertificate" },
            "credentialStatus": { "id": "https://ledger.example/x", "type": "EbsiAccreditationEntry" },
        },
    })
}

fn header() -> Value {
    json!({ "alg": "ES256", "kid": format!("{}#key", did(1)), "typ": "JWT" })
}

fn jwt_of(header: &str, claims: &str) -> String {
    let signing_input = format!("{}.{}", base64url(header.as_bytes()), base64url(claims.as_bytes()));
    format!("{signing_input}.{}", base64url(&signer().sign(signing_input.as_bytes())))
}

fn jwt(claims: &Value) -> String {
    jwt_of(&header().to_string(), &claims.to_string())
}

fn with(change: impl FnOnce(&mut Value)) -> Value {
    let mut claims = claims();
    change(&mut claims);
    claims
}

/// Takes members out of an object.
fn without(object: &mut Value, names: &[&str]) {
    for name in names {
        assert!(object.as_object_mut().expect("an object").remove(*name).is_some(), "{name} was there");
    }
}

fn subject(claims: &mut Value) -> &mut Value {
    &mut claims["vc"]["credentialSubject"]
}

fn scope_of(claims: &mut Value) -> &mut Value {
    &mut claims["vc"]["credentialSubject"]["accreditedFor"][0]
}

fn read(claims: &Value) -> Accreditation {
    Accreditation::parse(&jwt(claims)).expect("a good one")
}

#[test]
fn a_credential_of_ebsis_shape_is_read_in_full() {
    let found = read(&claims());
    assert_eq!(found.kind, CredentialKind::AccreditationToAttest);
    assert_eq!((found.issuer.clone(), found.subject.clone()), (did(1), did(2)));
    assert_eq!(found.kid.fragment(), "key");
    assert_eq!(found.attribute, Some(AttributeId::from_bytes([0xab; 32])));
    assert_eq!(found.jkt, None);
    assert_eq!((found.valid_from, found.valid_until), (UnixTime(FROM), Some(UnixTime(UNTIL))));
    assert_eq!(found.terms_of_use, Some(format!("https://ledger.example/attributes/{}", attribute())));
    let [scope] = found.scopes.as_slice() else { panic!("one scope") };
    assert_eq!(Some(scope.schema), parse_schema_id(SCHEMA_ID));
    assert_eq!(scope.types, ["UniversityDegree".to_owned()].into(), "what every credential has says nothing");
    assert_eq!(scope.jurisdictions, [BEL.to_owned()].into());
    assert!(found.verify_signature(&signer().public_key()));
    assert!(!found.verify_signature(&SigningKey::p256(&[8; 32]).expect("a scalar").public_key()));
    assert!(!found.verify_signature(&SigningKey::ed25519(&[7; 32]).public_key()), "nor with a key of another kind");
}

#[test]
fn what_may_be_written_in_two_ways_is_read_in_both() {
    let plain = read(&claims());
    let same = [
        with(|c| c["vc"]["issuer"] = json!({ "id": did(1).as_str(), "name": "An agency" })),
        with(|c| {
            let terms = c["vc"]["termsOfUse"].clone();
            c["vc"]["termsOfUse"] = json!([{ "id": "x", "type": "Other" }, terms]);
        }),
        with(|c| scope_of(c)["limitJurisdiction"] = json!([BEL])),
        with(|c| subject(c)["reservedAttributeId"] = json!(format!("0x{}", attribute()))),
        with(|c| scope_of(c)["schemaId"] = json!(format!("ebsi:trusted-schemas-registry:/schemas/{SCHEMA_ID}"))),
        with(|c| c["vc"]["validFrom"] = json!("2026-01-15T11:00:00.999+01:00")),
        with(|c| without(&mut c["vc"], &["validFrom"])),
        with(|c| without(c, &["sub"])),
        with(|c| without(c, &["nbf"])),
    ];
    for (number, claims) in same.iter().enumerate() {
        let found = read(claims);
        let parts = |a: &Accreditation| {
            (a.issuer.clone(), a.attribute, a.scopes.clone(), a.valid_from, a.valid_until, a.terms_of_use.clone())
        };
        assert_eq!(parts(&found), parts(&plain), "case {number}");
    }
    let hex = format!("https://x/0x{}", hex::encode(parse_schema_id(SCHEMA_ID).expect("an id").as_bytes()));
    assert_eq!(parse_schema_id(&hex), parse_schema_id(&schema()));
    // An authorisation to onboard names the key, and no attribute.
    let onboarding = read(&with(|c| {
        c["vc"]["type"] = json!(["VerifiableCredential", "VerifiableAuthorisationToOnboard"]);
        *subject(c) = json!({ "id": did(2).as_str(), "cnf": { "jkt": "thumbprint" } });
    }));
    assert_eq!((onboarding.attribute, onboarding.jkt.as_deref()), (None, Some("thumbprint")));
    assert_eq!(onboarding.kind, CredentialKind::AuthorisationToOnboard);
    for (issuer_type, kind) in [
        (IssuerType::RootTao, CredentialKind::AuthorisationForTrustChain),
        (IssuerType::Tao, CredentialKind::AccreditationToAccredit),
        (IssuerType::Ti, CredentialKind::AccreditationToAttest),
    ] {
        assert_eq!(CredentialKind::of_issuer(issuer_type), kind);
        assert_eq!(read(&with(|c| c["vc"]["type"] = json!([kind.type_name()]))).kind, kind);
    }
}

#[test]
fn the_window_is_the_narrowest_that_dates_and_claims_agree_on() {
    let window = |change: fn(&mut Value)| {
        let found = read(&with(change));
        (found.valid_from.0, found.valid_until.map(|end| end.0))
    };
    assert_eq!(window(|c| c["nbf"] = json!(FROM + 5)), (FROM + 5, Some(UNTIL)));
    assert_eq!(window(|c| c["nbf"] = json!(5)), (FROM, Some(UNTIL)));
    assert_eq!(
        window(|c| c["exp"] = json!(UNTIL - 5)),
        (FROM, Some(UNTIL - 5)),
        "exp counts, though EBSI overlooks it"
    );
    assert_eq!(window(|c| c["exp"] = json!(UNTIL + 5)), (FROM, Some(UNTIL)));
    let endless = read(&with(|c| {
        without(c, &["exp"]);
        without(&mut c["vc"], &["expirationDate"]);
    }));
    assert_eq!(endless.valid_until, None);
    let found = read(&claims());
    let at = |time| found.is_valid_at(UnixTime(time));
    assert_eq!((at(FROM - 1), at(FROM), at(UNTIL - 1), at(UNTIL)), (false, true, true, false));
    assert!(endless.is_valid_at(UnixTime(u64::MAX)));
}

#[test]
fn claims_of_another_shape_are_refused() {
    let many = |count: usize, text: &str| (0..count).map(|n| format!("{text}{n}")).collect::<Vec<_>>();
    let scope = claims()["vc"]["credentialSubject"]["accreditedFor"][0].clone();
    let not_json = "not the expected JSON";
    let cases: Vec<(Value, &str)> = vec![
        (with(|c| c["iss"] = json!(did(3).as_str())), "differ"),
        (with(|c| c["vc"]["issuer"] = json!(did(3).as_str())), "differ"),
        (with(|c| c["vc"]["issuer"] = json!({ "name": "x" })), not_json),
        (with(|c| c["vc"]["issuer"] = json!([did(1).as_str()])), not_json),
        (with(|c| c["sub"] = json!(did(3).as_str())), "sub and credentialSubject.id differ"),
        (with(|c| c["vc"]["type"] = json!(["VerifiableCredential"])), "exactly one"),
        (with(|c| c["vc"]["type"] = json!([])), "exactly one"),
        (
            with(|c| c["vc"]["type"] = json!(["VerifiableAccreditationToAttest", "VerifiableAccreditationToAccredit"])),
            "exactly one",
        ),
        (with(|c| c["vc"]["type"] = json!("VerifiableAccreditationToAttest")), not_json),
        (with(|c| c["vc"]["credentialSubject"] = json!([{ "id": did(2).as_str() }])), not_json),
        (with(|c| without(c, &["vc"])), not_json),
        (with(|c| c["vc"] = json!("x")), not_json),
        (
            with(|c| {
                c["sub"] = json!("nobody");
                subject(c)["id"] = json!("nobody");
            }),
            "not a DID",
        ),
        (with(|c| subject(c)["reservedAttributeId"] = json!("ab")), "reservedAttributeId"),
        (with(|c| subject(c)["reservedAttributeId"] = json!("AB".repeat(32))), "reservedAttributeId"),
        (with(|c| subject(c)["reservedAttributeId"] = json!(7)), not_json),
        (with(|c| subject(c)["accreditedFor"] = json!({})), not_json),
        (with(|c| subject(c)["accreditedFor"] = json!(vec![scope.clone(); 65])), "at most 64"),
        (with(|c| subject(c)["cnf"] = json!("jkt")), not_json),
        (with(|c| scope_of(c)["schemaId"] = json!("https://x/schemas/z0")), "schemaId"),
        (with(|c| scope_of(c)["schemaId"] = json!("")), "schemaId"),
        (with(|c| scope_of(c)["schemaId"] = json!(format!("{}/{SCHEMA_ID}", "x".repeat(256)))), "schemaId"),
        (with(|c| scope_of(c)["types"] = json!(many(33, "T"))), "too many types"),
        (with(|c| scope_of(c)["types"] = json!([""])), "1 to 256"),
        (with(|c| scope_of(c)["types"] = json!(["x".repeat(257)])), "1 to 256"),
        (with(|c| scope_of(c)["types"] = json!("UniversityDegree")), not_json),
        (with(|c| scope_of(c)["limitJurisdiction"] = json!(many(65, "J"))), "too many types or jurisdictions"),
        (with(|c| scope_of(c)["limitJurisdiction"] = json!("")), "1 to 256"),
        (with(|c| scope_of(c)["limitJurisdiction"] = json!({ "id": BEL })), not_json),
        (with(|c| c["vc"]["validFrom"] = json!("yesterday")), "a date must be"),
        (with(|c| c["vc"]["validFrom"] = json!("2026-02-30T10:00:00Z")), "a date must be"),
        (with(|c| c["vc"]["validFrom"] = json!("1969-12-31T23:59:59Z")), "a date must be"),
        (with(|c| c["vc"]["validFrom"] = json!(FROM)), not_json),
        (with(|c| c["vc"]["expirationDate"] = json!("2026-01-15T10:00:00Z")), "ends before it begins"),
        (with(|c| c["exp"] = json!(FROM)), "ends before it begins"),
        (with(|c| c["exp"] = json!(-1)), not_json),
        (with(|c| c["exp"] = json!(1.5)), not_json),
        (with(|c| c["exp"] = json!("soon")), not_json),
        (
            with(|c| {
                without(c, &["nbf"]);
                without(&mut c["vc"], &["validFrom", "issuanceDate"]);
            }),
            "is missing",
        ),
        (with(|c| c["vc"]["termsOfUse"] = json!("https://x")), not_json),
    ];
    for (claims, expected) in cases {
        let error = Accreditation::parse(&jwt(&claims)).expect_err(expected).0;
        assert!(error.contains(expected), "{error}; expected {expected}: {claims}");
    }
}

#[test]
fn bytes_of_another_shape_are_refused() {
    let (header, good) = (header().to_string(), claims().to_string());
    let signed = jwt_of(&header, &good);
    let deep = format!("{{\"x\":{}{}}}", "[".repeat(17), "]".repeat(17));
    let doubled = good.replacen('{', &format!("{{\"iss\":\"{}\",", did(1)), 1);
    let doubled_inside = good.replacen("\"reservedAttributeId\"", "\"id\":\"x\",\"reservedAttributeId\"", 1);
    let of = |change: &dyn Fn(&mut Value)| {
        let mut header: Value = serde_json::from_str(&header).expect("JSON");
        change(&mut header);
        jwt_of(&header.to_string(), &good)
    };
    let cases = [
        (String::new(), "not a compact JWS"),
        ("a".into(), "not a compact JWS"),
        ("a.b".into(), "not a compact JWS"),
        ("a.b.c.d".into(), "base64url"),
        (format!("{signed}="), "base64url"),
        (format!(" {signed}"), "base64url"),
        (signed.replace('.', ".é"), "ASCII"),
        ("x".repeat(32_769), "32,768"),
        (jwt_of("[]", &good), "expected a JSON object"),
        (jwt_of(&header, "[]"), "expected a JSON object"),
        (jwt_of(&header, "null"), "expected a JSON object"),
        (jwt_of(&header, "{"), "not the expected JSON"),
        (jwt_of(&header, &format!("{good}{good}")), "not the expected JSON"),
        (jwt_of(&header, &deep), "deep"),
        (jwt_of(&header, &doubled), "duplicate field"),
        (jwt_of(&header, &doubled_inside), "duplicate field"),
        (of(&|h| h["crit"] = json!(["exp"])), "crit"),
        (of(&|h| h["b64"] = json!(false)), "b64"),
        (of(&|h| h["typ"] = json!("vc+jwt")), "typ must be JWT"),
        (of(&|h| h["alg"] = json!("none")), "ES256"),
        (of(&|h| h["alg"] = json!("HS256")), "ES256"),
        (of(&|h| h["alg"] = json!("RS256")), "ES256"),
        (of(&|h| h["kid"] = json!("key")), "kid"),
        (of(&|h| h["kid"] = json!(did(1).as_str())), "kid"),
        (of(&|h| h["kid"] = json!(format!("{}#key", did(3)))), "differ"),
        (of(&|h| without(h, &["kid"])), "not the expected JSON"),
    ];
    for (number, (text, expected)) in cases.into_iter().enumerate() {
        let error = Accreditation::parse(&text).expect_err(expected).0;
        assert!(error.contains(expected), "case {number}: {error}; expected {expected}");
    }
    assert!(Accreditation::parse(&of(&|h| without(h, &["typ"]))).is_ok());
    assert!(Accreditation::parse(&of(&|h| h["cty"] = json!("x"))).is_ok(), "members that mean nothing here are let be");
}

#[test]
fn scopes_have_so_many_types_places_and_letters() {
    let parse = |change: &dyn Fn(&mut Value)| Accreditation::parse(&jwt(&with(change)));
    let many = |count: usize| (0..count).map(|n| format!("T{n}")).collect::<Vec<_>>();
    let long = |letters: usize| vec!["a".repeat(letters)];
    for (member, most) in [("types", SCOPE_TYPES_MAX), ("limitJurisdiction", JURISDICTIONS_MAX)] {
        let of = |texts: Vec<String>| parse(&|c| scope_of(c)[member] = json!(texts));
        assert!(of(many(0)).is_ok() && of(many(most)).is_ok() && of(many(most + 1)).is_err(), "{member}");
        assert!(of(long(SCOPE_TEXT_CHARS_MAX)).is_ok() && of(long(SCOPE_TEXT_CHARS_MAX + 1)).is_err(), "{member}");
        assert!(of(long(0)).is_err(), "{member}");
    }
    let scopes = |count: usize| parse(&|c| subject(c)["accreditedFor"] = json!(vec![scope_of(c).clone(); count]));
    assert!(scopes(SCOPES_MAX).is_ok() && scopes(SCOPES_MAX + 1).is_err());
    let id = |letters: usize| {
        let id = format!("/0x{}", "cd".repeat(32));
        parse_schema_id(&format!("{}{id}", "a".repeat(letters - id.len())))
    };
    assert!(id(SCOPE_TEXT_CHARS_MAX).is_some() && id(SCOPE_TEXT_CHARS_MAX + 1).is_none());
}

#[test]
fn a_scope_lies_within_one_of_the_accreditations_own() {
    let (own_schema, other, third) =
        (schema(), format!("https://x/0x{}", "cd".repeat(32)), format!("https://x/0x{}", "ef".repeat(32)));
    let scope = |schema: &str, types: &[&str], places: &[&str]| json!({ "schemaId": schema, "types": types, "limitJurisdiction": places });
    let own = read(&with(|c| {
        subject(c)["accreditedFor"] = json!([
            scope(&own_schema, &["Degree", "Diploma"], &[BEL]),
            scope(&own_schema, &["Diploma", "Transcript"], &[LUX]),
            scope(&other, &["License"], &[]),
        ]);
    }));
    let covers = |schema: &str, types: &[&str], places: &[&str]| {
        own.covers(&Scope {
            schema: parse_schema_id(schema).expect("an id"),
            types: specific_types(types.iter().copied()),
            jurisdictions: places.iter().map(|place| (*place).to_owned()).collect(),
        })
    };
    let (flanders, neighbour) = (format!("{BEL}_VLG"), format!("{BEL}X"));
    assert_eq!(covers(&own_schema, &["VerifiableCredential", "Degree"], &[BEL]), Ok(()));
    assert_eq!(covers(&own_schema, &["Degree"], &[&flanders]), Ok(()), "a part of it");
    assert_eq!(covers(&own_schema, &["Transcript"], &[LUX]), Ok(()));
    assert_eq!(covers(&other, &["License"], &[]), Ok(()), "no limit covers everywhere");
    assert_eq!(covers(&other, &["License"], &[LUX]), Ok(()));
    let type_of = |name: &str| Err(OutOfScope::Type(name.to_owned()));
    let jurisdiction = |name: &str| Err(OutOfScope::Jurisdiction(name.to_owned()));
    let unknown = parse_schema_id(&third).expect("an id");
    assert_eq!(covers(&third, &["Degree"], &[BEL]), Err(OutOfScope::Schema(unknown)));
    assert_eq!(covers(&own_schema, &["License"], &[BEL]), type_of("License"), "accredited, for another schema");
    assert_eq!(covers(&own_schema, &["Degree", "Passport"], &[BEL]), type_of("Passport"));
    assert_eq!(covers(&own_schema, &["Degree", "Transcript"], &[BEL]), type_of("Degree"), "not by two scopes together");
    assert_eq!(covers(&own_schema, &["Degree"], &[LUX]), jurisdiction(LUX), "the type is Belgium's");
    assert_eq!(covers(&own_schema, &["Diploma"], &[BEL, LUX]), jurisdiction(BEL), "not by two scopes together");
    assert_eq!(covers(&own_schema, &["Degree"], &[]), jurisdiction("everywhere"));
    assert_eq!(covers(&own_schema, &["Degree"], &[&neighbour]), jurisdiction(&neighbour), "a prefix is not a part");
    assert!(!own.is_unlimited());
    let root = |scopes: Value| {
        read(&with(|c| {
            c["vc"]["type"] = json!(["VerifiableAuthorisationForTrustChain"]);
            subject(c)["accreditedFor"] = scopes;
        }))
    };
    assert!(root(json!([])).is_unlimited());
    assert!(!root(json!([scope(&own_schema, &["Degree"], &[])])).is_unlimited());
    assert!(!read(&with(|c| subject(c)["accreditedFor"] = json!([]))).is_unlimited(), "only a Root TAO's is");
}
