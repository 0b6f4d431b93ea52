//! Step 8: whether it is bound to a wallet; and if its holder has signed what was shown, that this holds.
//!
//! A key-binding JWT says that the key's holder made this presentation once. Nobody here asked for it with a nonce, so it is no
//! proof that the same person shows it now, and a good one changes nothing.

use std::sync::Arc;

use serde_json::{Value, json};
use testamur_primitives::codec::{base64url, sha256};
use testamur_primitives::key::PublicKey;
use testamur_primitives::units::UnixTime;

use super::{Found, Reason};
use crate::credential::{Credential, Holder};
use crate::format::sdjwt;
use crate::jws::Jws;
use crate::limits::CLOCK_SKEW_S;

pub(super) fn check(credential: &Credential, text: Option<&str>, clock: UnixTime) -> Found {
    let proof = text.and_then(|text| Some((text, sdjwt::key_binding(text)?)));
    let (key, evidence) = match &credential.holder {
        Holder::Unbound if proof.is_some() => {
            return (Reason::HolderProof, Arc::new(json!({ "detail": "it is bound to no key" })));
        }
        Holder::Unbound => return (Reason::HolderUnbound, Arc::new(Value::Null)),
        // A DID of a ledger or of the web is not looked up: whether its key is one is not for this credential to say.
        Holder::Did(did) => (did.is_key().then(|| did.to_key().ok()), json!({ "did": did })),
        Holder::Key(jwk) => (Some(PublicKey::from_jwk(jwk).ok()), json!({ "jwk": jwk })),
    };
    let reason = match (key, proof) {
        (Some(None), _) => Reason::HolderKey,
        (Some(Some(key)), Some((text, proof))) if !holds(&key, text, proof, clock) => Reason::HolderProof,
        (None, Some(_)) => Reason::HolderProof,
        _ => Reason::HolderBound,
    };
    (reason, Arc::new(evidence))
}

/// Whether a key-binding JWT (RFC 9901 §4.3) is by a key, of this presentation, and not of the future.
fn holds(key: &PublicKey, text: &str, proof: &str, clock: UnixTime) -> bool {
    let Some(shown) = text.strip_suffix(proof) else { return false };
    let Ok(jws) = Jws::parse(proof) else { return false };
    let hash = base64url(&sha256(&[shown.as_bytes()]));
    let says = |name: &str| jws.payload.get(name);
    jws.typ() == Some("kb+jwt")
        && says("sd_hash").and_then(Value::as_str) == Some(hash.as_str())
        && says("iat").and_then(Value::as_u64).is_some_and(|iat| iat <= clock.0.saturating_add(CLOCK_SKEW_S))
        && says("nonce").is_some_and(Value::is_string)
        && says("aud").is_some_and(Value::is_string)
        && jws.verify_signature(key).is_ok()
}
