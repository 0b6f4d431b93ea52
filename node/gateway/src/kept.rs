//! `/v1/documents/{id}`: where a request stands, and its receipts again, for whoever holds the token that it came with.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State as Shared};
use axum::http::header::{CACHE_CONTROL, HeaderValue, LOCATION};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::answer;
use crate::config::Backups;
use crate::guard::Caller;
use crate::problem::{
    BACKUP_FAILED, BACKUPS_ABSENT, GatewayProblem, NOT_FINAL, OUTCOME_UNKNOWN, STORE_ABSENT, UNKNOWN_DOCUMENT,
    UNSETTLED,
};
use crate::records::{self, refused};
use crate::routes::{Answer, App};
use crate::store::{State, Store, Submission, SubmissionId};
use crate::tokens::Scope;

/// Header that names the id of a request.
pub const DOCUMENT_HEADER: HeaderName = HeaderName::from_static("testamur-document");
/// Pause before the archive is asked again whether a request that is repeated has its receipts.
const LOOK_PAUSE: Duration = Duration::from_millis(50);

/// The routes of what is kept. Without an archive each says so.
pub(crate) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/v1/documents/{id}", get(show).delete(forget))
        .route("/v1/documents/{id}/receipt", get(receipts))
        .route("/v1/documents/{id}/receipts/{place}", get(receipt))
        .route("/v1/backups", post(back_up))
}

/// The archive, or the problem that there is none.
pub(crate) fn store(app: &App) -> Result<&Arc<Store>, GatewayProblem> {
    app.records.store().ok_or_else(|| GatewayProblem::new(&STORE_ABSENT, "this gateway keeps no receipts"))
}

/// A submission that the caller's own token brought. To others it does not exist.
fn find(app: &App, caller: &Caller, id: &str) -> Result<(Arc<Store>, Submission), GatewayProblem> {
    caller.require(Scope::Notarise)?;
    let store = store(app)?;
    let unknown = || GatewayProblem::new(&UNKNOWN_DOCUMENT, "nothing that was sent with this token has this id");
    let id: SubmissionId = id.parse().map_err(|_| unknown())?;
    let found = store.submission(id).map_err(|error| GatewayProblem::of_store(&error))?;
    let submission = found.filter(|submission| submission.caller == caller.label).ok_or_else(unknown)?;
    Ok((Arc::clone(store), submission))
}

/// Where a submission stands, as it is answered. Times are seconds since 1970.
pub(crate) fn standing(submission: &Submission) -> Value {
    let href = format!("/v1/documents/{}", submission.id);
    let mut answer = json!({
        "id": submission.id, "href": href, "state": submission.state.name(), "since": submission.since,
        "created": submission.created, "documents": submission.documents(),
    });
    if let Some(reference) = &submission.reference {
        answer["ref"] = json!(reference);
    }
    if let Some(root) = &submission.batch {
        answer["root"] = json!(root.root);
    }
    match &submission.state {
        State::Queued { .. } => {}
        State::Sent { record, expires } => {
            answer["record"] = json!(record);
            answer["expires"] = json!(expires);
        }
        State::Final { record, height, time } => {
            answer["record"] = json!(record);
            answer["height"] = json!(height);
            answer["time"] = json!(time);
            answer["receipts"] = json!(format!("{href}/receipt"));
        }
        State::Refused { code, detail } => {
            answer["code"] = json!(code);
            answer["detail"] = json!(detail);
        }
    }
    answer
}

pub(crate) fn json_answer(status: StatusCode, value: &Value) -> Response {
    let mut response = (status, Json(value)).into_response();
    // It may hold a salt: no cache keeps it.
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The answer to what was queued.
pub(crate) fn accepted(submission: &Submission) -> Response {
    let mut response = json_answer(StatusCode::ACCEPTED, &standing(submission));
    if let Ok(location) = HeaderValue::try_from(format!("/v1/documents/{}", submission.id)) {
        response.headers_mut().insert(LOCATION, location);
    }
    named(response, submission.id)
}

/// An answer with the id that its receipts are kept under.
pub(crate) fn named(mut response: Response, id: SubmissionId) -> Response {
    if let Ok(id) = HeaderValue::try_from(id.to_string()) {
        response.headers_mut().insert(DOCUMENT_HEADER, id);
    }
    response
}

/// The answer to a request that came before with the same idempotency key: what the first got, or would have got.
pub(crate) async fn again(app: &App, id: SubmissionId, name: Option<&str>) -> Answer {
    let store = store(app)?;
    let deadline = Instant::now() + app.final_timeout;
    loop {
        let found = store.submission(id).map_err(|error| GatewayProblem::of_store(&error))?;
        let unknown = || GatewayProblem::new(&UNKNOWN_DOCUMENT, "what came with this Idempotency-Key was forgotten");
        let submission = found.ok_or_else(unknown)?;
        if submission.queued {
            return Ok(accepted(&submission));
        }
        match &submission.state {
            State::Final { .. } => return Ok(final_answer(store, &submission, name)),
            State::Refused { code, detail } => return Err(refused(code, detail).with_document(id)),
            State::Sent { record, .. } if Instant::now() >= deadline => {
                let detail = format!(
                    "record {record} was sent and is not seen final yet; GET /v1/documents/{id} says where it stands"
                );
                return Err(GatewayProblem::new(&OUTCOME_UNKNOWN, detail).with_document(id));
            }
            _ => sleep(LOOK_PAUSE).await,
        }
    }
}

/// The receipts of a final submission: as the file that is named (by nothing, when it has no name), or as an array that is made
/// while it is sent.
fn final_answer(store: &Arc<Store>, submission: &Submission, name: Option<&str>) -> Response {
    let State::Final { record, .. } = submission.state else { unreachable!("asked for what is final only") };
    let (id, count) = (submission.id, submission.count);
    let (store, submission) = (Arc::clone(store), submission.clone());
    let cut = move |place: u64| -> Result<Vec<u8>, answer::MissingReceipt> {
        let place = u32::try_from(place).map_err(|_| answer::MissingReceipt)?;
        match records::receipt(&store, &submission, place) {
            Ok(Some(receipt)) => Ok(receipt),
            Ok(None) => Err(answer::MissingReceipt),
            Err(error) => {
                tracing::error!(%record, %error, "a receipt could not be read");
                Err(answer::MissingReceipt)
            }
        }
    };
    let response = match name {
        Some(name) if count == 1 => answer::one(record, cut(0), Some(name).filter(|name| !name.is_empty())),
        _ => answer::many(record, u64::from(count), cut),
    };
    named(response, id)
}

async fn show(Shared(app): Shared<Arc<App>>, Extension(caller): Extension<Caller>, Path(id): Path<String>) -> Answer {
    let (store, submission) = find(&app, &caller, &id)?;
    let mut answer = standing(&submission);
    if submission.count == 1
        && let Some(receipt) = records::receipt(&store, &submission, 0).map_err(|e| GatewayProblem::of_store(&e))?
    {
        answer["receipt"] = serde_json::from_slice(&receipt).expect("a receipt is JSON");
    }
    Ok(named(json_answer(StatusCode::OK, &answer), submission.id))
}

/// That there are receipts: else why not.
fn require_final(submission: &Submission) -> Result<(), GatewayProblem> {
    match &submission.state {
        State::Final { .. } => Ok(()),
        State::Refused { code, detail } => Err(refused(code, detail).with_document(submission.id)),
        state => {
            let detail = format!("it is {} since {}", state.name(), submission.since.0);
            Err(GatewayProblem::new(&NOT_FINAL, detail).with_document(submission.id))
        }
    }
}

async fn receipts(
    Shared(app): Shared<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Answer {
    let (store, submission) = find(&app, &caller, &id)?;
    require_final(&submission)?;
    Ok(final_answer(&store, &submission, (submission.count == 1).then_some("")))
}

async fn receipt(
    Shared(app): Shared<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path((id, place)): Path<(String, String)>,
) -> Answer {
    let (store, submission) = find(&app, &caller, &id)?;
    require_final(&submission)?;
    let State::Final { record, .. } = submission.state else { unreachable!("it is final") };
    let unknown = || {
        let detail = format!("places are 0 to {}", submission.count.saturating_sub(1));
        GatewayProblem::new(&UNKNOWN_DOCUMENT, detail)
    };
    let place = place.parse().map_err(|_| unknown())?;
    let receipt = records::receipt(&store, &submission, place).map_err(|error| GatewayProblem::of_store(&error))?;
    let receipt = Ok::<_, answer::MissingReceipt>(receipt.ok_or_else(unknown)?);
    Ok(named(answer::one(record, receipt, None), submission.id))
}

/// Erases what is kept of a request: with the salts goes what connects it with its documents. The ledger's record stays and says
/// nothing. Whoever has a receipt file keeps it.
async fn forget(Shared(app): Shared<Arc<App>>, Extension(caller): Extension<Caller>, Path(id): Path<String>) -> Answer {
    let (store, submission) = find(&app, &caller, &id)?;
    if !submission.state.is_settled() {
        return Err(GatewayProblem::new(&UNSETTLED, "it is on its way; nothing was forgotten"));
    }
    let mut step = store.step();
    step.forget(&submission);
    store.write(step).await.map_err(|error| GatewayProblem::of_store(&error))?;
    tracing::info!(caller = %caller.label, document = %submission.id, documents = submission.count, "forgotten");
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Copies the archive while requests go on: as it is at one moment.
async fn back_up(Shared(app): Shared<Arc<App>>, Extension(caller): Extension<Caller>) -> Answer {
    caller.require(Scope::Operate)?;
    let store = Arc::clone(store(&app)?);
    let absent = || GatewayProblem::new(&BACKUPS_ABSENT, "the gateway was given no directory for backups");
    let Backups { directory, key_file } = app.backups.clone().ok_or_else(absent)?;
    // Named by its time and, since two may come in one second, by what an id is made of.
    let id = SubmissionId::fresh().map_err(|error| GatewayProblem::of_store(&error))?;
    let name = format!("receipts-{id}.redb");
    let copy = directory.join(&name);
    let copied = tokio::task::spawn_blocking(move || {
        let values = store.backup(&copy).map_err(|error| error.to_string())?;
        // If we crash here, the backup is without its key and the next one is whole.
        if let Some(key) = key_file {
            let beside = copy.with_extension("redb.key");
            std::fs::copy(key, beside).map_err(|error| error.to_string())?;
        }
        Ok::<_, String>(values)
    });
    let values = copied.await.unwrap_or_else(|_| Err("it broke off".into())).map_err(|reason| {
        tracing::error!(reason, "backup failed");
        GatewayProblem::new(&BACKUP_FAILED, "the backup could not be written; the log says why")
    })?;
    tracing::info!(caller = %caller.label, name, values, "backup made");
    Ok(json_answer(StatusCode::CREATED, &json!({ "name": name, "values": values })))
}
