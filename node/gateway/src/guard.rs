//! Who may call: the right host, no foreign web page, a token. In this order, and before any byte of a body is read.
//!
//! A token kept by a browser would be enough for a hostile page to notarise in its owner's name; a rebound DNS name
//! would make that page "same-origin". Hence the checks of `Origin`, `Sec-Fetch-Site` and `Host` besides the token.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use testamur_api::hosts::{Foreign, Hosts};
use testamur_primitives::record::Reference;
use testamur_registrar::staff::PersonName;

use crate::limits::AUTHORIZATION_CHARS_MAX;
use crate::problem::{CROSS_SITE, FOREIGN_HOST, GatewayProblem, TOKEN_MISSING, TOKEN_PERSON, TOKEN_SCOPE, TOKEN_WRONG};
use crate::tokens::{Scope, Tokens};

/// Whose token a request came with, and what it is good for.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The token's label: what logs show.
    pub label: Reference,
    /// What it is good for.
    pub scopes: BTreeSet<Scope>,
    /// The person of the desk whose token it is. Never logged.
    pub person: Option<PersonName>,
}

impl Caller {
    /// That the token is good for something.
    pub fn require(&self, scope: Scope) -> Result<(), GatewayProblem> {
        if self.scopes.contains(&scope) {
            return Ok(());
        }
        let detail = format!("the token is not good for this: it lacks the scope `{}`; nothing was done", scope.name());
        Err(GatewayProblem::new(&TOKEN_SCOPE, detail))
    }

    /// That the token is good for one of several things.
    pub fn require_any(&self, scopes: &[Scope]) -> Result<(), GatewayProblem> {
        match scopes.iter().find(|scope| self.scopes.contains(scope)) {
            Some(_) => Ok(()),
            None => scopes.first().map_or(Ok(()), |scope| self.require(*scope)),
        }
    }

    /// The person of the desk, who must be known for what is asked for.
    pub fn person(&self) -> Result<&PersonName, GatewayProblem> {
        self.person.as_ref().ok_or_else(|| {
            GatewayProblem::new(&TOKEN_PERSON, "the token is no person's, and this takes a person; nothing was done")
        })
    }
}

/// The names and tokens that a gateway answers to.
#[derive(Debug)]
pub struct Guard {
    hosts: Hosts,
    tokens: Tokens,
}

impl Guard {
    /// Allows the given hosts, those that follow from the address, and the tokens.
    pub fn new(listen: SocketAddr, allowed_hosts: &[String], tokens: Tokens) -> Self {
        Self { hosts: Hosts::new(listen, allowed_hosts), tokens }
    }

    /// Whether the request names this gateway, and comes from no web page of another origin.
    pub fn check_origin(&self, request: &Request) -> Result<(), GatewayProblem> {
        self.hosts.check(request.uri(), request.headers()).map_err(|foreign| match foreign {
            Foreign::Host => {
                let detail = "the Host header does not name this gateway: its operator can allow further hosts";
                GatewayProblem::new(&FOREIGN_HOST, detail)
            }
            Foreign::Site(header) => {
                let detail = format!("{header} shows a call from a web page of another origin; nothing was done");
                GatewayProblem::new(&CROSS_SITE, detail)
            }
        })
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
            Some(entry) => {
                Ok(Caller { label: entry.label.clone(), scopes: entry.scopes.clone(), person: entry.person.clone() })
            }
            None => Err(GatewayProblem::new(&TOKEN_WRONG, "the token is not one of this gateway's")),
        }
    }
}

/// Host and site: for every route but `/livez`.
pub async fn allow_host_and_site(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    match guard.check_origin(&request) {
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
    use axum::body::Body;

    #[test]
    fn foreign_hosts_and_pages_get_their_own_problems() {
        let guard = Guard::new("127.0.0.1:8090".parse().unwrap(), &["gateway.example".into()], Tokens::new());
        let check = |host: &str, site: &str| {
            let request = Request::builder().header("host", host).header("sec-fetch-site", site);
            guard.check_origin(&request.body(Body::empty()).unwrap()).map_err(|problem| problem.status().as_u16())
        };
        assert_eq!(check("gateway.example", "none"), Ok(()));
        assert_eq!(check("evil.example", "none"), Err(421));
        assert_eq!(check("gateway.example", "cross-site"), Err(403));
    }
}
