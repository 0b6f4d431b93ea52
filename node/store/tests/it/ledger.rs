//! The store through its public door: blocks with real certificates, proofs checked with the primitives, restarts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use testamur_primitives::block::{Block, encode_value, split_entry};
use testamur_primitives::checkpoint::verify_certificate;
use testamur_primitives::commitment::{DigestAlgorithm, DocumentDigest};
use testamur_primitives::did::Did;
use testamur_primitives::hash::{RecordId, TreeHash};
use testamur_primitives::merkle;
use testamur_primitives::receipt::{Verdict, verify};
use testamur_primitives::record::{Act, Change};
use testamur_primitives::units::{Epoch, Height, LogIndex, LogSize, Round, UnixTime};
use testamur_registry::{CheckedRecord, check_stateless};
use testamur_store::testing::{GENESIS_TIME, TestNetwork, digest};
use testamur_store::{
    EntryPosition, Health, InvalidBlock, Ledger, NodeIdentity, Options, RecordQuery, ScrubPosition, StoreError,
    Undecided, check,
};

fn checked(block: &Block) -> Vec<Arc<CheckedRecord>> {
    block.records.iter().map(|r| Arc::new(check_stateless(r.clone()).expect("checked before"))).collect()
}

fn assert_clean(directory: &std::path::Path, network: &TestNetwork) {
    let report = check(directory, &network.genesis, |_| ()).expect("check");
    assert_eq!(report.findings, Vec::new());
    assert!(report.is_clean());
}

#[test]
fn blocks_become_final_and_every_receipt_verifies() {
    let (network, directory) = (TestNetwork::new(), tempfile::tempdir().unwrap());
    let ledger = network.open(directory.path(), 0).unwrap();
    assert_eq!(ledger.tip().height(), Height(0));
    let ids = network.grow(&ledger, 7, 50);
    let tip = ledger.tip();
    assert_eq!((tip.height(), tip.header.log_size), (Height(7), LogSize(350)));

    let view = ledger.view().unwrap();
    for (index, id) in ids.iter().enumerate() {
        let stored = view.record(id).unwrap().expect("final");
        assert_eq!(stored.index, LogIndex(index as u64));
        assert_eq!(view.record_at(stored.index).unwrap().as_ref(), Some(&stored));
        assert_eq!(stored.height, Height(1 + index as u64 / 50));
        let receipt = view.receipt(id).unwrap().expect("final");
        let receipt = testamur_primitives::receipt::Receipt::decode(&receipt.encode()).expect("its own form");
        let digest = digest(stored.height, index as u64 % 50).to_vec();
        let document = DocumentDigest::new(DigestAlgorithm::Sha2_256, digest).unwrap();
        match verify(&receipt, Some(&document), &network.trust(), stored.time) {
            Verdict::Confirmed(facts) => {
                assert_eq!((facts.record, facts.height, facts.index), (*id, stored.height, stored.index));
                assert_eq!(facts.witnesses.len(), 3);
            }
            other => panic!("{other:?}"),
        }
    }
    let unknown = RecordId::from_bytes([9; 32]);
    assert_eq!(view.record(&unknown).unwrap(), None);
    assert_eq!(view.receipt(&unknown).unwrap(), None);
    drop(view);
    drop(ledger);
    assert_clean(directory.path(), &network);
}

#[test]
fn another_node_follows_from_blocks_and_certificates_alone() {
    let network = TestNetwork::new();
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let ahead = network.open(here.path(), 0).unwrap();
    network.grow(&ahead, 5, 20);
    let behind = network.open(there.path(), 1).unwrap();
    for height in 1..=5 {
        let decided = ahead.view().unwrap().decided(Height(height)).unwrap().expect("decided");
        let block = Block::decode(&decided.bytes).unwrap();
        let prepared = behind.validate(&block.header, checked(&block)).unwrap().expect("valid");
        assert_eq!(&prepared.bytes()[..], decided.bytes);
        behind.commit(&prepared, &decided.certificate, None, &[]).unwrap();
    }
    assert_eq!(*ahead.tip(), *behind.tip());
    assert!(ahead.view().unwrap().decided(Height(6)).unwrap().is_none());
    assert!(ahead.view().unwrap().decided(Height(0)).unwrap().is_none());
    drop((ahead, behind));
    assert_clean(here.path(), &network);
    assert_clean(there.path(), &network);
}

/// Every member of a header, each changed alone, and blocks that are too early, too late or hold a bad record.
#[test]
fn a_block_that_is_not_what_it_says_is_invalid() {
    let (network, directory) = (TestNetwork::new(), tempfile::tempdir().unwrap());
    let ledger = network.open(directory.path(), 0).unwrap();
    network.grow(&ledger, 2, 3);
    let time = UnixTime(ledger.tip().header.time.0 + 5);
    let records = vec![network.notarise(0, "a", time, [1; 32]), network.notarise(1, "b", time, [2; 32])];
    let proposed = ledger.propose(network.validators[2].address, time, &records).unwrap();
    let good = proposed.block.header().clone();
    let judge = |header: &testamur_primitives::header::Header, records: &[Arc<CheckedRecord>]| {
        ledger.validate(header, records.to_vec()).unwrap()
    };
    assert_eq!(judge(&good, &records).unwrap(), proposed.block);

    let hash = [7; 32];
    let mut cases = Vec::new();
    macro_rules! changed {
        ($($name:literal: $field:ident = $value:expr;)*) => {$({
            let mut header = good.clone();
            header.$field = $value;
            cases.push(($name, header));
        })*};
    }
    changed! {
        "genesis": genesis = testamur_primitives::hash::GenesisHash::from_bytes(hash);
        "protocol": protocol = 2;
        "previous": previous = testamur_primitives::hash::HeaderHash::from_bytes(hash);
        "history_root": history_root = TreeHash::from_bytes(hash);
        "log_size": log_size = LogSize(9);
        "log_root": log_root = TreeHash::from_bytes(hash);
        "state_root": state_root = testamur_primitives::hash::StateRoot::from_bytes(hash);
        "epoch": epoch = Epoch(1);
        "validators_hash": validators_hash = testamur_primitives::hash::ValidatorsHash::from_bytes(hash);
        "next_validators_hash": next_validators_hash = testamur_primitives::hash::ValidatorsHash::from_bytes(hash);
        "parameters_hash": parameters_hash = testamur_primitives::hash::ParametersHash::from_bytes(hash);
        "epoch_header": epoch_header = testamur_primitives::header::HeaderRef { height: Height(1), hash: good.previous };
        "proposer": proposer = testamur_primitives::hash::Address::from_bytes(hash);
        "time": time = UnixTime(GENESIS_TIME.0);
        "v": v = 2;
    }
    for (name, header) in cases {
        assert_eq!(judge(&header, &records), Err(InvalidBlock::Header(name)));
    }
    let mut later = good.clone();
    later.height = Height(4);
    let not_next = InvalidBlock::NotNext { expected: Height(3), found: Height(4) };
    assert_eq!(judge(&later, &records), Err(not_next));
    assert!(matches!(judge(&good, &records[..1]), Err(InvalidBlock::Header("log_size"))));
    let twice = [records[0].clone(), records[0].clone()];
    match judge(&good, &twice) {
        Err(InvalidBlock::Record { index: 1, rejection, .. }) => assert_eq!(rejection.code().0, "admission.duplicate"),
        other => panic!("{other:?}"),
    }
    // A clock an hour ahead is not the store's business: the block is valid, and consensus gives no verdict yet.
    let ahead = UnixTime(time.0 + 3_500);
    let late = ledger.propose(network.validators[0].address, ahead, &records).unwrap();
    assert!(judge(late.block.header(), &records).is_ok());
}

#[test]
fn propose_leaves_out_what_the_rules_refuse_and_says_so() {
    let (network, directory) = (TestNetwork::new(), tempfile::tempdir().unwrap());
    let ledger = network.open(directory.path(), 0).unwrap();
    let time = UnixTime(GENESIS_TIME.0 + 10);
    let stranger = testamur_primitives::key::SigningKey::ed25519(&[77; 32]);
    let act = network.notarise(0, "x", time, [1; 32]).record().act().clone();
    let good = network.notarise(0, "a", time, [1; 32]);
    let candidates = [
        good.clone(),
        good.clone(),
        network.notarise(0, "a", time, [2; 32]),
        network.record(&stranger, "a", time, act),
        network.notarise(0, "old", UnixTime(time.0 - 7_200), [3; 32]),
        network.notarise(1, "a", time, [4; 32]),
    ];
    let proposed = ledger.propose(network.validators[0].address, time, &candidates).unwrap();
    let codes: Vec<_> = proposed.rejected.iter().map(|(_, r)| r.code().0).collect();
    assert_eq!(codes, ["admission.duplicate", "admission.duplicate", "notary.not-a-writer", "record.too-old"]);
    assert_eq!(proposed.block.records().len(), 2);
    // A clock that runs behind never makes a block earlier than its parent.
    let early = ledger.propose(network.validators[0].address, UnixTime(5), &[]).unwrap();
    assert_eq!(early.block.header().time, GENESIS_TIME);
}

#[test]
fn a_block_never_exceeds_the_networks_size() {
    let (network, directory) = (TestNetwork::new(), tempfile::tempdir().unwrap());
    let ledger = network.open(directory.path(), 0).unwrap();
    let time = UnixTime(GENESIS_TIME.0 + 10);
    let entries = vec![testamur_primitives::record::Bytes(vec![5; 32]); 512];
    let act = Act::Notarise {
        alg: DigestAlgorithm::Sha2_256,
        form: testamur_primitives::commitment::Form::Commitment,
        entries,
        reference: None,
    };
    let candidates: Vec<_> =
        (0..120).map(|n| network.record(&network.writers[0], &format!("big-{n}"), time, act.clone())).collect();
    let proposed = ledger.propose(network.validators[0].address, time, &candidates).unwrap();
    let bytes_max = network.genesis.parameters.block_bytes_max as usize;
    let bytes = proposed.block.bytes().len();
    assert!(bytes <= bytes_max && bytes > bytes_max - 40_000, "{bytes}");
    assert!(proposed.rejected.is_empty() && proposed.block.records().len() < 120);
    // The same block one record larger is refused, whoever made it.
    let count = proposed.block.records().len();
    let mut records = candidates[..count + 1].to_vec();
    let verdict = ledger.validate(proposed.block.header(), std::mem::take(&mut records)).unwrap();
    assert!(matches!(verdict, Err(InvalidBlock::Header("log_size"))), "{verdict:?}");
}

#[test]
fn only_a_quorum_commits_and_the_first_certificate_stays() {
    let (network, directory) = (TestNetwork::new(), tempfile::tempdir().unwrap());
    let ledger = network.open(directory.path(), 0).unwrap();
    let time = UnixTime(GENESIS_TIME.0 + 10);
    let block = ledger.propose(network.validators[0].address, time, &[]).unwrap().block;

    let two = network.certificate_of(&block, 0, &[0, 1]);
    assert!(matches!(ledger.commit(&block, &two, None, &[]), Err(StoreError::Certificate(_))));
    let mut mixed = network.certificate_of(&block, 0, &[0, 1]);
    mixed.signatures.extend(network.certificate_of(&block, 1, &[2]).signatures);
    assert!(
        matches!(ledger.commit(&block, &mixed, None, &[]), Err(StoreError::Certificate(_))),
        "two rounds are no decision"
    );
    let first = network.certificate_of(&block, 3, &[3, 1, 0]);
    let other_body = network.log_signature(&two, 0);
    assert!(matches!(ledger.commit(&block, &first, Some(&other_body), &[]), Err(StoreError::LogSignature)));
    assert_eq!(ledger.tip().height(), Height(0), "a refused certificate changes nothing and closes nothing");

    ledger.commit(&block, &first, Some(&network.log_signature(&first, 0)), &[]).unwrap();
    // INV-STORE-4: the same block with another quorum's certificate changes nothing.
    ledger.commit(&block, &network.certificate_of(&block, 0, &[0, 1, 2]), None, &[]).unwrap();
    let stored = ledger.view().unwrap().checkpoint(Height(1)).unwrap().unwrap();
    assert_eq!(stored.note.text, first.text);
    let names: Vec<_> = stored.note.signatures.iter().map(|line| line.name.clone()).collect();
    let set = network.genesis.validator_set();
    let signers = [0, 1, 3].map(|n| network.validators[n].name.clone());
    let mut expected: Vec<_> =
        set.validators().iter().map(|v| v.name.clone()).filter(|name| signers.contains(name)).collect();
    expected.push(ledger.origin().to_string());
    assert_eq!(names, expected, "set order, then the log signature");
    let certified = verify_certificate(ledger.origin(), &stored.header.header, &stored.note, &set).unwrap();
    assert_eq!((certified.checkpoint.round, certified.log_signers.len()), (Round(3), 1));
}

/// INV-STORE-2, and the one thing that must never be: a second final block at a height.
#[test]
fn a_fork_closes_the_store() {
    let (network, directory) = (TestNetwork::new(), tempfile::tempdir().unwrap());
    let (told, reasons) = std::sync::mpsc::channel();
    let node = NodeIdentity::Validator(network.validators[0].address);
    let health = Health::new(move |reason| told.send(reason.to_owned()).unwrap());
    let ledger = Ledger::open(directory.path(), network.genesis.clone(), Options { node, health }).unwrap();
    let time = UnixTime(GENESIS_TIME.0 + 10);
    let one = ledger.propose(network.validators[0].address, time, &[]).unwrap().block;
    let two = ledger.propose(network.validators[1].address, time, &[]).unwrap().block;
    ledger.commit(&one, &network.certificate(&one), None, &[]).unwrap();
    let unsigned = network.certificate_of(&two, 0, &[0]);
    assert!(matches!(ledger.commit(&two, &unsigned, None, &[]), Err(StoreError::Certificate(_))));
    let error = ledger.commit(&two, &network.certificate(&two), None, &[]).unwrap_err();
    assert!(matches!(error, StoreError::Fork { height: Height(1), .. }) && error.is_fatal(), "{error}");
    assert!(reasons.try_recv().unwrap().contains("fork"));
    for refused in [ledger.view().map(|_| ()), ledger.undecided(Height(2)).map(|_| ())] {
        assert!(matches!(refused, Err(StoreError::Closed { .. })));
    }
    assert!(matches!(ledger.commit(&one, &network.certificate(&one), None, &[]), Err(StoreError::Closed { .. })));
}

#[test]
fn undecided_blocks_survive_a_restart_and_go_with_the_commit() {
    let (network, directory) = (TestNetwork::new(), tempfile::tempdir().unwrap());
    let ledger = network.open(directory.path(), 0).unwrap();
    let time = UnixTime(GENESIS_TIME.0 + 10);
    let make = |ledger: &Ledger, round, proposer: usize| {
        let block = ledger.propose(network.validators[proposer].address, time, &[]).unwrap().block;
        let proposer = network.validators[proposer].address;
        let bytes = encode_value(block.bytes(), &[[0u8; 0]; 0]).into();
        (Undecided { round: Round(round), proposer, value_id: block.value_id(), bytes }, block)
    };
    let (zero, block) = make(&ledger, 0, 0);
    let (one, _) = make(&ledger, 1, 1);
    for undecided in [&one, &zero, &zero] {
        ledger.put_undecided(Height(1), undecided).unwrap();
    }
    assert!(matches!(ledger.put_undecided(Height(2), &zero), Err(StoreError::NotNext { .. })));
    drop(ledger);
    assert_clean(directory.path(), &network);
    let ledger = network.open(directory.path(), 0).unwrap();
    assert_eq!(ledger.undecided(Height(1)).unwrap(), [zero, one]);
    ledger.commit(&block, &network.certificate(&block), None, &[]).unwrap();
    assert_eq!(ledger.undecided(Height(1)).unwrap(), []);
    drop(ledger);
    assert_clean(directory.path(), &network);
}

#[test]
fn the_replay_window_ends_after_its_time_and_outlives_restarts() {
    let (network, directory) = (TestNetwork::new(), tempfile::tempdir().unwrap());
    let mut ledger = network.open(directory.path(), 0).unwrap();
    let start = UnixTime(GENESIS_TIME.0 + 10);
    network.commit(&ledger, start, &[network.notarise(0, "one", start, [1; 32])]);
    let window = 24 * 3600 + 300;
    for (later, accepted) in [(10, false), (window, false), (window + 1, true)] {
        drop(ledger);
        ledger = network.open(directory.path(), 0).unwrap();
        let time = UnixTime(start.0 + later);
        let again = network.notarise(0, "one", time, [2; 32]);
        let proposed = ledger.propose(network.validators[0].address, time, &[again]).unwrap();
        assert_eq!(proposed.rejected.is_empty(), accepted, "after {later} s");
    }
    let time = UnixTime(start.0 + window + 1);
    network.commit(&ledger, time, &[network.notarise(0, "one", time, [2; 32])]);
    ledger.compact().unwrap();
    let again = network.notarise(0, "one", time, [3; 32]);
    assert_eq!(ledger.propose(network.validators[0].address, time, &[again]).unwrap().rejected.len(), 1);
    drop(ledger);
    assert_clean(directory.path(), &network);
}

#[test]
fn governance_changes_the_state_and_the_state_is_proven() {
    let (network, directory) = (TestNetwork::new(), tempfile::tempdir().unwrap());
    let ledger = network.open(directory.path(), 0).unwrap();
    let newcomer = testamur_primitives::key::SigningKey::ed25519(&[99; 32]);
    let did = Did::key(&newcomer.public_key());
    let time = UnixTime(GENESIS_TIME.0 + 10);
    let grant = Act::Propose {
        change: Change::GrantWriter { did: did.clone() },
        governance_version: 1,
        expires: UnixTime(time.0 + 100),
    };
    let before = ledger.tip().header.state_root;
    network.commit(&ledger, time, &[network.record(&network.operator, "grant", time, grant)]);
    assert_ne!(ledger.tip().header.state_root, before);
    let act = network.notarise(0, "x", time, [1; 32]).record().act().clone();
    network.commit(&ledger, time, &[network.record(&newcomer, "first", time, act)]);
    network.grow(&ledger, 3, 2);

    let view = ledger.view().unwrap();
    let key = format!("writer/{did}/head").parse().unwrap();
    let proven = view.prove_state(&key).unwrap();
    let value = proven.value.clone().expect("a writer");
    proven.proof.verify(view.tip().header.state_root, &key, Some(&value)).unwrap();
    let absent = format!("writer/{}/head", Did::key(&network.operator.public_key())).parse().unwrap();
    let proven = view.prove_state(&absent).unwrap();
    proven.proof.verify(view.tip().header.state_root, &absent, None).unwrap();
    drop(view);
    drop(ledger);
    assert_clean(directory.path(), &network);
}

#[test]
fn proofs_of_consistency_and_history_verify() {
    let (network, directory) = (TestNetwork::new(), tempfile::tempdir().unwrap());
    let ledger = network.open(directory.path(), 0).unwrap();
    network.grow(&ledger, 40, 8);
    let view = ledger.view().unwrap();
    let tip = view.tip().clone();
    for from in [0, 1, 7, 8, 100, 255, 256, 257, 319, 320] {
        for to in [from, 256, 300, 320] {
            let proof = view.consistency(LogSize(from), LogSize(to)).unwrap();
            let Some(proof) = proof else {
                assert!(from > to);
                continue;
            };
            merkle::verify_consistency(from, proof.from_root, to, proof.to_root, &proof.path).unwrap();
            if to == 320 {
                assert_eq!(proof.to_root, tip.header.log_root);
            }
        }
    }
    assert!(view.consistency(LogSize(0), LogSize(321)).unwrap().is_none());
    for to in 1..=40 {
        for from in 0..to {
            let proof = view.history(Height(from), Height(to)).unwrap().unwrap();
            let leaf = merkle::leaf_hash(proof.from.hash.as_bytes());
            merkle::verify_inclusion(leaf, from, to, &proof.path, proof.to.header.history_root).unwrap();
        }
    }
    assert!(view.history(Height(3), Height(3)).unwrap().is_none());
    assert!(view.history(Height(3), Height(41)).unwrap().is_none());
    assert!(matches!(view.inclusion(LogIndex(320), LogSize(320)), Err(StoreError::OutOfRange)));
    assert!(matches!(view.inclusion(LogIndex(0), LogSize(321)), Err(StoreError::OutOfRange)));
}

#[test]
fn tiles_and_bundles_are_those_of_c2sp() {
    let (network, directory) = (TestNetwork::new(), tempfile::tempdir().unwrap());
    let ledger = network.open(directory.path(), 0).unwrap();
    network.grow(&ledger, 6, 100);
    let view = ledger.view().unwrap();
    let mut leaves = Vec::new();
    for (bundle, width) in [(0u64, 256u16), (1, 256), (2, 88)] {
        let mut rest = &view.entry_bundle(bundle, width).unwrap().unwrap()[..];
        let before = leaves.len();
        while let Some((entry, after)) = split_entry(rest) {
            leaves.push(merkle::leaf_hash(entry));
            rest = after;
        }
        assert_eq!(leaves.len() - before, usize::from(width));
        let tile = view.tile(0, bundle, width).unwrap().unwrap();
        assert_eq!(tile, leaves[before..].iter().flat_map(|h| *h.as_bytes()).collect::<Vec<_>>());
    }
    let tree = merkle::MemoryTree::from_leaf_hashes(&leaves);
    assert_eq!(tree.root(600).unwrap(), view.tip().header.log_root);
    let above = view.tile(1, 0, 2).unwrap().unwrap();
    assert_eq!(above[..32], *tree.root(256).unwrap().as_bytes());
    assert_eq!(view.tile(0, 2, 1).unwrap().unwrap(), leaves[512].as_bytes());
    for (level, tile, width) in
        [(0, 2, 89), (0, 3, 1), (1, 0, 3), (2, 0, 1), (0, 0, 0), (0, 0, 257), (200, 0, 1), (0, u64::MAX, 1)]
    {
        assert_eq!(view.tile(level, tile, width).unwrap(), None, "{level} {tile} {width}");
    }
    assert_eq!(view.entry_bundle(2, 89).unwrap(), None);
    let block = Block::decode(&view.block_bytes(Height(3)).unwrap().unwrap()).unwrap();
    assert_eq!(block.records.len(), 100);
    let (header, ids) = view.block_ids(Height(3)).unwrap().unwrap();
    assert_eq!(header.header, block.header);
    assert_eq!(ids, block.records.iter().map(|r| r.id()).collect::<Vec<_>>());
}

#[test]
fn lists_are_paged_filtered_and_complete() {
    let (network, directory) = (TestNetwork::new(), tempfile::tempdir().unwrap());
    let ledger = network.open(directory.path(), 0).unwrap();
    network.grow(&ledger, 5, 30);
    let time = UnixTime(ledger.tip().header.time.0 + 1);
    let doubled = vec![testamur_primitives::record::Bytes(digest(Height(1), 0).to_vec()); 3];
    let act = Act::Notarise {
        alg: DigestAlgorithm::Sha2_256,
        form: testamur_primitives::commitment::Form::Digest,
        entries: doubled,
        reference: None,
    };
    network.commit(&ledger, time, &[network.record(&network.writers[1], "again", time, act)]);
    let view = ledger.view().unwrap();
    let all = |query: RecordQuery| {
        let (mut found, mut from) = (Vec::new(), query.from);
        loop {
            let page = view.records(&RecordQuery { from, ..query.clone() }).unwrap();
            assert!(page.items.len() <= query.limit.min(100));
            found.extend(page.items);
            match page.next {
                Some(next) => from = next,
                None => break found,
            }
        }
    };
    let indexes = |query| all(query).iter().map(|r| r.index.0).collect::<Vec<_>>();
    let base = RecordQuery { limit: 7, ..RecordQuery::default() };
    assert_eq!(indexes(base.clone()), (0..151).collect::<Vec<_>>());
    assert_eq!(indexes(RecordQuery { limit: 1_000, ..base.clone() }), (0..151).collect::<Vec<_>>());
    let author = Some(Did::key(&network.writers[1].public_key()));
    let odd: Vec<u64> = (0..150).filter(|n| n % 30 % 2 == 1).chain([150]).collect();
    assert_eq!(indexes(RecordQuery { author: author.clone(), ..base.clone() }), odd);
    let (second, fourth) = (UnixTime(GENESIS_TIME.0 + 20), UnixTime(GENESIS_TIME.0 + 40));
    let between = RecordQuery { time_from: Some(second), time_before: Some(fourth), ..base.clone() };
    assert_eq!(indexes(between.clone()), (30..90).collect::<Vec<_>>());
    let odd_between: Vec<u64> = odd.iter().copied().filter(|n| (45..90).contains(n)).collect();
    assert_eq!(indexes(RecordQuery { author, from: LogIndex(45), ..between }), odd_between);
    let nobody = Some(Did::key(&network.operator.public_key()));
    assert_eq!(indexes(RecordQuery { author: nobody, ..base.clone() }), Vec::<u64>::new());
    let never = RecordQuery { time_from: Some(UnixTime(u64::MAX)), ..base };
    assert_eq!(indexes(never), Vec::<u64>::new());

    let document = DocumentDigest::new(DigestAlgorithm::Sha2_256, digest(Height(1), 0).to_vec()).unwrap();
    let first = view.notarisations(&document, EntryPosition::default(), 2).unwrap();
    let rest = view.notarisations(&document, first.next.expect("more"), 10).unwrap();
    assert_eq!(rest.next, None);
    let places: Vec<_> =
        first.items.iter().chain(&rest.items).map(|n| (n.position.index.0, n.position.entry)).collect();
    assert_eq!(places, [(0, 0), (150, 0), (150, 1), (150, 2)]);
    let other = DocumentDigest::new(DigestAlgorithm::Sha3_256, digest(Height(1), 0).to_vec()).unwrap();
    assert_eq!(view.notarisations(&other, EntryPosition::default(), 10).unwrap().items, []);

    let headers = view.headers(Height(100), 3).unwrap();
    assert_eq!(headers.iter().map(|h| h.header.height.0).collect::<Vec<_>>(), [6, 5, 4]);
    assert_eq!(view.headers(Height(1), 100).unwrap().len(), 2);
    let epochs = view.epochs(Epoch(0), 10).unwrap();
    assert_eq!(epochs.len(), 1);
    assert_eq!((epochs[0].first_height, epochs[0].last_height), (Height(0), None));
}

/// INV-READ-1: views taken while blocks are committed always hold a root, a size and proofs that belong together.
#[test]
fn readers_beside_the_writer_never_see_a_torn_ledger() {
    let (network, directory) = (TestNetwork::new(), tempfile::tempdir().unwrap());
    let ledger = network.open(directory.path(), 0).unwrap();
    network.grow(&ledger, 1, 5);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            network.grow(&ledger, 60, 10);
            done.store(true, Ordering::Release);
        });
        for seed in 0..3 {
            let (ledger, done) = (&ledger, &done);
            scope.spawn(move || {
                let mut views = 0u64;
                while !done.load(Ordering::Acquire) || views == 0 {
                    let view = ledger.view().unwrap();
                    let (size, root) = (view.tip().header.log_size, view.tip().header.log_root);
                    let index = LogIndex((views * 31 + seed) % size.0);
                    let record = view.record_at(index).unwrap().unwrap().record;
                    let path = view.inclusion(index, size).unwrap();
                    merkle::verify_inclusion(record.leaf_hash(), index.0, size.0, &path, root).unwrap();
                    assert!(view.record_at(LogIndex(size.0)).unwrap().is_none());
                    assert_eq!(view.latest_checkpoint().unwrap().unwrap().header.hash, view.tip().hash);
                    views += 1;
                }
            });
        }
    });
    drop(ledger);
    assert_clean(directory.path(), &network);
}

#[test]
fn the_scrub_reads_everything_and_begins_anew() {
    let (network, directory) = (TestNetwork::new(), tempfile::tempdir().unwrap());
    let ledger = network.open(directory.path(), 0).unwrap();
    network.grow(&ledger, 5, 300);
    network.grow(&ledger, 40, 0);
    let mut position = ScrubPosition::default();
    let mut steps = 0;
    while position.rounds < 2 {
        position = ledger.scrub_step(&position).unwrap();
        steps += 1;
        assert!(steps < 100, "{position:?}");
    }
    assert!(steps >= 8, "a step is small: {steps}");
}
