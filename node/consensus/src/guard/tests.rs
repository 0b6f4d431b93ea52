use std::sync::atomic::{AtomicU64, Ordering};

use testamur_primitives::hash::{HeaderHash, TreeHash};
use testamur_primitives::units::{LogSize, UnixTime};

use super::*;

const ADDRESS: Address = Address::from_bytes([7; 32]);

fn value(number: u8) -> ValueId {
    ValueId {
        log_size: LogSize(number.into()),
        log_root: TreeHash::from_bytes([number; 32]),
        time: UnixTime(100),
        header: HeaderHash::from_bytes([number; 32]),
    }
}

fn request(height: u64, round: u32, step: Step, value: Option<ValueId>) -> Request {
    Request { slot: Slot { height: Height(height), round: Round(round), step }, value, justified_by: None }
}

/// A message that says what it is about, and a "signature" that counts.
fn sign(guard: &Guard, request: Request) -> Result<Signed, GuardError> {
    static SIGNATURES: AtomicU64 = AtomicU64::new(1);
    let message = |value: Option<&ValueId>, pol: Option<Round>| {
        format!("{:?} {:?} {pol:?}", request.slot, value.map(|v| v.log_size)).into_bytes()
    };
    guard.sign(request, message, |_| {
        let mut signature = [0; 64];
        signature[..8].copy_from_slice(&SIGNATURES.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        signature
    })
}

fn open(directory: &Path, tip: u64) -> (Guard, Standing) {
    Guard::open(directory, ADDRESS, Height(tip)).unwrap()
}

/// In memory where the system has such a place: these tests write thousands of files.
fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn new_guard() -> (tempfile::TempDir, Guard) {
    let directory = scratch();
    Guard::create(directory.path(), ADDRESS).unwrap();
    let (guard, standing) = open(directory.path(), 0);
    assert_eq!(standing, Standing::Complete);
    (directory, guard)
}

/// A height with a lock in round 0 and more rounds after it.
fn sign_a_height(guard: &Guard) -> Vec<(Slot, Signed)> {
    let requests = [
        request(5, 0, Step::Proposal, Some(value(1))),
        request(5, 0, Step::Prevote, Some(value(1))),
        request(5, 0, Step::Precommit, Some(value(1))),
        request(5, 1, Step::Prevote, Some(value(2))),
        request(5, 1, Step::Precommit, None),
        request(6, 0, Step::Prevote, None),
    ];
    requests.into_iter().map(|r| (r.slot, sign(guard, r).unwrap())).collect()
}

#[test]
fn the_same_slot_again_returns_what_is_stored() {
    let (directory, guard) = new_guard();
    let first = sign(&guard, request(5, 0, Step::Prevote, Some(value(1)))).unwrap();
    let other = request(5, 0, Step::Prevote, Some(value(2)));
    assert_eq!(sign(&guard, other).unwrap(), first, "INV-GUARD-2");
    drop(guard);
    let (guard, standing) = open(directory.path(), 4);
    assert_eq!(standing, Standing::Complete);
    assert_eq!(sign(&guard, other).unwrap(), first, "INV-GUARD-2 after a restart");
}

#[test]
fn off_the_lock_a_prevote_is_nil_unless_newer_prevotes_justify_it() {
    let (directory, guard) = new_guard();
    sign(&guard, request(5, 1, Step::Precommit, Some(value(1)))).unwrap();
    drop(guard); // the engine may have lost its log: the lock is the guard's
    let (guard, _) = open(directory.path(), 4);
    let prevote = |round, wanted, pol: Option<u32>| {
        let asked = Request { justified_by: pol.map(Round), ..request(5, round, Step::Prevote, Some(value(wanted))) };
        sign(&guard, asked).unwrap().value
    };
    assert_eq!(prevote(2, 2, None), None, "INV-GUARD-3");
    assert_eq!(prevote(3, 2, Some(0)), None, "prevotes from before the lock justify nothing");
    assert_eq!(prevote(4, 1, None), Some(value(1)), "the locked value itself");
    assert_eq!(prevote(5, 2, Some(1)), Some(value(2)), "prevotes of the lock's round or later do");
    assert_eq!(prevote(6, 2, Some(6)), None, "not of the round itself");
    // Two thirds of prevotes in this round move the lock; the engine has checked them.
    let moved = sign(&guard, request(5, 7, Step::Precommit, Some(value(2)))).unwrap();
    assert_eq!(moved.lock, Some((Round(7), value(2))));
    assert_eq!(prevote(8, 1, Some(6)), None);
    assert_eq!(sign(&guard, request(6, 0, Step::Prevote, Some(value(3)))).unwrap().value, Some(value(3)));
}

#[test]
fn a_file_cut_at_any_byte_never_leads_to_a_second_signature() {
    let (directory, guard) = new_guard();
    let path = directory.path().join(FILE_NAME);
    let start = std::fs::metadata(&path).unwrap().len() as usize;
    let mut ends = Vec::new();
    let signed: Vec<_> = {
        let before = sign_a_height(&guard);
        drop(guard);
        before
    };
    let bytes = std::fs::read(&path).unwrap();
    let mut at = start;
    for (slot, entry) in &signed {
        at += encode_signed(*slot, entry).len();
        ends.push(at);
    }
    assert_eq!(at, bytes.len());
    for cut in 0..=bytes.len() {
        let copy = scratch();
        std::fs::write(copy.path().join(FILE_NAME), &bytes[..cut]).unwrap();
        let (guard, standing) = open(copy.path(), 0);
        if cut < HEADER_BYTES {
            assert_eq!(standing, Standing::Missing);
            let refused = sign(&guard, request(5, 0, Step::Prevote, None));
            assert!(matches!(refused, Err(GuardError::NotKnown(Height(5)))), "INV-GUARD-5");
            continue;
        }
        assert_eq!(standing, Standing::Complete, "cut at {cut}");
        for ((slot, entry), end) in signed.iter().zip(&ends) {
            let again = sign(&guard, Request { slot: *slot, value: Some(value(9)), justified_by: None }).unwrap();
            // What was wholly on disk may have left; what was not never did (INV-GUARD-1).
            assert_eq!(again == *entry, *end <= cut, "cut at {cut}, slot {slot:?}");
        }
    }
}

/// A file system may keep a file's new size over a power cut and not its bytes (found by R4: one cut of 900).
#[test]
fn zeros_in_the_place_of_the_last_entry_were_never_acknowledged() {
    let (directory, guard) = new_guard();
    let mut acknowledged = BTreeMap::new();
    let mut before = std::fs::read(directory.path().join(FILE_NAME)).unwrap();
    let mut over_a_block = 0;
    for round in 0..60 {
        let slot = Slot { height: Height(5), round: Round(round), step: Step::Prevote };
        let signed = sign(&guard, Request { slot, value: Some(value(1)), justified_by: None }).unwrap();
        let after = std::fs::read(directory.path().join(FILE_NAME)).unwrap();
        let block_end = (before.len() / 4096 + 1) * 4096;
        let block_end = block_end.min(after.len());
        // All of it, or its first block's part, or what is behind that; fewer zeros may be a flipped bit's and prove nothing.
        for zeros in [before.len()..after.len(), before.len()..block_end, block_end..after.len()] {
            if zeros.len() < 4 {
                continue;
            }
            over_a_block += u64::from(zeros.end < after.len() || zeros.start > before.len());
            let mut torn = after.clone();
            torn[zeros.clone()].fill(0);
            let copy = scratch();
            std::fs::write(copy.path().join(FILE_NAME), &torn).unwrap();
            let (guard, standing) = open(copy.path(), 0);
            assert_eq!(standing, Standing::Complete, "round {round}, zeros in {zeros:?}");
            for (slot, signed) in &acknowledged {
                let asked = Request { slot: *slot, value: Some(value(9)), justified_by: None };
                assert_eq!(sign(&guard, asked).unwrap(), *signed, "INV-GUARD-1, INV-GUARD-2");
            }
        }
        // Zeros over more than one entry: those before the last were acknowledged, and that is damage.
        acknowledged.insert(slot, signed);
        before = after;
    }
    assert!(over_a_block > 1, "some entries lie in two blocks");
    let mut damaged = before.clone();
    damaged[HEADER_BYTES..].fill(0);
    let copy = scratch();
    std::fs::write(copy.path().join(FILE_NAME), &damaged).unwrap();
    assert_eq!(open(copy.path(), 4).1, Standing::Missing);
}

#[test]
fn a_flipped_bit_is_damage_or_changes_nothing() {
    let (directory, guard) = new_guard();
    let signed = sign_a_height(&guard);
    drop(guard);
    let bytes = std::fs::read(directory.path().join(FILE_NAME)).unwrap();
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        let copy = scratch();
        std::fs::write(copy.path().join(FILE_NAME), &damaged).unwrap();
        match Guard::open(copy.path(), ADDRESS, Height(4)) {
            Err(GuardError::OtherValidator { .. }) => {}
            Ok((_, Standing::Missing)) => assert!(copy.path().join("guard.damaged").exists()),
            Ok((guard, standing)) => {
                assert_eq!(standing, Standing::Complete);
                for (slot, entry) in &signed {
                    let asked = Request { slot: *slot, value: Some(value(9)), justified_by: None };
                    assert_eq!(sign(&guard, asked).unwrap(), *entry, "bit flipped at {at}");
                }
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn an_entry_is_as_long_as_its_kind_is() {
    for kind in 1..=5 {
        let entry = |length: usize| {
            let body = [&[kind][..], &[0; 7], &[9], &vec![0; length]].concat();
            load(&[&header(ADDRESS)[..], &frame(&body)].concat()).map(|loaded| (loaded.floor, loaded.high))
        };
        let read = match kind {
            2 => Some((Height(9), Height(9))),
            3 | 4 => Some((Height(0), Height(9))),
            _ => None,
        };
        assert_eq!((entry(0), entry(1)), (read, None), "kind {kind}");
    }
}

#[test]
fn the_last_height_of_all_is_damage() {
    let floor = |height: u64| load(&[&header(ADDRESS)[..], &encode_plain(2, Height(height))].concat());
    assert_eq!(floor(u64::MAX - 1).map(|loaded| loaded.floor), Some(Height(u64::MAX - 1)));
    assert!(floor(u64::MAX).is_none());
}

#[test]
fn an_unsettled_guard_stays_so_over_restarts_until_it_is_settled() {
    let directory = scratch();
    let (guard, standing) = open(directory.path(), 20);
    assert_eq!(standing, Standing::Missing);
    guard.mark(Height(21)).unwrap();
    guard.prune(Height(21)).unwrap();
    drop(guard);
    let (guard, standing) = open(directory.path(), 21);
    assert_eq!(standing, Standing::Unsettled, "a second start must not forget");
    assert!(sign(&guard, request(22, 0, Step::Prevote, None)).is_err(), "INV-GUARD-5");
    guard.settle(Height(30)).unwrap();
    assert!(sign(&guard, request(30, 0, Step::Prevote, None)).is_err());
    assert!(sign(&guard, request(31, 0, Step::Prevote, None)).is_ok());
    drop(guard);
    let (guard, standing) = open(directory.path(), 31);
    assert_eq!((standing, guard.floor()), (Standing::Complete, Height(30)));
    drop(guard);
    let (_, standing) = open(directory.path(), 32);
    assert_eq!(standing, Standing::Behind, "the store has seen a height that the guard has not");
}

#[test]
fn old_heights_are_forgotten_and_the_file_stays_small() {
    let (directory, guard) = new_guard();
    let bytes = || std::fs::metadata(directory.path().join(FILE_NAME)).unwrap().len();
    let mut most = 0;
    for height in 1..=600 {
        for step in [Step::Proposal, Step::Prevote, Step::Precommit] {
            sign(&guard, request(height, 0, step, Some(value(1)))).unwrap();
        }
        guard.mark(Height(height)).unwrap();
        most = most.max(bytes());
        guard.prune(Height(height)).unwrap();
    }
    assert!(most > GUARD_FILE_BYTES_MAX, "{most} bytes: it is not written anew at every height");
    assert!(most <= GUARD_FILE_BYTES_MAX + 4 * GUARD_ENTRY_BYTES_MAX as u64, "{most} bytes");
    assert!(bytes() <= GUARD_FILE_BYTES_MAX, "{} bytes", bytes());
    assert!(sign(&guard, request(600, 1, Step::Prevote, None)).is_err());
    drop(guard);
    // The store comes from an old backup: the guard still knows what it signed.
    let (guard, standing) = open(directory.path(), 3);
    assert_eq!(standing, Standing::Complete);
    assert!(guard.floor() > Height(200), "of the last time the file was rewritten");
    let refused = sign(&guard, request(4, 0, Step::Prevote, None));
    assert!(matches!(refused, Err(GuardError::NotKnown(Height(4)))));
}

#[test]
fn another_validators_guard_is_refused() {
    let (directory, guard) = new_guard();
    drop(guard);
    let other = Address::from_bytes([8; 32]);
    let opened = Guard::open(directory.path(), other, Height(0));
    assert!(matches!(opened, Err(GuardError::OtherValidator { found: ADDRESS, .. })));
}

#[test]
fn after_failed_io_nothing_is_signed() {
    let (directory, guard) = new_guard();
    // A disk that has opened nothing cannot be written.
    guard.state.lock().unwrap().disk = Box::new(Directory::open(directory.path()).unwrap());
    let slot = request(1, 0, Step::Prevote, None);
    assert!(matches!(sign(&guard, slot), Err(GuardError::Io { what: "write", .. })));
    assert!(matches!(sign(&guard, slot), Err(GuardError::Stopped)), "INV-GUARD-4");
    assert!(matches!(guard.mark(Height(9)), Err(GuardError::Stopped)));
}
