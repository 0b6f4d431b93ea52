//! Where a follower gets blocks from: other nodes' APIs.

use async_trait::async_trait;
use testamur_client::error::ClientError;
use testamur_client::node::Node;
use testamur_primitives::hash::{AttachmentHash, GenesisHash, RecordId};
use testamur_primitives::stream::StreamedBlock;
use testamur_primitives::units::Height;

use crate::limits::PASS_ON_TIMEOUT;

/// Why a node gave nothing of use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    /// It is away, or refuses: to be asked again.
    #[error(transparent)]
    Away(#[from] ClientError),
    /// What it sent is no ledger stream of this network: it is not to be asked for a while.
    #[error("{0}")]
    Malformed(String),
}

/// A node that is followed.
#[async_trait]
pub(crate) trait Source: Send + Sync + 'static {
    /// Its address, for people.
    fn name(&self) -> &str;

    /// The decided blocks from a height on, nothing of them verified, in order, at most `limit`; empty when it has none.
    async fn blocks(&self, from: Height, limit: usize) -> Result<Vec<StreamedBlock>, SourceError>;

    /// The height that it says it stands at.
    async fn height(&self) -> Result<Height, SourceError>;

    /// An attachment by its digest, not verified.
    async fn attachment(&self, digest: AttachmentHash) -> Result<Option<Vec<u8>>, SourceError>;

    /// Hands it a record.
    async fn pass_on(&self, record: &[u8], attachment: Option<&[u8]>) -> Result<RecordId, ClientError>;
}

/// A node over HTTP, and the network that it must be of.
pub(crate) struct HttpSource(pub(crate) Node, pub(crate) GenesisHash);

#[async_trait]
impl Source for HttpSource {
    fn name(&self) -> &str {
        self.0.name()
    }

    async fn blocks(&self, from: Height, limit: usize) -> Result<Vec<StreamedBlock>, SourceError> {
        let stream = self.0.blocks(from, limit).await.map_err(|error| match error {
            ClientError::BadAnswer { reason, .. } => SourceError::Malformed(reason),
            error => SourceError::Away(error),
        })?;
        if stream.genesis != self.1 {
            return Err(SourceError::Malformed(format!("it is of another network: genesis {}", stream.genesis)));
        }
        Ok(stream.blocks)
    }

    async fn height(&self) -> Result<Height, SourceError> {
        Ok(self.0.status().await?.height)
    }

    async fn attachment(&self, digest: AttachmentHash) -> Result<Option<Vec<u8>>, SourceError> {
        Ok(self.0.attachment(digest).await?)
    }

    async fn pass_on(&self, record: &[u8], attachment: Option<&[u8]>) -> Result<RecordId, ClientError> {
        self.0.pass_on(record, attachment, PASS_ON_TIMEOUT).await
    }
}
