//! The routes, and the order of their checks: host and site, token, room, body, ledger.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router, middleware};
use serde::{Deserialize, Serialize};
use testamur_api::problem::{self as http, Problem};
use testamur_api::refused::drain_refused;
use testamur_client::author::now;
use testamur_client::nodes::FinaliseError;
use testamur_client::notary::{NotaryError, Pending};
use testamur_primitives::codec;
use testamur_primitives::commitment::{DigestAlgorithm, Form};
use testamur_primitives::hash::GenesisHash;
use testamur_primitives::record::Reference;
use testamur_primitives::units::UnixTime;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::batcher::Batcher;
use crate::config::Backups;
use crate::diplomas::Desk;
use crate::guard::{Caller, Guard, allow_host_and_site, require_token};
use crate::idempotency::{Turn, UnderWay};
use crate::limits::{
    FILES_MAX, HASHES_BYTES_MAX, HASHES_MAX, JSON_KIB_IN_FLIGHT_MAX, PENDING_BYTES_MAX, RESUME_TIMEOUT, STATUS_TIMEOUT,
    UPLOADS_MAX,
};
use crate::problem::{BUSY, GatewayProblem, JSON, KEY_MALFORMED, RECORD_EXPIRED, STOPPING};
use crate::queue::Queue;
use crate::records::{Asked, Content, Records};
use crate::store::SubmissionId;
use crate::tokens::Scope;
use crate::{answer, batches, diplomas, hashes, idempotency, kept, listing, ndjson, openapi, upload};

/// What the routes work with.
pub(crate) struct App {
    /// The university's desk, if there is one.
    pub(crate) desk: Option<Arc<Desk>>,
    /// What is signed, sent and kept.
    pub(crate) records: Arc<Records>,
    pub(crate) batcher: Batcher,
    /// The queue, if there is an archive.
    pub(crate) queue: Option<Arc<Queue>>,
    /// Where backups go.
    pub(crate) backups: Option<Backups>,
    /// How long a record is waited for.
    pub(crate) final_timeout: Duration,
    /// Requests with idempotency keys.
    under_way: UnderWay,
    pub(crate) uploads: Arc<Semaphore>,
    /// Kibibytes of JSON bodies that may be in memory at once.
    json_room: Semaphore,
    batch_window: Duration,
}

pub(crate) type Answer = Result<Response, GatewayProblem>;

/// What a gateway's routes are made of.
pub(crate) struct Parts {
    pub(crate) guard: Arc<Guard>,
    pub(crate) records: Arc<Records>,
    pub(crate) batcher: Batcher,
    pub(crate) queue: Option<Arc<Queue>>,
    pub(crate) backups: Option<Backups>,
    pub(crate) desk: Option<Arc<Desk>>,
    pub(crate) batch_window: Duration,
    pub(crate) final_timeout: Duration,
}

/// All routes of a gateway.
pub(crate) fn router(parts: Parts) -> Router {
    let Parts { guard, records, batcher, queue, backups, desk, batch_window, final_timeout } = parts;
    let app = Arc::new(App {
        desk,
        records,
        batcher,
        queue,
        backups,
        final_timeout,
        under_way: UnderWay::default(),
        uploads: Arc::new(Semaphore::new(UPLOADS_MAX)),
        json_room: Semaphore::new(JSON_KIB_IN_FLIGHT_MAX),
        batch_window,
    });
    let with_token = Router::new()
        .route("/v1/documents", post(documents).get(listing::list))
        .route("/v1/batches", post(batches::notarise))
        .route("/v1/hashes", post(hashes_route))
        .route("/v1/receipts", post(receipts))
        .route("/v1/status", get(status))
        .merge(kept::router())
        .merge(diplomas::routes::router())
        .route_layer(middleware::from_fn_with_state(Arc::clone(&guard), require_token))
        .with_state(app);
    with_token
        .route("/v1/openapi.json", get(openapi_json))
        .route("/docs", get(docs))
        .method_not_allowed_fallback(async || {
            GatewayProblem::from(Problem::new(&http::METHOD, "the route has other methods: see the Allow header"))
        })
        .fallback(async || {
            GatewayProblem::from(Problem::new(&http::UNKNOWN_ROUTE, "no route has this path: see /docs"))
        })
        .layer(middleware::from_fn_with_state(guard, allow_host_and_site))
        .layer(middleware::from_fn(drain_refused))
        // A load balancer knows no host name and has no token; it learns that the process runs, and nothing else.
        .route("/livez", get(async || "alive\n"))
}

/// The query of the notarising routes.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) algorithm: DigestAlgorithm,
    pub(crate) form: Form,
    /// Queued, and answered at once.
    pub(crate) queued: bool,
    /// The caller's own name for it.
    pub(crate) reference: Option<Reference>,
    /// Something was said that concerns documents.
    for_documents: bool,
}

impl Options {
    /// Whether something was said that concerns documents, and not a batch's root.
    pub(crate) fn is_for_documents(&self) -> bool {
        self.for_documents
    }

    fn of(request: &Request) -> Result<Self, GatewayProblem> {
        let refuse = |detail: String| GatewayProblem::from(Problem::new(&http::QUERY, detail));
        let (mut algorithm, mut form, mut queued, mut reference) = (None, None, None, None);
        for pair in request.uri().query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let doubled = match pair.split_once('=').unwrap_or((pair, "")) {
                ("alg", name) => {
                    let known = DigestAlgorithm::from_name(name).ok_or_else(|| {
                        let names: Vec<_> = DigestAlgorithm::ALL.iter().map(|algorithm| algorithm.name()).collect();
                        refuse(format!("alg is one of {}", names.join(", ")))
                    })?;
                    algorithm.replace(known).is_some()
                }
                ("public", "1") => form.replace(Form::Digest).is_some(),
                ("public", "0") => form.replace(Form::Commitment).is_some(),
                ("public", _) => return Err(refuse("public is 1 or 0".into())),
                ("async", "1") => queued.replace(true).is_some(),
                ("async", "0") => queued.replace(false).is_some(),
                ("ref", text) => {
                    let text = text.parse().map_err(|_| refuse(listing::REFERENCE.into()))?;
                    reference.replace(text).is_some()
                }
                ("async", _) => return Err(refuse("async is 1 or 0".into())),
                _ => return Err(refuse("the query takes alg, public, ref and async, nothing else".into())),
            };
            if doubled {
                return Err(refuse("a parameter is given twice".into()));
            }
        }
        Ok(Self {
            for_documents: algorithm.is_some() || form.is_some() || reference.is_some(),
            reference,
            algorithm: algorithm.unwrap_or(DigestAlgorithm::Sha2_256),
            form: form.unwrap_or(Form::Commitment),
            queued: queued.unwrap_or(false),
        })
    }
}

/// How a request that notarises begins: before its body is read.
pub(crate) struct Begun {
    pub(crate) options: Options,
    target: String,
    turn: Option<Turn>,
    place: OwnedSemaphorePermit,
}

impl Begun {
    pub(crate) fn of(app: &App, caller: &Caller, request: &Request) -> Result<Self, GatewayProblem> {
        caller.require(Scope::Notarise)?;
        let options = Options::of(request)?;
        match app.records.store() {
            // Before a byte of the body is read: what is on its way must be able to end.
            Some(store) => store.check_room().map_err(|error| GatewayProblem::of_store(&error))?,
            None if options.queued => _ = kept::store(app)?,
            None => {}
        }
        let turn = match idempotency::key_of(request.headers())? {
            Some(key) => Some(app.under_way.begin(kept::store(app)?, caller, &key)?),
            None => None,
        };
        let target = request.uri().path_and_query().map_or("", |target| target.as_str()).to_owned();
        let place = Arc::clone(&app.uploads).try_acquire_owned().map_err(|_| busy())?;
        Ok(Self { options, target, turn, place })
    }

    /// Notarises or queues what the body brought.
    pub(crate) async fn finish(
        self,
        app: &Arc<App>,
        caller: Caller,
        content: Content,
        bytes: Option<u64>,
        name: Option<&str>,
    ) -> Answer {
        let repeatable = match &self.turn {
            None => None,
            Some(turn) => {
                let fingerprint = idempotency::fingerprint(&self.target, &content, self.options.reference.as_ref());
                if let Some(earlier) = turn.earlier(kept::store(app)?, &fingerprint)? {
                    return kept::again(app, earlier, name).await;
                }
                Some((turn.place(), fingerprint))
            }
        };
        let count = content.count();
        let asked = match app.records.store() {
            None => None,
            Some(_) => {
                let id = SubmissionId::fresh().map_err(|error| GatewayProblem::of_store(&error))?;
                Some(Asked { id, caller: caller.label.clone(), reference: self.options.reference.clone(), repeatable })
            }
        };
        if let (true, Some(queue), Some(asked)) = (self.options.queued, &app.queue, &asked) {
            let submission = queue.enqueue(&content, self.options.form, asked).await?;
            tracing::info!(caller = %caller.label, document = %submission.id, documents = count, bytes, "queued");
            return Ok(kept::accepted(&submission));
        }
        let notarise = {
            let app = Arc::clone(app);
            async move { app.batcher.notarise(content, &self.options, asked).await.map(|done| (self, done)) }
        };
        // What is kept is brought to its end, and its key stays in use until then, also when the caller goes away.
        let (_begun, notarised) = match app.records.store() {
            Some(_) => tokio::spawn(notarise).await.unwrap_or_else(|_| Err(stopping()))?,
            None => notarise.await?,
        };
        let record = notarised.record();
        tracing::info!(caller = %caller.label, %record, documents = count, bytes, "documents notarised");
        let id = notarised.id();
        let response = match name {
            Some(name) => answer::one(record, notarised.receipt(0), Some(name).filter(|name| !name.is_empty())),
            None => answer::many(record, notarised.count(), move |place| notarised.receipt(place)),
        };
        Ok(match id {
            Some(id) => kept::named(response, id),
            None => response,
        })
    }
}

async fn documents(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, request: Request) -> Answer {
    let begun = Begun::of(&app, &caller, &request)?;
    let upload = upload::digest_request(request, begun.options.algorithm).await?;
    // One document is answered with its receipt's file, several with an array.
    let name = (upload.digests.len() == 1).then(|| upload.receipt_name.unwrap_or_default());
    begun.finish(&app, caller, Content::Digests(upload.digests), Some(upload.bytes), name.as_deref()).await
}

async fn hashes_route(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, request: Request) -> Answer {
    let begun = Begun::of(&app, &caller, &request)?;
    if upload::content_type(request.headers()) == ndjson::NDJSON {
        if begun.turn.is_some() {
            let detail = "a stream takes no Idempotency-Key: each of its records has its id; nothing was notarised";
            return Err(GatewayProblem::new(&KEY_MALFORMED, detail));
        }
        let Begun { options, place, .. } = begun;
        return Ok(ndjson::answer(app, caller, options, request.into_body(), place));
    }
    let digests = {
        let body = read_json(&app, request, HASHES_BYTES_MAX).await?;
        hashes::parse(&body, begun.options.algorithm)?
    };
    begun.finish(&app, caller, Content::Digests(digests), None, None).await
}

/// The problem of an unknown outcome, as it was answered, or its member `pending` alone.
#[derive(Deserialize)]
#[serde(untagged)]
enum PendingBody {
    Bare(Pending),
    Problem { pending: Pending },
}

async fn receipts(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, request: Request) -> Answer {
    caller.require(Scope::Notarise)?;
    let _place = app.uploads.try_acquire().map_err(|_| busy())?;
    let pending = {
        let body = read_json(&app, request, PENDING_BYTES_MAX).await?;
        let body: PendingBody = codec::from_strict(&body).map_err(|_| {
            let detail = "expected the answer to an unknown outcome, or its member `pending`";
            GatewayProblem::new(&JSON, detail)
        })?;
        match body {
            PendingBody::Bare(pending) | PendingBody::Problem { pending } => pending,
        }
    };
    if pending.openings.len() > HASHES_MAX {
        return Err(GatewayProblem::new(&JSON, format!("expected at most {HASHES_MAX} openings")));
    }
    let cut =
        app.records.notary().resume(&pending, RESUME_TIMEOUT).await.map_err(|error| not_resumed(&error, &pending))?;
    let Pending { record, openings, .. } = pending;
    tracing::info!(caller = %caller.label, %record, documents = openings.len(), "receipts of an earlier record handed over");
    if openings.is_empty() {
        // Of a batch's root: its openings were never here.
        return Ok(answer::one::<answer::MissingReceipt>(record, Ok(cut.stencil().cut(None)), None));
    }
    let count = openings.len() as u64;
    Ok(answer::many(record, count, move |place| {
        let place = usize::try_from(place).expect("a place in a vector");
        cut.receipt(openings[place].clone())
    }))
}

/// Still no receipt: said with the record's expiry, after which waiting is of no use.
fn not_resumed(error: &NotaryError, pending: &Pending) -> GatewayProblem {
    let expired = now().is_some_and(|now| now > pending.expires);
    if let NotaryError::Finalise(FinaliseError::Unknown { id, .. }) = error
        && expired
    {
        let detail = format!(
            "record {id} is not final on any node in reach, and its time to enter the ledger is over: unless those nodes \
             are behind, it never will be; send the documents again"
        );
        return GatewayProblem::new(&RECORD_EXPIRED, detail).with_pending(pending.clone());
    }
    GatewayProblem::of_notary(error, Some(pending.clone()))
}

/// What a gateway says of itself.
#[derive(Serialize)]
struct StatusAnswer {
    author: String,
    network: GenesisHash,
    origin: String,
    version: &'static str,
    ready: bool,
    reason: Option<&'static str>,
    nodes: usize,
    batch_window_ms: u64,
    /// Documents in the queue; none without an archive.
    queued: Option<u64>,
    /// Since when the first of them waits.
    queued_since: Option<UnixTime>,
    hashes_max: usize,
    files_max: usize,
    algorithms: Vec<&'static str>,
}

async fn status(State(app): State<Arc<App>>) -> Response {
    let notary = app.records.notary();
    let reason = match timeout(STATUS_TIMEOUT, notary.nodes().network()).await {
        Ok(Ok(network)) if network.genesis == notary.trust().network() => None,
        Ok(Ok(_)) => Some("the node is of another network than the trust file"),
        Ok(Err(_)) => Some("no node of the network can be reached"),
        Err(_) => Some("no node answers in time"),
    };
    let answer = StatusAnswer {
        author: notary.author().did().to_string(),
        network: notary.trust().network(),
        origin: notary.trust().origin().to_string(),
        version: env!("CARGO_PKG_VERSION"),
        ready: reason.is_none(),
        reason,
        nodes: notary.nodes().nodes().len(),
        batch_window_ms: u64::try_from(app.batch_window.as_millis()).unwrap_or(u64::MAX),
        queued: app.records.store().map(|store| store.waiting()),
        queued_since: app.records.store().and_then(|store| store.waiting_since().ok().flatten()),
        hashes_max: HASHES_MAX,
        files_max: FILES_MAX,
        algorithms: DigestAlgorithm::ALL.iter().map(|algorithm| algorithm.name()).collect(),
    };
    Json(answer).into_response()
}

async fn openapi_json() -> Response {
    let mut response = openapi::document().into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

async fn docs() -> Html<String> {
    Html(openapi::page())
}

/// The whole body of a JSON request; all such bodies together stay within a bound.
pub(crate) async fn read_json(app: &App, request: Request, bytes_max: usize) -> Result<Vec<u8>, GatewayProblem> {
    if upload::content_type(request.headers()) != "application/json" {
        let detail = "expected Content-Type: application/json; nothing was notarised";
        return Err(Problem::new(&http::MEDIA_TYPE, detail).into());
    }
    read_body(app, request, bytes_max).await
}

/// A whole body; all that are in memory stay within a bound.
pub(crate) async fn read_body(app: &App, request: Request, bytes_max: usize) -> Result<Vec<u8>, GatewayProblem> {
    let bytes = upload::content_length(request.headers()).unwrap_or(bytes_max);
    // Refused by what is announced: otherwise whoever announces much holds a place until his time for sending is over.
    if bytes > bytes_max {
        return Err(upload::too_large(bytes_max));
    }
    let kib = u32::try_from(bytes.min(bytes_max).div_ceil(1024)).unwrap_or(u32::MAX);
    let _room = app.json_room.try_acquire_many(kib).map_err(|_| busy())?;
    upload::read_whole(request.into_body(), bytes_max).await
}

fn stopping() -> GatewayProblem {
    GatewayProblem::new(&STOPPING, "the gateway is about to end")
}

fn busy() -> GatewayProblem {
    GatewayProblem::new(&BUSY, "too many requests are under way; nothing was notarised")
}
