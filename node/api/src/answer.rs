//! Answers: bytes with a media type and a rule for caches; and which of its media types a client wants.

use axum::body::Body;
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;
use testamur_primitives::codec::sha256;

use crate::problem::{self, Problem};

/// `application/json`.
pub(crate) const JSON: &str = "application/json";
/// `application/jose` (RFC 7515 §9.2.1): a compact JWS.
pub(crate) const JOSE: &str = "application/jose";
/// Notes, policies and proofs of the C2SP formats.
pub(crate) const TEXT: &str = "text/plain; charset=utf-8";
/// Tiles.
pub(crate) const OCTETS: &str = "application/octet-stream";
/// Blocks in the frames of `testamur_primitives::stream`.
pub(crate) const LEDGER: &str = testamur_primitives::stream::MEDIA_TYPE;
/// Pages.
pub(crate) const HTML: &str = "text/html; charset=utf-8";

/// What caches may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caching {
    /// These bytes never change, and are the same on every honest node.
    Immutable,
    /// These bytes do not change on this node but differ between nodes (certificates do).
    OnThisNode,
    /// May differ with the next block.
    Revalidate,
    /// May differ with the next block, and seldom does: who has it already is told so.
    WhileUnchanged,
}

/// An answer with status 200.
#[derive(Debug)]
pub(crate) struct Answer {
    media_type: &'static str,
    body: Bytes,
    caching: Caching,
    negotiated: bool,
}

impl Answer {
    pub(crate) fn new(media_type: &'static str, body: impl Into<Bytes>, caching: Caching) -> Self {
        Self { media_type, body: body.into(), caching, negotiated: false }
    }

    pub(crate) fn json<T: Serialize>(value: &T, caching: Caching) -> Self {
        Self::new(JSON, serde_json::to_vec(value).expect("views have no map with odd keys"), caching)
    }

    /// Marks an answer that depends on the Accept header.
    pub(crate) fn negotiated(mut self) -> Self {
        self.negotiated = true;
        self
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let etag = (self.caching != Caching::Revalidate).then(|| {
            let hash = sha256(&[&self.body]);
            let tag: String = hash[..16].iter().map(|b| format!("{b:02x}")).collect();
            HeaderValue::try_from(format!("\"{tag}\"")).expect("hexadecimal digits in quotes")
        });
        let mut response = Response::new(Body::from(self.body));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.media_type));
        let caching = match self.caching {
            Caching::Immutable => "public, max-age=31536000, immutable",
            Caching::OnThisNode => "public, max-age=300",
            Caching::Revalidate | Caching::WhileUnchanged => "no-cache",
        };
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(caching));
        if let Some(etag) = etag {
            headers.insert(ETAG, etag);
        }
        if self.negotiated {
            headers.insert(VARY, HeaderValue::from_static("accept"));
        }
        response
    }
}

/// Turns an answer into 304 when the client has it already.
pub(crate) fn unless_known(request: &HeaderMap, mut response: Response) -> Response {
    if response.status() != StatusCode::OK {
        return response;
    }
    let Some(etag) = response.headers().get(ETAG).and_then(|v| v.to_str().ok()) else { return response };
    let known = request.get_all(IF_NONE_MATCH).iter().filter_map(|v| v.to_str().ok());
    let mut tags = known.flat_map(|v| v.split(',')).map(|tag| tag.trim().trim_start_matches("W/"));
    if tags.any(|tag| tag == etag || tag == "*") {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = Body::empty();
        response.headers_mut().remove(CONTENT_TYPE);
    }
    response
}

/// Which of `offered` (without parameters, the default first) the Accept header prefers (RFC 9110 §12.5.1).
pub(crate) fn negotiate(headers: &HeaderMap, offered: &[&'static str]) -> Result<&'static str, Problem> {
    let mut ranges = Vec::new();
    for value in headers.get_all(ACCEPT) {
        let Ok(value) = value.to_str() else { continue };
        ranges.extend(value.split(',').filter_map(parse_range));
    }
    if ranges.is_empty() {
        return Ok(offered[0]);
    }
    let quality = |offer: &str| {
        let (kind, _) = offer.split_once('/').expect("media types have a slash");
        let specificity = |range: &str| match range {
            "*/*" => Some(0),
            _ if range.strip_suffix("/*") == Some(kind) => Some(1),
            _ if range == offer => Some(2),
            _ => None,
        };
        let matching = ranges.iter().filter_map(|(range, q)| Some((specificity(range)?, *q)));
        matching.max_by_key(|(specificity, _)| *specificity).map_or(0, |(_, q)| q)
    };
    // The first of equals wins: `max_by_key` takes the last, hence the reversal.
    let best = offered.iter().rev().max_by_key(|offer| quality(offer)).expect("something is offered");
    if quality(best) == 0 {
        let detail = format!("this resource comes as {}", offered.join(" or "));
        return Err(Problem::new(&problem::NOT_ACCEPTABLE, detail));
    }
    Ok(best)
}

/// A media range in lower case and its quality in thousandths; other parameters are ignored.
fn parse_range(text: &str) -> Option<(String, u16)> {
    let mut parts = text.split(';');
    let range = parts.next()?.trim().to_ascii_lowercase();
    range.contains('/').then_some(())?;
    let q = parts.find_map(|p| p.trim().strip_prefix("q=").map(str::to_owned));
    let quality = match q {
        None => 1_000,
        Some(q) => (q.parse::<f32>().ok().filter(|q| (0.0..=1.0).contains(q))? * 1_000.0) as u16,
    };
    Some((range, quality))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preferred_type_wins() {
        let offered = [JSON, JOSE];
        let cases: [(Option<&str>, Option<&str>); 12] = [
            (None, Some(JSON)),
            (Some("*/*"), Some(JSON)),
            (Some("application/*"), Some(JSON)),
            (Some("application/jose"), Some(JOSE)),
            (Some("Application/JOSE"), Some(JOSE)),
            (Some("application/json;q=0.5, application/jose"), Some(JOSE)),
            (Some("application/jose;q=0.5, */*;q=0.1"), Some(JOSE)),
            (Some("application/json;q=0, */*"), Some(JOSE)),
            (Some("text/html,application/xhtml+xml,*/*;q=0.8"), Some(JSON)),
            (Some("text/html"), None),
            (Some("application/json;q=0"), None),
            (Some("application/json;q=7"), Some(JSON)),
        ];
        for (accept, expected) in cases {
            let mut headers = HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(ACCEPT, HeaderValue::from_str(accept).unwrap());
            }
            assert_eq!(negotiate(&headers, &offered).ok(), expected, "{accept:?}");
        }
    }
}
