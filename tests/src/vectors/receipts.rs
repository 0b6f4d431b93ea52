//! Receipts that verify, and for each way to be wrong one that does not, with verdict, exit code and slug.

use serde_json::json;
use testamur_primitives::codec::{base64_standard, canonical, sha256};
use testamur_primitives::commitment::{BatchLeaf, DigestAlgorithm, DocumentDigest, Form, Opening, Salt, SaltText};
use testamur_primitives::epoch::EpochLink;
use testamur_primitives::hash::{GenesisHash, HeaderHash, TreeHash};
use testamur_primitives::header::Header;
use testamur_primitives::merkle::MemoryTree;
use testamur_primitives::note::{Note, SignatureLine};
use testamur_primitives::receipt::{CheckpointAnchor, Receipt};
use testamur_primitives::record::{Act, BatchTree, Bytes, Change};
use testamur_primitives::units::{Height, LogIndex, LogSize};

use super::records::{compact, keys};
use crate::chain::{Chain, Member, OFFICE_END, START, key, members, record, seed, set_of};
use crate::vectors::{Files, ReceiptCase, json as file};

/// The document that most receipts are about.
const DOCUMENT: &[u8] = b"%PDF-1.7 a diploma\n";
/// Soon after the blocks.
const SOON: u64 = START + 1_000;

/// Receipts, with the files that they need.
#[derive(Default)]
struct Cases {
    files: Files,
    cases: Vec<ReceiptCase>,
}

impl Cases {
    fn add(&mut self, name: &str, bytes: Vec<u8>, document: Option<&[u8]>, trust: &str, at: u64, verdict: (i32, &str)) {
        let receipt = format!("receipts/{name}.json");
        assert!(self.files.insert(receipt.clone(), bytes).is_none(), "{name} twice");
        let document = document.map(base64_standard);
        let trust = format!("{trust}.json");
        let (name, exit, code) = (name.to_owned(), verdict.0, verdict.1.to_owned());
        self.cases.push(ReceiptCase { name, receipt, document, trust, at, exit, code });
    }

    /// A receipt that is refused whatever the document is.
    fn bad(&mut self, name: &str, receipt: Receipt, code: &str) {
        self.add(name, receipt.encode(), None, "trust", SOON, (3, code));
    }

    fn bad_bytes(&mut self, name: &str, bytes: Vec<u8>, code: &str) {
        self.add(name, bytes, None, "trust", SOON, (3, code));
    }
}

pub(super) fn write(files: &mut Files) {
    let (more, cases) = cases();
    files.extend(more);
    files.insert("receipts.json".into(), file(&cases));
}

/// All receipt vectors and their files.
fn cases() -> (Files, Vec<ReceiptCase>) {
    let mut cases = Cases::default();
    let chain = chain();
    let trust = |chain: &Chain| chain.trust().to_json().into_bytes();
    cases.files.insert("trust.json".into(), trust(&chain.chain));
    cases.files.insert("trust-other.json".into(), trust(&Chain::new("other")));
    cases.files.insert("trust-pinned.json".into(), chain.chain.pinned(Height(3)).to_json().into_bytes());
    cases.files.insert("trust-pinned-epoch-0.json".into(), chain.chain.pinned(Height(1)).to_json().into_bytes());
    confirmed(&mut cases, &chain);
    documents(&mut cases, &chain);
    form(&mut cases, &chain);
    certificates(&mut cases, &chain);
    epochs(&mut cases, &chain);
    contents(&mut cases, &chain);
    anchors(&mut cases, &chain);
    for (name, bytes) in super::terms::trust_files() {
        cases.files.insert(format!("{name}.json"), bytes);
    }
    for (name, bytes) in super::members::trust_files() {
        cases.files.insert(format!("{name}.json"), bytes);
    }
    let members = super::members::receipts();
    for super::terms::Case { name, bytes, trust, exit, code } in super::terms::receipts().into_iter().chain(members) {
        cases.add(&name, bytes, None, trust, SOON, (exit, code));
    }
    for (name, bytes, code) in super::registries::receipts() {
        let exit = if code == "confirmed" { 0 } else { 3 };
        cases.add(name, bytes, None, "trust-registries", SOON, (exit, code));
    }
    (cases.files, cases.cases)
}

/// The chain of the receipt vectors: height 1 holds the records of epoch 0, height 2 changes the set, height 3 is of
/// epoch 1 and holds one record.
struct Story {
    chain: Chain,
    salted: Opening,
    batched: Opening,
}

const PLAIN: u64 = 0;
const SALTED: u64 = 1;
const BATCH: u64 = 2;
const PROPOSAL: u64 = 3;
const OF_EPOCH_1: u64 = 4;

fn digest(alg: DigestAlgorithm) -> DocumentDigest {
    let bytes = match alg {
        DigestAlgorithm::Sha2_256 => sha256(&[DOCUMENT]).to_vec(),
        _ => vec![0x5a; alg.digest_bytes()],
    };
    DocumentDigest::new(alg, bytes).expect("of the right length")
}

fn opening(leaf: &BatchLeaf, index: u64, path: Option<Vec<TreeHash>>) -> Opening {
    Opening {
        index,
        alg: leaf.digest.algorithm(),
        digest: leaf.digest.as_bytes().to_vec(),
        salt: leaf.salt.clone().map(SaltText),
        path,
    }
}

fn leaf(number: u32) -> BatchLeaf {
    BatchLeaf { digest: digest(DigestAlgorithm::Sha2_256), salt: Some(Salt::from_bytes(seed("salt", number))) }
}

fn chain() -> Story {
    let mut chain = Chain::new("receipts");
    let author = key("author", 0);
    let sha = DigestAlgorithm::Sha2_256;
    let plain = Act::Notarise {
        alg: sha,
        form: Form::Digest,
        entries: vec![Bytes(vec![7; 32]), Bytes(digest(sha).as_bytes().to_vec())],
        reference: Some("dossier-7".parse().expect("a reference")),
    };
    let commitment =
        |n: u32| Bytes(if n == 1 { leaf(1).entry() } else { sha256(&[b"another", &n.to_be_bytes()]).to_vec() });
    let salted =
        Act::Notarise { alg: sha, form: Form::Commitment, entries: (0..3).map(commitment).collect(), reference: None };
    let leaves: Vec<_> = (0..11).map(leaf).collect();
    let tree = MemoryTree::from_leaf_hashes(&leaves.iter().map(BatchLeaf::leaf_hash).collect::<Vec<_>>());
    let batch = Act::NotariseBatch {
        tree: BatchTree::Rfc6962Sha256,
        root: tree.root(11).expect("eleven leaves"),
        count: 11,
        reference: None,
    };
    let path = tree.inclusion_proof(9, 11).expect("in range");
    let proposal = Act::Propose {
        change: Change::GrantWriter { did: testamur_primitives::did::Did::key(&key("author", 1).public_key()) },
        governance_version: 0,
        expires: testamur_primitives::units::UnixTime(START + 86_400),
    };
    let acts = [plain.clone(), salted, batch, proposal];
    let records: Vec<_> = acts
        .into_iter()
        .enumerate()
        .map(|(n, act)| record(&chain.genesis, &author, &format!("r-{n}"), START, act).as_str().to_owned())
        .collect();
    chain.append(START + 10, &records);
    chain.change_set(START + 20, members(&[1, 2, 3, 4, 5]));
    let p256 = keys().swap_remove(1).1;
    let last = record(&chain.genesis, &p256, "r-4", START, plain);
    chain.append(START + 30, &[last.as_bytes()]);
    let (salted, batched) = (opening(&leaf(1), 1, None), opening(&leaves[9], 9, Some(path)));
    Story { chain, salted, batched }
}

fn confirmed(cases: &mut Cases, story: &Story) {
    let chain = &story.chain;
    let ok = |cases: &mut Cases, name: &str, receipt: Receipt, trust: &str| {
        cases.add(name, receipt.encode(), Some(DOCUMENT), trust, SOON, (0, "confirmed"));
    };
    ok(cases, "plain", chain.receipt(PLAIN, None), "trust");
    ok(cases, "salted", chain.receipt(SALTED, Some(story.salted.clone())), "trust");
    ok(cases, "batch", chain.receipt(BATCH, Some(story.batched.clone())), "trust");
    ok(cases, "two-epochs", chain.receipt(OF_EPOCH_1, None), "trust");
    ok(cases, "two-epochs-pinned", chain.receipt(OF_EPOCH_1, None), "trust-pinned");
    ok(cases, "two-epochs-pinned-before", chain.receipt(OF_EPOCH_1, None), "trust-pinned-epoch-0");
    let bare = Receipt { epochs: Vec::new(), ..chain.receipt(OF_EPOCH_1, None) };
    ok(cases, "chain-not-needed-from-the-pinned-epoch", bare, "trust-pinned");
    let plain_opening = opening(&BatchLeaf { digest: digest(DigestAlgorithm::Sha2_256), salt: None }, 1, None);
    ok(cases, "plain-with-opening", chain.receipt(PLAIN, Some(plain_opening)), "trust");
    cases.add("proposal", chain.receipt(PROPOSAL, None).encode(), None, "trust", SOON, (0, "confirmed"));
    cases.add("no-document-given", chain.receipt(SALTED, None).encode(), None, "trust", SOON, (0, "confirmed"));
    let three = note_of(chain, |lines, _| {
        lines.remove(2);
    });
    ok(cases, "three-of-four", Receipt { note: three, ..chain.receipt(PLAIN, None) }, "trust");
    let unknown = note_of(chain, |lines, body| {
        lines.insert(0, SignatureLine { name: "witness.example".into(), id: lines[0].id, signature: vec![1] });
        lines.push(Member::new(9).cosign(START + 10, body));
    });
    ok(cases, "unknown-lines-are-ignored", Receipt { note: unknown, ..chain.receipt(PLAIN, None) }, "trust");
    let other_round = note_with(chain, &chain.body(&chain.headers[1], 7), START + 10, &[0, 1, 2]);
    ok(cases, "round-7", Receipt { note: other_round, ..chain.receipt(PLAIN, None) }, "trust");
    let office = |cases: &mut Cases, name: &str, at: u64, exit, code: &str| {
        cases.add(name, chain.receipt(PLAIN, None).encode(), Some(DOCUMENT), "trust", at, (exit, code));
    };
    // Four validators, not_after OFFICE_END + 0 … 3: three of them are within theirs until OFFICE_END + 1.
    office(cases, "last-second-in-office", OFFICE_END + 1, 0, "confirmed");
    office(cases, "first-second-out-of-office", OFFICE_END + 2, 5, "out-of-office");
    let pinned_later = chain.receipt(PLAIN, None).encode();
    cases.add("a-later-epoch-is-pinned", pinned_later, Some(DOCUMENT), "trust-pinned", SOON, (5, "out-of-office"));
}

fn documents(cases: &mut Cases, story: &Story) {
    let chain = &story.chain;
    let other = b"%PDF-1.7 a diplomA\n".as_slice();
    let mut with = |name: &str, receipt: Receipt, document: &[u8], exit, code: &str| {
        cases.add(name, receipt.encode(), Some(document), "trust", SOON, (exit, code));
    };
    with("document-differs-plain", chain.receipt(PLAIN, None), other, 3, "receipt.document-differs");
    with(
        "document-differs-salted",
        chain.receipt(SALTED, Some(story.salted.clone())),
        other,
        3,
        "receipt.document-differs",
    );
    with(
        "document-differs-batch",
        chain.receipt(BATCH, Some(story.batched.clone())),
        other,
        3,
        "receipt.document-differs",
    );
    with("document-empty", chain.receipt(PLAIN, None), b"", 3, "receipt.document-differs");
    with("not-a-notarisation", chain.receipt(PROPOSAL, None), DOCUMENT, 3, "receipt.not-a-notarisation");
    with("opening-missing-salted", chain.receipt(SALTED, None), DOCUMENT, 4, "receipt.opening-missing");
    with("opening-missing-batch", chain.receipt(BATCH, None), DOCUMENT, 4, "receipt.opening-missing");
    let (salted, batched) = (&story.salted, &story.batched);
    let mut opened = |name: &str, index, opening: Opening| {
        cases.bad(name, chain.receipt(index, Some(opening)), "receipt.opening");
    };
    let salt = |n| Some(SaltText(Salt::from_bytes(seed("salt", n))));
    opened("opening-with-another-salt", SALTED, Opening { salt: salt(2), ..salted.clone() });
    opened("opening-at-another-index", SALTED, Opening { index: 2, ..salted.clone() });
    opened("opening-past-the-end", SALTED, Opening { index: 3, ..salted.clone() });
    opened("opening-far-past-the-end", SALTED, Opening { index: (1 << 53) - 1, ..salted.clone() });
    opened("opening-without-salt", SALTED, Opening { salt: None, ..salted.clone() });
    opened("opening-with-a-path", SALTED, Opening { path: Some(Vec::new()), ..salted.clone() });
    opened("opening-of-another-algorithm", SALTED, Opening { alg: DigestAlgorithm::Sha3_256, ..salted.clone() });
    opened("opening-with-a-short-digest", SALTED, Opening { digest: vec![1; 31], ..salted.clone() });
    opened("opening-with-salt-of-a-plain-record", PLAIN, salted.clone());
    opened("opening-of-a-proposal", PROPOSAL, salted.clone());
    opened("batch-without-path", BATCH, Opening { path: None, ..batched.clone() });
    opened("batch-at-another-index", BATCH, Opening { index: 8, ..batched.clone() });
    opened("batch-past-the-end", BATCH, Opening { index: 11, ..batched.clone() });
    let longer = [batched.path.clone().expect("a batch"), vec![TreeHash::ZERO]].concat();
    opened("batch-with-a-longer-path", BATCH, Opening { path: Some(longer), ..batched.clone() });
    opened("batch-without-salt", BATCH, Opening { salt: None, ..batched.clone() });
}

fn form(cases: &mut Cases, story: &Story) {
    let chain = &story.chain;
    let receipt = || chain.receipt(PLAIN, None);
    let text = String::from_utf8(receipt().encode()).expect("JSON");
    // The digest is made anew, so that only the form is wrong.
    let edit = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        redigest(&text.replacen(from, to, 1))
    };
    let malformed = "receipt.malformed";
    cases.bad_bytes("not-json", b"not a receipt".to_vec(), malformed);
    cases.bad_bytes("empty", Vec::new(), malformed);
    cases.bad_bytes("newline-at-the-end", format!("{text}\n").into_bytes(), malformed);
    cases.bad_bytes("spaces", text.replacen(':', ": ", 1).into_bytes(), malformed);
    cases.bad_bytes("not-utf-8", [&text.as_bytes()[..40], b"\xff", &text.as_bytes()[41..]].concat(), malformed);
    cases.bad_bytes("escaped", text.replacen("testamur-receipt", "\\u0074estamur-receipt", 1).into_bytes(), malformed);
    cases.bad_bytes("unknown-member", edit("\"anchors\":[]", "\"anchors\":[],\"anchorz\":1"), malformed);
    cases.bad_bytes("missing-member", edit("\"epochs\":[],", ""), malformed);
    cases.bad_bytes("null-member", edit("\"path\"", "\"opening\":null,\"path\""), malformed);
    cases.bad_bytes("index-as-text", edit("\"index\":0", "\"index\":\"0\""), malformed);
    cases.bad_bytes("index-above-2-53", edit("\"index\":0", "\"index\":9007199254740992"), malformed);
    cases.bad_bytes(
        "network-as-array",
        text.replacen("\"network\":{\"genesis\":", "\"network\":[", 1).into_bytes(),
        malformed,
    );
    cases.bad_bytes("anchor-with-a-float", edit("\"anchors\":[]", "\"anchors\":[1.5]"), malformed);
    cases.bad_bytes("anchor-with-null", edit("\"anchors\":[]", "\"anchors\":[null]"), malformed);
    cases.bad_bytes("anchor-with-another-alphabet", edit("\"anchors\":[]", "\"anchors\":[{\"é\":1}]"), malformed);
    let deep = format!("\"anchors\":[{}{}]", "[".repeat(15), "]".repeat(15));
    cases.bad_bytes("too-deep", edit("\"anchors\":[]", &deep), malformed);
    cases.bad_bytes("a-very-deep-file", "[".repeat(100_000).into_bytes(), malformed);
    let validators = |change: &dyn Fn(&mut Vec<serde_json::Value>)| {
        let mut value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        change(value["validators"].as_array_mut().expect("a list"));
        redigest(&value.to_string())
    };
    cases.bad_bytes("validators-out-of-order", validators(&|v| v.swap(0, 1)), malformed);
    cases.bad_bytes("three-validators", validators(&|v| v.truncate(3)), malformed);
    cases.bad_bytes("one-key-under-two-names", validators(&|v| v[1]["keys"] = v[0]["keys"].clone()), malformed);
    cases.bad_bytes("one-name-twice", validators(&|v| v[1]["name"] = v[0]["name"].clone()), malformed);
    cases.bad_bytes(
        "a-log-key-that-is-a-consensus-key",
        validators(&|v| v[1]["log_key"] = v[0]["keys"][0]["key"].clone()),
        malformed,
    );
    cases.bad_bytes(
        "two-keys-of-one-validator",
        validators(&|v| {
            let key = v[0]["peer_key"].clone();
            v[0]["keys"].as_array_mut().expect("a list").push(json!({"alg": "ed25519", "key": key}));
        }),
        malformed,
    );
    cases.bad_bytes(
        "a-validator-key-of-small-order",
        validators(&|v| v[0]["peer_key"] = json!("AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")),
        malformed,
    );
    cases.bad_bytes(
        "a-control-character-in-a-name",
        validators(&|v| v[0]["operator"] = json!("Ministry\u{85}")),
        malformed,
    );
    cases.bad_bytes(
        "changed-digest",
        text.replacen("\"digest\":\"", "\"digest\":\"AAAA", 1).into_bytes(),
        "receipt.changed",
    );
    let without: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let mut without = without.as_object().expect("an object").clone();
    without.remove("digest");
    cases.bad_bytes("no-digest", canonical(&without), "receipt.changed");
    let index = text.replacen("\"index\":0", "\"index\":1", 1);
    cases.bad_bytes("changed-index", index.into_bytes(), "receipt.changed");
    let unknown = "receipt.unknown-format";
    let mut format =
        |name: &str, from: &str, to: &str| cases.add(name, edit(from, to), None, "trust", SOON, (4, unknown));
    format("version-2", "\"type\":\"testamur-receipt\",\"v\":1", "\"type\":\"testamur-receipt\",\"v\":2");
    format("another-type", "testamur-receipt", "testamur-recipe");
    format("another-tree-algorithm", "rfc6962-sha256", "rfc6962-sha512");
    cases.add("unknown-network", receipt().encode(), None, "trust-other", SOON, (4, "receipt.unknown-network"));
    let mut origin = receipt();
    origin.network.origin.push('0');
    cases.bad("another-origin", origin, "receipt.origin");
}

/// Recomputes the digest of a receipt's text.
fn redigest(text: &str) -> Vec<u8> {
    let value: serde_json::Value = serde_json::from_str(text).expect("JSON");
    let mut members = value.as_object().expect("an object").clone();
    members.remove("digest");
    let digest = sha256(&[b"testamur/receipt/v1\n", &canonical(&members)]);
    members.insert("digest".into(), json!(testamur_primitives::codec::base64url(&digest)));
    canonical(&members)
}

/// The full certificate of height 1 after a change of its lines.
fn note_of(chain: &Chain, change: impl FnOnce(&mut Vec<SignatureLine>, &str)) -> String {
    let mut note = Note::parse(chain.certificate(&chain.headers[1]).as_bytes()).expect("our own note");
    change(&mut note.signatures, &note.text);
    note.to_string()
}

/// A body cosigned by some members of epoch 0 at a time.
fn note_with(chain: &Chain, body: &str, time: u64, who: &[usize]) -> String {
    let signatures = who.iter().map(|i| chain.epochs[0][*i].cosign(time, body)).collect();
    Note { text: body.to_owned(), signatures }.to_string()
}

fn certificates(cases: &mut Cases, story: &Story) {
    let chain = &story.chain;
    let header = &chain.headers[1];
    let (time, body) = (header.time.0, chain.body(header, 0));
    let all = [0, 1, 2, 3];
    let mut bad = |name: &str, note: String, code: &str| {
        cases.bad(name, Receipt { note, ..chain.receipt(PLAIN, None) }, code);
    };
    let certificate = "receipt.certificate";
    let line = |n: usize| body.lines().nth(n).expect("six lines").to_owned();
    let signed = |body: &str| note_with(chain, body, time, &all);
    bad("round-line-dropped", signed(&body.replace("round 0\n", "")), certificate);
    bad("an-extra-line", signed(&format!("{body}extension\n")), certificate);
    bad(
        "lines-in-another-order",
        signed(&body.replace(&format!("{}\n{}\n", line(3), line(4)), &format!("{}\n{}\n", line(4), line(3)))),
        certificate,
    );
    bad("a-leading-zero", signed(&body.replace("height 1", "height 01")), certificate);
    bad("a-plus-sign", signed(&body.replace("height 1", "height +1")), certificate);
    bad("a-round-above-32-bits", signed(&body.replace("round 0", "round 4294967296")), certificate);
    bad("root-without-padding", signed(&body.replacen("=\n", "\n", 1)), certificate);
    bad("another-network's-checkpoint", signed(&body.replacen("receipts", "recipes", 1)), certificate);
    bad("another-size", signed(&body.replacen("\n4\n", "\n5\n", 1)), certificate);
    bad("another-root", signed(&body.replace(&line(2), "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")), certificate);
    bad("another-height", signed(&body.replace("height 1", "height 2")), certificate);
    bad(
        "another-header",
        signed(&body.replace(&line(5), "header AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")),
        certificate,
    );
    bad("times-that-differ", note_with(chain, &body, time + 1, &all), certificate);
    bad(
        "one-time-that-differs",
        note_of(chain, |lines, body| lines[3] = chain.epochs[0][3].cosign(time + 1, body)),
        certificate,
    );
    bad("no-signature-lines", format!("{body}\n"), certificate);
    bad("no-empty-line", signed(&body).replacen("\n\n", "\n", 1), certificate);
    bad("no-newline-at-the-end", signed(&body).trim_end().to_owned(), certificate);
    bad("a-tab", signed(&body).replacen("— ", "—\t", 1), certificate);
    bad("carriage-returns", signed(&body).replace('\n', "\r\n"), certificate);
    bad("a-hyphen-for-the-dash", signed(&body).replacen('—', "-", 1), certificate);
    bad("a-line-without-padding", signed(&body).trim_end().trim_end_matches('=').to_owned() + "\n", certificate);
    bad("a-key-name-with-plus", note_of(chain, |lines, _| lines[4].name = "log+key".into()), certificate);
    bad("a-flipped-bit-in-a-cosignature", note_of(chain, |lines, _| lines[1].signature[40] ^= 1), certificate);
    bad("a-flipped-bit-in-a-surplus-cosignature", note_of(chain, |lines, _| lines[3].signature[71] ^= 1), certificate);
    bad(
        "a-cosignature-cut-short",
        note_of(chain, |lines, _| {
            lines[0].signature.pop();
        }),
        certificate,
    );
    bad("a-flipped-bit-in-a-log-signature", note_of(chain, |lines, _| lines[4].signature[0] ^= 1), certificate);
    bad(
        "a-good-and-a-bad-line-of-one-key",
        note_of(chain, |lines, _| {
            let mut again = lines[0].clone();
            again.signature[20] ^= 1;
            lines.push(again);
        }),
        certificate,
    );
    let none = "receipt.no-quorum";
    bad("two-of-four", note_with(chain, &body, time, &[0, 1]), none);
    bad("one-key-three-times", note_with(chain, &body, time, &[0, 0, 0]), none);
    bad(
        "one-key-under-two-names-in-the-note",
        note_of(chain, |lines, body| {
            let first = chain.epochs[0][0].cosign(time, body);
            let key = chain.epochs[0][0].registration.consensus_key().try_into().expect("an Ed25519 key");
            let signature = first.signature[8..].try_into().expect("64 bytes");
            let other = SignatureLine::cosignature(&chain.epochs[0][1].registration.name, key, time, signature);
            *lines = vec![first, other, chain.epochs[0][2].cosign(time, body)];
        }),
        none,
    );
    bad(
        "a-validator-not-of-the-epoch",
        note_of(chain, |lines, body| {
            lines.truncate(2);
            lines.push(Member::new(4).cosign(time, body));
            lines.push(Member::new(5).cosign(time, body));
        }),
        none,
    );
    bad(
        "log-signatures-only",
        note_of(chain, |lines, body| {
            *lines = chain.epochs[0].iter().map(|m| m.log_sign(&chain.origin(), body)).collect();
        }),
        none,
    );
    // INV-CERT-2: three validators precommitted, but not in one round. Two notes that would add them up.
    let other_round = chain.body(header, 1);
    let mixed = |text: &str| {
        let mut signatures: Vec<_> = [0, 1].map(|i| chain.epochs[0][i].cosign(time, &body)).to_vec();
        signatures.push(chain.epochs[0][2].cosign(time, &other_round));
        Note { text: text.to_owned(), signatures }.to_string()
    };
    bad("precommits-of-two-rounds", mixed(&body), certificate);
    bad("precommits-of-two-rounds-under-the-other", mixed(&other_round), certificate);
    bad("precommits-of-two-rounds-without-round-line", mixed(&body.replace("round 0\n", "")), certificate);
    // A prevote's or a log's signature in a cosigner's place.
    bad(
        "a-log-signature-as-cosignature",
        note_of(chain, |lines, body| {
            let log = chain.epochs[0][0].log_sign(&chain.origin(), body);
            lines[0].signature.splice(8.., log.signature);
        }),
        certificate,
    );
    let mut outsiders = Chain::new("receipts");
    outsiders.epochs = vec![members(&[4, 5, 6, 7])];
    outsiders.append(time, &[chain.receipt(PLAIN, None).record]);
    cases.bad("another-set-in-the-header", outsiders.receipt(0, None), certificate);
    let stranger = Receipt { validators: set_of(&members(&[4, 5, 6, 7])), ..chain.receipt(PLAIN, None) };
    cases.bad("another-set-in-the-receipt", stranger, "receipt.validators");
}

fn epochs(cases: &mut Cases, story: &Story) {
    let chain = &story.chain;
    let receipt = || chain.receipt(OF_EPOCH_1, None);
    let link = || receipt().epochs[0].clone();
    let mut bad = |name: &str, epochs: Vec<EpochLink>| {
        cases.bad(name, Receipt { epochs, ..receipt() }, "receipt.epoch");
    };
    bad("epoch-link-missing", Vec::new());
    bad("epoch-link-with-another-set", vec![EpochLink { validators: set_of(&members(&[1, 2, 3, 4])), ..link() }]);
    bad(
        "epoch-link-that-changes-nothing",
        vec![EpochLink {
            header: chain.headers[1].text(),
            note: chain.certificate(&chain.headers[1]),
            validators: set_of(&chain.epochs[0]),
        }],
    );
    let two = note_with(chain, &chain.body(&chain.headers[2], 0), START + 20, &[2, 3]);
    bad("epoch-link-without-quorum", vec![EpochLink { note: two, ..link() }]);
    bad("epoch-link-with-another-note", vec![EpochLink { note: chain.certificate(&chain.headers[1]), ..link() }]);
    bad("epoch-link-with-a-malformed-header", vec![EpochLink { header: "{}".into(), ..link() }]);
    let next = chain.headers[2].text().replacen("\"height\":2", "\"height\":9", 1);
    bad("epoch-link-with-a-changed-header", vec![EpochLink { header: next, ..link() }]);
    // A link older than what is trusted by then is skipped, so a doubled one does no harm.
    let twice = Receipt { epochs: vec![link(), link()], ..receipt() };
    cases.add("epoch-link-twice", twice.encode(), None, "trust", SOON, (0, "confirmed"));
    let header =
        Receipt { header: chain.headers[1].text().replacen("\"v\":1", "\"v\":2", 1), ..chain.receipt(PLAIN, None) };
    cases.bad("header-version-2", header, "receipt.header");
    let spaced = Receipt { header: chain.headers[1].text().replacen(':', ": ", 1), ..chain.receipt(PLAIN, None) };
    cases.bad("header-with-spaces", spaced, "receipt.header");
    let foreign = Header { genesis: GenesisHash::ZERO, ..chain.headers[1].clone() };
    cases.bad(
        "header-of-another-network",
        Receipt { header: foreign.text(), ..chain.receipt(PLAIN, None) },
        "receipt.header",
    );
    let later = Header { epoch: testamur_primitives::units::Epoch(1), ..chain.headers[1].clone() };
    cases.bad(
        "header-of-a-later-epoch",
        Receipt { header: later.text(), ..chain.receipt(PLAIN, None) },
        "receipt.epoch",
    );
    // Two decisions at one height: more than a third lied. A verifier that pins one of them must refuse the other.
    let mut fork = Chain::new("receipts");
    fork.append(START + 11, &[chain.receipt(PLAIN, None).record]);
    let forked = fork.receipt(PLAIN, None).encode();
    cases.add(
        "contradicts-the-pinned-checkpoint",
        forked,
        None,
        "trust-pinned-epoch-0",
        SOON,
        (3, "receipt.contradiction"),
    );
}

fn contents(cases: &mut Cases, story: &Story) {
    let chain = &story.chain;
    let receipt = |index| chain.receipt(index, None);
    let inclusion = "receipt.inclusion";
    cases.bad("another-index", Receipt { index: LogIndex(1), ..receipt(PLAIN) }, inclusion);
    cases.bad("index-past-the-end", Receipt { index: LogIndex(4), ..receipt(PLAIN) }, inclusion);
    cases.bad("another-path", Receipt { path: receipt(BATCH).path, ..receipt(PLAIN) }, inclusion);
    let longer = [receipt(PLAIN).path, vec![TreeHash::ZERO]].concat();
    cases.bad("a-longer-path", Receipt { path: longer, ..receipt(PLAIN) }, inclusion);
    cases.bad("no-path", Receipt { path: Vec::new(), ..receipt(PLAIN) }, inclusion);
    cases.bad("another-record", Receipt { record: receipt(SALTED).record, ..receipt(PLAIN) }, inclusion);
    cases.bad("no-record", Receipt { record: String::new(), ..receipt(PLAIN) }, inclusion);
    let author = Receipt { author: receipt(OF_EPOCH_1).author, ..receipt(PLAIN) };
    cases.bad("another-author's-key", author, "receipt.author-key");

    // Records that a quorum should never have let in.
    let good = receipt(PLAIN).record;
    let payload = testamur_primitives::record::Record::parse(good.as_bytes()).expect("our own").payload().clone();
    let (author, stranger) = (key("author", 0), key("author", 1));
    let kid = payload.iss.key_id().expect("a did:key");
    let header = |alg: &str| format!(r#"{{"alg":"{alg}","kid":"{kid}","typ":"testamur-record-v1+jws"}}"#);
    let jws = |alg: &str, key, payload: &[u8]| compact(key, header(alg).as_bytes(), payload);
    let text = String::from_utf8(canonical(&payload)).expect("JSON");
    let shifted = |iat: u64| {
        let exp = (iat + 3_600).to_string();
        text.replace(&(START + 3_600).to_string(), "EXP")
            .replace(&START.to_string(), &iat.to_string())
            .replace("EXP", &exp)
    };
    let other_net = text.replace(&payload.net.to_string(), &"00".repeat(32));
    for (name, record) in [
        ("record-with-alg-none", jws("none", &author, text.as_bytes())),
        ("record-signed-by-another", jws("EdDSA", &stranger, text.as_bytes())),
        ("record-with-another-algorithm", jws("ES256", &author, text.as_bytes())),
        ("record-not-canonical", jws("EdDSA", &author, text.replace(':', ": ").as_bytes())),
        ("record-of-another-network", jws("EdDSA", &author, other_net.as_bytes())),
        ("record-too-old", jws("EdDSA", &author, shifted(START - 3_600).as_bytes())),
        ("record-too-early", jws("EdDSA", &author, shifted(START + 311).as_bytes())),
        ("record-of-text", "hello".to_owned()),
    ] {
        let mut bad = Chain::new("receipts");
        bad.append(START + 10, &[record]);
        cases.bad(name, bad.receipt(0, None), "receipt.record");
    }
    let mut wider = Chain::new("receipts");
    let header = wider.append_with(START + 10, &[good], |h| h.log_size = LogSize(u64::from(u32::MAX))).clone();
    let note = wider.certificate(&header);
    let lying = Receipt { header: header.text(), note, path: Vec::new(), ..receipt(PLAIN) };
    cases.bad("a-size-that-the-path-does-not-fit", lying, inclusion);
}

fn anchors(cases: &mut Cases, story: &Story) {
    let chain = &story.chain;
    let anchored = |anchor: serde_json::Value| {
        let mut receipt = chain.receipt(PLAIN, None);
        receipt.anchors.push(anchor);
        receipt
    };
    let good = || chain.anchor(Height(1), Height(3));
    let value = |anchor: &CheckpointAnchor| serde_json::to_value(anchor).expect("an anchor");
    let late = OFFICE_END + 2;
    let mut add = |name: &str, anchor: serde_json::Value, trust: &str, at, exit, code: &str| {
        cases.add(name, anchored(anchor).encode(), Some(DOCUMENT), trust, at, (exit, code));
    };
    add("anchored", value(&good()), "trust", late, 0, "confirmed");
    add("anchored-under-a-pinned-checkpoint", value(&good()), "trust-pinned", late, 0, "confirmed");
    add("anchored-and-all-out-of-office", value(&good()), "trust", OFFICE_END + 10, 5, "out-of-office");
    add(
        "an-unknown-anchor",
        json!({"kind": "rfc3161", "token": "AA", "n": [1, true, {"a": "é"}]}),
        "trust",
        SOON,
        0,
        "confirmed",
    );
    add("an-anchor-that-is-no-object", json!("rfc3161"), "trust", late, 5, "out-of-office");
    add("anchored-in-the-same-epoch", value(&chain.anchor(Height(1), Height(2))), "trust", late, 5, "out-of-office");
    let mut bad = |name: &str, anchor: serde_json::Value, code: &str| cases.bad(name, anchored(anchor), code);
    let mut other = value(&good());
    other["extra"] = json!(1);
    bad("anchor-with-another-member", other, "receipt.malformed");
    let mut array = value(&good());
    array["epochs"] =
        json!([[array["epochs"][0]["header"], array["epochs"][0]["note"], array["epochs"][0]["validators"]]]);
    bad("anchor-with-arrays-for-objects", array, "receipt.malformed");
    bad("anchor-without-history", json!({"kind": "checkpoint"}), "receipt.malformed");
    let history = CheckpointAnchor { history: vec![TreeHash::ZERO; good().history.len()], ..good() };
    bad("anchor-with-another-history", value(&history), "receipt.inclusion");
    bad("anchor-of-another-height", value(&chain.anchor(Height(0), Height(3))), "receipt.inclusion");
    let itself = CheckpointAnchor { history: Vec::new(), ..chain.anchor(Height(0), Height(1)) };
    bad("anchor-at-its-own-height", value(&itself), "receipt.inclusion");
    let note = CheckpointAnchor { note: chain.certificate(&chain.headers[1]), ..good() };
    bad("anchor-with-another-note", value(&note), "receipt.certificate");
    let two: Vec<_> =
        [0, 1].iter().map(|i| chain.epochs[1][*i].cosign(START + 30, &chain.body(&chain.headers[3], 0))).collect();
    let weak = Note { text: chain.body(&chain.headers[3], 0), signatures: two }.to_string();
    bad("anchor-without-quorum", value(&CheckpointAnchor { note: weak, ..good() }), "receipt.no-quorum");
    bad("anchor-without-its-epochs", value(&CheckpointAnchor { epochs: Vec::new(), ..good() }), "receipt.epoch");
    let previous = Header { previous: HeaderHash::ZERO, ..chain.headers[3].clone() };
    bad(
        "anchor-with-a-changed-header",
        value(&CheckpointAnchor { header: previous.text(), ..good() }),
        "receipt.certificate",
    );
    bad("anchor-with-a-malformed-header", value(&CheckpointAnchor { header: "{".into(), ..good() }), "receipt.header");
}
