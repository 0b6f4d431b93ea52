//! R16, R17: the same records lead to the same state in every build; networks in simulated time.

use std::collections::BTreeSet;
use std::process::Command;

use super::{beside, repository};
use crate::campaign::{Lane, Row, Run};

pub(super) const ROWS: &[Row] = &[
    Row { id: "R16", name: "same-state", lane: Lane::Machine, ci: 100_000, release: 10_000_000, attack: same_state },
    Row { id: "R17", name: "simulated-networks", lane: Lane::Machine, ci: 300, release: 20_000, attack: simulated },
];

/// The same records in a debug build, and in a release build twice, in processes with hash seeds of their own, each executed
/// and then executed again from genesis.
fn same_state(run: &mut Run) {
    let mut said = BTreeSet::new();
    for (build, processes) in [
        (&["-p", "testamur-primitives", "-p", "testamur-registry", "-p", "testamur-credentials"][..], 1),
        (&["--release", "--workspace"], 2),
    ] {
        // The packages that other steps build together too: nothing of others is built anew.
        let mut cargo = Command::new(env!("CARGO"));
        cargo.arg("build").args(build).args(["--example", "determinism", "--message-format", "json"]);
        let output = cargo.current_dir(repository()).output().expect("cargo is there");
        let text = String::from_utf8_lossy(&output.stdout);
        let messages = text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let named = messages.filter(|message| message["target"]["name"] == "determinism");
        let Some(program) = named.filter_map(|message| Some(message["executable"].as_str()?.to_owned())).next_back()
        else {
            return run.bad(&format!("{cargo:?}: {}", String::from_utf8_lossy(&output.stderr)));
        };
        for _ in 0..processes {
            let output = Command::new(&program).arg(run.count.to_string()).output().expect("it was just built");
            let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            if !output.status.success() || text.is_empty() {
                return run.bad(&format!("{program} ended with {}: {text}", output.status));
            }
            said.insert(text);
        }
    }
    if said.len() > 1 {
        return run.bad(&format!("one ledger, {} ends: {said:?}", said.len()));
    }
    run.good(run.count);
    run.metric("distinct-ends", said.len());
}

fn simulated(run: &mut Run) {
    let program = beside("simulate");
    // The same seeds each time: what fails, fails again, and is no surprise of the day. Longer campaigns go beyond them.
    run.outside(Command::new(program).args(["--runs", &run.count.to_string(), "--seed", "1"]));
}
