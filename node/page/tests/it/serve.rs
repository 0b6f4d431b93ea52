//! What browsers get: files, headers, and no more.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Client, Method, Response};
use testamur_page::{PageConfig, Service};
use tokio::sync::oneshot;

use super::{bundle, network, pages};

struct Host {
    address: SocketAddr,
    client: Client,
    _stop: oneshot::Sender<()>,
}

impl Host {
    async fn start(behind_tls: bool) -> Self {
        // reqwest speaks no TLS here, and wants a provider of its cryptography all the same. Set once a process.
        let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
        let source = pages();
        let config = PageConfig {
            listen: ([127, 0, 0, 1], 0).into(),
            tls: None,
            behind_tls,
            bundle: bundle(&source),
            network: network(),
        };
        let service = Service::bind(config).await.expect("a port");
        let address = service.local_address();
        let (stop, stopped) = oneshot::channel();
        tokio::spawn(service.serve(async {
            let _ = stopped.await;
        }));
        Self { address, client: Client::new(), _stop: stop }
    }

    async fn ask(&self, method: Method, path: &str, headers: &[(&'static str, &str)]) -> Response {
        let mut request = self.client.request(method, format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.expect("an answer")
    }

    async fn get(&self, path: &str) -> Response {
        self.ask(Method::GET, path, &[]).await
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map(HeaderValue::to_str).and_then(Result::ok).unwrap_or_default()
}

#[tokio::test]
async fn every_answer_carries_the_policy() {
    let host = Host::start(false).await;
    for (method, path, status) in [
        (Method::GET, "/", 200),
        (Method::GET, "/index.html", 200),
        (Method::HEAD, "/", 200),
        (Method::GET, "/assets/index-ZJE2dDH_.js", 200),
        (Method::GET, "/sw.js", 200),
        (Method::GET, "/network.json", 200),
        (Method::GET, "/none", 404),
        (Method::POST, "/", 405),
    ] {
        let answer = host.ask(method.clone(), path, &[]).await;
        assert_eq!(answer.status(), status, "{method} {path}");
        let headers = answer.headers();
        let policy = text(headers, "content-security-policy");
        for directive in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "connect-src 'self' http://127.0.0.1:8080 https://node.example/ledger/",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types testamur",
        ] {
            assert!(policy.split("; ").any(|part| part == directive), "{path}: {directive} in {policy}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains('*') && !policy.contains("data:"), "{policy}");
        assert_eq!(text(headers, "cross-origin-opener-policy"), "same-origin");
        assert_eq!(text(headers, "cross-origin-resource-policy"), "same-origin");
        assert_eq!(text(headers, "referrer-policy"), "no-referrer");
        assert_eq!(text(headers, "x-content-type-options"), "nosniff");
        assert!(text(headers, "permissions-policy").contains("camera=(self), display-capture=()"));
        assert!(!headers.contains_key("strict-transport-security"), "no TLS, no promise of it");
        assert!(!headers.contains_key("set-cookie") && !headers.contains_key("access-control-allow-origin"));
    }
    let host = Host::start(true).await;
    assert_eq!(text(host.get("/").await.headers(), "strict-transport-security"), "max-age=31536000");
}

#[tokio::test]
async fn files_are_kept_as_long_as_their_names_allow() {
    let host = Host::start(false).await;
    for (path, media_type, cache) in [
        ("/", "text/html; charset=utf-8", "no-cache"),
        ("/sw.js", "text/javascript; charset=utf-8", "no-cache"),
        ("/network.json", "application/json", "no-cache"),
        ("/manifest.webmanifest", "application/manifest+json", "no-cache"),
        ("/icon.svg", "image/svg+xml", "no-cache"),
        ("/assets/index-ZJE2dDH_.js", "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"),
        ("/assets/lang/de-abcd1234.js", "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"),
    ] {
        let answer = host.get(path).await;
        assert_eq!(text(answer.headers(), "content-type"), media_type, "{path}");
        assert_eq!(text(answer.headers(), "cache-control"), cache, "{path}");
        assert_eq!(text(answer.headers(), "vary"), "accept-encoding", "{path}");
        let tag = text(answer.headers(), "etag").to_owned();
        assert!(tag.len() > 10 && tag.starts_with('"'), "{path}: {tag}");
        let again = host.ask(Method::GET, path, &[("if-none-match", &tag)]).await;
        assert_eq!(again.status(), 304, "{path}");
        assert_eq!(text(again.headers(), "etag"), tag);
        assert!(again.bytes().await.expect("a body").is_empty());
        let other = host.ask(Method::GET, path, &[("if-none-match", "\"another\"")]).await;
        assert_eq!(other.status(), 200, "{path}");
    }
    assert_eq!(text(host.get("/none").await.headers(), "cache-control"), "no-store");
}

#[tokio::test]
async fn gzip_is_for_those_who_take_it() {
    let host = Host::start(false).await;
    let path = "/assets/index-ZJE2dDH_.js";
    let plain = host.get(path).await;
    let plain_tag = text(plain.headers(), "etag").to_owned();
    assert!(!plain.headers().contains_key("content-encoding"));
    let whole = plain.bytes().await.expect("a body");
    let packed = host.ask(Method::GET, path, &[("accept-encoding", "gzip, br")]).await;
    assert_eq!(text(packed.headers(), "content-encoding"), "gzip");
    assert_ne!(text(packed.headers(), "etag"), plain_tag);
    let length: usize = text(packed.headers(), "content-length").parse().expect("a number");
    assert!(length < whole.len() / 2, "{length} of {}", whole.len());
    let small = host.ask(Method::GET, "/sw.js", &[("accept-encoding", "gzip")]).await;
    assert!(!small.headers().contains_key("content-encoding"), "nothing is gained with it");
}

/// A request by hand, and all that comes back until the connection ends.
fn by_hand(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("text");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn head_is_get_without_bytes() {
    let host = Host::start(false).await;
    let ask =
        |method: &str| by_hand(host.address, &format!("{method} / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"));
    let (get, head) = (ask("GET"), ask("HEAD"));
    let (get_headers, body) = get.split_once("\r\n\r\n").expect("headers");
    let (head_headers, nothing) = head.split_once("\r\n\r\n").expect("headers");
    assert!(body.starts_with("<!doctype html>") && nothing.is_empty(), "{head}");
    let length = |headers: &str| headers.lines().find(|line| line.starts_with("content-length")).map(str::to_owned);
    assert_eq!(length(head_headers), length(get_headers));
    assert!(length(get_headers).is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_reach_the_pages_files_and_nothing_else() {
    let host = Host::start(false).await;
    let page = host.get("/").await.text().await.expect("text");
    // A mail program's share link, and what trackers append.
    for path in ["/%23c=eyJhbGciOiJFUzI1NiJ9", "/?utm_source=mail", "/index.html?x=%3Cscript%3E"] {
        assert_eq!(host.get(path).await.text().await.expect("text"), page, "{path}");
    }
    for path in [
        "//",
        "//index.html",
        "/assets",
        "/assets/",
        "/Index.html",
        "/index.html/",
        "/%69ndex.html",
        "/..%2findex.html",
        "/assets/../index.html",
        "/assets/%23c=x",
        "/.git/config",
        "/index.html%00",
        "*",
    ] {
        let answer = by_hand(host.address, &format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"));
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert!(matches!(status, "404" | "400"), "{path}: {answer}");
        assert!(!answer.contains("<!doctype"), "{path}: {answer}");
    }
    let answer = host.ask(Method::OPTIONS, "/", &[("origin", "https://other.example")]).await;
    assert_eq!(answer.status(), 405);
    assert_eq!(text(answer.headers(), "allow"), "GET, HEAD");
}
