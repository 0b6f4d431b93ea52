//! Corrections and withdrawals: proposed by one person, approved by another, carried out to the end.
//!
//! ```text
//! propose ──▶ Proposed ──approve──▶ Approved ─┬─ correct ──▶ Replacing ──▶ Publishing ──▶ Verifying ──▶ Done
//!                │                            ├─ revoke, suspend, reinstate ──▶ Publishing ─▶ …
//!                └─withdraw──▶ Withdrawn      └─ join, leave ─────────────────────────────────────────▶ Done
//! ```
//! Every arrow is one durable commit, and every step can be taken again: a crash anywhere is gone on from by
//! [`Office::resume_changes`].
//!
//! - *Replacing*: the corrected editions are issued under fresh status entries and anchored under one record. Nothing in them names
//!   what they replace, so a change of name leaves no trace in the hands of others.
//! - *Publishing*: the old editions' bits, in `-replaced` first and then in the list itself: whoever looks in between reads
//!   "replaced" or still "valid", never a bare "revoked". Withdrawals set or clear the bits of their one list.
//! - *Verifying*: each diploma is verified as anybody else would do it, from the ledger; only the expected answers end the change.
//!
//! INV-CHANGE-1 is in [`consent`]. Further:
//! - INV-CHANGE-2: once begun, a change is completed or goes on: the new edition and the old one's withdrawal both come about. It
//!   is never undone half-way, and the old diploma is not withdrawn before the new one is in force.
//! - INV-CHANGE-3: two open changes are never about one award, and a diploma's standing allows the change when it is proposed and
//!   again when it is begun.
//!
//! The change, its consents, reasons and answers stay in the archive, sealed. No name, reason or row goes to the ledger or a log.

pub mod carry;
pub mod change;
pub mod consent;
mod error;
pub mod limits;
pub mod preview;

use serde::{Deserialize, Serialize};
use testamur_credentials::credential::Format;
use testamur_primitives::record::Bytes;
use testamur_primitives::units::UnixTime;

use crate::office::{Office, OfficeError};
use crate::staff::{self, Person, PersonName, Staff};
use crate::store::{Award, DiplomaKey, Draft, JobId, State, StoreError};
pub use change::{Action, Change, ChangeId, Correction, ReinstateReason, RevokeReason, SuspendReason};
pub use consent::{By, Consent, Role};
pub use error::ChangeError;
use limits::OPEN_CHANGES_MAX;

/// The store's documents of changes, by id.
pub const KIND: &str = "change";

/// How far a change has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "kebab-case")]
pub enum Stage {
    /// Waits for a second person.
    Proposed,
    /// Two persons have consented; nothing is begun.
    Approved,
    /// The corrected editions are being issued.
    Replacing {
        /// By this job.
        job: JobId,
    },
    /// Bits are being published.
    Publishing,
    /// Bits are published; each diploma is verified.
    Verifying,
    /// Carried out, and verified.
    Done {
        /// When.
        time: UnixTime,
    },
    /// Given up before it was approved.
    Withdrawn {
        /// By whom.
        person: PersonName,
        /// When.
        time: UnixTime,
    },
}

impl Stage {
    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Approved => "approved",
            Self::Replacing { .. } => "replacing",
            Self::Publishing => "publishing",
            Self::Verifying => "verifying",
            Self::Done { .. } => "done",
            Self::Withdrawn { .. } => "withdrawn",
        }
    }

    /// Whether nothing more happens.
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Done { .. } | Self::Withdrawn { .. })
    }

    /// Whether it was approved and is not done.
    pub fn is_under_way(&self) -> bool {
        !self.is_closed() && *self != Self::Proposed
    }
}

/// What verification said of a diploma after the change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// Which diploma.
    pub diploma: DiplomaKey,
    /// Which credential of it.
    pub format: Format,
    /// The verdict.
    pub verdict: String,
    /// The reason's code.
    pub reason: String,
}

/// A change as the archive keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeFile {
    /// Its id, by which it is found.
    pub id: ChangeId,
    /// What is consented to.
    pub change: Change,
    /// Who made it.
    pub proposal: Consent,
    /// Who approved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Consent>,
    /// How far it is.
    pub stage: Stage,
    /// What verification said at the end.
    #[serde(default)]
    pub answers: Vec<Answer>,
}

impl Office {
    /// Everybody who is or was at the desk.
    pub fn staff(&self) -> Result<Staff, ChangeError> {
        let persons = self.store.all::<Person>(staff::KIND)?;
        Ok(Staff::new(persons.into_iter().map(|(_, person)| person).collect()))
    }

    /// Sets down one of the first two persons (INV-STAFF-1): whoever comes later joins by a change.
    pub fn found_staff(&self, name: &PersonName, key: Bytes, now: UnixTime) -> Result<(), ChangeError> {
        let staff = self.staff()?;
        staff.check_join(name, &key)?;
        if !staff.is_open() {
            return Err(ChangeError::NotApproved);
        }
        let person = Person { name: name.clone(), key, since: now, left: None };
        self.store
            .write(|commit| commit.put(staff::KIND, name.as_str(), &person))
            .map_err(|error: StoreError| error.into())
    }

    /// Begins a change: the text that the proposer then consents to. Nothing is kept yet.
    ///
    /// Corrections are checked against their schemas and the accreditation here, before two persons spend their time on them.
    pub async fn draw_up(&self, action: Action, now: UnixTime) -> Result<Change, ChangeError> {
        self.staff()?.require_two()?;
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).map_err(|_| ChangeError::Random)?;
        let change = Change::new(self.ledger.network(), self.did.clone(), nonce, now, action)?;
        self.check_standing(&change, None)?;
        if let Action::Correct { corrections } = &change.action {
            let bench = self.bench(corrections.iter().map(|correction| correction.draft.scope())).await?;
            for Correction { draft, .. } in corrections {
                let told = |reason| OfficeError::Draft(format!("{}: {reason}", draft.award));
                bench.check(draft).map_err(told)?;
            }
        }
        Ok(change)
    }

    /// Keeps a proposal until somebody approves it.
    pub fn propose(&self, change: Change, proposal: Consent, now: UnixTime) -> Result<ChangeFile, ChangeError> {
        let staff = self.staff()?;
        consent::check_proposal(&change, &proposal, &staff, now)?;
        if change.issuer != self.did || change.network != self.ledger.network() {
            return Err(ChangeError::Altered);
        }
        let id = change.id();
        if self.open_changes()?.len() >= OPEN_CHANGES_MAX {
            return Err(ChangeError::TooManyOpen);
        }
        self.check_standing(&change, Some(id))?;
        let file = ChangeFile { id, change, proposal, approval: None, stage: Stage::Proposed, answers: Vec::new() };
        self.keep_change(&file)?;
        Ok(file)
    }

    /// Approves a change. It is carried out by [`Office::carry_out`].
    pub fn approve(&self, id: ChangeId, approval: Consent, now: UnixTime) -> Result<ChangeFile, ChangeError> {
        let mut file = self.change(id)?;
        match file.stage {
            Stage::Proposed => {}
            Stage::Withdrawn { .. } => return Err(ChangeError::Withdrawn),
            _ => return Err(ChangeError::Approved),
        }
        consent::check_approval(&file, &approval, &self.staff()?, now)?;
        self.check_standing(&file.change, Some(id))?;
        file.approval = Some(approval);
        file.stage = Stage::Approved;
        self.keep_change(&file)?;
        Ok(file)
    }

    /// Gives a change up of which nothing was begun. Any person of the desk may.
    pub fn withdraw(&self, id: ChangeId, person: &PersonName, now: UnixTime) -> Result<ChangeFile, ChangeError> {
        self.staff()?.present(person)?;
        let mut file = self.change(id)?;
        match file.stage {
            Stage::Proposed => {}
            // Approved, and it could not be begun: for instance because the accreditation has ended since.
            Stage::Approved if self.unfinished(&carry::job_kind(id))?.is_empty() => {}
            Stage::Withdrawn { .. } => return Err(ChangeError::Withdrawn),
            _ => return Err(ChangeError::Begun),
        }
        file.stage = Stage::Withdrawn { person: person.clone(), time: now };
        self.keep_change(&file)?;
        Ok(file)
    }

    /// A change by its id.
    pub fn change(&self, id: ChangeId) -> Result<ChangeFile, ChangeError> {
        let file: Option<ChangeFile> = self.store.get(KIND, &id.to_string())?;
        file.ok_or_else(|| ChangeError::Unknown(id.to_string()))
    }

    /// A change by the first digits of its id, at least eight.
    pub fn find_change(&self, text: &str) -> Result<ChangeFile, ChangeError> {
        if text.len() < 8 {
            return Err(ChangeError::Unknown(text.to_owned()));
        }
        let all = self.changes()?;
        let mut found = all.into_iter().filter(|file| file.id.to_string().starts_with(text));
        match (found.next(), found.next()) {
            (Some(file), None) => Ok(file),
            (Some(_), Some(_)) => Err(ChangeError::Ambiguous(text.to_owned())),
            (None, _) => Err(ChangeError::Unknown(text.to_owned())),
        }
    }

    /// All changes, the oldest first.
    pub fn changes(&self) -> Result<Vec<ChangeFile>, ChangeError> {
        let mut all: Vec<ChangeFile> = self.store.all(KIND)?.into_iter().map(|(_, file)| file).collect();
        all.sort_by_key(|file| (file.change.proposed, file.id));
        Ok(all)
    }

    fn open_changes(&self) -> Result<Vec<ChangeFile>, ChangeError> {
        let mut all = self.changes()?;
        // A proposal that nobody can approve any more keeps nobody from making another.
        let is_dead = |file: &ChangeFile| file.stage == Stage::Proposed && self.is_past(file);
        all.retain(|file| !file.stage.is_closed() && !is_dead(file));
        Ok(all)
    }

    fn is_past(&self, file: &ChangeFile) -> bool {
        testamur_client::author::now().is_some_and(|now| now >= file.change.expires)
    }

    pub(crate) fn keep_change(&self, file: &ChangeFile) -> Result<(), ChangeError> {
        self.store
            .write(|commit| commit.put(KIND, &file.id.to_string(), file))
            .map_err(|error: StoreError| error.into())
    }

    /// The award of a diploma of a change.
    pub(crate) fn award_of(&self, diploma: &DiplomaKey) -> Result<Award, ChangeError> {
        self.store.award(&diploma.award)?.ok_or_else(|| ChangeError::NotIssued(diploma.award.to_string()))
    }

    /// INV-CHANGE-3. `own` is the change itself, when it is kept already.
    pub(crate) fn check_standing(&self, change: &Change, own: Option<ChangeId>) -> Result<(), ChangeError> {
        let staff = self.staff()?;
        match &change.action {
            Action::Join { name, key } => staff.check_join(name, key)?,
            Action::Leave { name } => staff.check_leave(name)?,
            Action::Correct { .. } | Action::Revoke { .. } | Action::Suspend { .. } | Action::Reinstate { .. } => {}
        }
        let diplomas = change.action.diplomas();
        for diploma in &diplomas {
            let award = self.award_of(diploma)?;
            check_state(&award, diploma, &change.action)?;
        }
        if let Action::Correct { corrections } = &change.action {
            for Correction { diploma, draft } in corrections {
                let award = self.award_of(diploma)?;
                check_correction(&award, diploma, draft)?;
            }
        }
        let wanted: std::collections::BTreeSet<_> = diplomas.iter().map(|diploma| diploma.award).collect();
        for other in self.open_changes()?.iter().filter(|other| Some(other.id) != own) {
            if let Some(met) = other.change.action.diplomas().iter().find(|diploma| wanted.contains(&diploma.award)) {
                return Err(ChangeError::Busy { id: self.award_of(met)?.id, change: other.id });
            }
        }
        Ok(())
    }

    /// The diplomas in force, or suspended, that texts name: an award's id, REGISTRAR/AWARD, or its key.
    pub fn diplomas_named(&self, names: &[String]) -> Result<Vec<DiplomaKey>, ChangeError> {
        let mut found = Vec::new();
        for name in names {
            match self.store.find(name)?.as_slice() {
                [award] => found.push(award.diploma(award.current().edition)),
                [] => return Err(ChangeError::NotIssued(name.clone())),
                _ => return Err(ChangeError::AmbiguousAward(name.clone())),
            }
        }
        Ok(found)
    }

    /// Corrections of those rows that differ from what was issued, and how many do not.
    pub fn corrections_of(&self, drafts: Vec<Draft>) -> Result<(Vec<Correction>, usize), ChangeError> {
        let (mut corrections, mut unchanged) = (Vec::new(), 0);
        for draft in drafts {
            let key = self.store.key_of(&draft.award);
            let award = self.store.award(&key)?.ok_or_else(|| ChangeError::NotIssued(draft.award.to_string()))?;
            let current = award.current();
            if current.row == draft.row() {
                unchanged += 1;
            } else {
                corrections.push(Correction { diploma: award.diploma(current.edition), draft });
            }
        }
        Ok((corrections, unchanged))
    }
}

/// Whether a diploma's standing allows the action.
fn check_state(award: &Award, diploma: &DiplomaKey, action: &Action) -> Result<(), ChangeError> {
    let current = award.current();
    let (allowed, wanted): (&[State], _) = match action {
        // A correction of a suspended diploma would lift the suspension by the way.
        Action::Correct { .. } => (&[State::Issued], "corrected"),
        Action::Revoke { .. } => (&[State::Issued, State::Suspended], "revoked"),
        Action::Suspend { .. } => (&[State::Issued], "suspended"),
        Action::Reinstate { .. } => (&[State::Suspended], "reinstated"),
        Action::Join { .. } | Action::Leave { .. } => return Ok(()),
    };
    // Only the newest edition can be changed: the others are withdrawn.
    let state = if current.edition == diploma.edition { current.state } else { State::Replaced };
    if allowed.contains(&state) { Ok(()) } else { Err(ChangeError::State { id: award.id.clone(), state, wanted }) }
}

/// Whether a correction is of this award, and corrects anything.
fn check_correction(award: &Award, diploma: &DiplomaKey, draft: &Draft) -> Result<(), ChangeError> {
    if draft.award != award.id {
        return Err(ChangeError::Altered);
    }
    if award.edition(diploma.edition).is_some_and(|edition| edition.row == draft.row()) {
        return Err(ChangeError::Unchanged(award.id.clone()));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
