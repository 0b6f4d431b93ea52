//! Members that come and go, under load: four validators become five, one changes its key, one leaves; observers and lost
//! disks join by snapshot and by log; a backup serves on another machine. Real processes, governance by the command line.
//!
//! One network goes through all of it, in the order of a network's life, because each step is measured against the ones
//! before: receipts of every term must outlive it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;
use testamur_primitives::checkpoint::{Checkpoint, cosignature_message};
use testamur_primitives::codec::{canonical, from_base64url};
use testamur_primitives::header::Header;
use testamur_primitives::key::SigningKey;
use testamur_primitives::merkle::leaf_hash;
use testamur_primitives::note::{Note, SignatureLine};
use testamur_primitives::receipt::{AuthorKey, Receipt};
use testamur_primitives::trust::TrustFile;
use testamur_primitives::units::{LogIndex, LogSize, Round};
use testamur_tests::harness::{LyingNode, Network, Pulse, Setup, new_record, request, testamur, wait_for};

/// The longest time without a block that still counts as no stall, with other work on the same two cores. A dead
/// proposer alone costs a round of a second or two.
const GAP_MAX: Duration = Duration::from_secs(20);

/// Three operators, of whom two decide.
const OPERATORS: [&str; 8] = [
    "--operator",
    "Ministry one,EE",
    "--operator",
    "Ministry two,FI",
    "--operator",
    "Ministry three,LV",
    "--approvals",
    "2",
];

#[test]
fn four_validators_become_five_and_four_again_and_nothing_is_lost() {
    let began = Instant::now();
    let step = |what: &str| println!("{:6.1} s  {what}", began.elapsed().as_secs_f64());
    let mut network = Network::make_with(&Setup::default(), &OPERATORS);
    let genesis_trust = network.root().join("trust.json").display().to_string();
    network.let_follow(1);
    let old_keys: Vec<_> = (0..3).map(|n| consensus_key(&network.nodes[n].dir.join("keys/consensus.key"))).collect();
    network.start_all();
    network.wait_ready();
    network.told(&["network", "add", &genesis_trust]);
    let load = network.load();
    let pulse = Pulse::watch([0, 2, 3].map(|n| network.nodes[n].api).to_vec());
    more_receipts(&network, 60);
    let before = network.receipts();
    step("four validators under load");

    // A fifth joins.
    let (fifth, file) = network.new_validator();
    network.start_node(fifth);
    network.wait_role(fifth, "observer");
    (0..fifth).for_each(|n| network.hang_up(n));
    step("the fifth has caught up as an observer");
    network.decide(&["add-validator", &file.display().to_string()]);
    network.wait_epoch(0, 1);
    network.wait_role(fifth, "validator");
    network.wait_votes();
    step("five validators");
    more_receipts(&network, 40);

    // One changes its key, while it runs.
    let config = network.nodes[0].dir.join("config.toml");
    network.told(&["validator", "rotate", "--config", &config.display().to_string(), "--insecure-dev"]);
    let text = fs::read_to_string(&config).expect("a configuration");
    let with_next = text.replacen("[keys]\n", "[keys]\nnext_consensus = \"keys/consensus-2.key\"\n", 1);
    fs::write(&config, with_next).expect("written");
    network.hang_up(0);
    let rotation = network.nodes[0].dir.join("rotation.json").display().to_string();
    network.decide(&["rotate-validator", &rotation]);
    network.wait_epoch(0, 2);
    network.wait_votes();
    step("one key rotated");
    more_receipts(&network, 40);
    let between = network.receipts();

    // One leaves, and goes on as an observer that passes records on.
    network.decide(&["remove-validator", "validator-1.dev.testamur.example"]);
    network.wait_epoch(0, 3);
    network.wait_role(1, "observer");
    step("four validators again");
    more_receipts(&network, 40);
    let record = new_record(network.trust.genesis(), &network.author);
    let headers = [("content-type", "application/jose")];
    let api = network.nodes[1].api;
    let answer = request(api, "POST", "/v1/records?wait=final", &headers, record.as_bytes()).expect("an answer");
    assert_eq!(answer.status, 201, "an observer passes records on, and waits for them: {}", answer.text());
    let again = request(api, "POST", "/v1/records", &headers, record.as_bytes()).expect("an answer");
    assert_eq!((again.status, &again.json()["code"]), (409, &Value::from("admission.duplicate")));
    let gap = pulse.largest_gap();
    load.stop();
    println!("members: largest time without a block {:.2} s, {} receipts", gap.as_secs_f64(), network.receipts());
    assert!(gap < GAP_MAX, "the network stood still for {gap:?}");

    let last = network.receipts() - 1;
    receipts_of_every_term(&mut network, &[0, before + 1, between, last], &old_keys);
    step("receipts of all terms verified; three stolen keys refused");
    join_and_restore(&mut network, fifth);
    step("observers, a wiped node and a backup serve the same");
    network.check();
    step("the oracle is content");
}

fn more_receipts(network: &Network, more: usize) {
    let count = network.receipts() + more;
    wait_for(&format!("{count} receipts"), Duration::from_secs(90), || (network.receipts() >= count).then_some(()));
}

fn consensus_key(path: &Path) -> SigningKey {
    let file: Value = serde_json::from_slice(&fs::read(path).expect("a key")).expect("JSON");
    let seed = from_base64url(file["secret"]["insecure_dev"].as_str().expect("not encrypted")).expect("base64url");
    SigningKey::ed25519(&seed.try_into().expect("32 bytes"))
}

/// `testamur verify --receipt-only` of a file.
fn verify(network: &Network, file: &Path) -> i32 {
    let output = testamur(network.folder()).args(["verify", "--receipt-only"]).arg(file).output();
    output.expect("the binary runs").status.code().expect("an exit code")
}

fn receipts_of_every_term(network: &mut Network, places: &[usize], old_keys: &[SigningKey]) {
    let url = network.url(2);
    let origin = network.trust.origin().to_string();
    network.told(&["network", "update", &origin, "--node", &url]);
    let shown = network.told(&["network", "show", &origin]);
    network.trust = TrustFile::from_json(&canonical(&shown)).expect("--json prints the trust file");
    let acknowledged = network.acknowledged.lock().expect("no thread panics holding it").clone();
    let mut files = Vec::new();
    for place in places {
        let file = network.folder().join(format!("{place}.receipt.json"));
        fs::write(&file, &acknowledged[*place]).expect("written");
        files.push(file);
    }
    let verdicts: Vec<_> = files.iter().map(|file| verify(network, file)).collect();
    assert_eq!(verdicts, [5, 5, 5, 0], "out of office: refresh; the newest is confirmed as it is");
    for file in &files {
        network.told(&["refresh", &file.display().to_string(), "--node", &url]);
        assert_eq!(verify(network, file), 0, "{} after refresh", file.display());
    }

    // Three of the first four keys, stolen, witness a record that never was.
    let forged = network.folder().join("forged.receipt.json");
    fs::write(&forged, forge(network, &acknowledged[0], old_keys)).expect("written");
    assert_eq!(verify(network, &forged), 5, "a past quorum's word alone is never confirmed");
    let told = testamur(network.folder()).args(["--json", "refresh", "--node", &url]).arg(&forged).output();
    let told = told.expect("the binary runs");
    assert!(!told.status.success(), "no node has such a block: {}", String::from_utf8_lossy(&told.stdout));
    assert_ne!(verify(network, &forged), 0);
}

/// A receipt in the form of a real one of the first term, for a log of one record that the thief made.
fn forge(network: &Network, real: &[u8], keys: &[SigningKey]) -> Vec<u8> {
    let mut receipt = Receipt::decode(real).expect("a receipt");
    let thief = SigningKey::ed25519(&[7; 32]);
    let record = new_record(network.trust.genesis(), &thief);
    let mut header = Header::decode(receipt.header.as_bytes()).expect("a header");
    (header.log_size, header.log_root) = (LogSize(1), leaf_hash(record.as_bytes()));
    let text = Checkpoint::new(network.trust.origin(), &header.value_id(), header.height, Round(0)).body();
    let line = |validator: &testamur_primitives::epoch::Validator| {
        let key = keys.iter().find(|key| key.public_key().as_bytes() == validator.consensus_key())?;
        let signature = key.sign(&cosignature_message(header.time, &text)).try_into().expect("64 bytes");
        let public = validator.consensus_key();
        Some(SignatureLine::cosignature(&validator.name, public, header.time.0, &signature))
    };
    let signatures: Vec<_> = receipt.validators.validators().iter().filter_map(line).collect();
    assert_eq!(signatures.len(), 3, "a quorum of the first four");
    receipt.note = Note { text, signatures }.to_string();
    receipt.header = header.text();
    receipt.record = record.as_str().to_owned();
    (receipt.index, receipt.path) = (LogIndex(0), Vec::new());
    receipt.author = AuthorKey { jwk: thief.public_key().to_jwk(), state: None };
    // Under genesis alone nobody can tell; that is what newer checkpoints are pinned for.
    receipt.encode()
}

fn join_and_restore(network: &mut Network, fifth: usize) {
    let folder = network.folder().to_owned();
    let trust = folder.join("newer.json").display().to_string();
    fs::write(&trust, network.trust.to_json()).expect("written");
    let text = |path: PathBuf| path.display().to_string();

    // A backup while it runs, and a snapshot out of the backup.
    let backup = text(folder.join("backup"));
    let config = text(network.nodes[2].dir.join("config.toml"));
    let written = network.told(&["backup", &backup, "--config", &config]);
    assert!(written["height"].as_u64().is_some_and(|h| h > 0) && written["bytes"].as_u64().is_some(), "{written}");
    let (code, said) = refused(network, &["backup", &backup, "--config", &config]);
    assert_eq!(code, "backup.failed", "{said}");
    // Put to use on another machine: another directory, other ports, no keys. A snapshot is made of it meanwhile.
    let nodes = [network.url(2), network.url(3)];
    let number = network.nodes.len();
    let dir = network.root().join(format!("node-{number}"));
    let [api, admin, ..] = network.ports(number).map(|address| address.to_string());
    let (data, config) = (text(dir.join("data")), text(dir.join("config.toml")));
    fs::create_dir_all(&dir).expect("a directory");
    let mut arguments = vec!["restore", &backup, "--trust", &trust, "--data", &data, "--config", &config];
    arguments.extend(["--api", &api, "--admin", &admin, "--node", &nodes[0]]);
    network.told(&arguments);
    let snapshot = text(folder.join("ledger.snapshot"));
    network.told(&["export", &snapshot, "--data", &data, "--trust", &trust, "--snapshot"]);
    let number = network.adopt(dir);
    network.start_node(number);
    network.wait_role(number, "observer");
    same_proofs(network, number);

    bad_input(network, &snapshot, &trust);

    // Observers: from the snapshot, from its log, from nodes of which the first lies.
    let liar = LyingNode::before(network.nodes[3].api);
    let joins: [&[&str]; 3] = [
        &["--snapshot", &snapshot, "--node", &nodes[0]],
        &["--snapshot", &snapshot, "--log", "--node", &nodes[1]],
        &["--node", &format!("http://{}", liar.address), "--node", &nodes[0]],
    ];
    for how in joins {
        let number = network.nodes.len();
        let dir = network.root().join(format!("node-{number}"));
        let [api, admin, ..] = network.ports(number).map(|address| address.to_string());
        let (data, config) = (text(dir.join("data")), text(dir.join("config.toml")));
        fs::create_dir_all(&dir).expect("a directory");
        let mut arguments = vec!["join", "--trust", &trust, "--data", &data, "--config", &config];
        arguments.extend(how);
        arguments.extend(["--api", &api, "--admin", &admin]);
        network.told(&arguments);
        let number = network.adopt(dir);
        network.start_node(number);
        network.wait_role(number, "observer");
        same_proofs(network, number);
    }
    let last = network.nodes.len() - 1;
    wait_for("the lying node to be named in the log", Duration::from_secs(30), || {
        network.last_words(last).contains("sent what the network did not decide").then_some(())
    });

    // A validator loses its disk: it keeps its keys, and starts anew from a snapshot; nobody restores a guard.
    network.stop(fifth);
    network.wipe(fifth);
    let data = text(network.nodes[fifth].dir.join("data"));
    network.told(&["join", "--trust", &trust, "--snapshot", &snapshot, "--data", &data]);
    network.start_node(fifth);
    network.wait_role(fifth, "validator");
    network.wait_votes();
    same_proofs(network, fifth);
}

fn refused(network: &Network, arguments: &[&str]) -> (String, String) {
    let (exit, code, said) = network.refused(arguments);
    assert_eq!(exit, 1, "{code}: {said}");
    (code, said)
}

/// A node hands out the proofs that the others hand out.
fn same_proofs(network: &Network, number: usize) {
    let receipts = network.acknowledged.lock().expect("no thread panics holding it").clone();
    for bytes in receipts.iter().step_by(receipts.len() / 5 + 1) {
        let expected = Receipt::decode(bytes).expect("a receipt");
        let id = testamur_primitives::record::Record::parse(expected.record.as_bytes()).expect("a record").id();
        let answer = network.get(number, &format!("/v1/records/{id}/receipt")).expect("an answer");
        assert_eq!(answer.status, 200, "{}", answer.text());
        let found = Receipt::decode(&answer.body).expect("a receipt");
        assert_eq!((&found.path, &found.header, found.index), (&expected.path, &expected.header, expected.index));
    }
    let history = |node| network.get(node, "/v1/history?from=3&to=30").expect("an answer").body;
    assert_eq!(history(number), history(2), "the same history");
}

/// What `join` must not take, and what is left of it: nothing.
fn bad_input(network: &Network, snapshot: &str, trust: &str) {
    let folder = network.folder();
    let data = folder.join("never").display().to_string();
    let join = |trust: &str, file: &str| {
        let (code, said) = refused(network, &["join", "--trust", trust, "--snapshot", file, "--data", &data]);
        assert!(!Path::new(&data).exists(), "something is left: {code} {said}");
        assert!(!said.trim().is_empty());
        (code, said)
    };
    let other = folder.join("other");
    network.told(&["init", "--insecure-dev", "--dir", &other.display().to_string()]);
    let (code, said) = join(&other.join("trust.json").display().to_string(), snapshot);
    assert_eq!(code, "join.other-network", "{said}");

    let good = fs::read(snapshot).expect("a snapshot");
    let bad = folder.join("bad.snapshot");
    let path = bad.display().to_string();
    for at in [3, 200, good.len() / 3, good.len() / 2, good.len() - 5_000, good.len() - 3] {
        let mut bytes = good.clone();
        bytes[at] ^= 0x10;
        fs::write(&bad, bytes).expect("written");
        let (code, said) = join(trust, &path);
        assert!(code.starts_with("join."), "flipped at {at}: {code} {said}");
    }
    for cut in [0, 10, good.len() / 2, good.len() - 1] {
        fs::write(&bad, &good[..cut]).expect("written");
        let (code, said) = join(trust, &path);
        assert_eq!(code, "join.damaged", "cut at {cut}: {said}");
    }
    let full = folder.join("full");
    fs::create_dir_all(&full).expect("a directory");
    fs::write(full.join("file"), "x").expect("written");
    let full = full.display().to_string();
    let (_, said) = refused(network, &["join", "--trust", trust, "--snapshot", snapshot, "--data", &full]);
    assert!(said.contains("not empty"), "{said}");
    let nobody = ["join", "--trust", trust, "--node", "http://127.0.0.1:9", "--data", &data];
    let (code, said) = refused(network, &nobody);
    assert_eq!(code, "join.no-node", "{said}");
    // What was fetched is kept for another try; here that is nothing.
    fs::remove_dir_all(folder.join("never.partial")).expect("the place of a try that can go on");
}
