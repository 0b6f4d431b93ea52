//! What long-running commands share: a log, a runtime, signals, and a process that leaves no secrets behind.

use std::ffi::OsString;
use std::io::IsTerminal as _;

use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};
use crate::exit::CommandError;
use crate::limits::{ALLOCATOR, DESCRIPTORS_MAX, DESCRIPTORS_MIN};

/// What is logged when nobody says otherwise: our own events, and of libraries what went wrong. The engine's network
/// tells every failed dial and every lost connection, several lines a second while a peer is away (`/readyz` names who
/// is away); its actors complain when the node's own code restarts the engine to begin voting.
const FILTER: &str = "warn,testamur=info,testamur_store=info,testamur_consensus=info,testamur_api=info,\
                      testamur_gateway=info,testamur_verifier=info,arc_malachitebft_network=off,arc_malachitebft_discovery=off,\
                      arc_malachitebft_engine::node=error,arc_malachitebft_engine::util::ticker=off";

/// For the environment of a node that this program starts: what its allocator keeps. What the caller's environment says is
/// kept.
pub(crate) fn allocator() -> [(&'static str, OsString); 3] {
    ALLOCATOR.map(|(name, value)| (name, std::env::var_os(name).unwrap_or_else(|| value.into())))
}

/// Starts the log on stderr. RUST_LOG goes before the configuration.
pub(crate) fn start_log(log: &Log) -> Result<(), CommandError> {
    let wanted = std::env::var("RUST_LOG").ok().filter(|f| !f.is_empty()).or_else(|| log.filter.clone());
    let filter = EnvFilter::try_new(wanted.as_deref().unwrap_or(FILTER))
        .map_err(|e| CommandError::failed("log.filter", e, "correct log.filter or RUST_LOG"))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match log.format {
        LogFormat::Json => builder.json().init(),
        LogFormat::Text => builder.with_ansi(std::io::stderr().is_terminal()).init(),
    }
    Ok(())
}

/// No core dump holds a key.
pub(crate) fn forbid_core_dumps() -> Result<(), CommandError> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })
        .map_err(|e| CommandError::failed("process.core", format!("core dumps cannot be turned off: {e}"), ""))
}

/// As many descriptors as the system's administrator allows. Most systems give a process 1,024 to begin with and more if
/// it asks: with those, strangers' connections (`CONNECTIONS_MAX` of the API) would leave none for the database's next
/// file, which is a failed write and the end of the process.
pub(crate) fn raise_descriptors() {
    let allowed = getrlimit(Resource::Nofile);
    let wanted = allowed.maximum.map_or(DESCRIPTORS_MAX, |most| most.min(DESCRIPTORS_MAX));
    let now = allowed.current.unwrap_or(u64::MAX);
    if now < wanted
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), ..allowed })
    {
        tracing::warn!(%error, now, wanted, "the limit of open files cannot be raised");
    }
    if now.max(wanted) < DESCRIPTORS_MIN {
        tracing::warn!(
            wanted,
            needed = DESCRIPTORS_MIN,
            "too few open files are allowed: many connections would stop this node. Raise the hard limit (LimitNOFILE=)"
        );
    }
}

/// Has the system stop this process when its parent is gone, however it went.
pub(crate) fn end_with_parent() -> Result<(), CommandError> {
    rustix::process::set_parent_process_death_signal(Some(Signal::TERM))
        .map_err(|e| CommandError::failed("process.parent", format!("cannot follow the parent process: {e}"), ""))
}

/// The runtime of a long-running command.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, CommandError> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| CommandError::failed("process.runtime", format!("the runtime does not start: {e}"), ""))
}

/// Waits for SIGTERM or SIGINT.
pub(crate) struct StopSignals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl StopSignals {
    /// Starts to listen: from here on the signals no longer end the process by themselves.
    pub(crate) fn listen() -> Result<Self, CommandError> {
        let listen = |kind| {
            signal(kind)
                .map_err(|e| CommandError::failed("process.signals", format!("cannot listen to signals: {e}"), ""))
        };
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    /// The next of them.
    pub(crate) async fn recv(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
