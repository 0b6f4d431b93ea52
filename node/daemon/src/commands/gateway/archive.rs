//! The archive of receipts that a gateway keeps: opened with its key, copied, made of a copy again.

use std::path::{Path, PathBuf};

use testamur_gateway::store::{ArchiveKey, Store, StoreError, restore};

use crate::exit::CommandError;
use crate::files;
use crate::keystore::{Access, Key, KeyKind, Protection};

/// Bytes of a key file at most: a seed, its salt and its parameters.
const KEY_BYTES_MAX: usize = 64 * 1024;

/// Where the key of an archive is: beside it.
pub(super) fn key_path(archive: &Path) -> PathBuf {
    let mut name = archive.file_name().unwrap_or_default().to_owned();
    name.push(".key");
    archive.with_file_name(name)
}

fn refused(error: &StoreError) -> CommandError {
    let hint = match error {
        StoreError::Busy(_) => "stop the gateway first, or have it make the copy: POST /v1/backups",
        StoreError::WrongKey(_) => "the key beside the archive is another one's: restore both from one backup",
        StoreError::Damaged => "restore it from a backup: `testamur gateway restore`",
        _ => "",
    };
    CommandError::failed("gateway.archive", error, hint)
}

fn read_key(archive: &Path, access: &Access) -> Result<ArchiveKey, CommandError> {
    Ok(ArchiveKey::from_bytes(Key::read(&key_path(archive), KeyKind::Archive, access)?.seed()))
}

/// Opens an archive; makes it, with its key, when neither is there.
pub(super) fn open(archive: &Path, access: &Access) -> Result<Store, CommandError> {
    let key = key_path(archive);
    if !key.exists() {
        if archive.exists() {
            return Err(CommandError::content(
                &key,
                "is missing, and there is an archive of receipts under it",
                "restore both: `testamur gateway restore`",
            ));
        }
        let protection = match (&access.passphrase, access.insecure_dev) {
            (Some(passphrase), _) => Protection::Passphrase(passphrase.clone()),
            (None, true) => Protection::InsecureDev,
            (None, false) => {
                let what = "a passphrase is needed for the key of the archive of receipts";
                return Err(CommandError::failed("key.passphrase", what, "give --passphrase-file FILE"));
            }
        };
        Key::generate(KeyKind::Archive)?.write(&key, &protection)?;
    }
    Store::open(archive, &read_key(archive, access)?).map_err(|e| refused(&e))
}

/// Copies an archive and its key, which stays under its passphrase. Returns how many values there are.
pub(super) fn back_up(archive: &Path, to: &Path, access: &Access) -> Result<u64, CommandError> {
    let key = read_key(archive, access)?;
    let count = Store::open(archive, &key).and_then(|store| store.backup(to)).map_err(|e| refused(&e))?;
    // If we crash here, the copy has no key: it is refused when it is restored, and the next backup is made elsewhere.
    files::create(&key_path(to), &files::read_at_most(&key_path(archive), KEY_BYTES_MAX)?, 0o600)?;
    Ok(count)
}

/// Makes an archive and its key of a copy, where there is none. Returns how many values there are.
pub(super) fn put_back(from: &Path, archive: &Path, access: &Access) -> Result<u64, CommandError> {
    if archive.exists() || key_path(archive).exists() {
        return Err(CommandError::content(archive, "is there already", "move it and its key away first"));
    }
    let key = read_key(from, access)?;
    let count = restore(from, archive, &key).map_err(|e| refused(&e))?;
    files::create(&key_path(archive), &files::read_at_most(&key_path(from), KEY_BYTES_MAX)?, 0o600)?;
    Ok(count)
}
