//! Who may ask: the right host, no foreign web page, and a token where one is configured. In this order, and before any byte of
//! a body is read.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use testamur_api::hosts::{Foreign, Hosts};
use testamur_primitives::codec;

use crate::limits::{AUTHORIZATION_CHARS_MAX, TOKEN_CHARS_MIN};
use crate::problem::{CROSS_SITE, FOREIGN_HOST, TOKEN, VerifierProblem};

/// The one token of a verifier that is reached from other machines, kept as its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token([u8; 32]);

impl Token {
    /// The token of a text; none when it is too short to be a secret.
    pub fn new(text: &str) -> Option<Self> {
        let long = text.chars().count() >= TOKEN_CHARS_MIN && !text.contains(char::is_whitespace);
        long.then(|| Self(hash(text)))
    }

    /// Compares hashes: how many of their bytes agree says nothing about the token.
    fn is(&self, text: &str) -> bool {
        self.0 == hash(text)
    }
}

fn hash(text: &str) -> [u8; 32] {
    codec::sha256(&[b"testamur/verifier-token/v1\n", text.as_bytes()])
}

/// The names that a verifier answers to, and its token.
#[derive(Debug)]
pub struct Guard {
    hosts: Hosts,
    token: Option<Token>,
}

impl Guard {
    /// Allows the given hosts, and those that follow from the address.
    pub fn new(listen: SocketAddr, allowed_hosts: &[String], token: Option<Token>) -> Self {
        Self { hosts: Hosts::new(listen, allowed_hosts), token }
    }

    fn check(&self, request: &Request) -> Result<(), VerifierProblem> {
        self.hosts.check(request.uri(), request.headers()).map_err(|foreign| match foreign {
            Foreign::Host => {
                let detail = "the Host header does not name this verifier: its operator can allow further hosts";
                VerifierProblem::new(&FOREIGN_HOST, detail)
            }
            Foreign::Site(header) => {
                let detail = format!("{header} shows a call from a web page of another origin; nothing was read");
                VerifierProblem::new(&CROSS_SITE, detail)
            }
        })?;
        match &self.token {
            Some(token) if !carries(request.headers(), token) => {
                Err(VerifierProblem::new(&TOKEN, "send the token of this verifier: Authorization: Bearer <token>"))
            }
            _ => Ok(()),
        }
    }
}

fn carries(headers: &HeaderMap, token: &Token) -> bool {
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (given.next(), given.next()) else { return false };
    let text = value.to_str().ok().filter(|text| text.len() <= AUTHORIZATION_CHARS_MAX);
    let Some((scheme, text)) = text.and_then(|text| text.split_once(' ')) else { return false };
    scheme.eq_ignore_ascii_case("bearer") && token.is(text.trim())
}

/// The layer of every route but `/healthz`.
pub async fn admit(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    match guard.check(&request) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    #[test]
    fn host_then_site_then_token() {
        let token = Token::new("a-token-of-enough-letters").unwrap();
        let guard = Guard::new("127.0.0.1:8790".parse().unwrap(), &[], Some(token));
        let check = |pairs: &[(&str, &str)]| {
            let request = pairs.iter().fold(Request::builder(), |request, (name, value)| request.header(*name, *value));
            guard.check(&request.body(Body::empty()).unwrap()).map_err(|problem| problem.0.status().as_u16())
        };
        let own = ("host", "127.0.0.1:8790");
        let right = ("authorization", "bearer a-token-of-enough-letters");
        assert_eq!(check(&[own, right]), Ok(()));
        assert_eq!(check(&[("host", "rebound.example"), right]), Err(421));
        assert_eq!(check(&[own, right, ("origin", "https://evil.example")]), Err(403));
        for bad in ["Bearer a-token-of-enough-letter", "a-token-of-enough-letters", "Basic a-token-of-enough-letters"] {
            assert_eq!(check(&[own, ("authorization", bad)]), Err(401), "{bad}");
        }
        assert_eq!(check(&[own]), Err(401));
        assert_eq!(check(&[own, right, right]), Err(401), "two tokens");
        assert_eq!(Token::new("short"), None);
        assert_eq!(Token::new("a token with spaces in it"), None);
    }
}
