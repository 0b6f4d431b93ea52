//! The archive of receipts: what callers sent that is not final yet, and the receipts and salts of what is. Never a document.
//!
//! One file, in which nothing can be read: every value is sealed for its place (XChaCha20-Poly1305), idempotency keys and callers'
//! labels stand in it as keyed hashes. Who has the file and not the key learns how many submissions there are and when they came.
//!
//! - INV-KEPT-1: one [`Step`] is on disk as a whole when [`Store::write`] returns, or not at all.
//! - INV-KEPT-2: a record is on disk, with the openings of all its documents, before it is sent.
//! - INV-KEPT-3: what was queued is in the queue, under a record on its way, final, or refused: in exactly one of these.
//! - INV-KEPT-4: one process has the archive open at a time.
//! - INV-KEPT-5: after a write that failed nothing of the database in memory is trusted: it is opened again from disk.
//!
//! ```text
//! place (first byte, then what follows)      value, sealed
//! m                                          the mark: tells a wrong key from damage
//! s  submission                              Submission
//! h  submission                              its digests, as long as it is queued
//! o  submission, place of the document       Opening, as its receipt has it
//! q  number                                  submission: the queue, in order
//! r  record                                  InFlight
//! b  record                                  what the receipts of a record share, as bytes to cut them from
//! i  hash of caller and idempotency key      Used
//! w  submission                              Delivery
//! d  when it is due, submission              nothing: deliveries in their order. What says otherwise than w is passed over
//! l  hash of caller, submission              nothing: what each caller sent, by time
//! l  hash of caller and name, submission     nothing: the same, of those that it named so
//! ```

mod backup;
mod entries;
mod stencils;
mod step;
mod writer;

use std::fs::OpenOptions;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

use redb::{Database, DatabaseError, ReadableDatabase as _, ReadableTable as _, TableDefinition};
use serde::Serialize;
use serde::de::DeserializeOwned;
use testamur_primitives::commitment::{DocumentDigest, Opening};
use testamur_primitives::hash::RecordId;
use testamur_primitives::receipt::ReceiptStencil;
use testamur_primitives::record::Reference;
use testamur_primitives::units::UnixTime;
pub use testamur_registrar::store::ArchiveKey;
use testamur_registrar::store::seal::Keys;

pub use backup::restore;
pub use entries::{Delivery, IdError, InFlight, Listing, Page, State, Submission, SubmissionId, Used};
use stencils::Stencils;
pub use step::Step;
use writer::Writer;

use crate::limits::{DISK_FREE_BYTES_MIN, LISTING_LOOKS_MAX, STORE_CACHE_BYTES};

/// The one table: places and sealed values.
const TABLE: TableDefinition<&[u8], &[u8]> = TableDefinition::new("testamur-receipts-1");
const MARK_PLACE: &[u8] = b"m";
const MARK: &[u8] = b"testamur archive of receipts, version 1";
/// What archives of receipts are told apart by from those of a university under the same key: no DID begins so.
const OWNER: &str = "gateway";

/// Why the archive does not answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Somebody has it open.
    #[error("the archive {} is open in another process", .0.display())]
    Busy(PathBuf),
    /// Others may read it.
    #[error("the archive {} may be read by others (mode {mode:03o}); run `chmod 600`", path.display())]
    OpenToOthers {
        /// Which file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It was made under another key.
    #[error("the key does not open the archive {}", .0.display())]
    WrongKey(PathBuf),
    /// A value does not open, or is not what it should be.
    #[error("the archive is damaged: a value in it does not open")]
    Damaged,
    /// A step wanted a place empty that is not: nothing of the step was done.
    #[error("what should be new is there already")]
    Exists,
    /// Too little room to take anything new; what is there can still be brought to its end.
    #[error("the disk of the archive has {free} bytes free, {needed} are needed")]
    DiskFull {
        /// Bytes free.
        free: u64,
        /// Bytes that must be.
        needed: u64,
    },
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
    /// Whether the process must stop: a damaged archive may hand out what is not true.
    pub fn is_fatal(&self) -> bool {
        matches!(self, Self::Damaged | Self::Random)
    }
}

/// As [`StoreError::Io`], of whatever failed.
fn io<E: core::fmt::Display>(action: &'static str) -> impl Fn(E) -> StoreError {
    move |error| StoreError::Io { action, reason: error.to_string() }
}

/// Opens the database of an archive: again and again, when a disk comes back.
type Opener = Box<dyn Fn() -> Result<Database, StoreError> + Send + Sync>;

/// What was committed last, to be read.
type Snapshot = redb::ReadOnlyTable<&'static [u8], &'static [u8]>;

/// What readers and the writer share.
struct Shared {
    opener: Opener,
    keys: Keys,
    /// None after a write that failed, until it is opened again (INV-KEPT-5).
    database: RwLock<Option<Database>>,
}

/// The archive, open.
pub struct Store {
    shared: Arc<Shared>,
    writer: Writer,
    path: PathBuf,
    key: ArchiveKey,
    /// The next number of the queue.
    next: AtomicU64,
    /// Documents in the queue.
    waiting: AtomicU64,
    /// A write failed: the queue is counted again.
    miscounted: AtomicBool,
    stencils: Stencils,
}

impl core::fmt::Debug for Store {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Store(…)")
    }
}

impl Store {
    /// Opens an archive, or begins it, with mode 0600. Fails when others may read it, when another process has it, and when the key
    /// is another one's.
    pub fn open(path: &Path, key: &ArchiveKey) -> Result<Self, StoreError> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
        let mode = file.and_then(|f| f.metadata()).map_err(io("opened"))?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(StoreError::OpenToOthers { path: path.to_owned(), mode });
        }
        let place = path.to_owned();
        let opener = move || {
            Database::builder().set_cache_size(STORE_CACHE_BYTES).create(&place).map_err(|error| match error {
                // INV-KEPT-4.
                DatabaseError::DatabaseAlreadyOpen => StoreError::Busy(place.clone()),
                other => io("opened")(other),
            })
        };
        Self::open_with(path, Box::new(opener), key)
    }

    fn open_with(path: &Path, opener: Opener, key: &ArchiveKey) -> Result<Self, StoreError> {
        let database = opener()?;
        let shared = Arc::new(Shared { opener, keys: Keys::new(key, OWNER), database: RwLock::new(Some(database)) });
        match shared.sealed(MARK_PLACE)? {
            Some(sealed) if shared.keys.open(MARK_PLACE, &sealed).is_ok_and(|value| value == MARK) => {}
            Some(_) => return Err(StoreError::WrongKey(path.to_owned())),
            // A backup that broke off: its mark is written last.
            None if shared.holds_anything()? => return Err(StoreError::Damaged),
            None => {
                let sealed = shared.seal(MARK_PLACE, MARK)?;
                writer::commit(&shared, |table| {
                    table.insert(MARK_PLACE, sealed.as_slice()).map_err(io("written"))?;
                    Ok(())
                })?;
            }
        }
        let writer = Writer::start(Arc::clone(&shared))?;
        let (next, waiting) = (AtomicU64::new(0), AtomicU64::new(0));
        let store = Self {
            shared,
            writer,
            path: path.to_owned(),
            key: key.clone(),
            next,
            waiting,
            miscounted: AtomicBool::new(false),
            stencils: Stencils::default(),
        };
        store.count()?;
        Ok(store)
    }

    /// Counts the queue.
    fn count(&self) -> Result<(), StoreError> {
        let (mut next, mut waiting) = (0, 0);
        self.each(b"q", |place, value| {
            next = number_of(place)? + 1;
            let submission = self.submission(from_json(&value)?)?.ok_or(StoreError::Damaged)?;
            waiting += u64::from(submission.count);
            Ok(true)
        })?;
        self.next.fetch_max(next, Ordering::Relaxed);
        self.waiting.store(waiting, Ordering::Relaxed);
        Ok(())
    }

    /// A step that changes nothing yet.
    pub fn step(&self) -> Step {
        Step::new(&self.shared)
    }

    /// Makes a step (INV-KEPT-1). If we crash before it returns, the step was made or it was not; nothing else. Steps that come
    /// together are made durable together.
    ///
    /// [`StoreError::Exists`] when the step wanted something new that is there already; [`StoreError::Io`] when the disk fails or is
    /// full: then nothing has changed, or it is not known whether it has, since the disk cannot be read either.
    pub async fn write(&self, step: Step) -> Result<(), StoreError> {
        let queue = step.queue;
        self.writer.write(step.finish()?).await.inspect_err(|error| {
            if !matches!(error, StoreError::Exists) {
                self.miscounted.store(true, Ordering::Relaxed);
            }
        })?;
        self.waiting.fetch_add(queue.joined, Ordering::Relaxed);
        self.waiting.fetch_sub(queue.left, Ordering::Relaxed);
        Ok(())
    }

    /// Whether the disk has room for more: what is on its way must be able to end.
    pub fn check_room(&self) -> Result<(), StoreError> {
        let directory = self.path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let free = rustix::fs::statvfs(directory).map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize));
        let free = free.map_err(io("measured"))?;
        if free < DISK_FREE_BYTES_MIN {
            return Err(StoreError::DiskFull { free, needed: DISK_FREE_BYTES_MIN });
        }
        Ok(())
    }

    /// The next number of the queue: each is given out once.
    pub(crate) fn next_number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Documents in the queue.
    pub fn waiting(&self) -> u64 {
        if self.miscounted.swap(false, Ordering::Relaxed) && self.count().is_err() {
            self.miscounted.store(true, Ordering::Relaxed);
        }
        self.waiting.load(Ordering::Relaxed)
    }

    /// Since when the first of the queue waits; none when it is empty.
    pub fn waiting_since(&self) -> Result<Option<UnixTime>, StoreError> {
        let mut since = None;
        self.queued(|submission| {
            since = Some(submission.since);
            false
        })?;
        Ok(since)
    }

    /// The place of an idempotency key of a caller: whoever lacks the archive's key cannot guess it.
    pub fn repeat_place(&self, caller: &Reference, key: &str) -> [u8; 32] {
        self.shared.keys.name("idempotency", &[caller.as_str(), key])
    }

    /// A submission.
    pub fn submission(&self, id: SubmissionId) -> Result<Option<Submission>, StoreError> {
        self.read_json(&step::submission_place(id))
    }

    /// The digests of a submission that is queued.
    pub(crate) fn digests(&self, id: SubmissionId) -> Result<Vec<DocumentDigest>, StoreError> {
        entries::unpack(&self.read(&step::digests_place(id))?.ok_or(StoreError::Damaged)?)
    }

    /// The opening of a document that was signed for: with it and the ledger's part its receipt is made.
    pub fn opening(&self, id: SubmissionId, place: u32) -> Result<Option<Opening>, StoreError> {
        self.read_json(&step::opening_place(id, place))
    }

    /// The same, as bytes that a receipt takes.
    pub(crate) fn opening_bytes(&self, id: SubmissionId, place: u32) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(&step::opening_place(id, place))
    }

    /// What a final record's receipts share; it was verified before it was kept.
    pub fn ledger_part(&self, record: RecordId) -> Result<Option<Arc<ReceiptStencil>>, StoreError> {
        if let Some(stencil) = self.stencils.of(record) {
            return Ok(Some(stencil));
        }
        let Some(bytes) = self.read(&step::record_place(b'b', record))? else { return Ok(None) };
        let stencil = Arc::new(ReceiptStencil::from_bytes(&bytes).map_err(|_| StoreError::Damaged)?);
        self.stencils.put(record, Arc::clone(&stencil));
        Ok(Some(stencil))
    }

    /// What an idempotency key was used for.
    pub fn used(&self, place: &[u8; 32]) -> Result<Option<Used>, StoreError> {
        self.read_json(&step::used_place(place))
    }

    /// A record on its way.
    pub(crate) fn in_flight(&self, record: RecordId) -> Result<Option<InFlight>, StoreError> {
        self.read_json(&step::record_place(b'r', record))
    }

    /// All records on their way.
    pub fn all_in_flight(&self) -> Result<Vec<InFlight>, StoreError> {
        self.all(b"r")
    }

    /// All messages that were not delivered yet.
    pub fn deliveries(&self) -> Result<Vec<Delivery>, StoreError> {
        self.all(b"w")
    }

    /// Turns to deliver a message, the first first, until a time: at most `count`, each with the message if there is one.
    pub(crate) fn due(
        &self,
        until: UnixTime,
        count: usize,
    ) -> Result<Vec<(UnixTime, SubmissionId, Option<Delivery>)>, StoreError> {
        let mut turns = Vec::new();
        self.each(b"d", |place, _| {
            let (due, id) = turn_of(place)?;
            let is_due = due <= until && turns.len() < count;
            if is_due {
                turns.push((due, id, self.read_json(&step::delivery_place(id))?));
            }
            Ok(is_due)
        })?;
        Ok(turns)
    }

    /// When the next message is due.
    pub(crate) fn next_due(&self) -> Result<Option<UnixTime>, StoreError> {
        let mut next = None;
        self.each(b"d", |place, _| {
            next = Some(turn_of(place)?.0);
            Ok(false)
        })?;
        Ok(next)
    }

    /// Some of what a caller sent, the latest first. A bounded number is looked at, so that a page may be short before the last.
    pub fn listed(&self, wanted: &Listing) -> Result<Page, StoreError> {
        let Listing { caller, reference, after, from, until, state, limit } = wanted;
        let prefix = step::list_prefix(&self.shared, caller, reference.as_ref());
        let place = |id: SubmissionId| [&prefix[..], id.as_bytes()].concat();
        let first = place(SubmissionId::first_at(from.unwrap_or_default()));
        let behind = until.map(SubmissionId::first_at).into_iter().chain(*after).min().map(place);
        let behind = behind.unwrap_or_else(|| [&prefix[..], &[0xff; 17]].concat());
        let mut page = Page { submissions: Vec::new(), next: None };
        let Some(table) = self.shared.table()?.filter(|_| first < behind) else { return Ok(page) };
        let range = table.range(first.as_slice()..behind.as_slice()).map_err(io("read"))?;
        for (looks, entry) in range.rev().enumerate() {
            let (place, _) = entry.map_err(io("read"))?;
            let id = SubmissionId::at_end_of(place.value()).ok_or(StoreError::Damaged)?;
            if page.submissions.len() == *limit || looks == LISTING_LOOKS_MAX {
                // There is at least this one more.
                return Ok(page);
            }
            page.next = Some(id);
            // One that was forgotten meanwhile is not there any more.
            let submission = self.submission(id)?.filter(|found| found.caller == *caller);
            page.submissions.extend(submission.filter(|found| state.is_none_or(|state| found.state.name() == state)));
        }
        page.next = None;
        Ok(page)
    }

    /// Those that wait for a record, the first first, as long as `take` says so.
    pub(crate) fn queued(&self, mut take: impl FnMut(&Submission) -> bool) -> Result<Vec<Submission>, StoreError> {
        let mut found = Vec::new();
        self.each(b"q", |_, value| {
            let submission = self.submission(from_json(&value)?)?.ok_or(StoreError::Damaged)?;
            let taken = take(&submission);
            if taken {
                found.push(submission);
            }
            Ok(taken)
        })?;
        Ok(found)
    }

    fn all<T: DeserializeOwned>(&self, prefix: &[u8]) -> Result<Vec<T>, StoreError> {
        let mut all = Vec::new();
        self.each(prefix, |_, value| {
            all.push(from_json(&value)?);
            Ok(true)
        })?;
        Ok(all)
    }

    fn read(&self, place: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.shared.sealed(place)?.map(|sealed| self.shared.open(place, &sealed)).transpose()
    }

    fn read_json<T: DeserializeOwned>(&self, place: &[u8]) -> Result<Option<T>, StoreError> {
        self.read(place)?.map(|bytes| from_json(&bytes)).transpose()
    }

    /// Every value whose place begins so, in order, until `each` has enough.
    fn each(
        &self,
        prefix: &[u8],
        mut each: impl FnMut(&[u8], Vec<u8>) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        let Some(table) = self.shared.table()? else { return Ok(()) };
        for entry in table.range(prefix..).map_err(io("read"))? {
            let (place, sealed) = entry.map_err(io("read"))?;
            if !place.value().starts_with(prefix) {
                break;
            }
            if !each(place.value(), self.shared.open(place.value(), sealed.value())?)? {
                break;
            }
        }
        Ok(())
    }
}

impl Shared {
    fn seal(&self, place: &[u8], value: &[u8]) -> Result<Vec<u8>, StoreError> {
        self.keys.seal(place, value).map_err(|_| StoreError::Random)
    }

    fn open(&self, place: &[u8], sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
        self.keys.open(place, sealed).map_err(|_| StoreError::Damaged)
    }

    /// What was committed last; none as long as nothing was.
    fn table(&self) -> Result<Option<Snapshot>, StoreError> {
        let database = self.database.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let database =
            database.as_ref().ok_or_else(|| io("read")("it could not be written, and is not open again yet"))?;
        match database.begin_read().map_err(io("read"))?.open_table(TABLE) {
            Ok(table) => Ok(Some(table)),
            Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(io("read")(error)),
        }
    }

    fn holds_anything(&self) -> Result<bool, StoreError> {
        let Some(table) = self.table()? else { return Ok(false) };
        Ok(table.first().map_err(io("read"))?.is_some())
    }

    fn sealed(&self, place: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(table) = self.table()? else { return Ok(None) };
        Ok(table.get(place).map_err(io("read"))?.map(|sealed| sealed.value().to_vec()))
    }
}

fn turn_of(place: &[u8]) -> Result<(UnixTime, SubmissionId), StoreError> {
    let due = place[1..].first_chunk().copied().map(u64::from_be_bytes).ok_or(StoreError::Damaged)?;
    Ok((UnixTime(due), SubmissionId::at_end_of(place).ok_or(StoreError::Damaged)?))
}

fn number_of(place: &[u8]) -> Result<u64, StoreError> {
    place[1..].try_into().map(u64::from_be_bytes).map_err(|_| StoreError::Damaged)
}

fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(bytes).map_err(|_| StoreError::Damaged)
}

fn to_json<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("what the archive keeps is JSON with string keys")
}

#[cfg(test)]
mod tests;
