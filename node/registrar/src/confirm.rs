//! Nothing is handed out that does not verify: every credential is checked as its reader will check it.

use testamur_credentials::credential::Format;
use testamur_credentials::format;
use testamur_credentials::print::{Print, PrintDigest};
use testamur_credentials::verify::{Report, Verdict};
use testamur_primitives::hash::RecordId;
use testamur_primitives::units::UnixTime;

use crate::files::Batch;
use crate::ledger::{Checks, Handed};
use crate::limits::CHECKED_AT_ONCE;
use crate::office::{Office, OfficeError, OnProgress, Progress};
use crate::store::{Award, DiplomaKey, Job, State, StoreError};
use crate::work::in_parallel;

impl Office {
    /// Verifies the diplomas of an anchored job and puts those in force that are not yet.
    pub(crate) async fn confirm(
        &self,
        job: &Job,
        record: RecordId,
        time: UnixTime,
        progress: OnProgress<'_>,
    ) -> Result<(), OfficeError> {
        let batch = self.batch(record)?;
        let mut checks = Checks::new();
        for (number, part) in job.diplomas.chunks(CHECKED_AT_ONCE).enumerate() {
            progress(Progress { doing: "verifying", done: number * CHECKED_AT_ONCE, of: job.diplomas.len() });
            let mut awards = Vec::with_capacity(part.len());
            for diploma in part {
                let award = self.store.award(&diploma.award)?.ok_or(StoreError::Damaged)?;
                if award.edition(diploma.edition).ok_or(StoreError::Damaged)?.state == State::Prepared {
                    awards.push((award, *diploma));
                }
            }
            let handed = self.handed(&awards, |_| Some(&batch))?;
            let (places, handed): (Vec<_>, Vec<_>) =
                handed.into_iter().map(|(place, _, handed)| (place, handed)).unzip();
            checks.refresh();
            let reports = self.ledger.verify(&checks, &handed).await?;
            for (place, report) in places.iter().zip(&reports) {
                if report.verdict != Verdict::Valid {
                    let (award, reason) = (awards[*place].0.id.clone(), report.reason.code().to_owned());
                    return Err(OfficeError::NotVerified { award, reason });
                }
            }
            self.store.write(|change| {
                for (_, key) in &awards {
                    let mut award = change.award(&key.award)?.ok_or(StoreError::Damaged)?;
                    let diploma = award.edition_mut(key.edition).ok_or(StoreError::Damaged)?;
                    diploma.state = State::Issued;
                    diploma.issued = Some(time);
                    diploma.anchor = Some(record);
                    change.put_award(&award)?;
                }
                Ok::<_, StoreError>(())
            })?;
        }
        progress(Progress { doing: "verifying", done: job.diplomas.len(), of: job.diplomas.len() });
        Ok(())
    }

    /// What verifiers say now of every credential of these diplomas, whatever it is.
    pub async fn verify(&self, diplomas: &[DiplomaKey]) -> Result<Vec<(DiplomaKey, Format, Report)>, OfficeError> {
        let (mut all, mut checks) = (Vec::new(), Checks::new());
        for part in diplomas.chunks(CHECKED_AT_ONCE) {
            let mut awards = Vec::with_capacity(part.len());
            let mut batches: Vec<(RecordId, Batch)> = Vec::new();
            for diploma in part {
                let award = self.store.award(&diploma.award)?.ok_or(StoreError::Damaged)?;
                let anchor = award.edition(diploma.edition).ok_or(StoreError::Damaged)?.anchor;
                if let Some(record) = anchor.filter(|record| batches.iter().all(|(known, _)| known != record)) {
                    batches.push((record, self.batch(record)?));
                }
                awards.push((award, *diploma));
            }
            let batch = |record| batches.iter().find(|(known, _)| *known == record).map(|(_, batch)| batch);
            let handed = self.handed(&awards, |anchor| anchor.and_then(batch))?;
            let (named, handed): (Vec<_>, Vec<_>) =
                handed.into_iter().map(|(place, format, handed)| ((awards[place].1, format), handed)).unzip();
            checks.refresh();
            let reports = self.ledger.verify(&checks, &handed).await?;
            all.extend(named.into_iter().zip(reports).map(|((key, format), report)| (key, format, report)));
        }
        Ok(all)
    }

    /// Every credential of some diplomas as its reader gets it: whose it is, its format, and what comes with it.
    fn handed<'b>(
        &self,
        awards: &[(Award, DiplomaKey)],
        batch: impl Fn(Option<RecordId>) -> Option<&'b Batch> + Sync,
    ) -> Result<Vec<(usize, Format, Handed)>, OfficeError> {
        let places: Vec<usize> = (0..awards.len()).collect();
        let handed = in_parallel(self.settings.threads, &places, |place| {
            let (award, key) = &awards[*place];
            let diploma = award.edition(key.edition).ok_or(StoreError::Damaged)?;
            let print = match self.store.print(key)? {
                Some(print) => Print::Pdf { digest: PrintDigest::of(&print), whole: true },
                None => Print::None,
            };
            let mut all = Vec::with_capacity(diploma.copies.len());
            for (format, copy) in &diploma.copies {
                let text = self.store.text(key, *format)?.ok_or(StoreError::Damaged)?;
                let receipt =
                    batch(diploma.anchor).map(|batch| batch.receipt(copy.leaf, copy.digest, copy.salt)).transpose()?;
                // What was signed here reads as a credential: if not, it must not be handed out, as any other that fails.
                let credential = format::parse(&text).map_err(|refusal| OfficeError::NotVerified {
                    award: award.id.clone(),
                    reason: refusal.reason().code().to_owned(),
                })?;
                // A compact credential is what the print shows, so it cannot name it.
                let print = if *format == Format::Compact { Print::None } else { print.clone() };
                all.push((*place, *format, Handed { credential, receipt, print }));
            }
            Ok::<_, OfficeError>(all)
        });
        let mut all = Vec::new();
        for part in handed {
            all.extend(part?);
        }
        Ok(all)
    }
}
