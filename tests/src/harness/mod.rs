//! Real validators on loopback, driven as a screenplay: start, kill, wipe, restore, load, and at the end the oracle.
//!
//! **The oracle** ([`Network::check`], in `oracle.rs`), at the end of every run:
//! 1. no node saw a double signature, and no guard holds two messages for a slot;
//! 2. all nodes have the same header at *every* height and the same records at every place, each record once;
//! 3. every checkpoint that any node ever served ([`Watch`] reads them all the time) is certified by the epoch's validators,
//!    is of that one ledger, and is a prefix of the log; the nodes prove the same to each other;
//! 4. every record that was answered as final stands where the answer said, on every node;
//! 5. every receipt that was ever handed out verifies offline, is of that log, and can be cut out anew from every node;
//! 6. what clients saw, in the order they saw it, is what one log could have shown them ([`history`]);
//! 7. `testamur check` derives every node's ledger from genesis without a finding.

mod clock;
mod development;
mod guard;
pub mod history;
mod http;
mod liar;
mod links;
mod load;
mod members;
mod network;
mod oracle;
mod services;
mod watch;

pub use clock::FakeClock;
pub use development::Development;
pub use guard::{Slot, signed_slots};
pub use http::{Client, Response, request, send_raw};
pub use liar::{Change, Liar};
pub use links::{Flow, Links, Loss, Shape};
pub use load::{Load, Pace, Written, new_record};
pub use members::{LyingNode, Pulse};
pub use network::{Network, Node, Setup};
pub use oracle::Found;
pub use services::Service;
pub use watch::{Memory, Seen, Watch};

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

/// The `testamur` binary: `TESTAMUR_BIN`, or the release build beside this program.
///
/// # Panics
/// When it was not built: `cargo build --release --bins`.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("TESTAMUR_BIN") {
        return path.into();
    }
    beside("testamur")
}

/// The faulty build, `testamur-faults`: `TESTAMUR_FAULTS_BIN`, or the release build beside this program. Nodes run it by
/// [`Network::start_node_as`], with `FAILPOINTS=name=action;…` in their environment.
///
/// # Panics
/// When it was not built: `scripts/faults-build`.
pub fn faulty_binary() -> PathBuf {
    if let Some(path) = std::env::var_os("TESTAMUR_FAULTS_BIN") {
        return path.into();
    }
    beside("testamur-faults")
}

/// Another program of the same build: it stands beside this one, or above it when this one is a test.
///
/// # Panics
/// When it was not built.
pub fn beside(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("a program has a path");
    let built = own.ancestors().map(|folder| folder.join(name)).find(|path| path.is_file());
    built.unwrap_or_else(|| {
        let how = if ["testamur-faults", "testamur-rot"].contains(&name) {
            "scripts/faults-build"
        } else {
            "cargo build --release --workspace --bins"
        };
        panic!("there is no {name} above {}: {how}", own.display())
    })
}

/// A `testamur` command that sees nothing of the user's installed networks.
pub fn testamur(home: &std::path::Path) -> Command {
    command(&binary(), home)
}

/// As [`testamur`], of another build.
pub fn command(binary: &std::path::Path, home: &std::path::Path) -> Command {
    let mut command = Command::new(binary);
    command.env("TESTAMUR_HOME", home).env("NO_COLOR", "1").env_remove("TESTAMUR_PASSPHRASE_FILE");
    command
}

/// How often conditions are looked at.
const POLL: Duration = Duration::from_millis(25);

/// Waits until a condition holds and returns what it found.
///
/// # Panics
/// When it does not hold in time: says what was waited for.
pub fn wait_for<T>(what: &str, most: Duration, mut condition: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(began.elapsed() < most, "waited {} s for {what}", most.as_secs());
        std::thread::sleep(POLL);
    }
}
