//! The compact JWS (RFC 7515) that every format here is signed as.
//!
//! One reading of each: strict unpadded base64url, header and payload JSON objects without doubled members. An unknown header
//! parameter is ignored as RFC 7515 §4 asks; one that brings a key (`jwk`, `jku`, `x5c`, `x5u`) is never used, and `crit` and `b64`
//! are refused. The algorithm is that of the issuer's key on the ledger; the header only has to agree.
//!
//! - INV-JWS-1: the key that a signature is verified with comes from the caller, never from the JWS.

use serde_json::{Map, Value};
use testamur_primitives::codec::{base64url, canonical, from_base64url};
use testamur_primitives::key::{JwsAlgorithm, KeyError, PublicKey, SigningKey};

use crate::json;
use crate::limits::CREDENTIAL_BYTES_MAX;
use crate::refusal::Refusal;

/// A compact JWS, taken apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Jws {
    /// Header and payload as they are signed: `base64url . base64url`.
    pub signing_input: String,
    /// The protected header.
    pub header: Map<String, Value>,
    /// The header's `alg`.
    pub alg: JwsAlgorithm,
    /// The payload.
    pub payload: Map<String, Value>,
    /// The signature.
    pub signature: Vec<u8>,
}

impl Jws {
    /// Reads one. What is no JWS at all is of an unknown format; what only fails to be a good one is malformed. The shape is
    /// looked at before the algorithm, and the algorithm before anybody looks at what the payload says.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        if text.len() > CREDENTIAL_BYTES_MAX {
            return Err(Refusal::TooLarge { bytes: text.len(), most: CREDENTIAL_BYTES_MAX });
        }
        let not_jws = Refusal::UnknownFormat("not a compact JWS");
        let (header, rest) = text.split_once('.').ok_or(not_jws.clone())?;
        // Whatever else is wrong: a JWS begins with an object in base64url.
        let header = from_base64url(header).ok().filter(|header| header.first() == Some(&b'{')).ok_or(not_jws)?;
        let (payload, signature) = rest.split_once('.').unwrap_or((rest, ""));
        let decode =
            |part: &str| from_base64url(part).map_err(|_| Refusal::malformed("a part is not unpadded base64url"));
        let header = json::object(&header)?;
        let payload = json::object(&decode(payload)?)?;
        let signature = decode(signature)?;
        let alg = algorithm(&header)?;
        if signature.is_empty() {
            return Err(Refusal::SignatureMissing);
        }
        let signing_input = text.rsplit_once('.').map_or(text, |(input, _)| input).to_owned();
        Ok(Self { signing_input, header, alg, payload, signature })
    }

    /// Signs header and payload, both in their RFC 8785 form.
    pub fn sign(header: &Map<String, Value>, payload: &Map<String, Value>, key: &SigningKey) -> String {
        let input = signing_input(header, payload);
        let signature = key.sign(input.as_bytes());
        format!("{input}.{}", base64url(&signature))
    }

    /// The text: exactly what was read.
    pub fn compact(&self) -> String {
        format!("{}.{}", self.signing_input, base64url(&self.signature))
    }

    /// The header's `typ`.
    pub fn typ(&self) -> Option<&str> {
        self.header.get("typ").and_then(Value::as_str)
    }

    /// Checks the signature with a key of the caller's (INV-JWS-1). The header's algorithm must be the key's.
    pub fn verify_signature(&self, key: &PublicKey) -> Result<(), Refusal> {
        key.verify(self.alg, self.signing_input.as_bytes(), &self.signature).map_err(|error| match error {
            KeyError::WrongAlgorithm => Refusal::Algorithm(error.to_string()),
            KeyError::BadPublicKey | KeyError::BadSignature => Refusal::SignatureInvalid,
        })
    }
}

/// Header and payload in their RFC 8785 form, as they are signed.
pub fn signing_input(header: &Map<String, Value>, payload: &Map<String, Value>) -> String {
    format!("{}.{}", base64url(&canonical(header)), base64url(&canonical(payload)))
}

/// The one algorithm of a header.
fn algorithm(header: &Map<String, Value>) -> Result<JwsAlgorithm, Refusal> {
    for unsupported in ["crit", "b64"] {
        if header.contains_key(unsupported) {
            return Err(Refusal::Algorithm(format!("the header has {unsupported:?}, which is not understood")));
        }
    }
    let name = header.get("alg").and_then(Value::as_str).unwrap_or("none");
    let known = JwsAlgorithm::from_name(name);
    known.ok_or_else(|| {
        let shown: String = name.chars().take(16).collect();
        Refusal::Algorithm(format!("the algorithm {shown:?} is not accepted: use ES256, ES384, ES256K or EdDSA"))
    })
}
