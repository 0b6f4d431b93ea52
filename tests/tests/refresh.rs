//! Receipts across epochs, trust files that follow them, and what three stolen keys can do: the real binary against a
//! node of a chain with fixed keys. Epoch 0 has four validators, epoch 1 five, epoch 2 four of
//! those, one of them with another key.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use serde_json::{Value, json};
use testamur_primitives::codec::sha256;
use testamur_primitives::commitment::{BatchLeaf, DigestAlgorithm, DocumentDigest, Form};
use testamur_primitives::hash::TreeHash;
use testamur_primitives::merkle::MemoryTree;
use testamur_primitives::note::Note;
use testamur_primitives::receipt::Receipt;
use testamur_primitives::record::{Act, BatchTree, Bytes};
use testamur_primitives::trust::TrustFile;
use testamur_primitives::units::{Height, UnixTime};
use testamur_tests::chain::{Chain, Member, START, in_order, key, members, record};
use testamur_tests::chain_node::{ChainNode, Lie};
use testamur_tests::harness::testamur;

/// Height of the last block.
const TIP: Height = Height(6);

fn notarise(chain: &Chain, number: u8) -> String {
    let act = Act::Notarise {
        alg: DigestAlgorithm::Sha2_256,
        form: Form::Digest,
        entries: vec![Bytes(vec![number; 32])],
        reference: None,
    };
    record(&chain.genesis, &key("author", 0), &format!("r-{number}"), START, act).as_str().to_owned()
}

/// Heights 1, 3 and 5 hold a record each, of epochs 0, 1 and 2; heights 2 and 4 end an epoch; height 6 is empty.
fn chain(last: Vec<Member>) -> Chain {
    let mut chain = Chain::new("refresh");
    for (number, next) in [(0, members(&[0, 1, 2, 3, 4])), (1, last)] {
        let record = notarise(&chain, number);
        chain.append(START + 10 * u64::from(number), &[record]);
        chain.change_set(START + 10 * u64::from(number) + 5, next);
    }
    let record = notarise(&chain, 2);
    chain.append(START + 20, &[record]);
    chain.append::<&[u8]>(START + 30, &[]);
    assert_eq!(chain.tip().height, TIP);
    chain
}

/// Validator 0 is gone, and validator 3 has another key.
fn good() -> Chain {
    chain(in_order([1, 2, 4].map(Member::new).into_iter().chain([Member::rotated(3, [33, 3, 3])]).collect()))
}

struct Ran {
    exit: i32,
    out: String,
    err: String,
}

/// A person with a home of their own.
struct User {
    directory: tempfile::TempDir,
}

impl User {
    fn trusting(trust: &TrustFile) -> Self {
        let user = Self { directory: tempfile::tempdir().expect("a temporary directory") };
        user.write("trust.json", trust.to_json().as_bytes());
        assert_eq!(user.run(&["network", "add", "trust.json", "--replace"]).exit, 0);
        user
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).expect("a writable directory");
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).expect("a file")
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let output = testamur(&self.path("home")).args(arguments).current_dir(self.directory.path()).output();
        let output = output.expect("the binary starts");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        Ran { exit: output.status.code().expect("an exit code"), out: text(output.stdout), err: text(output.stderr) }
    }

    fn verify(&self, name: &str) -> i32 {
        self.run(&["verify", "--receipt-only", name]).exit
    }

    /// Refreshes one file: exit code, and what is said of it.
    fn refresh(&self, name: &str, node: &ChainNode) -> (i32, Value) {
        let ran = self.run(&["--json", "refresh", name, "--node", &node.url()]);
        let text = if ran.out.is_empty() { ran.err } else { ran.out };
        let report: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON: {text}"));
        (ran.exit, if report["files"].is_array() { report["files"][0].clone() } else { report["error"].clone() })
    }
}

#[test]
fn receipts_of_every_epoch_are_green_again_under_a_newer_checkpoint() {
    let chain = good();
    let user = User::trusting(&chain.pinned(TIP));
    for (number, before) in [(0, 5), (1, 5), (2, 0)] {
        let name = format!("{number}.receipt.json");
        user.write(&name, &chain.receipt(number, None).encode());
        fs::set_permissions(user.path(&name), fs::Permissions::from_mode(0o600)).expect("our own file");
        assert_eq!(user.verify(&name), before, "{name}");
    }
    let told = user.run(&["verify", "--receipt-only", "0.receipt.json"]).out;
    assert!(told.contains("testamur refresh 0.receipt.json"), "{told}");
    let node = ChainNode::start(good(), TIP);
    let ran = user.run(&["refresh", "--all", ".", "--node", &node.url()]);
    assert_eq!(ran.exit, 0, "{}{}", ran.out, ran.err);
    for part in ["REFRESHED", "0.receipt.json: under block 6", "FRESH", "2 refreshed, 1 fresh already"] {
        assert!(ran.out.contains(part), "{part:?} is missing in:\n{}", ran.out);
    }
    let kept = user.read("0.receipt.json");
    for number in 0..3 {
        let name = format!("{number}.receipt.json");
        let ran = user.run(&["verify", "--receipt-only", &name]);
        assert_eq!(ran.exit, 0, "{}", ran.out);
        assert_eq!(ran.out.contains("proven under the later block 6"), number < 2, "{}", ran.out);
        let mode = fs::metadata(user.path(&name)).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "nobody else can read it now");
    }
    // The node is remembered, and there is nothing left to do.
    let ran = user.run(&["refresh", "--all", "."]);
    assert!(ran.exit == 0 && ran.out.contains("3 fresh already"), "{}{}", ran.out, ran.err);
    assert_eq!(user.read("0.receipt.json"), kept);
    // Who trusts genesis alone, or an older checkpoint, can rely on it too.
    for trust in [chain.trust(), chain.pinned(Height(1)), chain.pinned(Height(3))] {
        assert_eq!(
            User::trusting(&trust)
                .run(&["verify", "--receipt-only", &user.path("0.receipt.json").display().to_string()])
                .exit,
            0
        );
    }
}

#[test]
fn a_newer_anchor_takes_the_place_of_older_ones_and_other_kinds_stay() {
    let chain = good();
    let user = User::trusting(&chain.pinned(TIP));
    let mut receipt = chain.receipt(0, None);
    let other = json!({"kind": "rfc3161", "token": "AA"});
    let older = serde_json::to_value(chain.anchor(Height(1), Height(3))).expect("an anchor");
    receipt.anchors = vec![older, other.clone()];
    user.write("x", &receipt.clone().encode());
    assert_eq!(user.verify("x"), 5, "an anchor of a past epoch is as old as its keys");
    let node = ChainNode::start(good(), TIP);
    assert_eq!(user.refresh("x", &node).0, 0);
    let refreshed = Receipt::decode(&user.read("x")).expect("a receipt");
    assert_eq!(refreshed.anchors.len(), 2);
    assert_eq!(refreshed.anchors[0], other);
    assert_eq!(refreshed.anchors[1], serde_json::to_value(chain.anchor(Height(1), TIP)).expect("an anchor"));
    assert_eq!(Receipt { anchors: receipt.anchors.clone(), digest: Bytes::default(), ..refreshed }, receipt);
    // As many others as a receipt may have: it holds no more.
    receipt.anchors = vec![other; 100];
    let full = receipt.encode();
    user.write("full", &full);
    let (exit, said) = user.refresh("full", &node);
    assert_eq!((exit, &said["error"]["code"]), (1, &json!("refresh.anchors-full")));
    assert_eq!(user.read("full"), full);
}

#[test]
fn what_cannot_be_refreshed_is_left_as_it_is_and_says_why() {
    let chain = good();
    let user = User::trusting(&chain.pinned(Height(3)));
    let old = chain.receipt(0, None);
    let cases: Vec<(&str, Vec<u8>, i32, &str)> = vec![
        ("not-valid", Receipt { path: vec![TreeHash::ZERO], ..old.clone() }.encode(), 3, "receipt.inclusion"),
        ("not-a-receipt", b"hello, this is not a receipt".to_vec(), 3, "receipt.malformed"),
        ("other-network", Chain::new("other").pinned(Height(0)).to_json().into_bytes(), 3, "receipt.malformed"),
        ("printed.pdf", b"%PDF-1.7 a printed diploma\n".to_vec(), 1, "cli.content"),
    ];
    let node = ChainNode::start(good(), TIP);
    for (name, bytes, exit, code) in cases {
        user.write(name, &bytes);
        let (found, said) = user.refresh(name, &node);
        assert_eq!((found, said["error"]["code"].as_str()), (exit, Some(code)), "{name}: {said}");
        assert_eq!(user.read(name), bytes, "{name}");
    }
    let bytes = old.clone().encode();
    user.write("old", &bytes);
    let said = |node: &ChainNode, name: &str| user.refresh(name, node);
    let behind = ChainNode::start(good(), Height(2));
    let (exit, error) = said(&behind, "old");
    assert_eq!((exit, error["code"].as_str()), (1, Some("path.behind")), "{error}");
    let stranger = ChainNode::start(Chain::new("other"), Height(0));
    let (exit, error) = said(&stranger, "old");
    assert_eq!((exit, error["code"].as_str()), (1, Some("path.other-network")), "{error}");
    let ran = user.run(&["--json", "refresh", "old", "--node", "http://127.0.0.1:9"]);
    assert!(ran.exit == 1 && ran.err.contains("client.unreachable"), "{}", ran.err);
    for (lie, code) in [
        (Lie::OtherSet, "path.broken"),
        (Lie::NoEpochs, "path.short"),
        (Lie::FewSignatures, "path.broken"),
        (Lie::OtherHistory, "path.malformed"),
    ] {
        node.lie(Some(lie));
        let (exit, error) = said(&node, "old");
        assert_eq!((exit, error["code"].as_str()), (1, Some(code)), "{lie:?}: {error}");
        assert!(error["message"].as_str().is_some_and(|text| text.contains("No receipt was changed")), "{error}");
    }
    node.lie(None);
    assert_eq!(user.read("old"), bytes);
    // A receipt that is newer than the node's newest block, by a trust file that is no newer either.
    let early = User::trusting(&chain.trust());
    early.write("new", &chain.receipt(2, None).encode());
    let (exit, said) = early.refresh("new", &ChainNode::start(good(), Height(1)));
    assert_eq!((exit, said["outcome"].as_str()), (0, Some("fresh")), "its own epoch is newer than the node's: {said}");
    let mut over = members(&[1, 2, 3, 4]);
    over.iter_mut().for_each(|member| member.registration.not_after = UnixTime(START - 100_000_000));
    let ended = chain_over(over);
    let user = User::trusting(&ended.trust());
    user.write("old", &ended.receipt(0, None).encode());
    let ended = ChainNode::start(ended, TIP);
    let (exit, said) = user.refresh("old", &ended);
    assert_eq!((exit, said["error"]["code"].as_str()), (1, Some("refresh.nobody-in-office")), "{said}");
}

fn chain_over(last: Vec<Member>) -> Chain {
    // The term is part of the registration, and its hash the address.
    let first = |mut member: Member| {
        member.address = member.registration.address();
        member
    };
    chain(in_order(last.into_iter().map(first).collect()))
}

/// A receipt container of three documents, by the format's own words.
fn container(ledger: &Receipt, leaves: &[BatchLeaf], record: &str, root: TreeHash) -> Vec<u8> {
    let id = [7; 16];
    let mut file = [b"\x89testamur-rcs\r\n\x1a".as_slice(), &1u16.to_be_bytes(), &id].concat();
    let mut section = |kind: u8, body: &[u8]| {
        let offset = file.len() as u64;
        let framed = [&[kind], (body.len() as u32).to_be_bytes().as_slice(), body].concat();
        let check = sha256(&[b"testamur/container/v1\0", &id, &offset.to_be_bytes(), &framed]);
        file.extend([framed.as_slice(), &check].concat());
        offset
    };
    section(1, br#"{"alg":"sha2-256","exclude":[],"form":"digest","links":"skip","order":"given","v":1}"#);
    let count = leaves.len() as u64;
    let mut chunk = [&0u64.to_be_bytes()[..], &(count as u16).to_be_bytes(), &[0], root.as_bytes()].concat();
    chunk.extend(leaves.iter().map(|leaf| leaf.digest.algorithm() as u8));
    leaves.iter().for_each(|leaf| chunk.extend(leaf.digest.as_bytes()));
    chunk.extend(leaves.iter().flat_map(|_| 1u16.to_be_bytes()));
    chunk.extend((b'a'..).take(leaves.len()));
    let chunk = section(2, &chunk);
    let counts = [&count.to_be_bytes()[..], &1u32.to_be_bytes(), root.as_bytes()].concat();
    let index = section(3, &[&counts[..], &chunk.to_be_bytes(), root.as_bytes()].concat());
    section(4, record.as_bytes());
    let ledger = section(5, &ledger.clone().encode());
    section(6, &[index.to_be_bytes(), ledger.to_be_bytes()].concat());
    file
}

#[test]
fn a_container_is_refreshed_once_for_all_its_documents() {
    let digest = |n: u8| DocumentDigest::new(DigestAlgorithm::Sha2_256, vec![n; 32]).expect("32 bytes");
    let leaves: Vec<_> = (0..3).map(|n| BatchLeaf { digest: digest(n), salt: None }).collect();
    let tree = MemoryTree::from_leaf_hashes(&leaves.iter().map(BatchLeaf::leaf_hash).collect::<Vec<_>>());
    let root = tree.root(3).expect("three leaves");
    let chain = || {
        let mut chain = Chain::new("refresh");
        let act = Act::NotariseBatch { tree: BatchTree::Rfc6962Sha256, root, count: 3, reference: None };
        let batch = record(&chain.genesis, &key("author", 0), "batch", START, act).as_str().to_owned();
        chain.append(START, &[batch]);
        chain.change_set(START + 5, members(&[0, 1, 2, 3, 4]));
        chain.append::<&[u8]>(START + 10, &[]);
        chain
    };
    let user = User::trusting(&chain().pinned(Height(3)));
    let receipt = chain().receipt(0, None);
    let file = container(&receipt, &leaves, &receipt.record, root);
    user.write("archive.receipts", &file);
    let cut = |document: &str| {
        let out = format!("{document}-{}.receipt.json", user.read("archive.receipts").len());
        let ran = user.run(&["receipt", "cut", "archive.receipts", document, "--out", &out]);
        assert_eq!(ran.exit, 0, "{}", ran.err);
        user.verify(&out)
    };
    assert_eq!(cut("b"), 5);
    let node = ChainNode::start(chain(), Height(3));
    let (exit, said) = user.refresh("archive.receipts", &node);
    assert_eq!((exit, &said["outcome"], &said["anchored_at"]), (0, &json!("refreshed"), &json!(3)), "{said}");
    assert_eq!((cut("a"), cut("b"), cut("c")), (0, 0, 0));
    assert_eq!(user.refresh("archive.receipts", &node).1["outcome"], json!("fresh"));
    let mut damaged = file;
    damaged[120] ^= 1;
    user.write("damaged.receipts", &damaged);
    let (exit, said) = user.refresh("damaged.receipts", &node);
    assert_eq!((exit, said["outcome"].as_str()), (3, Some("not-valid")), "{said}");
    assert_eq!(user.read("damaged.receipts"), damaged);
}

/// Whoever has three of the four keys of epoch 0 can sign what then looks like a block of then.
#[test]
fn three_stolen_keys_of_a_past_quorum_forge_a_receipt_that_is_never_green() {
    let chain = good();
    let mut thief = Chain::new("refresh");
    let forged = notarise(&thief, 66);
    thief.append(START + 10, &[forged]);
    let mut receipt = thief.receipt(0, None);
    let mut note = Note::parse(receipt.note.as_bytes()).expect("our own note");
    note.signatures.retain(|line| line.name != "validator-3.example" && line.name != thief.origin().as_str());
    assert_eq!(note.signatures.len(), 3);
    receipt.note = note.to_string();
    // Under genesis alone it is as good as any: that is why trust files move on.
    let trusting = User::trusting(&chain.trust());
    trusting.write("forged", &receipt.clone().encode());
    assert_eq!(trusting.verify("forged"), 0);
    // It also lies about a later set of the thief's own, under which everything is in order, once or twice removed.
    thief.change_set(START + 15, members(&[20, 21, 22, 23]));
    thief.append::<&[u8]>(START + 20, &[]);
    thief.change_set(START + 25, members(&[24, 25, 26, 27]));
    thief.append::<&[u8]>(START + 30, &[]);
    let anchored = |later: u64| {
        let anchor = serde_json::to_value(thief.anchor(Height(1), Height(later))).expect("an anchor");
        Receipt { anchors: vec![anchor], ..receipt.clone() }.encode()
    };
    let node = ChainNode::start(good(), TIP);
    for (pinned, plain, once, twice) in [(Height(3), 5, 3, 3), (TIP, 5, 5, 3)] {
        let user = User::trusting(&chain.pinned(pinned));
        let files =
            [("plain", receipt.clone().encode(), plain), ("once", anchored(3), once), ("twice", anchored(5), twice)];
        for (name, bytes, exit) in files {
            user.write(name, &bytes);
            assert_eq!(user.verify(name), exit, "{name} under block {pinned}");
            let (exit, said) = user.refresh(name, &node);
            assert_eq!(exit, 3, "{name} under block {pinned}: {said}");
            assert_eq!(user.read(name), bytes, "it is left as it is");
        }
        let (_, said) = user.refresh("plain", &node);
        assert_eq!(said["error"]["code"], "refresh.not-in-history");
    }
    // A node of the thief's, for those whose trust file is as old as the keys: it gets them nowhere once they have moved on.
    let thieves = ChainNode::start(thief, Height(5));
    let user = User::trusting(&chain.pinned(Height(3)));
    let ran = user.run(&["--json", "network", "update", "refresh", "--node", &thieves.url()]);
    assert!(ran.exit == 1 && ran.err.contains("network.contradiction"), "{}", ran.err);
    let kept: Vec<_> = fs::read_dir(user.path("home/contradictions")).expect("evidence").flatten().collect();
    assert_eq!(kept.len(), 1);
    let evidence: Value = serde_json::from_slice(&fs::read(kept[0].path()).expect("a file")).expect("JSON");
    assert_eq!((&evidence["type"], &evidence["height"]), (&json!("testamur-contradiction"), &json!(3)));
    assert_eq!(
        TrustFile::from_json(&fs::read(user.path("trust.json")).expect("a file")).expect("a trust file"),
        chain.pinned(Height(3))
    );
}

#[test]
fn a_trust_file_goes_on_along_a_proven_path_and_never_back() {
    let chain = good();
    let user = User::trusting(&chain.trust());
    let shown = user.run(&["network", "show", "refresh"]).out;
    assert!(shown.contains("It pins genesis only: `testamur network update`"), "{shown}");
    for update in [["network", "update", "refresh"].as_slice(), &["network", "update"]] {
        let ran = user.run(update);
        assert!(ran.exit == 1 && ran.err.contains("name one with --node URL"), "{}", ran.err);
    }
    let node = ChainNode::start(good(), TIP);
    let ran = user.run(&["network", "update", "refresh", "--node", &node.url()]);
    assert_eq!(ran.exit, 0, "{}{}", ran.out, ran.err);
    for part in [
        "Updated along a proven path:",
        "was          genesis only",
        "pinned       block 6 of",
        "epoch 1      from block 3",
        "added validator-4.example: Ministère 4",
        "epoch 2      from block 5",
        "removed validator-0.example: Ministère 0",
        "rotated key of validator-3.example: Ministère 3",
        "testamur refresh",
        &chain.pinned(TIP).fingerprint(),
    ] {
        assert!(ran.out.contains(part), "{part:?} is missing in:\n{}", ran.out);
    }
    let ran = user.run(&["network", "update"]);
    assert!(ran.exit == 0 && ran.out.contains("Up to date:"), "{}{}", ran.out, ran.err);
    let shown = user.run(&["network", "show", "refresh"]).out;
    assert!(shown.contains("epoch        2, in office until") && shown.contains("block 6 of"), "{shown}");
    let update = |node: &ChainNode| {
        let ran = user.run(&["--json", "network", "update", "refresh", "--node", &node.url()]);
        let error: Value = serde_json::from_str(&ran.err).unwrap_or(Value::Null);
        (ran.exit, error["error"]["code"].as_str().unwrap_or_default().to_owned())
    };
    for behind in [Height(5), Height(3), Height(1)] {
        assert_eq!(update(&ChainNode::start(good(), behind)), (1, "path.behind".into()), "{behind}");
    }
    // The same height, decided twice.
    let mut fork = good();
    fork.headers.pop();
    fork.append::<&[u8]>(START + 31, &[]);
    assert_eq!(update(&ChainNode::start(fork, TIP)), (1, "network.contradiction".into()));
    // A longer chain that left the pinned one before its end.
    let mut fork = good();
    fork.headers.pop();
    fork.append::<&[u8]>(START + 31, &[]);
    fork.append::<&[u8]>(START + 32, &[]);
    assert_eq!(update(&ChainNode::start(fork, Height(7))), (1, "network.contradiction".into()));
    let kept = TrustFile::from_json(user.run(&["--json", "network", "show", "refresh"]).out.as_bytes());
    assert_eq!(kept.expect("a trust file"), chain.pinned(TIP), "nothing of that changed it");
    // One that goes on.
    let mut longer = good();
    longer.append::<&[u8]>(START + 40, &[]);
    assert_eq!(update(&ChainNode::start(longer, Height(7))).0, 0);
}

#[test]
fn a_trust_file_whose_keys_are_out_of_office_says_what_to_do() {
    let mut over = members(&[1, 2, 3, 4]);
    over.iter_mut().for_each(|member| member.registration.not_after = UnixTime(START - 100_000_000));
    let ended = chain_over(over);
    let user = User::trusting(&ended.pinned(Height(5)));
    let shown = user.run(&["network", "show", "refresh"]).out;
    assert!(
        shown.contains("are out of office since") && shown.contains("compare its fingerprint by telephone"),
        "{shown}"
    );
    let node = ChainNode::start(ended, TIP);
    let ran = user.run(&["network", "update", "refresh", "--node", &node.url()]);
    assert!(ran.exit == 1 && ran.err.contains("whoever got hold of them since"), "{}", ran.err);
    user.write("x.receipt.json", &good().receipt(0, None).encode());
    let (exit, said) = user.refresh("x.receipt.json", &node);
    assert_eq!((exit, said["code"].as_str()), (1, Some("network.out-of-office")), "{said}");
    let ran = user.run(&["network", "update", "refresh", "--node", &node.url(), "--anyway"]);
    assert_eq!(ran.exit, 0, "{}", ran.err);
}
