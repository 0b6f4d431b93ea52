//! A verifier from its configuration to its end.

use std::net::SocketAddr;
use std::sync::Arc;

use testamur_api::server::{BindError, Server, ServerLimits};

use crate::config::{ConfigError, VerifierConfig};
use crate::guard::Guard;
use crate::limits::{
    BATCH_BYTES_MAX, BODY_IDLE_TIMEOUT, CONNECTION_LIFETIME, CONNECTIONS_MAX, REQUESTS_MAX, SHUTDOWN_TIMEOUT,
};
use crate::routes;

/// Why a verifier does not start.
#[derive(Debug, thiserror::Error)]
pub enum VerifierError {
    /// The configuration.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// The address to listen on.
    #[error("{0}")]
    Bind(#[from] BindError),
}

impl VerifierError {
    /// Whether the process must stop: the verifier has not started.
    pub fn is_fatal(&self) -> bool {
        true
    }
}

/// A verifier that listens already and serves when told to.
#[derive(Debug)]
pub struct Service {
    server: Server,
    router: axum::Router,
}

impl Service {
    /// Checks the configuration and starts listening. Nodes are not asked: they may come later.
    pub async fn bind(config: VerifierConfig) -> Result<Self, VerifierError> {
        config.check()?;
        let limits = ServerLimits {
            connections_max: CONNECTIONS_MAX,
            connections_per_prefix_max: CONNECTIONS_MAX,
            connection_lifetime: CONNECTION_LIFETIME,
            requests_max: REQUESTS_MAX,
            body_bytes_max: BATCH_BYTES_MAX,
            body_timeout: None,
            body_idle_timeout: BODY_IDLE_TIMEOUT,
            chunked_bodies: true,
            request_timeout: None,
            shutdown_timeout: SHUTDOWN_TIMEOUT,
            ..ServerLimits::default()
        };
        let server = Server::bind(config.listen, limits, config.tls).await?;
        let guard = Guard::new(server.local_address(), &config.allowed_hosts, config.token);
        let router = routes::router(Arc::new(guard), Arc::new(config.checker));
        Ok(Self { server, router })
    }

    /// Where it listens: the port that was chosen, if 0 was asked for.
    pub fn local_address(&self) -> SocketAddr {
        self.server.local_address()
    }

    /// Serves until `stop` completes, then lets running requests end.
    pub async fn serve(self, stop: impl Future<Output = ()>) {
        self.server.serve(self.router, stop).await;
    }
}
