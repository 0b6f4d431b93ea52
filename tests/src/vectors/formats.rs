//! Genesis, headers, blocks, checkpoints, votes, commitments, did:key, policy, trust files.

use serde_json::json;
use testamur_primitives::block::Block;
use testamur_primitives::checkpoint::cosignature_message;
use testamur_primitives::codec::{base64_standard, base64url, canonical};
use testamur_primitives::commitment::{BatchLeaf, DigestAlgorithm, DocumentDigest, Salt};
use testamur_primitives::did::Did;
use testamur_primitives::epoch::quorum;
use testamur_primitives::genesis::possession_message;
use testamur_primitives::key::{PublicKey, SigningKey};
use testamur_primitives::merkle::MemoryTree;
use testamur_primitives::note::{Note, TYPE_COSIGNATURE_V1, TYPE_ED25519, VerifierKey};
use testamur_primitives::policy::tlog_policy;
use testamur_primitives::record::{Act, Bytes};
use testamur_primitives::stream::{StreamedBlock, write_blocks};
use testamur_primitives::units::{Height, Round};
use testamur_primitives::votes;

use crate::chain::{Chain, START, key, members, record, seed, set_of};
use crate::vectors::{Files, json as file};

pub(super) fn write(files: &mut Files) {
    let mut chain = Chain::new("formats");
    let author = key("author", 0);
    let notarise = |n: u8| Act::Notarise {
        alg: DigestAlgorithm::Sha2_256,
        form: testamur_primitives::commitment::Form::Digest,
        entries: vec![Bytes(vec![n; 32])],
        reference: Some("a-1".parse().expect("a reference")),
    };
    let records = [1, 2].map(|n| record(&chain.genesis, &author, &format!("r-{n}"), START, notarise(n)));
    chain.append(START + 10, &[records[0].as_bytes()]);
    let header = chain.append(START + 20, &[records[1].as_bytes()]).clone();

    let set = set_of(chain.members());
    let registrations: Vec<_> = chain
        .genesis
        .validators
        .iter()
        .map(|v| {
            let address = v.registration.address();
            let message = String::from_utf8(possession_message("consensus", address)).expect("text");
            json!({"registration": v.registration, "address": address, "possession_message": message})
        })
        .collect();
    files.insert(
        "genesis.json".into(),
        file(&json!({
            "genesis": chain.genesis,
            "canonical": String::from_utf8(canonical(&chain.genesis)).expect("JSON"),
            "hash": chain.genesis.hash(),
            "origin": chain.origin().as_str(),
            "parameters_hash": chain.genesis.parameters.hash(),
            "validators": registrations,
            "validators_hash": set.hash(),
        })),
    );
    let headers: Vec<_> = chain
        .headers
        .iter()
        .map(|h| json!({"text": h.text(), "hash": h.hash(), "value_id": hex::encode(h.value_id().to_bytes())}))
        .collect();
    files.insert("headers.json".into(), file(&headers));
    let block = Block { header: header.clone(), records: vec![records[1].clone()] };
    files.insert("block.bin".into(), block.encode());
    let streamed = chain.headers[1..].iter().zip(&records).map(|(header, record)| StreamedBlock {
        block: Block { header: header.clone(), records: vec![record.clone()] }.encode(),
        certificate: Note::parse(chain.certificate(header).as_bytes()).expect("a note"),
        attachments: Vec::new(),
    });
    let streamed: Vec<_> = streamed.collect();
    files.insert("blocks.stream".into(), write_blocks(&canonical(&chain.genesis), Height(1), &streamed));

    let body = chain.body(&header, 3);
    let message = String::from_utf8(cosignature_message(header.time, &body)).expect("text");
    files.insert(
        "checkpoint.json".into(),
        file(&json!({"header": header.text(), "round": 3, "body": body, "cosignature_message": message})),
    );
    files.insert("certificate.note".into(), chain.certificate(&header).into_bytes());

    let (origin, address, value) = (chain.origin(), set.validators()[0].address, header.value_id());
    let (height, round) = (Height(2), Round(3));
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    files.insert(
        "votes.json".into(),
        file(&json!({
            "prevote": text(votes::prevote_message(&origin, address, height, round, Some(&value))),
            "prevote_nil": text(votes::prevote_message(&origin, address, height, round, None)),
            "precommit_nil": text(votes::precommit_nil_message(&origin, address, height, round)),
            "proposal": text(votes::proposal_message(&origin, address, height, round, &value, None)),
            "proposal_again": text(votes::proposal_message(&origin, address, height, round, &value, Some(Round(1)))),
            "proof_of_validator": text(votes::proof_of_validator_message(&origin, address, &[0, 36, 8, 1, 18, 32])),
        })),
    );
    let keys: Vec<_> = set
        .validators()
        .iter()
        .map(|v| {
            let vkey = |name: &str, signature_type, key: &[u8; 32]| {
                VerifierKey { name: name.into(), signature_type, key: *key }.to_string()
            };
            json!({
                "cosigner": vkey(&v.name, TYPE_COSIGNATURE_V1, v.consensus_key()),
                "log": vkey(origin.as_str(), TYPE_ED25519, v.log_key()),
            })
        })
        .collect();
    files.insert("verifier-keys.json".into(), file(&keys));
    files.insert("policy.txt".into(), tlog_policy(&origin, &set).into_bytes());
    let quorums: Vec<_> = (4..=64).map(|n| json!([n, quorum(n)])).collect();
    files.insert("quorums.json".into(), file(&quorums));
    let four = set_of(&members(&[4, 5, 6, 7]));
    files.insert(
        "validator-set.json".into(),
        file(&json!({"set": four, "hash": four.hash(), "until": four.in_office_until()})),
    );
    files.insert("commitments.json".into(), commitments());
    files.insert("did-key.json".into(), did_keys());
}

fn commitments() -> Vec<u8> {
    let mut cases = Vec::new();
    let mut leaves = Vec::new();
    for (n, alg) in DigestAlgorithm::ALL.into_iter().enumerate() {
        let digest: Vec<u8> = (0..alg.digest_bytes() as u8).map(|i| i ^ n as u8).collect();
        for salt in [None, Some(seed("salt", n as u32))] {
            let digest = DocumentDigest::new(alg, digest.clone()).expect("of the right length");
            let leaf = BatchLeaf { digest, salt: salt.map(Salt::from_bytes) };
            cases.push(json!({
                "alg": alg,
                "digest": base64url(leaf.digest.as_bytes()),
                "salt": salt.map(|s| base64url(&s)),
                "entry": base64url(&leaf.entry()),
                "leaf_data": hex::encode(leaf.leaf_data()),
                "leaf_hash": leaf.leaf_hash(),
            }));
            leaves.push(leaf.leaf_hash());
        }
    }
    let tree = MemoryTree::from_leaf_hashes(&leaves);
    let size = tree.size();
    let paths: Vec<_> = (0..size).map(|i| tree.inclusion_proof(i, size).expect("in range")).collect();
    let root = tree.root(size).expect("the whole tree is there");
    file(&json!({"leaves": cases, "count": size, "root": root, "paths": paths}))
}

fn did_keys() -> Vec<u8> {
    let keys = [
        SigningKey::ed25519(&seed("did", 0)),
        SigningKey::p256(&seed("did", 1)).expect("a scalar"),
        SigningKey::secp256k1(&seed("did", 2)).expect("a scalar"),
        SigningKey::p384(&[seed("did", 3).as_slice(), &seed("did", 4)[..16]].concat()).expect("a scalar"),
    ];
    let mut good = Vec::new();
    for key in &keys {
        let public = key.public_key();
        for did in [Did::key(&public), Did::jwk_jcs_key(&public)] {
            good.push(json!({"kid": did.key_id().expect("a did:key").as_str(), "jwk": public.to_jwk()}));
        }
    }
    let multikey = |codec: &[u8], body: &[u8]| {
        let id = format!("z{}", bs58::encode([codec, body].concat()).into_string());
        format!("did:key:{id}#{id}")
    };
    let public = |n: usize| keys[n].public_key();
    let (ed, p256, secp) = (public(0), public(1), public(2));
    let tagged = |key: &PublicKey, tag: u8| [&[tag], &key.as_bytes()[1..]].concat();
    let jwk = |text: String| multikey(&[0xd1, 0xd6, 0x03], text.as_bytes());
    let as_text = |key: &PublicKey| String::from_utf8(canonical(&key.to_jwk())).expect("JSON");
    let kid = |key: &PublicKey| Did::key(key).key_id().expect("a did:key").as_str().to_owned();
    let mut low_order = [0u8; 32];
    low_order[0] = 1;
    let mut above_p = [0xff; 32];
    above_p[0] = 0xf0;
    above_p[31] = 0x7f;
    let bad = [
        ("a fragment of another key", format!("{}#{}", Did::key(&ed), &Did::key(&p256).as_str()[8..])),
        ("another method", "did:web:example.org#key-1".to_owned()),
        ("another multibase", kid(&ed).replace("did:key:z", "did:key:m").replace("#z", "#m")),
        ("an unknown codec", multikey(&[0xec, 0x01], ed.as_bytes())),
        ("a codec with nothing behind it", multikey(&[0xed, 0x01], &[])),
        ("an Ed25519 key cut short", multikey(&[0xed, 0x01], &ed.as_bytes()[..31])),
        ("an Ed25519 key one byte too long", multikey(&[0xed, 0x01], &[ed.as_bytes(), &[0]].concat())),
        ("an Ed25519 key of small order", multikey(&[0xed, 0x01], &low_order)),
        ("an Ed25519 key not canonical", multikey(&[0xed, 0x01], &above_p)),
        ("P-256 with SEC1's compact tag", multikey(&[0x80, 0x24], &tagged(&p256, 5))),
        ("P-256 with an unknown tag", multikey(&[0x80, 0x24], &tagged(&p256, 1))),
        ("P-256 off the curve", multikey(&[0x80, 0x24], &[[2].as_slice(), &[0xff; 32]].concat())),
        ("secp256k1 with SEC1's compact tag", multikey(&[0xe7, 0x01], &tagged(&secp, 5))),
        ("a point of one curve under another's codec", multikey(&[0x81, 0x24], p256.as_bytes())),
        ("a JWK with spaces", jwk(as_text(&p256).replace(':', ": "))),
        ("a JWK with another member", jwk(as_text(&p256).replace("\"y\"", "\"use\":\"sig\",\"y\""))),
        ("a JWK without y", jwk(as_text(&p256).split(",\"y\"").next().expect("y").to_owned() + "}")),
        ("a JWK of another curve's name", jwk(as_text(&p256).replace("P-256", "P-384"))),
        ("a JWK of another key type", jwk(as_text(&p256).replace("\"EC\"", "\"OKP\""))),
        ("a JWK with padding", jwk(as_text(&ed).replace("\"}", "=\"}"))),
        ("a leading zero byte", multikey(&[0, 0xed, 0x01], ed.as_bytes())),
        ("a letter that is not base58", kid(&ed).replace("z6Mk", "z0Mk")),
    ];
    let bad: Vec<_> = bad.iter().map(|(what, kid)| json!({"what": what, "kid": kid})).collect();
    let example = base64_standard(ed.as_bytes());
    file(&json!({"good": good, "bad": bad, "first_key": example}))
}
