//! What stands beside a network's validators: a verifier and the page, each a process of its own.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Stdio};

use super::{Network, testamur, wait_for};

/// A process that does not outlive its test.
pub struct Service {
    /// Where it listens.
    pub address: SocketAddr,
    child: Child,
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Service {
    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    fn start(network: &Network, name: &str, place: u16, arguments: &[&str]) -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, network.base_port() + place));
        let log = File::create(network.folder().join(format!("{name}.log"))).expect("a log");
        let trust = network.root().join("trust.json");
        let mut command = testamur(network.folder());
        command.arg(name).args(["--listen", &address.to_string()]);
        for node in &network.nodes {
            command.args(["--node", &format!("http://{}", node.api)]);
        }
        match name {
            "page" => command.arg("--network").arg(trust),
            _ => command.arg("--trust").arg(trust),
        };
        let started =
            command.args(arguments).stdin(Stdio::null()).stdout(log.try_clone().expect("a log")).stderr(log).spawn();
        let service = Self { address, child: started.expect("the binary runs") };
        wait_for(name, std::time::Duration::from_secs(60), || std::net::TcpStream::connect(address).ok());
        service
    }
}

impl Network {
    /// Starts a verifier, and with a token one that asks for it.
    pub fn start_verifier(&self, token: Option<&str>) -> Service {
        let file = self.folder().join("verifier.token");
        let path = file.to_string_lossy().into_owned();
        match token {
            None => Service::start(self, "verifier", 11, &[]),
            Some(token) => {
                fs::write(&file, format!("{token}\n")).expect("written");
                fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("set");
                Service::start(self, "verifier", 11, &["--token-file", &path])
            }
        }
    }

    /// Starts the page over all nodes.
    pub fn start_page(&self) -> Service {
        Service::start(self, "page", 12, &[])
    }

    /// Adds a token to the gateway's file and returns it.
    pub fn gateway_token(&self, label: &str, scopes: &[&str]) -> String {
        let tokens = self.root().join("gateway/tokens.json");
        let mut command = testamur(self.folder());
        command.args(["gateway", "token", "add", "--tokens"]).arg(tokens).arg(label);
        command.args(scopes.iter().flat_map(|scope| ["--scope", scope]));
        // Who approves or takes a change back is a person (INV-GATEWAY-3).
        if scopes.contains(&"approve") || scopes.contains(&"diplomas") {
            command.args(["--person", label]);
        }
        let made = command.output().expect("the binary runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        String::from_utf8(made.stdout).expect("a token is text").trim().to_owned()
    }
}
