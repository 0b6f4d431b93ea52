//! Goal: nobody corrects or withdraws alone, and whatever two persons agreed on comes about whole, wherever it is broken off.
//! Method: a real archive on disk and a ledger in memory that breaks at any call; each break is followed by a restart.

use std::sync::Arc;

use testamur_credentials::credential::Format;
use testamur_primitives::did::Did;
use testamur_primitives::key::SigningKey;

use super::limits::{CONSENT_SKEW_S, PROPOSAL_LIFE_S};
use super::*;
use crate::fake::{Break, FakeLedger};
use crate::office::{Progress, Settings};
use crate::store::{ArchiveKey, AwardId, AwardKey, Store};
use crate::{Edition, Options};

const LIST: &str = "diplomas-1";

fn quiet(_: Progress) {}

fn seed(name: &str) -> SigningKey {
    SigningKey::ed25519(&[name.as_bytes()[0]; 32])
}

fn name(text: &str) -> PersonName {
    text.parse().unwrap()
}

fn public(name: &str) -> Bytes {
    Bytes(seed(name).public_key().as_bytes().to_vec())
}

struct Desk {
    directory: tempfile::TempDir,
    ledger: Arc<FakeLedger>,
    office: Office,
    now: UnixTime,
}

impl Desk {
    /// A desk with two persons and awards `A0`, `A1`, … in force, each in its own entry of the list.
    async fn new(awards: usize) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let ledger = Arc::new(FakeLedger::new(issuer(), key()));
        let office = open(&directory, &ledger);
        let now = office.now().unwrap();
        let desk = Self { directory, ledger, office, now };
        for person in ["anna", "ben"] {
            desk.office.found_staff(&name(person), public(person), UnixTime(now.0 - 1000)).unwrap();
        }
        if awards > 0 {
            let drafts = (0..awards).map(|number| draft(number, "Müller")).collect();
            let job = desk.office.prepare("issue", drafts, &options(), Edition::First, &quiet).await.unwrap();
            desk.office.finish(&job, &quiet).await.unwrap();
        }
        desk
    }

    /// What a crash and a new start leave: the disk.
    fn restart(self) -> Self {
        let Self { directory, ledger, office, now } = self;
        drop(office);
        let office = open(&directory, &ledger);
        Self { directory, ledger, office, now }
    }

    fn key(&self, award: usize) -> AwardKey {
        self.office.store.key_of(&AwardId::new("M1", &format!("A{award}")).unwrap())
    }

    fn diplomas(&self, awards: &[usize]) -> Vec<DiplomaKey> {
        awards.iter().map(|award| DiplomaKey { award: self.key(*award), edition: 1 }).collect()
    }

    /// The entry of an award's edition.
    fn entry(&self, award: usize, edition: u32) -> u64 {
        self.office.store.award(&self.key(award)).unwrap().unwrap().edition(edition).unwrap().index
    }

    /// Whether the first editions of awards are set in a list.
    fn bits(&self, list: &str, awards: &[usize]) -> Vec<bool> {
        awards.iter().map(|award| self.ledger.bit(list, self.entry(*award, 1)).unwrap()).collect()
    }

    fn state(&self, award: usize) -> State {
        self.office.store.award(&self.key(award)).unwrap().unwrap().current().state
    }

    fn revoke(&self, awards: &[usize]) -> Action {
        Action::Revoke { reason: RevokeReason::IssuedInError, diplomas: self.diplomas(awards) }
    }

    async fn propose(&self, action: Action, person: &str) -> Result<ChangeFile, ChangeError> {
        let change = self.office.draw_up(action, self.now).await?;
        let consent = Consent::sign(&change, Role::Proposer, &name(person), self.now, &seed(person));
        self.office.propose(change, consent, self.now)
    }

    fn approve_at(&self, file: &ChangeFile, person: &str, time: UnixTime) -> Result<ChangeFile, ChangeError> {
        let consent = Consent::sign(&file.change, Role::Approver, &name(person), time, &seed(person));
        self.office.approve(file.id, consent, time)
    }

    async fn agree(&self, action: Action) -> ChangeFile {
        let file = self.propose(action, "anna").await.unwrap();
        self.approve_at(&file, "ben", self.now).unwrap()
    }
}

/// A diploma that differs from the others by its number, and from its correction by the name.
fn draft(number: usize, family_name: &str) -> Draft {
    let (_, sample) = testamur_credentials::content::SAMPLES[0];
    let sample: serde_json::Value = serde_json::from_str(sample).unwrap();
    let serde_json::Value::Object(mut content) = sample["content"].clone() else { panic!("an object") };
    content.insert("familyName".into(), format!("{family_name}-{number}").into());
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

fn options() -> Options {
    Options { formats: [Format::SdJwt].into(), print: false }
}

fn issuer() -> Did {
    Did::of_ledger("ebsi", &[9; 16])
}

fn key() -> SigningKey {
    SigningKey::p256(&[5; 32]).unwrap()
}

fn open(directory: &tempfile::TempDir, ledger: &Arc<FakeLedger>) -> Office {
    let store =
        Store::open(&directory.path().join("archive.redb"), &ArchiveKey::from_bytes(&[3; 32]), &issuer()).unwrap();
    Office::new(issuer(), key(), Arc::clone(ledger) as _, store, Settings::default())
}

fn code<T: core::fmt::Debug>(result: Result<T, ChangeError>) -> String {
    result.unwrap_err().code().to_owned()
}

#[tokio::test]
async fn two_persons_withdraw_suspend_and_reinstate() {
    let desk = Desk::new(3).await;
    let (revoked, suspended) = (desk.agree(desk.revoke(&[0])).await, {
        let diplomas = desk.diplomas(&[1, 2]);
        desk.agree(Action::Suspend { reason: SuspendReason::UnderInvestigation, diplomas }).await
    });
    assert_eq!(desk.bits(LIST, &[0]), [false], "nothing happens before it is carried out");
    for file in [&revoked, &suspended] {
        assert_eq!(desk.office.carry_out(file.id, &quiet).await.unwrap().stage.name(), "done");
    }
    let bits = |list: &str| desk.bits(list, &[0, 1, 2]);
    assert_eq!(bits(LIST), [true, false, false]);
    assert_eq!(bits("diplomas-1-suspended"), [false, true, true]);
    assert_eq!(bits("diplomas-1-replaced"), [false, false, false]);
    assert_eq!([0, 1, 2].map(|award| desk.state(award)), [State::Revoked, State::Suspended, State::Suspended]);
    // Reinstate is for what is suspended, and a revocation is for good.
    let reinstate = |awards: &[usize]| Action::Reinstate {
        reason: ReinstateReason::InvestigationClosed,
        diplomas: desk.diplomas(awards),
    };
    assert_eq!(code(desk.propose(reinstate(&[0]), "anna").await), "change.state");
    assert_eq!(code(desk.propose(desk.revoke(&[0]), "anna").await), "change.state");
    let lifted = desk.agree(reinstate(&[2])).await;
    desk.office.carry_out(lifted.id, &quiet).await.unwrap();
    assert_eq!(bits("diplomas-1-suspended"), [false, true, false]);
    assert_eq!(desk.state(2), State::Issued);
    assert_eq!(code(desk.propose(reinstate(&[2]), "anna").await), "change.state");
    // Done once: again it changes nothing and publishes nothing.
    let versions = desk.ledger.versions(LIST);
    desk.office.carry_out(revoked.id, &quiet).await.unwrap();
    assert_eq!(desk.ledger.versions(LIST), versions);
}

/// INV-CHANGE-1, attacked.
#[tokio::test]
async fn nobody_approves_alone() {
    let desk = Desk::new(2).await;
    let (office, now) = (&desk.office, desk.now);
    let file = desk.propose(desk.revoke(&[0]), "anna").await.unwrap();
    assert_eq!(code(office.carry_out(file.id, &quiet).await), "change.not-approved");
    // The same person, by key and by token; a proposer's signature as an approver's.
    assert_eq!(code(desk.approve_at(&file, "anna", now)), "change.same-person");
    let token = |person: &str| Consent::by_token(Role::Approver, &name(person), now, "desk-1".parse().unwrap());
    assert_eq!(code(office.approve(file.id, token("anna"), now)), "change.same-person");
    let proposal = Consent::sign(&file.change, Role::Proposer, &name("ben"), now, &seed("ben"));
    assert_eq!(code(office.approve(file.id, proposal.clone(), now)), "change.signature");
    let approver = Consent { role: Role::Approver, ..proposal };
    assert_eq!(code(office.approve(file.id, approver, now)), "change.signature");
    // Anna's key under Ben's name; somebody unknown, by key and by token.
    let forged = Consent::sign(&file.change, Role::Approver, &name("ben"), now, &seed("anna"));
    assert_eq!(code(office.approve(file.id, forged, now)), "change.signature");
    assert_eq!(code(desk.approve_at(&file, "eva", now)), "staff.unknown");
    assert_eq!(code(office.approve(file.id, token("eva"), now)), "staff.unknown");
    // Ben's consent to another change.
    let other = desk.propose(desk.revoke(&[1]), "anna").await.unwrap();
    let elsewhere = Consent::sign(&other.change, Role::Approver, &name("ben"), now, &seed("ben"));
    assert_eq!(code(office.approve(file.id, elsewhere, now)), "change.signature");
    // At another time than it says.
    let later =
        Consent::sign(&file.change, Role::Approver, &name("ben"), UnixTime(now.0 + CONSENT_SKEW_S + 1), &seed("ben"));
    assert_eq!(code(office.approve(file.id, later, now)), "change.clock");
    // Nothing of that has left a trace; the right one goes through, once.
    assert_eq!(office.change(file.id).unwrap(), file);
    office.approve(file.id, token("ben"), now).unwrap();
    assert_eq!(code(desk.approve_at(&file, "ben", now)), "change.approved");
    office.carry_out(file.id, &quiet).await.unwrap();
    assert_eq!(code(office.withdraw(file.id, &name("anna"), now)), "change.begun");
    assert_eq!((desk.state(0), desk.state(1)), (State::Revoked, State::Issued));
}

/// INV-CHANGE-1, when somebody wrote to the archive.
#[tokio::test]
async fn what_was_altered_is_not_carried_out() {
    let desk = Desk::new(2).await;
    let original = desk.agree(desk.revoke(&[0])).await;
    let attempt = |alter: &dyn Fn(&mut ChangeFile)| {
        let mut file = original.clone();
        alter(&mut file);
        desk.office.keep_change(&file).unwrap();
        desk.office.change(file.id).unwrap()
    };
    let other = desk.diplomas(&[1]);
    type Alter<'a> = &'a dyn Fn(&mut ChangeFile);
    let wrong: [(Alter<'_>, &str); 6] = [
        (
            &|file| {
                file.change.action = Action::Revoke { reason: RevokeReason::IssuedInError, diplomas: other.clone() };
            },
            "change.altered",
        ),
        (
            &|file| {
                let diplomas = original.change.action.diplomas();
                file.change.action = Action::Revoke { reason: RevokeReason::ObtainedByFraud, diplomas };
            },
            "change.altered",
        ),
        (&|file| file.change.expires.0 += 1, "change.altered"),
        (&|file| file.approval = None, "change.not-approved"),
        (&|file| file.approval = Some(file.proposal.clone()), "change.same-person"),
        (&|file| file.approval.as_mut().unwrap().person = name("eva"), "staff.unknown"),
    ];
    for (number, (alter, expected)) in wrong.into_iter().enumerate() {
        let file = attempt(alter);
        assert_eq!(code(desk.office.carry_out(file.id, &quiet).await), expected, "case {number}");
        assert_eq!((desk.state(0), desk.state(1)), (State::Issued, State::Issued));
        assert_eq!(desk.ledger.versions(LIST), 1);
    }
    desk.office.keep_change(&original).unwrap();
    desk.office.carry_out(original.id, &quiet).await.unwrap();
}

#[tokio::test]
async fn proposals_expire_are_withdrawn_and_never_meet() {
    let desk = Desk::new(2).await;
    let file = desk.propose(desk.revoke(&[0]), "anna").await.unwrap();
    // INV-CHANGE-3: one open change an award.
    assert_eq!(code(desk.propose(desk.revoke(&[1, 0]), "ben").await), "change.busy");
    assert_eq!(code(desk.propose(desk.revoke(&[1, 1]), "ben").await), "change.twice");
    assert_eq!(code(desk.propose(desk.revoke(&[]), "ben").await), "change.nothing");
    assert_eq!(code(desk.propose(desk.revoke(&[7]), "ben").await), "change.not-issued");
    let end = UnixTime(desk.now.0 + PROPOSAL_LIFE_S);
    assert_eq!(file.change.expires, end);
    assert_eq!(code(desk.approve_at(&file, "ben", end)), "change.expired");
    assert_eq!(code(desk.office.withdraw(file.id, &name("eva"), desk.now)), "staff.unknown");
    desk.office.withdraw(file.id, &name("ben"), desk.now).unwrap();
    assert_eq!(code(desk.approve_at(&file, "ben", desk.now)), "change.withdrawn");
    assert_eq!(code(desk.office.carry_out(file.id, &quiet).await), "change.withdrawn");
    let again = desk.propose(desk.revoke(&[0]), "ben").await.unwrap();
    assert_ne!(again.id, file.id, "the same change another time is another change");
    desk.approve_at(&again, "anna", UnixTime(end.0 - 1)).unwrap();
    assert_eq!(desk.office.find_change(&again.id.to_string()[..8]).unwrap().id, again.id);
    assert_eq!(code(desk.office.find_change(&again.id.to_string()[..7])), "change.unknown");
    assert_eq!(code(desk.office.find_change("ffffffff00")), "change.unknown");
}

/// INV-STAFF-1, attacked.
#[tokio::test]
async fn who_joins_is_agreed_on_by_two() {
    let desk = Desk::new(2).await;
    let (office, now) = (&desk.office, desk.now);
    assert_eq!(code(office.found_staff(&name("eva"), public("eva"), now)), "change.not-approved");
    let join = Action::Join { name: name("eva"), key: public("eva") };
    let file = desk.propose(join.clone(), "anna").await.unwrap();
    assert_eq!(code(desk.approve_at(&file, "eva", now)), "staff.unknown", "nobody lets themselves in");
    desk.approve_at(&file, "ben", now).unwrap();
    office.carry_out(file.id, &quiet).await.unwrap();
    assert_eq!(office.staff().unwrap().present_count(), 3);
    assert_eq!(code(desk.propose(join, "anna").await), "staff.name-taken");
    // Eva proposes, leaves, and her proposal can still be judged by others; her approvals count no more.
    let proposal = office.draw_up(desk.revoke(&[0]), office.now().unwrap()).await.unwrap();
    let time = office.now().unwrap();
    let consent = Consent::sign(&proposal, Role::Proposer, &name("eva"), time, &seed("eva"));
    let by_eva = office.propose(proposal, consent, time).unwrap();
    let leave = desk.agree(Action::Leave { name: name("eva") }).await;
    let approval = Consent::sign(&by_eva.change, Role::Approver, &name("eva"), time, &seed("eva"));
    assert_eq!(code(office.approve(by_eva.id, approval, time)), "change.same-person");
    office.carry_out(leave.id, &quiet).await.unwrap();
    assert_eq!(code(desk.propose(Action::Leave { name: name("ben") }, "anna").await), "staff.last-two");
    assert_eq!(code(desk.propose(desk.revoke(&[1]), "eva").await), "staff.unknown");
    assert_eq!(office.staff().unwrap().persons().len(), 3, "who has left stays on record");
}

#[tokio::test]
async fn one_person_is_told_what_is_missing() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = Arc::new(FakeLedger::new(issuer(), key()));
    let office = open(&directory, &ledger);
    let now = office.now().unwrap();
    let draw = async || office.draw_up(Action::Leave { name: name("anna") }, now).await;
    assert_eq!(code(draw().await), "staff.too-few");
    office.found_staff(&name("anna"), public("anna"), now).unwrap();
    let error = draw().await.unwrap_err();
    assert_eq!((error.code(), error.hint().contains("staff add NAME")), ("staff.too-few", true));
    assert_eq!(code(office.found_staff(&name("ben"), public("anna"), now)), "staff.key-taken");
}

/// INV-CHANGE-2: broken off at every call to the ledger, before and after its effect, then started again.
#[tokio::test]
async fn a_withdrawal_that_is_broken_off_anywhere_comes_about() {
    for how in [Break::Before, Break::After] {
        let mut breaks = 0;
        for call in 0.. {
            let desk = Desk::new(2).await;
            let file = desk.agree(desk.revoke(&[0, 1])).await;
            desk.ledger.break_at(call, how);
            let outcome = desk.office.carry_out(file.id, &quiet).await;
            let met = desk.ledger.mend();
            assert_eq!(outcome.is_err(), met, "call {call}: {outcome:?}");
            let desk = desk.restart();
            let resumed = desk.office.resume_changes(&quiet).await.unwrap();
            assert!(resumed.iter().all(|(_, result)| result.is_ok()), "call {call}, {how:?}: {resumed:?}");
            assert_eq!((desk.state(0), desk.state(1)), (State::Revoked, State::Revoked));
            assert_eq!(desk.bits(LIST, &[0, 1]), [true; 2]);
            assert_eq!(desk.ledger.versions(LIST), 2, "published once: call {call}, {how:?}");
            assert_eq!(desk.office.change(file.id).unwrap().stage.name(), "done");
            if !met {
                break;
            }
            breaks += 1;
        }
        assert!(breaks >= 3, "the change calls the ledger at least three times, not {breaks}");
    }
}

/// Another desk with the same key publishes in between.
#[tokio::test]
async fn a_list_that_moves_is_read_again() {
    let desk = Desk::new(2).await;
    let file = desk.agree(desk.revoke(&[0])).await;
    let list = LIST.parse().unwrap();
    let (own, other) = (desk.entry(0, 1), desk.entry(1, 1));
    let published = desk.office.published(&list).await.unwrap().unwrap();
    let mut bits = published.bits.clone();
    bits.set(other, true);
    desk.office.publish(&list, published.entry.status.purpose, &bits, Some(&published.entry)).await.unwrap();
    desk.office.carry_out(file.id, &quiet).await.unwrap();
    assert_eq!([own, other].map(|entry| desk.ledger.bit(LIST, entry)), [Some(true); 2], "nobody's bits are lost");
}

fn renames(desk: &Desk, awards: &[usize], family_name: &str) -> Action {
    let drafts = awards.iter().map(|award| draft(*award, family_name)).collect();
    let (corrections, _) = desk.office.corrections_of(drafts).unwrap();
    Action::Correct { corrections }
}

fn check_corrected(desk: &Desk, awards: &[usize]) {
    for award in awards {
        let found = desk.office.store.award(&desk.key(*award)).unwrap().unwrap();
        let states: Vec<_> = found.diplomas.iter().map(|d| (d.state, d.replaces, d.replaced_by)).collect();
        assert_eq!(states, [(State::Replaced, None, Some(2)), (State::Issued, Some(1), None)]);
        let (old, new) = (desk.entry(*award, 1), desk.entry(*award, 2));
        assert_ne!(old, new);
        let bits =
            |entry| [LIST, "diplomas-1-replaced", "diplomas-1-suspended"].map(|l| desk.ledger.bit(l, entry).unwrap());
        assert_eq!((bits(old), bits(new)), ([true, true, false], [false, false, false]));
        // A change of name leaves no trace: nothing of the old one is in the new one's credential.
        let text = |edition| {
            let key = DiplomaKey { award: desk.key(*award), edition };
            desk.office.store.text(&key, Format::SdJwt).unwrap().unwrap()
        };
        let (before, after) = (all_of(&text(1)), all_of(&text(2)));
        assert!(before.contains("Müller") && after.contains("Meyer") && !after.contains("Müller"));
        let digest = hex::encode(testamur_credentials::format::parse(&text(1)).unwrap().digest());
        assert!(!after.contains(&digest) && !after.contains("replace"));
        // What was handed out once is handed out again.
        assert!(desk.office.store.content(&found.diploma(1)).unwrap().is_some());
    }
}

/// Every part of an SD-JWT, decoded.
fn all_of(text: &str) -> String {
    let parts = text.split(['.', '~']).filter_map(|part| testamur_primitives::codec::from_base64url(part).ok());
    parts.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect()
}

#[tokio::test]
async fn thirty_seven_corrections_in_one_go() {
    let desk = Desk::new(40).await;
    let awards: Vec<_> = (0..37).collect();
    let mut rows: Vec<_> = awards.iter().map(|award| draft(*award, "Meyer")).collect();
    rows.extend((37..40).map(|award| draft(award, "Müller")));
    let (corrections, unchanged) = desk.office.corrections_of(rows).unwrap();
    assert_eq!((corrections.len(), unchanged), (37, 3), "only what differs is corrected");
    let before = desk.ledger.records().len();
    let file = desk.agree(Action::Correct { corrections }).await;
    let preview = desk.office.preview_change(&file.change).unwrap();
    assert!(preview.iter().all(|p| p.differences.len() == 1 && p.differences[0].field == "familyName"), "{preview:?}");
    let done = desk.office.carry_out(file.id, &quiet).await.unwrap();
    check_corrected(&desk, &awards);
    assert_eq!(desk.ledger.records().len(), before + 3, "one anchor for all, and one version of each of two lists");
    assert_eq!([37, 38, 39].map(|award| desk.state(award)), [State::Issued; 3]);
    let reasons = |reason: &str| done.answers.iter().filter(|answer| answer.reason == reason).count();
    assert_eq!(
        (reasons("status.replaced"), reasons("valid")),
        (74, 74),
        "each edition in two formats was verified again"
    );
    // The corrected one can be corrected, withdrawn, …; the replaced one is history.
    assert_eq!(code(desk.propose(desk.revoke(&[0]), "anna").await), "change.state");
    let next = Action::Revoke {
        reason: RevokeReason::AtHoldersRequest,
        diplomas: desk.office.diplomas_named(&["A0".into()]).unwrap(),
    };
    let file = desk.agree(next).await;
    desk.office.carry_out(file.id, &quiet).await.unwrap();
    assert_eq!(desk.state(0), State::Revoked);
}

/// INV-CHANGE-2: broken off at every call to the ledger, before and after its effect, then started again.
#[tokio::test]
async fn a_correction_that_is_broken_off_anywhere_comes_about() {
    for how in [Break::Before, Break::After] {
        let mut breaks = 0;
        for call in 0.. {
            let desk = Desk::new(2).await;
            let records = desk.ledger.records().len();
            let file = desk.agree(renames(&desk, &[0, 1], "Meyer")).await;
            desk.ledger.break_at(call, how);
            let outcome = desk.office.carry_out(file.id, &quiet).await;
            let met = desk.ledger.mend();
            assert_eq!(outcome.is_err(), met, "call {call}: {outcome:?}");
            // Never is the old one withdrawn while the new one is not in force.
            let withdrawn = desk.bits(LIST, &[0])[0] || desk.bits("diplomas-1-replaced", &[0])[0];
            let in_force = desk.office.store.award(&desk.key(0)).unwrap().unwrap().current().state == State::Issued;
            assert!(!withdrawn || in_force, "call {call}, {how:?}");
            let desk = desk.restart();
            let resumed = desk.office.resume_changes(&quiet).await.unwrap();
            assert!(resumed.iter().all(|(_, result)| result.is_ok()), "call {call}, {how:?}: {resumed:?}");
            check_corrected(&desk, &[0, 1]);
            assert_eq!(desk.ledger.records().len(), records + 3, "nothing twice: call {call}, {how:?}");
            if !met {
                break;
            }
            breaks += 1;
        }
        assert!(breaks >= 8, "a correction calls the ledger at least eight times, not {breaks}");
    }
}

#[tokio::test]
async fn what_cannot_be_issued_is_not_proposed() {
    let desk = Desk::new(2).await;
    let mut wrong = draft(0, "Meyer");
    wrong.content.remove("dateOfBirth");
    let (corrections, _) = desk.office.corrections_of(vec![wrong]).unwrap();
    let error = desk.propose(Action::Correct { corrections }, "anna").await.unwrap_err();
    assert_eq!(error.code(), "diploma.draft");
    assert!(error.to_string().contains("dateOfBirth") && !error.to_string().contains("Meyer"), "{error}");
    // A row of somebody else under this award, the row that was issued, an award that was not.
    let diploma = desk.diplomas(&[0])[0];
    let act = |draft| Action::Correct { corrections: vec![Correction { diploma, draft }] };
    assert_eq!(code(desk.propose(act(draft(1, "Meyer")), "anna").await), "change.altered");
    assert_eq!(code(desk.propose(act(draft(0, "Müller")), "anna").await), "change.unchanged");
    assert_eq!(code(desk.office.corrections_of(vec![draft(9, "Meyer")])), "change.not-issued");
    // What is suspended is not corrected: that would lift the suspension.
    let diplomas = desk.diplomas(&[1]);
    let file = desk.agree(Action::Suspend { reason: SuspendReason::AtHoldersRequest, diplomas }).await;
    desk.office.carry_out(file.id, &quiet).await.unwrap();
    assert_eq!(code(desk.propose(renames(&desk, &[1], "Meyer"), "anna").await), "change.state");
}
