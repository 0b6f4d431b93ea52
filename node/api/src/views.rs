//! The JSON that the API answers with. Hashes are lower-case hexadecimal, times are POSIX seconds, and members whose
//! name ends in `_text` are the exact bytes that are hashed or signed.

use serde::{Deserialize, Serialize};
use testamur_primitives::epoch::{EpochLink, Validator, ValidatorSet};
use testamur_primitives::genesis::Parameters;
use testamur_primitives::header::Header;
use testamur_primitives::key::JwsAlgorithm;
use testamur_primitives::note::{KeyId, Note, TYPE_COSIGNATURE_V1};
use testamur_primitives::record::{Act, Payload};
use utoipa::ToSchema;

use crate::health::{NotReady, TimeToFinal};
use crate::ledger::{Finality, Notarisation, StoredBlock, StoredCheckpoint, StoredEpoch, StoredRecord};
use crate::schemas;

/// What became of a submitted record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Submission {
    /// The record's id: SHA-256 of its JWS signing input.
    #[schema(example = "3f0c5f0b6a2f4f5a0e0f4b0c4b8a7e3d2c1b0a99887766554433221100ffeedd")]
    pub id: String,
    /// Whether it waits or is final.
    pub state: SubmissionState,
    /// Its block, when final.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u64>,
    /// That block's time, when final.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<u64>,
    /// Its place in the log, when final.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u64>,
    /// Where the record is found once it is final.
    pub location: String,
    /// Where its receipt is found once it is final.
    pub receipt: String,
}

/// Whether a submitted record waits or is final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SubmissionState {
    /// In this node's pool. No promise: only final is one.
    Queued,
    /// Committed by a quorum and on this node's disk.
    Final,
}

impl Submission {
    pub(crate) fn queued(id: impl ToString) -> Self {
        let id = id.to_string();
        let (location, receipt) = (format!("/v1/records/{id}"), format!("/v1/records/{id}/receipt"));
        Self { id, state: SubmissionState::Queued, height: None, time: None, index: None, location, receipt }
    }

    pub(crate) fn at(self, finality: Finality) -> Self {
        let Finality { height, time, index } = finality;
        let (height, time, index) = (Some(height.0), Some(time.0), Some(index.0));
        Self { state: SubmissionState::Final, height, time, index, ..self }
    }
}

/// A final record.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct RecordView {
    /// Its id.
    pub id: String,
    /// Its place in the log.
    pub index: u64,
    /// Its block.
    pub height: u64,
    /// That block's time: what the ledger witnesses.
    pub time: u64,
    /// Who signed it.
    pub author: String,
    /// The key it is signed with.
    pub kid: String,
    /// The signature algorithm.
    #[schema(value_type = String, example = "EdDSA")]
    pub alg: JwsAlgorithm,
    /// The signed content.
    #[schema(value_type = schemas::PayloadSchema)]
    pub payload: Payload,
    /// The record itself, a compact JWS: the leaf's bytes.
    pub jws: String,
    /// Where its receipt is found.
    pub receipt: String,
}

impl RecordView {
    pub(crate) fn new(stored: StoredRecord) -> Self {
        let StoredRecord { record, index, height, time } = stored;
        Self {
            id: record.id().to_string(),
            index: index.0,
            height: height.0,
            time: time.0,
            author: record.author().as_str().to_owned(),
            kid: record.kid().as_str().to_owned(),
            alg: record.algorithm(),
            payload: record.payload().clone(),
            jws: record.as_str().to_owned(),
            receipt: format!("/v1/records/{}/receipt", record.id()),
        }
    }
}

/// A final record in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecordSummary {
    /// Its id.
    pub id: String,
    /// Its place in the log.
    pub index: u64,
    /// Its block.
    pub height: u64,
    /// That block's time.
    pub time: u64,
    /// Who signed it.
    pub author: String,
    /// What it does: the `type` of its act.
    pub act: String,
}

impl RecordSummary {
    pub(crate) fn new(stored: &StoredRecord) -> Self {
        let act = match stored.record.act() {
            Act::Notarise { .. } => "notarise",
            Act::NotariseBatch { .. } => "notarise-batch",
            Act::OpenDossier { .. } => "open-dossier",
            Act::UpdateDossier { .. } => "update-dossier",
            Act::InsertDid { .. } => "insert-did",
            Act::UpdateDid { .. } => "update-did",
            Act::ReserveAttribute { .. } => "reserve-attribute",
            Act::FillAttribute { .. } => "fill-attribute",
            Act::EndAccreditation { .. } => "end-accreditation",
            Act::PublishSchema { .. } => "publish-schema",
            Act::PublishStatus { .. } => "publish-status",
            Act::Propose { .. } => "propose",
            Act::Approve { .. } => "approve",
            Act::Synced { .. } => "synced",
        };
        Self {
            id: stored.record.id().to_string(),
            index: stored.index.0,
            height: stored.height.0,
            time: stored.time.0,
            author: stored.record.author().as_str().to_owned(),
            act: act.to_owned(),
        }
    }
}

/// A page of records, in log order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecordPage {
    /// The records.
    pub records: Vec<RecordSummary>,
    /// The next page, when there is one.
    pub next: Option<String>,
}

/// Public entries of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NotarisationPage {
    /// Algorithm of the digest.
    #[schema(example = "sha2-256")]
    pub alg: String,
    /// The digest that was asked for, in hexadecimal.
    pub hash: String,
    /// The entries, in log order.
    pub notarisations: Vec<NotarisationView>,
    /// What an empty list means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The next page, when there is one.
    pub next: Option<String>,
}

/// A public entry of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NotarisationView {
    /// Id of the record.
    pub record: String,
    /// The record's place in the log.
    pub index: u64,
    /// The entry's place in the record.
    pub entry: u32,
    /// Who signed the record.
    pub author: String,
    /// The record's block.
    pub height: u64,
    /// That block's time.
    pub time: u64,
    /// Where the receipt is found.
    pub receipt: String,
}

impl NotarisationView {
    pub(crate) fn new(found: &Notarisation) -> Self {
        Self {
            record: found.record.to_string(),
            index: found.position.index.0,
            entry: found.position.entry,
            author: found.author.as_str().to_owned(),
            height: found.height.0,
            time: found.time.0,
            receipt: format!("/v1/records/{}/receipt", found.record),
        }
    }
}

/// A block in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BlockSummary {
    /// Its height.
    pub height: u64,
    /// Hash of its header.
    pub hash: String,
    /// Its time.
    pub time: u64,
    /// Epoch.
    pub epoch: u64,
    /// Records in the log after it.
    pub log_size: u64,
    /// Address of the validator that first proposed it.
    pub proposer: String,
}

impl BlockSummary {
    pub(crate) fn new(header: &Header) -> Self {
        Self {
            height: header.height.0,
            hash: header.hash().to_string(),
            time: header.time.0,
            epoch: header.epoch.0,
            log_size: header.log_size.0,
            proposer: header.proposer.to_string(),
        }
    }
}

/// A page of blocks, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BlockPage {
    /// The blocks.
    pub blocks: Vec<BlockSummary>,
    /// The next page, when there is one.
    pub next: Option<String>,
}

/// A block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct BlockView {
    /// Hash of its header.
    pub hash: String,
    /// The header.
    #[schema(value_type = schemas::HeaderSchema)]
    pub header: Header,
    /// The header's text: SHA-256("testamur/header/v1\n" ‖ text) is its hash.
    pub header_text: String,
    /// Place in the log of the first of its records.
    pub first_index: u64,
    /// Ids of its records, in log order.
    pub records: Vec<String>,
}

impl BlockView {
    pub(crate) fn new(block: StoredBlock) -> Self {
        let StoredBlock { header, records } = block;
        Self {
            hash: header.hash().to_string(),
            header_text: header.text(),
            first_index: header.log_size.0.saturating_sub(records.len() as u64),
            records: records.iter().map(ToString::to_string).collect(),
            header,
        }
    }
}

/// A checkpoint: a height's certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CheckpointView {
    /// The height.
    pub height: u64,
    /// Its time.
    pub time: u64,
    /// Its epoch.
    pub epoch: u64,
    /// Records in the log.
    pub log_size: u64,
    /// Root of the log.
    pub log_root: String,
    /// Hash of the header.
    pub header_hash: String,
    /// The header's text.
    pub header_text: String,
    /// The signed note: checkpoint, cosignatures, log signatures.
    pub note: String,
    /// The validators whose cosignatures stand in the note.
    pub witnesses: Vec<WitnessView>,
}

/// A validator that cosigned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WitnessView {
    /// Its address.
    pub address: String,
    /// Its key's name.
    pub name: String,
    /// Legal name of who runs it.
    pub operator: String,
    /// ISO 3166-1 alpha-2.
    pub country: String,
}

impl CheckpointView {
    pub(crate) fn new(stored: &StoredCheckpoint) -> Self {
        let StoredCheckpoint { header, note, validators } = stored;
        Self {
            height: header.height.0,
            time: header.time.0,
            epoch: header.epoch.0,
            log_size: header.log_size.0,
            log_root: header.log_root.to_string(),
            header_hash: header.hash().to_string(),
            header_text: header.text(),
            note: note.to_string(),
            witnesses: witnesses(note, validators),
        }
    }
}

/// Whose cosignature lines stand in a note. The node verified them before it stored them; a reader verifies for itself.
fn witnesses(note: &Note, set: &ValidatorSet) -> Vec<WitnessView> {
    let signed = |v: &&Validator| {
        let id = KeyId::compute(&v.name, TYPE_COSIGNATURE_V1, v.consensus_key());
        note.signatures.iter().any(|line| line.name == v.name && line.id == id)
    };
    let view = |v: &Validator| WitnessView {
        address: v.address.to_string(),
        name: v.name.clone(),
        operator: v.operator.clone(),
        country: v.country.clone(),
    };
    set.validators().iter().filter(signed).map(view).collect()
}

/// A proof that the log of one size is a prefix of the log of another (RFC 6962 §2.1.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConsistencyView {
    /// Size of the smaller log.
    pub from: u64,
    /// Its root.
    pub from_root: String,
    /// Size of the larger log.
    pub to: u64,
    /// Its root.
    pub to_root: String,
    /// The proof.
    pub path: Vec<String>,
}

/// A proof that an older header lies under the history root of a newer one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HistoryView {
    /// Height of the older header: its leaf's index.
    pub from: u64,
    /// Hash of the older header: its leaf's data.
    pub from_hash: String,
    /// Text of the older header.
    pub from_text: String,
    /// Height of the newer header: the size of the tree.
    pub to: u64,
    /// Hash of the newer header.
    pub to_hash: String,
    /// Text of the newer header.
    pub to_text: String,
    /// Root of the tree, as in the newer header.
    pub history_root: String,
    /// The RFC 6962 inclusion path.
    pub path: Vec<String>,
}

/// A page of epochs, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct EpochPage {
    /// The epochs.
    pub epochs: Vec<EpochView>,
    /// The next page, when there is one.
    pub next: Option<String>,
}

/// An epoch: one set of validators.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct EpochView {
    /// Its number.
    pub epoch: u64,
    /// Its first height.
    pub first_height: u64,
    /// Its last height, when it is over.
    pub last_height: Option<u64>,
    /// Hash of its set, as in headers.
    pub validators_hash: String,
    /// How many must cosign.
    pub quorum: usize,
    /// Until when a quorum of its keys is in office.
    pub in_office_until: u64,
    /// Its validators, in set order.
    #[schema(value_type = Vec<schemas::ValidatorSchema>)]
    pub validators: Vec<Validator>,
    /// Its policy for transparency-log tools.
    pub policy: String,
    /// How its set vouches for the next, when it is over.
    #[schema(value_type = Option<schemas::EpochLinkSchema>)]
    pub link: Option<EpochLink>,
}

impl EpochView {
    pub(crate) fn new(stored: StoredEpoch) -> Self {
        Self {
            epoch: stored.epoch.0,
            first_height: stored.first_height.0,
            last_height: stored.last_height.map(|h| h.0),
            validators_hash: stored.validators.hash().to_string(),
            quorum: stored.validators.quorum(),
            in_office_until: stored.validators.in_office_until().0,
            validators: stored.validators.validators().to_vec(),
            policy: format!("/log/policy/{}", stored.epoch),
            link: stored.link,
        }
    }
}

/// The machine-readable practice statement of the network, as this node sees it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct NetworkView {
    /// Version of this statement's format.
    pub v: u8,
    /// Genesis hash: names the network in every header and record.
    pub genesis: String,
    /// First line of its checkpoints.
    pub origin: String,
    /// Protocol version in force.
    pub protocol: u32,
    /// Time of genesis.
    pub genesis_time: u64,
    /// Timing and sizes in force.
    #[schema(value_type = schemas::ParametersSchema)]
    pub parameters: Parameters,
    /// Epoch in force.
    pub epoch: u64,
    /// Validators in force.
    #[schema(value_type = Vec<schemas::ValidatorSchema>)]
    pub validators: Vec<Validator>,
    /// How many of them make a decision.
    pub quorum: usize,
    /// How many may fail or lie without harm.
    pub tolerated_faults: usize,
    /// Algorithms in use.
    pub algorithms: AlgorithmsView,
    /// How past entries are kept from change.
    pub integrity_mechanism: String,
    /// How the validators come to one order.
    pub consensus_mechanism: String,
    /// What makes an entry final.
    pub finality: String,
    /// What the network takes.
    pub limits: NetworkLimits,
    /// Time to finality as this node measured it; null before the first record.
    pub time_to_final: Option<TimeToFinalView>,
    /// Where to get the trust file: from the network's operators, never from the node that is asked. Null when unset.
    pub trust_file: Option<String>,
    /// Where clients reach this node from outside, when set.
    pub public_url: Option<String>,
}

/// Algorithms in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct AlgorithmsView {
    /// JWS algorithms of records.
    pub record_signatures: Vec<String>,
    /// Digests of documents.
    pub document_digests: Vec<String>,
    /// Tree of the log, of the headers, and of batches.
    pub tree: String,
    /// Commitments to documents.
    pub commitment: String,
    /// Text and hash of headers.
    pub header: String,
    /// Tree of the state.
    pub state: String,
    /// Signatures of validators under checkpoints.
    pub certificate: String,
}

/// What the network takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct NetworkLimits {
    /// Bytes of a record.
    pub record_bytes_max: usize,
    /// Entries of a `notarise` record.
    pub notarise_entries_max: usize,
    /// Documents of a batch.
    pub batch_count_max: u64,
    /// How much older than the block a record's `iat` may be.
    pub record_age_s_max: u64,
    /// How much newer than the block a record's `iat` may be.
    pub record_ahead_s_max: u64,
    /// How long after `iat` a record's `exp` may be.
    pub record_life_s_max: u64,
    /// Bytes of a block.
    pub block_bytes_max: u32,
    /// Items of a page.
    pub page_items_max: usize,
    /// How long `?wait=final` waits before it answers 202.
    pub wait_final_s: u64,
}

/// Time from acceptance on this node to finality on its disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TimeToFinalView {
    /// Over so many of the latest blocks with records.
    pub blocks: u32,
    /// Records measured.
    pub records: u64,
    /// Median.
    pub p50_ms: u32,
    /// 99th percentile.
    pub p99_ms: u32,
}

impl From<TimeToFinal> for TimeToFinalView {
    fn from(measured: TimeToFinal) -> Self {
        let TimeToFinal { blocks, records, p50_ms, p99_ms } = measured;
        Self { blocks, records, p50_ms, p99_ms }
    }
}

/// The state of this node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StatusView {
    /// Its name.
    pub name: String,
    /// Address of its validator, if it is one.
    pub validator: Option<String>,
    /// `validator` while it takes part in decisions, `observer` while it follows.
    #[schema(example = "validator")]
    pub role: String,
    /// Heights that it knows to lack.
    pub behind: u64,
    /// Version of its binary.
    pub version: String,
    /// Seconds since its start.
    pub uptime_s: u64,
    /// Whether it is ready.
    pub ready: bool,
    /// Why it is not.
    pub problems: Vec<NotReadyView>,
    /// Its newest height.
    pub height: u64,
    /// Hash of that height's header.
    pub header_hash: String,
    /// That height's time.
    pub time: u64,
    /// Records in its log.
    pub log_size: u64,
    /// Epoch.
    pub epoch: u64,
    /// Validators in reach, itself included.
    pub validators_connected: u32,
    /// Records that wait for a block.
    pub pool_records: u64,
    /// Their bytes.
    pub pool_bytes: u64,
    /// Time to finality as measured; null before the first record.
    pub time_to_final: Option<TimeToFinalView>,
}

/// A reason for which a node is not ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NotReadyView {
    /// Stable slug.
    #[schema(example = "no-block")]
    pub code: String,
    /// What is wrong and what to do.
    pub detail: String,
}

impl NotReadyView {
    pub(crate) fn new(reason: &NotReady) -> Self {
        Self { code: reason.code().to_owned(), detail: reason.to_string() }
    }
}
