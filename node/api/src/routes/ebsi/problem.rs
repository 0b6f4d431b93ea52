//! Problems in EBSI's words: RFC 9457 with `about:blank` as type and titles of its own.

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::CONTENT_LENGTH;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use super::PLACES;
use crate::problem::{NOT_FOUND, Problem, ProblemDetails, QUERY};

/// The JSON of a problem.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EbsiProblem {
    /// `about:blank`.
    r#type: String,
    /// What was not found, or the status in words.
    #[schema(example = "Identifier Not Found")]
    title: String,
    /// HTTP status.
    status: u16,
    /// What is wrong with this request.
    detail: String,
}

/// Whether a path is answered in EBSI's words.
pub(crate) fn in_lane(path: &str) -> bool {
    let under = |place: &str| path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    PLACES.into_iter().any(under) || path == "/v1/alive"
}

/// Says a problem in EBSI's words, whatever made it.
pub(crate) fn translate(response: Response) -> Response {
    let Some(details) = response.extensions().get::<ProblemDetails>() else { return response };
    let status = response.status();
    let title = match status {
        StatusCode::NOT_FOUND if details.title.ends_with(" Not Found") => details.title.clone(),
        status => status.canonical_reason().unwrap_or("Error").to_owned(),
    };
    let problem =
        EbsiProblem { r#type: "about:blank".into(), title, status: status.as_u16(), detail: details.detail.clone() };
    let body = serde_json::to_vec(&problem).expect("strings and a number serialise");
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(body))
}

/// Nothing there.
pub(crate) fn not_found(title: &'static str, detail: impl Into<String>) -> Problem {
    Problem::new(&NOT_FOUND, detail).with_title(title)
}

/// A request that makes no sense.
pub(crate) fn bad_request(detail: impl Into<String>) -> Problem {
    Problem::new(&QUERY, detail)
}

/// A parameter that is out of its bounds. EBSI's services list all their complaints.
pub(crate) fn invalid(complaints: &[String]) -> Problem {
    bad_request(serde_json::to_string(complaints).expect("strings serialise"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_is_a_path_and_what_lies_under_it() {
        for path in ["/did-registry/v5", "/did-registry/v5/x", "/v1/issuers-registry/issuers", "/v1/alive"] {
            assert!(in_lane(path), "{path}");
        }
        for path in ["/did-registry/v55", "/v1/dids", "/v1/alive/x", "/", "/1.0/identifiers/x"] {
            assert!(!in_lane(path), "{path}");
        }
    }
}
