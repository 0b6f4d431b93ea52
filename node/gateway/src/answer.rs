//! Receipts as HTTP answers: one as a file, several as an array that is cut while it is sent.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures::stream;
use testamur_primitives::hash::RecordId;

use crate::problem::{FAILED, GatewayProblem};

/// Header that names the record of an answer.
pub const RECORD_HEADER: HeaderName = HeaderName::from_static("testamur-record");

/// A receipt that should be there is not.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the receipt is not in the archive")]
pub struct MissingReceipt;

/// One receipt: exactly the bytes of its file.
pub fn one<E: core::fmt::Display>(record: RecordId, receipt: Result<Vec<u8>, E>, name: Option<&str>) -> Response {
    let receipt = match receipt {
        Ok(receipt) => receipt,
        Err(error) => {
            tracing::error!(%record, %error, "receipt could not be cut");
            return GatewayProblem::new(&FAILED, format!("record {record} is final, but its receipt could not be cut"))
                .into_response();
        }
    };
    let mut response = answer(record, Body::from(receipt));
    let name = name.unwrap_or("document.receipt.json");
    // The name has passed `receipt_name`: letters, digits, dot, underscore and hyphen.
    if let Ok(value) = HeaderValue::try_from(format!("attachment; filename=\"{name}\"")) {
        response.headers_mut().insert(CONTENT_DISPOSITION, value);
    }
    response
}

/// Several receipts as a JSON array, each element the bytes of its file. They are cut one by one while the caller
/// takes them, so that ten thousand of them never stand in memory. Should one fail, the answer breaks off.
pub fn many<E: std::error::Error + Send + Sync + 'static>(
    record: RecordId,
    count: u64,
    cut: impl Fn(u64) -> Result<Vec<u8>, E> + Send + 'static,
) -> Response {
    let pieces = (0..count).map(move |place| {
        let mut piece = vec![if place == 0 { b'[' } else { b',' }];
        piece.extend(cut(place)?);
        if place + 1 == count {
            piece.push(b']');
        }
        Ok::<_, E>(Bytes::from(piece))
    });
    answer(record, Body::from_stream(stream::iter(pieces)))
}

fn answer(record: RecordId, body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // A receipt holds a salt: no cache keeps it.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(record) = HeaderValue::try_from(record.to_string()) {
        headers.insert(RECORD_HEADER, record);
    }
    response
}
