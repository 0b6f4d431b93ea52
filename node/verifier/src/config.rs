//! What a verifier is started with.

use std::net::SocketAddr;

use testamur_api::hosts::Hosts;
use testamur_api::server::Tls;

use crate::check::Checker;
use crate::guard::Token;
use crate::limits::HOSTS_MAX;

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Reachable from other machines without being told so, or without a token.
    #[error(
        "{0} can be reached from other machines: the verifier does that only when it is told to, and with a token that \
         every caller must send"
    )]
    Remote(SocketAddr),
    /// A host that is no `host` or `host:port`.
    #[error("allowed host {0:?} is not host or host:port, in lower case")]
    Host(String),
    /// Too many hosts.
    #[error("at most {HOSTS_MAX} allowed hosts")]
    Hosts,
}

/// A verifier's configuration.
#[derive(Debug)]
pub struct VerifierConfig {
    /// Where it listens; port 0 chooses one.
    pub listen: SocketAddr,
    /// Whether it may be reached from other machines.
    pub allow_remote: bool,
    /// TLS, if it does not stand behind something that speaks it.
    pub tls: Option<Tls>,
    /// Names by which callers may address it (`host` or `host:port`), besides those that follow from `listen`.
    pub allowed_hosts: Vec<String>,
    /// What every caller must send; on loopback none is needed.
    pub token: Option<Token>,
    /// What judges.
    pub checker: Checker,
}

impl VerifierConfig {
    /// Loopback, without TLS, token and further hosts.
    pub fn new(listen: SocketAddr, checker: Checker) -> Self {
        Self { listen, allow_remote: false, tls: None, allowed_hosts: Vec::new(), token: None, checker }
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        // INV-VERIFIER-1: who can reach it from elsewhere needs a token.
        let may_be_reached = self.allow_remote && self.token.is_some();
        if !self.listen.ip().is_loopback() && !may_be_reached {
            return Err(ConfigError::Remote(self.listen));
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
