//! A second archive, made while the first is in use, and the first made of it again.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::{ArchiveKey, MARK_PLACE, Store, StoreError, TABLE, io};
use crate::limits::BACKUP_COMMIT_BYTES;

impl Store {
    /// Writes a consistent copy to a path where nothing is: as the archive was at one moment, while requests go on. Values stay
    /// sealed; the copy opens with the same key. Returns how many values it holds. Runs as long as the copy takes: not for a thread
    /// that serves connections.
    ///
    /// If we crash inside, the path holds an archive without its mark, which [`Store::open`] and [`restore`] refuse.
    pub fn backup(&self, path: &Path) -> Result<u64, StoreError> {
        let Some(table) = self.shared.table()? else { return Err(StoreError::Damaged) };
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(io("backed up"))?;
        let database = redb::Database::builder().create(path).map_err(io("backed up"))?;
        let (mut count, mut mark) = (0, None);
        let mut entries = table.range::<&[u8]>(..).map_err(io("read"))?.peekable();
        while entries.peek().is_some() {
            let transaction = database.begin_write().map_err(io("backed up"))?;
            {
                let mut copy = transaction.open_table(TABLE).map_err(io("backed up"))?;
                let mut bytes = 0;
                while bytes < BACKUP_COMMIT_BYTES
                    && let Some(entry) = entries.next()
                {
                    let (place, sealed) = entry.map_err(io("read"))?;
                    // A copy of what no longer opens would be found out when it is needed.
                    self.shared.open(place.value(), sealed.value())?;
                    count += 1;
                    bytes += sealed.value().len();
                    if place.value() == MARK_PLACE {
                        mark = Some(sealed.value().to_vec());
                    } else {
                        copy.insert(place.value(), sealed.value()).map_err(io("backed up"))?;
                    }
                }
            }
            transaction.commit().map_err(io("backed up"))?;
        }
        let mark = mark.ok_or(StoreError::Damaged)?;
        let transaction = database.begin_write().map_err(io("backed up"))?;
        {
            let mut copy = transaction.open_table(TABLE).map_err(io("backed up"))?;
            copy.insert(MARK_PLACE, mark.as_slice()).map_err(io("backed up"))?;
        }
        transaction.commit().map_err(io("backed up"))?;
        drop(database);
        // What was written opens again, with the key that its owner has.
        Self::open(path, &self.key).map(|_| count)
    }
}

/// Makes an archive of a backup, at a path where nothing is; every value of it opens. Returns how many values there are.
pub fn restore(backup: &Path, path: &Path, key: &ArchiveKey) -> Result<u64, StoreError> {
    if !backup.is_file() {
        return Err(io("restored")("there is no such backup"));
    }
    Store::open(backup, key)?.backup(path)
}
