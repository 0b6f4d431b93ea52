//! `/v1/diplomas…`: issue, hand out again, propose and approve changes.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use futures::stream;
use serde_json::json;
use testamur_api::problem::{self as http, Problem};
use testamur_client::author::now;
use testamur_credentials::credential::Format;
use testamur_primitives::codec;
use testamur_registrar::Delivery;
use testamur_registrar::changes::{ChangeId, Consent, Role};
use testamur_registrar::store::{Award, DiplomaKey, JobId};

use super::problem::{of_change, of_office, problem};
use super::wire::{self, ChangeBody};
use super::{Desk, RowsKind};
use crate::guard::Caller;
use crate::limits::{CHANGE_BYTES_MAX, ROWS_BYTES_MAX};
use crate::problem::GatewayProblem;
use crate::routes::{Answer, App, read_body};
use crate::tokens::Scope;
use crate::upload::content_type;

/// The routes of a desk. Without one each says so.
pub(crate) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/v1/diplomas", post(issue))
        .route("/v1/diplomas/jobs/{job}", get(job))
        .route("/v1/diplomas/changes", post(propose).get(list_changes))
        .route("/v1/diplomas/changes/{change}", get(show_change).delete(withdraw))
        .route("/v1/diplomas/changes/{change}/approval", post(approve))
        .route("/v1/diplomas/{id}", get(show))
        .route("/v1/diplomas/{id}/receipt", get(receipt))
        .route("/v1/diplomas/{id}/package", get(package))
}

fn desk(app: &App) -> Result<Arc<Desk>, GatewayProblem> {
    app.desk.clone().ok_or_else(|| problem("diplomas.absent", "this gateway has no university's desk behind it"))
}

/// Whether the caller waits until all is final.
fn waits(request: &Request) -> Result<bool, GatewayProblem> {
    match request.uri().query().unwrap_or_default() {
        "" => Ok(false),
        "wait=final" => Ok(true),
        _ => Err(Problem::new(&http::QUERY, "the query takes wait=final, nothing else; nothing was done").into()),
    }
}

fn json_answer(status: StatusCode, value: &serde_json::Value) -> Response {
    let mut response = (status, Json(value)).into_response();
    // It holds personal data: no cache keeps it.
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn issue(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, request: Request) -> Answer {
    caller.require(Scope::Diplomas)?;
    let desk = desk(&app)?;
    let wait = waits(&request)?;
    let kind = match content_type(request.headers()).as_str() {
        "text/csv" => RowsKind::Csv,
        "application/json" => RowsKind::Json,
        _ => {
            let detail = "expected Content-Type: text/csv or application/json; nothing was issued";
            return Err(Problem::new(&http::MEDIA_TYPE, detail).into());
        }
    };
    let rows = read_body(&app, request, ROWS_BYTES_MAX).await?;
    let (job, diplomas) = desk
        .work(async move |desk: &Desk| {
            let drafts = desk.drafts(kind, &rows)?;
            let keys: Vec<_> = drafts.iter().map(|draft| desk.office.store().key_of(&draft.award)).collect();
            let job = desk.begin_issue(drafts).await?;
            if let (Some(job), true) = (&job, wait) {
                desk.finish_issue(job).await?;
            }
            // In the order of the rows, those of earlier times among them.
            let diplomas: Vec<_> = keys.into_iter().map(|award| DiplomaKey { award, edition: 0 }).collect();
            Ok((job, diplomas))
        })
        .await?;
    let count = diplomas.len();
    tracing::info!(caller = %caller.label, job = job.as_ref().map(JobId::as_str), diplomas = count, wait, "diplomas asked for");
    match job {
        Some(job) if !wait => {
            let href = format!("/v1/diplomas/jobs/{}", job.as_str());
            let answer = json!({ "job": job.as_str(), "href": href, "diplomas": count });
            tokio::spawn(async move { desk.work(async move |desk: &Desk| desk.finish_issue(&job).await).await });
            let mut response = json_answer(StatusCode::ACCEPTED, &answer);
            insert(response.headers_mut(), LOCATION, &href);
            Ok(response)
        }
        _ => Ok(lines(desk, diplomas)),
    }
}

/// One line a diploma, made while the caller takes them.
fn lines(desk: Arc<Desk>, diplomas: Vec<DiplomaKey>) -> Response {
    let lines = stream::unfold((desk, diplomas.into_iter()), async |(desk, mut left)| {
        let diploma = left.next()?;
        let line = desk.look(move |desk| desk.line(&diploma)).await;
        let line =
            line.map(|line| format!("{line}\n")).map_err(|problem| std::io::Error::other(problem.code().to_owned()));
        Some((line, (desk, left)))
    });
    let mut response = Response::new(Body::from_stream(lines));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn job(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, Path(job): Path<String>) -> Answer {
    caller.require(Scope::Diplomas)?;
    let desk = desk(&app)?;
    let answer = desk.look(move |desk| {
        let unknown = || problem("diploma.no-job", "there is no job of this id");
        let id = JobId::parse(&job).ok_or_else(unknown)?;
        let job = desk.office.job(&id).map_err(|error| of_office(&error))?.ok_or_else(unknown)?;
        let stage = serde_json::to_value(&job.stage).expect("a stage is JSON");
        let mut diplomas = Vec::with_capacity(job.diplomas.len());
        for diploma in &job.diplomas {
            diplomas.push(desk.line(diploma)?);
        }
        Ok(json!({ "job": id.as_str(), "begun": job.begun, "stage": stage["stage"], "diplomas": diplomas }))
    });
    Ok(json_answer(StatusCode::OK, &answer.await?))
}

async fn show(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, Path(id): Path<String>) -> Answer {
    caller.require(Scope::Diplomas)?;
    let desk = desk(&app)?;
    if let Some(id) = id.strip_suffix(".pdf") {
        let id = id.to_owned();
        let file = desk.look(move |desk| {
            let award = desk.award(&id)?;
            let files = Delivery::new(&desk.office).files(&award, award.current().edition);
            let mut files = files.map_err(|error| of_office(&error))?.into_iter();
            let pdf = files.find(|file| file.name.ends_with(".pdf"));
            pdf.ok_or_else(|| problem("diplomas.format", "the diploma was issued without a printed form"))
        });
        return Ok(file_answer("application/pdf", "diploma.pdf", file.await?.bytes));
    }
    let whole = desk.look(move |desk| {
        let award = desk.award(&id)?;
        wire::whole(&desk.office, &award).map_err(|error| of_office(&error))
    });
    Ok(json_answer(StatusCode::OK, &whole.await?))
}

/// The credential that receipts and packages are of: the first format, the compact one last.
fn first_format(award: &Award) -> Result<Format, GatewayProblem> {
    let format = award.current().copies.keys().next().copied();
    format.ok_or_else(|| problem("diplomas.format", "the diploma is not signed yet"))
}

async fn receipt(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, Path(id): Path<String>) -> Answer {
    caller.require(Scope::Diplomas)?;
    let desk = desk(&app)?;
    let bytes = desk.look(move |desk| {
        let award = desk.award(&id)?;
        let format = first_format(&award)?;
        let receipt = Delivery::new(&desk.office).receipt(&award, award.current().edition, format);
        receipt.map_err(|error| of_office(&error))
    });
    Ok(file_answer("application/json", "diploma.receipt.json", bytes.await?))
}

async fn package(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, Path(id): Path<String>) -> Answer {
    caller.require(Scope::Diplomas)?;
    let desk = desk(&app)?;
    let handle = tokio::runtime::Handle::current();
    let bytes = desk.look(move |desk| {
        let award = desk.award(&id)?;
        let (format, edition) = (first_format(&award)?, award.current().edition);
        handle.block_on(desk.office.package(&award, edition, format)).map_err(|error| of_office(&error))
    });
    Ok(file_answer("application/json", "diploma.package.json", bytes.await?))
}

fn file_answer(kind: &'static str, name: &str, bytes: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(bytes));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    insert(headers, CONTENT_DISPOSITION, &format!("attachment; filename=\"{name}\""));
    response
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name, value);
    }
}

async fn propose(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, request: Request) -> Answer {
    caller.require(Scope::Diplomas)?;
    let (desk, person) = (desk(&app)?, caller.person()?.clone());
    if content_type(request.headers()) != "application/json" {
        let detail = "expected Content-Type: application/json; nothing was proposed";
        return Err(Problem::new(&http::MEDIA_TYPE, detail).into());
    }
    let body = read_body(&app, request, CHANGE_BYTES_MAX).await?;
    let label = caller.label.clone();
    let (id, answer) = desk
        .work(async move |desk: &Desk| {
            let malformed = |error| problem("change.malformed", format!("not a change: {error}; nothing was proposed"));
            let body: ChangeBody = codec::from_strict(&body).map_err(malformed)?;
            let action = body.action(desk)?;
            let time = now().unwrap_or_default();
            let change = desk.office.draw_up(action, time).await.map_err(|error| of_change(&error))?;
            let consent = Consent::by_token(Role::Proposer, &person, time, label);
            let file = desk.office.propose(change, consent, time).map_err(|error| of_change(&error))?;
            Ok((file.id, wire::change(&desk.office, &file).map_err(|error| of_change(&error))?))
        })
        .await?;
    tracing::info!(caller = %caller.label, change = %id, action = answer["do"].as_str(), "change proposed");
    let mut response = json_answer(StatusCode::CREATED, &answer);
    insert(response.headers_mut(), LOCATION, &format!("/v1/diplomas/changes/{id}"));
    Ok(response)
}

fn change_id(text: &str) -> Result<ChangeId, GatewayProblem> {
    text.parse().map_err(|_| problem("change.unknown", "a change's id is 64 hexadecimal digits"))
}

async fn approve(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    request: Request,
) -> Answer {
    caller.require(Scope::Approve)?;
    let (desk, person, id, wait) = (desk(&app)?, caller.person()?.clone(), change_id(&id)?, waits(&request)?);
    let label = caller.label.clone();
    let file = desk
        .work(async move |desk: &Desk| {
            let time = now().unwrap_or_default();
            let consent = Consent::by_token(Role::Approver, &person, time, label);
            desk.office.approve(id, consent, time).map_err(|error| of_change(&error))
        })
        .await?;
    tracing::info!(caller = %caller.label, change = %id, action = file.change.action.name(), wait, "change approved");
    let carried = {
        let desk = Arc::clone(&desk);
        let file = file.clone();
        // On a task of its own: it goes on when the caller goes away.
        tokio::spawn(async move { desk.work(async move |desk: &Desk| desk.finish_change(&file).await).await })
    };
    let (status, file) = if wait {
        let done = carried.await.unwrap_or_else(|_| Err(super::ended()))?;
        (StatusCode::OK, done)
    } else {
        (StatusCode::ACCEPTED, file)
    };
    let answer = desk.look(move |desk| wire::change(&desk.office, &file).map_err(|error| of_change(&error))).await?;
    Ok(json_answer(status, &answer))
}

async fn show_change(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Answer {
    caller.require_any(&[Scope::Diplomas, Scope::Approve])?;
    let id = change_id(&id)?;
    let desk = desk(&app)?;
    let answer = desk.look(move |desk| {
        let file = desk.office.change(id).map_err(|error| of_change(&error))?;
        wire::change(&desk.office, &file).map_err(|error| of_change(&error))
    });
    Ok(json_answer(StatusCode::OK, &answer.await?))
}

async fn list_changes(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>) -> Answer {
    caller.require_any(&[Scope::Diplomas, Scope::Approve])?;
    let desk = desk(&app)?;
    let answer = desk.look(|desk| {
        let files = desk.office.changes().map_err(|error| of_change(&error))?;
        let open = files.iter().filter(|file| !file.stage.is_closed());
        let item = |file: &testamur_registrar::changes::ChangeFile| {
            json!({
                "id": file.id, "href": format!("/v1/diplomas/changes/{}", file.id), "do": file.change.action.name(),
                "stage": file.stage.name(), "expires": file.change.expires, "diplomas": file.change.action.diplomas().len(),
            })
        };
        Ok(json!({ "open": open.map(item).collect::<Vec<_>>() }))
    });
    Ok(json_answer(StatusCode::OK, &answer.await?))
}

async fn withdraw(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, Path(id): Path<String>) -> Answer {
    caller.require_any(&[Scope::Diplomas, Scope::Approve])?;
    let (person, id) = (caller.person()?.clone(), change_id(&id)?);
    let desk = desk(&app)?;
    let answer = desk.work(async move |desk: &Desk| {
        let time = now().unwrap_or_default();
        let file = desk.office.withdraw(id, &person, time).map_err(|error| of_change(&error))?;
        wire::change(&desk.office, &file).map_err(|error| of_change(&error))
    });
    let answer = answer.await?;
    tracing::info!(caller = %caller.label, change = %id, "change withdrawn");
    Ok(json_answer(StatusCode::OK, &answer))
}
