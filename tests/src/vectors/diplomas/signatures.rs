//! Step 2: altered, unsigned, signed in another way or by another key, printed on another page.

use serde_json::{Value, json};
use testamur_credentials::credential::Format;
use testamur_credentials::print::PrintDigest;
use testamur_credentials::verify::Reason;
use testamur_primitives::codec::{base64_standard, base64url};
use testamur_primitives::identity::key_id;
use testamur_primitives::key::{JwsAlgorithm, SigningKey};

use super::documents::{self, Kind, altered, draft, resigned};
use super::graduation::{FORMATS, KEYS};
use super::world::day;
use super::{Cases, case};
use crate::chain::seed;

pub(super) fn add(cases: &mut Cases<'_>) {
    stripped(cases);
    algorithms(cases);
    keys(cases);
    fields(cases);
    bytes(cases);
    without_proof(cases);
    prints(cases);
}

fn stripped(cases: &mut Cases<'_>) {
    let missing = Reason::SignatureMissing;
    for (format, _) in FORMATS {
        let text = altered(&cases.of(&format!("good-es256-{format}")).text, |parts| parts.signature.clear());
        cases.add(case(format!("the signature stripped: {format}"), text), missing);
    }
    let text = cases.of("good-es256-vcdm2").text.clone();
    let (input, _) = text.rsplit_once('.').expect("a JWS");
    cases.add(case("the signature stripped with its dot", input), missing);
    let none = altered(&text, |parts| {
        parts.header["alg"] = json!("none");
        parts.signature.clear();
    });
    // What it says of itself is told first: with "none" there is nothing to miss.
    cases.add(case("alg none and no signature", none), Reason::SignatureAlgorithm);
}

fn algorithms(cases: &mut Cases<'_>) {
    let refused = Reason::SignatureAlgorithm;
    let university = &cases.story.cast.university;
    let es256 = university.key(JwsAlgorithm::ES256);
    for alg in ["none", "None", "HS256", "HS512", "RS256", "PS256", "ES512", "ESB256", "EdDSA ", "es256"] {
        let text = resigned(&cases.of("good-es256-ebsi").text, es256, |parts| parts.header["alg"] = json!(alg));
        cases.add(case(format!("alg {alg:?}"), text), refused);
    }
    let text = altered(&cases.of("good-es256-sd-jwt").text, |parts| parts.header["alg"] = json!("none"));
    cases.add(case("alg none over a good signature: sd-jwt", text), refused);
    let text = resigned(&cases.of("good-es256-vcdm2").text, es256, |parts| parts.header["alg"] = json!(7));
    cases.add(case("alg that is a number", text), refused);
    let text = resigned(&cases.of("good-es256-vcdm2").text, es256, |parts| {
        parts.header.as_object_mut().expect("an object").remove("alg");
    });
    cases.add(case("no alg", text), refused);
    for (name, member, value) in [
        ("crit", "crit", json!(["exp"])),
        ("crit that names b64", "crit", json!(["b64"])),
        ("an unencoded payload", "b64", json!(false)),
        ("b64 that says the usual", "b64", json!(true)),
    ] {
        let text = resigned(&cases.of("good-es256-compact").text, es256, |parts| parts.header[member] = value);
        cases.add(case(name, text), refused);
    }
    // A key of one kind, and another algorithm's name: with the same bytes, and with a signature of that kind of key.
    for (signs, says) in [
        (JwsAlgorithm::ES256, JwsAlgorithm::ES256K),
        (JwsAlgorithm::ES256K, JwsAlgorithm::ES256),
        (JwsAlgorithm::ES384, JwsAlgorithm::ES256),
        (JwsAlgorithm::EdDSA, JwsAlgorithm::ES256),
        (JwsAlgorithm::ES256, JwsAlgorithm::EdDSA),
    ] {
        let name = format!("good-{signs:?}-vcdm2").to_lowercase();
        let text = resigned(&cases.of(&name).text, university.key(says), |parts| {
            parts.header["alg"] = json!(format!("{says:?}"));
        });
        cases.add(case(format!("{says:?} under a key of {signs:?}"), text), refused);
    }
}

fn keys(cases: &mut Cases<'_>) {
    let unknown = Reason::SignatureKeyUnknown;
    let cast = &cases.story.cast;
    let es256 = cast.university.key(JwsAlgorithm::ES256);
    let attacker = SigningKey::p256(&seed("attacker", 1)).expect("a scalar");
    let own = key_id(cast.university.did(), &attacker.public_key());
    for (format, _) in FORMATS {
        let text = resigned(&cases.of(&format!("good-es256-{format}")).text, &attacker, |parts| {
            parts.header["kid"] = json!(own);
        });
        cases.add(case(format!("a key that the issuer's document does not have: {format}"), text), unknown);
    }
    for (format, _) in FORMATS {
        let college = &cast.college;
        let text = resigned(&cases.of(&format!("good-es256-{format}")).text, &college.party.assertion, |parts| {
            parts.header["kid"] = json!(college.party.assertion_kid());
            parts.payload["iss"] = json!(cast.university.did());
        });
        cases.add(case(format!("another issuer's key: {format}"), text), unknown);
    }
    for kid in ["key-1", "https://university.example/keys/1", "did:ebsi:z#", ""] {
        let text = resigned(&cases.of("good-es256-vcdm2").text, es256, |parts| parts.header["kid"] = json!(kid));
        cases.add(case(format!("kid {kid:?}"), text), unknown);
    }
    // Keys that a header brings: never used.
    let jwk = serde_json::to_value(attacker.public_key().to_jwk()).expect("a key");
    let certificate = base64_standard(b"a certificate of the attacker's");
    for (name, member, value) in [
        ("jwk", "jwk", jwk.clone()),
        ("jku", "jku", json!("https://attacker.example/keys.json")),
        ("x5c", "x5c", json!([certificate])),
        ("x5u", "x5u", json!("https://attacker.example/chain.pem")),
    ] {
        let text = resigned(&cases.of("good-es256-ebsi").text, &attacker, |parts| parts.header[member] = value.clone());
        cases.add(case(format!("a key in the header: {name}"), text), Reason::SignatureInvalid);
        let text = resigned(&cases.of("good-es256-sd-jwt").text, &attacker, |parts| {
            parts.header[member] = value;
            parts.header["kid"] = json!(own);
        });
        cases.add(case(format!("a key in the header, and its kid: {name}"), text), unknown);
    }
}

/// Each field of each format, altered.
fn fields(cases: &mut Cases<'_>) {
    let invalid = Reason::SignatureInvalid;
    let subject: [(&str, Value); 11] = [
        ("givenName", json!("Amelie")),
        ("familyName", json!("Wagner")),
        ("dateOfBirth", json!("2001-05-18")),
        ("title", json!([{"language": "en", "text": "Doctor of Medicine"}])),
        ("eqfLevel", json!(8)),
        ("iscedF", json!("0912")),
        ("ects", json!("300")),
        ("languages", json!(["de"])),
        ("awardingDate", json!("2026-01-22")),
        ("place", json!("Oxford")),
        ("jurisdiction", json!("https://publications.europa.eu/resource/authority/atu/DEU")),
    ];
    for format in ["vcdm2", "ebsi"] {
        for (member, value) in &subject {
            let text = altered(&cases.of(&format!("good-es256-{format}")).text, |parts| {
                let credential = if format == "ebsi" { &mut parts.payload["vc"] } else { &mut parts.payload };
                credential["credentialSubject"][member] = value.clone();
            });
            cases.add(case(format!("{member} altered: {format}"), text), invalid);
        }
    }
    let claims: [(&str, &str, Value); 21] = [
        ("vcdm2", "id", json!("urn:uuid:00000000-0000-4000-8000-000000000000")),
        ("vcdm2", "type", json!(["VerifiableCredential", "UniversityDegree", "EqfLevel8"])),
        ("vcdm2", "validFrom", json!("2026-01-15T10:00:00Z")),
        ("vcdm2", "validUntil", json!("2099-01-15T10:00:00Z")),
        ("vcdm2", "credentialStatus", json!([])),
        ("sd-jwt", "nbf", json!(1_700_000_000)),
        ("sd-jwt", "iat", json!(1_700_000_000)),
        ("sd-jwt", "jti", json!("urn:uuid:00000000-0000-4000-8000-000000000000")),
        ("sd-jwt", "types", json!(["UniversityDegree", "EqfLevel8"])),
        ("sd-jwt", "eqfLevel", json!(8)),
        ("sd-jwt", "jurisdiction", json!("https://publications.europa.eu/resource/authority/atu/DEU")),
        ("sd-jwt", "vct", json!("urn:eu.europa.ec.eudi:learning:credential:1")),
        ("sd-jwt", "status", json!({"status_list": {"idx": 99, "uri": "https://ledger.example/x"}})),
        ("compact", "gn", json!("Amelie")),
        ("compact", "fn", json!("Wagner")),
        ("compact", "bd", json!("2001-05-18")),
        ("compact", "eq", json!(8)),
        ("compact", "st", json!(["diplomas-1", 99])),
        ("compact", "ju", json!("DEU")),
        ("compact", "nbf", json!(1_700_000_000)),
        ("compact", "exp", json!(4_000_000_000u64)),
    ];
    for (format, member, value) in claims {
        let text = altered(&cases.of(&format!("good-es256-{format}")).text, |parts| parts.payload[member] = value);
        cases.add(case(format!("{member} altered: {format}"), text), invalid);
    }
    let text = altered(&cases.of("good-es256-ebsi").text, |parts| {
        parts.payload["vc"].as_object_mut().expect("an object").remove("credentialStatus");
    });
    cases.add(case("the status entry taken out: ebsi", text), invalid);
    let text = altered(&cases.of("revoked-compact").text, |parts| {
        parts.payload.as_object_mut().expect("an object").remove("st");
    });
    cases.add(case("the status entry of a revoked one taken out: compact", text), invalid);
    let text = altered(&cases.of("good-es256-vcdm2").text, |parts| parts.header["x-note"] = json!("added"));
    cases.add(case("a header parameter added", text), invalid);
}

/// The signature's own bytes.
fn bytes(cases: &mut Cases<'_>) {
    let invalid = Reason::SignatureInvalid;
    for alg in KEYS {
        let name = format!("good-{alg:?}-ebsi").to_lowercase();
        let text = altered(&cases.of(&name).text, |parts| parts.signature[40] ^= 1);
        cases.add(case(format!("a bit of the signature: {alg:?}"), text), invalid);
        let text = altered(&cases.of(&name).text, |parts| parts.signature.fill(0));
        cases.add(case(format!("a signature of zeros: {alg:?}"), text), invalid);
        let text = altered(&cases.of(&name).text, |parts| {
            parts.signature.pop();
        });
        cases.add(case(format!("a signature too short: {alg:?}"), text), invalid);
        let text = altered(&cases.of(&name).text, |parts| parts.signature.push(0));
        cases.add(case(format!("a signature too long: {alg:?}"), text), invalid);
    }
    let other = documents::Parts::of(&cases.of("good-es256-vcdm2").text).signature;
    let text = altered(&cases.of("revoked-vcdm2").text, |parts| parts.signature = other);
    cases.add(case("the signature of another diploma", text), invalid);
    let text = altered(&cases.of("good-es256-vcdm2").text, |parts| parts.signature = der(&parts.signature));
    cases.add(case("the signature in ASN.1", text), invalid);
    let text = cases.of("good-es256-sd-jwt").text.clone();
    let (_, rest) = text.split_once('.').expect("a JWS");
    let header = base64url(br#"{"alg":"ES256","typ":"dc+sd-jwt"}"#);
    cases.add(case("a header in another's place", format!("{header}.{rest}")), Reason::ReadableIncomplete);
}

/// r and s as OpenSSL writes them.
fn der(signature: &[u8]) -> Vec<u8> {
    let integer = |half: &[u8]| {
        let half: Vec<_> = half.iter().copied().skip_while(|byte| *byte == 0).collect();
        let sign = half.first().is_some_and(|byte| *byte >= 0x80);
        let body = if sign { [&[0], half.as_slice()].concat() } else { half };
        [vec![2, body.len() as u8], body].concat()
    };
    let (r, s) = signature.split_at(signature.len() / 2);
    let body = [integer(r), integer(s)].concat();
    [vec![0x30, body.len() as u8], body].concat()
}

fn without_proof(cases: &mut Cases<'_>) {
    // The signature is not known to be good then, either; who issued it decides.
    let no_proof = Reason::IssuerNoProof;
    for (format, _) in FORMATS {
        let issued = cases.of(&format!("good-es256-{format}"));
        cases.add(case(format!("no proofs at all: {format}"), &issued.text).without_proofs(), no_proof);
    }
    let name = "good-es256-vcdm2";
    let issued = cases.of(name);
    let anchored = case("nothing but a receipt", &issued.text).receipt(name, &issued.receipt);
    cases.add(anchored.without_proofs(), no_proof);
    // Altered, and no proofs to see it by: not valid is not said, and nothing is shown.
    let text = altered(&issued.text, |parts| parts.payload["credentialSubject"]["familyName"] = json!("X"));
    cases.add(case("altered, and no proofs to see it by", text).without_proofs(), no_proof);
}

fn prints(cases: &mut Cases<'_>) {
    let university = &cases.story.cast.university;
    let key = university.key(JwsAlgorithm::ES256);
    let print = PrintDigest { bytes: 18_000, sha256: hex::encode(seed("print", 1)) };
    let other = PrintDigest { bytes: 18_000, sha256: hex::encode(seed("print", 2)) };
    let longer = PrintDigest { bytes: 18_001, ..print.clone() };
    for (format, kind) in FORMATS.into_iter().take(3) {
        let mut bound = draft(university, key, Kind::Bachelor, &format!("printed-{format}"));
        bound.subject.insert("print".into(), serde_json::to_value(&print).expect("a digest"));
        let text = documents::sign(kind, &bound, key);
        let page = case(format!("on another page: {format}"), &text).print(other.clone(), true);
        cases.add(page, Reason::SignatureForeignPrint);
        let more = case(format!("something drawn over the page: {format}"), &text).print(print.clone(), false);
        cases.add(more, Reason::SignatureForeignPrint);
        let longer = case(format!("a page of another length: {format}"), &text).print(longer.clone(), true);
        cases.add(longer, Reason::SignatureForeignPrint);
        // Which page it was printed on does not matter when it comes without one.
        cases.add(case(format!("on its own page: {format}"), &text).print(print.clone(), true), Reason::Valid);
        cases.add(case(format!("printed once, shown without the page: {format}"), &text), Reason::Valid);
        let issued = cases.of(&format!("good-es256-{format}"));
        let page = case(format!("a page that nobody vouches for: {format}"), &issued.text).print(print.clone(), true);
        cases.add(page, Reason::SignaturePrintNotBound);
    }
    let mut certificate =
        draft(&cases.story.cast.authority, &cases.story.cast.authority.party.assertion, Kind::Driver, "card");
    certificate.valid_from = day(2);
    let text = documents::sign(Format::Ebsi, &certificate, &cases.story.cast.authority.party.assertion);
    cases.add(case("a card that nobody vouches for", text).print(print, true), Reason::SignaturePrintNotBound);
}
