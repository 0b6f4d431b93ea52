//! R21: whatever bytes a parser is given. Its targets are `testamur_tests::fuzz` and `tests/parsers`, and the two verifiers
//! are given the same mutants.

use std::process::Command;
use std::time::{Duration, Instant};

use super::page::two_verifiers;
use super::rights::paths_of_the_node;
use super::{beside, repository};
use crate::campaign::{Lane, Random, Row, Run};
use crate::fuzz;
use crate::harness::{Client, Network, Setup};

/// Longest time for an answer: nothing that these requests ask for takes a busy node as long.
const ANSWER: Duration = Duration::from_secs(10);

pub(super) const ROWS: &[Row] = &[
    Row {
        id: "R21",
        name: "every-parser",
        lane: Lane::Machine,
        ci: 1_000_000,
        release: 10_000_000,
        attack: every_parser,
    },
    Row { id: "R21", name: "requests", lane: Lane::Networks, ci: 100_000, release: 1_000_000, attack: requests },
    Row {
        id: "R21",
        name: "two-verifiers",
        lane: Lane::Machine,
        ci: 20_000,
        release: 1_000_000,
        attack: two_verifiers,
    },
];

fn every_parser(run: &mut Run) {
    let mut parsers = Command::new(beside("testamur-parsers"));
    let (seed, inputs) = (run.seed.to_string(), run.count.to_string());
    run.outside(parsers.current_dir(repository()).args(["--seed", &seed, "--inputs", &inputs]));
}

/// Queries that some route takes, and bodies that some route reads.
const QUERIES: [&str; 10] = [
    "",
    "?limit=5&after=0",
    "?from=0&to=2",
    "?hash=0000000000000000000000000000000000000000000000000000000000000000&alg=sha2-256",
    "?key=governance&key=writer/did:key:z6Mk/1",
    "?issuer=did:ebsi:zfEmvX5twhXjQJiCWsukvQA&at=2026-11-22T12:00:00Z",
    "?page[after]=1&page[size]=2",
    "?valid-at=2026-11-22&versionTime=2026-11-22T12:00:00Z",
    "?header=00&index=0&size=1&format=note",
    "?wait=final&contractAddress=0x00",
];
const BODIES: [(&str, &str, &str); 4] = [
    ("/v1/records", "application/jose", "eyJhbGciOiJFZERTQSJ9.eyJ2IjoxfQ.AA"),
    ("/v1/records", "application/json", r#"{"record":"eyJhbGciOiJFZERTQSJ9.eyJ2IjoxfQ.AA","attachment":"AA"}"#),
    (
        "/did-registry/v5/identifiers/did:ebsi:zfEmvX5twhXjQJiCWsukvQA/actions",
        "application/json",
        r#"{"jsonrpc":"2.0","method":"checkController","params":["0x0000000000000000000000000000000000000000"],"id":1}"#,
    ),
    ("/v1/records?wait=final", "application/jose", "a.b.c"),
];

/// Any byte as it may stand in a request's target.
fn target(bytes: &[u8]) -> String {
    let byte = |byte: &u8| match byte {
        b'!'..=b'~' if *byte != b'#' => char::from(*byte).to_string(),
        other => format!("%{other:02x}"),
    };
    let text: String = bytes.iter().take(4_000).map(byte).collect();
    if text.starts_with('/') { text } else { format!("/{text}") }
}

/// Paths, queries and bodies at a node, changed in one to four ways: each is answered, and never as the node's own fault.
fn requests(run: &mut Run) {
    let mut network = Network::start(&Setup::default());
    let mut client = Client::with_timeout(network.nodes[0].api, ANSWER);
    let mut random = Random::new(run.seed);
    let paths = paths_of_the_node();
    let whole = |path: &String| QUERIES.map(|query| format!("{path}{query}").into_bytes());
    let targets: Vec<Vec<u8>> = paths.iter().flat_map(whole).collect();
    let bodies: Vec<Vec<u8>> = BODIES.iter().map(|(_, _, body)| body.as_bytes().to_vec()).collect();
    let mut slowest = Duration::ZERO;
    for number in 0..run.count {
        let mut chance = fuzz::Random::seeded(&[b"requests\n", &run.seed.to_be_bytes(), &number.to_be_bytes()]);
        let began = Instant::now();
        let (what, answer) = if random.chance(80) {
            let given = fuzz::changed(random.pick(&targets).clone(), &targets, &mut chance);
            let target = target(&given);
            (format!("GET {target}"), client.get(&target))
        } else {
            let (path, media_type, body) = *random.pick(&BODIES);
            let body = fuzz::changed(body.as_bytes().to_vec(), &bodies, &mut chance);
            let answer = client.request("POST", path, &[("content-type", media_type)], &body);
            (format!("POST {path} {}", hex::encode(&body)), answer)
        };
        slowest = slowest.max(began.elapsed());
        match answer {
            // 501 is a resolver's word for a DID method that it does not know.
            Ok(answer) if answer.status < 500 || [501, 503].contains(&answer.status) => run.good(1),
            Ok(answer) => run.bad(&format!("request {number}: {what}: {} {}", answer.status, answer.text())),
            Err(error) => run.bad(&format!("request {number}: {what}: {error}")),
        }
    }
    run.metric("slowest-ms", slowest.as_millis());
    network.check();
}
