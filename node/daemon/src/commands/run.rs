//! `testamur run`: one node, validator or observer, until a signal or a fatal error.
//!
//! A fatal error (damage, a failed write or fsync, a dead engine) is logged in one line and ends the process at once
//! with exit code 1: what is true on disk is then unknown, and starting anew is the one safe thing (INV-RUN-1).

mod member;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use clap::Args;
use testamur_api::health::NotReady;
use testamur_api::server::{Server, ServerLimits, Tls};
use testamur_api::{Api, ApiConfig};
use testamur_client::node::{Connections, Node};
use testamur_primitives::genesis::Genesis;
use testamur_primitives::limits::TRUST_BYTES_MAX;
use testamur_store::{Ledger, ScrubPosition};
use tokio::sync::watch;

use crate::config::NodeConfig;
use crate::exit::{CommandError, Exit};
use crate::files;
use crate::keystore::PassphraseOptions;
use crate::ledger_codes::LEDGER_CODES;
use crate::limits::{CONFIG_BYTES_MAX, SCRUB_PAUSE};
use crate::node::{self, LedgerKeeper, NodeParts, RunningNode};
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
        service::raise_descriptors();
        let parts = parts(&self.config, &config, &self)?;
        service::runtime()?.block_on(serve(&config, parts))
    }
}

fn parts(path: &Path, config: &NodeConfig, run: &Run) -> Result<NodeParts, CommandError> {
    let genesis = Genesis::from_json(&files::read_at_most(&config.genesis, TRUST_BYTES_MAX)?)
        .map_err(|e| CommandError::content(&config.genesis, e, "get the genesis again from the network's operators"))?;
    let read = member::read(path, config, &run.passphrase, &genesis, run.trust_lost_guard)?;
    let (member, log_key) = read.unzip();
    let roots = config.follow.ca.iter().map(|ca| files::read_at_most(ca, CONFIG_BYTES_MAX));
    let connections = Connections { extra_roots_pem: roots.collect::<Result<_, _>>()? };
    let follow = config.follow.nodes.iter().map(|address| {
        Node::new(address, &connections).map_err(|e| {
            CommandError::failed("node.follow", e, "correct follow.nodes in the configuration: addresses of APIs")
        })
    });
    Ok(NodeParts {
        data: config.storage.data.clone(),
        member,
        log_key,
        follow: follow.collect::<Result<_, _>>()?,
        free_bytes_min: config.storage.free_bytes_min,
        genesis: Arc::new(genesis),
    })
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
    let admin_router = api.admin_router(public.counters(), Some(Arc::new(LedgerKeeper(Arc::clone(&node.ledger)))));
    let serving = tokio::spawn(public.serve(api.router(), wait(stopped.clone())));
    let admin_serving = tokio::spawn(admin.serve(admin_router, wait(stopped.clone())));
    let readiness = node::readiness::tell_changes(Arc::clone(&node.api.health), stopped.clone());
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
        let _ = readiness.await;
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
    let remedy = NotReady::Damage(String::new()).remedy();
    tracing::error!(reason, remedy, "fatal: this node stops now");
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
