//! Chains whose validators, parameters and protocol change: headers, epochs, receipts, restarts and `check` along them.

use std::sync::Arc;

use testamur_primitives::commitment::{DigestAlgorithm, DocumentDigest};
use testamur_primitives::epoch::TrustedEpoch;
use testamur_primitives::genesis::Parameters;
use testamur_primitives::hash::RecordId;
use testamur_primitives::receipt::{Receipt, Verdict, verify};
use testamur_primitives::record::Change;
use testamur_primitives::trust::{PinnedCheckpoint, TrustFile};
use testamur_primitives::units::{Epoch, Height, UnixTime};
use testamur_store::testing::{TestMember, TestNetwork, check_open, columns, digest, overwrite, raw_rows};
use testamur_store::{InvalidBlock, Ledger, ScrubPosition, StoreError, check};

/// A chain of nine records a block with 4 → 5 → 4 validators, one of which gets other keys: height of each set's first
/// block, and the ids of the records in order.
fn changing(network: &mut TestNetwork, ledger: &Ledger) -> (Vec<Height>, Vec<RecordId>) {
    let mut ids = network.grow(ledger, 2, 9);
    let joins = TestMember::numbered(100);
    network.remember(TestMember::numbered(100).keys);
    let add = vec![joins.entry.clone()];
    network.govern(ledger, Change::ChangeValidators { add, remove: vec![], rotate: vec![], from: Height(1) });
    ids.extend(network.grow(ledger, 1, 9));
    assert_eq!(ledger.tip().schedule.set, None, "it waits for the synced record");
    let first = Height(network.synced(ledger, &joins).0 + 2);
    assert_eq!(ledger.tip().schedule.set.as_ref().map(|(from, set)| (*from, set.validators().len())), Some((first, 5)));
    ids.extend(network.grow(ledger, 3, 9));

    let old = &network.validators[1];
    let rotated = TestMember::new(200, &old.name, Some(old.address));
    let rotate = vec![rotated.rotation()];
    let from = Height(ledger.tip().height().0 + 6);
    network.remember(rotated.keys);
    network.govern(ledger, Change::ChangeValidators { add: vec![], remove: vec![], rotate, from });
    ids.extend(network.grow(ledger, 8, 9));

    let remove = vec![network.validators[0].address];
    let last =
        network.govern(ledger, Change::ChangeValidators { add: vec![], remove, rotate: vec![], from: Height(1) });
    ids.extend(network.grow(ledger, 5, 9));
    (vec![Height(1), first, from, Height(last.0 + 2)], ids)
}

fn assert_clean(directory: &std::path::Path, network: &TestNetwork) {
    let report = check(directory, &network.genesis, |_| ()).expect("check");
    assert_eq!(report.findings, Vec::new());
}

#[test]
fn headers_name_the_next_set_one_height_before_it_decides() {
    let (mut network, directory) = (TestNetwork::new(), tempfile::tempdir().unwrap());
    let ledger = network.open(directory.path(), 0).unwrap();
    let (firsts, _) = changing(&mut network, &ledger);
    let view = ledger.view().unwrap();
    let (mut epoch, mut last) = (Epoch(0), Height(0));
    for height in 1..=ledger.tip().height().0 {
        let header = view.header(Height(height)).unwrap().unwrap().header;
        if firsts[1..].contains(&Height(height)) {
            (epoch, last) = (epoch.next(), Height(height - 1));
        }
        assert_eq!((header.epoch, header.epoch_header.height), (epoch, last), "height {height}");
        let ends = firsts.contains(&Height(height + 1));
        assert_eq!(header.next_validators_hash != header.validators_hash, ends, "height {height}");
        let checkpoint = view.checkpoint(Height(height)).unwrap().unwrap();
        assert_eq!(checkpoint.validators.hash(), header.validators_hash, "height {height}");
    }
    let epochs = view.epochs(Epoch(0), 100).unwrap();
    let found: Vec<_> = epochs.iter().map(|e| (e.first_height, e.validators.validators().len())).collect();
    // Genesis' epoch begins with genesis.
    assert_eq!(found, vec![(Height(0), 4), (firsts[1], 5), (firsts[2], 5), (firsts[3], 4)]);
    let mut trusted = TrustedEpoch { epoch: Epoch(0), validators: network.genesis.validator_set() };
    for epoch in &epochs[..3] {
        trusted = trusted.follow(&network.genesis.origin(), epoch.link.as_ref().expect("it is over")).unwrap();
    }
    assert_eq!(trusted.validators, *ledger.tip().validators);
    assert!(epochs[3].link.is_none() && epochs[3].last_height.is_none());
    drop(view);
    let mut position = ScrubPosition::default();
    while position.rounds == 0 {
        position = ledger.scrub_step(&position).unwrap();
    }
    drop(ledger);
    assert_clean(directory.path(), &network);
}

#[test]
fn receipts_of_every_epoch_verify_from_genesis_and_a_newer_checkpoint() {
    let (mut network, directory) = (TestNetwork::new(), tempfile::tempdir().unwrap());
    let ledger = network.open(directory.path(), 0).unwrap();
    let (_, ids) = changing(&mut network, &ledger);
    let view = ledger.view().unwrap();
    let newest = view.latest_checkpoint().unwrap().unwrap();
    let pinned = PinnedCheckpoint {
        header: newest.header.text.clone(),
        note: newest.note.to_string(),
        validators: (*newest.validators).clone(),
    };
    let pinned = TrustFile::with_checkpoint((*network.genesis).clone(), pinned).unwrap();
    let (mut confirmed, mut out_of_office) = (0, 0);
    for id in ids {
        let stored = view.record(&id).unwrap().unwrap();
        let receipt = Receipt::decode(&view.receipt(&id).unwrap().unwrap().encode()).unwrap();
        let header = view.header(stored.height).unwrap().unwrap().header;
        assert_eq!(receipt.epochs.len() as u64, header.epoch.0);
        let number = stored.index.0 - view.header(Height(stored.height.0 - 1)).unwrap().unwrap().header.log_size.0;
        let document = DocumentDigest::new(DigestAlgorithm::Sha2_256, digest(stored.height, number).to_vec()).unwrap();
        let judge = |trust: &TrustFile| verify(&receipt, Some(&document), trust, stored.time);
        assert!(matches!(judge(&network.trust()), Verdict::Confirmed(_)));
        match judge(&pinned) {
            Verdict::Confirmed(_) => confirmed += 1,
            Verdict::OutOfOffice(_) => out_of_office += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(confirmed > 0 && out_of_office > 0, "{confirmed} confirmed, {out_of_office} to be refreshed");
}

/// Every height around each change, and each restart makes the same tip as going on does.
#[test]
fn a_restart_at_any_height_changes_nothing() {
    let (mut network, directory) = (TestNetwork::new(), tempfile::tempdir().unwrap());
    let there = tempfile::tempdir().unwrap();
    let ahead = network.open(directory.path(), 0).unwrap();
    changing(&mut network, &ahead);
    for height in 1..=ahead.tip().height().0 {
        let behind = network.open(there.path(), 1).unwrap();
        let decided = ahead.view().unwrap().decided(Height(height)).unwrap().unwrap();
        let block = testamur_primitives::block::Block::decode(&decided.bytes).unwrap();
        let records = block.records.into_iter().map(|r| Arc::new(testamur_registry::check_stateless(r).unwrap()));
        let prepared = behind.validate(&block.header, records.collect()).unwrap().expect("valid");
        let kept = behind.commit(&prepared, &decided.certificate, None, &[]).unwrap();
        drop(behind);
        assert_eq!(*network.open(there.path(), 1).unwrap().tip(), *kept, "height {height}");
    }
    assert_eq!(*network.open(there.path(), 1).unwrap().tip(), *ahead.tip());
    for column in columns().into_iter().filter(|column| !["certificates", "default"].contains(column)) {
        let again = network.open(there.path(), 1).unwrap();
        assert_eq!(raw_rows(&ahead, column), raw_rows(&again, column), "{column}");
    }
    assert_clean(there.path(), &network);
}

#[test]
fn an_old_set_does_not_certify_and_a_stranger_does_not_propose() {
    let (mut network, directory) = (TestNetwork::new(), tempfile::tempdir().unwrap());
    let ledger = network.open(directory.path(), 0).unwrap();
    let old = Arc::clone(&ledger.tip().validators);
    changing(&mut network, &ledger);
    let (tip, gone) = (ledger.tip(), network.validators[0].address);
    let time = UnixTime(tip.header.time.0 + 1);
    let here = network.keys_of(&tip.validators).next().unwrap().address;
    let block = ledger.propose(here, time, &[]).unwrap().block;
    let by_old = network.certificate_by(&old, &block);
    assert!(matches!(ledger.commit(&block, &by_old, None, &[]), Err(StoreError::Certificate(_))));
    let strange = ledger.propose(gone, time, &[]).unwrap().block;
    let verdict = ledger.validate(strange.header(), Vec::new()).unwrap();
    assert_eq!(verdict.unwrap_err(), InvalidBlock::Header("proposer"));
    let good = network.certificate_by(&tip.validators, &block);
    ledger.commit(&block, &good, None, &[]).unwrap();
}

#[test]
fn parameters_hold_from_their_height_on() {
    let (network, directory) = (TestNetwork::new(), tempfile::tempdir().unwrap());
    let ledger = network.open(directory.path(), 0).unwrap();
    let smaller = Parameters { block_bytes_max: 262_144, ..network.genesis.parameters.clone() };
    let from = Height(5);
    network.govern(&ledger, Change::SetParameters { parameters: smaller.clone(), from });
    let ahead = (from, Arc::new(smaller.clone()));
    assert_eq!(ledger.tip().schedule.parameters_ahead, Some(ahead));
    for _ in 0..5 {
        let tip = ledger.tip();
        let expected = if tip.next_height() >= from { &smaller } else { &network.genesis.parameters };
        assert_eq!(*tip.schedule.parameters, *expected);
        let time = UnixTime(tip.header.time.0 + 1);
        let records: Vec<_> = (0..600u64)
            .map(|n| network.notarise(0, &format!("p-{}-{n}", tip.next_height()), time, digest(tip.next_height(), n)))
            .collect();
        let block = ledger.propose(network.validators[0].address, time, &records).unwrap().block;
        assert_eq!(block.header().parameters_hash, expected.hash());
        assert!(block.bytes().len() <= expected.block_bytes_max as usize);
        assert_eq!(block.records().len() < 600, tip.next_height() >= from, "{} bytes", block.bytes().len());
        network.grow(&ledger, 1, 0);
    }
    drop(ledger);
    let ledger = network.open(directory.path(), 0).unwrap();
    assert_eq!(*ledger.tip().schedule.parameters, smaller);
    drop(ledger);
    assert_clean(directory.path(), &network);
}

/// A binary that does not know the next height's rules says so before it makes or judges a block of it.
#[test]
fn an_unknown_protocol_stops_the_node_before_it_votes() {
    let (network, directory) = (TestNetwork::new(), tempfile::tempdir().unwrap());
    let ledger = network.open(directory.path(), 0).unwrap();
    network.govern(&ledger, Change::SetProtocol { protocol: 2, from: Height(4) });
    assert_eq!(ledger.tip().schedule.protocol_ahead, Some((Height(4), 2)));
    network.grow(&ledger, 2, 1);
    assert_eq!(ledger.tip().schedule.protocol, 2);
    let error = ledger.propose(network.validators[0].address, UnixTime(0), &[]).unwrap_err();
    assert!(error.is_fatal() && error.to_string().ends_with("install a newer release"), "{error}");
    assert!(ledger.health().reason().is_some_and(|reason| reason.contains("install a newer release")));
    drop(ledger);
    let ledger = network.open(directory.path(), 0).unwrap();
    let header = ledger.view().unwrap().header(Height(3)).unwrap().unwrap().header;
    let next = testamur_primitives::header::Header { height: Height(4), protocol: 2, ..header };
    let error = ledger.validate(&next, Vec::new()).unwrap_err();
    assert!(matches!(error, StoreError::UnknownProtocol(_)), "{error}");
    drop(ledger);
    assert_clean(directory.path(), &network);
}

/// INV-STORE-6: a row of epochs that is not what the state schedules is found at a start and by `check`.
#[test]
fn a_changed_epoch_is_found() {
    let (mut network, directory) = (TestNetwork::new(), tempfile::tempdir().unwrap());
    let ledger = network.open(directory.path(), 0).unwrap();
    changing(&mut network, &ledger);
    let rows = raw_rows(&ledger, "epochs");
    assert_eq!(rows.len(), 4);
    let (key, _) = &rows[3];
    overwrite(&ledger, "epochs", key, Some(&rows[2].1));
    let report = check_open(&ledger).unwrap();
    assert!(report.findings.iter().any(|f| f.place.starts_with("epochs")), "{:?}", report.findings);
    drop(ledger);
    assert!(matches!(network.open(directory.path(), 0), Err(StoreError::Damaged { .. })));
}
