//! What commands over many documents share: how far they are, on a terminal; and their errors in words.

use std::io::{IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use testamur_client::bulk::error::{BulkError, Fault};
use testamur_client::bulk::folder::Progress;

use crate::exit::{CommandError, Exit};
use crate::output::Output;

/// How often the line is drawn again: fast enough to look alive, slow enough to cost nothing.
const DRAWN_EVERY: Duration = Duration::from_millis(200);
/// How often it is looked whether the work is done: the command ends this much later at most.
const LOOKED_EVERY: Duration = Duration::from_millis(20);

/// Does `work` while a line on stderr says how far it is; only on a terminal.
pub(crate) fn shown<T>(output: &Output, doing: &str, progress: &Progress, work: impl FnOnce() -> T) -> T {
    if output.is_json() || output.is_quiet() || !std::io::stderr().is_terminal() {
        return work();
    }
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut waited = Duration::ZERO;
            while !done.load(Ordering::Relaxed) {
                if waited >= DRAWN_EVERY {
                    waited = Duration::ZERO;
                    // Whoever does not see it loses nothing.
                    let _ = write!(std::io::stderr().lock(), "\r\u{1b}[K{doing} {}", line(progress));
                }
                std::thread::sleep(LOOKED_EVERY);
                waited += LOOKED_EVERY;
            }
            let _ = write!(std::io::stderr().lock(), "\r\u{1b}[K");
        });
        // Set on a panic, too: the scope would wait for the line for ever.
        let _end = Ends(&done);
        work()
    })
}

struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn line(progress: &Progress) -> String {
    let read = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    let (documents, found, omitted) = (read(&progress.documents), read(&progress.found), read(&progress.omitted));
    // As long as the folder is gone through, nobody knows of how many.
    let of =
        if progress.walked.load(Ordering::Relaxed) { format!("of {found}") } else { format!("of {found} or more") };
    let left_out = if omitted > 0 { format!(", {omitted} left out") } else { String::new() };
    format!("{documents} {of}, {}{left_out}", size(read(&progress.bytes)))
}

/// `1.4 GB`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 4] =
        [(1_000_000_000_000, "TB"), (1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    match UNITS.into_iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => format!("{}.{} {name}", bytes / unit, bytes % unit * 10 / unit),
        None => format!("{bytes} B"),
    }
}

/// An error over many documents, and what to do about it.
pub(crate) fn failed(error: &BulkError) -> CommandError {
    let hint = match error {
        BulkError::Io { source, .. } => match source.kind() {
            std::io::ErrorKind::StorageFull => "free some disk space, then run the same command again: it goes on",
            std::io::ErrorKind::NotFound => "check the path",
            std::io::ErrorKind::PermissionDenied => "run it as the user that owns it",
            _ => "run the same command again: it goes on where it was",
        },
        BulkError::Container { fault: Fault::NotAContainer, .. } => {
            "name the NAME.receipts that `testamur notarise` made"
        }
        BulkError::Container { fault: Fault::UnknownVersion(_), .. } => "get a newer `testamur`",
        BulkError::Container { fault: Fault::Unfinished, .. } => "run the `testamur notarise` again that began it",
        BulkError::Container { .. } => "take it from a backup, or from who gave it to you; keep the damaged one",
        BulkError::Exists(_) => "verify with it, or name another with --container",
        BulkError::Busy(_) => "wait for the other one, or name another with --container",
        BulkError::OtherSettings(_) => "use the same options as then, or name another with --container",
        BulkError::Rows(_) => "nothing was notarised; mend the lines and run it again",
        BulkError::Pattern { .. } => "`*.tmp`, `cache/`, `logs/**/*.log` are patterns",
        BulkError::NotAFolder(_) => "take single receipts from it with `testamur receipt cut`",
        _ => "",
    };
    CommandError::failed(error.code(), error, hint)
}

/// What a damaged or foreign container means for a verdict; `None` for what is not the container's fault.
pub(crate) fn verdict_of(error: &BulkError) -> Option<Exit> {
    match error {
        BulkError::Container { fault: Fault::UnknownVersion(_) | Fault::Unfinished, .. } => Some(Exit::CannotTell),
        BulkError::Container { .. } => Some(Exit::NotValid),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        for (bytes, text) in
            [(0, "0 B"), (999, "999 B"), (1_000, "1.0 kB"), (1_960_000_000, "1.9 GB"), (25 << 40, "27.4 TB")]
        {
            assert_eq!(size(bytes), text);
        }
    }
}
