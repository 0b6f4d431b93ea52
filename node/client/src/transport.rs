//! One HTTP client for all servers: bounded answers, no redirects, errors sorted by whether anything was sent.

use std::error::Error as _;
use std::net::IpAddr;
use std::time::Duration;

use reqwest::{RequestBuilder, Response, StatusCode, Url};
use serde::de::DeserializeOwned;
use testamur_primitives::codec;

use crate::error::{ClientError, Problem};
use crate::limits::{CONNECT_TIMEOUT, PROBLEM_BYTES_MAX};

/// How connections are made.
#[derive(Debug, Clone, Default)]
pub struct Connections {
    /// Root certificates (PEM) that are trusted besides the operating system's.
    pub extra_roots_pem: Vec<Vec<u8>>,
}

/// A server and the connections to it.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    http: reqwest::Client,
    base: Url,
    name: String,
}

/// A whole answer.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Vec<u8>,
}

impl Server {
    /// Checks an address and sets up its connections.
    pub(crate) fn new(address: &str, connections: &Connections) -> Result<Self, ClientError> {
        let base = parse_address(address)?;
        let host = base.host_str().expect("checked by parse_address");
        let port = base.port().map_or_else(String::new, |port| format!(":{port}"));
        let name = format!("{}://{host}{port}", base.scheme());
        // Without a process-wide choice the TLS stack cannot start; a choice that was made before stays.
        let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("testamur/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            // A record or a document must not follow a redirect to who knows where.
            .redirect(reqwest::redirect::Policy::none())
            .tcp_nodelay(true)
            // Answers end after a pause of a minute at most; a lower bound on the whole is set for each request.
            .pool_idle_timeout(Duration::from_secs(20));
        if base.scheme() == "http" {
            builder = builder.tls_built_in_root_certs(false);
        }
        if is_loopback(host) {
            builder = builder.no_proxy();
        }
        for pem in &connections.extra_roots_pem {
            let certificates =
                reqwest::Certificate::from_pem_bundle(pem).map_err(|error| ClientError::Setup(words(&error)))?;
            for certificate in certificates {
                builder = builder.add_root_certificate(certificate);
            }
        }
        let http = builder.build().map_err(|error| ClientError::Setup(words(&error)))?;
        Ok(Self { http, base, name })
    }

    /// Scheme, host and port.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// A GET of a path below the server's address.
    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(self.url(path))
    }

    /// A POST to a path below the server's address.
    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        self.http.post(self.url(path))
    }

    fn url(&self, path: &str) -> Url {
        self.base.join(path).expect("paths are literals and ids, which join to a base with a trailing slash")
    }

    /// Sends a request and reads its whole answer, of any status.
    pub(crate) async fn answer(
        &self,
        request: RequestBuilder,
        timeout: Duration,
        bytes_max: usize,
    ) -> Result<Answer, ClientError> {
        let response = request.timeout(timeout).send().await.map_err(|error| self.failed(error))?;
        let status = response.status();
        let body = self.read(response, bytes_max).await?;
        Ok(Answer { status, body })
    }

    /// Sends a request whose answer must be a success.
    pub(crate) async fn success(
        &self,
        request: RequestBuilder,
        timeout: Duration,
        bytes_max: usize,
    ) -> Result<Answer, ClientError> {
        let answer = self.answer(request, timeout, bytes_max).await?;
        if answer.status.is_success() { Ok(answer) } else { Err(self.refused(&answer)) }
    }

    /// The body of a success as JSON.
    pub(crate) fn json<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T, ClientError> {
        serde_json::from_slice(&answer.body).map_err(|error| self.unexpected(error.to_string()))
    }

    /// A refusal in the server's words.
    pub(crate) fn refused(&self, answer: &Answer) -> ClientError {
        let start = &answer.body[..answer.body.len().min(PROBLEM_BYTES_MAX)];
        let problem = codec::from_strict::<Problem>(start).ok().filter(|problem| !problem.code.is_empty());
        let mut problem = problem.unwrap_or_else(|| Problem {
            status: 0,
            code: "client.no-problem-document".into(),
            title: answer.status.canonical_reason().unwrap_or("refused without a reason").into(),
            detail: String::new(),
        });
        problem.status = answer.status.as_u16();
        ClientError::Refused { server: self.name.clone(), problem }
    }

    /// An answer that breaks the API's contract.
    pub(crate) fn unexpected(&self, reason: impl Into<String>) -> ClientError {
        ClientError::BadAnswer { server: self.name.clone(), reason: reason.into() }
    }

    async fn read(&self, mut response: Response, bytes_max: usize) -> Result<Vec<u8>, ClientError> {
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|error| self.failed(error))? {
            if body.len() + piece.len() > bytes_max {
                return Err(self.unexpected(format!("the answer has more than {bytes_max} bytes")));
            }
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }

    fn failed(&self, error: reqwest::Error) -> ClientError {
        let server = self.name.clone();
        if error.is_connect() {
            return ClientError::Unreachable { server, reason: words(&error) };
        }
        let reason = if error.is_timeout() { "no answer in time".to_owned() } else { words(&error) };
        ClientError::Interrupted { server, reason }
    }
}

/// The innermost cause of an error: outer layers repeat that a request failed, and quote its URL.
fn words(error: &reqwest::Error) -> String {
    let mut cause = error.source();
    let mut text = None;
    while let Some(inner) = cause {
        text = Some(inner.to_string());
        cause = inner.source();
    }
    text.unwrap_or_else(|| "the request failed".to_owned())
}

fn parse_address(address: &str) -> Result<Url, ClientError> {
    let refuse = |reason: &str| ClientError::Address { url: address.to_owned(), reason: reason.to_owned() };
    let mut url = Url::parse(address).map_err(|error| refuse(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(refuse("the scheme is neither http nor https"));
    }
    if url.host_str().is_none() || !url.username().is_empty() || url.password().is_some() {
        return Err(refuse("a host and no user name is expected"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refuse("no query and no fragment is expected"));
    }
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked_before_anything_is_sent() {
        for bad in ["", "127.0.0.1:8080", "ftp://x", "http://", "http://u:p@x", "http://x/?q", "http://x/#f"] {
            let error = Server::new(bad, &Connections::default()).unwrap_err();
            assert_eq!(error.code(), "client.address", "{bad:?}");
            assert!(error.to_string().contains("is not an address of a server"), "{error}");
        }
        let server = Server::new("https://Example.org:8443/ledger", &Connections::default()).unwrap();
        assert_eq!(server.name(), "https://example.org:8443");
        assert_eq!(server.url("v1/network").as_str(), "https://example.org:8443/ledger/v1/network");
        let junk = Connections {
            extra_roots_pem: vec![b"-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n".to_vec()],
        };
        assert_eq!(Server::new("https://x", &junk).unwrap_err().code(), "client.setup");
    }

    #[test]
    fn only_what_was_never_sent_is_without_effect() {
        let problem = |status| Problem { status, code: "x".into(), title: String::new(), detail: String::new() };
        let server = || "http://x".to_owned();
        let cases = [
            (ClientError::Unreachable { server: server(), reason: String::new() }, true, false),
            (ClientError::Interrupted { server: server(), reason: String::new() }, true, true),
            (ClientError::BadAnswer { server: server(), reason: String::new() }, true, true),
            (ClientError::Refused { server: server(), problem: problem(400) }, false, false),
            (ClientError::Refused { server: server(), problem: problem(409) }, false, false),
            (ClientError::Refused { server: server(), problem: problem(503) }, true, false),
            (ClientError::Refused { server: server(), problem: problem(504) }, true, true),
            (ClientError::Refused { server: server(), problem: problem(500) }, true, true),
        ];
        for (error, retryable, effect) in cases {
            assert_eq!(error.is_retryable(), retryable, "{error}");
            assert_eq!(error.may_have_taken_effect(), effect, "{error}");
        }
    }
}
