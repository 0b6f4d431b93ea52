//! The ledger as consensus sees it: [`Application`] over the store.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use testamur_consensus::application::{
    AppError, Application, Attachments, Decided, Known, PoolRecord, Prepared, Proposed, Refusal, TipView, Undecided,
};
use testamur_primitives::block::{Block, BlockError, encode_value, split_value};
use testamur_primitives::hash::{Address, AttachmentHash, RecordId, TreeHash};
use testamur_primitives::key::SigningKey;
use testamur_primitives::note::{Note, SignatureLine};
use testamur_primitives::record::{Record, RecordError};
use testamur_primitives::units::{Height, UnixTime};
use testamur_registry::{CheckedRecord, Rejection, StatusRejection, check_stateless};
use testamur_store::{Ledger, PreparedBlock};

use super::clock;

/// A record whose signature this node verified, with its leaf hash, and the attachment that it was checked with.
#[derive(Debug, Clone)]
pub(crate) struct Pooled {
    record: Arc<CheckedRecord>,
    leaf: TreeHash,
    attachment: Option<Bytes>,
}

/// An executed block and the attachments that came beside it, or of a proposal's candidates.
#[derive(Debug)]
pub(crate) struct Executed {
    block: Arc<PreparedBlock>,
    attachments: Vec<Bytes>,
}

impl Pooled {
    fn new(record: CheckedRecord) -> Self {
        let leaf = record.record().leaf_hash();
        Self { record: Arc::new(record), leaf, attachment: None }
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

    fn attachment(&self) -> Option<&Bytes> {
        self.attachment.as_ref()
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
        // Readers know the log keys of the deciding set, and no other: out of office this node adds no line.
        let in_office = self.ledger.tip().validators.validators().iter().any(|v| v.log_key() == public);
        if !in_office {
            return None;
        }
        let signature = key.sign(certificate.text.as_bytes()).try_into().expect("an Ed25519 signature has 64 bytes");
        Some(SignatureLine::log(self.ledger.origin().as_str(), public, &signature))
    }
}

fn refusal(rejection: &Rejection) -> Refusal {
    let (slug, number) = rejection.code();
    Refusal { slug, number, message: rejection.to_string() }
}

fn prepared(
    block: Arc<PreparedBlock>,
    value: Bytes,
    attachments: Vec<Bytes>,
    attached: bool,
) -> Arc<Prepared<Executed>> {
    Arc::new(Prepared {
        header: block.header().clone(),
        bytes: value,
        attached,
        records: block.records().iter().map(|r| r.record().id()).collect(),
        inner: Executed { block, attachments },
    })
}

impl Application for LedgerApplication {
    type Record = Pooled;
    type Block = Executed;

    fn tip(&self) -> TipView {
        let tip = self.ledger.tip();
        TipView {
            height: tip.height(),
            header: tip.hash,
            time: tip.header.time,
            validators: Arc::clone(&tip.validators),
            scheduled: tip.schedule.set.clone(),
            parameters: (*tip.schedule.parameters).clone(),
        }
    }

    fn check(&self, bytes: &[u8], attachment: Option<&Bytes>) -> Result<Result<Pooled, Refusal>, AppError> {
        let mut record = match Record::parse(bytes).map_err(Rejection::from).and_then(check_stateless) {
            Ok(record) => record,
            Err(rejection) => return Ok(Err(refusal(&rejection))),
        };
        let now = clock::now().max(self.ledger.tip().header.time);
        if let Err(rejection) = self.ledger.admit(&mut record, now).map_err(AppError::new)? {
            return Ok(Err(refusal(&rejection)));
        }
        // After admission: only who may write gets this much work out of a node.
        let checked = match (record.record().attachment(), attachment) {
            (None, None) => Ok(()),
            (Some(_), Some(bytes)) => {
                self.ledger.check_attachment(record.record(), bytes, now).map_err(AppError::new)?
            }
            (Some(_), None) | (None, Some(_)) => Err(StatusRejection::Attachment.into()),
        };
        match checked {
            Ok(()) => Ok(Ok(Pooled { attachment: attachment.cloned(), ..Pooled::new(record) })),
            Err(rejection) => Ok(Err(refusal(&rejection))),
        }
    }

    fn propose(&self, proposer: Address, now: UnixTime, candidates: &[Pooled]) -> Result<Proposed<Executed>, AppError> {
        let records: Vec<_> = candidates.iter().map(|c| Arc::clone(&c.record)).collect();
        let proposed = self.ledger.propose(proposer, now, &records).map_err(AppError::new)?;
        let taken: HashSet<_> = proposed.block.records().iter().map(|r| r.record().id()).collect();
        let mut attachments: Vec<Bytes> = Vec::new();
        for candidate in candidates.iter().filter(|c| taken.contains(&c.id())) {
            attachments.extend(candidate.attachment.clone().filter(|bytes| !attachments.contains(bytes)));
        }
        let value = encode_value(proposed.block.bytes(), &attachments).into();
        Ok(Proposed {
            block: prepared(proposed.block, value, attachments, true),
            rejected: proposed.rejected.iter().map(|(id, rejection)| (*id, refusal(rejection))).collect(),
        })
    }

    fn validate(
        &self,
        bytes: &Bytes,
        known: Known<'_, Pooled>,
        attachments: Attachments,
    ) -> Result<Result<Arc<Prepared<Executed>>, String>, AppError> {
        let (block, beside) = match split_value(bytes) {
            Ok(split) => split,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let beside: Vec<_> = beside.into_iter().map(|attachment| bytes.slice_ref(attachment)).collect();
        let mut records = Vec::new();
        let mut refused = None;
        let mut pooled_attachments = HashMap::new();
        // A record that the pool holds with exactly these bytes was verified by this node: it is not verified again.
        let block = Block::decode_with(block, |entry| {
            let leaf = testamur_primitives::merkle::leaf_hash(entry);
            let pooled = match known(&leaf) {
                Some(pooled) => pooled,
                None => match check_stateless(Record::parse(entry)?) {
                    Ok(record) => Pooled::new(record),
                    Err(Rejection::Record(error)) => return Err(error),
                    Err(rejection) => {
                        refused.get_or_insert(rejection.to_string());
                        return Err(RecordError::NotCompactJws);
                    }
                },
            };
            if let Some(attachment) = pooled.attachment.clone() {
                pooled_attachments.insert(pooled.id(), attachment);
            }
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
        let block = match self.ledger.validate(&block.header, records).map_err(AppError::new)? {
            Ok(block) => block,
            Err(invalid) => return Ok(Err(invalid.to_string())),
        };
        let attached = match attachments {
            Attachments::Checked => {
                self.ledger.is_attached(&block, &beside, &pooled_attachments).map_err(AppError::new)?
            }
            Attachments::AsTheyCome => false,
        };
        Ok(Ok(prepared(block, bytes.clone(), beside, attached)))
    }

    fn put_undecided(&self, height: Height, block: &Prepared<Executed>, seen: &Undecided) -> Result<(), AppError> {
        let undecided = testamur_store::Undecided {
            round: seen.round,
            proposer: seen.proposer,
            value_id: block.inner.block.value_id(),
            bytes: block.bytes.clone(),
        };
        self.ledger.put_undecided(height, &undecided).map_err(AppError::new)
    }

    fn undecided(&self, height: Height) -> Result<Vec<Undecided>, AppError> {
        let stored = self.ledger.undecided(height).map_err(AppError::new)?;
        Ok(stored.into_iter().map(|u| Undecided { round: u.round, proposer: u.proposer, bytes: u.bytes }).collect())
    }

    fn commit(&self, block: &Prepared<Executed>, certificate: &Note) -> Result<(), AppError> {
        let log_signature = self.log_signature(certificate);
        let Executed { block, attachments } = &block.inner;
        self.ledger.commit(block, certificate, log_signature.as_ref(), attachments).map_err(AppError::new)?;
        Ok(())
    }

    fn decided(&self, height: Height) -> Result<Option<Decided>, AppError> {
        let view = self.ledger.view().map_err(AppError::new)?;
        let decided = view.decided(height).map_err(AppError::new)?;
        Ok(decided.map(|d| Decided {
            bytes: encode_value(&d.bytes, &d.attachments).into(),
            certificate: d.certificate,
            validators: d.validators,
        }))
    }

    fn missing_attachments(&self, limit: usize) -> Result<Vec<AttachmentHash>, AppError> {
        let view = self.ledger.view().map_err(AppError::new)?;
        let missing = view.missing_attachments(limit).map_err(AppError::new)?;
        Ok(missing.into_iter().map(|attachment| attachment.sha256).collect())
    }

    fn attachment(&self, attachment: &AttachmentHash) -> Result<Option<Bytes>, AppError> {
        let view = self.ledger.view().map_err(AppError::new)?;
        Ok(view.attachment(attachment).map_err(AppError::new)?.map(Bytes::from))
    }

    fn put_attachment(&self, bytes: &Bytes) -> Result<bool, AppError> {
        self.ledger.put_attachment(bytes).map_err(AppError::new)
    }
}
