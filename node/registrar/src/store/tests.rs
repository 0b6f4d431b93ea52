use std::collections::{BTreeMap, BTreeSet};

use super::*;
use testamur_primitives::record::Bytes;

/// Breaks off at a step, just before or just after it is on disk; nothing works any more then.
#[derive(Default)]
pub(crate) struct Crash {
    steps: std::sync::atomic::AtomicUsize,
    at: std::sync::Mutex<Option<(usize, bool)>>,
}

impl Crash {
    /// At this step, counted from the next; `after` says whether it is on disk.
    pub(crate) fn at(&self, step: usize, after: bool) {
        let done = self.steps.load(std::sync::atomic::Ordering::SeqCst);
        *self.at.lock().unwrap() = Some((done + step, after));
    }

    fn broken(&self, after: bool) -> Result<(), StoreError> {
        let step = self.steps.load(std::sync::atomic::Ordering::SeqCst);
        match *self.at.lock().unwrap() {
            Some((at, when)) if step > at || (step == at && (when == after || !when)) => {
                Err(StoreError::Io { action: "written", reason: "crashed on purpose".into() })
            }
            _ => Ok(()),
        }
    }

    pub(super) fn before(&self) -> Result<(), StoreError> {
        self.broken(false)
    }

    pub(super) fn after(&self) -> Result<(), StoreError> {
        self.broken(true)?;
        self.steps.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Ok(())
    }
}

fn issuer() -> Did {
    Did::of_ledger("ebsi", &[1; 16])
}

fn key() -> ArchiveKey {
    ArchiveKey::from_bytes(&[7; 32])
}

fn open(directory: &Path) -> Store {
    Store::open(&directory.join("diplomas.redb"), &key(), &issuer()).unwrap()
}

fn award(store: &Store, registrar: &str, award: &str) -> Award {
    let id = AwardId::new(registrar, award).unwrap();
    let diploma = Diploma {
        edition: 1,
        state: State::Prepared,
        list: "diplomas-1".parse().unwrap(),
        index: 5,
        row: [3; 32],
        job: JobId("00".into()),
        issued: None,
        anchor: None,
        copies: BTreeMap::new(),
        print: false,
        stem: "Kalliope".into(),
        replaces: None,
        replaced_by: None,
    };
    Award { key: store.key_of(&id), id, diplomas: vec![diploma] }
}

/// Goal: whoever finds the file learns nothing of anybody. Method: names are written everywhere that takes text, then looked for.
#[test]
fn nothing_personal_is_readable_on_disk() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let award = award(&store, "Kalliope-77", "Kalliope-88");
    store
        .write(|change| {
            change.put_award(&award)?;
            change.put("Kalliope-kind", "Kalliope-name", &"Kalliope")?;
            change.put_text(&award.diploma(1), Format::SdJwt, &[9; 32], "Kalliope")?;
            change.put_print(&award.diploma(1), b"Kalliope")
        })
        .unwrap();
    drop(store);
    let path = directory.path().join("diplomas.redb");
    let bytes = std::fs::read(&path).unwrap();
    assert!(!bytes.windows(8).any(|window| window == b"Kalliope"));
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let store = open(directory.path());
    assert_eq!(store.text(&award.diploma(1), Format::SdJwt).unwrap().unwrap(), "Kalliope");
    assert_eq!(store.by_digest(&[9; 32]).unwrap(), Some((award.diploma(1), Format::SdJwt)));
    assert_eq!(store.all::<String>("Kalliope-kind").unwrap(), [("Kalliope-name".into(), "Kalliope".into())]);
}

#[test]
fn another_key_another_issuer_and_open_files_are_told_apart() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("diplomas.redb");
    let store = open(directory.path());
    // INV-ARCHIVE-4.
    assert!(matches!(Store::open(&path, &key(), &issuer()), Err(StoreError::Busy(_))));
    drop(store);
    let other = ArchiveKey::from_bytes(&[8; 32]);
    assert!(matches!(Store::open(&path, &other, &issuer()), Err(StoreError::WrongKey(_))));
    let stranger = Did::of_ledger("ebsi", &[2; 16]);
    assert!(matches!(Store::open(&path, &key(), &stranger), Err(StoreError::WrongKey(_))));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(Store::open(&path, &key(), &issuer()), Err(StoreError::OpenToOthers { mode: 0o640, .. })));
}

/// INV-ARCHIVE-1: a step that fails anywhere leaves nothing, and what it did before is undone.
#[test]
fn a_step_is_whole_or_did_not_happen() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let (one, two) = (award(&store, "m", "1"), award(&store, "m", "2"));
    store.write(|change| change.put_award(&one)).unwrap();
    let list: Reference = "diplomas-1".parse().unwrap();
    let failed: Result<(), StoreError> = store.write(|change| {
        change.put_award(&two)?;
        change.begin_family(&list, 64)?;
        change.give(&list, 8)?;
        Err(StoreError::Exists(one.id.clone()))
    });
    assert!(matches!(failed, Err(StoreError::Exists(id)) if id == one.id));
    assert_eq!(store.award(&two.key).unwrap(), None);
    assert_eq!(store.families().unwrap(), []);
    drop(store);
    let store = open(directory.path());
    assert_eq!(store.award(&one.key).unwrap(), Some(one));
    assert_eq!(store.award(&two.key).unwrap(), None);
}

/// INV-ARCHIVE-2, across restarts.
#[test]
fn every_entry_of_a_list_is_given_out_once() {
    let directory = tempfile::tempdir().unwrap();
    let list: Reference = "diplomas-1".parse().unwrap();
    let mut seen = BTreeSet::new();
    for _ in 0..8 {
        let store = open(directory.path());
        let given = store
            .write(|change| {
                change.begin_family(&list, 64)?;
                change.give(&list, 8)
            })
            .unwrap();
        for entry in given {
            assert!(entry < 64 && seen.insert(entry), "{entry} was given out before");
        }
    }
    let store = open(directory.path());
    assert!(matches!(store.write(|change| change.give(&list, 1)), Err(StoreError::Full(_))));
    assert_eq!(store.family(&list).unwrap().unwrap().given, Bytes(vec![0xff; 8]));
}

#[test]
fn an_award_is_found_by_each_of_its_names_and_documents_by_kind() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let (one, two) = (award(&store, "m/1", "bachelor"), award(&store, "m", "1/bachelor"));
    assert_ne!(one.key, two.key);
    store
        .write(|change| {
            change.put_award(&one)?;
            change.put_award(&two)?;
            change.put("staff", "b", &2)?;
            change.put("staff", "a", &1)?;
            change.put("change", "a", &3)
        })
        .unwrap();
    let found = |name: &str| store.find(name).unwrap().iter().map(|award| award.key).collect::<Vec<_>>();
    assert_eq!(found("bachelor"), [one.key]);
    assert_eq!(found("1/bachelor"), [two.key]);
    assert_eq!(found(&one.key.to_string()), [one.key]);
    assert_eq!(store.find("m/1/bachelor").unwrap().len(), 2, "a doubtful name finds both");
    assert_eq!(store.find("master").unwrap(), []);
    assert_eq!(store.all::<u8>("staff").unwrap(), [("a".into(), 1), ("b".into(), 2)]);
    assert!(store.write(|change| change.remove("staff", "a")).unwrap());
    assert_eq!(store.get::<u8>("staff", "a").unwrap(), None);
    let mut count = 0;
    store.each_award(|_| count += 1).unwrap();
    assert_eq!(count, 2);
}
