//! Free disk space: a node proposes nothing and refuses records before the disk is full, never after.

use std::path::Path;

use crate::error::StoreError;

/// Bytes that this process may still write where `path` lies.
pub fn free_bytes(path: &Path) -> Result<u64, StoreError> {
    let space = rustix::fs::statvfs(path).map_err(|error| StoreError::Io {
        operation: "ask the free space of",
        path: path.to_owned(),
        source: error.into(),
    })?;
    Ok(space.f_bavail.saturating_mul(space.f_frsize))
}
