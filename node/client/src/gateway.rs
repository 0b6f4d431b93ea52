//! A gateway's API, typed: documents or digests in, receipts out, no key needed.

use std::path::Path;
use std::time::Duration;

use reqwest::RequestBuilder;
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use serde::{Deserialize, Serialize};
use testamur_primitives::codec;
use testamur_primitives::commitment::{DigestAlgorithm, DocumentDigest, Form};
use testamur_primitives::hash::TreeHash;
use testamur_primitives::limits::RECEIPT_BYTES_MAX;
use testamur_primitives::receipt::Receipt;
use testamur_primitives::record::{BatchTree, Reference};
use tokio_util::io::ReaderStream;

use crate::batch::BatchRoot;
use crate::error::{ClientError, Problem};
use crate::limits::{PENDING_BYTES_MAX, READ_BYTES, RECEIPTS_BYTES_MAX, UPLOAD_BYTES_PER_S_MIN, UPLOAD_TIMEOUT_BASE};
use crate::node::Connections;
use crate::notary::Pending;
use crate::transport::{Answer, Server};

/// Why a gateway gave no receipt.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// No answer, or a refusal: nothing was notarised unless [`ClientError::may_have_taken_effect`] says so.
    #[error("{0}")]
    Client(#[from] ClientError),
    /// The record was sent but not seen final in time: keep `pending` and ask again with [`Gateway::resume`].
    #[error("{problem}")]
    Pending {
        /// The gateway's words.
        problem: Problem,
        /// What to ask again with.
        pending: Box<Pending>,
    },
}

impl GatewayError {
    /// Whether the process must stop: never.
    pub fn is_fatal(&self) -> bool {
        false
    }
}

/// How a document is notarised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DocumentOptions {
    /// Digest algorithm.
    pub algorithm: DigestAlgorithm,
    /// Salted commitment (the default) or plain digest, which anybody can find by hash.
    pub form: Form,
}

impl Default for DocumentOptions {
    fn default() -> Self {
        Self { algorithm: DigestAlgorithm::Sha2_256, form: Form::Commitment }
    }
}

impl DocumentOptions {
    fn query(self) -> String {
        let public = if self.form == Form::Digest { "&public=1" } else { "" };
        format!("alg={}{public}", self.algorithm.name())
    }
}

/// What a gateway says of itself; only what clients act on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Status {
    /// The DID that signs its records.
    pub author: String,
    /// Genesis hash of its network.
    pub network: String,
    /// The network's origin.
    pub origin: String,
    /// Whether a node of that network answered the gateway just now.
    pub ready: bool,
}

/// A gateway and a token for it. `Debug` does not show the token.
pub struct Gateway {
    server: Server,
    authorization: String,
}

impl core::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Gateway({})", self.server.name())
    }
}

#[derive(Deserialize)]
struct WithPending {
    pending: Pending,
}

#[derive(Serialize)]
struct HashItem<'a> {
    alg: DigestAlgorithm,
    #[serde(with = "codec::serde_base64url")]
    digest: &'a [u8],
}

#[derive(Serialize)]
struct BatchBody<'a> {
    tree: BatchTree,
    root: TreeHash,
    count: u64,
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    reference: Option<&'a Reference>,
}

impl Gateway {
    /// A gateway at `http://host:port` or `https://host:port`; nothing is sent yet.
    pub fn new(address: &str, token: &str, connections: &Connections) -> Result<Self, ClientError> {
        let token = token.trim();
        let is_token = !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic());
        if !is_token {
            return Err(ClientError::Setup("the gateway's token has spaces or control characters, or is empty".into()));
        }
        let server = Server::new(address, connections)?;
        Ok(Self { server, authorization: format!("Bearer {token}") })
    }

    /// Sends a file as a stream; the answer is the bytes of its receipt file, of correct form and not verified.
    pub async fn notarise_file(&self, path: &Path, options: DocumentOptions) -> Result<Vec<u8>, GatewayError> {
        let file = tokio::fs::File::open(path).await.map_err(ClientError::Document)?;
        let bytes = file.metadata().await.map_err(ClientError::Document)?.len();
        let body = reqwest::Body::wrap_stream(ReaderStream::with_capacity(file, READ_BYTES));
        let request = self
            .server
            .post(&format!("v1/documents?{}", options.query()))
            .header(CONTENT_TYPE, "application/octet-stream")
            .header(CONTENT_LENGTH, bytes)
            .body(body);
        let timeout = UPLOAD_TIMEOUT_BASE + Duration::from_secs(bytes / UPLOAD_BYTES_PER_S_MIN);
        let answer = self.send(request, timeout, RECEIPT_BYTES_MAX).await?;
        Receipt::decode(&answer.body).map_err(|error| self.server.unexpected(error.to_string()))?;
        Ok(answer.body)
    }

    /// Sends digests; the answer is one receipt each, in their order, of correct form and not verified.
    pub async fn notarise_hashes(&self, digests: &[DocumentDigest], form: Form) -> Result<Vec<Vec<u8>>, GatewayError> {
        let items: Vec<_> =
            digests.iter().map(|digest| HashItem { alg: digest.algorithm(), digest: digest.as_bytes() }).collect();
        let query = if form == Form::Digest { "?public=1" } else { "" };
        let request = self.json(&format!("v1/hashes{query}"), &items);
        let answer = self.send(request, UPLOAD_TIMEOUT_BASE, RECEIPTS_BYTES_MAX).await?;
        self.receipts(&answer, digests.len())
    }

    /// Notarises the root of a batch, whose openings the caller keeps; the answer is the record's receipt without an opening, of correct
    /// form and not verified. The same root under the same key is notarised once, however often it is asked for.
    pub async fn notarise_batch(
        &self,
        root: &BatchRoot,
        reference: Option<&Reference>,
        key: &str,
    ) -> Result<Receipt, GatewayError> {
        let BatchRoot { tree, root, count } = *root;
        let request = self.json("v1/batches", &BatchBody { tree, root, count, reference });
        let request = request.header("idempotency-key", format!("\"{key}\""));
        let answer = self.send(request, UPLOAD_TIMEOUT_BASE, RECEIPT_BYTES_MAX).await?;
        Receipt::decode(&answer.body).map_err(|error| self.server.unexpected(error.to_string()).into())
    }

    /// Asks again for the receipts of a record that was not seen final in time.
    pub async fn resume(&self, pending: &Pending) -> Result<Vec<Vec<u8>>, GatewayError> {
        let request = self.json("v1/receipts", pending);
        let answer = self.send(request, UPLOAD_TIMEOUT_BASE, RECEIPTS_BYTES_MAX).await?;
        self.receipts(&answer, pending.openings.len())
    }

    /// Whose gateway it is, and whether a node answers it.
    pub async fn status(&self) -> Result<Status, GatewayError> {
        let answer = self.send(self.server.get("v1/status"), UPLOAD_TIMEOUT_BASE, RECEIPT_BYTES_MAX).await?;
        Ok(self.server.json(&answer)?)
    }

    fn json<T: Serialize>(&self, path: &str, body: &T) -> RequestBuilder {
        self.server.post(path).header(CONTENT_TYPE, "application/json").body(codec::canonical(body))
    }

    async fn send(&self, request: RequestBuilder, timeout: Duration, bytes_max: usize) -> Result<Answer, GatewayError> {
        let request = request.header(AUTHORIZATION, &self.authorization);
        let answer = self.server.answer(request, timeout, bytes_max.max(PENDING_BYTES_MAX)).await?;
        if answer.status.is_success() {
            return Ok(answer);
        }
        match (self.server.refused(&answer), serde_json::from_slice::<WithPending>(&answer.body)) {
            (ClientError::Refused { mut problem, .. }, Ok(WithPending { pending })) => {
                // A problem with many openings is longer than what `refused` reads.
                if let Ok(whole) = serde_json::from_slice::<Problem>(&answer.body) {
                    problem = whole;
                }
                Err(GatewayError::Pending { problem, pending: Box::new(pending) })
            }
            (error, _) => Err(error.into()),
        }
    }

    fn receipts(&self, answer: &Answer, expected: usize) -> Result<Vec<Vec<u8>>, GatewayError> {
        let receipts: Vec<Receipt> = self.server.json(answer)?;
        if receipts.len() != expected {
            let reason = format!("{} receipts for {expected} documents", receipts.len());
            return Err(self.server.unexpected(reason).into());
        }
        let encode = |receipt: Receipt| {
            let bytes = codec::canonical(&receipt);
            Receipt::decode(&bytes).map_err(|error| self.server.unexpected(error.to_string()))?;
            Ok(bytes)
        };
        receipts.into_iter().map(encode).collect()
    }
}
