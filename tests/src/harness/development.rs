//! `testamur dev` as a process: four validators, a gateway, and the small world that it seeds.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::{Network, testamur, wait_for};

/// Of the fourteen ports of each kind that a network has: above what `testamur dev` takes.
const SPARE: u16 = 12;

/// A development network that does not outlive its test, whatever happens; what it started ends with it.
pub struct Development {
    child: Child,
    base_port: u16,
    directory: TempDir,
    _ports: File,
}

impl Drop for Development {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Development {
    /// Starts one and waits until its world is seeded.
    pub fn start() -> Self {
        let (base_port, ports, directory) = Network::claim();
        let log = File::create(directory.path().join("dev.log")).expect("a log");
        let child = testamur(directory.path())
            .args(["dev", "--dir", "dev-network", "--base-port", &base_port.to_string()])
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn()
            .expect("the binary runs");
        let mut development = Self { child, base_port, directory, _ports: ports };
        wait_for("testamur dev to seed its world", Duration::from_secs(120), || {
            let ended = development.child.try_wait().expect("it can be waited for");
            assert!(ended.is_none(), "dev ended: {}", development.words());
            development.root().join("world/world.json").exists().then_some(())
        });
        development
    }

    /// What it has said.
    pub fn words(&self) -> String {
        fs::read_to_string(self.directory.path().join("dev.log")).unwrap_or_default()
    }

    /// The base of the first node's URLs: what genesis names as `public_base`.
    pub fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.base_port)
    }

    /// The API of its first node.
    pub fn node(&self) -> SocketAddr {
        self.port(0)
    }

    /// Addresses for one more node: its API, its admin listener.
    pub fn spare_ports(&self) -> [SocketAddr; 2] {
        [self.port(SPARE), self.port(1_000 + SPARE)]
    }

    fn port(&self, offset: u16) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.base_port + offset))
    }

    /// Where the network lies.
    pub fn root(&self) -> PathBuf {
        self.directory.path().join("dev-network")
    }

    /// A folder for the test's own files, which also stands for the user's home.
    pub fn folder(&self) -> &Path {
        self.directory.path()
    }
}
