//! Trusted schemas registry v3.

use axum::extract::State;
use serde::Serialize;
use testamur_primitives::codec::sha256;
use testamur_primitives::hash::SchemaId;
use testamur_primitives::issuers::accreditation::parse_schema_id;
use testamur_primitives::schemas::{self, SchemaEntry, multibase};
use testamur_primitives::state::entry_before_head;
use utoipa::ToSchema;

use super::paging::{EbsiPage, Paging, PagingParameters};
use super::problem::{bad_request, not_found};
use super::{Asked, Lane, Segments};
use crate::answer::{Answer, Caching, JSON};
use crate::app::Api;
use crate::ledger::{ReadError, Registry};
use crate::problem::Problem;
use crate::registry::{Refusal, Snapshot, page_of};
use crate::request::Segment;
use crate::routes::registry::hex;

/// A schema and where it is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SchemaLink {
    /// `z` and base58btc.
    schema_id: String,
    /// The schema itself.
    href: String,
}

/// A revision of a schema and where it is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SchemaRevisionLink {
    /// `0x` and the SHA-256 of the text.
    schema_revision_id: String,
    /// The revision itself.
    href: String,
}

/// What could be said of a revision beside it; nothing is.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MetadataLink {
    /// Its id.
    metadata_id: String,
    /// Where it is.
    href: String,
}

fn schema_id(text: &str) -> Result<SchemaId, Problem> {
    let malformed = || bad_request("a schema id is z and base58btc of 32 bytes, or 0x and 64 hexadecimal digits");
    Some(text).filter(|text| !text.contains('/')).and_then(parse_schema_id).ok_or_else(malformed)
}

fn newest(state: &Snapshot<'_>, id: SchemaId, text: &str) -> Result<SchemaEntry, Refusal> {
    let missing = || not_found("Schema Not Found", format!("Schema {text} not found"));
    Ok(schemas::schema(state, id)?.ok_or_else(missing)?)
}

fn revision_id(body: &str) -> String {
    format!("0x{}", hex(&sha256(&[body.as_bytes()])))
}

/// A revision by its id, the newest first.
fn revision_of(state: &Snapshot<'_>, newest: SchemaEntry, id: SchemaId, wanted: &str) -> Result<SchemaEntry, Refusal> {
    let missing = || not_found("Revision Not Found", format!("Revision {wanted} not found"));
    let mut seq = newest.seq;
    let mut entry = newest;
    loop {
        if revision_id(&entry.body).eq_ignore_ascii_case(wanted) {
            return Ok(entry);
        }
        seq -= 1;
        if seq == 0 {
            return Err(missing().into());
        }
        entry = entry_before_head(state, &schemas::key(id), seq)?;
    }
}

fn bounded(segment: &str) -> String {
    segment.chars().take(80).collect()
}

/// Schemas
///
/// The schemas on this ledger.
#[utoipa::path(
    get, path = "/trusted-schemas-registry/v3/schemas", operation_id = "ebsiListSchemas", tag = "ebsi",
    params(PagingParameters),
    responses((status = 200, description = "A page of schemas", body = EbsiPage<SchemaLink>))
)]
pub(crate) async fn list(State(api): State<Api>, lane: Lane, asked: Asked) -> Result<Answer, Problem> {
    let paging = Paging::new(&asked)?;
    let read = move |registry: &dyn Registry| {
        let objects = registry.objects("schema", "all", paging.page, paging.size)?;
        let link = |id: &String| {
            let id: SchemaId =
                id.parse().map_err(|_| ReadError::Fatal(format!("the index names {id:?}, which is no schema")))?;
            let schema_id = multibase(id);
            Ok(SchemaLink { href: lane.href(&format!("/schemas/{schema_id}")), schema_id })
        };
        let items = objects.ids.iter().map(link).collect::<Result<_, Refusal>>()?;
        Ok(paging.page(&lane, "/schemas", items, objects.total))
    };
    Ok(Answer::json(&api.registry(read).await?, Caching::WhileUnchanged))
}

/// A schema
///
/// The newest revision: the bare JSON Schema.
#[utoipa::path(
    get, path = "/trusted-schemas-registry/v3/schemas/{schema}", operation_id = "ebsiReadSchema", tag = "ebsi",
    params(("schema" = String, Path, description = "`z…` in base58btc or `0x…` in hexadecimal")),
    responses((status = 200, description = "The schema", body = Object, content_type = "application/json"))
)]
pub(crate) async fn one(State(api): State<Api>, schema: Segment) -> Result<Answer, Problem> {
    let id = schema_id(&schema.0)?;
    let read = move |registry: &dyn Registry| Ok(newest(&Snapshot(registry), id, &bounded(&schema.0))?.body);
    Ok(Answer::new(JSON, api.registry(read).await?, Caching::WhileUnchanged))
}

/// The revisions of a schema
///
/// Oldest first.
#[utoipa::path(
    get, path = "/trusted-schemas-registry/v3/schemas/{schema}/revisions", operation_id = "ebsiListSchemaRevisions",
    tag = "ebsi",
    params(("schema" = String, Path, description = "`z…` in base58btc or `0x…` in hexadecimal"), PagingParameters),
    responses((status = 200, description = "A page of revisions", body = EbsiPage<SchemaRevisionLink>))
)]
pub(crate) async fn revisions(
    State(api): State<Api>,
    lane: Lane,
    schema: Segment,
    asked: Asked,
) -> Result<Answer, Problem> {
    let (id, paging) = (schema_id(&schema.0)?, Paging::new(&asked)?);
    let read = move |registry: &dyn Registry| {
        let state = Snapshot(registry);
        let total = newest(&state, id, &bounded(&schema.0))?.seq;
        let path = format!("/schemas/{}/revisions", multibase(id));
        let numbers: Vec<u64> = (1..=total).collect();
        let link = |seq: u64| {
            let entry: SchemaEntry = entry_before_head(&state, &schemas::key(id), seq)?;
            let schema_revision_id = revision_id(&entry.body);
            Ok(SchemaRevisionLink { href: lane.href(&format!("{path}/{schema_revision_id}")), schema_revision_id })
        };
        let shown = page_of(&numbers, paging.page, paging.size).into_iter();
        let items = shown.map(link).collect::<Result<_, Refusal>>()?;
        Ok(paging.page(&lane, &path, items, total))
    };
    Ok(Answer::json(&api.registry(read).await?, Caching::WhileUnchanged))
}

/// The schema and revision that a path begins with.
fn two(path: &Segments) -> Result<(SchemaId, String, String), Problem> {
    let [schema, revision] = path.first()?;
    Ok((schema_id(schema)?, bounded(schema), bounded(revision)))
}

/// A revision of a schema
///
/// The bare JSON Schema.
#[utoipa::path(
    get, path = "/trusted-schemas-registry/v3/schemas/{schema}/revisions/{revision}",
    operation_id = "ebsiReadSchemaRevision", tag = "ebsi",
    params(
        ("schema" = String, Path, description = "`z…` in base58btc or `0x…` in hexadecimal"),
        ("revision" = String, Path, description = "`0x` and the SHA-256 of the text"),
    ),
    responses((status = 200, description = "The schema", body = Object, content_type = "application/json"))
)]
pub(crate) async fn revision(State(api): State<Api>, path: Segments) -> Result<Answer, Problem> {
    let (id, text, wanted) = two(&path)?;
    let read = move |registry: &dyn Registry| {
        let state = Snapshot(registry);
        let newest = newest(&state, id, &text)?;
        Ok(revision_of(&state, newest, id, &wanted)?.body)
    };
    Ok(Answer::new(JSON, api.registry(read).await?, Caching::WhileUnchanged))
}

/// Metadata of a revision
///
/// None: what there is to say of a schema stands in it.
#[utoipa::path(
    get, path = "/trusted-schemas-registry/v3/schemas/{schema}/revisions/{revision}/metadata",
    operation_id = "ebsiListSchemaMetadata", tag = "ebsi",
    params(
        ("schema" = String, Path, description = "`z…` in base58btc or `0x…` in hexadecimal"),
        ("revision" = String, Path, description = "`0x` and the SHA-256 of the text"),
        PagingParameters,
    ),
    responses((status = 200, description = "An empty page", body = EbsiPage<MetadataLink>))
)]
pub(crate) async fn metadata(
    State(api): State<Api>,
    lane: Lane,
    path: Segments,
    asked: Asked,
) -> Result<Answer, Problem> {
    let ((id, text, wanted), paging) = (two(&path)?, Paging::new(&asked)?);
    let read = move |registry: &dyn Registry| {
        let state = Snapshot(registry);
        let newest = newest(&state, id, &text)?;
        let body = revision_of(&state, newest, id, &wanted)?.body;
        let path = format!("/schemas/{}/revisions/{}/metadata", multibase(id), revision_id(&body));
        Ok(paging.of(&lane, &path, &[] as &[MetadataLink]))
    };
    Ok(Answer::json(&api.registry(read).await?, Caching::WhileUnchanged))
}

/// One piece of metadata
///
/// There is none.
#[utoipa::path(
    get, path = "/trusted-schemas-registry/v3/schemas/{schema}/revisions/{revision}/metadata/{metadata}",
    operation_id = "ebsiReadSchemaMetadata", tag = "ebsi",
    params(
        ("schema" = String, Path, description = "`z…` in base58btc or `0x…` in hexadecimal"),
        ("revision" = String, Path, description = "`0x` and the SHA-256 of the text"),
        ("metadata" = String, Path, description = "Its id"),
    ),
    responses((status = 200, description = "Never", body = Object, content_type = "application/json"))
)]
pub(crate) async fn one_metadata(State(api): State<Api>, path: Segments) -> Result<Answer, Problem> {
    let (id, text, wanted) = two(&path)?;
    let [.., metadata] = path.all::<3>()?;
    let metadata = bounded(metadata);
    let read = move |registry: &dyn Registry| -> Result<Answer, Refusal> {
        let state = Snapshot(registry);
        let newest = newest(&state, id, &text)?;
        revision_of(&state, newest, id, &wanted)?;
        Err(not_found("Metadata Not Found", format!("Metadata {metadata} not found")).into())
    };
    api.registry(read).await
}
