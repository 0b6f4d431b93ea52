//! The newest block, and what the next one is built on.

use std::sync::Arc;

use testamur_primitives::epoch::ValidatorSet;
use testamur_primitives::hash::{Address, HeaderHash, StateRoot, TreeHash};
use testamur_primitives::header::{Header, HeaderRef};
use testamur_primitives::merkle::{self, Frontier};
use testamur_primitives::units::{Epoch, Height, LogSize, UnixTime};
use testamur_registry::tree::TreeState;

use crate::db::Snapshot;
use crate::error::StoreError;
use crate::reads;
use crate::schedule::Schedule;
use crate::schema::{Column, Meta, Tree, number};
use crate::tree::StoredNodes;

/// The newest final block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tip {
    /// Its header.
    pub header: Arc<Header>,
    /// Its hash.
    pub hash: HeaderHash,
    /// The set that decides the *next* height.
    pub validators: Arc<ValidatorSet>,
    /// What is decided for the heights after that.
    pub schedule: Schedule,
    /// Right edge of the log.
    pub(crate) log: Frontier,
    /// Right edge of the tree over all header hashes, this one's included.
    pub(crate) history: Frontier,
}

impl Tip {
    /// Height of the block.
    pub fn height(&self) -> Height {
        self.header.height
    }

    /// The height to be decided next.
    pub fn next_height(&self) -> Height {
        self.header.height.next()
    }

    /// The epoch that the next height belongs to.
    pub fn next_epoch(&self) -> Epoch {
        next_epoch(&self.header)
    }

    /// The header of the next height, all of it derived but for what the arguments say.
    pub(crate) fn next_header(
        &self,
        time: UnixTime,
        proposer: Address,
        log_size: LogSize,
        log_root: TreeHash,
        state_root: StateRoot,
    ) -> Header {
        let parent = &*self.header;
        let epoch = self.next_epoch();
        Header {
            v: 1,
            genesis: parent.genesis,
            protocol: self.schedule.protocol,
            height: self.next_height(),
            time,
            previous: self.hash,
            history_root: self.history.root(),
            log_size,
            log_root,
            state_root,
            epoch,
            validators_hash: parent.next_validators_hash,
            next_validators_hash: match self.schedule.set_after_next(self.next_height()) {
                Some(set) => set.hash(),
                None => parent.next_validators_hash,
            },
            parameters_hash: self.schedule.parameters.hash(),
            epoch_header: epoch_header(parent, self.hash),
            proposer,
        }
    }

    /// Reads the tip and checks that the trees end where its header says; `None` in an empty database.
    pub(crate) fn load(snapshot: &Snapshot<'_>) -> Result<Option<Self>, StoreError> {
        let Some(row) = snapshot.get(Column::Meta, Meta::TIP)? else { return Ok(None) };
        let damaged = |what: &str| StoreError::damaged("tip", what);
        let height = Height(number(&row).ok_or_else(|| damaged("row too short"))?);
        let stored = reads::header(snapshot, height)?.ok_or_else(|| damaged("its header is missing"))?;
        if row.get(8..) != Some(stored.hash.as_bytes().as_slice()) {
            return Err(damaged("its header has another hash"));
        }
        let header = stored.header;
        let log = Frontier::load(&StoredNodes::new(snapshot, Tree::Log), header.log_size.0)?;
        if log.root() != header.log_root {
            return Err(damaged("the log's nodes do not lead to the header's log root"));
        }
        let nodes = StoredNodes::new(snapshot, Tree::History);
        let mut history = Frontier::load(&nodes, height.0)?;
        if history.root() != header.history_root {
            return Err(damaged("the history's nodes do not lead to the header's history root"));
        }
        history.append(merkle::leaf_hash(stored.hash.as_bytes()), |_, _, _| ());
        if merkle::root(&nodes, height.0 + 1)? != history.root() {
            return Err(damaged("the header is not the last leaf of the history"));
        }
        let epoch = reads::epoch(snapshot, next_epoch(&header))?.ok_or_else(|| damaged("its epoch is missing"))?;
        if epoch.validators.hash() != header.next_validators_hash {
            return Err(damaged("its epoch has other validators"));
        }
        // Values proven under the tip's root, once a start: headers are derived from them.
        let state = TreeState::new(snapshot, height, header.state_root);
        let (validators, schedule) = Schedule::read(&state, height.next())?;
        if *validators != *epoch.validators {
            return Err(damaged("the state names other validators for the next height"));
        }
        let header = Arc::new(header);
        Ok(Some(Self { header, hash: stored.hash, validators, schedule, log, history }))
    }
}

/// What the header after `parent` names as the last header of the epoch before its own.
pub(crate) fn epoch_header(parent: &Header, hash: HeaderHash) -> HeaderRef {
    let begins = next_epoch(parent) != parent.epoch || parent.height == Height(0);
    if begins { HeaderRef { height: parent.height, hash } } else { parent.epoch_header }
}

/// A header that names another set than its own is the last of its epoch.
pub(crate) fn next_epoch(header: &Header) -> Epoch {
    if header.next_validators_hash == header.validators_hash { header.epoch } else { header.epoch.next() }
}
