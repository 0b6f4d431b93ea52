//! The routes, and the order of their checks: host and site, token, place, body.
//!
//! The log says of a request how many files it had, how many bytes, how long it took and which verdicts came out; never a name,
//! an issuer, a digest or anything else of what was verified.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use serde::Serialize;
use testamur_api::problem::{self as http, Problem};
use testamur_api::refused::drain_refused;
use testamur_credentials::limits::FILE_BYTES_MAX;
use testamur_primitives::units::UnixTime;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use crate::batch::{Batch, Room};
use crate::body::{content_length, content_type, read_whole};
use crate::check::{Checker, File, LedgerStatus};
use crate::guard::{Guard, admit};
use crate::items::items;
use crate::limits::{BATCHES_MAX, ITEM_BYTES_MAX, ITEMS_MAX, ROOM_TIMEOUT};
use crate::problem::{BUSY, VerifierProblem};
use crate::{openapi, samples};

struct App {
    checker: Arc<Checker>,
    room: Room,
    batches: Arc<Semaphore>,
}

type Answer = Result<Response, VerifierProblem>;

/// All routes of a verifier.
pub(crate) fn router(guard: Arc<Guard>, checker: Arc<Checker>) -> Router {
    let app = Arc::new(App { checker, room: Room::default(), batches: Arc::new(Semaphore::new(BATCHES_MAX)) });
    Router::new()
        .route("/v1/verify", post(verify))
        .route("/v1/verify/batch", post(verify_batch))
        .route("/v1/samples", get(samples_list))
        .route("/v1/samples/{name}", get(sample))
        .route("/v1/status", get(status))
        .with_state(app)
        .route("/openapi.json", get(openapi_json))
        .route("/docs", get(docs))
        .method_not_allowed_fallback(async || {
            VerifierProblem::from(Problem::new(&http::METHOD, "the route has other methods: see the Allow header"))
        })
        .fallback(async || {
            VerifierProblem::from(Problem::new(&http::UNKNOWN_ROUTE, "no route has this path: see /docs"))
        })
        .layer(middleware::from_fn_with_state(guard, admit))
        .layer(middleware::from_fn(drain_refused))
        // A watchdog knows no host name and has no token; it learns that the process runs, and nothing else.
        .route("/healthz", get(async || "alive\n"))
        .layer(middleware::from_fn(keep_nothing))
}

/// Nothing of an answer is kept by anybody on its way, and no browser guesses its type.
async fn keep_nothing(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(
        HeaderName::from_static("content-security-policy"),
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    );
    response
}

/// The query of the verifying routes: the time asked about.
fn time_of(request: &Request) -> Result<Option<UnixTime>, VerifierProblem> {
    let refuse = |detail: &str| VerifierProblem::from(Problem::new(&http::QUERY, detail));
    let mut at = None;
    for pair in request.uri().query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let ("at", text) = pair.split_once('=').unwrap_or((pair, "")) else {
            return Err(refuse("the query takes at, nothing else"));
        };
        let seconds = text.parse().ok().map(UnixTime);
        let time =
            seconds.or_else(|| testamur_primitives::issuers::accreditation::instant(&text.replace("%3A", ":")).ok());
        let time = time.ok_or_else(|| refuse("at is a time such as 2027-01-31T12:00:00Z, or seconds since 1970"))?;
        if at.replace(time).is_some() {
            return Err(refuse("at is given twice"));
        }
    }
    Ok(at)
}

async fn verify(State(app): State<Arc<App>>, request: Request) -> Answer {
    let began = Instant::now();
    let at = time_of(&request)?;
    if content_type(request.headers()) == "multipart/form-data" {
        let detail = "one file is sent as it is (curl --data-binary @FILE); forms go to /v1/verify/batch";
        return Err(Problem::new(&http::MEDIA_TYPE, detail).into());
    }
    let announced = content_length(request.headers()).unwrap_or(FILE_BYTES_MAX);
    if announced > FILE_BYTES_MAX {
        return Err(Problem::new(&http::TOO_LARGE, format!("the file has more than {FILE_BYTES_MAX} bytes")).into());
    }
    let place = timeout(ROOM_TIMEOUT, app.room.take(announced));
    let _place = place.await.map_err(|_| VerifierProblem::new(&BUSY, "too many files are under way"))?;
    // Without an announced length there is room for as much as was taken, and no more.
    let bytes = read_whole(request.into_body(), announced).await?;
    let length = bytes.len();
    let checked = app
        .checker
        .check(File { bytes, receipt: None, at })
        .await
        .map_err(|failed| VerifierProblem::from(Problem::new(&http::FAILED, failed.to_string())))?;
    let credentials = checked.answer.reports.len();
    tracing::info!(bytes = length, credentials, verdict = ?checked.answer.verdict, took = ?began.elapsed(), "file verified");
    Ok(Json(checked).into_response())
}

async fn verify_batch(State(app): State<Arc<App>>, request: Request) -> Answer {
    let began = Instant::now();
    let at = time_of(&request)?;
    let busy = |_| VerifierProblem::new(&BUSY, "too many batches are under way");
    let place = Arc::clone(&app.batches).try_acquire_owned().map_err(busy)?;
    let items = items(request).await?;
    let batch = Batch::new(Arc::clone(&app.checker), app.room.clone(), at, items).begin().await?;
    tracing::info!(files = batch.count(), took = ?began.elapsed(), "batch has come");
    let mut response = Response::new(batch.into_body(place));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    Ok(response)
}

/// What a verifier says of itself.
#[derive(Serialize)]
struct StatusAnswer {
    version: &'static str,
    ledgers: Vec<LedgerStatus>,
    proof_age_s: u64,
    items_max: usize,
    file_bytes_max: usize,
    item_bytes_max: usize,
}

async fn status(State(app): State<Arc<App>>) -> Response {
    Json(StatusAnswer {
        version: env!("CARGO_PKG_VERSION"),
        ledgers: app.checker.ledgers(),
        proof_age_s: app.checker.proof_age().as_secs(),
        items_max: ITEMS_MAX,
        file_bytes_max: FILE_BYTES_MAX,
        item_bytes_max: ITEM_BYTES_MAX,
    })
    .into_response()
}

async fn samples_list() -> Response {
    json_text(samples::INDEX.to_owned())
}

async fn sample(axum::extract::Path(name): axum::extract::Path<String>) -> Answer {
    let sample = samples::SAMPLES.iter().find(|(known, _)| *known == name);
    let (_, bytes) =
        sample.ok_or_else(|| Problem::new(&http::NOT_FOUND, "no sample has this name: see /v1/samples"))?;
    let mut response = bytes.into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    Ok(response)
}

async fn openapi_json() -> Response {
    json_text(openapi::document())
}

fn json_text(text: String) -> Response {
    let mut response = text.into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

async fn docs() -> Html<String> {
    Html(openapi::page())
}
