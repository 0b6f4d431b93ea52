//! Backups: a consistent copy of a node's database, made while it works, and a directory made from one.
//!
//! ```text
//! BACKUP/db/…          the database's files, as they were at one moment
//! BACKUP/manifest.json RFC 8785 JSON, written last: what the files are, and of which ledger
//! ```
//! | member | |
//! |---|---|
//! | `v`, `type` | 1, `testamur-backup` |
//! | `network` | genesis hash |
//! | `height`, `header` | the newest block: height and header hash |
//! | `records` | records in the log |
//! | `files` | {`name`, `bytes`, `sha256`} of each file in `db`, by name |
//!
//! - INV-BACKUP-1: a backup has a manifest only when every file that it names was synced.
//! - INV-BACKUP-2: what is restored has the length and hash of every file that the manifest names, and was opened once.
//! - INV-BACKUP-3: the double-sign guard is in no backup: who is restored signs nothing until it knows what was decided
//!   without it. It lies outside of the directory that is copied.
//!
//! Keys are in no backup either. On one file system the copy is made of hard links: it is complete at once and costs nothing until the
//! originals go, but it shares their disk. What shall outlive the disk is made on another one, or copied there.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use testamur_primitives::codec::{canonical, from_canonical};
use testamur_primitives::genesis::Genesis;
use testamur_primitives::hash::{GenesisHash, HeaderHash};
use testamur_primitives::units::{Height, LogSize};

use crate::db::{Access, Database, IDENTITY, LOCK, NodeIdentity, write_identity};
use crate::error::StoreError;
use crate::ledger::Ledger;
use crate::limits::{BACKUP_FILES_MAX, MANIFEST_BYTES_MAX};
use crate::schema::{Column, Meta};
use crate::tip::Tip;
use crate::transfer::{InTheWay, Partial};

pub(crate) const MANIFEST: &str = "manifest.json";
const MANIFEST_NEW: &str = "manifest.json.new";
const DATABASE: &str = "db";

/// What a backup is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Format version: 1.
    pub v: u8,
    /// `testamur-backup`.
    pub r#type: String,
    /// The network.
    pub network: GenesisHash,
    /// Height of the newest block.
    pub height: Height,
    /// Hash of its header.
    pub header: HeaderHash,
    /// Records in the log.
    pub records: LogSize,
    /// The database's files, by name.
    pub files: Vec<BackupFile>,
}

/// A file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupFile {
    /// Its name in `db`.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of it, in hexadecimal.
    pub sha256: String,
}

impl Manifest {
    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

/// How far a backup or restore is, in bytes of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackupProgress {
    /// Copied and hashed.
    pub bytes: u64,
    /// Of so many.
    pub bytes_total: u64,
}

/// Why a backup or restore failed. Nothing is left of it.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The directory to make has something in it.
    #[error("{} is not empty: name a directory that does not exist", .0.display())]
    NotEmpty(PathBuf),
    /// Something else lies where the work is done.
    #[error("{} lies in the way and was not made by this command: move it away", .0.display())]
    InTheWay(PathBuf),
    /// There is no backup at the place.
    #[error("{} is not a backup: {what}", path.display())]
    NotABackup {
        /// The directory.
        path: PathBuf,
        /// What is missing or wrong.
        what: String,
    },
    /// It is of another network.
    #[error("the backup is of network {found}, this node of {expected}")]
    OtherNetwork {
        /// In the manifest.
        found: GenesisHash,
        /// This node's.
        expected: GenesisHash,
    },
    /// A file is not what the manifest says.
    #[error("the backup is damaged: {}: {what}; use another backup", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The disk is full.
    #[error("the disk under {} is full", .0.display())]
    DiskFull(PathBuf),
    /// The file system failed.
    #[error("{operation} {}: {source}", path.display())]
    Io {
        /// What was being done.
        operation: &'static str,
        /// To which file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A database failed: the node's own, or the restored one.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl BackupError {
    /// Whether the node must stop. What goes wrong at the copy is no reason; damage in the original is told by its own reads.
    pub fn is_fatal(&self) -> bool {
        false
    }
}

fn io(operation: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> BackupError {
    let path = path.to_owned();
    move |source| match source.kind() {
        std::io::ErrorKind::StorageFull => BackupError::DiskFull(path),
        _ => BackupError::Io { operation, path, source },
    }
}

fn in_the_way(error: InTheWay) -> BackupError {
    match error {
        InTheWay::NotEmpty(path) => BackupError::NotEmpty(path),
        InTheWay::Unknown(path) => BackupError::InTheWay(path),
        InTheWay::Store(error) => BackupError::Store(error),
    }
}

fn full(error: StoreError, path: &Path) -> BackupError {
    if error.is_disk_full() { BackupError::DiskFull(path.to_owned()) } else { BackupError::Store(error) }
}

impl Ledger {
    /// Makes a backup in a directory that does not exist or is empty, while commits go on. Every file is read back and
    /// hashed from there; the manifest comes last (INV-BACKUP-1).
    pub fn backup(&self, directory: &Path, mut progress: impl FnMut(BackupProgress)) -> Result<Manifest, BackupError> {
        self.health().check()?;
        let partial = Partial::new(directory).map_err(in_the_way)?;
        let result = self.backup_into(partial.path(), &mut progress);
        let manifest = result?;
        partial.finish()?;
        Ok(manifest)
    }

    fn backup_into(&self, place: &Path, progress: &mut impl FnMut(BackupProgress)) -> Result<Manifest, BackupError> {
        // What a run that was killed leaves is known by this, and removed by the next one.
        write_identity(place, self.network(), NodeIdentity::Observer)?;
        let db = place.join(DATABASE);
        self.database().checkpoint(&db).map_err(|error| full(error, place))?;
        let names = names(&db)?;
        let mut bytes_total = 0;
        for name in &names {
            let path = db.join(name);
            bytes_total += fs::metadata(&path).map_err(io("look at", &path))?.len();
        }
        let (mut files, mut bytes) = (Vec::new(), 0);
        for name in names {
            let path = db.join(&name);
            let mut file = File::open(&path).map_err(io("open", &path))?;
            // INV-BACKUP-1: before the manifest that names it.
            file.sync_all().map_err(io("sync", &path))?;
            let (length, sha256) = hash(&mut file, None).map_err(io("read", &path))?;
            bytes += length;
            progress(BackupProgress { bytes, bytes_total });
            files.push(BackupFile { name, bytes: length, sha256 });
        }
        // Opening may write the database's own messages, never its data; what the manifest names is done.
        let tip = newest(place, self.network())?;
        let manifest = Manifest {
            v: 1,
            r#type: "testamur-backup".into(),
            network: self.network(),
            height: tip.height(),
            header: tip.hash,
            records: tip.header.log_size,
            files,
        };
        // RocksDB keeps its own log beside what it opens.
        for name in self::names(&db)?.iter().filter(|name| !manifest.files.iter().any(|file| file.name == **name)) {
            let path = db.join(name);
            fs::remove_file(&path).map_err(io("remove", &path))?;
        }
        sync_directory(&db)?;
        let (new, path) = (place.join(MANIFEST_NEW), place.join(MANIFEST));
        let mut file = File::create(&new).map_err(io("create", &new))?;
        file.write_all(&canonical(&manifest)).map_err(io("write", &new))?;
        file.sync_all().map_err(io("sync", &new))?;
        fs::rename(&new, &path).map_err(io("rename", &new))?;
        // A backup is no node's directory, and does not open as one.
        for path in [IDENTITY, LOCK].map(|name| place.join(name)) {
            fs::remove_file(&path).map_err(io("remove", &path))?;
        }
        sync_directory(place)?;
        Ok(manifest)
    }
}

/// Reads a backup's manifest; nothing of its files.
pub fn manifest(backup: &Path) -> Result<Manifest, BackupError> {
    let not = |what: &str| BackupError::NotABackup { path: backup.to_owned(), what: what.to_owned() };
    let path = backup.join(MANIFEST);
    let mut text = Vec::new();
    match File::open(&path) {
        Ok(file) => file.take(MANIFEST_BYTES_MAX + 1).read_to_end(&mut text).map_err(io("read", &path))?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(not("it has no manifest.json; one that was not finished has none"));
        }
        Err(error) => return Err(io("open", &path)(error)),
    };
    if text.len() as u64 > MANIFEST_BYTES_MAX {
        return Err(not("its manifest is too long"));
    }
    let manifest: Manifest =
        from_canonical(&text).map_err(|error| not(&format!("its manifest cannot be read: {error}")))?;
    if manifest.v != 1 || manifest.r#type != "testamur-backup" {
        return Err(not("its manifest is of another kind or version"));
    }
    let names: BTreeSet<_> = manifest.files.iter().map(|file| file.name.as_str()).collect();
    let plain = |name: &str| !name.is_empty() && !name.contains(['/', '\\', '\0']) && name != "." && name != "..";
    let sound = names.len() == manifest.files.len() && names.len() <= BACKUP_FILES_MAX;
    if !sound || !names.into_iter().all(plain) {
        return Err(not("its manifest names files that no backup has"));
    }
    Ok(manifest)
}

/// Makes a node's directory of a backup: `directory` does not exist or is empty, and gets its name when all files were
/// verified, copied and synced. It belongs to `node` then; a validator's keys and guard are its own matter (INV-BACKUP-3).
pub fn restore(
    backup: &Path,
    directory: &Path,
    genesis: &Genesis,
    node: NodeIdentity,
    mut progress: impl FnMut(BackupProgress),
) -> Result<Manifest, BackupError> {
    let (manifest, expected) = (manifest(backup)?, genesis.hash());
    if manifest.network != expected {
        return Err(BackupError::OtherNetwork { found: manifest.network, expected });
    }
    let (from, partial) = (backup.join(DATABASE), Partial::new(directory).map_err(in_the_way)?);
    let place = partial.path().to_owned();
    write_identity(&place, expected, node).map_err(|error| full(error, &place))?;
    let to = place.join(DATABASE);
    fs::create_dir(&to).map_err(io("create", &to))?;
    let (mut bytes, bytes_total) = (0, manifest.bytes());
    for BackupFile { name, bytes: length, sha256 } in &manifest.files {
        let path = from.join(name);
        let damaged = |what: &str| BackupError::Damaged { path: path.clone(), what: what.to_owned() };
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(damaged("it is missing")),
            Err(error) => return Err(io("open", &path)(error)),
        };
        if file.metadata().map_err(io("look at", &path))?.len() != *length {
            return Err(damaged("it has another length than the manifest says"));
        }
        let copy = to.join(name);
        let mut out = File::create(&copy).map_err(io("create", &copy))?;
        let (found, hash) = hash(&mut file, Some(&mut out)).map_err(io("copy", &copy))?;
        if found != *length || hash != *sha256 {
            return Err(damaged("its bytes are not those that were backed up"));
        }
        out.sync_all().map_err(io("sync", &copy))?;
        bytes += length;
        progress(BackupProgress { bytes, bytes_total });
    }
    let tip = set_node(&place, expected, node)?;
    if (tip.height(), tip.hash) != (manifest.height, manifest.header) {
        let what = "the manifest names another newest block than the files hold".to_owned();
        return Err(BackupError::Damaged { path: backup.join(MANIFEST), what });
    }
    partial.finish()?;
    Ok(manifest)
}

/// Gives a node's directory to another: an observer's to a validator that it becomes, or back. No node uses it meanwhile.
/// Doing it again changes nothing, also after a crash in the middle; a directory that belongs to neither is refused.
pub fn change_node(
    directory: &Path,
    network: GenesisHash,
    from: NodeIdentity,
    to: NodeIdentity,
) -> Result<(), StoreError> {
    let foreign = |what: String| StoreError::Foreign { path: directory.to_owned(), what };
    let (found_network, found) = node_of(directory)?.ok_or_else(|| foreign("it has no identity file".into()))?;
    if found_network != network.to_string() {
        return Err(foreign(format!("it belongs to network {found_network}, this is network {network}")));
    }
    if found != from.to_string() && found != to.to_string() {
        return Err(foreign(format!("it belongs to node {found}, this is node {to}")));
    }
    // First the row, then the file: a crash between leaves a directory that opens for neither, and this call mends it.
    set_node_row(directory, network, if found == to.to_string() { to } else { from }, to)?;
    write_identity(directory, network, to)
}

/// Network and node of a directory, as its identity file spells them: `observer`, or a validator's address. None when there
/// is no such file.
pub fn node_of(directory: &Path) -> Result<Option<(String, String)>, StoreError> {
    crate::db::read_identity(directory)
}

fn set_node_row(
    directory: &Path,
    network: GenesisHash,
    named: NodeIdentity,
    node: NodeIdentity,
) -> Result<Tip, StoreError> {
    let database = Database::open(directory, network, named, Access::Write)?;
    let mut batch = database.batch();
    batch.put(Column::Meta, Meta::NODE, &node.to_bytes());
    database.write(batch)?;
    let snapshot = database.snapshot();
    if snapshot.get(Column::Meta, Meta::NETWORK)?.as_deref() != Some(network.as_bytes()) {
        let what = "its network is not the expected one".to_owned();
        return Err(StoreError::Foreign { path: directory.to_owned(), what });
    }
    Tip::load(&snapshot)?.ok_or_else(|| StoreError::damaged("tip", "the row is missing"))
}

fn set_node(place: &Path, network: GenesisHash, node: NodeIdentity) -> Result<Tip, BackupError> {
    set_node_row(place, network, node, node).map_err(|error| full(error, place))
}

/// The newest block of a copy.
fn newest(place: &Path, network: GenesisHash) -> Result<Tip, BackupError> {
    let database = Database::open(place, network, NodeIdentity::Observer, Access::Read)?;
    let tip = Tip::load(&database.snapshot())?;
    Ok(tip.ok_or_else(|| StoreError::damaged("tip", "the row is missing"))?)
}

fn names(directory: &Path) -> Result<Vec<String>, BackupError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).map_err(io("list", directory))? {
        let name = entry.map_err(io("list", directory))?.file_name();
        names.push(name.into_string().expect("RocksDB's files have plain names"));
    }
    names.sort_unstable();
    Ok(names)
}

/// Length and SHA-256 of what is read, which is written on to `to`.
fn hash(from: &mut File, mut to: Option<&mut File>) -> std::io::Result<(u64, String)> {
    use sha2::Digest as _;
    let (mut hasher, mut length, mut buffer) = (sha2::Sha256::new(), 0, vec![0; 1 << 20]);
    loop {
        let read = from.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        hasher.update(&buffer[..read]);
        length += read as u64;
        if let Some(to) = to.as_deref_mut() {
            to.write_all(&buffer[..read])?;
        }
    }
    let hash: [u8; 32] = hasher.finalize().into();
    Ok((length, crate::schema::hex(&hash)))
}

fn sync_directory(directory: &Path) -> Result<(), BackupError> {
    File::open(directory).and_then(|d| d.sync_all()).map_err(io("sync", directory))
}
