//! Faults at system calls: which calls a run makes at which files, and one of them made to fail.
//!
//! `strace` kills at a call or lets it fail; what it cannot do, a write that writes a part, is done by a preloaded library
//! of forty lines (`short_write.c`), because `strace` can change what a call returns and not what it does.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Calls that a ledger's life depends on. `writev` is not among them: promises are written by it.
const CALLS: &str = "write,pwrite64,fsync,fdatasync,sync_file_range,rename,renameat,renameat2,openat,ftruncate,fallocate,\
                     mkdir,mkdirat,unlink,unlinkat,link,linkat";

/// One call that a run makes: the `nth` of its kind at a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::campaign) struct Site {
    /// The system call.
    pub(in crate::campaign) call: String,
    /// The file, by its path in the validator's directory.
    pub(in crate::campaign) file: PathBuf,
    /// Which of these calls, from 1.
    pub(in crate::campaign) nth: u64,
}

/// What goes wrong there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::campaign) enum Fault {
    /// The process is killed before the call does anything.
    Kill,
    /// The call fails, once, or from then on (`true`).
    Fails(&'static str, bool),
    /// The call writes this share (percent) of what it was given, and says so.
    Short(u64),
    /// As `Short`, and then the process is killed: a torn write.
    Torn(u64),
}

impl Fault {
    /// A word for the row's line.
    pub(in crate::campaign) fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Fails(error, _) => error,
            Self::Short(_) => "short",
            Self::Torn(_) => "torn",
        }
    }

    /// What can happen to a call.
    pub(in crate::campaign) fn of(call: &str) -> Vec<Self> {
        let mut faults = vec![Self::Kill, Self::Fails("EIO", false), Self::Fails("EIO", true)];
        if !call.starts_with("unlink") {
            faults.extend([Self::Fails("ENOSPC", false), Self::Fails("ENOSPC", true)]);
        }
        // Once: who repeats a call that was interrupted does so for ever if it always is.
        if matches!(call, "write" | "pwrite64" | "fsync" | "fdatasync" | "openat" | "ftruncate" | "fallocate") {
            faults.push(Self::Fails("EINTR", false));
        }
        if matches!(call, "write" | "pwrite64") {
            faults.extend([Self::Short(1), Self::Short(60), Self::Torn(1), Self::Torn(40), Self::Torn(99)]);
        }
        faults
    }
}

/// The tools: `strace`, and the library, built in a folder.
pub(in crate::campaign) struct Strace {
    library: PathBuf,
}

impl Strace {
    /// The tools, or which is missing.
    pub(in crate::campaign) fn new(folder: &Path) -> Result<Self, &'static str> {
        let strace = Command::new("strace").arg("--version").stdout(Stdio::null()).status();
        if !strace.is_ok_and(|status| status.success()) {
            return Err("strace is not installed");
        }
        let (source, library) = (folder.join("short_write.c"), folder.join("short_write.so"));
        fs::write(&source, include_str!("short_write.c")).expect("written");
        let built = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).args([&library, &source]).status();
        if !built.is_ok_and(|status| status.success()) {
            return Err("there is no C compiler");
        }
        Ok(Self { library })
    }

    /// A command with one fault in it, in a validator's directory. What `strace` sees goes to `log`.
    pub(in crate::campaign) fn fault(
        &self,
        command: &Command,
        dir: &Path,
        site: &Site,
        fault: Fault,
        log: &Path,
    ) -> Command {
        let (path, call) = (dir.join(&site.file), &site.call);
        let mut faulty = match fault {
            Fault::Kill | Fault::Fails(..) => {
                let mut strace = Command::new("strace");
                // Signals are not injected where a filter in the kernel decides what is traced.
                if fault != Fault::Kill {
                    strace.arg("--seccomp-bpf");
                }
                let what = match fault {
                    Fault::Kill => "signal=KILL".to_owned(),
                    Fault::Fails(error, _) => format!("error={error}"),
                    Fault::Short(_) | Fault::Torn(_) => unreachable!("matched above"),
                };
                let on = if matches!(fault, Fault::Fails(_, true)) { "+" } else { "" };
                strace.args(["-f", "-qq", "-o"]).arg(log).arg("-P").arg(path);
                strace.args(["-e", &format!("trace={call}"), "-e", "signal=none"]);
                strace.args(["-e", &format!("inject={call}:{what}:when={}{on}", site.nth)]);
                strace.arg("--").arg(command.get_program());
                strace
            }
            Fault::Short(keep) | Fault::Torn(keep) => {
                let mut command = Command::new(command.get_program());
                command.env("LD_PRELOAD", &self.library).env("SHORT_PATH", path).env("SHORT_CALL", call);
                command.env("SHORT_AT", site.nth.to_string()).env("SHORT_KEEP", keep.to_string());
                if matches!(fault, Fault::Torn(_)) {
                    command.env("SHORT_THEN_DIE", "1");
                }
                command
            }
        };
        faulty.args(command.get_args());
        faulty
    }
}

/// Whether `strace` let a call fail as it was told, by its log.
///
/// # Panics
/// When a call failed with another error than the one that was asked for: the try would show something else than it says.
pub(in crate::campaign) fn hit(log: &Path, error: &str) -> bool {
    let text = fs::read_to_string(log).unwrap_or_default();
    let mut injected = text.lines().filter(|line| line.contains("(INJECTED)")).peekable();
    let met = injected.peek().is_some();
    for line in injected {
        assert!(line.contains(&format!("= -1 {error} ")), "{error} was to be injected: {line}");
    }
    met
}

/// A command that writes every call at the disk into a log, for [`sites`].
fn traced(command: &Command, log: &Path) -> Command {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-y", "--seccomp-bpf", "-s", "4096", "-e", "signal=none", "-o"]).arg(log);
    strace.arg("-e").arg(format!("trace={CALLS}")).arg("--").arg(command.get_program()).args(command.get_args());
    strace
}

/// Every call that a command makes at files of a directory: it is run once, by `run`.
pub(in crate::campaign) fn sites(command: &Command, dir: &Path, log: &Path, run: impl FnOnce(Command)) -> Vec<Site> {
    run(traced(command, log));
    let text = fs::read_to_string(log).expect("strace wrote its log");
    // Calls are counted for each thread, as strace does where it injects.
    let mut counts: BTreeMap<(String, String, PathBuf), u64> = BTreeMap::new();
    for line in text.lines() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let Some((call, arguments)) = rest.trim_start().split_once('(') else { continue };
        let Some(path) = path_of(call, arguments) else { continue };
        let Ok(file) = Path::new(path).strip_prefix(dir) else { continue };
        *counts.entry((thread.to_owned(), call.to_owned(), file.to_owned())).or_default() += 1;
    }
    let mut most: BTreeMap<(String, PathBuf), u64> = BTreeMap::new();
    for ((_, call, file), count) in counts {
        let most = most.entry((call, file)).or_default();
        *most = count.max(*most);
    }
    let each = |((call, file), count): ((String, PathBuf), u64)| {
        (1..=count).map(move |nth| Site { call: call.clone(), file: file.clone(), nth })
    };
    most.into_iter().flat_map(each).collect()
}

/// The file of a call: its name, or that of its descriptor (`3</path>`).
fn path_of<'l>(call: &str, arguments: &'l str) -> Option<&'l str> {
    let by_name = ["rename", "openat", "mkdir", "unlink", "link"].iter().any(|name| call.starts_with(name));
    let (begin, end) = if by_name { ('"', '"') } else { ('<', '>') };
    let (_, rest) = arguments.split_once(begin)?;
    Some(rest.split_once(end)?.0)
}

#[cfg(test)]
mod tests {
    use super::path_of;

    #[test]
    fn a_calls_file_is_found() {
        assert_eq!(path_of("openat", r#"AT_FDCWD</x>, "/d/db/LOG", O_RDWR) = 3</d/db/LOG>"#), Some("/d/db/LOG"));
        assert_eq!(path_of("rename", r#""/d/identity.new", "/d/identity") = 0"#), Some("/d/identity.new"));
        assert_eq!(path_of("fdatasync", "7</d/db/000008.log>) = 0"), Some("/d/db/000008.log"));
        assert_eq!(path_of("write", r#"7</d/guard>, "<x>", 3 <unfinished ...>"#), Some("/d/guard"));
    }
}
