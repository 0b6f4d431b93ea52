//! A validator's directory, and the program that commits to it (`node/daemon/src/bin/testamur-faults/commits.rs`).

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::{faulty_binary, testamur};

/// How long one run may take: it is done in well below a second on a quiet machine.
const MOST: Duration = Duration::from_secs(120);
/// SIGKILL.
const KILLED: i32 = 9;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::campaign) enum End {
    /// It did all that it was to do.
    Done,
    /// It met a fatal error, said so and ended, as a node does.
    Fatal,
    /// It was killed.
    Killed,
}

/// A validator's files, and beside them what it has promised.
#[derive(Debug, Clone)]
pub(in crate::campaign) struct Commits {
    /// The validator's directory: ledger, guard, genesis.
    pub(in crate::campaign) dir: PathBuf,
    /// The promises' file: where no fault is made.
    pub(in crate::campaign) promises: PathBuf,
    /// The last run's words.
    pub(in crate::campaign) words: PathBuf,
}

impl Commits {
    /// In a folder.
    fn at(folder: &Path) -> Self {
        Self { dir: folder.join("validator"), promises: folder.join("promises"), words: folder.join("said") }
    }

    /// A new validator in a folder that need not exist.
    pub(in crate::campaign) fn prepare(folder: &Path) -> Self {
        fs::create_dir_all(folder).expect("a folder can be made");
        let commits = Self::at(folder);
        let mut command = commits.command(&["prepare"]);
        command.arg(&commits.dir);
        assert_eq!(commits.run(command), End::Done);
        fs::write(&commits.promises, "").expect("written");
        commits
    }

    /// A copy of it all in a folder of its own.
    pub(in crate::campaign) fn copy_to(&self, folder: &Path) -> Self {
        fs::create_dir_all(folder).expect("a folder can be made");
        let copied = Command::new("cp").arg("-r").args([&self.dir, &self.promises]).arg(folder).status();
        assert!(copied.is_ok_and(|status| status.success()), "cp is there");
        Self::at(folder)
    }

    /// `testamur-faults commits WORDS…`, for [`Commits::run`].
    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(faulty_binary());
        command.arg("commits").args(words);
        command
    }

    /// Commits until a height, all tables merged every so many blocks.
    pub(in crate::campaign) fn until(&self, height: u64, merge: u64) -> Command {
        let mut command = self.command(&["run"]);
        command.args([&self.dir, &self.promises]).args([height.to_string(), merge.to_string()]);
        command
    }

    /// Runs a command of this validator to its end.
    ///
    /// # Panics
    /// When it breaks a promise, panics or hangs.
    pub(in crate::campaign) fn run(&self, command: Command) -> End {
        self.ended(command).unwrap_or_else(|how| panic!("{how}"))
    }

    /// How a command ended, or how it did and never may.
    fn ended(&self, mut command: Command) -> Result<End, String> {
        let file = fs::File::create(&self.words).expect("a file for its words");
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file).spawn();
        let mut child = spawned.unwrap_or_else(|e| panic!("{command:?}: {e}"));
        let began = Instant::now();
        let status = loop {
            match child.try_wait().expect("it can be waited for") {
                Some(status) => break status,
                None if began.elapsed() > MOST => {
                    child.kill().expect("it can be killed");
                    child.wait().expect("it can be waited for");
                    return Err(format!("it hangs: {command:?}"));
                }
                None => std::thread::sleep(Duration::from_millis(2)),
            }
        };
        ends(status).ok_or_else(|| format!("{status}: {}", self.said()))
    }

    /// What must hold after any fault: the validator goes on by itself, every promise is kept, and `testamur check`
    /// derives the whole ledger without a finding. The height it reached.
    pub(in crate::campaign) fn recover(&self, until: u64) -> u64 {
        assert_eq!(self.run(self.until(until, u64::MAX)), End::Done, "it starts again and goes on: {}", self.said());
        self.verify()
    }

    /// As [`Commits::judged`].
    ///
    /// # Panics
    /// When it does not hold.
    pub(in crate::campaign) fn verify(&self) -> u64 {
        self.judged().unwrap_or_else(|why| panic!("{why}"))
    }

    /// Whether every promise is kept and `testamur check` finds nothing: the ledger's height, or what is wrong.
    pub(in crate::campaign) fn judged(&self) -> Result<u64, String> {
        let mut command = self.command(&["verify"]);
        command.args([&self.dir, &self.promises]);
        if self.ended(command)? != End::Done {
            return Err(format!("it does not open: {}", self.said()));
        }
        let checked = testamur(&self.dir)
            .args(["check", "--json", "--data"])
            .arg(self.dir.join("data"))
            .arg("--genesis")
            .arg(self.dir.join("genesis.json"))
            .output()
            .expect("the binary runs");
        let report: Value = serde_json::from_slice(&checked.stdout).unwrap_or(Value::Null);
        match report["height"].as_u64() {
            Some(height) if checked.status.success() && report["clean"] == true => Ok(height),
            _ => Err(format!("testamur check: {report} {}", String::from_utf8_lossy(&checked.stderr))),
        }
    }

    /// The last run's words.
    pub(in crate::campaign) fn said(&self) -> String {
        fs::read_to_string(&self.words).unwrap_or_default().trim().to_owned()
    }

    /// How much was promised so far: bytes of whole lines.
    pub(in crate::campaign) fn promised(&self) -> u64 {
        fs::metadata(&self.promises).map_or(0, |file| file.len())
    }
}

/// `None`: in a way that no node may end.
fn ends(status: ExitStatus) -> Option<End> {
    match (status.code(), status.signal()) {
        (Some(0), _) => Some(End::Done),
        (Some(1), _) => Some(End::Fatal),
        (_, Some(KILLED)) => Some(End::Killed),
        _ => None,
    }
}
