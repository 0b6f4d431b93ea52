//! The archive of what was issued: one file, in which nothing personal can be read.
//!
//! Every value is sealed (XChaCha20-Poly1305, bound to its place), every name in it is a keyed hash, under a secret that the
//! home's keystore holds. Without it the file shows how many values there are and how long they are, and nothing else.
//!
//! - INV-ARCHIVE-1: what one [`Store::write`] changes is on disk as a whole when it returns, or not at all.
//! - INV-ARCHIVE-2: an award has one entry, whoever writes it; its entry of a status list is given out once.
//! - INV-ARCHIVE-3: a signed record is on disk before it is sent, and so is what it is for.
//! - INV-ARCHIVE-4: one process has the archive open at a time.
//!
//! ```text
//! place (first byte, then what follows)           value, sealed
//! a  award                                        Award: its diplomas
//! c  award, edition                               Draft: what was asked for
//! t  award, edition, format                       the credential's text
//! p  award, edition                               the print
//! n  hash of the award's id alone, award          (nothing)
//! x  hash of a credential's digest                which diploma, which format
//! l  record                                       the leaf hashes of the batch that it anchors
//! b  record                                       the ledger's part of a receipt: once for all of a batch
//! f  hash of a list's name                        Family: which entries were given out
//! r  record                                       Pending
//! d  hash of a kind, hash of a name               a document: jobs, and what others keep here
//! ```

mod change;
mod entries;
pub mod seal;

use std::fs::OpenOptions;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use redb::{Database, DatabaseError, ReadableDatabase as _, TableDefinition};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use testamur_credentials::credential::Format;
use testamur_primitives::did::Did;
use testamur_primitives::hash::{RecordId, TreeHash};
use testamur_primitives::receipt::Receipt;
use testamur_primitives::record::Reference;

pub use change::Change;
pub use entries::{
    Award, AwardId, AwardKey, Diploma, DiplomaKey, Draft, Edition, Family, IdError, Job, JobId, Page, Pending,
    SignedCopy, Stage, State,
};
pub use seal::ArchiveKey;
use seal::Keys;

use crate::limits::STORE_CACHE_BYTES;

/// The one table: places and sealed values.
const TABLE: TableDefinition<&[u8], &[u8]> = TableDefinition::new("testamur-archive-1");
/// What is sealed at the first place, to tell a wrong key from damage.
const MARK: &[u8] = b"testamur archive of diplomas, version 1";

/// Why the archive does not answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Somebody has it open.
    #[error("the archive {} is open in another process", .0.display())]
    Busy(PathBuf),
    /// Others may read it.
    #[error("the archive {} may be read by others (mode {mode:03o})", path.display())]
    OpenToOthers {
        /// Which file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It was made under another key.
    #[error("the archive's key does not open {}: it belongs to another home, or another key", .0.display())]
    WrongKey(PathBuf),
    /// A value does not open, or is not what it should be.
    #[error("the archive is damaged: a value in it does not open")]
    Damaged,
    /// An award is in it that was not there a moment ago, or the other way round.
    #[error("award {0} is in the archive already")]
    Exists(AwardId),
    /// The list has no entry left.
    #[error("every entry of status list {0} was given out")]
    Full(Reference),
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    Random,
    /// The operating system or the database failed.
    #[error("the archive cannot be {action}: {reason}")]
    Io {
        /// What was done.
        action: &'static str,
        /// The words of the one that failed.
        reason: String,
    },
}

impl StoreError {
    /// Stable slug.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Busy(_) => "archive.busy",
            Self::OpenToOthers { .. } => "archive.open-to-others",
            Self::WrongKey(_) => "archive.key",
            Self::Damaged => "archive.damaged",
            Self::Exists(_) => "archive.exists",
            Self::Full(_) => "status.full",
            Self::Random => "key.randomness",
            Self::Io { .. } => "archive.io",
        }
    }

    /// Whether the process must stop: its picture of the disk may be wrong.
    pub fn is_fatal(&self) -> bool {
        matches!(self, Self::Damaged | Self::Random | Self::Io { .. })
    }
}

/// As [`StoreError::Io`], of whatever failed.
fn io<E: core::fmt::Display>(action: &'static str) -> impl Fn(E) -> StoreError {
    move |error| StoreError::Io { action, reason: error.to_string() }
}

/// A document of a kind: its name is inside, since outside it is a hash.
#[derive(Serialize, Deserialize)]
struct Named<T> {
    name: String,
    value: T,
}

/// The archive, open.
pub struct Store {
    database: Database,
    keys: Keys,
    /// Breaks off a step, as a crash would.
    #[cfg(test)]
    pub(crate) crash: tests::Crash,
}

impl core::fmt::Debug for Store {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Store(…)")
    }
}

impl Store {
    /// Opens the archive of an issuer, or begins it.
    pub fn open(path: &Path, key: &ArchiveKey, issuer: &Did) -> Result<Self, StoreError> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
        let mode = file.and_then(|f| f.metadata()).map_err(io("opened"))?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(StoreError::OpenToOthers { path: path.to_owned(), mode });
        }
        let database =
            Database::builder().set_cache_size(STORE_CACHE_BYTES).create(path).map_err(|error| match error {
                // INV-ARCHIVE-4.
                DatabaseError::DatabaseAlreadyOpen => StoreError::Busy(path.to_owned()),
                other => io("opened")(other),
            })?;
        let store = Self {
            database,
            keys: Keys::new(key, issuer.as_str()),
            #[cfg(test)]
            crash: tests::Crash::default(),
        };
        let mark: &[u8] = b"m";
        let found = match store.database.begin_read().map_err(io("read"))?.open_table(TABLE) {
            Ok(table) => table.get(mark).map_err(io("read"))?.map(|sealed| sealed.value().to_vec()),
            Err(redb::TableError::TableDoesNotExist(_)) => None,
            Err(error) => return Err(io("read")(error)),
        };
        match found {
            Some(sealed) if store.keys.open(mark, &sealed).is_ok_and(|value| value == MARK) => {}
            Some(_) => return Err(StoreError::WrongKey(path.to_owned())),
            None => store.write(|change| change.seal(mark, MARK))?,
        }
        Ok(store)
    }

    /// Changes the archive in one durable step (INV-ARCHIVE-1): an error leaves all as it was. If we crash inside, nothing has
    /// happened; when it returns, all has.
    pub fn write<T, E: From<StoreError>>(&self, change: impl FnOnce(&mut Change<'_>) -> Result<T, E>) -> Result<T, E> {
        let transaction = self.database.begin_write().map_err(io("written"))?;
        let value = {
            let table = transaction.open_table(TABLE).map_err(io("written"))?;
            change(&mut Change::new(table, &self.keys))?
        };
        #[cfg(test)]
        self.crash.before()?;
        transaction.commit().map_err(io("written"))?;
        #[cfg(test)]
        self.crash.after()?;
        Ok(value)
    }

    fn read(&self, place: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let table = self.table()?;
        let found = table.get(place).map_err(io("read"))?;
        found.map(|sealed| self.keys.open(place, sealed.value())).transpose()
    }

    fn table(&self) -> Result<redb::ReadOnlyTable<&'static [u8], &'static [u8]>, StoreError> {
        self.database.begin_read().map_err(io("read"))?.open_table(TABLE).map_err(io("read"))
    }

    fn read_json<T: DeserializeOwned>(&self, place: &[u8]) -> Result<Option<T>, StoreError> {
        self.read(place)?.map(|bytes| from_json(&bytes)).transpose()
    }

    /// Every value whose place begins so.
    fn each(
        &self,
        prefix: &[u8],
        mut each: impl FnMut(&[u8], Vec<u8>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        for entry in self.table()?.range(prefix..).map_err(io("read"))? {
            let (place, sealed) = entry.map_err(io("read"))?;
            if !place.value().starts_with(prefix) {
                break;
            }
            each(place.value(), self.keys.open(place.value(), sealed.value())?)?;
        }
        Ok(())
    }

    /// The name of an award.
    pub fn key_of(&self, id: &AwardId) -> AwardKey {
        AwardKey(self.keys.name("award", &[&id.registrar, &id.award]))
    }

    /// An award with its diplomas.
    pub fn award(&self, key: &AwardKey) -> Result<Option<Award>, StoreError> {
        self.read_json(&award_place(key))
    }

    /// Awards by what people call them: the award's id, `registrar/award`, or the name in the archive.
    pub fn find(&self, text: &str) -> Result<Vec<Award>, StoreError> {
        let text = text.trim();
        let mut keys = Vec::new();
        let mut bytes = [0; 32];
        if hex::decode_to_slice(text, &mut bytes).is_ok() {
            keys.push(AwardKey(bytes));
        }
        for (place, _) in text.match_indices('/') {
            keys.extend(AwardId::new(&text[..place], &text[place + 1..]).map(|id| self.key_of(&id)));
        }
        let prefix = alias_place(&self.keys, text);
        self.each(&prefix, |place, _| {
            keys.extend(place[prefix.len()..].try_into().map(AwardKey));
            Ok(())
        })?;
        keys.sort();
        keys.dedup();
        keys.iter().filter_map(|key| self.award(key).transpose()).collect()
    }

    /// Every award, in no order that means anything.
    pub fn each_award(&self, mut each: impl FnMut(Award)) -> Result<(), StoreError> {
        self.each(b"a", |_, value| {
            each(from_json(&value)?);
            Ok(())
        })
    }

    /// What was asked for.
    pub fn content(&self, diploma: &DiplomaKey) -> Result<Option<Draft>, StoreError> {
        self.read_json(&diploma_place(b'c', diploma))
    }

    /// The text of a credential.
    pub fn text(&self, diploma: &DiplomaKey, format: Format) -> Result<Option<String>, StoreError> {
        let text = self.read(&copy_place(b't', diploma, format))?;
        text.map(|bytes| String::from_utf8(bytes).map_err(|_| StoreError::Damaged)).transpose()
    }

    /// The print, for the one who has it attached to the credential again.
    pub fn print(&self, diploma: &DiplomaKey) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(&diploma_place(b'p', diploma))
    }

    /// The leaf hashes of a batch, in order.
    pub(crate) fn leaves(&self, record: RecordId) -> Result<Option<Vec<TreeHash>>, StoreError> {
        let Some(bytes) = self.read(&record_place(b'l', record))? else { return Ok(None) };
        let (leaves, rest) = bytes.as_chunks::<32>();
        if !rest.is_empty() {
            return Err(StoreError::Damaged);
        }
        Ok(Some(leaves.iter().map(|leaf| TreeHash::from_bytes(*leaf)).collect()))
    }

    /// The ledger's part of a batch's receipts.
    pub fn ledger_part(&self, record: RecordId) -> Result<Option<Receipt>, StoreError> {
        self.read_json(&record_place(b'b', record))
    }

    /// Which diploma a credential is, by its digest.
    pub fn by_digest(&self, digest: &[u8; 32]) -> Result<Option<(DiplomaKey, Format)>, StoreError> {
        self.read_json(&digest_place(&self.keys, digest))
    }

    /// A family of lists.
    pub fn family(&self, list: &Reference) -> Result<Option<Family>, StoreError> {
        self.read_json(&family_place(&self.keys, list))
    }

    /// Every family of lists.
    pub fn families(&self) -> Result<Vec<Family>, StoreError> {
        let mut families: Vec<Family> = Vec::new();
        self.each(b"f", |_, value| {
            families.push(from_json(&value)?);
            Ok(())
        })?;
        families.sort_by(|a, b| (a.list.as_str().len(), &a.list).cmp(&(b.list.as_str().len(), &b.list)));
        Ok(families)
    }

    /// A record that is on its way.
    pub fn pending(&self, record: RecordId) -> Result<Option<Pending>, StoreError> {
        self.read_json(&record_place(b'r', record))
    }

    /// All records that are on their way.
    pub fn all_pending(&self) -> Result<Vec<Pending>, StoreError> {
        let mut all = Vec::new();
        self.each(b"r", |_, value| {
            all.push(from_json(&value)?);
            Ok(())
        })?;
        Ok(all)
    }

    /// A document.
    pub fn get<T: DeserializeOwned>(&self, kind: &str, name: &str) -> Result<Option<T>, StoreError> {
        let found: Option<Named<T>> = self.read_json(&document_place(&self.keys, kind, name))?;
        Ok(found.map(|named| named.value))
    }

    /// All documents of a kind, by name.
    pub fn all<T: DeserializeOwned>(&self, kind: &str) -> Result<Vec<(String, T)>, StoreError> {
        let mut all = Vec::new();
        self.each(&kind_place(&self.keys, kind), |_, value| {
            let Named { name, value } = from_json(&value)?;
            all.push((name, value));
            Ok(())
        })?;
        all.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(all)
    }
}

fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(bytes).map_err(|_| StoreError::Damaged)
}

fn to_json<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("what the archive keeps is JSON with string keys")
}

fn award_place(key: &AwardKey) -> Vec<u8> {
    [b"a", &key.0[..]].concat()
}

fn diploma_place(kind: u8, diploma: &DiplomaKey) -> Vec<u8> {
    [&[kind], &diploma.award.0[..], &diploma.edition.to_be_bytes()].concat()
}

fn copy_place(kind: u8, diploma: &DiplomaKey, format: Format) -> Vec<u8> {
    let number = match format {
        Format::SdJwt => 1,
        Format::Vcdm2 => 2,
        Format::Ebsi => 3,
        Format::Compact => 4,
    };
    [diploma_place(kind, diploma), vec![number]].concat()
}

fn alias_place(keys: &Keys, award: &str) -> Vec<u8> {
    [b"n", &keys.name("alias", &[award])[..]].concat()
}

fn digest_place(keys: &Keys, digest: &[u8; 32]) -> Vec<u8> {
    [b"x", &keys.name("digest", &[&hex::encode(digest)])[..]].concat()
}

fn record_place(kind: u8, record: RecordId) -> Vec<u8> {
    [&[kind], &record.as_bytes()[..]].concat()
}

fn family_place(keys: &Keys, list: &Reference) -> Vec<u8> {
    [b"f", &keys.name("family", &[list.as_str()])[..]].concat()
}

fn kind_place(keys: &Keys, kind: &str) -> Vec<u8> {
    [b"d", &keys.name("kind", &[kind])[..]].concat()
}

fn document_place(keys: &Keys, kind: &str, name: &str) -> Vec<u8> {
    [kind_place(keys, kind), keys.name("document", &[kind, name]).to_vec()].concat()
}

#[cfg(test)]
pub(crate) mod tests;
