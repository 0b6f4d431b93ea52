//! Backups and what is restored from them; directories that change their node.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use testamur_primitives::units::{Height, UnixTime};
use testamur_store::testing::TestNetwork;
use testamur_store::{
    BackupError, Health, Ledger, NodeIdentity, Options, StoreError, change_node, check, manifest, node_of, restore,
};

fn open(network: &TestNetwork, directory: &Path, node: NodeIdentity) -> Result<Ledger, StoreError> {
    Ledger::open(directory, Arc::clone(&network.genesis), Options { node, health: Health::default() })
}

/// INV-BACKUP-1 and 2: taken in the middle of commits, it is a whole ledger, and serves what the original serves.
#[test]
fn a_backup_under_load_is_a_whole_ledger() {
    let (network, directory) = (TestNetwork::new(), tempfile::tempdir().unwrap());
    let place = |name: &str| directory.path().join(name);
    let ledger = network.open(&place("node"), 0).unwrap();
    let ids = network.grow(&ledger, 5, 40);
    let stop = AtomicBool::new(false);
    let manifests = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                network.grow(&ledger, 1, 20);
            }
        });
        let manifests: Vec<_> =
            (0..4).map(|n| ledger.backup(&place(&format!("backup-{n}")), |_| ()).unwrap()).collect();
        stop.store(true, Ordering::Relaxed);
        manifests
    });
    assert!(manifests.windows(2).all(|pair| pair[0].height <= pair[1].height));
    for (n, made) in manifests.iter().enumerate() {
        let backup = place(&format!("backup-{n}"));
        assert_eq!(manifest(&backup).unwrap(), *made);
        let header = ledger.view().unwrap().header(made.height).unwrap().unwrap();
        assert_eq!((header.hash, header.header.log_size), (made.header, made.records));
        assert!(!place(&format!("backup-{n}.partial")).exists());
        assert!(made.files.iter().all(|file| !file.name.contains("guard")), "INV-BACKUP-3");
        let other = network.validators[3].address;
        for (name, node) in [("o", NodeIdentity::Observer), ("v", NodeIdentity::Validator(other))] {
            let restored = place(&format!("restored-{n}-{name}"));
            let mut bytes = 0;
            restore(&backup, &restored, &network.genesis, node, |progress| bytes = progress.bytes).unwrap();
            assert_eq!(bytes, made.bytes());
            let copy = open(&network, &restored, node).unwrap();
            assert_eq!(copy.tip().hash, made.header);
            for id in &ids {
                let (here, there) = (copy.view().unwrap(), ledger.view().unwrap());
                assert_eq!(here.receipt(id).unwrap(), there.receipt(id).unwrap());
            }
            network.grow(&copy, 2, 3);
            drop(copy);
            assert_eq!(check(&restored, &network.genesis, |_| ()).unwrap().findings, Vec::new());
        }
        // A backup is not a node's directory.
        assert!(matches!(open(&network, &backup, NodeIdentity::Observer), Err(StoreError::Foreign { .. })));
        assert_eq!(manifest(&backup).unwrap(), *made, "and looking at it, or growing a copy, leaves it as it was");
        restore(&backup, &place(&format!("again-{n}")), &network.genesis, NodeIdentity::Observer, |_| ()).unwrap();
    }
}

#[test]
fn what_is_no_backup_or_a_damaged_one_is_named() {
    let (network, directory) = (TestNetwork::new(), tempfile::tempdir().unwrap());
    let place = |name: &str| directory.path().join(name);
    let ledger = network.open(&place("node"), 0).unwrap();
    network.grow(&ledger, 5, 40);
    let backup = place("backup");
    let made = ledger.backup(&backup, |_| ()).unwrap();
    let to = place("restored");
    let go = |genesis| {
        let error = restore(&backup, &to, genesis, NodeIdentity::Observer, |_| ()).expect_err("refused");
        assert!(!to.exists() && !place("restored.partial").exists(), "{error}");
        assert!(!error.is_fatal());
        error
    };
    let stranger = TestNetwork::named("stranger", 4, 2);
    assert!(matches!(go(&stranger.genesis), BackupError::OtherNetwork { .. }));
    for file in &made.files {
        let path = backup.join("db").join(&file.name);
        let bytes = std::fs::read(&path).unwrap();
        let mut flipped = bytes.clone();
        if let Some(last) = flipped.last_mut() {
            *last ^= 1;
        }
        // The files are shared with the node that runs: a copy is damaged, never the original.
        let damage = |bytes: Option<&[u8]>| {
            std::fs::remove_file(&path).unwrap();
            if let Some(bytes) = bytes {
                std::fs::write(&path, bytes).unwrap();
            }
        };
        let cut = &bytes[..bytes.len().saturating_sub(1)];
        for bad in [Some(flipped.as_slice()), Some(cut), None].into_iter().filter(|bad| *bad != Some(&bytes[..])) {
            damage(bad);
            let error = go(&network.genesis);
            assert!(matches!(&error, BackupError::Damaged { path: found, .. } if *found == path), "{error}");
            std::fs::write(&path, b"").unwrap();
        }
        damage(Some(&bytes));
    }
    let text = std::fs::read(backup.join("manifest.json")).unwrap();
    let changed = String::from_utf8(text.clone()).unwrap();
    let changed = changed.replace(&format!(r#""height":{}"#, made.height), r#""height":4"#);
    std::fs::write(backup.join("manifest.json"), changed).unwrap();
    assert!(matches!(go(&network.genesis), BackupError::Damaged { .. }));
    let outside = String::from_utf8(text.clone()).unwrap().replace(&made.files[0].name, "../node/identity");
    for bad in [&text[..text.len() - 1], &[b" ", &text[..]].concat(), outside.as_bytes()] {
        std::fs::write(backup.join("manifest.json"), bad).unwrap();
        assert!(matches!(go(&network.genesis), BackupError::NotABackup { .. }));
    }
    std::fs::remove_file(backup.join("manifest.json")).unwrap();
    assert!(go(&network.genesis).to_string().contains("has no manifest.json"));
    std::fs::write(backup.join("manifest.json"), &text).unwrap();
    std::fs::create_dir(&to).unwrap();
    std::fs::write(to.join("letter.txt"), "mine").unwrap();
    let error = restore(&backup, &to, &network.genesis, NodeIdentity::Observer, |_| ()).unwrap_err();
    assert!(matches!(error, BackupError::NotEmpty(_)), "{error}");
    assert!(matches!(ledger.backup(&to, |_| ()), Err(BackupError::NotEmpty(_))));
    assert_eq!(ledger.health().reason(), None, "none of this stops the node");
}

#[test]
fn a_directory_changes_its_node_when_it_is_told_to() {
    let (network, directory) = (TestNetwork::new(), tempfile::tempdir().unwrap());
    let place = directory.path().join("node");
    let (observer, validator) = (NodeIdentity::Observer, NodeIdentity::Validator(network.validators[2].address));
    let other = NodeIdentity::Validator(network.validators[1].address);
    let hash = network.genesis.hash();
    assert!(matches!(change_node(&place, hash, observer, validator), Err(StoreError::Foreign { .. })));
    network.grow(&open(&network, &place, observer).unwrap(), 3, 3);
    assert!(matches!(open(&network, &place, validator), Err(StoreError::Foreign { .. })));
    assert!(matches!(change_node(&place, hash, other, validator), Err(StoreError::Foreign { .. })));
    let foreign = TestNetwork::named("stranger", 4, 2).genesis.hash();
    assert!(matches!(change_node(&place, foreign, observer, validator), Err(StoreError::Foreign { .. })));
    for (from, to) in [(observer, validator), (observer, validator), (validator, observer), (observer, validator)] {
        change_node(&place, hash, from, to).unwrap();
        assert_eq!(node_of(&place).unwrap().unwrap().1, to.to_string());
        assert!(open(&network, &place, from).is_err());
        let ledger = open(&network, &place, to).unwrap();
        assert!(matches!(change_node(&place, hash, to, from), Err(StoreError::Locked { .. })));
        let time = UnixTime(ledger.tip().header.time.0 + 10);
        network.commit(&ledger, time, &[]);
    }
    // A crash between row and file: the row is the validator's, the file the observer's.
    let identity = std::fs::read_to_string(place.join("identity")).unwrap();
    let old = identity.replace(&validator.to_string(), "observer");
    std::fs::write(place.join("identity"), old).unwrap();
    assert!(open(&network, &place, observer).is_err() && open(&network, &place, validator).is_err());
    change_node(&place, hash, observer, validator).unwrap();
    assert_eq!(open(&network, &place, validator).unwrap().tip().height(), Height(7));
    assert_eq!(check(&place, &network.genesis, |_| ()).unwrap().findings, Vec::new());
}
