//! What the API asks of a node about its own state.

use std::sync::Arc;

use testamur_primitives::equivocation::Equivocation;
use testamur_primitives::hash::Address;

/// The state of a node; all answers come from memory, at once.
pub trait Health: Send + Sync + 'static {
    /// Why the node is not ready; empty when it is.
    fn problems(&self) -> Vec<NotReady>;

    /// Whether the process is of any use: false only when a fatal error was met and it is about to end.
    fn is_alive(&self) -> bool;

    /// Counters for `/v1/status` and `/v1/network`.
    fn status(&self) -> NodeStatus;

    /// Metrics of the node and its engine in the Prometheus (OpenMetrics) text format; a final `# EOF` line is optional.
    fn metrics(&self) -> String;

    /// Kept proofs that a validator signed two things where it may sign one, oldest first: at most `limit` from the place
    /// `start` on, and how many there are. Who does not vote keeps none.
    fn equivocations(&self, start: usize, limit: usize) -> (Vec<Equivocation>, usize) {
        let _ = (start, limit);
        (Vec::new(), 0)
    }
}

/// A reason for which `/readyz` is red.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotReady {
    /// No block for three heartbeats.
    NoBlock {
        /// Seconds since the last one.
        seconds: u64,
        /// What consensus waits for, such as the validators that do not answer.
        waiting_for: String,
    },
    /// A height has been under way for too long and is not decided.
    Stalled {
        /// What it waits for, with the names of the validators that are missing.
        what: String,
    },
    /// Little free disk.
    DiskLow {
        /// Free bytes.
        free_bytes: u64,
        /// Bytes that must be free.
        needed_bytes: u64,
    },
    /// Stored data is damaged; the node stops.
    Damage(String),
    /// The node is behind the network.
    Behind {
        /// Heights it lacks.
        heights: u64,
    },
    /// Status lists that the node should hold are still on their way from its peers.
    Attachments {
        /// How many.
        missing: u64,
    },
    /// Too few validators are connected for a quorum.
    NoQuorum {
        /// Validators in reach, this node included.
        connected: u32,
        /// Validators needed.
        needed: u32,
    },
    /// None of the nodes that this one follows has answered for a while.
    NoSource {
        /// Seconds since one did.
        seconds: u64,
        /// How many it follows.
        nodes: usize,
    },
    /// The node has not finished starting.
    Starting,
    /// The node stops.
    Stopping,
}

impl NotReady {
    /// All slugs.
    pub const CODES: [&'static str; 10] = [
        "no-block",
        "stalled",
        "disk-low",
        "damage",
        "behind",
        "attachments",
        "no-quorum",
        "no-source",
        "starting",
        "stopping",
    ];

    /// What an operator does about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::NoBlock { .. } | Self::Stalled { .. } => {
                "call the operators of the validators named; nothing is lost, and nothing new becomes final until they are back"
            }
            Self::DiskLow { .. } => {
                "free disk space, or move storage.data to a larger disk: records are taken again without a restart"
            }
            Self::Damage(_) => {
                "run `testamur check` on the node's directory; if that finds damage, keep the directory as evidence, and start with an empty storage.data: the ledger comes from the others"
            }
            Self::Behind { .. } => "wait: it catches up; if it does not, see its lines and the connection to its peers",
            Self::Attachments { .. } => {
                "wait: peers are asked for them; if they do not come, see the connection to them"
            }
            Self::NoQuorum { .. } => {
                "see this machine's line and firewall first, then whether the other validators run: [[consensus.peers]]"
            }
            Self::NoSource { .. } => {
                "see this machine's line, and name nodes that run under [follow] in the configuration"
            }
            Self::Starting => "wait",
            Self::Stopping => "start it again if nobody asked it to stop",
        }
    }

    /// Stable slug.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoBlock { .. } => "no-block",
            Self::Stalled { .. } => "stalled",
            Self::DiskLow { .. } => "disk-low",
            Self::Damage(_) => "damage",
            Self::Behind { .. } => "behind",
            Self::Attachments { .. } => "attachments",
            Self::NoQuorum { .. } => "no-quorum",
            Self::NoSource { .. } => "no-source",
            Self::Starting => "starting",
            Self::Stopping => "stopping",
        }
    }
}

impl core::fmt::Display for NotReady {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NoBlock { seconds, waiting_for } => write!(f, "no block for {seconds} s; waiting for {waiting_for}"),
            Self::Stalled { what } => f.write_str(what),
            Self::DiskLow { free_bytes, needed_bytes } => {
                write!(f, "{free_bytes} bytes of disk are free, {needed_bytes} are needed: free some space")
            }
            Self::Damage(what) => write!(f, "what is stored is not to be relied on: {what}"),
            Self::Behind { heights } => write!(f, "{heights} heights behind the network"),
            Self::Attachments { missing } => {
                write!(f, "{missing} newest status lists are missing: the node asks its peers for them")
            }
            Self::NoQuorum { connected, needed } => {
                write!(f, "{connected} validators are in reach, {needed} are needed for a quorum")
            }
            Self::NoSource { nodes: 0, .. } => {
                f.write_str("the node does not vote, and follows nobody: name nodes in [follow] of its configuration")
            }
            Self::NoSource { seconds, nodes } => {
                write!(f, "none of the {nodes} nodes that it follows has answered for {seconds} s")
            }
            Self::Starting => f.write_str("the node is starting"),
            Self::Stopping => f.write_str("the node is stopping"),
        }
    }
}

/// What a node does in its network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NodeRole {
    /// It takes part in consensus.
    #[default]
    Validator,
    /// It follows other nodes without voting.
    Observer,
}

impl NodeRole {
    /// Its name in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Validator => "validator",
            Self::Observer => "observer",
        }
    }
}

/// Counters of a node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NodeStatus {
    /// Name of the node's validator, or of the observer.
    pub name: String,
    /// Address of the node's validator, if it is one.
    pub validator: Option<Address>,
    /// Whether it takes part in decisions now.
    pub role: NodeRole,
    /// Heights that it knows to lack; one is what a block that is spreading makes.
    pub behind: u64,
    /// Version of the binary.
    pub version: Arc<str>,
    /// Seconds since the process started.
    pub uptime_s: u64,
    /// Validators in reach, this node included.
    pub validators_connected: u32,
    /// Records that wait for a block.
    pub pool_records: u64,
    /// Their bytes.
    pub pool_bytes: u64,
    /// Time to finality as this node measured it; none before the first record.
    pub time_to_final: Option<TimeToFinal>,
}

/// Time from a record's acceptance on this node until it was final on its disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeToFinal {
    /// Over so many of the latest blocks with records.
    pub blocks: u32,
    /// Records measured.
    pub records: u64,
    /// Median.
    pub p50_ms: u32,
    /// 99th percentile.
    pub p99_ms: u32,
}
