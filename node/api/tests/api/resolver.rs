//! The resolver interface: versions, representations, and its own kind of errors.

use serde_json::json;
use testamur_primitives::identity::changes::DidChange;

use crate::client::{get, get_as};
use crate::ebsi::time_text;
use crate::world::World;

#[test]
fn the_resolver_tells_the_versions_of_a_document() {
    let world = World::new();
    let party = &world.city;
    let registered = world.now();
    world.update(
        party,
        party,
        vec![DidChange::RevokeMethod { method: crate::world::thumbprint(&party.credential_key) }],
    );
    let target = |query: &str| format!("/1.0/identifiers/{}{query}", party.did);
    let answer = get(world.node.address, &target(""));
    assert_eq!(answer.header("content-type"), Some("application/ld+json;profile=\"https://w3id.org/did-resolution\""));
    let result = answer.json();
    assert_eq!(result["didDocument"], world.json(&format!("/did-registry/v5/identifiers/{}", party.did)));
    assert_eq!(result["didResolutionMetadata"], json!({"contentType": "application/did+ld+json"}));
    let metadata = &result["didDocumentMetadata"];
    assert_eq!(
        (&metadata["versionId"], &metadata["deactivated"], metadata.get("nextUpdate")),
        (&json!("2"), &json!(false), None)
    );
    for query in [format!("?versionTime={}", time_text(registered)), "?versionId=1".to_owned()] {
        let old = world.json(&target(&query));
        assert_eq!(
            (&old["didDocumentMetadata"]["versionId"], &old["didDocumentMetadata"]["nextVersionId"]),
            (&json!("1"), &json!("2")),
            "{query}"
        );
        assert_eq!(old["didDocumentMetadata"]["created"], metadata["created"]);
        assert_eq!(old["didDocument"]["verificationMethod"].as_array().unwrap().len(), 2);
    }
    for (accept, media_type, bare) in [
        ("application/did+ld+json", "application/did+ld+json", true),
        ("application/did+json", "application/did+json", true),
        ("application/json", "application/ld+json;profile=\"https://w3id.org/did-resolution\"", false),
        ("text/html", "application/ld+json;profile=\"https://w3id.org/did-resolution\"", false),
        ("*/*", "application/ld+json;profile=\"https://w3id.org/did-resolution\"", false),
    ] {
        let answer = get_as(world.node.address, &target(""), accept);
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(media_type)), "{accept}");
        assert_eq!(answer.json().get("didDocument").is_none(), bare, "{accept}");
    }
    for (target, status, error) in [
        ("/1.0/identifiers/nobody".to_owned(), 400, "invalidDid"),
        ("/1.0/identifiers/did:ebsi:zabc".to_owned(), 400, "invalidDid"),
        ("/1.0/identifiers/did:web:example.org".to_owned(), 501, "methodNotSupported"),
        ("/1.0/identifiers/did:ebsi:zvHWX359A3CvfJnCYaAiAde".to_owned(), 404, "notFound"),
        (target("?versionId=3"), 404, "notFound"),
        (target("?versionId=0"), 400, "invalidOptions"),
        (target("?versionTime=now"), 400, "invalidOptions"),
        (target("?versionTime=3000-01-01T00:00:00Z"), 400, "invalidOptions"),
        (target("?versionId=1&versionTime=1970-01-01T00:00:00Z"), 400, "invalidOptions"),
        (target("?versionTime=1970-01-01T00:00:00Z"), 404, "notFound"),
    ] {
        let answer = get(world.node.address, &target);
        let result = answer.json();
        assert_eq!(
            (answer.status, result["didResolutionMetadata"]["error"].as_str()),
            (status, Some(error)),
            "{target}"
        );
        assert!(result["didDocument"].is_null() && result["didResolutionMetadata"]["errorMessage"].is_string());
    }
    world.update(party, party, vec![DidChange::Deactivate {}]);
    let closed = get(world.node.address, &target(""));
    let result = closed.json();
    assert_eq!((closed.status, &result["didDocumentMetadata"]["deactivated"]), (410, &json!(true)));
    assert_eq!(result["didDocument"]["verificationMethod"], json!([]));
    world.node.ledger.damage();
    let failed = get(world.node.address, &target(""));
    assert_eq!((failed.status, &failed.json()["didResolutionMetadata"]["error"]), (500, &json!("internalError")));
    assert!(!failed.text().contains("secret"));
}
