//! What the store keeps for the registries: lists, evidence, receipts of authors with a document, attachments.

use std::collections::HashMap;
use std::slice::from_ref;
use std::sync::Arc;

use bytes::Bytes;
use testamur_primitives::codec::{canonical, sha256};
use testamur_primitives::commitment::{DigestAlgorithm, Form};
use testamur_primitives::genesis::Genesis;
use testamur_primitives::hash::AttachmentHash;
use testamur_primitives::receipt::{Receipt, Verdict, verify};
use testamur_primitives::record::{Act, Bytes as Entry};
use testamur_primitives::state::evidence::{EvidenceError, NotProven};
use testamur_primitives::state::{StateKey, StateReader as _};
use testamur_primitives::status::Attachment;
use testamur_primitives::units::{Height, UnixTime};
use testamur_primitives::{identity, issuers, status};
use testamur_store::testing::{GENESIS_TIME, TestIssuer, TestNetwork, check_open, digest, overwrite, raw_rows};
use testamur_store::{Ledger, PreparedBlock, ScrubPosition, StoreError};

fn at(seconds: u64) -> UnixTime {
    UnixTime(GENESIS_TIME.0 + seconds)
}

/// A network whose nodes keep old status lists for so many days.
fn network(days: u32) -> TestNetwork {
    let mut network = TestNetwork::new();
    let genesis = Genesis { status_history_days: Some(days), ..(*network.genesis).clone() };
    network.genesis = Arc::new(Genesis::from_json(&canonical(&genesis)).unwrap());
    network
}

fn hash_of(bytes: &[u8]) -> AttachmentHash {
    AttachmentHash::from_bytes(sha256(&[bytes]))
}

fn scrub_twice(ledger: &Ledger) -> Result<(), StoreError> {
    let mut position = ScrubPosition::default();
    while position.rounds < 2 {
        position = ledger.scrub_step(&position)?;
    }
    Ok(())
}

#[test]
fn objects_are_listed_by_term_in_order_of_arrival() {
    let (network, directory) = (TestNetwork::new(), tempfile::tempdir().unwrap());
    let ledger = network.open(directory.path(), 0).unwrap();
    let issuers: Vec<_> = (1..=5).map(TestIssuer::new).collect();
    for (number, issuer) in (0u64..).zip(&issuers) {
        issuer.onboard(&network, &ledger, number + 1, at(10 * (number + 1)));
    }
    let view = ledger.view().unwrap();
    let dids: Vec<_> = issuers.iter().map(|issuer| issuer.did.to_string()).collect();
    let all = |page, size| view.objects("did", "all", page, size).unwrap();
    assert_eq!((all(1, 10).ids, all(1, 10).total), (dids.clone(), 5));
    assert_eq!((all(2, 2).ids.as_slice(), all(2, 2).total), (&dids[2..4], 5));
    assert_eq!(all(3, 2).ids, dids[4..]);
    assert_eq!((all(4, 2).ids.len(), all(u64::MAX, 100).ids.len(), all(0, 1).ids.len()), (0, 0, 1));
    let by_controller = view.objects("did", &format!("controller:{}", dids[3]), 1, 10).unwrap();
    assert_eq!((by_controller.ids, by_controller.total), (vec![dids[3].clone()], 1));
    let method = format!("method:{}", issuers[2].kid.fragment());
    assert_eq!(view.objects("did", &method, 1, 10).unwrap().ids, [dids[2].clone()]);
    let attribute = view.objects("attribute", &format!("subject:{}", dids[1]), 1, 10).unwrap();
    assert_eq!(attribute.ids, [issuers[1].attribute.to_string()]);
    assert_eq!(view.objects("attribute", "type:root-tao", 1, 10).unwrap().total, 5);
    assert_eq!(view.objects("issuer", "all", 1, 10).unwrap().ids, dids);
    for unknown in ["al", "all\u{0}", "", "controller:"] {
        assert_eq!(view.objects("did", unknown, 1, 10).unwrap().total, 0, "{unknown:?}");
    }
    scrub_twice(&ledger).unwrap();
    let report = check_open(&ledger).unwrap();
    assert!(report.is_clean(), "{:?}", report.findings);
    // What is read is checked.
    let (key, _) = raw_rows(&ledger, "objects").pop().unwrap();
    overwrite(&ledger, "objects", &key, None);
    assert!(matches!(scrub_twice(&ledger), Err(StoreError::Damaged { .. })));
}

#[test]
fn public_digests_are_found_by_their_hash_at_their_first_place() {
    let (network, directory) = (TestNetwork::new(), tempfile::tempdir().unwrap());
    let ledger = network.open(directory.path(), 0).unwrap();
    network.grow(&ledger, 2, 7);
    let time = at(100);
    let entries = [digest(Height(1), 3), [9; 32], [9; 32]].map(|entry| Entry(entry.to_vec())).to_vec();
    let act = |form| Act::Notarise { alg: DigestAlgorithm::Sha2_256, form, entries: entries.clone(), reference: None };
    let public = network.record(&network.writers[0], "public", time, act(Form::Digest));
    let private = network.record(&network.writers[0], "private", time, act(Form::Commitment));
    network.commit(&ledger, time, &[private, Arc::clone(&public)]);
    let view = ledger.view().unwrap();
    assert_eq!(view.timestamps(1, 100).unwrap().total, 15);
    let page = view.timestamps(2, 7).unwrap();
    let expected: Vec<_> = (0..7).map(|number| sha256(&[&digest(Height(2), number)])).collect();
    assert_eq!((page.ids, page.total), (expected, 15));
    let old = view.timestamp(&sha256(&[&digest(Height(1), 3)])).unwrap().unwrap();
    assert_eq!((old.digest.as_slice(), old.notarisation.record.height), (&digest(Height(1), 3)[..], Height(1)));
    let new = view.timestamp(&sha256(&[&[9; 32]])).unwrap().unwrap();
    assert_eq!(new.notarisation.record.record.id(), public.record().id());
    assert_eq!((new.notarisation.position.entry, new.algorithm), (1, DigestAlgorithm::Sha2_256));
    assert_eq!(view.timestamp(&[9; 32]).unwrap(), None);
    scrub_twice(&ledger).unwrap();
    let report = check_open(&ledger).unwrap();
    assert!(report.is_clean(), "{:?}", report.findings);
    // A row that names a later place of the same digest, and one that names another's.
    for (row, clean) in [(15u64, 1u16), (15, 2), (3, 0)]
        .map(|(index, entry)| ([&index.to_be_bytes()[..], &entry.to_be_bytes()].concat(), (index, entry) == (15, 1)))
    {
        overwrite(&ledger, "timestamps", &sha256(&[&[9; 32]]), Some(&row));
        assert_eq!(check_open(&ledger).unwrap().is_clean(), clean, "{row:02x?}");
    }
}

/// INV-EVIDENCE-1, from the store's side: what a node proves, a reader's own run of the read gives again.
#[test]
fn evidence_proves_presence_and_absence_under_the_tip() {
    let (network, directory) = (TestNetwork::new(), tempfile::tempdir().unwrap());
    let ledger = network.open(directory.path(), 0).unwrap();
    let issuer = TestIssuer::new(1);
    let keys = |did| -> Vec<StateKey> {
        vec![identity::keys::did(did).head(), issuers::keys::attribute(issuer.attribute).head()]
    };
    assert_eq!(ledger.view().unwrap().evidence(&keys(&issuer.did)).unwrap(), None, "nobody certified genesis");
    issuer.onboard(&network, &ledger, 1, at(10));
    let stranger = TestIssuer::new(2).did;
    let asked = [keys(&issuer.did), keys(&stranger)].concat();
    for round in 0..3 {
        let view = ledger.view().unwrap();
        let evidence = view.evidence(&asked).unwrap().unwrap();
        assert_eq!(evidence.state.len(), 3, "the attribute was asked for twice");
        let proven = evidence.verify(&network.trust()).unwrap();
        assert_eq!(proven.header(), &*view.tip().header);
        let document = identity::newest(&proven, &issuer.did).unwrap();
        assert_eq!(document, identity::newest(&view.state(), &issuer.did).unwrap());
        assert!(document.is_some());
        assert_eq!(identity::newest(&proven, &stranger).unwrap(), None);
        let other = identity::keys::admission(&stranger).head();
        assert_eq!(proven.get(&other), Err(NotProven(other)));
        let mut lying = evidence.clone();
        lying.state[0].value = None;
        assert!(matches!(lying.verify(&network.trust()), Err(EvidenceError::Proof { .. })));
        network.grow(&ledger, 1, 1 + round);
    }
}

#[test]
fn receipts_of_authors_with_a_document_carry_it_as_it_stood() {
    let (network, directory) = (TestNetwork::new(), tempfile::tempdir().unwrap());
    let ledger = network.open(directory.path(), 0).unwrap();
    let issuer = TestIssuer::new(1);
    issuer.onboard(&network, &ledger, 1, at(10));
    let act = Act::Notarise {
        alg: DigestAlgorithm::Sha2_256,
        form: Form::Digest,
        entries: vec![Entry(vec![5; 32])],
        reference: None,
    };
    let mut record = (*issuer.record(&network, "first", at(20), act)).clone();
    assert_eq!(record.verified_with(), None, "nothing says yet whose key it is");
    ledger.admit(&mut record, at(20)).unwrap().unwrap();
    assert_eq!(record.verified_with(), Some(&issuer.key.public_key()));
    let id = record.record().id();
    network.commit(&ledger, at(20), &[Arc::new(record)]);
    let before = ledger.view().unwrap().receipt(&id).unwrap().unwrap();
    // The document changes; the receipt shows it as it stood.
    let method = issuer.kid.fragment().to_owned();
    let prev = identity::newest(&ledger.view().unwrap().state(), &issuer.did).unwrap().unwrap().record;
    let service = identity::Service { id: "site".into(), r#type: "Site".into(), endpoint: "https://x.example".into() };
    let services = identity::changes::DidChange::SetServices { services: vec![service] };
    let update = Act::UpdateDid { did: issuer.did.clone(), prev, changes: vec![services] };
    network.commit(&ledger, at(30), &[issuer.record(&network, "update", at(30), update)]);
    network.grow(&ledger, 2, 2);
    let receipt = ledger.view().unwrap().receipt(&id).unwrap().unwrap();
    assert_eq!(receipt, before);
    let file = Receipt::decode(&receipt.encode()).unwrap();
    let state = file.author.state.as_ref().expect("not a did:key");
    assert!(state.document.contains(&method) && !state.document.contains("x.example"));
    let verdict = verify(&file, None, &network.trust(), at(40));
    assert!(matches!(&verdict, Verdict::Confirmed(facts) if facts.author == issuer.did), "{verdict:?}");
}

#[test]
fn a_status_list_is_held_for_as_long_as_genesis_says() {
    let (network, directory) = (network(10), tempfile::tempdir().unwrap());
    let ledger = network.open(directory.path(), 0).unwrap();
    let (one, two) = (TestIssuer::new(1), TestIssuer::new(2));
    one.onboard(&network, &ledger, 1, at(10));
    two.onboard(&network, &ledger, 2, at(20));
    let publish = |issuer: &TestIssuer, list: &str, version, prev, time, set: &[u64]| {
        let (record, bytes) = issuer.status(&network, list, version, prev, time, set);
        network.commit_with(&ledger, time, &[Arc::clone(&record)], &[bytes.clone(), Bytes::from_static(b"unasked")]);
        (record.record().id(), bytes)
    };
    let held =
        |bytes: &Bytes| ledger.view().unwrap().attachment(&hash_of(bytes)).unwrap().as_deref() == Some(&bytes[..]);
    // Two lists of zeros share their bits.
    let (first, zeros) = publish(&one, "degrees", 1, None, at(100), &[]);
    let (other, same) = publish(&two, "degrees", 1, None, at(110), &[]);
    assert_eq!(zeros, same);
    assert_eq!(ledger.view().unwrap().decided(ledger.tip().height()).unwrap().unwrap().attachments, [zeros.to_vec()]);
    let (second, seven) = publish(&one, "degrees", 2, Some(first), at(200), &[7]);
    let day = 86_400;
    let (_, eight) = publish(&one, "degrees", 3, Some(second), at(300), &[7, 8]);
    assert_eq!(raw_rows(&ledger, "attachments").len(), 3, "what was not asked for is not stored");
    network.commit(&ledger, at(10 * day + 200), &[]);
    assert!(held(&zeros) && held(&seven) && held(&eight));
    network.commit(&ledger, at(10 * day + 201), &[]);
    assert!(held(&zeros), "the other list's newest");
    network.commit(&ledger, at(10 * day + 301), &[]);
    assert!(held(&zeros) && !held(&seven) && held(&eight));
    scrub_twice(&ledger).unwrap();
    // The other list leaves zero, and comes back to it before its bits are gone.
    let (third, nine) = publish(&two, "degrees", 2, Some(other), at(10 * day + 400), &[9]);
    publish(&two, "degrees", 3, Some(third), at(10 * day + 500), &[]);
    network.commit(&ledger, at(30 * day), &[]);
    assert!(held(&zeros) && !held(&nine) && held(&eight));
    assert_eq!(raw_rows(&ledger, "attachment-uses").len(), 2);
    assert_eq!(raw_rows(&ledger, "attachment-blocks").len(), 2);
    assert!(raw_rows(&ledger, "attachment-ends").is_empty() && raw_rows(&ledger, "attachments-missing").is_empty());
    scrub_twice(&ledger).unwrap();
    let report = check_open(&ledger).unwrap();
    assert!(report.is_clean(), "{:?}", report.findings);
    // A changed bit is never served.
    let mut wrong = zeros.to_vec();
    wrong[100] ^= 1;
    overwrite(&ledger, "attachments", hash_of(&zeros).as_bytes(), Some(&wrong));
    assert!(matches!(ledger.view().unwrap().attachment(&hash_of(&zeros)), Err(StoreError::Damaged { .. })));
}

#[test]
fn what_a_block_came_without_is_missed_until_it_comes() {
    let (network, directories) = (network(10), [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()]);
    let [ledger, behind] = [0, 1].map(|node| network.open(directories[node].path(), node).unwrap());
    let issuer = TestIssuer::new(1);
    issuer.onboard(&network, &ledger, 1, at(10));
    let (first, zeros) = issuer.status(&network, "degrees", 1, None, at(100), &[]);
    network.commit_with(&ledger, at(100), &[Arc::clone(&first)], from_ref(&zeros));
    let (second, seven) = issuer.status(&network, "degrees", 2, Some(first.record().id()), at(110), &[7]);
    network.commit_with(&ledger, at(110), &[second], from_ref(&seven));
    let view = ledger.view().unwrap();
    for height in 1..=view.tip().height().0 {
        let decided = view.decided(Height(height)).unwrap().unwrap();
        let block = testamur_primitives::block::Block::decode(&decided.bytes).unwrap();
        let records = block.records.iter().map(|r| Arc::new(testamur_registry::check_stateless(r.clone()).unwrap()));
        let prepared = behind.validate(&block.header, records.collect()).unwrap().unwrap();
        // Only of the first version; and wrong bits of the right length are not taken.
        let given = if decided.attachments == [zeros.to_vec()] { &zeros } else { &Bytes::from(vec![1; 16_384]) };
        behind.commit(&prepared, &decided.certificate, None, from_ref(given)).unwrap();
    }
    let missing = || behind.view().unwrap().missing_attachments(10).unwrap();
    assert_eq!(missing(), [Attachment { sha256: hash_of(&seven), bytes: 16_384 }]);
    let report = check_open(&behind).unwrap();
    assert!(report.findings.len() == 1 && report.findings[0].what.contains("not held"), "{:?}", report.findings);
    scrub_twice(&behind).unwrap();
    assert!(!behind.put_attachment(&[1; 16_384]).unwrap() && !behind.put_attachment(&zeros).unwrap());
    assert!(behind.put_attachment(&seven).unwrap() && !behind.put_attachment(&seven).unwrap());
    assert_eq!(missing(), []);
    let newest = status::newest(&behind.view().unwrap().state(), &issuer.did, &"degrees".parse().unwrap()).unwrap();
    assert_eq!(newest.map(|entry| entry.status.sha256), Some(hash_of(&seven)));
    assert_eq!(behind.view().unwrap().attachment(&hash_of(&seven)).unwrap().as_deref(), Some(&seven[..]));
    let report = check_open(&behind).unwrap();
    assert!(report.is_clean(), "{:?}", report.findings);
}

/// INV-ATTACH-1, what "right" means: the digest and the length, and the issuer's signatures over the derived tokens.
#[test]
fn only_the_bits_that_the_issuer_signed_are_an_attachment() {
    let (network, directory) = (TestNetwork::new(), tempfile::tempdir().unwrap());
    let ledger = network.open(directory.path(), 0).unwrap();
    let issuer = TestIssuer::new(1);
    issuer.onboard(&network, &ledger, 1, at(10));
    let time = at(100);
    let (good, zeros) = issuer.status(&network, "good", 1, None, time, &[]);
    let (other, seven) = issuer.status(&network, "other", 1, None, time, &[7]);
    // The digest of one list under the signatures of another.
    let (Act::PublishStatus { status: one, .. }, Act::PublishStatus { status: two, .. }) =
        (good.record().act(), other.record().act())
    else {
        panic!("status records")
    };
    let mixed = status::StatusVersion { sha256: two.sha256, ..one.clone() };
    let forged = issuer.record(&network, "forged", time, Act::PublishStatus { status: mixed, prev: None });
    let code = |record: &testamur_registry::CheckedRecord, bytes: &[u8]| {
        ledger.check_attachment(record.record(), bytes, time).unwrap().err().map(|rejection| rejection.code().0)
    };
    assert_eq!(code(&good, &zeros), None);
    assert_eq!(code(&good, &seven), Some("status.attachment"));
    assert_eq!(code(&good, &zeros[1..]), Some("status.attachment"));
    assert_eq!(code(&good, &[]), Some("status.attachment"));
    assert_eq!(code(&forged, &seven), Some("status.signature"));

    let block = |records: &[&Arc<testamur_registry::CheckedRecord>]| {
        let records: Vec<_> = records.iter().map(|record| Arc::clone(record)).collect();
        let proposed = ledger.propose(network.validators[0].address, time, &records).unwrap();
        assert_eq!((proposed.block.records().len(), proposed.rejected.len()), (records.len(), 0));
        proposed.block
    };
    let (both, bad, none) = (block(&[&good, &other]), block(&[&forged]), block(&[]));
    let nothing = HashMap::new();
    let attached = |block: &PreparedBlock, beside: &[&Bytes]| {
        let beside: Vec<_> = beside.iter().map(|bytes| (*bytes).clone()).collect();
        ledger.is_attached(block, &beside, &nothing).unwrap()
    };
    let junk = Bytes::from_static(b"junk");
    assert!(attached(&both, &[&zeros, &seven]) && attached(&both, &[&junk, &seven, &zeros]) && attached(&none, &[]));
    assert!(!attached(&both, &[&zeros]) && !attached(&both, &[]) && !attached(&both, &[&zeros, &junk]));
    assert!(!attached(&bad, &[&seven]), "the bytes of the digest, not those that were signed");
    // What was checked with a record is believed for these bytes and no others.
    let forged_id = forged.record().id();
    let believed =
        |bytes: &Bytes| ledger.is_attached(&bad, from_ref(&seven), &[(forged_id, bytes.clone())].into()).unwrap();
    assert!(believed(&seven) && !believed(&zeros));
}
