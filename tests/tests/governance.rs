//! Three operators, two of whom must approve, decide on a real network from the command line: what they are shown
//! before they sign, what becomes of it, and each way in which the rules say no.

use std::fs;

use serde_json::{Value, json};
use testamur_primitives::codec::from_base64url;
use testamur_primitives::key::SigningKey;
use testamur_primitives::record::{Act, Change};
use testamur_primitives::units::{Height, UnixTime};
use testamur_tests::chain::record;
use testamur_tests::harness::{Network, Setup, request, testamur};

/// What a command said.
struct Ran {
    exit: i32,
    out: String,
    err: String,
}

impl Ran {
    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("no JSON: {}{}", self.out, self.err))
    }

    /// The code of an error, which must say what to do or why.
    #[track_caller]
    fn code(&self) -> String {
        assert_ne!(self.exit, 0, "{}", self.out);
        let error: Value = serde_json::from_str(&self.err).unwrap_or_else(|_| panic!("no JSON: {}", self.err));
        error["error"]["code"].as_str().expect("a code").to_owned()
    }
}

/// A network and its operators' desks.
struct Office {
    network: Network,
}

impl Office {
    fn open() -> Self {
        let options = ["--operator", "Ministry A,BE", "--operator", "Ministry B,LU", "--operator", "Ministry C,NL"];
        let mut network = Network::make_with(&Setup::default(), &options);
        network.start_all();
        network.wait_ready();
        network.wait_height(1);
        let office = Self { network };
        let trust = office.network.root().join("trust.json").display().to_string();
        assert_eq!(office.run(&["network", "add", &trust]).exit, 0);
        office
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let output = testamur(self.network.folder()).args(arguments).output().expect("the binary runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        Ran { exit: output.status.code().expect("an exit code"), out: text(output.stdout), err: text(output.stderr) }
    }

    fn url(&self) -> String {
        format!("http://{}", self.network.nodes[0].api)
    }

    /// `governance …` as an operator by number.
    fn govern(&self, operator: usize, arguments: &[&str]) -> Ran {
        self.govern_by(&format!("operator-{operator}/operator.key"), arguments)
    }

    fn govern_by(&self, key: &str, arguments: &[&str]) -> Ran {
        let key = self.network.root().join(key).display().to_string();
        let all = [&["--json", "governance"], arguments, &["--key", &key, "--insecure-dev", "--node", &self.url()]];
        self.run(&all.concat())
    }

    /// Proposes as operator 0; the proposal's id.
    #[track_caller]
    fn propose(&self, arguments: &[&str]) -> String {
        let report = self.govern(0, &[&["propose"], arguments].concat()).json();
        assert_eq!((&report["status"], &report["approvals_needed"]), (&json!("open"), &json!(1)), "{report}");
        report["proposal"].as_str().expect("an id").to_owned()
    }

    /// Approves as operator 1, who is the second.
    #[track_caller]
    fn approve(&self, proposal: &str) {
        let report = self.govern(1, &["approve", proposal]).json();
        assert_eq!((&report["status"], &report["approvals_needed"]), (&json!("executed"), &json!(0)), "{report}");
    }

    #[track_caller]
    fn refused(&self, operator: usize, arguments: &[&str], code: &str) {
        let ran = self.govern(operator, arguments);
        assert_eq!(ran.code(), code, "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains("Nothing was sent") || !code.starts_with("governance."), "{}", ran.err);
    }

    /// A proposal by the first operator past the command line, whose checks it does not meet; its id.
    fn propose_raw(&self, jti: &str, change: Change, expires: u64) -> String {
        let node = self.network.nodes[0].api;
        let governance = request(node, "GET", "/v1/governance", &[], &[]).expect("an answer");
        let governance: Value = serde_json::from_str(&governance.text()).expect("JSON");
        let governance_version = governance["version"].as_u64().expect("a version");
        let act = Act::Propose { change, governance_version, expires: UnixTime(expires) };
        let key = self.key("operator-0/operator.key");
        let proposal = record(self.network.trust.genesis(), &key, jti, now(), act);
        let jose = [("content-type", "application/jose")];
        let answer = request(node, "POST", "/v1/records?wait=final", &jose, proposal.as_bytes()).expect("an answer");
        assert_eq!(answer.status, 201, "{}", answer.text());
        proposal.id().to_string()
    }

    fn key(&self, name: &str) -> SigningKey {
        let key: Value =
            serde_json::from_slice(&fs::read(self.network.root().join(name)).expect("a key")).expect("JSON");
        let seed = from_base64url(key["secret"]["insecure_dev"].as_str().expect("not encrypted")).expect("base64url");
        SigningKey::ed25519(&seed.try_into().expect("32 bytes"))
    }
}

#[test]
fn operators_see_what_they_sign_and_the_rules_say_no_before_anything_is_sent() {
    let mut office = Office::open();
    shown_and_approved(&office);
    refusals(&office);
    lapsed_and_expired(&office);
    rules_of_members(&office);
    staff_changes(&office);
    let history = office.run(&["governance", "history", "--last", "100"]);
    for status in ["executed", "open", "lapsed"] {
        assert!(history.out.contains(status), "{status} is missing in:\n{}", history.out);
    }
    let last = office.run(&["--json", "governance", "history", "--last", "2"]).json();
    assert_eq!(last.as_array().map(Vec::len), Some(2));
    office.network.check();
}

fn shown_and_approved(office: &Office) {
    let shown = office.run(&["governance", "show", "--node", &office.url()]);
    assert_eq!(shown.exit, 0, "{}", shown.err);
    for part in ["version 1, 2 of 3 operators must approve", "Ministry B (LU)", "3 of 4 validators", "heartbeat"] {
        assert!(shown.out.contains(part), "{part:?} is missing in:\n{}", shown.out);
    }
    // In words: the same change from the command line without --json.
    let key = office.network.root().join("operator-0/operator.key").display().to_string();
    let ran = office.run(&[
        "governance",
        "propose",
        "set-page-hosts",
        "verify.example",
        "--key",
        &key,
        "--insecure-dev",
        "--node",
        &office.url(),
    ]);
    assert_eq!(ran.exit, 0, "{}", ran.err);
    for part in [
        "Propose: name the official addresses of the page",
        "official pages    none → verify.example",
        "at once, with the last approval",
        "1 of 3, 2 are needed: Ministry A (BE)",
        "still to approve  1 of Ministry",
        "Ministry B (LU)",
        "Ministry C (NL)",
        "Proposed; 2 approvals in all are needed",
        "testamur governance approve ",
    ] {
        assert!(ran.out.contains(part), "{part:?} is missing in:\n{}", ran.out);
    }
    let id = ran.out.rsplit_once("approve ").expect("what to do next").1.trim().to_owned();
    // The nodes are remembered; too few approvals leave it open, and show says who is missing.
    let waiting = office.run(&["governance", "show"]);
    assert!(waiting.out.contains("Waiting for approvals:") && waiting.out.contains(&id), "{}", waiting.out);
    let one = office.run(&["governance", "show", &id]);
    assert!(one.out.contains("open") && one.out.contains("still to approve  1 of Ministry"), "{}", one.out);
    office.refused(0, &["approve", &id], "governance.already-approved");
    office.approve(&id);
    office.refused(2, &["approve", &id], "governance.already-executed");
    let shown = office.run(&["governance", "show"]);
    assert!(shown.out.contains("verify.example") && shown.out.contains("version 2"), "{}", shown.out);
    // The API says the same, in pages.
    let list =
        request(office.network.nodes[1].api, "GET", "/v1/governance/proposals?size=1", &[], b"").expect("an answer");
    assert_eq!((&list.json()["items"][0]["id"], &list.json()["total"]), (&json!(id), &json!(1)));
}

fn refusals(office: &Office) {
    let stranger = office.network.root().join("stranger.key").display().to_string();
    let made = office.run(&["key", "new", "operator", "--out", &stranger, "--insecure-dev"]);
    assert_eq!(made.exit, 0, "{}", made.err);
    let ran = office.govern_by("stranger.key", &["propose", "set-page-hosts", "other.example"]);
    assert_eq!(ran.code(), "governance.not-an-operator");
    assert!(ran.err.contains("operators are Ministry"), "{}", ran.err);
    let nothing = "ab".repeat(32);
    let ran = office.govern(1, &["approve", &nothing]);
    assert!(ran.code() == "governance.proposal-unknown" && ran.err.contains("that is proven"), "{}", ran.err);
    office.refused(
        0,
        &["propose", "set-page-hosts", "x.example", "--governance-version", "1"],
        "governance.version-mismatch",
    );
    office.refused(0, &["propose", "set-approvals", "1"], "governance.threshold");
    office.refused(0, &["propose", "set-approvals", "3"], "governance.threshold");
    let did = office.key("operator-2/operator.key").public_key();
    let did = testamur_primitives::did::Did::key(&did).to_string();
    office.refused(0, &["propose", "remove-operator", &did], "governance.threshold");
    office.refused(0, &["propose", "set-parameters", "heartbeat_s=0"], "governance.parameters");
    let ran = office.govern(0, &["propose", "set-parameters", "colour=3"]);
    assert!(ran.code() == "governance.parameter" && ran.err.contains("heartbeat_s"), "{}", ran.err);
    office.refused(0, &["propose", "set-protocol", "1"], "governance.protocol");
    office.refused(0, &["propose", "set-page-hosts", "Not A Host"], "governance.hosts");
    office.refused(0, &["propose", "withdraw-set-change"], "governance.no-set-change");
}

/// Seconds since 1970.
fn now() -> u64 {
    let elapsed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    elapsed.expect("after 1970").as_secs()
}

fn lapsed_and_expired(office: &Office) {
    let lapses = office.propose(&["set-page-hosts", "a.example"]);
    let comes_first = office.propose(&["set-page-hosts", "b.example"]);
    office.approve(&comes_first);
    office.refused(1, &["approve", &lapses], "governance.proposal-lapsed");
    let change = Change::SetPageHosts { hosts: vec!["c.example".into()] };
    let proposal = office.propose_raw("soon-over", change, now() + 3);
    std::thread::sleep(std::time::Duration::from_secs(4));
    office.refused(1, &["approve", &proposal], "governance.proposal-expired");
    let history = office.run(&["governance", "history"]);
    assert!(history.out.contains("expired"), "{}", history.out);
}

fn rules_of_members(office: &Office) {
    let shown = office.run(&["--json", "governance", "show"]).json();
    let validator = shown["validators"][0].as_str().expect("a validator").split(':').next().expect("a name").to_owned();
    let ran = office.govern(0, &["propose", "remove-validator", &validator]);
    assert_eq!(ran.code(), "governance.set-size", "{}", ran.err);
    assert!(ran.err.contains("change-validators"), "{}", ran.err);
    let ran = office.govern(0, &["propose", "remove-validator", "nobody.example"]);
    assert!(ran.code() == "governance.validator" && ran.err.contains(&validator), "{}", ran.err);
    let file = office.network.root().join("trust.json").display().to_string();
    let ran = office.govern(0, &["propose", "add-validator", &file]);
    assert!(ran.code() == "cli.content" && ran.err.contains("testamur validator new"), "{}", ran.err);
    // What holds later says so, and is shown until then.
    let height = office.network.height(0).expect("it answers");
    let from = (height + 1_000).to_string();
    let id = office.propose(&["retire-algorithm", "sha3-512", "--from-block", &from]);
    let report = office.run(&["--json", "governance", "show", &id]).json();
    assert!(
        report["preview"]["when"].as_str().is_some_and(|when| when.contains(&format!("from block {from} on"))),
        "{report}"
    );
    office.approve(&id);
    let shown = office.run(&["governance", "show"]).out;
    assert!(shown.contains(&format!("sha3-512 from block {from} on")), "{shown}");
    office.refused(0, &["propose", "retire-algorithm", "sha3-512"], "governance.already-retired");
    // An operator whose own release does not know a protocol cannot decide on it by accident.
    office.refused(0, &["propose", "set-protocol", "2", "--from-block", &from], "governance.protocol-unknown");
    let change = Change::SetProtocol { protocol: 2, from: Height(height + 1_000) };
    let id = office.propose_raw("protocol", change, now() + 3_600);
    let open = office.run(&["governance", "show", &id]).out;
    assert!(open.contains("protocol          1 → 2") && open.contains("one that does not stops"), "{open}");
    office.refused(1, &["approve", &id], "governance.protocol-unknown");
}

/// A ministry's staff changes: another key, and the old one never comes back.
fn staff_changes(office: &Office) {
    let new = office.network.root().join("new.key").display().to_string();
    assert_eq!(office.run(&["key", "new", "operator", "--out", &new, "--insecure-dev"]).exit, 0);
    let did = |name: &str| testamur_primitives::did::Did::key(&office.key(name).public_key()).to_string();
    let (old, successor) = (did("operator-2/operator.key"), did("new.key"));
    let id = office.propose(&["rotate-operator", &old, &successor]);
    let shown = office.run(&["governance", "show", &id]).out;
    assert!(
        shown.contains("another key") && shown.contains(&successor) && shown.contains("Ministry C (NL)"),
        "{shown}"
    );
    office.approve(&id);
    let ran = office.govern(2, &["propose", "set-page-hosts", "d.example"]);
    assert_eq!(ran.code(), "governance.not-an-operator", "a removed operator");
    office.refused(0, &["propose", "rotate-operator", &successor, &old], "governance.former-operator");
    let ran = office.govern_by("new.key", &["propose", "set-page-hosts", "d.example"]);
    assert_eq!((ran.exit, &ran.json()["status"]), (0, &json!("open")), "{}", ran.err);
}
