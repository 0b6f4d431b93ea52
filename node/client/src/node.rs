//! A node's API, typed. What a node says is not trusted here: receipts and checkpoints carry their proofs.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use testamur_primitives::codec;
use testamur_primitives::epoch::{EpochLink, Validator};
use testamur_primitives::genesis::Parameters;
use testamur_primitives::hash::{AttachmentHash, GenesisHash, RecordId, TreeHash};
use testamur_primitives::limits::{
    ATTACHMENT_BYTES_MAX, BLOCK_STREAM_BYTES_MAX, EVIDENCE_BYTES_MAX, NOTE_BYTES_MAX, RECEIPT_BYTES_MAX,
    RECORD_BYTES_MAX,
};
use testamur_primitives::note::Note;
use testamur_primitives::receipt::Receipt;
use testamur_primitives::record::Record;
use testamur_primitives::state::StateKey;
use testamur_primitives::state::evidence::Evidence;
use testamur_primitives::stream::{self, BlockStream};
use testamur_primitives::units::{Height, LogSize, UnixTime};

use crate::error::ClientError;
use crate::limits::{ANSWER_BYTES_MAX, BLOCKS_TIMEOUT, REQUEST_TIMEOUT};
pub use crate::transport::Connections;
use crate::transport::Server;

/// What became of a record that a node took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Submitted {
    /// It is final, and on this node's disk.
    Final,
    /// It waits in this node's pool.
    Queued,
    /// The node has it already: queued or final.
    Known,
}

/// What a node says of its network; only what clients act on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Network {
    /// Genesis hash.
    pub genesis: GenesisHash,
    /// Origin.
    pub origin: String,
}

/// What a node says of itself; only what clients act on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct NodeStatus {
    /// Its name.
    pub name: String,
    /// Whether it is ready.
    pub ready: bool,
    /// Its newest height.
    pub height: Height,
    /// That height's time.
    pub time: UnixTime,
    /// Records in its log.
    pub log_size: LogSize,
}

/// A node in its own words: who it is, and why it is not ready.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct NodeReport {
    /// Its name: its validator's, if it is one.
    pub name: String,
    /// Why it is not ready; empty when it is.
    #[serde(default)]
    pub problems: Vec<NodeProblem>,
}

/// Why a node is not ready.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct NodeProblem {
    /// Stable slug.
    pub code: String,
    /// What is wrong and what to do.
    pub detail: String,
}

/// A consistency proof between two sizes of the log.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Consistency {
    /// Root of the smaller log.
    pub from_root: TreeHash,
    /// Root of the larger log.
    pub to_root: TreeHash,
    /// The path.
    pub path: Vec<TreeHash>,
}

/// A node's newest block; only what clients act on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Latest {
    /// Its height.
    pub height: u64,
    /// Its epoch.
    pub epoch: u64,
    /// Text of its header.
    pub header_text: String,
    /// Its certificate.
    pub note: String,
}

/// How some epochs vouch for the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Epochs {
    /// The links, in order, without gaps.
    pub links: Vec<EpochLink>,
    /// Whether the node has more.
    pub next: bool,
}

/// A proof that an older header lies under a newer one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct History {
    /// Text of the older header.
    pub from_text: String,
    /// The path.
    pub path: Vec<TreeHash>,
}

/// One node.
#[derive(Debug, Clone)]
pub struct Node {
    server: Server,
}

#[derive(Deserialize)]
struct SubmitAnswer {
    id: RecordId,
    state: SubmitState,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum SubmitState {
    Queued,
    Final,
}

impl Node {
    /// A node at `http://host:port` or `https://host:port`; nothing is sent yet.
    pub fn new(address: &str, connections: &Connections) -> Result<Self, ClientError> {
        Server::new(address, connections).map(|server| Self { server })
    }

    /// Scheme, host and port.
    pub fn name(&self) -> &str {
        self.server.name()
    }

    /// Hands a record over and waits until it is final or `timeout` is over, whichever is first.
    pub async fn submit(&self, record: &Record, timeout: Duration) -> Result<Submitted, ClientError> {
        self.submit_with(record, None, timeout).await
    }

    /// As [`Node::submit`], with the bytes that the record must be accompanied by.
    pub async fn submit_with(
        &self,
        record: &Record,
        attachment: Option<&[u8]>,
        timeout: Duration,
    ) -> Result<Submitted, ClientError> {
        let request = self.server.post("v1/records?wait=final");
        let request = match attachment {
            None => request.header(CONTENT_TYPE, "application/jose").body(record.as_bytes().to_vec()),
            Some(bytes) => {
                let body = serde_json::json!({ "record": record.as_str(), "attachment": codec::base64url(bytes) });
                request.header(CONTENT_TYPE, "application/json").body(body.to_string())
            }
        };
        let answer = match self.server.success(request, timeout, ANSWER_BYTES_MAX).await {
            Ok(answer) => answer,
            Err(ClientError::Refused { problem, .. }) if is_known(&problem.code) => return Ok(Submitted::Known),
            Err(error) => return Err(error),
        };
        let answer: SubmitAnswer = self.server.json(&answer)?;
        if answer.id != record.id() {
            return Err(self.server.unexpected("it names another record than the one sent"));
        }
        Ok(match answer.state {
            SubmitState::Final => Submitted::Final,
            SubmitState::Queued => Submitted::Queued,
        })
    }

    /// Hands a record over as it is, unread, and does not wait for finality: what a node does that passes it on. The id
    /// is the node's word; the caller knows it better when it can read records.
    pub async fn pass_on(
        &self,
        record: &[u8],
        attachment: Option<&[u8]>,
        timeout: Duration,
    ) -> Result<RecordId, ClientError> {
        let request = self.server.post("v1/records");
        let request = match attachment {
            None => request.header(CONTENT_TYPE, "application/jose").body(record.to_vec()),
            Some(bytes) => {
                let record = String::from_utf8_lossy(record);
                let body = serde_json::json!({ "record": record, "attachment": codec::base64url(bytes) });
                request.header(CONTENT_TYPE, "application/json").body(body.to_string())
            }
        };
        let answer = self.server.success(request, timeout, ANSWER_BYTES_MAX).await?;
        Ok(self.server.json::<SubmitAnswer>(&answer)?.id)
    }

    /// A final record, by its id; `None` when the node has no such record.
    pub async fn record(&self, id: RecordId) -> Result<Option<Record>, ClientError> {
        let request = self.server.get(&format!("v1/records/{id}")).header(ACCEPT, "application/jose");
        let Some(body) = self.found(request, RECORD_BYTES_MAX).await? else { return Ok(None) };
        let record = Record::parse(&body).map_err(|error| self.server.unexpected(error.to_string()))?;
        if record.id() != id {
            return Err(self.server.unexpected("it gave another record than the one asked for"));
        }
        Ok(Some(record))
    }

    /// The receipt of a final record, not verified yet; `None` when there is none (yet).
    pub async fn receipt(&self, id: RecordId) -> Result<Option<Receipt>, ClientError> {
        let request = self.server.get(&format!("v1/records/{id}/receipt")).header(ACCEPT, "application/json");
        let Some(body) = self.found(request, RECEIPT_BYTES_MAX).await? else { return Ok(None) };
        Receipt::decode(&body).map(Some).map_err(|error| self.server.unexpected(error.to_string()))
    }

    /// Which network the node says it is of.
    pub async fn network(&self) -> Result<Network, ClientError> {
        let request = self.server.get("v1/network").header(ACCEPT, "application/json");
        let answer = self.server.success(request, REQUEST_TIMEOUT, ANSWER_BYTES_MAX).await?;
        self.server.json(&answer)
    }

    /// The validators of the set in force, as the node says; not verified.
    pub async fn validators(&self) -> Result<Vec<Validator>, ClientError> {
        #[derive(Deserialize)]
        struct Answer {
            validators: Vec<Validator>,
        }
        let request = self.server.get("v1/network").header(ACCEPT, "application/json");
        let answer = self.server.success(request, REQUEST_TIMEOUT, ANSWER_BYTES_MAX).await?;
        Ok(self.server.json::<Answer>(&answer)?.validators)
    }

    /// How the node is, and how far.
    pub async fn status(&self) -> Result<NodeStatus, ClientError> {
        let request = self.server.get("v1/status").header(ACCEPT, "application/json");
        let answer = self.server.success(request, REQUEST_TIMEOUT, ANSWER_BYTES_MAX).await?;
        self.server.json(&answer)
    }

    /// What the node says of itself, for people; not verified.
    pub async fn report(&self) -> Result<NodeReport, ClientError> {
        self.registry("v1/status").await
    }

    /// The parameters in force, as the node says; a header names their hash.
    pub async fn parameters(&self) -> Result<Parameters, ClientError> {
        #[derive(Deserialize)]
        struct Answer {
            parameters: Parameters,
        }
        Ok(self.registry::<Answer>("v1/network").await?.parameters)
    }

    /// The newest checkpoint as a signed note, not verified.
    pub async fn latest_checkpoint(&self) -> Result<Option<Note>, ClientError> {
        self.checkpoint("latest").await
    }

    /// The newest block's header and certificate, not verified; `None` when there is only genesis.
    pub async fn latest_header(&self) -> Result<Option<Latest>, ClientError> {
        let request = self.server.get("v1/checkpoints/latest").header(ACCEPT, "application/json");
        let Some(body) = self.found(request, ANSWER_BYTES_MAX).await? else { return Ok(None) };
        serde_json::from_slice(&body).map(Some).map_err(|error| self.server.unexpected(error.to_string()))
    }

    /// How the epochs from `start` on vouch for the next one, as many as the node gives at once; not verified.
    pub async fn epochs(&self, start: u64) -> Result<Epochs, ClientError> {
        #[derive(Deserialize)]
        struct Page {
            epochs: Vec<Item>,
            next: Option<String>,
        }
        #[derive(Deserialize)]
        struct Item {
            epoch: u64,
            link: Option<EpochLink>,
        }
        let page: Page = self.registry(&format!("v1/epochs?start={start}")).await?;
        let in_order = page.epochs.iter().zip(start..).all(|(item, expected)| item.epoch == expected);
        if !in_order {
            return Err(self.server.unexpected("its epochs are not in order"));
        }
        let links = page.epochs.into_iter().map_while(|item| item.link).collect();
        Ok(Epochs { links, next: page.next.is_some() })
    }

    /// The proof that header `from` lies under header `to`; `None` when the node has not got so far.
    pub async fn history(&self, from: Height, to: Height) -> Result<Option<History>, ClientError> {
        let request = self.server.get(&format!("v1/history?from={from}&to={to}")).header(ACCEPT, "application/json");
        let Some(body) = self.found(request, ANSWER_BYTES_MAX).await? else { return Ok(None) };
        serde_json::from_slice(&body).map(Some).map_err(|error| self.server.unexpected(error.to_string()))
    }

    /// The checkpoint of a height as a signed note, not verified; `None` when it is not there.
    pub async fn checkpoint_at(&self, height: Height) -> Result<Option<Note>, ClientError> {
        self.checkpoint(&height.to_string()).await
    }

    /// The proof that the log of `from` records is a prefix of the log of `to`; `None` when the node has not got so far.
    pub async fn consistency(&self, from: LogSize, to: LogSize) -> Result<Option<Consistency>, ClientError> {
        let request = self.server.get(&format!("v1/consistency?from={from}&to={to}"));
        let Some(body) = self.found(request, ANSWER_BYTES_MAX).await? else { return Ok(None) };
        serde_json::from_slice(&body).map(Some).map_err(|error| self.server.unexpected(error.to_string()))
    }

    /// What the node says of some state keys, with what proves it; not verified.
    pub async fn state(&self, keys: &[StateKey]) -> Result<Evidence, ClientError> {
        // A state key holds no character that a query would have to escape.
        let query: Vec<_> = keys.iter().map(|key| format!("key={key}")).collect();
        self.registry(&format!("v1/state?{}", query.join("&"))).await
    }

    /// The evidence inside the answer of one of the routes that prove what they say; not verified. The rest of such an
    /// answer is the node's own reading of it, and not looked at here.
    pub async fn evidence(&self, path: &str) -> Result<Evidence, ClientError> {
        #[derive(Deserialize)]
        struct Answer {
            evidence: Evidence,
        }
        let answer: Answer = self.registry(path).await?;
        Ok(answer.evidence)
    }

    /// Ids in a node's list of objects, at most `most` of them. Lists are a node's word: nothing proves them whole.
    pub async fn list(&self, path: &str, most: usize) -> Result<Vec<String>, ClientError> {
        #[derive(Deserialize)]
        struct Page {
            items: Vec<Item>,
            next: Option<String>,
        }
        #[derive(Deserialize)]
        struct Item {
            id: String,
        }
        let (mut ids, mut next) = (Vec::new(), Some(path.to_owned()));
        while let Some(path) = next.filter(|_| ids.len() < most) {
            let page: Page = self.registry(path.trim_start_matches('/')).await?;
            // A node that answers with empty pages for ever must end, too.
            next = page.next.filter(|_| !page.items.is_empty());
            ids.extend(page.items.into_iter().map(|item| item.id));
        }
        ids.truncate(most);
        Ok(ids)
    }

    async fn registry<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let request = self.server.get(path).header(ACCEPT, "application/json");
        let answer = self.server.success(request, REQUEST_TIMEOUT, EVIDENCE_BYTES_MAX).await?;
        self.server.json(&answer)
    }

    /// The bits of a status list by their digest, not verified; `None` when the node does not hold them.
    pub async fn attachment(&self, digest: AttachmentHash) -> Result<Option<Vec<u8>>, ClientError> {
        let request = self.server.get(&format!("v1/attachments/{digest}")).header(ACCEPT, "application/octet-stream");
        self.found(request, ATTACHMENT_BYTES_MAX).await
    }

    /// Blocks from a height (at least 1) on, at most `limit` (1 to 512) of them; none of them verified. Fewer come when the
    /// node has no more, or when they are large: ask again from the height after the last one.
    pub async fn blocks(&self, from: Height, limit: usize) -> Result<BlockStream, ClientError> {
        let request = self.server.get(&format!("v1/blocks/stream?from={from}&limit={limit}"));
        let request = request.header(ACCEPT, stream::MEDIA_TYPE);
        let answer = self.server.success(request, BLOCKS_TIMEOUT, BLOCK_STREAM_BYTES_MAX).await?;
        let blocks =
            stream::read_blocks(&answer.body).map_err(|error| self.server.unexpected(format!("blocks: {error}")))?;
        if blocks.first != from || blocks.blocks.len() > limit {
            return Err(self.server.unexpected("blocks: others than were asked for"));
        }
        Ok(blocks)
    }

    async fn checkpoint(&self, which: &str) -> Result<Option<Note>, ClientError> {
        let request = self.server.get(&format!("v1/checkpoints/{which}")).header(ACCEPT, "text/plain");
        let Some(body) = self.found(request, NOTE_BYTES_MAX).await? else { return Ok(None) };
        Note::parse(&body).map(Some).map_err(|error| self.server.unexpected(error.to_string()))
    }

    /// The body of a success; `None` for 404.
    async fn found(&self, request: reqwest::RequestBuilder, bytes_max: usize) -> Result<Option<Vec<u8>>, ClientError> {
        let answer = self.server.answer(request, REQUEST_TIMEOUT, bytes_max).await?;
        match answer.status {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => Ok(Some(answer.body)),
            _ => Err(self.server.refused(&answer)),
        }
    }
}

/// Whether a node says that it has seen this very record (or its `jti`, which is fresh for each record).
fn is_known(code: &str) -> bool {
    code == "admission.duplicate"
}
