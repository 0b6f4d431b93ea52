//! Records of every act and algorithm, and records that are refused, each with its code.

use testamur_primitives::codec::{base64_standard, base64url, canonical, from_base64_standard};
use testamur_primitives::commitment::{DigestAlgorithm, Form};
use testamur_primitives::did::{Did, DidUrl};
use testamur_primitives::genesis::Genesis;
use testamur_primitives::hash::{RecordId, TreeHash};
use testamur_primitives::key::SigningKey;
use testamur_primitives::record::{Act, BatchTree, Bytes, Change, Payload, RECORD_TYP, Record, RevocationReason};
use testamur_primitives::units::UnixTime;

use crate::chain::{Chain, START, key, record, seed};
use crate::vectors::{BadRecord, Files, GoodRecord, RecordsFile, json as file, judge_record};

pub(super) fn write(files: &mut Files) {
    let genesis = Chain::new("records").genesis;
    let bad = refused(&genesis, &key("author", 0), START);
    for case in &bad {
        let bytes = from_base64_standard(&case.bytes).expect("our own base64");
        assert_eq!(judge_record(&bytes, genesis.hash(), START).as_ref(), Some(&case.code), "{}", case.what);
    }
    let contents = RecordsFile { network: genesis.hash(), time: START, good: good(&genesis), bad };
    files.insert("records.json".into(), file(&contents));
}

/// Keys of every kind, by name.
pub(super) fn keys() -> Vec<(&'static str, SigningKey)> {
    let p384 = [seed("author", 12).as_slice(), &seed("author", 13)[..16]].concat();
    vec![
        ("Ed25519", SigningKey::ed25519(&seed("author", 0))),
        ("P-256", SigningKey::p256(&seed("author", 10)).expect("a scalar")),
        ("secp256k1", SigningKey::secp256k1(&seed("author", 11)).expect("a scalar")),
        ("P-384", SigningKey::p384(&p384).expect("a scalar")),
    ]
}

pub(super) fn notarise(alg: DigestAlgorithm, form: Form, count: usize) -> Act {
    let bytes = if form == Form::Digest { alg.digest_bytes() } else { 32 };
    let entries = (0..count).map(|n| Bytes((0..bytes).map(|i| (i * 7 + n) as u8).collect())).collect();
    Act::Notarise { alg, form, entries, reference: None }
}

fn good(genesis: &Genesis) -> Vec<GoodRecord> {
    let author = key("author", 0);
    let did = Did::key(&key("author", 1).public_key());
    let mut acts: Vec<(String, Act)> = Vec::new();
    for alg in DigestAlgorithm::ALL {
        for form in [Form::Digest, Form::Commitment] {
            acts.push((format!("notarise {} {form:?}", alg.name()), notarise(alg, form, 2)));
        }
    }
    acts.push(("512 entries".into(), notarise(DigestAlgorithm::Sha2_256, Form::Commitment, 512)));
    let batch = |count, reference: Option<&str>| Act::NotariseBatch {
        tree: BatchTree::Rfc6962Sha256,
        root: TreeHash::from_bytes(seed("root", 0)),
        count,
        reference: reference.map(|r| r.parse().expect("a reference")),
    };
    acts.push(("a batch of one".into(), batch(1, None)));
    acts.push(("a batch of 2^32 with a reference".into(), batch(1 << 32, Some("Az.0_-"))));
    for change in [
        Change::GrantWriter { did: did.clone() },
        Change::RevokeWriter { did: did.clone(), reason: RevocationReason::CessationOfOperation },
        Change::RevokeWriter { did: did.clone(), reason: RevocationReason::KeyCompromise },
        Change::RevokeWriter { did: did.clone(), reason: RevocationReason::PrivilegeWithdrawn },
        Change::RevokeWriter { did, reason: RevocationReason::Superseded },
    ] {
        let act = Act::Propose { change, governance_version: 7, expires: UnixTime(START + 86_400) };
        acts.push(("propose".into(), act));
    }
    let proposal = RecordId::from_bytes(seed("proposal", 0));
    acts.push(("approve".into(), Act::Approve { proposal, governance_version: 7 }));

    let mut records: Vec<(String, Record)> = Vec::new();
    for (n, (what, act)) in acts.into_iter().enumerate() {
        records.push((what, record(genesis, &author, &format!("a-{n}"), START, act)));
    }
    for (name, key) in keys() {
        for (form, did) in [("", Did::key(&key.public_key())), (" as jwk_jcs-pub", Did::jwk_jcs_key(&key.public_key()))]
        {
            let payload = payload(genesis, did.clone());
            let signed = Record::sign(&payload, &did.key_id().expect("a did:key"), &key).expect("a valid record");
            records.push((format!("signed by {name}{form}"), signed));
        }
    }
    let did = Did::key(&author.public_key());
    let (kid, body) = (did.key_id().expect("a did:key"), canonical(&payload(genesis, did)));
    let header = format!(r#" {{ "typ":"{RECORD_TYP}", "cty":"json", "alg":"Ed25519", "kid":"{kid}" }} "#);
    records.push(("Ed25519 by its newer name, header with spaces and cty".into(), sign(&author, &header, &body)));
    records.push(("ECDSA with a high S".into(), high_s(genesis)));
    records
        .into_iter()
        .map(|(what, record)| GoodRecord {
            what,
            id: record.id(),
            leaf_hash: record.leaf_hash(),
            jwk: record.verify_did_key().expect("good records verify").to_jwk(),
            record: record.as_str().to_owned(),
        })
        .collect()
}

fn payload(genesis: &Genesis, iss: Did) -> Payload {
    payload_at(genesis, iss, START)
}

fn payload_at(genesis: &Genesis, iss: Did, start: u64) -> Payload {
    Payload {
        v: 1,
        net: genesis.hash(),
        iss,
        jti: "p-1".parse().expect("a reference"),
        iat: UnixTime(start),
        exp: UnixTime(start + 3_600),
        act: notarise(DigestAlgorithm::Sha2_256, Form::Digest, 1),
    }
}

/// A compact JWS with a header and payload of our choice.
pub(super) fn compact(key: &SigningKey, header: &[u8], payload: &[u8]) -> String {
    let input = format!("{}.{}", base64url(header), base64url(payload));
    let signature = base64url(&key.sign(input.as_bytes()));
    format!("{input}.{signature}")
}

fn sign(key: &SigningKey, header: &str, payload: &[u8]) -> Record {
    Record::parse(compact(key, header.as_bytes(), payload).as_bytes()).expect("a valid record")
}

fn high_s(genesis: &Genesis) -> Record {
    let (_, key) = keys().swap_remove(1);
    let did = Did::key(&key.public_key());
    let record = Record::sign(&payload(genesis, did.clone()), &did.key_id().expect("a did:key"), &key).expect("valid");
    with_other_signature(&record)
}

/// n − S in place of S: another signature of the same ES256 record, which anybody can make.
pub fn with_other_signature(record: &Record) -> Record {
    let (input, signature) = record.as_str().rsplit_once('.').expect("three parts");
    let signature = testamur_primitives::codec::from_base64url(signature).expect("base64url");
    let order: [u8; 32] = hex::decode("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551")
        .expect("hex")
        .try_into()
        .expect("32 bytes");
    let mut other = signature.clone();
    let mut borrow = 0i16;
    for i in (0..32).rev() {
        let difference = i16::from(order[i]) - i16::from(signature[32 + i]) - borrow;
        borrow = i16::from(difference < 0);
        other[32 + i] = difference.rem_euclid(256) as u8;
    }
    Record::parse(format!("{input}.{}", base64url(&other)).as_bytes()).expect("a valid record")
}

/// Records of an author that are refused at a time, each for its own reason.
pub fn refused(genesis: &Genesis, author: &SigningKey, start: u64) -> Vec<BadRecord> {
    let did = Did::key(&author.public_key());
    let kid: DidUrl = did.key_id().expect("a did:key");
    let good = String::from_utf8(canonical(&payload_at(genesis, did.clone(), start))).expect("JSON");
    let header = |alg: &str, rest: &str| format!(r#"{{"alg":"{alg}","kid":"{kid}","typ":"{RECORD_TYP}"{rest}}}"#);
    let h = header("EdDSA", "");
    let jws = |header: &str, payload: &str| compact(author, header.as_bytes(), payload.as_bytes()).into_bytes();
    let text = |s: &str| s.as_bytes().to_vec();
    let plain = jws(&h, &good);
    let last = |byte: u8| [&plain[..plain.len() - 1], &[byte]].concat();
    let with_entries = |alg, form, count: usize, bytes: usize| {
        let entries = vec![Bytes(vec![1; bytes]); count];
        let act = Act::Notarise { alg, form, entries, reference: None };
        String::from_utf8(canonical(&Payload { act, ..payload_at(genesis, did.clone(), start) })).expect("JSON")
    };
    let sha = DigestAlgorithm::Sha2_256;
    let other_net = good.replace(&genesis.hash().to_string(), &"00".repeat(32));
    let at = |iat: u64, exp: u64| {
        good.replace(&(start + 3_600).to_string(), "EXP")
            .replace(&start.to_string(), &iat.to_string())
            .replace("EXP", &exp.to_string())
    };
    let batch = |count: &str| {
        let (before, _) = good.split_once("\"act\":").expect("act comes first");
        let (_, after) = good.split_once("},\"exp\"").expect("exp follows act");
        let act = format!(
            r#"{{"count":{count},"root":"{}","tree":"rfc6962-sha256","type":"notarise-batch"}}"#,
            "ab".repeat(32)
        );
        format!("{before}\"act\":{act},\"exp\"{after}")
    };
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let big = with_entries(sha, Form::Commitment, 1_200, 32);
    let p256 = keys().swap_remove(1).1;
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("65,536 bytes and more", jws(&h, &big), "record.too-large"),
        ("empty", vec![], "record.not-compact-jws"),
        ("two parts", text("e30.e30"), "record.not-compact-jws"),
        ("four parts", [plain.as_slice(), b".e30"].concat(), "record.not-compact-jws"),
        ("padding", [plain.as_slice(), b"="].concat(), "record.not-compact-jws"),
        ("a newline at the end", [plain.as_slice(), b"\n"].concat(), "record.not-compact-jws"),
        ("trailing bits set", last(b'B'), "record.not-compact-jws"),
        ("not ASCII", last(0xff), "record.not-compact-jws"),
        ("the standard alphabet", last(b'+'), "record.not-compact-jws"),
        ("JSON serialisation", text(r#"{"payload":"e30","signatures":[]}"#), "record.not-compact-jws"),
        ("an empty header", jws("{}", &good), "record.header"),
        ("a header that is an array", jws(&format!(r#"["EdDSA","{kid}","{RECORD_TYP}"]"#), &good), "record.header"),
        ("crit and b64", jws(&header("EdDSA", r#","crit":["b64"],"b64":false"#), &good), "record.header"),
        ("jwk in the header", jws(&header("EdDSA", r#","jwk":{}"#), &good), "record.header"),
        ("jku in the header", jws(&header("EdDSA", r#","jku":"https://example.org""#), &good), "record.header"),
        ("x5u in the header", jws(&header("EdDSA", r#","x5u":"https://example.org""#), &good), "record.header"),
        ("a doubled member", jws(&header("EdDSA", r#","alg":"EdDSA""#), &good), "record.header"),
        ("null for an absent member", jws(&header("EdDSA", r#","cty":null"#), &good), "record.header"),
        ("a header that is no JSON", jws("alg: EdDSA", &good), "record.header"),
        ("deep JSON in the header", jws(&deep, &good), "record.header"),
        ("alg none", jws(&header("none", ""), &good), "record.algorithm"),
        ("alg HS256", jws(&header("HS256", ""), &good), "record.algorithm"),
        ("alg RS256", jws(&header("RS256", ""), &good), "record.algorithm"),
        ("alg in other letters", jws(&header("eddsa", ""), &good), "record.algorithm"),
        ("another typ", jws(&h.replace("-v1", "-v2"), &good), "record.type"),
        ("another cty", jws(&header("EdDSA", r#","cty":"text""#), &good), "record.type"),
        ("x5c", jws(&header("EdDSA", r#","x5c":["AA"]"#), &good), "record.seal"),
        ("iat in the header", jws(&header("EdDSA", r#","iat":1"#), &good), "record.seal"),
        ("kid without fragment", jws(&h.replace(kid.as_str(), did.as_str()), &good), "record.key"),
        ("kid with the fragment of another key", jws(&h.replace("#z6Mk", "#z6Ml"), &good), "record.key"),
        ("spaces in the payload", jws(&h, &good.replace(':', ": ")), "record.payload"),
        ("a newline after the payload", jws(&h, &format!("{good}\n")), "record.payload"),
        ("an unknown member", jws(&h, &good.replace("\"v\":1", "\"v\":1,\"x\":1")), "record.payload"),
        ("a doubled member in the payload", jws(&h, &good.replace("\"v\":1", "\"v\":1,\"v\":1")), "record.payload"),
        ("a missing member", jws(&h, &good.replace("\"jti\":\"p-1\",", "")), "record.payload"),
        (
            "members out of order",
            jws(&h, &format!("{{\"v\":1,{}", good[1..].replace(",\"v\":1", ""))),
            "record.payload",
        ),
        ("a float", jws(&h, &good.replace("\"v\":1", "\"v\":1.0")), "record.payload"),
        ("an exponent", jws(&h, &good.replace("\"v\":1", "\"v\":1e0")), "record.payload"),
        ("a negative number", jws(&h, &at(start, start + 1).replace("\"v\":1", "\"v\":-1")), "record.payload"),
        ("an integer above 2^53-1", jws(&h, &good.replace(&start.to_string(), "9007199254740993")), "record.payload"),
        ("an escaped letter", jws(&h, &good.replace("\"p-1\"", "\"\\u0070-1\"")), "record.payload"),
        ("deep JSON", jws(&h, &deep), "record.payload"),
        ("an unknown act", jws(&h, &good.replace("\"notarise\"", "\"erase\"")), "record.payload"),
        ("free text in jti", jws(&h, &good.replace("\"p-1\"", "\"Jan Peeters\"")), "record.payload"),
        ("an unknown digest algorithm", jws(&h, &good.replace("sha2-256", "md5")), "record.payload"),
        ("padding in an entry", jws(&h, &good.replacen("\"],\"form\"", "=\"],\"form\"", 1)), "record.payload"),
        (
            "upper-case hex",
            jws(&h, &good.replace(&genesis.hash().to_string(), &genesis.hash().to_string().to_uppercase())),
            "record.payload",
        ),
        ("a lone surrogate", jws(&h, &good.replace("\"p-1\"", "\"\\ud800\"")), "record.payload"),
        ("payload version 2", jws(&h, &good.replace("\"v\":1", "\"v\":2")), "record.version"),
        ("exp equal to iat", jws(&h, &at(start, start)), "record.life"),
        ("a life above 24 hours", jws(&h, &at(start, start + 86_401)), "record.life"),
        ("no entries", jws(&h, &with_entries(sha, Form::Digest, 0, 32)), "record.entry-count"),
        ("513 entries", jws(&h, &with_entries(sha, Form::Digest, 513, 32)), "record.entry-count"),
        ("a digest of 31 bytes", jws(&h, &with_entries(sha, Form::Digest, 1, 31)), "record.entry-length"),
        (
            "SHA-512 of 32 bytes",
            jws(&h, &with_entries(DigestAlgorithm::Sha2_512, Form::Digest, 1, 32)),
            "record.entry-length",
        ),
        (
            "a commitment of 64 bytes",
            jws(&h, &with_entries(DigestAlgorithm::Sha2_512, Form::Commitment, 1, 64)),
            "record.entry-length",
        ),
        ("a batch of none", jws(&h, &batch("0")), "record.batch-count"),
        ("a batch above 2^32", jws(&h, &batch("4294967297")), "record.batch-count"),
        ("iss of another key", jws(&h, &good.replace("did:key:z6Mk", "did:key:z6Ml")), "record.key-not-of-author"),
        ("an algorithm of another kind of key", jws(&header("ES256", ""), &good), "record.signature"),
        (
            "another key's signature",
            compact(&key("author", 1), h.as_bytes(), good.as_bytes()).into_bytes(),
            "record.signature",
        ),
        ("an ECDSA signature", compact(&p256, h.as_bytes(), good.as_bytes()).into_bytes(), "record.signature"),
        ("no signature", [&plain[..plain.len() - 86], b"".as_slice()].concat(), "record.signature"),
        ("another network", jws(&h, &other_net), "record.wrong-network"),
        ("older than 24 hours", jws(&h, &at(start - 86_401, start - 1)), "record.too-old"),
        ("expired this second", jws(&h, &at(start - 3_600, start)), "record.too-old"),
        ("301 s ahead", jws(&h, &at(start + 301, start + 400)), "record.too-early"),
    ];
    cases
        .into_iter()
        .map(|(what, bytes, code)| BadRecord { what: what.into(), bytes: base64_standard(&bytes), code: code.into() })
        .collect()
}
