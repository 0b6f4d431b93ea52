//! The operator's listener.

use testamur_api::health::NotReady;

use crate::client::{get, request};
use crate::node::TestNode;

#[test]
fn readiness_has_reasons() {
    let node = TestNode::start();
    assert_eq!((get(node.admin, "/livez").status, get(node.admin, "/readyz").status), (200, 200));
    let cases = [
        (
            NotReady::NoBlock { seconds: 190, waiting_for: "validator-2.example".into() },
            "no-block",
            "waiting for validator-2",
        ),
        (NotReady::DiskLow { free_bytes: 1, needed_bytes: 2 }, "disk-low", "free some space"),
        (NotReady::Behind { heights: 12 }, "behind", "12 heights"),
        (NotReady::Attachments { missing: 3 }, "attachments", "3 newest status lists"),
        (NotReady::NoQuorum { connected: 2, needed: 3 }, "no-quorum", "3 are needed"),
        (NotReady::Starting, "starting", "starting"),
    ];
    for (problem, code, message) in cases {
        *node.health.problems.lock().unwrap() = vec![problem];
        let answer = get(node.admin, "/readyz");
        assert_eq!((answer.status, answer.json()["ready"].as_bool()), (503, Some(false)));
        assert_eq!(answer.json()["reasons"][0]["code"], code);
        assert!(answer.text().contains(message), "{}", answer.text());
        assert_eq!(get(node.admin, "/livez").status, 200, "not ready is not dead");
        assert_eq!(get(node.address, "/v1/status").json()["problems"][0]["code"], code);
    }
    *node.health.problems.lock().unwrap() = vec![NotReady::Damage("leaf 7".into())];
    assert_eq!((get(node.admin, "/livez").status, get(node.admin, "/readyz").status), (503, 503));
}

#[test]
fn metrics_join_the_api_and_the_node() {
    let node = TestNode::start();
    get(node.address, "/v1/status");
    get(node.address, "/v1/records/abc");
    request(node.address, "BREW", "/v1/pot-of-tea", "", b"");
    let metrics = get(node.admin, "/metrics");
    assert!(metrics.header("content-type").unwrap().starts_with("application/openmetrics-text"));
    let text = metrics.text();
    for expected in [
        "testamur_api_requests_total{route=\"/v1/status\",method=\"GET\",status=\"200\"} 1\n",
        "testamur_api_requests_total{route=\"unknown\",method=\"other\",status=\"404\"} 1\n",
        "testamur_api_problems_total{code=\"request.path\"} 1\n",
        "testamur_api_request_seconds_count{route=\"/v1/status\",method=\"GET\"} 1\n",
        "testamur_api_connections_accepted 3\n",
        "testamur_height 7\n",
    ] {
        assert!(text.contains(expected), "{expected} is not in\n{text}");
    }
    assert_eq!((text.matches("# EOF").count(), text.ends_with("# EOF\n")), (1, true));
    assert!(!text.contains("abc") && !text.contains("tea"), "nothing that a client sent");
    get(node.admin, "/v1/status").problem(404, "request.unknown-route");
    request(node.admin, "POST", "/metrics", "", b"").problem(405, "request.method");
}
