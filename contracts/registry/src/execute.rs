//! Execution of a block's records, one after another, over a snapshot of the state.
//!
//! Order of checks, for every record: form and signature ([`check_stateless`], once, in parallel if wanted), network
//! and time against the block's, replay, its key, retired algorithms, then the act's own rules, then its writes. The first failure is the one that
//! is reported.
//!
//! - INV-EXECUTE-1: a rejected record leaves no trace: no write, no id, no `jti`.
//! - INV-EXECUTE-3: every record in the log verifies with a key that its author could use for it at that time.
//! - INV-EXECUTE-4: no record uses an algorithm from the height on that retires it.
//! - INV-EXECUTE-2: no two records of the replay window have the same id, or the same author and `jti`.

use core::fmt;
use std::collections::BTreeSet;

use testamur_primitives::did::Did;
use testamur_primitives::hash::{GenesisHash, RecordId};
use testamur_primitives::key::PublicKey;
use testamur_primitives::record::{Act, Algorithm, Record, RecordError, Reference};
use testamur_primitives::units::{Height, UnixTime};

use crate::limits::PROTOCOL;
use crate::rejection::{
    AdmissionRejection, DidRejection, DossierRejection, GovernanceRejection, IssuerRejection, NetworkRejection,
    NotaryRejection, Rejection, SchemaRejection, StatusRejection,
};
use crate::state::{Overlay, StateError, StateReader, WriteSet};
use crate::{did, dossiers, governance, issuers, network, notary, schemas, status};

/// What rules may know of the block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockContext {
    /// The network.
    pub genesis: GenesisHash,
    /// The protocol version at this height.
    pub protocol: u32,
    /// The height.
    pub height: Height,
    /// The block's time.
    pub time: UnixTime,
}

/// What was admitted in the blocks of the last 24 h + 300 s before the block's time (`REPLAY_WINDOW_S`), by the log.
/// A window that remembers longer gives the same verdicts: older records are too old to be admitted.
pub trait ReplayWindow {
    /// Error of the source.
    type Error;

    /// Whether a record with this id is in the window.
    fn contains_id(&self, id: &RecordId) -> Result<bool, Self::Error>;

    /// Whether a record with this author and `jti` is in the window.
    fn contains_jti(&self, author: &Did, jti: &Reference) -> Result<bool, Self::Error>;
}

/// A record whose act is well-formed by itself, and the key that its signature was verified with, if it was.
///
/// The signature of a did:key author is always verified. That of a DID of the ledger needs the state: execution
/// verifies it, unless it was verified before with the key that the state names now (INV-EXECUTE-3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedRecord {
    record: Record,
    verified: Option<PublicKey>,
}

impl CheckedRecord {
    /// The record.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// The key that the signature was verified with.
    pub fn verified_with(&self) -> Option<&PublicKey> {
        self.verified.as_ref()
    }
}

/// Everything that needs neither state nor block: the signature of a did:key author, and the act's own bounds.
/// Records can be checked in parallel and once for all blocks.
pub fn check_stateless(record: Record) -> Result<CheckedRecord, Rejection> {
    let verified = if record.author().is_key() { Some(record.verify_did_key()?) } else { None };
    did::rules::check_author(&record)?;
    match record.act() {
        Act::Propose { change, expires, .. } => {
            governance::rules::check_proposal(change, record.payload().iat, *expires)?;
        }
        Act::OpenDossier { .. } | Act::UpdateDossier { .. } => dossiers::rules::check_act(record.act())?,
        Act::InsertDid { .. } | Act::UpdateDid { .. } => did::rules::check_act(record.act())?,
        Act::ReserveAttribute { .. } | Act::FillAttribute { .. } | Act::EndAccreditation { .. } => {
            issuers::rules::check_act(record.act())?;
        }
        Act::PublishSchema { body, .. } => schemas::rules::check_body(body)?,
        Act::PublishStatus { status, .. } => status::rules::check_version(record.author(), status)?,
        Act::Notarise { .. } | Act::NotariseBatch { .. } | Act::Approve { .. } | Act::Synced { .. } => {}
    }
    Ok(CheckedRecord { record, verified })
}

/// What a record did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Its entries are anchored by its place in the log.
    Notarised,
    /// A change was proposed, and executed if one approval suffices.
    Proposed {
        /// The new governance version, if it was executed.
        executed: Option<u64>,
    },
    /// A dossier was opened or changed.
    DossierChanged,
    /// A DID was registered, or its document changed.
    DidChanged,
    /// An accreditation was reserved, filled or ended.
    AccreditationChanged,
    /// A schema or a revision of one was published.
    SchemaPublished,
    /// A version of a status list was published.
    StatusPublished,
    /// A proposal was approved, and executed if that was the last approval needed.
    Approved {
        /// The new governance version, if it was executed.
        executed: Option<u64>,
    },
    /// A validator that is to join follows the ledger.
    Synced {
        /// First height that the new set decides, if this was the last one that it waited for.
        activation: Option<Height>,
    },
}

/// Why a record was not applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError<E> {
    /// The record is against the rules; every node says the same.
    #[error(transparent)]
    Rejected(Rejection),
    /// This node cannot tell: it must stop, and never call a block invalid for it.
    #[error("{0}")]
    State(StateError<E>),
}

impl<E> ApplyError<E> {
    /// Whether the node must stop.
    pub fn is_fatal(&self) -> bool {
        matches!(self, Self::State(_))
    }
}

impl<E> From<StateError<E>> for ApplyError<E> {
    fn from(error: StateError<E>) -> Self {
        Self::State(error)
    }
}

macro_rules! rejected_from {
    ($($rejection:ty),*) => {$(
        impl<E> From<$rejection> for ApplyError<E> {
            fn from(rejection: $rejection) -> Self {
                Self::Rejected(rejection.into())
            }
        }
    )*};
}
rejected_from!(
    RecordError,
    AdmissionRejection,
    NotaryRejection,
    DossierRejection,
    GovernanceRejection,
    NetworkRejection,
    DidRejection,
    IssuerRejection,
    SchemaRejection,
    StatusRejection
);

/// The block's protocol version is not one that this crate holds the rules of: stop before voting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("height {height} runs protocol {protocol}, this binary knows {PROTOCOL}: install a newer release")]
pub struct UnknownProtocol {
    /// The height.
    pub height: Height,
    /// Its protocol version.
    pub protocol: u32,
}

/// The execution of one block.
pub struct Execution<'a, S: StateReader, W: ReplayWindow> {
    state: Overlay<'a, S>,
    window: &'a W,
    context: BlockContext,
    ids: BTreeSet<RecordId>,
    jtis: BTreeSet<(Did, Reference)>,
    /// What records of this height use no more; read with the first record. No record of the block changes it.
    retired: Option<Vec<Algorithm>>,
}

impl<S: StateReader, W: ReplayWindow> fmt::Debug for Execution<'_, S, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Execution")
            .field("context", &self.context)
            .field("records", &self.ids.len())
            .finish_non_exhaustive()
    }
}

impl<'a, S: StateReader, W: ReplayWindow> Execution<'a, S, W>
where
    S::Error: From<W::Error>,
{
    /// Begins a block over the state after its parent.
    pub fn new(state: &'a S, window: &'a W, context: BlockContext) -> Result<Self, UnknownProtocol> {
        // 0 is no version; every release keeps the rules of all before it.
        if !(1..=PROTOCOL).contains(&context.protocol) {
            return Err(UnknownProtocol { height: context.height, protocol: context.protocol });
        }
        let state = Overlay::new(state);
        Ok(Self { state, window, context, ids: BTreeSet::new(), jtis: BTreeSet::new(), retired: None })
    }

    /// Applies the next record. After a rejection the block can go on without it (INV-EXECUTE-1).
    pub fn apply(&mut self, record: &CheckedRecord) -> Result<Outcome, ApplyError<S::Error>> {
        self.apply_with_key(record).map(|(outcome, _)| outcome)
    }

    /// Applies the next record, and remembers the key that its signature verified with: as long as the state names the
    /// same key, another execution does not verify it again.
    pub fn apply_and_remember(&mut self, record: &mut CheckedRecord) -> Result<Outcome, ApplyError<S::Error>> {
        let (outcome, key) = self.apply_with_key(record)?;
        record.verified = Some(key);
        Ok(outcome)
    }

    fn apply_with_key(&mut self, record: &CheckedRecord) -> Result<(Outcome, PublicKey), ApplyError<S::Error>> {
        let result = self.apply_inner(record);
        let record = record.record();
        if result.is_ok() {
            self.state.keep();
            self.ids.insert(record.id());
            self.jtis.insert((record.author().clone(), record.payload().jti.clone()));
        } else {
            self.state.undo();
        }
        result
    }

    /// Records applied so far.
    pub fn applied(&self) -> usize {
        self.ids.len()
    }

    /// The block's writes.
    pub fn finish(self) -> WriteSet {
        self.state.into_writes()
    }

    fn apply_inner(&mut self, checked: &CheckedRecord) -> Result<(Outcome, PublicKey), ApplyError<S::Error>> {
        let record = checked.record();
        record.check_admission(self.context.genesis, self.context.time)?;
        self.check_replay(record)?;
        let key = self.check_key(checked)?;
        self.check_algorithms(record, &key)?;
        Ok((self.apply_act(record)?, key))
    }

    fn apply_act(&mut self, record: &Record) -> Result<Outcome, ApplyError<S::Error>> {
        let (state, context) = (&mut self.state, &self.context);
        let (author, id) = (record.author(), record.id());
        match record.act() {
            Act::Notarise { .. } | Act::NotariseBatch { .. } => {
                notary::notarise(state, author)?;
                Ok(Outcome::Notarised)
            }
            act @ (Act::OpenDossier { .. } | Act::UpdateDossier { .. }) => {
                dossiers::apply(state, context, author, id, act)?;
                Ok(Outcome::DossierChanged)
            }
            act @ (Act::InsertDid { .. } | Act::UpdateDid { .. }) => {
                did::apply(state, context, record, act)?;
                Ok(Outcome::DidChanged)
            }
            act @ (Act::ReserveAttribute { .. } | Act::FillAttribute { .. } | Act::EndAccreditation { .. }) => {
                issuers::apply(state, context, author, id, act)?;
                Ok(Outcome::AccreditationChanged)
            }
            Act::PublishSchema { schema, body, prev } => {
                schemas::publish(state, context, author, id, *schema, body, *prev)?;
                Ok(Outcome::SchemaPublished)
            }
            Act::PublishStatus { status, prev } => {
                status::publish(state, context, author, id, status, *prev)?;
                Ok(Outcome::StatusPublished)
            }
            Act::Propose { change, governance_version, expires } => {
                let executed = governance::propose(state, context, author, id, change, *governance_version, *expires)?;
                Ok(Outcome::Proposed { executed })
            }
            Act::Approve { proposal, governance_version } => {
                let executed = governance::approve(state, context, author, id, *proposal, *governance_version)?;
                Ok(Outcome::Approved { executed })
            }
            Act::Synced { validator, height, .. } => {
                let activation = network::members::synced(state, context, author, *validator, *height)?;
                Ok(Outcome::Synced { activation })
            }
        }
    }

    /// INV-EXECUTE-4: no record uses an algorithm from the height on that retires it. Validators' own keys are of one kind,
    /// which the protocol fixes: `synced` is by such a key and no matter of authors' algorithms.
    fn check_algorithms(&mut self, record: &Record, key: &PublicKey) -> Result<(), ApplyError<S::Error>> {
        if self.retired.is_none() {
            self.retired = Some(network::retired(&self.state, self.context.height)?);
        }
        let retired = self.retired.as_deref().unwrap_or_default();
        let kind = Algorithm::Key(key.kind());
        if retired.contains(&kind) && !matches!(record.act(), Act::Synced { .. }) {
            return Err(AdmissionRejection::AlgorithmRetired(kind).into());
        }
        match record.act().digest_algorithm().map(Algorithm::Digest) {
            Some(digest) if retired.contains(&digest) => Err(NotaryRejection::AlgorithmRetired(digest).into()),
            _ => Ok(()),
        }
    }

    /// INV-EXECUTE-3: every record in the log verifies with a key that its author could use for it at the block's time:
    /// the did:key itself, or a key of the author's document in the state.
    fn check_key(&self, checked: &CheckedRecord) -> Result<PublicKey, ApplyError<S::Error>> {
        let record = checked.record();
        if record.author().is_key() {
            let key = checked.verified_with().expect("INV-EXECUTE-3: check_stateless verified it");
            return Ok(key.clone());
        }
        let key = did::author_key(&self.state, record, &self.context)?;
        if checked.verified_with() != Some(&key) {
            record.verify_signature(&key)?;
        }
        Ok(key)
    }

    /// INV-EXECUTE-2: compared by id, which does not cover the signature, so a changed ECDSA signature is the same
    /// record; and by (author, jti), so an author's own retry with other bytes is caught too.
    fn check_replay(&self, record: &Record) -> Result<(), ApplyError<S::Error>> {
        let (id, author, jti) = (record.id(), record.author(), &record.payload().jti);
        let store = |error: W::Error| ApplyError::State(StateError::Store(error.into()));
        if self.ids.contains(&id) || self.window.contains_id(&id).map_err(store)? {
            return Err(AdmissionRejection::DuplicateRecord.into());
        }
        let in_block = self.jtis.contains(&(author.clone(), jti.clone()));
        if in_block || self.window.contains_jti(author, jti).map_err(store)? {
            return Err(AdmissionRejection::DuplicateJti.into());
        }
        Ok(())
    }
}
