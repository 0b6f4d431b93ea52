//! Why something handed in is not a credential that can be verified: each refusal is one of the stable reasons.

use crate::verify::Reason;

/// Why reading stopped. Nothing in it repeats what the credential attests.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No format that is known here.
    #[error("this is no credential of a known format: {0}")]
    UnknownFormat(&'static str),
    /// Larger than anything that is read.
    #[error("{bytes} bytes are more than the {most} that are read")]
    TooLarge {
        /// What it has.
        bytes: usize,
        /// What is read.
        most: usize,
    },
    /// A container or link that holds no credential.
    #[error("there is no credential in it")]
    NoCredential,
    /// A container that is damaged, or unpacks to more than is read.
    #[error("{0}")]
    Archive(&'static str),
    /// Not made by the rules of its format.
    #[error("{0}")]
    Malformed(String),
    /// A doubled member.
    #[error("the member {0:?} stands twice in one object")]
    DuplicateMember(String),
    /// A member that every credential has is missing.
    #[error("{0} is missing")]
    Incomplete(&'static str),
    /// A disclosure that does not belong to its SD-JWT.
    #[error("{0}")]
    Disclosure(&'static str),
    /// A schema that is named in no way of this ledger.
    #[error("the schema {0:?} is none of this ledger")]
    SchemaUnknown(String),
    /// No signature at all.
    #[error("the signature is missing")]
    SignatureMissing,
    /// An algorithm that is not accepted, or does not belong to the key.
    #[error("{0}")]
    Algorithm(String),
    /// A key id that can be none of the issuer's document.
    #[error("the key id {0:?} is none of a DID document")]
    KeyUnknown(String),
    /// The signature does not verify.
    #[error("the signature does not verify")]
    SignatureInvalid,
    /// Issued by somebody whom no ledger of this kind knows.
    #[error("the issuer {0:?} is no DID of a ledger")]
    ForeignIssuer(String),
    /// A kind of status that is not known here.
    #[error("the status type {0:?} is unknown")]
    StatusUnknown(String),
}

impl Refusal {
    /// The reason that a report gives.
    pub fn reason(&self) -> Reason {
        match self {
            Self::UnknownFormat(_) => Reason::ReadableUnknownFormat,
            Self::TooLarge { .. } => Reason::ReadableTooLarge,
            Self::NoCredential => Reason::ReadableNoCredential,
            Self::Archive(_) => Reason::ReadableArchive,
            Self::Malformed(_) => Reason::ReadableMalformed,
            Self::DuplicateMember(_) => Reason::ReadableDuplicateMembers,
            Self::Incomplete(_) => Reason::ReadableIncomplete,
            Self::Disclosure(_) => Reason::ReadableDisclosure,
            Self::SchemaUnknown(_) => Reason::ReadableSchemaUnknown,
            Self::SignatureMissing => Reason::SignatureMissing,
            Self::Algorithm(_) => Reason::SignatureAlgorithm,
            Self::KeyUnknown(_) => Reason::SignatureKeyUnknown,
            Self::SignatureInvalid => Reason::SignatureInvalid,
            Self::ForeignIssuer(_) => Reason::IssuerForeignDid,
            Self::StatusUnknown(_) => Reason::StatusUnknownList,
        }
    }

    pub(crate) fn malformed(what: &str) -> Self {
        Self::Malformed(what.to_owned())
    }
}
