//! Members that come and go: governance by the command line, new validators, and what an operator watches meanwhile.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Network, request, wait_for};

/// How long a change of members may take, from its last approval to its first block.
const MOST: Duration = Duration::from_secs(60);

impl Network {
    /// Runs a command that must succeed, and returns its JSON.
    pub fn told(&self, arguments: &[&str]) -> Value {
        let output = self.testamur().arg("--json").args(arguments).current_dir(self.folder()).output();
        let output = output.expect("the binary runs");
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "testamur {}:\n{out}\n{err}", arguments.join(" "));
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{arguments:?}: no JSON: {out}"))
    }

    /// Runs a command that must fail; its exit code and the code and words of its error.
    pub fn refused(&self, arguments: &[&str]) -> (i32, String, String) {
        let output = self.testamur().arg("--json").args(arguments).current_dir(self.folder()).output();
        let output = output.expect("the binary runs");
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(!output.status.success(), "testamur {} succeeded:\n{out}", arguments.join(" "));
        let text = if err.trim_start().starts_with('{') { &err } else { &out };
        let error: Value = serde_json::from_str(text).unwrap_or_else(|_| panic!("{arguments:?}: no JSON: {out}{err}"));
        let error = &error["error"];
        let word = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
        let said = [word("message"), word("what"), word("hint")].join(" ");
        (output.status.code().expect("an exit code"), word("code"), said)
    }

    /// The address of a node's API as commands take it.
    pub fn url(&self, number: usize) -> String {
        format!("http://{}", self.nodes[number].api)
    }

    /// Has operator 0 propose a change and operator 1 approve it.
    pub fn decide(&self, change: &[&str]) {
        let (url, key) = (self.url(0), |n: usize| self.root().join(format!("operator-{n}/operator.key")));
        let (first, second) = (key(0).display().to_string(), key(1).display().to_string());
        let by = |key: &str| ["--key", key, "--node", &url, "--insecure-dev", "--yes"].map(str::to_owned);
        let arguments: Vec<String> =
            ["governance", "propose"].iter().chain(change).map(|a| (*a).to_owned()).chain(by(&first)).collect();
        let told = self.told(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        let proposal = told["proposal"].as_str().expect("a proposal").to_owned();
        let arguments: Vec<String> =
            ["governance", "approve", &proposal].iter().map(|a| (*a).to_owned()).chain(by(&second)).collect();
        self.told(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    }

    /// Waits until a node stands in an epoch.
    pub fn wait_epoch(&self, number: usize, epoch: u64) {
        let what = format!("epoch {epoch} on node {number}; its log ends:\n{}", self.last_words(number));
        wait_for(&what, MOST, || (self.get(number, "/v1/status")?.json()["epoch"].as_u64()? >= epoch).then_some(()));
    }

    /// Waits until a node says that it has a role, and is ready.
    pub fn wait_role(&self, number: usize, role: &str) {
        let what = || format!("node {number} to be {role}; its log ends:\n{}", self.last_words(number));
        let began = Instant::now();
        loop {
            let status = self.get(number, "/v1/status").map(|answer| answer.json()).unwrap_or_default();
            if status["role"] == role && status["ready"] == true {
                return;
            }
            assert!(began.elapsed() < MOST, "waited for {}\n{status}", what());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Makes the keys and configuration of one more validator, with all the others as its peers and as nodes to follow;
    /// the others learn where it is. Its number, and the file for governance.
    pub fn new_validator(&mut self) -> (usize, PathBuf) {
        let number = self.nodes.len();
        let dir = self.root().join(format!("node-{number}"));
        let name = format!("validator-{number}.dev.testamur.example");
        let operator = fs::read_to_string(self.root().join("genesis.json")).expect("a genesis");
        let operator: Value = serde_json::from_str(&operator).expect("JSON");
        let did = operator["operators"][0]["did"].as_str().expect("a DID").to_owned();
        let [api, admin, consensus, gossip] = self.ports(number).map(|address| address.to_string());
        let (place, trust) = (dir.display().to_string(), self.root().join("trust.json").display().to_string());
        let mut arguments = vec!["validator", "new", "--dir", &place, "--trust", &trust, "--name", &name];
        arguments.extend(["--operator", "Ministry five,EE", "--did", &did, "--insecure-dev"]);
        arguments.extend(["--api", &api, "--admin", &admin, "--consensus", &consensus, "--gossip", &gossip]);
        let urls: Vec<_> = (0..number).map(|n| self.url(n)).collect();
        urls.iter().for_each(|url| arguments.extend(["--node", url]));
        self.told(&arguments);
        let peers: String = (0..number).map(|n| self.peer(n)).collect();
        append(&dir.join("config.toml"), &peers);
        let own = self.peer(number);
        (0..number).for_each(|n| append(&self.nodes[n].dir.join("config.toml"), &own));
        (self.adopt(dir.clone()), dir.join("validator.json"))
    }

    /// A `[[consensus.peers]]` entry.
    fn peer(&self, number: usize) -> String {
        let [_, _, consensus, gossip] = self.ports(number);
        format!(
            "\n[[consensus.peers]]\nname = \"validator-{number}.dev.testamur.example\"\nconsensus = \"{consensus}\"\n\
             gossip = \"{gossip}\"\n"
        )
    }

    /// Lets a validator know nodes to follow when it is out of office.
    pub fn let_follow(&self, number: usize) {
        let nodes: Vec<_> =
            (0..self.nodes.len()).filter(|n| *n != number).map(|n| format!("\"{}\"", self.url(n))).collect();
        append(&self.nodes[number].dir.join("config.toml"), &format!("\n[follow]\nnodes = [{}]\n", nodes.join(", ")));
    }
}

/// Adds to the end of a file.
fn append(path: &Path, text: &str) {
    let mut file = fs::OpenOptions::new().append(true).open(path).expect("a configuration");
    file.write_all(text.as_bytes()).expect("written");
}

/// Watches how regularly a network makes blocks.
pub struct Pulse {
    stop: Arc<AtomicBool>,
    watch: Option<JoinHandle<Duration>>,
}

impl Pulse {
    /// Watches the highest of these nodes.
    pub fn watch(nodes: Vec<SocketAddr>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let watch = std::thread::spawn(move || {
            let (mut highest, mut since, mut largest) = (0, Instant::now(), Duration::ZERO);
            let mut turn = 0;
            while !stopped.load(Ordering::Relaxed) {
                turn += 1;
                let answer = request(nodes[turn % nodes.len()], "GET", "/v1/status", &[], &[]);
                let height = answer.ok().and_then(|a| a.json()["height"].as_u64()).unwrap_or(0);
                if height > highest {
                    if highest > 0 {
                        largest = largest.max(since.elapsed());
                    }
                    (highest, since) = (height, Instant::now());
                }
                std::thread::sleep(Duration::from_millis(25));
            }
            largest.max(since.elapsed())
        });
        Self { stop, watch: Some(watch) }
    }

    /// The longest time without a new block.
    ///
    /// # Panics
    /// When the watch did.
    pub fn largest_gap(mut self) -> Duration {
        self.stop.store(true, Ordering::Relaxed);
        self.watch.take().expect("taken once").join().expect("the watch does not panic")
    }
}

/// A node that passes everything on to another and changes one bit of every block stream.
pub struct LyingNode {
    /// Where it listens.
    pub address: SocketAddr,
}

impl LyingNode {
    /// Starts one in front of a node. It ends with the test's process.
    pub fn before(node: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("it listens");
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                std::thread::spawn(move || lie(client, node));
            }
        });
        Self { address }
    }
}

fn lie(mut client: TcpStream, node: SocketAddr) -> Option<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).ok()?;
    let target = head.split(' ').nth(1)?.to_owned();
    let answer = request(node, "GET", &target, &[], &[]).ok()?;
    let mut body = answer.body;
    if target.starts_with("/v1/blocks/stream") && body.len() > 4_000 {
        // Somewhere in a block or its certificate; the checksum at the end is made good, as a liar would.
        let (at, end) = (body.len() * 9 / 10 - 40, body.len() - 32);
        body[at] ^= 1;
        let sum = testamur_primitives::codec::sha256(&[&body[..end - 5]]);
        body[end..].copy_from_slice(&sum);
    }
    let kind = answer.headers.iter().find(|(n, _)| n == "content-type").map_or("text/plain", |(_, v)| v.as_str());
    let head = format!(
        "HTTP/1.1 {} OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        answer.status,
        body.len()
    );
    client.write_all(&[head.as_bytes(), &body].concat()).ok()
}
