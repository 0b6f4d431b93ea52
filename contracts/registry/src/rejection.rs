//! Why a record may not enter the ledger: a closed set, part of the protocol.
//!
//! A rejection is given to the submitter and never stored: a record that fails is in no block. Slugs and numbers are
//! stable: 100–149 `record.*` (form, signature, admission: the primitives' [`RecordError`]), 150–199 `admission.*`,
//! 200–249 `notary.*`, 250–299 `governance.*`. Messages say what to do; they may be reworded, codes may not.

use testamur_primitives::did::Did;
use testamur_primitives::hash::RecordId;
use testamur_primitives::limits::PROPOSAL_LIFE_S_MAX;
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
    /// A governance act against the rules.
    #[error(transparent)]
    Governance(#[from] GovernanceRejection),
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
    #[error("{0} cannot write: protocol 1 knows did:key with an Ed25519, P-256, P-384 or secp256k1 key")]
    UnusableDid(Did),
    /// The DID's key serves an operator, a validator, or a writer under its other spelling.
    #[error(
        "the key of {0} already serves an operator, a validator or another writer: a writer needs a key of its own"
    )]
    KeyInUse(Did),
    /// The role was revoked because the key was compromised.
    #[error("the key of {0} was reported compromised: grant the role to a new DID")]
    KeyCompromised(Did),
}

impl Rejection {
    /// Stable slug and number.
    pub fn code(&self) -> (&'static str, u16) {
        match self {
            Self::Record(error) => error.code(),
            Self::Admission(rejection) => rejection.code(),
            Self::Notary(rejection) => rejection.code(),
            Self::Governance(rejection) => rejection.code(),
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
