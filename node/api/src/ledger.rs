//! What the API asks of a node: [`Reader`] to read its ledger and [`Submitter`] to hand it records.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use testamur_primitives::commitment::DocumentDigest;
use testamur_primitives::did::Did;
use testamur_primitives::epoch::{EpochLink, ValidatorSet};
use testamur_primitives::genesis::{Genesis, Parameters};
use testamur_primitives::hash::{AttachmentHash, HeaderHash, RecordId, TreeHash};
use testamur_primitives::header::Header;
use testamur_primitives::note::Note;
use testamur_primitives::receipt::Receipt;
use testamur_primitives::record::Record;
use testamur_primitives::state::StateKey;
use testamur_primitives::state::evidence::Evidence;
use testamur_primitives::stream::StreamedBlock;
use testamur_primitives::units::{Epoch, Height, LogIndex, LogSize, UnixTime};

/// Why a read failed. "There is none" is no error: it is an `Option`.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Damage or another state in which the node must stop: it is never served. The node stops itself; the API answers 500.
    #[error("the ledger cannot be read: {0}")]
    Fatal(String),
    /// The node cannot answer now and may later, for instance while it stops.
    #[error("the ledger cannot be read now: {0}")]
    Unavailable(String),
}

impl ReadError {
    /// Whether the node must stop.
    pub fn is_fatal(&self) -> bool {
        matches!(self, Self::Fatal(_))
    }
}

/// What a read yields.
pub type ReadResult<T> = Result<T, ReadError>;

/// Reads of the ledger. Calls may block: the API makes them on blocking threads, a bounded number at a time.
///
/// INV-READ-1: each answer comes from one snapshot, so that a proof, its root and its size always belong together.
pub trait Reader: Send + Sync + 'static {
    /// The genesis of the network.
    fn genesis(&self) -> Arc<Genesis>;

    /// The newest decided header, without touching the disk.
    fn tip(&self) -> Tip;

    /// A final record.
    fn record(&self, id: RecordId) -> ReadResult<Option<StoredRecord>>;

    /// The receipt of a final record, without openings: those are the author's alone.
    fn receipt(&self, id: RecordId) -> ReadResult<Option<Receipt>>;

    /// Final records in log order.
    fn records(&self, query: &RecordQuery) -> ReadResult<Page<StoredRecord, LogIndex>>;

    /// Public entries (plain digests in `notarise` records) of a document, in log order.
    fn notarisations(
        &self,
        digest: &DocumentDigest,
        from: EntryPosition,
        limit: usize,
    ) -> ReadResult<Page<Notarisation, EntryPosition>>;

    /// A decided block, genesis included.
    fn block(&self, height: Height) -> ReadResult<Option<StoredBlock>>;

    /// Decided blocks from a height on, with their certificates and attachments: at most `limit`, of which the frames
    /// together have at most `bytes_max` bytes, but one always if there is one.
    fn blocks_from(&self, from: Height, limit: usize, bytes_max: usize) -> ReadResult<Vec<StreamedBlock>>;

    /// At most `limit` headers from height `newest` (or the tip, if that is lower) downwards.
    fn headers(&self, newest: Height, limit: usize) -> ReadResult<Vec<Header>>;

    /// The certificate of a height; none for genesis.
    fn checkpoint(&self, height: Height) -> ReadResult<Option<StoredCheckpoint>>;

    /// The newest certificate; none when only genesis is there.
    fn latest_checkpoint(&self) -> ReadResult<Option<StoredCheckpoint>>;

    /// Proof that the log of `from` records is a prefix of the log of `to`; none when `from` > `to` or `to` is not there yet.
    fn consistency(&self, from: LogSize, to: LogSize) -> ReadResult<Option<ConsistencyProof>>;

    /// Proof that header `from` lies under the history root of header `to`; none unless `from` < `to` ≤ tip.
    fn history(&self, from: Height, to: Height) -> ReadResult<Option<HistoryProof>>;

    /// At most `limit` epochs from `from` on, oldest first.
    fn epochs(&self, from: Epoch, limit: usize) -> ReadResult<Vec<StoredEpoch>>;

    /// The `width` (1 to 256) hashes of a tile of the log: `width` × 32 bytes; none beyond the log's present size.
    /// `level` is a tile level: its hashes are nodes at tree level 8 × `level`.
    fn tile(&self, level: u8, index: u64, width: u16) -> ReadResult<Option<Vec<u8>>>;

    /// The `width` (1 to 256) entries of an entry bundle, each prefixed by its 16-bit length; none beyond the log's present size.
    fn entries(&self, index: u64, width: u16) -> ReadResult<Option<Vec<u8>>>;

    /// The registries as of the newest block: DID documents, accreditations, schemas, status lists, dossiers. None
    /// while only genesis is there, because nothing proves its state.
    fn registry(&self) -> ReadResult<Option<Box<dyn Registry + '_>>>;
}

/// The registries at one moment (INV-READ-1): their values, what proves them, and the lists that are derived from them.
pub trait Registry {
    /// The newest decided header.
    fn header(&self) -> &Header;

    /// The newest value of a state key.
    fn get(&self, key: &StateKey) -> ReadResult<Option<Vec<u8>>>;

    /// Proves keys, present or absent, under the header's state root. The keys are in order, none twice.
    fn evidence(&self, keys: &[StateKey]) -> ReadResult<Evidence>;

    /// A page, from 1, of the objects of a kind that an index term names, in order of arrival. Not proven: a list that
    /// leaves something out looks like any other.
    fn objects(&self, kind: &str, term: &str, page: u64, size: usize) -> ReadResult<ObjectPage>;

    /// An attachment that this node holds.
    fn attachment(&self, sha256: &AttachmentHash) -> ReadResult<Option<Vec<u8>>>;

    /// The first public entry (a plain digest in a `notarise` record) whose digest has this SHA-256.
    fn timestamp(&self, sha256: &[u8; 32]) -> ReadResult<Option<Timestamp>>;

    /// A page, from 1, of the public entries in log order, each digest once.
    fn timestamps(&self, page: u64, size: usize) -> ReadResult<TimestampPage>;
}

/// Objects of a kind, by their ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectPage {
    /// Their ids, as in state keys.
    pub ids: Vec<String>,
    /// How many there are on all pages.
    pub total: u64,
}

/// A public entry and the record that holds it.
#[derive(Debug, Clone)]
pub struct Timestamp {
    /// The record: a `notarise` of plain digests.
    pub record: StoredRecord,
    /// Place of the entry in the record.
    pub entry: u32,
}

/// Public entries, by the SHA-256 of their digests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimestampPage {
    /// The SHA-256 of each digest.
    pub ids: Vec<[u8; 32]>,
    /// How many there are on all pages.
    pub total: u64,
}

/// The newest decided header, and what holds after it.
#[derive(Debug, Clone)]
pub struct Tip {
    /// The header.
    pub header: Arc<Header>,
    /// Its hash.
    pub hash: HeaderHash,
    /// The parameters of the next height.
    pub parameters: Arc<Parameters>,
}

/// Some items and where the next page starts.
#[derive(Debug, Clone)]
pub struct Page<T, P> {
    /// The items.
    pub items: Vec<T>,
    /// Position of the first item of the next page; none when this was the last.
    pub next: Option<P>,
}

/// Which records are asked for. All conditions hold together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordQuery {
    /// Only records of this author.
    pub author: Option<Did>,
    /// Only records of blocks not before this time.
    pub time_from: Option<UnixTime>,
    /// Only records of blocks before this time.
    pub time_before: Option<UnixTime>,
    /// Only records at this index or later.
    pub from: LogIndex,
    /// At most this many, at least 1.
    pub limit: usize,
}

/// A final record and where it stands.
#[derive(Debug, Clone)]
pub struct StoredRecord {
    /// The record.
    pub record: Record,
    /// Its place in the log.
    pub index: LogIndex,
    /// Its block.
    pub height: Height,
    /// That block's time.
    pub time: UnixTime,
}

/// Place of a public entry: the record's index in the log, then the entry's in the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct EntryPosition {
    /// Place of the record in the log.
    pub index: LogIndex,
    /// Place of the entry in the record.
    pub entry: u32,
}

/// A public entry of a document.
#[derive(Debug, Clone)]
pub struct Notarisation {
    /// Where it stands.
    pub position: EntryPosition,
    /// The record.
    pub record: RecordId,
    /// Who signed it.
    pub author: Did,
    /// The record's block.
    pub height: Height,
    /// That block's time.
    pub time: UnixTime,
}

/// A decided block: its header and which records it appended.
#[derive(Debug, Clone)]
pub struct StoredBlock {
    /// The header.
    pub header: Header,
    /// Ids of its records, in log order.
    pub records: Vec<RecordId>,
}

/// A header and its certificate.
#[derive(Debug, Clone)]
pub struct StoredCheckpoint {
    /// The header.
    pub header: Header,
    /// The certificate as this node froze it.
    pub note: Note,
    /// The validators that decided it.
    pub validators: Arc<ValidatorSet>,
}

/// A consistency proof with the roots it leads between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsistencyProof {
    /// Root of the smaller log.
    pub from_root: TreeHash,
    /// Root of the larger log.
    pub to_root: TreeHash,
    /// The path.
    pub path: Vec<TreeHash>,
}

/// A proof that an older header lies under a newer one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryProof {
    /// The older header.
    pub from: Header,
    /// The newer header.
    pub to: Header,
    /// RFC 6962 path of the older header's hash under the newer one's history root.
    pub path: Vec<TreeHash>,
}

/// An epoch: one set of validators, and how the set before vouched for it.
#[derive(Debug, Clone)]
pub struct StoredEpoch {
    /// Its number.
    pub epoch: Epoch,
    /// Its first height.
    pub first_height: Height,
    /// Its last height, when it is over.
    pub last_height: Option<Height>,
    /// Its validators.
    pub validators: Arc<ValidatorSet>,
    /// The link from this epoch to the next, when it is over.
    pub link: Option<EpochLink>,
}

/// Hands records to the node.
#[async_trait]
pub trait Submitter: Send + Sync + 'static {
    /// Checks a record, with the attachment that it names, and queues both. `Ok` means queued (or final already), never
    /// more.
    async fn submit(&self, record: Bytes, attachment: Option<Bytes>) -> Result<RecordId, SubmitError>;

    /// Waits until a queued record is final on this node's disk; fails when it was dropped or refused after all.
    /// Ends only with an answer: the API bounds the wait, and dropping the future must be harmless.
    async fn wait_final(&self, id: RecordId) -> Result<Finality, SubmitError>;

    /// Whether a record waits in this node's pool.
    fn is_queued(&self, id: RecordId) -> bool;
}

/// Where a record became final.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finality {
    /// Its block.
    pub height: Height,
    /// That block's time.
    pub time: UnixTime,
    /// Its place in the log.
    pub index: LogIndex,
}

/// Why a record was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// The ledger's rules refuse it; trying again changes nothing.
    #[error("{message} ({code} {number})")]
    Rejected {
        /// Stable slug, such as `record.signature`.
        code: &'static str,
        /// Stable number.
        number: u16,
        /// What is wrong, for a person.
        message: String,
        /// The record's id, when it has one.
        id: Option<RecordId>,
    },
    /// The pool is full, or the author's share of it.
    #[error("{reason}")]
    Busy {
        /// Which limit was met.
        reason: String,
        /// When to try again.
        retry_after_s: u32,
    },
    /// The node cannot take records now: it catches up, sees no quorum, is short of disk, or stops.
    #[error("{reason}")]
    NotReady {
        /// Why.
        reason: String,
    },
    /// The node failed; the text goes to the log, never to the client.
    #[error("internal: {0}")]
    Internal(String),
}
