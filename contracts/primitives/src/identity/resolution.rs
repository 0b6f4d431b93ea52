//! The DID document as others read it (DID Core 1.0, EBSI DID registry v5).

use serde::{Deserialize, Serialize};

use super::{DidEntry, Relationship, VerificationMethod};
use crate::did::Did;
use crate::key::Jwk;
use crate::units::UnixTime;

/// The contexts of every document: EBSI's libraries hold both, and would fetch any other.
pub const CONTEXTS: [&str; 2] = ["https://www.w3.org/ns/did/v1", "https://w3id.org/security/suites/jws-2020/v1"];

/// A DID document (W3C DID Core 1.0 §5) in the shape of EBSI's registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DidDocument {
    /// JSON-LD contexts.
    #[serde(rename = "@context")]
    pub context: Vec<String>,
    /// The DID.
    pub id: String,
    /// Who may change it.
    pub controller: Vec<String>,
    /// Its keys in use at the time.
    pub verification_method: Vec<DocumentMethod>,
    /// Keys for signing in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authentication: Vec<String>,
    /// Keys for signing credentials.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assertion_method: Vec<String>,
    /// Keys for encrypting to the subject.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub key_agreement: Vec<String>,
    /// Keys for signing registry records.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capability_invocation: Vec<String>,
    /// Keys for passing rights on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capability_delegation: Vec<String>,
    /// Services.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub service: Vec<DocumentService>,
}

/// A verification method of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DocumentMethod {
    /// The key id.
    pub id: String,
    /// `JsonWebKey2020`.
    pub r#type: String,
    /// The DID.
    pub controller: String,
    /// The public key.
    pub public_key_jwk: Jwk,
}

/// A service of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DocumentService {
    /// Its id.
    pub id: String,
    /// Its type.
    pub r#type: String,
    /// Its address.
    pub service_endpoint: String,
}

/// The document that an entry makes at a time: keys without any valid relationship are left out, and a deactivated one
/// has no keys.
pub fn document(did: &Did, entry: &DidEntry, time: UnixTime) -> DidDocument {
    let id_of = |method: &VerificationMethod| format!("{did}#{}", method.id);
    let valid =
        |method: &VerificationMethod, relationship| !entry.deactivated && method.check(&[relationship], time).is_ok();
    let with = |relationship| entry.methods.iter().filter(|m| valid(m, relationship)).map(id_of).collect();
    DidDocument {
        context: CONTEXTS.map(str::to_owned).to_vec(),
        id: did.to_string(),
        controller: entry.controllers.iter().map(Did::to_string).collect(),
        verification_method: entry
            .methods
            .iter()
            .filter(|method| Relationship::ALL.into_iter().any(|r| valid(method, r)))
            .map(|method| DocumentMethod {
                id: id_of(method),
                r#type: "JsonWebKey2020".into(),
                controller: did.to_string(),
                public_key_jwk: method.key.clone(),
            })
            .collect(),
        authentication: with(Relationship::Authentication),
        assertion_method: with(Relationship::AssertionMethod),
        key_agreement: with(Relationship::KeyAgreement),
        capability_invocation: with(Relationship::CapabilityInvocation),
        capability_delegation: with(Relationship::CapabilityDelegation),
        service: entry
            .services
            .iter()
            .map(|service| DocumentService {
                id: format!("{did}#{}", service.id),
                r#type: service.r#type.clone(),
                service_endpoint: service.endpoint.clone(),
            })
            .collect(),
    }
}
