//! Rows that should not be there: each column holds as many rows as the ledger makes, or the extra ones are named.

use std::collections::{BTreeMap, BTreeSet};

use testamur_primitives::commitment::Form;
use testamur_primitives::record::Act;
use testamur_primitives::units::{Height, LogIndex};

use crate::check::CheckReport;
use crate::db::Snapshot;
use crate::error::StoreError;
use crate::index::timestamp;
use crate::reads;
use crate::schema::{Column, digest_key, last_number, number, place, time_key};

/// How many rows the ledger makes in each column.
#[derive(Default)]
pub(crate) struct Counts {
    expected: BTreeMap<Column, u64>,
    /// Columns of which the number is not known after damage.
    lost: BTreeSet<Column>,
}

impl Counts {
    pub(crate) fn add(&mut self, column: Column, rows: u64) {
        *self.expected.entry(column).or_default() += rows;
    }

    pub(crate) fn lose(&mut self, column: Column) {
        self.lost.insert(column);
    }
}

/// Compares the numbers of rows; where there are more, looks for the ones that nothing explains.
pub(crate) fn compare(
    snapshot: &Snapshot<'_>,
    counts: &Counts,
    tip: Height,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    for column in Column::ALL {
        // A reference's rows are replaced when it is used again, and dropped when they are old.
        if column == Column::References || counts.lost.contains(&column) {
            continue;
        }
        let expected = counts.expected.get(&column).copied().unwrap_or(0);
        let mut found = 0u64;
        for row in snapshot.scan(column, &[], &[]) {
            found += 1;
            report.note(row)?;
        }
        if found > expected {
            report.add(column.name(), format!("{found} rows, the ledger makes {expected}"));
            name_extra(snapshot, column, tip, report)?;
        }
    }
    Ok(())
}

/// Names rows whose own content shows that they do not belong there.
fn name_extra(
    snapshot: &Snapshot<'_>,
    column: Column,
    tip: Height,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    for row in snapshot.scan(column, &[], &[]) {
        let Ok((key, value)) = row else { continue };
        let explained = match column {
            Column::Headers | Column::Certificates => number(&key).is_some_and(|height| height <= tip.0),
            Column::Times => match last_number(&key).map(Height).filter(|height| *height <= tip) {
                Some(height) => reads::header(snapshot, height)
                    .is_ok_and(|h| h.is_some_and(|h| time_key(h.header.time, height) == *key)),
                None => false,
            },
            Column::Ids => match number(&value).map(LogIndex) {
                Some(index) => reads::record_at(snapshot, index).is_ok_and(|r| r.record.id().as_bytes()[..] == *key),
                None => false,
            },
            Column::Digests => digest_row_is_right(snapshot, &key),
            Column::Timestamps => <[u8; 32]>::try_from(&key[..])
                .is_ok_and(|key| timestamp(snapshot, &key).is_ok_and(|found| found.is_some())),
            Column::TimestampOrder => snapshot.get(Column::Timestamps, &value).is_ok_and(|row| row.is_some()),
            _ => true,
        };
        if !explained {
            report.add(place(column, &key), "no record or block makes this row");
        }
    }
    Ok(())
}

fn digest_row_is_right(snapshot: &Snapshot<'_>, key: &[u8]) -> bool {
    let Some((_, [a, b, c, d, e, f, g, h, x, y])) = key.split_last_chunk::<10>() else { return false };
    let index = LogIndex(u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]));
    let position = u16::from_be_bytes([*x, *y]);
    let Ok(stored) = reads::record_at(snapshot, index) else { return false };
    let Act::Notarise { alg, form: Form::Digest, entries, .. } = stored.record.act() else { return false };
    let entry = entries.get(usize::from(position));
    entry.is_some_and(|entry| digest_key(*alg as u8, &entry.0, index, position) == *key)
}
