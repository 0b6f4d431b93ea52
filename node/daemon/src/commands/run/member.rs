//! A validator's means, read from the configuration: keys, address, peers; and read again while the node runs.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use testamur_consensus::ConsensusConfig;
use testamur_primitives::epoch::Validator;
use testamur_primitives::genesis::Genesis;
use testamur_primitives::hash::Address;
use testamur_primitives::key::SigningKey;

use crate::config::{Consensus, Keys, NodeConfig};
use crate::exit::CommandError;
use crate::keystore::{Access, Key, KeyKind, PassphraseOptions, check_directory};
use crate::node::office::{Changed, Member, Reread};
use crate::node::tcp;

/// Reads a validator's means; none for an observer. The log key comes beside them.
pub(super) fn read(
    path: &Path,
    config: &NodeConfig,
    passphrase: &PassphraseOptions,
    genesis: &Genesis,
    trust_lost_guard: bool,
) -> Result<Option<(Member, SigningKey)>, CommandError> {
    let (Some(keys), Some(consensus)) = (&config.keys, &config.consensus) else { return Ok(None) };
    let access = access(keys, passphrase)?;
    let directories = [&keys.consensus, &keys.log, &keys.peer].map(|path| path.parent().filter(|d| d.is_dir()));
    directories.into_iter().flatten().try_for_each(check_directory)?;
    let own = OwnKeys {
        consensus: Key::read(&keys.consensus, KeyKind::Consensus, &access)?,
        next_consensus: next_consensus(keys, &access)?,
        log: Key::read(&keys.log, KeyKind::Log, &access)?,
        peer: Key::read(&keys.peer, KeyKind::Peer, &access)?,
    };
    let address = own.address(keys, consensus, genesis)?;
    let named = genesis.validator_set().by_address(address).map(|validator| validator.name.clone());
    let listen = |address| tcp(address).parse().expect("an address of IP and TCP port");
    let settings = ConsensusConfig {
        origin: genesis.origin(),
        address,
        moniker: named.unwrap_or_else(|| format!("validator-{}", &address.to_string()[..8])),
        listen: listen(consensus.listen),
        gossip_listen: listen(consensus.gossip_listen),
        peers: Vec::new(),
        guard_directory: config.storage.guard.clone(),
        log_directory: config.storage.wal.clone(),
        trust_lost_guard,
    };
    let OwnKeys { consensus: key, next_consensus, log, peer } = own;
    let reread = ConfigFile { path: path.to_owned(), changed: changed(path), access };
    let member = Member {
        address,
        consensus: key,
        next_consensus,
        peer,
        settings,
        peers: consensus.peers.clone(),
        reread: Box::new(reread),
    };
    Ok(Some((member, log.into_signing())))
}

fn access(keys: &Keys, passphrase: &PassphraseOptions) -> Result<Access, CommandError> {
    let mut options = passphrase.clone();
    if options.passphrase_file.is_none() {
        options.passphrase_file.clone_from(&keys.passphrase_file);
    }
    Ok(Access { passphrase: options.read()?, insecure_dev: keys.insecure_dev })
}

fn next_consensus(keys: &Keys, access: &Access) -> Result<Option<Key>, CommandError> {
    let read = |path: &PathBuf| Key::read(path, KeyKind::Consensus, access);
    Ok(keys.next_consensus.as_ref().map(read).transpose()?)
}

struct OwnKeys {
    consensus: Key,
    next_consensus: Option<Key>,
    log: Key,
    peer: Key,
}

impl OwnKeys {
    /// The validator that the keys are of: as configured, or the one of genesis that has any of them.
    fn address(&self, keys: &Keys, consensus: &Consensus, genesis: &Genesis) -> Result<Address, CommandError> {
        if let Some(address) = consensus.address {
            return Ok(address);
        }
        let refuse = |path: &Path, what: &str| {
            CommandError::content(
                path,
                format!("{what} of network {}", genesis.origin()),
                "check `genesis` and `[keys]` in the configuration: they belong together; a validator that joined later \
                 needs its `address` in [consensus], as `testamur validator new` printed it",
            )
        };
        let set = genesis.validator_set();
        let is = |key: &Key, bytes: &[u8; 32]| key.public().as_bytes() == bytes;
        let votes = |v: &&Validator| {
            is(&self.consensus, v.consensus_key())
                || self.next_consensus.as_ref().is_some_and(|next| is(next, v.consensus_key()))
        };
        if let Some(validator) = set.validators().iter().find(votes) {
            if !is(&self.log, validator.log_key()) {
                return Err(refuse(&keys.log, &format!("not the log key of {}", validator.name)));
            }
            if !is(&self.peer, validator.peer_key()) {
                return Err(refuse(&keys.peer, &format!("not the peer key of {}", validator.name)));
            }
            return Ok(validator.address);
        }
        // After a rotation the first consensus key may be gone; the others usually stay.
        let others = |v: &&Validator| is(&self.log, v.log_key()) && is(&self.peer, v.peer_key());
        let validator = set.validators().iter().find(others);
        validator
            .map(|validator| validator.address)
            .ok_or_else(|| refuse(&keys.consensus, "not the consensus key of any validator"))
    }
}

/// The configuration file of a node that runs.
struct ConfigFile {
    path: PathBuf,
    changed: Option<SystemTime>,
    access: Access,
}

fn changed(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|file| file.modified()).ok()
}

impl Reread for ConfigFile {
    fn read(&mut self, insists: bool) -> Option<Result<Changed, String>> {
        let now = changed(&self.path);
        if !insists && now == self.changed {
            return None;
        }
        self.changed = now;
        let read = || -> Result<Changed, CommandError> {
            let config = NodeConfig::read(&self.path)?;
            let next_consensus = config.keys.as_ref().map(|keys| next_consensus(keys, &self.access)).transpose()?;
            let peers = config.consensus.map(|consensus| consensus.peers).unwrap_or_default();
            Ok(Changed { peers, next_consensus: next_consensus.flatten() })
        };
        Some(read().map_err(|error| match error.hint() {
            Some(hint) => format!("{error}; {hint}"),
            None => error.to_string(),
        }))
    }
}
