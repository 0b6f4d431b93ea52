//! Why a record may not enter the ledger: a closed set, part of the protocol.
//!
//! A rejection is given to the submitter and never stored: a record that fails is in no block. Slugs and numbers are
//! stable: 100–149 `record.*` (form, signature, admission: the primitives' [`RecordError`]), 150–199 `admission.*`,
//! 200–219 `notary.*`, 220–249 `dossier.*`, 250–299 `governance.*`, 300–349 `did.*`, 350–399 `issuer.*`, 400–449
//! `schema.*`, 450–499 `status.*`. Messages say what to do; they may be reworded, codes may not.

use testamur_primitives::did::Did;
use testamur_primitives::hash::{AttributeId, RecordId, SchemaId};
use testamur_primitives::identity::KeyRefusal;
use testamur_primitives::issuers::accreditation::OutOfScope;
use testamur_primitives::issuers::chain::ChainRefusal;
use testamur_primitives::limits::{CHAIN_LINKS_MAX, ISSUER_ATTRIBUTES_MAX, PROPOSAL_LIFE_S_MAX, SCHEMA_CHARS_MAX};
use testamur_primitives::record::{RecordError, RevocationReason};
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
}

/// Why a governance act is rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GovernanceRejection {
    /// The author holds no office.
    #[error("{0} is not an operator in office: only operators propose and approve")]
    NotAnOperator(Did),
    /// The act was signed for another governance version.
    #[error(
        "the act is bound to governance version {given}, the ledger is at {current}: look at the change again and sign anew"
    )]
    VersionMismatch {
        /// Version in the act.
        given: u64,
        /// Version in force.
        current: u64,
    },
    /// No such proposal.
    #[error("no proposal {0} is on the ledger: the id of a proposal is that of its record")]
    ProposalUnknown(RecordId),
    /// The proposal's time is over.
    #[error("the proposal expired at {expires} (block time {time}): propose anew")]
    ProposalExpired {
        /// When it lapsed.
        expires: UnixTime,
        /// Time of the block.
        time: UnixTime,
    },
    /// This operator has approved it before.
    #[error("{0} has already approved this proposal: another operator's approval is needed")]
    AlreadyApproved(Did),
    /// The proposal has been carried out.
    #[error("the proposal was executed at {0}: nothing is left to approve")]
    AlreadyExecuted(UnixTime),
    /// Granting what is held.
    #[error("{0} is already a writer")]
    AlreadyAWriter(Did),
    /// Revoking what is not held.
    #[error("{0} is not a writer: there is nothing to revoke")]
    NotAWriter(Did),
    /// Another change came first.
    #[error("another change was executed after this proposal (version {bound}, now {current}): propose anew")]
    ProposalLapsed {
        /// Version the proposal is bound to.
        bound: u64,
        /// Version in force.
        current: u64,
    },
    /// The proposal would live too long, or no time at all.
    #[error("expires must be after iat, by at most {PROPOSAL_LIFE_S_MAX} s")]
    ProposalLife,
    /// The DID names no key that could sign a record.
    #[error(
        "{0} cannot write: protocol 1 knows did:key with an Ed25519, P-256, P-384 or secp256k1 key, and DIDs of the ledger"
    )]
    UnusableDid(Did),
    /// The DID's key serves an operator, a validator, or a writer under its other spelling.
    #[error(
        "the key of {0} already serves an operator, a validator or another writer: a writer needs a key of its own"
    )]
    KeyInUse(Did),
    /// Not a thumbprint.
    #[error("jkt must be the RFC 7638 SHA-256 thumbprint of a key: 43 characters of base64url")]
    Thumbprint,
    /// Nothing would change.
    #[error("{0} is admitted with this key already: it can register now")]
    AlreadyAdmitted(Did),
    /// The role was revoked because the key was compromised.
    #[error("the key of {0} was reported compromised: grant the role to a new DID")]
    KeyCompromised(Did),
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

impl Rejection {
    /// Stable slug and number.
    pub fn code(&self) -> (&'static str, u16) {
        match self {
            Self::Record(error) => error.code(),
            Self::Admission(rejection) => rejection.code(),
            Self::Notary(rejection) => rejection.code(),
            Self::Dossier(rejection) => rejection.code(),
            Self::Governance(rejection) => rejection.code(),
            Self::Did(rejection) => rejection.code(),
            Self::Issuer(rejection) => rejection.code(),
            Self::Schema(rejection) => rejection.code(),
            Self::Status(rejection) => rejection.code(),
        }
    }
}

impl AdmissionRejection {
    /// Stable slug and number; both cases are one code, since both mean: do not send this again.
    pub fn code(&self) -> (&'static str, u16) {
        match self {
            Self::DuplicateRecord | Self::DuplicateJti => ("admission.duplicate", 150),
        }
    }
}

impl NotaryRejection {
    /// Stable slug and number.
    pub fn code(&self) -> (&'static str, u16) {
        match self {
            Self::NotAWriter(_) => ("notary.not-a-writer", 200),
            Self::WriterRevoked { .. } => ("notary.writer-revoked", 201),
        }
    }
}

impl GovernanceRejection {
    /// Stable slug and number.
    pub fn code(&self) -> (&'static str, u16) {
        match self {
            Self::NotAnOperator(_) => ("governance.not-an-operator", 250),
            Self::VersionMismatch { .. } => ("governance.version-mismatch", 251),
            Self::ProposalUnknown(_) => ("governance.proposal-unknown", 252),
            Self::ProposalExpired { .. } => ("governance.proposal-expired", 253),
            Self::AlreadyApproved(_) => ("governance.already-approved", 254),
            Self::AlreadyExecuted(_) => ("governance.already-executed", 255),
            Self::AlreadyAWriter(_) => ("governance.already-a-writer", 256),
            Self::NotAWriter(_) => ("governance.not-a-writer", 257),
            Self::ProposalLapsed { .. } => ("governance.proposal-lapsed", 258),
            Self::ProposalLife => ("governance.proposal-life", 259),
            Self::UnusableDid(_) => ("governance.unusable-did", 260),
            Self::KeyInUse(_) => ("governance.key-in-use", 261),
            Self::KeyCompromised(_) => ("governance.key-compromised", 262),
            Self::Thumbprint => ("governance.thumbprint", 263),
            Self::AlreadyAdmitted(_) => ("governance.already-admitted", 264),
        }
    }
}

impl DossierRejection {
    /// Stable slug and number.
    pub fn code(&self) -> (&'static str, u16) {
        match self {
            Self::Unknown(_) => ("dossier.unknown", 220),
            Self::NotAnOwner(_) => ("dossier.not-an-owner", 221),
            Self::Stale { .. } => ("dossier.stale", 222),
            Self::Owner { .. } => ("dossier.owner", 223),
            Self::Content(_) => ("dossier.content", 224),
        }
    }
}

impl DidRejection {
    /// Stable slug and number.
    pub fn code(&self) -> (&'static str, u16) {
        match self {
            Self::NotRegistered(_) => ("did.not-registered", 300),
            Self::Deactivated(_) => ("did.deactivated", 301),
            Self::Key { reason: KeyRefusal::Unknown, .. } => ("did.unknown-key", 302),
            Self::Key { reason: KeyRefusal::NotGranted, .. } => ("did.key-not-granted", 303),
            Self::Key { reason: KeyRefusal::NotYetValid, .. } => ("did.key-not-yet-valid", 304),
            Self::Key { reason: KeyRefusal::Expired, .. } => ("did.key-expired", 305),
            Self::Key { reason: KeyRefusal::Revoked, .. } => ("did.key-revoked", 306),
            Self::Key { reason: KeyRefusal::Compromised, .. } => ("did.key-compromised", 307),
            Self::AlreadyRegistered(_) => ("did.already-registered", 308),
            Self::Form { .. } => ("did.form", 309),
            Self::NotAController { .. } => ("did.not-a-controller", 310),
            Self::Stale { .. } => ("did.stale", 311),
            Self::NotAuthorised(_) => ("did.not-authorised", 312),
            Self::Authorisation(_) => ("did.authorisation", 313),
            Self::OtherKey(_) => ("did.other-key", 314),
            Self::LockedOut => ("did.locked-out", 315),
            Self::Limit { .. } => ("did.limit", 316),
            Self::MalformedKey => ("did.malformed-key", 317),
            Self::Window(_) => ("did.window", 318),
            Self::Change { .. } => ("did.change", 319),
            Self::Document(_) => ("did.document", 320),
        }
    }
}

impl IssuerRejection {
    /// Stable slug and number.
    pub fn code(&self) -> (&'static str, u16) {
        match self {
            Self::Unknown(_) => ("issuer.unknown-attribute", 350),
            Self::Taken(_) => ("issuer.attribute-taken", 351),
            Self::NotTheAccreditor(_) => ("issuer.not-the-accreditor", 352),
            Self::NotTheSubject(_) => ("issuer.not-the-subject", 353),
            Self::Stale { .. } => ("issuer.stale", 354),
            Self::Parent(_) => ("issuer.parent", 355),
            Self::Type(_) => ("issuer.type", 356),
            Self::SelfAccreditation => ("issuer.self-accreditation", 357),
            Self::Circle(_) => ("issuer.circle", 358),
            Self::TooDeep => ("issuer.too-deep", 359),
            Self::Credential(_) => ("issuer.credential", 360),
            Self::CredentialKey(_) => ("issuer.credential-key", 361),
            Self::Signature => ("issuer.signature", 362),
            Self::Scope(OutOfScope::Schema(_)) => ("issuer.scope-schema", 363),
            Self::Scope(OutOfScope::Type(_)) => ("issuer.scope-type", 364),
            Self::Scope(OutOfScope::Jurisdiction(_)) => ("issuer.scope-jurisdiction", 365),
            Self::Dates(_) => ("issuer.dates", 366),
            Self::Ended => ("issuer.ended", 367),
            Self::EndDate(_) => ("issuer.end-date", 368),
            Self::Entity(_) => ("issuer.entity", 369),
            Self::Limit => ("issuer.limit", 370),
        }
    }
}

impl SchemaRejection {
    /// Stable slug and number.
    pub fn code(&self) -> (&'static str, u16) {
        match self {
            Self::TooLarge(_) => ("schema.too-large", 400),
            Self::Malformed(_) => ("schema.malformed", 401),
            Self::Draft => ("schema.draft", 402),
            Self::RemoteReference(_) => ("schema.remote-reference", 403),
            Self::Id { .. } => ("schema.id", 404),
            Self::NotAccredited { .. } => ("schema.not-accredited", 405),
            Self::NotTheOwner(_) => ("schema.not-the-owner", 406),
            Self::Stale { .. } => ("schema.stale", 407),
            Self::Unknown(_) => ("schema.unknown", 408),
            Self::Unchanged => ("schema.unchanged", 409),
        }
    }
}

impl StatusRejection {
    /// Stable slug and number.
    pub fn code(&self) -> (&'static str, u16) {
        match self {
            Self::NotAccredited { .. } => ("status.not-accredited", 450),
            Self::Size => ("status.size", 451),
            Self::Version { .. } => ("status.version", 452),
            Self::Changed => ("status.changed", 453),
            Self::Stale { .. } => ("status.stale", 454),
            Self::Unknown => ("status.unknown", 455),
            Self::Key(_) => ("status.key", 456),
            Self::OtherIssuer => ("status.other-issuer", 457),
            Self::Issued => ("status.issued", 458),
            Self::Attachment => ("status.attachment", 459),
            Self::Signature(_) => ("status.signature", 460),
            Self::Name => ("status.name", 461),
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Codes are part of the protocol: this table may grow, and no line of it may change.
    #[test]
    fn every_code_is_pinned_and_every_message_says_what_to_do() {
        let did: Did = "did:key:z6Mk".parse().unwrap();
        let (id, time) = (RecordId::from_bytes([7; 32]), UnixTime(5));
        let revoked = |reason| NotaryRejection::WriterRevoked { did: did.clone(), reason, time };
        use GovernanceRejection as G;
        let table: Vec<(Rejection, &str, u16, &str)> = vec![
            (RecordError::Type.into(), "record.type", 104, "typ must be"),
            (AdmissionRejection::DuplicateRecord.into(), "admission.duplicate", 150, "ask for its receipt"),
            (AdmissionRejection::DuplicateJti.into(), "admission.duplicate", 150, "give every record its own"),
            (NotaryRejection::NotAWriter(did.clone()).into(), "notary.not-a-writer", 200, "ask its operators"),
            (
                revoked(RevocationReason::KeyCompromise).into(),
                "notary.writer-revoked",
                201,
                "revoked at 5 (key-compromise)",
            ),
            (
                revoked(RevocationReason::CessationOfOperation).into(),
                "notary.writer-revoked",
                201,
                "(cessation-of-operation)",
            ),
            (
                revoked(RevocationReason::PrivilegeWithdrawn).into(),
                "notary.writer-revoked",
                201,
                "(privilege-withdrawn)",
            ),
            (revoked(RevocationReason::Superseded).into(), "notary.writer-revoked", 201, "(superseded)"),
            (G::NotAnOperator(did.clone()).into(), "governance.not-an-operator", 250, "only operators"),
            (G::VersionMismatch { given: 1, current: 2 }.into(), "governance.version-mismatch", 251, "sign anew"),
            (G::ProposalUnknown(id).into(), "governance.proposal-unknown", 252, "07070707"),
            (G::ProposalExpired { expires: time, time }.into(), "governance.proposal-expired", 253, "propose anew"),
            (G::AlreadyApproved(did.clone()).into(), "governance.already-approved", 254, "another operator"),
            (G::AlreadyExecuted(time).into(), "governance.already-executed", 255, "nothing is left"),
            (G::AlreadyAWriter(did.clone()).into(), "governance.already-a-writer", 256, "already a writer"),
            (G::NotAWriter(did.clone()).into(), "governance.not-a-writer", 257, "nothing to revoke"),
            (G::ProposalLapsed { bound: 1, current: 2 }.into(), "governance.proposal-lapsed", 258, "propose anew"),
            (G::ProposalLife.into(), "governance.proposal-life", 259, "7776000 s"),
            (G::UnusableDid(did.clone()).into(), "governance.unusable-did", 260, "knows did:key"),
            (G::KeyInUse(did.clone()).into(), "governance.key-in-use", 261, "a key of its own"),
            (G::KeyCompromised(did.clone()).into(), "governance.key-compromised", 262, "to a new DID"),
        ];
        for (rejection, slug, number, words) in table {
            assert_eq!(rejection.code(), (slug, number));
            let message = rejection.to_string();
            assert!(message.contains(words), "{slug}: {message}");
        }
    }
}
