//! Who may call: the right host, no foreign web page, a token. In this order, and before any byte of a body is read.
//!
//! A token kept by a browser would be enough for a hostile page to notarise in its owner's name; a rebound DNS name
//! would make that page "same-origin". Hence the checks of `Origin`, `Sec-Fetch-Site` and `Host` besides the token.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use testamur_api::hosts::{Foreign, Hosts};
use testamur_client::author::now;
use testamur_primitives::record::Reference;
use testamur_primitives::units::UnixTime;
use testamur_registrar::staff::PersonName;
use tokio::time::sleep;

use crate::limits::{AUTHORIZATION_CHARS_MAX, TOKENS_LOOK_PAUSE};
use crate::problem::{
    CROSS_SITE, FOREIGN_HOST, GatewayProblem, TOKEN_EXPIRED, TOKEN_MISSING, TOKEN_PERSON, TOKEN_REVOKED, TOKEN_SCOPE,
    TOKEN_WRONG,
};
use crate::tokens::{LastUsed, Scope, Tokens, Void, load_last_used, save_last_used};

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
    tokens: RwLock<Tokens>,
    last_used: Mutex<LastUsed>,
}

/// What tells a file that was changed.
#[derive(Debug, PartialEq, Eq)]
struct Stamp(u64, u64, i64, i64);

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let data = std::fs::metadata(path).ok()?;
        Some(Self(data.ino(), data.len(), data.mtime(), data.mtime_nsec()))
    }
}

impl Guard {
    /// Allows the given hosts, those that follow from the address, and the tokens.
    pub fn new(listen: SocketAddr, allowed_hosts: &[String], tokens: Tokens) -> Self {
        Self { hosts: Hosts::new(listen, allowed_hosts), tokens: RwLock::new(tokens), last_used: Mutex::default() }
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
        let tokens = self.tokens.read().unwrap_or_else(PoisonError::into_inner);
        let wrong = || GatewayProblem::new(&TOKEN_WRONG, "the token is not one of this gateway's");
        let entry = tokens.verify(token.trim()).ok_or_else(wrong)?;
        let now = now().unwrap_or_default();
        entry.check(now).map_err(|void| match void {
            Void::Revoked(_) => GatewayProblem::new(&TOKEN_REVOKED, "the token was taken away"),
            Void::Expired(_) => GatewayProblem::new(&TOKEN_EXPIRED, "the token's time is over"),
        })?;
        let mut used = self.last_used.lock().unwrap_or_else(PoisonError::into_inner);
        // To the minute: enough to find tokens that nobody uses, and nothing that tells when somebody works.
        used.insert(entry.label.clone(), UnixTime(now.0 / 60 * 60));
        Ok(Caller { label: entry.label.clone(), scopes: entry.scopes.clone(), person: entry.person.clone() })
    }

    /// Follows the tokens' file, and notes beside it when each was used, until it is dropped.
    pub(crate) async fn watch(self: Arc<Self>, file: PathBuf) {
        let mut seen = Stamp::of(&file);
        let mut used = load_last_used(&file);
        // The file may have changed between its reading and now.
        self.reload(&file);
        loop {
            sleep(TOKENS_LOOK_PAUSE).await;
            let stamp = Stamp::of(&file);
            if stamp != seen {
                self.reload(&file);
                seen = stamp;
            }
            let before = used.clone();
            used.append(&mut self.last_used.lock().unwrap_or_else(PoisonError::into_inner));
            if used != before
                && let Err(error) = save_last_used(&file, &used)
            {
                tracing::warn!(%error, "when tokens were used could not be noted");
            }
        }
    }

    fn reload(&self, file: &Path) {
        match Tokens::load(file) {
            Ok(tokens) => {
                tracing::info!(tokens = tokens.entries().len(), "tokens read");
                *self.tokens.write().unwrap_or_else(PoisonError::into_inner) = tokens;
            }
            Err(error) => tracing::error!(%error, "the tokens of before hold on"),
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
