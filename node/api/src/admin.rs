//! The operator's routes, for a listener on loopback: whether the node lives, whether it is ready, its metrics, and
//! backups.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::IntoResponse;
use axum::routing::get;
use serde::Serialize;

use crate::app::Api;
use crate::keeper::{self, Backups, Keeper};
use crate::problem::{self, Problem};
use crate::server::ServerCounters;
use crate::views::NotReadyView;

/// What `/readyz` says.
#[derive(Serialize)]
struct Readiness {
    ready: bool,
    reasons: Vec<NotReadyView>,
}

#[derive(Clone)]
pub(crate) struct Admin {
    pub(crate) api: Api,
    pub(crate) backups: Backups,
    public: Arc<ServerCounters>,
}

pub(crate) fn router(api: Api, public: Arc<ServerCounters>, keeper: Option<Arc<dyn Keeper>>) -> Router {
    let unknown =
        || async { Problem::new(&problem::UNKNOWN_ROUTE, "this listener has /livez, /readyz, /metrics and /backup") };
    let method = || async { Problem::new(&problem::METHOD, "this listener takes GET only, and POST on /backup") };
    Router::new()
        .route("/livez", get(live))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/backup", get(keeper::state).post(keeper::begin))
        .fallback(unknown)
        .method_not_allowed_fallback(method)
        .with_state(Admin { api, backups: Backups::new(keeper), public })
}

pub(crate) fn answer(status: StatusCode, media_type: &'static str, body: String) -> impl IntoResponse {
    let headers = [(CONTENT_TYPE, media_type), (CACHE_CONTROL, "no-store"), (X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (status, headers, body)
}

async fn live(State(admin): State<Admin>) -> impl IntoResponse {
    let alive = admin.api.node().health.is_alive();
    let (status, text) =
        if alive { (StatusCode::OK, "alive\n") } else { (StatusCode::SERVICE_UNAVAILABLE, "a fatal error was met\n") };
    answer(status, "text/plain; charset=utf-8", text.to_owned())
}

async fn ready(State(admin): State<Admin>) -> impl IntoResponse {
    let problems = admin.api.node().health.problems();
    let status = if problems.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let readiness = Readiness { ready: problems.is_empty(), reasons: problems.iter().map(NotReadyView::new).collect() };
    answer(status, "application/json", serde_json::to_string(&readiness).expect("strings and booleans serialise"))
}

async fn metrics(State(admin): State<Admin>) -> impl IntoResponse {
    let text = admin.api.metrics().text(admin.public.read(), &admin.api.node().health.metrics());
    answer(StatusCode::OK, "application/openmetrics-text; version=1.0.0; charset=utf-8", text)
}
