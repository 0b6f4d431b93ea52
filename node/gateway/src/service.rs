//! A gateway from its configuration to its end.

use std::net::SocketAddr;
use std::sync::Arc;

use testamur_api::server::{BindError, Server, ServerLimits};
use testamur_client::author::Author;
use testamur_client::error::ClientError;
use testamur_client::node::Connections;
use testamur_client::nodes::Nodes;
use testamur_client::notary::{Notary, NotaryError};
use testamur_primitives::did::Did;
use tokio::task::JoinSet;

use crate::batcher::Batcher;
use crate::config::{ConfigError, GatewayConfig};
use crate::diplomas::Desk;
use crate::guard::Guard;
use crate::limits::{BODY_IDLE_TIMEOUT, CONNECTION_LIFETIME, CONNECTIONS_MAX, REQUESTS_MAX, SHUTDOWN_TIMEOUT};
use crate::queue::Queue;
use crate::records::Records;
use crate::routes;
use crate::store::StoreError;

/// Why a gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The configuration.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// The addresses of nodes.
    #[error("{0}")]
    Client(#[from] ClientError),
    /// Author and trust file.
    #[error("{0}")]
    Notary(#[from] NotaryError),
    /// The archive of receipts.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The address to listen on.
    #[error("{0}")]
    Bind(#[from] BindError),
}

impl GatewayError {
    /// Whether the process must stop: the gateway has not started.
    pub fn is_fatal(&self) -> bool {
        true
    }
}

/// A gateway that listens already and serves when told to.
#[derive(Debug)]
pub struct Gateway {
    server: Server,
    router: axum::Router,
    batcher_ended: tokio::task::JoinHandle<()>,
    author: Did,
    desk: Option<Arc<Desk>>,
    records: Arc<Records>,
    background: JoinSet<()>,
}

impl Gateway {
    /// Checks the configuration and starts listening. Nodes are not asked: they may come later.
    pub async fn bind(config: GatewayConfig) -> Result<Self, GatewayError> {
        config.check()?;
        let connections = Connections { extra_roots_pem: config.node_roots_pem };
        let nodes = Nodes::new(&config.nodes, &connections)?;
        let author = Author::new(config.author, config.trust.network());
        let did = author.did().clone();
        let notary = Arc::new(Notary::new(author, nodes, config.trust)?.within(config.final_timeout));
        let limits = ServerLimits {
            connections_max: CONNECTIONS_MAX,
            connections_per_prefix_max: CONNECTIONS_MAX,
            connection_lifetime: CONNECTION_LIFETIME,
            requests_max: REQUESTS_MAX,
            body_bytes_max: u64::MAX,
            body_timeout: None,
            body_idle_timeout: BODY_IDLE_TIMEOUT,
            chunked_bodies: true,
            request_timeout: None,
            shutdown_timeout: SHUTDOWN_TIMEOUT,
            ..ServerLimits::default()
        };
        let server = Server::bind(config.listen, limits, config.tls).await?;
        let guard = Arc::new(Guard::new(server.local_address(), &config.allowed_hosts, config.tokens));
        let store = config.store.map(Arc::new);
        let records = Arc::new(Records::new(notary, store.clone(), config.webhook.is_some()));
        let (batcher, batcher_ended) = Batcher::start(Arc::clone(&records), config.batch_window);
        let desk = config.desk.map(Arc::new);
        let mut background = JoinSet::new();
        let queue = store.as_ref().map(|store| {
            Arc::new(Queue::new(Arc::clone(&records), Arc::clone(store)).at_most(config.queue_documents_max))
        });
        if let Some(queue) = &queue {
            background.spawn(Arc::clone(queue).run(config.batch_window));
        }
        if let (Some(webhook), Some(store)) = (config.webhook, store) {
            background.spawn(webhook.run(Arc::clone(&records), store));
        }
        if let Some(file) = config.tokens_file {
            background.spawn(Arc::clone(&guard).watch(file));
        }
        let router = routes::router(routes::Parts {
            guard,
            records: Arc::clone(&records),
            batcher,
            queue,
            backups: config.backups,
            desk: desk.clone(),
            batch_window: config.batch_window,
            final_timeout: config.final_timeout,
        });
        let going_on = records.resume()?;
        if going_on > 0 {
            tracing::info!(records = going_on, "records that were on their way are gone on with");
        }
        Ok(Self { server, router, batcher_ended, author: did, desk, records, background })
    }

    /// Where it listens: the port that was chosen, if 0 was asked for.
    pub fn local_address(&self) -> SocketAddr {
        self.server.local_address()
    }

    /// The DID that its records are signed by: it needs the writer role.
    pub fn author(&self) -> &Did {
        &self.author
    }

    /// Serves until `stop` completes, then lets running requests end.
    pub async fn serve(self, stop: impl Future<Output = ()>) {
        let Self { server, router, batcher_ended, desk, records, mut background, .. } = self;
        if let Some(desk) = desk {
            // What was broken off goes on beside the first requests: the desk does one thing at a time.
            tokio::spawn(desk.resume());
        }
        server.serve(router, stop).await;
        // The router is gone and with it the queue's last sender: the task ends after its last record.
        if batcher_ended.await.is_err() {
            tracing::error!("the batching task ended early");
        }
        // What these were at is on disk, and gone on with at the next start.
        background.shutdown().await;
        records.stop().await;
    }
}
