//! `testamur run`: one node, until a signal or a fatal error.
//!
//! A fatal error (damage, a failed write or fsync, a dead engine) is logged in one line and ends the process at once
//! with exit code 1: what is true on disk is then unknown, and starting anew is the one safe thing (INV-RUN-1).

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use clap::Args;
use testamur_api::server::{Server, ServerLimits, Tls};
use testamur_api::{Api, ApiConfig};
use testamur_consensus::{ConsensusConfig, ConsensusKeys, PeerAddress};
use testamur_primitives::epoch::Validator;
use testamur_primitives::genesis::Genesis;
use testamur_primitives::limits::TRUST_BYTES_MAX;
use testamur_store::{Ledger, ScrubPosition};
use tokio::sync::watch;

use crate::config::NodeConfig;
use crate::exit::{CommandError, Exit};
use crate::files;
use crate::keystore::{Access, Key, KeyKind, PassphraseOptions, check_directory};
use crate::ledger_codes::LEDGER_CODES;
use crate::limits::SCRUB_PAUSE;
use crate::node::{self, NodeParts, RunningNode};
use crate::service::{self, StopSignals};

/// Arguments of `run`.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The node's config.toml
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    #[command(flatten)]
    passphrase: PassphraseOptions,
    /// Certificate chain of the API (PEM), in place of api.tls_cert
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Its key (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Where clients reach the API from outside, in place of api.public_url
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Sign at once although the double-sign guard is lost: only when a quorum lost its guards together, and only
    /// after making sure that no other process signs with this key
    #[arg(long)]
    trust_lost_guard: bool,
    /// Stop when the process that started this one is gone
    #[arg(long, hide = true)]
    end_with_parent: bool,
}

impl Run {
    /// Runs the node.
    pub(crate) fn run(self) -> Result<Exit, CommandError> {
        if self.end_with_parent {
            service::end_with_parent()?;
        }
        let mut config = NodeConfig::read(&self.config)?;
        if self.tls_cert.is_some() {
            (config.api.tls_cert, config.api.tls_key) = (self.tls_cert.clone(), self.tls_key.clone());
        }
        if self.public_url.is_some() {
            config.api.public_url.clone_from(&self.public_url);
        }
        service::start_log(&config.log)?;
        service::forbid_core_dumps()?;
        let genesis = Genesis::from_json(&files::read_at_most(&config.genesis, TRUST_BYTES_MAX)?).map_err(|e| {
            CommandError::content(&config.genesis, e, "get the genesis again from the network's operators")
        })?;
        let keys = NodeKeys::read(&config, &self.passphrase, &genesis)?;
        let parts = parts(&config, genesis, keys, self.trust_lost_guard)?;
        service::runtime()?.block_on(serve(&config, parts))
    }
}

/// The node's keys, and the validator that they are of.
struct NodeKeys {
    consensus: Key,
    log: Key,
    peer: Key,
    validator: Validator,
}

impl NodeKeys {
    fn read(config: &NodeConfig, passphrase: &PassphraseOptions, genesis: &Genesis) -> Result<Self, CommandError> {
        let mut options = passphrase.clone();
        if options.passphrase_file.is_none() {
            options.passphrase_file.clone_from(&config.keys.passphrase_file);
        }
        let access = Access { passphrase: options.read()?, insecure_dev: config.keys.insecure_dev };
        for path in [&config.keys.consensus, &config.keys.log, &config.keys.peer] {
            if let Some(directory) = path.parent().filter(|d| d.is_dir()) {
                check_directory(directory)?;
            }
        }
        let consensus = Key::read(&config.keys.consensus, KeyKind::Consensus, &access)?;
        let log = Key::read(&config.keys.log, KeyKind::Log, &access)?;
        let peer = Key::read(&config.keys.peer, KeyKind::Peer, &access)?;
        let set = genesis.validator_set();
        let validator = set.validators().iter().find(|v| v.consensus_key() == consensus.public().as_bytes()).cloned();
        let refuse = |path: &std::path::Path, what: &str| {
            let reason = format!("{what} of network {}", genesis.origin());
            CommandError::content(
                path,
                reason,
                "check `genesis` and `[keys]` in the configuration: they belong together",
            )
        };
        let validator =
            validator.ok_or_else(|| refuse(&config.keys.consensus, "not the consensus key of any validator"))?;
        if validator.log_key() != log.public().as_bytes() {
            return Err(refuse(&config.keys.log, &format!("not the log key of {}", validator.name)));
        }
        if validator.peer_key() != peer.public().as_bytes() {
            return Err(refuse(&config.keys.peer, &format!("not the peer key of {}", validator.name)));
        }
        Ok(Self { consensus, log, peer, validator })
    }
}

fn parts(
    config: &NodeConfig,
    genesis: Genesis,
    keys: NodeKeys,
    trust_lost_guard: bool,
) -> Result<NodeParts, CommandError> {
    let set = genesis.validator_set();
    let mut peers = Vec::new();
    for peer in &config.consensus.peers {
        let validator = set.validators().iter().find(|v| v.name == peer.name).ok_or_else(|| {
            CommandError::failed(
                "node.peer",
                format!("consensus.peers names {:?}, which is no validator of {}", peer.name, genesis.origin()),
                "correct the name in the configuration",
            )
        })?;
        peers.push(PeerAddress {
            validator: validator.address,
            consensus: tcp(peer.consensus).parse().expect("an address of IP and TCP port"),
            gossip: tcp(peer.gossip).parse().expect("an address of IP and TCP port"),
        });
    }
    let NodeKeys { consensus, log, peer, validator } = keys;
    Ok(NodeParts {
        data: config.storage.data.clone(),
        name: validator.name.clone(),
        consensus: ConsensusConfig {
            origin: genesis.origin(),
            address: validator.address,
            moniker: validator.name.clone(),
            listen: tcp(config.consensus.listen).parse().expect("an address of IP and TCP port"),
            gossip_listen: tcp(config.consensus.gossip_listen).parse().expect("an address of IP and TCP port"),
            peers,
            guard_directory: config.storage.guard.clone(),
            log_directory: config.storage.wal.clone(),
            trust_lost_guard,
            failpoints: config.consensus.failpoints,
        },
        keys: ConsensusKeys { peer_seed: *peer.seed(), consensus: consensus.into_signing() },
        log_key: log.into_signing(),
        free_bytes_min: config.storage.free_bytes_min,
        genesis: Arc::new(genesis),
    })
}

/// A socket address as libp2p writes it.
fn tcp(address: SocketAddr) -> String {
    let family = if address.is_ipv4() { "ip4" } else { "ip6" };
    format!("/{family}/{}/tcp/{}", address.ip(), address.port())
}

async fn serve(config: &NodeConfig, parts: NodeParts) -> Result<Exit, CommandError> {
    let mut signals = StopSignals::listen()?;
    // Ports first: what is in use is told before anything is opened or signed.
    let tls = match (&config.api.tls_cert, &config.api.tls_key) {
        (Some(cert), Some(key)) => Some(
            Tls::from_pem_files(cert, key)
                .map_err(|e| CommandError::failed("node.tls", e, "check api.tls_cert and api.tls_key"))?,
        ),
        _ => None,
    };
    let https = tls.is_some() || config.api.public_url.as_ref().is_some_and(|url| url.starts_with("https://"));
    let bind_failed = |what: &str, e: testamur_api::server::BindError| {
        CommandError::failed("node.listen", format!("{what}: {e}"), "")
    };
    let public =
        Server::bind(config.api.listen, ServerLimits::default(), tls).await.map_err(|e| bind_failed("the API", e))?;
    let admin = Server::bind(config.admin.listen, ServerLimits::default(), None)
        .await
        .map_err(|e| bind_failed("the admin listener", e))?;

    let origin = parts.genesis.origin();
    let mut node = node::start(parts).await?;
    let api_config = ApiConfig {
        public_url: config.api.public_url.clone(),
        trust_file_url: config.api.trust_file_url.clone(),
        https,
        rejection_codes: LEDGER_CODES.to_vec(),
        ..ApiConfig::default()
    };
    let api = Api::new(node.api.clone(), api_config);
    let (stop, stopped) = watch::channel(false);
    let wait = |mut stopped: watch::Receiver<bool>| async move {
        // An error means that the sender is gone: that is a stop as well.
        let _ = stopped.wait_for(|stop| *stop).await;
    };
    tracing::info!(
        %origin,
        height = node.ledger.tip().height().0,
        api = %public.local_address(),
        admin = %admin.local_address(),
        "the node is up"
    );
    let admin_router = api.admin_router(public.counters());
    let serving = tokio::spawn(public.serve(api.router(), wait(stopped.clone())));
    let admin_serving = tokio::spawn(admin.serve(admin_router, wait(stopped.clone())));
    let scrub = tokio::spawn(scrub(&node, stopped));

    tokio::select! {
        biased;
        reason = node.fatal.recv() => end_at_once(&reason.unwrap_or_else(|| "its watch ended".into())),
        signal = signals.recv() => tracing::info!(signal, "stopping"),
    }
    node.announce_stop();
    stop.send_replace(true);
    let ended = async {
        // Requests first: those that wait for finality still get it.
        let _ = serving.await;
        let _ = scrub.await;
        drop(api);
        node.shutdown().await;
        // Last, so that the operator sees a stopping node until it is gone.
        let _ = admin_serving.await;
    };
    tokio::select! {
        () = ended => tracing::info!("stopped"),
        signal = signals.recv() => {
            tracing::warn!(signal, "stopped without waiting: a second signal");
            return Ok(Exit::Operational);
        }
    }
    Ok(Exit::Ok)
}

/// INV-RUN-1.
fn end_at_once(reason: &str) -> ! {
    tracing::error!(reason, "fatal: this node stops now");
    std::process::exit(Exit::Operational as i32);
}

/// Re-reads the whole ledger, slowly, for as long as the node runs. Damage closes the store, which ends the node.
fn scrub(node: &RunningNode, mut stopped: watch::Receiver<bool>) -> impl Future<Output = ()> + Send + use<> {
    let (ledger, scrubbed) = (Arc::clone(&node.ledger), Arc::clone(&node.scrubbed));
    async move {
        let mut position = ScrubPosition::default();
        let mut pause = SCRUB_PAUSE;
        loop {
            tokio::select! {
                _ = stopped.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(pause) => {}
            }
            let (from, reader): (_, Arc<Ledger>) = (position.clone(), Arc::clone(&ledger));
            let step = tokio::task::spawn_blocking(move || reader.scrub_step(&from)).await;
            match step {
                Ok(Ok(next)) => {
                    let heights = next.height.0.saturating_sub(position.height.0);
                    scrubbed.fetch_add(heights, Ordering::Relaxed);
                    // Once through, there is time.
                    pause = if next.rounds > position.rounds { SCRUB_PAUSE * 60 } else { SCRUB_PAUSE };
                    position = next;
                }
                // The store has reported what is fatal; anything else is tried again later.
                Ok(Err(error)) if error.is_fatal() => return,
                Ok(Err(error)) => {
                    tracing::warn!(%error, "the background check could not read");
                    pause = Duration::from_secs(60);
                }
                Err(_) => return,
            }
        }
    }
}
