//! Why a governance act is rejected.

use testamur_primitives::did::Did;
use testamur_primitives::hash::{Address, RecordId};
use testamur_primitives::limits::{OPERATORS_MAX, PROPOSAL_LIFE_S_MAX, VALIDATORS_MAX, VALIDATORS_MIN};
use testamur_primitives::record::Algorithm;
use testamur_primitives::units::{Height, UnixTime};

use crate::limits::ACTIVATION_HEIGHTS_MAX;

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
    /// The DID's key serves an operator, a validator, or a writer under its other spelling, or did.
    #[error("the key of {0} already has or had another part in the network: every role needs a key of its own")]
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
    /// The change is what is already.
    #[error("the change changes nothing: name at least one thing that is otherwise now")]
    NothingChanges,
    /// The height lies too far ahead.
    #[error("from is height {from}, more than {ACTIVATION_HEIGHTS_MAX} heights ahead: name one up to {most}")]
    FromTooFar {
        /// The height in the change.
        from: Height,
        /// The last one possible now.
        most: Height,
    },
    /// A registration is malformed.
    #[error("the registration of validator {name} is refused: {reason}")]
    Registration {
        /// Its key name.
        name: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// More validators would change at once than the old set can vouch for.
    #[error(
        "{named} validators are named, at most {most} of this network's may be added, removed or rotated in one change"
    )]
    TooManyAtOnce {
        /// How many the change names.
        named: usize,
        /// How many it may name.
        most: usize,
    },
    /// Too few or too many validators afterwards.
    #[error(
        "the network would have {0} validators: {VALIDATORS_MIN} to {VALIDATORS_MAX} are needed, so add one before another leaves"
    )]
    SetSize(usize),
    /// The set that comes of the change is none.
    #[error("the set that comes of the change is refused: {0}")]
    Set(&'static str),
    /// Another change of the set is under way.
    #[error("another change of the validator set is under way: wait until it is in force, or withdraw it")]
    SetChangePending,
    /// Nothing to withdraw.
    #[error("no change of the validator set waits for synced records: there is nothing to withdraw")]
    NoSetChange,
    /// No member of the set.
    #[error("{0} is no validator of the newest set: take the address from `testamur governance show`")]
    ValidatorUnknown(Address),
    /// One that stands in the change twice.
    #[error("{0} is named twice in one change")]
    NamedTwice(String),
    /// A name that is or was another's.
    #[error("the name {0} is or was a validator's: a new validator needs a name of its own")]
    NameInUse(String),
    /// A key that is or was somebody's.
    #[error("the {kind} key of validator {name} is or was in use: make new keys")]
    ValidatorKeyInUse {
        /// The validator's key name.
        name: String,
        /// `consensus`, `log` or `peer`.
        kind: &'static str,
    },
    /// A rotation that keeps the consensus key.
    #[error("the rotation of validator {0} names its old consensus key: make a new one")]
    OldKey(String),
    /// A rotation that gives another name.
    #[error("the rotation of validator {current} names it {given}: a validator keeps its name")]
    Renamed {
        /// Its name.
        current: String,
        /// The name in the change.
        given: String,
    },
    /// The registration has ended.
    #[error("the keys of validator {name} ended at {not_after} (block time {time}): register them for longer")]
    NotAfter {
        /// The validator's key name.
        name: String,
        /// Its end.
        not_after: UnixTime,
        /// Time of the block.
        time: UnixTime,
    },
    /// Not in office.
    #[error("{0} is not an operator in office: only such are removed or rotated")]
    OperatorUnknown(Did),
    /// In office already.
    #[error("the key of {0} is an operator's already")]
    AlreadyAnOperator(Did),
    /// Was in office.
    #[error("the key of {0} was an operator's and never becomes one's again: make a new key")]
    FormerOperator(Did),
    /// Name or country malformed.
    #[error("name or country of operator {0} is malformed: 1 to 200 bytes, and two capital letters")]
    OperatorMalformed(Did),
    /// No operators, or too many.
    #[error("the network would have {0} operators: 1 to {OPERATORS_MAX} are needed")]
    OperatorCount(usize),
    /// m does not fit n.
    #[error(
        "{approvals_required} approvals of {operators} operators: more than half, and one less than all at most, are needed"
    )]
    Threshold {
        /// m afterwards.
        approvals_required: u32,
        /// n afterwards.
        operators: usize,
    },
    /// A role for a key of a kind that was retired.
    #[error("{did} has a key of kind {kind}, which was retired: take a key of another kind")]
    RetiredKind {
        /// The DID.
        did: Did,
        /// Its kind.
        kind: Algorithm,
    },
    /// Parameters out of bounds.
    #[error("the parameters are refused: {0}")]
    Parameters(&'static str),
    /// Other parameters are to come.
    #[error("other parameters hold from height {0} on: propose after that")]
    ParametersPending(Height),
    /// Not a later protocol.
    #[error("protocol {given} is not above protocol {current}: protocols only go up")]
    Protocol {
        /// In the change.
        given: u32,
        /// In force, or to come.
        current: u32,
    },
    /// Another protocol is to come.
    #[error("another protocol holds from height {0} on: propose after that")]
    ProtocolPending(Height),
    /// Retired already.
    #[error("{0} is retired already, or will be")]
    AlreadyRetired(Algorithm),
    /// Nothing could be notarised.
    #[error("{0} is the last digest algorithm: without it nothing could be notarised")]
    LastDigestAlgorithm(Algorithm),
    /// An operator could not sign any more.
    #[error("{operator} signs with {kind}: rotate the operators' keys first")]
    OperatorsKind {
        /// An operator in office.
        operator: Did,
        /// The kind of its key.
        kind: Algorithm,
    },
    /// Hosts malformed.
    #[error("the page's hosts are refused: {0}")]
    Hosts(&'static str),
}
