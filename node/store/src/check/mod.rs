//! `testamur check`: derives the whole ledger from genesis again and says what is wrong, and where.
//!
//! Nothing stored is believed: records are parsed and their signatures verified, blocks executed on a state in memory,
//! headers derived and compared member by member, certificates verified, every row of every index, tile, and state column compared
//! with what the derivation makes. It goes on after a finding as far as that makes sense. It reads only, and only while
//! no node uses the directory; on a running node, [`crate::Ledger::scrub_step`] does what needs no replay.
//!
//! Memory: the newest state, the newest state tree, and 32 bytes for each record of one replay window.

mod columns;
mod log;
mod replay;
mod uses;

use std::convert::Infallible;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use testamur_primitives::block::{Block, split_value};
use testamur_primitives::checkpoint::{ValueId, verify_certificate};
use testamur_primitives::codec::canonical;
use testamur_primitives::epoch::ValidatorSet;
use testamur_primitives::genesis::{Genesis, Origin};
use testamur_primitives::hash::HeaderHash;
use testamur_primitives::header::Header;
use testamur_primitives::merkle;
use testamur_primitives::note::Note;
use testamur_primitives::record::Record;
use testamur_primitives::units::{Epoch, Height, LogIndex, LogSize, UnixTime};
use testamur_registry::{CheckedRecord, StateError, check_stateless, genesis_writes};

use crate::block::difference;
use crate::commit::for_each_index_row;
use crate::db::{Access, Database, NodeIdentity, Snapshot};
use crate::error::StoreError;
use crate::index::{public_digests, timestamp};
use crate::limits::FINDINGS_MAX;
use crate::reads::{self, StoredHeader};
use crate::schedule::{InForce, Schedule, first_height, scheduled_by};
use crate::schema::{
    Column, LAYOUT, Meta, Tree, author_key, last_number, number, place, reference_key, time_key, timestamp_key,
    timestamp_value,
};
use crate::tip::{Tip, next_epoch};
use crate::view::author_rows;
use crate::window::in_window;

use columns::Counts;
use log::{EntryWalk, TileCheck};
use replay::Replay;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Column and key, or height.
    pub place: String,
    /// What is wrong there.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// How far a check is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Height just checked.
    pub height: Height,
    /// Height of the tip.
    pub tip: Height,
    /// Records checked so far.
    pub records: u64,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckReport {
    /// Height of the tip.
    pub tip: Height,
    /// Its header's hash, as stored.
    pub hash: HeaderHash,
    /// Records in the log.
    pub log_size: LogSize,
    /// The first findings.
    pub findings: Vec<Finding>,
    /// All findings, also those beyond the ones listed.
    pub findings_count: u64,
}

impl CheckReport {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.findings_count == 0
    }

    fn add(&mut self, place: impl Into<String>, what: impl Into<String>) {
        self.findings_count += 1;
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(Finding { place: place.into(), what: what.into() });
        }
    }

    /// Takes damage as a finding; other failures end the check.
    fn note<T>(&mut self, result: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(StoreError::Damaged { place, what }) => {
                self.add(place, what);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// Checks a directory of this network; fails only when it cannot be opened or read at all.
pub fn check(directory: &Path, genesis: &Genesis, progress: impl FnMut(Progress)) -> Result<CheckReport, StoreError> {
    // Whose node's directory it is does not matter to a reader.
    let database = Database::open(directory, genesis.hash(), NodeIdentity::Observer, Access::Read)?;
    check_snapshot(&database.snapshot(), genesis, progress)
}

/// Checks what a snapshot holds.
pub(crate) fn check_snapshot(
    snapshot: &Snapshot<'_>,
    genesis: &Genesis,
    mut progress: impl FnMut(Progress),
) -> Result<CheckReport, StoreError> {
    let row = snapshot.get(Column::Meta, Meta::TIP)?.unwrap_or_default();
    let (Some(height), Some(hash)) = (number(&row), row.get(8..).and_then(HeaderHash::from_slice)) else {
        return Err(StoreError::damaged("tip", "the row is missing or malformed"));
    };
    let mut report =
        CheckReport { tip: Height(height), hash, log_size: LogSize(0), findings: Vec::new(), findings_count: 0 };
    if snapshot.get(Column::Headers, &height.to_be_bytes())?.is_none() {
        report.add("tip", format!("it names height {height}, of which there is no header"));
        let mut heights = 0u64;
        while snapshot.get(Column::Headers, &heights.to_be_bytes())?.is_some() {
            heights += 1;
        }
        report.tip = Height(heights.saturating_sub(1));
    }
    let tip = report.tip;
    let mut check = Check::new(snapshot, genesis, tip, report)?;
    check.meta()?;
    for height in 0..=tip.0 {
        check.block(Height(height))?;
        progress(Progress { height: Height(height), tip, records: check.log.size() });
    }
    check.finish()
}

struct Check<'s> {
    snapshot: &'s Snapshot<'s>,
    genesis: &'s Genesis,
    origin: Origin,
    /// The set that decides the height that is checked, and what was decided ahead.
    validators: Arc<ValidatorSet>,
    schedule: Schedule,
    tip: Height,
    tip_time: u64,
    report: CheckReport,
    /// The block before, as derived or, after damage, as stored.
    parent: Option<Tip>,
    log: TileCheck<'s>,
    history: TileCheck<'s>,
    entries: EntryWalk<'s>,
    /// None once a block could not be executed: the state after it is not known.
    replay: Option<Replay>,
    counts: Counts,
    /// Public digests met so far, each once.
    timestamps: u64,
}

impl<'s> Check<'s> {
    fn new(
        snapshot: &'s Snapshot<'s>,
        genesis: &'s Genesis,
        tip: Height,
        report: CheckReport,
    ) -> Result<Self, StoreError> {
        let (validators, schedule) = Schedule::of_genesis(genesis);
        let tip_time = reads::header(snapshot, tip).ok().flatten().map_or(0, |h| h.header.time.0);
        Ok(Self {
            snapshot,
            genesis,
            origin: genesis.origin(),
            validators,
            schedule,
            tip,
            tip_time,
            report,
            parent: None,
            log: TileCheck::new(snapshot, Tree::Log),
            history: TileCheck::new(snapshot, Tree::History),
            entries: EntryWalk::new(snapshot),
            replay: Some(Replay::default()),
            counts: Counts::default(),
            timestamps: 0,
        })
    }

    fn meta(&mut self) -> Result<(), StoreError> {
        for (key, expected) in
            [(Meta::LAYOUT, &LAYOUT.to_be_bytes()[..]), (Meta::NETWORK, self.genesis.hash().as_bytes())]
        {
            self.expect(Column::Meta, key, expected)?;
        }
        self.counts.add(Column::Meta, 2); // the node and the tip
        let epoch = [&0u64.to_be_bytes()[..], &canonical(&*self.validators)].concat();
        self.expect(Column::Epochs, &Epoch(0).0.to_be_bytes(), &epoch)
    }

    /// A row that must be there with this value.
    fn expect(&mut self, column: Column, key: &[u8], expected: &[u8]) -> Result<(), StoreError> {
        self.counts.add(column, 1);
        let row = self.snapshot.get(column, key);
        if let Some(row) = self.report.note(row)? {
            match row {
                None => self.report.add(place(column, key), "the row is missing"),
                Some(row) if row != expected => self.report.add(place(column, key), "the row has another value"),
                Some(_) => {}
            }
        }
        Ok(())
    }

    fn block(&mut self, height: Height) -> Result<(), StoreError> {
        self.counts.add(Column::Headers, 1);
        let stored = self.report.note(reads::known_header(self.snapshot, height))?;
        let Some(StoredHeader { header, hash, .. }) = stored else {
            // Without its header neither this block nor what follows can be derived.
            self.replay = None;
            self.parent = None;
            self.history.lose();
            return Ok(());
        };
        if height == self.tip && hash != self.report.hash {
            self.report.add("tip", "it names another header");
        }
        self.expect(Column::Times, &time_key(header.time, height), &[])?;

        let records = self.records(&header)?;
        let (validators, schedule) = (Arc::clone(&self.validators), self.schedule.clone());
        let derived = self.derive(&header, &records)?;
        let (validators, schedule) = match derived {
            Some((expected, in_force)) => {
                if let Some(name) = difference(&expected, &header) {
                    let what = format!("its {name} is not what the ledger up to here makes");
                    self.report.add(place(Column::Headers, &height.0.to_be_bytes()), what);
                }
                in_force
            }
            None => {
                self.report.add(format!("height {height}"), "the block cannot be derived after earlier damage");
                (self.stored_set(&header)?.unwrap_or(validators), schedule)
            }
        };
        if height > Height(0) {
            self.certificate(&header)?;
        }
        let leaf = merkle::leaf_hash(hash.as_bytes());
        self.history.append(leaf, &mut self.report)?;
        (self.validators, self.schedule) = (validators, schedule);
        self.parent = Some(Tip {
            header: Arc::new(header),
            hash,
            validators: Arc::clone(&self.validators),
            schedule: self.schedule.clone(),
            log: self.log.frontier().clone(),
            history: self.history.frontier().clone(),
        });
        Ok(())
    }

    /// The stored set that a header names for the next height: certificates are verified even where nothing can be derived.
    fn stored_set(&mut self, header: &Header) -> Result<Option<Arc<ValidatorSet>>, StoreError> {
        self.counts.lose(Column::Epochs);
        let row = reads::epoch(self.snapshot, next_epoch(header));
        let row = self.report.note(row)?.flatten();
        Ok(row.map(|row| row.validators).filter(|set| set.hash() == header.next_validators_hash))
    }

    fn certificate(&mut self, header: &Header) -> Result<(), StoreError> {
        self.counts.add(Column::Certificates, 1);
        let key = header.height.0.to_be_bytes();
        let row = self.snapshot.get(Column::Certificates, &key);
        let Some(row) = self.report.note(row)? else { return Ok(()) };
        let verdict = match row {
            None => Err("the row is missing".to_owned()),
            Some(row) => Note::parse(&row).map_err(|error| error.to_string()).and_then(|note| {
                verify_certificate(&self.origin, header, &note, &self.validators).map_err(|error| error.to_string())
            }),
        };
        if let Err(what) = verdict {
            self.report.add(place(Column::Certificates, &key), what);
        }
        Ok(())
    }

    /// The records of a block, each checked against its rows; `None` in place of one that cannot be read.
    fn records(&mut self, header: &Header) -> Result<Vec<Option<CheckedRecord>>, StoreError> {
        let first = LogIndex(self.log.size());
        let mut parsed: Vec<Option<Record>> = Vec::new();
        while self.log.size() < header.log_size.0 {
            let index = LogIndex(self.log.size());
            let entry = self.entries.next(index, header.height, &mut self.report)?;
            let leaf = entry.as_deref().map(merkle::leaf_hash);
            if !self.log.append_or_stored(leaf, &mut self.report)? {
                self.report.add(format!("entries {index}"), "the bytes do not match the leaf hash");
            }
            let record = entry.and_then(|bytes| match reads::parse(index, &bytes) {
                Ok(record) => Some(record),
                Err(error) => {
                    self.report.add(format!("entries {index}"), error.to_string());
                    None
                }
            });
            parsed.push(record);
        }
        for (offset, record) in parsed.iter().enumerate() {
            let index = LogIndex(first.0 + offset as u64);
            if let Some(record) = record {
                self.index_rows(record, index, header)?;
            }
        }
        let authors = parsed.iter().flatten().map(Record::author);
        if parsed.iter().any(Option::is_none) {
            self.counts.lose(Column::Timestamps);
            self.counts.lose(Column::TimestampOrder);
        }
        if parsed.iter().all(Option::is_some) {
            for (author, (index, offsets)) in author_rows(first, authors) {
                self.expect(Column::Authors, &author_key(author, index), &offsets)?;
            }
        } else {
            self.counts.lose(Column::Authors);
        }
        let checked = verify_signatures(parsed);
        let mut records = Vec::with_capacity(checked.len());
        for (offset, record) in checked.into_iter().enumerate() {
            records.push(match record {
                Some(Err(rejection)) => {
                    self.report.add(format!("entries {}", first.0 + offset as u64), rejection);
                    None
                }
                Some(Ok(record)) => Some(record),
                None => None,
            });
        }
        Ok(records)
    }

    fn index_rows(&mut self, record: &Record, index: LogIndex, header: &Header) -> Result<(), StoreError> {
        self.expect(Column::Ids, record.id().as_bytes(), &index.0.to_be_bytes())?;
        let mut rows = Vec::new();
        for_each_index_row(record, index, header.time.0, |column, key, value| {
            rows.push((column, key.to_vec(), value.to_vec()));
        });
        for (column, key, value) in rows {
            if column == Column::References {
                self.reference_row(&key, index, header)?;
            } else {
                self.expect(column, &key, &value)?;
            }
        }
        for (entry, digest) in public_digests(record) {
            self.timestamp_row(&timestamp_key(digest), index, entry)?;
        }
        Ok(())
    }

    /// A public digest's row names its first place; every place looks at it, so the first one does.
    fn timestamp_row(&mut self, key: &[u8; 32], index: LogIndex, entry: u16) -> Result<(), StoreError> {
        let row = self.snapshot.get(Column::Timestamps, key);
        let Some(row) = self.report.note(row)? else { return Ok(()) };
        let here = timestamp_value(index, entry);
        match row {
            None => self.report.add(place(Column::Timestamps, key), "the row is missing"),
            Some(row) if row == here => {
                self.counts.add(Column::Timestamps, 1);
                let ordinal = self.timestamps.to_be_bytes();
                self.timestamps += 1;
                self.expect(Column::TimestampOrder, &ordinal, key)?;
            }
            // Both are big-endian numbers of fixed length.
            Some(row) if row.len() == here.len() && row[..] < here[..] => {
                let first = timestamp(self.snapshot, key);
                self.report.note(first)?;
            }
            Some(_) => self.report.add(place(Column::Timestamps, key), "it does not name the digest's first place"),
        }
        Ok(())
    }

    /// A reference's row names its newest use, and may be gone when it can refuse nothing any more.
    fn reference_row(&mut self, key: &[u8], index: LogIndex, header: &Header) -> Result<(), StoreError> {
        let row = self.snapshot.get(Column::References, key);
        let Some(row) = self.report.note(row)? else { return Ok(()) };
        let at = || place(Column::References, key);
        match row.as_deref().map(|row| (number(row), last_number(row), row.len())) {
            None if !in_window(header.time, UnixTime(self.tip_time)) => {}
            None => self.report.add(at(), "the row is missing"),
            Some((Some(newest), Some(time), 16)) if newest == index.0 => {
                if time != header.time.0 {
                    self.report.add(at(), "the row has another time");
                }
            }
            // A later record has used the reference again; its own turn comes.
            Some((Some(newest), _, 16)) if newest > index.0 => {
                let newer = self.report.note(reads::record_at(self.snapshot, LogIndex(newest)))?.map(|r| r.record);
                if newer.is_some_and(|r| reference_key(r.author(), &r.payload().jti) != *key) {
                    self.report.add(at(), "the row names another record");
                }
            }
            Some(_) => self.report.add(at(), "the row names another record"),
        }
        Ok(())
    }

    /// The header that the ledger up to here and these records make; `None` when that is not known any more.
    fn derive(
        &mut self,
        header: &Header,
        records: &[Option<CheckedRecord>],
    ) -> Result<Option<(Header, InForce)>, StoreError> {
        let Some(mut replay) = self.replay.take() else { return Ok(None) };
        if header.height == Height(0) {
            let writes = genesis_writes(self.genesis);
            let root = replay.apply(Height(0), &writes, self.snapshot, &mut self.counts, &mut self.report)?;
            self.replay = Some(replay);
            return Ok(Some((self.genesis.header(root), Schedule::of_genesis(self.genesis))));
        }
        let Some(parent) = &self.parent else { return Ok(None) };
        if header.time < parent.header.time {
            self.report.add(format!("height {}", header.height), "its time is before its parent's");
        }
        let Some(records) = records.iter().map(Option::as_ref).collect::<Option<Vec<_>>>() else { return Ok(None) };
        let executed = replay.execute(&parent.header, header, self.schedule.protocol, &records)?;
        let writes = match executed {
            Ok(writes) => writes,
            Err(what) => {
                self.report.add(format!("height {}", header.height), what);
                return Ok(None);
            }
        };
        let root = replay.apply(header.height, &writes, self.snapshot, &mut self.counts, &mut self.report)?;
        replay.use_attachments(self.genesis, header, &records)?;
        let (log_size, log_root) = (LogSize(self.log.size()), self.log.frontier().root());
        let sound = |error: StateError<Infallible>| StoreError::damaged("state in memory", error.to_string());
        let before = (&self.validators, &self.schedule);
        let in_force = Schedule::after(before, header.height.next(), &writes, replay.state()).map_err(sound)?;
        let scheduled = scheduled_by(&writes, replay.state()).map_err(sound)?;
        let expected = parent.next_header(header.time, header.proposer, log_size, log_root, root);
        // After a wrong state root every later one is wrong as well: the first is the finding.
        if root == header.state_root {
            self.replay = Some(replay);
        }
        if let Some((entry, set)) = scheduled {
            let row = [&first_height(&entry).0.to_be_bytes()[..], &canonical(&set)].concat();
            self.expect(Column::Epochs, &entry.epoch.0.to_be_bytes(), &row)?;
        }
        Ok(Some((expected, in_force)))
    }

    fn finish(mut self) -> Result<CheckReport, StoreError> {
        self.report.log_size = LogSize(self.log.size());
        self.log.finish(&mut self.counts, &mut self.report)?;
        self.history.finish(&mut self.counts, &mut self.report)?;
        let rows = self.entries.finish(&mut self.report);
        self.counts.add(Column::Entries, rows);
        match self.replay.take() {
            Some(replay) => replay.finish(self.snapshot, &mut self.counts, &mut self.report)?,
            None => {
                DERIVED_FROM_STATE.into_iter().for_each(|column| self.counts.lose(column));
            }
        }
        self.undecided()?;
        columns::compare(self.snapshot, &self.counts, self.tip, &mut self.report)?;
        Ok(self.report)
    }

    fn undecided(&mut self) -> Result<(), StoreError> {
        for row in self.snapshot.scan(Column::Undecided, &[], &[]) {
            let Some((key, value)) = self.report.note(row)? else { continue };
            self.counts.add(Column::Undecided, 1);
            let at = place(Column::Undecided, &key);
            if number(&key) != Some(self.tip.0 + 1) {
                self.report.add(at, "it is not of the next height");
                continue;
            }
            let block = value.get(32..).map(|value| split_value(value).and_then(|(block, _)| Block::decode(block)));
            let value_id: Option<[u8; ValueId::BYTES]> = key.get(12..).and_then(|id| id.try_into().ok());
            match (block, value_id) {
                (Some(Ok(block)), Some(id)) if block.header.value_id().to_bytes() == id => {}
                _ => self.report.add(at, "it is not the block that its value id names"),
            }
        }
        Ok(())
    }
}

/// Columns of which nothing is known once a block could not be executed.
const DERIVED_FROM_STATE: [Column; 11] = [
    Column::StateKeys,
    Column::StateNodes,
    Column::StateValues,
    Column::StateStale,
    Column::Objects,
    Column::ObjectIds,
    Column::Attachments,
    Column::AttachmentUses,
    Column::AttachmentEnds,
    Column::AttachmentBlocks,
    Column::AttachmentsMissing,
];

/// Verifies the signatures of a block's records on all processors.
fn verify_signatures(records: Vec<Option<Record>>) -> Vec<Option<Result<CheckedRecord, String>>> {
    let verify = |record: Option<Record>| record.map(|r| check_stateless(r).map_err(|error| error.to_string()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = records.len().div_ceil(threads).max(64);
    let mut shares: Vec<Vec<Option<Record>>> = Vec::new();
    for record in records {
        match shares.last_mut() {
            Some(last) if last.len() < share => last.push(record),
            _ => shares.push(vec![record]),
        }
    }
    std::thread::scope(|scope| {
        let workers: Vec<_> = shares
            .into_iter()
            .map(|share| scope.spawn(move || share.into_iter().map(verify).collect::<Vec<_>>()))
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("verification does not panic")).collect()
    })
}
