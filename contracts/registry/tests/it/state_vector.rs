//! Every kind of state value in its bytes, and proofs of presence and absence, pinned in `tests/vectors/state.json`
//! for verifiers in other languages. `BLESS=1` writes the file anew, which approves a change of the format.

use crate::support::{Ledger, START, approve, did, genesis, key, propose};
use serde::{Deserialize, Serialize};
use testamur_primitives::codec;
use testamur_primitives::hash::StateRoot;
use testamur_primitives::record::{Change, RevocationReason};
use testamur_registry::StateKey;
use testamur_registry::tree::{self, StateProof};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/state.json");

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Golden {
    v: u8,
    root: StateRoot,
    /// The whole state: keys in order, each value as text.
    state: Vec<Entry>,
    /// Proofs under the root; no value where the key is absent.
    proofs: Vec<Proof>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    key: String,
    value: String,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Proof {
    key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    proof: StateProof,
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("values are JSON")
}

fn scenario() -> Golden {
    let mut ledger = Ledger::new(genesis(3, 2, 2));
    let revoke = Change::RevokeWriter { did: did("writer", 1), reason: RevocationReason::KeyCompromise };
    let revoke = ledger.record(&key("operator", 0), "revoke", START, propose(revoke, 1));
    let second = ledger.record(&key("operator", 2), "second", START + 60, approve(&revoke, 1));
    let grant = Change::GrantWriter { did: did("writer", 9) };
    let grant = ledger.record(&key("operator", 1), "grant", START + 120, propose(grant, 2));
    for (time, record) in [(START, revoke), (START + 60, second), (START + 120, grant)] {
        ledger.one(time, &record).expect("applies");
    }
    let state: Vec<_> =
        ledger.state.iter().map(|(key, value)| Entry { key: key.to_string(), value: text(value.clone()) }).collect();
    let absent = [2, 3, 4].map(|n| format!("writer/{}/head", did("nobody", n)));
    let present = state.iter().step_by(7).map(|entry| entry.key.clone());
    let proofs = present.chain(absent).chain(["writer/did:key:z6Mk/1".to_owned()]).map(|key| {
        let parsed: StateKey = key.parse().expect("a state key");
        let proven = tree::prove(&ledger.tree, ledger.height, ledger.root, &parsed).expect("sound");
        Proof { key, value: proven.value.map(text), proof: proven.proof }
    });
    Golden { v: 1, root: ledger.root, proofs: proofs.collect(), state }
}

#[test]
fn state_and_proofs_have_the_pinned_bytes() {
    let found = scenario();
    if std::env::var_os("BLESS").is_some() {
        let mut bytes = codec::canonical(&found);
        bytes.push(b'\n');
        std::fs::write(GOLDEN, bytes).expect("the vectors are writable");
    }
    let bytes = std::fs::read(GOLDEN).expect("the vector is in the repository");
    let expected: Golden = codec::from_strict(&bytes).expect("the vector is well-formed");
    assert_eq!(found, expected);
    for proof in &expected.proofs {
        let key: StateKey = proof.key.parse().expect("a state key");
        let value = proof.value.as_deref().map(str::as_bytes);
        assert_eq!(proof.proof.verify(expected.root, &key, value), Ok(()), "{key}");
    }
}

#[test]
fn keys_have_one_spelling() {
    for bad in ["", "writer", "writer/x", "writer/x/0", "writer/x/01", "writer/x/-1", "writer/x/tail", "Writer/x/1"] {
        assert!(bad.parse::<StateKey>().is_err(), "{bad:?}");
    }
    for bad in ["writer//1", "/x/1", "writer/a/b/1", "writer/a b/1", "writer/é/1", "writer/x/1 ", "writer/x/1/"] {
        assert!(bad.parse::<StateKey>().is_err(), "{bad:?}");
    }
    for good in ["writer/did:key:z6Mk/head", "validator-name/validator-1.example/1", "proposals/network/18"] {
        assert_eq!(good.parse::<StateKey>().map(|key| key.to_string()), Ok(good.to_owned()));
    }
}
