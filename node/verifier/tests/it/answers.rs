//! What surrounds the verdicts: descriptions, status, the end.

use serde_json::Value;

use crate::{Running, packages, world};

#[tokio::test]
async fn it_describes_itself_and_keeps_no_answer_in_any_cache() {
    let world = world();
    let running = Running::start(&world, Vec::new()).await;
    for path in ["/openapi.json", "/docs", "/v1/status", "/v1/samples", "/healthz"] {
        let answer = running.client.get(running.url(path)).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(answer.headers()["cache-control"], "no-store", "{path}");
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff", "{path}");
        for header in ["set-cookie", "access-control-allow-origin"] {
            assert!(!answer.headers().contains_key(header), "{path}: {header}");
        }
    }
    let status: Value = running.client.get(running.url("/v1/status")).send().await.unwrap().json().await.unwrap();
    assert_eq!(status["ledgers"][0]["network"], world.network.trust().network().to_string());
    assert_eq!(status["items_max"], 1_000);
    // INV-API-1, here: every route that is described answers, and every path that is not is unknown.
    let document: Value = running.client.get(running.url("/openapi.json")).send().await.unwrap().json().await.unwrap();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            let method = method.to_uppercase().parse().unwrap();
            let path = path.replace("{name}", "nothing");
            let answer = running.client.request(method, running.url(&path)).send().await.unwrap();
            let text = answer.text().await.unwrap();
            assert!(!text.contains("request.unknown-route") && !text.contains("request.method"), "{path}: {text}");
        }
    }
    for path in ["/", "/v1", "/v2/verify", "/metrics"] {
        let answer: Value = running.client.get(running.url(path)).send().await.unwrap().json().await.unwrap();
        assert_eq!(answer["code"], "request.unknown-route", "{path}");
    }
}

#[tokio::test]
async fn a_batch_that_runs_is_finished_before_the_end() {
    let world = world();
    let running = Running::start(&world, Vec::new()).await;
    let body = packages(&world, 0..40).join(b"\n".as_slice());
    let request = running.client.post(running.url("/v1/verify/batch")).header("content-type", "application/x-ndjson");
    // The head is there when the body has come; the lines are taken after the service was told to stop.
    let answer = request.body(body).send().await.unwrap();
    let (text, ()) = tokio::join!(answer.text(), running.stop());
    assert_eq!(crate::lines(&text.unwrap()).len(), 40);
}

#[tokio::test]
async fn every_official_sample_has_the_answer_that_is_promised() {
    let world = world();
    let running = Running::start(&world, Vec::new()).await;
    let get = async |path: &str| running.client.get(running.url(path)).send().await.unwrap().bytes().await.unwrap();
    let trust = testamur_primitives::trust::TrustFile::from_json(&get("/v1/samples/trust.json").await).unwrap();
    let verifiers = testamur_paper::check::Verifiers::new([std::sync::Arc::new(trust)]);
    let checker = testamur_verifier::check::Checker::new(std::sync::Arc::new(verifiers), Vec::new());
    let of_samples =
        |config: testamur_verifier::VerifierConfig| testamur_verifier::VerifierConfig { checker, ..config };
    let judge = Running::start_with(&world, Vec::new(), of_samples).await;
    let index: Value = serde_json::from_slice(&get("/v1/samples").await).unwrap();
    let samples = index["samples"].as_array().unwrap();
    assert!(samples.len() >= 10);
    for sample in samples {
        let name = sample["name"].as_str().unwrap();
        let file = get(&format!("/v1/samples/{name}")).await;
        let url = judge.url(&format!("/v1/verify?at={}", sample["at"]));
        let answer: Value = judge.client.post(url).body(file).send().await.unwrap().json().await.unwrap();
        assert_eq!((&answer["verdict"], &answer["reason"]), (&sample["verdict"], &sample["reason"]), "{name}");
    }
}
