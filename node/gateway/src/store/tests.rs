//! Goal: a step is there as a whole or not at all, whatever the disk does, and nothing in the file can be read. Method: an archive on
//! a disk in memory that fails at the n-th write, for every n; after each failure the archive is opened again from what the disk has.

use std::sync::Mutex;

use redb::StorageBackend;
use testamur_primitives::commitment::{DigestAlgorithm, Form};

use super::*;

/// A disk in memory that survives the process.
#[derive(Debug, Clone, Default)]
struct Disk {
    bytes: Arc<Mutex<Vec<u8>>>,
    /// Writes and synchronisations until it is full; `u64::MAX` for a good one.
    left: Arc<AtomicU64>,
    failed: Arc<AtomicBool>,
}

impl Disk {
    fn new() -> Self {
        let disk = Self::default();
        disk.holds(u64::MAX);
        disk
    }

    fn holds(&self, writes: u64) {
        self.left.store(writes, Ordering::SeqCst);
        self.failed.store(false, Ordering::SeqCst);
    }

    fn spend(&self) -> std::io::Result<()> {
        let spend = |left: u64| Some(if left == u64::MAX { left } else { left.saturating_sub(1) });
        let before = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, spend).unwrap();
        if before == 0 {
            self.failed.store(true, Ordering::SeqCst);
            return Err(std::io::Error::from(std::io::ErrorKind::StorageFull));
        }
        Ok(())
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> std::io::Result<u64> {
        Ok(self.bytes.lock().unwrap().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
        let start = offset as usize;
        out.copy_from_slice(&self.bytes.lock().unwrap()[start..start + out.len()]);
        Ok(())
    }

    fn set_len(&self, len: u64) -> std::io::Result<()> {
        self.spend()?;
        self.bytes.lock().unwrap().resize(len as usize, 0);
        Ok(())
    }

    fn sync_data(&self) -> std::io::Result<()> {
        self.spend()
    }

    fn write(&self, offset: u64, data: &[u8]) -> std::io::Result<()> {
        self.spend()?;
        let start = offset as usize;
        self.bytes.lock().unwrap()[start..start + data.len()].copy_from_slice(data);
        Ok(())
    }
}

fn key(byte: u8) -> ArchiveKey {
    ArchiveKey::from_bytes(&[byte; 32])
}

fn open(disk: &Disk) -> Result<Store, StoreError> {
    let disk = disk.clone();
    let opener = move || Database::builder().create_with_backend(disk.clone()).map_err(io("opened"));
    Store::open_with(Path::new("disk"), Box::new(opener), &key(1))
}

fn digests(count: u8) -> Vec<DocumentDigest> {
    (0..count).map(|byte| DocumentDigest::new(DigestAlgorithm::Sha2_256, vec![byte; 32]).unwrap()).collect()
}

fn submission(store: &Store, count: u32, repeatable: Option<[u8; 32]>) -> Submission {
    Submission {
        id: SubmissionId::fresh().unwrap(),
        caller: "registry-office".parse().unwrap(),
        form: Form::Commitment,
        count,
        batch: None,
        reference: None,
        queued: true,
        created: testamur_primitives::units::UnixTime(1_790_000_000),
        since: testamur_primitives::units::UnixTime(1_790_000_000),
        repeatable,
        state: State::Queued { number: store.next_number() },
    }
}

/// Puts three documents into the queue.
async fn enqueue(store: &Store, repeatable: Option<[u8; 32]>) -> Result<Submission, StoreError> {
    let submission = submission(store, 3, repeatable);
    let mut step = store.step();
    step.begin(&submission, Some("fingerprint"));
    step.enqueue(&submission, &digests(3));
    store.write(step).await.map(|()| submission)
}

fn queued(store: &Store) -> Vec<SubmissionId> {
    store.queued(|_| true).unwrap().into_iter().map(|submission| submission.id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_and_loses_nothing() {
    let mut refused = 0;
    for writes in 0..200 {
        let disk = Disk::new();
        let store = open(&disk).unwrap();
        let first = enqueue(&store, None).await.unwrap();
        disk.holds(writes);
        let second = enqueue(&store, None).await;
        let failed = disk.failed.load(Ordering::SeqCst);
        disk.holds(u64::MAX);
        // INV-KEPT-5: the same process goes on once the disk has room.
        let third = enqueue(&store, None).await.unwrap();
        let found = queued(&store);
        assert_eq!((found[0], found[found.len() - 1]), (first.id, third.id), "after {writes} writes");
        match &second {
            Ok(second) => assert_eq!(found, [first.id, second.id, third.id], "it was answered, so it is there"),
            // Told as an error. When the last synchronisation failed, and the disk can be opened neither, it may be there: as a whole.
            Err(StoreError::Io { .. }) => refused += 1,
            Err(other) => panic!("{other}"),
        }
        assert!(found.len() <= 3);
        let check = |store: &Store| {
            assert_eq!(queued(store), found, "after {writes} writes");
            assert_eq!(store.waiting(), 3 * found.len() as u64);
            for id in &found {
                assert_eq!(store.digests(*id).unwrap(), digests(3));
            }
        };
        check(&store);
        drop(store);
        check(&open(&disk).unwrap());
        if !failed {
            assert!(second.is_ok() && refused > 0, "the disk failed at {refused} places");
            return;
        }
    }
    panic!("a step takes more than 200 writes");
}

/// What the disk had when the process was killed, at every write of a step.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_leaves_a_step_whole_or_not_at_all() {
    for writes in 0..200 {
        let disk = Disk::new();
        let store = open(&disk).unwrap();
        let first = enqueue(&store, None).await.unwrap();
        disk.holds(writes);
        let second = enqueue(&store, None).await;
        let failed = disk.failed.load(Ordering::SeqCst);
        // As kill -9 leaves it: the bytes of now, and nothing that is written while the database is closed.
        let after = Disk::new();
        *after.bytes.lock().unwrap() = disk.bytes.lock().unwrap().clone();
        let reopened = open(&after).unwrap();
        let found = queued(&reopened);
        assert_eq!(found[0], first.id);
        assert!(found.len() <= 2, "after {writes} writes");
        if let Ok(second) = second {
            assert_eq!(found, [first.id, second.id], "INV-KEPT-1: it was answered, so it is there");
        }
        for id in found {
            assert_eq!(reopened.digests(id).unwrap(), digests(3));
        }
        if !failed {
            return;
        }
    }
    panic!("a step takes more than 200 writes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_used_once_and_its_neighbours_are_not_affected() {
    let store = open(&Disk::new()).unwrap();
    let place = store.repeat_place(&"office".parse().unwrap(), "k");
    assert_ne!(place, store.repeat_place(&"other".parse().unwrap(), "k"));
    let first = enqueue(&store, Some(place)).await.unwrap();
    let (again, other) = tokio::join!(enqueue(&store, Some(place)), enqueue(&store, None));
    assert!(matches!(again, Err(StoreError::Exists)), "{again:?}");
    assert_eq!(queued(&store), [first.id, other.unwrap().id]);
    assert_eq!(store.used(&place).unwrap().unwrap().id, first.id);
    let mut step = store.step();
    step.forget(&first);
    store.write(step).await.unwrap();
    assert_eq!((store.used(&place).unwrap(), store.submission(first.id).unwrap()), (None, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_is_private_opens_with_its_key_and_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("receipts.redb");
    let store = Store::open(&path, &key(1)).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(matches!(Store::open(&path, &key(1)), Err(StoreError::Busy(_))));
    enqueue(&store, Some(store.repeat_place(&"registry-office".parse().unwrap(), "case-4711"))).await.unwrap();
    drop(store);
    let bytes = std::fs::read(&path).unwrap();
    for hidden in ["registry-office", "case-4711", "fingerprint", "queued"] {
        assert!(!bytes.windows(hidden.len()).any(|window| window == hidden.as_bytes()), "{hidden} can be read");
    }
    assert!(matches!(Store::open(&path, &key(2)), Err(StoreError::WrongKey(_))));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(Store::open(&path, &key(1)), Err(StoreError::OpenToOthers { mode: 0o640, .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_made_in_use_and_serves_elsewhere() {
    let directory = tempfile::tempdir().unwrap();
    let [path, backup, elsewhere] =
        ["receipts.redb", "backup.redb", "elsewhere.redb"].map(|name| directory.path().join(name));
    let store = Store::open(&path, &key(1)).unwrap();
    let first = enqueue(&store, None).await.unwrap();
    // The mark, the submission, its places in the list and in the queue, its digests.
    assert_eq!(store.backup(&backup).unwrap(), 5);
    let later = enqueue(&store, None).await.unwrap();
    assert!(matches!(store.backup(&backup), Err(StoreError::Io { .. })), "nothing is overwritten");
    assert!(matches!(restore(&backup, &elsewhere, &key(2)), Err(StoreError::WrongKey(_))));
    assert!(!elsewhere.exists());
    assert_eq!(restore(&backup, &elsewhere, &key(1)).unwrap(), 5);
    let restored = Store::open(&elsewhere, &key(1)).unwrap();
    assert_eq!((queued(&restored), restored.digests(first.id).unwrap()), (vec![first.id], digests(3)));
    assert_eq!(restored.submission(later.id).unwrap(), None);
    assert!(matches!(restore(&directory.path().join("absent"), &backup, &key(1)), Err(StoreError::Io { .. })));
    // Cut anywhere, or a bit flipped, a backup is refused or reads as it was.
    let whole = std::fs::read(&backup).unwrap();
    let bent = directory.path().join("bent.redb");
    std::fs::write(&bent, &whole[..whole.len() / 2]).unwrap();
    std::fs::set_permissions(&bent, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert!(Store::open(&bent, &key(1)).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_each_callers_own_and_come_in_pages() {
    let store = open(&Disk::new()).unwrap();
    let caller: Reference = "registry-office".parse().unwrap();
    let mut ids = Vec::new();
    for number in 0..10u8 {
        let mut submission = submission(&store, 1, None);
        submission.reference = (number % 2 == 0).then(|| "even".parse().unwrap());
        if number == 9 {
            submission.state = State::Refused { code: "x".into(), detail: String::new() };
        }
        let mut step = store.step();
        step.begin(&submission, None);
        store.write(step).await.unwrap();
        ids.push(submission.id);
    }
    // Ids of one millisecond are in no order.
    ids.sort_unstable();
    ids.reverse();
    let wanted = Listing { caller, reference: None, after: None, from: None, until: None, state: None, limit: 4 };
    let ids_of = |page: &Page| page.submissions.iter().map(|found| found.id).collect::<Vec<_>>();
    let mut found = Vec::new();
    let mut after = None;
    for expected in [4, 4, 2] {
        let page = store.listed(&Listing { after, ..wanted.clone() }).unwrap();
        assert_eq!(page.submissions.len(), expected);
        found.extend(ids_of(&page));
        after = page.next;
    }
    assert_eq!((found, after), (ids.clone(), None));
    let page = |wanted: Listing| ids_of(&store.listed(&Listing { limit: 100, ..wanted }).unwrap()).len();
    assert_eq!(page(Listing { reference: Some("even".parse().unwrap()), ..wanted.clone() }), 5);
    assert_eq!(page(Listing { reference: Some("odd".parse().unwrap()), ..wanted.clone() }), 0);
    assert_eq!(page(Listing { caller: "other".parse().unwrap(), ..wanted.clone() }), 0);
    assert_eq!(page(Listing { state: Some("refused"), ..wanted.clone() }), 1);
    let now = testamur_client::author::now().unwrap().0;
    let at = |seconds| Some(UnixTime(seconds));
    assert_eq!(page(Listing { from: at(now - 60), until: at(now + 60), ..wanted.clone() }), 10);
    assert_eq!(page(Listing { until: at(now - 60), ..wanted.clone() }), 0);
    assert_eq!(page(Listing { from: at(now + 60), ..wanted.clone() }), 0);
    assert_eq!(page(Listing { from: at(u64::MAX), until: at(0), ..wanted.clone() }), 0);
    // What is forgotten is listed no more.
    let first = store.submission(ids[0]).unwrap().unwrap();
    let mut step = store.step();
    step.forget(&first);
    store.write(step).await.unwrap();
    assert_eq!(page(wanted.clone()), 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_come_in_the_order_in_which_they_are_due() {
    let store = open(&Disk::new()).unwrap();
    let ids: Vec<_> = (0..3).map(|_| SubmissionId::fresh().unwrap()).collect();
    let delivery =
        |place: usize, due| Delivery { id: ids[place], settled: UnixTime(1), attempts: 0, due: UnixTime(due) };
    let mut step = store.step();
    for (place, due) in [(0, 30), (1, 10), (2, 20)] {
        step.put_delivery(&delivery(place, due));
    }
    store.write(step).await.unwrap();
    let due = |until| store.due(UnixTime(until), 10).unwrap().into_iter().map(|(_, id, _)| id).collect::<Vec<_>>();
    assert_eq!(due(9), []);
    assert_eq!(due(20), [ids[1], ids[2]]);
    assert_eq!(store.due(UnixTime(99), 1).unwrap().len(), 1);
    assert_eq!(store.next_due().unwrap(), Some(UnixTime(10)));
    // Put off: the turn of before is no turn any more, and told from the one that counts.
    let mut step = store.step();
    step.put_delivery(&delivery(1, 40));
    store.write(step).await.unwrap();
    let turns = store.due(UnixTime(99), 10).unwrap();
    let stands: Vec<_> = turns.iter().map(|(turn, _, delivery)| delivery.as_ref().unwrap().due == *turn).collect();
    assert_eq!(stands, [false, true, true, true]);
}
