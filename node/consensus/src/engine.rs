//! Starts and stops the engine.
//!
//! It runs in one of two ways. As a *signer* it votes at every height whose set names this validator, and follows at all
//! others: so a scheduled validator enters office, one that leaves goes, and a key is rotated, in the same engine, without
//! a restart. As a *follower* it has an address that is in no set, and never asks for a signature; it is run so while the
//! guard is not settled, while it catches up, and while the set names a key that is not held.
//!
//! The proof of validator that it sends to each peer once is made by the key that is named at its start, and stays when the
//! key is rotated. It is a label, by which peers would choose whom to connect to if there were not room for all.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, RwLock};
use std::time::{Duration, Instant};

use arc_malachitebft_app_channel::app::config::NodeConfig;
use arc_malachitebft_app_channel::app::engine::network::NetworkRef;
use arc_malachitebft_app_channel::app::engine::util::events::Event;
use arc_malachitebft_app_channel::app::events::RxEvent;
use arc_malachitebft_app_channel::app::metrics::SharedRegistry;
use arc_malachitebft_app_channel::app::types::codec::Codec as _;
use arc_malachitebft_app_channel::spawn::spawn_network_actor;
use arc_malachitebft_app_channel::{
    Channels, ConsensusContext, EngineBuilder, EngineHandle, NetworkIdentity, RequestContext, SyncContext, WalContext,
};
use arc_malachitebft_config as config;
use arc_malachitebft_signing::Signer as _;
use libp2p::Multiaddr;
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use testamur_primitives::genesis::Origin;
use testamur_primitives::hash::Address;
use tokio::task::JoinHandle;

use crate::codec::WireCodec;
use crate::context::{EngineAddress, Network};
use crate::error::ConsensusError;
use crate::guard::{Guard, GuardError};
use crate::heard::Heard;
use crate::limits::{
    CONNECTIONS_PER_IP_MAX, ENGINE_STOP_MAX, LISTEN_WAIT, PEERS_MAX, SYNC_BATCH, SYNC_REQUEST_TIMEOUT,
    SYNC_RESPONSE_BYTES_MAX, SYNC_STATUS_INTERVAL,
};
use crate::peers::{Peers, engine_addresses, keep_engine};
use crate::sets::{Keyring, Sets};
use crate::signer::{GuardedSigner, SeenProposals, StrictVerifier, SyncLog};
use crate::wake::Wake;
use crate::watch::Watch;

/// File name of the engine's log.
const LOG_FILE: &str = "engine.wal";
/// The engine's log begins with its version (4 bytes, big-endian) and the height that it is about (8).
const LOG_HEADER_BYTES: usize = 12;
const LOG_VERSION: [u8; 4] = 1u32.to_be_bytes();

/// All that the engine is started with.
#[derive(Clone)]
pub(crate) struct EngineSettings {
    pub(crate) origin: Origin,
    pub(crate) moniker: String,
    pub(crate) address: Address,
    pub(crate) keys: Arc<Keyring>,
    pub(crate) keypair: Keypair,
    pub(crate) listen: Multiaddr,
    pub(crate) peers: Arc<Peers>,
    pub(crate) log_directory: PathBuf,
    pub(crate) guard: Arc<Guard>,
    pub(crate) wake: Arc<Wake>,
    pub(crate) sets: Arc<RwLock<Sets>>,
    pub(crate) watch: Arc<Watch>,
    pub(crate) heard: Arc<Heard>,
    pub(crate) on_guard_failure: Arc<dyn Fn(GuardError) + Send + Sync>,
}

/// A running engine.
pub(crate) struct Engine {
    pub(crate) channels: Channels<Network>,
    /// Whether it signs where a set names this validator.
    pub(crate) signs: bool,
    handle: EngineHandle,
    network: NetworkRef<Network>,
    events: RxEvent<Network>,
    keeper: JoinHandle<()>,
}

#[derive(Clone)]
struct Config {
    moniker: String,
    consensus: config::ConsensusConfig,
    value_sync: config::ValueSyncConfig,
}

impl NodeConfig for Config {
    fn moniker(&self) -> &str {
        &self.moniker
    }
    fn consensus(&self) -> &config::ConsensusConfig {
        &self.consensus
    }
    fn consensus_mut(&mut self) -> &mut config::ConsensusConfig {
        &mut self.consensus
    }
    fn value_sync(&self) -> &config::ValueSyncConfig {
        &self.value_sync
    }
    fn value_sync_mut(&mut self) -> &mut config::ValueSyncConfig {
        &mut self.value_sync
    }
}

impl EngineSettings {
    fn config(&self, peers: Vec<Multiaddr>) -> Config {
        let connections = 2 * PEERS_MAX + 16;
        let discovery = config::DiscoveryConfig {
            enabled: false,
            num_outbound_peers: connections,
            num_inbound_peers: connections,
            max_connections_per_ip: CONNECTIONS_PER_IP_MAX,
            ..config::DiscoveryConfig::default()
        };
        let consensus = config::ConsensusConfig {
            enabled: true,
            p2p: config::P2pConfig {
                listen_addr: self.listen.clone(),
                persistent_peers: peers,
                persistent_peers_only: true,
                discovery,
                ..config::P2pConfig::default()
            },
            ..config::ConsensusConfig::default()
        };
        let value_sync = config::ValueSyncConfig {
            status_update_interval: SYNC_STATUS_INTERVAL,
            request_timeout: SYNC_REQUEST_TIMEOUT,
            max_response_size: SYNC_RESPONSE_BYTES_MAX.to_string().parse().expect("a number of bytes"),
            batch_size: SYNC_BATCH,
            ..config::ValueSyncConfig::default()
        };
        Config { moniker: metrics_label(&self.moniker), consensus, value_sync }
    }

    /// Starts the engine, as a signer (if a key is held that a set names) or as a follower.
    pub(crate) async fn start(&self, signs: bool) -> Result<Engine, ConsensusError> {
        let failed = |error: &dyn std::fmt::Display| ConsensusError::EngineStart(error.to_string());
        wait_until_free(&self.listen).await?;
        wait_until_unlocked(&self.log_directory.join(LOG_FILE)).await?;
        self.move_unreadable_log_aside()?;
        let codec = WireCodec::new(Arc::clone(&self.wake), Arc::clone(&self.sets)).watched(Arc::clone(&self.watch));
        let seen = Arc::new(SeenProposals::telling(Arc::clone(&self.heard)));
        let verifier = Box::new(StrictVerifier::new(self.origin.clone(), Arc::clone(&self.sets), Arc::clone(&seen)));
        let shown = self.keys.to_show().filter(|_| signs);
        let signs = shown.is_some();
        let (identity, context) = if let Some(key) = shown {
            let signer = GuardedSigner::new(
                self.origin.clone(),
                self.address,
                Arc::clone(&self.keys),
                Arc::clone(&self.guard),
                seen,
                Arc::clone(&self.on_guard_failure),
            )
            .with_log(self.log_syncer())
            .watched(Arc::clone(&self.watch));
            let public_key = key.public_key().as_bytes().to_vec();
            let peer = self.keypair.public().to_peer_id().to_bytes();
            let proof = signer.sign_validator_proof(public_key, peer).await.map_err(|e| failed(&e))?;
            let proof = codec.encode(&proof).map_err(|e| failed(&e))?;
            let address = self.address.to_string();
            let identity = NetworkIdentity::new_validator(self.moniker.clone(), self.keypair.clone(), address, proof);
            let context = ConsensusContext::new_validator(EngineAddress(self.address), verifier, Box::new(signer));
            (identity, context)
        } else {
            // An address that is in no set: the engine then never asks for a signature (INV-GUARD-5).
            let context = ConsensusContext::new_full_node(EngineAddress(Address::ZERO), verifier);
            (NetworkIdentity::new(self.moniker.clone(), self.keypair.clone(), None), context)
        };
        let table = self.peers.watch();
        let addresses = engine_addresses(&table.borrow());
        let config = self.config(addresses.clone());
        let registry = SharedRegistry::global().with_moniker(config.moniker.as_str());
        let started = spawn_network_actor(identity, &config.consensus, &config.value_sync, &registry, codec.clone());
        let (network, parts) = started.await.map_err(|e| failed(&format!("{e:#}")))?;
        #[cfg(not(feature = "faults"))]
        let front = network.clone();
        #[cfg(feature = "faults")]
        let front = self.behind_lies(network.clone()).await.map_err(|e| failed(&e))?;
        let built = EngineBuilder::new(Network, config)
            .with_default_wal(WalContext::new(self.log_directory.join(LOG_FILE), codec.clone()))
            .with_custom_network(front, parts)
            .with_default_sync(SyncContext::new(codec))
            .with_default_consensus(context)
            .with_default_request(RequestContext::new(16))
            .build()
            .await;
        let (channels, handle) = match built {
            Ok(built) => built,
            Err(error) => {
                network.stop(None);
                return Err(failed(&format!("{error:#}")));
            }
        };
        // The engine syncs its log and not the log's name: without it a power cut could leave no log, and no locks.
        let sync_names = std::fs::File::open(&self.log_directory).and_then(|directory| directory.sync_all());
        sync_names.map_err(|source| ConsensusError::Log { path: self.log_directory.clone(), source })?;
        let events = channels.events.subscribe();
        let keeper = tokio::spawn(keep_engine(channels.net_requests.clone(), addresses, table));
        Ok(Engine { channels, signs, handle, network, events, keeper })
    }

    /// What misbehaves, in front of the network.
    #[cfg(feature = "faults")]
    async fn behind_lies(&self, network: NetworkRef<Network>) -> Result<NetworkRef<Network>, ractor::SpawnErr> {
        use ractor::Actor as _;
        let proxy = crate::faults::Proxy {
            network,
            origin: self.origin.clone(),
            address: self.address,
            keys: Arc::clone(&self.keys),
            lies: crate::faults::Lies::of_process(),
        };
        Ok(crate::faults::Proxy::spawn(None, proxy, ()).await?.0)
    }

    /// Syncs the engine's log from outside: what the engine has appended is in the file, and durable when this returns.
    fn log_syncer(&self) -> SyncLog {
        let path = self.log_directory.join(LOG_FILE);
        Arc::new(move || {
            let failed = |source| GuardError::Io { what: "sync", path: path.clone(), source };
            std::fs::File::open(&path).and_then(|file| file.sync_data()).map_err(failed)
        })
    }

    /// The engine does not start over a log whose first bytes it cannot read, and neither does the node, ever again: a
    /// power cut at the log's very beginning, or one flipped bit in it, would need an operator.
    fn move_unreadable_log_aside(&self) -> Result<(), ConsensusError> {
        let path = self.log_directory.join(LOG_FILE);
        let failed = |source| ConsensusError::Log { path: path.clone(), source };
        let mut head = Vec::new();
        match std::fs::File::open(&path) {
            Ok(file) => file.take(LOG_HEADER_BYTES as u64).read_to_end(&mut head).map_err(failed)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(failed(error)),
        };
        if log_is_readable(&head) {
            return Ok(());
        }
        tracing::warn!(path = %path.display(), "the engine's log cannot be read: it is moved aside, the guard stays");
        self.move_log_aside()
    }

    /// Puts the engine's log out of its way; the guard alone then keeps the key from signing twice.
    pub(crate) fn move_log_aside(&self) -> Result<(), ConsensusError> {
        let path = self.log_directory.join(LOG_FILE);
        let aside = |number: u32| self.log_directory.join(format!("{LOG_FILE}.diverged-{number}"));
        let free = (0..).map(aside).find(|path| !path.exists()).expect("some number is free");
        std::fs::rename(&path, free).map_err(|source| ConsensusError::Log { path, source })
    }
}

impl Engine {
    /// After the engine has gone: whether its log was why (it told other things than it did before, or is damaged). One that
    /// could not be written is another matter: it is the disk's failure, and fatal.
    pub(crate) fn log_diverged(&mut self) -> bool {
        use tokio::sync::broadcast::error::TryRecvError;
        loop {
            match self.events.try_recv() {
                Ok(Event::WalReplayError(_) | Event::WalCorrupted(_)) => return true,
                Ok(_) | Err(TryRecvError::Lagged(_)) => {}
                Err(TryRecvError::Empty | TryRecvError::Closed) => return false,
            }
        }
    }

    /// Ends when a part of the engine has ended. An engine that cannot write its log stops all its parts and then hangs,
    /// on purpose, so that nobody starts it again unasked; its channels stay open, and only its parts tell.
    pub(crate) fn part_ended(&self) -> impl Future<Output = ()> + Send + use<> {
        let parts = self.handle.actor.get_cell().get_children();
        async move {
            if !parts.is_empty() {
                // Without a limit of time there is nothing that could fail.
                let _ = futures::future::select_all(parts.iter().map(|part| Box::pin(part.wait(None)))).await;
            }
        }
    }

    /// Stops the engine and waits until it is gone.
    pub(crate) async fn stop(self) {
        self.keeper.abort();
        // First, and alone: the engine kills what is left of its actors when one of them has ended, and a network that is
        // killed before it was told to stop keeps its port for as long as the process lives. It is gone already: fine.
        let _ = self.network.stop_and_wait(Some("stopping".into()), Some(ENGINE_STOP_MAX)).await;
        let node = self.handle.actor.clone();
        node.get_cell().stop_children(Some("stopping".into()));
        drop(self.channels);
        node.stop(Some("stopping".into()));
        if tokio::time::timeout(ENGINE_STOP_MAX, self.handle.handle).await.is_err() {
            node.kill();
        }
    }
}

/// Whether the engine can read a log that begins with these bytes: none, or its version and a height.
pub fn log_is_readable(head: &[u8]) -> bool {
    head.is_empty() || (head.len() >= LOG_HEADER_BYTES && head.starts_with(&LOG_VERSION))
}

/// A label of its own for each start in one process, or its metrics would appear twice: engines are started again, and so is
/// all of consensus when a validator leaves and enters office.
fn metrics_label(moniker: &str) -> String {
    static STARTS: Mutex<BTreeMap<String, u64>> = Mutex::new(BTreeMap::new());
    let mut starts = STARTS.lock().expect("no panic while held");
    let count = starts.entry(moniker.to_owned()).or_insert(0);
    *count += 1;
    if *count == 1 { moniker.to_owned() } else { format!("{moniker}-{}", *count - 1) }
}

/// The socket address of `/ip4|ip6/…/tcp/…`.
pub(crate) fn socket_address(address: &Multiaddr) -> Result<SocketAddr, ConsensusError> {
    let mut ip: Option<IpAddr> = None;
    let mut port = None;
    for protocol in address {
        match protocol {
            Protocol::Ip4(v4) => ip = Some(v4.into()),
            Protocol::Ip6(v6) => ip = Some(v6.into()),
            Protocol::Tcp(number) => port = Some(number),
            _ => {}
        }
    }
    match (ip, port) {
        (Some(ip), Some(port)) => Ok(SocketAddr::new(ip, port)),
        _ => Err(ConsensusError::Config(format!("{address} is not /ip4/<address>/tcp/<port> or /ip6/…"))),
    }
}

/// The engine only logs that its port is taken; and an engine that was stopped closes its port a moment later, which is
/// seconds on a machine that has much to do: a validator that had caught up once died of that.
pub(crate) async fn wait_until_free(address: &Multiaddr) -> Result<(), ConsensusError> {
    let socket = socket_address(address)?;
    let started = Instant::now();
    let mut told = false;
    loop {
        match TcpListener::bind(socket) {
            Ok(_) => return Ok(()),
            Err(error) if started.elapsed() < LISTEN_WAIT => {
                if !told && started.elapsed() > LISTEN_WAIT / 10 {
                    told = true;
                    tracing::warn!(%address, %error, "waiting for the port: another engine or program has it");
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(source) => return Err(ConsensusError::Listen { address: address.to_string(), source }),
        }
    }
}

/// Makes sure that the log's directory is there.
pub(crate) fn make_log_directory(directory: &Path) -> Result<(), ConsensusError> {
    std::fs::create_dir_all(directory).map_err(|source| ConsensusError::Log { path: directory.to_owned(), source })
}

/// The engine's log has a writer of its own, which holds the file's lock until it has noticed that its engine is gone.
/// An engine that starts before that dies of it, and the node with it.
async fn wait_until_unlocked(path: &Path) -> Result<(), ConsensusError> {
    let refused = |source| ConsensusError::EngineStart(format!("the engine's log {}: {source}", path.display()));
    let started = Instant::now();
    loop {
        let file = match std::fs::File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(refused(error)),
        };
        // The lock goes with the file when this returns.
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(std::fs::TryLockError::WouldBlock) if started.elapsed() < ENGINE_STOP_MAX => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(error) => return Err(refused(error.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_the_engine_wrote_is_readable_and_a_torn_or_flipped_head_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(LOG_FILE);
        let mut log = arc_malachitebft_app_channel::app::wal::Log::open(&path).unwrap();
        log.append(b"an entry").unwrap();
        log.flush().unwrap();
        drop(log);
        let bytes = std::fs::read(&path).unwrap();
        assert!(log_is_readable(&bytes) && log_is_readable(&[]));
        for length in 1..LOG_HEADER_BYTES {
            assert!(!log_is_readable(&bytes[..length]), "cut at {length}");
            std::fs::write(&path, &bytes[..length]).unwrap();
            assert!(arc_malachitebft_app_channel::app::wal::Log::open(&path).is_err(), "nor does the engine read it");
        }
        for bit in 0..32 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!log_is_readable(&flipped), "bit {bit}");
        }
    }

    #[tokio::test]
    async fn an_engine_waits_for_the_port_of_the_one_before() {
        let held = TcpListener::bind("127.0.0.1:0").unwrap();
        let address: Multiaddr = format!("/ip4/127.0.0.1/tcp/{}", held.local_addr().unwrap().port()).parse().unwrap();
        let release = tokio::spawn(async move {
            // Longer than the second that was once all its patience.
            tokio::time::sleep(Duration::from_millis(1_500)).await;
            drop(held);
        });
        wait_until_free(&address).await.unwrap();
        release.await.unwrap();
    }

    #[tokio::test]
    async fn an_engine_waits_for_the_log_of_the_one_before() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(LOG_FILE);
        wait_until_unlocked(&path).await.unwrap();
        let held = std::fs::File::create(&path).unwrap();
        held.try_lock().unwrap();
        let began = Instant::now();
        let release = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(100)).await;
            drop(held);
        });
        wait_until_unlocked(&path).await.unwrap();
        assert!(began.elapsed() >= Duration::from_millis(100));
        release.await.unwrap();
    }
}
