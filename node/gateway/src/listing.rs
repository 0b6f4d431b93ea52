//! `GET /v1/documents`: what a caller sent, the latest first, a page at a time.
//!
//! A page looks at a bounded number of requests. When few of them stand where it is asked for, it is short, or empty; `next` says
//! whether there is more.

use std::sync::Arc;

use axum::extract::{Request, State as Shared};
use axum::http::StatusCode;
use axum::{Extension, http};
use serde_json::{Value, json};
use testamur_api::problem::{self, Problem};
use testamur_primitives::record::Reference;
use testamur_primitives::units::UnixTime;

use crate::guard::Caller;
use crate::kept::{self, json_answer, standing};
use crate::limits::{LISTING_DEFAULT, LISTING_MAX};
use crate::problem::{FAILED, GatewayProblem};
use crate::routes::{Answer, App};
use crate::store::{Listing, State, SubmissionId};
use crate::tokens::Scope;

/// The query, as it was given.
#[derive(Debug, Default)]
struct Query {
    limit: Option<usize>,
    after: Option<SubmissionId>,
    state: Option<&'static str>,
    reference: Option<Reference>,
    from: Option<UnixTime>,
    until: Option<UnixTime>,
}

impl Query {
    fn of(uri: &http::Uri) -> Result<Self, GatewayProblem> {
        let refuse = |detail: String| GatewayProblem::from(Problem::new(&problem::QUERY, detail));
        let mut query = Self::default();
        for pair in uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let time = || match value.parse() {
                Ok(seconds) => Ok(UnixTime(seconds)),
                Err(_) => Err(refuse(format!("{name} is a time in seconds since 1970"))),
            };
            let doubled = match name {
                "limit" => {
                    let limit = value.parse().ok().filter(|limit| (1..=LISTING_MAX).contains(limit));
                    let limit = limit.ok_or_else(|| refuse(format!("limit is 1 to {LISTING_MAX}")))?;
                    query.limit.replace(limit).is_some()
                }
                "after" => {
                    let after =
                        value.parse().map_err(|_| refuse("after is the id that the last page ended with".into()))?;
                    query.after.replace(after).is_some()
                }
                "state" => {
                    let state = State::NAMES.into_iter().find(|name| *name == value);
                    let state = state.ok_or_else(|| refuse(format!("state is one of {}", State::NAMES.join(", "))))?;
                    query.state.replace(state).is_some()
                }
                "ref" => {
                    let reference = value.parse().map_err(|_| refuse(REFERENCE.into()))?;
                    query.reference.replace(reference).is_some()
                }
                "from" => query.from.replace(time()?).is_some(),
                "until" => query.until.replace(time()?).is_some(),
                _ => {
                    return Err(refuse(
                        "the query takes limit, after, state, ref, from and until, nothing else".into(),
                    ));
                }
            };
            if doubled {
                return Err(refuse("a parameter is given twice".into()));
            }
        }
        Ok(query)
    }

    /// The address of the page that follows.
    fn next(&self, after: SubmissionId) -> String {
        let mut next = format!("/v1/documents?after={after}");
        let mut add = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                next.push_str(&format!("&{name}={value}"));
            }
        };
        add("limit", self.limit.map(|limit| limit.to_string()));
        add("state", self.state.map(str::to_owned));
        add("ref", self.reference.as_ref().map(|reference| reference.as_str().to_owned()));
        add("from", self.from.map(|time| time.0.to_string()));
        add("until", self.until.map(|time| time.0.to_string()));
        next
    }
}

/// What a reference is, in the words of a refusal.
pub(crate) const REFERENCE: &str = "ref is 1 to 64 of the characters A-Z a-z 0-9 . _ -";

/// A page of what the caller's token brought.
pub(crate) async fn list(
    Shared(app): Shared<Arc<App>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Answer {
    caller.require(Scope::Notarise)?;
    let query = Query::of(request.uri())?;
    let store = Arc::clone(kept::store(&app)?);
    let wanted = Listing {
        caller: caller.label,
        reference: query.reference.clone(),
        after: query.after,
        from: query.from,
        until: query.until,
        state: query.state,
        limit: query.limit.unwrap_or(LISTING_DEFAULT),
    };
    // Some ten thousand lookups: not on the threads that serve connections.
    let page = tokio::task::spawn_blocking(move || store.listed(&wanted)).await;
    let page = page.map_err(|_| GatewayProblem::new(&FAILED, "the list could not be made"))?;
    let page = page.map_err(|error| GatewayProblem::of_store(&error))?;
    let documents: Vec<Value> = page.submissions.iter().map(standing).collect();
    let mut answer = json!({ "documents": documents });
    if let Some(after) = page.next {
        answer["next"] = json!(query.next(after));
    }
    Ok(json_answer(StatusCode::OK, &answer))
}
