//! The uses of attachments, derived once more, and the attachments that must be there.

use std::collections::{BTreeMap, BTreeSet};

use testamur_primitives::genesis::Genesis;
use testamur_primitives::header::Header;
use testamur_primitives::status::Attachment;
use testamur_registry::{CheckedRecord, StateKey};

use crate::attachments::{
    Published, attachment_of, block_key, held, is_newest, kept_since, named_in_state, published, use_value,
};
use crate::check::CheckReport;
use crate::check::columns::Counts;
use crate::db::Snapshot;
use crate::error::StoreError;
use crate::limits::ATTACHMENTS_PRUNED_MAX;
use crate::schema::{Column, attachment_end_key, place};

/// The uses after the last block.
#[derive(Default)]
pub(crate) struct Uses {
    values: BTreeMap<Vec<u8>, Vec<u8>>,
    ends: BTreeSet<Vec<u8>>,
    /// Lengths by attachment, as some record named them.
    named: BTreeMap<Vec<u8>, usize>,
}

impl Uses {
    /// What a block changes; `state` is the state after it.
    pub(crate) fn apply(
        &mut self,
        genesis: &Genesis,
        header: &Header,
        records: &[&CheckedRecord],
        state: &BTreeMap<StateKey, Vec<u8>>,
    ) -> Result<(), StoreError> {
        let before: Vec<_> = self.ends.iter().take(ATTACHMENTS_PRUNED_MAX).cloned().collect();
        for record in records {
            let found = published(record.record(), |key| named_in_state(key, |key| Ok(state.get(key).cloned())))?;
            let Some(Published { attachment: Attachment { sha256, bytes }, usage, superseded }) = found else {
                continue;
            };
            if let Some(old) = superseded {
                self.ends.insert(attachment_end_key(header.time, &old));
                let value = self.values.entry(old).or_default();
                value.extend(header.time.0.to_be_bytes());
            }
            self.values.insert(usage, use_value(header.height, None));
            self.named.insert(sha256.as_bytes().to_vec(), bytes);
        }
        let kept_since = kept_since(genesis, header.time).0.to_be_bytes();
        for end in before.into_iter().take_while(|end| end[..8] < kept_since[..]) {
            self.values.remove(&end[8..]);
            self.ends.remove(&end);
        }
        Ok(())
    }

    /// Compares the rows, and hashes every attachment.
    pub(crate) fn finish(
        self,
        snapshot: &Snapshot<'_>,
        counts: &mut Counts,
        report: &mut CheckReport,
    ) -> Result<(), StoreError> {
        let expect = |column: Column, key: &[u8], value: &[u8], counts: &mut Counts, report: &mut CheckReport| {
            counts.add(column, 1);
            match report.note(snapshot.get(column, key))? {
                Some(None) => report.add(place(column, key), "the row is missing"),
                Some(Some(row)) if row != value => report.add(place(column, key), "the row has another value"),
                _ => {}
            }
            Ok::<_, StoreError>(())
        };
        let mut newest: BTreeMap<_, bool> = BTreeMap::new();
        for (usage, value) in &self.values {
            expect(Column::AttachmentUses, usage, value, counts, report)?;
            expect(Column::AttachmentBlocks, &block_key(&value[..8], usage), &[], counts, report)?;
            let attachment = attachment_of(usage).expect("a use begins with the attachment");
            *newest.entry(attachment).or_default() |= is_newest(value);
        }
        for end in &self.ends {
            expect(Column::AttachmentEnds, end, &[], counts, report)?;
        }
        for (attachment, newest) in newest {
            let key = attachment.as_bytes();
            let held = held(snapshot, &attachment);
            match report.note(held)? {
                Some(Some(_)) | None => counts.add(Column::Attachments, 1),
                Some(None) if newest => {
                    report.add(
                        place(Column::Attachments, key),
                        "the bits of a newest list are not held: sync from peers",
                    );
                    let bytes = self.named.get(&key[..]).copied().unwrap_or_default() as u64;
                    expect(Column::AttachmentsMissing, key, &bytes.to_be_bytes(), counts, report)?;
                }
                Some(None) => {}
            }
        }
        Ok(())
    }
}
