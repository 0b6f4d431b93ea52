//! Why a change is not made.

use testamur_primitives::units::UnixTime;

use super::change::ChangeId;
use super::limits::{CHANGE_DIPLOMAS_MAX, CONSENT_SKEW_S, OPEN_CHANGES_MAX, PROPOSAL_LIFE_S};
use crate::office::OfficeError;
use crate::staff::{PersonName, StaffError};
use crate::store::{AwardId, AwardKey, State, StoreError};

/// Why a change is not proposed, not approved, or not carried out.
///
/// Awards are named by the university's own ids: texts of these errors are for the person who asked, never for a log.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The persons.
    #[error("{0}")]
    Staff(#[from] StaffError),
    /// The archive.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// Issuing, publishing or verifying.
    #[error("{0}")]
    Office(Box<OfficeError>),
    /// No such change.
    #[error("there is no change {0} at this desk")]
    Unknown(String),
    /// Several changes of that beginning.
    #[error("several changes begin with {0}")]
    Ambiguous(String),
    /// Nothing to change.
    #[error("there is nothing to change")]
    Nothing,
    /// Too many diplomas.
    #[error("a change is of at most {CHANGE_DIPLOMAS_MAX} diplomas, not of {0}")]
    TooMany(usize),
    /// The same award twice.
    #[error("award {0} stands twice in the change")]
    Twice(AwardKey),
    /// Too many open changes.
    #[error("{OPEN_CHANGES_MAX} changes wait already")]
    TooManyOpen,
    /// Nothing was issued for it.
    #[error("nothing was issued for {0}")]
    NotIssued(String),
    /// Several awards of that name.
    #[error("{0} names several awards")]
    AmbiguousAward(String),
    /// The diploma's standing does not allow it.
    #[error("{id}: its diploma is {}: it cannot be {wanted}", state.name())]
    State {
        /// Which award.
        id: AwardId,
        /// How it stands.
        state: State,
        /// What was asked for.
        wanted: &'static str,
    },
    /// The correction says what the diploma says already.
    #[error("{0}: the row is the one that was issued")]
    Unchanged(AwardId),
    /// Another open change is about it.
    #[error("{id}: change {change} is about it already")]
    Busy {
        /// Which award.
        id: AwardId,
        /// The other change.
        change: ChangeId,
    },
    /// The stored text is not what was consented to.
    #[error("the stored change is not the one that was proposed: it was altered")]
    Altered,
    /// Proposer and approver are one.
    #[error("{0} proposed it: somebody else approves it")]
    SamePerson(PersonName),
    /// The signature is not the person's over this change.
    #[error("the consent is not {0}'s to this change")]
    Signature(PersonName),
    /// The consent is of another time than now.
    #[error("the consent's time is more than {CONSENT_SKEW_S} s from this machine's")]
    Clock,
    /// Too late.
    #[error("it could be approved until {0} (POSIX seconds): {days} days from its proposal", days = PROPOSAL_LIFE_S / 86_400)]
    Expired(UnixTime),
    /// Not approved yet.
    #[error("nobody has approved it")]
    NotApproved,
    /// It was approved before.
    #[error("it was approved before")]
    Approved,
    /// It was withdrawn.
    #[error("it was withdrawn")]
    Withdrawn,
    /// Carrying it out has begun.
    #[error("it is approved: it can no longer be withdrawn")]
    Begun,
    /// A verification did not answer as it must.
    #[error("{id}: verification says {found}, not {expected}")]
    Unexpected {
        /// Which award.
        id: AwardId,
        /// The answer's reason.
        found: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// The list is moving.
    #[error("status list {0} was changed by somebody else each time")]
    Moving(String),
    /// The list is not on the ledger.
    #[error("status list {0} is not on the ledger")]
    NoList(String),
    /// No randomness.
    #[error("the operating system gave no random bytes")]
    Random,
}

impl From<OfficeError> for ChangeError {
    fn from(error: OfficeError) -> Self {
        Self::Office(Box::new(error))
    }
}

impl ChangeError {
    /// Stable slug.
    pub fn code(&self) -> &str {
        match self {
            Self::Staff(error) => error.code(),
            Self::Store(error) => error.code(),
            Self::Office(error) => error.code(),
            Self::Unknown(_) => "change.unknown",
            Self::Ambiguous(_) => "change.ambiguous",
            Self::Nothing => "change.nothing",
            Self::TooMany(_) => "change.too-many",
            Self::Twice(_) => "change.twice",
            Self::TooManyOpen => "change.too-many-open",
            Self::NotIssued(_) => "change.not-issued",
            Self::AmbiguousAward(_) => "change.ambiguous-award",
            Self::State { .. } => "change.state",
            Self::Unchanged(_) => "change.unchanged",
            Self::Busy { .. } => "change.busy",
            Self::Altered => "change.altered",
            Self::SamePerson(_) => "change.same-person",
            Self::Signature(_) => "change.signature",
            Self::Clock => "change.clock",
            Self::Expired(_) => "change.expired",
            Self::NotApproved => "change.not-approved",
            Self::Approved => "change.approved",
            Self::Withdrawn => "change.withdrawn",
            Self::Begun => "change.begun",
            Self::Unexpected { .. } => "change.verification",
            Self::Moving(_) => "change.list-moving",
            Self::NoList(_) => "change.no-list",
            Self::Random => "change.random",
        }
    }

    /// What to do about it; empty when there is nothing to say.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Staff(error) => error.hint(),
            Self::Store(_) => "look at the home's disk, or restore diplomas/ from its backup",
            Self::Office(_) => "once the cause is gone, go on: `testamur diploma changes resume`",
            Self::Unknown(_) | Self::Ambiguous(_) => "`testamur diploma changes list` names them",
            Self::Nothing => "name at least one diploma, or a row that differs from what was issued",
            Self::TooMany(_) => "make several changes of it",
            Self::Twice(_) => "name each award once",
            Self::TooManyOpen => "approve or withdraw some first: `testamur diploma changes list`",
            Self::NotIssued(_) => {
                "`testamur diploma list` shows what was issued; new awards go to `testamur diploma issue`"
            }
            Self::AmbiguousAward(_) => "name it as REGISTRAR-ID/AWARD-ID",
            Self::State { state: State::Suspended, .. } => "reinstate it first: `testamur diploma reinstate`",
            Self::State { .. } => "`testamur diploma show ID` tells how it stands",
            Self::Unchanged(_) => "leave it out",
            Self::Busy { .. } => "let that change be approved, or withdraw it: `testamur diploma changes withdraw`",
            Self::Altered => "propose it again, and find out who wrote to the desk's home",
            Self::SamePerson(_) => "ask another person of the desk: `testamur diploma approve CHANGE --by NAME`",
            Self::Signature(_) => "use that person's own key, on this change",
            Self::Clock => "set this machine's clock",
            Self::Expired(_) => "propose it again",
            Self::NotApproved => "another person runs `testamur diploma approve CHANGE --by NAME`",
            Self::Approved | Self::Begun => "`testamur diploma changes show CHANGE` tells how far it is",
            Self::Withdrawn => "propose it again",
            Self::Unexpected { .. } => {
                "verify it by hand (`testamur diploma verify`), then `testamur diploma changes resume`"
            }
            Self::Moving(_) => {
                "is another desk at work with the same key? Then try again: `testamur diploma changes resume`"
            }
            Self::NoList(_) => "ask the nodes' operators: a list that was published does not go away",
            Self::Random => "",
        }
    }

    /// Whether the process must stop: an archive that cannot be written to.
    pub fn is_fatal(&self) -> bool {
        matches!(self, Self::Random)
    }
}
