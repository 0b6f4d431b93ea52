//! The items of a batch, one after another while its body arrives: a multipart form, lines of JSON, or an array.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Body;
use axum::extract::multipart::{Field, Multipart, MultipartError};
use axum::extract::{DefaultBodyLimit, FromRequest as _, Request};
use futures::stream::{BoxStream, try_unfold};
use futures::{StreamExt as _, TryStreamExt as _};
use serde::Deserialize;
use serde::de::IgnoredAny;
use testamur_api::problem::{MEDIA_TYPE, Problem};
use testamur_primitives::codec;
use testamur_primitives::limits::RECEIPT_BYTES_MAX;

use crate::body::{WatchedBody, broken, content_type, is_of_body};
use crate::limits::{ID_CHARS_MAX, ITEM_BYTES_MAX, ITEM_TEXT_BYTES_MAX, ITEMS_MAX, MULTIPART_PART_BYTES};
use crate::problem::{ITEMS, TOO_MANY, VerifierProblem};
use crate::split::{Element, Framing, Splitter};

/// One file of a batch.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// What the caller calls it.
    pub(crate) id: Option<String>,
    /// What it is.
    pub(crate) content: Content,
}

/// What came as an item.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// A file, and its receipt if that came beside it.
    File {
        /// Its bytes.
        bytes: Vec<u8>,
        /// The receipt's.
        receipt: Option<Vec<u8>>,
    },
    /// More bytes than a batch takes of one item.
    TooLarge,
    /// No item, and why.
    Malformed(String),
}

impl Content {
    fn file(bytes: Vec<u8>) -> Self {
        Self::File { bytes, receipt: None }
    }

    /// How many bytes it holds.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::File { bytes, receipt } => bytes.len() + receipt.as_ref().map_or(0, Vec::len),
            Self::TooLarge | Self::Malformed(_) => 0,
        }
    }
}

/// The items of a request. The stream may be dropped at any point.
pub(crate) type Items = BoxStream<'static, Result<Item, VerifierProblem>>;

/// Begins to read a request's items; at most [`ITEMS_MAX`] come.
pub(crate) async fn items(request: Request) -> Result<Items, VerifierProblem> {
    let items = match content_type(request.headers()).as_str() {
        "multipart/form-data" => of_form(request).await?,
        "application/x-ndjson" | "application/jsonl" => of_json(request.into_body(), Framing::Lines),
        "application/json" => of_json(request.into_body(), Framing::Array),
        _ => {
            let detail = "send multipart/form-data, application/x-ndjson or application/json";
            return Err(Problem::new(&MEDIA_TYPE, detail).into());
        }
    };
    let counted = items.enumerate().map(|(number, item)| match item {
        Ok(_) if number >= ITEMS_MAX => {
            Err(VerifierProblem::new(&TOO_MANY, format!("one request takes {ITEMS_MAX} items")))
        }
        item => item,
    });
    Ok(counted.boxed())
}

fn of_json(body: Body, framing: Framing) -> Items {
    struct Reading {
        body: WatchedBody,
        splitter: Option<Splitter>,
        whole: VecDeque<Element>,
    }
    let malformed = |error: crate::split::NotASequence| VerifierProblem::new(&ITEMS, error.to_string());
    let reading = Reading {
        body: WatchedBody::new(body, None),
        splitter: Some(Splitter::new(framing, ITEM_TEXT_BYTES_MAX)),
        whole: VecDeque::new(),
    };
    try_unfold(reading, move |mut reading| async move {
        loop {
            if let Some(element) = reading.whole.pop_front() {
                return Ok(Some((item_of(element), reading)));
            }
            let Some(mut splitter) = reading.splitter.take() else { return Ok(None) };
            match reading.body.next().await {
                Some(piece) => {
                    let piece = piece.map_err(|error| broken(&error))?;
                    reading.whole.extend(splitter.push(&piece).map_err(malformed)?);
                    reading.splitter = Some(splitter);
                }
                None => reading.whole.extend(splitter.finish().map_err(malformed)?),
            }
        }
    })
    .boxed()
}

/// An item as an object: a file beside its name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    #[serde(default)]
    id: Option<String>,
    file: String,
    #[serde(default)]
    receipt: Option<String>,
}

/// Whether an object has the member that makes it an item; a package has none.
#[derive(Deserialize)]
struct Peek {
    file: Option<IgnoredAny>,
}

fn is_named(text: &[u8]) -> bool {
    // A doubled member is an error here and must not make a package of it.
    serde_json::from_slice::<Peek>(text).map_or(text.windows(6).any(|at| at == b"\"file\""), |peek| peek.file.is_some())
}

fn item_of(element: Element) -> Item {
    let text = match element {
        Element::Text(text) => text,
        Element::TooLarge => return Item { id: None, content: Content::TooLarge },
    };
    let malformed = |what: String| Item { id: None, content: Content::Malformed(what) };
    match text.first() {
        Some(b'"') => match serde_json::from_slice::<String>(&text) {
            Ok(text) => Item { id: None, content: Content::file(text.into_bytes()) },
            Err(_) => malformed("not a JSON string".into()),
        },
        Some(b'{') if is_named(&text) => match codec::from_strict::<Named>(&text) {
            Ok(named) => named.into_item(),
            Err(_) => malformed("an item has the members file, and perhaps id and receipt: strings".into()),
        },
        // A package as it is, or something that its reader will not know.
        Some(b'{') => Item { id: None, content: Content::file(text) },
        _ => malformed("an item is a string or an object".into()),
    }
}

impl Named {
    fn into_item(self) -> Item {
        let Self { id, file, receipt } = self;
        let content = match (base64(&file), receipt.as_deref().map(base64)) {
            _ if id.as_ref().is_some_and(|id| id.chars().count() > ID_CHARS_MAX) => {
                return Item {
                    id: None,
                    content: Content::Malformed(format!("id has at most {ID_CHARS_MAX} characters")),
                };
            }
            (None, _) | (_, Some(None)) => Content::Malformed("file and receipt are base64".into()),
            (_, Some(Some(receipt))) if receipt.len() > RECEIPT_BYTES_MAX => Content::TooLarge,
            (Some(bytes), _) if bytes.len() > ITEM_BYTES_MAX => Content::TooLarge,
            (Some(bytes), receipt) => Content::File { bytes, receipt: receipt.flatten() },
        };
        Item { id, content }
    }
}

/// Base64 in either alphabet, padded or not, as programs have it at hand.
fn base64(text: &str) -> Option<Vec<u8>> {
    let plain = text.trim_end_matches('=');
    if text.len() - plain.len() > 2 {
        return None;
    }
    let url: String = plain
        .chars()
        .map(|c| {
            if c == '+' {
                '-'
            } else if c == '/' {
                '_'
            } else {
                c
            }
        })
        .collect();
    codec::from_base64url(&url).ok()
}

async fn of_form(request: Request) -> Result<Items, VerifierProblem> {
    let taken = Arc::new(AtomicU64::new(0));
    let mut request = request.map(|body| Body::from_stream(WatchedBody::new(body, Some(Arc::clone(&taken)))));
    // Streamed, so the framework's bound on whole bodies does not apply; `WatchedBody` bounds what is held back.
    DefaultBodyLimit::disable().apply(&mut request);
    let form = Multipart::from_request(request, &())
        .await
        .map_err(|_| VerifierProblem::new(&ITEMS, "the multipart boundary is missing or malformed"))?;
    let items = try_unfold((form, taken), |(mut form, taken)| async move {
        let Some(field) = form.next_field().await.map_err(|error| malformed_form(&error))? else { return Ok(None) };
        taken.fetch_add(MULTIPART_PART_BYTES, Ordering::Relaxed);
        let item = read_field(field, &taken).await?;
        Ok(Some((item, (form, taken))))
    });
    Ok(items.into_stream().boxed())
}

async fn read_field(mut field: Field<'_>, taken: &AtomicU64) -> Result<Item, VerifierProblem> {
    if field.name() != Some("file") {
        return Err(VerifierProblem::new(&ITEMS, "only fields named `file` are taken"));
    }
    let (mut bytes, mut too_large) = (Vec::new(), false);
    while let Some(piece) = field.chunk().await.map_err(|error| malformed_form(&error))? {
        taken.fetch_add(piece.len() as u64, Ordering::Relaxed);
        too_large |= bytes.len() + piece.len() > ITEM_BYTES_MAX;
        if !too_large {
            bytes.extend_from_slice(&piece);
        }
    }
    let content = match (too_large, bytes.is_empty()) {
        (true, _) => Content::TooLarge,
        (false, true) => Content::Malformed("the file is empty".into()),
        (false, false) => Content::file(bytes),
    };
    Ok(Item { id: None, content })
}

/// The problem of a form that cannot be read further: cut, or malformed.
fn malformed_form(error: &MultipartError) -> VerifierProblem {
    if is_of_body(error) {
        return broken(error);
    }
    // The form ended without its last boundary although the body is whole: the sender made it so.
    VerifierProblem::new(&ITEMS, "the form is malformed or ends before its last boundary")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(text: &str) -> Item {
        item_of(Element::Text(text.as_bytes().to_vec()))
    }

    #[test]
    fn items_are_texts_packages_and_named_files() {
        assert_eq!(item(r#""a.b.c""#).content, Content::file(b"a.b.c".to_vec()));
        assert_eq!(item(r#"{"type":"x"}"#).content, Content::file(br#"{"type":"x"}"#.to_vec()));
        for file in ["+/8=", "-_8", "-_8="] {
            let found = item(&format!(r#"{{"id":"7","file":"{file}"}}"#));
            assert_eq!(found, Item { id: Some("7".into()), content: Content::file(vec![0xfb, 0xff]) }, "{file}");
        }
        let found = item(r#"{"file":"YQ","receipt":"Yg"}"#);
        assert_eq!(found.content, Content::File { bytes: b"a".to_vec(), receipt: Some(b"b".to_vec()) });
    }

    #[test]
    fn what_is_no_item_is_told_and_hurts_no_other() {
        let long = format!(r#"{{"id":"{}","file":"YQ"}}"#, "x".repeat(ID_CHARS_MAX + 1));
        for text in [
            "1",
            "null",
            r#"{"file":1}"#,
            r#"{"file":"?"}"#,
            r#"{"file":"YQ===="}"#,
            r#"{"file":"YQ","file":"YQ"}"#,
            r#"{"file":"YQ","name":"x"}"#,
            r#""a"#,
            &long,
        ] {
            assert!(matches!(item(text).content, Content::Malformed(_)), "{text}");
        }
        assert_eq!(item_of(Element::TooLarge).content, Content::TooLarge);
    }
}
