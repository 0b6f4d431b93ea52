//! `testamur validator`: the keys of a validator that joins a running network, and of one that changes its key.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Serialize;
use testamur_client::node::{Connections, Node};
use testamur_primitives::did::Did;
use testamur_primitives::epoch::Validator;
use testamur_primitives::genesis::GenesisValidator;
use testamur_primitives::hash::Address;
use testamur_primitives::units::UnixTime;

use crate::commands::init::TERM_S;
use crate::commands::key::ProtectionOptions;
use crate::config::{Keys, NodeConfig};
use crate::exit::{CommandError, Exit};
use crate::files;
use crate::keystore::{Access, Key, KeyKind};
use crate::networks;
use crate::output::{Output, Tone, now, parse_time};
use crate::service;
use crate::setup::layout::{Listeners, joined_config, member_config};
use crate::setup::registration::Registration;
use crate::setup::{LegalPerson, key_path};

/// Subcommands of `validator`.
#[derive(Debug, Subcommand)]
pub(crate) enum ValidatorCommand {
    /// Make the keys, the registration and the configuration of a validator that is to join a network
    New(Box<New>),
    /// Make a new consensus key for a validator in office, and the registration that governance puts in force
    Rotate(Rotate),
}

/// Arguments of `validator new`.
#[derive(Debug, Args)]
#[command(after_help = "\
What follows: the operator starts the node (`testamur run --config DIR/config.toml`); it catches up as an observer. The \
network's operators propose and approve validator.json (`testamur governance propose`). The node then says by itself \
that it is synced, and votes from the height on that the change names. Nothing is restarted.")]
pub(crate) struct New {
    /// Directory for keys/, guard/, validator.json, config.toml and genesis.json
    #[arg(long)]
    dir: PathBuf,
    /// The network: its trust file, or the name of an installed one
    #[arg(long, value_name = "FILE|NAME")]
    trust: String,
    /// Name of the validator's key, such as validator-5.justice.example; no validator may ever have had it
    #[arg(long)]
    name: String,
    /// Who runs it
    #[arg(long, value_name = "NAME,CC")]
    operator: LegalPerson,
    /// DID of who runs it
    #[arg(long)]
    did: Did,
    /// Until when its keys are in office [default: three years from now]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    not_after: Option<UnixTime>,
    /// APIs of nodes to follow until it votes, and whenever it does not
    #[arg(long = "node", value_name = "URL", required = true)]
    nodes: Vec<String>,
    #[command(flatten)]
    listeners: Listeners,
    /// Where consensus listens
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:7080")]
    consensus: SocketAddr,
    /// Where record gossip listens
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:7180")]
    gossip: SocketAddr,
    #[command(flatten)]
    protection: ProtectionOptions,
}

/// Arguments of `validator rotate`.
#[derive(Debug, Args)]
#[command(after_help = "\
The old key stays in use until the height that the change names. Add the line that is printed to [keys] of config.toml \
(it is read while the node runs), have rotation.json proposed and approved (`testamur governance propose`), and destroy \
the old key when the node says that the new one votes.")]
pub(crate) struct Rotate {
    /// The node's config.toml
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Where to write what governance is asked for [default: rotation.json beside config.toml]
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// API that says how the validator is registered now [default: the node's own]
    #[arg(long, value_name = "URL")]
    node: Option<String>,
    /// Until when its keys are in office [default: three years from now]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    not_after: Option<UnixTime>,
    #[command(flatten)]
    protection: ProtectionOptions,
}

/// A rotation as governance takes it.
#[derive(Debug, Serialize)]
struct Rotation {
    validator: Address,
    #[serde(flatten)]
    registered: GenesisValidator,
}

impl ValidatorCommand {
    /// Runs the subcommand.
    pub(crate) fn run(self, output: &Output) -> Result<Exit, CommandError> {
        match self {
            Self::New(new) => new.run(output),
            Self::Rotate(rotate) => rotate.run(output),
        }
    }
}

fn term(not_after: Option<UnixTime>) -> Result<UnixTime, CommandError> {
    not_after.map_or_else(|| Ok(UnixTime(now()?.0 + TERM_S)), Ok)
}

/// JSON, spaced for people to read.
fn pretty(value: &impl Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(value).expect("a registration is JSON");
    text.push(b'\n');
    text
}

impl New {
    fn run(self, output: &Output) -> Result<Exit, CommandError> {
        let trust = networks::given(&self.trust)?.trust;
        for node in &self.nodes {
            Node::new(node, &Connections::default()).map_err(|e| CommandError::Usage(e.to_string()))?;
        }
        let protection = self.protection.protection()?;
        let registration = Registration {
            name: self.name,
            operator: self.operator,
            did: Some(self.did),
            not_after: term(self.not_after)?,
        };
        let made = registration.write_keys(&self.dir.join("keys"), &self.dir.join("guard"), &protection)?;
        let address = made.registration.address();
        let member = member_config(address, self.consensus, self.gossip, self.protection.insecure_dev);
        let config = joined_config(&self.listeners, "data", &self.nodes, &member);
        files::create(&self.dir.join("genesis.json"), &pretty(trust.genesis()), 0o644)?;
        files::create(&self.dir.join("config.toml"), config.as_bytes(), 0o600)?;
        // Last: who has this file has all the others.
        files::create(&self.dir.join("validator.json"), &pretty(&made), 0o644)?;
        let dir = self.dir.display();
        output.result(&made, || {
            format!(
                "{} {}\n  address       {address}\n  network       {}\n  \
                 validator     {dir}/validator.json (public: for the operators' proposal)\n  \
                 keys          {dir}/keys (keep an encrypted backup; never run two processes with them)\n  \
                 guard         {dir}/guard (what the key has signed: never copied, never restored)\n  \
                 config        {dir}/config.toml: add the other validators under [[consensus.peers]]\n\n\
                 Start it now, it catches up first: testamur run --config {dir}/config.toml",
                output.paint(Tone::Good, "Made the keys of"),
                made.registration.name,
                trust.origin(),
            )
        });
        Ok(Exit::Ok)
    }
}

impl Rotate {
    fn run(self, output: &Output) -> Result<Exit, CommandError> {
        let config = NodeConfig::read(&self.config)?;
        let keys = config.keys.as_ref().ok_or_else(|| {
            CommandError::content(&self.config, "an observer has no keys to rotate", "name a validator's config.toml")
        })?;
        let access = self.access(keys)?;
        let read = |path: &Path, kind| Key::read(path, kind, &access);
        let (log, peer) = (read(&keys.log, KeyKind::Log)?, read(&keys.peer, KeyKind::Peer)?);
        let old = read(&keys.consensus, KeyKind::Consensus)?;
        if let Some(next) = &keys.next_consensus {
            return Err(CommandError::content(
                &self.config,
                format!("keys.next_consensus is {} already: a rotation is under way", next.display()),
                "when the new key votes, make it keys.consensus and take keys.next_consensus out; then rotate again",
            ));
        }
        let url = self.node.clone().unwrap_or_else(|| own_url(&config));
        let current = current(&url, &old)?;
        let registration = Registration {
            name: current.name.clone(),
            operator: LegalPerson { name: current.operator.clone(), country: current.country.clone() },
            did: Some(current.did.clone()),
            not_after: term(self.not_after)?,
        };
        let out = self.out.clone().unwrap_or_else(|| self.config.with_file_name("rotation.json"));
        let directory = keys.consensus.parent().unwrap_or(Path::new("."));
        let path = (2..).map(|number| key_path_numbered(directory, number)).find(|path| !path.exists());
        let path = path.expect("some number is free");
        let key = Key::generate(KeyKind::Consensus)?;
        let registered = registration.register(&key, &log, &peer, Some(current.address));
        let rotation = Rotation { validator: current.address, registered };
        key.write(&path, &self.protection.protection()?)?;
        files::create(&out, &pretty(&rotation), 0o644)?;
        output.result(&rotation, || {
            format!(
                "{} {}\n  address   {} (stays)\n  new key   {}\n  rotation  {} (public: for the operators' proposal)\n\n\
                 Add to [keys] in {}, and to [consensus] if it is not there:\n  next_consensus = \"{}\"\n  \
                 address = \"{}\"",
                output.paint(Tone::Good, "Made a new consensus key for"),
                current.name,
                current.address,
                path.display(),
                out.display(),
                self.config.display(),
                relative(&path, &self.config),
                current.address,
            )
        });
        Ok(Exit::Ok)
    }

    fn access(&self, keys: &Keys) -> Result<Access, CommandError> {
        if keys.insecure_dev {
            return Ok(Access { passphrase: None, insecure_dev: true });
        }
        Ok(Access { passphrase: Some(self.protection.passphrase.require()?), insecure_dev: false })
    }
}

fn key_path_numbered(directory: &Path, number: u32) -> PathBuf {
    key_path(directory, KeyKind::Consensus).with_file_name(format!("consensus-{number}.key"))
}

/// A path as config.toml would name it.
fn relative(path: &Path, config: &Path) -> String {
    let base = config.parent().unwrap_or(Path::new(""));
    path.strip_prefix(base).unwrap_or(path).display().to_string()
}

fn own_url(config: &NodeConfig) -> String {
    let scheme = if config.api.tls_cert.is_some() { "https" } else { "http" };
    config.api.public_url.clone().unwrap_or_else(|| format!("{scheme}://{}", config.api.listen))
}

/// The validator of this key in the set in force, as a node tells it. A wrong answer leads to a proposal that the
/// ledger refuses.
fn current(url: &str, key: &Key) -> Result<Validator, CommandError> {
    let unreachable = |error| {
        CommandError::failed(
            "validator.node",
            error,
            "start the node, or name another with --node; its set is asked for",
        )
    };
    let node = Node::new(url, &Connections::default()).map_err(unreachable)?;
    let validators = service::runtime()?.block_on(node.validators()).map_err(unreachable)?;
    let found = validators.into_iter().find(|v| v.keys.iter().any(|k| k.key.0 == key.public().as_bytes()));
    found.ok_or_else(|| {
        CommandError::failed(
            "validator.not-in-office",
            format!("the key {} is of no validator in office", key.did()),
            "only a validator in office rotates its key; a candidate makes new keys with `testamur validator new`",
        )
    })
}
