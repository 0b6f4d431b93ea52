//! Who may call: the right host, no foreign web page, a token. In this order, and before any byte of a body is read.
//!
//! A token kept by a browser would be enough for a hostile page to notarise in its owner's name; a rebound DNS name
//! would make that page "same-origin". Hence the checks of `Origin`, `Sec-Fetch-Site` and `Host` besides the token.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::http::{HeaderMap, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use testamur_primitives::record::Reference;

use crate::limits::AUTHORIZATION_CHARS_MAX;
use crate::problem::{CROSS_SITE, FOREIGN_HOST, GatewayProblem, TOKEN_MISSING, TOKEN_WRONG};
use crate::tokens::Tokens;

/// The label of the token that a request came with.
#[derive(Debug, Clone)]
pub struct Caller(pub Reference);

/// The names and tokens that a gateway answers to.
#[derive(Debug)]
pub struct Guard {
    hosts: BTreeSet<String>,
    tokens: Tokens,
}

impl Guard {
    /// Allows the given hosts, those that follow from the address, and the tokens.
    pub fn new(listen: SocketAddr, allowed_hosts: &[String], tokens: Tokens) -> Self {
        let port = listen.port();
        let mut hosts: BTreeSet<String> = allowed_hosts.iter().map(|host| host.to_ascii_lowercase()).collect();
        hosts.insert(listen.to_string());
        if listen.ip().is_loopback() || listen.ip().is_unspecified() {
            hosts.insert(format!("localhost:{port}"));
            for local in [IpAddr::from([127, 0, 0, 1]), "::1".parse().expect("an address")] {
                hosts.insert(SocketAddr::new(local, port).to_string());
            }
        }
        Self { hosts, tokens }
    }

    /// Whether the request names this gateway.
    pub fn check_host(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), GatewayProblem> {
        let mut given = headers.get_all(HOST).iter();
        let header = given.next().and_then(|host| host.to_str().ok());
        let authority = uri.authority().map(|authority| authority.as_str());
        // HTTP/2 and absolute URIs carry the host in the URI; where both are given, both must be right.
        let named: Vec<&str> = authority.into_iter().chain(header).collect();
        let known = |host: &&str| self.hosts.contains(&host.to_ascii_lowercase());
        if named.is_empty() || given.next().is_some() || !named.iter().all(known) {
            let detail = "the Host header does not name this gateway: its operator can allow further hosts";
            return Err(GatewayProblem::new(&FOREIGN_HOST, detail));
        }
        Ok(())
    }

    /// Whether a web page of another origin sent the request.
    pub fn check_site(&self, headers: &HeaderMap) -> Result<(), GatewayProblem> {
        let foreign = |what: &str| {
            let detail = format!("{what} shows a call from a web page of another origin; nothing was done");
            Err(GatewayProblem::new(&CROSS_SITE, detail))
        };
        for site in headers.get_all("sec-fetch-site") {
            if !matches!(site.as_bytes(), b"same-origin" | b"none") {
                return foreign("Sec-Fetch-Site");
            }
        }
        for origin in headers.get_all(ORIGIN) {
            let origin = origin.to_str().unwrap_or_default();
            let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            if !host.is_some_and(|host| self.hosts.contains(&host.to_ascii_lowercase())) {
                return foreign("Origin");
            }
        }
        Ok(())
    }

    /// Whose token the request carries.
    pub fn check_token(&self, headers: &HeaderMap) -> Result<Caller, GatewayProblem> {
        let missing = || GatewayProblem::new(&TOKEN_MISSING, "send a token: Authorization: Bearer <token>");
        let mut given = headers.get_all(AUTHORIZATION).iter();
        let value = given.next().ok_or_else(missing)?;
        if given.next().is_some() || value.len() > AUTHORIZATION_CHARS_MAX {
            return Err(missing());
        }
        let value = value.to_str().map_err(|_| missing())?;
        let (scheme, token) = value.split_once(' ').ok_or_else(missing)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(missing());
        }
        match self.tokens.verify(token.trim()) {
            Some(label) => Ok(Caller(label.clone())),
            None => Err(GatewayProblem::new(&TOKEN_WRONG, "the token is not one of this gateway's")),
        }
    }
}

/// Host and site: for every route but `/livez`.
pub async fn allow_host_and_site(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let checked = guard.check_host(request.uri(), request.headers()).and_then(|()| guard.check_site(request.headers()));
    match checked {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

/// The token: for every route that does or tells anything.
pub async fn require_token(State(guard): State<Arc<Guard>>, mut request: Request, next: Next) -> Response {
    match guard.check_token(request.headers()) {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderName, HeaderValue};

    fn guard() -> Guard {
        Guard::new("127.0.0.1:8090".parse().unwrap(), &["gateway.example".into()], Tokens::new())
    }

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn only_own_names_are_answered() {
        let guard = guard();
        let check = |uri: &str, pairs: &[(&str, &str)]| {
            guard.check_host(&uri.parse().unwrap(), &headers(pairs)).map_err(|problem| problem.status().as_u16())
        };
        for host in ["127.0.0.1:8090", "localhost:8090", "LOCALHOST:8090", "[::1]:8090", "gateway.example"] {
            assert_eq!(check("/", &[("host", host)]), Ok(()), "{host}");
            assert_eq!(check(&format!("http://{host}/"), &[]), Ok(()), "{host}");
        }
        for host in ["", "evil.example", "127.0.0.1", "127.0.0.1:80", "gateway.example.evil", "gateway.example:1"] {
            assert_eq!(check("/", &[("host", host)]), Err(421), "{host}");
        }
        assert_eq!(check("/", &[]), Err(421));
        assert_eq!(check("/", &[("host", "gateway.example"), ("host", "gateway.example")]), Err(421));
        assert_eq!(check("http://evil.example/", &[("host", "gateway.example")]), Err(421));
    }

    #[test]
    fn foreign_pages_are_refused_and_programs_are_not() {
        let guard = guard();
        let check = |pairs: &[(&str, &str)]| guard.check_site(&headers(pairs)).map_err(|p| p.status().as_u16());
        for good in [
            &[][..],
            &[("sec-fetch-site", "none")],
            &[("sec-fetch-site", "same-origin"), ("origin", "http://127.0.0.1:8090")],
            &[("origin", "https://gateway.example")],
        ] {
            assert_eq!(check(good), Ok(()), "{good:?}");
        }
        for bad in [
            &[("sec-fetch-site", "cross-site")][..],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "none"), ("sec-fetch-site", "cross-site")],
            &[("origin", "null")],
            &[("origin", "https://evil.example")],
            &[("origin", "http://127.0.0.1:8091")],
            &[("origin", "file://gateway.example")],
            &[("origin", "https://gateway.example.evil")],
        ] {
            assert_eq!(check(bad), Err(403), "{bad:?}");
        }
    }
}
