//! That the cases of `vectors/diplomas` (which `node/paper` runs) cover everything, and published vectors of the formats beneath.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use testamur_credentials::jws::Jws;
use testamur_credentials::status::Token;
use testamur_credentials::verify::{Reason, StepName};
use testamur_primitives::codec::base64url;
use testamur_primitives::key::{Jwk, JwsAlgorithm, PublicKey, SigningKey};
use testamur_primitives::status::formats::TokenFormat;
use testamur_tests::vectors;
use testamur_tests::vectors::diplomas::{DiplomaCase, FOLDER, TABLES, table_of};

fn load(path: &str) -> Vec<u8> {
    let path = vectors::folder().join(FOLDER).join(path);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn cases(table: &str) -> Vec<DiplomaCase> {
    serde_json::from_slice(&load(&format!("{table}.json"))).unwrap_or_else(|error| panic!("{table}.json: {error}"))
}

/// What the table promises: enough of everything, so that no step and no reason is only thought of.
#[test]
fn the_cases_cover_every_step_and_every_reason() {
    let (mut names, mut reasons) = (BTreeSet::new(), BTreeMap::<String, usize>::new());
    let mut bytes = 0;
    for table in TABLES {
        let cases = cases(table);
        let enough = if table == TABLES[0] { 30 } else { 10 };
        assert!(cases.len() >= enough, "{table}: {} cases", cases.len());
        for case in cases {
            let reason = Reason::from_code(&case.reason).unwrap_or_else(|| panic!("{}: {}", case.name, case.reason));
            assert_eq!(table_of(reason), table, "{} stands in another file", case.name);
            let expected = case.steps.iter().filter(|step| step.ends_with(&format!(" {}", case.reason))).count();
            assert_eq!(expected, usize::from(reason != Reason::Valid), "{}: one step decides", case.name);
            assert_eq!(case.steps.len(), StepName::ALL.len(), "{}", case.name);
            *reasons.entry(case.reason).or_default() += usize::from(reason == Reason::Valid);
            for step in &case.steps {
                if let Some((_, code)) = step.split_once(' ') {
                    *reasons.entry(code.to_owned()).or_default() += 1;
                }
            }
            assert!(names.insert(case.name.clone()), "two cases are called {}", case.name);
        }
    }
    assert!(names.len() >= 250, "{} cases", names.len());
    for reason in Reason::ALL {
        let times = reasons.get(reason.code()).copied().unwrap_or_default();
        assert!(times >= 2, "{} occurs {times} times", reason.code());
    }
    let mut folders = vec![vectors::folder().join(FOLDER)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                bytes += std::fs::metadata(&path).expect("a file").len();
            }
        }
    }
    assert!(bytes < 4 * 1024 * 1024, "{bytes} bytes: what others run must stay small");
    println!("{} cases, {} reasons, {bytes} bytes", names.len(), reasons.len());
}

/// Vectors of others, beside the checkout and never committed. What is not there is printed as skipped.
fn shared(name: &str) -> Option<PathBuf> {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the checkout");
    let folder = std::env::var_os("TESTAMUR_SHARED").map_or_else(|| checkout.join("../shared"), |s| checkout.join(s));
    let found = folder.join("vectors").join(name);
    if !found.is_dir() {
        println!("skipped: {} is not there", found.display());
        return None;
    }
    Some(found)
}

/// Wycheproof's JWS vectors, those of a kind of key that is accepted here.
#[test]
fn wycheproof_decides_for_jws() {
    let Some(folder) = shared("wycheproof/testvectors_v1") else { return };
    let file = std::fs::read(folder.join("json_web_signature_test.json")).expect("the file");
    let file: Value = serde_json::from_slice(&file).expect("JSON");
    let (mut valid, mut invalid) = (0, 0);
    for group in file["testGroups"].as_array().expect("groups") {
        let jwk = if group["public"].is_object() { &group["public"] } else { &group["private"] };
        let member = |name: &str| jwk[name].as_str().map(str::to_owned);
        let key = (|| Some(Jwk { crv: member("crv")?, kty: member("kty")?, x: member("x")?, y: member("y") }))();
        let Some(key) = key.and_then(|key| PublicKey::from_jwk(&key).ok()) else { continue };
        for case in group["tests"].as_array().expect("tests") {
            let text = case["jws"].as_str().map_or_else(|| case["jws"].to_string(), str::to_owned);
            // Their payloads are no objects, ours always are: the signature is what is compared.
            let found = signature(&text, &key);
            let expected = case["result"] == "valid";
            // A key that says to be for encryption: here a key comes from the ledger, which says what it may do.
            let of_use = jwk["use"] == "enc" || group["comment"].as_str().is_some_and(|c| c.contains("encryption"));
            assert!(found == expected || of_use && found, "{}: {}", case["tcId"], case["comment"]);
            if expected { valid += 1 } else { invalid += 1 }
        }
    }
    println!("{valid} valid and {invalid} invalid JWS");
    assert!(valid > 0 && invalid > 20, "the file holds both kinds");
}

/// Whether a JWS over any payload is read, and verifies. The payload is exchanged for an object only to be read, never for the
/// signature.
fn signature(text: &str, key: &PublicKey) -> bool {
    let parts: Vec<_> = text.split('.').collect();
    let [header, payload, signature] = parts.as_slice() else { return false };
    if testamur_primitives::codec::from_base64url(payload).is_err() {
        return false;
    }
    let Ok(mut jws) = Jws::parse(&format!("{header}.e30.{signature}")) else { return false };
    jws.signing_input = format!("{header}.{payload}");
    jws.verify_signature(key).is_ok()
}

/// RFC 6979 A.2.6: Wycheproof's folder here has no file of P-384.
#[test]
fn p384_signs_and_verifies_as_rfc_6979_has_it() {
    let scalar = "6b9d3dad2e1b8c1c05b19875b6659f4de23c3b667bf297ba9aa47740787137d896d5724e4c70a825f872c9ea60d2edf5";
    let key = SigningKey::p384(&hex::decode(scalar).expect("hex")).expect("a scalar");
    let (r, s) = (
        "94edbb92a5ecb8aad4736e56c691916b3f88140666ce9fa73d64c4ea95ad133c81a648152e44acf96e36dd1e80fabe46",
        "99ef4aeb15f178cea1fe40db2603138f130e740a19624526203b6351d0a3a94fa329c145786e679e7b82c71a38628ac8",
    );
    let signature = hex::decode([r, s].concat()).expect("hex");
    assert_eq!(key.sign(b"sample"), signature);
    let public = key.public_key();
    public.verify(JwsAlgorithm::ES384, b"sample", &signature).expect("the RFC's own");
    for at in [0, 47, 48, 95] {
        let mut other = signature.clone();
        other[at] ^= 1;
        assert!(public.verify(JwsAlgorithm::ES384, b"sample", &other).is_err(), "byte {at}");
    }
    for other in [vec![0; 96], vec![0xff; 96], signature[..95].to_vec(), [&signature[..], &[0]].concat()] {
        assert!(public.verify(JwsAlgorithm::ES384, b"sample", &other).is_err());
    }
}

/// The lists of the Token Status List draft, with the values that it gives for their entries.
#[test]
fn the_drafts_token_status_lists_are_read() {
    let Some(folder) = shared("token-status-list") else { return };
    let draft = std::fs::read_to_string(folder.join("draft-ietf-oauth-status-list.md")).expect("the draft");
    let mut groups: Vec<BTreeMap<u64, u8>> = Vec::new();
    let mut before = false;
    for line in draft.lines() {
        let entry = line.strip_prefix("status[").and_then(|rest| rest.split_once("= 0b"));
        if let Some((index, value)) = entry {
            if !before {
                groups.push(BTreeMap::new());
            }
            let index = index.trim_end_matches([' ', ']']).parse().expect("a number");
            let value = u8::from_str_radix(value.trim(), 2).expect("a binary number");
            groups.last_mut().expect("pushed above").insert(index, value);
        }
        before = entry.is_some();
    }
    let files = ["encoding", "encoding2", "encoding1_long", "encoding2_long", "encoding4", "encoding8"];
    assert_eq!(groups.len(), files.len());
    let mut count = 0;
    for (name, values) in files.into_iter().zip(groups) {
        let text =
            std::fs::read_to_string(folder.join(format!("examples/status_list_{name}_json.md"))).expect("a file");
        let text: String = text.split_ascii_whitespace().collect();
        let object = &text[text.find('{').expect("an object")..=text.rfind('}').expect("an object")];
        let list: Value = serde_json::from_str(object).expect("JSON");
        let part = |value: Value| base64url(value.to_string().as_bytes());
        let header = part(json!({"alg": "ES256", "kid": "12", "typ": "statuslist+jwt"}));
        let payload = part(json!({"sub": "https://example.com/statuslists/1", "iat": 1, "status_list": list}));
        let token = Token::parse(TokenFormat::TokenStatusList, &format!("{header}.{payload}.c2ln")).expect(name);
        for (index, value) in &values {
            assert_eq!(token.get(*index), Some(*value), "{name}: entry {index}");
            count += 1;
        }
        // All others are not set.
        let set = values.values().filter(|value| **value != 0).count();
        let found = (0..token.size()).filter(|index| token.get(*index) != Some(0)).count();
        assert_eq!(found, set, "{name}: nothing else is set");
    }
    let raw = std::fs::read_to_string(folder.join("examples/status_list_jwt_raw.md")).expect("a file");
    let raw: String = raw.split_ascii_whitespace().collect();
    let token = Token::parse(TokenFormat::TokenStatusList, &raw).expect("the draft's own token");
    assert_eq!((token.url.as_str(), token.width), ("https://example.com/statuslists/1", 1));
    assert!(token.expires.is_some(), "it has exp and ttl");
    println!("{count} entries of the draft's lists");
}
