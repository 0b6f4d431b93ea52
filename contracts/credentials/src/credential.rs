//! What all formats of a credential have in common: the one view that verification and everybody else works on.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use testamur_primitives::did::{Did, DidUrl};
use testamur_primitives::hash::SchemaId;
use testamur_primitives::issuers::accreditation::Scope;
use testamur_primitives::key::Jwk;
use testamur_primitives::status::StatusPurpose;
use testamur_primitives::status::formats::TokenFormat;
use testamur_primitives::units::UnixTime;

use crate::jws::Jws;

/// A format of credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Format {
    /// SD-JWT VC (`dc+sd-jwt`; RFC 9901 for SD-JWT).
    #[serde(rename = "sd-jwt")]
    SdJwt,
    /// W3C VCDM 2.0 as `vc+jwt` (VC-JOSE-COSE).
    #[serde(rename = "vcdm2")]
    Vcdm2,
    /// EBSI's VCDM 1.1 as JWT.
    #[serde(rename = "ebsi")]
    Ebsi,
    /// The compact credential of a QR code: an SD-JWT VC without disclosures, with the few members that fit.
    #[serde(rename = "compact")]
    Compact,
}

/// The list of a status entry, and where in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusPointer {
    /// The list's format.
    pub format: TokenFormat,
    /// Where the list is found. On this ledger: `public_base` and [`TokenFormat::path`].
    pub url: String,
    /// The entry.
    pub index: u64,
    /// What a set bit means; a Token Status List says it itself.
    pub purpose: Option<StatusPurpose>,
}

/// Who holds the credential, cryptographically.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// Nobody's key: whoever shows it must be compared with name and birth date.
    Unbound,
    /// A DID of the holder's.
    Did(Did),
    /// A key (`cnf.jwk`), known to lie on its curve.
    Key(Jwk),
}

/// A credential, read. Nothing of it is verified yet.
#[derive(Debug, Clone)]
pub struct Credential {
    /// Its format.
    pub format: Format,
    /// Its own id, if it has one.
    pub id: Option<String>,
    /// Who says to have issued it.
    pub issuer: Did,
    /// The key it says to be signed with: the issuer's.
    pub kid: DidUrl,
    /// Its types, without those that every credential has.
    pub types: BTreeSet<String>,
    /// The schemas it says to follow, by their ids on the ledger.
    pub schemas: Vec<SchemaId>,
    /// The subject's id as it stands there; also when it is nobody's.
    pub subject_id: Option<String>,
    /// What it attests, as far as it is disclosed: members of the subject without `id`.
    pub subject: Map<String, Value>,
    /// Fields that the holder has kept to himself.
    pub undisclosed: usize,
    /// Who holds it.
    pub holder: Holder,
    /// Not before this.
    pub valid_from: Option<UnixTime>,
    /// Not from this on.
    pub valid_until: Option<UnixTime>,
    /// Its entries in status lists.
    pub status: Vec<StatusPointer>,
    /// The issuer's signature, and what it covers.
    pub jws: Jws,
}

impl Credential {
    /// SHA-256 of the signing input: what the issuer's commitment on the ledger is to, and how a credential is named. Not of the
    /// whole text, since anybody can turn an ECDSA signature into another valid one, and a holder leaves disclosures out.
    pub fn digest(&self) -> [u8; 32] {
        testamur_primitives::codec::sha256(&[self.jws.signing_input.as_bytes()])
    }

    /// What the issuer must be accredited for: for each schema the types (an EQF level is one of them) and the jurisdiction.
    pub fn scopes(&self) -> Vec<Scope> {
        let jurisdictions = self.subject.get("jurisdiction").and_then(Value::as_str);
        let scope = |schema: &SchemaId| Scope {
            schema: *schema,
            types: self.types.clone(),
            jurisdictions: jurisdictions.into_iter().map(str::to_owned).collect(),
        };
        self.schemas.iter().map(scope).collect()
    }
}
