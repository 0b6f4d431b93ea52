//! What the operator's listener asks of a node to keep its ledger safe: a backup, made while the node runs.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::ORIGIN;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};

use crate::admin::{Admin, answer};
use crate::answer::JSON;
use crate::limits::BACKUP_REQUEST_BYTES_MAX;
use crate::problem::{self, Problem};
use crate::request::{expect_media_type_of, read_body};

/// Copies a node's ledger while it runs.
pub trait Keeper: Send + Sync + 'static {
    /// Writes a consistent copy of the ledger into a directory that is not there yet. May take long; called on a
    /// blocking thread, never twice at once.
    fn back_up(&self, directory: &Path) -> Result<BackedUp, BackupError>;
}

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackedUp {
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

/// Why there is no backup.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct BackupError {
    /// What happened, for the operator.
    pub what: String,
}

/// Where a backup stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
enum Job {
    /// None was asked for since the node started.
    None,
    /// It is being written.
    Running { directory: PathBuf },
    /// It is on disk.
    Done {
        directory: PathBuf,
        took_ms: u64,
        #[serde(flatten)]
        backup: BackedUp,
    },
    /// It is not there.
    Failed { directory: PathBuf, detail: String },
}

/// The one backup that may be under way, and how the last one went.
#[derive(Clone)]
pub(crate) struct Backups {
    keeper: Option<Arc<dyn Keeper>>,
    job: Arc<Mutex<Job>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    directory: PathBuf,
}

impl Backups {
    pub(crate) fn new(keeper: Option<Arc<dyn Keeper>>) -> Self {
        Self { keeper, job: Arc::new(Mutex::new(Job::None)) }
    }

    fn job(&self) -> Job {
        self.job.lock().expect("nothing panics under this lock").clone()
    }
}

/// How the last backup stands.
pub(crate) async fn state(State(admin): State<Admin>) -> Response {
    told(StatusCode::OK, &admin.backups.job())
}

/// Begins a backup.
pub(crate) async fn begin(State(admin): State<Admin>, headers: HeaderMap, body: Body) -> Result<Response, Problem> {
    // A web page on the operator's machine can reach this listener, and always tells its origin when it writes.
    if headers.contains_key(ORIGIN) || headers.contains_key("sec-fetch-site") {
        return Err(Problem::new(&problem::FOREIGN, "web pages may not ask for backups: use `testamur backup`"));
    }
    expect_media_type_of(&headers, &[JSON])?;
    let body = read_body(body, BACKUP_REQUEST_BYTES_MAX, admin.api.body_budget()).await?;
    let wanted: Wanted = serde_json::from_slice(&body)
        .map_err(|error| Problem::new(&problem::BODY, format!("expected {{\"directory\":\"/…\"}}: {error}")))?;
    if !wanted.directory.is_absolute() {
        return Err(Problem::new(&problem::BODY, "directory: an absolute path is expected"));
    }
    let Some(keeper) = admin.backups.keeper.clone() else {
        return Err(Problem::new(&problem::NOT_READY, "this server keeps no ledger"));
    };
    let directory = wanted.directory;
    let running = Job::Running { directory: directory.clone() };
    {
        let mut job = admin.backups.job.lock().expect("nothing panics under this lock");
        if let Job::Running { directory } = &*job {
            let detail = format!("a backup into {} is under way: wait for it", directory.display());
            return Err(Problem::new(&problem::NOT_READY, detail));
        }
        *job = running.clone();
    }
    let place = Arc::clone(&admin.backups.job);
    tokio::task::spawn_blocking(move || {
        let began = Instant::now();
        let job = match keeper.back_up(&directory) {
            Ok(backup) => {
                let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
                tracing::info!(
                    directory = %directory.display(), height = backup.height, bytes = backup.bytes, took_ms,
                    "backup written"
                );
                Job::Done { directory, took_ms, backup }
            }
            Err(error) => {
                tracing::error!(directory = %directory.display(), %error, "no backup");
                Job::Failed { directory, detail: error.to_string() }
            }
        };
        *place.lock().expect("nothing panics under this lock") = job;
    });
    Ok(told(StatusCode::ACCEPTED, &running))
}

fn told(status: StatusCode, job: &Job) -> Response {
    let text = serde_json::to_string(job).expect("strings and numbers serialise");
    answer(status, "application/json", text).into_response()
}
