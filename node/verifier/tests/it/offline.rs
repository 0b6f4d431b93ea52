//! A verifier that knows no node.

use serde_json::{Value, json};
use testamur_primitives::codec::base64url;

use crate::world::parties::NOW;
use crate::{Running, package, packages, text, world};

#[tokio::test]
async fn a_package_is_valid_by_itself_and_a_bare_credential_cannot_be_told() {
    let world = world();
    let running = Running::start(&world, Vec::new()).await;
    let answer = running.verify(package(&world, 7)).await;
    assert_eq!((&answer["verdict"], &answer["reason"]), (&json!("valid"), &json!("valid")));
    let report = &answer["reports"][0];
    assert_eq!(report["subject"]["familyName"], "Παπαδοπούλου");
    assert_eq!(report["as_of"], NOW);
    assert_eq!(report["steps"].as_array().unwrap().len(), 8);
    let answer = running.verify(text(&world, 7).into_bytes()).await;
    assert_eq!((&answer["verdict"], &answer["reason"]), (&json!("cannot-tell"), &json!("issuer.no-proof")));
    assert!(answer["reports"][0].get("subject").is_none(), "nothing unverified is shown");
}

#[tokio::test]
async fn what_was_withdrawn_or_altered_is_not_valid() {
    let mut world = world();
    world.list("diplomas-1", NOW - 5, &[8]);
    let running = Running::start(&world, Vec::new()).await;
    assert_eq!(running.verify(package(&world, 8)).await["reason"], "status.revoked");
    let altered = String::from_utf8(package(&world, 9)).unwrap();
    let signature = altered.find('~').expect("a disclosure follows the signature") - 3;
    let other = if &altered[signature..=signature] == "A" { "B" } else { "A" };
    let altered = format!("{}{other}{}", &altered[..signature], &altered[signature + 1..]);
    let answer = running.verify(altered.into_bytes()).await;
    assert_eq!((&answer["verdict"], &answer["reason"]), (&json!("not-valid"), &json!("signature.invalid")));
}

#[tokio::test]
async fn the_time_asked_about_is_heeded() {
    let mut world = world();
    world.list("diplomas-1", NOW - 5, &[8]);
    let running = Running::start(&world, Vec::new()).await;
    let ask = async |query: &str| {
        let answer = running.client.post(running.url(&format!("/v1/verify{query}"))).body(package(&world, 7));
        answer.send().await.unwrap().status().as_u16()
    };
    for query in ["", "?at=2027-08-03T00:00:00Z", "?at=2027-08-03T00%3A00%3A00Z", "?at=1800000000"] {
        assert_eq!(ask(query).await, 200, "{query}");
    }
    for query in ["?at=yesterday", "?at=1&at=2", "?when=1", "?at"] {
        assert_eq!(ask(query).await, 400, "{query}");
    }
}

#[tokio::test]
async fn a_batch_is_answered_in_its_order_in_every_framing() {
    let mut world = world();
    world.list("diplomas-1", NOW - 5, &[3]);
    let running = Running::start(&world, Vec::new()).await;
    let files = packages(&world, 0..6);
    let expected = ["valid", "valid", "valid", "status.revoked", "valid", "valid"];
    let check = |lines: &[Value], how: &str| {
        let places: Vec<_> = lines.iter().map(|line| line["item"].as_u64().unwrap()).collect();
        assert_eq!(places, [0, 1, 2, 3, 4, 5], "{how}");
        let reasons: Vec<_> = lines.iter().map(|line| line["reason"].as_str().unwrap()).collect();
        assert_eq!(reasons, expected, "{how}");
    };

    let array = [b"[".as_slice(), &files.join(b",".as_slice()), b"]"].concat();
    check(&running.batch("application/json", array).await, "array");
    check(&running.batch("application/x-ndjson", files.join(b"\n".as_slice())).await, "lines");

    let named = |(number, file): (usize, &Vec<u8>)| {
        json!({ "id": format!("row {number}"), "file": base64url(file) }).to_string()
    };
    let lines: Vec<_> = files.iter().enumerate().map(named).collect();
    let answers = running.batch("application/x-ndjson", lines.join("\r\n")).await;
    check(&answers, "named");
    assert_eq!(answers[4]["id"], "row 4");

    let parts = files.iter().fold(reqwest::multipart::Form::new(), |form, file| {
        form.part("file", reqwest::multipart::Part::bytes(file.clone()).file_name("x.json"))
    });
    let request = running.client.post(running.url(&format!("/v1/verify/batch?at={NOW}"))).multipart(parts);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    check(&crate::lines(&answer.text().await.unwrap()), "form");
}

#[tokio::test]
async fn a_receipt_beside_the_file_counts() {
    let world = world();
    let running = Running::start(&world, Vec::new()).await;
    let whole: Value = serde_json::from_slice(&package(&world, 7)).unwrap();
    let other: Value = serde_json::from_slice(&package(&world, 8)).unwrap();
    let without = |value: &Value| {
        let mut package = value.clone();
        package.as_object_mut().unwrap().remove("receipt");
        package.to_string()
    };
    let item = |receipt: &[u8]| {
        json!({ "file": base64url(without(&whole).as_bytes()), "receipt": base64url(receipt) }).to_string()
    };
    let receipt = |value: &Value| testamur_primitives::codec::canonical(&value["receipt"]);
    let lines = [item(&receipt(&whole)), item(&receipt(&other)), item(b"{}")];
    let answers = running.batch("application/x-ndjson", lines.join("\n")).await;
    let reasons: Vec<_> = answers.iter().map(|line| line["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["valid", "anchor.other-document", "anchor.invalid"]);
}

#[tokio::test]
async fn one_bad_item_hurts_no_other() {
    let world = world();
    let running = Running::start(&world, Vec::new()).await;
    let lines = [b"17".to_vec(), package(&world, 7), br#"{"file":"%"}"#.to_vec(), br#""no credential""#.to_vec()];
    let answers = running.batch("application/x-ndjson", lines.join(b"\n".as_slice())).await;
    assert_eq!(answers[0]["problem"]["code"], "verifier.item");
    assert_eq!(answers[1]["verdict"], "valid");
    assert_eq!(answers[2]["problem"]["code"], "verifier.item");
    assert_eq!(answers[3]["reason"], "readable.unknown-format");
}
