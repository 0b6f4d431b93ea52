//! The verifier's errors as RFC 9457 problem details. What is wrong with a diploma is never one: that is a report.

use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use testamur_api::problem::{Kind, Problem};

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $status:ident, $title:literal, $description:literal;)*) => {
        $($(#[$doc])* pub const $name: Kind =
            Kind { code: $code, status: StatusCode::$status, title: $title, description: $description };)*
        /// Every kind of problem of the verifier itself; codes of the HTTP server (`request.*`) stand beside these.
        pub const KINDS: &[Kind] = &[$($name),*];
    };
}

kinds! {
    /// No token, or an unknown one.
    TOKEN = "verifier.token", UNAUTHORIZED, "token missing or wrong", "Send the token of this verifier as `Authorization: Bearer <token>`.";
    /// A host that is not the verifier's.
    FOREIGN_HOST = "verifier.foreign-host", MISDIRECTED_REQUEST, "foreign host", "The Host header does not name this verifier. Its operator can allow further names.";
    /// A web page of another origin.
    CROSS_SITE = "verifier.cross-site", FORBIDDEN, "cross-site call", "A web page of another origin made the browser call. The verifier answers programs, not foreign pages.";
    /// No file.
    EMPTY = "verifier.empty", BAD_REQUEST, "nothing to verify", "The body holds no file.";
    /// More items than a batch takes.
    TOO_MANY = "verifier.too-many", PAYLOAD_TOO_LARGE, "too many items", "Send fewer items in one request.";
    /// A body that is no sequence of items.
    ITEMS = "verifier.items", BAD_REQUEST, "malformed batch", "The body is not a multipart form, lines of JSON or an array as the route takes them.";
    /// An item that is none.
    ITEM = "verifier.item", BAD_REQUEST, "malformed item", "The item is not a text, a package or an object with `file`. The other items of the batch are answered.";
    /// Too much at once.
    BUSY = "verifier.busy", SERVICE_UNAVAILABLE, "verifier busy", "The verifier has as much to do as it takes; try again after Retry-After seconds.";
}

/// A problem as the verifier answers it.
#[derive(Debug, Clone)]
pub struct VerifierProblem(pub Problem);

impl VerifierProblem {
    /// A problem of a kind.
    pub fn new(kind: &Kind, detail: impl Into<String>) -> Self {
        Self(Problem::new(kind, detail))
    }
}

impl From<Problem> for VerifierProblem {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl IntoResponse for VerifierProblem {
    fn into_response(self) -> Response {
        let mut response = self.0.into_response();
        if response.status() == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer realm=\"testamur-verifier\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_well_formed() {
        let mut codes: Vec<_> = KINDS.iter().map(|kind| kind.code).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), KINDS.len());
        assert!(KINDS.iter().all(|kind| kind.code.starts_with("verifier.")));
    }
}
