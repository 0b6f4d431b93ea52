//! Signed notes and policies as a stranger reads them: `signed_note`, and the forty lines that it lacks.

use ed25519_dalek::VerifyingKey;
use signed_note::{StandardVerifier, Verifier, VerifierList};
use testamur_primitives::codec::from_base64_standard;

/// What `signed_note` lacks: a verifier of `cosignature/v1` (type 0x04) over its traits.
struct Cosigner {
    name: String,
    id: u32,
    key: VerifyingKey,
}

impl Cosigner {
    fn from_vkey(vkey: &str) -> Self {
        let mut parts = vkey.splitn(3, '+');
        let (name, id, material) = (parts.next(), parts.next(), parts.next());
        let material = from_base64_standard(material.expect("key material")).expect("base64");
        let (kind, key) = material.split_first().expect("a type and a key");
        assert_eq!(*kind, 4, "a cosigner's key");
        let name = name.expect("a name").to_owned();
        // The id is recomputed: a policy is text from a stranger.
        let computed = signed_note::key_id(&name, &material);
        assert_eq!(format!("{computed:08x}"), id.expect("an id"));
        let key = VerifyingKey::from_bytes(key.try_into().expect("32 bytes")).expect("a point");
        Self { name, id: computed, key }
    }
}

impl Verifier for Cosigner {
    fn name(&self) -> &str {
        &self.name
    }

    fn key_id(&self) -> u32 {
        self.id
    }

    fn verify(&self, body: &[u8], signature: &[u8]) -> bool {
        let Some((time, signature)) = signature.split_first_chunk::<8>() else { return false };
        let head = format!("cosignature/v1\ntime {}\n", u64::from_be_bytes(*time));
        let Ok(signature) = ed25519_dalek::Signature::from_slice(signature) else { return false };
        self.key.verify_strict(&[head.as_bytes(), body].concat(), &signature).is_ok()
    }
}

/// The verifiers of a tlog-policy, and how many witnesses it asks for.
/// # Panics
/// On a line that no C2SP tool would know.
pub fn verifiers(policy: &str) -> (VerifierList, usize) {
    let mut list: Vec<Box<dyn Verifier>> = Vec::new();
    let mut threshold = 0;
    for line in policy.lines() {
        let words: Vec<_> = line.split(' ').collect();
        match words.as_slice() {
            ["log", vkey] => list.push(Box::new(StandardVerifier::new(vkey).expect("a vkey of type 0x01"))),
            ["witness", _, vkey] => list.push(Box::new(Cosigner::from_vkey(vkey))),
            ["group", _, count, ..] => threshold = count.parse().expect("a number"),
            ["quorum", "validators"] => {}
            other => panic!("a line that no tool knows: {other:?}"),
        }
    }
    (VerifierList::new(list), threshold)
}
