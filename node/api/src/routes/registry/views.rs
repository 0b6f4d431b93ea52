//! The JSON of the native registry routes. Every view is made from what the primitives' reads return, and from nothing
//! else, so that a client comes to the same one from the evidence.

use serde::Serialize;
use testamur_primitives::did::Did;
use testamur_primitives::dossiers::{DossierEntry, Owner};
use testamur_primitives::hash::{RecordId, SchemaId};
use testamur_primitives::identity::resolution::{DidDocument, document};
use testamur_primitives::identity::{DidEntry, Grant, Relationship, VerificationMethod};
use testamur_primitives::key::Jwk;
use testamur_primitives::schemas::{SchemaEntry, multibase};
use testamur_primitives::state::evidence::Evidence;
use testamur_primitives::status::{StatusEntry, StatusPurpose};
use testamur_primitives::units::UnixTime;
use utoipa::ToSchema;

use crate::schemas::EvidenceSchema;

mod issuers;

pub(crate) use issuers::{AccreditationView, ChainView, IssuerView, LinkView, RefusalView};

/// A page of names, each with the place where more is found.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ObjectList {
    /// What the list holds, in order of arrival.
    pub(crate) items: Vec<ObjectLink>,
    /// How many there are on all pages.
    pub(crate) total: u64,
    /// The next page, when there is one.
    pub(crate) next: Option<String>,
}

/// A name and the place where more is found.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ObjectLink {
    /// The DID, the attribute, the schema, the list or the dossier.
    pub(crate) id: String,
    /// Where more is found.
    pub(crate) href: String,
}

/// A DID document at a time, and what the ledger knows beside it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DidView {
    /// The DID.
    pub(crate) did: String,
    /// The time that this is about.
    pub(crate) at: u64,
    /// Which version of the document was in force then.
    pub(crate) version: u64,
    /// The block that wrote it.
    pub(crate) height: u64,
    /// That block's time.
    pub(crate) time: u64,
    /// The record that did.
    pub(crate) record: String,
    /// Whether the document is closed for ever.
    pub(crate) deactivated: bool,
    /// Who may change it.
    pub(crate) controllers: Vec<String>,
    /// Every key that the document ever had until then, ended ones included.
    pub(crate) methods: Vec<MethodView>,
    /// The W3C DID document: keys with no use at that time are left out of it.
    #[schema(value_type = Object)]
    pub(crate) document: DidDocument,
    /// What proves this, when a proof was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<EvidenceSchema>)]
    pub(crate) evidence: Option<Evidence>,
}

/// A key of a document.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MethodView {
    /// The RFC 7638 thumbprint of the key.
    pub(crate) id: String,
    /// The key id by which records and credentials name it.
    pub(crate) kid: String,
    /// The public key.
    #[schema(value_type = Object)]
    pub(crate) key: Jwk,
    /// What it may be used for, and when.
    #[schema(value_type = Vec<Object>)]
    pub(crate) grants: Vec<Grant>,
    /// When it was revoked, if it was.
    pub(crate) revoked: Option<u64>,
    /// Since when it may be in other hands, if that was declared, then or later.
    pub(crate) compromised_from: Option<u64>,
    /// What it could be used for at that time.
    pub(crate) usable_for: Vec<&'static str>,
}

impl DidView {
    pub(crate) fn new(did: &Did, entry: &DidEntry, at: UnixTime) -> Self {
        let usable =
            |method: &VerificationMethod, relationship| !entry.deactivated && method.check(&[relationship], at).is_ok();
        let method = |method: &VerificationMethod| MethodView {
            id: method.id.clone(),
            kid: format!("{did}#{}", method.id),
            key: method.key.clone(),
            grants: method.grants.clone(),
            revoked: method.revoked.map(|time| time.0),
            compromised_from: method.compromised_from.map(|time| time.0),
            usable_for: Relationship::ALL.into_iter().filter(|r| usable(method, *r)).map(Relationship::name).collect(),
        };
        Self {
            did: did.to_string(),
            at: at.0,
            version: entry.seq,
            height: entry.height.0,
            time: entry.time.0,
            record: entry.record.to_string(),
            deactivated: entry.deactivated,
            controllers: texts(&entry.controllers),
            methods: entry.methods.iter().map(method).collect(),
            document: document(did, entry, at),
            evidence: None,
        }
    }
}

/// The versions of a DID document, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DidHistory {
    /// The DID.
    pub(crate) did: String,
    /// A page of its versions.
    pub(crate) versions: Vec<DidVersion>,
    /// How many there are on all pages.
    pub(crate) total: u64,
    /// The next page, when there is one.
    pub(crate) next: Option<String>,
}

/// A version of a DID document.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DidVersion {
    /// Its number.
    pub(crate) version: u64,
    /// The block that wrote it.
    pub(crate) height: u64,
    /// That block's time: the version is in force from then on.
    pub(crate) time: u64,
    /// The record that made it.
    pub(crate) record: String,
    /// Who could change the document.
    pub(crate) controllers: Vec<String>,
    /// Its keys, by their thumbprints.
    pub(crate) methods: Vec<String>,
    /// Whether it closed the document.
    pub(crate) deactivated: bool,
}

impl DidVersion {
    pub(crate) fn new(entry: &DidEntry) -> Self {
        Self {
            version: entry.seq,
            height: entry.height.0,
            time: entry.time.0,
            record: entry.record.to_string(),
            controllers: texts(&entry.controllers),
            methods: entry.methods.iter().map(|method| method.id.clone()).collect(),
            deactivated: entry.deactivated,
        }
    }
}

/// A revision of a schema.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SchemaView {
    /// Its id in hexadecimal.
    pub(crate) schema: String,
    /// Its id as EBSI writes it: `z` and base58btc.
    pub(crate) id: String,
    /// Number of this revision.
    pub(crate) revision: u64,
    /// The block that wrote it.
    pub(crate) height: u64,
    /// That block's time.
    pub(crate) time: u64,
    /// The record that published it.
    pub(crate) record: String,
    /// Who published the schema first, and alone may revise it.
    pub(crate) owner: String,
    /// The JSON Schema, as RFC 8785 text.
    pub(crate) body_text: String,
    /// What proves this, when a proof was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<EvidenceSchema>)]
    pub(crate) evidence: Option<Evidence>,
}

impl SchemaView {
    pub(crate) fn new(id: SchemaId, entry: SchemaEntry) -> Self {
        Self {
            schema: id.to_string(),
            id: multibase(id),
            revision: entry.seq,
            height: entry.height.0,
            time: entry.time.0,
            record: entry.record.to_string(),
            owner: entry.owner.to_string(),
            body_text: entry.body,
            evidence: None,
        }
    }
}

/// A version of a status list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StatusListView {
    /// Whose list.
    pub(crate) issuer: String,
    /// Its name.
    pub(crate) list: String,
    /// Number of this version.
    pub(crate) version: u64,
    /// What a set bit means: `revocation` or `suspension`.
    #[schema(value_type = String, example = "revocation")]
    pub(crate) purpose: StatusPurpose,
    /// Entries.
    pub(crate) size: u64,
    /// SHA-256 of the bits.
    pub(crate) sha256: String,
    /// When the tokens say that they were issued.
    pub(crate) issued: u64,
    /// The key that signed them.
    pub(crate) kid: String,
    /// The block that wrote this version.
    pub(crate) height: u64,
    /// That block's time.
    pub(crate) time: u64,
    /// The record that published it.
    pub(crate) record: String,
    /// Where its bits and tokens are found.
    pub(crate) links: StatusLinks,
    /// What proves this, when a proof was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<EvidenceSchema>)]
    pub(crate) evidence: Option<Evidence>,
}

/// Where the newest version of a list is found in each of its forms.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StatusLinks {
    /// The bits as they are: entry i is bit i, the most significant bit of byte 0 first.
    pub(crate) bits: String,
    /// W3C StatusList2021 credential.
    pub(crate) status_list_2021: String,
    /// W3C Bitstring Status List credential.
    pub(crate) bitstring: String,
    /// IETF Token Status List.
    pub(crate) token: String,
}

impl StatusListView {
    pub(crate) fn new(entry: &StatusEntry) -> Self {
        let StatusEntry { issuer, status, .. } = entry;
        let place = format!("/v1/status-lists/{issuer}/{}", status.list);
        Self {
            issuer: issuer.to_string(),
            list: status.list.to_string(),
            version: entry.seq,
            purpose: status.purpose,
            size: status.size,
            sha256: status.sha256.to_string(),
            issued: status.issued.0,
            kid: status.kid.to_string(),
            height: entry.height.0,
            time: entry.time.0,
            record: entry.record.to_string(),
            links: StatusLinks {
                bits: format!("{place}/bits"),
                status_list_2021: format!("{place}/status-list-2021"),
                bitstring: format!("{place}/bitstring"),
                token: format!("{place}/token"),
            },
            evidence: None,
        }
    }
}

/// A dossier: versioned digests with owners.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DossierView {
    /// Its id: that of the record that opened it.
    pub(crate) dossier: String,
    /// How many records have changed it, the first one included.
    pub(crate) step: u64,
    /// The newest version's number.
    pub(crate) version: u64,
    /// Algorithm of its digests.
    #[schema(example = "sha2-256")]
    pub(crate) alg: &'static str,
    /// Its digests, in hexadecimal.
    pub(crate) entries: Vec<String>,
    /// Its owners, past ones included.
    pub(crate) owners: Vec<OwnerView>,
    /// The block of the last change.
    pub(crate) height: u64,
    /// That block's time.
    pub(crate) time: u64,
    /// The record of the last change.
    pub(crate) record: String,
    /// What proves this, when a proof was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<EvidenceSchema>)]
    pub(crate) evidence: Option<Evidence>,
}

/// An owner of a dossier.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OwnerView {
    /// Its DID.
    pub(crate) did: String,
    /// From this second on.
    pub(crate) not_before: u64,
    /// Before this second; null for no end.
    pub(crate) not_after: Option<u64>,
}

impl DossierView {
    pub(crate) fn new(id: RecordId, entry: &DossierEntry) -> Self {
        let owner = |owner: &Owner| OwnerView {
            did: owner.did.to_string(),
            not_before: owner.not_before.0,
            not_after: owner.not_after.map(|time| time.0),
        };
        Self {
            dossier: id.to_string(),
            step: entry.seq,
            version: entry.version,
            alg: entry.alg.name(),
            entries: entry.entries.iter().map(|digest| super::hex(&digest.0)).collect(),
            owners: entry.owners.iter().map(owner).collect(),
            height: entry.height.0,
            time: entry.time.0,
            record: entry.record.to_string(),
            evidence: None,
        }
    }
}

fn texts(dids: &[Did]) -> Vec<String> {
    dids.iter().map(Did::to_string).collect()
}
