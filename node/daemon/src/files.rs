//! Files on disk: bounded reads, private directories, and writes that are whole or not there.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use crate::exit::CommandError;

/// Reads a file of at most `bytes_max` bytes.
pub(crate) fn read_at_most(path: &Path, bytes_max: usize) -> Result<Vec<u8>, CommandError> {
    let file = File::open(path).map_err(|e| CommandError::file("open", path, e))?;
    let mut bytes = Vec::new();
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    file.take(limit).read_to_end(&mut bytes).map_err(|e| CommandError::file("read", path, e))?;
    if bytes.len() > bytes_max {
        let reason = format!("larger than {bytes_max} bytes");
        return Err(CommandError::content(path, reason, "this is not the kind of file that is expected here"));
    }
    Ok(bytes)
}

/// Makes a directory, and those above it, for this user alone.
pub(crate) fn create_private_directory(path: &Path) -> Result<(), CommandError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|e| CommandError::file("create", path, e))
}

/// Writes a file that must not be there yet; on disk when this returns.
pub(crate) fn create(path: &Path, bytes: &[u8], mode: u32) -> Result<(), CommandError> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(|error| {
        if error.kind() == std::io::ErrorKind::AlreadyExists {
            CommandError::content(path, "exists already, and nothing is overwritten", "choose another place")
        } else {
            CommandError::file("create", path, error)
        }
    })?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(|e| CommandError::file("write", path, e))?;
    sync_directory_of(path)
}

/// Writes a file in place of another, if there is one: readers see the old or the new, also after a power cut.
pub(crate) fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<(), CommandError> {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let temporary = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    })();
    if let Err(error) = written {
        let _ = fs::remove_file(&temporary);
        return Err(CommandError::file("write", path, error));
    }
    sync_directory_of(path)
}

/// A name is on disk only when its directory is.
fn sync_directory_of(path: &Path) -> Result<(), CommandError> {
    let directory = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(|e| CommandError::file("sync", directory, e))
}
