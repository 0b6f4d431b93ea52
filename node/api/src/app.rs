//! The application: what handlers share, and what surrounds each of them.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, CONTENT_SECURITY_POLICY,
    HeaderMap, HeaderValue, ORIGIN, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use hyper::body::{Body as _, Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::answer::unless_known;
use crate::health::Health;
use crate::keeper::Keeper;
use crate::ledger::{ReadResult, Reader, Submitter};
use crate::limits::{
    ANSWER_BYTES_IN_FLIGHT_MAX, BODY_BYTES_IN_FLIGHT_MAX, LARGE_ANSWER_BYTES, QUERY_BYTES_MAX, READ_QUEUE_TIMEOUT,
    READS_MAX, WAIT_FINAL_TIMEOUT,
};
use crate::metrics::Metrics;
use crate::openapi::Documents;
use crate::problem::{self, Problem, ProblemDetails};
use crate::rejections::RejectionCode;
use crate::routes::{self, ebsi};
use crate::server::{RequestId, ServerCounters};

/// What the API serves: a node, seen through its three traits.
#[derive(Clone)]
pub struct Node {
    /// Reads its ledger.
    pub reader: Arc<dyn Reader>,
    /// Takes records.
    pub submitter: Arc<dyn Submitter>,
    /// Tells its state.
    pub health: Arc<dyn Health>,
}

/// What an operator sets.
#[derive(Debug, Clone)]
pub struct ApiConfig {
    /// Where clients reach this node from outside, such as `https://node-1.example`.
    pub public_url: Option<String>,
    /// Where the network's operators publish the trust file.
    pub trust_file_url: Option<String>,
    /// Whether clients come by TLS, here or at a proxy: then browsers are told to keep to it.
    pub https: bool,
    /// How long `?wait=final` waits before it answers 202.
    pub wait_final_timeout: Duration,
    /// Codes of the ledger's rules, for the documentation, beside those of records.
    pub rejection_codes: Vec<RejectionCode>,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            public_url: None,
            trust_file_url: None,
            https: false,
            wait_final_timeout: WAIT_FINAL_TIMEOUT,
            rejection_codes: Vec::new(),
        }
    }
}

/// The API of a node: a router for the public and one for the operator.
///
/// ```no_run
/// # use testamur_api::{Api, ApiConfig, Node, server::{Server, ServerLimits}};
/// # async fn run(node: Node, stop: impl Future<Output = ()>, stop_too: impl Future<Output = ()>) -> Result<(), Box<dyn std::error::Error>> {
/// let api = Api::new(node, ApiConfig::default());
/// let public = Server::bind("127.0.0.1:8080".parse()?, ServerLimits::default(), None).await?;
/// let admin = Server::bind("127.0.0.1:9080".parse()?, ServerLimits::default(), None).await?;
/// let admin_router = api.admin_router(public.counters(), None);
/// tokio::join!(public.serve(api.router(), stop), admin.serve(admin_router, stop_too));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Api(Arc<Shared>);

struct Shared {
    node: Node,
    config: ApiConfig,
    reads: Arc<Semaphore>,
    body_bytes: Semaphore,
    answer_bytes: Arc<Semaphore>,
    metrics: Metrics,
    documents: OnceLock<Documents>,
}

impl Api {
    /// Prepares the API of a node.
    pub fn new(node: Node, config: ApiConfig) -> Self {
        Self(Arc::new(Shared {
            node,
            config,
            reads: Arc::new(Semaphore::new(READS_MAX)),
            body_bytes: Semaphore::new(BODY_BYTES_IN_FLIGHT_MAX),
            answer_bytes: Arc::new(Semaphore::new(ANSWER_BYTES_IN_FLIGHT_MAX)),
            metrics: Metrics::new(),
            documents: OnceLock::new(),
        }))
    }

    /// The public routes.
    pub fn router(&self) -> Router {
        let mut router = Router::new();
        for route in routes::table() {
            router = router.route(route.path, route.handlers);
        }
        router
            .fallback(unknown_route)
            .method_not_allowed_fallback(wrong_method)
            .layer(from_fn_with_state(self.clone(), surround))
            .with_state(self.clone())
    }

    /// The operator's routes: `/livez`, `/readyz`, `/metrics`, and `/backup` where there is somebody to make one. For a
    /// listener on loopback.
    pub fn admin_router(&self, public: Arc<ServerCounters>, keeper: Option<Arc<dyn Keeper>>) -> Router {
        crate::admin::router(self.clone(), public, keeper)
    }

    pub(crate) fn node(&self) -> &Node {
        &self.0.node
    }

    pub(crate) fn config(&self) -> &ApiConfig {
        &self.0.config
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    pub(crate) fn body_budget(&self) -> &Semaphore {
        &self.0.body_bytes
    }

    pub(crate) fn documents(&self) -> &Documents {
        self.0.documents.get_or_init(|| Documents::new(&self.0.config))
    }

    /// Reads the ledger on a blocking thread. The permit goes with the thread, not with the request: a client that
    /// leaves does not make room for another read while its own still runs.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&dyn Reader) -> ReadResult<T> + Send + 'static,
    ) -> Result<T, Problem> {
        let turn = timeout(READ_QUEUE_TIMEOUT, Arc::clone(&self.0.reads).acquire_owned()).await;
        let Ok(permit) = turn else {
            return Err(Problem::new(&problem::OVERLOAD, "too many reads are waiting"));
        };
        let permit = permit.expect("the semaphore is never closed");
        let reader = Arc::clone(&self.0.node.reader);
        let done = tokio::task::spawn_blocking(move || {
            let result = read(reader.as_ref());
            drop(permit);
            result
        });
        match done.await {
            Ok(result) => Ok(result?),
            Err(error) => {
                tracing::error!(request_id = %RequestId::current(), %error, "a read panicked");
                Err(Problem::new(&problem::FAILED, "the server failed"))
            }
        }
    }

    /// As [`Api::read`], for one thing that may not be there.
    pub(crate) async fn find<T: Send + 'static>(
        &self,
        missing: impl FnOnce() -> String,
        read: impl FnOnce(&dyn Reader) -> ReadResult<Option<T>> + Send + 'static,
    ) -> Result<T, Problem> {
        self.read(read).await?.ok_or_else(|| Problem::new(&problem::NOT_FOUND, missing()))
    }
}

async fn unknown_route() -> Problem {
    Problem::new(&problem::UNKNOWN_ROUTE, "there is no such route; /docs lists all of them")
}

async fn wrong_method(method: Method, headers: HeaderMap) -> Response {
    if method == Method::OPTIONS && is_preflight_of_a_read(&headers) {
        return preflight();
    }
    let method = if method.as_str().len() <= 16 { method.as_str() } else { "this method" };
    Problem::new(&problem::METHOD, format!("this route does not take {method}; see the Allow header")).into_response()
}

/// What browsers ask before a page of another origin reads with a header of its own. For writes the answer is 405, as it was.
fn is_preflight_of_a_read(headers: &HeaderMap) -> bool {
    let method = headers.get(ACCESS_CONTROL_REQUEST_METHOD).map(HeaderValue::as_bytes);
    matches!(method, Some(b"GET" | b"HEAD")) && headers.contains_key(ORIGIN)
}

fn preflight() -> Response {
    let headers = [
        (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD"),
        // What a read takes notice of; `*` would let pages probe with any header, and promise what nothing here reads.
        (ACCESS_CONTROL_ALLOW_HEADERS, "accept, if-none-match, cache-control"),
        (ACCESS_CONTROL_MAX_AGE, "86400"),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

/// What no answer may do in a browser; pages of our own say otherwise for themselves.
pub(crate) const NO_CONTENT_POLICY: &str =
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// Around each handler: the query's bound, 304, headers, counting.
async fn surround(State(api): State<Api>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    // The template, never the path itself: ids and hashes in logs would say who looks at what.
    let route = request.extensions().get::<MatchedPath>().map_or("unknown", MatchedPath::as_str).to_owned();
    let request_headers = request.headers().clone();
    let in_ebsis_words = ebsi::problem::in_lane(request.uri().path());
    let under_way = api.metrics().begin();
    let response = if request.uri().query().is_some_and(|query| query.len() > QUERY_BYTES_MAX) {
        let detail = format!("the query string is longer than {QUERY_BYTES_MAX} bytes");
        Problem::new(&problem::QUERY_TOO_LONG, detail).into_response()
    } else {
        next.run(request).await
    };
    let response = if in_ebsis_words { ebsi::problem::translate(response) } else { response };
    let mut response = within_budget(&api, unless_known(&request_headers, response));
    set_headers(&method, api.config().https, response.headers_mut());
    drop(under_way);
    let code = response.extensions().get::<ProblemDetails>().map(|p| p.code.clone());
    let elapsed = started.elapsed();
    api.metrics().count(&route, &method, response.status(), code.as_deref(), elapsed);
    tracing::debug!(
        request_id = %RequestId::current(), %method, route, status = response.status().as_u16(), code,
        elapsed_ms = elapsed.as_millis() as u64, "request"
    );
    response
}

fn set_headers(method: &Method, https: bool, headers: &mut HeaderMap) {
    static POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(NO_CONTENT_POLICY));
    if https {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    // Reads are public and carry no credentials, so any page may make them. Writes are not for pages of others.
    if matches!(*method, Method::GET | Method::HEAD) {
        headers.insert(&POLICY, HeaderValue::from_static("cross-origin"));
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        let exposed = HeaderValue::from_static("etag, location, retry-after, x-request-id");
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
}

/// Large answers are held until the client has taken them: what all of them hold together is bounded.
fn within_budget(api: &Api, response: Response) -> Response {
    let bytes = response.body().size_hint().lower();
    if bytes <= LARGE_ANSWER_BYTES {
        return response;
    }
    let permits =
        u32::try_from(bytes).ok().and_then(|n| Arc::clone(&api.0.answer_bytes).try_acquire_many_owned(n).ok());
    match permits {
        Some(permit) => response.map(|inner| Body::new(LargeAnswer { inner, _permit: permit })),
        None => Problem::new(&problem::OVERLOAD, "too many large answers are under way").into_response(),
    }
}

struct LargeAnswer {
    inner: Body,
    _permit: OwnedSemaphorePermit,
}

impl hyper::body::Body for LargeAnswer {
    type Data = bytes::Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<bytes::Bytes>, axum::Error>>> {
        std::pin::Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
