//! HTTP/2 with prior knowledge: it works, and what it could be abused for is bounded.

use axum::body::Body;
use http_body_util::BodyExt as _;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use crate::client::get;
use crate::node::TestNode;

async fn connect(node: &TestNode) -> SendRequest<Body> {
    let stream = TcpStream::connect(node.address).await.unwrap();
    let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

fn on_runtime(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

#[test]
fn many_requests_share_a_connection() {
    let node = TestNode::start();
    on_runtime(async {
        let sender = connect(&node).await;
        let requests = (0..200).map(|_| {
            let mut sender = sender.clone();
            async move {
                let request = Request::get("http://any.example/v1/status").body(Body::empty()).unwrap();
                sender.ready().await.unwrap();
                let answer = sender.send_request(request).await.unwrap();
                assert_eq!(answer.status(), StatusCode::OK);
                assert!(answer.headers().contains_key("x-request-id") && !answer.headers().contains_key("connection"));
                answer.into_body().collect().await.unwrap().to_bytes()
            }
        });
        let bodies = futures::future::join_all(requests).await;
        assert!(bodies.iter().all(|b| b.starts_with(b"{\"name\":\"node-0\"")));
    });
    assert_eq!(node.counters.read().accepted, 1);
}

#[test]
fn records_are_submitted_and_refused_over_http2() {
    let node = TestNode::start();
    on_runtime(async {
        let mut sender = connect(&node).await;
        let post = |body: Body| {
            let request = Request::post("http://any.example/v1/records?wait=final");
            request.header("content-type", "application/jose").body(body).unwrap()
        };
        let record = node.ledger.public_record("a", [7; 32]);
        let answer = sender.send_request(post(Body::from(record.as_bytes().to_vec()))).await.unwrap();
        assert_eq!(answer.status(), StatusCode::CREATED);
        let large = sender.send_request(post(Body::from(vec![b'a'; 70_000]))).await.unwrap();
        assert_eq!(large.status(), StatusCode::PAYLOAD_TOO_LARGE);
        let long = Request::get("http://any.example/v1/status").header("x-long", "a".repeat(30_000));
        let refused = sender.send_request(long.body(Body::empty()).unwrap()).await;
        assert!(refused.is_err() || refused.unwrap().status() == StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    });
    assert_eq!(get(node.address, "/v1/status").status, 200);
}

/// HTTP/2 rapid reset: streams opened and cancelled at once. The connection ends; the server goes on.
#[test]
fn rapid_resets_end_the_connection_only() {
    let node = TestNode::start();
    on_runtime(async {
        let sender = connect(&node).await;
        for _ in 0..5_000 {
            let mut sender = sender.clone();
            let request = Request::get("http://any.example/v1/status").body(Body::empty()).unwrap();
            if sender.ready().await.is_err() {
                break;
            }
            let sent = sender.send_request(request);
            // Polled once so that it is sent, then dropped so that it is reset.
            tokio::select! {
                biased;
                _ = sent => {}
                () = std::future::ready(()) => {}
            }
        }
    });
    assert_eq!(get(node.address, "/v1/status").status, 200);
}
