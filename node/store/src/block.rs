//! Executing a block: for a proposal, and to judge one.

use std::sync::Arc;

use bytes::Bytes;
use testamur_primitives::block::push_entry;
use testamur_primitives::checkpoint::ValueId;
use testamur_primitives::genesis::Parameters;
use testamur_primitives::hash::{Address, HeaderHash, RecordId};
use testamur_primitives::header::Header;
use testamur_primitives::limits::{BLOCK_RECORDS_MAX, HEADER_BYTES_MAX};
use testamur_primitives::units::{LogIndex, LogSize, UnixTime};
use testamur_registry::tree::{TreeState, TreeUpdate, update};
use testamur_registry::{ApplyError, BlockContext, CheckedRecord, Execution, Rejection, WriteSet};

use crate::error::{InvalidBlock, StoreError};
use crate::proven::ProvenState;
use crate::tip::Tip;
use crate::view::View;
use crate::window::Window;

/// An executed block that only needs its certificate.
#[derive(Debug, PartialEq, Eq)]
pub struct PreparedBlock {
    pub(crate) header: Header,
    pub(crate) hash: HeaderHash,
    pub(crate) bytes: Bytes,
    pub(crate) records: Vec<Arc<CheckedRecord>>,
    pub(crate) first_index: LogIndex,
    pub(crate) writes: WriteSet,
    pub(crate) tree: TreeUpdate,
}

impl PreparedBlock {
    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The header's hash.
    pub fn hash(&self) -> HeaderHash {
        self.hash
    }

    /// What validators vote on.
    pub fn value_id(&self) -> ValueId {
        let Header { log_size, log_root, time, .. } = self.header;
        ValueId { log_size, log_root, time, header: self.hash }
    }

    /// The block's encoding.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Its records, in log order.
    pub fn records(&self) -> &[Arc<CheckedRecord>] {
        &self.records
    }

    /// Place of the first record in the log.
    pub fn first_index(&self) -> LogIndex {
        self.first_index
    }
}

/// A block made for a proposal.
#[derive(Debug)]
pub struct Proposed {
    /// The block.
    pub block: Arc<PreparedBlock>,
    /// Candidates that the rules refuse now: they should leave the pool.
    pub rejected: Vec<(RecordId, Rejection)>,
}

impl View<'_> {
    /// Makes the next block from candidates in this order. What the rules refuse is left out and reported; what does
    /// not fit waits for the next block.
    pub(crate) fn propose(
        &self,
        proposer: Address,
        now: UnixTime,
        candidates: &[Arc<CheckedRecord>],
    ) -> Result<Proposed, StoreError> {
        let time = now.max(self.tip.header.time);
        let window = Window { snapshot: &self.snapshot, time };
        let state = self.proven_state();
        let mut execution = Execution::new(&state, &window, context(&self.tip, time))?;
        // The header's length is not known before its roots are; 4 KiB of 2 MiB are left for it.
        let bytes_max = self.tip.schedule.parameters.block_bytes_max as usize;
        let mut room = bytes_max.saturating_sub(4 + HEADER_BYTES_MAX);
        let (mut records, mut rejected) = (Vec::new(), Vec::new());
        for candidate in candidates {
            let bytes = 2 + candidate.record().as_bytes().len();
            if bytes > room || records.len() == BLOCK_RECORDS_MAX {
                break;
            }
            match execution.apply(candidate) {
                Ok(_) => {
                    room -= bytes;
                    records.push(Arc::clone(candidate));
                }
                Err(ApplyError::Rejected(rejection)) => rejected.push((candidate.record().id(), rejection)),
                Err(ApplyError::State(error)) => return Err(error.into()),
            }
        }
        let block = self.prepare(execution.finish(), time, proposer, records)?;
        Ok(Proposed { block: Arc::new(block), rejected })
    }

    /// Executes a block and compares its header with what that makes. The outer error is this node's own failure and
    /// never a verdict.
    pub(crate) fn validate(
        &self,
        header: &Header,
        records: Vec<Arc<CheckedRecord>>,
    ) -> Result<Result<PreparedBlock, InvalidBlock>, StoreError> {
        let tip = &*self.tip;
        if header.height != tip.next_height() {
            return Ok(Err(InvalidBlock::NotNext { expected: tip.next_height(), found: header.height }));
        }
        if header.time < tip.header.time {
            return Ok(Err(InvalidBlock::Header("time")));
        }
        if tip.validators.by_address(header.proposer).is_none() {
            return Ok(Err(InvalidBlock::Header("proposer")));
        }
        let window = Window { snapshot: &self.snapshot, time: header.time };
        let state = self.proven_state();
        let mut execution = Execution::new(&state, &window, context(tip, header.time))?;
        for (index, record) in records.iter().enumerate() {
            match execution.apply(record) {
                Ok(_) => {}
                Err(ApplyError::Rejected(rejection)) => {
                    return Ok(Err(InvalidBlock::Record {
                        index,
                        id: record.record().id(),
                        rejection: Box::new(rejection),
                    }));
                }
                Err(ApplyError::State(error)) => return Err(error.into()),
            }
        }
        let block = self.prepare(execution.finish(), header.time, header.proposer, records)?;
        if let Some(name) = difference(&block.header, header) {
            return Ok(Err(InvalidBlock::Header(name)));
        }
        Ok(check_size(&block, &tip.schedule.parameters).map(|()| block))
    }

    /// The state after the tip, every value checked against the tip's state root.
    fn proven_state(&self) -> ProvenState<'_> {
        let root = self.tip.header.state_root;
        ProvenState { tree: TreeState::new(&self.snapshot, self.tip.height(), root), root, values: self.proven }
    }

    fn prepare(
        &self,
        writes: WriteSet,
        time: UnixTime,
        proposer: Address,
        records: Vec<Arc<CheckedRecord>>,
    ) -> Result<PreparedBlock, StoreError> {
        let tip = &*self.tip;
        let tree = update(&self.snapshot, tip.next_height(), tip.header.state_root, &writes)?;
        #[cfg(feature = "faults")]
        let tree = crate::faults::other_root(tree);
        let mut log = tip.log.clone();
        for record in &records {
            log.append(record.record().leaf_hash(), |_, _, _| ());
        }
        let header = tip.next_header(time, proposer, LogSize(log.size()), log.root(), tree.root);
        let text = header.encode();
        let length = records.iter().map(|r| 2 + r.record().as_bytes().len()).sum::<usize>();
        let mut bytes = Vec::with_capacity(4 + text.len() + length);
        bytes.extend_from_slice(&(text.len() as u32).to_be_bytes());
        bytes.extend_from_slice(&text);
        for record in &records {
            push_entry(&mut bytes, record.record().as_bytes());
        }
        let (hash, first_index) = (header.hash(), LogIndex(tip.header.log_size.0));
        Ok(PreparedBlock { header, hash, bytes: bytes.into(), records, first_index, writes, tree })
    }
}

pub(crate) fn context(tip: &Tip, time: UnixTime) -> BlockContext {
    BlockContext { genesis: tip.header.genesis, protocol: tip.schedule.protocol, height: tip.next_height(), time }
}

fn check_size(block: &PreparedBlock, parameters: &Parameters) -> Result<(), InvalidBlock> {
    let (bytes, bytes_max) = (block.bytes.len(), parameters.block_bytes_max as usize);
    if bytes > bytes_max || block.records.len() > BLOCK_RECORDS_MAX {
        return Err(InvalidBlock::TooLarge { bytes, bytes_max });
    }
    Ok(())
}

/// The first member in which two headers differ.
pub(crate) fn difference(made: &Header, given: &Header) -> Option<&'static str> {
    let same = [
        (made.v == given.v, "v"),
        (made.genesis == given.genesis, "genesis"),
        (made.protocol == given.protocol, "protocol"),
        (made.height == given.height, "height"),
        (made.time == given.time, "time"),
        (made.previous == given.previous, "previous"),
        (made.history_root == given.history_root, "history_root"),
        (made.log_size == given.log_size, "log_size"),
        (made.log_root == given.log_root, "log_root"),
        (made.state_root == given.state_root, "state_root"),
        (made.epoch == given.epoch, "epoch"),
        (made.validators_hash == given.validators_hash, "validators_hash"),
        (made.next_validators_hash == given.next_validators_hash, "next_validators_hash"),
        (made.parameters_hash == given.parameters_hash, "parameters_hash"),
        (made.epoch_header == given.epoch_header, "epoch_header"),
        (made.proposer == given.proposer, "proposer"),
    ];
    let difference = same.into_iter().find_map(|(same, name)| (!same).then_some(name));
    // Every member is compared above: two headers without a difference are one.
    assert_eq!(difference.is_none(), made == given, "a member of the header is not compared");
    difference
}
