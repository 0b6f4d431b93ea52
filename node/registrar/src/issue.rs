//! From drafts to diplomas in force: what is new is issued, what is issued already is not issued again.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use testamur_credentials::credential::Format;
use testamur_primitives::record::Reference;

use crate::job::{Finished, Options};
use crate::limits::LIST_ENTRIES;
use crate::lists::LIST_PREFIX;
use crate::office::{Office, OfficeError, OnProgress};
use crate::store::{Award, AwardId, Draft, Edition, State};

/// The kind of jobs that issue.
pub const ISSUE: &str = "issue";

/// Drafts by what is known of their awards.
#[derive(Debug, Default)]
pub struct Sorted {
    /// Never issued.
    pub new: Vec<(usize, Draft)>,
    /// Issued with this content, now or before a correction.
    pub same: Vec<(usize, Award)>,
    /// Issued with other content: refused here.
    pub changed: Vec<(usize, AwardId)>,
}

/// What would be issued, and what the ledger would hold of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IssuePreview {
    /// How many diplomas.
    pub diplomas: usize,
    /// By their types.
    pub types: BTreeMap<String, usize>,
    /// Formats of each.
    pub formats: BTreeSet<Format>,
    /// Whether each gets a PDF.
    pub print: bool,
    /// The records that go to the ledger: one that anchors all, and one for each status list that is begun.
    pub records: usize,
    /// Commitments under the root that goes there.
    pub commitments: usize,
    /// Status lists that would be begun.
    pub lists: Vec<Reference>,
    /// Rows that cannot be issued, with the reason.
    pub faults: Vec<(usize, String)>,
}

impl Office {
    /// Sorts drafts by whether their awards have a diploma.
    pub fn sort(&self, drafts: Vec<(usize, Draft)>) -> Result<Sorted, OfficeError> {
        let mut sorted = Sorted::default();
        for (row, draft) in drafts {
            let Some(award) = self.store.award(&self.store.key_of(&draft.award))? else {
                sorted.new.push((row, draft));
                continue;
            };
            let digest = draft.row();
            if award.diplomas.iter().any(|diploma| diploma.row == digest) {
                sorted.same.push((row, award));
            } else {
                sorted.changed.push((row, award.id));
            }
        }
        Ok(sorted)
    }

    /// What issuing would do. It asks the ledger whether the issuer may, and signs nothing.
    pub async fn preview_issue(
        &self,
        drafts: &[(usize, Draft)],
        options: &Options,
    ) -> Result<IssuePreview, OfficeError> {
        let bench = self.bench(drafts.iter().map(|(_, draft)| draft.scope())).await?;
        let mut types = BTreeMap::new();
        let mut faults = Vec::new();
        for (row, draft) in drafts {
            let names: Vec<_> = draft.types.iter().map(String::as_str).collect();
            *types.entry(names.join(" + ")).or_insert(0) += 1;
            if let Err(fault) = bench.check(draft) {
                faults.push((*row, fault));
            }
        }
        let known = self.store.families()?;
        let room: u64 = known.iter().map(|family| (family.size / 2).saturating_sub(family.count())).sum();
        let wanted = (drafts.len() as u64).saturating_sub(room).div_ceil(LIST_ENTRIES / 2);
        let mut lists = Vec::new();
        for number in (known.len() as u64 + 1..).take(usize::try_from(wanted).unwrap_or(usize::MAX)) {
            if let Ok(list) = format!("{LIST_PREFIX}{number}").parse::<Reference>() {
                lists.extend(crate::lists::family_names(&list).map(|(name, _)| name));
            }
        }
        let mut formats = options.formats.clone();
        formats.insert(Format::Compact);
        Ok(IssuePreview {
            diplomas: drafts.len(),
            types,
            commitments: drafts.len() * formats.len(),
            formats,
            print: options.print,
            records: 1 + lists.len(),
            lists,
            faults,
        })
    }

    /// Issues drafts of awards that have none: signs, anchors, verifies.
    pub async fn issue(
        &self,
        drafts: Vec<Draft>,
        options: &Options,
        progress: OnProgress<'_>,
    ) -> Result<Finished, OfficeError> {
        let job = self.prepare(ISSUE, drafts, options, Edition::First, progress).await?;
        self.finish(&job, progress).await
    }

    /// Brings jobs to their end that were broken off.
    pub async fn resume_issuing(&self, progress: OnProgress<'_>) -> Result<Vec<Finished>, OfficeError> {
        let mut all = Vec::new();
        for job in self.unfinished(ISSUE)? {
            all.push(self.finish(&job, progress).await?);
        }
        Ok(all)
    }

    /// The edition of an award's diploma that is in force, or was the last one to be.
    pub fn issued_edition(award: &Award) -> Option<u32> {
        let issued = award.diplomas.iter().rev().find(|diploma| diploma.state != State::Prepared);
        issued.map(|diploma| diploma.edition)
    }
}
