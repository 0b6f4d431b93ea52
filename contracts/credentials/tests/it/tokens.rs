//! Status tokens: the drafts' own vectors, what a node derives, and what is none.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use miniz_oxide::deflate::{compress_to_vec, compress_to_vec_zlib};
use proptest::prelude::*;
use serde_json::{Value, json};
use testamur_credentials::status::{Token, TokenFault};
use testamur_primitives::codec::{base64_standard, base64url, canonical};
use testamur_primitives::did::Did;
use testamur_primitives::identity::key_id;
use testamur_primitives::key::SigningKey;
use testamur_primitives::status::formats::{TokenFormat, TokenSource, sign_version};
use testamur_primitives::status::{BitList, StatusPurpose};
use testamur_primitives::units::UnixTime;

/// Vectors of others, beside the checkout and never committed. What is not there is printed as skipped.
fn shared(name: &str) -> Option<PathBuf> {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the checkout");
    let folder = std::env::var_os("TESTAMUR_SHARED").map_or_else(|| checkout.join("../shared"), |s| checkout.join(s));
    let found = folder.join("vectors").join(name);
    if !found.is_dir() {
        println!("skipped: {} is not there", found.display());
        return None;
    }
    Some(found)
}

/// A token of these parts under a signature that is none: reading does not look at it.
fn token(header: &Value, payload: &Value) -> String {
    format!("{}.{}.AAAA", base64url(&canonical(header)), base64url(&canonical(payload)))
}

fn status_list(list: Value) -> Result<Token, TokenFault> {
    let header = json!({ "alg": "ES256", "kid": "12", "typ": "statuslist+jwt" });
    let payload = json!({ "sub": "https://example.com/statuslists/1", "iat": 1_686_920_170, "status_list": list });
    Token::parse(TokenFormat::TokenStatusList, &token(&header, &payload))
}

/// The JSON of an example, whose strings are folded into lines.
fn example(folder: &Path, name: &str) -> Value {
    let text = std::fs::read_to_string(folder.join("examples").join(name)).unwrap();
    let json: String = text[text.find('{').unwrap()..].split_ascii_whitespace().collect();
    serde_json::from_str(&json).unwrap()
}

#[test]
fn the_drafts_lists_read_as_the_draft_says() {
    let Some(folder) = shared("token-status-list") else { return };
    let one = status_list(example(&folder, "status_list_encoding_json.md")).unwrap();
    let bits: Vec<_> = (0..16).map(|index| one.get(index).unwrap()).collect();
    assert_eq!(bits, [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1]);
    assert_eq!((one.size(), one.get(16)), (16, None));
    let two = status_list(example(&folder, "status_list_encoding2_json.md")).unwrap();
    let values: Vec<_> = (0..12).map(|index| two.get(index).unwrap()).collect();
    assert_eq!(values, [1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3]);

    // The long ones: what each entry is stands in the draft's text, under a heading for each width.
    let text = std::fs::read_to_string(folder.join("draft-ietf-oauth-status-list.md")).unwrap();
    let (_, vectors) = text.split_once("{#test-vectors}").unwrap();
    for (width, name) in [
        (1, "status_list_encoding1_long_json.md"),
        (2, "status_list_encoding2_long_json.md"),
        (4, "status_list_encoding4_json.md"),
        (8, "status_list_encoding8_json.md"),
    ] {
        let (_, section) = vectors.split_once(&format!("## {width}-bit Status List")).unwrap();
        let (section, _) = section.split_once("CBOR encoding").unwrap();
        let entry = |line: &str| {
            let (index, value) = line.strip_prefix("status[")?.split_once(']')?;
            let value = value.split_once("0b")?.1;
            Some((index.parse::<u64>().unwrap(), u8::from_str_radix(value.trim(), 2).unwrap()))
        };
        let expected: BTreeMap<_, _> = section.lines().filter_map(entry).collect();
        assert!(expected.len() > 10, "{width}");
        let list = status_list(example(&folder, name)).unwrap();
        assert_eq!(list.size(), 1 << 20, "{width}");
        for index in 0..list.size() {
            let value = expected.get(&index).copied().unwrap_or(0);
            assert_eq!(list.get(index), Some(value), "{width} bits, entry {index}");
        }
    }
}

#[test]
fn the_drafts_token_reads() {
    let Some(folder) = shared("token-status-list") else { return };
    let text = std::fs::read_to_string(folder.join("examples/status_list_jwt_raw.md")).unwrap();
    let text: String = text.split_ascii_whitespace().collect();
    let token = Token::parse(TokenFormat::TokenStatusList, &text).unwrap();
    assert_eq!(
        (token.url.as_str(), token.issuer.as_deref()),
        ("https://example.com/statuslists/1", Some("https://example.com"))
    );
    assert_eq!((token.issued, token.expires), (UnixTime(1_686_920_170), Some(UnixTime(1_686_920_170 + 43_200))));
    assert_eq!((token.width, token.size(), token.kid.as_deref()), (1, 16, Some("12")));
    for format in [TokenFormat::Bitstring, TokenFormat::StatusList2021] {
        assert!(matches!(Token::parse(format, &text), Err(TokenFault::Malformed(_))), "{format:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// What a node derives from the ledger's bits says the same in all formats.
    #[test]
    fn derived_tokens_read_back(
        set in prop::collection::btree_set(0..4_096u64, 0..40),
        suspends in any::<bool>(),
    ) {
        let key = SigningKey::ed25519(&[3; 32]);
        let issuer = Did::of_ledger("ebsi", &[7; 16]);
        let kid = key_id(&issuer, &key.public_key());
        let list = "diplomas-1".parse().unwrap();
        let purpose = if suspends { StatusPurpose::Suspension } else { StatusPurpose::Revocation };
        let source = TokenSource {
            issuer: &issuer,
            list: &list,
            purpose,
            issued: UnixTime(1_800_000_000),
            kid: &kid,
            alg: key.public_key().algorithm(),
            public_base: "https://ledger.example",
        };
        let mut bits = BitList::zeros(4_096).unwrap();
        set.iter().for_each(|index| assert!(bits.set(*index, true)));
        let version = sign_version(&source, 1, &bits, &key).unwrap();
        for format in TokenFormat::ALL {
            let token = Token::parse(format, &source.compact(format, &bits, &version.signatures).unwrap()).unwrap();
            prop_assert!(token.verify_signature(&key.public_key().ready().unwrap()));
            prop_assert!(!token.verify_signature(&SigningKey::ed25519(&[4; 32]).public_key().ready().unwrap()));
            prop_assert_eq!(&token.url, &source.url(format));
            prop_assert_eq!(token.kid.as_deref(), Some(kid.as_str()));
            prop_assert_eq!((token.issued, token.expires), (UnixTime(1_800_000_000), None));
            prop_assert_eq!(token.size(), 4_096);
            let as_set = match format {
                TokenFormat::TokenStatusList => if suspends { 2 } else { 1 },
                TokenFormat::StatusList2021 | TokenFormat::Bitstring => {
                    prop_assert_eq!(token.purpose, Some(purpose));
                    1
                }
            };
            for index in 0..4_096 {
                prop_assert_eq!(token.get(index), Some(if set.contains(&index) { as_set } else { 0 }));
            }
            prop_assert_eq!((token.get(4_096), token.get(u64::MAX)), (None, None));
        }
    }

    #[test]
    fn nothing_panics(text in "[A-Za-z0-9_.-]{0,200}", bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for format in TokenFormat::ALL {
            let _ = Token::parse(format, &text);
        }
        let _ = status_list(json!({ "bits": 1, "lst": base64url(&bytes) }));
    }
}

/// Gzip of bytes with a header of these flags, and a trailer that is right or not.
fn gzip(bytes: &[u8], flags: u8, length: u32) -> Vec<u8> {
    let crc = !bytes
        .iter()
        .flat_map(|byte| (0..8).map(move |n| u32::from(byte >> n) & 1))
        .fold(!0u32, |crc, bit| if (crc ^ bit) & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 });
    let mut stream = vec![0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 3];
    stream.extend(compress_to_vec(bytes, 6));
    stream.extend(crc.to_le_bytes());
    stream.extend(length.to_le_bytes());
    stream
}

#[test]
fn what_is_no_list_is_refused() {
    let parse = |subject: Value| {
        let header = json!({ "alg": "EdDSA", "typ": "vc+jwt" });
        let payload = json!({
            "id": "https://university.example/1",
            "type": ["VerifiableCredential", "BitstringStatusListCredential"],
            "issuer": { "id": "did:ebsi:z" },
            "validFrom": "2027-01-15T08:00:00Z",
            "credentialSubject": subject,
        });
        Token::parse(TokenFormat::Bitstring, &token(&header, &payload))
    };
    let encoded = |stream: &[u8]| json!({ "type": "BitstringStatusList", "statusPurpose": "revocation", "encodedList": format!("u{}", base64url(stream)) });
    let bytes = [0x80, 0, 0, 1];
    let good = parse(encoded(&gzip(&bytes, 0, 4))).unwrap();
    assert_eq!((good.get(0), good.get(31), good.get(30), good.size()), (Some(1), Some(1), Some(0), 32));
    assert_eq!(good.issuer.as_deref(), Some("did:ebsi:z"));
    let malformed = |result: Result<Token, TokenFault>| matches!(result, Err(TokenFault::Malformed(_)));
    for flags in [1, 2, 4, 8, 16, 0x20, 0x80] {
        assert!(malformed(parse(encoded(&gzip(&bytes, flags, 4)))), "flags {flags}");
    }
    let mut wrong_crc = gzip(&bytes, 0, 4);
    let last = wrong_crc.len() - 5;
    wrong_crc[last] ^= 1;
    for stream in [gzip(&bytes, 0, 5), wrong_crc, vec![], vec![0x1f, 0x8b, 8, 0], compress_to_vec_zlib(&bytes, 6)] {
        assert!(malformed(parse(encoded(&stream))));
    }
    // INV-TOKEN-1: what unpacks to too much is given up, by what it unpacks to and not by what it says.
    let bomb = vec![0; 2 * 1024 * 1024 + 1];
    for claimed in [bomb.len() as u32, 4] {
        assert_eq!(parse(encoded(&gzip(&bomb, 0, claimed))), Err(TokenFault::TooLarge));
    }
    assert!(parse(encoded(&gzip(&bomb[1..], 0, 2 * 1024 * 1024))).is_ok());
    assert_eq!(
        status_list(json!({ "bits": 1, "lst": base64url(&compress_to_vec_zlib(&bomb, 9)) })),
        Err(TokenFault::TooLarge)
    );
    assert_eq!(Token::parse(TokenFormat::Bitstring, &"x".repeat(5_000_000)), Err(TokenFault::TooLarge));
    // A stream that ends within its head or behind it.
    let whole = gzip(&bytes, 0, 4);
    for cut in 0..whole.len() {
        let ends = [&whole[..cut], &whole[whole.len() - 8..]].concat();
        assert!(
            parse(encoded(&whole[..cut])).is_err() && (cut + 8 >= whole.len() || parse(encoded(&ends)).is_err()),
            "{cut}"
        );
    }
    let with = |name: &str, value: Value| {
        let mut subject = encoded(&gzip(&bytes, 0, 4));
        subject[name] = value;
        parse(subject)
    };
    assert!(malformed(with("statusPurpose", json!("message"))));
    assert!(malformed(with("statusPurpose", json!(["revocation", "suspension"]))));
    assert!(with("statusPurpose", json!(["suspension"])).is_ok());
    assert!(malformed(with("type", json!("StatusList2021"))));
    assert!(malformed(with("encodedList", json!(base64_standard(&gzip(&bytes, 0, 4))))));
    assert_eq!(with("ttl", json!(60_000)).unwrap().expires, Some(UnixTime(good.issued.0 + 60)));
    for (width, ttl) in [(0, json!(1)), (3, json!(1)), (16, json!(1)), (1, json!(0)), (1, json!(-1)), (1, json!("1"))] {
        let header = json!({ "alg": "ES256", "typ": "statuslist+jwt" });
        let list = json!({ "bits": width, "lst": base64url(&compress_to_vec_zlib(&bytes, 6)) });
        let payload = json!({ "sub": "https://example.com", "iat": 1, "ttl": ttl, "status_list": list });
        assert!(malformed(Token::parse(TokenFormat::TokenStatusList, &token(&header, &payload))), "{width} {ttl}");
    }
    let differing = |iss: &str, jti: &str, outer: &str, inner: &str| {
        let list = base64_standard(&gzip(&bytes, 0, 4));
        let payload = json!({
            "iss": iss, "jti": jti, "nbf": 1,
            "vc": {
                "id": "https://university.example/1", "issuer": "did:ebsi:z", "type": ["VerifiableCredential", outer],
                "credentialSubject": { "type": inner, "statusPurpose": "revocation", "encodedList": list },
            },
        });
        Token::parse(TokenFormat::StatusList2021, &token(&json!({ "alg": "ES256", "typ": "JWT" }), &payload))
    };
    let (iss, jti) = ("did:ebsi:z", "https://university.example/1");
    let older = |outer: &str, inner: &str| differing(iss, jti, outer, inner);
    for (iss, jti) in [("did:ebsi:y", jti), (iss, "https://university.example/2")] {
        assert!(malformed(differing(iss, jti, "StatusList2021Credential", "StatusList2021")), "{iss} {jti}");
    }
    assert_eq!(older("StatusList2021Credential", "StatusList2021").map(|token| token.size()), Ok(32));
    assert!(malformed(older("StatusList2021Credential", "BitstringStatusList")));
    assert!(malformed(older("BitstringStatusListCredential", "StatusList2021")));
    for header in [json!({ "alg": "none" }), json!({ "alg": "HS256" }), json!({ "alg": "ES256", "crit": [] })] {
        let mut header = header;
        header["typ"] = json!("statuslist+jwt");
        let list = json!({ "bits": 1, "lst": base64url(&compress_to_vec_zlib(&bytes, 6)) });
        let payload = json!({ "sub": "https://example.com", "iat": 1, "status_list": list });
        assert!(malformed(Token::parse(TokenFormat::TokenStatusList, &token(&header, &payload))), "{header}");
    }
}
