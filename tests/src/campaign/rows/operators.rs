//! R26: what an operator sees in each fault is what the table in genesis/OPERATORS.md says: log line, remedy, `/readyz`,
//! metric; and the last lines of processes that cannot start.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use crate::campaign::{Lane, Row, Run};
use crate::harness::{Liar, Network, Setup, request, testamur, wait_for};

pub(super) const ROWS: &[Row] =
    &[Row { id: "R26", name: "what-operators-see", lane: Lane::Networks, ci: 1, release: 5, attack: see }];

const MOST: Duration = Duration::from_secs(60);

/// Whom a node follows that finds nobody there.
const NOBODY: &str = "\n[follow]\nnodes = [\"http://127.0.0.1:1\"]\n";

/// The table: code, beginning of the log line, remedy.
fn table() -> Vec<[String; 3]> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../genesis/OPERATORS.md");
    let text = fs::read_to_string(path).expect("the table");
    let rows = text.lines().filter(|line| line.starts_with("| `")).map(|line| {
        let mut cells = line.trim_matches('|').split(" | ").map(|cell| cell.trim().trim_matches('`').to_owned());
        [(); 3].map(|()| cells.next().expect("three columns"))
    });
    rows.collect()
}

/// Waits until a node shows a reason in all places, as the table says.
fn shows(network: &Network, node: usize, code: &str) {
    let rows = table();
    let [_, line, remedy] = rows.iter().find(|row| row[0] == code).unwrap_or_else(|| panic!("{code} is in no table"));
    let admin = network.nodes[node].admin;
    let get = |target: &str| request(admin, "GET", target, &[], &[]).ok();
    wait_for(&format!("readyz to say {code}"), MOST, || {
        get("/readyz").filter(|r| r.status == 503 && r.text().contains(code))
    });
    let metric = format!("testamur_not_ready{{reason=\"{code}\"}} 1");
    wait_for(&metric, MOST, || get("/metrics").filter(|r| r.text().contains(&metric)));
    let log = || fs::read_to_string(network.nodes[node].dir.join("log")).expect("a log");
    let what = format!("a log line of {code}: {line:?}, {remedy:?}");
    let is_it = |l: &str| l.contains(line) && l.contains(remedy) && l.contains(&format!("reason=\"{code}\""));
    wait_for(&what, MOST, || log().lines().any(is_it).then_some(()));
}

fn see(run: &mut Run) {
    for _ in 0..run.count {
        once(run);
    }
    run.skip(3, "attachments, starting: no node is held in them here; damage: the process ends, see the row of rot");
}

fn once(run: &mut Run) {
    let mut network = Network::start(&Setup::default());
    // Node 3 is short of disk; it goes on with everything else.
    run.attempt("disk-low", || {
        network.stop(3);
        let path = network.nodes[3].dir.join("config.toml");
        let config = fs::read_to_string(&path).expect("a configuration");
        let line = config.lines().find(|line| line.starts_with("free_bytes_min")).expect("a line").to_owned();
        fs::write(&path, config.replace(&line, "free_bytes_min = 1000000000000000")).expect("written");
        network.start_node(3);
        shows(&network, 3, "disk-low");
    });
    for (name, data, listen, words) in [
        ("another process has the ledger", "data", "127.0.0.1:0", "stop the other process"),
        ("a port is in use", "elsewhere", "API", "the API: "),
    ] {
        run.attempt(name, || {
            let config = observer(&network, data, listen, NOBODY);
            let output =
                testamur(network.folder()).args(["run", "--config"]).arg(&config).stdin(Stdio::null()).output();
            let output = output.expect("the binary runs");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.code() == Some(1) && said.contains("error: ") && said.contains(words), "{said}");
        });
    }
    run.attempt("no-source", || {
        let node = adopt(&mut network, NOBODY);
        network.start_node(node);
        shows(&network, node, "no-source");
        network.stop(node);
    });
    run.attempt("behind", || {
        // What it follows claims blocks that it does not have.
        let liar = Liar::before(network.nodes[0].api);
        liar.lie(|target, mut answer| {
            if target == "/v1/status" {
                let mut told = answer.json();
                told["height"] = 1_000_000.into();
                answer.body = told.to_string().into_bytes();
            }
            answer
        });
        let node = adopt(&mut network, &format!("\n[follow]\nnodes = [\"{}\"]\n", liar.url()));
        network.start_node(node);
        shows(&network, node, "behind");
        network.stop(node);
    });
    network.kill(1);
    network.kill(2);
    for code in ["no-quorum", "stalled", "no-block"] {
        run.attempt(code, || shows(&network, 0, code));
    }
    run.attempt("ready again, and stopping", || {
        network.start_node(1);
        network.start_node(2);
        let log = || fs::read_to_string(network.nodes[0].dir.join("log")).expect("a log");
        wait_for("a line that node 0 is ready again", MOST, || log().contains("ready again").then_some(()));
        network.stop(0);
        assert!(fs::read_to_string(network.nodes[0].dir.join("log")).expect("a log").contains("stopping"));
    });
}

/// An observer's configuration beside node 0's.
fn observer(network: &Network, data: &str, listen: &str, follow: &str) -> std::path::PathBuf {
    let (root, node) = (network.root(), &network.nodes[0]);
    let listen = if listen == "API" { node.api.to_string() } else { listen.to_owned() };
    let path = node.dir.join("second.toml");
    let text = format!(
        "genesis = \"{}\"\n[storage]\ndata = \"{data}\"\n[api]\nlisten = \"{listen}\"\n[admin]\nlisten = \"127.0.0.1:0\"\n{follow}",
        root.join("genesis.json").display()
    );
    fs::write(&path, text).expect("written");
    path
}

/// One more node of the network, that only follows.
fn adopt(network: &mut Network, follow: &str) -> usize {
    let number = network.nodes.len();
    let dir = network.root().join(format!("node-{number}"));
    fs::create_dir_all(&dir).expect("a directory");
    let [api, admin, ..] = network.ports(number);
    let text = format!(
        "genesis = \"{}\"\n[storage]\ndata = \"data\"\n[api]\nlisten = \"{api}\"\n[admin]\nlisten = \"{admin}\"\n{follow}",
        network.root().join("genesis.json").display()
    );
    fs::write(dir.join("config.toml"), text).expect("written");
    network.adopt(dir)
}
