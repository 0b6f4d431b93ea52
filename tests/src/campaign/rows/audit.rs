//! R27: an independent auditor finds every lie within one poll, and raises no alarm without one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use testamur_primitives::checkpoint::{Checkpoint, cosignature_message};
use testamur_primitives::codec::from_base64url;
use testamur_primitives::commitment::{DigestAlgorithm, Form};
use testamur_primitives::epoch::Validator;
use testamur_primitives::hash::StateRoot;
use testamur_primitives::header::Header;
use testamur_primitives::key::SigningKey;
use testamur_primitives::note::{Note, SignatureLine};
use testamur_primitives::record::{Act, Bytes};
use testamur_primitives::stream::{StreamedBlock, read_blocks, write_blocks};
use testamur_primitives::units::{Height, Round};

use crate::campaign::{Lane, Random, Row, Run};
use crate::chain::{Chain, Member, START, in_order, key, members, record};
use crate::chain_node::{ChainNode, Lie};
use crate::harness::{Liar, Network, Response, Setup, new_record, testamur, wait_for};

pub(super) const ROWS: &[Row] = &[
    Row { id: "R27", name: "audit-lies", lane: Lane::Machine, ci: 60, release: 1_000, attack: lies },
    Row { id: "R27", name: "audit-a-network", lane: Lane::Networks, ci: 10, release: 200, attack: network },
];

/// An auditor's own folder, and how it is called.
struct Desk {
    folder: TempDir,
    trust: PathBuf,
    nodes: Vec<String>,
}

/// What an audit said.
struct Said {
    exit: i32,
    report: Value,
}

impl Said {
    /// Kinds and servers of what stands.
    fn found(&self) -> Vec<(String, String)> {
        let word = |finding: &Value, name: &str| finding[name].as_str().unwrap_or_default().to_owned();
        let all = self.report["findings"].as_array().cloned().unwrap_or_default();
        all.iter().map(|finding| (word(finding, "kind"), word(finding, "server"))).collect()
    }
}

impl Desk {
    fn new(trust: &str, nodes: Vec<String>) -> Self {
        let folder = tempfile::Builder::new().prefix("testamur-audit-").tempdir().expect("a directory");
        let path = folder.path().join("trust.json");
        fs::write(&path, trust).expect("written");
        Self { folder, trust: path, nodes }
    }

    fn command(&self, options: &[&str]) -> Command {
        let mut command = testamur(self.folder.path());
        command.args(["audit", "--json", "--trust"]).arg(&self.trust);
        command.arg("--state").arg(self.folder.path().join("state")).args(options);
        command.arg("--nodes").args(&self.nodes);
        command
    }

    /// One poll.
    fn poll(&self, options: &[&str]) -> Said {
        let output = self.command(options).arg("--once").output().expect("the binary runs");
        let text = String::from_utf8_lossy(&output.stdout);
        let report = serde_json::from_str(&text);
        let report = report.unwrap_or_else(|_| panic!("no JSON: {text}{}", String::from_utf8_lossy(&output.stderr)));
        Said { exit: output.status.code().expect("an exit code"), report }
    }

    /// A poll that must find nothing.
    fn clean(&self, options: &[&str], when: &str) {
        let said = self.poll(options);
        assert!(said.exit == 0 && said.found().is_empty(), "{when}: exit {}, {}", said.exit, said.report);
    }

    /// Verifies the evidence of a finding offline, and says who signed both.
    fn judge(&self, evidence: &str) -> Vec<String> {
        let mut command = testamur(self.folder.path());
        let output =
            command.args(["audit", "--json", "--trust"]).arg(&self.trust).args(["--evidence", evidence]).output();
        let output = output.expect("the binary runs");
        assert!(output.status.success(), "evidence: {}", String::from_utf8_lossy(&output.stderr));
        let judged: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let names = judged["signed_both"].as_array().cloned().unwrap_or_default();
        names.iter().map(|name| name.as_str().unwrap_or_default().to_owned()).collect()
    }
}

/// How a node of a chain misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attack {
    Fork,
    ForkWithoutCertificates,
    Shrink,
    Lie(Lie),
    OtherRecord { old: bool },
    OtherBlock { old: bool },
    HiddenBlock,
    OtherNetwork,
    Behind,
}

const ATTACKS: &[Attack] = &[
    Attack::Fork,
    Attack::OtherRecord { old: false },
    Attack::Shrink,
    Attack::Lie(Lie::FewSignatures),
    Attack::OtherRecord { old: true },
    Attack::ForkWithoutCertificates,
    Attack::OtherBlock { old: false },
    Attack::Lie(Lie::OtherSet),
    Attack::Lie(Lie::OtherLog),
    Attack::OtherBlock { old: true },
    Attack::Lie(Lie::Nothing),
    Attack::HiddenBlock,
    Attack::Fork,
    Attack::Lie(Lie::OtherHistory),
    Attack::Lie(Lie::NoEpochs),
    Attack::Lie(Lie::OtherReceipt),
    Attack::OtherNetwork,
    Attack::Lie(Lie::Away),
    Attack::Behind,
    Attack::Shrink,
];

impl Attack {
    /// What must be found, and the exit code.
    fn expected(self) -> (&'static str, i32) {
        match self {
            Self::Fork | Self::ForkWithoutCertificates => ("fork", 3),
            Self::Shrink | Self::Lie(Lie::Nothing) => ("shrink", 3),
            Self::Lie(Lie::FewSignatures | Lie::OtherSet | Lie::NoEpochs) | Self::OtherBlock { old: false } => {
                ("unsigned", 3)
            }
            Self::OtherNetwork => ("other-network", 3),
            Self::Lie(Lie::Away) => ("unavailable", 1),
            Self::Behind => ("behind", 1),
            Self::Lie(_) | Self::OtherRecord { .. } | Self::OtherBlock { old: true } | Self::HiddenBlock => {
                ("rewrite", 3)
            }
        }
    }
}

/// A chain of blocks with one or two records each; from `parted` on another one, signed by the same keys. Two set changes.
fn chain(blocks: u64, parted: u64) -> Chain {
    let mut chain = Chain::new("audit");
    for height in 1..=blocks {
        let time = START + 10 * height;
        match height {
            3 => chain.change_set(time, members(&[0, 1, 2, 3, 4])),
            7 => chain.change_set(time, in_order([0, 1, 3, 4].map(Member::new).into())),
            _ => {
                let side = if height >= parted { "x" } else { "r" };
                let records: Vec<_> =
                    (0..1 + height % 2).map(|n| notarised(&chain, &format!("{side}-{height}-{n}"))).collect();
                chain.append(time, &records);
            }
        }
    }
    chain
}

fn notarised(chain: &Chain, jti: &str) -> String {
    let entries = vec![Bytes(testamur_primitives::codec::sha256(&[jti.as_bytes()]).to_vec())];
    let act = Act::Notarise { alg: DigestAlgorithm::Sha2_256, form: Form::Digest, entries, reference: None };
    record(&chain.genesis, &key("author", 0), jti, START, act).as_str().to_owned()
}

fn lies(run: &mut Run) {
    let (mut times, mut clean) = (Vec::new(), 0u64);
    for number in 0..run.count {
        let attack = ATTACKS[(number % ATTACKS.len() as u64) as usize];
        let mut random = Random::of(run.seed, number);
        let tried = run.attempt(&format!("{attack:?}"), || lie_once(attack, &mut random));
        if let Some((took, polls)) = tried {
            times.push(took);
            clean += polls;
        }
    }
    run.metric("kinds", ATTACKS.len());
    run.metric("clean-polls", clean);
    run.times("poll", &mut times);
}

/// Three nodes grow, one of them lies: the poll that sees it must say so. How long that poll took, and the clean polls.
fn lie_once(attack: Attack, random: &mut Random) -> (Duration, u64) {
    let (seen, tip) = (random.within(8..14), random.within(17..24));
    let honest = Arc::new(chain(tip, u64::MAX));
    let nodes: Vec<_> = (0..3).map(|_| ChainNode::start(Arc::clone(&honest), Height(seen))).collect();
    let desk = Desk::new(&honest.trust().to_json(), nodes.iter().map(ChainNode::url).collect());
    desk.clean(&[], "before the lie");

    let place = random.index(3);
    nodes.iter().for_each(|node| node.show(Arc::clone(&honest), Height(tip)));
    let liar = &nodes[place];
    let new = Height(random.within(seen + 1..tip + 1));
    // Blocks 3 and 7 end an epoch and hold no record.
    let old = Height(*random.pick(&[1, 2, 4, 5, 6, 8]));
    // What nobody has seen yet has no first history: the fork begins in what was seen, or at its end.
    let parted = random.within(8..seen + 1);
    let length = random.within(parted..tip + 2);
    match attack {
        Attack::Fork => liar.show(chain(length, parted), Height(length)),
        Attack::ForkWithoutCertificates => {
            liar.show(chain(length, parted), Height(length));
            liar.lie(Some(Lie::NoCheckpoints));
        }
        Attack::Shrink => liar.show(Arc::clone(&honest), Height(random.within(1..seen))),
        Attack::Lie(lie) => liar.lie(Some(lie)),
        Attack::OtherRecord { old: true } => liar.lie(Some(Lie::OtherRecord(old))),
        Attack::OtherRecord { old: false } => liar.lie(Some(Lie::OtherRecord(new))),
        Attack::OtherBlock { old: true } => liar.lie(Some(Lie::OtherBlock(old))),
        Attack::OtherBlock { old: false } => liar.lie(Some(Lie::OtherBlock(new))),
        Attack::HiddenBlock => liar.lie(Some(Lie::NoBlocks(new))),
        Attack::OtherNetwork => {
            let mut other = Chain::new("another");
            other.append::<&[u8]>(START, &[]);
            liar.show(other, Height(1));
        }
        Attack::Behind => liar.show(Arc::clone(&honest), Height(seen)),
    }
    let options: &[&str] = if attack == Attack::Behind { &["--stall", "15"] } else { &[] };
    let began = Instant::now();
    let said = desk.poll(options);
    let took = began.elapsed();
    let (kind, exit) = attack.expected();
    assert_eq!(said.found(), [(kind.to_owned(), liar.url())], "{}", said.report);
    assert_eq!(said.exit, exit, "{}", said.report);
    if kind == "fork" {
        let finding = &said.report["findings"][0];
        assert_eq!(finding["height"], parted, "the first block that differs: {finding}");
        let both = desk.judge(finding["evidence"].as_str().expect("evidence"));
        let whole = attack == Attack::Fork || length == parted;
        assert_eq!(both.len(), if whole { 4 } else { 0 }, "who signed both: {both:?}");
    }
    // It stands while the node goes on, is told once, and is over when the node is honest again.
    let again = desk.poll(options);
    assert_eq!((again.exit, again.found()), (exit, said.found()), "{}", again.report);
    assert!(again.report["opened"].as_array().is_some_and(Vec::is_empty), "told twice: {}", again.report);
    liar.lie(None);
    liar.show(honest, Height(tip));
    desk.clean(options, "after the lie");
    (took, 2)
}

/// How a proxy before a real node lies.
#[derive(Debug, Clone, Copy)]
enum Change {
    OlderTip,
    OtherRecord,
    FewSignatures,
    NoReceipt,
    SignedFork,
}

const CHANGES: [Change; 5] =
    [Change::SignedFork, Change::OlderTip, Change::OtherRecord, Change::FewSignatures, Change::NoReceipt];

fn network(run: &mut Run) {
    let mut network = Network::start(&Setup::default());
    let trust = fs::read_to_string(network.root().join("trust.json")).expect("a trust file");
    let load = network.load();
    network.wait_receipts(50);
    let watch = Watch::start(Desk::new(&trust, (0..4).map(|n| network.url(n)).collect()));
    // Lies of proxies before real nodes.
    for number in 0..run.count {
        let change = CHANGES[(number % CHANGES.len() as u64) as usize];
        let node = (Random::of(run.seed, number).below(4)) as usize;
        run.attempt(&format!("{change:?} at node {node}"), || change_once(&network, &trust, node, change));
    }
    // A node that dies is missed, and no more when it is back; nobody is accused.
    run.attempt("a node dies and comes back", || {
        let url = network.url(2);
        let gone = |event: &str| watch.saw(event, "unavailable", &url);
        network.kill(2);
        wait_for("the auditor to miss node 2", Duration::from_secs(60), || gone("opened").then_some(()));
        network.start_node(2);
        network.wait_ready();
        wait_for("the auditor to see node 2 again", Duration::from_secs(60), || gone("cleared").then_some(()));
    });
    // Two nodes die: the ledger stands, and the auditor says whose nodes are away.
    run.attempt("a stall is named", || {
        let desk = Desk::new(&trust, (0..4).map(|n| network.url(n)).collect());
        desk.clean(&[], "before the stall");
        network.kill(1);
        network.kill(3);
        let options = ["--stall", "3"];
        let what = wait_for("a stall", Duration::from_secs(60), || {
            let said = desk.poll(&options);
            let findings = said.report["findings"].as_array().cloned().unwrap_or_default();
            findings.iter().find(|f| f["kind"] == "stall").map(|f| f["what"].as_str().unwrap_or_default().to_owned())
        });
        let name = |n: usize| format!("validator-{n}.dev.testamur.example");
        for away in [1, 3] {
            assert!(what.contains(&name(away)), "{what} does not name {}", name(away));
        }
        network.start_all();
        network.wait_ready();
        network.wait_progress(2);
    });
    load.stop();
    let (polls, alarms) = watch.stop();
    if alarms > 0 {
        run.bad(&format!("{alarms} false alarms in {polls} polls"));
    }
    network.check();
    run.metric("soak-polls", polls);
    run.metric("false-alarms", alarms);
}

/// Three nodes, one of them behind a proxy that lies.
fn change_once(network: &Network, trust: &str, node: usize, change: Change) {
    let liar = Liar::before(network.nodes[node].api);
    let others = [(node + 1) % 4, (node + 2) % 4];
    let desk = Desk::new(trust, vec![network.url(others[0]), liar.url(), network.url(others[1])]);
    let older = network.get(node, "/v1/status").expect("an answer").json()["height"].as_u64().expect("a height");
    desk.clean(&[], "before the lie");
    network.wait_progress(3);
    desk.clean(&[], "while the network goes on");
    let genesis = network.trust.genesis().clone();
    let SigningKey::Ed25519(author) = &network.author else { panic!("the harness writes with Ed25519") };
    let author = SigningKey::Ed25519(author.clone());
    let keys: Vec<_> = (0..3).map(|n| consensus_key(&network.nodes[n].dir)).collect();
    let (origin, set) = (network.trust.origin().clone(), network.trust.genesis_epoch().validators);
    let api = network.nodes[node].api;
    let (kind, exit) = match change {
        Change::OlderTip => ("shrink", 3),
        Change::FewSignatures => ("unsigned", 3),
        Change::OtherRecord | Change::NoReceipt => ("rewrite", 3),
        Change::SignedFork => ("fork", 3),
    };
    liar.lie(move |target, mut answer| {
        let is_latest = target == "/v1/checkpoints/latest";
        match change {
            Change::OlderTip if is_latest => {
                let headers = [("accept", "application/json")];
                let old = crate::harness::request(api, "GET", &format!("/v1/checkpoints/{older}"), &headers, &[]);
                answer.body = old.expect("an answer").body;
            }
            Change::FewSignatures if is_latest => in_note(&mut answer, |note| note.signatures.truncate(2)),
            Change::NoReceipt if target.ends_with("/receipt") => answer.status = 404,
            Change::OtherRecord if target.starts_with("/v1/blocks/stream") => {
                let mut stream = read_blocks(&answer.body).expect("blocks");
                for block in &mut stream.blocks {
                    block.block = with_other_record(block, &genesis, &author);
                }
                let text = testamur_primitives::codec::canonical(&genesis);
                answer.body = write_blocks(&text, stream.first, &stream.blocks);
            }
            Change::SignedFork if is_latest => {
                let mut told = answer.json();
                let header = told["header_text"].as_str().expect("a header").to_owned();
                let mut header = Header::decode(header.as_bytes()).expect("a header");
                header.state_root = StateRoot::from_bytes([7; 32]);
                let body = Checkpoint::new(&origin, &header.value_id(), header.height, Round(0)).body();
                let line = |key: &SigningKey| cosigned(set.validators(), key, &header, &body);
                told["note"] =
                    Note { text: body.clone(), signatures: keys.iter().map(line).collect() }.to_string().into();
                told["header_text"] = header.text().into();
                answer.body = told.to_string().into_bytes();
            }
            _ => {}
        }
        answer
    });
    let said = desk.poll(&[]);
    assert_eq!(said.found(), [(kind.to_owned(), liar.url())], "{}", said.report);
    assert_eq!(said.exit, exit, "{}", said.report);
    if kind == "fork" {
        let evidence = said.report["findings"][0]["evidence"].as_str().expect("evidence").to_owned();
        assert!(desk.judge(&evidence).len() >= 2, "more than a third signed both");
    }
    liar.repent();
    desk.clean(&[], "after the lie");
}

fn in_note(answer: &mut Response, change: impl FnOnce(&mut Note)) {
    let mut told = answer.json();
    let mut note = Note::parse(told["note"].as_str().expect("a note").as_bytes()).expect("a note");
    change(&mut note);
    told["note"] = note.to_string().into();
    answer.body = told.to_string().into_bytes();
}

/// A block with another record in the place of its first one, if it has one.
fn with_other_record(
    given: &StreamedBlock,
    genesis: &testamur_primitives::genesis::Genesis,
    author: &SigningKey,
) -> Vec<u8> {
    let mut block = testamur_primitives::block::Block::decode(&given.block).expect("a block");
    if let Some(first) = block.records.first_mut() {
        *first = new_record(genesis, author);
    }
    block.encode()
}

/// The consensus key of a development node, which is not encrypted.
fn consensus_key(dir: &Path) -> SigningKey {
    let file = fs::read(dir.join("keys/consensus.key")).expect("a key file");
    let file: Value = serde_json::from_slice(&file).expect("a key file is JSON");
    let seed = from_base64url(file["secret"]["insecure_dev"].as_str().expect("not encrypted")).expect("base64url");
    SigningKey::ed25519(&seed.try_into().expect("32 bytes"))
}

fn cosigned(set: &[Validator], key: &SigningKey, header: &Header, body: &str) -> SignatureLine {
    let public = key.public_key();
    let of = set.iter().find(|v| v.consensus_key().as_slice() == public.as_bytes()).expect("a validator's key");
    let signature = key.sign(&cosignature_message(header.time, body));
    let signature: [u8; 64] = signature.as_slice().try_into().expect("64 bytes");
    SignatureLine::cosignature(&of.name, of.consensus_key(), header.time.0, &signature)
}

/// An auditor that runs beside everything else.
struct Watch {
    _desk: Desk,
    child: Child,
    log: PathBuf,
}

impl Watch {
    fn start(desk: Desk) -> Self {
        let log = desk.folder.path().join("watch.jsonl");
        let file = fs::File::create(&log).expect("a log");
        let mut command = desk.command(&["--interval", "1", "--stall", "120"]);
        let child = command.stdin(Stdio::null()).stdout(file).spawn().expect("the binary runs");
        Self { _desk: desk, child, log }
    }

    fn polls(&self) -> Vec<Value> {
        let text = fs::read_to_string(&self.log).expect("a log");
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Whether a poll opened or cleared a finding of a kind at a server.
    fn saw(&self, event: &str, kind: &str, server: &str) -> bool {
        let is_it = |finding: &Value| finding["kind"] == kind && finding["server"] == server;
        self.polls().iter().any(|poll| poll[event].as_array().is_some_and(|all| all.iter().any(is_it)))
    }

    /// Ends it: polls, and alarms that it raised.
    fn stop(mut self) -> (usize, usize) {
        let told = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        assert!(told.is_ok_and(|status| status.success()), "kill is there");
        let status = self.child.wait().expect("it can be waited for");
        assert!(matches!(status.code(), Some(0 | 1)), "the watch ends without an alarm: {status}");
        let polls = self.polls();
        let service = ["stall", "behind", "unavailable"];
        let opened = polls.iter().flat_map(|poll| poll["opened"].as_array().cloned().unwrap_or_default());
        let alarms: Vec<_> = opened.filter(|f| !service.iter().any(|kind| f["kind"] == *kind)).collect();
        alarms.iter().for_each(|alarm| println!("false alarm: {alarm}"));
        (polls.len(), alarms.len())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
