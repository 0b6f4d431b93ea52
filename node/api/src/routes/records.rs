//! Records: submitted, read, listed, and their receipts.

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{LOCATION, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Deserialize;
use testamur_primitives::codec::{from_base64url, from_strict};
use testamur_primitives::did::Did;
use testamur_primitives::hash::RecordId;
use testamur_primitives::limits::RECORD_BYTES_MAX;
use testamur_primitives::record::RecordError;
use testamur_primitives::units::{LogIndex, UnixTime};
use tokio::time::timeout;
use utoipa::IntoParams;

use crate::answer::{Answer, Caching, JOSE, JSON, TEXT, negotiate};
use crate::app::Api;
use crate::ledger::{RecordQuery, SubmitError};
use crate::limits::SUBMISSION_BYTES_MAX;
use crate::problem::{self, Problem, ProblemDetails};
use crate::request::{NoParameters, Parameters, Segment, expect_media_type_of, read_body, usual_page_items};
use crate::schemas::ReceiptSchema;
use crate::views::{RecordPage, RecordSummary, RecordView, Submission};

/// How to submit.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SubmitParameters {
    /// `final`: answer when the record is final, or with 202 when that takes too long.
    #[param(inline, example = "final")]
    wait: Option<Wait>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Wait {
    Final,
}

/// Submit a record
///
/// The body is a compact JWS signed by its author. A record that names an attachment (the bits of a status list) comes as
/// JSON, with the attachment beside it. 202 means queued on this node and no more; 201 means final:
/// committed by a quorum and on this node's disk. Submitting the same record again does no harm: 409 tells where it is.
#[utoipa::path(
    post, path = "/v1/records", operation_id = "submitRecord", tag = "records", params(SubmitParameters),
    request_body(content(
        (String = "application/jose"),
        (AttachedRecord = "application/json"),
    ), description = "A compact JWS of at most 65,535 bytes, alone or with an attachment of at most 262,144 bytes"),
    responses(
        (status = 201, description = "Final", body = Submission, headers(("Location" = String, description = "The record"))),
        (status = 202, description = "Queued", body = Submission, headers(
            ("Location" = String, description = "The record, once it is final"),
            ("Retry-After" = u32, description = "Seconds after which to look there"),
        )),
        (status = 400, description = "Not a record: `record.*` 101 to 113; or JSON of another form: `request.body`", body = ProblemDetails, content_type = "application/problem+json"),
        (status = 413, description = "`record.too-large`", body = ProblemDetails, content_type = "application/problem+json"),
        (status = 409, description = "The record is there already; Location tells where", body = ProblemDetails, content_type = "application/problem+json"),
        (status = 422, description = "The ledger's rules refuse the record; `code` and `number` say why", body = ProblemDetails, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn submit(
    State(api): State<Api>,
    Parameters(parameters): Parameters<SubmitParameters>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let (record, attachment) = match expect_media_type_of(&headers, &[JOSE, JSON])? {
        JSON => read_attached(&api, body).await?,
        _ => (read_record(&api, &headers, body).await?, None),
    };
    let submitter = &api.node().submitter;
    let id = match submitter.submit(record, attachment).await {
        Ok(id) => id,
        Err(error) => return Err(refused(&api, error).await),
    };
    let queued = Submission::queued(id);
    if parameters.wait == Some(Wait::Final) {
        match timeout(api.config().wait_final_timeout, submitter.wait_final(id)).await {
            Ok(Ok(finality)) => return Ok(submitted(StatusCode::CREATED, queued.at(finality))),
            Ok(Err(error @ SubmitError::Rejected { .. })) => return Err(error.into()),
            // It was queued and may have been passed on: no answer may sound as if nothing had been taken.
            Ok(Err(error)) => tracing::warn!(record = %id, %error, "waiting for finality ended early"),
            Err(_elapsed) => {}
        }
    }
    Ok(submitted(StatusCode::ACCEPTED, queued))
}

/// A record, and what it names beside it.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AttachedRecord {
    /// The compact JWS.
    record: String,
    /// The bytes that the record names by their SHA-256, in base64url without padding.
    attachment: Option<String>,
}

async fn read_record(api: &Api, headers: &HeaderMap, body: Body) -> Result<Bytes, Problem> {
    read_body(body, RECORD_BYTES_MAX, api.body_budget()).await.map_err(|problem| {
        // The record's own rule has the better words and the stable number.
        match problem.status() {
            StatusCode::PAYLOAD_TOO_LARGE => {
                let announced = headers.get("content-length").and_then(|v| v.to_str().ok()?.parse().ok());
                too_large(announced.unwrap_or(RECORD_BYTES_MAX + 1)).closing()
            }
            _ => problem,
        }
    })
}

/// Whether the attachment is the right one, the ledger's rules say.
async fn read_attached(api: &Api, body: Body) -> Result<(Bytes, Option<Bytes>), Problem> {
    let body = read_body(body, SUBMISSION_BYTES_MAX, api.body_budget()).await?;
    let malformed = |reason: String| Problem::new(&problem::BODY, format!("not a record with an attachment: {reason}"));
    let AttachedRecord { record, attachment } = from_strict(&body).map_err(|error| malformed(error.to_string()))?;
    if record.len() > RECORD_BYTES_MAX {
        return Err(too_large(record.len()));
    }
    let attachment = attachment.map(|text| from_base64url(&text)).transpose();
    let attachment = attachment.map_err(|_| malformed("attachment is not base64url without padding".into()))?;
    Ok((record.into(), attachment.map(Bytes::from)))
}

fn too_large(bytes: usize) -> Problem {
    let error = RecordError::TooLarge(bytes);
    let (code, number) = error.code();
    Problem::rejection(code, number, error.to_string())
}

/// A client that lost the first answer learns from 409 where its record is; but another record of the author may hold
/// the same jti, and then there is nothing under this one's id.
async fn refused(api: &Api, error: SubmitError) -> Problem {
    let id = match &error {
        SubmitError::Rejected { id, .. } => *id,
        _ => None,
    };
    let problem = Problem::from(error);
    match id {
        Some(id) if problem.status() == StatusCode::CONFLICT => match api.read(move |reader| reader.record(id)).await {
            Ok(Some(_)) => problem.with_location(format!("/v1/records/{id}")),
            Ok(None) => problem,
            Err(failed) => failed,
        },
        _ => problem,
    }
}

fn submitted(status: StatusCode, submission: Submission) -> Response {
    let location = HeaderValue::try_from(&submission.location).expect("an id in hexadecimal");
    let mut response = (status, Answer::json(&submission, Caching::Revalidate)).into_response();
    response.headers_mut().insert(LOCATION, location);
    if status == StatusCode::ACCEPTED {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// One record
///
/// JSON, or the record's own bytes by `Accept: application/jose`.
#[utoipa::path(
    get, path = "/v1/records/{id}", operation_id = "readRecord", tag = "records",
    params(("id" = String, Path, description = "SHA-256 of the record's JWS signing input: 64 lower-case hexadecimal digits")),
    responses((status = 200, description = "The record", content(
        (RecordView = "application/json"),
        (String = "application/jose"),
    )))
)]
pub(crate) async fn one(
    State(api): State<Api>,
    id: Segment,
    Parameters(NoParameters {}): Parameters<NoParameters>,
    headers: HeaderMap,
) -> Result<Answer, Problem> {
    let media_type = negotiate(&headers, &[JSON, JOSE])?;
    let id = id.record_id()?;
    let stored = api.read(move |reader| reader.record(id)).await?.ok_or_else(|| absent(&api, id))?;
    let answer = match media_type {
        JOSE => Answer::new(JOSE, stored.record.as_bytes().to_vec(), Caching::Immutable),
        _ => Answer::json(&RecordView::new(stored), Caching::Immutable),
    };
    Ok(answer.negotiated())
}

/// A record's receipt
///
/// The JSON's bytes are canonical and carry their own digest: keep them unchanged. A C2SP `.tlog-proof` by
/// `Accept: text/plain`. Openings of commitments are not in it: they are the author's alone.
#[utoipa::path(
    get, path = "/v1/records/{id}/receipt", operation_id = "readReceipt", tag = "records",
    params(("id" = String, Path, description = "The record's id")),
    responses((status = 200, description = "The receipt", content(
        (ReceiptSchema = "application/json"),
        (String = "text/plain"),
    )))
)]
pub(crate) async fn receipt(
    State(api): State<Api>,
    id: Segment,
    Parameters(NoParameters {}): Parameters<NoParameters>,
    headers: HeaderMap,
) -> Result<Answer, Problem> {
    let media_type = negotiate(&headers, &[JSON, "text/plain"])?;
    let id = id.record_id()?;
    let receipt = api.read(move |reader| reader.receipt(id)).await?.ok_or_else(|| absent(&api, id))?;
    let answer = match media_type {
        JSON => Answer::new(JSON, receipt.encode(), Caching::OnThisNode),
        _ => Answer::new(TEXT, receipt.tlog_proof(), Caching::OnThisNode),
    };
    Ok(answer.negotiated())
}

fn absent(api: &Api, id: RecordId) -> Problem {
    if api.node().submitter.is_queued(id) {
        let detail = "the record waits in this node's pool and is not final yet";
        return Problem::new(&problem::NOT_FINAL, detail).with_record(id).with_retry_after_s(1);
    }
    Problem::new(&problem::NOT_FOUND, "no final record has this id")
}

/// Which records to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParameters {
    /// Only records of this author (a DID).
    #[param(example = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK")]
    author: Option<String>,
    /// Only records whose block's time is this (POSIX seconds) or later.
    from: Option<u64>,
    /// Only records whose block's time is before this.
    to: Option<u64>,
    /// Only records at this place in the log or later: what `next` sets.
    start: Option<u64>,
    /// At most this many.
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: Option<usize>,
}

/// Records
///
/// Final records in log order, a page at a time.
#[utoipa::path(
    get, path = "/v1/records", operation_id = "listRecords", tag = "records", params(ListParameters),
    responses((status = 200, description = "A page of records", body = RecordPage))
)]
pub(crate) async fn list(
    State(api): State<Api>,
    Parameters(parameters): Parameters<ListParameters>,
) -> Result<Answer, Problem> {
    let author = parameters.author.as_deref().map(str::parse::<Did>).transpose();
    let author = author.map_err(|error| Problem::new(&problem::QUERY, format!("author: {error}")))?;
    if let (Some(from), Some(to)) = (parameters.from, parameters.to)
        && from > to
    {
        return Err(Problem::new(&problem::QUERY, "from: must not be after to"));
    }
    let limit = usual_page_items(parameters.limit)?;
    let query = RecordQuery {
        author,
        time_from: parameters.from.map(UnixTime),
        time_before: parameters.to.map(UnixTime),
        from: LogIndex(parameters.start.unwrap_or(0)),
        limit,
    };
    let page = api.read(move |reader| reader.records(&query)).await?;
    let next = page.next.map(|next| {
        let mut url = format!("/v1/records?start={next}&limit={limit}");
        let conditions = [("from", parameters.from), ("to", parameters.to)];
        for (name, value) in conditions.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            url.push_str(&format!("&{name}={value}"));
        }
        if let Some(author) = &parameters.author {
            // A parsed DID has no character that a query would have to escape.
            url.push_str(&format!("&author={author}"));
        }
        url
    });
    let records = page.items.iter().map(RecordSummary::new).collect();
    Ok(Answer::json(&RecordPage { records, next }, Caching::Revalidate))
}
