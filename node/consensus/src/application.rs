//! What consensus asks of the ledger: the only door between this crate and storage, registry and execution.
//!
//! Every call is synchronous and may block: consensus makes it on a thread where that is allowed, one call that
//! changes anything at a time ([`Application::check`], [`Application::decided`] and [`Application::tip`] may run beside
//! it). There are two kinds of failure and no third: a [`Refusal`] or "invalid" is an answer about somebody's bytes;
//! an [`AppError`] says that this node could not find out, and is fatal: consensus stops and never calls it "invalid"
//! (INV-APP-1).

use std::sync::Arc;

use bytes::Bytes;
use testamur_primitives::epoch::ValidatorSet;
use testamur_primitives::genesis::Parameters;
use testamur_primitives::hash::{Address, AttachmentHash, HeaderHash, RecordId, TreeHash};
use testamur_primitives::header::Header;
use testamur_primitives::note::Note;
use testamur_primitives::units::{Height, Round, UnixTime};

/// A record whose form and signature were checked; cloning is cheap (an `Arc` inside).
pub trait PoolRecord: Clone + Send + Sync + 'static {
    /// Its id.
    fn id(&self) -> RecordId;
    /// RFC 6962 leaf hash of its exact bytes: what verification is remembered by.
    fn leaf_hash(&self) -> TreeHash;
    /// Its author's DID, to share the pool fairly.
    fn author(&self) -> &str;
    /// The bytes as submitted.
    fn as_bytes(&self) -> &[u8];
    /// The attachment that came with it, checked with it.
    fn attachment(&self) -> Option<&Bytes>;
    /// From this time on no block may hold it.
    fn expires(&self) -> UnixTime;
}

/// Why a record is not taken: a stable slug, its number, and a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{slug}: {message}")]
pub struct Refusal {
    /// Stable slug, such as `record.signature`.
    pub slug: &'static str,
    /// Stable number.
    pub number: u16,
    /// A sentence for people.
    pub message: String,
}

/// A local failure: storage, memory, the disk. Always fatal.
#[derive(Debug, thiserror::Error)]
#[error("the ledger failed: {0}")]
pub struct AppError(pub Box<dyn std::error::Error + Send + Sync>);

impl AppError {
    /// Wraps an error.
    pub fn new(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(error.into())
    }
}

/// Where the ledger stands, and who decides the next height under which parameters.
#[derive(Debug, Clone)]
pub struct TipView {
    /// Height of the last block.
    pub height: Height,
    /// Its header's hash.
    pub header: HeaderHash,
    /// Its time.
    pub time: UnixTime,
    /// The set that decides the *next* height.
    pub validators: Arc<ValidatorSet>,
    /// The set that is scheduled to follow it, and the first height that it decides: above the next one.
    pub scheduled: Option<(Height, Arc<ValidatorSet>)>,
    /// The parameters in force at the next height.
    pub parameters: Parameters,
}

/// An executed block that only needs a certificate: consensus keeps it between verdict and commit.
#[derive(Debug)]
pub struct Prepared<B> {
    /// The header; the value voted on is derived from it.
    pub header: Header,
    /// The value's bytes: the block and, beside it, attachments (`testamur_primitives::block::encode_value`).
    pub bytes: Bytes,
    /// Whether every attachment that its records name was beside the block, and right. Never so where nobody looked.
    pub attached: bool,
    /// Ids of its records, in log order.
    pub records: Vec<RecordId>,
    /// What the application needs to commit it (write set, tree updates).
    pub inner: B,
}

/// A block made for a proposal.
#[derive(Debug)]
pub struct Proposed<B> {
    /// The block.
    pub block: Arc<Prepared<B>>,
    /// Candidates that no longer apply and should leave the pool.
    pub rejected: Vec<(RecordId, Refusal)>,
}

/// A block that was proposed or received but not decided before a restart.
#[derive(Debug, Clone)]
pub struct Undecided {
    /// The round in which this node first saw it.
    pub round: Round,
    /// The validator that proposed it in that round.
    pub proposer: Address,
    /// The value's bytes.
    pub bytes: Bytes,
}

/// A decided block for a peer that catches up.
#[derive(Debug, Clone)]
pub struct Decided {
    /// The value's bytes, with those attachments that this node holds.
    pub bytes: Bytes,
    /// Its certificate as stored.
    pub certificate: Note,
    /// The set that decided it.
    pub validators: Arc<ValidatorSet>,
}

/// Looks up a record that this node already verified, by the leaf hash of its exact bytes.
pub type Known<'a, R> = &'a dyn Fn(&TreeHash) -> Option<R>;

/// Whether a block's attachments are looked at ([`Prepared::attached`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attachments {
    /// They are checked: a vote may follow.
    Checked,
    /// They are taken as they come: others have decided.
    AsTheyCome,
}

/// An executed block, or why it is invalid.
pub type Verdict<B> = Result<Arc<Prepared<B>>, String>;

/// The ledger under consensus.
pub trait Application: Send + Sync + 'static {
    /// A checked record.
    type Record: PoolRecord;
    /// What a prepared block carries to its commit.
    type Block: Send + Sync + 'static;

    /// Where the ledger stands; cheap.
    fn tip(&self) -> TipView;

    /// Checks form, signature and admission (against the tip) of a submitted record, and the attachment beside it; runs
    /// on many threads at once.
    fn check(&self, bytes: &[u8], attachment: Option<&Bytes>) -> Result<Result<Self::Record, Refusal>, AppError>;

    /// Makes the next block from candidates in this order, skipping what does not apply; its time is `now`, or the
    /// tip's if that is later; executes it. Its attachments are the candidates'.
    fn propose(
        &self,
        proposer: Address,
        now: UnixTime,
        candidates: &[Self::Record],
    ) -> Result<Proposed<Self::Block>, AppError>;

    /// Executes a block for the next height; `Err(reason)` inside when it is invalid. Makes no use of any clock. An
    /// attachment that is missing or wrong is no reason: it shows in [`Prepared::attached`].
    fn validate(
        &self,
        bytes: &Bytes,
        known: Known<'_, Self::Record>,
        attachments: Attachments,
    ) -> Result<Verdict<Self::Block>, AppError>;

    /// Stores an undecided block; durable when it returns.
    fn put_undecided(&self, height: Height, block: &Prepared<Self::Block>, seen: &Undecided) -> Result<(), AppError>;

    /// The undecided blocks of a height.
    fn undecided(&self, height: Height) -> Result<Vec<Undecided>, AppError>;

    /// Commits a block with its certificate (body and cosignatures in set order), and with those of its attachments that
    /// are the right ones; durable when it returns.
    fn commit(&self, block: &Prepared<Self::Block>, certificate: &Note) -> Result<(), AppError>;

    /// A committed block and its certificate.
    fn decided(&self, height: Height) -> Result<Option<Decided>, AppError>;

    /// Attachments that this node should hold and does not, at most `limit`.
    fn missing_attachments(&self, limit: usize) -> Result<Vec<AttachmentHash>, AppError>;

    /// An attachment that this node holds.
    fn attachment(&self, attachment: &AttachmentHash) -> Result<Option<Bytes>, AppError>;

    /// Keeps an attachment that was missing, durably; `false` when it was not missing.
    fn put_attachment(&self, bytes: &Bytes) -> Result<bool, AppError>;

    /// The lowest height that [`Application::decided`] can serve.
    fn lowest_height(&self) -> Height {
        Height(1)
    }
}
