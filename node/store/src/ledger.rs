//! The ledger on disk: one writer, any number of readers, one atomic synced write a block.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};

use bytes::Bytes;
use testamur_primitives::checkpoint::{ValueId, verify_certificate};
use testamur_primitives::epoch::ValidatorSet;
use testamur_primitives::genesis::{Genesis, Origin};
use testamur_primitives::hash::{Address, GenesisHash};
use testamur_primitives::header::Header;
use testamur_primitives::key::verify_ed25519;
use testamur_primitives::limits::REPLAY_WINDOW_S;
use testamur_primitives::note::{KeyId, Note, SignatureLine, TYPE_COSIGNATURE_V1, TYPE_ED25519};
use testamur_primitives::units::{Height, Round, UnixTime};
use testamur_registry::CheckedRecord;

use crate::block::{PreparedBlock, Proposed};
use crate::commit;
use crate::db::{Access, Batch, Database, NodeIdentity};
use crate::error::{InvalidBlock, StoreError};
use crate::evidence::Frames;
use crate::freespace;
use crate::health::Health;
use crate::limits::UNDECIDED_BLOCKS_MAX;
use crate::proven::ProvenValues;
use crate::reads;
use crate::schema::{Column, LAYOUT, Meta, place, undecided_key};
use crate::tip::Tip;
use crate::view::View;

/// A ledger's directory, open. Reads may run beside the one writer.
pub struct Ledger {
    database: Database,
    health: Health,
    genesis: Arc<Genesis>,
    network: GenesisHash,
    origin: Origin,
    tip: RwLock<Arc<Tip>>,
    writer: Mutex<()>,
    proven: ProvenValues,
    frames: Frames,
}

/// How a ledger is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// Whose directory it is.
    pub node: NodeIdentity,
    /// Told of the first fatal error.
    pub health: Health,
}

/// A block that was proposed or received, and not yet decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undecided {
    /// The round in which this node first saw it.
    pub round: Round,
    /// The validator that proposed it in that round.
    pub proposer: Address,
    /// What it is voted on by.
    pub value_id: ValueId,
    /// The block as it travelled, attachments beside it (`testamur_primitives::block::encode_value`).
    pub bytes: Bytes,
}

/// What the database uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of table files.
    pub table_bytes: u64,
    /// Bytes of memtables.
    pub memtable_bytes: u64,
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger")
            .field("path", &self.database.path())
            .field("health", &self.health)
            .finish_non_exhaustive()
    }
}

impl Ledger {
    /// Opens a node's directory of a network; an empty or absent one starts at genesis.
    pub fn open(directory: &Path, genesis: Arc<Genesis>, options: Options) -> Result<Self, StoreError> {
        Self::open_for(directory, genesis, options, Access::Write)
    }

    /// As [`Ledger::open`], or for a bulk load.
    pub(crate) fn open_for(
        directory: &Path,
        genesis: Arc<Genesis>,
        options: Options,
        access: Access,
    ) -> Result<Self, StoreError> {
        let network = genesis.hash();
        let database = Database::open(directory, network, options.node, access)?;
        let health = options.health;
        let tip = health.watch(load(&database, &genesis, network, options.node))?;
        database.forget_references_before(tip.header.time.0.saturating_sub(REPLAY_WINDOW_S));
        let origin = genesis.origin();
        let tip = RwLock::new(Arc::new(tip));
        Ok(Self {
            database,
            health,
            genesis,
            network,
            origin,
            tip,
            writer: Mutex::new(()),
            proven: ProvenValues::default(),
            frames: Frames::default(),
        })
    }

    /// The newest final block.
    pub fn tip(&self) -> Arc<Tip> {
        Arc::clone(&self.tip.read().expect("nothing panics under this lock"))
    }

    /// The genesis.
    pub fn genesis(&self) -> &Arc<Genesis> {
        &self.genesis
    }

    /// The network.
    pub fn network(&self) -> GenesisHash {
        self.network
    }

    /// The network's origin.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Whether the store may still be used.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// Bytes that this node may still write to its disk.
    pub fn free_bytes(&self) -> Result<u64, StoreError> {
        freespace::free_bytes(self.database.path())
    }

    /// What the database uses.
    pub fn usage(&self) -> Usage {
        Usage {
            table_bytes: self.database.property_sum("rocksdb.total-sst-files-size"),
            memtable_bytes: self.database.property_sum("rocksdb.cur-size-all-mem-tables"),
        }
    }

    /// The ledger as it is now, for any number of reads that belong together.
    pub fn view(&self) -> Result<View<'_>, StoreError> {
        self.health.guard(|| {
            let tip = self.tip();
            let snapshot = self.database.snapshot();
            // A commit may lie between the two lines above; then the snapshot's own tip is read from it.
            let row = snapshot.get(Column::Meta, Meta::TIP)?.unwrap_or_default();
            let tip = if row.get(8..) == Some(tip.hash.as_bytes().as_slice()) {
                tip
            } else {
                Arc::new(Tip::load(&snapshot)?.ok_or_else(|| StoreError::damaged("tip", "the row is missing"))?)
            };
            let (genesis, origin) = (&*self.genesis, &self.origin);
            let (proven, frames) = (&self.proven, &self.frames);
            Ok(View { snapshot, health: &self.health, genesis, origin, tip, proven, frames })
        })
    }

    /// Makes the next block from candidates in this order; its time is `now`, or the parent's if that is later.
    pub fn propose(
        &self,
        proposer: Address,
        now: UnixTime,
        candidates: &[Arc<CheckedRecord>],
    ) -> Result<Proposed, StoreError> {
        let view = self.view()?;
        self.health.guard(|| view.propose(proposer, now, candidates))
    }

    /// Judges a block for the next height. The outer error is this node's own failure: fatal, never "invalid". No
    /// clock is asked: how far a live proposal may be ahead is for consensus to say.
    pub fn validate(
        &self,
        header: &Header,
        records: Vec<Arc<CheckedRecord>>,
    ) -> Result<Result<Arc<PreparedBlock>, InvalidBlock>, StoreError> {
        let view = self.view()?;
        self.health.guard(|| Ok(view.validate(header, records)?.map(Arc::new)))
    }

    /// Makes a block final: one atomic write, on disk when this returns. Of `attachments`, those that its records name
    /// are stored with it; the block is final without them too.
    ///
    /// INV-STORE-4: the first certificate stored for a height stays. Committing the same block again changes nothing;
    /// committing another block with a valid certificate for a final height is a fork, and closes the store.
    pub fn commit(
        &self,
        block: &PreparedBlock,
        certificate: &Note,
        log_signature: Option<&SignatureLine>,
        attachments: &[Bytes],
    ) -> Result<Arc<Tip>, StoreError> {
        let _writer = self.lock_writer()?;
        let view = self.view()?;
        self.health.guard(|| {
            let tip = &view.tip;
            if block.header.height <= tip.height() {
                return self.commit_again(&view, block, certificate);
            }
            if block.header.height != tip.next_height() {
                return Err(StoreError::NotNext { expected: tip.next_height(), found: block.header.height });
            }
            if block.header.previous != tip.hash {
                return Err(StoreError::OtherParent);
            }
            let note = freeze(&self.origin, &block.header, certificate, log_signature, &tip.validators)?;
            let mut batch = self.database.batch();
            let next = Arc::new(commit::put_block(&view, block, &note, attachments, &mut batch)?);
            // A crash before this line's end leaves the old tip, and the block is decided again or synced. From its end on
            // the block is final here, whatever happens.
            self.database.write(batch)?;
            self.database.forget_references_before(next.header.time.0.saturating_sub(REPLAY_WINDOW_S));
            *self.tip.write().expect("nothing panics under this lock") = Arc::clone(&next);
            Ok(next)
        })
    }

    /// Stores a block that is voted on; on disk when this returns. Storing it twice changes nothing.
    pub fn put_undecided(&self, height: Height, block: &Undecided) -> Result<(), StoreError> {
        let _writer = self.lock_writer()?;
        let next = self.tip().next_height();
        if height != next {
            return Err(StoreError::NotNext { expected: next, found: height });
        }
        self.health.guard(|| {
            let key = undecided_key(height, block.round, &block.value_id);
            let stored = self.undecided_rows(height)?;
            if stored.iter().any(|s| s.round == block.round && s.value_id == block.value_id) {
                return Ok(());
            }
            if stored.len() >= UNDECIDED_BLOCKS_MAX {
                return Err(StoreError::TooManyUndecided(height));
            }
            let mut batch = self.database.batch();
            batch.put(Column::Undecided, &key, &[block.proposer.as_bytes().as_slice(), &block.bytes].concat());
            self.database.write(batch)
        })
    }

    /// The undecided blocks of a height, by round.
    pub fn undecided(&self, height: Height) -> Result<Vec<Undecided>, StoreError> {
        self.health.guard(|| self.undecided_rows(height))
    }

    /// Writes all of the memory tables to disk and merges all files. For measurements.
    #[cfg(feature = "testing")]
    pub fn compact(&self) -> Result<(), StoreError> {
        self.database.compact()
    }

    /// A batch for a holder of the writer's lock.
    pub(crate) fn batch(&self) -> Batch<'_> {
        self.database.batch()
    }

    /// Writes such a batch: on disk when this returns.
    pub(crate) fn write(&self, batch: Batch<'_>) -> Result<(), StoreError> {
        self.database.write(batch)
    }

    pub(crate) fn database(&self) -> &Database {
        &self.database
    }

    fn undecided_rows(&self, height: Height) -> Result<Vec<Undecided>, StoreError> {
        let snapshot = self.database.snapshot();
        let prefix = height.0.to_be_bytes();
        let rows = snapshot.scan(Column::Undecided, &prefix, &prefix).map(|row| {
            let (key, value) = row?;
            let damaged = || StoreError::damaged(place(Column::Undecided, &key), "malformed row");
            let (_, rest) = key.split_first_chunk::<8>().ok_or_else(damaged)?;
            let (round, value_id) = rest.split_first_chunk::<4>().ok_or_else(damaged)?;
            let value_id: &[u8; ValueId::BYTES] = value_id.try_into().map_err(|_| damaged())?;
            let (proposer, bytes) = value.split_first_chunk::<32>().ok_or_else(damaged)?;
            Ok(Undecided {
                round: Round(u32::from_be_bytes(*round)),
                proposer: Address::from_bytes(*proposer),
                value_id: ValueId::from_bytes(value_id),
                bytes: Bytes::copy_from_slice(bytes),
            })
        });
        rows.collect()
    }

    pub(crate) fn lock_writer(&self) -> Result<MutexGuard<'_, ()>, StoreError> {
        self.writer.lock().map_err(|_| StoreError::Closed { reason: "a thread panicked while it wrote".into() })
    }

    fn commit_again(&self, view: &View<'_>, block: &PreparedBlock, certificate: &Note) -> Result<Arc<Tip>, StoreError> {
        let height = block.header.height;
        let stored = reads::known_header(&view.snapshot, height)?;
        if stored.hash == block.hash {
            return Ok(Arc::clone(&view.tip));
        }
        let validators = view.checkpoint_inner(height)?.map(|c| c.validators).ok_or(StoreError::OutOfRange)?;
        verify_certificate(&self.origin, &block.header, certificate, &validators).map_err(StoreError::Certificate)?;
        Err(StoreError::Fork { height, stored: stored.hash, given: block.hash })
    }
}

/// Checks a certificate and brings it into the one form that is stored: the body, one cosignature of each validator
/// that signed, in set order, then this node's log signature. Other nodes' log signatures are left to them.
pub(crate) fn freeze(
    origin: &Origin,
    header: &Header,
    certificate: &Note,
    log_signature: Option<&SignatureLine>,
    set: &ValidatorSet,
) -> Result<Note, StoreError> {
    verify_certificate(origin, header, certificate, set).map_err(StoreError::Certificate)?;
    let mut signatures = Vec::new();
    for validator in set.validators() {
        let id = KeyId::compute(&validator.name, TYPE_COSIGNATURE_V1, validator.consensus_key());
        let line = certificate.signatures.iter().find(|line| line.name == validator.name && line.id == id);
        signatures.extend(line.cloned());
    }
    if let Some(line) = log_signature {
        let is_its = |key: &[u8; 32]| KeyId::compute(origin.as_str(), TYPE_ED25519, key) == line.id;
        let key = set.validators().iter().map(|v| v.log_key()).find(|key| is_its(key));
        let signature = line.signature.as_slice().try_into().ok();
        let good = match (key, signature) {
            (Some(key), Some(signature)) => verify_ed25519(key, certificate.text.as_bytes(), signature).is_ok(),
            _ => false,
        };
        if !good || line.name != origin.as_str() {
            return Err(StoreError::LogSignature);
        }
        signatures.push(line.clone());
    }
    Ok(Note { text: certificate.text.clone(), signatures })
}

/// Reads the tip of an opened database, or writes genesis into an empty one; checks that both are this network's.
fn load(database: &Database, genesis: &Genesis, network: GenesisHash, node: NodeIdentity) -> Result<Tip, StoreError> {
    let snapshot = database.snapshot();
    if snapshot.get(Column::Meta, Meta::TIP)?.is_none() {
        let mut batch = database.batch();
        commit::put_beginning(&snapshot, genesis, node, &mut batch)?;
        // A crash before this line's end leaves an empty database, and the next start comes here again.
        database.write(batch)?;
    }
    let snapshot = database.snapshot();
    for (key, expected) in [
        (Meta::LAYOUT, LAYOUT.to_be_bytes().as_slice()),
        (Meta::NETWORK, network.as_bytes()),
        (Meta::NODE, &node.to_bytes()),
    ] {
        if snapshot.get(Column::Meta, key)?.as_deref() != Some(expected) {
            let what = format!("its {} is not the expected one", String::from_utf8_lossy(key));
            return Err(StoreError::Foreign { path: PathBuf::from(database.path()), what });
        }
    }
    let tip = Tip::load(&snapshot)?.ok_or_else(|| StoreError::damaged("tip", "the row is missing"))?;
    let first = reads::known_header(&snapshot, Height(0))?;
    let (expected, _, _) = commit::genesis_block(&snapshot, genesis)?;
    if first.header != expected {
        return Err(StoreError::damaged("headers 0", "this binary makes another genesis block"));
    }
    // The newest block is read whole, as a receipt would: damage at the end of the files shows at once.
    let newest = reads::known_header(&snapshot, tip.height())?;
    reads::block_bytes(&snapshot, &newest)?;
    if tip.height() > Height(0) && reads::certificate(&snapshot, &newest)?.is_none() {
        return Err(StoreError::damaged(
            place(Column::Certificates, &tip.height().0.to_be_bytes()),
            "the row is missing",
        ));
    }
    Ok(tip)
}
