//! A line on standard error that says how far a long command is; nothing where nobody looks.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use crate::output::Output;

/// How often the line changes.
const INTERVAL: Duration = Duration::from_millis(200);

/// The line.
pub(crate) struct Progress {
    shown: Option<Instant>,
    wanted: bool,
}

impl Progress {
    /// Shown to people at a terminal only.
    pub(crate) fn new(output: &Output) -> Self {
        let wanted = !output.is_json() && !output.is_quiet() && std::io::stderr().is_terminal();
        Self { shown: None, wanted }
    }

    /// Shows this now, unless something was shown a moment ago.
    pub(crate) fn show(&mut self, text: impl FnOnce() -> String) {
        if self.wanted && self.shown.is_none_or(|at| at.elapsed() >= INTERVAL) {
            self.shown = Some(Instant::now());
            eprint!("\r\x1b[K{}", text());
        }
    }

    /// Takes the line away.
    pub(crate) fn clear(&mut self) {
        if self.shown.take().is_some() {
            eprint!("\r\x1b[K");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}
