//! Requests: strict queries and path segments, and bodies within the budget. What is unknown, doubled or malformed
//! is refused with the reason, so that a misspelt parameter is never silently ignored.

use axum::body::Body;
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::Body as _;
use serde::de::DeserializeOwned;
use testamur_primitives::codec::from_decimal;
use testamur_primitives::hash::RecordId;
use testamur_primitives::limits::JSON_INTEGER_MAX;
use tokio::sync::Semaphore;

use crate::limits::{PAGE_ITEMS_DEFAULT, PAGE_ITEMS_MAX};
use crate::problem::{self, Problem};

/// Query parameters of a route; its type denies unknown ones.
pub(crate) struct Parameters<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::from_uri(&parts.uri)
    }
}

impl<T: DeserializeOwned> Parameters<T> {
    fn from_uri(uri: &Uri) -> Result<Self, Problem> {
        match Query::try_from_uri(uri) {
            Ok(Query(parameters)) => Ok(Self(parameters)),
            Err(rejection) => {
                let text = rejection.body_text();
                let reason = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
                Err(Problem::new(&problem::QUERY, reason))
            }
        }
    }
}

/// No query parameters at all.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoParameters {}

/// The variable part of a path.
pub(crate) struct Segment(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(text)) => Ok(Self(text)),
            Err(_) => Err(Problem::new(&problem::PATH, "the path is not UTF-8")),
        }
    }
}

impl Segment {
    /// A record's id.
    pub(crate) fn record_id(&self) -> Result<RecordId, Problem> {
        let malformed = || Problem::new(&problem::PATH, "a record id is 64 lower-case hexadecimal digits");
        self.0.parse().map_err(|_| malformed())
    }

    /// A canonical decimal.
    pub(crate) fn number(&self, what: &str) -> Result<u64, Problem> {
        let malformed =
            || Problem::new(&problem::PATH, format!("{what} is a decimal number without sign or leading zero"));
        from_decimal(&self.0).ok().filter(|n| *n <= JSON_INTEGER_MAX).ok_or_else(malformed)
    }
}

/// Checks a query's `limit`.
pub(crate) fn page_items(limit: Option<usize>, most: usize) -> Result<usize, Problem> {
    match limit {
        None => Ok(PAGE_ITEMS_DEFAULT.min(most)),
        Some(limit) if (1..=most).contains(&limit) => Ok(limit),
        Some(_) => Err(Problem::new(&problem::QUERY, format!("limit: must be between 1 and {most}"))),
    }
}

/// As [`page_items`], with the usual maximum.
pub(crate) fn usual_page_items(limit: Option<usize>) -> Result<usize, Problem> {
    page_items(limit, PAGE_ITEMS_MAX)
}

/// Which of these media types a body has; refuses another one, and a compressed body.
pub(crate) fn expect_media_type_of(headers: &HeaderMap, expected: &[&'static str]) -> Result<&'static str, Problem> {
    let found = headers.get(CONTENT_TYPE).map(|v| v.to_str().unwrap_or(""));
    let essence = found.map(|v| v.split(';').next().unwrap_or("").trim());
    let refused = |detail| Err(Problem::new(&problem::MEDIA_TYPE, detail).closing());
    let Some(essence) = essence else {
        return refused(format!("Content-Type is missing; this route takes {}", expected.join(" or ")));
    };
    let Some(media_type) = expected.iter().find(|media_type| essence.eq_ignore_ascii_case(media_type)) else {
        return refused(format!("this route takes {} only", expected.join(" or ")));
    };
    match headers.get(CONTENT_ENCODING) {
        Some(encoding) if !encoding.as_bytes().eq_ignore_ascii_case(b"identity") => {
            Err(Problem::new(&problem::CONTENT_ENCODING, "send the body uncompressed").closing())
        }
        _ => Ok(media_type),
    }
}

/// Reads a body of at most `max` bytes. What all requests together hold while reading stays within `budget`:
/// bytes are counted as they come, so that who announces much and sends little takes little.
pub(crate) async fn read_body(mut body: Body, max: usize, budget: &Semaphore) -> Result<Bytes, Problem> {
    let too_large = || Problem::new(&problem::TOO_LARGE, format!("the body has more than {max} bytes"));
    if body.size_hint().lower() > max as u64 {
        return Err(too_large());
    }
    let mut held = budget.try_acquire_many(0).expect("nothing is always there, and the budget is never closed");
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Problem::from_body_error(&error))?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > max {
            return Err(too_large());
        }
        let more = u32::try_from(data.len()).ok().and_then(|n| budget.try_acquire_many(n).ok());
        let Some(more) = more else {
            return Err(Problem::new(&problem::OVERLOAD, "too many bodies are being read").closing());
        };
        held.merge(more);
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Example {
        limit: Option<usize>,
        from: Option<u64>,
    }

    #[test]
    fn queries_are_strict() {
        let parse = |query: &str| {
            let uri: Uri = format!("/x?{query}").parse().unwrap();
            Parameters::<Example>::from_uri(&uri).map(|p| p.0).map_err(|p| p.detail().to_owned())
        };
        assert_eq!(parse("limit=5"), Ok(Example { limit: Some(5), from: None }));
        let cases = [
            ("limt=5", "limt: unknown field `limt`, expected `limit` or `from`"),
            ("limit=5&limit=6", "duplicate field `limit`"),
            ("limit=-1", "limit: invalid digit found in string"),
            ("from=18446744073709551616", "from: number too large to fit in target type"),
        ];
        for (query, expected) in cases {
            let error = parse(query).unwrap_err();
            assert!(error.ends_with(expected) || error == expected, "{query}: {error}");
        }
    }

    #[tokio::test]
    async fn bodies_stay_within_the_budget() {
        let budget = Semaphore::new(10);
        let body = read_body(Body::from(vec![1; 10]), 10, &budget).await.unwrap();
        assert_eq!((body.len(), budget.available_permits()), (10, 10), "given back");
        assert_eq!(read_body(Body::from(vec![1; 11]), 11, &budget).await.unwrap_err().code(), "request.overload");
        assert_eq!(read_body(Body::from(vec![1; 11]), 10, &budget).await.unwrap_err().code(), "request.too-large");
    }
}
