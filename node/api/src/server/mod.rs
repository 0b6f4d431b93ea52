//! An HTTP server that no client can hold up: the accept loop of the node's API, its admin listener and the gateway.
//!
//! | attack or accident | what bounds it |
//! |---|---|
//! | slow headers, idle connections | [`ServerLimits::header_read_timeout`], the protocol's first bytes included, [`ServerLimits::h2_idle_timeout`]; the longest idle gives way |
//! | slow or endless body | [`ServerLimits::body_timeout`], [`ServerLimits::body_idle_timeout`], [`ServerLimits::body_bytes_max`] |
//! | slow reader | [`ServerLimits::write_stall_timeout`], [`ServerLimits::connection_lifetime`] |
//! | many connections, from one place or all | [`ServerLimits::connections_max`], [`ServerLimits::connections_per_prefix_max`] |
//! | many requests | [`ServerLimits::requests_max`]; HTTP/2: streams, windows, header list and early resets |
//! | slow handler, panic | [`ServerLimits::request_timeout`]; answered 500, the server goes on |
//! | `Transfer-Encoding` beside `Content-Length` (smuggling) | refused, or the connection ends with the answer |
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! use axum::{Router, routing::get};
//! use testamur_api::server::{Server, ServerLimits};
//! let server = Server::bind("127.0.0.1:0".parse().unwrap(), ServerLimits::default(), None).await.unwrap();
//! println!("listening on {}", server.local_address());
//! let router = Router::new().route("/", get(|| async { "hello" }));
//! let stop = async { /* wait for a signal */ };
//! server.serve(router, stop).await;
//! # });
//! ```

mod body;
mod connections;
mod request_id;
mod serve;
mod stream;
mod tls;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::TcpListener;

pub use body::BodyError;
pub use request_id::RequestId;
pub use serve::ClientAddress;
pub use tls::{Tls, TlsError};

use crate::limits;

/// What a server takes.
#[derive(Debug, Clone)]
pub struct ServerLimits {
    /// Connections at once.
    pub connections_max: usize,
    /// Connections at once from one IPv4 /24 or IPv6 /48; loopback is exempt.
    pub connections_per_prefix_max: usize,
    /// Age at which a connection is told to end, so that nobody holds a place for ever.
    pub connection_lifetime: Duration,
    /// Time for a TLS handshake.
    pub tls_handshake_timeout: Duration,
    /// Time for a request's headers, counted from the connection's start or the last answer.
    pub header_read_timeout: Duration,
    /// Time after which an HTTP/2 connection without a stream is told to end.
    pub h2_idle_timeout: Duration,
    /// Bytes of a request's headers.
    pub header_bytes_max: usize,
    /// Header fields of a request.
    pub headers_max: usize,
    /// Requests at once.
    pub requests_max: usize,
    /// Bytes of a body.
    pub body_bytes_max: u64,
    /// Time for a body; none for uploads of any size.
    pub body_timeout: Option<Duration>,
    /// Time between two pieces of a body.
    pub body_idle_timeout: Duration,
    /// Whether bodies without `Content-Length` are taken.
    pub chunked_bodies: bool,
    /// Time for a whole request; none for uploads of any size.
    pub request_timeout: Option<Duration>,
    /// Time in which a client must take some of what it is sent.
    pub write_stall_timeout: Duration,
    /// Time that running requests get when the server stops.
    pub shutdown_timeout: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            connections_max: limits::CONNECTIONS_MAX,
            connections_per_prefix_max: limits::CONNECTIONS_PER_PREFIX_MAX,
            connection_lifetime: limits::CONNECTION_LIFETIME,
            tls_handshake_timeout: limits::TLS_HANDSHAKE_TIMEOUT,
            header_read_timeout: limits::HEADER_READ_TIMEOUT,
            h2_idle_timeout: limits::H2_IDLE_TIMEOUT,
            header_bytes_max: limits::HEADER_BYTES_MAX,
            headers_max: limits::HEADERS_MAX,
            requests_max: limits::REQUESTS_MAX,
            body_bytes_max: limits::BODY_BYTES_MAX,
            body_timeout: Some(limits::BODY_TIMEOUT),
            body_idle_timeout: limits::BODY_IDLE_TIMEOUT,
            chunked_bodies: false,
            request_timeout: Some(limits::REQUEST_TIMEOUT),
            write_stall_timeout: limits::WRITE_STALL_TIMEOUT,
            shutdown_timeout: limits::SHUTDOWN_TIMEOUT,
        }
    }
}

/// Why a server could not start listening.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Somebody else has the port.
    #[error(
        "port {} on {} is in use: stop the program that holds it (ss -ltnp 'sport = :{}' names it), or choose another port",
        .0.port(), .0.ip(), .0.port()
    )]
    InUse(SocketAddr),
    /// The system does not allow it.
    #[error(
        "listening on {0} is not allowed: ports below 1024 need the capability CAP_NET_BIND_SERVICE; choose another port"
    )]
    Denied(SocketAddr),
    /// No interface has the address.
    #[error("this machine has no address {}: listen on one of its own, or on 0.0.0.0 for all", .0.ip())]
    NoSuchAddress(SocketAddr),
    /// Something else.
    #[error("cannot listen on {address}: {source}")]
    Other {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
}

/// A server that listens already and serves when told to.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    limits: ServerLimits,
    tls: Option<Tls>,
    counters: Arc<ServerCounters>,
}

impl Server {
    /// Starts listening. Connections wait in the system's queue until [`Server::serve`].
    pub async fn bind(address: SocketAddr, limits: ServerLimits, tls: Option<Tls>) -> Result<Self, BindError> {
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => BindError::InUse(address),
            io::ErrorKind::PermissionDenied => BindError::Denied(address),
            io::ErrorKind::AddrNotAvailable => BindError::NoSuchAddress(address),
            _ => BindError::Other { address, source },
        };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address, limits, tls, counters: Arc::default() })
    }

    /// Where it listens: the port that was chosen, if 0 was asked for.
    pub fn local_address(&self) -> SocketAddr {
        self.address
    }

    /// Its counters, which live on while it serves.
    pub fn counters(&self) -> Arc<ServerCounters> {
        Arc::clone(&self.counters)
    }
}

/// What a server has counted since its start.
#[derive(Debug, Default)]
pub struct ServerCounters {
    connections: AtomicU64,
    accepted: AtomicU64,
    replaced: AtomicU64,
    refused: AtomicU64,
    overloaded: AtomicU64,
}

/// A reading of a server's counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerCounts {
    /// Connections now.
    pub connections: u64,
    /// Connections accepted.
    pub accepted: u64,
    /// Idle connections that gave way to newer ones.
    pub replaced: u64,
    /// Connections refused because every place was busy.
    pub refused: u64,
    /// Requests refused because too many were under way.
    pub overloaded: u64,
}

impl ServerCounters {
    /// The counts now.
    pub fn read(&self) -> ServerCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ServerCounts {
            connections: read(&self.connections),
            accepted: read(&self.accepted),
            replaced: read(&self.replaced),
            refused: read(&self.refused),
            overloaded: read(&self.overloaded),
        }
    }
}
