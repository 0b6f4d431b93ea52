//! Role × act × fault of the signature at `POST /v1/records`, on a real network: what is refused must not be on the ledger
//! afterwards. Then mutations of good records, each of which must be refused at some door.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use testamur_primitives::codec::{base64url, canonical, from_base64_standard, from_base64url, sha256};
use testamur_primitives::commitment::{DigestAlgorithm, Form};
use testamur_primitives::did::Did;
use testamur_primitives::genesis::Genesis;
use testamur_primitives::key::SigningKey;
use testamur_primitives::record::{Act, Bytes, Change, Payload, RECORD_TYP, Record, RevocationReason};
use testamur_primitives::units::UnixTime;

use crate::campaign::{Random, Run};
use crate::chain::{key, record, seed};
use crate::harness::{Network, Response, Setup, request, wait_for};
use crate::vectors::{self, judge_record};

/// Who signs.
const ROLES: [&str; 4] = ["writer", "stranger", "former-writer", "operator"];
/// What is wrong with the signature, its header or its times; nothing is wrong with the first.
const FAULTS: [&str; 22] = [
    "nothing",
    "alg none",
    "alg none with an empty signature",
    "HS256 with the public key as secret",
    "HS256 by name only",
    "RS256",
    "ES256",
    "kid of another key",
    "kid and iss of another key",
    "jku",
    "x5u",
    "jwk of the signer",
    "crit",
    "another network",
    "another typ",
    "life stretched after signing",
    "payload changed after signing",
    "signature cut",
    "S plus the group's order",
    "all zero",
    "small order",
    "another key's signature",
];

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

fn post(node: SocketAddr, bytes: &[u8]) -> Response {
    request(node, "POST", "/v1/records?wait=final", &[("content-type", "application/jose")], bytes).expect("an answer")
}

struct Signed {
    header: String,
    payload: String,
    key: SigningKey,
}

impl Signed {
    fn by(genesis: &Genesis, key: SigningKey, jti: &str, act: Act) -> Self {
        let iss = Did::key(&key.public_key());
        let kid = iss.key_id().expect("a did:key");
        let (iat, exp) = (UnixTime(now()), UnixTime(now() + 3_600));
        let jti = jti.parse().expect("a reference");
        let payload = Payload { v: 1, net: genesis.hash(), iss, jti, iat, exp, act };
        let header = format!(r#"{{"alg":"EdDSA","kid":"{kid}","typ":"{RECORD_TYP}"}}"#);
        Self { header, payload: String::from_utf8(canonical(&payload)).expect("JSON"), key }
    }

    fn compact(&self, signature: impl FnOnce(&[u8]) -> Vec<u8>) -> Vec<u8> {
        let input = format!("{}.{}", base64url(self.header.as_bytes()), base64url(self.payload.as_bytes()));
        let signature = base64url(&signature(input.as_bytes()));
        format!("{input}.{signature}").into_bytes()
    }

    /// The record with a fault.
    fn with(mut self, fault: &str) -> Vec<u8> {
        let other = key("another", 0);
        let (own_did, other_did) = (Did::key(&self.key.public_key()), Did::key(&other.public_key()));
        let header = |signed: &mut Self, from: &str, to: &str| signed.header = signed.header.replace(from, to);
        let member = |signed: &mut Self, text: &str| signed.header = format!("{{{text},{}", &signed.header[1..]);
        let public = self.key.public_key();
        let good = |signed: &Self| {
            let key = signed.key.clone_for_tests();
            signed.compact(move |input| key.sign(input))
        };
        match fault {
            "nothing" => {}
            "alg none" | "alg none with an empty signature" => {
                header(&mut self, "EdDSA", "none");
                if fault.ends_with("signature") {
                    return self.compact(|_| Vec::new());
                }
            }
            "HS256 with the public key as secret" => {
                header(&mut self, "EdDSA", "HS256");
                let secret = public.as_bytes().to_vec();
                return self.compact(|input| hmac_sha256(&secret, input).to_vec());
            }
            "HS256 by name only" => header(&mut self, "EdDSA", "HS256"),
            "RS256" => header(&mut self, "EdDSA", "RS256"),
            "ES256" => header(&mut self, "EdDSA", "ES256"),
            "kid of another key" => {
                let (own, others) = (own_did.key_id().expect("a key"), other_did.key_id().expect("a key"));
                header(&mut self, own.as_str(), others.as_str());
            }
            "kid and iss of another key" => {
                // Whoever is meant: the signature is by a key that is not his.
                let victim = Did::key(&key("victim", 0).public_key());
                let kid = victim.key_id().expect("a key");
                header(&mut self, own_did.key_id().expect("a key").as_str(), kid.as_str());
                self.payload = self.payload.replace(own_did.as_str(), victim.as_str());
            }
            "jku" => member(&mut self, r#""jku":"https://evil.example/keys.json""#),
            "x5u" => member(&mut self, r#""x5u":"https://evil.example/chain.pem""#),
            "jwk of the signer" => {
                let jwk = String::from_utf8(canonical(&public.to_jwk())).expect("JSON");
                member(&mut self, &format!(r#""jwk":{jwk}"#));
            }
            "crit" => member(&mut self, r#""crit":["exp"],"exp":1"#),
            "another network" => self.payload = replaced(&self.payload, "net", &format!("\"{}\"", "00".repeat(32))),
            "another typ" => header(&mut self, RECORD_TYP, "JWT"),
            "life stretched after signing" => {
                let text = String::from_utf8(good(&self)).expect("a JWS");
                let signature = text.rsplit_once('.').expect("three parts").1.to_owned();
                self.payload = replaced(&self.payload, "exp", &(now() + 7_200).to_string());
                return self.compact(|_| from_base64url(&signature).expect("base64url"));
            }
            "payload changed after signing" => {
                let text = String::from_utf8(good(&self)).expect("a JWS");
                let signature = text.rsplit_once('.').expect("three parts").1.to_owned();
                self.payload = self.payload.replacen("rights-", "wrongs-", 1);
                return self.compact(|_| from_base64url(&signature).expect("base64url"));
            }
            "signature cut" => {
                let whole = good(&self);
                return whole[..whole.len() - 2].to_vec();
            }
            "S plus the group's order" => {
                let key = self.key.clone_for_tests();
                return self.compact(|input| plus_order(&key.sign(input)));
            }
            "all zero" => return self.compact(|_| vec![0; 64]),
            "small order" => {
                // The neutral element as R, zero as S: under a key of small order a lax verifier takes it for anything.
                let mut signature = vec![0; 64];
                signature[0] = 1;
                let weak = weak_did();
                header(&mut self, own_did.key_id().expect("a key").as_str(), &format!("{weak}#{}", &weak[8..]));
                self.payload = self.payload.replace(own_did.as_str(), &weak);
                return self.compact(|_| signature);
            }
            "another key's signature" => return self.compact(|input| other.sign(input)),
            unknown => panic!("no such fault: {unknown}"),
        }
        good(&self)
    }
}

/// The did:key of the neutral element.
fn weak_did() -> String {
    let mut bytes = vec![0xed, 0x01, 1];
    bytes.resize(34, 0);
    format!("did:key:z{}", bs58::encode(bytes).into_string())
}

/// A member's value in canonical JSON replaced, whatever it was; strings and numbers only.
fn replaced(json: &str, name: &str, value: &str) -> String {
    let (before, rest) = json.split_once(&format!("\"{name}\":")).expect("the member is there");
    let end = rest.find([',', '}']).expect("something follows");
    format!("{before}\"{name}\":{value}{}", &rest[end..])
}

fn hmac_sha256(secret: &[u8], message: &[u8]) -> [u8; 32] {
    let mut block = [0u8; 64];
    block[..secret.len()].copy_from_slice(secret);
    let pad = |with: u8| block.map(|byte| byte ^ with);
    sha256(&[&pad(0x5c), &sha256(&[&pad(0x36), message])])
}

/// Another number of the same class: a lax verifier takes both, and one record would have two forms.
fn plus_order(signature: &[u8]) -> Vec<u8> {
    let order = hex::decode("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010").expect("hex");
    let mut sum = signature.to_vec();
    let mut carry = 0u16;
    for (place, byte) in order.iter().enumerate() {
        let total = u16::from(sum[32 + place]) + u16::from(*byte) + carry;
        sum[32 + place] = total as u8;
        carry = total >> 8;
    }
    sum
}

/// An Ed25519 key once more.
trait Again {
    fn clone_for_tests(&self) -> SigningKey;
}

impl Again for SigningKey {
    fn clone_for_tests(&self) -> SigningKey {
        let SigningKey::Ed25519(key) = self else { panic!("these tests sign with Ed25519") };
        SigningKey::Ed25519(key.clone())
    }
}

fn notarise(number: u64) -> Act {
    let entries = vec![Bytes(sha256(&[b"rights", &number.to_be_bytes()]).to_vec())];
    Act::Notarise { alg: DigestAlgorithm::Sha2_256, form: Form::Digest, entries, reference: None }
}

fn change(did: &Did, grant: bool, version: u64) -> Act {
    let did = did.clone();
    let change = if grant {
        Change::GrantWriter { did }
    } else {
        Change::RevokeWriter { did, reason: RevocationReason::CessationOfOperation }
    };
    Act::Propose { change, governance_version: version, expires: UnixTime(now() + 3_600) }
}

fn operator_key(network: &Network) -> SigningKey {
    let file = std::fs::read(network.root().join("operator-0/operator.key")).expect("a key");
    let file: serde_json::Value = serde_json::from_slice(&file).expect("JSON");
    let seed = from_base64url(file["secret"]["insecure_dev"].as_str().expect("not encrypted")).expect("base64url");
    SigningKey::ed25519(&seed.try_into().expect("32 bytes"))
}

pub(super) fn every_fault(run: &mut Run) {
    let mut network = Network::start(&Setup { validators: 4, heartbeat_s: 1 });
    let (node, genesis) = (network.nodes[0].api, network.trust.genesis().clone());
    let operator = operator_key(&network);
    let former = SigningKey::ed25519(&seed("former writer", 0));
    let did = Did::key(&former.public_key());
    for (grant, version) in [(true, 1), (false, 2)] {
        let act = change(&did, grant, version);
        let answer = post(node, record(&genesis, &operator, &format!("setting-{version}"), now(), act).as_bytes());
        assert_eq!(answer.status, 201, "{}", answer.text());
    }
    let (mut cells, mut wrong, mut number) = (0u64, 0u64, 0u64);
    for role in ROLES {
        let signer = || match role {
            "writer" => network.author.clone_for_tests(),
            "stranger" => key("stranger", 0),
            "former-writer" => former.clone_for_tests(),
            _ => operator.clone_for_tests(),
        };
        for act_name in ["notarise", "grant-writer"] {
            for fault in FAULTS {
                number += 1;
                let victim = Did::key(&key("granted", u32::try_from(number).expect("few")).public_key());
                let act = if act_name == "notarise" { notarise(number) } else { change(&victim, true, 3) };
                let bytes = Signed::by(&genesis, signer(), &format!("rights-{number}"), act).with(fault);
                let may = fault == "nothing" && matches!((role, act_name), ("writer", "notarise"));
                // The operator's own change would make the next ones quote an old version: tried at the end.
                if (role, act_name, fault) == ("operator", "grant-writer", "nothing") {
                    continue;
                }
                let answer = post(node, &bytes);
                cells += 1;
                let expected = if may { answer.status == 201 } else { (400..500).contains(&answer.status) };
                let on_ledger = Record::parse(&bytes).is_ok_and(|record| {
                    request(node, "GET", &format!("/v1/records/{}", record.id()), &[], &[])
                        .is_ok_and(|a| a.status == 200)
                });
                if expected && on_ledger == may {
                    run.good(1);
                } else {
                    wrong += u64::from(!may);
                    run.bad(&format!("{role}, {act_name}, {fault}: {} {}", answer.status, answer.text()));
                }
            }
        }
    }
    let last = post(node, record(&genesis, &operator, "rights-last", now(), change(&did, true, 3)).as_bytes());
    match last.status {
        // Nobody comes back once his role was taken away, unless the rules say so: either answer is the contracts'.
        201 | 409 | 422 => run.good(1),
        _ => run.bad(&format!("the operator's own change: {} {}", last.status, last.text())),
    }
    run.metric("record-cells", cells);
    run.metric("record-wrong-allows", wrong);
    vectors_over_http(run, &network);
    mutations(run, &network);
    wait_for("the network to go on", Duration::from_secs(60), || network.height(0).filter(|height| *height > 3));
    network.check();
}

/// Every refused record of the vectors, at every node.
fn vectors_over_http(run: &mut Run, network: &Network) {
    let genesis = network.trust.genesis();
    for case in vectors::refused_records(genesis, &network.author, now()) {
        // The clock goes on while this runs: these two sit on the second.
        if matches!(case.what.as_str(), "expired this second" | "301 s ahead") {
            continue;
        }
        let answer = post(network.nodes[1].api, &from_base64_standard(&case.bytes).expect("base64"));
        if answer.json()["code"] == case.code.as_str() {
            run.good(1);
        } else {
            run.bad(&format!("{}: {} {}, expected {}", case.what, answer.status, answer.text(), case.code));
        }
    }
}

/// Changed bytes of good records: none is admitted, and of a sample each is refused by a node too.
fn mutations(run: &mut Run, network: &Network) {
    let genesis = network.trust.genesis();
    let mut random = Random::new(run.seed);
    let (mut accepted, mut posted) = (0u64, 0u64);
    let good: Vec<_> = (0..8)
        .map(|number| {
            Signed::by(genesis, network.author.clone_for_tests(), &format!("mutant-{number}"), notarise(number))
        })
        .map(|signed| signed.with("nothing"))
        .collect();
    for _ in 0..run.count {
        let original = &good[random.index(good.len())];
        let mut bytes = original.clone();
        for _ in 0..=random.below(2) {
            let at = random.index(bytes.len());
            match random.below(4) {
                0 => bytes[at] ^= 1 << random.below(8),
                1 => bytes[at] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."[random.index(65)],
                2 => drop(bytes.remove(at)),
                _ => bytes.insert(at, bytes[at]),
            }
        }
        if bytes == *original {
            continue;
        }
        if judge_record(&bytes, genesis.hash(), now()).is_none() {
            accepted += 1;
            run.bad(&format!("a changed record is admitted: {}", String::from_utf8_lossy(&bytes)));
            continue;
        }
        if posted < 300 {
            posted += 1;
            let answer = post(network.nodes[2].api, &bytes);
            if !(400..500).contains(&answer.status) {
                accepted += 1;
                run.bad(&format!(
                    "a node takes a changed record: {} {}",
                    answer.status,
                    String::from_utf8_lossy(&bytes)
                ));
                continue;
            }
        }
        run.good(1);
    }
    run.metric("mutations-accepted", accepted);
}
