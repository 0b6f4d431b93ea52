//! An accredited issuer on a test ledger, and its status lists.

use std::sync::Arc;

use bytes::Bytes;
use testamur_primitives::codec::{base64url, sha256};
use testamur_primitives::did::{Did, DidUrl};
use testamur_primitives::hash::{AttributeId, RecordId};
use testamur_primitives::identity::changes::NewMethod;
use testamur_primitives::identity::{self, Grant, Relationship};
use testamur_primitives::issuers::{Entity, LegalName};
use testamur_primitives::key::SigningKey;
use testamur_primitives::record::{Act, Change};
use testamur_primitives::status::formats::{TokenSource, sign_version};
use testamur_primitives::status::{BitList, StatusPurpose};
use testamur_primitives::units::UnixTime;
use testamur_registry::CheckedRecord;

use super::TestNetwork;
use crate::Ledger;

/// A Root TAO with one key for everything.
#[derive(Debug)]
pub struct TestIssuer {
    /// Its DID.
    pub did: Did,
    /// Its key.
    pub key: SigningKey,
    /// Its key id.
    pub kid: DidUrl,
    /// Its accreditation.
    pub attribute: AttributeId,
}

impl TestIssuer {
    /// The issuer of a number: nothing is on a ledger yet.
    pub fn new(number: u8) -> Self {
        let key = SigningKey::ed25519(&[number; 32]);
        let did = Did::of_ledger("ebsi", &[number; 16]);
        let kid = identity::key_id(&did, &key.public_key());
        Self { did, kid, attribute: AttributeId::from_bytes(sha256(&[b"attribute", &[number]])), key }
    }

    /// Governance's act that accredits it.
    ///
    /// # Panics
    /// When the act is malformed.
    pub fn accredit(&self, network: &TestNetwork, governance_version: u64, time: UnixTime) -> Arc<CheckedRecord> {
        let Self { did, key, attribute, .. } = self;
        let name = did.as_str().rsplit(':').next().expect("a DID has colons");
        let names = vec![LegalName { lang: "en".into(), name: format!("Ministry {name}") }];
        let entity = Entity { names, country: "AT".into(), identifiers: Vec::new() };
        let jkt = identity::thumbprint(&key.public_key());
        let change = Change::AccreditRoot { did: did.clone(), jkt, attribute: *attribute, entity };
        let accredit = Act::Propose { change, governance_version, expires: UnixTime(time.0 + 60) };
        network.record(&network.operator, &format!("accredit-{name}"), time, accredit)
    }

    /// Accredits it by governance, registers it, and fills its accreditation: three blocks from `time` on.
    ///
    /// # Panics
    /// When a record is refused.
    pub fn onboard(&self, network: &TestNetwork, ledger: &Ledger, governance_version: u64, time: UnixTime) {
        let Self { key, attribute, .. } = self;
        let at = |seconds| UnixTime(time.0 + seconds);
        let accredit = self.accredit(network, governance_version, time);
        network.commit(ledger, time, &[Arc::clone(&accredit)]);
        let grant = |relationship| Grant { relationship, not_before: time, not_after: None };
        let grants = [Relationship::AssertionMethod, Relationship::CapabilityInvocation].map(grant).to_vec();
        let methods = vec![NewMethod { key: key.public_key().to_jwk(), grants }];
        let insert = Act::InsertDid { methods, controllers: Vec::new(), services: Vec::new(), authorisation: None };
        network.commit(ledger, at(1), &[self.record(network, "insert", at(1), insert)]);
        let credential = self.accreditation(time);
        let fill = Act::FillAttribute { attribute: *attribute, prev: accredit.record().id(), credential };
        network.commit(ledger, at(2), &[self.record(network, "fill", at(2), fill)]);
    }

    /// A record of the issuer's.
    ///
    /// # Panics
    /// When the act is malformed.
    pub fn record(&self, network: &TestNetwork, jti: &str, time: UnixTime, act: Act) -> Arc<CheckedRecord> {
        network.record_as(&self.kid, &self.key, jti, time, act)
    }

    /// A version of the list `list`, with its attachment: 131,072 entries, of which those given are set.
    ///
    /// # Panics
    /// When an entry is beyond the list.
    pub fn status(
        &self,
        network: &TestNetwork,
        list: &str,
        version: u64,
        prev: Option<RecordId>,
        time: UnixTime,
        set: &[u64],
    ) -> (Arc<CheckedRecord>, Bytes) {
        let mut bits = BitList::zeros(131_072).expect("the smallest list");
        for entry in set {
            assert!(bits.set(*entry, true), "an entry of the list");
        }
        let list = list.parse().expect("a reference");
        let public_base = network.genesis.public_base();
        let source = TokenSource {
            issuer: &self.did,
            list: &list,
            purpose: StatusPurpose::Revocation,
            issued: time,
            kid: &self.kid,
            alg: self.key.public_key().algorithm(),
            public_base: &public_base,
        };
        let status = sign_version(&source, version, &bits, &self.key).expect("a list of a good size");
        let act = Act::PublishStatus { status, prev };
        (self.record(network, &format!("{list}-{version}"), time, act), Bytes::from(bits.into_bytes()))
    }

    fn accreditation(&self, time: UnixTime) -> String {
        let Self { did, kid, attribute, key } = self;
        let header = format!(r#"{{"alg":"EdDSA","kid":"{kid}","typ":"JWT"}}"#);
        let types = r#"["VerifiableCredential","VerifiableAttestation","VerifiableAuthorisationForTrustChain"]"#;
        let subject = format!(r#"{{"id":"{did}","reservedAttributeId":"{attribute}"}}"#);
        let credential = format!(r#"{{"type":{types},"issuer":"{did}","credentialSubject":{subject}}}"#);
        let claims = format!(r#"{{"iss":"{did}","sub":"{did}","nbf":{time},"vc":{credential}}}"#);
        let signing_input = format!("{}.{}", base64url(header.as_bytes()), base64url(claims.as_bytes()));
        format!("{signing_input}.{}", base64url(&key.sign(signing_input.as_bytes())))
    }
}
