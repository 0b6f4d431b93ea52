//! Damage: every row of every column, changed or removed, is found by `check` where it is, and no read serves it.

use std::collections::BTreeSet;
use std::sync::Arc;

use testamur_primitives::block::encode_value;
use testamur_primitives::commitment::{DigestAlgorithm, DocumentDigest};
use testamur_primitives::did::Did;
use testamur_primitives::hash::RecordId;
use testamur_primitives::record::{Act, Change};
use testamur_primitives::units::{Height, LogIndex, LogSize, Round, UnixTime};
use testamur_store::testing::{
    GENESIS_TIME, TestIssuer, TestNetwork, check_open, columns, digest, overwrite, raw_rows,
};
use testamur_store::{EntryPosition, Ledger, RecordQuery, ScrubPosition, StoreError, Undecided, check};

/// A small ledger with something in every column.
fn build(network: &TestNetwork, directory: &std::path::Path) -> (Ledger, Vec<RecordId>) {
    let ledger = network.open(directory, 0).unwrap();
    let mut ids = network.grow(&ledger, 3, 90);
    let time = UnixTime(ledger.tip().header.time.0 + 1);
    let did = Did::key(&testamur_primitives::key::SigningKey::ed25519(&[99; 32]).public_key());
    let grant =
        Act::Propose { change: Change::GrantWriter { did }, governance_version: 1, expires: UnixTime(time.0 + 9) };
    let record = network.record(&network.operator, "grant", time, grant);
    ids.push(record.record().id());
    network.commit(&ledger, time, &[record]);
    put_undecided(network, &ledger, time);
    (ledger, ids)
}

fn put_undecided(network: &TestNetwork, ledger: &Ledger, time: UnixTime) {
    let block = ledger.propose(network.validators[0].address, time, &[]).unwrap().block;
    let (round, proposer) = (Round(0), network.validators[0].address);
    let bytes = encode_value(block.bytes(), &[[0u8; 0]; 0]).into();
    let undecided = Undecided { round, proposer, value_id: block.value_id(), bytes };
    ledger.put_undecided(ledger.tip().next_height(), &undecided).unwrap();
}

/// Adds a registered issuer and two versions of its status list.
fn add_registries(network: &TestNetwork, ledger: &Ledger) {
    let at = |seconds| UnixTime(ledger.tip().header.time.0 + seconds);
    let issuer = TestIssuer::new(1);
    issuer.onboard(network, ledger, 2, at(1));
    let time = at(1);
    let (first, attachment) = issuer.status(network, "degrees", 1, None, time, &[]);
    network.commit_with(ledger, time, &[Arc::clone(&first)], &[attachment]);
    let time = at(1);
    let (second, attachment) = issuer.status(network, "degrees", 2, Some(first.record().id()), time, &[7]);
    network.commit_with(ledger, time, &[second], &[attachment]);
    put_undecided(network, ledger, time);
}

/// Reads everything that the store serves.
fn read_all(ledger: &Ledger, ids: &[RecordId]) -> Result<(), StoreError> {
    let view = ledger.view()?;
    for id in ids {
        view.receipt(id)?;
    }
    for height in 0..=4 {
        view.block_bytes(Height(height))?;
        view.checkpoint(Height(height))?;
        view.block_ids(Height(height))?;
    }
    view.headers(Height(9), 100)?;
    view.epochs(testamur_primitives::units::Epoch(0), 9)?;
    for (level, tile, width) in [(0, 0, 256), (0, 1, 15), (1, 0, 1)] {
        view.tile(level, tile, width)?;
    }
    view.entry_bundle(0, 256)?;
    view.entry_bundle(1, 15)?;
    for height in 1..=3 {
        for number in 0..90 {
            let document = DocumentDigest::new(DigestAlgorithm::Sha2_256, digest(Height(height), number).to_vec());
            view.notarisations(&document.unwrap(), EntryPosition::default(), 10)?;
        }
        let time = Some(UnixTime(GENESIS_TIME.0 + height * 10));
        view.records(&RecordQuery { time_from: time, limit: 100, ..Default::default() })?;
    }
    for writer in 0..2 {
        let author = Some(Did::key(&TestNetwork::new().writers[writer].public_key()));
        view.records(&RecordQuery { author, limit: 100, ..Default::default() })?;
    }
    for size in [1, 100, 256, 271] {
        view.consistency(LogSize(size), LogSize(271))?;
        view.inclusion(LogIndex(size - 1), LogSize(271))?;
    }
    for to in 1..=4 {
        view.history(Height(to - 1), Height(to))?;
    }
    ledger.undecided(Height(5))?;
    Ok(())
}

/// For a spread of rows of every column: bits flipped in the value, and the row removed. `check` finds all of them and
/// names the column, or the height that cannot be derived any more.
#[test]
fn check_finds_every_changed_and_every_missing_row() {
    let (network, directory) = (TestNetwork::new(), tempfile::tempdir().unwrap());
    let (ledger, _) = build(&network, directory.path());
    add_registries(&network, &ledger);
    let clean = check_open(&ledger).unwrap();
    assert!(clean.is_clean(), "{:?}", clean.findings);
    let mut damaged_columns = BTreeSet::new();
    // A ledger that lacks attachments is not clean.
    let columns: Vec<_> = columns().into_iter().filter(|column| *column != "attachments-missing").collect();
    for column in columns.iter().copied() {
        let rows = raw_rows(&ledger, column);
        assert!(!rows.is_empty(), "{column} is empty");
        for (key, value) in rows.iter().step_by(rows.len().div_ceil(6)) {
            // Undecided blocks and the node's own mark are this node's alone: nothing says that they must exist.
            if key == b"node" {
                continue;
            }
            // An older version's bits may be missing: a node that caught up never had them.
            let newest =
                raw_rows(&ledger, "attachment-uses").into_iter().find(|(_, value)| value.len() == 16).unwrap().0;
            let optional = column == "undecided" || (column == "attachments" && !newest.starts_with(key));
            let mut cases = if optional { vec![] } else { vec![None] };
            for place in (0..value.len()).step_by(value.len().div_ceil(3).max(1)) {
                let mut flipped = value.clone();
                flipped[place] ^= 0x04;
                cases.push(Some(flipped));
            }
            for case in cases {
                overwrite(&ledger, column, key, case.as_deref());
                match check_open(&ledger) {
                    Ok(report) => {
                        assert!(!report.is_clean(), "{column} {key:02x?} {}", case.is_none());
                        let text: String = report.findings.iter().map(|f| format!("{f}\n")).collect();
                        let names = ["tip", "entries", "height", column];
                        assert!(names.iter().any(|name| text.contains(name)), "{column} {key:02x?}: {text}");
                    }
                    Err(StoreError::Damaged { place, .. }) => assert!(place.contains("tip"), "{place}"),
                    Err(error) => panic!("{error}"),
                }
                damaged_columns.insert(column);
            }
            overwrite(&ledger, column, key, Some(value));
        }
    }
    assert_eq!(damaged_columns.len(), columns.len());
    assert!(check_open(&ledger).unwrap().is_clean());
}

/// INV-STORE-2 and 5. Each column damaged while the node runs: whatever reads it stops the node, and nothing is served afterwards.
#[test]
fn a_read_that_meets_damage_closes_the_store() {
    // The state is read by execution and proofs, `references` by replay protection: tested below.
    for column in
        ["headers", "certificates", "entries", "tiles", "ids", "digests", "authors", "times", "epochs", "undecided"]
    {
        let (network, directory) = (TestNetwork::new(), tempfile::tempdir().unwrap());
        let (ledger, ids) = build(&network, directory.path());
        read_all(&ledger, &ids).unwrap();
        for (key, mut value) in raw_rows(&ledger, column) {
            match value.len() {
                // Rows that are all key: the key points at something else.
                0 => {
                    overwrite(&ledger, column, &key, None);
                    let mut key = key;
                    let last = key.len() - 1;
                    key[last] ^= 0x02;
                    overwrite(&ledger, column, &key, Some(&[]));
                }
                length => {
                    value[length - 1] ^= 0x02;
                    overwrite(&ledger, column, &key, Some(&value));
                }
            }
        }
        let error = read_all(&ledger, &ids).unwrap_err();
        assert!(matches!(error, StoreError::Damaged { .. }), "{column}: {error}");
        assert!(ledger.health().reason().is_some());
        assert!(matches!(ledger.view(), Err(StoreError::Closed { .. })), "{column}");
        assert!(matches!(ledger.undecided(Height(5)), Err(StoreError::Closed { .. })), "{column}");
    }
}

#[test]
fn damaged_state_or_replay_rows_are_never_a_verdict_on_a_block() {
    for column in ["state-values", "state-nodes", "references", "ids"] {
        let (network, directory) = (TestNetwork::new(), tempfile::tempdir().unwrap());
        let (ledger, _) = build(&network, directory.path());
        for (key, mut value) in raw_rows(&ledger, column) {
            value[0] ^= 0x01;
            overwrite(&ledger, column, &key, Some(&value));
        }
        let time = UnixTime(ledger.tip().header.time.0 + 1);
        let record = match column {
            "ids" => network.notarise(0, "r-1-0", UnixTime(GENESIS_TIME.0 + 10), digest(Height(1), 0)),
            "references" => network.notarise(0, "r-1-0", time, [7; 32]),
            _ => network.notarise(0, "new", time, [7; 32]),
        };
        let error = ledger.propose(network.validators[0].address, time, &[record]).unwrap_err();
        assert!(matches!(error, StoreError::Damaged { .. }) && error.is_fatal(), "{column}: {error}");
        assert!(matches!(ledger.view(), Err(StoreError::Closed { .. })));
    }
}

#[test]
fn the_scrub_finds_what_no_request_touches() {
    for column in [
        "headers",
        "certificates",
        "entries",
        "tiles",
        "ids",
        "digests",
        "authors",
        "times",
        "state-values",
        "state-nodes",
    ] {
        let (network, directory) = (TestNetwork::new(), tempfile::tempdir().unwrap());
        let (ledger, _) = build(&network, directory.path());
        let rows = raw_rows(&ledger, column);
        // The newest tree nodes are the ones in use.
        let (key, _) = if column == "state-nodes" { rows.last().unwrap() } else { &rows[rows.len() / 2] };
        overwrite(&ledger, column, key, None);
        let mut position = ScrubPosition::default();
        let error = loop {
            match ledger.scrub_step(&position) {
                Ok(next) if next.rounds > 0 && next.state.is_none() => panic!("{column}: nothing found"),
                Ok(next) => position = next,
                Err(error) => break error,
            }
        };
        assert!(matches!(error, StoreError::Damaged { .. }), "{column}: {error}");
        assert!(matches!(ledger.scrub_step(&position), Err(StoreError::Closed { .. })));
    }
}

/// Rows that the ledger does not make are found, too.
#[test]
fn check_names_rows_that_nothing_explains() {
    for column in ["ids", "digests", "times", "headers", "certificates", "state-values", "tiles", "epochs", "entries"] {
        let (network, directory) = (TestNetwork::new(), tempfile::tempdir().unwrap());
        let (ledger, _) = build(&network, directory.path());
        let (mut key, value) = raw_rows(&ledger, column).pop().unwrap();
        let place = if column == "entries" || column == "tiles" { key.len() - 3 } else { 3 };
        key[place] ^= 0x40;
        overwrite(&ledger, column, &key, Some(&value));
        drop(ledger);
        let report = check(directory.path(), &network.genesis, |_| ()).unwrap();
        assert!(report.findings.iter().any(|f| f.place.contains(column)), "{column}: {:?}", report.findings);
    }
}

/// INV-STORE-5: a file of the directory with a flipped bit is refused at open, found by check, or harmless.
#[test]
fn flipped_bits_in_table_files_are_never_silent() {
    let (network, directory) = (TestNetwork::new(), tempfile::tempdir().unwrap());
    let (ledger, ids) = build(&network, directory.path());
    let tip = ledger.tip();
    ledger.compact().unwrap();
    drop(ledger);
    let files: Vec<_> = std::fs::read_dir(directory.path().join("db"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "sst"))
        .collect();
    assert!(files.len() >= 10, "{}", files.len());
    let (mut refused, mut found) = (0, 0);
    for (number, file) in files.iter().enumerate() {
        for share in [1, 4, 7] {
            let image = tempfile::tempdir().unwrap();
            copy(directory.path(), image.path());
            let mut flipped = std::fs::read(file).unwrap();
            let place = flipped.len() * share / 10 + number;
            flipped[place] ^= 1 << (number % 8);
            std::fs::write(image.path().join("db").join(file.file_name().unwrap()), &flipped).unwrap();
            match network.open(image.path(), 0) {
                Err(error) => {
                    assert!(error.is_fatal(), "{error}");
                    refused += 1;
                }
                Ok(ledger) => {
                    assert_eq!(ledger.tip().hash, tip.hash);
                    if read_all(&ledger, &ids).is_err() || !check_open(&ledger).is_ok_and(|report| report.is_clean()) {
                        found += 1;
                    }
                }
            }
        }
    }
    // Some bytes of a table file are never read: properties, padding.
    assert!(refused + found > files.len(), "{refused} refused, {found} found, {} files", files.len());
    assert!(check(directory.path(), &network.genesis, |_| ()).unwrap().is_clean());
}

/// RocksDB would read such a record again and again, for ever: the node would hang at its start.
#[test]
fn a_flipped_type_in_a_log_is_refused_and_not_read_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let network = TestNetwork::new();
    let (ledger, _) = build(&network, folder.path());
    drop(ledger);
    let listed = std::fs::read_dir(folder.path().join("db")).unwrap().map(|entry| entry.unwrap().path());
    let logs: Vec<_> = listed
        .filter(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name.starts_with("MANIFEST-") || name.ends_with(".log")) && path.metadata().unwrap().len() > 64
        })
        .collect();
    assert!(logs.len() >= 2, "a manifest and a write-ahead log: {logs:?}");
    for log in logs {
        let sound = std::fs::read(&log).unwrap();
        // The type of the second record; the first one's length is in its bytes 4 and 5. Any bit but the highest, which
        // RocksDB takes for a record of a newer release, and refuses.
        let at = 7 + usize::from(u16::from_le_bytes([sound[4], sound[5]])) + 6;
        for bit in 0..7 {
            let mut damaged = sound.clone();
            damaged[at] ^= 1 << bit;
            std::fs::write(&log, &damaged).unwrap();
            assert!(network.open(folder.path(), 0).is_err(), "{}, bit {bit}", log.display());
        }
        std::fs::write(&log, &sound).unwrap();
    }
    network.open(folder.path(), 0).expect("as it was");
}

/// The newest write-ahead log and its length.
fn newest_log(directory: &std::path::Path) -> (std::path::PathBuf, usize) {
    let listed = std::fs::read_dir(directory.join("db")).unwrap().map(|entry| entry.unwrap().path());
    let log = listed.filter(|path| path.extension().is_some_and(|ending| ending == "log")).max().unwrap();
    let length = log.metadata().unwrap().len().try_into().unwrap();
    (log, length)
}

/// INV-STORE-1 and 5: a power cut may leave zeros in any page of the last write, or cut it short. It is dropped whole, and nothing
/// else is: zeros in an earlier write are damage. Reading alone changes nothing.
#[test]
fn zeros_in_the_last_write_drop_it_and_in_any_other_are_damage() {
    const PAGE: usize = 4096;
    let (network, directory) = (TestNetwork::new(), tempfile::tempdir().unwrap());
    let (ledger, ids) = build(&network, directory.path());
    let before = ledger.tip();
    let (log, begins) = newest_log(directory.path());
    let time = UnixTime(before.header.time.0 + 1);
    let records: Vec<_> = (0..200)
        .map(|number| network.notarise(0, &format!("last-{number}"), time, digest(Height(5), number)))
        .collect();
    network.commit(&ledger, time, &records);
    let after = ledger.tip();
    drop(ledger);
    let (_, ends) = newest_log(directory.path());
    assert!(ends - begins > 20 * PAGE, "several blocks of the log: {begins} to {ends}");
    let sound = std::fs::read(&log).unwrap();
    let opened = |bytes: &[u8]| {
        let image = tempfile::tempdir().unwrap();
        copy(directory.path(), image.path());
        std::fs::write(image.path().join("db").join(log.file_name().unwrap()), bytes).unwrap();
        (
            check(image.path(), &network.genesis, |_| ()).map(|report| report.is_clean()),
            network.open(image.path(), 0),
            image,
        )
    };
    let first = begins.next_multiple_of(PAGE);
    let torn = [
        (begins, first),
        (begins, first + PAGE),
        (first, first + PAGE),
        (first + 3 * PAGE, first + 9 * PAGE),
        (ends - ends % PAGE, ends),
        (begins, ends),
    ];
    for (from, to) in torn {
        let mut zeros = sound.clone();
        zeros[from..to].fill(0);
        let (checked, ledger, image) = opened(&zeros);
        assert!(matches!(checked, Err(StoreError::TornWrite { .. })), "{from}..{to}: {checked:?}");
        let ledger = ledger.unwrap();
        assert_eq!(ledger.tip().hash, before.hash, "{from}..{to}");
        read_all(&ledger, &ids).unwrap();
        // It goes on from there.
        network.commit(&ledger, time, &records);
        assert_eq!(ledger.tip().hash, after.hash);
        drop(ledger);
        assert!(check(image.path(), &network.genesis, |_| ()).unwrap().is_clean());
    }
    for length in [begins + 1, begins + 7, first, first + 9 * PAGE + 5, ends - 1] {
        let (checked, ledger, _image) = opened(&sound[..length]);
        assert!(checked.unwrap(), "{length}");
        assert_eq!(ledger.unwrap().tip().hash, before.hash, "{length}");
    }
    // One bit of it is damage, and so is any page before it: nothing that was acknowledged goes in silence.
    let mut flipped = sound.clone();
    flipped[(begins + ends) / 2] ^= 0x10;
    assert!(matches!(opened(&flipped).1, Err(StoreError::Damaged { .. })));
    let mut page = 0;
    while (page + 1) * PAGE < begins {
        let mut zeros = sound.clone();
        zeros[page * PAGE..(page + 1) * PAGE].fill(0);
        let (checked, ledger, _image) = opened(&zeros);
        assert!(matches!(checked, Err(StoreError::Damaged { .. })), "page {page}: {checked:?}");
        assert!(matches!(ledger, Err(StoreError::Damaged { .. })), "page {page}");
        page += 1;
    }
    assert!(page > 3, "{page} pages before it");
    let (checked, ledger, _image) = opened(&sound);
    assert!(checked.unwrap());
    assert_eq!(ledger.unwrap().tip().hash, after.hash);
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
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
