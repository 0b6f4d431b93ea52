//! A wall clock that is wrong, for one process: libfaketime, preloaded. Its monotonic clock stays right.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A clock that can be set while its process runs.
#[derive(Debug, Clone)]
pub struct FakeClock {
    library: PathBuf,
    file: PathBuf,
}

impl FakeClock {
    /// A right clock, whose error is kept in this file. `None` where libfaketime is not installed.
    pub fn new(file: &Path) -> Option<Self> {
        let folders = fs::read_dir("/usr/lib").ok()?;
        let library =
            folders.filter_map(Result::ok).map(|f| f.path().join("faketime/libfaketime.so.1")).find(|p| p.exists())?;
        let clock = Self { library, file: file.to_owned() };
        clock.set("+0");
        Some(clock)
    }

    /// Sets the error, in libfaketime's words: `+3600s`, `-1d`, `+0 x1.5` (half as fast again). A running process sees it
    /// within a second.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn set(&self, error: &str) {
        // In one step: a reader never finds half of it.
        let new = self.file.with_extension("new");
        fs::write(&new, error).expect("written");
        fs::rename(new, &self.file).expect("it takes its place");
    }

    /// Lets a command run by this clock.
    pub fn give(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", &self.library)
            .env("FAKETIME_TIMESTAMP_FILE", &self.file)
            .env("FAKETIME_CACHE_DURATION", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    }
}
