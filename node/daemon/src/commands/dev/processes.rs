//! The child processes of `dev`: one a node, and the gateway.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use crate::exit::CommandError;
use crate::limits::DEV_STOP_MAX;
use crate::output::Output;
use crate::service::allocator;

/// Which process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// A validator.
    Node(usize),
    /// The gateway.
    Gateway,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(i) => write!(f, "node {i}"),
            Self::Gateway => f.write_str("the gateway"),
        }
    }
}

struct Process {
    role: Role,
    place: PathBuf,
    pid: u32,
    child: Option<Child>,
}

/// All of them.
pub(super) struct Processes(Vec<Process>);

/// How often children are looked at.
const POLL: Duration = Duration::from_millis(100);

impl Processes {
    /// Starts all; when one does not start, those that did go down with this process.
    pub(super) fn start(dir: &Path, nodes: usize) -> Result<Self, CommandError> {
        let mut processes = Vec::new();
        for role in (0..nodes).map(Role::Node).chain([Role::Gateway]) {
            let (place, command) = match role {
                Role::Node(i) => (dir.join(format!("node-{i}")), "run"),
                Role::Gateway => (dir.join("gateway"), "gateway"),
            };
            processes.push(Process::start(role, place, command)?);
        }
        Ok(Self(processes))
    }

    fn get(&self, role: Role) -> &Process {
        self.0.iter().find(|p| p.role == role).expect("every role was started")
    }

    /// Its process id.
    pub(super) fn pid(&self, role: Role) -> u32 {
        self.get(role).pid
    }

    /// Its log.
    pub(super) fn log(&self, role: Role) -> PathBuf {
        self.get(role).place.join("log")
    }

    /// The last lines of its log.
    pub(super) fn last_words(&self, role: Role) -> String {
        let text = fs::read_to_string(self.log(role)).unwrap_or_default();
        let lines: Vec<_> = text.lines().rev().take(4).collect();
        lines.into_iter().rev().map(|line| format!("  {line}\n")).collect()
    }

    /// A process that has ended since the last look, and how.
    pub(super) fn poll_death(&mut self) -> Option<(Role, String)> {
        self.0.iter_mut().find_map(|process| {
            let status = process.child.as_mut()?.try_wait().ok()??;
            process.buried();
            Some((process.role, describe(status)))
        })
    }

    /// Waits for the next death.
    pub(super) async fn next_death(&mut self) -> (Role, String) {
        loop {
            if let Some(death) = self.poll_death() {
                return death;
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Nodes that run.
    pub(super) fn nodes_alive(&self) -> usize {
        self.0.iter().filter(|p| p.role != Role::Gateway && p.child.is_some()).count()
    }

    /// Whether nothing runs any more.
    pub(super) fn all_dead(&self) -> bool {
        self.0.iter().all(|p| p.child.is_none())
    }

    /// Asks all to stop, the gateway first, and waits for them; kills what does not stop in time.
    pub(super) async fn stop_all(&mut self, output: &Output) {
        for process in self.0.iter_mut().rev() {
            if process.role == Role::Gateway {
                process.ask();
                process.wait(output).await;
            }
        }
        self.0.iter().for_each(Process::ask);
        for process in &mut self.0 {
            process.wait(output).await;
        }
    }
}

impl Process {
    fn start(role: Role, place: PathBuf, command: &str) -> Result<Self, CommandError> {
        let binary = std::env::current_exe()
            .map_err(|e| CommandError::failed("dev.binary", format!("this binary cannot be found again: {e}"), ""))?;
        let log_path = place.join("log");
        let log = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&log_path)
            .map_err(|e| CommandError::file("open", &log_path, e))?;
        let child = Command::new(&binary)
            .envs(allocator())
            .arg(command)
            .arg("--config")
            .arg(place.join("config.toml"))
            .arg("--end-with-parent")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            // Ctrl-C goes to this process alone, which then stops them in order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|e| CommandError::file("start", &binary, e))?;
        let pid = child.id().expect("a child that was not waited for has an id");
        let pid_path = place.join("pid");
        fs::write(&pid_path, format!("{pid}\n")).map_err(|e| CommandError::file("write", &pid_path, e))?;
        Ok(Self { role, place, pid, child: Some(child) })
    }

    fn ask(&self) {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        if let (Some(_), Some(pid)) = (&self.child, pid) {
            // It may have ended this moment: that is what was wanted.
            let _ = kill_process(pid, Signal::TERM);
        }
    }

    async fn wait(&mut self, output: &Output) {
        let Some(child) = self.child.as_mut() else { return };
        if tokio::time::timeout(DEV_STOP_MAX, child.wait()).await.is_err() {
            output.line(format!("{} did not stop within {} s and is killed", self.role, DEV_STOP_MAX.as_secs()));
            // Gone already, or gone now.
            let _ = child.kill().await;
        }
        self.buried();
    }

    fn buried(&mut self) {
        self.child = None;
        // A stale number would name somebody else's process one day.
        let _ = fs::remove_file(self.place.join("pid"));
    }
}

fn describe(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("killed by signal {signal}"),
        (_, Some(code)) => format!("exit code {code}"),
        _ => "for no reason that the system gives".into(),
    }
}
