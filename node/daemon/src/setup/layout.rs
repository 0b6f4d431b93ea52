//! Where everything of a network made by `init` or `dev` lies and listens.
//!
//! | service | node i | dev, base port 8080 |
//! |---|---|---|
//! | API | base + i | 8080–8083 |
//! | gateway | base + 10 | 8090 |
//! | page (`dev` alone) | base + 11 | 8091 |
//! | admin | base + 1000 + i | 9080–9083 |
//! | consensus | base − 1000 + i | 7080–7083 |
//! | record gossip | base − 900 + i | 7180–7183 |

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use clap::Args;
use testamur_primitives::hash::Address;

/// Addresses from one base port.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ports {
    /// The host that all listen on.
    pub(crate) host: IpAddr,
    /// Port of the first node's API.
    pub(crate) base: u16,
}

impl Ports {
    /// Lowest base port: below it, consensus ports would be privileged.
    pub(crate) const BASE_MIN: u16 = 2_100;
    /// Highest base port: admin ports of 64 nodes fit above it.
    pub(crate) const BASE_MAX: u16 = u16::MAX - 1_000 - 64;

    /// A node's API.
    pub(crate) fn api(&self, node: usize) -> SocketAddr {
        self.at(0, node)
    }

    /// A node's admin listener.
    pub(crate) fn admin(&self, node: usize) -> SocketAddr {
        self.at(1_000, node)
    }

    /// The gateway: after the nodes' APIs, but at base + 10 where that is free.
    pub(crate) fn gateway(&self, nodes: usize) -> SocketAddr {
        self.at(0, nodes.max(10))
    }

    /// The page, beside the gateway.
    pub(crate) fn page(&self, nodes: usize) -> SocketAddr {
        self.at(0, nodes.max(10) + 1)
    }

    /// A node's consensus network.
    pub(crate) fn consensus(&self, node: usize) -> SocketAddr {
        self.at(-1_000, node)
    }

    /// A node's record gossip.
    pub(crate) fn gossip(&self, node: usize) -> SocketAddr {
        self.at(-900, node)
    }

    fn at(&self, offset: i32, node: usize) -> SocketAddr {
        let port =
            i32::from(self.base) + offset + i32::try_from(node).expect("at most 64 nodes and what is beside them");
        SocketAddr::new(self.host, u16::try_from(port).expect("BASE_MIN and BASE_MAX keep ports in range"))
    }
}

/// Where a node that joins a network listens.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Listeners {
    /// Where the API listens
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub(crate) api: SocketAddr,
    /// Where the operator's listener is: keep it on loopback
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9080")]
    pub(crate) admin: SocketAddr,
}

/// The config.toml of a node that joins a network: an observer's, unless `member` follows.
pub(crate) fn joined_config(listeners: &Listeners, data: &str, nodes: &[String], member: &str) -> String {
    let nodes: Vec<_> = nodes.iter().map(|node| format!("\"{node}\"")).collect();
    format!(
        "# Configuration of one Testamur node. Paths are relative to this file.\n\
         genesis = \"genesis.json\"\n\
         \n\
         [storage]\n\
         data = \"{data}\"\n\
         free_bytes_min = {}\n\
         \n\
         [api]\n\
         listen = \"{}\"\n\
         # tls_cert = \"tls/cert.pem\"\n\
         # tls_key = \"tls/key.pem\"\n\
         # public_url = \"https://ledger.example\"\n\
         \n\
         # /livez, /readyz, /metrics, /backup: keep it on loopback or behind a firewall.\n\
         [admin]\n\
         listen = \"{}\"\n\
         \n\
         # Nodes of different operators: none of them is believed, each may be away.\n\
         [follow]\n\
         nodes = [{}]\n\
         {member}",
        crate::limits::FREE_BYTES_MIN,
        listeners.api,
        listeners.admin,
        nodes.join(", "),
    )
}

/// What a candidate's config.toml has besides: `keys` and `consensus`.
pub(crate) fn member_config(address: Address, consensus: SocketAddr, gossip: SocketAddr, insecure_dev: bool) -> String {
    format!(
        "\n\
         [keys]\n\
         consensus = \"keys/consensus.key\"\n\
         log = \"keys/log.key\"\n\
         peer = \"keys/peer.key\"\n\
         {}\n\
         \n\
         [consensus]\n\
         # The validator's address for ever, whatever keys it has later.\n\
         address = \"{address}\"\n\
         listen = \"{consensus}\"\n\
         gossip_listen = \"{gossip}\"\n\
         \n\
         # One for each other validator; read again when this file changes, and on SIGHUP.\n\
         # [[consensus.peers]]\n\
         # name = \"validator-1.example\"\n\
         # consensus = \"192.0.2.1:7080\"\n\
         # gossip = \"192.0.2.1:7180\"\n",
        protection(insecure_dev),
    )
}

fn protection(insecure_dev: bool) -> &'static str {
    if insecure_dev {
        "# These keys are not encrypted: a development network, without value.\ninsecure_dev = true"
    } else {
        "# Or --passphrase-fd, or TESTAMUR_PASSPHRASE_FILE.\n# passphrase_file = \"/run/credentials/testamur/passphrase\""
    }
}

/// The config.toml of a node.
pub(crate) fn node_config(ports: &Ports, names: &[String], node: usize, insecure_dev: bool) -> String {
    let mut text = format!(
        "# Configuration of one Testamur node. Paths are relative to this file.\n\
         genesis = \"../genesis.json\"\n\
         \n\
         [storage]\n\
         data = \"data\"\n\
         # The double-sign guard. Never restore it from a backup, never copy it to another machine.\n\
         guard = \"guard\"\n\
         wal = \"wal\"\n\
         # Below this, no more records are taken; the rest of the network goes on.\n\
         free_bytes_min = {}\n\
         \n\
         [keys]\n\
         consensus = \"keys/consensus.key\"\n\
         log = \"keys/log.key\"\n\
         peer = \"keys/peer.key\"\n\
         {}\n\
         \n\
         [api]\n\
         listen = \"{}\"\n\
         # tls_cert = \"tls/cert.pem\"\n\
         # tls_key = \"tls/key.pem\"\n\
         # public_url = \"https://ledger.example\"\n\
         \n\
         # /livez, /readyz, /metrics, /backup: keep it on loopback or behind a firewall.\n\
         [admin]\n\
         listen = \"{}\"\n\
         \n\
         [consensus]\n\
         listen = \"{}\"\n\
         gossip_listen = \"{}\"\n",
        crate::limits::FREE_BYTES_MIN,
        protection(insecure_dev),
        ports.api(node),
        ports.admin(node),
        ports.consensus(node),
        ports.gossip(node),
    );
    for (other, name) in names.iter().enumerate().filter(|(other, _)| *other != node) {
        write!(
            text,
            "\n[[consensus.peers]]\nname = \"{name}\"\nconsensus = \"{}\"\ngossip = \"{}\"\n",
            ports.consensus(other),
            ports.gossip(other),
        )
        .expect("writing to a string");
    }
    text
}
