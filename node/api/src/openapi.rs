//! The OpenAPI 3.1 document, generated from the handlers, and completed with what all of them share.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Value, json};
use utoipa::OpenApi;

use crate::app::ApiConfig;
use crate::page;
use crate::problem::{KINDS, Kind, PROBLEM_JSON, ProblemDetails};
use crate::rejections::{RECORD_CODES, RejectionCode};
use crate::routes::ebsi::problem::{EbsiProblem, in_lane};
use crate::routes::{self, EVERYWHERE};

/// Everything that the handlers describe themselves.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Testamur node API",
        description = "Records in, proofs out. Reads are public and need no credentials. Nothing here needs to be \
            believed: receipts, checkpoints and tiles verify offline against a trust file.\n\nTimes are POSIX seconds, \
            hashes lower-case hexadecimal unless said otherwise. Lists come in pages: follow `next` until it is null. \
            Unknown query parameters are refused. Each answer carries an `X-Request-Id`; errors are RFC 9457 problem \
            details with a stable `code`.\n\nAny web page may read: GET and HEAD answer `Access-Control-Allow-Origin: *`, \
            without credentials, errors too. No page of another origin may write.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    tags(
        (name = "records", description = "Submitting records, reading them, and their receipts"),
        (name = "blocks", description = "The chain of decided headers"),
        (name = "proofs", description = "Checkpoints and the proofs between them"),
        (name = "registries", description = "DID documents, accreditations, schemas, status lists and dossiers, as of a \
            time and with their proofs"),
        (name = "ebsi", description = "EBSI's read interfaces: DID registry v5, trusted issuers registry v5, trusted \
            schemas registry v3, trusted policies registry v3, timestamp v4. What they answer is not proven: the native \
            routes prove the same"),
        (name = "ebsi-core", description = "EBSI Core v1: the DID and issuers registries under its paths"),
        (name = "resolver", description = "W3C DID Resolution over HTTP"),
        (name = "governance", description = "What operators decide on: what is in force, what is to come, proposals and \
            their approvals"),
        (name = "network", description = "The network and this node"),
        (name = "log", description = "The log as C2SP tlog-tiles static resources"),
        (name = "documentation", description = "This documentation"),
    ),
    paths(
        routes::records::list, routes::records::submit, routes::records::one, routes::records::receipt,
        routes::notarisations::list, routes::blocks::list, routes::blocks::one, routes::blocks::stream,
        routes::proofs::latest_checkpoint, routes::proofs::checkpoint, routes::proofs::consistency, routes::proofs::history,
        routes::registry::dids::list, routes::registry::dids::one, routes::registry::dids::history,
        routes::registry::issuers::list, routes::registry::issuers::one,
        routes::registry::issuers::accreditations, routes::registry::issuers::accreditation,
        routes::registry::chains::of_issuer, routes::registry::chains::of_accreditation,
        routes::registry::schemas::list, routes::registry::schemas::one,
        routes::registry::status::list, routes::registry::status::one, routes::registry::status::bits,
        routes::registry::status::status_list_2021, routes::registry::status::bitstring,
        routes::registry::status::token_status_list,
        routes::registry::dossiers::list, routes::registry::dossiers::one,
        routes::registry::state::evidence, routes::registry::state::attachment,
        routes::ebsi::did::list, routes::ebsi::did::one, routes::ebsi::did::actions,
        routes::ebsi::issuers::list, routes::ebsi::issuers::one, routes::ebsi::issuers::attributes,
        routes::ebsi::issuers::attribute, routes::ebsi::issuers::revisions, routes::ebsi::issuers::revision,
        routes::ebsi::issuers::proxies, routes::ebsi::issuers::proxy, routes::ebsi::issuers::status_list,
        routes::ebsi::schemas::list, routes::ebsi::schemas::one, routes::ebsi::schemas::revisions,
        routes::ebsi::schemas::revision, routes::ebsi::schemas::metadata, routes::ebsi::schemas::one_metadata,
        routes::ebsi::policies::list, routes::ebsi::policies::one, routes::ebsi::policies::users,
        routes::ebsi::policies::user,
        routes::ebsi::timestamp::hash_algorithms, routes::ebsi::timestamp::hash_algorithm,
        routes::ebsi::timestamp::timestamps, routes::ebsi::timestamp::timestamp,
        routes::ebsi::timestamp::records, routes::ebsi::timestamp::record, routes::ebsi::timestamp::versions,
        routes::ebsi::timestamp::version,
        routes::ebsi::core::did_registry, routes::ebsi::core::issuers_registry, routes::ebsi::core::alive,
        routes::ebsi::resolver::resolve,
        routes::governance::now, routes::governance::proposals, routes::governance::proposal,
        routes::governance::set_change,
        routes::equivocations::list, routes::network::epochs, routes::network::network, routes::network::genesis, routes::network::status,
        routes::log::checkpoint, routes::log::tile, routes::log::policy,
        routes::documents::openapi, routes::documents::docs,
    ),
    components(schemas(ProblemDetails, EbsiProblem)),
)]
struct Handlers;

/// Both forms of the documentation, ready to serve.
pub(crate) struct Documents {
    /// The JSON.
    pub(crate) openapi: Bytes,
    /// The page.
    pub(crate) page: Bytes,
    /// The page's content security policy.
    pub(crate) page_policy: String,
}

impl Documents {
    pub(crate) fn new(config: &ApiConfig) -> Self {
        let document = document(config);
        let (page, page_policy) = page::render(&document);
        let openapi = serde_json::to_vec_pretty(&document).expect("a JSON value serialises");
        Self { openapi: openapi.into(), page: page.into(), page_policy }
    }
}

/// The whole document.
pub(crate) fn document(config: &ApiConfig) -> Value {
    let mut document = serde_json::to_value(Handlers::openapi()).expect("an OpenAPI document is JSON");
    for route in routes::table() {
        if let Some(original) = route.alias_of {
            document["paths"][route.documented] = alias(&document["paths"][original]);
        }
    }
    for route in routes::table() {
        for operation in &route.operations {
            let responses = &mut document["paths"][route.documented][operation.method]["responses"];
            let kinds = EVERYWHERE.iter().chain(&operation.problems);
            if in_lane(route.path) { add_ebsi_problems(responses, kinds) } else { add_problems(responses, kinds) }
        }
    }
    document["servers"] = json!([{ "url": config.public_url.as_deref().unwrap_or("/") }]);
    let kinds = KINDS.iter().map(|kind| {
        let Kind { code, status, title, description } = kind;
        json!({ "code": code, "status": status.as_u16(), "title": title, "description": description })
    });
    document["x-problem-codes"] = kinds.collect();
    let rejections = RECORD_CODES.iter().chain(&config.rejection_codes).map(|rejection| {
        let RejectionCode { code, number, description } = rejection;
        let status = crate::problem::Problem::rejection(*code, *number, "").status().as_u16();
        json!({ "code": code, "number": number, "status": status, "description": description })
    });
    document["x-rejection-codes"] = rejections.collect();
    document
}

/// The same operation under EBSI Core's path.
fn alias(original: &Value) -> Value {
    let mut alias = original.clone();
    for operation in alias.as_object_mut().into_iter().flat_map(serde_json::Map::values_mut) {
        let id = operation["operationId"].as_str().unwrap_or_default().replacen("ebsi", "core", 1);
        operation["operationId"] = json!(id);
        operation["tags"] = json!(["ebsi-core"]);
        let contract = json!({
            "name": "contractAddress", "in": "query", "required": false, "schema": { "type": "string" },
            "description": "Which registry is meant; links repeat it, and there is one",
        });
        match operation["parameters"].as_array_mut() {
            Some(parameters) => parameters.push(contract),
            None => operation["parameters"] = json!([contract]),
        }
    }
    alias
}

/// Problems in EBSI's words.
fn add_ebsi_problems<'k>(responses: &mut Value, kinds: impl Iterator<Item = &'k Kind>) {
    for kind in kinds {
        let response = &mut responses[kind.status.as_u16().to_string()];
        if response["description"].as_str().is_some() {
            continue;
        }
        let words = kind.status.canonical_reason().unwrap_or("a problem");
        let schema = json!({ "$ref": "#/components/schemas/EbsiProblem" });
        *response = json!({ "description": words, "content": { PROBLEM_JSON: { "schema": schema } } });
    }
}

/// One response a status, with all the codes that have it.
fn add_problems<'k>(responses: &mut Value, kinds: impl Iterator<Item = &'k Kind>) {
    let mut by_status: BTreeMap<u16, Vec<&str>> = BTreeMap::new();
    for kind in kinds {
        by_status.entry(kind.status.as_u16()).or_default().push(kind.code);
    }
    for (status, codes) in by_status {
        let codes = codes.iter().map(|code| format!("`{code}`")).collect::<Vec<_>>().join(", ");
        let schema = json!({ "$ref": "#/components/schemas/ProblemDetails" });
        let response = &mut responses[status.to_string()];
        // A handler may have said more about this status itself.
        let description = match response["description"].as_str() {
            Some(said) => format!("{said}; {codes}"),
            None => codes,
        };
        *response = json!({ "description": description, "content": { PROBLEM_JSON: { "schema": schema } } });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// INV-API-1: what is routed is documented, and the other way round.
    #[test]
    fn every_route_stands_in_the_document() {
        let document = document(&ApiConfig::default());
        let routed: BTreeSet<(String, String)> = routes::table()
            .iter()
            .flat_map(|r| r.operations.iter().map(|o| (r.documented.to_owned(), o.method.to_owned())))
            .collect();
        let (mut documented, mut operation_ids) = (BTreeSet::new(), BTreeSet::new());
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                documented.insert((path.clone(), method.clone()));
                let id = operation["operationId"].as_str().expect(path);
                assert!(operation_ids.insert(id.to_owned()), "{id} names two operations");
                assert!(operation["summary"].as_str().is_some_and(|s| !s.is_empty()), "{method} {path} has no summary");
                let responses = operation["responses"].as_object().expect("responses");
                assert!(responses.keys().any(|s| s.starts_with('2')), "{method} {path} has no success");
                assert!(responses.contains_key("503") && responses.contains_key("500"), "{method} {path}");
                for name in path.split('{').skip(1).map(|p| p.split('}').next().unwrap()) {
                    let parameters = operation["parameters"].as_array().expect(path);
                    assert!(parameters.iter().any(|p| p["name"] == name && p["in"] == "path"), "{path}: {name}");
                }
                for parameter in operation["parameters"].as_array().into_iter().flatten() {
                    assert!(parameter["description"].as_str().is_some(), "{method} {path}: {parameter}");
                }
            }
        }
        assert_eq!(routed, documented);
        assert_eq!(document["openapi"], "3.1.0");
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn references(value: &Value, found: &mut BTreeSet<String>) {
            match value {
                Value::Object(members) => {
                    if let Some(Value::String(reference)) = members.get("$ref") {
                        found.insert(reference.clone());
                    }
                    members.values().for_each(|v| references(v, found));
                }
                Value::Array(items) => items.iter().for_each(|v| references(v, found)),
                _ => {}
            }
        }
        let document = document(&ApiConfig::default());
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        assert!(!found.is_empty());
        for reference in found {
            let pointer = reference.strip_prefix('#').expect("local references only");
            assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
        }
    }

    #[test]
    fn every_problem_of_a_route_is_described() {
        let described: BTreeSet<_> = KINDS.iter().map(|k| k.code).collect();
        for route in routes::table() {
            for operation in route.operations {
                for kind in operation.problems {
                    assert!(described.contains(kind.code), "{}", kind.code);
                }
            }
        }
    }
}
