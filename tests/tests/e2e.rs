//! A whole network, as its users meet it: the README's transcript, receipts in a second implementation, the log in
//! others' tools.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use testamur_primitives::block::split_entry;
use testamur_tests::harness::{Network, Setup, binary, request, testamur, wait_for};
use testamur_tests::notes::verifiers;
use testamur_tests::tiles::ServedTiles;
use tlog_tiles::{Checkpoint, TileHashReader, check_record, prove_record, record_hash};

fn tests() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The commands of the README's first block behind a text.
fn block_behind(text: &str) -> String {
    let readme = fs::read_to_string(tests().parent().expect("the checkout").join("README.md")).expect("a README");
    let rest = readme.split_once(text).expect("the text is in the README").1;
    rest.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a block").to_owned()
}

/// The first of all, but for `./scripts/up`, which ends in the `testamur dev` that runs here.
fn transcript() -> String {
    let block = block_behind("# Testamur");
    assert!(block.starts_with("./scripts/up"), "the transcript starts with ./scripts/up");
    block.lines().skip(1).collect::<Vec<_>>().join("\n")
}

/// A process that does not outlive its test, whatever happens; what it started ends with it.
struct KilledInTheEnd(std::process::Child);

impl Drop for KilledInTheEnd {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_readme_works_as_printed() {
    let (base_port, _ports, directory) = Network::claim();
    let log = File::create(directory.path().join("dev.log")).expect("a log");
    let dev = testamur(directory.path())
        .args(["dev", "--dir", "dev-network", "--base-port", &base_port.to_string()])
        .current_dir(directory.path())
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a log"))
        .stderr(log)
        .spawn();
    let mut dev = KilledInTheEnd(dev.expect("the binary runs"));
    let words = || fs::read_to_string(directory.path().join("dev.log")).unwrap_or_default();
    let gateway = std::net::SocketAddr::from(([127, 0, 0, 1], base_port + 10));
    wait_for("testamur dev to be ready", Duration::from_secs(60), || {
        let ended = dev.0.try_wait().expect("it can be waited for");
        assert!(ended.is_none(), "dev ended: {}", words());
        (words().contains("token") && std::net::TcpStream::connect(gateway).is_ok()).then_some(())
    });
    wait_for("the world to be seeded", Duration::from_secs(180), || words().contains("SEEDED").then_some(()));

    // The page asks all of the network's nodes, and is the one that this binary names.
    let page = std::net::SocketAddr::from(([127, 0, 0, 1], base_port + 11));
    assert!(words().contains(&format!("page     http://{page}/")), "{}", words());
    let configuration = request(page, "GET", "/network.json", &[], b"").expect("an answer").json();
    let node = |i: u16| format!("http://127.0.0.1:{}", base_port + i);
    assert_eq!(configuration["nodes"], json!([node(0), node(1), node(2), node(3)]));
    let trust = fs::read(directory.path().join("dev-network/trust.json")).expect("a trust file");
    assert_eq!(configuration["trust"], serde_json::from_slice::<Value>(&trust).expect("JSON"));
    let index = request(page, "GET", "/", &[], b"").expect("an answer");
    let policy = index.header("content-security-policy").unwrap_or_default().to_owned();
    assert!(policy.contains(&format!("connect-src 'self' {} {}", node(0), node(1))), "{policy}");
    let site = directory.path().join("site");
    let bundle = |args: &[&str]| {
        let output = testamur(directory.path()).args(args).args(["--json"]).output().expect("the binary runs");
        let told: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{args:?}: {}", String::from_utf8_lossy(&output.stderr)));
        told["bundle_sha256"].as_str().expect("a hash").to_owned()
    };
    let place = site.to_str().expect("UTF-8");
    let hashes = [&["page", "hash"][..], &["page", "export", place], &["page", "hash", place]].map(bundle);
    assert!(hashes.iter().all(|hash| hash.len() == 64 && *hash == hashes[0]), "{hashes:?}");
    let exported: Value = serde_json::from_slice(&fs::read(site.join("network.json")).expect("a file")).expect("JSON");
    assert_eq!(exported["nodes"], configuration["nodes"], "those of the development network, since none is named");

    // As printed, but for the port of the gateway, which another test may hold.
    let as_here = |block: String| block.replace("127.0.0.1:8090", &gateway.to_string());
    let path = format!("{}:{}", binary().parent().expect("a folder").display(), std::env::var("PATH").expect("a PATH"));
    let run = |block: String| {
        let output = Command::new("bash")
            .args(["-euxo", "pipefail", "-c", &as_here(block)])
            .current_dir(directory.path())
            .env("PATH", &path)
            .env("TESTAMUR_HOME", directory.path())
            .output()
            .expect("bash is there");
        let said = format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{said}\n--- dev says\n{}", words());
        said
    };
    let said = run(transcript());
    assert_eq!(said.matches("CONFIRMED: ").count(), 2, "both documents are confirmed:\n{said}");
    let verdicts: Vec<_> =
        said.lines().filter(|line| line.starts_with("VALID") || line.starts_with("NOT VALID")).collect();
    assert_eq!(verdicts.len(), 3, "a PDF, a package, a revoked one:\n{said}");
    assert!(verdicts[2].starts_with("NOT VALID"), "{verdicts:?}");

    // Another implementation says the same; a file that differs by one byte is told.
    let verify = |document: &str, receipt: &str| {
        let status = Command::new("python3")
            .arg(tests().join("verifier/verify.py"))
            .args([document, receipt, "--trust", "dev-network/trust.json"])
            .current_dir(directory.path())
            .stdout(Stdio::null())
            .status();
        status.expect("python3 is there").code()
    };
    assert_eq!(verify("contract.pdf", "contract.pdf.receipt.json"), Some(0));
    assert_eq!(verify("other.pdf", "other.pdf.receipt.json"), Some(0));
    assert_eq!(verify("contract.pdf", "other.pdf.receipt.json"), Some(3));

    // An administration: what it sent is found by its names, and a folder that went through the gateway says what changed in it.
    let said = run(block_behind("For an administration"));
    assert!(said.contains("NOTARISED 3 documents"), "{said}");
    assert!(said.contains("2.txt"), "the changed file is named:\n{said}");
    assert_eq!(verify("contract.pdf", "again.json"), Some(0));
    let token = fs::read_to_string(directory.path().join("dev-network/token")).expect("a token");
    let authorization = format!("Bearer {token}");
    let listed = || {
        let headers = [("authorization", authorization.as_str())];
        let answer = request(gateway, "GET", "/v1/documents?ref=case-4712&state=final", &headers, b"");
        (answer.expect("an answer").json()["documents"].as_array()?.len() == 1).then_some(())
    };
    wait_for("the queued document to be final", Duration::from_secs(30), listed);
    let asked = Command::new("kill").args(["-INT", &dev.0.id().to_string()]).status();
    assert!(asked.is_ok_and(|s| s.success()));
    let ended = wait_for("dev to stop", Duration::from_secs(60), || dev.0.try_wait().expect("it can be waited for"));
    assert!(ended.success(), "Ctrl-C is a way to end: {}", words());
}

/// A batch of receipts through batch.py, in order.
fn python(network: &Network, cases: &[Value]) -> Vec<Value> {
    let input = network.folder().join("cases.jsonl");
    let mut file = File::create(&input).expect("a file");
    for case in cases {
        writeln!(file, "{case}").expect("written");
    }
    let output = Command::new("python3")
        .arg(tests().join("verifier/batch.py"))
        .stdin(File::open(input).expect("a file"))
        .output()
        .expect("python3 is there");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).expect("text");
    lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// Documents through the gateway: some at once, so that they share a batch record.
fn documents(network: &mut Network, count: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
    let (gateway, token) = network.start_gateway();
    let bearer = format!("Bearer {token}");
    let handles: Vec<_> = (0..count)
        .map(|n| {
            let bearer = bearer.clone();
            std::thread::spawn(move || {
                let document = format!("document {n}").into_bytes();
                let headers = [("authorization", bearer.as_str()), ("content-type", "application/pdf")];
                let answer = request(gateway, "POST", "/v1/documents", &headers, &document).expect("an answer");
                assert_eq!(answer.status, 200, "{}", answer.text());
                (document, answer.body)
            })
        })
        .collect();
    handles.into_iter().map(|handle| handle.join().expect("no panic")).collect()
}

#[test]
fn python_accepts_every_receipt_and_no_mutant() {
    let mut network = Network::start(&Setup::default());
    let load = network.load();
    wait_for("200 receipts", Duration::from_secs(60), || (network.receipts() >= 200).then_some(()));
    load.stop();
    let notarised = documents(&mut network, 24);
    let at = network.trust.genesis().time.0 + 3_600;
    let trust = network.root().join("trust.json");
    let case = |receipt: &[u8], document: Option<&[u8]>| {
        let document = document.map(|d| STANDARD.encode(d));
        json!({"receipt": STANDARD.encode(receipt), "document": document, "trust": trust, "at": at})
    };
    let plain = network.acknowledged.lock().expect("no thread panics holding it").clone();
    let mut cases: Vec<_> = plain.iter().map(|receipt| case(receipt, None)).collect();
    cases.extend(notarised.iter().map(|(document, receipt)| case(receipt, Some(document))));
    for (verdict, case) in python(&network, &cases).iter().zip(&cases) {
        assert_eq!(verdict["code"], "confirmed", "{verdict} {case}");
    }
    assert!(cases.len() >= 224);

    // One byte of a receipt of the run is changed, a thousand times; each byte position comes from a fixed sequence.
    let mut state = 7u64;
    let mut next = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let all: Vec<&Vec<u8>> = plain.iter().chain(notarised.iter().map(|(_, receipt)| receipt)).collect();
    let mutants: Vec<_> = (0..1_000)
        .map(|_| {
            let mut bytes = all[next(all.len())].clone();
            let at = next(bytes.len());
            bytes[at] ^= 1 + next(255) as u8;
            case(&bytes, None)
        })
        .collect();
    let verdicts = python(&network, &mutants);
    assert_eq!(verdicts.len(), 1_000);
    for verdict in &verdicts {
        assert!(matches!(verdict["exit"].as_u64(), Some(3 | 4)), "{verdict}");
    }
    // A document that differs by one byte.
    let (document, receipt) = &notarised[3];
    let mut other = document.clone();
    other[0] ^= 1;
    assert_eq!(python(&network, &[case(receipt, Some(&other))])[0]["code"], "receipt.document-differs");
    network.check();
}

#[test]
fn the_served_log_reads_with_others_tools() {
    let mut network = Network::start(&Setup::default());
    let load = network.load();
    // More than one full tile of 256.
    wait_for("300 receipts", Duration::from_secs(60), || (network.receipts() >= 300).then_some(()));
    load.stop();

    // The checkpoint of each node, under the policy that it serves.
    for node in 0..4 {
        let policy = network.get(node, "/log/policy/0").expect("an answer").text();
        let (verifiers, threshold) = verifiers(&policy);
        let checkpoint = network.get(node, "/log/checkpoint").expect("an answer").body;
        let note = signed_note::Note::from_bytes(&checkpoint).expect("a signed note");
        let (verified, _) = note.verify(&verifiers).expect("all known lines verify");
        let origin = network.trust.origin().as_str();
        assert!(verified.iter().filter(|s| s.name() != origin).count() >= threshold);
        assert_eq!(verified.iter().filter(|s| s.name() == origin).count(), 1, "the node's own log signature");

        // Proofs made by others' code from served tiles, for entries out of served bundles.
        let checkpoint = Checkpoint::from_bytes(note.text()).expect("a checkpoint");
        let (size, root) = (checkpoint.size(), *checkpoint.hash());
        let tiles = ServedTiles::new(&network, node);
        let reader = TileHashReader::new(size, root, &tiles);
        let entries = entries(&network, node, size);
        assert_eq!(entries.len() as u64, size);
        for index in [0, 1, 255, 256, size / 2, size - 1] {
            let proof = prove_record(size, index, &reader).expect("tiles that fit the checkpoint");
            check_record(&proof, size, root, index, record_hash(&entries[index as usize])).expect("included");
        }
    }

    // Records out of the bundles, with a stock JOSE library.
    let size = network.get(0, "/v1/status").expect("an answer").json()["log_size"].as_u64().expect("a size");
    let mut files = Vec::new();
    for (number, bundle) in bundles(&network, 0, size).into_iter().enumerate() {
        let path = network.folder().join(format!("bundle-{number}"));
        fs::write(&path, bundle).expect("written");
        files.push(path);
    }
    let output =
        Command::new("node").arg(tests().join("jose/verify.mjs")).args(&files).output().expect("node is there");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report, json!({"verified": size, "skipped": 0}));
    network.check();
}

/// Entry bundles of the first `size` records.
fn bundles(network: &Network, node: usize, size: u64) -> Vec<Vec<u8>> {
    let bundle = |number: u64| {
        let width = (size - number * 256).min(256);
        let partial = if width < 256 { format!(".p/{width}") } else { String::new() };
        let answer = network.get(node, &format!("/log/tile/entries/{number:03}{partial}")).expect("an answer");
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.body
    };
    (0..size.div_ceil(256)).map(bundle).collect()
}

fn entries(network: &Network, node: usize, size: u64) -> Vec<Vec<u8>> {
    let mut entries = Vec::new();
    for bundle in bundles(network, node, size) {
        let mut rest = bundle.as_slice();
        while !rest.is_empty() {
            let (entry, after) = split_entry(rest).expect("a bundle of entries");
            entries.push(entry.to_vec());
            rest = after;
        }
    }
    entries
}
