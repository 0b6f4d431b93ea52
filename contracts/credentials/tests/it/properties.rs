//! What holds of every verification: over random outcomes of steps, over mutated packages, and whatever was asked before.

use std::sync::{Arc, LazyLock};

use crate::world::DAY;
use crate::world::parties::{ISSUED, NOW, World, policy, sign_text};
use proptest::prelude::*;
use testamur_credentials::credential::{Credential, Format};
use testamur_credentials::package::Package;
use testamur_credentials::presentation::{self, Presentation};
use testamur_credentials::print::Print;
use testamur_credentials::proofs::Proofs;
use testamur_credentials::verify::{
    Outcome, Policy, Presented, Reason, Report, StepName, StepReport, Verdict, Verifier, verdict,
};
use testamur_primitives::key::SigningKey;
use testamur_primitives::receipt::Receipt;
use testamur_primitives::units::UnixTime;

/// A reason of a step, or that it was not looked at.
fn steps() -> impl Strategy<Value = Vec<StepReport>> {
    let step = |name: StepName| {
        let reasons: Vec<_> = Reason::ALL.iter().copied().filter(|r| r.step() == name && *r != Reason::Valid).collect();
        (proptest::sample::select(reasons), proptest::bool::weighted(0.05)).prop_map(move |(reason, skipped)| {
            StepReport {
                step: name,
                outcome: if skipped { Outcome::NotChecked } else { reason.outcome() },
                reason,
                evidence: Arc::default(),
            }
        })
    };
    StepName::ALL.map(step).to_vec()
}

proptest! {
    /// INV-VERIFY-1, by all outcomes that steps can have.
    #[test]
    fn valid_means_that_every_step_passed(steps in steps()) {
        let (verdict, reason) = verdict(&steps);
        let with = |outcome| steps.iter().any(|step| step.outcome == outcome);
        prop_assert_eq!(verdict == Verdict::NotValid, with(Outcome::Failed));
        let all_passed = steps.iter().all(|step| step.outcome == Outcome::Passed);
        prop_assert_eq!(verdict == Verdict::Valid, all_passed);
        prop_assert_eq!(reason == Reason::Valid, all_passed);
        prop_assert!(all_passed || steps.iter().any(|step| step.reason == reason));
    }
}

/// A package with everything in it, and what it reads as.
static PACKAGE: LazyLock<(World, Vec<u8>, Presentation)> = LazyLock::new(|| {
    let world = World::new(SigningKey::ed25519(&[7; 32]));
    let credential = sign_text(Format::SdJwt, &world.draft(), &world.university.key);
    let parsed = testamur_credentials::format::parse(&credential).unwrap();
    let receipt = Some(world.anchor(&parsed, ISSUED));
    let proofs = world.proofs(&parsed, Some(ISSUED), NOW);
    let bytes = Package { credential, receipt, proofs }.encode();
    let read = presentation::read(&bytes).unwrap();
    (world, bytes, read)
});

fn ask(verifier: &Verifier, bytes: &[u8]) -> (Option<Presentation>, Report) {
    let read = presentation::read(bytes);
    let report = verifier.verify(&Presented::new(read.as_ref(), &Print::None), &policy());
    (read.ok(), report)
}

/// Whether two presentations say the same, proof for proof.
fn same(one: &Presentation, other: &Presentation) -> bool {
    let receipt = |read: &Presentation| read.receipt.as_ref().map(|receipt| receipt.as_ref().ok().cloned());
    one.text == other.text
        && receipt(one) == receipt(other)
        && one.proofs.evidence == other.proofs.evidence
        && one.proofs.lists == other.proofs.lists
}

#[test]
fn the_package_is_valid_and_small_enough() {
    let (world, bytes, _) = &*PACKAGE;
    assert_eq!(ask(&world.verifier(), bytes).1.verdict, Verdict::Valid);
    assert!(bytes.len() <= 96 * 1024, "{} bytes", bytes.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// A package that anybody changed is not valid, unless what it says is the same to the last proof.
    #[test]
    fn a_changed_package_is_valid_only_if_it_says_the_same(at in any::<prop::sample::Index>(), bit in 0..7u32) {
        let (world, bytes, original) = &*PACKAGE;
        let mut changed = bytes.clone();
        changed[at.index(bytes.len())] ^= 1 << bit;
        let (read, report) = ask(&world.verifier(), &changed);
        let harmless = read.is_some_and(|read| same(&read, original));
        prop_assert!(report.verdict != Verdict::Valid || harmless, "{:?}", report);
        prop_assert_eq!((report.verdict, report.reason), verdict(&report.steps));
    }

    /// Nor is one of which a piece is missing.
    #[test]
    fn a_package_with_a_hole_is_valid_only_if_it_says_the_same(
        at in any::<prop::sample::Index>(),
        length in 1..400usize,
    ) {
        let (world, bytes, original) = &*PACKAGE;
        let start = at.index(bytes.len());
        let changed = [&bytes[..start], &bytes[bytes.len().min(start + length)..]].concat();
        let (read, report) = ask(&world.verifier(), &changed);
        prop_assert!(report.verdict != Verdict::Valid || read.is_some_and(|read| same(&read, original)));
    }
}

/// Credentials, receipts and proofs of which some belong together, and clocks.
struct Pieces {
    credentials: Vec<Credential>,
    receipts: Vec<Option<Receipt>>,
    proofs: Vec<Proofs>,
    policies: Vec<Policy>,
}

static PIECES: LazyLock<(World, Pieces)> = LazyLock::new(|| {
    let mut world = World::new(SigningKey::ed25519(&[7; 32]));
    let mut credentials: Vec<_> = [Format::SdJwt, Format::Vcdm2, Format::Ebsi].map(|f| world.diploma(f)).to_vec();
    let mut altered = credentials[0].clone();
    altered.jws.signature[0] ^= 1;
    let mut untyped = credentials[1].clone();
    untyped.subject.insert("eqfLevel".into(), 6.into());
    let mut elsewhere = credentials[2].clone();
    elsewhere.status[0].index = 8;
    credentials.extend([altered, untyped, elsewhere]);
    let good = world.anchor(&credentials[0], ISSUED);
    let other = world.anchor(&credentials[1], ISSUED);
    let later = world.anchor(&credentials[0], NOW - DAY);
    let mut uncertified = good.clone();
    uncertified.note = uncertified.note.lines().take(4).map(|line| format!("{line}\n")).collect();
    let mut swapped = good.clone();
    swapped.opening.clone_from(&other.opening);
    let mut renamed = good.clone();
    renamed.author.jwk = SigningKey::ed25519(&[8; 32]).public_key().to_jwk();
    let receipts = vec![None, Some(good), Some(other), Some(later), Some(uncertified), Some(swapped), Some(renamed)];

    let before = world.proofs(&credentials[0], Some(ISSUED), NOW);
    let mut forged = before.clone();
    let evidence = Arc::make_mut(forged.evidence.as_mut().unwrap());
    evidence.state.iter_mut().for_each(|proven| proven.value = proven.value.take().map(|text| text.replace('7', "8")));
    let mut partial = before.clone();
    Arc::make_mut(partial.evidence.as_mut().unwrap()).state.retain(|proven| !proven.key.starts_with("status/"));
    let twin = Proofs { evidence: before.evidence.as_ref().map(|e| Arc::new((**e).clone())), ..before.clone() };
    world.list("diplomas-1", NOW, &[8]);
    world.list("diplomas-1-suspended", NOW, &[7]);
    let after = world.proofs(&credentials[0], Some(ISSUED), NOW);
    let mixed = Proofs { lists: before.lists.clone(), ..after.clone() };
    let proofs = vec![Proofs::NONE, before, forged, partial, twin, after, mixed];
    let at = |now, at: Option<u64>| Policy { now: UnixTime(now), at: at.map(UnixTime), ..policy() };
    let policies = vec![
        at(NOW, None),
        at(NOW + 2 * DAY, None),
        at(NOW + 4_000 * DAY, None),
        at(NOW, Some(ISSUED)),
        at(NOW, Some(ISSUED - DAY)),
    ];
    (world, Pieces { credentials, receipts, proofs, policies })
});

/// The verifier that is asked everything, by all cases of the test one after another.
static OLD: LazyLock<Verifier> = LazyLock::new(|| PIECES.0.verifier());

proptest! {
    #![proptest_config(ProptestConfig::with_cases(384))]

    /// INV-VERIFY-2: who was asked much before answers as one who was never asked anything.
    #[test]
    fn what_was_asked_before_changes_no_answer(
        credential in any::<prop::sample::Index>(),
        receipt in any::<prop::sample::Index>(),
        proofs in any::<prop::sample::Index>(),
        policy in any::<prop::sample::Index>(),
    ) {
        let (world, pieces) = &*PIECES;
        let presented = Presented {
            credential: Ok(credential.get(&pieces.credentials)),
            text: None,
            receipt: receipt.get(&pieces.receipts).as_ref().map(Ok),
            proofs: proofs.get(&pieces.proofs),
            evidence_error: None,
            print: &Print::None,
        };
        let policy = policy.get(&pieces.policies);
        prop_assert_eq!(OLD.verify(&presented, policy), world.verifier().verify(&presented, policy));
    }
}
