//! A network of real processes in a directory of its own, on ports of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use testamur_primitives::codec::from_base64url;
use testamur_primitives::key::SigningKey;
use testamur_primitives::trust::TrustFile;

use super::load::{Kept, Load, Pace, Written};
use super::watch::Watch;
use super::{Response, Slot, request, signed_slots, testamur, wait_for};

/// How long anything that a healthy network does may take here, with other work on the same two cores.
pub(super) const MOST: Duration = Duration::from_secs(60);

/// How a network is made.
pub struct Setup {
    /// Validators.
    pub validators: usize,
    /// Seconds between blocks when there is nothing to do: short, so that an idle network moves on in a test.
    pub heartbeat_s: u32,
}

impl Default for Setup {
    fn default() -> Self {
        Self { validators: 4, heartbeat_s: 1 }
    }
}

/// One validator.
pub struct Node {
    /// Its place among the validators.
    pub number: usize,
    /// Its directory.
    pub dir: PathBuf,
    /// Its API.
    pub api: SocketAddr,
    /// Its admin listener.
    pub admin: SocketAddr,
    child: Option<Child>,
}

/// A network.
pub struct Network {
    /// Its validators.
    pub nodes: Vec<Node>,
    /// What receipts are verified with.
    pub trust: TrustFile,
    /// The author that may write.
    pub author: SigningKey,
    /// Every receipt that was handed out: none of these may ever be lost.
    pub acknowledged: Arc<Mutex<Vec<Vec<u8>>>>,
    /// Every record that a load has sent, and what its author knows of it.
    pub written: Arc<Mutex<Vec<Written>>>,
    /// Nodes that misbehave on purpose: the oracle neither starts them nor believes them, and the others may have seen
    /// their double signatures.
    pub dishonest: BTreeSet<usize>,
    /// The build that its operators run; `None` is the product.
    pub release: Option<PathBuf>,
    /// An operator has vouched for a lost guard: the others may rightly see double signatures. Forks may still never be.
    pub double_signatures_expected: bool,
    /// What each node ever showed.
    pub(super) watch: Watch,
    /// What each validator's guard has said, over all its files.
    signed: BTreeMap<usize, BTreeMap<Slot, Vec<u8>>>,
    gateway: Option<Child>,
    base_port: u16,
    directory: TempDir,
    _ports: File,
}

/// A base port whose ports nobody else has: a lock on a file stands for the range, and goes with the process.
fn claim_ports() -> (u16, File) {
    let folder = std::env::temp_dir().join("testamur-test-ports");
    fs::create_dir_all(&folder).expect("a folder for locks");
    // Consensus lies 1,000 below a base, gossip 900 below, admin 1,000 above: steps of 20 within a hundred never meet,
    // and all stay below the ports that the system gives out by itself.
    for base in (0..6u16).flat_map(|family| (0..5u16).map(move |slot| 13_000 + 3_000 * family + 20 * slot)) {
        let file = File::create(folder.join(base.to_string())).expect("a lock file");
        let offsets = [0i32, 1_000, -1_000, -900];
        let free = || {
            let port = |offset: i32| (i32::from(base) + offset) as u16;
            // Four validators, those that join, and what stands beside them.
            let all = offsets.iter().flat_map(|o| (0..14).map(move |i| port(*o + i)));
            all.into_iter().all(|p| std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, p)).is_ok())
        };
        if file.try_lock().is_ok() && free() {
            return (base, file);
        }
    }
    panic!("no range of ports is free");
}

impl Network {
    /// Makes a network and starts every validator.
    pub fn start(setup: &Setup) -> Self {
        let mut network = Self::make(setup);
        network.start_all();
        network.wait_ready();
        network
    }

    /// Makes a network; nothing runs yet.
    pub fn make(setup: &Setup) -> Self {
        Self::make_with(setup, &[])
    }

    /// As [`Network::make`], with more options of `testamur init`.
    pub fn make_with(setup: &Setup, options: &[&str]) -> Self {
        let (base_port, ports) = claim_ports();
        let directory = tempfile::Builder::new().prefix("testamur-").tempdir().expect("a directory");
        let root = directory.path().join("network");
        let made = testamur(directory.path())
            .args(["init", "--insecure-dev", "--dir"])
            .arg(&root)
            .args(["--validators", &setup.validators.to_string()])
            .args(["--heartbeat-s", &setup.heartbeat_s.to_string()])
            .args(["--base-port", &base_port.to_string()])
            .args(options)
            .output()
            .expect("the binary runs");
        assert!(made.status.success(), "init: {}", String::from_utf8_lossy(&made.stderr));
        let trust = fs::read(root.join("trust.json")).expect("init writes a trust file");
        let key = fs::read(root.join("gateway/author.key")).expect("init writes an author's key");
        let key: Value = serde_json::from_slice(&key).expect("a key file is JSON");
        let seed = from_base64url(key["secret"]["insecure_dev"].as_str().expect("not encrypted")).expect("base64url");
        let at = |offset: usize| SocketAddr::from((Ipv4Addr::LOCALHOST, base_port + offset as u16));
        let nodes = (0..setup.validators).map(|number| Node {
            number,
            dir: root.join(format!("node-{number}")),
            api: at(number),
            admin: at(1_000 + number),
            child: None,
        });
        let nodes: Vec<_> = nodes.collect();
        let mut watch = Watch::new();
        nodes.iter().for_each(|node| watch.follow(node.number, node.api));
        Self {
            nodes,
            trust: TrustFile::from_json(&trust).expect("a trust file"),
            author: SigningKey::ed25519(&seed.try_into().expect("32 bytes")),
            acknowledged: Arc::default(),
            written: Arc::default(),
            dishonest: BTreeSet::new(),
            release: None,
            double_signatures_expected: false,
            watch,
            signed: BTreeMap::new(),
            gateway: None,
            base_port,
            directory,
            _ports: ports,
        }
    }

    /// Makes a network without nodes of its own: a range of ports and a directory, for `testamur dev`.
    pub fn claim() -> (u16, File, TempDir) {
        let (base_port, ports) = claim_ports();
        (base_port, ports, tempfile::Builder::new().prefix("testamur-").tempdir().expect("a directory"))
    }

    /// Takes a node that was made elsewhere into the network's care; its number. Its configuration listens where
    /// [`Network::ports`] says for that number.
    pub fn adopt(&mut self, dir: PathBuf) -> usize {
        let number = self.nodes.len();
        let [api, admin, ..] = self.ports(number);
        self.nodes.push(Node { number, dir, api, admin, child: None });
        self.watch.follow(number, api);
        number
    }

    /// Addresses of a node by its number: API, admin listener, consensus, record gossip.
    pub fn ports(&self, number: usize) -> [SocketAddr; 4] {
        let at = |offset: i32| {
            let port = i32::from(self.base_port) + offset + number as i32;
            SocketAddr::from((Ipv4Addr::LOCALHOST, port as u16))
        };
        [at(0), at(1_000), at(-1_000), at(-900)]
    }

    /// Tells a node to read its configuration again.
    pub fn hang_up(&self, number: usize) {
        self.signal(number, "HUP");
    }

    /// The process of a validator that runs.
    ///
    /// # Panics
    /// When it does not run.
    pub fn process(&self, number: usize) -> u32 {
        self.nodes[number].child.as_ref().expect("it runs").id()
    }

    /// The process of the gateway.
    ///
    /// # Panics
    /// When it was not started.
    pub fn gateway_process(&self) -> u32 {
        self.gateway.as_ref().expect("it was started").id()
    }

    /// Starts the author's gateway over all nodes, and returns its address and a token.
    pub fn start_gateway(&mut self) -> (SocketAddr, String) {
        let place = self.root().join("gateway");
        let token = testamur(self.folder())
            .args(["gateway", "token", "add", "--tokens"])
            .arg(place.join("tokens.json"))
            .arg("tests")
            .output()
            .expect("the binary runs");
        assert!(token.status.success(), "{}", String::from_utf8_lossy(&token.stderr));
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, self.base_port + 10));
        let nodes: Vec<_> = self.nodes.iter().map(|node| format!("\"http://{}\"", node.api)).collect();
        let config = format!(
            "listen = \"{listen}\"\nnodes = [{}]\ntrust = \"../trust.json\"\nauthor = \"author.key\"\n\
             tokens = \"tokens.json\"\ninsecure_dev = true\n",
            nodes.join(", ")
        );
        fs::write(place.join("config.toml"), config).expect("written");
        let log = File::create(place.join("log")).expect("a log");
        let child = testamur(self.folder())
            .args(["gateway", "--config"])
            .arg(place.join("config.toml"))
            .arg("--end-with-parent")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        self.gateway = Some(child.expect("the binary runs"));
        wait_for("the gateway to listen", MOST, || std::net::TcpStream::connect(listen).ok());
        (listen, String::from_utf8(token.stdout).expect("a token is text").trim().to_owned())
    }

    /// Where the network lies.
    pub fn root(&self) -> PathBuf {
        self.directory.path().join("network")
    }

    /// A folder for the test's own files, which also stands for the user's home.
    pub fn folder(&self) -> &Path {
        self.directory.path()
    }

    /// Port of the first node's API.
    pub fn base_port(&self) -> u16 {
        self.base_port
    }

    /// A command of the build that its operators run.
    pub fn testamur(&self) -> Command {
        super::command(&self.release.clone().unwrap_or_else(super::binary), self.folder())
    }

    /// Starts every validator that does not run.
    pub fn start_all(&mut self) {
        for number in 0..self.nodes.len() {
            self.start_node(number);
        }
    }

    /// Starts a validator, unless it runs.
    pub fn start_node(&mut self, number: usize) {
        self.start_node_with(number, |_| {});
    }

    /// As [`Network::start_node`], with a change to its command.
    pub fn start_node_with(&mut self, number: usize, change: impl FnOnce(&mut Command)) {
        let release = self.release.clone().unwrap_or_else(super::binary);
        self.start_node_as(number, &release, change);
    }

    /// As [`Network::start_node_with`], by another build of the binary.
    pub fn start_node_as(&mut self, number: usize, binary: &Path, change: impl FnOnce(&mut Command)) {
        let node = &mut self.nodes[number];
        if node.child.is_some() {
            return;
        }
        let log = fs::OpenOptions::new().append(true).create(true).open(node.dir.join("log")).expect("a log");
        let mut command = super::command(binary, self.directory.path());
        command
            .args(["run", "--config"])
            .arg(node.dir.join("config.toml"))
            .arg("--end-with-parent")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        change(&mut command);
        node.child = Some(command.spawn().expect("the binary runs"));
    }

    /// A validator's process, if it runs.
    pub fn pid(&self, number: usize) -> Option<u32> {
        self.nodes[number].child.as_ref().map(Child::id)
    }

    /// Sends a running validator a signal by its name, such as `STOP` and `CONT`.
    pub fn signal(&self, number: usize, name: &str) {
        let pid = self.pid(number).expect("it runs").to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &pid]).status();
        assert!(sent.is_ok_and(|s| s.success()), "kill is there");
    }

    /// Kills a validator: nothing is flushed, nobody is told.
    pub fn kill(&mut self, number: usize) {
        if let Some(mut child) = self.nodes[number].child.take() {
            child.kill().expect("it can be killed");
            child.wait().expect("it can be waited for");
        }
        self.remember_signatures(number);
    }

    /// Kills all at once.
    pub fn kill_all(&mut self) {
        for child in self.nodes.iter_mut().filter_map(|node| node.child.as_mut()) {
            child.kill().expect("it can be killed");
        }
        (0..self.nodes.len()).for_each(|number| self.kill(number));
    }

    /// Cuts the power of all at one instant: every process is stopped where it is, `cut` keeps what is on the disk, and
    /// none runs on. What a guard had written and not synced is not looked at: its signature never left.
    pub fn cut_power(&mut self, cut: impl FnOnce()) {
        let mut running: Vec<_> = self.nodes.iter_mut().filter_map(|node| node.child.take()).collect();
        let all = running.iter().map(|child| child.id().to_string());
        let stopped = Command::new("kill").arg("-STOP").args(all).status();
        assert!(stopped.is_ok_and(|s| s.success()), "kill is there");
        cut();
        for child in &mut running {
            child.kill().expect("it can be killed");
            child.wait().expect("it can be waited for");
        }
    }

    /// Moves a network that does not run to another disk.
    pub fn move_to(&self, place: &Path) {
        assert!(self.nodes.iter().all(|node| node.child.is_none()), "nothing runs");
        let moved = Command::new("cp").arg("-a").args([&self.root(), place]).status();
        assert!(moved.is_ok_and(|s| s.success()), "cp is there");
        fs::remove_dir_all(self.root()).expect("it can be removed");
        std::os::unix::fs::symlink(place, self.root()).expect("a link can be made");
    }

    /// Asks a validator to stop and waits for it.
    pub fn stop(&mut self, number: usize) {
        if let Some(child) = self.nodes[number].child.as_mut() {
            let asked = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
            assert!(asked.is_ok_and(|s| s.success()), "kill is there");
            wait_for(&format!("node {number} to stop"), MOST, || child.try_wait().expect("it can be waited for"));
            self.nodes[number].child = None;
        }
        self.remember_signatures(number);
    }

    /// Whether a validator's process has ended by itself; if so it is no longer counted as running.
    pub fn has_ended(&mut self, number: usize) -> bool {
        let node = &mut self.nodes[number];
        let ended = node.child.as_mut().is_some_and(|c| c.try_wait().expect("it can be waited for").is_some());
        if ended {
            node.child = None;
            self.remember_signatures(number);
        }
        ended
    }

    /// Removes a stopped validator's ledger, engine log and guard: a new disk. Its keys stay.
    pub fn wipe(&mut self, number: usize) {
        assert!(self.nodes[number].child.is_none(), "it is stopped");
        self.watch.new_life(number);
        for part in ["data", "guard", "wal"] {
            let path = self.nodes[number].dir.join(part);
            if path.exists() {
                fs::remove_dir_all(path).expect("it can be removed");
            }
        }
    }

    /// Copies a stopped validator's whole state, guard and all: a copy of the machine, which no guard can know of.
    pub fn back_up(&self, number: usize) -> PathBuf {
        assert!(self.nodes[number].child.is_none(), "it is stopped");
        let place = self.directory.path().join(format!("backup-{number}"));
        if place.exists() {
            fs::remove_dir_all(&place).expect("an older backup can be removed");
        }
        copy(&self.nodes[number].dir, &place);
        place
    }

    /// Puts a backup in the place of a stopped validator's state.
    pub fn restore(&mut self, number: usize, backup: &Path) {
        self.restore_parts(number, backup, &["data", "guard", "wal"]);
    }

    /// As [`Network::restore`], of some of `data`, `guard` and `wal` only: the others stay as they are.
    pub fn restore_parts(&mut self, number: usize, backup: &Path, parts: &[&str]) {
        assert!(self.nodes[number].child.is_none(), "it is stopped");
        self.watch.new_life(number);
        for part in parts {
            let place = self.nodes[number].dir.join(part);
            if place.exists() {
                fs::remove_dir_all(&place).expect("it can be removed");
            }
            copy(&backup.join(part), &place);
        }
    }

    /// What this validator has signed is known to nobody any more: its operator vouches for a lost guard, and may be wrong.
    pub fn forget_signatures(&mut self, number: usize) {
        self.signed.remove(&number);
    }

    /// Adds what a validator's guard says to what it said before. INV-GUARD-1 seen from outside: no slot is ever signed
    /// twice, whatever happened to the files in between.
    fn remember_signatures(&mut self, number: usize) {
        let file = self.nodes[number].dir.join("guard/guard.log");
        if !file.exists() {
            return;
        }
        let all = self.signed.entry(number).or_default();
        for (slot, message) in signed_slots(&file) {
            if let Some(before) = all.insert(slot, message.clone()) {
                assert!(before == message, "node {number} signed two messages for {slot:?}");
            }
        }
    }

    /// What a validator has signed, as far as its guard was read.
    pub fn signed(&self, number: usize) -> BTreeMap<Slot, Vec<u8>> {
        self.signed.get(&number).cloned().unwrap_or_default()
    }

    /// The end of a validator's log.
    pub fn last_words(&self, number: usize) -> String {
        let text = fs::read_to_string(self.nodes[number].dir.join("log")).unwrap_or_default();
        // The network's chatter about peers that come and go says little.
        let telling = text.lines().filter(|line| line.starts_with("20") && !line.contains("arc_malachitebft"));
        telling.rev().take(12).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    /// A GET from a validator.
    pub fn get(&self, number: usize, target: &str) -> Option<Response> {
        request(self.nodes[number].api, "GET", target, &[], &[]).ok()
    }

    /// A validator's height, if it answers.
    pub fn height(&self, number: usize) -> Option<u64> {
        self.get(number, "/v1/status")?.json()["height"].as_u64()
    }

    /// Heights of the validators that run.
    pub(super) fn heights(&self) -> Vec<Option<u64>> {
        let running = self.nodes.iter().filter(|n| n.child.is_some() && !self.dishonest.contains(&n.number));
        running.map(|node| self.height(node.number)).collect()
    }

    /// Waits until every running validator is ready.
    pub fn wait_ready(&self) {
        let honest = |node: &&Node| node.child.is_some() && !self.dishonest.contains(&node.number);
        for node in self.nodes.iter().filter(honest) {
            let began = std::time::Instant::now();
            while !request(node.admin, "GET", "/readyz", &[], &[]).is_ok_and(|answer| answer.status == 200) {
                let words = || self.last_words(node.number);
                assert!(
                    began.elapsed() < MOST,
                    "waited for node {} to be ready; its log ends:\n{}",
                    node.number,
                    words()
                );
                std::thread::sleep(super::POLL);
            }
        }
    }

    /// Waits until every running validator has passed the highest of now by some blocks.
    pub fn wait_progress(&self, blocks: u64) {
        let highest = self.heights().into_iter().flatten().max().unwrap_or(0);
        self.wait_height(highest + blocks);
    }

    /// Waits until every running validator has a height.
    pub fn wait_height(&self, height: u64) {
        let words =
            || (0..self.nodes.len()).map(|n| format!("node {n}:\n{}\n", self.last_words(n))).collect::<String>();
        let began = std::time::Instant::now();
        while !self.heights().iter().all(|h| h.is_some_and(|h| h >= height)) {
            assert!(began.elapsed() < MOST, "waited for height {height}, at {:?}\n{}", self.heights(), words());
            std::thread::sleep(super::POLL);
        }
    }

    /// Waits until every running validator has signed a vote at a height that began from now on. One that lost its guard
    /// follows for a while before it signs again: until then it is one of the validators that may be lost.
    pub fn wait_votes(&self) {
        let highest = self.heights().into_iter().flatten().max().unwrap_or(0);
        let votes = |node: &&Node| {
            let role = self.get(node.number, "/v1/status").map(|status| status.json()["role"].clone());
            node.child.is_some() && !self.dishonest.contains(&node.number) && role.is_none_or(|role| role != "observer")
        };
        for node in self.nodes.iter().filter(votes) {
            let file = node.dir.join("guard/guard.log");
            let what = || {
                format!("node {} to vote above {highest}; its log ends:\n{}", node.number, self.last_words(node.number))
            };
            let began = std::time::Instant::now();
            while !signed_slots(&file).keys().any(|(height, _, _)| *height > highest) {
                assert!(began.elapsed() < MOST, "waited for {}", what());
                std::thread::sleep(super::POLL);
            }
        }
    }

    /// Starts writing more than 200 records a second to all validators, until the load is dropped or stopped.
    pub fn load(&self) -> Load {
        self.load_at(Pace::default())
    }

    /// As [`Network::load`], at another pace.
    pub fn load_at(&self, pace: Pace) -> Load {
        let honest = self.nodes.iter().filter(|node| !self.dishonest.contains(&node.number));
        let nodes = honest.map(|node| (node.number, node.api)).collect();
        let kept = Kept { receipts: Arc::clone(&self.acknowledged), written: Arc::clone(&self.written) };
        Load::start(nodes, &self.trust, &self.author, &kept, pace)
    }

    /// How many receipts were handed out so far.
    pub fn receipts(&self) -> usize {
        self.acknowledged.lock().expect("no thread panics holding it").len()
    }

    /// Waits until that many receipts were handed out.
    pub fn wait_receipts(&self, count: usize) {
        let heights = self.heights();
        wait_for(&format!("{count} receipts; heights were {heights:?}"), MOST, || {
            (self.receipts() >= count).then_some(())
        });
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for child in self.nodes.iter_mut().filter_map(|node| node.child.as_mut()).chain(&mut self.gateway) {
            // It may have ended by itself; then there is nothing to do.
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            for node in &self.nodes {
                println!("--- log of node {}\n{}", node.number, self.last_words(node.number));
            }
        }
    }
}

fn copy(from: &Path, to: &Path) {
    if !from.exists() {
        return;
    }
    fs::create_dir_all(to).expect("a directory can be made");
    for entry in fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a file can be copied");
        }
    }
}
