//! Descriptions, for the OpenAPI document, of formats that belong to the primitives. They are never constructed; the
//! tests hold their members against the real types'.

#![allow(dead_code, reason = "these types describe, nothing more")]

use utoipa::ToSchema;

/// A block's header, in RFC 8785 form.
#[derive(ToSchema)]
#[schema(as = Header)]
pub(crate) struct HeaderSchema {
    /// Format version: 1.
    v: u8,
    /// The network.
    genesis: String,
    /// Protocol version whose rules hold at this height.
    protocol: u32,
    /// Height; genesis is 0.
    height: u64,
    /// Block time.
    time: u64,
    /// Hash of the header before.
    previous: String,
    /// RFC 6962 root over the hashes of all earlier headers.
    history_root: String,
    /// Records in the log after this block.
    log_size: u64,
    /// Root of the log after this block.
    log_root: String,
    /// Root of the state after this block.
    state_root: String,
    /// Epoch.
    epoch: u64,
    /// Hash of the set that decides this height.
    validators_hash: String,
    /// Hash of the set that decides the next height.
    next_validators_hash: String,
    /// Hash of the parameters in force.
    parameters_hash: String,
    /// Last header of the epoch before.
    epoch_header: HeaderRefSchema,
    /// Address of the validator that first proposed this block.
    proposer: String,
}

/// A header by height and hash.
#[derive(ToSchema)]
#[schema(as = HeaderRef)]
pub(crate) struct HeaderRefSchema {
    /// Its height.
    height: u64,
    /// Its hash.
    hash: String,
}

/// The signed content of a record.
#[derive(ToSchema)]
#[schema(as = Payload)]
pub(crate) struct PayloadSchema {
    /// Format version: 1.
    v: u8,
    /// Genesis hash of the network.
    net: String,
    /// The author's DID.
    iss: String,
    /// Unique id of the author's choice.
    jti: String,
    /// When the author made it.
    iat: u64,
    /// Until when it may enter the ledger.
    exp: u64,
    /// What it does: an object whose `type` is `notarise` (alg, form, entries, ref), `notarise-batch` (tree, root, count,
    /// ref), `open-dossier` (alg, entries), `update-dossier` (dossier, prev, change), `insert-did` (methods, controllers,
    /// services, authorisation), `update-did` (did, prev, changes), `reserve-attribute` (attribute, subject, issuer_type,
    /// parent, entity, prev), `fill-attribute` (attribute, prev, credential), `end-accreditation` (attribute, prev,
    /// effective, reason), `publish-schema` (schema, body, prev), `publish-status` (status, prev), `propose` (change,
    /// governance_version, expires), `approve` (proposal, governance_version) or `synced` (validator, height, header).
    #[schema(value_type = Object)]
    act: (),
}

/// A validator in a set.
#[derive(ToSchema)]
#[schema(as = Validator)]
pub(crate) struct ValidatorSchema {
    /// Hash of its first registration.
    address: String,
    /// Name of its consensus key in signed notes.
    name: String,
    /// Legal name of who runs it.
    operator: String,
    /// ISO 3166-1 alpha-2.
    country: String,
    /// DID of who runs it.
    did: String,
    /// Consensus keys.
    keys: Vec<TypedKeySchema>,
    /// Ed25519 key that signs checkpoints as the log, base64url.
    log_key: String,
    /// Ed25519 key of its libp2p identity, base64url.
    peer_key: String,
    /// After this its cosignatures count no more.
    not_after: u64,
}

/// A key with its kind.
#[derive(ToSchema)]
#[schema(as = TypedKey)]
pub(crate) struct TypedKeySchema {
    /// `ed25519`.
    alg: String,
    /// The public key, base64url.
    key: String,
}

/// How one epoch's set vouches for the next.
#[derive(ToSchema)]
#[schema(as = EpochLink)]
pub(crate) struct EpochLinkSchema {
    /// Text of the epoch's last header.
    header: String,
    /// Its certificate.
    note: String,
    /// The next epoch's set.
    validators: Vec<ValidatorSchema>,
}

/// Timing and sizes.
#[derive(ToSchema)]
#[schema(as = Parameters)]
pub(crate) struct ParametersSchema {
    /// An idle network still makes a block this often.
    heartbeat_s: u32,
    /// Largest encoding of a block.
    block_bytes_max: u32,
    /// How far a proposal's time may lie ahead of a validator's clock before it gives no verdict.
    clock_tolerance_s: u32,
    /// How long validators wait for a proposal in round 0.
    propose_timeout_ms: u32,
    /// How long they wait for more votes after two thirds.
    vote_timeout_ms: u32,
    /// By how much each further round waits longer.
    round_timeout_ms: u32,
}

/// A receipt: everything that an offline verifier needs beside its trust file. Serve and keep its bytes unchanged.
#[derive(ToSchema)]
#[schema(as = Receipt)]
pub(crate) struct ReceiptSchema {
    /// Format version: 1.
    v: u8,
    /// `testamur-receipt`.
    r#type: String,
    /// The network it claims.
    network: ReceiptNetworkSchema,
    /// The record, a compact JWS.
    record: String,
    /// Place of the record in the log.
    index: u64,
    /// Path from the leaf to the header's log root.
    path: Vec<String>,
    /// Text of the header.
    header: String,
    /// The certificate.
    note: String,
    /// The validators of the header's epoch.
    validators: Vec<ValidatorSchema>,
    /// The epochs from genesis to the header's.
    epochs: Vec<EpochLinkSchema>,
    /// The author's key.
    #[schema(value_type = Object)]
    author: (),
    /// What shows the document; never in a receipt that a node serves.
    #[schema(value_type = Option<Object>)]
    opening: (),
    /// What carries the receipt past its witnesses' term.
    #[schema(value_type = Vec<Object>)]
    anchors: (),
    /// Names of the algorithms used.
    #[schema(value_type = Object)]
    algorithms: (),
    /// SHA-256 over the rest, base64url.
    digest: String,
}

/// What a read of the registries rests on: one header with its certificate, and the keys that were read with their
/// values, or their absence, proven under the header's state root.
#[derive(ToSchema)]
#[schema(as = Evidence)]
pub(crate) struct EvidenceSchema {
    /// Format version: 1.
    v: u8,
    /// `testamur-evidence`.
    r#type: String,
    /// The network it claims.
    network: ReceiptNetworkSchema,
    /// Text of the header.
    header: String,
    /// The header's certificate, a signed note.
    note: String,
    /// The validators of the header's epoch.
    validators: Vec<ValidatorSchema>,
    /// The epochs from genesis to the header's.
    epochs: Vec<EpochLinkSchema>,
    /// The keys, in order, none twice.
    state: Vec<ProvenKeySchema>,
}

/// A state key with its value, or none, and the proof.
#[derive(ToSchema)]
#[schema(as = ProvenKey)]
pub(crate) struct ProvenKeySchema {
    /// The key.
    key: String,
    /// The value's text; none when the key is absent.
    value: Option<String>,
    /// The proof.
    proof: StateProofSchema,
}

/// A proof under a state root.
#[derive(ToSchema)]
#[schema(as = StateProof)]
pub(crate) struct StateProofSchema {
    /// Format version: 1.
    v: u8,
    /// What stands at the deepest place on the key's path; none when nothing does.
    #[schema(value_type = Option<Object>)]
    leaf: (),
    /// The siblings on the way up, the deepest first.
    siblings: Vec<String>,
}

/// The network a receipt claims.
#[derive(ToSchema)]
#[schema(as = ReceiptNetwork)]
pub(crate) struct ReceiptNetworkSchema {
    /// Genesis hash.
    genesis: String,
    /// Origin.
    origin: String,
}

/// All that a network starts from.
#[derive(ToSchema)]
#[schema(as = Genesis)]
pub(crate) struct GenesisSchema {
    /// Format version: 1.
    v: u8,
    /// First part of the origin.
    domain: String,
    /// Second part of the origin.
    name: String,
    /// Time of height 0.
    time: u64,
    /// Protocol version from height 1 on.
    protocol: u32,
    /// Timing and sizes.
    parameters: ParametersSchema,
    /// The first validators with their proofs of possession.
    #[schema(value_type = Vec<Object>)]
    validators: (),
    /// Who may propose and approve changes.
    #[schema(value_type = Vec<Object>)]
    operators: (),
    /// How many operators must approve a change.
    approvals_required: u32,
    /// Who may write from the start.
    writers: Vec<String>,
    /// Method name of the ledger's own DIDs; `ebsi` when absent.
    did_method: Option<String>,
    /// What absolute URLs in registries and status lists begin with; the https URL of the domain when absent.
    public_base: Option<String>,
    /// Days for which every node keeps the older versions of status lists; 90 when absent.
    status_history_days: Option<u32>,
    /// The network that this one continues.
    #[schema(value_type = Option<Object>)]
    predecessor: (),
}

/// Two signed messages of one validator, height, round and step that differ.
#[derive(ToSchema)]
#[schema(as = Equivocation)]
pub(crate) struct EquivocationSchema {
    /// Format version: 1.
    v: u8,
    /// Origin of the network.
    network: String,
    /// The validator's address.
    validator: String,
    /// Its consensus key at that height, base64url.
    key: String,
    /// Height.
    height: u64,
    /// Round.
    round: u32,
    /// `proposal`, `prevote` or `precommit`.
    step: String,
    /// What it signed.
    first: StatementSchema,
    /// What else it signed.
    second: StatementSchema,
}

/// One of two messages.
#[derive(ToSchema)]
#[schema(as = Statement)]
pub(crate) struct StatementSchema {
    /// The value; absent for nil.
    value: Option<ValueIdSchema>,
    /// A proposal's proof-of-lock round; absent where there is none.
    pol_round: Option<u32>,
    /// Ed25519 signature over the message, base64url.
    signature: String,
}

/// What is voted on.
#[derive(ToSchema)]
#[schema(as = ValueId)]
pub(crate) struct ValueIdSchema {
    /// Log size after the block.
    log_size: u64,
    /// Log root after the block.
    log_root: String,
    /// Block time.
    time: u64,
    /// Hash of the block's header.
    header: String,
}
