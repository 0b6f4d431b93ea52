//! What can be read in two ways, or says of itself what only the ledger may say, is refused, and each for its own reason.

use serde_json::{Map, Value, json};
use testamur_credentials::credential::{Credential, Format, Holder};
use testamur_credentials::format::sdjwt::{self, DiscloseError};
use testamur_credentials::format::{self, BuildError, Draft, StatusPlace};
use testamur_credentials::jws::Jws;
use testamur_credentials::refusal::Refusal;
use testamur_credentials::verify::Reason;
use testamur_credentials::{json as strict, limits};
use testamur_primitives::codec::{base64url, sha256};
use testamur_primitives::did::Did;
use testamur_primitives::hash::SchemaId;
use testamur_primitives::identity::key_id;
use testamur_primitives::key::{Jwk, PublicKey, SigningKey};
use testamur_primitives::units::UnixTime;

fn key() -> SigningKey {
    SigningKey::p256(&[2; 32]).unwrap()
}

fn issuer() -> Did {
    Did::of_ledger("ebsi", &[7; 16])
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn draft() -> Draft {
    let public = key().public_key();
    Draft {
        id: "urn:uuid:11111111-2222-4333-8444-555555555555".into(),
        issuer: issuer(),
        kid: key_id(&issuer(), &public),
        alg: public.algorithm(),
        types: vec!["UniversityDegree".into(), "EqfLevel7".into()],
        schema: SchemaId::from_bytes([9; 32]),
        public_base: "https://ledger.example/".into(),
        subject: object(json!({
            "familyName": "Curie", "dateOfBirth": "1967-11-07", "eqfLevel": 7,
            "title": [{ "language": "fr", "text": "Licence ès sciences" }],
            "jurisdiction": "https://publications.europa.eu/resource/authority/atu/FRA",
        })),
        holder: Holder::Unbound,
        discarded: Some(Did::key(&public)),
        valid_from: UnixTime(1_768_471_200),
        valid_until: Some(UnixTime(1_926_237_600)),
        status: Some(StatusPlace { list: "diplomas-1".parse().unwrap(), index: 9 }),
        accreditation: None,
    }
}

fn issue(format: Format, draft: &Draft) -> String {
    let mut salt = 0;
    let mut salts = || {
        salt += 1;
        [salt; 16]
    };
    format::build(format, draft, &mut salts).unwrap().sign(&key())
}

/// A credential with header and payload changed, signed anew.
fn changed(format: Format, change: impl FnOnce(&mut Map<String, Value>, &mut Map<String, Value>)) -> String {
    let text = issue(format, &draft());
    let (issued, rest) =
        text.split_once('~').map_or((text.as_str(), ""), |(issued, _)| (issued, &text[issued.len()..]));
    let jws = Jws::parse(issued).unwrap();
    let (mut header, mut payload) = (jws.header, jws.payload);
    change(&mut header, &mut payload);
    format!("{}{rest}", Jws::sign(&header, &payload, &key()))
}

fn reason(text: &str) -> Reason {
    format::parse(text).expect_err("refused").reason()
}

fn raw(header: &str, payload: &str) -> String {
    let input = format!("{}.{}", base64url(header.as_bytes()), base64url(payload.as_bytes()));
    let signature = key().sign(input.as_bytes());
    format!("{input}.{}", base64url(&signature))
}

/// RFC 7515 appendix A.3: a JWS that others made.
#[test]
fn the_rfcs_example_verifies() {
    let text = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    let jwk = Jwk {
        crv: "P-256".into(),
        kty: "EC".into(),
        x: "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU".into(),
        y: Some("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0".into()),
    };
    let jws = Jws::parse(text).unwrap();
    assert_eq!(jws.verify_signature(&PublicKey::from_jwk(&jwk).unwrap()), Ok(()));
    assert_eq!(jws.compact(), text);
    assert_eq!(jws.verify_signature(&key().public_key()), Err(Refusal::SignatureInvalid));
    let ed25519 = SigningKey::ed25519(&[1; 32]).public_key();
    assert_eq!(jws.verify_signature(&ed25519).unwrap_err().reason(), Reason::SignatureAlgorithm);
}

#[test]
fn algorithms_are_the_keys_and_no_others() {
    for alg in ["none", "None", "HS256", "HS512", "RS256", "PS256", "ES512", "es256", "", "ES256K ", "dir"] {
        let text = changed(Format::Vcdm2, |header, _| drop(header.insert("alg".into(), json!(alg))));
        assert_eq!(reason(&text), Reason::SignatureAlgorithm, "{alg}");
    }
    for (name, value) in [("crit", json!(["exp"])), ("crit", json!([])), ("b64", json!(false)), ("b64", json!(true))] {
        let text = changed(Format::Ebsi, |header, _| drop(header.insert(name.into(), value)));
        assert_eq!(reason(&text), Reason::SignatureAlgorithm, "{name}");
    }
    for alg in [json!(null), json!(7), json!(["ES256"])] {
        let text = changed(Format::SdJwt, |header, _| drop(header.insert("alg".into(), alg)));
        assert_eq!(reason(&text), Reason::SignatureAlgorithm);
    }
    let text = issue(Format::Vcdm2, &draft());
    let (input, _) = text.rsplit_once('.').unwrap();
    assert_eq!(reason(input), Reason::SignatureMissing);
    assert_eq!(reason(&format!("{input}.")), Reason::SignatureMissing);
    // INV-JWS-1: a key that comes along is nobody's; the credential reads as if it were not there.
    let stranger = SigningKey::p256(&[66; 32]).unwrap();
    let jws = Jws::parse(&text).unwrap();
    let mut header = jws.header.clone();
    header.insert("jwk".into(), json!(stranger.public_key().to_jwk()));
    header.insert("jku".into(), json!("https://evil.example/keys"));
    header.insert("x5c".into(), json!(["MIIB"]));
    let forged = format::parse(&Jws::sign(&header, &jws.payload, &stranger)).unwrap();
    assert_eq!(forged.kid, draft().kid);
    assert_eq!(forged.jws.verify_signature(&key().public_key()), Err(Refusal::SignatureInvalid));
}

/// INV-JSON-1.
#[test]
fn doubled_members_are_refused_at_every_depth() {
    let header = r#"{"alg":"ES256","kid":"did:ebsi:zx#k","typ":"vc+jwt"}"#;
    for (header, payload) in [
        (r#"{"alg":"ES256","alg":"none","typ":"JWT"}"#, "{}"),
        (r#"{"alg":"none","typ":"JWT","\u0061lg":"ES256"}"#, "{}"),
        (header, r#"{"iss":"a","iss":"b"}"#),
        (header, r#"{"vc":{"a":[{"b":1},{"c":{"d":1,"e":[],"d":2}}]}}"#),
        (header, "{\"a\":1,\"\\u0061\":1}"),
        (header, r#"{ "x" : { "y" : 1 , "z" : "\"y\"" , "y" : 1 } }"#),
    ] {
        assert_eq!(reason(&raw(header, payload)), Reason::ReadableDuplicateMembers, "{header} {payload}");
    }
    for good in
        [r#"{"a":{"b":1},"b":{"a":1}}"#, r#"[{"a":1},{"a":1}]"#, r#"{"a":"a","b":["a","a",{"a":"b"}]}"#, r#"{"":1}"#]
    {
        assert!(strict::value(good.as_bytes()).is_ok(), "{good}");
    }
    assert_eq!(strict::value(br#"{"a":1.5,"b":1e300,"c":-3}"#).unwrap()["a"], json!(1.5), "others may write floats");
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(strict::value(deep(limits::CREDENTIAL_DEPTH_MAX).as_bytes()).is_ok());
    for depth in [limits::CREDENTIAL_DEPTH_MAX + 1, 100, 100_000] {
        assert_eq!(strict::value(deep(depth).as_bytes()).unwrap_err().reason(), Reason::ReadableMalformed);
    }
    for bad in
        ["", "{", "{\"a\":1}x", "{'a':1}", "{\"a\":01}", "{\"a\":\"\\ud800\"}", "\u{feff}{}", "{\"a\":1,}", "nul"]
    {
        assert_eq!(strict::value(bad.as_bytes()).unwrap_err().reason(), Reason::ReadableMalformed, "{bad}");
    }
}

/// The split of a file's members agrees with what serde_json reads.
#[test]
fn members_are_split_as_json_reads_them() {
    let text = r#" { "a" : "x\"}]" , "\u0062": {"c":["]}",{}]} ,"d":[1,2] , "e":-1.5e3,"f":null,"g":"","":0 } "#;
    let whole: Map<String, Value> = serde_json::from_str(text).unwrap();
    let split = strict::members(text.as_bytes()).unwrap();
    assert_eq!(split.len(), whole.len());
    for (name, value) in split {
        assert_eq!(serde_json::from_slice::<Value>(value).unwrap(), whole[name.as_ref()]);
    }
    assert!(strict::members(b" {} ").unwrap().is_empty());
    let refused = |text: &str| strict::members(text.as_bytes()).unwrap_err().reason();
    assert_eq!(refused(r#"{"a":1,"\u0061":2}"#), Reason::ReadableDuplicateMembers);
    for bad in [
        "",
        "[]",
        "{",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":}",
        "{\"a\":1",
        "{\"a\":1,}",
        "{\"a\":1}{",
        "{a:1}",
        "{\"a\":\"",
        "{\"a\":[}",
        "{\"a\" 1}",
        "{,}",
    ] {
        assert_eq!(refused(bad), Reason::ReadableMalformed, "{bad}");
    }
}

#[test]
fn what_is_no_credential_is_not_called_a_bad_one() {
    for text in ["", "hello", "a.b.c", "..", "%PDF-1.7", "eyJ", "e30", "bm90IGpzb24.e30.e30", "{}"] {
        assert_eq!(reason(text), Reason::ReadableUnknownFormat, "{text}");
    }
    let typ = |typ: &str| raw(&format!(r#"{{"alg":"ES256","typ":"{typ}"}}"#), r#"{"iss":"did:ebsi:zx"}"#);
    for name in ["JWT", "statuslist+jwt", "kb+jwt", "testamur-record-v1+jws", "at+jwt"] {
        assert_eq!(reason(&typ(name)), Reason::ReadableUnknownFormat, "{name}");
    }
    assert_eq!(reason(&typ("dc+sd-jwt")), Reason::ReadableUnknownFormat, "no vct");
    assert_eq!(reason(&"x".repeat(limits::CREDENTIAL_BYTES_MAX + 1)), Reason::ReadableTooLarge);
    let text = issue(Format::Vcdm2, &draft());
    for bad in [format!("{text}="), format!("{text}.e30"), text.replace('.', "..")] {
        assert_eq!(reason(&bad), Reason::ReadableMalformed);
    }
    assert_eq!(reason(&format!("{text}~")), Reason::ReadableUnknownFormat, "disclosures of a format without");
    assert_eq!(reason(issue(Format::SdJwt, &draft()).split('~').next().unwrap()), Reason::ReadableMalformed, "no ~");
}

#[test]
fn claims_and_credential_must_agree_in_ebsis_format() {
    type Change = (&'static str, Value);
    let set = |(path, value): Change| {
        changed(Format::Ebsi, |_, payload| {
            let (object, name) = match path.strip_prefix("vc.") {
                Some(name) => (payload["vc"].as_object_mut().unwrap(), name),
                None => (payload, path),
            };
            if value.is_null() { drop(object.remove(name)) } else { drop(object.insert(name.into(), value)) }
        })
    };
    for change in [
        ("iss", json!("did:ebsi:zother")),
        ("jti", json!("urn:uuid:other")),
        ("sub", json!("did:key:zother")),
        ("nbf", json!(1_768_471_201)),
        ("iat", json!(1)),
        ("exp", json!(1_926_237_601)),
        ("nbf", json!("1768471200")),
        ("vc.issuanceDate", json!("2026-01-15T10:00:01Z")),
        ("vc.validFrom", json!("yesterday")),
        ("vc.expirationDate", json!("2030-01-01T00:00:00Z")),
        ("vc", json!([])),
        ("vc.type", json!(["VerifiableCredential", 7])),
        ("vc.credentialSubject", json!("did:key:z")),
    ] {
        assert_eq!(reason(&set(change.clone())), Reason::ReadableMalformed, "{change:?}");
    }
    for name in ["iss", "vc.issuer", "vc.credentialSubject", "vc.credentialSchema", "vc.type"] {
        assert_eq!(reason(&set((name, Value::Null))), Reason::ReadableIncomplete, "{name}");
    }
    for types in [json!(["VerifiableCredential", "VerifiableAttestation"]), json!(["UniversityDegree"])] {
        assert_eq!(reason(&set(("vc.type", types))), Reason::ReadableIncomplete);
    }
    assert_eq!(
        reason(&set(("vc.issuer", json!("https://university.example")))),
        Reason::ReadableMalformed,
        "iss differs"
    );
    let known = Ok::<_, Refusal>(());
    for change in [
        ("vc.type", json!(["EqfLevel7", "UniversityDegree", "VerifiableAttestation", "VerifiableCredential"])),
        ("vc.issuer", json!({ "id": issuer(), "name": "Nobody asks" })),
        ("vc.credentialSchema", json!([{ "id": format!("0x{}", "09".repeat(32)), "type": "JsonSchema" }])),
        ("vc.validFrom", json!("2026-01-15T11:00:00.999+01:00")),
        ("vc.issued", Value::Null),
        ("vc.evidence", json!([{ "anything": 1.5 }])),
        ("jti", Value::Null),
        ("nbf", json!(1_768_471_200.25)),
    ] {
        let read = format::parse(&set(change.clone()));
        assert_eq!(read.as_ref().map(|_| ()), known.as_ref().copied(), "{change:?}");
        let read = read.unwrap();
        assert_eq!(read.schemas, [SchemaId::from_bytes([9; 32])]);
        assert_eq!(read.types, draft().types.into_iter().collect(), "whatever their order");
        assert_eq!(read.valid_from, Some(UnixTime(1_768_471_200)));
    }
    let one = format::parse(&set(("vc.credentialStatus", status_entry("StatusList2021Entry", json!("5"))))).unwrap();
    assert_eq!(one.status.len(), 1);
    assert_eq!(one.status[0].index, 5);
    for (kind, index, expected) in [
        ("StatusList2021Entry", json!("05"), Reason::ReadableMalformed),
        ("StatusList2021Entry", json!(-1), Reason::ReadableMalformed),
        ("RevocationList2020Status", json!("5"), Reason::StatusUnknownList),
    ] {
        assert_eq!(reason(&set(("vc.credentialStatus", status_entry(kind, index)))), expected);
    }
    for id in ["https://example.org/schema.json", "zzz", ""] {
        let schema = json!({ "id": id, "type": "JsonSchema" });
        assert_eq!(reason(&set(("vc.credentialSchema", schema))), Reason::ReadableSchemaUnknown, "{id}");
    }
}

fn status_entry(kind: &str, index: Value) -> Value {
    json!({ "id": "urn:x", "type": kind, "statusPurpose": "revocation", "statusListIndex": index,
            "statusListCredential": "https://ledger.example/list" })
}

#[test]
fn issuers_that_no_ledger_knows_are_strangers_and_not_liars() {
    for iss in ["https://university.example", "did:web:a%3A1", "", "not a did"] {
        let text = changed(Format::SdJwt, |_, payload| drop(payload.insert("iss".into(), json!(iss))));
        assert_eq!(reason(&text), Reason::IssuerForeignDid, "{iss}");
        assert_eq!(format::parse(&text).unwrap_err(), Refusal::ForeignIssuer(iss.into()), "named");
    }
    let text = changed(Format::SdJwt, |_, payload| drop(payload.insert("iss".into(), json!("é".repeat(2_000)))));
    assert_eq!(format::parse(&text).unwrap_err(), Refusal::ForeignIssuer("é".repeat(80)), "by its beginning");
    let unnamed = |header: &str| {
        changed(Format::SdJwt, |signed, payload| {
            payload.remove("iss");
            signed.insert(header.into(), json!(["MIIB"]));
        })
    };
    assert_eq!(reason(&unnamed("x5c")), Reason::IssuerForeignDid, "known by a certificate");
    assert_eq!(reason(&unnamed("other")), Reason::ReadableIncomplete);
    let foreign = changed(Format::Vcdm2, |header, payload| {
        payload.insert("issuer".into(), json!("did:web:university.example"));
        payload.remove("credentialSchema");
        header.insert("kid".into(), json!("#key-1"));
    });
    let foreign = format::parse(&foreign).unwrap();
    assert_eq!(foreign.kid.as_str(), "did:web:university.example#key-1");
    assert!(foreign.schemas.is_empty());
    let kid = |kid: Value| changed(Format::Vcdm2, |header, _| drop(header.insert("kid".into(), kid)));
    assert_eq!(reason(&kid(json!("key-1"))), Reason::SignatureKeyUnknown);
    assert_eq!(reason(&kid(json!(5))), Reason::ReadableMalformed);
}

#[test]
fn windows_of_time_are_the_narrower_in_the_w3cs_format() {
    let text = changed(Format::Vcdm2, |_, payload| {
        payload.insert("nbf".into(), json!(1_800_000_000));
        payload.insert("exp".into(), json!(1_900_000_000));
    });
    let read = format::parse(&text).unwrap();
    assert_eq!((read.valid_from, read.valid_until), (Some(UnixTime(1_800_000_000)), Some(UnixTime(1_900_000_000))));
    for (name, value) in [("iss", json!("did:ebsi:zother")), ("jti", json!("x")), ("sub", json!(5)), ("vc", json!({}))]
    {
        let text = changed(Format::Vcdm2, |_, payload| drop(payload.insert(name.into(), value)));
        assert_eq!(reason(&text), Reason::ReadableMalformed, "{name}");
    }
    let untyped = changed(Format::Vcdm2, |_, payload| drop(payload.insert("type".into(), json!(["UniversityDegree"]))));
    assert_eq!(format::parse(&untyped).unwrap_err(), Refusal::Incomplete("the type VerifiableCredential"));
    for context in [
        json!([]),
        json!("https://www.w3.org/2018/credentials/v1"),
        json!([{}, "https://www.w3.org/ns/credentials/v2"]),
    ] {
        let text = changed(Format::Vcdm2, |_, payload| drop(payload.insert("@context".into(), context)));
        assert_eq!(reason(&text), Reason::ReadableMalformed);
    }
    // Lists have so many entries: the verifier on the page has this number too.
    let contexts = |count: usize| {
        let contexts = vec!["https://www.w3.org/ns/credentials/v2"; count];
        format::parse(&changed(Format::Vcdm2, |_, payload| drop(payload.insert("@context".into(), json!(contexts)))))
    };
    assert!(contexts(32).is_ok());
    assert_eq!(contexts(33).unwrap_err(), Refusal::Malformed("@context has more than 32 entries".into()));
    let several =
        changed(Format::Vcdm2, |_, payload| drop(payload.insert("credentialSubject".into(), json!([{}, {}]))));
    assert_eq!(reason(&several), Reason::ReadableUnknownFormat);
}

fn disclosure(parts: Value) -> String {
    base64url(parts.to_string().as_bytes())
}

fn digest(disclosure: &str) -> String {
    base64url(&sha256(&[disclosure.as_bytes()]))
}

/// An SD-JWT of claims of one's own, with these disclosures.
fn selective(change: impl FnOnce(&mut Map<String, Value>), disclosures: &[&str]) -> Result<Credential, Refusal> {
    let mut plain = draft();
    plain.subject.clear();
    let jws = Jws::parse(issue(Format::SdJwt, &plain).split('~').next().unwrap()).unwrap();
    let mut payload = jws.payload;
    change(&mut payload);
    let issued = Jws::sign(&jws.header, &payload, &key());
    format::parse(&format!("{issued}~{}", disclosures.iter().map(|text| format!("{text}~")).collect::<String>()))
}

/// RFC 9901 §4.2.3: another's disclosure and its digest; spaces in it are part of it.
#[test]
fn the_rfcs_disclosure_has_its_digest() {
    let given = "WyJfMjZiYzRMVC1hYzZxMktJNmNCVzVlcyIsICJmYW1pbHlfbmFtZSIsICJNw7ZiaXVzIl0";
    let sd = json!(["X9yH0Ajrdm1Oij4tWso9UzzKJvPoDxwmuEcO3XAdRC0"]);
    let read = selective(|payload| drop(payload.insert("_sd".into(), sd)), &[given]).unwrap();
    assert_eq!(read.subject, object(json!({ "family_name": "Möbius" })));
}

/// INV-SD-1, INV-SD-2.
#[test]
fn disclosures_belong_where_they_stand_and_overwrite_nothing() {
    let name = disclosure(json!(["s1", "familyName", "Curie"]));
    let inner = disclosure(json!(["s2", "street", "Rue Lhomond"]));
    let outer = disclosure(json!(["s3", "address", { "_sd": [digest(&inner)], "country": "FR" }]));
    let element = disclosure(json!(["s4", "fr"]));
    let sd = |digests: Vec<String>| {
        move |payload: &mut Map<String, Value>| drop(payload.insert("_sd".into(), json!(digests)))
    };
    let all = sd(vec![digest(&name), digest(&outer), digest("decoy")]);
    let read = selective(&all, &[&inner, &outer, &name]).unwrap();
    assert_eq!(
        read.subject,
        object(json!({ "familyName": "Curie", "address": { "country": "FR", "street": "Rue Lhomond" } }))
    );
    assert_eq!(read.undisclosed, 1);
    assert_eq!(selective(&all, &[&outer]).unwrap().undisclosed, 3);
    let array = |payload: &mut Map<String, Value>| {
        payload.insert("languages".into(), json!([{ "...": digest(&element) }, "de", { "...": digest("decoy") }]));
    };
    assert_eq!(selective(array, &[&element]).unwrap().subject["languages"], json!(["fr", "de"]));
    assert_eq!(selective(array, &[]).unwrap().subject["languages"], json!(["de"]));

    let refused = |read: Result<Credential, Refusal>, what: &str| {
        assert_eq!(read.expect_err(what).reason(), Reason::ReadableDisclosure, "{what}");
    };
    refused(selective(&all, &[&inner]), "a part without the whole");
    refused(selective(&all, &[&name, &name]), "a disclosure twice");
    refused(selective(&all, &[&disclosure(json!(["s9", "familyName", "Skłodowska"]))]), "a field that was not signed");
    refused(selective(sd(vec![digest(&name), digest(&name)]), &[&name]), "a digest twice");
    refused(selective(sd(vec![digest("decoy"), digest("decoy")]), &[]), "a decoy twice");
    refused(selective(sd(vec![digest(&element)]), &[&element]), "an element as a member");
    let twice = disclosure(json!(["s5", "familyName", "Other"]));
    refused(selective(sd(vec![digest(&name), digest(&twice)]), &[&name, &twice]), "a field twice");
    let member =
        |payload: &mut Map<String, Value>| drop(payload.insert("languages".into(), json!([{ "...": digest(&name) }])));
    refused(selective(member, &[&name]), "a member as an element");
    let more = |payload: &mut Map<String, Value>| {
        payload.insert("languages".into(), json!([{ "...": digest(&element), "x": 1 }]));
    };
    refused(selective(more, &[&element]), "more beside a digest");
    for name in [
        "iss",
        "exp",
        "nbf",
        "status",
        "vct",
        "types",
        "credentialSchema",
        "cnf",
        "jurisdiction",
        "eqfLevel",
        "print",
        "_sd",
        "...",
        "holderBinding",
    ] {
        let hidden = disclosure(json!(["s6", name, 7]));
        refused(selective(sd(vec![digest(&hidden)]), &[&hidden]), name);
    }
    let dots = |payload: &mut Map<String, Value>| {
        payload.insert("address".into(), json!({ "country": "FR", "...": digest(&element) }));
    };
    refused(selective(dots, &[&element]), "an element's digest in an object");
    refused(selective(dots, &[]), "an element's digest in an object, undisclosed");
    let open = |payload: &mut Map<String, Value>| {
        payload.insert("familyName".into(), json!("Open"));
        payload.insert("_sd".into(), json!([digest(&name)]));
    };
    refused(selective(open, &[&name]), "over an open field");
    for bad in [
        "",
        "e30",
        "!",
        &disclosure(json!(["s"])),
        &disclosure(json!([1, "a", 2])),
        &disclosure(json!(["s", 1, 2])),
        &disclosure(json!(["s", "a", 1, 2])),
    ] {
        refused(selective(sd(vec![digest(bad)]), &[bad]), bad);
    }
    for bad in [json!("x"), json!([5]), json!({})] {
        refused(selective(|payload| drop(payload.insert("_sd".into(), bad)), &[]), "_sd of another shape");
    }
    let doubled = base64url(br#"["s","a",{"b":1,"b":2}]"#);
    let read = selective(sd(vec![digest(&doubled)]), &[&doubled]);
    assert_eq!(read.unwrap_err().reason(), Reason::ReadableDuplicateMembers);
    let other = selective(|payload| drop(payload.insert("_sd_alg".into(), json!("sha-512"))), &[]);
    assert_eq!(other.unwrap_err().reason(), Reason::ReadableUnknownFormat);
    let many = |count: usize| {
        let many: Vec<_> = (0..count).map(|n| disclosure(json!(["s", format!("f{n}"), n]))).collect();
        let digests = many.iter().map(|text| digest(text)).collect();
        selective(sd(digests), &many.iter().map(String::as_str).collect::<Vec<_>>())
    };
    assert_eq!(many(limits::DISCLOSURES_MAX).unwrap().subject.len(), limits::DISCLOSURES_MAX);
    refused(many(limits::DISCLOSURES_MAX + 1), "more than are read");
    // Only at the top do these names mean something.
    let (iss, mark) = (disclosure(json!(["s7", "iss", "x"])), json!("sha-512"));
    let inside = |payload: &mut Map<String, Value>| {
        payload.insert("a".into(), json!({ "b": { "_sd": [digest(&iss)], "_sd_alg": mark } }));
    };
    assert_eq!(selective(inside, &[&iss]).unwrap().subject["a"], json!({ "b": { "iss": "x", "_sd_alg": "sha-512" } }));
    // A chain of disclosures, each in the other, is bounded like any nesting.
    let nested = |depth: usize| {
        let mut chain = vec![disclosure(json!(["s", "end", 1]))];
        for _ in 1..depth {
            let inner = digest(chain.last().unwrap());
            chain.push(disclosure(json!(["s", "next", { "_sd": [inner] }])));
        }
        let last = digest(chain.last().unwrap());
        selective(sd(vec![last]), &chain.iter().map(String::as_str).collect::<Vec<_>>())
    };
    assert!(nested(limits::CREDENTIAL_DEPTH_MAX).is_ok());
    refused(nested(limits::CREDENTIAL_DEPTH_MAX + 1), "nested too deep");
    refused(nested(100), "nested much too deep");
    // So are lists in lists, of which every other one is disclosed.
    let listed = |depth: usize| {
        let mut chain = vec![disclosure(json!(["s", 1]))];
        for _ in 0..depth {
            let inner = digest(chain.last().unwrap());
            chain.push(disclosure(json!(["s", [[{ "...": inner }]]])));
        }
        let inner = digest(chain.last().unwrap());
        let list = |payload: &mut Map<String, Value>| drop(payload.insert("a".into(), json!([{ "...": inner }])));
        selective(list, &chain.iter().map(String::as_str).collect::<Vec<_>>())
    };
    // The member, the element of its list, and two for each further link.
    let most = (limits::CREDENTIAL_DEPTH_MAX - 2) / 2;
    assert!(listed(most).is_ok());
    refused(listed(most + 1), "lists nested too deep");
}

#[test]
fn a_holder_chooses_what_to_show() {
    let text = issue(Format::SdJwt, &draft());
    assert_eq!(sdjwt::disclosable(&text).unwrap(), ["dateOfBirth", "familyName", "title"]);
    let shown = sdjwt::disclose(&text, &["title"]).unwrap();
    let read = format::parse(&shown).unwrap();
    assert_eq!(read.subject.keys().collect::<Vec<_>>(), ["eqfLevel", "jurisdiction", "title"]);
    assert_eq!(read.undisclosed, 2);
    assert_eq!(read.digest(), format::parse(&text).unwrap().digest(), "it is the same credential");
    let bound = format!("{text}e30.e30.AA");
    assert_eq!(sdjwt::key_binding(&bound), Some("e30.e30.AA"));
    assert_eq!(
        sdjwt::disclose(&bound, &["familyName", "dateOfBirth", "title"]).unwrap(),
        text,
        "without the key binding"
    );
    assert_eq!(sdjwt::disclose(&shown, &["familyName"]), Err(DiscloseError::Unknown("familyName".into())));
    assert_eq!(sdjwt::disclose(&text, &["eqfLevel"]), Err(DiscloseError::Unknown("eqfLevel".into())), "always shown");
    let other = sdjwt::disclose(&issue(Format::Ebsi, &draft()), &[]);
    assert_eq!(other, Err(DiscloseError::Format(Format::Ebsi)));
    let payload = Jws::parse(text.split('~').next().unwrap()).unwrap().payload;
    let digests: Vec<_> = payload["_sd"].as_array().unwrap().iter().map(|digest| digest.as_str().unwrap()).collect();
    assert!(digests.is_sorted(), "their order says nothing");
    assert!(!serde_json::to_string(&payload).unwrap().contains("Curie"));
}

#[test]
fn drafts_that_no_format_can_carry_are_refused() {
    let refused = |change: &dyn Fn(&mut Draft), format: Format| {
        let mut draft = draft();
        change(&mut draft);
        format::build(format, &draft, &mut || [0; 16]).expect_err("refused")
    };
    let all = [Format::SdJwt, Format::Vcdm2, Format::Ebsi, Format::Compact];
    for format in all {
        for name in ["id", "iss", "vct", "_sd", "status", "types", "credentialSchema", "@context"] {
            let error = refused(&|draft| drop(draft.subject.insert(name.into(), json!(1))), format);
            assert_eq!(error, BuildError::Reserved(name.into()));
        }
        assert_eq!(refused(&|draft| draft.types = vec!["VerifiableCredential".into()], format), BuildError::Types);
        assert_eq!(refused(&|draft| draft.kid = "did:ebsi:zother#k".parse().unwrap(), format), BuildError::Kid);
        assert_eq!(refused(&|draft| draft.valid_until = Some(draft.valid_from), format), BuildError::Dates);
        let late = |draft: &mut Draft| (draft.valid_from, draft.valid_until) = (UnixTime(253_402_300_800), None);
        assert_eq!(refused(&late, format), BuildError::Dates);
        let long = |draft: &mut Draft| draft.status.as_mut().unwrap().list = "x".repeat(60).parse().unwrap();
        assert_eq!(refused(&long, format), BuildError::List);
    }
    assert_eq!(refused(&|draft| draft.discarded = None, Format::Ebsi), BuildError::Subject);
    let huge =
        |draft: &mut Draft| drop(draft.subject.insert("x".into(), json!("x".repeat(limits::CREDENTIAL_BYTES_MAX))));
    for format in [Format::SdJwt, Format::Vcdm2, Format::Ebsi] {
        assert!(matches!(refused(&huge, format), BuildError::TooLarge { .. }));
    }
    let many = |draft: &mut Draft| (0..200).for_each(|n| drop(draft.subject.insert(format!("x{n}"), json!(n))));
    assert_eq!(refused(&many, Format::SdJwt), BuildError::Fields(203));
}

#[test]
fn holders_are_read_as_they_were_bound() {
    let wallet = SigningKey::p256(&[44; 32]).unwrap().public_key();
    let (did, jwk_did) = (Did::key(&wallet), Did::jwk_jcs_key(&wallet));
    let bound = |format, holder: Holder| {
        let draft = Draft { holder, ..draft() };
        let read = format::parse(&issue(format, &draft)).unwrap();
        assert!(!read.subject.contains_key("holderBinding"));
        read.holder
    };
    for (holder, sd_jwt, vcdm2) in [
        (Holder::Did(did.clone()), Holder::Did(did.clone()), did.clone()),
        (Holder::Did(jwk_did.clone()), Holder::Did(jwk_did.clone()), jwk_did.clone()),
        (Holder::Key(wallet.to_jwk()), Holder::Key(wallet.to_jwk()), did),
    ] {
        assert_eq!(bound(Format::SdJwt, holder.clone()), sd_jwt);
        assert_eq!(bound(Format::Vcdm2, holder.clone()), Holder::Did(vcdm2));
        assert_eq!(bound(Format::Ebsi, holder), Holder::Did(jwk_did.clone()), "the codec that EBSI's libraries know");
    }
    let entity = Did::of_ledger("ebsi", &[3; 16]);
    for format in [Format::SdJwt, Format::Vcdm2, Format::Ebsi] {
        assert_eq!(
            bound(format, Holder::Did(entity.clone())),
            Holder::Did(entity.clone()),
            "its keys are on the ledger"
        );
    }
    let unbound = format::parse(&issue(Format::Ebsi, &draft())).unwrap();
    assert_eq!(unbound.holder, Holder::Unbound);
    assert!(unbound.subject_id.unwrap().starts_with("did:key:z2dmz"));
    let off_the_curve = Jwk { x: wallet.to_jwk().y.unwrap(), ..wallet.to_jwk() };
    let cnf =
        |jwk: Value| changed(Format::SdJwt, |_, payload| drop(payload.insert("cnf".into(), json!({ "jwk": jwk }))));
    assert_eq!(reason(&cnf(json!(off_the_curve))), Reason::ReadableMalformed);
    let other = SigningKey::p256(&[45; 32]).unwrap().public_key();
    let two = changed(Format::SdJwt, |_, payload| {
        payload.insert("sub".into(), json!(Did::key(&wallet)));
        payload.insert("cnf".into(), json!({ "jwk": other.to_jwk() }));
    });
    assert_eq!(reason(&two), Reason::ReadableMalformed, "two keys");
    assert_eq!(reason(&cnf(json!({ "kty": "RSA", "n": "AQAB" }))), Reason::ReadableMalformed);
}
