//! `testamur verifier`: diplomas verified for the programs of an office, by HTTP on this machine.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use testamur_api::server::Tls;
use testamur_verifier::check::Checker;
use testamur_verifier::guard::Token;
use testamur_verifier::{Service, VerifierConfig};

use super::diploma::source::{TrustOptions, registry};
use crate::config::Log;
use crate::exit::{CommandError, Exit};
use crate::output::Output;
use crate::profile::read_token;
use crate::service::{self, StopSignals};

/// Arguments of `verifier`.
#[derive(Debug, Args)]
#[command(after_help = "\
  curl --data-binary @diploma.pdf http://127.0.0.1:8790/v1/verify

/v1/verify/batch takes up to 1,000 files a request; /openapi.json describes everything, /v1/samples has requests with \
the answers expected. Nothing is stored and nothing of a diploma is logged. On another address than loopback it needs \
--allow-remote and a token, and should have a certificate.")]
pub(crate) struct Verifier {
    /// Where to listen
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8790")]
    listen: SocketAddr,
    /// Listen where other machines can reach it; every caller must then send the token
    #[arg(long, requires = "token_file")]
    allow_remote: bool,
    /// File whose first line every caller must send as bearer token
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// A name by which callers may address it (host or host:port); may be given several times
    #[arg(long, value_name = "HOST")]
    allow_host: Vec<String>,
    /// Certificate chain, PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Its key, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Seconds for which proofs of an issuer are used again: a revocation shows within this time
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(0..=3600))]
    proof_age: u64,
    #[command(flatten)]
    trust: TrustOptions,
    /// Stop when the process that started this one is gone
    #[arg(long, hide = true)]
    end_with_parent: bool,
}

impl Verifier {
    /// Runs the verifier.
    pub(crate) fn run(self, output: &Output) -> Result<Exit, CommandError> {
        if self.end_with_parent {
            service::end_with_parent()?;
        }
        service::forbid_core_dumps()?;
        forbid_telling_panics();
        let verifiers = self.trust.verifiers()?;
        let registry = registry(&self.trust, &verifiers)?;
        if registry.is_none() && !self.trust.offline {
            output.note(
                "no node is known: diplomas are judged by the proofs that come with them (--node URL asks the ledger)",
            );
        }
        let checker = Checker::keeping(verifiers, registry.into_iter().collect(), Duration::from_secs(self.proof_age));
        let mut config = VerifierConfig::new(self.listen, checker);
        config.allow_remote = self.allow_remote;
        config.allowed_hosts = self.allow_host;
        if let Some(path) = &self.token_file {
            let token = Token::new(&read_token(path)?).ok_or_else(|| {
                CommandError::content(path, "the token is too short to be a secret", "`openssl rand -hex 32` makes one")
            })?;
            config.token = Some(token);
        }
        if let (Some(cert), Some(key)) = (&self.tls_cert, &self.tls_key) {
            let tls = Tls::from_pem_files(cert, key);
            config.tls =
                Some(tls.map_err(|e| CommandError::failed("verifier.tls", e, "check --tls-cert and --tls-key"))?);
        }
        service::start_log(&Log::default())?;
        service::runtime()?.block_on(serve(config, output))
    }
}

/// A panic's message may hold what was being read: only its place is told.
fn forbid_telling_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        tracing::error!(place, "panicked");
    }));
}

async fn serve(config: VerifierConfig, output: &Output) -> Result<Exit, CommandError> {
    let mut signals = StopSignals::listen()?;
    let tls = config.tls.is_some();
    let service = Service::bind(config).await.map_err(|error| {
        CommandError::failed("verifier.start", error, "give --allow-remote with --token-file, or another --listen")
    })?;
    let scheme = if tls { "https" } else { "http" };
    output.line(format_args!("Verifying on {scheme}://{}", service.local_address()));
    tracing::info!(address = %service.local_address(), "the verifier is up");
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let serving = tokio::spawn(service.serve(async move {
        // An error means that the sender is gone: that is a stop as well.
        let _ = stopped.await;
    }));
    let signal = signals.recv().await;
    tracing::info!(signal, "stopping");
    let _ = stop.send(());
    tokio::select! {
        _ = serving => tracing::info!("stopped"),
        signal = signals.recv() => {
            tracing::warn!(signal, "stopped without waiting: a second signal");
            return Ok(Exit::Operational);
        }
    }
    Ok(Exit::Ok)
}
