//! Validators with keys, ports and directories, and nodes that run as them.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use libp2p::Multiaddr;
use testamur_consensus::application::Application as _;
use testamur_consensus::guard::Guard;
use testamur_consensus::{ConsensusConfig, ConsensusError, ConsensusHandle, ConsensusKeys, PeerAddress, Role, start};
use testamur_primitives::codec::sha256;
use testamur_primitives::did::Did;
use testamur_primitives::epoch::{TypedKey, Validator, ValidatorKeyAlgorithm, ValidatorRegistration, ValidatorSet};
use testamur_primitives::genesis::{Genesis, GenesisValidator, Parameters, Possession};
use testamur_primitives::hash::{Address, RecordId};
use testamur_primitives::key::SigningKey;
use testamur_primitives::record::Bytes as KeyBytes;
use testamur_primitives::units::UnixTime;

use super::MemoryLedger;

/// Validators that can be: four of them in genesis.
pub(crate) const SLOTS: usize = 7;
const GENESIS: u8 = 4;

/// A validator in a set: which one, with its how-manieth consensus key and peer key. Written `2`, `2.1` or `2.0.1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) number: u8,
    pub(crate) key: u8,
    pub(crate) peer: u8,
}

impl From<u8> for Member {
    fn from(number: u8) -> Self {
        Self { number, key: 0, peer: 0 }
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.number, self.key, self.peer)
    }
}

impl FromStr for Member {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split('.').map(str::parse);
        let mut next = || parts.next().unwrap_or(Ok(0));
        Ok(Self { number: next()?, key: next()?, peer: next()? })
    }
}

impl Member {
    fn registration(self) -> ValidatorRegistration {
        let public = |kind| KeyBytes(key(self.number, kind).public_key().as_bytes().to_vec());
        ValidatorRegistration {
            v: 1,
            name: format!("validator-{}.example", self.number),
            operator: format!("Authority {}", self.number),
            country: "EU".into(),
            did: Did::key(&key(self.number, 9).public_key()),
            keys: vec![TypedKey { alg: ValidatorKeyAlgorithm::Ed25519, key: public(10 * self.key) }],
            log_key: public(1),
            peer_key: public(10 * self.peer + 2),
            not_after: UnixTime(4_000_000_000),
        }
    }

    /// As in a set: under its first registration's address.
    fn validator(self) -> Validator {
        Validator { address: Self::from(self.number).registration().address(), ..self.registration().to_validator() }
    }
}

/// A set of these members.
pub(crate) fn set_of(members: impl IntoIterator<Item = Member>) -> ValidatorSet {
    ValidatorSet::new(members.into_iter().map(Member::validator).collect()).expect("a set")
}

/// The record that schedules a set from a height on at the earliest, such as `set_record(9, "0 1.1 2 3")`.
pub(crate) fn set_record(from: u64, members: &str) -> Bytes {
    format!("set {from} {members}").into()
}

/// A network of four, and keys, ports and directories for more.
pub(crate) struct Network {
    pub(crate) genesis: Genesis,
    pub(crate) directory: tempfile::TempDir,
    ports: Vec<(u16, u16)>,
}

/// A running node.
pub(crate) struct Node {
    pub(crate) number: usize,
    pub(crate) ledger: Arc<MemoryLedger>,
    pub(crate) handle: ConsensusHandle<MemoryLedger>,
}

/// How a node is started.
#[derive(Debug, Clone, Default)]
pub(crate) struct How {
    /// Which of its consensus keys it holds: one or two.
    pub(crate) keys: Vec<u8>,
    /// Which of its peer keys.
    pub(crate) peer: u8,
    /// Whose addresses it does not know.
    pub(crate) strangers: Vec<usize>,
}

/// One of a validator's keys: kind 1 is the log's, 9 its operator's, 0, 10, 20 … its consensus keys, 2, 12, 22 … its peer keys.
fn key(number: u8, kind: u8) -> SigningKey {
    SigningKey::ed25519(&seed(number, kind))
}

fn seed(number: u8, kind: u8) -> [u8; 32] {
    sha256(&[&[number, kind]])
}

/// A validator's consensus key.
pub(crate) fn consensus_key(number: usize, generation: u8) -> SigningKey {
    key(number as u8, 10 * generation)
}

/// A port that is free, given to nobody else in this process, and below those that outgoing connections take (32,768 and up): a
/// node that is stopped finds its port free when it starts again.
fn free_port() -> u16 {
    use std::sync::atomic::{AtomicU32, Ordering};
    const FIRST: u32 = 12_000;
    const COUNT: u32 = 20_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Two processes of tests begin at different places.
    let offset = std::process::id().wrapping_mul(97);
    for _ in 0..COUNT {
        let place = offset.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT;
        let port = u16::try_from(FIRST + place).expect("below 32,000");
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port is free")
}

impl Network {
    pub(crate) fn new(parameters: Parameters) -> Self {
        let validator = |number: u8| {
            let possession = Possession { consensus: KeyBytes(vec![]), log: KeyBytes(vec![]), peer: KeyBytes(vec![]) };
            GenesisValidator { registration: Member::from(number).registration(), possession }
        };
        let genesis = Genesis {
            v: 1,
            domain: "test.example".into(),
            name: "memory".into(),
            time: UnixTime(1_700_000_000),
            protocol: 1,
            parameters,
            validators: (0..GENESIS).map(validator).collect(),
            operators: vec![],
            approvals_required: 1,
            writers: vec![],
            did_method: None,
            public_base: None,
            status_history_days: None,
            predecessor: None,
        };
        let ports = (0..SLOTS).map(|_| (free_port(), free_port())).collect();
        let network = Self { genesis, directory: tempfile::tempdir().unwrap(), ports };
        for number in 0..SLOTS {
            Guard::create(&network.guard_directory(number), network.address(number)).unwrap();
        }
        network
    }

    pub(crate) fn address(&self, number: usize) -> Address {
        Member::from(number as u8).registration().address()
    }

    pub(crate) fn guard_directory(&self, number: usize) -> std::path::PathBuf {
        self.directory.path().join(format!("guard-{number}"))
    }

    pub(crate) fn log_directory(&self, number: usize) -> std::path::PathBuf {
        self.directory.path().join(format!("log-{number}"))
    }

    /// Where validators are reached.
    pub(crate) fn addresses(&self, numbers: impl IntoIterator<Item = usize>) -> Vec<PeerAddress> {
        let address = |number: usize| PeerAddress {
            validator: self.address(number),
            consensus: multiaddr(self.ports[number].0),
            gossip: multiaddr(self.ports[number].1),
        };
        numbers.into_iter().map(address).collect()
    }

    pub(crate) async fn start(&self, number: usize, ledger: &Arc<MemoryLedger>) -> Node {
        let how = How { keys: vec![0], ..How::default() };
        self.start_so(number, ledger, how).await.expect("the node starts")
    }

    pub(crate) async fn start_so(
        &self,
        number: usize,
        ledger: &Arc<MemoryLedger>,
        how: How,
    ) -> Result<Node, ConsensusError> {
        let config = ConsensusConfig {
            origin: self.genesis.origin(),
            address: self.address(number),
            moniker: format!("node-{number}"),
            listen: multiaddr(self.ports[number].0),
            gossip_listen: multiaddr(self.ports[number].1),
            peers: self.addresses((0..SLOTS).filter(|other| *other != number && !how.strangers.contains(other))),
            guard_directory: self.guard_directory(number),
            log_directory: self.log_directory(number),
            trust_lost_guard: false,
        };
        let keys = ConsensusKeys {
            consensus: consensus_key(number, how.keys[0]),
            next_consensus: how.keys.get(1).map(|generation| consensus_key(number, *generation)),
            peer_seed: seed(number as u8, 10 * how.peer + 2),
        };
        let handle = start(config, keys, Arc::clone(ledger)).await?;
        Ok(Node { number, ledger: Arc::clone(ledger), handle })
    }

    pub(crate) async fn start_all(&self) -> Vec<Node> {
        let ledgers: Vec<_> = (0..GENESIS).map(|_| MemoryLedger::new(&self.genesis)).collect();
        futures::future::join_all((0..4).map(|number| self.start(number, &ledgers[number]))).await
    }
}

fn multiaddr(port: u16) -> Multiaddr {
    format!("/ip4/127.0.0.1/tcp/{port}").parse().unwrap()
}

impl Node {
    /// Waits until this node's ledger stands at a height.
    pub(crate) async fn reaches(&self, height: u64) {
        let mut events = self.handle.events();
        let mut fatal = self.handle.fatal();
        while self.ledger.tip().height.get() < height {
            tokio::select! {
                _ = events.recv() => {}
                Ok(stopped) = fatal.wait_for(Option::is_some) => panic!("consensus stopped: {:?}", *stopped),
                () = tokio::time::sleep(Duration::from_secs(60)) =>
                    panic!("node {} is stuck at {} on the way to {height}", self.number, self.ledger.tip().height),
            }
        }
    }

    /// Waits until this node's ledger holds a record.
    pub(crate) async fn holds(&self, id: &RecordId) {
        let mut events = self.handle.events();
        while !self.ledger.holds(id) {
            let next = tokio::time::timeout(Duration::from_secs(60), events.recv()).await;
            assert!(next.is_ok(), "a record is not final after a minute");
        }
    }

    /// Waits until this node takes part so.
    pub(crate) async fn becomes(&self, wanted: Role) {
        let mut role = self.handle.role();
        let became = tokio::time::timeout(Duration::from_secs(60), role.wait_for(|role| *role == wanted)).await;
        let now = *self.handle.role().borrow();
        assert!(became.is_ok_and(|r| r.is_ok()), "node {} is {now:?}, not {wanted:?} after a minute", self.number);
    }

    /// Waits until nothing waits in this node's pool: a block is in the ledger a moment before its records leave the pool.
    pub(crate) async fn pool_is_empty(&self) {
        let emptied = async {
            while self.handle.pool().records > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(60), emptied).await;
        assert!(in_time.is_ok(), "records wait that are final");
    }
}
