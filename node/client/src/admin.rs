//! A node's admin listener, as `testamur backup` speaks to it.

use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE};
use serde::{Deserialize, Serialize};

use crate::error::ClientError;
use crate::limits::{ANSWER_BYTES_MAX, REQUEST_TIMEOUT};
use crate::transport::{Connections, Server};

/// Where a backup stands.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum BackupState {
    /// None was asked for since the node started.
    None,
    /// It is being written.
    Running {
        /// Where to.
        directory: String,
    },
    /// It is on disk.
    Done(Backup),
    /// It is not there.
    Failed {
        /// Where it was to be.
        directory: String,
        /// Why it is not.
        detail: String,
    },
}

/// A backup that a node wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    /// Its directory, on the node's machine.
    pub directory: String,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// Height of its newest block.
    pub height: u64,
    /// That block's header hash.
    pub header: String,
    /// Records in its log.
    pub log_size: u64,
    /// Its files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// An admin listener.
#[derive(Debug, Clone)]
pub struct Admin {
    server: Server,
}

impl Admin {
    /// The listener at `http://host:port`; nothing is sent yet.
    pub fn new(address: &str) -> Result<Self, ClientError> {
        Server::new(address, &Connections::default()).map(|server| Self { server })
    }

    /// Asks for a backup into a directory (absolute, not there yet) on the node's machine.
    pub async fn begin_backup(&self, directory: &str) -> Result<(), ClientError> {
        let body = serde_json::json!({ "directory": directory }).to_string();
        let request = self.server.post("backup").header(CONTENT_TYPE, "application/json").body(body);
        self.server.success(request, REQUEST_TIMEOUT, ANSWER_BYTES_MAX).await.map(drop)
    }

    /// How the last backup stands.
    pub async fn backup(&self) -> Result<BackupState, ClientError> {
        let request = self.server.get("backup").header(ACCEPT, "application/json");
        let answer = self.server.success(request, REQUEST_TIMEOUT, ANSWER_BYTES_MAX).await?;
        self.server.json(&answer)
    }
}

/// Pause between two questions how a backup stands.
pub const BACKUP_PAUSE: Duration = Duration::from_millis(200);
