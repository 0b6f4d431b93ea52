//! The network and this node: epochs, practice statement, genesis, status.

use axum::extract::State;
use serde::Deserialize;
use testamur_primitives::codec::canonical;
use testamur_primitives::commitment::DigestAlgorithm;
use testamur_primitives::limits::{
    BATCH_COUNT_MAX, NOTARISE_ENTRIES_MAX, RECORD_AGE_S_MAX, RECORD_AHEAD_S_MAX, RECORD_BYTES_MAX, RECORD_LIFE_S_MAX,
};
use testamur_primitives::units::Epoch;
use utoipa::IntoParams;

use crate::answer::{Answer, Caching, JSON};
use crate::app::Api;
use crate::ledger::ReadError;
use crate::limits::{PAGE_EPOCHS_MAX, PAGE_ITEMS_MAX};
use crate::problem::Problem;
use crate::request::{NoParameters, Parameters, page_items};
use crate::schemas::GenesisSchema;
use crate::views::{
    AlgorithmsView, EpochPage, EpochView, NetworkLimits, NetworkView, NotReadyView, StatusView, TimeToFinalView,
};

/// Which epochs.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct EpochParameters {
    /// Only this epoch and later ones: what `next` sets.
    start: Option<u64>,
    /// At most this many.
    #[param(minimum = 1, maximum = 20, default = 20)]
    limit: Option<usize>,
}

/// Epochs
///
/// Each set of validators and how it vouches for the next, oldest first: the chain by which a light client follows
/// the network from its trust file to today.
#[utoipa::path(
    get, path = "/v1/epochs", operation_id = "listEpochs", tag = "network", params(EpochParameters),
    responses((status = 200, description = "A page of epochs", body = EpochPage))
)]
pub(crate) async fn epochs(
    State(api): State<Api>,
    Parameters(parameters): Parameters<EpochParameters>,
) -> Result<Answer, Problem> {
    let limit = page_items(parameters.limit, PAGE_EPOCHS_MAX)?;
    let start = Epoch(parameters.start.unwrap_or(0));
    let epochs = api.read(move |reader| reader.epochs(start, limit)).await?;
    let over = epochs.last().filter(|last| last.last_height.is_some()).map(|last| last.epoch.next());
    let next = over.map(|epoch| format!("/v1/epochs?start={epoch}&limit={limit}"));
    let epochs = epochs.into_iter().map(EpochView::new).collect();
    Ok(Answer::json(&EpochPage { epochs, next }, Caching::Revalidate))
}

/// Practice statement
///
/// What the network is, who runs it, by which algorithms and limits, and how long finality takes: machine-readable.
#[utoipa::path(
    get, path = "/v1/network", operation_id = "readNetwork", tag = "network",
    responses((status = 200, description = "The practice statement", body = NetworkView))
)]
pub(crate) async fn network(
    State(api): State<Api>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Result<Answer, Problem> {
    let (genesis, tip) = (api.node().reader.genesis(), api.node().reader.tip());
    let epoch = tip.header.epoch;
    let current = api.read(move |reader| {
        let epoch = reader.epochs(epoch, 1)?.into_iter().next();
        epoch.ok_or_else(|| ReadError::Unavailable("the epoch in force is not stored yet".into()))
    });
    let validators = current.await?.validators;
    let quorum = validators.quorum();
    let config = api.config();
    let view = NetworkView {
        v: 1,
        genesis: genesis.hash().to_string(),
        origin: genesis.origin().to_string(),
        protocol: tip.header.protocol,
        genesis_time: genesis.time.0,
        parameters: (*tip.parameters).clone(),
        epoch: epoch.0,
        quorum,
        tolerated_faults: validators.validators().len() - quorum,
        validators: validators.validators().to_vec(),
        algorithms: AlgorithmsView {
            record_signatures: ["ES256", "ES384", "ES256K", "EdDSA", "Ed25519"].map(str::to_owned).to_vec(),
            document_digests: DigestAlgorithm::ALL.iter().map(|a| a.name().to_owned()).collect(),
            tree: "RFC 6962 Merkle tree with SHA-256".into(),
            commitment: "SHA-256 over algorithm, 32-byte random salt and digest".into(),
            header: "RFC 8785 JSON with SHA-256".into(),
            state: "Jellyfish Merkle tree with SHA-256".into(),
            certificate: "C2SP cosignature/v1 with Ed25519 (RFC 8032, strict)".into(),
        },
        integrity_mechanism: "Every record is a leaf of one append-only RFC 6962 Merkle tree; every header binds its \
            root, the state's root and the root over all earlier headers; consistency proofs show that nothing was \
            changed or removed; records are signed by their authors."
            .into(),
        consensus_mechanism: "Tendermint (Malachite), one vote a validator: a block is decided when more than two \
            thirds of the validators cosign its checkpoint in one round; safe while fewer than a third fail or lie."
            .into(),
        finality: "Immediate: a decided block is never reverted. A record is final when its block's certificate is on \
            the node's disk; the certificate is a C2SP checkpoint that verifies offline."
            .into(),
        limits: NetworkLimits {
            record_bytes_max: RECORD_BYTES_MAX,
            notarise_entries_max: NOTARISE_ENTRIES_MAX,
            batch_count_max: BATCH_COUNT_MAX,
            record_age_s_max: RECORD_AGE_S_MAX,
            record_ahead_s_max: RECORD_AHEAD_S_MAX,
            record_life_s_max: RECORD_LIFE_S_MAX,
            block_bytes_max: tip.parameters.block_bytes_max,
            page_items_max: PAGE_ITEMS_MAX,
            wait_final_s: config.wait_final_timeout.as_secs(),
        },
        time_to_final: api.node().health.status().time_to_final.map(TimeToFinalView::from),
        trust_file: config.trust_file_url.clone(),
        public_url: config.public_url.clone(),
    };
    Ok(Answer::json(&view, Caching::Revalidate))
}

/// Genesis
///
/// All that the network started from, in canonical form: its hash names the network. Take it from the operators, not
/// from the node that you check; this copy is for comparing.
#[utoipa::path(
    get, path = "/v1/genesis", operation_id = "readGenesis", tag = "network",
    responses((status = 200, description = "The genesis", body = GenesisSchema))
)]
pub(crate) async fn genesis(
    State(api): State<Api>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Result<Answer, Problem> {
    Ok(Answer::new(JSON, canonical(api.node().reader.genesis().as_ref()), Caching::Immutable))
}

/// This node
///
/// Where it stands, whether it is ready and, if not, why.
#[utoipa::path(
    get, path = "/v1/status", operation_id = "readStatus", tag = "network",
    responses((status = 200, description = "The node's state", body = StatusView))
)]
pub(crate) async fn status(
    State(api): State<Api>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Result<Answer, Problem> {
    let (health, tip) = (&api.node().health, api.node().reader.tip());
    let (status, problems) = (health.status(), health.problems());
    let view = StatusView {
        name: status.name,
        validator: status.validator.map(|address| address.to_string()),
        role: status.role.name().to_owned(),
        behind: status.behind,
        version: status.version.to_string(),
        uptime_s: status.uptime_s,
        ready: problems.is_empty(),
        problems: problems.iter().map(NotReadyView::new).collect(),
        height: tip.header.height.0,
        header_hash: tip.hash.to_string(),
        time: tip.header.time.0,
        log_size: tip.header.log_size.0,
        epoch: tip.header.epoch.0,
        validators_connected: status.validators_connected,
        pool_records: status.pool_records,
        pool_bytes: status.pool_bytes,
        time_to_final: status.time_to_final.map(TimeToFinalView::from),
    };
    Ok(Answer::json(&view, Caching::Revalidate))
}
