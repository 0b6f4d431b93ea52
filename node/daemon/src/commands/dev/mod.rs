//! `testamur dev`: a whole network on this machine: validators, a demo author's gateway, trust file installed.
//!
//! Each validator is a process of its own, so that one can be killed. Nothing is restarted silently: a death is told,
//! with what it means for the network and how to start it again.

mod make;
mod page;
mod processes;
pub(crate) mod world;

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use rustix::fs::{FlockOperation, flock};
use serde::Serialize;
use testamur_client::node::{Connections, Node};
use testamur_primitives::epoch::quorum;
use testamur_primitives::limits::{VALIDATORS_MAX, VALIDATORS_MIN};
use testamur_primitives::trust::TrustFile;

use crate::config::NodeConfig;
use crate::exit::{CommandError, Exit};
use crate::limits::DEV_READY_MAX;
use crate::networks;
use crate::output::{Output, Tone};
use crate::profile::Profile;
use crate::service::{self, StopSignals};
use crate::setup::layout::Ports;
use processes::{Processes, Role};
use world::World;

/// Arguments of `dev`.
#[derive(Debug, Args)]
#[command(after_help = "\
Everything lies under DIR; a second start goes on where the first ended. Keys are not encrypted: for development only.

  DIR/token           token for the gateway
  DIR/world           a ministry, an agency, two universities, an authority and a city, with their keys; seeded at the first
                      start. DIR/world/university/diplomas holds fifty diplomas: PDF, credential, receipt
  DIR/trust.json      what receipts are verified with (installed as a network at each start)
  DIR/node-0 … /pid   process ids, for `kill -9`
  DIR/node-0 … /log   the nodes' logs")]
pub(crate) struct Dev {
    /// Directory of the network; made when it is not there
    #[arg(long, default_value = "dev-network")]
    dir: PathBuf,
    /// Validators [default: 4, or as many as are there]
    #[arg(long, value_parser = clap::value_parser!(u8).range(VALIDATORS_MIN as i64..=VALIDATORS_MAX as i64))]
    validators: Option<u8>,
    /// Port of the first node's API; all others follow from it [default: 8080, or the one it was made with]
    #[arg(long, value_parser = clap::value_parser!(u16).range(Ports::BASE_MIN as i64..=Ports::BASE_MAX as i64))]
    base_port: Option<u16>,
    /// Seconds between blocks when there is nothing to do; counts when the network is made
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=3600))]
    heartbeat_s: u32,
}

/// What is printed when all is ready.
#[derive(Serialize)]
struct Started {
    directory: PathBuf,
    origin: String,
    fingerprint: String,
    gateway: String,
    gateway_pid: u32,
    /// None when this binary was built without the page.
    page: Option<String>,
    token_file: PathBuf,
    nodes: Vec<StartedNode>,
}

#[derive(Serialize)]
struct StartedNode {
    name: String,
    pid: u32,
    api: String,
    admin: String,
}

impl Dev {
    /// Starts the network and stays until Ctrl-C.
    pub(crate) fn run(self, output: &Output) -> Result<Exit, CommandError> {
        let host = IpAddr::V4(Ipv4Addr::LOCALHOST);
        if !self.dir.join("genesis.json").exists() {
            let ports = Ports { host, base: self.base_port.unwrap_or(8080) };
            let made = make::network(&self.dir, self.validators.unwrap_or(4).into(), ports, self.heartbeat_s)?;
            output.line(format!("Made the network {} in {}", made.trust.origin(), self.dir.display()));
        }
        let dir = self.dir.canonicalize().map_err(|e| CommandError::file("find", &self.dir, e))?;
        let _lock = lock(&dir)?;
        let trust = networks::read(&dir.join("trust.json"))?.trust;
        let ports = Ports { host, base: self.check_same(&dir, &trust)? };
        let count = trust.genesis().validators.len();
        check_ports(ports, count)?;
        networks::add(&trust, false)?;
        let profile = Profile {
            v: 1,
            network: trust.network(),
            gateway: format!("http://{}", ports.gateway(count)),
            token_file: dir.join("token"),
            directory: dir.clone(),
            nodes: (0..count).map(|i| format!("http://{}", ports.api(i))).collect(),
        };
        profile.install()?;
        service::runtime()?.block_on(supervise(&dir, ports, &trust, &profile, output))
    }

    /// A second start resumes what is there; other numbers than the first start's are told, not ignored.
    fn check_same(&self, dir: &Path, trust: &TrustFile) -> Result<u16, CommandError> {
        let made = trust.genesis().validators.len();
        if let Some(count) = self.validators.filter(|count| usize::from(*count) != made) {
            return Err(CommandError::content(
                dir,
                format!("is a network of {made} validators, not {count}"),
                "leave --validators out, or take another --dir",
            ));
        }
        let base = NodeConfig::read(&dir.join("node-0/config.toml"))?.api.listen.port();
        if self.base_port.is_some_and(|port| port != base) {
            return Err(CommandError::content(
                dir,
                format!("was made with --base-port {base}"),
                "leave --base-port out, or take another --dir",
            ));
        }
        Ok(base)
    }
}

/// One `dev` a directory: the lock goes with the process, however it ends.
fn lock(dir: &Path) -> Result<std::fs::File, CommandError> {
    let path = dir.join("lock");
    let file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|e| CommandError::file("open", &path, e))?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
        CommandError::content(
            dir,
            "is in use by another `testamur dev`",
            "stop the other one (Ctrl-C), or take another --dir",
        )
    })?;
    Ok(file)
}

/// What is in use is told before anything starts, and what it was wanted for.
fn check_ports(ports: Ports, count: usize) -> Result<(), CommandError> {
    let mut wanted: Vec<(String, SocketAddr)> =
        vec![("the gateway".into(), ports.gateway(count)), ("the page".into(), ports.page(count))];
    for node in 0..count {
        wanted.push((format!("node {node}'s API"), ports.api(node)));
        wanted.push((format!("node {node}'s admin listener"), ports.admin(node)));
        wanted.push((format!("node {node}'s consensus"), ports.consensus(node)));
        wanted.push((format!("node {node}'s record gossip"), ports.gossip(node)));
    }
    for (what, address) in wanted {
        TcpListener::bind(address).map_err(|e| {
            CommandError::failed(
                "dev.port",
                format!("port {} is needed for {what} and cannot be used: {e}", address.port()),
                format!("`ss -ltnp 'sport = :{}'` names who holds it; or take another --base-port", address.port()),
            )
        })?;
    }
    Ok(())
}

async fn supervise(
    dir: &Path,
    ports: Ports,
    trust: &TrustFile,
    profile: &Profile,
    output: &Output,
) -> Result<Exit, CommandError> {
    let mut signals = StopSignals::listen()?;
    let names: Vec<_> = trust.genesis().validators.iter().map(|v| v.registration.name.clone()).collect();
    let mut processes = Processes::start(dir, names.len())?;
    let ready = tokio::select! {
        ready = wait_ready(&mut processes, ports, names.len()) => ready,
        _ = signals.recv() => {
            processes.stop_all(output).await;
            return Ok(Exit::Ok);
        }
    };
    if let Err(error) = ready {
        processes.stop_all(output).await;
        return Err(error);
    }
    let page = page::open(trust, ports.page(names.len()), &profile.nodes).await;
    let page = match page {
        Ok(page) => page,
        Err(error) => {
            processes.stop_all(output).await;
            return Err(error);
        }
    };
    let started = Started {
        directory: dir.to_owned(),
        origin: trust.origin().to_string(),
        fingerprint: trust.fingerprint(),
        gateway: profile.gateway.clone(),
        gateway_pid: processes.pid(Role::Gateway),
        page: page.as_ref().map(|page| format!("http://{}/", page.local_address())),
        token_file: profile.token_file.clone(),
        nodes: names
            .iter()
            .enumerate()
            .map(|(i, name)| StartedNode {
                name: name.clone(),
                pid: processes.pid(Role::Node(i)),
                api: format!("http://{}", ports.api(i)),
                admin: format!("http://{}", ports.admin(i)),
            })
            .collect(),
    };
    output.result(&started, || screen(&started, output));
    // It ends with this process: there is nothing that it could lose.
    let _page = page.map(|page| tokio::spawn(page.serve(std::future::pending())));

    let trust = Arc::new(trust.clone());
    let seeding = populate(dir, &trust, &profile.nodes, output);
    tokio::pin!(seeding);
    let mut seeded = false;
    loop {
        tokio::select! {
            _ = signals.recv() => break,
            () = &mut seeding, if !seeded => seeded = true,
            (role, how) = processes.next_death() => {
                let (alive, needed) = (processes.nodes_alive(), quorum(names.len()));
                output.line(output.paint(Tone::Warning, &death(role, &how, dir, alive, names.len(), needed)));
                if processes.all_dead() {
                    return Err(CommandError::failed("dev.dead", "all processes have ended", "read the logs, then start again"));
                }
            }
        }
    }
    output.line("Stopping …");
    processes.stop_all(output).await;
    output.line("Stopped. Start again with the same command; nothing is lost.");
    Ok(Exit::Ok)
}

/// Seeds the world at the first start, and says what to look at. What goes wrong with it leaves the network as it is.
async fn populate(dir: &Path, trust: &Arc<TrustFile>, nodes: &[String], output: &Output) {
    if World::seeded(dir).is_some() {
        return;
    }
    let began = Instant::now();
    match world::seed(dir, trust, nodes, output).await {
        Ok(world) => output.line(introduce(&world, dir, began.elapsed(), output)),
        Err(error) => {
            output.error(&error);
            output.note("the world of this network is not whole; the next start goes on with it");
        }
    }
}

fn introduce(world: &World, dir: &Path, took: Duration, output: &Output) -> String {
    let dir = relative(dir);
    let dir = dir.display();
    format!(
        "{} in {}.{} s: a ministry, an accreditation agency, two universities, a transport authority, a city, 50 diplomas \
         ({dir}/world).\n\n  testamur diploma verify {dir}/world/university/diplomas/2026-0001.pdf\n  \
         testamur trust show {}\n  testamur did show {}\n  testamur status allocate --home {dir}/world/university\n  \
         testamur onboard --as university --name \"en=My University\" --country LU --home my-university\n",
        output.paint(Tone::Good, "SEEDED"),
        took.as_secs(),
        took.subsec_millis() / 100,
        world.university,
        world.city,
    )
}

/// Waits until every node says that it is ready.
async fn wait_ready(processes: &mut Processes, ports: Ports, count: usize) -> Result<(), CommandError> {
    let start = Instant::now();
    for i in 0..count {
        let node = Node::new(&format!("http://{}", ports.api(i)), &Connections::default())
            .map_err(|e| CommandError::failed("dev.node", e, ""))?;
        loop {
            let state = match node.status().await {
                Ok(status) if status.ready => break,
                Ok(_) => "not ready".to_owned(),
                Err(error) => error.to_string(),
            };
            if let Some((role, how)) = processes.poll_death() {
                let log = processes.log(role).display().to_string();
                return Err(CommandError::failed(
                    "dev.start",
                    format!("{role} ended while starting ({how}); its last words:\n{}", processes.last_words(role)),
                    format!("read {log}"),
                ));
            }
            if start.elapsed() > DEV_READY_MAX {
                return Err(CommandError::failed(
                    "dev.start",
                    format!("node {i} is not ready after {} s: {state}", DEV_READY_MAX.as_secs()),
                    format!("read {}", processes.log(Role::Node(i)).display()),
                ));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    Ok(())
}

fn screen(started: &Started, output: &Output) -> String {
    let dir = relative(&started.directory);
    let dir = dir.display();
    let mut text = format!(
        "\n{} {}\n\n  gateway  {}/docs   pid {}\n",
        output.paint(Tone::Good, "READY"),
        output.paint(Tone::Strong, &started.origin),
        started.gateway,
        started.gateway_pid,
    );
    match &started.page {
        Some(page) => text += &format!("  page     {page}   check a diploma in a browser\n"),
        None => {
            text += "  page     none: this binary was built without it (npm ci && npm run build in verifier-web, then build again)\n"
        }
    }
    for node in &started.nodes {
        text += &format!("  node     {}/docs   pid {}   {}\n", node.api, node.pid, node.name);
    }
    text += &format!(
        "  token    {dir}/token\n  trust    {dir}/trust.json (installed), sha256 {}\n\n{}\n\n  \
         curl -H \"Authorization: Bearer $(cat {dir}/token)\" -F file=@contract.pdf {}/v1/documents -o contract.pdf.receipt.json\n  \
         testamur verify contract.pdf contract.pdf.receipt.json\n  \
         kill -9 {}; testamur notarise other.pdf\n{}\nCtrl-C stops all.\n",
        started.fingerprint,
        output.paint(Tone::Faint, "In another terminal:"),
        started.gateway,
        started.nodes.last().map_or(0, |n| n.pid),
        World::seeded(&started.directory).map_or_else(String::new, |world| {
            format!(
                "  testamur trust show {}\n  testamur status allocate --home {dir}/world/university\n",
                world.university
            )
        }),
    );
    text
}

/// The path as seen from here, where that is shorter.
fn relative(path: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here).map_or_else(|_| path.to_owned(), Path::to_owned)
}

fn death(role: Role, how: &str, dir: &Path, alive: usize, count: usize, needed: usize) -> String {
    let dir = relative(dir);
    let dir = dir.display();
    match role {
        Role::Gateway => format!(
            "The gateway ended ({how}). Its log: {dir}/gateway/log. Start it again with:\n  testamur gateway --config {dir}/gateway/config.toml"
        ),
        Role::Node(i) => {
            let meaning = if alive >= needed {
                format!("{alive} of {count} validators go on, {needed} are needed")
            } else {
                format!(
                    "only {alive} of {count} validators are left and {needed} are needed: nothing becomes final until one is back"
                )
            };
            format!(
                "Node {i} ended ({how}): {meaning}. Start it again with:\n  testamur run --config {dir}/node-{i}/config.toml"
            )
        }
    }
}
