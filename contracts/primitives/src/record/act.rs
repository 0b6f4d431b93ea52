//! What records do.

use serde::{Deserialize, Serialize};

use super::{Bytes, Change, Reference};
use crate::commitment::{DigestAlgorithm, Form};
use crate::did::Did;
use crate::dossiers::DossierChange;
use crate::hash::{Address, AttributeId, HeaderHash, RecordId, SchemaId, TreeHash};
use crate::identity::Service;
use crate::identity::changes::{DidChange, NewMethod};
use crate::issuers::{EndReason, Entity, IssuerType};
use crate::status::StatusVersion;
use crate::units::{Height, UnixTime};

/// The tree algorithm of a batch; one exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum BatchTree {
    /// RFC 6962 with SHA-256 over the leaf data of `FORMATS.md`.
    #[serde(rename = "rfc6962-sha256")]
    Rfc6962Sha256,
}

/// What a record does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Act {
    /// Anchors up to 512 digests or commitments.
    Notarise {
        /// Algorithm of the documents' digests.
        alg: DigestAlgorithm,
        /// Whether entries are digests or commitments.
        form: Form,
        /// The entries, in the author's order; doubles are allowed.
        entries: Vec<Bytes>,
        /// The author's own reference.
        #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
        reference: Option<Reference>,
    },
    /// Anchors any number of documents by the root of a tree over them.
    NotariseBatch {
        /// Tree algorithm.
        tree: BatchTree,
        /// Root of the tree.
        root: TreeHash,
        /// Documents in the tree.
        #[serde(deserialize_with = "crate::units::json_integer")]
        count: u64,
        /// The author's own reference.
        #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
        reference: Option<Reference>,
    },
    /// Opens a dossier; its id is the record's.
    OpenDossier {
        /// Algorithm of the digests.
        alg: DigestAlgorithm,
        /// The digests of version 1.
        entries: Vec<Bytes>,
    },
    /// Changes a dossier, as one of its owners.
    UpdateDossier {
        /// The dossier.
        dossier: RecordId,
        /// The record that changed it last.
        prev: RecordId,
        /// What is done.
        change: DossierChange,
    },
    /// Registers the author's own DID. The key that signs the record is among the methods, for `capabilityInvocation`.
    InsertDid {
        /// Its keys.
        methods: Vec<NewMethod>,
        /// Who may change it; the subject itself when empty.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        controllers: Vec<Did>,
        /// Its services.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        services: Vec<Service>,
        /// A VerifiableAuthorisationToOnboard (VC-JWT) of an accredited issuer; none when governance admitted the DID.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        authorisation: Option<String>,
    },
    /// Changes a DID document, as one of its controllers.
    UpdateDid {
        /// The DID.
        did: Did,
        /// The record that changed it last.
        prev: RecordId,
        /// What is done, in this order, all or nothing.
        changes: Vec<DidChange>,
    },
    /// An accreditor makes a place for an accreditation, or says anew who the subject is.
    ReserveAttribute {
        /// The place: 32 bytes of the accreditor's choice, new on the ledger unless `prev` is given.
        attribute: AttributeId,
        /// Who is accredited.
        subject: Did,
        /// As what.
        issuer_type: IssuerType,
        /// The accreditor's own accreditation, by which it may.
        parent: AttributeId,
        /// Who the subject is.
        entity: Entity,
        /// The record that changed the attribute last; none when it is new.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        prev: Option<RecordId>,
    },
    /// The subject puts its accreditation credential in its place.
    FillAttribute {
        /// The place.
        attribute: AttributeId,
        /// The record that changed the attribute last.
        prev: RecordId,
        /// The credential, a VC-JWT signed by the accreditor.
        credential: String,
    },
    /// The accreditor ends an accreditation.
    EndAccreditation {
        /// Which.
        attribute: AttributeId,
        /// The record that changed the attribute last.
        prev: RecordId,
        /// From when on.
        effective: UnixTime,
        /// Why.
        reason: EndReason,
    },
    /// Publishes a schema, or a revision of one's own.
    PublishSchema {
        /// Its id.
        schema: SchemaId,
        /// Its text, as RFC 8785 JSON.
        body: String,
        /// The record of the revision before; none for the first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        prev: Option<RecordId>,
    },
    /// Publishes a version of the author's own status list. Its bits are the record's attachment.
    PublishStatus {
        /// The version.
        status: StatusVersion,
        /// The record of the version before; none for the first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        prev: Option<RecordId>,
    },
    /// An operator proposes a change; the proposal's id is the record's, and the proposer approves by proposing.
    Propose {
        /// The change.
        change: Change,
        /// The governance version that the proposer saw.
        #[serde(deserialize_with = "crate::units::json_integer")]
        governance_version: u64,
        /// When the proposal lapses.
        expires: UnixTime,
    },
    /// An operator approves a proposal.
    Approve {
        /// Id of the proposal's record.
        proposal: RecordId,
        /// The governance version that the proposal is bound to.
        #[serde(deserialize_with = "crate::units::json_integer")]
        governance_version: u64,
    },
    /// A validator that is to join says that it follows the ledger. Signed by its consensus key's did:key.
    Synced {
        /// Its address.
        validator: Address,
        /// A height that it has reached.
        height: Height,
        /// Hash of that height's header.
        header: HeaderHash,
    },
}

impl Act {
    /// Algorithm of the digests that it puts on the ledger, or of those behind its commitments.
    pub fn digest_algorithm(&self) -> Option<DigestAlgorithm> {
        match self {
            Self::Notarise { alg, .. }
            | Self::OpenDossier { alg, .. }
            | Self::UpdateDossier {
                change: DossierChange::AddVersion { alg, .. } | DossierChange::AppendDigests { alg, .. },
                ..
            } => Some(*alg),
            _ => None,
        }
    }
}
