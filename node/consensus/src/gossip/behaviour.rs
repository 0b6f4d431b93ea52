//! The record gossip's network behaviour: who is let in, and how messages are read and written.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use libp2p::allow_block_list::{self, AllowedPeers};
use libp2p::connection_limits::{self, ConnectionLimits};
use libp2p::request_response::{self, ProtocolSupport};
use libp2p::swarm::NetworkBehaviour;
use libp2p::{StreamProtocol, ping};
use testamur_primitives::limits::ATTACHMENT_BYTES_MAX;

use crate::limits::{BUNDLES_IN_FLIGHT_MAX, CONNECTIONS_PER_KEY_MAX, GOSSIP_MESSAGE_BYTES_MAX, PEERS_MAX};

#[derive(NetworkBehaviour)]
pub(super) struct Behaviour {
    pub(super) allowed: allow_block_list::Behaviour<AllowedPeers>,
    limits: connection_limits::Behaviour,
    ping: ping::Behaviour,
    pub(super) records: request_response::Behaviour<BundleCodec>,
}

impl Behaviour {
    /// For nobody yet.
    pub(super) fn new(protocol: StreamProtocol) -> Self {
        // Strangers are refused after the handshake and never hold more than this.
        let limits = ConnectionLimits::default()
            .with_max_established_per_peer(Some(CONNECTIONS_PER_KEY_MAX))
            .with_max_pending_incoming(Some(2 * PEERS_MAX as u32 + 16));
        let config = request_response::Config::default()
            .with_request_timeout(Duration::from_secs(30))
            .with_max_concurrent_streams(2 * BUNDLES_IN_FLIGHT_MAX);
        Self {
            allowed: allow_block_list::Behaviour::default(),
            limits: connection_limits::Behaviour::new(limits),
            ping: ping::Behaviour::default(),
            records: request_response::Behaviour::with_codec(BundleCodec, [(protocol, ProtocolSupport::Full)], config),
        }
    }
}

/// Bounded raw bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct BundleCodec;

async fn read_bounded(io: impl AsyncRead + Unpin + Send, bytes_max: usize) -> io::Result<Bytes> {
    let mut bytes = Vec::new();
    io.take(bytes_max as u64 + 1).read_to_end(&mut bytes).await?;
    if bytes.len() > bytes_max {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a bundle is longer than allowed"));
    }
    Ok(bytes.into())
}

#[async_trait::async_trait]
impl request_response::Codec for BundleCodec {
    type Protocol = StreamProtocol;
    type Request = Bytes;
    type Response = Bytes;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Bytes>
    where
        T: AsyncRead + Unpin + Send,
    {
        read_bounded(io, GOSSIP_MESSAGE_BYTES_MAX).await
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Bytes>
    where
        T: AsyncRead + Unpin + Send,
    {
        read_bounded(io, 1 + ATTACHMENT_BYTES_MAX).await
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, io: &mut T, request: Bytes) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        io.write_all(&request).await
    }

    async fn write_response<T>(&mut self, _: &StreamProtocol, io: &mut T, response: Bytes) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        io.write_all(&response).await
    }
}
