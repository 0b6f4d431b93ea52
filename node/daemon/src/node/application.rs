//! The ledger as consensus sees it: [`Application`] over the store.

use std::sync::Arc;

use bytes::Bytes;
use testamur_consensus::application::{
    AppError, Application, Decided, Known, PoolRecord, Prepared, Proposed, Refusal, TipView, Undecided,
};
use testamur_primitives::block::{Block, BlockError};
use testamur_primitives::hash::{Address, RecordId, TreeHash};
use testamur_primitives::key::SigningKey;
use testamur_primitives::note::{Note, SignatureLine};
use testamur_primitives::record::{Record, RecordError};
use testamur_primitives::units::{Height, UnixTime};
use testamur_registry::{CheckedRecord, Rejection, check_stateless};
use testamur_store::{Ledger, PreparedBlock};

use super::clock;

/// A record whose signature this node verified, with its leaf hash.
#[derive(Debug, Clone)]
pub(crate) struct Pooled {
    record: Arc<CheckedRecord>,
    leaf: TreeHash,
}

impl Pooled {
    fn check(record: Record) -> Result<Self, Rejection> {
        let leaf = record.leaf_hash();
        Ok(Self { record: Arc::new(check_stateless(record)?), leaf })
    }
}

impl PoolRecord for Pooled {
    fn id(&self) -> RecordId {
        self.record.record().id()
    }

    fn leaf_hash(&self) -> TreeHash {
        self.leaf
    }

    fn author(&self) -> &str {
        self.record.record().author().as_str()
    }

    fn as_bytes(&self) -> &[u8] {
        self.record.record().as_bytes()
    }

    fn expires(&self) -> UnixTime {
        self.record.record().payload().exp
    }
}

/// A node's ledger and the key by which it signs checkpoints as the log, after commit.
pub(crate) struct LedgerApplication {
    ledger: Arc<Ledger>,
    log_key: Option<LogKey>,
}

/// The log key of a validator.
pub(crate) struct LogKey {
    pub(crate) key: SigningKey,
    pub(crate) public: [u8; 32],
}

impl LedgerApplication {
    pub(crate) fn new(ledger: Arc<Ledger>, log_key: Option<LogKey>) -> Self {
        Self { ledger, log_key }
    }

    fn log_signature(&self, certificate: &Note) -> Option<SignatureLine> {
        let LogKey { key, public } = self.log_key.as_ref()?;
        let signature = key.sign(certificate.text.as_bytes()).try_into().expect("an Ed25519 signature has 64 bytes");
        Some(SignatureLine::log(self.ledger.origin().as_str(), public, &signature))
    }
}

fn refusal(rejection: &Rejection) -> Refusal {
    let (slug, number) = rejection.code();
    Refusal { slug, number, message: rejection.to_string() }
}

fn prepared(block: Arc<PreparedBlock>) -> Arc<Prepared<Arc<PreparedBlock>>> {
    Arc::new(Prepared {
        header: block.header().clone(),
        bytes: block.bytes().clone(),
        records: block.records().iter().map(|r| r.record().id()).collect(),
        inner: block,
    })
}

impl Application for LedgerApplication {
    type Record = Pooled;
    type Block = Arc<PreparedBlock>;

    fn tip(&self) -> TipView {
        let tip = self.ledger.tip();
        TipView {
            height: tip.height(),
            header: tip.hash,
            time: tip.header.time,
            validators: Arc::clone(&tip.validators),
            parameters: self.ledger.genesis().parameters.clone(),
        }
    }

    fn check(&self, bytes: &[u8]) -> Result<Result<Pooled, Refusal>, AppError> {
        let pooled = match Record::parse(bytes).map_err(Rejection::from).and_then(Pooled::check) {
            Ok(pooled) => pooled,
            Err(rejection) => return Ok(Err(refusal(&rejection))),
        };
        match self.ledger.admit(&pooled.record, clock::now()).map_err(AppError::new)? {
            Ok(()) => Ok(Ok(pooled)),
            Err(rejection) => Ok(Err(refusal(&rejection))),
        }
    }

    fn propose(
        &self,
        proposer: Address,
        now: UnixTime,
        candidates: &[Pooled],
    ) -> Result<Proposed<Arc<PreparedBlock>>, AppError> {
        let candidates: Vec<_> = candidates.iter().map(|c| Arc::clone(&c.record)).collect();
        let proposed = self.ledger.propose(proposer, now, &candidates).map_err(AppError::new)?;
        Ok(Proposed {
            block: prepared(proposed.block),
            rejected: proposed.rejected.iter().map(|(id, rejection)| (*id, refusal(rejection))).collect(),
        })
    }

    fn validate(
        &self,
        bytes: &Bytes,
        known: Known<'_, Pooled>,
    ) -> Result<Result<Arc<Prepared<Arc<PreparedBlock>>>, String>, AppError> {
        let mut records = Vec::new();
        let mut refused = None;
        // A record that the pool holds with exactly these bytes was verified by this node: it is not verified again.
        let block = Block::decode_with(bytes, |entry| {
            let leaf = testamur_primitives::merkle::leaf_hash(entry);
            let pooled = match known(&leaf) {
                Some(pooled) => pooled,
                None => match Pooled::check(Record::parse(entry)?) {
                    Ok(pooled) => pooled,
                    Err(Rejection::Record(error)) => return Err(error),
                    Err(rejection) => {
                        refused.get_or_insert(rejection.to_string());
                        return Err(RecordError::NotCompactJws);
                    }
                },
            };
            let record = pooled.record.record().clone();
            records.push(pooled.record);
            Ok(record)
        });
        let block: Block = match (block, refused) {
            (Ok(block), None) => block,
            (Err(BlockError::Record { index, .. }), Some(reason)) => {
                return Ok(Err(format!("record {index} of the block: {reason}")));
            }
            (Err(error), _) => return Ok(Err(error.to_string())),
            (Ok(_), Some(reason)) => return Ok(Err(reason)),
        };
        let verdict = self.ledger.validate(&block.header, records).map_err(AppError::new)?;
        Ok(verdict.map(prepared).map_err(|invalid| invalid.to_string()))
    }

    fn put_undecided(
        &self,
        height: Height,
        block: &Prepared<Arc<PreparedBlock>>,
        seen: &Undecided,
    ) -> Result<(), AppError> {
        let undecided = testamur_store::Undecided {
            round: seen.round,
            proposer: seen.proposer,
            value_id: block.inner.value_id(),
            bytes: block.bytes.clone(),
        };
        self.ledger.put_undecided(height, &undecided).map_err(AppError::new)
    }

    fn undecided(&self, height: Height) -> Result<Vec<Undecided>, AppError> {
        let stored = self.ledger.undecided(height).map_err(AppError::new)?;
        Ok(stored.into_iter().map(|u| Undecided { round: u.round, proposer: u.proposer, bytes: u.bytes }).collect())
    }

    fn commit(&self, block: &Prepared<Arc<PreparedBlock>>, certificate: &Note) -> Result<(), AppError> {
        let log_signature = self.log_signature(certificate);
        self.ledger.commit(&block.inner, certificate, log_signature.as_ref()).map_err(AppError::new)?;
        Ok(())
    }

    fn decided(&self, height: Height) -> Result<Option<Decided>, AppError> {
        let view = self.ledger.view().map_err(AppError::new)?;
        let decided = view.decided(height).map_err(AppError::new)?;
        Ok(decided.map(|d| Decided { bytes: d.bytes.into(), certificate: d.certificate, validators: d.validators }))
    }
}
