//! The documentation: for machines and for people.

use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::response::{IntoResponse as _, Response};

use crate::answer::{Answer, Caching, HTML, JSON};
use crate::app::Api;
use crate::problem::Problem;
use crate::request::{NoParameters, Parameters};

/// This document
///
/// OpenAPI 3.1, generated from the code.
#[utoipa::path(
    get, path = "/v1/openapi.json", operation_id = "readOpenApi", tag = "documentation",
    responses((status = 200, description = "The OpenAPI document", body = Object, content_type = "application/json"))
)]
pub(crate) async fn openapi(
    State(api): State<Api>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Result<Answer, Problem> {
    Ok(Answer::new(JSON, api.documents().openapi.clone(), Caching::OnThisNode))
}

/// This document, for reading
///
/// One page without scripts or anything from third parties.
#[utoipa::path(
    get, path = "/docs", operation_id = "readDocs", tag = "documentation",
    responses((status = 200, description = "The page", body = String, content_type = "text/html"))
)]
pub(crate) async fn docs(
    State(api): State<Api>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Result<Response, Problem> {
    let documents = api.documents();
    let mut response = Answer::new(HTML, documents.page.clone(), Caching::OnThisNode).into_response();
    let policy = HeaderValue::try_from(&documents.page_policy).expect("a policy of plain ASCII");
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    Ok(response)
}
