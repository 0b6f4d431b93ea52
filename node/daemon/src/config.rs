//! The config.toml of a node: read, checked, and with every path made absolute.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use testamur_client::limits::NODES_MAX;
use testamur_primitives::hash::Address;

use crate::exit::CommandError;
use crate::files;
use crate::limits::{CONFIG_BYTES_MAX, FREE_BYTES_MIN};

/// A node's configuration. One without `[keys]` and `[consensus]` is a pure observer's.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NodeConfig {
    /// The network's genesis.
    pub(crate) genesis: PathBuf,
    /// Where data lies.
    pub(crate) storage: Storage,
    /// A validator's keys.
    pub(crate) keys: Option<Keys>,
    /// The public API.
    pub(crate) api: Api,
    /// The operator's listener.
    pub(crate) admin: Listen,
    /// Consensus and record gossip.
    pub(crate) consensus: Option<Consensus>,
    /// Nodes to follow while this one does not vote.
    #[serde(default)]
    pub(crate) follow: Follow,
    /// The log of the process.
    #[serde(default)]
    pub(crate) log: Log,
}

/// `[storage]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Storage {
    /// The ledger.
    pub(crate) data: PathBuf,
    /// The double-sign guard of a validator; outside every backup.
    #[serde(default = "guard")]
    pub(crate) guard: PathBuf,
    /// The engine's log.
    #[serde(default = "wal")]
    pub(crate) wal: PathBuf,
    /// Free disk below which no more records are taken.
    #[serde(default = "free_bytes_min")]
    pub(crate) free_bytes_min: u64,
}

fn free_bytes_min() -> u64 {
    FREE_BYTES_MIN
}

fn guard() -> PathBuf {
    "guard".into()
}

fn wal() -> PathBuf {
    "wal".into()
}

/// `[keys]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Keys {
    /// Votes.
    pub(crate) consensus: PathBuf,
    /// A second key for votes, while a rotation is under way: the one that the validator set names is used.
    pub(crate) next_consensus: Option<PathBuf>,
    /// Signatures on checkpoints.
    pub(crate) log: PathBuf,
    /// Identity among peers.
    pub(crate) peer: PathBuf,
    /// File whose first line is the passphrase.
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Whether unencrypted keys are accepted.
    #[serde(default)]
    pub(crate) insecure_dev: bool,
}

/// `[api]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Api {
    /// Where it listens.
    pub(crate) listen: SocketAddr,
    /// Certificate chain, PEM.
    pub(crate) tls_cert: Option<PathBuf>,
    /// Its key, PEM.
    pub(crate) tls_key: Option<PathBuf>,
    /// Where clients reach it from outside.
    pub(crate) public_url: Option<String>,
    /// Where the network's operators publish the trust file.
    pub(crate) trust_file_url: Option<String>,
}

/// An address to listen on.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Listen {
    /// Where it listens.
    pub(crate) listen: SocketAddr,
}

/// `[consensus]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Consensus {
    /// Where the engine listens.
    pub(crate) listen: SocketAddr,
    /// Where record gossip listens.
    pub(crate) gossip_listen: SocketAddr,
    /// The validator's address (hash of its first registration); found by its keys when they are those of genesis.
    pub(crate) address: Option<Address>,
    /// The other validators.
    #[serde(default)]
    pub(crate) peers: Vec<Peer>,
}

/// `[[consensus.peers]]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Peer {
    /// Name of the validator's key, as in genesis.
    pub(crate) name: String,
    /// Its consensus listener.
    pub(crate) consensus: SocketAddr,
    /// Its record gossip listener.
    pub(crate) gossip: SocketAddr,
}

/// `[follow]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Follow {
    /// Addresses of their APIs, the preferred first.
    #[serde(default)]
    pub(crate) nodes: Vec<String>,
    /// Root certificates (PEM) that are trusted besides the system's.
    pub(crate) ca: Option<PathBuf>,
}

/// `[log]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Log {
    /// `text` or `json`.
    #[serde(default)]
    pub(crate) format: LogFormat,
    /// What is logged, in the syntax of RUST_LOG; RUST_LOG itself goes first.
    pub(crate) filter: Option<String>,
}

/// Form of log lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Reads a TOML file.
pub(crate) fn read_toml<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<T, CommandError> {
    let bytes = files::read_at_most(path, CONFIG_BYTES_MAX)?;
    let refuse = |reason: String| CommandError::content(path, reason, "correct the configuration file");
    let text = std::str::from_utf8(&bytes).map_err(|_| refuse("not UTF-8".into()))?;
    toml::from_str(text).map_err(|error| refuse(error.to_string().trim_end().to_owned()))
}

impl NodeConfig {
    /// Reads a node's configuration; relative paths are relative to the file.
    pub(crate) fn read(path: &Path) -> Result<Self, CommandError> {
        let mut config: Self = read_toml(path)?;
        let base = path.parent().unwrap_or(Path::new("")).to_owned();
        let resolve = |path: &mut PathBuf| *path = base.join(&*path);
        resolve(&mut config.genesis);
        let Storage { data, guard, wal, .. } = &mut config.storage;
        [data, guard, wal].into_iter().for_each(resolve);
        if let Some(keys) = &mut config.keys {
            [&mut keys.consensus, &mut keys.log, &mut keys.peer].into_iter().for_each(resolve);
            [&mut keys.passphrase_file, &mut keys.next_consensus].into_iter().flatten().for_each(resolve);
        }
        let optional = [&mut config.api.tls_cert, &mut config.api.tls_key, &mut config.follow.ca];
        optional.into_iter().flatten().for_each(resolve);
        if config.keys.is_some() != config.consensus.is_some() {
            let reason = "[keys] and [consensus] go together";
            return Err(CommandError::content(path, reason, "give both for a validator, none for an observer"));
        }
        if config.keys.is_none() && config.follow.nodes.is_empty() {
            let hint = "give both for a validator; for an observer, name the nodes it follows: \
                        [follow] nodes = [\"https://node-1.example\"]";
            return Err(CommandError::content(path, "there is neither [keys] with [consensus] nor [follow]", hint));
        }
        if config.follow.nodes.len() > NODES_MAX {
            let reason = format!("follow.nodes names more than {NODES_MAX} nodes");
            return Err(CommandError::content(path, reason, "name a few that different operators run"));
        }
        if config.api.tls_cert.is_some() != config.api.tls_key.is_some() {
            return Err(CommandError::content(path, "api.tls_cert and api.tls_key go together", "give both or none"));
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::layout::{Ports, node_config};

    #[test]
    fn what_init_writes_is_read_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.toml");
        let ports = Ports { host: "127.0.0.1".parse().unwrap(), base: 8080 };
        let names: Vec<_> = (0..4).map(|i| format!("validator-{i}.dev.example")).collect();
        for insecure in [true, false] {
            std::fs::write(&path, node_config(&ports, &names, 2, insecure)).unwrap();
            let config = NodeConfig::read(&path).unwrap();
            assert_eq!(config.api.listen.port(), 8082);
            assert_eq!(config.admin.listen.port(), 9082);
            let (consensus, keys) = (config.consensus.unwrap(), config.keys.unwrap());
            assert_eq!(consensus.peers.len(), 3);
            assert_eq!(consensus.peers[2].gossip.port(), 7183);
            assert_eq!(keys.insecure_dev, insecure);
            assert_eq!(config.storage.data, directory.path().join("data"));
        }
    }

    #[test]
    fn a_misspelt_or_missing_entry_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.toml");
        let ports = Ports { host: "127.0.0.1".parse().unwrap(), base: 8080 };
        let good = node_config(&ports, &["a".into(), "b".into()], 0, true);
        for (from, to, message) in [
            ("[admin]", "[admim]", "admim"),
            ("listen = \"127.0.0.1:8080\"", "listen = \"localhost\"", "invalid socket address"),
            ("genesis = \"../genesis.json\"", "", "genesis"),
            ("# tls_cert", "tls_cert", "go together"),
        ] {
            std::fs::write(&path, good.replacen(from, to, 1)).unwrap();
            let error = NodeConfig::read(&path).unwrap_err().to_string();
            assert!(error.contains(message), "{message:?} is missing in {error}");
        }
    }
}
