//! R5: fsync says EIO to a real validator under load.
//!
//! After a failed fsync nobody knows what is on the disk, and a second one that succeeds says nothing about what the first
//! one lost. So the process must end, non-zero and soon, ask no second time, acknowledge nothing that its disk does not
//! hold, and join again.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::campaign::{Lane, Random, Row, Run};
use crate::harness::{Network, Setup, binary, testamur, wait_for};

pub(super) const ROWS: &[Row] =
    &[Row { id: "R5", name: "fsync-fails", lane: Lane::Networks, ci: 20, release: 200, attack: fsync_fails }];

/// The validator that it happens to.
const NODE: usize = 3;
/// How soon it must be gone. A figure of the row is how soon it is.
const SOON: Duration = Duration::from_secs(5);

fn fsync_fails(run: &mut Run) {
    if !std::process::Command::new("strace").arg("--version").output().is_ok_and(|o| o.status.success()) {
        return run.skip(run.count, "strace is not installed");
    }
    let mut network = Network::start(&Setup::default());
    let load = network.load();
    let mut gone = Vec::new();
    let mut files = [0; 3];
    for attempt in 0..run.count {
        let mut random = Random::of(run.seed, attempt);
        // The ledger's write-ahead log, the guard, the engine's log.
        let kind = random.index(3);
        // Counted for each thread, and a validator's blocking work is shared out among several.
        let nth = random.within(1..6);
        let what = format!("fsync {nth} of {} fails", ["the ledger", "the guard", "the engine's log"][kind]);
        let took = run.attempt(&what, || {
            network.kill(NODE);
            let log = network.folder().join(format!("strace-{attempt}"));
            let wrapper = wrapper(&network, kind, nth, &log);
            network.start_node_as(NODE, &wrapper, |_| {});
            let words = network.nodes[NODE].dir.join("log");
            wait_for("the validator to end", Duration::from_secs(60), || network.has_ended(NODE).then_some(()));
            let took = judge(&fs::read_to_string(&log).expect("strace wrote its log"));
            let said = fs::read_to_string(words).expect("a log");
            // A node whose engine did not come up has not begun, and says it as any command does.
            let is_why = |l: &str| l.contains("fatal: ") || (l.starts_with("error: ") && l.contains("os error 5"));
            assert!(said.lines().rev().take(40).any(is_why), "it says why it ends");
            acknowledged_no_more_than_stored(&network);
            network.start_node(NODE);
            network.wait_ready();
            network.wait_votes();
            took
        });
        match took {
            Some(took) => {
                gone.push(took);
                files[kind] += 1;
            }
            None => {
                println!("its log ends:\n{}", network.last_words(NODE));
                network.kill(NODE);
                network.start_node(NODE);
            }
        }
    }
    load.stop();
    network.check();
    run.metric("receipts", network.receipts());
    for (name, count) in ["of-the-ledger", "of-the-guard", "of-the-engine"].iter().zip(files) {
        run.metric(name, count);
    }
    run.times("gone", &mut gone);
}

/// A program that runs the validator with one fsync failing.
fn wrapper(network: &Network, kind: usize, nth: u64, log: &Path) -> PathBuf {
    let dir = &network.nodes[NODE].dir;
    let files: Vec<PathBuf> = match kind {
        // The log that the database is going to begin: numbers only grow.
        0 => {
            let db = dir.join("data/db");
            let listed = fs::read_dir(&db).expect("a database").flatten();
            let number = |name: String| name.strip_suffix(".log").or(name.strip_suffix(".sst"))?.parse::<u64>().ok();
            let newest = listed.filter_map(|entry| number(entry.file_name().to_string_lossy().into_owned())).max();
            let newest = newest.unwrap_or(0);
            (newest..newest + 60).map(|number| db.join(format!("{number:06}.log"))).collect()
        }
        1 => vec![dir.join("guard/guard.log"), dir.join("guard/guard.new")],
        _ => fs::read_dir(dir.join("wal")).expect("the engine's log").flatten().map(|entry| entry.path()).collect(),
    };
    let paths: Vec<_> = files.iter().map(|file| format!("-P '{}'", file.display())).collect();
    let wrapper = network.folder().join("validator-with-a-fault");
    let script = format!(
        "#!/bin/sh\nexec strace -f -y -ttt -e signal=none -e trace=fsync,fdatasync,exit_group {} \
         -e inject=fsync,fdatasync:error=EIO:when={nth} -o '{}' -- '{}' \"$@\"\n",
        paths.join(" "),
        log.display(),
        binary().display()
    );
    fs::write(&wrapper, script).expect("written");
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o700)).expect("its mode");
    wrapper
}

/// Reads what `strace` saw: how long the process lived after the failure. It must end by itself, with another code than 0,
/// and never ask again for the file that failed.
fn judge(log: &str) -> Duration {
    let lines: Vec<_> = log.lines().collect();
    let failed = lines.iter().position(|line| line.contains("(INJECTED)")).expect("an fsync failed");
    let time = |line: &str| line.split_whitespace().nth(1).and_then(|time| time.parse::<f64>().ok()).expect("a time");
    let file = |line: &str| Some(line.split_once('<')?.1.split_once('>')?.0.to_owned());
    let its = file(lines[failed]);
    let again = lines[failed + 1..].iter().find(|l| l.contains("sync(") && file(l) == its && !l.contains("(INJECTED)"));
    assert!(again.is_none(), "it asks again after a failure:\n{}\n{}", lines[failed], again.unwrap_or(&""));
    let end = lines.iter().rev().find(|line| line.contains("+++ exited with")).expect("it ended by itself");
    assert!(!end.contains("exited with 0"), "it ends with an error: {end}");
    let took = Duration::from_secs_f64((time(end) - time(lines[failed])).max(0.0));
    assert!(took < SOON, "it lived for {took:?} after the failure");
    took
}

/// Nothing was acknowledged that this validator's disk does not hold.
fn acknowledged_no_more_than_stored(network: &Network) {
    let output = testamur(network.folder()).args(["check", "--json", "--dir"]).arg(&network.nodes[NODE].dir).output();
    let output = output.expect("the binary runs");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    assert_eq!(report["clean"], true, "testamur check: {report} {}", String::from_utf8_lossy(&output.stderr));
    let stored = report["log_size"].as_u64().expect("a size");
    let written = network.written.lock().expect("no thread panics holding it");
    for one in written.iter().filter(|one| one.node == NODE) {
        assert!(
            one.index.is_none_or(|index| index < stored),
            "record {} was acknowledged and is not on its disk",
            one.id
        );
    }
}
