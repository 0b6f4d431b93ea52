//! Why a record may not enter the ledger: a closed set, part of the protocol.
//!
//! A rejection is given to the submitter and never stored: a record that fails is in no block. Slugs and numbers are
//! stable: 100–149 `record.*` (form, signature, admission: the primitives' [`RecordError`]), 150–199 `admission.*`,
//! 200–219 `notary.*`, 220–249 `dossier.*`, 250–299 `governance.*`, 300–349 `did.*`, 350–399 `issuer.*`, 400–449
//! `schema.*`, 450–499 `status.*`, 500–549
//! `network.*`. Messages say what to do; they may be reworded, codes may not.

mod codes;
mod governance;
mod network;

pub use codes::CODES;
pub use governance::GovernanceRejection;
pub use network::NetworkRejection;

use testamur_primitives::did::Did;
use testamur_primitives::hash::{AttributeId, RecordId, SchemaId};
use testamur_primitives::identity::KeyRefusal;
use testamur_primitives::issuers::accreditation::OutOfScope;
use testamur_primitives::issuers::chain::ChainRefusal;
use testamur_primitives::limits::{CHAIN_LINKS_MAX, ISSUER_ATTRIBUTES_MAX, SCHEMA_CHARS_MAX};
use testamur_primitives::record::{Algorithm, RecordError, RevocationReason};
use testamur_primitives::units::UnixTime;

/// Why a record is rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Its form, signature, network or time.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// It is on the ledger already, or its `jti` is.
    #[error(transparent)]
    Admission(#[from] AdmissionRejection),
    /// The author may not notarise.
    #[error(transparent)]
    Notary(#[from] NotaryRejection),
    /// A dossier act against the rules.
    #[error(transparent)]
    Dossier(#[from] DossierRejection),
    /// A governance act against the rules.
    #[error(transparent)]
    Governance(#[from] GovernanceRejection),
    /// A record of a validator that is to join, against the rules.
    #[error(transparent)]
    Network(#[from] NetworkRejection),
    /// The author's key or document, or a change of a document against the rules.
    #[error(transparent)]
    Did(#[from] DidRejection),
    /// An accreditation against the rules.
    #[error(transparent)]
    Issuer(#[from] IssuerRejection),
    /// A schema against the rules.
    #[error(transparent)]
    Schema(#[from] SchemaRejection),
    /// A status list against the rules.
    #[error(transparent)]
    Status(#[from] StatusRejection),
}

/// Why a record of good form is not admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AdmissionRejection {
    /// The same signing input, under whatever signature.
    #[error("this record is already in the ledger: ask for its receipt by its id")]
    DuplicateRecord,
    /// Another record of the same author with the same `jti`.
    #[error("the author has already used this jti: give every record its own")]
    DuplicateJti,
    /// The author's kind of key was retired.
    #[error("keys of kind {0} were retired on this ledger: sign with a key of another kind")]
    AlgorithmRetired(Algorithm),
}

/// Why an author may not notarise.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotaryRejection {
    /// No writer role, ever.
    #[error("{0} is not a writer of this ledger: ask its operators to grant the role")]
    NotAWriter(Did),
    /// The role was taken away.
    #[error("the writer role of {did} was revoked at {time} ({reason}): ask the ledger's operators", reason = reason_slug(*reason))]
    WriterRevoked {
        /// The author.
        did: Did,
        /// Why.
        reason: RevocationReason,
        /// Time of the block that revoked it.
        time: UnixTime,
    },
    /// The digests' algorithm was retired.
    #[error("digests of algorithm {0} were retired on this ledger: hash the documents with another one")]
    AlgorithmRetired(Algorithm),
}

/// Why a dossier act is rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DossierRejection {
    /// No such dossier.
    #[error("no dossier {0} is on the ledger: its id is that of the record that opened it")]
    Unknown(RecordId),
    /// Somebody else's.
    #[error("{0} does not own this dossier now: ask an owner to add it")]
    NotAnOwner(Did),
    /// Changed meanwhile.
    #[error("the dossier was last changed by record {current}: read it, and sign anew with that as prev")]
    Stale {
        /// The record that changed it last.
        current: RecordId,
    },
    /// An owner that is there, or is not.
    #[error("{did} {reason}")]
    Owner {
        /// The owner.
        did: Did,
        /// What is wrong with that.
        reason: &'static str,
    },
    /// Another algorithm, or too much.
    #[error("{0}")]
    Content(&'static str),
}

/// Why a DID act, or a record by a DID of the ledger, is rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DidRejection {
    /// Not on the ledger.
    #[error("{0} is not registered on this ledger: register it first (`testamur did new`)")]
    NotRegistered(Did),
    /// Closed for ever.
    #[error("{0} was deactivated: it can do nothing any more; use another DID")]
    Deactivated(Did),
    /// The key may not sign this.
    #[error("the key {kid} may not sign this record: {reason}")]
    Key {
        /// The key id.
        kid: String,
        /// Why.
        reason: KeyRefusal,
    },
    /// On the ledger already.
    #[error("{0} is registered already: change it by update-did")]
    AlreadyRegistered(Did),
    /// Not of this ledger's form.
    #[error("{did} cannot be registered: this ledger registers did:{method}:z + base58btc(0x01 and 16 random bytes)")]
    Form {
        /// The DID.
        did: Did,
        /// The ledger's method.
        method: String,
    },
    /// Somebody else's document.
    #[error("{author} does not control {did}: only its controllers change it")]
    NotAController {
        /// The author.
        author: Did,
        /// The document.
        did: Did,
    },
    /// Changed meanwhile.
    #[error("the document was last changed by record {current}: read it, and sign anew with that as prev")]
    Stale {
        /// The record that changed it last.
        current: RecordId,
    },
    /// Nobody said that it may register.
    #[error("{0} may not register: it needs a VerifiableAuthorisationToOnboard of an accredited issuer, or governance")]
    NotAuthorised(Did),
    /// The authorisation is no good.
    #[error("the authorisation to onboard is refused: {0}")]
    Authorisation(String),
    /// The registering key is not the one that was authorised.
    #[error("the authorisation names another key: it must be signed for {0}")]
    OtherKey(String),
    /// The change would leave nobody able to change the document.
    #[error("after this change nobody could change the document: keep a capabilityInvocation key, or a controller")]
    LockedOut,
    /// Too many of something.
    #[error("too many {what}: at most {most}")]
    Limit {
        /// Of what.
        what: &'static str,
        /// The most allowed.
        most: usize,
    },
    /// Not a public key.
    #[error("a key is refused: it must be a public JWK on P-256, P-384, secp256k1 or Ed25519, on its curve")]
    MalformedKey,
    /// Something in the document that cannot be.
    #[error("the document is refused: {0}")]
    Document(&'static str),
    /// A window that ends before it begins, or lies wrong.
    #[error("{0}")]
    Window(&'static str),
    /// A change that cannot apply.
    #[error("change {index}: {reason}")]
    Change {
        /// Which change, from 0.
        index: usize,
        /// Why.
        reason: &'static str,
    },
}

/// Why an accreditation act is rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IssuerRejection {
    /// No such attribute.
    #[error("no accreditation {0} is on the ledger: its accreditor reserves it first")]
    Unknown(AttributeId),
    /// The id is in use.
    #[error("the attribute id {0} is taken: choose another 32 random bytes")]
    Taken(AttributeId),
    /// Somebody else's.
    #[error("{0} is not the accreditor of this accreditation")]
    NotTheAccreditor(Did),
    /// Somebody else's.
    #[error("{0} is not the subject of this accreditation: only the subject fills it")]
    NotTheSubject(Did),
    /// Changed meanwhile.
    #[error("the accreditation was last changed by record {current}: read it, and sign anew with that as prev")]
    Stale {
        /// The record that changed it last.
        current: RecordId,
    },
    /// The accreditor's own chain does not hold.
    #[error("the accreditor's own accreditation does not hold: {0}")]
    Parent(ChainRefusal),
    /// The accreditor's type does not allow it.
    #[error("the accreditor's own accreditation does not allow this: {0}")]
    Type(&'static str),
    /// Nobody accredits itself.
    #[error("nobody accredits itself: Root TAOs are made by governance")]
    SelfAccreditation,
    /// A circle.
    #[error("{0} is already in the chain above: accreditations must not run in a circle")]
    Circle(Did),
    /// Too long.
    #[error("the chain would have more than {CHAIN_LINKS_MAX} links")]
    TooDeep,
    /// The credential cannot be read, or is not the one that belongs here.
    #[error("the accreditation credential is refused: {0}")]
    Credential(String),
    /// The accreditor's key was no good.
    #[error("the accreditation credential is signed with a key that may not sign it: {0}")]
    CredentialKey(KeyRefusal),
    /// The signature does not verify.
    #[error("the accreditation credential's signature does not verify: it is not the accreditor's")]
    Signature,
    /// Beyond the parent's.
    #[error("the accreditation goes beyond the accreditor's own: {0}")]
    Scope(OutOfScope),
    /// Dates beyond the parent's, or not now.
    #[error("the accreditation's dates are refused: {0}")]
    Dates(&'static str),
    /// It has ended.
    #[error("the accreditation has ended: it cannot be changed any more")]
    Ended,
    /// The end's date.
    #[error("the end is refused: {0}")]
    EndDate(&'static str),
    /// Who the subject is.
    #[error("the entity is refused: {0}")]
    Entity(&'static str),
    /// Too many.
    #[error("the issuer has {ISSUER_ATTRIBUTES_MAX} accreditations already, ended ones included")]
    Limit,
}

/// Why a schema is rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaRejection {
    /// Too long.
    #[error("the schema has {0} characters; at most {SCHEMA_CHARS_MAX} are allowed: split it")]
    TooLarge(usize),
    /// Not JSON, not canonical, too deep, not an object.
    #[error("the schema is refused: {0}")]
    Malformed(String),
    /// Not JSON Schema 2020-12.
    #[error("$schema must be https://json-schema.org/draft/2020-12/schema")]
    Draft,
    /// Refers to something outside.
    #[error("the schema refers to {0:?}: only references within it ($ref \"#…\") are allowed, copy it in")]
    RemoteReference(String),
    /// The id does not follow from the text.
    #[error("the id of this schema is {expected}: only a Root TAO may publish under another id")]
    Id {
        /// What EBSI's rule gives.
        expected: SchemaId,
    },
    /// Not an accredited issuer.
    #[error("{did} may not publish schemas: {refusal}")]
    NotAccredited {
        /// The author.
        did: Did,
        /// Why.
        refusal: ChainRefusal,
    },
    /// Somebody else's.
    #[error("the schema belongs to {0}: only its first publisher revises it")]
    NotTheOwner(Did),
    /// It exists, and no prev was given; or it does not.
    #[error("the schema was last changed by record {current}: read it, and sign anew with that as prev")]
    Stale {
        /// The record that changed it last.
        current: RecordId,
    },
    /// A revision of nothing.
    #[error("schema {0} is not on the ledger: leave prev out to publish it")]
    Unknown(SchemaId),
    /// Nothing new.
    #[error("the schema is this text already")]
    Unchanged,
}

/// Why a status list is rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatusRejection {
    /// Not an accredited issuer.
    #[error("{did} may not publish status lists: {refusal}")]
    NotAccredited {
        /// The author.
        did: Did,
        /// Why.
        refusal: ChainRefusal,
    },
    /// Size out of range.
    #[error("a status list has 131,072 to 2,097,152 entries, a multiple of 8")]
    Size,
    /// Not one more than the version before.
    #[error("the list's next version is {expected}")]
    Version {
        /// The version to come.
        expected: u64,
    },
    /// Purpose or size differ from the version before.
    #[error("purpose and size of a list never change: begin another list")]
    Changed,
    /// Changed meanwhile.
    #[error("the list was last changed by record {current}: read it, and sign anew with that as prev")]
    Stale {
        /// The record that changed it last.
        current: RecordId,
    },
    /// A next version of nothing.
    #[error("the list is not on the ledger: leave prev out to publish it")]
    Unknown,
    /// The derived tokens' key.
    #[error("the key of the status tokens is refused: {0}")]
    Key(KeyRefusal),
    /// The derived tokens' key is somebody else's.
    #[error("the status tokens must be signed by a key of the list's own issuer")]
    OtherIssuer,
    /// Issued at another time.
    #[error("issued must be within a day of the block's time")]
    Issued,
    /// The attachment was not given, or is not the one.
    #[error("the list's bytes are missing or differ from sha256 and size: send them with the record")]
    Attachment,
    /// A signature over a derived token does not verify.
    #[error("the signature over the {0} does not verify: derive the tokens as FORMATS.md says")]
    Signature(&'static str),
    /// A name that would be a path of its own.
    #[error("a status list's name begins with a letter or a digit")]
    Name,
}

/// The spelling of a reason in records and messages.
fn reason_slug(reason: RevocationReason) -> &'static str {
    match reason {
        RevocationReason::CessationOfOperation => "cessation-of-operation",
        RevocationReason::KeyCompromise => "key-compromise",
        RevocationReason::PrivilegeWithdrawn => "privilege-withdrawn",
        RevocationReason::Superseded => "superseded",
    }
}
