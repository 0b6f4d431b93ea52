//! The page's answers: its files, `network.json`, and nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{
    ACCEPT_ENCODING, ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue,
    IF_NONE_MATCH, VARY,
};
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;

use crate::bundle::{Bundle, File, INDEX, NETWORK};
use crate::limits::IMMUTABLE_S;
use crate::network::Network;
use crate::policy;

/// A mail program's `#`: a share link whose fragment became a path. The page finds it in its address.
const FRAGMENT_IN_PATH: &str = "%23";

struct Site {
    files: BTreeMap<String, File>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// The routes of a page; `tls` says whether visitors come by TLS.
pub fn router(bundle: &Bundle, network: &Network, tls: bool) -> Router {
    let mut files: BTreeMap<_, _> = bundle.files().map(|(path, file)| (path.to_owned(), file.clone())).collect();
    let configuration = File::new(NETWORK, Bytes::from(network.json().to_owned()));
    files.extend(configuration.map(|file| (NETWORK.to_owned(), file)));
    let site = Arc::new(Site { files, headers: policy::headers(network.nodes(), tls) });
    Router::new().fallback(answer).layer(from_fn_with_state(Arc::clone(&site), with_headers)).with_state(site)
}

async fn with_headers(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in &site.headers {
        response.headers_mut().insert(name, value.clone());
    }
    response
}

async fn answer(State(site): State<Arc<Site>>, request: Request) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "These are files: GET and HEAD, nothing else.\n");
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let path = request.uri().path().trim_start_matches('/');
    let wanted = if path.is_empty() || path.starts_with(FRAGMENT_IN_PATH) { INDEX } else { path };
    let Some(file) = site.files.get(wanted).filter(|_| !request.uri().path().starts_with("//")) else {
        return plain(StatusCode::NOT_FOUND, "There is no such file. The page is at the address without a path.\n");
    };
    let packed = file.gzip.as_ref().filter(|_| takes_gzip(request.headers()));
    // Two forms of a file are two things to a cache.
    let digest = hex::encode(&file.sha256[..16]);
    let tag = if packed.is_some() { format!("\"{digest}-gz\"") } else { format!("\"{digest}\"") };
    let known = is_known(request.headers(), &tag);
    let body = packed.unwrap_or(&file.bytes);
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        // The server leaves the bytes of a HEAD's answer out, not their number.
        Response::new(Body::from(body.clone()))
    };
    let headers = response.headers_mut();
    headers.insert(ETAG, HeaderValue::try_from(tag).expect("hexadecimal digits"));
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    let cache = if file.immutable { format!("public, max-age={IMMUTABLE_S}, immutable") } else { "no-cache".into() };
    headers.insert(CACHE_CONTROL, HeaderValue::try_from(cache).expect("plain ASCII"));
    if !known {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(file.media_type));
        if packed.is_some() {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
    }
    response
}

fn plain(status: StatusCode, text: &'static str) -> Response {
    let mut response = (status, text).into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Whether the client named gzip, and not to refuse it (`q=0`).
fn takes_gzip(headers: &HeaderMap) -> bool {
    let items = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    items.flat_map(|value| value.split(',')).any(|item| {
        let mut parts = item.split(';').map(str::trim);
        let named = parts.next().is_some_and(|coding| coding.eq_ignore_ascii_case("gzip"));
        let refused = |part: &str| {
            let weight = part.strip_prefix("q=").or_else(|| part.strip_prefix("Q="));
            weight.is_some_and(|weight| weight.bytes().all(|b| matches!(b, b'0' | b'.')))
        };
        named && !parts.any(refused)
    })
}

/// Whether the client has this form of the file already.
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let items = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    items.flat_map(|value| value.split(',')).map(str::trim).any(|item| {
        // Proxies that pack anew weaken a tag.
        item == "*" || item.strip_prefix("W/").unwrap_or(item) == tag
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: HeaderName, values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
    }

    #[test]
    fn encodings_are_negotiated() {
        for yes in [&["gzip"][..], &["br, GZIP;q=0.5"], &["deflate", "gzip"], &["gzip;q=1.0"]] {
            assert!(takes_gzip(&of(ACCEPT_ENCODING, yes)), "{yes:?}");
        }
        for no in [&[][..], &["br"], &["gzip;q=0"], &["gzip; q=0.000"], &["gzipped"]] {
            assert!(!takes_gzip(&of(ACCEPT_ENCODING, no)), "{no:?}");
        }
    }

    #[test]
    fn tags_are_compared_whole() {
        for yes in [&["\"a\""][..], &["\"b\", \"a\""], &["W/\"a\""], &["*"]] {
            assert!(is_known(&of(IF_NONE_MATCH, yes), "\"a\""), "{yes:?}");
        }
        for no in [&[][..], &["a"], &["\"a"], &["\"a-gz\""]] {
            assert!(!is_known(&of(IF_NONE_MATCH, no), "\"a\""), "{no:?}");
        }
    }
}
