//! Exports and imports: what comes out of a node goes into another unchanged, and nothing else does.

use std::path::Path;
use std::sync::Arc;

use testamur_primitives::hash::RecordId;
use testamur_primitives::receipt::{Receipt, Verdict, verify};
use testamur_primitives::record::Change;
use testamur_primitives::stream::{Encoder, Frame, StreamFault, decode};
use testamur_primitives::trust::{PinnedCheckpoint, TrustFile};
use testamur_primitives::units::{Height, UnixTime};
use testamur_store::testing::{GENESIS_TIME, TestIssuer, TestMember, TestNetwork, columns, raw_rows};
use testamur_store::{Contents, ImportError, Ledger, NodeIdentity, StoreError, check, import};

/// A ledger with everything: an accredited issuer with a status list of three versions, records of a DID of the ledger,
/// two set changes, blocks without records.
fn full(network: &mut TestNetwork, ledger: &Ledger) -> Vec<RecordId> {
    let issuer = TestIssuer::new(7);
    issuer.onboard(network, ledger, 1, UnixTime(GENESIS_TIME.0 + 10));
    let mut ids = Vec::new();
    let mut prev = None;
    for version in 1..=3u64 {
        let time = UnixTime(ledger.tip().header.time.0 + 10);
        let (record, bits) = issuer.status(network, "revocation-1", version, prev, time, &[version]);
        prev = Some(record.record().id());
        ids.push(record.record().id());
        network.commit_with(ledger, time, &[record], &[bits]);
    }
    ids.extend(network.grow(ledger, 3, 30));
    let joins = TestMember::numbered(100);
    network.remember(TestMember::numbered(100).keys);
    let add = vec![joins.entry.clone()];
    network.govern(ledger, Change::ChangeValidators { add, remove: vec![], rotate: vec![], from: Height(1) });
    network.synced(ledger, &joins);
    ids.extend(network.grow(ledger, 4, 5));
    let remove = vec![network.validators[0].address];
    network.govern(ledger, Change::ChangeValidators { add: vec![], remove, rotate: vec![], from: Height(1) });
    network.grow(ledger, 3, 0);
    ids.extend(network.grow(ledger, 2, 3));
    ids
}

fn exported(ledger: &Ledger, contents: Contents) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut heights = 0;
    let done = ledger.export(&mut bytes, contents, |progress| heights = progress.height.0).unwrap();
    assert_eq!((done.height, done.header, done.bytes), (ledger.tip().height(), ledger.tip().hash, bytes.len() as u64));
    assert_eq!(heights, done.height.0);
    bytes
}

fn imported(directory: &Path, trust: &TrustFile, contents: Contents, bytes: &[u8]) -> Result<(), ImportError> {
    import(directory, trust, NodeIdentity::Observer, contents, bytes, |_| ()).map(|_| ())
}

fn open(network: &TestNetwork, directory: &Path) -> Ledger {
    let options = testamur_store::Options { node: NodeIdentity::Observer, health: testamur_store::Health::default() };
    Ledger::open(directory, Arc::clone(&network.genesis), options).unwrap()
}

/// INV-IMPORT-1 and 3: both ways make the rows that a node makes which executed every block, and serve the same proofs.
#[test]
fn both_ways_make_what_a_node_makes() {
    let (mut network, directory) = (TestNetwork::new(), tempfile::tempdir().unwrap());
    let ledger = network.open(&directory.path().join("node"), 1).unwrap();
    let ids = full(&mut network, &ledger);
    let snapshot = exported(&ledger, Contents::Snapshot);
    let log = exported(&ledger, Contents::Log);
    assert!(log.len() < snapshot.len() && snapshot.starts_with(&log[..log.len() - 37]));
    let ways = [("a", Contents::Snapshot, &snapshot), ("b", Contents::Log, &log), ("c", Contents::Log, &snapshot)];
    for (name, contents, bytes) in ways {
        let place = directory.path().join(name);
        imported(&place, &network.trust(), contents, bytes).unwrap();
        assert!(!directory.path().join(format!("{name}.partial")).exists());
        let copy = open(&network, &place);
        assert_eq!(*copy.tip(), *ledger.tip());
        for column in columns().into_iter().filter(|column| !["certificates", "default", "references"].contains(column))
        {
            assert_eq!(raw_rows(&copy, column), raw_rows(&ledger, column), "{name}: {column}");
        }
        let (here, there) = (copy.view().unwrap(), ledger.view().unwrap());
        for id in &ids {
            let (receipt, original) = (here.receipt(id).unwrap().unwrap(), there.receipt(id).unwrap().unwrap());
            assert_eq!(
                (&receipt.header, &receipt.path, &receipt.author),
                (&original.header, &original.path, &original.author)
            );
            let receipt = Receipt::decode(&receipt.encode()).unwrap();
            let at = here.record(id).unwrap().unwrap().time;
            // Status records notarise nothing; their receipts hold but for that.
            let verdict = verify(&receipt, None, &network.trust(), at);
            assert!(matches!(verdict, Verdict::Confirmed(_)), "{verdict:?}");
        }
        drop((here, there));
        let time = UnixTime(copy.tip().header.time.0 + 1);
        let next = network.notarise(0, &format!("next-{name}"), time, [9; 32]);
        network.commit(&copy, time, &[next]);
        drop(copy);
        let report = check(&place, &network.genesis, |_| ()).unwrap();
        assert_eq!(report.findings, Vec::new(), "{name}");
    }
}

#[test]
fn an_empty_ledger_goes_out_and_in() {
    let (network, directory) = (TestNetwork::new(), tempfile::tempdir().unwrap());
    let ledger = network.open(&directory.path().join("node"), 0).unwrap();
    let bytes = exported(&ledger, Contents::Snapshot);
    for (name, contents) in [("a", Contents::Snapshot), ("b", Contents::Log)] {
        imported(&directory.path().join(name), &network.trust(), contents, &bytes).unwrap();
        assert_eq!(*open(&network, &directory.path().join(name)).tip(), *ledger.tip());
    }
}

/// Goal: no flipped bit and no cut gets in, and nothing is left. Method: 65 places over a whole snapshot.
#[test]
fn one_flipped_bit_or_a_cut_and_nothing_is_made() {
    let (mut network, directory) = (TestNetwork::new(), tempfile::tempdir().unwrap());
    let ledger = network.open(&directory.path().join("node"), 1).unwrap();
    full(&mut network, &ledger);
    let bytes = exported(&ledger, Contents::Snapshot);
    let place = directory.path().join("copy");
    let refused = |bytes: &[u8], what: &str| {
        let error = imported(&place, &network.trust(), Contents::Snapshot, bytes).expect_err(what);
        assert!(!place.exists() && !directory.path().join("copy.partial").exists(), "{what}: {error}");
        error
    };
    for n in 0..50usize {
        let position = n * (bytes.len() - 1) / 49;
        let mut flipped = bytes.clone();
        flipped[position] ^= 1 << (n % 8);
        refused(&flipped, &format!("bit {} of byte {position}", n % 8));
    }
    for n in 0..15usize {
        let error = refused(&bytes[..n * bytes.len() / 15], &format!("cut {n}"));
        assert!(matches!(error, ImportError::Stream(_)), "{error}");
    }
    let error = refused(&[&bytes[..], b"x"].concat(), "longer");
    assert!(matches!(&error, ImportError::Stream(e) if e.fault == StreamFault::Trailing), "{error}");
}

/// A forger mends the hash at the end: what the frames say must fail by itself, and name the frame.
#[test]
fn forged_frames_are_named() {
    let (mut network, directory) = (TestNetwork::new(), tempfile::tempdir().unwrap());
    let ledger = network.open(&directory.path().join("node"), 1).unwrap();
    full(&mut network, &ledger);
    let bytes = exported(&ledger, Contents::Snapshot);
    let frames = decode(&bytes).unwrap();
    let again = |frames: &[Frame<'_>]| {
        let mut out = Vec::new();
        let mut encoder = Encoder::begin(&mut out);
        frames[..frames.len() - 1].iter().for_each(|frame| encoder.frame(frame, &mut out));
        encoder.end(&mut out);
        out
    };
    assert_eq!(again(&frames), bytes);
    let place = directory.path().join("copy");
    let judge = |frames: &[Frame<'_>], contents| {
        let error = imported(&place, &network.trust(), contents, &again(frames)).expect_err("forged");
        assert!(!place.exists());
        error.to_string()
    };
    let at = |kind: u8, nth: usize| {
        let found = frames.iter().enumerate().filter(|(_, frame)| frame.kind().byte() == kind);
        found.map(|(at, _)| at).nth(nth).expect("a frame of this kind")
    };
    let last = |kind: u8| frames.iter().rposition(|frame| frame.kind().byte() == kind).expect("a frame");
    let without = |gone: &[usize]| {
        let kept = frames.iter().enumerate().filter(|(at, _)| !gone.contains(at));
        kept.map(|(_, frame)| *frame).collect::<Vec<_>>()
    };
    // A block is left out, with its certificate: the next one does not follow.
    let (block, note) = (at(b'B', 8), at(b'N', 8));
    for contents in [Contents::Snapshot, Contents::Log] {
        let error = judge(&without(&[block, note]), contents);
        assert!(error.starts_with(&format!("frame {block} of the ledger file, height 10: ")), "{error}");
    }
    // Two certificates change places: each is of another header.
    let mut swapped = frames.clone();
    swapped.swap(at(b'N', 3), at(b'N', 4));
    let error = judge(&swapped, Contents::Snapshot);
    assert!(
        error.starts_with(&format!("frame {} of the ledger file, height 4: its certificate", at(b'N', 3))),
        "{error}"
    );
    let mut swapped = frames.clone();
    let late = last(b'N');
    let before = frames[..late].iter().rposition(|frame| frame.kind().byte() == b'N').unwrap();
    swapped.swap(late, before);
    let error = judge(&swapped, Contents::Snapshot);
    assert!(error.contains("height"), "{error}");
    // State values: left out, changed, another order.
    let error = judge(&without(&[at(b'S', 4)]), Contents::Snapshot);
    assert!(error.contains("does not make the header's state root"), "{error}");
    let mut changed = frames.clone();
    let Frame::State { key, .. } = changed[at(b'S', 4)] else { panic!() };
    changed[at(b'S', 4)] = Frame::State { key, value: b"{}" };
    assert!(judge(&changed, Contents::Snapshot).contains("does not make the header's state root"));
    let mut swapped = frames.clone();
    swapped.swap(at(b'S', 4), at(b'S', 5));
    assert!(judge(&swapped, Contents::Snapshot).contains("not in order"));
    // Tree rows: left out at the beginning, in the middle, at the end; all; a value of an old height changed.
    let rows = frames.iter().filter(|frame| frame.kind().byte() == b'T').count();
    for nth in [0, 1, rows / 2, rows - 1] {
        let error = judge(&without(&[at(b'T', nth)]), Contents::Snapshot);
        assert!(error.contains("the state's tree"), "{nth}: {error}");
    }
    let all: Vec<_> = (0..frames.len()).filter(|at| frames[*at].kind().byte() == b'T').collect();
    assert!(judge(&without(&all), Contents::Snapshot).contains("rows of the state's tree are missing"));
    let valued = |frame: &Frame<'_>| matches!(frame, Frame::Tree { value, .. } if !value.is_empty());
    let old = frames.iter().position(valued).expect("a value");
    let mut changed = frames.clone();
    let Frame::Tree { key, node, .. } = changed[old] else { panic!() };
    changed[old] = Frame::Tree { key, node, value: b"{}" };
    assert!(judge(&changed, Contents::Snapshot).contains("a value has another hash"));
    changed[old] = Frame::Tree { key, node, value: b"" };
    assert!(judge(&changed, Contents::Snapshot).contains("a value is missing"));
    // No state at all: that is a log, and says how to import it.
    let states: Vec<_> = (0..frames.len()).filter(|at| b"ST".contains(&frames[*at].kind().byte())).collect();
    assert!(judge(&without(&states), Contents::Snapshot).ends_with("import it from the log alone"));
    // A later beginning.
    let mut later = frames.clone();
    later.insert(1, Frame::First(Height(2)));
    assert!(judge(&later, Contents::Snapshot).contains("begins at height 2"));
}

#[test]
fn a_file_is_held_against_the_trust_file() {
    let (mut network, directory) = (TestNetwork::new(), tempfile::tempdir().unwrap());
    let ledger = network.open(&directory.path().join("node"), 1).unwrap();
    full(&mut network, &ledger);
    let old = exported(&ledger, Contents::Snapshot);
    let place = directory.path().join("copy");
    let stranger = TestNetwork::named("stranger", 4, 2).trust();
    for contents in [Contents::Snapshot, Contents::Log] {
        let error = imported(&place, &stranger, contents, &old).unwrap_err();
        assert!(matches!(error, ImportError::OtherNetwork { .. }), "{error}");
    }
    let pin = |ledger: &Ledger, height: Height| {
        let stored = ledger.view().unwrap().checkpoint(height).unwrap().unwrap();
        let (header, note) = (stored.header.text, stored.note.to_string());
        let checkpoint = PinnedCheckpoint { header, note, validators: (*stored.validators).clone() };
        TrustFile::with_checkpoint((*network.genesis).clone(), checkpoint).unwrap()
    };
    network.grow(&ledger, 1, 1);
    let pinned = pin(&ledger, ledger.tip().height());
    // The same heights decided otherwise, by whoever holds the keys: another ledger, which the pinned header tells apart.
    let forked = network.open(&directory.path().join("fork"), 1).unwrap();
    while forked.tip().height() < ledger.tip().height() {
        network.grow(&forked, 1, 2);
    }
    let forged = exported(&forked, Contents::Snapshot);
    for contents in [Contents::Snapshot, Contents::Log] {
        let error = imported(&place, &pinned, contents, &old).unwrap_err();
        assert!(matches!(error, ImportError::TooOld { .. }), "{error}");
        let error = imported(&place, &pinned, contents, &forged).unwrap_err();
        assert!(matches!(error, ImportError::Contradiction(_)), "{error}");
    }
    imported(&place, &pinned, Contents::Snapshot, &exported(&ledger, Contents::Snapshot)).unwrap();
}

/// INV-IMPORT-2: what lies at the place decides before anything is made.
#[test]
fn directories_are_new_or_left_alone() {
    let (network, directory) = (TestNetwork::new(), tempfile::tempdir().unwrap());
    let ledger = network.open(&directory.path().join("node"), 1).unwrap();
    network.grow(&ledger, 3, 3);
    let bytes = exported(&ledger, Contents::Snapshot);
    let place = directory.path().join("copy");
    let go = || imported(&place, &network.trust(), Contents::Snapshot, &bytes);
    std::fs::create_dir(&place).unwrap();
    std::fs::write(place.join("letter.txt"), "mine").unwrap();
    assert!(matches!(go(), Err(ImportError::NotEmpty(_))));
    std::fs::remove_file(place.join("letter.txt")).unwrap();
    let partial = directory.path().join("copy.partial");
    std::fs::create_dir(&partial).unwrap();
    std::fs::write(partial.join("letter.txt"), "mine").unwrap();
    assert!(matches!(go(), Err(ImportError::InTheWay(_))));
    std::fs::remove_file(partial.join("letter.txt")).unwrap();
    // What an import that was killed has left has an identity: it goes, and the import is made again.
    drop(network.open(&partial, 1).unwrap());
    go().unwrap();
    assert!(!partial.exists());
    assert!(matches!(go(), Err(ImportError::NotEmpty(_))));
    let other = Ledger::open(
        &place,
        Arc::clone(&network.genesis),
        testamur_store::Options {
            node: NodeIdentity::Validator(network.validators[0].address),
            health: testamur_store::Health::default(),
        },
    );
    assert!(
        matches!(other, Err(StoreError::Foreign { .. })),
        "an observer's directory becomes nobody else's by itself"
    );
}

/// The committed export is what this code makes, and reads as it always did; the Python verifier reads the same file.
/// `WRITE_VECTORS=1` writes it anew: a `wire:` change.
#[test]
fn the_golden_ledger_is_made_and_read_again() {
    let (mut network, directory) = (TestNetwork::named("golden", 4, 2), tempfile::tempdir().unwrap());
    let ledger = network.open(&directory.path().join("node"), 1).unwrap();
    full(&mut network, &ledger);
    let tip = ledger.tip();
    let facts = format!(
        "{{\"epoch\":{},\"header\":\"{}\",\"height\":{},\"records\":{}}}\n",
        tip.header.epoch, tip.hash, tip.header.height, tip.header.log_size
    );
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/ledger");
    let files = [
        ("snapshot.ledger", exported(&ledger, Contents::Snapshot)),
        ("log.ledger", exported(&ledger, Contents::Log)),
        ("trust.json", network.trust().to_json().into_bytes()),
        ("facts.json", facts.into_bytes()),
    ];
    for (name, bytes) in &files {
        let path = folder.join(name);
        if std::env::var_os("WRITE_VECTORS").is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, bytes).unwrap();
        }
        assert!(std::fs::read(&path).unwrap() == *bytes, "{name} differs");
    }
    let trust = TrustFile::from_json(&std::fs::read(folder.join("trust.json")).unwrap()).unwrap();
    for (name, contents) in [("snapshot.ledger", Contents::Snapshot), ("log.ledger", Contents::Log)] {
        let bytes = std::fs::read(folder.join(name)).unwrap();
        imported(&directory.path().join(name), &trust, contents, &bytes).unwrap();
    }
}
