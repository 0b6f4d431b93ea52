//! Step 8: the key that a wallet holds, and the proof that it was there.

use serde_json::{Value, json};
use testamur_credentials::format::sdjwt;
use testamur_credentials::verify::Reason;
use testamur_primitives::codec::{base64url, canonical, sha256};
use testamur_primitives::did::Did;
use testamur_primitives::key::SigningKey;

use super::documents::resigned;
use super::graduation::wallet;
use super::world::day;
use super::{Cases, case, soon};

pub(super) fn add(cases: &mut Cases<'_>) {
    proofs(cases);
    keys(cases);
}

/// A presentation with a key-binding JWT (RFC 9901 §4.3) at its end.
fn shown(text: &str, key: &SigningKey, change: impl FnOnce(&mut Value, &mut Value)) -> String {
    let mut header = json!({"alg": format!("{:?}", key.public_key().algorithm()), "typ": "kb+jwt"});
    let mut payload = json!({
        "iat": soon().0 - 60, "aud": "https://employer.example", "nonce": "n-0S6_WzA2Mj",
        "sd_hash": base64url(&sha256(&[text.as_bytes()])),
    });
    change(&mut header, &mut payload);
    let input = format!("{}.{}", base64url(&canonical(&header)), base64url(&canonical(&payload)));
    format!("{text}{input}.{}", base64url(&key.sign(input.as_bytes())))
}

fn proofs(cases: &mut Cases<'_>) {
    let bad = Reason::HolderProof;
    let bound = cases.of("wallet-sd-jwt").text.clone();
    let (wallet, other) = (wallet(), SigningKey::ed25519(&[8; 32]));
    cases.add(case("shown from its wallet", shown(&bound, &wallet, |_, _| {})), Reason::Valid);
    let part = sdjwt::disclose(&bound, &["title", "familyName"]).expect("fields of it");
    cases.add(case("two fields, shown from its wallet", shown(&part, &wallet, |_, _| {})), Reason::Valid);
    cases.add(case("shown from another wallet", shown(&bound, &other, |_, _| {})), bad);
    let more = shown(&part, &wallet, |_, payload| payload["sd_hash"] = json!(base64url(&sha256(&[bound.as_bytes()]))));
    cases.add(case("shown with other fields than were signed", more), bad);
    for (name, member) in [("nonce", "nonce"), ("audience", "aud"), ("time", "iat"), ("hash", "sd_hash")] {
        let text = shown(&bound, &wallet, |_, payload| {
            payload.as_object_mut().expect("an object").remove(member);
        });
        cases.add(case(format!("a wallet's proof without {name}"), text), bad);
    }
    let text = shown(&bound, &wallet, |_, payload| payload["iat"] = json!(day(40).0));
    cases.add(case("a wallet's proof of next month", text), bad);
    let text = shown(&bound, &wallet, |header, _| header["typ"] = json!("JWT"));
    cases.add(case("a wallet's proof of another typ", text), bad);
    let text = shown(&bound, &wallet, |header, _| header["alg"] = json!("none"));
    cases.add(case("a wallet's proof under alg none", text), bad);
    cases.add(case("a wallet's proof that is no JWT", format!("{bound}proof")), bad);
    let unbound = cases.of("good-es256-sd-jwt").text.clone();
    cases.add(case("a proof for a credential that is bound to nobody", shown(&unbound, &wallet, |_, _| {})), bad);
}

fn keys(cases: &mut Cases<'_>) {
    let bad = Reason::HolderKey;
    let key = &cases.story.cast.university.party.assertion;
    // Base58 of a codec that is no key's, of a key that is no point, and of nothing.
    let dids = [
        "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doL",
        "did:key:z",
        "did:key:zUC7K4ndUaGZgV7Cp2yJy6JtMoUHY6u7tkcSYUvPrEidqBmLCTLmi6d5WvwnUqejscAkERJ3bfjEiSYtdPkRSE8kSa11hFBr4sTgnbZ95SJj19PN2jdvJjyzpSZgxkyyxNnBNnY",
    ];
    for (number, did) in dids.into_iter().enumerate() {
        let text = resigned(&cases.of("wallet-vcdm2").text, key, |parts| {
            parts.payload["credentialSubject"]["id"] = json!(did);
        });
        cases.add(case(format!("a holder's did:key that is no key: {}", number + 1), text), bad);
    }
    let text = resigned(&cases.of("wallet-ebsi").text, key, |parts| {
        parts.payload["sub"] = json!(dids[0]);
        parts.payload["vc"]["credentialSubject"]["id"] = json!(dids[0]);
    });
    cases.add(case("a holder's did:key that is no key: ebsi", text), bad);
    let web = resigned(&cases.of("wallet-vcdm2").text, key, |parts| {
        parts.payload["credentialSubject"]["id"] = json!("did:web:holder.example");
    });
    cases.add(case("a holder whose DID is looked up elsewhere", web), Reason::Valid);
    // What is no key at all, or two, was not made by the rules of the format.
    let malformed = Reason::ReadableMalformed;
    let point = |x: &str| json!({"jwk": {"kty": "EC", "crv": "P-256", "x": x, "y": x}});
    for (name, cnf) in [
        ("no point", point("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE")),
        ("too short", point("AAAA")),
        ("of an unknown kind", json!({"jwk": {"kty": "oct", "k": "c2VjcmV0"}})),
    ] {
        let text = resigned(&cases.of("wallet-sd-jwt").text, key, |parts| parts.payload["cnf"] = cnf.clone());
        cases.add(case(format!("a wallet's key that is {name}"), text), malformed);
    }
    let other = Did::key(&SigningKey::ed25519(&[8; 32]).public_key());
    let text = resigned(&cases.of("wallet-sd-jwt").text, key, |parts| parts.payload["sub"] = json!(other));
    cases.add(case("sub and cnf name two keys", text), malformed);
    let web = resigned(&cases.of("wallet-sd-jwt").text, key, |parts| {
        parts.payload["sub"] = json!("did:web:holder.example");
    });
    let shown = shown(&web, &wallet(), |_, _| {});
    cases.add(case("a DID of the web, shown from its wallet", shown), Reason::Valid);
}
