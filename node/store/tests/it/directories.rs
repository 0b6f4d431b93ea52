//! Data directories: restarts, kills, other networks' and other nodes' directories, backups.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use testamur_primitives::units::{Height, UnixTime};
use testamur_store::testing::TestNetwork;
use testamur_store::{Health, Ledger, NodeIdentity, Options, StoreError, check};

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A copy of the files of a running store is what a kill leaves: nothing was closed or flushed by us.
#[test]
fn what_a_kill_leaves_opens_at_the_last_acknowledged_block() {
    let (network, directory) = (TestNetwork::new(), tempfile::tempdir().unwrap());
    let ledger = network.open(directory.path(), 0).unwrap();
    for round in 0..12 {
        network.grow(&ledger, 1, 40);
        let image = tempfile::tempdir().unwrap();
        copy(directory.path(), image.path());
        let tip = ledger.tip();
        let opened = network.open(image.path(), 0).unwrap();
        assert_eq!(*opened.tip(), *tip, "round {round}");
        network.grow(&opened, 2, 3);
        drop(opened);
        assert!(check(image.path(), &network.genesis, |_| ()).unwrap().is_clean());
    }
}

const CHILD: &str = "TESTAMUR_STORE_CHILD";

/// The process that the next test kills: commits blocks and says which are final, for as long as it lives.
#[test]
fn child_commits_until_killed() {
    let Some(directory) = std::env::var_os(CHILD) else { return };
    let network = TestNetwork::new();
    let ledger = network.open(Path::new(&directory), 0).expect("open");
    let mut out = std::io::stdout();
    loop {
        network.grow(&ledger, 1, 100);
        writeln!(out, "final {}", ledger.tip().height()).and_then(|()| out.flush()).expect("the parent reads");
    }
}

/// INV-STORE-1. A real process, killed with SIGKILL at arbitrary moments: every block that it called final is there, and whole.
#[test]
fn a_killed_process_loses_nothing_it_called_final() {
    let (network, directory) = (TestNetwork::new(), tempfile::tempdir().unwrap());
    let mut total = 0;
    for round in 0..15u32 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "directories::child_commits_until_killed", "--nocapture"])
            .env(CHILD, directory.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // Killed somewhere in the block after the third to ninth that it called final.
        let mut wanted = 3 + round % 7;
        let mut acknowledged = 0;
        while wanted > 0 {
            let line = lines.next().expect("the child lives").unwrap();
            if let Some(height) = line.strip_prefix("final ") {
                acknowledged = height.parse().unwrap();
                wanted -= 1;
            }
        }
        let spin = std::time::Instant::now();
        while spin.elapsed().as_micros() < u128::from(round) * 700 {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What it wrote between the last line read and the kill was called final, too.
        let rest = lines.map_while(Result::ok).filter_map(|l| l.strip_prefix("final ").and_then(|h| h.parse().ok()));
        let acknowledged = rest.fold(acknowledged, u64::max);
        let tip = network.open(directory.path(), 0).unwrap().tip().height().0;
        assert!(
            tip == acknowledged || tip == acknowledged + 1,
            "round {round}: {acknowledged} acknowledged, {tip} there"
        );
        total = tip;
    }
    let report = check(directory.path(), &network.genesis, |_| ()).unwrap();
    assert_eq!(report.findings, Vec::new());
    assert!(total >= 45, "{total}");
}

/// The log is cut at every kind of place inside the last block's write: the block before is the tip, and nothing is
/// half there. Cut where nothing of the last write is left, it is simply not there.
#[test]
fn a_write_cut_short_was_never_acknowledged() {
    let (network, directory) = (TestNetwork::new(), tempfile::tempdir().unwrap());
    let ledger = network.open(directory.path(), 0).unwrap();
    network.grow(&ledger, 3, 40);
    let wal = |directory: &Path| {
        let logs = std::fs::read_dir(directory.join("db")).unwrap().map(|e| e.unwrap().path());
        logs.filter(|p| p.extension().is_some_and(|e| e == "log")).max().expect("a write-ahead log")
    };
    let before = std::fs::metadata(wal(directory.path())).unwrap().len();
    network.grow(&ledger, 1, 200);
    let after = std::fs::metadata(wal(directory.path())).unwrap().len();
    assert!(after > before + 100_000, "{before} {after}");
    for cut in [before, before + 1, before + 7, before + 8, before + 5_000, (before + after) / 2, after - 1] {
        let image = tempfile::tempdir().unwrap();
        copy(directory.path(), image.path());
        std::fs::File::options().write(true).open(wal(image.path())).unwrap().set_len(cut).unwrap();
        let opened = network.open(image.path(), 0).unwrap();
        assert_eq!(opened.tip().height(), Height(3), "cut at {cut} of {after}");
        network.grow(&opened, 2, 3);
        drop(opened);
        assert!(check(image.path(), &network.genesis, |_| ()).unwrap().is_clean(), "cut at {cut}");
    }
}

/// A flipped bit in the log is damage, never a shorter ledger.
#[test]
fn a_damaged_log_refuses_to_open() {
    let (network, directory) = (TestNetwork::new(), tempfile::tempdir().unwrap());
    let ledger = network.open(directory.path(), 0).unwrap();
    network.grow(&ledger, 4, 40);
    let db = directory.path().join("db");
    let logs = std::fs::read_dir(&db).unwrap().map(|e| e.unwrap().path());
    let wal = logs.filter(|p| p.extension().is_some_and(|e| e == "log")).max().unwrap();
    let bytes = std::fs::read(&wal).unwrap();
    let mut refused = 0;
    for place in (0..bytes.len()).step_by(bytes.len() / 40) {
        let image = tempfile::tempdir().unwrap();
        copy(directory.path(), image.path());
        let mut damaged = bytes.clone();
        damaged[place] ^= 0x10;
        std::fs::write(image.path().join("db").join(wal.file_name().unwrap()), damaged).unwrap();
        match network.open(image.path(), 0) {
            Err(error) => {
                assert!(error.is_fatal(), "{error}");
                refused += 1;
            }
            // A flipped length can make the last write look cut short; never may an older one vanish.
            Ok(opened) => assert!(opened.tip().height() >= Height(3), "byte {place}: {}", opened.tip().height()),
        }
    }
    assert!(refused >= 35, "{refused}");
}

#[test]
fn another_networks_or_nodes_directory_is_refused() {
    let (network, other) = (TestNetwork::new(), TestNetwork::named("other", 4, 2));
    let directory = tempfile::tempdir().unwrap();
    network.grow(&network.open(directory.path(), 0).unwrap(), 1, 1);

    let message = other.open(directory.path(), 0).unwrap_err().to_string();
    assert!(
        message.contains("it belongs to network") && message.contains(&network.genesis.hash().to_string()),
        "{message}"
    );
    let message = network.open(directory.path(), 1).unwrap_err().to_string();
    assert!(message.contains("it belongs to node"), "{message}");
    let options = Options { node: NodeIdentity::Observer, health: Health::default() };
    let error = Ledger::open(directory.path(), network.genesis.clone(), options).unwrap_err();
    assert!(error.to_string().contains("this is node observer") && !error.is_fatal(), "{error}");
    let message = check(directory.path(), &other.genesis, |_| ()).unwrap_err().to_string();
    assert!(message.contains("it belongs to network"), "{message}");

    // The identity file alone does not decide: the database says whose it is, too.
    let text = std::fs::read_to_string(directory.path().join("identity")).unwrap();
    let changed = text.replace(&network.validators[0].address.to_string(), &network.validators[1].address.to_string());
    std::fs::write(directory.path().join("identity"), changed).unwrap();
    let message = network.open(directory.path(), 1).unwrap_err().to_string();
    assert!(message.contains("its node is not the expected one"), "{message}");

    let strangers = tempfile::tempdir().unwrap();
    std::fs::write(strangers.path().join("thesis.txt"), "mine").unwrap();
    let message = network.open(strangers.path(), 0).unwrap_err().to_string();
    assert!(message.contains("no identity file"), "{message}");
}

#[test]
fn a_directory_in_use_is_refused_and_free_after_its_user_ends() {
    let (network, directory) = (TestNetwork::new(), tempfile::tempdir().unwrap());
    let ledger = network.open(directory.path(), 0).unwrap();
    let error = network.open(directory.path(), 0).unwrap_err();
    assert!(matches!(error, StoreError::Locked { .. }) && error.to_string().contains("in use"), "{error}");
    assert!(matches!(check(directory.path(), &network.genesis, |_| ()), Err(StoreError::Locked { .. })));
    drop(ledger);
    network.open(directory.path(), 0).unwrap();
}

/// An older backup opens at its own height and takes the later blocks again.
#[test]
fn an_older_backup_catches_up() {
    let (network, directory) = (TestNetwork::new(), tempfile::tempdir().unwrap());
    let ledger = network.open(directory.path(), 0).unwrap();
    network.grow(&ledger, 3, 10);
    let backup = tempfile::tempdir().unwrap();
    copy(directory.path(), backup.path());
    network.grow(&ledger, 4, 10);
    let restored = network.open(backup.path(), 0).unwrap();
    assert_eq!(restored.tip().height(), Height(3));
    for height in 4..=7 {
        let decided = ledger.view().unwrap().decided(Height(height)).unwrap().unwrap();
        let block = testamur_primitives::block::Block::decode(&decided.bytes).unwrap();
        let records = block.records.into_iter();
        let records = records.map(|r| std::sync::Arc::new(testamur_registry::check_stateless(r).unwrap())).collect();
        let prepared = restored.validate(&block.header, records).unwrap().unwrap();
        restored.commit(&prepared, &decided.certificate, None, &[]).unwrap();
    }
    assert_eq!(*restored.tip(), *ledger.tip());
}

/// A start that was killed before genesis was on disk starts again.
#[test]
fn a_start_that_was_cut_short_starts_again() {
    let (network, directory) = (TestNetwork::new(), tempfile::tempdir().unwrap());
    std::fs::write(directory.path().join("identity.new"), "testamur da").unwrap();
    drop(network.open(directory.path(), 0).unwrap());
    std::fs::remove_dir_all(directory.path().join("db")).unwrap();
    let ledger = network.open(directory.path(), 0).unwrap();
    assert_eq!(ledger.tip().height(), Height(0));
    assert!(ledger.free_bytes().unwrap() > 0);
    network.commit(&ledger, UnixTime(ledger.tip().header.time.0 + 1), &[]);
    assert!(ledger.usage().memtable_bytes > 0);
}
