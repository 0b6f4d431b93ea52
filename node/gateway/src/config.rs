//! What a gateway is started with.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use testamur_api::hosts::Hosts;
use testamur_api::server::Tls;
use testamur_client::author::AuthorKey;
use testamur_client::limits::FINAL_TIMEOUT;
use testamur_primitives::trust::TrustFile;

use crate::diplomas::Desk;
use crate::limits::{BATCH_WINDOW_DEFAULT, BATCH_WINDOW_MAX, HOSTS_MAX, QUEUE_DOCUMENTS_MAX};
use crate::store::Store;
use crate::tokens::Tokens;
use crate::webhook::Webhook;

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// No token at all.
    #[error("the gateway has no token: nobody could call it; make one first")]
    NoToken,
    /// A webhook, and nothing that could be told.
    #[error("a webhook needs the archive of receipts: give the gateway one")]
    Webhook,
    /// Too long a window.
    #[error("the batch window is at most {} s", BATCH_WINDOW_MAX.as_secs())]
    Window,
    /// A host that is no `host` or `host:port`.
    #[error("allowed host {0:?} is not host or host:port, in lower case")]
    Host(String),
    /// Too many hosts.
    #[error("at most {HOSTS_MAX} allowed hosts")]
    Hosts,
}

/// Where backups of the archive are written, while the gateway goes on.
#[derive(Debug, Clone)]
pub struct Backups {
    /// The directory: each backup is a new file in it. Best on another disk.
    pub directory: PathBuf,
    /// The file with the archive's key, under its passphrase; copied beside each backup.
    pub key_file: Option<PathBuf>,
}

/// A gateway's configuration. `Debug` shows neither keys nor tokens.
pub struct GatewayConfig {
    /// Where it listens; port 0 chooses one.
    pub listen: SocketAddr,
    /// TLS, if it does not stand behind something that speaks it.
    pub tls: Option<Tls>,
    /// Names by which callers may address it (`host` or `host:port`), besides those that follow from `listen`.
    pub allowed_hosts: Vec<String>,
    /// Addresses of nodes, in order of preference.
    pub nodes: Vec<String>,
    /// PEM files' contents with root certificates for nodes, besides the operating system's.
    pub node_roots_pem: Vec<Vec<u8>>,
    /// The author's key, wherever it lives.
    pub author: Box<dyn AuthorKey>,
    /// Who may call.
    pub tokens: Tokens,
    /// The file that the tokens are from: what is changed in it holds within seconds, without a restart. When each token was used last
    /// is noted beside it, under its name and `.used`.
    pub tokens_file: Option<PathBuf>,
    /// The network, and what its receipts are verified with.
    pub trust: Arc<TrustFile>,
    /// How long a request waits for others to share its record.
    pub batch_window: Duration,
    /// How long a record is waited for to be final.
    pub final_timeout: Duration,
    /// The archive of receipts. Without one nothing is kept between requests: no queue, no ids, no idempotency keys.
    pub store: Option<Store>,
    /// Where `POST /v1/backups` writes.
    pub backups: Option<Backups>,
    /// Who is told of what settles without anybody waiting: needs the archive.
    pub webhook: Option<Webhook>,
    /// Documents that the queue takes at most.
    pub queue_documents_max: u64,
    /// The university's desk, if diplomas are issued here.
    pub desk: Option<Desk>,
}

impl core::fmt::Debug for GatewayConfig {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "GatewayConfig({}, …)", self.listen)
    }
}

impl GatewayConfig {
    /// A configuration with the default times, no TLS and no further hosts.
    pub fn new(
        listen: SocketAddr,
        nodes: Vec<String>,
        author: impl AuthorKey + 'static,
        tokens: Tokens,
        trust: TrustFile,
    ) -> Self {
        Self {
            listen,
            tls: None,
            allowed_hosts: Vec::new(),
            nodes,
            node_roots_pem: Vec::new(),
            author: Box::new(author),
            tokens,
            tokens_file: None,
            trust: Arc::new(trust),
            batch_window: BATCH_WINDOW_DEFAULT,
            final_timeout: FINAL_TIMEOUT,
            store: None,
            backups: None,
            webhook: None,
            queue_documents_max: QUEUE_DOCUMENTS_MAX,
            desk: None,
        }
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        if self.tokens.entries().is_empty() {
            return Err(ConfigError::NoToken);
        }
        if self.webhook.is_some() && self.store.is_none() {
            return Err(ConfigError::Webhook);
        }
        if self.batch_window > BATCH_WINDOW_MAX {
            return Err(ConfigError::Window);
        }
        if self.allowed_hosts.len() > HOSTS_MAX {
            return Err(ConfigError::Hosts);
        }
        match self.allowed_hosts.iter().find(|host| !Hosts::is_name(host)) {
            Some(host) => Err(ConfigError::Host(host.clone())),
            None => Ok(()),
        }
    }
}
