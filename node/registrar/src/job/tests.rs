//! Goal: an award gets one diploma and a batch one record, wherever a job is broken off. Method: a real archive on disk that
//! crashes just before or just after each of its steps, and a ledger in memory that breaks at each call; each break is followed by
//! a restart that goes on as the command does.

use std::sync::Arc;

use testamur_credentials::content;
use testamur_credentials::format;
use testamur_primitives::codec::base64url;
use testamur_primitives::did::Did;
use testamur_primitives::key::SigningKey;
use testamur_primitives::record::{Payload, Record};

use super::*;
use crate::fake::{Break, FakeLedger};
use crate::files::Delivery;
use crate::office::{Progress, Settings};
use crate::store::{ArchiveKey, AwardId, Store};

fn quiet(_: Progress) {}

fn issuer() -> Did {
    Did::of_ledger("ebsi", &[9; 16])
}

fn key(byte: u8) -> SigningKey {
    SigningKey::p256(&[byte; 32]).unwrap()
}

fn draft(number: usize) -> Draft {
    let sample: serde_json::Value = serde_json::from_str(content::SAMPLES[0].1).unwrap();
    let serde_json::Value::Object(mut content) = sample["content"].clone() else { panic!("an object") };
    content.insert("familyName".into(), format!("Müller-{number}").into());
    let level = format!("EqfLevel{}", content["eqfLevel"]);
    let schema =
        testamur_primitives::schemas::body::canonical(include_str!("../../../../genesis/schemas/diploma.json"));
    Draft {
        award: AwardId::new("M1", &format!("A{number}")).unwrap(),
        content,
        types: ["UniversityDegree".to_owned(), level].into(),
        schema: testamur_primitives::schemas::id_of(&schema.unwrap()).unwrap(),
        holder: None,
        valid_until: None,
        stem: format!("A{number}"),
        page: Default::default(),
    }
}

fn drafts() -> Vec<(usize, Draft)> {
    (0..3).map(|number| (number + 2, draft(number))).collect()
}

fn options() -> Options {
    Options { formats: [Format::SdJwt, Format::Ebsi].into(), print: false }
}

struct Desk {
    directory: tempfile::TempDir,
    ledger: Arc<FakeLedger>,
    office: Office,
}

fn open(directory: &tempfile::TempDir, ledger: &Arc<FakeLedger>, signing: SigningKey) -> Office {
    let path = directory.path().join("diplomas.redb");
    let store = Store::open(&path, &ArchiveKey::from_bytes(&[3; 32]), &issuer()).unwrap();
    Office::new(issuer(), signing, Arc::clone(ledger) as _, store, Settings::default())
}

impl Desk {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let ledger = Arc::new(FakeLedger::new(issuer(), key(5)));
        let office = open(&directory, &ledger, key(5));
        Self { directory, ledger, office }
    }

    fn restart(self) -> Self {
        let Self { directory, ledger, office } = self;
        drop(office);
        let office = open(&directory, &ledger, key(5));
        Self { directory, ledger, office }
    }

    /// What the command does.
    async fn run(&self) -> Result<(), OfficeError> {
        self.office.settle_all().await?;
        self.office.resume_issuing(&quiet).await?;
        let sorted = self.office.sort(drafts())?;
        if !sorted.new.is_empty() {
            let new = sorted.new.into_iter().map(|(_, draft)| draft).collect();
            self.office.issue(new, &options(), &quiet).await?;
        }
        Ok(())
    }

    /// Every award has one diploma in force, in an entry of its own, with credentials that one record anchors; and every row is
    /// known as issued.
    fn check(&self, what: &str) {
        let batches: Vec<_> = self.ledger.records().into_iter().filter(is_batch).collect();
        assert_eq!(batches.len(), 1, "{what}: one record for the batch");
        let Act::NotariseBatch { root, count, .. } = batches[0].act() else { panic!("a batch") };
        assert_eq!(*count, 9, "{what}: three diplomas in two formats and the compact one");
        let (mut entries, mut awards) = (BTreeSet::new(), 0);
        self.office
            .store
            .each_award(|award| {
                awards += 1;
                assert_eq!(award.diplomas.len(), 1, "{what}");
                let diploma = award.current();
                assert_eq!((diploma.state, diploma.anchor), (State::Issued, Some(batches[0].id())), "{what}");
                assert!(entries.insert((diploma.list.clone(), diploma.index)), "{what}: an entry was given out twice");
                for (format, copy) in &diploma.copies {
                    let text = self.office.store.text(&award.diploma(1), *format).unwrap().unwrap();
                    assert_eq!(format::parse(&text).unwrap().digest(), copy.digest, "{what}");
                    let batch = self.office.batch(batches[0].id()).unwrap();
                    let opening = batch.receipt(copy.leaf, copy.digest, copy.salt).unwrap().opening.unwrap();
                    opening.verify_batch(*root, *count).unwrap();
                }
            })
            .unwrap();
        assert_eq!(awards, 3, "{what}");
        let sorted = self.office.sort(drafts()).unwrap();
        assert_eq!((sorted.new.len(), sorted.same.len(), sorted.changed.len()), (0, 3, 0), "{what}");
        assert!(self.office.store.all_pending().unwrap().is_empty(), "{what}: nothing is on its way");
    }
}

fn is_batch(record: &Record) -> bool {
    matches!(record.act(), Act::NotariseBatch { .. })
}

/// INV-JOB-1, INV-JOB-2, INV-ARCHIVE-1 and INV-ARCHIVE-3, at every step of the archive.
#[tokio::test]
async fn a_crash_at_any_step_of_the_archive_costs_nothing() {
    for after in [false, true] {
        for step in 0.. {
            let mut desk = Desk::new();
            desk.office.store.crash.at(step, after);
            if desk.run().await.is_ok() {
                assert!(step > 12, "a job has more steps than {step}");
                break;
            }
            desk = desk.restart();
            let what = format!("crash {} step {step}", if after { "after" } else { "before" });
            desk.run().await.unwrap_or_else(|error| panic!("{what}: {error}"));
            desk.check(&what);
            desk.run().await.unwrap();
            desk.check(&format!("{what}, and run again"));
        }
    }
}

/// The same at every call of the ledger, whether it did what it was asked to or not.
#[tokio::test]
async fn a_break_at_any_call_of_the_ledger_costs_nothing() {
    for how in [Break::Before, Break::After] {
        for call in 0.. {
            let mut desk = Desk::new();
            desk.ledger.break_at(call, how);
            let result = desk.run().await;
            if !desk.ledger.mend() {
                result.unwrap();
                assert!(call > 10, "a job has more calls than {call}");
                break;
            }
            desk = desk.restart();
            let what = format!("{how:?} call {call}");
            desk.run().await.unwrap_or_else(|error| panic!("{what}: {error}"));
            desk.check(&what);
        }
    }
}

#[tokio::test]
async fn a_changed_row_is_told_and_an_award_is_never_issued_twice() {
    let desk = Desk::new();
    desk.run().await.unwrap();
    let mut changed = draft(1);
    changed.content.insert("familyName".into(), "Meier".into());
    let sorted = desk.office.sort(vec![(2, draft(0)), (3, changed.clone()), (4, draft(7))]).unwrap();
    assert_eq!((sorted.new.len(), sorted.same.len()), (1, 1));
    assert_eq!(sorted.changed, [(3, changed.award.clone())]);
    // INV-JOB-2: also when somebody asks for it without looking.
    let error = desk.office.issue(vec![draft(7), changed], &options(), &quiet).await.unwrap_err();
    assert_eq!(error.code(), "archive.exists");
    assert!(desk.office.unfinished(crate::issue::ISSUE).unwrap().is_empty(), "nothing of the job stays");
    desk.check("after a refusal");
}

#[tokio::test]
async fn what_cannot_be_made_leaves_nothing_behind() {
    let desk = Desk::new();
    let mut unfit = draft(1);
    unfit.content.remove("familyName");
    let error = desk.office.issue(vec![draft(0), unfit], &options(), &quiet).await.unwrap_err();
    assert!(matches!(&error, OfficeError::Drafts(faults) if faults.len() == 1), "{error}");
    assert!(error.to_string().contains("M1/A1: familyName is missing"), "{error}");
    let mut left = 0;
    desk.office.store.each_award(|_| left += 1).unwrap();
    assert_eq!(left, 0);
    assert!(desk.office.store.find("A0").unwrap().is_empty());
    desk.run().await.unwrap();
    desk.check("after a fault");
}

/// A record that its end has overtaken gets a successor, and only then.
#[tokio::test]
async fn a_record_that_is_too_old_is_signed_anew_once() {
    let desk = Desk::new();
    let new = drafts().into_iter().map(|(_, draft)| draft).collect();
    let id = desk.office.prepare(crate::issue::ISSUE, new, &options(), Edition::First, &quiet).await.unwrap();
    let mut job = desk.office.job(&id).unwrap().unwrap();
    let Stage::Anchoring { record } = job.stage else { panic!("it is signed") };
    let pending = desk.office.store.pending(record).unwrap().unwrap();
    let leaves = desk.office.store.leaves(record).unwrap().unwrap();
    let signed = Record::parse(pending.record.as_bytes()).unwrap();
    let (iat, exp) = (UnixTime(1_750_000_000), UnixTime(1_750_003_600));
    let jti = base64url(&[1; 16]).parse().unwrap();
    let payload = Payload { iat, exp, jti, ..signed.payload().clone() };
    let old = Record::sign(&payload, &desk.office.key_id(), &desk.office.key).unwrap();
    job.stage = Stage::Anchoring { record: old.id() };
    desk.office
        .store
        .write(|change| {
            change.drop_pending(record)?;
            change.drop_leaves(record)?;
            change.put_pending("anchor", &old, None)?;
            change.put_leaves(old.id(), &leaves)?;
            change.put(JOB, id.as_str(), &job)
        })
        .unwrap();
    desk.run().await.unwrap();
    desk.check("after a record that was too old");
    assert!(desk.ledger.records().iter().all(|record| record.id() != old.id()));
}

/// What is not anchored yet is signed again by the key that the issuer has now.
#[tokio::test]
async fn a_job_that_was_broken_off_before_a_change_of_keys_is_signed_again() {
    let Desk { directory, ledger, office } = Desk::new();
    // After the credentials are kept, before the record is.
    office.store.crash.at(9, false);
    let new = drafts().into_iter().map(|(_, draft)| draft).collect();
    let error = office.prepare(crate::issue::ISSUE, new, &options(), Edition::First, &quiet).await.unwrap_err();
    assert_eq!(error.code(), "archive.io");
    drop(office);
    ledger.rotate(key(6));
    let desk = Desk { office: open(&directory, &ledger, key(6)), ledger, directory };
    desk.run().await.unwrap();
    desk.check("after a change of keys");
    let award = desk.office.store.find("A0").unwrap().remove(0);
    let text = desk.office.store.text(&award.diploma(1), Format::SdJwt).unwrap().unwrap();
    assert_eq!(format::parse(&text).unwrap().kid, desk.office.key_id());
}

#[tokio::test]
async fn files_are_the_same_bytes_whenever_they_are_made() {
    let desk = Desk::new();
    desk.run().await.unwrap();
    let files = |desk: &Desk| {
        let award = desk.office.store.find("A0").unwrap().remove(0);
        Delivery::new(&desk.office).files(&award, 1).unwrap()
    };
    let before = files(&desk);
    let names: Vec<_> = before.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["A0.sd-jwt", "A0.sd-jwt.receipt.json", "A0-ebsi.jwt", "A0-ebsi.jwt.receipt.json"]);
    let desk = desk.restart();
    assert_eq!(files(&desk), before);
    let folder = tempfile::tempdir().unwrap();
    let keys = desk.office.store.find("A0").unwrap().iter().map(|award| award.key).collect::<Vec<_>>();
    let write = || desk.office.write_files(&keys, folder.path(), &quiet, |_, _| {}).unwrap();
    assert_eq!((write().made, write().there), (4, 4));
}
