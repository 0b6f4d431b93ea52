//! EBSI's interfaces: bodies held byte for byte against the shapes that its services have, paging to its edges, and
//! problems in its words.

use serde_json::{Value, json};
use testamur_primitives::codec::{from_base64url, sha256};
use testamur_primitives::identity::changes::DidChange;
use testamur_primitives::identity::ebsi_address;
use testamur_primitives::schemas::multibase;
use testamur_primitives::status::formats::proxy_id;
use testamur_primitives::units::UnixTime;

use crate::client::{Answer, get, get_as, request};
use crate::ledger::{GENESIS_TIME, PUBLIC_BASE};
use crate::node::TestNode;
use crate::world::{Party, SCHEMA, World};

/// Checks that this is a problem in EBSI's words, and returns its detail.
#[track_caller]
pub(crate) fn problem(answer: &Answer, status: u16, title: &str) -> String {
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    let found = answer.json();
    let members: Vec<_> = found.as_object().unwrap().keys().cloned().collect();
    assert_eq!(members.len(), 4, "{found}");
    assert_eq!(
        (answer.status, &found["type"], &found["title"], &found["status"]),
        (status, &json!("about:blank"), &json!(title), &json!(status)),
        "{found}"
    );
    found["detail"].as_str().expect("detail").to_owned()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

pub(crate) fn address(party: &Party) -> String {
    format!("0x{}", hex(&ebsi_address(&party.ledger_key.public_key()).expect("secp256k1")))
}

#[test]
fn a_did_document_has_ebsis_shape_to_the_byte() {
    let world = World::new();
    let party = &world.university;
    let (did, ledger, credential) = (&party.did, party.kid(&party.ledger_key), party.kid(&party.credential_key));
    let method = |kid: &str, key: &testamur_primitives::key::SigningKey| {
        let jwk = key.public_key().to_jwk();
        format!(
            r#"{{"id":"{kid}","type":"JsonWebKey2020","controller":"{did}","publicKeyJwk":{}}}"#,
            serde_json::to_string(&jwk).unwrap()
        )
    };
    let expected = format!(
        r#"{{"@context":["https://www.w3.org/ns/did/v1","https://w3id.org/security/suites/jws-2020/v1"],"id":"{did}","controller":["{did}"],"verificationMethod":[{},{}],"authentication":["{ledger}","{credential}"],"assertionMethod":["{credential}"],"capabilityInvocation":["{ledger}"]}}"#,
        method(&ledger, &party.ledger_key),
        method(&credential, &party.credential_key),
    );
    let target = format!("/did-registry/v5/identifiers/{did}");
    let answer = get(world.node.address, &target);
    assert_eq!(answer.text(), expected);
    // What is asked for and can be had is given; for all else there is a default, and never 406.
    for (accept, media_type) in [
        ("application/did+ld+json", "application/did+ld+json"),
        ("application/did+json", "application/did+json"),
        ("application/json", "application/json"),
        ("application/json, text/plain, */*", "application/did+ld+json"),
        ("text/html", "application/did+ld+json"),
        ("application/did+ld+json;q=0", "application/did+ld+json"),
        ("nonsense", "application/did+ld+json"),
        ("*/*;q=7", "application/did+ld+json"),
    ] {
        let answer = get_as(world.node.address, &target, accept);
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(media_type)), "{accept}");
        assert_eq!(answer.text(), expected, "{accept}");
    }
    for alias in [target.replace(':', "%3A"), target.replace(':', "%3a"), format!("/v1/did-registry/identifiers/{did}")]
    {
        assert_eq!(get(world.node.address, &alias).text(), expected, "{alias}");
    }
    let etag = answer.header("etag").unwrap();
    let known = request(world.node.address, "GET", &target, &format!("If-None-Match: {etag}\r\n"), b"");
    assert_eq!(known.status, 304);
}

#[test]
fn a_document_is_valid_at_a_time() {
    let world = World::new();
    let party = &world.university;
    let before = world.now();
    world.update(
        party,
        party,
        vec![DidChange::RevokeMethod { method: crate::world::thumbprint(&party.credential_key) }],
    );
    let target = |query: &str| format!("/did-registry/v5/identifiers/{}{query}", party.did);
    let keys = |query: &str| world.json(&target(query))["verificationMethod"].as_array().unwrap().len();
    assert_eq!(keys(""), 1);
    let then = format!("?valid-at={}", time_text(before));
    assert_eq!(keys(&then), 2);
    assert_eq!(keys(&format!("?valid-at={}", time_text(world.now() + 60))), 1, "a clock may be a little ahead");
    assert_eq!(
        problem(
            &get(world.node.address, &target(&format!("?valid-at={}", time_text(GENESIS_TIME)))),
            404,
            "Identifier Not Found"
        ),
        format!("DID {} not found", party.did)
    );
    for nonsense in ["", "yesterday", "2026-02-30", "1800000000", "-1", "3000-01-01T00:00:00Z", "1960-01-01"] {
        let detail = problem(&get(world.node.address, &target(&format!("?valid-at={nonsense}"))), 400, "Bad Request");
        assert!(detail.starts_with("[\"valid-at must"), "{detail}");
    }
}

pub(crate) fn time_text(seconds: u64) -> String {
    let past = seconds - GENESIS_TIME;
    format!("2027-01-15T08:{:02}:{:02}.500Z", past / 60, past % 60)
}

#[test]
fn pages_have_ebsis_edges() {
    let world = World::new();
    let url = |page: u64, size: u64| {
        format!("{PUBLIC_BASE}/did-registry/v5/identifiers?page[after]={page}&page[size]={size}")
    };
    let ask = |query: &str| world.json(&format!("/did-registry/v5/identifiers{query}"));
    let (ministry, agency) = (&world.ministry.did, &world.agency.did);
    let first = get(world.node.address, "/did-registry/v5/identifiers?page[size]=2").text();
    let item = |did: &dyn std::fmt::Display| {
        format!(r#"{{"did":"{did}","href":"{PUBLIC_BASE}/did-registry/v5/identifiers/{did}"}}"#)
    };
    let expected = format!(
        r#"{{"self":"{}","items":[{},{}],"total":4,"pageSize":2,"links":{{"first":"{}","prev":"{}","next":"{}","last":"{}"}}}}"#,
        url(1, 2),
        item(ministry),
        item(agency),
        url(1, 2),
        url(1, 2),
        url(2, 2),
        url(2, 2),
    );
    assert_eq!(first, expected);
    let whole = ask("");
    assert_eq!((whole["pageSize"].as_u64(), whole["items"].as_array().unwrap().len()), (Some(10), 4));
    assert_eq!(
        whole["links"],
        json!({"first": url(1, 10), "prev": url(1, 10), "next": url(1, 10), "last": url(1, 10)})
    );
    let beyond = ask("?page%5Bafter%5D=9&page%5Bsize%5D=3");
    assert_eq!((&beyond["items"], &beyond["self"]), (&json!([]), &json!(url(9, 3))));
    assert_eq!((&beyond["links"]["prev"], &beyond["links"]["next"]), (&json!(url(2, 3)), &json!(url(2, 3))));
    assert_eq!(ask("?page[after]=9007199254740991&page[size]=50")["items"], json!([]));
    for (query, detail) in [
        ("page[size]=1000", r#"["page[size] must not be greater than 50"]"#),
        ("page[size]=51", r#"["page[size] must not be greater than 50"]"#),
        ("page[size]=0", r#"["page[size] must not be less than 1"]"#),
        ("page[size]=-1", r#"["page[size] must not be less than 1"]"#),
        ("page[size]=x", r#"["page[size] must be an integer number"]"#),
        ("page[size]=1.5", r#"["page[size] must be an integer number"]"#),
        ("page[after]=0", r#"["page[after] must not be less than 1"]"#),
        (
            "page[after]=&page[size]=99",
            r#"["page[after] must be an integer number","page[size] must not be greater than 50"]"#,
        ),
    ] {
        for place in [
            "/did-registry/v5/identifiers".to_owned(),
            "/trusted-issuers-registry/v5/issuers".to_owned(),
            format!("/trusted-issuers-registry/v5/issuers/{ministry}/attributes"),
            "/trusted-schemas-registry/v3/schemas".to_owned(),
            "/trusted-policies-registry/v3/users".to_owned(),
            "/timestamp/v4/timestamps".to_owned(),
            "/timestamp/v4/records".to_owned(),
            "/v1/did-registry/identifiers".to_owned(),
        ] {
            let answer = get(world.node.address, &format!("{place}?{query}"));
            assert_eq!(problem(&answer, 400, "Bad Request"), detail, "{place}?{query}");
        }
    }
    // Filters stay in the links; what is unknown is passed over, as EBSI's services do.
    let filtered = ask(&format!("?controller={ministry}&unknown=1"));
    assert_eq!((filtered["total"].as_u64(), &filtered["items"][0]["did"]), (Some(1), &json!(ministry.as_str())));
    assert_eq!(filtered["self"], format!("{}&controller={ministry}", url(1, 10)));
    let kid = world.agency.kid(&world.agency.credential_key).replace('#', "%23");
    let by_key =
        |relationship: &str| ask(&format!("?verification-method-id={kid}&verification-relationship={relationship}"));
    assert_eq!(by_key("assertionMethod")["items"][0]["did"], agency.as_str());
    assert_eq!(by_key("capabilityInvocation")["total"], 0);
    for bad in [
        "controller=x",
        "verification-method-id=x",
        "verification-relationship=assertionMethod",
        "verification-method-id=x&verification-relationship=king",
        "verification-method-id=a%20b&verification-relationship=assertionMethod",
    ] {
        problem(&get(world.node.address, &format!("/did-registry/v5/identifiers?{bad}")), 400, "Bad Request");
    }
}

#[test]
fn an_issuer_and_its_attributes_have_ebsis_shape() {
    let world = World::new();
    let (did, id) = (&world.university.did, world.university.attribute());
    let place = format!("/trusted-issuers-registry/v5/issuers/{did}");
    let issuer = get(world.node.address, &place).text();
    assert_eq!(
        issuer,
        format!(r#"{{"did":"{did}","attributes":"{PUBLIC_BASE}{place}/attributes","hasAttributes":true}}"#)
    );
    let body = world.json(&format!("/v1/accreditations/{id}"))["credential"].as_str().unwrap().to_owned();
    let hash = hex(&sha256(&[body.as_bytes()]));
    let attribute = |kind: &str, more: &str| {
        format!(
            r#"{{"hash":"{hash}","body":"{body}","issuerType":"{kind}","tao":"{}","rootTao":"{}"{more}}}"#,
            world.agency.did, world.ministry.did
        )
    };
    let details = |kind: &str| format!(r#"{{"did":"{did}","attribute":{}}}"#, attribute(kind, ""));
    for name in [
        format!("{id}"),
        format!("0x{id}"),
        format!("0x{}", id.to_string().to_uppercase()),
        hash.clone(),
        format!("0x{hash}"),
    ] {
        assert_eq!(get(world.node.address, &format!("{place}/attributes/{name}")).text(), details("TI"), "{name}");
    }
    let list = world.json(&format!("{place}/attributes"));
    assert_eq!(list["items"], json!([{"id": id.to_string(), "href": format!("{PUBLIC_BASE}{place}/attributes/{id}")}]));
    let revisions = world.json(&format!("{place}/attributes/{id}/revisions"));
    assert_eq!(
        (revisions["total"].as_u64(), &revisions["items"][0]),
        (
            Some(2),
            &json!({"hash": id.to_string(), "body": "", "issuerType": "TI", "tao": world.agency.did.as_str(), "rootTao": world.ministry.did.as_str()})
        )
    );
    assert_eq!(revisions["items"][1], serde_json::from_str::<Value>(&attribute("TI", "")).unwrap());
    assert_eq!(get(world.node.address, &format!("{place}/attributes/{id}/revisions/0x{hash}")).text(), details("TI"));
    for version in ["deprecated", "v4"] {
        let old = get(world.node.address, &format!("{place}?version={version}")).text();
        assert_eq!(old, format!(r#"{{"did":"{did}","attributes":[{}]}}"#, attribute("TI", "")));
    }
    let root = world.json(&format!(
        "/trusted-issuers-registry/v5/issuers/{0}/attributes/{1}",
        world.ministry.did,
        world.ministry.attribute()
    ));
    assert_eq!(
        (&root["attribute"]["issuerType"], &root["attribute"]["tao"]),
        (&json!("RootTAO"), &json!(world.ministry.did.as_str()))
    );

    // Core: the same with its links, and where the accreditation hangs.
    let core = format!("/v1/issuers-registry/issuers/{did}");
    let contract = "0x4E3086174CBDffc2EfF71241b6e9008030515C1B";
    assert_eq!(
        world.json(&format!("{core}?contractAddress={contract}"))["attributes"],
        format!("{PUBLIC_BASE}{core}/attributes?contractAddress={contract}")
    );
    let list = world.json(&format!("{core}/attributes?contractAddress={contract}"));
    assert_eq!(list["items"][0]["href"], format!("{PUBLIC_BASE}{core}/attributes/{id}?contractAddress={contract}"));
    assert_eq!(
        list["links"]["last"],
        format!("{PUBLIC_BASE}{core}/attributes?page[after]=1&page[size]=10&contractAddress={contract}")
    );
    let more = format!(r#","parentAttributeId":"{}""#, world.agency.attribute());
    assert_eq!(
        get(world.node.address, &format!("{core}/attributes/{id}")).text(),
        format!(r#"{{"did":"{did}","attribute":{}}}"#, attribute("TI", &more))
    );

    // An end is told at once, of every revision.
    world.end(&world.agency, &world.university);
    for name in [id.to_string(), hash.clone(), format!("{id}/revisions/{hash}")] {
        assert_eq!(get(world.node.address, &format!("{place}/attributes/{name}")).text(), details("Revoked"), "{name}");
    }
}

#[test]
fn a_status_list_is_served_where_its_credential_says() {
    let world = World::new();
    world.publish_list(&[5]);
    let did = &world.university.did;
    let place = format!("/trusted-issuers-registry/v5/issuers/{did}/proxies");
    let id = proxy_id(did);
    let list = get(world.node.address, &place).text();
    assert_eq!(list, format!(r#"{{"items":[{{"proxyId":"{id}","href":"{PUBLIC_BASE}{place}/{id}"}}],"total":1}}"#));
    let proxy = get(world.node.address, &format!("{place}/{id}")).text();
    assert_eq!(
        proxy,
        format!(
            r#"{{"prefix":"{PUBLIC_BASE}{place}/{id}","headers":{{}},"testSuffix":"/credentials/status/revocation-1"}}"#
        )
    );
    let target = format!("{place}/{id}/credentials/status/revocation-1");
    for accept in ["application/json, text/plain, */*", "text/html", "application/json"] {
        let token = get_as(world.node.address, &target, accept);
        assert_eq!((token.status, token.header("content-type")), (200, Some("text/plain; charset=utf-8")), "{accept}");
        let payload = token.text().split('.').nth(1).map(|part| from_base64url(part).unwrap()).unwrap();
        let claims: Value = serde_json::from_slice(&payload).unwrap();
        assert_eq!(claims["vc"]["id"], format!("{PUBLIC_BASE}{target}"), "it is found under its own id");
        assert_eq!(claims["iss"], did.as_str());
    }
    let native = get(world.node.address, &format!("/v1/status-lists/{did}/revocation-1/status-list-2021")).text();
    assert_eq!(get(world.node.address, &target).text(), native);
    let core = target.replace("/trusted-issuers-registry/v5", "/v1/issuers-registry");
    assert_eq!(get(world.node.address, &core).text(), native);
    assert_eq!(
        problem(&get(world.node.address, &format!("{place}/0x00")), 404, "Proxy Not Found"),
        format!("Proxy 0x00 of issuer {did} can't be found")
    );
    problem(&get(world.node.address, &format!("{place}/0x00/credentials/status/revocation-1")), 404, "Proxy Not Found");
    problem(&get(world.node.address, &format!("{place}/{id}/credentials/status/9")), 404, "Status List Not Found");
    world.node.ledger.lose_attachments();
    let away = get(world.node.address, &target);
    assert!(problem(&away, 503, "Service Unavailable").contains("ask another node"));
    assert!(away.header("retry-after").is_some());
}

#[test]
fn schemas_are_bare_and_have_revisions() {
    let world = World::new();
    let (z, place) = (multibase(world.schema), "/trusted-schemas-registry/v3/schemas");
    let list = world.json(place);
    assert_eq!(list["items"], json!([{"schemaId": z, "href": format!("{PUBLIC_BASE}{place}/{z}")}]));
    for id in [z.clone(), format!("0x{}", world.schema)] {
        let schema = get_as(world.node.address, &format!("{place}/{id}"), "application/json, text/plain, */*");
        assert_eq!((schema.text().as_str(), schema.header("content-type")), (SCHEMA, Some("application/json")));
    }
    let revision = format!("0x{}", hex(&sha256(&[SCHEMA.as_bytes()])));
    let revisions = world.json(&format!("{place}/{z}/revisions"));
    assert_eq!(
        revisions["items"],
        json!([{"schemaRevisionId": revision, "href": format!("{PUBLIC_BASE}{place}/{z}/revisions/{revision}")}])
    );
    assert_eq!(get(world.node.address, &format!("{place}/{z}/revisions/{revision}")).text(), SCHEMA);
    let metadata = format!("{place}/{z}/revisions/{revision}/metadata");
    assert_eq!((&world.json(&metadata)["items"], &world.json(&metadata)["total"]), (&json!([]), &json!(0)));
    assert_eq!(
        problem(&get(world.node.address, &format!("{metadata}/0x1")), 404, "Metadata Not Found"),
        "Metadata 0x1 not found"
    );
    let zero = format!("0x{}", "0".repeat(64));
    assert_eq!(
        problem(&get(world.node.address, &format!("{place}/{zero}")), 404, "Schema Not Found"),
        format!("Schema {zero} not found")
    );
    problem(&get(world.node.address, &format!("{place}/{z}/revisions/{zero}")), 404, "Revision Not Found");
    problem(&get(world.node.address, &format!("{place}/{z}/revisions/{zero}/metadata")), 404, "Revision Not Found");
    problem(&get(world.node.address, &format!("{place}/nonsense")), 400, "Bad Request");
}

#[test]
fn only_a_root_tao_in_force_is_a_user_of_policies() {
    let world = World::new();
    let place = "/trusted-policies-registry/v3";
    let ministry = address(&world.ministry);
    let user = get(world.node.address, &format!("{place}/users/{ministry}"));
    let checksummed = user.json()["user"].as_str().unwrap().to_owned();
    assert!(checksummed.eq_ignore_ascii_case(&ministry) && checksummed != ministry, "{checksummed}");
    assert_eq!(
        user.text(),
        format!(
            r#"{{"user":"{checksummed}","attributes":["TIR:insertIssuer","TIR:updateIssuer","TIR:setAttributeMetadata"]}}"#
        )
    );
    assert_eq!(get(world.node.address, &format!("{place}/users/{checksummed}")).status, 200);
    assert_eq!(
        world.json(&format!("{place}/users"))["items"],
        json!([{"user": checksummed, "href": format!("{PUBLIC_BASE}{place}/users/{checksummed}")}])
    );
    for nobody in [address(&world.agency), address(&world.city), format!("0x{}", "0".repeat(40))] {
        problem(&get(world.node.address, &format!("{place}/users/{nobody}")), 404, "User Not Found");
    }
    for bad in ["x", "0x", "0x12", &"0".repeat(42)] {
        problem(&get(world.node.address, &format!("{place}/users/{bad}")), 400, "Bad Request");
    }
    // Who puts the ministry's public key into its own document takes nothing away from it, and gets nothing.
    let grant = testamur_primitives::identity::Grant {
        relationship: testamur_primitives::identity::Relationship::CapabilityInvocation,
        not_before: UnixTime(GENESIS_TIME),
        not_after: None,
    };
    let key = world.ministry.ledger_key.public_key().to_jwk();
    let method = testamur_primitives::identity::changes::NewMethod { key, grants: vec![grant] };
    world.update(&world.city, &world.city, vec![DidChange::AddMethod { method }]);
    assert_eq!(get(world.node.address, &format!("{place}/users/{ministry}")).status, 200);

    let policies = world.json(&format!("{place}/policies"));
    assert_eq!(
        (policies["total"].as_u64(), &policies["items"][0]["policyName"]),
        (Some(3), &json!("TIR:insertIssuer"))
    );
    let policy = world.json(&format!("{place}/policies/TIR:updateIssuer"));
    assert_eq!(
        (policy["policyId"].as_str(), policy["status"].as_bool(), &policy["policyConditions"]),
        (Some("2"), Some(true), &json!([]))
    );
    problem(&get(world.node.address, &format!("{place}/policies/x")), 404, "Policy Not Found");

    // Rotated out: the address is nobody's from then on.
    world.update(
        &world.ministry,
        &world.ministry,
        vec![
            DidChange::AddRelationship { method: crate::world::thumbprint(&world.ministry.credential_key), grant },
            DidChange::RevokeMethod { method: crate::world::thumbprint(&world.ministry.ledger_key) },
        ],
    );
    problem(&get(world.node.address, &format!("{place}/users/{ministry}")), 404, "User Not Found");
    assert_eq!(world.json(&format!("{place}/users"))["total"], 0);
}

#[test]
fn who_controls_a_did_is_told_by_json_rpc() {
    let world = World::new();
    let ask = |body: &Value| {
        let target = format!("/did-registry/v5/identifiers/{}/actions", world.city.did);
        request(world.node.address, "POST", &target, "Content-Type: application/json\r\n", body.to_string().as_bytes())
    };
    let check = |party: &Party| {
        let answer = ask(&json!({"jsonrpc": "2.0", "method": "checkController", "params": [address(party)], "id": 7}));
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.text(), format!(r#"{{"jsonrpc":"2.0","id":7,"result":{}}}"#, answer.json()["result"]));
        answer.json()["result"].as_bool().unwrap()
    };
    assert_eq!((check(&world.city), check(&world.ministry)), (true, false));
    world.update(&world.city, &world.city, vec![DidChange::AddController { did: world.ministry.did.clone() }]);
    assert!(check(&world.ministry));
    for bad in [
        json!({}),
        json!([]),
        json!({"jsonrpc": "2.0", "method": "insertDidDocument", "params": [], "id": "x"}),
        json!({"jsonrpc": "2.0", "method": "checkController", "params": ["0x1"], "id": "x"}),
    ] {
        let answer = ask(&bad);
        assert_eq!((answer.status, answer.json()["error"]["code"].as_i64()), (400, Some(-32600)), "{bad}");
    }
    let large = ask(&json!({"jsonrpc": "2.0", "method": "x".repeat(5_000), "params": []}));
    problem(&large, 413, "Payload Too Large");
}

#[test]
fn problems_are_in_ebsis_words_whatever_made_them() {
    let world = World::new();
    let stranger = "did:ebsi:zvHWX359A3CvfJnCYaAiAde";
    let zero = "0".repeat(64);
    let (did, long) = (&world.university.did, "a".repeat(2_049));
    let cases: Vec<(String, u16, &str, String)> = vec![
        (
            format!("/did-registry/v5/identifiers/{stranger}"),
            404,
            "Identifier Not Found",
            format!("DID {stranger} not found"),
        ),
        (
            format!("/v1/did-registry/identifiers/{stranger}"),
            404,
            "Identifier Not Found",
            format!("DID {stranger} not found"),
        ),
        (
            format!("/trusted-issuers-registry/v5/issuers/{stranger}"),
            404,
            "Issuer Not Found",
            format!("Issuer {stranger} not found"),
        ),
        (
            format!("/trusted-issuers-registry/v5/issuers/{}", world.city.did),
            404,
            "Issuer Not Found",
            format!("Issuer {} not found", world.city.did),
        ),
        (format!("/trusted-issuers-registry/v5/issuers/{stranger}/attributes"), 404, "Issuer Not Found", String::new()),
        (format!("/trusted-issuers-registry/v5/issuers/{stranger}/proxies"), 404, "Issuer Not Found", String::new()),
        (
            format!("/trusted-issuers-registry/v5/issuers/{did}/attributes/{zero}"),
            404,
            "Attribute Not Found",
            format!("Attribute 0x{zero} not found"),
        ),
        (
            format!("/trusted-issuers-registry/v5/issuers/{did}/attributes/{zero}/revisions"),
            404,
            "Attribute Not Found",
            String::new(),
        ),
        (
            format!(
                "/trusted-issuers-registry/v5/issuers/{did}/attributes/{}/revisions/{zero}",
                world.university.attribute()
            ),
            404,
            "Revision Not Found",
            String::new(),
        ),
        // Another issuer's attribute is not this one's.
        (
            format!("/trusted-issuers-registry/v5/issuers/{did}/attributes/{}", world.agency.attribute()),
            404,
            "Attribute Not Found",
            String::new(),
        ),
        (
            "/did-registry/v5/identifiers/nobody".into(),
            400,
            "Bad Request",
            "did must be of the form did:ebsi:z…".into(),
        ),
        ("/did-registry/v5/identifiers/did:key:z6Mkabc".into(), 400, "Bad Request", "did must be".into()),
        ("/did-registry/v5/identifiers/did:ebsi:zabc".into(), 400, "Bad Request", "did must be".into()),
        (
            format!("/did-registry/v5/identifiers/did:ebsi:z{}", "1".repeat(400)),
            400,
            "Bad Request",
            "did must be".into(),
        ),
        ("/did-registry/v5/identifiers/%ff".into(), 400, "Bad Request", "UTF-8".into()),
        (format!("/trusted-issuers-registry/v5/issuers/{did}/attributes/%ff"), 400, "Bad Request", "UTF-8".into()),
        ("/trusted-issuers-registry/v5/issuers/nobody".into(), 400, "Bad Request", "did must be a DID".into()),
        (
            format!("/trusted-issuers-registry/v5/issuers/{did}/attributes/x"),
            400,
            "Bad Request",
            "64 hexadecimal digits".into(),
        ),
        ("/did-registry/v5/nothing".into(), 404, "Not Found", "no such route".into()),
        ("/timestamp/v4".into(), 404, "Not Found", "no such route".into()),
        (format!("/did-registry/v5/identifiers?controller={long}"), 414, "URI Too Long", "longer than".into()),
    ];
    for (target, status, title, message) in cases {
        let detail = problem(&get(world.node.address, &target), status, title);
        assert!(detail.contains(&message), "{target}: {detail}");
    }
    problem(&request(world.node.address, "DELETE", "/timestamp/v4/records", "", b""), 405, "Method Not Allowed");
    let empty = TestNode::start();
    problem(&get(empty.address, &format!("/did-registry/v5/identifiers/{stranger}")), 503, "Service Unavailable");
    world.node.ledger.damage();
    let detail =
        problem(&get(world.node.address, &format!("/did-registry/v5/identifiers/{did}")), 500, "Internal Server Error");
    assert!(!detail.contains("secret"), "{detail}");
    // Beside the lanes, problems are our own.
    get(world.node.address, "/did-registry/v6/identifiers").problem(404, "request.unknown-route");
}

#[test]
fn core_says_whether_the_node_is_well() {
    let world = World::new();
    assert_eq!(get(world.node.address, "/v1/alive").text(), r#"{"health_global":1}"#);
    world
        .node
        .health
        .problems
        .lock()
        .unwrap()
        .push(testamur_api::health::NotReady::NoQuorum { connected: 1, needed: 3 });
    assert_eq!(get(world.node.address, "/v1/alive").text(), r#"{"health_global":0}"#);
    for registry in ["did-registry", "issuers-registry"] {
        let details = world.json(&format!("/v1/{registry}/details"));
        assert!(details["contractAddress"].as_str().is_some_and(|a| a.starts_with("0x") && a.len() == 42), "{details}");
        assert_eq!(details["href"], format!("{PUBLIC_BASE}/v1/{registry}"));
    }
}
