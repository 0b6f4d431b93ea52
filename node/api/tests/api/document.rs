//! The OpenAPI document against what the server really answers: each JSON answer has the members, and only the members,
//! that its schema names. This also holds the described formats against the primitives' real types.

use serde_json::Value;
use testamur_primitives::codec::base64url;
use testamur_primitives::commitment::Form;
use testamur_primitives::record::Bytes;

use crate::client::{get, get_as, request};
use crate::node::TestNode;
use crate::world::World;

#[test]
fn answers_are_as_the_document_says() {
    let node = TestNode::start();
    let record = node.ledger.record("a", Form::Digest, vec![Bytes(vec![7; 32])]);
    node.ledger.commit(vec![record.clone()]);
    node.ledger.commit(Vec::new());
    let document = get(node.address, "/v1/openapi.json").json();
    let id = record.id();
    let hash = "07".repeat(32);
    let cases = [
        ("/v1/records", "/v1/records?limit=1".to_owned()),
        ("/v1/records/{id}", format!("/v1/records/{id}")),
        ("/v1/records/{id}/receipt", format!("/v1/records/{id}/receipt")),
        ("/v1/notarisations", format!("/v1/notarisations?hash={hash}")),
        ("/v1/notarisations", format!("/v1/notarisations?hash={id}")),
        ("/v1/blocks", "/v1/blocks?limit=1".to_owned()),
        ("/v1/blocks/{height}", "/v1/blocks/1".to_owned()),
        ("/v1/checkpoints/latest", "/v1/checkpoints/latest".to_owned()),
        ("/v1/checkpoints/{height}", "/v1/checkpoints/1".to_owned()),
        ("/v1/consistency", "/v1/consistency?from=0&to=1".to_owned()),
        ("/v1/history", "/v1/history?from=0&to=2".to_owned()),
        ("/v1/epochs", "/v1/epochs".to_owned()),
        ("/v1/equivocations", "/v1/equivocations?limit=2".to_owned()),
        ("/v1/network", "/v1/network".to_owned()),
        ("/v1/genesis", "/v1/genesis".to_owned()),
        ("/v1/status", "/v1/status".to_owned()),
    ];
    for (path, target) in cases {
        let answer = get_as(node.address, &target, "application/json");
        assert_eq!(answer.status, 200, "{target}: {}", answer.text());
        let response = &document["paths"][path]["get"]["responses"]["200"];
        conforms(&document, &response["content"]["application/json"]["schema"], &answer.json(), &target);
    }
    let post = &document["paths"]["/v1/records"]["post"]["responses"];
    let jose = "Content-Type: application/jose\r\n";
    let next = node.ledger.public_record("b", [8; 32]);
    for (target, body, status) in [
        ("/v1/records?wait=final", next.as_bytes(), "201"),
        ("/v1/records", next.as_bytes(), "409"),
        ("/v1/records", b"x".as_slice(), "400"),
    ] {
        let answer = request(node.address, "POST", target, jose, body);
        assert_eq!(answer.status.to_string(), status, "{}", answer.text());
        let (_, content) = post[status]["content"].as_object().unwrap().iter().next().unwrap();
        conforms(&document, &content["schema"], &answer.json(), status);
    }
}

#[test]
fn answers_of_the_registries_are_as_the_document_says() {
    let world = World::new();
    world.publish_list(&[1]);
    let dossier = world.open_dossier(&[[1; 32]]);
    let document = get(world.node.address, "/v1/openapi.json").json();
    let (did, attribute) = (&world.university.did, world.university.attribute());
    let cases = [
        ("/v1/dids", "/v1/dids?size=1".to_owned()),
        ("/v1/dids/{did}", format!("/v1/dids/{did}?proof=true")),
        ("/v1/dids/{did}/history", format!("/v1/dids/{did}/history")),
        ("/v1/issuers", "/v1/issuers".to_owned()),
        ("/v1/issuers/{did}", format!("/v1/issuers/{did}?proof=true")),
        ("/v1/accreditations", "/v1/accreditations?type=ti".to_owned()),
        ("/v1/accreditations/{attribute}", format!("/v1/accreditations/{attribute}?proof=true")),
        ("/v1/trust-chains", format!("/v1/trust-chains?issuer={}", world.city.did)),
        ("/v1/trust-chains/{attribute}", format!("/v1/trust-chains/{attribute}?list=revocation-1")),
        ("/v1/schemas", "/v1/schemas".to_owned()),
        ("/v1/schemas/{schema}", format!("/v1/schemas/{}?proof=true", world.schema)),
        ("/v1/status-lists", format!("/v1/status-lists?issuer={did}")),
        ("/v1/status-lists/{did}/{list}", format!("/v1/status-lists/{did}/revocation-1?proof=true")),
        ("/v1/dossiers", "/v1/dossiers".to_owned()),
        ("/v1/dossiers/{id}", format!("/v1/dossiers/{dossier}?proof=true")),
        ("/v1/state", format!("/v1/state?key=did/{did}/head&key=did/{did}/9")),
    ];
    for (path, target) in cases {
        let response = &document["paths"][path]["get"]["responses"]["200"];
        conforms(&document, &response["content"]["application/json"]["schema"], &world.json(&target), &target);
    }
}

#[test]
fn answers_in_ebsis_shapes_are_as_the_document_says() {
    let world = World::new();
    world.publish_list(&[1]);
    let digest = world.node.ledger.public_record("public", [7; 32]);
    world.node.ledger.commit(vec![digest]);
    let dossier = base64url(world.open_dossier(&[[1; 32]]).as_bytes());
    let document = get(world.node.address, "/v1/openapi.json").json();
    let (did, attribute) = (&world.university.did, world.university.attribute());
    let first = |target: &str, name: &str| world.json(target)["items"][0][name].as_str().expect(name).to_owned();
    let (tir, tsr) = ("/trusted-issuers-registry/v5/issuers", "/trusted-schemas-registry/v3/schemas");
    let (tpr, time) = ("/trusted-policies-registry/v3", "/timestamp/v4");
    let schema = first(tsr, "schemaId");
    let revision = first(&format!("{tsr}/{schema}/revisions"), "schemaRevisionId");
    let timestamp = first(&format!("{time}/timestamps"), "timestampId");
    let user = first(&format!("{tpr}/users"), "user");
    let proxy = first(&format!("{tir}/{did}/proxies"), "proxyId");
    let cases = [
        ("/did-registry/v5/identifiers", "/did-registry/v5/identifiers".to_owned()),
        ("/did-registry/v5/identifiers/{did}", format!("/did-registry/v5/identifiers/{did}")),
        ("/trusted-issuers-registry/v5/issuers", tir.to_owned()),
        ("/trusted-issuers-registry/v5/issuers/{did}", format!("{tir}/{did}")),
        ("/trusted-issuers-registry/v5/issuers/{did}/attributes", format!("{tir}/{did}/attributes")),
        (
            "/trusted-issuers-registry/v5/issuers/{did}/attributes/{attribute}",
            format!("{tir}/{did}/attributes/{attribute}"),
        ),
        (
            "/trusted-issuers-registry/v5/issuers/{did}/attributes/{attribute}/revisions",
            format!("{tir}/{did}/attributes/{attribute}/revisions"),
        ),
        ("/trusted-issuers-registry/v5/issuers/{did}/proxies", format!("{tir}/{did}/proxies")),
        ("/trusted-issuers-registry/v5/issuers/{did}/proxies/{proxy}", format!("{tir}/{did}/proxies/{proxy}")),
        ("/trusted-schemas-registry/v3/schemas", tsr.to_owned()),
        ("/trusted-schemas-registry/v3/schemas/{schema}", format!("{tsr}/{schema}")),
        ("/trusted-schemas-registry/v3/schemas/{schema}/revisions", format!("{tsr}/{schema}/revisions")),
        (
            "/trusted-schemas-registry/v3/schemas/{schema}/revisions/{revision}/metadata",
            format!("{tsr}/{schema}/revisions/{revision}/metadata"),
        ),
        ("/trusted-policies-registry/v3/policies", format!("{tpr}/policies")),
        ("/trusted-policies-registry/v3/policies/{policy}", format!("{tpr}/policies/1")),
        ("/trusted-policies-registry/v3/users", format!("{tpr}/users")),
        ("/trusted-policies-registry/v3/users/{address}", format!("{tpr}/users/{user}")),
        ("/timestamp/v4/hash-algorithms", format!("{time}/hash-algorithms")),
        ("/timestamp/v4/hash-algorithms/{id}", format!("{time}/hash-algorithms/5")),
        ("/timestamp/v4/timestamps", format!("{time}/timestamps")),
        ("/timestamp/v4/timestamps/{id}", format!("{time}/timestamps/{timestamp}")),
        ("/timestamp/v4/records", format!("{time}/records")),
        ("/timestamp/v4/records/{id}", format!("{time}/records/u{dossier}")),
        ("/timestamp/v4/records/{id}/versions", format!("{time}/records/u{dossier}/versions")),
        ("/timestamp/v4/records/{id}/versions/{version}", format!("{time}/records/u{dossier}/versions/0")),
        ("/v1/did-registry/details", "/v1/did-registry/details".to_owned()),
        ("/v1/issuers-registry/details", "/v1/issuers-registry/details".to_owned()),
        (
            "/v1/issuers-registry/issuers/{did}/attributes/{attribute}",
            format!("/v1/issuers-registry/issuers/{did}/attributes/{attribute}"),
        ),
        ("/v1/alive", "/v1/alive".to_owned()),
        ("/1.0/identifiers/{did}", format!("/1.0/identifiers/{did}")),
    ];
    for (path, target) in cases {
        let content = document["paths"][path]["get"]["responses"]["200"]["content"].as_object().expect(path);
        let (_, body) = content.iter().next().expect(path);
        conforms(&document, &body["schema"], &world.json(&target), &target);
    }
    let refused = get(world.node.address, "/did-registry/v5/identifiers/x");
    let response = &document["paths"]["/did-registry/v5/identifiers/{did}"]["get"]["responses"]["400"];
    conforms(&document, &response["content"]["application/problem+json"]["schema"], &refused.json(), "400");
}

/// The part of JSON Schema that the document uses; stricter in that members which are not described are refused.
fn conforms(document: &Value, schema: &Value, value: &Value, place: &str) {
    assert!(schema.is_object(), "{place}: no schema");
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(reference.trim_start_matches('#')).expect(reference);
        return conforms(document, target, value, place);
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let choice = choices.iter().find(|c| (c["type"] == "null") == value.is_null());
        return conforms(document, choice.unwrap_or_else(|| panic!("{place}: {value}")), value, place);
    }
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_u64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let allowed = match &schema["type"] {
        Value::String(one) => one == found,
        Value::Array(some) => some.iter().any(|t| t == found),
        _ => panic!("{place}: a schema without type: {schema}"),
    };
    assert!(allowed, "{place}: {value} is not {}", schema["type"]);
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                conforms(document, &schema["items"], item, &format!("{place}/{index}"));
            }
        }
        Value::Object(members) => {
            let Some(properties) = schema["properties"].as_object() else { return };
            for (name, member) in members {
                let described = properties.get(name).unwrap_or_else(|| panic!("{place}: {name} is not described"));
                conforms(document, described, member, &format!("{place}/{name}"));
            }
            for name in schema["required"].as_array().into_iter().flatten() {
                assert!(members.contains_key(name.as_str().unwrap()), "{place}: {name} is missing");
            }
        }
        _ => {}
    }
}
