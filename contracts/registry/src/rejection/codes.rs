//! Slugs and numbers of rejections: stable, part of the protocol.

use testamur_primitives::identity::KeyRefusal;
use testamur_primitives::issuers::accreditation::OutOfScope;

use super::{
    AdmissionRejection, DidRejection, DossierRejection, GovernanceRejection, IssuerRejection, NetworkRejection,
    NotaryRejection, Rejection, SchemaRejection, StatusRejection,
};

/// Every code of this crate, in order of its number; those of records are the primitives'.
pub const CODES: &[(&str, u16)] = &[
    ("admission.duplicate", 150),
    ("admission.algorithm-retired", 151),
    ("notary.not-a-writer", 200),
    ("notary.writer-revoked", 201),
    ("notary.algorithm-retired", 202),
    ("dossier.unknown", 220),
    ("dossier.not-an-owner", 221),
    ("dossier.stale", 222),
    ("dossier.owner", 223),
    ("dossier.content", 224),
    ("governance.not-an-operator", 250),
    ("governance.version-mismatch", 251),
    ("governance.proposal-unknown", 252),
    ("governance.proposal-expired", 253),
    ("governance.already-approved", 254),
    ("governance.already-executed", 255),
    ("governance.already-a-writer", 256),
    ("governance.not-a-writer", 257),
    ("governance.proposal-lapsed", 258),
    ("governance.proposal-life", 259),
    ("governance.unusable-did", 260),
    ("governance.key-in-use", 261),
    ("governance.key-compromised", 262),
    ("governance.thumbprint", 263),
    ("governance.already-admitted", 264),
    ("governance.nothing-changes", 265),
    ("governance.from-too-far", 266),
    ("governance.registration", 267),
    ("governance.too-many-at-once", 268),
    ("governance.set-size", 269),
    ("governance.set", 270),
    ("governance.set-change-pending", 271),
    ("governance.no-set-change", 272),
    ("governance.validator-unknown", 273),
    ("governance.named-twice", 274),
    ("governance.name-in-use", 275),
    ("governance.validator-key-in-use", 276),
    ("governance.old-key", 277),
    ("governance.renamed", 278),
    ("governance.not-after", 279),
    ("governance.operator-unknown", 280),
    ("governance.already-an-operator", 281),
    ("governance.former-operator", 282),
    ("governance.operator-malformed", 283),
    ("governance.operator-count", 284),
    ("governance.threshold", 285),
    ("governance.retired-kind", 286),
    ("governance.parameters", 287),
    ("governance.parameters-pending", 288),
    ("governance.protocol", 289),
    ("governance.protocol-pending", 290),
    ("governance.already-retired", 291),
    ("governance.last-digest-algorithm", 292),
    ("governance.operators-kind", 293),
    ("governance.hosts", 294),
    ("did.not-registered", 300),
    ("did.deactivated", 301),
    ("did.unknown-key", 302),
    ("did.key-not-granted", 303),
    ("did.key-not-yet-valid", 304),
    ("did.key-expired", 305),
    ("did.key-revoked", 306),
    ("did.key-compromised", 307),
    ("did.already-registered", 308),
    ("did.form", 309),
    ("did.not-a-controller", 310),
    ("did.stale", 311),
    ("did.not-authorised", 312),
    ("did.authorisation", 313),
    ("did.other-key", 314),
    ("did.locked-out", 315),
    ("did.limit", 316),
    ("did.malformed-key", 317),
    ("did.window", 318),
    ("did.change", 319),
    ("did.document", 320),
    ("issuer.unknown-attribute", 350),
    ("issuer.attribute-taken", 351),
    ("issuer.not-the-accreditor", 352),
    ("issuer.not-the-subject", 353),
    ("issuer.stale", 354),
    ("issuer.parent", 355),
    ("issuer.type", 356),
    ("issuer.self-accreditation", 357),
    ("issuer.circle", 358),
    ("issuer.too-deep", 359),
    ("issuer.credential", 360),
    ("issuer.credential-key", 361),
    ("issuer.signature", 362),
    ("issuer.scope-schema", 363),
    ("issuer.scope-type", 364),
    ("issuer.scope-jurisdiction", 365),
    ("issuer.dates", 366),
    ("issuer.ended", 367),
    ("issuer.end-date", 368),
    ("issuer.entity", 369),
    ("issuer.limit", 370),
    ("schema.too-large", 400),
    ("schema.malformed", 401),
    ("schema.draft", 402),
    ("schema.remote-reference", 403),
    ("schema.id", 404),
    ("schema.not-accredited", 405),
    ("schema.not-the-owner", 406),
    ("schema.stale", 407),
    ("schema.unknown", 408),
    ("schema.unchanged", 409),
    ("status.not-accredited", 450),
    ("status.size", 451),
    ("status.version", 452),
    ("status.changed", 453),
    ("status.stale", 454),
    ("status.unknown", 455),
    ("status.key", 456),
    ("status.other-issuer", 457),
    ("status.issued", 458),
    ("status.attachment", 459),
    ("status.signature", 460),
    ("status.name", 461),
    ("network.not-awaited", 500),
    ("network.key", 501),
    ("network.already-synced", 502),
    ("network.height", 503),
    ("network.not-after", 504),
];

impl Rejection {
    /// Stable slug and number.
    pub fn code(&self) -> (&'static str, u16) {
        match self {
            Self::Record(error) => error.code(),
            Self::Admission(rejection) => rejection.code(),
            Self::Notary(rejection) => rejection.code(),
            Self::Dossier(rejection) => rejection.code(),
            Self::Governance(rejection) => rejection.code(),
            Self::Network(rejection) => rejection.code(),
            Self::Did(rejection) => rejection.code(),
            Self::Issuer(rejection) => rejection.code(),
            Self::Schema(rejection) => rejection.code(),
            Self::Status(rejection) => rejection.code(),
        }
    }
}

impl AdmissionRejection {
    /// Stable slug and number; both kinds of duplicates are one code, since both mean: do not send this again.
    pub fn code(&self) -> (&'static str, u16) {
        match self {
            Self::AlgorithmRetired(_) => ("admission.algorithm-retired", 151),
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
            Self::AlgorithmRetired(_) => ("notary.algorithm-retired", 202),
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
            Self::NothingChanges => ("governance.nothing-changes", 265),
            Self::FromTooFar { .. } => ("governance.from-too-far", 266),
            Self::Registration { .. } => ("governance.registration", 267),
            Self::TooManyAtOnce { .. } => ("governance.too-many-at-once", 268),
            Self::SetSize(_) => ("governance.set-size", 269),
            Self::Set(_) => ("governance.set", 270),
            Self::SetChangePending => ("governance.set-change-pending", 271),
            Self::NoSetChange => ("governance.no-set-change", 272),
            Self::ValidatorUnknown(_) => ("governance.validator-unknown", 273),
            Self::NamedTwice(_) => ("governance.named-twice", 274),
            Self::NameInUse(_) => ("governance.name-in-use", 275),
            Self::ValidatorKeyInUse { .. } => ("governance.validator-key-in-use", 276),
            Self::OldKey(_) => ("governance.old-key", 277),
            Self::Renamed { .. } => ("governance.renamed", 278),
            Self::NotAfter { .. } => ("governance.not-after", 279),
            Self::OperatorUnknown(_) => ("governance.operator-unknown", 280),
            Self::AlreadyAnOperator(_) => ("governance.already-an-operator", 281),
            Self::FormerOperator(_) => ("governance.former-operator", 282),
            Self::OperatorMalformed(_) => ("governance.operator-malformed", 283),
            Self::OperatorCount(_) => ("governance.operator-count", 284),
            Self::Threshold { .. } => ("governance.threshold", 285),
            Self::RetiredKind { .. } => ("governance.retired-kind", 286),
            Self::Parameters(_) => ("governance.parameters", 287),
            Self::ParametersPending(_) => ("governance.parameters-pending", 288),
            Self::Protocol { .. } => ("governance.protocol", 289),
            Self::ProtocolPending(_) => ("governance.protocol-pending", 290),
            Self::AlreadyRetired(_) => ("governance.already-retired", 291),
            Self::LastDigestAlgorithm(_) => ("governance.last-digest-algorithm", 292),
            Self::OperatorsKind { .. } => ("governance.operators-kind", 293),
            Self::Hosts(_) => ("governance.hosts", 294),
        }
    }
}

impl NetworkRejection {
    /// Stable slug and number.
    pub fn code(&self) -> (&'static str, u16) {
        match self {
            Self::NotAwaited(_) => ("network.not-awaited", 500),
            Self::Key(_) => ("network.key", 501),
            Self::AlreadySynced(_) => ("network.already-synced", 502),
            Self::Height { .. } => ("network.height", 503),
            Self::NotAfter { .. } => ("network.not-after", 504),
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
