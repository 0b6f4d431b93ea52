//! A host of the page from its configuration to its end.

use std::net::SocketAddr;

use testamur_api::server::{BindError, Server, ServerLimits, Tls};

use crate::bundle::Bundle;
use crate::limits::BODY_BYTES_MAX;
use crate::network::Network;
use crate::routes::router;

/// What a host of the page is started with.
#[derive(Debug)]
pub struct PageConfig {
    /// Where it listens; port 0 chooses one.
    pub listen: SocketAddr,
    /// TLS, if it does not stand behind something that speaks it.
    pub tls: Option<Tls>,
    /// Whether visitors come by TLS though this host does not speak it: a proxy does.
    pub behind_tls: bool,
    /// The page.
    pub bundle: Bundle,
    /// What it is configured with.
    pub network: Network,
}

/// Why a page is not served.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// The address to listen on.
    #[error("{0}")]
    Bind(#[from] BindError),
}

/// A host that listens already and serves when told to.
#[derive(Debug)]
pub struct Service {
    server: Server,
    router: axum::Router,
}

impl Service {
    /// Starts listening. Nodes are not asked: visitors' browsers do that.
    pub async fn bind(config: PageConfig) -> Result<Self, PageError> {
        let PageConfig { listen, tls, behind_tls, bundle, network } = config;
        let https = tls.is_some() || behind_tls;
        let limits = ServerLimits { body_bytes_max: BODY_BYTES_MAX, ..ServerLimits::default() };
        let server = Server::bind(listen, limits, tls).await?;
        Ok(Self { server, router: router(&bundle, &network, https) })
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
