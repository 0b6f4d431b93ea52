//! R26: what an operator sees in each fault is what the table in genesis/OPERATORS.md says: log line, remedy, `/readyz`,
//! metric; and the last lines of processes that cannot start.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use testamur_primitives::stream::{Encoder, Frame, MEDIA_TYPE, decode};

use crate::campaign::{Lane, Row, Run};
use crate::harness::{Development, Liar, Network, Setup, faulty_binary, request, testamur, wait_for};

pub(super) const ROWS: &[Row] =
    &[Row { id: "R26", name: "what-operators-see", lane: Lane::Networks, ci: 1, release: 5, attack: see }];

const MOST: Duration = Duration::from_secs(60);

/// Whom a node follows that finds nobody there.
const NOBODY: &str = "http://127.0.0.1:1";
/// Where a node listens that nobody asks anything.
const ANYWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

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
fn shows(admin: SocketAddr, dir: &Path, code: &str) {
    let get = |target: &str| request(admin, "GET", target, &[], &[]).ok();
    wait_for(&format!("readyz to say {code}"), MOST, || {
        get("/readyz").filter(|r| r.status == 503 && r.text().contains(code))
    });
    let metric = format!("testamur_not_ready{{reason=\"{code}\"}} 1");
    wait_for(&metric, MOST, || get("/metrics").filter(|r| r.text().contains(&metric)));
    logs(dir, code, &format!("reason=\"{code}\""));
}

/// Waits for the line of the table in a node's log.
fn logs(dir: &Path, code: &str, reason: &str) {
    let rows = table();
    let [_, line, remedy] = rows.iter().find(|row| row[0] == code).unwrap_or_else(|| panic!("{code} is in no table"));
    let what = format!("a log line of {code}: {line:?}, {remedy:?}");
    let is_it = |l: &str| l.contains(line) && l.contains(remedy) && l.contains(reason);
    wait_for(&what, MOST, || log(dir).lines().any(is_it).then_some(()));
}

fn log(dir: &Path) -> String {
    fs::read_to_string(dir.join("log")).expect("a log")
}

fn see(run: &mut Run) {
    for _ in 0..run.count {
        let mut shown = once(run);
        if run.attempt("attachments", attachments).is_some() {
            shown.insert("attachments");
        }
        run.attempt("every row of the table", || {
            let rows = table();
            let rows: BTreeSet<_> = rows.iter().map(|[code, ..]| code.as_str()).collect();
            assert_eq!(rows, shown, "the table, and what was seen of it");
        });
    }
}

/// What it follows gives it blocks, and keeps their status lists back.
fn attachments() {
    let world = Development::start();
    let [api, admin] = world.spare_ports();
    let liar = Liar::before(world.node());
    liar.lie(|target, mut answer| {
        if target.starts_with("/v1/attachments/") {
            answer.status = 404;
        }
        if answer.header("content-type") == Some(MEDIA_TYPE) {
            let mut bytes = Vec::new();
            let mut encoder = Encoder::begin(&mut bytes);
            let frames = decode(&answer.body).expect("a stream");
            for frame in frames.iter().filter(|f| !matches!(f, Frame::Attachment(_) | Frame::End(_))) {
                encoder.frame(frame, &mut bytes);
            }
            encoder.end(&mut bytes);
            answer.body = bytes;
        }
        answer
    });
    let dir = world.root().join("observer");
    fs::create_dir_all(&dir).expect("a directory");
    configure(&dir.join("config.toml"), &world.root(), "data", [api, admin], &liar.url());
    let mut node = testamur(world.folder())
        .args(["run", "--end-with-parent", "--config"])
        .arg(dir.join("config.toml"))
        .stdin(Stdio::null())
        .stderr(fs::File::create(dir.join("log")).expect("a log"))
        .spawn()
        .expect("the binary runs");
    let seen = std::panic::catch_unwind(|| {
        shows(admin, &dir, "attachments");
        liar.repent();
        wait_for("its status lists", MOST, || log(&dir).contains("ready again").then_some(()));
    });
    node.kill().expect("it runs");
    node.wait().expect("it can be waited for");
    if let Err(panic) = seen {
        std::panic::resume_unwind(panic);
    }
}

/// All that one network can show; what was seen.
fn once(run: &mut Run) -> BTreeSet<&'static str> {
    let mut shown = BTreeSet::new();
    let mut see = |run: &mut Run, code: &'static str, attack: &mut dyn FnMut()| {
        if run.attempt(code, attack).is_some() {
            shown.insert(code);
        }
    };
    let mut network = Network::start(&Setup::default());
    // Node 3 is short of disk; it goes on with everything else.
    let third = network.nodes[3].dir.clone();
    let path = third.join("config.toml");
    let config = fs::read_to_string(&path).expect("a configuration");
    see(run, "disk-low", &mut || {
        network.stop(3);
        let line = config.lines().find(|line| line.starts_with("free_bytes_min")).expect("a line").to_owned();
        fs::write(&path, config.replace(&line, "free_bytes_min = 1000000000000000")).expect("written");
        network.start_node(3);
        shows(network.nodes[3].admin, &third, "disk-low");
    });
    // Nobody sees a node that is starting: it answers when it has started.
    see(run, "starting", &mut || {
        network.stop(3);
        fs::write(&path, &config).expect("written");
        network.start_node(3);
        let began = Instant::now();
        loop {
            assert!(began.elapsed() < MOST, "it is not ready");
            let Ok(told) = request(network.nodes[3].admin, "GET", "/readyz", &[], &[]) else { continue };
            assert!(!told.text().contains("starting"), "{}", told.text());
            if told.status == 200 {
                break;
            }
        }
    });
    see(run, "damage", &mut || {
        network.stop(3);
        network.start_node_as(3, &faulty_binary(), |command| {
            command.env("FAILPOINTS", "store.write.fail=5*off->return");
        });
        wait_for("the node to end", MOST, || network.has_ended(3).then_some(()));
        logs(&third, "damage", "a failpoint");
        let manifest = fs::read_dir(third.join("data/db")).expect("a database").flatten().map(|entry| entry.path());
        let manifest = manifest.filter(|path| path.to_string_lossy().contains("MANIFEST")).max().expect("a manifest");
        let mut bytes = fs::read(&manifest).expect("it can be read");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&manifest, bytes).expect("written");
        cannot_start(&network, &path, "try: keep the directory as evidence");
        // The remedy: an empty directory.
        network.wipe(3);
        network.start_node(3);
        network.wait_ready();
    });
    let (zeroth, api) = (network.nodes[0].dir.clone(), network.nodes[0].api);
    for (name, data, listen, words) in [
        ("another process has the ledger", "data", ANYWHERE, "try: stop the other process"),
        ("a port is in use", "elsewhere", api, "error: the API: "),
    ] {
        run.attempt(name, || {
            let config = zeroth.join("second.toml");
            configure(&config, &network.root(), data, [listen, ANYWHERE], NOBODY);
            cannot_start(&network, &config, words);
        });
    }
    see(run, "no-source", &mut || {
        let node = adopt(&mut network, NOBODY);
        network.start_node(node);
        shows(network.nodes[node].admin, &network.nodes[node].dir, "no-source");
        network.stop(node);
    });
    see(run, "behind", &mut || {
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
        let node = adopt(&mut network, &liar.url());
        network.start_node(node);
        shows(network.nodes[node].admin, &network.nodes[node].dir, "behind");
        network.stop(node);
    });
    network.kill(1);
    network.kill(2);
    for code in ["no-quorum", "stalled", "no-block"] {
        see(run, code, &mut || shows(network.nodes[0].admin, &network.nodes[0].dir, code));
    }
    see(run, "stopping", &mut || {
        network.start_node(1);
        network.start_node(2);
        let dir = network.nodes[0].dir.clone();
        wait_for("a line that node 0 is ready again", MOST, || log(&dir).contains("ready again").then_some(()));
        network.stop(0);
        assert!(log(&dir).contains("stopping"));
    });
    shown
}

/// A process that ends by itself, with these words.
fn cannot_start(network: &Network, config: &Path, words: &str) {
    let output = testamur(network.folder()).args(["run", "--config"]).arg(config).stdin(Stdio::null()).output();
    let output = output.expect("the binary runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && said.contains("error: ") && said.contains(words), "{said}");
}

/// One more node of the network, that only follows.
fn adopt(network: &mut Network, follows: &str) -> usize {
    let number = network.nodes.len();
    let dir = network.root().join(format!("node-{number}"));
    fs::create_dir_all(&dir).expect("a directory");
    let [api, admin, ..] = network.ports(number);
    configure(&dir.join("config.toml"), &network.root(), "data", [api, admin], follows);
    network.adopt(dir)
}

/// Writes the configuration of a node that only follows.
fn configure(path: &Path, root: &Path, data: &str, [api, admin]: [SocketAddr; 2], follows: &str) {
    let genesis = root.join("genesis.json");
    let text = format!(
        "genesis = \"{}\"\n[storage]\ndata = \"{data}\"\n[api]\nlisten = \"{api}\"\n[admin]\nlisten = \"{admin}\"\n\
         [follow]\nnodes = [\"{follows}\"]\n",
        genesis.display()
    );
    fs::write(path, text).expect("written");
}
