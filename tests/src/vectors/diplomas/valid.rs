//! What is valid: every format under every kind of key, and what must not be held against a diploma.

use serde_json::json;
use testamur_credentials::credential::Format;
use testamur_credentials::format::sdjwt;
use testamur_credentials::link;
use testamur_credentials::package::Package;
use testamur_credentials::verify::Reason;
use testamur_primitives::codec::{base64url, canonical};
use testamur_primitives::key::JwsAlgorithm;

use super::documents::{self, Kind, Parts, draft, place, raw, resigned};
use super::graduation::{FORMATS, KEYS};
use super::world::{day, jurisdiction};
use super::{Cases, Part, case};

pub(super) fn add(cases: &mut Cases<'_>) {
    everyday(cases);
    whatever_happened_later(cases);
    spellings(cases);
    contents(cases);
    handed_in(cases);
}

/// All formats under all keys, with their receipts and without.
fn everyday(cases: &mut Cases<'_>) {
    for alg in KEYS {
        for (format, _) in FORMATS {
            let name = format!("good-{alg:?}-{format}").to_lowercase();
            let issued = cases.of(&name);
            cases.add(case(&name, &issued.text).receipt(&name, &issued.receipt), Reason::Valid);
            if alg == JwsAlgorithm::ES256 {
                cases.add(case(format!("unanchored, in force: {format}"), &issued.text), Reason::Valid);
            }
        }
    }
    for what in ["polytechnic", "authority"] {
        for (format, _) in FORMATS {
            let name = format!("{what}-{format}");
            let issued = cases.of(&name);
            cases.add(case(&name, &issued.text), Reason::Valid);
        }
    }
    for format in ["sd-jwt", "vcdm2", "ebsi"] {
        let name = format!("wallet-{format}");
        let issued = cases.of(&name);
        cases.add(case(format!("bound to a wallet: {format}"), &issued.text), Reason::Valid);
    }
}

/// What happened to the issuer after the ledger had witnessed the diploma.
fn whatever_happened_later(cases: &mut Cases<'_>) {
    for (who, what) in [
        ("conservatory", "key rolled after issuance"),
        ("institute", "accreditation ended after issuance"),
        ("college", "key compromised after issuance"),
        ("abbey", "issuer closed after issuance"),
        ("guild", "accreditor's accreditation ended after issuance"),
        ("seminar", "accreditation ran out after issuance"),
    ] {
        for (format, _) in FORMATS.into_iter().take(if matches!(who, "conservatory" | "institute") { 4 } else { 2 }) {
            let name = format!("{who}-{format}");
            let issued = cases.of(&name);
            cases.add(case(format!("{what}: {format}"), &issued.text).receipt(&name, &issued.receipt), Reason::Valid);
        }
    }
    for name in ["academy-late-ebsi", "conservatory-late-vcdm2", "conservatory-late-sd-jwt"] {
        let issued = cases.of(name);
        cases.add(case(name, &issued.text).receipt(name, &issued.receipt), Reason::Valid);
    }
    for (format, _) in FORMATS {
        let issued = cases.of(&format!("reinstated-{format}"));
        cases.add(case(format!("suspended once, and reinstated: {format}"), &issued.text), Reason::Valid);
    }
    let name = "revoked-vcdm2";
    let issued = cases.of(name);
    let before = case("asked about a day before it was revoked", &issued.text).receipt(name, &issued.receipt);
    cases.add(before.at(day(19)), Reason::Valid);
    let early = case("checked while it was not revoked yet", &issued.text);
    cases.add(early.proofs("early", day(12)), Reason::Valid);
}

/// Other spellings of the same thing.
fn spellings(cases: &mut Cases<'_>) {
    let story = cases.story;
    let key = |alg| story.cast.university.key(alg);
    let (es256, es256k, ed25519) = (key(JwsAlgorithm::ES256), key(JwsAlgorithm::ES256K), key(JwsAlgorithm::EdDSA));
    for (format, _) in FORMATS {
        let text = high_s(&cases.of(&format!("good-es256k-{format}")).text, &SECP256K1);
        cases.add(case(format!("high S under ES256K: {format}"), text), Reason::Valid);
    }
    let text = high_s(&cases.of("good-es256-vcdm2").text, &P256);
    cases.add(case("high S under ES256", text), Reason::Valid);
    let text = resigned(&cases.of("good-eddsa-ebsi").text, ed25519, |parts| parts.header["alg"] = json!("Ed25519"));
    cases.add(case("Ed25519 by its own name", text), Reason::Valid);
    let text = resigned(&cases.of("good-es256k-vcdm2").text, es256k, |parts| parts.header["x-note"] = json!("ignored"));
    cases.add(case("a header parameter that nobody knows", text), Reason::Valid);
    let of = |name: &str| story.of(name).text.clone();
    let text = resigned(&of("good-es256-ebsi"), es256, |parts| {
        let types = parts.payload["vc"]["type"].as_array_mut().expect("a list");
        types.reverse();
    });
    cases.add(case("types in another order", text), Reason::Valid);
    let text = resigned(&of("good-es256-vcdm2"), es256, |parts| {
        let issuer = parts.payload["issuer"].take();
        parts.payload["issuer"] = json!({ "id": issuer, "name": "Harvard" });
    });
    cases.add(case("an issuer that is an object, with a name that nobody reads", text), Reason::Valid);
    let text = resigned(&of("good-es256-vcdm2"), es256, |parts| {
        let kid = parts.header["kid"].as_str().expect("text").to_owned();
        parts.header["kid"] = json!(&kid[kid.find('#').expect("a DID URL")..]);
    });
    cases.add(case("a key id without the DID", text), Reason::Valid);
    let text = resigned(&of("good-es256-sd-jwt"), es256, |parts| parts.header["typ"] = json!("vc+sd-jwt"));
    cases.add(case("the older typ of SD-JWT VC", text), Reason::Valid);
    // Members in no order and with spaces: what is signed are bytes.
    let parts = Parts::of(&of("good-es256-vcdm2"));
    let payload = serde_json::to_string_pretty(&parts.payload).expect("JSON");
    let text = raw(&serde_json::to_string_pretty(&parts.header).expect("JSON"), &payload, "", es256);
    cases.add(case("a payload with white space", text), Reason::Valid);
    let text = resigned(&of("good-es256-sd-jwt"), es256, |parts| {
        let decoy = base64url(&testamur_primitives::codec::sha256(&[b"decoy"]));
        parts.payload["_sd"].as_array_mut().expect("a list").push(json!(decoy));
    });
    cases.add(case("an SD-JWT with a decoy digest", text), Reason::Valid);
    let text = of("good-es256-compact");
    cases.add(case("a compact credential without its last ~", text.trim_end_matches('~')), Reason::Valid);
}

/// What is in it.
fn contents(cases: &mut Cases<'_>) {
    let university = &cases.story.cast.university;
    let key = university.key(JwsAlgorithm::EdDSA);
    for (number, (given, family)) in documents::PEOPLE.into_iter().enumerate() {
        let (name, format) = FORMATS[number % 4];
        let title = format!("{given} {family}: {name}");
        let mut draft = draft(university, key, Kind::Bachelor, &title);
        draft.subject.insert("givenName".into(), json!(given));
        draft.subject.insert("familyName".into(), json!(family));
        cases.add(case(title, documents::sign(format, &draft, key)), Reason::Valid);
    }
    for shown in [&["title"][..], &["familyName", "title", "awardingDate"], &[]] {
        let text = sdjwt::disclose(&cases.of("good-es384-sd-jwt").text, shown).expect("fields of it");
        cases.add(case(format!("discloses {} fields", shown.len()), text), Reason::Valid);
    }
    for (format, kind) in FORMATS {
        let mut draft = draft(university, key, Kind::Micro(6), &format!("ending-{format}"));
        draft.valid_until = Some(day(400));
        let text = documents::sign(kind, &draft, key);
        cases.add(case(format!("has an end that is to come: {format}"), text), Reason::Valid);
    }
    let mut region = draft(university, key, Kind::Bachelor, "region");
    region.subject.insert("jurisdiction".into(), json!(jurisdiction("LUX_1")));
    cases.add(case("a part of the jurisdiction", documents::sign(Format::Vcdm2, &region, key)), Reason::Valid);
    let mut transcript = draft(university, key, Kind::Master, "transcript");
    transcript.subject.insert(
        "activities".into(),
        (1..=40)
            .map(|n| json!({"title": [{"language": "en", "text": format!("Course {n}")}], "ects": "6", "grade": {"value": "15.5"}}))
            .collect(),
    );
    transcript.subject.insert("thesis".into(), json!({"title": [{"language": "fr", "text": "De la preuve"}]}));
    for format in [Format::SdJwt, Format::Ebsi] {
        let text = documents::sign(format, &transcript, key);
        cases.add(case(format!("a transcript of 40 courses: {format:?}"), text), Reason::Valid);
    }
    let mut companion = draft(university, key, Kind::Bachelor, "companion");
    companion.status = place("diplomas-1", 131_071);
    let text = documents::sign(Format::Ebsi, &companion, key);
    cases.add(case("the last place of a list", text), Reason::Valid);
}

/// The same credential, handed in in other ways.
fn handed_in(cases: &mut Cases<'_>) {
    let compact = cases.of("good-es256-compact").text.clone();
    let page = "https://verify.example/";
    let link = link::make(page, &compact).expect("short enough");
    cases.add(case("a link", &link), Reason::Valid);
    cases.add(case("a link whose # a mail program has encoded", link.replace('#', "%23")), Reason::Valid);
    let name = "good-es256-ebsi";
    let issued = cases.of(name);
    let quoted = format!("\"{}\"\n", issued.text);
    cases.add(case("in quotes", quoted), Reason::Valid);
    let lines: Vec<_> = issued.text.as_bytes().chunks(76).map(|line| String::from_utf8_lossy(line)).collect();
    cases.add(case("broken into lines", lines.join("\r\n")), Reason::Valid);
    cases.add(case("with a byte order mark", format!("\u{feff}{}", issued.text)), Reason::Valid);
    let receipt = String::from_utf8(issued.receipt.clone().encode()).expect("JSON");
    let object = format!("{{\"receipt\": {receipt},\n \"credential\": \"{}\"}}", issued.text);
    cases.add(case("an object with a receipt in it", object), Reason::Valid);
    for name in ["good-es256-sd-jwt", "good-eddsa-vcdm2", "good-es384-ebsi", "good-es256k-compact"] {
        let issued = cases.of(name);
        let package = Package {
            credential: issued.text.clone(),
            receipt: Some(issued.receipt.clone()),
            proofs: cases.story.package("main"),
        };
        let bytes = package.encode();
        let text = String::from_utf8(bytes).expect("JSON");
        let package = case(format!("a package: {name}"), "").parts(vec![Part::Text(text)]);
        cases.add(package.without_proofs(), Reason::Valid);
    }
    let bare = json!({"credential": cases.of("good-es256-vcdm2").text});
    let bare = String::from_utf8(canonical(&bare)).expect("JSON");
    cases.add(case("an object with nothing but a credential", bare), Reason::Valid);
}

/// Order of secp256k1's group.
const SECP256K1: [u8; 32] = order("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141");
/// Order of P-256's group.
const P256: [u8; 32] = order("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");

const fn order(hex: &str) -> [u8; 32] {
    let (digits, mut bytes, mut at) = (hex.as_bytes(), [0; 32], 0);
    while at < 32 {
        bytes[at] = nibble(digits[2 * at]) << 4 | nibble(digits[2 * at + 1]);
        at += 1;
    }
    bytes
}

const fn nibble(digit: u8) -> u8 {
    if digit < b'a' { digit - b'0' } else { digit - b'a' + 10 }
}

/// The same signature with the other of its two values of s.
fn high_s(text: &str, order: &[u8; 32]) -> String {
    documents::altered(text, |parts| {
        let s: [u8; 32] = parts.signature[32..].try_into().expect("32 bytes");
        let other = subtract(order, &s);
        let high = if s > [0x7f; 32] { s } else { other };
        parts.signature[32..].copy_from_slice(&high);
    })
}

/// `a − b` for a > b, most significant byte first.
fn subtract(a: &[u8; 32], b: &[u8; 32]) -> [u8; 32] {
    let (mut result, mut borrow) = ([0; 32], false);
    for at in (0..32).rev() {
        let (part, first) = a[at].overflowing_sub(b[at]);
        let (part, second) = part.overflowing_sub(u8::from(borrow));
        (result[at], borrow) = (part, first || second);
    }
    result
}
