//! Carrying an approved change out: every step is durable and can be taken again.

use std::collections::{BTreeMap, BTreeSet};

use testamur_credentials::credential::Format;
use testamur_credentials::verify::{Reason, Verdict};
use testamur_primitives::record::Reference;
use testamur_primitives::status::StatusPurpose;
use testamur_primitives::units::UnixTime;

use super::limits::PUBLISH_ATTEMPTS_MAX;
use super::{Action, Answer, ChangeError, ChangeFile, ChangeId, Stage, consent};
use crate::lists::family_names;
use crate::office::{Office, OfficeError, OnProgress};
use crate::staff::{self, Person};
use crate::store::{DiplomaKey, State, StoreError};
use crate::{Edition, Options};

impl Office {
    /// Carries an approved change out, or goes on with it where it stood: done when this returns.
    ///
    /// If we crash anywhere in here, calling it again completes the change.
    pub async fn carry_out(&self, id: ChangeId, progress: OnProgress<'_>) -> Result<ChangeFile, ChangeError> {
        let mut file = self.change(id)?;
        if !file.stage.is_closed() {
            // INV-CHANGE-1, from what is stored: an archive that somebody wrote to does not get past this.
            consent::check_stored(&file, &self.staff()?)?;
        }
        loop {
            file = match file.stage.clone() {
                Stage::Proposed => return Err(ChangeError::NotApproved),
                Stage::Withdrawn { .. } => return Err(ChangeError::Withdrawn),
                Stage::Done { .. } => return Ok(file),
                Stage::Approved => self.begin(file, progress).await?,
                Stage::Replacing { job } => {
                    self.finish(&job, progress).await?;
                    // Here both editions are in force. INV-CHANGE-2: from now on the old one's withdrawal will come about.
                    self.advance_change(file, Stage::Publishing)?
                }
                Stage::Publishing => {
                    self.publish_bits(&file).await?;
                    self.settle_states(file)?
                }
                Stage::Verifying => self.verify_all(file).await?,
            };
        }
    }

    /// Goes on with every change that was approved and is not done. Those that fail again are told; the others are done.
    pub async fn resume_changes(
        &self,
        progress: OnProgress<'_>,
    ) -> Result<Vec<(ChangeId, Result<(), ChangeError>)>, ChangeError> {
        let mut told = Vec::new();
        for file in self.changes()?.into_iter().filter(|file| file.stage.is_under_way()) {
            told.push((file.id, self.carry_out(file.id, progress).await.map(|_| ())));
        }
        Ok(told)
    }

    fn advance_change(&self, mut file: ChangeFile, stage: Stage) -> Result<ChangeFile, ChangeError> {
        file.stage = stage;
        self.keep_change(&file)?;
        Ok(file)
    }

    async fn begin(&self, file: ChangeFile, progress: OnProgress<'_>) -> Result<ChangeFile, ChangeError> {
        let (staff, now) = (self.staff()?, self.now()?);
        match &file.change.action {
            Action::Join { name, key } => {
                staff.check_join(name, key)?;
                let person = Person { name: name.clone(), key: key.clone(), since: now, left: None };
                self.settle_person(file, person, now)
            }
            Action::Leave { name } => {
                staff.check_leave(name)?;
                let mut person = staff.present(name)?.clone();
                person.left = Some(now);
                self.settle_person(file, person, now)
            }
            Action::Correct { corrections } => {
                let kind = job_kind(file.id);
                let job = match self.unfinished(&kind)?.pop() {
                    // We crashed between making it and saying so.
                    Some(job) => job,
                    None => {
                        self.check_standing(&file.change, Some(file.id))?;
                        let options = self.options_of(&file)?;
                        let drafts = corrections.iter().map(|correction| correction.draft.clone()).collect();
                        self.prepare(&kind, drafts, &options, Edition::Next, progress).await?
                    }
                };
                self.advance_change(file, Stage::Replacing { job })
            }
            Action::Revoke { .. } | Action::Suspend { .. } | Action::Reinstate { .. } => {
                self.check_standing(&file.change, Some(file.id))?;
                self.advance_change(file, Stage::Publishing)
            }
        }
    }

    fn settle_person(&self, mut file: ChangeFile, person: Person, now: UnixTime) -> Result<ChangeFile, ChangeError> {
        file.stage = Stage::Done { time: now };
        self.store.write(|commit| {
            commit.put(staff::KIND, person.name.as_str(), &person)?;
            commit.put(super::KIND, &file.id.to_string(), &file)?;
            Ok::<_, StoreError>(())
        })?;
        Ok(file)
    }

    /// Corrected editions come in the formats of those that they replace, all of them in all.
    fn options_of(&self, file: &ChangeFile) -> Result<Options, ChangeError> {
        let mut options = Options { formats: BTreeSet::new(), print: false };
        for diploma in file.change.action.diplomas() {
            let award = self.award_of(&diploma)?;
            let edition = award.edition(diploma.edition).ok_or_else(|| ChangeError::NotIssued(award.id.to_string()))?;
            options.formats.extend(edition.copies.keys().filter(|format| **format != Format::Compact));
            options.print |= edition.print;
        }
        if options.formats.is_empty() {
            options.formats.clone_from(&self.settings.formats);
        }
        Ok(options)
    }

    /// Publishes the bits of the change, list by list; those that are set already are left as they are.
    async fn publish_bits(&self, file: &ChangeFile) -> Result<(), ChangeError> {
        let mut by_list: BTreeMap<Reference, BTreeSet<u64>> = BTreeMap::new();
        for diploma in file.change.action.diplomas() {
            let award = self.award_of(&diploma)?;
            let edition = award.edition(diploma.edition).ok_or_else(|| ChangeError::NotIssued(award.id.to_string()))?;
            by_list.entry(edition.list.clone()).or_default().insert(edition.index);
        }
        // What was signed before a crash is sent first, the same bytes: then the lists are read as they are.
        for (_, settled) in self.settle_all().await? {
            if let Err(error @ (OfficeError::Unsettled { .. } | OfficeError::Registry(_))) = settled {
                return Err(error.into());
            }
        }
        // Positions in a family: 0 revoked, 1 suspended, 2 replaced. "Replaced" is published first of all, so that nobody reads a
        // bare "revoked" in between.
        let (places, value): (&[usize], _) = match &file.change.action {
            Action::Correct { .. } => (&[2, 0], true),
            Action::Revoke { .. } => (&[0], true),
            Action::Suspend { .. } => (&[1], true),
            Action::Reinstate { .. } => (&[1], false),
            Action::Join { .. } | Action::Leave { .. } => (&[], false),
        };
        for place in places {
            for (list, entries) in &by_list {
                let (name, purpose) = &family_names(list)[*place];
                self.publish_list(name, *purpose, entries, value).await?;
            }
        }
        Ok(())
    }

    /// The next version of a list in which these entries are set, or not.
    async fn publish_list(
        &self,
        list: &Reference,
        purpose: StatusPurpose,
        entries: &BTreeSet<u64>,
        value: bool,
    ) -> Result<(), ChangeError> {
        for _ in 0..PUBLISH_ATTEMPTS_MAX {
            let published = self.published(list).await?.ok_or_else(|| ChangeError::NoList(list.to_string()))?;
            let mut bits = published.bits.clone();
            let changed: Vec<_> = entries.iter().filter(|entry| bits.get(**entry) != Some(value)).collect();
            if changed.is_empty() {
                return Ok(());
            }
            for entry in changed {
                if !bits.set(*entry, value) {
                    return Err(ChangeError::NoList(list.to_string()));
                }
            }
            match self.publish(list, purpose, &bits, Some(&published.entry)).await {
                Ok(_) => return Ok(()),
                // Somebody published a version in between: theirs is read, and ours made from it.
                Err(error) if is_stale(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(ChangeError::Moving(list.to_string()))
    }

    /// What the archive says of the diplomas from now on, in one commit with the change's own stage.
    fn settle_states(&self, mut file: ChangeFile) -> Result<ChangeFile, ChangeError> {
        file.stage = Stage::Verifying;
        let diplomas = file.change.action.diplomas();
        self.store.write(|commit| {
            for diploma in &diplomas {
                let mut award =
                    commit.award(&diploma.award)?.ok_or_else(|| ChangeError::NotIssued(diploma.award.to_string()))?;
                let next = award.current().edition;
                let edition = award.edition_mut(diploma.edition).expect("its bits were published from this edition");
                match &file.change.action {
                    Action::Correct { .. } => {
                        edition.state = State::Replaced;
                        edition.replaced_by = Some(next);
                    }
                    Action::Revoke { .. } => edition.state = State::Revoked,
                    Action::Suspend { .. } => edition.state = State::Suspended,
                    Action::Reinstate { .. } => edition.state = State::Issued,
                    Action::Join { .. } | Action::Leave { .. } => {}
                }
                commit.put_award(&award)?;
            }
            commit.put(super::KIND, &file.id.to_string(), &file)?;
            Ok::<_, ChangeError>(())
        })?;
        Ok(file)
    }

    /// Verifies every diploma that the change is about, as anybody else would, and ends the change when all answer as they must.
    async fn verify_all(&self, mut file: ChangeFile) -> Result<ChangeFile, ChangeError> {
        let expected = match &file.change.action {
            Action::Correct { .. } => Reason::StatusReplaced,
            Action::Revoke { .. } => Reason::StatusRevoked,
            Action::Suspend { .. } => Reason::StatusSuspended,
            Action::Reinstate { .. } | Action::Join { .. } | Action::Leave { .. } => Reason::Valid,
        };
        let mut wanted: Vec<(DiplomaKey, Reason)> = Vec::new();
        for diploma in file.change.action.diplomas() {
            wanted.push((diploma, expected));
            if let Action::Correct { .. } = &file.change.action {
                let award = self.award_of(&diploma)?;
                wanted.push((award.diploma(award.current().edition), Reason::Valid));
            }
        }
        let keys: Vec<_> = wanted.iter().map(|(diploma, _)| *diploma).collect();
        let reasons: BTreeMap<_, _> = wanted.into_iter().collect();
        let mut answers = Vec::new();
        for (diploma, format, report) in self.verify(&keys).await? {
            let expected = reasons.get(&diploma).copied().unwrap_or(Reason::Valid);
            if report.reason != expected {
                let id = self.award_of(&diploma)?.id;
                return Err(ChangeError::Unexpected { id, found: report.reason.code(), expected: expected.code() });
            }
            answers.push(Answer {
                diploma,
                format,
                verdict: verdict_name(report.verdict).to_owned(),
                reason: report.reason.code().to_owned(),
            });
        }
        file.answers = answers;
        let time = self.now()?;
        self.advance_change(file, Stage::Done { time })
    }
}

/// The kind of the job that makes a change's corrected editions: one change, one job.
pub(super) fn job_kind(id: ChangeId) -> String {
    format!("correct-{id}")
}

/// Whether a version was refused because another one came first.
fn is_stale(error: &OfficeError) -> bool {
    matches!(error, OfficeError::Refused { .. }) && matches!(error.code(), "status.stale" | "status.version")
}

/// A verdict's name, as reports write it.
fn verdict_name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Valid => "valid",
        Verdict::NotValid => "not-valid",
        Verdict::CannotTell => "cannot-tell",
    }
}
